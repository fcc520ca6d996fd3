/*
 * ramp.c - `cohort bench ramp`: options, the order of the steps, the report; see
 * ramp.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/ramp_priv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bench/machine.h"

#define AT(field)     offsetof(struct ramp_options, field)
#define PAGE_BYTES    (4 * MB)

const struct flag bench_ramp_flags[] = {
	SESSION_FLAGS,
	{ "steps", NULL, FLAG_TEXT, "500,1000,2000,4000,8000", "C1,C2,...",
	    "sessions at once, rising", AT(steps), .letter = 's' },
	{ "cpus", "CPUS", FLAG_TEXT, "2", "N", "processors of the box", AT(cpus) },
	{ "memory", "MEM", FLAG_TEXT, "2G", "SIZE", "memory of the box", AT(memory) },
	{ "repeat", NULL, FLAG_INT, "0", "N", "of each step; the median counts (default: "
	    "1, and 3 when two builds are compared)", AT(repeat), 0, RAMP_REPEAT },
	{ "before", NULL, FLAG_TEXT, NULL, "PATH", "compare with this executable",
	    AT(before) },
	{ "after", NULL, FLAG_TEXT, NULL, "PATH", "the one to judge (default: this one)",
	    AT(after) },
	{ "before-ref", NULL, FLAG_TEXT, NULL, "REF", "compare with the engine of this "
	    "commit, built with the benchmark of this checkout; auto: where the branch "
	    "left main", AT(before_ref) },
	{ "threshold", NULL, FLAG_INT, "5", "PERCENT", "a smaller difference is none",
	    AT(threshold), 1, 1000 },
	{ "image", NULL, FLAG_TEXT, NULL, "NAME", "run this image instead of an "
	    "executable in a box", AT(image) },
	{ "docker", NULL, FLAG_TEXT, "docker", "PATH", "what runs an image", AT(docker) },
	{ "thresholds", NULL, FLAG_TEXT, NULL, "LIST", "what must hold, as in "
	    "latency_infl_8000<1.15,knee_c>7999", SESSION_AT(thresholds) },
	{ "html", NULL, FLAG_TEXT, NULL, "FILE", "the result, with curves", AT(html) },
	{ NULL }
};

int
ramp_steps_parse(const char *text, int64_t out[RAMP_STEPS], size_t *n, struct err *e)
{
	struct str rest = str_of(text), part;
	uint64_t v;

	*n = 0;
	while (str_next(&rest, ',', &part)) {
		if (!str_to_u64(str_trim(part), &v) || v < 1 || v > LIMIT_BENCH_SESSIONS)
			return err_set(e, ERR_INVALID, "--steps: expected 1 to %d, got "
			    "\"%.*s\"", LIMIT_BENCH_SESSIONS, FMT(part));
		if (*n == RAMP_STEPS)
			return err_set(e, ERR_LIMIT, "--steps: more than %d", RAMP_STEPS);
		if (*n > 0 && (int64_t)v <= out[*n - 1])
			return err_set(e, ERR_INVALID, "--steps: each must be larger than the "
			    "one before it");
		out[(*n)++] = (int64_t)v;
	}
	return *n > 0 ? OK : err_set(e, ERR_INVALID, "--steps: no step");
}

/* ---- steps -------------------------------------------------------------------- */

static void
show(const struct ramp_side *side, const struct ramp_step *s)
{
	fprintf(stderr, "ramp: %s%sC=%lld ", side->name != NULL ? side->name : "",
	    side->name != NULL ? " " : "", (long long)s->c);
	if (s->cause != COLLAPSE_NONE)
		fprintf(stderr, "collapsed: %s (%s)\n", collapse_names[s->cause], s->why);
	else
		fprintf(stderr, "%.2fx p50, %.2fx p99, %.4f cpu-ms/turn, %.0f MB, %.1f KB "
		    "a session, %lld threads, %.1f s\n", s->infl, s->infl_p99,
		    s->cpu_ms_turn, s->rss_mb, s->marginal_kb, (long long)s->threads,
		    s->wall_ms / 1000);
}

/* The one in the middle by inflation; one that collapsed counts before all. */
static void
keep_median(struct ramp_side *side, struct ramp_step *all, size_t n)
{
	size_t best = 0;

	for (size_t i = 0; i < n; i++)
		if (all[i].cause != COLLAPSE_NONE)
			side->over = true;
	for (size_t i = 0; i < n; i++) {
		size_t below = 0;

		for (size_t k = 0; k < n; k++)
			below += all[k].infl < all[i].infl || (all[k].infl == all[i].infl &&
			    k < i);
		if (side->over ? all[i].cause != COLLAPSE_NONE : below == n / 2)
			best = i;
	}
	side->step[side->steps_n++] = all[best];
	for (size_t i = 0; i < n; i++)
		if (i != best)
			buf_release(&all[i].result);
}

static void
keep_pair(struct ramp *r, const struct ramp_step *before, const struct ramp_step *after)
{
	if (before->cause != COLLAPSE_NONE || after->cause != COLLAPSE_NONE ||
	    before->infl <= 0 || after->infl <= 0 || before->cpu_ms_turn <= 0 ||
	    after->cpu_ms_turn <= 0 || before->rss_mb <= 0 || after->rss_mb <= 0)
		return;
	r->cpu[r->pairs_n] = log(after->cpu_ms_turn / before->cpu_ms_turn);
	r->latency[r->pairs_n] = log(after->infl / before->infl);
	r->resident[r->pairs_n++] = log(after->rss_mb / before->rss_mb);
}

static int
steps_at(struct ramp *r, int64_t c, size_t repeat, struct err *e)
{
	struct ramp_step all[2][RAMP_REPEAT];
	bool over[2] = { r->side[0].over, r->sides_n < 2 || r->side[1].over };
	int rc = OK;

	for (size_t i = 0; i < repeat && rc == OK; i++) {
		for (size_t k = 0; k < r->sides_n && rc == OK; k++) {
			size_t at = r->sides_n == 2 && i % 2 == 1 ? 1 - k : k;

			if (over[at])
				continue;
			rc = ramp_run(r, &r->side[at], c, &all[at][i], e);
			if (rc == OK)
				show(&r->side[at], &all[at][i]);
		}
		if (rc == OK && !over[0] && !over[1])
			keep_pair(r, &all[0][i], &all[1][i]);
	}
	for (size_t k = 0; k < r->sides_n && rc == OK; k++)
		if (!over[k])
			keep_median(&r->side[k], all[k], repeat);
	return rc;
}

static int
drive(struct ramp *r, struct err *e)
{
	size_t repeat = r->o->repeat > 0 ? (size_t)r->o->repeat : r->sides_n == 2 ? 3 : 1;
	int rc = OK;

	if (r->box.why[0] != '\0')
		fprintf(stderr, "ramp: %s\n", r->box.why);
	for (size_t i = 0; i < r->c_n && rc == OK; i++)
		if (!r->side[0].over || (r->sides_n == 2 && !r->side[1].over))
			rc = steps_at(r, r->c[i], repeat, e);
	return rc;
}

/* ---- report --------------------------------------------------------------------- */

static void
value(struct report *r, const struct ramp_side *side, double v, int digits,
    const char *format, int64_t c)
{
	char name[32], key[48];

	snprintf(name, sizeof name, format, (long long)c);
	snprintf(key, sizeof key, "%s%s%s", side->name != NULL ? side->name : "",
	    side->name != NULL ? "_" : "", name);
	if (r->values_n < REPORT_VALUES)
		report_value(r, v, digits, key);
}

static void
report_side(const struct ramp_side *side, struct report *r)
{
	struct ramp_knee k = ramp_knee(side->step, side->steps_n);
	const char *name = side->name != NULL ? side->name : "ramp";

	value(r, side, (double)k.below, 0, "knee_c", 0);
	value(r, side, (double)k.completes, 0, "last_c", 0);
	for (size_t i = 0; i < side->steps_n; i++) {
		const struct ramp_step *s = &side->step[i];

		if (s->cause != COLLAPSE_NONE) {
			report_check(r, false, "%s C=%lld: %s: %.90s", name, (long long)s->c,
			    collapse_names[s->cause], s->why);
			continue;
		}
		report_check(r, s->errors == 0, "%s C=%lld: %.2fx, %lld errors", name,
		    (long long)s->c, s->infl, (long long)s->errors);
		value(r, side, s->infl, 3, "latency_infl_%lld", s->c);
		value(r, side, s->infl_p99, 3, "latency_infl_p99_%lld", s->c);
		value(r, side, s->cpu_ms_turn, 4, "cpu_ms_per_turn_%lld", s->c);
		value(r, side, s->rss_mb, 1, "peak_rss_mb_%lld", s->c);
		value(r, side, s->marginal_kb, 2, "marginal_rss_kb_%lld", s->c);
		value(r, side, (double)s->threads, 0, "peak_threads_%lld", s->c);
	}
	/* What a session more takes, without what the process takes anyway. */
	if (side->steps_n >= 2 && side->step[side->steps_n - 1].cause == COLLAPSE_NONE) {
		const struct ramp_step *a = &side->step[0], *b = &side->step[side->steps_n - 1];

		value(r, side, (b->rss_mb - a->rss_mb) * 1024 / (double)(b->c - a->c), 2,
		    "rss_slope_kb", 0);
	}
}

/* The curves of the page that `bench report` makes. */
static void
report_curves(struct ramp_side *side, struct report *r)
{
	static const char *const names[][3] = {
		{ "latency inflation", "before: latency inflation", "after: latency inflation" },
		{ "CPU of a turn", "before: CPU of a turn", "after: CPU of a turn" },
		{ "peak memory", "before: peak memory", "after: peak memory" },
	};
	const struct { const double *y; const char *unit; } rows[] = {
		{ side->infl, "x" }, { side->cpu, "ms" }, { side->rss, "MB" },
	};
	size_t n = 0, which = side->name == NULL ? 0 : strcmp(side->name, "before") == 0 ? 1 : 2;

	for (size_t i = 0; i < side->steps_n; i++) {
		const struct ramp_step *s = &side->step[i];

		if (s->cause != COLLAPSE_NONE)
			continue;
		side->at[n] = (double)s->c;
		side->infl[n] = s->infl;
		side->cpu[n] = s->cpu_ms_turn;
		side->rss[n++] = s->rss_mb;
	}
	for (size_t i = 0; i < COUNT(rows); i++)
		report_series(r, &(struct report_series){ .name = names[i][which],
		    .x_name = "sessions", .y_name = rows[i].unit, .x = side->at, .y = rows[i].y,
		    .n = n, .log = true });
}

static void
report_compare(const struct ramp *r, struct report *out)
{
	const struct { const char *name; const double *logs; } rows[] = {
		{ "cpu_ms_per_turn", r->cpu }, { "latency_infl", r->latency },
		{ "peak_rss_mb", r->resident },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stats_ratio x = stats_ratio(rows[i].logs, r->pairs_n, 0.95);
		enum judge_verdict v = judge(x, DOWN, (double)r->o->threshold / 100);
		char key[48];

		snprintf(key, sizeof key, "ratio_%s", rows[i].name);
		report_value(out, x.median, 3, key);
		report_check(out, v != JUDGE_WORSE, "%s: after is %.3f of before (95 %% of "
		    "resamplings: %.3f to %.3f, %zu pairs): %s", rows[i].name, x.median,
		    x.low, x.high, r->pairs_n, judge_verdicts[v]);
	}
}

static int
write_page(const struct ramp *r, const struct report *report, struct err *e)
{
	struct buf page = BUF(PAGE_BYTES);
	int rc;

	if (r->o->html == NULL)
		return OK;
	ramp_page(r, report, &page);
	report_make_folders(r->o->html);
	rc = file_put(r->o->html, buf_str(&page), e);
	buf_release(&page);
	return rc;
}

static int
report_ramp(struct ramp *r, int argc, char *const *argv, msec started,
    struct err *e)
{
	struct report *out = mem_new(struct report);
	char measures[200];
	int rc;

	snprintf(measures, sizeof measures, "bench sessions --arm %s with rising "
	    "concurrency, each step a process in a box of %g processors and %llu MB (%s).",
	    r->o->of.arm, r->cpus, (unsigned long long)(r->memory / MB),
	    r->o->image != NULL ? r->o->image : box_names[r->box.kind]);
	out->workload = "ramp";
	out->loop = "closed";
	out->argc = argc;
	out->argv = argv;
	out->started = started;
	out->measures = measures;
	out->not_measures = "what `cohort help bench sessions` says of the arm.";
	for (size_t i = 0; i < r->sides_n; i++) {
		report_side(&r->side[i], out);
		report_curves(&r->side[i], out);
	}
	if (r->sides_n == 2)
		report_compare(r, out);
	for (size_t i = 0; i < r->sides_n; i++)
		for (size_t k = 0; k < r->side[i].steps_n; k++)
			printf("%.*s%s", FMT(buf_str(&r->side[i].step[k].result)),
			    r->side[i].step[k].result.n > 0 ? "\n" : "");
	rc = report_thresholds(out, r->o->of.thresholds, e);
	if (rc == OK)
		rc = write_page(r, out, e);
	if (rc == OK)
		rc = report_finish(out, r->o->of.json, r->o->of.markdown, e);
	free(out);
	return rc;
}

/* ---- life ------------------------------------------------------------------------- */

static int
executable(char out[WB_PATH], const char *path, struct err *e)
{
	char *real = realpath(path, NULL);
	int rc = OK;

	if (real == NULL || access(real, X_OK) != 0)
		rc = err_set(e, ERR_NOTFOUND, "%s: %s", path, strerror(errno));
	else
		snprintf(out, WB_PATH, "%s", real);
	free(real);
	return rc;
}

static int
choose_sides(struct ramp *r, struct err *e)
{
	const struct ramp_options *o = r->o;
	bool two = o->before != NULL || o->before_ref != NULL;
	struct ramp_side *after = &r->side[two ? 1 : 0];

	if (o->before != NULL && o->before_ref != NULL)
		return err_set(e, ERR_INVALID, "--before and --before-ref: one of them");
	if (o->image != NULL && (two || o->after != NULL))
		return err_set(e, ERR_INVALID, "--image: compares no executables; run it for "
		    "each image");
	r->sides_n = two ? 2 : 1;
	if (two) {
		r->side[0].name = "before";
		after->name = "after";
	}
	if (executable(after->path, o->after != NULL ? o->after : "/proc/self/exe", e) != OK)
		return e->code;
	if (o->before != NULL)
		return executable(r->side[0].path, o->before, e);
	return o->before_ref != NULL ? ramp_build(r, e) : OK;
}

/* A limit that is too low would look like a collapse in the middle. */
static int
check_files(const struct ramp *r, struct err *e)
{
	uint64_t files = machine_files_raise();
	int64_t most = r->c[r->c_n - 1];
	int64_t need = strcmp(r->o->of.arm, "http") == 0 ? 3 * most + 128 : 64;

	if (files < (uint64_t)need)
		return err_set(e, ERR_LIMIT, "C=%lld with arm %s needs %lld open files; the "
		    "limit is %llu (ulimit -n)", (long long)most, r->o->of.arm,
		    (long long)need, (unsigned long long)files);
	return OK;
}

static int
prepare(struct ramp *r, struct err *e)
{
	const struct ramp_options *o = r->o;
	int rc = ramp_steps_parse(o->steps, r->c, &r->c_n, e);

	if (rc == OK)
		rc = report_thresholds(NULL, o->of.thresholds, e);
	if (rc == OK)
		rc = box_cpus_parse(o->cpus, &r->cpus, e);
	if (rc == OK)
		rc = box_memory_parse(o->memory, &r->memory, e);
	if (rc == OK)
		rc = check_files(r, e);
	if (rc == OK)
		rc = scratch_make(&r->scratch, o->of.scratch, false, e);
	if (rc == OK)
		rc = choose_sides(r, e);
	return rc;
}

int
bench_ramp(const struct ramp_options *o, int argc, char *const *argv, struct err *e)
{
	struct ramp *r = mem_new(struct ramp);
	msec started = clock_wall_ms();
	int rc;

	r->o = o;
	r->box.kind = BOX_RLIMIT;
	rc = prepare(r, e);
	if (rc == OK && o->image == NULL)
		box_make(&r->box, r->cpus, r->memory);
	if (rc == OK)
		rc = drive(r, e);
	if (rc == OK)
		rc = report_ramp(r, argc, argv, started, e);
	box_remove(&r->box);
	ramp_unbuild(r);
	scratch_remove(&r->scratch);
	for (size_t i = 0; i < r->sides_n; i++)
		for (size_t k = 0; k < r->side[i].steps_n; k++)
			buf_release(&r->side[i].step[k].result);
	free(r);
	return rc;
}
