/*
 * search.c - finding store items, newest change first.
 *
 * Items lie in the order of their changes (owner, seq), values with them, so
 * a search reads them backwards and stops when its page is full.  Under a
 * prefix that holds few items of many, their places come from the unique key
 * instead, and only those are read:
 *
 *   1. up to NARROW places under the prefix: they are all;
 *   2. else the scan, for SCAN_FIRST rows: wide prefixes mostly match early;
 *   3. else up to WIDE places, or the whole scan.
 *
 * Past LIMIT_SCAN_MS a search ends with what it has found, and says so.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "store/guard.h"
#include "store/store_priv.h"

#define NARROW     4096
#define SCAN_FIRST 65536
#define WIDE       100000

/* ---- one row -------------------------------------------------------------- */

/* Columns: ns, key, value, created, updated, seq, ttl, expires. */
static int
row_keep(struct finder *f, const struct query *q)
{
	struct store_item_search *x = f->x;

	x->items[x->items_n++] = (struct store_item){
		.ns = query_str(q, 0, x->cmd.arena),
		.key = query_str(q, 1, x->cmd.arena),
		.value_json = query_str(q, 2, x->cmd.arena),
		.created = query_i64(q, 3),
		.updated = query_i64(q, 4),
		.seq = query_i64(q, 5),
		.ttl = query_i64(q, 6),
		.expires = query_i64(q, 7),
	};
	f->left--;
	return arena_rc(x->cmd.arena);
}

/* Whole labels only. */
static bool
is_under(struct str ns, struct str prefix)
{
	return str_starts(ns, prefix) &&
	    (ns.n == prefix.n || ns.p[prefix.n] == '.');
}

static bool
passes_all(const struct finder *f)
{
	return f->x->cmd.guard.n == 0 && filter_is_open(&f->filter);
}

static int
row_test(struct finder *f, const struct query *q)
{
	bool yes = (f->x->ns.n == 0 || is_under(query_borrow(q, 0), f->x->ns)) &&
	    guard_item(f->x->cmd.guard, query_borrow(q, 0), query_borrow(q, 1),
	    query_borrow(q, 2));
	int rc = OK;

	if (yes && !filter_is_open(&f->filter))
		rc = filter_test(&f->filter, query_borrow(q, 2), &yes);
	if (rc != OK || !yes)
		return rc;
	if (f->skip > 0) {
		f->skip--;
		return OK;
	}
	return row_keep(f, q);
}

/* SQLite's work has a deadline of its own; this is for ours. */
static int
deadline_check(struct finder *f)
{
	return ++f->tested % 16 == 0 && db_clock(f->db->on) > f->db->on->deadline ?
	    ERR_TIMEOUT : OK;
}

/* ---- the scan ------------------------------------------------------------- */

/* ERR_AGAIN: not done after so many rows. */
static int
scan(struct finder *f, int64_t rows)
{
	bool skips = f->x->ns.n == 0 && passes_all(f);
	int rc = OK;
	struct query q = query_of(f->db, SQL_ITEM_NEWEST,
	    db_i64(f->x->cmd.owner), db_i64(skips ? f->skip : 0),
	    db_i64(f->x->now));

	if (skips)
		f->skip = 0;
	while (rc == OK && f->left > 0) {
		rc = query_row(&q);
		if (rc == OK)
			rc = row_test(f, &q);
		if (rc == OK)
			rc = deadline_check(f);
		if (rc == OK && --rows == 0)
			rc = ERR_AGAIN;
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- by places ------------------------------------------------------------ */

static int
newest_first(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x < y) - (x > y);
}

int
places_load(struct finder *f, struct places *p, size_t max)
{
	int rc = OK;
	struct query q = query_of(f->db, SQL_ITEM_UNDER,
	    db_i64(f->x->cmd.owner), db_i64((int64_t)max + 1),
	    db_str(f->x->ns));

	while (rc == OK) {
		rc = query_row(&q);
		if (rc == OK && p->n == max)
			rc = ERR_AGAIN;
		if (rc != OK)
			break;
		mem_grow(p->at, p->n, p->cap);
		p->at[p->n++] = query_i64(&q, 0);
	}
	query_end(&q);
	if (rc != ERR_NOTFOUND)
		return rc;
	if (p->n > 0)
		qsort(p->at, p->n, sizeof *p->at, newest_first);
	return OK;
}

/* One that is replaced, deleted or over is passed by. */
static int
place_test(struct finder *f, int64_t seq)
{
	struct query q = query_of(f->db, SQL_ITEM_AT, db_i64(f->x->cmd.owner),
	    db_i64(seq), db_i64(f->x->now));
	int rc = query_row(&q);

	if (rc == OK)
		rc = row_test(f, &q);
	query_end(&q);
	if (rc == ERR_NOTFOUND)
		rc = OK;
	return rc == OK ? deadline_check(f) : rc;
}

/* `left` tells whether the row was kept. */
int
finder_try(struct finder *f, int64_t seq, double score)
{
	int64_t left = f->left;
	int rc = place_test(f, seq);

	if (f->left < left) {
		f->x->items[f->x->items_n - 1].has_score = true;
		f->x->items[f->x->items_n - 1].score = score;
	}
	return rc;
}

static int
by_places(struct finder *f, size_t max)
{
	struct places p = { 0 };
	int rc = places_load(f, &p, max);

	for (size_t i = 0; rc == OK && f->left > 0 && i < p.n; i++)
		rc = place_test(f, p.at[i]);
	free(p.at);
	return rc;
}

/* ---- finding -------------------------------------------------------------- */

static void
begin_anew(struct finder *f)
{
	f->skip = f->x->offset;
	f->left = f->x->limit < LIMIT_PAGE_ROWS ? f->x->limit : LIMIT_PAGE_ROWS;
	f->x->items_n = 0;
}

/* As a short read: only what takes the newest of all, or few under a prefix. */
static int
items_find_shortly(struct finder *f)
{
	if (!passes_all(f) || f->x->query.n > 0 || f->x->vector.n > 0 ||
	    f->x->offset > READ_SHORT_ROWS)
		return ERR_AGAIN;
	return f->x->ns.n == 0 ? scan(f, READ_SHORT_ROWS) :
	    by_places(f, READ_SHORT_ROWS);
}

static int
items_find(struct finder *f, struct store *st)
{
	bool all = f->x->ns.n == 0;
	int rc;

	if (f->x->vector.n > 0)
		return vectors_find(f, st);
	if (str_trim(f->x->query).n > 0)
		return words_find(f);
	rc = all ? ERR_AGAIN : by_places(f, NARROW);
	if (!all && rc == ERR_AGAIN) {
		rc = scan(f, SCAN_FIRST);
		if (rc == ERR_AGAIN) {
			begin_anew(f);
			rc = by_places(f, WIDE);
		}
		if (rc == ERR_AGAIN)
			begin_anew(f);
	}
	return rc == ERR_AGAIN ? scan(f, INT64_MAX) : rc;
}

static int
item_search(struct store *st, struct store_cmd *c)
{
	struct store_item_search *x = (struct store_item_search *)c;
	struct finder f = { .db = slow_db(st, c), .x = x };
	int rc;

	assert(x->limit >= 0 && x->offset >= 0);
	x->truncated = false;
	begin_anew(&f);
	x->items = arena_alloc(c->arena, ((size_t)f.left + 1) * sizeof *x->items);
	rc = arena_rc(c->arena);
	if (rc == OK)
		rc = filter_init(&f.filter, x->filter_json, f.db, &c->err);
	if (rc == OK)
		rc = f.db == &st->quick ? items_find_shortly(&f) : items_find(&f, st);
	filter_release(&f.filter);
	x->truncated = rc == ERR_TIMEOUT;
	return x->truncated ? OK : rc;
}
const struct op store_op_item_search = { .run = item_search, .lane = OP_READ_SHORT };
