/*
 * floor.h - `cohort bench floor`: what this machine gives a program without an engine.
 * Every other figure is bounded by these.
 *
 *   queue_per_s    entries of 64 bytes through a ring, written, hashed and read by one
 *                  thread
 *   memcpy_gb_s    copies of 1 KB out of 16 MB
 *   wakeup_us      a byte to another thread and back over two pipes
 *   commit_us      an fdatasync of two pages in the scratch folder
 *
 * Rates are medians of slices (rate.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "base/clock.h"
#include "base/flags.h"

struct floor_options {
	const char *only, *scratch, *thresholds, *json, *markdown;
	msec duration;                       /* of each rate */
	int64_t slow;
};
extern const struct flag bench_floor_flags[];

/* As bench_flow. */
int bench_floor(const struct floor_options *o, int argc, char *const *argv, struct err *e);

#endif
