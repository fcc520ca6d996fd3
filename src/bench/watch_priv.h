/*
 * watch_priv.h - between watch.c (the loop, delivery) and watch_judge.c (reading
 * /metrics, alerts, rules), which is pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_WATCH_PRIV_H
#define BENCH_WATCH_PRIV_H

#include "base/hist.h"
#include "bench/watch.h"

#define WATCH_BOUNDS 32

/* Sums over the routes of one reading of /metrics. */
struct watch_reading {
	uint64_t requests, errors;           /* errors: 5xx */
	double bound_s[WATCH_BOUNDS];        /* upper bounds, rising; the last is infinite */
	uint64_t bucket[WATCH_BOUNDS];       /* cumulative */
	size_t bounds_n;
};

/* ERR_INVALID: not Prometheus' text, or none of a server of ours. */
int watch_read(struct str text, struct watch_reading *out, struct err *e);

/* What happened in an interval. */
struct watch_interval {
	uint64_t requests, errors, probes, failed;
	double p99_s;                        /* of requests and of probes, the larger */
	double error_rate;                   /* 0..1 */
};

/* now and before may be NULL: /metrics was not read.  A counter that fell has begun
 * anew. */
void watch_judge(const struct watch_reading *before, const struct watch_reading *now,
    const struct hist *probes, uint64_t failed, struct watch_interval *out);
/* As histogram_quantile: linear inside a bucket. */
double watch_quantile(const struct watch_reading *delta, double q);

enum watch_alert { ALERT_LATENCY, ALERT_ERRORS, WATCH_ALERTS };
extern const char *const watch_alerts[];     /* by value */

/* One alert's state.  Returns what is to be told. */
struct watch_state {
	int64_t bad;                         /* intervals in a row */
	bool raised;
};
enum watch_tell { TELL_NOTHING, TELL_ALERT, TELL_RECOVERED };
enum watch_tell watch_step(struct watch_state *s, bool bad, int64_t patience);

/* "1%", "0.01"; ERR_INVALID. */
int watch_share(const char *text, double *out, struct err *e);

#endif
