/*
 * cite.c - which marks an answer may have, and an answer without others.
 *
 * SPDX-License-Identifier: MIT
 */
#include "knowledge/knowledge.h"

#include "base/mem.h"

#define GROUP_BYTES 2048                     /* a pair of brackets with marks is not longer */
#define LINK_BYTES  2048                     /* nor the address behind it */

/* ---- what was shown ------------------------------------------------------------------ */

/* NAME#N, with digits alone behind the last #. */
static bool
split_mark(struct str s, struct str *name, struct str *digits)
{
	size_t i = s.n;

	while (i > 0 && s.p[i - 1] >= '0' && s.p[i - 1] <= '9')
		i--;
	if (i == s.n || i < 2 || s.p[i - 1] != '#')
		return false;
	*name = str_sub(s, 0, i - 1);
	*digits = str_sub(s, i, s.n);
	return true;
}

static bool
is_mark(struct str s)
{
	struct str name, digits;

	return split_mark(s, &name, &digits);
}

static struct knowledge_mark *
find(const struct knowledge_marks *m, struct str mark)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->at[i].mark, mark))
			return &m->at[i];
	return NULL;
}

/* The number behind `before`, which *s begins with. */
static bool
read_number(struct str *s, struct str before, unsigned *out)
{
	struct str digits;
	uint64_t n;
	size_t k = 0;

	if (!str_starts(*s, before))
		return false;
	digits = str_sub(*s, before.n, s->n);
	while (k < digits.n && digits.p[k] >= '0' && digits.p[k] <= '9')
		k++;
	if (!str_to_u64(str_sub(digits, 0, k), &n) || n > UINT32_MAX)
		return false;
	*out = (unsigned)n;
	*s = str_sub(digits, k, digits.n);
	return true;
}

/* " HEADING (lines 10-20, version 01234567)" */
static bool
read_place(struct str s, struct knowledge_mark *m)
{
	static const struct str lines = { " (lines ", 8 };
	size_t at = s.n;

	while (at > 0 && !str_starts(str_sub(s, at - 1, s.n), lines))
		at--;
	if (at == 0 || !str_ends(s, S(")")))
		return false;
	m->heading = str_trim(str_sub(s, 0, at - 1));
	s = str_sub(s, at - 1, s.n - at);
	if (!read_number(&s, lines, &m->first) || !read_number(&s, S("-"), &m->last) ||
	    !str_starts(s, S(", version ")))
		return false;
	m->version = str_sub(s, 10, s.n);
	return true;
}

static void
take_line(struct knowledge_marks *m, struct arena *a, struct str line, struct str collection)
{
	ptrdiff_t end = str_index(line, ']');
	struct knowledge_mark one = { 0 }, *old;
	struct str digits;

	if (line.n == 0 || line.p[0] != '[' || end < 0)
		return;
	one.mark = str_sub(line, 1, (size_t)end - 1);
	if (!split_mark(one.mark, &one.source, &digits) || !str_to_i64(digits, &one.n) ||
	    !read_place(str_sub(line, (size_t)end + 1, line.n), &one))
		return;
	one.mark = arena_str(a, one.mark);
	one.source = arena_str(a, one.source);
	one.heading = arena_str(a, one.heading);
	one.version = arena_str(a, one.version);
	one.collection = arena_str(a, collection);
	old = find(m, one.mark);
	if (old != NULL) {
		*old = one;
		return;
	}
	mem_grow(m->at, m->n, m->cap);
	m->at[m->n++] = one;
}

void
knowledge_marks_add(struct knowledge_marks *m, struct arena *a, struct str passages)
{
	struct str rest = passages, line, collection = STR_NONE;
	ptrdiff_t quote;

	if (!str_next(&rest, '\n', &line))
		return;
	quote = str_index(line, '"');
	if (quote >= 0) {
		collection = str_sub(line, (size_t)quote + 1, line.n);
		quote = str_index(collection, '"');
		collection = str_sub(collection, 0, quote < 0 ? 0 : (size_t)quote);
	}
	while (str_next(&rest, '\n', &line))
		take_line(m, a, line, collection);
}

void
knowledge_marks_release(struct knowledge_marks *m)
{
	free(m->at);
	*m = (struct knowledge_marks){ 0 };
}

/* ---- an answer ------------------------------------------------------------------------- */

static const struct { const char *open, *close; } brackets[] = {
	{ "[", "]" }, { "\xe3\x80\x90", "\xe3\x80\x91" },
};

struct group {
	struct str open, close, inside;
	size_t marks, known;
};

static void
cite(struct knowledge_marks *m, struct knowledge_mark *k)
{
	if (k->cited == 0)
		k->cited = ++m->cited;
}

/* The next part of what stands in brackets. */
static bool
next_part(struct str *rest, struct str *part)
{
	size_t n = 0;

	if (rest->p == NULL)
		return false;
	while (n < rest->n && rest->p[n] != ',' && rest->p[n] != ';')
		n++;
	*part = str_trim(str_sub(*rest, 0, n));
	*rest = n < rest->n ? str_sub(*rest, n + 1, rest->n) : STR_NONE;
	return true;
}

/* Does s begin with brackets that have a mark in them? */
static bool
read_group(const struct knowledge_marks *m, struct str s, struct group *g)
{
	struct str rest, part;
	size_t end = 0, i = 0;

	while (i < COUNT(brackets) && !str_starts(s, str_of(brackets[i].open)))
		i++;
	if (i == COUNT(brackets))
		return false;
	*g = (struct group){ .open = str_of(brackets[i].open), .close = str_of(brackets[i].close) };
	rest = str_sub(s, g->open.n, GROUP_BYTES);
	while (end < rest.n && !str_starts(str_sub(rest, end, rest.n), g->close) &&
	    !str_starts(str_sub(rest, end, rest.n), g->open))
		end++;
	if (!str_starts(str_sub(rest, end, rest.n), g->close))
		return false;
	g->inside = rest = str_sub(rest, 0, end);
	while (next_part(&rest, &part))
		if (is_mark(part)) {
			g->marks++;
			g->known += find(m, part) != NULL;
		}
	return g->marks > 0;
}

/* Those that are known; all of it if all are. */
static void
add_group(struct knowledge_marks *m, const struct group *g, struct buf *out)
{
	struct str rest = g->inside, part;
	bool first = true;

	while (next_part(&rest, &part)) {
		struct knowledge_mark *k = is_mark(part) ? find(m, part) : NULL;

		if (k == NULL)
			continue;
		cite(m, k);
		if (g->known < g->marks)
			buf_add(out, first ? g->open : S(", "));
		if (g->known < g->marks)
			buf_add(out, part);
		first = false;
	}
	if (g->known == g->marks) {
		buf_add(out, g->open);
		buf_add(out, g->inside);
	}
	buf_add(out, g->close);
	m->removed += (unsigned)(g->marks - g->known);
}

/* Bytes of "(ADDRESS)", which makes brackets a link. */
static size_t
link_bytes(struct str s)
{
	ptrdiff_t end;

	if (s.n == 0 || s.p[0] != '(')
		return 0;
	end = str_index(str_sub(s, 0, LINK_BYTES), ')');
	return end < 0 ? 0 : (size_t)end + 1;
}

void
knowledge_marks_clean(struct knowledge_marks *m, struct str answer, struct buf *out)
{
	size_t i = 0;
	struct group g;

	while (i < answer.n) {
		struct str s = str_sub(answer, i, answer.n);

		if ((s.p[0] != '[' && (uint8_t)s.p[0] != 0xe3) || !read_group(m, s, &g)) {
			buf_add_char(out, s.p[0]);
			i++;
			continue;
		}
		i += g.open.n + g.inside.n + g.close.n;
		if (g.known > 0) {
			add_group(m, &g, out);
			continue;
		}
		m->removed += (unsigned)g.marks;
		i += link_bytes(str_sub(answer, i, answer.n));
		while (out->n > 0 && out->p[out->n - 1] == ' ')
			buf_cut(out, out->n - 1);
	}
}
