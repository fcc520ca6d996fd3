/*
 * rate.h - units a second as the median of short slices, which is steadier than a total:
 * a slice in which another process had the processor does not count for more than one.
 *
 *     rate_init(&r, o->slow);
 *     while (rate_add(&r, batch()) < end)
 *             ;
 *     report_value(report, rate_median(&r), 0, "messages_per_s");
 *
 * With a slowdown (slow.h) each slice pays for it.  Threads: one each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_RATE_H
#define BENCH_RATE_H

#include <stddef.h>

#include "bench/slow.h"

#define RATE_SLICE_NS 200000

struct rate {
	double *slice;                       /* units a second */
	size_t n, cap;
	nsec began;                          /* of the open slice */
	double units;                        /* in it */
	struct slow slow;
};

void rate_init(struct rate *r, int64_t slow_percent);        /* the first slice begins */
void rate_release(struct rate *r);

/* So many units more, which took 50 us and less.  Ends the slice when it is long
 * enough.  Returns the monotonic time. */
nsec rate_add(struct rate *r, double units);

/* Without the first tenth, the warm-up.  0: there was no whole slice. */
double rate_median(struct rate *r);

#endif
