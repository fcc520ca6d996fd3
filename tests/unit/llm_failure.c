/*
 * llm_failure.c - a model's errors: which event, which words, whether and
 * when to try again, and that the key is never among the words.  Also answers
 * that come in one piece.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/limits.h"
#include "llm/wire_priv.h"

#define ERROR(message, more) "{\"error\":{\"message\":\"" message "\"" more "}}"

TEST(failure_status_and_body_become_event_and_words)
{
	static const struct {
		int status;
		const char *body, *event, *words;
		bool transient;
	} rows[] = {
		{ 500, ERROR("mock boom", ""), "error.llm.backend", "500 mock boom", true },
		{ 400, ERROR("mock bad request", ",\"type\":\"invalid_request_error\",\"param\":"
		    "\"messages\",\"code\":\"bad\""), "error.llm.invalid_request",
		  "400 mock bad request", false },
		{ 401, ERROR("no", ",\"type\":\"invalid_request_error\",\"code\":\"invalid_api_key\""),
		  "error.llm.auth", "401 no", false },
		{ 403, "", "error.llm.auth", "403 Forbidden", false },
		{ 404, ERROR("no such model", ",\"type\":\"invalid_request_error\""),
		  "error.llm.invalid_request", "404 no such model", false },
		{ 408, "", "error.llm.timeout", "408 Request Timeout", true },
		{ 409, "", "error.llm.backend", "409 Conflict", true },
		{ 429, ERROR("slow down", ",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\""),
		  "error.llm.rate_limited", "429 slow down", true },
		{ 429, ERROR("pay", ",\"code\":\"insufficient_quota\""),
		  "error.llm.rate_limited", "429 pay", false },
		{ 429, ERROR("x", ",\"type\":\"invalid_request_error\""),
		  "error.llm.rate_limited", "429 x", true },
		{ 503, "upstream is busy\nsecond line", "error.llm.overloaded",
		  "503 upstream is busy", true },
		{ 529, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":"
		  "\"Overloaded\"}}", "error.llm.overloaded", "529 Overloaded", true },
		{ 502, "<html>nginx</html>", "error.llm.backend", "502 Bad Gateway", true },
		{ 504, "", "error.llm.timeout", "504 Gateway Timeout", true },
		{ 400, ERROR("x", ",\"code\":\"context_length_exceeded\""),
		  "error.llm.context_length", "400 x", false },
		{ 400, ERROR("This model's maximum context length is 8 tokens", ""),
		  "error.llm.context_length",
		  "400 This model's maximum context length is 8 tokens", false },
		{ 422, "{\"detail\":\"wrong\"}", "error.llm.invalid_request", "422 wrong", false },
		{ 500, "{\"error\":\"plain\"}", "error.llm.backend", "500 plain", true },
		{ 500, "{\"message\":\"flat\"}", "error.llm.backend", "500 flat", true },
		{ 500, "{\"error\":{\"message\":{}}}", "error.llm.backend",
		  "500 Internal Server Error", true },
		{ 301, "", "error.llm.backend", "301 Moved Permanently", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct failure f;

		failure_of_status(&f, rows[i].status, str_of(rows[i].body));
		CHECK_STR(str_of(failure_event(f.kind)), rows[i].event);
		CHECK_STR(str_of(f.e.text), rows[i].words);
		CHECK(f.transient == rows[i].transient);
		CHECK_RC(f.e.code, failure_rc(f.kind));
	}
}

/* A key may be cut where the words are cut; no part of it may stay. */
TEST(failure_never_shows_the_key)
{
	static const struct str key = S("sk-abcdefghijklmnop");

	for (size_t pad = 0; pad < 520; pad++) {
		char body[800];
		struct failure f;

		snprintf(body, sizeof body, "{\"error\":{\"message\":\"%.*s key %s and %s\"}}",
		    (int)pad, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", key.p, key.p);
		failure_of_status(&f, 401, str_of(body));
		failure_redact(&f, key);
		CHECK(strstr(f.e.text, "sk-a") == NULL);
	}
}

TEST(failure_retry_after_is_seconds_or_a_date)
{
	static const msec wall = INT64_C(784111777000);   /* Sun, 06 Nov 1994 08:49:37 */
	static const struct { const char *value; msec ms; } rows[] = {
		{ "", -1 }, { "0", 0 }, { "3", 3000 }, { " 2 ", 2000 }, { "0.5", 500 },
		{ "3600", LIMIT_LLM_RETRY_AFTER_MS }, { "99999999999999999999999", LIMIT_LLM_RETRY_AFTER_MS },
		{ "-1", -1 }, { "soon", -1 }, { "3 s", -1 }, { "nan", -1 },
		{ "Sun, 06 Nov 1994 08:49:47 GMT", 10000 },
		{ "Sun, 06 Nov 1994 08:49:30 GMT", 0 },
		{ "Wed, 06 Nov 2199 08:49:37 GMT", LIMIT_LLM_RETRY_AFTER_MS },
		{ "Sun, 06 Nov 1994 08:49:47 CET", -1 },
		{ "Sun, 06 Xxx 1994 08:49:47 GMT", -1 },
		{ "Sun, 06 Nov 1994 08:4a:47 GMT", -1 },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_INT(failure_retry_after(str_of(rows[i].value), wall), rows[i].ms);
}

TEST(failure_date_is_right_across_leap_years)
{
	static const struct { const char *date; msec wall; } rows[] = {
		{ "Thu, 01 Jan 1970 00:00:01 GMT", 0 },
		{ "Tue, 29 Feb 2000 00:00:01 GMT", INT64_C(951782400000) },
		{ "Wed, 01 Mar 2000 00:00:01 GMT", INT64_C(951868800000) },
		{ "Mon, 01 Mar 2100 00:00:01 GMT", INT64_C(4107542400000) },
		{ "Sat, 21 Nov 2026 00:27:55 GMT", INT64_C(1795220874000) },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_INT(failure_retry_after(str_of(rows[i].date), rows[i].wall), 1000);
}

TEST(failure_backoff_doubles_spreads_and_is_bounded)
{
	for (unsigned attempt = 0; attempt < 40; attempt++) {
		msec low = failure_backoff(attempt, 0), high = 0;

		for (uint32_t r = 0; r < 5000; r += 7)
			if (failure_backoff(attempt, r) > high)
				high = failure_backoff(attempt, r);
		CHECK(low >= 375 && high <= 10000 && high > low);
		if (attempt == 1)
			CHECK(low == 750);
	}
}

/* ---- answers in one piece -------------------------------------------------- */

static bool
no_delta(void *ctx, const struct llm_delta *d)
{
	(void)ctx, (void)d;
	return true;
}

static struct str
message_of(const char *body, struct failure *f, struct result_built *b)
{
	struct decoder s;
	struct llm_result r;
	struct str message = STR_NONE;

	result_init(&r);
	*b = (struct result_built){ 0 };
	decoder_init(&s, &openai_wire, &r, no_delta, NULL);
	if (decoder_whole(&s, str_of(body), f) == OK) {
		CHECK_RC(result_build(&r, S("openai"), b, NULL), OK);
		message = b->answer.message_json;
	}
	decoder_release(&s);
	result_release(&r);
	return message;
}

TEST(answer_in_one_piece_becomes_the_same_message)
{
	struct result_built b;
	struct failure f;

	CHECK_STR(message_of("{\n \"id\":\"chatcmpl-mock75298\",\"object\":\"chat.completion\","
	    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
	    "\"Hello\\n\\ud83d\\ude00 LLM .\"},\"finish_reason\":\"stop\",\"logprobs\":null}],\n"
	    " \"usage\":{\n  \"prompt_tokens\":11,\"completion_tokens\":5,\"total_tokens\":16,"
	    "\"prompt_tokens_details\":{\"cached_tokens\":4,\"audio_tokens\":0}}}", &f, &b),
	    "{\"content\":\"Hello\\n\\ud83d\\ude00 LLM .\",\"additional_kwargs\":{},"
	    "\"response_metadata\":{\"model_provider\":\"openai\",\"usage\":{\"prompt_tokens\":11,"
	    "\"completion_tokens\":5,\"total_tokens\":16,\"prompt_tokens_details\":"
	    "{\"cached_tokens\":4,\"audio_tokens\":0}},\"finish_reason\":\"stop\"},\"tool_call_chunks\":[],\"tool_calls\":[],"
	    "\"id\":\"chatcmpl-mock75298\",\"usage_metadata\":{\"input_tokens\":11,"
	    "\"output_tokens\":5,\"total_tokens\":16,\"input_token_details\":{\"audio\":0,"
	    "\"cache_read\":4},\"output_token_details\":{}},\"invalid_tool_calls\":[],"
	    "\"type\":\"ai\"}");
	CHECK_INT(b.answer.usage.input_tokens, 11);
	CHECK_INT(b.answer.usage.output_tokens, 5);
	result_built_release(&b);
}

TEST(answer_in_one_piece_has_its_tool_calls)
{
	struct result_built b;
	struct failure f;

	message_of("{\"id\":\"c\",\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":["
	    "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
	    "\"{ \\\"x\\\": 1 }\"}},{\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]}}]}", &f, &b);
	CHECK_INT(b.answer.calls_n, 2);
	CHECK_STR(b.answer.calls[0].id, "a");
	CHECK_STR(b.answer.calls[0].args_json, "{\"x\":1}");
	CHECK_STR(b.answer.calls[1].args_json, "{}");
	CHECK(str_starts(b.answer.calls[1].id, S("call_")));
	CHECK(str_contains(b.answer.message_json, S("\"content\":\"\"")));
	result_built_release(&b);
}

TEST(answer_that_is_none_is_an_error)
{
	static const struct { const char *body, *words; } rows[] = {
		{ "", "the model's answer is not JSON: line 1, column 1: empty, expected a value: " },
		{ "{\"a\":", "the model's answer is not JSON: line 1, column 6: unexpected end "
		  "of data: {\"a\":" },
		{ "<html>", "the model's server answers with a web page, not with JSON; is the "
		  "base URL right?" },
		{ "[]", "the model reported an error without any words" },
		{ "[{\"error\":{\"code\":400,\"message\":\"no key\"}}]", "no key" },
		{ "{\"choices\":[]}", "the model's answer has no choices[0].message" },
		{ "{\"error\":{\"message\":\"boom\"}}", "boom" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct result_built b;
		struct failure f;

		CHECK(message_of(rows[i].body, &f, &b).n == 0);
		CHECK_STR(str_of(f.e.text), rows[i].words);
		result_built_release(&b);
	}
}
