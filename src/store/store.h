/*
 * store.h - what is on disk, and who may see it.
 *
 * Two ways in.  *Point reads* run inline on a shard's own read connection
 * (struct store_reader) and see everything that was committed.  *Commands*
 * are typed structs that the caller owns; store_submit hands them to the
 * writer (or, for the slow reads, to the one reader thread).  Write commands
 * run there inside the group transaction: they read, decide and write.
 * After COMMIT each command comes back to its shard with rc set;
 * "acknowledged" means: its command came back with OK.
 *
 * Every call names an owner: an interned number, 0 without authentication.
 * Another owner's data does not exist (ERR_NOTFOUND).  The few reads without an
 * owner (store_messages_get, store_stream_last) take numbers that only an
 * owner-checked read gives; definitions of agents belong to nobody.
 *
 * What a thread's state is made of stands in state.h: checkpoints, channels,
 * lists, tasks, interrupts; store items stand in items.h, messages between agents in
 * mail.h, crons in cron.h.
 *
 * Drivers: "sqlite" (WAL, synchronous FULL) and "memory" (the same tables
 * without a durable medium, gone with the process).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/rc.h"
#include "net/shard.h"
#include "store/backup.h"
#include "store/state.h"

struct db;
struct db_format;
struct store;
struct store_reader;
struct store_cmd;
struct store_once;
typedef int64_t owner_t;

/* ---- a guest ------------------------------------------------------------- */

/* A room above that keeps tables of its own in the store's file.  Its commands
 * (store_cmd.guest) share the group transactions with all others. */
struct store_guest {
	const char *name;                    /* of its row in the table `room` */
	const struct db_format *format;      /* of its tables */
	/* Makes its state (its statements) for one connection, the writer's or the
	 * reader thread's.  Closed before the connection. */
	void *(*open)(const struct db *on);
	void (*close)(void *state);
	/* Runs one command on that thread: a GUEST_WRITE in the open transaction, a
	 * GUEST_READ under the deadline of slow reads.  A write that fails sets
	 * `undone` if it has undone its changes (a savepoint); else its batch runs
	 * again without it.  ERR_IO: the medium failed, and the batch is rolled
	 * back.  A write may run again after a rollback: it sets all its results
	 * each time. */
	int (*run)(void *state, struct store_cmd *c);
	size_t (*bytes)(const struct store_cmd *c);  /* the text that waits with it */
	int (*erase)(void *state, owner_t owner);    /* all of his, in a write; or NULL */
};

/* A thread ends so long after it was made or its ttl was set.  One that keeps its latest
 * state stays, without what came before; then the time begins anew with each run's end. */
enum thread_ttl { TTL_DELETE, TTL_KEEP_LATEST };
struct store_ttl {
	msec ms;                             /* 0: never */
	enum thread_ttl strategy;
};

/* ---- life ---------------------------------------------------------------- */

struct store_options {
	struct str driver;                   /* "sqlite", "memory" or "postgres" */
	struct str path;                     /* of the file, for sqlite; a URL for postgres */
	const char *layer;                   /* of crypt.h; NULL: the file is plain */
	const struct store_guest *const *guests;     /* NULL-ended, or NULL; they outlive it */
	struct store *guest_house;           /* has the other guests; outlives this; or NULL */
	msec fsync_delay_ms;                 /* test hooks, 0 in production: at each commit */
	int64_t fail_at;                     /* the nth write command fails with IO */
	msec scan_ms;                        /* in place of LIMIT_SCAN_MS */
	int64_t once_keys;                   /* in place of LIMIT_ONCE_KEYS */
	bool scan_cpu;                       /* of the thread's CPU: others may be busy */
	msec slow_ms;                        /* a longer transaction is logged; 0: none */
	struct store_ttl thread_ttl;         /* of threads that are made without one */
	struct store_backup backup;          /* of "sqlite" */
};

/* Opens, locks, migrates (after a backup beside the file) and starts the writer and reader
 * threads.  ERR_BUSY: another server has it.  ERR_INVALID: newer, or no database. */
int  store_open(struct store **out, const struct store_options *o, struct err *e);
void store_close(struct store *st);          /* commits what is queued; joins */
const char *store_driver(const struct store *st);
/* By its name, or NULL. */
const struct store_guest *store_guest(const struct store *st, const char *name);
/* The store that has it as a guest: this one, or its guest house.  It takes the guest's
 * commands. */
struct store *store_guest_home(struct store *st, const char *name);
/* A trivial read works, and so did the last write.  ERR_BUSY: nothing can be
 * written now (disk full, file gone).  Any thread. */
int  store_check(struct store *st, struct err *e);

/* ---- the records --------------------------------------------------------- */

enum thread_status { THREAD_IDLE, THREAD_BUSY, THREAD_INTERRUPTED, THREAD_ERROR };
enum run_status {
	RUN_PENDING, RUN_RUNNING, RUN_SUCCESS, RUN_ERROR, RUN_TIMEOUT, RUN_INTERRUPTED
};
enum multitask {
	MULTITASK_ENQUEUE, MULTITASK_REJECT, MULTITASK_INTERRUPT, MULTITASK_ROLLBACK
};

extern const char *const thread_status_names[];      /* NULL-ended, by value */
extern const char *const run_status_names[];
extern const char *const multitask_names[];
extern const char *const thread_ttl_names[];

/* Texts named *_json hold one JSON object each. */
struct store_assistant {
	struct uuid id;
	struct str graph_id, name, description;  /* description.p NULL: null */
	struct str config_json, context_json, metadata_json;
	int64_t version;
	msec created, updated;
};

struct store_thread {
	struct uuid id;
	int64_t seq;                         /* internal number */
	enum thread_status status;
	struct str metadata_json, config_json;
	struct str error_json;               /* of the last run; empty if none */
	msec created, updated;
	int64_t checkpoint;                  /* seq of the root's newest; 0: never ran */
	msec state_updated;                  /* or created, if it has none */
	struct store_ttl ttl;
	msec expires;                        /* 0: never */
	int64_t node;                        /* > 0: that one has its runs (node.h) */
};

struct store_run {
	struct uuid id, thread_id, assistant_id;
	int64_t seq, thread_seq;
	enum run_status status;
	enum multitask multitask;
	int64_t attempt;                     /* 1 for the first */
	struct str graph_id;
	struct str kwargs_json, metadata_json;
	struct str base_json;                /* metadata every checkpoint of it shows */
	struct str error_json;               /* {"error":..,"message":..} or empty */
	msec created, updated;
	struct str agent_hash;               /* of a struct store_agent; or empty */
	struct str cancel_reason;            /* p NULL: it was not cancelled */
	msec held;                           /* pending, and not taken before then; 0:
	                                        it is not held (any more) */
};

/* A definition that runs began with.  Kept once, under its hash. */
struct store_agent {
	struct str hash, id, body;           /* bytes; its name; its text */
};

/* ---- point reads: the shard's thread, inline ----------------------------- */

int  store_reader_open(struct store *st, struct store_reader **out, struct err *e);
void store_reader_close(struct store_reader *r);
void store_reader_trim(struct store_reader *r);  /* its cache goes */

/* Results live in the arena.  ERR_NOTFOUND, ERR_IO. */
int store_owner_find(struct store_reader *r, struct str subject, owner_t *out);
int store_assistant_get(struct store_reader *r, owner_t o, const struct uuid *id,
    struct arena *a, struct store_assistant *out);
int store_thread_get(struct store_reader *r, owner_t o, const struct uuid *id,
    struct arena *a, struct store_thread *out);
int store_run_get(struct store_reader *r, owner_t o, const struct uuid *id,
    struct arena *a, struct store_run *out);
/* seq 0: the latest of the thread. */
int store_checkpoint_get(struct store_reader *r, owner_t o, int64_t thread_seq,
    int64_t seq, struct arena *a, struct store_checkpoint *out);
int store_checkpoint_find(struct store_reader *r, owner_t o, int64_t thread_seq,
    const struct uuid *id, struct arena *a, struct store_checkpoint *out);
/* What store_state_get reads beside the checkpoint. */
enum {
	STATE_CHANNELS = 1,
	STATE_TASKS = 2,                     /* writes and interrupts */
	STATE_CHILD = 4,
	STATE_ALL = 7,
	STATE_BEFORE = 8                     /* the newest of the namespace that is
	                                        not past id, whosever id it is */
};
/* id zero: the head of the namespace.  ERR_NOTFOUND: there is none. */
int store_state_get(struct store_reader *r, owner_t o, int64_t thread_seq,
    struct str ns, const struct uuid *id, unsigned what, struct arena *a,
    struct store_state *out);
/* Those below one ("": all but the root) that have checkpoints, in the order of
 * their bytes, LIMIT_NAMESPACES at most. */
int store_namespaces_get(struct store_reader *r, owner_t o, int64_t thread_seq,
    struct str below, struct arena *a, struct str **out, size_t *n);
/* All that wait on a thread, oldest first, and those that the run under way on it
 * has answered. */
int store_interrupts_get(struct store_reader *r, owner_t o, int64_t thread_seq,
    struct arena *a, struct store_interrupt **out, size_t *n);
/* A task's journal, by key. */
int store_records_get(struct store_reader *r, owner_t o, int64_t thread_seq,
    const struct uuid *task, struct arena *a, struct store_record **out, size_t *n);
int store_agent_get(struct store_reader *r, struct str hash, struct arena *a,
    struct store_agent *out);
/* Checkpoints of the run's own, in the line of the thread's head. */
int store_run_steps(struct store_reader *r, owner_t o, int64_t run_seq, int64_t *out);
/* Entries [from, to) of a list, in order: out[i] is one message's JSON. */
int store_messages_get(struct store_reader *r, int64_t list, uint32_t from,
    uint32_t to, struct arena *a, struct str **out);
/* A thread's runs, the newest first, at most max. */
struct store_run_name {
	int64_t seq;
	struct uuid thread_id, run_id;
	enum run_status status;
};
int store_runs_newest(struct store_reader *r, owner_t o, int64_t thread_seq, size_t max,
    struct arena *a, struct store_run_name **out, size_t *n);
/* What is due at `now`, the earliest first: parked runs, runs that are held, questions
 * whose time is over, and crons.  n: `max` at most of each. */
struct store_due {
	enum { DUE_RUN, DUE_HELD, DUE_QUESTION, DUE_CRON } what;
	msec due;
	owner_t owner;
	int64_t thread_seq;
	struct uuid thread_id;
	struct uuid id;                      /* of a question or a cron */
	struct uuid run_id;                  /* who asked a question */
};
int store_due_get(struct store_reader *r, msec now, size_t max, struct arena *a,
    struct store_due **out, size_t *n);
/* When the first of all falls due; INT64_MAX: there is none. */
int store_due_next(struct store_reader *r, msec *out);
/* Encoded event blocks of a resumable run with last_id > after (-1: all), at
 * most max_bytes; n_out blocks, each whole frames. */
int store_stream_get(struct store_reader *r, owner_t o, int64_t run_seq,
    int64_t after, size_t max_bytes, struct arena *a, struct str **out,
    size_t *n_out, int64_t *last_id);
int64_t store_stream_last(struct store_reader *r, int64_t run_seq); /* -1: none */
/* Batches of a run's events with last > after, as store_stream_get. */
int store_events_get(struct store_reader *r, owner_t o, int64_t run_seq,
    int64_t after, size_t max_bytes, struct arena *a, struct str **out,
    size_t *n_out, int64_t *last);
/* What there is of a run's events: bytes of batches with last > after; the numbers of
 * the first and the last event of all (-1: there are none). */
struct store_events_size { int64_t bytes, first, last; };
int store_events_size(struct store_reader *r, owner_t o, int64_t run_seq, int64_t after,
    struct store_events_size *out);
/* The number of the last entry of a run's transcript; 0: there is none. */
int store_transcript_last(struct store_reader *r, owner_t o, int64_t run_seq,
    int64_t *out);
/* What came with x->key: x->request and x->id.  ERR_NOTFOUND. */
int store_once_get(struct store_reader *r, owner_t o, struct store_once *x);
/* The number that a thread's next event may have. */
int store_event_next(struct store_reader *r, owner_t o, int64_t thread_seq,
    int64_t *out);

/* ---- commands ------------------------------------------------------------ */

/* An operation is a row here and a struct op in a file of its own (ops.c). */
#define STORE_OP_MAP(X)                                                        \
	/* writes */                                                           \
	X(OWNER_INTERN, owner_intern) X(ASSISTANT_CREATE, assistant_create)    \
	X(ASSISTANT_UPDATE, assistant_update)                                  \
	X(ASSISTANT_LATEST, assistant_latest)                                  \
	X(ASSISTANT_DELETE, assistant_delete)                                  \
	X(THREAD_CREATE, thread_create) X(THREAD_UPDATE, thread_update)        \
	X(THREAD_DELETE, thread_delete) X(RUN_CREATE, run_create)              \
	X(RUN_CLAIM, run_claim) X(RUN_CANCEL, run_cancel)                      \
	X(RUN_SAVE, run_save) X(RUN_END, run_end)                              \
	X(STATE_UPDATE, state_update) X(THREAD_COPY, thread_copy)              \
	X(RUN_DELETE, run_delete) X(ITEM_PUT, item_put)                        \
	X(ITEM_DELETE, item_delete) X(STREAM_APPEND, stream_append)            \
	X(EVENTS_APPEND, events_append) X(ASK_LATER, ask_later)                \
	X(USAGE_ADD, usage_add) X(MAIL_PUT, mail_put) X(MAIL_SET, mail_set)    \
	X(MAIL_DEAD, mail_dead) X(MAILER_PUT, mailer_put)                      \
	X(MAILER_SET, mailer_set) X(MAILER_DELETE, mailer_delete)              \
	X(CRON_CREATE, cron_create) X(CRON_UPDATE, cron_update)                \
	X(CRON_DELETE, cron_delete) X(CRON_MISS, cron_miss)                    \
	X(HOOK_PUT, hook_put) X(HOOK_SET, hook_set) X(RUN_PUSH, run_push)      \
	X(GUEST_WRITE, guest_write) X(RECOVER, recover)                        \
	X(ITEM_SWEEP, item_sweep) X(ITEM_REFRESH, item_refresh)                \
	X(VECTOR_INDEX, vector_index) X(ONCE_SWEEP, once_sweep)                \
	X(TRUNCATE, truncate) X(OWNER_ERASE, owner_erase) X(THREAD_SWEEP, thread_sweep) X(THREAD_PRUNE, thread_prune) \
	X(HOSTED_PUT, hosted_put) X(HOSTED_DELETE, hosted_delete)              \
	X(NODE_JOIN, node_join) X(NODE_LEAVE, node_leave)                      \
	X(NODE_TAKE, node_take) X(HOOK_TAKE, hook_take)                        \
	X(MAILER_TAKE, mailer_take) X(MAIL_TAKE, mail_take) X(MAIL_COME, mail_come) \
	X(SAVER_TEXT, saver_text) X(WASM_PUT, wasm_put)                        \
	X(WASM_CURRENT, wasm_current) X(WASM_DELETE, wasm_delete)              \
	X(WASM_SAVE, wasm_save)                                                \
	/* slow reads */                                                       \
	X(ITEM_SEARCH, item_search) X(NAMESPACE_LIST, namespace_list)          \
	X(NODE_LIST, node_list) X(NODE_WANTED, node_wanted)                    \
	X(THREAD_SEARCH, thread_search)                                        \
	X(ASSISTANT_SEARCH, assistant_search)                                  \
	X(ASSISTANT_VERSIONS, assistant_versions) X(HISTORY, history)          \
	X(CRON_SEARCH, cron_search)                                            \
	X(INTERRUPT_SEARCH, interrupt_search) X(STORAGE, storage)              \
	X(RUN_LIST, run_list) X(RUN_ACTIVE, run_active) X(RUN_SEARCH, run_search) \
	X(TRANSCRIPT, transcript)                                              \
	X(GUEST_READ, guest_read) X(USAGE_GET, usage_get)                      \
	X(MAIL_LIST, mail_list) X(SAVER_LIST, saver_list)

enum store_op {
#define X(name, low) STORE_##name,
	STORE_OP_MAP(X)
#undef X
	STORE_OPS
};

/* A write comes back with ERR_BUSY, and words, while the disk is full or the
 * file was deleted or replaced; with ERR_IO when the medium fails otherwise. */

/* A key with which a client may repeat a request (api/once.h).  Beside a write that
 * makes an object it is written too, if the write succeeds.  ERR_CONFLICT: it is there
 * already, and nothing was done. */
enum { STORE_HASH = 32 };
struct store_once {
	uint8_t key[STORE_HASH];             /* hash of the method, the path and the key */
	uint8_t request[STORE_HASH];         /* of the body */
	size_t id_at;                        /* where the command has the object's id */
	msec now;
	struct uuid id;                      /* out of store_once_get */
};

/* The head of every command.  The struct and all texts in it stay valid and
 * untouched until it comes back.  Results that need memory use `arena`, which
 * belongs to the command while it is under way. */
struct store_cmd {
	enum store_op op;
	const struct store_guest *guest;     /* of GUEST_WRITE, GUEST_READ */
	owner_t owner;
	struct str guard;                    /* of searches: only objects on whose
	                                        metadata this holds (guard.h) */
	bool lazy;                           /* nobody waits: it may wait for others */
	const struct store_once *once;       /* of a write; NULL: none */
	const struct store_quota *quota;     /* the same (quota.h) */
	struct arena *arena;
	size_t bytes;                        /* set by submit: for the queue's cap */
	int64_t node;                        /* the same: this process, at first (node.h) */
	bool long_read;                      /* set by the store: it is no short one */
	bool undone;                         /* a guest's: it failed and left nothing */
	int rc;
	struct err err;                      /* words for people when rc != OK */
	void (*done)(struct store_cmd *c);   /* called on the shard; may be NULL */
	bool under_way;                      /* until it comes back; read on the shard */
	struct shard *shard;                 /* private, as is what follows */
	struct shard_job job;
};

/* Any thread.  OK: it comes back once, as a job of the shard s; in order, but
 * for reads that go first.  ERR_BUSY: the queue is full, it does not come back
 * (unless force: for what ends a run and must get in). */
int store_submit(struct store *st, struct shard *s, struct store_cmd *c, bool force);

struct store_owner_intern {
	struct store_cmd cmd;
	struct str subject;
	owner_t id;                          /* out */
};

struct store_thread_create {
	struct store_cmd cmd;
	struct store_thread t;               /* in, and out */
	bool do_nothing;
	struct store_changes *changes;       /* of a new one; NULL: none */
};

/* A new thread with the history of another, without its runs: the same ids of
 * checkpoints and interrupts, entries of lists shared.  The copy of a busy thread is
 * idle.  ERR_NOTFOUND.  ERR_CONFLICT: `id` exists. */
struct store_thread_copy {
	struct store_cmd cmd;
	struct uuid from, id;
	struct uuid until;                   /* the root's newest checkpoint in the copy:
	                                        nothing made later, and nothing of what its
	                                        step had done; zero: all */
	struct str metadata_json;            /* merged over the source's */
	msec now;
	struct store_thread t;               /* out */
};

/* Metadata merges shallowly; empty: only `updated` changes. */
struct store_thread_update {
	struct store_cmd cmd;
	struct uuid id;
	struct str metadata_json;
	struct store_ttl ttl;                /* from now on; ms 0: as it is */
	msec now;
	struct store_thread t;               /* out */
};

/* ERR_CONFLICT while a run is pending or running on it. */
struct store_thread_delete {
	struct store_cmd cmd;
	struct uuid id;
};

/* Deletes those of these threads that are the owner's, or removes what came before
 * their newest state; one that has a run under way stays as it is.  From `at` on, as many
 * as one transaction should: again from `next` until that is n. */
struct store_thread_prune {
	struct store_cmd cmd;
	enum thread_ttl strategy;
	const struct uuid *ids;
	size_t n, at;
	size_t next;                         /* out */
	struct uuid *pruned;                 /* out: those that it has done with */
	size_t pruned_n;
};

/* Some of what the owner has of a kind goes, of assistants those that are not the
 * system's; again while there is more.  ERR_CONFLICT: a run is under way. */
enum store_truncated { TRUNCATE_THREADS, TRUNCATE_ASSISTANTS, TRUNCATE_ITEMS, TRUNCATES };
struct store_truncate {
	struct store_cmd cmd;
	enum store_truncated what;
	struct uuid *gone;                   /* out: threads */
	size_t gone_n;
	bool more;                           /* out */
};

/* One pass of a sweep (run/sweep.h), of all owners: removes what is due at `now`, at
 * most `limit` objects, and fewer if they have many rows. */
struct store_sweep {
	struct store_cmd cmd;
	msec now;
	int64_t limit;
	struct uuid *gone;                   /* out: those that are no more, where somebody */
	size_t gone_n;                       /* in memory may know them */
	int64_t removed;                     /* out: how many were worked on */
	bool more;                           /* out: others are due */
};

/* Why a run ended that another took the place of; then that one's id. */
#define RUN_DISPLACED "interrupt: superseded by run "

/* One firing of a cron, as it was read: it is the cron's only if that has not changed
 * since, and takes it to the next one. */
struct store_firing {
	struct uuid cron;                    /* zero: none */
	int64_t version;
	msec due;
	msec next;                           /* 0: none is left, it is disabled */
};

/* Creates the run and decides: RUNNING (the caller starts it), or PENDING behind another.
 * ERR_NOTFOUND: no such thread.  ERR_CONFLICT: multitask is reject and the thread is busy,
 * or a question does not wait.  ERR_LIMIT: LIMIT_QUEUED_RUNS.
 *
 * INTERRUPT and ROLLBACK on a busy thread: the run is PENDING, those pending
 * before it end (INTERRUPTED, or they are deleted), and the one that runs is named
 * for its shard to cancel it. */
struct store_run_create {
	struct store_cmd cmd;
	struct store_run run;                /* in: ids, texts; out: seq, status, ... */
	struct store_thread thread;          /* out */
	bool create_thread;                  /* if_not_exists: create */
	bool of_assistant;                   /* ERR_NOTFOUND when it is deleted */
	bool hold;                           /* over the cap: stay pending */
	bool temporary;                      /* a thread made here goes when none of its
	                                        runs is under way any more */
	struct str webhook;                  /* where its end is told; or empty */
	struct str push_json;                /* sent there, of a client of A2A; or empty */
	struct str thread_config_json;       /* merged into the thread's config */
	struct str thread_metadata_json;     /* of a thread made here; or empty */
	struct store_agent agent;            /* hash empty: none; body empty: it is
	                                        known already */
	struct uuid payer;                   /* of its tokens; zero: nobody */
	const struct uuid *questions;        /* that it answers: ERR_CONFLICT unless each */
	size_t questions_n;                  /* waits */
	/* Not zero: the run is to end this question, whose time is over.  ERR_CONFLICT
	 * unless it waits; it is not due again before `asked_again`. */
	struct uuid times_out;
	msec asked_again;
	/* The run is this firing's.  ERR_CONFLICT: it has been already, or the cron has
	 * changed. */
	struct store_firing firing;
	int64_t foreign;                     /* out: the node that has the thread, and runs
	                                        it in its turn; 0: this one */
	bool has_busy;                       /* out: this one is to be cancelled, */
	struct uuid busy_run_id;             /* for ROLLBACK with RUN_END.rollback */
	int64_t busy_run_seq;
	struct uuid *ended;                  /* out: those that were pending */
	size_t ended_n;
};

/* Takes the oldest pending run of the thread if none is running there; with `wake`
 * also the one that is parked, which is no new attempt.  Runs that are held take
 * their place among the others when their time has come: by `created`, which is that
 * time.  ERR_NOTFOUND: nothing to take, or another node has the thread.  OK and not
 * `taken`: one is held no longer, and waits behind the one that runs. */
struct store_run_claim {
	struct store_cmd cmd;
	int64_t thread_seq;
	bool wake;
	msec now;
	struct store_run run;                /* out */
	bool taken, woken;                   /* out: woken: it was parked */
	int64_t foreign;                     /* out: the node that has the thread; or 0 */
};

/* A *parked* run is RUNNING and in nobody's memory: all that it waits for is a
 * time.  What it does next is in the store; a restart does not count it as cut off,
 * and RUN_CLAIM takes it up again.  Its attempts count anew from there, as they do
 * whenever it takes a letter: a run of days lives through more crashes than
 * LIMIT_RUN_ATTEMPTS. */
enum store_park { PARK_AS_IT_IS, PARK_SET, PARK_CLEAR };

/* What steps leave, of a run that goes on. */
struct store_run_save {
	struct store_cmd cmd;
	int64_t run_seq, thread_seq;
	struct store_changes changes;
	enum store_park park;
	msec due;                            /* PARK_SET: it is to be taken up then */
};

/* The last changes, the run's end and the thread's new status in one.  Takes the
 * next pending run of the thread, if any (as RUN_CLAIM). */
struct store_run_end {
	struct store_cmd cmd;
	int64_t run_seq, thread_seq;
	struct store_changes changes;
	enum run_status status;
	enum thread_status thread_status;    /* when nothing else is pending */
	struct str error_json;
	struct str cancel_reason;            /* or empty */
	bool unpark;                         /* it may be parked */
	const struct store_events_append *events;    /* written with it; NULL: none */
	/* The run and what it wrote go, as if it had never been (as RUN_DELETE);
	 * changes and events are not written.  The thread becomes INTERRUPTED if an interrupt
	 * waits then, else IDLE. */
	bool rollback;
	msec now;
	bool has_next;                       /* out */
	struct store_run next;               /* out: now RUNNING */
};

/* Changes without a run.  ERR_CONFLICT: a run is pending or running ("Thread is
 * busy"), or the root's newest checkpoint is not `head`. */
struct store_state_update {
	struct store_cmd cmd;
	struct uuid thread_id;
	struct uuid head;                    /* zero: there is none yet */
	struct store_changes changes;
	int status;                          /* the thread's then; -1: as it is */
	msec now;
	struct store_thread t;               /* out */
};

/* A pending run becomes INTERRUPTED.  ERR_CONFLICT: it is running (ask its
 * shard).  OK with was_done: it had ended already; with `foreign`: that node has it,
 * pending or running, and is asked to cancel it (node.h, wanted). */
struct store_run_cancel {
	struct store_cmd cmd;
	struct uuid run_id;
	bool rollback;                       /* it is deleted */
	struct str reason;                   /* which it shows; or empty */
	msec now;
	bool was_done;                       /* out */
	int64_t foreign;                     /* out: or 0 */
};

/* Deletes its stream and journal, and its checkpoints if they are the thread's
 * newest: the thread returns to the state before.  Checkpoints that later runs
 * continued from stay.  ERR_CONFLICT while a run of the thread is pending or
 * running. */
struct store_run_delete {
	struct store_cmd cmd;
	struct uuid thread_id, run_id;
};

/* A question's time limit moves. */
struct store_ask_later {
	struct store_cmd cmd;
	int64_t thread_seq;
	struct uuid id;
	msec due;
};

/* Frames with ids first_id..last_id of a resumable run. */
struct store_stream_append {
	struct store_cmd cmd;
	int64_t run_seq, first_id, last_id;
	struct str bytes;
};

/* Events first..last of a run, as fields; numbers are of the thread and below
 * `next`, which no event will have again.  Those of a run that is not kept go when
 * the next run's first batch comes.  ERR_NOTFOUND: no such run. */
struct store_events_append {
	struct store_cmd cmd;
	int64_t run_seq, thread_seq;
	bool begins;                         /* the run's first batch */
	bool keeps;                          /* the run is resumable */
	int64_t first, last;
	int64_t next;                        /* > last */
	struct str bytes;
};

/* Newest first.  before 0: from the latest.  messages[i] is the state's whole
 * list; results[i] what the node of items[i].next wrote (its child's new
 * messages), n 0 and p NULL when it has no child yet. */
struct store_history_item {
	struct store_checkpoint c;
	struct str *messages;
	size_t messages_n;
	struct str *result;
	size_t result_n;
	bool has_result;
};

struct store_history {
	struct store_cmd cmd;
	int64_t thread_seq;
	struct str ns;                       /* of the checkpoints; "": the root */
	bool whole;                          /* out: `states`, else `items` */
	struct uuid before;                  /* zero: none */
	struct str metadata_json;            /* containment in base_json + source,
	                                        step; empty: all */
	int64_t limit;
	struct store_history_item *items;    /* out */
	size_t items_n;
	struct store_state *states;          /* out, with all there is of each */
	size_t states_n;
};

/* All of an owner that wait for a person, newest first. */
struct store_interrupt_search {
	struct store_cmd cmd;
	struct str assignee;                 /* only this one's; empty: all */
	int64_t limit, offset;
	struct store_interrupt *found;       /* out */
	size_t found_n;
};

/* What a thread holds: rows and bytes, and of values by channel (its name as in
 * channels_json).  ERR_NOTFOUND. */
enum store_section {
	STORE_OF_CHECKPOINTS, STORE_OF_VALUES,
	STORE_OF_WRITES,                     /* and questions, journals, waits */
	STORE_OF_RUNS,                       /* with their events and transcripts */
	STORE_SECTIONS
};
struct store_size { int64_t rows, bytes; };
struct store_storage {
	struct store_cmd cmd;
	struct uuid thread_id;
	struct store_size section[STORE_SECTIONS];   /* out */
	struct store_storage_channel {
		struct str name;
		struct store_size size;
	} *channels;                         /* out, in the order of their names */
	size_t channels_n;
};

enum store_sort {
	STORE_SORT_CREATED, STORE_SORT_UPDATED, STORE_SORT_STATUS, STORE_SORT_ID,
	STORE_SORT_NAME, STORE_SORT_GRAPH, STORE_SORT_STATE_UPDATED,
	STORE_SORT_ASSISTANT, STORE_SORT_THREAD, STORE_SORT_NEXT, STORE_SORT_ENDS
};

struct store_thread_found {
	struct store_thread t;
	bool has_state;                      /* asked for, and there is one */
	struct store_state state;            /* with channels and tasks */
};

/* metadata_json: containment as PostgreSQL's @>; empty: all.  ids: at most
 * these; none: any.  limit 0: only the total. */
/* Which of the rows that match, in which order. */
struct store_page {
	int64_t limit, offset;
	enum store_sort sort;
	bool ascending;
};
struct store_thread_search {
	struct store_cmd cmd;
	struct str metadata_json;
	struct str values_json;              /* the same of the newest state's values, as they
	                                        are stored; empty: any */
	int status;                          /* -1: any */
	struct uuid *ids;                    /* gets sorted */
	size_t ids_n;
	struct store_page page;              /* by CREATED, UPDATED, STATE_UPDATED,
	                                        STATUS or ID */
	bool states;                         /* load them */
	struct store_thread_found *found;    /* out */
	size_t found_n;
	int64_t total;                       /* out: of all pages; -1: not counted, since the
	                                        search ends when the page is full; limit 0:
	                                        counted */
	bool more;                           /* out: there are others behind the page */
};

struct store_run_list {
	struct store_cmd cmd;
	int64_t thread_seq;
	int status;                          /* -1: any */
	struct uuid waits;                   /* running, but counts as pending; zero: none */
	int64_t limit, offset;
	struct store_run *runs;              /* out, newest first */
	size_t runs_n;
	bool more;                           /* out: there are others behind them */
};

/* An owner's runs that are pending or running, oldest first. */
struct store_run_active {
	struct store_cmd cmd;
	struct uuid assistant;               /* only its runs; zero: of all */
	int status;                          /* -1: both */
	int64_t after;                       /* only those behind this seq */
	int64_t limit;
	void *ctx;                           /* the caller's */
	struct store_run_name *found;        /* out */
	size_t found_n;
};

/* Of a run without a thread. */
struct store_usage_add {
	struct store_cmd cmd;
	struct store_usage *usage;
	size_t usage_n;
	struct uuid payer;                   /* zero: nobody's limit counts it */
};

/* Tokens that models took of payer on that day (since 1970).  A run's are its payer's,
 * as store_run_create says; a payer's row holds its newest day only. */
int  store_payer_tokens(struct store_reader *r, const struct uuid *payer, int64_t day, int64_t *out);

/* What an owner's models took, in all and by group.  thread, run zero: any.  Threads
 * and runs that are gone count together, with a zero id.  Days newest first, as
 * threads and runs; models by cost, and so all owners, for operators (thread, run zero). */
enum store_usage_group {
	USAGE_TOTAL, USAGE_BY_DAY, USAGE_BY_MODEL, USAGE_BY_THREAD, USAGE_BY_RUN, USAGE_BY_OWNER
};
struct store_usage_found {
	struct store_usage u;                /* day, model: of that group */
	struct uuid thread, run;             /* the same; zero: gone, or none */
	struct str owner;                    /* the same; empty: erased */
};
struct store_usage_get {
	struct store_cmd cmd;
	struct uuid thread, run;
	int64_t from, to;                    /* days, both in */
	enum store_usage_group group;
	int64_t limit, offset;
	struct store_usage_found *found;     /* out */
	size_t found_n;
	struct store_usage total;            /* out: of all groups */
};

/* Rows of transcripts, oldest first: of a run (run_id) or of all of a thread.  The first one
 * may begin with entries up to `after`.  ERR_NOTFOUND. */
struct store_transcript_row {
	struct uuid run_id;
	int64_t first;                       /* number of its first entry */
	struct str bytes;
	/* Of the run, if first is 1; else empty. */
	struct uuid assistant_id;
	struct str graph_id, agent_hash, kwargs_json;
};
struct store_transcript {
	struct store_cmd cmd;
	struct uuid thread_id, run_id;       /* run_id zero: all */
	struct uuid after_run;               /* zero: from the first, or of run_id */
	int64_t after;                       /* only entries behind this one of it */
	size_t max_bytes;
	struct store_transcript_row *rows;   /* out */
	size_t rows_n;
	bool more;                           /* out: there are others behind */
};

/* ---- start-up ------------------------------------------------------------ */

/* After a crash, before anything else: running runs become pending with
 * attempt + 1, or error after LIMIT_RUN_ATTEMPTS.  Then calls each(ctx, ...)
 * once for every thread that has pending runs.  Synchronous: takes turns of s,
 * which has no thread yet. */
int store_recover(struct store *st, struct shard *s, msec now,
    void (*each)(void *ctx, owner_t owner, int64_t thread_seq,
	const struct uuid *thread_id), void *ctx, struct err *e);

/* For /metrics; any thread. */
struct store_stats {
	uint64_t commits, commands, failed, queue_ops, queue_bytes, file_bytes, commit_ns_sum;
	bool full, lost;                     /* writes are refused: why */
	struct store_backup_stats backup;
};
void store_stats(struct store *st, struct store_stats *out);

#endif
