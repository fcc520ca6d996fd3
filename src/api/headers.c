/*
 * headers.c - what requests and answers say in their headers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/session.h"

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

/* Secrets of the caller: a pattern with `*` does not match them, only the full name. */
static const char *const credentials[] = {
	"authorization", "proxy-authorization", "cookie", "x-api-key", "x-service-key",
	"x-tenant-id",
};

static bool
is_credential(struct str name)
{
	for (size_t i = 0; i < COUNT(credentials); i++)
		if (str_eq_nocase(name, str_of(credentials[i])))
			return true;
	return false;
}

/* `*` stands for any text. */
static bool
pattern_fits(struct str pattern, struct str name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, from = 0;

	while (n < name.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			from = n;
		} else if (p < pattern.n && str_eq_nocase(str_sub(pattern, p, 1),
		    str_sub(name, n, 1))) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

/* exact: by a pattern without `*`. */
static bool
listed(struct str list, struct str name, bool exact)
{
	struct str pattern;

	while (list.n > 0 && str_next(&list, ',', &pattern)) {
		pattern = str_trim(pattern);
		if ((!exact || str_index(pattern, '*') < 0) && pattern_fits(pattern, name))
			return true;
	}
	return false;
}

static bool
header_passes(const struct header_rules *rules, struct str name)
{
	return !listed(rules->excludes, name, false) &&
	    listed(rules->includes, name, is_credential(name));
}

static bool
header_is_shown(const struct header_rules *rules, struct str name)
{
	if (rules->includes.n > 0)
		return header_passes(rules, name);
	if (listed(rules->excludes, name, false) || is_credential(name))
		return false;
	/* OpenAI's clients describe their machine in x-stainless-* of every request. */
	return str_eq_nocase(name, S("user-agent")) ||
	    (pattern_fits(S("x-*"), name) && !pattern_fits(S("x-stainless-*"), name));
}

static int
check_patterns(struct str list, const char *setting, const char *part, struct err *e)
{
	struct str rest = list, pattern;

	while (rest.n > 0 && str_next(&rest, ',', &pattern)) {
		bool good;

		pattern = str_trim(pattern);
		good = pattern.n > 0;
		for (size_t i = 0; i < pattern.n; i++)
			good = good && pattern.p[i] > ' ' && pattern.p[i] < 0x7f &&
			    pattern.p[i] != ':';
		if (!good)
			return err_set(e, ERR_INVALID, "%s.%s: expected names of headers "
			    "with commas between them, as in x-user-id,x-app-*, got "
			    "\"%.*s\"", setting, part, FMT(str_cut(list, 100)));
	}
	return OK;
}

int
header_rules_check(const struct header_rules *rules, const char *setting, struct err *e)
{
	int rc = check_patterns(rules->includes, setting, "includes", e);

	return rc == OK ? check_patterns(rules->excludes, setting, "excludes", e) : rc;
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

static void
add_headers(struct buf *b, const struct http_req *r, const struct header_rules *rules,
    bool (*shown)(const struct header_rules *rules, struct str name))
{
	buf_lit(b, "{");
	for (size_t i = 0; i < r->headers_n; i++) {
		struct str name = r->headers[i].name;

		if (!shown(rules, name) || header_comes_again(r, i) ||
		    session_is_in(&r->headers[i]))
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

void
header_add_json(struct buf *b, const struct http_req *r, const struct header_rules *rules)
{
	add_headers(b, r, rules, header_is_shown);
}

void
header_add_logged(struct buf *b, const struct http_req *r, const struct header_rules *rules)
{
	add_headers(b, r, rules, header_passes);
}
