/*
 * openai_answer.c - an answer that came in one piece: the same walk as over a
 * chunk, with `message` instead of `delta`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "base/limits.h"
#include "llm/llm_priv.h"

static void
add_inside(struct buf *raw, jnode text)
{
	if (json_is_string(text))
		json_add_escaped(raw, json_str(text));
}

static void
add_content(struct buf *raw, jnode content)
{
	struct json_iter it = json_each(content);

	add_inside(raw, content);
	if (!json_is_array(content))
		return;
	while (json_next(&it)) {
		jnode type = json_get(it.value, S("type"));

		if (json_is_string(type) && str_eq(json_str(type), S("text")))
			add_inside(raw, json_get(it.value, S("text")));
	}
}

static int
add_calls(struct llm_result *r, jnode calls, struct failure *f)
{
	struct json_iter it = json_each(calls);
	int64_t index = 0;

	for (; json_next(&it); index++) {
		jnode function = json_get(it.value, S("function"));
		struct result_call *c = result_call_for(r, index, STR_NONE);

		if (c == NULL) {
			failure_set(f, FAULT_BACKEND, false,
			    "the model asked for more than %d tool calls at once",
			    LIMIT_TOOL_CALLS);
			return ERR_LIMIT;
		}
		add_inside(&c->id_raw, json_get(it.value, S("id")));
		add_inside(&c->name_raw, json_get(function, S("name")));
		add_inside(&c->args_raw, json_get(function, S("arguments")));
	}
	return OK;
}

static void
add_reasoning(struct llm_result *r, jnode message)
{
	jnode text = json_get(message, S("reasoning_content"));

	add_inside(&r->reasoning_raw,
	    text != NULL ? text : json_get(message, S("reasoning")));
	add_inside(&r->refusal_raw, json_get(message, S("refusal")));
}

static int
read_root(struct llm_result *r, jnode root, struct buf *finish_raw,
    struct failure *f)
{
	jnode error = json_get(root, S("error"));
	jnode choice = json_at(json_get(root, S("choices")), 0);
	jnode message = json_get(choice, S("message"));
	jnode usage = json_get(root, S("usage"));

	if (!json_is_null(error)) {
		struct buf text = BUF(LIMIT_LLM_LINE_BYTES);

		json_add_node(&text, error);
		failure_of_object(f, buf_str(&text));
		buf_release(&text);
		return ERR_IO;
	}
	if (!json_is_object(message)) {
		failure_set(f, FAULT_BACKEND, false,
		    "the model's answer has no choices[0].message");
		return ERR_SYNTAX;
	}
	if (json_is_string(json_get(root, S("id"))))
		buf_add(&r->id, json_str(json_get(root, S("id"))));
	result_need_id(r);
	add_content(&r->content_raw, json_get(message, S("content")));
	add_reasoning(r, message);
	add_inside(finish_raw, json_get(choice, S("finish_reason")));
	if (json_is_object(usage))
		json_add_node(&r->usage, usage);
	return add_calls(r, json_get(message, S("tool_calls")), f);
}

int
openai_answer_read(struct llm_result *r, struct str body,
    struct buf *finish_raw, struct failure *f)
{
	struct json_doc d = { 0 };
	struct err e;
	int rc = json_parse(&d, body, &e);

	if (rc == OK)
		rc = read_root(r, d.root, finish_raw, f);
	else
		failure_set(f, FAULT_BACKEND, false,
		    "the model's answer is not JSON: %s", e.text);
	json_release(&d);
	return rc;
}
