/*
 * zone_priv.h - the rule after the last transition of a zone (POSIX TZ).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_ZONE_PRIV_H
#define BASE_ZONE_PRIV_H

#include "base/zone.h"

/* A day of each year, and when on it. */
struct zone_day {
	enum { DAY_OF_MONTH, DAY_NO_LEAP, DAY_OF_YEAR } kind;
	int month, week, day;                /* Mm.w.d; Jn and n: day */
	int32_t time;                        /* seconds, may be below 0 or past a day */
};

/* "CET-1CEST,M3.5.0,M10.5.0/3" */
struct zone_rule {
	int32_t standard, summer;            /* seconds east of UTC */
	bool has_summer;
	struct zone_day begins, ends;        /* summer time */
};

/* False: it is not such a text. */
bool zone_rule_parse(struct zone_rule *out, struct str text);
struct zone_span zone_rule_at(const struct zone_rule *r, int64_t t);

#endif
