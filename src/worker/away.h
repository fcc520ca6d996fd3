/*
 * away.h - offers of this node for workers that polled at another one.
 *
 *   A, whose offer waits              B, whose worker has a place
 *     WANT name, how many  ------->
 *                          <-------   HAVE worker, places        (they are taken now)
 *     the offer is leased to a copy of the worker
 *     TASKS                ------->   in the answer to the worker's poll
 *
 * A worker that has no place when it is asked for says so when it polls again:
 *
 *     WANT again           <-------   READY
 *
 * When it leaves, what it has of A is lost at once:
 *
 *                          <-------   LEFT worker, each name
 *
 * When it was silent about a task, no node gives it another one before it polls again; when
 * a task is cancelled, its poll is answered:
 *
 *     MUTE worker          <------->
 *     CANCEL worker, task  ------->
 *
 * From then on the worker's calls about the task go to A, whose name is in the task's
 * (worker_name_node).  A word that is lost costs time: A asks again each second, a task
 * that the worker never got is lost when its lease is over, and a place that was taken in
 * vain is free with the worker's next poll.
 *
 * What is served with which builds is in away_served.c.
 *
 * Threads: shard 0, but for the desk's own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_AWAY_H
#define WORKER_AWAY_H

#include "worker/worker.h"

struct worker_away;

struct worker_away_options {
	/* To a process, 0: to all others; false: it was not sent. */
	bool (*say)(void *ctx, uint64_t to, const struct str *pieces, size_t n);
	void *ctx;
};
/* d: of shard 0; before the first offer. */
struct worker_away *worker_away_new(struct worker_desk *d, const struct worker_away_options *o);
/* The words' sender names itself by `from`. */
void worker_away_heard(struct worker_away *w, uint64_t from, struct str word);
/* Other processes may have come: they are told what is served here. */
void worker_away_tell(struct worker_away *w);
/* Polls of copies end; before the desk drains. */
void worker_away_drain(struct worker_away *w);
void worker_away_free(struct worker_away *w);        /* after the shards; NULL is fine */

#endif
