/*
 * hosted_priv.h - a run whose graph is in a worker: another process steps it, here it is
 * offered, told, saved and ended.
 *
 *   hosted.c          its life: offered, taken, lost, cancelled, ended
 *   hosted_graph.c    its namespaces that are open, and their tasks
 *   hosted_tell.c     the worker's events as events of the run: states, checkpoints
 *   hosted_task.c     the same of tasks, and questions
 *   hosted_message.c  the same of messages
 *   hosted_rows.c     what its saver puts, as changes of the store; what it gets
 *   hosted_save.c     calls of the saver: commit, then answer
 *   hosted_items.c    calls of the store of items
 *   hosted_wait.c     how many are in memory
 *
 * The worker is not trusted with more than its task: what it sends is checked, and what it
 * says of another thread or owner cannot be said.
 *
 * Events and saves come on different requests, so events may be late: a task that begins
 * names no checkpoint; it belongs to the last one that was told (mode `checkpoints`).
 *
 * Threads: the home shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_HOSTED_PRIV_H
#define RUN_HOSTED_PRIV_H

#include "run/hosted_rows.h"
#include "run/job_priv.h"
#include "worker/worker.h"

/* A task that was told to begin, or that a message names. */
struct hosted_task {
	struct hosted *hosted;
	struct hosted_task *next;            /* of its graph's step */
	struct hosted_graph *graph;          /* NULL: its step is over */
	unsigned refs;
	struct event_task shown;             /* texts below */
	char *name, *ns;
	bool told, ended, waits;
};

/* A namespace that is open. */
struct hosted_graph {
	struct hosted_graph *next;
	struct hosted *hosted;
	char *ns;
	struct uuid head, parent;            /* the checkpoint that was told last */
	int step;
	enum checkpoint_source source;
	bool shown;                          /* its first values were told */
	bool dirty;                          /* its tasks are not with the checkpoint yet */
	bool pointed;                        /* the checkpoint was told */
	bool stops;                          /* at a breakpoint */
	bool lives;                          /* told that it began (below the root) */
	struct hosted_task *tasks, **tasks_end;      /* of its step, as they began */
	size_t tasks_n, sends;
	/* of a task, told just before its end */
	char *update_node;
	struct val update;
	struct val complete;                 /* messages of the step: mode messages */
	struct val values;                   /* told last, if checkpoints are told; or UNDEF */
};

/* A message that was told, or is being, and whose task is not saved. */
struct hosted_said {
	struct hosted_said *next;
	struct hosted_task *task;
	struct event_model shown;            /* its texts below */
	char *id, *provider, *model;
	int step;
	struct buf text;                     /* inside of a JSON string */
	struct buf usage, response;          /* JSON of the last ones */
	bool ended;
};

/* Tasks of a step that is over, whose checkpoint has not come. */
struct hosted_late {
	struct hosted_late *next;
	struct uuid checkpoint;
	char *tasks;
};

/* What a task gave, until its writes are saved: else it gives something again. */
struct hosted_gave {
	struct hosted_gave *next;
	struct event_task task;              /* id and name */
	char *name, *ns;                     /* ns: of its graph */
	struct val result, error;
};

/* A question that the graph stops with, if it does. */
struct hosted_ask {
	struct hosted_ask *next;
	struct uuid id, task, checkpoint;
	char *ns;
	struct val value, schema;
};

struct hosted_held {                         /* a checkpoint that waits for its tasks */
	struct hosted_graph *graph;          /* NULL: none */
	struct val values;
	struct wheel_timer timer;
};

struct hosted {
	struct job *job;
	struct worker_offer offer;
	char *build, *prefer;
	struct buf members;
	unsigned losses;                     /* leases lost in a row without a step saved */
	bool taken;                          /* a worker has it */
	bool begun;                          /* of this or an earlier lease something is saved */
	bool progress;                       /* of this lease */
	bool cancelled;
	bool waits;                          /* the thread had questions as the run began */
	int64_t last;                        /* number of the lease's last event */
	struct worker_call *end;             /* of its END, until that is stored; or NULL */
	const char *end_how;                 /* of the log of attempts */
	struct hosted_graph *graphs;
	size_t graphs_n, tasks_n;            /* tasks of all */
	struct hosted_said *said;
	size_t said_n;
	struct hosted_ask *asks;
	struct hosted_late *late;
	struct hosted_gave *gave;
	size_t asks_n, late_n, gave_n;
	struct uuid saved[256];              /* tasks whose writes were saved last, a ring */
	size_t saved_n;                      /* all of them */
	struct hosted_held held;
	struct val values;                   /* the root's, told last */
	struct val asked;                    /* what it waits for, at its end */
	struct val given;                    /* its input, for mode messages; or UNDEF */
	struct val resume;                   /* of its command; or UNDEF */
	struct val pending, unknown;         /* ids that waited as it began, and of answers to
	                                        what did not; or UNDEF */
	struct hosted_answer { struct uuid id; struct val value; } *answers;
	size_t answers_n;                    /* of the command, until something is saved */
	struct hosted_lists lists;
	struct uuid puts[64];                /* checkpoints that were put or got last, a ring */
	size_t puts_n;                       /* all of them */
	size_t saving;                       /* commits under way */
	bool offers;                         /* as soon as none is */
	struct hosted_read *reads;           /* that wait for these */
	struct wheel_timer offer_again;
	struct wheel_timer shows;            /* saves what only shows */
};

void hosted_close(struct runs *rs);          /* of a shard */

/* ---- hosted_wait.c ----------------------------------------------------------------- */

/* Is a run that the store has given us of such a graph, and has to wait for its turn?  Then
 * its place is given back, and job_start comes later. */
bool hosted_waits(struct run *run, struct str graph_id);
void hosted_next(struct runs *rs);           /* one of them has ended: the next may begin */
/* It begins out of turn (to be cancelled); false: it does not wait. */
bool hosted_stops_waiting(struct run *run);
void hosted_turns_clear(struct runs *rs);    /* the shard drains */

void hosted_saved(struct hosted *h);         /* no commit is under way */

/* ---- hosted.c: for job.c -------------------------------------------------------- */

void hosted_start(struct job *j, const struct store_run *row);
void hosted_stop(struct job *j);             /* its lease ends, nothing comes back */
/* Asks the worker to stop; false: it is not with a worker, stop it yourself. */
bool hosted_cancel(struct job *j);
void hosted_release(struct job *j);
/* The run's end is stored (rc OK), or could not be stored as the worker said it. */
void hosted_ended(struct job *j, int rc, const struct err *e);
bool hosted_values(const struct job *j, struct buf *out);
struct val hosted_asked(const struct job *j);        /* borrowed; UNDEF: nothing */
/* Where the root stands, as core_stands. */
bool hosted_stands(const struct job *j, struct run_event *ev);

/* ---- hosted_tell.c ---------------------------------------------------------------- */

void hosted_events(struct hosted *h, struct worker_call *c);
void hosted_release_held(struct hosted *h);  /* tells what is held back */
void hosted_tell_life(struct hosted *h, const struct hosted_graph *g, enum event_life what,
    struct str error, struct str message);
struct run_event hosted_event(const struct hosted *h, const struct hosted_graph *g,
    enum event_kind kind);
/* Where a task is, for the run's transcript. */
struct note hosted_note(const struct hosted *h, const struct hosted_task *t);
/* A text, or nothing if it is none; borrowed. */
static inline struct str
hosted_text(struct val v)
{
	return v.kind == VAL_STRING ? val_str(v) : STR_NONE;
}
/* Its value, of any kind; the caller's. */
struct val hosted_val(jnode n);

bool hosted_wants(const struct hosted *h, const struct hosted_graph *g, enum event_kind kind);
void hosted_tell_task(struct hosted *h, struct hosted_task *t);      /* that it begins */
/* For mode messages, with the step's state. */
void hosted_add_message(struct hosted_graph *g, struct val message);

/* ---- hosted_task.c ----------------------------------------------------------------- */

#define HOSTED_INTERRUPT S("__interrupt__")  /* langgraph's word in updates and values */

int  hosted_on_task(struct hosted *h, struct hosted_graph *g, jnode data, struct err *e);
int  hosted_on_update(struct hosted *h, struct hosted_graph *g, jnode data, struct err *e);
/* An update whose task does not end is told by itself. */
void hosted_settle_update(struct hosted *h, struct hosted_graph *g);
void hosted_tell_waits(struct hosted *h);    /* the questions, from the deepest up */
/* x is committed: what its tasks gave is shown from now on. */
void hosted_gave_saved(struct hosted *h, const struct changes *x);
void hosted_gave_all(struct hosted *h);      /* whatever it was: the run ends */
void hosted_gave_free(struct hosted *h);

/* ---- hosted_graph.c ---------------------------------------------------------------- */

/* "" is the root; makes it.  NULL: too many. */
struct hosted_graph *hosted_graph(struct hosted *h, struct str ns);
struct hosted_graph *hosted_graph_find(const struct hosted *h, struct str ns);
void hosted_graph_free(struct hosted *h, struct hosted_graph *g);
void hosted_graphs_free(struct hosted *h);
void hosted_step_over(struct hosted_graph *g);       /* its tasks are the past's */
/* NULL: too many. */
struct hosted_task *hosted_task_new(struct hosted_graph *g, struct str name,
    const struct uuid *id);
void hosted_task_remove(struct hosted_graph *g, struct hosted_task *t);
struct hosted_task *hosted_task_find(const struct hosted_graph *g, const struct uuid *id);
void hosted_task_drop(struct hosted_task *t);
/* Tasks of graphs whose checkpoints are stored, as changes. */
void hosted_add_tasks(struct hosted *h, struct changes *x);
/* The step is over: its tasks are kept for a checkpoint that comes late. */
void hosted_keep_tasks(struct hosted *h, struct hosted_graph *g);
/* The tasks told for a checkpoint that is put now; or none.  Lies in a. */
struct str hosted_tasks_of(struct hosted *h, struct str ns, const struct uuid *checkpoint,
    struct arena *a);

/* ---- hosted_message.c ------------------------------------------------------------- */

int  hosted_message(struct hosted *h, struct str ns, jnode data, struct err *e);
/* What the task said has ended; result: what it gave. */
void hosted_said_end(struct hosted *h, const struct hosted_task *t, struct val result);
/* Everything that is said and not saved is void. */
void hosted_retract(struct hosted *h);
/* x is committed: what its tasks said stays. */
void hosted_said_saved(struct hosted *h, const struct changes *x);
void hosted_said_free(struct hosted *h);

/* ---- hosted_save.c ----------------------------------------------------------------- */

void hosted_saver(struct hosted *h, struct worker_call *c);
/* What clients see of a step that lasts is saved before its end. */
void hosted_show_later(struct hosted *h);
void hosted_reads_free(struct hosted *h);
/* At the end: the questions that wait, which the view has, as rows. */
void hosted_add_asks(struct hosted *h, jnode view, struct changes *x);
void hosted_asks_free(struct hosted *h);

/* ---- hosted_items.c ----------------------------------------------------------------- */

void hosted_items(struct hosted *h, struct worker_call *c);
/* The same of a task that is part of another run: a node's, a tool's. */
void hosted_items_of(struct run *run, struct worker_call *c);

#endif
