/*
 * clock.h - time as numbers.  Only net, store, main and bench read clocks;
 * the pure rooms get `now` as an argument.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include "base/buf.h"

typedef int64_t nsec;                        /* a duration or monotonic instant */
typedef int64_t msec;                        /* milliseconds */

#define NEVER INT64_MAX
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

nsec clock_mono(void);                       /* CLOCK_MONOTONIC */
nsec clock_wall(void);                       /* Unix time */
msec clock_wall_ms(void);                    /* the same in ms */
/* Tests: from now on the wall clock is so far ahead of the system's.  Before there
 * are threads. */
void clock_set_ahead(msec ms);
nsec clock_cpu(void);                        /* this process, user + system */
nsec clock_thread(void);                     /* this thread, likewise */

/* Of two moments the earlier, of two durations the shorter; of one unit. */
static inline int64_t
clock_least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* "2d", "1.5h", "90s", "1m30s", "20ms", "5us", "1ns"; not below 0.  bare: what a number
 * alone counts, as in "250"; 0: it needs a unit. */
bool clock_parse(struct str s, nsec bare, nsec *out);

/* From 1970-01-01 to a date of the Gregorian calendar; month and day from 1. */
int64_t clock_days(int64_t year, int month, int day);
/* The way back. */
void clock_date(int64_t days, int64_t *year, int *month, int *day);

/* "2026-11-21T00:15:07.580Z" (24 bytes), RFC 3339 in UTC. */
void clock_add_iso(struct buf *b, msec wall);
#define CLOCK_ISO_SIZE 24
void clock_write_iso(char out[CLOCK_ISO_SIZE], msec wall);
/* RFC 3339 with any fraction, of which milliseconds count, and zone. */
bool clock_read_iso(struct str s, msec *out);

#endif
