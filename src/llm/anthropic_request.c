/*
 * anthropic_request.c - a conversation as stored messages becomes the body of
 * POST /v1/messages.
 *
 * The API wants turns that alternate, beginning with the user's; the results of all
 * calls of a turn at the front of the next one; no text of blanks alone; no blanks
 * at the end of an answer that it is to go on with; ids of certain letters; and in
 * a turn that was thought about, the thoughts with their signatures, unchanged.
 *
 * Long conversations are marked for the API's cache at the end of the tools, of the
 * system prompt and of the last turn, unless a block says cache_control itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/limits.h"
#include "llm/anthropic_priv.h"

#define MARKS_MAX 4                          /* blocks with cache_control */
#define THINK_MIN 1024                       /* tokens to think; the API's least */

struct builder {
	struct turns turns;
	struct anthropic_blocks blocks;
	struct body *body;
	struct buf *b;
	const struct llm_request *rq;
	bool cache;                          /* mark it ourselves */
};

static struct builder *
builder_of(struct turns *t)
{
	return CONTAINER_OF(t, struct builder, turns);
}

/* ---- what the model has said --------------------------------------------------- */

/* Ids of other providers have other letters. */
static void
add_id(struct buf *b, struct str id)
{
	buf_add_char(b, '"');
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '-';

		buf_add_char(b, plain ? c : '_');
	}
	if (id.n == 0)
		buf_lit(b, "call");
	buf_add_char(b, '"');
}

static void
add_call(struct builder *w, const struct dialog_call *c)
{
	jnode args = json_get(c->call, S("args"));

	json_add_fmt(w->b, ",{'type':'tool_use','id':");
	add_id(w->b, c->id);
	json_add_fmt(w->b, ",'name':");
	dialog_add_name(w->b, c->name);
	json_add_fmt(w->b, ",'input':");
	if (json_is_object(args))
		json_add_node(w->b, args);
	else
		buf_lit(w->b, "{}");
	buf_add_char(w->b, '}');
}

static void
add_said(struct builder *w, jnode block, bool last)
{
	if (!anthropic_is_answer(block))
		return;
	turns_of(&w->turns, TURN_MODEL);
	anthropic_add_answer(&w->blocks, block, last);
}

static void add_results(struct builder *w, size_t i);

static void
add_assistant(struct turns *t, size_t i)
{
	struct builder *w = builder_of(t);
	jnode content = json_get(dialog_message(&t->dialog, i), S("content"));
	struct json_iter it = json_each(content);
	struct dialog_iter calls = dialog_each(&t->dialog, i, t->next);
	struct dialog_call c;
	bool last = i + 1 == t->dialog.n, called = false;

	if (json_is_string(content))
		add_said(w, content, last);
	while (json_is_array(content) && json_next(&it))
		add_said(w, it.value, last);
	while (dialog_next(&calls, &c)) {
		turns_of(&w->turns, TURN_MODEL);
		add_call(w, &c);
		called = true;
	}
	if (called)
		add_results(w, i);
}

/* ---- results of tools ---------------------------------------------------------- */

static void
add_result_content(struct builder *w, jnode content)
{
	struct json_iter it = json_each(content);
	bool any = false;

	if (json_is_string(content)) {
		if (json_str(content).n > 0)
			json_add_fmt(w->b, ",'content':%.*s", FMT(json_str(content)));
		return;
	}
	while (json_is_array(content) && json_next(&it)) {
		if (!anthropic_says(it.value))
			continue;
		if (!any)
			json_add_fmt(w->b, ",'content':[");
		any = true;
		anthropic_add_block(&w->blocks, it.value);
	}
	if (any)
		buf_add_char(w->b, ']');
}

static void
add_result(struct builder *w, const struct dialog_call *c)
{
	json_add_fmt(w->b, ",{'type':'tool_result','tool_use_id':");
	add_id(w->b, c->id);
	if (c->answer == NULL)
		json_add_fmt(w->b, ",'content':%s", DIALOG_INTERRUPTED);
	else
		add_result_content(w, json_get(c->answer, S("content")));
	if (c->answer == NULL || text_is(c->answer, S("status"), S("error")))
		json_add_fmt(w->b, ",'is_error':true");
	buf_add_char(w->b, '}');
}

static void
add_results(struct builder *w, size_t i)
{
	struct dialog_iter it = dialog_each(&w->turns.dialog, i, w->turns.next);
	struct dialog_call c;

	turns_of(&w->turns, TURN_USER);
	while (dialog_next(&it, &c))
		add_result(w, &c);
}

/* ---- messages ------------------------------------------------------------------ */

static void
add_block(struct turns *t, jnode block)
{
	anthropic_add_block(&builder_of(t)->blocks, block);
}

static void
add_text(struct turns *t, struct str text)
{
	anthropic_add_text(&builder_of(t)->blocks, text, NULL, NULL);
}

static const struct turns_form form = {
	.model = "assistant", .parts = "content", .says = anthropic_says,
	.add_block = add_block, .add_text = add_text, .add_model = add_assistant,
};

static void
add_messages(struct builder *w)
{
	json_add_fmt(w->b, ",'messages':[");
	turns_write(&w->turns);
	if (w->cache && w->turns.side == TURN_USER && w->b->p[w->b->n - 1] == '}') {
		buf_cut(w->b, w->b->n - 1);
		anthropic_add_mark(w->body);
		buf_add_char(w->b, '}');
	}
	turns_close(&w->turns);
	buf_add_char(w->b, ']');
}

static void
add_system(struct builder *w)
{
	size_t n = dialog_front(&w->turns.dialog), from = w->b->n, empty;

	json_add_fmt(w->b, ",'system':[");
	empty = w->b->n;
	if (str_trim(w->rq->system_prompt).n > 0)
		anthropic_add_text(&w->blocks, w->rq->system_prompt, NULL, NULL);
	for (size_t i = 0; i < n; i++) {
		jnode content = json_get(dialog_message(&w->turns.dialog, i), S("content"));
		struct json_iter it = json_each(content);

		if (json_is_string(content) && anthropic_says(content))
			anthropic_add_block(&w->blocks, content);
		while (json_is_array(content) && json_next(&it))
			if (anthropic_says(it.value))
				anthropic_add_block(&w->blocks, it.value);
	}
	if (w->b->n == empty) {
		buf_cut(w->b, from);
		return;
	}
	if (w->cache) {
		buf_cut(w->b, w->b->n - 1);
		anthropic_add_mark(w->body);
		buf_add_char(w->b, '}');
	}
	buf_add_char(w->b, ']');
}

/* ---- tools, and the rest --------------------------------------------------------- */

static void
add_tool(struct builder *w, const struct llm_tool_spec *tool)
{
	json_add_fmt(w->b, ",{'name':%.*s", FMT(tool->name));
	if (tool->description.n > 0)
		json_add_fmt(w->b, ",'description':%.*s", FMT(tool->description));
	json_add_fmt(w->b, ",'input_schema':%-.*s}", FMT(tool->parameters_json.n > 0 ?
	    tool->parameters_json : S("{\"type\":\"object\",\"properties\":{}}")));
}

static void
add_tools(struct builder *w, bool output)
{
	const struct llm_request *rq = w->rq;
	struct llm_tool_spec last = wire_output_tool(rq);

	if (rq->tools_n == 0 && !output)
		return;
	json_add_fmt(w->b, ",'tools':[");
	for (size_t i = 0; i < rq->tools_n; i++)
		add_tool(w, &rq->tools[i]);
	if (output)
		add_tool(w, &last);
	if (w->cache) {
		buf_cut(w->b, w->b->n - 1);
		anthropic_add_mark(w->body);
		buf_add_char(w->b, '}');
	}
	buf_add_char(w->b, ']');
}

/* "auto" is what the API does without a word. */
static void
add_choice(struct builder *w, struct str choice)
{
	if (choice.n == 0 || str_eq(choice, S("auto")))
		return;
	if (str_eq(choice, S("any")) || str_eq(choice, S("none")))
		json_add_fmt(w->b, ",'tool_choice':{'type':%.*s}", FMT(choice));
	else
		json_add_fmt(w->b, ",'tool_choice':{'type':'tool','name':%.*s}",
		    FMT(choice));
}

/* What models of a family answer with at most, where that is less than we ask. */
static int64_t
most_tokens(struct str model)
{
	static const struct { struct str family; int64_t tokens; } families[] = {
		{ S("claude-3-5-"), 8192 }, { S("claude-3-7-"), 64000 },
		{ S("claude-3-"), 4096 }, { S("claude-2"), 4096 }, { S("claude-instant"), 4096 },
	};

	for (size_t i = 0; i < COUNT(families); i++)
		if (str_starts(model, families[i].family))
			return families[i].tokens;
	return INT64_MAX;
}

/* Calls of the loop under way that were made without a thought: the API wants a loop
 * thought about from its start, or not at all. */
static bool
loop_is_thoughtless(const struct dialog *d)
{
	for (size_t i = d->loop; i < d->n; i++) {
		jnode content = json_get(dialog_message(d, i), S("content"));
		jnode first = json_is_array(content) ? json_at(content, 0) : NULL;

		if (dialog_calls(d, i) > 0 && !text_is(first, S("type"), S("thinking")) &&
		    !text_is(first, S("type"), S("redacted_thinking")))
			return true;
	}
	return false;
}

/* A model that reasons is asked to, with half of its tokens.  Newer ones decide
 * themselves how much, and refuse to be told.  Nothing is forced on it then. */
static bool
add_thinking(struct builder *w, const struct llm_target *t, int64_t max_tokens, bool forced)
{
	size_t from = w->b->n;

	if ((t->has & LLM_HAS_REASONING) == 0 || forced || max_tokens < 2 * THINK_MIN ||
	    loop_is_thoughtless(&w->turns.dialog))
		return false;
	json_add_fmt(w->b, ",'thinking':{'type':'enabled','budget_tokens':%lld}",
	    (long long)(max_tokens / 2));
	body_part(w->body, QUIRK_REASONING, from, ",\"thinking\":{\"type\":\"adaptive\"}");
	return true;
}

static void
add_numbers(struct builder *w, const struct llm_target *t, bool forced)
{
	const struct llm_request *rq = w->rq;
	int64_t most = most_tokens(t->name);
	int64_t tokens = rq->max_tokens > 0 ? rq->max_tokens :
	    most < LIMIT_LLM_ANSWER_TOKENS ? most : LIMIT_LLM_ANSWER_TOKENS;
	size_t from;

	json_add_fmt(w->b, ",'max_tokens':%lld", (long long)tokens);
	if (add_thinking(w, t, tokens, forced) || isnan(rq->temperature))
		return;                      /* who thinks has no temperature */
	from = w->b->n;
	json_add_key(w->b, "temperature");
	json_add_double(w->b, rq->temperature);
	body_part(w->body, QUIRK_TEMPERATURE, from, "");
}

/* Worth a cache: long, and likely to be asked again. */
static bool
wants_cache(const struct builder *w)
{
	const struct llm_request *rq = w->rq;
	size_t bytes = rq->system_prompt.n;
	bool again = rq->tools_n > 0;

	for (size_t i = 0; i < rq->tools_n; i++)
		bytes += rq->tools[i].description.n + rq->tools[i].parameters_json.n;
	for (size_t i = 0; i < rq->messages_n; i++) {
		bytes += rq->messages[i].n;
		again |= dialog_is(&w->turns.dialog, i, S("ai"));
	}
	return again && bytes >= LIMIT_LLM_CACHE_BYTES;
}

static void
plan_marks(struct builder *w)
{
	size_t marks = 0;

	for (size_t i = 0; i < w->turns.dialog.n; i++)
		marks += anthropic_marks(json_get(dialog_message(&w->turns.dialog, i),
		    S("content")));
	w->cache = marks == 0 && wants_cache(w);
	w->blocks.marks_skip = marks > MARKS_MAX ? marks - MARKS_MAX : 0;
}

static void
write_body(struct builder *w, const struct llm_target *t)
{
	const struct llm_request *rq = w->rq;
	bool output = wire_output_by_tool(rq, t);
	struct str choice = wire_tool_choice(rq, t);
	bool forced = choice.n > 0 && !str_eq(choice, S("auto")) &&
	    !str_eq(choice, S("none"));

	json_add_fmt(w->b, "{'model':%.*s,'stream':%hhd", FMT(t->name), rq->stream);
	add_numbers(w, t, forced);
	add_tools(w, output);
	if (rq->tools_n > 0 || output)
		add_choice(w, choice);
	if (rq->output_schema_json.n > 0 && !output)
		json_add_fmt(w->b, ",'output_config':{'format':{'type':'json_schema',"
		    "'schema':%-.*s}}", FMT(rq->output_schema_json));
	add_system(w);
	add_messages(w);
	buf_add_char(w->b, '}');
}

int
anthropic_build(struct body *body, const struct llm_request *rq,
    const struct llm_target *t, struct err *e)
{
	struct builder w = { .turns = { .form = &form, .b = &body->text },
	    .blocks = { .body = body, .b = &body->text }, .body = body,
	    .b = &body->text, .rq = rq };
	int rc = dialog_open(&w.turns.dialog, rq, e);

	if (rc == OK) {
		plan_marks(&w);
		write_body(&w, t);
	}
	dialog_release(&w.turns.dialog);
	return rc;
}
