/*
 * machine.h - what a measurement ran on, and what a process used.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include "base/buf.h"
#include "base/clock.h"

/* The soft limit of open files becomes the hard one; how many that is. */
uint64_t machine_files_raise(void);

/* {"cpu","os","cores","memory_mb","kernel","cpu_limit","memory_limit_mb","files"} */
void machine_add_json(struct buf *out);

/* Of one process, from /proc; all zero when it cannot be read. */
struct machine_usage {
	double cpu_s;                        /* user and system, since its start */
	int64_t rss_kb, private_dirty_kb;
	int64_t threads;
};

bool machine_usage(int64_t pid, struct machine_usage *out);
/* Only what is cheap enough to be asked often: threads and resident memory. */
bool machine_usage_quick(int64_t pid, struct machine_usage *out);
/* Bytes that it has had written to storage; 0: not known. */
int64_t machine_bytes_written(int64_t pid);

#endif
