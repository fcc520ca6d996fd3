/*
 * waits.c - what waits for a time without being in memory: parked runs, runs that
 * begin later, and questions with a time limit.
 *
 * A run is parked while it has a row in `wait`.  The row is written in the
 * transaction that completes what is stored of the run, and goes in the one that
 * takes the run up: so what a row stands for is always whole.  A question's limit
 * is a column of its own row; when the question is answered, void or deleted, it
 * is in the index of limits no more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/node.h"
#include "store/store_priv.h"

/* ---- on the writer ----------------------------------------------------------- */

int
wait_put(struct store *st, int64_t thread, int64_t run, msec due)
{
	int rc = db_run(&st->w, SQL_WAIT_PUT, db_i64(thread), db_i64(run), db_i64(due));

	return rc != OK ? rc : db_run(&st->w, SQL_RUN_RESTED, db_i64(run));
}

int
wait_drop(struct store *st, int64_t thread)
{
	return db_run(&st->w, SQL_WAIT_GONE, db_i64(thread));
}

int
wait_of(struct store *st, int64_t thread, int64_t *run)
{
	return query_one_i64(query_of(&st->w, SQL_WAIT_OF, db_i64(thread)), run);
}

int
ask_moves(struct store *st, struct store_cmd *c, int64_t thread, const struct uuid *id,
    msec due)
{
	int rc = db_run(&st->w, SQL_ASK_LATER, db_i64(due), db_i64(thread), db_uuid(id));

	if (rc == OK && db_changes(&st->w) == 0)
		rc = err_set(&c->err, ERR_CONFLICT, "the question does not wait any more");
	return rc;
}

static int
ask_later(struct store *st, struct store_cmd *c)
{
	const struct store_ask_later *x = (struct store_ask_later *)c;

	return ask_moves(st, c, x->thread_seq, &x->id, x->due);
}
OP_LOCK(ask_later, lock_thread_seq(l, x->thread_seq))
const struct op store_op_ask_later = { .run = ask_later,
    .locks = ask_later_locks };

/* ---- point reads --------------------------------------------------------------- */

static int
due_read(struct query *q, int what, struct arena *a, struct store_due **out, size_t *n,
    size_t *cap)
{
	int rc;

	for (rc = query_row(q); rc == OK; rc = query_row(q)) {
		if (!arena_grow(a, *out, *n, *cap)) {
			rc = ERR_TOOBIG;
			break;
		}
		(*out)[(*n)++] = (struct store_due){ .what = what, .due = query_i64(q, 0),
		    .thread_seq = query_i64(q, 1), .thread_id = query_uuid(q, 2),
		    .owner = query_i64(q, 3), .id = query_uuid(q, 4),
		    .run_id = query_uuid(q, 5) };
	}
	query_end(q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* of_thread: not those whose thread another node has; that one sees to them. */
static const struct { enum sql due, next; bool of_thread; } dues[] = {
	[DUE_RUN] = { SQL_WAITS_DUE, SQL_WAITS_NEXT, true },
	[DUE_HELD] = { SQL_HELD_DUE, SQL_HELD_NEXT, true },
	[DUE_QUESTION] = { SQL_ASKS_DUE, SQL_ASKS_NEXT, true },
	[DUE_CRON] = { SQL_CRONS_DUE, SQL_CRONS_NEXT, false },
};

int
store_due_get(struct store_reader *r, msec now, size_t max, struct arena *a,
    struct store_due **out, size_t *n)
{
	size_t cap = 0;
	int rc = OK;

	*out = NULL;
	*n = 0;
	for (size_t i = 0; rc == OK && i < COUNT(dues); i++) {
		struct query q = dues[i].of_thread ? query_of(&r->db, dues[i].due,
		    db_i64(now), db_i64((int64_t)max), db_i64(store_node(r->st))) :
		    query_of(&r->db, dues[i].due, db_i64(now), db_i64((int64_t)max));

		rc = due_read(&q, (int)i, a, out, n, &cap);
	}
	return rc;
}

int
store_due_next(struct store_reader *r, msec *out)
{
	*out = INT64_MAX;
	for (size_t i = 0; i < COUNT(dues); i++) {
		struct query q = dues[i].of_thread ? query_of(&r->db, dues[i].next,
		    db_i64(store_node(r->st))) : query_of(&r->db, dues[i].next);
		int rc = query_row(&q);
		msec due = rc == OK ? query_i64(&q, 0) : INT64_MAX;

		query_end(&q);
		if (rc != OK && rc != ERR_NOTFOUND)
			return rc;
		*out = due < *out ? due : *out;
	}
	return OK;
}
