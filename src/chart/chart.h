/*
 * chart.h - statecharts: W3C SCXML 1.0 (2015) semantics, pure.
 *
 * A struct chart is compiled, immutable and shared by every shard: states are
 * small integers in document order, sets of them are bit sets.  A struct
 * session is one living instance: configuration, data, queues.  The session
 * takes events and returns effects; it never reads a clock, a file or a socket,
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

/* Callbacks for loading a chart; each may be NULL.  read appends the file that
 * a `src` attribute names (relative to the chart's own folder) to out; without
 * it, src is refused.  ERR_DENIED: the name must not be read.  warn gets a
 * message for each deviation from SCXML that is accepted. */
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
/* True if the state has an invoke; such atomic states are LangGraph nodes. */
bool chart_state_is_node(const struct chart *c, unsigned state);

/* One word of at most LIMIT_NAME_BYTES without '*', which is reserved for
 * event descriptors. */
bool chart_is_event_name(struct str s);

/* ---- events in ----------------------------------------------------------- */

/* How an event depends on the invoke that it comes from. */
enum chart_tie {
	TIE_NONE,            /* sent by a child: delivered even after the child has
	                        ended (SCXML 6.4 forbids only later events) */
	TIE_ANSWER,          /* dropped, with EFFECT_DROPPED, after the invoke has
	                        ended */
	TIE_ERROR,           /* as TIE_ANSWER, and it ends the invoke */
	TIE_DONE             /* as TIE_ERROR; but if the id was generated and the
	                        invoke ended before its state was exited, the event
	                        is still delivered (W3C test 236) */
};

struct chart_event {
	struct str name;                     /* "done.invoke.model" */
	struct val data;                     /* borrowed */
	struct str sendid, origin, origintype, invokeid;   /* may be empty */
	uint32_t serial;                     /* of the invoke it comes from; 0: none.
	                                        invokeid is only shown in _event */
	enum chart_tie tie;                  /* set by the host, never derived
	                                        from the name */
};

/* ---- effects out --------------------------------------------------------- */

enum effect_kind {
	EFFECT_SEND,         /* deliver (after delay) to target; see below */
	EFFECT_CANCEL,       /* of the delayed send `sendid` */
	EFFECT_INVOKE,       /* start the service of type; its events come back
	                        with invokeid and serial */
	EFFECT_UNINVOKE,     /* stop it; its later events are ignored, those that
	                        are queued may be delivered */
	EFFECT_FORWARD,      /* autoforward this event to the invoke */
	EFFECT_DROPPED,      /* an event was dropped: its invoke has ended */
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
	uint32_t serial;             /* of the invoke, from 1: ids may be reused,
	                                serials never are in a session */
	struct str src;              /* INVOKE: src/srcexpr's value */
	struct str content;          /* INVOKE: inline chart text (SCXML) */
	const struct chart *child;   /* INVOKE type scxml with inline content: compiled */
	int64_t delay_ms;            /* SEND */
	unsigned state;              /* INVOKE, UNINVOKE: its state; DONE: the final */
	bool autoforward;            /* INVOKE */
};

struct effect_sink {
	/* Must not call back into the session.  A return other than OK for SEND
	 * or INVOKE means that the target cannot be reached: the session raises
	 * error.communication (error.execution for ERR_INVALID, an unsupported
	 * type). */
	int (*effect)(void *ctx, const struct effect *f);
	void *ctx;
};

/* ---- sessions ------------------------------------------------------------ */

/* id: value of _sessionid.  params: an object whose members override top-level
 * <data> of the same name (invoke's params; may be UNDEFINED).  invokeid goes
 * with sends to #_parent; empty at top level. */
struct session *session_new(const struct chart *c, struct str id,
    struct val params, struct str invokeid);
void session_free(struct session *s);

/* Enters the initial states and completes the first macrostep.  OK, or
 * ERR_LIMIT: a limit was exceeded, the chart did not handle the
 * error.execution event that reports it, and the session is over. */
int session_start(struct session *s, const struct effect_sink *out);

/* One external event, run to completion.  No effect once the session is over. */
int session_event(struct session *s, const struct chart_event *ev,
    const struct effect_sink *out);

/* Cancels the session: exits all states (onexit runs, SCXML 6.4). */
void session_cancel(struct session *s, const struct effect_sink *out);

bool session_over(const struct session *s);
/* After ERR_LIMIT: the limit, the state, the guard and the last error.  Empty
 * otherwise. */
struct str session_why(const struct session *s);
/* Appends the active states and the events that they accept, for people:
 * "in 'a', 'b' for 'go', 'done.invoke.m'"; "in 'a' for none". */
void session_add_waits(const struct session *s, struct buf *out);
struct str session_final(const struct session *s);       /* top-level final's id */
bool session_in(const struct session *s, struct str state_id);
/* Active atomic states in document order; returns how many (writes <= max). */
size_t session_configuration(const struct session *s, unsigned *out, size_t max);
struct val session_data(const struct session *s);        /* object; caller drops */
size_t session_bytes(const struct session *s);

/* A snapshot between macrosteps: JSON (configuration, history, data, invokes).
 * Restoring repeats EFFECT_INVOKE for every running invoke, with its original
 * arguments and serial number; the host keeps delayed sends.  ERR_CONFLICT:
 * the states or invokes of the chart have changed.  ERR_LIMIT: as
 * session_start; *out is set then. */
void session_save(const struct session *s, struct buf *out);
int  session_restore(struct session **out, const struct chart *c, struct str id,
    struct str snapshot, const struct effect_sink *sink, struct err *e);

#endif
