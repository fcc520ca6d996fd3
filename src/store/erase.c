/*
 * erase.c - removing what was deleted, a bounded number of rows at a time.
 *
 * Deleting a small thread removes its rows at once.  A large one is *buried*:
 * its owner becomes -1 and its uuid NULL, so nobody can name it any more, and
 * the writer removes the rows when it is idle or along with other commits.
 * Buried rows are found by partial indexes, so a restart goes on with them.
 *
 * The order is from the leaves: streams and journal, runs; messages,
 * checkpoints; the thread.  Foreign keys refuse any other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "store/store_priv.h"

#define CHECKPOINTS_AT_ONCE 128
#define RUN_ERASE_NOW       300              /* rows; more are buried */

/* After a DELETE that was limited by the budget. */
static int
budget_pay(struct db *db, int rc, int64_t *budget)
{
	if (rc != OK)
		return rc;
	*budget -= db_changes(db);
	return *budget > 0 ? OK : ERR_AGAIN;
}

static int
erase_by(struct db *db, enum sql text, int64_t key, int64_t *budget)
{
	return budget_pay(db, db_run(db, text, db_i64(key), db_i64(*budget)),
	    budget);
}

static int
erase_row(struct db *db, enum sql text, int64_t key, int64_t *budget)
{
	int rc = db_run(db, text, db_i64(key));

	--*budget;
	return rc == OK && *budget <= 0 ? ERR_AGAIN : rc;
}

static int
runs_erase(struct db *db, int64_t thread, int64_t *budget)
{
	int64_t run;
	int rc;

	for (;;) {
		rc = query_one_i64(query_of(db, SQL_RUN_ONE_OF,
		    db_i64(thread)), &run);
		if (rc == OK)
			rc = erase_by(db, SQL_STREAM_ERASE, run, budget);
		if (rc == OK)
			rc = erase_by(db, SQL_CALL_ERASE, run, budget);
		if (rc == OK)
			rc = erase_row(db, SQL_RUN_ERASE, run, budget);
		if (rc != OK)
			return rc == ERR_NOTFOUND ? OK : rc;
	}
}

struct oldest {
	struct uuid id[CHECKPOINTS_AT_ONCE];
	int64_t seq[CHECKPOINTS_AT_ONCE];
	bool begins[CHECKPOINTS_AT_ONCE];    /* the list is its own */
	size_t n;
};

static int
checkpoints_oldest(struct db *db, int64_t thread, int64_t max, struct oldest *o)
{
	struct query q;
	int rc = OK;

	o->n = 0;
	q = query_of(db, SQL_CHECKPOINT_OLDEST, db_i64(thread),
	    db_i64(max < CHECKPOINTS_AT_ONCE ? max : CHECKPOINTS_AT_ONCE));
	for (;;) {
		rc = query_row(&q);
		if (rc != OK)
			break;
		o->id[o->n] = query_uuid(&q, 0);
		o->seq[o->n] = query_i64(&q, 1);
		o->begins[o->n] = query_i64(&q, 2) == o->seq[o->n];
		o->n++;
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
list_erase(struct db *db, int64_t list, int64_t *budget)
{
	return budget_pay(db, db_run(db, SQL_MESSAGE_ERASE,
	    db_i64(list << LIST_BITS), db_i64((list + 1) << LIST_BITS),
	    db_i64(*budget)), budget);
}

/* A list goes before the checkpoint that began it, which is how it is found. */
static int
checkpoints_erase(struct db *db, int64_t thread, int64_t *budget)
{
	struct oldest o;
	int rc;

	do {
		rc = checkpoints_oldest(db, thread, *budget, &o);
		for (size_t i = 0; rc == OK && i < o.n; i++)
			if (o.begins[i])
				rc = list_erase(db, o.seq[i], budget);
		if (rc != OK || o.n == 0)
			return rc;
		rc = db_run(db, SQL_CHECKPOINT_ERASE, db_i64(thread),
		    db_uuid(&o.id[o.n - 1]));
		*budget -= (int64_t)o.n;
	} while (rc == OK && *budget > 0 && o.n == CHECKPOINTS_AT_ONCE);
	return rc == OK && *budget <= 0 ? ERR_AGAIN : rc;
}

int
erase_thread(struct db *db, int64_t thread, int64_t *budget)
{
	int rc;

	assert(*budget > 0);
	rc = runs_erase(db, thread, budget);
	if (rc == OK)
		rc = checkpoints_erase(db, thread, budget);
	if (rc == OK) {
		rc = erase_row(db, SQL_THREAD_ERASE, thread, budget);
		rc = rc == ERR_AGAIN ? OK : rc;      /* that was the last */
	}
	return rc;
}

int
erase_assistant(struct db *db, int64_t assistant, int64_t *budget)
{
	int rc;

	assert(*budget > 0);
	rc = erase_by(db, SQL_VERSION_ERASE, assistant, budget);
	if (rc == OK) {
		rc = erase_row(db, SQL_ASSISTANT_ERASE, assistant, budget);
		rc = rc == ERR_AGAIN ? OK : rc;
	}
	return rc;
}

int
erase_buried(struct store *st, int64_t budget)
{
	int64_t seq;
	int rc = OK;

	while (rc == OK && budget > 0) {
		rc = query_one_i64(query_of(&st->w, SQL_THREAD_DEAD), &seq);
		if (rc == OK) {
			rc = erase_thread(&st->w, seq, &budget);
			continue;
		}
		if (rc == ERR_NOTFOUND)
			rc = query_one_i64(query_of(&st->w, SQL_ASSISTANT_DEAD), &seq);
		if (rc == OK)
			rc = erase_assistant(&st->w, seq, &budget);
	}
	if (rc == ERR_NOTFOUND) {
		st->dead = false;
		return OK;
	}
	return rc == OK ? ERR_AGAIN : rc;
}

int
erase_find(struct store *st)
{
	int64_t seq;
	int rc = query_one_i64(query_of(&st->w, SQL_THREAD_DEAD), &seq);

	if (rc == ERR_NOTFOUND)
		rc = query_one_i64(query_of(&st->w, SQL_ASSISTANT_DEAD), &seq);
	st->dead = rc == OK;
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- one run ---------------------------------------------------------------- */

struct checkpoint {
	int64_t seq, parent, run, list, len;
};

/* ERR_NOTFOUND: seq is 0, before the first. */
static int
checkpoint_read_place(struct db *db, int64_t thread, struct checkpoint *c)
{
	struct query q = query_of(db, SQL_CHECKPOINT_PLACE, db_i64(c->seq),
	    db_i64(thread));
	int rc = query_row(&q);

	if (rc == OK) {
		c->parent = query_i64(&q, 0);
		c->run = query_i64(&q, 1);
		c->list = query_i64(&q, 2);
		c->len = query_i64(&q, 3);
	}
	query_end(&q);
	return rc;
}

/* Entries of a list from `from` on. */
static int
list_cut(struct db *db, int64_t list, int64_t from)
{
	return db_run(db, SQL_MESSAGE_DROP, db_i64((list << LIST_BITS) + from),
	    db_i64((list + 1) << LIST_BITS));
}

static int
checkpoint_drop(struct db *db, int64_t thread, const struct checkpoint *c)
{
	int rc = db_run(db, SQL_CHECKPOINT_DROP, db_i64(c->seq),
	    db_i64(thread));

	return rc == OK && c->list == c->seq ? list_cut(db, c->list, 0) : rc;
}

/* Checkpoints that later runs continued from stay, without the run: after a
 * restart another one may get its number. */
static int
checkpoints_orphan(struct db *db, int64_t thread, int64_t run)
{
	return db_run(db, SQL_CHECKPOINT_ORPHAN, db_i64(thread), db_i64(run));
}

/* The run's checkpoints at the thread's end.  *newest: the thread's latest. */
static int
checkpoints_drop(struct db *db, int64_t thread, int64_t run, int64_t *newest)
{
	struct checkpoint c = { .seq = *newest };
	int rc = checkpoint_read_place(db, thread, &c);

	while (rc == OK && c.run == run) {
		rc = checkpoint_drop(db, thread, &c);
		c.seq = c.parent;
		if (rc == OK)
			rc = checkpoint_read_place(db, thread, &c);
	}
	if (rc == OK && c.seq != *newest && c.list != 0)
		rc = list_cut(db, c.list, c.len);
	*newest = c.seq;
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* A run with too many rows is erased later, as a buried thread. */
static int
run_bury(struct store *st, int64_t run)
{
	int64_t grave = store_seq_next(st, SEQ_THREAD);
	int rc = db_run(&st->w, SQL_THREAD_GRAVE, db_i64(grave));

	if (rc != OK)
		return rc;
	st->dead = true;
	return db_run(&st->w, SQL_RUN_MOVE, db_i64(grave), db_i64(run));
}

static int
run_erase(struct store *st, int64_t run)
{
	int64_t budget = RUN_ERASE_NOW;
	int rc = erase_by(&st->w, SQL_STREAM_ERASE, run, &budget);

	if (rc == OK)
		rc = erase_by(&st->w, SQL_CALL_ERASE, run, &budget);
	if (rc == ERR_AGAIN)
		return run_bury(st, run);
	if (rc == OK)
		rc = erase_row(&st->w, SQL_RUN_ERASE, run, &budget);
	return rc == ERR_AGAIN ? OK : rc;    /* that was the last */
}

static int
run_find(struct store *st, struct store_run_delete *x, int64_t *run,
    struct store_thread *t)
{
	bool on_thread = false;
	struct query q = query_of(&st->w, SQL_RUN_GET, db_uuid(&x->run_id),
	    db_i64(x->cmd.owner));
	int rc = query_row(&q);

	if (rc == OK) {
		struct uuid thread = query_uuid(&q, 1);

		*run = query_i64(&q, 3);
		on_thread = uuid_eq(&thread, &x->thread_id);
	}
	query_end(&q);
	if (rc != OK || !on_thread)
		return rc == OK ? ERR_NOTFOUND : rc;
	rc = query_one(query_of(&st->w, SQL_THREAD_GET, db_uuid(&x->thread_id),
	    db_i64(x->cmd.owner)), &store_thread_record, t, &st->scratch);
	return rc;
}

static int
run_delete(struct store *st, struct store_cmd *c)
{
	struct store_run_delete *x = (struct store_run_delete *)c;
	struct store_thread t = { .seq = 0 };
	int64_t run = 0, newest;
	int rc = run_find(st, x, &run, &t);

	if (rc == OK)
		rc = threads_check_idle(st, c, t.seq);
	newest = t.checkpoint;
	if (rc == OK)
		rc = checkpoints_drop(&st->w, t.seq, run, &newest);
	if (rc == OK)
		rc = checkpoints_orphan(&st->w, t.seq, run);
	if (rc == OK)
		rc = run_erase(st, run);
	if (rc != OK || newest == t.checkpoint)
		return rc;
	return db_run(&st->w, SQL_THREAD_ADVANCE, db_i64(newest), db_i64(t.seq),
	    db_i64(c->owner));
}
const struct op store_op_run_delete = { .run = run_delete };
