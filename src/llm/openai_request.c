/*
 * openai_request.c - a conversation as stored messages becomes the body of
 * POST /chat/completions.
 *
 * Strict servers refuse what LangChain's clients let pass, so only this goes
 * out: content is never an empty array; an assistant's and a tool's content
 * is text; an assistant message says something or calls something; every call
 * has its answer right behind it, in the order of the calls, and nothing else
 * is answered (dialog.c).  Arguments are always a JSON object: chat templates
 * parse them.
 *
 * What only the provider reads goes back where it came from: extra_content
 * always, what was thought while the tool loop lasts that it was thought in.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "llm/wire_priv.h"

struct builder {
	struct body *body;
	struct buf *b;
	struct dialog dialog;
	size_t next;                         /* of the calls not yet written */
};

/* `{"role":"...` and the name, if it has one. */
static void
open_message(struct builder *w, const char *role, struct str name)
{
	json_add_fmt(w->b, ",{'role':%s", role);
	if (name.n > 0)
		json_add_fmt(w->b, ",'name':%.*s", FMT(name));
	json_add_key(w->b, "content");
}

/* ---- tool calls ----------------------------------------------------------- */

/* `,"key":value` that a server may refuse. */
static void
add_own(struct builder *w, enum quirk quirk, const char *key, jnode value)
{
	size_t from = w->b->n;

	if (json_is_null(value))
		return;
	json_add_key(w->b, key);
	json_add_node(w->b, value);
	body_part(w->body, quirk, from, "");
}

static void
add_call(struct builder *w, jnode m, const struct dialog_call *c)
{
	jnode args = json_get(c->call, S("args")), extra = dialog_extra(m, c->call);
	struct buf text = BUF(LIMIT_STATE_BYTES);

	json_add_fmt(w->b, ",{'id':%.*s,'type':'function','function':{'name':", FMT(c->id));
	dialog_add_name(w->b, c->name);
	json_add_fmt(w->b, ",'arguments':");
	if (json_is_object(args))
		json_add_node(&text, args);
	else
		buf_lit(&text, "{}");
	json_add_str(w->b, buf_str(&text));
	w->b->failed |= text.failed;
	buf_release(&text);
	buf_lit(w->b, "}");
	add_own(w, QUIRK_EXTRA, "extra_content", extra);
	buf_lit(w->b, "}");
}

static void
add_calls(struct builder *w, size_t i)
{
	struct dialog_iter it = dialog_each(&w->dialog, i, w->next);
	struct dialog_call c;
	bool first = true;

	for (; dialog_next(&it, &c); first = false) {
		if (first)
			json_add_fmt(w->b, ",'tool_calls':[");
		add_call(w, it.message, &c);
	}
	if (!first)
		buf_add_char(w->b, ']');
}

static void
add_answers(struct builder *w, size_t i)
{
	struct dialog_iter it = dialog_each(&w->dialog, i, w->next);
	struct dialog_call c;

	while (dialog_next(&it, &c)) {
		json_add_fmt(w->b, ",{'role':'tool','name':");
		dialog_add_name(w->b, c.name);
		json_add_fmt(w->b, ",'content':");
		if (c.answer != NULL)
			openai_add_flat(w->b, json_get(c.answer, S("content")), S("\n"));
		else
			buf_lit(w->b, "\"" DIALOG_INTERRUPTED "\"");
		json_add_fmt(w->b, ",'tool_call_id':%.*s}", FMT(c.id));
	}
}

/* ---- messages ------------------------------------------------------------- */

/* Reasoning is sent back within the loop of tool calls that it belongs to: some
 * models want it there, and some refuse it anywhere else. */
static void
add_thoughts(struct builder *w, jnode m)
{
	jnode kwargs = json_get(m, S("additional_kwargs"));
	bool named = text_is(kwargs, S("__openai_reasoning__"), S("reasoning"));

	add_own(w, QUIRK_REASONING, named ? "reasoning" : "reasoning_content",
	    json_get(kwargs, S("reasoning_content")));
	add_own(w, QUIRK_REASONING, "reasoning_details",
	    json_get(kwargs, S("reasoning_details")));
}

static void
add_assistant(struct builder *w, size_t i)
{
	jnode m = dialog_message(&w->dialog, i), content = json_get(m, S("content"));
	size_t from = w->b->n, empty;

	open_message(w, "assistant", text_of(m, S("name")));
	openai_add_flat(w->b, content, STR_NONE);
	empty = w->b->n;
	add_calls(w, i);
	if (w->b->n == empty && openai_flat_empty(content)) {
		buf_cut(w->b, from);         /* it says nothing */
		return;
	}
	if (w->b->n > empty && i > w->dialog.loop)
		add_thoughts(w, m);
	add_own(w, QUIRK_EXTRA, "extra_content", json_get(json_get(m,
	    S("additional_kwargs")), S("extra_content")));
	buf_add_char(w->b, '}');
	add_answers(w, i);
}

/* joint NULL: content as blocks; else as one text. */
static void
add_plain(struct builder *w, jnode m, const char *role, const char *joint)
{
	jnode content = json_get(m, S("content"));

	open_message(w, role, text_of(m, S("name")));
	if (joint == NULL)
		openai_add_blocks(w->b, content);
	else
		openai_add_flat(w->b, content, str_of(joint));
	buf_add_char(w->b, '}');
}

/* Answers are written behind their calls. */
static void
add_message(struct builder *w, size_t i)
{
	jnode m = dialog_message(&w->dialog, i);
	bool developer = text_is(json_get(m, S("additional_kwargs")),
	    S("__openai_role__"), S("developer"));

	if (dialog_is(&w->dialog, i, S("human")))
		add_plain(w, m, "user", NULL);
	else if (dialog_is(&w->dialog, i, S("ai")))
		add_assistant(w, i);
	else if (dialog_is(&w->dialog, i, S("system")))
		add_plain(w, m, developer ? "developer" : "system", "");
	else if (dialog_is(&w->dialog, i, S("function")))
		add_plain(w, m, "function", "\n");
	w->next += dialog_calls(&w->dialog, i);
}

static void
add_messages(struct builder *w, const struct llm_request *rq)
{
	json_add_fmt(w->b, ",'messages':[");
	if (rq->system_prompt.n > 0) {
		open_message(w, "system", STR_NONE);
		json_add_str(w->b, rq->system_prompt);
		buf_add_char(w->b, '}');
	}
	for (size_t i = 0; i < w->dialog.n; i++)
		add_message(w, i);
	buf_add_char(w->b, ']');
}

/* "auto" is what servers do without a word. */
static void
add_choice(struct buf *b, struct str choice)
{
	if (choice.n == 0 || str_eq(choice, S("auto")))
		return;
	json_add_key(b, "tool_choice");
	if (str_eq(choice, S("any")))
		buf_lit(b, "\"required\"");
	else if (str_eq(choice, S("none")))
		buf_lit(b, "\"none\"");
	else
		json_add_fmt(b, "{'type':'function','function':{'name':%.*s}}",
		    FMT(choice));
}

static void
add_tool(struct buf *b, const struct llm_tool_spec *tool)
{
	json_add_fmt(b, ",{'type':'function','function':{'name':%.*s,"
	    "'description':%.*s,'parameters':%-.*s}}", FMT(tool->name),
	    FMT(tool->description), FMT(tool->parameters_json));
}

static void
add_tools(struct body *body, const struct llm_request *rq, const struct llm_target *t)
{
	struct buf *b = &body->text;
	struct llm_tool_spec last = wire_output_tool(rq);
	size_t from = b->n;

	if (rq->tools_n == 0 && !wire_output_by_tool(rq, t))
		return;
	json_add_fmt(b, ",'tools':[");
	for (size_t i = 0; i < rq->tools_n; i++)
		add_tool(b, &rq->tools[i]);
	if (wire_output_by_tool(rq, t))
		add_tool(b, &last);
	buf_add_char(b, ']');
	add_choice(b, wire_tool_choice(rq, t));
	body_part(body, QUIRK_TOOLS, from, "");
}

static void
add_format(struct buf *b, const struct llm_request *rq, const struct llm_target *t)
{
	if (rq->output_schema_json.n > 0 && !wire_output_by_tool(rq, t))
		json_add_fmt(b, ",'response_format':{'type':'json_schema','json_schema':"
		    "{'name':'answer','schema':%-.*s}}", FMT(rq->output_schema_json));
}

/* `stream` is always said: there are servers that stream unless told not to. */
static void
add_stream(struct body *body, bool stream)
{
	size_t from = body->text.n;

	if (!stream) {
		buf_lit(&body->text, ",\"stream\":false");
		return;
	}
	buf_lit(&body->text, ",\"stream\":true");
	body_part(body, QUIRK_STREAM, from, ",\"stream\":false");
	from = body->text.n;
	buf_lit(&body->text, ",\"stream_options\":{\"include_usage\":true}");
	body_part(body, QUIRK_STREAM_OPTIONS | QUIRK_STREAM, from, "");
}

static void
add_numbers(struct body *body, const struct llm_request *rq, struct str model)
{
	static const char *const names[] = { ",\"max_tokens\":",
	    ",\"max_completion_tokens\":" };
	bool other = openai_counts_completion(model);
	size_t from = body->text.n;

	if (!isnan(rq->temperature)) {
		json_add_key(&body->text, "temperature");
		json_add_double(&body->text, rq->temperature);
		body_part(body, QUIRK_TEMPERATURE, from, "");
	}
	if (rq->max_tokens <= 0)
		return;
	from = body->text.n;
	buf_add(&body->text, str_of(names[other]));
	body_part(body, QUIRK_MAX_TOKENS, from, names[!other]);
	buf_add_i64(&body->text, rq->max_tokens);
}

int
openai_build(struct body *body, const struct llm_request *rq,
    const struct llm_target *t, struct err *e)
{
	struct buf *b = &body->text;
	struct builder w = { .body = body, .b = b };
	int rc = dialog_open(&w.dialog, rq, e);

	if (rc == OK) {
		json_add_fmt(b, "{'model':%.*s", FMT(t->name));
		add_stream(body, rq->stream);
		add_numbers(body, rq, t->name);
		add_tools(body, rq, t);
		add_format(b, rq, t);
		add_messages(&w, rq);
		buf_add_char(b, '}');
	}
	dialog_release(&w.dialog);
	return rc;
}
