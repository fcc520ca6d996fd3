/*
 * scenario.h - load that a file describes; `cohort bench scenario`.
 *
 * A file has phases (a rate of sequences a second, or a number of users), sequences of
 * requests with their weights, variables, and thresholds.  With a rate the loop is
 * open: requests are sent when they are due, whatever the server does, and timed from
 * that moment.  With users it is closed: each waits for its answers.
 *
 * The driver uses only the public HTTP interface, so it works with any server; steps
 * of the flow need one of the LangGraph API.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SCENARIO_H
#define BENCH_SCENARIO_H

#include "bench/load.h"

struct scenario_options {
	struct load_options load;            /* first: see LOAD_FLAGS */
	struct peer_options peer;
	const char *response, *out, *records;
	int64_t rate;
	msec duration, ramp_up;
	bool sdk_store;
	bool keys;                           /* print what a file may say */
};

extern const struct flag bench_scenario_flags[], bench_load_flags[];

void bench_scenario_add_keys(struct buf *out);       /* of a file, for help */

/* argv: the command line, for the report.  0: passed; 1: a threshold was missed, an
 * answer was wrong, an arrival found no free user, or the generator was the
 * bottleneck, as reported; below 0: an error. */
int bench_scenario(const struct scenario_options *o, const char *file, int argc,
    char *const *argv, struct err *e);

/* `cohort bench load`: stateless runs at a rate. */
int bench_load(const struct scenario_options *o, int argc, char *const *argv,
    struct err *e);

#endif
