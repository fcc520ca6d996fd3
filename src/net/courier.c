/*
 * courier.c - see courier.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/courier.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

/* The parcels of a turn for one shard. */
struct bag {
	struct shard_job job;
	void *here;
	struct parcel *parcels;
};

static void
bag_open(struct shard_job *job)
{
	struct bag *bag = CONTAINER_OF(job, struct bag, job);
	struct parcel *p = bag->parcels;
	void *here = bag->here;

	free(bag);
	while (p != NULL) {
		struct parcel *next = p->next;

		p->open(here, p);
		p = next;
	}
}

static void
flush(struct shard_job *job)
{
	struct courier *c = CONTAINER_OF(job, struct courier, turn_end);

	for (size_t i = 0; i < COUNT(c->queues); i++) {
		struct courier_queue *q = &c->queues[i];
		struct bag *bag;

		if (q->head == NULL)
			continue;
		bag = mem_new(struct bag);
		bag->job.run = bag_open;
		bag->here = q->here;
		bag->parcels = q->head;
		q->head = NULL;
		q->tail = &q->head;
		shard_post(q->to, &bag->job);
	}
}

void
courier_init(struct courier *c, struct shard *from)
{
	c->from = from;
	c->turn_end.run = flush;
	for (size_t i = 0; i < COUNT(c->queues); i++)
		c->queues[i].tail = &c->queues[i].head;
}

void
courier_send(struct courier *c, struct shard *to, void *here, struct parcel *p)
{
	struct courier_queue *q = &c->queues[shard_id(to)];

	assert(q->here == NULL || q->here == here);
	q->to = to;
	q->here = here;
	p->next = NULL;
	*q->tail = p;
	q->tail = &p->next;
	shard_at_turn_end(c->from, &c->turn_end);
}
