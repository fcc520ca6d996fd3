/*
 * import_write.c - our YAML, written by the importers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/import_priv.h"
#include "base/json.h"

static void
indent(struct writer *w)
{
	buf_add_fmt(w->b, "%*s", (int)(2 * w->depth), "");
}

static void
add_key(struct writer *w, struct str key)
{
	bool plain = key.n > 0 && (key.p[0] == '_' || (key.p[0] | 0x20) >= 'a');

	for (size_t i = 0; i < key.n && plain; i++)
		plain = (key.p[i] >= '0' && key.p[i] <= '9') || key.p[i] == '_' ||
		    key.p[i] == '-' || ((key.p[i] | 0x20) >= 'a' && (key.p[i] | 0x20) <= 'z');
	plain = plain && !str_eq(key, S("true")) && !str_eq(key, S("false")) &&
	    !str_eq(key, S("null"));
	indent(w);
	if (plain)
		buf_add(w->b, key);
	else
		json_add_str(w->b, key);
	buf_add_char(w->b, ':');
}

void
write_open(struct writer *w, struct str key)
{
	add_key(w, key);
	buf_add_char(w->b, '\n');
	w->depth++;
}

void
write_close(struct writer *w)
{
	w->depth--;
}

/* Can it be a block, and is it better as one? */
static bool
is_block(struct str s)
{
	if (s.n == 0 || s.p[0] == ' ' || s.p[0] == '\n' || str_index(s, '\n') < 0 ||
	    str_ends(s, S("\n\n")) || !str_is_utf8(s))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\n' && s.p[i] != '\t') ||
		    s.p[i] == 0x7f || (unsigned char)s.p[i] == 0xc2 ||
		    (unsigned char)s.p[i] == 0xef)
			return false;            /* what YAML may not take as it is */
	return true;
}

void
write_text(struct writer *w, struct str key, struct str s)
{
	struct str line;

	add_key(w, key);
	if (!is_block(s)) {
		buf_add_char(w->b, ' ');
		json_add_str(w->b, s);
		buf_add_char(w->b, '\n');
		return;
	}
	buf_add(w->b, str_ends(s, S("\n")) ? S(" |\n") : S(" |-\n"));
	if (str_ends(s, S("\n")))
		s.n--;
	w->depth++;
	while (str_next(&s, '\n', &line)) {
		if (line.n > 0)
			indent(w);
		buf_add(w->b, line);
		buf_add_char(w->b, '\n');
	}
	w->depth--;
}

void
write_prompt(struct writer *w, struct str key, struct str s)
{
	struct buf b = BUF(16 * MB);

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '$' && i + 1 < s.n && s.p[i + 1] == '{')
			buf_lit(&b, "${'$'}");
		else
			buf_add_char(&b, s.p[i]);
	write_text(w, key, buf_str(&b));
	w->b->failed = w->b->failed || b.failed;
	buf_release(&b);
}

void
write_raw(struct writer *w, struct str key, const char *format, ...)
{
	va_list ap;

	add_key(w, key);
	buf_add_char(w->b, ' ');
	va_start(ap, format);
	buf_add_vfmt(w->b, format, ap);
	va_end(ap);
	buf_add_char(w->b, '\n');
}

void
write_node(struct writer *w, struct str key, const struct tree_node *n)
{
	struct val v = tree_val(n);

	add_key(w, key);
	buf_add_char(w->b, ' ');
	val_add_json(w->b, v);
	buf_add_char(w->b, '\n');
	val_drop(v);
}

void
write_names(struct writer *w, struct str key, const struct import_names *names)
{
	add_key(w, key);
	buf_lit(w->b, " [");
	for (size_t i = 0; i < names->n; i++) {
		if (i > 0)
			buf_lit(w->b, ", ");
		json_add_str(w->b, names->at[i]);
	}
	buf_lit(w->b, "]\n");
}

void
write_literal(struct buf *b, struct str s)
{
	json_add_str(b, s);
}
