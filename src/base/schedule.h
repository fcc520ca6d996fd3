/*
 * schedule.h - when a cron fires: five fields, as Vixie cron reads them.
 *
 *   minute 0-59, hour 0-23, day of month 1-31, month 1-12 or jan-dec, day of week
 *   0-7 or sun-sat (0 and 7 are Sunday); each `*`, a value, a range `a-b`, `/n` behind
 *   `*`, a range, or a value (which then goes on to the end), or a list of these; `?` is
 *   `*` in the two fields of days.  Or @hourly, @daily, @midnight, @weekly, @monthly,
 *   @yearly, @annually.
 *
 * Days: if neither field of days begins with `*` a day has to be in one of them, else
 * in both.
 *
 * Where the zone's clock is changed:
 *   - a schedule whose hours are all hours goes by elapsed time: it passes over local
 *     times that do not exist, and fires in both of two that have the same name;
 *   - any other names times of a day, and each fires once: one that does not exist at
 *     the moment after the gap (several then fire once), one that exists twice at the
 *     first of both.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_SCHEDULE_H
#define BASE_SCHEDULE_H

#include <stdint.h>
#include "base/zone.h"

/* Sets of bits by value. */
struct schedule {
	uint64_t minutes;
	uint32_t hours, days, months;
	uint32_t weekdays;                   /* bit 0: Sunday */
	bool either;                         /* one field of days is enough */
};

/* ERR_INVALID, with the field and what would be right; also if it can never fire. */
int schedule_parse(struct schedule *out, struct str text, struct err *e);

/* The first firing after `after` (seconds since 1970), at most SCHEDULE_YEARS later.
 * ERR_NOTFOUND: there is none. */
#define SCHEDULE_YEARS 41                    /* 29 February on one day of the week */
int schedule_next(const struct schedule *s, const struct zone *z, int64_t after,
    int64_t *out);

#endif
