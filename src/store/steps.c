/*
 * steps.c - what steps and updates leave on a thread, and the end of a run.
 *
 *   thread.checkpoint is the newest checkpoint of the root namespace.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/json.h"
#include "store/node.h"
#include "store/store_priv.h"

/* ---- of a run that goes on ------------------------------------------------- */

int
thread_advance(struct changing *w)
{
	return w->updated == 0 ? OK : db_run(&w->st->w, SQL_THREAD_ADVANCE,
	    db_i64(place_root(w)->seq), db_i64(w->updated), db_i64(w->thread),
	    db_i64(w->owner));
}

/* It is parked: whichever node wakes it has it. */
static int
run_rests(const struct changing *w, msec due)
{
	int rc = wait_put(w->st, w->thread, w->run, due);

	return rc != OK || w->node == NODE_ALONE ? rc : db_run(&w->st->w,
	    SQL_THREAD_NODE_REST, db_i64(w->thread), db_i64(w->node));
}

static int
run_save(struct store *st, struct store_cmd *c)
{
	struct store_run_save *x = (struct store_run_save *)c;
	struct changing w;
	int rc = changing_open_run(&w, st, c, x->run_seq, x->thread_seq);

	if (rc == OK)
		rc = changes_write(&w, &x->changes);
	if (rc == OK)
		rc = thread_advance(&w);
	if (rc == OK && x->park == PARK_SET)
		rc = run_rests(&w, x->due);
	if (rc == OK && x->park == PARK_CLEAR)
		rc = wait_drop(st, x->thread_seq);
	/* An agent that has taken a letter gets on. */
	if (rc == OK && x->changes.mails_taken_n > 0)
		rc = db_run(&st->w, SQL_RUN_RESTED, db_i64(x->run_seq));
	return rc;
}

static size_t
run_save_bytes(const struct store_cmd *c)
{
	return changes_bytes(&((const struct store_run_save *)c)->changes);
}
OP_LOCK(run_save, lock_thread_seq(l, x->thread_seq))
const struct op store_op_run_save = { .fenced = true, .run = run_save, .bytes = run_save_bytes,
    .locks = run_save_locks, .numbers = true };

/* ---- the end of a run ------------------------------------------------------ */

/* How a run ends, and what it hands over to the next one. */
struct ending {
	enum run_status status;
	enum thread_status thread_status;
	struct str error_json, cancel_reason;
	msec now;
	bool *has_next;
	struct store_run *next;
};

static int
thread_end_run(struct changing *w, const struct ending *e, int64_t checkpoint)
{
	enum thread_status status = e->thread_status;
	int rc = run_take_next(w->st, w->c, w->thread, e->now, e->next);
	bool over = rc == ERR_NOTFOUND;

	*e->has_next = rc == OK;
	if (!over && rc != OK && rc != ERR_AGAIN)
		return rc;
	if (!over)
		status = THREAD_BUSY;
	rc = tally_move(w->st, w->owner, THREAD_BUSY, status);
	if (rc == OK)
		rc = db_run(&w->st->w, SQL_THREAD_END_RUN, db_i64(status),
		    db_i64(e->now), db_i64(checkpoint),
		    db_str(e->error_json.n == 0 ? STR_NONE : e->error_json),
		    db_i64(w->updated), db_i64(w->thread), db_i64(w->owner),
		    db_i64(*e->has_next ? w->node : -w->node));
	return rc == OK && over && w->temporary ?
	    threads_settled(w->st, w->owner, w->thread) : rc;
}

static int
run_finished(struct changing *w, const struct ending *e)
{
	int rc = run_ends(w->st, w->run, w->has_hook, e->status, e->error_json,
	    e->cancel_reason, e->now);

	return rc == OK ? thread_end_run(w, e, place_root(w)->seq) : rc;
}

static int
run_taken_back(struct changing *w, struct ending *e)
{
	int64_t newest = 0;
	bool waits = false;
	int rc = run_rollback(w->st, w->c, w->owner, w->run, w->thread, &newest);

	if (rc == OK)
		rc = interrupts_any(w->st, w->thread, &waits);
	e->thread_status = waits ? THREAD_INTERRUPTED : THREAD_IDLE;
	e->error_json = STR_NONE;
	return rc == OK ? thread_end_run(w, e, newest) : rc;
}

static int
run_end(struct store *st, struct store_cmd *c)
{
	struct store_run_end *x = (struct store_run_end *)c;
	struct ending e = { x->status, x->thread_status, x->error_json,
	    x->cancel_reason, x->now, &x->has_next, &x->next };
	struct changing w;
	int rc = changing_open_run(&w, st, c, x->run_seq, x->thread_seq);

	assert(x->status > RUN_RUNNING || x->rollback);
	x->has_next = false;
	if (rc == OK && x->rollback)         /* it was paid for all the same */
		rc = usage_add(st, w.owner, x->thread_seq, x->run_seq, &w.payer,
		    x->changes.usage, x->changes.usage_n);
	if (rc == OK && x->unpark)
		rc = wait_drop(st, x->thread_seq);
	if (rc == OK && x->rollback)
		return run_taken_back(&w, &e);
	if (rc == OK)
		rc = changes_write(&w, &x->changes);
	if (rc == OK && x->events != NULL)
		rc = events_write(st, w.owner, x->events);
	return rc == OK ? run_finished(&w, &e) : rc;
}

static size_t
run_end_bytes(const struct store_cmd *c)
{
	const struct store_run_end *x = (const void *)c;

	return changes_bytes(&x->changes) + x->error_json.n +
	    (x->events != NULL ? x->events->bytes.n : 0);
}
OP_LOCK(run_end, lock_thread_seq(l, x->thread_seq))
const struct op store_op_run_end = { .fenced = true, .run = run_end, .bytes = run_end_bytes,
    .locks = run_end_locks, .numbers = true };

/* ---- without a run --------------------------------------------------------- */

static int
update_check(struct changing *w, const struct store_state_update *x)
{
	const struct place *root = place_root(w);
	int rc = threads_check_idle(w->st, w->c, w->thread);

	if (rc == ERR_CONFLICT)
		return err_set(&w->c->err, rc, "Thread is busy");
	if (rc == OK && !uuid_eq(&root->id, &x->head))
		rc = err_set(&w->c->err, ERR_CONFLICT, "the thread has changed since it "
		    "was read; read its state again and repeat the update");
	return rc;
}

static int
update_status(struct changing *w, struct store_state_update *x)
{
	struct store_thread *t = &x->t;
	int rc = OK;

	t->checkpoint = place_root(w)->seq;
	t->updated = x->now;
	if (w->updated > t->state_updated)
		t->state_updated = w->updated;
	if (x->status >= 0 && (int)t->status != x->status)
		rc = tally_move(w->st, w->owner, t->status,
		    (enum thread_status)x->status);
	if (x->status >= 0)
		t->status = (enum thread_status)x->status;
	return rc != OK ? rc : db_run(&w->st->w, SQL_THREAD_STATUS,
	    db_i64(t->status), db_i64(x->now), db_i64(w->thread), db_i64(w->owner));
}

static int
state_update(struct store *st, struct store_cmd *c)
{
	struct store_state_update *x = (struct store_state_update *)c;
	struct changing w;
	int rc = query_one(query_of(&st->w, SQL_THREAD_GET, db_uuid(&x->thread_id),
	    db_i64(c->owner)), &store_thread_record, &x->t, c->arena);

	assert(x->status != THREAD_BUSY);
	if (rc == OK)
		rc = changing_open(&w, st, c, c->owner, x->t.seq);
	if (rc == OK)
		rc = update_check(&w, x);
	if (rc == OK)
		rc = changes_write(&w, &x->changes);
	if (rc == OK)
		rc = thread_advance(&w);
	return rc == OK ? update_status(&w, x) : rc;
}

static size_t
state_update_bytes(const struct store_cmd *c)
{
	return changes_bytes(&((const struct store_state_update *)c)->changes);
}
OP_LOCK(state_update, lock_thread(l, &x->thread_id))
const struct op store_op_state_update = { .run = state_update,
    .bytes = state_update_bytes, .locks = state_update_locks, .numbers = true };
