/*
 * api_show.c - states, threads and runs as clients see them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api_fix.h"

#include <string.h>

#define T "01a1fb74-f13c-7602-b977-7e2dba96d18e"
#define C1 "1f1e5409-bccb-6d70-8001-bb78e0bbaa82"
#define C0 "1f1e5409-ba55-6f50-8000-57652155daaf"

static struct uuid
id(const char *text)
{
	struct uuid u;

	CHECK(uuid_parse(str_of(text), &u));
	return u;
}

TEST(state_shows_values_next_tasks_and_checkpoints)
{
	struct str messages[] = { S("{\"id\":\"a\"}"), S("{\"id\":\"b\"}") };
	struct store_history_item item = {
		.c = { .seq = 2, .parent_seq = 1, .id = id(C1), .parent_id = id(C0),
		    .step = 1, .source = SOURCE_LOOP, .next = S("agent"), .task_id = id(T),
		    .base_json = S("{\"graph_id\":\"agent\"}"), .created = 1795219505975 },
		.messages = messages, .messages_n = 2,
		.result = messages + 1, .result_n = 1, .has_result = true,
	};
	struct uuid thread = id(T);
	struct buf b = BUF(8192);

	api_state_add(&b, &thread, &item);
	CHECK_STR(buf_str(&b), "{\"values\":{\"messages\":[{\"id\":\"a\"},{\"id\":\"b\"}]},"
	    "\"next\":[\"agent\"],\"tasks\":[{\"id\":\"" T "\",\"name\":\"agent\","
	    "\"error\":null,\"interrupts\":[],\"path\":[\"__pregel_pull\",\"agent\"],"
	    "\"checkpoint\":null,\"state\":null,\"result\":{\"messages\":[{\"id\":\"b\"}]}}],"
	    "\"metadata\":{\"graph_id\":\"agent\",\"source\":\"loop\",\"step\":1,"
	    "\"parents\":{}},\"created_at\":\"2026-11-21T00:05:05.975Z\",\"checkpoint\":"
	    "{\"thread_id\":\"" T "\",\"checkpoint_id\":\"" C1 "\",\"checkpoint_ns\":\"\","
	    "\"checkpoint_map\":null},\"parent_checkpoint\":{\"thread_id\":\"" T "\","
	    "\"checkpoint_id\":\"" C0 "\",\"checkpoint_ns\":\"\",\"checkpoint_map\":null}}");
	buf_clear(&b);
	item.c.task_error = S("{\"message\":\"Boo!\",\"name\":\"CustomError\"}");
	api_state_add(&b, &thread, &item);
	CHECK(str_contains(buf_str(&b), S("\"error\":\"{\\\"message\\\":\\\"Boo!\\\","
	    "\\\"name\\\":\\\"CustomError\\\"}\"")));
	CHECK(str_contains(buf_str(&b), S("\"result\":null")));
	buf_clear(&b);
	item.c.next = STR_NONE;
	item.c.parent_seq = 0;
	item.c.base_json = S("{}");
	api_state_add(&b, &thread, &item);
	CHECK(str_contains(buf_str(&b), S("\"next\":[],\"tasks\":[],\"metadata\":{\"source\"")));
	CHECK(str_contains(buf_str(&b), S("\"parent_checkpoint\":null}")));
	buf_clear(&b);
	item.c.seq = 0;
	api_state_add(&b, &thread, &item);
	CHECK_STR(buf_str(&b), "{\"values\":{},\"next\":[],\"tasks\":[],\"created_at\":null,"
	    "\"checkpoint\":null,\"parent_checkpoint\":null}");
	buf_release(&b);
}


/* Goal: what is selected is shown, in the table's order, once. */
TEST(members_show_what_is_selected)
{
	struct store_run run = { .id = id(T), .thread_id = id(C0),
	    .assistant_id = id(C1), .status = RUN_SUCCESS };
	static const struct { const char *query, *shown; } rows[] = {
		{ "s=status&s=run_id&s=status", "{\"run_id\":\"" T "\",\"status\":\"success\"}" },
		{ "s=kwargs&s=cancel_reason", "{\"kwargs\":{}}" },
		{ "s=langsmith_session_name", "{}" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = BUF(KB);
		struct asked a;
		struct call *c = ask(&a, rows[i].query, NULL);

		members_add(&b, run_members, members_select(c, run_members,
		    param_list(c, "s")), &run);
		CHECK_STR(buf_str(&b), rows[i].shown);
		CHECK_RC(asked_end(&a), OK);
		buf_release(&b);
	}
}

TEST(members_that_are_none_are_refused)
{
	struct asked a;
	struct call *c = ask(&a, "s=thread_id&s=colour", NULL);

	members_select(c, thread_members, param_list(c, "s"));
	CHECK(strstr(c->err.text, "select: expected some of thread_id, created_at") != NULL);
	CHECK(strstr(c->err.text, "error, got \"colour\"") != NULL);
	CHECK_RC(asked_end(&a), ERR_INVALID);
}

/* Goal: values and interrupts are there only with a state, error with an error. */
TEST(members_of_a_thread_come_with_its_state)
{
	struct store_thread_found f = { .t = { .id = id(T), .status = THREAD_IDLE } };
	struct buf b = BUF(4 * KB);

	members_add(&b, thread_members, MEMBERS_ALL, &f);
	CHECK(!str_contains(buf_str(&b), S("values")));
	CHECK(!str_contains(buf_str(&b), S("error")));
	buf_clear(&b);
	f.has_state = true;
	f.state.c.next = S("agent");
	f.state.c.task_id = id(C1);
	members_add(&b, thread_members, 1u << THREAD_VALUES | 1u << THREAD_INTERRUPTS, &f);
	CHECK_STR(buf_str(&b), "{\"values\":{\"messages\":[]},\"interrupts\":{\"" C1
	    "\":[]}}");
	buf_clear(&b);
	f.t.status = THREAD_BUSY;
	members_add(&b, thread_members, 1u << THREAD_INTERRUPTS, &f);
	CHECK_STR(buf_str(&b), "{\"interrupts\":{}}");
	buf_release(&b);
}
