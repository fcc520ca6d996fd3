/*
 * knowledge_reports.c - reports of users of other programs, tried on ours (docs/reports.md).
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "harness/test.h"
#include "knowledge/knowledge.h"

static struct arena arena = ARENA(KNOWLEDGE_ARENA_BYTES);

static struct knowledge
read(enum knowledge_kind kind, struct str text, size_t target, size_t overlap)
{
	struct knowledge k;
	struct err e = { 0 };

	CHECK_RC(knowledge_read(kind, text, (struct knowledge_size){ target, overlap }, &arena,
	    &k, &e), OK);
	return k;
}

static size_t
times(struct str s, struct str part)
{
	size_t n = 0;

	for (size_t i = 0; i + part.n <= s.n; i++)
		n += str_eq(str_sub(s, i, part.n), part);
	return n;
}

/* LangChain #29184, #40409: headings inside elements of HTML5, and the one above stays. */
TEST(knowledge_reports_headings_of_html)
{
	struct knowledge k = read(KNOWLEDGE_HTML, S("<main><article><section><h1>Chapter 1</h1><p>Intro of a chapter that has some fifty characters or more</p>"
	    "</section><section><h2>Section 1.1</h2><p>Text</p></section></article></main>"), 200, 0);

	CHECK(k.n == 2);
	CHECK_STR(k.at[0].heading, "Chapter 1");
	CHECK_STR(k.at[1].heading, "Chapter 1 > Section 1.1");
	CHECK_STR(k.at[1].text, "Text");
}

/* LangChain #31596: a heading ends the lower ones before it. */
TEST(knowledge_reports_lower_headings_end)
{
	struct buf b = BUF(4096);
	struct knowledge k;

	buf_lit(&b, "# Title\n\n### Sub\n\n");
	for (int i = 0; i < 20; i++)
		buf_lit(&b, "words of it ");
	buf_lit(&b, "\n\n## Section\n\nOther words.\n");
	k = read(KNOWLEDGE_MARKDOWN, buf_str(&b), 300, 0);
	CHECK_STR(k.at[0].heading, "Title > Sub");
	CHECK_STR(k.at[k.n - 1].heading, "Title > Section");
	buf_release(&b);
}

/* LangChain #38142: a page without a title has none, and no word of ours in its place. */
TEST(knowledge_reports_no_title)
{
	struct knowledge k = read(KNOWLEDGE_HTML, S("<p>Only text.</p>"), 400, 0);

	CHECK(k.n == 1 && k.title.n == 0 && k.at[0].heading.n == 0);
	CHECK_STR(k.at[0].text, "Only text.");
}

/* LangChain #38404: text around inline elements keeps its order and its blanks. */
TEST(knowledge_reports_inline_order)
{
	struct knowledge k = read(KNOWLEDGE_HTML, S("<p>Before <strong>bold</strong> between <a href=x>link</a>, "
	    "<em>a</em><em>b</em> after.</p>"), 400, 0);

	CHECK_STR(k.at[0].text, "Before bold between link, ab after.");
}

/* LangExtract #308, xberg #1100, Unstructured #4313: rows beyond the first passage have the
 * heading rows above them, once. */
TEST(knowledge_reports_heading_row_repeated)
{
	struct buf b = BUF(1 << 16);
	struct knowledge k;

	buf_lit(&b, "<h1>Prices</h1><table><thead><tr><th>name<th>price<tr><th><th>EUR</thead><tbody>");
	for (int i = 0; i < 40; i++)
		buf_add_fmt(&b, "<tr><td>thing %02d<td>%d", i, i * 3);
	buf_lit(&b, "</table><p>After it.</p>");
	for (size_t overlap = 0; overlap <= 60; overlap += 60) {
		k = read(KNOWLEDGE_HTML, buf_str(&b), 300, overlap);
		CHECK(k.n > 2);
		for (size_t i = 0; i < k.n; i++) {
			CHECK(str_starts(k.at[i].text, S("name | price\nEUR\nthing ")));
			CHECK_INT(times(k.at[i].text, S("name | price")), 1);
			CHECK(k.at[i].text.n <= 300);
		}
		for (int i = 0; i < 40; i++) {
			char row[32];
			size_t n = 0;

			snprintf(row, sizeof row, "thing %02d", i);
			for (size_t c = 0; c < k.n; c++)
				n += times(k.at[c].text, str_of(row));
			CHECK_INT(n, 1);
		}
	}
	buf_release(&b);
}

/* The first row of a table that only arranges a page is no heading; one that is too long to
 * be repeated is not; and a table inside a table leaves the outer's. */
TEST(knowledge_reports_rows_that_are_not_repeated)
{
	static const char *const heads[] = { "<tr><td>name<td>price", "<tr><th>row<td>cell" };
	struct buf b = BUF(1 << 16);
	struct knowledge k;

	for (size_t h = 0; h <= COUNT(heads); h++) {
		buf_clear(&b);
		buf_lit(&b, "<table>");
		if (h < COUNT(heads))
			buf_add(&b, str_of(heads[h]));
		else
			for (int i = 0; i < 60; i++)
				buf_lit(&b, "<th>heading");
		for (int i = 0; i < 60; i++)
			buf_add_fmt(&b, "<tr><td>thing %02d<td>%d", i, i);
		buf_lit(&b, "</table>");
		k = read(KNOWLEDGE_HTML, buf_str(&b), 300, 0);
		CHECK(k.n > 2);
		CHECK(str_starts(k.at[k.n - 1].text, S("thing ")));
	}
	buf_clear(&b);
	buf_lit(&b, "<table><tr><th>outer");
	for (int i = 0; i < 30; i++)
		buf_add_fmt(&b, "<tr><td><table><tr><th>inner<tr><td>of %02d</table>", i);
	buf_lit(&b, "</table>");
	k = read(KNOWLEDGE_HTML, buf_str(&b), 200, 0);
	CHECK(k.n > 1);
	for (size_t i = 0; i < k.n; i++)
		CHECK(str_starts(k.at[i].text, S("outer\n")) || str_starts(k.at[i].text, S("inner\n")));
	buf_release(&b);
}

/* RAGFlow #8044: a heading and its table are one passage. */
TEST(knowledge_reports_heading_with_its_table)
{
	struct knowledge k = read(KNOWLEDGE_MARKDOWN, S("# All\n\n## label1\n\n| problem | reason |\n| --- | :-: |\n"
	    "| problem1 | reason1 |\n| problem2 | reason2 |\n\n## label2\n\n| problem | reason |\n| ---- | :--: |\n"
	    "| problem21 | reason21 |\n| problem22 | reason22 |\n"), 200, 0);

	CHECK(k.n == 2);
	CHECK_STR(k.at[0].heading, "All > label1");
	CHECK(str_contains(k.at[0].text, S("problem2 |")) && !str_contains(k.at[0].text, S("problem21")));
	CHECK_STR(k.at[1].heading, "All > label2");
	CHECK(str_contains(k.at[1].text, S("problem22")));
}

/* RAGFlow #12686: a table of HTML in Markdown is there once. */
TEST(knowledge_reports_table_once)
{
	struct knowledge k = read(KNOWLEDGE_MARKDOWN, S("Before.\n\n<table><tr><th>a<th>b</tr><tr><td>one<td>two</tr></table>\n\nAfter.\n"), 400, 0);

	CHECK(k.n == 1);
	CHECK_STR(k.at[0].text, "Before.\n\na | b\none | two\n\nAfter.");
}

/* LlamaIndex #22123, Haystack #11011: a comment in fenced code is no heading. */
TEST(knowledge_reports_hash_in_code)
{
	static const char *const fences[] = { "```", "~~~", "````" };

	for (size_t i = 0; i < COUNT(fences); i++) {
		struct buf b = BUF(4096);
		struct knowledge k;

		buf_add_fmt(&b, "# Title\n\n%s\n# not a header\n%s\n\nbody\n", fences[i], fences[i]);
		k = read(KNOWLEDGE_MARKDOWN, buf_str(&b), 400, 0);
		CHECK(k.n == 1);
		CHECK_STR(k.at[0].heading, "Title");
		CHECK(str_contains(k.at[0].text, S("# not a header")) && str_contains(k.at[0].text, S("body")));
		buf_release(&b);
	}
}

/* graphbit #150, Unstructured #4392, LiteLLM #38980: text without blanks, characters of more
 * bytes than one, and the largest overlap, come to an end. */
TEST(knowledge_reports_always_ends)
{
	static const char *const parts[] = { "x", "\xf0\x9f\x8c\x9f", "\xe6\xb1\x89\xe5\xad\x97", "ab " };

	for (size_t i = 0; i < COUNT(parts); i++)
		for (size_t overlap = 0; overlap < 100; overlap += 45) {
			struct buf b = BUF(1 << 20);
			struct knowledge k;
			size_t bytes = 0;

			for (int n = 0; n < 3000; n++)
				buf_add(&b, str_of(parts[i]));
			k = read(KNOWLEDGE_TEXT, buf_str(&b), 200, overlap);
			for (size_t c = 0; c < k.n; c++) {
				CHECK(str_is_utf8(k.at[c].text) && k.at[c].text.n <= 200);
				bytes += k.at[c].text.n;
			}
			CHECK(k.n >= b.n / 200 && k.n < b.n / 40);
			CHECK(bytes + k.n + 1 >= b.n);
			buf_release(&b);
		}
}

/* veryfront #2054: without an overlap no passage has what another has. */
TEST(knowledge_reports_no_overlap)
{
	struct buf b = BUF(4096);
	struct knowledge k;

	for (int i = 0; i < 100; i++)
		buf_add_fmt(&b, "word%03d ", i);
	k = read(KNOWLEDGE_TEXT, buf_str(&b), 200, 0);
	for (int i = 0; i < 100; i++) {
		char word[16];
		size_t n = 0;

		snprintf(word, sizeof word, "word%03d", i);
		for (size_t c = 0; c < k.n; c++)
			n += times(k.at[c].text, str_of(word));
		CHECK_INT(n, 1);
	}
	buf_release(&b);
}
