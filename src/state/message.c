/*
 * message.c - see message.h.
 *
 * Coercion writes the stored text once, in the order the reference server
 * writes it: the caller's members first, then what was missing, the id and the
 * type.  Parts of the caller's that are lazy are copied as text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "state/message.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/scan.h"

#define FAILURE "MESSAGE_COERCION_FAILURE"
#define PATH_SIZE 160

static const struct role {
	const char *word;
	enum message_type type;
	bool developer;
} roles[] = {
	{ "human", MSG_HUMAN, false }, { "user", MSG_HUMAN, false },
	{ "ai", MSG_AI, false }, { "assistant", MSG_AI, false },
	{ "AIMessageChunk", MSG_AI, false },
	{ "system", MSG_SYSTEM, false }, { "developer", MSG_SYSTEM, true },
	{ "tool", MSG_TOOL, false }, { "function", MSG_FUNCTION, false },
	{ "remove", MSG_REMOVE, false },
	/* LangChain's constructor form */
	{ "HumanMessage", MSG_HUMAN, false }, { "AIMessage", MSG_AI, false },
	{ "SystemMessage", MSG_SYSTEM, false }, { "ToolMessage", MSG_TOOL, false },
	{ "FunctionMessage", MSG_FUNCTION, false }, { "RemoveMessage", MSG_REMOVE, false },
	{ "HumanMessageChunk", MSG_HUMAN, false },
	{ "SystemMessageChunk", MSG_SYSTEM, false },
	{ "ToolMessageChunk", MSG_TOOL, false },
};

static const struct role *
role_find(struct str word)
{
	for (size_t i = 0; i < COUNT(roles); i++)
		if (str_eq(word, str_of(roles[i].word)))
			return &roles[i];
	return NULL;
}

const char *
message_type_name(enum message_type type)
{
	static const char *const names[] = {
		[MSG_NONE] = "", [MSG_HUMAN] = "human", [MSG_AI] = "ai",
		[MSG_SYSTEM] = "system", [MSG_TOOL] = "tool",
		[MSG_FUNCTION] = "function", [MSG_REMOVE] = "remove",
	};

	return names[type];
}

enum message_type
message_type_of(struct str word)
{
	const struct role *role = role_find(word);

	return role == NULL ? MSG_NONE : role->type;
}

/* ---- stored messages ------------------------------------------------------- */

static struct str
string_member(struct val m, struct str key)
{
	struct str text;
	struct val v;

	if (val_peek_str(m, key, &text))
		return text;
	v = val_get(m, key);
	return v.kind == VAL_STRING ? val_str(v) : STR_NONE;
}

enum message_type
message_type(struct val m)
{
	return message_type_of(string_member(m, S("type")));
}

struct str
message_id(struct val m)
{
	return string_member(m, S("id"));
}

struct val
message_text(struct val m)
{
	struct val content = val_get(m, S("content")), out;
	struct buf b = BUF(LIMIT_STATE_BYTES);

	if (content.kind == VAL_STRING)
		return val_ref(content);
	for (size_t i = 0; content.kind == VAL_ARRAY && i < val_count(content); i++) {
		struct val block = val_at(content, i);
		struct val text = block.kind == VAL_OBJECT ? val_get(block, S("text")) : block;

		if (text.kind == VAL_STRING)
			buf_add(&b, val_str(text));
	}
	out = val_string(buf_str(&b));
	buf_release(&b);
	return out;
}

/* The raw inside of the text's own `id`, wherever it stands. */
static struct str
id_in(struct str json)
{
	struct scan s = scan_of(json);
	struct str key, raw, id = STR_NONE;
	bool first = true;

	for (scan_open(&s, '{'); scan_member(&s, &first, &key); )
		if (SCAN_IS(key, "id"))
			id = scan_text(&s);
		else
			scan_value(&s, &raw);
	return scan_end(&s) ? id : STR_NONE;
}

int
message_of_answer(struct str json, struct str id, struct val *out, struct err *e)
{
	struct str old = id_in(json);
	struct buf b = BUF(LIMIT_STATE_BYTES);

	*out = VAL_UNDEF;
	if (old.n == 0)
		return err_set(e, ERR_INVALID, "answer without an id");
	buf_add(&b, str_sub(json, 0, (size_t)(old.p - json.p)));
	buf_add(&b, id);
	buf_add(&b, str_sub(json, (size_t)(old.p + old.n - json.p), json.n));
	if (!b.failed)
		*out = val_json_trusted(buf_str(&b));
	if (!b.failed && message_type(*out) == MSG_NONE) {
		val_drop(*out);
		*out = VAL_UNDEF;
		buf_release(&b);
		return err_set(e, ERR_INVALID, "answer without a type");
	}
	buf_release(&b);
	return out->kind != VAL_UNDEFINED ? OK : err_set(e, ERR_TOOBIG,
	    "answer larger than %d bytes", LIMIT_STATE_BYTES);
}

/* ---- coercion -------------------------------------------------------------- */

/* What is known while one message is written. */
struct writer {
	struct buf *b;
	const char *path;
	struct err *e;
	const struct role *role;
	bool content, id, calls, invalid, kwargs, metadata, call_id;
};

static bool
is_nothing(struct val v)
{
	return v.kind == VAL_NULL || v.kind == VAL_UNDEFINED;
}

static const char *
kind_of(struct val v)
{
	return v.kind == VAL_UNDEFINED ? "nothing" : val_kind_name(v);
}

static int
wrong(const struct writer *w, const char *key, const char *expected, struct val got)
{
	return err_set(w->e, ERR_INVALID, "%s.%s: expected %s, got %s (" FAILURE ")",
	    w->path, key, expected, kind_of(got));
}

static void
add_member(struct writer *w, const char *key, struct val value)
{
	json_add_key(w->b, key);
	val_add_json(w->b, value);
}

static void
add_id(struct writer *w, struct str id)
{
	json_add_key(w->b, "id");
	buf_add_char(w->b, '"');
	buf_add(w->b, id);
	buf_add_char(w->b, '"');
	w->id = true;
}

/* Ids are looked for in texts as they are, so they need no escaping. */
static int
write_id(struct writer *w, struct val value)
{
	struct str id;

	if (value.kind != VAL_STRING)
		return wrong(w, "id", "a string", value);
	id = val_str(value);
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
write_content(struct writer *w, struct val value)
{
	if (is_nothing(value) && w->role->type == MSG_AI) {
		json_add_key(w->b, "content");
		buf_lit(w->b, "\"\"");
	} else if (value.kind == VAL_STRING || value.kind == VAL_ARRAY) {
		add_member(w, "content", value);
	} else {
		return wrong(w, "content", "a string or an array", value);
	}
	w->content = true;
	return OK;
}

/* The object in a function's arguments, which come as text. */
static bool
arguments_of(struct val function, struct val *args)
{
	struct val text = val_get(function, S("arguments"));
	struct str json = S("{}");

	if (text.kind == VAL_STRING && val_str(text).n > 0)
		json = val_str(text);
	if (val_json(args, json, NULL) == OK && args->kind == VAL_OBJECT)
		return true;
	val_drop(*args);
	return false;
}

/* {id, type: "function", function: {name, arguments}}, as OpenAI writes it. */
static int
write_openai_call(struct writer *w, struct val call, struct val function, size_t i)
{
	struct val name = val_get(function, S("name")), args;
	struct val extra = val_get(call, S("extra_content"));

	if (name.kind != VAL_STRING)
		return err_set(w->e, ERR_INVALID, "%s.tool_calls[%zu].function.name: "
		    "expected a string (" FAILURE ")", w->path, i);
	if (!arguments_of(function, &args))
		return err_set(w->e, ERR_INVALID, "%s.tool_calls[%zu].function.arguments: "
		    "expected a JSON object as text (" FAILURE ")", w->path, i);
	buf_add_char(w->b, '{');
	add_member(w, "id", val_get(call, S("id")));
	add_member(w, "args", args);
	add_member(w, "name", name);
	json_add_key(w->b, "type");
	buf_lit(w->b, "\"tool_call\"");
	if (extra.kind == VAL_OBJECT)
		add_member(w, "extra_content", extra);
	buf_add_char(w->b, '}');
	val_drop(args);
	return OK;
}

static int
write_call(struct writer *w, struct val call, size_t i)
{
	struct val function = val_get(call, S("function"));

	if (function.kind == VAL_OBJECT)
		return write_openai_call(w, call, function, i);
	if (val_get(call, S("name")).kind != VAL_STRING)
		return err_set(w->e, ERR_INVALID, "%s.tool_calls[%zu].name: "
		    "expected a string (" FAILURE ")", w->path, i);
	val_add_json(w->b, call);
	return OK;
}

static int
write_calls(struct writer *w, struct val calls)
{
	int rc = OK;

	if (calls.kind != VAL_ARRAY)
		return wrong(w, "tool_calls", "an array", calls);
	json_add_key(w->b, "tool_calls");
	buf_add_char(w->b, '[');
	for (size_t i = 0; i < val_count(calls) && rc == OK; i++) {
		if (i > 0)
			buf_add_char(w->b, ',');
		rc = write_call(w, val_at(calls, i), i);
	}
	buf_add_char(w->b, ']');
	w->calls = true;
	return rc;
}

/* given: an object, or VAL_UNDEF. */
static void
write_kwargs(struct writer *w, struct val given)
{
	struct val v = given.kind == VAL_OBJECT ? val_ref(given) : val_object_empty();

	if (w->role->developer)
		v = val_set_take(v, S("__openai_role__"), val_string(S("developer")));
	add_member(w, "additional_kwargs", v);
	val_drop(v);
	w->kwargs = true;
}

static int
write_other(struct writer *w, struct str key, struct val value)
{
	if (str_eq(key, S("tool_call_id"))) {
		if (value.kind != VAL_STRING)
			return wrong(w, "tool_call_id", "a string", value);
		w->call_id = true;
	}
	w->invalid |= str_eq(key, S("invalid_tool_calls"));
	w->metadata |= str_eq(key, S("response_metadata"));
	json_add_comma(w->b);
	json_add_str(w->b, key);
	buf_add_char(w->b, ':');
	val_add_json(w->b, value);
	return OK;
}

/* One member of the caller's object. */
static int
write_member(struct writer *w, struct str key, struct val value)
{
	if (str_eq(key, S("content")))
		return write_content(w, value);
	if (str_eq(key, S("role")) || str_eq(key, S("type")) || is_nothing(value))
		return OK;
	if (str_eq(key, S("id")))
		return write_id(w, value);
	if (str_eq(key, S("additional_kwargs"))) {
		if (value.kind != VAL_OBJECT)
			return wrong(w, "additional_kwargs", "an object", value);
		write_kwargs(w, value);
		return OK;
	}
	if (w->role->type == MSG_AI && str_eq(key, S("tool_calls")))
		return write_calls(w, value);
	return write_other(w, key, value);
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
	enum message_type type = w->role->type;

	if (!w->content) {
		int rc = write_content(w, VAL_UNDEF);

		if (rc != OK)
			return rc;
	}
	if (type == MSG_TOOL && !w->call_id)
		return wrong(w, "tool_call_id", "a string", VAL_UNDEF);
	if (type == MSG_AI && !w->calls)
		add_default(w, "tool_calls", S("[]"));
	if (type == MSG_AI && !w->invalid)
		add_default(w, "invalid_tool_calls", S("[]"));
	if (!w->kwargs)
		write_kwargs(w, VAL_UNDEF);
	if (!w->metadata)
		add_default(w, "response_metadata", S("{}"));
	return OK;
}

static int
write_object(struct writer *w, struct val fields)
{
	int rc = OK;

	buf_add_char(w->b, '{');
	for (size_t i = 0; fields.kind == VAL_OBJECT && i < val_count(fields) && rc == OK;
	    i++)
		rc = write_member(w, val_key(fields, i), val_member(fields, i));
	if (rc != OK)
		return rc;
	if (w->role->type != MSG_REMOVE)
		return write_missing(w);
	return w->id ? OK : wrong(w, "id", "a string", VAL_UNDEF);
}

/* Ends the text: an id if there is none, and the type. */
static int
finish(struct writer *w, struct val *out, bool *minted)
{
	*minted = !w->id;
	if (!w->id) {
		struct uuid id = uuid_v4();
		char text[UUID_TEXT];

		uuid_format(&id, text);
		add_id(w, (struct str){ text, UUID_TEXT });
	}
	json_add_key(w->b, "type");
	buf_add_fmt(w->b, "\"%s\"}", message_type_name(w->role->type));
	if (w->b->failed)
		return err_set(w->e, ERR_TOOBIG, "%s: larger than %d bytes (" FAILURE ")",
		    w->path, LIMIT_STATE_BYTES);
	*out = val_json_trusted(buf_str(w->b));
	if (out->kind == VAL_OBJECT)
		return OK;
	*out = VAL_UNDEF;
	return err_set(w->e, ERR_TOOBIG, "%s: nested deeper than %d levels (" FAILURE ")",
	    w->path, LIMIT_JSON_DEPTH);
}

static int
unknown_role(const char *path, struct val role, struct err *e)
{
	if (role.kind != VAL_STRING)
		return err_set(e, ERR_INVALID, "%s: expected a role or type (" FAILURE ")",
		    path);
	return err_set(e, ERR_INVALID, "%s: unknown role \"%.*s\"; expected human, user, "
	    "ai, assistant, system, developer, tool, function or remove (" FAILURE ")",
	    path, FMT(str_sub(val_str(role), 0, 64)));
}

static bool
take_role(struct writer *w, struct val role)
{
	w->role = role.kind == VAL_STRING ? role_find(val_str(role)) : NULL;
	return w->role != NULL;
}

/* {role|type, ...} or {lc: 1, type: "constructor", id: [..., class], kwargs}. */
static int
coerce_object(struct writer *w, struct val in)
{
	struct val role = val_get(in, S("role")), fields = in;

	if (is_nothing(role))
		role = val_get(in, S("type"));
	if (role.kind == VAL_STRING && str_eq(val_str(role), S("constructor"))) {
		struct val id = val_get(in, S("id"));

		role = val_at(id, val_count(id) - 1);
		fields = val_get(in, S("kwargs"));
	}
	return take_role(w, role) ? write_object(w, fields) :
	    unknown_role(w->path, role, w->e);
}

/* The content alone, of a string or of [role, content]. */
static int
coerce_content(struct writer *w, struct val content)
{
	int rc;

	buf_add_char(w->b, '{');
	rc = write_content(w, content);
	return rc == OK ? write_missing(w) : rc;
}

static int
coerce(struct writer *w, struct val in)
{
	struct val role = val_at(in, 0);

	switch (in.kind) {
	case VAL_OBJECT:
		return coerce_object(w, in);
	case VAL_STRING:
		w->role = &roles[0];
		return coerce_content(w, in);
	case VAL_ARRAY:
		if (val_count(in) != 2 || role.kind != VAL_STRING)
			return err_set(w->e, ERR_INVALID,
			    "%s: expected [role, content] (" FAILURE ")", w->path);
		return take_role(w, role) ? coerce_content(w, val_at(in, 1)) :
		    unknown_role(w->path, role, w->e);
	default:
		return err_set(w->e, ERR_INVALID, "%s: expected a message, got %s ("
		    FAILURE ")", w->path, kind_of(in));
	}
}

int
message_from(struct val in, const char *path, struct val *out, bool *minted,
    struct err *e)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct writer w = { .b = &b, .path = path, .e = e };
	bool is_new = false;
	int rc;

	*out = VAL_UNDEF;
	rc = coerce(&w, in);
	if (rc == OK)
		rc = finish(&w, out, &is_new);
	if (minted != NULL)
		*minted = is_new;
	buf_release(&b);
	return rc;
}

/* Takes list. */
static int
coerce_list(struct val in, const char *path, struct val list, struct val *out,
    bool *minted, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; i < val_count(in) && rc == OK; i++) {
		char at[PATH_SIZE];
		struct val m;
		bool is_new;

		snprintf(at, sizeof at, "%.120s[%zu]", path, i);
		rc = message_from(val_at(in, i), at, &m, &is_new, e);
		*minted &= is_new;
		if (rc == OK)
			list = val_push_take(list, m);
	}
	if (rc == OK)
		*out = list;
	else
		val_drop(list);
	return rc;
}

int
messages_from(struct val in, const char *path, struct val *out, bool *minted,
    struct err *e)
{
	struct val one;
	bool all = true;
	int rc;

	*out = VAL_UNDEF;
	if (in.kind == VAL_ARRAY && val_count(in) > LIMIT_MESSAGES)
		return err_set(e, ERR_INVALID, "%s: more than %d messages", path,
		    LIMIT_MESSAGES);
	if (in.kind == VAL_ARRAY) {
		rc = coerce_list(in, path, val_array_empty(), out, &all, e);
	} else {
		rc = message_from(in, path, &one, &all, e);
		if (rc == OK)
			*out = val_push_take(val_array_empty(), one);
	}
	if (minted != NULL)
		*minted = all;
	return rc;
}

char *
message_new_id(void)
{
	struct buf b = BUF(64);
	struct uuid fresh = uuid_v7();
	char *id;

	buf_lit(&b, "run-");
	uuid_add(&b, &fresh);
	id = mem_cstr(buf_str(&b));
	buf_release(&b);
	return id;
}
