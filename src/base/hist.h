/*
 * hist.h - a latency histogram (HDR: log buckets, linear inside), about 1 %
 * relative error from 1 to 2^42 units; fixed size, no allocation.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 6                      /* 64 linear steps an octave */
#define HIST_OCTAVES  36
#define HIST_SLOTS    ((HIST_OCTAVES + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t count, sum, min, max;
	uint64_t slot[HIST_SLOTS];
};

void hist_clear(struct hist *h);
void hist_add(struct hist *h, uint64_t value);
void hist_merge(struct hist *into, const struct hist *from);
uint64_t hist_percentile(const struct hist *h, double p);    /* 0..100; 0 if empty */
double hist_mean(const struct hist *h);
uint64_t hist_slot_value(unsigned slot);     /* the middle of h->slot[slot] */

#endif
