/*
 * lane.c - see lane.h.  The lock is taken only when somebody waits, or when there
 * are limits a minute; a call to a provider with free slots costs two atomic
 * operations.
 *
 * SPDX-License-Identifier: MIT
 */
#include "llm/lane.h"

#include <assert.h>

#include "base/mem.h"

#define MINUTE 60e9                          /* ns */

/* ---- rates ------------------------------------------------------------------------ */

void
bucket_init(struct bucket *b, int64_t a_minute)
{
	double all = (double)a_minute, burst = all / 10 > 1 ? all / 10 : 1;

	*b = (struct bucket){ 0 };
	if (a_minute <= 0)
		return;
	b->cap = b->level = burst;
	b->per_ns = (all > burst ? all - burst : all) / MINUTE;
}

static void
refill(struct bucket *b, nsec now)
{
	if (b->at != 0 && now > b->at)
		b->level += (double)(now - b->at) * b->per_ns;
	if (b->level > b->cap)
		b->level = b->cap;
	b->at = now;
}

nsec
bucket_take(struct bucket *b, double n, nsec now)
{
	double need = n < b->cap ? n : b->cap, short_of;

	if (b->cap <= 0)
		return 0;
	refill(b, now);
	short_of = need - b->level;
	b->level -= n;
	return short_of > 0 ? (nsec)(short_of / b->per_ns) + 1 : 0;
}

void
bucket_correct(struct bucket *b, double n)
{
	b->level += n;
	if (b->level > b->cap)
		b->level = b->cap;
}

nsec
lane_reserve(struct lane *l, int64_t tokens, nsec now)
{
	nsec requests, more;

	if (l->requests.cap <= 0 && l->tokens.cap <= 0)
		return 0;
	pthread_mutex_lock(&l->lock);
	requests = bucket_take(&l->requests, 1, now);
	more = bucket_take(&l->tokens, (double)tokens, now);
	pthread_mutex_unlock(&l->lock);
	return requests > more ? requests : more;
}

void
lane_correct(struct lane *l, int64_t tokens)
{
	if (l->tokens.cap <= 0 || tokens == 0)
		return;
	pthread_mutex_lock(&l->lock);
	bucket_correct(&l->tokens, (double)tokens);
	pthread_mutex_unlock(&l->lock);
}

/* ---- slots ------------------------------------------------------------------------ */

void
lane_init(struct lane *l, size_t index, int64_t concurrency, int64_t requests,
    int64_t tokens)
{
	assert(concurrency > 0 && concurrency <= UINT32_MAX);
	*l = (struct lane){ .index = index, .cap = (unsigned)concurrency };
	pthread_mutex_init(&l->lock, NULL);
	list_init(&l->line);
	bucket_init(&l->requests, requests);
	bucket_init(&l->tokens, tokens);
}

void
lane_release(struct lane *l)
{
	assert(list_empty(&l->line));
	pthread_mutex_destroy(&l->lock);
}

static bool
take_slot(struct lane *l)
{
	unsigned n = atomic_load(&l->running);

	while (n < l->cap)
		if (atomic_compare_exchange_weak(&l->running, &n, n + 1))
			return true;
	return false;
}

bool
lane_enter(struct lane *l)
{
	return atomic_load(&l->standing) == 0 && take_slot(l);
}

/* Locked.  Hands out what is free, a slot to a queue in turn. */
static void
hand_out(struct lane *l)
{
	while (!list_empty(&l->line) && take_slot(l)) {
		struct queue *q = CONTAINER_OF(l->line.next, struct queue, in);

		assert(q->wants > 0);
		list_remove(&q->in);
		q->granted++;
		if (--q->wants > 0)
			list_append(&l->line, &q->in);
		else
			atomic_fetch_sub(&l->standing, 1);
		if (!q->posted)
			shard_post(q->shard, &q->job);
		q->posted = true;
	}
}

/* Who waits counts itself before it looks for a slot, and who leaves gives the slot
 * back before it looks for somebody who waits: one of them sees the other. */
void
lane_leave(struct lane *l)
{
	atomic_fetch_sub(&l->running, 1);
	if (atomic_load(&l->standing) == 0)
		return;
	pthread_mutex_lock(&l->lock);
	hand_out(l);
	pthread_mutex_unlock(&l->lock);
}

/* ---- queues ----------------------------------------------------------------------- */

/* Locked. */
static void
wants_less(struct queue *q, unsigned n)
{
	assert(n <= q->wants);
	q->wants -= n;
	if (n == 0 || q->wants > 0)
		return;
	list_remove(&q->in);
	atomic_fetch_sub(&q->lane->standing, 1);
}

static void
on_turn(struct shard_job *job)
{
	struct queue *q = CONTAINER_OF(job, struct queue, job);
	struct lane *l = q->lane;
	unsigned slots;

	if (l == NULL) {
		free(q);
		return;
	}
	pthread_mutex_lock(&l->lock);
	slots = q->granted;
	q->granted = 0;
	q->posted = false;
	if (list_empty(&q->calls))
		wants_less(q, q->wants);
	pthread_mutex_unlock(&l->lock);
	for (; slots > 0; slots--) {
		struct list *call = q->calls.next;

		if (list_empty(&q->calls)) {
			lane_leave(l);       /* cancelled while the slot was on its way */
			continue;
		}
		list_remove(call);
		atomic_fetch_sub(&l->waiting, 1);
		q->turn(call);
	}
}

struct queue *
queue_new(struct shard *s, struct lane *l, void (*turn)(struct list *))
{
	struct queue *q = mem_new(struct queue);

	q->job.run = on_turn;
	q->shard = s;
	q->lane = l;
	q->turn = turn;
	list_init(&q->calls);
	return q;
}

/* The job may be under way: it frees the queue then. */
void
queue_free(struct queue *q)
{
	struct lane *l;
	unsigned slots;
	bool posted;

	if (q == NULL)
		return;
	l = q->lane;
	assert(list_empty(&q->calls));
	pthread_mutex_lock(&l->lock);
	wants_less(q, q->wants);
	slots = q->granted;
	posted = q->posted;
	q->granted = 0;
	q->lane = NULL;
	pthread_mutex_unlock(&l->lock);
	while (slots-- > 0)
		lane_leave(l);
	if (!posted)
		free(q);
}

void
queue_wait(struct queue *q, struct list *call)
{
	struct lane *l = q->lane;

	list_append(&q->calls, call);
	atomic_fetch_add(&l->waiting, 1);
	pthread_mutex_lock(&l->lock);
	if (q->wants++ == 0) {
		list_append(&l->line, &q->in);
		atomic_fetch_add(&l->standing, 1);
	}
	hand_out(l);
	pthread_mutex_unlock(&l->lock);
}

void
queue_quit(struct queue *q, struct list *call)
{
	struct lane *l = q->lane;

	list_remove(call);
	atomic_fetch_sub(&l->waiting, 1);
	pthread_mutex_lock(&l->lock);
	wants_less(q, q->wants > 0 ? 1 : 0);
	pthread_mutex_unlock(&l->lock);
}
