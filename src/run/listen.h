/*
 * listen.h - one reader of a thread: it gets all runs of it, one after the other,
 * and never an end unless the thread goes.
 *
 * Ids of events are RUN_ID:N, where N is the event's number in its run, or `end`.
 *
 * Threads: the listener's own shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_LISTEN_H
#define RUN_LISTEN_H

#include "run/run.h"

enum listen_mode {
	LISTEN_RUNS = 1,                     /* all that its runs tell */
	LISTEN_LIFECYCLE = 2,                /* that they begin and end */
	LISTEN_UPDATES = 4                   /* that its state is updated without a run */
};
extern const char *const listen_mode_names[];        /* by bit; NULL-ended */

struct listener;

/* Embedded in the caller's own struct. */
struct thread_ear {
	unsigned modes;
	/* What is kept of earlier runs comes first: behind event `after` of this run
	 * (zero: of all that are kept); INT64_MAX and zero: only what is new. */
	struct uuid run_id;
	int64_t after;
	/* Frames, encoded; take a reference to keep it. */
	void (*frames)(struct thread_ear *e, struct sse_block *b);
	/* The last call.  ERR_NOTFOUND: the thread is gone; ERR_LIMIT: it has too many
	 * listeners; ERR_CLOSED: the server stops. */
	void (*end)(struct thread_ear *e, int rc);
	/* private */
	struct listener *link;
};

/* t: the thread, as its owner reads it.  ERR_LIMIT: the process has too many
 * listeners; then nothing is called. */
int  thread_listen(struct runs *rs, owner_t owner, const struct store_thread *t,
    struct thread_ear *e);
/* The client has left.  No callback follows. */
void thread_unlisten(struct thread_ear *e);

/* The state of an owner's thread was updated, which is told as this JSON (copied). */
void thread_updated(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    struct str json);

#endif
