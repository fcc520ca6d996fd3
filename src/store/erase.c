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
