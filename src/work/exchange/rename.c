/*
 * rename.c - gives items other ids and updates all references to them.
 *
 * A renamed item leaves a tombstone under its old id with the new one.  The export
 * has it, so that a clone that still uses the old id renames its own item, with
 * its edits, instead of having the item twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/mem.h"
#include "work/exchange/record_priv.h"
#include "work/exchange/rename_priv.h"
#include "work/graph.h"

/* ---- the list -------------------------------------------------------------- */

void
renames_add(struct renames *r, struct str from, struct str to)
{
	mem_grow(r->list, r->n, r->cap);
	r->list[r->n++] = (struct rename){ from, to };
}

static int
from_order(const void *a, const void *b)
{
	return str_cmp(((const struct rename *)a)->from,
	    ((const struct rename *)b)->from);
}

static int
rename_order(const void *a, const void *b)
{
	int order = from_order(a, b);

	return order != 0 ? order : str_cmp(((const struct rename *)a)->to,
	    ((const struct rename *)b)->to);
}

void
renames_sort(struct renames *r)
{
	if (r->n > 1)
		qsort(r->list, r->n, sizeof *r->list, rename_order);
}

struct renames
renames_back(const struct renames *r)
{
	struct renames back = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		renames_add(&back, r->list[i].to, r->list[i].from);
	renames_sort(&back);
	for (size_t i = 0; i < back.n; i++) {
		if (i == 0 || from_order(&back.list[i], &back.list[n - 1]) != 0)
			back.list[n++] = back.list[i];
	}
	back.n = n;
	return back;
}

void
renames_unique(struct renames *r)
{
	struct renames back = renames_back(r);

	renames_release(r);
	*r = renames_back(&back);
	renames_release(&back);
}

void
renames_release(struct renames *r)
{
	free(r->list);
	*r = (struct renames){ 0 };
}

struct str
renames_get(const struct renames *r, struct str id)
{
	struct rename key = { .from = id };
	const struct rename *x = r->n == 0 ? NULL : bsearch(&key, r->list, r->n,
	    sizeof key, from_order);

	return x != NULL ? x->to : STR_NONE;
}

/* ---- one item -------------------------------------------------------------- */

static int
mention_renamed(void *ctx, struct str id, struct buf *out)
{
	buf_add(out, renames_get(ctx, id));
	return OK;
}

static bool
has_dep(const struct dep *deps, size_t n, struct str id)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(deps[i].id, id))
			return true;
	}
	return false;
}

/* Drops a dependency whose target is there already under its new id, and one on
 * the item itself by its new id. */
static bool
deps_reword(struct item *it, const struct renames *r, struct arena *a)
{
	struct dep *deps = arena_alloc(a, (it->deps_n + 1) * sizeof *deps);
	bool changed = false;
	size_t n = 0;

	if (deps == NULL)
		return false;
	for (size_t i = 0; i < it->deps_n; i++) {
		struct str to = renames_get(r, it->deps[i].id);

		if (str_eq(to.p != NULL ? to : it->deps[i].id, it->id) ||
		    (to.p != NULL && (has_dep(it->deps, it->deps_n, to) ||
		    has_dep(deps, n, to)))) {
			changed = true;
			continue;
		}
		deps[n] = it->deps[i];
		if (to.p != NULL)
			deps[n].id = to;
		changed |= to.p != NULL;
		n++;
	}
	it->deps = deps;
	it->deps_n = n;
	return changed;
}

bool
rename_in_item(struct item *it, const struct renames *r, struct arena *a)
{
	struct mention m = { .put = mention_renamed, .ctx = (void *)(uintptr_t)r };
	struct str to = renames_get(r, it->id);
	bool texts = false, other;

	if (r->n == 0)
		return false;
	if (to.p != NULL)
		it->id = to;
	other = deps_reword(it, r, a);
	mentions_rewrite(a, it, &m, true, &texts);
	return to.p != NULL || other || texts;
}

/* ---- all items ------------------------------------------------------------- */

static struct str
id_json(struct work *w, struct str id)
{
	return arena_fmt(&w->a, "{\"id\":\"%.*s\"}", FMT(id));
}

/* The new id must be free, or have the tombstone of a rename: *seq. */
static int
room_check(struct work *w, const struct rename *x, int64_t *seq)
{
	struct item it;
	int rc = record_row(w, x->to, seq);

	if (rc != OK || *seq == 0)
		return rc;
	rc = item_load(w, *seq, &it);
	if (rc == OK && (it.status != STATUS_TOMBSTONE ||
	    record_renamed_to(&it, &w->a).p == NULL))
		rc = work_fail(w, ERR_CONFLICT, "%.*s cannot become %.*s: %.*s is in "
		    "use, or was (ids are not used twice)",
		    FMT(x->from), FMT(x->to), FMT(x->to));
	return rc;
}

int
renames_check(struct work *w, const struct renames *r)
{
	int64_t seq;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < r->n; i++) {
		arena_clear(&w->a);
		rc = room_check(w, &r->list[i], &seq);
	}
	return rc;
}

/* Deletes the tombstone at an id that an item gets back. */
static int
room_make(struct work *w, const struct rename *x)
{
	int64_t seq;
	int rc = room_check(w, x, &seq);

	if (rc != OK || seq == 0)
		return rc;
	rc = db_run(&w->db, SQL_ITEM_FORGET, db_i64(seq));
	w->t.counts[2 * STATUS_TOMBSTONE]--;
	return rc == OK ? OK : work_fail_db(w, rc);
}

static int
tombstone_leave(struct work *w, const struct rename *x)
{
	struct item it = { .id = x->from, .status = STATUS_TOMBSTONE,
		.priority = PRIORITY_DEFAULT, .type = TYPE_TASK, .estimated = -1,
		.created = w->call->now };
	struct buf b = BUF(8 * KB);

	json_add_fmt(&b, "'deleted_at':%.*s,'deleted_by':%.*s,'renamed_to':%.*s",
	    FMT(work_now_text(w)), FMT(w->call->actor), FMT(x->to));
	it.extra = work_text_keep(w, &b);
	return item_save(w, &it, NULL);
}

static int
item_rename(struct work *w, const struct renames *r, int64_t seq, bool stamp)
{
	struct item it, was;
	int rc = item_load(w, seq, &it);

	was = it;
	if (rc != OK || it.status == STATUS_TOMBSTONE ||
	    !rename_in_item(&it, r, &w->a))
		return rc;
	if (stamp)
		item_touch(w, &it);
	rc = item_save(w, &it, &was);
	if (rc == OK && !str_eq(it.id, was.id))
		return event_add(w, seq, it.id, EVENT_renamed, id_json(w, was.id),
		    id_json(w, it.id), false);
	return rc == OK ? event_add(w, seq, it.id, EVENT_updated, STR_NONE,
	    arena_str(&w->a, buf_str(&w->scratch)), false) : rc;
}

static int
rows_rename(struct work *w, const struct renames *r, bool stamp)
{
	struct arena a = ARENA(LIMIT_WORK_MEMORY_BYTES);     /* w->a is one item's */
	int64_t *list;
	size_t n;
	int rc = work_seqs_read(w, query_of(&w->db, SQL_ITEMS_ALL, db_i64(w->t.seq)),
	    &a, &list, &n);

	for (size_t i = 0; rc == OK && i < n; i++) {
		arena_clear(&w->a);
		rc = work_tick(w, i, n);
		if (rc == OK)
			rc = item_rename(w, r, list[i], stamp);
	}
	arena_release(&a);
	return rc;
}

int
rename_items(struct work *w, const struct renames *r, bool stamp,
    bool (*has)(void *ctx, struct str id), void *ctx)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < r->n; i++) {
		arena_clear(&w->a);
		rc = room_make(w, &r->list[i]);
	}
	if (rc == OK)
		rc = rows_rename(w, r, stamp);
	for (size_t i = 0; rc == OK && i < r->n; i++) {
		int64_t seq = 0;

		arena_clear(&w->a);
		if (has == NULL || !has(ctx, r->list[i].from))
			rc = tombstone_leave(w, &r->list[i]);
		if (rc == OK)
			rc = record_row(w, r->list[i].to, &seq);
		if (rc == OK && seq != 0)
			rc = loose_take(w, r->list[i].to, seq);
	}
	return rc;
}
