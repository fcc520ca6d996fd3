/*
 * flow.h - the agent flow: twelve requests in the life of an agent, three of
 * them runs, over and over by virtual users; `cohort bench flow`.
 *
 * Closed loop: a user sends the next request after the answer, over one kept
 * connection.  The status and content of every answer are verified.  The driver
 * uses only the public HTTP interface, so it works with any LangGraph server.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include "bench/load.h"

struct flow_options {
	struct load_options load;            /* first: see LOAD_FLAGS */
	struct peer_options peer;
	const char *llm, *response, *stages, *profile, *out, *records;
	int64_t vus, iterations;
	msec duration, pause, warmup;
	bool smoke;
	bool sdk_store;                      /* store requests in the form of the SDKs */
};

extern const struct flag bench_flow_flags[];

/* argv: the command line, for the report.  0: passed; 1: a threshold was
 * missed, an answer was wrong, or the generator was the bottleneck, as
 * reported; below 0: an error. */
int bench_flow(const struct flow_options *o, int argc, char *const *argv,
    struct err *e);

#endif
