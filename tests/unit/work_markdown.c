/*
 * work_markdown.c - items from a markdown file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "work/exchange/exchange.h"

static struct buf out;

static int
parse(const char *text, size_t *n, struct err *e)
{
	buf_release(&out);
	out = BUF(1 * MB);
	return markdown_parse(str_of(text), &out, n, e);
}

TEST(work_markdown_makes_creates)
{
	size_t n;
	struct err e;

	CHECK_RC(parse("# H1\nnot looked at\n\n## First  \n\nline one\n\nline two\n"
	    "```\n## no title\n```\n### Priority\nP1\n### Type\nBug\n### Labels\n"
	    "a, b\n- c\n### Deps\nblocks:t-1 t-2\n\n## Second\r\ntext\r\n"
	    "### Description\nreal\n### Acceptance Criteria\n- x\n- y\n\n"
	    "### Design\n\n", &n, &e), OK);
	CHECK(n == 2);
	CHECK_STR(buf_str(&out), "{\"operations\":[{\"operation\":\"create\",\"args\":"
	    "{\"title\":\"First\",\"description\":\"line one\\n\\nline two\\n```\\n## no "
	    "title\\n```\",\"priority\":1,\"issue_type\":\"bug\",\"labels\":[\"a\","
	    "\"b\",\"c\"],\"dependencies\":[\"blocks:t-1\",\"t-2\"]}},"
	    "{\"operation\":\"create\",\"args\":{\"title\":\"Second\",\"description\":"
	    "\"real\",\"acceptance_criteria\":\"- x\\n- y\"}}]}");
	buf_release(&out);
}

TEST(work_markdown_names_the_line)
{
	static const struct { const char *text, *error; } cases[] = {
		{ "text\n", "no items found: expected lines as \"## Title\"" },
		{ "## a\n\n### Priority\n9\n", "line 3: priority: expected 0 to 4" },
		{ "## a\n### Type\nstory\n",
		    "line 2: type: expected bug, feature, task, epic or chore" },
		{ "## a\n## b\n### Wishes\n", "line 3: expected Priority, Type, "
		    "Description, Design, Acceptance Criteria, Notes, Assignee, Labels "
		    "or Dependencies, got \"Wishes\"" },
		{ "## a\n\xff\n", "line 1: not UTF-8" },
	};
	size_t n;
	struct err e;

	for (size_t i = 0; i < COUNT(cases); i++) {
		CHECK(parse(cases[i].text, &n, &e) != OK);
		CHECK_STR(str_of(e.text), cases[i].error);
	}
	buf_release(&out);
}
