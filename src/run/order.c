/*
 * order.c - cancelling a run that exists, wherever it is.
 *
 * An order goes to the run's home, acts there, and comes back to the shard it
 * was given on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/mem.h"
#include "run/run_priv.h"

#define TRIES_MAX 16

struct order {
	struct parcel parcel;
	struct order *next;
	struct runs *away, *at;
	owner_t owner;
	struct uuid thread_id, run_id;
	bool wait;
	void (*done)(void *ctx, int rc);     /* NULL: nobody asks */
	void *ctx;
	int rc;
	unsigned tries;
};

static void
send(struct order *o, struct runs *to, void (*open)(struct runs *here,
    struct parcel *p))
{
	struct runs *from = o->at;

	o->parcel.open = open;
	o->at = to;
	courier_send(&from->courier, to, to->index, &o->parcel);
}

static void
close_open(struct runs *here, struct parcel *p)
{
	struct order *o = CONTAINER_OF(p, struct order, parcel);

	(void)here;
	if (o->done != NULL)
		o->done(o->ctx, o->rc);
	free(o);
}

void
order_finish(struct order *o, int rc)
{
	o->rc = rc;
	send(o, o->away, close_open);
}

struct order *
order_next(struct order *o)
{
	return o->next;
}

static void route_open(struct runs *here, struct parcel *p);

static void
arrive_open(struct runs *here, struct parcel *p)
{
	struct order *o = CONTAINER_OF(p, struct order, parcel);
	struct run *run = run_expect(here, o->owner, &o->run_id);

	if (run == NULL) {
		o->tries++;
		send(o, o->away, route_open);
		return;
	}
	run_hold(run);
	if (o->wait) {
		o->next = run->orders;
		run->orders = o;
	} else {
		order_finish(o, OK);
	}
	run_stop(run);
	run_drop(run);
}

/* The store has it pending, and nobody holds it: it is brought here first. */
static void
take_up(struct runs *here, struct order *o, const struct store_run *row)
{
	runs_adopt(here, o->owner, row->thread_seq, &row->thread_id);
	o->tries++;
	send(o, here, route_open);
}

static void
route_open(struct runs *here, struct parcel *p)
{
	struct order *o = CONTAINER_OF(p, struct order, parcel);
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;
	struct runs *home = NULL;
	enum whereabouts at;
	int rc = OK;

	at = run_locate(here, o->owner, &o->thread_id, &o->run_id, &a, &home, &row, &rc);
	if (at == AT_NONE)
		order_finish(o, rc);
	else if (at == AT_REST)
		order_finish(o, OK);
	else if (o->tries >= TRIES_MAX || here->draining)
		order_finish(o, ERR_BUSY);
	else if (at == AT_HOME)
		send(o, home, arrive_open);
	else if (row.status == RUN_PENDING)
		take_up(here, o, &row);
	else
		order_finish(o, ERR_IO);
	arena_release(&a);
}

void
run_cancel(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    const struct uuid *run_id, bool wait, void (*done)(void *ctx, int rc), void *ctx)
{
	struct order *o = mem_new(struct order);

	o->away = o->at = rs;
	o->owner = owner;
	o->thread_id = *thread_id;
	o->run_id = *run_id;
	o->wait = wait;
	o->done = done;
	o->ctx = ctx;
	send(o, rs, route_open);
}

void
order_cancel(struct runs *rs, const struct uuid *run_id, owner_t owner)
{
	static const struct uuid any;

	run_cancel(rs, owner, &any, run_id, false, NULL, NULL);
}
