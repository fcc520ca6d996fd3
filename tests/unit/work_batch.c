/*
 * work_batch.c - a batch is whole or absent, wherever it fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <string.h>

#define CREATE(title) "{'operation':'create','args':{'title':'" title "'}}"
#define FAILS "{'operation':'close','args':{'id':'t-nonesuch'}}"

/* All that must be as before: rows, counts, edges, events. */
static int64_t
print_of(struct fix *f)
{
	return fix_count(f, "SELECT (SELECT count(*) FROM work_item) * 1000000 +"
	    " (SELECT count(*) FROM work_event) * 10000 +"
	    " (SELECT count(*) FROM work_edge) * 100 +"
	    " (SELECT sum(abs(n)) FROM work_count)");
}

static void
counts_are_true(struct fix *f)
{
	CHECK(fix_count(f, "SELECT count(*) FROM (SELECT state, n FROM work_count"
	    " WHERE n <> 0 EXCEPT SELECT state, count(*) FROM work_item"
	    " GROUP BY state)") == 0);
	CHECK(fix_count(f, "SELECT (SELECT total(n) FROM work_count) ="
	    " (SELECT count(*) FROM work_item)") == 1);
}

TEST(work_a_batch_answers_in_order)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "batch", "{'operations':[" CREATE("a") "," CREATE("b") ","
	    "{'operation':'ping'},{'operation':'ready','args':null}]}");
	CHECK_STR(fix_get(&f, "results.0.data.title"), "a");
	CHECK_STR(fix_get(&f, "results.1.data.title"), "b");
	CHECK_STR(fix_get(&f, "results.1.success"), "true");
	CHECK_STR(fix_get(&f, "results.2.data.message"), "pong");
	CHECK_STR(fix_get(&f, "results.3.data.1.title"), "b");
	counts_are_true(&f);
	fix_ok(&f, "batch", "{'operations':[]}");
	CHECK_STR(buf_str(&f.data), "{\"results\":[]}");
	fix_close(&f);
}

/* As a caller in a larger transaction: only the operation's own savepoint can
 * have taken it back. */
static int
call_in(struct fix *f, const char *operation, const char *args,
    int (*tick)(void *, size_t, size_t), void *ctx)
{
	struct work_call c = { .tracker = f->tracker, .now = ++f->now,
		.actor = S("ada"), .operation = str_of(operation), .data = &f->data,
		.tick = tick, .tick_ctx = ctx };
	static char text[65536];
	struct json_doc doc;
	int rc;

	snprintf(text, sizeof text, "%s", args);
	for (char *p = text; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p;
	CHECK_RC(json_parse(&doc, str_of(text), &f->e), OK);
	json_release(&f->doc);
	memset(&f->doc, 0, sizeof f->doc);
	buf_clear(&f->data);
	c.args = doc.root;
	CHECK_RC(db_exec(&f->db, "BEGIN IMMEDIATE", &f->e), OK);
	rc = work_run(f->w, &c);
	CHECK_RC(db_exec(&f->db, "COMMIT", &f->e), OK);
	json_release(&doc);
	CHECK_RC(json_parse(&f->doc, buf_str(&f->data), &f->e), OK);
	f->e = c.err;
	return rc;
}

/* Each kind of change before the failure, which is at every place. */
TEST(work_a_batch_that_fails_anywhere_changes_nothing)
{
	static const char *const steps[] = {
		CREATE("x"),
		("{'operation':'create','args':{'title':'y','labels':['l'],"
		    "'dependencies':['t-a'],'parent':'t-e'}}"),
		"{'operation':'dep_add','args':{'from_id':'t-a','to_id':'t-b'}}",
		"{'operation':'dep_remove','args':{'from_id':'t-c','to_id':'t-b'}}",
		"{'operation':'close','args':{'id':'t-b'}}",
		"{'operation':'claim','args':{'ready':true}}",
		"{'operation':'update','args':{'id':'t-c','status':'deferred'}}",
	};
	char text[4096], words[128];
	struct fix f;
	int64_t before;

	fix_open(&f);
	fix_ok(&f, "create", "{'title':'a','id':'t-a'}");
	fix_ok(&f, "create", "{'title':'b','id':'t-b'}");
	fix_ok(&f, "create", "{'title':'c','id':'t-c','dependencies':['t-b']}");
	fix_ok(&f, "create", "{'title':'e','id':'t-e','issue_type':'epic'}");
	before = print_of(&f);
	for (size_t at = 0; at <= COUNT(steps); at++) {
		size_t n = (size_t)snprintf(text, sizeof text, "{'operations':[");

		for (size_t i = 0; i <= COUNT(steps); i++)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s%s",
			    i > 0 ? "," : "", i == at ? FAILS :
			    steps[i < at ? i : i - 1]);
		snprintf(text + n, sizeof text - n, "]}");
		CHECK_RC(call_in(&f, "batch", text, NULL, NULL), ERR_NOTFOUND);
		CHECK(print_of(&f) == before);
		counts_are_true(&f);
		snprintf(words, sizeof words, "operation %zu (close): issue t-nonesuch not "
		    "found; nothing was changed", at);
		if (strcmp(f.e.text, words) != 0)
			test_fail(__FILE__, __LINE__, "%s", f.e.text);
		CHECK(json_count(json_get(f.doc.root, S("results"))) == at + 1);
		for (size_t i = 0; i <= at; i++) {
			jnode r = json_at(json_get(f.doc.root, S("results")), i);

			CHECK(json_bool(json_get(r, S("success"))) == (i < at));
			CHECK(json_bool(json_get(r, S("rolled_back"))) == (i < at));
			CHECK((json_get(r, S("data")) != NULL) == (i < at));
			CHECK((json_get(r, S("error")) != NULL) == (i == at));
		}
	}
	/* The graph in memory too: t-a -> t-b was taken back. */
	fix_ok(&f, "dep_add", "{'from_id':'t-b','to_id':'t-a'}");
	fix_close(&f);
}

TEST(work_a_reference_is_the_id_of_an_earlier_result)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "batch", "{'operations':[" CREATE("a") ","
	    "{'operation':'create','args':{'title':'{$ref: 0}',"
	    "'dependencies':[{'$ref':0}],'labels':['x']}},"
	    "{'operation':'create','args':{'title':'c','parent':{'$ref':1}}},"
	    "{'operation':'dep_add','args':{'from_id':{'$ref':2},"
	    "'to_id':{'$ref':0},'dep_type':'related'}},"
	    "{'operation':'claim','args':{'ready':true}},"
	    "{'operation':'close','args':{'id':{'$ref':4}}},"
	    "{'operation':'label_add','args':{'id':{'$ref':0},'labels':['l']}}]}");
	CHECK_STR(fix_get(&f, "results.1.data.title"), "{$ref: 0}");
	CHECK(str_eq(fix_get(&f, "results.1.data.dependencies.0.id"),
	    fix_get(&f, "results.0.data.id")));
	CHECK(str_starts(fix_get(&f, "results.2.data.id"),
	    fix_get(&f, "results.1.data.id")));
	CHECK(str_eq(fix_get(&f, "results.3.data.depends_on_id"),
	    fix_get(&f, "results.0.data.id")));
	CHECK_STR(fix_get(&f, "results.5.data.status"), "closed");
	counts_are_true(&f);
	fix_close(&f);
}

TEST(work_a_wrong_reference_is_named)
{
	static const struct { const char *operations, *words; } cases[] = {
		{ CREATE("a") ",{'operation':'show','args':{'id':{'$ref':1}}}",
		    "operation 1 (show): args.id.$ref: expected the number of an "
		    "operation before this one (1; the first is 0), got 1; nothing" },
		{ CREATE("a") ",{'operation':'create','args':{'title':'b',"
		    "'dependencies':['x',{'$ref':2}]}}",
		    "operation 1 (create): args.dependencies[1].$ref: expected" },
		{ CREATE("a") ",{'operation':'show','args':{'id':{'$ref':-1}}}",
		    "operation 1 (show): args.id.$ref: expected the number" },
		{ CREATE("a") ",{'operation':'show','args':{'id':{'$ref':'0'}}}",
		    "operation 1 (show): args.id.$ref: expected the number of an "
		    "earlier operation, got a string" },
		{ CREATE("a") ",{'operation':'show','args':{'id':{'$ref':0.0}}}",
		    "operation 1 (show): args.id.$ref: expected the number" },
		{ CREATE("a") ",{'operation':'show','args':{'id':{'$ref':0,'x':1}}}",
		    "operation 1 (show): args.id: {\"$ref\": n} takes no other members" },
		{ "{'operation':'claim','args':{'ready':true}},"
		    "{'operation':'show','args':{'id':{'$ref':0}}}",
		    "operation 1 (show): args.id.$ref: the result of operation 0 "
		    "(claim) is null without an id" },
		{ "{'operation':'ping'},{'operation':'show','args':{'$ref':0}}",
		    "operation 1 (show): args.$ref: the result of operation 0 (ping) "
		    "is an object without an id" },
		{ "{'operation':'batch','args':{'operations':[]}}",
		    "operation 0 (batch): batch cannot be part of a batch" },
		{ "{'operation':'import','args':{'items':[]}}",
		    "operation 0 (import): import cannot be part of a batch" },
		{ "{'operation':'rename_prefix','args':{'prefix':'x'}}",
		    "operation 0 (rename_prefix): rename_prefix cannot" },
		{ "{'operation':'crate','args':{}}", "operation 0 (crate): " },
		{ CREATE("a") ",5", "operations[1]: expected an object, got " },
		{ "{'args':{}}", "operations[0].operation: expected a name" },
		{ "{'operation':'ping','arg':{}}", "operations[0]: unknown member \"arg\"" },
		{ "{'operation':'show','args':[]}", "operation 0 (show): args: " },
	};
	char text[1024];
	struct fix f;

	fix_open(&f);
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(text, sizeof text, "{'operations':[%s]}",
		    cases[i].operations);
		CHECK(fix_call(&f, "batch", "%s", text) != OK);
		if (strncmp(f.e.text, cases[i].words, strlen(cases[i].words)) != 0)
			test_fail(__FILE__, __LINE__, "%s: %s", text, f.e.text);
	}
	CHECK(fix_count(&f, "SELECT count(*) FROM work_item") == 0);
	fix_close(&f);
}

TEST(work_a_partial_batch_keeps_what_went_well)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'title':'p','id':'t-p','issue_type':'epic'}");
	fix_ok(&f, "batch", "{'partial':true,'operations':[" CREATE("a") "," FAILS ","
	    "{'operation':'close','args':{'id':{'$ref':1}}},"
	    "{'operation':'create','args':{'title':' ','parent':'t-p'}},"
	    "{'operation':'close','args':{'id':{'$ref':0}}},"
	    "{'operation':'create','args':{'title':'c','parent':'t-p'}}]}");
	CHECK_STR(fix_get(&f, "results.0.success"), "true");
	CHECK_STR(fix_get(&f, "results.1.error"), "issue t-nonesuch not found");
	CHECK_STR(fix_get(&f, "results.1.code"), "NOTFOUND");
	CHECK_STR(fix_get(&f, "results.2.error"),
	    "args.id.$ref: operation 1 failed");
	CHECK_STR(fix_get(&f, "results.3.success"), "false");
	CHECK_STR(fix_get(&f, "results.4.data.status"), "closed");
	CHECK_STR(fix_get(&f, "results.5.data.id"), "t-p.1");
	CHECK_STR(fix_get(&f, "results.0.rolled_back"), "");
	CHECK(fix_count(&f, "SELECT count(*) FROM work_item") == 3);
	counts_are_true(&f);
	fix_close(&f);
}

static int
tick_at(void *ctx, size_t done, size_t total)
{
	CHECK(total == 3);
	return done == *(size_t *)ctx ? ERR_TIMEOUT : OK;
}

TEST(work_a_batch_out_of_time_changes_nothing)
{
	struct fix f;
	size_t at;

	fix_open(&f);
	for (int partial = 0; partial < 2; partial++) {
		for (at = 0; at < 3; at++) {
			CHECK_RC(call_in(&f, "batch", partial ?
			    "{'partial':true,'operations':[" CREATE("a") ","
			    CREATE("b") "," CREATE("c") "]}" :
			    "{'operations':[" CREATE("a") "," CREATE("b") ","
			    CREATE("c") "]}", tick_at, &at), ERR_TIMEOUT);
			CHECK(json_count(json_get(f.doc.root, S("results"))) == at);
			CHECK(fix_count(&f, "SELECT count(*) FROM work_item") == 0);
		}
	}
	at = 3;
	CHECK_RC(call_in(&f, "batch", "{'operations':[" CREATE("a") "," CREATE("b")
	    "," CREATE("c") "]}", tick_at, &at), OK);
	counts_are_true(&f);
	fix_close(&f);
}

TEST(work_a_batch_of_thousands)
{
	static char text[1024 * 1024];
	size_t n = (size_t)snprintf(text, sizeof text, "{'operations':[");
	struct fix f;

	for (int i = 0; i < LIMIT_WORK_BATCH; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, i == 0 ? CREATE("x") :
		    i % 2 ? ",{'operation':'show','args':{'id':{'$ref':%d}}}" :
		    "," CREATE("x"), i - 1);
	snprintf(text + n, sizeof text - n, "]}");
	fix_open(&f);
	fix_ok(&f, "batch", "%s", text);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_item") ==
	    LIMIT_WORK_BATCH / 2);
	counts_are_true(&f);
	snprintf(text + n, sizeof text - n, ",{'operation':'ping'}]}");
	CHECK_RC(fix_call(&f, "batch", "%s", text), ERR_TOOBIG);
	fix_close(&f);
}
