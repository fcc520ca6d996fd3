/*
 * bench_judge.c - the statistics of comparisons, against answers that are known;
 * plots.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <math.h>
#include <string.h>

#include "bench/judge.h"
#include "bench/plot.h"
#include "bench/rate.h"

/* Noise of 5 % around a ratio. */
static void
fill(double *logs, size_t n, double ratio, uint32_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		logs[i] = log(ratio) + ((double)(seed >> 8) / (1 << 24) - 0.5) * 0.1;
	}
}

static bool
near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

TEST(judge_finds_a_slowdown_and_raises_no_false_alarm)
{
	double logs[15];

	for (uint32_t seed = 1; seed <= 20; seed++) {
		fill(logs, COUNT(logs), 1, seed);
		CHECK_INT(judge(stats_ratio(logs, 15, 0.95), DOWN, 0.05), JUDGE_SAME);
		fill(logs, COUNT(logs), 1.2, seed);
		CHECK_INT(judge(stats_ratio(logs, 15, 0.95), DOWN, 0.05), JUDGE_WORSE);
		CHECK_INT(judge(stats_ratio(logs, 15, 0.95), UP, 0.05), JUDGE_BETTER);
		CHECK_INT(judge(stats_ratio(logs, 15, 0.95), COUNTED, 0.05), JUDGE_SAME);
		fill(logs, COUNT(logs), 0.8, seed);
		CHECK_INT(judge(stats_ratio(logs, 15, 0.95), DOWN, 0.05), JUDGE_BETTER);
		CHECK_INT(judge(stats_ratio(logs, 15, 0.95), UP, 0.05), JUDGE_WORSE);
	}
}

TEST(judge_wants_pairs_and_a_difference_over_the_threshold)
{
	double same[] = { 0, 0, 0, 0, 0, 0 }, more[6];
	struct stats_ratio r;

	r = stats_ratio(same, 0, 0.95);
	CHECK(near(r.median, 1) && near(r.low, 1) && near(r.high, 1) && r.n == 0);
	for (size_t i = 0; i < 6; i++)
		more[i] = log(1.09);
	r = stats_ratio(more, 6, 0.95);
	CHECK(near(r.median, 1.09) && near(r.low, 1.09) && near(r.high, 1.09));
	CHECK_INT(judge(r, DOWN, 0.10), JUDGE_SAME);
	CHECK(judge_unsure(r, DOWN, 0.10) && !judge_unsure(r, UP, 0.10));
	CHECK_INT(judge(r, DOWN, 0.08), JUDGE_WORSE);
	r = stats_ratio(more, STATS_PAIRS_MIN - 1, 0.95);
	CHECK_INT(judge(r, DOWN, 0.08), JUDGE_UNCLEAR);
	CHECK_INT(judge(r, UP, 0.08), JUDGE_UNCLEAR);
	CHECK_INT(judge(r, DOWN, 0.10), JUDGE_SAME);
	CHECK(judge_unsure(r, DOWN, 0.08) && !judge_unsure(r, UP, 0.08));
	CHECK(!judge_unsure(stats_ratio(same, 6, 0.95), DOWN, 0.08));
}

TEST(judge_the_same_figures_give_the_same_verdict)
{
	double logs[9];
	struct stats_ratio a, b;

	fill(logs, 9, 1.1, 7);
	a = stats_ratio(logs, 9, 0.95);
	b = stats_ratio(logs, 9, 0.95);
	CHECK(near(a.low, b.low) && near(a.high, b.high));
	CHECK(a.low <= a.median && a.median <= a.high);
}

TEST(judge_slopes_ignore_outliers)
{
	double x[300], y[300];
	struct judge_slope s;

	for (size_t i = 0; i < 300; i++) {
		x[i] = (double)i;
		y[i] = 5 + 2 * (double)i + (i % 17 == 0 ? 1000 : 0);
	}
	s = judge_slope(x, y, 300);
	CHECK(fabs(s.slope - 2) < 0.01);
	CHECK(s.low <= s.slope && s.slope <= s.high);
	for (size_t i = 0; i < 300; i++)
		y[i] = i % 2 == 0 ? 7 : 8;
	s = judge_slope(x, y, 300);
	CHECK(s.low <= 0 && s.high >= 0);
	s = judge_slope(x, y, 1);
	CHECK(near(s.slope, 0));
}

/* Units and time of the slices are counted whole: a slice ends with the batch in which
 * its time was over. */
TEST(rate_is_of_slices)
{
	nsec end = clock_mono() + 20 * NS_PER_MS;
	struct rate r;

	rate_init(&r, 0);
	CHECK(near(rate_median(&r), 0));
	while (rate_add(&r, 10) < end)
		;
	CHECK(r.n > 0 && r.n <= 20 * NS_PER_MS / RATE_SLICE_NS + 1);
	CHECK(rate_median(&r) > 0);
	rate_release(&r);
}

/* Of the thread's own time, so that neighbours do not matter. */
TEST(slowdown_costs_its_share)
{
	struct slow s = { .percent = 300 };
	nsec began, worked;

	slow_mark(&s);
	began = s.since;
	while (clock_thread() - began < 2 * NS_PER_MS)
		;
	worked = clock_thread();
	slow_pay(&s);
	CHECK(clock_thread() - worked >= 3 * (worked - began));
}

TEST(plot_draws_what_there_is)
{
	double x[] = { 1, 10, 100 }, y[] = { 0, 5, 50 };
	struct plot p = { .title = "a < b", .x_name = "n", .y_name = "MB", .log_x = true,
		.curve = { { .name = "one", .x = x, .y = y, .n = 3 } }, .curves_n = 1 };
	struct buf b = BUF(MB);

	plot_add(&p, &b);
	CHECK(strstr(b.p, "a &lt; b") != NULL && strstr(b.p, "</svg></figure>") != NULL);
	CHECK(strstr(b.p, "nan") == NULL && strstr(b.p, "inf") == NULL);
	buf_clear(&b);
	p.log_y = true;                      /* a logarithm has no 0 */
	plot_add(&p, &b);
	CHECK(strstr(b.p, "nan") == NULL && strstr(b.p, "inf") == NULL);
	buf_clear(&b);
	p.curve[0].n = 1;
	plot_add(&p, &b);
	CHECK_INT(b.n, 0);
	p.log_y = false;                     /* one point, and it is 0 */
	plot_add(&p, &b);
	CHECK(b.n > 0 && strstr(b.p, "nan") == NULL);
	buf_release(&b);
}
