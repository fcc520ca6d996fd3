/*
 * suite.h - the table of workloads: what `bench all`, the groups, `caxton`,
 * `compare` and the reports know of each.
 *
 * A row names a command line of this executable.  It runs as a child process, with
 * `--json FILE` added, and ends with one line
 *
 *     RESULT {"workload":"sessions","messages_per_s":5100000,...}
 *
 * of flat JSON.  All figures of the suite are keys of that line.  A row knows
 * nothing of repetition, baselines, profiles or pages: measure.h does these for
 * every workload.
 *
 * To add a workload
 *   1. Write `cohort bench NAME` (main/cmd_bench.c, WORKLOAD(NAME), and a row in
 *      main/commands.h and commands.c).  It fills a struct report and ends with
 *      report_finish, so that it has the RESULT line, --json and --markdown.
 *   2. Add a row for each id to suite_rows.c, with arguments that end in a few
 *      seconds for `--quick`.  It starts all it needs: servers, a mock model, a
 *      scratch folder.  A rate of one thread is a median of slices (rate.h); with
 *      --slow PERCENT (slow.h) the regression detector can show that a slowdown of it
 *      is found.  Memory over time and the like is a report_series; its slope and
 *      interval come from judge_slope.
 *   3. Run `cohort bench all --quick --only ID`, and describe it in
 *      docs/benchmarking.md.
 *
 * Pure but for the table; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SUITE_H
#define BENCH_SUITE_H

#include "base/buf.h"
#include "base/rc.h"

#define SUITE_METRICS 8                      /* key metrics of a row */
#define SUITE_ROWS    96
#define SUITE_PAGE    27                     /* items of the page's list */

/* Commands of their own: `bench throughput`, ... */
#define SUITE_GROUP_MAP(X)                                                    \
	X(THROUGHPUT, "throughput") X(LATENCY, "latency")                      \
	X(SCALABILITY, "scalability") X(RESOURCES, "resources")                \
	X(RESILIENCE, "resilience")

enum suite_group {
#define X(name, text) SUITE_##name,
	SUITE_GROUP_MAP(X)
#undef X
	SUITE_GROUPS
};
extern const char *const suite_groups[];     /* by value, then NULL */

/* Which way a metric gets better.  COUNTED: no way; it is shown, never judged. */
enum suite_better { COUNTED, UP, DOWN };

/* The core metrics of the page, graded by suite_core. */
#define SUITE_CORE_MAP(X)                                                     \
	/* name, label, unit, better, target, acceptable, critical */          \
	X(NONE,        "",                     "",      COUNTED, 0, 0, 0)        \
	X(THROUGHPUT,  "Message Throughput",   "msg/s", UP, 100000, 50000, 10000) \
	X(P50,         "Message Latency (p50)", "ms",   DOWN, 1, 5, 10)          \
	X(P99,         "Message Latency (p99)", "ms",   DOWN, 10, 50, 100)       \
	X(SPAWN,       "Agent Spawn Time",     "ms",    DOWN, 100, 500, 1000)    \
	X(MEMORY,      "Memory per Agent",     "MB",    DOWN, 10, 50, 100)       \
	X(CPU,         "CPU per Agent",        "%",     DOWN, 5, 10, 25)         \
	X(RECOVERY,    "Recovery Time",        "s",     DOWN, 30, 120, 300)      \
	/* not graded, but rows of the page's report */                        \
	X(TASKS,       "Tasks/sec",            "/s",    COUNTED, 0, 0, 0)

enum suite_core {
#define X(name, label, unit, better, target, acceptable, critical) CORE_##name,
	SUITE_CORE_MAP(X)
#undef X
	SUITE_CORES
};

struct suite_core_row {
	const char *label, *unit;
	enum suite_better better;
	double target, acceptable, critical; /* target 0: not graded */
};
extern const struct suite_core_row suite_core[SUITE_CORES];

enum suite_grade { GRADE_NONE, GRADE_TARGET, GRADE_ACCEPTABLE, GRADE_CRITICAL, GRADE_FAILED };
extern const char *const suite_grades[];     /* by value */

/* A value that equals a bound keeps it. */
enum suite_grade suite_grade(enum suite_core core, double value);

struct suite_metric {
	const char *key;                     /* in the RESULT line */
	const char *unit;                    /* "/s", "us", "KB" */
	enum suite_better better;
	double ours;                         /* our target, in the key's unit; 0: none */
	enum suite_core core;                /* the page's metric that it is, or 0 */
	double core_per;                     /* key's value * core_per = in the core's unit;
	                                        0: 1 */
};

/* Is our target met? true without one. */
bool suite_met(const struct suite_metric *m, double value);
/* And the page's? */
bool suite_at_target(const struct suite_metric *m, double value);
double suite_core_value(const struct suite_metric *m, double value);     /* in its unit */

struct workload {
	const char *id;                      /* "B1", "S1", "flow": unique, no blank */
	const char *title;                   /* "one-way throughput" */
	enum suite_group group;
	const char *words;                   /* "sessions --arm hand"; NULL: not built */
	const char *quick, *full;            /* more words, or NULL; without quotes */
	const char *measures, *not_measures; /* a sentence each */
	struct suite_metric metric[SUITE_METRICS];   /* ends with key NULL; [0] is the
	                                        one by which runs are ordered */
	unsigned seconds;                    /* about, of --full; for progress and timeouts */
};

extern const struct workload suite_rows[];
extern const size_t suite_rows_n;

/* NULL: none; of ids in any case. */
const struct workload *suite_find(struct str id);
/* The first row whose command is name ("sessions"). */
const struct workload *suite_find_command(struct str name);
/* Its number in the page's list, of "B1" to "B27"; 0: it is not of it. */
unsigned suite_page(const struct workload *w);
/* The metric of a row, or NULL. */
const struct suite_metric *suite_metric(const struct workload *w, struct str key);
/* "B1,S1" into on[row]; empty: all.  ERR_INVALID names a near id. */
int suite_only(struct str text, bool on[SUITE_ROWS], struct err *e);

/* What was typed, for help and docs: a line a row. */
void suite_add_list(struct buf *out);
/* The table of docs/benchmarking.md. */
void suite_add_markdown(struct buf *out);

#endif
