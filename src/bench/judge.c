/*
 * judge.c - see judge.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/judge.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define RESAMPLES   4000
#define SEED        88172645463325252u
#define SLOPE_MAX   200                      /* points; more are thinned out */
#define SLOPE_TURNS 400

const char *const judge_verdicts[] = { "no difference", "worse", "better", "unclear" };

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static uint64_t
draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

double
judge_median(double *v, size_t n)
{
	if (n == 0)
		return 0;
	qsort(v, n, sizeof *v, by_value);
	return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double
judge_quantile(double *v, size_t n, double part)
{
	double at = part * (double)(n - 1);
	size_t low = (size_t)at;

	if (n == 0)
		return 0;
	qsort(v, n, sizeof *v, by_value);
	return low + 1 >= n ? v[n - 1] : v[low] + (at - (double)low) * (v[low + 1] - v[low]);
}

struct judge_ratio
judge_pairs(const double *logs, size_t n, double confidence)
{
	struct judge_ratio out = { 1, 1, 1, n };
	double *sample, *medians, tail = (1 - confidence) / 2;
	uint64_t seed = SEED;

	if (n == 0)
		return out;
	sample = mem_zero(n * sizeof *sample);
	medians = mem_zero(RESAMPLES * sizeof *medians);
	for (size_t i = 0; i < RESAMPLES; i++) {
		for (size_t k = 0; k < n; k++)
			sample[k] = logs[draw(&seed) % n];
		medians[i] = judge_median(sample, n);
	}
	memcpy(sample, logs, n * sizeof *sample);
	out.median = exp(judge_median(sample, n));
	out.low = exp(judge_quantile(medians, RESAMPLES, tail));
	out.high = exp(judge_quantile(medians, RESAMPLES, 1 - tail));
	free(sample);
	free(medians);
	return out;
}

enum judge_verdict
judge(struct judge_ratio r, enum suite_better better, double threshold)
{
	bool more = r.median > 1 + threshold, less = r.median < 1 - threshold;

	if (better == COUNTED || (!more && !less))
		return JUDGE_SAME;
	if (r.n < JUDGE_PAIRS_MIN)
		return JUDGE_UNCLEAR;
	if (more ? r.low <= 1 : r.high >= 1)
		return JUDGE_SAME;
	return more == (better == UP) ? JUDGE_BETTER : JUDGE_WORSE;
}

bool
judge_unsure(struct judge_ratio r, enum suite_better better, double threshold)
{
	if (better == COUNTED || judge(r, better, threshold) == JUDGE_WORSE)
		return false;
	return better == UP ? r.median < 1 - threshold / 2 : r.median > 1 + threshold / 2;
}

double
judge_confidence(size_t n)
{
	return 1 - 0.05 / (double)(n > 0 ? n : 1);
}

/* ---- slopes ---------------------------------------------------------------------- */

static double
theil_sen(const double *x, const double *y, size_t n, double *room)
{
	size_t slopes = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			if (x[k] != x[i])
				room[slopes++] = (y[k] - y[i]) / (x[k] - x[i]);
	return judge_median(room, slopes);
}

/* Neighbours depend on each other, so whole blocks are drawn. */
static void
draw_blocks(const double *x, const double *y, size_t n, uint64_t *seed, double *bx,
    double *by)
{
	size_t block = (size_t)cbrt((double)n) + 1;

	for (size_t at = 0; at < n; at += block) {
		size_t from = draw(seed) % n;

		for (size_t k = 0; k < block && at + k < n; k++) {
			bx[at + k] = x[(from + k) % n];
			by[at + k] = y[(from + k) % n];
		}
	}
}

struct judge_slope
judge_slope(const double *x, const double *y, size_t n)
{
	size_t step = (n + SLOPE_MAX - 1) / SLOPE_MAX, m = 0;
	double *p = mem_zero((4 * SLOPE_MAX + SLOPE_MAX * SLOPE_MAX / 2) * sizeof *p);
	double *px = p, *py = p + SLOPE_MAX, *bx = p + 2 * SLOPE_MAX, *by = p + 3 * SLOPE_MAX;
	double turns[SLOPE_TURNS];
	struct judge_slope out = { 0, 0, 0 };
	uint64_t seed = SEED;

	for (size_t i = 0; i < n; i += step, m++) {
		px[m] = x[i];
		py[m] = y[i];
	}
	if (m >= 2) {
		out.slope = theil_sen(px, py, m, p + 4 * SLOPE_MAX);
		for (size_t i = 0; i < SLOPE_TURNS; i++) {
			draw_blocks(px, py, m, &seed, bx, by);
			turns[i] = theil_sen(bx, by, m, p + 4 * SLOPE_MAX);
		}
		out.low = judge_quantile(turns, SLOPE_TURNS, 0.025);
		out.high = judge_quantile(turns, SLOPE_TURNS, 0.975);
	}
	free(p);
	return out;
}
