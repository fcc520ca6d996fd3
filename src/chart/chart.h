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

/* Fetches what `src` attributes name (relative to the chart's own folder).
 * Appends to out.  Without one, src is refused. */
struct chart_files {
	int (*read)(void *ctx, struct str name, struct buf *out, struct err *e);
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

/* ---- events in ----------------------------------------------------------- */

struct chart_event {
	struct str name;                     /* "done.invoke.model" */
	struct val data;                     /* borrowed */
	struct str sendid, origin, origintype, invokeid;   /* may be empty */
};

/* ---- effects out --------------------------------------------------------- */

enum effect_kind {
	EFFECT_SEND,         /* deliver (after delay) to target; see below */
	EFFECT_CANCEL,       /* of the delayed send `sendid` */
	EFFECT_INVOKE,       /* start the service of type; its events come back
	                        with invokeid */
	EFFECT_UNINVOKE,     /* stop it; nothing of it may be delivered any more */
	EFFECT_FORWARD,      /* autoforward this event to invokeid */
	EFFECT_LOG,
	EFFECT_DONE          /* top-level final reached: state id, donedata */
};

/* Everything is borrowed for the duration of the callback. */
struct effect {
	enum effect_kind kind;
	struct str name;             /* SEND: event; LOG: label; DONE: final's id;
	                                FORWARD: event name */
	struct val data;             /* SEND/FORWARD: data; INVOKE: its params;
	                                LOG: value; DONE: donedata */
	struct str target, type;     /* SEND: where and how; INVOKE: type, never
	                                empty: a chart is http://www.w3.org/TR/scxml/ */
	struct str sendid;           /* SEND: when given or asked for; CANCEL */
	struct str invokeid;         /* INVOKE, UNINVOKE, FORWARD */
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
 * OK, or ERR_LIMIT (a bound was hit; the session is over). */
int session_start(struct session *s, const struct effect_sink *out);

/* One external event, run to completion.  Nothing happens once it is over. */
int session_event(struct session *s, const struct chart_event *ev,
    const struct effect_sink *out);

/* Ends it from outside: exits all states (onexit runs, SCXML 6.4 cancel). */
void session_cancel(struct session *s, const struct effect_sink *out);

bool session_over(const struct session *s);
struct str session_final(const struct session *s);       /* top-level final's id */
bool session_in(const struct session *s, struct str state_id);
/* Active atomic states in document order; returns how many (writes <= max). */
size_t session_configuration(const struct session *s, unsigned *out, size_t max);
struct val session_data(const struct session *s);        /* object; caller drops */
size_t session_bytes(const struct session *s);

/* A snapshot between macrosteps: JSON (configuration, history, data, invokes).
 * Restoring re-issues EFFECT_INVOKE for every invoke under way, with what it
 * was started with; delayed sends are the host's to keep.  ERR_CONFLICT: it
 * does not fit the chart.  ERR_LIMIT: as session_start; *out is set then. */
void session_save(const struct session *s, struct buf *out);
int  session_restore(struct session **out, const struct chart *c, struct str id,
    struct str snapshot, const struct effect_sink *sink, struct err *e);

#endif
