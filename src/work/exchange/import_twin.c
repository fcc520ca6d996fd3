/*
 * import_twin.c - two lines with one id, as a merge by lines leaves them.
 *
 * The same item twice is merged, as two sides without a base: per field the line
 * that was updated later wins.  Of two items under one id both are kept: the one
 * created later gets the id that every other clone would give it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "work/exchange/import_priv.h"

/* The first line becomes the merged item, the second a blank line. */
static int
twins_merge(struct import *im, struct entry *twin, struct entry *x,
    const struct record *a, const struct record *b)
{
	struct merge m = { .a = &im->w->a };
	struct buf text = BUF(2 * (size_t)LIMIT_WORK_ITEM_BYTES);
	struct record out;

	record_merge(&out, NULL, a, b, &m);
	record_encode(&text, &out);
	twin->merged = arena_str(&im->plan, buf_str(&text));
	im->line = x->line;
	import_warn(im, "%.*s is in line %zu already: the two were merged, and later "
	    "changes won", FMT(twin->id), twin->line);
	*x = (struct entry){ .line = x->line };
	buf_release(&text);
	return twin->merged.p == NULL ? work_fail(im->w, ERR_TOOBIG,
	    "the import is too large") : OK;
}

/* Decodes both in one arena; each needs its document until the end. */
int
import_twins_settle(struct import *im, struct entry *twin, struct entry *x,
    const struct record *theirs)
{
	struct json_doc kept = im->doc;
	struct record a, b = *theirs, *moved = NULL;
	struct err e;
	jnode item;
	int rc;

	assert(twin != x && str_eq(twin->id, x->id));
	if (im->strict)
		return work_fail(im->w, ERR_INVALID, "line %zu: %.*s is in line %zu "
		    "already", x->line, FMT(x->id), twin->line);
	im->doc = (struct json_doc){ .root = NULL };
	rc = import_entry_value(im, twin, &item, &e);
	if (rc == OK)
		rc = record_decode(&a, item, &im->w->a, &e);
	if (rc == OK)
		moved = record_to_move(&a, &b);
	if (rc != OK) {
		rc = work_fail(im->w, rc, "line %zu: %s", twin->line, e.text);
	} else if (moved == NULL) {
		rc = twins_merge(im, twin, x, &a, &b);
	} else {
		rc = import_entry_move(im, moved == &a ? twin : x, moved);
		if (rc == OK)
			map_put(&im->ids, x);
	}
	json_release(&kept);
	return rc;
}
