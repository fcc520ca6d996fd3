/*
 * item.h - an item and its texts, without a database.
 *
 * A row of work_item holds an item twice: `body` is the whole item as the JSON
 * that lists, shows and exports it (without its comments), and beside it stand
 * the few columns that are searched by.  item_save (row.h) writes both; nothing
 * else writes body.
 *
 * An item is *held* while something keeps it from being worked on: an open
 * `blocks` dependency of its own, or a held parent.  Its `state` is
 * 2 * status + held, so state 0 (open, not held) is the ready set, and one
 * index by (tracker, state, priority, created) serves ready, blocked and every
 * list.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_ITEM_H
#define WORK_ITEM_H

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

enum status {
	STATUS_OPEN, STATUS_IN_PROGRESS, STATUS_BLOCKED, STATUS_DEFERRED,
	STATUS_CLOSED,
	STATUS_TOMBSTONE                     /* deleted; its id is never used again */
};
#define STATES (2 * (STATUS_TOMBSTONE + 1))
#define STATE_READY 0
/* What waits, for others or by its own status: what `blocked` lists and `stats`
 * counts. */
#define BLOCKED_STATES (1u << (2 * STATUS_OPEN + 1) |                          \
	1u << (2 * STATUS_IN_PROGRESS + 1) | 1u << (2 * STATUS_DEFERRED + 1) | \
	3u << (2 * STATUS_BLOCKED))

enum type { TYPE_BUG, TYPE_FEATURE, TYPE_TASK, TYPE_EPIC, TYPE_CHORE };
enum dep_type {
	DEP_BLOCKS, DEP_RELATED, DEP_PARENT_CHILD, DEP_DISCOVERED_FROM, DEP_RELATES_TO,
	DEP_TYPES
};
#define PRIORITY_DEFAULT 2
#define PRIORITY_MAX 4

struct dep {
	struct str id;                       /* what it depends on */
	enum dep_type type;
	struct str created_at, created_by;
};

/* One item.  Texts with p == NULL are absent (their JSON key is left out).
 * Times are kept as the text that came, so that an import loses nothing. */
struct item {
	int64_t seq;                         /* 0: not stored yet */
	struct str id;
	struct str title, description, design, acceptance, notes;
	struct str assignee, external_ref;
	struct str created_at, updated_at, closed_at;
	int64_t estimated;                   /* minutes; -1: absent */
	enum status status;
	int priority;
	enum type type;
	struct str lease_holder;             /* p NULL: no lease */
	msec lease_until;
	struct str *labels;                  /* sorted */
	size_t labels_n;
	struct dep *deps;                    /* in the order they were added */
	size_t deps_n;
	struct str extra;                    /* members of an import that we do not
	                                        know: `"key":value,...` */
	/* columns beside the body */
	msec created;                        /* created_at, for the order */
	int64_t blockers, held_parents;
	int64_t comments;                    /* how many */
	int64_t children;                    /* last number given to a child */
};

static inline bool
status_is_done(enum status s)
{
	return s == STATUS_CLOSED || s == STATUS_TOMBSTONE;
}

static inline bool
item_held(const struct item *it)
{
	return it->blockers > 0 || it->held_parents > 0;
}

/* ---- items as text (item.c) --------------------------------------------------- */

/* The JSON of an item, keys in bd's order.  comments: raw JSON array to add as
 * "comments", empty: none. */
void item_encode(struct buf *b, const struct item *it, struct str comments);
/* The members before dependencies; the edges under this key; the lease's. */
void item_add_fields(struct buf *b, const struct item *it);
void item_add_edges(struct buf *b, const struct item *it, const char *key);
void lease_add(struct buf *b, const struct item *it);
void comment_encode(struct buf *b, int64_t number, struct str issue,
    struct str author, struct str text, struct str created_at);
/* Sorts and drops doubles. */
void work_strs_sort(struct str *list, size_t *n);
int work_str_order(const void *a, const void *b); /* of two struct str, for qsort */
bool work_label_in(const struct str *labels, size_t n, struct str label);
/* By when they came, then by id: the same in every clone. */
void deps_sort(struct dep *list, size_t n);
int dep_order(const void *left, const void *right);
/* From an object with those keys, as in a body or a line of an export; strict:
 * limits, enums and times are checked.  Texts are copied to `a` iff copy.
 * Leaves the columns alone.  ERR_INVALID with the key in e. */
int item_decode(struct item *it, jnode object, bool copy, struct arena *a,
    struct err *e);

/* ---- ids (ident.c) ----------------------------------------------------------- */

extern const char id_alphabet[];             /* of the random part: 36 */
bool id_is_valid(struct str id);             /* PREFIX-rest[.n...] */
bool prefix_is_valid(struct str s);
int prefix_check(struct str s, struct err *e);       /* ERR_INVALID */
/* A name made into a prefix: "My app 2" gives "My-app-2", in out, of max bytes;
 * one without letters gives "work". */
struct str prefix_from(struct str name, char *out, size_t max);
/* Length of the random part for a tracker of n items: at least 4, and odds of
 * any collision under 1 %. */
int id_length(int64_t n);

/* ---- mentions (mention.c) ------------------------------------------------------- */

/* Other words for ids in texts.  put: appends what takes an id's place, or
 * nothing, and then it stays. */
struct mention {
	int (*put)(void *ctx, struct str id, struct buf *out);
	void *ctx;
	size_t max;                          /* of the text; set by mention.c */
};
/* The texts of an item, with or without its title.  What would be longer than
 * it may stays as it is.  *changed: some text did. */
int mentions_rewrite(struct arena *a, struct item *it, struct mention *m,
    bool title, bool *changed);

#endif
