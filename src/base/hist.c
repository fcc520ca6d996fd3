/*
 * hist.c - see hist.h.
 *
 * Values under 64 have a slot each.  Above, an octave 2^e..2^(e+1) has 64
 * slots of width 2^(e-6); a percentile reads the middle of its slot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/hist.h"

#include <math.h>
#include <string.h>

#define SUB (1u << HIST_SUB_BITS)

static unsigned
slot_of(uint64_t v)
{
	unsigned top, shift;

	if (v < SUB)
		return (unsigned)v;
	top = 63 - (unsigned)__builtin_clzll(v);
	if (top >= HIST_OCTAVES + HIST_SUB_BITS)
		return HIST_SLOTS - 1;
	shift = top - HIST_SUB_BITS;
	return ((shift + 1) << HIST_SUB_BITS) + (unsigned)((v >> shift) - SUB);
}

uint64_t
hist_slot_value(unsigned slot)
{
	unsigned shift;
	uint64_t low;

	if (slot < SUB)
		return slot;
	shift = (slot >> HIST_SUB_BITS) - 1;
	low = (uint64_t)(SUB + (slot & (SUB - 1))) << shift;
	return low + ((UINT64_C(1) << shift) >> 1);
}

void
hist_clear(struct hist *h)
{
	memset(h, 0, sizeof *h);
}

void
hist_add(struct hist *h, uint64_t value)
{
	if (h->count == 0 || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->count++;
	h->sum += value;
	h->slot[slot_of(value)]++;
}

void
hist_merge(struct hist *into, const struct hist *from)
{
	if (from->count == 0)
		return;
	if (into->count == 0 || from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	into->count += from->count;
	into->sum += from->sum;
	for (unsigned i = 0; i < HIST_SLOTS; i++)
		into->slot[i] += from->slot[i];
}

uint64_t
hist_percentile(const struct hist *h, double p)
{
	uint64_t rank, seen = 0, v;
	unsigned i;

	if (h->count == 0)
		return 0;
	if (!(p > 0))
		return h->min;
	if (p >= 100)
		return h->max;
	rank = (uint64_t)ceil(p / 100 * (double)h->count);
	rank = rank < 1 ? 1 : rank > h->count ? h->count : rank;
	for (i = 0; i < HIST_SLOTS - 1; i++) {
		seen += h->slot[i];
		if (seen >= rank)
			break;
	}
	v = hist_slot_value(i);
	return v < h->min ? h->min : v > h->max ? h->max : v;
}

double
hist_mean(const struct hist *h)
{
	return h->count == 0 ? 0 : (double)h->sum / (double)h->count;
}
