/*
 * parts.h - the parts of a workload (`--part NAME`): found by name, listed for help.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_PARTS_H
#define BENCH_PARTS_H

#include "bench/report.h"

struct agents_options;
struct wasm_bench_options;

typedef int part_run(const struct agents_options *o, struct report *r, struct err *e);
typedef int wasm_part_run(const struct wasm_bench_options *o, struct report *r, struct err *e);

struct bench_part {
	const char *name, *what;
	union {
		part_run *agents;
		wasm_part_run *wasm;
	} run;                               /* the workload's own */
	const char *loop, *measures, *not_measures;
	const char *flags;                   /* that it goes by, each with a blank on both sides;
	                                        a workload that has them refuses its others */
};

/* Lines of help. */
void bench_parts_add(const struct bench_part *parts, size_t n, struct buf *out);
/* ERR_INVALID and NULL when there is none. */
const struct bench_part *bench_part_find(const struct bench_part *parts, size_t n,
    const char *workload, const char *name, struct err *e);
/* Begun now, with the part's words; the caller frees it. */
struct report *bench_part_report(const struct bench_part *p, const char *workload, int argc,
    char *const *argv);

#endif
