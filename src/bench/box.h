/*
 * box.h - so many processors and so much memory for a process: a control group of
 * version 2, else of version 1, else the limits of a process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_BOX_H
#define BENCH_BOX_H

#include "base/buf.h"
#include "base/rc.h"

#define BOX_PATH 512

enum box_kind { BOX_CGROUP2, BOX_CGROUP1, BOX_RLIMIT };
extern const char *const box_names[];        /* by kind */

struct box {
	enum box_kind kind;
	double cpus;
	uint64_t memory;                     /* bytes */
	char cpu[BOX_PATH], mem[BOX_PATH];   /* folders; of version 2 the same */
	char why[160];                       /* no control group: the reason; or "" */
};

/* Never fails: without the rights to make a group it is BOX_RLIMIT, and why says
 * so.  Groups that an earlier process has left behind are removed. */
void box_make(struct box *b, double cpus, uint64_t memory);
void box_remove(struct box *b);              /* nothing runs in it any more */
/* In the child, before exec.  Not 0: could not be entered. */
int  box_enter(const struct box *b);
/* How often the kernel has killed in it for want of memory; 0 of BOX_RLIMIT. */
uint64_t box_kills(const struct box *b);

/* Pure, of the texts of /proc/self/mountinfo and /proc/self/cgroup: the folder of
 * this process's group for a controller ("" is version 2's).  False: there is none. */
bool box_group_path(struct str mounts, struct str groups, const char *controller,
    char out[BOX_PATH]);
/* "2", "0.5"; "2G", "512M", "1073741824".  ERR_INVALID. */
int  box_cpus_parse(const char *text, double *out, struct err *e);
int  box_memory_parse(const char *text, uint64_t *out, struct err *e);

#endif
