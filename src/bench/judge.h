/*
 * judge.h - the statistics of comparisons: medians, spreads, whether two builds
 * differ, slopes.
 *
 * Builds are compared by pairs of runs that ran one after the other, because the
 * machine's speed changes slowly: the ratio of a pair is steadier than the figures.
 * The logarithms of the ratios are resampled (bootstrap of the median).  The seed is
 * fixed, so the same figures give the same verdict.
 *
 * Pure; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_JUDGE_H
#define BENCH_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/suite.h"

/* Below so many pairs there is no verdict: all of 6 pairs lie on one side by chance
 * once in 32 times. */
#define JUDGE_PAIRS_MIN 6

/* Both sort v.  0 if n is 0. */
double judge_median(double *v, size_t n);
/* 0..1, interpolated. */
double judge_quantile(double *v, size_t n, double part);

/* The median ratio, and the interval that holds `confidence` of the resamplings. */
struct judge_ratio {
	double median, low, high;
	size_t n;
};
struct judge_ratio judge_pairs(const double *logs, size_t n, double confidence);

enum judge_verdict { JUDGE_SAME, JUDGE_WORSE, JUDGE_BETTER, JUDGE_UNCLEAR };
extern const char *const judge_verdicts[];   /* by value */

/* Of current / baseline.  Worse or better: the interval excludes 1, and the median is
 * further from 1 than threshold (0.10: ten percent).  Unclear: it is, of fewer than
 * JUDGE_PAIRS_MIN pairs. */
enum judge_verdict judge(struct judge_ratio r, enum suite_better better, double threshold);
/* More pairs could show that it is worse: the median is beyond half the threshold on
 * that side, and there is no verdict yet. */
bool judge_unsure(struct judge_ratio r, enum suite_better better, double threshold);
/* Of each of n metrics that are judged together, so that all are right in 95 of 100
 * comparisons of equal builds. */
double judge_confidence(size_t n);

/* Theil-Sen: the median of the slopes between all pairs of points, robust against
 * outliers; the interval is of 95 of 100 resamplings of blocks.  Per unit of x. */
struct judge_slope { double slope, low, high; };
struct judge_slope judge_slope(const double *x, const double *y, size_t n);

#endif
