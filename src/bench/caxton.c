/*
 * caxton.c - the report in the form of the page whose list B1 to B27 is: core
 * metrics with grades, throughput, latency, resources beside a baseline.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/all_priv.h"

#include <math.h>
#include <stdio.h>

#include "bench/doc_priv.h"

/* Items that are no measurement. */
static const struct { unsigned page; const char *what; } others[] = {
	{ 19, "report in the page's format: this one" },
	{ 20, "production monitor: `cohort bench watch`" },
	{ 21, "CI recipe: `bench/ci.yml`" },
};

static const char *
other_of(unsigned page)
{
	for (size_t i = 0; i < COUNT(others); i++)
		if (others[i].page == page)
			return others[i].what;
	return NULL;
}

/* ---- what the document says ------------------------------------------------------ */

static jnode
element_of(const struct doc *d, unsigned page)
{
	char id[8];

	snprintf(id, sizeof id, "B%u", page);
	for (size_t i = 0; i < d->n; i++)
		if (str_eq(doc_id(d->element[i]), str_of(id)))
			return d->element[i];
	return NULL;
}

/* The first target that is this core metric, and its element. */
static jnode
core_of(const struct doc *d, enum suite_core core, jnode *element)
{
	for (unsigned page = 1; page <= SUITE_PAGE; page++) {
		*element = element_of(d, page);
		for (struct json_iter it = json_each(json_get(*element, S("targets")));
		    json_next(&it);)
			if (str_eq(doc_str(it.value, "core"), str_of(suite_core[core].label)))
				return it.value;
	}
	*element = NULL;
	return NULL;
}

static jnode
change_of(jnode element, struct str key)
{
	for (struct json_iter it = json_each(json_get(element, S("changes"))); json_next(&it);)
		if (str_ends(doc_str(it.value, "metric"), key))
			return it.value;
	return NULL;
}

static bool
is_measured(const struct doc *d, unsigned page)
{
	jnode x = element_of(d, page);

	return other_of(page) != NULL || (x != NULL && doc_measured(x));
}

bool
caxton_all_met(const struct doc *d)
{
	for (unsigned page = 1; page <= SUITE_PAGE; page++) {
		jnode x = element_of(d, page);

		if (!is_measured(d, page) || (x != NULL && !doc_passed(x)))
			return false;
	}
	/* Each graded metric was seen. */
	for (enum suite_core core = 1; core < SUITE_CORES; core++) {
		jnode x;

		if (suite_core[core].target > 0 && core_of(d, core, &x) == NULL)
			return false;
	}
	return true;
}

/* ---- summary --------------------------------------------------------------------- */

static void
add_missing(const struct doc *d, struct buf *out)
{
	const char *comma = "";
	size_t n = 0;

	for (unsigned page = 1; page <= SUITE_PAGE; page++)
		n += !is_measured(d, page);
	if (n == 0)
		return;
	buf_lit(out, "- Not measured: ");
	for (unsigned page = 1; page <= SUITE_PAGE; page++) {
		if (is_measured(d, page))
			continue;
		buf_add_fmt(out, "%sB%u", comma, page);
		comma = ", ";
	}
	buf_lit(out, "\n");
}

static void
add_best(const struct doc *d, struct buf *out)
{
	for (size_t i = 0; i < d->n; i++)
		for (struct json_iter it = json_each(json_get(d->element[i], S("changes")));
		    json_next(&it);)
			if (str_eq(doc_str(it.value, "verdict"), S("better")))
				buf_add_fmt(out, "- %.1f %% improvement in %.*s\n",
				    fabs(json_number(json_get(it.value, S("change_percent")))),
				    FMT(doc_str(it.value, "metric")));
}

static void
add_summary(const struct doc *d, struct buf *out)
{
	struct doc_count n = doc_count(d);
	size_t grade[5] = { 0 }, graded = 0;

	for (size_t i = 0; i < d->n; i++)
		for (struct json_iter it = json_each(json_get(d->element[i], S("targets")));
		    json_next(&it);)
			for (size_t g = GRADE_TARGET; g <= GRADE_FAILED; g++)
				grade[g] += str_eq(doc_str(it.value, "grade"),
				    str_of(suite_grades[g]));
	graded = grade[1] + grade[2] + grade[3] + grade[4];
	buf_lit(out, "\n## Summary\n");
	if (caxton_all_met(d))
		buf_lit(out, "- All performance targets met\n");
	else
		buf_add_fmt(out, "- %zu of %zu core figures at target, %zu acceptable, %zu "
		    "critical, %zu failed\n", grade[GRADE_TARGET], graded,
		    grade[GRADE_ACCEPTABLE], grade[GRADE_CRITICAL], grade[GRADE_FAILED]);
	if (n.missed > 0)
		buf_add_fmt(out, "- %zu workloads missed a target of ours or failed\n", n.missed);
	if (json_is_object(json_get(d->suite[0], S("baseline"))))
		buf_add_fmt(out, "- %zu minor regressions detected\n", n.worse);
	add_best(d, out);
	add_missing(d, out);
}

/* ---- tables ---------------------------------------------------------------------- */

static void
add_core(const struct doc *d, struct buf *out)
{
	buf_lit(out, "\n## Core Metrics\n| Metric | Workload | Current | Grade | Target | "
	    "Acceptable | Critical |\n|---|---|--:|---|--:|--:|--:|\n");
	for (enum suite_core core = 1; core < SUITE_CORES; core++) {
		const struct suite_core_row *c = &suite_core[core];
		jnode element, t = core_of(d, core, &element);

		if (c->target == 0)
			continue;
		buf_add_fmt(out, "| %s | %.*s | ", c->label, FMT(doc_id(element)));
		if (t != NULL) {
			doc_add_number(out, json_number(json_get(t, S("core_value"))));
			buf_add_fmt(out, " %s | %.*s", c->unit, FMT(doc_str(t, "grade")));
		} else {
			buf_lit(out, " | not measured");
		}
		buf_add_fmt(out, " | %g %s | %g %s | %g %s |\n", c->target, c->unit,
		    c->acceptable, c->unit, c->critical, c->unit);
	}
}

static void
add_row(const struct doc *d, const char *label, enum suite_core core, struct buf *out)
{
	jnode element, t = core_of(d, core, &element), x;
	double per;

	buf_add_fmt(out, "| %s | ", label);
	if (t == NULL) {
		buf_lit(out, "- | not measured | - |\n");
		return;
	}
	x = change_of(element, doc_str(t, "key"));
	per = json_number(json_get(t, S("value")));
	per = per != 0 ? json_number(json_get(t, S("core_value"))) / per : 1;
	if (x != NULL) {
		doc_add_number(out, json_number(json_get(x, S("baseline"))) * per);
		buf_add_fmt(out, " %s", suite_core[core].unit);
	} else {
		buf_lit(out, "-");
	}
	buf_lit(out, " | ");
	doc_add_number(out, json_number(json_get(t, S("core_value"))));
	buf_add_fmt(out, " %s | ", suite_core[core].unit);
	if (x != NULL)
		buf_add_fmt(out, "%+.1f%% |\n", json_number(json_get(x, S("change_percent"))));
	else
		buf_lit(out, "- |\n");
}

static void
add_list(const struct doc *d, struct buf *out)
{
	buf_lit(out, "\n## Workloads\n| | workload | state | figures |\n|---|---|---|---|\n");
	for (unsigned page = 1; page <= SUITE_PAGE; page++) {
		jnode x = element_of(d, page);
		const struct workload *w;
		const char *comma = "";
		char id[8];

		snprintf(id, sizeof id, "B%u", page);
		w = suite_find(str_of(id));
		buf_add_fmt(out, "| %s | ", id);
		if (other_of(page) != NULL) {
			buf_add_fmt(out, "%s | | |\n", other_of(page));
			continue;
		}
		buf_add_fmt(out, "%s | %.*s | ", w != NULL ? w->title : "",
		    FMT(x == NULL ? S("not measured") : doc_measured(x) ?
		    doc_passed(x) ? S("measured") : S("missed") : doc_str(x, "state")));
		for (struct json_iter it = json_each(json_get(x, S("targets"))); json_next(&it);) {
			buf_add_fmt(out, "%s%.*s ", comma, FMT(doc_str(it.value, "key")));
			doc_add_value(x, it.value, out);
			comma = ", ";
		}
		buf_lit(out, " |\n");
	}
}

void
caxton_add_report(const struct doc *d, struct buf *out)
{
	jnode machine = doc_about(d, 0, "machine");

	buf_add_fmt(out, "# Performance Benchmark Report\nDate: %.*s\nCommit: %.*s\n"
	    "Environment: %.*s, %lld cores, %lld MB, %.*s, Linux %.*s\n",
	    FMT(str_sub(json_str(doc_about(d, 0, "date")), 0, 10)),
	    FMT(json_str(doc_about(d, 0, "commit"))), FMT(doc_str(machine, "cpu")),
	    (long long)json_int(json_get(machine, S("cores"))),
	    (long long)json_int(json_get(machine, S("memory_mb"))),
	    FMT(doc_str(machine, "os")), FMT(doc_str(machine, "kernel")));
	add_summary(d, out);
	add_core(d, out);
	buf_lit(out, "\n## Detailed Results\n\n### Throughput\n"
	    "| Metric | Baseline | Current | Change |\n|---|--:|--:|--:|\n");
	add_row(d, "Messages/sec", CORE_THROUGHPUT, out);
	add_row(d, "Tasks/sec", CORE_TASKS, out);
	buf_lit(out, "\n### Latency\n| Percentile | Baseline | Current | Change |\n"
	    "|---|--:|--:|--:|\n");
	add_row(d, "p50", CORE_P50, out);
	add_row(d, "p99", CORE_P99, out);
	buf_lit(out, "\n### Resource Usage\n| Resource | Baseline | Current | Change |\n"
	    "|---|--:|--:|--:|\n");
	add_row(d, "Memory/agent", CORE_MEMORY, out);
	add_row(d, "CPU/agent", CORE_CPU, out);
	add_list(d, out);
}
