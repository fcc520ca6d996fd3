/*
 * cron.h - crons: runs that begin at given times.
 *
 * The time of a cron's next firing is in its row (store/crons.c).  When it is over
 * (sleep.c) the run is started as any other, by run_start; the transaction that
 * creates it moves the time on, or creates nothing.  So each firing has one run.
 *
 * Firings that passed while nobody served are made up for by one.  When the clock is
 * set back, what has fired does not fire again: the cron waits for its next time.
 *
 * A firing of which no run comes (the thread's queue is full, say) is logged and
 * shown with the cron; the cron goes on.  If it cannot be written the firing is tried
 * again.
 *
 * Threads: the shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_CRON_H
#define RUN_CRON_H

#include "run/run.h"

/* The first firing after `after`; *next 0: none before `ends` (0: there is no end).
 * zone empty: UTC.  ERR_INVALID; ERR_IO: zones cannot be read.  *field: "schedule" or
 * "timezone", whose fault it is. */
int cron_next(struct str schedule, struct str zone, msec after, msec ends, msec *next,
    const char **field, struct err *e);

/* A cron was written that fires then; 0: it does not. */
void cron_note(struct runs *rs, msec next);

#endif
