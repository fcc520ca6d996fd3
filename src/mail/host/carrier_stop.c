/*
 * carrier_stop.c - a run's task stops an agent of another node.
 *
 *   the task's shard                        the first office of the agent's node
 *   {"t":"stop","shard":1,"n":7,...}   ---> stops it, as for anybody there
 *   tells who asked               <--- {"t":"stopped","shard":1,"n":7,"rc":0}
 *
 * Who asked gets ERR_BUSY when the other node is gone, or does not answer in time: whether the
 * agent has stopped is not known then.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/carrier_priv.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/node.h"

#define TICK_MS 1000

struct carrier_stop {
	struct list in;                      /* office.stops */
	struct office *o;
	uint64_t token;
	int64_t node;
	msec until;
	struct wheel_timer timer;
	void (*done)(void *ctx, int rc, const struct err *e);
	void *ctx;
};

static void
stop_over(struct carrier_stop *s, int rc, struct str why)
{
	struct office *o = s->o;
	struct err e;

	list_remove(&s->in);
	shard_timer_cancel(o->shard, &s->timer);
	if (rc != OK)
		err_set(&e, rc, "%.*s", FMT(why));
	s->done(s->ctx, rc, rc == OK ? NULL : &e);
	free(s);
	office_idle(o);
}

static void
tick(struct wheel_timer *t)
{
	struct carrier_stop *s = CONTAINER_OF(t, struct carrier_stop, timer);
	struct carrier *c = s->o->all->carrier;

	if (s->o->draining || office_now(s->o) >= s->until || !c->o.alive(c->o.ctx, s->node))
		stop_over(s, ERR_BUSY, S("the agent's server does not answer; try again"));
	else
		shard_timer_set(s->o->shard, &s->timer, TICK_MS);
}

bool
carrier_stop(struct office *o, int64_t node, owner_t owner, const struct uuid *id, bool drain,
    msec deadline, void (*done)(void *ctx, int rc, const struct err *e), void *ctx)
{
	struct carrier *c = o->all->carrier;
	int64_t us = store_node(o->all->store);
	struct buf b = BUF(LIMIT_CARRIER_BYTES);
	struct carrier_stop *s;
	char text[UUID_TEXT];

	if (us <= 0 || node <= 0 || o->draining || !atomic_load(&c->up) ||
	    !c->o.alive(c->o.ctx, node))
		return false;
	s = mem_new(struct carrier_stop);
	*s = (struct carrier_stop){ .o = o, .token = ++o->waits_no, .node = node, .done = done,
		.ctx = ctx, .timer.fire = tick,
		.until = office_now(o) + (drain ? deadline : 0) + LIMIT_MAIL_STOP_MS };
	uuid_format(id, text);
	list_append(&o->stops, &s->in);
	office_busy(o);
	shard_timer_set(o->shard, &s->timer, TICK_MS);
	json_add_fmt(&b, "{'t':'stop','node':%lld,'shard':%u,'n':%llu,'owner':%lld,'id':%.*s,"
	    "'drain':%hhd,'ms':%lld}", (long long)us, shard_id(o->shard),
	    (unsigned long long)s->token, (long long)owner, UUID_TEXT, text, drain,
	    (long long)deadline);
	c->o.tell(c->o.ctx, node, buf_str(&b));
	buf_release(&b);
	return true;
}

struct answer {
	struct parcel parcel;
	uint64_t token;
	int rc;
	char why[sizeof ((struct err *)0)->text];
};

static void
answer_open(void *here, struct parcel *p)
{
	struct answer *x = CONTAINER_OF(p, struct answer, parcel);
	struct office *o = here;

	for (struct list *l = o->stops.next; l != &o->stops; l = l->next)
		if (CONTAINER_OF(l, struct carrier_stop, in)->token == x->token) {
			stop_over(CONTAINER_OF(l, struct carrier_stop, in), x->rc, str_of(x->why));
			break;
		}
	free(x);
}

void
carrier_stopped(struct carrier *c, unsigned shard, uint64_t token, int64_t rc, struct str why)
{
	struct office *to = shard < COUNT(c->first->all->at) ? c->first->all->at[shard] : NULL;
	struct answer *x;

	if (to == NULL)
		return;
	x = mem_zero(sizeof *x);
	x->parcel.open = answer_open;
	x->token = token;
	x->rc = rc == OK || rc == ERR_NOTFOUND || rc == ERR_CONFLICT ? (int)rc : ERR_BUSY;
	why = str_cut(why, sizeof x->why - 1);
	if (why.n > 0)
		memcpy(x->why, why.p, why.n);
	office_mail(c->first, to, &x->parcel);
}

/* ---- the other side -------------------------------------------------------------- */

struct asked {
	struct carrier *c;
	int64_t node;
	unsigned shard;
	uint64_t token;
};

static void
asked_done(void *ctx, int rc, const struct err *e)
{
	struct asked *x = ctx;
	struct buf b = BUF(LIMIT_CARRIER_BYTES);

	json_add_fmt(&b, "{'t':'stopped','node':%lld,'shard':%u,'n':%llu,'rc':%d,'error':%s}",
	    (long long)store_node(x->c->first->all->store), x->shard,
	    (unsigned long long)x->token, rc, rc == OK ? "" : e->text);
	x->c->o.tell(x->c->o.ctx, x->node, buf_str(&b));
	buf_release(&b);
	free(x);
}

void
carrier_stop_asked(struct carrier *c, int64_t node, unsigned shard, uint64_t token, jnode m)
{
	struct str id = json_str(json_get(m, S("id")));
	owner_t owner = json_int(json_get(m, S("owner")));
	struct asked *x = mem_new(struct asked);
	struct office *home;
	struct uuid at;
	struct err e;
	int rc;

	*x = (struct asked){ c, node, shard, token };
	/* It is not passed on: two nodes may each believe that the other has it. */
	rc = office_find(c->first, owner, id, &at, &home, &e);
	if (rc != OK)
		asked_done(x, rc, &e);
	else
		office_stop(c->first, owner, id, json_bool(json_get(m, S("drain"))),
		    json_int(json_get(m, S("ms"))), asked_done, x);
}
