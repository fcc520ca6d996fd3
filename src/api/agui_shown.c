/*
 * agui_shown.c - a thread's messages as AG-UI's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/agui_tell.h"

#include "base/json.h"
#include "base/limits.h"

static jnode
inner(jnode n, const char *outer, const char *name)
{
	return json_get(json_get(n, str_of(outer)), str_of(name));
}

/* The text of a content: a string, or its blocks' texts. */
static void
add_text(struct buf *b, jnode content)
{
	struct json_iter it = json_each(content);
	struct buf text = BUF(LIMIT_STATE_BYTES);

	if (json_is_string(content))
		buf_add(&text, json_str(content));
	while (json_is_array(content) && json_next(&it)) {
		if (json_is_string(it.value))
			buf_add(&text, json_str(it.value));
		else if (str_eq(json_str(json_get(it.value, S("type"))), S("text")))
			buf_add(&text, json_str(json_get(it.value, S("text"))));
	}
	json_add_str(b, buf_str(&text));
	b->failed |= text.failed;
	buf_release(&text);
}

/* ---- parts ---------------------------------------------------------------------------- */

/* {type: "url" | "data"} of an address, which may be `data:TYPE;base64,DATA`. */
static void
add_source(struct buf *b, struct str url)
{
	struct str rest = url, head, type;

	if (!str_starts(url, S("data:")) || !str_next(&rest, ',', &head) ||
	    !str_contains(head, S(";base64"))) {
		json_add_fmt(b, "{'type':'url','value':%.*s}", FMT(url));
		return;
	}
	head = str_sub(head, S("data:").n, head.n);
	(void)str_next(&head, ';', &type);
	json_add_fmt(b, "{'type':'data','value':%.*s,'mimeType':%.*s}", FMT(rest), FMT(type));
}

/* A block of another client's: as it is. */
static void
add_other(struct buf *b, jnode part)
{
	struct buf text = BUF(LIMIT_STATE_BYTES);

	json_add_node(&text, part);
	json_add_fmt(b, "{'type':'text','text':%.*s}", FMT(buf_str(&text)));
	b->failed |= text.failed;
	buf_release(&text);
}

static void
add_part(struct buf *b, jnode part)
{
	struct str type = json_str(json_get(part, S("type")));
	jnode image = json_get(part, S("image_url"));
	struct str format = json_str(inner(part, "input_audio", "format"));

	json_add_comma(b);
	if (str_eq(type, S("image_url"))) {
		buf_lit(b, "{\"type\":\"image\",\"source\":");
		add_source(b, json_str(json_is_object(image) ? json_get(image, S("url")) :
		    image));
		buf_add_char(b, '}');
	} else if (str_eq(type, S("input_audio"))) {
		json_add_fmt(b, "{'type':'audio','source':{'type':'data','value':%.*s,"
		    "'mimeType':'audio/", FMT(json_str(inner(part, "input_audio", "data"))));
		json_add_escaped(b, format);
		buf_lit(b, "\"}}");
	} else if (str_eq(type, S("file"))) {
		buf_lit(b, "{\"type\":\"document\",\"source\":");
		add_source(b, json_str(inner(part, "file", "file_data")));
		buf_add_char(b, '}');
	} else if (json_is_string(part) || str_eq(type, S("text"))) {
		json_add_fmt(b, "{'type':'text','text':%.*s}", FMT(json_str(
		    json_is_string(part) ? part : json_get(part, S("text")))));
	} else {
		add_other(b, part);
	}
}

static void
add_parts(struct buf *b, jnode content)
{
	struct json_iter it = json_each(content);

	if (!json_is_array(content)) {
		add_text(b, content);
		return;
	}
	buf_add_char(b, '[');
	while (json_next(&it))
		add_part(b, it.value);
	buf_add_char(b, ']');
}

/* ---- messages --------------------------------------------------------------------------- */

static void
add_calls(struct buf *b, jnode calls)
{
	struct json_iter it = json_each(calls);
	struct buf args = BUF(LIMIT_STATE_BYTES);

	buf_lit(b, ",\"toolCalls\":[");
	while (json_next(&it)) {
		buf_clear(&args);
		json_add_node(&args, json_get(it.value, S("args")));
		json_add_fmt(b, ",{'id':%.*s,'type':'function','function':{'name':%.*s,"
		    "'arguments':%.*s}}", FMT(json_str(json_get(it.value, S("id")))),
		    FMT(json_str(json_get(it.value, S("name")))), FMT(buf_str(&args)));
	}
	buf_add_char(b, ']');
	b->failed |= args.failed;
	buf_release(&args);
}

static void
add_answer(struct buf *b, jnode m)
{
	jnode calls = json_get(m, S("tool_calls"));

	buf_lit(b, ",\"content\":");
	add_text(b, json_get(m, S("content")));
	if (json_count(calls) > 0)
		add_calls(b, calls);
}

static void
add_result(struct buf *b, jnode m)
{
	buf_lit(b, ",\"content\":");
	add_text(b, json_get(m, S("content")));
	json_add_fmt(b, ",'toolCallId':%.*s", FMT(json_str(json_get(m, S("tool_call_id")))));
	if (str_eq(json_str(json_get(m, S("status"))), S("error"))) {
		buf_lit(b, ",\"error\":");
		add_text(b, json_get(m, S("content")));
	}
}

static void
add_question(struct buf *b, jnode m)
{
	buf_lit(b, ",\"content\":");
	add_parts(b, json_get(m, S("content")));
}

static void
add_plain(struct buf *b, jnode m)
{
	buf_lit(b, ",\"content\":");
	add_text(b, json_get(m, S("content")));
}

/* A model's reasoning stands before what it led to. */
static void
add_reasoning(struct buf *b, jnode m)
{
	struct str text = json_str(inner(m, "additional_kwargs", "reasoning_content"));

	if (text.n == 0)
		return;
	json_add_comma(b);
	buf_lit(b, "{\"id\":\"" AGUI_REASONING);
	json_add_escaped(b, json_str(json_get(m, S("id"))));
	json_add_fmt(b, "','role':'reasoning','content':%.*s}", FMT(text));
}

/* Of types that are no message of AG-UI nothing is shown. */
static const struct {
	const char *type, *role;
	void (*add)(struct buf *b, jnode m);
	bool named;
} roles[] = {
	{ "human", "user", add_question, true },
	{ "ai", "assistant", add_answer, true },
	{ "system", "system", add_plain, true },
	{ "tool", "tool", add_result, false },
};

static void
add_message(struct buf *b, jnode m)
{
	struct str type = json_str(json_get(m, S("type")));
	struct str name = json_str(json_get(m, S("name")));
	bool developer = str_eq(json_str(inner(m, "additional_kwargs", "__openai_role__")),
	    S("developer"));

	for (size_t i = 0; i < COUNT(roles); i++) {
		if (!str_eq(type, str_of(roles[i].type)))
			continue;
		add_reasoning(b, m);
		json_add_fmt(b, ",{'id':%p,'role':%s", (void *)json_get(m, S("id")),
		    developer ? "developer" : roles[i].role);
		if (roles[i].named && name.n > 0)
			json_add_fmt(b, ",'name':%.*s", FMT(name));
		roles[i].add(b, m);
		buf_add_char(b, '}');
	}
}

void
agui_add_messages(struct buf *b, jnode messages)
{
	struct json_iter it = json_each(messages);

	while (json_next(&it))
		if (!str_eq(json_str(json_get(it.value, S("id"))), S(AGUI_CONTEXT)))
			add_message(b, it.value);
}
