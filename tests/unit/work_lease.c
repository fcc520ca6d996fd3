/*
 * work_lease.c - what others may do to an item that somebody works on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <string.h>

static void
claimed(struct fix *f)
{
	fix_open(f);
	fix_ok(f, "create", "{'title':'a','id':'t-a'}");
	fix_ok(f, "claim", "{'id':'t-a','lease_ms':60000}");
	f->actor = "bob";
}

/* Goal: who holds an item keeps it, though something else came in its way. */
TEST(work_a_claim_goes_on_when_the_item_gets_blocked)
{
	struct fix f;

	claimed(&f);
	fix_ok(&f, "create", "{'title':'b','id':'t-b'}");
	fix_ok(&f, "dep_add", "{'from_id':'t-a','to_id':'t-b'}");
	CHECK_RC(fix_call(&f, "claim", "{'id':'t-a'}"), ERR_CONFLICT);
	f.actor = "ada";
	fix_ok(&f, "claim", "{'id':'t-a','lease_ms':120000}");
	CHECK_STR(fix_get(&f, "lease.holder"), "ada");
	fix_ok(&f, "release", "{'id':'t-a'}");
	CHECK_RC(fix_call(&f, "claim", "{'id':'t-a'}"), ERR_CONFLICT);
	CHECK_STR(str_of(f.e.text), "t-a is blocked by t-b");
	fix_close(&f);
}

TEST(work_a_claim_is_not_taken_by_an_update)
{
	struct fix f;

	claimed(&f);
	CHECK_RC(fix_call(&f, "update", "{'id':'a','status':'open'}"), ERR_CONFLICT);
	CHECK(strncmp(f.e.text, "t-a is claimed by ada until 2025-", 33) == 0);
	CHECK_RC(fix_call(&f, "update", "{'id':'a','assignee':'bob'}"),
	    ERR_CONFLICT);
	CHECK_RC(fix_call(&f, "update", "{'id':'a','claim':true}"), ERR_CONFLICT);
	CHECK_RC(fix_call(&f, "reopen", "{'id':'a'}"), ERR_CONFLICT);
	CHECK_RC(fix_call(&f, "release", "{'id':'a'}"), ERR_CONFLICT);
	fix_ok(&f, "update", "{'id':'a','notes':'n','status':'in_progress'}");
	CHECK_STR(fix_get(&f, "lease.holder"), "ada");
	fix_ok(&f, "release", "{'id':'a','force':true}");
	CHECK_STR(fix_get(&f, "status"), "open");
	CHECK_STR(fix_get(&f, "lease.holder"), "");
	fix_close(&f);
}

TEST(work_anybody_may_close_and_the_claim_ends)
{
	struct fix f;

	claimed(&f);
	fix_ok(&f, "close", "{'id':'a'}");
	CHECK_STR(fix_get(&f, "lease.holder"), "");
	f.now += 3600 * 1000;                /* nothing is left to expire */
	fix_ok(&f, "show", "{'id':'a'}");
	CHECK_STR(fix_get(&f, "status"), "closed");
	CHECK_RC(fix_call(&f, "claim", "{'id':'a'}"), ERR_CONFLICT);
	CHECK(strcmp(f.e.text, "t-a is closed") == 0);
	fix_ok(&f, "reopen", "{'id':'a'}");
	fix_ok(&f, "claim", "{'id':'a'}");
	CHECK_STR(fix_get(&f, "lease.holder"), "bob");
	fix_close(&f);
}

TEST(work_the_holder_gives_up_by_handing_on)
{
	struct fix f;

	claimed(&f);
	f.actor = "ada";
	fix_ok(&f, "update", "{'id':'a','assignee':'bob'}");
	CHECK_STR(fix_get(&f, "lease.holder"), "");
	CHECK_STR(fix_get(&f, "status"), "in_progress");
	CHECK_RC(fix_call(&f, "claim", "{'id':'a'}"), ERR_CONFLICT);
	CHECK(strcmp(f.e.text, "t-a is in progress by bob") == 0);
	f.actor = "bob";
	fix_ok(&f, "claim", "{'id':'a'}");
	CHECK_RC(fix_call(&f, "update", "{'id':'a','claim':true,'status':'open'}"),
	    ERR_INVALID);
	fix_ok(&f, "update", "{'id':'a','status':'blocked'}");
	CHECK_STR(fix_get(&f, "lease.holder"), "");
	fix_close(&f);
}

TEST(work_what_is_held_says_by_whom)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'title':'a','id':'t-a'}");
	fix_ok(&f, "create", "{'title':'b','id':'t-b'}");
	fix_ok(&f, "create", "{'title':'c','id':'t-c','dependencies':['a','b']}");
	fix_ok(&f, "create", "{'title':'d','parent':'t-c'}");
	CHECK_RC(fix_call(&f, "claim", "{'id':'t-c'}"), ERR_CONFLICT);
	CHECK(strcmp(f.e.text, "t-c is blocked by t-a, t-b") == 0);
	CHECK_RC(fix_call(&f, "claim", "{'id':'t-c.1'}"), ERR_CONFLICT);
	CHECK(strcmp(f.e.text, "t-c.1 is blocked, as its parent is") == 0);
	fix_close(&f);
}

TEST(work_all_leases_that_are_due_end)
{
	struct fix f;

	fix_open(&f);
	for (int i = 0; i < 40; i++) {
		fix_ok(&f, "create", "{'title':'x','description':'%60000d'}", i);
		fix_ok(&f, "claim", "{'ready':true,'lease_ms':1000}");
	}
	CHECK(fix_count(&f, "SELECT n FROM work_count WHERE state = 2") == 40);
	f.now += 1000;
	fix_ok(&f, "ping", "{}");
	CHECK(fix_count(&f, "SELECT n FROM work_count WHERE state = 0") == 40);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_event WHERE kind = 11"
	    " AND ready = 1") == 40);
	fix_close(&f);
}

/* Goal: who only says "still at it" extends the lease and nothing else: no event,
 * no edit that a merge would take for a later one. */
TEST(work_a_heartbeat_is_no_change)
{
	static const char events[] = "SELECT count(*) FROM work_event";
	char until[64], updated[64];
	struct fix f;
	int64_t n;

	claimed(&f);
	f.actor = "ada";
	fix_ok(&f, "show", "{'id':'a'}");
	snprintf(until, sizeof until, "%.*s", FMT(fix_get(&f, "lease.until")));
	snprintf(updated, sizeof updated, "%.*s", FMT(fix_get(&f, "updated_at")));
	n = fix_count(&f, events);
	f.now += 1000;
	fix_ok(&f, "claim", "{'id':'a'}");
	CHECK(str_cmp(fix_get(&f, "lease.until"), str_of(until)) > 0);
	CHECK_STR(fix_get(&f, "updated_at"), updated);
	CHECK_INT(fix_count(&f, events), n);
	fix_close(&f);
}

/* Goal: a wrong parent is no "nothing is ready", and an empty one not all items. */
TEST(work_claim_below_a_parent_that_is_not_there)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-a','title':'a'}");
	CHECK_RC(fix_call(&f, "claim", "{'ready':true,'parent':'t-zz'}"), ERR_NOTFOUND);
	CHECK_RC(fix_call(&f, "claim", "{'ready':true,'parent':''}"), ERR_NOTFOUND);
	CHECK_RC(fix_call(&f, "ready", "{'parent':''}"), ERR_NOTFOUND);
	CHECK_RC(fix_call(&f, "list", "{'parent':''}"), ERR_NOTFOUND);
	CHECK_RC(fix_call(&f, "count", "{'parent':''}"), ERR_NOTFOUND);
	fix_ok(&f, "claim", "{'ready':true,'parent':'t-a'}");
	CHECK_STR(buf_str(&f.data), "null");
	fix_ok(&f, "claim", "{'ready':true}");
	CHECK_STR(fix_get(&f, "id"), "t-a");
	fix_close(&f);
}
