/*
 * relay_find.c - which node has something that no row tells of: all are asked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/relay_priv.h"

#include <assert.h>

#define NODES_MAX 64                         /* that are asked */

/* Ends with the first node that has it, the last that has not, or LIMIT_RELAY_ASK_MS. */
struct find {
	struct list all;
	struct relay *rl;
	uint64_t id;
	size_t waits;                        /* for so many answers */
	void (*done)(void *ctx, int64_t node);
	void *ctx;
	struct wheel_timer timer;
};

static void
find_end(struct find *q, int64_t node)
{
	void (*done)(void *ctx, int64_t node) = q->done;
	void *ctx = q->ctx;

	shard_timer_cancel(q->rl->shard, &q->timer);
	list_remove(&q->all);
	q->rl->finds_n--;
	free(q);
	done(ctx, node);
}

static void
on_time(struct wheel_timer *t)
{
	find_end(CONTAINER_OF(t, struct find, timer), 0);
}

void
relay_find(struct relay *rl, enum relay_kind kind, struct str key,
    void (*done)(void *ctx, int64_t node), void *ctx)
{
	struct find *q = mem_new(struct find);
	int64_t nodes[NODES_MAX];
	size_t n = 0;

	if (rl->finds_n < LIMIT_RELAY_ASKS)
		n = relay_others(rl, nodes, COUNT(nodes));
	q->rl = rl;
	q->id = ++rl->last_id;
	q->done = done;
	q->ctx = ctx;
	q->timer.fire = on_time;
	list_append(&rl->finds, &q->all);
	rl->finds_n++;
	for (size_t i = 0; i < n; i++) {
		struct link *l = link_get(rl, nodes[i], 0);

		if (l == NULL)
			continue;
		q->waits++;
		link_send(l, (struct frame){ .kind = FRAME_ASK, .arg = kind, .id = q->id },
		    &key, 1);
	}
	shard_timer_set(rl->shard, &q->timer, q->waits > 0 ? LIMIT_RELAY_ASK_MS : 0);
}

void
find_asked(struct link *l, const struct frame *f)
{
	const struct relay_bus *bus = &l->rl->all->bus;
	bool has;

	if (f->arg == RELAY_LISTEN)
		claims_told(l, f->payload);          /* before the look: see runs_keep_thread */
	has = bus->has(bus->ctx, (enum relay_kind)f->arg, f->payload);
	link_send(l, (struct frame){ .kind = FRAME_ANSWER, .arg = has, .id = f->id }, NULL, 0);
}

void
find_answered(struct relay *rl, const struct frame *f)
{
	for (struct list *i = rl->finds.next; i != &rl->finds; i = i->next) {
		struct find *q = CONTAINER_OF(i, struct find, all);

		if (q->id != f->id)
			continue;
		assert(q->waits > 0);
		if (f->arg != 0)
			find_end(q, f->node);
		else if (--q->waits == 0)
			find_end(q, 0);
		return;
	}
}

void
finds_stop(struct relay *rl)
{
	while (!list_empty(&rl->finds))
		find_end(CONTAINER_OF(rl->finds.next, struct find, all), 0);
}
