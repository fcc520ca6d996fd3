/*
 * watch_judge.c - see watch_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/watch_priv.h"

#include <math.h>
#include <stdio.h>

/* Requests whose time is a model's or a client's own: they are not judged. */
#define WAITING "/(stream|wait|join|mailbox|events)$"
static const char *const waiting[] = { "/stream", "/wait", "/join", "/mailbox", "/events" };

const char *const watch_alerts[] = { "high_latency", "high_error_rate" };

/* ---- reading --------------------------------------------------------------------- */

/* The value of a label; STR_NONE.  No value of ours has a quote in it. */
static struct str
label(struct str labels, const char *name)
{
	char mark[32];
	size_t n = (size_t)snprintf(mark, sizeof mark, "%s=\"", name);
	const char *at = labels.n > 0 ? memmem(labels.p, labels.n, mark, n) : NULL;
	struct str rest;
	ptrdiff_t end;

	if (at == NULL)
		return STR_NONE;
	rest = str_sub(labels, (size_t)(at - labels.p) + n, labels.n);
	end = str_index(rest, '"');
	return end < 0 ? STR_NONE : str_sub(rest, 0, (size_t)end);
}

static bool
is_waiting(struct str route)
{
	for (size_t i = 0; i < COUNT(waiting); i++)
		if (str_ends(route, str_of(waiting[i])))
			return true;
	return false;
}

static int
add_bucket(struct watch_reading *r, struct str le, uint64_t n, struct err *e)
{
	double bound = INFINITY;
	size_t i = 0;

	if (!str_eq(le, S("+Inf")) && !str_to_double(le, &bound))
		return err_set(e, ERR_INVALID, "/metrics: le=\"%.*s\" is no number", FMT(le));
	while (i < r->bounds_n && r->bound_s[i] != bound)
		i++;
	if (i == WATCH_BOUNDS)
		return err_set(e, ERR_LIMIT, "/metrics: more than %d buckets", WATCH_BOUNDS);
	if (i == r->bounds_n) {
		r->bound_s[r->bounds_n++] = bound;
		r->bucket[i] = 0;
	}
	r->bucket[i] += n;
	return OK;
}

static int
read_line(struct str line, struct watch_reading *r, struct err *e)
{
	ptrdiff_t open = str_index(line, '{'), close = -1;
	struct str name, labels;
	double v;

	for (size_t i = line.n; i-- > 0 && close < 0;)
		close = line.p[i] == '}' ? (ptrdiff_t)i : -1;
	if (open < 0 || close < open)
		return OK;
	name = str_sub(line, 0, (size_t)open);
	labels = str_sub(line, (size_t)open, (size_t)(close - open) + 1);
	if (!str_starts(name, S("cohort_http_request")))
		return OK;
	if (!str_to_double(str_trim(str_sub(line, (size_t)close + 1, line.n)), &v) || v < 0)
		return err_set(e, ERR_INVALID, "/metrics: \"%.*s\" has no value",
		    FMT(str_cut(line, 100)));
	if (str_eq(name, S("cohort_http_requests_total"))) {
		r->requests += (uint64_t)v;
		if (str_eq(label(labels, "class"), S("5xx")))
			r->errors += (uint64_t)v;
	}
	if (str_eq(name, S("cohort_http_request_seconds_bucket")) &&
	    !is_waiting(label(labels, "route")))
		return add_bucket(r, label(labels, "le"), (uint64_t)v, e);
	return OK;
}

int
watch_read(struct str text, struct watch_reading *out, struct err *e)
{
	struct str rest = text, line;
	int rc = OK;

	*out = (struct watch_reading){ 0 };
	while (rc == OK && str_next(&rest, '\n', &line))
		if (line.n > 0 && line.p[0] != '#')
			rc = read_line(line, out, e);
	if (rc == OK && !str_contains(text, S("cohort_http_requests_total")))
		rc = err_set(e, ERR_INVALID, "/metrics: no series cohort_http_requests_total");
	return rc;
}

/* ---- an interval ----------------------------------------------------------------- */

static uint64_t
since(uint64_t before, uint64_t now)
{
	return now >= before ? now - before : now;
}

static uint64_t
bucket_of(const struct watch_reading *r, double bound)
{
	for (size_t i = 0; i < r->bounds_n; i++)
		if (r->bound_s[i] == bound)
			return r->bucket[i];
	return 0;
}

double
watch_quantile(const struct watch_reading *d, double q)
{
	double all = d->bounds_n > 0 ? (double)d->bucket[d->bounds_n - 1] : 0, rank = q * all;
	double from = 0, below = 0;

	for (size_t i = 0; i < d->bounds_n && all > 0; i++) {
		double n = (double)d->bucket[i];

		if (n >= rank && isinf(d->bound_s[i]))
			return from;
		if (n >= rank)
			return from + (d->bound_s[i] - from) * (rank - below) / (n - below);
		from = d->bound_s[i];
		below = n;
	}
	return 0;
}

void
watch_judge(const struct watch_reading *before, const struct watch_reading *now,
    const struct hist *probes, uint64_t failed, struct watch_interval *out)
{
	struct watch_reading d = { 0 };
	uint64_t all;

	*out = (struct watch_interval){ .probes = probes->count + failed, .failed = failed };
	if (before != NULL && now != NULL) {
		bool anew = now->requests < before->requests;

		out->requests = since(before->requests, now->requests);
		out->errors = anew ? now->errors : since(before->errors, now->errors);
		d.bounds_n = now->bounds_n;
		for (size_t i = 0; i < now->bounds_n; i++) {
			d.bound_s[i] = now->bound_s[i];
			d.bucket[i] = anew ? now->bucket[i] :
			    since(bucket_of(before, now->bound_s[i]), now->bucket[i]);
		}
	}
	/* The server counts probes, too; when it was not asked, they are what there is. */
	all = (out->requests > probes->count ? out->requests : probes->count) + failed;
	out->error_rate = all > 0 ? (double)(out->errors + failed) / (double)all : 0;
	out->p99_s = fmax(watch_quantile(&d, 0.99),
	    (double)hist_percentile(probes, 99) / (double)NS_PER_S);
}

/* ---- alerts ---------------------------------------------------------------------- */

enum watch_tell
watch_step(struct watch_state *s, bool bad, int64_t patience)
{
	bool was = s->raised;

	s->bad = bad ? s->bad + 1 : 0;
	s->raised = bad && (was || s->bad >= patience);
	if (s->raised == was)
		return TELL_NOTHING;
	return was ? TELL_RECOVERED : TELL_ALERT;
}

int
watch_share(const char *text, double *out, struct err *e)
{
	struct str s = str_trim(str_of(text));
	bool percent = str_ends(s, S("%"));

	if (percent)
		s.n--;
	if (!str_to_double(s, out) || !(*out >= 0) || *out > (percent ? 100 : 1))
		return err_set(e, ERR_INVALID, "--slo-errors: expected a share like 0.01, or 1%%, "
		    "got \"%s\"", text);
	if (percent)
		*out /= 100;
	return OK;
}

/* ---- rules ----------------------------------------------------------------------- */

/* In expressions %g is the bound, where there is one. */
static const struct {
	const char *name, *expr, *hold, *severity, *meaning;
	int slo;                             /* 0: none; 1: p99 in seconds; 2: share of errors */
} rules[] = {
	{ "high_latency", "histogram_quantile(0.99, sum by (le) "
	    "(rate(cohort_http_request_seconds_bucket{route!~\".*" WAITING "\"}[1m]))) > ",
	    "10s", "warning", "The p99 of requests that do not wait for a model is over the "
	    "objective.", 1 },
	{ "high_error_rate", "sum(rate(cohort_http_requests_total{class=\"5xx\"}[1m])) / "
	    "sum(rate(cohort_http_requests_total[1m])) > ", "10s", "critical",
	    "The share of answers with 5xx is over the objective.", 2 },
	{ "server_down", "up{job=\"cohort\"} == 0", "10s", "critical",
	    "Prometheus cannot read /metrics.", 0 },
	{ "store_full", "cohort_store_full == 1", "0s", "critical",
	    "The disk has no room: writes are refused.", 0 },
	{ "store_lost", "cohort_store_lost == 1", "0s", "critical",
	    "The database was deleted, moved or replaced: writes are refused.", 0 },
	{ "store_slow", "rate(cohort_store_commit_seconds_total[1m]) / "
	    "rate(cohort_store_commits_total[1m]) > 0.1", "1m", "warning",
	    "A commit takes over 100 ms.", 0 },
	{ "runs_failing", "rate(cohort_runs_failed_total[5m]) / "
	    "rate(cohort_runs_finished_total[5m]) > 0.5", "5m", "warning",
	    "Half of the runs end in error.", 0 },
};

static void
add_expr(size_t i, double p99_s, double errors, struct buf *out)
{
	buf_add(out, str_of(rules[i].expr));
	if (rules[i].slo != 0)
		buf_add_fmt(out, "%g", rules[i].slo == 1 ? p99_s : errors);
}

void
watch_add_rules(double p99_s, double errors, struct buf *out)
{
	buf_lit(out, "# Alerting rules for Prometheus, made by `cohort bench watch --rules`.\n"
	    "groups:\n  - name: cohort\n    rules:\n");
	for (size_t i = 0; i < COUNT(rules); i++) {
		buf_add_fmt(out, "      - alert: %s\n        expr: |-\n          ", rules[i].name);
		add_expr(i, p99_s, errors, out);
		buf_add_fmt(out, "\n        for: %s\n        labels:\n          severity: %s\n"
		    "        annotations:\n          summary: \"%s\"\n", rules[i].hold,
		    rules[i].severity, rules[i].meaning);
	}
}

void
watch_add_alerts_markdown(struct buf *out)
{
	buf_lit(out, "| alert | when | for | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < COUNT(rules); i++) {
		struct str expr = str_of(rules[i].expr);

		buf_add_fmt(out, "| `%s` | `", rules[i].name);
		for (size_t k = 0; k < expr.n; k++)      /* a cell of a table */
			buf_add_fmt(out, "%s%c", expr.p[k] == '|' ? "\\" : "", expr.p[k]);
		buf_add_fmt(out, "%s` | %s | %s |\n", rules[i].slo == 1 ? "SLO_P99" :
		    rules[i].slo == 2 ? "SLO_ERRORS" : "", rules[i].hold, rules[i].meaning);
	}
}
