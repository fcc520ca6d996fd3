/*
 * carrier_wait.c - a client that writes to an agent of another node is answered when that node
 * has read the letter, or soon: so what the client then sends by way of that node, or another,
 * does not overtake it.
 *
 *   sender's shard                          receiver's first office
 *   {"t":"look","shard":1,"n":7,"ack":..}  ---> reads what has come
 *   answers its client              <--- {"t":"looked","shard":1,"n":7}
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/carrier_priv.h"

#include <stdio.h>

#include "base/mem.h"
#include "store/node.h"

#define PATIENCE_MS 100                      /* then it is answered: its letter is written */

struct carrier_wait {
	struct list in;                      /* office.waits */
	struct office *o;
	uint64_t token;
	struct wheel_timer timer;
	void (*done)(void *ctx);
	void *ctx;
};

static void
wait_over(struct carrier_wait *w)
{
	struct office *o = w->o;

	list_remove(&w->in);
	shard_timer_cancel(o->shard, &w->timer);
	w->done(w->ctx);
	free(w);
	office_idle(o);
}

static void
timed_out(struct wheel_timer *t)
{
	wait_over(CONTAINER_OF(t, struct carrier_wait, timer));
}

void
carrier_await(struct office *o, int64_t node, void (*done)(void *ctx), void *ctx)
{
	struct carrier *c = o->all->carrier;
	int64_t us = store_node(o->all->store);
	struct carrier_wait *w;
	char text[120];
	int n;

	if (us <= 0 || node <= 0 || o->draining || !atomic_load(&c->up) ||
	    !c->o.alive(c->o.ctx, node)) {
		done(ctx);
		return;
	}
	w = mem_new(struct carrier_wait);
	w->o = o;
	w->token = ++o->waits_no;
	w->done = done;
	w->ctx = ctx;
	w->timer.fire = timed_out;
	list_append(&o->waits, &w->in);
	office_busy(o);
	shard_timer_set(o->shard, &w->timer, PATIENCE_MS);
	n = snprintf(text, sizeof text, "{\"t\":\"look\",\"node\":%lld,\"shard\":%u,\"n\":%llu,"
	    "\"ack\":true}", (long long)us, shard_id(o->shard), (unsigned long long)w->token);
	c->o.tell(c->o.ctx, node, (struct str){ text, (size_t)n });
}

struct looked {
	struct parcel parcel;
	uint64_t token;
};

static void
looked_open(void *here, struct parcel *p)
{
	struct looked *x = CONTAINER_OF(p, struct looked, parcel);
	struct office *o = here;

	for (struct list *l = o->waits.next; l != &o->waits; l = l->next)
		if (CONTAINER_OF(l, struct carrier_wait, in)->token == x->token) {
			wait_over(CONTAINER_OF(l, struct carrier_wait, in));
			break;
		}
	free(x);
}

void
carrier_looked(struct carrier *c, unsigned shard, uint64_t token)
{
	struct office *to = shard < COUNT(c->first->all->at) ? c->first->all->at[shard] : NULL;
	struct looked *x;

	if (to == NULL)
		return;
	x = mem_new(struct looked);
	*x = (struct looked){ .parcel.open = looked_open, .token = token };
	office_mail(c->first, to, &x->parcel);
}

/* ---- the other side -------------------------------------------------------------- */

void
carrier_ack_later(struct carrier *c, int64_t node, unsigned shard, uint64_t token)
{
	mem_grow(c->acks, c->acks_n, c->acks_cap);
	c->acks[c->acks_n++] = (struct carrier_ack){ node, shard, token, c->look + 1 };
}

void
carrier_acks(struct carrier *c)
{
	size_t kept = 0;
	char text[120];
	int n;

	for (size_t i = 0; i < c->acks_n; i++) {
		const struct carrier_ack a = c->acks[i];

		if (a.look > c->looked) {
			c->acks[kept++] = a;
			continue;
		}
		n = snprintf(text, sizeof text, "{\"t\":\"looked\",\"node\":%lld,\"shard\":%u,"
		    "\"n\":%llu}", (long long)store_node(c->first->all->store), a.shard,
		    (unsigned long long)a.token);
		c->o.tell(c->o.ctx, a.node, (struct str){ text, (size_t)n });
	}
	c->acks_n = kept;
}
