/*
 * quota.c - see quota_priv.h.
 *
 * Rates are limited by GCRA: one time per caller, at which its requests so far would be due
 * if they came evenly.  It may be up to a second ahead of the clock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/quota_priv.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#define SECOND (1000 * NS_PER_MS)

struct quota {
	struct uuid payer;
	int64_t n;                           /* requests under way */
	nsec due;
	struct list idle;                    /* n is 0; the longest first */
};

struct quotas {
	pthread_mutex_t lock;                /* of all of it */
	struct map map;
	struct list idle;
};

/* A payer is made of a digest. */
static uint64_t
payer_hash(const void *key)
{
	uint64_t h;

	memcpy(&h, key, sizeof h);
	return h;
}

static const void *
payer_of(const void *value)
{
	return &((const struct quota *)value)->payer;
}

static bool
payer_is(const void *value, const void *key)
{
	return memcmp(payer_of(value), key, sizeof(struct uuid)) == 0;
}

struct quotas *
quotas_new(void)
{
	struct quotas *qs = mem_new(struct quotas);

	pthread_mutex_init(&qs->lock, NULL);
	map_init(&qs->map, payer_hash, payer_is, payer_of);
	list_init(&qs->idle);
	return qs;
}

void
quotas_free(struct quotas *qs)
{
	size_t at = 0;
	struct quota *q;

	if (qs == NULL)
		return;
	for (q = map_each(&qs->map, &at); q != NULL; q = map_each(&qs->map, &at))
		free(q);
	map_release(&qs->map);
	pthread_mutex_destroy(&qs->lock);
	free(qs);
}

/* Frees entries that no longer limit anybody, at most two for each request: more than one
 * request adds, so they do not accumulate. */
static void
drop_idle(struct quotas *qs, nsec now)
{
	for (int i = 0; i < 2 && !list_empty(&qs->idle); i++) {
		struct quota *q = CONTAINER_OF(qs->idle.next, struct quota, idle);

		if (q->due > now)
			return;
		list_remove(&q->idle);
		map_take(&qs->map, &q->payer);
		free(q);
	}
}

static struct quota *
find(struct quotas *qs, const struct uuid *payer)
{
	struct quota *q = map_get(&qs->map, payer);

	if (q == NULL) {
		q = mem_new(struct quota);
		q->payer = *payer;
		list_append(&qs->idle, &q->idle);
		map_put(&qs->map, q);
	}
	return q;
}

static int
take(struct quota *q, const struct auth_limits *l, nsec now,
    int64_t *retry_s, struct err *e)
{
	nsec due = q->due > now ? q->due : now;

	*retry_s = 1;
	if (l->concurrency > 0 && q->n >= l->concurrency)
		return err_set(e, ERR_LIMIT, "concurrency: %lld requests are under way, as many "
		    "as these credentials may have", (long long)q->n);
	if (l->requests_per_second > 0)
		due += SECOND / l->requests_per_second;
	if (due > now + SECOND)
		return err_set(e, ERR_LIMIT, "requests-per-second: these credentials may send "
		    "%lld a second", (long long)l->requests_per_second);
	q->due = due;
	if (q->n++ == 0)
		list_remove(&q->idle);
	return OK;
}

int
quotas_enter(struct quotas *qs, const struct uuid *payer, const struct auth_limits *l,
    nsec now, struct quota **place, int64_t *retry_s, struct err *e)
{
	struct quota *q;
	int rc;

	pthread_mutex_lock(&qs->lock);
	drop_idle(qs, now);
	q = find(qs, payer);
	rc = take(q, l, now, retry_s, e);
	pthread_mutex_unlock(&qs->lock);
	*place = rc == OK ? q : NULL;
	return rc;
}

void
quotas_leave(struct quotas *qs, struct quota *q)
{
	pthread_mutex_lock(&qs->lock);
	assert(q->n > 0);
	if (--q->n == 0)
		list_append(&qs->idle, &q->idle);
	pthread_mutex_unlock(&qs->lock);
}

size_t
quotas_count(struct quotas *qs)
{
	size_t n;

	pthread_mutex_lock(&qs->lock);
	n = qs->map.n;
	pthread_mutex_unlock(&qs->lock);
	return n;
}
