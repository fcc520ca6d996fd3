/*
 * hex.c - bytes as hexadecimal digits; apart from hmac.c, so that what needs no
 * digest does not load OpenSSL.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/hmac.h"

void
hex_add(struct buf *b, const void *data, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;
	char *to = buf_room(b, 2 * n);

	if (to == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		*to++ = digits[p[i] >> 4];
		*to++ = digits[p[i] & 15];
	}
	buf_added(b, 2 * n);
}

bool
hex_decode(struct str s, void *out, size_t n)
{
	uint8_t *to = out;

	if (s.n != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = str_hex_digit(s.p[2 * i]), low = str_hex_digit(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		to[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
