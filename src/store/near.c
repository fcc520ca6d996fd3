/*
 * near.c - how near vectors are to one, and the nearest first.
 *
 * Vectors are of length 1, so the cosine of two is the sum of their products.  The sum
 * is written with the compiler's vectors, of eight floats: on any machine it is right,
 * on x86-64 it is compiled twice, and the processor's own width is taken.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "store/near_priv.h"

#define LANES 8

typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4),
    may_alias));

static inline __attribute__((always_inline)) float
dot(const float *a, const float *b, size_t n)
{
	lanes sum[4] = { { 0 } };
	float out = 0;
	size_t i = 0;

	for (; i + 4 * LANES <= n; i += 4 * LANES)
		for (size_t k = 0; k < 4; k++)
			sum[k] += *(const lanes *)(a + i + k * LANES) *
			    *(const lanes *)(b + i + k * LANES);
	sum[0] += sum[1] + (sum[2] + sum[3]);
	for (size_t k = 0; k < LANES; k++)
		out += sum[0][k];
	for (; i < n; i++)
		out += a[i] * b[i];
	return out;
}

static void
dots_plain(const float *q, const float *rows, size_t n, size_t dims, float *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = dot(q, rows + i * dims, dims);
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static void
dots_avx2(const float *q, const float *rows, size_t n, size_t dims, float *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = dot(q, rows + i * dims, dims);
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

/* ---- the nearest first: a heap -------------------------------------------------- */

static bool
is_nearer(const struct near *a, const struct near *b)
{
	return a->score > b->score || (a->score == b->score && a->seq > b->seq);
}

static void
sink(struct near *h, size_t n, size_t i)
{
	struct near x = h[i];

	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && is_nearer(&h[child + 1], &h[child]))
			child++;
		if (!is_nearer(&h[child], &x))
			break;
		h[i] = h[child];
	}
	h[i] = x;
}

void
near_heap(struct near *h, size_t n)
{
	for (size_t i = n / 2; i-- > 0; )
		sink(h, n, i);
}

struct near
near_pop(struct near *h, size_t *n)
{
	struct near top = h[0];

	h[0] = h[--*n];
	if (*n > 0)
		sink(h, *n, 0);
	return top;
}
