/*
 * wasm_pool_fix.c - the fake host process, and a pool to test with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm_pool_fix.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "wasm/pool_priv.h"

/* ---- the fake: an instance is a count of its calls ---------------------------------- */

#define AGENTS LIMIT_WASM_SLOTS

static struct rings fake;
static uint64_t count[AGENTS];
static bool live[AGENTS];

static void
say(uint16_t type, uint32_t agent, uint64_t call, int32_t a, uint64_t b, struct str body)
{
	const struct wasm_frame f = { .type = type, .agent = agent, .call = call, .a = a, .b = b };
	int rc;

	while ((rc = ring_put(&fake.out, &f, &body, 1)) == ERR_AGAIN) {
		ring_flush(&fake.out);
		if (ring_want(&fake.out) && rings_wait(&fake, 0, -1) == ERR_CLOSED)
			_exit(0);
	}
	if (rc != OK)
		_exit(7);
}

static void
say_cost(uint16_t type, const struct wasm_frame *f, int32_t a, const char *text)
{
	struct wasm_cost_frame c = { .fuel = 10, .cpu_ns = 1000, .pages = 1 };
	char body[200];
	size_t n = strlen(text);

	memcpy(body, &c, sizeof c);
	memcpy(body + sizeof c, text, n);
	say(type, f->agent, f->call, a, 0, (struct str){ body, sizeof c + n });
}

/* Positions and bytes of the ring to the server, as ring.c lays them out. */
static _Atomic uint64_t *
head_to_server(void)
{
	return (void *)((char *)fake.map + 4096);
}

static void
hang(bool spin)
{
	ring_flush(&fake.out);
	for (;;)
		if (!spin)
			pause();
}

/* What a process never says that keeps to the protocol. */
static bool
misbehave(const struct wasm_frame *f, struct str m)
{
	static char big[LIMIT_WASM_FRAME_BYTES];

	if (str_eq(m, S("unknown type")))
		say(WASM_FRAMES, f->agent, f->call, 0, 0, STR_NONE);
	else if (str_eq(m, S("a frame of the server's")))
		say(WASM_START_FRAME, f->agent, f->call, 0, 0, STR_NONE);
	else if (str_eq(m, S("ready again")))
		say(WASM_READY_FRAME, 0, 0, 1, WASM_PROTOCOL, STR_NONE);
	else if (str_eq(m, S("unknown agent")))
		say(WASM_DONE_FRAME, 4000000000u, f->call, 0, 0, STR_NONE);
	else if (str_eq(m, S("free agent")))
		say(WASM_DONE_FRAME, f->agent + 2, f->call, 0, 0, STR_NONE);
	else if (str_eq(m, S("done without cost")))
		say(WASM_DONE_FRAME, f->agent, f->call, 0, 0, STR_NONE);
	else if (str_eq(m, S("done of another call")))
		say_cost(WASM_DONE_FRAME, &(struct wasm_frame){ .agent = f->agent,
		    .call = f->call + 1 }, 0, "");
	else if (str_eq(m, S("no such trap")))
		say_cost(WASM_TRAPPED_FRAME, f, WASM_TRAPS, "");
	else if (str_eq(m, S("trap below zero")))
		say_cost(WASM_TRAPPED_FRAME, f, -1, "");
	else if (str_eq(m, S("bad level")))
		say(WASM_LOG_FRAME, f->agent, f->call, 4, 0, S("x"));
	else if (str_eq(m, S("bad question")))
		say(WASM_ASK_FRAME, f->agent, f->call, WASM_SEND, 0, S("x"));
	else if (str_eq(m, S("long question")))
		say(WASM_ASK_FRAME, f->agent, f->call, WASM_STORE_GET, 100, S("x"));
	else if (str_eq(m, S("not allowed")))
		say(WASM_ASK_FRAME, f->agent, f->call, WASM_TOOL_CALL, 1, S("x"));
	else if (str_eq(m, S("started again")))
		say(WASM_STARTED_FRAME, f->agent, 0, 0, 0, STR_NONE);
	else if (str_eq(m, S("gone unasked")))
		say(WASM_GONE_FRAME, f->agent, 0, 0, 0, STR_NONE);
	else if (str_eq(m, S("saved unasked")))
		say(WASM_SAVED_FRAME, f->agent, 0, 1, 0, S("x"));
	else if (str_eq(m, S("too large")))
		say(WASM_REPLY_FRAME, f->agent, f->call, 0, 0, (struct str){ big, sizeof big });
	else if (str_eq(m, S("bad position")))
		atomic_store(head_to_server(), atomic_load(head_to_server()) + 33),
		    rings_ring(&(struct rings){ .bell = 5 });
	else if (str_eq(m, S("stdout")))
		(void)!write(1, "x", 1);
	else if (str_eq(m, S("flood")))
		for (;;)
			say(WASM_LOG_FRAME, f->agent, f->call, 1, 0, S("flood"));
	else if (str_eq(m, S("bell")))
		for (;;)
			rings_ring(&(struct rings){ .bell = 5 });
	else
		return false;
	return true;
}

static void
on_call(const struct wasm_frame *f, struct str m)
{
	char reply[64];
	int n;

	count[f->agent]++;
	if (misbehave(f, m))
		hang(false);
	if (str_eq(m, S("die")))
		kill(getpid(), SIGKILL);
	if (str_eq(m, S("hang")))
		hang(false);
	if (str_eq(m, S("spin")))
		hang(true);
	if (str_eq(m, S("fuel"))) {
		live[f->agent] = false;
		say_cost(WASM_TRAPPED_FRAME, f, WASM_TRAP_FUEL, "");
		return;
	}
	if (str_eq(m, S("ask"))) {
		say(WASM_ASK_FRAME, f->agent, f->call, WASM_STORE_GET, 3, S("keybody"));
		return;
	}
	n = snprintf(reply, sizeof reply, "%d:%llu", (int)getpid(),
	    (unsigned long long)count[f->agent]);
	say(WASM_REPLY_FRAME, f->agent, f->call, 0, 0, (struct str){ reply, (size_t)n });
	say_cost(WASM_DONE_FRAME, f, 0, "");
}

static void
on_frame(const struct wasm_frame *f, struct str body)
{
	if (f->type != WASM_QUIT_FRAME && f->agent >= AGENTS)
		_exit(5);
	switch (f->type) {
	case WASM_RESTORE_FRAME:
		memcpy(&count[f->agent], body.p, sizeof count[0]);
		break;
	case WASM_START_FRAME:
		if (live[f->agent] || body.n != sizeof(struct wasm_start_frame))
			_exit(6);
		live[f->agent] = true;
		if (!((const struct wasm_start_frame *)(const void *)body.p)->restore)
			count[f->agent] = 0;
		say(WASM_STARTED_FRAME, f->agent, 0, 0, 1000, STR_NONE);
		break;
	case WASM_CALL_FRAME:
		if (!live[f->agent])
			_exit(8);
		on_call(f, body);
		break;
	case WASM_ANSWER_FRAME:
		say(WASM_REPLY_FRAME, f->agent, f->call, 0, 0, body);
		say_cost(WASM_DONE_FRAME, f, f->a, "");
		break;
	case WASM_SAVE_FRAME:
		say(WASM_SAVED_FRAME, f->agent, 0, 0, 0, (struct str){ (char *)&count[f->agent], 4 });
		say(WASM_SAVED_FRAME, f->agent, 0, 1, 0,
		    (struct str){ (char *)&count[f->agent] + 4, 4 });
		break;
	case WASM_STOP_FRAME:
		live[f->agent] = false;
		say(WASM_GONE_FRAME, f->agent, 0, 0, 0, STR_NONE);
		break;
	default:
		_exit(f->type == WASM_QUIT_FRAME ? 0 : 9);
	}
}

static size_t
read_objects(char *first, size_t size)
{
	static char text[1 << 20];
	size_t n = 0, texts = 0, at = 0;

	for (;;) {
		ssize_t got = read(0, text + n, sizeof text - n);

		if (got <= 0)
			_exit(3);
		n += (size_t)got;
		if (n >= 2 && text[n - 1] == '\0' && text[n - 2] == '\0')
			break;
	}
	for (size_t k = 0; k + 1 < n; k++)
		texts += text[k] == '\0';
	at = strlen(text) + 1;
	snprintf(first, size, "%s", text + at);
	return texts / 2;
}

static void
begin(const char *first, size_t n)
{
	if (strcmp(first, "dies") == 0)
		_exit(1);
	if (strcmp(first, "silent") == 0)
		hang(false);
	if (strcmp(first, "early") == 0)
		say(WASM_DONE_FRAME, 0, 0, 0, 0, STR_NONE);
	if (strcmp(first, "old") == 0)
		say(WASM_READY_FRAME, 0, 0, (int32_t)n, WASM_PROTOCOL + 1, STR_NONE);
	if (strcmp(first, "broken") == 0) {
		say(WASM_READY_FRAME, 0, 0, 0, WASM_PROTOCOL, S("cannot open object broken"));
		ring_flush(&fake.out);
		_exit(1);
	}
	say(WASM_READY_FRAME, 0, 0, (int32_t)n, WASM_PROTOCOL, STR_NONE);
}

static void
serve(void)
{
	struct wasm_frame f;
	struct str body;
	struct err e;
	char first[64];
	size_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	n = read_objects(first, sizeof first);
	if (rings_join(&fake, 3, 4, 5, &e) != OK)
		_exit(2);
	begin(first, n);
	for (;;) {
		int rc = ring_peek(&fake.in, &f, &body);

		if (rc == OK) {
			on_frame(&f, body);
			ring_done(&fake.in);
			ring_flush(&fake.out);
			continue;
		}
		if (rc != ERR_AGAIN)
			_exit(4);
		ring_flush(&fake.out);
		if (ring_sleep(&fake.in) && rings_wait(&fake, 0, -1) == ERR_CLOSED)
			_exit(0);
	}
}

__attribute__((constructor)) static void
maybe_serve(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		serve();
}

/* ---- a pool ---------------------------------------------------------------------------- */

struct shard *fix_shard;
struct wasm_pool *fix_pool;

void
fix_open(const struct wasm_pool_options *o)
{
	struct wasm_pool_options usual = { 0 };
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	if (o != NULL)
		usual = *o;
	if (usual.host_program == NULL)
		usual.host_program = "/proc/self/exe";
	CHECK_RC(shard_new(&fix_shard, 0, &e), OK);
	CHECK_RC(wasm_pool_new(&fix_pool, fix_shard, &usual, &e), OK);
}

void
fix_close(void)
{
	wasm_pool_free(fix_pool);
	shard_free(fix_shard);
}

struct wasm_code *
fix_code(const char *object)
{
	static struct wasm_code *all[64];
	static unsigned n;
	struct wasm_code *c = mem_new(struct wasm_code);

	CHECK(n < COUNT(all));
	all[n] = c;
	c->refs = 1;
	snprintf(c->hash, sizeof c->hash, "%064u", ++n);
	c->path = str_of(object);
	return c;
}

static void
keep(struct guest *g, struct str text)
{
	size_t n = text.n < sizeof g->text ? text.n : sizeof g->text - 1;

	memset(g->text, 0, sizeof g->text);
	if (n > 0)
		memcpy(g->text, text.p, n);
}

static void
on_started(void *arg, int rc, const struct err *e)
{
	struct guest *g = arg;

	g->started++;
	g->started_rc = rc;
	if (rc != OK)
		keep(g, str_of(e->text));
}

static void
on_log(void *arg, int level, struct str text)
{
	(void)level;
	(void)text;
	((struct guest *)arg)->logs++;
}

static void
on_send(void *arg, struct str json)
{
	(void)json;
	((struct guest *)arg)->sends++;
}

static void
on_reply(void *arg, struct str json)
{
	struct guest *g = arg;

	g->replies++;
	keep(g, json);
}

static void
on_ask(void *arg, const struct wasm_ask *q)
{
	struct guest *g = arg;

	g->asks++;
	CHECK(q->what == WASM_STORE_GET);
	CHECK_STR(q->name, "key");
}

static void
on_done(void *arg, int32_t result, const struct wasm_cost *cost)
{
	struct guest *g = arg;

	g->done++;
	g->result = result;
	g->cost = *cost;
	if (g->then != NULL)
		g->then(g);
}

static void
on_trapped(void *arg, enum wasm_trap why, struct str text, const struct wasm_cost *cost)
{
	struct guest *g = arg;

	g->trapped++;
	g->why = why;
	g->cost = *cost;
	keep(g, text);
}

static void
on_saved(void *arg, int rc, struct str body)
{
	struct guest *g = arg;

	g->saved++;
	g->saved_rc = rc;
	g->image_n = body.n < sizeof g->image ? body.n : sizeof g->image;
	if (body.n > 0)
		memcpy(g->image, body.p, g->image_n);
}

void
fix_start(struct guest *g, int64_t owner, struct wasm_code *code)
{
	static const struct wasm_hooks hooks = { on_started, on_log, on_send, on_reply, on_ask,
		on_done, on_trapped, on_saved };
	struct wasm_instance_options o = { .owner = owner, .code = code,
		.allow = 1u << WASM_LOG | 1u << WASM_SEND | 1u << WASM_REPLY | 1u << WASM_STORE_GET,
		.restore = { g->image, g->image_n }, .limits = g->limits };
	void (*then)(struct guest *) = g->then;
	struct err e;

	CHECK_RC(wasm_instance_new(&g->i, fix_pool, &o, &hooks, g, &e), OK);
	*g = (struct guest){ .i = g->i, .then = then, .limits = o.limits };
}

void
fix_call(struct guest *g, const char *message)
{
	CHECK_RC(wasm_instance_call(g->i, str_of(message)), OK);
}

long long
fix_deadline(void)
{
	return clock_mono() + 60 * NS_PER_S;
}

void
fix_turn(long long end, const char *what, const char *file, int line)
{
	if (clock_mono() > end)
		test_fail(file, line, "not within 60 s: %s", what);
	shard_turn(fix_shard);
}

struct wasm_pool_stats
fix_stats(void)
{
	struct wasm_pool_stats s;

	wasm_pool_stats(fix_pool, &s);
	return s;
}

int
fix_host(int nth)
{
	for (int k = 0; k < GROUPS; k++)
		if (fix_pool->groups[k].current != NULL && nth-- == 0)
			return process_id(fix_pool->groups[k].current->process);
	return 0;
}
