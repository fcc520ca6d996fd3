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
#include "bench/report.h"
#include "bench/scratch.h"

/* What a ramp tells each of its steps; first in the options of both. */
struct session_options {
	const char *arm, *executor, *durability, *vt;
	const char *scratch;                 /* a path; or NULL */
	const char *thresholds, *json, *markdown;
	int64_t turns, tokens, state_kb, arrival;
	int64_t jitter;                      /* percent of each pause */
	msec ttft, token_ms, timeout;
};

extern const char *const session_executors[], *const session_durabilities[];

#define SESSION_AT(field) offsetof(struct session_options, field)
#define SESSION_FLAGS                                                         \
	{ "arm", NULL, FLAG_TEXT, "chart-mem", "ARM", "what makes the turns, see " \
	    "bench sessions", SESSION_AT(arm), .letter = 'a' },                 \
	{ "turns", NULL, FLAG_INT, "6", "K", "of each session",                \
	    SESSION_AT(turns), 1, LIMIT_BENCH_TURNS },                         \
	{ "ttft", NULL, FLAG_MS, "200", "MS",                                  \
	    "the model's time to the first token", SESSION_AT(ttft) },         \
	{ "tokens", NULL, FLAG_INT, "50", "N", "in an answer",                 \
	    SESSION_AT(tokens), 1, LIMIT_BENCH_TOKENS },                       \
	{ "token-ms", NULL, FLAG_MS, "5", "MS", "after each token",            \
	    SESSION_AT(token_ms) },                                            \
	{ "state-kb", "SCALE_STATE_KB", FLAG_INT, "0", "N",                    \
	    "text in each session's state from the start",                     \
	    SESSION_AT(state_kb), 0, LIMIT_BENCH_STATE_KB },                   \
	{ "jitter", NULL, FLAG_INT, "0", "PERCENT",                            \
	    "each pause varies by so much", SESSION_AT(jitter), 0, 100 },      \
	{ "arrival", NULL, FLAG_INT, "0", "RATE",                              \
	    "sessions that start each second; 0: all at once",                 \
	    SESSION_AT(arrival), 0, LIMIT_BENCH_SESSIONS },                    \
	{ "durability", NULL, FLAG_TEXT, "async", "MODE", "when a turn is on " \
	    "disk: async (soon after it), sync (before the next begins), exit " \
	    "(the end only)", SESSION_AT(durability),                          \
	    .words = session_durabilities },                                   \
	{ "executor", NULL, FLAG_TEXT, NULL, "HOW", "loop (event loops; the "  \
	    "default), or threads (one a session)", SESSION_AT(executor),      \
	    .words = session_executors },                                      \
	{ "vt", "SCALE_VT", FLAG_TEXT, NULL, "0|1",                            \
	    "as other suites call the executor: 1 is loop, 0 threads",         \
	    SESSION_AT(vt) },                                                  \
	{ "timeout", NULL, FLAG_MS, "600s", "TIME", "for all sessions; what "  \
	    "has not ended then is an error", SESSION_AT(timeout) },           \
	SCRATCH_FLAG(SESSION_AT(scratch)),                                     \
	REPORT_FLAGS(SESSION_AT(json), SESSION_AT(markdown))

struct sessions_options {
	struct session_options of;           /* first: see SESSION_FLAGS */
	const char *agent;                   /* a path; or NULL */
	int64_t concurrency, shards;
	int64_t burn;                        /* turns of an empty loop for each delta */
	bool keep;
};

extern const struct flag bench_sessions_flags[];

void bench_sessions_add_arms(struct buf *out);       /* for help */

/* Is it of no effect with this arm?  Then it is refused. */
bool bench_sessions_ignores(const char *arm, const char *flag);

/* 0: all sessions ended and thresholds are met; 1: not; below 0: an error. */
int bench_sessions(const struct sessions_options *o, int argc, char *const *argv,
    struct err *e);

#endif
