/*
 * quota.c - see quota.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/quota.h"

#include <assert.h>

#include "store/store_priv.h"

const char *const quota_names[QUOTAS] = {
#define X(id, name) [QUOTA_##id] = name,
	QUOTA_MAP(X)
#undef X
};

int
quota_refuse(enum quota_kind q, int64_t max, int64_t used, struct err *e)
{
	return err_set(e, q == QUOTA_RUNS ? ERR_LIMIT : ERR_DENIED, "%s: these credentials may "
	    "have %lld, and there are %lld%s", quota_names[q], (long long)max, (long long)used,
	    q == QUOTA_RUNS ? " pending or running" : q == QUOTA_STORE_BYTES ?
	    " with this" : "");
}

/* most: how far it is counted, where that takes time. */
static int
count(struct db *db, enum quota_kind q, owner_t owner, int64_t most, int64_t *out)
{
	struct query one;
	int rc;

	*out = 0;
	switch (q) {
	case QUOTA_RUNS:
	case QUOTA_AGENTS:
		one = query_of(db, q == QUOTA_RUNS ? SQL_QUOTA_RUNS : SQL_QUOTA_AGENTS,
		    db_i64(owner), db_i64(most));
		break;
	case QUOTA_THREADS:
		one = query_of(db, SQL_QUOTA_THREADS, db_i64(owner));
		break;
	case QUOTA_CRONS:
		one = query_of(db, SQL_CRONS_COUNT, db_i64(owner));
		break;
	case QUOTA_STORE_ITEMS:
	case QUOTA_STORE_BYTES:
		one = query_of(db, q == QUOTA_STORE_ITEMS ? SQL_QUOTA_ITEMS :
		    SQL_QUOTA_BYTES, db_i64(owner));
		break;
	default:
		return OK;
	}
	rc = query_one_i64(one, out);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
quota_allows(struct store_cmd *c, enum quota_kind q, int64_t used, int64_t more)
{
	int64_t max = c->quota == NULL ? 0 : c->quota->max[q];

	/* What makes nothing larger is allowed whatever there is. */
	if (max == 0 || more <= 0 || used + more <= max)
		return OK;
	return quota_refuse(q, max, q == QUOTA_STORE_BYTES ? used + more : used, &c->err);
}

/* So that no other node makes one beside it: what it has made is seen here then. */
void
lock_quota(struct lock_set *l, const struct store_cmd *c)
{
	if (c->quota != NULL)
		lock_number(l, LOCK_QUOTA, c->owner);
}

int
quota_check(struct store *st, struct store_cmd *c, enum quota_kind q, int64_t more)
{
	int64_t max = c->quota == NULL ? 0 : c->quota->max[q], used;
	int rc;

	assert(q < QUOTAS && more >= 0);
	if (max == 0)
		return OK;
	rc = count(&st->w, q, c->owner, max, &used);
	if (rc == OK && q == QUOTA_THREADS)
		for (int i = 0; i <= THREAD_ERROR; i++)
			used += tally_pending(st, c->owner, TALLY_STATUS(i));
	return rc == OK ? quota_allows(c, q, used, more) : rc;
}

int
store_quota_agents(struct store_reader *r, owner_t o, int64_t most, int64_t *out)
{
	return count(reader_db(r), QUOTA_AGENTS, o, most, out);
}

int
store_quota_used(struct store_reader *r, owner_t o, int64_t used[QUOTAS])
{
	int rc = OK;

	for (int q = 0; rc == OK && q < QUOTAS; q++)
		rc = count(reader_db(r), (enum quota_kind)q, o, INT64_MAX, &used[q]);
	return rc;
}
