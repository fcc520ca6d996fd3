/*
 * bits.h - sets of small integers: a bit for each, in words of 64.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words of a set whose members are < n. */
static inline size_t
bit_words(size_t n)
{
	return (n + 63) / 64;
}

static inline bool
bit_get(const uint64_t *set, uint32_t i)
{
	return (set[i / 64] >> (i % 64) & 1) != 0;
}

static inline void
bit_set(uint64_t *set, uint32_t i)
{
	set[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void
bit_clear(uint64_t *set, uint32_t i)
{
	set[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

/* The first member >= from and < end; end when there is none. */
static inline uint32_t
bit_next(const uint64_t *set, uint32_t from, uint32_t end)
{
	while (from < end) {
		uint64_t word = set[from / 64] >> (from % 64);

		if (word != 0) {
			from += (uint32_t)__builtin_ctzll(word);
			return from < end ? from : end;
		}
		from = (from / 64 + 1) * 64;
	}
	return end;
}

/* Each member of a set from `from` on and before `end`: for each_bit(...) */
#define each_bit(i, set, from, end)                                          \
	(uint32_t i = bit_next((set), (from), (end)); i < (end);             \
	    i = bit_next((set), i + 1, (end)))

#endif
