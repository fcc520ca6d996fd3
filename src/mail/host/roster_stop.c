/*
 * roster_stop.c - an agent is stopped, from any shard: at once, or when what waits for it is
 * delivered.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "mail/host/carrier_priv.h"
#include "mail/host/roster_priv.h"

/* ---- stopping -------------------------------------------------------------------- */

/* Maybe from inside its kind, which has just settled the last letter: so later. */
static void
drained(void *ctx)
{
	struct office_agent *a = ctx;

	shard_timer_cancel(a->o->shard, &a->timer);
	shard_timer_set(a->o->shard, &a->timer, 0);
}

static void
drain(struct office_agent *a, struct stopping *x)
{
	roster_become(a, AGENT_DRAINING);
	shard_timer_cancel(a->o->shard, &a->timer);
	shard_timer_set(a->o->shard, &a->timer, x->deadline);
	(void)post_drain(a->o->post, a->ref, drained, a);
}

static void
stop_open(void *here, struct parcel *p)
{
	struct stopping *x = CONTAINER_OF(p, struct stopping, parcel);
	struct office *o = here;
	struct office_agent *a = roster_find(o, x->owner, &x->id);

	if (a == NULL) {
		x->rc = err_set(&x->err, ERR_NOTFOUND, "the agent has stopped");
		roster_answer(o, x);
	} else if (x->drain && a->state == AGENT_DRAINING) {
		x->rc = err_set(&x->err, ERR_CONFLICT, "the agent drains already");
		roster_answer(o, x);
	} else {
		x->next = a->stopping;
		a->stopping = x;
		if (x->drain && a->self != NULL)
			drain(a, x);
		else
			roster_leave(a);
	}
}

void
office_stop(struct office *o, owner_t owner, struct str id_or_name, bool wait, msec deadline,
    void (*done)(void *ctx, int rc, const struct err *e), void *ctx)
{
	struct stopping *x;
	struct office *home;
	struct uuid id;
	int64_t node = 0;
	struct err e;
	int rc = office_find(o, owner, id_or_name, &id, &home, &e);

	if (rc == ERR_BUSY && office_elsewhere(o, owner, id_or_name, &node) &&
	    carrier_stop(o, node, owner, &id, wait, deadline, done, ctx))
		return;
	if (rc != OK) {
		done(ctx, rc, &e);
		return;
	}
	x = mem_new(struct stopping);
	x->from = o;
	x->owner = owner;
	x->id = id;
	x->drain = wait;
	x->deadline = deadline;
	x->done = done;
	x->ctx = ctx;
	x->parcel.open = stop_open;
	office_busy(o);
	if (home == o)
		stop_open(o, &x->parcel);
	else
		office_mail(o, home, &x->parcel);
}
