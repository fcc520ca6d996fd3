/*
 * threshold.c - what a report must reach, as text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/report.h"

#include <math.h>
#include <string.h>

struct threshold {
	struct str name, stat;               /* stat empty: a value */
	bool less;
	double bound;
};

static int
threshold_read(struct str text, struct threshold *t, struct err *e)
{
	ptrdiff_t at = str_index(text, '<'), dot;

	t->less = at >= 0;
	if (at < 0)
		at = str_index(text, '>');
	if (at <= 0 || !str_to_double(str_trim(str_sub(text, (size_t)at + 1, text.n)),
	    &t->bound))
		return err_set(e, ERR_INVALID, "threshold \"%.*s\": expected name<number "
		    "or name.p95<number", FMT(text));
	t->name = str_trim(str_sub(text, 0, (size_t)at));
	t->stat = STR_NONE;
	dot = str_index(t->name, '.');
	if (dot >= 0) {
		t->stat = str_sub(t->name, (size_t)dot + 1, t->name.n);
		t->name.n = (size_t)dot;
	}
	return OK;
}

static double
stat_of(const struct hist *h, struct str stat)
{
	double percentile;

	if (h->count == 0)
		return NAN;
	if (str_eq(stat, S("avg")))
		return hist_mean(h) / (double)NS_PER_MS;
	if (str_eq(stat, S("max")))
		return (double)h->max / (double)NS_PER_MS;
	if (str_starts(stat, S("p")) && str_to_double(str_sub(stat, 1, stat.n), &percentile))
		return report_ms(h, percentile);
	return NAN;
}

/* What the report says of it; NaN when it says nothing. */
static double
actual_of(const struct report *r, const struct threshold *t)
{
	for (size_t i = 0; t->stat.n == 0 && i < r->values_n; i++)
		if (str_eq(t->name, str_of(r->value[i].key)))
			return r->value[i].value;
	for (size_t i = 0; t->stat.n > 0 && i < r->metrics_n; i++) {
		const struct report_metric *m = &r->metric[i];

		if (str_eq(t->name, str_of(m->operation != NULL ? m->operation : m->name)))
			return stat_of(m->times, t->stat);
	}
	return NAN;
}

int
report_thresholds(struct report *r, const char *text, struct err *e)
{
	struct str rest = str_of(text), part;

	while (rest.n > 0 && str_next(&rest, ',', &part)) {
		struct threshold t;
		double actual;
		int rc = threshold_read(str_trim(part), &t, e);

		if (rc != OK)
			return rc;
		if (r == NULL)
			continue;
		actual = actual_of(r, &t);
		report_check(r, t.less ? actual < t.bound : actual > t.bound,
		    "%.*s%s%.*s %c %g (is %.4g)", FMT(t.name), t.stat.n > 0 ? " " : "",
		    FMT(t.stat), t.less ? '<' : '>', t.bound, actual);
	}
	return OK;
}
