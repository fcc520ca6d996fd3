/*
 * slab.h - things of one size, in chunks of pages.
 *
 * A chunk lies at a multiple of its size, so that the chunk of a thing is found from its
 * address.  In a chunk what was given back last is taken first.  Of empty chunks one is kept;
 * others go back to the system.  The first chunk grows page by page; further ones are huge pages
 * where the system has them, as a walk over a hundred thousand mailboxes at random would
 * otherwise wait for the page table more than for the memory.
 *
 * The second word of a thing that is free is the slab's; the others keep their values.
 *
 * Threads: the owner's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_SLAB_H
#define MAIL_SLAB_H

#include "base/list.h"

#define SLAB_CHUNK (2 * MB)                  /* a huge page of x86-64 and most of arm64 */

struct slab_chunk {
	struct slab *owner;
	void *free;                          /* chained by their second words */
	struct list in;                      /* of chunks with room */
	uint32_t number;                     /* in the owner's table */
	uint32_t used, fresh;                /* in use; ever used: those behind are zero */
};
#define SLAB_FIRST 64                        /* where things begin in a chunk */

struct slab {
	size_t size;                         /* of a thing; a multiple of 8 */
	uint32_t per_chunk;
	uint32_t used;                       /* things in use */
	uint32_t chunks, empty;
	struct list room;                    /* chunks with room, the last given to first */
	struct slab_chunk **chunk;           /* by number; NULL: gone */
	size_t table, table_cap;             /* entries */
	struct account *account;             /* of the process, which chunks are charged to; or NULL */
};

void slab_init(struct slab *s, size_t size);
void slab_release(struct slab *s);           /* with all that is in use */
void slab_grow(struct slab *s);
void slab_shrink(struct slab *s, struct slab_chunk *c);

static inline struct slab_chunk *
slab_chunk_of(const void *thing)
{
	return (struct slab_chunk *)((uintptr_t)thing & ~(uintptr_t)(SLAB_CHUNK - 1));
}

static inline void *
slab_at(const struct slab *s, const struct slab_chunk *c, uint32_t i)
{
	return (char *)(uintptr_t)c + SLAB_FIRST + i * s->size;
}

/* Not zeroed, but the first time. */
static inline void *
slab_take(struct slab *s)
{
	struct slab_chunk *c;
	void *thing;

	if (list_empty(&s->room))
		slab_grow(s);
	c = CONTAINER_OF(s->room.next, struct slab_chunk, in);
	if (c->used++ == 0)
		s->empty--;
	s->used++;
	if (c->free != NULL) {
		thing = c->free;
		c->free = ((void **)thing)[1];
	} else {
		thing = slab_at(s, c, c->fresh++);
	}
	if (c->used == s->per_chunk)
		list_remove(&c->in);
	return thing;
}

static inline void
slab_give(struct slab *s, void *thing)
{
	struct slab_chunk *c = slab_chunk_of(thing);

	assert(c->owner == s && c->used > 0);
	((void **)thing)[1] = c->free;
	c->free = thing;
	s->used--;
	if (c->used-- == s->per_chunk)
		list_prepend(&s->room, &c->in);
	if (c->used == 0)
		slab_shrink(s, c);
}

#endif
