/*
 * base_find.c - words in long texts: what memmem finds, find_in finds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/find.h"

static uint64_t seed;

static unsigned
below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 11) % n);
}

/* Words of few letters, so that they overlap themselves and nearly occur. */
TEST(find_finds_what_memmem_finds)
{
	char text[1500], word[300];
	struct find f;

	for (uint64_t number = 1; number < 20000; number++) {
		size_t n, m;
		const char *want;

		seed = number * 0x9e3779b97f4a7c15;
		n = below(sizeof text + 1);
		m = below(8) == 0 ? 1 + below(sizeof word) : 1 + below(50);
		for (size_t i = 0; i < n; i++)
			text[i] = (char)('a' + below(number % 3 == 0 ? 1 : 2));
		for (size_t i = 0; i < m; i++)
			word[i] = (char)('a' + below(number % 3 == 0 ? 1 : 2));
		for (unsigned copies = below(3); copies > 0 && n >= m; copies--)
			memcpy(text + below((unsigned)(n - m) + 1), word, m);
		want = memmem(text, n, word, m);
		find_init(&f, (struct str){ word, m });
		CHECK(find_in(&f, (struct str){ text, n }) == want);
	}
}
