/*
 * streams.h - many streamed runs at the same time; `cohort bench streams`.
 *
 * Every stream is a stateless run on its own connection, started at the same
 * time (or over --ramp) and read to its end.  The model's own time is known
 * (--ttft, --tokens, --token-ms, the settings of the mock), so the result is an
 * inflation: the measured time divided by the model's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_STREAMS_H
#define BENCH_STREAMS_H

#include "bench/load.h"

struct streams_options {
	struct load_options load;            /* first: see LOAD_FLAGS */
	int64_t concurrency, rounds, tokens;
	msec ttft, token_ms, ramp;
	bool direct;                         /* straight to the model: the floor */
};

extern const struct flag bench_streams_flags[];

/* As bench_flow. */
int bench_streams(const struct streams_options *o, int argc, char *const *argv,
    struct err *e);

#endif
