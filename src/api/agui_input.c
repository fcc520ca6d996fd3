/*
 * agui_input.c - a RunAgentInput, as what a run is asked.
 *
 * The client has the whole conversation and state and sends both with each run.  What the
 * thread has is not written again: a message by its id, a member of the state by its
 * value.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/agui.h"

#include <stdio.h>

#include "agent/agent.h"
#include "base/map.h"

#define FOUND_BYTES (4 * (size_t)LIMIT_STATE_BYTES)

/* ---- fields -------------------------------------------------------------------------------- */

/* A field that has no effect is refused, unless it says nothing. */
static void
refuse(struct call *c, const char *field, const char *why)
{
	jnode n = fields_any(c->in, field);

	if (!json_is_null(n) && !(json_is_array(n) && json_count(n) == 0))
		fields_fail(c->in, field, ERR_INVALID, "%s", why);
}

/* Clients before 1.0 do not send it.  True: it is there. */
static bool
read_version(struct call *c)
{
	struct str v = STR_NONE, major;

	fields_str(c->in, "protocolVersion", LIMIT_NAME_BYTES, &v);
	if (v.p == NULL)
		return false;
	if (!str_next(&v, '.', &major) || major.n == 0 || v.n == 0 || str_index(v, '.') >= 0)
		fields_fail(c->in, "protocolVersion", ERR_INVALID, "expected MAJOR.MINOR, as in "
		    "1.0");
	return true;
}

static jnode
read_props(struct call *c)
{
	struct fields props, config;

	if (!fields_object(c->in, "forwardedProps", &props))
		return NULL;
	if (!fields_object(&props, "config", &config))
		config.node = NULL;
	(void)fields_end(&props);
	return config.node;
}

static void
read_name(struct call *c, const char *field, struct str *out)
{
	fields_str(c->in, field, LIMIT_NAME_BYTES, out);
	if (out->n == 0)
		fields_fail(c->in, field, ERR_INVALID, "expected a text, got %s",
		    json_get(c->in->node, str_of(field)) == NULL ? "nothing" : "an empty one");
}

/* A text that is no UUID has a thread of its own for each owner. */
struct uuid
agui_thread(const struct call *c, struct str name)
{
	static const struct uuid space = { { 0x2b, 0x0c, 0x7d, 0x11, 0x4e, 0x0a, 0x4c, 0x5e,
	    0x9a, 0x53, 0x6f, 0x1d, 0x8e, 0x40, 0xc6, 0x27 } };
	struct uuid id;

	if (uuid_parse(name, &id))
		return id;
	return uuid_v5(&space, arena_join(&c->r->arena, c->who.subject, S("\n"), name));
}

/* ---- the thread ------------------------------------------------------------------------------ */

static int
find_questions(struct call *c, struct agui_in *x, int64_t thread_seq)
{
	size_t n = 0;
	int rc = store_interrupts_get(c->api->reader, c->owner, thread_seq, &x->arena, &x->open,
	    &n);

	x->questions = arena_alloc(&x->arena, (n + 1) * sizeof *x->questions);
	x->answered = arena_zero(&x->arena, (n + 1) * sizeof *x->answered);
	if (x->arena.failed)
		return err_set(&c->err, ERR_TOOBIG, "the thread's questions are too large");
	for (size_t i = 0; rc == OK && i < n; i++) {
		if (x->open[i].state != INTERRUPT_WAITING)
			continue;
		x->questions[x->open_n] = x->open[i].id;
		x->open[x->open_n++] = x->open[i];
	}
	return rc;
}

static int
find_thread(struct call *c, struct agui_in *x)
{
	const struct uuid newest = { { 0 } };
	struct store_state s;
	struct store_thread t;
	int rc = store_thread_get(c->api->reader, c->owner, &x->thread_id, &x->arena, &t);

	x->fresh = rc == ERR_NOTFOUND;
	if (x->fresh)
		return OK;
	if (rc == OK)
		rc = call_may(c, THREADS_CREATE_RUN, t.metadata_json);
	if (rc == ERR_NOTFOUND)
		return err_set(&c->err, rc, "Thread not found");
	if (rc < 0)
		return rc;
	x->stopped = t.status == THREAD_INTERRUPTED;
	if (x->stopped)
		rc = find_questions(c, x, t.seq);
	if (rc == OK)
		rc = store_state_get(c->api->reader, c->owner, t.seq, STR_NONE, &newest,
		    STATE_CHANNELS | STATE_TASKS, &x->arena, &s);
	if (rc == OK && door_values(c, &t, &s, NULL, &x->values) == NULL)
		return err_set(&c->err, ERR_TOOBIG, "the thread's state is too large");
	return rc == ERR_NOTFOUND ? OK : rc;
}

static jnode
known_values(const struct agui_in *x)
{
	return json_get(x->values.root, S("values"));
}

/* The ids of the thread's messages. */
struct ids { struct map map; struct str *at; };

static uint64_t
id_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
id_is(const void *value, const void *key)
{
	return str_eq(*(const struct str *)value, *(const struct str *)key);
}

static const void *
id_of(const void *value)
{
	return value;
}

static void
ids_open(struct ids *ids, struct agui_in *x)
{
	jnode messages = json_get(known_values(x), S("messages"));
	struct json_iter it = json_each(messages);
	size_t n = 0;

	map_init(&ids->map, id_hash, id_is, id_of);
	ids->at = arena_alloc(&x->arena, (json_count(messages) + 1) * sizeof *ids->at);
	while (ids->at != NULL && json_is_array(messages) && json_next(&it)) {
		ids->at[n] = json_str(json_get(it.value, S("id")));
		map_put(&ids->map, &ids->at[n++]);
	}
}

/* ---- parts of messages ---------------------------------------------------------------------- */

static const char source_words[] = "expected a source of type url or data, as "
    "{\"type\":\"data\",\"value\":\"...\",\"mimeType\":\"...\"}";

/* *url: its address, a data: one for data. */
static bool
read_source(struct call *c, const char *path, jnode part, struct str *value,
    struct str *mime)
{
	jnode source = json_get(part, S("source"));
	struct str type = json_str(json_get(source, S("type")));
	bool data = str_eq(type, S("data"));

	*value = json_str(json_get(source, S("value")));
	*mime = json_str(json_get(source, S("mimeType")));
	if ((!data && !str_eq(type, S("url"))) || value->n == 0 || (data && mime->n == 0))
		fields_fail(c->in, path, ERR_INVALID, "%s", str_eq(type, S("file")) ?
		    "a provider's file is not reachable here; send its data or a url" :
		    source_words);
	return data;
}

static void
add_image(struct call *c, struct buf *b, const char *path, jnode part)
{
	struct str value, mime;

	if (read_source(c, path, part, &value, &mime))
		value = arena_fmt(&c->r->arena, "data:%.*s;base64,%.*s", FMT(mime), FMT(value));
	json_add_fmt(b, "{'type':'image_url','image_url':{'url':%.*s}}", FMT(value));
}

static void
add_audio(struct call *c, struct buf *b, const char *path, jnode part)
{
	struct str value, mime;

	if (!read_source(c, path, part, &value, &mime) || !str_starts(mime, S("audio/")))
		fields_fail(c->in, path, ERR_INVALID, "expected data of a type audio/...");
	mime = str_sub(mime, S("audio/").n, mime.n);
	json_add_fmt(b, "{'type':'input_audio','input_audio':{'data':%.*s,'format':%.*s}}",
	    FMT(value), FMT(str_eq(mime, S("mpeg")) ? S("mp3") : mime));
}

static void
add_document(struct call *c, struct buf *b, const char *path, jnode part)
{
	struct str value, mime;

	if (!read_source(c, path, part, &value, &mime))
		fields_fail(c->in, path, ERR_INVALID, "expected the document's data");
	json_add_fmt(b, "{'type':'file','file':{'filename':'document','file_data':\"data:");
	json_add_escaped(b, mime);
	buf_lit(b, ";base64,");
	json_add_escaped(b, value);
	buf_lit(b, "\"}}");
}

static void
add_text(struct call *c, struct buf *b, const char *path, jnode part)
{
	jnode text = json_get(part, S("text"));

	if (!json_is_string(text))
		fields_fail(c->in, path, ERR_INVALID, "text: expected a string, got %s",
		    text == NULL ? "nothing" : json_kind(text));
	json_add_fmt(b, "{'type':'text','text':%p}", (void *)text);
}

static const char *const part_types[] = { "text", "image", "audio", "document", NULL };

static void
add_parts(struct call *c, struct buf *b, const char *path, jnode list)
{
	static void (*const add[])(struct call *, struct buf *, const char *, jnode) = {
		add_text, add_image, add_audio, add_document };
	_Static_assert(COUNT(add) + 1 == COUNT(part_types), "one for each type");
	struct json_iter it = json_each(list);
	char place[100];

	buf_add_char(b, '[');
	for (size_t i = 0; c->in->rc == OK && json_next(&it); i++) {
		int type;

		snprintf(place, sizeof place, "%s.content[%zu].type", path, i);
		type = words_index(c, place, part_types, json_str(json_get(it.value,
		    S("type"))));
		if (type < 0)
			break;
		snprintf(place, sizeof place, "%s.content[%zu]", path, i);
		json_add_comma(b);
		add[type](c, b, place, it.value);
	}
	buf_add_char(b, ']');
}

/* ---- messages ----------------------------------------------------------------------------------- */

enum { ROLE_CALLS = 1, ROLE_PARTS = 2, ROLE_RESULT = 4, ROLE_SHOWN = 8 };

/* SHOWN: the client's display only. */
static const char *const role_words[] = { "user", "system", "developer", "assistant",
    "tool", "reasoning", "activity", NULL };
static const unsigned role_flags[] = { ROLE_PARTS, 0, 0, ROLE_CALLS, ROLE_PARTS | ROLE_RESULT,
    ROLE_SHOWN, ROLE_SHOWN };
_Static_assert(COUNT(role_flags) + 1 == COUNT(role_words), "some for each role");

static void
check_members(struct call *c, const char *path, jnode m, unsigned flags)
{
	struct json_iter it = json_each(m);

	while (c->in->rc == OK && json_next(&it)) {
		struct str key = json_str(it.key);
		bool good = str_eq(key, S("id")) || str_eq(key, S("role")) ||
		    str_eq(key, S("content")) || str_eq(key, S("name")) ||
		    json_is_null(it.value) ||
		    ((flags & ROLE_CALLS) && str_eq(key, S("toolCalls"))) ||
		    ((flags & ROLE_RESULT) && (str_eq(key, S("toolCallId")) ||
		    str_eq(key, S("error"))));

		if (!good)
			fields_fail(c->in, path, ERR_INVALID, "%.*s: not kept; leave it out",
			    FMT(param_shown(key)));
	}
}

static void
add_content(struct call *c, struct buf *b, const char *path, jnode m, unsigned flags)
{
	jnode content = json_get(m, S("content")), error = json_get(m, S("error"));

	buf_lit(b, ",\"content\":");
	if (json_is_array(content) && (flags & ROLE_PARTS))
		add_parts(c, b, path, content);
	else if (json_is_string(content) && (json_str(content).n > 0 || !json_is_string(error)))
		json_add_node(b, content);
	else if (json_is_string(error))
		json_add_node(b, error);
	else if (json_is_null(content) && (flags & ROLE_CALLS))
		buf_lit(b, "\"\"");
	else
		fields_fail(c->in, path, ERR_INVALID, "content: expected a text%s, got %s",
		    flags & ROLE_PARTS ? " or parts" : "", content == NULL ? "nothing" :
		    json_kind(content));
}

static void
add_message(struct call *c, struct buf *b, const char *path, jnode m, int role)
{
	unsigned flags = role_flags[role];
	jnode calls = json_get(m, S("toolCalls")), name = json_get(m, S("name"));

	check_members(c, path, m, flags);
	json_add_fmt(b, ",{'role':%s,'id':%p", role_words[role], (void *)json_get(m, S("id")));
	add_content(c, b, path, m, flags);
	if (!json_is_null(name) && !json_is_string(name))
		fields_fail(c->in, path, ERR_INVALID, "name: expected a string, got %s",
		    json_kind(name));
	if (!json_is_null(name))
		json_add_fmt(b, ",'name':%p", (void *)name);
	if (!json_is_null(calls))
		json_add_fmt(b, ",'tool_calls':%p", (void *)calls);
	if (flags & ROLE_RESULT)
		json_add_fmt(b, ",'tool_call_id':%p,'status':%s", (void *)json_get(m,
		    S("toolCallId")), json_is_null(json_get(m, S("error"))) ? "success" :
		    "error");
	buf_add_char(b, '}');
}

/* Appends those that the thread does not have; how many. */
static size_t
add_messages(struct call *c, struct agui_in *x, struct buf *b)
{
	jnode list = fields_any(c->in, "messages");
	struct json_iter it = json_each(list);
	struct ids ids;
	char path[60];
	size_t n = 0;

	if (!json_is_array(list))
		fields_fail(c->in, "messages", ERR_INVALID, "expected an array, got %s",
		    list == NULL ? "nothing" : json_kind(list));
	ids_open(&ids, x);
	for (size_t i = 0; c->in->rc == OK && json_next(&it); i++) {
		struct str id = json_str(json_get(it.value, S("id")));
		int role;

		snprintf(path, sizeof path, "messages[%zu].role", i);
		role = words_index(c, path, role_words, json_str(json_get(it.value,
		    S("role"))));
		snprintf(path, sizeof path, "messages[%zu]", i);
		if (role >= 0 && id.n == 0)
			fields_fail(c->in, path, ERR_INVALID, "id: expected a text");
		if (c->in->rc != OK || (role_flags[role] & ROLE_SHOWN) ||
		    !json_is_null(json_get(it.value, S("subagentRunId"))) ||
		    map_get(&ids.map, &id) != NULL)
			continue;
		add_message(c, b, path, it.value, role);
		n++;
	}
	map_release(&ids.map);
	return n;
}

/* ---- context ------------------------------------------------------------------------------------ */

static jnode
known_message(const struct agui_in *x, struct str id)
{
	struct json_iter it = json_each(json_get(known_values(x), S("messages")));

	while (json_next(&it))
		if (str_eq(json_str(json_get(it.value, S("id"))), id))
			return it.value;
	return NULL;
}

static void
add_context(struct call *c, const struct agui_in *x, struct buf *b)
{
	struct buf text = BUF(LIMIT_HTTP_BODY_BYTES);
	jnode known = known_message(x, S(AGUI_CONTEXT));
	struct fields list, f;

	if (fields_array(c->in, "context", LIMIT_PAGE_ROWS, &list))
		while (fields_next(&list, &f)) {
			struct str what = STR_NONE, value = STR_NONE;

			fields_str(&f, "description", LIMIT_HTTP_BODY_BYTES, &what);
			fields_str(&f, "value", LIMIT_HTTP_BODY_BYTES, &value);
			if (fields_end(&f) == OK)
				buf_add_fmt(&text, "%s- %.*s: %.*s\n", text.n == 0 ?
				    "What the application tells:\n" : "", FMT(what), FMT(value));
		}
	if (text.n == 0 && known != NULL)
		json_add_fmt(b, ",{'role':'remove','id':'" AGUI_CONTEXT "','content':''}");
	else if (text.n > 0 && !str_eq(json_str(json_get(known, S("content"))), buf_str(&text)))
		json_add_fmt(b, ",{'role':'system','id':'" AGUI_CONTEXT "','content':%.*s}",
		    FMT(buf_str(&text)));
	buf_release(&text);
}

/* ---- the state ------------------------------------------------------------------------------------ */

static void
check_channel(struct call *c, const struct agent *a, struct str key)
{
	char path[120];
	int at = a == NULL ? -1 : agent_channel_find(a, key);

	snprintf(path, sizeof path, "state.%.*s", FMT(str_cut(key, 100)));
	if (str_eq(key, S("messages")))
		fields_fail(c->in, path, ERR_INVALID, "the conversation is `messages`");
	else if (a != NULL && (a->hosted != NULL ? !agent_hosted_takes(a->hosted, key) :
	    at < 0 || !a->channels[at].input))
		fields_fail(c->in, path, ERR_INVALID, "the agent \"%.*s\" has no such channel "
		    "that a client may write", FMT(a->id));
}

/* Appends the members that differ from the thread's; how many. */
static size_t
add_state(struct call *c, const struct agui_in *x, const struct agent *a, struct buf *b)
{
	jnode state = fields_any(c->in, "state");
	struct json_iter it = json_each(state);
	size_t n = 0;

	if (!json_is_null(state) && !json_is_object(state))
		fields_fail(c->in, "state", ERR_INVALID, "expected an object, got %s",
		    json_kind(state));
	while (c->in->rc == OK && json_is_object(state) && json_next(&it)) {
		struct str key = json_str(it.key);
		jnode known = json_get(known_values(x), key);

		if (known == NULL ? json_is_null(it.value) : json_equal(known, it.value))
			continue;
		check_channel(c, a, key);
		json_add_comma(b);
		json_add_str(b, key);
		json_add_fmt(b, ":{'__overwrite__':%p}", (void *)it.value);
		n++;
	}
	return n;
}

/* ---- all of it ------------------------------------------------------------------------------------- */

static void
check_new(struct call *c, const struct agent *a, size_t messages, size_t changes)
{
	bool talks = a == NULL || agent_channel_find(a, S("messages")) >= 0 ||
	    (a->hosted != NULL && agent_hosted_takes(a->hosted, S("messages")));

	if (!talks && messages > 0)
		fields_fail(c->in, "messages", ERR_INVALID, "the agent \"%.*s\" has no "
		    "conversation: send []", FMT(a->id));
	if (talks && messages + changes == 0)
		fields_fail(c->in, "messages", ERR_INVALID, "nothing is new: the thread has all "
		    "of them, by their ids, and the state is the same");
}

/* {"messages":[...],"channel":{...}}, of what is new. */
static void
add_update(struct call *c, struct agui_in *x, const struct agent *a, bool resumes,
    struct buf *b)
{
	struct buf messages = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	size_t said, changed;

	buf_add_char(&messages, '[');
	add_context(c, x, &messages);
	said = add_messages(c, x, &messages);
	buf_add_char(&messages, ']');
	buf_add_char(b, '{');
	if (messages.n > 2) {
		buf_lit(b, "\"messages\":");
		buf_add(b, buf_str(&messages));
	}
	changed = add_state(c, x, a, b);
	buf_add_char(b, '}');
	if (!resumes)
		check_new(c, a, said, changed);
	b->failed |= messages.failed;
	buf_release(&messages);
}

/* What the run is asked, as JSON. */
static void
add_ask(struct call *c, struct agui_in *x, const struct agent *a, struct buf *b)
{
	struct buf update = BUF(4 * (size_t)LIMIT_HTTP_BODY_BYTES);
	struct buf resume = BUF(LIMIT_HTTP_BODY_BYTES);
	bool resumes = agui_read_resume(c, x, &resume), empty;

	add_update(c, x, a, resumes, &update);
	empty = update.n == 2;
	json_add_fmt(b, "{'metadata':{'agui_thread_id':%.*s,'agui_run_id':%.*s}",
	    FMT(x->thread), FMT(x->run));
	if (resumes && (resume.n > 0 || !empty)) {
		buf_lit(b, ",\"command\":{");
		if (resume.n > 0)
			json_add_fmt(b, "'resume':%-.*s", FMT(buf_str(&resume)));
		if (!empty)
			json_add_fmt(b, ",'update':%-.*s", FMT(buf_str(&update)));
		buf_add_char(b, '}');
	} else if (!resumes) {
		json_add_fmt(b, ",'input':%-.*s", FMT(buf_str(&update)));
	}
	buf_add_char(b, '}');
	b->failed |= update.failed || resume.failed;
	buf_release(&update);
	buf_release(&resume);
}

static int
read_ask(struct call *c, struct agui_in *x, struct door_ask *ask)
{
	struct buf b = BUF(4 * (size_t)LIMIT_HTTP_BODY_BYTES);
	int rc;

	ask->config = read_props(c);
	add_ask(c, x, runs_agent(c->api->runs, ask->assistant.graph_id), &b);
	rc = fields_end(c->in);
	if (rc == OK && b.failed)
		rc = err_set(&c->err, ERR_TOOBIG, "the request is too large");
	if (rc == OK)
		rc = json_parse(&x->ask, buf_str(&b), &c->err);
	buf_release(&b);
	ask->input = json_get(x->ask.root, S("input"));
	ask->command = json_get(x->ask.root, S("command"));
	ask->metadata = json_get(x->ask.root, S("metadata"));
	return rc;
}

int
agui_read(struct call *c, struct agui_in *x, struct door_ask *ask)
{
	int rc;

	*x = (struct agui_in){ .arena = ARENA(FOUND_BYTES) };
	read_name(c, "threadId", &x->thread);
	read_name(c, "runId", &x->run);
	x->subagents = read_version(c);
	refuse(c, "parentRunId", "a run begins at the thread's newest state; leave it out");
	refuse(c, "tools", "tools belong to the agent; send []");
	rc = c->in->rc;
	if (rc == OK)
		rc = door_find(c, "assistant_id", c->param[0], api_agui, &ask->assistant);
	if (rc == OK) {
		x->thread_id = ask->thread_id = c->thread_id = agui_thread(c, x->thread);
		rc = find_thread(c, x);
	}
	if (rc == OK)
		rc = read_ask(c, x, ask);
	ask->create_thread = x->fresh;
	ask->questions = x->questions;
	ask->questions_n = x->open_n;
	return rc;
}

void
agui_in_release(struct agui_in *x)
{
	json_release(&x->values);
	json_release(&x->ask);
	arena_release(&x->arena);
}
