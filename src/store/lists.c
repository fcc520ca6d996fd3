/*
 * lists.c - lists of entries, packed, that may share a beginning.
 *
 * A row holds entries [first, first + n) of one list; its key is
 * list * 2^20 + first, so a list lies together in one B-tree and an append
 * goes to one place.  The body is n lengths (32 bits, little-endian) and then
 * the texts, one after the other.  Rows of a list do not overlap and leave no
 * gap.
 *
 * A list that goes on from the middle of another has a row in `list`: its first
 * base_len entries are the base's.  Chains are LIST_DEPTH long at most;
 * past that the entries are copied.  A list that others are based on outlives
 * its thread: its row's thread becomes 0, and it goes with the last of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "store/store_priv.h"

#define PACK_KEEP (1 * MB)                   /* a larger buffer is given back */

static int64_t
entry_key(int64_t list, uint32_t at)
{
	assert(at <= 1u << LIST_BITS);
	return (list << LIST_BITS) + at;
}

static uint32_t
size_get(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static void
size_put(char *p, size_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (char)(unsigned char)(n >> 8 * i);
}

/* ---- append --------------------------------------------------------------- */

int
lists_append(struct store *st, int64_t list, uint32_t first,
    const struct str *entries, size_t n)
{
	char *sizes;

	if (st->pack.cap > PACK_KEEP)
		buf_release(&st->pack);
	buf_clear(&st->pack);
	sizes = buf_room(&st->pack, 4 * n);
	if (sizes == NULL)
		return ERR_TOOBIG;
	for (size_t i = 0; i < n; i++)
		size_put(sizes + 4 * i, entries[i].n);
	buf_added(&st->pack, 4 * n);
	for (size_t i = 0; i < n; i++)
		buf_add(&st->pack, entries[i]);
	if (st->pack.failed)
		return ERR_TOOBIG;
	return db_run(&st->w, SQL_ENTRY_INSERT,
	    db_i64(entry_key(list, first)), db_i64((int64_t)n),
	    db_blob(buf_str(&st->pack)));
}

/* ---- read ----------------------------------------------------------------- */

/* Entries [from, to) of one list, which go to out[0] and on. */
struct span {
	int64_t list;
	uint32_t from, to;
	struct str *out;
};

/* Hands out the entries of one packed row that fall into the span. */
static int
row_unpack(const struct span *s, struct str body, uint32_t first, uint32_t n)
{
	size_t at = 4 * (size_t)n;

	if (body.n < at)
		return ERR_IO;
	for (uint32_t i = 0; i < n; i++) {
		size_t size = size_get((const unsigned char *)body.p + 4 * (size_t)i);

		if (size > body.n - at)
			return ERR_IO;
		if (first + i >= s->from && first + i < s->to)
			s->out[first + i - s->from] = (struct str){ body.p + at, size };
		at += size;
	}
	return OK;
}

/* The entries that are the list's own.  *begin: where these begin; what is before
 * it in the span is the base's. */
static int
own_read(struct db *db, const struct span *s, struct arena *a, uint32_t *begin)
{
	struct query q = query_of(db, SQL_ENTRY_GET, db_i64(entry_key(s->list, s->from)),
	    db_i64(entry_key(s->list, 0)), db_i64(entry_key(s->list, s->to)));
	uint32_t next = s->from;
	int rc = OK;

	*begin = s->to;
	while (rc == OK && next < s->to) {
		uint32_t first, n;

		rc = query_row(&q);
		if (rc != OK)
			break;
		first = (uint32_t)(query_i64(&q, 0) - entry_key(s->list, 0));
		n = (uint32_t)query_i64(&q, 1);
		if (*begin == s->to && first > next)
			next = first;
		if (*begin == s->to)
			*begin = next;
		if (first > next || n == 0)
			rc = ERR_IO;                 /* a gap: damaged */
		else
			rc = row_unpack(s, query_str(&q, 2, a), first, n);
		if (a->failed)
			rc = ERR_TOOBIG;
		next = first + n;
	}
	query_end(&q);
	if (rc == ERR_NOTFOUND)              /* shorter than promised, or all based */
		rc = next > s->from ? ERR_IO : OK;
	return rc;
}

struct list_row {
	int64_t base, base_len, depth;
};

/* All 0 for a list that has no row. */
static int
row_read(struct db *db, int64_t list, struct list_row *out)
{
	struct query q = query_of(db, SQL_LIST_GET, db_i64(list));
	int rc = query_row(&q);

	*out = (struct list_row){ 0 };
	if (rc == OK) {
		out->base = query_i64(&q, 0);
		out->base_len = query_i64(&q, 1);
		out->depth = query_i64(&q, 2);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
lists_base(struct db *db, int64_t list, int64_t *base, uint32_t *base_len)
{
	struct list_row row;
	int rc = row_read(db, list, &row);

	*base = row.base;
	*base_len = (uint32_t)row.base_len;
	return rc;
}

int
lists_read_into(struct db *db, int64_t list, uint32_t from, uint32_t to,
    struct arena *a, struct str *out)
{
	struct span s = { list, from, to, out };
	uint32_t begin = to;
	int rc = OK;

	for (int depth = 0; s.from < s.to; depth++) {
		struct list_row row;

		rc = own_read(db, &s, a, &begin);
		if (rc != OK || begin == s.from)
			return rc;
		rc = row_read(db, s.list, &row);
		if (rc == OK && (begin > row.base_len || depth > LIST_DEPTH))
			rc = ERR_IO;                 /* damaged */
		if (rc != OK)
			return rc;
		s.list = row.base;
		s.to = begin;
	}
	return rc;
}

int
lists_read(struct db *db, int64_t list, uint32_t from, uint32_t to,
    struct arena *a, struct str **out)
{
	assert(from <= to);
	*out = arena_alloc(a, (to - from + 1) * sizeof **out);
	return *out == NULL ? ERR_TOOBIG : lists_read_into(db, list, from, to, a, *out);
}

/* ---- begin ---------------------------------------------------------------- */

static int
row_insert(struct store *st, int64_t list, const struct list_row *row, int64_t thread)
{
	return db_run(&st->w, SQL_LIST_INSERT, db_i64(list), db_i64(row->base),
	    db_i64(row->base_len), db_i64(row->depth), db_i64(thread));
}

/* The chain is too long: with copies of the entries. */
static int
begin_flat(struct store *st, int64_t list, int64_t base, uint32_t keep)
{
	struct str *kept;
	int rc = lists_read(&st->w, base, 0, keep, &st->scratch, &kept);

	return rc == OK ? lists_append(st, list, 0, kept, keep) : rc;
}

int
lists_begin(struct store *st, int64_t thread, int64_t base, uint32_t keep,
    int64_t *out)
{
	struct list_row row;
	int rc;

	*out = store_seq_next(st, SEQ_LIST);
	if (keep == 0)
		return OK;
	for (;;) {
		rc = row_read(&st->w, base, &row);
		if (rc != OK || row.base == 0 || keep > row.base_len)
			break;
		base = row.base;
	}
	if (rc != OK)
		return rc;
	if (row.depth >= LIST_DEPTH)
		return begin_flat(st, *out, base, keep);
	return row_insert(st, *out, &(struct list_row){ base, keep, row.depth + 1 },
	    thread);
}

/* Nothing else says that the number is taken. */
int
lists_begin_empty(struct store *st, int64_t thread, int64_t *out)
{
	*out = store_seq_next(st, SEQ_LIST);
	return row_insert(st, *out, &(struct list_row){ 0 }, thread);
}

int
lists_end(struct db *db, int64_t list, uint32_t *len)
{
	struct query q = query_of(db, SQL_LIST_END, db_i64(entry_key(list, 0)),
	    db_i64(entry_key(list + 1, 0)));
	struct list_row row;
	int rc = query_row(&q);

	if (rc == OK)
		*len = (uint32_t)(query_i64(&q, 0) - entry_key(list, 0));
	query_end(&q);
	if (rc != ERR_NOTFOUND)
		return rc;
	rc = row_read(db, list, &row);
	*len = (uint32_t)row.base_len;
	return rc;
}

/* ---- end ------------------------------------------------------------------ */

/* How far others need it; 0: there are none. */
static int
needed(struct db *db, int64_t list, int64_t *len)
{
	return query_one_i64(query_of(db, SQL_LIST_NEEDED, db_i64(list)), len);
}

int
lists_cut(struct db *db, int64_t list, uint32_t len)
{
	int64_t need = 0;
	int rc = needed(db, list, &need);

	if (rc != OK || need > len)
		return rc;
	return db_run(db, SQL_ENTRY_DROP, db_i64(entry_key(list, len)),
	    db_i64(entry_key(list + 1, 0)));
}

static int
entries_erase(struct db *db, int64_t list, int64_t *budget)
{
	int rc = db_run(db, SQL_ENTRY_ERASE, db_i64(entry_key(list, 0)),
	    db_i64(entry_key(list + 1, 0)), db_i64(*budget));

	*budget -= rc == OK ? db_changes(db) : 0;
	return rc == OK && *budget <= 0 ? ERR_AGAIN : rc;
}

/* The list and those of its bases that nobody else needs and whose threads are
 * gone; at most LIST_DEPTH + 1. */
static int
chain_read(struct db *db, int64_t list, int64_t *chain, size_t *n)
{
	int rc = OK;

	*n = 0;
	while (rc == OK && list != 0 && *n <= LIST_DEPTH) {
		int64_t base = 0;

		chain[(*n)++] = list;
		rc = query_one_i64(query_of(db, SQL_LIST_LONE_BASE, db_i64(list)), &base);
		list = base;
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* From the far end: what is interrupted is found again by what is left. */
int
lists_drop(struct db *db, int64_t list, int64_t *budget)
{
	int64_t chain[LIST_DEPTH + 1];
	struct query q = query_of(db, SQL_LIST_NEEDS, db_i64(list));
	bool need = false, plain = false;
	size_t n = 0;
	int rc = query_row(&q);

	if (rc == OK) {
		need = query_i64(&q, 0) != 0;
		plain = query_i64(&q, 1) == 0;
	}
	query_end(&q);
	if (rc == OK && need)
		return db_run(db, SQL_LIST_ORPHAN, db_i64(list));
	if (rc == OK && plain)
		return entries_erase(db, list, budget);
	if (rc == OK)
		rc = chain_read(db, list, chain, &n);
	while (rc == OK && n > 0) {
		rc = entries_erase(db, chain[--n], budget);
		if (rc == OK)
			rc = db_run(db, SQL_LIST_ERASE, db_i64(chain[n]));
	}
	return rc;
}
