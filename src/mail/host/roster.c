/*
 * roster.c - the agents at home on a shard: spawned, watched over, stopped.
 *
 *   spawn --> LOADED --start--> READY --first letter--> RUNNING
 *                ^                          |  |  '--stop, drain--> DRAINING --> gone
 *                '---- supervisor: later ---'  '-- ended: gone (OK), or FAILED
 *
 * An agent that waits to be started again keeps its mailbox, which is paused.  One that
 * failed for good has none, and stays in the list with its error until it is stopped.
 * What its kind does (start, take) runs with `acting` set: an end that is told from
 * inside is settled afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/mem.h"
#include "chart/chart.h"
#include "mail/host/carrier_priv.h"
#include "mail/host/roster_priv.h"
#include "mail/host/register.h"

/* ---- states ---------------------------------------------------------------------- */

void
roster_become(struct office_agent *a, enum mail_state state)
{
	struct office *o = a->o;

	o->stats.agents[a->state]--;
	o->stats.agents[state]++;
	a->state = (uint8_t)state;
	a->updated = office_now(o);
	mail_directory_set_state(o->all->directory, &a->spec.id, state);
	announce_state(a);
	office_stir(o);
}

struct office_agent *
roster_find(struct office *o, owner_t owner, const struct uuid *id)
{
	struct office_agent *a = map_get(&o->agents, id);

	return a != NULL && a->spec.owner == owner ? a : NULL;
}

/* ---- letters ---------------------------------------------------------------------- */

bool
roster_is_full(struct office *o, struct mail_ref at)
{
	const struct office_agent *a = system_has(o, at) ? NULL : post_agent(o->post, at);
	size_t max = a == NULL ? SIZE_MAX : a->spec.mailbox_max > 0 ? a->spec.mailbox_max :
	    LIMIT_MAILBOX_LETTERS;

	return post_waiting(o->post, at) >= max;
}

static enum mail_taken
take(void *ctx, struct letter *l)
{
	struct office_agent *a = ctx;
	enum mail_taken taken;

	if (a->self == NULL)
		return MAIL_BUSY;
	a->acting = true;
	taken = a->row->kind->take(a->self, l);
	a->acting = false;
	if (a->state == AGENT_READY && taken != MAIL_BUSY)
		roster_become(a, AGENT_RUNNING);
	if (a->ended)
		roster_settle(a);
	return taken;
}

static void
entry_free(struct office_agent *a)
{
	assert(a->self == NULL && a->stopping == NULL && !wheel_armed(&a->timer));
	agents_free(a->set);
	free((char *)a->error.p);
	free(a->owed);
	free(a);
}

static void
closed(void *ctx)
{
	struct office_agent *a = ctx;

	a->ref = MAIL_NOBODY;
	if (a->state != AGENT_FAILED)
		entry_free(a);
}

/* What `cap:` chooses by. */
static void
load(void *self, uint32_t pending)
{
	const struct office_agent *a = self;

	mail_directory_load(a->o->all->directory, &a->spec.id, pending);
	announce_load(a, pending);
}

/* Without and with capabilities, or other nodes. */
static const struct mail_kind mailbox_kinds[] = {
	{ "agent", take, closed, NULL }, { "agent", take, closed, load }
};

/* ---- the end ---------------------------------------------------------------------- */

static void
answer_open(void *here, struct parcel *p)
{
	struct stopping *x = CONTAINER_OF(p, struct stopping, parcel);

	x->done(x->ctx, x->rc, x->rc == OK ? NULL : &x->err);
	free(x);
	office_idle(here);
}

void
roster_answer(struct office *o, struct stopping *x)
{
	x->parcel.open = answer_open;
	if (x->from == o)
		answer_open(o, &x->parcel);
	else
		office_mail(o, x->from, &x->parcel);
}

static void
answer_all(struct office *o, struct stopping *x)
{
	while (x != NULL) {
		struct stopping *next = x->next;

		roster_answer(o, x);
		x = next;
	}
}

/* Who asked is answered when the store does not have the agent any more. */
static void
deleted(struct office *o, void *ctx, int rc, const struct err *e)
{
	for (struct stopping *x = ctx; rc != OK && x != NULL; x = x->next) {
		x->rc = rc;
		x->err = *e;
	}
	answer_all(o, ctx);
}

static void
stop_living(struct office_agent *a)
{
	void *self = a->self;

	assert(!a->acting);
	shard_timer_cancel(a->o->shard, &a->timer);
	a->self = NULL;
	if (self != NULL)
		a->row->kind->stop(self);
	a->ended = false;
}

static void
forget(struct office_agent *a)
{
	struct office *o = a->o;

	mail_directory_remove(o->all->directory, a->spec.owner, &a->spec.id);
	announce_gone(a);
	atomic_fetch_add_explicit(&o->all->changes, 1, memory_order_release);
	atomic_fetch_sub_explicit(&o->all->agents_n, 1, memory_order_relaxed);
	owned_drop(o->all, a->spec.owner);
	(void)map_take(&o->agents, &a->spec.id);
	o->stats.agents[a->state]--;
	office_stir(o);
}

/* It is gone for good.  a may be freed. */
void
roster_leave(struct office_agent *a)
{
	struct stopping *who = a->stopping;
	struct office *o = a->o;

	stop_living(a);
	forget(a);
	if (a->registered)
		register_delete(o, &a->spec, who == NULL ? NULL : deleted, who);
	else
		answer_all(o, who);
	a->stopping = NULL;
	if (a->state == AGENT_FAILED)
		entry_free(a);
	else
		(void)post_close(o->post, a->ref);
}

struct yielding { const struct office_agent *a; int64_t node; };

/* A letter in memory has no row that goes with its agent: it gets one. */
static void
send_after(void *ctx, const struct letter *l)
{
	const struct yielding *y = ctx;

	if ((l->flags & LETTER_DURABLE) == 0)
		carrier_send_after(y->a->o, y->a->spec.owner, &y->a->spec.id, y->node,
		    letter_packed(l));
}

void
roster_yield(struct office_agent *a, int64_t node)
{
	struct yielding y = { a, node };
	struct stopping *who = a->stopping;
	struct office *o = a->o;

	if (a->self != NULL && a->row->kind->yield != NULL)
		a->row->kind->yield(a->self);
	stop_living(a);
	forget(a);
	for (struct stopping *x = who; x != NULL; x = x->next)
		x->rc = err_set(&x->err, ERR_BUSY, "the agent went to another server; try again");
	answer_all(o, who);
	a->stopping = NULL;
	if (a->state == AGENT_FAILED)
		entry_free(a);
	else
		(void)post_abandon(o->post, a->ref, node != 0 ? send_after : NULL, &y);
	office_stir(o);
}

void
roster_yield_all(struct office *o)
{
	struct office_agent *a, **all = NULL;
	size_t n = 0, cap = 0, at = 0;

	while ((a = map_each(&o->agents, &at)) != NULL) {
		mem_grow(all, n, cap);
		all[n++] = a;
	}
	for (size_t i = 0; i < n; i++)
		roster_yield(all[i], 0);
	free(all);
}

void
roster_fail(struct office_agent *a)
{
	if (a->stopping != NULL) {
		roster_leave(a);
		return;
	}
	roster_become(a, AGENT_FAILED);
	if (a->registered)
		register_set(a->o, a);
	(void)post_close(a->o->post, a->ref);
}

static uint64_t
random_bits(void)
{
	uint64_t v;

	id_random(&v, sizeof v);
	return v;
}

/* After its end: again, later, or never. */
void
roster_settle(struct office_agent *a)
{
	msec delay;

	stop_living(a);
	delay = a->state == AGENT_DRAINING ? -1 :
	    supervise_ended(&a->supervisor, a->end_rc != OK, random_bits(), office_now(a->o));
	if (delay >= 0) {
		post_pause(a->o->post, a->ref);
		roster_become(a, AGENT_LOADED);
		shard_timer_set(a->o->shard, &a->timer, delay);
	} else if (a->end_rc == OK) {
		roster_leave(a);
	} else {
		roster_fail(a);
	}
}

void
office_ended(struct office_agent *a, int rc, struct str error)
{
	free((char *)a->error.p);
	a->error = (struct str){ mem_cstr(error), error.n };
	a->end_rc = rc;
	a->ended = true;
	if (!a->acting)
		roster_settle(a);
}

/* ---- the beginning ------------------------------------------------------------------ */

int
roster_start(struct office_agent *a, enum office_start how, struct err *e)
{
	int rc;

	a->acting = true;
	rc = a->row->kind->start(a->row->ctx, a, &a->self, how, e);
	a->acting = false;
	if (rc == OK)
		roster_become(a, AGENT_READY);
	return rc;
}

static void
again(struct wheel_timer *t)
{
	struct office_agent *a = CONTAINER_OF(t, struct office_agent, timer);
	struct err e;
	int rc;

	if (a->o->still)
		return;
	if (a->state == AGENT_DRAINING) {
		roster_leave(a);                    /* drained, or the deadline */
		return;
	}
	a->restarts++;
	rc = roster_start(a, START_RESTARTED, &e);
	if (rc < 0)
		office_ended(a, rc, str_of(e.text));
	else if (a->ended)
		roster_settle(a);
	else
		post_wake(a->o->post, a->ref);
}

const struct office_row *
roster_kind(const struct office *o, struct str name)
{
	for (size_t i = 0; i < o->kinds_n; i++)
		if (str_eq(str_of(o->kinds[i].kind->name), name))
			return &o->kinds[i];
	return NULL;
}

/* What is not said: the kind.  A chart that only hears and sends needs no thread. */
static struct str
usual_kind(const struct office_spec *s, const struct agent *definition)
{
	if (definition == NULL)
		return S("external");
	return !s->durable && definition->chart != NULL && definition->nodes_n == 0 ?
	    S("chart") : S("run");
}

static int
find_definition(struct office *o, struct str id, struct agents **set, const struct agent **out,
    struct err *e)
{
	pthread_mutex_lock(&o->all->lock);
	*set = agents_hold(o->all->agents);
	pthread_mutex_unlock(&o->all->lock);
	*out = agents_find(*set, id);
	if (*out != NULL)
		return OK;
	agents_free(*set);
	*set = NULL;
	return err_set(e, ERR_NOTFOUND, "graph_id: no agent is defined as '%.*s'",
	    FMT(str_sub(id, 0, LIMIT_NAME_BYTES)));
}

static int
check_spec(const struct office *o, const struct office_spec *s, const struct office_row *row,
    struct err *e)
{
	if (row == NULL)
		return err_set(e, ERR_INVALID, "kind: there is no kind of agent '%.*s'",
		    FMT(str_sub(s->kind, 0, LIMIT_NAME_BYTES)));
	if (s->durable && !row->kind->durable)
		return err_set(e, ERR_INVALID, "durable: an agent of kind '%s' lives in memory "
		    "alone", row->kind->name);
	if (str_eq(s->name, AMS) || system_named(o, s->name))
		return err_set(e, ERR_CONFLICT, "name: '%.*s' is the server's own", FMT(s->name));
	if (s->mailbox_max > LIMIT_MAILBOX_LETTERS_MAX)
		return err_set(e, ERR_LIMIT, "mailbox_max: at most %d", LIMIT_MAILBOX_LETTERS_MAX);
	return OK;
}

/* A name or an id that is taken is found out here. */
static int
enter(struct office_agent *a, struct err *e)
{
	struct office *o = a->o;
	const struct office_spec *s = &a->spec;
	const struct mail_entry entry = { .owner = s->owner, .id = s->id, .ref = a->ref,
		.name = s->name, .capabilities = s->capabilities,
		.capabilities_n = s->capabilities_n, .state = AGENT_LOADED };
	int rc = mail_directory_put(o->all->directory, &entry, e);

	/* Another node's may be one that has just gone: the store decides. */
	if (rc == ERR_CONFLICT && announce_evict(o, s))
		rc = mail_directory_put(o->all->directory, &entry, e);
	if (rc != OK)
		return rc;
	atomic_fetch_add_explicit(&o->all->changes, 1, memory_order_release);
	(void)map_put(&o->agents, a);
	o->stats.agents[AGENT_LOADED]++;
	return OK;
}

static struct office_agent *
agent_new(struct office *o, const struct office_spec *s, const struct office_row *row,
    struct agents *set, const struct agent *definition)
{
	struct office_spec whole = *s;
	struct office_agent *a;
	const struct supervise_rule rule = { .when = s->restart, .max = s->restarts_max,
		.window = s->restarts_window, .backoff = s->backoff };

	whole.kind = str_of(row->kind->name);
	a = mem_zero(sizeof *a + spec_bytes(&whole));
	a->o = o;
	a->row = row;
	a->set = set;
	a->definition = definition;
	a->spec = whole;
	spec_keep(&a->spec, a + 1);
	uuid_format(&s->id, a->id_text);
	a->state = AGENT_LOADED;
	a->created = a->updated = office_now(o);
	a->timer.fire = again;
	supervise_begin(&a->supervisor, &rule);
	a->ref = post_open(o->post, &mailbox_kinds[s->capabilities_n > 0 || o->all->carrier != NULL],
	    a, s->mailbox_max);
	return a;
}

/* Puts it in the roster; *out is not started yet. */
int
roster_make(struct office *o, const struct office_spec *s, struct office_agent **out,
    struct err *e)
{
	const struct agent *definition = NULL;
	const struct office_row *row = roster_kind(o, s->kind);
	struct agents *set = NULL;
	int rc = OK;

	if (s->graph_id.n > 0 && (row == NULL || !row->kind->modules))
		rc = find_definition(o, s->graph_id, &set, &definition, e);
	if (rc != OK)
		return rc;
	if (s->kind.n == 0)
		row = roster_kind(o, usual_kind(s, definition));
	rc = check_spec(o, s, row, e);
	if (rc == OK && atomic_fetch_add_explicit(&o->all->agents_n, 1, memory_order_relaxed) >=
	    LIMIT_AGENTS_LIVE) {
		atomic_fetch_sub_explicit(&o->all->agents_n, 1, memory_order_relaxed);
		rc = err_set(e, ERR_LIMIT, "%d agents live already", LIMIT_AGENTS_LIVE);
	} else if (rc == OK) {
		rc = owned_add(o->all, s->owner, s->agents_max, e);
		if (rc != OK)
			atomic_fetch_sub_explicit(&o->all->agents_n, 1, memory_order_relaxed);
	}
	if (rc != OK) {
		agents_free(set);
		return rc;
	}
	*out = agent_new(o, s, row, set, definition);
	rc = enter(*out, e);
	if (rc != OK) {
		atomic_fetch_sub_explicit(&o->all->agents_n, 1, memory_order_relaxed);
		owned_drop(o->all, s->owner);
		(void)post_close(o->post, (*out)->ref);
	}
	return rc;
}

static void
spawn_end(struct office *o, struct office_spawn *s, int rc, const struct err *e)
{
	s->done(s, rc, e);
	office_idle(o);
}

static void
spawn_start(struct office_agent *a, struct office_spawn *s)
{
	struct office *o = a->o;
	struct err e;
	int rc = roster_start(a, START_NEW, &e);

	if (rc != OK)
		roster_leave(a);
	else if (a->ended)
		roster_settle(a);
	else
		post_wake(o->post, a->ref);
	spawn_end(o, s, rc, rc == OK ? NULL : &e);
}

/* It may have been stopped meanwhile. */
static void
spawn_registered(struct office *o, void *ctx, int rc, const struct err *e)
{
	struct office_spawn *s = ctx;
	struct office_agent *a = roster_find(o, s->spec.owner, &s->spec.id);
	struct err gone;

	if (a == NULL) {
		err_set(&gone, ERR_CANCELLED, "the agent was stopped");
		spawn_end(o, s, ERR_CANCELLED, &gone);
	} else if (rc == OK) {
		spawn_start(a, s);
	} else {
		a->registered = false;
		roster_leave(a);
		spawn_end(o, s, rc, e);
	}
}

/* An id that another node's agent has.  Of an agent with a row the store decides. */
static bool
id_is_elsewhere(struct office *o, const struct office_spec *s)
{
	char id[UUID_TEXT];

	if (s->durable || s->name.n > 0 || uuid_is_zero(&s->id))
		return false;
	uuid_format(&s->id, id);
	return office_elsewhere(o, s->owner, (struct str){ id, UUID_TEXT }, NULL);
}

void
office_spawn(struct office *o, struct office_spawn *s)
{
	struct office_agent *a;
	struct err e;
	int rc = o->draining ? err_set(&e, ERR_BUSY, "the server is stopping") :
	    id_is_elsewhere(o, &s->spec) ? err_set(&e, ERR_CONFLICT, "the id is taken") : OK;

	if (uuid_is_zero(&s->spec.id))
		s->spec.id = uuid_v7();
	if (rc == OK)
		rc = roster_make(o, &s->spec, &a, &e);
	office_busy(o);
	if (rc != OK) {
		spawn_end(o, s, rc, &e);
	} else if (s->spec.durable || (o->all->carrier != NULL && s->spec.name.n > 0)) {
		a->registered = true;
		register_put(o, &a->spec, false, a->created, spawn_registered, s);
	} else {
		spawn_start(a, s);
	}
}

void
roster_free(struct office *o)
{
	struct office_agent *a;
	size_t at = 0;

	while ((a = map_each(&o->agents, &at)) != NULL) {
		struct stopping *who = a->stopping;

		stop_living(a);
		a->stopping = NULL;
		while (who != NULL) {
			struct stopping *next = who->next;

			free(who);
			who = next;
		}
		if (a->state == AGENT_FAILED)
			entry_free(a);
	}
}

/* ---- for kinds --------------------------------------------------------------------- */

const struct office_spec *
office_agent_spec(const struct office_agent *a)
{
	return &a->spec;
}

struct str
office_agent_address(const struct office_agent *a)
{
	return a->spec.name.n > 0 ? a->spec.name : (struct str){ a->id_text, UUID_TEXT };
}

const struct agent *
office_agent_definition(const struct office_agent *a)
{
	return a->definition;
}

struct mail_ref
office_agent_ref(const struct office_agent *a)
{
	return a->ref;
}

struct office *
office_agent_office(const struct office_agent *a)
{
	return a->o;
}

void
office_agent_wake(struct office_agent *a)
{
	post_wake(a->o->post, a->ref);
}

void
office_agent_delivered(struct office_agent *a, struct letter *l)
{
	post_done(a->o->post, l);
	office_stir(a->o);
}

void
office_agent_done(struct office_agent *a, struct letter *l)
{
	l->flags &= (uint8_t)~LETTER_DURABLE;
	office_agent_delivered(a, l);
}

void
office_agent_failed(struct office_agent *a, struct letter *l)
{
	post_failed(a->o->post, l, office_now(a->o));
	office_stir(a->o);
}

void
office_agent_return(struct office_agent *a, struct letter *l)
{
	post_return(a->o->post, l);
	office_stir(a->o);
}
