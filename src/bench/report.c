/*
 * report.c - see report.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/report.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "bench/commit.h"
#include "bench/machine.h"

#define REPORT_BYTES (16 * MB)
#define MERGED_SLOTS 4                       /* of a histogram, in one bucket of the JSON */

static const struct { const char *name; double percentile; } columns[] = {
	{ "p50", 50 }, { "p90", 90 }, { "p95", 95 }, { "p99", 99 }, { "p99_9", 99.9 },
};

void
report_metric(struct report *r, const char *name, const char *operation,
    const struct hist *times, uint64_t errors)
{
	assert(r->metrics_n < REPORT_METRICS);
	r->metric[r->metrics_n++] = (struct report_metric){ name, operation, times, errors };
}

void
report_value(struct report *r, double value, int digits, const char *key)
{
	struct report_value *v = &r->value[r->values_n++];

	assert(r->values_n <= REPORT_VALUES && strlen(key) < sizeof v->key);
	snprintf(v->key, sizeof v->key, "%s", key);
	v->value = value;
	v->digits = digits;
}

void
report_check(struct report *r, bool passed, const char *format, ...)
{
	struct report_check *c = &r->check[r->checks_n++];
	va_list ap;

	assert(r->checks_n <= REPORT_CHECKS);
	c->passed = passed;
	va_start(ap, format);
	vsnprintf(c->text, sizeof c->text, format, ap);
	va_end(ap);
}

void
report_series(struct report *r, const struct report_series *s)
{
	assert(r->series_n < REPORT_SERIES);
	r->series[r->series_n++] = *s;
}

bool
report_passed(const struct report *r)
{
	for (size_t i = 0; i < r->checks_n; i++)
		if (!r->check[i].passed)
			return false;
	return true;
}

static double
ms_of(uint64_t ns)
{
	return (double)ns / (double)NS_PER_MS;
}

double
report_ms(const struct hist *h, double percentile)
{
	return ms_of(hist_percentile(h, percentile));
}

static const char *
label_of(const struct report_metric *m)
{
	return m->operation != NULL ? m->operation : m->name;
}

static double
mean_ms(const struct hist *h)
{
	return h->count == 0 ? 0 : hist_mean(h) / (double)NS_PER_MS;
}

/* A p99 of fewer than a thousand samples is marked. */
static const char *
p99_mark(const struct hist *h)
{
	return h->count < 1000 ? "~" : "";
}

/* What the server says of itself, of which times depend: its store, and where it checks
 * credentials.  Another program's server may say neither. */
static void
add_server(const struct report *r, struct buf *out, bool json)
{
	static const char *const keys[] = { "store", "auth_tier" };
	struct json_doc d = { 0 };
	jnode about = NULL;

	if (r->server_info.n > 0 && json_parse(&d, r->server_info, NULL) == OK)
		about = json_get(d.root, S("metadata"));
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct str said = json_str(json_get(about, str_of(keys[i])));

		if (said.n > 0 && json)
			json_add_fmt(out, ",%s:%.*s", keys[i], FMT(said));
		else if (said.n > 0)
			buf_add_fmt(out, "%-28s %.*s\n", keys[i], FMT(said));
	}
	json_release(&d);
}

void
report_add_table(const struct report *r, struct buf *out)
{
	buf_add_fmt(out, "%-24s %8s %7s %9s %9s %9s %9s %9s %9s\n", r->workload, "count",
	    "errors", "min", "avg", "p50", "p95", "p99", "max");
	for (size_t i = 0; i < r->metrics_n; i++) {
		const struct report_metric *m = &r->metric[i];
		const struct hist *h = m->times;

		buf_add_fmt(out, "%-24s %8llu %7llu %9.3f %9.3f %9.3f %9.3f %8.3f%1s %9.3f\n",
		    label_of(m), (unsigned long long)h->count,
		    (unsigned long long)m->errors, ms_of(h->min), mean_ms(h),
		    report_ms(h, 50), report_ms(h, 95), report_ms(h, 99), p99_mark(h),
		    ms_of(h->max));
	}
	buf_lit(out, "(milliseconds; ~: fewer than 1,000 samples)\n\n");
	for (size_t i = 0; i < r->values_n; i++)
		buf_add_fmt(out, "%-28s %.*f\n", r->value[i].key, r->value[i].digits,
		    r->value[i].value);
	add_server(r, out, false);
	for (size_t i = 0; i < r->checks_n; i++)
		buf_add_fmt(out, "%s  %s\n", r->check[i].passed ? "ok  " : "FAIL",
		    r->check[i].text);
	if (r->error_sample != NULL)
		buf_add_fmt(out, "first error: %s\n", r->error_sample);
}

/* Flags whose values are secrets. */
static const char *const secrets[] = { "--token", "--peer-token" };

void
report_add_command(struct buf *out, int argc, const char *const *argv)
{
	bool secret = false;

	for (int i = 0; i < argc && argv[i] != NULL; i++) {
		struct str arg = str_of(argv[i]), name = arg;
		ptrdiff_t end = str_index(arg, '=');
		bool named = false;

		if (end >= 0)
			name = str_sub(arg, 0, (size_t)end);
		for (size_t k = 0; k < COUNT(secrets); k++)
			named = named || str_eq(name, str_of(secrets[k]));
		buf_add(out, i > 0 ? S(" ") : STR_NONE);
		if (secret)
			buf_lit(out, "***");
		else if (named && end >= 0)
			buf_add_fmt(out, "%.*s=***", FMT(name));
		else
			buf_add(out, arg);
		secret = named && end < 0;
	}
}

static void
add_command(const struct report *r, struct buf *out)
{
	report_add_command(out, r->argc, (const char *const *)r->argv);
}

/* [[milliseconds, count], ...]: what the page draws. */
static void
add_buckets_json(const struct hist *h, struct buf *out)
{
	buf_lit(out, ",\"buckets\":[");
	for (unsigned i = 0; i < HIST_SLOTS; i += MERGED_SLOTS) {
		uint64_t n = 0;

		for (unsigned k = 0; k < MERGED_SLOTS; k++)
			n += h->slot[i + k];
		if (n > 0)
			json_add_fmt(out, ",[%.6f,%llu]",
			    ms_of(hist_slot_value(i + MERGED_SLOTS / 2)), (unsigned long long)n);
	}
	buf_add_char(out, ']');
}

static void
add_metric_json(const struct report_metric *m, struct buf *out)
{
	const struct hist *h = m->times;

	json_add_fmt(out, ",{'name':%s", m->name);
	if (m->operation != NULL)
		json_add_fmt(out, ",'operation':%s", m->operation);
	json_add_fmt(out, ",'unit':'ms','count':%llu,'errors':%llu,'min':%.4f,'avg':%.4f",
	    (unsigned long long)h->count, (unsigned long long)m->errors, ms_of(h->min),
	    mean_ms(h));
	for (size_t i = 0; i < COUNT(columns); i++)
		json_add_fmt(out, ",%s:%.4f", columns[i].name,
		    report_ms(h, columns[i].percentile));
	json_add_fmt(out, ",'max':%.4f", ms_of(h->max));
	add_buckets_json(h, out);
	buf_add_char(out, '}');
}

static void
add_series_json(const struct report_series *s, struct buf *out)
{
	json_add_fmt(out, ",{'name':%s,'x':%s,'y':%s,'log':%hhd,'points':[", s->name, s->x_name,
	    s->y_name, s->log);
	for (size_t i = 0; i < s->n; i++) {
		json_add_comma(out);
		buf_add_fmt(out, "[%.6g,%.6g]", s->x[i], s->y[i]);
	}
	buf_lit(out, "]}");
}

static void
add_values_json(const struct report *r, struct buf *out)
{
	for (size_t i = 0; i < r->values_n; i++)
		json_add_fmt(out, ",%s:%.*f", r->value[i].key, r->value[i].digits,
		    r->value[i].value);
}

static void
add_list_json(const struct report *r, struct buf *out)
{
	json_add_fmt(out, ",'metrics':[");
	for (size_t i = 0; i < r->metrics_n; i++)
		add_metric_json(&r->metric[i], out);
	json_add_fmt(out, "],'values':{");
	add_values_json(r, out);
	json_add_fmt(out, "},'checks':[");
	for (size_t i = 0; i < r->checks_n; i++)
		json_add_fmt(out, ",{'passed':%hhd,'check':%s}", r->check[i].passed,
		    r->check[i].text);
	json_add_fmt(out, "],'series':[");
	for (size_t i = 0; i < r->series_n; i++)
		add_series_json(&r->series[i], out);
	buf_add_char(out, ']');
}

/* The object of the RESULT line: what the suite reads. */
static void
add_result_json(const struct report *r, struct buf *out)
{
	struct buf line = BUF(REPORT_BYTES);
	struct str s;

	report_add_result(r, &line);
	s = str_trim(buf_str(&line));
	json_add_fmt(out, ",'result':%-.*s", FMT(str_sub(s, sizeof "RESULT " - 1, s.n)));
	buf_release(&line);
}

void
report_add_json(const struct report *r, struct buf *out)
{
	struct buf command = BUF(64 * KB), date = BUF(64);

	add_command(r, &command);
	clock_add_iso(&date, r->started);
	json_add_fmt(out, "{'schema':%d,'workload':%s,'measures':%s,'does_not_measure':%s,"
	    "'loop':%s,'command':%.*s,'version':%s,'commit':%s,'date':%.*s,'machine':",
	    REPORT_SCHEMA, r->workload, r->measures, r->not_measures, r->loop,
	    FMT(buf_str(&command)), COHORT_VERSION, COHORT_COMMIT, FMT(buf_str(&date)));
	machine_add_json(out);
	json_add_fmt(out, ",'server_info':%-.*s,'mock':%-.*s",
	    FMT(r->server_info.n > 0 ? r->server_info : S("null")),
	    FMT(r->mock_stats.n > 0 ? r->mock_stats : S("null")));
	add_list_json(r, out);
	add_result_json(r, out);
	if (r->error_sample != NULL)
		json_add_fmt(out, ",'error_sample':%s", r->error_sample);
	json_add_fmt(out, ",'passed':%hhd}\n", report_passed(r));
	buf_release(&command);
	buf_release(&date);
}

static void
add_metrics_markdown(const struct report *r, struct buf *out)
{
	buf_lit(out, "| operation | count | errors | min | avg | p50 | p90 | p95 | p99 "
	    "| p99.9 | max |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
	for (size_t i = 0; i < r->metrics_n; i++) {
		const struct report_metric *m = &r->metric[i];
		const struct hist *h = m->times;

		buf_add_fmt(out, "| %s | %llu | %llu | %.3f | %.3f |", label_of(m),
		    (unsigned long long)h->count, (unsigned long long)m->errors,
		    ms_of(h->min), mean_ms(h));
		for (size_t k = 0; k < COUNT(columns); k++)
			buf_add_fmt(out, " %.3f%s |", report_ms(h, columns[k].percentile),
			    columns[k].percentile >= 99 ? p99_mark(h) : "");
		buf_add_fmt(out, " %.3f |\n", ms_of(h->max));
	}
	buf_lit(out, "\nMilliseconds. ~: fewer than 1,000 samples.\n\n");
}

void
report_add_markdown(const struct report *r, struct buf *out)
{
	struct buf date = BUF(64);

	clock_add_iso(&date, r->started);
	buf_add_fmt(out, "# bench %s\n\nDate %.*s, version %s, commit %s.\n\n    ",
	    r->workload, FMT(buf_str(&date)), COHORT_VERSION, COHORT_COMMIT);
	add_command(r, out);
	buf_add_fmt(out, "\n\nMeasures: %s\n\nDoes not measure: %s\n\nMachine: `",
	    r->measures, r->not_measures);
	machine_add_json(out);
	buf_lit(out, "`\n\n");
	add_metrics_markdown(r, out);
	buf_lit(out, "| value | |\n|---|--:|\n");
	for (size_t i = 0; i < r->values_n; i++)
		buf_add_fmt(out, "| %s | %.*f |\n", r->value[i].key, r->value[i].digits,
		    r->value[i].value);
	buf_lit(out, "\n| check | |\n|---|---|\n");
	for (size_t i = 0; i < r->checks_n; i++)
		buf_add_fmt(out, "| %s | %s |\n", r->check[i].text,
		    r->check[i].passed ? "met" : "**missed**");
	if (r->error_sample != NULL)
		buf_add_fmt(out, "\nFirst error: `%s`\n", r->error_sample);
	buf_release(&date);
}

void
report_add_result(const struct report *r, struct buf *out)
{
	if (r->result.n > 0) {
		buf_add(out, r->result);
		return;
	}
	json_add_fmt(out, "RESULT {'workload':%s,'passed':%hhd", r->workload,
	    report_passed(r));
	add_server(r, out, true);
	add_values_json(r, out);
	for (size_t i = 0; i < r->metrics_n; i++) {
		const struct report_metric *m = &r->metric[i];

		json_add_fmt(out, ",'%-s_p50_ms':%.4f,'%-s_p99_ms':%.4f", label_of(m),
		    report_ms(m->times, 50), label_of(m), report_ms(m->times, 99));
	}
	buf_lit(out, "}\n");
}

void
report_make_folders(const char *path)
{
	char part[4096];

	for (const char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof part, "%.*s", (int)(p - path), path);
		mkdir(part, 0777);           /* opening the file reports errors */
	}
}

static int
report_write(const char *path, const struct buf *b, struct err *e)
{
	report_make_folders(path);
	return file_put(path, buf_str(b), e);
}

int
report_finish(const struct report *r, const char *json, const char *markdown,
    struct err *e)
{
	struct buf b = BUF(REPORT_BYTES);
	int rc = OK;

	if (json != NULL) {
		report_add_json(r, &b);
		rc = report_write(json, &b, e);
		buf_clear(&b);
	}
	if (rc == OK && markdown != NULL) {
		report_add_markdown(r, &b);
		rc = report_write(markdown, &b, e);
		buf_clear(&b);
	}
	report_add_table(r, &b);
	report_add_result(r, &b);
	fwrite(b.p, 1, b.n, stdout);
	fflush(stdout);
	buf_release(&b);
	if (rc != OK)
		return rc;
	return report_passed(r) ? 0 : 1;
}
