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
#include "mail/host/register.h"

/* Who wants an agent to stop; travels to its shard and back. */
struct stopping {
	struct parcel parcel;
	struct stopping *next;
	struct office *from;
	owner_t owner;
	struct uuid id;
	bool drain;
	msec deadline;
	void (*done)(void *ctx, int rc, const struct err *e);
	void *ctx;
	int rc;
	struct err err;
};

/* ---- states ---------------------------------------------------------------------- */

static void
become(struct office_agent *a, enum mail_state state)
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

static void settle(struct office_agent *a);

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
		become(a, AGENT_RUNNING);
	if (a->ended)
		settle(a);
	return taken;
}

static void
entry_free(struct office_agent *a)
{
	assert(a->self == NULL && a->stopping == NULL && !wheel_armed(&a->timer));
	agents_free(a->set);
	free((char *)a->error.p);
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

static void
answer(struct office *o, struct stopping *x)
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

		answer(o, x);
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
	(void)map_take(&o->agents, &a->spec.id);
	o->stats.agents[a->state]--;
	office_stir(o);
}

/* It is gone for good.  a may be freed. */
static void
leave(struct office_agent *a)
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

static void
fail(struct office_agent *a)
{
	if (a->stopping != NULL) {
		leave(a);
		return;
	}
	become(a, AGENT_FAILED);
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
static void
settle(struct office_agent *a)
{
	msec delay;

	stop_living(a);
	delay = a->state == AGENT_DRAINING ? -1 :
	    supervise_ended(&a->supervisor, a->end_rc != OK, random_bits(), office_now(a->o));
	if (delay >= 0) {
		post_pause(a->o->post, a->ref);
		become(a, AGENT_LOADED);
		shard_timer_set(a->o->shard, &a->timer, delay);
	} else if (a->end_rc == OK) {
		leave(a);
	} else {
		fail(a);
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
		settle(a);
}

/* ---- the beginning ------------------------------------------------------------------ */

static int
start(struct office_agent *a, enum office_start how, struct err *e)
{
	int rc;

	a->acting = true;
	rc = a->row->kind->start(a->row->ctx, a, &a->self, how, e);
	a->acting = false;
	if (rc == OK)
		become(a, AGENT_READY);
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
		leave(a);                    /* drained, or the deadline */
		return;
	}
	a->restarts++;
	rc = start(a, START_RESTARTED, &e);
	if (rc < 0)
		office_ended(a, rc, str_of(e.text));
	else if (a->ended)
		settle(a);
	else
		post_wake(a->o->post, a->ref);
}

static const struct office_row *
row_find(const struct office *o, struct str name)
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
static int
agent_make(struct office *o, const struct office_spec *s, struct office_agent **out,
    struct err *e)
{
	const struct agent *definition = NULL;
	const struct office_row *row = row_find(o, s->kind);
	struct agents *set = NULL;
	int rc = OK;

	if (s->graph_id.n > 0 && (row == NULL || !row->kind->modules))
		rc = find_definition(o, s->graph_id, &set, &definition, e);
	if (rc != OK)
		return rc;
	if (s->kind.n == 0)
		row = row_find(o, usual_kind(s, definition));
	rc = check_spec(o, s, row, e);
	if (rc == OK && atomic_fetch_add_explicit(&o->all->agents_n, 1, memory_order_relaxed) >=
	    LIMIT_AGENTS_LIVE) {
		atomic_fetch_sub_explicit(&o->all->agents_n, 1, memory_order_relaxed);
		rc = err_set(e, ERR_LIMIT, "%d agents live already", LIMIT_AGENTS_LIVE);
	}
	if (rc != OK) {
		agents_free(set);
		return rc;
	}
	*out = agent_new(o, s, row, set, definition);
	rc = enter(*out, e);
	if (rc != OK) {
		atomic_fetch_sub_explicit(&o->all->agents_n, 1, memory_order_relaxed);
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
	int rc = start(a, START_NEW, &e);

	if (rc != OK)
		leave(a);
	else if (a->ended)
		settle(a);
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
		leave(a);
		spawn_end(o, s, rc, e);
	}
}

void
office_spawn(struct office *o, struct office_spawn *s)
{
	struct office_agent *a;
	struct err e;
	int rc = o->draining ? err_set(&e, ERR_BUSY, "the server is stopping") : OK;

	if (uuid_is_zero(&s->spec.id))
		s->spec.id = uuid_v7();
	if (rc == OK)
		rc = agent_make(o, &s->spec, &a, &e);
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

struct attaching { owner_t owner; struct uuid id; };

/* Its row says that it is here: other nodes may know.  It may have gone meanwhile. */
static void
attached(struct office *o, void *ctx, int rc, const struct err *e)
{
	struct attaching *x = ctx;
	struct office_agent *a = roster_find(o, x->owner, &x->id);

	if (a != NULL && rc == OK) {
		a->hidden = false;
		announce_state(a);
	} else if (rc != OK) {
		log_warn("mail", "register", "error=%s", e->text);
	}
	free(x);
}

static void
attach(struct office_agent *a)
{
	struct attaching *x = mem_new(struct attaching);

	*x = (struct attaching){ a->spec.owner, a->spec.id };
	a->registered = true;
	register_put(a->o, &a->spec, true, a->created, attached, x);
}

/* One that another node had comes with its row. */
struct following { struct office *o; struct office_agent **out; int rc; struct err *e; };

static void
follow(void *ctx, const struct register_row *row)
{
	struct following *f = ctx;
	struct office_spec spec = row->spec;

	f->rc = agent_make(f->o, &spec, f->out, f->e);
	if (f->rc == OK) {
		(*f->out)->created = row->created;
		(*f->out)->restarts = row->restarts;
	}
}

static int
attach_make(struct office *o, const struct office_spec *spec, struct office_agent **out,
    struct err *e)
{
	struct following f = { .o = o, .out = out, .e = e, .rc = ERR_NOTFOUND };
	struct arena arena = ARENA(LIMIT_STATE_BYTES);
	struct store_mailer m;
	char id[UUID_TEXT];

	uuid_format(&spec->id, id);
	if (office_elsewhere(o, spec->owner, (struct str){ id, UUID_TEXT }, NULL) &&
	    store_mailer_get(o->reader, spec->owner, (struct str){ id, UUID_TEXT }, &arena,
	    &m) == OK)
		register_read(&m, follow, &f);
	arena_release(&arena);
	return f.rc == ERR_NOTFOUND ? agent_make(o, spec, out, e) : f.rc;
}

int
office_attach(struct office *o, const struct office_spec *spec, void *self,
    struct office_agent **out, struct err *e)
{
	int rc = attach_make(o, spec, out, e);

	if (rc != OK)
		return rc;
	(*out)->self = self;
	(*out)->hidden = spec->durable;
	become(*out, AGENT_READY);
	if (spec->durable)
		attach(*out);
	return OK;
}

/* ---- after a start ----------------------------------------------------------------- */

static int
revive(struct office_agent *a, const struct register_row *row, struct err *e)
{
	int rc;

	a->registered = true;
	a->created = row->created;
	a->restarts = row->restarts;
	if (row->state == AGENT_FAILED) {
		a->error = (struct str){ mem_cstr(row->error), row->error.n };
		fail(a);
		return OK;
	}
	rc = start(a, START_RECOVERED, e);
	if (rc == OK && a->ended)
		settle(a);
	return rc;
}

/* Each shard takes its share, whichever order it reads them in. */
static void
recover(void *ctx, const struct register_row *row)
{
	struct office *o = ctx;
	struct office_agent *a;
	struct err e = { 0 };
	int rc;

	if (o->all->at[row->spec.id.b[15] % o->all->shards] != o)
		return;
	rc = agent_make(o, &row->spec, &a, &e);
	if (rc == OK) {
		rc = revive(a, row, &e);
		if (rc != OK)
			office_ended(a, rc, str_of(e.text));
	}
	if (rc != OK)
		log_warn("mail", "agent_lost", "name=%.*s error=%s", FMT(row->spec.name), e.text);
}

struct taking { struct office *o; int rc; };

/* One in memory has gone with its node. */
static void
take_one(void *ctx, const struct register_row *row)
{
	struct taking *x = ctx;
	struct office *o = x->o;
	struct office_agent *a;
	struct err e = { 0 };

	if (!row->spec.durable) {
		register_delete(o, &row->spec, NULL, NULL);
		return;
	}
	x->rc = agent_make(o, &row->spec, &a, &e);
	if (x->rc == OK)
		x->rc = revive(a, row, &e);
	else
		a = NULL;
	if (x->rc == OK)
		return;
	if (a != NULL && x->rc == ERR_CONFLICT)
		roster_yield(a, 0);          /* it has to be made elsewhere */
	else if (a != NULL)
		office_ended(a, x->rc, str_of(e.text));
	log_warn("mail", x->rc == ERR_CONFLICT ? "agent_elsewhere" : "agent_lost",
	    "name=%.*s error=%s", FMT(row->spec.name), e.text);
}

int
roster_take(struct office *o, const struct store_mailer *m)
{
	struct taking x = { .o = o };
	struct mail_ref ref;

	/* Its run may have come before it. */
	if (mail_directory_id(o->all->directory, m->owner, &m->id, &ref) == OK &&
	    !mail_is_away(ref))
		return OK;
	register_read(m, take_one, &x);
	return x.rc;
}

struct office *
roster_home(struct office *o, const struct store_mailer *m)
{
	const struct office_row *row = row_find(o, m->kind);
	struct office *home = row == NULL || row->kind->home == NULL ? NULL :
	    row->kind->home(row->ctx, &m->id);

	return home != NULL ? home : o->all->at[m->id.b[15] % o->all->shards];
}

int
office_recover(struct office *o, struct err *e)
{
	int rc = letters_count(o, e);

	return rc == OK ? register_each(o, recover, o, e) : rc;
}

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
	become(a, AGENT_DRAINING);
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
		answer(o, x);
	} else if (x->drain && a->state == AGENT_DRAINING) {
		x->rc = err_set(&x->err, ERR_CONFLICT, "the agent drains already");
		answer(o, x);
	} else {
		x->next = a->stopping;
		a->stopping = x;
		if (x->drain && a->self != NULL)
			drain(a, x);
		else
			leave(a);
	}
}

void
office_stop(struct office *o, owner_t owner, struct str id_or_name, bool wait, msec deadline,
    void (*done)(void *ctx, int rc, const struct err *e), void *ctx)
{
	struct stopping *x;
	struct office *home;
	struct uuid id;
	struct err e;
	int rc = office_find(o, owner, id_or_name, &id, &home, &e);

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
