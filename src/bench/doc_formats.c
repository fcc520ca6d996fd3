/*
 * doc_formats.c - results for programs: JSON, JUnit XML, Prometheus' text format.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/doc_priv.h"
#include "bench/plot.h"
#include "bench/report.h"

/* One file as it was; of several a suite of all their elements. */
void
doc_add_json(const struct doc *d, struct buf *out)
{
	if (d->files_n == 1) {
		json_add_node(out, d->json[0].root);
		buf_add_char(out, '\n');
		return;
	}
	json_add_fmt(out, "{'schema':%d,'suite':'report','results':[", REPORT_SCHEMA);
	for (size_t i = 0; i < d->n; i++)
		json_add_fmt(out, ",%p", (void *)d->element[i]);
	buf_lit(out, "]}\n");
}

void
doc_add_changes(const struct doc *d, struct buf *out)
{
	buf_add_char(out, '[');
	for (size_t i = 0; i < d->n; i++)
		for (struct json_iter it = json_each(json_get(d->element[i], S("changes")));
		    json_next(&it);)
			json_add_fmt(out, ",%p", (void *)it.value);
	buf_lit(out, "]\n");
}

/* ---- JUnit ----------------------------------------------------------------------- */

static void
add_case(jnode x, struct buf *out)
{
	struct buf why = BUF(4 * KB);
	struct str group = doc_str(x, "group");
	jnode wall = json_get(json_get(x, S("result")), S("wall_ms"));

	buf_lit(out, "  <testcase classname=\"bench.");
	page_add_text(out, group.n > 0 ? group : S("workload"));
	buf_lit(out, "\" name=\"");
	page_add_text(out, doc_id(x));
	if (doc_str(x, "title").n > 0) {
		buf_add_char(out, ' ');
		page_add_text(out, doc_str(x, "title"));
	}
	buf_add_fmt(out, "\" time=\"%.3f\">", json_number(wall) / 1000);
	if (str_eq(doc_str(x, "state"), S("not measured"))) {
		buf_lit(out, "<skipped message=\"not measured\"/>");
	} else if (!doc_passed(x)) {
		doc_why(x, &why);
		buf_add_fmt(out, "<failure message=\"");
		page_add_text(out, buf_str(&why));
		buf_lit(out, "\"/>");
	}
	buf_lit(out, "</testcase>\n");
	buf_release(&why);
}

void
doc_add_junit(const struct doc *d, struct buf *out)
{
	struct doc_count n = doc_count(d);

	buf_add_fmt(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
	    "<testsuite name=\"cohort bench\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" "
	    "skipped=\"%zu\">\n", d->n, n.missed, n.not_measured);
	for (size_t i = 0; i < d->n; i++)
		add_case(d->element[i], out);
	buf_lit(out, "</testsuite>\n</testsuites>\n");
}

/* ---- Prometheus ------------------------------------------------------------------ */

static void
add_label(struct buf *out, const char *name, struct str value)
{
	buf_add_fmt(out, "%s%s=\"", out->n > 0 && out->p[out->n - 1] != '{' ? "," : "", name);
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\\' || value.p[i] == '"')
			buf_add_char(out, '\\');
		if (value.p[i] == '\n')
			buf_lit(out, "\\n");
		else
			buf_add_char(out, value.p[i]);
	}
	buf_add_char(out, '"');
}

static void
add_labels(const struct doc *d, size_t i, struct buf *out)
{
	add_label(out, "workload", doc_id(d->element[i]));
	add_label(out, "commit", json_str(doc_about(d, i, "commit")));
	add_label(out, "version", json_str(doc_about(d, i, "version")));
}

void
doc_add_prometheus(const struct doc *d, struct buf *out)
{
	buf_lit(out, "# HELP cohort_bench_value A figure of a benchmark, in the unit that its "
	    "metric's name ends with.\n# TYPE cohort_bench_value gauge\n");
	for (size_t i = 0; i < d->n; i++)
		for (struct json_iter it = json_each(json_get(d->element[i], S("result")));
		    json_next(&it);) {
			if (!json_is_number(it.value))
				continue;
			buf_lit(out, "cohort_bench_value{");
			add_labels(d, i, out);
			add_label(out, "metric", json_str(it.key));
			buf_lit(out, "} ");
			json_add_double(out, json_number(it.value));
			buf_add_char(out, '\n');
		}
	buf_lit(out, "# HELP cohort_bench_passed 1: every target of the workload is met.\n"
	    "# TYPE cohort_bench_passed gauge\n");
	for (size_t i = 0; i < d->n; i++) {
		if (str_eq(doc_str(d->element[i], "state"), S("not measured")))
			continue;
		buf_lit(out, "cohort_bench_passed{");
		add_labels(d, i, out);
		buf_add_fmt(out, "} %d\n", doc_passed(d->element[i]));
	}
}
