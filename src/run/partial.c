/*
 * partial.c - see partial_priv.h.
 *
 * One pass finds the longest prefix that becomes valid JSON by closing what
 * is open; the strict parser has the last word on it.
 *
 * Invariant: `cut` moves at every push and pop, so the stack of open
 * containers at the end of the text is the stack at the cut.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/partial_priv.h"

#include "base/json.h"
#include "base/limits.h"

struct scan {
	struct str s;
	char close[LIMIT_JSON_DEPTH];
	size_t depth;
	size_t cut;              /* s[0, cut) plus the closers is valid */
	bool key;                /* the next string is a member's name */
	bool open_string;        /* the text ends inside a value's string */
	size_t scalar;           /* where a number or word began; 0: none */
};

/* i is behind the opening quote; gives the index behind the closing one, or
 * past the end when it never comes. */
static size_t
scan_string(struct scan *c, size_t i)
{
	size_t whole = i;

	while (i < c->s.n && c->s.p[i] != '"') {
		size_t step = 1;

		if (c->s.p[i] == '\\')
			step = i + 1 < c->s.n && c->s.p[i + 1] == 'u' ? 6 : 2;
		i += step;
		if (i <= c->s.n)
			whole = i;
	}
	if (i < c->s.n)
		return i + 1;
	if (!c->key) {
		c->open_string = true;
		c->cut = whole;
	}
	return c->s.n + 1;
}

static bool
scan_push(struct scan *c, char close, size_t i)
{
	if (c->depth == COUNT(c->close))
		return false;
	c->close[c->depth++] = close;
	c->key = close == '}';
	c->cut = i + 1;
	return true;
}

static bool
scan_pop(struct scan *c, char close, size_t i)
{
	if (c->depth == 0 || c->close[c->depth - 1] != close)
		return false;
	c->depth--;
	c->key = false;
	c->cut = i + 1;
	return true;
}

static bool
scan_all(struct scan *c)
{
	for (size_t i = 0; i < c->s.n;) {
		char ch = c->s.p[i];
		bool ok = true;

		if (ch == '"') {
			bool key = c->key;

			i = scan_string(c, i + 1);
			if (i <= c->s.n && !key)
				c->cut = i;
			continue;
		}
		if (ch == '{' || ch == '[')
			ok = scan_push(c, ch == '{' ? '}' : ']', i);
		else if (ch == '}' || ch == ']')
			ok = scan_pop(c, ch, i);
		else if (ch == ':')
			c->key = false;
		else if (ch == ',')
			c->key = c->depth > 0 && c->close[c->depth - 1] == '}';
		else if (ch > ' ' && c->scalar == 0)
			c->scalar = i;
		if (ch == ',' || ch == '}' || ch == ']')
			c->scalar = 0;
		if (ch == ',' && c->cut < i)
			c->cut = i;      /* a number or word has ended here */
		if (!ok)
			return false;
		i++;
	}
	return true;
}

static bool
closed(const struct scan *c, size_t n, struct buf *out)
{
	struct buf text = BUF(LIMIT_LLM_BODY_BYTES);
	struct json_doc doc = { 0 };
	bool ok;

	buf_add(&text, str_sub(c->s, 0, n));
	if (c->open_string)
		buf_add_char(&text, '"');
	for (size_t i = c->depth; i > 0; i--)
		buf_add_char(&text, c->close[i - 1]);
	ok = !text.failed && json_parse(&doc, buf_str(&text), NULL) == OK &&
	    json_is_object(doc.root);
	if (ok)
		json_add_node(out, doc.root);
	json_release(&doc);
	buf_release(&text);
	return ok;
}

bool
partial_object(struct str text, struct buf *out)
{
	struct scan c = { .s = str_trim(text) };

	if (c.s.n == 0) {
		buf_lit(out, "{}");
		return true;
	}
	if (!scan_all(&c))
		return false;
	if (c.scalar > 0 && !c.open_string && closed(&c, c.s.n, out))
		return true;     /* it ends in a number or word that stands */
	return closed(&c, c.cut, out);
}
