/*
 * work_look.c - list, search, blocked, stats, labels, comments, history,
 * delete.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Five items of several kinds. */
static void
five(struct fix *f)
{
	fix_open(f);
	fix_ok(f, "create", "{'id':'t-a','title':'Alpha Parser','priority':1,"
	    "'issue_type':'bug','assignee':'eve','labels':['ui','core']}");
	fix_ok(f, "create", "{'id':'t-b','title':'beta','priority':1,"
	    "'description':'the PARSER again'}");
	fix_ok(f, "create", "{'id':'t-c','title':'gamma','priority':0,"
	    "'labels':['core'],'notes':'look at \\\"quotes\\\"'}");
	fix_ok(f, "create", "{'id':'t-d','title':'delta','assignee':'eve',"
	    "'dependencies':['t-a']}");
	fix_ok(f, "create", "{'id':'t-e','title':'epsilon','labels':['ui']}");
	fix_ok(f, "close", "{'id':'t-e'}");
}

TEST(work_list_orders_by_priority_then_newest)
{
	struct fix f;

	five(&f);
	fix_ok(&f, "list", "{}");
	CHECK_IDS(&f, "t-c t-b t-a t-e t-d");
	fix_ok(&f, "list", "{'limit':2}");
	CHECK_IDS(&f, "t-c t-b");
	fix_ok(&f, "list", "{'limit':0}");
	CHECK_IDS(&f, "t-c t-b t-a t-e t-d");
	CHECK_RC(fix_call(&f, "list", "{'limit':-1}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "list", "{'statuses':'open'}"), ERR_INVALID);
	fix_close(&f);
}

/* What answers with items, and where the one with dependencies is in it. */
static const struct { const char *operation, *args, *at; } answers[] = {
	{ "create", "{'id':'t-x','title':'x','priority':0,'labels':['l'],"
	    "'dependencies':['t-y','related:t-z']}", "" },
	{ "list", "{'ids':['t-x']}", "0." }, { "list", "{'labels':['l']}", "0." },
	{ "list", "{'title':'x'}", "0." }, { "search", "{'query':'t-x'}", "0." },
	{ "blocked", "{}", "0." }, { "update", "{'id':'t-x','notes':'n'}", "" },
	{ "label_add", "{'id':'t-x','label':'m'}", "" },
	{ "label_add", "{'id':'t-x','label':'m'}", "" },
	{ "label_remove", "{'id':'t-x','label':'m'}", "" },
	{ "show", "{'id':'t-x'}", "" }, { "show", "{'id':'t-w'}", "dependencies.0." },
	{ "show", "{'id':'t-y'}", "dependents.0." },
	{ "close", "{'id':'t-x'}", "" }, { "close", "{'id':'t-x'}", "" },
	{ "reopen", "{'id':'t-x'}", "" }, { "reopen", "{'id':'t-x'}", "" },
	{ "update", "{'id':'t-y','status':'closed'}", NULL },
	{ "ready", "{}", "0." }, { "claim", "{'id':'t-x'}", "" },
	{ "claim", "{'id':'t-x'}", "" }, { "release", "{'id':'t-x'}", "" },
	{ "batch", "{'operations':[{'operation':'update','args':{'id':'t-x',"
	    "'priority':0}}]}", "results.0.data." },
	{ "close", "{'id':'t-v','claim_next':true}", "claimed." },
};

static struct str
member(struct fix *f, const char *at, const char *rest)
{
	char path[64];

	snprintf(path, sizeof path, "%s%s", at, rest);
	return fix_get(f, path);
}

/* bd's clients read `dependencies` as items; edges have a name of their own.
 * An item within an item has no `dependencies` that are edges either. */
TEST(work_dependencies_are_items_in_every_answer)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-z','title':'z','description':'%s'}",
	    "long \\\" and \\\\ ,\\\"dependencies\\\":[ words");
	fix_ok(&f, "create", "{'id':'t-y','title':'y \\\\','priority':1}");
	fix_ok(&f, "create", "{'id':'t-v','title':'v'}");
	for (size_t i = 0; i < COUNT(answers); i++) {
		const char *at = answers[i].at;
		bool inner = at != NULL && str_starts(str_of(at), S("depend"));

		fix_ok(&f, answers[i].operation, "%s", answers[i].args);
		if (i == 0)
			fix_ok(&f, "create", "{'id':'t-w','title':'w',"
			    "'dependencies':['related:t-x'],'priority':4}");
		if (at == NULL || i == 0)
			continue;
		CHECK_STR(member(&f, at, "id"), "t-x");
		CHECK_STR(member(&f, at, "dependency_records.0.depends_on_id"), "t-y");
		CHECK_STR(member(&f, at, "dependency_records.1.type"), "related");
		CHECK_STR(member(&f, at, "dependencies.0.id"), inner ? "" : "t-y");
		CHECK_STR(member(&f, at, "dependencies.0.title"), inner ? "" : "y \\");
		CHECK_STR(member(&f, at, "dependencies.1.dependency_type"),
		    inner ? "" : "related");
		CHECK_STR(member(&f, at, "dependencies.0.issue_id"), "");
	}
	fix_ok(&f, "list", "{'ids':['t-z']}");
	CHECK_STR(fix_get(&f, "0.description"),
	    "long \" and \\ ,\"dependencies\":[ words");
	fix_ok(&f, "export", "{}");
	CHECK(str_contains(buf_str(&f.data), S("\"dependencies\":[{\"issue_id\"")));
	CHECK(!str_contains(buf_str(&f.data), S("dependency_records")));
	fix_close(&f);
}

/* A file from elsewhere may hold half a body. */
TEST(work_half_a_body_ends_where_it_ends)
{
	static const char whole[] = "{\"id\":\"t-a\",\"x\":{\"a\":[1,{\"b\":\"\\\\\"}]},"
	    "\"n\":-1,\"dependencies\":[{\"issue_id\":\"t-a\"}],\"t\":\"q\\\"\"}";

	for (size_t n = 0; n < sizeof whole; n++) {
		char *copy = memcpy(mem_alloc(n > 0 ? n : 1), whole, n);
		struct str body = { copy, n }, key, value;
		size_t at = 0, found = 0;

		while (body_next(body, &at, &key, &value)) {
			CHECK(key.p + key.n <= copy + n && value.p + value.n <= copy + n);
			found++;
		}
		CHECK(found <= 5);
		CHECK(n != sizeof whole - 1 || found == 5);
		free(copy);
	}
}

/* Short, or a list of many that depend on one would be as many times as large. */
TEST(work_dependencies_in_answers_are_short)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-a','title':'a','description':'%0*d'}", 60000, 1);
	for (int i = 0; i < 50; i++)
		fix_ok(&f, "create", "{'title':'b','dependencies':['t-a']}");
	fix_ok(&f, "list", "{}");
	CHECK(f.data.n < 100 * 1000);
	fix_close(&f);
}

TEST(work_list_of_one_time_is_newest_first)
{
	struct fix f;

	fix_open(&f);
	for (int i = 0; i < 5; i++) {
		f.now = 1763700000000;
		fix_ok(&f, "create", "{'id':'t-%d','title':'x'%s}", i,
		    i == 2 ? ",'status':'in_progress'" : "");
	}
	fix_ok(&f, "list", "{}");
	CHECK_IDS(&f, "t-4 t-3 t-2 t-1 t-0");
	fix_ok(&f, "ready", "{}");
	CHECK_IDS(&f, "t-0 t-1 t-3 t-4");
	fix_close(&f);
}

TEST(work_list_filters)
{
	static const struct { const char *args, *ids; } rows[] = {
		{ "{'status':'open'}", "t-c t-b t-a t-d" },
		{ "{'status':'closed'}", "t-e" },
		{ "{'status':'blocked'}", "" },
		{ "{'priority':1}", "t-b t-a" },
		{ "{'priority':0,'status':'closed'}", "" },
		{ "{'issue_type':'bug'}", "t-a" },
		{ "{'assignee':'eve'}", "t-a t-d" },
		{ "{'assignee':'eve','priority':2}", "t-d" },
		{ "{'assignee':'eve','status':'closed'}", "" },
		{ "{'assignee':'nobody'}", "" },
		{ "{'label':'core'}", "t-c t-a" },
		{ "{'labels':['core','ui']}", "t-a" },
		{ "{'label':'core','labels':['ui']}", "t-a" },
		{ "{'labels_any':['core','ui']}", "t-c t-a t-e" },
		{ "{'labels_any':['core','ui'],'limit':2}", "t-c t-a" },
		{ "{'labels_any':['ui'],'label':'core','status':'open'}", "t-a" },
		{ "{'label':'none'}", "" },
		{ "{'title':'PARSER'}", "t-a" },
		{ "{'title':'a','assignee':'eve'}", "t-a t-d" },
		{ "{'query':'parser'}", "t-b t-a" },
		{ "{'query':'T-C'}", "t-c" },
		{ "{'ids':['e','t-a','a']}", "t-a t-e" },
		{ "{'ids':['t-e','t-a'],'status':'closed'}", "t-e" },
	};
	struct fix f;

	five(&f);
	for (size_t i = 0; i < COUNT(rows); i++) {
		fix_ok(&f, "list", "%s", rows[i].args);
		if (strcmp(fix_ids(&f), rows[i].ids) != 0)
			test_fail(__FILE__, __LINE__, "%s: %s, not %s",
			    rows[i].args, fix_ids(&f), rows[i].ids);
	}
	CHECK_RC(fix_call(&f, "list", "{'ids':['zzz']}"), ERR_NOTFOUND);
	fix_close(&f);
}

/* More items than are sorted: the index is walked, and gives the same. */
TEST(work_list_of_a_common_label_walks)
{
	struct fix f;

	fix_open(&f);
	fix_fill(&f, true);
	for (int i = 0; i < 4200; i++)
		fix_ok(&f, "create", "{'id':'t-%d','title':'x','priority':%d,"
		    "'assignee':'eve','labels':['all'%s]}", i, i % 5,
		    i == 4000 || i == 17 ? ",'rare'" : "");
	fix_fill(&f, false);
	fix_ok(&f, "list", "{'label':'all','limit':3}");
	CHECK_IDS(&f, "t-4195 t-4190 t-4185");
	fix_ok(&f, "list", "{'assignee':'eve','limit':2,'priority':3}");
	CHECK_IDS(&f, "t-4198 t-4193");
	fix_ok(&f, "list", "{'labels':['all','rare']}");
	CHECK_IDS(&f, "t-4000 t-17");
	fix_ok(&f, "list", "{'label':'all','labels_any':['rare','none']}");
	CHECK_IDS(&f, "t-4000 t-17");
	fix_close(&f);
}

TEST(work_search_finds_all_words_anywhere)
{
	static const struct { const char *args, *ids; } rows[] = {
		{ "{'query':'parser'}", "t-b t-a" },
		{ "{'query':'  AGAIN\\tparser '}", "t-b" },
		{ "{'query':'parser','limit':1}", "t-b" },
		{ "{'query':'look quotes'}", "t-c" },
		{ "{'query':'epsilon','status':'open'}", "" },
		{ "{'query':'t-e'}", "t-e" },
	};
	struct fix f;

	five(&f);
	for (size_t i = 0; i < COUNT(rows); i++) {
		fix_ok(&f, "search", "%s", rows[i].args);
		if (strcmp(fix_ids(&f), rows[i].ids) != 0)
			test_fail(__FILE__, __LINE__, "%s: %s, not %s",
			    rows[i].args, fix_ids(&f), rows[i].ids);
	}
	CHECK_RC(fix_call(&f, "search", "{'query':' '}"), ERR_INVALID);
	fix_close(&f);
}

TEST(work_blocked_names_the_blockers)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-g1','title':'gate'}");
	fix_ok(&f, "create", "{'id':'t-g2','title':'gate'}");
	fix_ok(&f, "create", "{'id':'t-own','title':'gate'}");
	fix_ok(&f, "create", "{'id':'t-epic','title':'epic','priority':1,"
	    "'dependencies':['t-g1','t-g2']}");
	fix_ok(&f, "create", "{'title':'child','parent':'t-epic'}");
	fix_ok(&f, "create", "{'title':'grandchild','parent':'t-epic.1',"
	    "'dependencies':['t-own'],'priority':3}");
	fix_ok(&f, "create", "{'title':'idle','status':'blocked','id':'t-i'}");
	fix_ok(&f, "blocked", "{}");
	CHECK_IDS(&f, "t-epic t-i t-epic.1 t-epic.1.1");
	CHECK_STR(fix_get(&f, "1.blocked_by"), "[]");
	CHECK_STR(fix_get(&f, "1.blocked_by_count"), "0");
	fix_ok(&f, "update", "{'id':'t-i','status':'open'}");
	fix_ok(&f, "blocked", "{}");
	CHECK_IDS(&f, "t-epic t-epic.1 t-epic.1.1");
	CHECK_STR(fix_get(&f, "0.blocked_by"), "[\"t-g1\",\"t-g2\"]");
	CHECK_STR(fix_get(&f, "1.blocked_by"), "[\"t-g1\",\"t-g2\"]");
	CHECK_STR(fix_get(&f, "2.blocked_by"), "[\"t-own\",\"t-g1\",\"t-g2\"]");
	CHECK_STR(fix_get(&f, "2.blocked_by_count"), "3");
	fix_ok(&f, "close", "{'id':'t-g1'}");
	fix_ok(&f, "blocked", "{'limit':1}");
	CHECK_IDS(&f, "t-epic");
	CHECK_STR(fix_get(&f, "0.blocked_by"), "[\"t-g2\"]");
	fix_ok(&f, "close", "{'id':'t-epic'}");
	fix_ok(&f, "blocked", "{}");
	CHECK_IDS(&f, "t-epic.1 t-epic.1.1");
	fix_ok(&f, "close", "{'id':'t-g2'}");
	fix_ok(&f, "blocked", "{}");
	CHECK_IDS(&f, "t-epic.1.1");
	CHECK_STR(fix_get(&f, "0.blocked_by"), "[\"t-own\"]");
	fix_close(&f);
}

TEST(work_stats_counts)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "stats", "{}");
	CHECK_STR(fix_get(&f, "total_issues"), "0");
	CHECK_STR(fix_get(&f, "average_lead_time_hours"), "0.0");
	fix_close(&f);
	remove("work.db");
	five(&f);
	fix_ok(&f, "create", "{'id':'t-f','title':'x','status':'deferred'}");
	fix_ok(&f, "create", "{'id':'t-h','title':'x','status':'blocked'}");
	f.now += 3600 * 1000 * 3;
	fix_ok(&f, "close", "{'id':'t-f'}");
	fix_ok(&f, "update", "{'id':'t-c','status':'in_progress'}");
	fix_ok(&f, "stats", "{}");
	CHECK_STR(fix_get(&f, "total_issues"), "7");
	CHECK_STR(fix_get(&f, "open_issues"), "3");
	CHECK_STR(fix_get(&f, "in_progress_issues"), "1");
	CHECK_STR(fix_get(&f, "deferred_issues"), "0");
	CHECK_STR(fix_get(&f, "closed_issues"), "2");
	CHECK_STR(fix_get(&f, "blocked_issues"), "2");
	CHECK_STR(fix_get(&f, "ready_issues"), "2");
	CHECK(str_starts(fix_get(&f, "average_lead_time_hours"), S("1.5")));
	fix_close(&f);
}

/* Goal: the clocks of several machines make no average below zero. */
TEST(work_what_closed_before_it_began_took_no_time)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "import", "{'items':[{'id':'t-1','title':'a','status':'closed',"
	    "'created_at':'2025-01-02T00:00:00Z','closed_at':'2025-01-01T00:00:00Z'},"
	    "{'id':'t-2','title':'b','status':'closed','created_at':"
	    "'2025-01-01T00:00:00Z','closed_at':'2025-01-01T04:00:00Z'}]}");
	fix_ok(&f, "stats", "{}");
	CHECK_STR(fix_get(&f, "average_lead_time_hours"), "2.0");
	fix_close(&f);
}

static size_t
count_of(struct fix *f, const char *operation, const char *args)
{
	fix_ok(f, operation, "%s", args);
	return json_count(f->doc.root);
}

/* In every status, held and not: what is counted is what is listed. */
TEST(work_counts_and_lists_agree)
{
	static const struct { const char *key, *operation, *args; } rows[] = {
		{ "blocked_issues", "blocked", "{}" }, { "ready_issues", "ready", "{'limit':0}" },
		{ "total_issues", "list", "{}" },
		{ "open_issues", "list", "{'status':'open'}" },
		{ "in_progress_issues", "list", "{'status':'in_progress'}" },
		{ "deferred_issues", "list", "{'status':'deferred'}" },
		{ "closed_issues", "list", "{'status':'closed'}" },
	};
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-gate','title':'gate'}");
	for (int s = 0; work_status_names[s] != NULL; s++) {
		for (int i = 0; i <= s; i++) {
			fix_ok(&f, "create", "{'title':'x','status':'%s'}",
			    work_status_names[s]);
			fix_ok(&f, "create", "{'title':'x','status':'%s',"
			    "'dependencies':['t-gate'],'priority':%d}",
			    work_status_names[s], i % 5);
		}
	}
	for (size_t i = 0; i < COUNT(rows); i++) {
		char want[32];

		snprintf(want, sizeof want, "%zu",
		    count_of(&f, rows[i].operation, rows[i].args));
		fix_ok(&f, "stats", "{}");
		if (!str_eq(fix_get(&f, rows[i].key), str_of(want)))
			test_fail(__FILE__, __LINE__, "%s: %.*s, but %s are listed",
			    rows[i].key, FMT(fix_get(&f, rows[i].key)), want);
	}
	fix_close(&f);
}

TEST(work_labels_come_and_go)
{
	struct fix f;

	five(&f);
	fix_ok(&f, "label_add", "{'id':'t-a','label':'zeta','labels':[' ui ','m']}");
	CHECK_STR(fix_get(&f, "labels"), "[\"core\",\"m\",\"ui\",\"zeta\"]");
	fix_ok(&f, "history", "{'id':'t-a','limit':2}");
	CHECK_STR(fix_get(&f, "0.kind"), "label_added");
	CHECK_STR(fix_get(&f, "0.new"), "{\"label\":\"m\"}");
	CHECK_STR(fix_get(&f, "1.new.label"), "zeta");
	fix_ok(&f, "label_remove", "{'id':'t-a','labels':['ui','core','none']}");
	CHECK_STR(fix_get(&f, "labels"), "[\"m\",\"zeta\"]");
	CHECK(fix_count(&f, "SELECT count(*) FROM work_event WHERE kind = 9") == 2);
	fix_ok(&f, "label_list", "{'id':'t-a'}");
	CHECK_STR(buf_str(&f.data), "[\"m\",\"zeta\"]");
	fix_ok(&f, "list", "{'label':'ui'}");
	CHECK_IDS(&f, "t-e");
	fix_ok(&f, "label_list_all", "{}");
	CHECK_STR(buf_str(&f.data), "[{\"label\":\"core\",\"count\":1},"
	    "{\"label\":\"m\",\"count\":1},{\"label\":\"ui\",\"count\":1},"
	    "{\"label\":\"zeta\",\"count\":1}]");
	CHECK_RC(fix_call(&f, "label_add", "{'id':'t-a','label':' '}"),
	    ERR_INVALID);
	CHECK_RC(fix_call(&f, "label_add", "{'id':'t-a'}"), ERR_INVALID);
	fix_close(&f);
}

TEST(work_a_label_that_is_there_changes_nothing)
{
	struct fix f;
	char when[64];

	five(&f);
	fix_ok(&f, "show", "{'id':'t-a'}");
	snprintf(when, sizeof when, "%.*s", FMT(fix_get(&f, "updated_at")));
	fix_ok(&f, "label_add", "{'id':'t-a','label':'ui'}");
	CHECK_STR(fix_get(&f, "updated_at"), when);
	fix_ok(&f, "label_remove", "{'id':'t-a','label':'none'}");
	CHECK_STR(fix_get(&f, "updated_at"), when);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_event"
	    " WHERE kind IN (8, 9)") == 0);
	fix_close(&f);
}

TEST(work_comments_are_kept_in_order)
{
	struct fix f;
	char when[64];

	five(&f);
	fix_ok(&f, "comment_list", "{'id':'t-a'}");
	CHECK_STR(buf_str(&f.data), "[]");
	fix_ok(&f, "comment", "{'id':'a','text':'first'}");
	CHECK_STR(fix_get(&f, "issue_id"), "t-a");
	CHECK_STR(fix_get(&f, "author"), "ada");
	snprintf(when, sizeof when, "%.*s", FMT(fix_get(&f, "created_at")));
	f.actor = "bob";
	fix_ok(&f, "comment", "{'id':'t-a','text':'second \\\"x\\\"'}");
	fix_ok(&f, "comment_list", "{'id':'t-a'}");
	CHECK_STR(fix_get(&f, "0.text"), "first");
	CHECK_STR(fix_get(&f, "0.created_at"), when);
	CHECK_STR(fix_get(&f, "1.author"), "bob");
	CHECK_STR(fix_get(&f, "1.text"), "second \"x\"");
	fix_ok(&f, "show", "{'id':'t-a'}");
	CHECK_STR(fix_get(&f, "comments.1.text"), "second \"x\"");
	fix_ok(&f, "history", "{'id':'t-a','limit':1}");
	CHECK_STR(fix_get(&f, "0.kind"), "commented");
	CHECK_STR(fix_get(&f, "0.new.author"), "bob");
	CHECK_RC(fix_call(&f, "comment", "{'id':'t-a','text':' '}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "comment", "{'id':'t-zzz','text':'x'}"),
	    ERR_NOTFOUND);
	fix_close(&f);
}

TEST(work_history_is_newest_last)
{
	struct fix f;

	five(&f);
	fix_ok(&f, "history", "{}");
	CHECK_STR(fix_get(&f, "0.issue_id"), "t-a");
	CHECK_STR(fix_get(&f, "5.kind"), "closed");
	fix_ok(&f, "history", "{'limit':2}");
	CHECK_STR(fix_get(&f, "0.kind"), "created");
	CHECK_STR(fix_get(&f, "1.kind"), "closed");
	fix_ok(&f, "history", "{'after':1,'limit':2}");
	CHECK_STR(fix_get(&f, "0.seq"), "2");
	CHECK_STR(fix_get(&f, "1.seq"), "3");
	fix_ok(&f, "history", "{'id':'t-e','after':5}");
	CHECK_STR(fix_get(&f, "0.kind"), "closed");
	fix_ok(&f, "delete", "{'ids':['t-e'],'force':true}");
	fix_ok(&f, "history", "{'id':'t-e'}");
	CHECK_STR(fix_get(&f, "2.kind"), "deleted");
	CHECK_STR(fix_get(&f, "2.old.title"), "epsilon");
	fix_close(&f);
}

/* ---- delete --------------------------------------------------------------------- */

TEST(work_delete_shows_before_it_does)
{
	struct fix f;

	five(&f);
	fix_ok(&f, "comment", "{'id':'t-a','text':'x'}");
	fix_ok(&f, "update", "{'id':'t-d','notes':'as in t-a. Not t-ab.'}");
	fix_ok(&f, "delete", "{'ids':['a']}");
	CHECK_STR(fix_get(&f, "deleted"), "false");
	CHECK_STR(fix_get(&f, "issues"), "[{\"id\":\"t-a\",\"title\":"
	    "\"Alpha Parser\",\"status\":\"open\",\"priority\":1,"
	    "\"issue_type\":\"bug\"}]");
	CHECK_STR(fix_get(&f, "dependents.0.id"), "t-d");
	CHECK_STR(fix_get(&f, "dependencies"), "[{\"issue_id\":\"t-d\","
	    "\"depends_on_id\":\"t-a\",\"type\":\"blocks\"}]");
	CHECK_STR(fix_get(&f, "dependencies_removed"), "1");
	CHECK_STR(fix_get(&f, "labels_removed"), "2");
	CHECK_STR(fix_get(&f, "comments_removed"), "1");
	CHECK_STR(fix_get(&f, "references_updated"), "1");
	fix_ok(&f, "show", "{'id':'t-a'}");
	CHECK_RC(fix_call(&f, "delete", "{'ids':['t-b','t-zz'],'force':true}"),
	    ERR_NOTFOUND);
	CHECK_RC(fix_call(&f, "delete", "{'ids':[]}"), ERR_INVALID);
	fix_ok(&f, "show", "{'id':'t-b'}");
	fix_close(&f);
}

TEST(work_delete_frees_what_it_held)
{
	struct fix f;

	five(&f);
	fix_ok(&f, "comment", "{'id':'t-a','text':'x'}");
	fix_ok(&f, "create", "{'title':'child','parent':'t-d'}");
	fix_ok(&f, "update", "{'id':'t-d','notes':'as in t-a. Not t-ab.',"
	    "'description':'t-a-b t-a.1 (t-a)'}");
	fix_ok(&f, "delete", "{'ids':['t-a'],'force':true}");
	CHECK_STR(fix_get(&f, "deleted"), "true");
	CHECK_RC(fix_call(&f, "show", "{'id':'t-a'}"), ERR_NOTFOUND);
	fix_ok(&f, "ready", "{}");
	CHECK_IDS(&f, "t-c t-b t-d t-d.1");
	fix_ok(&f, "show", "{'id':'t-d'}");
	CHECK_STR(fix_get(&f, "dependencies"), "");
	CHECK_STR(fix_get(&f, "notes"), "as in [deleted:t-a]. Not t-ab.");
	CHECK_STR(fix_get(&f, "description"), "t-a-b t-a.1 ([deleted:t-a])");
	CHECK(fix_count(&f, "SELECT count(*) FROM work_label JOIN work_item ON"
	    " item = seq WHERE id = 't-a'") == 0);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_comment") == 0);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_event WHERE id = 't-d'"
	    " AND ready = 1 AND kind = 12") == 1);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_event WHERE id = 't-d'"
	    " AND kind = 7") == 1);
	CHECK_RC(fix_call(&f, "create", "{'id':'t-a','title':'x'}"),
	    ERR_CONFLICT);
	fix_ok(&f, "list", "{}");
	CHECK_IDS(&f, "t-c t-b t-d.1 t-e t-d");
	fix_ok(&f, "recount", "{}");
	CHECK_STR(fix_get(&f, "ok"), "true");
	fix_close(&f);
}

/* A held epic and its gate, together: nobody of them is said to be ready. */
TEST(work_delete_of_several_that_are_tied)
{
	struct fix f;

	five(&f);
	fix_ok(&f, "create", "{'title':'child','parent':'t-d'}");
	fix_ok(&f, "create", "{'title':'child','parent':'t-d'}");
	fix_ok(&f, "delete", "{'ids':['t-d','t-a','t-d.1','t-d'],'force':true}");
	CHECK_STR(fix_get(&f, "dependencies_removed"), "3");
	CHECK(json_count(json_get(f.doc.root, S("issues"))) == 3);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_edge") == 0);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_event WHERE ready = 1"
	    " AND kind = 12") == 1);
	fix_ok(&f, "ready", "{}");
	CHECK_IDS(&f, "t-c t-b t-d.2");
	fix_ok(&f, "recount", "{}");
	CHECK_STR(fix_get(&f, "ok"), "true");
	fix_close(&f);
}

/* ---- pages ------------------------------------------------------------------- */

/* All ids of a list, page by page; how many pages there were. */
static size_t
pages_read(struct fix *f, const char *operation, const char *more, struct buf *ids)
{
	char after[96] = "";
	size_t pages = 0;
	jnode next;

	buf_clear(ids);
	do {
		struct json_iter it;

		fix_ok(f, operation, "{%s'page':true%s}", more, after);
		it = json_each(json_get(f->doc.root, S("items")));
		while (json_next(&it)) {
			buf_add(ids, json_str(json_get(it.value, S("id"))));
			buf_add_char(ids, ' ');
		}
		next = json_get(f->doc.root, S("next"));
		snprintf(after, sizeof after, ",'after':'%.*s'", FMT(json_str(next)));
		pages++;
	} while (!json_is_null(next));
	return pages;
}

static void
all_read(struct fix *f, const char *operation, const char *more, struct buf *ids)
{
	struct json_iter it;

	buf_clear(ids);
	fix_ok(f, operation, "{%s'limit':0}", more);
	it = json_each(f->doc.root);
	while (json_next(&it)) {
		buf_add(ids, json_str(json_get(it.value, S("id"))));
		buf_add_char(ids, ' ');
	}
}

/* 150 items of 60 KB are three pages; a fifth of them is one. */
TEST(work_pages_are_the_list)
{
	struct fix f;
	struct buf pages = BUF(1 * MB), all = BUF(1 * MB), text = BUF(1 * MB);
	static const char *const filters[] = { "", "'labels':['x'],",
		"'assignee':'ann',", "'priority':2,", "'status':'open'," };

	fix_open(&f);
	while (text.n < 60000)
		buf_lit(&text, "all work and no play ");
	fix_fill(&f, true);
	for (int i = 0; i < 150; i++) {
		f.now += i % 3 == 0 ? 0 : 7;         /* some of one time */
		fix_ok(&f, "create", "{'title':'t%d','priority':%d,'labels':['x'],"
		    "'assignee':'ann','description':'%.*s'}", i, i % 5,
		    FMT(buf_str(&text)));
	}
	fix_fill(&f, false);
	for (size_t i = 0; i < COUNT(filters); i++) {
		all_read(&f, "list", filters[i], &all);
		CHECK(pages_read(&f, "list", filters[i], &pages) >
		    (i == 3 ? 0 : 2));
		CHECK(str_eq(buf_str(&pages), buf_str(&all)));
	}
	all_read(&f, "search", "'query':'play',", &all);
	CHECK(pages_read(&f, "search", "'query':'play',", &pages) > 2);
	CHECK(str_eq(buf_str(&pages), buf_str(&all)));
	fix_ok(&f, "list", "{'page':true,'limit':7}");
	CHECK_INT(json_count(json_get(f.doc.root, S("items"))), 7);
	CHECK(!json_is_null(json_get(f.doc.root, S("next"))));
	CHECK_RC(fix_call(&f, "list", "{'page':true,'after':'x'}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "list", "{'page':true,'after':'1.2.3.4'}"),
	    ERR_INVALID);
	CHECK_RC(fix_call(&f, "list", "{'after':'1.2.3'}"), ERR_INVALID);
	buf_release(&pages);
	buf_release(&all);
	buf_release(&text);
	fix_close(&f);
}
