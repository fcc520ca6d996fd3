/*
 * work.h - the tracker under load; `cohort bench work`.
 *
 * It makes workspaces in a scratch folder, starts the daemon of the executable
 * beside this one, and is a client of it: lines over the socket, or processes
 * of the command line.  docs/benchmarking.md describes the workloads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include "base/clock.h"
#include "base/flags.h"

struct bench_work_options {
	const char *only, *mode, *items;     /* lists, as typed */
	const char *bd, *cohort, *scratch;   /* paths; NULL: none, found, $TMPDIR */
	const char *json, *markdown;
	int64_t iterations, connections, depth;
	msec duration;                       /* of a measured rate */
	bool quick, keep;
};

extern const struct flag bench_work_flags[];

void bench_work_add_workloads(struct buf *out);      /* for help */

/* 0: all targets met; 1: not; below 0: an error. */
int bench_work(const struct bench_work_options *o, int argc, char *const *argv,
    struct err *e);

#endif
