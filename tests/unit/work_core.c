/*
 * work_core.c - create, show, ready, close, claim, and the held set.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <string.h>

TEST(work_create_answers_the_item)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'title':'first','priority':1,'issue_type':'bug',"
	    "'labels':['b','a','b'],'assignee':'eve'}");
	CHECK_STR(fix_get(&f, "title"), "first");
	CHECK_STR(fix_get(&f, "status"), "open");
	CHECK_STR(fix_get(&f, "labels"), "[\"a\",\"b\"]");
	CHECK_STR(fix_get(&f, "description"), "");
	CHECK(fix_get(&f, "id").n == 6);
	fix_ok(&f, "show", "{'id':'%.*s'}", FMT(str_sub(fix_get(&f, "id"), 2, 3)));
	CHECK_STR(fix_get(&f, "title"), "first");
	CHECK(fix_count(&f, "SELECT count(*) FROM work_event WHERE actor = 'ada'"
	    " AND kind = 0 AND ready = 1") == 1);
	fix_close(&f);
}

TEST(work_closing_a_blocker_frees_what_waits)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'title':'a','id':'t-a'}");
	fix_ok(&f, "create", "{'title':'b','id':'t-b','dependencies':['t-a']}");
	fix_ok(&f, "ready", "{}");
	CHECK(strcmp(fix_ids(&f), "t-a") == 0);
	fix_ok(&f, "close", "{'id':'a','reason':'done'}");
	CHECK(fix_get(&f, "closed_at").n > 0);
	fix_ok(&f, "ready", "{}");
	CHECK(strcmp(fix_ids(&f), "t-b") == 0);
	fix_ok(&f, "reopen", "{'id':'a'}");
	fix_ok(&f, "ready", "{}");
	CHECK(strcmp(fix_ids(&f), "t-a") == 0);
	fix_close(&f);
}

/* 7 of the contract: children of a blocked epic are blocked, to any depth. */
TEST(work_children_of_a_blocked_epic_are_held)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'title':'gate','id':'t-gate'}");
	fix_ok(&f, "create", "{'title':'epic','id':'t-epic','issue_type':'epic',"
	    "'dependencies':['blocks:t-gate']}");
	fix_ok(&f, "create", "{'title':'child','parent':'t-epic'}");
	CHECK_STR(fix_get(&f, "id"), "t-epic.1");
	fix_ok(&f, "create", "{'title':'grandchild','parent':'t-epic.1'}");
	CHECK_STR(fix_get(&f, "id"), "t-epic.1.1");
	fix_ok(&f, "ready", "{}");
	CHECK(strcmp(fix_ids(&f), "t-gate") == 0);
	fix_ok(&f, "close", "{'id':'t-gate'}");
	fix_ok(&f, "ready", "{}");
	CHECK(strcmp(fix_ids(&f), "t-epic t-epic.1 t-epic.1.1") == 0);
	CHECK(fix_count(&f, "SELECT n FROM work_count WHERE state = 0") == 3);
	fix_close(&f);
}

TEST(work_only_one_can_claim)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'title':'a','id':'t-a'}");
	fix_ok(&f, "claim", "{'id':'t-a','lease_ms':5000}");
	CHECK_STR(fix_get(&f, "lease.holder"), "ada");
	f.actor = "bob";
	CHECK_RC(fix_call(&f, "claim", "{'id':'t-a'}"), ERR_CONFLICT);
	fix_ok(&f, "claim", "{'ready':true}");
	CHECK(f.doc.root != NULL && json_is_null(f.doc.root));
	f.now += 5000;                       /* ada's time is up */
	fix_ok(&f, "claim", "{'ready':true}");
	CHECK_STR(fix_get(&f, "lease.holder"), "bob");
	CHECK_STR(fix_get(&f, "assignee"), "bob");
	fix_close(&f);
}

TEST(work_partial_ids)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'title':'a','id':'t-ab12'}");
	fix_ok(&f, "create", "{'title':'b','id':'t-ab34'}");
	fix_ok(&f, "create", "{'title':'c','id':'t-ab'}");
	fix_ok(&f, "create", "{'title':'d','parent':'ab34'}");
	fix_ok(&f, "resolve", "{'id':'ab1'}");
	CHECK_STR(fix_get(&f, "id"), "t-ab12");
	fix_ok(&f, "resolve", "{'id':'ab'}");        /* whole, but for the prefix */
	CHECK_STR(fix_get(&f, "id"), "t-ab");
	fix_ok(&f, "resolve", "{'id':'t-ab3'}");     /* not its child */
	CHECK_STR(fix_get(&f, "id"), "t-ab34");
	CHECK_RC(fix_call(&f, "resolve", "{'id':'a'}"), ERR_CONFLICT);
	CHECK(strcmp(f.e.text, "\"a\" is ambiguous: t-ab, t-ab12, t-ab34") == 0);
	CHECK_RC(fix_call(&f, "resolve", "{'id':'t-ax12'}"), ERR_NOTFOUND);
	CHECK(strcmp(f.e.text, "issue t-ax12 not found; did you mean t-ab12?") == 0);
	fix_close(&f);
}

/* Goal: with as many items as branches may have, ids drawn apart stay apart: the
 * odds of a collision are under one in a hundred. */
TEST(work_ids_grow_with_the_tracker)
{
	CHECK_INT(id_length(0), 4);
	CHECK_INT(id_length(129), 4);
	CHECK_INT(id_length(130), 5);
	CHECK_INT(id_length(777), 5);
	CHECK_INT(id_length(778), 6);
	CHECK_INT(id_length(INT64_MAX), 12);
}

/* Goal: one instant is one number, in whatever zone it was written down; what is
 * no time is refused. */
TEST(work_times_are_read_in_any_zone)
{
	static const char *const same[] = {
		"2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z",
		"2026-01-01t02:30:00+02:30", "2025-12-31T23:00:00-01:00",
		"2026-01-01T00:00:00.0009z",
	};
	static const char *const wrong[] = {
		"", "2026-01-01", "2026-01-01T00:00:00", "2026-02-29T00:00:00Z",
		"2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
		"2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+0230",
		"2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00Z ",
	};
	msec ms;

	for (size_t i = 0; i < COUNT(same); i++) {
		CHECK(time_parse(str_of(same[i]), &ms));
		CHECK_INT(ms, INT64_C(1767225600000));
	}
	CHECK(time_parse(S("2024-02-29T00:00:00.25Z"), &ms) && ms % 1000 == 250);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		if (time_parse(str_of(wrong[i]), &ms))
			test_fail(__FILE__, __LINE__, "\"%s\" is no time", wrong[i]);
	}
}
