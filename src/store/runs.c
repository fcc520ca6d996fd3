/*
 * runs.c - runs on threads: who runs, who waits.
 *
 *   A thread is busy exactly while one of its runs is pending or running, and
 *   at most one is running.  Whoever ends a run takes the next.
 *
 *   A pending run may be *held* until a time.  It keeps nobody waiting: others pass
 *   it.  When its time has come it takes its place by that time, which is its
 *   `created` (a run's `created` never goes back on a thread, whatever the clock
 *   does: run/start.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "store/node.h"
#include "store/store_priv.h"

/* ---- create -------------------------------------------------------------- */

static int
thread_find(struct store *st, struct store_run_create *x)
{
	return query_one(query_of(&st->w, SQL_THREAD_GET,
	    db_uuid(&x->run.thread_id), db_i64(x->cmd.owner)),
	    &store_thread_record, &x->thread, x->cmd.arena);
}

/* How many runs of the thread are running, are under way at all, and are held. */
struct active { int64_t running, all, held; };

static int
runs_active(struct store *st, int64_t thread, struct active *out)
{
	struct query q = query_of(&st->w, SQL_RUN_ACTIVE, db_i64(thread));
	int rc = query_row(&q);

	if (rc == OK)
		*out = (struct active){ query_i64(&q, 0), query_i64(&q, 1),
		    query_i64(&q, 2) };
	query_end(&q);
	return rc;
}

static int
run_cancelled(struct store *st, int64_t run, struct str reason, msec now)
{
	return run_ends(st, run, true, RUN_INTERRUPTED, STR_NONE, reason, now);
}

/* The thread is another node's: all that is under way there it cancels itself. */
static int
runs_displace_foreign(struct store *st, const struct store_run_create *x)
{
	char by[sizeof RUN_DISPLACED + UUID_TEXT] = RUN_DISPLACED;
	struct query q = query_of(&st->w, SQL_RUNS_UNDER_WAY, db_i64(x->thread.seq));
	int64_t *seqs = NULL;
	size_t n = 0, cap = 0;
	int rc;

	uuid_format(&x->run.id, by + sizeof RUN_DISPLACED - 1);
	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		if (!arena_grow(&st->scratch, seqs, n, cap))
			break;
		seqs[n++] = query_i64(&q, 0);
	}
	query_end(&q);
	rc = rc == ERR_NOTFOUND ? OK : rc == OK ? ERR_TOOBIG : rc;
	for (size_t i = 0; rc == OK && i < n; i++)
		rc = run_want_cancel(st, seqs[i], x->run.multitask == MULTITASK_ROLLBACK,
		    (struct str){ by, sizeof by - 1 });
	return rc;
}

/* The thread's pending runs, oldest first. */
static int
runs_pending(struct store *st, struct store_run_create *x, int64_t **seqs)
{
	struct query q = query_of(&st->w, SQL_RUNS_PENDING, db_i64(x->thread.seq));
	size_t n = 0, cap = 0, seqs_cap = 0;
	int rc;

	x->ended = NULL;
	*seqs = NULL;
	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		if (!arena_grow(&st->scratch, *seqs, n, seqs_cap) ||
		    !arena_grow(x->cmd.arena, x->ended, n, cap))
			break;
		(*seqs)[n] = query_i64(&q, 0);
		x->ended[n++] = query_uuid(&q, 1);
	}
	query_end(&q);
	x->ended_n = n;
	return rc == ERR_NOTFOUND ? OK : rc == OK ? ERR_TOOBIG : rc;
}

/* A run that takes the place of those before it.  The one that runs is its
 * shard's to cancel. */
static int
runs_displace(struct store *st, struct store_run_create *x, bool running)
{
	int64_t *seqs;
	char by[sizeof RUN_DISPLACED + UUID_TEXT] = RUN_DISPLACED;
	struct str reason = { by, sizeof by - 1 };
	int rc = runs_pending(st, x, &seqs);

	uuid_format(&x->run.id, by + sizeof RUN_DISPLACED - 1);
	for (size_t i = 0; rc == OK && i < x->ended_n; i++)
		rc = x->run.multitask == MULTITASK_ROLLBACK ?
		    run_erase(st, seqs[i], x->thread.seq) :
		    run_cancelled(st, seqs[i], reason, x->run.created);
	if (rc == OK && running) {
		struct query q = query_of(&st->w, SQL_RUN_RUNNING,
		    db_i64(x->thread.seq));

		rc = query_row(&q);
		if (rc == OK) {
			x->busy_run_seq = query_i64(&q, 0);
			x->busy_run_id = query_uuid(&q, 1);
		}
		query_end(&q);
		x->has_busy = rc == OK;
	} else if (rc == OK && !x->hold && x->run.held == 0) {
		x->run.status = RUN_RUNNING;
	}
	return rc;
}

/* The decision: RUNNING, PENDING, or no. */
static int
run_admit(struct store *st, struct store_run_create *x)
{
	struct active a = { 0 };
	int rc = OK;

	if (x->thread.seq != 0)
		rc = runs_active(st, x->thread.seq, &a);
	if (rc != OK)
		return rc;
	if (a.all > 0 && x->run.multitask == MULTITASK_REJECT)
		return err_set(&x->cmd.err, ERR_CONFLICT,
		    "Thread is already running a task. Wait for it to finish or "
		    "choose a different multitask strategy.");
	if (a.all - a.running >= LIMIT_QUEUED_RUNS &&
	    x->run.multitask < MULTITASK_INTERRUPT)
		return err_set(&x->cmd.err, ERR_LIMIT,
		    "Thread has %d pending runs already", LIMIT_QUEUED_RUNS);
	x->run.status = a.all > a.held || x->hold || x->run.held > 0 || x->foreign > 0 ?
	    RUN_PENDING : RUN_RUNNING;
	if (a.all > 0 && x->run.multitask >= MULTITASK_INTERRUPT)
		rc = x->foreign > 0 ? runs_displace_foreign(st, x) :
		    runs_displace(st, x, a.running > 0);
	/* A run that is held is in nobody's memory. */
	if (x->foreign == 0 && x->run.held == 0)
		x->thread.node = node_ours(st);
	return rc;
}

/* What every thread says after its first run; false: it says so already. */
static bool
metadata_lacks(struct str metadata, struct str graph, const char *assistant)
{
	struct json_doc d = { 0 };
	bool lacks = true;

	if (metadata.n > 2 && json_parse(&d, metadata, NULL) == OK) {
		jnode g = json_get(d.root, S("graph_id"));
		jnode a = json_get(d.root, S("assistant_id"));

		lacks = !json_is_string(g) || !str_eq(json_str(g), graph) ||
		    !json_is_string(a) ||
		    !str_eq(json_str(a), (struct str){ assistant, UUID_TEXT });
	}
	json_release(&d);
	return lacks;
}

static int
thread_metadata(struct store_run_create *x)
{
	struct buf b = BUF(4 * LIMIT_NAME_BYTES);
	char id[UUID_TEXT];
	int rc;

	uuid_format(&x->run.assistant_id, id);
	if (!metadata_lacks(x->thread.metadata_json, x->run.graph_id, id))
		return OK;
	buf_lit(&b, "{\"graph_id\":");
	json_add_str(&b, x->run.graph_id);
	buf_lit(&b, ",\"assistant_id\":\"");
	buf_add(&b, (struct str){ id, UUID_TEXT });
	buf_lit(&b, "\"}");
	rc = b.failed ? ERR_TOOBIG : records_merge(x->cmd.arena,
	    x->thread.metadata_json, arena_str(x->cmd.arena, buf_str(&b)),
	    &x->thread.metadata_json, &x->cmd.err);
	buf_release(&b);
	return rc;
}

static int
thread_insert_busy(struct store *st, struct store_run_create *x)
{
	int rc;

	x->thread.seq = store_seq_next(st, SEQ_THREAD);
	rc = db_run(&st->w, SQL_THREAD_INSERT, db_i64(x->thread.seq),
	    db_uuid(&x->thread.id), db_i64(x->cmd.owner), db_i64(THREAD_BUSY),
	    db_i64(x->thread.created), db_i64(x->thread.updated),
	    db_uuid(&x->run.assistant_id), db_json(x->thread.metadata_json),
	    db_json(x->thread.config_json), db_i64(st->thread_ttl.ms),
	    db_i64(st->thread_ttl.strategy), db_i64(st->thread_ttl.ms == 0 ? 0 :
	    x->thread.created + st->thread_ttl.ms), db_i64(x->thread.node));
	/* The id is there, and thread_find did not see it: another owner's. */
	if (rc == OK && db_changes(&st->w) == 0)
		rc = ERR_NOTFOUND;
	return rc != OK || !x->temporary ? rc : db_run(&st->w, SQL_THREAD_SET_TEMPORARY,
	    db_i64(x->thread.seq));
}

static int
thread_change(struct store *st, const struct store_run_create *x,
    const struct store_thread *before)
{
	int rc = tally_move(st, x->cmd.owner, before->status, THREAD_BUSY);

	return rc != OK ? rc : facets_change(st, &(struct thread_key){
	    x->cmd.owner, before->created, before->seq }, before->metadata_json,
	    x->thread.metadata_json);
}

static int
thread_update_busy(struct store *st, struct store_run_create *x)
{
	return db_run(&st->w, SQL_THREAD_BEGIN_RUN, db_i64(THREAD_BUSY),
	    db_i64(x->thread.updated), db_uuid(&x->run.assistant_id),
	    db_json(x->thread.metadata_json), db_json(x->thread.config_json),
	    db_i64(x->thread.node), db_i64(x->thread.seq), db_i64(x->cmd.owner));
}

static int
run_insert(struct store *st, struct store_run_create *x)
{
	struct store_run *r = &x->run;
	int rc;

	r->seq = store_seq_next(st, SEQ_RUN);
	r->thread_seq = x->thread.seq;
	r->attempt = 1;
	r->error_json = STR_NONE;
	rc = db_run(&st->w, SQL_RUN_INSERT, db_i64(r->seq), db_uuid(&r->id),
	    db_i64(r->thread_seq), db_i64(r->status), db_i64(r->multitask),
	    db_i64(r->created), db_i64(r->updated), db_uuid(&r->assistant_id),
	    db_text(r->graph_id), db_json(r->kwargs_json),
	    db_json(r->metadata_json), db_json(r->base_json),
	    x->agent.hash.n == 0 ? db_null() : db_blob(x->agent.hash),
	    db_i64(r->held),
	    uuid_is_zero(&x->payer) ? db_null() : db_uuid(&x->payer));
	if (rc == OK && db_changes(&st->w) == 0)
		rc = err_set(&x->cmd.err, ERR_CONFLICT, "Run already exists");
	return rc;
}

/* Who deletes an assistant has looked for its runs: no other may begin behind that. */
static int
assistant_stays(struct store *st, struct store_run_create *x)
{
	int rc = query_any(query_of(&st->w, SQL_ASSISTANT_STAYS,
	    db_uuid(&x->run.assistant_id), db_i64(x->cmd.owner)));
	char id[UUID_TEXT];

	uuid_format(&x->run.assistant_id, id);
	return rc != ERR_NOTFOUND ? rc : err_set(&x->cmd.err, rc, "No assistant found for "
	    "\"%.*s\": it was deleted", UUID_TEXT, id);
}

/* What the run begins with, beside its own row. */
static int
run_begin(struct store *st, struct store_run_create *x)
{
	int rc = x->of_assistant ? assistant_stays(st, x) : OK;

	x->run.agent_hash = x->agent.hash;
	if (rc == OK && x->agent.hash.n > 0 && x->agent.body.p != NULL)
		rc = db_run(&st->w, SQL_AGENT_PUT, db_blob(x->agent.hash),
		    db_text(x->agent.id), db_text(x->agent.body),
		    db_i64(x->run.created));
	if (rc == OK)
		rc = run_insert(st, x);
	if (rc == OK && x->webhook.n > 0)
		rc = db_run(&st->w, SQL_RUN_WEBHOOK, db_i64(x->run.seq),
		    db_text(x->webhook), db_str(x->push_json.n > 0 ? x->push_json :
		    STR_NONE));
	return rc;
}

static int
run_create(struct store *st, struct store_cmd *c)
{
	struct store_run_create *x = (struct store_run_create *)c;
	struct store_thread before;
	bool fresh = false;
	int rc;

	assert(c->arena != NULL);
	assert(!uuid_is_zero(&x->run.id) && !uuid_is_zero(&x->run.assistant_id));
	x->has_busy = false;
	x->ended_n = 0;
	rc = thread_find(st, x);
	if (rc == ERR_NOTFOUND && x->create_thread) {
		x->thread = (struct store_thread){
			.id = x->run.thread_id, .created = x->run.created,
			.metadata_json = x->thread_metadata_json.n > 0 ?
			    x->thread_metadata_json : S("{}"),
			.config_json = S("{}"),
		};
		fresh = true;
		rc = OK;
	}
	x->foreign = rc == OK ? node_foreign(st, x->thread.node) : 0;
	if (rc == OK && fresh)
		rc = quota_check(st, c, QUOTA_THREADS, 1);
	if (rc == OK)
		rc = quota_check(st, c, QUOTA_RUNS, 1);
	if (rc == OK)
		rc = run_admit(st, x);
	if (rc == OK && !uuid_is_zero(&x->times_out))
		rc = ask_moves(st, c, x->thread.seq, &x->times_out, x->asked_again);
	if (rc == OK && !uuid_is_zero(&x->firing.cron))
		rc = cron_fired(st, c, &x->firing, STR_NONE);
	if (rc == OK && x->questions_n > 0)
		rc = interrupts_wait(st, c, x->thread.seq, x->questions, x->questions_n);
	before = x->thread;
	if (rc == OK)
		rc = thread_metadata(x);
	if (rc == OK)
		rc = records_merge(c->arena, x->thread.config_json,
		    x->thread_config_json, &x->thread.config_json, &c->err);
	if (rc != OK)
		return rc;
	x->thread.status = THREAD_BUSY;
	x->thread.updated = x->run.updated;
	rc = fresh ? thread_insert_busy(st, x) : thread_update_busy(st, x);
	if (rc == OK)
		rc = fresh ? threads_index(st, c->owner, &x->thread) :
		    thread_change(st, x, &before);
	return rc == OK ? run_begin(st, x) : rc;
}
static void
run_create_locks(const struct store_cmd *c, struct lock_set *l)
{
	const struct store_run_create *x = (const struct store_run_create *)c;

	if (x->create_thread)
		lock_thread_new(l, &x->run.thread_id);
	else
		lock_thread(l, &x->run.thread_id);
	lock_quota(l, c);
}
const struct op store_op_run_create = { .fenced = true, .run = run_create, .locks = run_create_locks,
    .numbers = true,
    .texts = OP_TEXTS(OP_TEXT(run_create, run.kwargs_json),
    OP_TEXT(run_create, run.metadata_json), OP_TEXT(run_create, run.base_json),
    OP_TEXT(run_create, thread_config_json), OP_TEXT(run_create, webhook),
    OP_TEXT(run_create, push_json),
    OP_TEXT(run_create, agent.body)) };

/* ---- take ---------------------------------------------------------------- */

static int
run_load(struct store *st, int64_t seq, owner_t owner, struct arena *a,
    struct store_run *out)
{
	return query_one(query_of(&st->w, SQL_RUN_AT, db_i64(seq),
	    db_i64(owner)), &store_run_record, out, a);
}

/* The first pending run in order of `created`, which is the time that one was held
 * until; those that still are held come last. */
static int
run_next(struct store *st, int64_t thread, int64_t *seq)
{
	struct query q = query_of(&st->w, SQL_RUNS_PENDING, db_i64(thread));
	bool held = false;
	msec created = 0;
	int rc;

	*seq = 0;
	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		bool is_held = query_i64(&q, 2) != 0;
		msec at = query_i64(&q, 3);

		if (*seq != 0 && (is_held != held ? is_held : at >= created))
			continue;
		*seq = query_i64(&q, 0);
		held = is_held;
		created = at;
	}
	query_end(&q);
	if (rc != ERR_NOTFOUND || *seq == 0)
		return rc;
	return held ? ERR_AGAIN : OK;
}

int
run_take_next(struct store *st, struct store_cmd *c, int64_t thread, msec now,
    struct store_run *out)
{
	int64_t seq;
	int rc = run_next(st, thread, &seq);

	if (rc == OK) {
		assert(c->arena != NULL);
		rc = run_load(st, seq, c->owner, c->arena, out);
	}
	if (rc != OK)
		return rc;
	out->status = RUN_RUNNING;
	out->updated = now;
	return db_run(&st->w, SQL_RUN_TAKE, db_i64(now), db_i64(seq));
}

/* The thread's parked run, if there is one, is in memory again. */
static int
run_wake(struct store *st, struct store_run_claim *x)
{
	int64_t seq = 0;
	int rc = wait_of(st, x->thread_seq, &seq);

	if (rc == OK)
		rc = run_load(st, seq, x->cmd.owner, x->cmd.arena, &x->run);
	if (rc == OK)
		rc = wait_drop(st, x->thread_seq);
	x->woken = rc == OK && x->run.status == RUN_RUNNING;
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
run_claim(struct store *st, struct store_cmd *c)
{
	struct store_run_claim *x = (struct store_run_claim *)c;
	struct active a;
	bool released = false;
	int64_t node = 0;
	int rc = node_of_thread(st, x->thread_seq, &node);

	x->woken = x->taken = false;
	x->foreign = rc == OK ? node_foreign(st, node) : 0;
	if (x->foreign > 0)
		return ERR_NOTFOUND;
	if (rc == OK)
		rc = db_run(&st->w, SQL_RUN_RELEASE, db_i64(x->thread_seq), db_i64(x->now));
	if (rc == OK)
		released = db_changes(&st->w) > 0;
	if (rc == OK && x->wake)
		rc = run_wake(st, x);
	x->taken = x->woken;
	if (rc == OK && x->woken)
		rc = node_set(st, x->thread_seq, node_ours(st));
	if (rc != OK || x->woken)
		return rc;
	rc = runs_active(st, x->thread_seq, &a);
	if (rc == OK && a.running > 0)
		return released ? OK : ERR_NOTFOUND;
	if (rc == OK)
		rc = run_take_next(st, c, x->thread_seq, x->now, &x->run);
	if (rc == OK)
		rc = node_set(st, x->thread_seq, node_ours(st));
	x->taken = rc == OK;
	return rc == ERR_AGAIN ? ERR_NOTFOUND : rc;
}
OP_LOCK(run_claim, lock_thread_seq(l, x->thread_seq))
const struct op store_op_run_claim = { .fenced = true, .run = run_claim,
    .locks = run_claim_locks };

/* ---- cancel --------------------------------------------------------------- */

/* After a pending run has gone: is anything of the thread still under way? */
static int
thread_settle(struct store *st, struct store_cmd *c, int64_t thread, msec now)
{
	enum thread_status status;
	struct active a;
	bool waits = false;
	int rc = runs_active(st, thread, &a);

	if (rc == OK && a.all == 0)
		rc = interrupts_any(st, thread, &waits);
	if (rc != OK || a.all > 0)
		return rc;
	status = waits ? THREAD_INTERRUPTED : THREAD_IDLE;
	rc = tally_move(st, c->owner, THREAD_BUSY, status);
	if (rc == OK)
		rc = db_run(&st->w, SQL_THREAD_STATUS, db_i64(status), db_i64(now),
		    db_i64(thread), db_i64(c->owner));
	if (rc == OK)
		rc = node_set(st, thread, -node_ours(st));
	return rc == OK ? threads_settled(st, c->owner, thread) : rc;
}

static int
run_cancel(struct store *st, struct store_cmd *c)
{
	struct store_run_cancel *x = (struct store_run_cancel *)c;
	enum run_status status = RUN_PENDING;
	int64_t run = 0, thread = 0, node = 0;
	struct query q = query_of(&st->w, SQL_RUN_GET, db_uuid(&x->run_id),
	    db_i64(c->owner));
	int rc = query_row(&q);

	if (rc == OK) {
		run = query_i64(&q, 3);
		thread = query_i64(&q, 4);
		status = (enum run_status)query_i64(&q, 5);
	}
	query_end(&q);
	x->was_done = rc == OK && status > RUN_RUNNING;
	x->foreign = 0;
	if (rc == OK && !x->was_done)
		rc = node_of_thread(st, thread, &node);
	if (rc != OK || x->was_done)
		return rc;
	x->foreign = node_foreign(st, node);
	if (x->foreign > 0)
		return run_want_cancel(st, run, x->rollback, x->reason);
	if (status == RUN_RUNNING)
		return err_set(&c->err, ERR_CONFLICT, "the run is running");
	rc = x->rollback ? run_erase(st, run, thread) :
	    run_cancelled(st, run, x->reason, x->now);
	return rc == OK ? thread_settle(st, c, thread, x->now) : rc;
}
OP_LOCK(run_cancel, lock_thread_of_run(l, &x->run_id))
const struct op store_op_run_cancel = { .run = run_cancel,
    .locks = run_cancel_locks, .numbers = true };
