/*
 * run_frame.c - events as they stand on the wire: the members and their order
 * are those of the reference server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/json.h"
#include "harness/test.h"
#include "run/chunk_priv.h"
#include "run/partial_priv.h"
#include "run/run.h"

#define MEMBERS "\"created_by\":\"system\",\"graph_id\":\"agent\""
#define TASK "01020304-0506-0708-090a-0b0c0d0e0f10"
#define PLACE MEMBERS ",\"langgraph_step\":1,\"langgraph_node\":\"agent\"," \
	"\"langgraph_triggers\":[\"branch:to:agent\"]," \
	"\"langgraph_path\":[\"__pregel_pull\",\"agent\"]," \
	"\"langgraph_checkpoint_ns\":\"agent:" TASK "\",\"checkpoint_ns\":\"agent:" TASK "\""
#define MODEL "\"ls_integration\":\"langchain_chat_model\"," PLACE \
	",\"ls_provider\":\"openai\",\"ls_model_name\":\"mock-gpt\"," \
	"\"ls_model_type\":\"chat\",\"versions\":{\"cohort\":\"" COHORT_VERSION "\"}}"
#define END "\"id\":\"m1\",\"response_metadata\":{\"model_provider\":\"openai\"," \
	"\"usage\":{}},"

static struct frame_place
place(void)
{
	return (struct frame_place){ .run_members = S(MEMBERS), .node = S("agent"),
	    .task_ns = S("agent:" TASK), .step = 1 };
}

static void
check_block(struct sse_block *b, const char *expected)
{
	CHECK_STR(((struct str){ b->bytes, b->n }), expected);
	sse_block_drop(b);
}

TEST(frame_lines_are_event_data_id)
{
	struct str data[] = { S("{\"a\":"), S("1}") };

	check_block(frame_make(S("values"), data, 2, 0),
	    "event: values\ndata: {\"a\":1}\nid: 0\n\n");
	check_block(frame_make(S("values"), data, 2, 1234567890123),
	    "event: values\ndata: {\"a\":1}\nid: 1234567890123\n\n");
	check_block(frame_make(S("values"), data, 2, FRAME_NO_ID),
	    "event: values\ndata: {\"a\":1}\n\n");
}

TEST(frame_text_is_read_back_frame_by_frame)
{
	struct str rest = S("event: metadata\ndata: {}\nid: 0\n\n"
	    "event: messages/partial\ndata: []\nid: 17\n\nevent: values\ndata: {}\n\nevent");
	struct str frame, event;
	int64_t id;

	CHECK(frame_next(&rest, &frame, &event, &id));
	CHECK_STR(event, "metadata");
	CHECK_INT(id, 0);
	CHECK_INT(frame_mode(event), MODE_META);
	CHECK(frame_next(&rest, &frame, &event, &id));
	CHECK_STR(frame, "event: messages/partial\ndata: []\nid: 17\n\n");
	CHECK_INT(id, 17);
	CHECK_INT(frame_mode(event), MODE_MESSAGES);
	CHECK(frame_next(&rest, &frame, &event, &id));
	CHECK_INT(id, FRAME_NO_ID);
	CHECK_INT(frame_mode(event), MODE_VALUES);
	CHECK(!frame_next(&rest, &frame, &event, &id));
	CHECK_INT(frame_mode(S("messages")), MODE_MESSAGES_TUPLE);
}

static struct chunks
chunks_new(void)
{
	struct chunk_spec s = { .id = S("m1"), .at = place(), .provider = S("openai"),
	    .model = S("mock-gpt"), .modes = MODE_MESSAGES_TUPLE };
	struct chunks c;

	chunks_init(&c, &s);
	return c;
}

TEST(tuple_text_goes_through_as_it_came)
{
	struct chunks c = chunks_new();
	struct llm_delta d = { .kind = LLM_DELTA_TEXT, .text_raw = S(" a \\\"b\\u00e9\\n") };

	check_block(chunk_frame(&c, &c.tuple, &d, 5), "event: messages\n"
	    "data: [{\"content\":\" a \\\"b\\u00e9\\n\",\"tool_call_chunks\":[],"
	    "\"additional_kwargs\":{}," END "\"tool_calls\":[],\"invalid_tool_calls\":[],"
	    "\"type\":\"ai\"},{\"tags\":[]," MODEL "]\nid: 5\n\n");
	d = (struct llm_delta){ .kind = LLM_DELTA_START };
	check_block(chunk_frame(&c, &c.tuple, &d, 1), "event: messages\n"
	    "data: [{\"content\":\"\",\"tool_call_chunks\":[],\"additional_kwargs\":{}," END
	    "\"tool_calls\":[],\"invalid_tool_calls\":[],\"type\":\"ai\"},"
	    "{\"tags\":[]," MODEL "]\nid: 1\n\n");
	chunks_release(&c);
}

TEST(tuple_tool_pieces_are_calls_or_malformed)
{
	struct chunks c = chunks_new();
	struct llm_delta first = { .kind = LLM_DELTA_TOOL, .id_raw = S("call_1"),
	    .name_raw = S("get_weather"), .args_raw = S("") };
	struct llm_delta next = { .kind = LLM_DELTA_TOOL, .args_raw = S("{\\\"ci") };

	check_block(chunk_frame(&c, &c.tuple, &first, 3), "event: messages\n"
	    "data: [{\"content\":\"\",\"tool_call_chunks\":[{\"name\":\"get_weather\","
	    "\"args\":\"\",\"id\":\"call_1\",\"index\":0,\"type\":\"tool_call_chunk\"}],"
	    "\"additional_kwargs\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\","
	    "\"type\":\"function\",\"function\":{\"name\":\"get_weather\","
	    "\"arguments\":\"\"}}]}," END "\"tool_calls\":[{\"name\":\"get_weather\","
	    "\"args\":{},\"id\":\"call_1\",\"type\":\"tool_call\"}],"
	    "\"invalid_tool_calls\":[],\"type\":\"ai\"},{\"tags\":[]," MODEL "]\nid: 3\n\n");
	check_block(chunk_frame(&c, &c.tuple, &next, 4), "event: messages\n"
	    "data: [{\"content\":\"\",\"tool_call_chunks\":[{\"args\":\"{\\\"ci\",\"index\":0,"
	    "\"type\":\"tool_call_chunk\"}],\"additional_kwargs\":{\"tool_calls\":["
	    "{\"index\":0,\"function\":{\"arguments\":\"{\\\"ci\"}}]}," END
	    "\"tool_calls\":[],\"invalid_tool_calls\":[{\"name\":\"\",\"args\":\"{\\\"ci\","
	    "\"error\":\"Malformed args.\",\"type\":\"invalid_tool_call\"}],"
	    "\"type\":\"ai\"},{\"tags\":[]," MODEL "]\nid: 4\n\n");
	chunks_release(&c);
}

TEST(tuple_tells_thoughts_and_the_end_of_an_answer)
{
	struct chunks c = chunks_new();
	struct llm_delta thought = { .kind = LLM_DELTA_REASONING, .text_raw = S("h\\u00e9 \\\"") };
	struct llm_delta finish = { .kind = LLM_DELTA_FINISH, .finish_raw = S("length"),
	    .model_raw = S("m-1") };
	struct llm_delta silent = { .kind = LLM_DELTA_FINISH };

	check_block(chunk_frame(&c, &c.tuple, &thought, 2), "event: messages\n"
	    "data: [{\"content\":\"\",\"tool_call_chunks\":[],\"additional_kwargs\":"
	    "{\"reasoning_content\":\"h\\u00e9 \\\"\"}," END "\"tool_calls\":[],"
	    "\"invalid_tool_calls\":[],\"type\":\"ai\"},{\"tags\":[]," MODEL "]\nid: 2\n\n");
	check_block(chunk_frame(&c, &c.tuple, &finish, 7), "event: messages\n"
	    "data: [{\"content\":\"\",\"tool_call_chunks\":[],\"additional_kwargs\":{},"
	    "\"id\":\"m1\",\"response_metadata\":{\"model_provider\":\"openai\",\"usage\":{},"
	    "\"finish_reason\":\"length\",\"model_name\":\"m-1\"},\"tool_calls\":[],"
	    "\"invalid_tool_calls\":[],\"type\":\"ai\"},{\"tags\":[]," MODEL "]\nid: 7\n\n");
	check_block(chunk_frame(&c, &c.tuple, &silent, 8), "event: messages\n"
	    "data: [{\"content\":\"\",\"tool_call_chunks\":[],\"additional_kwargs\":{}," END
	    "\"tool_calls\":[],\"invalid_tool_calls\":[],\"type\":\"ai\"},"
	    "{\"tags\":[]," MODEL "]\nid: 8\n\n");
	chunks_release(&c);
}

TEST(partial_message_has_thoughts_extras_and_its_end)
{
	struct chunks c = chunks_new();
	struct llm_delta deltas[] = {
		{ .kind = LLM_DELTA_REASONING, .text_raw = S("let ") },
		{ .kind = LLM_DELTA_REASONING, .text_raw = S("me") },
		{ .kind = LLM_DELTA_TOOL, .id_raw = S("c"), .name_raw = S("get_"),
		  .extra = S("{\"x\":1}") },
		{ .kind = LLM_DELTA_TOOL, .name_raw = S("time"), .args_raw = S("{}") },
		{ .kind = LLM_DELTA_FINISH, .finish_raw = S("tool_calls"), .model_raw = S("m-1") },
		{ .kind = LLM_DELTA_USAGE, .usage_raw = S("{\"prompt_tokens\":9223372036854775807,"
		    "\"completion_tokens\":2.0}") },
	};

	for (size_t i = 0; i < COUNT(deltas); i++)
		chunk_collect(&c, &deltas[i]);
	check_block(chunk_partial(&c, 9), "event: messages/partial\n"
	    "data: [{\"content\":\"\",\"additional_kwargs\":{\"tool_calls\":[{\"index\":0,\"id\":"
	    "\"c\",\"type\":\"function\",\"function\":{\"name\":\"get_time\",\"arguments\":\"{}\"},"
	    "\"extra_content\":{\"x\":1}}],\"reasoning_content\":\"let me\"},"
	    "\"response_metadata\":{\"model_provider\":\"openai\",\"usage\":{\"prompt_tokens\":"
	    "9223372036854775807,\"completion_tokens\":2.0},\"finish_reason\":\"tool_calls\","
	    "\"model_name\":\"m-1\"},\"tool_call_chunks\":[{\"name\":\"get_time\",\"args\":\"{}\","
	    "\"id\":\"c\",\"index\":0,\"type\":\"tool_call_chunk\"}],\"tool_calls\":[{\"name\":"
	    "\"get_time\",\"args\":{},\"id\":\"c\",\"type\":\"tool_call\"}],\"id\":\"m1\","
	    "\"usage_metadata\":{\"input_tokens\":9007199254740991,\"output_tokens\":2,"
	    "\"total_tokens\":9007199254740993,\"input_token_details\":{},"
	    "\"output_token_details\":{}},\"invalid_tool_calls\":[],\"type\":\"ai\"}]\nid: 9\n\n");
	chunks_release(&c);
}

#define USAGE "{\"prompt_tokens\":11,\"completion_tokens\":5,\"total_tokens\":16," \
	"\"prompt_tokens_details\":{\"cached_tokens\":0}," \
	"\"completion_tokens_details\":{\"reasoning_tokens\":0}}"
#define USAGE_METADATA "{\"input_tokens\":11,\"output_tokens\":5,\"total_tokens\":16," \
	"\"input_token_details\":{\"cache_read\":0},\"output_token_details\":{\"reasoning\":0}}"

TEST(tuple_usage_comes_as_an_empty_chunk)
{
	struct chunks c = chunks_new();
	struct llm_delta d = { .kind = LLM_DELTA_USAGE, .usage_raw = S(USAGE) };

	check_block(chunk_frame(&c, &c.tuple, &d, 8), "event: messages\n"
	    "data: [{\"content\":\"\",\"response_metadata\":{\"usage\":" USAGE "},"
	    "\"usage_metadata\":" USAGE_METADATA ",\"tool_calls\":[],"
	    "\"invalid_tool_calls\":[],\"tool_call_chunks\":[],\"additional_kwargs\":{},"
	    "\"id\":\"m1\",\"type\":\"ai\"},{\"tags\":[]," MODEL "]\nid: 8\n\n");
	chunks_release(&c);
}

TEST(partial_message_grows_with_text_and_usage)
{
	struct frame_place at = place();
	struct chunks c = chunks_new();
	struct llm_delta hello = { .kind = LLM_DELTA_TEXT, .text_raw = S("Hello") };
	struct llm_delta from = { .kind = LLM_DELTA_TEXT, .text_raw = S(" from") };
	struct llm_delta usage = { .kind = LLM_DELTA_USAGE, .usage_raw = S(USAGE) };

	check_block(chunk_metadata(&c, &at, S("mock-gpt"), 2), "event: messages/metadata\n"
	    "data: {\"m1\":{\"metadata\":{" MODEL "}}\nid: 2\n\n");
	chunk_collect(&c, &hello);
	chunk_collect(&c, &from);
	check_block(chunk_partial(&c, 5), "event: messages/partial\n"
	    "data: [{\"content\":\"Hello from\",\"additional_kwargs\":{},"
	    "\"response_metadata\":{\"model_provider\":\"openai\",\"usage\":{}},"
	    "\"tool_call_chunks\":[],\"tool_calls\":[],\"id\":\"m1\","
	    "\"invalid_tool_calls\":[],\"type\":\"ai\"}]\nid: 5\n\n");
	chunk_collect(&c, &usage);
	check_block(chunk_partial(&c, 6), "event: messages/partial\n"
	    "data: [{\"content\":\"Hello from\",\"additional_kwargs\":{},"
	    "\"response_metadata\":{\"model_provider\":\"openai\",\"usage\":" USAGE "},"
	    "\"tool_call_chunks\":[],\"tool_calls\":[],\"id\":\"m1\",\"usage_metadata\":"
	    USAGE_METADATA ",\"invalid_tool_calls\":[],\"type\":\"ai\"}]\nid: 6\n\n");
	chunks_release(&c);
}

TEST(partial_message_shows_arguments_as_far_as_they_are)
{
	static const char *const pieces[] = { "", "{\\\"ci", "ty\\\":\\\"", "Paris\\\"}" };
	static const char *const args[] = { "{}", "{}", "{\"city\":\"\"}", "{\"city\":\"Paris\"}" };
	struct chunks c = chunks_new();

	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct llm_delta d = { .kind = LLM_DELTA_TOOL, .args_raw = str_of(pieces[i]) };
		struct buf expected = BUF(1024);
		struct sse_block *b;

		if (i == 0) {
			d.id_raw = S("call_1");
			d.name_raw = S("get_weather");
		}
		chunk_collect(&c, &d);
		b = chunk_partial(&c, 0);
		buf_add_fmt(&expected, "\"tool_calls\":[{\"name\":\"get_weather\",\"args\":%s,"
		    "\"id\":\"call_1\",\"type\":\"tool_call\"}],\"id\":\"m1\","
		    "\"invalid_tool_calls\":[]", args[i]);
		CHECK(str_contains((struct str){ b->bytes, b->n }, buf_str(&expected)));
		buf_release(&expected);
		sse_block_drop(b);
	}
	chunks_release(&c);
}

TEST(partial_object_closes_what_is_open)
{
	static const char *const rows[][2] = {
		{ "", "{}" }, { "{", "{}" }, { "{\"", "{}" }, { "{\"a", "{}" },
		{ "{\"a\"", "{}" }, { "{\"a\":", "{}" }, { "{\"a\":1", "{\"a\":1}" },
		{ "{\"a\":-", "{}" }, { "{\"a\":1.", "{}" }, { "{\"a\":tr", "{}" },
		{ "{\"a\":true", "{\"a\":true}" }, { "{\"a\":1,", "{\"a\":1}" },
		{ "{\"a\":1,\"b", "{\"a\":1}" }, { "{\"a\":1,\"b\":tru", "{\"a\":1}" },
		{ "{\"a\":\"x", "{\"a\":\"x\"}" }, { "{\"a\":\"x\\", "{\"a\":\"x\"}" },
		{ "{\"a\":\"x\\u00", "{\"a\":\"x\"}" }, { "{\"a\":\"x\\\"", "{\"a\":\"x\\\"\"}" },
		{ "{\"a\":[1,2", "{\"a\":[1,2]}" }, { "{\"a\":[1,", "{\"a\":[1]}" },
		{ "{\"a\":[{\"b\":\"c\"}", "{\"a\":[{\"b\":\"c\"}]}" },
		{ "{\"a\":{\"b\":{", "{\"a\":{\"b\":{}}}" }, { " {\"a\" : 1 } ", "{\"a\":1}" },
	};
	static const char *const wrong[] = { "[", "12", "\"x", "{]", "{\"a\":1}}", "x{" };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out = BUF(256);

		if (!partial_object(str_of(rows[i][0]), &out))
			test_fail(__FILE__, __LINE__, "%s is refused", rows[i][0]);
		CHECK_STR(buf_str(&out), rows[i][1]);
		buf_release(&out);
	}
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct buf out = BUF(256);

		if (partial_object(str_of(wrong[i]), &out))
			test_fail(__FILE__, __LINE__, "%s is taken", wrong[i]);
		CHECK_INT(out.n, 0);
		buf_release(&out);
	}
}
