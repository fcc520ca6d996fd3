/*
 * messages.c - lists of messages, packed.
 *
 * A row holds entries [first, first + n) of one list; its key is
 * list * 2^20 + first, so a list lies together in one B-tree and an append
 * goes to one place.  The body is n lengths (32 bits, little-endian) and then
 * the texts, one after the other.
 *
 * Rows of a list do not overlap and leave no gap, because only the latest
 * checkpoint of a thread is ever appended to and it names its list's end.
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

int
messages_append(struct store *st, int64_t list, uint32_t first,
    const struct str *messages, size_t n)
{
	char *sizes;

	if (st->pack.cap > PACK_KEEP)
		buf_release(&st->pack);
	buf_clear(&st->pack);
	sizes = buf_room(&st->pack, 4 * n);
	if (sizes == NULL)
		return ERR_TOOBIG;
	for (size_t i = 0; i < n; i++)
		size_put(sizes + 4 * i, messages[i].n);
	buf_added(&st->pack, 4 * n);
	for (size_t i = 0; i < n; i++)
		buf_add(&st->pack, messages[i]);
	if (st->pack.failed)
		return ERR_TOOBIG;
	return db_run(&st->w, SQL_MESSAGE_INSERT,
	    db_i64(entry_key(list, first)), db_i64((int64_t)n),
	    db_blob(buf_str(&st->pack)));
}

/* Hands out the entries of one packed row that fall into [from, to). */
static int
row_unpack(struct str body, uint32_t first, uint32_t n, uint32_t from,
    uint32_t to, struct str *out)
{
	size_t at = 4 * (size_t)n;

	if (body.n < at)
		return ERR_IO;
	for (uint32_t i = 0; i < n; i++) {
		size_t size = size_get((const unsigned char *)body.p + 4 * (size_t)i);

		if (size > body.n - at)
			return ERR_IO;
		if (first + i >= from && first + i < to)
			out[first + i - from] = (struct str){ body.p + at, size };
		at += size;
	}
	return OK;
}

int
messages_read(struct db *db, int64_t list, uint32_t from, uint32_t to,
    struct arena *a, struct str **out)
{
	uint32_t next = from;
	struct query q;
	int rc = OK;

	assert(from <= to);
	*out = arena_alloc(a, (to - from + 1) * sizeof **out);
	if (*out == NULL)
		return ERR_TOOBIG;
	if (from == to)
		return OK;
	q = query_of(db, SQL_MESSAGE_GET, db_i64(entry_key(list, from)),
	    db_i64(entry_key(list, 0)), db_i64(entry_key(list, to)));
	while (rc == OK && next < to) {
		uint32_t first, n;

		rc = query_row(&q);
		if (rc != OK)
			break;
		first = (uint32_t)(query_i64(&q, 0) - entry_key(list, 0));
		n = (uint32_t)query_i64(&q, 1);
		if (first > next || n == 0)
			rc = ERR_IO;                 /* a gap: damaged */
		else
			rc = row_unpack(query_str(&q, 2, a), first, n, from, to, *out);
		if (a->failed)
			rc = ERR_TOOBIG;
		next = first + n;
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? ERR_IO : rc;     /* shorter than promised */
}
