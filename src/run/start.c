/*
 * start.c - how a run begins: what is asked is checked, written down, and
 * admitted.
 *
 * A thread's runs are created on the thread's home shard, whichever shard the
 * request came to; so their order, and who runs when, is decided in one place.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/hook_priv.h"
#include "run/hosted_priv.h"
#include "run/mcp_priv.h"
#include "store/node.h"
#include "trace/trace.h"

/* A run that is being made.  Owns every text of the row until it is told. */
struct create {
	struct store_run_create c;
	struct store_quota quota;
	struct parcel parcel;
	struct arena arena;
	struct run_texts texts;
	struct store_once once;
	struct definition definition;
	struct buf definition_text;          /* for the store; empty: it has it */
	char *graph;
	struct run *run;
	struct plan *plan;
	struct bridge *bridge;                 /* the watcher is on another shard */
	/* a background run: called when it exists */
	void (*created)(void *ctx, int rc, const struct store_run *run,
	    const struct err *e);
	void *ctx;
	struct runs *away;
	int rc;
	struct err err;
};

static void
create_free(struct create *c)
{
	plan_free(c->plan);
	run_texts_release(&c->texts);
	definition_drop(&c->definition);
	buf_release(&c->definition_text);
	arena_release(&c->arena);
	free(c->graph);
	free(c);
}

struct run *
create_run(const struct create *c)
{
	return c->run;
}

void
create_drop(struct create *c)
{
	run_drop(c->run);
	create_free(c);
}

/* ---- telling that it exists ---------------------------------------------- */

static void
created_open(void *ctx, struct parcel *p)
{
	struct create *c = CONTAINER_OF(p, struct create, parcel);
	struct store_run row = c->c.run;

	(void)ctx;
	/* What a client creates is pending, also when it has been picked by the
	 * time the answer is written. */
	row.status = RUN_PENDING;
	c->created(c->ctx, c->rc, c->rc == OK ? &row : NULL, &c->err);
	create_free(c);
}

/* The last thing: hands c to whoever waits for it, or throws it away. */
static void
create_told(struct create *c, int rc, const struct err *e)
{
	struct runs *home = c->run->rs;

	run_drop(c->run);
	if (c->created == NULL) {
		create_free(c);
		return;
	}
	c->rc = rc;
	if (e != NULL)
		c->err = *e;
	c->parcel.open = created_open;
	runs_send(home, c->away, &c->parcel);
}

static void
create_failed(struct create *c, int rc, const struct err *e)
{
	struct run *run = run_hold(c->run);

	run_ended(run, rc, RUN_ERROR, STR_NONE, NULL, e);
	create_told(c, rc, e);
	run_drop(run);
}

/* ---- at home ------------------------------------------------------------- */

static void
run_exists(struct run *run)
{
	atomic_fetch_add_explicit(&run->rs->stats.started, 1, memory_order_relaxed);
	stream_started(&run->stream, &run->place.thread_id, &run->place.run_id);
}

static void
set_pending(struct create *c)
{
	struct run *run = c->run;
	struct waiting w = { .owner = run->place.owner, .thread_seq = run->thread_seq,
	    .thread_id = run->place.thread_id };

	run_set_phase(run, PHASE_PENDING);
	if (run->placed) {
		run->placed = false;
		admit_leave(run->rs);
	}
	if (c->c.run.held > 0) {
		run_set_held(run);
		sleep_note(run->rs, c->c.run.held);
	} else if (c->c.hold) {
		directory_pin(run->rs->sh->directory, &run->place.thread_id, run->rs);
		admit_thread(run->rs, &w);   /* a place may be free since the row was submitted */
	}
	if (run->cancel) {
		run->cancel = false;
		run_stop(run);
	}
}

/* multitask interrupt and rollback: the run before is stopped; those that waited
 * behind it are over already. */
static void
displace(struct runs *rs, const struct store_run_create *c)
{
	static const struct uuid any;
	char why[sizeof RUN_DISPLACED - 1 + UUID_TEXT];

	for (size_t i = 0; i < c->ended_n; i++) {
		struct run *run = run_find(rs, &c->ended[i]);

		if (run != NULL && run->phase == PHASE_PENDING)
			run_ended(run, OK, RUN_INTERRUPTED, STR_NONE, NULL, NULL);
	}
	memcpy(why, RUN_DISPLACED, sizeof RUN_DISPLACED - 1);
	uuid_format(&c->run.id, why + sizeof why - UUID_TEXT);
	if (c->has_busy)
		run_cancel(rs, c->cmd.owner, &any, &c->busy_run_id,
		    c->run.multitask == MULTITASK_ROLLBACK ? RUN_ROLLBACK : 0,
		    (struct str){ why, sizeof why }, NULL, NULL);
}

static void
create_done(struct store_cmd *cmd)
{
	struct create *c = CONTAINER_OF(cmd, struct create, c.cmd);
	struct run *run = run_hold(c->run);
	struct plan *plan = c->plan;

	run_returned(run);
	if (cmd->rc != OK || run->rs->draining) {
		if (cmd->rc == OK)
			cmd->rc = err_set(&cmd->err, ERR_CLOSED, "the server is stopping");
		create_failed(c, cmd->rc, &cmd->err);
		run_drop(run);
		return;
	}
	agents_set_kept(c->definition.set, c->definition.agent);
	run->seq = c->c.run.seq;
	run->thread_seq = c->c.thread.seq;
	run_exists(run);
	if (c->c.foreign > 0 || store_is_late(run->rs->sh->store, cmd)) {
		if (c->c.foreign > 0)
			foreign_tell(run->rs, c->c.foreign);
		run_moved(run);              /* its row is there: another node has it */
	} else if (c->c.run.status != RUN_RUNNING) {
		set_pending(c);
		displace(run->rs, &c->c);
	} else if (!hosted_waits(run, c->c.run.graph_id)) {
		c->plan = NULL;
		job_start(run, &c->c.run, plan, &c->definition,
		    c->c.thread.checkpoint != 0);
	}
	create_told(c, OK, NULL);
	run_let_go(run);
	run_drop(run);
}

/* Writes the run's row.  On failure the run is gone, and nobody was told. */
static int
create_submit(struct create *c, struct err *e)
{
	struct run *run = c->run;
	struct runs *rs = run->rs;
	int rc = OK;

	if (rs->draining)
		rc = err_set(e, ERR_BUSY, "the server is stopping");
	else if (rs->lost)
		rc = err_set(e, ERR_BUSY, "the server has lost its lease and is joining "
		    "again; try again");
	run->placed = rc == OK && c->c.run.held == 0 && admit_take(rs);
	c->c.hold = !run->placed;
	if (rc == OK) {
		rc = store_submit(rs->sh->store, rs->shard, &c->c.cmd, false);
		if (rc != OK)
			err_set(e, rc, "the write queue is full; try again");
	}
	if (rc == OK) {
		run_hold(run);
		runs_busy(rs, 1);
	}
	return rc;
}

/* From another shard: this is the thread's home. */
static void
create_arrive(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct create *c = CONTAINER_OF(p, struct create, parcel);
	struct err e;
	int rc;

	assert(c->run->rs == here);
	map_put(&here->runs, c->run);
	if (c->bridge != NULL)
		bridge_attach(c->bridge, c->run);
	rc = create_submit(c, &e);
	if (rc != OK)
		create_failed(c, rc, &e);
}

/* ---- without a thread ---------------------------------------------------- */

void
create_begin(struct create *c)
{
	struct run *run = run_hold(c->run);
	struct plan *plan = c->plan;

	assert(run->stateless);
	run->placed = true;
	c->plan = NULL;
	job_start(run, &c->c.run, plan, &c->definition, false);
	create_told(c, OK, NULL);
	run_drop(run);
}

static void
stateless_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct create *c = CONTAINER_OF(p, struct create, parcel);
	struct waiting w = { .create = c };
	struct run *run = c->run;

	if (here->draining) {
		err_set(&c->err, ERR_CLOSED, "the server is stopping");
		create_failed(c, ERR_CLOSED, &c->err);
		return;
	}
	run_set_phase(run, PHASE_PENDING);
	run_exists(run);
	/* It may be pending for long: tell its maker now. */
	if (c->created != NULL)
		c->created(c->ctx, OK, &c->c.run, NULL);
	c->created = NULL;
	if (run->cancel) {
		run_ended(run, OK, RUN_INTERRUPTED, STR_NONE, NULL, NULL);
		create_told(c, OK, NULL);
	} else if (admit_take(here)) {
		create_begin(c);
	} else {
		admit_wait(here, &w);
	}
}

/* ---- what is asked ------------------------------------------------------- */

/* The definition: of what waits, if the run goes on with that. */
static int
choose(struct runs *rs, const struct run_request *q, const struct store_thread *t,
    struct definition *out, struct err *e)
{
	bool goes_on = t != NULL && definition_goes_on(t) && json_is_null(q->input);

	return goes_on ? definition_of_thread(out, rs, q->owner, t,
	    q->assistant.graph_id, e) :
	    definition_current(out, rs, q->assistant.graph_id, e);
}

/* Reads the thread and writes the texts; checks what they ask for. */
static int
prepare(struct runs *rs, const struct run_request *q, const struct uuid *run_id,
    struct create *c, struct err *e)
{
	struct arena a = ARENA(THREAD_ARENA);
	struct store_thread t;
	bool there = false;
	int rc = OK;

	if (!q->stateless) {
		rc = store_thread_get(rs->reader, q->owner, &q->thread_id, &a, &t);
		there = rc == OK;
		if (rc == ERR_NOTFOUND && q->create_thread)
			rc = OK;
		else if (rc != OK)
			err_set(e, rc, rc == ERR_NOTFOUND ? "Thread not found" :
			    "the thread could not be read");
	}
	if (rc == OK && q->webhook.n > 0)
		rc = runs_check_hook(rs, q->webhook, e);
	if (rc == OK && there && !json_is_null(q->command) && uuid_is_zero(&q->times_out))
		rc = resume_check(rs, q->owner, t.seq, json_get(q->command, S("resume")), e);
	if (rc == OK)
		rc = choose(rs, q, there ? &t : NULL, &c->definition, e);
	if (rc == OK)
		rc = run_texts_write(&c->texts, q, there ? &t : NULL, run_id, e);
	arena_release(&a);
	if (rc == OK)
		rc = plan_read(&c->plan, buf_str(&c->texts.kwargs), run_id,
		    c->definition.agent, rs->sh->tools, e);
	if (rc == OK)
		rc = mcp_config_check(c->plan->defaults.mcp, c->plan->defaults.mcp_n,
		    rs->mcp_hosts, e);
	if (rc == OK)
		rc = llm_check(rs->llm, c->plan->defaults.model,
		    c->plan->defaults.base_url, e);
	return rc;
}

static void
fill_agent(struct create *c)
{
	const struct definition *d = &c->definition;

	c->definition_text = BUF(SIZE_MAX / 2);
	if (!agents_kept(d->set, d->agent))
		agents_add_text(&c->definition_text, d->set, d->agent);
	c->c.agent = (struct store_agent){ .hash = agents_hash(d->set, d->agent),
	    .id = d->agent->id, .body = buf_str(&c->definition_text) };
	c->c.run.agent_hash = c->c.agent.hash;
}

static void
fill_questions(struct create *c, const struct run_request *q)
{
	struct uuid *ids = arena_alloc(&c->arena, (q->questions_n + 1) * sizeof *ids);

	assert(ids != NULL);                 /* a client's are LIMIT_PAGE_ROWS at most */
	for (size_t i = 0; i < q->questions_n; i++)
		ids[i] = q->questions[i];
	c->c.questions = ids;
	c->c.questions_n = q->questions_n;
}

/* Can its assistant be deleted meanwhile?  A graph's own cannot; what ends a question goes on
 * without. */
static bool
may_go(const struct run_request *q)
{
	struct uuid own = runs_assistant_id(q->assistant.graph_id);

	return !uuid_eq(&q->assistant.id, &own) && uuid_is_zero(&q->times_out);
}

static void
fill_row(struct create *c, const struct run_request *q, const struct uuid *run_id,
    msec now)
{
	struct store_run *r = &c->c.run;

	c->graph = mem_cstr(q->assistant.graph_id);
	r->id = *run_id;
	r->thread_id = q->thread_id;
	r->assistant_id = q->assistant.id;
	r->multitask = q->multitask;
	r->attempt = 1;
	r->graph_id = (struct str){ c->graph, q->assistant.graph_id.n };
	r->kwargs_json = buf_str(&c->texts.kwargs);
	r->metadata_json = buf_str(&c->texts.metadata);
	r->base_json = buf_str(&c->texts.base);
	/* The time of the id: it never goes back, so runs stay in their order. */
	r->created = uuid_v7_time(run_id) + q->after;
	r->held = q->after > 0 ? r->created : 0;
	r->updated = now;
	fill_agent(c);
	fill_questions(c, q);
	c->c.thread_config_json = buf_str(&c->texts.thread_config);
	c->c.thread_metadata_json = buf_str(&c->texts.thread_metadata);
	c->c.of_assistant = may_go(q);
	c->c.create_thread = q->create_thread;
	c->c.temporary = q->temporary;
	c->c.payer = q->payer;
	c->quota = q->quota;
	c->c.cmd.quota = &c->quota;
	c->c.webhook = arena_str(&c->arena, q->webhook);
	c->c.push_json = arena_str(&c->arena, q->push_json);
	c->c.times_out = q->times_out;
	c->c.firing = q->firing;
	c->c.asked_again = now + LIMIT_ASK_AGAIN_MS;
	c->c.cmd.op = STORE_RUN_CREATE;
	c->c.cmd.owner = q->owner;
	c->c.cmd.arena = &c->arena;
	c->c.cmd.done = create_done;
	if (q->once != NULL) {
		c->once = *q->once;
		c->c.cmd.once = &c->once;
	}
}

/* Sends it on its way.  On failure nobody was told. */
static int
dispatch(struct runs *rs, struct create *c, struct run_watch *w, struct err *e)
{
	struct run *run = c->run;
	struct runs *home;
	int rc = OK;

	home = directory_enter(rs->sh->directory, &run->place, run->stateless, rs);
	run->rs = home;
	if (home != rs) {
		plan_free(c->plan);          /* values stay on their shard: it reads its own */
		c->plan = NULL;
		if (w != NULL)
			c->bridge = bridge_new(rs, home, run->place.owner, w);
		c->parcel.open = create_arrive;
		runs_send(rs, home, &c->parcel);
		return OK;
	}
	map_put(&rs->runs, run);
	if (w != NULL)
		stream_attach(&run->stream, w);
	if (run->stateless) {
		c->parcel.open = stateless_open;
		runs_send(rs, rs, &c->parcel);
		return OK;
	}
	rc = create_submit(c, e);
	if (rc != OK) {
		if (w != NULL)
			stream_pop(&run->stream);
		run_ended(run, rc, RUN_ERROR, STR_NONE, NULL, e);
	}
	return rc;
}

/* Its graph saves what it does, so it has a thread. */
static bool
needs_thread(const struct runs *rs, const struct run_request *q)
{
	const struct agent *a = runs_agent(rs, q->assistant.graph_id);

	return a != NULL && a->hosted != NULL;
}

/* A request that is in nobody's trace begins one, which is called as its run. */
static void
begin_trace(const struct runs *rs, struct trace_at *at, const struct uuid *run_id)
{
	uint64_t span = at->span;

	tracer_begin(rs->tracer, at, STR_NONE, run_id);
	at->span = span;
}

int
run_start(struct runs *rs, const struct run_request *q, struct run_watch *w,
    void (*created)(void *ctx, int rc, const struct store_run *run,
	const struct err *e), void *ctx, struct err *e)
{
	struct run_request request = *q;
	struct uuid run_id = uuid_v7();
	struct create *c;
	int rc;

	assert(w != NULL || created != NULL);
	if (rs->draining)
		return err_set(e, ERR_BUSY, "the server is stopping");
	if (q->trace != NULL && uuid_is_zero(&q->trace->trace))
		begin_trace(rs, q->trace, &run_id);
	if (q->stateless) {
		/* What is acknowledged before its end, or leaves a message, is stored, on
		 * a thread of its own. */
		request.thread_id = uuid_v7();
		request.stateless = !q->keep && q->after == 0 && w != NULL &&
		    q->webhook.n == 0 && !needs_thread(rs, q);
		request.temporary = !q->keep;
		request.create_thread = !request.stateless;
	}
	c = mem_new(struct create);
	c->arena = ARENA(THREAD_ARENA);
	c->away = rs;
	c->created = created;
	c->ctx = ctx;
	rc = prepare(rs, &request, &run_id, c, e);
	if (rc != OK) {
		create_free(c);
		return rc;
	}
	fill_row(c, &request, &run_id, shard_wall(rs->shard));
	c->run = run_new(&run_id, &request.thread_id, request.owner);
	c->run->stateless = request.stateless;
	c->run->payer = request.payer;
	if (request.webhook.n > 0)
		hooks_expect(rs->sh);
	run_hold(c->run);                    /* c's own */
	if (w != NULL) {
		w->runs = rs;
		w->run_id = run_id;
		w->link = NULL;
		w->next = NULL;
	}
	rc = dispatch(rs, c, w, e);
	if (rc != OK)
		create_drop(c);
	return rc;
}
