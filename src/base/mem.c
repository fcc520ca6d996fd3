/*
 * mem.c - the one place where running out of memory ends the process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"

#include <assert.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

/* A turn of a long conversation makes buffers of a MB or two, and frees them:
 * with glibc's own thresholds (128 KB, growing) each comes from the kernel page
 * by page and goes back.  Larger ones still do, and so leave no holes. */
#define MMAP_FROM  ((int)(4 * MB))
#define TRIM_FROM  ((int)(8 * MB))           /* free at the end of an arena */
#define TOP_PAD    ((int)(512 * KB))
#define GROW_FIRST 256                       /* bytes of an array at first, at most 8 items */
#define OTHERS     2                         /* busy threads beside the shards */
#define GROWN      (4 * MB)                  /* since the last trim: worth one */

static _Noreturn void
out_of_memory(void)
{
	static const char words[] = "cohort: out of memory\n";

	/* No stdio here: it may want to allocate.  There is nobody left to
	 * tell when this write fails. */
	if (write(STDERR_FILENO, words, sizeof words - 1) < 0)
		abort();
	abort();
}

void *
mem_alloc(size_t n)
{
	void *p = malloc(n > 0 ? n : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *
mem_zero(size_t n)
{
	void *p = calloc(1, n > 0 ? n : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *
mem_resize(void *p, size_t n)
{
	void *q = realloc(p, n > 0 ? n : 1);

	if (q == NULL)
		out_of_memory();
	return q;
}

char *
mem_cstr(struct str s)
{
	char *p = mem_alloc(s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

/* Twice as much is mapped, and what lies around the aligned part unmapped. */
void *
mem_pages(size_t n, bool huge)
{
	char *p;
	size_t before;

	assert(n >= 64 * KB && (n & (n - 1)) == 0);
	p = mmap(NULL, 2 * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	    -1, 0);
	if (p == MAP_FAILED)
		out_of_memory();
	before = -(uintptr_t)p & (n - 1);
	if (before > 0)
		munmap(p, before);
	munmap(p + before + n, n - before);
	if (huge)
		madvise(p + before, n, MADV_HUGEPAGE);
	return p + before;
}

void
mem_pages_free(void *p, size_t n)
{
	munmap(p, n);
}

void
mem_setup(unsigned threads)
{
	mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
	mallopt(M_TRIM_THRESHOLD, TRIM_FROM);
	mallopt(M_TOP_PAD, TOP_PAD);
	mallopt(M_ARENA_MAX, (int)threads + OTHERS);
}

size_t
mem_resident(void)
{
	char text[64];
	unsigned long all, here;

	file_head("/proc/self/statm", text, sizeof text);
	return sscanf(text, "%lu %lu", &all, &here) == 2 ?
	    here * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* malloc_trim leaves the free end of every arena but the main one; a large
 * enough free() looks at it. */
static void
trim_own_arena(void)
{
	void *p;

	mallopt(M_TRIM_THRESHOLD, TOP_PAD);
	p = malloc(128 * KB);
	__asm__ volatile("" : : "r"(p) : "memory");  /* not optimized away */
	free(p);
	mallopt(M_TRIM_THRESHOLD, TRIM_FROM);
}

/* Memory that was freed and not given back is one; memory that was given back
 * and came to use again is the other. */
bool
mem_has_grown(const struct mem_level *since)
{
	return mem_resident() >= since->here + GROWN ||
	    mallinfo2().fordblks >= since->free + GROWN;
}

void
mem_trim(struct mem_level *now)
{
	trim_own_arena();
	malloc_trim(TOP_PAD);
	now->here = mem_resident();
	now->free = mallinfo2().fordblks;
}

void *
mem_grow_(void *p, size_t *cap, size_t size)
{
	size_t n = *cap * 2;

	if (n == 0)
		n = size > GROW_FIRST ? 1 : size * 8 > GROW_FIRST ? GROW_FIRST / size : 8;
	if (n < *cap || n > SIZE_MAX / size)
		out_of_memory();
	*cap = n;
	return mem_resize(p, n * size);
}
