/*
 * url.c - see url.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/url.h"

#include <string.h>

#define HIDDEN "***"

static size_t
find(struct str s, const char *what, size_t from)
{
	struct str needle = str_of(what);

	for (size_t i = from; i + needle.n <= s.n; i++)
		if (memcmp(s.p + i, needle.p, needle.n) == 0)
			return i;
	return s.n;
}

/* Length of the `nats://` that begins at `from`; 0: there is none. */
static size_t
scheme_at(struct str s, size_t from)
{
	size_t at = from;

	while (at < s.n && ((s.p[at] >= 'a' && s.p[at] <= 'z') || s.p[at] == '+' ||
	    (s.p[at] >= '0' && s.p[at] <= '9')))
		at++;
	return at > from && str_starts(str_sub(s, at, s.n), S("://")) ? at + 3 - from : 0;
}

/* Of the address that begins at `from`: the comma before the next one's scheme.  Commas
 * stand between the hosts of one address too. */
static size_t
end_of(struct str s, size_t from)
{
	size_t at = from + scheme_at(s, from);

	while (at < s.n && (s.p[at] != ',' || scheme_at(s, at + 1) == 0))
		at++;
	return at;
}

/* ?password=... and &sslpassword=... */
static void
add_query(struct buf *b, struct str s)
{
	size_t at = 0;

	while (at < s.n) {
		size_t name = find(s, "password=", at), end = name + strlen("password=");

		buf_add(b, str_sub(s, at, name >= s.n ? s.n : end - at));
		if (name >= s.n)
			return;
		buf_lit(b, HIDDEN);
		while (end < s.n && s.p[end] != '&')
			end++;
		at = end;
	}
}

static void
add_one(struct buf *b, struct str s)
{
	size_t from = scheme_at(s, 0), at = s.n, colon = from;

	/* The last one: a password that is not escaped may have some too. */
	while (at > from && s.p[at - 1] != '@')
		at--;
	while (colon < at && s.p[colon] != ':')
		colon++;
	if (at <= from) {
		add_query(b, s);
		return;
	}
	if (colon == at && str_starts(s, S("postgres"))) {
		buf_add(b, str_sub(s, 0, at));
	} else {
		buf_add(b, str_sub(s, 0, str_starts(s, S("postgres")) ? colon + 1 : from));
		buf_lit(b, HIDDEN "@");
	}
	add_query(b, str_sub(s, at, s.n));
}

/* libpq's `host=... dbname=...` */
static bool
is_list(struct str s)
{
	return scheme_at(s, 0) == 0 &&
	    (find(s, "host=", 0) < s.n || find(s, "dbname=", 0) < s.n);
}

void
url_add_shown(struct buf *b, struct str text)
{
	size_t from = 0, key;

	if (is_list(text)) {
		key = find(text, "password", 0);
		buf_add(b, str_sub(text, 0, key));
		if (key < text.n)
			buf_lit(b, "password=" HIDDEN);
		return;
	}
	while (from < text.n) {
		size_t end = end_of(text, from);

		add_one(b, str_sub(text, from, end - from));
		if (end < text.n)
			buf_lit(b, ",");
		from = end + 1;
	}
}

bool
url_has_secret(struct str text)
{
	struct buf b = BUF(text.n * 2 + 64);
	bool other;

	url_add_shown(&b, text);
	other = !str_eq(buf_str(&b), text);
	buf_release(&b);
	return other;
}

void
url_add_escaped(struct buf *b, struct str s)
{
	static const char unreserved[] = "-._~0123456789abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (size_t i = 0; i < s.n; i++)
		if (memchr(unreserved, s.p[i], sizeof unreserved - 1) != NULL)
			buf_add_char(b, s.p[i]);
		else
			buf_add_fmt(b, "%%%02X", (unsigned char)s.p[i]);
}
