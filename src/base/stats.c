/*
 * stats.c - see stats.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define RESAMPLES  4000
#define EXACT_MAX  12                        /* differences whose signs are all counted */
#define FLIPS      20000

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

uint64_t
stats_draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

double
stats_median(double *v, size_t n)
{
	if (n == 0)
		return 0;
	qsort(v, n, sizeof *v, by_value);
	return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double
stats_quantile(double *v, size_t n, double part)
{
	double at = part * (double)(n - 1);
	size_t low = (size_t)at;

	if (n == 0)
		return 0;
	qsort(v, n, sizeof *v, by_value);
	return low + 1 >= n ? v[n - 1] : v[low] + (at - (double)low) * (v[low + 1] - v[low]);
}

struct stats_ratio
stats_ratio(const double *logs, size_t n, double confidence)
{
	struct stats_ratio out = { 1, 1, 1, n };
	double *sample, *medians, tail = (1 - confidence) / 2;
	uint64_t seed = STATS_SEED;

	if (n == 0)
		return out;
	sample = mem_zero(n * sizeof *sample);
	medians = mem_zero(RESAMPLES * sizeof *medians);
	for (size_t i = 0; i < RESAMPLES; i++) {
		for (size_t k = 0; k < n; k++)
			sample[k] = logs[stats_draw(&seed) % n];
		medians[i] = stats_median(sample, n);
	}
	memcpy(sample, logs, n * sizeof *sample);
	out.median = exp(stats_median(sample, n));
	out.low = exp(stats_quantile(medians, RESAMPLES, tail));
	out.high = exp(stats_quantile(medians, RESAMPLES, 1 - tail));
	free(sample);
	free(medians);
	return out;
}

/* ---- differences ------------------------------------------------------------------- */

/* The sum of v with the signs that the bits say. */
static double
flipped(const double *v, size_t n, uint64_t bits)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (bits >> i & 1) != 0 ? -v[i] : v[i];
	return sum;
}

static double
flipped_at_random(const double *v, size_t n, uint64_t *seed)
{
	double sum = 0;

	for (size_t at = 0; at < n; at += 32)        /* the upper half is the better one */
		sum += flipped(v + at, n - at < 32 ? n - at : 32, stats_draw(seed) >> 32);
	return sum;
}

/* v: the differences that are not 0. */
static double
sign_flip(const double *v, size_t n)
{
	size_t turns = n <= EXACT_MAX ? (size_t)1 << n : FLIPS, as_far = 0;
	double far = 0;
	uint64_t seed = STATS_SEED;

	for (size_t i = 0; i < n; i++)
		far += v[i];
	far = fabs(far);
	for (size_t i = 0; i < turns; i++) {
		double sum = n <= EXACT_MAX ? flipped(v, n, i) : flipped_at_random(v, n, &seed);

		as_far += fabs(sum) >= far - 1e-9;
	}
	/* Of random signs the observed ones count too: p is never 0. */
	return n <= EXACT_MAX ? (double)as_far / (double)turns :
	    (double)(as_far + 1) / (double)(turns + 1);
}

struct stats_difference
stats_difference(const double *v, size_t n, double confidence)
{
	struct stats_difference out = { .p = 1, .n = n };
	double *means, *changed, tail = (1 - confidence) / 2;
	uint64_t seed = STATS_SEED;
	size_t changed_n = 0;

	if (n == 0)
		return out;
	means = mem_zero(RESAMPLES * sizeof *means);
	changed = mem_zero(n * sizeof *changed);
	for (size_t i = 0; i < n; i++) {
		out.mean += v[i] / (double)n;
		if (v[i] != 0)
			changed[changed_n++] = v[i];
	}
	for (size_t i = 0; i < RESAMPLES; i++)
		for (size_t k = 0; k < n; k++)
			means[i] += v[stats_draw(&seed) % n] / (double)n;
	out.low = stats_quantile(means, RESAMPLES, tail);
	out.high = stats_quantile(means, RESAMPLES, 1 - tail);
	out.p = sign_flip(changed, changed_n);
	free(means);
	free(changed);
	return out;
}

double
stats_confidence(size_t n)
{
	return 1 - 0.05 / (double)(n > 0 ? n : 1);
}
