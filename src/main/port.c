/*
 * port.c - see port.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/port.h"

#include "base/mem.h"

static void
deliver(struct shard_job *job)
{
	struct shard_port *p = CONTAINER_OF(job, struct shard_port, job);
	struct store_cmd *top, *list = NULL;

	/* From here on the next push posts the job again, on another thread:
	 * what this one wrote into the job is released with it. */
	top = atomic_exchange_explicit(&p->back, NULL, memory_order_acq_rel);
	while (top != NULL) {
		struct store_cmd *next = top->next;

		top->next = list;
		list = top;
		top = next;
	}
	while (list != NULL) {
		struct store_cmd *cmd = list;

		list = cmd->next;
		cmd->next = NULL;
		cmd->done(cmd);
	}
}

static void
post(struct store_port *port, struct store_cmd *cmd)
{
	struct shard_port *p = CONTAINER_OF(port, struct shard_port, port);
	struct store_cmd *top = atomic_load_explicit(&p->back,
	    memory_order_relaxed);

	do
		cmd->next = top;
	while (!atomic_compare_exchange_weak_explicit(&p->back, &top, cmd,
	    memory_order_acq_rel, memory_order_relaxed));
	if (top == NULL)
		shard_post(p->shard, &p->job);
}

void
shard_port_init(struct shard_port *p, struct shard *s)
{
	p->port.post = post;
	p->shard = s;
	p->job.run = deliver;
	atomic_init(&p->back, NULL);
}
