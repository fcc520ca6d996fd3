/*
 * arena.c - bump allocation in blocks of 512 bytes to 64 KB.
 *
 * The list's head is the newest block and the one being filled; the oldest,
 * at the tail, survives arena_clear.  A request too large to share gets a
 * block of its own behind the head, so the half-filled head stays in use.
 * `used` counts bytes handed out and is what max bounds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/arena.h"
#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_FIRST ((size_t)512)        /* a waiting request keeps one or two */
#define BLOCK_MAX   ((size_t)64 * KB)
#define ALIGNMENT   16

struct arena_block {
	struct arena_block *older;
	size_t size;                         /* of data */
	_Alignas(ALIGNMENT) char data[];
};

void
arena_release(struct arena *a)
{
	struct arena_block *b = a->blocks;

	while (b != NULL) {
		struct arena_block *older = b->older;

		free(b);
		b = older;
	}
	*a = ARENA(a->max);
}

void
arena_clear(struct arena *a)
{
	struct arena_block *b = a->blocks;

	while (b != NULL && b->older != NULL) {
		struct arena_block *older = b->older;

		free(b);
		b = older;
	}
	if (b != NULL && b->size > BLOCK_MAX) {
		free(b);
		b = NULL;
	}
	*a = ARENA(a->max);
	a->blocks = b;
	if (b != NULL) {
		a->at = b->data;
		a->end = b->data + b->size;
	}
}

static void
check_arena(const struct arena *a)
{
	assert(a->used <= a->max && a->at <= a->end);
	assert((a->at == NULL) == (a->blocks == NULL));
}

static struct arena_block *
block_new(size_t size)
{
	struct arena_block *b = mem_alloc(sizeof *b + size);

	b->size = size;
	b->older = NULL;
	return b;
}

/* Room for n bytes that the current block does not have. */
static void *
alloc_slow(struct arena *a, size_t n)
{
	size_t size = BLOCK_FIRST;
	struct arena_block *b;

	if (a->blocks != NULL && a->blocks->older != NULL)
		size = a->blocks->size * 2 < BLOCK_MAX ? a->blocks->size * 2 : BLOCK_MAX;
	if (n > size / 4 && a->blocks != NULL) {
		b = block_new(n);
		b->older = a->blocks->older;
		a->blocks->older = b;
		return b->data;
	}
	b = block_new(n > size ? n : size);
	b->older = a->blocks;
	a->blocks = b;
	a->at = b->data + n;
	a->end = b->data + b->size;
	return b->data;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	size_t rounded = (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	void *p;

	check_arena(a);
	if (a->failed || rounded < n || rounded > a->max - a->used) {
		a->failed = true;
		return NULL;
	}
	a->used += rounded;
	if (rounded <= (size_t)(a->end - a->at) && a->at != NULL) {
		p = a->at;
		a->at += rounded;
		return p;
	}
	return alloc_slow(a, rounded);
}

void *
arena_zero(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);

	if (p != NULL)
		memset(p, 0, n);
	return p;
}

struct str
arena_str(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (p == NULL)
		return STR_NONE;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct str){ p, s.n };
}

struct str
arena_fmt(struct arena *a, const char *format, ...)
{
	va_list ap;
	char *p;
	char text[512];                      /* most fit, and are formatted once */
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	assert(n >= 0);                      /* our formats are literals */
	p = arena_alloc(a, (size_t)n + 1);
	if (p == NULL)
		return STR_NONE;
	if ((size_t)n < sizeof text) {
		memcpy(p, text, (size_t)n + 1);
		return (struct str){ p, (size_t)n };
	}
	va_start(ap, format);
	vsnprintf(p, (size_t)n + 1, format, ap);
	va_end(ap);
	return (struct str){ p, (size_t)n };
}

struct str
arena_join(struct arena *a, struct str first, struct str between, struct str last)
{
	const struct str parts[] = { first, between, last };
	char *p = arena_alloc(a, first.n + between.n + last.n + 1), *to = p;

	if (p == NULL)
		return STR_NONE;
	for (size_t i = 0; i < COUNT(parts); i++)
		str_put(&to, parts[i]);
	*to = '\0';
	return (struct str){ p, (size_t)(to - p) };
}

void *
arena_grow_(struct arena *a, const void *p, size_t *cap, size_t size)
{
	size_t n = *cap < 8 ? 16 : *cap * 2;
	void *more = n > a->max / size ? NULL : arena_alloc(a, n * size);

	if (more == NULL) {
		a->failed = true;
		return NULL;
	}
	if (*cap > 0)
		memcpy(more, p, *cap * size);
	*cap = n;
	return more;
}
