/*
 * sweep.c - threads whose time is over.
 *
 * A busy thread is not in the index of those that expire (sqlite_schema.c), so it is
 * never found; it is found when its runs have ended, if it is due then.  What a pass does
 * to one thread is done in one transaction with taking it out of that index, so after a
 * crash it is either due still or done.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/store_priv.h"

/* ERR_AGAIN: it is due still. */
static int
thread_end(struct store *st, struct store_sweep *x, owner_t owner,
    const struct store_thread *t, size_t *cap, int64_t *budget)
{
	int rc;

	if (t->ttl.strategy == TTL_KEEP_LATEST) {
		rc = prune_thread(st, t, budget);
		return rc != OK ? rc : db_run(&st->w, SQL_THREAD_LIVES_ON,
		    db_i64(t->seq));
	}
	if (!arena_grow(x->cmd.arena, x->gone, x->gone_n, *cap))
		return ERR_TOOBIG;
	x->gone[x->gone_n++] = t->id;
	return threads_drop(st, owner, t, budget);
}

/* The one that is due longest.  ERR_NOTFOUND: none is. */
static int
expired_next(struct store *st, const struct store_sweep *x, owner_t *owner,
    struct store_thread *t)
{
	int64_t seq = 0;
	struct query q = query_of(&st->w, SQL_THREADS_EXPIRED, db_i64(x->now));
	int rc = query_row(&q);

	if (rc == OK) {
		*owner = query_i64(&q, 0);
		seq = query_i64(&q, 1);
	}
	query_end(&q);
	if (rc == OK)
		rc = store_thread_try(st, seq);
	if (rc == OK)
		rc = query_one(query_of(&st->w, SQL_THREAD_AT, db_i64(seq),
		    db_i64(*owner)), &store_thread_record, t, &st->scratch);
	/* It may have changed until it was ours. */
	return rc != OK || (t->expires != 0 && t->expires <= x->now &&
	    t->status != THREAD_BUSY) ? rc : ERR_AGAIN;
}

static int
thread_sweep(struct store *st, struct store_cmd *c)
{
	struct store_sweep *x = (struct store_sweep *)c;
	int64_t budget = ERASE_NOW;
	size_t cap = 0;
	int rc = OK;

	assert(x->limit > 0);
	x->gone = NULL;
	x->gone_n = 0;
	x->removed = 0;
	while (rc == OK && budget > 0 && x->removed < x->limit) {
		struct store_thread t;
		owner_t owner = 0;

		rc = expired_next(st, x, &owner, &t);
		if (rc == OK)
			rc = thread_end(st, x, owner, &t, &cap, &budget);
		if (rc == OK)
			x->removed++;
		arena_clear(&st->scratch);
	}
	x->more = rc == OK || rc == ERR_AGAIN;
	return rc == ERR_NOTFOUND || rc == ERR_AGAIN ? OK : rc;
}
const struct op store_op_thread_sweep = { .run = thread_sweep };
