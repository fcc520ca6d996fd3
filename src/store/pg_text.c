/*
 * pg_text.c - statements in SQLite's dialect into PostgreSQL's.
 *
 *   ?  ?N                        $N; ? is one more than the highest so far
 *   INDEXED BY x                 gone
 *   CROSS JOIN x y ON            JOIN x y ON (join_collapse_limit keeps the order)
 *   length(CAST(x AS BLOB))      octet_length(x)
 *   CAST(x AS BLOB)              convert_to(x, 'UTF8')
 *   AS INTEGER)                  AS bigint)
 *   max(x, y), min(x, y)         greatest, least
 *   x IS y                       x IS NOT DISTINCT FROM y
 *   LIMIT -1                     LIMIT ALL
 *   ifnull, instr                coalesce, strpos
 *
 * Keywords are matched as this project writes them, in capitals.  What is not in the list
 * stays as it is: the texts keep to what both know.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <string.h>

#include "store/pg_priv.h"

struct scan {
	const char *p, *end;
	struct buf *out;
	int *params;
};

static void translate(struct scan *s);

static bool
in_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static const char *
skip_blanks(const char *p, const char *end)
{
	while (p < end && isspace((unsigned char)*p))
		p++;
	return p;
}

static const char *
word_end(const char *p, const char *end)
{
	while (p < end && in_word(*p))
		p++;
	return p;
}

/* Does the word stand at p?  Then *next is behind it. */
static bool
is_word(const char *p, const char *end, const char *word, const char **next)
{
	size_t n = strlen(word);

	if ((size_t)(end - p) < n || memcmp(p, word, n) != 0 ||
	    (p + n < end && in_word(p[n])))
		return false;
	*next = skip_blanks(p + n, end);
	return true;
}

/* Behind the quote that ends the one at p. */
static const char *
skip_quoted(const char *p, const char *end)
{
	char quote = *p++;

	while (p < end && !(*p == quote && (p + 1 == end || p[1] != quote)))
		p += *p == quote ? 2 : 1;
	return p < end ? p + 1 : end;
}

/* The bracket that closes the one before p; NULL: none.  *commas: between the two, not in
 * inner brackets; *as: the last AS there. */
static const char *
closing(const char *p, const char *end, int *commas, const char **as)
{
	int depth = 0;
	const char *next;

	*commas = 0;
	*as = NULL;
	for (; p < end; p++) {
		if (*p == '\'' || *p == '"')
			p = skip_quoted(p, end) - 1;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && depth-- == 0)
			return p;
		else if (*p == ',' && depth == 0)
			++*commas;
		else if (depth == 0 && !in_word(p[-1]) && is_word(p, end, "AS", &next))
			*as = p;
	}
	return NULL;
}

static void
add(struct scan *s, const char *p, const char *end)
{
	buf_add(s->out, (struct str){ p, (size_t)(end - p) });
}

static void
translate_part(const struct scan *s, const char *p, const char *end)
{
	struct scan part = { p, end, s->out, s->params };

	translate(&part);
}

/* The N of ?N, or one more than the highest. */
static void
parameter(struct scan *s)
{
	int n = 0;

	s->p++;
	for (; s->p < s->end && isdigit((unsigned char)*s->p); s->p++)
		n = 10 * n + (*s->p - '0');
	if (n == 0)
		n = *s->params + 1;
	if (n > *s->params)
		*s->params = n;
	buf_add_fmt(s->out, "$%d", n);
}

/* CAST(x AS type); bytes: only the length of its bytes is asked for. */
static void
cast(struct scan *s, const char *inner, const char *behind, const char *close,
    const char *as, bool bytes)
{
	const char *type;
	bool blob = is_word(skip_blanks(as + 2, close), close, "BLOB", &type);

	buf_add(s->out, bytes ? S("octet_length(") : blob ? S("convert_to(") : S("CAST("));
	translate_part(s, inner, as);
	if (!bytes && blob)
		buf_add(s->out, S(", 'UTF8'"));
	else if (is_word(skip_blanks(as + 2, close), close, "INTEGER", &type))
		buf_add(s->out, S("AS bigint"));
	else if (!blob)
		add(s, as, close);
	buf_add(s->out, S(")"));
	s->p = behind;
}

/* name( at s->p, `open` behind the bracket: those that have another name there. */
static bool
function(struct scan *s, struct str name, const char *open)
{
	static const struct { const char *sqlite, *pg; bool many; } names[] = {
		{ "max", "greatest(", true }, { "min", "least(", true },
		{ "ifnull", "coalesce(", false }, { "instr", "strpos(", false },
	};
	const char *as, *close, *inner;
	int commas;

	close = closing(open, s->end, &commas, &as);
	if (close == NULL)
		return false;
	if (str_eq(name, S("CAST")) && as != NULL) {
		cast(s, open, close + 1, close, as, false);
		return true;
	}
	if (str_eq(name, S("length")) && is_word(open, close, "CAST", &inner) &&
	    *inner == '(') {
		const char *last = closing(inner + 1, close, &commas, &as), *type;

		if (last != NULL && as != NULL && last + 1 == close &&
		    is_word(skip_blanks(as + 2, last), last, "BLOB", &type)) {
			cast(s, inner + 1, close + 1, last, as, true);
			return true;
		}
	}
	for (size_t i = 0; i < COUNT(names); i++) {
		if (str_eq(name, str_of(names[i].sqlite)) &&
		    (commas > 0 || !names[i].many)) {
			buf_add(s->out, str_of(names[i].pg));
			s->p = open;
			return true;
		}
	}
	return false;
}

/* Behind `CROSS JOIN`: has the join a condition? */
static bool
has_condition(const char *p, const char *end)
{
	const char *next, *as;
	int commas;

	if (p < end && *p == '(') {
		p = closing(p + 1, end, &commas, &as);
		if (p == NULL)
			return false;
		p++;
	} else {
		p = word_end(p, end);
	}
	p = skip_blanks(p, end);
	if (is_word(p, end, "AS", &next))
		p = next;
	if (is_word(p, end, "ON", &next))
		return true;
	p = skip_blanks(word_end(p, end), end);
	return is_word(p, end, "ON", &next);
}

/* Words that take others along. */
static bool
phrase(struct scan *s)
{
	const char *next, *by, *end = s->end;

	if (is_word(s->p, end, "INDEXED", &next) && is_word(next, end, "BY", &by)) {
		s->p = skip_blanks(word_end(by, end), end);
		return true;
	}
	if (is_word(s->p, end, "CROSS", &next) && is_word(next, end, "JOIN", &by)) {
		buf_add(s->out, has_condition(by, end) ? S("JOIN ") : S("CROSS JOIN "));
		s->p = by;
		return true;
	}
	if (is_word(s->p, end, "LIMIT", &next) && end - next >= 2 && next[0] == '-' &&
	    next[1] == '1') {
		buf_add(s->out, S("LIMIT ALL"));
		s->p = next + 2;
		return true;
	}
	if (is_word(s->p, end, "IS", &next)) {
		bool not = is_word(next, end, "NOT", &by);

		if (!not)
			by = next;
		if (is_word(by, end, "NULL", &next))
			return false;
		buf_add(s->out, not ? S("IS DISTINCT FROM ") : S("IS NOT DISTINCT FROM "));
		s->p = by;
		return true;
	}
	return false;
}

static void
word(struct scan *s)
{
	const char *end = word_end(s->p, s->end);
	struct str name = { s->p, (size_t)(end - s->p) };

	if (phrase(s) || (end < s->end && *end == '(' && function(s, name, end + 1)))
		return;
	add(s, s->p, end);
	s->p = end;
}

static void
translate(struct scan *s)
{
	while (s->p < s->end) {
		const char *next = s->p + 1;

		if (*s->p == '?') {
			parameter(s);
			continue;
		}
		if (in_word(*s->p)) {
			word(s);
			continue;
		}
		if (*s->p == '\'' || *s->p == '"')
			next = skip_quoted(s->p, s->end);
		add(s, s->p, next);
		s->p = next;
	}
}

void
pg_translate(struct str sqlite, struct buf *out, int *params)
{
	struct scan s = { sqlite.p, sqlite.p + sqlite.n, out, params };

	*params = 0;
	translate(&s);
}
