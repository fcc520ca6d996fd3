/*
 * poll.c - long polls of sessions.
 *
 * A poll waits on the shard of its request.  Others put tasks and notices into the session
 * and poke that shard; there the answer is made, of all that has come until then.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker/worker_priv.h"

#include <string.h>

#define ANSWER_BYTES (4 * MB)                /* the last task may be larger */

struct poke {
	struct parcel parcel;
	uint64_t serial;
};

/* ---- answers ------------------------------------------------------------------------ */

static bool
has_news(const struct worker_session *s)
{
	return !list_empty(&s->outbox) || !list_empty(&s->notices) || s->gone ||
	    (s->quiet && !s->quiet_told) || s->mute;
}

/* Tasks past ANSWER_BYTES wait for the next poll; a worker that has left gets none. */
static void
add_tasks(struct buf *b, struct worker_session *s)
{
	buf_lit(b, "\"tasks\":[");
	while (!s->gone && !list_empty(&s->outbox) && b->n < ANSWER_BYTES) {
		struct worker_task *t = CONTAINER_OF(s->outbox.next, struct worker_task,
		    in_session);

		json_add_comma(b);
		buf_add(b, buf_str(&t->text));
		if (t->offer != NULL)
			s->flight[slot_of(t->offer->kind)]--;
		outbox_drop(t);
	}
	buf_add_char(b, ']');
}

static void
add_notices(struct buf *b, struct worker_session *s)
{
	buf_lit(b, ",\"cancel\":[");
	while (!list_empty(&s->notices)) {
		struct worker_notice *n = CONTAINER_OF(s->notices.next, struct worker_notice,
		    in_session);

		json_add_comma(b);
		buf_lit(b, "{\"task_id\":\"");
		uuid_add(b, &n->task_id);
		json_add_fmt(b, "','action':%s,'reason':%.*s}", n->rollback ? "rollback" :
		    "interrupt", FMT(n->reason));
		notice_free(n);
	}
	buf_add_char(b, ']');
}

/* The client is gone: its undelivered tasks are not kept until it returns.  Those of other
 * nodes are lost there when their lease is over. */
static void
give_back(struct worker_desk *d, struct worker_session *s)
{
	struct list *next;

	for (struct list *l = s->outbox.next; l != &s->outbox; l = next) {
		struct worker_task *t = CONTAINER_OF(l, struct worker_task, in_session);

		next = l->next;
		if (t->offer != NULL)
			lease_tell_lost(d, t->offer, "left");
		else
			outbox_drop(t);
	}
}

/* The poll leaves its session, with what there is for it if it is the one that waits. */
static void
poll_take(struct worker_poll *p, bool answer)
{
	struct worker_desk *d = p->desk;
	struct workers *ws = d->workers;
	struct worker_session *s = p->session;

	workers_lock(ws);
	if (s->poll == p) {
		s->poll = NULL;
		if (answer) {
			add_tasks(&p->text, s);
			json_add_fmt(&p->text, ",'quiet':%hhd", s->quiet);
			add_notices(&p->text, s);
			s->quiet_told = s->quiet;
		} else {
			give_back(d, s);
		}
		session_serve(d, s);
	} else if (answer) {
		json_add_fmt(&p->text, "'tasks':[],'quiet':%hhd,'cancel':[]", s->quiet);
	}
	session_seen(s, shard_now(d->shard));
	ws->polls_n--;
	session_drop(s);
	workers_unlock(ws);
	p->session = NULL;
	map_take(&d->polls, &p->serial);
	shard_timer_cancel(d->shard, &p->timer);
}

static void
poll_answer(struct worker_poll *p)
{
	poll_take(p, true);
	p->answered(p);
}

static void
on_time(struct wheel_timer *t)
{
	poll_answer(CONTAINER_OF(t, struct worker_poll, timer));
}

/* ---- pokes ---------------------------------------------------------------------------- */

static bool
is_over(struct worker_poll *p)
{
	struct workers *ws = p->desk->workers;
	bool over;

	workers_lock(ws);
	over = p->session->poll != p || has_news(p->session);
	workers_unlock(ws);
	return over;
}

static void
on_poke(void *here, struct parcel *parcel)
{
	struct poke *k = CONTAINER_OF(parcel, struct poke, parcel);
	struct worker_desk *d = here;
	struct worker_poll *p = map_get(&d->polls, &k->serial);

	free(k);
	if (p != NULL && is_over(p))
		poll_answer(p);
}

static void
poke(struct worker_desk *d, struct worker_poll *p)
{
	struct poke *k = mem_new(struct poke);

	k->parcel.open = on_poke;
	k->serial = p->serial;
	courier_send(&d->courier, p->desk->shard, p->desk, &k->parcel);
}

void
poll_poke(struct worker_desk *d, struct worker_session *s)
{
	if (s->poll != NULL)
		poke(d, s->poll);
}

/* ---- polling --------------------------------------------------------------------------- */

/* The session of this id and key. */
static int
find_session(struct workers *ws, const struct uuid *id, const uint8_t key[SHA256_SIZE],
    struct worker_session **out, struct err *e)
{
	*out = session_find(ws, id);
	if (*out == NULL)
		return err_set(e, ERR_NOTFOUND, "no worker of this id; register again");
	if (!hmac_equal(key, (*out)->key, SHA256_SIZE))
		return err_set(e, ERR_DENIED, "the worker was registered with another key");
	return OK;
}

static void
poll_enter(struct worker_desk *d, struct worker_poll *p, struct worker_session *s)
{
	struct workers *ws = d->workers;
	struct worker_poll *before = s->poll;

	p->desk = d;
	p->session = s;
	p->serial = ++ws->serials;
	session_hold(s);
	map_put(&d->polls, p);
	s->poll = p;
	if (s->mute)
		away_changed(ws);
	session_unmute(s);
	if (before != NULL)
		poke(d, before);
	for (size_t i = 0; i < WORKER_SLOTS; i++)
		s->free[i] = p->free[i] < s->slots[i] ? p->free[i] : s->slots[i];
	session_seen(s, shard_now(d->shard));
	ws->polls_n++;
	session_serve(d, s);
}

int
workers_poll(struct worker_desk *d, struct worker_poll *p, const struct uuid *worker_id,
    const uint8_t key[SHA256_SIZE], struct err *e)
{
	struct workers *ws = d->workers;
	struct worker_session *s;
	bool news = false;
	int rc;

	if (d->draining)
		return err_set(e, ERR_BUSY, "the server is stopping");
	p->text = BUF(SIZE_MAX / 2);         /* of tasks, whose texts are bounded */
	p->timer.fire = on_time;
	workers_lock(ws);
	rc = find_session(ws, worker_id, key, &s, e);
	if (rc == OK) {
		poll_enter(d, p, s);
		news = has_news(s);
		away_ready(ws, s, shard_now(d->shard));
	}
	workers_unlock(ws);
	if (rc < 0)
		return rc;
	atomic_fetch_add_explicit(&ws->poll_waits, 1, memory_order_relaxed);
	if (news)
		poll_answer(p);
	else
		shard_timer_set(d->shard, &p->timer, ws->o.poll);
	return OK;
}

void
worker_poll_leave(struct worker_poll *p)
{
	if (p->session != NULL)
		poll_take(p, false);
}

void
worker_desk_drain(struct worker_desk *d)
{
	struct worker_poll *p;
	size_t at = 0;

	d->draining = true;
	for (p = map_each(&d->polls, &at); p != NULL; p = map_each(&d->polls, &at)) {
		p->stopping = true;
		poll_answer(p);
	}
}

/* ---- leaving ----------------------------------------------------------------------------- */

int
workers_leave(struct worker_desk *d, const struct uuid *worker_id,
    const uint8_t key[SHA256_SIZE], struct err *e)
{
	struct workers *ws = d->workers;
	struct worker_session *s;
	int rc;

	workers_lock(ws);
	rc = find_session(ws, worker_id, key, &s, e);
	if (rc == OK) {
		away_left(ws, s);
		session_end(d, s, "left");
	}
	workers_unlock(ws);
	return rc;
}

int
workers_quiet(struct worker_desk *d, const struct uuid *worker_id, struct err *e)
{
	struct workers *ws = d->workers;
	struct worker_session *s;
	int rc = OK;

	workers_lock(ws);
	s = session_find(ws, worker_id);
	if (s == NULL)
		rc = err_set(e, ERR_NOTFOUND, "no worker of this id");
	else
		session_quiet(d, s);
	workers_unlock(ws);
	return rc;
}
