/*
 * courier_priv.h - parcels between shards: everything a shard has for another
 * one in a turn of its loop travels in one post, in order.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_COURIER_PRIV_H
#define RUN_COURIER_PRIV_H

#include "net/shard.h"

struct runs;

/* Head of whatever is sent.  open() runs on the other shard and owns it. */
struct parcel {
	struct parcel *next;
	void (*open)(struct runs *here, struct parcel *p);
};

#define COURIER_SHARDS 64

struct courier {
	struct shard_job turn_end;
	struct runs *from;
	struct courier_queue { struct runs *to; struct parcel *head, **tail; }
	    queues[COURIER_SHARDS];
};

void courier_init(struct courier *c, struct runs *from);
/* To another shard, or to oneself: then in a later turn. */
void courier_send(struct courier *c, struct runs *to, unsigned to_index,
    struct parcel *p);

#endif
