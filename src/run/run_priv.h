/*
 * run_priv.h - the room's inside: a shard's runs, one run, and its live part.
 *
 * Who does what
 *   core.c ...  decides (pure)          classic.c ...    encodes (pure)
 *   job.c       the live part: joins the core with the doors below
 *   host.c      what a task may reach   saved.c           rows, read back
 *   record.c    what goes to the store  stream.c         what goes to readers
 *   run.c       a run's life            start.c admit.c  how it begins
 *   join.c      joining                 cancel.c         cancelling
 *
 * A run is reference counted: one for being in rs->runs, one for every
 * command and tool call under way.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_RUN_PRIV_H
#define RUN_RUN_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/map.h"
#include "net/courier.h"
#include "run/config_priv.h"
#include "run/definition_priv.h"
#include "run/directory_priv.h"
#include "run/stream_priv.h"
#include "llm/embed.h"
#include "run/items.h"
#include "run/sweep.h"

#define THREAD_ARENA (4 * (size_t)LIMIT_STATE_BYTES)

struct hook_rules;
struct store_hook;
struct runs_shared {
	struct store *store;
	const struct tools *tools;
	struct task_host host, host_stateless;
	bool keep_partial;                   /* what a model had said stays */
	bool transcript;                     /* runs keep one */
	msec slow_ms;                        /* a longer one is logged; 0: none is */
	struct sweep_rule {                  /* 0: as the sweep's row says */
		msec every;
		int64_t limit;
	} sweeps[SWEEPS];
	struct items_rules items;
	size_t live_max;                     /* runs in memory, of all shards */
	struct directory *directory;
	void (*listened)(void *ctx, const struct uuid *thread_id, bool more);        /* or NULL */
	bool (*elsewhere)(void *ctx, const struct uuid *thread_id);  /* the same */
	void *listened_ctx;
	void (*foreign_wrote)(void *ctx, int64_t node);      /* NULL: nobody is told */
	void *foreign_ctx;
	bool (*lease_holds)(void *ctx);      /* NULL: there is none */
	void (*lease_gives_up)(void *ctx);   /* the same */
	void *lease_ctx;
	void (*deleted)(void *ctx, const struct uuid *thread_id);    /* the same */
	void *deleted_ctx;
	atomic_bool informed;                /* foreign_gone.c */
	atomic_uint outages;                 /* of that, that are over */
	atomic_uint shards;
	atomic_uint listeners;               /* to threads (ear.c) */
	pthread_mutex_t lock;                /* of what follows */
	struct agents *agents;               /* the newest; held */
	struct runs *at[LIMIT_SHARDS];
	const struct hook_rules *hook_rules; /* NULL: messages to other servers are off */
	void (*hook_run)(struct buf *b, const struct store_hook *h);
	atomic_bool hooks_used, hooks_asked; /* see hooks_expect, hooks_look */
	atomic_ullong hooks_delivered, hooks_failed, hooks_dropped;
};

struct create;
struct hooks;
struct hosted_sticky;
struct hosted_turn;

/* Waits for a place among the live runs: a run without a thread, or a thread
 * whose oldest run is to be taken. */
struct waiting {
	struct waiting *next;
	struct create *create;               /* NULL: a thread */
	owner_t owner;
	int64_t thread_seq;
	struct uuid thread_id;               /* pinned */
	bool wake;                           /* also a run that is parked */
	bool counted;                        /* of the sleeper's batch */
};

struct runs {
	struct runs_shared *sh;
	struct shard *shard;
	struct store_reader *reader;
	struct llm *llm;
	struct embedder *embedder;           /* NULL: items have no vectors */
	struct client *client;               /* of tasks; NULL: they may ask nobody */
	struct tracer *tracer;               /* NULL: no traces */
	struct str http_hosts;               /* whom they may */
	bool http_private;                   /* names with private addresses, too */
	struct mcp *mcp;                     /* NULL: no MCP servers */
	struct worker_desk *desk;            /* work for other processes; NULL: nobody takes any */
	struct wasm_desk *wasm;              /* guests in a sandbox; NULL: there are none */
	struct list updates;                 /* of states, by workers (hosted_update.c) */
	struct str mcp_hosts;                /* those that clients may name */
	struct hosted_sticky *sticky;        /* workers that had threads last; or NULL */
	size_t hosted;                       /* runs in memory whose graphs are in workers */
	struct hosted_turn *turns, **turns_end;      /* others that wait for their turn; turns
	                                        NULL: the end is not set */
	unsigned index;
	struct agents *agents;               /* the current ones; held */
	struct shard_job agents_job;         /* takes the newest */
	bool agents_come;                    /* it is posted; under sh->lock */
	struct definitions definitions;
	struct map runs;                     /* by run id */
	struct office *office;               /* NULL: no messages between agents */
	struct map mailers;                  /* by thread: agents that are runs (mail.c) */
	struct shorten *shortens;            /* being written (subscribe_short.c) */
	struct map ears;                     /* by thread and owner: readers (ear.c) */
	struct courier courier;
	size_t live, live_max;               /* max 0: a share of the process's */
	struct waiting *waiting, **waiting_end;
	struct wheel_timer again;            /* for threads that could not be taken */
	size_t busy;                         /* commands and calls under way */
	struct sleeper *sleeper;             /* of the process: shard 0's; or NULL */
	struct sweeper *sweeper;             /* the same */
	struct hooks *hooks;                 /* likewise */
	bool lost;                           /* no node: between runs_abandon and
	                                        runs_resume */
	struct foreign_desk *foreign;        /* watchers of other nodes' runs (foreign.c) */
	bool draining;
	void (*drained)(void *ctx);
	void *drained_ctx;
	struct {
		atomic_ullong live, pending, started, finished, failed, events;
		atomic_ullong calls, tokens_in, tokens_out, cost_nano;
	} stats;
};

/* To another shard, or in a later turn to the same one. */
static inline void
runs_send(struct runs *from, struct runs *to, struct parcel *p)
{
	courier_send(&from->courier, to->shard, to, p);
}

/* p, which is at *at, goes on to another shard, or to the same one in a later turn. */
static inline void
runs_forward(struct runs **at, struct runs *to, struct parcel *p,
    void (*open)(void *ctx, struct parcel *p))
{
	struct runs *from = *at;

	p->open = open;
	*at = to;
	runs_send(from, to, p);
}

enum phase {
	PHASE_NEW,           /* its row is being written */
	PHASE_PENDING,       /* waits for its turn */
	PHASE_LIVE,
	PHASE_ENDING,        /* its end is being written */
	PHASE_GONE           /* waits for its last reference */
};

/* Called when a background run exists. */
struct starter {
	void (*created)(void *ctx, int rc, const struct store_run *run,
	    const struct err *e);
	void *ctx;
	struct runs *away;                   /* their shard */
};

struct cancel;
struct job;
struct ending;
struct voice;

#define RUN_WHY 96

struct run {
	struct place place;
	struct runs *rs;
	unsigned refs;
	enum phase phase;
	bool stateless;
	struct uuid payer;                   /* of a stateless one; others have it in
	                                        their rows */
	bool placed;                         /* counted in rs->live */
	bool cancel;                         /* to be stopped as soon as it lives */
	bool rollback;                       /* and then taken back */
	bool woken;                          /* it goes on where it was parked */
	bool parked;                         /* its row may say that it is parked */
	struct wheel_timer held_look;        /* held: is it still nobody's? */
	bool announced;                      /* its thread, as one that is read here */
	bool held;                           /* pending until its time has come: it need
	                                        not be in memory */
	unsigned submits;                    /* commands of it so far */
	char why[RUN_WHY];                   /* NUL-ended; "": nobody cancelled it */
	int64_t seq, thread_seq, attempt;
	struct stream stream;
	bool taped;                          /* some of its events are in the store */
	struct starter starter;
	struct ending *ending;               /* its end waits to be tried again */
	struct ending *written;              /* or for its stream to be written */
	unsigned appends;                    /* of its stream, under way */
	struct inject *injects;                /* messages that wait until it is awake */
	bool wakes;                            /* it is parked, and is taken up */
	struct cancel *cancels;                /* cancellations that wait for the end */
	struct voice *voice;                 /* tells readers of its thread (subscribe.c) */
	msec ended;                          /* as its row says */
	struct job *job;                     /* while it lives */
};

/* ---- record.c ------------------------------------------------------------ */

/* Submits changes of the run beside the job's; taken.  Not lazily. */
struct changes;
void record_these(struct run *run, struct changes *x);
/* Submits the job's changes.  then: called when they are committed; NULL: lazily. */
void record_changes(struct run *run, void (*then)(struct run *run));
void record_stream(struct run *run);         /* what is fresh in its stream */
void record_stream_later(struct run *run);
/* The same, not lazily, and what waits for it (stream_wait) is told then. */
void record_stream_awaited(struct run *run);
/* The end; calls run_ended.  What cannot be written is tried again until it is,
 * or until the shard drains.  after: the thread's status if nothing follows. */
void record_finish(struct run *run, enum run_status status,
    enum thread_status after, struct str error_json);
/* Drops an end that waits to be tried again; false: there is none. */
bool record_give_up(struct run *run);

/* Every command of a run goes through here: counts and holds. */
int  run_submit(struct run *run, struct store_cmd *c);
void run_returned(struct run *run);          /* first thing in its `done` */

/* ---- job.c --------------------------------------------------------------- */

/* Starts a run that the store says is ours; row's texts are borrowed.  plan is
 * taken; NULL: read it from the row.  d NULL: by the row's hash. */
void job_start(struct run *run, const struct store_run *row, struct plan *plan,
    const struct definition *d, bool has_checkpoints);
/* Stops it: nothing of it comes back after this. */
void job_stop(struct run *run);
void job_cancel(struct run *run);            /* the same, by a client */
void job_free(struct job *j);
/* Drops events that no reader has yet: they are no longer true. */
void job_tell_lost(struct run *run);
/* Its values for waiters for its end; false: it has none. */
bool job_values(const struct job *j, struct buf *out);
/* Of its end: the questions that wait, nothing when there are none, and what its
 * calls of models took. */
void job_outcome(const struct job *j, struct buf *waits, struct llm_usage *usage);

/* ---- sleep.c -------------------------------------------------------------- */

/* Nobody watches it any more, or something of it is done: it may be time to leave
 * memory. */
void job_look(struct job *j);
/* A parked run falls due then; any shard. */
void sleep_note(struct runs *rs, msec due);
/* The same of questions with a time limit, when they are written. */
void sleep_asked(struct runs *rs, const struct store_changes *x);
/* One of a batch of those that fell due is in memory, or need not be. */
void sleep_woken(struct runs *rs, bool ok);
/* The shard drains: what of the run is asleep is kept as parked.  Is it? */
bool sleep_drain(struct run *run);
void sleep_tell_cut(size_t n);
void sleep_close(struct runs *rs);
/* One of a batch, on the sleeper's shard: a question whose time is over; then
 * sleep_woken (timeout.c). */
void ask_times_out(struct runs *rs, const struct store_due *d);
/* The same: a cron fires, on the shard `to` (cron.c). */
void cron_fires(struct runs *rs, struct runs *to, const struct store_due *d);

/* ---- sweep.c -------------------------------------------------------------- */

/* No pass begins any more; one under way ends. */
void sweep_drain(struct runs *rs);
void sweep_close(struct runs *rs);

/* ---- run.c --------------------------------------------------------------- */

struct run *run_new(const struct uuid *run_id, const struct uuid *thread_id,
    owner_t owner);
struct run *run_find(const struct runs *rs, const struct uuid *run_id);
struct run *run_hold(struct run *run);
void run_drop(struct run *run);
void run_set_phase(struct run *run, enum phase phase);
void run_stop(struct run *run);              /* cancel, whatever its phase */
/* Its last commit is done (rc OK), or could not be made.  next: the run that
 * the store took in its place. */
void run_ended(struct run *run, int rc, enum run_status status,
    struct str error_json, const struct store_run *next, const struct err *e);
/* It is parked: nothing of it stays. */
void run_left(struct run *run);
/* It is held: its thread has no node, so others send requests about it here while somebody
 * here may watch it.  It has its place. */
void run_set_held(struct run *run);
/* In the store: it has ended, or its thread is another node's. */
bool run_is_taken(const struct run *run);
/* The same of one that is held, if nobody watches it. */
void run_let_go(struct run *run);
/* Another node has it, or will have: nothing of it is written or told any more. */
void run_abandon(struct run *run);
/* Has a command of the run come back to a node that the run is not of any more?  So has one
 * for which the store could not be reached: the lease is given up then, and rc becomes
 * ERR_CANCELLED.  The run goes on from what is stored, at this node or another; nothing more
 * is told of it here, and it is abandoned now or soon. */
bool run_is_fenced(const struct run *run, struct store_cmd *cmd);
/* The same of a read that ended with rc. */
bool run_is_unread(const struct run *run, int rc);
/* The same of one that is pending, whose watchers follow it there. */
void run_moved(struct run *run);
/* Its end is not written yet and may not be for long: those who wait for it
 * are told so, and the run stays. */
void run_tell_unwritten(struct run *run, int rc, const struct err *e);
void runs_busy(struct runs *rs, int change);
void runs_count_usage(struct runs *rs, const struct llm_usage *u);

/* ---- admit.c ------------------------------------------------------------- */

size_t admit_share(const struct runs *rs);   /* places of the shard */
/* A place among the live runs; false: there is none now. */
bool admit_take(struct runs *rs);
void admit_leave(struct runs *rs);           /* and lets the next ones in */
void admit_wait(struct runs *rs, const struct waiting *w);
void admit_clear(struct runs *rs);
/* Threads wait no more; runs without one do. */
void admit_abandon(struct runs *rs);
void admit_resume(struct runs *rs);
/* Takes the oldest pending run, or the one that is parked, of a thread that is
 * pinned here; unpins it. */
void admit_thread(struct runs *rs, const struct waiting *w);
/* A run the store made RUNNING for us goes on here. */
void admit_taken(struct runs *rs, owner_t owner, const struct store_run *row,
    bool placed, bool woken);
/* A run that should run and that nobody runs is brought here: pending or parked. */
void admit_large(struct runs *rs, owner_t owner, const struct store_run *row);

/* ---- start.c ------------------------------------------------------------- */

void create_begin(struct create *c);         /* a waiting run's place is free */
void create_drop(struct create *c);
struct run *create_run(const struct create *c);

/* resume.c: are these answers to what waits on the thread?  ERR_INVALID with words;
 * answers to other interrupts pass, because the run decides about them. */
int resume_check(struct runs *rs, owner_t owner, int64_t thread_seq, jnode resume,
    struct err *e);

/* ---- join.c, cancel.c ----------------------------------------------------- */

/* Where a run is, seen from a shard. */
enum whereabouts {
	AT_HOME,             /* on the shard *home */
	AT_REST,             /* it has ended; *row tells */
	AT_LARGE,            /* should run, and nobody runs it; *row tells */
	AT_FOREIGN,          /* another node has its thread; *row tells */
	AT_NONE              /* no such run (rc says) */
};
enum whereabouts run_locate(struct runs *rs, owner_t owner,
    const struct uuid *thread_id, const struct uuid *run_id, struct arena *a,
    struct runs **home, struct store_run *row, int *rc);

/* The run on this shard.  A run that is pending in the store, of a thread whose
 * home is here, gets its struct now; its row follows.  NULL: not here. */
struct run *run_expect(struct runs *here, owner_t owner,
    const struct uuid *run_id);

/* inject.c: messages that wait until the run's tasks are there. */
void inject_look(struct run *run);
void inject_refuse(struct run *run);         /* it goes */

/* A watcher whose run may live on another shard. */
struct bridge;

struct bridge *bridge_new(struct runs *away, struct runs *home, owner_t owner,
    struct run_watch *w);
/* At home: the watcher now follows the run. */
void bridge_attach(struct bridge *r, struct run *run);

/* A watcher that no run has any more asks again where its run is. */
void bridge_again(struct run_watch *w, struct runs *home, owner_t owner);
/* foreign.c calls these: has the watcher left?  It asks again where its run is; it gets
 * what is stored, or the end too. */
bool bridge_is_gone(const struct bridge *r);
void bridge_free(struct bridge *r);
void bridge_route(struct bridge *r);
bool bridge_replay(struct bridge *r, const struct store_run *row);
void bridge_rest(struct bridge *r, const struct store_run *row);
void bridge_end(struct bridge *r, int rc, const struct run_end *end,
    const struct err *e);
struct run_watch *bridge_watch(const struct bridge *r);

/* foreign.c: follows a run of another node by what that one stores; r is taken. */
void foreign_follow(struct runs *rs, struct bridge *r, owner_t owner,
    const struct store_run *row);
void foreign_open(struct runs *rs);
void foreign_close(struct runs *rs);
void foreign_drain(struct runs *rs);         /* ends all */
uint64_t foreign_queries(const struct runs *rs);     /* so far, for what is read here */
/* A thread is read here that was not. */
void foreign_read_thread(struct runs *rs);
void foreign_tell(struct runs *rs, int64_t node);    /* something is written for it */

/* Ends a watcher; it is not touched after. */
void watch_end(struct run_watch *w, int rc, const struct run_end *end,
    const struct err *e);
/* The thread's messages as values, from the store. */
void thread_values(struct runs *rs, owner_t owner, int64_t thread_seq,
    struct buf *out);
/* The same at a checkpoint; zero: the newest. */
void thread_values_at(struct runs *rs, owner_t owner, int64_t thread_seq,
    const struct uuid *id, struct buf *out);

struct cancel;
void cancel_finish(struct cancel *o, int rc);
struct cancel *cancel_next(struct cancel *o);
void cancel_link(struct cancel *o, struct cancel *next);
bool cancel_is_soon(const struct cancel *o); /* it need not wait for the run's end */
/* run_cancel for which nobody waits. */
void run_cancel_async(struct runs *rs, const struct uuid *run_id, owner_t owner);

#endif
