/*
 * judge.h - the statistics of comparisons: whether two builds differ, slopes.
 *
 * Builds are compared by pairs of runs that ran one after the other, because the
 * machine's speed changes slowly: the ratio of a pair is steadier than the figures.
 * The logarithms of the ratios are resampled (base/stats.h).
 *
 * Pure; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_JUDGE_H
#define BENCH_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/stats.h"
#include "bench/suite.h"

enum judge_verdict { JUDGE_SAME, JUDGE_WORSE, JUDGE_BETTER, JUDGE_UNCLEAR };
extern const char *const judge_verdicts[];   /* by value */

/* Of current / baseline.  Worse or better: the interval excludes 1, and the median is
 * further from 1 than threshold (0.10: ten percent).  Unclear: it is, of fewer than
 * STATS_PAIRS_MIN pairs. */
enum judge_verdict judge(struct stats_ratio r, enum suite_better better, double threshold);
/* More pairs could show that it is worse: the median is beyond half the threshold on
 * that side, and there is no verdict yet. */
bool judge_unsure(struct stats_ratio r, enum suite_better better, double threshold);

/* Theil-Sen: the median of the slopes between all pairs of points, robust against
 * outliers; the interval is of 95 of 100 resamplings of blocks.  Per unit of x. */
struct judge_slope { double slope, low, high; };
struct judge_slope judge_slope(const double *x, const double *y, size_t n);

#endif
