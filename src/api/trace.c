/*
 * trace.c - the HTTP request that begins a run, as a span: below the caller's, and around
 * the run; and the line of one that took long.
 *
 * What is known of it lives in the request itself (http.h: note), for the call's arena is
 * gone when the last byte is sent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/trace.h"

#include <stdio.h>

#include "base/log.h"
#include "net/host.h"
#include "trace/trace.h"

struct noted {
	struct trace_at at;                  /* span: the request's own */
	uint64_t parent;
	nsec read, sent, stored;             /* for the log of slow ones: the request was
	                                        whole; a command went out; all of them took */
};
_Static_assert(sizeof(struct noted) <= sizeof ((struct http_req *)0)->note, "it fits");

struct trace_at *
call_trace(struct call *c)
{
	struct noted *n = (struct noted *)(void *)c->r->note;
	struct tracer *t = runs_tracer(c->api->runs);

	if (t == NULL)
		return NULL;
	if (n->at.span != 0)
		return &n->at;               /* the second run of a batch */
	if (trace_at_parse(http_header(c->r, S("traceparent")), &n->at))
		n->parent = n->at.span;
	n->at.span = trace_span_random();
	return &n->at;
}

void
request_trace(struct api *a, const struct http_req *r, int status, nsec took)
{
	const struct noted *n = (const struct noted *)(const void *)r->note;
	const struct route *route = r->tag;
	struct trace_at up = n->at;
	char name[160];
	struct trace_span *s;
	nsec now;
	int len;

	if (n->at.span == 0 || uuid_is_zero(&n->at.trace))
		return;                      /* it began none */
	up.span = n->parent;
	now = trace_now();
	len = snprintf(name, sizeof name, "%s %s", route != NULL ? route->method : "HTTP",
	    route != NULL ? route->path : "");
	s = trace_add(runs_tracer(a->runs), &up, n->at.span, TRACE_SERVER, (struct str){ name,
	    (size_t)len < sizeof name ? (size_t)len : sizeof name - 1 }, now - took, now);
	trace_text(s, "http.request.method", r->method);
	if (route != NULL)
		trace_text(s, "http.route", str_of(route->path));
	trace_text(s, "url.path", r->path);
	trace_int(s, "http.response.status_code", status);
	trace_text(s, "client.address", host_of_peer(r->peer));
	if (status >= 500)
		trace_failed(s, status == 503 ? S("503") : S("500"), STR_NONE);
}

/* ---- slow ones ---------------------------------------------------------------------- */

void
request_read(const struct api_shared *sh, struct http_req *r)
{
	struct noted *n = (struct noted *)(void *)r->note;

	if (sh->o.slow_ms > 0 && n->read == 0)
		n->read = clock_mono();
}

void
request_stores(const struct api_shared *sh, struct http_req *r, bool begins)
{
	struct noted *n = (struct noted *)(void *)r->note;

	if (sh->o.slow_ms == 0)
		return;
	if (begins)
		n->sent = clock_mono();
	else if (n->sent > 0)
		n->stored += clock_mono() - n->sent;
}

/* What lasts by its nature: a run has a line of its own. */
static bool
lasts(const struct route *route)
{
	static const char *const ends[] = { "/wait", "/join", "/poll", "/stream" };

	if (route == NULL)
		return false;
	for (size_t i = 0; i < COUNT(ends); i++)
		if (str_ends(str_of(route->path), str_of(ends[i])))
			return true;
	return (route->flags & (ROUTE_STREAM | ROUTE_SOCKET)) != 0;
}

void
request_tell_slow(const struct api_shared *sh, const struct http_req *r, int status, nsec took,
    size_t bytes_out)
{
	const struct noted *n = (const struct noted *)(const void *)r->note;
	nsec read = n->read > 0 ? n->read - r->started : 0;

	if (sh->o.slow_ms == 0 || took < sh->o.slow_ms * NS_PER_MS || lasts(r->tag))
		return;
	log_warn("api", "slow_request", "method=%.*s path=%.*s status=%d ms=%.1f read_ms=%.1f "
	    "store_ms=%.1f rest_ms=%.1f bytes=%zu peer=%.*s", FMT(r->method), FMT(r->path), status,
	    (double)took / NS_PER_MS, (double)read / NS_PER_MS, (double)n->stored / NS_PER_MS,
	    (double)(took - read - n->stored) / NS_PER_MS, bytes_out, FMT(r->peer));
}
