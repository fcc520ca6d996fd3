/*
 * console.c - GET /ui and /ui/{file}: the console, a page of static files that
 * the build puts here from src/console.  The page uses the public API only.
 *
 * No script, style or connection comes from elsewhere (the policy below), and a
 * browser asks with If-None-Match each time, so that it never mixes files of two
 * versions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"
#include "base/hmac.h"

#define PAGE "index.html"

static const char lines[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; "
    "style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cache-Control: no-cache\r\n";

static const struct console_file { const char *name, *id, *text; } files[] = {
#include "api/console_rows.h"
};

static const struct { const char *ending, *type; } types[] = {
	{ ".html", "text/html; charset=utf-8" },
	{ ".css", "text/css; charset=utf-8" },
	{ ".js", "text/javascript; charset=utf-8" },
	{ ".svg", "image/svg+xml" },
};

static const struct console_file *
find_file(struct str name)
{
	for (size_t i = 0; i < COUNT(files); i++)
		if (str_eq(name, str_of(files[i].name)))
			return &files[i];
	return NULL;
}

static struct str
type_of(struct str name)
{
	size_t i = 0;

	while (i + 1 < COUNT(types) && !str_ends(name, str_of(types[i].ending)))
		i++;
	return str_of(types[i].type);
}

/* By content: the same on every shard, after a restart, and of other builds with
 * the same file. */
static struct str
etag_of(struct call *c, struct str text)
{
	uint8_t hash[SHA256_SIZE];
	struct buf hex = BUF(KB);
	struct str tag;

	sha256(text, hash);
	for (size_t i = 0; i < 8; i++)
		buf_add_fmt(&hex, "%02x", hash[i]);
	tag = arena_fmt(&c->r->arena, "\"%.*s\"", FMT(buf_str(&hex)));
	buf_release(&hex);
	return tag;
}

/* The page's links are relative to /ui. */
static int
without_slash(struct call *c)
{
	struct str at = c->api->shared->o.prefix;

	call_reply(c, 308, STR_NONE, arena_fmt(&c->r->arena, "Location: %.*s/ui\r\n",
	    FMT(at)), STR_NONE);
	return OK;
}

int
api_console(struct call *c)
{
	struct str name = c->param[0].n > 0 ? c->param[0] : S(PAGE);
	const struct console_file *f = find_file(name);
	struct str text, tag, known = http_header(c->r, S("if-none-match")), extra;
	bool same;

	if (str_ends(c->r->path, S("/")))
		return without_slash(c);
	if (f == NULL)
		return err_set(&c->err, ERR_NOTFOUND, "the console has no file \"%.*s\", "
		    "and an assistant's own ui is not supported yet",
		    FMT(param_shown(name)));
	text = str_of(f->text);
	tag = etag_of(c, text);
	same = str_contains(known, tag) || str_eq(known, S("*"));
	extra = arena_fmt(&c->r->arena, "%sETag: %.*s\r\n", lines, FMT(tag));
	if (same)
		call_reply(c, 304, STR_NONE, extra, STR_NONE);
	else
		call_reply(c, 200, type_of(name), extra, text);
	return OK;
}
