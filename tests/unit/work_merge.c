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
#include <string.h>

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

/* ---- whoever merges ------------------------------------------------------------ */

/* A clone's view of an item: which one it is says its time of creation; it
 * depends on another, by whatever id that has there. */
struct seen {
	int id, edit, on;                    /* on: which item; -1: none */
	bool there, dead;
	int left[3], left_n;                 /* ids that it had */
};

#define SEEN (ITEMS / 2)                     /* both have; and as many new ones */

static void
seen_add(struct buf *b, const struct seen *all, int which)
{
	const struct seen *x = &all[which];
	int on = x->on >= 0 && all[x->on].there && !all[x->on].dead ? x->on : -1;

	if (!x->there)
		return;
	for (int i = 0; i < x->left_n; i++)
		buf_add_fmt(b, "{\"id\":\"t-%d\",\"status\":\"tombstone\",\"deleted_at\":"
		    "\"2026-01-04T00:00:%02dZ\",\"renamed_to\":\"t-%d\"}\n", x->left[i],
		    i, i + 1 < x->left_n ? x->left[i + 1] : x->id);
	if (x->dead) {
		buf_add_fmt(b, "{\"id\":\"t-%d\",\"status\":\"tombstone\",\"deleted_at\":"
		    "\"2026-01-05T00:00:00Z\"}\n", x->id);
		return;
	}
	buf_add_fmt(b, "{\"id\":\"t-%d\",\"title\":\"i%d\",\"status\":\"open\","
	    "\"priority\":2,\"issue_type\":\"task\",\"estimated_minutes\":%d,"
	    "\"created_at\":\"2026-01-01T00:%02d:00Z\",\"updated_at\":"
	    "\"2026-01-02T00:00:%02dZ\"", x->id, which, x->edit, which, x->edit);
	if (on >= 0)
		buf_add_fmt(b, ",\"dependencies\":[{\"issue_id\":\"t-%d\","
		    "\"depends_on_id\":\"t-%d\",\"type\":\"blocks\"}]", x->id,
		    all[on].id);
	buf_lit(b, "}\n");
}

/* Edits, deletions, renamings (also of what has been renamed) of others, and new
 * items, for which both sides take the same ids. */
static void
seen_change(struct seen *all, uint32_t *seed, int side)
{
	for (int i = 0; i < SEEN; i++) {
		struct seen *x = &all[i];

		if (x->dead)
			continue;
		if (draw(seed, 3) == 0)
			x->edit = 2 * (int)draw(seed, 25) + side;
		if (draw(seed, 5) == 0 && i % 4 == side)
			x->dead = true;
		if (i % 4 >= 2 && draw(seed, 4) == 0 && x->left_n < 3) {
			x->left[x->left_n++] = x->id;
			x->id = 1000 * (side + 1) + 10 * i + x->left_n;
		}
	}
	for (int i = 0; i < SEEN; i++) {
		struct seen *x = &all[SEEN + 2 * i + side];

		if (draw(seed, 4) == 0 && !x->there && !x[side == 0 ? 1 : -1].there)
			*x = (struct seen){ .there = true, .id = 500 + i, .edit = side,
				.on = i > 0 && all[SEEN + 2 * i - 2 + side].there ?
				    SEEN + 2 * i - 2 + side : i };
	}
}

/* The item's line in the merged file; its id. */
static struct str
seen_find(int which, size_t *times, struct str *on)
{
	char title[32];
	struct str rest = buf_str(&out), line, id = STR_NONE;
	int n = snprintf(title, sizeof title, "\"title\":\"i%d\"", which);

	*times = 0;
	*on = STR_NONE;
	while (str_next(&rest, '\n', &line)) {
		struct json_doc d;

		if (!str_contains(line, (struct str){ title, (size_t)n }))
			continue;
		CHECK_RC(json_parse(&d, line, &e), OK);
		id = str_sub(line, 7, json_str(json_get(d.root, S("id"))).n);
		if (json_get(d.root, S("dependencies")) != NULL) {
			struct str needle = S("\"depends_on_id\":\"");

			while (!str_starts(line, needle))
				line = str_sub(line, 1, line.n);
			line = str_sub(line, needle.n, line.n);
			*on = str_sub(line, 0, (size_t)str_index(line, '"'));
			CHECK_INT(json_count(json_get(d.root, S("dependencies"))), 1);
		}
		++*times;
		json_release(&d);
	}
	return id;
}

/* Nothing is lost or there twice, and what names an item still does. */
static void
seen_check(const struct seen *ours, const struct seen *theirs)
{
	for (int i = 0; i < 3 * SEEN; i++) {
		bool dead = ours[i].dead || theirs[i].dead;
		bool there = ours[i].there || theirs[i].there;
		const struct seen *x = ours[i].there ? &ours[i] : &theirs[i];
		size_t times, many;
		struct str on, none;

		seen_find(i, &times, &on);
		CHECK_INT(times, there && !dead ? 1 : 0);
		if (times == 0 || on.n == 0 || ours[x->on].dead || theirs[x->on].dead)
			continue;
		CHECK(str_eq(seen_find(x->on, &many, &none), on));
	}
}

TEST(work_merge_is_the_same_for_both_sides)
{
	uint32_t seed = 3;

	for (int round = 0; round < 100; round++) {
		struct seen all[3][3 * SEEN] = { 0 };
		struct buf file[3], first;

		for (int i = 0; i < SEEN; i++)
			all[0][i] = (struct seen){ .there = true, .id = i,
				.on = i > 0 ? (int)draw(&seed, (uint32_t)i) : -1 };
		if (round % 2 == 0)
			seen_change(all[0], &seed, 0);
		for (int s = 1; s < 3; s++) {
			memcpy(all[s], all[0], sizeof all[0]);
			seen_change(all[s], &seed, s - 1);
		}
		for (int s = 0; s < 3; s++) {
			file[s] = BUF(1 * MB);
			for (int i = 0; i < 3 * SEEN; i++)
				seen_add(&file[s], all[s], i);
		}
		CHECK_RC(merge(buf_str(&file[0]), buf_str(&file[1]),
		    buf_str(&file[2])), OK);
		seen_check(all[1], all[2]);
		first = out;
		out = BUF(1 * MB);
		CHECK_RC(merge(buf_str(&file[0]), buf_str(&file[2]),
		    buf_str(&file[1])), OK);
		CHECK_STR(buf_str(&out), first.p);
		CHECK_RC(merge(buf_str(&file[0]), buf_str(&first),
		    buf_str(&file[2])), OK);
		CHECK_STR(buf_str(&out), first.p);
		buf_release(&first);
		for (int s = 0; s < 3; s++)
			buf_release(&file[s]);
	}
	buf_release(&out);
	buf_release(&notes);
}

/* ---- one case each -------------------------------------------------------------- */

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
