/*
 * memory.c - see memory.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "wasm/host/memory.h"

struct place {
	uint32_t next;                       /* free place; places_n: none */
	uint32_t pages, open;                /* of its guest; that may be touched (free: >= 0) */
	bool taken;
};

/* The addresses of a process are in several pieces, with programs and libraries between. */
#define PIECE  ((uint32_t)1024)              /* places */
#define PIECES 16

static uint8_t *pieces[PIECES];
static uint32_t pieces_n;
static struct place *places;
static uint32_t places_n, first;
static size_t used, used_max;

static uint8_t *
piece_new(uint32_t n)
{
	uint8_t *p = mmap(NULL, n * MEMORY_PLACE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, n * MEMORY_PLACE, MADV_NOHUGEPAGE);
	madvise(p, n * MEMORY_PLACE, MADV_DONTDUMP);
	return p;
}

int
memories_setup(uint32_t n, size_t account_max, struct err *e)
{
	assert(n > 0 && places == NULL);
	while (places_n < n && pieces_n < PIECES) {
		uint32_t more = n - places_n < PIECE ? n - places_n : PIECE;
		uint8_t *p = piece_new(more);

		if (p == NULL)
			break;
		pieces[pieces_n++] = p;
		places_n += more;
	}
	if (places_n == 0)
		return err_set(e, ERR_LIMIT, "no addresses for the memories of guests: %m");
	places = mem_zero(places_n * sizeof *places);
	for (uint32_t i = 0; i < places_n; i++)
		places[i].next = i + 1;
	first = 0;
	used_max = account_max;
	return OK;
}

bool
account_take(size_t bytes)
{
	assert(used <= used_max);
	if (bytes > used_max - used)
		return false;
	used += bytes;
	return true;
}

void
account_give(size_t bytes)
{
	assert(bytes <= used);
	used -= bytes;
}

size_t
account_used(void)
{
	return used;
}

static struct place *
place_of(const uint8_t *data)
{
	uint32_t i = 0;
	size_t at;
	struct place *p;

	while ((size_t)(data - pieces[i]) >= PIECE * MEMORY_PLACE) {
		i++;
		assert(i < pieces_n);
	}
	at = (size_t)(data - pieces[i]);
	p = &places[i * PIECE + at / MEMORY_PLACE];
	assert(at % MEMORY_PLACE == 0 && p < places + places_n);
	assert(p->taken && p->open == p->pages);
	return p;
}

/* Makes so many pages open, no more and no less. */
static bool
place_open(struct place *p, uint8_t *data, uint32_t pages)
{
	uint32_t from = pages < p->open ? pages : p->open;
	uint32_t to = pages < p->open ? p->open : pages;

	if (from == to)
		return true;
	if (mprotect(data + from * MEMORY_PAGE, (to - from) * MEMORY_PAGE,
	    pages < p->open ? PROT_NONE : PROT_READ | PROT_WRITE) != 0)
		return false;
	p->open = pages;
	return true;
}

uint8_t *
memory_take(uint32_t pages)
{
	struct place *p;
	uint8_t *data;

	if (first == places_n || !account_take(pages * MEMORY_PAGE))
		return NULL;
	p = &places[first];
	data = pieces[first / PIECE] + first % PIECE * MEMORY_PLACE;
	assert(!p->taken);
	if (!place_open(p, data, pages)) {
		account_give(pages * MEMORY_PAGE);
		return NULL;
	}
	first = p->next;
	p->taken = true;
	p->pages = pages;
	return data;
}

bool
memory_grow(uint8_t *data, uint32_t to)
{
	struct place *p = place_of(data);
	uint32_t more = to - p->pages;

	assert(to >= p->pages && to <= 65536);
	if (!account_take(more * MEMORY_PAGE))
		return false;
	if (!place_open(p, data, to)) {
		account_give(more * MEMORY_PAGE);
		return false;
	}
	p->pages = to;
	return true;
}

void
memory_clear(uint8_t *data)
{
	struct place *p = place_of(data);

	if (p->pages > 0 && madvise(data, p->pages * MEMORY_PAGE, MADV_DONTNEED) != 0)
		abort();                     /* another guest's bytes would be seen */
}

void
memory_give(uint8_t *data)
{
	struct place *p = place_of(data);

	memory_clear(data);
	account_give(p->pages * MEMORY_PAGE);
	p->taken = false;
	p->next = first;
	first = (uint32_t)(p - places);
}

uint32_t
memory_pages(const uint8_t *data)
{
	return place_of(data)->pages;
}
