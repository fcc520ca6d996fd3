/*
 * judge.c - see judge.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/judge.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

#define SLOPE_MAX   200                      /* points; more are thinned out */
#define SLOPE_TURNS 400

const char *const judge_verdicts[] = { "no difference", "worse", "better", "unclear" };

enum judge_verdict
judge(struct stats_ratio r, enum suite_better better, double threshold)
{
	bool more = r.median > 1 + threshold, less = r.median < 1 - threshold;

	if (better == COUNTED || (!more && !less))
		return JUDGE_SAME;
	if (r.n < STATS_PAIRS_MIN)
		return JUDGE_UNCLEAR;
	if (more ? r.low <= 1 : r.high >= 1)
		return JUDGE_SAME;
	return more == (better == UP) ? JUDGE_BETTER : JUDGE_WORSE;
}

bool
judge_unsure(struct stats_ratio r, enum suite_better better, double threshold)
{
	if (better == COUNTED || judge(r, better, threshold) == JUDGE_WORSE)
		return false;
	return better == UP ? r.median < 1 - threshold / 2 : r.median > 1 + threshold / 2;
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
	return stats_median(room, slopes);
}

/* Neighbours depend on each other, so whole blocks are drawn. */
static void
draw_blocks(const double *x, const double *y, size_t n, uint64_t *seed, double *bx,
    double *by)
{
	size_t block = (size_t)cbrt((double)n) + 1;

	for (size_t at = 0; at < n; at += block) {
		size_t from = stats_draw(seed) % n;

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
	uint64_t seed = STATS_SEED;

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
		out.low = stats_quantile(turns, SLOPE_TURNS, 0.025);
		out.high = stats_quantile(turns, SLOPE_TURNS, 0.975);
	}
	free(p);
	return out;
}
