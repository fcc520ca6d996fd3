/*
 * state.h - what a thread's state is made of: how it changes, how it is read.
 *
 * A *checkpoint* is the state of one namespace ("" is the root) after a step.
 * It names its channels' values by version and the tasks that come next.  A
 * channel is a *list* (entries, appended to or begun anew; texts of JSON) or a
 * *value* (type and bytes).  A step writes what it changes, never the state.
 *
 * The texts tasks_json, snapshot, wrote_json and extra_json belong to the room
 * above; of tasks_json the store knows that it is an array of objects with "id"
 * (a uuid) and "name" (of a node).  The convention for wrote_json, which
 * migrated rows follow, is an object by channel: [from,to] are entries of the
 * list in the checkpoint that has the wrote_json, true is the whole channel
 * there, {"value":..} is what was written where a reducer changed it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/id.h"

enum checkpoint_source { SOURCE_INPUT, SOURCE_LOOP, SOURCE_UPDATE, SOURCE_FORK };
extern const char *const checkpoint_source_names[];  /* NULL-ended, by value */

/* ---- changes: borrowed by the command until it comes back ------------------ */

enum store_channel_kind {
	STORE_LIST,                          /* the first `keep` entries of the list
	                                        before stay, then come `entries` */
	STORE_VALUE,                         /* `type` and `body` take its place */
	STORE_GONE                           /* it has no value any more */
};

struct store_channel_change {
	struct str name;
	enum store_channel_kind kind;
	uint32_t keep;
	const struct str *entries;
	size_t entries_n;
	struct str type, body;               /* type "json" for our own */
};

/* A checkpoint to be written.  Its channels are its parent's, but for those that
 * change.  parent zero: the head of its namespace, which may be an earlier
 * checkpoint of the same command; then, if there is none, it is the first.  Beside
 * saver_puts it may come again: one that is there stays as it is. */
struct store_checkpoint_put {
	struct uuid id;                      /* v6 */
	struct str ns;
	struct uuid parent;                  /* of the same namespace */
	bool alone;                          /* it has no parent, whatever there is */
	int step;
	enum checkpoint_source source;
	msec created;
	struct str tasks_json;               /* empty: [] */
	struct str snapshot;                 /* the stepper's; may be empty */
	struct str wrote_json;               /* what the lone task of the step that
	                                        led here wrote; may be empty */
	struct str extra_json;               /* an object: more metadata; or empty */
	const struct store_channel_change *channels;
	size_t channels_n;
};

/* A pending write of a task.  idx >= 0: the first one of (task, idx) stays; below
 * 0: the last one. */
enum { WRITE_ERROR = -1, WRITE_SCHEDULED = -2, WRITE_INTERRUPT = -3,
	WRITE_RESUME = -4 };
struct store_write {
	struct uuid task;
	int idx;
	struct str path;                     /* the order: (path, task, idx) */
	struct str channel, type, body;
};

/* An interrupt; its id is shown as 32 hex digits.  One that is there already
 * (thread, id) stays as it is, unless `anew`. */
enum interrupt_state { INTERRUPT_WAITING, INTERRUPT_ANSWERED, INTERRUPT_VOID };
struct store_interrupt {
	struct uuid id;
	struct str ns;                       /* of the checkpoint: the task's home */
	struct uuid task;
	struct uuid checkpoint;              /* in: zero is the head of ns */
	struct str key;                      /* the call's place in the task */
	struct str value_json, schema_json;  /* schema empty: none */
	msec created;
	msec due;                            /* in: it times out then; 0: never */
	struct str assignee;                 /* in: whose it is; or empty */
	bool anew;                           /* in: one that is there is asked again as
	                                        this one, its answer is gone */
	/* out only */
	enum interrupt_state state;
	struct str answer_json;
	struct uuid run_id, thread_id;       /* run: who asked, then who answered */
	int64_t thread_seq;
};

struct store_answer {
	struct uuid id;
	struct str answer_json;
};

/* A task's journal: what must not happen twice.  result.p NULL: it has started.
 * Written again with a result it is done; a result stays. */
struct store_record {
	struct uuid task;
	struct str key;                      /* in the task */
	struct str name;
	struct str result;
};

/* What calls of one model took, on one day. */
struct store_usage {
	int64_t day;                         /* since 1970-01-01 */
	struct str model;                    /* "openai:gpt-4o" */
	int64_t calls, input, cached, output, reasoning, cost_nano;
};

enum { MAIL_UNREAD = -1 };

/* A message between agents, to be kept until every receiver has taken it. */
struct store_mail {
	struct uuid id;                      /* message_id */
	struct uuid sender;                  /* an agent; zero: the owner's client */
	const struct uuid *to;               /* agents; each gets a *letter* */
	size_t to_n;                         /* > 0 */
	const int64_t *nodes;                /* whose agents they are (node.h); NULL: all are
	                                        this one's, and it delivers the letters;
	                                        MAIL_UNREAD: this one's, which reads them with
	                                        those of other nodes */
	struct str conversation;             /* its id; empty: none */
	struct str packed;                   /* mail/acl.h; opaque here */
	msec created;
	msec expires;                        /* 0: never */
	/* out */
	int64_t first;                       /* number of to[0]'s letter; those of the
	                                        others follow; 0 if it is known */
	bool known;                          /* the owner has a message of this id:
	                                        nothing was written */
};

/* What comes next at a checkpoint, as it turned out after that was written.  Nothing
 * happens if it is not there.  checkpoint zero: the head of ns. */
struct store_checkpoint_tasks {
	struct uuid checkpoint;
	struct str ns;
	struct str tasks_json;               /* empty: [] */
	struct str snapshot;                 /* p NULL: as it is; empty: none */
};

struct store_saver_put;
struct store_saver_write;

/* Written in this order: answers, drop_tasks, checkpoints, checkpoint_tasks, saver_puts,
 * saver_writes, writes, records, interrupts, voids, usage, letters taken, messages.  All or
 * nothing. */
struct store_changes {
	/* ERR_CONFLICT unless each waits; it is answered then. */
	const struct store_answer *answers;
	size_t answers_n;
	/* Tasks that begin anew (time travel): their pending writes, records,
	 * interrupts and the namespaces below them go. */
	const struct uuid *drop_tasks;
	size_t drop_tasks_n;
	const struct store_checkpoint_put *checkpoints;
	size_t checkpoints_n;
	const struct store_checkpoint_tasks *checkpoint_tasks;
	size_t checkpoint_tasks_n;
	const struct store_saver_put *saver_puts;            /* saver.h */
	size_t saver_puts_n;
	const struct store_saver_write *saver_writes;
	size_t saver_writes_n;
	const struct store_write *writes;
	size_t writes_n;
	const struct store_record *records;
	size_t records_n;
	const struct store_interrupt *interrupts;
	size_t interrupts_n;
	/* Those wait no more: by id (others are left alone), or (void_moved) all
	 * whose checkpoint is no longer the head of its namespace and all below
	 * such a one's tasks. */
	const struct uuid *void_interrupts;
	size_t void_interrupts_n;
	bool void_moved;
	/* Added to what the run has used so far: with the records of the calls, in one
	 * transaction, so that a call that is known is billed, and once. */
	const struct store_usage *usage;
	size_t usage_n;
	/* Messages that the run has sent, and numbers of the letters that it has taken:
	 * in the transaction of the state that they led to.  A letter that does not wait
	 * any more is left alone. */
	struct store_mail *mails;
	size_t mails_n;
	const int64_t *mails_taken;
	size_t mails_taken_n;
	msec mails_now;                      /* the time, if there are taken ones */
	/* A row of the run's transcript with the entries first..last; empty: none. */
	struct { int64_t first, last; struct str bytes; } transcript;
	/* out: the seq of checkpoints[0]; the others' follow.  It is the version of
	 * each value that the checkpoint wrote. */
	int64_t first_seq;
};

/* ---- what is read: lives in the arena of the read -------------------------- */

struct store_checkpoint {
	int64_t seq, parent_seq;             /* parent_seq 0: none */
	struct uuid id, parent_id;
	struct str ns;
	int step;
	enum checkpoint_source source;
	struct uuid run_id;                  /* zero: of no run */
	struct str base_json;                /* of its run; or empty */
	struct str channels_json;            /* name -> version; the store's own */
	struct str tasks_json, snapshot, wrote_json, extra_json;
	msec created;
	/* Of the run room before steppers: derived from the above. */
	struct str next;                     /* first task's name; empty: none */
	struct uuid task_id;                 /* and its id */
	struct str task_error;               /* its write at WRITE_ERROR, or empty */
	int64_t list;                        /* of `messages`; 0: never written */
	uint32_t len;
};

struct store_channel {
	struct str name;                     /* as in channels_json: escaped */
	struct str version;                  /* opaque; differs whenever the value
	                                        was written, over all branches */
	bool is_list;
	const struct str *entries;           /* of a list */
	size_t entries_n;
	struct str type, body;               /* of a value */
};

struct store_state {
	struct store_checkpoint c;
	struct store_channel *channels;      /* in the order of their first write */
	size_t channels_n;
	/* Of the tasks in tasks_json: writes in order; interrupts that wait or were
	 * answered, and those that wait in namespaces below these tasks. */
	struct store_write *writes;
	const struct store_write **by_task;  /* the same: see store_writes_of */
	size_t writes_n;
	struct store_interrupt *interrupts;
	size_t interrupts_n;
	/* The newest checkpoint after this one (source loop, parent this one) with
	 * its channels; its wrote_json is tasks[].result.  NULL: none. */
	const struct store_state *child;
};

/* The writes of one of its tasks, in order; *out is borrowed from the state. */
size_t store_writes_of(const struct store_state *s, const struct uuid *task,
    const struct store_write *const **out);

#endif
