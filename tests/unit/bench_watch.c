/*
 * bench_watch.c - the monitor's judgement: reading /metrics, p99 of an interval,
 * counters that begin anew, alerts and recoveries, rules.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <math.h>
#include <string.h>

#include "bench/watch_priv.h"

#define HEAD "# HELP cohort_http_requests_total x\n# TYPE cohort_http_requests_total counter\n"
#define OK_ROUTE(n, bad, b1, b2, b3)                                         \
	"cohort_http_requests_total{route=\"GET /ok\",class=\"2xx\"} " n "\n"      \
	"cohort_http_requests_total{route=\"GET /ok\",class=\"5xx\"} " bad "\n"    \
	"cohort_http_request_seconds_bucket{route=\"GET /ok\",le=\"0.001\"} " b1 "\n" \
	"cohort_http_request_seconds_bucket{route=\"GET /ok\",le=\"0.01\"} " b2 "\n" \
	"cohort_http_request_seconds_bucket{route=\"GET /ok\",le=\"+Inf\"} " b3 "\n"
#define WAITING_ROUTE                                                        \
	"cohort_http_request_seconds_bucket{route=\"POST /runs/wait\",le=\"0.001\"} 0\n" \
	"cohort_http_request_seconds_bucket{route=\"POST /runs/wait\",le=\"+Inf\"} 9\n"

static bool
near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

TEST(watch_reads_the_sums_of_all_routes)
{
	struct watch_reading r;
	struct err e;

	CHECK_RC(watch_read(S(HEAD OK_ROUTE("100", "3", "90", "99", "103") WAITING_ROUTE), &r,
	    &e), OK);
	CHECK(r.requests == 103 && r.errors == 3 && r.bounds_n == 3);
	CHECK(r.bucket[0] == 90 && r.bucket[2] == 103);      /* without those that wait */
	CHECK(isinf(r.bound_s[2]));
	CHECK_RC(watch_read(S(HEAD), &r, &e), OK);           /* a server that was asked nothing */
	CHECK(r.requests == 0);
	CHECK_RC(watch_read(S("<html>"), &r, &e), ERR_INVALID);
	CHECK_RC(watch_read(S(HEAD "cohort_http_requests_total{class=\"5xx\"} x\n"), &r, &e),
	    ERR_INVALID);
	CHECK_RC(watch_read(S(HEAD "cohort_http_request_seconds_bucket{le=\"x\"} 1\n"), &r, &e),
	    ERR_INVALID);
}

TEST(watch_quantiles_are_prometheus_own)
{
	struct watch_reading d = { .bounds_n = 3, .bound_s = { 0.1, 0.5, INFINITY },
		.bucket = { 50, 100, 100 } };

	CHECK(near(watch_quantile(&d, 0.5), 0.1));
	CHECK(near(watch_quantile(&d, 0.25), 0.05));
	CHECK(near(watch_quantile(&d, 0.75), 0.3));
	d.bucket[2] = 200;                   /* in the last one: its lower bound */
	CHECK(near(watch_quantile(&d, 0.99), 0.5));
	d.bounds_n = 0;
	CHECK(near(watch_quantile(&d, 0.99), 0));
}

TEST(watch_judges_an_interval_not_all_time)
{
	struct watch_reading before, now;
	struct watch_interval x;
	struct hist probes;
	struct err e;

	hist_clear(&probes);
	CHECK_RC(watch_read(S(HEAD OK_ROUTE("1000", "500", "0", "0", "1500")), &before, &e), OK);
	CHECK_RC(watch_read(S(HEAD OK_ROUTE("1099", "501", "100", "100", "1600")), &now, &e), OK);
	watch_judge(&before, &now, &probes, 0, &x);
	CHECK(x.requests == 100 && x.errors == 1 && near(x.error_rate, 0.01));
	CHECK(x.p99_s <= 0.001);
	/* Restarted: what it counts now is of this interval. */
	CHECK_RC(watch_read(S(HEAD OK_ROUTE("9", "1", "0", "10", "10")), &now, &e), OK);
	watch_judge(&before, &now, &probes, 0, &x);
	CHECK(x.requests == 10 && x.errors == 1 && x.p99_s > 0.009 && x.p99_s <= 0.01);
	/* Not to be read: probes tell. */
	hist_add(&probes, 20 * 1000000);
	watch_judge(NULL, NULL, &probes, 3, &x);
	CHECK(x.requests == 0 && x.failed == 3 && x.probes == 4 && near(x.error_rate, 0.75));
	CHECK(x.p99_s > 0.0199 && x.p99_s < 0.0201);
}

TEST(watch_alerts_once_and_recovers_once)
{
	struct watch_state s = { 0 };
	static const struct { bool bad; enum watch_tell tell; } steps[] = {
		{ false, TELL_NOTHING }, { true, TELL_NOTHING }, { false, TELL_NOTHING },
		{ true, TELL_NOTHING }, { true, TELL_ALERT }, { true, TELL_NOTHING },
		{ false, TELL_RECOVERED }, { false, TELL_NOTHING }, { true, TELL_NOTHING },
		{ true, TELL_ALERT },
	};

	for (size_t i = 0; i < COUNT(steps); i++)
		CHECK_INT(watch_step(&s, steps[i].bad, 2), steps[i].tell);
}

TEST(watch_shares)
{
	double v;
	struct err e;

	CHECK_RC(watch_share("1%", &v, &e), OK);
	CHECK(near(v, 0.01));
	CHECK_RC(watch_share("0.5", &v, &e), OK);
	CHECK(near(v, 0.5));
	CHECK_RC(watch_share("0", &v, &e), OK);
	CHECK_RC(watch_share("5", &v, &e), ERR_INVALID);
	CHECK_RC(watch_share("101%", &v, &e), ERR_INVALID);
	CHECK_RC(watch_share("-1%", &v, &e), ERR_INVALID);
	CHECK_RC(watch_share("x", &v, &e), ERR_INVALID);
}

TEST(watch_rules_have_the_objectives)
{
	struct buf b = BUF(64 * KB);

	watch_add_rules(0.25, 0.02, &b);
	CHECK(strstr(b.p, "- alert: high_latency\n") != NULL);
	CHECK(strstr(b.p, "[1m]))) > 0.25\n") != NULL && strstr(b.p, "[1m])) > 0.02\n") != NULL);
	buf_clear(&b);
	watch_add_alerts_markdown(&b);
	CHECK(strstr(b.p, "(stream\\|wait") != NULL && strstr(b.p, "> SLO_P99`") != NULL);
	buf_release(&b);
}
