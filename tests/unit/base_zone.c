/*
 * base_zone.c - offsets of time zones, compared with the C library's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <time.h>

#include "base/file.h"
#include "base/zone.h"
#include "base/zone_priv.h"
#include "harness/test.h"

#define FROM INT64_C(0)                      /* 1970 */
#define TO   INT64_C(4102444800)             /* 2100 */

static const char *const names[] = {
	"Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe",
	"Asia/Kolkata", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca", "Africa/Cairo",
	"America/St_Johns", "Pacific/Chatham", "Europe/Dublin", "Asia/Tehran", "Etc/GMT-14",
	"America/Nuuk", "Antarctica/Troll", "Asia/Gaza", "UTC",
};

static struct zone *
load(const char *name)
{
	struct zone *z;
	struct err e = { 0 };

	if (zone_load(&z, str_of(name), &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	return z;
}

TEST(zones_have_the_offsets_of_the_c_library)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		struct zone *z = load(names[i]);

		setenv("TZ", names[i], 1);
		tzset();
		for (int64_t t = FROM; t < TO; t += 86400 + 3571) {
			struct tm tm;
			time_t at = t;

			localtime_r(&at, &tm);
			if (zone_at(z, t).offset != tm.tm_gmtoff)
				test_fail(__FILE__, __LINE__, "%s at %lld: %d, not %ld", names[i],
				    (long long)t, zone_at(z, t).offset, tm.tm_gmtoff);
		}
		zone_free(z);
	}
}

TEST(spans_follow_each_other_and_end_where_the_offset_changes)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		struct zone *z = load(names[i]);
		int spans = 0;

		for (int64_t t = FROM; t < TO; spans++) {
			struct zone_span s = zone_at(z, t);

			CHECK(s.begin <= t && t < s.end);
			if (s.begin > FROM)
				CHECK_INT(zone_at(z, s.begin).begin, s.begin);
			if (s.end == INT64_MAX)
				break;
			CHECK_INT(zone_at(z, s.end - 1).end, s.end);
			t = s.end;
		}
		CHECK(spans < 600);
		zone_free(z);
	}
}

TEST(a_rule_holds_after_the_last_transition)
{
	struct zone *z = load("Europe/Berlin");

	/* 2090-03-26 01:00 UTC, the last Sunday of March */
	CHECK_INT(zone_at(z, 3794173199).offset, 3600);
	CHECK_INT(zone_at(z, 3794173200).offset, 7200);
	CHECK_INT(zone_at(z, 3794173200).begin, 3794173200);
	zone_free(z);
}

TEST(rules_of_posix_are_read)
{
	static const char *const good[] = {
		"UTC0", "<+0330>-3:30", "EST5EDT,M3.2.0,M11.1.0", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
		"LHST-10:30LHDT-11,J95,J275/2:30:15", "XXX3EDT4,0/0,J365/23",
	};
	static const char *const bad[] = {
		"", "UT0", "EST", "EST5EDT", "EST5EDT,M3.2.0", "EST5EDT,M13.2.0,M11.1.0",
		"EST5EDT,M3.6.0,M11.1.0", "EST5EDT,J0,J1", "EST25", "EST5EDT,M3.2.0,M11.1.0x",
		"<ab>5", "<abc5", "EST5:60", "EST5EDT,M3.2.0/168,M11.1.0",
	};
	struct zone_rule r;

	for (size_t i = 0; i < COUNT(good); i++)
		if (!zone_rule_parse(&r, str_of(good[i])))
			test_fail(__FILE__, __LINE__, "refused: %s", good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		if (zone_rule_parse(&r, str_of(bad[i])))
			test_fail(__FILE__, __LINE__, "accepted: %s", bad[i]);
	CHECK(zone_rule_parse(&r, S("XXX3EDT4,0/0,J365/23")));
	CHECK_INT(zone_rule_at(&r, 1700000000).offset, -4 * 3600);       /* all year */
}

TEST(names_lead_to_no_other_file)
{
	static const char *const bad[] = {
		"../../../etc/passwd", "/etc/localtime", "Europe/../Europe/Berlin", "Europe//Berlin",
		"Europe/", "Europe", "Mars/Olympus", "tzdata.zi", "zone.tab", "Europe/Berlin ",
		"europe berlin", "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/a/b/c/d/e/f/g/h",
		"leapseconds", "right/UTC",
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct zone *z;
		struct err e = { 0 };

		if (zone_load(&z, str_of(bad[i]), &e) != ERR_INVALID)
			test_fail(__FILE__, __LINE__, "%s: %s", bad[i], e.text);
		CHECK(e.text[0] != '\0' && z == NULL);
	}
}

TEST(a_cut_file_is_refused)
{
	struct buf file = BUF(65536);
	struct zone *z;
	struct err e;

	CHECK_RC(file_add("/usr/share/zoneinfo/Europe/Berlin", &file, &e), OK);
	for (size_t n = 0; n < file.n; n++)
		CHECK_RC(zone_parse(&z, str_sub(buf_str(&file), 0, n), &e), ERR_INVALID);
	CHECK_RC(zone_parse(&z, buf_str(&file), &e), OK);
	zone_free(z);
	buf_release(&file);
}
