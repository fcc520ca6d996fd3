/*
 * work_deps.c - dependencies added, taken away, and their tree.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <string.h>

static void
item(struct fix *f, const char *id, const char *type)
{
	fix_ok(f, "create", "{'title':'%s','id':'t-%s','issue_type':'%s'}", id, id,
	    type);
}

TEST(work_a_dependency_is_in_row_body_and_audit)
{
	struct fix f;

	fix_open(&f);
	item(&f, "a", "task");
	item(&f, "b", "task");
	fix_ok(&f, "dep_add", "{'from_id':'b','to_id':'a'}");
	CHECK_STR(buf_str(&f.data), "{\"issue_id\":\"t-b\",\"depends_on_id\":\"t-a\","
	    "\"type\":\"blocks\"}");
	fix_ok(&f, "ready", "{}");
	CHECK(strcmp(fix_ids(&f), "t-a") == 0);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_item WHERE id = 't-b' AND"
	    " body ->> '$.dependencies[0].created_by' = 'ada' AND"
	    " body ->> '$.dependencies[0].depends_on_id' = 't-a' AND"
	    " body ->> '$.updated_at' > body ->> '$.created_at'") == 1);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_event WHERE id = 't-b' AND"
	    " kind = 6 AND old IS NULL AND new ->> '$.type' = 'blocks'") == 1);
	fix_ok(&f, "dep_remove", "{'from_id':'b','to_id':'a'}");
	CHECK_STR(buf_str(&f.data),
	    "{\"issue_id\":\"t-b\",\"depends_on_id\":\"t-a\"}");
	fix_ok(&f, "ready", "{}");
	CHECK(strcmp(fix_ids(&f), "t-a t-b") == 0);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_event WHERE id = 't-b' AND"
	    " ((kind = 7 AND new IS NULL AND old ->> '$.depends_on_id' = 't-a')"
	    " OR (kind = 12 AND ready = 1))") == 2);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_item WHERE id = 't-b' AND"
	    " body ->> '$.dependencies' IS NULL") == 1);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_edge") == 0);
	fix_close(&f);
}

TEST(work_dependencies_that_are_refused_say_why)
{
	static const struct { const char *op, *args, *words; int rc; } cases[] = {
		{ "dep_add", "{'from_id':'x','to_id':'a'}", "issue x not found",
		    ERR_NOTFOUND },
		{ "dep_add", "{'from_id':'a','to_id':'x'}",
		    "dependency target x not found", ERR_NOTFOUND },
		{ "dep_add", "{'from_id':'b','to_id':'a'}",
		    "t-b depends on t-a already (blocks)", ERR_CONFLICT },
		{ "dep_add", "{'from_id':'b','to_id':'a','dep_type':'related'}",
		    "t-b depends on t-a already, as blocks: remove that dependency "
		    "first", ERR_CONFLICT },
		{ "dep_add", "{'from_id':'e','to_id':'a','dep_type':'parent-child'}",
		    "invalid parent-child dependency: parent (t-e) cannot depend on "
		    "child (t-a). Use: dep add t-a t-e --type parent-child",
		    ERR_INVALID },
		{ "create", "{'title':'n','issue_type':'epic','parent':'a'}",
		    "invalid parent-child dependency: ", ERR_INVALID },
		{ "dep_add", "{'from_id':'a','to_id':'b','dep_type':'needs'}",
		    "dep_type: ", ERR_INVALID },
		{ "dep_remove", "{'from_id':'a','to_id':'b'}",
		    "dependency from t-a to t-b does not exist", ERR_NOTFOUND },
		{ "dep_remove", "{'from_id':'b','to_id':'a','dep_type':'related'}",
		    "t-b depends on t-a as blocks, not as related", ERR_CONFLICT },
	};
	struct fix f;

	fix_open(&f);
	item(&f, "a", "task");
	item(&f, "b", "task");
	item(&f, "e", "epic");
	fix_ok(&f, "dep_add", "{'from_id':'b','to_id':'a'}");
	for (size_t i = 0; i < COUNT(cases); i++) {
		int rc = fix_call(&f, cases[i].op, "%s", cases[i].args);

		if (rc != cases[i].rc ||
		    strncmp(f.e.text, cases[i].words, strlen(cases[i].words)) != 0)
			test_fail(__FILE__, __LINE__, "%s: %s %s", cases[i].args,
			    rc_name(rc), f.e.text);
	}
	CHECK(fix_count(&f, "SELECT count(*) FROM work_edge") == 1);
	fix_close(&f);
}

/* "depth:id" of the rows. */
static const char *
rows(struct fix *f)
{
	static char text[4096];
	struct json_iter it = json_each(f->doc.root);
	size_t at = 0;

	text[0] = '\0';
	while (json_next(&it))
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%d:%.*s%s",
		    at > 0 ? " " : "", (int)json_int(json_get(it.value, S("depth"))),
		    FMT(json_str(json_get(it.value, S("id")))),
		    json_bool(json_get(it.value, S("truncated"))) ? "+" : "");
	return text;
}

TEST(work_a_tree_has_each_item_once)
{
	struct fix f;

	fix_open(&f);
	item(&f, "a", "task");
	item(&f, "b", "task");
	item(&f, "c", "task");
	item(&f, "d", "task");
	fix_ok(&f, "update", "{'id':'c','priority':0}");
	fix_ok(&f, "dep_add", "{'from_id':'a','to_id':'b'}");
	fix_ok(&f, "dep_add", "{'from_id':'a','to_id':'c','dep_type':'related'}");
	fix_ok(&f, "dep_add", "{'from_id':'b','to_id':'d'}");
	fix_ok(&f, "dep_add", "{'from_id':'c','to_id':'d'}");
	fix_ok(&f, "dep_tree", "{'id':'a'}");
	CHECK(strcmp(rows(&f), "0:t-a 1:t-c 2:t-d 1:t-b") == 0);
	CHECK_STR(fix_get(&f, "0.parent"), "null");
	CHECK_STR(fix_get(&f, "0.type"), "null");
	CHECK_STR(fix_get(&f, "1.parent"), "t-a");
	CHECK_STR(fix_get(&f, "1.type"), "related");
	CHECK_STR(fix_get(&f, "2.parent"), "t-c");
	CHECK_STR(fix_get(&f, "3.repeated"), "[\"t-d\"]");
	CHECK_STR(fix_get(&f, "2.repeated"), "");
	CHECK_STR(fix_get(&f, "0.dependencies"), "");
	CHECK_STR(fix_get(&f, "0.title"), "a");
	fix_ok(&f, "dep_tree", "{'id':'a','max_depth':1}");
	CHECK(strcmp(rows(&f), "0:t-a 1:t-c+ 1:t-b+") == 0);
	fix_ok(&f, "dep_tree", "{'id':'d','reverse':true}");
	CHECK(strcmp(rows(&f), "0:t-d 1:t-c 2:t-a 1:t-b") == 0);
	CHECK_RC(fix_call(&f, "dep_tree", "{'id':'zzz'}"), ERR_NOTFOUND);
	fix_close(&f);
}

TEST(work_a_tree_goes_as_deep_as_it_may)
{
	struct fix f;

	fix_open(&f);
	item(&f, "0", "task");
	for (int i = 1; i < 60; i++)
		fix_ok(&f, "create", "{'title':'x','id':'t-%d',"
		    "'dependencies':['t-%d']}", i, i - 1);
	fix_ok(&f, "dep_tree", "{'id':'59'}");
	CHECK(json_count(f.doc.root) == 51);
	CHECK_STR(fix_get(&f, "50.truncated"), "true");
	fix_ok(&f, "dep_tree", "{'id':'59','max_depth':1000}");
	CHECK(json_count(f.doc.root) == 60);
	CHECK_STR(fix_get(&f, "59.truncated"), "false");
	fix_close(&f);
}

/* Refused at the last moment, when its place under the parent is found. */
TEST(work_a_child_too_large_leaves_its_number)
{
	static char text[4200 * 1024];
	struct fix f;

	fix_open(&f);
	item(&f, "e", "epic");
	for (size_t n = 0; n < 6 * 700000; n += 6)
		memcpy(text + n, "\\u0001", 6);
	CHECK_RC(fix_call(&f, "batch", "{'partial':true,'operations':["
	    "{'operation':'create','args':{'title':'x','parent':'t-e',"
	    "'notes':'%s','design':'%s'}},"
	    "{'operation':'create','args':{'title':'y','parent':'t-e'}}]}", text,
	    text), OK);
	CHECK_STR(fix_get(&f, "results.0.code"), "TOOBIG");
	CHECK_STR(fix_get(&f, "results.1.data.id"), "t-e.1");
	CHECK(fix_count(&f, "SELECT count(*) FROM work_item") == 2);
	CHECK(fix_count(&f, "SELECT total(n) FROM work_count") == 2);
	fix_close(&f);
}
