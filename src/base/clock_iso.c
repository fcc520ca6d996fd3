/*
 * clock_iso.c - reads times of RFC 3339.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"

static bool
digits(struct str *s, int n, int *out)
{
	*out = 0;
	if (s->n < (size_t)n)
		return false;
	for (int i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		*out = *out * 10 + (s->p[i] - '0');
	}
	*s = str_sub(*s, (size_t)n, s->n);
	return true;
}

static bool
mark(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_sub(*s, 1, s->n);
	return true;
}

/* The fraction's first three digits; the rest is read past. */
static bool
fraction(struct str *s, int *ms)
{
	int scale = 100;

	*ms = 0;
	if (!mark(s, '.'))
		return true;
	if (s->n == 0 || s->p[0] < '0' || s->p[0] > '9')
		return false;
	while (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9') {
		*ms += (s->p[0] - '0') * scale;
		scale /= 10;
		*s = str_sub(*s, 1, s->n);
	}
	return true;
}

static bool
zone(struct str s, int *minutes)
{
	int h, m, sign;

	*minutes = 0;
	if (s.n == 1 && (s.p[0] | 0x20) == 'z')
		return true;
	if (s.n == 0)
		return false;
	sign = s.p[0] == '-' ? -1 : 1;
	if ((!mark(&s, '+') && !mark(&s, '-')) || !digits(&s, 2, &h) ||
	    !mark(&s, ':') || !digits(&s, 2, &m) || s.n != 0 || h > 23 || m > 59)
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

bool
clock_read_iso(struct str s, msec *out)
{
	static const int month_days[] = {
		31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	int y, mo, d, h, mi, sec, ms, offset;

	if (!digits(&s, 4, &y) || !mark(&s, '-') || !digits(&s, 2, &mo) ||
	    !mark(&s, '-') || !digits(&s, 2, &d) || (!mark(&s, 'T') &&
	    !mark(&s, 't')) || !digits(&s, 2, &h) || !mark(&s, ':') ||
	    !digits(&s, 2, &mi) || !mark(&s, ':') || !digits(&s, 2, &sec) ||
	    !fraction(&s, &ms) || !zone(s, &offset))
		return false;
	if (mo < 1 || mo > 12 || d < 1 || d > month_days[mo - 1] ||
	    (mo == 2 && d == 29 && (y % 4 != 0 || (y % 100 == 0 && y % 400 != 0))) ||
	    h > 23 || mi > 59 || sec > 60)
		return false;
	*out = ((((clock_days(y, mo, d) * 24 + h) * 60 + mi - offset) * 60) + sec) *
	    1000 + ms;
	return true;
}
