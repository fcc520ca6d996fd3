/*
 * skim.c - see skim.h.
 *
 * A block of 64 bytes becomes four masks of 64 bits, one for each kind of byte
 * that matters; after Langdale and Lemire, "Parsing gigabytes of JSON per
 * second" (2019).  Bytes inside of strings are found by a running xor over
 * the quotes that are not escaped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/skim.h"

#include <assert.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK 64

struct masks {
	uint64_t quote, slash, open, close;
};

#ifdef __SSE2__

static inline uint64_t
equal_in(__m128i bytes, char c)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)));
}

/* '[' and '{', like ']' and '}', differ in bit 5 only. */
static inline struct masks
masks_of(const char *p)
{
	struct masks m = { 0 };

	#pragma GCC unroll 4
	for (int i = 0; i < BLOCK; i += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		__m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));

		m.quote |= equal_in(bytes, '"') << i;
		m.slash |= equal_in(bytes, '\\') << i;
		m.open |= equal_in(folded, '{') << i;
		m.close |= equal_in(folded, '}') << i;
	}
	return m;
}

#else

static inline struct masks
masks_of(const char *p)
{
	struct masks m = { 0 };

	for (int i = 0; i < BLOCK; i++) {
		uint64_t bit = UINT64_C(1) << i;

		m.quote |= p[i] == '"' ? bit : 0;
		m.slash |= p[i] == '\\' ? bit : 0;
		m.open |= (p[i] | 0x20) == '{' ? bit : 0;
		m.close |= (p[i] | 0x20) == '}' ? bit : 0;
	}
	return m;
}

#endif

/* Of the bytes before the end, fewer than a block. */
static struct masks __attribute__((noinline))
last_masks(const char *p, const char *end)
{
	char block[BLOCK] = { 0 };

	memcpy(block, p, (size_t)(end - p));
	return masks_of(block);
}

/* The bytes that a backslash escapes.  *carry: the first byte is one. */
static inline uint64_t
escaped(uint64_t slash, uint64_t *carry)
{
	const uint64_t even = UINT64_C(0x5555555555555555);
	uint64_t follows, odd_starts, ends, first = *carry;

	if (slash == 0) {
		*carry = 0;
		return first;
	}
	slash &= ~first;
	follows = slash << 1 | first;
	odd_starts = slash & ~even & ~follows;
	*carry = __builtin_add_overflow(odd_starts, slash, &ends);
	return (even ^ (ends << 1)) & follows;
}

/* Each bit becomes the xor of itself and all below it. */
static inline uint64_t
running_xor(uint64_t m)
{
	m ^= m << 1;
	m ^= m << 2;
	m ^= m << 4;
	m ^= m << 8;
	m ^= m << 16;
	return m ^ m << 32;
}

const char *
skim_container(const char *p, const char *end, unsigned *depth)
{
	uint64_t inside = 0, carry = 0;
	unsigned level = 0, deepest = 0;

	assert(p < end && (*p | 0x20) == '{');
	for (; p < end; p += BLOCK) {
		struct masks m = end - p >= BLOCK ? masks_of(p) : last_masks(p, end);
		uint64_t strings;

		strings = running_xor(m.quote & ~escaped(m.slash, &carry)) ^ inside;
		inside = strings >> 63 != 0 ? UINT64_MAX : 0;
		m.open &= ~strings;
		for (uint64_t left = m.open | (m.close & ~strings); left != 0;
		    left &= left - 1) {
			if ((m.open & left & -left) != 0) {
				level++;
				deepest = level > deepest ? level : deepest;
			} else if (--level == 0) {
				*depth = deepest;
				return p + __builtin_ctzll(left) + 1;
			}
		}
	}
	return NULL;
}
