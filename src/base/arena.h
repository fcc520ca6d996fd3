/*
 * arena.h - memory of one turn: bump allocation, thrown away whole.
 *
 * An arena has a maximum; past it arena_alloc returns NULL and `failed` stays
 * set (so a long sequence is checked once).  arena_clear keeps the first
 * block.  Not thread-safe; may be handed to another thread whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/rc.h"
#include "base/str.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	char *at, *end;
	size_t used, max;
	bool failed;
};

#define ARENA(max_bytes) ((struct arena){ .max = (max_bytes) })

void  arena_release(struct arena *a);
void  arena_clear(struct arena *a);
void *arena_alloc(struct arena *a, size_t n);            /* 16-byte aligned */
void *arena_zero(struct arena *a, size_t n);
struct str arena_str(struct arena *a, struct str s);     /* a copy, NUL-ended */
struct str arena_fmt(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));   /* "%.*s" ends at a NUL byte */
/* The parts as they are, NUL bytes too. */
struct str arena_join(struct arena *a, struct str first, struct str between,
    struct str last);

/* Room for one more in a list that lies in the arena: p, its count n, its
 * capacity.  False: there is none, and p is NULL. */
#define arena_grow(a, p, n, cap) \
	((n) < (cap) || ((p) = arena_grow_((a), (p), &(cap), sizeof *(p))) != NULL)
void *arena_grow_(struct arena *a, const void *p, size_t *cap, size_t size);

static inline int
arena_rc(const struct arena *a)              /* ERR_TOOBIG once it was full */
{
	return a->failed ? ERR_TOOBIG : OK;
}

#define arena_new(a, type) ((type *)arena_zero((a), sizeof(type)))

#endif
