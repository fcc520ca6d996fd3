/*
 * cohort_json.h - JSON for guests in C: values are found in the text where they stand,
 * and written to a buffer of fixed size.  Needs no library and allocates nothing.
 *
 *	struct json m = json_of(message, n), content = json_get(m, "content");
 *	int64_t by = json_int(json_get(content, "by"), 1);
 *
 *	char room[200];
 *	struct json_out o = { room, sizeof room };
 *	json_text(&o, "{\"content\":{\"total\":");
 *	json_number(&o, by);
 *	json_text(&o, "}}");
 *	if (o.n <= o.cap) cohort_reply(o.p, o.n);
 *
 * The text is one that the host gave, so it is valid; of other text the functions find
 * nothing, and read nothing behind its end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COHORT_JSON_H
#define COHORT_JSON_H

#include <stdbool.h>
#include <stdint.h>

/* A value as it stands in a text; p NULL: there is none. */
struct json { const char *p; uint32_t n; };

/* Text that is written; n > cap: it did not fit, and what is there is cut. */
struct json_out { char *p; uint32_t cap, n; };

/* ---- reading --------------------------------------------------------------------- */

static inline const char *
json_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* After the string that begins at p; NULL: it does not end. */
static inline const char *
json_past_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : 0;
}

/* After the value that begins at p; NULL: it does not end. */
static inline const char *
json_past(const char *p, const char *end)
{
	uint32_t open = 0;

	do {
		if (p >= end)
			return 0;
		if (*p == '"') {
			p = json_past_string(p, end);
			if (p == 0)
				return 0;
			continue;
		}
		if (*p == '{' || *p == '[')
			open++;
		else if ((*p == '}' || *p == ']') && open > 0)
			open--;
		else if (open == 0) {        /* a number, or true, false, null */
			while (p < end && *p != ',' && *p != '}' && *p != ']' && *p > ' ')
				p++;
			return p;
		}
		p++;
	} while (open > 0);
	return p;
}

static inline struct json
json_of(const char *p, uint32_t n)
{
	const char *start = json_blank(p, p + n), *past = json_past(start, p + n);

	return past == 0 || past == start ? (struct json){ 0, 0 } :
	    (struct json){ start, (uint32_t)(past - start) };
}

/* The elements of an array, or the members of an object, one after another:
 *	struct json_walk w = json_walk(list);
 *	while (json_next(&w)) ... w.value, and w.name (with its quotes) of a member */
struct json_walk { const char *p, *end; bool object; struct json name, value; };

static inline struct json_walk
json_walk(struct json v)
{
	struct json_walk w = { 0, 0, false, { 0, 0 }, { 0, 0 } };

	if (v.n >= 2 && (v.p[0] == '{' || v.p[0] == '[')) {
		w.p = v.p + 1;
		w.end = v.p + v.n - 1;
		w.object = v.p[0] == '{';
	}
	return w;
}

static inline bool
json_next(struct json_walk *w)
{
	const char *past;

	w->p = json_blank(w->p, w->end);
	if (w->p < w->end && *w->p == ',')
		w->p = json_blank(w->p + 1, w->end);
	if (w->p >= w->end)
		return false;
	if (w->object) {
		past = *w->p == '"' ? json_past_string(w->p, w->end) : 0;
		if (past == 0)
			return false;
		w->name = (struct json){ w->p, (uint32_t)(past - w->p) };
		w->p = json_blank(past, w->end);
		if (w->p >= w->end || *w->p != ':')
			return false;
		w->p++;
	}
	w->value = json_of(w->p, (uint32_t)(w->end - w->p));
	if (w->value.p == 0)
		return false;
	w->p = w->value.p + w->value.n;
	return true;
}

/* Is it the string `text`?  One that needs no escapes. */
static inline bool
json_is(struct json v, const char *text)
{
	uint32_t i = 0;

	if (v.n < 2 || v.p[0] != '"')
		return false;
	while (i < v.n - 2 && text[i] != 0 && v.p[i + 1] == text[i])
		i++;
	return i == v.n - 2 && text[i] == 0;
}

static inline struct json
json_get(struct json object, const char *name)
{
	struct json_walk w = json_walk(object);

	while (w.object && json_next(&w))
		if (json_is(w.name, name))
			return w.value;
	return (struct json){ 0, 0 };
}

static inline bool json_is_string(struct json v) { return v.n >= 2 && v.p[0] == '"'; }
static inline bool json_is_object(struct json v) { return v.n >= 2 && v.p[0] == '{'; }
static inline bool json_is_array(struct json v) { return v.n >= 2 && v.p[0] == '['; }

/* A whole number; `otherwise` if it is none, or has more than 18 digits. */
static inline int64_t
json_int(struct json v, int64_t otherwise)
{
	uint32_t i = v.n > 0 && v.p[0] == '-', first = i;
	int64_t sum = 0;

	for (; i < v.n && v.p[i] >= '0' && v.p[i] <= '9'; i++)
		if (i - first < 18)
			sum = sum * 10 + (v.p[i] - '0');
	if (i != v.n || i == first || i - first > 18)
		return otherwise;
	return first == 1 ? -sum : sum;
}

static inline uint32_t
json_hex(const char *p)
{
	uint32_t sum = 0;

	for (int i = 0; i < 4; i++)
		sum = sum << 4 | ((uint32_t)p[i] & 15) + (p[i] > '9' ? 9u : 0u);
	return sum;
}

/* UTF-8 of a code point: up to 4 bytes at out, how many. */
static inline uint32_t
json_utf8(uint32_t c, char *out)
{
	static const unsigned char heads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	uint32_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (uint32_t i = n; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(n == 1 ? c : heads[n] | c);
	return n;
}

/* One character of a string without its quotes, from *at: up to 4 bytes, how many. */
static inline uint32_t
json_char(struct json s, uint32_t *at, char *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	uint32_t left = s.n - *at, c;
	const char *p = s.p + *at;

	if (*p != '\\' || left < 2) {
		*at += 1;
		*out = *p;
		return 1;
	}
	if (p[1] != 'u' || left < 6) {
		*at += 2;
		*out = p[1];
		for (int i = 0; from[i] != 0; i++)
			if (from[i] == p[1])
				*out = to[i];
		return 1;
	}
	c = json_hex(p + 2);
	*at += 6;
	if (c >= 0xd800 && c < 0xdc00 && left >= 12 && p[6] == '\\' && p[7] == 'u') {
		c = 0x10000 + ((c & 0x3ff) << 10 | (json_hex(p + 8) & 0x3ff));
		*at += 6;
	}
	return json_utf8(c, out);
}

/* The characters of a string, without escapes: its length in bytes; at most cap bytes of it
 * are in out, which gets no 0 at the end.  No string: 0. */
static inline uint32_t
json_string(struct json v, char *out, uint32_t cap)
{
	uint32_t n = 0, at = 0, got;
	char c[4];

	if (!json_is_string(v))
		return 0;
	v.p++;
	v.n -= 2;
	while (at < v.n) {
		got = json_char(v, &at, c);
		for (uint32_t i = 0; i < got; i++, n++)
			if (n < cap)
				out[n] = c[i];
	}
	return n;
}

/* ---- writing --------------------------------------------------------------------- */

static inline void
json_bytes(struct json_out *o, const char *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++, o->n++)
		if (o->n < o->cap)
			o->p[o->n] = p[i];
}

/* As it is. */
static inline void
json_text(struct json_out *o, const char *text)
{
	uint32_t n = 0;

	while (text[n] != 0)
		n++;
	json_bytes(o, text, n);
}

/* A value that was read. */
static inline void
json_value(struct json_out *o, struct json v)
{
	if (v.p == 0)
		json_text(o, "null");
	else
		json_bytes(o, v.p, v.n);
}

static inline void
json_number(struct json_out *o, int64_t v)
{
	uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	char digits[20];
	uint32_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (v < 0)
		json_bytes(o, "-", 1);
	json_bytes(o, digits + at, (uint32_t)sizeof digits - at);
}

/* A string, with quotes and escapes. */
static inline void
json_quoted(struct json_out *o, const char *p, uint32_t n)
{
	static const char hex[] = "0123456789abcdef";

	json_bytes(o, "\"", 1);
	for (uint32_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];
		char code[2] = { hex[c >> 4], hex[c & 15] };

		if (c == '"' || c == '\\')
			json_bytes(o, "\\", 1);
		if (c >= ' ') {
			json_bytes(o, p + i, 1);
		} else {
			json_bytes(o, "\\u00", 4);
			json_bytes(o, code, 2);
		}
	}
	json_bytes(o, "\"", 1);
}

#endif
