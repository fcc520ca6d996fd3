/*
 * quota.c - see quota_priv.h.
 *
 * Rates are limited by GCRA: one time per caller, at which its requests so far would be due
 * if they came evenly.  It may be up to a second ahead of the clock.
 *
 * Several nodes tell each other, for each caller, how many requests are under way and by
 * how much its time has gone ahead since their last message.  Each adds what it receives to its
 * own.  Much is told at once: an eighth of a limit; so all nodes together exceed a limit by
 * what they admit while such a message is under way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/quota_priv.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#define SECOND (1000 * NS_PER_MS)

/* What another node has of a caller. */
struct elsewhere {
	uint64_t node;
	int64_t n;
	nsec heard;
};

struct quota {
	struct uuid payer;
	int64_t n, limit;                    /* requests under way here; how many may be */
	nsec due;
	struct list idle;                    /* n is 0; the longest first */
	struct list untold;                  /* something is to be told to other nodes */
	int64_t told;                        /* n as it was told */
	nsec ahead;                          /* of `due`, not told yet */
	struct elsewhere *others;
	size_t others_n, others_cap;
};

struct quotas {
	pthread_mutex_t lock;                /* of all of it */
	struct map map;
	struct list idle, untold;
	void (*changed)(void *ctx, bool much);       /* NULL: a node alone */
	void *ctx;
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
	list_init(&qs->untold);
	return qs;
}

static void
quota_free(struct quota *q)
{
	free(q->others);
	free(q);
}

void
quotas_free(struct quotas *qs)
{
	size_t at = 0;
	struct quota *q;

	if (qs == NULL)
		return;
	for (q = map_each(&qs->map, &at); q != NULL; q = map_each(&qs->map, &at))
		quota_free(q);
	map_release(&qs->map);
	pthread_mutex_destroy(&qs->lock);
	free(qs);
}

/* Requests under way at other nodes; a node that tells nothing any more has none. */
static int64_t
count_others(struct quota *q, nsec now)
{
	int64_t n = 0;

	for (size_t i = 0; i < q->others_n; ) {
		struct elsewhere *x = &q->others[i];

		if (x->n > 0 && now - x->heard < LIMIT_QUOTA_SILENT_MS * NS_PER_MS) {
			n += x->n;
			i++;
		} else {
			*x = q->others[--q->others_n];
		}
	}
	return n;
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
		if (list_joined(&q->untold) || count_others(q, now) > 0) {
			list_append(&qs->idle, &q->idle);
			continue;
		}
		map_take(&qs->map, &q->payer);
		quota_free(q);
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
	nsec due = q->due > now ? q->due : now, step = 0;
	int64_t n = q->n + count_others(q, now);

	*retry_s = 1;
	if (l->concurrency > 0 && n >= l->concurrency)
		return err_set(e, ERR_LIMIT, "concurrency: %lld requests are under way, as many "
		    "as these credentials may have", (long long)n);
	if (l->requests_per_second > 0)
		step = SECOND / l->requests_per_second;
	if (due + step > now + SECOND)
		return err_set(e, ERR_LIMIT, "requests-per-second: these credentials may send "
		    "%lld a second", (long long)l->requests_per_second);
	q->due = due + step;
	q->ahead += step;
	q->limit = l->concurrency;
	if (q->n++ == 0)
		list_remove(&q->idle);
	return OK;
}

/* Is an eighth of a limit not told yet? */
static bool
is_much(const struct quota *q)
{
	return (q->limit > 0 && llabs(q->n - q->told) * 8 >= q->limit) ||
	    q->ahead * 8 >= SECOND;
}

/* q has changed: under the lock; true: say so when it is released. */
static bool
note(struct quotas *qs, struct quota *q)
{
	if (qs->changed == NULL)
		return false;
	if (!list_joined(&q->untold))
		list_append(&qs->untold, &q->untold);
	return true;
}

int
quotas_enter(struct quotas *qs, const struct uuid *payer, const struct auth_limits *l,
    nsec now, struct quota **place, int64_t *retry_s, struct err *e)
{
	struct quota *q;
	bool say, much;
	int rc;

	pthread_mutex_lock(&qs->lock);
	drop_idle(qs, now);
	q = find(qs, payer);
	rc = take(q, l, now, retry_s, e);
	say = rc == OK && note(qs, q);
	much = is_much(q);
	pthread_mutex_unlock(&qs->lock);
	if (say)
		qs->changed(qs->ctx, much);
	*place = rc == OK ? q : NULL;
	return rc;
}

void
quotas_leave(struct quotas *qs, struct quota *q)
{
	bool say, much;

	pthread_mutex_lock(&qs->lock);
	assert(q->n > 0);
	if (--q->n == 0)
		list_append(&qs->idle, &q->idle);
	say = note(qs, q);
	much = is_much(q);
	pthread_mutex_unlock(&qs->lock);
	if (say)
		qs->changed(qs->ctx, much);
}

/* ---- other nodes --------------------------------------------------------------- */

/* One caller, in the byte order of these machines. */
struct told {
	struct uuid payer;
	int64_t n;
	nsec ahead;
};

void
quotas_on_change(struct quotas *qs, void (*changed)(void *ctx, bool much), void *ctx)
{
	qs->ctx = ctx;
	qs->changed = changed;
}

static void
tell(struct quota *q, struct buf *out)
{
	struct told t = { q->payer, q->n, q->ahead };

	buf_add(out, (struct str){ (const char *)&t, sizeof t });
	q->told = q->n;
	q->ahead = 0;
	list_remove(&q->untold);
}

bool
quotas_tell(struct quotas *qs, bool all, struct buf *out)
{
	size_t at = 0;
	struct quota *q;
	bool any = false;

	pthread_mutex_lock(&qs->lock);
	while (!list_empty(&qs->untold) && out->n + sizeof(struct told) <= out->max)
		tell(CONTAINER_OF(qs->untold.next, struct quota, untold), out);
	/* Is there any, or all of them. */
	while ((all || !any) && (q = map_each(&qs->map, &at)) != NULL) {
		any = any || q->n > 0;
		if (all && q->n > 0 && out->n + sizeof(struct told) <= out->max)
			tell(q, out);
	}
	pthread_mutex_unlock(&qs->lock);
	return any;
}

static void
hear(struct quotas *qs, uint64_t node, const struct told *t, nsec now)
{
	struct quota *q = find(qs, &t->payer);
	size_t i = 0;

	if (t->ahead > 0 && t->ahead <= 60 * SECOND)
		q->due = (q->due > now ? q->due : now) + t->ahead;
	while (i < q->others_n && q->others[i].node != node)
		i++;
	if (i == q->others_n) {
		mem_grow(q->others, q->others_n, q->others_cap);
		q->others_n++;
	}
	q->others[i] = (struct elsewhere){ node, t->n, now };
}

void
quotas_hear(struct quotas *qs, uint64_t node, struct str text, nsec now)
{
	struct told t;

	pthread_mutex_lock(&qs->lock);
	drop_idle(qs, now);
	for (; text.n >= sizeof t; text = str_sub(text, sizeof t, text.n)) {
		memcpy(&t, text.p, sizeof t);
		hear(qs, node, &t, now);
	}
	pthread_mutex_unlock(&qs->lock);
}

void
quotas_forget(struct quotas *qs)
{
	size_t at = 0;
	struct quota *q;

	pthread_mutex_lock(&qs->lock);
	for (q = map_each(&qs->map, &at); q != NULL; q = map_each(&qs->map, &at))
		q->others_n = 0;
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
