/*
 * llm_anthropic.c - Anthropic's wire: what is sent for what is stored, and what
 * becomes of an answer's events.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "llm_wire_fix.h"

#define HI   "{\"content\":\"hi\",\"type\":\"human\"}"
#define HEAD "{\"model\":\"m\",\"stream\":false,\"max_tokens\":16384,"
#define CALL(id) "{\"name\":\"f\",\"args\":{\"a\":1},\"id\":\"" id "\",\"type\":\"tool_call\"}"
#define AI(content, calls) "{\"content\":" content ",\"tool_calls\":[" calls "],\"type\":\"ai\"}"
#define TOOL(id, content) "{\"content\":" content ",\"tool_call_id\":\"" id "\",\"type\":\"tool\"}"
#define USE(id) "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"f\",\"input\":{\"a\":1}}"
#define TEXT(t) "{\"type\":\"text\",\"text\":\"" t "\"}"
#define USER(blocks) "{\"role\":\"user\",\"content\":[" blocks "]}"
#define MODEL(blocks) "{\"role\":\"assistant\",\"content\":[" blocks "]}"
#define RESULT(id, content) "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\",\"content\":" content "}"
#define THINKING "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"c2ln\"}"
#define SEALED "{\"type\":\"redacted_thinking\",\"data\":\"eHk=\"}"

TEST(anthropic_turns_alternate_and_begin_with_the_user)
{
	static const struct { const char *messages[6], *sent; } rows[] = {
		{ { HI }, USER(TEXT("hi")) },
		{ { HI, HI }, USER(TEXT("hi") "," TEXT("hi")) },
		{ { AI("\"a\"", ""), HI }, USER(TEXT("Continue.")) "," MODEL(TEXT("a")) ","
		    USER(TEXT("hi")) },
		{ { NULL }, USER(TEXT("Continue.")) },
		/* No text of blanks; none at the end of an answer to go on with. */
		{ { "{\"content\":\" \\n\",\"type\":\"human\"}", HI }, USER(TEXT("hi")) },
		{ { "{\"content\":[{\"type\":\"text\",\"text\":\"\"},{\"type\":\"text\",\"text\":\"x\"}],"
		    "\"type\":\"human\"}" }, USER(TEXT("x")) },
		{ { HI, AI("\"done \\n\"", "") }, USER(TEXT("hi")) "," MODEL(TEXT("done")) },
		{ { HI, AI("\"done \"", ""), HI }, USER(TEXT("hi")) "," MODEL(TEXT("done ")) ","
		    USER(TEXT("hi")) },
		{ { HI, AI("\"  \"", ""), HI }, USER(TEXT("hi") "," TEXT("hi")) },
		/* A system message in the middle keeps its place. */
		{ { HI, "{\"content\":\"be brief\",\"type\":\"system\"}" },
		    USER(TEXT("hi") "," TEXT("<system>\\nbe brief\\n</system>")) },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct built_from from = { .provider = &anthropic_provider };
		struct body b;
		char want[2048];

		memcpy(from.messages, rows[i].messages, sizeof rows[i].messages);
		snprintf(want, sizeof want, HEAD "\"messages\":[%s]}", rows[i].sent);
		CHECK_STR(wire_built(&from, &b), want);
		body_release(&b);
	}
}

TEST(anthropic_results_stand_at_the_front_of_the_next_turn)
{
	static const struct { const char *messages[6], *sent; } rows[] = {
		/* In the order of the calls, before what the user says. */
		{ { HI, AI("\"\"", CALL("a") "," CALL("b")), TOOL("b", "\"B\""), HI, TOOL("a", "\"A\"") },
		    USER(TEXT("hi")) "," MODEL(USE("a") "," USE("b")) ","
		    USER(RESULT("a", "\"A\"") "," RESULT("b", "\"B\"") "," TEXT("hi")) },
		/* No answer, one to no call, and an empty one. */
		{ { HI, AI("\"x\"", CALL("a")), TOOL("z", "\"Z\"") },
		    USER(TEXT("hi")) "," MODEL(TEXT("x") "," USE("a")) ","
		    USER("{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":\""
		    DIALOG_INTERRUPTED "\",\"is_error\":true}") },
		{ { HI, AI("\"\"", CALL("a")), TOOL("a", "\"\"") },
		    USER(TEXT("hi")) "," MODEL(USE("a")) ","
		    USER("{\"type\":\"tool_result\",\"tool_use_id\":\"a\"}") },
		/* Ids of other providers have other letters. */
		{ { HI, AI("\"\"", CALL("functions.f:0")), TOOL("functions.f:0", "\"A\"") },
		    USER(TEXT("hi")) "," MODEL(USE("functions_f_0")) ","
		    USER(RESULT("functions_f_0", "\"A\"")) },
		/* Thoughts first, byte for byte; unsigned ones and others' not at all. */
		{ { HI, AI("[" THINKING "," SEALED "," TEXT("t") "]", CALL("a")), TOOL("a", "\"A\"") },
		    USER(TEXT("hi")) "," MODEL(THINKING "," SEALED "," TEXT("t") "," USE("a")) ","
		    USER(RESULT("a", "\"A\"")) },
		{ { HI, AI("[{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"s\"},"
		    "{\"type\":\"thinking\",\"thinking\":\"no\"},{\"type\":\"reasoning\",\"reasoning\":\"no\"}]",
		    CALL("a")), TOOL("a", "[" TEXT("A") "]") },
		    USER(TEXT("hi")) "," MODEL("{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"s\"},"
		    USE("a")) "," USER(RESULT("a", "[" TEXT("A") "]")) },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct built_from from = { .provider = &anthropic_provider };
		struct body b;
		char want[2048];

		memcpy(from.messages, rows[i].messages, sizeof rows[i].messages);
		snprintf(want, sizeof want, HEAD "\"messages\":[%s]}", rows[i].sent);
		CHECK_STR(wire_built(&from, &b), want);
		body_release(&b);
	}
}

TEST(anthropic_blocks_whoever_wrote_them)
{
#define DATA "{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"iVBO\"}"
	static const char *const rows[][2] = {
		{ "{\"type\":\"image_url\",\"image_url\":\"https://x.test/a.png\"}",
		    "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x.test/a.png\"}}" },
		{ "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBO\"}}",
		    "{\"type\":\"image\",\"source\":" DATA "}" },
		{ "{\"type\":\"image\",\"source_type\":\"base64\",\"mime_type\":\"image/png\",\"data\":\"iVBO\"}",
		    "{\"type\":\"image\",\"source\":" DATA "}" },
		{ "{\"type\":\"image\",\"source\":" DATA "}", "{\"type\":\"image\",\"source\":" DATA "}" },
		{ "{\"type\":\"file\",\"mimeType\":\"application/pdf\",\"data\":\"JVBE\",\"metadata\":{\"filename\":\"a.pdf\"}}",
		    "{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\","
		    "\"data\":\"JVBE\"},\"title\":\"a.pdf\"}" },
		{ "{\"type\":\"file\",\"file_id\":\"f1\"}",
		    "{\"type\":\"document\",\"source\":{\"type\":\"file\",\"file_id\":\"f1\"}}" },
		{ "{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"type\":\"ephemeral\"}}",
		    "{\"type\":\"text\",\"text\":\"x\",\"cache_control\":{\"type\":\"ephemeral\"}}" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char stored[1024], want[1024];
		struct built_from from = { .provider = &anthropic_provider, .messages = { stored } };
		struct body b;

		snprintf(stored, sizeof stored, "{\"content\":[%s],\"type\":\"human\"}", rows[i][0]);
		snprintf(want, sizeof want, HEAD "\"messages\":[" USER("%s") "]}", rows[i][1]);
		CHECK_STR(wire_built(&from, &b), want);
		body_release(&b);
	}
}

TEST(anthropic_the_rest_of_a_request)
{
#define TAIL "\"messages\":[" USER(TEXT("hi")) "]}"
#define TOOLS "\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\"}}"
	static const struct { struct built_from from; const char *sent; } rows[] = {
		{ { .system = "be kind", .max_tokens = 7 }, "{\"model\":\"m\",\"stream\":false,"
		    "\"max_tokens\":7,\"system\":[" TEXT("be kind") "]," TAIL },
		{ { .model = "claude-3-haiku" }, "{\"model\":\"claude-3-haiku\",\"stream\":false,"
		    "\"max_tokens\":4096," TAIL },
		{ { .tool_schema = "{\"type\":\"object\"}", .choice = "any" }, HEAD TOOLS
		    "],\"tool_choice\":{\"type\":\"any\"}," TAIL },
		{ { .tool_schema = "{\"type\":\"object\"}", .choice = "f" }, HEAD TOOLS
		    "],\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}," TAIL },
		{ { .tool_schema = "{\"type\":\"object\"}", .choice = "auto" }, HEAD TOOLS "]," TAIL },
		{ { .schema = "{\"type\":\"object\"}" }, HEAD "\"tools\":[{\"name\":\"" OUTPUT_TOOL "\","
		    "\"description\":\"Gives the final answer. Call it once, when the answer is "
		    "complete.\",\"input_schema\":{\"type\":\"object\"}}],\"tool_choice\":{\"type\":"
		    "\"tool\",\"name\":\"" OUTPUT_TOOL "\"}," TAIL },
		{ { .schema = "{\"type\":\"object\"}", .has = LLM_HAS_JSON_SCHEMA }, HEAD
		    "\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":"
		    "\"object\"}}}," TAIL },
		{ { .has = LLM_HAS_REASONING }, HEAD "\"thinking\":{\"type\":\"enabled\","
		    "\"budget_tokens\":8192}," TAIL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct built_from from = rows[i].from;
		struct body b;

		from.provider = &anthropic_provider;
		from.messages[0] = HI;
		CHECK_STR(wire_built(&from, &b), rows[i].sent);
		body_release(&b);
	}
}

static size_t
count_of(struct str s, const char *needle)
{
	size_t n = 0;

	for (const char *at = s.p; (at = memmem(at, s.n - (size_t)(at - s.p), needle,
	    strlen(needle))) != NULL; at += strlen(needle))
		n++;
	return n;
}

/* The API takes four marks, the last of which save the most. */
TEST(anthropic_marks_for_the_cache)
{
	static const char five[] = "{\"content\":["
	    "{\"type\":\"text\",\"text\":\"1\",\"cache_control\":{\"type\":\"ephemeral\"}},"
	    "{\"type\":\"text\",\"text\":\"2\",\"cache_control\":{\"type\":\"ephemeral\"}},"
	    "{\"type\":\"text\",\"text\":\"3\",\"cache_control\":{\"type\":\"ephemeral\"}},"
	    "{\"type\":\"text\",\"text\":\"4\",\"cache_control\":{\"type\":\"ephemeral\"}},"
	    "{\"type\":\"text\",\"text\":\"5\",\"cache_control\":{\"type\":\"ephemeral\"}}],"
	    "\"type\":\"human\"}";
	static char system[20000];
	struct built_from from = { .provider = &anthropic_provider, .messages = { five } };
	struct body b;
	struct str sent = wire_built(&from, &b);

	CHECK_INT(count_of(sent, "cache_control"), 4);
	CHECK(str_contains(sent, S("{\"type\":\"text\",\"text\":\"1\"}")));
	body_release(&b);
	/* Long, with tools: at the end of tools, system and the last turn. */
	memset(system, 'x', sizeof system - 1);
	from = (struct built_from){ .provider = &anthropic_provider, .system = system,
	    .tool_schema = "{}", .messages = { HI } };
	sent = wire_built(&from, &b);
	CHECK_INT(count_of(sent, "\"cache_control\":{\"type\":\"ephemeral\"}}]"), 3);
	/* A server that refuses them gets none. */
	CHECK(body_without(&b, quirks_said(400, S("cache_control: Extra inputs are not permitted"))) != 0);
	CHECK_INT(count_of(buf_str(&b.text), "cache_control"), 0);
	CHECK_RC(json_check(buf_str(&b.text), NULL), OK);
	body_release(&b);
	from.system = "short";
	CHECK_INT(count_of(wire_built(&from, &b), "cache_control"), 0);
	body_release(&b);
}

/* A newer model decides how much it thinks; nobody who thinks has a temperature. */
TEST(anthropic_thinking_that_is_refused_becomes_adaptive)
{
	struct built_from from = { .provider = &anthropic_provider, .messages = { HI },
	    .has = LLM_HAS_REASONING };
	struct body b;

	wire_built(&from, &b);
	CHECK(body_without(&b, quirks_said(400, S("{\"error\":{\"message\":\"thinking.type: "
	    "\\\"enabled\\\" is not supported for this model\"}}"))) != 0);
	CHECK(str_contains(buf_str(&b.text), S("\"thinking\":{\"type\":\"adaptive\"}")));
	body_release(&b);
}

/* ---- answers ---------------------------------------------------------------------- */

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define START EVENT("message_start", ",\"message\":{\"id\":\"msg_1\",\"model\":\"claude\"," \
    "\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":5," \
    "\"cache_read_input_tokens\":7,\"output_tokens\":1}}")
#define BLOCK(i, block) EVENT("content_block_start", ",\"index\":" i ",\"content_block\":" block)
#define DELTA(i, delta) EVENT("content_block_delta", ",\"index\":" i ",\"delta\":" delta)
#define STOP(i) EVENT("content_block_stop", ",\"index\":" i)
#define T(text) "{\"type\":\"text_delta\",\"text\":\"" text "\"}"
#define TH(text) "{\"type\":\"thinking_delta\",\"thinking\":\"" text "\"}"
#define J(text) "{\"type\":\"input_json_delta\",\"partial_json\":\"" text "\"}"
#define END(reason) EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"" reason \
    "\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":9}") EVENT("message_stop", "")
#define TEXT_BLOCK "{\"type\":\"text\",\"text\":\"\"}"
#define USE_BLOCK(id, input) "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"f\",\"input\":" input "}"

static const char thinking_stream[] = START EVENT("ping", "")
    BLOCK("0", "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
    DELTA("0", TH("let ")) DELTA("0", TH("me ")) DELTA("0", TH("see"))
    DELTA("0", "{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}") STOP("0")
    BLOCK("1", "{\"type\":\"redacted_thinking\",\"data\":\"eHk=\"}") STOP("1")
    BLOCK("2", TEXT_BLOCK) DELTA("2", T("a")) DELTA("2", T("b\\n")) DELTA("2", T("c")) STOP("2")
    BLOCK("3", USE_BLOCK("toolu_1", "{}")) DELTA("3", J("")) DELTA("3", J("{\\\"k\\\""))
    DELTA("3", J(":1}")) STOP("3")
    BLOCK("4", USE_BLOCK("toolu_2", "{}")) STOP("4") END("tool_use");

TEST(anthropic_a_stream_is_told_alike_however_it_is_cut)
{
	struct told t = wire_told(&anthropic_provider, str_of(thinking_stream), 4096, false);

	CHECK_RC(t.rc, OK);
	CHECK_STR(buf_str(&t.log), "start msg_1 \nthink let \nthink me \nthink see\ntext a\n"
	    "text b\\n\ntext c\ntool 3 toolu_1 f\ntool 3  {\\\"k\\\"\ntool 3  :1}\n"
	    "tool 4 toolu_2 f\nfinish tool_use\nusage \n");
	told_release(&t);
	wire_check_alike(&anthropic_provider, thinking_stream);
}

TEST(anthropic_what_is_signed_is_stored_in_blocks)
{
	struct told t = wire_told(&anthropic_provider, str_of(thinking_stream), 7, false);

	CHECK(str_starts(buf_str(&t.message), S("{\"content\":[{\"type\":\"thinking\","
	    "\"thinking\":\"let me see\",\"signature\":\"c2ln\"},{\"type\":\"redacted_thinking\","
	    "\"data\":\"eHk=\"},{\"type\":\"text\",\"text\":\"ab\\nc\"}],")));
	CHECK(str_contains(buf_str(&t.message), S("\"tool_calls\":[{\"name\":\"f\",\"args\":{\"k\":1},"
	    "\"id\":\"toolu_1\",\"type\":\"tool_call\"},{\"name\":\"f\",\"args\":{},\"id\":\"toolu_2\"")));
	CHECK(str_contains(buf_str(&t.message), S("\"usage_metadata\":{\"input_tokens\":15,"
	    "\"output_tokens\":9,\"total_tokens\":24,\"input_token_details\":"
	    "{\"cache_creation\":5,\"cache_read\":7}")));
	CHECK(!str_contains(buf_str(&t.message), S("reasoning_content")));
	told_release(&t);
}

/* What servers do, and what is told. */
TEST(anthropic_ways_of_servers)
{
	static const struct { const char *stream, *log; } rows[] = {
		{ START BLOCK("0", TEXT_BLOCK) DELTA("0", T("x")) STOP("0") END("end_turn"),
		    "start msg_1 \ntext x\nfinish end_turn\nusage \n" },
		/* Arguments whole at the start of a block. */
		{ START BLOCK("0", USE_BLOCK("t1", "{ \"k\" : 1 }")) STOP("0") END("tool_use"),
		    "start msg_1 \ntool 0 t1 f\ntool 0  {\\\"k\\\":1}\nfinish tool_use\nusage \n" },
		{ START BLOCK("0", USE_BLOCK("t1", "{\"k\":1}")) DELTA("0", J("{}")) STOP("0") END("tool_use"),
		    "start msg_1 \ntool 0 t1 f\ntool 0  {}\nfinish tool_use\nusage \n" },
		/* No starts and stops of blocks, no message_start. */
		{ DELTA("0", T("x")) END("end_turn"), "start run- \ntext x\nfinish end_turn\nusage \n" },
		/* A tool that the server runs is no call of ours; unknown events, blocks. */
		{ START BLOCK("0", "{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web\",\"input\":{}}")
		    DELTA("0", J("{\\\"q\\\":1}")) STOP("0")
		    BLOCK("1", "{\"type\":\"web_search_tool_result\",\"content\":[]}") STOP("1")
		    EVENT("news", ",\"x\":1") BLOCK("2", TEXT_BLOCK) DELTA("2", T("x"))
		    DELTA("2", "{\"type\":\"new_delta\"}") END("end_turn"),
		    "start msg_1 \ntext x\nfinish end_turn\nusage \n" },
		/* Reasons that are not known are passed on. */
		{ START DELTA("0", T("x")) END("refusal"), "start msg_1 \ntext x\nfinish refusal\nusage \n" },
		{ START DELTA("0", T("x")) END("pause_turn"), "start msg_1 \ntext x\nfinish pause_turn\nusage \n" },
		{ START DELTA("0", T("x")) EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"max_tokens\"}"),
		    "start msg_1 \ntext x\nfinish max_tokens\nusage \n" },
		{ START END("model_context_window_exceeded"), "start msg_1 \nerror.llm.context_length "
		    "the prompt leaves no room in the model's context window\n" },
		/* An error after a 200. */
		{ START "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
		    "\"message\":\"Overloaded\"}}\n\n", "start msg_1 \nerror.llm.overloaded Overloaded\n" },
		{ START "data: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"oops\"}}\n\n",
		    "start msg_1 \nerror.llm.backend oops\n" },
		{ START DELTA("0", T("x")), "start msg_1 \ntext x\nerror.llm.transport the model's "
		    "stream was cut short\n" },
		{ START "data: {\"type\":\"content_blo\n\n", "start msg_1 \nerror.llm.backend the model's "
		    "stream has a malformed chunk: {\"type\":\"content_blo\n" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct told t = wire_told(&anthropic_provider, str_of(rows[i].stream), 64, false);

		CHECK_STR(buf_str(&t.log), rows[i].log);
		told_release(&t);
		wire_check_alike(&anthropic_provider, rows[i].stream);
	}
}

TEST(anthropic_an_answer_in_one_piece)
{
	static const char body[] = "{\"id\":\"msg_2\",\"type\":\"message\",\"content\":[" THINKING ","
	    "{\"type\":\"text\",\"text\":\"x\",\"citations\":[{\"cited_text\":\"y\"}]}," USE("t1")
	    "],\"model\":\"c\",\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":2,\"output_tokens\":4}}";
	struct told t = wire_told(&anthropic_provider, str_of(body), 0, false);

	CHECK_STR(buf_str(&t.log), "start msg_2 \nthink hm\ntext x\ntool 2 t1 f\n"
	    "tool 2  {\\\"a\\\":1}\nfinish tool_use\nusage \n");
	CHECK(str_starts(buf_str(&t.message), S("{\"content\":[" THINKING ",{\"type\":\"text\","
	    "\"text\":\"x\",\"citations\":[{\"cited_text\":\"y\"}]}],")));
	told_release(&t);
	t = wire_told(&anthropic_provider, S("{\"type\":\"error\",\"error\":{\"type\":"
	    "\"rate_limit_error\",\"message\":\"slow\"}}"), 0, false);
	CHECK_STR(buf_str(&t.log), "error.llm.rate_limited slow\n");
	told_release(&t);
	t = wire_told(&anthropic_provider, S("{\"type\":\"message\"}"), 0, false);
	CHECK_STR(buf_str(&t.log), "error.llm.backend the model's answer is no message: it has "
	    "no list of content\n");
	told_release(&t);
}

/* The arguments of the forced tool are the text, and no call. */
TEST(anthropic_an_answer_of_a_schema_is_a_text)
{
	static const char stream[] = START BLOCK("0", "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\""
	    OUTPUT_TOOL "\",\"input\":{}}") DELTA("0", J("{\\\"a\\\"")) DELTA("0", J(":1}"))
	    STOP("0") END("tool_use");
	struct told t = wire_told(&anthropic_provider, str_of(stream), 9, true);

	CHECK_STR(buf_str(&t.log), "start msg_1 \ntext {\\\"a\\\"\ntext :1}\nfinish tool_use\nusage \n");
	CHECK(str_starts(buf_str(&t.message), S("{\"content\":\"{\\\"a\\\":1}\",\"additional_kwargs\":{},")));
	CHECK(str_contains(buf_str(&t.message), S("\"tool_calls\":[]")));
	told_release(&t);
}

TEST(anthropic_where_it_is_asked)
{
	static const char *const rows[][2] = {
		{ "https://api.anthropic.com", "https://api.anthropic.com/v1/messages" },
		{ "https://x.test/v1", "https://x.test/v1/messages" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct llm_target t = { .base_url = str_of(rows[i][0]), .api_key = S("k") };
		struct buf url = BUF(KB), headers = BUF(KB);

		buf_add(&url, t.base_url);
		anthropic_wire.add_path(&url, &t, true);
		CHECK_STR(buf_str(&url), rows[i][1]);
		anthropic_wire.add_headers(&headers, &t);
		CHECK_STR(buf_str(&headers), "x-api-key: k\r\nanthropic-version: 2023-06-01\r\n");
		buf_release(&url);
		buf_release(&headers);
	}
}
