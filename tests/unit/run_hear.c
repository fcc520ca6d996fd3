/*
 * run_hear.c - charts that write to each other, in a simulator: messages by chance, and
 * crashes before and after any commit.
 *
 * Each peer is a core over one saved checkpoint.  What a letter leads to is one
 * transaction: the checkpoint, the messages sent, and the letter's row.  A crash before it
 * takes all of that back; one after it leaves all of it.  So at the end each peer must have
 * heard each message that was meant for it once, whatever the crashes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "base/limits.h"
#include "base/mem.h"
#include "run/scope_priv.h"
#include "task/kinds.h"

#define PEERS   4
#define LETTERS 4096

/* Each message names the way that is left; the peer passes it on to the first of it. */
static const char peer_text[] =
    "id: peer\n"
    "context: {got: [], asked: 0}\n"
    "initial: up\n"
    "states:\n"
    "  up:\n"
    "    on:\n"
    "      message.inform:\n"
    "        actions:\n"
    "          - assign: {got: \"concat(got, [event.data.content.id])\"}\n"
    "          - if: len(event.data.content.way) > 0\n"
    "            then:\n"
    "              - send:\n"
    "                  to: \"${event.data.content.way[0]}\"\n"
    "                  performative: inform\n"
    "                  content: {id: event.data.content.id + 1, way: \"slice(event.data.content.way, 1)\"}\n"
    "      message.query-ref: {actions: [{assign: {asked: asked + 1}}, {reply: {performative: confirm}}]}\n";

/* ---- the store ------------------------------------------------------------------- */

struct row { unsigned from, to; struct val message; bool taken; };

struct stored {                              /* the head of a peer */
	struct uuid id, run;
	int step;
	enum checkpoint_source source;
	struct buf snapshot;
	struct val values;                   /* object of channels */
};

struct world;

struct peer {
	struct world *w;
	unsigned no;
	struct core *core;
	struct core_request q;
	struct stored at;                    /* committed */
	struct stored next;                  /* decided; snapshot empty: nothing */
	struct row out[16];                  /* decided: sent */
	size_t out_n;
};

struct world {
	struct agent *agent;
	struct peer peer[PEERS];
	struct row rows[LETTERS];
	size_t n;
	uint64_t ids, seed, crashes;
};

static unsigned
dice(struct world *w, unsigned n)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(w->seed >> 33) % n;
}

static void
stored_clear(struct stored *s)
{
	buf_release(&s->snapshot);
	val_drop(s->values);
	*s = (struct stored){ .snapshot = BUF(MB), .values = VAL_UNDEF };
}

/* ---- effects ---------------------------------------------------------------------- */

struct loaded { struct core_saved s; struct core_name_value values[8]; };

static int
on_load(void *ctx, struct str ns, const struct uuid *id, struct core_saved **out)
{
	struct peer *p = ctx;
	struct loaded *x;

	(void)ns, (void)id;
	*out = NULL;
	if (p->at.snapshot.n == 0)
		return OK;
	x = mem_new(struct loaded);
	x->s = (struct core_saved){ .id = p->at.id, .run_id = p->at.run, .step = p->at.step,
	    .source = p->at.source, .head = true, .snapshot = buf_str(&p->at.snapshot),
	    .values = x->values, .input = VAL_UNDEF };
	for (size_t i = 0; i < val_count(p->at.values); i++)
		x->values[x->s.values_n++] = (struct core_name_value){
		    val_key(p->at.values, i), val_member(p->at.values, i) };
	*out = &x->s;
	return OK;
}

static void
on_release(void *ctx, struct core_saved *s)
{
	(void)ctx;
	free(s);
}

static int
on_waiting(void *ctx, const struct core_interrupt **out, size_t *n)
{
	(void)ctx;
	*out = NULL;
	*n = 0;
	return OK;
}

static msec
on_now(void *ctx)
{
	(void)ctx;
	return 1;
}

static struct uuid
on_new_id(void *ctx, struct str ns, int step)
{
	struct peer *p = ctx;
	struct uuid id = { .b = { 0x1f } };

	(void)ns, (void)step;
	p->w->ids++;
	for (size_t i = 0; i < 8; i++)
		id.b[1 + i] = (uint8_t)(p->w->ids >> (8 * (7 - i)));
	return id;
}

static void
on_checkpoint(void *ctx, const struct core_checkpoint *c)
{
	struct peer *p = ctx;

	if (c->source == SOURCE_INPUT)
		return;                      /* before its start: it goes with the next */
	stored_clear(&p->next);
	p->next.id = c->id;
	p->next.run = p->q.run_id;
	p->next.step = c->step;
	p->next.source = c->source;
	buf_add(&p->next.snapshot, c->snapshot);
	p->next.values = channels_values(c->state);
}

static int
on_mail(void *ctx, const struct run_event *at, const struct task_mail *m, struct err *e)
{
	struct peer *p = ctx;
	struct val message = val_set_take(val_object_empty(), S("performative"),
	    val_string(m->act));
	int64_t to;

	(void)at;
	if (!str_to_i64(m->to, &to) || to < 0 || to >= PEERS) {
		val_drop(message);
		return err_set(e, ERR_NOTFOUND, "there is no peer %.*s", FMT(m->to));
	}
	CHECK(p->out_n < COUNT(p->out));
	message = val_set_take(message, S("content"), val_ref(val_get(m->fields,
	    S("content"))));
	message = val_set_take(message, S("sender"), val_int(p->no));
	p->out[p->out_n++] = (struct row){ p->no, (unsigned)to, message, false };
	return OK;
}

static void
on_void_all(void *ctx)
{
	(void)ctx;
}

static bool
on_wants(void *ctx, enum event_kind kind, bool root)
{
	(void)ctx, (void)kind, (void)root;
	return false;
}

static void
on_told(void *ctx, const struct run_event *ev)
{
	(void)ctx, (void)ev;
}

static void
on_end(void *ctx, enum core_end end, const struct core_error *e)
{
	(void)ctx, (void)end;
	test_fail(__FILE__, __LINE__, "a peer has ended: %.*s", FMT(e != NULL ? e->message :
	    S("well")));
}

static const struct core_effects effects = {
	.load = on_load, .release = on_release, .waiting = on_waiting, .now = on_now,
	.new_id = on_new_id, .checkpoint = on_checkpoint, .mail = on_mail,
	.void_all = on_void_all, .wants = on_wants, .told = on_told, .end = on_end,
};

/* ---- peers ------------------------------------------------------------------------- */

static void
forget(struct peer *p)
{
	stored_clear(&p->next);
	for (size_t i = 0; i < p->out_n; i++)
		val_drop(p->out[i].message);
	p->out_n = 0;
}

/* From what is committed; the first time from its input. */
static void
peer_start(struct peer *p)
{
	p->core = core_new(p->w->agent, &p->q, &effects, p);
	core_start(p->core);
	CHECK(core_listens(p->core));
}

static void
peer_die(struct peer *p)
{
	core_stop(p->core);
	core_free(p->core);
	forget(p);
	p->w->crashes++;
}

/* What was decided, and that these letters are taken, at once. */
static void
commit(struct peer *p, struct row *const *taken, size_t n)
{
	struct world *w = p->w;

	if (p->next.snapshot.n > 0) {
		stored_clear(&p->at);
		p->at = p->next;
		p->next = (struct stored){ .snapshot = BUF(MB), .values = VAL_UNDEF };
	}
	for (size_t i = 0; i < n; i++) {
		CHECK(!taken[i]->taken);
		taken[i]->taken = true;
	}
	for (size_t i = 0; i < p->out_n; i++) {
		CHECK(w->n < LETTERS);
		w->rows[w->n++] = p->out[i];
	}
	p->out_n = 0;
}

/* Up to three letters, in order, before a commit; and it may die before or after. */
static void
turn(struct peer *p)
{
	struct row *taken[3];
	size_t n = 0, most = 1 + dice(p->w, 3);
	unsigned luck = dice(p->w, 8);

	for (size_t i = 0; i < p->w->n && n < most; i++) {
		struct row *r = &p->w->rows[i];

		if (r->to != p->no || r->taken)
			continue;
		CHECK(core_takes(p->core));
		core_hear(p->core, r->message);
		taken[n++] = r;
	}
	if (luck != 0)                       /* 0: all of that is lost */
		commit(p, taken, n);
	if (luck > 1)
		return;
	peer_die(p);
	peer_start(p);
}

static bool
is_quiet(const struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->rows[i].taken && w->rows[i].to < PEERS)
			return false;
	return true;
}

/* ---- a world ------------------------------------------------------------------------ */

static void
world_open(struct world *w, uint64_t seed)
{
	struct err e;

	*w = (struct world){ .seed = seed };
	if (agent_load(&w->agent, str_of(peer_text), S("peer.yaml"), &task_kinds, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	for (unsigned i = 0; i < PEERS; i++) {
		struct peer *p = &w->peer[i];

		p->w = w;
		p->no = i;
		p->q = (struct core_request){ .input = val_object_empty(), .resume = VAL_UNDEF,
		    .recursion_limit = 8, .hears = true, .config = VAL_UNDEF,
		    .context = VAL_UNDEF, .run_id = { .b = { 0xaa, (uint8_t)i } } };
		p->at = p->next = (struct stored){ .snapshot = BUF(MB), .values = VAL_UNDEF };
		peer_start(p);
		commit(p, NULL, 0);
	}
}

static void
world_close(struct world *w)
{
	for (unsigned i = 0; i < PEERS; i++) {
		peer_die(&w->peer[i]);
		stored_clear(&w->peer[i].at);
		val_drop(w->peer[i].q.input);
	}
	for (size_t i = 0; i < w->n; i++)
		val_drop(w->rows[i].message);
	agent_free(w->agent);
}

/* A message that goes a way of up to seven peers; it is counted where it is heard. */
static void
post(struct world *w, int64_t id, size_t heard[PEERS])
{
	unsigned to = dice(w, PEERS), hops = dice(w, 7);
	struct val way = val_array_empty(), content = val_object_empty(), message;
	char text[2] = { 0 };

	heard[to]++;
	for (unsigned i = 0; i < hops; i++) {
		unsigned next = dice(w, PEERS);

		text[0] = (char)('0' + next);
		way = val_push_take(way, val_string(str_of(text)));
		heard[next]++;
	}
	content = val_set_take(content, S("id"), val_int(id));
	content = val_set_take(content, S("way"), way);
	message = val_set_take(val_object_empty(), S("performative"), val_string(S("inform")));
	message = val_set_take(message, S("content"), content);
	w->rows[w->n++] = (struct row){ PEERS, to, message, false };
}

static int
by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Ids of all that was heard, by anybody: each once. */
static void
check_once(const struct world *w, const size_t heard[PEERS])
{
	int64_t *all = mem_zero(LETTERS * sizeof *all);
	size_t n = 0;

	for (unsigned i = 0; i < PEERS; i++) {
		struct val got = val_get(w->peer[i].at.values, S("got"));

		CHECK_INT(val_count(got), heard[i]);
		for (size_t k = 0; k < val_count(got); k++)
			all[n++] = val_at(got, k).u.i;
	}
	qsort(all, n, sizeof *all, by_number);
	for (size_t i = 1; i < n; i++)
		CHECK(all[i - 1] < all[i]);
	free(all);
}

TEST(no_message_is_lost_or_heard_twice_whatever_crashes)
{
	uint64_t crashes = 0;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct world *w = mem_new(struct world);
		size_t heard[PEERS] = { 0 };

		world_open(w, seed);
		for (int64_t i = 0; i < 30; i++)
			post(w, i * 100, heard);
		while (!is_quiet(w))
			turn(&w->peer[dice(w, PEERS)]);
		crashes += w->crashes;
		check_once(w, heard);
		world_close(w);
		free(w);
	}
	CHECK(crashes > 400);
}

TEST(the_limit_of_steps_is_from_message_to_message)
{
	struct world *w = mem_new(struct world);
	struct val message = val_set_take(val_object_empty(), S("performative"),
	    val_string(S("query-ref")));

	world_open(w, 1);
	message = val_set_take(message, S("sender"), val_string(S("2")));
	for (int i = 0; i < 100; i++) {      /* the limit is 8 */
		core_hear(w->peer[0].core, message);
		commit(&w->peer[0], NULL, 0);
	}
	CHECK_INT(val_get(w->peer[0].at.values, S("asked")).u.i, 100);
	CHECK_INT(w->n, 100);                /* and as many answers */
	peer_die(&w->peer[0]);
	peer_start(&w->peer[0]);             /* nor does a restart count what was before */
	val_drop(message);
	world_close(w);
	free(w);
}
