/*
 * tree_json.c - JSON to a tree, by base/scan.h.
 *
 * The text is checked as a whole first, for the words of its errors; so the walk
 * cannot fail, but for the limits of a tree and keys that are given twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/tree.h"

#include <stdio.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/scan.h"

struct reader {
	struct tree_builder b;
	struct scan s;
	const char *counted;                 /* the place of this character */
	struct tree_place at;
	struct buf text;                     /* a decoded string */
};

/* Places are asked for in the order of the text. */
static struct tree_place
place_of(struct reader *r, const char *p)
{
	for (; r->counted < p; r->counted++) {
		if (*r->counted == '\n') {
			r->at.line++;
			r->at.column = 1;
		} else if (((unsigned char)r->counted[1] & 0xc0) != 0x80) {
			r->at.column++;
		}
	}
	return r->at;
}

static struct str
decoded(struct reader *r, struct str raw)
{
	buf_clear(&r->text);
	json_unescape(raw, &r->text);
	return buf_str(&r->text);
}

static void read_value(struct reader *r);

static void
read_members(struct reader *r, struct tree_place at)
{
	bool first = true;
	struct str key;

	tree_add(&r->b, TREE_MAP, at);
	scan_open(&r->s, '{');
	while (r->b.rc == OK && scan_member(&r->s, &first, &key)) {
		struct tree_place key_at = place_of(r, key.p - 1);

		tree_key(&r->b, decoded(r, key), key_at);
		read_value(r);
	}
	tree_close(&r->b);
}

static void
read_elements(struct reader *r, struct tree_place at)
{
	bool first = true;

	tree_add(&r->b, TREE_LIST, at);
	scan_open(&r->s, '[');
	while (r->b.rc == OK && scan_element(&r->s, &first))
		read_value(r);
	tree_close(&r->b);
}

static void
read_scalar(struct reader *r, struct tree_place at)
{
	struct str raw;
	struct tree_node *n;
	char c;

	if (!scan_value(&r->s, &raw) || raw.n == 0) {
		tree_stop(&r->b, ERR_SYNTAX, at, "malformed JSON");
		return;
	}
	c = raw.p[0];
	n = tree_add(&r->b, c == '"' ? TREE_STRING : c == 'n' ? TREE_NULL :
	    c == 't' || c == 'f' ? TREE_BOOL : TREE_NUMBER, at);
	if (n == NULL)
		return;
	n->truth = c == 't';
	if (n->kind == TREE_STRING)
		tree_set_text(&r->b, n, decoded(r, str_sub(raw, 1, raw.n - 2)));
	else if (n->kind == TREE_NUMBER)
		tree_set_text(&r->b, n, raw);
}

/* Recursion is bounded by LIMIT_AGENT_DEPTH. */
static void
read_value(struct reader *r)
{
	char c = scan_peek(&r->s);
	struct tree_place at = place_of(r, r->s.p);

	if (r->b.rc != OK)
		return;
	if (c == '{')
		read_members(r, at);
	else if (c == '[')
		read_elements(r, at);
	else
		read_scalar(r, at);
}

/* `line N, column M: words` as `file:N:M: words` */
static int
syntax_error(struct tree_builder *b, const struct err *why)
{
	struct tree_place at = { 1, 1 };

	if (sscanf(why->text, "line %u, column %u:", &at.line, &at.column) != 2)
		at = (struct tree_place){ 1, 1 };
	const char *words = strstr(why->text, ": ");
	tree_stop(b, why->code, at, "not JSON: %s",
	    str_starts(str_of(why->text), S("line ")) && words != NULL ? words + 2 :
	    why->text);
	return b->rc;
}

int
tree_read_json(struct tree *t, struct str text, struct str file, struct err *e)
{
	struct reader r = { .b = { .t = t, .e = e }, .s = scan_of(text),
		.counted = text.p, .at = { 1, 1 }, .text = BUF(LIMIT_AGENT_BYTES) };
	struct err why = { 0 };

	tree_begin(t, file);
	r.b.rc = tree_check_text(t, text, e);
	if (r.b.rc != OK)
		return r.b.rc;
	if (json_check(text, &why) != OK)
		return syntax_error(&r.b, &why);
	read_value(&r);
	buf_release(&r.text);
	if (r.b.rc == OK && !scan_end(&r.s))
		tree_stop(&r.b, ERR_SYNTAX, r.at, "malformed JSON");
	return r.b.rc;
}
