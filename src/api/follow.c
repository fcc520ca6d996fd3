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
	assert(f->sse == NULL || (f->call == NULL && f->open));
	assert(f->call != NULL || f->sse != NULL || f->leaving || f->ended);
}

void
follow_free(struct follow *f)
{
	standing_end(&f->standing);
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
leave(struct follow *f)
{
	check_follow(f);
	assert(!f->leaving);
	f->leaving = true;
	f->sse = NULL;
	f->call = NULL;
	standing_end(&f->standing);
	f->job.run = unwatch;
	shard_at_turn_end(f->api->shard, &f->job);
}

static void
stream_gone(void *ctx)
{
	leave(ctx);
}

static void
request_gone(struct http_req *r)
{
	struct call *c = r->user;
	struct follow *f = c->follow;

	leave(f);
	if (f->open)
		http_stream_end(r);
	else
		call_empty(c, 204);
}

static void
expire(struct standing *s)
{
	struct follow *f = CONTAINER_OF(s, struct follow, standing);
	struct sse *sse = f->sse;

	if (f->resumes)
		f->w.cancel_on_gone = false;
	leave(f);
	sse_abort(sse);
}

/* ---- beginning -------------------------------------------------------------- */

void
follow_begin(struct follow *f, struct call *c)
{
	f->api = c->api;
	f->call = c;
	atomic_fetch_add_explicit(&f->api->metrics.watchers, 1, memory_order_relaxed);
	c->follow = f;
	http_on_gone(c->r, request_gone);
	check_follow(f);
}

void
follow_stream(struct follow *f, struct str lines)
{
	struct call *c = f->call;

	assert(c != NULL && !f->open);
	f->open = true;
	lines = arena_fmt(&c->r->arena, "%.*s%.*s", FMT(call_cors(c)), FMT(lines));
	standing_begin(&f->standing, c, expire);
	f->call = NULL;
	f->sse = sse_begin(c->r, lines, stream_gone, f);
	check_follow(f);
}
