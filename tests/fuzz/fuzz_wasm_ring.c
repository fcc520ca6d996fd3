/*
 * fuzz_wasm_ring.c - the other side of the rings is hostile: it writes what it likes into the
 * shared memory, positions and bells, with frames that are nearly right in between, while
 * instances are made, called, saved, freed and moved.  Nothing happens to the server; a
 * process that is dropped has told each of its instances once.
 *
 * The input is a program: one byte says what is done, those behind it with what.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "wasm/pool_priv.h"

#define GUESTS 12
#define PEERS  4
#define CODES  2
#define PAGE   4096

struct guest { struct wasm_instance *i; unsigned started, lost; bool live; };

struct peer { struct rings rings; bool here; };

struct bytes { const uint8_t *p; size_t n; };

static struct wasm_pool *pool;
static struct shard *shard;
static struct guest guests[GUESTS];
static struct peer peers[PEERS];
static struct wasm_code codes[CODES];
static struct bytes input;

static uint8_t
next(void)
{
	uint8_t b;

	if (input.n == 0)
		return 0;
	b = *input.p;
	input.p++;
	input.n--;
	return b;
}

static uint64_t
next_n(size_t n)
{
	uint64_t v = 0;

	for (size_t k = 0; k < n; k++)
		v = v << 8 | next();
	return v;
}

static struct str
next_text(size_t most)
{
	size_t n = next() % (most + 1);
	struct str s = { (const char *)input.p, n < input.n ? n : input.n };

	input.p += s.n;
	input.n -= s.n;
	return s;
}

/* ---- users of the pool ---------------------------------------------------------------- */

/* What a user does inside a hook is in the input, too. */
static void
act_in_hook(struct guest *g)
{
	switch (next() % 8) {
	case 1:
		wasm_instance_free(g->i);
		*g = (struct guest){ 0 };
		break;
	case 2:
		(void)wasm_instance_call(g->i, S("again"));
		break;
	case 3:
		(void)wasm_instance_save(g->i);
		break;
	case 4:
		wasm_instance_answer(g->i, 0, S("answer"));
		break;
	default:
		break;
	}
}

static void
on_started(void *arg, int rc, const struct err *e)
{
	struct guest *g = arg;

	assert(g->i != NULL && g->started == 0 && (rc == OK || e->text[0] != '\0'));
	g->started++;
	g->live = rc == OK;
	g->lost += rc != OK;
	act_in_hook(g);
}

static void
on_log(void *arg, int level, struct str text)
{
	struct guest *g = arg;

	assert(g->i != NULL && level >= 0 && level <= 3 && (text.n == 0 || text.p[0] == text.p[0]));
	act_in_hook(g);
}

static void
on_text(void *arg, struct str json)
{
	struct guest *g = arg;

	assert(g->live && json.n <= LIMIT_WASM_FRAME_BYTES);
	act_in_hook(g);
}

static void
on_ask(void *arg, const struct wasm_ask *q)
{
	struct guest *g = arg;

	assert(g->live && q->what >= WASM_STORE_GET && q->what <= WASM_TOOL_CALL);
	assert(q->name.n + q->body.n <= LIMIT_WASM_FRAME_BYTES);
	act_in_hook(g);
}

static void
on_done(void *arg, int32_t result, const struct wasm_cost *cost)
{
	struct guest *g = arg;

	(void)result;
	assert(g->live && cost->fuel >= 0 && cost->cpu >= 0);
	act_in_hook(g);
}

static void
on_trapped(void *arg, enum wasm_trap why, struct str text, const struct wasm_cost *cost)
{
	struct guest *g = arg;

	assert(g->live && why > WASM_TRAP_NONE && why < WASM_TRAPS && cost->fuel >= 0);
	assert(str_is_utf8(text) && !wasm_instance_live(g->i));
	g->live = false;
	assert(g->lost++ == 0);
	act_in_hook(g);
}

static void
on_saved(void *arg, int rc, struct str body)
{
	struct guest *g = arg;

	assert(g->live && body.n <= LIMIT_WASM_IMAGE_BYTES && (rc == OK || body.n == 0));
	act_in_hook(g);
}

static const struct wasm_hooks hooks = { on_started, on_log, on_text, on_text, on_ask, on_done,
	on_trapped, on_saved };

static void
make_guest(struct guest *g)
{
	struct wasm_instance_options o = { .owner = next() % 2, .code = &codes[next() % CODES],
		.allow = next(), .limits = { .host_calls = 5 } };
	struct err e;

	if (next() % 4 == 0)
		o.restore = next_text(60);
	if (g->i != NULL)
		return;
	*g = (struct guest){ 0 };
	if (wasm_instance_new(&g->i, pool, &o, &hooks, g, &e) != OK)
		g->i = NULL;
}

static void
use(struct guest *g)
{
	switch (next() % 6) {
	case 0:
	case 1:
		make_guest(g);
		break;
	case 2:
		if (g->i != NULL)
			(void)wasm_instance_call(g->i, next_text(100));
		break;
	case 3:
		if (g->i != NULL)
			wasm_instance_answer(g->i, (int8_t)next(), next_text(40));
		break;
	case 4:
		if (g->i != NULL)
			(void)wasm_instance_save(g->i);
		break;
	default:
		wasm_instance_free(g->i);
		*g = (struct guest){ 0 };
	}
}

/* ---- the other side -------------------------------------------------------------------- */

static void
make_peer(struct peer *p)
{
	struct group *g = &pool->groups[next() % 2];
	struct wasm_code *objects[CODES] = { &codes[0], &codes[1] };
	struct host *h;
	struct err e;

	if (g->coming != NULL || list_count(&g->hosts) >= WASM_GENERATIONS)
		return;
	if (p->here)
		rings_release(&p->rings);
	p->here = false;
	if (host_make(&g->coming, g, objects, 1 + next() % CODES, &e) != OK)
		return;
	h = g->coming;
	p->here = rings_join(&p->rings, dup(h->rings.memory), dup(h->rings.other_bell),
	    dup(h->rings.bell), &e) == OK;
	assert(p->here);
	if (next() % 4 != 0) {
		const struct wasm_frame f = { .type = WASM_READY_FRAME, .b = WASM_PROTOCOL,
			.a = (int32_t)h->objects_n };

		(void)ring_put(&p->rings.out, &f, NULL, 0);
		ring_flush(&p->rings.out);
	}
}

static void
say(struct peer *p, uint16_t type, const struct wasm_frame *of, int32_t a, struct str body)
{
	const struct wasm_frame f = { .type = type, .agent = of->agent, .call = of->call, .a = a };

	(void)ring_put(&p->rings.out, &f, &body, 1);
}

/* As a process that keeps to the protocol. */
static void
answer(struct peer *p)
{
	const struct wasm_cost_frame cost = { .fuel = 1 };
	const struct str c = { (const char *)&cost, sizeof cost };
	struct wasm_frame f;
	struct str body;

	if (ring_peek(&p->rings.in, &f, &body) != OK)
		return;
	switch (f.type) {
	case WASM_START_FRAME:
		say(p, WASM_STARTED_FRAME, &f, 0, STR_NONE);
		break;
	case WASM_CALL_FRAME:
		for (unsigned n = next() % 4; n > 0; n--)
			say(p, (uint16_t)(WASM_LOG_FRAME + next() % 4), &f, next() % 7, next_text(20));
		if (next() % 4 != 0)
			say(p, WASM_DONE_FRAME, &f, 0, c);
		break;
	case WASM_ANSWER_FRAME:
		say(p, WASM_DONE_FRAME, &f, f.a, c);
		break;
	case WASM_SAVE_FRAME:
		say(p, WASM_SAVED_FRAME, &f, 0, S("part"));
		say(p, WASM_SAVED_FRAME, &f, 1, next_text(30));
		break;
	case WASM_STOP_FRAME:
		say(p, WASM_GONE_FRAME, &f, 0, STR_NONE);
		break;
	default:
		break;
	}
	ring_done(&p->rings.in);
	ring_flush(&p->rings.out);
}

/* A frame of any kind, in its form right. */
static void
say_anything(struct peer *p)
{
	struct wasm_frame f = { .type = next() % (WASM_FRAMES + 2), .agent = next() % 16,
		.a = (int8_t)next(), .b = next() % 64, .call = next() % 4 };
	struct wasm_cost_frame cost = { .fuel = (int8_t)next(), .cpu_ns = next_n(8),
		.pages = (uint32_t)next_n(4) };
	struct str parts[2] = { { (const char *)&cost, next() % 2 * sizeof cost }, next_text(80) };

	(void)ring_put(&p->rings.out, &f, parts, 2);
	ring_flush(&p->rings.out);
}

/* Anything anywhere: bytes at the start of a ring, where the frames are, or positions. */
static void
scribble(struct peer *p)
{
	char *map = p->rings.map;
	size_t at;
	struct str text;

	switch (next() % 4) {
	case 0:
		*(uint64_t *)(void *)(map + PAGE) = next_n(8);
		break;
	case 1:
		*(uint64_t *)(void *)(map + (next() % 2) * PAGE + (next() % 4) * 64) += next_n(2);
		break;
	case 2:
		at = (p->rings.out.head + next() * 8) % p->rings.out.size;
		text = next_text(100);
		if (at + text.n < p->rings.out.size && text.n > 0)
			memcpy(p->rings.out.data + at, text.p, text.n);
		break;
	default:
		at = next_n(3) % (p->rings.map_bytes - 256);
		text = next_text(200);
		if (text.n > 0)
			memcpy(map + at, text.p, text.n);
	}
}

static void
turn(void)
{
	for (size_t k = 0; k < PEERS; k++)
		if (peers[k].here)
			rings_ring(&(struct rings){ .bell = peers[k].rings.other_bell });
	uv_run(shard_loop(shard), UV_RUN_NOWAIT);
}

static void
step(void)
{
	struct peer *p = &peers[next() % PEERS];

	switch (next() % 8) {
	case 0:
	case 1:
		use(&guests[next() % GUESTS]);
		break;
	case 2:
		make_peer(p);
		break;
	case 3:
		turn();
		break;
	case 4:
	case 5:
		if (p->here)
			answer(p);
		break;
	case 6:
		if (p->here)
			say_anything(p);
		break;
	default:
		if (p->here)
			scribble(p);
	}
}

static void
open_pool(void)
{
	struct wasm_pool_options o = { .host_program = "/bin/false" };
	struct err e;
	int rc;

	log_threshold = LOG_ERROR;
	for (int k = 0; k < CODES; k++) {
		codes[k].refs = 1000000;
		memset(codes[k].hash, '0' + k, 64);
		codes[k].path = S("x");
	}
	rc = shard_new(&shard, 0, &e);
	assert(rc == OK);
	rc = wasm_pool_new(&pool, shard, &o, &e);
	assert(rc == OK);
	/* No process of its own: ours are made by the input. */
	for (int k = 0; k < GROUPS; k++)
		shard_timer_set(shard, &pool->groups[k].soon, 3600000);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	input = (struct bytes){ data, n };
	open_pool();
	while (input.n > 0)
		step();
	for (int k = 0; k < 4; k++)
		turn();
	for (int k = 0; k < GUESTS; k++) {
		wasm_instance_free(guests[k].i);
		guests[k] = (struct guest){ 0 };
	}
	wasm_pool_free(pool);
	for (int k = 0; k < PEERS; k++) {
		if (peers[k].here)
			rings_release(&peers[k].rings);
		peers[k].here = false;
	}
	shard_free(shard);
	return 0;
}
