/*
 * id.h - UUIDs (RFC 9562), versions 4, 5, 6 and 7.
 *
 * v6 and v7 made by one process increase strictly in text order, also across
 * threads and when the clock steps back; id_seed_floor() carries that across
 * restarts.  Random bytes come from getrandom(2), buffered per thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/clock.h"
#include "base/str.h"

struct uuid {
	uint8_t b[16];
};

#define UUID_TEXT 36

struct uuid uuid_v4(void);
struct uuid uuid_v5(const struct uuid *ns, struct str name);  /* SHA-1 */
struct uuid uuid_v6(unsigned clock_seq);     /* the low 14 bits are kept: a
                                                checkpoint's step, -1 = 0x3fff */
struct uuid uuid_v7(void);

/* No v6 or v7 made from now on is earlier than wall + 1 ms. */
void id_seed_floor(msec wall);

/* Test hook: from now on random bytes come from this seed (deterministic). */
void id_seed_random(uint64_t seed);
void id_random(void *out, size_t n);

/* 8-4-4-4-12 hex, either case; false for anything else. */
bool uuid_parse(struct str s, struct uuid *out);
void uuid_format(const struct uuid *u, char out[UUID_TEXT]); /* no NUL */
void uuid_add(struct buf *b, const struct uuid *u);
bool uuid_eq(const struct uuid *a, const struct uuid *b);
bool uuid_is_zero(const struct uuid *u);
uint64_t uuid_hash(const struct uuid *u);    /* keyed: ids may come from outside */
msec uuid_v7_time(const struct uuid *u);

#endif
