/*
 * absent.c - see absent.h.
 *
 * An endpoint that is not here answers 404 and its name, so that a client
 * learns what is missing and does not try again (SDKs repeat a 501 for 19 s).
 * Whoever builds one takes its row out of the table; a unit test keeps the
 * table and the routes apart.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/absent.h"

#include "api/api_priv.h"

/* ---- fields -------------------------------------------------------------- */

const struct absent_field absent_fields[] = {
	{ "feedback_keys", NULL, PLACE_RUN, "they are of LangSmith, which takes the feedback; "
	  "keep yours in the store or in the thread's metadata", false },
	{ "select", "context", PLACE_THREAD_SEARCH,
	  "a thread has no context of its own; its runs have", true },
	{ "format", "json", PLACE_METRICS, "Prometheus' text is what there is", false },
};
const size_t absent_fields_n = COUNT(absent_fields);

/* A field of a body may be there if it says nothing. */
static void
check_body(struct call *c, const struct absent_field *f)
{
	jnode n = json_get(c->in->node, str_of(f->name));
	bool empty = json_is_null(n) ||
	    ((json_is_array(n) || json_is_object(n)) && json_count(n) == 0);

	if (!empty)
		fields_fail(c->in, f->name, ERR_INVALID,
		    "not supported (%s); leave it out or send []", f->why);
}

static void
check_query(struct call *c, const struct absent_field *f)
{
	struct words list = param_list(c, f->name);

	for (size_t i = 0; i < list.n; i++)
		if (str_eq(list.at[i], str_of(f->word)))
			fields_fail(c->in, f->name, ERR_INVALID,
			    "\"%s\" is not supported; %s", f->word, f->why);
}

void
absent_check(struct call *c, unsigned places)
{
	for (size_t i = 0; i < COUNT(absent_fields); i++) {
		const struct absent_field *f = &absent_fields[i];

		if (f->ignored || !(f->places & places))
			continue;
		if (f->places & PLACE_METRICS)
			check_query(c, f);
		else
			check_body(c, f);
	}
}

/* ---- endpoints ----------------------------------------------------------- */

const struct absent_route absent_routes[] = {
	{ "GET", "/v1/chat/completions", "stored chat completions" },
	{ "GET", "/v1/chat/completions/{completion_id}", "stored chat completions" },
	{ "POST", "/v1/chat/completions/{completion_id}", "stored chat completions" },
	{ "DELETE", "/v1/chat/completions/{completion_id}", "stored chat completions" },
	{ "GET", "/v1/chat/completions/{completion_id}/messages", "stored chat completions" },
	{ "POST", "/v1/responses/compact", "responses compact" },
	{ "POST", "/v1/responses/input_tokens", "responses input tokens" },
	{ "GET", "/v1/responses/{response_id}/input_items", "responses input items" },
	{ "POST", "/v1/conversations", "conversations of OpenAI; a thread is one" },
	{ "POST", "/v1/completions", "completions without messages" },
	{ "POST", "/v1/embeddings", "embeddings" },
	{ "POST", "/ui/{assistant_id}", "ui" },
	{ "DELETE", "/mcp", "mcp sessions" },
};
const size_t absent_routes_n = COUNT(absent_routes);

static bool
path_matches(struct str pattern, struct str path)
{
	struct str want, have;
	bool more = str_next(&path, '/', &have);

	while (str_next(&pattern, '/', &want)) {
		bool param = want.n > 0 && want.p[0] == '{';

		if (!more || (param ? have.n == 0 : !str_eq(want, have)))
			return false;
		more = str_next(&path, '/', &have);
	}
	return !more;
}

const char *
absent_route_name(struct str method, struct str path)
{
	for (size_t i = 0; i < COUNT(absent_routes); i++) {
		const struct absent_route *r = &absent_routes[i];

		if (str_eq(str_of(r->method), method) &&
		    path_matches(str_of(r->path), path))
			return r->name;
	}
	return NULL;
}
