/*
 * llm_request.c - what a model is sent for what is stored.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <math.h>

#include "base/json.h"
#include "llm/llm_priv.h"

#define MESSAGES_MAX 8

static struct str
built(const char *const *messages, struct buf *b)
{
	static char words[sizeof ((struct err *)0)->text];
	struct str list[MESSAGES_MAX];
	struct llm_request rq = { .temperature = NAN, .messages = list };
	struct err e = { 0 };
	ptrdiff_t at;

	for (; messages[rq.messages_n] != NULL; rq.messages_n++)
		list[rq.messages_n] = str_of(messages[rq.messages_n]);
	*b = BUF(MB);
	if (openai_request_build(b, &rq, S("m"), &e) != OK) {
		snprintf(words, sizeof words, "%s", e.text);
		return str_of(words);
	}
	CHECK_RC(json_check(buf_str(b), NULL), OK);
	CHECK(str_starts(buf_str(b), S("{\"model\":\"m\",\"messages\":[")));
	at = str_index(buf_str(b), '[');
	return str_sub(buf_str(b), (size_t)at, b->n - (size_t)at - 1);
}

#define AI_CALL "{\"content\":\"\",\"additional_kwargs\":{},\"tool_calls\":[{\"name\":" \
    "\"get_weather\",\"args\":{\"city\":\"Paris\"},\"id\":\"call_1\",\"type\":\"tool_call\"}]," \
    "\"invalid_tool_calls\":[{\"name\":\"f\",\"args\":\"{\",\"id\":\"call_2\",\"error\":\"x\"," \
    "\"type\":\"invalid_tool_call\"}],\"id\":\"a1\",\"type\":\"ai\"}"
#define SENT_CALL "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"call_1\"," \
    "\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"arguments\":" \
    "\"{\\\"city\\\":\\\"Paris\\\"}\"}}]}"
#define SENT_LOST "{\"role\":\"tool\",\"content\":\"The call was interrupted and has no " \
    "result.\",\"tool_call_id\":\"call_1\"}"

TEST(request_messages_are_what_strict_servers_take)
{
	static const struct { const char *stored[MESSAGES_MAX], *sent; } rows[] = {
		{ { "{\"content\":\"hi \\\"you\\\"\",\"id\":\"h\",\"type\":\"human\"}" },
		  "[{\"role\":\"user\",\"content\":\"hi \\\"you\\\"\"}]" },
		{ { "{\"content\":\"hi\",\"name\":\"ann\",\"type\":\"human\"}" },
		  "[{\"role\":\"user\",\"name\":\"ann\",\"content\":\"hi\"}]" },
		{ { "{\"content\":[],\"type\":\"human\"}" },
		  "[{\"role\":\"user\",\"content\":\"\"}]" },
		{ { "{\"content\":[\"a\",{\"type\":\"text\",\"text\":\"b\",\"index\":0},"
		    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:x\"}}],\"type\":\"human\"}" },
		  "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
		  "{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"image_url\",\"image_url\":"
		  "{\"url\":\"data:x\"}}]}]" },
		{ { "{\"content\":\"s\",\"type\":\"system\"}",
		    "{\"content\":\"d\",\"additional_kwargs\":{\"__openai_role__\":\"developer\"},"
		    "\"type\":\"system\"}" },
		  "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"developer\",\"content\":\"d\"}]" },
		{ { "{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
		    "\"text\":\"b\"}],\"type\":\"ai\",\"tool_calls\":[]}" },
		  "[{\"role\":\"assistant\",\"content\":\"ab\"}]" },
		{ { "{\"content\":\"r\",\"name\":\"f\",\"type\":\"function\"}" },
		  "[{\"role\":\"function\",\"name\":\"f\",\"content\":\"r\"}]" },
		/* a turn with tools; the name of a tool message stays home */
		{ { "{\"content\":\"w?\",\"type\":\"human\"}", AI_CALL,
		    "{\"status\":\"success\",\"content\":\"Sunny\",\"tool_call_id\":\"call_1\","
		    "\"name\":\"get_weather\",\"type\":\"tool\"}" },
		  "[{\"role\":\"user\",\"content\":\"w?\"}," SENT_CALL
		  ",{\"role\":\"tool\",\"content\":\"Sunny\",\"tool_call_id\":\"call_1\"}]" },
		{ { AI_CALL, "{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"k\":1}],"
		    "\"tool_call_id\":\"call_1\",\"type\":\"tool\"}" },
		  "[" SENT_CALL ",{\"role\":\"tool\",\"content\":\"a\\n{\\\"k\\\":1}\","
		  "\"tool_call_id\":\"call_1\"}]" },
		{ { AI_CALL, "{\"content\":[],\"tool_call_id\":\"call_1\",\"type\":\"tool\"}" },
		  "[" SENT_CALL ",{\"role\":\"tool\",\"content\":\"\",\"tool_call_id\":\"call_1\"}]" },
		/* calls that nobody answered */
		{ { AI_CALL, "{\"content\":\"stop\",\"type\":\"human\"}" },
		  "[" SENT_CALL "," SENT_LOST ",{\"role\":\"user\",\"content\":\"stop\"}]" },
		{ { AI_CALL }, "[" SENT_CALL "," SENT_LOST "]" },
		/* an invalid call that was answered, a valid one that was not */
		{ { AI_CALL, "{\"content\":\"bad\",\"tool_call_id\":\"call_2\",\"type\":\"tool\"}" },
		  "[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"call_1\","
		  "\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"arguments\":"
		  "\"{\\\"city\\\":\\\"Paris\\\"}\"}},{\"id\":\"call_2\",\"type\":\"function\","
		  "\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]},{\"role\":\"tool\","
		  "\"content\":\"bad\",\"tool_call_id\":\"call_2\"}," SENT_LOST "]" },
		{ { "{\"content\":\"x\",\"type\":\"human\"}", "{\"content\":\"x\",\"type\":\"tool\"}" },
		  "messages.1.tool_call_id: expected a string, got nothing" },
		{ { "{\"content\":\"x\",\"type\":\"remove\"}" },
		  "messages.0.type: not a kind of message a model can be sent" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b;

		CHECK_STR(built(rows[i].stored, &b), rows[i].sent);
		buf_release(&b);
	}
}

TEST(request_says_only_what_was_set)
{
	static const struct str message = S("{\"content\":\"hi\",\"type\":\"human\"}");
	static const struct llm_tool_spec tool = {
		S("now"), S("Tells \"now\"."), S("{\"type\":\"object\",\"properties\":{}}") };
	struct llm_request rq = { .temperature = 0.5, .max_tokens = 64,
	    .system_prompt = S("Be brief."), .messages = &message, .messages_n = 1,
	    .tools = &tool, .tools_n = 1, .stream = true };
	struct buf b = BUF(MB);

	CHECK_RC(openai_request_build(&b, &rq, S("gpt-4o"), NULL), OK);
	CHECK_STR(buf_str(&b), "{\"model\":\"gpt-4o\",\"stream\":true,\"stream_options\":"
	    "{\"include_usage\":true},\"temperature\":0.5,\"max_tokens\":64,\"tools\":[{\"type\":"
	    "\"function\",\"function\":{\"name\":\"now\",\"description\":\"Tells \\\"now\\\".\","
	    "\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],\"messages\":[{\"role\":"
	    "\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"hi\"}]}");
	buf_release(&b);
}

TEST(request_too_large_is_refused)
{
	static const struct str message = S("{\"content\":\"0123456789\",\"type\":\"human\"}");
	struct llm_request rq = { .temperature = NAN, .messages = &message, .messages_n = 1 };
	struct buf b = BUF(40);
	struct err e;

	CHECK_RC(openai_request_build(&b, &rq, S("m"), &e), ERR_LIMIT);
	buf_release(&b);
}
