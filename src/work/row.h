/*
 * row.h - items as rows: found, loaded, saved; their comments and leases.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_ROW_H
#define WORK_ROW_H

#include "work/operation.h"

/* ---- rows (row.c) ---------------------------------------------------------------- */

/* item_encode without comments, as a text in w->a; w->scratch holds it too. */
struct str item_json(struct work *w, const struct item *it);
/* b's text in w->a, and b is released.  p NULL: it had become too large. */
struct str work_text_keep(struct work *w, struct buf *b);

int id_make(struct work *w, struct str *out);                /* free, random */
int id_child(struct work *w, struct item *parent, struct str *out);

/* Exact id, else "PREFIX-" + id, else the one id whose hash begins so, as
 * row.c says: a number is always whole, and an operation that writes takes only
 * the beginning of a hash without the prefix.  An id that was deleted leads to
 * no other.  ERR_NOTFOUND (with near ones), ERR_CONFLICT (ambiguous, with
 * candidates). */
int item_find(struct work *w, struct str id, struct item *out);
int item_load(struct work *w, int64_t seq, struct item *out);        /* all */
/* Only the number of the item that item_find would find. */
int item_seq(struct work *w, struct str id, int64_t *seq);
/* The same for a whole id.  ERR_NOTFOUND, without words. */
int item_seq_exact(struct work *w, struct str id, int64_t *seq);
/* "PREFIX-" is put before it if it has none; in w->a. */
struct str id_full(struct work *w, struct str id);
/* The row that has the id or, deleted, had it.  ERR_NOTFOUND, without words. */
int id_seq(struct work *w, struct str id, int64_t *seq);
/* Inserts (seq 0) or updates the row, its labels and its place in the counts;
 * edges are graph.c's. `was`: what is stored now (NULL for a new one). */
int item_save(struct work *w, struct item *it, const struct item *was);
/* Appends an item as answers show it, from its row or its body: `dependencies`
 * are items then, short ones, and its edges are `dependency_records`.  Without
 * `targets` only the edges.  w->scratch may hold the body and stays. */
int item_add(struct work *w, int64_t seq, bool targets, struct buf *out);
int body_add(struct work *w, struct str body, bool targets, struct buf *out);
/* The next member of a stored body: *at is 0 before the first.  Key and value
 * are as they are written there, escaped. */
bool body_next(struct str body, size_t *at, struct str *key, struct str *value);
bool body_element(struct str array, size_t *at, struct str *element);
/* The value of a member; p NULL: absent.  text: of a string, without the quotes
 * and with its escapes, which ids, words and times do not have. */
struct str body_value(struct str body, struct str key);
struct str body_text(struct str body, struct str key);
void body_member_add(struct buf *out, struct str key, struct str value);

/* The JSON array of an item's comments. */
int comments_add(struct work *w, int64_t seq, struct str id, struct buf *out);

/* Also what goes with it: closed_at, the lease. */
void item_set_status(struct work *w, struct item *it, enum status to);
int64_t item_lead(const struct item *it);    /* ms from created to closed; or 0 */
/* Takes the dependency on `target` out of the item, in memory; the array is a
 * new one, for the stored item may share the old.  ERR_TOOBIG: no memory. */
int item_drop_dep(struct work *w, struct item *it, struct str target);
struct str work_now_text(struct work *w);         /* RFC 3339 of call->now, in w->a */
/* It changes now: after its last change, though that came from a clock that is
 * ahead of ours, so that a merge knows which edit is the later one. */
void item_touch(struct work *w, struct item *it);
#define WORK_TIME_MAX_MS 253402300799999          /* the end of the year 9999 */

/* ---- changes (change.c) --------------------------------------------------------- */

/* Saves it, tells the graph, notes the event, appends the item to the answer.
 * new_json: of the event; p NULL: the item itself. */
int change_save(struct work *w, struct item *it, const struct item *was,
    enum event_kind kind, struct str new_json);

/* ---- labels (note.c) ------------------------------------------------------------- */

/* Of an argument, and one more (also); trimmed, sorted, without doubles. */
int labels_read(struct work *w, const char *arg, struct str also, struct str **out,
    size_t *n);
/* What update's arguments change, in memory. */
int labels_update(struct work *w, struct item *it);
/* The events of what changed; it was saved. */
int labels_note(struct work *w, const struct item *it, const struct item *was);

/* ---- comments (note.c) ----------------------------------------------------------- */

int comment_insert(struct work *w, int64_t item, struct str author,
    struct str created, struct str text, int64_t *seq);
int comments_drop(struct work *w, int64_t item);

/* ---- leases (lease.c) ---------------------------------------------------------- */

bool lease_due(struct work *w, int64_t tracker, msec now);
int lease_expire(struct work *w);            /* all that are due, of the tracker */
/* ERR_CONFLICT, naming holder and time: it is another's. */
int lease_guard(struct work *w, const struct item *it);
/* Makes the caller's actor its holder, or extends; changes `it`, saves nothing.
 * ERR_CONFLICT: it is another's, held, or closed. */
int lease_take(struct work *w, struct item *it, msec length);
/* For close --claim-next: claims the first ready item and turns the answer
 * {...} into {...,"claimed":ITEM or null}. */
int lease_next(struct work *w, struct work_call *c);

#endif
