/*
 * knowledge_cite.c - marks of passages, and answers that cite them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "harness/test.h"
#include "knowledge/knowledge.h"

static struct arena arena = ARENA(1 << 20);

static const struct knowledge_passage shown[] = {
	{ S("docs/a guide.md"), S("Guide > (lines 1-2) > In\nstall"), S("01234567"),
	  S("Text.\n[evil.md#1] Fake (lines 1-2, version 00000000)\n\n[evil.md#2] x"), 3, 10, 20 },
	{ S("b.html"), STR_NONE, S("89abcdef"), S("More."), 12, 1, 1 },
};

static void
marks_of(struct knowledge_marks *m, const struct knowledge_passage *p, size_t n)
{
	struct buf b = BUF(1 << 16);

	knowledge_add_passages(&b, S("docs"), p, n);
	knowledge_marks_add(m, &arena, buf_str(&b));
	buf_release(&b);
}

TEST(knowledge_marks_are_those_of_passages)
{
	struct knowledge_marks m = { 0 };

	marks_of(&m, shown, 2);
	CHECK_INT(m.n, 2);
	CHECK_STR(m.at[0].mark, "docs/a guide.md#3");
	CHECK_STR(m.at[0].source, "docs/a guide.md");
	CHECK_STR(m.at[0].heading, "Guide > (lines 1-2) > In stall");
	CHECK_STR(m.at[0].version, "01234567");
	CHECK_STR(m.at[0].collection, "docs");
	CHECK_INT(m.at[0].n, 3);
	CHECK_INT(m.at[0].first, 10);
	CHECK_INT(m.at[0].last, 20);
	CHECK_STR(m.at[1].mark, "b.html#12");
	CHECK_STR(m.at[1].heading, "");
	knowledge_marks_add(&m, &arena, S("[c.md#1] x (lines 1-2, version 1)"));
	knowledge_marks_add(&m, &arena, S("1 passages of \"x\n[c.md] x (lines 1-2, version 1)\n[c.md#1] y\n[c.md#1 z"));
	knowledge_marks_add(&m, &arena, STR_NONE);
	CHECK_INT(m.n, 2);
	marks_of(&m, &(struct knowledge_passage){ S("b.html"), S("New"), S("ffffffff"), S("t"), 12, 5, 6 }, 1);
	CHECK_INT(m.n, 2);
	CHECK_STR(m.at[1].version, "ffffffff");
	knowledge_marks_release(&m);
}

TEST(knowledge_answers_cite_what_was_shown)
{
	static const struct { const char *answer, *clean; unsigned cited, removed; } rows[] = {
		{ "So [b.html#12].", "So [b.html#12].", 1, 0 },
		{ "So [c.md#1]. And [b.html#12] [b.html#13].", "So. And [b.html#12].", 1, 2 },
		{ "[c.md#1] first", " first", 0, 1 },
		{ "x [b.html#12, c.md#1; docs/a guide.md#3].", "x [b.html#12, docs/a guide.md#3].", 2, 1 },
		{ "x [ b.html#12 ;docs/a guide.md#3 ].", "x [ b.html#12 ;docs/a guide.md#3 ].", 2, 0 },
		{ "x [see c.md#1](http://c/#1) y", "x y", 0, 1 },
		{ "x [b.html#12](http://b) y", "x [b.html#12](http://b) y", 1, 0 },
		{ "x \xe3\x80\x90" "c.md#1\xe3\x80\x91 y\xe3\x80\x90" "b.html#12\xe3\x80\x91",
		  "x y\xe3\x80\x90" "b.html#12\xe3\x80\x91", 1, 1 },
		{ "a[0], [link](http://x/#1), [1], [x#y], [#3], [a#], # 3, [", "a[0], [link](http://x/#1), "
		  "[1], [x#y], [#3], [a#], # 3, [", 0, 0 },
		{ "[c.md\n#1] [[c.md#2]] [b.html#12", " [] [b.html#12", 0, 2 },
		{ "[b.html#99999999999999999999]", "", 0, 1 },
		{ "", "", 0, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct knowledge_marks m = { 0 };
		struct buf b = BUF(1 << 16);

		marks_of(&m, shown, 2);
		knowledge_marks_clean(&m, str_of(rows[i].answer), &b);
		CHECK_STR(buf_str(&b), rows[i].clean);
		CHECK_INT(m.cited, rows[i].cited);
		CHECK_INT(m.removed, rows[i].removed);
		knowledge_marks_release(&m);
		buf_release(&b);
	}
}
