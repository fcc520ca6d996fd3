/*
 * spell.c - misspelt settings of a run.  Pure.
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

/* In lower case, without _ and -; STR_NONE: too long. */
static struct str
squeeze(struct str s, char out[NAME_MAX_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '_' || c == '-')
			continue;
		if (n == NAME_MAX_BYTES)
			return STR_NONE;
		out[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	return (struct str){ out, n };
}

const char *
setting_like(struct str name)
{
	char a[NAME_MAX_BYTES], b[NAME_MAX_BYTES];
	struct str word = squeeze(name, a);
	const char *found = NULL;

	for (size_t i = 0; word.n > 0 && i < COUNT(names); i++) {
		struct str known = squeeze(str_of(names[i]), b);
		unsigned max = known.n <= 6 ? 1 : 2;

		if (str_eq(str_of(names[i]), name))
			return NULL;
		if (str_distance(word, known, max) <= max)
			found = names[i];
	}
	return found;
}
