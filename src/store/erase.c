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

/* Runs a DELETE whose last parameter is the budget, and pays for its rows. */
static int
erase_some(struct query *q, int64_t *budget)
{
	int64_t rows;
	int rc;

	bind_i64(q, *budget);
	rc = query_run(q);
	if (rc != OK)
		return rc;
	rows = sqlite3_changes64(q->db->h);
	*budget -= rows;
	return *budget > 0 ? OK : ERR_AGAIN;
}

static int
erase_by(struct db *db, enum sql text, int64_t key, int64_t *budget)
{
	struct query q = query_of(db, text);

	bind_i64(&q, key);
	return erase_some(&q, budget);
}

static int
erase_row(struct db *db, enum sql text, int64_t key, int64_t *budget)
{
	struct query q = query_of(db, text);
	int rc;

	bind_i64(&q, key);
	rc = query_run(&q);
	--*budget;
	return rc == OK && *budget <= 0 ? ERR_AGAIN : rc;
}

static int
find_one(struct db *db, enum sql text, const int64_t *key, int64_t *out)
{
	struct query q = query_of(db, text);
	int rc;

	if (key != NULL)
		bind_i64(&q, *key);
	rc = query_row(&q);
	if (rc == OK)
		*out = col_i64(&q, 0);
	query_end(&q);
	return rc;
}

static int
runs_erase(struct db *db, int64_t thread, int64_t *budget)
{
	int64_t run;
	int rc;

	for (;;) {
		rc = find_one(db, SQL_RUN_ONE_OF, &thread, &run);
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
	struct query q = query_of(db, SQL_CHECKPOINT_OLDEST);
	int rc = OK;

	o->n = 0;
	bind_i64(&q, thread);
	bind_i64(&q, max < CHECKPOINTS_AT_ONCE ? max : CHECKPOINTS_AT_ONCE);
	for (;;) {
		rc = query_row(&q);
		if (rc != OK)
			break;
		o->id[o->n] = col_uuid(&q, 0);
		o->seq[o->n] = col_i64(&q, 1);
		o->begins[o->n] = col_i64(&q, 2) == o->seq[o->n];
		o->n++;
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
list_erase(struct db *db, int64_t list, int64_t *budget)
{
	struct query q = query_of(db, SQL_MESSAGE_ERASE);

	bind_i64(&q, list << LIST_BITS);
	bind_i64(&q, (list + 1) << LIST_BITS);
	return erase_some(&q, budget);
}

/* A list goes before the checkpoint that began it, which is how it is found. */
static int
checkpoints_erase(struct db *db, int64_t thread, int64_t *budget)
{
	struct oldest o;
	struct query q;
	int rc;

	do {
		rc = checkpoints_oldest(db, thread, *budget, &o);
		for (size_t i = 0; rc == OK && i < o.n; i++)
			if (o.begins[i])
				rc = list_erase(db, o.seq[i], budget);
		if (rc != OK || o.n == 0)
			return rc;
		q = query_of(db, SQL_CHECKPOINT_ERASE);
		bind_i64(&q, thread);
		bind_uuid(&q, &o.id[o.n - 1]);
		rc = query_run(&q);
		*budget -= (int64_t)o.n;
	} while (rc == OK && *budget > 0 && o.n == CHECKPOINTS_AT_ONCE);
	return rc == OK && *budget <= 0 ? ERR_AGAIN : rc;
}

int
thread_erase(struct db *db, int64_t thread, int64_t *budget)
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
assistant_erase(struct db *db, int64_t assistant, int64_t *budget)
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
		rc = find_one(&st->w, SQL_THREAD_DEAD, NULL, &seq);
		if (rc == OK) {
			rc = thread_erase(&st->w, seq, &budget);
			continue;
		}
		if (rc == ERR_NOTFOUND)
			rc = find_one(&st->w, SQL_ASSISTANT_DEAD, NULL, &seq);
		if (rc == OK)
			rc = assistant_erase(&st->w, seq, &budget);
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
	int rc = find_one(&st->w, SQL_THREAD_DEAD, NULL, &seq);

	if (rc == ERR_NOTFOUND)
		rc = find_one(&st->w, SQL_ASSISTANT_DEAD, NULL, &seq);
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
	struct query q = query_of(db, SQL_CHECKPOINT_PLACE);
	int rc;

	bind_i64(&q, c->seq);
	bind_i64(&q, thread);
	rc = query_row(&q);
	if (rc == OK) {
		c->parent = col_i64(&q, 0);
		c->run = col_i64(&q, 1);
		c->list = col_i64(&q, 2);
		c->len = col_i64(&q, 3);
	}
	query_end(&q);
	return rc;
}

/* Entries of a list from `from` on. */
static int
list_cut(struct db *db, int64_t list, int64_t from)
{
	struct query q = query_of(db, SQL_MESSAGE_DROP);

	bind_i64(&q, (list << LIST_BITS) + from);
	bind_i64(&q, (list + 1) << LIST_BITS);
	return query_run(&q);
}

static int
checkpoint_drop(struct db *db, int64_t thread, const struct checkpoint *c)
{
	struct query q = query_of(db, SQL_CHECKPOINT_DROP);
	int rc;

	bind_i64(&q, c->seq);
	bind_i64(&q, thread);
	rc = query_run(&q);
	return rc == OK && c->list == c->seq ? list_cut(db, c->list, 0) : rc;
}

/* Those that later runs went on from stay; their run's number may be given to
 * another one day. */
static int
checkpoints_orphan(struct db *db, int64_t thread, int64_t run)
{
	struct query q = query_of(db, SQL_CHECKPOINT_ORPHAN);

	bind_i64(&q, thread);
	bind_i64(&q, run);
	return query_run(&q);
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
	int64_t grave = seq_next(st, SEQ_THREAD);
	struct query q = query_of(&st->w, SQL_THREAD_GRAVE);
	int rc;

	bind_i64(&q, grave);
	rc = query_run(&q);
	if (rc != OK)
		return rc;
	st->dead = true;
	q = query_of(&st->w, SQL_RUN_MOVE);
	bind_i64(&q, grave);
	bind_i64(&q, run);
	return query_run(&q);
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
	struct query q = query_of(&st->w, SQL_RUN_GET);
	bool on_thread = false;
	int rc;

	bind_uuid(&q, &x->run_id);
	bind_i64(&q, x->cmd.owner);
	rc = query_row(&q);
	if (rc == OK) {
		struct uuid thread = col_uuid(&q, 1);

		*run = col_i64(&q, 3);
		on_thread = uuid_eq(&thread, &x->thread_id);
	}
	query_end(&q);
	if (rc != OK || !on_thread)
		return rc == OK ? ERR_NOTFOUND : rc;
	q = query_of(&st->w, SQL_THREAD_GET);
	bind_uuid(&q, &x->thread_id);
	bind_i64(&q, x->cmd.owner);
	rc = query_row(&q);
	if (rc == OK)
		rc = thread_read(&q, &st->scratch, t);
	query_end(&q);
	return rc;
}

int
op_run_delete(struct store *st, struct store_cmd *c)
{
	struct store_run_delete *x = (struct store_run_delete *)c;
	struct store_thread t = { .seq = 0 };
	int64_t run = 0, newest;
	struct query q;
	int rc = run_find(st, x, &run, &t);

	if (rc == OK)
		rc = thread_is_quiet(st, c, t.seq);
	newest = t.checkpoint;
	if (rc == OK)
		rc = checkpoints_drop(&st->w, t.seq, run, &newest);
	if (rc == OK)
		rc = checkpoints_orphan(&st->w, t.seq, run);
	if (rc == OK)
		rc = run_erase(st, run);
	if (rc != OK || newest == t.checkpoint)
		return rc;
	q = query_of(&st->w, SQL_THREAD_ADVANCE);
	bind_i64(&q, newest);
	bind_i64(&q, t.seq);
	bind_i64(&q, c->owner);
	return query_run(&q);
}
