/*
 * near.c - how near vectors are to one, and the nearest first.
 *
 * Vectors are of length 1, so the cosine of two is the sum of their products.  The sum
 * is written with the compiler's vectors, of eight floats: on any machine it is right,
 * on x86-64 it is compiled twice, and the processor's own width is taken.
 *
 * Memory is what it waits for, so four rows are read at once, and the four after them
 * are asked for meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/near_priv.h"

#include <stdlib.h>

#include "base/mem.h"

#define LANES 8
#define LINE  16                             /* floats of a cache line */
#define ROWS  4

typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4),
    may_alias));

static inline __attribute__((always_inline)) float
dot(const float *a, const float *b, size_t n)
{
	float out = 0;

	for (size_t i = 0; i < n; i++)
		out += a[i] * b[i];
	return out;
}

/* n rows, ROWS at most. */
static inline __attribute__((always_inline)) void
dots_of(const float *q, const float *rows, size_t n, size_t dims, float *out)
{
	lanes sum[ROWS] = { { 0 } };
	size_t i = 0;

	for (; i + LINE <= dims; i += LINE)
		for (size_t k = 0; k < n; k++) {
			const float *row = rows + k * dims + i;

			__builtin_prefetch(row + ROWS * dims);
			sum[k] += *(const lanes *)(q + i) * *(const lanes *)row;
			sum[k] += *(const lanes *)(q + i + LANES) *
			    *(const lanes *)(row + LANES);
		}
	for (size_t k = 0; k < n; k++) {
		out[k] = dot(q + i, rows + k * dims + i, dims - i);
		for (size_t j = 0; j < LANES; j++)
			out[k] += sum[k][j];
	}
}

static inline __attribute__((always_inline)) void
dots(const float *q, const float *rows, size_t n, size_t dims, float *out)
{
	size_t i = 0;

	for (; i + ROWS <= n; i += ROWS)
		dots_of(q, rows + i * dims, ROWS, dims, out + i);
	for (; i < n; i++)
		dots_of(q, rows + i * dims, 1, dims, out + i);
}

static void
dots_plain(const float *q, const float *rows, size_t n, size_t dims, float *out)
{
	dots(q, rows, n, dims, out);
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static void
dots_avx2(const float *q, const float *rows, size_t n, size_t dims, float *out)
{
	dots(q, rows, n, dims, out);
}
#endif

void
near_dots(const float *q, const float *rows, size_t n, size_t dims, float *out)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
		dots_avx2(q, rows, n, dims, out);
		return;
	}
#endif
	dots_plain(q, rows, n, dims, out);
}

/* ---- the nearest first ---------------------------------------------------------- */

static int
nearest_first(const void *a, const void *b)
{
	const struct near *x = a, *y = b;

	return x->score != y->score ? (x->score < y->score) - (x->score > y->score) :
	    (x->seq < y->seq) - (x->seq > y->seq);
}

void
near_sort(struct near *at, size_t n)
{
	if (n > 0)
		qsort(at, n, sizeof *at, nearest_first);
}

void
nears_begin(struct nears *l, size_t keep)
{
	l->n = 0;
	l->keep = keep;
	l->cut = false;
}

static void
nears_cut(struct nears *l)
{
	near_sort(l->at, l->n);
	l->n = l->keep;
	l->least = l->at[l->n - 1].score;
	l->cut = true;
}

void
nears_add(struct nears *l, int64_t seq, float score)
{
	if (l->cut && score < l->least)
		return;
	if (l->n > 0 && l->at[l->n - 1].seq == seq) {
		if (score > l->at[l->n - 1].score)
			l->at[l->n - 1].score = score;
		return;
	}
	if (l->n >= 2 * l->keep)
		nears_cut(l);
	mem_grow(l->at, l->n, l->cap);
	l->at[l->n++] = (struct near){ score, seq };
}

void
nears_end(struct nears *l)
{
	if (l->cut && l->n > l->keep)
		nears_cut(l);
	else
		near_sort(l->at, l->n);
}
