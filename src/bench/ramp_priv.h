/*
 * ramp_priv.h - between the files of `bench ramp`: ramp.c (options, order, report),
 * ramp_step.c (one process and what became of it), ramp_build.c (the build of
 * another ref), ramp_judge.c (the knee), ramp_page.c (the page with curves).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_RAMP_PRIV_H
#define BENCH_RAMP_PRIV_H

#include "bench/box.h"
#include "bench/judge.h"
#include "bench/ramp.h"
#include "bench/report.h"
#include "bench/scratch.h"

#define RAMP_STEPS   32
#define RAMP_REPEAT  50
#define RAMP_ARGS    48
#define RAMP_PAIRS   ((size_t)RAMP_STEPS * RAMP_REPEAT)
#define RAMP_KNEE    1.5                     /* inflation that is the knee */

enum collapse {
	COLLAPSE_NONE, COLLAPSE_OOM, COLLAPSE_THREADS, COLLAPSE_FILES, COLLAPSE_TIMEOUT,
	COLLAPSE_ERRORS, COLLAPSE_EXIT
};
extern const char *const collapse_names[];   /* by value */

/* What a step's process said and how it ended. */
struct ramp_step {
	int64_t c;
	enum collapse cause;
	char why[200];                       /* of the collapse */
	/* of its RESULT line; 0 without one */
	int64_t ok, errors, threads, deltas, fsyncs;
	double infl, infl_p99, p50_ms, p99_ms, wall_ms, cpu_s, cpu_ms_turn, rss_mb,
	    rss_kb, marginal_kb, written;
	struct buf result;                   /* the line */
};

/* Pure: why a process ended without a good result. */
struct ramp_end {
	bool timed_out;
	int signal, code;                    /* one of them, or 0 */
	uint64_t kills;                      /* of the box, since the step began */
	bool said;                           /* it printed a RESULT line */
	int64_t errors;
	struct str sample;                   /* its first error */
	struct str words;                    /* the end of its stderr */
};
enum collapse ramp_cause(const struct ramp_end *end, char why[200]);
/* Of the JSON of a RESULT line.  ERR_INVALID: not of sessions. */
int  ramp_read(struct ramp_step *s, struct str line, struct err *e);

struct ramp_side {
	const char *name;                    /* "before", "after"; NULL: the only one */
	char path[WB_PATH];
	struct ramp_step step[RAMP_STEPS];   /* medians, in order */
	size_t steps_n;
	bool over;                           /* it has collapsed */
	/* Of the steps that did not: for the report's curves. */
	double at[RAMP_STEPS], infl[RAMP_STEPS], cpu[RAMP_STEPS], rss[RAMP_STEPS];
};

struct ramp {
	const struct ramp_options *o;
	int64_t c[RAMP_STEPS];
	size_t c_n;
	struct ramp_side side[2];
	size_t sides_n;
	struct box box;
	struct scratch scratch;
	char worktree[WB_PATH];              /* of --before-ref; "": none */
	double cpus;
	uint64_t memory;
	/* log(after / before) of each pair of steps, in order */
	double cpu[RAMP_PAIRS], latency[RAMP_PAIRS], resident[RAMP_PAIRS];
	size_t pairs_n;
};

int  ramp_steps_parse(const char *text, int64_t out[RAMP_STEPS], size_t *n,
    struct err *e);
/* argv of a step's process; out is NULL-ended, its texts live in a. */
void ramp_args(const struct ramp *r, const struct ramp_side *side, int64_t c,
    const char *out[RAMP_ARGS], struct arena *a);
/* Runs it.  Below 0: it could not be started. */
int  ramp_run(struct ramp *r, const struct ramp_side *side, int64_t c,
    struct ramp_step *out, struct err *e);

int  ramp_build(struct ramp *r, struct err *e);      /* side 0's path */
void ramp_unbuild(struct ramp *r);

/* ---- ramp_judge.c: pure ------------------------------------------------------- */

/* The last C below RAMP_KNEE, and the last that did not collapse; 0: none. */
struct ramp_knee { int64_t below, completes; };
struct ramp_knee ramp_knee(const struct ramp_step *s, size_t n);

void ramp_page(const struct ramp *r, const struct report *report, struct buf *out);

#endif
