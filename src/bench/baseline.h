/*
 * baseline.h - executables that are kept with their command lines, to be run again
 * beside a newer one.
 *
 *   DIR/baselines/NAME/cohort, cohortd    as they were when it was saved
 *   DIR/baselines/NAME/baseline.json      what was run, when, on what
 *
 * A baseline has no figures: those of another day are not compared.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_BASELINE_H
#define BENCH_BASELINE_H

#include "bench/measure.h"

/* 1 to 60 letters, digits, '.', '_' and '-', not first '.' or '-'. */
bool baseline_name(const char *name);

/* Keeps this executable and the bouts' command lines under dir; one of the same
 * name goes.  ERR_INVALID: the name; ERR_IO. */
int  baseline_save(const char *dir, const char *name, const struct campaign *c, struct err *e);

/* Side 1 of the campaign, and args[1] of the bouts that it has.  ERR_NOTFOUND names
 * those that there are. */
int  baseline_use(const char *dir, const char *name, struct campaign *c, struct err *e);

/* The same, and the bouts are the baseline's own; *bouts is in the campaign's
 * arena.  only: ids, or empty. */
int  baseline_bouts(const char *dir, const char *name, struct campaign *c, struct str only,
    struct err *e);

bool baseline_is(const char *dir, const char *name);

#endif
