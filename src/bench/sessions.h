/*
 * sessions.h - many sessions at once in one process; `cohort bench sessions`.
 *
 * Every session makes the same number of turns.  A turn is one streamed answer of
 * a model inside the process: a wait to its first token, then tokens, each told
 * and followed by a pause, then an event that moves the session on, which counts
 * the turn and adds 1 KB to its state.  What makes the turns is the *arm*: the
 * server's own engine, or bare loops that show what timers and storage alone cost.
 *
 * All times are known, so the result is an inflation: the median session's time,
 * from its intended start, divided by the time of its turns.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SESSIONS_H
#define BENCH_SESSIONS_H

#include "base/clock.h"
#include "base/flags.h"

struct sessions_options {
	const char *arm, *executor, *durability, *vt;
	const char *agent, *scratch;         /* paths; or NULL */
	const char *thresholds, *json, *markdown;
	int64_t concurrency, turns, tokens, state_kb, shards, arrival;
	int64_t jitter;                      /* percent of each pause */
	int64_t burn;                        /* turns of an empty loop for each delta */
	msec ttft, token_ms, timeout;
	bool keep;
};

extern const struct flag bench_sessions_flags[];

void bench_sessions_add_arms(struct buf *out);       /* for help */

/* 0: all sessions ended and thresholds are met; 1: not; below 0: an error. */
int bench_sessions(const struct sessions_options *o, int argc, char *const *argv,
    struct err *e);

#endif
