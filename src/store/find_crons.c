/*
 * find_crons.c - searching and counting an owner's crons, looked at one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/cron.h"
#include "store/store_priv.h"

struct search {
	struct db *db;
	struct store_cron_search *x;
	int64_t rows;                        /* left to look at; 0: any number */
	struct wanted want;
	struct hit *hits;
	size_t n, cap;
};

/* Columns of CRONS_OF. */
enum { SEQ, ID, ASSISTANT, THREAD, ENABLED, CREATED, UPDATED, NEXT, ENDS, METADATA };

static bool
is_or_any(const struct query *q, int column, const struct uuid *id)
{
	struct uuid have = query_uuid(q, column);

	return uuid_is_zero(id) || uuid_eq(&have, id);
}

static int
matches(struct search *s, const struct query *q, bool *yes)
{
	*yes = is_or_any(q, ASSISTANT, &s->x->assistant) &&
	    is_or_any(q, THREAD, &s->x->thread) &&
	    (s->x->enabled < 0 || query_i64(q, ENABLED) == s->x->enabled);
	return *yes ? wanted_test(&s->want, query_borrow(q, METADATA), yes) : OK;
}

static void
hit_add(struct search *s, const struct query *q)
{
	static const struct { int number, id; } keys[] = {
		[STORE_SORT_CREATED] = { CREATED, ID }, [STORE_SORT_UPDATED] = { UPDATED, ID },
		[STORE_SORT_NEXT] = { NEXT, ID }, [STORE_SORT_ENDS] = { ENDS, ID },
		[STORE_SORT_ID] = { CREATED, ID }, [STORE_SORT_ASSISTANT] = { CREATED, ASSISTANT },
		[STORE_SORT_THREAD] = { CREATED, THREAD },
	};
	enum store_sort sort = s->x->page.sort;

	assert(sort < COUNT(keys) && keys[sort].number != 0);
	mem_grow(s->hits, s->n, s->cap);
	s->hits[s->n++] = (struct hit){ .seq = query_i64(q, SEQ),
	    .number = query_i64(q, keys[sort].number), .id = query_uuid(q, keys[sort].id) };
}

static int
hits_find(struct search *s)
{
	struct query q = query_of(s->db, SQL_CRONS_OF, db_i64(s->x->cmd.owner));
	int rc = OK;

	while (rc == OK) {
		bool yes = false;

		rc = query_row(&q);
		if (rc == OK && s->rows > 0 && --s->rows == 0)
			rc = ERR_AGAIN;
		if (rc == OK)
			rc = matches(s, &q, &yes);
		if (rc == OK && yes)
			hit_add(s, &q);
	}
	query_end(&q);
	s->x->total = (int64_t)s->n;
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
page_load(struct search *s)
{
	struct store_cron_search *x = s->x;
	int rc = OK;

	hits_sort(s->hits, s->n, x->page.sort, x->page.ascending);
	for (size_t i = hits_start(x->page.offset, s->n); rc == OK && i < s->n &&
	    (int64_t)x->found_n < x->page.limit; i++)
		rc = query_one(query_of(s->db, SQL_CRON_AT, db_i64(s->hits[i].seq),
		    db_i64(x->cmd.owner)), &store_cron_record, &x->found[x->found_n++],
		    x->cmd.arena);
	return rc;
}

static int
cron_search(struct store *st, struct store_cmd *c)
{
	struct store_cron_search *x = (struct store_cron_search *)c;
	struct search s = { .db = slow_db(st, c), .x = x };
	int rc;

	assert(x->page.limit >= 0 && x->page.limit <= LIMIT_PAGE_ROWS && x->page.offset >= 0);
	s.rows = s.db == &st->quick ? READ_SHORT_ROWS : 0;
	x->total = 0;
	x->found_n = 0;
	x->found = arena_alloc(c->arena, ((size_t)x->page.limit + 1) * sizeof *x->found);
	rc = wanted_init(&s.want, x->metadata_json, c->guard, s.db, &c->err);
	if (rc == OK)
		rc = arena_rc(c->arena);
	if (rc == OK)
		rc = hits_find(&s);
	if (rc == OK)
		rc = page_load(&s);
	wanted_release(&s.want);
	free(s.hits);
	return rc;
}
const struct op store_op_cron_search = { .run = cron_search, .lane = OP_READ_SHORT };
