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

struct absent_field {
	const char *name;
	unsigned places;
	const char *note;                    /* what to do instead, or why */
	/* What may be sent besides null: one JSON value; NULL: nothing. */
	const char *fallback;
	/* Of a field that is supported but for some words: those. */
	const char *words[8];
	bool ignored;                        /* accepted without effect */
	/* What its handler accepts, which looks closer than a table can. */
	const char *accepted;
};

static const struct absent_field absent_fields[] = {
	{ "feedback_keys", PLACE_RUN, "they are of LangSmith, which takes the feedback; "
	  "keep yours in the store or in the thread's metadata", .fallback = "[]" },
	{ "select", PLACE_THREAD_SEARCH, "a thread has no context of its own; its runs have",
	  .words = { "context" }, .ignored = true },
	{ "format", PLACE_METRICS, "Prometheus' text is what there is",
	  .words = { "json" } },
};

/* Is n the default?  Empty containers of either kind count as "[]" or "{}". */
static bool
is_default(jnode n, const char *fallback)
{
	switch (fallback == NULL ? '\0' : fallback[0]) {
	case '[':
	case '{':
		return (json_is_array(n) || json_is_object(n)) && json_count(n) == 0;
	case 'f':
		return json_is_bool(n) && !json_bool(n);
	case '0':
		return json_is_number(n) && json_number(n) == 0;
	default:
		return false;
	}
}

static void
check_word(struct call *c, const struct absent_field *f, struct str word)
{
	for (size_t i = 0; i < COUNT(f->words) && f->words[i] != NULL; i++)
		if (str_eq(word, str_of(f->words[i])))
			fields_fail(c->in, f->name, ERR_INVALID,
			    "\"%.*s\" is not supported; %s", FMT(word), f->note);
}

static void
check_body(struct call *c, const struct absent_field *f)
{
	jnode n = json_get(c->in->node, str_of(f->name));
	struct json_iter it = json_each(n);

	check_word(c, f, json_str(n));
	while (f->words[0] != NULL && json_is_array(n) && json_next(&it))
		check_word(c, f, json_str(it.value));
	if (f->words[0] == NULL && !json_is_null(n) && !is_default(n, f->fallback))
		fields_fail(c->in, f->name, ERR_INVALID,
		    "not supported (%s); leave it out%s%s", f->note,
		    f->fallback != NULL ? " or send " : "",
		    f->fallback != NULL ? f->fallback : "");
}

static void
check_query(struct call *c, const struct absent_field *f)
{
	struct words list = param_list(c, f->name);

	for (size_t i = 0; i < list.n; i++)
		check_word(c, f, list.at[i]);
	if (f->words[0] == NULL && list.n > 0)
		fields_fail(c->in, f->name, ERR_INVALID,
		    "not supported (%s); leave it out", f->note);
}

void
absent_check(struct call *c, unsigned places)
{
	for (size_t i = 0; i < COUNT(absent_fields); i++) {
		const struct absent_field *f = &absent_fields[i];
		unsigned here = f->places & places;

		if (here == 0 || f->ignored || f->accepted != NULL)
			continue;
		if (here < PLACE_METRICS)
			check_body(c, f);
		else
			check_query(c, f);
	}
}

/* ---- endpoints ----------------------------------------------------------- */

#define THREAD "/threads/{thread_id}"

const struct absent_route absent_routes[] = {
	{ "POST", THREAD "/commands", "threads commands (protocol v2)" },
	{ "POST", THREAD "/stream/events", "threads stream events (protocol v2)" },
	{ "GET", THREAD "/stream/events", "threads stream events (protocol v2)" },
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
	{ "GET", "/ui/{assistant_id}", "ui" },
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

/* ---- what is made from the rows ------------------------------------------ */

static const struct { unsigned place; const char *text; } places[] = {
	{ PLACE_RUN, "run create, wait, stream" },
	{ PLACE_THREAD_SEARCH, "threads search" },
	{ PLACE_METRICS, "metrics (query)" },
};

static void
add_field_markdown(struct buf *b, const struct absent_field *f, const char *place)
{
	const char *accepted = f->accepted != NULL ? f->accepted :
	    f->ignored ? "any" : f->words[0] != NULL ? "any other" :
	    f->fallback != NULL ? f->fallback : "null";

	buf_add_fmt(b, "| %s | `%s`", place, f->name);
	for (size_t j = 0; j < COUNT(f->words) && f->words[j] != NULL; j++)
		buf_add_fmt(b, "%s `%s`", j == 0 ? ":" : ",", f->words[j]);
	buf_add_fmt(b, " | %s | %s | %s |\n",
	    f->ignored ? "accepted without effect" : "refused with 422", accepted,
	    f->note);
}

void
api_add_fields_markdown(struct buf *b)
{
	buf_lit(b, "| where | field | what happens | accepted value | note |\n"
	    "|---|---|---|---|---|\n");
	for (size_t i = 0; i < COUNT(absent_fields); i++)
		for (size_t j = 0; j < COUNT(places); j++)
			if (absent_fields[i].places & places[j].place)
				add_field_markdown(b, &absent_fields[i], places[j].text);
	buf_lit(b, "\n| endpoint | answers 404 |\n|---|---|\n");
	for (size_t i = 0; i < COUNT(absent_routes); i++)
		buf_add_fmt(b, "| `%s %s` | `%s is not supported yet` |\n",
		    absent_routes[i].method, absent_routes[i].path,
		    absent_routes[i].name);
}
