/*
 * run_whole.c - whole runs on a real shard with a memory store and a scripted
 * model: what clients see, in which order, and what is left behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/mem.h"
#include "run_fix.h"

#define RULES "{\"rules\":[" \
	"{\"match\":\"fail500\",\"status\":500}," \
	"{\"match\":\"fail429\",\"status\":429}," \
	"{\"match\":\"echo\",\"tool_calls\":[{\"name\":\"echo\",\"args\":{}}]}," \
	"{\"match\":\"notes\",\"tool_calls\":[{\"name\":\"note\"},{\"name\":\"note\"}]}," \
	"{\"match\":\"ghost\",\"tool_calls\":[{\"name\":\"ghost\"}]}," \
	"{\"match\":\"hold\",\"reply\":\"one two three\",\"token_ms\":600000}," \
	"{\"match\":\"silent\",\"reply\":\"x\",\"ttft_ms\":600000}," \
	"{\"match\":{\"last\":\"an echo\",\"role\":\"tool\"},\"reply\":\"It said so .\"}" \
	"],\"default\":{\"reply\":\"Hello from mock LLM .\"}}"

/* A tool turn whose second answer fails. */
#define LATE_FAILURE \
	"{\"match\":\"echo\",\"tool_calls\":[{\"name\":\"echo\",\"args\":{}}]}," \
	"{\"match\":{\"role\":\"tool\"},\"status\":500}"

#define ALL (MODE_VALUES | MODE_UPDATES | MODE_MESSAGES_TUPLE | MODE_MESSAGES)

TEST(run_values_then_three_checkpoints)
{
	struct store_history_item *h;
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = HI, .modes = MODE_VALUES }), OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata values*2");
	ear_check_ids(&x, 0);
	CHECK(ear_has(&x, "event: values\ndata: {\"messages\":[{\"content\":\"hi\","
	    "\"id\":\"h1\",\"additional_kwargs\":{},\"response_metadata\":{},"
	    "\"type\":\"human\"}]}\nid: 1\n\n"));
	CHECK(ear_has(&x, "{\"content\":\"Hello from mock LLM .\",\"additional_kwargs\":{}"));
	CHECK_INT(x.status, RUN_SUCCESS);
	CHECK_INT(x.values.n, 0);        /* who streams has them already */
	CHECK_INT(history(&f, &x.thread_id, &h), 3);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(h[i].c.step, 1 - i);
		CHECK_INT(h[i].messages_n, i == 0 ? 2 : i == 1 ? 1 : 0);
		CHECK_INT(h[i].c.source, i == 2 ? SOURCE_INPUT : SOURCE_LOOP);
	}
	CHECK_STR(h[0].c.next, "");
	CHECK_STR(h[1].c.next, "agent");
	CHECK_STR(h[2].c.next, "__start__");
	CHECK(h[1].has_result && h[1].result_n == 1);
	CHECK_INT(run_row(&f, &x.run_id).status, RUN_SUCCESS);
	CHECK_INT(thread_row(&f, &x.thread_id).status, THREAD_IDLE);
	ear_free(&x);
	/* The next run goes on from there. */
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("again"), .modes = MODE_VALUES }), OK);
	ear_until_end(&x);
	CHECK_INT(history(&f, &x.thread_id, &h), 6);
	CHECK_INT(h[0].c.step, 4);
	CHECK_INT(h[2].c.step, 2);
	CHECK_INT(h[2].c.source, SOURCE_INPUT);
	CHECK_INT(h[0].messages_n, 4);
	CHECK(str_starts(buf_str(&x.values), S("{\"messages\":[{\"content\":\"hi\"")));
	ear_free(&x);
	fix_close(&f);
}

/* Goal: its row and its end; the checkpoints in between ride along, one commit
 * more for each time that they may not wait any longer. */
TEST(run_waiting_costs_two_commits)
{
	const nsec linger = LIMIT_WRITER_LINGER_MS * NS_PER_MS;
	struct fix f;

	fix_open(&f, "sqlite", 1, RULES);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t before = commits(&f);
		nsec begin = clock_mono();
		uint64_t cost;
		struct ear x;

		CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){
		    .thread = thread_no(i), .input = HI, .modes = MODE_VALUES }), OK);
		ear_until_end(&x);
		cost = commits(&f) - before;
		if (cost < 2 || cost > 2 + (uint64_t)((clock_mono() - begin) / linger))
			test_fail(__FILE__, __LINE__, "%llu commits",
			    (unsigned long long)cost);
		CHECK(x.values.n > 0 && x.text.n == 0);
		ear_free(&x);
	}
	fix_close(&f);
}

TEST(run_streams_each_token_in_both_forms)
{
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = HI, .modes = MODE_MESSAGES_TUPLE }), OK);
	ear_until_end(&x);
	/* start, 5 tokens, finish, usage */
	CHECK_STR(ear_events(&x), "metadata messages*8");
	ear_check_ids(&x, 0);
	CHECK(ear_has(&x, "data: [{\"content\":\" mock\",\"tool_call_chunks\":[]"));
	CHECK(ear_has(&x, "\"langgraph_step\":1,\"langgraph_node\":\"agent\""));
	CHECK(ear_has(&x, "\"ls_provider\":\"scripted\",\"ls_model_name\":\"test\""));
	ear_free(&x);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(2),
	    .input = HI, .modes = MODE_MESSAGES }), OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata messages/complete messages/metadata "
	    "messages/partial*8 messages/complete");
	ear_check_ids(&x, 0);
	CHECK(ear_has(&x, "data: [{\"content\":\"Hello from mock\",\"additional_kwargs\""));
	ear_free(&x);
	fix_close(&f);
}

/* Goal: when nobody reads deltas the model is not asked for them, and a late
 * reader of messages-tuple still gets each message whole. */
TEST(run_without_readers_does_not_stream)
{
	struct fix f;
	struct ear x, late;

	fix_open(&f, "memory", 1, RULES);
	/* Told token by token this answer would never end. */
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("hold"), .modes = MODE_MESSAGES_TUPLE }), OK);
	ear_until_end(&x);
	CHECK_INT(x.status, RUN_SUCCESS);
	ear_free(&x);
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(2),
	    .input = SAY("notes and gate"), .modes = MODE_MESSAGES_TUPLE,
	    .resumable = true }), OK);
	ear_until_end(&x);
	ear_join(&late, &f.desks[0], &x, MODE_MESSAGES_TUPLE, -1);
	ear_until_end(&late);
	CHECK(ear_has(&late, "\"status\":\"success\",\"content\":\"noted\""));
	ear_free(&late);
	ear_free(&x);
	fix_close(&f);
}

TEST(run_tool_turn_in_the_order_of_the_reference)
{
	struct store_history_item *h;
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("echo"), .modes = MODE_VALUES | MODE_UPDATES | MODE_MESSAGES_TUPLE }),
	    OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata values messages*4 updates values "
	    "messages updates values messages*7 updates values");
	ear_check_ids(&x, 0);
	CHECK(ear_has(&x, "data: [{\"status\":\"success\",\"content\":\"an echo\","
	    "\"tool_call_id\":\"call_"));
	CHECK(ear_has(&x, "{\"tags\":[\"graph:step:2\"],\"name\":\"tools\","
	    "\"ls_integration\":\"langgraph\","));
	CHECK(ear_has(&x, "\"langgraph_step\":3,\"langgraph_node\":\"agent\""));
	CHECK(ear_has(&x, "event: updates\ndata: {\"tools\":{\"messages\":[{\"status\""));
	CHECK(ear_has(&x, "It said so ."));
	CHECK_INT(history(&f, &x.thread_id, &h), 5);
	CHECK_STR(h[2].c.next, "tools");
	ear_free(&x);
	/* A tool that is not there is the model's problem, not the run's. */
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(2),
	    .input = SAY("ghost") }), OK);
	ear_until_end(&x);
	CHECK_INT(x.status, RUN_SUCCESS);
	CHECK(str_contains(buf_str(&x.values), S("there is no tool \\\"ghost\\\" here")));
	ear_free(&x);
	/* Nor may a run call what it was not given. */
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(3),
	    .input = SAY("notes"), .config = "{\"configurable\":{\"tools\":[\"echo\"]}}" }), OK);
	ear_until_end(&x);
	CHECK_INT(note_count(), 0);
	CHECK(str_contains(buf_str(&x.values), S("Available: echo")));
	ear_free(&x);
	fix_close(&f);
}

TEST(run_ends_at_its_recursion_limit)
{
	struct store_history_item *h;
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("echo"), .modes = MODE_VALUES,
	    .config = "{\"recursion_limit\":1}" }), OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata values*2 error");
	CHECK(ear_has(&x, "data: {\"error\":\"GraphRecursionError\",\"message\":\"Recursion "
	    "limit of 1 reached without hitting a stop condition. You can increase the "
	    "limit by setting the \\\"recursion_limit\\\" config key.\"}"));
	CHECK_INT(x.status, RUN_ERROR);
	CHECK_INT(history(&f, &x.thread_id, &h), 3);
	CHECK_STR(h[0].c.next, "tools");
	CHECK_INT(thread_row(&f, &x.thread_id).status, THREAD_ERROR);
	ear_free(&x);
	fix_close(&f);
}

/* As LangGraph counts: the last superstep, in which nothing is left to do, is
 * one; and what goes on without input has two more. */
TEST(run_limit_counts_the_step_that_ends)
{
	static const struct { const char *config, *input; int status; } rows[] = {
		{ "{\"recursion_limit\":1}", HI, RUN_ERROR },
		{ "{\"recursion_limit\":2}", HI, RUN_SUCCESS },
		{ "{\"recursion_limit\":3}", SAY("echo"), RUN_ERROR },
		{ "{\"recursion_limit\":4}", SAY("echo"), RUN_SUCCESS },
	};
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, RULES);
	for (unsigned i = 0; i < COUNT(rows); i++) {
		CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){
		    .thread = thread_no(i), .input = rows[i].input,
		    .config = rows[i].config }), OK);
		ear_until_end(&x);
		CHECK_INT(x.status, rows[i].status);
		ear_free(&x);
	}
	/* Stopped before `tools`: that, `agent` and the end are three. */
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(9),
	    .input = SAY("echo"), .config = "{\"recursion_limit\":1}" }), OK);
	ear_until_end(&x);
	ear_free(&x);
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(9),
	    .config = "{\"recursion_limit\":1}" }), OK);
	ear_until_end(&x);
	CHECK_INT(x.status, RUN_SUCCESS);
	ear_free(&x);
	fix_close(&f);
}

/* Goal: nothing to do is never called a success. */
TEST(run_without_input_on_a_thread_that_never_ran_is_an_error)
{
	struct store_history_item *h;
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .modes = MODE_VALUES }), OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata error");
	CHECK(ear_has(&x, "data: {\"error\":\"EmptyInputError\",\"message\":\"Received "
	    "no input writes for \\\"__start__\\\"\"}"));
	CHECK_INT(x.status, RUN_ERROR);
	CHECK_INT(history(&f, &x.thread_id, &h), 0);
	ear_free(&x);
	fix_close(&f);
}

TEST(run_error_of_the_model_is_the_last_event)
{
	struct store_history_item *h;
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("fail429"), .modes = MODE_VALUES | MODE_UPDATES }), OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata values error");
	CHECK(ear_has(&x, "data: {\"error\":\"RateLimitError\",\"message\":\"429 "));
	CHECK_INT(x.status, RUN_ERROR);
	CHECK(str_starts(buf_str(&x.error), S("{\"error\":\"RateLimitError\"")));
	CHECK_INT(history(&f, &x.thread_id, &h), 2);
	CHECK_STR(h[0].c.next, "agent");
	CHECK_INT(h[0].c.step, 0);
	CHECK(str_starts(h[0].c.task_error, S("{\"message\":\"429 ")));
	CHECK(str_contains(h[0].c.task_error, S("\",\"name\":\"RateLimitError\"}")));
	CHECK_INT(h[1].c.step, -1);
	CHECK_INT(h[1].c.task_error.n, 0);
	CHECK_INT(thread_row(&f, &x.thread_id).status, THREAD_ERROR);
	CHECK_INT(run_row(&f, &x.run_id).status, RUN_ERROR);
	ear_free(&x);
	/* The thread can be used again. */
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = HI }), OK);
	ear_until_end(&x);
	CHECK_INT(x.status, RUN_SUCCESS);
	CHECK_INT(thread_row(&f, &x.thread_id).status, THREAD_IDLE);
	ear_free(&x);
	fix_close(&f);
}

/* Goal: wherever its checkpoint is when a node fails, not yet written or long
 * there, it gets the error, and there is no other. */
TEST(run_error_is_on_the_checkpoint_of_its_node)
{
	static const enum durability modes[] = {
		DURABILITY_ASYNC, DURABILITY_SYNC, DURABILITY_EXIT
	};
	struct store_history_item *h;
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, "{\"rules\":[" LATE_FAILURE "]}");
	for (unsigned i = 0; i < COUNT(modes); i++) {
		bool all = modes[i] != DURABILITY_EXIT;

		CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){
		    .thread = thread_no(i), .input = SAY("echo"),
		    .durability = modes[i] }), OK);
		ear_until_end(&x);
		CHECK_INT(x.status, RUN_ERROR);
		CHECK_INT(history(&f, &x.thread_id, &h), all ? 4 : 1);
		CHECK_INT(h[0].c.step, 2);
		CHECK_STR(h[0].c.next, "agent");
		CHECK_INT(h[0].messages_n, 3);
		CHECK(str_starts(h[0].c.task_error, S("{\"message\":\"500 ")));
		for (int k = 1; all && k < 4; k++)
			CHECK_INT(h[k].c.task_error.n, 0);
		ear_free(&x);
	}
	fix_close(&f);
}

/* Goal: without input a run asks the node that failed, and only that, also
 * after a restart. */
TEST(run_without_input_repeats_what_failed)
{
	struct store_history_item *h;
	struct fix f;
	struct ear x;

	fix_open(&f, "sqlite", 1, "{\"rules\":[" LATE_FAILURE "]}");
	for (int i = 0; i < 2; i++) {
		CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
		    .input = i == 0 ? SAY("echo") : NULL, .modes = MODE_UPDATES }), OK);
		ear_until_end(&x);
		CHECK_STR(ear_events(&x), i == 0 ? "metadata updates*2 error" :
		    "metadata error");
		CHECK_INT(history(&f, &x.thread_id, &h), 4);
		ear_free(&x);
	}
	f.script_text = RULES;
	fix_crash(&f);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .modes = MODE_UPDATES }), OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata updates");
	CHECK_INT(x.status, RUN_SUCCESS);
	CHECK_INT(history(&f, &x.thread_id, &h), 5);
	CHECK_INT(h[0].c.step, 3);
	CHECK_INT(h[0].messages_n, 4);
	CHECK_STR(h[0].c.next, "");
	ear_free(&x);
	fix_close(&f);
}

/* Goal: without input a run goes on where the thread stands. */
TEST(run_without_input_continues)
{
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("echo"), .config = "{\"recursion_limit\":1}" }), OK);
	ear_until_end(&x);
	CHECK_INT(x.status, RUN_ERROR);
	ear_free(&x);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .modes = MODE_UPDATES, .config = "{\"recursion_limit\":25}" }), OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata updates*2");
	CHECK_INT(x.status, RUN_SUCCESS);
	ear_free(&x);
	/* Nothing is pending now: it ends at once, with the values as they are. */
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1) }), OK);
	ear_until_end(&x);
	CHECK_INT(x.status, RUN_SUCCESS);
	CHECK(str_contains(buf_str(&x.values), S("It said so .")));
	ear_free(&x);
	fix_close(&f);
}

TEST(run_refuses_bad_input_at_once)
{
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = "{\"messages\":[{\"role\":\"x\",\"content\":\"\"}]}" }), ERR_INVALID);
	CHECK(str_starts(str_of(x.e.text), S("input.messages[0]: unknown role")));
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1), .input = HI,
	    .config = "{\"configurable\":{\"model_name\":\"cohere:x\"}}" }), ERR_INVALID);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1), .input = HI,
	    .no_create = true }), ERR_NOTFOUND);
	/* What cannot be reduced is an error of the run. */
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = "{\"messages\":{\"type\":\"remove\",\"id\":\"zzz\"}}",
	    .modes = MODE_VALUES }), OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata error");
	CHECK(ear_has(&x, "InvalidUpdateError"));
	ear_free(&x);
	fix_close(&f);
}

TEST(run_without_a_thread_writes_its_usage_alone)
{
	struct fix f;
	struct ear x, late;
	uint64_t before;

	fix_open(&f, "memory", 1, RULES);
	before = commits(&f);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .stateless = true, .input = HI,
	    .modes = MODE_VALUES }), OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata values*2");
	CHECK(!ear_has(&x, "\nid:"));
	CHECK(commits(&f) <= before + 1);        /* its usage, some time later */
	ear_join(&late, &f.desks[0], &x, MODE_VALUES, -1);
	ear_until_rc(&late, ERR_NOTFOUND);       /* nothing is left of it */
	ear_free(&late);
	ear_free(&x);
	fix_close(&f);
}

TEST(run_without_a_thread_can_be_joined_and_cancelled)
{
	struct fix f;
	struct ear x, late;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .stateless = true,
	    .input = SAY("hold"), .modes = MODE_MESSAGES_TUPLE, .resumable = true }), OK);
	ear_until_text(&x, "\"content\":\"one\"");
	ear_join(&late, &f.desks[0], &x, MODE_MESSAGES_TUPLE, -1);
	ear_until_text(&late, "\"content\":\"one\"");
	CHECK(str_eq(ear_text(&late), ear_text(&x)));
	ear_check_ids(&late, 0);
	CHECK_INT(order_cancel_and_wait(&f.desks[0], &x), OK);
	ear_until_end(&x);
	ear_until_end(&late);
	CHECK_INT(late.status, RUN_INTERRUPTED);
	ear_free(&late);
	ear_free(&x);
	/* keep: a thread stays. */
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .stateless = true,
	    .keep = true, .input = HI }), OK);
	ear_until_end(&x);
	CHECK_INT(thread_row(&f, &x.thread_id).status, THREAD_IDLE);
	ear_free(&x);
	fix_close(&f);
}

TEST(run_is_cancelled_in_the_middle_of_an_answer)
{
	struct store_history_item *h;
	struct fix f;
	struct ear x, late;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("hold"), .modes = ALL }), OK);
	ear_until_text(&x, "\"content\":\"one\"");
	CHECK_INT(order_cancel_and_wait(&f.desks[0], &x), OK);
	ear_until_end(&x);
	CHECK_INT(x.status, RUN_INTERRUPTED);
	CHECK_INT(run_row(&f, &x.run_id).status, RUN_INTERRUPTED);
	CHECK_INT(thread_row(&f, &x.thread_id).status, THREAD_IDLE);
	/* Checkpoints are kept, and what the model had said. */
	CHECK_INT(history(&f, &x.thread_id, &h), 3);
	CHECK_STR(h[0].c.next, "");
	CHECK_INT(h[0].c.source, SOURCE_UPDATE);
	CHECK_INT(h[0].messages_n, 2);
	CHECK(str_starts(h[0].messages[1], S("{\"content\":\"one")));
	CHECK(str_contains(h[0].messages[1], S("\"finish_reason\":\"interrupted\"")));
	CHECK_STR(h[1].c.next, "agent");
	CHECK_INT(order_cancel_and_wait(&f.desks[0], &x), OK);   /* it is over */
	x.run_id = thread_no(99);
	CHECK_INT(order_cancel_and_wait(&f.desks[0], &x), ERR_NOTFOUND);
	ear_free(&x);
	/* Whoever asked for it cancels by leaving. */
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(2),
	    .input = SAY("hold"), .modes = ALL, .cancel_on_gone = true }), OK);
	ear_until_text(&x, "\"content\":\"one\"");
	ear_leave(&x);
	ear_join(&late, &f.desks[0], &x, MODE_VALUES, INT64_MAX);
	ear_until_end(&late);
	CHECK_INT(late.status, RUN_INTERRUPTED);
	ear_free(&late);
	ear_free(&x);
	fix_close(&f);
}

TEST(run_durability_exit_leaves_one_checkpoint)
{
	struct store_history_item *h;
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("echo"), .durability = DURABILITY_EXIT }), OK);
	ear_until_end(&x);
	CHECK_INT(history(&f, &x.thread_id, &h), 1);
	CHECK_INT(h[0].messages_n, 4);
	CHECK_INT(h[0].c.step, 3);
	ear_free(&x);
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("fail500"), .durability = DURABILITY_EXIT }), OK);
	ear_until_end(&x);
	CHECK_INT(history(&f, &x.thread_id, &h), 2);
	CHECK_INT(h[0].c.step, 5);
	CHECK(h[0].c.task_error.n > 0);
	CHECK_INT(h[0].messages_n, 5);
	ear_free(&x);
	fix_close(&f);
}

/* What the store has when an event is heard. */
static int heard_at[8];
static size_t heard_n;

static void
on_event(struct run_watch *w, struct sse_block *b)
{
	struct ear *x = CONTAINER_OF(w, struct ear, w);
	struct store_checkpoint c = { .step = -9 };
	struct arena a = ARENA(1 * MB);

	(void)b;
	store_checkpoint_get(x->d->reader, 0, 1, 0, &a, &c);
	heard_at[heard_n++] = c.step;
	arena_release(&a);
}

TEST(run_durability_sync_commits_before_it_tells)
{
	static const int steps[] = { -9, 0, 1, 2, 3 };   /* metadata, then values */
	struct fix f;
	struct ear x;

	fix_open(&f, "sqlite", 1, RULES);
	ear_frames = on_event;
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("echo"), .modes = MODE_VALUES, .durability = DURABILITY_SYNC }), OK);
	ear_until_end(&x);
	CHECK_INT(heard_n, COUNT(steps));
	for (size_t i = 0; i < heard_n; i++)
		CHECK_INT(heard_at[i], steps[i]);
	ear_free(&x);
	fix_close(&f);
}

TEST(run_durability_sync_tells_the_same)
{
	struct store_history_item *h;
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("echo"), .modes = MODE_VALUES | MODE_UPDATES,
	    .durability = DURABILITY_SYNC }), OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata values updates values updates values "
	    "updates values");
	ear_check_ids(&x, 0);
	CHECK_INT(history(&f, &x.thread_id, &h), 5);
	ear_free(&x);
	fix_close(&f);
}

/* Goal: a model that always gives the same id does not overwrite history. */
static void
seed(struct desk *d, void *arg)
{
	(void)d, (void)arg;
	id_seed_random(7);
}

TEST(run_answer_gets_a_fresh_id_when_its_own_is_taken)
{
	struct store_history_item *h;
	struct str again;
	struct fix f;
	struct ear x;

	fix_open(&f, "memory", 1, RULES);
	for (int i = 0; i < 2; i++) {
		desk_do(&f.desks[0], seed, NULL);
		CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
		    .input = "{\"messages\":{\"role\":\"user\",\"content\":\"hi\","
			"\"id\":\"same\"}}", .modes = MODE_MESSAGES_TUPLE }), OK);
		ear_until_end(&x);
		if (i == 0)
			ear_free(&x);
	}
	history(&f, &x.thread_id, &h);
	CHECK_INT(h[0].messages_n, 3);   /* the input replaced itself */
	again = h[0].messages[2];
	CHECK(str_contains(again, S("\"id\":\"run-")));
	CHECK(ear_has(&x, "\"id\":\"run-"));
	CHECK(!ear_has(&x, "\"id\":\"chatcmpl-"));
	ear_free(&x);
	fix_close(&f);
}
