/*
 * zone_rule.c - see zone_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/zone_priv.h"

#include "base/clock.h"

#define DAY_S 86400

/* ---- reading ----------------------------------------------------------------- */

static bool
mark(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_sub(*s, 1, s->n);
	return true;
}

static bool
number(struct str *s, int max, int *out)
{
	size_t n = 0;

	*out = 0;
	for (; n < s->n && n < 3 && s->p[n] >= '0' && s->p[n] <= '9'; n++)
		*out = *out * 10 + (s->p[n] - '0');
	*s = str_sub(*s, n, s->n);
	return n > 0 && *out <= max;
}

static bool
is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* An abbreviation: letters, or anything in <>. */
static bool
name(struct str *s)
{
	size_t n = 0;

	if (mark(s, '<')) {
		ptrdiff_t end = str_index(*s, '>');

		if (end < 3)
			return false;
		*s = str_sub(*s, (size_t)end + 1, s->n);
		return true;
	}
	while (n < s->n && is_letter(s->p[n]))
		n++;
	*s = str_sub(*s, n, s->n);
	return n >= 3;
}

/* [+-]h[:m[:s]] */
static bool
duration(struct str *s, int max_hours, int32_t *out)
{
	int sign = mark(s, '-') ? -1 : (mark(s, '+'), 1);
	int h = 0, m = 0, sec = 0;

	if (!number(s, max_hours, &h))
		return false;
	if (mark(s, ':') && (!number(s, 59, &m) || (mark(s, ':') && !number(s, 59, &sec))))
		return false;
	*out = sign * (h * 3600 + m * 60 + sec);
	return true;
}

static bool
day(struct str *s, struct zone_day *d)
{
	*d = (struct zone_day){ .kind = DAY_OF_YEAR, .time = 2 * 3600 };
	if (mark(s, 'M')) {
		d->kind = DAY_OF_MONTH;
		if (!number(s, 12, &d->month) || d->month == 0 || !mark(s, '.') ||
		    !number(s, 5, &d->week) || d->week == 0 || !mark(s, '.') ||
		    !number(s, 6, &d->day))
			return false;
	} else if (mark(s, 'J')) {
		d->kind = DAY_NO_LEAP;
		if (!number(s, 365, &d->day) || d->day == 0)
			return false;
	} else if (!number(s, 365, &d->day)) {
		return false;
	}
	return !mark(s, '/') || duration(s, 167, &d->time);
}

bool
zone_rule_parse(struct zone_rule *out, struct str s)
{
	*out = (struct zone_rule){ 0 };
	if (!name(&s) || !duration(&s, 24, &out->standard))
		return false;
	out->standard = -out->standard;      /* POSIX counts to the west */
	if (s.n == 0)
		return true;
	out->has_summer = true;
	out->summer = out->standard + 3600;
	if (!name(&s))
		return false;
	if (s.n > 0 && s.p[0] != ',') {
		if (!duration(&s, 24, &out->summer))
			return false;
		out->summer = -out->summer;
	}
	return mark(&s, ',') && day(&s, &out->begins) && mark(&s, ',') &&
	    day(&s, &out->ends) && s.n == 0;
}

/* ---- what it says ------------------------------------------------------------- */

static bool
is_leap(int64_t y)
{
	return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

/* Local midnight of the day, as days since 1970. */
static int64_t
day_in(const struct zone_day *d, int64_t year)
{
	int64_t first, at;

	if (d->kind != DAY_OF_MONTH) {
		at = clock_days(year, 1, 1) + d->day;
		if (d->kind == DAY_NO_LEAP)
			at -= 1 - (is_leap(year) && d->day >= 60);
		return at;
	}
	first = clock_days(year, d->month, 1);
	at = first + ((d->day - (first + 4)) % 7 + 7) % 7 + 7 * (d->week - 1);
	if (d->week == 5 && at >= (d->month == 12 ? clock_days(year + 1, 1, 1) :
	    clock_days(year, d->month + 1, 1)))
		at -= 7;                     /* 5 is the last one */
	return at;
}

struct change {
	int64_t at;
	int32_t offset;
};

/* The rule's changes around a year, in order.  Of two at one instant the later one
 * holds: so a rule for summer all year is written. */
static void
changes_of(const struct zone_rule *r, int64_t year, struct change out[6])
{
	size_t n = 0;

	for (int64_t y = year - 1; y <= year + 1; y++) {
		const struct change both[2] = {
			{ day_in(&r->begins, y) * DAY_S + r->begins.time - r->standard,
			    r->summer },
			{ day_in(&r->ends, y) * DAY_S + r->ends.time - r->summer,
			    r->standard },
		};

		for (size_t i = 0; i < 2; i++) {
			size_t k = n++;

			for (; k > 0 && out[k - 1].at > both[i].at; k--)
				out[k] = out[k - 1];
			out[k] = both[i];
		}
	}
}

struct zone_span
zone_rule_at(const struct zone_rule *r, int64_t t)
{
	struct zone_span s = { INT64_MIN, INT64_MAX, r->standard };
	struct change c[6];
	int64_t year;
	int month, d;

	if (!r->has_summer)
		return s;
	clock_date(t / DAY_S - (t % DAY_S < 0), &year, &month, &d);
	changes_of(r, year, c);
	for (size_t i = 0; i < 6; i++) {
		if (c[i].at <= t) {
			s.begin = c[i].at;
			s.offset = c[i].offset;
		} else {
			s.end = c[i].at;
			break;
		}
	}
	return s;
}
