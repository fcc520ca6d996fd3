/*
 * points.h - k6's line-delimited output: a line to declare each metric, then
 * one line a sample, so that what was written for k6's files reads ours.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_POINTS_H
#define BENCH_POINTS_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/rc.h"

struct points;

int  points_open(struct points **out, const char *path, struct err *e);
/* A sample.  operation NULL: no tags; status 0 is written as k6 does, "0". */
void points_add(struct points *p, const char *metric, msec wall, double value,
    const char *operation, int status);
/* NULL is fine.  ERR_IO: something could not be written. */
int  points_close(struct points *p, struct err *e);

void point_add(struct buf *out, const char *metric, msec wall, double value,
    const char *operation, int status);

#endif
