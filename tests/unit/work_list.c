/*
 * work_list.c - what lists, counts and claims choose by, and other orders.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#define DAY (24 * 3600 * INT64_C(1000))

/* An epic with two children, a bug that waits, and one that is done; each is a
 * day younger than the one before. */
static void
six(struct fix *f)
{
	fix_open(f);
	fix_ok(f, "create", "{'id':'t-e','title':'Epic','issue_type':'epic',"
	    "'priority':3}");
	f->now += DAY;
	fix_ok(f, "create", "{'id':'t-a','title':'zeta','parent':'t-e',"
	    "'labels':['ui'],'assignee':'eve','priority':2}");
	f->now += DAY;
	fix_ok(f, "create", "{'id':'t-b','title':'Beta','parent':'t-e',"
	    "'labels':['ui','core'],'priority':0}");
	f->now += DAY;
	fix_ok(f, "create", "{'id':'t-c','title':'alpha','issue_type':'bug',"
	    "'priority':1,'dependencies':['t-a','relates-to:t-b']}");
	f->now += DAY;
	fix_ok(f, "create", "{'id':'t-d','title':'done','assignee':'bob'}");
	fix_ok(f, "close", "{'id':'t-d'}");
}

TEST(work_list_of_several_statuses)
{
	struct fix f;

	six(&f);
	fix_ok(&f, "update", "{'id':'t-e','status':'deferred'}");
	fix_ok(&f, "list", "{'status':'deferred, closed'}");
	CHECK_IDS(&f, "t-d t-e");
	fix_ok(&f, "list", "{'status':'closed,all'}");
	CHECK_IDS(&f, "t-b t-c t-d t-a t-e");
	CHECK_RC(fix_call(&f, "list", "{'status':'open,done'}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "list", "{'status':'all,done'}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "list", "{'status':''}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "list", "{'status':3}"), ERR_INVALID);
	fix_close(&f);
}

TEST(work_list_of_a_parent_and_of_nobody)
{
	struct fix f;

	six(&f);
	fix_ok(&f, "list", "{'parent':'t-e'}");
	CHECK_IDS(&f, "t-b t-a");
	fix_ok(&f, "list", "{'parent':'e','labels':['core']}");
	CHECK_IDS(&f, "t-b");
	fix_ok(&f, "list", "{'parent':'t-a'}");
	CHECK_IDS(&f, "");
	CHECK_RC(fix_call(&f, "list", "{'parent':'t-zz'}"), ERR_NOTFOUND);
	CHECK_RC(fix_call(&f, "list", "{'label':' '}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "ready", "{'labels':[' ',' ']}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "count", "{'labels_any':[' ']}"), ERR_INVALID);
	fix_ok(&f, "list", "{'parent':'t-e','labels':[]}");
	CHECK_IDS(&f, "t-b t-a");
	fix_ok(&f, "list", "{'no_assignee':true}");
	CHECK_IDS(&f, "t-b t-c t-e");
	fix_ok(&f, "list", "{'no_assignee':true,'labels':['ui']}");
	CHECK_IDS(&f, "t-b");
	CHECK_RC(fix_call(&f, "list", "{'no_assignee':true,'assignee':'eve'}"),
	    ERR_INVALID);
	fix_close(&f);
}

/* Goal: a parent of many children is walked, not collected. */
TEST(work_list_of_a_large_parent_walks)
{
	struct fix f;

	fix_open(&f);
	fix_fill(&f, true);
	fix_ok(&f, "create", "{'id':'t-e','title':'e','issue_type':'epic'}");
	fix_ok(&f, "create", "{'id':'t-x','title':'x','issue_type':'bug'}");
	for (int i = 0; i < 4200; i++)
		fix_ok(&f, "create", "{'id':'t-i%d','title':'i','parent':'t-e'}", i);
	fix_fill(&f, false);
	fix_ok(&f, "list", "{'parent':'t-e','limit':2}");
	CHECK_IDS(&f, "t-i4199 t-i4198");
	fix_ok(&f, "list", "{'parent':'t-e','issue_type':'bug'}");
	CHECK_IDS(&f, "");
	fix_ok(&f, "count", "{'parent':'t-e'}");
	CHECK_STR(fix_get(&f, "count"), "4200");
	fix_close(&f);
}

TEST(work_list_by_when_it_changed)
{
	struct fix f;

	six(&f);
	fix_ok(&f, "list", "{'updated_after':'36h'}");
	CHECK_IDS(&f, "t-c t-d");
	fix_ok(&f, "list", "{'updated_before':'60h'}");
	CHECK_IDS(&f, "t-a t-e");
	fix_ok(&f, "update", "{'id':'t-e','notes':'seen'}");
	fix_ok(&f, "list", "{'updated_before':'3d'}");
	CHECK_IDS(&f, "t-a");
	fix_ok(&f, "list", "{'updated_after':'2020-01-01','limit':1}");
	CHECK_IDS(&f, "t-b");
	fix_ok(&f, "list", "{'updated_before':'2020-01-01T00:00:00+02:00'}");
	CHECK_IDS(&f, "");
	CHECK_RC(fix_call(&f, "list", "{'updated_after':'2020-13-01'}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "list", "{'updated_after':'-1d'}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "list", "{'updated_after':'soon'}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "list", "{'updated_after':1}"), ERR_INVALID);
	fix_close(&f);
}

static const struct { const char *sort, *ids, *reversed; } orders[] = {
	{ "priority", "t-b t-c t-d t-a t-e", "t-e t-a t-d t-c t-b" },
	{ "created", "t-d t-c t-b t-a t-e", "t-e t-a t-b t-c t-d" },
	{ "updated", "t-e t-d t-c t-b t-a", "t-a t-b t-c t-d t-e" },
	{ "closed", "t-d t-b t-c t-a t-e", "t-e t-a t-c t-b t-d" },
	{ "status", "t-d t-b t-c t-a t-e", "t-e t-a t-c t-b t-d" },
	{ "id", "t-a t-b t-c t-d t-e", "t-e t-d t-c t-b t-a" },
	{ "title", "t-c t-b t-d t-e t-a", "t-a t-e t-d t-b t-c" },
	{ "type", "t-c t-e t-b t-d t-a", "t-a t-d t-b t-e t-c" },
	{ "assignee", "t-b t-c t-e t-d t-a", "t-a t-d t-e t-c t-b" },
};

TEST(work_list_in_every_order)
{
	struct fix f;

	six(&f);
	f.now += DAY;
	fix_ok(&f, "update", "{'id':'t-e','notes':'newest'}");
	for (size_t i = 0; i < COUNT(orders); i++) {
		fix_ok(&f, "list", "{'sort':'%s'}", orders[i].sort);
		CHECK_IDS(&f, orders[i].ids);
		fix_ok(&f, "list", "{'sort':'%s','reverse':true}", orders[i].sort);
		CHECK_IDS(&f, orders[i].reversed);
	}
	fix_ok(&f, "list", "{'sort':'title','status':'open','limit':2}");
	CHECK_IDS(&f, "t-c t-b");
	CHECK_RC(fix_call(&f, "list", "{'sort':'colour'}"), ERR_INVALID);
	fix_close(&f);
}

TEST(work_sorted_pages_go_on)
{
	struct fix f;

	six(&f);
	fix_ok(&f, "list", "{'sort':'title','page':true,'limit':3}");
	CHECK_STR(fix_get(&f, "items.0.id"), "t-c");
	CHECK_STR(fix_get(&f, "items.2.id"), "t-d");
	fix_ok(&f, "list", "{'sort':'title','page':true,'limit':3,'after':'%.*s'}",
	    FMT(fix_get(&f, "next")));
	CHECK_STR(fix_get(&f, "items.0.id"), "t-e");
	CHECK_STR(fix_get(&f, "items.1.id"), "t-a");
	CHECK_STR(fix_get(&f, "items.2.id"), "");
	CHECK_RC(fix_call(&f, "list", "{'sort':'title','page':true,'after':'0.0.99'}"),
	    ERR_CONFLICT);
	fix_close(&f);
}

TEST(work_ready_filters_and_policies)
{
	struct fix f;

	six(&f);
	fix_ok(&f, "create", "{'id':'t-f','title':'new','priority':4}");
	fix_ok(&f, "ready", "{}");
	CHECK_IDS(&f, "t-b t-a t-e t-f");
	fix_ok(&f, "ready", "{'sort':'oldest'}");
	CHECK_IDS(&f, "t-e t-a t-b t-f");
	fix_ok(&f, "ready", "{'sort':'hybrid'}");
	CHECK_IDS(&f, "t-f t-e t-a t-b");
	fix_ok(&f, "ready", "{'labels':['ui'],'no_assignee':true}");
	CHECK_IDS(&f, "t-b");
	fix_ok(&f, "ready", "{'labels':['ui']}");
	CHECK_IDS(&f, "t-b t-a");
	fix_ok(&f, "ready", "{'parent':'t-e','assignee':'eve'}");
	CHECK_IDS(&f, "t-a");
	fix_ok(&f, "ready", "{'assignee':'bob'}");
	CHECK_IDS(&f, "");
	fix_ok(&f, "ready", "{'issue_type':'epic'}");
	CHECK_IDS(&f, "t-e");
	fix_ok(&f, "ready", "{'limit':1,'sort':'oldest'}");
	CHECK_IDS(&f, "t-e");
	CHECK_RC(fix_call(&f, "ready", "{'status':'open'}"), ERR_INVALID);
	fix_close(&f);
}

TEST(work_claim_of_the_first_that_fits)
{
	struct fix f;

	six(&f);
	fix_ok(&f, "claim", "{'ready':true,'issue_type':'epic'}");
	CHECK_STR(fix_get(&f, "id"), "t-e");
	fix_ok(&f, "claim", "{'ready':true,'labels':['core']}");
	CHECK_STR(fix_get(&f, "id"), "t-b");
	fix_ok(&f, "claim", "{'ready':true}");
	CHECK_STR(buf_str(&f.data), "null");       /* t-a is eve's */
	fix_ok(&f, "claim", "{'ready':true,'assignee':'eve'}");
	CHECK_STR(fix_get(&f, "id"), "t-a");
	CHECK_RC(fix_call(&f, "claim", "{'id':'t-c','parent':'t-e'}"), ERR_INVALID);
	fix_close(&f);
}

/* Goal: what closing made ready is claimed, though nothing was ready before. */
TEST(work_close_claims_what_it_unblocked)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-a','title':'a'}");
	fix_ok(&f, "create", "{'id':'t-b','title':'b','dependencies':['t-a']}");
	fix_ok(&f, "close", "{'id':'t-a','claim_next':true}");
	CHECK_STR(fix_get(&f, "claimed.id"), "t-b");
	fix_close(&f);
}

TEST(work_counts_by_group)
{
	struct fix f;

	six(&f);
	fix_ok(&f, "count", "{}");
	CHECK_STR(buf_str(&f.data), "{\"count\":5}");
	fix_ok(&f, "count", "{'status':'open','labels':['ui']}");
	CHECK_STR(buf_str(&f.data), "{\"count\":2}");
	fix_ok(&f, "count", "{'by':'status'}");
	CHECK_STR(buf_str(&f.data), "{\"total\":5,\"groups\":[{\"group\":\"closed\","
	    "\"count\":1},{\"group\":\"open\",\"count\":4}]}");
	fix_ok(&f, "count", "{'by':'label','status':'open'}");
	CHECK_STR(buf_str(&f.data), "{\"total\":4,\"groups\":[{\"group\":"
	    "\"(no labels)\",\"count\":2},{\"group\":\"core\",\"count\":1},"
	    "{\"group\":\"ui\",\"count\":2}]}");
	fix_ok(&f, "count", "{'by':'assignee'}");
	CHECK_STR(buf_str(&f.data), "{\"total\":5,\"groups\":[{\"group\":"
	    "\"(unassigned)\",\"count\":3},{\"group\":\"bob\",\"count\":1},"
	    "{\"group\":\"eve\",\"count\":1}]}");
	fix_ok(&f, "count", "{'by':'priority','issue_type':'task'}");
	CHECK_STR(fix_get(&f, "groups.0.group"), "P0");
	fix_ok(&f, "count", "{'by':'type','parent':'t-e'}");
	CHECK_STR(buf_str(&f.data), "{\"total\":2,\"groups\":[{\"group\":\"task\","
	    "\"count\":2}]}");
	CHECK_RC(fix_call(&f, "count", "{'by':'colour'}"), ERR_INVALID);
	fix_close(&f);
}

TEST(work_relates_to_never_blocks)
{
	struct fix f;

	six(&f);
	fix_ok(&f, "close", "{'id':'t-a'}");
	fix_ok(&f, "ready", "{'issue_type':'bug'}");
	CHECK_IDS(&f, "t-c");
	fix_ok(&f, "dep_add", "{'from_id':'t-b','to_id':'t-c',"
	    "'dep_type':'relates-to'}");
	fix_ok(&f, "show", "{'id':'t-b'}");
	CHECK_STR(fix_get(&f, "dependencies.0.dependency_type"), "relates-to");
	fix_ok(&f, "recount", "{}");
	CHECK_STR(fix_get(&f, "ok"), "true");
	fix_close(&f);
}
