/*
 * pool_instance.c - instances: what the users of a pool call.
 *
 * These only change state and put frames into rings.  Hooks are called from the bell of a
 * process, or from the job at the turn's end, never inside a call of the user's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/pool_priv.h"

#include <assert.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wasm/guest.h"

static void
check_instance(const struct wasm_instance *i)
{
	CHECK_MARK(i, INSTANCE_MARK);
	assert((i->host == NULL) == (i->state == WAITS || i->state == LOST));
	assert((i->next != NULL) == (i->state == ARRIVES));
}

/* Instances. */

static struct wasm_limits
limits_of(const struct wasm_limits *l)
{
	return (struct wasm_limits){
		.pages = l->pages > 0 ? l->pages : LIMIT_WASM_PAGES,
		.depth = l->depth > 0 ? l->depth : LIMIT_WASM_DEPTH,
		.cpu_us = l->cpu_us > 0 ? l->cpu_us : LIMIT_WASM_CPU_US,
		.host_calls = l->host_calls > 0 ? l->host_calls : LIMIT_WASM_HOST_CALLS,
		.fuel = l->fuel > 0 ? l->fuel : LIMIT_WASM_FUEL,
		.message_bytes = l->message_bytes > 0 ? l->message_bytes :
		    LIMIT_WASM_MESSAGE_BYTES,
	};
}

int
wasm_instance_new(struct wasm_instance **out, struct wasm_pool *p,
    const struct wasm_instance_options *o, const struct wasm_hooks *h, void *arg, struct err *e)
{
	struct wasm_instance *i;
	struct group *g;

	CHECK_MARK(p, POOL_MARK);
	*out = NULL;
	if (p->stops)
		return err_set(e, ERR_BUSY, "the server stops");
	if (o->restore.n > LIMIT_WASM_IMAGE_BYTES)
		return err_set(e, ERR_TOOBIG, "a checkpoint of %zu bytes: at most %d", o->restore.n,
		    LIMIT_WASM_IMAGE_BYTES);
	g = pool_group(p, o->owner, o->code);
	if (g->instances >= LIMIT_WASM_INSTANCES)
		return err_set(e, ERR_LIMIT, "%u guests are live in the group of this owner: at most "
		    "%d a host process", g->instances, LIMIT_WASM_INSTANCES);
	i = mem_new(struct wasm_instance);
	i->mark = INSTANCE_MARK;
	i->pool = p;
	i->group = g;
	i->unit = group_unit(g, o->code);
	i->unit->users++;
	i->unit->used = shard_now(p->shard);
	i->hooks = *h;
	i->arg = arg;
	i->owner = o->owner;
	i->limits = limits_of(&o->limits);
	i->allow = o->allow;
	i->image = BUF(LIMIT_WASM_IMAGE_BYTES);
	buf_add(&i->image, o->restore);
	i->state = WAITS;
	g->instances++;
	p->holds++;
	TALLY(p->waiting, 1);
	TALLY(p->instances, 1);
	if (g == &p->groups[QUARANTINE])
		TALLY(p->quarantined, 1);
	group_add(g, i);
	*out = i;
	return OK;
}

static int
owed(enum instance_state s)
{
	return s == STARTS || s == CALLS || s == SAVES || s == LEAVES;
}

void
instance_become(struct wasm_instance *i, enum instance_state to)
{
	struct host *h = i->host;

	assert(h != NULL);
	host_owes(h, owed(to) - owed(i->state));
	list_remove(&i->in);
	list_append(to == IDLE && !i->fixed ? &h->idle : &h->busy, &i->in);
	i->state = to;
}

void
instance_drop_number(struct host *h, uint32_t number, bool stop)
{
	const struct wasm_frame f = { .type = WASM_STOP_FRAME, .agent = number };

	assert(h->lives > 0);
	h->lives--;
	if (!stop || h->state == HOST_DEAD) {
		host_number_free(h, number);
		return;
	}
	h->slots[number].i = NULL;
	h->slots[number].stopping = true;
	h->stopping++;
	host_owes(h, 1);
	(void)host_send(h, &f, NULL, 0, true);
}

void
instance_leave(struct wasm_instance *i, bool stop)
{
	struct host *h = i->host;

	assert(h != NULL);
	host_owes(h, -owed(i->state));
	list_remove(&i->in);
	i->host = NULL;
	instance_drop_number(h, i->number, stop);
}

struct loss *
loss_new(const struct err *why)
{
	struct loss *loss = mem_new(struct loss);

	*loss = (struct loss){ .refs = 1, .why = *why };
	return loss;
}

void
loss_drop(struct loss *loss)
{
	if (loss != NULL && --loss->refs == 0)
		free(loss);
}

/* Its process is dead, or it never got one. */
void
instance_lose(struct wasm_instance *i, struct loss *why)
{
	struct wasm_pool *p = i->pool;

	check_instance(i);
	i->save = i->save || i->state == SAVES;
	move_drop(i);
	if (i->host != NULL)
		instance_leave(i, false);
	else
		list_remove(&i->in);
	if (i->state == WAITS)
		TALLY(p->waiting, -1);
	i->state = LOST;
	i->loss = why;
	why->refs++;
	list_append(&p->lost, &i->in);
	TALLY(p->lost_n, 1);
	if (!p->stops)
		pool_turn(p);
}

/* Calls one hook, which may free the instance. */
static void
tell_lost(struct wasm_instance *i)
{
	const struct wasm_hooks hooks = i->hooks;
	struct loss *loss = i->loss;
	struct wasm_cost cost = { 0 };
	void *arg = i->arg;

	check_instance(i);
	if (i->save && i->started) {
		i->save = false;
		hooks.saved(arg, ERR_CLOSED, STR_NONE);
		return;
	}
	list_remove(&i->in);
	i->loss = NULL;
	if (i->started)
		hooks.trapped(arg, WASM_TRAP_OTHER, str_of(loss->why.text), &cost);
	else
		hooks.started(arg, loss->why.code, &loss->why);
	loss_drop(loss);
}

bool
instance_tell_lost(struct wasm_pool *p, unsigned most)
{
	for (unsigned n = 0; n < most && !p->stops && !list_empty(&p->lost); n++)
		tell_lost(CONTAINER_OF(p->lost.next, struct wasm_instance, in));
	return !list_empty(&p->lost);
}

void
wasm_instance_free(struct wasm_instance *i)
{
	struct wasm_pool *p;
	struct group *g;

	if (i == NULL)
		return;
	check_instance(i);
	p = i->pool;
	g = i->group;
	move_drop(i);
	if (i->host != NULL)
		instance_leave(i, true);
	else if (list_joined(&i->in))
		list_remove(&i->in);
	if (i->state == WAITS)
		TALLY(p->waiting, -1);
	loss_drop(i->loss);
	i->unit->users--;
	g->instances--;
	group_close_empty(g);
	TALLY(p->instances, -1);
	if (g == &p->groups[QUARANTINE])
		TALLY(p->quarantined, -1);
	buf_release(&i->image);
	free(i->held);
	CHECK_END(i);
	free(i);
	pool_drop(p);
}

/* Calls. */

int
instance_send_call(struct wasm_instance *i, struct str message, bool must)
{
	const struct wasm_frame f = { .type = WASM_CALL_FRAME, .agent = i->number,
		.call = i->call + 1 };
	int rc = host_send(i->host, &f, &message, 1, must);

	if (rc != OK)
		return rc;
	i->call++;
	i->said = 0;
	i->since = shard_now(i->pool->shard);
	instance_become(i, CALLS);
	TALLY(i->pool->calls, 1);
	return OK;
}

/* A move has begun: the call waits for its end. */
static int
hold_call(struct wasm_instance *i, struct str message)
{
	if (i->held != NULL || i->save)
		return ERR_CONFLICT;
	i->held = mem_alloc(message.n + 1);
	if (message.n > 0)
		memcpy(i->held, message.p, message.n);
	i->held_n = message.n;
	return OK;
}

int
wasm_instance_call(struct wasm_instance *i, struct str message)
{
	check_instance(i);
	if (message.n > i->limits.message_bytes)
		return ERR_TOOBIG;
	switch (i->state) {
	case IDLE:
		return instance_send_call(i, message, false);
	case STARTS:                         /* again, in another process */
		return i->started ? hold_call(i, message) : ERR_CONFLICT;
	case LEAVES:
	case ARRIVES:
		return hold_call(i, message);
	case LOST:
		return ERR_CLOSED;
	default:
		return ERR_CONFLICT;
	}
}

void
wasm_instance_answer(struct wasm_instance *i, int32_t rc, struct str body)
{
	struct wasm_frame f = { .type = WASM_ANSWER_FRAME, .a = rc };

	check_instance(i);
	if (i->state != ASKS)
		return;                      /* its process is lost, which will be told */
	if (body.n > LIMIT_WASM_FRAME_BYTES) {
		f.a = WASM_ETOOBIG;
		body = STR_NONE;
	}
	f.agent = i->number;
	f.call = i->call;
	instance_become(i, CALLS);
	(void)host_send(i->host, &f, &body, 1, true);
}

int
instance_send_save(struct wasm_instance *i, enum instance_state to, bool must)
{
	const struct wasm_frame f = { .type = WASM_SAVE_FRAME, .agent = i->number };
	int rc = host_send(i->host, &f, NULL, 0, must);

	if (rc != OK)
		return rc;
	buf_clear(&i->image);
	instance_become(i, to);
	return OK;
}

int
wasm_instance_save(struct wasm_instance *i)
{
	check_instance(i);
	if (i->held != NULL || i->save)
		return ERR_CONFLICT;
	switch (i->state) {
	case IDLE:
		return instance_send_save(i, SAVES, true);
	case STARTS:
		if (!i->started)
			return ERR_CONFLICT;
		i->save = true;
		return OK;
	case LEAVES:
	case ARRIVES:
		i->save = true;
		return OK;
	case LOST:
		return ERR_CLOSED;
	default:
		return ERR_CONFLICT;
	}
}

bool
wasm_instance_live(const struct wasm_instance *i)
{
	check_instance(i);
	return i->started && i->state != LOST;
}
