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
 * What others sent may be out of date the other way too: a client that has the answer of one
 * node may send its next request to another before that one was told that the first is over.
 * So nobody is refused for what others have without asking them.  A message of a node comes
 * after those that it sent before, and its answer counts what it has when it is asked, which
 * is after the client had its answer: a client that has no more requests under way than it
 * may have gets its place.
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
	uint64_t answered;                   /* the last of our questions */
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
	struct list waits;                   /* auth_entry: others are asked; in their order */
	struct list asking;                  /* some are not asked for yet */
};

struct quotas {
	pthread_mutex_t lock;                /* of all of it */
	struct map map;
	struct list idle, untold, asking;
	uint64_t asked;                      /* messages that ask */
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
	list_init(&qs->asking);
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

static bool
counts(const struct elsewhere *x, nsec now)
{
	return x->n > 0 && now - x->heard < LIMIT_QUOTA_SILENT_MS * NS_PER_MS;
}

/* Requests under way at other nodes; a node that tells nothing any more has none. */
static int64_t
count_others(struct quota *q, nsec now)
{
	int64_t n = 0;

	for (size_t i = 0; i < q->others_n; ) {
		struct elsewhere *x = &q->others[i];

		if (counts(x, now))
			n += x->n;
		else if (list_empty(&q->waits)) {
			*x = q->others[--q->others_n];
			continue;
		}
		i++;
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
		if (list_joined(&q->untold) || list_joined(&q->asking) ||
		    !list_empty(&q->waits) || count_others(q, now) > 0) {
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
		list_init(&q->waits);
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

/* Has it a place but for what other nodes sent? */
static bool
others_fill(struct quota *q, const struct auth_limits *l, nsec now)
{
	return q->n < l->concurrency && q->n + count_others(q, now) >= l->concurrency;
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
	if (rc == ERR_LIMIT && qs->changed != NULL && others_fill(q, l, now))
		rc = ERR_AGAIN;
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

static struct elsewhere *
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
		q->others[q->others_n++] = (struct elsewhere){ 0 };
	}
	q->others[i].node = node;
	q->others[i].n = t->n;
	q->others[i].heard = now;
	return &q->others[i];
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

/* ---- asking other nodes --------------------------------------------------------- */

static void
was_decided(struct shard_job *job)
{
	struct auth_entry *w = CONTAINER_OF(job, struct auth_entry, job);

	shard_timer_cancel(w->shard, &w->timer);
	w->done(w);
}

/* Under the lock; true: q has changed.  Full: w->rc is ERR_LIMIT. */
static bool
try(struct quota *q, struct auth_entry *w, nsec now)
{
	w->rc = take(q, &w->limits, now, &w->retry_s, &w->err);
	w->place = w->rc == OK ? q : NULL;
	return w->rc == OK;
}

static void
nobody_answered(struct wheel_timer *t)
{
	struct auth_entry *w = CONTAINER_OF(t, struct auth_entry, timer);
	struct quotas *qs = w->quotas;
	bool waits, say = false;

	pthread_mutex_lock(&qs->lock);
	waits = list_joined(&w->in);
	list_remove(&w->in);
	if (waits && try(w->quota, w, shard_now(w->shard)))
		say = note(qs, w->quota);
	pthread_mutex_unlock(&qs->lock);
	if (say)
		qs->changed(qs->ctx, true);
	if (waits)                           /* else was_decided comes */
		w->done(w);
}

void
quotas_enter_ask(struct quotas *qs, const struct uuid *payer, struct auth_entry *w)
{
	struct quota *q;

	w->quotas = qs;
	w->job.run = was_decided;
	w->timer.fire = nobody_answered;
	shard_timer_set(w->shard, &w->timer, LIMIT_QUOTA_ASK_MS);
	pthread_mutex_lock(&qs->lock);
	w->quota = q = find(qs, payer);
	list_append(&q->waits, &w->in);
	if (!list_joined(&q->asking))
		list_append(&qs->asking, &q->asking);
	pthread_mutex_unlock(&qs->lock);
	qs->changed(qs->ctx, true);
}

/* The number of a message that asks, then payers; the same number, then struct told. */
void
quotas_ask(struct quotas *qs, struct buf *out)
{
	pthread_mutex_lock(&qs->lock);
	if (!list_empty(&qs->asking)) {
		qs->asked++;
		buf_add(out, (struct str){ (const char *)&qs->asked, sizeof qs->asked });
	}
	/* An answer is twice as long. */
	while (!list_empty(&qs->asking) && 2 * (out->n + sizeof(struct uuid)) <= out->max) {
		struct quota *q = CONTAINER_OF(qs->asking.next, struct quota, asking);

		list_remove(&q->asking);
		buf_add(out, (struct str){ (const char *)&q->payer, sizeof q->payer });
		for (struct list *l = q->waits.next; l != &q->waits; l = l->next) {
			struct auth_entry *w = CONTAINER_OF(l, struct auth_entry, in);

			if (w->number == 0)
				w->number = qs->asked;
		}
	}
	pthread_mutex_unlock(&qs->lock);
}

void
quotas_answer(struct quotas *qs, struct str asked, struct buf *out)
{
	struct told t = { 0 };

	buf_add(out, str_sub(asked, 0, sizeof(uint64_t)));
	asked = str_sub(asked, sizeof(uint64_t), asked.n);
	pthread_mutex_lock(&qs->lock);
	for (; asked.n >= sizeof t.payer && out->n + sizeof t <= out->max;
	    asked = str_sub(asked, sizeof t.payer, asked.n)) {
		const struct quota *q;

		memcpy(&t.payer, asked.p, sizeof t.payer);
		q = map_get(&qs->map, &t.payer);
		t.n = q == NULL ? 0 : q->n;
		buf_add(out, (struct str){ (const char *)&t, sizeof t });
	}
	pthread_mutex_unlock(&qs->lock);
}

/* Has each node that has requests of its under way said so after it was asked? */
static bool
all_answered(const struct quota *q, uint64_t number, nsec now)
{
	for (size_t i = 0; i < q->others_n; i++)
		if (counts(&q->others[i], now) && q->others[i].answered < number)
			return false;
	return number > 0;
}

/* Ends what waits for q and has a place now, or has none for sure.  True: q has changed. */
static bool
decide(struct quota *q, nsec now)
{
	bool any = false;
	struct list *next;

	for (struct list *l = q->waits.next; l != &q->waits; l = next) {
		struct auth_entry *w = CONTAINER_OF(l, struct auth_entry, in);
		bool in = try(q, w, now);

		next = l->next;
		any = any || in;
		if (!in && others_fill(q, &w->limits, now) && !all_answered(q, w->number, now))
			continue;
		list_remove(l);
		shard_post(w->shard, &w->job);
	}
	return any;
}

void
quotas_answered(struct quotas *qs, uint64_t node, struct str answer, nsec now)
{
	struct told t;
	uint64_t number;
	bool say = false;

	if (answer.n < sizeof number)
		return;
	memcpy(&number, answer.p, sizeof number);
	answer = str_sub(answer, sizeof number, answer.n);
	pthread_mutex_lock(&qs->lock);
	for (; answer.n >= sizeof t; answer = str_sub(answer, sizeof t, answer.n)) {
		struct quota *q;

		memcpy(&t, answer.p, sizeof t);
		hear(qs, node, &t, now)->answered = number;
		q = map_get(&qs->map, &t.payer);
		if (decide(q, now))
			say = note(qs, q) || say;
	}
	pthread_mutex_unlock(&qs->lock);
	if (say)
		qs->changed(qs->ctx, true);
}

void
quotas_forget(struct quotas *qs, nsec now)
{
	size_t at = 0;
	struct quota *q;
	bool say = false;

	pthread_mutex_lock(&qs->lock);
	for (q = map_each(&qs->map, &at); q != NULL; q = map_each(&qs->map, &at)) {
		q->others_n = 0;
		if (decide(q, now))
			say = note(qs, q) || say;
	}
	pthread_mutex_unlock(&qs->lock);
	if (say)
		qs->changed(qs->ctx, true);
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
