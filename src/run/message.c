/*
 * message.c - see message.h.
 *
 * Coercion writes the stored text once, in the order the reference server
 * writes it: the caller's keys first, then what was missing, the id and the
 * type.  A message is one allocation: the struct, then its text.
 *
 * Stored texts are ours, so reading one back only walks its top level for
 * `id` and `type`; a long thread is loaded without parsing every message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/message.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/scan.h"

#define FAILURE "MESSAGE_COERCION_FAILURE"
#define PATH_SIZE 160

static const struct role {
	const char *word;
	enum message_kind kind;
	bool developer;
} roles[] = {
	{ "human", MESSAGE_HUMAN, false }, { "user", MESSAGE_HUMAN, false },
	{ "ai", MESSAGE_AI, false }, { "assistant", MESSAGE_AI, false },
	{ "AIMessageChunk", MESSAGE_AI, false },
	{ "system", MESSAGE_SYSTEM, false }, { "developer", MESSAGE_SYSTEM, true },
	{ "tool", MESSAGE_TOOL, false }, { "function", MESSAGE_FUNCTION, false },
	{ "remove", MESSAGE_REMOVE, false },
	/* LangChain's constructor form */
	{ "HumanMessage", MESSAGE_HUMAN, false }, { "AIMessage", MESSAGE_AI, false },
	{ "SystemMessage", MESSAGE_SYSTEM, false }, { "ToolMessage", MESSAGE_TOOL, false },
	{ "FunctionMessage", MESSAGE_FUNCTION, false },
	{ "RemoveMessage", MESSAGE_REMOVE, false },
	{ "HumanMessageChunk", MESSAGE_HUMAN, false },
	{ "SystemMessageChunk", MESSAGE_SYSTEM, false },
	{ "ToolMessageChunk", MESSAGE_TOOL, false },
};

static const char *const kind_names[] = {
	[MESSAGE_HUMAN] = "human", [MESSAGE_AI] = "ai", [MESSAGE_SYSTEM] = "system",
	[MESSAGE_TOOL] = "tool", [MESSAGE_FUNCTION] = "function",
	[MESSAGE_REMOVE] = "remove",
};

static const struct role *
role_find(struct str word)
{
	for (size_t i = 0; i < COUNT(roles); i++)
		if (str_eq(word, str_of(roles[i].word)))
			return &roles[i];
	return NULL;
}

static struct message *
message_make(enum message_kind kind, struct str json, size_t id_at, size_t id_n)
{
	struct message *m = mem_alloc(sizeof *m + json.n);
	char *text = (char *)(m + 1);

	assert(id_at + id_n <= json.n);
	memcpy(text, json.p, json.n);
	m->refs = 1;
	m->kind = kind;
	m->json = (struct str){ text, json.n };
	m->id = (struct str){ text + id_at, id_n };
	return m;
}

struct message *
message_ref(struct message *m)
{
	assert(m->refs > 0);
	m->refs++;
	return m;
}

void
message_drop(struct message *m)
{
	if (m == NULL)
		return;
	assert(m->refs > 0);
	if (--m->refs == 0)
		free(m);
}

void
message_list_add(struct message_list *l, struct message *m)
{
	mem_grow(l->at, l->n, l->cap);
	l->at[l->n++] = m;
}

void
message_list_release(struct message_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		message_drop(l->at[i]);
	free(l->at);
	*l = (struct message_list){ 0 };
}

/* ---- stored text --------------------------------------------------------- */

/* Finds the top-level strings `id` and `type`: their insides, undecoded. */
static void
scan_top(struct str json, struct str *id, struct str *type)
{
	struct scan s = scan_of(json);
	struct str key;
	bool first = true;

	*id = *type = STR_NONE;
	for (scan_open(&s, '{'); scan_member(&s, &first, &key); )
		if (SCAN_IS(key, "id"))
			*id = scan_text(&s);
		else if (SCAN_IS(key, "type"))
			*type = scan_text(&s);
		else
			scan_value(&s, &(struct str){ 0 });
}

int
message_from_stored(struct message **out, struct str json, struct err *e)
{
	struct str id, type;
	const struct role *role;

	*out = NULL;
	scan_top(json, &id, &type);
	role = role_find(type);
	if (role == NULL || id.n == 0)
		return err_set(e, ERR_INVALID, "stored message without id or type");
	*out = message_make(role->kind, json, (size_t)(id.p - json.p), id.n);
	return OK;
}

int
message_from_answer(struct message **out, struct str json, struct str id,
    struct err *e)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct str old, type;
	size_t at;
	int rc;

	*out = NULL;
	scan_top(json, &old, &type);
	if (old.n == 0)
		return err_set(e, ERR_INVALID, "answer without an id");
	if (str_eq(old, id))
		return message_from_stored(out, json, e);
	at = (size_t)(old.p - json.p);
	buf_add(&b, str_sub(json, 0, at));
	buf_add(&b, id);
	buf_add(&b, str_sub(json, at + old.n, json.n));
	rc = b.failed ? err_set(e, ERR_TOOBIG, "answer larger than %d bytes",
	    LIMIT_STATE_BYTES) : message_from_stored(out, buf_str(&b), e);
	buf_release(&b);
	return rc;
}

/* ---- coercion ------------------------------------------------------------ */

/* What is known while one message is written. */
struct writer {
	struct buf *b;
	const char *path;
	struct err *e;
	const struct role *role;
	bool content, id, calls, invalid, kwargs, metadata, call_id;
	size_t id_at, id_n;
};

static int
wrong(const struct writer *w, const char *key, const char *expected, jnode got)
{
	return err_set(w->e, ERR_INVALID, "%s.%s: expected %s, got %s (" FAILURE ")",
	    w->path, key, expected, got == NULL ? "nothing" : json_kind(got));
}

static void
add_id(struct writer *w, struct str id)
{
	json_add_key(w->b, "id");
	w->id_at = w->b->n + 1;
	w->id_n = id.n;
	buf_add_char(w->b, '"');
	buf_add(w->b, id);
	buf_add_char(w->b, '"');
	w->id = true;
}

/* Ids appear inside frames as they are, so they need no escaping. */
static int
write_id(struct writer *w, jnode value)
{
	struct str id;

	if (!json_is_string(value))
		return wrong(w, "id", "a string", value);
	id = json_str(value);
	if (id.n == 0 || id.n > LIMIT_NAME_BYTES)
		return err_set(w->e, ERR_INVALID, "%s.id: expected 1 to %d bytes (" FAILURE ")",
		    w->path, LIMIT_NAME_BYTES);
	for (size_t i = 0; i < id.n; i++)
		if ((unsigned char)id.p[i] < 0x20 || id.p[i] == '"' || id.p[i] == '\\')
			return err_set(w->e, ERR_INVALID, "%s.id: expected no quotes, "
			    "backslashes or control characters (" FAILURE ")", w->path);
	add_id(w, id);
	return OK;
}

static int
write_content(struct writer *w, jnode value)
{
	if (json_is_null(value)) {
		if (w->role->kind != MESSAGE_AI)
			return wrong(w, "content", "a string or an array", value);
		json_add_key(w->b, "content");
		buf_lit(w->b, "\"\"");
	} else if (json_is_string(value) || json_is_array(value)) {
		json_add_key(w->b, "content");
		json_add_node(w->b, value);
	} else {
		return wrong(w, "content", "a string or an array", value);
	}
	w->content = true;
	return OK;
}

/* {id, type: "function", function: {name, arguments}}, as OpenAI writes it. */
static int
write_openai_call(struct writer *w, jnode call, jnode function, size_t i)
{
	jnode name = json_get(function, S("name"));
	jnode text = json_get(function, S("arguments"));
	struct json_doc args = { 0 };
	struct str arguments = S("{}");

	if (!json_is_string(name))
		return err_set(w->e, ERR_INVALID, "%s.tool_calls[%zu].function.name: "
		    "expected a string (" FAILURE ")", w->path, i);
	if (json_is_string(text) && json_str(text).n > 0)
		arguments = json_str(text);
	if (json_parse(&args, arguments, NULL) != OK || !json_is_object(args.root)) {
		json_release(&args);
		return err_set(w->e, ERR_INVALID, "%s.tool_calls[%zu].function.arguments: "
		    "expected a JSON object as text (" FAILURE ")", w->path, i);
	}
	buf_add_char(w->b, '{');
	json_add_key(w->b, "id");
	json_add_node(w->b, json_get(call, S("id")));
	json_add_key(w->b, "args");
	json_add_node(w->b, args.root);
	json_add_key(w->b, "name");
	json_add_node(w->b, name);
	json_add_key(w->b, "type");
	buf_lit(w->b, "\"tool_call\"");
	if (json_is_object(json_get(call, S("extra_content")))) {
		json_add_key(w->b, "extra_content");
		json_add_node(w->b, json_get(call, S("extra_content")));
	}
	buf_add_char(w->b, '}');
	json_release(&args);
	return OK;
}

static int
write_calls(struct writer *w, jnode calls)
{
	size_t i = 0;

	if (!json_is_array(calls))
		return wrong(w, "tool_calls", "an array", calls);
	json_add_key(w->b, "tool_calls");
	buf_add_char(w->b, '[');
	for (struct json_iter it = json_each(calls); json_next(&it); i++) {
		jnode function = json_get(it.value, S("function"));
		int rc;

		if (i > 0)
			buf_add_char(w->b, ',');
		if (json_is_object(function)) {
			rc = write_openai_call(w, it.value, function, i);
			if (rc != OK)
				return rc;
			continue;
		}
		if (!json_is_string(json_get(it.value, S("name"))))
			return err_set(w->e, ERR_INVALID, "%s.tool_calls[%zu].name: "
			    "expected a string (" FAILURE ")", w->path, i);
		json_add_node(w->b, it.value);
	}
	buf_add_char(w->b, ']');
	w->calls = true;
	return OK;
}

static void
write_kwargs(struct writer *w, jnode given)
{
	json_add_key(w->b, "additional_kwargs");
	if (!w->role->developer) {
		json_add_node(w->b, given);
	} else {
		struct json_doc mark;
		int rc = json_parse(&mark, S("{\"__openai_role__\":\"developer\"}"), NULL);

		assert(rc == OK);
		json_add_merged(w->b, given, mark.root);
		json_release(&mark);
	}
	w->kwargs = true;
}

/* One member of the caller's object. */
static int
write_member(struct writer *w, struct str key, jnode value)
{
	bool ai = w->role->kind == MESSAGE_AI;

	if (str_eq(key, S("content")))
		return write_content(w, value);
	if (str_eq(key, S("role")) || str_eq(key, S("type")) || json_is_null(value))
		return OK;
	if (str_eq(key, S("id")))
		return write_id(w, value);
	if (str_eq(key, S("additional_kwargs"))) {
		if (!json_is_object(value))
			return wrong(w, "additional_kwargs", "an object", value);
		write_kwargs(w, value);
		return OK;
	}
	if (ai && str_eq(key, S("tool_calls")))
		return write_calls(w, value);
	if (str_eq(key, S("tool_call_id"))) {
		if (!json_is_string(value))
			return wrong(w, "tool_call_id", "a string", value);
		w->call_id = true;
	}
	w->invalid |= str_eq(key, S("invalid_tool_calls"));
	w->metadata |= str_eq(key, S("response_metadata"));
	if (w->b->n > 1)
		buf_add_char(w->b, ',');
	json_add_str(w->b, key);
	buf_add_char(w->b, ':');
	json_add_node(w->b, value);
	return OK;
}

static void
add_default(struct writer *w, const char *key, struct str value)
{
	json_add_key(w->b, key);
	buf_add(w->b, value);
}

/* What the stored form has and the caller left out. */
static int
write_missing(struct writer *w)
{
	enum message_kind kind = w->role->kind;

	if (!w->content) {
		int rc = write_content(w, NULL);

		if (rc != OK)
			return rc;
	}
	if (kind == MESSAGE_TOOL && !w->call_id)
		return wrong(w, "tool_call_id", "a string", NULL);
	if (kind == MESSAGE_AI && !w->calls)
		add_default(w, "tool_calls", S("[]"));
	if (kind == MESSAGE_AI && !w->invalid)
		add_default(w, "invalid_tool_calls", S("[]"));
	if (!w->kwargs && w->role->developer)
		write_kwargs(w, NULL);
	else if (!w->kwargs)
		add_default(w, "additional_kwargs", S("{}"));
	if (!w->metadata)
		add_default(w, "response_metadata", S("{}"));
	return OK;
}

static int
write_object(struct writer *w, jnode fields)
{
	int rc;

	buf_add_char(w->b, '{');
	for (struct json_iter it = json_each(fields); json_next(&it);) {
		rc = write_member(w, json_str(it.key), it.value);
		if (rc != OK)
			return rc;
	}
	if (w->role->kind != MESSAGE_REMOVE) {
		rc = write_missing(w);
		if (rc != OK)
			return rc;
	} else if (!w->id) {
		return wrong(w, "id", "a string", NULL);
	}
	return OK;
}

/* Ends the text: an id if there is none, and the type. */
static int
finish(struct writer *w, struct message **out)
{
	if (!w->id) {
		struct uuid id = uuid_v4();
		char text[UUID_TEXT];

		uuid_format(&id, text);
		add_id(w, (struct str){ text, UUID_TEXT });
	}
	json_add_key(w->b, "type");
	buf_add_fmt(w->b, "\"%s\"}", kind_names[w->role->kind]);
	if (w->b->failed)
		return err_set(w->e, ERR_TOOBIG, "%s: larger than %d bytes (" FAILURE ")",
		    w->path, LIMIT_STATE_BYTES);
	*out = message_make(w->role->kind, buf_str(w->b), w->id_at, w->id_n);
	return OK;
}

static int
unknown_role(const char *path, jnode role, struct err *e)
{
	if (!json_is_string(role))
		return err_set(e, ERR_INVALID, "%s: expected a role or type (" FAILURE ")",
		    path);
	return err_set(e, ERR_INVALID, "%s: unknown role \"%.*s\"; expected human, user, "
	    "ai, assistant, system, developer, tool, function or remove (" FAILURE ")",
	    path, FMT(str_sub(json_str(role), 0, 64)));
}

/* {role|type, ...} or {lc: 1, type: "constructor", id: [..., class], kwargs}. */
static int
coerce_object(struct writer *w, jnode n)
{
	jnode role = json_get(n, S("role")), fields = n;

	if (json_is_null(role))
		role = json_get(n, S("type"));
	if (json_is_string(role) && str_eq(json_str(role), S("constructor"))) {
		jnode id = json_get(n, S("id"));
		size_t count = json_count(id);

		role = json_is_array(id) && count > 0 ? json_at(id, count - 1) : NULL;
		fields = json_get(n, S("kwargs"));
	}
	if (!json_is_string(role))
		return unknown_role(w->path, role, w->e);
	w->role = role_find(json_str(role));
	if (w->role == NULL)
		return unknown_role(w->path, role, w->e);
	return write_object(w, fields);
}

/* [role, content] */
static int
coerce_pair(struct writer *w, jnode n)
{
	jnode role = json_at(n, 0);
	int rc;

	if (json_count(n) != 2 || !json_is_string(role))
		return err_set(w->e, ERR_INVALID, "%s: expected [role, content] (" FAILURE ")",
		    w->path);
	w->role = role_find(json_str(role));
	if (w->role == NULL)
		return unknown_role(w->path, role, w->e);
	buf_add_char(w->b, '{');
	rc = write_content(w, json_at(n, 1));
	return rc == OK ? write_missing(w) : rc;
}

int
message_coerce(struct message **out, jnode n, const char *path, struct err *e)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct writer w = { .b = &b, .path = path, .e = e };
	int rc;

	*out = NULL;
	if (json_is_string(n)) {
		w.role = &roles[0];
		buf_add_char(&b, '{');
		rc = write_content(&w, n);
		if (rc == OK)
			rc = write_missing(&w);
	} else if (json_is_array(n)) {
		rc = coerce_pair(&w, n);
	} else if (json_is_object(n)) {
		rc = coerce_object(&w, n);
	} else {
		rc = err_set(e, ERR_INVALID, "%s: expected a message, got %s (" FAILURE ")",
		    path, n == NULL ? "nothing" : json_kind(n));
	}
	if (rc == OK)
		rc = finish(&w, out);
	buf_release(&b);
	return rc;
}

int
message_list_coerce(struct message_list *out, jnode n, const char *path,
    struct err *e)
{
	struct message_list list = { 0 };
	struct message *m;
	int rc = OK;
	size_t i = 0;

	*out = list;
	if (!json_is_array(n)) {
		rc = message_coerce(&m, n, path, e);
		if (rc == OK)
			message_list_add(out, m);
		return rc;
	}
	if (json_count(n) > LIMIT_MESSAGES)
		return err_set(e, ERR_INVALID, "%s: more than %d messages", path,
		    LIMIT_MESSAGES);
	for (struct json_iter it = json_each(n); rc == OK && json_next(&it); i++) {
		char at[PATH_SIZE];

		snprintf(at, sizeof at, "%.120s[%zu]", path, i);
		rc = message_coerce(&m, it.value, at, e);
		if (rc == OK)
			message_list_add(&list, m);
	}
	if (rc != OK)
		message_list_release(&list);
	*out = list;
	return rc;
}
