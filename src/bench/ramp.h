/*
 * ramp.h - `bench sessions` with more and more sessions, each step a process of its
 * own in a box of processors and memory; `cohort bench ramp`.
 *
 * It stops at the first step that collapses and names the cause.  With two builds
 * their steps take turns, and the pairs are compared.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_RAMP_H
#define BENCH_RAMP_H

#include "base/clock.h"
#include "base/flags.h"
#include "bench/sessions.h"

struct ramp_options {
	struct session_options of;           /* first: see SESSION_FLAGS */
	const char *steps, *cpus, *memory;
	const char *before, *after, *before_ref, *image, *docker, *html;
	int64_t repeat, threshold;
};

extern const struct flag bench_ramp_flags[];

/* 0: every step ended and thresholds are met; 1: not, or the build under test is
 * slower; below 0: an error. */
int bench_ramp(const struct ramp_options *o, int argc, char *const *argv,
    struct err *e);

#endif
