/*
 * llm_request.c - what a model is sent for what is stored.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <math.h>

#include "base/json.h"
#include "base/limits.h"
#include "llm/wire_priv.h"

#define MESSAGES_MAX 8

static int
build(struct body *b, const struct llm_request *rq, const char *model, struct err *e)
{
	const struct llm_target t = { .provider = &openai_provider, .name = str_of(model),
	    .has = LLM_HAS_USUAL };

	return attempt_build(b, rq, &t, e);
}

static struct str
built(const char *const *messages, struct body *body)
{
	struct buf *b = &body->text;
	static char words[sizeof ((struct err *)0)->text];
	struct str list[MESSAGES_MAX];
	struct llm_request rq = { .temperature = NAN, .messages = list };
	struct err e = { 0 };
	ptrdiff_t at;

	for (; messages[rq.messages_n] != NULL; rq.messages_n++)
		list[rq.messages_n] = str_of(messages[rq.messages_n]);
	*body = (struct body){ .text = BUF(MB) };
	if (build(body, &rq, "m", &e) != OK) {
		snprintf(words, sizeof words, "%s", e.text);
		return str_of(words);
	}
	CHECK_RC(json_check(buf_str(b), NULL), OK);
	CHECK(str_starts(buf_str(b), S("{\"model\":\"m\",\"stream\":false,\"messages\":[")));
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
#define SENT_LOST "{\"role\":\"tool\",\"name\":\"get_weather\",\"content\":\"The call was interrupted and has no " \
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
		/* a turn with tools */
		{ { "{\"content\":\"w?\",\"type\":\"human\"}", AI_CALL,
		    "{\"status\":\"success\",\"content\":\"Sunny\",\"tool_call_id\":\"call_1\","
		    "\"name\":\"get_weather\",\"type\":\"tool\"}" },
		  "[{\"role\":\"user\",\"content\":\"w?\"}," SENT_CALL
		  ",{\"role\":\"tool\",\"name\":\"get_weather\",\"content\":\"Sunny\",\"tool_call_id\":\"call_1\"}]" },
		{ { AI_CALL, "{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"k\":1}],"
		    "\"tool_call_id\":\"call_1\",\"type\":\"tool\"}" },
		  "[" SENT_CALL ",{\"role\":\"tool\",\"name\":\"get_weather\",\"content\":\"a\\n{\\\"k\\\":1}\","
		  "\"tool_call_id\":\"call_1\"}]" },
		{ { AI_CALL, "{\"content\":[],\"tool_call_id\":\"call_1\",\"type\":\"tool\"}" },
		  "[" SENT_CALL ",{\"role\":\"tool\",\"name\":\"get_weather\",\"content\":\"\",\"tool_call_id\":\"call_1\"}]" },
		/* calls that nobody answered */
		{ { AI_CALL, "{\"content\":\"stop\",\"type\":\"human\"}" },
		  "[" SENT_CALL "," SENT_LOST ",{\"role\":\"user\",\"content\":\"stop\"}]" },
		{ { AI_CALL }, "[" SENT_CALL "," SENT_LOST "]" },
		/* an invalid call that was answered, a valid one that was not */
		{ { AI_CALL, "{\"content\":\"bad\",\"tool_call_id\":\"call_2\",\"type\":\"tool\"}" },
		  "[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"call_1\","
		  "\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"arguments\":"
		  "\"{\\\"city\\\":\\\"Paris\\\"}\"}},{\"id\":\"call_2\",\"type\":\"function\","
		  "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}," SENT_LOST
		  ",{\"role\":\"tool\",\"name\":\"f\",\"content\":\"bad\",\"tool_call_id\":"
		  "\"call_2\"}]" },
		{ { "{\"content\":\"x\",\"type\":\"human\"}", "{\"content\":\"x\",\"type\":\"tool\"}" },
		  "messages.1.tool_call_id: expected a string, got nothing" },
		{ { "{\"content\":\"x\",\"type\":\"remove\"}" },
		  "messages.0.type: not a kind of message a model can be sent" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct body b;

		CHECK_STR(built(rows[i].stored, &b), rows[i].sent);
		body_release(&b);
	}
}

TEST(request_says_how_tools_are_chosen)
{
	static const struct str message = S("{\"content\":\"hi\",\"type\":\"human\"}");
	static const struct llm_tool_spec tool = { S("now"), S(""), S("{}") };
	static const struct { const char *choice, *sent; } rows[] = {
		{ "", NULL }, { "auto", NULL },
		{ "any", "],\"tool_choice\":\"required\",\"messages\"" },
		{ "none", "],\"tool_choice\":\"none\",\"messages\"" },
		{ "now", "],\"tool_choice\":{\"type\":\"function\",\"function\":"
		  "{\"name\":\"now\"}},\"messages\"" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct llm_request rq = { .temperature = NAN, .messages = &message,
		    .messages_n = 1, .tools = &tool, .tools_n = 1,
		    .tool_choice = str_of(rows[i].choice) };
		struct body b = { .text = BUF(MB) };

		CHECK_RC(build(&b, &rq, "gpt-4o", NULL), OK);
		if (rows[i].sent == NULL)
			CHECK(!str_contains(buf_str(&b.text), S("tool_choice")));
		else
			CHECK(str_contains(buf_str(&b.text), str_of(rows[i].sent)));
		body_release(&b);
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
	struct body b = { .text = BUF(MB) };

	CHECK_RC(build(&b, &rq, "gpt-4o", NULL), OK);
	CHECK_STR(buf_str(&b.text), "{\"model\":\"gpt-4o\",\"stream\":true,\"stream_options\":"
	    "{\"include_usage\":true},\"temperature\":0.5,\"max_tokens\":64,\"tools\":[{\"type\":"
	    "\"function\",\"function\":{\"name\":\"now\",\"description\":\"Tells \\\"now\\\".\","
	    "\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],\"messages\":[{\"role\":"
	    "\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"hi\"}]}");
	body_release(&b);
}

TEST(request_too_large_is_refused)
{
	static const struct str message = S("{\"content\":\"0123456789\",\"type\":\"human\"}");
	struct llm_request rq = { .temperature = NAN, .messages = &message, .messages_n = 1 };
	struct body b = { .text = BUF(40) };
	struct err e;

	CHECK_RC(build(&b, &rq, "m", &e), ERR_LIMIT);
	body_release(&b);
}

/* ---- what a conversation looks like that is not in order ------------------- */

#define CALL(id) "{\"name\":\"f\",\"args\":{},\"id\":\"" id "\",\"type\":\"tool_call\"}"
#define AI(content, calls) "{\"content\":\"" content "\",\"tool_calls\":[" calls "],\"type\":\"ai\"}"
#define TOOL(id, content) "{\"content\":\"" content "\",\"tool_call_id\":\"" id "\",\"type\":\"tool\"}"
#define HUMAN "{\"content\":\"u\",\"type\":\"human\"}"
#define SENT_USER "{\"role\":\"user\",\"content\":\"u\"}"
#define SENT_F(id) "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"
#define SENT_AI(calls) "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[" calls "]}"
#define SENT_TOOL(id, content) "{\"role\":\"tool\",\"name\":\"f\",\"content\":\"" content \
    "\",\"tool_call_id\":\"" id "\"}"
#define NO_RESULT "The call was interrupted and has no result."

TEST(request_repairs_a_history)
{
	static const struct { const char *stored[MESSAGES_MAX], *sent; } rows[] = {
		/* orphans go */
		{ { TOOL("x", "1"), HUMAN, TOOL("y", "2") }, "[" SENT_USER "]" },
		/* late answers move, in the order of the calls; a second one goes */
		{ { AI("", CALL("a") "," CALL("b")), HUMAN, TOOL("b", "2"), TOOL("a", "1"), TOOL("a", "3") },
		  "[" SENT_AI(SENT_F("a") "," SENT_F("b")) "," SENT_TOOL("a", "1") "," SENT_TOOL("b", "2")
		  "," SENT_USER "]" },
		/* an id that is used again: each answer to the nearest open call */
		{ { AI("", CALL("a")), TOOL("a", "1"), AI("", CALL("a")), TOOL("a", "2") },
		  "[" SENT_AI(SENT_F("a")) "," SENT_TOOL("a", "1") "," SENT_AI(SENT_F("a")) ","
		  SENT_TOOL("a", "2") "]" },
		{ { AI("", CALL("a")), AI("", CALL("a")), TOOL("a", "1"), TOOL("a", "2") },
		  "[" SENT_AI(SENT_F("a")) "," SENT_TOOL("a", "2") "," SENT_AI(SENT_F("a")) ","
		  SENT_TOOL("a", "1") "]" },
		/* no answer at all */
		{ { AI("", CALL("a")), HUMAN },
		  "[" SENT_AI(SENT_F("a")) "," SENT_TOOL("a", NO_RESULT) "," SENT_USER "]" },
		/* an assistant that says nothing */
		{ { HUMAN, AI("", "") }, "[" SENT_USER "]" },
		{ { HUMAN, "{\"content\":[{\"type\":\"reasoning\",\"reasoning\":\"x\"},{\"type\":\"text\","
		    "\"text\":\"\"}],\"tool_calls\":[],\"type\":\"ai\"}" }, "[" SENT_USER "]" },
		{ { HUMAN, "{\"content\":\"\",\"tool_calls\":[],\"invalid_tool_calls\":[{\"name\":\"f\","
		    "\"args\":\"{\",\"id\":\"i\"}],\"type\":\"ai\"}", AI("", CALL("a")), TOOL("a", "1") },
		  "[" SENT_USER "," SENT_AI(SENT_F("a")) "," SENT_TOOL("a", "1") "]" },
		/* names that no server would take back */
		{ { "{\"content\":\"\",\"tool_calls\":[{\"name\":\"a b.c\",\"args\":{},\"id\":\"i\"}],"
		    "\"type\":\"ai\"}" },
		  "[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"i\",\"type\":\"function\","
		  "\"function\":{\"name\":\"a_b_c\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"name\":\"a_b_c\","
		  "\"content\":\"" NO_RESULT "\",\"tool_call_id\":\"i\"}]" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct body b;

		CHECK_STR(built(rows[i].stored, &b), rows[i].sent);
		body_release(&b);
	}
}

#define THOUGHT "{\"content\":\"\",\"additional_kwargs\":{\"tool_calls\":[{\"id\":\"a\",\"extra_content\":" \
    "{\"google\":{\"thought_signature\":\"s\"}}}],\"reasoning_content\":\"hm\"," \
    "\"reasoning_details\":[{\"type\":\"x\"}]},\"tool_calls\":[" CALL("a") "],\"type\":\"ai\"}"
#define SENT_EXTRA "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}" \
    ",\"extra_content\":{\"google\":{\"thought_signature\":\"s\"}}}"

TEST(request_gives_the_provider_its_own_back)
{
	static const struct { const char *stored[MESSAGES_MAX], *sent; } rows[] = {
		{ { HUMAN, THOUGHT, TOOL("a", "1") },
		  "[" SENT_USER ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[" SENT_EXTRA "],"
		  "\"reasoning_content\":\"hm\",\"reasoning_details\":[{\"type\":\"x\"}]}," SENT_TOOL("a", "1") "]" },
		/* the turn is over: no thoughts; the signature stays */
		{ { HUMAN, THOUGHT, TOOL("a", "1"), HUMAN },
		  "[" SENT_USER "," SENT_AI(SENT_EXTRA) "," SENT_TOOL("a", "1") "," SENT_USER "]" },
		{ { "{\"content\":\"\",\"additional_kwargs\":{\"reasoning_content\":\"hm\","
		    "\"__openai_reasoning__\":\"reasoning\"},\"tool_calls\":[" CALL("a") "],\"type\":\"ai\"}",
		    HUMAN, "{\"content\":\"\",\"additional_kwargs\":{\"reasoning_content\":\"hm\","
		    "\"__openai_reasoning__\":\"reasoning\"},\"tool_calls\":[" CALL("b") "],\"type\":\"ai\"}" },
		  "[" SENT_AI(SENT_F("a")) "," SENT_TOOL("a", NO_RESULT) "," SENT_USER ",{\"role\":\"assistant\","
		  "\"content\":\"\",\"tool_calls\":[" SENT_F("b") "],\"reasoning\":\"hm\"},"
		  SENT_TOOL("b", NO_RESULT) "]" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct body b;

		CHECK_STR(built(rows[i].stored, &b), rows[i].sent);
		body_release(&b);
	}
}

/* ---- what a server refuses -------------------------------------------------- */

TEST(request_parts_can_go_in_any_order)
{
	static const struct str messages[] = { S(HUMAN), S(THOUGHT) };
	static const struct llm_tool_spec tool = { S("now"), S("d"), S("{}") };
	static const unsigned orders[][4] = {
		{ QUIRK_TOOLS, QUIRK_REASONING, QUIRK_STREAM, QUIRK_TEMPERATURE | QUIRK_MAX_TOKENS },
		{ QUIRK_MAX_TOKENS, QUIRK_TEMPERATURE, QUIRK_STREAM | QUIRK_TOOLS, QUIRK_REASONING },
		{ QUIRK_STREAM_OPTIONS, QUIRK_STREAM, QUIRK_TEMPERATURE | QUIRK_TOOLS,
		  QUIRK_REASONING | QUIRK_MAX_TOKENS },
	};

	for (size_t i = 0; i < COUNT(orders); i++) {
		struct llm_request rq = { .temperature = 0.5, .max_tokens = 64, .messages = messages,
		    .messages_n = 2, .tools = &tool, .tools_n = 1, .stream = true };
		struct body b = { .text = BUF(MB) };

		CHECK_RC(build(&b, &rq, "gpt-4o", NULL), OK);
		for (size_t k = 0; k < 4; k++) {
			CHECK(body_without(&b, orders[i][k]) != 0);
			CHECK_RC(json_check(buf_str(&b.text), NULL), OK);
			CHECK(body_without(&b, orders[i][k]) == 0);
		}
		CHECK_STR(buf_str(&b.text), "{\"model\":\"gpt-4o\",\"stream\":false,"
		    "\"max_completion_tokens\":64,\"messages\":[" SENT_USER "," SENT_AI(SENT_EXTRA) ","
		    SENT_TOOL("a", NO_RESULT) "]}");
		body_release(&b);
	}
}

TEST(refusals_are_read_for_what_they_mean)
{
	static const struct { int status; const char *body; unsigned said; } rows[] = {
		{ 422, "{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"stream_options\"],"
		  "\"msg\":\"Extra inputs are not permitted\"}]}", QUIRK_STREAM_OPTIONS },
		{ 400, "{\"error\":{\"message\":\"registry.ollama.ai/library/gemma:2b does not support tools\"}}",
		  QUIRK_TOOLS },
		{ 400, "{\"object\":\"error\",\"message\":\"\\\"auto\\\" tool choice requires "
		  "--enable-auto-tool-choice and --tool-call-parser to be set\"}", QUIRK_TOOLS },
		{ 500, "{\"error\":{\"code\":500,\"message\":\"tools param requires --jinja flag\"}}", QUIRK_TOOLS },
		{ 500, "{\"code\":500,\"message\":\"Unsupported param: tools\",\"type\":\"server_error\"}",
		  QUIRK_TOOLS },
		{ 404, "{\"error\":{\"message\":\"No endpoints found that support tool use.\"}}", QUIRK_TOOLS },
		{ 400, "{\"error\":{\"message\":\"Function calling is not enabled for models/gemma-3\"}}",
		  QUIRK_TOOLS },
		{ 400, "{\"error\":{\"message\":\"Unsupported parameter: 'max_tokens' is not supported with this "
		  "model. Use 'max_completion_tokens' instead.\"}}", QUIRK_MAX_TOKENS },
		{ 400, "{\"error\":{\"message\":\"Unsupported value: 'temperature' does not support 0.5 with this "
		  "model. Only the default (1) value is supported.\"}}", QUIRK_TEMPERATURE },
		{ 400, "{\"error\":{\"message\":\"'messages.1' : for 'role:assistant' the following must be "
		  "satisfied[('messages.1' : property 'reasoning_content' is unsupported)]\"}}", QUIRK_REASONING },
		{ 400, "{\"error\":{\"message\":\"Unsupported value: 'stream' does not support true with this "
		  "model.\"}}", QUIRK_STREAM },
		/* about something else */
		{ 400, "{\"error\":{\"message\":\"max_tokens is too large: 9. This model supports at most 4\"}}", 0 },
		{ 400, "{\"error\":{\"message\":\"Invalid schema: tools[0].function.strict is not supported\"}}", 0 },
		{ 422, "{\"detail\":[{\"loc\":[\"body\",\"tools\",0,\"function\"],\"msg\":\"Extra inputs are not "
		  "permitted\"}]}", 0 },
		{ 400, "{\"error\":{\"message\":\"An assistant message with 'tool_calls' must be followed by tool "
		  "messages\"}}", 0 },
		{ 400, "{\"error\":{\"message\":\"tools.3.custom.input_schema: unknown keyword\"}}", 0 },
		{ 500, "{\"error\":{\"message\":\"Failed to parse tool call arguments as JSON: unexpected end "
		  "of input (unsupported)\"}}", 0 },
		{ 500, "{\"error\":{\"message\":\"broke while streaming; contact support\"}}", 0 },
		{ 500, "create_chat_completion() got an unexpected keyword argument 'tools'", QUIRK_TOOLS },
		{ 401, "{\"error\":{\"message\":\"tools are not supported\"}}", 0 },
		{ 429, "{\"error\":{\"message\":\"stream_options: not permitted\"}}", 0 },
		{ 400, "", 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_INT(quirks_said(rows[i].status, str_of(rows[i].body)), rows[i].said);
}

TEST(quirks_are_known_by_address_and_model)
{
	CHECK_INT(quirks_known(S("http://a"), S("m")), 0);
	quirks_learn(S("http://a"), S("m"), QUIRK_TOOLS);
	quirks_learn(S("http://a"), S("m"), QUIRK_EXTRA);
	CHECK_INT(quirks_known(S("http://a"), S("m")), QUIRK_TOOLS | QUIRK_EXTRA);
	CHECK_INT(quirks_known(S("http://a"), S("n")), 0);
	CHECK_INT(quirks_known(S("http://b"), S("m")), 0);
	for (int i = 0; i < LIMIT_LLM_QUIRKS; i++) {
		char model[16];

		snprintf(model, sizeof model, "m%d", i);
		quirks_learn(S("http://c"), str_of(model), QUIRK_STREAM);
	}
	CHECK_INT(quirks_known(S("http://a"), S("m")), 0);
	CHECK_INT(quirks_known(S("http://c"), S("m0")), QUIRK_STREAM);
}

TEST(models_that_count_completion_tokens_are_known_by_name)
{
	static const struct { const char *model; bool yes; } rows[] = {
		{ "o1", true }, { "o1-mini", true }, { "o3-2025-04-16", true }, { "o4-mini", true },
		{ "gpt-5", true }, { "gpt-5.1-codex", true }, { "openai/gpt-5-mini", true },
		{ "openrouter/openai/o3", true }, { "gpt-5:free", true },
		{ "gpt-4o", false }, { "o10", false }, { "gpt-50", false }, { "o1x", false }, { "", false },
		{ "solo1", false }, { "gpt-oss-20b", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK(openai_counts_completion(str_of(rows[i].model)) == rows[i].yes);
}
