/*
 * core_priv.h - the decision core of one running run.  Pure: it takes events and
 * calls effects; it never touches a socket, a file or a clock.
 *
 * A run is a tree of *scopes*, one a namespace: the root graph, and a child for
 * every sub-agent under way.  A scope goes in steps: the tasks that the stepper
 * says come next begin; each ends done, failed or waiting (for a person); after
 * the last of them their writes are applied, a checkpoint says what comes next,
 * and so on.  Effects of a step come in this order:
 *
 *   begin (each task)
 *   writes, told            (as each ends; writes only where a step has several)
 *   checkpoint, told        (after the last)
 *   begin ... | end
 *
 * After `end` no effect follows.  Values, tasks and texts in effects are borrowed
 * for the call.
 *
 * Threads: the home shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_CORE_PRIV_H
#define RUN_CORE_PRIV_H

#include "agent/agent.h"
#include "graph/graph.h"
#include "run/event.h"
#include "run/transcript.h"
#include "state/channels.h"
#include "store/store.h"
#include "task/task.h"

struct core;
struct scope;
struct chart;                                /* chart/chart.h */
struct effect;

/* ---- what was saved ------------------------------------------------------- */

struct core_name_value { struct str name; struct val value; };

/* An interrupt as a row. */
struct core_interrupt {
	struct uuid id;
	struct str ns;                       /* of the graph whose task asked */
	struct uuid task, checkpoint;        /* checkpoint: in which the task began */
	struct str key;                      /* of the call in the task (task.h) */
	struct val value, schema;            /* schema UNDEF: none */
	struct val answer;                   /* UNDEF: none yet */
	msec due;                            /* new: 0: no time limit */
	struct str assignee;                 /* new: or empty */
	bool waits;                          /* neither answered nor voided, and its
	                                        checkpoint is the head of ns */
};

struct core_saved_task {
	struct uuid id;
	uint64_t serial;                     /* of a chart's; 0: none */
	struct str name;
	struct core_name_value *writes; size_t writes_n;         /* pending: it is done */
	bool done;
	struct task_record *records; size_t records_n;
};

/* A checkpoint as read back; owned by the reader until it is released. */
struct core_saved {
	struct uuid id, parent, run_id;
	int step;
	enum checkpoint_source source;
	bool head;                           /* of its namespace */
	struct str snapshot;                 /* empty: made by schema 1 (position from next) */
	struct core_name_value *values; size_t values_n;         /* channels that were written */
	struct core_saved_task *tasks; size_t tasks_n;
	struct core_interrupt *interrupts; size_t interrupts_n;  /* of its tasks, answered or not */
	struct str *last; size_t last_n;     /* nodes whose writes it holds (source loop) */
	struct val input;                    /* that it was to take, if START comes next
	                                        and it is not the head; or UNDEF */
	/* What runs that resumed it and did not bring it to its end have carried. */
	struct core_name_value *carried; size_t carried_n;
};

/* ---- effects --------------------------------------------------------------- */

enum task_state { TASK_NEXT, TASK_RUNNING, TASK_WAITS, TASK_DONE, TASK_FAILED };

struct core_task {
	struct scope *scope;
	int node;                            /* GRAPH_START: the input's */
	bool push;                           /* a send's */
	unsigned index;                      /* of the send */
	struct str name, trigger;            /* name: as this run calls the node */
	struct uuid id;
	struct str ns;                       /* "node:task_id" behind the scope's */
	struct val input;                    /* private; UNDEF: the state */
	enum task_state state;
	uint64_t serial;                     /* of a chart's invoke; 0: of a graph */
	bool fresh;                          /* about to begin */
	bool again;                          /* may have begun in an earlier attempt */
	bool told;                           /* that it began, before the run was parked */
	struct core_name_value *writes;      /* to channels, then control; in order */
	size_t writes_n, writes_cap;
	size_t took;                         /* so many writes are in the state already: events
	                                        were posted after them */
	struct val update;                   /* what it returned: object or null */
	struct val shown;                    /* interrupts, its own and its children's:
	                                        array of {id, value}; UNDEF: none */
	struct task_answer *answers;         /* of its questions */
	size_t answers_n, answers_cap;
	struct task_record *records;         /* of earlier attempts */
	size_t records_n;
	struct task_cost spent;              /* of this attempt, and told by records */
	struct scope *children;
	void *host;                          /* the effects' own */
};

struct core_checkpoint {
	struct scope *scope;
	struct str ns;
	struct uuid id, parent;              /* parent zero: none */
	int step;
	enum checkpoint_source source;
	struct core_task *const *tasks; size_t tasks_n;          /* that come next */
	struct channels *state;              /* channels_changed() tells what to write */
	struct str snapshot;
	/* what the lone task of the step wrote; NULL: none, or pending writes hold it */
	const struct core_task *wrote;
	struct val parents;                  /* ns -> id */
};

/* Why the run failed, as clients are told; task NULL: not a node's failure. */
struct core_error {
	struct str name, message;
	const struct core_task *task;
};

enum core_end { CORE_SUCCESS, CORE_ERROR, CORE_INTERRUPTED };

struct core_effects {
	/* A namespace's saved checkpoint; id zero: its head.  *out NULL: none.
	 * ERR_IO. */
	int  (*load)(void *ctx, struct str ns, const struct uuid *id, struct core_saved **out);
	void (*release)(void *ctx, struct core_saved *s);
	/* Everything that waits on the thread, in any namespace.  Borrowed until the
	 * run ends. */
	int  (*waiting)(void *ctx, const struct core_interrupt **out, size_t *n);
	msec (*now)(void *ctx);              /* wall, for charts */
	/* Of a checkpoint of a namespace: v6, rising. */
	struct uuid (*new_id)(void *ctx, struct str ns, int step);

	void (*checkpoint)(void *ctx, const struct core_checkpoint *c);
	/* Pending writes of a task that ended; error: it failed, and this is why. */
	void (*writes)(void *ctx, const struct core_task *t, struct val error);
	/* Of a run that goes on in this step: a write of its command, which would be
	 * lost if the step does not end, or a note of the core's own; kept with t.
	 * n: its number, over all such runs. */
	void (*carry)(void *ctx, const struct core_task *t, size_t n, struct str name,
	    struct val value);
	void (*interrupt)(void *ctx, const struct core_task *t, const struct core_interrupt *i);
	void (*answer)(void *ctx, const struct core_interrupt *i, struct val value);
	void (*void_all)(void *ctx);         /* interrupts of what is no head any more */
	/* What a task left under this id goes: it begins anew. */
	void (*drop)(void *ctx, const struct core_task *t);
	/* The path of a chart and the events that it dropped; NULL: nobody keeps it.
	 * ns: the namespace. */
	void (*path)(void *ctx, struct str ns, const struct chart *c,
	    const struct effect *f);
	/* A message that a chart sends, and where: it leaves with the checkpoint that
	 * follows.  Errors as of task_host.mail_send.  NULL: nobody can be written to. */
	int  (*mail)(void *ctx, const struct run_event *at, const struct task_mail *m,
	    struct err *e);
	/* Starts the task's work; its end comes back by core_task_*.  Never from inside. */
	void (*begin)(void *ctx, struct core_task *t);
	void (*stop)(void *ctx, struct core_task *t);        /* and forgets it */
	bool (*wants)(void *ctx, enum event_kind kind, bool root);   /* does anybody listen? */
	void (*told)(void *ctx, const struct run_event *ev);
	void (*end)(void *ctx, enum core_end end, const struct core_error *e);
};

/* ---- a run ------------------------------------------------------------------ */

struct core_goto { struct str node; struct val input; };     /* input UNDEF: the node itself */

/* What the run is asked for. */
struct core_request {
	struct val input;                    /* object; UNDEF: none */
	bool has_command;
	struct val resume;                   /* UNDEF: none */
	struct core_name_value *update; size_t update_n;
	struct core_goto *gotos; size_t gotos_n;
	bool strict_resume;
	struct uuid checkpoint;              /* zero: the head */
	/* breakpoints: node names, or all; given: they replace the agent's */
	struct core_stops { bool given, all; const struct str *at; size_t n; } before, after;
	int64_t recursion_limit;
	int64_t steps_before;                /* checkpoints that earlier attempts have
	                                        made, in the line of the head */
	bool woken;                          /* it goes on where it was parked */
	bool exit;                           /* durability: only the last state is kept */
	bool hears;                          /* messages of other agents may arrive */
	struct val config, context;          /* for expressions */
	struct uuid run_id;
};

/* Is it a map by interrupt ids: an object with members, all keys 32 hex digits? */
bool core_is_resume_map(struct val v);

struct core *core_new(const struct agent *a, const struct core_request *q,
    const struct core_effects *fx, void *ctx);
void core_free(struct core *c);
void core_start(struct core *c);             /* effects follow, `end` possibly too */
void core_stop(struct core *c);              /* stops its tasks; no more effects */

/* When the first delayed event of a chart falls due; CORE_NEVER: there is none.
 * It is delivered by core_fire. */
#define CORE_NEVER INT64_MAX
msec core_due(const struct core *c);
void core_fire(struct core *c);

/* From the tasks. */
void core_task_done(struct core_task *t, const struct task_write *w, size_t n, struct val result);
void core_task_failed(struct core_task *t, const struct task_error *e);
void core_task_waits(struct core_task *t, const struct task_interrupt *i, size_t n);
/* Of a chart: what the task wrote so far, then these events, each worked through; the
 * task may be stopped by then.  again: all that was done in an earlier attempt. */
void core_task_post(struct core_task *t, const struct task_write *w, size_t n,
    const struct task_event *ev, size_t ev_n, bool again);
void core_child(struct core_task *t, struct task_child *c);
void core_child_stop(struct core_task *t, struct task_child *c);

/* A message of another agent that no task has taken, for the chart of the root: the event
 * message.PERFORMATIVE.  Only if core_takes: there is a chart, and it is not over. */
bool core_takes(const struct core *c);
void core_hear(struct core *c, struct val message);
/* Does the root's chart stand where only a message can bring it on? */
bool core_listens(const struct core *c);
bool core_hears(const struct core *c);       /* would it take one where it stands? */
/* Does an agent's chart take messages in any of its states? */
bool core_agent_hears(const struct agent *a);

/* budget.c: what a task spends, and may (task.h). */
bool core_may_spend(struct core_task *t, const struct task_cost *about,
    struct task_refusal *why);
void core_spent(struct core_task *t, const struct task_cost *c);
int64_t core_tokens_left(struct core_task *t);
/* The name of a pending write that says what its task has spent. */
#define SPENT_WRITE S("__spent__")

/* keep.c: what a model had said of a task that is stopped or fails.  message: in
 * the stored form.  Only if core_keeps. */
bool core_keeps(const struct core_task *t);
void core_keep_stopped(struct core_task *t, struct val message);     /* after core_stop */
/* Before core_task_failed, which gets the task that is returned. */
struct core_task *core_keep_failed(struct core_task *t, struct val message);

/* The root's state and what waits in it ({id, value} each; or UNDEF), for the end
 * of the run.  NULL: it has not begun. */
const struct channels *core_state(const struct core *c);
/* Where the root stands, as VALUES tells it; its values are the caller's.  False: it has
 * no checkpoint yet. */
bool core_stands(const struct core *c, struct run_event *ev);
struct val core_waits(const struct core *c);         /* the caller drops it */

/* Of a task: its agent, the state it begins with, and an event in its step. */
struct task_spec core_task_spec(const struct core_task *t);  /* without defaults */
const struct channels *core_task_state(const struct core_task *t);
/* Its node is a sub-agent, whose output is all it writes. */
bool core_task_is_agent(const struct core_task *t);
struct run_event core_event(const struct core_task *t, enum event_kind kind);
struct run_event core_root_event(const struct core *c, enum event_kind kind);
struct val core_messages_of(const struct channel *def, struct val write);
/* Where a task is, for its transcript. */
struct transcript_place core_place(const struct core_task *t);
void event_task_make(struct event_task *x, const struct core_task *t);
void event_task_release(struct event_task *x);
#endif
