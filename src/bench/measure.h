/*
 * measure.h - the measuring rules of every workload: repetition with medians and
 * spread, interleaving with a baseline, a profile, a result in one JSON document.
 *
 * A campaign has bouts: one workload each, run by one or two sides (executables).
 * With two, their runs take turns, A B B A A B ..., and pairs that ran one after the
 * other are compared (judge.h).  Bouts that may hide a difference get more pairs.
 * Every run is a process of its own (subject.h); nothing else is measured meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "base/clock.h"
#include "base/flags.h"
#include "base/json.h"
#include "bench/judge.h"
#include "bench/report.h"
#include "bench/scratch.h"
#include "bench/suite.h"

#define MEASURE_ARGS   64
#define MEASURE_REPEAT 100
#define MEASURE_ID     32
#define MEASURE_MORE   4                     /* times the repeats, when a verdict is unclear, */
#define MEASURE_SURE   (2 * STATS_PAIRS_MIN) /* and at least so many pairs */

/* The flags that every benchmark has; first in the options of a command that has
 * more. */
struct rules {
	int64_t repeat;                      /* 0: 1, or 3 beside a baseline */
	const char *flamegraph, *html, *json, *markdown, *save_baseline, *baseline, *results,
	    *threshold;
};

#define RULE_AT(field) offsetof(struct rules, field)
/* Of whatever is run more than once. */
#define RULE_FLAGS_RUNS                                                      \
	{ "repeat", NULL, FLAG_INT, NULL, "N", "runs; their median counts, with the " \
	    "spread (default: 1, and 3 beside a baseline)", RULE_AT(repeat), 1, \
	    MEASURE_REPEAT },                                                 \
	{ "threshold", NULL, FLAG_TEXT, "0.10", "PART", "a smaller difference is none", \
	    RULE_AT(threshold) },                                             \
	{ "results", "COHORT_BENCH_RESULTS", FLAG_TEXT, "bench-results", "DIR", \
	    "where baselines and the results of suites are kept", RULE_AT(results) }, \
	{ "html", NULL, FLAG_TEXT, NULL, "FILE", "the result as a page with plots", \
	    RULE_AT(html) }
#define RULE_FLAGS_FILES REPORT_FLAGS(RULE_AT(json), RULE_AT(markdown))
#define RULE_FLAGS_KEEP                                                      \
	{ "flamegraph", NULL, FLAG_TEXT, NULL, "FILE.svg", "one run more, under perf, " \
	    "as a flame graph", RULE_AT(flamegraph) },                        \
	{ "save-baseline", NULL, FLAG_TEXT, NULL, "NAME", "keep this executable and " \
	    "this command line, to be run again by --baseline",               \
	    RULE_AT(save_baseline) },                                         \
	{ "baseline", NULL, FLAG_TEXT, NULL, "NAME", "run a baseline's executable, too, " \
	    "in turns with this one, and compare", RULE_AT(baseline) }
/* What a workload has in common with all; --json and --markdown are its own rows. */
extern const struct flag bench_rule_flags[];

/* "0.10", or "10%". ERR_INVALID. */
int rules_threshold(const char *text, double *out, struct err *e);

struct side {
	char name[64];                       /* "current", or the baseline's */
	char path[WB_PATH];                  /* the executable */
	char commit[64], version[32];        /* as its results say; "": not known yet */
};

/* One process. */
struct run {
	struct buf text;                     /* its document */
	struct json_doc doc;                 /* root NULL: none */
	jnode result;                        /* of the RESULT line; NULL: none */
	bool passed;
	char why[400];                       /* not passed: why; or "" */
	nsec took;
};

/* current / baseline of one metric. */
struct change {
	const struct suite_metric *metric;
	double baseline, current;            /* medians */
	struct stats_ratio ratio;
	enum judge_verdict verdict;
};

enum bout_state { BOUT_MEASURED, BOUT_FAILED, BOUT_NOT_MEASURED };
extern const char *const bout_states[];      /* by value */

struct bout {
	char id[MEASURE_ID];
	const struct workload *row;          /* NULL: not in the table */
	/* Behind the executable, "bench" first; NULL: this side does not have it. */
	const char *const *args[2];
	msec timeout;
	/* out */
	enum bout_state state;
	char why[400];
	struct run *run[2];
	size_t runs_n;                       /* of each side */
	struct change change[SUITE_METRICS];
	size_t changes_n;
};

struct campaign {
	const char *name;                    /* "all --quick", "sessions" */
	int argc;                            /* the command line, for the report */
	char *const *argv;
	const char *flamegraph;              /* or NULL */
	bool quiet;                          /* no progress */
	double threshold;
	size_t repeat;
	struct side side[2];                 /* [0] current, [1] baseline */
	size_t sides_n;
	struct bout *bout;                   /* the caller's */
	size_t bouts_n;
	/* out */
	struct scratch scratch;
	struct arena arena;
	msec started;
	nsec began, ended;
	bool passed;
	/* progress */
	size_t at, steps, step;
	nsec shown;
	bool tty;
};

/* This executable is side 0. */
int  campaign_init(struct campaign *c, const char *name, const struct rules *r,
    struct err *e);
/* A row's command line in this campaign: --full, or --quick.  seconds * 10 is its
 * timeout.  False: it is not built. */
bool campaign_row(struct campaign *c, struct bout *b, const struct workload *w, bool full);
/* Runs all; a workload that fails does not end it.  ERR_IO: no scratch folder. */
int  campaign_run(struct campaign *c, struct err *e);
void campaign_release(struct campaign *c);

/* The median of a key of the RESULT lines; NaN: it is not there. */
double bout_value(const struct bout *b, size_t side, const char *key);

/* Is key a p99 ("NAME_p99_ms") of fewer than 1,000 samples?  It is shown and marked, not
 * compared. */
bool bout_few_samples(const struct bout *b, const char *key);

/* ---- measure_json.c: the document, schema REPORT_SCHEMA ----------------------------
 * An element is the document of `--json` of its median run, with medians in "result"
 * and "values", and: id, group, title, state, why, repeat, spread, targets, changes,
 * passed.  A campaign is {"schema", "suite", ..., "results": [element, ...]}. */

void bout_add_json(const struct campaign *c, const struct bout *b, struct buf *out);
void campaign_add_json(const struct campaign *c, struct buf *out);

#endif
