/*
 * work_core.c - create, show, ready, close, claim, and the held set.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <stdio.h>
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
	fix_ok(&f, "show", "{'id':'%.*s'}", FMT(str_sub(fix_get(&f, "id"), 2, 4)));
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

/* Goal: what is open again was not closed, and closing it again is later. */
TEST(work_reopening_forgets_when_it_was_closed)
{
	struct fix f;
	char first[64];

	fix_open(&f);
	fix_ok(&f, "create", "{'title':'a','id':'t-a'}");
	fix_ok(&f, "close", "{'id':'t-a'}");
	snprintf(first, sizeof first, "%.*s", FMT(fix_get(&f, "closed_at")));
	CHECK(first[0] != '\0');
	fix_ok(&f, "reopen", "{'id':'t-a'}");
	CHECK_STR(fix_get(&f, "closed_at"), "");
	f.now += 1000;
	fix_ok(&f, "update", "{'id':'t-a','status':'closed'}");
	CHECK(str_cmp(fix_get(&f, "closed_at"), str_of(first)) > 0);
	fix_ok(&f, "update", "{'id':'t-a','status':'open'}");
	CHECK_STR(fix_get(&f, "closed_at"), "");
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

/* Every operation that changes something and the ways it takes an id. */
static const char *const writes[][2] = {
	{ "update", "{'id':'%s','priority':1}" }, { "close", "{'id':'%s'}" },
	{ "reopen", "{'id':'%s'}" }, { "claim", "{'id':'%s'}" },
	{ "release", "{'id':'%s'}" }, { "delete", "{'ids':['%s'],'force':true}" },
	{ "delete", "{'ids':['%s']}" }, { "comment", "{'id':'%s','text':'x'}" },
	{ "label_add", "{'id':'%s','label':'x'}" },
	{ "label_remove", "{'id':'%s','label':'x'}" },
	{ "dep_add", "{'from_id':'%s','to_id':'t-other'}" },
	{ "dep_add", "{'from_id':'t-other','to_id':'%s'}" },
	{ "dep_remove", "{'from_id':'%s','to_id':'t-other'}" },
	{ "create", "{'title':'x','parent':'%s'}" },
	{ "create", "{'title':'x','dependencies':['%s']}" },
	{ "create", "{'title':'x','dependencies':['related:%s']}" },
	{ "batch", "{'operations':[{'operation':'close','args':{'id':'%s'}}]}" },
	{ "batch", "{'operations':[{'operation':'delete','args':{'ids':['%s'],"
	    "'force':true}}]}" },
};

static const char *const reads[][2] = {
	{ "show", "{'id':'%s'}" }, { "resolve", "{'id':'%s'}" },
	{ "list", "{'ids':['%s']}" }, { "dep_tree", "{'id':'%s'}" },
	{ "label_list", "{'id':'%s'}" }, { "comment_list", "{'id':'%s'}" },
	{ "history", "{'id':'%s'}" },
};

static void
never_found(struct fix *f, const char *const (*calls)[2], size_t n, const char *id)
{
	char args[256];

	for (size_t i = 0; i < n; i++) {
		int rc;

		snprintf(args, sizeof args, calls[i][1], id);
		rc = fix_call(f, calls[i][0], "%s", args);
		if (rc != ERR_NOTFOUND && rc != ERR_CONFLICT)
			test_fail(__FILE__, __LINE__, "%s %s: %s", calls[i][0], args,
			    rc_name(rc));
	}
}

/* Deleted twice, t-1 was t-11 the second time. */
TEST(work_an_id_that_is_not_there_leads_to_no_other)
{
	static const char *const all[] = { "t-11", "t-123", "t-7d2fa1", "t-d2f",
		"t-e55", "t-e55a", "t-sub-k9x", "t-other", "t-q1zz" };
	static const char *const no_write[] = {
		"t-1", "1", "t-12", "12", "t-7d2", "7d", "t-d2f.1", "d2f.1",
		"t-e5", "sub", "t-sub", "d2f.", "t-", "q1", "t-q1z", "2fa1" };
	static const char *const no_read[] = {
		"t-1", "1", "t-12", "12", "t-d2f.1", "d2f.1", "sub", "t-sub", "d2f.",
		"t-", "2fa1" };
	struct fix f;
	int64_t events;

	fix_open(&f);
	for (size_t i = 0; i < COUNT(all); i++)
		fix_ok(&f, "create", "{'title':'x','id':'%s'}", all[i]);
	fix_ok(&f, "create", "{'title':'x','id':'t-1'}");
	fix_ok(&f, "create", "{'title':'x','parent':'t-d2f'}");
	for (int i = 2; i < 13; i++)
		fix_ok(&f, "create", "{'title':'x','parent':'t-d2f'}");
	fix_ok(&f, "create", "{'title':'x','parent':'t-d2f.1'}");
	fix_ok(&f, "delete", "{'ids':['t-1','t-d2f.1'],'force':true}");
	events = fix_count(&f, "SELECT count(*) FROM work_event");
	for (size_t i = 0; i < COUNT(no_write); i++)
		never_found(&f, writes, COUNT(writes), no_write[i]);
	for (size_t i = 0; i < COUNT(no_read); i++) {
		size_t n = COUNT(reads) - (strstr("t-1 1 t-d2f.1 d2f.1",
		    no_read[i]) != NULL);

		never_found(&f, reads, n, no_read[i]);
	}
	CHECK(fix_count(&f, "SELECT count(*) FROM work_event") == events);
	fix_ok(&f, "history", "{'id':'1'}");         /* the deleted one's own */
	CHECK_STR(fix_get(&f, "0.issue_id"), "t-1");
	CHECK_RC(fix_call(&f, "show", "{'id':'t-1'}"), ERR_NOTFOUND);
	CHECK(strcmp(f.e.text, "issue t-1 not found: it was deleted") == 0);
	fix_close(&f);
}

TEST(work_the_beginning_of_a_hash_is_enough_where_it_is_the_only_one)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'title':'x','id':'t-a3f8'}");
	for (int i = 0; i < 80; i++)
		fix_ok(&f, "create", "{'title':'x','parent':'t-a3f8'}");
	fix_ok(&f, "update", "{'id':'a3f','priority':1}");
	CHECK_STR(fix_get(&f, "id"), "t-a3f8");
	fix_ok(&f, "show", "{'id':'t-a'}");
	CHECK_STR(fix_get(&f, "id"), "t-a3f8");
	fix_ok(&f, "create", "{'title':'x','id':'t-a3f9'}");
	CHECK_RC(fix_call(&f, "update", "{'id':'a3f','priority':2}"), ERR_CONFLICT);
	CHECK_RC(fix_call(&f, "show", "{'id':'a3f'}"), ERR_CONFLICT);
	/* Deleted again by the same words: not the other one. */
	fix_ok(&f, "delete", "{'ids':['t-a3f9'],'force':true}");
	CHECK_RC(fix_call(&f, "delete", "{'ids':['a3f'],'force':true}"),
	    ERR_CONFLICT);
	CHECK(strcmp(f.e.text,
	    "\"a3f\" is ambiguous: t-a3f8, t-a3f9 (deleted)") == 0);
	fix_ok(&f, "show", "{'id':'a3f'}");
	CHECK_STR(fix_get(&f, "id"), "t-a3f8");
	/* Some are named, and whether there are more. */
	for (int i = 1; i <= 6; i++) {
		fix_ok(&f, "create", "{'title':'x','id':'t-b%dx'}", i);
		if (i < 5)
			continue;
		CHECK_RC(fix_call(&f, "show", "{'id':'b'}"), ERR_CONFLICT);
		CHECK_STR(str_of(f.e.text), i == 5 ?
		    "\"b\" is ambiguous: t-b1x, t-b2x, t-b3x, t-b4x, t-b5x" :
		    "\"b\" is ambiguous: t-b1x, t-b2x, t-b3x, t-b4x, t-b5x, ...");
	}
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
		CHECK(clock_read_iso(str_of(same[i]), &ms));
		CHECK_INT(ms, INT64_C(1767225600000));
	}
	CHECK(clock_read_iso(S("2024-02-29T00:00:00.25Z"), &ms) && ms % 1000 == 250);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		if (clock_read_iso(str_of(wrong[i]), &ms))
			test_fail(__FILE__, __LINE__, "\"%s\" is no time", wrong[i]);
	}
}
