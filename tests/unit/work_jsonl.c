/*
 * work_jsonl.c - export and import: nothing lost, nothing twice, and two
 * trackers that send each other their lines come to the same.
 *
 * The two "clones" are two trackers in one file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <string.h>

struct clones {
	struct fix f;
	int64_t tracker[2];
	struct buf file;                     /* what goes between them */
};

static void
clones_open(struct clones *c)
{
	fix_open(&c->f);
	c->tracker[0] = c->f.tracker;
	CHECK_RC(work_tracker_make(c->f.w, 0, S("two"), S("t"), c->f.now,
	    &c->tracker[1], &c->f.e), OK);
	c->file = BUF(64 * MB);
}

static void
clones_close(struct clones *c)
{
	buf_release(&c->file);
	fix_close(&c->f);
}

static struct fix *
at(struct clones *c, int i)
{
	c->f.tracker = c->tracker[i];
	return &c->f;
}

/* All lines, each with its end, into `file`. */
static void
export_to(struct fix *f, struct buf *file)
{
	struct json_iter lines;

	buf_clear(file);
	fix_ok(f, "export", "{'tombstones':true}");
	lines = json_each(json_get(f->doc.root, S("lines")));
	while (json_next(&lines)) {
		json_add_node(file, lines.value);
		buf_add_char(file, '\n');
	}
	CHECK(json_is_null(json_get(f->doc.root, S("next"))));
}

static int
import_from(struct fix *f, struct str text, const char *options)
{
	struct buf args = BUF(64 * MB);
	struct str line;
	bool first = true;
	int rc;

	buf_lit(&args, "{\"items\":[");
	while (str_next(&text, '\n', &line)) {
		if (line.n == 0 && text.n == 0)
			break;
		if (!first)
			buf_add_char(&args, ',');
		buf_add(&args, line.n == 0 ? S("null") : line);
		first = false;
	}
	buf_add_fmt(&args, "]%s}", options);
	rc = fix_json(f, "import", buf_str(&args));
	buf_release(&args);
	return rc;
}

/* The stored counts and counters are what a count finds. */
static void
counted(struct fix *f)
{
	struct json_doc kept = f->doc;

	f->doc = (struct json_doc){ 0 };
	fix_ok(f, "recount", "{}");
	CHECK_STR(fix_get(f, "ok"), "true");
	json_release(&f->doc);
	f->doc = kept;
	CHECK(fix_count(f, "SELECT count(*) FROM (SELECT tracker, state, count(*) n"
	    " FROM work_item GROUP BY 1, 2 EXCEPT SELECT tracker, state, n"
	    " FROM work_count)") == 0);
	CHECK(fix_count(f, "SELECT count(*) FROM (SELECT tracker, state, n"
	    " FROM work_count WHERE n <> 0 EXCEPT SELECT tracker, state, count(*)"
	    " FROM work_item GROUP BY 1, 2)") == 0);
	CHECK(fix_count(f, "SELECT count(*) FROM work_item i WHERE blockers <>"
	    " (SELECT count(*) FROM work_edge e JOIN work_item t ON t.seq ="
	    " e.target WHERE e.item = i.seq AND e.type = 0 AND t.state < 8)") == 0);
	CHECK(fix_count(f, "SELECT count(*) FROM work_item i WHERE held_parents <>"
	    " (SELECT count(*) FROM work_edge e JOIN work_item t ON t.seq ="
	    " e.target WHERE e.item = i.seq AND e.type = 2 AND t.state & 1)") == 0);
	CHECK(fix_count(f, "SELECT count(*) FROM work_item WHERE (state & 1) <>"
	    " (blockers > 0 OR held_parents > 0)") == 0);
	CHECK(fix_count(f, "SELECT count(*) FROM work_item i WHERE comments <>"
	    " (SELECT count(*) FROM work_comment c WHERE c.item = i.seq)") == 0);
	CHECK(fix_count(f, "SELECT count(*) FROM work_item i WHERE coalesce("
	    "json_array_length(body, '$.labels'), 0) <> (SELECT count(*)"
	    " FROM work_label l WHERE l.item = i.seq)") == 0);
}

/* Lines of a file as they are for the other clone, with what both had. */
static void
send(struct clones *c, int from, int to)
{
	export_to(at(c, from), &c->file);
	CHECK_RC(import_from(at(c, from), buf_str(&c->file), ",\"base\":true"), OK);
	CHECK_RC(import_from(at(c, to), buf_str(&c->file), ""), OK);
	counted(&c->f);
}

TEST(work_export_comes_back_unchanged)
{
	struct clones c;
	struct fix *f;
	struct buf again = BUF(1 * MB);

	clones_open(&c);
	f = at(&c, 0);
	fix_ok(f, "create", "{'title':'b','id':'t-2','labels':['x','y']}");
	fix_ok(f, "create", "{'title':'a','id':'t-10','dependencies':['t-2']}");
	fix_ok(f, "create", "{'title':'c','parent':'t-10','description':'<&>'}");
	fix_ok(f, "claim", "{'id':'t-2'}");
	export_to(f, &c.file);
	CHECK(str_starts(buf_str(&c.file), S("{\"id\":\"t-10\"")));
	CHECK(!str_contains(buf_str(&c.file), S("lease")));
	CHECK_RC(import_from(f, buf_str(&c.file), ""), OK);
	CHECK_STR(fix_get(f, "unchanged"), "3");
	CHECK_STR(fix_get(f, "updated"), "0");
	CHECK(fix_count(f, "SELECT count(*) FROM work_event WHERE kind = 15") == 0);
	CHECK_RC(import_from(at(&c, 1), buf_str(&c.file), ""), OK);
	CHECK_STR(fix_get(f, "created"), "3");
	counted(f);
	export_to(f, &again);
	CHECK(str_eq(buf_str(&again), buf_str(&c.file)));
	fix_ok(f, "close", "{'id':'t-2'}");
	fix_ok(f, "ready", "{}");
	CHECK(strcmp(fix_ids(f), "t-10 t-10.1") == 0);
	buf_release(&again);
	clones_close(&c);
}

/* One item with all that bd 0.9.8 writes. */
static void
beads_line(struct buf *b, int i)
{
	static const char *const statuses[] = { "open", "in_progress", "blocked", "closed" };
	static const char *const types[] = { "bug", "feature", "task", "epic", "chore" };

	buf_add_fmt(b, "{\"id\":\"bd-%d\",\"title\":\"Item %d \\u003cb\\u003e\","
	    "\"description\":\"%s\"", i, i, i % 3 == 0 ? "" : "a \\u0026 b\\n\\u2028\\u00e9");
	if (i % 4 == 0)
		buf_lit(b, ",\"design\":\"d\",\"acceptance_criteria\":\"ac\",\"notes\":\"n\"");
	buf_add_fmt(b, ",\"status\":\"%s\",\"priority\":%d,\"issue_type\":\"%s\"",
	    statuses[i % 4], i % 5, types[i % 5]);
	if (i % 2 == 0)
		buf_lit(b, ",\"assignee\":\"alice\",\"estimated_minutes\":0");
	buf_add_fmt(b, ",\"created_at\":\"2025-10-%02dT13:24:05.%09d-07:00\"",
	    1 + i % 28, 123456789 + i);
	buf_add_fmt(b, ",\"updated_at\":\"2025-10-%02dT20:24:05Z\"", 1 + i % 28);
	if (i % 4 == 3)
		buf_lit(b, ",\"closed_at\":\"2025-11-01T01:02:03.5+05:30\"");
	if (i % 7 == 0)
		buf_lit(b, ",\"external_ref\":\"gh-9\",\"compaction_level\":1,"
		    "\"compacted_at\":\"2025-11-02T00:00:00.000000001Z\","
		    "\"original_size\":4711");
	if (i % 3 == 0)
		buf_lit(b, ",\"labels\":[\"\\u003e\",\"a b\"]");
	if (i > 2 && i % 5 == 0)
		buf_add_fmt(b, ",\"dependencies\":[{\"issue_id\":\"bd-%d\",\"depends_on_id\":"
		    "\"bd-%d\",\"type\":\"blocks\",\"created_at\":"
		    "\"2025-10-16T13:24:05.123456-07:00\",\"created_by\":\"bob\"},"
		    "{\"issue_id\":\"bd-%d\",\"depends_on_id\":\"bd-%d\",\"type\":"
		    "\"discovered-from\",\"created_at\":\"2025-10-16T21:00:00Z\","
		    "\"created_by\":\"bob\"}]", i, i - 1, i, i - 2);
	buf_lit(b, "}\n");
}

TEST(work_import_of_beads_loses_nothing)
{
	struct fix f;
	struct buf in = BUF(8 * MB), out = BUF(8 * MB), one = BUF(1 * MB);
	struct str rest, line;
	size_t same = 0;

	fix_open(&f);
	for (int i = 1; i <= 1000; i++)
		beads_line(&in, i);
	CHECK_RC(import_from(&f, buf_str(&in), ",\"strict\":true"), OK);
	CHECK_STR(fix_get(&f, "created"), "1000");
	counted(&f);
	export_to(&f, &out);
	rest = buf_str(&in);
	while (str_next(&rest, '\n', &line) && line.n > 0) {
		struct json_doc doc;

		buf_clear(&one);
		buf_add_char(&one, '\n');
		CHECK_RC(json_parse(&doc, line, &f.e), OK);
		json_add_node(&one, doc.root);
		buf_add_char(&one, '\n');
		json_release(&doc);
		same += str_contains(buf_str(&out), buf_str(&one)) ||
		    str_starts(buf_str(&out), str_sub(buf_str(&one), 1, one.n));
	}
	CHECK(same == 1000);
	CHECK_RC(import_from(&f, buf_str(&in), ""), OK);
	CHECK_STR(fix_get(&f, "unchanged"), "1000");
	buf_release(&in);
	buf_release(&out);
	buf_release(&one);
	fix_close(&f);
}

/* Of a member that comes twice the last counts, as everywhere. */
TEST(work_import_of_a_member_twice)
{
	struct clones c;
	struct buf b = BUF(MB);

	clones_open(&c);
	buf_lit(&b, "{\"id\":\"t-1\",\"title\":\"x\",\"labels\":[");
	for (int i = 0; i < LIMIT_WORK_LABELS; i++)
		buf_add_fmt(&b, "%s\"l%d\"", i > 0 ? "," : "", i);
	buf_lit(&b, "],\"dependencies\":[");
	for (int i = 0; i < LIMIT_WORK_DEPS; i++)
		buf_add_fmt(&b, "%s{\"depends_on_id\":\"t-%d\"}", i > 0 ? "," : "",
		    i + 2);
	buf_lit(&b, "],\"labels\":[\"a\"],\"dependencies\":[]}\n");
	CHECK_RC(import_from(at(&c, 0), buf_str(&b), ""), OK);
	fix_ok(at(&c, 0), "show", "{'id':'t-1'}");
	CHECK_STR(fix_get(&c.f, "labels.0"), "a");
	CHECK(json_get(c.f.doc.root, S("dependencies")) == NULL);
	buf_release(&b);
	clones_close(&c);
}

TEST(work_import_names_the_line_and_does_nothing)
{
	static const struct { const char *lines, *error; } cases[] = {
		{ "{'id':'t-1','title':'a'}\n\n{'id':'t-2','title':'b','priority':9}",
		    "line 3: priority: expected 0 to 4, got 9" },
		{ "{'id':'t-1','title':'a'}\n{'id':'t-1','title':'a'}",
		    "line 2: t-1 is in line 1 already" },
		{ "{'id':'x','title':'a'}",
		    "line 1: id: expected PREFIX-name as in bd-a3f8, got \"x\"" },
		{ "{'id':'t-1'}", "line 1: title: is missing" },
		{ "[]", "line 1: expected an object, got an array" },
		{ "{'id':'t-1','title':'a','dependencies':[{'depends_on_id':'t-1'}]}",
		    "line 1: dependencies: t-1 depends on itself" },
		{ "{'id':'t-1','title':'a','dependencies':[{'depends_on_id':'t-9'}]}",
		    "line 1: dependencies: t-1 depends on t-9, which does not exist" },
	};
	struct fix f;

	fix_open(&f);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = BUF(64 * KB);

		buf_add(&b, str_of(cases[i].lines));
		for (size_t j = 0; j < b.n; j++)
			b.p[j] = b.p[j] == '\'' ? '"' : b.p[j];
		CHECK(import_from(&f, buf_str(&b), ",\"strict\":true") != OK);
		CHECK_STR(str_of(f.e.text), cases[i].error);
		CHECK(fix_count(&f, "SELECT count(*) FROM work_item") == 0);
		buf_release(&b);
	}
	counted(&f);
	fix_close(&f);
}

static void
import_lines(struct fix *f, const char *lines)
{
	struct buf b = BUF(64 * KB);

	buf_add(&b, str_of(lines));
	for (size_t j = 0; j < b.n; j++)
		b.p[j] = b.p[j] == '\'' ? '"' : b.p[j];
	CHECK_RC(import_from(f, buf_str(&b), ",\"skip_bad\":true"), OK);
	buf_release(&b);
}

#define TIMES "'created_at':'2025-01-01T00:00:00Z'," \
	"'updated_at':'2025-01-02T00:00:00Z'"

TEST(work_import_translates_what_others_say)
{
	struct fix f;

	fix_open(&f);
	import_lines(&f,
	    "{'id':'t-1','title':'a','issue_type':'molecule','status':'hooked'}\n"
	    "{'id':'t-2','title':'b','status':'mine','closed_at':'2025-01-02T00:00:00Z',"
	    "'dependencies':[{'depends_on_id':'t-1','type':'relates-to'},"
	    "{'depends_on_id':'t-1','type':'blocks'},{'depends_on_id':'t-2'}]}\n"
	    "{'id':'t-3','title':'gone','status':'deleted'}");
	CHECK_INT(json_count(json_get(f.doc.root, S("warnings"))), 5);
	fix_ok(&f, "show", "{'id':'t-1'}");
	CHECK_STR(fix_get(&f, "issue_type"), "epic");
	CHECK_STR(fix_get(&f, "imported_type"), "molecule");
	CHECK_STR(fix_get(&f, "status"), "in_progress");
	CHECK_STR(fix_get(&f, "imported_status"), "hooked");
	fix_ok(&f, "show", "{'id':'t-2'}");
	CHECK_STR(fix_get(&f, "status"), "closed");
	CHECK_STR(fix_get(&f, "imported_dependencies.2.depends_on_id"), "t-2");
	CHECK(fix_count(&f, "SELECT count(*) FROM work_edge WHERE type = 0") == 1);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_edge") == 1);
	CHECK_RC(fix_call(&f, "show", "{'id':'t-3'}"), ERR_NOTFOUND);
	counted(&f);
	fix_close(&f);
}

/* A file of a bd that leaves out zeros, and one that does not. */
TEST(work_import_a_priority_left_out_is_zero)
{
	struct fix f;

	fix_open(&f);
	import_lines(&f, "{'id':'t-1','title':'a','status':'open','issue_type':'task',"
	    TIMES "}\n{'id':'t-2','title':'b','status':'open','issue_type':'task',"
	    "'priority':1," TIMES "}\n{'id':'t-3','title':'by hand'}\n"
	    "{'id':'t-1','title':'a','status':'open','issue_type':'bug'," TIMES "}");
	for (int i = 1; i <= 3; i++) {
		fix_ok(&f, "show", "{'id':'t-%d'}", i);
		CHECK_INT(json_int(json_get(f.doc.root, S("priority"))), i - 1);
	}
	import_lines(&f, "{'id':'t-4','title':'a','status':'open','issue_type':'task',"
	    TIMES "}\n{'id':'t-5','title':'b','priority': 0}");
	fix_ok(&f, "show", "{'id':'t-4'}");
	CHECK_INT(json_int(json_get(f.doc.root, S("priority"))), 2);
	fix_close(&f);
}

/* Lines that were deleted say nothing of how the others were written. */
TEST(work_import_a_deletion_without_a_priority_tells_nothing)
{
	struct fix f;

	fix_open(&f);
	import_lines(&f, "{'id':'t-1','title':'a','status':'tombstone',"
	    "'issue_type':'task','deleted_at':'2025-01-02T00:00:00Z'," TIMES "}\n"
	    "{'id':'t-2','title':'b','status':'open','issue_type':'task',"
	    "'priority':3," TIMES "}\n{'id':'t-3','title':'by hand'}");
	CHECK_INT(json_count(json_get(f.doc.root, S("warnings"))), 0);
	fix_ok(&f, "show", "{'id':'t-3'}");
	CHECK_STR(fix_get(&f, "priority"), "2");
	fix_close(&f);
}

/* What bd writes beside a dependency and leaves empty is nothing strange; of two
 * on one item the first stays. */
TEST(work_import_takes_the_first_of_equal_dependencies)
{
	struct fix f;

	fix_open(&f);
	import_lines(&f, "{'id':'t-1','title':'a'}\n{'id':'t-2','title':'b',"
	    "'dependencies':[{'issue_id':'t-2','depends_on_id':'t-1','type':'blocks',"
	    "'metadata':'{}','thread_id':'','by':null}]}");
	CHECK_INT(json_count(json_get(f.doc.root, S("warnings"))), 0);
	fix_ok(&f, "show", "{'id':'t-2'}");
	CHECK_STR(fix_get(&f, "imported_dependencies"), "");
	import_lines(&f, "{'id':'t-3','title':'c','dependencies':["
	    "{'depends_on_id':'t-1','type':'related'},"
	    "{'depends_on_id':'t-1','type':'blocks','created_by':'ann'},"
	    "{'depends_on_id':'t-1','type':'blocks','created_by':'bob'}]}");
	fix_ok(&f, "show", "{'id':'t-3'}");
	CHECK_INT(json_count(json_get(f.doc.root, S("dependency_records"))), 1);
	CHECK_STR(fix_get(&f, "dependency_records.0.created_by"), "ann");
	CHECK_STR(fix_get(&f, "imported_dependencies.2.created_by"), "bob");
	fix_close(&f);
}

/* The one that was made first keeps the id, wherever it stands; what follows of
 * it is the same item. */
TEST(work_import_of_twins_in_any_order)
{
	struct fix f;

	fix_open(&f);
	import_lines(&f, "{'id':'t-1','title':'late','created_at':'2025-02-01T00:00:00Z'}\n"
	    "{'id':'t-1','title':'first'," TIMES "}\n"
	    "{'id':'t-1','title':'first again','created_at':'2025-01-01T00:00:00Z',"
	    "'updated_at':'2025-01-03T00:00:00Z'}");
	CHECK_STR(fix_get(&f, "created"), "2");
	CHECK_STR(fix_get(&f, "renamed.0.old"), "t-1");
	fix_ok(&f, "show", "{'id':'t-1'}");
	CHECK_STR(fix_get(&f, "title"), "first again");
	counted(&f);
	fix_close(&f);
}

TEST(work_import_of_twins_keeps_both_or_merges)
{
	struct fix f;

	fix_open(&f);
	import_lines(&f, "{'id':'t-1','title':'old','labels':['a']," TIMES "}\n"
	    "{'id':'t-1','title':'new','labels':['b'],"
	    "'created_at':'2025-01-01T00:00:00Z','updated_at':'2025-01-03T00:00:00Z'}\n"
	    "{'id':'t-1','title':'another','created_at':'2025-02-01T00:00:00Z'}\n"
	    "5\n");
	CHECK_INT(json_int(json_get(f.doc.root, S("created"))), 2);
	CHECK_INT(json_int(json_get(f.doc.root, S("bad"))), 1);
	CHECK_INT(json_count(json_get(f.doc.root, S("renamed"))), 1);
	CHECK(str_contains(fix_get(&f, "warnings.0"), S("line 2: t-1 is in line 1")));
	CHECK(str_contains(fix_get(&f, "warnings.1"), S("line 4: expected an object")));
	fix_ok(&f, "show", "{'id':'t-1'}");
	CHECK_STR(fix_get(&f, "title"), "new");
	CHECK_STR(fix_get(&f, "labels.1"), "b");
	counted(&f);
	fix_close(&f);
}

TEST(work_import_merges_fields_and_sets)
{
	struct clones c;
	struct fix *f;

	clones_open(&c);
	f = at(&c, 0);
	fix_ok(f, "create", "{'title':'one','id':'t-1','labels':['a','b']}");
	fix_ok(f, "create", "{'title':'two','id':'t-2'}");
	send(&c, 0, 1);
	/* different fields, both sets */
	fix_ok(at(&c, 0), "update", "{'id':'t-1','title':'uno'}");
	fix_ok(f, "label_remove", "{'id':'t-1','label':'a'}");
	fix_ok(f, "comment", "{'id':'t-1','text':'from zero'}");
	fix_ok(at(&c, 1), "update", "{'id':'t-1','priority':0}");
	fix_ok(f, "label_add", "{'id':'t-1','label':'c'}");
	fix_ok(f, "comment", "{'id':'t-1','text':'from one'}");
	fix_ok(f, "dep_add", "{'from_id':'t-1','to_id':'t-2'}");
	/* one field on both: the later, which is one's */
	fix_ok(at(&c, 0), "update", "{'id':'t-2','title':'zwei'}");
	fix_ok(at(&c, 1), "update", "{'id':'t-2','title':'deux'}");
	send(&c, 0, 1);
	f = at(&c, 1);
	CHECK_RC(import_from(f, buf_str(&c.file), ""), OK);
	fix_ok(f, "show", "{'id':'t-1'}");
	CHECK_STR(fix_get(f, "title"), "uno");
	CHECK_STR(fix_get(f, "priority"), "0");
	CHECK_STR(fix_get(f, "labels"), "[\"b\",\"c\"]");
	CHECK_STR(fix_get(f, "comments.0.text"), "from one");
	CHECK_STR(fix_get(f, "comments.1.text"), "from zero");
	CHECK_STR(fix_get(f, "dependencies.0.id"), "t-2");
	fix_ok(f, "show", "{'id':'t-2'}");
	CHECK_STR(fix_get(f, "title"), "deux");
	send(&c, 1, 0);
	fix_ok(at(&c, 0), "show", "{'id':'t-2'}");
	CHECK_STR(fix_get(f, "title"), "deux");
	export_to(at(&c, 0), &c.file);
	CHECK_RC(import_from(at(&c, 1), buf_str(&c.file), ""), OK);
	CHECK_STR(fix_get(f, "unchanged"), "2");
	clones_close(&c);
}

TEST(work_import_reports_a_true_conflict)
{
	struct clones c;
	struct fix *f;

	clones_open(&c);
	f = at(&c, 0);
	fix_ok(f, "create", "{'title':'one','id':'t-1'}");
	send(&c, 0, 1);
	fix_ok(at(&c, 1), "update", "{'id':'t-1','title':'eins'}");
	fix_ok(at(&c, 0), "update", "{'id':'t-1','title':'uno'}");
	export_to(at(&c, 0), &c.file);
	CHECK_RC(import_from(at(&c, 1), buf_str(&c.file), ",\"dry_run\":true"), OK);
	CHECK_STR(fix_get(f, "updated"), "1");
	CHECK_STR(fix_get(f, "conflicts"), "[{\"id\":\"t-1\",\"field\":\"title\","
	    "\"ours\":\"eins\",\"theirs\":\"uno\",\"kept\":\"uno\"}]");
	fix_ok(f, "show", "{'id':'t-1'}");
	CHECK_STR(fix_get(f, "title"), "eins");
	CHECK_RC(import_from(f, buf_str(&c.file), ",\"skip_existing\":true"), OK);
	CHECK_STR(fix_get(f, "skipped"), "1");
	CHECK_RC(import_from(f, buf_str(&c.file), ""), OK);
	fix_ok(f, "show", "{'id':'t-1'}");
	CHECK_STR(fix_get(f, "title"), "uno");
	counted(f);
	clones_close(&c);
}

TEST(work_import_keeps_two_items_of_one_id)
{
	struct clones c;
	struct fix *f;

	clones_open(&c);
	f = at(&c, 0);
	fix_ok(f, "create", "{'title':'early','id':'t-1'}");
	fix_ok(at(&c, 1), "create", "{'title':'late','id':'t-1'}");
	fix_ok(f, "create", "{'title':'user','id':'t-2','dependencies':['t-1']}");
	/* ours is the later: it moves, with what names it */
	send(&c, 0, 1);
	CHECK_STR(fix_get(f, "renamed.0.old"), "t-1");
	CHECK_STR(fix_get(f, "renamed.0.title"), "late");
	fix_ok(f, "show", "{'id':'t-1'}");
	CHECK_STR(fix_get(f, "title"), "early");
	fix_ok(f, "show", "{'id':'t-2'}");
	CHECK_STR(fix_get(f, "dependencies.0.title"), "late");
	/* theirs is the later */
	fix_ok(at(&c, 0), "create", "{'title':'early','id':'t-5'}");
	fix_ok(at(&c, 1), "create", "{'title':'late','id':'t-5'}");
	fix_ok(f, "create", "{'title':'user','id':'t-6','dependencies':['t-5']}");
	send(&c, 1, 0);
	CHECK_STR(fix_get(f, "renamed.0.old"), "t-5");
	fix_ok(at(&c, 0), "show", "{'id':'t-5'}");
	CHECK_STR(fix_get(f, "title"), "early");
	fix_ok(f, "show", "{'id':'t-6'}");
	CHECK_STR(fix_get(f, "dependencies.0.title"), "late");
	send(&c, 1, 0);
	CHECK_STR(fix_get(f, "created"), "0");
	send(&c, 0, 1);
	send(&c, 1, 0);
	CHECK_STR(fix_get(f, "unchanged"), "6");
	clones_close(&c);
}

TEST(work_import_deletes_what_did_not_change_later)
{
	struct clones c;
	struct fix *f;

	clones_open(&c);
	f = at(&c, 0);
	for (int i = 1; i <= 3; i++)
		fix_ok(f, "create", "{'title':'n%d','id':'t-%d'}", i, i);
	fix_ok(f, "create", "{'title':'user','id':'t-9','dependencies':['t-1']}");
	send(&c, 0, 1);
	fix_ok(at(&c, 1), "update", "{'id':'t-2','title':'before'}");
	fix_ok(&c.f, "create", "{'title':'only here','id':'t-8',"
	    "'dependencies':['t-1']}");
	fix_ok(at(&c, 0), "delete", "{'ids':['t-1','t-2','t-3'],'force':true}");
	fix_ok(at(&c, 1), "update", "{'id':'t-3','title':'after'}");
	send(&c, 0, 1);
	f = at(&c, 1);
	CHECK_STR(fix_get(f, "deleted"), "2");
	CHECK_STR(fix_get(f, "conflicts.0.id"), "t-3");
	CHECK_STR(fix_get(f, "conflicts.1.id"), "t-2");
	fix_ok(f, "ready", "{}");
	CHECK(strcmp(fix_ids(f), "t-3 t-9 t-8") == 0);
	CHECK(str_contains(buf_str(&c.file), S("\"deleted_by\":\"ada\"")));
	send(&c, 1, 0);
	fix_ok(at(&c, 0), "ready", "{}");
	CHECK(strcmp(fix_ids(f), "t-3 t-9 t-8") == 0);
	send(&c, 0, 1);
	CHECK_STR(fix_get(f, "unchanged"), "5");
	clones_close(&c);
}

/* Goal: what comes as deleted is found by no label and holds nobody, whether the
 * tracker knew it or not. */
TEST(work_import_of_a_deletion_takes_no_labels)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'title':'a','id':'t-1','labels':['x','y']}");
	fix_ok(&f, "create", "{'title':'b','id':'t-2','labels':['x']}");
	import_lines(&f, "{'id':'t-1','title':'a','status':'tombstone',"
	    "'labels':['x','z'],'deleted_at':'2099-01-01T00:00:00Z'}\n"
	    "{'id':'t-3','title':'c','status':'tombstone','labels':['x','z'],"
	    "'dependencies':[{'depends_on_id':'t-2','type':'blocks'}],"
	    "'comments':[{'author':'ann','text':'c',"
	    "'created_at':'2025-01-01T00:00:00Z'}],"
	    "'deleted_at':'2025-01-02T00:00:00Z'}");
	CHECK_STR(fix_get(&f, "deleted"), "1");
	CHECK_STR(fix_get(&f, "created"), "1");
	fix_ok(&f, "list", "{'labels':['x']}");
	CHECK(strcmp(fix_ids(&f), "t-2") == 0);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_label") == 1);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_edge") == 0);
	CHECK(fix_count(&f, "SELECT count(*) FROM work_item WHERE"
	    " json_extract(body, '$.labels') IS NOT NULL") == 1);
	counted(&f);
	fix_close(&f);
}

TEST(work_import_keeps_loose_ends_until_the_item_comes)
{
	struct fix f;

	fix_open(&f);
	CHECK_RC(import_from(&f, S("{\"id\":\"t-1\",\"title\":\"a\",\"dependencies\":"
	    "[{\"depends_on_id\":\"t-2\"}]}"), ""), OK);
	CHECK_STR(fix_get(&f, "warnings.0"),
	    "line 1: dependencies: t-1 depends on t-2, which does not exist");
	fix_ok(&f, "ready", "{}");
	CHECK(strcmp(fix_ids(&f), "t-1") == 0);
	CHECK_RC(import_from(&f, S("{\"id\":\"t-2\",\"title\":\"b\"}"), ""), OK);
	fix_ok(&f, "ready", "{}");
	CHECK(strcmp(fix_ids(&f), "t-2") == 0);
	counted(&f);
	fix_close(&f);
}

TEST(work_import_takes_texts)
{
	static const char good[] = "{\"first_line\":7,\"items\":[\"{\\\"id\\\":"
	    "\\\"t-1\\\",\\\"title\\\":\\\"a\\\"}\",null,{\"id\":\"t-2\",\"title\":"
	    "\"b\"}]}";
	struct fix f;

	fix_open(&f);
	CHECK_RC(fix_json(&f, "import", str_of(good)), OK);
	CHECK_STR(fix_get(&f, "created"), "2");
	CHECK_RC(fix_json(&f, "import", str_of(good)), OK);
	CHECK_STR(fix_get(&f, "unchanged"), "2");
	CHECK_RC(fix_json(&f, "import", S("{\"first_line\":7,\"items\":[null,"
	    "\"{nonsense\"]}")), ERR_SYNTAX);
	CHECK(str_starts(str_of(f.e.text), S("line 8: ")));
	counted(&f);
	fix_close(&f);
}

TEST(work_import_refuses_a_ring)
{
	struct fix f;

	fix_open(&f);
	CHECK_RC(import_from(&f, S("{\"id\":\"t-1\",\"title\":\"a\",\"dependencies\":"
	    "[{\"depends_on_id\":\"t-2\"}]}\n{\"id\":\"t-2\",\"title\":\"b\","
	    "\"dependencies\":[{\"depends_on_id\":\"t-1\",\"type\":\"parent-child\"}]}"),
	    ""), ERR_CONFLICT);
	CHECK(str_starts(str_of(f.e.text), S("line 2: ")));
	CHECK(str_contains(str_of(f.e.text), S("t-2")));
	CHECK(fix_count(&f, "SELECT count(*) FROM work_item") == 0);
	counted(&f);
	fix_close(&f);
}

/* Goal: who lost an item to a later edit of somebody else's holds it no more. */
TEST(work_import_ends_the_lease_of_who_lost_the_item)
{
	struct clones c;

	clones_open(&c);
	fix_ok(at(&c, 0), "create", "{'title':'n','id':'t-1'}");
	fix_ok(&c.f, "create", "{'title':'m','id':'t-2'}");
	send(&c, 0, 1);
	fix_ok(at(&c, 1), "claim", "{'id':'t-1'}");
	fix_ok(&c.f, "claim", "{'id':'t-2'}");
	c.f.now += 1000;
	fix_ok(at(&c, 0), "update",
	    "{'id':'t-1','status':'in_progress','assignee':'bob'}");
	send(&c, 0, 1);
	fix_ok(at(&c, 1), "show", "{'id':'t-1'}");
	CHECK_STR(fix_get(&c.f, "assignee"), "bob");
	CHECK_STR(fix_get(&c.f, "lease.holder"), "");
	fix_ok(&c.f, "show", "{'id':'t-2'}");
	CHECK_STR(fix_get(&c.f, "lease.holder"), "ada");
	clones_close(&c);
}

/* Goal: an edit of somebody else's takes nobody's lease, nor does a deletion that
 * came before. */
TEST(work_import_keeps_the_lease_of_who_works_on)
{
	struct clones c;

	clones_open(&c);
	fix_ok(at(&c, 0), "create", "{'title':'n','id':'t-1'}");
	fix_ok(&c.f, "create", "{'title':'m','id':'t-2'}");
	send(&c, 0, 1);
	fix_ok(at(&c, 0), "delete", "{'ids':['t-2'],'force':true}");
	c.f.now += 1000;
	fix_ok(at(&c, 1), "claim", "{'id':'t-1'}");
	fix_ok(&c.f, "claim", "{'id':'t-2'}");
	c.f.now += 1000;
	fix_ok(at(&c, 0), "update", "{'id':'t-1','title':'better'}");
	send(&c, 0, 1);
	fix_ok(at(&c, 1), "show", "{'id':'t-1'}");
	CHECK_STR(fix_get(&c.f, "title"), "better");
	CHECK_STR(fix_get(&c.f, "status"), "in_progress");
	CHECK_STR(fix_get(&c.f, "lease.holder"), "ada");
	fix_ok(&c.f, "show", "{'id':'t-2'}");
	CHECK_STR(fix_get(&c.f, "lease.holder"), "ada");
	clones_close(&c);
}

/* Goal: a page has as many lines as asked for, and says where the next begins. */
TEST(work_export_goes_in_pages)
{
	struct fix f;

	fix_open(&f);
	for (int i = 1; i <= 3; i++)
		fix_ok(&f, "create", "{'title':'n%d','id':'t-%d'}", i, i);
	fix_ok(&f, "export", "{'limit':2}");
	CHECK_INT(json_count(json_get(f.doc.root, S("lines"))), 2);
	CHECK_STR(fix_get(&f, "next"), "t-2");
	fix_ok(&f, "export", "{'limit':2,'after':'t-2'}");
	CHECK_INT(json_count(json_get(f.doc.root, S("lines"))), 1);
	CHECK_STR(fix_get(&f, "lines.0.id"), "t-3");
	CHECK(json_is_null(json_get(f.doc.root, S("next"))));
	fix_close(&f);
}

/* Goal: bd's export, which has lines that are no items. */
TEST(work_import_leaves_out_memories)
{
	static const char lines[] = "{\"id\":\"t-1\",\"title\":\"a\",\"_type\":\"issue\"}\n"
	    "{\"_type\":\"memory\",\"key\":\"k\",\"value\":\"v\"}";
	struct fix f;

	fix_open(&f);
	CHECK_RC(import_from(&f, str_of(lines), ",\"resolve_cycles\":true"), ERR_INVALID);
	CHECK_RC(import_from(&f, str_of(lines), ",\"strict\":true"), ERR_INVALID);
	CHECK_RC(import_from(&f, str_of(lines), ""), OK);
	CHECK_STR(fix_get(&f, "bad"), "1");
	CHECK_STR(fix_get(&f, "created"), "1");
	CHECK_INT(json_count(json_get(f.doc.root, S("warnings"))), 1);
	CHECK_RC(import_from(&f, S("{\"_type\":\"other\"}"), ""), ERR_INVALID);
	fix_close(&f);
}
