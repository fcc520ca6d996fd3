/*
 * buf.c - owned, growing bytes.
 *
 * Capacity doubles up to max + 1 (the NUL).  A failed buf takes nothing more
 * until it is cleared, so what it holds is always a true prefix.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/buf.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BUF_FIRST 64

void
buf_release(struct buf *b)
{
	free(b->p);
	*b = BUF(b->max);
}

void
buf_clear(struct buf *b)
{
	b->n = 0;
	b->failed = false;
	if (b->p != NULL)
		b->p[0] = '\0';
}

struct str
buf_str(const struct buf *b)
{
	return (struct str){ b->p, b->n };
}

static void
check_buf(const struct buf *b)
{
	assert((b->p == NULL) == (b->cap == 0) && b->cap <= b->max + 1);
	assert(b->n <= b->max && (b->cap == 0 ? b->n == 0 : b->n < b->cap));
}

static void
grow(struct buf *b, size_t need)
{
	size_t cap = b->cap < BUF_FIRST ? BUF_FIRST : b->cap;

	assert(need <= b->max + 1);
	while (cap < need && cap <= b->max / 2)
		cap *= 2;
	if (cap < need || cap > b->max + 1)
		cap = b->max + 1;
	b->p = mem_resize(b->p, cap);
	b->cap = cap;
}

char *
buf_room(struct buf *b, size_t n)
{
	check_buf(b);
	if (b->failed || n > b->max - b->n) {
		b->failed = true;
		return NULL;
	}
	if (b->cap - b->n <= n)
		grow(b, b->n + n + 1);
	return b->p + b->n;
}

void
buf_added(struct buf *b, size_t n)
{
	check_buf(b);
	assert(n < b->cap - b->n);
	b->n += n;
	b->p[b->n] = '\0';
}

/* What buf_add has no room for at once: grow, or fail. */
void
buf_add_slow(struct buf *b, struct str s)
{
	char *to = buf_room(b, s.n);

	if (to == NULL)
		return;
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	buf_added(b, s.n);
}

void
buf_add_utf8(struct buf *b, uint32_t c)
{
	char t[4];

	if (c < 0x80) {
		buf_add_char(b, (char)c);
	} else if (c < 0x800) {
		t[0] = (char)(0xc0 | c >> 6);
		t[1] = (char)(0x80 | (c & 0x3f));
		buf_add(b, (struct str){ t, 2 });
	} else if (c < 0x10000) {
		t[0] = (char)(0xe0 | c >> 12);
		t[1] = (char)(0x80 | (c >> 6 & 0x3f));
		t[2] = (char)(0x80 | (c & 0x3f));
		buf_add(b, (struct str){ t, 3 });
	} else {
		t[0] = (char)(0xf0 | c >> 18);
		t[1] = (char)(0x80 | (c >> 12 & 0x3f));
		t[2] = (char)(0x80 | (c >> 6 & 0x3f));
		t[3] = (char)(0x80 | (c & 0x3f));
		buf_add(b, (struct str){ t, 4 });
	}
}

void
buf_add_mended(struct buf *b, struct str s)
{
	struct str good = { s.p, 0 };

	if (str_is_utf8(s)) {                /* it mostly is, and that is seen fast */
		buf_add(b, s);
		return;
	}
	while (good.n < s.n) {
		size_t step = str_utf8_step(str_sub(s, good.n, s.n));

		if (step > 0) {
			good.n += step;
			continue;
		}
		buf_add(b, good);
		buf_lit(b, "\xef\xbf\xbd");
		s = str_sub(s, good.n + 1, s.n);
		/* The rest of a character that began well is one mistake with it. */
		while (s.n > 0 && ((unsigned char)s.p[0] & 0xc0) == 0x80)
			s = str_sub(s, 1, s.n);
		good = (struct str){ s.p, 0 };
	}
	buf_add(b, good);
}

void
buf_add_u64(struct buf *b, uint64_t v)
{
	char digits[20], *p = digits + sizeof digits;

	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	buf_add(b, (struct str){ p, (size_t)(digits + sizeof digits - p) });
}

void
buf_add_i64(struct buf *b, int64_t v)
{
	char *sign;

	if (v >= 0) {
		buf_add_u64(b, (uint64_t)v);
		return;
	}
	sign = buf_room(b, 20);              /* both or nothing */
	if (sign == NULL)
		return;
	*sign = '-';
	buf_added(b, 1);
	buf_add_u64(b, 0 - (uint64_t)v);
}

#define FMT_MORE 64                          /* what values add to a format, mostly */

/* vsnprintf is slow where the room ends too soon, and then is called again. */
void
buf_add_vfmt(struct buf *b, const char *format, va_list ap)
{
	size_t likely = strlen(format) + FMT_MORE, left = b->max - b->n;
	va_list again;
	char *to;
	int n;

	if (buf_room(b, likely < left ? likely : left) == NULL)
		return;
	left = b->cap - b->n;
	va_copy(again, ap);
	n = vsnprintf(b->p + b->n, left, format, again);
	va_end(again);
	assert(n >= 0);                      /* our formats are literals */
	if ((size_t)n >= left) {
		b->p[b->n] = '\0';
		to = buf_room(b, (size_t)n);
		if (to == NULL)
			return;
		vsnprintf(to, (size_t)n + 1, format, ap);
	}
	buf_added(b, (size_t)n);
}

void
buf_add_fmt(struct buf *b, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	buf_add_vfmt(b, format, ap);
	va_end(ap);
}

void
buf_drop_front(struct buf *b, size_t n)
{
	check_buf(b);
	assert(n <= b->n);
	if (n == 0)
		return;
	b->n -= n;
	memmove(b->p, b->p + n, b->n + 1);
}

void
buf_cut(struct buf *b, size_t n)
{
	check_buf(b);
	assert(n <= b->n);
	if (n == b->n)
		return;
	b->n = n;
	b->p[n] = '\0';
}

void
buf_fit(struct buf *b)
{
	check_buf(b);
	if (b->p == NULL)
		return;
	b->cap = b->n + 1;
	b->p = mem_resize(b->p, b->cap);
}
