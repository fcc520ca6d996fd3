/*
 * detector.c - see detector.h.
 *
 * Runs are short and pairs many: on a processor whose cores share units with a busy
 * neighbour, the speed has two levels, one 1.6 times the other, and stays at each for
 * seconds.  Runs a tenth of a second apart mostly see the same level; the pairs that do
 * not are outliers, which a median of twenty ignores.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/detector.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench/measure.h"
#include "bench/report.h"

#define AT(field)      offsetof(struct detector_options, field)
#define NEIGHBOURS_MAX 64
#define TRIALS_MAX     1000
#define ENOUGH         0.95
#define TIMEOUT_MS     60000

const struct flag bench_detector_flags[] = {
	{ "trials", NULL, FLAG_INT, "20", "N", "of each kind: equal, and slowed", AT(trials), 1,
	    TRIALS_MAX },
	{ "slow", NULL, FLAG_INT, "15", "PERCENT", "the slowdown: so much more CPU time",
	    AT(slow), 1, 1000 },
	{ "pairs", NULL, FLAG_INT, "20", "N", "of a trial; four times as many if it is unsure",
	    AT(pairs), STATS_PAIRS_MIN, MEASURE_REPEAT },
	{ "neighbours", NULL, FLAG_INT, "1", "N", "busy processes beside it", AT(neighbours), 0,
	    NEIGHBOURS_MAX },
	{ "workload", NULL, FLAG_TEXT, "messages --only messages --duration 40ms", "WORDS",
	    "what is run; it has --slow", AT(workload) },
	{ "metric", NULL, FLAG_TEXT, "messages_per_s", "KEY", "of its RESULT line; more is better",
	    AT(metric) },
	{ "threshold", NULL, FLAG_TEXT, "0.10", "PART", "a smaller difference is none",
	    AT(threshold) },
	{ "json", NULL, FLAG_TEXT, NULL, "FILE", "the result", AT(json) },
	{ "markdown", NULL, FLAG_TEXT, NULL, "FILE", "the result", AT(markdown) },
	{ NULL }
};

enum { EQUAL, SLOWED, KINDS };

struct detector {
	const struct detector_options *o;
	struct workload row;                 /* of the metric alone */
	int64_t alarms[KINDS];
	double change[KINDS][TRIALS_MAX];    /* percent */
	uint64_t pairs;
	pid_t neighbour[NEIGHBOURS_MAX];
};

static int
neighbours_start(struct detector *d, struct err *e)
{
	pid_t parent = getpid();

	for (int64_t i = 0; i < d->o->neighbours; i++) {
		d->neighbour[i] = fork();
		if (d->neighbour[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			while (getppid() == parent)
				for (volatile int k = 0; k < 1000000; k++)
					;
			_exit(0);
		}
		if (d->neighbour[i] < 0)
			return err_set(e, ERR_IO, "fork: %s", strerror(errno));
	}
	return OK;
}

static void
neighbours_stop(struct detector *d)
{
	for (int64_t i = 0; i < d->o->neighbours; i++)
		if (d->neighbour[i] > 0) {
			kill(d->neighbour[i], SIGKILL);
			waitpid(d->neighbour[i], NULL, 0);
		}
}

/* "bench", the words, and the slowdown. */
static const char *const *
args_of(struct arena *a, const char *words, int64_t slow)
{
	const char **args = arena_zero(a, MEASURE_ARGS * sizeof *args);
	struct str rest = str_of(words), word;
	size_t n = 0;

	args[n++] = "bench";
	while (str_next(&rest, ' ', &word))
		if (word.n > 0 && n + 2 < MEASURE_ARGS)
			args[n++] = arena_str(a, word).p;
	if (slow > 0)
		args[n++] = arena_fmt(a, "--slow=%lld", (long long)slow).p;
	return args;
}

static int
trial(struct detector *d, int kind, size_t at, struct err *e)
{
	const struct rules rules = { .repeat = d->o->pairs, .threshold = d->o->threshold };
	struct campaign c = { .quiet = true };
	struct bout b = { .id = "detector", .row = &d->row, .timeout = TIMEOUT_MS };
	int rc = campaign_init(&c, "detector", &rules, e);

	if (rc != OK)
		return rc;
	c.side[1] = c.side[0];
	c.sides_n = 2;
	b.args[0] = args_of(&c.arena, d->o->workload, kind == SLOWED ? d->o->slow : 0);
	b.args[1] = args_of(&c.arena, d->o->workload, 0);
	c.bout = &b;
	c.bouts_n = 1;
	rc = campaign_run(&c, e);
	if (rc == OK && (b.state != BOUT_MEASURED || b.changes_n != 1))
		rc = err_set(e, ERR_INVALID, "bench %s has no figure \"%s\"%s%s", d->o->workload,
		    d->o->metric, b.why[0] != '\0' ? ": " : "", b.why);
	if (rc == OK) {
		d->alarms[kind] += b.change[0].verdict == JUDGE_WORSE;
		d->change[kind][at] = (b.change[0].ratio.median - 1) * 100;
		d->pairs += b.runs_n;
		fprintf(stderr, "detector: trial %zu of %lld, %s: %+.1f %% (%+.1f to %+.1f), %zu "
		    "pairs, %s\n", at + 1, (long long)d->o->trials, kind == SLOWED ? "slowed" :
		    "equal", d->change[kind][at], (b.change[0].ratio.low - 1) * 100,
		    (b.change[0].ratio.high - 1) * 100, b.runs_n,
		    judge_verdicts[b.change[0].verdict]);
	}
	campaign_release(&c);
	return rc;
}

static void
report_fill(struct detector *d, nsec took, struct report *r)
{
	int64_t n = d->o->trials;
	size_t at = (size_t)n;

	report_value(r, (double)n, 0, "trials");
	report_value(r, (double)d->alarms[SLOWED], 0, "found");
	report_value(r, (double)d->alarms[EQUAL], 0, "false_alarms");
	report_value(r, (double)d->alarms[SLOWED] / (double)n, 4, "found_share");
	report_value(r, (double)d->alarms[EQUAL] / (double)n, 4, "false_alarm_share");
	report_value(r, stats_median(d->change[SLOWED], at), 2, "slowed_change_percent");
	report_value(r, stats_median(d->change[EQUAL], at), 2, "equal_change_percent");
	report_value(r, (double)d->pairs / (double)(2 * n), 1, "pairs_per_trial");
	report_value(r, (double)took / (double)NS_PER_S, 1, "wall_s");
	report_check(r, (double)d->alarms[SLOWED] >= ENOUGH * (double)n,
	    "a slowdown of %lld %% is found in %lld of %lld trials", (long long)d->o->slow,
	    (long long)d->alarms[SLOWED], (long long)n);
	report_check(r, (double)d->alarms[EQUAL] <= (1 - ENOUGH) * (double)n + 1e-9,
	    "equal builds are taken for slower in %lld of %lld trials",
	    (long long)d->alarms[EQUAL], (long long)n);
}

int
bench_detector(const struct detector_options *o, int argc, char *const *argv, struct err *e)
{
	struct detector *d = mem_new(struct detector);
	struct report r = { .workload = "detector", .loop = "closed", .argc = argc, .argv = argv,
		.started = clock_wall_ms(),
		.measures = "whether `bench compare` finds a slowdown of known size, and none "
		"between equal builds, beside busy processes.",
		.not_measures = "slowdowns that a workload does not show." };
	nsec began = clock_mono();
	int rc;

	d->o = o;
	d->row.metric[0] = (struct suite_metric){ .key = o->metric, .unit = "", .better = UP };
	rc = neighbours_start(d, e);
	for (size_t i = 0; i < (size_t)o->trials && rc == OK; i++)
		for (int kind = EQUAL; kind < KINDS && rc == OK; kind++)
			rc = trial(d, kind, i, e);
	neighbours_stop(d);
	if (rc == OK) {
		report_fill(d, clock_mono() - began, &r);
		rc = report_finish(&r, o->json, o->markdown, e);
	}
	free(d);
	return rc;
}
