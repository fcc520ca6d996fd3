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
 * message for each deviation from SCXML that is accepted.  knows: whether the
 * host can start invokes of a type (never empty); a chart with another one is
 * refused, unless the type is computed at run time. */
struct chart_files {
	int (*read)(void *ctx, struct str name, struct buf *out, struct err *e);
	void (*warn)(void *ctx, const char *text);
	void *ctx;
	bool (*knows)(void *ctx, struct str type);
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
/* The parent; of the chart itself, UINT_MAX. */
unsigned chart_state_parent(const struct chart *c, unsigned state);
/* "atomic", "compound", "parallel", "final", "history", "chart" (state 0). */
const char *chart_state_kind(const struct chart *c, unsigned state);

/* A transition, for drawings.  i < chart_transitions(); false: it is the default
 * of an initial state or a history. */
struct chart_transition {
	unsigned source;
	const uint32_t *targets;
	size_t targets_n;            /* 0: no state is left */
	const struct str *events;    /* descriptors, without `any` */
	size_t events_n;
	bool any;                    /* event "*" */
	struct str guard;            /* as written; empty: none */
};
size_t chart_transitions(const struct chart *c);
bool chart_transition_at(const struct chart *c, size_t i, struct chart_transition *out);
/* session_hears of any state. */
bool chart_hears(const struct chart *c, struct str word);
/* Where a group or a history begins by itself; their number. */
size_t chart_state_initial(const struct chart *c, unsigned state, const uint32_t **targets);
/* True if the state has an invoke; such atomic states are LangGraph nodes. */
bool chart_state_is_node(const struct chart *c, unsigned state);
/* Does it only hear events and send ones of this type, at once?  No invokes, delays or other
 * sends: its session needs no stepper (stepper.h). */
bool chart_sends_only(const struct chart *c, struct str type);
/* The names of the data, numbered from 0: a session's slots. */
size_t chart_slots(const struct chart *c);
struct str chart_slot_name(const struct chart *c, unsigned slot);

/* Is it a type of invokes that are charts: the W3C's address or `scxml`? */
bool chart_is_chart_type(struct str type);
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
	EFFECT_DONE,         /* top-level final reached: state id, donedata */
	/* The path, in the order of appendix D; only for a sink with `path`. */
	EFFECT_TAKEN,        /* a transition was selected, before its exits */
	EFFECT_EXITED,       /* a state, after its onexit */
	EFFECT_ENTERED,      /* a state, before its onentry */
	EFFECT_UNTAKEN       /* an event that no transition took */
};

/* Everything is borrowed for the duration of the callback. */
struct effect {
	enum effect_kind kind;
	struct str name;             /* SEND: event; LOG: label; DONE: final's id;
	                                FORWARD, DROPPED, UNTAKEN: event name;
	                                TAKEN: event name, empty without an event */
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
	unsigned state;              /* INVOKE, UNINVOKE: its state; DONE: the final;
	                                TAKEN: the source; EXITED, ENTERED */
	const uint32_t *targets;     /* TAKEN: states, as the chart has them */
	size_t targets_n;
	unsigned line;               /* TAKEN: of the document; 0: unknown */
	bool autoforward;            /* INVOKE */
};

/* Neither function may call back into the session; both may be NULL.  An
 * effect has no answer: a failure to do it is a later event. */
struct effect_sink {
	void (*effect)(void *ctx, const struct effect *f);
	void *ctx;
	/* Asked before each SEND: can it be delivered?  OK, or the send does not
	 * take place and the session raises error.execution (ERR_INVALID: not a
	 * target or type; ERR_LIMIT) or error.communication (other codes).  The
	 * target of a delayed send may not exist yet; then OK.  To replay a journal
	 * of events, repeat the answers: nothing else flows back.  NULL: OK. */
	int (*reach)(void *ctx, struct str target, struct str type, bool delayed);
	bool path;                   /* TAKEN, EXITED, ENTERED, UNTAKEN are wanted */
};

/* ---- sessions ------------------------------------------------------------ */

/* id: value of _sessionid.  params: an object whose members override top-level
 * <data> of the same name (invoke's params; may be UNDEFINED).  invokeid goes
 * with sends to #_parent; empty at top level. */
struct session *session_new(const struct chart *c, struct str id,
    struct val params, struct str invokeid);
void session_free(struct session *s);
/* More names that expressions can read: the members of an object, as `config`
 * (it may be UNDEFINED).  They do not change, and are no part of a snapshot:
 * give them again after session_restore, before the first event. */
void session_give(struct session *s, struct val names);

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
/* Would an active state take an event whose first word is this, as in `message` of
 * message.inform?  By its name: not by `*`. */
bool session_hears(const struct session *s, struct str word);
struct str session_final(const struct session *s);       /* top-level final's id */
bool session_in(const struct session *s, struct str state_id);
/* How often it was entered; only if the chart counts that (draft.h: visits). */
int64_t session_visits(const struct session *s, struct str state_id);
/* Active atomic states in document order; returns how many (writes <= max). */
size_t session_configuration(const struct session *s, unsigned *out, size_t max);
struct val session_data(const struct session *s);        /* object; caller drops */
/* The value of a slot; borrowed until the next event.  False: not declared. */
bool session_slot(const struct session *s, unsigned slot, struct val *out);
/* Writes a slot from outside (v is taken) and declares it; between events. */
void session_set_slot(struct session *s, unsigned slot, struct val v);
size_t session_bytes(const struct session *s);

/* What changed since session_settle (or session_new, or session_restore), so
 * that a host writes only that: slots that were assigned to, even if to an
 * equal value, but not those that session_start took from params; states that are active now and were not, and the reverse. */
bool session_slot_changed(const struct session *s, unsigned slot);
bool session_state_changed(const struct session *s, unsigned state);
bool session_changed(const struct session *s);           /* any of these */
void session_settle(struct session *s);

/* A snapshot between macrosteps: JSON (configuration, history, data, invokes,
 * and entries of states if the chart uses visits()); bare: without the data, which
 * the host has and gives again (session_set_slot) before the first event.
 * Restoring repeats EFFECT_INVOKE for every running invoke, with its original
 * arguments and serial number; the host keeps delayed sends.  ERR_CONFLICT:
 * the states or invokes of the chart have changed.  *out is NULL after an
 * error. */
void session_save(const struct session *s, struct buf *out);
void session_save_bare(const struct session *s, struct buf *out);
int  session_restore(struct session **out, const struct chart *c, struct str id,
    struct str snapshot, const struct effect_sink *sink, struct err *e);

#endif
