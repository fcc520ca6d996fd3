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

/* Goal: what is selected is shown, in the table's order, once. */
TEST(members_show_what_is_selected)
{
	struct store_run run = { .id = id(T), .thread_id = id(C0),
	    .assistant_id = id(C1), .status = RUN_SUCCESS };
	static const struct { const char *query, *shown; } rows[] = {
		{ "s=status&s=run_id&s=status", "{\"run_id\":\"" T "\",\"status\":\"success\"}" },
		{ "s=kwargs&s=cancel_reason", "{\"kwargs\":{},\"cancel_reason\":null}" },
		{ "s=langsmith_session_name", "{\"langsmith_session_name\":null}" },
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
	CHECK(strstr(c->err.text, "error, state_updated_at, got \"colour\"") != NULL);
	CHECK_RC(asked_end(&a), ERR_INVALID);
}

/* Goal: values and interrupts are there only with a state, error with an error. */
TEST(members_of_a_thread_come_with_its_state)
{
	struct shown_thread s = { .f = { .t = { .id = id(T), .status = THREAD_IDLE } } };
	struct buf b = BUF(4 * KB);

	members_add(&b, thread_members, MEMBERS_ALL, &s);
	CHECK(!str_contains(buf_str(&b), S("values")));
	CHECK(!str_contains(buf_str(&b), S("error")));
	buf_clear(&b);
	s.f.has_state = true;
	s.f.state.c.tasks_json = S("[{\"id\":\"" C1 "\",\"name\":\"agent\"}]");
	s.f.state.channels = &(struct store_channel){ .name = S("messages"),
	    .is_list = true };
	s.f.state.channels_n = 1;
	members_add(&b, thread_members, 1u << THREAD_VALUES | 1u << THREAD_INTERRUPTS, &s);
	CHECK_STR(buf_str(&b), "{\"values\":{\"messages\":[]},\"interrupts\":{\"" C1
	    "\":[]}}");
	buf_clear(&b);
	s.f.t.status = THREAD_BUSY;
	members_add(&b, thread_members, 1u << THREAD_INTERRUPTS, &s);
	CHECK_STR(buf_str(&b), "{\"interrupts\":{}}");
	buf_release(&b);
}
