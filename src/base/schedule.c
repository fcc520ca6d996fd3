/*
 * schedule.c - see schedule.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/schedule.h"

#include "base/clock.h"
#include "base/limits.h"

#define DAY_S    86400
#define NO_MATCH INT64_MAX

/* ---- reading ------------------------------------------------------------------- */

static const char *const months[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
	NULL
};
static const char *const weekdays[] = {
	"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL
};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct field {
	const char *name;
	int min, max;
	const char *const *names;            /* of min and those that follow; or NULL */
} fields[FIELDS] = {
	{ "minute", 0, 59, NULL }, { "hour", 0, 23, NULL }, { "day of month", 1, 31, NULL },
	{ "month", 1, 12, months }, { "day of week", 0, 7, weekdays },
};

static const struct { const char *name, *text; } shorthands[] = {
	{ "@hourly", "0 * * * *" }, { "@daily", "0 0 * * *" }, { "@midnight", "0 0 * * *" },
	{ "@weekly", "0 0 * * 0" }, { "@monthly", "0 0 1 * *" },
	{ "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" },
};

static int
complain(struct err *e, const struct field *f, struct str part, const char *what)
{
	return err_set(e, ERR_INVALID, "%s \"%.*s\": %s", f->name,
	    FMT(str_cut(part, 32)), what);
}

static bool
value_read(const struct field *f, struct str s, int *out)
{
	uint64_t v;

	for (int i = 0; f->names != NULL && f->names[i] != NULL; i++) {
		if (str_eq_nocase(s, str_of(f->names[i]))) {
			*out = f->min + i;
			return true;
		}
	}
	if (!str_to_u64(s, &v) || v < (uint64_t)f->min || v > (uint64_t)f->max)
		return false;
	*out = (int)v;
	return true;
}

static int
value_missing(const struct field *f, struct str part, struct err *e)
{
	return err_set(e, ERR_INVALID, "%s \"%.*s\": expected %d to %d%s%s", f->name,
	    FMT(str_cut(part, 32)), f->min, f->max, f->names == NULL ? "" :
	    f->names == months ? ", or jan to dec" : ", or sun to sat",
	    ", a range a-b, or * (with /n for every nth)");
}

/* "a", "a-b" or "*", before the step. */
static int
range_read(const struct field *f, struct str part, struct str s, int *from, int *to,
    struct err *e)
{
	ptrdiff_t dash = str_index(s, '-');
	struct str last = dash < 0 ? s : str_sub(s, (size_t)dash + 1, s.n);

	*from = f->min;
	*to = f->names == weekdays ? 6 : f->max;
	if (str_eq(s, S("*")) ||
	    (str_eq(s, S("?")) && (f == &fields[DAY] || f == &fields[WEEKDAY])))
		return OK;
	if (!value_read(f, dash < 0 ? s : str_sub(s, 0, (size_t)dash), from) ||
	    !value_read(f, last, to))
		return value_missing(f, part, e);
	if (f->names == weekdays && *to == 0 && *from > 0)
		*to = 7;                     /* fri-sun */
	return *from <= *to ? OK : complain(e, f, part, "the range ends before it begins");
}

/* One of a list. */
static int
part_read(const struct field *f, struct str part, uint64_t *set, struct err *e)
{
	ptrdiff_t slash = str_index(part, '/');
	struct str range = slash < 0 ? part : str_sub(part, 0, (size_t)slash);
	int from, to, rc = range_read(f, part, range, &from, &to, e);
	uint64_t step = 1;

	if (rc != OK)
		return rc;
	if (slash >= 0 && (!str_to_u64(str_sub(part, (size_t)slash + 1, part.n), &step) ||
	    step == 0 || step > (uint64_t)f->max))
		return err_set(e, ERR_INVALID, "%s \"%.*s\": expected a step of 1 to %d",
		    f->name, FMT(str_cut(part, 32)), f->max);
	if (slash >= 0 && from == to && str_index(range, '-') < 0)
		to = f->max;                 /* "5/15" */
	for (uint64_t i = (uint64_t)from; i <= (uint64_t)to; i += step)
		*set |= UINT64_C(1) << i;
	return OK;
}

static int
field_read(const struct field *f, struct str text, uint64_t *set, struct err *e)
{
	struct str part;
	int rc = OK;

	*set = 0;
	while (rc == OK && str_next(&text, ',', &part))
		rc = part_read(f, part, set, e);
	return rc;
}

/* Words between blanks; counts those that do not fit, too. */
static size_t
split(struct str text, struct str out[FIELDS])
{
	size_t n = 0, i = 0;

	while (i < text.n) {
		size_t from = i;

		while (i < text.n && text.p[i] != ' ' && text.p[i] != '\t')
			i++;
		if (i > from && n++ < FIELDS)
			out[n - 1] = str_sub(text, from, i - from);
		i += i < text.n;
	}
	return n;
}

static struct str
shorthand(struct str text, struct err *e)
{
	for (size_t i = 0; i < COUNT(shorthands); i++)
		if (str_eq_nocase(text, str_of(shorthands[i].name)))
			return str_of(shorthands[i].text);
	err_set(e, ERR_INVALID, "\"%.*s\" is not known; expected @hourly, @daily, "
	    "@weekly, @monthly, @yearly or five fields", FMT(str_cut(text, 32)));
	return STR_NONE;
}

static bool
begins_with_star(struct str s)
{
	return s.p[0] == '*' || s.p[0] == '?';
}

/* 30 February. */
static int
check_fires(const struct schedule *s, struct err *e)
{
	struct zone *utc;
	int64_t at;
	int rc = zone_load(&utc, STR_NONE, e);

	if (rc == OK && schedule_next(s, utc, 0, &at) != OK)
		rc = err_set(e, ERR_INVALID, "never fires: there is no such day");
	zone_free(utc);
	return rc;
}

int
schedule_parse(struct schedule *out, struct str text, struct err *e)
{
	uint64_t set[FIELDS];
	struct str word[FIELDS];
	size_t n;
	int rc = OK;

	text = str_trim(text);
	if (text.n > LIMIT_SCHEDULE_BYTES)
		return err_set(e, ERR_INVALID, "longer than %d bytes", LIMIT_SCHEDULE_BYTES);
	if (text.n > 0 && text.p[0] == '@') {
		text = shorthand(text, e);
		if (text.n == 0)
			return ERR_INVALID;
	}
	n = split(text, word);
	if (n != FIELDS)
		return err_set(e, ERR_INVALID, "expected five fields (minute, hour, day of "
		    "month, month, day of week), got %zu%s", n, n == FIELDS + 1 ?
		    "; there are no seconds" : "");
	for (size_t i = 0; rc == OK && i < FIELDS; i++)
		rc = field_read(&fields[i], word[i], &set[i], e);
	if (rc != OK)
		return rc;
	*out = (struct schedule){ .minutes = set[MINUTE], .hours = (uint32_t)set[HOUR],
	    .days = (uint32_t)set[DAY], .months = (uint32_t)set[MONTH],
	    .weekdays = (uint32_t)((set[WEEKDAY] | set[WEEKDAY] >> 7) & 0x7f),
	    .either = !begins_with_star(word[DAY]) && !begins_with_star(word[WEEKDAY]) };
	return check_fires(out, e);
}

/* ---- the next firing ----------------------------------------------------------- */

static int64_t
floor_to(int64_t t, int64_t unit)
{
	return t - (t % unit + unit) % unit;
}

static bool
day_matches(const struct schedule *s, int64_t days, int day)
{
	int weekday = (int)(((days + 4) % 7 + 7) % 7);
	bool of_month = s->days >> day & 1, of_week = s->weekdays >> weekday & 1;

	return s->either ? of_month || of_week : of_month && of_week;
}

/* The first minute of a day from this one on; -1: none is left. */
static int
minute_from(const struct schedule *s, int minute)
{
	for (int h = minute / 60, m = minute % 60; h < 24; h++, m = 0)
		if (s->hours >> h & 1 && s->minutes >> m != 0)
			return h * 60 + m + __builtin_ctzll(s->minutes >> m);
	return -1;
}

/* The first local time at or after `at` (a whole minute) that the fields name. */
static int64_t
match_from(const struct schedule *s, int64_t at, int64_t last)
{
	int64_t day = floor_to(at, DAY_S) / DAY_S, year;
	int minute = (int)(at - day * DAY_S) / 60, month, d, found;

	for (; day * DAY_S <= last; day++, minute = 0) {
		clock_date(day, &year, &month, &d);
		if (!(s->months >> month & 1)) {
			day = month == 12 ? clock_days(year + 1, 1, 1) - 1 :
			    clock_days(year, month + 1, 1) - 1;
			continue;
		}
		found = day_matches(s, day, d) ? minute_from(s, minute) : -1;
		if (found >= 0)
			return day * DAY_S + (int64_t)found * 60;
	}
	return NO_MATCH;
}

/* Where local time stood highest before this span. */
static int64_t
local_before(const struct zone *z, const struct zone_span *span)
{
	return span->begin == INT64_MIN ? INT64_MIN :
	    span->begin + zone_at(z, span->begin - 1).offset;
}

int
schedule_next(const struct schedule *s, const struct zone *z, int64_t after, int64_t *out)
{
	int64_t end = after + (int64_t)SCHEDULE_YEARS * 366 * DAY_S;
	bool hourly = s->hours == 0xffffff;
	struct zone_span span = zone_at(z, after);
	int64_t from = floor_to(after + span.offset, 60) + 60;
	int64_t past = local_before(z, &span);       /* these have had their turn */

	for (;;) {
		int64_t begins, match;

		if (!hourly && from < past)
			from = floor_to(past + 59, 60);
		match = match_from(s, from, end + DAY_S);
		if (match == NO_MATCH)
			return ERR_NOTFOUND;
		*out = match - span.offset;
		if (*out < span.end)
			return OK;
		past = span.end + span.offset;
		*out = span.end;
		span = zone_at(z, span.end);
		begins = *out + span.offset;
		if (!hourly && match < begins)
			return OK;           /* its time does not exist */
		from = floor_to(begins + 59, 60);
	}
}
