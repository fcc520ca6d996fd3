/*
 * streams.h - many streamed runs at the same time; `cohort bench streams`.
 *
 * Every stream is a stateless run on a connection of its own, started at the
 * same moment (or spread over --ramp) and read to its end.  The model's own
 * time is known (--ttft, --tokens, --token-ms, as the mock was told), so the
 * result is an inflation: how many times longer than that it took.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_STREAMS_H
#define BENCH_STREAMS_H

#include "base/clock.h"
#include "base/flags.h"

struct streams_options {
	const char *url, *name, *token, *graph, *model, *mock_url;
	const char *thresholds, *json, *markdown;
	int64_t concurrency, rounds, tokens, pid;
	msec ttft, token_ms, ramp, timeout;
	bool direct;                         /* straight to the model: the floor */
};

extern const struct flag bench_streams_flags[];

int streams_options_default(struct streams_options *o, struct err *e);

/* As bench_flow. */
int bench_streams(const struct streams_options *o, int argc, char *const *argv,
    struct err *e);

#endif
