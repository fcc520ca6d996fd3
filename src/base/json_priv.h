/*
 * json_priv.h - what reading and writing JSON text need alike.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_JSON_PRIV_H
#define BASE_JSON_PRIV_H

#include <string.h>
#include "base/str.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");

#define JSON_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define JSON_HIGH       JSON_EACH(0x80)

/* Sets the high bit of each of eight bytes that a string may not hold as it is:
 * controls, quotes, backslashes.  A borrow may mark too much, but only above a
 * byte that is rightly marked: the lowest mark is exact. */
static inline uint64_t
json_stops(uint64_t w)
{
	uint64_t quote = w ^ JSON_EACH('"'), slash = w ^ JSON_EACH('\\');

	return (((quote - JSON_EACH(1)) & ~quote) | ((slash - JSON_EACH(1)) & ~slash) |
	    ((w - JSON_EACH(0x20)) & ~w)) & JSON_HIGH;
}

static inline bool
json_is_stop(char c)
{
	return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

/* The first byte from p on that a string may not hold as it is, or end. */
static inline const char *
json_plain_end(const char *p, const char *end)
{
	uint64_t w;

	for (; end - p >= 8; p += 8) {
		memcpy(&w, p, sizeof w);
		w = json_stops(w);
		if (w != 0)
			return p + __builtin_ctzll(w) / 8;
	}
	while (p < end && !json_is_stop(*p))
		p++;
	return p;
}

/* scan.c: p is after the opening quote of a string; its closing one, NULL when
 * there is none or an escape is malformed. */
const char *json_string_end(const char *p, const char *end);

/* The value of four hex digits; -1 if they are not. */
static inline int32_t
json_hex4(const char *p, const char *end)
{
	int32_t v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = str_hex_digit(p[i]);

		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

#endif
