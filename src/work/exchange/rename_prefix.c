/*
 * rename_prefix.c - changes the prefix of all ids of a tracker.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/exchange/rename_priv.h"
#include "work/exchange/record_priv.h"

struct renaming {
	struct work *w;
	struct str from, to;                 /* prefixes */
	struct renames list;
	struct arena all;                    /* ids; w->a is one item's */
};

/* Does the id have the old prefix?  A prefix ends at the last '-'. */
static bool
is_ours(const struct renaming *r, struct str id)
{
	return id.n > r->from.n + 1 && str_starts(id, r->from) &&
	    id.p[r->from.n] == '-' &&
	    str_index(str_sub(id, r->from.n + 1, id.n), '-') < 0;
}

static struct str
id_after(struct renaming *r, struct str id)
{
	return arena_fmt(&r->all, "%.*s%.*s", FMT(r->to),
	    FMT(str_sub(id, r->from.n, id.n)));
}

/* Deleted items keep their ids, by which other clones know them. */
static int
ids_read(struct renaming *r)
{
	int rc;
	struct query q = query_of(&r->w->db, SQL_IDS_LIVE, db_i64(r->w->t.seq));

	while ((rc = query_row(&q)) == OK && !r->all.failed) {
		struct str id = query_borrow(&q, 0);

		if (is_ours(r, id))
			renames_add(&r->list, arena_str(&r->all, id),
			    id_after(r, id));
	}
	query_end(&q);
	if (r->all.failed)
		return work_fail(r->w, ERR_LIMIT, "rename_prefix: too many items");
	renames_sort(&r->list);
	return rc == ERR_NOTFOUND ? OK : work_fail_db(r->w, rc);
}

static int
ids_check(const struct renaming *r)
{
	for (size_t i = 0; i < r->list.n; i++) {
		struct str id = r->list.list[i].to;

		if (id.n > LIMIT_WORK_ID_BYTES)
			return work_fail(r->w, ERR_TOOBIG, "%.*s: the id would be longer "
			    "than %d bytes", FMT(id), LIMIT_WORK_ID_BYTES);
	}
	return OK;
}

int
rename_prefix_write(struct work *w, struct str prefix)
{
	int rc = db_run(&w->db, SQL_TRACKER_PREFIX, db_str(prefix),
	    db_i64(w->t.seq));

	return rc == OK ? OK : work_fail_db(w, rc);
}

static void
renamed_add(const struct renaming *r, struct buf *b)
{
	const struct renames *l = &r->list;

	json_add_fmt(b, "{'old_prefix':%.*s,'new_prefix':%.*s,'renamed':%lld,"
	    "'issues':[", FMT(r->from), FMT(r->to), (long long)l->n);
	for (size_t i = 0; i < l->n && i < LIMIT_WORK_IDS; i++) {
		json_add_fmt(b, ",{'old':%.*s,'new':%.*s}", FMT(l->list[i].from),
		    FMT(l->list[i].to));
	}
	buf_lit(b, "]}");
}

static int
prefix_take(struct work *w, struct str *to)
{
	int rc;

	*to = arg_text(w->call, "prefix");
	while (to->n > 0 && to->p[to->n - 1] == '-')
		to->n--;
	rc = prefix_check(*to, &w->call->err);
	if (rc != OK)
		return rc;
	if (str_eq(*to, w->t.prefix))
		return work_fail(w, ERR_INVALID, "new prefix is the same as current "
		    "prefix: %.*s", FMT(*to));
	return OK;
}

int
op_rename_prefix(struct work *w, struct work_call *c)
{
	struct renaming r = { .w = w, .from = w->t.prefix,
		.all = ARENA(LIMIT_WORK_MEMORY_BYTES) };
	struct arena mine = w->a;
	bool dry = arg_bool(c, "dry_run");
	int rc = prefix_take(w, &r.to);

	if (rc != OK)
		return rc;
	w->a = ARENA(LIMIT_WORK_MEMORY_BYTES);
	rc = ids_read(&r);
	if (rc == OK)
		rc = ids_check(&r);
	if (rc == OK)
		rc = renames_check(w, &r.list);
	if (rc == OK && !dry)
		rc = rename_items(w, &r.list, true, NULL, NULL);
	if (rc == OK && !dry)
		rc = rename_prefix_write(w, r.to);
	if (rc == OK)
		renamed_add(&r, c->data);
	arena_release(&w->a);
	w->a = mine;
	if (rc == OK && !dry)
		w->t.prefix = arena_str(&w->a, r.to);
	renames_release(&r.list);
	arena_release(&r.all);
	return rc;
}
