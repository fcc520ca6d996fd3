/*
 * converse.c - see converse.h.
 *
 * One table for the process, because two shards' agents talk with each other and the answer
 * to a sender is wanted at once.  Its deadlines fall due on the first shard.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/converse.h"

#include <assert.h>

#include "base/mem.h"
#include "mail/host/office_priv.h"

struct conversations {
	pthread_mutex_t lock;
	struct talks *talks;
	msec next;                           /* what the first shard knows of; NEVER */
	struct office *o;                    /* the first shard's; NULL: not yet */
	struct wheel_timer due;
};

struct conversations *
conversations_new(msec now)
{
	struct conversations *c = mem_new(struct conversations);

	pthread_mutex_init(&c->lock, NULL);
	c->talks = talks_new(LIMIT_TALKS, now);
	c->next = NEVER;
	return c;
}

void
conversations_free(struct conversations *c)
{
	if (c == NULL)
		return;
	talks_free(c->talks);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

size_t
conversations_count(struct conversations *c)
{
	struct talks_count n;

	pthread_mutex_lock(&c->lock);
	talks_count(c->talks, &n);
	pthread_mutex_unlock(&c->lock);
	return n.talks - n.over;
}

/* ---- deadlines ------------------------------------------------------------------- */

static void
tell_due(void *ctx, const struct talks_due *d)
{
	struct office *o = ctx;
	struct mail_ref to = MAIL_NOBODY;
	struct acl m = { .protocol = str_of(d->protocol), .conversation_id = d->conversation_id,
		.reply_with = d->reply_with };
	char initiator[UUID_TEXT], participant[UUID_TEXT];
	struct str words = { participant, UUID_TEXT };

	uuid_format(&d->initiator, initiator);
	uuid_format(&d->participant, participant);
	m.sender = (struct str){ initiator, UUID_TEXT };
	(void)mail_directory_id(o->all->directory, d->owner, &d->initiator, &to);
	if (mail_is_away(to))                /* its node tells it */
		return;
	notice_send(o, to, &m, d->act, "deadline", words);
}

static void
set_timer(struct conversations *c)
{
	struct office *o = c->o;
	msec now = office_now(o), next;

	pthread_mutex_lock(&c->lock);
	next = c->next = talks_next(c->talks);
	pthread_mutex_unlock(&c->lock);
	if (next == NEVER)
		shard_timer_cancel(o->shard, &c->due);
	else
		shard_timer_set(o->shard, &c->due, next > now ? next - now : 0);
}

static void
fell_due(struct wheel_timer *t)
{
	struct conversations *c = CONTAINER_OF(t, struct conversations, due);

	if (c->o->still)
		return;
	pthread_mutex_lock(&c->lock);
	talks_run(c->talks, office_now(c->o), tell_due, c->o);
	pthread_mutex_unlock(&c->lock);
	set_timer(c);
	office_stir(c->o);
}

void
converse_begin(struct office *o)
{
	struct conversations *c = o->all->conversations;

	if (shard_id(o->shard) != 0)
		return;
	c->o = o;
	c->due.fire = fell_due;
}

void
converse_end(struct office *o)
{
	struct conversations *c = o->all->conversations;

	if (c->o == o)
		shard_timer_cancel(o->shard, &c->due);
}

static void
sooner_open(void *here, struct parcel *p)
{
	struct office *o = here;

	set_timer(o->all->conversations);
	free(p);
}

/* The first shard is to wake earlier than it knows. */
static void
sooner(struct office *o)
{
	struct conversations *c = o->all->conversations;
	struct parcel *p = mem_new(struct parcel);

	p->open = sooner_open;
	office_mail(o, c->o, p);
}

/* ---- checks ---------------------------------------------------------------------- */

static bool
is_checked(const struct acl *m)
{
	return m->protocol.n > 0 && m->conversation_id.n > 0 && protocol_find(m->protocol) != NULL;
}

int
converse(struct office *o, owner_t owner, const struct acl *m, const struct uuid *from,
    const struct target *to, size_t n, struct talks_seen **seen, int *answer, struct err *e)
{
	struct conversations *c = o->all->conversations;
	msec now = office_now(o), next;
	size_t done = 0;
	int rc = OK;

	*seen = NULL;
	*answer = -1;
	if (!is_checked(m))
		return OK;
	*seen = mem_zero(n * sizeof **seen);
	pthread_mutex_lock(&c->lock);
	for (; rc == OK && done < n; done++)
		rc = talks_see(c->talks, owner, m, from, &to[done].id, now, &(*seen)[done], answer, e);
	for (size_t i = 0; rc != OK && i + 1 < done; i++)
		talks_undo(c->talks, owner, m, &(*seen)[i], now);
	next = talks_next(c->talks);
	if (next < c->next)
		c->next = next;
	else
		next = NEVER;
	pthread_mutex_unlock(&c->lock);
	if (next != NEVER)
		sooner(o);
	if (rc != OK) {
		free(*seen);
		*seen = NULL;
	}
	return rc;
}

void
converse_undo(struct office *o, owner_t owner, const struct acl *m, struct talks_seen *seen,
    size_t n)
{
	struct conversations *c = o->all->conversations;

	if (seen == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < n; i++)
		talks_undo(c->talks, owner, m, &seen[i], office_now(o));
	pthread_mutex_unlock(&c->lock);
}
