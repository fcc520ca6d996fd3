/*
 * run.c - a shard's runs, and how one of them ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/run.h"

#include <assert.h>

#include "base/account.h"
#include "base/limits.h"
#include "base/mem.h"
#include "run/hook_priv.h"
#include "run/hosted_priv.h"
#include "run/ear_priv.h"
#include "run/mail_priv.h"
#include "run/subscribe_priv.h"
#include "store/node.h"

/* ---- shared -------------------------------------------------------------- */

static size_t
live_most(void)
{
	uint64_t most = account_memory_limit() / LIMIT_LIVE_RUN_BYTES;

	return most < LIMIT_LIVE_RUNS ? (size_t)most : LIMIT_LIVE_RUNS;
}

struct runs_shared *
runs_shared_new(struct store *st, const struct tools *t, struct agents *agents,
    bool keep_partial)
{
	struct runs_shared *sh = mem_new(struct runs_shared);

	sh->store = st;
	sh->tools = t;
	sh->agents = agents_hold(agents);
	pthread_mutex_init(&sh->lock, NULL);
	sh->keep_partial = keep_partial;
	sh->transcript = true;
	sh->live_max = live_most();
	sh->host = job_host;
	sh->host_stateless = job_host_stateless;
	sh->host.tools = sh->host_stateless.tools = t;
	sh->directory = directory_new();
	atomic_init(&sh->shards, 0);
	return sh;
}

void
runs_shared_free(struct runs_shared *sh)
{
	if (sh == NULL)
		return;
	directory_free(sh->directory);
	agents_free(sh->agents);
	pthread_mutex_destroy(&sh->lock);
	free(sh);
}

void
runs_shared_set_transcript(struct runs_shared *sh, bool on)
{
	sh->transcript = on;
}

/* On a shard: the top of a turn, so nothing of the old set is in use there but by
 * those who hold it. */
static void
take_agents(struct shard_job *job)
{
	struct runs *rs = CONTAINER_OF(job, struct runs, agents_job);
	struct agents *old = rs->agents;

	pthread_mutex_lock(&rs->sh->lock);
	rs->agents = agents_hold(rs->sh->agents);
	rs->agents_come = false;
	pthread_mutex_unlock(&rs->sh->lock);
	agents_free(old);
}

void
runs_shared_set_agents(struct runs_shared *sh, struct agents *agents)
{
	struct agents *old;

	pthread_mutex_lock(&sh->lock);
	old = sh->agents;
	sh->agents = agents_hold(agents);
	for (size_t i = 0; i < LIMIT_SHARDS; i++) {
		struct runs *rs = sh->at[i];

		if (rs == NULL || rs->agents_come)
			continue;
		rs->agents_come = true;
		rs->agents_job.run = take_agents;
		shard_post(rs->shard, &rs->agents_job);
	}
	pthread_mutex_unlock(&sh->lock);
	agents_free(old);
}

const struct agents *
runs_agents(const struct runs *rs)
{
	return rs->agents;
}

const struct agent *
runs_agent(const struct runs *rs, struct str graph_id)
{
	return agents_find(rs->agents, graph_id);
}

/* ---- one shard's --------------------------------------------------------- */

static uint64_t
hash(const void *key)
{
	return uuid_hash(key);
}

static const void *
key_of(const void *value)
{
	return &((const struct run *)value)->place.run_id;
}

static bool
eq(const void *value, const void *key)
{
	return uuid_eq(key_of(value), key);
}

int
runs_new(struct runs **out, struct runs_shared *sh, struct shard *s,
    struct store_reader *reader, struct llm *l, struct err *e)
{
	unsigned index = atomic_fetch_add(&sh->shards, 1);
	struct runs *rs;

	*out = NULL;
	if (index >= LIMIT_SHARDS)
		return err_set(e, ERR_LIMIT, "more than %d shards", LIMIT_SHARDS);
	rs = mem_new(struct runs);
	rs->sh = sh;
	rs->shard = s;
	rs->reader = reader;
	rs->llm = l;
	rs->index = index;
	rs->waiting_end = &rs->waiting;
	map_init(&rs->runs, hash, eq, key_of);
	courier_init(&rs->courier, s);
	list_init(&rs->updates);
	foreign_open(rs);
	mail_open(rs);
	ear_init(rs);
	pthread_mutex_lock(&sh->lock);
	rs->agents = agents_hold(sh->agents);
	sh->at[index] = rs;
	pthread_mutex_unlock(&sh->lock);
	*out = rs;
	return OK;
}

void
runs_allow_http(struct runs *rs, struct client *c, struct str hosts, bool private)
{
	rs->client = c;
	rs->http_hosts = hosts;
	rs->http_private = private;
}

void
runs_allow_mcp(struct runs *rs, struct mcp *m, struct str hosts)
{
	rs->mcp = m;
	rs->mcp_hosts = hosts;
}

void
runs_allow_workers(struct runs *rs, struct worker_desk *d)
{
	rs->desk = d;
}

void
runs_allow_wasm(struct runs *rs, struct wasm_desk *d)
{
	rs->wasm = d;
}

void
runs_free(struct runs *rs)
{
	if (rs == NULL)
		return;
	pthread_mutex_lock(&rs->sh->lock);
	assert(!rs->agents_come);
	rs->sh->at[rs->index] = NULL;
	pthread_mutex_unlock(&rs->sh->lock);
	admit_clear(rs);
	sleep_close(rs);
	sweep_close(rs);
	hosted_close(rs);
	embedder_free(rs->embedder);
	hooks_free(rs);
	map_release(&rs->runs);
	mail_close(rs);
	ear_release(rs);
	foreign_close(rs);
	definitions_release(&rs->definitions);
	agents_free(rs->agents);
	free(rs);
}

void
runs_busy(struct runs *rs, int change)
{
	assert(change > 0 || rs->busy > 0);
	rs->busy = change > 0 ? rs->busy + 1 : rs->busy - 1;
	if (rs->busy == 0 && rs->drained != NULL) {
		void (*done)(void *) = rs->drained;

		rs->drained = NULL;
		done(rs->drained_ctx);
	}
}

/* A live run is left as the store has it: running.  Whoever opens the store
 * next takes it from its last checkpoint. */
void
runs_drain(struct runs *rs, void (*done)(void *ctx), void *ctx)
{
	struct err e;
	struct run *run;
	size_t at = 0, cut = 0;

	assert(rs->drained == NULL && done != NULL);
	err_set(&e, ERR_CLOSED, "the server is stopping");
	rs->draining = true;
	sleep_close(rs);
	sweep_drain(rs);
	hooks_close(rs);
	rs->drained = done;
	rs->drained_ctx = ctx;
	runs_busy(rs, 1);
	for (run = map_each(&rs->runs, &at); run != NULL; run = map_each(&rs->runs, &at)) {
		if (run->phase == PHASE_LIVE) {
			cut += !sleep_drain(run) && !run->stateless;
			job_stop(run);
			record_stream(run);
		} else if (run->phase != PHASE_PENDING && !record_give_up(run)) {
			continue;            /* its command is on the way */
		}
		run_ended(run, ERR_CLOSED, RUN_RUNNING, STR_NONE, NULL, &e);
	}
	sleep_tell_cut(cut);
	hosted_turns_clear(rs);
	embedder_drain(rs->embedder);
	ear_drain(rs);
	foreign_drain(rs);
	admit_clear(rs);
	runs_busy(rs, -1);
}

/* ---- other nodes --------------------------------------------------------- */

void
run_abandon(struct run *run)
{
	struct err e;

	err_set(&e, ERR_CLOSED, "another server goes on with the run");
	if (run->stateless || run->phase == PHASE_NEW || run->phase == PHASE_GONE ||
	    (run->phase == PHASE_ENDING && !record_give_up(run)))
		return;                      /* its command is on the way */
	if (run->phase == PHASE_LIVE)
		job_stop(run);
	run_ended(run, ERR_CLOSED, RUN_RUNNING, STR_NONE, NULL, &e);
}

/* A full disk can be reached: runs fail with it, as on a node alone. */
static bool
is_unreachable(const struct run *run, int rc)
{
	const struct runs_shared *sh = run->rs->sh;

	return rc == ERR_BUSY && !run->stateless && sh->lease_gives_up != NULL &&
	    !store_is_full(sh->store);
}

bool
run_is_unread(const struct run *run, int rc)
{
	const struct runs_shared *sh = run->rs->sh;

	if (!is_unreachable(run, rc))
		return false;
	sh->lease_gives_up(sh->lease_ctx);
	return true;
}

bool
run_is_fenced(const struct run *run, struct store_cmd *cmd)
{
	const struct runs_shared *sh = run->rs->sh;

	if (is_unreachable(run, cmd->rc)) {
		if (!store_is_late(sh->store, cmd))
			sh->lease_gives_up(sh->lease_ctx);
		cmd->rc = ERR_CANCELLED;
	}
	return cmd->rc == ERR_CANCELLED;
}

/* Ends of runs let others begin, so those there are now are noted first. */
void
runs_abandon(struct runs *rs)
{
	struct run **all = NULL, *run;
	size_t n = 0, cap = 0, at = 0;

	rs->lost = true;
	admit_abandon(rs);
	hosted_turns_clear(rs);
	for (run = map_each(&rs->runs, &at); run != NULL; run = map_each(&rs->runs, &at)) {
		mem_grow(all, n, cap);
		all[n++] = run_hold(run);
	}
	for (size_t i = 0; i < n; i++) {
		run_abandon(all[i]);
		run_drop(all[i]);
	}
	free(all);
}

void
runs_shared_set_lease(struct runs_shared *sh, bool (*holds)(void *ctx),
    void (*gives_up)(void *ctx), void *ctx)
{
	sh->lease_holds = holds;
	sh->lease_gives_up = gives_up;
	sh->lease_ctx = ctx;
}

void
runs_resume(struct runs *rs)
{
	rs->lost = false;
	if (!rs->draining)
		admit_resume(rs);
}

struct shard *
runs_shard(const struct runs *rs)
{
	return rs->shard;
}

void
runs_count_usage(struct runs *rs, const struct llm_usage *u)
{
	atomic_fetch_add_explicit(&rs->stats.calls, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&rs->stats.tokens_in, (uint64_t)u->input_tokens,
	    memory_order_relaxed);
	atomic_fetch_add_explicit(&rs->stats.tokens_out, (uint64_t)u->output_tokens,
	    memory_order_relaxed);
	atomic_fetch_add_explicit(&rs->stats.cost_nano, (uint64_t)u->cost_nano,
	    memory_order_relaxed);
}

void
runs_stats(const struct runs *rs, struct runs_stats *out)
{
	*out = (struct runs_stats){
		.live = atomic_load_explicit(&rs->stats.live, memory_order_relaxed),
		.pending = atomic_load_explicit(&rs->stats.pending, memory_order_relaxed),
		.started = atomic_load_explicit(&rs->stats.started, memory_order_relaxed),
		.finished = atomic_load_explicit(&rs->stats.finished, memory_order_relaxed),
		.failed = atomic_load_explicit(&rs->stats.failed, memory_order_relaxed),
		.events = atomic_load_explicit(&rs->stats.events, memory_order_relaxed),
		.calls = atomic_load_explicit(&rs->stats.calls, memory_order_relaxed),
		.tokens_in = atomic_load_explicit(&rs->stats.tokens_in,
		    memory_order_relaxed),
		.tokens_out = atomic_load_explicit(&rs->stats.tokens_out,
		    memory_order_relaxed),
		.cost_nano = atomic_load_explicit(&rs->stats.cost_nano,
		    memory_order_relaxed),
	};
}

/* ---- one run ------------------------------------------------------------- */

struct run *
run_new(const struct uuid *run_id, const struct uuid *thread_id, owner_t owner)
{
	struct run *run = mem_new(struct run);

	run->refs = 1;
	run->place.run_id = *run_id;
	run->place.thread_id = *thread_id;
	run->place.owner = owner;
	return run;
}

struct run *
run_find(const struct runs *rs, const struct uuid *run_id)
{
	return map_get(&rs->runs, run_id);
}

struct run *
run_hold(struct run *run)
{
	assert(run->refs > 0);
	run->refs++;
	return run;
}

void
run_drop(struct run *run)
{
	assert(run->refs > 0);
	if (--run->refs > 0)
		return;
	assert(run->job == NULL);
	if (run->announced)
		run->rs->sh->listened(run->rs->sh->listened_ctx, &run->place.thread_id, false);
	stream_release(&run->stream);
	free(run);
}

/* A node that was not informed yet that it is read here may have taken it, or ended it. */
static void
on_held_look(struct wheel_timer *t)
{
	struct run *run = CONTAINER_OF(t, struct run, held_look);
	bool gone;

	if (!run->held || run->phase != PHASE_PENDING || run->cancel)
		return;
	gone = run_is_taken(run);
	if (gone)
		run_abandon(run);
	else
		shard_timer_set(run->rs->shard, &run->held_look, LIMIT_TALK_LOOK_MS);
}

void
run_set_held(struct run *run)
{
	const struct runs_shared *sh = run->rs->sh;

	run->held = true;
	if (run->announced || sh->listened == NULL)
		return;
	run->announced = true;
	run->held_look.fire = on_held_look;
	shard_timer_set(run->rs->shard, &run->held_look, LIMIT_TALK_LOOK_MS);
	sh->listened(sh->listened_ctx, &run->place.thread_id, true);
}

void
run_set_phase(struct run *run, enum phase phase)
{
	struct runs *rs = run->rs;
	bool was = run->phase == PHASE_LIVE || run->phase == PHASE_ENDING;
	bool is = phase == PHASE_LIVE || phase == PHASE_ENDING;

	if (is && !was)
		atomic_fetch_add_explicit(&rs->stats.live, 1, memory_order_relaxed);
	if (was && !is)
		atomic_fetch_sub_explicit(&rs->stats.live, 1, memory_order_relaxed);
	if (phase == PHASE_PENDING && run->phase != PHASE_PENDING)
		atomic_fetch_add_explicit(&rs->stats.pending, 1, memory_order_relaxed);
	if (phase != PHASE_PENDING && run->phase == PHASE_PENDING)
		atomic_fetch_sub_explicit(&rs->stats.pending, 1, memory_order_relaxed);
	run->phase = phase;
}

/* ---- the end ------------------------------------------------------------- */

void
thread_values(struct runs *rs, owner_t owner, int64_t thread_seq, struct buf *out)
{
	static const struct uuid head;

	thread_values_at(rs, owner, thread_seq, &head, out);
}

void
thread_values_at(struct runs *rs, owner_t owner, int64_t thread_seq,
    const struct uuid *id, struct buf *out)
{
	struct arena a = ARENA(THREAD_ARENA);
	struct store_state st;

	if (store_state_get(rs->reader, owner, thread_seq, STR_NONE, id,
	    STATE_CHANNELS, &a, &st) != OK)
		st.channels_n = 0;
	buf_add_char(out, '{');
	for (size_t i = 0; i < st.channels_n; i++) {
		struct val v = saved_channel(&st.channels[i]);

		if (i > 0)
			buf_add_char(out, ',');
		json_add_str(out, st.channels[i].name);
		buf_add_char(out, ':');
		val_add_json(out, v);
		val_drop(v);
	}
	buf_add_char(out, '}');
	arena_release(&a);
}

/* Only those who wait for the end read the values. */
static bool
values_wanted(const struct run *run)
{
	const struct run_watch *w = run->stream.watchers;

	while (w != NULL && w->wants_events && !w->wants_values)
		w = w->next;
	return w != NULL;
}

static void
write_values(struct run *run, struct buf *out)
{
	if (run->job != NULL && job_values(run->job, out))
		return;
	if (run->stateless)
		buf_lit(out, "{}");
	else
		thread_values(run->rs, run->place.owner, run->thread_seq, out);
}

void
run_shown(const struct runs *rs, owner_t owner, struct store_run *row)
{
	if (row->status == RUN_RUNNING &&
	    directory_waits(rs->sh->directory, owner, &row->id))
		row->status = RUN_PENDING;
}

struct uuid
run_shown_pending(const struct runs *rs, owner_t owner, const struct uuid *thread_id)
{
	return directory_waiting(rs->sh->directory, owner, thread_id);
}

const char *
run_end_name(const struct run_end *end)
{
	return end->rolled_back ? "rollback" : run_status_names[end->status];
}

static void
count_end(struct run *run, int rc, enum run_status status)
{
	struct runs *rs = run->rs;

	if (rc != OK || status == RUN_ERROR || status == RUN_TIMEOUT)
		atomic_fetch_add_explicit(&rs->stats.failed, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&rs->stats.finished, 1, memory_order_relaxed);
	run_set_phase(run, PHASE_GONE);
}

/* Nobody finds it any more. */
static void
leave(struct run *run)
{
	inject_refuse(run);
	shard_timer_cancel(run->rs->shard, &run->held_look);
	map_take(&run->rs->runs, &run->place.run_id);
	directory_leave(run->rs->sh->directory, &run->place);
}

/* Whoever does not wait for the end. */
static void
cancels_told(struct run *run)
{
	struct cancel *c = run->cancels, *next;
	struct cancel *stay = NULL;

	for (; c != NULL; c = next) {
		next = cancel_next(c);
		if (cancel_is_soon(c)) {
			cancel_finish(c, OK);
			continue;
		}
		cancel_link(c, stay);
		stay = c;
	}
	run->cancels = stay;
}

static void
cancels_finish(struct run *run, int rc)
{
	struct cancel *c = run->cancels;

	run->cancels = NULL;
	while (c != NULL) {
		struct cancel *next = cancel_next(c);

		cancel_finish(c, rc);
		c = next;
	}
}

static void
tell_end(struct run *run, int rc, const struct run_end *end, const struct err *e)
{
	struct run_watch *w;

	for (w = stream_pop(&run->stream); w != NULL; w = stream_pop(&run->stream))
		watch_end(w, rc, end, e);
	cancels_finish(run, rc);
}

void
run_tell_unwritten(struct run *run, int rc, const struct err *e)
{
	assert(run->phase == PHASE_ENDING && rc != OK);
	tell_end(run, rc, NULL, e);
}

void
run_ended(struct run *run, int rc, enum run_status status, struct str error_json,
    const struct store_run *next, const struct err *e)
{
	struct runs *rs = run->rs;
	struct buf values = BUF(2u * LIMIT_STATE_BYTES), waits = BUF(LIMIT_STATE_BYTES);
	struct run_end end = { .status = status, .error_json = error_json,
	    .rolled_back = run->rollback };
	bool placed = run->placed;

	assert(run->phase != PHASE_GONE);
	if (rc == OK)
		stream_open(&run->stream);
	if (values_wanted(run))
		write_values(run, &values);
	end.values_json = buf_str(&values);
	if (run->job != NULL)
		job_outcome(run->job, &waits, &end.usage);
	end.interrupts_json = buf_str(&waits);
	count_end(run, rc, status);
	/* Readers of the thread get its runs one after the other. */
	if (rc == OK)
		subscribe_ended(run, status, error_json);
	else
		subscribe_left(run);
	/* The next run of the thread enters before this one leaves, so the
	 * thread stays at home; it inherits the place. */
	if (next != NULL && !rs->draining && !rs->lost) {
		admit_taken(rs, run->place.owner, next, placed, false);
		placed = false;
	}
	if (rc == OK)
		job_ended(run, status, error_json);
	leave(run);
	if (rc == OK)
		hooks_look(rs);
	tell_end(run, rc, &end, e);
	job_free(run->job);
	run->job = NULL;
	mail_ended(run, rc, status, next != NULL, error_json);
	buf_release(&values);
	buf_release(&waits);
	if (placed)
		admit_leave(rs);
	hosted_next(rs);
	run_drop(run);
}

void
run_left(struct run *run)
{
	struct runs *rs = run->rs;
	bool placed = run->placed;

	assert(run->phase == PHASE_LIVE && run->stream.watchers == NULL &&
	    run->cancels == NULL);
	job_stop(run);
	run_set_phase(run, PHASE_GONE);
	subscribe_left(run);
	leave(run);
	job_free(run->job);
	run->job = NULL;
	mail_left(run);
	if (placed)
		admit_leave(rs);
	run_drop(run);
}

void
run_moved(struct run *run)
{
	struct runs *rs = run->rs;
	struct run_watch *w;
	bool placed = run->placed;

	assert(run->phase == PHASE_NEW || run->phase == PHASE_PENDING);
	run_set_phase(run, PHASE_GONE);
	leave(run);
	for (w = stream_pop(&run->stream); w != NULL; w = stream_pop(&run->stream))
		bridge_again(w, rs, run->place.owner);
	cancels_finish(run, ERR_BUSY);
	if (placed)
		admit_leave(rs);
	run_drop(run);
}

void
run_let_go(struct run *run)
{
	if (!run->held || run->phase != PHASE_PENDING || run->cancel ||
	    run->stream.watchers != NULL || run->cancels != NULL || run->injects != NULL)
		return;
	run_set_phase(run, PHASE_GONE);
	leave(run);
	run_drop(run);
}

/* ---- cancelling ---------------------------------------------------------- */

struct cancel {
	struct store_run_cancel c;
	struct run *run;
};

/* The store has it pending still: it stays, and its turn will come. */
static void
cancel_failed(struct run *run, int rc)
{
	run->cancel = false;
	cancels_finish(run, rc);
}

static void
cancel_done(struct store_cmd *cmd)
{
	struct cancel *x = CONTAINER_OF(cmd, struct cancel, c.cmd);
	struct run *run = run_hold(x->run);

	run_returned(run);
	if (run->phase == PHASE_PENDING && (cmd->rc == ERR_IO || cmd->rc == ERR_BUSY))
		cancel_failed(run, cmd->rc);
	else if (run->phase == PHASE_PENDING && cmd->rc != ERR_CONFLICT)
		run_ended(run, cmd->rc, RUN_INTERRUPTED, STR_NONE, NULL, &cmd->err);
	else if (run->phase == PHASE_LIVE)
		run_stop(run);
	/* Still pending, and the store says it runs: it was taken, and
	 * job_start will find that it is to be stopped. */
	run_drop(run);
	free(x);
}

static void
cancel_pending(struct run *run)
{
	struct cancel *x;
	int rc;

	if (run->stateless) {
		run_ended(run, OK, RUN_INTERRUPTED, STR_NONE, NULL, NULL);
		return;
	}
	x = mem_new(struct cancel);
	x->c.cmd.op = STORE_RUN_CANCEL;
	x->c.cmd.done = cancel_done;
	x->c.run_id = run->place.run_id;
	x->c.rollback = run->rollback;
	x->c.reason = str_of(run->why);
	x->c.now = shard_wall(run->rs->shard);
	x->run = run;
	rc = run_submit(run, &x->c.cmd);
	assert(rc == OK);
}

void
run_stop(struct run *run)
{
	bool asked = run->cancel;

	run->cancel = true;
	if (run->phase == PHASE_LIVE && hosted_cancel(run->job)) {
		cancels_told(run);           /* its worker is, and ends it */
		return;
	}
	if (run->phase == PHASE_LIVE) {
		job_cancel(run);
		record_finish(run, RUN_INTERRUPTED, THREAD_IDLE, STR_NONE);
	} else if (run->phase == PHASE_PENDING && !hosted_stops_waiting(run) && !asked) {
		cancel_pending(run);
	}
}
