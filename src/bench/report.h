/*
 * report.h - a result in four formats: a table for the terminal, JSON (one
 * versioned schema for all workloads), Markdown, and the RESULT line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/hist.h"
#include "base/rc.h"

/* The rows of --json and --markdown, at two offsets. */
#define REPORT_FLAGS(json_at, markdown_at)                                    \
	{ "json", NULL, FLAG_TEXT, NULL, "FILE", "the result", json_at },      \
	{ "markdown", NULL, FLAG_TEXT, NULL, "FILE", "the result", markdown_at }

#define REPORT_SCHEMA  2
#define REPORT_METRICS 128
#define REPORT_VALUES  512
#define REPORT_CHECKS  128
#define REPORT_SERIES  8

/* A distribution of times, in nanoseconds inside and milliseconds outside. */
struct report_metric {
	const char *name;                    /* "http_req_duration" */
	const char *operation;               /* its tag; NULL: of all */
	const struct hist *times;
	uint64_t errors;
};

struct report_value {
	char key[48];                        /* with its unit: "flows_per_s" */
	double value;
	int digits;
};

/* A curve for the page: memory over time, throughput over agents. */
struct report_series {
	const char *name, *x_name, *y_name;  /* "resident memory", "s", "MB" */
	const double *x, *y;                 /* borrowed */
	size_t n;
	bool log;                            /* both axes are logarithmic */
};

struct report_check {
	char text[160];
	bool passed;
};

struct report {
	const char *workload;                /* "flow" */
	const char *measures, *not_measures; /* a sentence each */
	const char *loop;                    /* "closed" or "open" */
	int argc;
	char *const *argv;
	msec started;
	struct report_metric metric[REPORT_METRICS];
	struct report_value value[REPORT_VALUES];
	struct report_check check[REPORT_CHECKS];
	struct report_series series[REPORT_SERIES];
	size_t metrics_n, values_n, checks_n, series_n;
	const char *error_sample;            /* the first error, or NULL */
	struct str server_info, mock_stats;  /* their JSON; may be empty */
	struct str result;                   /* the RESULT line in place of ours, with its
	                                        "RESULT " and "\n"; or empty */
};

void report_metric(struct report *r, const char *name, const char *operation,
    const struct hist *times, uint64_t errors);
void report_value(struct report *r, double value, int digits, const char *key);
void report_check(struct report *r, bool passed, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_series(struct report *r, const struct report_series *s);
bool report_passed(const struct report *r);

/* "name<1.5,name.p95<500,name>0.95": of a value, or of a metric's p50, p90,
 * p95, p99, avg or max in ms.  Each becomes a check; a name that is not in the
 * report fails its check.  r NULL: only checks the syntax.  ERR_INVALID. */
int report_thresholds(struct report *r, const char *text, struct err *e);

double report_ms(const struct hist *h, double percentile);

void report_add_table(const struct report *r, struct buf *out);
void report_add_json(const struct report *r, struct buf *out);
void report_add_markdown(const struct report *r, struct buf *out);
void report_add_result(const struct report *r, struct buf *out);

/* Prints the table and the RESULT line, and writes the files that are not NULL.
 * The exit code, 0 or 1; below 0: a file could not be written. */
int report_finish(const struct report *r, const char *json, const char *markdown,
    struct err *e);

/* The words of a command line, as far as a NULL; *** for values of secrets. */
void report_add_command(struct buf *out, int argc, const char *const *argv);

void report_make_folders(const char *path);  /* the folders of path */

#endif
