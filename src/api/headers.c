/*
 * headers.c - what requests and answers say in their headers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

void
header_event_id(struct call *c, int64_t *id)
{
	struct str s = http_header(c->r, S("last-event-id"));
	int64_t v = -1;

	if (s.n == 0)
		return;
	if (str_eq(s, S("-")) || (str_to_i64(s, &v) && v >= -1))
		*id = v;
	else
		fields_fail(c->in, "Last-Event-ID", ERR_SYNTAX, "expected the id of an "
		    "event (a number), or -1 for all, got \"%.*s\"", FMT(param_shown(s)));
}

void
header_add_text(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_add_char(b, s.p[i] > 0x20 && s.p[i] < 0x7f && s.p[i] != '"' &&
		    s.p[i] != '\\' ? s.p[i] : '?');
}

static bool
header_is_shown(struct str name)
{
	static const struct str hidden[] = {
		{ "x-api-key", 9 }, { "x-tenant-id", 11 }, { "x-service-key", 13 },
	};

	if (str_eq_nocase(name, S("user-agent")))
		return true;
	/* What OpenAI's clients tell of their machine in each request. */
	if (str_eq_nocase(str_sub(name, 0, 12), S("x-stainless-")))
		return false;
	if (name.n < 3 || !str_eq_nocase(str_sub(name, 0, 2), S("x-")))
		return false;
	for (size_t i = 0; i < COUNT(hidden); i++) {
		if (str_eq_nocase(name, hidden[i]))
			return false;
	}
	return true;
}

/* Header bytes are Latin-1 unless they happen to be UTF-8 (RFC 9110 5.5). */
static void
add_header_text(struct buf *b, struct str s)
{
	struct buf utf8 = BUF(2 * (size_t)LIMIT_HTTP_HEADER_BYTES);

	if (str_is_utf8(s)) {
		json_add_str(b, s);
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		buf_add_utf8(&utf8, (unsigned char)s.p[i]);
	json_add_str(b, buf_str(&utf8));
	buf_release(&utf8);
}

static bool
header_comes_again(const struct http_req *r, size_t at)
{
	for (size_t i = at + 1; i < r->headers_n; i++) {
		if (str_eq_nocase(r->headers[i].name, r->headers[at].name))
			return true;
	}
	return false;
}

void
header_add_json(struct buf *b, const struct http_req *r)
{
	buf_lit(b, "{");
	for (size_t i = 0; i < r->headers_n; i++) {
		struct str name = r->headers[i].name;

		if (!header_is_shown(name) || header_comes_again(r, i))
			continue;
		json_add_comma(b);
		buf_add_char(b, '"');
		/* A header's name is a token: nothing to escape. */
		for (size_t j = 0; j < name.n; j++)
			buf_add_char(b, name.p[j] >= 'A' && name.p[j] <= 'Z' ?
			    (char)(name.p[j] + 32) : name.p[j]);
		buf_lit(b, "\":");
		add_header_text(b, r->headers[i].value);
	}
	buf_lit(b, "}");
}
