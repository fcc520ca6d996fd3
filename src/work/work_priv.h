/*
 * work_priv.h - the tracker's inside.
 *
 * A row of work_item holds an item twice: `body` is the whole item as the JSON
 * that lists, shows and exports it (without its comments), and beside it stand
 * the few columns that are searched by.  item_save writes both; nothing else
 * writes body.
 *
 * An item is *held* while something keeps it from being worked on: an open
 * `blocks` dependency of its own, or a held parent.  Its `state` is
 * 2 * status + held, so state 0 (open, not held) is the ready set, and one
 * index by (tracker, state, priority, created) serves ready, blocked and every
 * list.  graph.c keeps the two counters that make `held` true: blockers (own
 * open ones) and held_parents.  work_count has the number of items in each
 * state.
 *
 * One operation at a time; what it needs lives in w->a, cleared before each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_WORK_PRIV_H
#define WORK_WORK_PRIV_H

#include "base/limits.h"
#include "work/sql_priv.h"
#include "work/work.h"

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
enum dep_type { DEP_BLOCKS, DEP_RELATED, DEP_PARENT_CHILD, DEP_DISCOVERED_FROM };
#define PRIORITY_DEFAULT 2
#define PRIORITY_MAX 4

#define EVENT_MAP(X)                                                           \
	X(created) X(updated) X(status_changed) X(commented) X(closed)         \
	X(reopened) X(dependency_added) X(dependency_removed) X(label_added)   \
	X(label_removed) X(claimed) X(released) X(unblocked) X(deleted)        \
	X(renamed) X(imported)

enum event_kind {
#define X(name) EVENT_##name,
	EVENT_MAP(X)
#undef X
	EVENTS
};
extern const char *const event_names[];      /* by value */

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
is_done(enum status s)
{
	return s == STATUS_CLOSED || s == STATUS_TOMBSTONE;
}

static inline bool
item_held(const struct item *it)
{
	return it->blockers > 0 || it->held_parents > 0;
}

struct tracker {
	int64_t seq;
	struct str prefix;                   /* in w->a */
	int64_t edges;                       /* another number after each change of
	                                        an edge that can close a ring; see
	                                        cycle.c */
	int64_t lead_ms;                     /* sum over closed items */
	int64_t counts[STATES];              /* changes of work_count, not written */
	int64_t lead_change;
	bool edges_changed;
};

struct graph;                                /* cycle.c: edges in memory */

struct work {
	struct db db;                        /* our statements on the connection */
	struct arena a;                      /* of one operation */
	struct buf scratch;                  /* of one body, event, ... */
	struct graph *graph;                 /* NULL: not loaded */
	struct work_call *call;              /* the one that runs */
	struct tracker t;                    /* of that call */
	msec clock;                          /* the latest time seen; 0: none yet */
	int64_t ids_tracker, ids_n;          /* ident.c: its items at the last count */
	int ids_left;                        /* ids to draw before the next */
};

/* ---- the table of operations (work.c) --------------------------------------- */

enum arg_kind {
	ARG_TEXT,                            /* a string of at most `max` bytes */
	ARG_INT,                             /* min..max */
	ARG_BOOL,
	ARG_TEXTS,                           /* an array of at most `min` strings of
	                                        at most `max` bytes */
	ARG_STATUS, ARG_TYPE, ARG_DEP,       /* one of the words */
	ARG_ARRAY                            /* checked by the operation */
};

struct arg {
	const char *name;                    /* NULL ends a table */
	enum arg_kind kind;
	bool required;
	int64_t min, max;
};

enum {
	OP_READS = 0,
	OP_WRITES = 1,
	OP_SAVEPOINT = 2,                    /* may fail halfway */
	OP_WHOLE = 4                         /* not a part of a batch */
};

struct operation {
	const char *name;
	int (*run)(struct work *w, struct work_call *c);
	unsigned flags;
	const struct arg *args;
};
extern const struct operation operations[];
extern const size_t operations_n;
const struct operation *operation_find(struct str name);     /* or NULL */

/* Arguments, already checked against the table: their value or its absence. */
struct str arg_text(const struct work_call *c, const char *name);    /* p NULL */
int64_t arg_int(const struct work_call *c, const char *name, int64_t fallback);
bool arg_bool(const struct work_call *c, const char *name);
bool arg_given(const struct work_call *c, const char *name);  /* also null: no */
jnode arg_node(const struct work_call *c, const char *name);
/* Index of the word; fallback when absent. */
int arg_word(const struct work_call *c, const char *name,
    const char *const *words, int fallback);

/* `return fail(w, ERR_NOTFOUND, "no item \"%.*s\"", FMT(id))` */
int fail(struct work *w, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int fail_db(struct work *w, int rc);         /* words of the connection */

bool call_writes(const struct work *w);      /* the operation that runs */
void work_rest(struct work *w);              /* between calls: gives memory back */
/* Without a look at the leases, which work_writes takes. */
bool work_means_to_write(struct work *w, const struct work_call *c);

/* One operation inside another (batch): no answer kept, no savepoint; one that
 * needs a savepoint is refused. */
int work_run_inner(struct work *w, struct work_call *c);
/* The same in a savepoint: if it fails it has changed nothing, and the others
 * stand. */
int work_run_apart(struct work *w, struct work_call *c);
/* A savepoint in the operation that runs; they nest.  Its end takes back what
 * was done since then if rc is not OK, or keep is false, and returns rc or what
 * failed by itself; then db.broken says that all is to be rolled back. */
int savepoint_begin(struct work *w);
int savepoint_end(struct work *w, int rc, bool keep);
/* Between the steps of a long operation: the call's tick, now and then.  Not OK
 * with words: the operation has to end. */
int call_tick(struct work *w, size_t done, size_t total);
/* Another number for the edges; once an operation is enough. */
void tracker_edges_changed(struct work *w);

/* ---- items (item.c: text; row.c: rows) -------------------------------------- */

/* The JSON of an item, keys in bd's order.  comments: raw JSON array to add as
 * "comments", empty: none. */
void item_encode(struct buf *b, const struct item *it, struct str comments);
/* The members before dependencies; the edges under this key; the lease's. */
void item_add_fields(struct buf *b, const struct item *it);
void item_add_edges(struct buf *b, const struct item *it, const char *key);
void lease_add(struct buf *b, const struct item *it);
/* The same as a text in w->a; w->scratch holds it too. */
struct str item_json(struct work *w, const struct item *it);
void comment_encode(struct buf *b, int64_t number, struct str issue,
    struct str author, struct str text, struct str created_at);
/* b's text in w->a, and b is released.  p NULL: it had become too large. */
struct str text_keep(struct work *w, struct buf *b);
/* Sorts and drops doubles. */
void strs_sort(struct str *list, size_t *n);
int str_order(const void *a, const void *b); /* of two struct str, for qsort */
bool label_in(const struct str *labels, size_t n, struct str label);
/* By when they came, then by id: the same in every clone. */
void deps_sort(struct dep *list, size_t n);
int dep_order(const void *left, const void *right);
/* From an object with those keys, as in a body or a line of an export; strict:
 * limits, enums and times are checked.  Texts are copied to `a` iff copy.
 * Leaves the columns alone.  ERR_INVALID with the key in e. */
int item_decode(struct item *it, jnode object, bool copy, struct arena *a,
    struct err *e);

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
void body_member_add(struct buf *out, struct str key, struct str value);

/* The JSON array of an item's comments. */
int comments_add(struct work *w, int64_t seq, struct str id, struct buf *out);

/* Also what goes with it: closed_at, the lease. */
void item_set_status(struct work *w, struct item *it, enum status to);
int64_t item_lead(const struct item *it);    /* ms from created to closed; or 0 */
/* Takes the dependency on `target` out of the item, in memory; the array is a
 * new one, for the stored item may share the old.  ERR_TOOBIG: no memory. */
int item_drop_dep(struct work *w, struct item *it, struct str target);
struct str now_text(struct work *w);         /* RFC 3339 of call->now, in w->a */
/* It changes now: after its last change, though that came from a clock that is
 * ahead of ours, so that a merge knows which edit is the later one. */
void item_touch(struct work *w, struct item *it);
#define TIME_MAX_MS 253402300799999          /* the end of the year 9999 */
bool time_parse(struct str s, msec *out);    /* RFC 3339 with any fraction, zone */

/* ---- ids (ident.c) ----------------------------------------------------------- */

extern const char id_alphabet[];             /* of the random part: 36 */
bool id_is_valid(struct str id);             /* PREFIX-rest[.n...] */
bool prefix_is_valid(struct str s);
int prefix_check(struct str s, struct err *e);       /* ERR_INVALID */
/* A name made into a prefix: "My app 2" gives "My-app-2", in out, of max bytes;
 * one without letters gives "work". */
struct str prefix_from(struct str name, char *out, size_t max);
int id_make(struct work *w, struct str *out);                /* free, random */
int id_child(struct work *w, struct item *parent, struct str *out);
/* Length of the random part for a tracker of n items: at least 4, and odds of
 * any collision under 1 %. */
int id_length(int64_t n);

/* ---- the graph (graph.c) ------------------------------------------------------ */

/* Adds the edge and what follows from it: counters, held, states, events.  The
 * caller has asked cycle_check, put the dep into the item's body and saved it.
 * ERR_CONFLICT: there is an edge between the two. */
int edge_add(struct work *w, int64_t item, int64_t target, enum dep_type type);
/* ERR_NOTFOUND. */
int edge_remove(struct work *w, int64_t item, int64_t target);
/* For an item that is being made: what an edge would add to its counters, and
 * only the edge. */
int edge_weight(struct work *w, int64_t target, enum dep_type type, int *blockers,
    int *parents);
int edge_put(struct work *w, int64_t item, int64_t target, enum dep_type type);
/* After an item became closed (or a tombstone), or the reverse. */
int graph_closed(struct work *w, int64_t item, bool closed);

/* deps.c.  {"issue_id":..,"depends_on_id":..,"type":..}; type may be NULL. */
void dep_encode(struct buf *b, struct str item, struct str target,
    const char *type);
/* deps.c.  ERR_INVALID: an epic as the child of something smaller. */
int dep_direction(struct work *w, const struct item *it,
    const struct item *target, enum dep_type type);
/* cycle.c.  Would item -> target close a ring over blocks and parent-child?
 * ERR_CONFLICT with the path in words; also when item is target. */
int cycle_check(struct work *w, int64_t item, int64_t target, enum dep_type type);
void graph_drop(struct work *w);             /* forget what is in memory */
struct links;
/* The tracker's edges that can close rings.  ERR_LIMIT, without words: more
 * than are kept in memory. */
int graph_edges(struct work *w, struct links *g);
/* The nodes that are in no ring, nor between two. */
void graph_peel(const struct links *g, bool *gone);
bool closes_rings(int64_t type);
/* The edge was added or removed: if its type can close a ring, the tracker's
 * `edges` changes, and so does what is in memory. */
void graph_note(struct work *w, int64_t item, int64_t target, enum dep_type type,
    bool added);

/* ---- changes (change.c) --------------------------------------------------------- */

/* Saves it, tells the graph, notes the event, appends the item to the answer.
 * new_json: of the event; p NULL: the item itself. */
int change_save(struct work *w, struct item *it, const struct item *was,
    enum event_kind kind, struct str new_json);

/* ---- comments (note.c) ----------------------------------------------------------- */

int comment_insert(struct work *w, int64_t item, struct str author,
    struct str created, struct str text);
int comments_drop(struct work *w, int64_t item);

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

/* ---- other ids (rename.c) -------------------------------------------------------- */

/* Ids that change; sorted by `from` (renames_sort), so that many do not cost
 * more than few. */
struct rename {
	struct str from, to;
};

struct renames {
	struct rename *list;
	size_t n, cap;
};

void renames_add(struct renames *r, struct str from, struct str to);
void renames_sort(struct renames *r);
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

/* ---- dependencies on what is not there (loose.c) ------------------------------------ */

/* The numbers in a column of a statement with its parameters bound; in w->a. */
int seqs_read(struct work *w, struct query *q, int64_t **list, size_t *n);
/* Before an item of this id with `it`'s dependencies is made: ERR_CONFLICT if
 * what waits for it would close a ring.  targets: their numbers. */
int loose_allows(struct work *w, const struct item *it, const int64_t *targets);
/* It is made: what waited for it depends on it now. */
int loose_take(struct work *w, struct str id, int64_t seq);

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

/* ---- events (event.c) ----------------------------------------------------------- */

/* old, new: JSON or empty.  ready: by this the item became ready. */
int event_add(struct work *w, int64_t item, struct str id, enum event_kind kind,
    struct str old_json, struct str new_json, bool ready);
/* The row under q, of SQL_EVENTS_AFTER or one with its columns. */
void event_encode(struct buf *b, const struct query *q);

/* ---- the operations, by file ------------------------------------------------------ */

#define OPERATION_MAP(X)                                                       \
	/* change.c */                                                         \
	X(create) X(update) X(close) X(reopen)                                 \
	/* note.c, delete.c */                                                 \
	X(comment) X(label_add) X(label_remove) X(delete)                      \
	/* look.c */                                                           \
	X(ping) X(show) X(ready) X(stats) X(resolve)                           \
	X(label_list) X(label_list_all) X(comment_list) X(history)             \
	/* list.c */                                                           \
	X(list) X(search) X(blocked)                                           \
	/* lease.c */                                                          \
	X(claim) X(release)                                                    \
	/* deps.c */                                                           \
	X(dep_add) X(dep_remove) X(dep_tree) X(dep_cycles)                     \
	/* batch.c */                                                          \
	X(batch)                                                               \
	/* export.c, import.c */                                                \
	X(export) X(import)                                                    \
	/* admin.c, recount.c */                                               \
	X(rename_prefix) X(info) X(recount)

#define X(name) int op_##name(struct work *w, struct work_call *c);
OPERATION_MAP(X)
#undef X

#endif
