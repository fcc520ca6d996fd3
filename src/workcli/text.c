/*
 * text.c - pieces of what the tracker prints: columns, colours, JSON with
 * indents.
 *
 * Texts of items may hold any bytes; control characters are replaced, so that none
 * reaches a terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "workcli/cmd.h"

struct str
cli_get_str(jnode o, const char *key)
{
	jnode n = json_get(o, str_of(key));

	return json_is_string(n) ? json_str(n) : S("");
}

int64_t
cli_get_int(jnode o, const char *key, int64_t fallback)
{
	jnode n = json_get(o, str_of(key));

	return json_is_int(n) ? json_int(n) : fallback;
}

/* ---- columns -------------------------------------------------------------------- */

/* Characters that take two columns on a terminal (East Asian letters, emoji) or
 * none (combining marks). */
static const struct { uint32_t from, to; size_t columns; } widths[] = {
	{ 0x0300, 0x036f, 0 }, { 0x1100, 0x115f, 2 }, { 0x200b, 0x200f, 0 },
	{ 0x20d0, 0x20ff, 0 }, { 0x231a, 0x231b, 2 }, { 0x23e9, 0x23ec, 2 },
	{ 0x26a1, 0x26a1, 2 }, { 0x2705, 0x2705, 2 }, { 0x2728, 0x2728, 2 },
	{ 0x274c, 0x274c, 2 }, { 0x2e80, 0x303e, 2 }, { 0x3041, 0xa4cf, 2 },
	{ 0xac00, 0xd7a3, 2 }, { 0xf900, 0xfaff, 2 }, { 0xfe00, 0xfe0f, 0 },
	{ 0xfe30, 0xfe6f, 2 }, { 0xff00, 0xff60, 2 }, { 0xffe0, 0xffe6, 2 },
	{ 0x1f300, 0x1f64f, 2 }, { 0x1f680, 0x1f6ff, 2 }, { 0x1f900, 0x1f9ff, 2 },
	{ 0x20000, 0x3fffd, 2 },
};

static size_t
columns_of(uint32_t c)
{
	for (size_t i = 0; i < COUNT(widths); i++) {
		if (c >= widths[i].from && c <= widths[i].to)
			return widths[i].columns;
	}
	return 1;
}

size_t
cli_text_width(struct str s)
{
	size_t n = 0, step;

	for (; s.n > 0; s = str_sub(s, step, s.n)) {
		unsigned char first = (unsigned char)s.p[0];
		uint32_t c = first;

		step = str_utf8_step(s);
		if (step == 0)
			step = 1;
		if (step > 1)
			c = first & (0xffu >> (step + 1));
		for (size_t i = 1; i < step; i++)
			c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
		n += columns_of(c);
	}
	return n;
}

static bool
is_control(struct str s, size_t i)
{
	unsigned char c = (unsigned char)s.p[i];

	/* U+0080 to U+009F are control characters, too */
	return c < 0x20 || c == 0x7f || (c == 0xc2 && i + 1 < s.n &&
	    (unsigned char)s.p[i + 1] < 0xa0);
}

static void
add_clean(struct buf *b, struct str s, bool lines)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_control(s, i) || (lines && (s.p[i] == '\n' || s.p[i] == '\t'))) {
			buf_add_char(b, s.p[i]);
			continue;
		}
		i += (unsigned char)s.p[i] == 0xc2;
		buf_add_char(b, ' ');
	}
}

void
cli_add_line(struct buf *b, struct str s)
{
	add_clean(b, s, false);
}

void
cli_add_lines(struct buf *b, struct str s)
{
	add_clean(b, s, true);
}

void
cli_add_padded(struct buf *b, struct str s, size_t width)
{
	cli_add_line(b, s);
	for (size_t n = cli_text_width(s); n < width; n++)
		buf_add_char(b, ' ');
}

/* ---- colours ----------------------------------------------------------------------- */

static const char *const inks[] = { "", "31", "32", "33", "34", "36", "2", "1" };

void
cli_add_ink(struct cli_ctx *x, enum ink ink, struct str s)
{
	if (x->colour && ink != INK_NONE)
		buf_add_fmt(x->out, "\033[%sm", inks[ink]);
	cli_add_line(x->out, s);
	if (x->colour && ink != INK_NONE)
		buf_lit(x->out, "\033[0m");
}

void
cli_add_word(struct cli_ctx *x, struct str word, size_t width)
{
	static const struct { const char *word; enum ink ink; } words[] = {
		{ "in_progress", INK_YELLOW }, { "blocked", INK_RED },
		{ "closed", INK_DIM }, { "deferred", INK_DIM }, { "bug", INK_RED },
		{ "feature", INK_GREEN }, { "epic", INK_BLUE },
	};
	enum ink ink = INK_NONE;

	for (size_t i = 0; i < COUNT(words); i++) {
		if (str_eq(word, str_of(words[i].word)))
			ink = words[i].ink;
	}
	cli_add_ink(x, ink, word);
	for (size_t n = cli_text_width(word); n < width; n++)
		buf_add_char(x->out, ' ');
}

void
cli_add_priority(struct cli_ctx *x, int64_t priority)
{
	char text[24];

	snprintf(text, sizeof text, "P%lld", (long long)priority);
	cli_add_ink(x, priority == 0 ? INK_RED : priority == 1 ? INK_YELLOW : INK_NONE,
	    str_of(text));
}

void
cli_add_time(struct buf *b, struct str rfc3339)
{
	cli_add_line(b, str_sub(rfc3339, 0, 10));
	buf_add_char(b, ' ');
	cli_add_line(b, str_sub(rfc3339, 11, 5));
	buf_add_char(b, ' ');
	if (str_ends(rfc3339, S("Z")) || str_ends(rfc3339, S("z")))
		buf_lit(b, "UTC");
	else if (rfc3339.n > 22)
		cli_add_line(b, str_sub(rfc3339, rfc3339.n - 6, 6));
}

/* ---- templates ------------------------------------------------------------------------ */

/* path: "id", or "lease.holder" for a member of a member.  NULL: absent. */
static jnode
member_at(jnode o, struct str path)
{
	struct str key;

	while (str_next(&path, '.', &key))
		o = json_get(o, key);
	return o;
}

static struct str
last_operand(const struct cli_ctx *x)
{
	assert(x->line->operands_n > 0);
	return x->line->operand[x->line->operands_n - 1];
}

static void
add_member(struct cli_ctx *x, struct str name, size_t width, jnode n)
{
	if (str_eq(name, S("priority")))
		cli_add_priority(x, json_is_int(n) ? json_int(n) : 0);
	else if (str_eq(name, S("status")) || str_eq(name, S("issue_type")))
		cli_add_word(x, json_str(n), width);
	else if (str_ends(name, S("_at")))
		cli_add_time(x->out, json_str(n));
	else if (json_is_string(n))
		cli_add_padded(x->out, json_str(n), width);
	else if (n != NULL)
		json_add_node(x->out, n);
}

/* The fields of a template that are no member of the answer. */
static bool
field_text(const struct cli_ctx *x, struct str name, struct str *text)
{
	assert(!str_eq(name, S("workspace")) || x->workspace != NULL);
	if (str_eq(name, S("program")))
		*text = str_of(x->program);
	else if (str_eq(name, S("workspace")))
		*text = str_of(x->workspace->dir);
	else if (str_eq(name, S("$")))
		*text = last_operand(x);
	else
		return false;
	return true;
}

static void
add_field(struct cli_ctx *x, jnode o, struct str field)
{
	struct str name, width, text;
	int64_t columns = 0;

	str_next(&field, ':', &name);
	if (str_next(&field, ':', &width))
		str_to_i64(width, &columns);
	if (str_eq(name, S("ok")))
		cli_add_ink(x, INK_GREEN, S("\xe2\x9c\x93"));
	else if (field_text(x, name, &text))
		cli_add_line(x->out, text);
	else
		add_member(x, name, (size_t)columns, member_at(o, name));
}

void
cli_add_fmt(struct cli_ctx *x, jnode o, const char *template)
{
	struct str rest = str_of(template), text, field;

	while (str_next(&rest, '<', &text)) {
		buf_add(x->out, text);
		if (str_next(&rest, '>', &field))
			add_field(x, o, field);
	}
}

void
cli_add_each(struct cli_ctx *x, jnode list, const char *template)
{
	struct json_iter it = json_each(list);

	while (json_next(&it))
		cli_add_fmt(x, it.value, template);
}

void
cli_add_if(struct cli_ctx *x, jnode o, const char *key, const char *template)
{
	jnode n = json_get(o, str_of(key));

	if (json_str(n).n > 0 || json_count(n) > 0 || json_is_int(n))
		cli_add_fmt(x, o, template);
}

void
cli_add_shape(struct cli_ctx *x, jnode o, const char *shape, struct buf *out)
{
	struct str rest = str_of(shape), text, field;

	while (str_next(&rest, '<', &text)) {
		for (size_t i = 0; i < text.n; i++)
			buf_add_char(out, text.p[i] == '\'' ? '"' : text.p[i]);
		if (!str_next(&rest, '>', &field))
			break;
		if (field_text(x, field, &text))
			json_add_str(out, text);
		else
			json_add_node(out, str_eq(field, S("*")) ? o :
			    member_at(o, field));
	}
}

void
cli_add_joined(struct cli_ctx *x, jnode list, enum ink ink, char separator)
{
	struct json_iter it = json_each(list);

	for (bool first = true; json_next(&it); first = false) {
		if (!first)
			buf_add_char(x->out, separator);
		cli_add_ink(x, ink, json_is_string(it.value) ? json_str(it.value) :
		    cli_get_str(it.value, "id"));
	}
}

/* ---- JSON --------------------------------------------------------------------------- */

static void
add_break(struct buf *b, size_t depth)
{
	buf_add_char(b, '\n');
	for (size_t i = 0; i < depth; i++)
		buf_lit(b, "  ");
}

/* The end of the string that begins at i. */
static size_t
string_end(struct str s, size_t i)
{
	for (i++; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\\')
			i++;
	}
	return i < s.n ? i + 1 : s.n;
}

void
cli_add_indented(struct buf *b, struct str json)
{
	size_t depth = 0, i = 0;

	while (i < json.n) {
		char c = json.p[i], next = i + 1 < json.n ? json.p[i + 1] : '\0';
		size_t end = i + 1;

		if (c == '"')
			end = string_end(json, i);
		if ((c == '}' || c == ']') && depth > 0)
			add_break(b, --depth);
		buf_add(b, str_sub(json, i, end - i));
		if ((c == '{' && next == '}') || (c == '[' && next == ']')) {
			buf_add_char(b, next);
			end++;
		} else if (c == '{' || c == '[') {
			add_break(b, ++depth);
		} else if (c == ',') {
			add_break(b, depth);
		} else if (c == ':') {
			buf_add_char(b, ' ');
		}
		i = end;
	}
	buf_add_char(b, '\n');
}

void
cli_add_json(struct cli_ctx *x, const char *format, ...)
{
	struct buf json = BUF(LIMIT_WORK_OUT_BYTES);
	va_list ap;

	va_start(ap, format);
	json_add_vfmt(&json, format, ap);
	va_end(ap);
	cli_add_indented(x->out, buf_str(&json));
	buf_release(&json);
}
