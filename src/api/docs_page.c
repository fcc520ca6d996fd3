/*
 * docs_page.c - GET /docs: the interface for people, from the same rows as
 * /openapi.json.  One page without scripts and without anything from elsewhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include "auth/access.h"

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>Cohort: the interface</title>\n"
    "<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;"
    "max-width:60em;margin:2em auto;padding:0 1em}code{font-size:.95em}"
    "summary{padding:.15em 0;cursor:pointer}summary b{display:inline-block;"
    "min-width:4.5em}dl{margin:.3em 0 1em 4.5em}dt{opacity:.7}dd{margin:0 0 .4em 1em}"
    "nav a{margin-right:.8em}</style>\n"
    "<h1>Cohort " COHORT_VERSION "</h1>\n"
    "<p>Every route of this server. As a document for programs: "
    "<a href=\"openapi.json\">openapi.json</a>. A star marks what must be sent.</p>\n";

static void
add_escaped(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		switch (s.p[i]) {
		case '&': buf_lit(b, "&amp;"); break;
		case '<': buf_lit(b, "&lt;"); break;
		case '>': buf_lit(b, "&gt;"); break;
		case '"': buf_lit(b, "&quot;"); break;
		default: buf_add_char(b, s.p[i]); break;
		}
}

static void
add_entry(struct buf *b, const char *term, struct str words)
{
	if (words.n == 0)
		return;
	buf_add_fmt(b, "<dt>%s</dt><dd>", term);
	add_escaped(b, words);
	buf_lit(b, "</dd>");
}

/* The first segment of a path; "server" for those that stand alone. */
static struct str
group_of(const struct route *r)
{
	struct str rest = str_of(r->path), group;

	(void)str_next(&rest, '/', &group);          /* before the first slash: nothing */
	return str_next(&rest, '/', &group) && rest.n > 0 ? group : r->flags & ROUTE_OPEN ?
	    S("server") : group;
}

static void
add_route(struct buf *b, const struct route *r)
{
	struct buf request = BUF(16 * KB);

	buf_add_fmt(b, "<details><summary><b>%s</b><code>", r->method);
	add_escaped(b, str_of(r->path));
	buf_lit(b, "</code> ");
	add_escaped(b, str_of(r->summary));
	buf_lit(b, "</summary><dl>");
	route_add_request(&request, r);
	add_entry(b, "takes", buf_str(&request));
	buf_add_fmt(b, "<dt>answers %d</dt><dd>", r->status);
	add_escaped(b, str_of(r->response));
	buf_lit(b, "</dd>");
	add_entry(b, "needs", r->flags & ROUTE_OPEN ? S("no credentials") :
	    r->flags & ROUTE_COMMANDS ? S("what the command needs") :
	    str_of(access_name(r->access)));
	buf_lit(b, "</dl></details>\n");
	buf_release(&request);
}

static bool
is_first_of_group(const struct api_options *o, const struct route *r)
{
	const struct route *first = routes;

	while (!str_eq(group_of(first), group_of(r)) || route_is_off(o, first))
		if (first++ == r)
			return false;        /* it is off itself */
	return first == r;
}

int
api_system_docs(struct call *c)
{
	const struct api_options *o = &c->api->shared->o;
	const struct route *end = routes + routes_n;
	struct buf *b = call_out(c);

	buf_add(b, str_of(head));
	buf_lit(b, "<nav>");
	for (const struct route *r = routes; r < end; r++)
		if (is_first_of_group(o, r))
			buf_add_fmt(b, "<a href=\"#%.*s\">%.*s</a> ", FMT(group_of(r)),
			    FMT(group_of(r)));
	buf_lit(b, "</nav>\n");
	for (const struct route *r = routes; r < end; r++) {
		if (!is_first_of_group(o, r))
			continue;
		buf_add_fmt(b, "<h2 id=\"%.*s\">%.*s</h2>\n", FMT(group_of(r)),
		    FMT(group_of(r)));
		for (const struct route *same = r; same < end; same++)
			if (str_eq(group_of(same), group_of(r)) && !route_is_off(o, same))
				add_route(b, same);
	}
	buf_lit(b, "</html>\n");
	return call_page(c, buf_str(b));
}
