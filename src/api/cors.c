/*
 * cors.c - see cors.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/cors.h"

#include <string.h>

#define METHODS "GET,HEAD,PUT,POST,DELETE,PATCH"
#define ASKED_MAX (4 * KB)                   /* of access-control-request-headers */

/* RFC 9110 5.6.2. */
static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && !str_char_in(c, "!#$%&'*+-.^_`|~"))
			return false;
	}
	return s.n > 0;
}

static int
check_names(struct str list, const char *setting, struct err *e)
{
	struct str rest = list, name;

	while (rest.n > 0 && str_next(&rest, ',', &name))
		if (!is_token(str_trim(name)))
			return err_set(e, ERR_INVALID, "%s: expected names with commas "
			    "between them, got \"%.*s\"", setting, FMT(str_cut(list, 100)));
	return OK;
}

static bool
has_any(struct str list)
{
	struct str name;

	while (list.n > 0 && str_next(&list, ',', &name))
		if (str_eq(str_trim(name), S("*")))
			return true;
	return false;
}

int
cors_rules_check(const struct cors_rules *c, const struct origin_rules *origins,
    struct err *e)
{
	int rc = check_names(c->methods, "http.cors.allow-methods", e);

	if (rc == OK)
		rc = check_names(c->headers, "http.cors.allow-headers", e);
	if (rc == OK)
		rc = check_names(c->expose, "http.cors.expose-headers", e);
	if (rc != OK || !c->credentials)
		return rc;
	if (has_any(origins->cors_origins))
		return err_set(e, ERR_INVALID, "http.cors.allow-credentials: \"*\" in "
		    "cors-origins would give every page a user's credentials; name the "
		    "origins");
	if (origins->cors_origins.n == 0 && origins->pattern == NULL)
		return err_set(e, ERR_INVALID, "http.cors.allow-credentials: needs "
		    "cors-origins or http.cors.allow-origin-regex: which pages are meant?");
	if (origin_is_named(origins, S("https://anybody.invalid")))
		return err_set(e, ERR_INVALID, "http.cors.allow-credentials: "
		    "http.cors.allow-origin-regex fits https://anybody.invalid, so it would give "
		    "every page a user's credentials; make it narrower");
	return OK;
}

struct str
cors_lines(const struct cors_rules *c, const struct origin_rules *origins,
    struct http_req *r)
{
	struct str origin;
	bool named;

	if (!c->credentials && c->expose.n == 0)
		return S(API_CORS);          /* nearly always: nothing is looked up */
	origin = http_header(r, S("origin"));
	named = c->credentials && origin_is_named(origins, origin);
	return arena_fmt(&r->arena, "access-control-allow-origin: %.*s\r\n%s%s"
	    "access-control-expose-headers: " CORS_EXPOSED "%s%.*s\r\n",
	    FMT(named ? origin : S("*")),
	    named ? "access-control-allow-credentials: true\r\n" : "",
	    c->credentials ? "vary: origin\r\n" : "", c->expose.n > 0 ? "," : "",
	    FMT(c->expose));
}

struct str
cors_preflight(const struct cors_rules *c, struct http_req *r)
{
	struct str asked = http_header(r, S("access-control-request-headers"));
	bool listed = c->headers.n > 0 && !has_any(c->headers);
	struct str methods = c->methods.n == 0 || has_any(c->methods) ? S(METHODS) :
	    c->methods;
	struct str lines = arena_fmt(&r->arena, "access-control-allow-methods: %.*s\r\n"
	    "access-control-max-age: %lld\r\nvary: Access-Control-Request-Headers\r\n",
	    FMT(methods), (long long)c->max_age_s);

	/* Every body has a content type. */
	if (listed)
		return arena_fmt(&r->arena, "%.*saccess-control-allow-headers: "
		    "content-type,%.*s\r\n", FMT(lines), FMT(c->headers));
	if (asked.n > 0 && asked.n < ASKED_MAX)
		return arena_fmt(&r->arena, "%.*saccess-control-allow-headers: %.*s\r\n",
		    FMT(lines), FMT(asked));
	return lines;
}
