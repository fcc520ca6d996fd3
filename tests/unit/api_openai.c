/*
 * api_openai.c - OpenAI's interface, as far as it needs no server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api_fix.h"

#include "api/openai_response.h"

/* Goal: an error names the parameter that its words begin with, and no other. */
TEST(errors_name_their_parameter)
{
	static const struct { int status; const char *words, *error; } rows[] = {
		{ 422, "n: not supported", "{\"error\":{\"message\":\"n: not supported\","
		  "\"type\":\"invalid_request_error\",\"param\":\"n\",\"code\":null}}" },
		{ 404, "model: none", "{\"error\":{\"message\":\"model: none\",\"type\":"
		  "\"invalid_request_error\",\"param\":\"model\",\"code\":\"model_not_found\"}}" },
		{ 404, "Thread not found", "{\"error\":{\"message\":\"Thread not found\",\"type\":"
		  "\"invalid_request_error\",\"param\":null,\"code\":\"not_found\"}}" },
		{ 401, "wrong \"key\"", "{\"error\":{\"message\":\"wrong \\\"key\\\"\",\"type\":"
		  "\"invalid_request_error\",\"param\":null,\"code\":\"invalid_api_key\"}}" },
		{ 500, "", "{\"error\":{\"message\":\"\",\"type\":\"server_error\",\"param\":null,"
		  "\"code\":null}}" },
		{ 429, ": x", "{\"error\":{\"message\":\": x\",\"type\":\"rate_limit_error\","
		  "\"param\":null,\"code\":\"rate_limit_exceeded\"}}" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = BUF(KB);

		openai_add_error(&b, rows[i].status, str_of(rows[i].words));
		CHECK_STR(buf_str(&b), rows[i].error);
		buf_release(&b);
	}
}

/* Goal: what cannot be followed is refused by name; what asks for it anyway is not. */
TEST(parameters_are_checked)
{
	static const struct { unsigned where; const char *body, *error; } rows[] = {
		{ OPENAI_CHAT, "{\"n\":1,\"top_p\":1.0,\"stop\":null,\"seed\":[],\"tools\":[]}", "" },
		{ OPENAI_CHAT, "{\"n\":2}", "n: not supported (the agent answers once); leave it "
		  "out or send 1" },
		{ OPENAI_CHAT, "{\"mesages\":[]}", "mesages: not known here; did you mean messages" },
		{ OPENAI_CHAT, "{\"input\":\"x\"}", "input: not known here" },
		{ OPENAI_RESPONSES, "{\"messages\":[]}", "messages: not known here" },
		{ OPENAI_RESPONSES, "{\"prompt\":{}}", "prompt: not supported (templates of prompts "
		  "belong to the agent); leave it out or send null" },
		{ OPENAI_RESPONSES, "{\"text\":{\"verbosity\":\"medium\",\"format\":{\"type\":\"text\"}},"
		  "\"top_logprobs\":0.0}", "" },
		{ OPENAI_RESPONSES, "{\"reasoning\":{\"effort\":\"low\"}}", "reasoning: not supported (the "
		  "agent's file says how its models reason); leave it out or send {}" },
		{ OPENAI_CHAT, "{\"stop\":[\"x\"]}", "stop: not supported (not a setting of a run); "
		  "leave it out or send []" },
		{ OPENAI_RESPONSES, "{\"store\":true,\"text\":{\"format\":{\"type\":\"text\"}}}", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct asked a;
		struct call *c = ask(&a, "", rows[i].body);

		openai_check(c, rows[i].where);
		CHECK_STR(str_of(c->err.text), rows[i].error);
		CHECK_RC(asked_end(&a), rows[i].error[0] == '\0' ? OK : ERR_INVALID);
	}
}

/* Goal: parts of a response's input become those of a chat completion. */
TEST(input_becomes_messages)
{
	static const struct { const char *body, *messages; } rows[] = {
		{ "{\"input\":\"a\\\"b\"}", "[{\"role\":\"user\",\"content\":\"a\\\"b\"}]" },
		{ "{\"input\":[{\"type\":\"message\",\"role\":\"developer\",\"content\":[{\"type\":"
		  "\"input_text\",\"text\":\"t\"},{\"type\":\"input_image\",\"image_url\":\"u\"},"
		  "{\"type\":\"refusal\",\"refusal\":\"r\"},{\"type\":\"input_file\",\"filename\":"
		  "\"f\",\"file_data\":\"d\"}]}]}",
		  "[{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"t\"},{\"type\":"
		  "\"image_url\",\"image_url\":{\"url\":\"u\"}},{\"type\":\"text\",\"text\":\"r\"},"
		  "{\"type\":\"file\",\"file\":{\"filename\":\"f\",\"file_data\":\"d\"}}]}]" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = BUF(4 * KB);
		struct asked a;
		struct call *c = ask(&a, "", rows[i].body);

		openai_add_input(c, &b);
		CHECK_STR(buf_str(&b), rows[i].messages);
		CHECK_RC(asked_end(&a), OK);
		buf_release(&b);
	}
}

/* Goal: a question is told as people would ask it. */
TEST(questions_are_text)
{
	static const struct { const char *interrupts, *text; } rows[] = {
		{ "[{\"value\":\"Sure?\"}]", "Sure?" },
		{ "[{\"value\":{\"prompt\":\"Pay?\",\"options\":[\"yes\",2]}}]", "Pay? (yes / 2)" },
		{ "[{\"value\":{\"question\":\"a\"}},{\"value\":{\"message\":\"b\"}}]", "a\n\nb" },
		{ "[{\"value\":{\"x\":[1]}}]", "{\"x\":[1]}" },
		{ "[]", "" }, { "", "" }, { "{", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = BUF(KB);

		door_add_questions(&b, str_of(rows[i].interrupts));
		CHECK_STR(buf_str(&b), rows[i].text);
		buf_release(&b);
	}
}

/* Goal: what a response needs beside its run comes back from the run's metadata. */
TEST(a_response_is_read_back)
{
	struct response r = { .model = S("m \"1\""), .previous = S("resp_x"),
	    .metadata_json = S("{\"a\":\"b\"}"), .background = true }, back;
	struct store_run run = { .graph_id = S("g"), .status = RUN_SUCCESS };
	struct arena a = ARENA(64 * KB);
	struct buf b = BUF(4 * KB);
	struct uuid id;

	response_add_metadata(&b, &r);
	run.metadata_json = buf_str(&b);
	response_read(&back, &run, &a);
	CHECK(str_eq(back.model, r.model) && str_eq(back.previous, r.previous));
	CHECK(str_eq(back.metadata_json, r.metadata_json) && back.background);
	CHECK(back.instructions.n == 0 && !back.conversation);
	run.metadata_json = S("{\"openai_response\":5}");
	response_read(&back, &run, &a);
	CHECK_STR(back.model, "g");
	CHECK(response_id_parse(S("resp_01a22f4f-27f8-7ed9-9967-95776feebb4d"), "resp_", &id));
	CHECK(response_id_parse(S("01a22f4f-27f8-7ed9-9967-95776feebb4d"), "resp_", &id));
	CHECK(!response_id_parse(S("conv_01a22f4f-27f8-7ed9-9967-95776feebb4d"), "resp_", &id));
	CHECK_STR(response_incomplete(S("max_tokens")), "max_output_tokens");
	CHECK_STR(response_incomplete(S("end_turn")), "");
	arena_release(&a);
	buf_release(&b);
}
