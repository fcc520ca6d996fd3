/*
 * llm_gemini.c - Gemini's wire: what is sent for what is stored, the subset of JSON
 * Schema that it takes, and what becomes of an answer's chunks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "llm_wire_fix.h"
#include "llm/gemini_priv.h"

#define HI   "{\"content\":\"hi\",\"type\":\"human\"}"
#define CALL(id) "{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"" id "\",\"type\":\"tool_call\"}"
#define FROM_IT "\"response_metadata\":{\"model_provider\":\"google_genai\"},"
#define AI(content, calls) "{\"content\":" content "," FROM_IT "\"tool_calls\":[" calls "],\"type\":\"ai\"}"
#define TOOL(id, content) "{\"content\":" content ",\"tool_call_id\":\"" id "\",\"type\":\"tool\"}"
#define USER(parts) "{\"role\":\"user\",\"parts\":[" parts "]}"
#define MODEL(parts) "{\"role\":\"model\",\"parts\":[" parts "]}"
#define TEXT(t) "{\"text\":\"" t "\"}"
#define USE(id) "{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"" id "\"}}"
#define SIGNED(s) "{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}},\"thoughtSignature\":\"" s "\"}"
#define RESULT(id, r) "{\"functionResponse\":{\"name\":\"f\",\"id\":\"" id "\",\"response\":{" r "}}}"

TEST(gemini_turns)
{
	static const struct { const char *messages[6], *sent; } rows[] = {
		{ { HI }, USER(TEXT("hi")) },
		{ { NULL }, USER(TEXT("Continue.")) },
		{ { AI("\"a\"", ""), HI }, USER(TEXT("Continue.")) "," MODEL(TEXT("a")) "," USER(TEXT("hi")) },
		/* All results of a turn in one turn, in the order of the calls, and alone. */
		{ { HI, AI("\"\"", CALL("a") "," CALL("b")), TOOL("b", "\"B\""), TOOL("a", "\"A\""), HI },
		    USER(TEXT("hi")) "," MODEL(USE("a") "," USE("b")) ","
		    USER(RESULT("a", "\"result\":\"A\"") "," RESULT("b", "\"result\":\"B\"")) ","
		    USER(TEXT("hi")) },
		{ { HI, AI("\"x\"", CALL("a")), TOOL("z", "\"Z\"") },
		    USER(TEXT("hi")) "," MODEL(TEXT("x") "," USE("a")) ","
		    USER(RESULT("a", "\"error\":\"" DIALOG_INTERRUPTED "\"")) },
		/* Pictures of results follow. */
		{ { HI, AI("\"\"", CALL("a")), TOOL("a", "[{\"type\":\"text\",\"text\":\"A\"},{\"type\":"
		    "\"image\",\"mimeType\":\"image/png\",\"data\":\"iVBO\"}]") },
		    USER(TEXT("hi")) "," MODEL(USE("a")) "," USER(RESULT("a", "\"result\":\"A\"")) ","
		    USER("{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"iVBO\"}}") },
		/* A signature goes back on the part that it came with. */
		{ { HI, AI("[{\"type\":\"text\",\"text\":\"x\",\"extras\":{\"signature\":\"s1\"}},{\"type\":"
		    "\"text\",\"text\":\"\",\"extras\":{\"signature\":\"s2\"}}]", ""), HI },
		    USER(TEXT("hi")) "," MODEL("{\"text\":\"x\",\"thoughtSignature\":\"s1\"},"
		    "{\"text\":\"\",\"thoughtSignature\":\"s2\"}") "," USER(TEXT("hi")) },
		{ { HI, "{\"content\":\"\",\"tool_calls\":[" CALL("call_1") "],\"additional_kwargs\":{"
		    "\"tool_calls\":[{\"id\":\"call_1\",\"extra_content\":{\"google\":{\"thought_signature\":"
		    "\"s1\"}}}]},\"type\":\"ai\"}" },
		    USER(TEXT("hi")) "," MODEL(SIGNED("s1")) ","
		    USER("{\"functionResponse\":{\"name\":\"f\",\"response\":{\"error\":\""
		    DIALOG_INTERRUPTED "\"}}}") },
		{ { HI, "{\"content\":\"\",\"tool_calls\":[" CALL("x") "],\"additional_kwargs\":{"
		    "\"__gemini_function_call_thought_signatures__\":{\"x\":\"s1\"}},\"type\":\"ai\"}" },
		    USER(TEXT("hi")) "," MODEL(SIGNED("s1")) ","
		    USER("{\"functionResponse\":{\"name\":\"f\",\"response\":{\"error\":\""
		    DIALOG_INTERRUPTED "\"}}}") },
		{ { HI, "{\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/jpeg;base64,AA\"}},"
		    "{\"type\":\"image\",\"url\":\"https://x.test/a.png\"}],\"type\":\"human\"}" },
		    USER(TEXT("hi") ",{\"inlineData\":{\"mimeType\":\"image/jpeg\",\"data\":\"AA\"}},"
		    "{\"fileData\":{\"fileUri\":\"https://x.test/a.png\",\"mimeType\":\"image/png\"}}") },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct built_from from = { .provider = &gemini_provider, .model = "gemini-2.5-pro" };
		struct body b;
		char want[2048];

		memcpy(from.messages, rows[i].messages, sizeof rows[i].messages);
		snprintf(want, sizeof want, "{\"contents\":[%s]}", rows[i].sent);
		CHECK_STR(wire_built(&from, &b), want);
		body_release(&b);
	}
}

/* Calls of another provider are not checked, where the model would. */
TEST(gemini_calls_without_a_signature)
{
	struct built_from from = { .provider = &gemini_provider, .model = "gemini-3-pro",
	    .messages = { HI, AI("\"\"", CALL("call_a") "," CALL("call_b")) } };
	struct body b;

	CHECK(str_contains(wire_built(&from, &b), S(MODEL(SIGNED("skip_thought_signature_validator")
	    ",{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}}}"))));
	body_release(&b);
}

TEST(gemini_the_rest_of_a_request)
{
#define FRONT "{\"contents\":[" USER(TEXT("hi")) "]"
#define TOOLS ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"description\":\"d\"}]}]"
	static const struct { struct built_from from; const char *sent; } rows[] = {
		{ { .system = "be kind", .max_tokens = 7 }, FRONT ",\"systemInstruction\":{\"parts\":["
		    TEXT("be kind") "]},\"generationConfig\":{\"maxOutputTokens\":7}}" },
		{ { .tool_schema = "{\"type\":\"object\",\"properties\":{}}", .choice = "auto" },
		    FRONT TOOLS "}" },
		{ { .tool_schema = "{}", .choice = "any" }, FRONT TOOLS
		    ",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\"}}}" },
		{ { .tool_schema = "{}", .choice = "none" }, FRONT TOOLS
		    ",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"NONE\"}}}" },
		{ { .tool_schema = "{}", .choice = "f" }, FRONT TOOLS ",\"toolConfig\":"
		    "{\"functionCallingConfig\":{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"f\"]}}}" },
		{ { .schema = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}",
		    .has = LLM_HAS_JSON_SCHEMA | LLM_HAS_REASONING }, FRONT ",\"generationConfig\":"
		    "{\"responseMimeType\":\"application/json\",\"responseSchema\":{\"type\":\"object\","
		    "\"properties\":{\"a\":{\"type\":\"string\"}}},\"thinkingConfig\":"
		    "{\"includeThoughts\":true}}}" },
		/* Its mode for a schema takes no tools: the answer is one of them. */
		{ { .schema = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}",
		    .tool_schema = "{}", .has = LLM_HAS_JSON_SCHEMA }, FRONT ",\"tools\":[{"
		    "\"functionDeclarations\":[{\"name\":\"f\",\"description\":\"d\"},{\"name\":\""
		    OUTPUT_TOOL "\",\"description\":\"Gives the final answer. Call it once, when the "
		    "answer is complete.\",\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":"
		    "{\"type\":\"string\"}}}}]}],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":"
		    "\"ANY\"}}}" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct built_from from = rows[i].from;
		struct body b;

		from.provider = &gemini_provider;
		from.messages[0] = HI;
		CHECK_STR(wire_built(&from, &b), rows[i].sent);
		body_release(&b);
	}
}

/* A model that does not think is not asked to. */
TEST(gemini_thinking_that_is_refused_is_left_out)
{
	struct built_from from = { .provider = &gemini_provider, .messages = { HI },
	    .has = LLM_HAS_REASONING };
	struct body b;

	wire_built(&from, &b);
	CHECK(body_without(&b, quirks_said(400, S("{\"error\":{\"message\":\"Unable to submit request "
	    "because thinking is not supported by this model.\"}}"))) != 0);
	CHECK_STR(buf_str(&b.text), FRONT ",\"generationConfig\":{}}");
	body_release(&b);
}

TEST(gemini_schemas)
{
#define OBJECT(p) "{\"type\":\"object\",\"properties\":{\"a\":" p "}}"
	static const char *const rows[][2] = {
		{ "{\"$schema\":\"x\",\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"a\":"
		    "{\"type\":\"string\",\"default\":\"x\",\"format\":\"uri\"}},\"required\":[\"a\",\"b\"]}",
		    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"]}" },
		{ OBJECT("{\"type\":\"integer\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":9,\"multipleOf\":2}"),
		    OBJECT("{\"type\":\"integer\",\"minimum\":1,\"maximum\":8}") },
		{ OBJECT("{\"type\":[\"string\",\"null\"]}"), OBJECT("{\"type\":\"string\",\"nullable\":true}") },
		{ OBJECT("{\"type\":[\"string\",\"integer\"]}"),
		    OBJECT("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}") },
		{ OBJECT("{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}"),
		    OBJECT("{\"anyOf\":[{\"type\":\"string\"}],\"nullable\":true}") },
		{ OBJECT("{\"const\":\"x\"}"), OBJECT("{\"type\":\"string\",\"enum\":[\"x\"]}") },
		{ OBJECT("{\"type\":\"integer\",\"enum\":[1,2]}"), OBJECT("{\"type\":\"integer\"}") },
		{ OBJECT("{\"enum\":[\"x\",null]}"),
		    OBJECT("{\"type\":\"string\",\"enum\":[\"x\"],\"nullable\":true}") },
		{ OBJECT("{\"type\":\"array\"}"), OBJECT("{\"type\":\"array\",\"items\":{\"type\":\"string\"}}") },
		{ OBJECT("{\"type\":\"string\",\"format\":\"date-time\"}"),
		    OBJECT("{\"type\":\"string\",\"format\":\"date-time\"}") },
		{ OBJECT("{}"), OBJECT("{\"type\":\"string\"}") },
		{ "{\"$ref\":\"#/$defs/P\",\"$defs\":{\"P\":" OBJECT("{\"allOf\":[{\"$ref\":\"#/$defs/Q\"}]}")
		    ",\"Q\":{\"type\":\"number\"}}}", OBJECT("{\"type\":\"number\"}") },
		{ OBJECT("{\"$ref\":\"#/nowhere\"}"), OBJECT("{\"type\":\"object\"}") },
		{ "{\"type\":\"object\"}", "" }, { "no", "" }, { "", "" }, { "[]", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = BUF(MB);

		CHECK(gemini_add_schema(&b, str_of(rows[i][0])) == (rows[i][1][0] != '\0'));
		CHECK_STR(buf_str(&b), rows[i][1]);
		buf_release(&b);
	}
}

/* A schema that contains itself, twice on each level, stays small. */
TEST(gemini_a_schema_that_contains_itself_ends)
{
	struct buf b = BUF(8 * MB);

	CHECK(gemini_add_schema(&b, S("{\"type\":\"object\",\"properties\":{\"l\":{\"$ref\":\"#\"},"
	    "\"r\":{\"$ref\":\"#\"}}}")));
	CHECK(!b.failed);
	CHECK_RC(json_check(buf_str(&b), NULL), OK);
	buf_release(&b);
}

/* ---- answers ---------------------------------------------------------------------- */

#define CHUNK(parts, more) "data: {\"candidates\":[{\"content\":{\"parts\":[" parts \
    "],\"role\":\"model\"}" more ",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":5," \
    "\"candidatesTokenCount\":2,\"totalTokenCount\":10,\"thoughtsTokenCount\":3," \
    "\"cachedContentTokenCount\":1},\"modelVersion\":\"gemini-3\",\"responseId\":\"r1\"}\r\n\r\n"
#define ENDING(reason) ",\"finishReason\":\"" reason "\""
#define FC(id, more) "{\"functionCall\":{" id "\"name\":\"f\",\"args\":{ \"k\" : 1 }}" more "}"
#define ID(id) "\"id\":\"" id "\","
#define SIG(s) ",\"thoughtSignature\":\"" s "\""

TEST(gemini_ways_of_servers)
{
	static const struct { const char *stream, *log; } rows[] = {
		{ CHUNK(TEXT("a"), "") CHUNK(TEXT("b"), ENDING("STOP")),
		    "start r1 \ntext a\ntext b\nfinish STOP\nusage \n" },
		{ CHUNK("{\"text\":\"hm\",\"thought\":true}", "") CHUNK(TEXT("x"), ENDING("MAX_TOKENS")),
		    "start r1 \nthink hm\ntext x\nfinish MAX_TOKENS\nusage \n" },
		{ CHUNK(FC("", SIG("s1")) "," FC("", ""), ENDING("STOP")),
		    "start r1 \ntool 0 ours f{\\\"k\\\":1} {\"google\":{\"thought_signature\":\"s1\"}}\n"
		    "tool 1 ours f{\\\"k\\\":1}\nfinish STOP\nusage \n" },
		/* Told again without its signature. */
		{ CHUNK(FC(ID("i1"), SIG("s1")), "") CHUNK(FC(ID("i1"), ""), ENDING("STOP")),
		    "start r1 \ntool 0 i1 f{\\\"k\\\":1} {\"google\":{\"thought_signature\":\"s1\"}}\n"
		    "finish STOP\nusage \n" },
		/* A reason to finish in every chunk. */
		{ CHUNK(TEXT("a"), ENDING("STOP")) CHUNK(TEXT("b"), ENDING("STOP")),
		    "start r1 \ntext a\nfinish STOP\ntext b\nusage \n" },
		/* Nothing at all is an answer; these are none, and the first may be asked again. */
		{ "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n",
		    "start run- \nfinish STOP\n" },
		{ "data: {\"candidates\":[{\"content\":{},\"finishReason\":\"MALFORMED_FUNCTION_CALL\"}]}\n\n",
		    "error.llm.backend the model ended its answer with MALFORMED_FUNCTION_CALL: a call of a "
		    "tool was malformed\n" },
		{ "data: {\"candidates\":[{\"finishReason\":\"SAFETY\"}]}\n\n", "error.llm.invalid_request "
		    "the model ended its answer with SAFETY: it was blocked\n" },
		{ CHUNK(TEXT("a"), "") CHUNK("", ENDING("SAFETY")),
		    "start r1 \ntext a\nfinish SAFETY\nusage \n" },
		{ "data: {\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"}}\n\n",
		    "error.llm.invalid_request the prompt was blocked: PROHIBITED_CONTENT\n" },
		{ "data: {\"error\":{\"code\":503,\"message\":\"overloaded\",\"status\":\"UNAVAILABLE\"}}\n\n",
		    "error.llm.overloaded overloaded\n" },
		{ "data: [{\"error\":{\"code\":400,\"message\":\"The input token count (9) exceeds the maximum "
		    "number of tokens allowed (8).\",\"status\":\"INVALID_ARGUMENT\"}}]\n\n",
		    "error.llm.context_length The input token count (9) exceeds the maximum number of tokens "
		    "allowed (8).\n" },
		{ CHUNK(TEXT("a"), ""), "start r1 \ntext a\nerror.llm.transport the model's stream was cut "
		    "short\n" },
		{ "data: {\"candidates\":[{\"content\":{\"parts\":1}}]}\n\n", "start run- \nerror.llm.backend the "
		    "model's answer is malformed: candidates[0].content.parts is of the wrong type\n" },
		{ "data: {\"candidates\":[{\"con\n\n", "error.llm.backend the model's stream has a malformed "
		    "chunk: {\"candidates\":[{\"con\n" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct told t = wire_told(&gemini_provider, str_of(rows[i].stream), 64, false);

		CHECK_STR(buf_str(&t.log), rows[i].log);
		told_release(&t);
		wire_check_alike(&gemini_provider, rows[i].stream);
	}
}

/* Also where it comes with an empty text at the end of the stream. */
TEST(gemini_signatures_of_texts_are_stored)
{
	static const char stream[] = CHUNK("{\"text\":\"a\"}", "") CHUNK("{\"text\":\"b\"" SIG("s1") "}", "")
	    CHUNK("{\"text\":\"c\"}", "") CHUNK("{\"text\":\"\"" SIG("s2") "}", ENDING("STOP"));
	struct told t = wire_told(&gemini_provider, str_of(stream), 11, false);

	CHECK(str_starts(buf_str(&t.message), S("{\"content\":[{\"type\":\"text\",\"text\":\"ab\","
	    "\"extras\":{\"signature\":\"s1\"}},{\"type\":\"text\",\"text\":\"c\",\"extras\":"
	    "{\"signature\":\"s2\"}}],")));
	CHECK(str_contains(buf_str(&t.message), S("\"usage_metadata\":{\"input_tokens\":5,"
	    "\"output_tokens\":5,\"total_tokens\":10,\"input_token_details\":{\"cache_read\":1},"
	    "\"output_token_details\":{\"reasoning\":3}}")));
	told_release(&t);
}

TEST(gemini_an_answer_in_one_piece)
{
	static const char *const rows[][2] = {
		{ "{\"candidates\":[{\"content\":{\"parts\":[" TEXT("x") "," FC(ID("i1"), "") "]},"
		    "\"finishReason\":\"STOP\"}],\"responseId\":\"r\"}",
		    "start r \ntext x\ntool 0 i1 f{\\\"k\\\":1}\nfinish STOP\n" },
		{ "[{\"candidates\":[{\"content\":{\"parts\":[" TEXT("x") "]}}]},{\"candidates\":[{\"content\":"
		    "{\"parts\":[" TEXT("y") "]},\"finishReason\":\"STOP\"}]}]",
		    "start run- \ntext x\ntext y\nfinish STOP\n" },
		{ "[{\"error\":{\"code\":429,\"message\":\"slow\"}}]", "error.llm.rate_limited slow\n" },
		{ "{\"candidates\":[]}", "error.llm.backend the model's answer has no candidates\n" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct told t = wire_told(&gemini_provider, str_of(rows[i][0]), 0, false);

		CHECK_STR(buf_str(&t.log), rows[i][1]);
		told_release(&t);
	}
}

TEST(gemini_where_it_is_asked)
{
	static const struct { const char *base, *name; bool stream; const char *url; } rows[] = {
		{ "https://g.test", "gemini-3", true,
		    "https://g.test/v1beta/models/gemini-3:streamGenerateContent?alt=sse" },
		{ "https://g.test/v1", "models/gemini-3", false,
		    "https://g.test/v1/models/gemini-3:generateContent" },
		{ "https://g.test/v1beta", "a/../b?c", false,
		    "https://g.test/v1beta/models/a%2F..%2Fb%3Fc:generateContent" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct llm_target t = { .base_url = str_of(rows[i].base),
		    .name = str_of(rows[i].name), .api_key = S("k") };
		struct buf url = BUF(KB), headers = BUF(KB);

		buf_add(&url, t.base_url);
		gemini_wire.add_path(&url, &t, rows[i].stream);
		CHECK_STR(buf_str(&url), rows[i].url);
		gemini_wire.add_headers(&headers, &t);
		CHECK_STR(buf_str(&headers), "x-goog-api-key: k\r\n");
		buf_release(&url);
		buf_release(&headers);
	}
}

TEST(azure_where_it_is_asked)
{
	static const char *const rows[][3] = {
		{ "https://r.test", "", "https://r.test/openai/deployments/my%20d/chat/completions?api-version=2024-10-21" },
		{ "https://r.test/openai", "2025-01-01-preview",
		    "https://r.test/openai/deployments/my%20d/chat/completions?api-version=2025-01-01-preview" },
		{ "https://r.test/openai/v1", "", "https://r.test/openai/v1/chat/completions" },
		{ "https://r.test/openai/v1", "preview", "https://r.test/openai/v1/chat/completions?api-version=preview" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct llm_target t = { .base_url = str_of(rows[i][0]), .name = S("my d"),
		    .api_version = str_of(rows[i][1]), .api_key = S("k") };
		struct buf url = BUF(KB), headers = BUF(KB);

		buf_add(&url, t.base_url);
		azure_wire.add_path(&url, &t, true);
		CHECK_STR(buf_str(&url), rows[i][2]);
		azure_wire.add_headers(&headers, &t);
		CHECK_STR(buf_str(&headers), "api-key: k\r\n");
		buf_release(&url);
		buf_release(&headers);
	}
}
