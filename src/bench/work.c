/*
 * work.c - the workloads of the tracker, one row each, and their report; see
 * work.h.
 *
 * Each workload has its own workspace.  One that fails is a missed target with
 * its error, and the others continue.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/work_priv.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "bench/machine.h"

#define SHOW_NS        (5 * NS_PER_S)
#define QUICK_ITEMS    "100,1000"
#define QUICK_TIMES    125
#define QUICK_MS       700
#define AT(field)      offsetof(struct bench_work_options, field)

static const char *const modes[] = { "daemon", "direct", "both", NULL };

const struct flag bench_work_flags[] = {
	{ "only", NULL, FLAG_TEXT, NULL, "LIST", "these workloads, as in S1,B3 "
	    "(default: all)", AT(only) },
	{ "mode", NULL, FLAG_TEXT, "both", "MODE", "daemon, direct (processes that "
	    "open the file themselves) or both, and their ratio", AT(mode),
	    .words = modes },
	{ "iterations", NULL, FLAG_INT, "1000", "N", "samples of each time",
	    AT(iterations), 10, 1000000 },
	{ "connections", NULL, FLAG_INT, "8", "N", "of the rates of S1", AT(connections),
	    1, 64 },
	{ "depth", NULL, FLAG_INT, "64", "N", "requests open on each, pipelined",
	    AT(depth), 1, WB_DEPTH_MAX },
	{ "duration", NULL, FLAG_MS, "3s", "TIME", "of each rate of S1", AT(duration),
	    100, 600000 },
	{ "items", NULL, FLAG_TEXT, "100,1000,10000,100000", "LIST", "sizes of B7",
	    AT(items) },
	{ "bd", NULL, FLAG_TEXT, NULL, "PATH", "a program with bd's command line: the "
	    "same load on it, side by side", AT(bd) },
	{ "cohort", NULL, FLAG_TEXT, NULL, "PATH", "the executable (default: beside "
	    "this one)", AT(cohort) },
	SCRATCH_FLAG(AT(scratch)),
	{ "keep", NULL, FLAG_SWITCH, NULL, NULL, "leave the scratch folder", AT(keep) },
	{ "quick", NULL, FLAG_SWITCH, NULL, NULL, "fewer of everything: under 20 s",
	    AT(quick) },
	REPORT_FLAGS(AT(json), AT(markdown)),
	{ NULL }
};

const struct work_row work_rows[] = {
	{ "S1", "8 agents make 100 items each; then durable creates a second",
	    MODE_DAEMON, workload_s1 },
	{ "S3", "6 agents mix create, update, show, list and ready",
	    MODE_DAEMON, workload_s3 },
	{ "S5", "10 agents make 100 items each: 1,000 ids",
	    MODE_DAEMON, workload_s5 },
	{ "B1", "create", MODE_DAEMON | MODE_DIRECT, workload_b1 },
	{ "B2", "update", MODE_DAEMON | MODE_DIRECT, workload_b2 },
	{ "B3", "list 50 of 100", MODE_DAEMON | MODE_DIRECT, workload_b3 },
	{ "B4", "ping", MODE_DAEMON, workload_b4 },
	{ "B5", "4 agents create at once", MODE_DAEMON, workload_b5 },
	{ "B6", "whole processes: create, show, ready, list, update",
	    MODE_DAEMON | MODE_DIRECT, workload_b6 },
	{ "B7", "create, ready, list, stats, show as the tracker grows",
	    MODE_DAEMON, workload_b7 },
	{ "B8", "dep add on long chains; ready below deep epics",
	    MODE_DAEMON, workload_b8 },
	{ "B9", "export, import and merge of 10,000 items", MODE_DIRECT, workload_b9 },
};
const size_t work_rows_n = COUNT(work_rows);

void
bench_work_add_workloads(struct buf *out)
{
	for (size_t i = 0; i < work_rows_n; i++)
		buf_add_fmt(out, "  %-5s %s\n", work_rows[i].id, work_rows[i].what);
}

/* The lists of the command line. */

int
work_only_parse(struct str text, bool *on, size_t n, struct err *e)
{
	struct buf known = BUF(KB);
	struct str part;

	for (size_t i = 0; i < n; i++)
		on[i] = text.n == 0;
	while (text.n > 0 && str_next(&text, ',', &part)) {
		size_t i = 0;

		part = str_trim(part);
		while (i < n && !str_eq_nocase(part, str_of(work_rows[i].id)))
			i++;
		if (i < n) {
			on[i] = true;
			continue;
		}
		for (i = 0; i < n; i++)
			buf_add_fmt(&known, "%s%s", i > 0 ? ", " : "", work_rows[i].id);
		err_set(e, ERR_INVALID, "--only: no workload \"%.*s\"; there are %.*s",
		    FMT(part), FMT(buf_str(&known)));
		buf_release(&known);
		return ERR_INVALID;
	}
	return OK;
}

int
work_sizes_parse(struct str text, size_t *sizes, size_t max, size_t *n, struct err *e)
{
	struct str part;
	uint64_t v;

	*n = 0;
	while (str_next(&text, ',', &part)) {
		if (!str_to_u64(str_trim(part), &v) || v < 10 || v > 1000000)
			return err_set(e, ERR_INVALID, "--items: expected sizes from 10 to "
			    "1000000, got \"%.*s\"", FMT(part));
		if (*n == max)
			return err_set(e, ERR_LIMIT, "--items: more than %zu sizes", max);
		if (*n > 0 && v <= sizes[*n - 1])
			return err_set(e, ERR_INVALID, "--items: each size must be larger "
			    "than the one before it");
		sizes[(*n)++] = (size_t)v;
	}
	return *n > 0 ? OK : err_set(e, ERR_INVALID, "--items: no size");
}

/* Results of workloads. */

struct meter *
trial_meter(struct trial *t, const char *format, ...)
{
	struct meter *m = mem_new(struct meter);
	va_list ap;

	if (t->meters_n == WB_METERS_MAX)
		abort();
	hist_clear(&m->times);
	va_start(ap, format);
	vsnprintf(m->label, sizeof m->label, format, ap);
	va_end(ap);
	t->meter[t->meters_n++] = m;
	return m;
}

void
trial_value(struct trial *t, double value, int digits, const char *format, ...)
{
	char key[48];
	va_list ap;

	va_start(ap, format);
	vsnprintf(key, sizeof key, format, ap);
	va_end(ap);
	report_value(&t->report, value, digits, key);
}

void
trial_check(struct trial *t, bool passed, const char *format, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	report_check(&t->report, passed, "%s: %s", t->workload, text);
	fprintf(stderr, "  %s %s\n", passed ? "ok  " : "FAIL", text);
}

double
meter_p50(const struct meter *m)
{
	return report_ms(&m->times, 50);
}

/* The units of bounds. */

int
trial_calibrate(struct trial *t, size_t times, struct err *e)
{
	static const char *const version[] = { "--version", NULL };
	struct space p = { .tool = { t->cohort, NULL } };
	const char *id = t->workload;
	int rc = OK;

	if (t->floor == NULL) {
		t->floor = trial_meter(t, "%c%s_floor", tolower((unsigned char)id[0]), id + 1);
		t->commit = trial_meter(t, "%c%s_commit", tolower((unsigned char)id[0]), id + 1);
	}
	snprintf(p.dir, sizeof p.dir, "%s", t->scratch.root);
	for (size_t i = 0; i < times && rc == OK; i++)
		rc = trial_process(t, t->floor, &p, version, NULL, true, e);
	if (rc == OK)
		rc = scratch_commits(&t->scratch, times, &t->commit->times, e);
	return rc;
}

double
trial_limit(const struct trial *t, double floors, double commits)
{
	assert(t->floor != NULL && t->floor->times.count > 0);
	return floors * meter_p50(t->floor) + commits * meter_p50(t->commit);
}

void
trial_p50(struct trial *t, const struct meter *m, double floors, double commits)
{
	double p50 = meter_p50(m), limit = trial_limit(t, floors, commits);

	trial_check(t, m->times.count > 0 && m->errors == 0 && p50 <= limit,
	    "%s p50 %.4f ms <= %.4f ms (%g floors, %g commits)", m->label, p50, limit,
	    floors, commits);
}

/* The first error is kept for the report. */
static void
trial_error(struct trial *t, struct meter *m, const struct err *e)
{
	if (m != NULL)
		m->errors++;
	if (t->sample.code != OK)
		return;
	t->sample.code = e->code;
	snprintf(t->sample.text, sizeof t->sample.text, "%s: %.480s", t->workload, e->text);
}

void
trial_answer(struct trial *t, struct meter *m, const struct answer *r, bool counts)
{
	struct err why;

	if (r->success && counts)
		hist_add(&m->times, (uint64_t)r->took);
	if (r->success)
		return;
	answer_words(r, &why);
	trial_error(t, m, &why);
}

int
trial_process(struct trial *t, struct meter *m, struct space *p,
    const char *const *args, const char *last, bool counts, struct err *e)
{
	struct process r = { .space = p, .args = args, .last = last };
	struct err why;
	int rc = process_run(&r, e);

	if (rc != OK || !counts)
		return rc;
	if (r.code == 0) {
		hist_add(&m->times, (uint64_t)r.took);
		return OK;
	}
	err_set(&why, ERR_INVALID, "%s: exit code %d", args[0], r.code);
	trial_error(t, m, &why);
	return OK;
}

void
trial_progress(struct trial *t, double fraction, const char *what)
{
	nsec now = clock_mono();

	if (now - t->shown < SHOW_NS)
		return;
	t->shown = now;
	fprintf(stderr, "  %s %3.0f %% %s\n", t->workload, fraction * 100, what);
}

/* Life. */

/* An absolute path, since the processes run elsewhere. */
static int
absolute(char *out, size_t size, const char *path, struct err *e)
{
	char *real = realpath(path, NULL);
	int rc = OK;

	if (real == NULL)
		rc = err_set(e, ERR_NOTFOUND, "%s: %s", path, strerror(errno));
	else if ((size_t)snprintf(out, size, "%s", real) >= size)
		rc = err_set(e, ERR_TOOBIG, "%s: too long a path", path);
	free(real);
	return rc;
}

static int
trial_prepare(struct trial *t, bool *on, struct err *e)
{
	const struct bench_work_options *o = t->o;
	int rc = work_only_parse(str_of(o->only), on, work_rows_n, e);

	t->mode = (strcmp(o->mode, "direct") != 0 ? MODE_DAEMON : 0) |
	    (strcmp(o->mode, "daemon") != 0 ? MODE_DIRECT : 0);
	if (rc == OK)
		rc = work_sizes_parse(o->quick ? S(QUICK_ITEMS) : str_of(o->items), t->sizes,
		    WB_SIZES_MAX, &t->sizes_n, e);
	for (size_t i = 0; i < work_rows_n && rc == OK; i++) {
		const struct work_row *w = &work_rows[i];

		if (!on[i] || (w->needs & t->mode) != 0)
			continue;
		if (o->only != NULL)
			rc = err_set(e, ERR_INVALID, "%s is about the daemon; --mode %s "
			    "leaves nothing of it", w->id, o->mode);
		on[i] = false;
	}
	if (rc == OK)
		rc = o->cohort != NULL ? absolute(t->cohort, sizeof t->cohort, o->cohort, e) :
		    file_beside("cohort", "../../bin/", t->cohort, sizeof t->cohort, e);
	if (rc == OK && o->bd != NULL && access(o->bd, X_OK) != 0)
		rc = err_set(e, ERR_NOTFOUND, "--bd: %s: %s", o->bd, strerror(errno));
	t->tool = (struct tool){ t->cohort, "work" };
	t->iterations = o->quick && o->iterations > QUICK_TIMES ? QUICK_TIMES :
	    o->iterations;
	t->warmup = t->iterations / 10;
	return rc;
}

static void
workload_run(struct trial *t, const char *id, const char *what,
    int (*run)(struct trial *t, struct err *e))
{
	struct err e = { 0 };

	t->workload = id;
	t->floor = t->commit = NULL;
	t->shown = clock_mono();
	fprintf(stderr, "%s %s\n", id, what);
	if (run(t, &e) == OK)
		return;
	trial_error(t, NULL, &e);
	trial_check(t, false, "could not be run: %.120s", e.text);
}

static void
trial_all(struct trial *t, const bool *on)
{
	double busy;

	if (getloadavg(&busy, 1) == 1)
		trial_value(t, busy, 2, "machine_load_at_start");
	for (size_t i = 0; i < work_rows_n; i++)
		if (on[i])
			workload_run(t, work_rows[i].id, work_rows[i].what, work_rows[i].run);
	if (t->o->bd != NULL)
		workload_run(t, "bd", "the same processes of two programs", workload_bd);
}

static int
trial_report(struct trial *t, struct err *e)
{
	int rc;

	for (size_t i = 0; i < t->meters_n; i++)
		report_metric(&t->report, "work", t->meter[i]->label, &t->meter[i]->times,
		    t->meter[i]->errors);
	if (t->sample.code != OK)
		t->report.error_sample = t->sample.text;
	rc = report_finish(&t->report, t->o->json, t->o->markdown, e);
	for (size_t i = 0; i < t->meters_n; i++)
		free(t->meter[i]);
	return rc;
}

int
bench_work(const struct bench_work_options *o, int argc, char *const *argv,
    struct err *e)
{
	struct bench_work_options quick = *o;
	struct trial *t = mem_new(struct trial);
	bool on[COUNT(work_rows)];
	int rc;

	if (o->quick && o->duration > QUICK_MS)
		quick.duration = QUICK_MS;
	t->o = &quick;
	t->report = (struct report){
		.workload = "work", .loop = "closed", .argc = argc, .argv = argv,
		.started = clock_wall_ms(),
		.measures = "the work tracker's daemon over its socket and its command "
		    "line as whole processes, each from the request to its answer, on a "
		    "durable database in the scratch folder.",
		.not_measures = "a network, several machines, git, or arrivals at a rate "
		    "of their own: each agent asks again when it was answered.",
	};
	rc = trial_prepare(t, on, e);
	if (rc == OK)
		rc = scratch_make(&t->scratch, o->scratch, o->keep, e);
	if (rc == OK) {
		trial_all(t, on);
		rc = trial_report(t, e);
	}
	scratch_remove(&t->scratch);
	free(t);
	return rc;
}
