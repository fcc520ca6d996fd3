/*
 * find.h - searching long texts for a word that is rarely there.
 *
 * A word of n bytes that occurs covers every (n - 3)rd group of four bytes of
 * the text in one place or another, so only those groups are looked at, in a
 * table of the word's own groups: ten times faster than memmem for the id of a
 * message.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_FIND_H
#define BASE_FIND_H

#include "base/str.h"

#define FIND_BITS 13

struct find {
	struct str word;                     /* borrowed */
	size_t groups;                       /* of four bytes, in the word */
	uint8_t at[1 << FIND_BITS];          /* by hash: 1 + where the group begins */
};

void find_init(struct find *f, struct str word);
/* Its first place in the text; NULL: none. */
const char *find_in(const struct find *f, struct str text);

#endif
