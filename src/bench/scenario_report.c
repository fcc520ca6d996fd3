/*
 * scenario_report.c - what was counted, merged and told; two servers side by side.
 *
 * Passes on two servers take turns, and the pairs are compared: the median of their
 * ratios, and the interval that 95 of 100 resamplings of the pairs are in.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scenario_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "bench/judge.h"

#define LAG_MAX_MS 10.0                      /* p99 of sending, where that is */
#define LAG_SHARE  0.25                      /* more than so much of the p99 */
#define LAG_MIN    100                       /* arrivals before it is significant */
#define P99_SAMPLES 1000                     /* for a p99 to be compared */
#define DIFFERENT  0.05                      /* a smaller difference is none */

/* ---- tallies -------------------------------------------------------------- */

struct tally *
tally_new(const struct scenario *p)
{
	struct tally *t = mem_new(struct tally);

	t->rows = mem_zero((p->rows_n + 1) * sizeof *t->rows);
	t->sequences = mem_zero((p->sequences_n + 1) * sizeof *t->sequences);
	return t;
}

void
tally_free(struct tally *t)
{
	if (t == NULL)
		return;
	free(t->rows);
	free(t->sequences);
	free(t);
}

static void
merge_statuses(struct tally *into, const struct tally *from)
{
	for (size_t i = 0; i < from->statuses_n; i++) {
		size_t k = 0;

		while (k < into->statuses_n &&
		    into->statuses[k].status != from->statuses[i].status)
			k++;
		if (k == STATUSES_MAX)
			continue;
		if (k == into->statuses_n)
			into->statuses[into->statuses_n++].status = from->statuses[i].status;
		into->statuses[k].n += from->statuses[i].n;
	}
}

void
tally_merge(struct tally *into, const struct tally *from, const struct scenario *p)
{
	static const size_t sums[] = {
#define SUM(field) offsetof(struct tally, field)
		SUM(ok), SUM(failed), SUM(warm), SUM(started), SUM(request_errors),
		SUM(missed), SUM(unended), SUM(model_calls), SUM(deltas), SUM(bytes_in),
		SUM(bytes_out), SUM(resent),
#undef SUM
	};

	for (size_t i = 0; i < COUNT(sums); i++)
		*(uint64_t *)(void *)((char *)into + sums[i]) +=
		    *(const uint64_t *)(const void *)((const char *)from + sums[i]);
	for (size_t i = 0; i < p->rows_n; i++) {
		hist_merge(&into->rows[i].times, &from->rows[i].times);
		hist_merge(&into->rows[i].first, &from->rows[i].first);
		into->rows[i].errors += from->rows[i].errors;
		into->rows[i].events += from->rows[i].events;
		into->rows[i].streaming += from->rows[i].streaming;
	}
	for (size_t i = 0; i < p->sequences_n; i++)
		hist_merge(&into->sequences[i], &from->sequences[i]);
	hist_merge(&into->flows, &from->flows);
	hist_merge(&into->requests, &from->requests);
	hist_merge(&into->lag, &from->lag);
	merge_statuses(into, from);
	if (into->sample.code == OK)
		into->sample = from->sample;
	into->wall += from->wall;
	into->server_cpu_s += from->server_cpu_s;
}

/* ---- one server ----------------------------------------------------------- */

static double
share(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (double)part / (double)whole;
}

static void
value_of(struct report *r, const char *format, const char *name, double v, int digits)
{
	char key[64];

	snprintf(key, sizeof key, format, name);
	report_value(r, v, digits, key);
}

static void
report_statuses(struct report *r, const struct tally *t)
{
	for (size_t i = 0; i < t->statuses_n; i++) {
		char name[24];

		snprintf(name, sizeof name, t->statuses[i].status == 0 ? "no_answer" : "%d",
		    t->statuses[i].status);
		value_of(r, "errors_%s", name, (double)t->statuses[i].n, 0);
	}
}

void
report_requests(struct report *r, const struct scenario *p, const struct tally *t)
{
	for (size_t i = 0; i < p->rows_n; i++)
		report_metric(r, "http_req_duration", p->rows[i].name.p, &t->rows[i].times,
		    t->rows[i].errors);
	report_metric(r, "http_req_duration", NULL, &t->requests, t->request_errors);
	for (size_t i = 0; i < p->rows_n; i++) {
		const struct row *row = &t->rows[i];

		if (p->rows[i].first_name == NULL)
			continue;
		report_metric(r, "first_event", p->rows[i].first_name, &row->first, 0);
		value_of(r, "%s_events_per_s", p->rows[i].name.p, row->streaming > 0 ?
		    (double)row->events / ((double)row->streaming / NS_PER_S) : 0, 1);
	}
	report_value(r, (double)t->requests.count, 0, "http_reqs");
	report_value(r, share(t->request_errors, t->requests.count), 4, "http_req_failed");
	report_value(r, (double)t->request_errors, 0, "http_errors");
	report_statuses(r, t);
	if (t->resent > 0)
		report_value(r, (double)t->resent, 0, "http_reqs_sent_twice");
	report_value(r, (double)t->bytes_in, 0, "data_received_bytes");
	report_value(r, (double)t->bytes_out, 0, "data_sent_bytes");
	if (t->unended > 0)
		report_check(r, false, "%llu sequences had not ended 30 s after the last phase",
		    (unsigned long long)t->unended);
}

void
report_arrivals(struct report *r, const struct scenario *p, const struct tally *t)
{
	double lag = report_ms(&t->lag, 99), p99 = report_ms(&t->requests, 99);
	double bound = p99 * LAG_SHARE > LAG_MAX_MS ? p99 * LAG_SHARE : LAG_MAX_MS;

	if (t->lag.count == 0 && t->missed == 0)
		return;
	report_value(r, lag, 3, "send_lag_p99_ms");
	report_value(r, (double)t->missed, 0, "arrivals_missed");
	report_check(r, t->missed == 0, "every arrival found a free user (%llu did not; there "
	    "are %lld)", (unsigned long long)t->missed, (long long)p->users_max);
	if (t->lag.count >= LAG_MIN)
		report_check(r, lag < bound, "the generator sent on time (lag p99 %.2f ms, at "
		    "most %.2f)", lag, bound);
}

/* ---- two servers ---------------------------------------------------------- */

/* Of each pair of passes. */
struct figure {
	char name[48];
	const char *unit;
	double a[PEER_ROUNDS], b[PEER_ROUNDS];
	double whole_a, whole_b;             /* of all passes */
};

static double
per_second(const struct tally *t)
{
	return t->wall > 0 ? (double)(t->ok + t->failed) / ((double)t->wall / NS_PER_S) : 0;
}

static double
cpu_ms(const struct tally *t)
{
	return share(1, t->ok + t->failed) * t->server_cpu_s * 1000;
}

/* The figure's own pairs; those without a value on one side are left out. */
static void
tell_figure(struct report *r, const struct figure *f, size_t passes)
{
	double logs[PEER_ROUNDS];
	struct stats_ratio x;
	bool same;
	size_t n = 0;

	for (size_t i = 0; i < passes; i++)
		if (f->a[i] > 0 && f->b[i] > 0)
			logs[n++] = log(f->a[i] / f->b[i]);
	if (n == 0)
		return;
	x = stats_ratio(logs, n, 0.95);
	same = judge(x, DOWN, DIFFERENT) == JUDGE_SAME;
	printf("%-32s %11.3f %11.3f %9.3f  %.3f to %.3f%s\n", f->name, f->whole_a, f->whole_b,
	    x.median, x.low, x.high, !same ? "" : n < STATS_PAIRS_MIN ?
	    "  (too few to judge)" : "  (no difference)");
	value_of(r, "peer_%s", f->name, f->whole_b, 3);
	value_of(r, "ratio_%s", f->name, x.median, 4);
	value_of(r, "ratio_%s_low", f->name, x.low, 4);
	value_of(r, "ratio_%s_high", f->name, x.high, 4);
}

static void
tell_rate(struct report *r, const struct side *a, const struct side *b, const char *name,
    double (*of)(const struct tally *t))
{
	struct figure f = { .whole_a = of(a->all), .whole_b = of(b->all) };

	snprintf(f.name, sizeof f.name, "%s", name);
	for (size_t i = 0; i < a->passes_n; i++) {
		f.a[i] = of(a->pass[i]);
		f.b[i] = of(b->pass[i]);
	}
	tell_figure(r, &f, a->passes_n);
}

/* at: the histogram in a tally, by a row's number. */
static void
tell_times(struct report *r, const struct side *a, const struct side *b, const char *name,
    const struct hist *(*at)(const struct tally *t, size_t i), size_t row)
{
	static const double percentiles[] = { 50, 99 };

	for (size_t k = 0; k < COUNT(percentiles); k++) {
		double p = percentiles[k];
		uint64_t n = at(a->all, row)->count, m = at(b->all, row)->count;
		struct figure f = { .whole_a = report_ms(at(a->all, row), p),
		    .whole_b = report_ms(at(b->all, row), p) };

		if (p > 50 && (n < P99_SAMPLES || m < P99_SAMPLES))
			continue;
		snprintf(f.name, sizeof f.name, "%s_p%.0f_ms", name, p);
		for (size_t i = 0; i < a->passes_n; i++) {
			f.a[i] = report_ms(at(a->pass[i], row), p);
			f.b[i] = report_ms(at(b->pass[i], row), p);
		}
		tell_figure(r, &f, a->passes_n);
	}
}

static const struct hist *
flows_at(const struct tally *t, size_t i)
{
	(void)i;
	return &t->flows;
}

static const struct hist *
times_at(const struct tally *t, size_t i)
{
	return &t->rows[i].times;
}

void
report_peer(struct report *r, const struct scenario *p, const struct side *a,
    const struct side *b)
{
	const struct tally *t = b->all;

	printf("%-32s %11s %11s %9s  (of %zu pairs: the median, and 95 %% of resamplings)\n",
	    "", a->name, b->name, "ratio", a->passes_n);
	tell_rate(r, a, b, "sequences_per_s", per_second);
	if (a->options.pid > 0 && b->options.pid > 0)
		tell_rate(r, a, b, "cpu_ms_per_sequence", cpu_ms);
	tell_times(r, a, b, "sequence", flows_at, 0);
	for (size_t i = 0; i < p->rows_n; i++)
		tell_times(r, a, b, p->rows[i].name.p, times_at, i);
	printf("\n");
	report_value(r, share(t->request_errors, t->requests.count), 4,
	    "peer_http_req_failed");
	report_value(r, (double)t->missed, 0, "peer_arrivals_missed");
	/* Their times would be missing in its column. */
	if (t->lag.count + t->missed > 0)
		report_check(r, t->missed == 0, "%s: every arrival found a free user (%llu did "
		    "not)", b->name, (unsigned long long)t->missed);
	report_check(r, t->request_errors == 0 && t->failed == 0, "%s: %llu of %llu requests "
	    "failed%s%.80s", b->name, (unsigned long long)t->request_errors,
	    (unsigned long long)t->requests.count, t->sample.code != OK ? ": " : "",
	    t->sample.code != OK ? t->sample.text : "");
}
