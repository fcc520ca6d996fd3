/*
 * scan.h - walking through JSON text without building anything.
 *
 * A strict RFC 8259 tokenizer over one complete text: it knows nesting,
 * strings, escapes and numbers, and gives back spans of the text.  A mistake
 * sets `bad` and moves to the end, so a walk is checked once, when it is over.
 * UTF-8 is the caller's to check; keys with escapes in them match no name.
 *
 *   struct scan s = scan_of(text);
 *   bool first = true;
 *   struct str key, raw;
 *
 *   for (scan_open(&s, '{'); scan_member(&s, &first, &key); )
 *           if (SCAN_IS(key, "id"))
 *                   scan_string(&s, &raw);
 *           else
 *                   scan_value(&s, &raw);
 *   return scan_end(&s);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_SCAN_H
#define BASE_SCAN_H

#include <string.h>
#include "base/buf.h"

struct scan {
	const char *p, *end;
	unsigned depth, deepest;             /* open containers; the most so far */
	bool bad;
	bool blanks;                         /* there were some outside of strings */
	size_t parts;                        /* members and elements so far */
};

static inline struct scan
scan_of(struct str text)
{
	const char *p = text.p != NULL ? text.p : "";

	return (struct scan){ .p = p, .end = p + text.n };
}

#define SCAN_IS(key, literal)                                               \
	((key).n == sizeof(literal) - 1 &&                                  \
	    memcmp((key).p, literal, sizeof(literal) - 1) == 0)

/* The next byte that is not blank, not consumed; 0 at the end. */
char scan_peek(struct scan *s);
/* Consumes '{' or '['; anything else is a mistake. */
bool scan_open(struct scan *s, char bracket);
/* Steps to the next member or element; false at the closing bracket, which it
 * consumes, and after a mistake. */
bool scan_member(struct scan *s, bool *first, struct str *key);
bool scan_element(struct scan *s, bool *first);
/* The inside of a string, escapes and all. */
bool scan_string(struct scan *s, struct str *raw);
/* Any value, with its quotes or brackets. */
bool scan_value(struct scan *s, struct str *raw);
/* True when the text was well-formed and nothing but blanks is left. */
bool scan_end(struct scan *s);

/* The string member as a raw inside; STR_NONE when it is null; any other kind
 * is skipped and gives STR_NONE. */
struct str scan_text(struct scan *s);

/* A member of an object text: its whole value, STR_NONE if absent or the
 * text is not a well-formed object. */
struct str scan_find(struct str object, struct str key);

/* Every surrogate escape has its partner (other readers refuse lone ones). */
bool scan_surrogates_paired(struct str raw);

/* How far a text of JSON has come: enough to know its end, no more. */
struct json_edge {
	unsigned depth;
	bool inside, escaped;                /* of a string */
	bool whole;                          /* an object, array or string has ended */
};
/* Follows one more piece of a JSON text, given as a raw inside. */
void scan_edge(struct json_edge *e, struct str raw);

#endif
