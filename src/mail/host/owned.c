/*
 * owned.c - how many agents each owner has in this process, for a quota.
 *
 * They are counted here and not in the store: most agents have no row there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/office_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/quota.h"

struct owned { owner_t owner; int64_t n; };

static uint64_t
owned_hash(const void *key)
{
	return (uint64_t)*(const owner_t *)key * UINT64_C(0x9e3779b97f4a7c15);
}

static bool
owned_is(const void *value, const void *key)
{
	return ((const struct owned *)value)->owner == *(const owner_t *)key;
}

static const void *
owned_key(const void *value)
{
	return &((const struct owned *)value)->owner;
}

void
owned_init(struct offices *os)
{
	pthread_mutex_init(&os->owned_lock, NULL);
	map_init(&os->owned, owned_hash, owned_is, owned_key);
}

void
owned_release(struct offices *os)
{
	size_t at = 0;
	struct owned *x;

	for (x = map_each(&os->owned, &at); x != NULL; x = map_each(&os->owned, &at))
		free(x);
	map_release(&os->owned);
	pthread_mutex_destroy(&os->owned_lock);
}

int
owned_add(struct offices *os, owner_t owner, int64_t max, struct err *e)
{
	struct owned *x;
	int64_t n;

	pthread_mutex_lock(&os->owned_lock);
	x = map_get(&os->owned, &owner);
	if (x == NULL) {
		x = mem_new(struct owned);
		x->owner = owner;
		map_put(&os->owned, x);
	}
	n = x->n;
	if (max == 0 || n < max)
		x->n++;
	pthread_mutex_unlock(&os->owned_lock);
	return max == 0 || n < max ? OK : quota_refuse(QUOTA_AGENTS, max, n, e);
}

void
owned_drop(struct offices *os, owner_t owner)
{
	struct owned *x;

	pthread_mutex_lock(&os->owned_lock);
	x = map_get(&os->owned, &owner);
	assert(x != NULL && x->n > 0);
	if (--x->n == 0) {
		map_take(&os->owned, &owner);
		free(x);
	}
	pthread_mutex_unlock(&os->owned_lock);
}

int64_t
office_owned(const struct office *o, owner_t owner)
{
	struct offices *os = o->all;
	const struct owned *x;
	int64_t n;

	pthread_mutex_lock(&os->owned_lock);
	x = map_get(&os->owned, &owner);
	n = x == NULL ? 0 : x->n;
	pthread_mutex_unlock(&os->owned_lock);
	return n;
}
