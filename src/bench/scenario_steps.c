/*
 * scenario_steps.c - the steps of a file's sequences.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scenario_keys.h"

#include <stdio.h>
#include <string.h>

/* One that has a value at this step. */
static int
find_set(void *ctx, struct str name)
{
	const struct reading *r = ctx;
	int slot = variable_find(r->plan, name);

	return slot < (int)r->plan->constants_n || r->captured[slot] ? slot : -1;
}

static void
read_text(struct reading *r, const struct tree_node *n, struct str s, bool json,
    struct text *out)
{
	struct err why;

	if (r->rc == OK && text_parse(out, s, json, &r->plan->arena, find_set, r,
	    &why) != OK)
		reading_fail(r, n, "%s", why.text);
}

/* ---- steps ---------------------------------------------------------------- */

static void
take_method(struct reading *r, const struct tree_node *n, void *into)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD" };
	struct step *st = into;

	st->method = reading_string(r, n, "a method");
	for (size_t i = 0; i < COUNT(methods); i++)
		if (str_eq(st->method, str_of(methods[i])))
			return;
	reading_fail(r, n, "expected GET, POST, PUT, PATCH, DELETE or HEAD");
}

/* No blanks or controls: they would end the request's line. */
static void
take_path(struct reading *r, const struct tree_node *n, void *into)
{
	struct str s = reading_string(r, n, "a path");

	for (size_t i = 0; i < s.n && r->rc == OK; i++)
		if ((unsigned char)s.p[i] <= 0x20 || s.p[i] == 0x7f)
			reading_fail(r, n, "a path has no blanks: write %%20");
	if (r->rc == OK && !str_starts(s, S("/")))
		reading_fail(r, n, "expected a path that begins with /");
	read_text(r, n, s, false, &((struct step *)into)->path);
}

static void
take_body(struct reading *r, const struct tree_node *n, void *into)
{
	struct step *st = into;
	struct buf text = BUF(LIMIT_AGENT_BYTES * 2);

	st->body_json = n->kind != TREE_STRING;
	if (st->body_json)
		tree_add_json(&text, n);
	else
		buf_add(&text, n->text);
	read_text(r, n, buf_str(&text), st->body_json, &st->body);
	buf_release(&text);
}

static bool
is_header(struct str s)
{
	static const char *const ours[] = { "host", "content-length", "transfer-encoding",
		"connection" };
	bool good = s.n > 0;

	for (size_t i = 0; i < COUNT(ours); i++)
		good = good && !str_eq_nocase(s, str_of(ours[i]));
	for (size_t i = 0; i < s.n; i++)
		good = good && (unsigned char)s.p[i] > 0x20 && s.p[i] != 0x7f && s.p[i] != ':';
	return good;
}

static void
take_headers(struct reading *r, const struct tree_node *n, void *into)
{
	struct buf lines = BUF(LIMIT_HTTP_HEADER_BYTES);

	if (!reading_wants(r, n, TREE_MAP, "a map of headers"))
		return;
	for (const struct tree_node *c = n->first; c != NULL && r->rc == OK; c = c->next) {
		if (!is_header(c->key))
			reading_fail_near(r, c, NULL, "'%.*s' is not a header that may be given",
			    FMT(str_cut(c->key, 100)));
		if (!reading_wants(r, c, TREE_STRING, "a text"))
			break;
		for (size_t i = 0; i < c->text.n; i++)
			if ((unsigned char)c->text.p[i] < 0x20)
				reading_fail(r, c, "a header has no line ends");
		buf_add(&lines, c->key);
		buf_lit(&lines, ": ");
		buf_add(&lines, c->text);
		buf_lit(&lines, "\r\n");
	}
	if (lines.failed)
		reading_fail(r, n, "more than %d bytes", LIMIT_HTTP_HEADER_BYTES);
	read_text(r, n, buf_str(&lines), false, &((struct step *)into)->headers);
	buf_release(&lines);
}

static void
take_expect(struct reading *r, const struct tree_node *n, void *into)
{
	struct step *st = into;
	const struct tree_node *c = n->kind == TREE_LIST ? n->first : n;

	if (n->kind == TREE_LIST && !reading_wants_list(r, n, COUNT(st->statuses), "statuses"))
		return;
	for (; c != NULL && r->rc == OK; c = n->kind == TREE_LIST ? c->next : NULL)
		st->statuses[st->statuses_n++] = (int)reading_int(r, c, 200, 599);
}

static void
take_events(struct reading *r, const struct tree_node *n, void *into)
{
	((struct step *)into)->events_max = reading_int(r, n, 1, LIMIT_SCENARIO_EVENTS);
}

static void
take_contains(struct reading *r, const struct tree_node *n, void *into)
{
	((struct step *)into)->contains = reading_string(r, n, "a text");
}

static void
take_capture(struct reading *r, const struct tree_node *n, void *into)
{
	struct step *st = into;
	struct capture *all;

	if (!reading_wants(r, n, TREE_MAP, "a map of variables and paths"))
		return;
	st->captures = all = reading_alloc(r, n, n->n, sizeof *all);
	for (const struct tree_node *c = n->first; c != NULL && r->rc == OK; c = c->next) {
		int slot = variable_find(r->plan, c->key);

		if (slot >= 0 && slot < (int)r->plan->constants_n)
			reading_fail_near(r, c, NULL, "'%.*s' is a variable already",
			    FMT(str_cut(c->key, 100)));
		if (slot < 0) {
			variable_add(r, c, arena_str(&r->plan->arena, c->key));
			slot = (int)r->plan->variables_n - 1;
		}
		r->captured[slot] = true;
		all[st->captures_n++] = (struct capture){ slot,
		    reading_string(r, c, "a path like messages.-1.content") };
	}
}

const struct key scenario_request_keys[] = {
	{ "method", false, take_method, "GET, POST, ...", "POST where there is a body, else "
	    "GET" },
	{ "path", true, take_path, "a path", "of the URL, with its query" },
	{ "headers", false, take_headers, "a map", "beside those of every request" },
	{ "body", false, take_body, "anything", "a text as it is; other values as JSON" },
	{ NULL }
};

static void
read_http(struct reading *r, const struct tree_node *n, const struct step_kind *kind,
    void *into)
{
	struct step *st = into;

	st->kind = kind;
	reading_map(r, n, scenario_request_keys, "a request", st);
	if (st->method.n == 0)
		st->method = tree_get(&r->tree, n, S("body")) != NULL ? S("POST") : S("GET");
}

static void
take_request(struct reading *r, const struct tree_node *n, void *into)
{
	read_http(r, n, &step_request, into);
}

static void
take_stream(struct reading *r, const struct tree_node *n, void *into)
{
	((struct step *)into)->first_mark = "data:";
	read_http(r, n, &step_stream, into);
}

static void
take_message(struct reading *r, const struct tree_node *n, void *into)
{
	struct step *st = into;

	if (!reading_wants(r, n, TREE_MAP, "a message"))
		return;
	st->kind = &step_message;
	st->method = S("POST");
	read_text(r, n, S("/messages"), false, &st->path);
	take_body(r, n, st);
}

static void
take_flow(struct reading *r, const struct tree_node *n, void *into)
{
	struct str name = reading_string(r, n, "an operation of the flow");
	struct str_near near = { .word = name };
	struct step *st = into;

	st->kind = &step_flow;
	for (size_t i = 0; i < FLOW_OPS && st->op == NULL; i++) {
		str_near_try(&near, flow_ops[i].name);
		if (str_eq(name, str_of(flow_ops[i].name)))
			st->op = &flow_ops[i];
	}
	if (st->op == NULL) {
		reading_fail_near(r, n, near.best, "there is no operation '%.*s'",
		    FMT(str_cut(name, 60)));
		return;
	}
	if ((st->op->needs & ~r->ids) != 0)
		reading_fail(r, n, "'%s' needs %s before it", st->op->name,
		    (st->op->needs & ~r->ids & NEEDS_ASSISTANT) != 0 ? "create_assistant" :
		    "create_thread");
	r->ids |= st->op == &flow_ops[0] ? NEEDS_ASSISTANT : st->op == &flow_ops[1] ?
	    NEEDS_THREAD : 0;
	st->method = st->op->method;
	st->first_mark = st->op->stream ? "event: messages" : NULL;
}

static void
take_step_pause(struct reading *r, const struct tree_node *n, void *into)
{
	struct step *st = into;

	st->kind = &step_pause;
	st->pause = reading_time(r, n, 0, LIMIT_SCENARIO_MS);
}

static void
take_step_name(struct reading *r, const struct tree_node *n, void *into)
{
	((struct step *)into)->name = reading_name(r, n);
}

const struct key scenario_step_keys[] = {
	{ "name", false, take_step_name, "a name", "of its metric; without one: the "
	    "operation's, or the kind's and a number" },
	{ "request", false, take_request, "a request, see below", "an HTTP request" },
	{ "stream", false, take_stream, "a request, see below", "one whose answer is a "
	    "stream of events: also the time to the first one, and events a second" },
	{ "message", false, take_message, "a message", "`POST /messages` with it" },
	{ "flow", false, take_flow, "an operation", "of `bench flow`: create_assistant, "
	    "create_thread, run_wait, run_stream, ..." },
	{ "pause", false, take_step_pause, "a time", "nothing is sent" },
	{ "expect", false, take_expect, "a status or a list of them", "right ones; without "
	    "it: 200 to 299" },
	{ "contains", false, take_contains, "a text", "that is in a right answer" },
	{ "events", false, take_events, "a number", "of a stream: so many are read, then the "
	    "client leaves; without it the stream is read to its end" },
	{ "capture", false, take_capture, "a map of names and paths", "values of the JSON "
	    "answer (of a stream: of its last event) for later steps; a path is names and "
	    "numbers with dots, -1 the last of a list" },
	{ NULL }
};

/* ---- a sequence ----------------------------------------------------------- */

ptrdiff_t
scenario_row(struct scenario *p, struct str name, bool stream)
{
	struct scenario_row *row;
	size_t i = 0;

	while (i < p->rows_n && !str_eq(p->rows[i].name, name))
		i++;
	if (i == LIMIT_SCENARIO_ROWS)
		return -1;
	row = &p->rows[i];
	if (i == p->rows_n) {
		row->name = arena_str(&p->arena, name);
		p->rows_n++;
	}
	if (stream && row->first_name == NULL)
		row->first_name = arena_fmt(&p->arena, "%.*s_first_event", FMT(name)).p;
	return (ptrdiff_t)i;
}

static void
name_step(struct reading *r, const struct tree_node *n, struct step *st)
{
	char name[2 * LIMIT_SCENARIO_NAME_BYTES];
	ptrdiff_t row;

	if (r->rc != OK || st->kind->build == NULL)
		return;
	snprintf(name, sizeof name, "%s_%zu", st->kind->key, r->plan->rows_n + 1);
	if (st->name.n == 0)
		st->name = arena_str(&r->plan->arena, str_of(st->op != NULL ? st->op->name :
		    name));
	row = scenario_row(r->plan, st->name, st->first_mark != NULL);
	if (row < 0)
		reading_fail(r, n, "more than %d names of steps", LIMIT_SCENARIO_ROWS);
	st->row = row < 0 ? 0 : (size_t)row;
}

/* What is said of an answer goes with a request of the file's own. */
static void
check_parts(struct reading *r, const struct tree_node *n, const struct step *st)
{
	static const char *const kinds[] = { "request", "stream", "message", "flow", "pause" };
	static const char *const parts[] = { "expect", "contains", "capture", "events" };
	size_t found = 0;

	for (size_t i = 0; i < COUNT(kinds); i++)
		found += tree_get(&r->tree, n, str_of(kinds[i])) != NULL;
	if (found != 1)
		reading_fail(r, n, "a step has one of 'request', 'stream', 'message', 'flow' and "
		    "'pause'");
	for (size_t i = 0; i < COUNT(parts) && r->rc == OK; i++) {
		const struct tree_node *c = tree_get(&r->tree, n, str_of(parts[i]));

		if (c != NULL && (st->op != NULL || st->kind->build == NULL ||
		    (str_eq(c->key, S("events")) && st->kind != &step_stream)))
			reading_fail_near(r, c, NULL, "'%s' does not go with '%s'", parts[i],
			    st->kind->key);
	}
}

static void
read_step(struct reading *r, const struct tree_node *n, struct step *st)
{
	reading_map(r, n, scenario_step_keys, "a step", st);
	if (r->rc == OK)
		check_parts(r, n, st);
	name_step(r, n, st);
}

void
take_steps(struct reading *r, const struct tree_node *n, void *into)
{
	struct sequence *q = into;
	struct step *all;
	bool sends = false;

	if (!reading_wants_list(r, n, LIMIT_SCENARIO_STEPS, "a list of steps"))
		return;
	r->ids = 0;
	memset(r->captured, 0, sizeof r->captured);
	q->steps = all = reading_alloc(r, n, n->n, sizeof *all);
	for (const struct tree_node *c = n->first; c != NULL && r->rc == OK; c = c->next) {
		read_step(r, c, &all[q->n]);
		sends = sends || (r->rc == OK && all[q->n].kind->build != NULL);
		q->n++;
	}
	if (!sends)
		reading_fail(r, n, "no step sends anything");
}

