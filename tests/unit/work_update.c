/*
 * work_update.c - update's labels, notes and parent; what a close made ready; the
 * author of a comment.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

static int64_t
events_of(struct fix *f, const char *kind)
{
	int64_t n = 0;
	struct str rest;

	fix_ok(f, "history", "{}");
	rest = buf_str(&f->data);
	for (const char *at; (at = memmem(rest.p, rest.n, kind, strlen(kind))) != NULL;
	    n++)
		rest = str_sub(rest, (size_t)(at - rest.p) + 1, rest.n);
	return n;
}

static void
check_recount(struct fix *f)
{
	fix_ok(f, "recount", "{}");
	CHECK_STR(fix_get(f, "ok"), "true");
}

TEST(work_update_of_labels)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-a','title':'a','labels':['x','y']}");
	fix_ok(&f, "update", "{'id':'t-a','add_labels':['z',' x '],"
	    "'remove_labels':['y','never']}");
	CHECK_STR(fix_get(&f, "labels"), "[\"x\",\"z\"]");
	CHECK_INT(events_of(&f, "label_added"), 1);
	CHECK_INT(events_of(&f, "label_removed"), 1);
	fix_ok(&f, "update", "{'id':'t-a','set_labels':['p','q'],'add_labels':['r']}");
	CHECK_STR(fix_get(&f, "labels"), "[\"p\",\"q\",\"r\"]");
	fix_ok(&f, "list", "{'labels':['r']}");
	CHECK_IDS(&f, "t-a");
	fix_ok(&f, "list", "{'labels':['x']}");
	CHECK_IDS(&f, "");
	fix_ok(&f, "update", "{'id':'t-a','set_labels':[]}");
	CHECK_STR(fix_get(&f, "labels"), "");
	CHECK_RC(fix_call(&f, "update", "{'id':'t-a','add_labels':['']}"), ERR_INVALID);
	check_recount(&f);
	fix_close(&f);
}

/* Goal: labels over the limit change nothing. */
TEST(work_update_of_too_many_labels)
{
	struct buf args = BUF(64 * KB);
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-a','title':'a','labels':['one']}");
	buf_lit(&args, "{\"id\":\"t-a\",\"notes\":\"n\",\"add_labels\":[");
	for (int i = 0; i < LIMIT_WORK_LABELS; i++)
		buf_add_fmt(&args, "%s\"l%d\"", i > 0 ? "," : "", i);
	buf_lit(&args, "]}");
	CHECK_RC(fix_json(&f, "update", buf_str(&args)), ERR_TOOBIG);
	fix_ok(&f, "show", "{'id':'t-a'}");
	CHECK_STR(fix_get(&f, "labels"), "[\"one\"]");
	CHECK_STR(fix_get(&f, "notes"), "");
	buf_release(&args);
	fix_close(&f);
}

TEST(work_update_appends_notes)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-a','title':'a'}");
	fix_ok(&f, "update", "{'id':'t-a','append_notes':'first'}");
	CHECK_STR(fix_get(&f, "notes"), "first");
	fix_ok(&f, "update", "{'id':'t-a','append_notes':'second'}");
	CHECK_STR(fix_get(&f, "notes"), "first\nsecond");
	fix_ok(&f, "update", "{'id':'t-a','notes':'new','append_notes':'more'}");
	CHECK_STR(fix_get(&f, "notes"), "new\nmore");
	fix_ok(&f, "update", "{'id':'t-a','notes':'a\\u0000b','append_notes':"
	    "'c\\u0000d'}");
	CHECK(str_eq(json_str(json_get(f.doc.root, S("notes"))), S("a\0b\nc\0d")));
	fix_close(&f);
}

/* An epic that waits and one that does not, and an item of the first. */
static void
parents(struct fix *f)
{
	fix_open(f);
	fix_ok(f, "create", "{'id':'t-b','title':'blocker'}");
	fix_ok(f, "create", "{'id':'t-e','title':'e','issue_type':'epic',"
	    "'dependencies':['t-b']}");
	fix_ok(f, "create", "{'id':'t-g','title':'g','issue_type':'epic'}");
	fix_ok(f, "create", "{'id':'t-a','title':'a','parent':'t-e'}");
}

TEST(work_update_of_the_parent)
{
	struct fix f;

	parents(&f);
	fix_ok(&f, "ready", "{'issue_type':'task'}");
	CHECK_IDS(&f, "t-b");
	fix_ok(&f, "update", "{'id':'t-a','parent':'g'}");
	CHECK_STR(fix_get(&f, "dependencies.0.id"), "t-g");
	CHECK_STR(fix_get(&f, "dependencies.1.id"), "");
	fix_ok(&f, "ready", "{'issue_type':'task'}");
	CHECK_IDS(&f, "t-b t-a");
	CHECK_INT(events_of(&f, "dependency_added"), 1);
	CHECK_INT(events_of(&f, "dependency_removed"), 1);
	fix_ok(&f, "list", "{'parent':'t-g'}");
	CHECK_IDS(&f, "t-a");
	check_recount(&f);
	fix_ok(&f, "update", "{'id':'t-a','parent':'t-e','notes':'held again'}");
	fix_ok(&f, "ready", "{'issue_type':'task'}");
	CHECK_IDS(&f, "t-b");
	fix_ok(&f, "update", "{'id':'t-a','parent':'t-e'}");
	CHECK_STR(fix_get(&f, "dependencies.0.id"), "t-e");
	fix_ok(&f, "update", "{'id':'t-a','parent':''}");
	CHECK_STR(fix_get(&f, "dependencies"), "");
	fix_ok(&f, "ready", "{'issue_type':'task'}");
	CHECK_IDS(&f, "t-b t-a");
	check_recount(&f);
	fix_close(&f);
}

/* Goal: a parent that cannot be is refused, and all else of the update with it. */
TEST(work_update_of_the_parent_refused)
{
	struct fix f;

	parents(&f);
	fix_ok(&f, "create", "{'id':'t-c','title':'c','parent':'t-a',"
	    "'dependencies':['t-g']}");
	CHECK_RC(fix_call(&f, "update", "{'id':'t-a','notes':'n','parent':'t-c'}"),
	    ERR_CONFLICT);
	CHECK_RC(fix_call(&f, "update", "{'id':'t-a','notes':'n','parent':'t-a'}"),
	    ERR_CONFLICT);
	CHECK_RC(fix_call(&f, "update", "{'id':'t-c','notes':'n','parent':'t-g'}"),
	    ERR_CONFLICT);
	CHECK_RC(fix_call(&f, "update", "{'id':'t-a','notes':'n','parent':'t-zz'}"),
	    ERR_NOTFOUND);
	fix_ok(&f, "show", "{'id':'t-a'}");
	CHECK_STR(fix_get(&f, "notes"), "");
	CHECK_STR(fix_get(&f, "dependencies.0.id"), "t-e");
	check_recount(&f);
	fix_close(&f);
}

TEST(work_close_suggests_what_became_ready)
{
	struct fix f;

	parents(&f);
	fix_ok(&f, "create", "{'id':'t-d','title':'d','dependencies':['t-b','t-g']}");
	fix_ok(&f, "close", "{'id':'t-b','suggest_next':true}");
	CHECK_STR(fix_get(&f, "unblocked.0.id"), "t-e");
	CHECK_STR(fix_get(&f, "unblocked.1.id"), "t-a");
	CHECK_STR(fix_get(&f, "unblocked.2.id"), "");
	fix_ok(&f, "close", "{'id':'t-b','suggest_next':true}");
	CHECK_STR(fix_get(&f, "unblocked"), "[]");
	fix_ok(&f, "close", "{'id':'t-g','suggest_next':true,'claim_next':true}");
	CHECK_STR(fix_get(&f, "unblocked.0.id"), "t-d");
	CHECK_STR(fix_get(&f, "claimed.id"), "t-e");
	fix_close(&f);
}

TEST(work_comment_of_another_author)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-a','title':'a'}");
	fix_ok(&f, "comment", "{'id':'t-a','text':'hi','author':'ann'}");
	CHECK_STR(fix_get(&f, "author"), "ann");
	fix_ok(&f, "comment_list", "{'id':'t-a'}");
	CHECK_STR(fix_get(&f, "0.author"), "ann");
	fix_ok(&f, "history", "{'id':'t-a','limit':1}");
	CHECK(!str_eq(fix_get(&f, "0.actor"), S("ann")));
	fix_close(&f);
}
