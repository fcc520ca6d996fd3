/*
 * find.c - see find.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/find.h"

#include <string.h>

#define GROUP       4
#define SHORT       12                       /* shorter words are memmem's */
#define GROUPS_MAX  200                      /* of a longer word the beginning counts */
#define SEVERAL     255                      /* groups of the word have this hash */

static inline uint32_t
hash_at(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v * UINT32_C(0x9e3779b1) >> (32 - FIND_BITS);
}

void
find_init(struct find *f, struct str word)
{
	f->word = word;
	f->groups = 0;
	if (word.n < SHORT)
		return;
	memset(f->at, 0, sizeof f->at);
	f->groups = word.n - GROUP + 1 < GROUPS_MAX ? word.n - GROUP + 1 : GROUPS_MAX;
	for (size_t i = 0; i < f->groups; i++) {
		uint8_t *at = &f->at[hash_at(word.p + i)];

		*at = *at == 0 ? (uint8_t)(i + 1) : SEVERAL;
	}
}

/* Is there the word around q, whose group is one of its?  `at`: the table's. */
static const char *
look_around(const struct find *f, struct str text, const char *q, uint8_t at)
{
	size_t before = (size_t)(q - text.p), after = text.n - before;

	if (at == 0)
		return NULL;
	if (at == SEVERAL) {
		size_t back = before < f->groups - 1 ? before : f->groups - 1;
		size_t n = after < f->word.n ? after : f->word.n;

		return memmem(q - back, back + n, f->word.p, f->word.n);
	}
	if (before < at - 1u || after + (at - 1u) < f->word.n)
		return NULL;
	q -= at - 1;
	return memcmp(q, f->word.p, f->word.n) == 0 ? q : NULL;
}

const char *
find_in(const struct find *f, struct str text)
{
	const size_t step = f->groups;
	size_t i = step - 1;

	if (f->word.n < SHORT)
		return memmem(text.p, text.n, f->word.p, f->word.n);
	for (; i + GROUP <= text.n; i += step) {
		const char *q = text.p + i, *hit;

		/* Four at once, as long as nothing is found. */
		while (i + 3 * step + GROUP <= text.n &&
		    (f->at[hash_at(q)] | f->at[hash_at(q + step)] |
		    f->at[hash_at(q + 2 * step)] | f->at[hash_at(q + 3 * step)]) == 0) {
			i += 4 * step;
			q += 4 * step;
		}
		if (i + GROUP > text.n)
			break;
		hit = look_around(f, text, q, f->at[hash_at(q)]);
		if (hit != NULL)
			return hit;
	}
	return NULL;
}
