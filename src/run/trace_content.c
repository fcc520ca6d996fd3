/*
 * trace_content.c - conversations as spans show them: [{"role", "parts": [{"type": "text",
 * "content"} | {"type": "tool_call", "id", "name", "arguments"} |
 * {"type": "tool_call_response", "id", "response"}]}].
 *
 * Of a long conversation the newest messages are kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "run/trace_priv.h"

static struct str
role_of(jnode m)
{
	struct str type = json_str(json_get(m, S("type")));

	return str_eq(type, S("human")) ? S("user") : str_eq(type, S("ai")) ? S("assistant") :
	    type;
}

static void
add_part(struct buf *b, struct str text)
{
	if (text.n > 0)
		json_add_fmt(b, ",{'type':'text','content':%.*s}", FMT(text));
}

/* A text, or a list of blocks, of which those that are not text are told by their type. */
static void
add_content(struct buf *b, jnode content)
{
	struct json_iter it = json_each(content);

	if (json_is_string(content))
		add_part(b, json_str(content));
	while (json_is_array(content) && json_next(&it)) {
		jnode text = json_get(it.value, S("text"));

		if (json_is_string(it.value) || json_is_string(text))
			add_part(b, json_str(json_is_string(text) ? text : it.value));
		else
			json_add_fmt(b, ",{'type':%.*s}",
			    FMT(json_str(json_get(it.value, S("type")))));
	}
}

static void
add_calls(struct buf *b, jnode calls)
{
	struct json_iter it = json_each(calls);

	while (json_is_array(calls) && json_next(&it))
		json_add_fmt(b, ",{'type':'tool_call','id':%p,'name':%p,'arguments':%p}",
		    json_get(it.value, S("id")), json_get(it.value, S("name")),
		    json_get(it.value, S("args")));
}

static void
add_message(struct buf *b, struct str json, bool out)
{
	struct json_doc d = { 0 };
	jnode m;

	if (json_parse(&d, json, NULL) != OK)
		return;
	m = d.root;
	json_add_fmt(b, ",{'role':%.*s,'parts':[", FMT(role_of(m)));
	if (str_eq(role_of(m), S("tool"))) {
		json_add_fmt(b, "{'type':'tool_call_response','id':%p,'response':%p}",
		    json_get(m, S("tool_call_id")), json_get(m, S("content")));
	} else {
		add_content(b, json_get(m, S("content")));
		add_calls(b, json_get(m, S("tool_calls")));
	}
	buf_add_char(b, ']');
	if (out)
		json_add_fmt(b, ",'finish_reason':%p", json_get(json_get(m,
		    S("response_metadata")), S("finish_reason")));
	buf_add_char(b, '}');
	json_release(&d);
}

char *
trace_messages_in(const struct llm_request *q)
{
	struct buf b = BUF(2 * (size_t)LIMIT_TRACE_CONTENT_BYTES);
	size_t from = q->messages_n, bytes = 2 * q->system_prompt.n;
	char *s;

	while (from > 0 && bytes + q->messages[from - 1].n < LIMIT_TRACE_CONTENT_BYTES)
		bytes += q->messages[--from].n;
	buf_add_char(&b, '[');
	if (q->system_prompt.n > 0)
		json_add_fmt(&b, "{'role':'system','parts':[{'type':'text','content':%.*s}]}",
		    FMT(str_cut(q->system_prompt, LIMIT_TRACE_CONTENT_BYTES / 4)));
	for (; from < q->messages_n; from++)
		add_message(&b, q->messages[from], false);
	buf_add_char(&b, ']');
	s = b.failed ? NULL : mem_cstr(buf_str(&b));
	buf_release(&b);
	return s;
}

void
trace_message_out(struct buf *b, struct str message_json)
{
	buf_add_char(b, '[');
	add_message(b, message_json, true);
	buf_add_char(b, ']');
	if (b->failed)
		buf_release(b);
}
