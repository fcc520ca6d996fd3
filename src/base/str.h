/*
 * str.h - borrowed text: a pointer and a length, never NUL-ended by promise.
 *
 * A str does not own its bytes; whoever hands one out says how long it lives.
 * The empty str has n == 0 and p may be NULL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	const char *p;
	size_t n;
};

#define S(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_NONE ((struct str){ NULL, 0 })
#define FMT(s) (int)(s).n, (s).p             /* for "%.*s" */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KB ((size_t)1024)
#define MB (1024 * KB)

struct str str_of(const char *cstr);         /* NULL gives STR_NONE */
bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b);          /* ASCII only */
int  str_cmp(struct str a, struct str b);                /* bytes, then length */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_contains(struct str s, struct str needle);
bool str_contains_nocase(struct str s, struct str needle);      /* ASCII only */
ptrdiff_t str_index(struct str s, char c);               /* -1 if absent */
struct str str_sub(struct str s, size_t from, size_t n); /* clamped */
struct str str_trim(struct str s);                       /* ASCII blanks */
/* At most max bytes; a character that is not whole at the end goes. */
struct str str_cut(struct str s, size_t max);

/* Copies s to *to, which has room for it, and moves *to behind; returns the copy. */
struct str str_put(char **to, struct str s);

/* Cuts the part before sep off *rest and returns it; false when *rest is
 * spent.  "a,,b" gives "a", "", "b". */
bool str_next(struct str *rest, char sep, struct str *part);

/* Decimal, whole string, no sign for u64, no overflow; false otherwise. */
bool str_to_i64(struct str s, int64_t *out);
bool str_to_u64(struct str s, uint64_t *out);
bool str_to_double(struct str s, double *out);

/* Is c one of the set's?  NUL never is, as strchr would have it. */
bool str_char_in(char c, const char *set);

/* 0..15 for a hex digit of either case, -1 for anything else. */
static inline int
str_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool str_is_utf8(struct str s);              /* strict: no surrogates, no overlong */
size_t str_characters(struct str s);         /* of UTF-8 */
size_t str_utf8_step(struct str s);          /* bytes of the first character; 0
                                                if empty or not UTF-8 */
uint32_t str_hash(struct str s);             /* not keyed: for our own names */
uint64_t str_hash_keyed(struct str s);       /* SipHash-1-3, key per process:
                                                for names that come from outside */

/* Levenshtein distance, capped at `max + 1`; for did-you-mean. */
unsigned str_distance(struct str a, struct str b, unsigned max);

/* The name that is nearest to word, or begins with it, of those that were tried;
 * of two as near the first.  best is NULL as long as none is near enough. */
struct str_near {
	struct str word;
	const char *best;
	unsigned distance;                   /* of best */
};
void str_near_try(struct str_near *n, const char *name);
/* The row that has the word as its name, or NULL; then the names were tried.  Rows of
 * `size` bytes begin with a const char *name, and one with NULL ends them. */
const void *str_near_row(struct str_near *n, const void *rows, size_t size);

#endif
