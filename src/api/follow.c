/*
 * follow.c - see follow.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/follow.h"

#include <assert.h>

static void
check_follow(const struct follow *f)
{
	assert(f->api != NULL && f->release != NULL);
	assert(f->client.sse == NULL || f->open);
	assert(f->client.call != NULL || f->client.sse != NULL || f->leaving || f->ended);
}

void
follow_free(struct follow *f)
{
	client_release(&f->client);
	atomic_fetch_sub_explicit(&f->api->metrics.watchers, 1, memory_order_relaxed);
	f->release(f);
}

/* ---- leaving --------------------------------------------------------------- */

static void
unwatch(struct shard_job *job)
{
	struct follow *f = CONTAINER_OF(job, struct follow, job);

	/* The server stops; the client has not left. */
	if (f->api->draining)
		f->w.cancel_on_gone = false;
	if (!f->ended)
		run_unwatch(&f->w);
	follow_free(f);
}

static void
client_gone(struct client *cl, bool expired)
{
	struct follow *f = CONTAINER_OF(cl, struct follow, client);

	assert(!f->leaving);
	if (expired && f->resumes)
		f->w.cancel_on_gone = false;
	f->leaving = true;
	check_follow(f);
	f->job.run = unwatch;
	shard_at_turn_end(f->api->shard, &f->job);
}

/* ---- beginning -------------------------------------------------------------- */

void
follow_begin(struct follow *f, struct call *c)
{
	f->api = c->api;
	atomic_fetch_add_explicit(&f->api->metrics.watchers, 1, memory_order_relaxed);
	client_wait(&f->client, c, client_gone);
	check_follow(f);
}

void
follow_stream(struct follow *f, struct str lines)
{
	struct call *c = f->client.call;

	assert(c != NULL && !f->open);
	f->open = true;
	lines = arena_fmt(&c->r->arena, "%.*s%.*s", FMT(call_cors(c)), FMT(lines));
	client_stream(&f->client, lines);
	check_follow(f);
}
