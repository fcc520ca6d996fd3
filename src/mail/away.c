/*
 * away.c - see away.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/away.h"

#include <assert.h>
#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"

#define PLACES_MAX (1u << 24)

struct slot {
	struct away_agent x;
	uint32_t sent, sent_at;              /* letters since it told its load; in which tick */
	uint32_t uses, place;
	struct slot *next;                   /* of the free ones */
};

struct away {
	pthread_mutex_t lock;
	struct map by_id;
	struct slot **at;
	size_t n, cap;
	struct slot *free;
	uint32_t tick;
};

static uint64_t
hash(const void *key)
{
	return uuid_hash(key);
}

static const void *
key_of(const void *value)
{
	return &((const struct slot *)value)->x.id;
}

static bool
eq(const void *value, const void *key)
{
	return uuid_eq(key_of(value), key);
}

struct away *
away_new(void)
{
	struct away *t = mem_new(struct away);

	pthread_mutex_init(&t->lock, NULL);
	map_init(&t->by_id, hash, eq, key_of);
	return t;
}

void
away_free(struct away *t)
{
	if (t == NULL)
		return;
	map_release(&t->by_id);
	for (size_t i = 0; i < t->n; i++)
		free(t->at[i]);
	free(t->at);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct slot *
slot_new(struct away *t)
{
	struct slot *s = t->free;

	if (s != NULL) {
		t->free = s->next;
	} else {
		assert(t->n < PLACES_MAX);
		mem_grow(t->at, t->n, t->cap);
		s = t->at[t->n] = mem_new(struct slot);
		s->place = (uint32_t)t->n++;
	}
	if (++s->uses == 0)
		s->uses = 1;
	s->next = NULL;
	return s;
}

struct mail_ref
away_put(struct away *t, const struct away_agent *x)
{
	struct mail_ref ref;
	struct slot *s;

	pthread_mutex_lock(&t->lock);
	s = map_get(&t->by_id, &x->id);
	if (s == NULL) {
		s = slot_new(t);
		s->x = *x;
		(void)map_put(&t->by_id, s);
	} else {
		s->x = *x;
	}
	s->sent = 0;
	ref = (struct mail_ref){ .uses = s->uses, .place = s->place & (PLACES_MAX - 1),
		.shard = MAIL_AWAY };
	pthread_mutex_unlock(&t->lock);
	return ref;
}

void
away_load(struct away *t, const struct uuid *id, uint32_t waiting)
{
	struct slot *s;

	pthread_mutex_lock(&t->lock);
	s = map_get(&t->by_id, id);
	if (s != NULL)
		s->x.waiting = waiting;
	if (s != NULL)
		s->sent = 0;
	pthread_mutex_unlock(&t->lock);
}

void
away_set_state(struct away *t, const struct uuid *id, enum mail_state state)
{
	struct slot *s;

	pthread_mutex_lock(&t->lock);
	s = map_get(&t->by_id, id);
	if (s != NULL)
		s->x.state = state;
	pthread_mutex_unlock(&t->lock);
}

/* Of who is known to be there; load is told in powers of two. */
static int
slot_send(struct slot *s, uint32_t tick)
{
	if (s->x.state >= AGENT_DRAINING)
		return ERR_NOTFOUND;
	if (s->x.room == 0)
		return OK;                   /* not known yet */
	if (s->sent_at != tick)
		s->sent = 0;
	s->sent_at = tick;
	if (s->x.waiting > s->x.room || s->sent >= s->x.room)
		return ERR_AGAIN;
	s->sent++;
	return OK;
}

int
away_send(struct away *t, struct mail_ref at)
{
	struct slot *s;
	int rc = OK;

	pthread_mutex_lock(&t->lock);
	s = at.place < t->n ? t->at[at.place] : NULL;
	if (mail_is_away(at) && s != NULL && s->uses == at.uses && s->x.node != 0)
		rc = slot_send(s, t->tick);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

void
away_tick(struct away *t)
{
	pthread_mutex_lock(&t->lock);
	t->tick++;
	pthread_mutex_unlock(&t->lock);
}

bool
away_find(struct away *t, struct mail_ref at, struct away_agent *out)
{
	const struct slot *s = NULL;
	bool found;

	if (!mail_is_away(at))
		return false;
	pthread_mutex_lock(&t->lock);
	if (at.place < t->n)
		s = t->at[at.place];
	found = s != NULL && s->uses == at.uses && s->x.node != 0;
	if (found)
		*out = s->x;
	pthread_mutex_unlock(&t->lock);
	return found;
}

bool
away_by_id(struct away *t, const struct uuid *id, struct away_agent *out)
{
	const struct slot *s;

	pthread_mutex_lock(&t->lock);
	s = map_get(&t->by_id, id);
	if (s != NULL)
		*out = s->x;
	pthread_mutex_unlock(&t->lock);
	return s != NULL;
}

void
away_drop(struct away *t, const struct uuid *id)
{
	struct slot *s;

	pthread_mutex_lock(&t->lock);
	s = map_take(&t->by_id, id);
	if (s != NULL) {
		s->x.node = 0;
		s->next = t->free;
		t->free = s;
	}
	pthread_mutex_unlock(&t->lock);
}

size_t
away_count(struct away *t)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->by_id.n;
	pthread_mutex_unlock(&t->lock);
	return n;
}

struct away_agent *
away_stale(struct away *t, int64_t node, int shard, uint32_t round, size_t *n)
{
	struct away_agent *all = NULL;
	size_t cap = 0;

	*n = 0;
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->n; i++) {
		const struct away_agent *x = &t->at[i]->x;

		if (x->node != node || (shard >= 0 && x->shard != (unsigned)shard) ||
		    x->round == round)
			continue;
		mem_grow(all, *n, cap);
		all[(*n)++] = *x;
	}
	pthread_mutex_unlock(&t->lock);
	return all;
}
