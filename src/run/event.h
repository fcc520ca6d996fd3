/*
 * event.h - the events of a run: a closed set of kinds, each with its fields,
 * independent of any wire.
 *
 * The core (core_priv.h), the tasks' host and the run make them in order; encoders,
 * one a wire form (classic.h), turn them into bytes at most once, on first need.
 * All texts and values are borrowed for the call; who keeps an event packs it
 * (pack.h).
 *
 * The order inside a run, where a kind occurs at all:
 *
 *   METADATA, LIFECYCLE "" running
 *   INPUT, COMPLETE, CHECKPOINT
 *   per step   TASK ... MODEL_START DELTA* MODEL_END MESSAGE CUSTOM TOOL ...
 *              TASK_RESULT as each ends, then VALUES, COMPLETE, CHECKPOINT
 *   INTERRUPT, LIFECYCLE "" completed | failed | interrupted, ERROR
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_EVENT_H
#define RUN_EVENT_H

#include "base/id.h"
#include "base/val.h"
#include "llm/llm.h"
#include "store/store.h"

enum event_kind {
	EVENT_METADATA,      /* the run has begun: attempt, input as it was given */
	EVENT_INPUT,         /* the input was applied, or the run goes on: the state */
	EVENT_TASK,          /* a task begins */
	EVENT_TASK_RESULT,   /* it ended: result, or error, or interrupts */
	EVENT_VALUES,        /* the state after a step that changed it */
	EVENT_CHECKPOINT,    /* a checkpoint was decided */
	EVENT_MESSAGE,       /* a message a node wrote that was not streamed, whole */
	EVENT_COMPLETE,      /* messages that are new in the state (mode messages) */
	EVENT_MODEL_START,   /* a model is asked */
	EVENT_DELTA,         /* of its answer: spans, never an object */
	EVENT_MODEL_END,     /* the answer, or that there is none */
	EVENT_RETRACT,       /* what streamed of a message is void: the attempt that
	                        said it is gone, and it will be said again */
	EVENT_CUSTOM,        /* name (may be empty), data */
	EVENT_TOOL,          /* start, delta, end, error of a tool call */
	EVENT_INTERRUPT,     /* the run stops for a person: interrupts (empty: a
	                        breakpoint); told for every graph from the asking
	                        one up to the root */
	EVENT_ANSWERED,      /* a run resumes by ids, before they are checked */
	EVENT_LIFECYCLE,     /* a graph started, completed, failed, waits */
	EVENT_REFUSED,       /* the run fails because it answers what does not wait:
	                        the ids that do not, and those that do */
	EVENT_ERROR          /* the run failed: name, message */
};                           /* they are stored by these numbers */
#define EVENT_KINDS (EVENT_ERROR + 1)

/* One execution of a node. */
struct event_task {
	struct uuid id;
	struct str name;                     /* of the node */
	struct str ns;                       /* its own: "node:task_id" behind its graph's */
	struct val path, triggers;           /* arrays; UNDEF: a pulled node's */
	struct val input;                    /* what it was given: the state, or */
	bool own_input;                      /* its own: a send's */
	struct val result;                   /* UNDEF: none yet; null: wrote nothing */
	struct val error;                    /* UNDEF, or {message, name} */
	struct val interrupts;               /* array of {id, value}; UNDEF: none */
	struct str child_ns;                 /* of its graph, if it has one; or empty */
};

/* The state of a graph and the checkpoint that holds it (zero: none, as with
 * durability exit and without a thread). */
struct event_state {
	struct val values;                   /* object */
	struct uuid id, parent;
	enum checkpoint_source source;
};

struct event_checkpoint {
	struct uuid id, parent;              /* parent zero: none */
	enum checkpoint_source source;
	struct val values;                   /* object */
	struct val parents;                  /* object ns -> checkpoint id; UNDEF: {} */
	const struct event_task *tasks;      /* those that come next */
	size_t tasks_n;
};

/* A model's answer; `stream` is its number in the run, the same in all of its
 * events.  Several may be under way. */
struct event_model {
	uint32_t stream;
	struct uuid call;                    /* names it in `events` */
	struct str provider, model;
	struct val messages;                 /* START: what it is asked, an array; or UNDEF */
	struct str id;                       /* DELTA, END, RETRACT: of the message, plain */
	const struct llm_delta *delta;       /* DELTA */
	struct val message;                  /* END; UNDEF: it failed */
	struct val metadata;                 /* START, DELTA: as a worker gave it, in place of
	                                        what wires say of the message; or UNDEF */
};

enum event_tool_what { EVENT_TOOL_START, EVENT_TOOL_DELTA, EVENT_TOOL_END, EVENT_TOOL_ERROR };

struct event_tool {
	enum event_tool_what what;
	struct uuid call;                    /* names it in `events` */
	struct str call_id, name;
	struct val payload;                  /* input, piece, output or error */
};

enum event_life {
	EVENT_STARTED, EVENT_RUNNING, EVENT_COMPLETED, EVENT_FAILED, EVENT_INTERRUPTED
};

struct event_lifecycle {
	enum event_life what;
	struct str graph;                    /* its name */
	struct str tool_call_id;             /* that it was started by; or empty */
	struct str error, message;           /* of FAILED */
};

struct run_event {
	enum event_kind kind;
	int step;                            /* of that graph */
	struct str ns;                       /* of the graph it happened in; "" is the root */
	const struct event_task *task;       /* it happened in; NULL: in none (INPUT, VALUES,
	                                        CHECKPOINT, INTERRUPT, ...) */
	msec now;                            /* the one clock */
	struct uuid checkpoint;              /* the step's, where the tasks began */
	union {
		/* facts: what the classic wire's frames say of the run, for those who
		 * make them later (classic_facts); or UNDEF */
		struct { int64_t attempt; struct val input, facts; } metadata;
		struct event_state state;            /* INPUT, VALUES */
		struct event_checkpoint checkpoint;
		struct { struct val message, metadata; } message;    /* metadata: as above */
		struct { struct val messages; } complete;    /* array */
		struct event_model model;            /* MODEL_START, DELTA, MODEL_END, RETRACT */
		struct { struct str name; struct val data; } custom;
		struct event_tool tool;
		struct { struct val list; } interrupts;      /* INTERRUPT: array of {id, value} */
		struct { struct val ids; } answered;         /* array of texts */
		struct { struct val unknown, pending; } refused;     /* the same */
		struct event_lifecycle lifecycle;
		struct { struct str name, message; } error;
	} u;
};

#endif
