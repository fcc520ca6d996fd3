/*
 * work_cycle.c - cycles are refused, whatever way they would be found, and
 * nothing else is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <string.h>

static void
item(struct fix *f, const char *id)
{
	fix_ok(f, "create", "{'title':'%s','id':'t-%s'}", id, id);
}

static int
dep(struct fix *f, const char *from, const char *to, const char *type)
{
	return fix_call(f, "dep_add",
	    "{'from_id':'t-%s','to_id':'t-%s','dep_type':'%s'}", from, to, type);
}

TEST(work_a_ring_is_refused_with_its_path)
{
	struct fix f;

	fix_open(&f);
	item(&f, "a");
	item(&f, "b");
	item(&f, "c");
	CHECK_RC(dep(&f, "a", "a", "related"), ERR_CONFLICT);
	CHECK(strcmp(f.e.text, "issue cannot depend on itself") == 0);
	CHECK_RC(dep(&f, "a", "b", "blocks"), OK);
	CHECK_RC(dep(&f, "b", "c", "parent-child"), OK);
	CHECK_RC(dep(&f, "c", "a", "blocks"), ERR_CONFLICT);
	CHECK(strcmp(f.e.text, "cannot add dependency: would create a cycle "
	    "(t-c -> t-a -> t-b -> t-c)") == 0);
	CHECK_RC(dep(&f, "c", "a", "parent-child"), ERR_CONFLICT);
	CHECK_RC(dep(&f, "c", "a", "related"), OK);
	fix_ok(&f, "dep_cycles", "{}");
	CHECK_STR(buf_str(&f.data), "[]");
	fix_close(&f);
}

TEST(work_an_edge_that_cannot_hold_makes_no_ring)
{
	struct fix f;

	fix_open(&f);
	item(&f, "a");
	item(&f, "b");
	CHECK_RC(dep(&f, "a", "b", "discovered-from"), OK);
	CHECK_RC(dep(&f, "b", "a", "blocks"), OK);
	fix_close(&f);
}

TEST(work_a_diamond_is_no_ring)
{
	struct fix f;

	fix_open(&f);
	item(&f, "a");
	item(&f, "b");
	item(&f, "c");
	item(&f, "d");
	CHECK_RC(dep(&f, "a", "b", "blocks"), OK);
	CHECK_RC(dep(&f, "a", "c", "parent-child"), OK);
	CHECK_RC(dep(&f, "b", "d", "blocks"), OK);
	CHECK_RC(dep(&f, "c", "d", "blocks"), OK);
	CHECK_RC(dep(&f, "a", "d", "blocks"), OK);
	CHECK_RC(dep(&f, "d", "a", "blocks"), ERR_CONFLICT);
	fix_close(&f);
}

/* Long enough that statements give up; ids so long that not all fit. */
static void
chain(struct fix *f, int n, const char *pad)
{
	fix_fill(f, true);
	fix_ok(f, "create", "{'title':'x','id':'t-%s0'}", pad);
	for (int i = 1; i < n; i++)
		fix_ok(f, "create", "{'title':'x','id':'t-%s%d',"
		    "'dependencies':['t-%s%d']}", pad, i, pad, i - 1);
	fix_fill(f, false);
}

TEST(work_a_long_ring_is_shown_by_its_ends)
{
	struct fix f;

	fix_open(&f);
	chain(&f, 400, "n");
	CHECK_RC(dep(&f, "n0", "n399", "blocks"), ERR_CONFLICT);
	CHECK(strstr(f.e.text, "(t-n0 -> t-n399 -> t-n398 -> ") != NULL);
	CHECK(strstr(f.e.text, " more) -> ") != NULL);
	CHECK(strstr(f.e.text, "-> t-n2 -> t-n1 -> t-n0)") != NULL);
	CHECK(f.w->graph != NULL);           /* read to memory */
	CHECK_RC(dep(&f, "n0", "n398", "blocks"), ERR_CONFLICT);
	CHECK_RC(dep(&f, "n399", "n0", "blocks"), OK);
	fix_close(&f);
}

TEST(work_a_ring_of_the_longest_ids_fits_the_error)
{
	static const char pad[] =
	    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffffff";
	char from[80], to[80];
	struct fix f;

	fix_open(&f);
	chain(&f, 100, pad);
	snprintf(from, sizeof from, "%s0", pad);
	snprintf(to, sizeof to, "%s99", pad);
	CHECK_RC(dep(&f, from, to, "blocks"), ERR_CONFLICT);
	CHECK(strlen(f.e.text) < sizeof f.e.text - 1);
	CHECK(f.e.text[strlen(f.e.text) - 1] == ')');
	fix_close(&f);
}

TEST(work_what_is_in_memory_follows_what_is_stored)
{
	struct fix f;
	struct work *other;
	struct work_call c = { .now = 1, .actor = S("eve"),
		.operation = S("dep_remove") };
	struct json_doc doc;
	struct buf data = BUF(1 * MB);

	fix_open(&f);
	chain(&f, 100, "n");
	CHECK_RC(dep(&f, "n0", "n99", "blocks"), ERR_CONFLICT);
	other = work_new(&f.db);             /* as another process */
	CHECK_RC(json_parse(&doc, S("{\"from_id\":\"t-n50\",\"to_id\":\"t-n49\"}"),
	    &f.e), OK);
	c.tracker = f.tracker;
	c.args = doc.root;
	c.data = &data;
	CHECK_RC(db_exec(&f.db, "BEGIN IMMEDIATE", &f.e), OK);
	CHECK_RC(work_run(other, &c), OK);
	CHECK_RC(db_exec(&f.db, "COMMIT", &f.e), OK);
	CHECK_RC(dep(&f, "n0", "n99", "blocks"), OK);
	CHECK_RC(dep(&f, "n50", "n49", "blocks"), ERR_CONFLICT);
	work_free(other);
	json_release(&doc);
	buf_release(&data);
	fix_close(&f);
}

/* ---- random graphs against a matrix ---------------------------------------------- */

#define N 90

struct oracle {
	signed char type[N][N], kept[N][N];  /* -1: no edge */
	uint64_t seed;
};

static unsigned
draw(struct oracle *o, unsigned n)
{
	o->seed ^= o->seed << 13;
	o->seed ^= o->seed >> 7;
	o->seed ^= o->seed << 17;
	return (unsigned)(o->seed >> 33) % n;
}

static bool
leads(const struct oracle *o, int from, int to, bool *seen)
{
	if (from == to)
		return true;
	seen[from] = true;
	for (int i = 0; i < N; i++) {
		if ((o->type[from][i] == DEP_BLOCKS ||
		    o->type[from][i] == DEP_PARENT_CHILD) && !seen[i] &&
		    leads(o, i, to, seen))
			return true;
	}
	return false;
}

static int
run(struct fix *f, const char *operation, const char *format, int a, int b,
    const char *type)
{
	struct work_call c = { .tracker = f->tracker, .now = ++f->now,
		.actor = S("ada"), .operation = str_of(operation) };
	char text[256];
	struct json_doc doc;
	int rc;

	snprintf(text, sizeof text, format, a, b, type);
	CHECK_RC(json_parse(&doc, str_of(text), &f->e), OK);
	buf_clear(&f->data);
	c.args = doc.root;
	c.data = &f->data;
	rc = work_run(f->w, &c);
	json_release(&doc);
	return rc;
}

#define PAIR "{\"from_id\":\"t-%d\",\"to_id\":\"t-%d\",\"dep_type\":\"%s\"}"

static void
random_add(struct fix *f, struct oracle *o)
{
	static const int types[] = { 0, 0, 0, 2, 2, 1, 3 };
	int a = (int)draw(o, N), b = (int)draw(o, N), type = types[draw(o, 7)];
	bool seen[N] = { false };
	int expected = a == b || o->type[a][b] >= 0 || (type % 2 == 0 &&
	    leads(o, b, a, seen)) ? ERR_CONFLICT : OK;

	CHECK_RC(run(f, "dep_add", PAIR, a, b, work_dep_names[type]), expected);
	if (expected == OK)
		o->type[a][b] = (signed char)type;
}

static void
random_remove(struct fix *f, struct oracle *o)
{
	int a = (int)draw(o, N);

	for (int b = 0; b < N; b++) {
		if (o->type[a][b] < 0)
			continue;
		CHECK_RC(run(f, "dep_remove", PAIR, a, b,
		    work_dep_names[o->type[a][b]]), OK);
		o->type[a][b] = -1;
		return;
	}
}

static void
stored_is(struct fix *f, const struct oracle *o)
{
	int n = 0;

	for (int i = 0; i < N * N; i++)
		n += o->type[i / N][i % N] >= 0;
	CHECK(fix_count(f, "SELECT count(*) FROM work_edge") == n);
}

static void
random_graph(uint64_t seed, int rounds)
{
	static struct oracle o;
	struct fix f;

	memset(&o, -1, sizeof o);
	o.seed = seed;
	fix_open(&f);
	fix_fill(&f, true);
	for (int i = 0; i < N; i++)
		fix_ok(&f, "create", "{'title':'x','id':'t-%d'}", i);
	fix_fill(&f, false);
	for (int i = 0; i < rounds; i++) {
		bool back = draw(&o, 4) == 0;

		memcpy(o.kept, o.type, sizeof o.kept);
		CHECK_RC(db_exec(&f.db, "BEGIN IMMEDIATE", &f.e), OK);
		for (unsigned n = 1 + draw(&o, 12); n > 0; n--) {
			if (draw(&o, 5) == 0)
				random_remove(&f, &o);
			else
				random_add(&f, &o);
		}
		CHECK_RC(db_exec(&f.db, back ? "ROLLBACK" : "COMMIT", &f.e), OK);
		if (back)
			memcpy(o.type, o.kept, sizeof o.kept);
		if (draw(&o, 16) == 0)
			graph_drop(f.w);
	}
	stored_is(&f, &o);
	fix_ok(&f, "dep_cycles", "{}");
	CHECK_STR(buf_str(&f.data), "[]");
	fix_close(&f);
}

TEST(work_random_graphs_have_no_ring_and_miss_no_edge_1)
{
	random_graph(0x9e3779b97f4a7c15, 600);
}

TEST(work_random_graphs_have_no_ring_and_miss_no_edge_2)
{
	random_graph(88172645463325252, 600);
}

TEST(work_rings_of_another_program_are_shown)
{
	struct fix f;

	fix_open(&f);
	item(&f, "a");
	item(&f, "b");
	item(&f, "c");
	item(&f, "d");
	CHECK_RC(dep(&f, "a", "b", "blocks"), OK);
	CHECK_RC(dep(&f, "b", "c", "blocks"), OK);
	CHECK_RC(dep(&f, "d", "a", "blocks"), OK);
	CHECK_RC(db_exec(&f.db, "INSERT INTO work_edge SELECT a.seq, b.seq, 2"
	    " FROM work_item a, work_item b WHERE a.id = 't-c' AND b.id = 't-a'",
	    &f.e), OK);
	fix_ok(&f, "dep_cycles", "{}");
	CHECK(json_count(f.doc.root) == 1 && json_count(json_at(f.doc.root, 0)) == 3);
	fix_close(&f);
}

TEST(work_trackers_do_not_share_what_is_in_memory)
{
	struct fix f;
	int64_t first;

	fix_open(&f);
	first = f.tracker;
	chain(&f, 100, "n");
	CHECK_RC(work_tracker_make(f.w, 1, S("p"), S("t"), 1, &f.tracker, &f.e), OK);
	chain(&f, 100, "n");
	CHECK_RC(dep(&f, "n0", "n99", "blocks"), ERR_CONFLICT);
	fix_ok(&f, "dep_remove", "{'from_id':'n50','to_id':'n49'}");
	CHECK_RC(dep(&f, "n0", "n99", "blocks"), OK);
	f.tracker = first;
	CHECK_RC(dep(&f, "n0", "n99", "blocks"), ERR_CONFLICT);
	fix_close(&f);
}
