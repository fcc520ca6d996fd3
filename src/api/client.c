/*
 * client.c - see client.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/client.h"

#include <assert.h>

#include "base/mem.h"

static void
check_client(const struct client *cl)
{
	assert(cl->gone != NULL);
	assert((cl->call == NULL) != (cl->sse == NULL));
}

void
client_release(struct client *cl)
{
	standing_end(&cl->standing);
}

void
client_leave(struct client *cl)
{
	check_client(cl);
	if (cl->call != NULL)
		http_on_gone(cl->call->r, NULL);
	client_release(cl);
	cl->call = NULL;
	cl->sse = NULL;
}

static void
stream_gone(void *ctx)
{
	struct client *cl = ctx;

	client_leave(cl);
	cl->gone(cl, false);
}

static void
request_gone(struct http_req *r)
{
	struct call *c = r->user;
	struct client *cl = c->client;

	client_leave(cl);
	cl->gone(cl, false);
	if (r->streaming)
		http_stream_end(r);
	else
		call_empty(c, 204);
}

/* A client with new credentials comes back; any other gets 401 then. */
static void
on_expiry(struct standing *s)
{
	struct client *cl = CONTAINER_OF(s, struct client, standing);
	struct sse *sse = cl->sse;

	client_leave(cl);
	cl->gone(cl, true);
	sse_abort(sse);
}

void
client_wait(struct client *cl, struct call *c,
    void (*gone)(struct client *cl, bool expired))
{
	cl->call = c;
	cl->gone = gone;
	c->client = cl;
	http_on_gone(c->r, request_gone);
	check_client(cl);
}

void
client_stream(struct client *cl, struct str lines)
{
	struct call *c = cl->call;

	assert(c != NULL && cl->sse == NULL);
	http_on_gone(c->r, NULL);
	standing_begin(&cl->standing, c, on_expiry);
	cl->call = NULL;
	cl->sse = sse_begin(c->r, lines, stream_gone, cl);
}

void
client_trim(struct client *cl)
{
	assert(cl->sse != NULL);
	standing_keep(&cl->standing);
	sse_trim(cl->sse);
}
