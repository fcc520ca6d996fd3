/*
 * operation.h - an operation of the tracker, from inside: its row in the table,
 * its arguments, its failures, its savepoints and events.
 *
 * One operation at a time; what it needs lives in w->a, cleared before each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_OPERATION_H
#define WORK_OPERATION_H

#include "work/item.h"
#include "work/sql.h"
#include "work/work.h"

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

struct tracker {
	int64_t seq;
	struct str prefix;                   /* in w->a */
	int64_t edges;                       /* another number after each change of
	                                        an edge that can close a cycle; see
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

/* ---- a row of a table of operations --------------------------------------- */

enum {
	OP_READS = 0,
	OP_WRITES = 1,
	OP_SAVEPOINT = 2,                    /* may work_fail halfway */
	OP_WHOLE = 4                         /* not a part of a batch */
};

struct operation {
	const char *name;
	int (*run)(struct work *w, struct work_call *c);
	unsigned flags;
	const struct work_arg *args;
};
/* Tables end with a row without a name.  table.c has the engine's own. */
extern const struct operation work_operations[];
/* All tables, NULL-ended; defined by the room that completes the engine
 * (exchange/table.c). */
extern const struct operation *const work_tables[];
const struct operation *work_operation_find(struct str name);     /* or NULL */
/* ERR_METHOD with words, and the name that may have been meant. */
int work_operation_unknown(struct str name, struct err *e);

/* ---- arguments (args.c) ------------------------------------------------------ */

/* ERR_INVALID, ERR_TOOBIG with the argument's name. */
int work_args_check(const struct operation *op, jnode args, struct err *e);
/* Arguments, already checked against the table: their value or its absence. */
struct str arg_text(const struct work_call *c, const char *name);    /* p NULL */
int64_t arg_int(const struct work_call *c, const char *name, int64_t fallback);
bool arg_bool(const struct work_call *c, const char *name);
bool arg_given(const struct work_call *c, const char *name);  /* also null: no */
jnode arg_node(const struct work_call *c, const char *name);
/* Index of s, or -1. */
int work_word(const char *const *words, struct str s);
/* The same.  ERR_INVALID with `what` in front: it is none of them. */
int work_word_read(const char *const *words, struct str s, const char *what, int *out,
    struct err *e);
/* Index of the word; fallback when absent. */
int arg_word(const struct work_call *c, const char *name,
    const char *const *words, int fallback);
/* A bit each of the words; 0: any. */
unsigned arg_words(const struct work_call *c, const char *name,
    const char *const *words);
/* An age is taken from the call's time.  INT64_MIN: absent. */
msec arg_time(const struct work_call *c, const char *name);

/* `return work_fail(w, ERR_NOTFOUND, "no item \"%.*s\"", FMT(id))` */
int work_fail(struct work *w, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int work_fail_db(struct work *w, int rc);         /* words of the connection */
/* A statement without rows: OK or the connection's failure. */
#define work_exec(w, sql, ...) work_db(w, db_run(&(w)->db, sql, __VA_ARGS__))
int work_db(struct work *w, int rc);
/* Does a statement give a row? */
int work_has(struct work *w, struct query q, bool *yes);
/* Ends a statement after its rows.  ERR_NOTFOUND, past the last one, is OK; a
 * failure of the caller's with words keeps them. */
int work_rows_end(struct work *w, struct query *q, int rc);

bool work_call_writes(const struct work *w);      /* the operation that runs */
/* Of a call that failed: it has taken back what it wrote.  Else a failure after a
 * write leaves it, and the transaction must be rolled back. */
bool work_call_undoes(const struct work_call *c);
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
 * failed by itself; then db_broken says that all is to be rolled back. */
int work_savepoint_begin(struct work *w);
int work_savepoint_end(struct work *w, int rc, bool keep);
/* Between the steps of a long operation: the call's tick, now and then.  Not OK
 * with words: the operation has to end. */
int work_tick(struct work *w, size_t done, size_t total);
/* Another number for the edges; once an operation is enough. */
void work_edges_changed(struct work *w);

/* ---- events (event.c) ----------------------------------------------------------- */

/* old, new: JSON or empty.  ready: by this the item became ready. */
int event_add(struct work *w, int64_t item, struct str id, enum event_kind kind,
    struct str old_json, struct str new_json, bool ready);
/* The row under q, of SQL_EVENTS_AFTER or one with its columns. */
void event_encode(struct buf *b, const struct query *q);

#endif
