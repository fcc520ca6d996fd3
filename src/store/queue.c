/*
 * queue.c - commands on their way to a thread.
 *
 * Many producers, one consumer, first in first out; commands marked `first` go
 * ahead of the others.  A producer signals only when the consumer would sleep
 * past the moment the new command is due: at once for one that somebody waits
 * for, LIMIT_WRITER_LINGER_MS later for a lazy one.  Nothing polls.
 *
 * A consumer that has just worked naps for that long first: lazy commands mostly
 * follow an urgent one, and during the nap they need no signal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "store/store_priv.h"

#define LINGER (LIMIT_WRITER_LINGER_MS * NS_PER_MS)

void
queue_init(struct queue *q)
{
	pthread_condattr_t attr;

	*q = (struct queue){ .lazy_until = NEVER };
	q->tail = q->first_tail = &q->head;
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->wake, &attr);
	pthread_condattr_destroy(&attr);
}

/* True at every door, under the lock. */
static void
check_queue(const struct queue *q)
{
	assert((q->head == NULL) == (q->ops == 0) && *q->tail == NULL);
	assert((q->tail == &q->head) == (q->ops == 0));
	assert((q->first_tail == &q->head) == (q->firsts == 0));
	assert(q->urgent <= q->ops && q->firsts <= q->ops);
	assert(q->ops > 0 || q->bytes == 0);
}

void
queue_release(struct queue *q)
{
	check_queue(q);
	assert(q->ops == 0);
	pthread_cond_destroy(&q->wake);
	pthread_mutex_destroy(&q->lock);
}

/* When the consumer should act on what is queued. */
static nsec
queue_due(const struct queue *q)
{
	return q->urgent > 0 ? 0 : q->lazy_until;
}

/* One command always fits an empty queue, whatever its size. */
static bool
queue_full(const struct queue *q, size_t bytes)
{
	return q->ops >= LIMIT_WRITER_OPS ||
	    (q->ops > 0 && q->bytes + bytes > LIMIT_WRITER_BYTES);
}

static void
queue_link(struct queue *q, struct store_cmd *c, bool first)
{
	struct shard_job **at = first ? q->first_tail : q->tail;

	c->job.next = *at;
	*at = &c->job;
	if (q->tail == at)
		q->tail = &c->job.next;
	if (first) {
		q->first_tail = &c->job.next;
		atomic_fetch_add(&q->firsts, 1);
	}
}

int
queue_put(struct queue *q, struct store_cmd *c, bool force, bool first)
{
	bool wake;

	pthread_mutex_lock(&q->lock);
	check_queue(q);
	assert(!q->closing);
	if (!force && queue_full(q, c->bytes)) {
		pthread_mutex_unlock(&q->lock);
		return ERR_BUSY;
	}
	queue_link(q, c, first);
	q->ops++;
	q->bytes += c->bytes;
	if (!c->lazy)
		q->urgent++;
	else if (q->lazy_until == NEVER)
		q->lazy_until = clock_mono() + LINGER;
	q->lingers |= c->lazy;
	wake = queue_due(q) < q->sleeps_until;
	if (wake)
		q->sleeps_until = queue_due(q);      /* one signal is enough */
	pthread_mutex_unlock(&q->lock);
	if (wake)
		pthread_cond_signal(&q->wake);
	return OK;
}

void
queue_put_back(struct queue *q, struct store_cmd *c)
{
	pthread_mutex_lock(&q->lock);
	check_queue(q);
	queue_link(q, c, false);
	q->ops++;
	q->bytes += c->bytes;
	if (!c->lazy)
		q->urgent++;
	pthread_mutex_unlock(&q->lock);
}

static void
queue_sleep(struct queue *q, nsec until)
{
	struct timespec t = { until / NS_PER_S, until % NS_PER_S };

	q->sleeps_until = until;
	if (until == NEVER)
		pthread_cond_wait(&q->wake, &q->lock);
	else
		pthread_cond_timedwait(&q->wake, &q->lock, &t);
	q->sleeps_until = 0;
}

static struct store_cmd *
queue_pop(struct queue *q)
{
	struct store_cmd *c = CONTAINER_OF(q->head, struct store_cmd, job);

	q->head = c->job.next;
	if (q->first_tail == &c->job.next)
		q->first_tail = &q->head;
	if (q->firsts > 0)
		atomic_fetch_sub(&q->firsts, 1);
	if (q->head == NULL) {
		q->tail = &q->head;
		q->lazy_until = NEVER;
	}
	q->ops--;
	q->bytes -= c->bytes;
	if (!c->lazy)
		q->urgent--;
	c->job.next = NULL;
	return c;
}

size_t
queue_take(struct queue *q, struct store_cmd **out, size_t max, nsec idle_until,
    bool *closing)
{
	size_t n = 0;
	bool napped;

	pthread_mutex_lock(&q->lock);
	check_queue(q);
	napped = !q->lingers;
	while (!q->closing && q->urgent == 0) {
		nsec until = queue_due(q) < idle_until ? queue_due(q) : idle_until;
		nsec now = clock_mono();

		if (until <= now)
			break;
		if (!napped && until > now + LINGER)
			until = now + LINGER;
		napped = true;
		queue_sleep(q, until);
	}
	while (q->head != NULL && n < max)
		out[n++] = queue_pop(q);
	*closing = q->closing && n == 0;
	check_queue(q);
	pthread_mutex_unlock(&q->lock);
	return n;
}

struct store_cmd *
queue_take_first(struct queue *q)
{
	struct store_cmd *c = NULL;

	if (atomic_load_explicit(&q->firsts, memory_order_relaxed) == 0)
		return NULL;
	pthread_mutex_lock(&q->lock);
	if (q->firsts > 0)
		c = queue_pop(q);
	check_queue(q);
	pthread_mutex_unlock(&q->lock);
	return c;
}

void
queue_close(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closing = true;
	pthread_mutex_unlock(&q->lock);
	pthread_cond_signal(&q->wake);
}

bool
queue_empty(struct queue *q)
{
	bool empty;

	pthread_mutex_lock(&q->lock);
	empty = q->head == NULL;
	pthread_mutex_unlock(&q->lock);
	return empty;
}
