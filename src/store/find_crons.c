/*
 * find_crons.c - searching and counting an owner's crons.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/cron.h"
#include "store/store_priv.h"

/* Columns of CRONS_OF. */
enum { SEQ, ID, ASSISTANT, THREAD, ENABLED, CREATED, UPDATED, NEXT, ENDS, METADATA };

static bool
is_or_any(const struct query *q, int column, const struct uuid *id)
{
	struct uuid have = query_uuid(q, column);

	return uuid_is_zero(id) || uuid_eq(&have, id);
}

static bool
matches(const struct store_cmd *c, const struct query *q)
{
	const struct store_cron_search *x = (const struct store_cron_search *)c;

	return is_or_any(q, ASSISTANT, &x->assistant) && is_or_any(q, THREAD, &x->thread) &&
	    (x->enabled < 0 || query_i64(q, ENABLED) == x->enabled);
}

static void
key(const struct query *q, enum store_sort sort, struct arena *a, struct hit *h)
{
	static const struct { int number, id; } keys[] = {
		[STORE_SORT_CREATED] = { CREATED, ID }, [STORE_SORT_UPDATED] = { UPDATED, ID },
		[STORE_SORT_NEXT] = { NEXT, ID }, [STORE_SORT_ENDS] = { ENDS, ID },
		[STORE_SORT_ID] = { CREATED, ID }, [STORE_SORT_ASSISTANT] = { CREATED, ASSISTANT },
		[STORE_SORT_THREAD] = { CREATED, THREAD },
	};

	(void)a;
	assert(sort < COUNT(keys) && keys[sort].number != 0);
	h->number = query_i64(q, keys[sort].number);
	h->id = query_uuid(q, keys[sort].id);
}

static int
cron_search(struct store *st, struct store_cmd *c)
{
	static const struct lookup_kind kind = { SQL_CRONS_OF, METADATA, SQL_CRON_AT,
	    &store_cron_record, sizeof(struct store_cron), matches, key };
	struct store_cron_search *x = (struct store_cron_search *)c;
	void *found;
	int rc = lookup_run(st, c, &kind, x->metadata_json, &x->page, &found,
	    &x->found_n, &x->total);

	x->found = found;
	return rc;
}
const struct op store_op_cron_search = { .run = cron_search, .lane = OP_READ_SHORT };
