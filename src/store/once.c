/*
 * once.c - keys of requests that clients may repeat, beside what the requests made.
 *
 * A key is looked for before its command runs, and written after it, in the same
 * transaction.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "store/store_priv.h"

#define SWEEP_MAX 2000                       /* keys of one transaction */

static struct str
hash_str(const uint8_t hash[STORE_HASH])
{
	return (struct str){ (const char *)hash, STORE_HASH };
}

/* Columns: request, id. */
static int
once_read(struct query q, struct store_once *x)
{
	int rc = query_row(&q);

	if (rc == OK) {
		struct str request = query_borrow(&q, 0);

		if (request.n == STORE_HASH)
			memcpy(x->request, request.p, STORE_HASH);
		else
			rc = ERR_IO;
		x->id = query_uuid(&q, 1);
	}
	query_end(&q);
	return rc;
}

int
store_once_get(struct store_reader *r, owner_t o, struct store_once *x)
{
	return once_read(query_of(&r->db, SQL_ONCE_GET, db_i64(o),
	    db_blob(hash_str(x->key))), x);
}

int
once_check(struct store *st, struct store_cmd *c)
{
	struct store_once found;
	int rc;

	found = *c->once;
	rc = once_read(query_of(&st->w, SQL_ONCE_GET, db_i64(c->owner),
	    db_blob(hash_str(found.key))), &found);
	if (rc == ERR_NOTFOUND)
		return OK;
	return rc != OK ? rc : err_set(&c->err, ERR_CONFLICT, "Idempotency-Key: a request "
	    "with it is under way; ask again");
}

int
once_keep(struct store *st, struct store_cmd *c)
{
	const struct store_once *x = c->once;

	assert(x->id_at >= sizeof *c);
	return db_run(&st->w, SQL_ONCE_PUT, db_i64(c->owner), db_blob(hash_str(x->key)),
	    db_blob(hash_str(x->request)),
	    db_uuid((const struct uuid *)((const char *)c + x->id_at)), db_i64(x->now));
}

/* The oldest, those past their time first; while there are more than may be kept, of
 * any time. */
static int
once_sweep(struct store *st, struct store_cmd *c)
{
	struct store_sweep *x = (struct store_sweep *)c;
	int64_t kept = 0, max = x->limit < SWEEP_MAX ? x->limit : SWEEP_MAX;
	msec until = x->now - LIMIT_ONCE_MS;
	int rc = query_one_i64(query_of(&st->w, SQL_ONCE_COUNT), &kept);

	if (kept - max >= st->once_keys)
		until = INT64_MAX;
	if (rc == OK)
		rc = db_run(&st->w, SQL_ONCE_SWEEP, db_i64(until), db_i64(max));
	x->removed = rc == OK ? db_changes(&st->w) : 0;
	x->more = rc == OK && x->removed == max;
	return rc;
}
const struct op store_op_once_sweep = { .run = once_sweep };
