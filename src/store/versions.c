/*
 * versions.c - the versions that an assistant had, and going back to one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/store_priv.h"

static int
assistant_latest(struct store *st, struct store_cmd *c)
{
	struct store_assistant_latest *x = (struct store_assistant_latest *)c;
	int64_t seq = 0;
	struct query q = query_of(&st->w, SQL_ASSISTANT_OWN, db_uuid(&x->id),
	    db_i64(c->owner));
	int rc = query_row(&q);

	if (rc == OK)
		seq = query_i64(&q, 10);
	query_end(&q);
	if (rc != OK)
		return rc;
	rc = query_one(query_of(&st->w, SQL_VERSION_AT, db_i64(seq),
	    db_i64(x->version)), &store_assistant_record, &x->a, c->arena);
	if (rc == ERR_NOTFOUND)
		return err_set(&c->err, rc, "Assistant version not found");
	if (rc != OK)
		return rc;
	x->a.updated = x->now;
	return db_run(&st->w, SQL_ASSISTANT_LATEST, db_i64(x->version),
	    db_i64(x->now), db_i64(seq), db_i64(c->owner));
}
OP_LOCK(assistant_latest, lock_uuid(l, LOCK_ASSISTANT, &x->id))
const struct op store_op_assistant_latest = { .run = assistant_latest,
    .locks = assistant_latest_locks };

/* Those of a page that contain what is wanted; one more tells that there are
 * others. */
static int
page_read(struct store_assistant_versions *x, struct query *q, struct wanted *want,
    bool *any)
{
	int64_t skip = x->offset;
	int rc;

	while ((rc = query_row(q)) == OK) {
		bool yes = true;

		*any = true;
		rc = wanted_test(want, query_borrow(q, 6), &yes);
		if (rc == OK && yes && skip-- <= 0) {
			x->more = (int64_t)x->found_n == x->limit;
			if (x->more)
				return OK;
			rc = query_read(q, &store_assistant_record,
			    &x->found[x->found_n++], x->cmd.arena);
		}
		if (rc != OK)
			return rc;
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
assistant_versions(struct store *st, struct store_cmd *c)
{
	struct store_assistant_versions *x = (struct store_assistant_versions *)c;
	struct db *db = slow_db(st, c);
	struct wanted want;
	struct query q;
	bool any = false;
	int rc;

	assert(x->limit >= 0 && x->limit <= LIMIT_PAGE_ROWS && x->offset >= 0);
	x->more = false;
	x->found_n = 0;
	x->found = arena_alloc(c->arena, ((size_t)x->limit + 1) * sizeof *x->found);
	rc = wanted_init(&want, x->metadata_json, c->guard, db, &c->err);
	if (rc == OK)
		rc = arena_rc(c->arena);
	if (rc == OK) {
		q = query_of(db, SQL_VERSIONS_OF, db_uuid(&x->id), db_i64(c->owner));
		rc = page_read(x, &q, &want, &any);
		query_end(&q);
	}
	wanted_release(&want);
	return rc == OK && !any ? ERR_NOTFOUND : rc;
}
const struct op store_op_assistant_versions = { .run = assistant_versions,
    .lane = OP_READ };
