/*
 * all.h - the commands that run the table of workloads, or read what it has said:
 * `cohort bench all`, its groups, `caxton`, `compare`, `report`, `history`; and any
 * single workload with the measuring rules.
 *
 * Exit codes: 0; 1: a target is missed, a workload has failed, or something became
 * worse; below 0: an error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_ALL_H
#define BENCH_ALL_H

#include "bench/measure.h"

struct suite_options {
	struct rules rules;                  /* first */
	bool quick, full;
	const char *only, *junit, *prometheus;
};
extern const struct flag bench_suite_flags[];

/* group SUITE_GROUPS: of all.  name: of the command, "all". */
int bench_suite(const char *name, enum suite_group group, const struct suite_options *o,
    int argc, char *const *argv, struct err *e);
/* The list B1 to B27 in order, and the report in the page's form. */
int bench_caxton(const struct suite_options *o, int argc, char *const *argv, struct err *e);
void bench_suite_add_list(struct buf *b);    /* for help */

/* A single workload: words ("bench sessions") and its own flags as they were given,
 * without those of the rules. */
int bench_measure(const char *words, const struct flag_line *l, const struct flag *own,
    int argc, char *const *argv, struct err *e);

struct compare_options {
	struct rules rules;                  /* first */
	bool full;
	const char *only;
};
extern const struct flag bench_compare_flags[];

/* base, current: a baseline's name or an executable; current NULL: this one. */
int bench_compare(const char *base, const char *current, const struct compare_options *o,
    int argc, char *const *argv, struct err *e);

struct report_options {
	const char *json, *markdown, *html, *junit, *prometheus;
};
extern const struct flag bench_report_flags[];

/* Files of `--json`; "-" is stdout.  Without a format: Markdown on stdout. */
int bench_report(const struct str *files, size_t n, const struct report_options *o,
    struct err *e);

struct history_options {
	const char *results, *svg;
};
extern const struct flag bench_history_flags[];

/* metric: "B1.messages_per_s", or a key alone. */
int bench_history(const char *metric, const struct history_options *o, struct err *e);

#endif
