/*
 * job_priv.h - a run while it lives: joins the core's decisions with tasks, the
 * store and the readers.
 *
 *   job.c     the core's effects; beginning, pumping, ending
 *   job_tell.c  what it tells
 *   job_note.c  what its transcript keeps; job_told.c: what readers have seen
 *   job_trace.c  what a collector of traces is told
 *   host.c    what a task may reach (struct task_host); host_work.c: the
 *             tracker; host_store.c: items; host_http.c: pages of the web;
 *             host_peer.c: other agents;
 *             host_spend.c: budgets
 *
 * Tasks that the core begins wait in a list and are started by the pump, outside
 * of the core; what has ended is freed there too.  With durability sync the pump
 * waits until what was decided is committed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_JOB_PRIV_H
#define RUN_JOB_PRIV_H

#include "run/changes_priv.h"
#include "run/classic.h"
#include "run/note.h"
#include "run/saved_priv.h"
#include "run/run_priv.h"
#include "run/tape_priv.h"
#include "run/trace_priv.h"

/* Messages of clients that wait for the next task of their namespace. */
struct left {
	struct left *next;
	char *ns;
	struct val list;
};

/* n: under way; since: the first of them began. */
struct job_busy { unsigned n; nsec since, total; };

struct job {
	struct run *run;
	struct definition definition;
	struct plan *plan;
	struct core *core;                   /* NULL: it has not begun, or a worker runs it */
	struct hosted *hosted;               /* a worker runs it (hosted_priv.h); or NULL */
	struct classic wire;
	struct tape_past *past;              /* what earlier attempts have told; or NULL */
	struct buf members, task_members, configurable;      /* texts of its frames */
	struct changes changes;              /* decided and not handed to the store */
	struct transcript transcript;        /* on: it is kept */
	struct core_saved *waiting;          /* interrupts, for the core */
	struct job_task *tasks;              /* under way */
	struct job_task *ready, **ready_end; /* to be started */
	struct job_task *dead;               /* to be freed */
	bool pumping;
	bool holding;                        /* waits for a commit (durability sync) */
	bool over;                           /* its end is on the way */
	bool broken;                         /* a step could not be written */
	bool unread;                         /* what it was to read could not be reached */
	bool has_checkpoints;
	uint32_t streams;                    /* answers of models so far */
	struct left *left;                   /* what clients have put in and no task has
	                                        taken, by namespace */
	struct buf told;                     /* such ids, each between line ends */
	char *actor;                         /* who its tools act as */
	struct uuid assistant_id;
	nsec started;                        /* of this attempt */
	struct llm_usage usage;              /* of its calls so far */
	struct wheel_timer flush;            /* of a resumable stream */
	struct wheel_timer due;              /* of a chart's delayed event */
	msec due_at;                         /* CORE_NEVER: there is none */
	struct wheel_timer park;             /* looks whether the run may leave memory */
	bool parking;                        /* that is being written */
	bool asleep;                         /* something of it waits for long */
	struct job_trace trace;
	struct job_busy models, tools, commits;      /* what it waits for (job_slow.c) */
};

struct answer;
struct hosted;

/* job_slow.c: how long at least one of a kind was under way. */
void busy_enter(const struct job *j, struct job_busy *b);
void busy_leave(const struct job *j, struct job_busy *b);
/* It is stored that it has ended: for the log, and a collector of traces. */
void job_ended(struct run *run, enum run_status status, struct str error_json);

/* A task under way. */
struct job_task {
	struct job *job;
	struct core_task *core;              /* NULL once it has ended */
	struct task *task;
	struct event_task shown;
	struct answer *asks;                 /* of a model that is about to be asked */
	char **streamed;                     /* ids of messages that were streamed */
	size_t streamed_n;
	struct val inbox;                    /* from a task before it; or UNDEF */
	struct answer *answer;               /* the newest that is not whole; or NULL */
	uint64_t span, step;                 /* of a trace; 0: none */
	nsec began;
	struct trace_tool *tools;
	struct trace_alone *alone;
	struct job_task *next;
};

/* job_note.c: the transcript. */
void job_note_begin(struct job *j, const struct store_run *row);
struct note job_note(struct job *j);
struct note job_task_note(const struct job_task *t);
void job_note_node(const struct job_task *t, enum transcript_kind kind);
void job_note_checkpoint(struct job *j, const struct core_checkpoint *c);
void job_note_interrupt(struct job *j, const struct core_task *t,
    const struct core_interrupt *i);
void job_note_breakpoint(struct job *j, const struct run_event *ev);
void job_note_error(struct job *j, struct str name, struct str message);
void job_note_timer(struct job *j);
/* Of struct core_effects. */
void job_note_path(void *ctx, struct str ns, const struct chart *c,
    const struct effect *f);

extern const struct task_host job_host, job_host_stateless;

/* host_work.c: of struct task_host. */
void host_work(void *ctx, struct str operation, struct str args_json, struct str once,
    tool_done *done, void *arg);
/* host_spend.c */
bool host_may_spend(void *ctx, const struct task_cost *about, struct task_refusal *why);
void host_spent(void *ctx, const struct task_cost *c);
int64_t host_tokens_left(void *ctx);
void host_billed(void *ctx, const struct llm_usage *u, struct str model);
void job_billed(struct job *j, const struct llm_usage *u, struct str model);
/* host_peer.c */
void host_peer(void *ctx, struct task_peer *p);
void host_peer_forget(void *ctx, struct task_peer *p);
/* host_store.c */
void host_store(void *ctx, struct task_store *s);
void host_store_stop(void *ctx, struct task_store *s);
/* host_post.c */
void host_post(void *ctx, struct str key, struct str json, const struct task_event *ev,
    size_t n, bool again);
/* host.c: may it be a message's id?  Ids are written into frames and messages unescaped. */
bool job_id_is_plain(struct str id);
/* messages that were not streamed: each whole, once. */
void host_tell_messages(struct job_task *t, const struct task_write *w, size_t n);
/* inject.c: what clients put in goes from a task that ends to the next one. */
void inject_leave(struct job_task *t);       /* before it is closed */
void inject_hand_on(struct job_task *t);     /* it is about to begin */
void inject_give(struct job_task *t);        /* it is made */
void inject_release(struct job *j);
/* host_worker.c */
void host_worker(void *ctx, struct task_worker *w);
void host_worker_go(void *ctx, struct task_worker *w);
void host_worker_stop(void *ctx, struct task_worker *w);
bool host_worker_there(void *ctx, const struct task_worker *w);
bool host_worker_tool(void *ctx, struct str name, struct arena *a,
    struct task_worker_facts *out);
/* host_wasm.c */
void host_wasm(void *ctx, struct task_wasm *w);
void host_wasm_answer(void *ctx, struct task_wasm *w, int32_t rc, struct str body);
void host_wasm_stop(void *ctx, struct task_wasm *w);
/* host_mcp.c */
void host_mcp_list(void *ctx, struct task_mcp *m);
void host_mcp_call(void *ctx, struct task_mcp *m);
void host_mcp_stop(void *ctx, struct task_mcp *m);
/* host_http.c */
void host_http(void *ctx, struct task_http *h);
void host_http_stop(void *ctx, struct task_http *h);
struct str host_http_hosts(void *ctx);

/* job_tell.c: an event; one of a task. */
void job_tell_event(struct job *j, struct run_event *ev);
void job_tell(struct job_task *t, struct run_event *ev);
/* Does any reader want such events, of the root or of a graph below it? */
bool job_wants(const struct job *j, enum event_kind kind, bool root);
/* It has failed: what is under way was stopped by the caller. */
void job_end_failed(struct job *j, struct str name, struct str message);
/* Are its states what its checkpoints have? */
bool job_refers(const struct job *j);
/* Is anything of these modes told? */
bool job_tells(const struct job *j, unsigned modes);
/* Channels that clients see, for those who read a state from the store: an array of
 * [name, what it is before it is written].  The caller's. */
struct val job_channels(const struct agent *a);
/* Somebody reads the thread: from now on all that the run tells is kept. */
void job_keep_all(struct job *j);
struct run_event job_event(const struct job_task *t, enum event_kind kind);
void job_tell_begin(struct job *j, const struct store_run *row);
void job_tell_error(struct job *j, struct str name, struct str message);
void job_retract(struct job_task *t);
/* The id that the task's next message had in an attempt that is gone; or none. */
struct str job_id_again(struct job_task *t);
/* Ids of messages that readers have seen: what a sub-agent has told is not told
 * again when it is its parent's. */
bool job_was_told(const struct job *j, struct str id);
void job_note_told(struct job *j, const struct run_event *ev, struct str id);
void job_pump(struct job *j);
void job_pump_of(struct run *run);           /* of its job, if it still has one */
void job_pump_drop(struct run *held);        /* the same, and drops the caller's reference */
void job_set_due(struct job *j);             /* job_due.c: the timer of its charts */
/* What its model had said when it was cut off; UNDEF: nothing that is kept. */
struct val job_partial(const struct job_task *t);
void job_answer_free(struct job_task *t);
/* sleep.c: something of it waits for long. */
void job_sleeps(struct job *j);
/* A task's attempt is over: it is freed when nothing is inside it. */
void job_task_close(struct job_task *t);
/* What cannot be recorded ends the run. */
void job_fail_broken(struct job *j);

#endif
