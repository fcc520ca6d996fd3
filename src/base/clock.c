/*
 * clock.c - the clocks, and time as text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"

#include <assert.h>
#include <string.h>
#include <time.h>

static nsec
read_clock(clockid_t id)
{
	struct timespec ts;
	int rc = clock_gettime(id, &ts);

	assert(rc == 0);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

nsec
clock_mono(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static nsec ahead;                           /* set before there are threads */

void
clock_set_ahead(msec ms)
{
	ahead = ms * NS_PER_MS;
}

nsec
clock_wall(void)
{
	return read_clock(CLOCK_REALTIME) + ahead;
}

msec
clock_wall_ms(void)
{
	return clock_wall() / NS_PER_MS;
}

nsec
clock_cpu(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

nsec
clock_thread(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static void
put_digits(char *out, unsigned v, int n)
{
	while (n-- > 0) {
		out[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

#define MS_PER_DAY    INT64_C(86400000)
#define WALL_YEAR_0   (-INT64_C(719528) * MS_PER_DAY)    /* 0000-01-01 */
#define WALL_YEAR_END (INT64_C(2932897) * MS_PER_DAY - 1)    /* 9999-12-31 */

/* Days to a civil date after Howard Hinnant; years begin in March, so that the
 * leap day is the last of its year. */
void
clock_date(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t era;
	int doe, yoe, doy, m;

	days += 719468;                      /* from 1 March of the year 0 */
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = (int)(days - era * 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	m = (5 * doy + 2) / 153;
	*day = doy - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = yoe + era * 400 + (*month <= 2);
}

/* Four-digit years only: clamped. */
void
clock_write_iso(char out[CLOCK_ISO_SIZE], msec wall)
{
	int64_t year;
	unsigned ms;
	int month, day;

	wall = wall < WALL_YEAR_0 ? WALL_YEAR_0 : wall > WALL_YEAR_END ? WALL_YEAR_END : wall;
	clock_date((wall - WALL_YEAR_0) / MS_PER_DAY + WALL_YEAR_0 / MS_PER_DAY, &year,
	    &month, &day);
	ms = (unsigned)((wall - WALL_YEAR_0) % MS_PER_DAY);
	memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_ISO_SIZE);
	put_digits(out, (unsigned)year, 4);
	put_digits(out + 5, (unsigned)month, 2);
	put_digits(out + 8, (unsigned)day, 2);
	put_digits(out + 11, ms / 3600000, 2);
	put_digits(out + 14, ms / 60000 % 60, 2);
	put_digits(out + 17, ms / 1000 % 60, 2);
	put_digits(out + 20, ms % 1000, 3);
}

/* The way back. */
int64_t
clock_days(int64_t year, int month, int day)
{
	int64_t era;
	int yoe, doy;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	yoe = (int)(year - era * 400);
	doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void
clock_add_iso(struct buf *b, msec wall)
{
	char *to = buf_room(b, CLOCK_ISO_SIZE);

	if (to == NULL)
		return;
	clock_write_iso(to, wall);
	buf_added(b, CLOCK_ISO_SIZE);
}

/* ---- durations ------------------------------------------------------------------- */

static const struct { const char *name; double ns; } units[] = {
	{ "ns", 1 }, { "us", 1e3 }, { "\xc2\xb5s", 1e3 }, { "ms", 1e6 }, { "s", 1e9 },
	{ "m", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 },
};

static size_t
span(struct str s, size_t from, bool digits)
{
	while (from < s.n && (str_index(S("0123456789."), s.p[from]) >= 0) == digits)
		from++;
	return from;
}

/* Cuts "1.5h" off *s. */
static bool
parse_part(struct str *s, double *ns)
{
	size_t digits = span(*s, 0, true), n = span(*s, digits, false);
	struct str unit = str_sub(*s, digits, n - digits);
	double v;

	if (digits == 0 || !str_to_double(str_sub(*s, 0, digits), &v))
		return false;
	for (size_t i = 0; i < COUNT(units); i++) {
		if (!str_eq(unit, str_of(units[i].name)))
			continue;
		*ns += v * units[i].ns;
		*s = str_sub(*s, n, s->n);
		return true;
	}
	return false;
}

bool
clock_parse(struct str s, nsec bare, nsec *out)
{
	double v, ns = 0;

	if (s.n > 0 && bare > 0 && span(s, 0, true) == s.n) {
		if (!str_to_double(s, &v))
			return false;
		ns = v * (double)bare;
		s.n = 0;
	} else if (s.n == 0) {
		return false;
	}
	while (s.n > 0) {
		if (!parse_part(&s, &ns))
			return false;
	}
	if (!(ns >= 0) || ns > 9e18)
		return false;
	*out = (nsec)(ns + 0.5);
	return true;
}
