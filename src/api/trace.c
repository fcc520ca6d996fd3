/*
 * trace.c - the HTTP request that begins a run, as a span: below the caller's, and around
 * the run.
 *
 * What is known of it lives in the request itself (http.h: note), for the call's arena is
 * gone when the last byte is sent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/trace.h"

#include <stdio.h>

#include "trace/trace.h"

struct noted {
	struct trace_at at;                  /* span: the request's own */
	uint64_t parent;
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
	trace_text(s, "client.address", r->peer);
	if (status >= 500)
		trace_failed(s, status == 503 ? S("503") : S("500"), STR_NONE);
}
