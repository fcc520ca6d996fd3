/*
 * erase.c - removing what was deleted, a bounded number of rows at a time.
 *
 * Deleting a small thread removes its rows at once.  A large one is *buried*:
 * its owner becomes -1 and its uuid NULL, so nobody can name it any more, and
 * the writer removes the rows when it is idle or along with other commits.
 * Buried rows are found by partial indexes, so a restart goes on with them.
 *
 * The order is from the leaves: streams, runs; what belongs to tasks and
 * channels; lists, checkpoints; the thread.  A list that threads copied from this
 * one need stays, without a thread (lists.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "store/store_priv.h"

#define CHECKPOINTS_AT_ONCE 128

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
			rc = erase_by(db, SQL_EVENT_ERASE, run, budget);
		if (rc == OK)
			rc = erase_by(db, SQL_TRANSCRIPT_ERASE, run, budget);
		if (rc == OK)
			rc = erase_row(db, SQL_RUN_ERASE, run, budget);
		if (rc != OK)
			return rc == ERR_NOTFOUND ? OK : rc;
	}
}

/* ---- checkpoints ----------------------------------------------------------- */

static int
lists_of(struct thread_lists *l, struct str text, struct channel_map *c, struct arena *a)
{
	int rc = channels_parse(c, text, a);

	for (size_t i = 0; rc == OK && i < c->n; i++) {
		int64_t list = c->at[i].list;
		size_t j = l->n;

		while (j > 0 && l->at[j - 1] != list)
			j--;
		if (list == 0 || j > 0)
			continue;
		if (!arena_grow(a, l->at, l->n, l->cap))
			return ERR_TOOBIG;
		l->at[l->n++] = list;
	}
	return rc;
}

int
thread_lists_read(struct db *db, int64_t thread, int64_t max, struct thread_lists *l,
    struct arena *a)
{
	struct channel_map c = { 0 };
	struct query q = query_of(db, SQL_CHECKPOINT_OLDEST, db_i64(thread),
	    db_i64(max));
	int rc = query_row(&q);

	*l = (struct thread_lists){ .n = 0 };
	for (; rc == OK; rc = rc == OK ? query_row(&q) : rc) {
		l->last_ns = query_str(&q, 0, a);
		l->last = query_uuid(&q, 1);
		l->checkpoints++;
		rc = lists_of(l, query_borrow(&q, 2), &c, a);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* Lists go before the checkpoints that name them. */
static int
checkpoints_erase(struct db *db, int64_t thread, int64_t *budget, struct arena *a)
{
	struct thread_lists l;
	int rc;

	do {
		rc = thread_lists_read(db, thread, *budget < CHECKPOINTS_AT_ONCE ?
		    *budget : CHECKPOINTS_AT_ONCE, &l, a);
		for (size_t i = 0; rc == OK && i < l.n; i++)
			rc = lists_drop(db, l.at[i], budget);
		if (rc != OK || l.checkpoints == 0)
			return rc;
		rc = db_run(db, SQL_CHECKPOINT_ERASE, db_i64(thread),
		    db_text(l.last_ns), db_uuid(&l.last));
		*budget -= l.checkpoints;
	} while (rc == OK && *budget > 0 && l.checkpoints == CHECKPOINTS_AT_ONCE);
	return rc == OK && *budget <= 0 ? ERR_AGAIN : rc;
}

/* ---- threads and assistants ------------------------------------------------ */

int
erase_thread(struct db *db, int64_t thread, int64_t *budget, struct arena *a)
{
	static const enum sql parts[] = { SQL_CHANNEL_ERASE, SQL_WRITE_ERASE,
	    SQL_RECORD_ERASE, SQL_INTERRUPT_ERASE, SQL_WAIT_ERASE, SQL_CRON_ERASE,
	    SQL_HOOK_ERASE, SQL_SAVER_ERASE, SQL_SAVER_BLOB_ERASE,
	    SQL_SAVER_WRITE_ERASE, SQL_CHECKPOINT_BEFORE_ERASE };
	int64_t has = 0;
	int rc;

	assert(*budget > 0);
	rc = runs_erase(db, thread, budget);
	if (rc == OK)
		rc = query_one_i64(query_of(db, SQL_THREAD_PARTS, db_i64(thread)), &has);
	for (size_t i = 0; rc == OK && i < COUNT(parts); i++)
		if (has & 1 << i)
			rc = erase_by(db, parts[i], thread, budget);
	if (rc == OK)
		rc = checkpoints_erase(db, thread, budget, a);
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
	rc = erase_by(db, SQL_CRON_ERASE_OF, assistant, budget);
	if (rc == OK)
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
	int rc = store_lock_try(st, LOCK_ERASE, 0);

	if (rc == ERR_AGAIN) {
		st->dead = false;            /* another node is at it */
		return OK;
	}
	while (rc == OK && budget > 0) {
		rc = query_one_i64(query_of(&st->w, SQL_THREAD_DEAD), &seq);
		if (rc == OK) {
			rc = erase_thread(&st->w, seq, &budget, &st->scratch);
			arena_clear(&st->scratch);
			continue;
		}
		if (rc == ERR_NOTFOUND)
			rc = query_one_i64(query_of(&st->w, SQL_ASSISTANT_DEAD), &seq);
		if (rc == OK)
			rc = erase_assistant(&st->w, seq, &budget);
	}
	if (rc == ERR_NOTFOUND) {
		st->dead = false;
		st->shrinks = !st->pg;       /* there it is the server's work */
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
