/*
 * record_priv.h - a line of an export: an item with its comments, and the merge of
 * three of them.
 *
 * The merge is per field.  What only one side changed since the base is taken
 * from that side; what both changed alike is taken; what both changed
 * differently is a clash, and goes to the side that was updated later (if that
 * is the same too, to the larger bytes), so that whoever merges comes to the
 * same end.  Labels and dependencies merge as sets, comments only ever grow.
 * Without a base fields that differ go to the later side and sets are joined.
 *
 * A deletion (status "tombstone") beats a side that did not change, or changed
 * before it; a change that is later than the deletion beats it.
 *
 * The merge is pure: no database, no clock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_EXCHANGE_RECORD_PRIV_H
#define WORK_EXCHANGE_RECORD_PRIV_H

#include "work/row.h"

int op_export(struct work *w, struct work_call *c);
int op_import(struct work *w, struct work_call *c);

struct comment {
	struct str author, text, created_at;
};

struct record {
	struct item it;
	struct comment *comments;            /* sorted: time, author, text */
	size_t comments_n;
};

/* ---- in the tracker (export.c) ------------------------------------------------ */

/* The number of the id's row, a tombstone's too; 0: none. */
int record_row(struct work *w, struct str id, int64_t *seq);
/* The row, whole: with comments, and a tombstone with its time and actor.  In
 * w->a. */
int record_load(struct work *w, int64_t seq, struct record *r);
/* The text in the first row and column, to the statement's end, in w->a; p NULL:
 * none. */
int record_text(struct work *w, struct query q, struct str *out);

/* ---- as text (record.c) ------------------------------------------------------- */

/* Strict: item_decode and the comments, an id that can be one, a title unless
 * it is a tombstone, no dependency named twice.  closed_at is made to stand
 * exactly with closed (then: updated_at), as bd does.  Texts are borrowed from
 * the document.  ERR_INVALID, ERR_TOOBIG with the key. */
int record_decode(struct record *r, jnode object, struct arena *a, struct err *e);
/* The same of a line.  doc: zeroed, or of a line before; it is released, and is
 * the new line's document. */
int record_parse(struct record *r, struct json_doc *doc, struct str line,
    struct arena *a, struct err *e);
/* One line, without its end; a tombstone's is short.  Leases stay behind: they
 * are one tracker's, by its own clock. */
void record_encode(struct buf *b, const struct record *r);

/* The members that we do not know, as an object; release it.  it NULL: none. */
void record_extra(struct json_doc *doc, const struct item *it);
/* Sorts and drops doubles. */
void comments_sort(struct comment *list, size_t *n);
/* closed_at exactly when closed. */
void record_settle(struct item *it);

/* ---- three become one (record_merge.c) ------------------------------------------ */

/* Both sides changed a field differently. */
struct clash {
	struct str id;
	const char *field;                   /* "title"; "deleted" for a deletion */
	struct str ours, theirs, kept;       /* texts; empty: absent */
};

struct merge {
	struct arena *a;                     /* for what the result needs anew */
	void (*report)(void *ctx, const struct clash *c);
	void *ctx;
};

/* base may be NULL.  Texts of the result are borrowed from the three.  The
 * columns beside the body (seq, counters) are those of ours. */
void record_merge(struct record *out, const struct record *base,
    const struct record *ours, const struct record *theirs, struct merge *m);

/* Two items that were given the same id, on branches that knew nothing of each
 * other (made at different times, under different titles)?  Then the one made
 * later, which has to take another id; NULL: they are one. */
struct record *record_to_move(struct record *a, struct record *b);
/* That id: everybody who finds the two comes to the same. */
struct str record_other_id(const struct record *r, struct arena *a);

/* The id that the item of this tombstone has now; p NULL: it is deleted. */
struct str tombstone_to(const struct item *it, struct arena *a);
/* When it was deleted, as its line says. */
struct str tombstone_at(const struct item *it, struct str *by, struct arena *a);

#endif
