/*
 * run_fix.c - see run_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_fix.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

#define PATIENCE_S 15

/* ---- conditions ---------------------------------------------------------- */

void
fix_changed(struct fix *f)
{
	pthread_cond_broadcast(&f->changed);
}

void
fix_until(struct fix *f, bool (*is)(void *arg), void *arg, const char *what)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&f->lock);
	while (!is(arg))
		if (pthread_cond_timedwait(&f->changed, &f->lock, &end) == ETIMEDOUT)
			test_fail(__FILE__, __LINE__, "waited in vain: %s", what);
	pthread_mutex_unlock(&f->lock);
}

struct call_job {
	struct shard_job job;
	struct desk *d;
	void (*fn)(struct desk *d, void *arg);
	void *arg;
	bool done;
};

static void
call_run(struct shard_job *job)
{
	struct call_job *c = CONTAINER_OF(job, struct call_job, job);
	struct fix *f = c->d->f;

	c->fn(c->d, c->arg);
	pthread_mutex_lock(&f->lock);
	c->done = true;
	fix_changed(f);
	pthread_mutex_unlock(&f->lock);
}

static bool
call_done(void *arg)
{
	return ((struct call_job *)arg)->done;
}

void
desk_do(struct desk *d, void (*fn)(struct desk *d, void *arg), void *arg)
{
	struct call_job c = { .job.run = call_run, .d = d, .fn = fn, .arg = arg };

	shard_post(d->shard, &c.job);
	fix_until(d->f, call_done, &c, "a call on a shard");
}

/* ---- tools --------------------------------------------------------------- */

#define ANY_OBJECT "{\"type\":\"object\",\"properties\":{}}"

static struct gate {
	struct fix *f;
	struct tool_call *held[8];
	struct desk *desks[8];
	size_t n;
} gate;

static atomic_size_t notes;          /* shards add to it */

static int
echo_start(struct tool_call *c)
{
	tool_reply(c, S("an echo"));
	return OK;
}

static int
note_start(struct tool_call *c)
{
	atomic_fetch_add(&notes, 1);
	tool_reply(c, S("noted"));
	return OK;
}

static int
gate_start(struct tool_call *c)
{
	struct fix *f = gate.f;

	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < f->n; i++)
		if (shard_is_current(f->desks[i].shard))
			gate.desks[gate.n] = &f->desks[i];
	gate.held[gate.n++] = c;
	fix_changed(f);
	pthread_mutex_unlock(&f->lock);
	return OK;
}

static const struct tool own_tools[] = {
	{ "echo", "Says something back.", ANY_OBJECT, true, echo_start },
	{ "note", "Counts.", ANY_OBJECT, false, note_start },
	{ "gate", "Waits.", ANY_OBJECT, false, gate_start },
};

static bool
gate_holds(void *arg)
{
	return gate.n >= *(size_t *)arg;
}

void
gate_until_held(struct fix *f, size_t n)
{
	fix_until(f, gate_holds, &n, "the gate holds a call");
}

static void
gate_reply(struct desk *d, void *arg)
{
	(void)d;
	tool_reply(arg, S("open"));
}

void
gate_open(struct fix *f)
{
	struct tool_call *c;
	struct desk *d;

	pthread_mutex_lock(&f->lock);
	CHECK(gate.n > 0);
	c = gate.held[--gate.n];
	d = gate.desks[gate.n];
	pthread_mutex_unlock(&f->lock);
	desk_do(d, gate_reply, c);
}

size_t
note_count(void)
{
	return atomic_load(&notes);
}

/* ---- life ---------------------------------------------------------------- */

static void
desk_open(struct fix *f, unsigned i)
{
	struct desk *d = &f->desks[i];
	struct llm_options o = { .default_model = S("scripted:test"), .script = f->script };
	struct err e = { 0 };

	CHECK_RC(store_reader_open(f->st, &d->reader, &e), OK);
	CHECK_RC(llm_new(&d->llm, d->shard, NULL, &o, &e), OK);
	CHECK_RC(runs_new(&d->runs, f->sh, d->shard, d->reader, d->llm, &e), OK);
	if (f->offices != NULL) {
		CHECK_RC(office_new(&d->office, f->offices, d->shard, d->reader, &e), OK);
		runs_allow_mail(d->runs, d->office);
	}
	if (f->workers != NULL) {
		d->work = worker_desk_new(f->workers, d->shard);
		runs_allow_workers(d->runs, d->work);
	}
	CHECK_RC(shard_start(d->shard, &e), OK);
}

static void
office_recover_do(struct desk *d, void *arg)
{
	struct err e;

	(void)arg;
	CHECK_RC(office_recover(d->office, &e), OK);
}

static void
office_resume_do(struct desk *d, void *arg)
{
	struct err e;

	(void)arg;
	CHECK_RC(office_resume(d->office, &e), OK);
}

static void
all_desks(struct fix *f, void (*fn)(struct desk *d, void *arg))
{
	for (unsigned i = 0; f->offices != NULL && i < f->n; i++)
		desk_do(&f->desks[i], fn, NULL);
}

struct adopt {
	struct fix *f;
	owner_t owner[16];
	int64_t seq[16];
	struct uuid thread[16];
	size_t n;
};

static void
adopt_note(void *ctx, owner_t owner, int64_t seq, const struct uuid *thread)
{
	struct adopt *a = ctx;

	CHECK(a->n < COUNT(a->owner));
	a->owner[a->n] = owner;
	a->seq[a->n] = seq;
	a->thread[a->n++] = *thread;
}

static void
adopt_do(struct desk *d, void *arg)
{
	struct adopt *a = arg;

	for (size_t i = 0; i < a->n; i++)
		runs_adopt(d->runs, a->owner[i], a->seq[i], &a->thread[i]);
}

static void
agents_up(struct fix *f)
{
	struct agent *a;
	struct err e;

	f->agents = agents_new();
	CHECK_RC(agent_load(&a, agent_builtin_text(S("agent")), S("agent.yaml"),
	    &task_kinds, &e), OK);
	CHECK_RC(agents_add(f->agents, a, &e), OK);
	if (f->definition != NULL) {
		CHECK_RC(agent_load(&a, str_of(f->definition), S("peer.yaml"), &task_kinds, &e),
		    OK);
		CHECK_RC(agents_add(f->agents, a, &e), OK);
	}
	CHECK_RC(agents_link(f->agents, &e), OK);
}

static void
up(struct fix *f)
{
	struct store_options o = { .driver = str_of(f->driver), .path = S("db"),
	    .fail_at = f->fail_at };
	struct adopt a = { 0 };
	struct err e = { 0 };

	CHECK_RC(store_open(&f->st, &o, &e), OK);
	for (unsigned i = 0; i < f->n; i++) {
		f->desks[i] = (struct desk){ .f = f };
		CHECK_RC(shard_new(&f->desks[i].shard, i, &e), OK);
	}
	CHECK_RC(store_recover(f->st, f->desks[0].shard, clock_wall_ms(), adopt_note, &a, &e), OK);
	f->tools = tools_new();
	for (size_t i = 0; i < COUNT(own_tools); i++)
		tools_add(f->tools, &own_tools[i]);
	CHECK_RC(script_new(&f->script, str_of(f->script_text), &e), OK);
	agents_up(f);
	f->sh = runs_shared_new(f->st, f->tools, f->agents, true);
	f->offices = f->definition != NULL && !f->hosts ? offices_new(f->st, f->agents) : NULL;
	if (f->hosts) {
		struct workers_options w = WORKER_OPTIONS;

		w.shards = f->n;
		f->workers = workers_new(&w);
	}
	for (unsigned i = 0; i < f->n; i++)
		desk_open(f, i);
	all_desks(f, office_recover_do);
	desk_do(&f->desks[0], adopt_do, &a);
	all_desks(f, office_resume_do);
}

void
fix_open(struct fix *f, const char *driver, unsigned desks, const char *script)
{
	fix_open_failing(f, driver, desks, script, 0);
}

void
fix_open_failing(struct fix *f, const char *driver, unsigned desks,
    const char *script, int64_t fail_at)
{
	*f = (struct fix){ .n = desks, .driver = driver, .script_text = script,
	    .fail_at = fail_at, .arena = ARENA(16 * MB) };
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	gate = (struct gate){ .f = f };
	up(f);
}

void
fix_open_agents(struct fix *f, const char *driver, unsigned desks, const char *definition)
{
	*f = (struct fix){ .n = desks, .driver = driver, .definition = definition,
	    .script_text = "{\"rules\":[],\"default\":{\"reply\":\"a\"}}",
	    .arena = ARENA(16 * MB) };
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	gate = (struct gate){ .f = f };
	up(f);
}

void
fix_open_workers(struct fix *f, const char *driver, unsigned desks, const char *definition)
{
	fix_open_workers_failing(f, driver, desks, definition, 0);
}

void
fix_open_workers_failing(struct fix *f, const char *driver, unsigned desks,
    const char *definition, int64_t fail_at)
{
	*f = (struct fix){ .n = desks, .driver = driver, .definition = definition,
	    .fail_at = fail_at, .hosts = true, .script_text = "{\"rules\":[],\"default\":{\"reply\":\"a\"}}",
	    .arena = ARENA(16 * MB) };
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	gate = (struct gate){ .f = f };
	up(f);
}

struct drained {
	struct fix *f;
	bool done;
};

static void
drained(void *ctx)
{
	struct drained *x = ctx;

	pthread_mutex_lock(&x->f->lock);
	x->done = true;
	fix_changed(x->f);
	pthread_mutex_unlock(&x->f->lock);
}

static bool
is_drained(void *arg)
{
	return ((struct drained *)arg)->done;
}

static void
drain(struct desk *d, void *arg)
{
	runs_drain(d->runs, drained, arg);
}

static void
drain_office(struct desk *d, void *arg)
{
	office_drain(d->office, drained, arg);
}

static void
free_office(struct desk *d, void *arg)
{
	(void)arg;
	office_free(d->office);
}

static void
free_work(struct desk *d, void *arg)
{
	(void)arg;
	worker_desk_drain(d->work);
}

static void
nothing(struct desk *d, void *arg)
{
	(void)d, (void)arg;
}

static void
down(struct fix *f)
{
	struct drained x[2] = { { f, false }, { f, false } };

	for (unsigned i = 0; i < f->n; i++)
		desk_do(&f->desks[i], drain, &x[i]);
	while (gate.n > 0)
		gate_open(f);        /* what they say is heard by nobody */
	for (unsigned i = 0; i < f->n; i++)
		fix_until(f, is_drained, &x[i], "drained");
	for (unsigned i = 0; f->offices != NULL && i < f->n; i++) {
		x[i].done = false;
		desk_do(&f->desks[i], drain_office, &x[i]);
		fix_until(f, is_drained, &x[i], "the office is drained");
	}
	for (unsigned i = 0; f->workers != NULL && i < f->n; i++)
		desk_do(&f->desks[i], free_work, NULL);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < f->n; i++)
			desk_do(&f->desks[i], nothing, NULL);
	all_desks(f, free_office);
	for (unsigned i = 0; i < f->n; i++) {
		shard_stop(f->desks[i].shard);
		shard_join(f->desks[i].shard);
	}
	for (unsigned i = 0; i < f->n; i++) {
		struct desk *d = &f->desks[i];

		runs_free(d->runs);
		if (d->work != NULL)
			worker_desk_free(d->work);
		llm_free(d->llm);
		store_reader_close(d->reader);
		shard_free(d->shard);
	}
	runs_shared_free(f->sh);
	offices_free(f->offices);
	if (f->workers != NULL)
		workers_free(f->workers);
	f->workers = NULL;
	agents_free(f->agents);
	script_free(f->script);
	tools_free(f->tools);
	store_close(f->st);
}

void
fix_crash(struct fix *f)
{
	down(f);
	up(f);
}

void
fix_close(struct fix *f)
{
	down(f);
	arena_release(&f->arena);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->changed);
}

/* ---- the store, asked ---------------------------------------------------- */

struct history_call {
	struct fix *f;
	struct store_history h;
	bool done;
};

static void
history_done(struct store_cmd *cmd)
{
	struct history_call *c = CONTAINER_OF(cmd, struct history_call, h.cmd);

	pthread_mutex_lock(&c->f->lock);
	c->done = true;
	fix_changed(c->f);
	pthread_mutex_unlock(&c->f->lock);
}

static bool
history_is_done(void *arg)
{
	return ((struct history_call *)arg)->done;
}

size_t
history(struct fix *f, const struct uuid *thread, struct store_history_item **items)
{
	struct history_call c = { .f = f };

	c.h.cmd.op = STORE_HISTORY;
	c.h.cmd.arena = &f->arena;
	c.h.cmd.done = history_done;
	c.h.thread_seq = thread_row(f, thread).seq;
	c.h.limit = 100;
	CHECK_RC(store_submit(f->st, f->desks[0].shard, &c.h.cmd, true), OK);
	fix_until(f, history_is_done, &c, "history");
	CHECK_RC(c.h.cmd.rc, OK);
	*items = c.h.items;
	return c.h.items_n;
}

struct row_call {
	struct fix *f;
	struct uuid id;
	struct store_run run;
	struct store_thread thread;
	int rc;
};

static void
run_row_do(struct desk *d, void *arg)
{
	struct row_call *c = arg;

	c->rc = store_run_get(d->reader, 0, &c->id, &c->f->arena, &c->run);
}

struct store_run
run_row(struct fix *f, const struct uuid *run_id)
{
	struct row_call c = { .f = f, .id = *run_id };

	desk_do(&f->desks[0], run_row_do, &c);
	CHECK_RC(c.rc, OK);
	return c.run;
}

static void
thread_row_do(struct desk *d, void *arg)
{
	struct row_call *c = arg;

	c->rc = store_thread_get(d->reader, 0, &c->id, &c->f->arena, &c->thread);
}

struct store_thread
thread_row(struct fix *f, const struct uuid *thread_id)
{
	struct row_call c = { .f = f, .id = *thread_id };

	desk_do(&f->desks[0], thread_row_do, &c);
	CHECK_RC(c.rc, OK);
	return c.thread;
}

uint64_t
commits(struct fix *f)
{
	struct store_stats s;

	store_stats(f->st, &s);
	return s.commits;
}

struct uuid
thread_no(unsigned n)
{
	struct uuid u = { { 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x43, 0x33, 0x83, 0x33,
	    0x33, 0x33, 0x33, 0x33, 0x33, 0x33 } };

	u.b[15] = (uint8_t)n;
	return u;
}
