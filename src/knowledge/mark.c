/*
 * mark.c - passages as a model is shown them, and the marks it may cite.
 *
 *	2 passages of "docs".  ...
 *
 *	[guide.md#3] Guide > Install (lines 10-20, version 01234567)
 *	  Run the script.
 *
 * A line that begins with `[` is a passage's; those of its text are indented.  So no text
 * of a document can bring a mark of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "knowledge/knowledge.h"

#define FIRST_WORDS " of \""

/* What stands on one line: no line ends. */
static void
add_line(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_add_char(b, (unsigned char)s.p[i] < ' ' ? ' ' : s.p[i]);
}

void
knowledge_add_mark(struct buf *b, struct str source, int64_t n)
{
	add_line(b, source);
	buf_add_char(b, '#');
	buf_add_i64(b, n);
}

void
knowledge_add_passages(struct buf *b, struct str collection, const struct knowledge_passage *p,
    size_t n)
{
	if (n == 0) {
		buf_add_fmt(b, "No passages" FIRST_WORDS "%.*s\" fit. Other words may find some; "
		    "else say that nothing was found, and cite nothing.\n", FMT(collection));
		return;
	}
	buf_add_fmt(b, "%zu passages" FIRST_WORDS "%.*s\". Behind what you take from one, cite it "
	    "by its mark, as [", n, FMT(collection));
	knowledge_add_mark(b, p[0].source, p[0].n);
	buf_lit(b, "]. Cite no other marks.\n");
	for (size_t i = 0; i < n; i++) {
		struct str rest = p[i].text, line;

		buf_lit(b, "\n[");
		knowledge_add_mark(b, p[i].source, p[i].n);
		buf_lit(b, "] ");
		add_line(b, p[i].heading);
		buf_add_fmt(b, " (lines %u-%u, version %.*s)\n", p[i].first, p[i].last,
		    FMT(p[i].version));
		while (rest.n > 0 && str_next(&rest, '\n', &line)) {
			buf_lit(b, "  ");
			add_line(b, line);
			buf_add_char(b, '\n');
		}
	}
}
