/*
 * scan.c - see scan.h.
 *
 * The work is in json_string_end: most bytes of a chunk are inside strings, so
 * they are looked at eight at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/scan.h"

#include <assert.h>

#include "base/json_priv.h"
#include "base/limits.h"

static bool
fail(struct scan *s)
{
	s->bad = true;
	s->p = s->end;
	return false;
}

/* p is at a backslash; the byte after the escape, NULL if it is none. */
static const char *
escape_end(const char *p, const char *end)
{
	assert(*p == '\\');
	if (end - p < 2)
		return NULL;
	switch (p[1]) {
	case 'u':
		return json_hex4(p + 2, end) < 0 ? NULL : p + 6;
	case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
		return p + 2;
	default:
		return NULL;
	}
}

const char *
json_string_end(const char *p, const char *end)
{
	for (;;) {
		p = json_plain_end(p, end);
		if (p < end && *p == '"')
			return p;
		if (p == end || *p != '\\')
			return NULL;
		p = escape_end(p, end);
		if (p == NULL)
			return NULL;
	}
}

static const char *
digits_end(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* The byte after a number, NULL if it is none. */
static const char *
number_end(const char *p, const char *end)
{
	const char *q;

	if (p < end && *p == '-')
		p++;
	q = digits_end(p, end);
	if (q == p || (*p == '0' && q > p + 1))
		return NULL;
	p = q;
	if (p < end && *p == '.') {
		q = digits_end(p + 1, end);
		if (q == p + 1)
			return NULL;
		p = q;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		q = digits_end(p, end);
		return q == p ? NULL : q;
	}
	return p;
}

static char
peek_past_blanks(struct scan *s)
{
	while (s->p < s->end &&
	    (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) {
		s->p++;
		s->blanks = true;
	}
	return s->p < s->end ? *s->p : '\0';
}

/* Inline: most tokens have no blank before them. */
static inline char
peek(struct scan *s)
{
	return s->p < s->end && *s->p > ' ' ? *s->p : peek_past_blanks(s);
}

char
scan_peek(struct scan *s)
{
	return peek(s);
}

bool
scan_open(struct scan *s, char bracket)
{
	assert(s->p <= s->end && s->depth <= LIMIT_JSON_DEPTH);
	if (peek(s) != bracket || s->depth == LIMIT_JSON_DEPTH)
		return fail(s);
	s->p++;
	s->depth++;
	if (s->depth > s->deepest)
		s->deepest = s->depth;
	return true;
}

/* The comma, or the closing bracket, which ends the container. */
static bool
step(struct scan *s, bool *first, char bracket)
{
	char c = peek(s);

	if (s->bad)
		return false;
	if (c == bracket) {
		s->p++;
		s->depth--;
		return false;
	}
	if (!*first) {
		if (c != ',')
			return fail(s);
		s->p++;
	}
	*first = false;
	s->parts++;
	return true;
}

bool
scan_member(struct scan *s, bool *first, struct str *key)
{
	if (!step(s, first, '}') || !scan_string(s, key))
		return false;
	if (peek(s) != ':')
		return fail(s);
	s->p++;
	return true;
}

bool
scan_element(struct scan *s, bool *first)
{
	return step(s, first, ']');
}

/* The string whose opening quote is at s->p. */
static inline bool
string(struct scan *s, struct str *raw)
{
	const char *close = json_string_end(s->p + 1, s->end);

	if (close == NULL)
		return fail(s);
	*raw = (struct str){ s->p + 1, (size_t)(close - s->p - 1) };
	s->p = close + 1;
	return true;
}

bool
scan_string(struct scan *s, struct str *raw)
{
	return peek(s) == '"' ? string(s, raw) : fail(s);
}

static bool
word(struct scan *s, struct str w)
{
	if ((size_t)(s->end - s->p) < w.n || memcmp(s->p, w.p, w.n) != 0)
		return fail(s);
	s->p += w.n;
	return true;
}

/* What does not fit a double is refused, as by the reader that will one day
 * read what is stored from this.  Only an exponent or many digits can do it. */
static bool
number(struct scan *s)
{
	const char *q = number_end(s->p, s->end);
	struct str text;
	double d;

	if (q == NULL)
		return fail(s);
	text = (struct str){ s->p, (size_t)(q - s->p) };
	if ((text.n > 300 || memchr(text.p, 'e', text.n) != NULL ||
	    memchr(text.p, 'E', text.n) != NULL) && !str_to_double(text, &d))
		return fail(s);
	s->p = q;
	return true;
}

/* Recursion is bounded by scan_open's depth. */
static bool
skip(struct scan *s)
{
	bool first = true;
	struct str raw;

	switch (peek(s)) {
	case '{':
		for (scan_open(s, '{'); scan_member(s, &first, &raw); )
			skip(s);
		return !s->bad;
	case '[':
		for (scan_open(s, '['); scan_element(s, &first); )
			skip(s);
		return !s->bad;
	case '"':
		return string(s, &raw);
	case 't':
		return word(s, S("true"));
	case 'f':
		return word(s, S("false"));
	case 'n':
		return word(s, S("null"));
	default:
		return number(s);
	}
}

bool
scan_value(struct scan *s, struct str *raw)
{
	const char *from;

	peek(s);
	from = s->p;
	if (!skip(s))
		return false;
	*raw = (struct str){ from, (size_t)(s->p - from) };
	return true;
}

bool
scan_end(struct scan *s)
{
	peek(s);
	return !s->bad && s->p == s->end;
}

struct str
scan_text(struct scan *s)
{
	struct str raw = STR_NONE;

	if (peek(s) == '"')
		return scan_string(s, &raw) ? raw : STR_NONE;
	scan_value(s, &raw);
	return STR_NONE;
}

struct str
scan_find(struct str object, struct str key)
{
	struct scan s = scan_of(object);
	struct str found = STR_NONE, name, raw = STR_NONE;
	bool first = true;

	for (scan_open(&s, '{'); scan_member(&s, &first, &name); )
		if (scan_value(&s, &raw) && str_eq(name, key))
			found = raw;
	return scan_end(&s) ? found : STR_NONE;
}

bool
scan_surrogates_paired(struct str raw)
{
	struct scan s = scan_of(raw);
	const char *p = s.p, *end = s.end;

	while (p < end) {
		int v;

		p = memchr(p, '\\', (size_t)(end - p));
		if (p == NULL)
			return true;
		if (end - p < 6 || p[1] != 'u') {
			p += 2;
			continue;
		}
		v = json_hex4(p + 2, end);
		p += 6;
		if (v < 0xd800 || v > 0xdfff)
			continue;
		if (v > 0xdbff || end - p < 6 || p[0] != '\\' || p[1] != 'u')
			return false;
		v = json_hex4(p + 2, end);
		if (v < 0xdc00 || v > 0xdfff)
			return false;
		p += 6;
	}
	return true;
}

/* The next character of a raw inside; 'x' for those that mean nothing here. */
static char
plain_next(const char **p, const char *end)
{
	char c = *(*p)++;
	int v;

	if (c != '\\' || *p == end)
		return c;
	c = *(*p)++;
	if (c == 'n' || c == 'r' || c == 't')
		return ' ';
	if (c != 'u')
		return c;
	v = json_hex4(*p, end);
	*p += end - *p < 4 ? end - *p : 4;
	return v > 0 && v < 0x80 ? (char)v : 'x';
}

void
scan_edge(struct json_edge *e, struct str raw)
{
	const char *p = raw.p, *end = p + raw.n;

	while (p < end && !e->whole) {
		char c = plain_next(&p, end);

		if (e->escaped) {
			e->escaped = false;
		} else if (e->inside) {
			e->escaped = c == '\\';
			e->inside = c != '"';
			e->whole = c == '"' && e->depth == 0;
		} else if (c == '"') {
			e->inside = true;
		} else if (c == '{' || c == '[') {
			e->depth++;
		} else if ((c == '}' || c == ']') && e->depth > 0) {
			e->whole = --e->depth == 0;
		}
	}
}
