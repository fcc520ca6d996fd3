/*
 * hosted_update.h - a thread's state changed by a client whose graph is in a worker:
 * updateState, and the supersteps of a new thread.
 *
 * What a channel makes of a value is code of the graph, so the worker does it: a short task,
 * whose saver writes the checkpoints to a thread that no run is on.
 *
 * Threads: the shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_HOSTED_UPDATE_H
#define RUN_HOSTED_UPDATE_H

#include "agent/agent.h"
#include "store/store.h"

struct runs;

/* Texts are copied. */
struct hosted_update_request {
	const struct agent *agent;           /* that is hosted */
	struct uuid thread_id;
	int64_t thread_seq;
	owner_t owner;
	struct str ns;
	struct uuid checkpoint;              /* zero: the newest of ns */
	struct str supersteps;               /* JSON: [[{values, as_node, task_id}]] */
	struct str config_json;              /* {"configurable": {...}}, of the thread's runs */
};

/* ns, id: of the newest checkpoint that was made.  ERR_BUSY: no worker serves the graph,
 * or none took it in time.  ERR_INVALID: the graph refused it, in its words.
 * ERR_CONFLICT: a run is on the thread, or it has moved on.  ERR_TIMEOUT, ERR_CLOSED: some
 * of it may be written. */
typedef void hosted_updated(void *ctx, int rc, const struct err *e, struct str ns,
    const struct uuid *id);

/* done comes in a later turn.  ERR_BUSY, ERR_LIMIT: it will not come. */
int  hosted_update_begin(struct runs *rs, const struct hosted_update_request *q,
    hosted_updated *done, void *ctx, struct err *e);
/* All of the shard end with ERR_BUSY. */
void hosted_updates_stop(struct runs *rs);

#endif
