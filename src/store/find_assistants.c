/*
 * find_assistants.c - searching and counting assistants: an owner's and the
 * system's, looked at one by one; and the sorting that threads share.
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

struct search {
	struct db *db;
	struct store_assistant_search *x;
	int64_t rows;                        /* left to look at; 0: any number */
	struct wanted want;
	struct buf name, lower;              /* wanted, found: in lower case */
	struct hit *hits;
	size_t n, cap;
};

/* ASCII only; replaces what is in out. */
static void
name_lower(struct buf *out, struct str s)
{
	char *p;

	buf_clear(out);
	p = buf_room(out, s.n);
	if (p == NULL)
		return;
	for (size_t i = 0; i < s.n; i++)
		p[i] = (char)(s.p[i] + (s.p[i] >= 'A' && s.p[i] <= 'Z' ? 'a' - 'A' : 0));
	buf_added(out, s.n);
}

static bool
name_matches(struct search *s, struct str name)
{
	if (s->x->name.n == 0)
		return true;
	name_lower(&s->lower, name);
	return str_contains(buf_str(&s->lower), buf_str(&s->name));
}

/* Columns: seq, uuid, created, updated, graph, name, metadata. */
static int
matches(struct search *s, const struct query *q, bool *yes)
{
	*yes = (s->x->graph_id.n == 0 ||
	    str_eq(query_borrow(q, 4), s->x->graph_id)) &&
	    name_matches(s, query_borrow(q, 5));
	return *yes ? wanted_test(&s->want, query_borrow(q, 6), yes) : OK;
}

static int
hit_add(struct search *s, const struct query *q)
{
	const struct store_assistant_search *x = s->x;
	struct hit h = { .seq = query_i64(q, 0), .id = query_uuid(q, 1),
	    .number = query_i64(q, x->page.sort == STORE_SORT_UPDATED ? 3 : 2) };

	if (x->page.sort == STORE_SORT_GRAPH || x->page.sort == STORE_SORT_NAME)
		h.text = query_str(q, x->page.sort == STORE_SORT_GRAPH ? 4 : 5,
		    x->cmd.arena);
	mem_grow(s->hits, s->n, s->cap);
	s->hits[s->n++] = h;
	return arena_rc(x->cmd.arena);
}

static int
hits_find(struct search *s)
{
	int rc = OK;
	struct query q = query_of(s->db, SQL_ASSISTANTS_OF,
	    db_i64(s->x->cmd.owner));

	while (rc == OK) {
		bool yes = false;

		rc = query_row(&q);
		if (rc == OK && s->rows > 0 && --s->rows == 0)
			rc = ERR_AGAIN;
		if (rc == OK)
			rc = matches(s, &q, &yes);
		if (rc == OK && yes)
			rc = hit_add(s, &q);
	}
	query_end(&q);
	s->x->total = (int64_t)s->n;
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
page_load(struct search *s)
{
	struct store_assistant_search *x = s->x;
	int rc = OK;

	hits_sort(s->hits, s->n, x->page.sort, x->page.ascending);
	for (size_t i = hits_start(x->page.offset, s->n); rc == OK && i < s->n &&
	    (int64_t)x->found_n < x->page.limit; i++) {

		rc = query_one(query_of(s->db, SQL_ASSISTANT_AT,
		    db_i64(s->hits[i].seq), db_i64(x->cmd.owner)),
		    &store_assistant_record, &x->found[x->found_n++],
		    x->cmd.arena);
	}
	return rc;
}

static int
assistant_search(struct store *st, struct store_cmd *c)
{
	struct store_assistant_search *x = (struct store_assistant_search *)c;
	struct search s = { .db = slow_db(st, c), .x = x,
	    .name = BUF(LIMIT_NAME_BYTES), .lower = BUF(LIMIT_METADATA_BYTES) };
	int rc;

	assert(x->page.limit >= 0 && x->page.limit <= LIMIT_PAGE_ROWS && x->page.offset >= 0);
	s.rows = s.db == &st->quick ? READ_SHORT_ROWS : 0;
	x->total = 0;
	x->found_n = 0;
	x->found = arena_alloc(c->arena, ((size_t)x->page.limit + 1) * sizeof *x->found);
	name_lower(&s.name, x->name);
	rc = wanted_init(&s.want, x->metadata_json, c->guard, s.db, &c->err);
	if (rc == OK)
		rc = arena_rc(c->arena);
	if (rc == OK)
		rc = hits_find(&s);
	if (rc == OK)
		rc = page_load(&s);
	wanted_release(&s.want);
	buf_release(&s.name);
	buf_release(&s.lower);
	free(s.hits);
	return rc;
}
const struct op store_op_assistant_search = { .run = assistant_search, .lane = OP_READ_SHORT };
