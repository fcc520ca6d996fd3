/*
 * mem.c - the one place where running out of memory ends the process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

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

void *
mem_grow_(void *p, size_t *cap, size_t size)
{
	size_t n = *cap < 8 ? 8 : *cap * 2;

	if (n < *cap || n > SIZE_MAX / size)
		out_of_memory();
	*cap = n;
	return mem_resize(p, n * size);
}
