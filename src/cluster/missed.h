/*
 * missed.h - runs that are this node's, says the store, and are in nobody's memory: which
 * of them stay so.
 *
 * A node compares its runs with the store piece by piece, by their threads' numbers (a sweep).
 * A run that one sweep misses, and the next one that comes by after MISSED_MS does too, is
 * lost: a shard that was slow would have it by then.  What does not fit waits for the room
 * of those before it, so that of any number all are found.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_MISSED_H
#define CLUSTER_MISSED_H

#include "base/clock.h"
#include "store/node.h"

#define MISSED_MS 5000

struct missed {
	struct missed_run {
		struct store_lost run;
		nsec since;
	} *at;                               /* by thread; LIMIT_NODE_MISSED at most */
	size_t n;
};

/* Of the threads behind `after`, up to `last`, these n runs are missed now, in the order of
 * their threads.  Those that are lost are moved to out, which has room for n: how many. */
size_t missed_look(struct missed *m, int64_t after, int64_t last,
    const struct store_lost *now_missed, size_t n, nsec now, struct store_lost *out);
void missed_clear(struct missed *m);

#endif
