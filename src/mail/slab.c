/*
 * slab.c - see slab.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/slab.h"

#include "base/account.h"

_Static_assert(sizeof(struct slab_chunk) <= SLAB_FIRST, "a chunk's head fits before its things");

void
slab_init(struct slab *s, size_t size)
{
	assert(size % 8 == 0 && size >= 16);
	*s = (struct slab){ .size = size, .per_chunk = (uint32_t)((SLAB_CHUNK - SLAB_FIRST) / size) };
	list_init(&s->room);
}

static void
chunk_free(struct slab *s, struct slab_chunk *c)
{
	s->chunk[c->number] = NULL;
	s->chunks--;
	if (s->account != NULL)
		account_give(s->account, SLAB_CHUNK);
	mem_pages_free(c, SLAB_CHUNK);
}

void
slab_release(struct slab *s)
{
	for (size_t i = 0; i < s->table; i++)
		if (s->chunk[i] != NULL)
			chunk_free(s, s->chunk[i]);
	free(s->chunk);
}

/* A chunk takes the lowest number that is free, so numbers stay small. */
static uint32_t
free_number(struct slab *s)
{
	for (size_t i = 0; s->chunks < s->table; i++)
		if (s->chunk[i] == NULL)
			return (uint32_t)i;
	mem_grow(s->chunk, s->table, s->table_cap);
	return (uint32_t)s->table++;
}

void
slab_grow(struct slab *s)
{
	struct slab_chunk *c = mem_pages(SLAB_CHUNK, s->chunks > 0);

	if (s->account != NULL)
		account_charge(s->account, SLAB_CHUNK);
	c->owner = s;
	c->number = free_number(s);
	s->chunk[c->number] = c;
	s->chunks++;
	s->empty++;
	list_append(&s->room, &c->in);
}

/* c has become empty.  It is the last one to be taken from as long as others have room, so
 * that those fill up. */
void
slab_shrink(struct slab *s, struct slab_chunk *c)
{
	list_remove(&c->in);
	if (s->empty > 0) {
		chunk_free(s, c);
		return;
	}
	s->empty++;
	list_append(&s->room, &c->in);
}
