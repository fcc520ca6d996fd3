/*
 * gemini_request.c - a conversation as stored messages becomes the body of
 * generateContent.
 *
 * Turns are the user's or the model's and begin with the user's.  The results of all
 * calls of a turn are one turn, in the order of the calls and nothing else in it: as
 * many as there were calls.  A part that came with a signature goes back with it;
 * the first call of a turn that has none (it is another provider's) says that it is
 * not to be checked, as the API asks for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/limits.h"
#include "llm/gemini_priv.h"

#define NO_SIGNATURE "skip_thought_signature_validator"

struct builder {
	struct turns turns;
	struct body *body;
	struct buf *b;
	const struct llm_request *rq;
	bool signs;                          /* the model wants its signatures */
};

/* ---- parts of a user ------------------------------------------------------------ */

static bool
says(jnode block)
{
	if (json_is_string(block))
		return json_str(block).n > 0;
	if (media_is_text(block))
		return text_of(block, S("text")).n > 0;
	return json_is_object(block) && !media_is_private(block);
}

static void
add_text(struct turns *t, struct str text)
{
	json_add_fmt(t->b, ",{'text':%.*s}", FMT(text));
}

/* What has no form here is said as it was written. */
static void
add_part(struct turns *t, jnode block)
{
	struct buf flat = BUF(LIMIT_STATE_BYTES);
	struct media m;

	if (json_is_string(block) || media_is_text(block)) {
		add_text(t, json_is_string(block) ? json_str(block) :
		    text_of(block, S("text")));
		return;
	}
	m = media_plain(block);
	if (m.data.n > 0) {
		json_add_fmt(t->b, ",{'inlineData':{'mimeType':%.*s,'data':%.*s}}",
		    FMT(m.mime.n > 0 ? m.mime : S("application/octet-stream")),
		    FMT(m.data));
	} else if (m.url.n > 0 || m.file_id.n > 0) {
		json_add_fmt(t->b, ",{'fileData':{'fileUri':%.*s",
		    FMT(m.url.n > 0 ? m.url : m.file_id));
		if (m.mime.n > 0)
			json_add_fmt(t->b, ",'mimeType':%.*s", FMT(m.mime));
		buf_lit(t->b, "}}");
	} else {
		json_add_node(&flat, block);
		add_text(t, buf_str(&flat));
		t->b->failed |= flat.failed;
	}
	buf_release(&flat);
}

/* ---- what the model has said ----------------------------------------------------- */

static struct str
signature_in(jnode extra)
{
	return text_of(json_get(extra, S("google")), S("thought_signature"));
}

static void
add_signature(struct builder *w, struct str signature)
{
	if (signature.n > 0)
		json_add_fmt(w->b, ",'thoughtSignature':%.*s", FMT(signature));
}

/* A text of the model, or its signature alone. */
static void
add_said(struct builder *w, jnode block, struct str signature)
{
	struct str text = json_is_string(block) ? json_str(block) :
	    media_is_text(block) ? text_of(block, S("text")) : STR_NONE;

	if (signature.n == 0)
		signature = text_of(json_get(block, S("extras")), S("signature"));
	if (text.n == 0 && signature.n == 0)
		return;
	turns_of(&w->turns, TURN_MODEL);
	json_add_fmt(w->b, ",{'text':%.*s", FMT(text));
	add_signature(w, signature);
	buf_add_char(w->b, '}');
}

/* Ids that we or others made up mean nothing to it. */
static bool
is_its_id(jnode m, struct str id)
{
	return !str_starts(id, S("call_")) && text_is(json_get(m, S("response_metadata")),
	    S("model_provider"), gemini_provider.name);
}

/* As we store it, or as LangChain's clients do. */
static struct str
signature_of(jnode m, const struct dialog_call *c)
{
	struct str s = signature_in(dialog_extra(m, c->call));

	return s.n > 0 ? s : text_of(json_get(json_get(m, S("additional_kwargs")),
	    S("__gemini_function_call_thought_signatures__")), c->id);
}

static void
add_call(struct builder *w, jnode m, const struct dialog_call *c, bool first)
{
	jnode args = json_get(c->call, S("args"));
	struct str signature = signature_of(m, c);

	turns_of(&w->turns, TURN_MODEL);
	json_add_fmt(w->b, ",{'functionCall':{'name':");
	dialog_add_name(w->b, c->name);
	json_add_fmt(w->b, ",'args':");
	if (json_is_object(args))
		json_add_node(w->b, args);
	else
		buf_lit(w->b, "{}");
	if (is_its_id(m, c->id))
		json_add_fmt(w->b, ",'id':%.*s", FMT(c->id));
	buf_add_char(w->b, '}');
	if (signature.n == 0 && first && w->signs)
		signature = S(NO_SIGNATURE);
	add_signature(w, signature);
	buf_add_char(w->b, '}');
}

/* ---- results of tools ------------------------------------------------------------ */

static void
add_result(struct builder *w, jnode m, const struct dialog_call *c)
{
	bool failed = c->answer == NULL || text_is(c->answer, S("status"), S("error"));
	struct buf text = BUF(LIMIT_STATE_BYTES);
	jnode content = json_get(c->answer, S("content"));
	struct json_iter it = json_each(content);

	if (c->answer == NULL)
		buf_lit(&text, DIALOG_INTERRUPTED);
	if (json_is_string(content))
		buf_add(&text, json_str(content));
	while (json_is_array(content) && json_next(&it))
		if (json_is_string(it.value) || media_is_text(it.value))
			media_add_flat(&text, it.value);
	json_add_fmt(w->b, ",{'functionResponse':{'name':");
	dialog_add_name(w->b, c->name);
	if (is_its_id(m, c->id))
		json_add_fmt(w->b, ",'id':%.*s", FMT(c->id));
	json_add_fmt(w->b, ",'response':{%-s:%.*s}}}", failed ? "\"error\"" : "\"result\"",
	    FMT(buf_str(&text)));
	w->b->failed |= text.failed;
	buf_release(&text);
}

/* Pictures of results follow in a turn of their own: beside the results they
 * would be counted as such. */
static void
add_pictures(struct builder *w, jnode answer)
{
	jnode content = json_get(answer, S("content"));
	struct json_iter it = json_each(content);

	while (json_is_array(content) && json_next(&it))
		if (!json_is_string(it.value) && !media_is_text(it.value))
			turns_add_block(&w->turns, it.value);
}

static void
add_results(struct builder *w, size_t i)
{
	struct dialog_iter it = dialog_each(&w->turns.dialog, i, w->turns.next);
	struct dialog_call c;

	turns_of(&w->turns, TURN_USER);
	while (dialog_next(&it, &c))
		add_result(w, it.message, &c);
	turns_close(&w->turns);
	for (it = dialog_each(&w->turns.dialog, i, w->turns.next); dialog_next(&it, &c); )
		if (c.answer != NULL)
			add_pictures(w, c.answer);
}

static void
add_model(struct turns *t, size_t i)
{
	struct builder *w = CONTAINER_OF(t, struct builder, turns);
	jnode m = dialog_message(&t->dialog, i), content = json_get(m, S("content"));
	struct json_iter it = json_each(content);
	struct dialog_iter calls = dialog_each(&t->dialog, i, t->next);
	struct str own = signature_in(json_get(json_get(m, S("additional_kwargs")),
	    S("extra_content")));
	struct dialog_call c;
	bool first = true;

	if (json_is_string(content))
		add_said(w, content, own);
	while (json_is_array(content) && json_next(&it))
		add_said(w, it.value, STR_NONE);
	for (; dialog_next(&calls, &c); first = false)
		add_call(w, m, &c, first);
	if (!first)
		add_results(w, i);
}

/* ---- messages ---------------------------------------------------------------------- */

static const struct turns_form form = {
	.model = "model", .parts = "parts", .says = says, .add_block = add_part,
	.add_text = add_text, .add_model = add_model,
};

static void
add_contents(struct builder *w)
{
	json_add_fmt(w->b, "'contents':[");
	turns_write(&w->turns);
	turns_close(&w->turns);
	buf_add_char(w->b, ']');
}

static void
add_system(struct builder *w)
{
	size_t n = dialog_front(&w->turns.dialog), from = w->b->n, empty;

	json_add_fmt(w->b, ",'systemInstruction':{'parts':[");
	empty = w->b->n;
	if (w->rq->system_prompt.n > 0)
		add_text(&w->turns, w->rq->system_prompt);
	for (size_t i = 0; i < n; i++) {
		struct buf text = BUF(LIMIT_STATE_BYTES);

		turns_add_flat(&text, json_get(dialog_message(&w->turns.dialog, i), S("content")));
		if (text.n > 0)
			add_text(&w->turns, buf_str(&text));
		w->b->failed |= text.failed;
		buf_release(&text);
	}
	if (w->b->n == empty)
		buf_cut(w->b, from);
	else
		buf_lit(w->b, "]}");
}

/* ---- tools, and the rest ------------------------------------------------------------- */

static void
add_tool(struct builder *w, const struct llm_tool_spec *tool)
{
	size_t from;

	json_add_fmt(w->b, ",{'name':%.*s", FMT(tool->name));
	if (tool->description.n > 0)
		json_add_fmt(w->b, ",'description':%.*s", FMT(tool->description));
	from = w->b->n;
	json_add_key(w->b, "parameters");
	if (!gemini_add_schema(w->b, tool->parameters_json))
		buf_cut(w->b, from);         /* it has no parameters */
	buf_add_char(w->b, '}');
}

static void
add_choice(struct builder *w, struct str choice)
{
	if (choice.n == 0 || str_eq(choice, S("auto")))
		return;
	json_add_fmt(w->b, ",'toolConfig':{'functionCallingConfig':{'mode':%s",
	    str_eq(choice, S("none")) ? "NONE" : "ANY");
	if (!str_eq(choice, S("none")) && !str_eq(choice, S("any")))
		json_add_fmt(w->b, ",'allowedFunctionNames':[%.*s]", FMT(choice));
	buf_lit(w->b, "}}");
}

static void
add_tools(struct builder *w, const struct llm_target *t)
{
	const struct llm_request *rq = w->rq;
	struct llm_tool_spec last = wire_output_tool(rq);
	bool output = wire_output_by_tool(rq, t);

	if (rq->tools_n == 0 && !output)
		return;
	json_add_fmt(w->b, ",'tools':[{'functionDeclarations':[");
	for (size_t i = 0; i < rq->tools_n; i++)
		add_tool(w, &rq->tools[i]);
	if (output)
		add_tool(w, &last);
	buf_lit(w->b, "]}]");
	add_choice(w, wire_tool_choice(rq, t));
}

static void
add_config(struct builder *w, const struct llm_target *t)
{
	const struct llm_request *rq = w->rq;
	size_t from = w->b->n, empty, thoughts;

	json_add_fmt(w->b, ",'generationConfig':{");
	empty = w->b->n;
	if (!isnan(rq->temperature)) {
		json_add_key(w->b, "temperature");
		json_add_double(w->b, rq->temperature);
	}
	if (rq->max_tokens > 0)
		json_add_fmt(w->b, ",'maxOutputTokens':%lld", (long long)rq->max_tokens);
	if (rq->output_schema_json.n > 0 && !wire_output_by_tool(rq, t)) {
		json_add_fmt(w->b, ",'responseMimeType':'application/json',"
		    "'responseSchema':");
		if (!gemini_add_schema(w->b, rq->output_schema_json))
			json_add_fmt(w->b, "{'type':'object'}");
	}
	thoughts = w->b->n;
	if ((t->has & LLM_HAS_REASONING) != 0) {
		json_add_fmt(w->b, ",'thinkingConfig':{'includeThoughts':true}");
		body_part(w->body, QUIRK_REASONING, thoughts, "");
	}
	if (w->b->n == empty)
		buf_cut(w->b, from);
	else
		buf_add_char(w->b, '}');
}

/* Since Gemini 3 a call without its signature is refused. */
static bool
wants_signatures(struct str model)
{
	static const struct str before[] = { S("gemini-1"), S("gemini-2"), S("models/gemini-1"),
	    S("models/gemini-2") };

	for (size_t i = 0; i < COUNT(before); i++)
		if (str_starts(model, before[i]))
			return false;
	return true;
}

int
gemini_build(struct body *body, const struct llm_request *rq, const struct llm_target *t,
    struct err *e)
{
	struct builder w = { .turns = { .form = &form, .b = &body->text }, .body = body,
	    .b = &body->text, .rq = rq,
	    .signs = wants_signatures(t->name) };
	int rc = dialog_open(&w.turns.dialog, rq, e);

	if (rc == OK) {
		buf_add_char(w.b, '{');
		add_contents(&w);
		add_system(&w);
		add_tools(&w, t);
		add_config(&w, t);
		buf_add_char(w.b, '}');
	}
	dialog_release(&w.turns.dialog);
	return rc;
}
