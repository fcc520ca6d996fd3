/*
 * slow.h - a slowdown on purpose, of a known size: a comparison has to find it.
 *
 * A workload calls slow_mark before a batch of its work and slow_pay after it.  The
 * thread then uses `percent` of the CPU time that the batch took, once more.  CPU
 * time is counted, so a busy neighbour does not change the share; a batch of 50 us
 * and more keeps the cost of the clock below one percent.
 *
 * Threads: each its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SLOW_H
#define BENCH_SLOW_H

#include "base/clock.h"

struct slow {
	int64_t percent;                     /* 0: costs one comparison */
	nsec since;                          /* of clock_thread */
};

#define SLOW_FLAG(field)                                                     \
	{ "slow", NULL, FLAG_INT, "0", "PERCENT", "a slowdown on purpose: so much "  \
	    "more CPU time; to see that a comparison finds it", field, 0, 1000 }

static inline void
slow_mark(struct slow *s)
{
	if (s->percent > 0)
		s->since = clock_thread();
}

static inline void
slow_pay(const struct slow *s)
{
	nsec until;

	if (s->percent == 0)
		return;
	until = clock_thread();
	until += (until - s->since) * s->percent / 100;
	while (clock_thread() < until)
		;
}

#endif
