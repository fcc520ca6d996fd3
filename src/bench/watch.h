/*
 * watch.h - `cohort bench watch`: a monitor of a server in production.  Every
 * interval it reads GET /metrics and judges what happened since the last time; a
 * probe is timed every second.  Alerts go to stderr, a command, a webhook.
 *
 *   high_latency      p99 of the interval is over --slo-p99
 *   high_error_rate   the share of 5xx and of failed probes is over --slo-errors
 *   recovered         one of them is over
 *
 * The same rules, and those of the store, as a file for Prometheus: --rules.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include "base/clock.h"
#include "base/flags.h"

struct watch_options {
	const char *url, *token, *probe, *slo_errors, *command, *webhook;
	msec slo_p99, interval, probe_interval, duration;
	int64_t patience;                    /* intervals before an alert */
	bool rules;
};
extern const struct flag bench_watch_flags[];

/* 0: stopped by SIGINT or SIGTERM, or --duration passed without an alert; 1: with
 * one; below 0: an error. */
int bench_watch(const struct watch_options *o, struct err *e);

/* Prometheus' alerting rules; and the table of docs/metrics.md. */
void watch_add_rules(double slo_p99_s, double slo_errors, struct buf *out);
void watch_add_alerts_markdown(struct buf *out);

#endif
