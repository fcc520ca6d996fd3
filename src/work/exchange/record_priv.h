/*
 * record_priv.h - a line of an export: an item with its comments, and the merge of
 * three of them.
 *
 * The merge is per field.  A field that one side changed since the base is taken
 * from that side.  A field that both changed differently is a clash: the side that
 * was updated later wins, at equal times the larger bytes, so that every clone
 * comes to the same result.  Labels and dependencies merge as sets, comments are
 * only added.  Without a base the side updated later wins and sets are joined.
 *
 * A deletion (status "tombstone") wins against a side that did not change, or
 * changed before it; a later change wins against the deletion.
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

/* ---- in the tracker (export.c) --------------------------------------------- */

/* The number of the id's row, a tombstone's too; 0: none. */
int record_row(struct work *w, struct str id, int64_t *seq);
/* The row, whole: with comments, and a tombstone with its time and actor.  In
 * w->a. */
int record_load(struct work *w, int64_t seq, struct record *r);
/* The text in the first row and column, to the statement's end, in w->a; p NULL:
 * none. */
int record_text(struct work *w, struct query q, struct str *out);

/* ---- as text (record.c) ---------------------------------------------------- */

/* Strict: item_decode, valid comments, a valid id, a title unless it is a
 * tombstone, no dependency twice.  closed_at is set (to updated_at) exactly if the
 * item is closed, as bd does.  Texts are borrowed from the document.  ERR_INVALID,
 * ERR_TOOBIG with the key. */
int record_decode(struct record *r, jnode object, struct arena *a, struct err *e);
/* The same of a line.  doc: zeroed, or of an earlier line; it is released first,
 * and then holds this line. */
int record_parse(struct record *r, struct json_doc *doc, struct str line,
    struct arena *a, struct err *e);
/* Appends the line without a newline.  Leases are left out: they belong to one
 * tracker and its clock. */
void record_encode(struct buf *b, const struct record *r);

/* The unknown members as an object; release it.  it NULL: an empty one. */
void record_extra(struct json_doc *doc, const struct item *it);
/* Sorts and drops duplicates. */
void record_comments_sort(struct comment *list, size_t *n);
/* Makes closed_at present exactly if the item is closed. */
void record_settle(struct item *it);

/* ---- three become one (record_merge.c) ------------------------------------- */

/* Both sides changed a field differently. */
struct clash {
	struct str id;
	const char *field;                   /* "title"; "deleted" for a deletion */
	struct str ours, theirs, kept;       /* texts; empty: absent */
};

struct merge {
	struct arena *a;                     /* for new parts of the result */
	void (*report)(void *ctx, const struct clash *c);
	void *ctx;
};

/* base may be NULL.  Texts of the result are borrowed from the three.  The columns
 * beside the body (seq, counters) are ours. */
void record_merge(struct record *out, const struct record *base,
    const struct record *ours, const struct record *theirs, struct merge *m);

/* If a and b are two items that were created under one id on separate branches
 * (at different times, with different titles): the one created later, which needs
 * another id.  NULL: they are the same item. */
struct record *record_to_move(struct record *a, struct record *b);
/* That id, the same in every clone. */
struct str record_other_id(const struct record *r, struct arena *a);

/* Of a tombstone: the new id of its item; p NULL: the item is deleted. */
struct str record_renamed_to(const struct item *it, struct arena *a);
/* Of a tombstone: when and by whom the item was deleted. */
struct str record_deleted_at(const struct item *it, struct str *by, struct arena *a);

#endif
