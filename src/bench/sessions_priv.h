/*
 * sessions_priv.h - between the files of `bench sessions`: sessions.c (options,
 * arms, report), sessions_chart.c (the engine), sessions_threads.c (the engine, a
 * thread a session), sessions_hand.c (bare loops and threads), sessions_http.c
 * (through the server).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SESSIONS_PRIV_H
#define BENCH_SESSIONS_PRIV_H

#include <stdatomic.h>

#include "base/hist.h"
#include "bench/machine.h"
#include "bench/report.h"
#include "bench/scratch.h"
#include "bench/sessions.h"

#define SESSIONS_SHARDS 8
#define STATE_STEP      1024                 /* bytes that a turn adds to the state */

/* What one thread has counted; merged at the end. */
struct tally {
	nsec *times;                         /* of sessions that ended well */
	size_t times_n, times_cap;
	uint64_t ok, errors, deltas;
	atomic_ullong turns, ended;          /* progress is read while it counts */
	struct err sample;                   /* the first error */
};

struct sessions {
	const struct sessions_options *o;
	const struct arm *arm;
	bool threads;                        /* executor */
	struct scratch scratch;              /* root empty: the arm needs none */
	struct tally *tally;                 /* of each worker */
	size_t tally_n;
	nsec began, ended;                   /* began: the intended start of the first */
	pid_t pid;                           /* of what is measured: us, or the server */
	double cpu_s;
	int64_t base_rss_kb, peak_rss_kb, peak_threads;
	uint64_t fsyncs;
	int64_t bytes_written;
	double client_share, mock_share;     /* of a core; 0: there are none */
};

struct arm {
	const char *name, *alias;
	bool scratch;                        /* needs a folder */
	bool threads;                        /* executor threads works */
	const char *ignores[4];              /* flags without effect, which are refused */
	const char *measures, *not_measures;
	int (*run)(struct sessions *s, struct err *e);
};

nsec sessions_due(const struct sessions *s, size_t i);       /* its intended start */
nsec sessions_nominal(const struct sessions_options *o);     /* of a turn */
/* A pause with its jitter; *seed is the session's own. */
msec sessions_pause(const struct sessions_options *o, msec pause, uint32_t *seed);
/* A slowdown that was asked for. */
void sessions_burn(const struct sessions_options *o);
/* How a session ended that was to begin at due. */
void tally_end(struct tally *t, nsec due, int rc, const struct err *e);
void sessions_tallies(struct sessions *s, size_t n);

/* Before the first session starts, and when the last has ended. */
void sessions_begin(struct sessions *s);
void sessions_end(struct sessions *s);
/* Every now and then on one thread: samples, shows progress. */
void sessions_look(struct sessions *s);

int sessions_chart(struct sessions *s, struct err *e);
int sessions_hand(struct sessions *s, struct err *e);
int sessions_chart_threads(struct sessions *s, struct err *e);
int sessions_http(struct sessions *s, struct err *e);

/* The agent of the chart arms, its input, and the script of its model. */
#define SESSIONS_AGENT "bench-session"
struct agents;
void sessions_agent_text(const struct sessions_options *o, struct str model,
    struct buf *out);
void sessions_input_text(const struct sessions_options *o, struct buf *out);
int  sessions_agents_read(const struct sessions *s, struct agents *into, struct err *e);
void sessions_script_text(const struct sessions_options *o, struct buf *out);

#endif
