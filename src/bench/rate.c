/*
 * rate.c - see rate.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/rate.h"

#include "base/mem.h"
#include "bench/judge.h"

#define SLICES_MAX 100000                    /* 20 s; later ones are not kept */
#define WARM_UP    10                        /* one in so many slices */

static void
slice_begin(struct rate *r, nsec now)
{
	r->units = 0;
	r->began = now;
	slow_mark(&r->slow);
}

void
rate_init(struct rate *r, int64_t slow_percent)
{
	*r = (struct rate){ .slow = { .percent = slow_percent } };
	slice_begin(r, clock_mono());
}

void
rate_release(struct rate *r)
{
	free(r->slice);
	r->slice = NULL;
	r->n = r->cap = 0;
}

nsec
rate_add(struct rate *r, double units)
{
	nsec now = clock_mono();

	r->units += units;
	if (now - r->began < RATE_SLICE_NS)
		return now;
	if (r->slow.percent > 0) {
		slow_pay(&r->slow);
		now = clock_mono();
	}
	if (r->n < SLICES_MAX) {
		mem_grow(r->slice, r->n, r->cap);
		r->slice[r->n++] = r->units * (double)NS_PER_S / (double)(now - r->began);
	}
	slice_begin(r, now);
	return now;
}

double
rate_median(struct rate *r)
{
	size_t warm = r->n / WARM_UP;

	return stats_median(r->slice + warm, r->n - warm);
}
