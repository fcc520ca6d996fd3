/*
 * metrics.h - what a shard counts about its requests, and the page that shows
 * it in Prometheus' text format.
 *
 * Only the shard writes; relaxed atomics let any other read a value that is
 * whole, if slightly old.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_METRICS_H
#define API_METRICS_H

#include <stdatomic.h>
#include "base/buf.h"
#include "base/clock.h"

enum {
	METRICS_ROUTES = 160,                /* the last one: no route */
	METRICS_CLASSES = 5,                 /* 1xx .. 5xx */
	METRICS_BUCKETS = 13                 /* see metrics_bounds_us */
};

extern const uint32_t metrics_bounds_us[METRICS_BUCKETS];

struct metrics_route {
	_Atomic uint64_t by_class[METRICS_CLASSES];
	_Atomic uint64_t bucket[METRICS_BUCKETS + 1];        /* the last: +Inf */
	_Atomic uint64_t sum_us;
};

struct metrics {
	struct metrics_route route[METRICS_ROUTES];
	_Atomic uint64_t bytes_out;
	_Atomic int64_t watchers;            /* clients waiting for a run */
};

/* One more request of this route. */
void metrics_count(struct metrics *m, size_t route, int status, nsec took,
    size_t bytes_out);
void metrics_add(_Atomic uint64_t *counter, uint64_t n);

#endif
