/*
 * chart.h - statecharts: W3C SCXML 1.0 (2015) semantics, pure.
 *
 * A struct chart is compiled, immutable and shared by every shard: states are
 * small integers in document order, sets of them are bit sets.  A struct
 * session is one living instance: configuration, data, queues.  The session
 * takes events and gives effects; it never reads a clock, a file or a socket,
 * and the same events give the same effects.
 *
 * The step function is the algorithm of SCXML appendix D with our expression
 * language (expr.h) as the data model.  What runs inside a macrostep is
 * bounded (LIMIT_CHART_STEPS, LIMIT_EXPR_STEPS).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_CHART_H
#define CHART_CHART_H

#include "base/buf.h"
#include "base/rc.h"
#include "base/val.h"

struct chart;
struct session;

/* ---- charts -------------------------------------------------------------- */

/* What a reader of charts needs of its host; each may be NULL.  read fetches
 * what `src` attributes name (relative to the chart's own folder) and appends
 * to out; without it, src is refused.  ERR_DENIED: not even to be tried.  warn
 * is told what is accepted though it should not stand so. */
struct chart_files {
	int (*read)(void *ctx, struct str name, struct buf *out, struct err *e);
	void (*warn)(void *ctx, const char *text);
	void *ctx;
};

/* SCXML text (XML in UTF-8, UTF-16, ISO-8859-1 or Windows-1252 as expat
 * knows them).  Errors name line, column and path:
 * `line 12, column 5: state 's1': transition: unknown target 'x'`. */
int  chart_from_scxml(struct chart **out, struct str text,
    const struct chart_files *files, struct err *e);
void chart_free(struct chart *c);            /* when no session uses it */

struct str chart_name(const struct chart *c);
size_t chart_states(const struct chart *c);  /* 0 is the chart itself */
struct str chart_state_id(const struct chart *c, unsigned state);
/* Does this state invoke something?  Such atomic states are LangGraph nodes. */
bool chart_state_is_node(const struct chart *c, unsigned state);

/* One word of at most LIMIT_NAME_BYTES, without '*', which is for what matches
 * events. */
bool chart_is_event_name(struct str s);

/* ---- events in ----------------------------------------------------------- */

/* How an event hangs on the invoke that it comes from. */
enum chart_tie {
	TIE_NONE,            /* a child sent it: stays though the child is gone
	                        (SCXML 6.4 forbids only what comes later) */
	TIE_ANSWER,          /* means nothing without the invoke: dropped, and told
	                        as EFFECT_DROPPED, when it is gone */
	TIE_ERROR,           /* as TIE_ANSWER, and with it the invoke has ended */
	TIE_DONE             /* as TIE_ERROR; but where the id was made up for this
	                        invoke alone and it had ended before its state was
	                        left, its done may still come (W3C test 236) */
};

struct chart_event {
	struct str name;                     /* "done.invoke.model" */
	struct val data;                     /* borrowed */
	struct str sendid, origin, origintype, invokeid;   /* may be empty */
	uint32_t serial;                     /* of the invoke it comes from; 0: none.
	                                        invokeid is only what _event shows */
	enum chart_tie tie;                  /* what the host says, never guessed
	                                        from the name */
};

/* ---- effects out --------------------------------------------------------- */

enum effect_kind {
	EFFECT_SEND,         /* deliver (after delay) to target; see below */
	EFFECT_CANCEL,       /* of the delayed send `sendid` */
	EFFECT_INVOKE,       /* start the service of type; its events come back
	                        with invokeid and serial */
	EFFECT_UNINVOKE,     /* stop it; what it says from now on is ignored, what
	                        is queued already may come */
	EFFECT_FORWARD,      /* autoforward this event to the invoke */
	EFFECT_DROPPED,      /* an event of an invoke that is gone was not given */
	EFFECT_LOG,
	EFFECT_DONE          /* top-level final reached: state id, donedata */
};

/* Everything is borrowed for the duration of the callback. */
struct effect {
	enum effect_kind kind;
	struct str name;             /* SEND: event; LOG: label; DONE: final's id;
	                                FORWARD, DROPPED: event name */
	struct val data;             /* SEND/FORWARD: data; INVOKE: its params;
	                                LOG: value; DONE: donedata */
	struct str target, type;     /* SEND: where and how; INVOKE: type, never
	                                empty: a chart is http://www.w3.org/TR/scxml/ */
	struct str sendid;           /* SEND: when given or asked for; CANCEL */
	struct str invokeid;         /* INVOKE, UNINVOKE, FORWARD, DROPPED */
	uint32_t serial;             /* the same: which of those with this id; from
	                                1, never used twice by a session */
	struct str src;              /* INVOKE: src/srcexpr's value */
	struct str content;          /* INVOKE: inline chart text (SCXML) */
	const struct chart *child;   /* INVOKE type scxml with inline content: compiled */
	int64_t delay_ms;            /* SEND */
	unsigned state;              /* INVOKE, UNINVOKE: whose; DONE: the final */
	bool autoforward;            /* INVOKE */
};

struct effect_sink {
	/* Must not call back into the session that gave the effect.  A return
	 * other than OK for SEND or INVOKE means "cannot be reached": the
	 * session raises error.communication (or error.execution for an
	 * unsupported type: ERR_INVALID). */
	int (*effect)(void *ctx, const struct effect *f);
	void *ctx;
};

/* ---- sessions ------------------------------------------------------------ */

/* id: value of _sessionid.  params: object of values that override <data> of
 * the same name at top level (invoke's params; may be UNDEFINED).  `invokeid`
 * is what #_parent sends are stamped with; empty at top level. */
struct session *session_new(const struct chart *c, struct str id,
    struct val params, struct str invokeid);
void session_free(struct session *s);

/* Enters the initial states and runs to completion of the first macrostep.
 * OK, or ERR_LIMIT: a bound was hit, the chart did not deal with the
 * error.execution that told it so, and the session is over. */
int session_start(struct session *s, const struct effect_sink *out);

/* One external event, run to completion.  Nothing happens once it is over. */
int session_event(struct session *s, const struct chart_event *ev,
    const struct effect_sink *out);

/* Ends it from outside: exits all states (onexit runs, SCXML 6.4 cancel). */
void session_cancel(struct session *s, const struct effect_sink *out);

bool session_over(const struct session *s);
/* After ERR_LIMIT: which bound, in which state, at which guard, and the last
 * error.  Empty otherwise. */
struct str session_why(const struct session *s);
/* Appends where it waits and for which events, for people:
 * "in 'a', 'b' for 'go', 'done.invoke.m'"; "in 'a' for none". */
void session_add_waits(const struct session *s, struct buf *out);
struct str session_final(const struct session *s);       /* top-level final's id */
bool session_in(const struct session *s, struct str state_id);
/* Active atomic states in document order; returns how many (writes <= max). */
size_t session_configuration(const struct session *s, unsigned *out, size_t max);
struct val session_data(const struct session *s);        /* object; caller drops */
size_t session_bytes(const struct session *s);

/* A snapshot between macrosteps: JSON (configuration, history, data, invokes).
 * Restoring re-issues EFFECT_INVOKE for every invoke under way, with what it
 * was started with and its serial number; delayed sends are the host's to
 * keep.  ERR_CONFLICT: it does not fit the chart, whose states or invokes are
 * others by now.  ERR_LIMIT: as session_start; *out is set then. */
void session_save(const struct session *s, struct buf *out);
int  session_restore(struct session **out, const struct chart *c, struct str id,
    struct str snapshot, const struct effect_sink *sink, struct err *e);

#endif
