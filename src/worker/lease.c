/*
 * lease.c - the home's side of an offer: from the match to its end, and the calls about it.
 *
 * What comes from other shards (a match, a call, that a session is gone) names the task, not
 * the offer: the offer may have ended since.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker/worker_priv.h"

#include <string.h>

#include "base/log.h"

/* To the home of a task. */
struct word {
	struct parcel parcel;
	struct uuid task_id;
	const char *why;
};

static struct worker_offer *
offer_find(struct worker_desk *d, const struct uuid *task_id)
{
	return map_get(&d->offers, task_id);
}

/* ---- from other shards ---------------------------------------------------------- */

static void
word_send(struct worker_desk *d, struct worker_offer *o, const char *why,
    void (*open)(void *here, struct parcel *p))
{
	struct word *w = mem_new(struct word);

	w->parcel.open = open;
	w->task_id = o->task_id;
	w->why = why;
	courier_send(&d->courier, o->home->shard, o->home, &w->parcel);
}

static void
on_begin(void *here, struct parcel *p)
{
	struct word *w = CONTAINER_OF(p, struct word, parcel);

	lease_begin(here, &w->task_id);
	free(w);
}

void
lease_tell_begin(struct worker_desk *d, struct worker_offer *o)
{
	word_send(d, o, NULL, on_begin);
}

static void lease_lose(struct worker_offer *o, const char *why);

static void
on_lost(void *here, struct parcel *p)
{
	struct word *w = CONTAINER_OF(p, struct word, parcel);
	struct worker_offer *o = offer_find(here, &w->task_id);

	if (o != NULL && o->state != WORKER_QUEUED)
		lease_lose(o, w->why);
	free(w);
}

void
lease_tell_lost(struct worker_desk *d, struct worker_offer *o, const char *why)
{
	word_send(d, o, why, on_lost);
}

/* ---- ends --------------------------------------------------------------------------- */

void
outbox_drop(struct worker_task *t)
{
	list_remove(&t->in_session);
	if (t->offer != NULL)
		t->offer->task = NULL;
	buf_release(&t->text);
	free(t);
}

void
notice_free(struct worker_notice *n)
{
	list_remove(&n->in_session);
	if (n->offer != NULL)
		n->offer->notice = NULL;
	free((char *)(uintptr_t)n->reason.p);
	free(n);
}

/* o leaves its session.  Under the lock. */
static void
session_leave(struct worker_desk *d, struct worker_offer *o)
{
	struct worker_session *s = o->session;
	bool unsent = o->state != WORKER_LEASED || o->task != NULL;

	if (s == NULL)
		return;
	if (o->state == WORKER_LEASED)
		d->workers->leases_n--;
	if (o->task != NULL)
		outbox_drop(o->task);
	if (o->notice != NULL)
		notice_free(o->notice);
	list_remove(&o->in_session);
	o->session = NULL;
	if (unsent) {
		assert(s->flight[slot_of(o->kind)] > 0);
		s->flight[slot_of(o->kind)]--;
		session_serve(d, s);
	}
	session_drop(s);
}

static void
calls_leave(struct worker_offer *o)
{
	while (!list_empty(&o->calls)) {
		struct worker_call *c = CONTAINER_OF(o->calls.next, struct worker_call,
		    in_offer);

		list_remove(&c->in_offer);
		c->offer = NULL;
	}
}

/* The token is void; o is in no table. */
static void
offer_end(struct worker_offer *o, const char *how)
{
	struct worker_desk *d = o->home;
	struct workers *ws = d->workers;

	assert(o->state != WORKER_IDLE);
	shard_timer_cancel(d->shard, &o->lease);
	shard_timer_cancel(d->shard, &o->patience);
	shard_timer_cancel(d->shard, &o->grace);
	map_take(&d->offers, &o->task_id);
	calls_leave(o);
	explicit_bzero(o->token, sizeof o->token);
	workers_lock(ws);
	if (o->state == WORKER_QUEUED)
		offer_unqueue(ws, o);
	attempt_end(o, how, shard_wall(d->shard));
	session_leave(d, o);
	if (o->pin != NULL)
		o->pin->pins--;
	o->pin = NULL;
	o->service = NULL;
	o->state = WORKER_IDLE;
	workers_unlock(ws);
	free((char *)(uintptr_t)o->reason.p);
	o->reason = STR_NONE;
	o->cancelled = false;
}

void
workers_withdraw(struct worker_offer *o, const char *how)
{
	if (o->state != WORKER_IDLE)
		offer_end(o, how);
}

/* A new name; its last byte is the home. */
static void
task_name(struct worker_desk *d, struct worker_offer *o)
{
	o->task_id = worker_name_new(d->workers);
	o->task_id.b[15] = (uint8_t)shard_id(d->shard);
}

/* Under the lock. */
static bool
is_sent(const struct worker_offer *o)
{
	return o->state == WORKER_LEASED && o->task == NULL;
}

/* What is queued is offered to others when its patience ends. */
static void
patience_begin(struct worker_offer *o)
{
	struct worker_desk *d = o->home;
	nsec left = o->patient - shard_now(d->shard);

	if (o->state == WORKER_QUEUED && left > 0)
		shard_timer_set(d->shard, &o->patience, left / NS_PER_MS + 1);
}

/* It waits again, under another name, as the first of its owner.  False: it was sent. */
static bool
requeue(struct worker_offer *o)
{
	struct worker_desk *d = o->home;
	struct workers *ws = d->workers;
	bool sent;

	workers_lock(ws);
	sent = is_sent(o);
	if (!sent) {
		shard_timer_cancel(d->shard, &o->lease);
		map_take(&d->offers, &o->task_id);
		explicit_bzero(o->token, sizeof o->token);
		attempt_end(o, "not sent", shard_wall(d->shard));
		session_leave(d, o);
		task_name(d, o);
		map_put(&d->offers, o);
		offer_queue(ws, o, true);
		offer_match(d, o);
	}
	workers_unlock(ws);
	patience_begin(o);
	away_want(o);
	return !sent;
}

static void
lease_lose(struct worker_offer *o, const char *why)
{
	struct workers *ws = o->home->workers;
	const struct worker_hooks *hooks = o->hooks;

	if (!o->cancelled && requeue(o))
		return;
	if (!o->cancelled)
		atomic_fetch_add_explicit(&ws->lost, 1, memory_order_relaxed);
	log_info("worker", "lost", "kind=%s name=%.*s attempt=%u why=%s",
	    worker_kind_name(o->kind), FMT(o->name), o->attempt, why);
	offer_end(o, why);
	hooks->lost(o, why);
}

static void
mute(const struct worker_offer *o)
{
	struct worker_desk *d = o->home;

	workers_lock(d->workers);
	if (o->session != NULL && !o->session->gone)
		away_mute(d, o->session);
	workers_unlock(d->workers);
}

static void
on_lease(struct wheel_timer *t)
{
	struct worker_offer *o = CONTAINER_OF(t, struct worker_offer, lease);

	mute(o);
	lease_lose(o, "silent");
}

static void
on_grace(struct wheel_timer *t)
{
	lease_lose(CONTAINER_OF(t, struct worker_offer, grace), "cancelled");
}

/* ---- offering ------------------------------------------------------------------------ */

static void
on_patience(struct wheel_timer *t)
{
	struct worker_offer *o = CONTAINER_OF(t, struct worker_offer, patience);
	struct workers *ws = o->home->workers;

	workers_lock(ws);
	if (o->state == WORKER_QUEUED)
		offer_match(o->home, o);
	workers_unlock(ws);
}

static int
offer_enter(struct worker_desk *d, struct worker_offer *o, struct err *e)
{
	struct workers *ws = d->workers;

	if (ws->offers_n >= LIMIT_WORKER_OFFERS)
		return err_set(e, ERR_LIMIT, "%d tasks wait for workers",
		    LIMIT_WORKER_OFFERS);
	o->service = service_get(ws, service_of(o->kind), o->name);
	if (o->service == NULL)
		return err_set(e, ERR_LIMIT, "tasks for %d names wait for workers",
		    LIMIT_WORKER_NAMES);
	if (o->build.n > 0) {
		o->pin = build_get(o->service, o->build, shard_wall(d->shard));
		o->pin->pins++;
	}
	map_put(&d->offers, o);
	offer_queue(ws, o, false);
	offer_match(d, o);
	return OK;
}

int
workers_offer(struct worker_desk *d, struct worker_offer *o, struct err *e)
{
	struct workers *ws = d->workers;
	int rc;

	assert(o->state == WORKER_IDLE && o->session == NULL && o->task == NULL);
	o->home = d;
	task_name(d, o);
	o->lease.fire = on_lease;
	o->patience.fire = on_patience;
	o->grace.fire = on_grace;
	o->patient = shard_now(d->shard) + ws->o.sticky * NS_PER_MS;
	o->pin = NULL;
	o->attempt_seq = 0;
	list_init(&o->calls);
	workers_lock(ws);
	rc = offer_enter(d, o, e);
	workers_unlock(ws);
	if (rc < 0)
		return rc;
	atomic_fetch_add_explicit(&ws->offers, 1, memory_order_relaxed);
	patience_begin(o);
	away_want(o);
	return OK;
}

/* ---- a lease --------------------------------------------------------------------------- */

static void
lease_renew(struct worker_offer *o)
{
	struct worker_desk *d = o->home;
	msec lease = d->workers->o.lease;

	o->until = shard_wall(d->shard) + lease;
	shard_timer_set(d->shard, &o->lease, lease);
}

void
lease_begin(struct worker_desk *d, const struct uuid *task_id)
{
	struct workers *ws = d->workers;
	struct worker_offer *o = offer_find(d, task_id);
	struct worker_who who;
	uint8_t bytes[WORKER_TOKEN_CHARS / 2];
	struct buf token = BUF(WORKER_TOKEN_CHARS);
	bool gone;

	if (o == NULL || o->state != WORKER_MATCHED)
		return;
	workers_lock(ws);
	gone = o->session->gone;
	if (!gone)
		o->state = WORKER_HELD;
	who = (struct worker_who){ o->session->id_text, o->session->build, o->session->name };
	workers_unlock(ws);
	if (gone) {
		requeue(o);
		return;
	}
	shard_timer_cancel(d->shard, &o->patience);
	id_random(bytes, sizeof bytes);
	hex_add(&token, bytes, sizeof bytes);
	memcpy(o->token, token.p, sizeof o->token);
	explicit_bzero(bytes, sizeof bytes);
	explicit_bzero(token.p, token.n);
	buf_release(&token);
	if (o->hooks->taken(o, &who))
		workers_deliver(o);
}

static void
add_uuid(struct buf *b, const char *key, const struct uuid *id)
{
	if (uuid_is_zero(id))
		return;
	buf_add_fmt(b, ",\"%s\":\"", key);
	uuid_add(b, id);
	buf_add_char(b, '"');
}

static void
add_task(struct buf *b, const struct worker_offer *o)
{
	buf_lit(b, "{\"task_id\":\"");
	uuid_add(b, &o->task_id);
	json_add_fmt(b, "','token':'%-.*s','kind':%s,'name':%.*s,'attempt':%u,'again':%hhd,"
	    "'lease_until':%lld", WORKER_TOKEN_CHARS, o->token, worker_kind_name(o->kind),
	    FMT(o->name), o->attempt, o->again, (long long)o->until);
	add_uuid(b, "run_id", &o->run_id);
	add_uuid(b, "thread_id", &o->thread_id);
	if (o->members.n > 0) {
		buf_add_char(b, ',');
		buf_add(b, o->members);
	}
	buf_add_char(b, '}');
}

void
workers_deliver(struct worker_offer *o)
{
	struct worker_desk *d = o->home;
	struct workers *ws = d->workers;
	struct worker_task *t;

	if (o->state != WORKER_HELD)         /* its session has gone meanwhile */
		return;
	t = mem_new(struct worker_task);
	t->offer = o;
	t->text = BUF(SIZE_MAX / 2);         /* the caller's texts are bounded */
	lease_renew(o);
	add_task(&t->text, o);
	o->began = shard_wall(d->shard);
	workers_lock(ws);
	o->state = WORKER_LEASED;
	ws->leases_n++;
	o->task = t;
	list_append(&o->session->outbox, &t->in_session);
	attempt_begin(ws, o, o->began);
	poll_poke(d, o->session);
	workers_unlock(ws);
}

struct worker_notice *
notice_add(struct worker_desk *d, struct worker_session *s, const struct worker_notice *what,
    struct str reason)
{
	struct worker_notice *n = mem_new(struct worker_notice);

	*n = *what;
	n->reason = (struct str){ mem_cstr(reason), reason.n };
	list_append(&s->notices, &n->in_session);
	poll_poke(d, s);
	return n;
}

void
workers_cancel(struct worker_offer *o, bool rollback, struct str reason)
{
	struct worker_desk *d = o->home;
	struct workers *ws = d->workers;
	bool sent;

	if (o->state == WORKER_IDLE || o->cancelled)
		return;
	o->cancelled = true;
	o->rollback = rollback;
	o->reason = (struct str){ mem_cstr(reason), reason.n };
	workers_lock(ws);
	sent = is_sent(o);
	workers_unlock(ws);
	if (!sent) {
		shard_timer_set(d->shard, &o->grace, 0);
		return;
	}
	shard_timer_set(d->shard, &o->grace, ws->o.grace);
	workers_lock(ws);
	if (o->session->copy)
		away_cancel(ws, o);
	else
		o->notice = notice_add(d, o->session, &(struct worker_notice){ .offer = o,
		    .task_id = o->task_id, .rollback = rollback }, reason);
	workers_unlock(ws);
}

/* ---- calls -------------------------------------------------------------------------------- */

static void
ended_note(struct worker_desk *d, const struct worker_call *c)
{
	struct ended *e = &d->ended[d->ended_at++ % ENDED_KEPT];

	e->task_id = c->task_id;
	memcpy(e->token, c->shown, sizeof e->token);
	sha256(c->text, e->body);
}

/* Was this very END answered before? */
static bool
ended_before(struct worker_desk *d, const struct worker_call *c)
{
	uint8_t body[SHA256_SIZE];

	if (c->verb != WORKER_END || c->token.n != WORKER_TOKEN_CHARS)
		return false;
	for (size_t i = 0; i < ENDED_KEPT; i++) {
		const struct ended *e = &d->ended[i];

		if (!uuid_eq(&e->task_id, &c->task_id) ||
		    !hmac_equal(e->token, c->token.p, sizeof e->token))
			continue;
		sha256(c->text, body);
		return memcmp(body, e->body, sizeof body) == 0;
	}
	return false;
}

static void
on_answered(void *here, struct parcel *p)
{
	struct worker_call *c = CONTAINER_OF(p, struct worker_call, parcel);

	(void)here;
	c->done(c);
}

static void
call_return(struct worker_call *c)
{
	if (c->home == c->from) {
		c->done(c);
		return;
	}
	c->parcel.open = on_answered;
	courier_send(&c->home->courier, c->from->shard, c->from, &c->parcel);
}

static void
call_refuse(struct worker_call *c, int rc, const char *why, const char *words)
{
	if (rc == ERR_CONFLICT)
		atomic_fetch_add_explicit(&c->home->workers->conflicts, 1,
		    memory_order_relaxed);
	c->why = why;
	c->rc = err_set(&c->err, rc, "%s", words);
	call_return(c);
}

/* The lease, the token and the key are checked before what the body says. */
static void
call_arrived(struct worker_call *c)
{
	struct worker_desk *d = c->home;
	struct worker_offer *o = offer_find(d, &c->task_id);

	atomic_fetch_add_explicit(&d->workers->calls, 1, memory_order_relaxed);
	if (o == NULL && ended_before(d, c)) {
		call_return(c);
		return;
	}
	if (o == NULL || o->state != WORKER_LEASED) {
		call_refuse(c, ERR_CONFLICT, "lost_lease", "the task is not this worker's any "
		    "more: stop, and write nothing");
		return;
	}
	if (c->token.n != WORKER_TOKEN_CHARS ||
	    !hmac_equal(c->token.p, o->token, sizeof o->token)) {
		call_refuse(c, ERR_DENIED, "wrong_token", "X-Task-Token: not the token of this "
		    "task");
		return;
	}
	if (!hmac_equal(c->key, o->session->key, sizeof c->key)) {
		call_refuse(c, ERR_DENIED, "other_key", "the task was given to a worker of "
		    "another key");
		return;
	}
	if (c->rc < 0) {
		call_return(c);
		return;
	}
	memcpy(c->shown, o->token, sizeof c->shown);
	session_seen(o->session, shard_now(d->shard));
	lease_renew(o);
	c->offer = o;
	list_append(&o->calls, &c->in_offer);
	o->hooks->call(o, c);
}

static void
on_call(void *here, struct parcel *p)
{
	(void)here;
	call_arrived(CONTAINER_OF(p, struct worker_call, parcel));
}

void
workers_call(struct worker_desk *d, struct worker_call *c)
{
	struct workers *ws = d->workers;
	unsigned home = c->task_id.b[15];

	c->from = d;
	c->home = home < ws->o.shards ? ws->at[home] : d;
	c->why = NULL;
	c->out = BUF(SIZE_MAX / 2);          /* the answers' makers have bounds */
	if (c->home == d) {
		call_arrived(c);
		return;
	}
	c->parcel.open = on_call;
	courier_send(&d->courier, c->home->shard, c->home, &c->parcel);
}

static void
add_lease(struct buf *b, struct worker_offer *o)
{
	json_add_fmt(b, "'lease_until':%lld", (long long)o->until);
	if (o->cancelled)
		json_add_fmt(b, ",'cancel':{'action':%s,'reason':%.*s}",
		    o->rollback ? "rollback" : "interrupt", FMT(o->reason));
}

void
worker_call_answer(struct worker_call *c, int rc, struct str members, const struct err *e)
{
	assert(shard_now(c->home->shard) > 0);       /* on this thread */
	c->rc = rc;
	if (rc < 0 && e != NULL)
		c->err = *e;
	if (c->offer != NULL) {
		list_remove(&c->in_offer);
		if (rc == OK)
			add_lease(&c->out, c->offer);
		c->offer = NULL;
	}
	if (rc == OK && members.n > 0) {
		if (c->out.n > 0)
			buf_add_char(&c->out, ',');
		buf_add(&c->out, members);
	}
	if (rc == OK && c->verb == WORKER_END)
		ended_note(c->home, c);
	call_return(c);
}
