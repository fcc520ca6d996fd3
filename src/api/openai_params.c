/*
 * openai_params.c - what becomes of each parameter of OpenAI's requests.
 *
 * A parameter that cannot change the answer is ignored.  One that would change it, but
 * that an agent cannot follow, is refused unless it asks for what happens anyway.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/openai.h"

#include <stdio.h>

#define METADATA_PAIRS 16                    /* as OpenAI's */
#define CHAT OPENAI_CHAT
#define RESPONSES OPENAI_RESPONSES
#define BOTH (OPENAI_CHAT | OPENAI_RESPONSES)

static const struct param {
	const char *name;
	unsigned in;
	/* "": it is read.  NULL: it is ignored.  Else the JSON values that may be sent,
	 * with | between. */
	const char *only;
	const char *note;
} params[] = {
	{ "model", BOTH, "", "an assistant: its id, its graph's id, or its name" },
	{ "messages", CHAT, "", "the channel `messages`" },
	{ "input", RESPONSES, "", "the channel `messages`" },
	{ "instructions", RESPONSES, "", "`configurable.system_prompt`, of this response" },
	{ "stream", BOTH, "", "server-sent events" },
	{ "stream_options", BOTH, "", "`include_usage`; `include_obfuscation` is ignored" },
	{ "temperature", BOTH, "", "`configurable.temperature`" },
	{ "max_tokens", CHAT, "", "`configurable.max_tokens`, of each call of a model" },
	{ "max_completion_tokens", CHAT, "", "the same" },
	{ "max_output_tokens", RESPONSES, "", "the same" },
	{ "metadata", BOTH, "", "the run's; `thread_id` of a chat completion: its thread" },
	{ "previous_response_id", RESPONSES, "", "continues after that response" },
	{ "conversation", RESPONSES, "", "a thread" },
	{ "background", RESPONSES, "", "a run in the background" },
	{ "store", RESPONSES, "", "false: a run without a thread, of which nothing is kept" },
	{ "store", CHAT, "false", "a chat completion is not stored" },
	{ "n", CHAT, "1", "the agent answers once" },
	{ "tools", BOTH, "[]", "tools belong to the agent" },
	{ "functions", CHAT, "[]", "tools belong to the agent" },
	{ "tool_choice", BOTH, "\"auto\"|\"none\"", "tools belong to the agent" },
	{ "function_call", CHAT, "\"auto\"|\"none\"", "tools belong to the agent" },
	{ "parallel_tool_calls", BOTH, "true", "tools belong to the agent" },
	{ "max_tool_calls", RESPONSES, "null", "tools belong to the agent" },
	{ "response_format", CHAT, "{\"type\":\"text\"}", "the agent's file gives a schema" },
	{ "text", RESPONSES, "{}|{\"format\":{\"type\":\"text\"}}|{\"verbosity\":\"medium\"}|"
	  "{\"format\":{\"type\":\"text\"},\"verbosity\":\"medium\"}",
	  "the agent's file gives a schema" },
	{ "verbosity", CHAT, "\"medium\"", "the agent's file says how it answers" },
	{ "reasoning_effort", CHAT, "null", "the agent's file says how its models reason" },
	{ "reasoning", RESPONSES, "{}", "the agent's file says how its models reason" },
	{ "include", RESPONSES, "[]", "a response holds what the agent says" },
	{ "truncation", RESPONSES, "\"disabled\"", "the agent's file says what it keeps" },
	{ "prompt", RESPONSES, "null", "templates of prompts belong to the agent" },
	{ "modalities", CHAT, "[\"text\"]", "the agent answers with text" },
	{ "audio", CHAT, "null", "the agent answers with text" },
	{ "logprobs", CHAT, "false", "several models may have answered" },
	{ "top_logprobs", BOTH, "0", "several models may have answered" },
	{ "logit_bias", CHAT, "{}", "not a setting of a run" },
	{ "top_p", BOTH, "1", "not a setting of a run" },
	{ "frequency_penalty", CHAT, "0", "not a setting of a run" },
	{ "presence_penalty", CHAT, "0", "not a setting of a run" },
	{ "stop", CHAT, "[]", "not a setting of a run" },
	{ "web_search_options", CHAT, "null", "tools belong to the agent" },
	{ "seed", CHAT, NULL, "no model promises to follow it" },
	{ "prediction", CHAT, NULL, "of speed only" },
	{ "service_tier", BOTH, NULL, "of speed only" },
	{ "prompt_cache_key", BOTH, NULL, "of speed only" },
	{ "prompt_cache_retention", BOTH, NULL, "of speed only" },
	{ "user", BOTH, NULL, "who asks is known by the key" },
	{ "safety_identifier", BOTH, NULL, "who asks is known by the key" },
};

/* ---- checking --------------------------------------------------------------------- */

static const struct param *
find(struct str name, unsigned where)
{
	for (size_t i = 0; i < COUNT(params); i++)
		if ((params[i].in & where) != 0 && str_eq(name, str_of(params[i].name)))
			return &params[i];
	return NULL;
}

static void
refuse_unknown(struct call *c, struct str name, unsigned where)
{
	struct str_near near = { .word = param_shown(name) };
	char place[80];

	for (size_t i = 0; i < COUNT(params); i++)
		if ((params[i].in & where) != 0)
			str_near_try(&near, params[i].name);
	snprintf(place, sizeof place, "%.*s", FMT(near.word));
	fields_fail(c->in, place, ERR_INVALID, "not known here%s%s",
	    near.best != NULL ? "; did you mean " : "", near.best != NULL ? near.best : "");
}

/* Is n equal to one of the values?  The order of members and the form of numbers do not
 * matter. */
static bool
is_one_of(jnode n, const char *values)
{
	struct str rest = str_of(values), value;
	struct json_doc d;
	bool yes = false;

	while (!yes && str_next(&rest, '|', &value)) {
		yes = json_parse(&d, value, NULL) == OK &&
		    json_contains(n, d.root, NULL) && json_contains(d.root, n, NULL);
		json_release(&d);
	}
	return yes;
}

void
openai_check(struct call *c, unsigned where)
{
	struct json_iter it = json_each(c->in->node);

	while (c->in->rc == OK && json_next(&it)) {
		const struct param *p = find(json_str(it.key), where);

		if (p == NULL)
			refuse_unknown(c, json_str(it.key), where);
		else if (p->only != NULL && p->only[0] != '\0' && !json_is_null(it.value) &&
		    !is_one_of(it.value, p->only))
			fields_fail(c->in, p->name, ERR_INVALID, "not supported (%s); leave "
			    "it out or send %s", p->note, p->only);
	}
}

/* ---- reading ---------------------------------------------------------------------- */

static void
read_pair(struct call *c, struct str key, jnode value, struct uuid *thread_id,
    struct buf *b)
{
	char place[96];

	snprintf(place, sizeof place, "metadata.%.*s", FMT(param_shown(key)));
	if (!json_is_string(value)) {
		fields_fail(c->in, place, ERR_INVALID, "expected a string, got %s",
		    json_kind(value));
	} else if (thread_id != NULL && str_eq(key, S("thread_id"))) {
		if (!uuid_parse(json_str(value), thread_id))
			fields_fail(c->in, place, ERR_INVALID, "expected a thread's id, a "
			    "UUID, got \"%.*s\"", FMT(param_shown(json_str(value))));
	} else {
		json_add_comma(b);
		json_add_str(b, key);
		json_add_fmt(b, ":%.*s", FMT(json_str(value)));
	}
}

struct str
openai_metadata(struct call *c, struct uuid *thread_id)
{
	struct buf b = BUF(LIMIT_METADATA_BYTES);
	struct fields object;
	struct json_iter it;
	struct str text;

	buf_add_char(&b, '{');
	if (fields_object(c->in, "metadata", &object)) {
		it = json_each(object.node);
		if (json_count(object.node) > METADATA_PAIRS)
			fields_fail(c->in, "metadata", ERR_INVALID, "expected at most %d "
			    "members, got %zu", METADATA_PAIRS, json_count(object.node));
		while (c->in->rc == OK && json_next(&it))
			read_pair(c, json_str(it.key), it.value, thread_id, &b);
	}
	buf_add_char(&b, '}');
	if (b.failed)
		fields_fail(c->in, "metadata", ERR_INVALID, "larger than %d bytes",
		    LIMIT_METADATA_BYTES);
	text = arena_str(&c->r->arena, buf_str(&b));
	buf_release(&b);
	return text;
}

static void
add_number(struct call *c, struct buf *b, const char *from, const char *to)
{
	jnode n = fields_any(c->in, from);

	if (json_is_null(n))
		return;
	if (!json_is_number(n))
		fields_fail(c->in, from, ERR_INVALID, "expected a number, got %s",
		    json_kind(n));
	json_add_key(b, to);
	json_add_node(b, n);
}

void
openai_add_config(struct call *c, struct buf *b, const char *const *max_tokens,
    const char *instructions)
{
	struct str text = STR_NONE;
	bool first = true;

	json_add_fmt(b, "{'configurable':{");
	add_number(c, b, "temperature", "temperature");
	for (; *max_tokens != NULL; max_tokens++) {
		if (json_is_null(fields_any(c->in, *max_tokens)))
			continue;
		if (!first)
			fields_fail(c->in, *max_tokens, ERR_INVALID, "there is another "
			    "limit of tokens; send one");
		else
			add_number(c, b, *max_tokens, "max_tokens");
		first = false;
	}
	if (instructions != NULL)
		fields_str(c->in, instructions, LIMIT_METADATA_BYTES, &text);
	if (text.n > 0) {
		json_add_key(b, "system_prompt");
		json_add_str(b, text);
	}
	buf_lit(b, "}}");
}

/* ---- for the documentation ------------------------------------------------------ */

void
api_add_openai_markdown(struct buf *b)
{
	buf_lit(b, "| parameter | chat completions | responses | what happens |\n"
	    "|---|---|---|---|\n");
	for (size_t i = 0; i < COUNT(params); i++) {
		const struct param *p = &params[i];
		struct str rest = str_of(p->only), value;

		buf_add_fmt(b, "| `%s` | %s | %s | ", p->name, p->in & CHAT ? "yes" : "",
		    p->in & RESPONSES ? "yes" : "");
		if (p->only == NULL)
			buf_add_fmt(b, "ignored: %s |\n", p->note);
		else if (p->only[0] == '\0')
			buf_add_fmt(b, "%s |\n", p->note);
		else {
			buf_lit(b, "refused with 422 unless");
			for (bool more = false; str_next(&rest, '|', &value); more = true)
				buf_add_fmt(b, "%s `%.*s`", more ? " or" : "", FMT(value));
			buf_add_fmt(b, ": %s |\n", p->note);
		}
	}
}
