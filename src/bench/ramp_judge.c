/*
 * ramp_judge.c - what follows from the steps: the knee, and whether two builds
 * differ.
 *
 * Builds are compared by pairs of steps that ran one after the other.  Their log
 * ratios are resampled; the seed is fixed, so that the same figures give the same
 * verdict.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/ramp_priv.h"

#define RESAMPLES 2000

struct ramp_knee
ramp_knee(const struct ramp_step *s, size_t n)
{
	struct ramp_knee k = { 0 };
	bool before = true;                  /* all smaller ones were below, too */

	for (size_t i = 0; i < n && s[i].cause == COLLAPSE_NONE; i++) {
		k.completes = s[i].c;
		before = before && s[i].infl < RAMP_KNEE;
		if (before)
			k.below = s[i].c;
	}
	return k;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_value);
	return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

struct ramp_ratio
ramp_compare(const double *logs, size_t n, double threshold)
{
	struct ramp_ratio out = { 1, 1, 1, false };
	double *sample, *medians;
	uint64_t seed = 88172645463325252u;

	if (n == 0)
		return out;
	sample = mem_zero(n * sizeof *sample);
	medians = mem_zero(RESAMPLES * sizeof *medians);
	for (size_t i = 0; i < RESAMPLES; i++) {
		for (size_t k = 0; k < n; k++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			sample[k] = logs[seed % n];
		}
		medians[i] = median(sample, n);
	}
	memcpy(sample, logs, n * sizeof *sample);
	out.median = exp(median(sample, n));
	qsort(medians, RESAMPLES, sizeof *medians, by_value);
	out.low = exp(medians[RESAMPLES * 25 / 1000]);
	out.high = exp(medians[RESAMPLES * 975 / 1000]);
	/* Of fewer pairs every resampling looks alike. */
	out.different = n >= 3 && (out.low > 1 || out.high < 1) &&
	    fabs(log(out.median)) > log1p(threshold);
	free(sample);
	free(medians);
	return out;
}
