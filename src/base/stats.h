/*
 * stats.h - statistics of samples and of pairs: medians, quantiles, bootstrap
 * intervals, a sign-flip test.
 *
 * Everything random draws from a fixed seed, so the same figures give the same
 * answer.
 *
 * Pure; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Below so many pairs there is no verdict: all of 6 pairs lie on one side by chance
 * once in 32 times. */
#define STATS_PAIRS_MIN 6
#define STATS_SEED      88172645463325252u

uint64_t stats_draw(uint64_t *seed);         /* xorshift; *seed is not 0 */

/* Both sort v.  0 if n is 0. */
double stats_median(double *v, size_t n);
/* 0..1, interpolated. */
double stats_quantile(double *v, size_t n, double part);

/* The median ratio of pairs, and the interval that holds `confidence` of the
 * resamplings (bootstrap of the median).  logs: the logarithms of the ratios. */
struct stats_ratio {
	double median, low, high;
	size_t n;
};
struct stats_ratio stats_ratio(const double *logs, size_t n, double confidence);

/* The mean difference of pairs, which may be 0; the interval that holds `confidence`
 * of the resamplings (bootstrap of the mean); and the two-sided p of the hypothesis
 * that each difference could as well have had the other sign.  That test is exact for
 * few pairs, for which the interval is too narrow; it counts all 2^k signs of k
 * differences that are not 0 up to k = 12, and draws signs beyond. */
struct stats_difference {
	double mean, low, high, p;
	size_t n;
};
struct stats_difference stats_difference(const double *v, size_t n, double confidence);

/* Of each of n metrics that are judged together, so that all are right in 95 of 100
 * comparisons of equals. */
double stats_confidence(size_t n);

#endif
