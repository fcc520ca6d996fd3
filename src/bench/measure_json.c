/*
 * measure_json.c - the document of a campaign; see measure.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/commit.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "bench/report.h"

/* Members of a run's document that an element replaces. */
static const char *const replaced[] = { "result", "values", "passed", "checks", "command" };

/* The run in the middle by the row's first metric, else by time. */
static const struct run *
middle(const struct bout *b)
{
	const struct run *all = b->run[0];
	const char *key = b->row != NULL ? b->row->metric[0].key : NULL;

	for (size_t i = 0; i < b->runs_n; i++) {
		size_t below = 0;

		for (size_t k = 0; k < b->runs_n; k++) {
			double a = (double)all[k].took, v = (double)all[i].took;

			if (key != NULL) {
				a = json_number(json_get(all[k].result, str_of(key)));
				v = json_number(json_get(all[i].result, str_of(key)));
			}
			below += a < v || (!(a > v) && k < i);
		}
		if (below == b->runs_n / 2)
			return &all[i];
	}
	return b->runs_n > 0 ? &all[0] : NULL;
}

/* A whole number without ".0"; others without the noise of a mean of two. */
static void
add_double(struct buf *out, double v)
{
	if (v == floor(v) && fabs(v) < 1e15)
		buf_add_i64(out, (int64_t)v);
	else
		buf_add_fmt(out, "%.9g", v);
}

/* A member's numbers over all runs. */
static size_t
numbers(const struct bout *b, const char *object, struct str key, double *out)
{
	size_t n = 0;

	for (size_t i = 0; i < b->runs_n; i++) {
		jnode v = json_get(json_get(b->run[0][i].doc.root, str_of(object)), key);

		if (json_is_number(v))
			out[n++] = json_number(v);
	}
	return n;
}

/* The object with medians in place of its numbers. */
static void
add_medians(const struct bout *b, const struct run *mid, const char *object, struct buf *out)
{
	double v[MEASURE_REPEAT * MEASURE_MORE];
	struct json_iter it = json_each(json_get(mid->doc.root, str_of(object)));

	json_add_fmt(out, ",%s:{", object);
	while (json_next(&it)) {
		size_t n = numbers(b, object, json_str(it.key), v);

		if (n < 2 || !json_is_number(it.value)) {
			json_add_fmt(out, ",%.*s:%p", FMT(json_str(it.key)), (void *)it.value);
			continue;
		}
		json_add_fmt(out, ",%.*s:", FMT(json_str(it.key)));
		add_double(out, stats_median(v, n));
	}
	buf_add_char(out, '}');
}

static void
add_spread(const struct bout *b, const struct run *mid, struct buf *out)
{
	double v[MEASURE_REPEAT * MEASURE_MORE];
	struct json_iter it = json_each(mid->result);

	json_add_fmt(out, ",'spread':{");
	while (b->runs_n > 1 && json_next(&it)) {
		size_t n = numbers(b, "result", json_str(it.key), v);

		if (n < 2)
			continue;
		json_add_fmt(out, ",%.*s:{'runs':[", FMT(json_str(it.key)));
		for (size_t i = 0; i < n; i++) {
			json_add_comma(out);
			add_double(out, v[i]);
		}
		json_add_fmt(out, "],'low':");
		add_double(out, stats_quantile(v, n, 0));
		json_add_fmt(out, ",'high':");
		add_double(out, stats_quantile(v, n, 1));
		buf_add_char(out, '}');
	}
	buf_add_char(out, '}');
}

static void
add_number(struct buf *out, const char *key, double v)
{
	json_add_fmt(out, ",%s:", key);
	add_double(out, v);
}

static void
add_targets(const struct bout *b, struct buf *out)
{
	json_add_fmt(out, ",'targets':[");
	for (size_t i = 0; b->row != NULL && i < SUITE_METRICS && b->row->metric[i].key != NULL;
	    i++) {
		static const char *const ways[] = { "counted", "up", "down" };
		const struct suite_metric *m = &b->row->metric[i];
		double v = bout_value(b, 0, m->key);
		double in_core = suite_core_value(m, v);

		if (isnan(v))
			continue;
		json_add_fmt(out, ",{'key':%s,'unit':%s,'better':%s", m->key, m->unit,
		    ways[m->better]);
		add_number(out, "value", v);
		if (bout_few_samples(b, m->key))
			json_add_fmt(out, ",'few_samples':true");
		if (m->ours != 0) {
			add_number(out, "ours", m->ours);
			json_add_fmt(out, ",'met':%hhd", suite_met(m, v));
		}
		if (m->core != CORE_NONE) {
			json_add_fmt(out, ",'core':%s,'grade':%s,'core_unit':%s",
			    suite_core[m->core].label,
			    suite_grades[suite_grade(m->core, in_core)],
			    suite_core[m->core].unit);
			add_number(out, "core_value", in_core);
		}
		buf_add_char(out, '}');
	}
	buf_add_char(out, ']');
}

static void
add_changes(const struct bout *b, struct buf *out)
{
	json_add_fmt(out, ",'changes':[");
	for (size_t i = 0; i < b->changes_n; i++) {
		const struct change *x = &b->change[i];
		char name[128];

		snprintf(name, sizeof name, "%s.%s", b->id, x->metric->key);
		json_add_fmt(out, ",{'metric':%s", name);
		add_number(out, "baseline", x->baseline);
		add_number(out, "current", x->current);
		json_add_fmt(out, ",'change_percent':%.2f,'low_percent':%.2f,"
		    "'high_percent':%.2f,'pairs':%zu,'unit':%s,'verdict':%s}",
		    (x->ratio.median - 1) * 100, (x->ratio.low - 1) * 100,
		    (x->ratio.high - 1) * 100, x->ratio.n, x->metric->unit,
		    judge_verdicts[x->verdict]);
	}
	buf_add_char(out, ']');
}

static bool
is_replaced(struct str key)
{
	for (size_t i = 0; i < COUNT(replaced); i++)
		if (str_eq(key, str_of(replaced[i])))
			return true;
	return false;
}

/* Of the first run that has missed something, else of the one in the middle. */
static jnode
checks_of(const struct bout *b, const struct run *mid)
{
	for (size_t i = 0; i < b->runs_n; i++)
		if (!b->run[0][i].passed)
			return json_get(b->run[0][i].doc.root, S("checks"));
	return json_get(mid->doc.root, S("checks"));
}

static void
add_run(const struct bout *b, const struct run *mid, struct buf *out)
{
	struct json_iter it = json_each(mid->doc.root);
	struct buf command = BUF(64 * KB);

	while (json_next(&it))
		if (!is_replaced(json_str(it.key)))
			json_add_fmt(out, ",%.*s:%p", FMT(json_str(it.key)), (void *)it.value);
	buf_lit(&command, "cohort ");
	report_add_command(&command, INT_MAX, b->args[0]);
	json_add_fmt(out, ",'command':%.*s", FMT(buf_str(&command)));
	buf_release(&command);
	if (json_get(mid->doc.root, S("values")) != NULL)
		add_medians(b, mid, "values", out);
	add_medians(b, mid, "result", out);
	add_spread(b, mid, out);
	if (checks_of(b, mid) != NULL)
		json_add_fmt(out, ",'checks':%p", (void *)checks_of(b, mid));
}

void
bout_add_json(const struct campaign *c, const struct bout *b, struct buf *out)
{
	const struct run *mid = b->state == BOUT_MEASURED ? middle(b) : NULL;
	bool passed = b->state == BOUT_MEASURED;

	for (size_t i = 0; i < b->runs_n; i++)
		passed = passed && b->run[0][i].passed;
	json_add_fmt(out, ",{'id':%s,'state':%s,'repeat':%zu", b->id, bout_states[b->state],
	    b->runs_n);
	if (b->row != NULL && strcmp(b->id, b->row->id) == 0)
		json_add_fmt(out, ",'title':%s,'group':%s", b->row->title,
		    suite_groups[b->row->group]);
	if (b->why[0] != '\0')
		json_add_fmt(out, ",'why':%s", b->why);
	if (mid != NULL)
		add_run(b, mid, out);
	else
		json_add_fmt(out, ",'schema':%d", REPORT_SCHEMA);
	if (mid != NULL)
		add_targets(b, out);
	if (c->sides_n == 2)
		add_changes(b, out);
	json_add_fmt(out, ",'passed':%hhd}", passed);
}

static void
add_side(const struct side *s, struct buf *out)
{
	json_add_fmt(out, "{'name':%s,'version':%s,'commit':%s}", s->name, s->version, s->commit);
}

void
campaign_add_json(const struct campaign *c, struct buf *out)
{
	struct buf date = BUF(64), command = BUF(64 * KB);

	clock_add_iso(&date, c->started);
	report_add_command(&command, c->argc, (const char *const *)c->argv);
	json_add_fmt(out, "{'schema':%d,'suite':%s,'command':%.*s", REPORT_SCHEMA, c->name,
	    FMT(buf_str(&command)));
	buf_release(&command);
	json_add_fmt(out, ",'version':%s,'commit':%s,'date':%.*s,'seconds':%.1f,'machine':",
	    COHORT_VERSION, COHORT_COMMIT, FMT(buf_str(&date)),
	    (double)(c->ended - c->began) / (double)NS_PER_S);
	machine_add_json(out);
	if (c->sides_n == 2) {
		json_add_fmt(out, ",'baseline':");
		add_side(&c->side[1], out);
		json_add_fmt(out, ",'threshold':%.4f", c->threshold);
	}
	json_add_fmt(out, ",'results':[");
	for (size_t i = 0; i < c->bouts_n; i++)
		bout_add_json(c, &c->bout[i], out);
	json_add_fmt(out, "],'passed':%hhd}\n", c->passed);
	buf_release(&date);
}
