/*
 * courier.h - parcels between shards: everything that a sender has for another
 * shard in a turn of its loop travels in one post, in order.
 *
 * Threads: a courier belongs to the shard that it sends from.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_COURIER_H
#define NET_COURIER_H

#include "base/limits.h"
#include "net/shard.h"

/* Head of whatever is sent.  open() runs on the other shard and owns it; here: what
 * the sender named. */
struct parcel {
	struct parcel *next;
	void (*open)(void *here, struct parcel *p);
};

struct courier {
	struct shard_job turn_end;
	struct shard *from;
	struct courier_queue {
		struct shard *to;
		void *here;
		struct parcel *head, **tail;
	} queues[LIMIT_SHARDS];              /* by the destination's id */
};

void courier_init(struct courier *c, struct shard *from);
/* To another shard, or to the same one: then in a later turn.  A courier knows
 * one `here` a shard. */
void courier_send(struct courier *c, struct shard *to, void *here, struct parcel *p);

#endif
