/*
 * courier.c - see courier_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/courier_priv.h"

#include <assert.h>

#include "base/mem.h"
#include "run/run_priv.h"

struct bag {
	struct shard_job job;
	struct runs *to;
	struct parcel *parcels;
};

static void
bag_open(struct shard_job *job)
{
	struct bag *bag = CONTAINER_OF(job, struct bag, job);
	struct parcel *p = bag->parcels;
	struct runs *to = bag->to;

	free(bag);
	while (p != NULL) {
		struct parcel *next = p->next;

		p->open(to, p);
		p = next;
	}
}

static void
flush(struct shard_job *job)
{
	struct courier *c = CONTAINER_OF(job, struct courier, turn_end);

	for (size_t i = 0; i < COURIER_SHARDS; i++) {
		struct courier_queue *q = &c->queues[i];
		struct bag *bag;

		if (q->head == NULL)
			continue;
		bag = mem_new(struct bag);
		bag->job.run = bag_open;
		bag->to = q->to;
		bag->parcels = q->head;
		q->head = NULL;
		q->tail = &q->head;
		shard_post(q->to->shard, &bag->job);
	}
}

void
courier_init(struct courier *c, struct runs *from)
{
	c->from = from;
	c->turn_end.run = flush;
	for (size_t i = 0; i < COURIER_SHARDS; i++)
		c->queues[i].tail = &c->queues[i].head;
}

void
courier_send(struct courier *c, struct runs *to, unsigned to_index, struct parcel *p)
{
	struct courier_queue *q = &c->queues[to_index];

	assert(to_index < COURIER_SHARDS);
	q->to = to;
	p->next = NULL;
	*q->tail = p;
	q->tail = &p->next;
	shard_at_turn_end(c->from->shard, &c->turn_end);
}
