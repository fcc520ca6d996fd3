/*
 * scratch.h - a folder for the files of a measurement, which is removed when this
 * process ends, even by a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SCRATCH_H
#define BENCH_SCRATCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/hist.h"
#include "base/rc.h"

#define WB_PATH 1024

#define SCRATCH_FLAG(at)                                                      \
	{ "scratch", NULL, FLAG_TEXT, NULL, "PATH", "where to make the scratch " \
	    "folder (default $TMPDIR or /tmp)", at }

struct scratch {
	char root[WB_PATH];
	int janitor_pipe;                    /* gets the pids of daemons */
	pid_t janitor;
	bool keep;
};

/* A folder that is removed when this process ends, even by a signal; daemons in
 * it are killed. */
int  scratch_make(struct scratch *s, const char *under, bool keep, struct err *e);
void scratch_remove(struct scratch *s);

/* The janitor is to kill this process too, when we end; negative: no longer. */
void scratch_tell(struct scratch *s, pid_t pid);

/* Measures an fdatasync of a small write in the scratch folder, `times` times. */
int scratch_commits(const struct scratch *s, size_t times, struct hist *out,
    struct err *e);

#endif
