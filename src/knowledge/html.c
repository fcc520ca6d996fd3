/*
 * html.c - HTML to blocks, by gumbo's tree (HTML5's parser).
 *
 * Gumbo compares each new element with the open ones and frees a tree by calls as deep
 * as it is.  So elements nested too deep are refused before it begins, and its memory
 * is an arena of the call.  It opens formatting that a block has closed anew in the next,
 * so that a tree may have many times the elements of its page: gumbo cannot be told that
 * there is no memory, and is left by a jump.
 *
 * SPDX-License-Identifier: MIT
 */
#include <gumbo.h>
#include <setjmp.h>

#include "knowledge/knowledge_priv.h"

#define TEXT_BYTES (3 * (size_t)LIMIT_KNOWLEDGE_DOCUMENT_BYTES)
#define TREE_TIMES 96                        /* `<p>` alone takes some 60 */
#define TREE_BYTES MB                        /* of a small page */
#define TABLE_HEAD 400                       /* bytes of heading rows that are repeated */

struct page {
	struct reader *r;
	struct buf text;                     /* of the block that is open, blanks collapsed */
	struct buf mark;                     /* "- ": what the next block begins with */
	unsigned first, last;                /* lines of its texts; 0: it has none yet */
	unsigned line;                       /* of the last element that was begun */
	unsigned pre;                        /* inside <pre> */
	unsigned lists, rows;
	struct str above;                    /* heading rows of the table */
	bool heads;                          /* all rows of the table so far are headings */
	bool tight;
};

/* ---- how deep ------------------------------------------------------------------------ */

/* Their end may be left out, or they have none: a page may have any number of them open. */
static const char *const open_ended[] = { "p", "li", "dt", "dd", "tr", "td", "th", "thead",
	"tbody", "tfoot", "option", "optgroup", "rt", "rp", "colgroup", "area", "base", "br",
	"col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
	"html", "head", "body", NULL };

static bool
is_one_of(struct str name, const char *const *names)
{
	for (size_t i = 0; names[i] != NULL; i++)
		if (str_eq_nocase(name, str_of(names[i])))
			return true;
	return false;
}

static bool
is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static struct str
tag_name(struct str s)
{
	size_t n = 0;

	while (n < s.n && str_index(S(" \t\n\f/>"), s.p[n]) < 0)
		n++;
	return str_sub(s, 0, n);
}

/* At least as deep as the tree will be; what is in comments and scripts counts too. */
static size_t
depth_of(struct str text)
{
	size_t depth = 0, most = 0;

	for (size_t i = 0; i + 1 < text.n; i++) {
		bool ends = text.p[i + 1] == '/';
		struct str rest = str_sub(text, i + 1 + ends, text.n);
		ptrdiff_t close;

		if (text.p[i] != '<' || rest.n == 0 || !is_letter(rest.p[0]) ||
		    is_one_of(tag_name(rest), open_ended))
			continue;
		close = ends ? -1 : str_index(str_sub(rest, 0, 4 * KB), '>');
		if (ends)
			depth -= depth > 0;
		else if (close <= 0 || rest.p[close - 1] != '/')
			depth++;
		most = depth > most ? depth : most;
	}
	return most;
}

/* ---- blocks ------------------------------------------------------------------------------ */

static void
flush(struct page *p)
{
	struct buf b = BUF(TEXT_BYTES + KB);

	if (str_trim(buf_str(&p->text)).n > 0) {
		buf_add(&b, buf_str(&p->mark));
		buf_add(&b, str_trim(buf_str(&p->text)));
		reader_add_block(p->r, &(struct block){ .text = buf_str(&b),
		    .first = p->first > 0 ? p->first : p->line, .last = p->last, .tight = p->tight,
		    .above = p->rows > 0 ? p->above : STR_NONE });
		buf_clear(&p->mark);
		p->tight = false;
	}
	buf_clear(&p->text);
	p->first = 0;
	buf_release(&b);
}

static void
add_char(struct page *p, char c)
{
	bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\f';
	char last = p->text.n > 0 ? p->text.p[p->text.n - 1] : '\n';

	if (p->pre > 0)
		buf_add_char(&p->text, c);
	else if (!blank)
		buf_add_char(&p->text, c);
	else if (last != ' ' && last != '\n')
		buf_add_char(&p->text, ' ');
}

static void
on_text(struct page *p, const GumboText *t)
{
	struct str s = str_of(t->text), raw = { t->original_text.data, t->original_text.length };

	if (str_trim(s).n > 0 && p->first == 0)
		p->first = p->last = t->start_pos.line;
	if (str_trim(s).n > 0) {
		unsigned line = t->start_pos.line;

		for (size_t i = 0; i < raw.n; i++)
			line += raw.p[i] == '\n';
		p->last = line > p->last ? line : p->last;
	}
	for (size_t i = 0; i < s.n; i++)
		add_char(p, s.p[i]);
}

static void walk(struct page *p, const GumboNode *node);

static void
walk_all(struct page *p, const GumboElement *el)
{
	for (unsigned i = 0; i < el->children.length; i++)
		walk(p, el->children.data[i]);
}

static void
on_heading(struct page *p, const GumboElement *el)
{
	unsigned level = (unsigned)(el->tag - GUMBO_TAG_H1) + 1, line = p->line;

	flush(p);
	walk_all(p, el);
	reader_add_heading(p->r, level, buf_str(&p->text), line);
	buf_clear(&p->text);
	buf_clear(&p->mark);
	p->first = 0;
}

static void
on_pre(struct page *p, const GumboElement *el)
{
	unsigned line = p->line;

	flush(p);
	p->pre++;
	walk_all(p, el);
	if (--p->pre > 0)
		return;
	reader_add_code(p->r, buf_str(&p->text), STR_NONE, line, p->last, false);
	buf_clear(&p->text);
	p->first = 0;
}

static void
on_item(struct page *p, const GumboElement *el, bool numbered, unsigned n)
{
	flush(p);
	buf_clear(&p->mark);
	for (unsigned i = 1; i < p->lists && i < 8; i++)
		buf_lit(&p->mark, "  ");
	if (numbered)
		buf_add_fmt(&p->mark, "%u. ", n);
	else
		buf_lit(&p->mark, "- ");
	p->tight = n > 1 || p->lists > 1;
	walk_all(p, el);
	flush(p);
	buf_clear(&p->mark);
}

static void
on_list(struct page *p, const GumboElement *el)
{
	unsigned n = 0;

	flush(p);
	p->lists++;
	for (unsigned i = 0; i < el->children.length; i++) {
		const GumboNode *c = el->children.data[i];

		if (c->type == GUMBO_NODE_ELEMENT && c->v.element.tag == GUMBO_TAG_LI)
			on_item(p, &c->v.element, el->tag == GUMBO_TAG_OL, ++n);
		else
			walk(p, c);
	}
	p->lists--;
	flush(p);
}

/* Has it cells, and all of them are headings? */
static bool
is_heading_row(const GumboElement *el)
{
	bool has = false;

	for (unsigned i = 0; i < el->children.length; i++) {
		const GumboNode *c = el->children.data[i];

		if (c->type == GUMBO_NODE_ELEMENT && c->v.element.tag == GUMBO_TAG_TD)
			return false;
		has = has || (c->type == GUMBO_NODE_ELEMENT && c->v.element.tag == GUMBO_TAG_TH);
	}
	return has;
}

/* The row that is open is one more of the headings, which the rows below may repeat. */
static void
add_above(struct page *p)
{
	struct buf b = BUF(TEXT_BYTES);

	buf_add(&b, p->above);
	if (b.n > 0)
		buf_add_char(&b, '\n');
	buf_add(&b, str_trim(buf_str(&p->text)));
	p->above = b.n <= TABLE_HEAD ? arena_str(p->r->a, buf_str(&b)) : STR_NONE;
	p->heads = p->above.n > 0;
	buf_release(&b);
}

/* Cells with bars between, a row a line. */
static void
on_row(struct page *p, const GumboElement *el)
{
	flush(p);
	p->tight = p->rows++ > 0;
	p->heads = p->heads && is_heading_row(el);
	walk_all(p, el);
	if (p->heads)
		add_above(p);
	flush(p);
	p->tight = false;
}

static void
on_cell(struct page *p, const GumboElement *el)
{
	if (p->text.n > 0)
		buf_lit(&p->text, " | ");
	walk_all(p, el);
}

static void
on_block(struct page *p, const GumboElement *el)
{
	flush(p);
	walk_all(p, el);
	flush(p);
}

static void
on_table(struct page *p, const GumboElement *el)
{
	struct page outer = { .rows = p->rows, .above = p->above, .heads = p->heads };

	flush(p);
	p->rows = 0;
	p->above = STR_NONE;
	p->heads = true;
	on_block(p, el);
	p->rows = outer.rows;
	p->above = outer.above;
	p->heads = outer.heads;
}

static void
on_break(struct page *p, const GumboElement *el)
{
	(void)el;
	buf_add_char(&p->text, '\n');
}

static void
on_image(struct page *p, const GumboElement *el)
{
	const GumboAttribute *alt = gumbo_get_attribute(&el->attributes, "alt");

	for (const char *c = alt != NULL ? alt->value : ""; *c != '\0'; c++)
		add_char(p, *c);
}

static void
on_title(struct page *p, const GumboElement *el)
{
	struct reader *r = p->r;

	flush(p);
	walk_all(p, el);
	if (r->title.n == 0)
		r->title = arena_str(r->a, str_cut(str_trim(buf_str(&p->text)), 200));
	buf_clear(&p->text);
	p->first = 0;
}

static void
leave_out(struct page *p, const GumboElement *el)
{
	(void)p;
	(void)el;
}

/* ---- elements -------------------------------------------------------------------------- */

typedef void on_element(struct page *p, const GumboElement *el);

/* The others stand within a line. */
static on_element *const elements[GUMBO_TAG_LAST] = {
	[GUMBO_TAG_TITLE] = on_title,
	[GUMBO_TAG_H1] = on_heading, [GUMBO_TAG_H2] = on_heading, [GUMBO_TAG_H3] = on_heading,
	[GUMBO_TAG_H4] = on_heading, [GUMBO_TAG_H5] = on_heading, [GUMBO_TAG_H6] = on_heading,
	[GUMBO_TAG_PRE] = on_pre, [GUMBO_TAG_UL] = on_list, [GUMBO_TAG_OL] = on_list,
	[GUMBO_TAG_MENU] = on_list, [GUMBO_TAG_TABLE] = on_table, [GUMBO_TAG_TR] = on_row,
	[GUMBO_TAG_TD] = on_cell, [GUMBO_TAG_TH] = on_cell, [GUMBO_TAG_BR] = on_break,
	[GUMBO_TAG_IMG] = on_image,
	[GUMBO_TAG_P] = on_block, [GUMBO_TAG_DIV] = on_block, [GUMBO_TAG_SECTION] = on_block,
	[GUMBO_TAG_ARTICLE] = on_block, [GUMBO_TAG_MAIN] = on_block,
	[GUMBO_TAG_HEADER] = on_block, [GUMBO_TAG_FOOTER] = on_block,
	[GUMBO_TAG_ASIDE] = on_block, [GUMBO_TAG_BLOCKQUOTE] = on_block,
	[GUMBO_TAG_FIGURE] = on_block, [GUMBO_TAG_FIGCAPTION] = on_block,
	[GUMBO_TAG_DL] = on_block, [GUMBO_TAG_DT] = on_block, [GUMBO_TAG_DD] = on_block,
	[GUMBO_TAG_FORM] = on_block, [GUMBO_TAG_FIELDSET] = on_block,
	[GUMBO_TAG_DETAILS] = on_block, [GUMBO_TAG_SUMMARY] = on_block,
	[GUMBO_TAG_ADDRESS] = on_block, [GUMBO_TAG_HR] = on_block,
	[GUMBO_TAG_CAPTION] = on_block, [GUMBO_TAG_LI] = on_block,
	[GUMBO_TAG_SCRIPT] = leave_out, [GUMBO_TAG_STYLE] = leave_out,
	[GUMBO_TAG_TEMPLATE] = leave_out, [GUMBO_TAG_NAV] = leave_out,
	[GUMBO_TAG_NOSCRIPT] = leave_out, [GUMBO_TAG_SVG] = leave_out,
	[GUMBO_TAG_MATH] = leave_out, [GUMBO_TAG_IFRAME] = leave_out,
	[GUMBO_TAG_OBJECT] = leave_out, [GUMBO_TAG_CANVAS] = leave_out,
	[GUMBO_TAG_BUTTON] = leave_out, [GUMBO_TAG_SELECT] = leave_out,
	[GUMBO_TAG_TEXTAREA] = leave_out,
};

static bool
is_hidden(const GumboElement *el)
{
	const GumboAttribute *aria = gumbo_get_attribute(&el->attributes, "aria-hidden");

	return gumbo_get_attribute(&el->attributes, "hidden") != NULL ||
	    (aria != NULL && str_eq_nocase(str_of(aria->value), S("true")));
}

static void
walk(struct page *p, const GumboNode *node)
{
	const GumboElement *el = &node->v.element;

	if (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE ||
	    node->type == GUMBO_NODE_CDATA) {
		on_text(p, &node->v.text);
	} else if (node->type == GUMBO_NODE_ELEMENT && !is_hidden(el)) {
		on_element *on = el->tag < GUMBO_TAG_LAST ? elements[el->tag] : NULL;

		p->line = el->start_pos.line > 0 ? el->start_pos.line : p->line;
		if (on != NULL)
			on(p, el);
		else
			walk_all(p, el);
	}
}

struct tree { struct arena arena; jmp_buf full; };

static void *
tree_alloc(void *ctx, size_t n)
{
	struct tree *tree = ctx;
	void *p = arena_alloc(&tree->arena, n > 0 ? n : 1);

	if (p == NULL)
		longjmp(tree->full, 1);
	return p;
}

static void
tree_free(void *ctx, void *p)
{
	(void)ctx;
	(void)p;
}

/* NULL: it grows too large. */
static const GumboOutput *
tree_parse(struct tree *tree, struct str text)
{
	GumboOptions options = kGumboDefaultOptions;

	options.allocator = tree_alloc;
	options.deallocator = tree_free;
	options.userdata = tree;
	options.max_errors = 0;
	if (setjmp(tree->full) != 0)
		return NULL;
	return gumbo_parse_with_options(&options, text.n > 0 ? text.p : "", text.n);
}

int
read_html(struct reader *r, struct str text, struct err *e)
{
	struct tree tree = { .arena = ARENA(TREE_BYTES + TREE_TIMES * text.n) };
	struct page p = { .r = r, .line = 1, .text = BUF(TEXT_BYTES), .mark = BUF(KB) };
	const GumboOutput *out;

	if (depth_of(text) > LIMIT_KNOWLEDGE_DEPTH)
		return err_set(e, ERR_TOOBIG, "elements nested deeper than %d",
		    LIMIT_KNOWLEDGE_DEPTH);
	out = tree_parse(&tree, text);
	if (out != NULL) {
		walk(&p, out->root);
		flush(&p);
	}
	arena_release(&tree.arena);
	buf_release(&p.text);
	buf_release(&p.mark);
	return out != NULL ? OK : err_set(e, ERR_TOOBIG, "its tree has more than %d bytes for "
	    "each of the text: formatting that is not closed, in many blocks", TREE_TIMES);
}
