/*
 * run.h - runs on threads: starting, watching, cancelling, and what happens
 * in between.
 *
 * A run is one execution of an assistant's agent, a graph or a chart.  While it
 * is under way it lives on one shard, the home; its thread is homed there until
 * it is idle.  The directory (locked, touched once per request) tells where.
 *
 *            picked            done
 *   PENDING ---------> RUNNING ------> SUCCESS
 *      |                | |  \-------> ERROR      (model, limit, crash x 3)
 *      | cancel         | |
 *      v                v | crash
 *   INTERRUPTED <-------+ +----------> PENDING    (attempt + 1)
 *
 * INTERRUPTED: it was cancelled, or it waits for a person (thread interrupted).
 *
 * Order of things: receive, decide, persist, then tell.  The end of a run is
 * told to watchers after its last commit; earlier events may be told ahead of
 * theirs with durability async (default), after it with sync; exit commits
 * checkpoints once, at the end.
 *
 * A stateless run keeps nothing: no thread row, no run row, no commits.
 *
 * Threads: a struct runs belongs to one shard; calls are made there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include "base/json.h"
#include "llm/llm.h"
#include "net/sse.h"
#include "store/quota.h"
#include "store/store.h"
#include "tools/tools.h"

struct runs;                                 /* one a shard */
struct agent;                                /* agent/agent.h */
struct agents;
struct trace_at;
struct runs_shared;                          /* one a process: directory, agents */

/* Holds agents; the others must outlive it.  keep_partial: what a model had said
 * when its run was cancelled or failed stays in the thread. */
struct runs_shared *runs_shared_new(struct store *st, const struct tools *t,
    struct agents *agents, bool keep_partial);
void runs_shared_free(struct runs_shared *sh);
/* Do runs keep a transcript?  They do at first.  Before the shards run. */
void runs_shared_set_transcript(struct runs_shared *sh, bool on);
/* A run that takes so long is logged with what it waited for; 0: none is.  Before the shards
 * run. */
void runs_shared_set_slow(struct runs_shared *sh, msec ms);
/* Any thread: runs that begin from now on go by these, which are held.  Each shard
 * takes them in a turn of its own. */
void runs_shared_set_agents(struct runs_shared *sh, struct agents *agents);

/* The agents that a shard's runs begin with, and one of them (NULL: there is none);
 * good until the shard's next turn. */
const struct agents *runs_agents(const struct runs *rs);
const struct agent *runs_agent(const struct runs *rs, struct str graph_id);
/* The one that a thread would go on with: what it waits in, else the current one. */
const struct agent *runs_thread_agent(struct runs *rs, owner_t owner,
    const struct store_thread *t, struct str graph_id);

int  runs_new(struct runs **out, struct runs_shared *sh, struct shard *s,
    struct store_reader *reader, struct llm *l, struct err *e);
/* Lets tasks read pages of these hosts (task/http_get.c); both outlive rs. */
void runs_allow_http(struct runs *rs, struct client *c, struct str hosts, bool private);
/* Lets tasks ask MCP servers: those of agent files, and at these hosts those that
 * clients name; both outlive rs. */
struct mcp;
void runs_allow_mcp(struct runs *rs, struct mcp *m, struct str hosts);
/* Graphs, nodes and tools may be in workers, which take work from this desk; it outlives
 * rs. */
struct worker_desk;
void runs_allow_workers(struct runs *rs, struct worker_desk *d);
/* Nodes may be guests in a sandbox, of this desk's modules; it outlives rs. */
struct wasm_desk;
void runs_allow_wasm(struct runs *rs, struct wasm_desk *d);
/* Runs on this shard are traced; t outlives rs, and NULL is none. */
struct tracer;
void runs_trace(struct runs *rs, struct tracer *t);
struct tracer *runs_tracer(const struct runs *rs);
/* Runs on this shard may be agents, which send and receive messages; o outlives rs. */
struct office;
void runs_allow_mail(struct runs *rs, struct office *o);
/* A thread is gone: if it was an agent's, that ends. */
void runs_thread_deleted(struct runs *rs, const struct uuid *thread_id);
/* The same, when another node has deleted it; and who tells the others of those deleted here,
 * on the shard where it was.  Before the shards run. */
void runs_thread_gone(struct runs *rs, const struct uuid *thread_id);
void runs_shared_set_deleted(struct runs_shared *sh,
    void (*deleted)(void *ctx, const struct uuid *thread_id), void *ctx);
/* Does this process receive what other nodes delete?  Not at first; any thread. */
void runs_set_informed(struct runs *rs, bool yes);
/* The system's assistant of an agent. */
struct uuid runs_assistant_id(struct str graph_id);
/* Stops taking work; running runs are left for recovery (their rows say
 * running).  done runs when nothing is under way any more. */
void runs_drain(struct runs *rs, void (*done)(void *ctx), void *ctx);
void runs_free(struct runs *rs);

/* Of several nodes (cluster/node.h).  abandon: this one has lost its lease: nothing of runs
 * on threads is written or told any more, those who watch them get ERR_CLOSED, and none
 * begins until runs_resume. */
void runs_abandon(struct runs *rs);
/* Before the shards run: wrote(ctx, node) is called, on any shard, when something was
 * written that another node is to look at. */
void runs_shared_set_foreign(struct runs_shared *sh, void (*wrote)(void *ctx, int64_t node),
    void *ctx);
/* Before the shards run: holds(ctx), on any shard, says whether the lease is not over by now.
 * When it is, no task of a run on a thread begins any more, and runs_abandon follows; so it
 * does after gives_up(ctx): the store cannot be reached, and what a run needs of it is lost. */
void runs_shared_set_lease(struct runs_shared *sh, bool (*holds)(void *ctx),
    void (*gives_up)(void *ctx), void *ctx);
void runs_resume(struct runs *rs);
struct shard *runs_shard(const struct runs *rs);

/* Start-up: takes the pending runs of this thread (from store_recover). */
void runs_adopt(struct runs *rs, owner_t owner, int64_t thread_seq,
    const struct uuid *thread_id);

/* The same for what fell due while nobody served: from now on parked runs are
 * taken up in time, and messages to other servers go out (hook.h).  On each shard;
 * the first one does it for all. */
void runs_wake_due(struct runs *rs);

/* ---- stream modes -------------------------------------------------------- */

enum stream_mode {
	MODE_VALUES = 1, MODE_UPDATES = 2, MODE_MESSAGES_TUPLE = 4, MODE_MESSAGES = 8,
	MODE_CUSTOM = 16, MODE_TASKS = 32, MODE_CHECKPOINTS = 64, MODE_DEBUG = 128,
	MODE_TOOLS = 256, MODE_EVENTS = 512, MODE_LIFECYCLE = 1024,
	/* always delivered: */ MODE_META = 32768 /* metadata, error */
};
extern const char *const stream_mode_names[];    /* by bit; NULL-ended */

/* ---- watching ------------------------------------------------------------ */

/* The end of a run as a client sees it. */
struct run_end {
	enum run_status status;
	struct str values_json;              /* last values: {"messages":[...]} */
	struct str error_json;               /* {"error","message"}; empty if none */
	struct str interrupts_json;          /* [{id, value}]: what it waits for; or empty */
	struct llm_usage usage;              /* of all calls of models since it began, or
	                                        since it goes on after a crash */
	bool rolled_back;                    /* it was cancelled, and is gone */
};
/* As clients read it: a status, or rollback. */
const char *run_end_name(const struct run_end *end);

/* One reader of one run, embedded in the caller's own struct.  All callbacks
 * run on the watcher's shard. */
struct run_watch {
	unsigned modes;                      /* which frames; MODE_META comes anyway */
	const struct str *namespaces;        /* of these graphs only ("": the root), as */
	size_t namespaces_n;                 /* long as it watches; 0: of all */
	struct uuid after_checkpoint;        /* replay only what follows it, if it is
	                                        one of the run; zero: all */
	int64_t after;                       /* replay frames with a greater id;
	                                        -1: all; INT64_MAX: only new ones */
	bool cancel_on_gone;                 /* run_unwatch cancels the run; may be
	                                        changed until then */
	bool wants_events;                   /* false: only the end (wait, join) */
	bool wants_values;                   /* at the end, beside events; without events
	                                        they come anyway */
	/* The run exists (after the commit): ids are final.  Not for run_join. */
	void (*started)(struct run_watch *w, const struct uuid *thread_id,
	    const struct uuid *run_id);
	/* Frames, encoded; drop nothing, take a reference to keep it. */
	void (*frames)(struct run_watch *w, struct sse_block *b);
	/* The last call; rc != OK: it never began, or is not there (e says). */
	void (*end)(struct run_watch *w, int rc, const struct run_end *end,
	    const struct err *e);
	/* private */
	struct runs *runs;
	struct run_watch *next;
	struct uuid run_id;
	void *link;
};

/* ---- starting ------------------------------------------------------------ */

enum durability { DURABILITY_ASYNC, DURABILITY_SYNC, DURABILITY_EXIT };

/* What the api has checked and resolved.  Copied; `input` must live until
 * run_start returns. */
struct run_request {
	owner_t owner;
	const struct store_once *once;       /* its idempotency key; NULL: none */
	struct str subject;                  /* auth user id; empty without auth */
	struct uuid payer;                   /* whose tokens it takes, for a limit on them
	                                        (auth.h); zero: nobody's */
	struct store_quota quota;            /* what its caller's owner may have */
	bool stateless;
	bool keep;                           /* stateless, on_completion: keep */
	msec after;                          /* begins so long after it was made; 0: at
	                                        once */
	struct uuid thread_id;               /* given, unless stateless */
	bool create_thread;                  /* if_not_exists: create */
	struct store_assistant assistant;
	jnode input;                         /* object, or NULL: continue */
	jnode config, context, metadata;     /* of the request; NULL: none */
	struct str stamp_json;               /* over the metadata of a thread made for it;
	                                        or empty */
	struct trace_at *trace;              /* the span of the request, if it is traced (trace/at.h);
	                                        one without a trace gets that of the run */
	struct str headers_json;             /* {"x-...":..,"user-agent":..} for
	                                        configurable; "{}" */
	bool passing;                        /* the thread keeps neither its config nor
	                                        its metadata */
	jnode command;                       /* {resume, update, goto}; NULL: none */
	const struct uuid *questions;        /* that the command answers: created gets */
	size_t questions_n;                  /* ERR_CONFLICT unless each waits */
	jnode interrupt_before, interrupt_after;     /* "*" or an array; NULL: the
	                                        agent's own */
	bool subgraphs, strict_resume;
	struct uuid checkpoint;              /* to begin from; zero: the head */
	unsigned modes;                      /* asked stream modes */
	struct str modes_json;               /* as in the run's kwargs: ["values"] */
	bool resumable;
	struct str webhook;                  /* told when the run has ended; or empty */
	struct str push_json;                /* of a webhook of A2A: what is told; or empty */
	enum multitask multitask;
	enum durability durability;
	struct str tracer_project, tracer_example;   /* langsmith_tracer; p NULL: none */
	struct uuid times_out;               /* not zero: the server's own run that ends
	                                        this question, whose time is over */
	struct store_firing firing;          /* of the cron whose run it is */
	bool temporary;                      /* run_start's: the thread goes with the run */
};

/* The member of kwargs.config.configurable that has tracer_project. */
#define RUN_TRACER_PROJECT "langsmith_project"

/* Checks what can be checked without the store (input's messages, config's
 * values, the model) and gives ERR_INVALID at once with the path; else OK and
 * w gets `started` and the rest.  w == NULL with `created`: a background run;
 * created(ctx, rc, run, e) is called once its row is committed. */
int run_start(struct runs *rs, const struct run_request *q, struct run_watch *w,
    void (*created)(void *ctx, int rc, const struct store_run *run,
	const struct err *e), void *ctx, struct err *e);

/* Watches a run that exists, wherever it lives: live (replay from its ring),
 * finished (replay from the store if it was resumable, else just the end), or
 * stateless and live.  thread_id zero: any thread.  ERR_NOTFOUND comes by end. */
void run_join(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    const struct uuid *run_id, struct run_watch *w);

/* The client has left.  No callback follows. */
void run_unwatch(struct run_watch *w);

/* As clients see it: one that no worker has taken yet is pending.  Any shard. */
void run_shown(const struct runs *rs, owner_t owner, struct store_run *row);
/* The run of the thread that is shown so; zero: none.  Any shard. */
struct uuid run_shown_pending(const struct runs *rs, owner_t owner,
    const struct uuid *thread_id);
/* RUN_ROLLBACK: the run and all it wrote go.  why: which it shows then (copied).
 * done(ctx, rc): after the run's last commit, so what is told is kept; with RUN_SOON, if
 * its graph is in a worker, as soon as that is told.  ERR_NOTFOUND. */
enum { RUN_ROLLBACK = 1, RUN_SOON = 2 };
void run_cancel(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    const struct uuid *run_id, unsigned how, struct str why,
    void (*done)(void *ctx, int rc), void *ctx);

/* Told of each reader of a thread (listen.h, subscribe.h) that comes or leaves; elsewhere: is it
 * another node that has the thread's readers?  What falls due of such a thread is left to that
 * node.  Both on any thread; before the shards run. */
void runs_shared_on_listen(struct runs_shared *sh,
    void (*listened)(void *ctx, const struct uuid *thread_id, bool more),
    bool (*elsewhere)(void *ctx, const struct uuid *thread_id), void *ctx);

/* Has a shard of this process runs of the thread, is taking them, or reads it?  Any thread. */
bool runs_has_thread(const struct runs *rs, const struct uuid *thread_id);
bool runs_shared_has_thread(const struct runs_shared *sh, const struct uuid *thread_id);
/* It has the thread while a request may begin a run of it, until runs_let_thread; false: not,
 * for another node has its readers.  A node that tells of a reader and then asks for the
 * thread finds it here, or this is false. */
bool runs_keep_thread(struct runs *rs, const struct uuid *thread_id);
void runs_let_thread(struct runs *rs, const struct uuid *thread_id);
/* Is a run, or a run of the thread, under way in this process?  Of any owner; any thread. */
bool runs_has_run_of(const struct runs *rs, const struct uuid *thread_id);
bool runs_has_run(const struct runs *rs, const struct uuid *run_id);
bool runs_shared_has_run(const struct runs_shared *sh, const struct uuid *run_id);

/* A message (text, in the stored form) for the conversation of a run under way: the
 * next turn takes it.  ns: of the graph whose conversation it is; p NULL: whichever
 * talks.  done(ctx, rc) on this thread; OK: it is stored, a crash does not lose it.
 * ERR_NOTFOUND; ERR_CONFLICT: no conversation is under way; ERR_LIMIT: too many
 * wait. */
void run_inject(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    const struct uuid *run_id, struct str ns, struct str message_json,
    void (*done)(void *ctx, int rc), void *ctx);

/* The known setting that an unknown name is close to; NULL: the name is known,
 * or close to none. */
const char *setting_like(struct str name);

struct runs_stats {
	uint64_t live, pending, started, finished, failed, events;
	uint64_t calls, tokens_in, tokens_out, cost_nano;    /* of models */
};
void runs_stats(const struct runs *rs, struct runs_stats *out);  /* any thread */

#endif
