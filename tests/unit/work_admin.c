/*
 * work_admin.c - recount, rename_prefix, info; and many random operations, after
 * which the stored counts are what a recount finds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <stdio.h>
#include <string.h>

static void
some(struct fix *f)
{
	fix_open(f);
	fix_ok(f, "create", "{'id':'t-a','title':'A','labels':['x'],"
	    "'assignee':'eve'}");
	fix_ok(f, "create", "{'id':'t-b','title':'B','dependencies':['t-a']}");
	fix_ok(f, "create", "{'title':'C','parent':'t-b'}");
	fix_ok(f, "create", "{'title':'D','parent':'t-b.1'}");
	fix_ok(f, "create", "{'id':'t-e','title':'E','dependencies':"
	    "['related:t-a','discovered-from:t-b']}");
	fix_ok(f, "comment", "{'id':'t-e','text':'hi'}");
	fix_ok(f, "create", "{'id':'t-f','title':'F'}");
	fix_ok(f, "close", "{'id':'t-f'}");
	fix_ok(f, "claim", "{'id':'t-e'}");
}

TEST(work_recount_agrees)
{
	struct fix f;

	some(&f);
	fix_ok(&f, "recount", "{}");
	CHECK_STR(buf_str(&f.data), "{\"ok\":true,\"differences\":[],\"total\":0,"
	    "\"fixed\":false}");
	fix_close(&f);
}

TEST(work_recount_finds_and_mends)
{
	static const struct { const char *sql, *what; } rows[] = {
		{ "UPDATE work_count SET n = n + 1 WHERE state = 0", "open issues" },
		{ "DELETE FROM work_count WHERE state = 1", "open held issues" },
		{ "UPDATE work_tracker SET lead_ms = 7", "lead_ms" },
		{ "UPDATE work_item SET blockers = 2 WHERE id = 't-b'",
		  "t-b blockers" },
		{ "UPDATE work_item SET held_parents = 0 WHERE id = 't-b.1.1'",
		  "t-b.1.1 held_parents" },
		{ "UPDATE work_item SET state = 0 WHERE id = 't-b.1'",
		  "t-b.1 state" },
		{ "UPDATE work_item SET state = 8 WHERE id = 't-a'",
		  "t-a status" },
		{ "UPDATE work_item SET priority = 4 WHERE id = 't-a'",
		  "t-a priority" },
		{ "UPDATE work_item SET created = 4 WHERE id = 't-a'",
		  "t-a created" },
		{ "UPDATE work_item SET type = 1 WHERE id = 't-a'", "t-a type" },
		{ "UPDATE work_item SET assignee = 'bob' WHERE id = 't-a'",
		  "t-a assignee" },
		{ "UPDATE work_item SET assignee = NULL WHERE id = 't-a'",
		  "t-a assignee" },
		{ "UPDATE work_item SET comments = 0 WHERE id = 't-e'",
		  "t-e comments" },
		{ "DELETE FROM work_comment", "t-e comments" },
		{ "UPDATE work_item SET lease_until = NULL WHERE id = 't-e'",
		  "t-e lease" },
		{ "UPDATE work_item SET id = 't-q' WHERE id = 't-f'", "t-f id" },
		{ "DELETE FROM work_label", "t-a label" },
		{ "INSERT INTO work_label SELECT 1, 'y', seq FROM work_item"
		  " WHERE id = 't-b'", "t-b label" },
		{ "DELETE FROM work_edge WHERE type = 0", "t-b dependency on t-a" },
		{ "DELETE FROM work_edge WHERE type = 2",
		  "t-b.1 dependency on t-b" },
		{ "UPDATE work_edge SET type = 1 WHERE type = 0",
		  "t-b dependency on t-a" },
		{ "INSERT INTO work_edge SELECT i.seq, j.seq, 0 FROM work_item i,"
		  " work_item j WHERE i.id = 't-f' AND j.id = 't-a'",
		  "t-f dependency on t-a" },
		{ "UPDATE work_item SET body = replace(body, "
		  "'\"depends_on_id\":\"t-a\"', '\"depends_on_id\":\"t-zz\"')"
		  " WHERE id = 't-b'", "t-b dependency on t-zz" },
	};
	struct fix f;

	some(&f);
	for (size_t i = 0; i < COUNT(rows); i++) {
		CHECK_RC(db_exec(&f.db, "BEGIN; SAVEPOINT s; RELEASE s; COMMIT",
		    &f.e), OK);
		CHECK_RC(db_exec(&f.db, rows[i].sql, &f.e), OK);
		/* Looking does not mend. */
		for (int j = 0; j < 2; j++) {
			fix_ok(&f, "recount", "{}");
			if (!str_eq(fix_get(&f, "ok"), S("false")) ||
			    !str_contains(buf_str(&f.data), str_of(rows[i].what)))
				test_fail(__FILE__, __LINE__, "%s: %.*s",
				    rows[i].sql, FMT(buf_str(&f.data)));
		}
		fix_ok(&f, "recount", "{'fix':true}");
		CHECK_STR(fix_get(&f, "fixed"), "true");
		fix_ok(&f, "recount", "{}");
		if (!str_eq(fix_get(&f, "ok"), S("true")))
			test_fail(__FILE__, __LINE__, "after %s: %.*s",
			    rows[i].sql, FMT(buf_str(&f.data)));
	}
	fix_close(&f);
}

/* A body nobody can read is said, and is not touched. */
TEST(work_recount_says_what_it_cannot_read)
{
	struct fix f;

	some(&f);
	CHECK_RC(db_exec(&f.db, "UPDATE work_item SET body = '{\"id\":'"
	    " WHERE id = 't-f'", &f.e), OK);
	fix_ok(&f, "recount", "{'fix':true}");
	CHECK_STR(fix_get(&f, "differences.0.what"), "t-f body");
	CHECK(fix_count(&f, "SELECT count(*) FROM work_item WHERE id = 't-f'"
	    " AND body = '{\"id\":'") == 1);
	fix_close(&f);
}

TEST(work_rename_prefix_takes_everything_along)
{
	struct fix f;

	some(&f);
	fix_ok(&f, "update", "{'id':'t-a','title':'like t-b.1','notes':'t-b, t-b.1."
	    " not t-zz, xt-b or t-b-x','description':'t-f'}");
	fix_ok(&f, "create", "{'id':'other-1','title':'O','dependencies':['t-a'],"
	    "'notes':'t-a'}");
	fix_ok(&f, "create", "{'id':'t-x-1','title':'of the prefix t-x',"
	    "'notes':'t-x-1'}");
	fix_ok(&f, "delete", "{'ids':['t-f'],'force':true}");
	fix_ok(&f, "rename_prefix", "{'prefix':'new-','dry_run':true}");
	CHECK_STR(fix_get(&f, "old_prefix"), "t");
	CHECK_STR(fix_get(&f, "new_prefix"), "new");
	CHECK_STR(fix_get(&f, "renamed"), "5");
	CHECK_STR(fix_get(&f, "issues.0"), "{\"old\":\"t-a\",\"new\":\"new-a\"}");
	fix_ok(&f, "show", "{'id':'t-a'}");
	fix_ok(&f, "rename_prefix", "{'prefix':'new'}");
	CHECK_RC(fix_call(&f, "show", "{'id':'t-a'}"), ERR_NOTFOUND);
	fix_ok(&f, "show", "{'id':'new-a'}");
	CHECK_STR(fix_get(&f, "title"), "like new-b.1");
	CHECK_STR(fix_get(&f, "description"), "t-f");
	CHECK_STR(fix_get(&f, "notes"),
	    "new-b, new-b.1. not t-zz, xt-b or t-b-x");
	CHECK_STR(fix_get(&f, "dependents.0.dependency_records.0.depends_on_id"),
	    "new-a");
	fix_ok(&f, "show", "{'id':'t-x-1'}");
	CHECK_STR(fix_get(&f, "notes"), "t-x-1");
	fix_ok(&f, "show", "{'id':'other-1'}");
	CHECK_STR(fix_get(&f, "notes"), "new-a");
	CHECK_STR(fix_get(&f, "dependencies.0.id"), "new-a");
	CHECK_RC(fix_call(&f, "create", "{'id':'t-f','title':'x'}"),
	    ERR_CONFLICT);
	CHECK_RC(fix_call(&f, "create", "{'id':'t-a','title':'x'}"),
	    ERR_CONFLICT);
	fix_ok(&f, "create", "{'title':'x'}");
	CHECK(str_starts(fix_get(&f, "id"), S("new-")));
	fix_ok(&f, "history", "{'id':'new-b.1','limit':1}");
	CHECK_STR(fix_get(&f, "0.kind"), "renamed");
	CHECK_STR(fix_get(&f, "0.old.id"), "t-b.1");
	CHECK_STR(fix_get(&f, "0.new.id"), "new-b.1");
	fix_ok(&f, "create", "{'title':'x','parent':'new-b'}");
	CHECK_STR(fix_get(&f, "id"), "new-b.2");
	fix_ok(&f, "recount", "{}");
	CHECK_STR(fix_get(&f, "ok"), "true");
	fix_close(&f);
}

/* Goal: an item that waited for the id it gets waits for nobody. */
TEST(work_rename_prefix_to_what_an_item_waited_for)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "import", "{'items':[{'id':'t-1','title':'a','dependencies':"
	    "[{'depends_on_id':'new-1'}]}]}");
	fix_ok(&f, "rename_prefix", "{'prefix':'new'}");
	fix_ok(&f, "ready", "{}");
	CHECK(strcmp(fix_ids(&f), "new-1") == 0);
	CHECK_STR(fix_get(&f, "0.dependency_records"), "");
	fix_ok(&f, "recount", "{}");
	CHECK_STR(fix_get(&f, "ok"), "true");
	fix_close(&f);
}

TEST(work_rename_prefix_refuses)
{
	struct fix f;

	some(&f);
	fix_ok(&f, "create", "{'id':'u-a','title':'x'}");
	CHECK_RC(fix_call(&f, "rename_prefix", "{'prefix':'u'}"), ERR_CONFLICT);
	CHECK_RC(fix_call(&f, "rename_prefix", "{'prefix':'t-'}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "rename_prefix", "{'prefix':'9'}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "rename_prefix", "{'prefix':'--'}"), ERR_INVALID);
	fix_ok(&f, "rename_prefix", "{'prefix':'t-x'}");
	fix_ok(&f, "show", "{'id':'t-x-b.1.1'}");
	fix_close(&f);
}

static int
no_more_time(void *ctx, size_t done, size_t total)
{
	(void)done;
	*(size_t *)ctx = total;
	return ERR_TIMEOUT;
}

/* The transaction goes on and is committed: what failed has changed nothing. */
TEST(work_long_operations_end_when_they_are_told)
{
	static const struct { const char *operation, *args; } rows[] = {
		{ "rename_prefix", "{\"prefix\":\"u\"}" },
		{ "recount", "{\"fix\":true}" },
	};
	struct fix f;

	some(&f);
	CHECK_RC(db_exec(&f.db, "UPDATE work_tracker SET lead_ms = 7", &f.e), OK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t total = 0;
		struct work_call c = { .tracker = f.tracker, .now = ++f.now,
			.operation = str_of(rows[i].operation), .actor = S("ada"),
			.data = &f.data, .tick = no_more_time, .tick_ctx = &total };
		struct json_doc doc;

		CHECK_RC(json_parse(&doc, str_of(rows[i].args), &f.e), OK);
		c.args = doc.root;
		CHECK_RC(db_exec(&f.db, "BEGIN IMMEDIATE", &f.e), OK);
		CHECK_RC(work_run(f.w, &c), ERR_TIMEOUT);
		CHECK_RC(db_exec(&f.db, "COMMIT", &f.e), OK);
		CHECK_INT(total, 6);
		json_release(&doc);
	}
	fix_ok(&f, "show", "{'id':'t-a'}");
	fix_ok(&f, "recount", "{}");
	CHECK_STR(fix_get(&f, "total"), "1");
	CHECK_STR(fix_get(&f, "differences.0"),
	    "{\"what\":\"lead_ms\",\"stored\":7,\"counted\":1}");
	fix_close(&f);
}

TEST(work_settings_are_kept)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "config_set", "{'key':'b','value':'2 \\u00e9'}");
	fix_ok(&f, "config_set", "{'key':'a','value':''}");
	CHECK_STR(buf_str(&f.data), "{\"key\":\"a\",\"value\":\"\"}");
	fix_ok(&f, "config_set", "{'key':'a','value':'1'}");
	fix_ok(&f, "config_list", "{}");
	CHECK_STR(buf_str(&f.data), "{\"issue_prefix\":\"t\",\"a\":\"1\","
	    "\"b\":\"2 \xc3\xa9\"}");
	fix_ok(&f, "config_set", "{'key':'a'}");
	fix_ok(&f, "config_set", "{'key':'never'}");
	fix_ok(&f, "config_list", "{}");
	CHECK_STR(buf_str(&f.data), "{\"issue_prefix\":\"t\",\"b\":\"2 \xc3\xa9\"}");
	CHECK_RC(fix_call(&f, "config_set", "{'key':'','value':'1'}"), ERR_INVALID);
	CHECK_RC(fix_call(&f, "config_set", "{'key':'issue_prefix','value':'q'}"),
	    ERR_INVALID);
	fix_close(&f);
}

TEST(work_settings_are_so_many)
{
	struct fix f;
	char args[64];

	fix_open(&f);
	fix_fill(&f, true);
	for (int i = 0; i < LIMIT_WORK_SETTINGS; i++) {
		snprintf(args, sizeof args, "{'key':'k%d','value':''}", i);
		fix_ok(&f, "config_set", args);
	}
	fix_fill(&f, false);
	CHECK_RC(fix_call(&f, "config_set", "{'key':'one more','value':''}"),
	    ERR_LIMIT);
	fix_ok(&f, "config_set", "{'key':'k7','value':'other'}");
	fix_ok(&f, "config_set", "{'key':'k8'}");
	fix_ok(&f, "config_set", "{'key':'one more','value':''}");
	fix_close(&f);
}

TEST(work_info_says_what_is_there)
{
	struct fix f;

	some(&f);
	fix_ok(&f, "delete", "{'ids':['t-f'],'force':true}");
	fix_ok(&f, "info", "{}");
	CHECK_STR(fix_get(&f, "prefix"), "t");
	CHECK_STR(fix_get(&f, "items"), "5");
	CHECK_STR(fix_get(&f, "deleted"), "1");
	CHECK(str_ends(fix_get(&f, "database"), S("work.db")));
	fix_close(&f);
}

/* ---- at random --------------------------------------------------------------------- */

#define ROOT_IDS 60

static uint32_t
draw(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % below;
}

/* One operation; many are refused, and that is right. */
static int
random_step(struct fix *f, uint32_t *seed)
{
	static const char *const status[] = {
		"open", "in_progress", "blocked", "deferred", "closed"
	};
	static const char *const dep[] = {
		"blocks", "related", "parent-child", "discovered-from"
	};
	uint32_t a = draw(seed, ROOT_IDS), b = draw(seed, ROOT_IDS);

	f->actor = draw(seed, 2) == 0 ? "ada" : "bob";
	f->now += draw(seed, 1000);
	switch (draw(seed, 18)) {
	case 0: case 1:
		return fix_call(f, "create", "{'id':'t-i%u','title':'x t-i%u',"
		    "'priority':%u,'status':'%s','labels':['l%u'],"
		    "'dependencies':['%s:t-i%u']}", a, b, draw(seed, 5),
		    status[draw(seed, 5)], draw(seed, 4), dep[draw(seed, 4)], b);
	case 2: case 3:
		return fix_call(f, "create", "{'id':'t-i%u','title':'x'}", a);
	case 4:
		return fix_call(f, "create", "{'title':'y','parent':'t-i%u'}", a);
	case 5:
		return fix_call(f, "update", "{'id':'t-i%u','status':'%s'}", a,
		    status[draw(seed, 5)]);
	case 6:
		return fix_call(f, "update", "{'id':'t-i%u','priority':%u,"
		    "'assignee':'%s'}", a, draw(seed, 5),
		    draw(seed, 2) == 0 ? "eve" : "");
	case 7:
		return fix_call(f, "close", "{'id':'t-i%u','claim_next':%s}", a,
		    draw(seed, 2) == 0 ? "true" : "false");
	case 8:
		return fix_call(f, "reopen", "{'id':'t-i%u'}", a);
	case 9:
		return draw(seed, 2) == 0 ? fix_call(f, "claim", "{'ready':true,"
		    "'lease_ms':1000}") :
		    fix_call(f, "claim", "{'id':'t-i%u'}", a);
	case 10:
		return fix_call(f, "release", "{'id':'t-i%u','force':true}", a);
	case 11:
		return fix_call(f, "dep_add", "{'from_id':'t-i%u','to_id':"
		    "'t-i%u','dep_type':'%s'}", a, b, dep[draw(seed, 4)]);
	case 12:
		return fix_call(f, "dep_remove", "{'from_id':'t-i%u',"
		    "'to_id':'t-i%u'}", a, b);
	case 13:
		return fix_call(f, draw(seed, 2) == 0 ? "label_add" :
		    "label_remove", "{'id':'t-i%u','label':'l%u'}", a,
		    draw(seed, 4));
	case 14:
		return fix_call(f, "comment", "{'id':'t-i%u','text':'c'}", a);
	case 15: case 16:
		return fix_call(f, "batch", "{'partial':%s,'operations':["
		    "{'operation':'create','args':{'title':'z','parent':'t-i%u'}},"
		    "{'operation':'dep_add','args':{'from_id':{'$ref':0},"
		    "'to_id':'t-i%u'}},{'operation':'close','args':{'id':'t-i%u'}},"
		    "{'operation':'delete','args':{'ids':['t-i%u'],'force':%s}}]}",
		    draw(seed, 2) == 0 ? "true" : "false", a, b,
		    draw(seed, ROOT_IDS), draw(seed, ROOT_IDS),
		    draw(seed, 8) == 0 ? "true" : "false");
	default:
		return draw(seed, 4) > 0 ? OK : fix_call(f, "delete",
		    "{'ids':['t-i%u'],'force':true}", a);
	}
}

/* Ids are not used twice, so that after some deletions new ones are needed. */
static void
random_run(uint32_t seed, int steps)
{
	struct fix f;
	int done = 0;

	fix_open(&f);
	for (int i = 0; i < steps; i++) {
		int rc = random_step(&f, &seed);

		if (rc != OK && rc != ERR_NOTFOUND && rc != ERR_CONFLICT)
			test_fail(__FILE__, __LINE__, "step %d: %s: %s", i,
			    rc_name(rc), f.e.text);
		done += rc == OK;
		if (i % 500 != 499)
			continue;
		fix_ok(&f, "recount", "{}");
		if (!str_eq(fix_get(&f, "ok"), S("true")))
			test_fail(__FILE__, __LINE__, "after %d: %.*s", i,
			    FMT(buf_str(&f.data)));
	}
	CHECK(done > steps / 4);
	fix_ok(&f, "ready", "{'limit':0}");
	CHECK_INT(fix_count(&f, "SELECT n FROM work_count WHERE state = 0"),
	    json_count(f.doc.root));
	fix_close(&f);
}

TEST(work_random_operations_keep_the_counts)
{
	random_run(1, 3000);
}

TEST(work_random_operations_keep_the_counts_again)
{
	random_run(20261121, 3000);
}

/* Goal: an edge that a recount took off keeps nobody else from adding the one
 * that it would have made a cycle with. */
TEST(work_recount_tells_who_has_the_edges_in_memory)
{
	struct fix f;
	struct work *mine, *other;

	fix_open(&f);
	mine = f.w;
	other = work_new(&f.db);
	fix_ok(&f, "create", "{'title':'a','id':'t-a'}");
	fix_ok(&f, "create", "{'title':'b','id':'t-b'}");
	CHECK_RC(db_exec(&f.db, "INSERT INTO work_edge SELECT a.seq, b.seq, 0"
	    " FROM work_item a, work_item b WHERE a.id = 't-a' AND b.id = 't-b'",
	    &f.e), OK);
	f.w = other;
	fix_ok(&f, "dep_cycles", "{}");
	f.w = mine;
	fix_ok(&f, "recount", "{'fix':true}");
	CHECK_STR(fix_get(&f, "fixed"), "true");
	f.w = other;
	fix_ok(&f, "dep_add", "{'from_id':'t-b','to_id':'t-a'}");
	f.w = mine;
	work_free(other);
	fix_close(&f);
}

/* Goal: a file that something else has written is refused with words, item by
 * item; nothing of it ends the process. */
TEST(work_damaged_rows_are_refused)
{
	static const struct { const char *sql, *operation, *args; int rc; } rows[] = {
		{ "UPDATE work_item SET seq = -5 WHERE id = 't-g'", "dep_add",
		  "{'from_id':'t-b','to_id':'t-g'}", ERR_IO },
		{ "UPDATE work_item SET seq = 0 WHERE id = 't-g'", "update",
		  "{'id':'t-g','title':'G'}", ERR_IO },
		{ "UPDATE work_item SET seq = -5 WHERE id = 't-g'", "list",
		  "{'parent':'t-g'}", ERR_IO },
		{ "UPDATE work_item SET state = 77 WHERE id = 't-b'", "close",
		  "{'id':'t-a'}", ERR_IO },
		{ "UPDATE work_item SET id = '' WHERE id = 't-b'", "close",
		  "{'id':'t-a'}", ERR_IO },
		{ "UPDATE work_item SET body = replace(body, '\"t-g\"', '\"\"')"
		  " WHERE id = 't-g'", "update", "{'id':'t-g','title':'G'}", ERR_IO },
		{ "UPDATE work_event SET kind = 99", "history", "{}", OK },
		{ "UPDATE work_event SET kind = -1", "history", "{}", OK },
		{ "INSERT INTO work_count VALUES (1, -3, 5), (1, 99, 5)", "list", "{}",
		  OK },
		{ "INSERT INTO work_count VALUES (1, -3, 5), (1, 99, 5)", "stats", "{}",
		  OK },
	};
	struct fix f;

	for (size_t i = 0; i < COUNT(rows); i++) {
		int rc;

		some(&f);
		fix_ok(&f, "create", "{'id':'t-g','title':'G'}");
		CHECK_RC(db_exec(&f.db, "PRAGMA foreign_keys = OFF", &f.e), OK);
		CHECK_RC(db_exec(&f.db, rows[i].sql, &f.e), OK);
		rc = fix_call(&f, rows[i].operation, "%s", rows[i].args);
		if (rc != rows[i].rc)
			test_fail(__FILE__, __LINE__, "%s: %d %s", rows[i].sql, rc,
			    f.e.text);
		fix_close(&f);
		CHECK(remove("work.db") == 0);
	}
}
