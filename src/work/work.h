/*
 * work.h - the tracker: items, dependencies, the ready set, leases, an audit.
 *
 * All a client can ask is an *operation*: a name, arguments (a JSON object) and
 * an actor; the answer is one JSON value.  The same operations are run by a
 * command directly on its workspace's file, by the workspace's daemon, and by
 * a server on its store; who prints the answer cannot tell which.
 *
 * The room never reads a clock and opens no file: it works on a connection that
 * somebody opened and in a transaction that somebody began.  An operation that
 * fails has changed nothing, unless the medium failed (db_broken): then the
 * caller rolls back.
 *
 * What is stored: docs/storage.md.  Limits: base/limits.h, WORK_*.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_WORK_H
#define WORK_WORK_H

#include "base/json.h"
#include "store/db.h"

struct work;

/* ---- where it is kept ----------------------------------------------------- */

extern const struct db_sql work_sql;
extern const struct db_format work_format;

/* An engine on an open connection, whose tables are there (db_migrate or
 * db_migrate_room).  The connection must outlive it.  Never fails. */
struct work *work_new(const struct db *on);
void work_free(struct work *w);              /* accepts NULL */

/* ---- trackers ------------------------------------------------------------- */

/* A tracker per owner and project; a workspace has one, of owner 0 and project
 * "".  ERR_NOTFOUND. */
int work_tracker_find(struct work *w, int64_t owner, struct str project,
    int64_t *tracker, struct err *e);
/* Writes.  Returns the one that is there, else makes it.  prefix: of its ids,
 * [A-Za-z][A-Za-z0-9_-]*, no '-' at the end; ERR_INVALID. */
int work_tracker_make(struct work *w, int64_t owner, struct str project,
    struct str prefix, msec now, int64_t *tracker, struct err *e);
/* Takes back one that was made in this transaction and is empty. */
void work_tracker_drop(struct work *w, int64_t tracker);
/* All trackers of an owner, with all that is in them.  ERR_IO. */
int work_owner_erase(struct work *w, int64_t owner);

/* ---- operations ------------------------------------------------------------ */

#define WORK_TRACKER_NONE 0

/* Lines for an import that are not among its arguments, read one by one. */
struct work_lines {
	size_t n;                            /* none of them is blank */
	/* The i-th, and its number in the file.  The text lives until the next is
	 * asked for.  Lines are asked for several times, mostly in order. */
	int (*get)(void *ctx, size_t i, struct str *text, size_t *line,
	    struct err *e);
	void *ctx;
};

struct work_call {
	/* in */
	int64_t tracker;                     /* WORK_TRACKER_NONE: an empty one that
	                                        is not made yet, only to read; */
	struct str prefix;                   /* the one it would have */
	struct str operation;                /* "create" */
	jnode args;                          /* an object, or NULL for none */
	struct str actor;                    /* never empty */
	msec now;                            /* wall */
	/* The answer is kept under this key, and a second call with it gets the
	 * same answer and does nothing.  Empty: none. */
	struct str once;
	const struct work_lines *lines;      /* of an import; NULL: in args */
	/* Asked between the parts of a long operation; not OK ends it with that
	 * code and nothing changed.  May be NULL. */
	int (*tick)(void *ctx, size_t done, size_t total);
	void *tick_ctx;

	/* out */
	struct buf *data;                    /* one JSON value is appended: the
	                                        answer; also when batch fails */
	struct err err;                      /* words for people */
};

/* May it change something?  Then a write transaction must be open.  True also
 * for an operation that reads while a lease is past its time. */
bool work_writes(struct work *w, const struct work_call *c);

/* After a write transaction began, where other processes write too: what it
 * stamps is never before what they have stamped, though the clock was set back. */
void work_follow(struct work *w);

/* Runs one, at c->now or, if that is earlier, at the latest time it knows of,
 * which c->now then is.  OK: the answer is in c->data.  Else c->err says why:
 * ERR_METHOD (no such operation), ERR_INVALID (arguments, with the path),
 * ERR_NOTFOUND (an id), ERR_CONFLICT (the state forbids it: a cycle, another's
 * lease, an id that exists), ERR_TOOBIG, ERR_LIMIT, ERR_IO, and tick's. */
int work_run(struct work *w, struct work_call *c);

/* The names of all operations; NULL past the end. */
const char *work_operation(size_t i);
bool work_operation_writes(struct str operation);        /* false: unknown, too */

/* ---- what an operation takes ------------------------------------------------- */

enum work_arg_kind {
	ARG_TEXT,                            /* a string of at most `max` bytes */
	ARG_INT,                             /* min..max */
	ARG_BOOL,
	ARG_TEXTS,                           /* an array of at most `min` strings of
	                                        at most `max` bytes */
	ARG_WORD,                            /* one of the words */
	ARG_WORDS,                           /* some, with commas; "all" is none */
	ARG_TIME,                            /* RFC 3339, a date, or an age: 36h, 30d */
	ARG_ARRAY                            /* checked by the operation */
};

struct work_arg {
	const char *name;                    /* NULL ends a table */
	enum work_arg_kind kind;
	bool required;
	int64_t min, max;
	const char *const *words;            /* NULL-ended, by value */
	const char *help;                    /* what it is, for people and models */
};

/* An operation's arguments, ended by one without a name; NULL: no such operation. */
const struct work_arg *work_args(struct str operation);
const struct work_arg *work_arg_find(const struct work_arg *args, struct str name);

/* ---- events ---------------------------------------------------------------- */

/* The audit's rows after `after`, oldest first, at most max, each appended to
 * `out` as {"seq":..,"kind":"created","issue_id":..,"actor":..,"at":..,"old":..,
 * "new":..,"ready":true} and a line end.  "ready" is there when by this event
 * the item became ready for work.  *last: the last one's number (or after). */
int work_events(struct work *w, int64_t tracker, int64_t after, size_t max,
    struct buf *out, int64_t *last);
int64_t work_event_last(struct work *w, int64_t tracker);    /* 0: none */

/* ---- words ------------------------------------------------------------------ */

extern const char *const work_status_names[];        /* NULL-ended, by value */
extern const char *const work_type_names[];
extern const char *const work_dep_names[];

#endif
