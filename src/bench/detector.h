/*
 * detector.h - `cohort bench detector` (B13): does `compare` find what it should, and
 * nothing else?
 *
 * A trial compares this executable with itself, by the statistics of compare: once as
 * it is, and once with a slowdown of known size on one side.  Busy processes beside it
 * make the noise of a real machine.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_DETECTOR_H
#define BENCH_DETECTOR_H

#include "base/clock.h"
#include "base/flags.h"

struct detector_options {
	const char *workload, *metric, *threshold, *json, *markdown;
	int64_t trials, slow, pairs, neighbours;
};
extern const struct flag bench_detector_flags[];

/* 0: the slowdown is found in 95 of 100 trials, and equal builds are taken for slower
 * in at most 5 of 100; 1: not; below 0: an error. */
int bench_detector(const struct detector_options *o, int argc, char *const *argv,
    struct err *e);

#endif
