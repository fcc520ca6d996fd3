/*
 * lookup.c - objects of a kind that one owner has few of: looked at one by one, sorted,
 * and a page of them read.  And the sorting that threads share.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_priv.h"

/* ---- sorting ---------------------------------------------------------------- */

static int
by_number(const struct hit *a, const struct hit *b)
{
	return (a->number > b->number) - (a->number < b->number);
}

static int
by_id(const struct hit *a, const struct hit *b)
{
	return memcmp(a->id.b, b->id.b, sizeof a->id.b);
}

static int
by_text(const struct hit *a, const struct hit *b)
{
	return str_cmp(a->text, b->text);
}

static int (*const orders[])(const struct hit *a, const struct hit *b) = {
	[STORE_SORT_CREATED] = by_number, [STORE_SORT_UPDATED] = by_number,
	[STORE_SORT_STATUS] = by_number, [STORE_SORT_ID] = by_id,
	[STORE_SORT_STATE_UPDATED] = by_number,
	[STORE_SORT_NAME] = by_text, [STORE_SORT_GRAPH] = by_text,
	[STORE_SORT_ASSISTANT] = by_id, [STORE_SORT_THREAD] = by_id,
	[STORE_SORT_NEXT] = by_number, [STORE_SORT_ENDS] = by_number,
};

struct order {
	enum store_sort sort;
	bool ascending;
};

static int
hit_order(const void *a, const void *b, void *arg)
{
	const struct hit *x = a, *y = b;
	const struct order *o = arg;
	int order = orders[o->sort](x, y);

	if (order == 0)
		order = (x->seq > y->seq) - (x->seq < y->seq);
	return o->ascending ? order : -order;
}

void
hits_sort(struct hit *hits, size_t n, enum store_sort sort, bool ascending)
{
	struct order o = { sort, ascending };

	if (n > 1)
		qsort_r(hits, n, sizeof *hits, hit_order, &o);
}

size_t
hits_start(int64_t offset, size_t n)
{
	return (uint64_t)offset < n ? (size_t)offset : n;
}

/* ---- finding ---------------------------------------------------------------- */

struct lookup {
	struct db *db;
	struct store_cmd *cmd;
	const struct store_page *page;
	bool short_read;
	struct wanted want;
	struct hit *hits;
	size_t n, cap;
};

static int
hits_find(struct lookup *l, const struct lookup_kind *k)
{
	int64_t rows = l->short_read ? READ_SHORT_ROWS : INT64_MAX;
	struct query q = query_of(l->db, k->all, db_i64(l->cmd->owner));
	int rc;

	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		struct hit h = { .seq = query_i64(&q, 0) };
		bool yes = k->matches(l->cmd, &q);

		if (--rows == 0)
			rc = ERR_AGAIN;
		if (rc == OK && yes)
			rc = wanted_test(&l->want, query_borrow(&q, k->metadata), &yes);
		if (rc == OK && yes) {
			k->key(&q, l->page->sort, l->cmd->arena, &h);
			mem_grow(l->hits, l->n, l->cap);
			l->hits[l->n++] = h;
			rc = arena_rc(l->cmd->arena);
		}
		if (rc != OK)
			break;
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
page_load(struct lookup *l, const struct lookup_kind *k, char *found, size_t *found_n)
{
	int rc = OK;

	hits_sort(l->hits, l->n, l->page->sort, l->page->ascending);
	for (size_t i = hits_start(l->page->offset, l->n); rc == OK && i < l->n &&
	    (int64_t)*found_n < l->page->limit; i++)
		rc = query_one(query_of(l->db, k->at, db_i64(l->hits[i].seq),
		    db_i64(l->cmd->owner)), k->record, found + (*found_n)++ * k->size,
		    l->cmd->arena);
	return rc;
}

int
lookup_run(struct store *st, struct store_cmd *c, const struct lookup_kind *k,
    struct str metadata_json, const struct store_page *page, void **found,
    size_t *found_n, int64_t *total)
{
	struct lookup l = { .db = slow_db(st, c), .cmd = c, .page = page };
	int rc;

	assert(page->limit >= 0 && page->limit <= LIMIT_PAGE_ROWS && page->offset >= 0);
	l.short_read = l.db == &st->quick;
	*found_n = 0;
	*found = arena_alloc(c->arena, ((size_t)page->limit + 1) * k->size);
	rc = wanted_init(&l.want, metadata_json, c->guard, l.db, &c->err);
	if (rc == OK)
		rc = arena_rc(c->arena);
	if (rc == OK)
		rc = hits_find(&l, k);
	if (rc == OK)
		rc = page_load(&l, k, *found, found_n);
	*total = (int64_t)l.n;
	wanted_release(&l.want);
	free(l.hits);
	return rc;
}
