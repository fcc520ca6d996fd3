/*
 * session.c - see session_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/session_priv.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

struct holder {
	uint8_t mark[SHA256_SIZE];           /* the owner's */
	struct list passes;                  /* the oldest first; never empty */
	size_t n;
};

struct kept {
	struct pass p;                       /* texts are owned */
	struct list all, of_holder;
	struct holder *holder;
	size_t bytes;                        /* of its texts */
};

struct passes {
	pthread_mutex_t lock;                /* of all of it */
	struct passes_max max;
	struct map map, holders;
	struct list all;                     /* the oldest first */
	size_t bytes;
	msec swept;
};

/* Marks are digests: any eight bytes of one are a hash. */
static uint64_t
mark_hash(const void *key)
{
	uint64_t h;

	memcpy(&h, key, sizeof h);
	return h;
}

static const void *
kept_mark(const void *value)
{
	return ((const struct kept *)value)->p.mark;
}

static bool
kept_is(const void *value, const void *key)
{
	return hmac_equal(kept_mark(value), key, SHA256_SIZE);
}

static const void *
holder_mark(const void *value)
{
	return ((const struct holder *)value)->mark;
}

static bool
holder_is(const void *value, const void *key)
{
	return memcmp(holder_mark(value), key, SHA256_SIZE) == 0;
}

static void
check(const struct passes *ps)
{
	assert(ps->map.n <= ps->max.all && ps->holders.n <= ps->map.n);
	assert((ps->map.n == 0) == list_empty(&ps->all));
	assert(ps->map.n > 0 || ps->bytes == 0);
}

struct passes *
passes_new(const struct passes_max *max)
{
	struct passes *ps = mem_new(struct passes);

	assert(max->each > 0 && max->each <= max->all);
	pthread_mutex_init(&ps->lock, NULL);
	ps->max = *max;
	map_init(&ps->map, mark_hash, kept_is, kept_mark);
	map_init(&ps->holders, mark_hash, holder_is, holder_mark);
	list_init(&ps->all);
	return ps;
}

/* ---- texts ------------------------------------------------------------------ */

static struct str
copy(struct str s)
{
	return (struct str){ mem_cstr(s), s.n };
}

static void
wipe(struct str s)
{
	char *p = (char *)(uintptr_t)s.p;    /* copy() made it */

	explicit_bzero(p, s.n);
	free(p);
}

static size_t
text_bytes(const struct credentials *c)
{
	return c->authorization.n + c->api_key.n + c->shown.n;
}

/* ---- coming and going --------------------------------------------------------- */

static void
drop(struct passes *ps, struct kept *k)
{
	struct holder *h = k->holder;

	map_take(&ps->map, k->p.mark);
	list_remove(&k->all);
	list_remove(&k->of_holder);
	ps->bytes -= k->bytes;
	if (--h->n == 0) {
		map_take(&ps->holders, h->mark);
		free(h);
	}
	wipe(k->p.shows.authorization);
	wipe(k->p.shows.api_key);
	wipe(k->p.shows.shown);
	free(k);
}

void
passes_free(struct passes *ps)
{
	if (ps == NULL)
		return;
	while (!list_empty(&ps->all))
		drop(ps, CONTAINER_OF(ps->all.next, struct kept, all));
	map_release(&ps->map);
	map_release(&ps->holders);
	pthread_mutex_destroy(&ps->lock);
	free(ps);
}

static void
sweep(struct passes *ps, msec now)
{
	struct list *l = ps->all.next;

	if (now - ps->swept < LIMIT_SESSION_SWEEP_MS)
		return;
	ps->swept = now;
	while (l != &ps->all) {
		struct kept *k = CONTAINER_OF(l, struct kept, all);

		l = l->next;
		if (k->p.until <= now)
			drop(ps, k);
	}
}

static void
make_room(struct passes *ps, const uint8_t owner[SHA256_SIZE], size_t bytes)
{
	struct holder *h = map_get(&ps->holders, owner);

	if (h != NULL && h->n >= ps->max.each)
		drop(ps, CONTAINER_OF(h->passes.next, struct kept, of_holder));
	while (!list_empty(&ps->all) &&
	    (ps->map.n >= ps->max.all || ps->bytes + bytes > ps->max.bytes))
		drop(ps, CONTAINER_OF(ps->all.next, struct kept, all));
}

static struct holder *
holder_of(struct passes *ps, const uint8_t owner[SHA256_SIZE])
{
	struct holder *h = map_get(&ps->holders, owner);

	if (h != NULL)
		return h;
	h = mem_new(struct holder);
	memcpy(h->mark, owner, SHA256_SIZE);
	list_init(&h->passes);
	map_put(&ps->holders, h);
	return h;
}

void
passes_put(struct passes *ps, const struct pass *p, msec now)
{
	struct kept *k = mem_new(struct kept), *old;

	k->p = *p;
	k->bytes = text_bytes(&p->shows);
	k->p.shows.authorization = copy(p->shows.authorization);
	k->p.shows.api_key = copy(p->shows.api_key);
	k->p.shows.shown = copy(p->shows.shown);
	pthread_mutex_lock(&ps->lock);
	old = map_get(&ps->map, p->mark);
	if (old != NULL)
		drop(ps, old);
	sweep(ps, now);
	make_room(ps, p->owner, k->bytes);
	k->holder = holder_of(ps, p->owner);
	k->holder->n++;
	list_append(&k->holder->passes, &k->of_holder);
	list_append(&ps->all, &k->all);
	map_put(&ps->map, k);
	ps->bytes += k->bytes;
	check(ps);
	pthread_mutex_unlock(&ps->lock);
}

/* ---- asking ------------------------------------------------------------------- */

/* NULL: it is not there, or over. */
static struct kept *
find(struct passes *ps, const uint8_t mark[SHA256_SIZE], msec now)
{
	struct kept *k = map_get(&ps->map, mark);

	if (k == NULL || now < k->p.until)
		return k;
	drop(ps, k);
	return NULL;
}

static void
show(const struct kept *k, struct arena *arena, struct pass *out)
{
	*out = k->p;
	out->shows.authorization = arena_str(arena, k->p.shows.authorization);
	out->shows.api_key = arena_str(arena, k->p.shows.api_key);
	out->shows.shown = arena_str(arena, k->p.shows.shown);
}

bool
passes_find(struct passes *ps, const uint8_t mark[SHA256_SIZE], msec now,
    struct arena *arena, struct pass *out)
{
	struct kept *k;

	pthread_mutex_lock(&ps->lock);
	k = find(ps, mark, now);
	if (k != NULL)
		show(k, arena, out);
	pthread_mutex_unlock(&ps->lock);
	return k != NULL;
}

bool
passes_take(struct passes *ps, const uint8_t mark[SHA256_SIZE], msec now,
    struct arena *arena, struct pass *out)
{
	struct kept *k;
	bool found;

	pthread_mutex_lock(&ps->lock);
	k = find(ps, mark, now);
	found = k != NULL;
	if (found) {
		show(k, arena, out);
		drop(ps, k);
	}
	pthread_mutex_unlock(&ps->lock);
	return found;
}

bool
passes_has(struct passes *ps, const uint8_t mark[SHA256_SIZE], msec now)
{
	bool has;

	pthread_mutex_lock(&ps->lock);
	has = find(ps, mark, now) != NULL;
	pthread_mutex_unlock(&ps->lock);
	return has;
}

bool
passes_end(struct passes *ps, const uint8_t mark[SHA256_SIZE])
{
	struct kept *k;

	pthread_mutex_lock(&ps->lock);
	k = map_get(&ps->map, mark);
	if (k != NULL)
		drop(ps, k);
	check(ps);
	pthread_mutex_unlock(&ps->lock);
	return k != NULL;
}

void
passes_end_of(struct passes *ps, const uint8_t owner[SHA256_SIZE])
{
	struct holder *h;

	pthread_mutex_lock(&ps->lock);
	h = map_get(&ps->holders, owner);
	/* The last one frees h. */
	for (size_t n = h == NULL ? 0 : h->n; n > 0; n--)
		drop(ps, CONTAINER_OF(h->passes.next, struct kept, of_holder));
	check(ps);
	pthread_mutex_unlock(&ps->lock);
}

void
passes_doubt(struct passes *ps)
{
	pthread_mutex_lock(&ps->lock);
	for (struct list *l = ps->all.next; l != &ps->all; l = l->next) {
		struct kept *k = CONTAINER_OF(l, struct kept, all);

		k->p.stale = k->p.foreign;
	}
	pthread_mutex_unlock(&ps->lock);
}

struct passes_held
passes_held(struct passes *ps)
{
	struct passes_held held;

	pthread_mutex_lock(&ps->lock);
	held = (struct passes_held){ ps->map.n, ps->holders.n, ps->bytes };
	pthread_mutex_unlock(&ps->lock);
	return held;
}
