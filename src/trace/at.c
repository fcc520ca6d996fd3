/*
 * at.c - see at.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/at.h"

#include <string.h>

#include "base/hmac.h"

/* Upper-case digits are not allowed. */
static bool
lower_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	return true;
}

static uint64_t
read_span(const uint8_t b[8])
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | b[i];
	return v;
}

static void
write_span(uint8_t b[8], uint64_t v)
{
	for (size_t i = 0; i < 8; i++)
		b[i] = (uint8_t)(v >> (56 - 8 * i));
}

bool
trace_at_parse(struct str s, struct trace_at *out)
{
	struct trace_at at = { 0 };
	uint8_t version, span[8], flags;

	*out = at;
	s = str_trim(s);
	if (s.n < TRACE_PARENT_SIZE || s.p[2] != '-' || s.p[35] != '-' || s.p[52] != '-' ||
	    !lower_hex(str_sub(s, 0, 2)) || !lower_hex(str_sub(s, 3, 32)) ||
	    !lower_hex(str_sub(s, 36, 16)) || !lower_hex(str_sub(s, 53, 2)) ||
	    !hex_decode(str_sub(s, 0, 2), &version, 1) ||
	    !hex_decode(str_sub(s, 3, 32), at.trace.b, 16) ||
	    !hex_decode(str_sub(s, 36, 16), span, 8) ||
	    !hex_decode(str_sub(s, 53, 2), &flags, 1))
		return false;
	/* A later version may say more behind a dash; ff is none. */
	if (version == 0xff || (version == 0 && s.n != TRACE_PARENT_SIZE) ||
	    (s.n > TRACE_PARENT_SIZE && s.p[TRACE_PARENT_SIZE] != '-'))
		return false;
	at.span = read_span(span);
	at.sampled = (flags & 1) != 0;
	if (uuid_is_zero(&at.trace) || at.span == 0)
		return false;
	*out = at;
	return true;
}

void
trace_at_add(struct buf *b, const struct trace_at *at)
{
	uint8_t span[8];

	if (uuid_is_zero(&at->trace) || at->span == 0)
		return;
	write_span(span, at->span);
	buf_lit(b, "00-");
	hex_add(b, at->trace.b, 16);
	buf_add_char(b, '-');
	hex_add(b, span, 8);
	buf_add(b, at->sampled ? S("-01") : S("-00"));
}

void
trace_at_write(char out[TRACE_PARENT_SIZE + 1], const struct trace_at *at)
{
	struct buf b = BUF(TRACE_PARENT_SIZE);

	trace_at_add(&b, at);
	out[0] = '\0';
	if (b.n == TRACE_PARENT_SIZE)
		memcpy(out, b.p, TRACE_PARENT_SIZE + 1);
	buf_release(&b);
}

/* FNV-1a, and a last round in which each bit reaches all others. */
static uint64_t
mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *at = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ at[i]) * UINT64_C(0x100000001b3);
	return h;
}

uint64_t
trace_span_of(const struct uuid *id, struct str part, int64_t number)
{
	uint64_t h = mix(UINT64_C(0xcbf29ce484222325), id->b, sizeof id->b);
	uint8_t n[8];

	write_span(n, (uint64_t)number);
	h = mix(h, part.p, part.n);
	h = mix(h, n, sizeof n);
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return h != 0 ? h : 1;
}

uint64_t
trace_span_random(void)
{
	uint64_t v;

	id_random(&v, sizeof v);
	return v != 0 ? v : 1;
}

/* By the last 7 bytes: those that W3C asks to be random. */
bool
trace_in_ratio(const struct uuid *trace, double ratio)
{
	uint64_t v = read_span(trace->b + 8) & UINT64_C(0x00ffffffffffffff);

	return ratio >= 1 || (double)v < ratio * (double)(UINT64_C(1) << 56);
}
