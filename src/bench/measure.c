/*
 * measure.c - see measure.h: runs and their order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/measure.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "bench/flame.h"
#include "bench/subject.h"

#define DOC_BYTES     (16 * MB)
#define SHOW_BAR_MS   300
#define SHOW_LINE_MS  5000
#define BAR           24
#define P99_SAMPLES   1000
#define TIMEOUT_MIN   (120 * 1000)

const struct flag bench_rule_flags[] = {
	RULE_FLAGS_RUNS, RULE_FLAGS_KEEP, { NULL }
};

const char *const bout_states[] = { "measured", "failed", "not measured" };

int
rules_threshold(const char *text, double *out, struct err *e)
{
	struct str s = str_trim(str_of(text));
	bool percent = str_ends(s, S("%"));

	if (percent)
		s.n--;
	if (!str_to_double(s, out) || !(*out > 0) || *out / (percent ? 100 : 1) >= 10)
		return err_set(e, ERR_INVALID, "--threshold: expected a part like 0.10, or "
		    "10%%, got \"%s\"", text);
	if (percent)
		*out /= 100;
	return OK;
}

/* ---- progress -------------------------------------------------------------------- */

static void
show(struct campaign *c)
{
	const struct bout *b = &c->bout[c->at];
	double part = c->steps > 0 ? (double)c->step / (double)c->steps : 0;
	nsec at = clock_mono();
	char bar[BAR + 1];

	if (c->quiet || at - c->shown < (c->tty ? SHOW_BAR_MS : SHOW_LINE_MS) * NS_PER_MS)
		return;
	c->shown = at;
	for (int i = 0; i < BAR; i++)
		bar[i] = i < (int)(part * BAR) ? '#' : ' ';
	bar[BAR] = '\0';
	if (c->tty)
		fprintf(stderr, "\r%s [%s] %zu/%zu %s, %.0f s\033[K", c->name, bar,
		    c->step, c->steps, b->id, (double)(at - c->began) / (double)NS_PER_S);
	else
		fprintf(stderr, "%s: %zu of %zu runs, now %s, %.0f s\n", c->name, c->step,
		    c->steps, b->id, (double)(at - c->began) / (double)NS_PER_S);
}

static void
tick(void *ctx)
{
	show(ctx);
}

/* ---- a run ----------------------------------------------------------------------- */

/* What is not said of the run itself: it is the document's, else the RESULT line
 * alone. */
static void
read_document(struct run *r, const char *path, struct str result, struct err *e)
{
	r->text = BUF(DOC_BYTES);
	if (access(path, R_OK) != 0 || file_add(path, &r->text, e) != OK ||
	    json_parse(&r->doc, buf_str(&r->text), e) != OK ||
	    !json_is_object(json_get(r->doc.root, S("result")))) {
		json_release(&r->doc);
		buf_clear(&r->text);
		json_add_fmt(&r->text, "{'result':%-.*s}", FMT(result));
		if (json_parse(&r->doc, buf_str(&r->text), e) != OK)
			return;
	}
	unlink(path);
	r->result = json_get(r->doc.root, S("result"));
}

static void
judge_run(struct run *r, const struct subject *s, const struct err *e)
{
	struct buf why = BUF(4 * KB);
	jnode checks = json_get(r->doc.root, S("checks")), row;

	r->passed = r->result != NULL && s->code == 0 && s->signal == 0 && !s->timed_out;
	if (!r->passed && r->result == NULL && s->code == 0 && s->signal == 0 && !s->timed_out)
		buf_add_fmt(&why, "no RESULT line%s%s", e->text[0] != '\0' ? ": " : "", e->text);
	for (struct json_iter it = json_each(checks); !r->passed && json_next(&it);) {
		row = it.value;
		if (why.n == 0 && !json_bool(json_get(row, S("passed"))))
			buf_add_fmt(&why, "missed: %.*s", FMT(json_str(json_get(row, S("check")))));
	}
	if (!r->passed && why.n == 0)
		subject_why(s, &why);
	snprintf(r->why, sizeof r->why, "%.*s", FMT(str_cut(buf_str(&why),
	    sizeof r->why - 1)));
	buf_release(&why);
}

static int
run_once(struct campaign *c, struct bout *b, size_t side, struct run *out, struct err *e)
{
	const char *argv[MEASURE_ARGS + 4];
	char json[WB_PATH + 32];
	struct subject s = { .argv = argv, .timeout = b->timeout, .tick = tick, .ctx = c };
	struct err said = { 0 };
	size_t n = 0;
	int rc;

	snprintf(json, sizeof json, "%s/result.json", c->scratch.root);
	argv[n++] = c->side[side].path;
	for (const char *const *a = b->args[side]; *a != NULL; a++)
		argv[n++] = *a;
	argv[n++] = "--json";
	argv[n++] = json;
	argv[n] = NULL;
	assert(n < COUNT(argv));
	show(c);
	rc = subject_run(&s, e);
	if (rc == OK) {
		struct str result = subject_result(&s);

		if (result.n > 0)
			read_document(out, json, result, &said);
		judge_run(out, &s, &said);
		out->took = s.took;
	}
	subject_release(&s);
	c->step++;
	return rc;
}

/* ---- a bout ---------------------------------------------------------------------- */

static double
number(const struct run *r, const char *key)
{
	jnode v = json_get(r->result, str_of(key));

	return json_is_number(v) ? json_number(v) : NAN;
}

double
bout_value(const struct bout *b, size_t side, const char *key)
{
	double v[MEASURE_REPEAT * MEASURE_MORE];
	size_t n = 0;

	for (size_t i = 0; b->run[side] != NULL && i < b->runs_n; i++) {
		v[n] = number(&b->run[side][i], key);
		n += !isnan(v[n]);
	}
	return n > 0 ? stats_median(v, n) : NAN;
}

bool
bout_few_samples(const struct bout *b, const char *key)
{
	struct str name = str_of(key);
	struct json_iter it;

	if (b->run[0] == NULL || !str_ends(name, S("_p99_ms")))
		return false;
	name.n -= sizeof "_p99_ms" - 1;
	it = json_each(json_get(b->run[0][0].doc.root, S("metrics")));
	while (json_next(&it)) {
		jnode label = json_get(it.value, S("operation"));

		if (label == NULL)
			label = json_get(it.value, S("name"));
		if (str_eq(json_str(label), name))
			return json_int(json_get(it.value, S("count"))) < P99_SAMPLES;
	}
	return false;
}

static size_t
judged(const struct workload *w)
{
	size_t n = 0;

	for (size_t i = 0; w != NULL && i < SUITE_METRICS && w->metric[i].key != NULL; i++)
		n += w->metric[i].better != COUNTED;
	return n;
}

static struct change
compare(const struct campaign *c, const struct bout *b, const struct suite_metric *m,
    double confidence)
{
	double logs[MEASURE_REPEAT * MEASURE_MORE];
	struct change out = { .metric = m, .baseline = bout_value(b, 1, m->key),
		.current = bout_value(b, 0, m->key) };
	size_t n = 0;

	for (size_t i = 0; i < b->runs_n; i++) {
		double now = number(&b->run[0][i], m->key), then = number(&b->run[1][i], m->key);

		if (now > 0 && then > 0)
			logs[n++] = log(now / then);
	}
	out.ratio = stats_ratio(logs, n, confidence);
	out.verdict = judge(out.ratio, m->better, c->threshold);
	return out;
}

/* True: more pairs could show a difference. */
static bool
compare_all(const struct campaign *c, struct bout *b)
{
	size_t metrics = 0;
	bool unsure = false;

	for (size_t i = 0; i < c->bouts_n; i++)
		metrics += judged(c->bout[i].row);
	b->changes_n = 0;
	for (size_t i = 0; i < SUITE_METRICS && b->row->metric[i].key != NULL; i++) {
		struct change x = compare(c, b, &b->row->metric[i], stats_confidence(metrics));

		if (x.metric->better == COUNTED || isnan(x.baseline) || isnan(x.current) ||
		    bout_few_samples(b, x.metric->key))
			continue;
		unsure = unsure || judge_unsure(x.ratio, x.metric->better, c->threshold);
		b->change[b->changes_n++] = x;
	}
	return unsure;
}

static void
say(const struct campaign *c, const struct bout *b)
{
	const struct suite_metric *m = b->row != NULL ? &b->row->metric[0] : NULL;
	double v = m != NULL && m->key != NULL ? bout_value(b, 0, m->key) : NAN;

	if (c->quiet)
		return;
	fprintf(stderr, "%s%s: %s", c->tty ? "\r\033[K" : "", b->id, bout_states[b->state]);
	if (!isnan(v))
		fprintf(stderr, ", %s %.5g %s", m->key, v, m->unit);
	if (b->why[0] != '\0')
		fprintf(stderr, " (%s)", b->why);
	fputc('\n', stderr);
}

/* Runs i to n of both sides; a failure to start ends it. */
static int
runs(struct campaign *c, struct bout *b, size_t n, struct err *e)
{
	size_t sides = b->args[1] != NULL ? c->sides_n : 1;
	int rc = OK;

	for (size_t i = b->runs_n; i < n && rc == OK; i++) {
		for (size_t k = 0; k < sides && rc == OK; k++) {
			size_t side = sides == 2 && i % 2 == 1 ? 1 - k : k;

			rc = run_once(c, b, side, &b->run[side][i], e);
		}
		if (rc != OK)
			break;
		b->runs_n = i + 1;
		for (size_t k = 0; k < sides; k++)
			if (b->run[k][i].result == NULL)
				return OK;           /* it would fail again */
	}
	return rc;
}

static void
conclude(struct bout *b)
{
	b->state = BOUT_MEASURED;
	for (size_t side = 0; side < 2 && b->run[side] != NULL; side++)
		for (size_t i = 0; i < b->runs_n; i++) {
			const struct run *r = &b->run[side][i];

			if (r->result == NULL)
				b->state = BOUT_FAILED;
			if (b->why[0] == '\0' && (side == 0 || r->result == NULL))
				snprintf(b->why, sizeof b->why, "%s", r->why);
		}
}

/* The most runs of a side. */
static size_t
most_runs(const struct campaign *c)
{
	size_t n = c->repeat * MEASURE_MORE;

	return n > MEASURE_SURE ? n : MEASURE_SURE;
}

static int
bout_run(struct campaign *c, struct bout *b, struct err *e)
{
	size_t most = most_runs(c), more = c->repeat > STATS_PAIRS_MIN / 2 ? c->repeat :
	    STATS_PAIRS_MIN / 2;
	int rc;

	if (b->args[0] == NULL) {
		b->state = BOUT_NOT_MEASURED;
		return OK;
	}
	for (size_t side = 0; side < (b->args[1] != NULL ? c->sides_n : 1); side++)
		b->run[side] = mem_zero(most * sizeof *b->run[side]);
	rc = runs(c, b, c->repeat, e);
	conclude(b);
	while (rc == OK && b->run[1] != NULL && b->row != NULL && b->state == BOUT_MEASURED &&
	    compare_all(c, b) && b->runs_n < most) {
		if (more > most - b->runs_n)
			more = most - b->runs_n;
		c->steps += 2 * more;
		rc = runs(c, b, b->runs_n + more, e);
		conclude(b);
	}
	if (rc == OK && c->flamegraph != NULL && b->state == BOUT_MEASURED)
		rc = flame_record(c, b, e);
	say(c, b);
	return rc;
}

/* ---- a campaign ------------------------------------------------------------------ */

static bool
bout_passed(const struct bout *b)
{
	if (b->state == BOUT_NOT_MEASURED)
		return true;
	if (b->state == BOUT_FAILED)
		return false;
	for (size_t i = 0; i < b->runs_n; i++)
		if (!b->run[0][i].passed)
			return false;
	for (size_t i = 0; i < b->changes_n; i++)
		if (b->change[i].verdict == JUDGE_WORSE)
			return false;
	for (size_t i = 0; b->row != NULL && i < SUITE_METRICS && b->row->metric[i].key != NULL;
	    i++) {
		const struct suite_metric *m = &b->row->metric[i];
		double v = bout_value(b, 0, m->key);

		if (!isnan(v) && (!suite_met(m, v) || !suite_at_target(m, v)))
			return false;
	}
	return true;
}

int
campaign_init(struct campaign *c, const char *name, const struct rules *r, struct err *e)
{
	int rc = rules_threshold(r->threshold, &c->threshold, e);

	c->name = name;
	c->repeat = r->repeat > 0 ? (size_t)r->repeat : r->baseline != NULL ? 3 : 1;
	c->flamegraph = r->flamegraph;
	c->arena = ARENA(4 * MB);
	c->sides_n = 1;
	c->tty = isatty(STDERR_FILENO);
	snprintf(c->side[0].name, sizeof c->side[0].name, "current");
	if (rc == OK && readlink("/proc/self/exe", c->side[0].path, WB_PATH - 1) < 0)
		rc = err_set(e, ERR_IO, "/proc/self/exe cannot be read");
	return rc;
}

bool
campaign_row(struct campaign *c, struct bout *b, const struct workload *w, bool full)
{
	const char *const parts[] = { "bench", w->words, full ? w->full : w->quick };
	const char **args = arena_zero(&c->arena, MEASURE_ARGS * sizeof *args);
	size_t n = 0;

	*b = (struct bout){ .row = w, .timeout = TIMEOUT_MIN };
	snprintf(b->id, sizeof b->id, "%s", w->id);
	if (w->words == NULL)
		return false;
	for (size_t i = 0; i < COUNT(parts); i++) {
		struct str rest = str_of(parts[i]), word;

		while (rest.n > 0 && str_next(&rest, ' ', &word))
			if (word.n > 0 && n + 1 < MEASURE_ARGS)
				args[n++] = arena_str(&c->arena, word).p;
	}
	if (b->timeout < (msec)w->seconds * 10000)
		b->timeout = (msec)w->seconds * 10000;
	b->args[0] = args;
	return true;
}

int
campaign_run(struct campaign *c, struct err *e)
{
	int rc = scratch_make(&c->scratch, NULL, false, e);

	c->started = clock_wall_ms();
	c->began = c->shown = clock_mono();
	for (size_t i = 0; i < c->bouts_n; i++)
		if (c->bout[i].args[0] != NULL)
			c->steps += c->repeat * (c->bout[i].args[1] != NULL ? c->sides_n : 1);
	for (c->at = 0; c->at < c->bouts_n && rc == OK; c->at++)
		rc = bout_run(c, &c->bout[c->at], e);
	c->at = 0;
	c->ended = clock_mono();
	c->passed = rc == OK;
	for (size_t i = 0; i < c->bouts_n; i++)
		c->passed = c->passed && bout_passed(&c->bout[i]);
	return rc;
}

void
campaign_release(struct campaign *c)
{
	for (size_t i = 0; i < c->bouts_n; i++)
		for (size_t side = 0; side < 2; side++) {
			struct run *r = c->bout[i].run[side];

			for (size_t k = 0; r != NULL && k < most_runs(c); k++) {
				json_release(&r[k].doc);
				buf_release(&r[k].text);
			}
			free(r);
		}
	scratch_remove(&c->scratch);
	arena_release(&c->arena);
}
