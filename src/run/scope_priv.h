/*
 * scope_priv.h - the inside of the core: one namespace of a run.
 *
 * Who does what
 *   core.c     a run: how it begins, what it is asked, how it ends
 *   scope.c    a namespace: its steps, checkpoints, children, its end
 *   tasks.c    the tasks of a step
 *   tell.c     what a namespace tells
 *   statechart.c  a namespace whose agent is a chart
 *   barrier.c  the graph's step: edges as a task ends, writes after the last
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_SCOPE_PRIV_H
#define RUN_SCOPE_PRIV_H

#include "run/core_priv.h"

/* An answer of this run's command, on its way to the task that asked. */
struct given {
	const struct core_interrupt *from;   /* until the run has begun */
	struct uuid task;
	char *key;
	struct val value;
};

struct core {
	const struct agent *agent;
	const struct core_request *q;
	const struct core_effects *fx;
	void *ctx;
	struct scope *root;
	struct given *given;
	size_t given_n;
	bool afresh;                         /* time travel: what was done of the chosen
	                                        step does not count, nor its children */
	bool forked;                         /* began at a chosen checkpoint, not the head */
	bool marked;                         /* an earlier attempt has begun in the step, and
	                                        has taken the command */
	size_t charts;                       /* namespaces that are charts */
	size_t walls;                        /* namespaces with a budget of time */
	struct scope *kept;                  /* children that keep their state: theirs is
	                                        not in the store yet, perhaps */
	size_t waits;                        /* questions that this run has asked */
	bool over;
};

struct scope {
	/* what every event of it says: one line of memory */
	struct core *core;
	char *ns;
	size_t ns_n;
	struct uuid head;                    /* its newest checkpoint */
	int step;                            /* of it; -2: none */
	struct scope *up;                    /* the parent's scope; NULL: the root */
	struct core_task *parent;            /* the task that called; NULL: the root */
	struct task_child *call;
	struct scope *next;                  /* of the same task */
	const struct agent *agent;
	struct graph *def;                   /* with the names of this run */
	bool def_mine;
	struct graph_state *graph;
	struct chart_stepper *chart;         /* in place of both: the agent is a chart */
	bool started;                        /* it has taken its input */
	bool told;                           /* where it stands, before it was parked */
	bool quiet;                          /* an answer that nothing takes is not told */
	const struct core_saved *saved;      /* while it is restored */
	struct channels *state;
	struct val before;                   /* of a child: its state as it began; UNDEF:
	                                        to be looked up */
	struct uuid parent_id;               /* the checkpoint before head */
	struct uuid stored;                  /* the newest that was given to be stored */
	bool unsaved;                        /* head is not (durability exit) */
	enum checkpoint_source source;       /* of the newest */
	int64_t begun;                       /* the step from which the run goes on here */
	int64_t stop;                        /* no step past it */
	struct core_task **tasks;
	size_t tasks_n;
	size_t open;                         /* tasks whose work is under way */
	bool changed;                        /* a channel, since the run was resumed */
	bool over;
	struct task_limits limits;           /* of the agent and those around it */
	struct budget *budget;               /* NULL: nobody counts what is spent here */
	char event[32];                      /* error.budget.KIND that it fails with; "": it
	                                        is error.execution */
};

/* ---- scope.c ---------------------------------------------------------------- */

/* NULL: names of nodes cannot be made. */
struct scope *scope_new(struct core *c, const struct agent *a, struct str ns,
    struct err *e);
void scope_free(struct scope *s);
/* A child that keeps its state, as this run has left it, or NULL; taken. */
struct scope *scope_kept(struct core *c, const struct task_child *call, struct str ns);
/* Its state and position as they were saved.  ERR_INVALID: it cannot go on. */
int  scope_restore(struct scope *s, const struct core_saved *saved, struct err *e);
/* From the input, an object; what stood there is dropped. */
void scope_begin(struct scope *s, struct val input);
/* From where it stands: tasks of `saved` that are done are not run again.  input:
 * for one that was stopped before it took it. */
void scope_resume(struct scope *s, const struct core_saved *saved, struct val input);
/* A checkpoint of where it stands, and the tasks that come next.  wrote: the lone
 * task of the step, or NULL. */
void scope_checkpoint(struct scope *s, enum checkpoint_source source,
    const struct core_task *wrote);
void scope_save(struct scope *s);
/* After a checkpoint: the next step, or the end.  The scope may be gone. */
void scope_go_on(struct scope *s);
void scope_step_end(struct scope *s);
void scope_fail(struct scope *s, struct str name, struct str message,
    struct core_task *task);
void scope_stop(struct scope *s);            /* its work, and its children's */
void scope_done(struct scope *s);            /* the scope may be gone after these two */
void scope_wait(struct scope *s, bool breakpoint);
/* Past its recursion limit it fails. */
bool scope_out_of_steps(struct scope *s);
/* Does a breakpoint hold before (or after) one of these? */
bool scope_stopped(const struct scope *s, struct core_task *const *tasks, size_t n,
    bool before);
bool scope_begin_tasks(struct scope *s);     /* those that come next; false: none */
struct uuid scope_task_id(const struct scope *s, struct str name, bool push,
    unsigned index);
struct str scope_task_ns(const struct scope *s, struct str name, const struct uuid *id);

/* ---- tasks.c ----------------------------------------------------------------- */

void scope_prepare(struct scope *s);         /* the tasks that come next */
void core_add_write(struct core_task *t, struct str name, struct val value); /* taken */
void core_task_free(struct core_task *t);
void tasks_free(struct scope *s);
void tasks_drop(struct scope *s, size_t room);       /* those of the step; room for others */

/* ---- tell.c: events, if a reader wants them -------------------------------------- */

/* The event's place: namespace, step, checkpoint. */
struct run_event scope_event(const struct scope *s, enum event_kind kind);
void scope_tell_state(struct scope *s, enum event_kind kind);        /* INPUT, VALUES */
/* Messages that the step brought, as they were written. */
void scope_tell_complete(struct scope *s, struct core_task *const *done, size_t n);
void scope_tell_task(struct core_task *t);
void scope_tell_result(struct core_task *t, struct val error);
void scope_tell_interrupt(struct scope *s, struct val shown);
void scope_tell_checkpoint(struct scope *s);
/* A run resumes by ids; it answers what does not wait (ids), beside these questions. */
void core_tell_answered(struct core *c);
void core_tell_refused(struct core *c, struct val unknown, struct val pending);
void scope_tell_lifecycle(const struct scope *s, enum event_life what,
    struct str error, struct str message);
/* {"": root's checkpoint, "a:id": ...} of the scopes above. */
struct val scope_parents(const struct scope *s);

/* ---- barrier.c --------------------------------------------------------------- */

/* What a task's work wrote, and then its edges, become its writes. */
int  barrier_route(struct core_task *t, const struct task_write *w, size_t n,
    struct val result, struct err *e);
/* The same for the input's task: undeclared channels are dropped. */
int  barrier_input(struct core_task *t, struct val input, struct err *e);
/* The same for what a client writes in a node's name; last: then its edges. */
int  barrier_values(struct core_task *t, struct val values, bool last, struct err *e);
/* Applies the writes of the step's tasks.  *wrote: did a channel get any?
 * *task: whose write was refused.  instead: the tasks are a client's, in
 * place of those that were to come next. */
int  barrier_apply(struct scope *s, bool instead, bool *wrote, struct core_task **task,
    struct err *e);
/* Writes and jumps of a client's command, beside what comes next.  all: gets them
 * as names and values; the caller drops the values. */
int  barrier_command(struct scope *s, const struct core_request *q,
    struct core_name_value **all, size_t *n, struct err *e);
/* The same, kept from an earlier run or attempt. */
int  barrier_carried(struct scope *s, const struct core_saved *saved, struct err *e);

/* ---- statechart.c: the same of a chart --------------------------------------------- */

void chart_open(struct scope *s);
int  chart_restore(struct scope *s, const struct core_saved *saved, struct err *e);
void chart_save(const struct scope *s, struct buf *out);
void chart_prepare(struct scope *s);         /* ids of tasks that have none yet */
void chart_fill(struct scope *s);            /* its data from the channels */
void chart_fork(struct scope *s);            /* its tasks begin anew, under new ids */
void chart_expect_input(struct scope *s);
void chart_start(struct scope *s, struct core_task *input);
void chart_go_on(struct scope *s);
msec chart_due(const struct scope *s);       /* its first delayed event */
void chart_fire(struct scope *s);            /* delivers it; the scope may be gone */
void chart_task_done(struct core_task *t, struct val result);
void chart_task_failed(struct core_task *t, const struct task_error *why);

/* Does it wait for a message of another agent, and nothing else? */
bool chart_listens(const struct scope *s);
void chart_hear(struct scope *s);            /* after stepper_event; the scope may be gone */

/* A state's work (all: all of it) is stopped, and gets error.budget.wall. */
void chart_wall(struct scope *s, unsigned state, bool all, struct str words);

/* ---- budget.c: counters of the scope and of a chart's states -------------------- */

void budget_open(struct scope *s);           /* if somebody counts, once `up` is set */
void budget_close(struct scope *s);
void budget_begin(struct scope *s);          /* from zero */
void budget_entries(struct scope *s);        /* after a macrostep: states entered */
void budget_task_ends(struct core_task *t);  /* what it spent stays, whatever its end */
/* In a snapshot, a JSON object: appends, or reads. */
void budget_save(const struct scope *s, struct buf *snapshot);
void budget_restore(struct scope *s, const struct core_saved *saved);
/* A child goes on: its caller counts what it spent before. */
void budget_tell_up(struct scope *s);
/* What a task spent, as a pending write. */
void budget_add_write(struct core_task *t);
bool budget_take_write(struct core_task *t, const struct core_name_value *w);
/* A failure's event, which the caller of a child gets if it is of a budget. */
void budget_note_event(struct scope *s, struct str event);
msec budget_due(const struct scope *s);      /* when a time is over */
void budget_fire(struct scope *s);           /* it is; the scope may be gone */

/* ---- show.c: values as they are told ------------------------------------------- */

struct val core_find_before(const struct scope *s);  /* the caller drops it */
void core_output(const struct scope *s, struct val *output, struct val *added);
struct val core_join(struct val list, struct val more);      /* list is taken */
struct val core_join_take(struct val list, struct val item);
struct val core_add_messages(const struct scope *s, struct val all,
    const struct core_name_value *w);
void core_set_update(struct core_task *t);   /* from its writes */
struct uuid core_interrupt_id(const struct core_task *t, struct str key);
struct val core_show_interrupt(const struct core_interrupt *i);      /* {id, value} */

/* ---- core.c ------------------------------------------------------------------- */

void core_end(struct core *c, enum core_end end, const struct core_error *error);
/* A jump to a node as a control write; input UNDEF: no send.  *value is owned by
 * the caller; channel lives as long as the buffer. */
int  core_jump(struct scope *s, struct str name, struct val input, struct buf *channel,
    struct val *value, struct err *e);
void core_add_answer(struct core_task *t, struct str key, struct val value);
void core_copy_records(struct core_task *t, const struct core_saved_task *x);

#endif
