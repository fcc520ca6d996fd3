/*
 * all_priv.h - between all.c (suites, single workloads, compare), caxton.c (the
 * page's list and report) and show.c (report, history).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_ALL_PRIV_H
#define BENCH_ALL_PRIV_H

#include "bench/all.h"
#include "bench/doc.h"

#define ALL_BYTES (64 * MB)

/* Where a format goes; path NULL: nowhere, "-": stdout. */
struct output {
	void (*add)(const struct doc *d, struct buf *out);
	const char *path;
};
int output_write(const struct output *o, size_t n, const struct doc *d, struct err *e);

/* Runs a suite of the rows that are on, and reads its document.  Saves it under
 * results, and a baseline if one is wanted. */
int suite_run(struct campaign *c, const struct suite_options *o, const bool on[SUITE_ROWS],
    struct doc *d, struct err *e);

/* The page's report of a campaign's document. */
void caxton_add_report(const struct doc *d, struct buf *out);
/* All of B1..B27 are measured and at grade target. */
bool caxton_all_met(const struct doc *d);

#endif
