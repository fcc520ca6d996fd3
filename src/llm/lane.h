/*
 * lane.h - whose turn it is at a provider.
 *
 * A lane belongs to a provider entry and to the whole process: so many calls at
 * once, so many requests and tokens a minute.  Each llm (a shard) has a queue for
 * each lane.  A free slot goes to the queue that stands first in the lane's line,
 * which then goes to the line's end: shards take turns, and calls of one shard are
 * served in order.
 *
 *   call --queue_enter--> has a slot at once, or waits in its queue
 *   slot given back --> lane_leave --> the next queue's shard is posted to
 *                                      --> turn() of its first call
 *
 * Invariants
 *   1. running <= cap.
 *   2. A queue in the line wants at least one slot.
 *   3. Slots granted to a queue are counted in `running` until its shard has
 *      taken them, or given back those whose calls were cancelled meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_LANE_H
#define LLM_LANE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "net/shard.h"

/* So much a minute, a tenth of it at once: in no minute more than that. */
struct bucket {
	double level, cap, per_ns;           /* cap 0: no limit */
	nsec at;
};

void bucket_init(struct bucket *b, int64_t a_minute);
/* Takes n, on credit when there is not enough; how long until it is there. */
nsec bucket_take(struct bucket *b, double n, nsec now);
/* Gives back what was taken too much (or takes more: n < 0). */
void bucket_correct(struct bucket *b, double n);

struct lane {
	size_t index;                        /* among the lanes of its models */
	unsigned cap;
	_Atomic unsigned running;
	_Atomic unsigned standing;           /* queues in line */
	_Atomic unsigned waiting;            /* calls */
	_Atomic int64_t waited_ms;           /* by all calls so far */
	pthread_mutex_t lock;                /* of what follows, and of queues' parts */
	struct list line;
	struct bucket requests, tokens;
};

void lane_init(struct lane *l, size_t index, int64_t concurrency, int64_t requests,
    int64_t tokens);
void lane_release(struct lane *l);
bool lane_enter(struct lane *l);             /* a slot, if nobody stands before */
void lane_leave(struct lane *l);             /* gives a slot back */
/* Reserves a request of about so many tokens; how long it must wait. */
nsec lane_reserve(struct lane *l, int64_t tokens, nsec now);
void lane_correct(struct lane *l, int64_t tokens);       /* that were too many */

/* The calls of one shard that wait for a slot of one lane. */
struct queue {
	struct shard_job job;
	struct shard *shard;
	struct lane *lane;                   /* NULL: its llm is gone */
	struct list calls;                   /* the shard's own */
	void (*turn)(struct list *call);     /* a slot is there for it */
	struct list in;                      /* the line */
	unsigned wants, granted;             /* under the lane's lock */
	bool posted;
};

struct queue *queue_new(struct shard *s, struct lane *l, void (*turn)(struct list *));
void queue_free(struct queue *q);            /* no call waits any more */
void queue_wait(struct queue *q, struct list *call);
void queue_quit(struct queue *q, struct list *call);     /* it waits no longer */

#endif
