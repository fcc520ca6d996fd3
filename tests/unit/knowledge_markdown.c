/*
 * knowledge_markdown.c - Markdown in chunks: what users of other tools reported.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "harness/test.h"
#include "knowledge/knowledge.h"

static struct arena arena = ARENA(KNOWLEDGE_ARENA_BYTES);

static struct knowledge
markdown(struct str text, size_t target, size_t overlap)
{
	struct knowledge k;
	struct err e = { 0 };

	CHECK_RC(knowledge_read(KNOWLEDGE_MARKDOWN, text, (struct knowledge_size){ target, overlap },
	    &arena, &k, &e), OK);
	return k;
}

TEST(knowledge_markdown_path_of_headings)
{
	struct knowledge k = markdown(S("# Guide\n\nAbout *all* of it, and `code`.\n\n## Install\n\n"
	    "Run [the script](http://x/y)\nand wait.\n\n### Debian\n\n- one\n- two\n  - deep\n\n3. three\n4. four\n"
	    "\n## Use\n\nNow.\n"), 200, 0);

	CHECK_STR(k.title, "Guide");
	CHECK(k.n == 3);
	CHECK_STR(k.at[0].heading, "Guide");
	CHECK_STR(k.at[0].text, "About all of it, and `code`.\n\nInstall\n\nRun the script\nand wait.");
	CHECK_STR(k.at[1].heading, "Guide > Install > Debian");
	CHECK_STR(k.at[1].text, "- one\n- two\n  - deep\n\n3. three\n4. four");
	CHECK_INT(k.at[1].first, 10);
	CHECK_INT(k.at[1].last, 17);
	CHECK_STR(k.at[2].heading, "Guide > Use");
	CHECK_INT(k.at[2].first, 19);
	CHECK_INT(k.at[2].last, 21);
}

/* Haystack #11011, LangChain #10262 and #13511, Agno #10470: a # in a fence is no heading. */
TEST(knowledge_markdown_comment_in_a_fence_is_no_heading)
{
	struct knowledge k = markdown(S("# Example\n\n~~~py\n# A comment\nprint(1)\n\n# Another\n~~~\n\n# Next\n\nText.\n"),
	    400, 0);

	CHECK(k.n == 2);
	CHECK_STR(k.at[0].text, "```py\n# A comment\nprint(1)\n\n# Another\n```");
	CHECK_STR(k.at[0].heading, "Example");
	CHECK_STR(k.at[1].heading, "Next");
	CHECK_INT(k.at[0].first, 1);
	CHECK_INT(k.at[0].last, 7);
	CHECK_INT(k.at[1].first, 10);
	CHECK_INT(k.at[1].last, 12);
}

/* docs-mcp-server #418, uteke #405: code is whole where it fits; else each piece is a whole
 * fence. */
TEST(knowledge_markdown_code_keeps_its_fence)
{
	struct buf text = BUF(1 << 20);
	struct knowledge k;

	buf_lit(&text, "Some words before it, and more of them.\n\n- an item\n\n  ```c\n");
	for (int i = 0; i < 25; i++)
		buf_add_fmt(&text, "  line(%02d);\n", i);
	buf_lit(&text, "  ```\n\nAfter.\n");
	k = markdown(buf_str(&text), 200, 40);
	CHECK(k.n == 3);
	CHECK(str_starts(k.at[1].text, S("```c\nline(00);\n")));
	CHECK(str_ends(k.at[1].text, S("\nline(24);\n```")));
	CHECK_INT(k.at[1].first, 6);
	CHECK_INT(k.at[1].last, 30);
	buf_clear(&text);
	buf_lit(&text, "# Code\n\n```c\n");
	for (int i = 0; i < 100; i++)
		buf_add_fmt(&text, "line(%02d);\n", i);
	buf_lit(&text, "```\n");
	k = markdown(buf_str(&text), 200, 40);
	CHECK(k.n > 5 && k.n < 12);
	for (size_t i = 0; i < k.n; i++) {
		CHECK(k.at[i].text.n <= 200);
		CHECK(str_starts(k.at[i].text, S("```c\nline(")));
		CHECK(str_ends(k.at[i].text, S(");\n```")));
		CHECK(i == 0 || k.at[i].first == k.at[i - 1].last + 1);
		CHECK_STR(k.at[i].heading, "Code");
	}
	CHECK_INT(k.at[k.n - 1].last, 103);
	buf_release(&text);
}

/* Unstructured #3504: a table is cut between rows, and each piece has its first row. */
TEST(knowledge_markdown_table_keeps_its_first_row)
{
	struct buf text = BUF(1 << 20);
	struct knowledge k;

	buf_lit(&text, "# Prices\n\n| name | price |\n|------|-------|\n");
	for (int i = 0; i < 60; i++)
		buf_add_fmt(&text, "| thing %02d | %d |\n", i, i * 3);
	k = markdown(buf_str(&text), 300, 40);
	CHECK(k.n > 3);
	for (size_t i = 0; i < k.n; i++) {
		CHECK(str_starts(k.at[i].text, S("| name | price |\n|------|-------|\n| thing ")));
		CHECK(str_ends(k.at[i].text, S(" |")));
	}
	CHECK_INT(k.at[0].first, 1);
	CHECK_INT(k.at[k.n - 1].last, 64);
	buf_release(&text);
}

/* Haystack #11920 and LangChain #32213: no content is lost, whatever stands around it. */
TEST(knowledge_markdown_nothing_is_lost)
{
	struct knowledge k = markdown(S("Before any heading.\n\n# Only a heading\n\n## And one below\n\n"
	    "# Empty\n\n# Last\n\n<details><summary>More</summary>\n\nHidden *text*.\n\n</details>\n\n"
	    "<p align=\"center\">In <b>HTML</b></p>\n\n> quoted\n\n![a picture](x.png)\n\nline  \nbreak<br>here\n"), 400, 0);
	static const char *const parts[] = { "Before any heading.", "And one below", "Empty", "More",
		"Hidden text.", "In HTML", "quoted", "a picture", "line\nbreak here" };
	struct buf all = BUF(1 << 16);

	for (size_t i = 0; i < k.n; i++) {
		buf_add(&all, k.at[i].text);
		buf_lit(&all, "\n\n");
	}
	for (size_t i = 0; i < COUNT(parts); i++)
		if (!str_contains(buf_str(&all), str_of(parts[i])))
			test_fail(__FILE__, __LINE__, "no %s in\n%s", parts[i], all.p);
	CHECK_STR(k.at[0].heading, "");
	CHECK_STR(k.at[1].heading, "Only a heading > And one below");
	CHECK_STR(k.at[2].text, "Empty");
	CHECK_STR(k.at[k.n - 1].heading, "Last");
	buf_release(&all);
}

TEST(knowledge_markdown_front_matter)
{
	struct knowledge k = markdown(S("---\ntags: [a]\ntitle: \"The: guide\"\n---\n# Other\n\nText.\n"), 400, 0);

	CHECK(k.n == 1);
	CHECK_STR(k.title, "The: guide");
	CHECK_STR(k.at[0].text, "Text.");
	CHECK_INT(k.at[0].first, 5);
	CHECK_INT(k.at[0].last, 7);
	k = markdown(S("+++\ntitle = 'toml'\n+++\nText.\n"), 400, 0);
	CHECK_STR(k.title, "toml");
	k = markdown(S("---\nno end\n\n# T\n\nText.\n"), 400, 0);
	CHECK_STR(k.title, "T");
	CHECK(k.n == 2);
}

/* Flowise #5173: overlap that is asked for is there, in a section; none across sections. */
TEST(knowledge_markdown_overlap)
{
	struct buf text = BUF(1 << 20);
	struct knowledge k;

	for (int s = 0; s < 2; s++) {
		buf_add_fmt(&text, "# S%d\n\n", s);
		for (int i = 0; i < 12; i++)
			buf_add_fmt(&text, "Paragraph %d of section %d with some words to fill it, and an end%d.\n\n",
			    i, s, i);
	}
	k = markdown(buf_str(&text), 300, 50);
	CHECK(k.n > 6);
	for (size_t i = 1; i < k.n; i++) {
		struct str end = str_sub(k.at[i - 1].text, k.at[i - 1].text.n - 20, 20);

		CHECK(str_eq(k.at[i].heading, k.at[i - 1].heading) == str_contains(
		    str_sub(k.at[i].text, 0, 60), end));
	}
	buf_release(&text);
}

TEST(knowledge_markdown_is_never_deep)
{
	struct buf text = BUF(1 << 22);

	for (int i = 0; i < 20000; i++)
		buf_lit(&text, "> ");
	buf_lit(&text, "deep\n\n");
	for (int i = 0; i < 20000; i++)
		buf_lit(&text, "[");
	for (int i = 0; i < 5000; i++)
		buf_lit(&text, "- ");
	buf_lit(&text, "x\n");
	CHECK(markdown(buf_str(&text), 1200, 100).n > 0);
	buf_release(&text);
}

/* To count from the first for each item took the square of them: minutes. */
TEST(knowledge_markdown_long_list)
{
	struct buf text = BUF(1 << 20);
	struct knowledge k;

	for (int i = 0; i < 100000; i++)
		buf_lit(&text, "7. a\n");
	k = markdown(buf_str(&text), 1200, 100);
	CHECK(k.n > 0 && str_ends(k.at[k.n - 1].text, S("\n100006. a")));
	buf_release(&text);
}

TEST(knowledge_markdown_same_bytes_same_chunks)
{
	struct str text = S("# A\n\nText one.\n\n## B\n\n- x\n- y\n\n```\ncode\n```\n\n| a |\n|---|\n| b |\n");
	struct knowledge a = markdown(text, 200, 20), b = markdown(text, 200, 20);

	CHECK(a.n == b.n && a.n > 0);
	for (size_t i = 0; i < a.n; i++)
		CHECK(str_eq(a.at[i].text, b.at[i].text) && str_eq(a.at[i].heading, b.at[i].heading));
}
