/*
 * spell.c - settings of a run that somebody has nearly written.  Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/run.h"

#define NAME_MAX_BYTES 32                    /* of a name that is looked at */

/* What config.c reads of `configurable` and `context`. */
static const char *const names[] = {
	"model_name", "base_url", "system_prompt", "work_project", "temperature",
	"max_tokens", "tools",
};

/* In lower case, without _ and -; false: too long. */
static bool
squeeze(struct str s, char out[NAME_MAX_BYTES], size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '_' || c == '-')
			continue;
		if (*n == NAME_MAX_BYTES)
			return false;
		out[(*n)++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	return true;
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Insertions, deletions and replacements between the two (Levenshtein). */
static size_t
distance(const char *a, size_t an, const char *b, size_t bn)
{
	size_t row[NAME_MAX_BYTES + 1];

	for (size_t j = 0; j <= bn; j++)
		row[j] = j;
	for (size_t i = 1; i <= an; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= bn; j++) {
			size_t up = row[j];

			row[j] = least(up + 1, row[j - 1] + 1,
			    diagonal + (a[i - 1] != b[j - 1]));
			diagonal = up;
		}
	}
	return row[bn];
}

const char *
setting_like(struct str name)
{
	char a[NAME_MAX_BYTES], b[NAME_MAX_BYTES];
	const char *found = NULL;
	size_t an, bn;

	if (!squeeze(name, a, &an) || an == 0)
		return NULL;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct str known = str_of(names[i]);

		if (str_eq(known, name))
			return NULL;
		if (squeeze(known, b, &bn) &&
		    distance(a, an, b, bn) <= (bn <= 6 ? 1 : 2))
			found = names[i];
	}
	return found;
}
