/*
 * session_priv.h - a living instance of a chart, and one turn of it.
 *
 * A session holds what is kept between events, in one allocation.  A turn is
 * the state of one macrostep: the internal queue, the sets of the step
 * function, cached values.  It lives on the stack of
 * session_start/event/cancel/restore, so an idle session pays nothing for it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_SESSION_PRIV_H
#define CHART_SESSION_PRIV_H

#include "base/bits.h"
#include "chart/model_priv.h"

#define SCXML_PROCESSOR "http://www.w3.org/TR/scxml/#SCXMLEventProcessor"

enum event_type { EVENT_INTERNAL, EVENT_PLATFORM, EVENT_EXTERNAL };

struct event {
	enum event_type type;
	struct str name;             /* the chart's, hold's, or borrowed for the turn */
	struct val hold;             /* owner of a computed name */
	struct val data;             /* owned */
	struct val sendid;           /* a string, or undefined; owned */
	struct str origin, origintype, invokeid;     /* borrowed for the turn */
};

#define ACTIVE_VALS 5

/* A running invoke with its arguments: a restored session starts it again. */
struct active {
	uint32_t invoke;             /* of the chart */
	uint32_t serial;
	bool ended;                  /* it is not stopped or restarted */
	union {
		struct {
			struct val id, type, src, params, content;
		};
		struct val vals[ACTIVE_VALS];  /* the same, by active_names */
	};
};

extern const char *const active_names[ACTIVE_VALS];

#define QUEUE_INLINE 6
#define SET_WORDS    CONF_WORDS

enum bound { BOUND_STEPS, BOUND_ACTIONS, BOUND_WORK, BOUND_QUEUE };

struct turn {
	const struct effect_sink *sink;
	struct expr_scope scope;
	bool has_event;
	bool limit;                  /* a limit is exceeded: content is skipped */
	bool told;                   /* the event that reports it was sent */
	bool moved;                  /* states may have been entered or left */
	enum bound bound;            /* which limit */
	size_t steps, actions, work; /* against CHART_STEPS, _ACTIONS, _WORK */
	/* for the message about a limit */
	uint32_t entered;            /* the last state; NO_STATE: none */
	uint32_t blame;              /* the last transition that was taken or whose
	                                guard failed; UINT32_MAX: none */
	size_t errors;
	struct val last_error;       /* a string, or undefined */
	struct event now;            /* _event */
	/* the internal queue, a circular buffer */
	struct event *queue, first[QUEUE_INLINE];
	size_t queue_at, queue_n, queue_cap;
	/* caches, dropped when their sources change */
	struct val event_object, data_object, processors, name;
	/* sets of states; c->words of each are in use */
	uint64_t exit[SET_WORDS], enter[SET_WORDS], by_default[SET_WORDS];
	uint64_t invoke[SET_WORDS];
	uint64_t tried[SET_WORDS];   /* visited in this selection */
	uint64_t climbed[SET_WORDS]; /* entered with its ancestors up to the domain */
	uint64_t recalled[SET_WORDS];        /* histories whose default content runs */
	bool recalls;                /* recalled is not empty */
	uint32_t enabled[LIMIT_CHART_STATES];        /* transitions */
	uint32_t domains[LIMIT_CHART_STATES];        /* of each */
	size_t enabled_n;
	size_t top, below;           /* the last two with a domain */
};

#define NO_INDEX SIZE_MAX

struct session {
	const struct chart *c;
	struct turn *turn;           /* NULL between turns */
	struct val id, invokeid, params;
	struct val given;            /* the host's names, an object or undefined */
	struct active *active;
	size_t active_n, active_cap;
	uint64_t *conf;              /* active states; the root is not among them */
	uint64_t *before;            /* conf when it was last settled */
	uint64_t *declared;          /* slots that are declared */
	uint64_t *changed;           /* slots assigned to since then */
	uint64_t *entered;           /* late binding: states that were entered */
	uint64_t **history;          /* by number; NULL: nothing recorded */
	struct val *slots;
	uint32_t *finals;            /* by number of a parallel: regions in a final */
	uint32_t *visits;            /* entries by state; only if c->visits */
	char *why;                   /* the message about a limit; owned */
	uint32_t seq;                /* of generated ids */
	uint32_t serial;             /* of the last invoke */
	uint32_t final;              /* NO_STATE until a top-level final is reached */
	bool started, over;
};

/* Saves the call for undefined, which most values of an event are. */
static inline void
drop(struct val v)
{
	if (v.kind >= VAL_STRING)
		val_drop(v);
}

/* The last member < end and >= from; NO_STATE when there is none. */
uint32_t bit_last(const uint64_t *set, uint32_t from, uint32_t end);

/* ---- turn.c: events and the queue ---------------------------------------- */

void turn_begin(struct session *s, struct turn *t, const struct effect_sink *sink);
/* The end: OK, or ERR_LIMIT after which the session is over. */
int  turn_end(struct session *s);
void turn_raise(struct session *s, struct event ev);         /* takes ev's values */
bool turn_next(struct session *s);           /* dequeues into _event */
void turn_set_event(struct session *s, struct event ev);
/* error.execution or error.communication, with the message in its data. */
void turn_error(struct session *s, int rc, struct val sendid, const struct err *e);
void turn_limit(struct session *s, enum bound bound);
/* A limit was exceeded.  Reports it as the current event, once in a turn, and
 * leaves a tenth of every budget to handle it; false: it was reported. */
bool turn_tell_limit(struct session *s);
void turn_effect(struct session *s, const struct effect *f);
/* An effect of the path: for the sinks that want it. */
void turn_path(struct session *s, enum effect_kind kind, uint32_t state);
/* What the host says of a send's target. */
int  turn_reach(struct session *s, const struct effect *send);

/* ---- data.c: names and values -------------------------------------------- */

void data_scope(struct session *s);
int  data_eval(struct session *s, uint32_t code, struct val *out, struct err *e);
/* False also after an error, which is raised. */
bool data_cond(struct session *s, uint32_t code);
/* Writes v (taken) to a location. */
int  data_assign(struct session *s, uint32_t location, bool declare, struct val v,
    struct err *e);
void data_set_slot(struct session *s, uint32_t slot, struct val v);
void data_init(struct session *s, struct range data, bool top);
int  data_content(struct session *s, const struct content *from, struct val *out,
    struct err *e);
int  data_params(struct session *s, struct range params, struct val *out,
    struct err *e);
/* "#_scxml_ID": where a session's events go. */
struct val session_location(struct str id);
int  data_payload(struct session *s, const struct payload *p, struct val *out,
    struct err *e);
/* Literal or evaluated text; *hold is its owner (drop it afterwards). */
int  data_text(struct session *s, const struct value *v, struct val *hold,
    struct str *out, struct err *e);
struct val data_object(const struct session *s);

/* ---- the rest ------------------------------------------------------------ */

int  action_run(struct session *s, struct range block);      /* action.c */
void states_enter(struct session *s);                        /* enter.c */
void states_enter_initial(struct session *s);
void states_exit(struct session *s);
void states_exit_all(struct session *s);
/* Counts a final that is active after session_restore. */
void final_restored(struct session *s, uint32_t final);
uint32_t transition_domain(struct session *s, const struct transition *t);
void invoke_start(struct session *s, uint32_t state);        /* invoke.c */
void invoke_stop(struct session *s, uint32_t state);
void invoke_event(struct session *s, const struct chart_event *ev);
/* The running or ended invoke of that number whose state is active, or NULL. */
const struct active *session_active(const struct session *s, uint32_t serial);
/* For an event with a tie.  False: its invoke has ended. */
bool invoke_admits(const struct session *s, const struct chart_event *ev);
void invoke_effect(struct session *s, const struct active *a);
void active_release(struct active *a);
void active_add(struct session *s, struct active a);         /* takes its values */
struct session *session_make(const struct chart *c, struct str id);  /* session.c */
/* The first state that makes the configuration illegal: exactly one child of a
 * compound state and all children of a parallel state must be active, and no
 * history.  NO_STATE: it is legal.  O(active states). */
uint32_t session_illegal_state(const struct session *s);
/* The same of a set of states inside `top`; not deep: only of top's children. */
uint32_t set_illegal_state(const struct chart *c, const uint64_t *set, uint32_t top,
    bool deep);
/* The invariants between turns; called at the end of each. */
void check_session(const struct session *s);
void step_run(struct session *s);                            /* step.c */

#endif
