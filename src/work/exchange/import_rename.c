/*
 * import_rename.c - items whose id changed on one side since the last exchange.
 *
 * If the import has a tombstone with `renamed_to`, our item is renamed too and
 * keeps our edits.  If ours was renamed and the import does not know it yet, its
 * line is read under the new id.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "work/exchange/import_priv.h"

void
import_rename_told(struct import *im, const struct entry *x, const struct record *r)
{
	struct str to = record_renamed_to(&r->it, &im->plan);

	if (to.p != NULL)
		renames_add(&im->told, x->id, to);
}

/* Follows renames from `id` to a live row; *seq 0: there is none. */
static int
live_find(struct import *im, struct str id, int64_t *seq, struct item *it)
{
	int rc = record_row(im->w, id, seq);

	for (int i = 0; rc == OK && *seq != 0 && i < RENAMES_CHAIN; i++) {
		rc = item_load(im->w, *seq, it);
		if (rc != OK || it->status != STATUS_TOMBSTONE)
			return rc;
		id = record_renamed_to(it, &im->w->a);
		*seq = 0;
		if (id.p != NULL)
			rc = record_row(im->w, id, seq);
	}
	return rc;
}

/* ---- ours was renamed ------------------------------------------------------ */

/* If the base is the tombstone, the line is an item that was restored. */
static int
base_is_live(struct import *im, struct str id, bool *yes)
{
	struct str line;
	int rc = import_base_get(im, id, &line);

	*yes = rc != OK || !str_contains(line, S("\"renamed_to\""));
	return rc;
}

int
import_rename_follow(struct import *im, struct entry *x)
{
	struct item now;
	int64_t seq;
	bool live;
	int rc = record_row(im->w, x->id, &seq);

	if (rc == OK && seq != 0)
		rc = item_load(im->w, seq, &now);
	if (rc != OK || seq == 0 || record_renamed_to(&now, &im->w->a).p == NULL)
		return rc;
	rc = base_is_live(im, x->id, &live);
	if (rc == OK && live)
		rc = live_find(im, x->id, &seq, &now);
	if (rc == OK && live && seq != 0)
		renames_add(&im->follow, x->id, arena_str(&im->plan, now.id));
	return rc;
}

static void
follow_take(struct import *im)
{
	for (size_t i = 0; i < im->follow.n; i++) {
		const struct rename *r = &im->follow.list[i];
		struct entry *x = map_get(&im->ids, &r->from);

		if (x == NULL || map_get(&im->ids, &r->to) != NULL)
			continue;
		map_take(&im->ids, &r->from);
		x->id = r->to;
		map_put(&im->ids, x);
		renames_add(&im->found, r->from, r->to);
		renames_add(&im->known, r->from, r->to);
		renames_add(&im->back, r->to, r->from);
	}
}

/* ---- theirs was ------------------------------------------------------------ */

static struct str
told_end(const struct import *im, struct str to)
{
	for (int i = 0; i < RENAMES_CHAIN; i++) {
		struct str next = renames_get(&im->told, to);

		if (next.p == NULL)
			break;
		to = next;
	}
	return to;
}

static int
ours_note(struct import *im, const struct rename *told)
{
	struct str to = told_end(im, told->to);
	struct item now, there;
	int64_t seq, other;
	int rc;

	arena_clear(&im->w->a);
	rc = live_find(im, told->from, &seq, &now);
	if (rc != OK || seq == 0 || str_eq(now.id, to))
		return rc;
	rc = record_row(im->w, to, &other);
	if (rc == OK && other != 0) {
		rc = item_load(im->w, other, &there);
		if (rc != OK || there.status != STATUS_TOMBSTONE ||
		    record_renamed_to(&there, &im->w->a).p == NULL)
			return rc;           /* both ids exist here: nothing to rename */
	}
	if (rc == OK)
		renames_add(&im->ours, arena_str(&im->plan, now.id), to);
	return rc;
}

static bool
has_line(void *ctx, struct str id)
{
	const struct import *im = ctx;

	return map_get(&im->ids, &id) != NULL;
}

/* If PREFIX-rest became OTHER-rest, OTHER becomes the prefix of new ids. */
static int
prefix_follow(struct import *im)
{
	struct work *w = im->w;
	struct str own = w->t.prefix;

	for (size_t i = 0; i < im->ours.n; i++) {
		struct str from = im->ours.list[i].from, to = im->ours.list[i].to;
		struct str rest;

		if (!str_starts(from, own) || from.n <= own.n ||
		    from.p[own.n] != '-')
			continue;
		rest = str_sub(from, own.n, from.n - own.n);
		if (!str_ends(to, rest) || to.n <= rest.n)
			continue;
		im->prefix = str_sub(to, 0, to.n - rest.n);
		if (prefix_is_valid(im->prefix))
			return rename_prefix_write(w, im->prefix);
		im->prefix = STR_NONE;
	}
	return OK;
}

int
import_renames_apply(struct import *im)
{
	int rc = OK;

	renames_sort(&im->told);
	for (size_t i = 0; rc == OK && i < im->told.n; i++)
		rc = ours_note(im, &im->told.list[i]);
	renames_unique(&im->ours);
	if (rc == OK && im->ours.n > 0)
		rc = rename_items(im->w, &im->ours, false, has_line, im);
	if (rc == OK)
		rc = prefix_follow(im);
	for (size_t i = 0; rc == OK && i < im->ours.n; i++) {
		const struct rename *r = &im->ours.list[i];

		import_report_move(im, r->from, r->to, S(""));
		renames_add(&im->known, r->from, r->to);
		renames_add(&im->back, r->to, r->from);
	}
	if (rc == OK)
		follow_take(im);
	renames_sort(&im->known);
	renames_sort(&im->back);
	renames_sort(&im->found);
	im->moves = im->found;               /* later readings use them */
	im->found = (struct renames){ 0 };
	return rc;
}

void
import_renames_end(struct import *im)
{
	struct renames *all[] = { &im->moves, &im->found, &im->told, &im->follow,
		&im->ours, &im->known, &im->back };

	for (size_t i = 0; i < COUNT(all); i++)
		renames_release(all[i]);
}
