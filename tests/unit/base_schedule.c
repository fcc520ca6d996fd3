/*
 * base_schedule.c - when crons fire: fields, days, and changes of the clock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"
#include "base/schedule.h"
#include "harness/test.h"

/* The firings after `from` (UTC) in a zone, by their dates. */
struct firings { const char *fields, *zone, *from, *want; };

static void
check(const struct firings *x)
{
	struct buf got = BUF(4096);
	struct schedule s;
	struct zone *z;
	struct err e = { 0 };
	msec at;
	int64_t t, n = 0;

	if (schedule_parse(&s, str_of(x->fields), &e) != OK ||
	    zone_load(&z, str_of(x->zone), &e) != OK || !clock_read_iso(str_of(x->from), &at))
		test_fail(__FILE__, __LINE__, "%s: %s", x->fields, e.text);
	t = at / 1000;
	for (const char *p = x->want; *p != '\0'; p++)
		n += *p == ' ';
	for (; n >= 0; n--) {
		char text[CLOCK_ISO_SIZE];

		if (schedule_next(&s, z, t, &t) != OK)
			test_fail(__FILE__, __LINE__, "%s: no firing", x->fields);
		clock_write_iso(text, t * 1000);
		buf_add_fmt(&got, "%s%.16s", got.n > 0 ? " " : "", text);
	}
	if (!str_eq(buf_str(&got), str_of(x->want)))
		test_fail(__FILE__, __LINE__, "%s after %s in \"%s\"\n   got %s\n   not %s",
		    x->fields, x->from, x->zone, got.p, x->want);
	zone_free(z);
	buf_release(&got);
}

static void
check_all(const struct firings *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(&x[i]);
}

TEST(fields_are_lists_ranges_steps_and_names)
{
	static const struct firings rows[] = {
		{ "*/20 * * * *", "", "2026-01-01T00:00:00Z",
		    "2026-01-01T00:20 2026-01-01T00:40 2026-01-01T01:00" },
		{ "5,10-12,50/5 3 * * *", "", "2026-01-01T00:00:00Z",
		    "2026-01-01T03:05 2026-01-01T03:10 2026-01-01T03:11 2026-01-01T03:12 "
		    "2026-01-01T03:50 2026-01-01T03:55 2026-01-02T03:05" },
		{ "0 0 1-1/2 * *", "", "2026-01-01T00:00:00Z", "2026-02-01T00:00" },
		{ "0 12 * jan,MAR Mon-Tue", "", "2026-01-20T00:00:00Z",
		    "2026-01-20T12:00 2026-01-26T12:00 2026-01-27T12:00 2026-03-02T12:00" },
		{ "0 0 * * 7", "", "2026-01-01T00:00:00Z", "2026-01-04T00:00 2026-01-11T00:00" },
		{ "0 0 ? * fri-sun", "", "2026-01-01T00:00:00Z",
		    "2026-01-02T00:00 2026-01-03T00:00 2026-01-04T00:00 2026-01-09T00:00" },
		{ " @weekly ", "", "2026-01-01T00:00:00Z", "2026-01-04T00:00 2026-01-11T00:00" },
		{ "@YEARLY", "", "2026-01-01T00:00:00Z", "2027-01-01T00:00" },
	};

	check_all(rows, COUNT(rows));
}

TEST(a_firing_is_strictly_after)
{
	static const struct firings rows[] = {
		{ "* * * * *", "", "2026-01-01T00:00:00Z", "2026-01-01T00:01" },
		{ "* * * * *", "", "2026-01-01T00:00:59Z", "2026-01-01T00:01" },
		{ "59 23 31 12 *", "", "2025-12-31T23:58:59Z", "2025-12-31T23:59 2026-12-31T23:59" },
	};

	check_all(rows, COUNT(rows));
}

/* Vixie's rule: two restricted fields of days are an or, a star in one is an and. */
TEST(days_of_month_and_week)
{
	static const struct firings rows[] = {
		{ "0 0 13 * 5", "", "2026-02-01T00:00:00Z",
		    "2026-02-06T00:00 2026-02-13T00:00 2026-02-20T00:00 2026-02-27T00:00 "
		    "2026-03-06T00:00 2026-03-13T00:00" },
		{ "0 0 13 * *", "", "2026-02-01T00:00:00Z", "2026-02-13T00:00 2026-03-13T00:00" },
		{ "0 0 */10 * 1", "", "2026-01-01T00:00:00Z", "2026-05-11T00:00 2026-06-01T00:00" },
	};

	check_all(rows, COUNT(rows));
}

TEST(leap_days_and_short_months)
{
	static const struct firings rows[] = {
		{ "0 0 29 2 *", "", "2026-01-01T00:00:00Z",
		    "2028-02-29T00:00 2032-02-29T00:00 2036-02-29T00:00" },
		{ "0 0 29 2 *", "", "2096-03-01T00:00:00Z", "2104-02-29T00:00" },
		{ "0 0 31 * *", "", "2026-01-31T00:00:00Z",
		    "2026-03-31T00:00 2026-05-31T00:00 2026-07-31T00:00" },
		{ "0 0 29 2 */7", "", "2026-01-01T00:00:00Z", "2032-02-29T00:00 2060-02-29T00:00" },
		{ "30 23 28 2 *", "America/New_York", "2028-02-28T00:00:00Z",
		    "2028-02-29T04:30 2029-03-01T04:30" },
	};

	check_all(rows, COUNT(rows));
}

/* Berlin, 2026-03-29: 02:00 is 03:00 (01:00 UTC). */
TEST(a_time_that_does_not_exist_fires_after_the_gap_once)
{
	static const struct firings rows[] = {
		{ "30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z",
		    "2026-03-28T01:30 2026-03-29T01:00 2026-03-30T00:30" },
		{ "0,30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
		    "2026-03-29T01:00 2026-03-29T01:30 2026-03-30T00:00" },
		{ "*/10 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
		    "2026-03-29T01:00 2026-03-30T00:00 2026-03-30T00:10" },
		{ "30 2 29 3 *", "Europe/Berlin", "2026-01-01T00:00:00Z",
		    "2026-03-29T01:00 2027-03-29T00:30" },
		/* Cairo's days of change have no midnight. */
		{ "0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z",
		    "2026-04-23T22:00 2026-04-24T21:00" },
	};

	check_all(rows, COUNT(rows));
}

/* Berlin, 2026-10-25: 02:00 to 03:00 is there twice, from 00:00 and 01:00 UTC.
 * New York, 2026-11-01: 01:00 to 02:00, from 05:00 and 06:00 UTC. */
TEST(a_time_that_exists_twice_fires_once)
{
	static const struct firings rows[] = {
		{ "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
		    "2026-10-25T00:30 2026-10-26T01:30" },
		{ "0,30 1-3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
		    "2026-10-24T23:00 2026-10-24T23:30 2026-10-25T00:00 2026-10-25T00:30 "
		    "2026-10-25T02:00 2026-10-25T02:30 2026-10-26T00:00" },
		{ "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z",
		    "2026-11-01T05:30 2026-11-02T06:30" },
		/* from within the second hour */
		{ "45 1 * * *", "America/New_York", "2026-11-01T06:30:00Z", "2026-11-02T06:45" },
		/* Lord Howe's clock goes back half an hour. */
		{ "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z",
		    "2026-04-04T14:45 2026-04-05T15:15" },
	};

	check_all(rows, COUNT(rows));
}

TEST(every_hour_goes_by_elapsed_time)
{
	static const struct firings rows[] = {
		{ "30 * * * *", "Europe/Berlin", "2026-03-28T23:00:00Z",
		    "2026-03-28T23:30 2026-03-29T00:30 2026-03-29T01:30 2026-03-29T02:30" },
		{ "30 * * * *", "Europe/Berlin", "2026-10-24T23:00:00Z",
		    "2026-10-24T23:30 2026-10-25T00:30 2026-10-25T01:30 2026-10-25T02:30" },
		{ "*/30 0-23 * * *", "America/New_York", "2026-11-01T05:00:00Z",
		    "2026-11-01T05:30 2026-11-01T06:00 2026-11-01T06:30 2026-11-01T07:00" },
	};

	check_all(rows, COUNT(rows));
}

TEST(zones_of_odd_offsets)
{
	static const struct firings rows[] = {
		{ "0 9 * * *", "Asia/Kathmandu", "2026-01-01T00:00:00Z",
		    "2026-01-01T03:15 2026-01-02T03:15" },
		{ "0 0 1 * *", "Pacific/Chatham", "2026-01-01T00:00:00Z", "2026-01-31T10:15" },
		/* Apia had no 30 December 2011. */
		{ "0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z",
		    "2011-12-30T10:00 2012-12-29T22:00" },
	};

	check_all(rows, COUNT(rows));
}

TEST(mistakes_are_told_with_their_field)
{
	static const struct { const char *fields, *words; } rows[] = {
		{ "", "got 0" },
		{ "* * * *", "got 4" },
		{ "0 * * * * *", "there are no seconds" },
		{ "60 * * * *", "minute \"60\": expected 0 to 59" },
		{ "* 24 * * *", "hour \"24\": expected 0 to 23" },
		{ "* * 0 * *", "day of month \"0\": expected 1 to 31" },
		{ "* * * 13 *", "month \"13\": expected 1 to 12, or jan to dec" },
		{ "* * * * 8", "day of week \"8\": expected 0 to 7, or sun to sat" },
		{ "* * * * mo", "day of week" },
		{ "? * * * *", "minute \"?\"" },
		{ "*/0 * * * *", "a step of 1 to 59" },
		{ "*/90 * * * *", "a step of 1 to 59" },
		{ "5-1 * * * *", "ends before it begins" },
		{ "1,,2 * * * *", "minute \"\"" },
		{ "1, * * * *", "minute \"\"" },
		{ "-1 * * * *", "minute \"-1\"" },
		{ "1/ * * * *", "step" },
		{ "0 0 L * *", "day of month \"L\"" },
		{ "@reboot", "@daily" },
		{ "0 0 30 2 *", "never fires" },
		{ "0 0 31 4,6,9,11 *", "never fires" },
		{ "every day at noon please", "minute \"every\"" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct schedule s;
		struct err e = { 0 };

		if (schedule_parse(&s, str_of(rows[i].fields), &e) != ERR_INVALID ||
		    !str_contains(str_of(e.text), str_of(rows[i].words)))
			test_fail(__FILE__, __LINE__, "%s: %s", rows[i].fields, e.text);
	}
}

/* As others reported of their schedulers: kelektiv/node-cron#563 (a day without the job,
 * then one with two), node-red-contrib-cron-plus#108 (every minute stops for an hour),
 * Hexagon/croner#132 (a midnight that Chile does not have), agronholm/apscheduler#512
 * (2 is Tuesday), node-cron#509 (no progress in the hour of the change). */
TEST(what_others_reported)
{
	static const struct firings rows[] = {
		{ "30 1 * * *", "America/New_York", "2025-11-01T12:00:00Z",
		    "2025-11-02T05:30 2025-11-03T06:30" },
		{ "30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z",
		    "2026-03-08T07:00 2026-03-09T06:30" },
		{ "*/20 * * * *", "Europe/London", "2025-10-26T00:30:00Z",
		    "2025-10-26T00:40 2025-10-26T01:00 2025-10-26T01:20 2025-10-26T01:40 "
		    "2025-10-26T02:00" },
		{ "0 0 * * *", "America/Santiago", "2025-09-06T00:00:00Z",
		    "2025-09-06T04:00 2025-09-07T04:00 2025-09-08T03:00" },
		{ "0 18 * * 2", "", "2021-05-10T00:00:00Z", "2021-05-11T18:00 2021-05-18T18:00" },
	};
	struct schedule s;
	struct zone *z;
	struct err e;
	int64_t t = 1772949600;              /* 2026-03-08T06:00:00Z */

	check_all(rows, COUNT(rows));
	CHECK_RC(schedule_parse(&s, S("* * * * *"), &e), OK);
	CHECK_RC(zone_load(&z, S("America/New_York"), &e), OK);
	for (int i = 0; i < 180; i++) {
		int64_t next;

		CHECK_RC(schedule_next(&s, z, t, &next), OK);
		CHECK_INT(next, t + 60);
		t = next;
	}
	zone_free(z);
}
