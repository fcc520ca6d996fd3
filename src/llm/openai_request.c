/*
 * openai_request.c - a conversation as stored messages becomes the body of
 * POST /chat/completions.
 *
 * Strict servers refuse what LangChain's clients let pass, so only this goes
 * out: content is never an empty array; an assistant's and a tool's content
 * is text; a tool message names its call and nothing else; and every call of
 * an assistant message has its answer right behind it.  A call that has none
 * (its run was cancelled) gets one that says so, because otherwise the thread
 * could never speak to a model again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "llm/llm_priv.h"

struct builder {
	struct buf *b;
	struct json_doc *docs;
	size_t n;
	bool any;                            /* a message was written */
};

static bool
text_is(jnode object, struct str key, struct str want)
{
	jnode v = json_get(object, key);

	return json_is_string(v) && str_eq(json_str(v), want);
}

/* The string member, STR_NONE for anything else. */
static struct str
text_of(jnode object, struct str key)
{
	jnode v = json_get(object, key);

	return json_is_string(v) ? json_str(v) : STR_NONE;
}

/* `{"role":"...` and the name, if it has one. */
static void
open_message(struct builder *w, const char *role, jnode m)
{
	struct str name = text_of(m, S("name"));

	if (w->any)
		buf_add_char(w->b, ',');
	w->any = true;
	buf_lit(w->b, "{\"role\":");
	json_add_str(w->b, str_of(role));
	if (name.n > 0) {
		json_add_key(w->b, "name");
		json_add_str(w->b, name);
	}
	json_add_key(w->b, "content");
}

/* ---- content -------------------------------------------------------------- */

/* Content as one text: texts of blocks joined, other blocks as their JSON. */
static void
add_flat(struct builder *w, jnode content, struct str joint)
{
	struct json_iter it = json_each(content);
	bool first = true;

	buf_add_char(w->b, '"');
	if (json_is_string(content))
		json_add_escaped(w->b, json_str(content));
	while (json_is_array(content) && json_next(&it)) {
		struct buf block = BUF(LIMIT_STATE_BYTES);

		if (!first)
			json_add_escaped(w->b, joint);
		first = false;
		if (json_is_string(it.value))
			buf_add(&block, json_str(it.value));
		else if (text_is(it.value, S("type"), S("text")))
			buf_add(&block, text_of(it.value, S("text")));
		else
			json_add_node(&block, it.value);
		json_add_escaped(w->b, buf_str(&block));
		w->b->failed |= block.failed;
		buf_release(&block);
	}
	buf_add_char(w->b, '"');
}

static void
add_block(struct builder *w, jnode block)
{
	struct str text = text_of(block, S("text"));

	if (json_is_string(block))
		text = json_str(block);
	else if (!text_is(block, S("type"), S("text"))) {
		json_add_node(w->b, block);
		return;
	}
	buf_lit(w->b, "{\"type\":\"text\",\"text\":");
	json_add_str(w->b, text);
	buf_add_char(w->b, '}');
}

/* A human's content may hold more than text: images pass as they are. */
static void
add_blocks(struct builder *w, jnode content)
{
	struct json_iter it = json_each(content);
	bool first = true;

	if (!json_is_array(content) || json_count(content) == 0) {
		add_flat(w, content, STR_NONE);
		return;
	}
	while (json_next(&it)) {
		buf_add_char(w->b, first ? '[' : ',');
		first = false;
		add_block(w, it.value);
	}
	buf_add_char(w->b, ']');
}

/* ---- tool calls ----------------------------------------------------------- */

/* Is there an answer to this call in the tool messages right behind i? */
static bool
answered(const struct builder *w, size_t i, struct str id)
{
	while (++i < w->n && text_is(w->docs[i].root, S("type"), S("tool")))
		if (text_is(w->docs[i].root, S("tool_call_id"), id))
			return true;
	return false;
}

static void
add_call(struct builder *w, bool *first, jnode call, struct str args)
{
	buf_add(w->b, *first ? S(",\"tool_calls\":[{\"id\":") : S(",{\"id\":"));
	*first = false;
	json_add_str(w->b, text_of(call, S("id")));
	buf_lit(w->b, ",\"type\":\"function\",\"function\":{\"name\":");
	json_add_str(w->b, text_of(call, S("name")));
	buf_lit(w->b, ",\"arguments\":");
	json_add_str(w->b, args);
	buf_lit(w->b, "}}");
}

/* Invalid calls go along only if somebody answered them. */
static void
add_calls(struct builder *w, size_t i)
{
	jnode m = w->docs[i].root;
	struct json_iter valid = json_each(json_get(m, S("tool_calls")));
	struct json_iter invalid = json_each(json_get(m, S("invalid_tool_calls")));
	bool first = true;

	while (json_next(&valid)) {
		struct buf args = BUF(LIMIT_STATE_BYTES);

		json_add_node(&args, json_get(valid.value, S("args")));
		add_call(w, &first, valid.value, buf_str(&args));
		w->b->failed |= args.failed;
		buf_release(&args);
	}
	while (json_next(&invalid))
		if (answered(w, i, text_of(invalid.value, S("id"))))
			add_call(w, &first, invalid.value,
			    text_of(invalid.value, S("args")));
	if (!first)
		buf_add_char(w->b, ']');
}

/* i is the last tool message behind an assistant's, or that one itself:
 * answers what nobody answered. */
static void
add_missing_answers(struct builder *w, size_t i)
{
	struct json_iter it;
	size_t from = i;

	while (from > 0 && text_is(w->docs[from].root, S("type"), S("tool")))
		from--;
	if (!text_is(w->docs[from].root, S("type"), S("ai")))
		return;
	it = json_each(json_get(w->docs[from].root, S("tool_calls")));
	while (json_next(&it)) {
		struct str id = text_of(it.value, S("id"));

		if (answered(w, from, id))
			continue;
		open_message(w, "tool", NULL);
		buf_lit(w->b, "\"The call was interrupted and has no result.\"");
		json_add_key(w->b, "tool_call_id");
		json_add_str(w->b, id);
		buf_add_char(w->b, '}');
	}
}

/* ---- messages ------------------------------------------------------------- */

static int
add_human(struct builder *w, size_t i, struct err *e)
{
	jnode m = w->docs[i].root;

	(void)e;
	open_message(w, "user", m);
	add_blocks(w, json_get(m, S("content")));
	buf_add_char(w->b, '}');
	return OK;
}

static int
add_system(struct builder *w, size_t i, struct err *e)
{
	jnode m = w->docs[i].root;
	bool developer = text_is(json_get(m, S("additional_kwargs")),
	    S("__openai_role__"), S("developer"));

	(void)e;
	open_message(w, developer ? "developer" : "system", m);
	add_flat(w, json_get(m, S("content")), STR_NONE);
	buf_add_char(w->b, '}');
	return OK;
}

static int
add_ai(struct builder *w, size_t i, struct err *e)
{
	jnode m = w->docs[i].root;

	(void)e;
	open_message(w, "assistant", m);
	add_flat(w, json_get(m, S("content")), STR_NONE);
	add_calls(w, i);
	buf_add_char(w->b, '}');
	return OK;
}

static int
add_tool(struct builder *w, size_t i, struct err *e)
{
	jnode m = w->docs[i].root;

	if (!json_is_string(json_get(m, S("tool_call_id"))))
		return err_set(e, ERR_INVALID,
		    "messages.%zu.tool_call_id: expected a string, got %s", i,
		    json_kind(json_get(m, S("tool_call_id"))));
	open_message(w, "tool", NULL);
	add_flat(w, json_get(m, S("content")), S("\n"));
	json_add_key(w->b, "tool_call_id");
	json_add_str(w->b, text_of(m, S("tool_call_id")));
	buf_add_char(w->b, '}');
	return OK;
}

static int
add_function(struct builder *w, size_t i, struct err *e)
{
	jnode m = w->docs[i].root;

	(void)e;
	open_message(w, "function", m);
	add_flat(w, json_get(m, S("content")), S("\n"));
	buf_add_char(w->b, '}');
	return OK;
}

static const struct {
	struct str type;
	int (*add)(struct builder *w, size_t i, struct err *e);
} kinds[] = {
	{ S("human"), add_human },   { S("ai"), add_ai },
	{ S("system"), add_system }, { S("tool"), add_tool },
	{ S("function"), add_function },
};

static int
add_message(struct builder *w, size_t i, struct err *e)
{
	jnode type = json_get(w->docs[i].root, S("type"));
	bool last = i + 1 == w->n ||
	    !text_is(w->docs[i + 1].root, S("type"), S("tool"));
	int rc;

	for (size_t k = 0; json_is_string(type) && k < COUNT(kinds); k++) {
		if (!str_eq(json_str(type), kinds[k].type))
			continue;
		rc = kinds[k].add(w, i, e);
		if (rc == OK && last)
			add_missing_answers(w, i);
		return rc;
	}
	return err_set(e, ERR_INVALID,
	    "messages.%zu.type: not a kind of message a model can be sent", i);
}

static int
add_messages(struct builder *w, const struct llm_request *rq, struct err *e)
{
	int rc = OK;

	json_add_key(w->b, "messages");
	buf_add_char(w->b, '[');
	if (rq->system_prompt.n > 0) {
		open_message(w, "system", NULL);
		json_add_str(w->b, rq->system_prompt);
		buf_add_char(w->b, '}');
	}
	for (size_t i = 0; i < w->n && rc == OK; i++) {
		struct err why;

		rc = json_parse(&w->docs[i], rq->messages[i], &why);
		if (rc != OK)
			err_set(e, rc, "messages.%zu: %s", i, why.text);
	}
	for (size_t i = 0; i < w->n && rc == OK; i++)
		rc = add_message(w, i, e);
	buf_add_char(w->b, ']');
	return rc;
}

static void
add_tools(struct buf *b, const struct llm_request *rq)
{
	if (rq->tools_n == 0)
		return;
	json_add_key(b, "tools");
	for (size_t i = 0; i < rq->tools_n; i++) {
		buf_add_char(b, i == 0 ? '[' : ',');
		buf_lit(b, "{\"type\":\"function\",\"function\":{\"name\":");
		json_add_str(b, rq->tools[i].name);
		json_add_key(b, "description");
		json_add_str(b, rq->tools[i].description);
		json_add_key(b, "parameters");
		buf_add(b, rq->tools[i].parameters_json);
		buf_lit(b, "}}");
	}
	buf_add_char(b, ']');
}

int
openai_request_build(struct buf *b, const struct llm_request *rq,
    struct str model, struct err *e)
{
	struct builder w = { .b = b, .n = rq->messages_n,
	    .docs = mem_zero((rq->messages_n + 1) * sizeof *w.docs) };
	int rc;

	buf_lit(b, "{\"model\":");
	json_add_str(b, model);
	if (rq->stream)
		buf_lit(b, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
	if (!isnan(rq->temperature)) {
		json_add_key(b, "temperature");
		json_add_double(b, rq->temperature);
	}
	if (rq->max_tokens > 0) {
		json_add_key(b, "max_tokens");
		buf_add_i64(b, rq->max_tokens);
	}
	add_tools(b, rq);
	rc = add_messages(&w, rq, e);
	buf_add_char(b, '}');
	for (size_t i = 0; i < w.n; i++)
		json_release(&w.docs[i]);
	free(w.docs);
	if (rc == OK && b->failed)
		return err_set(e, ERR_LIMIT, "the conversation is too large to send");
	return rc;
}
