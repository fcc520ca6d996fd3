/*
 * compat.c - how much of the LangGraph Agent Server API each route gives: the table
 * in docs/compatibility.md.
 *
 * The routes and their fields come from routes.c; what is refused or has no effect
 * from absent.c; the table below adds what is done in part.  A route without a remark
 * does all that the official API says of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "api/absent.h"
#include "api/api_priv.h"

/* Paths of this server's own, or of other interfaces; a * stands for any rest. */
static const char *const beyond[] = {
	"/", "/ui", "/ui/{file}", "/health", "/usage", "/interrupts", "/threads/{thread_id}/transcript",
	"/threads/{thread_id}/runs/{run_id}/agent",
	"/threads/{thread_id}/runs/{run_id}/inject", "/agents*", "/messages*",
	"/conversations*", "/work*", "/v1/*",
};

/* How much of a field, or of an endpoint (field NULL), and why not all of it: of the one
 * route, or (method NULL) of all whose request names `path`. */
struct remark {
	const char *method, *path;
	const char *field;
	const char *degree, *why;
};

#define PARTIAL "partial"
#define NO_EFFECT "no effect"
#define REFUSED "refused"
#define BUNDLES "bundles of React components, which the official build makes"
#define STATELESS "on_completion"            /* what no other run has */

static const struct remark remarks[] = {
	{ "GET", "/info", NULL, PARTIAL, "flags of what LangSmith hosts are false" },
	{ NULL, "langsmith_tracer", "langsmith_tracer", PARTIAL,
	  "kept and shown with the run; nothing is sent to LangSmith" },
	{ NULL, STATELESS, "on_completion", PARTIAL,
	  "a word but `keep` is taken for `delete`" },
	{ NULL, STATELESS, "checkpoint, checkpoint_id", REFUSED,
	  "a run without a thread has nothing to go on from" },
	{ NULL, STATELESS, "multitask_strategy, if_not_exists", NO_EFFECT,
	  "its thread is its own" },
	{ "POST", "/threads/{thread_id}/commands", "subscription.reconnect", REFUSED,
	  "as the official servers do; subscribe anew with `since`" },
	{ "DELETE", "/mcp", NULL, REFUSED, "there are no sessions; official servers say the same" },
	{ "POST", "/ui/{assistant_id}", NULL, REFUSED, BUNDLES },
};

static bool
fits(const char *pattern, const char *path)
{
	size_t n = strlen(pattern);

	return n > 0 && pattern[n - 1] == '*' ? strncmp(pattern, path, n - 1) == 0 :
	    strcmp(pattern, path) == 0;
}

static bool
is_beyond(const char *path)
{
	for (size_t i = 0; i < COUNT(beyond); i++)
		if (fits(beyond[i], path))
			return true;
	return false;
}

/* The next remark on a route from *i on, or NULL. */
static const struct remark *
remark_next(size_t *i, const char *method, const char *path, const char *request)
{
	while (*i < COUNT(remarks)) {
		const struct remark *m = &remarks[(*i)++];

		if (m->method == NULL ? request != NULL && strstr(request, m->path) != NULL :
		    strcmp(m->method, method) == 0 && strcmp(m->path, path) == 0)
			return m;
	}
	return NULL;
}

static void
add_remark(struct buf *b, const char *field, const char *degree, const char *why)
{
	if (field != NULL)
		buf_add_fmt(b, "`%s` %s: ", field, degree);
	buf_add_fmt(b, "%s. ", why);
}

static void
add_field(struct buf *b, const struct absent_field *f)
{
	char name[80];

	snprintf(name, sizeof name, "%s%s%s", f->name, f->word != NULL ? " " : "",
	    f->word != NULL ? f->word : "");
	add_remark(b, name, f->ignored ? NO_EFFECT : REFUSED, f->why);
}

static void
add_route(struct buf *b, const struct route *r)
{
	const struct remark *m;
	bool partial = false;

	for (size_t i = 0; (m = remark_next(&i, r->method, r->path, r->request)) != NULL; )
		partial = true;
	for (size_t i = 0; i < absent_fields_n; i++)
		partial |= (absent_fields[i].places & r->places) != 0;
	buf_add_fmt(b, "| `%s %s` | %s | %s | ", r->method, r->path,
	    partial ? PARTIAL : "full", r->request != NULL ? r->request : "");
	for (size_t i = 0; (m = remark_next(&i, r->method, r->path, r->request)) != NULL; )
		add_remark(b, m->field, m->degree, m->why);
	for (size_t i = 0; i < absent_fields_n; i++)
		if (absent_fields[i].places & r->places)
			add_field(b, &absent_fields[i]);
	buf_lit(b, "|\n");
}

static void
add_absent(struct buf *b, const struct absent_route *r)
{
	size_t i = 0;
	const struct remark *m = remark_next(&i, r->method, r->path, NULL);

	buf_add_fmt(b, "| `%s %s` | " REFUSED " | | 404 `%s is not supported yet`%s%s |\n",
	    r->method, r->path, r->name, m != NULL ? ": " : "", m != NULL ? m->why : "");
}

void
api_add_compat_markdown(struct buf *b)
{
	buf_lit(b, "| endpoint | how much | fields | but |\n|---|---|---|---|\n");
	for (size_t i = 0; i < routes_n; i++)
		if (!is_beyond(routes[i].path))
			add_route(b, &routes[i]);
	for (size_t i = 0; i < absent_routes_n; i++)
		add_absent(b, &absent_routes[i]);
}
