/*
 * fuzz_schedule.c - any text as a cron's fields: what is accepted fires, later and
 * later, at whole minutes that the fields name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/clock.h"
#include "base/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_named(const struct schedule *s, int64_t at)
{
	int64_t days = at / 86400, year;
	int month, day;

	clock_date(days, &year, &month, &day);
	assert(at % 60 == 0);
	assert(s->minutes >> at / 60 % 60 & 1 && s->hours >> at / 3600 % 24 & 1);
	assert(s->months >> month & 1);
	assert(s->days >> day & 1 || s->weekdays >> (days + 4) % 7 & 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int64_t at = 1700000000 + (n > 0 ? data[0] : 0) * INT64_C(86413), next;
	struct zone *utc, *berlin;
	struct schedule s;
	struct err e;

	if (schedule_parse(&s, (struct str){ (const char *)data, n }, &e) != OK)
		return 0;
	assert(zone_load(&utc, STR_NONE, &e) == OK);
	for (int i = 0; i < 20 && schedule_next(&s, utc, at, &next) == OK; i++) {
		assert(next > at);
		check_named(&s, next);
		at = next;
	}
	if (zone_load(&berlin, S("Europe/Berlin"), &e) == OK)
		for (int i = 0; i < 20 && schedule_next(&s, berlin, at, &next) == OK; i++) {
			assert(next > at && next % 60 == 0);
			at = next;
		}
	zone_free(utc);
	zone_free(berlin);
	return 0;
}
