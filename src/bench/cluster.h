/*
 * cluster.h - `cohort bench cluster`: what PostgreSQL has to bear from many nodes, and how
 * long threads stand still when some of them are lost, by simulation (fleet.h).
 *
 *   S_statements_per_s, S_rows_per_s, S_cores     of PostgreSQL in scenario S, with _peak of
 *                      the busiest second
 *   S_takeover_s       the longest that a thread stood still
 *   S_stuck, S_twice   threads that nobody runs at the end; that two ran at once
 *   S_counted          threads of nodes that were marked as lost: maybe their runs' last attempt
 *   S_lost             leases of nodes that nothing had happened to
 *   S_saturated_s      in which work waited for a core of PostgreSQL
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_CLUSTER_H
#define BENCH_CLUSTER_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/flags.h"

struct bench_cluster_options {
	const char *only, *thresholds, *json, *markdown;
	int64_t nodes, threads, kill, cores, connections, flush_us, trip_us, seed;
	msec lease;
};
extern const struct flag bench_cluster_flags[];

/* As bench_flow. */
int bench_cluster(const struct bench_cluster_options *o, int argc, char *const *argv,
    struct err *e);
void bench_cluster_add_scenarios(struct buf *b);

#endif
