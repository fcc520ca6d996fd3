/*
 * doc_page.c - results as a page: tables, latency histograms, curves, histories of
 * memory.  Nothing is loaded from elsewhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/doc_priv.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "bench/plot.h"

#define POINTS 4096

/* [[x, y], ...]; the number of points. */
static size_t
points(jnode list, double *x, double *y)
{
	size_t n = 0;

	for (struct json_iter it = json_each(list); json_next(&it) && n < POINTS; n++) {
		x[n] = json_number(json_at(it.value, 0));
		y[n] = json_number(json_at(it.value, 1));
	}
	return n;
}

static void
add_points(struct plot *p, jnode list, struct buf *out)
{
	double *xy = mem_zero(2 * POINTS * sizeof *xy);

	p->curve[0].x = xy;
	p->curve[0].y = xy + POINTS;
	p->curve[0].n = points(list, xy, xy + POINTS);
	p->curves_n = 1;
	plot_add(p, out);
	free(xy);
}

static void
add_histograms(jnode x, struct buf *out)
{
	for (struct json_iter it = json_each(json_get(x, S("metrics"))); json_next(&it);) {
		struct str name = doc_str(it.value, "operation");
		char title[160];
		struct plot p = { .title = title, .x_name = "ms", .y_name = "samples",
			.log_x = true, .curve = { { .bars = true } } };

		if (name.n == 0)
			name = doc_str(it.value, "name");
		snprintf(title, sizeof title, "%.*s %.*s: p50 %.4g, p99 %.4g ms", FMT(doc_id(x)),
		    FMT(str_cut(name, 60)), json_number(json_get(it.value, S("p50"))),
		    json_number(json_get(it.value, S("p99"))));
		add_points(&p, json_get(it.value, S("buckets")), out);
	}
}

static void
add_series(jnode x, struct buf *out)
{
	for (struct json_iter it = json_each(json_get(x, S("series"))); json_next(&it);) {
		char title[160], xs[40], ys[40];
		bool lg = json_bool(json_get(it.value, S("log")));
		struct plot p = { .title = title, .x_name = xs, .y_name = ys, .log_x = lg,
			.log_y = lg };

		snprintf(title, sizeof title, "%.*s: %.*s", FMT(doc_id(x)),
		    FMT(str_cut(doc_str(it.value, "name"), 100)));
		snprintf(xs, sizeof xs, "%.*s", FMT(str_cut(doc_str(it.value, "x"), 39)));
		snprintf(ys, sizeof ys, "%.*s", FMT(str_cut(doc_str(it.value, "y"), 39)));
		add_points(&p, json_get(it.value, S("points")), out);
	}
}

/* The runs of the first metric, to see drift and outliers. */
static void
add_runs(jnode x, struct buf *out)
{
	struct str key = doc_str(json_at(json_get(x, S("targets")), 0), "key");
	jnode list = json_get(json_get(json_get(x, S("spread")), key), S("runs"));
	double at[POINTS], v[POINTS];
	char title[160];
	struct plot p = { .title = title, .x_name = "run", .y_name = "",
		.curve = { { .x = at, .y = v } }, .curves_n = 1 };
	size_t n = 0;

	for (struct json_iter it = json_each(list); json_next(&it) && n < POINTS; n++) {
		at[n] = (double)n + 1;
		v[n] = json_number(it.value);
	}
	if (n < 2)
		return;
	p.curve[0].n = n;
	snprintf(title, sizeof title, "%.*s: %.*s of each run", FMT(doc_id(x)), FMT(key));
	plot_add(&p, out);
}

/* ---- tables ---------------------------------------------------------------------- */

static void
add_target_rows(jnode x, struct buf *out)
{
	struct buf cell = BUF(4 * KB);

	if (json_count(json_get(x, S("targets"))) == 0) {
		doc_why(x, &cell);
		page_add_between(out, "<tr><td>", doc_id(x), "</td><td>");
		page_add_between(out, "", doc_str(x, "title"), "</td><td colspan=\"4\">");
		page_add_between(out, "", doc_measured(x) ? S("measured") : doc_str(x, "state"), " ");
		if (!str_eq(doc_str(x, "state"), S("not measured")))
			page_add_text(out, buf_str(&cell));
		buf_lit(out, "</td></tr>\n");
	}
	for (struct json_iter it = json_each(json_get(x, S("targets"))); json_next(&it);) {
		jnode met = json_get(it.value, S("met"));

		page_add_between(out, "<tr><td>", doc_id(x), "</td><td>");
		page_add_between(out, "", doc_str(x, "title"), "</td><td>");
		page_add_between(out, "", doc_str(it.value, "key"), "</td><td>");
		buf_clear(&cell);
		doc_add_value(x, it.value, &cell);
		page_add_text(out, buf_str(&cell));
		buf_add_fmt(out, "</td><td class=\"%s\">", met == NULL ? "" :
		    json_bool(met) ? "good" : "bad");
		buf_clear(&cell);
		doc_add_goal(it.value, &cell);
		page_add_text(out, buf_str(&cell));
		page_add_between(out, "</td><td>", doc_str(it.value, "grade"), "</td></tr>\n");
	}
	buf_release(&cell);
}

static void
add_change_row(jnode x, struct buf *out)
{
	struct str verdict = doc_str(x, "verdict");

	page_add_between(out, "<tr><td>", doc_str(x, "metric"), "</td><td>");
	doc_add_number(out, json_number(json_get(x, S("baseline"))));
	buf_lit(out, "</td><td>");
	doc_add_number(out, json_number(json_get(x, S("current"))));
	buf_add_fmt(out, "</td><td>%+.1f %%</td><td>%+.1f to %+.1f %%</td><td>%lld</td>"
	    "<td class=\"%s\">", json_number(json_get(x, S("change_percent"))),
	    json_number(json_get(x, S("low_percent"))),
	    json_number(json_get(x, S("high_percent"))),
	    (long long)json_int(json_get(x, S("pairs"))), str_eq(verdict, S("worse")) ? "bad" :
	    str_eq(verdict, S("better")) ? "good" : "dim");
	page_add_between(out, "", verdict, "</td></tr>\n");
}

static void
add_changes(const struct doc *d, struct buf *out)
{
	bool head = false;

	for (size_t i = 0; i < d->n; i++)
		for (struct json_iter it = json_each(json_get(d->element[i], S("changes")));
		    json_next(&it);) {
			if (!head)
				buf_lit(out, "<h2>Changes</h2><table><tr><th>metric</th>"
				    "<th>baseline</th><th>current</th><th>change</th>"
				    "<th>interval</th><th>pairs</th><th></th></tr>\n");
			head = true;
			add_change_row(it.value, out);
		}
	if (head)
		buf_lit(out, "</table>\n");
}

static void
add_checks(jnode x, struct buf *out)
{
	buf_lit(out, "<ul>\n");
	for (struct json_iter it = json_each(json_get(x, S("checks"))); json_next(&it);) {
		bool ok = json_bool(json_get(it.value, S("passed")));

		buf_add_fmt(out, "<li class=\"%s\">%s", ok ? "" : "bad", ok ? "met: " : "missed: ");
		page_add_between(out, "", doc_str(it.value, "check"), "</li>\n");
	}
	buf_lit(out, "</ul>\n");
}

static void
add_workload(jnode x, struct buf *out)
{
	page_add_between(out, "<h2>", doc_id(x), " ");
	page_add_between(out, "", doc_str(x, "title"), "</h2>\n<p><code>");
	page_add_between(out, "", doc_str(x, "command"), "</code></p><p>Measures: ");
	page_add_between(out, "", doc_str(x, "measures"), " Does not measure: ");
	page_add_between(out, "", doc_str(x, "does_not_measure"), "</p>\n");
	add_histograms(x, out);
	add_series(x, out);
	add_runs(x, out);
	add_checks(x, out);
}

void
doc_add_page(const struct doc *d, struct buf *out)
{
	struct str name = d->n > 0 ? doc_str(d->suite[0], "suite") : STR_NONE;
	struct buf text = BUF(64 * KB);
	char title[120];

	if (name.n == 0 && d->n > 0)
		name = doc_str(d->element[0], "workload");
	snprintf(title, sizeof title, "cohort bench %.*s", FMT(str_cut(name, 80)));
	page_add_head(out, title);
	if (d->n > 0) {
		doc_add_origin(d, &text);
		page_add_between(out, "<pre>", buf_str(&text), "</pre>\n");
	}
	buf_lit(out, "<table><tr><th>id</th><th>workload</th><th>metric</th><th>value</th>"
	    "<th>ours</th><th>page</th></tr>\n");
	for (size_t i = 0; i < d->n; i++)
		add_target_rows(d->element[i], out);
	buf_lit(out, "</table>\n");
	add_changes(d, out);
	for (size_t i = 0; i < d->n; i++)
		if (doc_measured(d->element[i]))
			add_workload(d->element[i], out);
	buf_lit(out, "</html>\n");
	buf_release(&text);
}
