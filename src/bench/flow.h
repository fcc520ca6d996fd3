/*
 * flow.h - the agent flow: twelve requests in the life of an agent, three of
 * them runs, over and over by virtual users; `cohort bench flow`.
 *
 * Closed loop: a user sends the next request when the answer has come, over
 * one kept connection.  Every answer is verified, status and content, so a
 * server that is fast and wrong does not look fast.  The driver speaks public
 * HTTP with base and net alone, and can be pointed at any LangGraph server.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include "bench/load.h"

struct flow_options {
	struct load_options load;            /* first: see LOAD_FLAGS */
	const char *llm, *response, *stages, *profile, *out;
	int64_t vus, iterations;
	msec duration, pause, warmup;
	bool smoke;
	bool sdk_store;                      /* store requests as the SDKs send them */
};

extern const struct flag bench_flow_flags[];

/* argv: the command line, for the report.  0: all well; 1: a threshold was
 * missed, an answer was wrong, or the generator was the bottleneck (and it
 * says which); below 0: it could not run, e says why. */
int bench_flow(const struct flow_options *o, int argc, char *const *argv,
    struct err *e);

#endif
