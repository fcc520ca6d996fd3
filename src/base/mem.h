/*
 * mem.h - small fixed allocations: they succeed or the process says so and
 * aborts, in one place.  Sizes that come from outside are checked against
 * limits.h before they get here.  Freed with free().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include "base/str.h"

void *mem_alloc(size_t n) __attribute__((malloc, returns_nonnull));
void *mem_zero(size_t n) __attribute__((malloc, returns_nonnull));
void *mem_resize(void *p, size_t n) __attribute__((returns_nonnull));
char *mem_cstr(struct str s);                /* NUL-ended copy, free() it */

/* Zeroed pages of the kernel's own, at a multiple of n, a power of two >= 64 KB; those
 * that are never touched take no memory.  huge: large pages if the system has them, which
 * take it whole.  Given back at once by mem_pages_free. */
void *mem_pages(size_t n, bool huge) __attribute__((returns_nonnull));
void mem_pages_free(void *p, size_t n);

/* How malloc behaves in a server of so many busy threads: buffers of one turn
 * stay in the process from turn to turn.  Before the first other thread. */
void mem_setup(unsigned threads);
/* Bytes of this process in memory; 0 when the kernel does not tell. */
size_t mem_resident(void);
/* What was resident and what was free after a trim; 0 at first. */
struct mem_level { size_t here, free; };

/* Does the process hold, or have free, some MB more than then?  Microseconds. */
bool mem_has_grown(const struct mem_level *since);
/* Gives back what all arenas have free, this thread's to its end.  Takes
 * milliseconds: for quiet moments. */
void mem_trim(struct mem_level *now);

#define mem_new(type) ((type *)mem_zero(sizeof(type)))

/* Makes room for one more in a growing array: p, its count n, its capacity. */
#define mem_grow(p, n, cap) \
	((n) < (cap) ? (void)0 : (void)((p) = mem_grow_((p), &(cap), sizeof *(p))))
void *mem_grow_(void *p, size_t *cap, size_t size);

/* The struct that holds `member` at ptr. */
#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
