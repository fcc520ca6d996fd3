/*
 * transcript.h - what a run leaves to be read afterwards: every request to a model
 * and its answer, tool calls, states entered and left, transitions, events that
 * were dropped, checkpoints, questions and answers, its end.
 *
 * Entries are packed into a buffer of the run as they happen and go to the store
 * with its next commit: one row a commit, which is readable by itself.  Deltas are
 * not kept.  A payload that is larger than LIMIT_TRANSCRIPT_PAYLOAD is cut, with a
 * mark; a run keeps at most LIMIT_TRANSCRIPT_ENTRIES and LIMIT_TRANSCRIPT_BYTES,
 * and then one entry that says so.
 *
 * Format of a row: a version byte, the time of its first entry, then the entries:
 *
 *   kind      1 byte
 *   time      number: ms since the entry before
 *   place     number: 0 none, 1 that of the entry before, 2 and then ns, node (two
 *             texts) and the task's id
 *   fields    of the kind, in the order of one table (transcript.c)
 *
 * Numbers and texts are those of pack.h.  A later version adds kinds, or fields
 * at the end of a kind under a new version byte.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_TRANSCRIPT_H
#define RUN_TRANSCRIPT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/val.h"

/*      kind, name in JSON */
#define TRANSCRIPT_KINDS_MAP(X)                                                    \
	X(RUN_START,   "run_start")    /* an attempt begins */                     \
	X(INPUT,       "input")        /* what the run was given */                \
	X(RESUMED,     "resumed")      /* its command: answers, update, goto */    \
	X(ENTERED,     "entered")      /* a state of a chart, a node of a graph */ \
	X(EXITED,      "exited")                                                   \
	X(TRANSITION,  "transition")                                               \
	X(DROPPED,     "event-dropped")                                            \
	X(REQUEST,     "request")      /* a model is asked */                      \
	X(ANSWER,      "answer")                                                   \
	X(TOOL_CALL,   "tool_call")                                                \
	X(TOOL_RESULT, "tool_result")                                              \
	X(RESULT,      "result")       /* of the store, the tracker, a page */     \
	X(TIMER,       "timer")        /* a wait is over */                        \
	X(CHECKPOINT,  "checkpoint")                                               \
	X(INTERRUPT,   "interrupt")    /* a question; without id: a breakpoint */  \
	X(ERROR,       "error")        /* of a task, or of the run */              \
	X(RUN_END,     "run_end")                                                  \
	X(CUT,         "cut")          /* entries that are not kept */             \
	X(MESSAGE,     "message")      /* to or from another agent */

enum transcript_kind {
#define X(name, text) TRANSCRIPT_##name,
	TRANSCRIPT_KINDS_MAP(X)
#undef X
	TRANSCRIPT_KINDS
};

extern const char *const transcript_kind_names[];    /* NULL-ended, by value */

/* Where it happened; all empty: in the root, in no task. */
struct transcript_place {
	struct str ns;                       /* of the graph or chart */
	struct str node;                     /* whose task it is; or empty */
	struct uuid task;
};

/* An entry.  Which of these a kind has, and their names, stands in one table
 * (transcript.c).  json: texts of JSON; value: the same as a value; one of the
 * two.  Empty and undefined ones are left out. */
struct transcript_entry {
	enum transcript_kind kind;
	msec now;
	struct transcript_place place;
	struct uuid id;
	struct str text[4];
	int64_t number[2];
	struct str json[2];
	struct val value[2];
};

/* ---- writing ----------------------------------------------------------------- */

struct transcript {
	bool on;
	bool full;                           /* no more entries but the run's end */
	struct buf bytes;                    /* since the last commit */
	int64_t first, next;                 /* numbers in the run, from 1 */
	size_t written;                      /* bytes, of this attempt */
	int64_t lost;                        /* since the last commit: no room */
	msec last;                           /* time of the entry before */
	char *ns, *node;                     /* the place before; NULL: none */
	struct uuid task;
	/* texts of messages that are kept already: later ones are named by id */
	uint64_t *said; size_t said_n, said_cap;
};

/* next: the number of its first entry. */
void transcript_open(struct transcript *t, int64_t next);
void transcript_release(struct transcript *t);
void transcript_add(struct transcript *t, const struct transcript_entry *e);
/* Moves the row to *bytes; false: there is nothing. */
bool transcript_take(struct transcript *t, struct buf *bytes, int64_t *first,
    int64_t *last);
/* Notes a message that the entry at hand holds; was it noted before? */
bool transcript_note(struct transcript *t, struct str message);

/* Appends a JSON text without what looks like a secret: in objects of any depth,
 * members with such names. */
void transcript_add_open(struct buf *b, struct val v);
bool transcript_is_secret(struct str key);

/* ---- reading ------------------------------------------------------------------ */

/* Of one row; zero but for rest. */
struct transcript_reader {
	struct str rest;
	bool begun;
	msec last;
	struct transcript_place place;
	struct transcript_entry e;
	bool cut[2]; int64_t cut_bytes[2]; uint64_t cut_hash[2];     /* of json */
};

/* The next entry, in r->e until the next call.  ERR_NOTFOUND: there is none;
 * ERR_SYNTAX: no row, or one of a later version. */
int transcript_read(struct transcript_reader *r);
/* The run's row has what it was given, so entries of its start only say that they are
 * there; NULL: not known. */
struct transcript_run {
	struct str graph_id, agent_hash, kwargs_json;
	struct uuid assistant_id;
};
/* As a JSON object: {"seq", "time", "kind", ...}; run: its id. */
void transcript_add_json(struct buf *b, const struct transcript_reader *r,
    struct str run, const struct transcript_run *row, int64_t seq);

#endif
