/*
 * rename_priv.h - items under other ids, and all that names them (rename.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_EXCHANGE_RENAME_PRIV_H
#define WORK_EXCHANGE_RENAME_PRIV_H

#include "work/row.h"

int op_rename_prefix(struct work *w, struct work_call *c);

/* Ids that change; sorted by `from` (renames_sort), so that many do not cost
 * more than few. */
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
/* The way back, from `to` to `from`: sorted, each `to` once. */
struct renames renames_back(const struct renames *r);
/* Sorts; each id stays once on both sides. */
void renames_unique(struct renames *r);
void renames_release(struct renames *r);
/* The new id; p NULL: it stays. */
struct str renamed_id(const struct renames *r, struct str id);
/* What an item says: its id, its dependencies, mentions in its texts.  True if
 * anything changed. */
bool item_reword(struct item *it, const struct renames *r, struct arena *a);
/* All items of the tracker follow.  What is renamed leaves a tombstone with
 * `renamed_to` under its old id (unless `has` says that another will), so that
 * other clones rename theirs too.  stamp: they count as edited now.
 * ERR_CONFLICT: a new id is taken. */
int items_rename(struct work *w, const struct renames *r, bool stamp,
    bool (*has)(void *ctx, struct str id), void *ctx);
/* Could they?  Clears w->a. */
int renames_check(struct work *w, const struct renames *r);
/* The tracker's prefix; tracker.prefix is the caller's to set. */
int prefix_write(struct work *w, struct str prefix);

#endif
