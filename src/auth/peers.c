/*
 * peers.c - see peers_priv.h.
 *
 * A message is its kind, 's' or 't' for a session or a ticket, and the hash of its name:
 *   ASK     which node made it?                 to all
 *   GIVE    its contents                        to the node that asked
 *   END     it has ended                        to all
 *   DOUBT   the sender was disconnected: its ENDs of that time were lost
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/peers_priv.h"

#include <pthread.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

enum word { ASK = 'a', GIVE = 'g', END = 'e', DOUBT = 'd' };

/* In the byte order of these machines. */
struct head {
	char word, kind;
	uint8_t mark[SHA256_SIZE];
};

struct given {
	uint8_t owner[SHA256_SIZE];
	struct uuid thread;
	msec until;
	uint8_t session[SHA256_SIZE];        /* in which it was made, and its end */
	msec session_until;
	uint32_t in_session;
	uint32_t n[3];                       /* of the texts that follow */
};

struct peers {
	struct passes *sessions, *tickets;
	struct auth_peers o;
	pthread_mutex_t lock;                /* of what follows */
	struct list waits;
	uint8_t (*ended)[SHA256_SIZE];       /* while NATS was away */
	size_t ended_n, ended_cap;
};

struct peers *
peers_new(struct passes *sessions, struct passes *tickets, const struct auth_peers *o)
{
	struct peers *p = mem_new(struct peers);

	p->sessions = sessions;
	p->tickets = tickets;
	p->o = *o;
	pthread_mutex_init(&p->lock, NULL);
	list_init(&p->waits);
	return p;
}

void
peers_free(struct peers *p)
{
	if (p == NULL)
		return;
	free(p->ended);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

bool
peers_up(const struct peers *p)
{
	return p != NULL && p->o.up(p->o.ctx);
}

static bool
say(struct peers *p, uint64_t to, enum word word, char kind, const uint8_t *mark)
{
	struct head h = { (char)word, kind, { 0 } };

	if (mark != NULL)
		memcpy(h.mark, mark, sizeof h.mark);
	return p->o.say(p->o.ctx, to, (struct str){ (const char *)&h, sizeof h });
}

/* ---- asking -------------------------------------------------------------------- */

/* Whoever takes a wait off the list ends it. */
static bool
take_off(struct peers *p, struct auth_wait *w)
{
	bool waits;

	pthread_mutex_lock(&p->lock);
	waits = list_joined(&w->in);
	list_remove(&w->in);
	pthread_mutex_unlock(&p->lock);
	return waits;
}

static void
nobody_said(struct wheel_timer *t)
{
	struct auth_wait *w = CONTAINER_OF(t, struct auth_wait, timer);

	if (take_off(w->peers, w))
		w->done(w);
}

static void
was_given(struct shard_job *job)
{
	struct auth_wait *w = CONTAINER_OF(job, struct auth_wait, job);

	shard_timer_cancel(w->shard, &w->timer);
	w->done(w);
}

int
peers_ask(struct peers *p, const struct credentials *c, struct auth_wait *w)
{
	w->peers = p;
	w->timer.fire = nobody_said;
	w->job.run = was_given;
	memcpy(w->mark, c->session, sizeof w->mark);
	pthread_mutex_lock(&p->lock);
	list_append(&p->waits, &w->in);
	pthread_mutex_unlock(&p->lock);
	shard_timer_set(w->shard, &w->timer, say(p, 0, ASK, c->lacks_ticket ? 't' : 's',
	    c->session) ? LIMIT_PASS_ASK_MS : 0);
	return OK;
}

static void
end_waits(struct peers *p, const uint8_t mark[SHA256_SIZE])
{
	struct list *next;

	pthread_mutex_lock(&p->lock);
	for (struct list *l = p->waits.next; l != &p->waits; l = next) {
		struct auth_wait *w = CONTAINER_OF(l, struct auth_wait, in);

		next = l->next;
		if (memcmp(w->mark, mark, sizeof w->mark) == 0) {
			list_remove(l);
			shard_post(w->shard, &w->job);
		}
	}
	pthread_mutex_unlock(&p->lock);
}

/* ---- giving --------------------------------------------------------------------- */

#define TEXTS_MAX (4 * (size_t)LIMIT_HTTP_HEADER_BYTES)

static void
give(struct peers *p, uint64_t to, char kind, const struct pass *s)
{
	const struct str texts[3] = { s->shows.authorization, s->shows.api_key,
	    s->shows.shown };
	struct given g = { .thread = s->thread, .until = s->until,
	    .in_session = s->shows.in_session, .session_until = s->shows.until };
	struct head h = { GIVE, kind, { 0 } };
	struct buf b = BUF(TEXTS_MAX);

	memcpy(h.mark, s->mark, sizeof h.mark);
	memcpy(g.owner, s->owner, sizeof g.owner);
	memcpy(g.session, s->shows.session, sizeof g.session);
	for (int i = 0; i < 3; i++)
		g.n[i] = (uint32_t)texts[i].n;
	buf_add(&b, (struct str){ (const char *)&h, sizeof h });
	buf_add(&b, (struct str){ (const char *)&g, sizeof g });
	for (int i = 0; i < 3; i++)
		buf_add(&b, texts[i]);
	if (!b.failed)
		(void)p->o.say(p->o.ctx, to, buf_str(&b));
	if (b.p != NULL)
		explicit_bzero(b.p, b.n);
	buf_release(&b);
}

/* What a ticket opens ends with its session, so that goes with it.  Who has only a copy of
 * a session does not answer for it. */
static void
asked(struct peers *p, uint64_t from, const struct head *h, msec now)
{
	struct arena a = ARENA(2 * TEXTS_MAX);
	struct pass s, t;

	if (h->kind == 't') {
		if (passes_take(p->tickets, h->mark, now, &a, &t)) {
			if (t.shows.in_session &&
			    passes_find(p->sessions, t.shows.session, now, &a, &s))
				give(p, from, 's', &s);
			give(p, from, 't', &t);
		}
	} else if (passes_find(p->sessions, h->mark, now, &a, &s) && !s.foreign) {
		give(p, from, 's', &s);
	}
	arena_release(&a);
}

static void
given(struct peers *p, const struct head *h, struct str rest, msec now)
{
	struct pass s = { .foreign = true };
	struct given g;
	struct str *texts[3] = { &s.shows.authorization, &s.shows.api_key, &s.shows.shown };

	if (rest.n < sizeof g)
		return;
	memcpy(&g, rest.p, sizeof g);
	rest = str_sub(rest, sizeof g, rest.n);
	for (int i = 0; i < 3; i++) {
		if (rest.n < g.n[i])
			return;
		*texts[i] = str_sub(rest, 0, g.n[i]);
		rest = str_sub(rest, g.n[i], rest.n);
	}
	memcpy(s.mark, h->mark, sizeof s.mark);
	memcpy(s.owner, g.owner, sizeof s.owner);
	s.thread = g.thread;
	s.until = g.until;
	s.shows.in_session = g.in_session != 0;
	s.shows.until = g.session_until;
	memcpy(s.shows.session, g.session, sizeof s.shows.session);
	passes_put(h->kind == 't' ? p->tickets : p->sessions, &s, now);
	end_waits(p, h->mark);
}

void
peers_heard(struct peers *p, uint64_t from, struct str word, msec now)
{
	struct head h;

	if (word.n < sizeof h)
		return;
	memcpy(&h, word.p, sizeof h);
	switch (h.word) {
	case ASK:
		asked(p, from, &h, now);
		break;
	case GIVE:
		given(p, &h, str_sub(word, sizeof h, word.n), now);
		break;
	case END:
		passes_end(p->sessions, h.mark);
		break;
	case DOUBT:
		passes_doubt(p->sessions);
	}
}

/* ---- ends ----------------------------------------------------------------------- */

void
peers_tell_end(struct peers *p, const uint8_t mark[SHA256_SIZE])
{
	if (p == NULL || (peers_up(p) && say(p, 0, END, 's', mark)))
		return;
	pthread_mutex_lock(&p->lock);
	if (p->ended_n < LIMIT_PASSES_ENDED) {
		mem_grow(p->ended, p->ended_n, p->ended_cap);
		memcpy(p->ended[p->ended_n++], mark, SHA256_SIZE);
	}
	pthread_mutex_unlock(&p->lock);
}

static void
end_was_heard(struct wheel_timer *t)
{
	struct auth_wait *w = CONTAINER_OF(t, struct auth_wait, timer);

	w->done(w);
}

bool
peers_await_end(struct peers *p, struct auth_wait *w)
{
	if (!peers_up(p))
		return false;
	w->timer.fire = end_was_heard;
	shard_timer_set(w->shard, &w->timer, LIMIT_PASS_END_MS);
	return true;
}

void
peers_changed(struct peers *p, bool up)
{
	if (!up)
		return;
	passes_doubt(p->sessions);
	say(p, 0, DOUBT, 's', NULL);
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->ended_n; i++)
		say(p, 0, END, 's', p->ended[i]);
	p->ended_n = 0;
	pthread_mutex_unlock(&p->lock);
}
