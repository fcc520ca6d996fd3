/*
 * task_calls.c - the calls of an ai message: what runs, what is answered instead,
 * what a person decides.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task_fix.h"

static const char agent[] =
    "id: t\n"
    "state: {messages: {reducer: messages}}\n"
    "tools: {search: {description: finds, schema: {type: object}, "
    "reply: \"`found ${input.q}`\"}}\n"
    "nodes: {n: {tools: {}}, m: {llm: {tools: [secret]}}}\n"
    "edges: [[START, n], [n, m], [m, END]]\n";

#define CALL(id, name, args) "{\"id\":\"" id "\",\"name\":\"" name "\",\"args\":" args "}"
#define ASKS(calls, invalid)                                                \
	"[{\"content\":\"\",\"id\":\"m1\",\"tool_calls\":[" calls "],"      \
	"\"invalid_tool_calls\":[" invalid "],\"type\":\"ai\"}]"
#define ANSWER(id, name, status, content)                                   \
	"{\"status\":\"" status "\",\"content\":\"" content "\",\"tool_call_id\":\"" id \
	"\",\"name\":\"" name "\",\"metadata\":{\"versions\":{\"cohort\":\"" \
	COHORT_VERSION "\"}},\"additional_kwargs\":{},\"response_metadata\":{},\"id\":" \
	"\"run-*-tool-" id "\",\"type\":\"tool\"}"

static void
open_with(struct bed *b, const char *messages)
{
	bed_open(b, agent);
	b->defaults.all_tools = true;
	bed_set(b, "messages", messages);
}

/* The messages that are written. */
static void
check_calls(struct bed *b, const char *answers)
{
	struct buf want = BUF(MB);

	buf_add_fmt(&want, "done [%s] [[\"messages\",[%s]]]", answers, answers);
	CHECK_STR(bed_text(b), want.p);
	buf_release(&want);
}

TEST(calls_run_side_by_side_and_stay_in_order)
{
	struct bed b;

	open_with(&b, ASKS(CALL("c1", "echo", "{\"x\":1}") "," CALL("c2", "search",
	    "{\"q\":\"v\"}") "," CALL("c3", "hidden", "{}") "," CALL("c4", "broken", "{}"), ""));
	bed_start(&b, "n");
	CHECK_INT(b.events_n, 3);
	while (bed_step_at(&b, b.events_n - 1))
		;
	check_calls(&b, ANSWER("c1", "echo", "success", "{\\\"x\\\":1}") ","
	    ANSWER("c2", "search", "success", "found v") ","
	    ANSWER("c3", "hidden", "success", "{}") ","
	    ANSWER("c4", "broken", "error", "it is broken"));
	CHECK(bed_told(&b, "tool start c1 echo {\"x\":1}\n"));
	CHECK(bed_told(&b, "tool end c2 search {"));
	CHECK(bed_told(&b, "tool error c4 broken \"it is broken\"\n"));
	bed_close(&b);
}

TEST(calls_that_cannot_be_made_are_answered)
{
	struct bed b;

	open_with(&b, ASKS(CALL("c1", "nowhere", "{}"),
	    "{\"id\":\"c2\",\"name\":\"echo\",\"args\":\"{\\\"x\\\":\",\"error\":\"cut off\"}"));
	bed_run(&b, "n");
	check_calls(&b, ANSWER("c1", "nowhere", "error", "Error: there is no tool \\\"nowhere"
	    "\\\" here. Available: search, current_time, store_put, store_search, echo, note, "
	    "broken, hidden") "," ANSWER("c2", "echo", "error", "Error: the call was not "
	    "made. cut off. Arguments are one complete JSON object; these were: {\\\"x\\\":"));
	bed_close(&b);
}

TEST(calls_are_limited_to_the_tools_of_the_run)
{
	struct bed b;

	open_with(&b, ASKS(CALL("c1", "echo", "{}"), ""));
	b.defaults.all_tools = false;
	bed_run(&b, "n");
	check_calls(&b, ANSWER("c1", "echo", "error", "Error: there is no tool \\\"echo\\\" "
	    "here. Available: search, hidden"));
	bed_close(&b);
}

TEST(calls_without_an_ai_message_are_none)
{
	struct bed b;

	bed_open(&b, agent);
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "done [] []");
	bed_close(&b);
}

TEST(calls_that_were_recorded_are_not_made_again)
{
	struct bed b;

	open_with(&b, ASKS(CALL("c1", "note", "{}") "," CALL("c2", "note", "{}"), ""));
	bed_start(&b, "n");
	CHECK_INT(b.events_n, 2);            /* two starts to be committed */
	bed_step(&b);
	bed_step(&b);
	CHECK_INT(b.notes, 0);
	bed_step(&b);                        /* c1 runs, and is recorded */
	CHECK_INT(b.notes, 1);
	bed_crash(&b, 0);
	bed_run(&b, "n");
	CHECK_INT(b.notes, 1);
	check_calls(&b, ANSWER("c1", "note", "success", "noted") "," ANSWER("c2", "note",
	    "error", "Error: unknown_outcome. The server stopped while this call was under "
	    "way; it may or may not have taken effect. It was not repeated."));
	bed_close(&b);
}

TEST(calls_that_cannot_be_recorded_are_not_made)
{
	struct bed b;

	open_with(&b, ASKS(CALL("c1", "note", "{}"), ""));
	b.no_journal = true;
	bed_run(&b, "n");
	CHECK_INT(b.notes, 0);
	check_calls(&b, ANSWER("c1", "note", "error",
	    "The call was not made: it could not be recorded."));
	bed_close(&b);
	open_with(&b, ASKS(CALL("c1", "note", "{}"), ""));
	b.host.record_start = NULL;          /* a run without a thread */
	b.host.record_done = NULL;
	bed_run(&b, "n");
	CHECK_INT(b.notes, 1);
	bed_close(&b);
}

TEST(calls_outlive_a_task_that_is_stopped)
{
	struct bed b;

	open_with(&b, ASKS(CALL("c1", "echo", "{}") "," CALL("c2", "note", "{}"), ""));
	bed_start(&b, "n");
	CHECK_INT(b.events_n, 2);
	bed_crash(&b, 0);                    /* both come back to nobody */
	bed_close(&b);
}

/* ---- review -------------------------------------------------------------------------- */

#define REVIEWED ASKS(CALL("c1", "echo", "{\"x\":1}") "," CALL("c2", "note",   \
	"{\"x\":[1,{}]}") "," CALL("c3", "search", "{\"q\":\"v\"}"), "")

static void
open_review(struct bed *b)
{
	open_with(b, REVIEWED);
	bed_config(b, "{\"configurable\":{\"interrupt_on\":{\"note\":true,\"search\":"
	    "{\"allowed_decisions\":[\"approve\",\"reject\"],\"description\":\"Look?\"},"
	    "\"echo\":false}}}");
	bed_run(b, "n");
	CHECK_INT(b->end, BED_WAITS);
	CHECK_INT(b->events_n, 0);
}

TEST(review_asks_once_for_all_calls_of_a_message)
{
	struct bed b;

	open_review(&b);
	CHECK_STR(bed_text(&b), "waits  {\"action_requests\":[{\"name\":\"note\",\"args\":"
	    "{\"x\":[1,{}]},\"description\":\"Tool execution requires approval\\n\\nTool: "
	    "note\\nArgs: {\\n  \\\"x\\\": [\\n    1,\\n    {}\\n  ]\\n}\"},"
	    "{\"name\":\"search\",\"args\":{\"q\":\"v\"},\"description\":\"Look?\"}],"
	    "\"review_configs\":[{\"action_name\":\"note\",\"allowed_decisions\":"
	    "[\"approve\",\"edit\",\"reject\",\"respond\"],\"args_schema\":{\"type\":"
	    "\"object\",\"properties\":{\"x\":{}}}},"
	    "{\"action_name\":\"search\",\"allowed_decisions\":[\"approve\",\"reject\"],"
	    "\"args_schema\":{\"type\":\"object\"}}]}");
	bed_close(&b);
}

TEST(review_decisions_are_done)
{
	struct bed b;

	open_review(&b);
	bed_answer(&b, "", "{\"decisions\":[{\"type\":\"edit\",\"edited_action\":"
	    "{\"name\":\"echo\",\"args\":{\"x\":9}}},{\"type\":\"reject\"}]}");
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "done [" ANSWER("c1", "echo", "success", "{\\\"x\\\":1}") ","
	    ANSWER("c2", "echo", "success", "{\\\"x\\\":9}") ","
	    ANSWER("c3", "search", "error", "User rejected the tool call for `search` with "
	    "id c3") "] [[\"messages\",[{\"content\":\"\",\"id\":\"m1\",\"tool_calls\":["
	    CALL("c1", "echo", "{\"x\":1}") "," CALL("c2", "echo", "{\"x\":9}") ","
	    CALL("c3", "search", "{\"q\":\"v\"}") "],\"invalid_tool_calls\":[],"
	    "\"additional_kwargs\":{},\"response_metadata\":{},\"type\":\"ai\"}," ANSWER("c1", "echo", "success", "{\\\"x\\\":1}") ","
	    ANSWER("c2", "echo", "success", "{\\\"x\\\":9}") ","
	    ANSWER("c3", "search", "error", "User rejected the tool call for `search` with "
	    "id c3") "]]]");
	CHECK_INT(b.notes, 0);
	bed_close(&b);
	open_review(&b);
	bed_answer(&b, "", "{\"decisions\":[{\"type\":\"respond\",\"message\":\"as if\"},"
	    "{\"type\":\"reject\",\"message\":\"not now\"}]}");
	bed_run(&b, "n");
	check_calls(&b, ANSWER("c1", "echo", "success", "{\\\"x\\\":1}") ","
	    ANSWER("c2", "note", "success", "as if") ","
	    ANSWER("c3", "search", "error", "not now"));
	bed_close(&b);
	open_review(&b);
	bed_answer(&b, "", "{\"decisions\":[{\"type\":\"approve\"},{\"type\":\"approve\"}]}");
	bed_run(&b, "n");
	CHECK_INT(b.notes, 1);
	CHECK_INT(b.end, BED_DONE);
	bed_close(&b);
}

TEST(review_wants_a_decision_for_each_request)
{
	static const struct { const char *answer, *text; } bad[] = {
		{ "{\"decisions\":[{\"type\":\"approve\"}]}", "failed ValueError "
		    "error.execution Number of human decisions (1) does not match number of "
		    "hanging tool calls (2)." },
		{ "true", "failed ValueError error.execution Invalid answer: expected "
		    "{decisions: [...]}, one for each action request" },
		{ "{\"decisions\":[{\"type\":\"approve\"},{\"type\":\"edit\"}]}", "failed "
		    "ValueError error.execution Unexpected human decision: type \"edit\" is not "
		    "allowed for tool \"search\". Expected one of [\"approve\",\"reject\"]" },
		{ "{\"decisions\":[{\"type\":\"edit\"},{\"type\":\"approve\"}]}", "failed "
		    "ValueError error.execution Invalid edited action for tool \"note\": "
		    "expected {name: string, args: object}" },
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct bed b;

		open_review(&b);
		bed_answer(&b, "", bad[i].answer);
		bed_run(&b, "n");
		CHECK_STR(bed_text(&b), bad[i].text);
		CHECK_INT(b.notes, 0);
		bed_close(&b);
	}
}

TEST(review_is_the_only_question_that_is_choosy)
{
	struct val question = val_json_trusted(S("{\"prompt\":\"sure?\"}"));
	struct val answer = val_json_trusted(S("{\"decisions\":7}"));
	struct val half = val_json_trusted(S("{\"action_requests\":[1],\"review_configs\":[]}"));
	struct val whole = val_json_trusted(S("{\"action_requests\":[7],"
	    "\"review_configs\":[null]}"));
	struct val list = val_json_trusted(S("{\"decisions\":[null]}"));
	struct err e;

	CHECK_RC(task_answer_check(question, answer, &e), OK);
	CHECK_RC(task_answer_check(half, answer, &e), OK);
	CHECK_RC(task_answer_check(VAL_NIL, VAL_UNDEF, &e), OK);
	CHECK_RC(task_answer_check(whole, answer, &e), ERR_INVALID);
	CHECK_RC(task_answer_check(whole, list, &e), ERR_INVALID);
	val_drop(question);
	val_drop(answer);
	val_drop(half);
	val_drop(whole);
	val_drop(list);
}
