/*
 * openai_request.c - a conversation as stored messages becomes the body of
 * POST /chat/completions.
 *
 * Strict servers refuse what LangChain's clients let pass, so only this goes
 * out: content is never an empty array; an assistant's and a tool's content
 * is text; an assistant message says something or calls something; every call
 * has its answer right behind it, in the order of the calls, and nothing else
 * is answered.  An answer that stands elsewhere is moved, one to no call is
 * left out, and a call without any (its run was cancelled) gets one that says
 * so, because otherwise the thread could never speak to a model again.
 * Arguments are always a JSON object: chat templates parse them.
 *
 * What only the provider reads goes back where it came from: extra_content
 * always, what was thought while the tool loop lasts that it was thought in.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "llm/llm_priv.h"

#define NO_MESSAGE SIZE_MAX

/* A call that was made, and the message that answers it. */
struct asked {
	struct str id;
	size_t answer;                       /* NO_MESSAGE: none */
	struct asked *before;                /* an older one of the same id */
};

struct builder {
	struct openai_body *body;
	struct buf *b;
	struct json_doc *docs;
	size_t n;
	size_t loop;                         /* where the last turn of a user is */
	struct asked *asked;                 /* all calls, in order */
	size_t asked_n, asked_cap, next;     /* next: of those not yet written */
};

static bool
type_is(const struct builder *w, size_t i, struct str type)
{
	return text_is(w->docs[i].root, S("type"), type);
}

/* `{"role":"...` and the name, if it has one. */
static void
open_message(struct builder *w, const char *role, struct str name)
{
	json_add_fmt(w->b, ",{'role':%s", role);
	if (name.n > 0)
		json_add_fmt(w->b, ",'name':%.*s", FMT(name));
	json_add_key(w->b, "content");
}

/* ---- which answer belongs to which call ----------------------------------- */

static uint64_t
asked_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
asked_eq(const void *value, const void *key)
{
	return str_eq(((const struct asked *)value)->id, *(const struct str *)key);
}

static const void *
asked_key(const void *value)
{
	return &((const struct asked *)value)->id;
}

static void
list_calls(struct builder *w, jnode calls)
{
	struct json_iter it = json_each(calls);

	while (json_next(&it)) {
		mem_grow(w->asked, w->asked_n, w->asked_cap);
		w->asked[w->asked_n++] = (struct asked){
			.id = text_of(it.value, S("id")), .answer = NO_MESSAGE };
	}
}

/* The nearest call before the answer that is still open: models use an id
 * again in a later step. */
static void
pair(struct builder *w)
{
	struct map open;
	size_t at = 0;

	map_init(&open, asked_hash, asked_eq, asked_key);
	for (size_t i = 0; i < w->n; i++) {
		jnode m = w->docs[i].root;
		size_t n = 0;

		if (type_is(w, i, S("ai")))
			n = json_count(json_get(m, S("tool_calls"))) +
			    json_count(json_get(m, S("invalid_tool_calls")));
		for (; n > 0; n--, at++)
			w->asked[at].before = map_put(&open, &w->asked[at]);
		if (type_is(w, i, S("tool"))) {
			struct str id = text_of(m, S("tool_call_id"));
			struct asked *a = map_take(&open, &id);

			if (a == NULL)
				continue;
			a->answer = i;
			if (a->before != NULL)
				map_put(&open, a->before);
		}
	}
	map_release(&open);
}

static void
pair_answers(struct builder *w)
{
	for (size_t i = 0; i < w->n; i++) {
		if (type_is(w, i, S("human")))
			w->loop = i;
		if (!type_is(w, i, S("ai")))
			continue;
		list_calls(w, json_get(w->docs[i].root, S("tool_calls")));
		list_calls(w, json_get(w->docs[i].root, S("invalid_tool_calls")));
	}
	pair(w);
}

/* ---- tool calls ----------------------------------------------------------- */

/* A call with a name that servers refuse must not make the rest of the thread
 * impossible. */
static void
add_name(struct buf *b, struct str name)
{
	name = str_sub(name, 0, 64);
	buf_add_char(b, '"');
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '-';

		buf_add_char(b, plain ? c : '_');
	}
	if (name.n == 0)
		buf_lit(b, "unknown");
	buf_add_char(b, '"');
}

/* As the call has it, or the model's own call beside it. */
static jnode
extra_of(jnode m, jnode call)
{
	jnode extra = json_get(call, S("extra_content"));
	struct json_iter it = json_each(json_get(json_get(m, S("additional_kwargs")),
	    S("tool_calls")));

	while (!json_is_object(extra) && json_next(&it))
		if (text_is(it.value, S("id"), text_of(call, S("id"))))
			extra = json_get(it.value, S("extra_content"));
	return json_is_object(extra) ? extra : NULL;
}

/* `,"key":value` that a server may refuse. */
static void
add_own(struct builder *w, enum quirk quirk, const char *key, jnode value)
{
	size_t from = w->b->n;

	if (json_is_null(value))
		return;
	json_add_key(w->b, key);
	json_add_node(w->b, value);
	openai_body_part(w->body, quirk, from, "");
}

static void
add_call(struct builder *w, bool *first, jnode m, jnode call)
{
	jnode args = json_get(call, S("args"));
	struct str id = text_of(call, S("id"));
	struct buf text = BUF(LIMIT_STATE_BYTES);

	if (*first)
		json_add_fmt(w->b, ",'tool_calls':[");
	*first = false;
	json_add_fmt(w->b, ",{'id':%.*s,'type':'function','function':{'name':",
	    FMT(id));
	add_name(w->b, text_of(call, S("name")));
	json_add_fmt(w->b, ",'arguments':");
	if (json_is_object(args))
		json_add_node(&text, args);
	else
		buf_lit(&text, "{}");
	json_add_str(w->b, buf_str(&text));
	w->b->failed |= text.failed;
	buf_release(&text);
	buf_lit(w->b, "}");
	add_own(w, QUIRK_EXTRA, "extra_content", extra_of(m, call));
	buf_lit(w->b, "}");
}

/* Invalid calls go along only if somebody answered them. */
static void
add_calls(struct builder *w, jnode m)
{
	struct json_iter valid = json_each(json_get(m, S("tool_calls")));
	struct json_iter invalid = json_each(json_get(m, S("invalid_tool_calls")));
	size_t at = w->next;
	bool first = true;

	for (; json_next(&valid); at++)
		add_call(w, &first, m, valid.value);
	for (; json_next(&invalid); at++)
		if (w->asked[at].answer != NO_MESSAGE)
			add_call(w, &first, m, invalid.value);
	if (!first)
		buf_add_char(w->b, ']');
}

static void
add_answer(struct builder *w, const struct asked *a, struct str name)
{
	jnode m = a->answer != NO_MESSAGE ? w->docs[a->answer].root : NULL;

	json_add_fmt(w->b, ",{'role':'tool','name':");
	add_name(w->b, name);
	json_add_fmt(w->b, ",'content':");
	if (m != NULL)
		openai_add_flat(w->b, json_get(m, S("content")), S("\n"));
	else
		buf_lit(w->b, "\"The call was interrupted and has no result.\"");
	json_add_fmt(w->b, ",'tool_call_id':%.*s}", FMT(a->id));
}

static void
add_answers(struct builder *w, jnode m)
{
	struct json_iter valid = json_each(json_get(m, S("tool_calls")));
	struct json_iter invalid = json_each(json_get(m, S("invalid_tool_calls")));

	size_t at = w->next;

	for (; json_next(&valid); at++)
		add_answer(w, &w->asked[at], text_of(valid.value, S("name")));
	for (; json_next(&invalid); at++)
		if (w->asked[at].answer != NO_MESSAGE)
			add_answer(w, &w->asked[at],
			    text_of(invalid.value, S("name")));
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
	jnode m = w->docs[i].root, content = json_get(m, S("content"));
	size_t from = w->b->n, empty;

	open_message(w, "assistant", text_of(m, S("name")));
	openai_add_flat(w->b, content, STR_NONE);
	empty = w->b->n;
	add_calls(w, m);
	if (w->b->n == empty && openai_flat_empty(content)) {
		buf_cut(w->b, from);         /* it says nothing */
		return;
	}
	if (w->b->n > empty && i > w->loop)
		add_thoughts(w, m);
	add_own(w, QUIRK_EXTRA, "extra_content", json_get(json_get(m,
	    S("additional_kwargs")), S("extra_content")));
	buf_add_char(w->b, '}');
	add_answers(w, m);
}

static void
add_ai(struct builder *w, size_t i)
{
	jnode m = w->docs[i].root;

	add_assistant(w, i);
	w->next += json_count(json_get(m, S("tool_calls"))) +
	    json_count(json_get(m, S("invalid_tool_calls")));
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

static int
add_message(struct builder *w, size_t i, struct err *e)
{
	jnode m = w->docs[i].root, id = json_get(m, S("tool_call_id"));
	bool developer = text_is(json_get(m, S("additional_kwargs")),
	    S("__openai_role__"), S("developer"));

	if (type_is(w, i, S("human")))
		add_plain(w, m, "user", NULL);
	else if (type_is(w, i, S("ai")))
		add_ai(w, i);
	else if (type_is(w, i, S("system")))
		add_plain(w, m, developer ? "developer" : "system", "");
	else if (type_is(w, i, S("function")))
		add_plain(w, m, "function", "\n");
	else if (!type_is(w, i, S("tool")))
		return err_set(e, ERR_INVALID,
		    "messages.%zu.type: not a kind of message a model can be sent", i);
	else if (!json_is_string(id))    /* answers were written behind their calls */
		return err_set(e, ERR_INVALID, "messages.%zu.tool_call_id: expected a "
		    "string, got %s", i, json_kind(id));
	return OK;
}

static int
add_messages(struct builder *w, const struct llm_request *rq, struct err *e)
{
	int rc = OK;

	json_add_fmt(w->b, ",'messages':[");
	if (rq->system_prompt.n > 0) {
		open_message(w, "system", STR_NONE);
		json_add_str(w->b, rq->system_prompt);
		buf_add_char(w->b, '}');
	}
	for (size_t i = 0; i < w->n && rc == OK; i++) {
		struct err why;

		rc = json_parse(&w->docs[i], rq->messages[i], &why);
		if (rc != OK)
			err_set(e, rc, "messages.%zu: %s", i, why.text);
	}
	if (rc == OK)
		pair_answers(w);
	for (size_t i = 0; i < w->n && rc == OK; i++)
		rc = add_message(w, i, e);
	buf_add_char(w->b, ']');
	return rc;
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
add_tools(struct openai_body *body, const struct llm_request *rq)
{
	struct buf *b = &body->text;
	size_t from = b->n;

	if (rq->tools_n == 0)
		return;
	json_add_key(b, "tools");
	for (size_t i = 0; i < rq->tools_n; i++) {
		buf_add_char(b, i == 0 ? '[' : ',');
		json_add_fmt(b, "{'type':'function','function':{'name':%.*s,"
		    "'description':%.*s,'parameters':%-.*s}}", FMT(rq->tools[i].name),
		    FMT(rq->tools[i].description), FMT(rq->tools[i].parameters_json));
	}
	buf_add_char(b, ']');
	add_choice(b, rq->tool_choice);
	openai_body_part(body, QUIRK_TOOLS, from, "");
}

/* `stream` is always said: there are servers that stream unless told not to. */
static void
add_stream(struct openai_body *body, bool stream)
{
	size_t from = body->text.n;

	if (!stream) {
		buf_lit(&body->text, ",\"stream\":false");
		return;
	}
	buf_lit(&body->text, ",\"stream\":true");
	openai_body_part(body, QUIRK_STREAM, from, ",\"stream\":false");
	from = body->text.n;
	buf_lit(&body->text, ",\"stream_options\":{\"include_usage\":true}");
	openai_body_part(body, QUIRK_STREAM_OPTIONS | QUIRK_STREAM, from, "");
}

static void
add_numbers(struct openai_body *body, const struct llm_request *rq, struct str model)
{
	static const char *const names[] = { ",\"max_tokens\":",
	    ",\"max_completion_tokens\":" };
	bool other = openai_counts_completion(model);
	size_t from = body->text.n;

	if (!isnan(rq->temperature)) {
		json_add_key(&body->text, "temperature");
		json_add_double(&body->text, rq->temperature);
		openai_body_part(body, QUIRK_TEMPERATURE, from, "");
	}
	if (rq->max_tokens <= 0)
		return;
	from = body->text.n;
	buf_add(&body->text, str_of(names[other]));
	openai_body_part(body, QUIRK_MAX_TOKENS, from, names[!other]);
	buf_add_i64(&body->text, rq->max_tokens);
}

int
openai_request_build(struct openai_body *body, const struct llm_request *rq,
    struct str model, struct err *e)
{
	struct buf *b = &body->text;
	struct builder w = { .body = body, .b = b, .n = rq->messages_n,
	    .docs = mem_zero((rq->messages_n + 1) * sizeof *w.docs) };
	int rc;

	json_add_fmt(b, "{'model':%.*s", FMT(model));
	add_stream(body, rq->stream);
	add_numbers(body, rq, model);
	add_tools(body, rq);
	rc = add_messages(&w, rq, e);
	buf_add_char(b, '}');
	for (size_t i = 0; i < w.n; i++)
		json_release(&w.docs[i]);
	free(w.docs);
	free(w.asked);
	if (rc == OK && b->failed)
		return err_set(e, ERR_LIMIT, "the conversation is too large to send");
	return rc;
}
