/*
 * words.c - see words.h.
 *
 * Which words the two have in common: the longest common subsequence.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/words.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

struct word { struct str text; bool ends_line, alone; };
struct side { struct word *at; size_t n, cap; };

/* ---- words ---------------------------------------------------------------------- */

static void
add_word(struct side *s, struct str text)
{
	mem_grow(s->at, s->n, s->cap);
	s->at[s->n++] = (struct word){ .text = text };
}

static void
split(struct side *s, struct str text)
{
	struct str rest = text, line, word;

	while (str_next(&rest, '\n', &line)) {
		while (str_next(&line, ' ', &word))
			if (word.n > 0)
				add_word(s, word);
		if (s->n > 0)
			s->at[s->n - 1].ends_line = true;
	}
}

/* len[i][k]: of what lefts from i and rights from k on have in common. */
static void
mark(struct side *a, struct side *b)
{
	size_t width = b->n + 1, i, k;
	uint16_t *len;

	if (a->n > LIMIT_DIFF_WORDS || b->n > LIMIT_DIFF_WORDS)
		return;
	len = mem_zero((a->n + 1) * width * sizeof *len);
	for (i = a->n; i > 0; i--)
		for (k = b->n; k > 0; k--) {
			uint16_t *at = &len[(i - 1) * width + k - 1];
			uint16_t down = at[width], right = at[1];

			*at = str_eq(a->at[i - 1].text, b->at[k - 1].text) ?
			    (uint16_t)(at[width + 1] + 1) : down > right ? down : right;
		}
	for (i = k = 0; i < a->n || k < b->n; ) {
		if (i < a->n && k < b->n && str_eq(a->at[i].text, b->at[k].text)) {
			i++;
			k++;
		} else if (k == b->n || (i < a->n &&
		    len[(i + 1) * width + k] >= len[i * width + k + 1])) {
			a->at[i++].alone = true;
		} else {
			b->at[k++].alone = true;
		}
	}
	free(len);
}

/* ---- lines ------------------------------------------------------------------------- */

struct marks { const char *begin, *end; size_t width; };     /* width: characters shown */

/* One line of a side; returns how wide it is.  A word that is wider than the line has
 * one of its own. */
static size_t
add_line(struct buf *b, const struct side *s, size_t *at, size_t width, struct marks m)
{
	size_t used = 0;
	bool ends = false;

	while (*at < s->n && !ends) {
		const struct word *w = &s->at[*at];
		size_t n = str_characters(w->text) + (w->alone ? m.width : 0);

		if (used > 0 && used + 1 + n > width)
			break;
		if (used > 0)
			buf_add_char(b, ' ');
		used += n + (used > 0);
		if (w->alone)
			buf_add(b, str_of(m.begin));
		buf_add(b, w->text);
		if (w->alone)
			buf_add(b, str_of(m.end));
		ends = w->ends_line;
		++*at;
	}
	return used;
}

void
words_add_beside(struct buf *b, struct str left, struct str right, size_t width,
    bool colours)
{
	const struct marks gone = colours ? (struct marks){ "\033[31m", "\033[0m", 0 } :
	    (struct marks){ "[-", "-]", 4 };
	const struct marks come = colours ? (struct marks){ "\033[32m", "\033[0m", 0 } :
	    (struct marks){ "{+", "+}", 4 };
	struct side a = { 0 }, c = { 0 };
	size_t i = 0, k = 0;

	split(&a, left);
	split(&c, right);
	mark(&a, &c);
	while (i < a.n || k < c.n) {
		size_t used = add_line(b, &a, &i, width, gone);

		for (; used < width; used++)
			buf_add_char(b, ' ');
		buf_lit(b, " | ");
		(void)add_line(b, &c, &k, width, come);
		buf_add_char(b, '\n');
	}
	free(a.at);
	free(c.at);
}
