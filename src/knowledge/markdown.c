/*
 * markdown.c - Markdown to blocks, by cmark's tree (CommonMark).
 *
 * The tree is walked by cmark's iterator, so no depth of nesting is a depth of calls.
 * Tables are not CommonMark: a paragraph whose second line is a row of dashes is one.
 * Blocks of HTML are read as HTML.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cmark.h>

#include "knowledge/knowledge_priv.h"

#define INLINE_BYTES   (3 * (size_t)LIMIT_KNOWLEDGE_DOCUMENT_BYTES)
#define TABLE_HEAD     200                   /* bytes of a first row that pieces repeat */
#define INDENT_LEVELS  8

struct walk {
	struct reader *r;
	struct buf text;                     /* of the paragraph or heading that is open */
	bool exact;
	unsigned lists;                      /* open ones */
	int rc;
	struct err *e;
};

/* ---- front matter ------------------------------------------------------------------------ */

static void
take_title(struct reader *r, struct str line)
{
	struct str value;

	if (!str_starts(line, S("title:")) && !str_starts(line, S("title =")))
		return;
	value = str_trim(str_sub(line, line.p[5] == ':' ? 6 : 7, line.n));
	if (value.n > 1 && (value.p[0] == '"' || value.p[0] == '\'') &&
	    value.p[value.n - 1] == value.p[0])
		value = str_sub(value, 1, value.n - 2);
	r->title = arena_str(r->a, str_cut(value, 200));
}

/* Between two lines of --- (or +++) at the very start: it is no text. */
static struct str
without_front(struct reader *r, struct str text)
{
	struct str mark = str_sub(text, 0, 3), rest = text, line;
	unsigned lines = 0;
	bool front = str_eq(mark, S("---")) || str_eq(mark, S("+++"));

	if (!front || !str_next(&rest, '\n', &line) || !str_eq(str_trim(line), mark))
		return text;
	for (lines = 1; str_next(&rest, '\n', &line); lines++)
		if (str_eq(str_trim(line), mark)) {
			r->shift = lines + 1;
			return rest;
		}
	return text;
}

static void
front_title(struct reader *r, struct str front)
{
	struct str line;

	while (r->title.n == 0 && str_next(&front, '\n', &line))
		take_title(r, line);
}

/* ---- paragraphs --------------------------------------------------------------------------- */

/* A row of | --- | :-: | */
static bool
is_rule(struct str line)
{
	bool dash = false, bar = false;

	for (size_t i = 0; i < line.n; i++) {
		dash = dash || line.p[i] == '-';
		bar = bar || line.p[i] == '|';
		if (str_index(S("|-: \t"), line.p[i]) < 0)
			return false;
	}
	return dash && bar;
}

/* Bytes of a table's first two lines; 0: it is no table. */
static size_t
table_head(struct str text)
{
	struct str rest = text, first, second;

	if (!str_next(&rest, '\n', &first) || !str_next(&rest, '\n', &second) ||
	    str_index(first, '|') < 0 || !is_rule(second) || rest.n == 0 ||
	    first.n + second.n + 1 > TABLE_HEAD)
		return 0;
	return first.n + second.n + 1;
}

/* An item carries its number, as the tree has only the first of a list; to count from
 * there for each would take the square of a long list. */
static void
number_item(cmark_node *item)
{
	cmark_node *before = cmark_node_previous(item);

	cmark_node_set_user_data(item, before == NULL ?
	    (void *)(intptr_t)cmark_node_get_list_start(cmark_node_parent(item)) :
	    (void *)((intptr_t)cmark_node_get_user_data(before) + 1));
}

/* The mark of the item that the paragraph begins; an indentation of those below it. */
static void
add_mark(struct buf *b, const struct walk *w, cmark_node *node)
{
	cmark_node *item = cmark_node_parent(node), *list = cmark_node_parent(item);
	unsigned depth = w->lists < INDENT_LEVELS ? w->lists : INDENT_LEVELS;

	for (unsigned i = 1; i < depth; i++)
		buf_lit(b, "  ");
	if (cmark_node_previous(node) != NULL) {
		buf_lit(b, "  ");
	} else if (cmark_node_get_list_type(list) != CMARK_ORDERED_LIST) {
		buf_lit(b, "- ");
	} else {
		buf_add_fmt(b, "%lld. ", (long long)(intptr_t)cmark_node_get_user_data(item));
	}
}

static void
paragraph(struct walk *w, cmark_node *node)
{
	bool item = cmark_node_get_type(cmark_node_parent(node)) == CMARK_NODE_ITEM;
	struct buf b = BUF(INLINE_BYTES + KB);
	struct block one = { .first = (unsigned)cmark_node_get_start_line(node),
	    .last = (unsigned)cmark_node_get_end_line(node), .exact = w->exact };
	size_t head;

	if (item)
		add_mark(&b, w, node);
	buf_add(&b, buf_str(&w->text));
	one.text = buf_str(&b);
	one.tight = item && (w->lists > 1 ||
	    cmark_node_previous(cmark_node_parent(node)) != NULL ||
	    cmark_node_previous(node) != NULL);
	head = table_head(one.text);
	if (head > 0) {
		one.head = str_sub(one.text, 0, head);
		one.text = str_sub(one.text, head + 1, one.text.n);
		one.first += 2;
		one.whole = true;
	}
	reader_add_block(w->r, &one);
	buf_release(&b);
}

/* ---- other blocks --------------------------------------------------------------------------- */

static void
code(struct walk *w, cmark_node *node)
{
	struct str text = str_of(cmark_node_get_literal(node));
	unsigned first = (unsigned)cmark_node_get_start_line(node);
	unsigned last = (unsigned)cmark_node_get_end_line(node), lines = 0;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	reader_add_code(w->r, text, str_of(cmark_node_get_fence_info(node)), first, last,
	    last > first && last - first + 1 > lines);
}

static void
html(struct walk *w, cmark_node *node)
{
	unsigned shift = w->r->shift;

	w->r->shift += (unsigned)cmark_node_get_start_line(node) - 1;
	w->rc = read_html(w->r, str_of(cmark_node_get_literal(node)), w->e);
	w->r->shift = shift;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static void
on_inline(struct walk *w, cmark_node *node)
{
	struct str literal = str_of(cmark_node_get_literal(node));

	switch ((int)cmark_node_get_type(node)) {
	case CMARK_NODE_TEXT:
		buf_add(&w->text, literal);
		break;
	case CMARK_NODE_CODE:
		buf_add_char(&w->text, '`');
		buf_add(&w->text, literal);
		buf_add_char(&w->text, '`');
		break;
	case CMARK_NODE_SOFTBREAK:
	case CMARK_NODE_LINEBREAK:
		buf_add_char(&w->text, '\n');
		break;
	case CMARK_NODE_HTML_INLINE:
		if (str_starts(literal, S("<br")))
			buf_add_char(&w->text, ' ');
		w->exact = w->exact && str_index(literal, '\n') < 0;
		break;
	default:
		break;
	}
}

static void
on_enter(struct walk *w, cmark_node *node)
{
	switch ((int)cmark_node_get_type(node)) {
	case CMARK_NODE_PARAGRAPH:
	case CMARK_NODE_HEADING:
		buf_clear(&w->text);
		w->exact = true;
		break;
	case CMARK_NODE_LIST:
		w->lists++;
		break;
	case CMARK_NODE_ITEM:
		number_item(node);
		break;
	case CMARK_NODE_CODE_BLOCK:
		code(w, node);
		break;
	case CMARK_NODE_HTML_BLOCK:
		html(w, node);
		break;
	default:
		on_inline(w, node);
	}
}

static void
on_exit(struct walk *w, cmark_node *node)
{
	switch ((int)cmark_node_get_type(node)) {
	case CMARK_NODE_PARAGRAPH:
		paragraph(w, node);
		break;
	case CMARK_NODE_HEADING:
		reader_add_heading(w->r, (unsigned)cmark_node_get_heading_level(node),
		    buf_str(&w->text), (unsigned)cmark_node_get_start_line(node));
		break;
	case CMARK_NODE_LIST:
		w->lists--;
		break;
	default:
		break;
	}
}

int
read_markdown(struct reader *r, struct str text, struct err *e)
{
	struct str body = without_front(r, text);
	struct walk w = { .r = r, .text = BUF(INLINE_BYTES), .e = e };
	cmark_node *root = cmark_parse_document(body.n > 0 ? body.p : "", body.n,
	    CMARK_OPT_DEFAULT);
	cmark_iter *it = cmark_iter_new(root);
	cmark_event_type ev;

	front_title(r, str_sub(text, 0, text.n - body.n));
	while (w.rc == OK && (ev = cmark_iter_next(it)) != CMARK_EVENT_DONE) {
		if (ev == CMARK_EVENT_ENTER)
			on_enter(&w, cmark_iter_get_node(it));
		else
			on_exit(&w, cmark_iter_get_node(it));
	}
	cmark_iter_free(it);
	cmark_node_free(root);
	buf_release(&w.text);
	return w.rc;
}
