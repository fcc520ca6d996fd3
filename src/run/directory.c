/*
 * directory.c - see directory_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/directory_priv.h"

#include <assert.h>
#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"

struct home {
	struct uuid thread_id;
	struct runs *runs;
	struct place *first;         /* its runs */
	size_t pins;
};

struct directory {
	pthread_mutex_t lock;
	struct map runs, threads;
};

static uint64_t
hash(const void *key)
{
	return uuid_hash(key);
}

static const void *
run_key(const void *value)
{
	return &((const struct place *)value)->run_id;
}

static bool
run_eq(const void *value, const void *key)
{
	return uuid_eq(run_key(value), key);
}

static const void *
thread_key(const void *value)
{
	return &((const struct home *)value)->thread_id;
}

static bool
thread_eq(const void *value, const void *key)
{
	return uuid_eq(thread_key(value), key);
}

struct directory *
directory_new(void)
{
	struct directory *d = mem_new(struct directory);

	pthread_mutex_init(&d->lock, NULL);
	map_init(&d->runs, hash, run_eq, run_key);
	map_init(&d->threads, hash, thread_eq, thread_key);
	return d;
}

void
directory_free(struct directory *d)
{
	struct home *h;
	size_t at = 0;

	if (d == NULL)
		return;
	for (h = map_each(&d->threads, &at); h != NULL; h = map_each(&d->threads, &at))
		free(h);
	map_release(&d->runs);
	map_release(&d->threads);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static struct home *
pin(struct directory *d, const struct uuid *thread_id, struct runs *here)
{
	struct home *h = map_get(&d->threads, thread_id);

	if (h == NULL) {
		h = mem_new(struct home);
		h->thread_id = *thread_id;
		h->runs = here;
		map_put(&d->threads, h);
	}
	h->pins++;
	return h;
}

static void
unpin(struct directory *d, struct home *h)
{
	assert(h->pins > 0);
	if (--h->pins > 0)
		return;
	map_take(&d->threads, &h->thread_id);
	free(h);
}

struct runs *
directory_enter(struct directory *d, struct place *p, bool stateless,
    struct runs *here)
{
	pthread_mutex_lock(&d->lock);
	p->thread = stateless ? NULL : pin(d, &p->thread_id, here);
	p->home = p->thread == NULL ? here : p->thread->runs;
	if (p->thread != NULL) {
		p->next = p->thread->first;
		p->thread->first = p;
	}
	map_put(&d->runs, p);
	pthread_mutex_unlock(&d->lock);
	return p->home;
}

void
directory_leave(struct directory *d, struct place *p)
{
	pthread_mutex_lock(&d->lock);
	map_take(&d->runs, &p->run_id);
	if (p->thread != NULL) {
		struct place **at = &p->thread->first;

		while (*at != p)
			at = &(*at)->next;
		*at = p->next;
		unpin(d, p->thread);
	}
	p->thread = NULL;
	pthread_mutex_unlock(&d->lock);
}

struct runs *
directory_pin(struct directory *d, const struct uuid *thread_id, struct runs *here)
{
	struct runs *home;

	pthread_mutex_lock(&d->lock);
	home = pin(d, thread_id, here)->runs;
	pthread_mutex_unlock(&d->lock);
	return home;
}

bool
directory_pin_unless(struct directory *d, const struct uuid *thread_id, struct runs *here,
    bool (*elsewhere)(void *ctx, const struct uuid *thread_id), void *ctx)
{
	bool pins;

	pthread_mutex_lock(&d->lock);
	pins = elsewhere == NULL || !elsewhere(ctx, thread_id);
	if (pins)
		pin(d, thread_id, here);
	pthread_mutex_unlock(&d->lock);
	return pins;
}

void
directory_unpin(struct directory *d, const struct uuid *thread_id)
{
	struct home *h;

	pthread_mutex_lock(&d->lock);
	h = map_get(&d->threads, thread_id);
	assert(h != NULL);
	unpin(d, h);
	pthread_mutex_unlock(&d->lock);
}

struct runs *
directory_find(struct directory *d, owner_t owner, const struct uuid *thread_id,
    const struct uuid *run_id)
{
	const struct place *p;
	struct runs *home = NULL;

	pthread_mutex_lock(&d->lock);
	p = map_get(&d->runs, run_id);
	if (p != NULL && p->owner == owner &&
	    (uuid_is_zero(thread_id) || uuid_eq(&p->thread_id, thread_id)))
		home = p->home;
	pthread_mutex_unlock(&d->lock);
	return home;
}

bool
directory_has(struct directory *d, const struct uuid *run_id)
{
	bool has;

	pthread_mutex_lock(&d->lock);
	has = map_get(&d->runs, run_id) != NULL;
	pthread_mutex_unlock(&d->lock);
	return has;
}

bool
directory_runs_any(struct directory *d, const struct uuid *thread_id)
{
	const struct home *h;
	bool any;

	pthread_mutex_lock(&d->lock);
	h = map_get(&d->threads, thread_id);
	any = h != NULL && h->first != NULL;
	pthread_mutex_unlock(&d->lock);
	return any;
}

void
directory_set_waits(struct directory *d, struct place *p, bool waits)
{
	pthread_mutex_lock(&d->lock);
	p->waits = waits;
	pthread_mutex_unlock(&d->lock);
}

bool
directory_waits(struct directory *d, owner_t owner, const struct uuid *run_id)
{
	const struct place *p;
	bool waits;

	pthread_mutex_lock(&d->lock);
	p = map_get(&d->runs, run_id);
	waits = p != NULL && p->owner == owner && p->waits;
	pthread_mutex_unlock(&d->lock);
	return waits;
}

struct uuid
directory_waiting(struct directory *d, owner_t owner, const struct uuid *thread_id)
{
	struct uuid id = { 0 };
	const struct home *h;

	pthread_mutex_lock(&d->lock);
	h = map_get(&d->threads, thread_id);
	for (const struct place *p = h == NULL ? NULL : h->first; p != NULL; p = p->next)
		if (p->owner == owner && p->waits)
			id = p->run_id;
	pthread_mutex_unlock(&d->lock);
	return id;
}

struct uuid *
directory_runs(struct directory *d, owner_t owner, const struct uuid *thread_id, size_t *n)
{
	const struct home *h;
	struct uuid *ids = NULL;
	size_t cap = 0;

	*n = 0;
	pthread_mutex_lock(&d->lock);
	h = map_get(&d->threads, thread_id);
	for (const struct place *p = h == NULL ? NULL : h->first; p != NULL; p = p->next) {
		if (p->owner != owner)
			continue;
		mem_grow(ids, *n, cap);
		ids[(*n)++] = p->run_id;
	}
	pthread_mutex_unlock(&d->lock);
	return ids;
}

struct runs *
directory_thread(struct directory *d, const struct uuid *thread_id)
{
	const struct home *h;
	struct runs *home;

	pthread_mutex_lock(&d->lock);
	h = map_get(&d->threads, thread_id);
	home = h == NULL ? NULL : h->runs;
	pthread_mutex_unlock(&d->lock);
	return home;
}
