/*
 * hooks.c - messages to servers of others: what a run's end leaves for its webhook, and
 * what is sent otherwise; until they were delivered or given up.
 *
 * Each end of a run goes through run_ends or run_erase, and both write the row of
 * its webhook.  The row of a run has the run as it ended, for the run itself may be
 * gone when the row is read; values are read from the checkpoint that was the newest.
 *
 * A row goes with its thread; a temporary thread waits for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"
#include "store/hook.h"
#include "store/store_priv.h"

/* ---- the end of a run ---------------------------------------------------------- */

static int
hook_put(struct store *st, int64_t run, int status, struct str error,
    struct str cancel_reason, msec now)
{
	return db_run(&st->w, SQL_HOOK_OF_RUN, db_i64(run), db_i64(status),
	    db_str(error.n == 0 ? STR_NONE : error),
	    db_str(cancel_reason.n == 0 ? STR_NONE : cancel_reason), db_i64(now));
}

int
run_ends(struct store *st, int64_t run, bool has_hook, enum run_status status,
    struct str error, struct str cancel_reason, msec now)
{
	int rc = has_hook ? hook_put(st, run, (int)status, error, cancel_reason, now) : OK;

	return rc != OK ? rc : db_run(&st->w, SQL_RUN_END, db_i64(status),
	    db_str(error.n == 0 ? STR_NONE : error), db_i64(now),
	    db_str(cancel_reason.n == 0 ? STR_NONE : cancel_reason), db_i64(run));
}

int
hook_of_rollback(struct store *st, int64_t run)
{
	return hook_put(st, run, HOOK_ROLLBACK, STR_NONE, STR_NONE, clock_wall_ms());
}

/* ---- commands -------------------------------------------------------------------- */

static int
hook_send(struct store *st, struct store_cmd *c)
{
	const struct store_hook_put *x = (struct store_hook_put *)c;

	return db_run(&st->w, SQL_HOOK_INSERT, db_i64(c->owner), db_i64(x->thread_seq),
	    db_uuid(&x->id), db_text(x->url), db_text(x->headers), db_text(x->body),
	    db_i64(x->now));
}
OP_LOCK(hook_put, lock_thread_seq(l, x->thread_seq))
const struct op store_op_hook_put = { .run = hook_send, .texts = OP_TEXTS(
    OP_TEXT(hook_put, url), OP_TEXT(hook_put, headers), OP_TEXT(hook_put, body)),
    .locks = hook_put_locks };

static int
run_push(struct store *st, struct store_cmd *c)
{
	const struct store_run_push *x = (struct store_run_push *)c;
	int rc = db_run(&st->w, SQL_RUN_PUSH, db_uuid(&x->run_id), db_i64(c->owner),
	    db_str(x->url.n > 0 ? x->url : STR_NONE),
	    db_str(x->push_json.n > 0 ? x->push_json : STR_NONE));

	return rc == OK && db_changes(&st->w) == 0 ? err_set(&c->err, ERR_CONFLICT,
	    "the run has a webhook of its own") : rc;
}
OP_LOCK(run_push, lock_thread_of_run(l, &x->run_id))
const struct op store_op_run_push = { .run = run_push, .texts = OP_TEXTS(
    OP_TEXT(run_push, url), OP_TEXT(run_push, push_json)), .locks = run_push_locks };

/* It was kept for what the row tells.  It may be gone itself. */
static int
thread_unneeded(struct store *st, struct store_cmd *c, int64_t thread)
{
	int rc = threads_check_idle(st, c, thread);

	if (rc == OK)
		rc = threads_settled(st, c->owner, thread);
	if (rc != ERR_CONFLICT && rc != ERR_NOTFOUND)
		return rc;
	c->err = (struct err){ 0 };
	return OK;
}

static int
hook_set(struct store *st, struct store_cmd *c)
{
	const struct store_hook_set *x = (struct store_hook_set *)c;
	int rc;

	if (!x->over)
		return db_run(&st->w, SQL_HOOK_LATER, db_i64(x->tries), db_i64(x->due),
		    db_i64(x->seq));
	rc = db_run(&st->w, SQL_HOOK_DONE, db_i64(x->seq));
	if (rc == OK && x->thread_seq != 0)
		rc = thread_unneeded(st, c, x->thread_seq);
	return rc;
}
OP_LOCK(hook_set, lock_thread_seq(l, x->thread_seq))
const struct op store_op_hook_set = { .run = hook_set,
    .locks = hook_set_locks };

static int
hook_take(struct store *st, struct store_cmd *c)
{
	const struct store_hook_take *x = (struct store_hook_take *)c;
	int rc = db_run(&st->w, SQL_HOOK_TAKE, db_i64(x->seq), db_i64(x->due),
	    db_i64(x->later));

	return rc == OK && db_changes(&st->w) == 0 ? err_set(&c->err, ERR_CONFLICT,
	    "another server sends it") : rc;
}
/* The row decides.  The key is for the order: servers take the same messages at once. */
OP_LOCK(hook_take, lock_number(l, LOCK_HOOK, x->seq))
const struct op store_op_hook_take = { .run = hook_take, .fenced = true,
    .locks = hook_take_locks };

/* ---- point reads ------------------------------------------------------------------ */

int
store_hook_receiver(struct store_reader *r, struct str after, struct arena *a,
    struct str *out)
{
	struct query q = query_of(reader_db(r), SQL_HOOK_RECEIVER, db_text(after));
	int rc = query_row(&q);

	if (rc == OK && query_null(&q, 0))
		rc = ERR_NOTFOUND;
	if (rc == OK)
		*out = query_str(&q, 0, a);
	query_end(&q);
	return rc == OK ? arena_rc(a) : rc;
}

static void
hook_read(const struct query *q, struct arena *a, struct store_hook *h)
{
	*h = (struct store_hook){ .seq = query_i64(q, 0), .thread_seq = query_i64(q, 1),
	    .owner = query_i64(q, 2), .id = query_uuid(q, 3), .url = query_str(q, 4, a),
	    .headers = query_str(q, 5, a), .body = query_str(q, 6, a),
	    .tries = query_i64(q, 7), .due = query_i64(q, 21) };
	h->of_run = query_null(q, 6);
	if (!h->of_run)
		return;
	h->run = (struct store_run){ .id = h->id, .thread_id = query_uuid(q, 8),
	    .assistant_id = query_uuid(q, 9), .multitask = (enum multitask)query_i64(q, 11),
	    .created = query_i64(q, 12), .updated = query_i64(q, 14),
	    .kwargs_json = query_str(q, 15, a), .metadata_json = query_str(q, 16, a),
	    .error_json = query_str(q, 17, a), .cancel_reason = query_str(q, 18, a) };
	h->rolled_back = query_i64(q, 10) == HOOK_ROLLBACK;
	h->run.status = h->rolled_back ? RUN_INTERRUPTED : (enum run_status)query_i64(q, 10);
	h->started = query_null(q, 13) ? 0 : query_i64(q, 13);
	h->ended = query_i64(q, 14);
	h->checkpoint = query_uuid(q, 19);
	h->push_json = query_str(q, 20, a);
}

int
store_run_push_get(struct store_reader *r, owner_t o, const struct uuid *run_id,
    struct arena *a, struct str *out)
{
	struct query q = query_of(reader_db(r), SQL_RUN_PUSH_GET, db_uuid(run_id), db_i64(o));
	int rc = query_row(&q);

	*out = STR_NONE;
	if (rc == OK && !query_null(&q, 0))
		*out = query_str(&q, 0, a);
	query_end(&q);
	return rc == OK ? arena_rc(a) : rc;
}

int
store_hooks_due(struct store_reader *r, struct str receiver, msec now, size_t max,
    struct arena *a, struct store_hook **out, size_t *n)
{
	struct query q = query_of(reader_db(r), SQL_HOOKS_DUE, db_text(receiver),
	    db_i64(now), db_i64((int64_t)max));
	size_t cap = 0;
	int rc;

	*out = NULL;
	*n = 0;
	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		if (!arena_grow(a, *out, *n, cap)) {
			rc = ERR_TOOBIG;
			break;
		}
		hook_read(&q, a, &(*out)[(*n)++]);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? arena_rc(a) : rc;
}

int
store_hook_get(struct store_reader *r, int64_t seq, struct arena *a,
    struct store_hook *out)
{
	struct query q = query_of(reader_db(r), SQL_HOOK_AT, db_i64(seq));
	int rc = query_row(&q);

	if (rc == OK)
		hook_read(&q, a, out);
	query_end(&q);
	return rc == OK ? arena_rc(a) : rc;
}

int
store_hook_next(struct store_reader *r, msec now, msec *out)
{
	struct query q = query_of(reader_db(r), SQL_HOOK_NEXT, db_i64(now));
	int rc = query_row(&q);

	*out = rc == OK && !query_null(&q, 0) ? query_i64(&q, 0) : INT64_MAX;
	query_end(&q);
	return rc;
}

int
store_hooks_wanted(struct store_reader *r, bool *out)
{
	int64_t any = 0;
	int rc = query_one_i64(query_of(reader_db(r), SQL_HOOKS_WANTED), &any);

	*out = any != 0;
	return rc;
}
