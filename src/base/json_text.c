/*
 * json_text.c - strings and numbers as JSON text, without documents.
 *
 * What is written is valid JSON whatever goes in: bytes that are not UTF-8
 * become U+FFFD.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <yyjson.h>

#include "base/json_priv.h"

#define REPLACEMENT S("\xef\xbf\xbd")        /* U+FFFD */

/* Marks, of eight bytes, those that may not stand for themselves, and all beyond
 * ASCII; the lowest mark is exact. */
static uint64_t
odd_bytes(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof w);
	return json_stops(w) | (w & JSON_HIGH);
}

/* The end of the run from i that needs no escape. */
static size_t
plain_run(struct str s, size_t i)
{
	while (i < s.n) {
		uint64_t odd = i + 8 <= s.n ? odd_bytes(s.p + i) : 1;
		unsigned char c;
		size_t n = 1;

		if (odd == 0) {
			i += 8;
			continue;
		}
		i += (size_t)__builtin_ctzll(odd) / 8;
		c = (unsigned char)s.p[i];
		if (json_is_stop((char)c))
			break;
		if (c >= 0x80)
			n = str_utf8_step(str_sub(s, i, s.n));
		if (n == 0)
			break;
		i += n;
	}
	return i;
}

static void
add_escape(struct buf *b, unsigned char c)
{
	static const char shorts[] = "btn.fr";       /* 8 to 13; 11 has none */

	if (c == '"' || c == '\\')
		buf_add(b, (struct str){ (char[]){ '\\', (char)c }, 2 });
	else if (c >= 0x80)
		buf_add(b, REPLACEMENT);
	else if (c >= '\b' && c <= '\r' && c != '\v')
		buf_add(b, (struct str){ (char[]){ '\\', shorts[c - '\b'] }, 2 });
	else
		buf_add_fmt(b, "\\u%04x", c);
}

void
json_add_escaped(struct buf *b, struct str s)
{
	size_t i = 0;

	for (;;) {
		size_t end = plain_run(s, i);

		if (end > i)
			buf_add(b, str_sub(s, i, end - i));
		if (end == s.n || b->failed)
			return;
		add_escape(b, (unsigned char)s.p[end]);
		i = end + 1;
	}
}

void
json_add_str(struct buf *b, struct str s)
{
	char *to;

	if (plain_run(s, 0) < s.n) {
		buf_add_char(b, '"');
		json_add_escaped(b, s);
		buf_add_char(b, '"');
		return;
	}
	to = buf_room(b, s.n + 2);           /* most names and words: one copy */
	if (to == NULL)
		return;
	*to++ = '"';
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	to[s.n] = '"';
	buf_added(b, s.n + 2);
}

void
json_add_key(struct buf *b, const char *key)
{
	json_add_comma(b);
	json_add_str(b, str_of(key));
	buf_add_char(b, ':');
}

void
json_add_raw(struct buf *b, const char *key, struct str raw)
{
	json_add_key(b, key);
	buf_add_char(b, '"');
	buf_add(b, raw);
	buf_add_char(b, '"');
}

void
json_add_double(struct buf *b, double d)
{
	_Alignas(16) char memory[512];       /* for one number, so no malloc */
	yyjson_alc pool;
	yyjson_val v = { 0 };
	char *text;
	size_t n;

	if (!isfinite(d)) {
		buf_lit(b, "null");
		return;
	}
	if (!yyjson_alc_pool_init(&pool, memory, sizeof memory))
		abort();
	yyjson_set_real(&v, d);
	text = yyjson_val_write_opts(&v, YYJSON_WRITE_NOFLAG, &pool, &n, NULL);
	assert(text != NULL);
	buf_add(b, (struct str){ text, n });
}

/* ---- decoding -------------------------------------------------------------- */

/* The escape whose letter is s[i] == 'u'; returns the index past it, 0 when
 * it is none.  Half a surrogate pair becomes U+FFFD. */
static size_t
decode_u(struct str s, size_t i, struct buf *out)
{
	int32_t c = json_hex4(s.p + i + 1, s.p + s.n), low;

	if (c < 0)
		return 0;
	i += 5;
	if (c < 0xd800 || c > 0xdfff) {
		buf_add_utf8(out, (uint32_t)c);
		return i;
	}
	if (c < 0xdc00 && i + 1 < s.n && s.p[i] == '\\' && s.p[i + 1] == 'u') {
		low = json_hex4(s.p + i + 2, s.p + s.n);
		if (low >= 0xdc00 && low <= 0xdfff) {
			buf_add_utf8(out, 0x10000 +
			    ((uint32_t)(c - 0xd800) << 10 | (uint32_t)(low - 0xdc00)));
			return i + 6;
		}
	}
	buf_add(out, REPLACEMENT);
	return i;
}

/* The escape whose letter is s[i]; returns the index past it, 0 for none. */
static size_t
decode_escape(struct str s, size_t i, struct buf *out)
{
	static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (i >= s.n)
		return 0;
	if (s.p[i] == 'u')
		return decode_u(s, i, out);
	at = memchr(letters, s.p[i], sizeof letters - 1);
	if (at == NULL)
		return 0;
	buf_add_char(out, bytes[at - letters]);
	return i + 1;
}

int
json_unescape(struct str raw, struct buf *out)
{
	size_t i = 0, before = out->n;

	while (i < raw.n && !out->failed) {
		size_t end = (size_t)(json_plain_end(raw.p + i, raw.p + raw.n) - raw.p);

		if (end > i)
			buf_add(out, str_sub(raw, i, end - i));
		if (end == raw.n)
			break;
		i = raw.p[end] == '\\' ? decode_escape(raw, end + 1, out) : 0;
		if (i == 0) {
			buf_cut(out, before);
			return ERR_SYNTAX;
		}
	}
	return out->failed ? ERR_TOOBIG : OK;
}

/* ---- templates ------------------------------------------------------------- */

struct spec {                                /* between % and the conversion */
	bool raw, size;
	int bytes, longs, shorts;            /* bytes: -1 up to the NUL */
};

static const char *
spec_read(const char *p, struct spec *s, va_list *ap)
{
	*s = (struct spec){ .bytes = -1 };
	if (*p == '-')
		p++, s->raw = true;
	if (p[0] == '.' && p[1] == '*')
		p += 2, s->bytes = va_arg(*ap, int);
	else if (p[0] == '.')
		p += 2, s->bytes = p[-1] - '0';
	for (; *p == 'l' || *p == 'h' || *p == 'z'; p++) {
		s->longs += *p == 'l';
		s->shorts += *p == 'h';
		s->size |= *p == 'z';
	}
	return p;
}

static void
add_text(struct buf *b, const struct spec *s, const char *p)
{
	struct str text = s->bytes < 0 ? str_of(p) : (struct str){ p, (size_t)s->bytes };

	if (s->raw)
		buf_add(b, text);
	else
		json_add_str(b, text);
}

static void
add_integer(struct buf *b, const struct spec *s, va_list *ap)
{
	long long i = s->longs == 2 ? va_arg(*ap, long long) :
	    s->longs == 1 ? va_arg(*ap, long) : va_arg(*ap, int);

	if (s->shorts == 2)
		buf_add(b, i != 0 ? S("true") : S("false"));
	else
		buf_add_i64(b, i);
}

static void
add_unsigned(struct buf *b, const struct spec *s, va_list *ap)
{
	buf_add_u64(b, s->size ? va_arg(*ap, size_t) :
	    s->longs == 2 ? va_arg(*ap, unsigned long long) :
	    s->longs == 1 ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned));
}

/* One conversion, after its %; returns the byte behind it. */
static const char *
add_one(struct buf *b, const char *p, va_list *ap)
{
	struct spec s;

	p = spec_read(p, &s, ap);
	switch (*p) {
	case 's':
		add_text(b, &s, va_arg(*ap, const char *));
		break;
	case 'd':
		add_integer(b, &s, ap);
		break;
	case 'u':
		add_unsigned(b, &s, ap);
		break;
	case 'f':
		buf_add_fmt(b, "%.*f", s.bytes, va_arg(*ap, double));
		break;
	default:
		assert(*p == 'p');
		json_add_node(b, va_arg(*ap, void *));
		break;
	}
	return p + 1;
}

void
json_add_vfmt(struct buf *b, const char *format, va_list args)
{
	va_list ap;

	if (*format == ',') {
		json_add_comma(b);
		format++;
	}
	va_copy(ap, args);
	while (*format != '\0') {
		const char *from = format;

		while (*format != '\0' && *format != '\'' && *format != '%')
			format++;
		buf_add(b, (struct str){ from, (size_t)(format - from) });
		if (*format == '%') {
			format = add_one(b, format + 1, &ap);
		} else if (*format == '\'') {
			buf_add_char(b, '"');
			format++;
		}
	}
	va_end(ap);
}

void
json_add_fmt(struct buf *b, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	json_add_vfmt(b, format, ap);
	va_end(ap);
}
