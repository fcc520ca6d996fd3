/*
 * rename_priv.h - gives items other ids and updates references (rename.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_EXCHANGE_RENAME_PRIV_H
#define WORK_EXCHANGE_RENAME_PRIV_H

#include "work/row.h"

int op_rename_prefix(struct work *w, struct work_call *c);

/* Ids that change; sorted by `from` before renames_get. */
struct rename {
	struct str from, to;
};

#define RENAMES_CHAIN 100                    /* renames of one item that are followed */

struct renames {
	struct rename *list;
	size_t n, cap;
};

void renames_add(struct renames *r, struct str from, struct str to);
void renames_sort(struct renames *r);
/* The inverse, sorted; of several with one `to` the first. */
struct renames renames_back(const struct renames *r);
/* Sorts, and keeps each id once as `from` and once as `to`. */
void renames_unique(struct renames *r);
void renames_release(struct renames *r);
/* The new id; p NULL: unchanged. */
struct str renames_get(const struct renames *r, struct str id);
/* Renames in an item: its id, its dependencies, mentions in its texts.  True: it
 * changed. */
bool rename_in_item(struct item *it, const struct renames *r, struct arena *a);
/* Renames in all items of the tracker.  A renamed item leaves a tombstone with
 * `renamed_to` under its old id, so that other clones follow, unless `has` says
 * that the import brings one.  stamp: sets updated_at.  ERR_CONFLICT: a new id is
 * in use. */
int rename_items(struct work *w, const struct renames *r, bool stamp,
    bool (*has)(void *ctx, struct str id), void *ctx);
/* The same check without the change.  Clears w->a. */
int renames_check(struct work *w, const struct renames *r);
/* Writes the tracker's prefix; the caller sets tracker.prefix. */
int rename_prefix_write(struct work *w, struct str prefix);

#endif
