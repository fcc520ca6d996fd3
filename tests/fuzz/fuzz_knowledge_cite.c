/*
 * fuzz_knowledge_cite.c - passages with any text, then an answer of any text: what is left
 * cites nothing else, and is not longer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>

#include "knowledge/knowledge.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str all = { (const char *)data, n }, rest = all, heading, text;
	struct knowledge_passage p = { .source = S("a.md"), .version = S("01234567"), .n = 1,
	    .first = 1, .last = 2 };
	struct knowledge_marks m = { 0 };
	struct arena a = ARENA(64 * MB);
	struct buf b = BUF(64 * MB), clean = BUF(64 * MB);
	unsigned removed;

	if (!str_next(&rest, '\0', &heading) || !str_next(&rest, '\0', &text))
		text = heading = STR_NONE;
	p.heading = heading;
	p.text = text;
	knowledge_add_passages(&b, S("docs"), &p, 1);
	knowledge_marks_add(&m, &a, buf_str(&b));
	assert(m.n == 1 && str_eq(m.at[0].mark, S("a.md#1")) && m.at[0].last == 2);
	knowledge_marks_clean(&m, all, &clean);
	removed = m.removed;
	assert(clean.n <= n + removed);
	knowledge_marks_add(&m, &a, all);
	knowledge_marks_release(&m);
	buf_release(&b);
	buf_release(&clean);
	arena_release(&a);
	return 0;
}
