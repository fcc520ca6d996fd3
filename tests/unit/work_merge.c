/*
 * work_merge.c - three files become one: against a model that knows who
 * changed what, whichever side merges, and again with what came of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "work/exchange/exchange.h"
#include "work/exchange/record_priv.h"

#include <stdio.h>

#define ITEMS 40
#define FIELDS 4

static struct buf out, notes;
static struct merge_count count;
static struct err e;

static int
merge(struct str base, struct str ours, struct str theirs)
{
	buf_release(&out);
	buf_release(&notes);
	out = BUF(64 * MB);
	notes = BUF(64 * MB);
	return exchange_merge(base, ours, theirs, &out, &notes, &count, &e);
}

/* One item of the model: a number for each field, and the time. */
struct model {
	int field[FIELDS];
	int labels;                          /* bits */
	int updated;
};

static void
model_add(struct buf *b, int id, const struct model *m)
{
	buf_add_fmt(b, "{\"id\":\"t-%02d\",\"title\":\"t%d\",\"description\":\"d%d\","
	    "\"status\":\"%s\",\"priority\":%d,\"issue_type\":\"task\",\"created_at\":"
	    "\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-02T%02d:%02d:00Z\"", id,
	    m->field[0], m->field[1], m->field[2] % 2 == 0 ? "open" : "in_progress",
	    m->field[3] % 5, m->updated / 60, m->updated % 60);
	if (m->labels != 0)
		buf_lit(b, ",\"labels\":[");
	for (int i = 0, n = 0; i < 6; i++) {
		if ((m->labels >> i & 1) != 0)
			buf_add_fmt(b, "%s\"l%d\"", n++ > 0 ? "," : "", i);
	}
	if (m->labels != 0)
		buf_add_char(b, ']');
	buf_lit(b, "}\n");
}

static int
value(int field, int v)
{
	return field == 2 ? v % 2 : field == 3 ? v % 5 : v;
}

/* What must come out, and how many clashes. */
static struct model
model_merge(const struct model *base, const struct model *a,
    const struct model *b, size_t *clashes)
{
	struct model m = *a;

	for (int f = 0; f < FIELDS; f++) {
		int was = value(f, base->field[f]), x = value(f, a->field[f]);
		int y = value(f, b->field[f]);

		if (x == y || y == was)
			continue;
		if (x != was) {
			++*clashes;
			if (a->updated > b->updated)
				continue;
		}
		m.field[f] = b->field[f];
	}
	m.labels = (a->labels & b->labels) | ((a->labels | b->labels) & ~base->labels);
	m.updated = a->updated > b->updated ? a->updated : b->updated;
	return m;
}

static uint32_t
draw(uint32_t *seed, uint32_t n)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % n;
}

static struct model
edited(struct model m, uint32_t *seed, int turn)
{
	bool touched = false;

	for (int f = 0; f < FIELDS; f++) {
		if (draw(seed, 3) == 0) {
			m.field[f] = (int)draw(seed, 100);
			touched = true;
		}
	}
	if (draw(seed, 3) == 0) {
		m.labels ^= 1 << draw(seed, 6);
		touched = true;
	}
	/* Never the same time on both sides. */
	if (touched)
		m.updated = 100 + 2 * (int)draw(seed, 500) + turn;
	return m;
}

TEST(work_merge_agrees_with_the_model)
{
	uint32_t seed = 7;

	for (int round = 0; round < 50; round++) {
		struct buf file[4];
		size_t clashes = 0;
		struct buf first;

		for (int i = 0; i < 4; i++)
			file[i] = BUF(1 * MB);
		for (int i = 0; i < ITEMS; i++) {
			struct model base = { .labels = (int)draw(&seed, 64) }, a, b, m;

			for (int f = 0; f < FIELDS; f++)
				base.field[f] = (int)draw(&seed, 100);
			a = edited(base, &seed, 0);
			b = edited(base, &seed, 1);
			m = model_merge(&base, &a, &b, &clashes);
			model_add(&file[0], i, &base);
			model_add(&file[1], i, &a);
			model_add(&file[2], i, &b);
			model_add(&file[3], i, &m);
		}
		CHECK_RC(merge(buf_str(&file[0]), buf_str(&file[1]),
		    buf_str(&file[2])), OK);
		CHECK(count.clashes == clashes);
		CHECK(str_eq(buf_str(&out), buf_str(&file[3])));
		CHECK_RC(merge(buf_str(&file[0]), buf_str(&file[2]),
		    buf_str(&file[1])), OK);
		CHECK(str_eq(buf_str(&out), buf_str(&file[3])));
		CHECK(count.clashes == clashes);
		first = out;                 /* merged again: nothing new */
		out = BUF(1 * MB);
		CHECK_RC(merge(buf_str(&file[0]), buf_str(&first),
		    buf_str(&file[2])), OK);
		CHECK(str_eq(buf_str(&out), buf_str(&first)));
		buf_release(&first);
		for (int i = 0; i < 4; i++)
			buf_release(&file[i]);
	}
	buf_release(&out);
	buf_release(&notes);
}

#define LINE(id, title, created, rest) "{\"id\":\"" id "\",\"title\":\"" title     \
	"\",\"created_at\":\"2026-01-0" created "T00:00:00Z\",\"updated_at\":\"2026-01-0" \
	created "T00:00:00Z\"" rest "}\n"

TEST(work_merge_keeps_two_items_of_one_id)
{
	static const char early[] = LINE("t-1", "early", "1", "");
	static const char late[] = LINE("t-1", "late", "2", "")
	    LINE("t-2", "user", "2", ",\"dependencies\":[{\"depends_on_id\":\"t-1\"}]");
	struct buf first;

	CHECK_RC(merge(S(""), str_of(early), str_of(late)), OK);
	CHECK(count.moved == 1 && count.items == 3);
	CHECK(str_contains(buf_str(&out), S("{\"id\":\"t-1\",\"title\":\"early\"")));
	CHECK(!str_contains(buf_str(&out), S("\"depends_on_id\":\"t-1\"")));
	first = out;
	out = BUF(1 * MB);
	CHECK_RC(merge(S(""), str_of(late), str_of(early)), OK);
	CHECK(str_contains(buf_str(&out), S("{\"id\":\"t-1\",\"title\":\"early\"")));
	CHECK(out.n == first.n);
	buf_release(&first);
	buf_release(&out);
	buf_release(&notes);
}

#define CLOSED(title, hour) "{\"id\":\"t-1\",\"title\":\"" title "\",\"status\":"     \
	"\"closed\",\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":"    \
	"\"2026-01-03T00:00:00Z\",\"closed_at\":\"2026-01-02T0" hour ":00:00Z\"}\n"

/* Whoever merges: of two closings the first, of two titles of one instant the
 * larger. */
TEST(work_merge_of_equal_times)
{
	static const char base[] = LINE("t-1", "a", "1", "");

	for (int turn = 0; turn < 2; turn++) {
		const char *one = CLOSED("b", "3"), *two = CLOSED("c", "5");

		CHECK_RC(merge(str_of(base), str_of(turn == 0 ? one : two),
		    str_of(turn == 0 ? two : one)), OK);
		CHECK_INT(count.clashes, 1);
		CHECK(str_contains(buf_str(&out), S("\"title\":\"c\"")));
		CHECK(str_contains(buf_str(&out), S("2026-01-02T03:00:00Z")));
	}
	buf_release(&out);
	buf_release(&notes);
}

TEST(work_merge_of_a_deletion)
{
	static const char base[] = LINE("t-1", "a", "1", "");
	static const char dead[] = "{\"id\":\"t-1\",\"title\":\"a\",\"status\":"
	    "\"tombstone\",\"deleted_at\":\"2026-01-05T00:00:00Z\"}\n";
	static const char sooner[] = "{\"id\":\"t-1\",\"title\":\"a\",\"status\":"
	    "\"tombstone\",\"deleted_at\":\"2026-01-04T00:00:00Z\"}\n";

	CHECK_RC(merge(str_of(base), str_of(base), str_of(dead)), OK);
	CHECK(count.clashes == 0 && str_contains(buf_str(&out), S("tombstone")));
	CHECK_RC(merge(str_of(base), S(LINE("t-1", "b", "4", "")), str_of(dead)), OK);
	CHECK(count.clashes == 1 && str_contains(buf_str(&out), S("tombstone")));
	CHECK_RC(merge(str_of(base), str_of(dead), S(LINE("t-1", "b", "6", ""))), OK);
	CHECK(count.clashes == 1 && str_contains(buf_str(&out), S("\"title\":\"b\"")));
	/* at the same instant the deletion stands */
	CHECK_RC(merge(str_of(base), S(LINE("t-1", "b", "5", "")), str_of(dead)), OK);
	CHECK(str_contains(buf_str(&out), S("tombstone")));
	/* of two deletions the first, whoever merges */
	CHECK_RC(merge(str_of(base), str_of(dead), str_of(sooner)), OK);
	CHECK_STR(buf_str(&out), sooner);
	CHECK_RC(merge(str_of(base), str_of(sooner), str_of(dead)), OK);
	CHECK_STR(buf_str(&out), sooner);
	/* a line that is gone, as bd deletes */
	CHECK_RC(merge(str_of(base), S(""), str_of(base)), OK);
	CHECK(count.items == 0);
	buf_release(&out);
	buf_release(&notes);
}

/* Of a file that was merged by lines: the same item twice, and two items. */
TEST(work_merge_settles_twins_of_one_side)
{
	CHECK_RC(merge(S(""), S("{\"id\":\"t-1\",\"title\":\"old\","
	    "\"updated_at\":\"2025-01-01T00:00:00Z\",\"labels\":[\"a\"]}\n"
	    "{\"id\":\"t-1\",\"title\":\"new\","
	    "\"updated_at\":\"2025-01-02T00:00:00Z\",\"labels\":[\"b\"]}\n"
	    LINE("t-2", "x", "1", "") LINE("t-2", "x", "1", "")), S("")), OK);
	CHECK_INT(count.items, 2);
	CHECK(str_contains(buf_str(&out), S("\"new\"")));
	CHECK(!str_contains(buf_str(&out), S("\"old\"")));
	CHECK(str_contains(buf_str(&out), S("[\"a\",\"b\"]")));
	CHECK(str_contains(buf_str(&notes), S("t-1: stood in lines 1 and 2 of ours")));
	CHECK_RC(merge(S(""), S("{\"id\":\"t-1\",\"title\":\"one\","
	    "\"created_at\":\"2025-01-01T00:00:00Z\"}\n{\"id\":\"t-1\","
	    "\"title\":\"two\",\"created_at\":\"2025-01-02T00:00:00Z\"}\n"),
	    S("")), OK);
	CHECK_INT(count.items, 2);
	CHECK_INT(count.moved, 1);
	buf_release(&out);
	buf_release(&notes);
}

TEST(work_merge_refuses_what_is_no_item)
{
	static const struct { const char *text, *error; } cases[] = {
		{ "\n<<<<<<< HEAD\n", "theirs: line 2: a conflict marker of git; "
		    "resolve it first" },
		{ LINE("t-1", "a", "1", ",\"priority\":7"),
		    "theirs: line 1: priority: expected 0 to 4, got 7" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		CHECK(merge(S(""), S(""), str_of(cases[i].text)) != OK);
		CHECK_STR(str_of(e.text), cases[i].error);
	}
	buf_release(&out);
	buf_release(&notes);
}
