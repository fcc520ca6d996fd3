/*
 * send.c - batches on their way to the collector: one request a shard at a time.
 *
 *            spans, or time            2xx, given up
 *   RESTING ----------------> SENDING ---------------> RESTING
 *                              |   ^
 *                 429, 503, .. |   | timer
 *                              v   |
 *                             PAUSING
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "trace/trace_priv.h"

static void post(struct tracer *t);

static void
count(atomic_ullong *to, uint64_t n)
{
	atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static void
drained(struct tracer *t)
{
	void (*done)(void *ctx) = t->drained;

	t->drained = NULL;
	shard_timer_cancel(t->shard, &t->deadline);
	if (done != NULL)
		done(t->drained_ctx);
}

/* What is there leaves: at once if it is a batch or the end is near. */
static void
rest(struct tracer *t)
{
	if (t->n > 0)
		buf_clear(&t->body);         /* the next batch needs it */
	else
		buf_release(&t->body);
	t->batch = 0;
	t->tries = 0;
	if (t->n == 0 && t->draining)
		drained(t);
	else if (t->n >= LIMIT_TRACE_BATCH || (t->n > 0 && t->draining))
		post(t);
	else if (t->n > 0)
		shard_timer_set(t->shard, &t->timer, LIMIT_TRACE_DELAY_MS);
}

static void
given_up(struct tracer *t, int status, const char *why)
{
	log_fails(&t->spell, "trace", "not_exported", "status=%d spans=%zu error=%s", status,
	    t->batch, why);
	count(&t->of->failed, t->batch);
	rest(t);
}

static void
taken(struct tracer *t)
{
	struct buf why = BUF(KB);
	uint64_t rejected = otlp_rejected(buf_str(&t->answer), &why);

	if (rejected > t->batch)
		rejected = t->batch;
	if (rejected > 0)
		log_warn("trace", "rejected", "spans=%llu error=%.*s",
		    (unsigned long long)rejected, FMT(buf_str(&why)));
	log_works(&t->spell, "trace", "not_exported");
	count(&t->of->rejected, rejected);
	count(&t->of->exported, t->batch - rejected);
	buf_release(&why);
	rest(t);
}

/* Half of it is random, so that shards and nodes do not come back together. */
static msec
pause_of(const struct tracer *t, const struct client_answer *a)
{
	msec most = (msec)LIMIT_TRACE_PAUSE_MS << (t->tries < 5 ? t->tries : 5);
	int64_t said;
	uint16_t random;

	if (a != NULL && str_to_i64(str_trim(a->retry_after), &said) && said >= 0)
		return said * 1000 < LIMIT_TRACE_PAUSE_MAX_MS ? said * 1000 :
		    LIMIT_TRACE_PAUSE_MAX_MS;
	id_random(&random, sizeof random);
	return most / 2 + most * random / 2 / UINT16_MAX;
}

static void
on_data(void *ctx, struct str bytes)
{
	struct tracer *t = ctx;

	buf_add(&t->answer, str_cut(bytes, t->answer.max - t->answer.n));
}

static void
on_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct tracer *t = ctx;
	int status = rc == OK ? a->status : 0;
	bool again = rc != OK || status == 429 || (status >= 502 && status <= 504);

	t->call = NULL;
	if (rc == OK && status / 100 == 2) {
		taken(t);
	} else if (again && ++t->tries < LIMIT_TRACE_TRIES) {
		log_fails(&t->spell, "trace", "not_exported", "status=%d spans=%zu error=%s",
		    status, t->batch, rc != OK ? e->text : "the collector says to come later");
		shard_timer_set(t->shard, &t->timer, pause_of(t, rc == OK ? a : NULL));
	} else {
		given_up(t, status, rc != OK ? e->text : "the collector refuses them");
	}
}

/* A batch is made of what is there, unless one is to be tried again. */
static void
post(struct tracer *t)
{
	const struct client_hooks hooks = { .data = on_data, .done = on_done, .ctx = t };
	struct client_request q = { .method = S("POST"), .url = buf_str(&t->of->url),
	    .headers = buf_str(&t->of->headers), .connect_ms = LIMIT_TRACE_SEND_MS,
	    .silence_ms = LIMIT_TRACE_SEND_MS, .body_max = LIMIT_TRACE_ANSWER_BYTES };

	assert(t->call == NULL);
	shard_timer_cancel(t->shard, &t->timer);
	if (t->body.n == 0) {
		otlp_write(&t->body, t, &t->batch);
		ring_drop(t, t->batch);
		if (t->body.failed) {
			given_up(t, 0, "a batch is too large");
			return;
		}
	}
	buf_clear(&t->answer);
	q.body = buf_str(&t->body);
	t->call = client_start(t->client, &q, &hooks);
}

static void
on_timer(struct wheel_timer *w)
{
	struct tracer *t = CONTAINER_OF(w, struct tracer, timer);

	if (t->call == NULL && (t->n > 0 || t->body.n > 0))
		post(t);
}

static void
on_full(struct shard_job *job)
{
	struct tracer *t = CONTAINER_OF(job, struct tracer, job);

	if (t->call == NULL && t->body.n == 0 && t->n > 0)
		post(t);
}

void
send_look(struct tracer *t)
{
	if (t->call != NULL || t->body.n > 0)
		return;                      /* rest() looks again */
	if (t->n >= LIMIT_TRACE_BATCH || t->draining)
		shard_at_turn_end(t->shard, &t->job);
	else if (t->n == 1)
		shard_timer_set(t->shard, &t->timer, LIMIT_TRACE_DELAY_MS);
}

/* ---- life --------------------------------------------------------------------------- */

static void
on_deadline(struct wheel_timer *w)
{
	struct tracer *t = CONTAINER_OF(w, struct tracer, deadline);

	log_warn("trace", "not_flushed", "spans=%zu", t->n + t->batch);
	count(&t->of->dropped, t->n + t->batch);
	drained(t);
}

struct tracer *
tracer_new(struct tracing *of, struct shard *s, struct client *c)
{
	struct tracer *t = mem_new(struct tracer);

	t->of = of;
	t->shard = s;
	t->client = c;
	t->ring = mem_zero(LIMIT_TRACE_SPANS * sizeof *t->ring);
	t->job.run = on_full;
	t->timer.fire = on_timer;
	t->deadline.fire = on_deadline;
	t->body = BUF(16 * (size_t)LIMIT_TRACE_BATCH_BYTES);
	t->answer = BUF(LIMIT_TRACE_ANSWER_BYTES);
	return t;
}

void
tracer_drain(struct tracer *t, msec at_most, void (*done)(void *ctx), void *ctx)
{
	if (t == NULL) {
		done(ctx);
		return;
	}
	t->draining = true;
	t->drained = done;
	t->drained_ctx = ctx;
	shard_timer_set(t->shard, &t->deadline, at_most);
	if (t->call == NULL && t->body.n == 0)
		rest(t);
}

void
tracer_free(struct tracer *t)
{
	if (t == NULL)
		return;
	if (t->call != NULL)
		client_cancel(t->call);
	shard_timer_cancel(t->shard, &t->timer);
	shard_timer_cancel(t->shard, &t->deadline);
	ring_drop(t, t->n);
	buf_release(&t->body);
	buf_release(&t->answer);
	free(t->ring);
	free(t);
}
