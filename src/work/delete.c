/*
 * delete.c - items are deleted: what is left is a tombstone with the id, which
 * is never used again, so that a merge knows the item from one it never had.
 *
 * The preview shows what depends on them: edges at either end, and the items at
 * the other ends, whose texts may mention them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "work/graph.h"
#include "work/row.h"
#include "work/work_priv.h"

struct tie {
	int64_t item, target;
	enum dep_type type;
	struct str item_id, target_id;
};

struct deletion {
	struct work *w;
	struct item *gone;
	size_t gone_n;
	struct tie *ties;
	size_t ties_n, ties_cap;
	int64_t *near;                       /* other ends; sorted */
	size_t near_n;
	int64_t references;                  /* items whose texts change */
	int64_t labels, comments;
};

/* ---- what is there ------------------------------------------------------------------------ */

static bool
is_gone(const struct deletion *d, int64_t seq)
{
	for (size_t i = 0; i < d->gone_n; i++) {
		if (d->gone[i].seq == seq)
			return true;
	}
	return false;
}

static int
gone_find(struct deletion *d)
{
	jnode ids = arg_node(d->w->call, "ids");
	struct json_iter at = json_each(ids);
	int rc = OK;

	if (json_count(ids) == 0)
		return work_fail(d->w, ERR_INVALID, "ids: expected one or more");
	d->gone = arena_alloc(&d->w->a, json_count(ids) * sizeof *d->gone);
	if (d->gone == NULL)
		return work_fail(d->w, ERR_TOOBIG, "too many ids");
	while (rc == OK && json_next(&at)) {
		struct item *it = &d->gone[d->gone_n];

		rc = item_find(d->w, json_str(at.value), it);
		if (rc == OK && !is_gone(d, it->seq)) {
			d->labels += (int64_t)it->labels_n;
			d->comments += it->comments;
			d->gone_n++;
		}
	}
	return rc;
}

static int
tie_note(struct deletion *d, const struct query *q)
{
	struct work *w = d->w;

	if (!arena_grow(&w->a, d->ties, d->ties_n, d->ties_cap))
		return work_fail(w, ERR_LIMIT, "too many dependencies");
	d->ties[d->ties_n++] = (struct tie){ query_i64(q, 0), query_i64(q, 1),
		(enum dep_type)query_i64(q, 2), query_str(q, 3, &w->a),
		query_str(q, 4, &w->a) };
	return OK;
}

/* The edges out of deleted items or (into) from others to them. */
static int
ties_find(struct deletion *d, bool into)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < d->gone_n; i++) {
		struct query q = query_of(&d->w->db,
		    into ? SQL_EDGES_INTO : SQL_EDGES_FROM,
		    db_i64(d->gone[i].seq));

		while ((rc = query_row(&q)) == OK) {
			if (into && is_gone(d, query_i64(&q, 0)))
				continue;
			rc = tie_note(d, &q);
			if (rc != OK)
				break;
		}
		rc = work_rows_end(d->w, &q, rc);
	}
	return rc;
}

static int
seq_order(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int
near_find(struct deletion *d)
{
	size_t n = 0;

	d->near = arena_alloc(&d->w->a, (2 * d->ties_n + 1) * sizeof *d->near);
	if (d->near == NULL)
		return work_fail(d->w, ERR_LIMIT, "too many dependencies");
	for (size_t i = 0; i < d->ties_n; i++) {
		if (!is_gone(d, d->ties[i].item))
			d->near[n++] = d->ties[i].item;
		if (!is_gone(d, d->ties[i].target))
			d->near[n++] = d->ties[i].target;
	}
	qsort(d->near, n, sizeof *d->near, seq_order);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || d->near[i] != d->near[d->near_n - 1])
			d->near[d->near_n++] = d->near[i];
	}
	return OK;
}

/* ---- those that stay ------------------------------------------------------------------------ */

static const struct item *
gone_named(const struct deletion *d, struct str id)
{
	for (size_t i = 0; i < d->gone_n; i++) {
		if (str_eq(d->gone[i].id, id))
			return &d->gone[i];
	}
	return NULL;
}

/* A mention of a deleted item becomes [deleted:ID], as in bd. */
static int
mention_gone(void *ctx, struct str id, struct buf *out)
{
	if (gone_named(ctx, id) != NULL)
		buf_add_fmt(out, "[deleted:%.*s]", FMT(id));
	return OK;
}

/* {"depends_on_id":..,"type":..} */
static struct str
dep_json(struct work *w, const struct dep *dep)
{
	struct buf b = BUF(8 * KB);

	json_add_fmt(&b, "{'depends_on_id':%.*s,'type':%s}", FMT(dep->id),
	    work_dep_names[dep->type]);
	return work_text_keep(w, &b);
}

/* Drops the item's dependencies on deleted items, with an event each. */
static int
deps_drop(struct deletion *d, struct item *it)
{
	struct dep *kept = arena_alloc(&d->w->a, (it->deps_n + 1) * sizeof *kept);
	size_t n = 0;
	int rc = OK;

	if (kept == NULL)
		return work_fail(d->w, ERR_TOOBIG, "too many dependencies");
	for (size_t i = 0; rc == OK && i < it->deps_n; i++) {
		if (gone_named(d, it->deps[i].id) == NULL)
			kept[n++] = it->deps[i];
		else
			rc = event_add(d->w, it->seq, it->id,
			    EVENT_dependency_removed, dep_json(d->w, &it->deps[i]),
			    STR_NONE, false);
	}
	it->deps = kept;
	it->deps_n = n;
	return rc;
}

static int
near_write(struct deletion *d, struct item *it, const struct item *was,
    bool texts)
{
	struct work *w = d->w;
	int rc = deps_drop(d, it);

	if (rc != OK || (!texts && it->deps_n == was->deps_n))
		return rc;
	item_touch(w, it);
	rc = item_save(w, it, was);
	if (rc == OK && texts)
		rc = event_add(w, it->seq, it->id, EVENT_updated,
		    item_json(w, was), item_json(w, it), false);
	return rc;
}

static int
near_change(struct deletion *d, int64_t seq, bool force)
{
	struct mention m = { .put = mention_gone, .ctx = d };
	struct item it, was;
	bool texts = false;
	int rc = item_load(d->w, seq, &it);

	if (rc != OK)
		return rc;
	was = it;
	rc = mentions_rewrite(&d->w->a, &it, &m, false, &texts);
	d->references += texts;
	return rc == OK && force ? near_write(d, &it, &was, texts) : rc;
}

/* ---- those that go -------------------------------------------------------- */

/* The tombstone keeps title, type and times; the audit has the rest. */
static int
bury(struct work *w, const struct item *was)
{
	struct item it = *was;
	int rc;

	item_set_status(w, &it, STATUS_TOMBSTONE);
	it.description = it.design = it.acceptance = it.notes = STR_NONE;
	it.assignee = it.external_ref = it.extra = STR_NONE;
	it.estimated = -1;
	it.labels_n = it.deps_n = 0;
	it.comments = 0;
	item_touch(w, &it);
	rc = event_add(w, it.seq, it.id, EVENT_deleted, item_json(w, was),
	    STR_NONE, false);
	if (rc == OK)
		rc = item_save(w, &it, was);
	return rc == OK && was->comments > 0 ? comments_drop(w, it.seq) : rc;
}

/* All become tombstones before any edge is removed, so that none of them turns
 * ready in between. */
static int
delete_all(struct deletion *d)
{
	struct work *w = d->w;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < d->gone_n; i++)
		rc = bury(w, &d->gone[i]);
	for (size_t i = 0; rc == OK && i < d->gone_n; i++) {
		if (d->gone[i].status != STATUS_CLOSED)
			rc = graph_closed(w, d->gone[i].seq, true);
	}
	for (size_t i = 0; rc == OK && i < d->ties_n; i++)
		rc = edge_remove(w, d->ties[i].item, d->ties[i].target);
	return rc;
}

/* ---- the answer ----------------------------------------------------------- */

static void
short_add(struct buf *b, const struct item *it)
{
	json_add_fmt(b, ",{'id':%.*s,'title':%.*s,'status':%s,'priority':%lld,"
	    "'issue_type':%s}", FMT(it->id), FMT(it->title),
	    work_status_names[it->status], (long long)it->priority,
	    work_type_names[it->type]);
}

/* The items that depend on a deleted one. */
static int
dependents_add(struct deletion *d, struct buf *b)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < d->near_n; i++) {
		bool depends = false;
		struct item it;

		for (size_t j = 0; j < d->ties_n && !depends; j++)
			depends = d->ties[j].item == d->near[i];
		if (!depends)
			continue;
		rc = item_load(d->w, d->near[i], &it);
		if (rc == OK)
			short_add(b, &it);
	}
	return rc;
}

static void
ties_add(const struct deletion *d, struct buf *b)
{
	for (size_t i = 0; i < d->ties_n; i++) {
		const struct tie *t = &d->ties[i];

		json_add_comma(b);
		dep_encode(b, t->item_id, t->target_id, work_dep_names[t->type]);
	}
}

static int
answer_add(struct deletion *d, bool force, struct buf *b)
{
	int rc;

	json_add_fmt(b, "{'deleted':%hhd,'issues':[", force);
	for (size_t i = 0; i < d->gone_n; i++)
		short_add(b, &d->gone[i]);
	json_add_fmt(b, "],'dependents':[");
	rc = dependents_add(d, b);
	json_add_fmt(b, "],'dependencies':[");
	ties_add(d, b);
	json_add_fmt(b, "],'dependencies_removed':%lld,'labels_removed':%lld,"
	    "'comments_removed':%lld,'references_updated':%lld}", (long long)d->ties_n,
	    (long long)d->labels, (long long)d->comments, (long long)d->references);
	return rc;
}

int
op_delete(struct work *w, struct work_call *c)
{
	struct deletion d = { .w = w };
	bool force = arg_bool(c, "force");
	int rc = gone_find(&d);

	if (rc == OK)
		rc = ties_find(&d, false);
	if (rc == OK)
		rc = ties_find(&d, true);
	if (rc == OK)
		rc = near_find(&d);
	for (size_t i = 0; rc == OK && i < d.near_n; i++)
		rc = near_change(&d, d.near[i], force);
	if (rc == OK)
		rc = answer_add(&d, force, c->data);
	return rc == OK && force ? delete_all(&d) : rc;
}
