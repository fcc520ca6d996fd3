/*
 * log_json.c - a line of the log as a JSON object.
 *
 * It is made from the text form, so that no event is written in two ways:
 * `ts level room event key=value ...` becomes {"ts":..,"level":..,"room":..,
 * "event":..,"key":value,...}.  Numbers, true and false stay what they are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log_priv.h"

#include <ctype.h>

#include "base/hmac.h"
#include "base/json.h"

/* One value without its quotes and escapes; quotes may begin in its middle.
 * Moves *rest behind it. */
static void
take_value(struct str *rest, struct buf *out, bool *quoted)
{
	size_t i = 0;
	bool inside = false;

	*quoted = false;
	for (; i < rest->n && (inside || rest->p[i] != ' '); i++) {
		char c = rest->p[i];
		struct str hex;
		uint8_t byte;

		if (c == '"') {
			inside = !inside;
			*quoted = true;
		} else if (inside && c == '\\' && i + 1 < rest->n) {
			hex = str_sub(*rest, i + 2, 2);
			if (rest->p[i + 1] == 'x' && hex_decode(hex, &byte, 1)) {
				buf_add_char(out, (char)byte);
				i += 3;
			} else {
				buf_add_char(out, rest->p[++i]);
			}
		} else {
			buf_add_char(out, c);
		}
	}
	*rest = str_sub(*rest, i, rest->n);
}

/* What JSON takes as it stands: a decimal number, true, false. */
static bool
is_literal(struct str s)
{
	size_t i = s.n > 0 && s.p[0] == '-', digits = 0, points = 0;
	bool zero = s.n > i + 1 && s.p[i] == '0' && s.p[i + 1] != '.';

	if (str_eq(s, S("true")) || str_eq(s, S("false")))
		return true;
	for (; i < s.n; i++) {
		if (s.p[i] == '.' && digits > 0 && points == 0 && i + 1 < s.n)
			points++;
		else if (isdigit((unsigned char)s.p[i]))
			digits++;
		else
			return false;
	}
	return digits > 0 && digits <= 15 && !zero;
}

static void
add_member(struct buf *out, struct str key, struct str value, bool quoted)
{
	buf_add_char(out, out->n > 0 ? ',' : '{');
	json_add_fmt(out, !quoted && is_literal(value) ? "%.*s:%-.*s" : "%.*s:%.*s",
	    FMT(key), FMT(value));
}

/* Cuts "key" off "key=value ..."; a word without '=' is its own value. */
static struct str
take_key(struct str *rest)
{
	struct str key = { rest->p, 0 };

	while (key.n < rest->n && rest->p[key.n] != '=' && rest->p[key.n] != ' ')
		key.n++;
	if (key.n == rest->n || rest->p[key.n] == ' ')
		return S("text");
	*rest = str_sub(*rest, key.n + 1, rest->n);
	return key;
}

void
log_json_add(struct buf *out, struct str line, size_t max)
{
	static const char *const head[] = { "ts", "level", "room", "event" };
	struct buf value = BUF(KB * 4);

	for (size_t i = 0; line.n > 0; i++) {
		struct str key;
		size_t before = out->n;
		bool quoted;

		buf_clear(&value);
		key = i < COUNT(head) ? str_of(head[i]) : take_key(&line);
		take_value(&line, &value, &quoted);
		add_member(out, key, buf_str(&value), quoted || i < COUNT(head));
		if (out->failed || out->n + sizeof ",\"cut\":true}" > max) {
			buf_cut(out, before);
			out->failed = false;
			buf_lit(out, ",\"cut\":true");
			break;
		}
		line = str_sub(line, 1, line.n);     /* the blank */
	}
	buf_add_char(out, '}');
	buf_release(&value);
}
