/*
 * base_stats.c - statistics of samples and pairs, against answers that are known.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <math.h>
#include <string.h>

#include "base/stats.h"

static bool
near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

TEST(stats_medians_and_quantiles)
{
	double odd[] = { 3, 1, 2 }, even[] = { 4, 1, 3, 2 }, ten[] = { 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 };

	CHECK(near(stats_median(odd, 3), 2));
	CHECK(near(stats_median(even, 4), 2.5));
	CHECK(near(stats_median(odd, 0), 0));
	CHECK(near(stats_quantile(ten, 11, 0.25), 2.5));
	CHECK(near(stats_quantile(ten, 11, 1), 10));
	CHECK(near(stats_quantile(ten, 1, 0.5), 0));
	CHECK(near(stats_confidence(1), 0.95) && near(stats_confidence(5), 0.99));
}

/* of n pairs, `less` are lower by 1 and `more` higher by 1. */
static struct stats_difference
turned(size_t n, size_t less, size_t more)
{
	double v[100] = { 0 };

	for (size_t i = 0; i < less; i++)
		v[i] = -1;
	for (size_t i = less; i < less + more; i++)
		v[i] = 1;
	return stats_difference(v, n, 0.95);
}

TEST(stats_of_equal_pairs_are_0_and_never_significant)
{
	struct stats_difference d = turned(40, 0, 0);

	CHECK(near(d.mean, 0) && near(d.low, 0) && near(d.high, 0) && near(d.p, 1));
	CHECK_INT(d.n, 40);
	d = stats_difference(NULL, 0, 0.95);
	CHECK(near(d.mean, 0) && near(d.p, 1));
}

/* The signs of k differences of one side: 2 of the 2^k are as far. */
TEST(stats_sign_flip_is_exact_for_few_differences)
{
	CHECK(near(turned(40, 4, 0).p, 0.125));
	CHECK(near(turned(40, 6, 0).p, 2.0 / 64));
	CHECK(near(turned(40, 0, 6).p, 2.0 / 64));
	CHECK(near(turned(40, 5, 1).p, 14.0 / 64));
	CHECK(near(turned(5, 5, 0).p, 2.0 / 32));
	CHECK(turned(40, 4, 0).high < 0);    /* the interval alone would be wrong here */
}

TEST(stats_sign_flip_draws_signs_for_many_differences)
{
	CHECK(turned(40, 20, 0).p < 0.001 && turned(40, 20, 0).p > 0);
	CHECK(fabs(turned(40, 13, 7).p - 0.263) < 0.02);     /* the binomial: 0.2632 */
	CHECK(turned(100, 50, 50).p > 0.9);
}

/* Of 400 comparisons of equals 5 of 100 may be significant. */
TEST(stats_raise_no_false_alarm)
{
	uint64_t seed = 1234567;
	unsigned alarms = 0;

	for (int i = 0; i < 400; i++) {
		double v[20];
		struct stats_difference d;

		for (size_t k = 0; k < COUNT(v); k++)
			v[k] = (double)(stats_draw(&seed) >> 40 & 1) -
			    (double)(stats_draw(&seed) >> 40 & 1);
		d = stats_difference(v, COUNT(v), 0.95);
		alarms += d.p <= 0.05 && (d.low > 0 || d.high < 0);
	}
	CHECK(alarms <= 24);
}

TEST(stats_find_a_difference)
{
	struct stats_difference d = turned(40, 10, 1);

	CHECK(near(d.mean, -9.0 / 40));
	CHECK(d.high < 0 && d.low < d.mean && d.p < 0.05);
}
