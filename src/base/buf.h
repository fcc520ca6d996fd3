/*
 * buf.h - owned, growing bytes.
 *
 * A buf cannot be made without a maximum.  Appending past it sets `failed`
 * and leaves the contents as they were; the flag is sticky, so a run of
 * appends is checked once, at the end.  p[n] is always readable as NUL once
 * anything was appended.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <string.h>
#include "base/str.h"

struct buf {
	char *p;
	size_t n, cap, max;
	bool failed;
};

#define BUF(max_bytes) ((struct buf){ .max = (max_bytes) })

void buf_release(struct buf *b);             /* frees; b may be used again */
void buf_clear(struct buf *b);               /* empty, keeps the memory */
struct str buf_str(const struct buf *b);     /* borrowed until the next change */

/* Returns room for n more bytes at the end (NULL when past max); the caller
 * writes there and then calls buf_added. */
char *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);

void buf_add_slow(struct buf *b, struct str s);          /* buf_add's own */

/* Inline, for encoders are made of these.  cap <= max + 1, so what fits the
 * capacity fits the maximum. */
static inline void
buf_add(struct buf *b, struct str s)
{
	if (b->failed || b->cap - b->n <= s.n) {
		buf_add_slow(b, s);
		return;
	}
	if (s.n > 0)
		memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
	b->p[b->n] = '\0';
}

static inline void
buf_add_char(struct buf *b, char c)
{
	buf_add(b, (struct str){ &c, 1 });
}

void buf_add_utf8(struct buf *b, uint32_t c);            /* a code point */
/* s with U+FFFD for what is not UTF-8. */
void buf_add_mended(struct buf *b, struct str s);
void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_i64(struct buf *b, int64_t v);
void buf_add_fmt(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buf_add_vfmt(struct buf *b, const char *format, va_list ap);
void buf_drop_front(struct buf *b, size_t n);            /* moves the rest */
void buf_cut(struct buf *b, size_t n);                   /* keep the first n */
void buf_fit(struct buf *b);                 /* gives back the room that is over */
#define buf_lit(b, literal) buf_add((b), S(literal))

#endif
