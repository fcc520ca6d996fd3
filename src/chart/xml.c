/*
 * xml.c - see xml_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/xml_priv.h"

#include <expat.h>
#include <string.h>

#include "base/limits.h"

/* Expat 2.9 deprecates the counts whose type depends on how it was built. */
#if XML_MAJOR_VERSION > 2 || XML_MINOR_VERSION >= 9
#define LINE_NUMBER XML_GetCurrentLineNumber64
#define COLUMN_NUMBER XML_GetCurrentColumnNumber64
#else
#define LINE_NUMBER XML_GetCurrentLineNumber
#define COLUMN_NUMBER XML_GetCurrentColumnNumber
#endif

/* Separates "uri<sep>local<sep>prefix" in expat's names; not allowed in XML. */
#define SEPARATOR '\x1f'

struct reader {
	XML_Parser parser;
	struct arena *arena;
	struct xml_node *root, *open;
	struct buf text;             /* character data of the current run */
	struct spot text_at;
	unsigned depth;
	int rc;
	struct err *e;
};

static struct spot
here(const struct reader *r)
{
	return (struct spot){ (uint32_t)LINE_NUMBER(r->parser),
		(uint32_t)COLUMN_NUMBER(r->parser) + 1 };
}

static void
stop(struct reader *r, int rc, const char *what)
{
	if (r->rc != OK)
		return;
	r->rc = draft_fail(r->e, rc, here(r), NULL, "%s", what);
	XML_StopParser(r->parser, XML_FALSE);
}

static struct xml_node *
node_add(struct reader *r, struct spot at)
{
	struct xml_node *n = arena_new(r->arena, struct xml_node);

	if (n == NULL) {
		stop(r, ERR_TOOBIG, "the document is too large");
		return NULL;
	}
	n->at = at;
	n->parent = r->open;
	if (r->open == NULL)
		r->root = n;
	else if (r->open->last == NULL)
		r->open->first = n;
	else
		r->open->last->next = n;
	if (r->open != NULL)
		r->open->last = n;
	return n;
}

static void
split_name(struct reader *r, const char *full, struct str *ns, struct str *name,
    struct str *prefix)
{
	struct str rest = str_of(full), part[3] = { STR_NONE, STR_NONE, STR_NONE };
	int n = 0;

	while (n < 3 && str_next(&rest, SEPARATOR, &part[n]))
		n++;
	*ns = n > 1 ? arena_str(r->arena, part[0]) : S("");
	*name = arena_str(r->arena, part[n > 1]);
	*prefix = n > 2 ? arena_str(r->arena, part[2]) : S("");
}

static void
flush_text(struct reader *r)
{
	struct xml_node *n;

	if (r->text.n == 0)
		return;
	n = node_add(r, r->text_at);
	if (n != NULL)
		n->text = arena_str(r->arena, buf_str(&r->text));
	buf_clear(&r->text);
}

static void
on_start(void *ctx, const XML_Char *name, const XML_Char **attrs)
{
	struct reader *r = ctx;
	struct xml_attr **tail;
	struct xml_node *n;

	flush_text(r);
	if (++r->depth > XML_DEPTH) {
		stop(r, ERR_TOOBIG, "elements are nested too deep");
		return;
	}
	n = node_add(r, here(r));
	if (n == NULL)
		return;
	split_name(r, name, &n->ns, &n->name, &n->prefix);
	tail = &n->attrs;
	for (; attrs[0] != NULL; attrs += 2) {
		struct xml_attr *a = arena_new(r->arena, struct xml_attr);

		if (a == NULL)
			break;
		split_name(r, attrs[0], &a->ns, &a->name, &a->prefix);
		a->value = arena_str(r->arena, str_of(attrs[1]));
		*tail = a;
		tail = &a->next;
	}
	if (r->arena->failed)
		stop(r, ERR_TOOBIG, "the document is too large");
	r->open = n;
}

static void
on_end(void *ctx, const XML_Char *name)
{
	struct reader *r = ctx;

	(void)name;
	flush_text(r);
	r->depth--;
	if (r->open != NULL)
		r->open = r->open->parent;
}

static void
on_text(void *ctx, const XML_Char *s, int n)
{
	struct reader *r = ctx;

	if (r->text.n == 0)
		r->text_at = here(r);
	buf_add(&r->text, (struct str){ s, (size_t)n });
}

static void
on_entity(void *ctx, const XML_Char *name, int parameter, const XML_Char *value,
    int n, const XML_Char *base, const XML_Char *system, const XML_Char *public,
    const XML_Char *notation)
{
	(void)name, (void)parameter, (void)value, (void)n, (void)base;
	(void)system, (void)public, (void)notation;
	stop(ctx, ERR_SYNTAX, "entity declarations are refused");
}

/* Windows-1252 where it differs from ISO-8859-1; 0: no such character. */
static const uint16_t windows_1252[32] = {
	0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
	0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0,
	0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
};

static int
on_encoding(void *ctx, const XML_Char *name, XML_Encoding *info)
{
	struct str s = str_of(name);

	(void)ctx;
	if (!str_eq_nocase(s, S("windows-1252")) && !str_eq_nocase(s, S("cp1252")))
		return XML_STATUS_ERROR;
	for (int i = 0; i < 256; i++)
		info->map[i] = i;
	for (int i = 0; i < 32; i++)
		info->map[0x80 + i] = windows_1252[i] != 0 ? windows_1252[i] : -1;
	info->data = NULL;
	info->convert = NULL;
	info->release = NULL;
	return XML_STATUS_OK;
}

int
xml_parse(struct arena *a, struct str text, struct xml_node **root, struct err *e)
{
	struct reader r = { .arena = a, .e = e, .text = BUF(4 * LIMIT_CHART_BYTES) };
	enum XML_Status status;

	*root = NULL;
	if (text.n > LIMIT_CHART_BYTES)
		return err_set(e, ERR_TOOBIG, "the document is larger than %d bytes",
		    LIMIT_CHART_BYTES);
	r.parser = XML_ParserCreateNS(NULL, SEPARATOR);
	if (r.parser == NULL)
		return err_set(e, ERR_IO, "out of memory");
	XML_SetReturnNSTriplet(r.parser, 1);
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetEntityDeclHandler(r.parser, on_entity);
	XML_SetUnknownEncodingHandler(r.parser, on_encoding, NULL);
	status = XML_Parse(r.parser, text.n > 0 ? text.p : "", (int)text.n, 1);
	if (status != XML_STATUS_OK && r.rc == OK)
		r.rc = draft_fail(e, ERR_SYNTAX, here(&r), NULL, "%s",
		    XML_ErrorString(XML_GetErrorCode(r.parser)));
	XML_ParserFree(r.parser);
	buf_release(&r.text);
	if (r.rc == OK)
		*root = r.root;
	return r.rc;
}

/* ---- serialisation ------------------------------------------------------- */

static void
add_escaped(struct buf *b, struct str s, bool attribute)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '&')
			buf_lit(b, "&amp;");
		else if (c == '<')
			buf_lit(b, "&lt;");
		else if (c == '>')
			buf_lit(b, "&gt;");
		else if (attribute && c == '"')
			buf_lit(b, "&quot;");
		else if (attribute && (c == '\n' || c == '\t'))
			buf_add_fmt(b, "&#%d;", c);
		else
			buf_add_char(b, c);
	}
}

static void
add_name(struct buf *b, struct str prefix, struct str name)
{
	if (prefix.n > 0) {
		buf_add(b, prefix);
		buf_add_char(b, ':');
	}
	buf_add(b, name);
}

static void
declare(struct buf *b, struct str prefix, struct str ns)
{
	buf_lit(b, " xmlns");
	if (prefix.n > 0) {
		buf_add_char(b, ':');
		buf_add(b, prefix);
	}
	buf_lit(b, "=\"");
	add_escaped(b, ns, true);
	buf_add_char(b, '"');
}

static void
add_open(struct buf *b, const struct xml_node *n, bool top)
{
	const struct xml_node *up = n->parent;
	bool same = !top && up != NULL && str_eq(up->ns, n->ns) &&
	    str_eq(up->prefix, n->prefix);

	buf_add_char(b, '<');
	add_name(b, n->prefix, n->name);
	if (!same && (n->ns.n > 0 || !top))
		declare(b, n->prefix, n->ns);
	for (const struct xml_attr *a = n->attrs; a != NULL; a = a->next) {
		bool xml = str_eq(a->prefix, S("xml"));

		if (a->ns.n > 0 && !xml && !str_eq(a->prefix, n->prefix))
			declare(b, a->prefix, a->ns);
		buf_add_char(b, ' ');
		add_name(b, a->prefix, a->name);
		buf_lit(b, "=\"");
		add_escaped(b, a->value, true);
		buf_add_char(b, '"');
	}
	buf_lit(b, ">");
}

void
xml_add(struct buf *b, const struct xml_node *n)
{
	const struct xml_node *at = n;

	/* In document order, without recursion. */
	for (;;) {
		if (at->name.n == 0)
			add_escaped(b, at->text, false);
		else
			add_open(b, at, at == n);
		if (at->first != NULL) {
			at = at->first;
			continue;
		}
		for (;;) {
			if (at->name.n > 0) {
				buf_lit(b, "</");
				add_name(b, at->prefix, at->name);
				buf_add_char(b, '>');
			}
			if (at == n)
				return;
			if (at->next != NULL)
				break;
			at = at->parent;
		}
		at = at->next;
	}
}

void
xml_add_text(struct buf *b, const struct xml_node *n)
{
	for (const struct xml_node *c = n->first; c != NULL; c = c->next)
		if (c->name.n == 0)
			buf_add(b, c->text);
}

bool
xml_is_blank(const struct xml_node *text)
{
	return text->name.n == 0 && str_trim(text->text).n == 0;
}
