/*
 * suite.c - see suite.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/suite.h"

#include <assert.h>

const char *const suite_groups[] = {
#define X(name, text) text,
	SUITE_GROUP_MAP(X)
#undef X
	NULL
};

const struct suite_core_row suite_core[SUITE_CORES] = {
#define X(name, label, unit, better, target, acceptable, critical)            \
	{ label, unit, better, target, acceptable, critical },
	SUITE_CORE_MAP(X)
#undef X
};

const char *const suite_grades[] = {
	"not graded", "target", "acceptable", "critical", "failed"
};

static bool
within(enum suite_better better, double value, double bound)
{
	return better == UP ? value >= bound : value <= bound;
}

enum suite_grade
suite_grade(enum suite_core core, double value)
{
	const struct suite_core_row *c = &suite_core[core];

	if (c->better == COUNTED)
		return GRADE_NONE;
	if (within(c->better, value, c->target))
		return GRADE_TARGET;
	if (within(c->better, value, c->acceptable))
		return GRADE_ACCEPTABLE;
	return within(c->better, value, c->critical) ? GRADE_CRITICAL : GRADE_FAILED;
}

bool
suite_met(const struct suite_metric *m, double value)
{
	return m->ours == 0 || m->better == COUNTED || within(m->better, value, m->ours);
}

double
suite_core_value(const struct suite_metric *m, double value)
{
	return value * (m->core_per != 0 ? m->core_per : 1);
}

bool
suite_at_target(const struct suite_metric *m, double value)
{
	enum suite_grade g = suite_grade(m->core, suite_core_value(m, value));

	return g == GRADE_NONE || g == GRADE_TARGET;
}

const struct workload *
suite_find(struct str id)
{
	for (size_t i = 0; i < suite_rows_n; i++)
		if (str_eq_nocase(id, str_of(suite_rows[i].id)))
			return &suite_rows[i];
	return NULL;
}

const struct workload *
suite_find_command(struct str name)
{
	for (size_t i = 0; i < suite_rows_n; i++) {
		struct str rest = str_of(suite_rows[i].words), first;

		if (str_next(&rest, ' ', &first) && str_eq(first, name))
			return &suite_rows[i];
	}
	return NULL;
}

unsigned
suite_page(const struct workload *w)
{
	uint64_t n;

	return w->id[0] == 'B' && str_to_u64(str_of(w->id + 1), &n) && n <= SUITE_PAGE ?
	    (unsigned)n : 0;
}

const struct suite_metric *
suite_metric(const struct workload *w, struct str key)
{
	for (size_t i = 0; w != NULL && i < SUITE_METRICS && w->metric[i].key != NULL; i++)
		if (str_eq(key, str_of(w->metric[i].key)))
			return &w->metric[i];
	return NULL;
}

int
suite_only(struct str text, bool on[SUITE_ROWS], struct err *e)
{
	struct str part;

	assert(suite_rows_n <= SUITE_ROWS);
	for (size_t i = 0; i < suite_rows_n; i++)
		on[i] = text.n == 0;
	while (text.n > 0 && str_next(&text, ',', &part)) {
		struct str id = str_trim(part);
		const struct workload *w = suite_find(id);
		struct str_near near = { .word = id };

		if (w != NULL) {
			on[w - suite_rows] = true;
			continue;
		}
		for (size_t i = 0; i < suite_rows_n; i++)
			str_near_try(&near, suite_rows[i].id);
		return err_near(e, ERR_INVALID, near.best, "\"", "no workload \"%.*s\" "
		    "(`cohort help bench all` shows them)", FMT(id));
	}
	return OK;
}

void
suite_add_list(struct buf *out)
{
	for (size_t i = 0; i < suite_rows_n; i++)
		buf_add_fmt(out, "  %-14s %-12s %s%s\n", suite_rows[i].id,
		    suite_groups[suite_rows[i].group], suite_rows[i].title,
		    suite_rows[i].words == NULL ? " (not built)" : "");
}

/* "p50_us <= 2 us, messages_per_s >= 5e+06 /s" */
static void
add_targets(const struct workload *w, struct buf *out)
{
	const char *comma = "";

	for (size_t i = 0; i < SUITE_METRICS && w->metric[i].key != NULL; i++) {
		const struct suite_metric *m = &w->metric[i];

		buf_add_fmt(out, "%s`%s`", comma, m->key);
		if (m->ours != 0)
			buf_add_fmt(out, " %s %g %s", m->better == UP ? ">=" : "<=", m->ours,
			    m->unit);
		comma = ", ";
	}
}

void
suite_add_markdown(struct buf *out)
{
	buf_lit(out, "| id | group | workload | command | key metrics | measures | does "
	    "not measure |\n|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < suite_rows_n; i++) {
		const struct workload *w = &suite_rows[i];

		buf_add_fmt(out, "| %s | %s | %s | ", w->id, suite_groups[w->group], w->title);
		if (w->words == NULL) {
			buf_lit(out, "not built | | | |\n");
			continue;
		}
		buf_add_fmt(out, "`bench %s` | ", w->words);
		add_targets(w, out);
		buf_add_fmt(out, " | %s | %s |\n", w->measures, w->not_measures);
	}
}
