/*
 * all.c - see all.h: suites, single workloads with the measuring rules, compare.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/all_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "bench/baseline.h"
#include "bench/commit.h"
#include "bench/report.h"

#define AT(field)    offsetof(struct suite_options, field)
#define CO(field)    offsetof(struct compare_options, field)
#define TIMEOUT_MS   (48 * 3600 * (msec)1000)        /* a single workload knows better */

const struct flag bench_suite_flags[] = {
	{ "quick", NULL, FLAG_SWITCH, NULL, NULL, "small sizes: under two minutes (default)",
	    AT(quick) },
	{ "full", NULL, FLAG_SWITCH, NULL, NULL, "the sizes and times that targets are for",
	    AT(full) },
	{ "only", NULL, FLAG_TEXT, NULL, "LIST", "these workloads, as in B1,sessions-hand",
	    AT(only) },
	RULE_FLAGS_RUNS, RULE_FLAGS_FILES, RULE_FLAGS_KEEP,
	{ "junit", NULL, FLAG_TEXT, NULL, "FILE", "the result as JUnit XML", AT(junit) },
	{ "prometheus", NULL, FLAG_TEXT, NULL, "FILE", "the result in Prometheus' text format",
	    AT(prometheus) },
	{ NULL }
};

const struct flag bench_compare_flags[] = {
	{ "full", NULL, FLAG_SWITCH, NULL, NULL, "of two executables: the full sizes, not the "
	    "quick ones", CO(full) },
	{ "only", NULL, FLAG_TEXT, NULL, "LIST", "these workloads, as in B1,sessions-hand",
	    CO(only) },
	RULE_FLAGS_RUNS, RULE_FLAGS_FILES,
	{ NULL }
};

void
bench_suite_add_list(struct buf *b)
{
	buf_lit(b, "workloads:\n\n");
	suite_add_list(b);
}

/* ---- output ---------------------------------------------------------------------- */

int
output_write(const struct output *o, size_t n, const struct doc *d, struct err *e)
{
	struct buf b = BUF(ALL_BYTES);
	int rc = OK;

	for (size_t i = 0; i < n && rc == OK; i++) {
		if (o[i].path == NULL)
			continue;
		buf_clear(&b);
		o[i].add(d, &b);
		if (strcmp(o[i].path, "-") == 0) {
			fwrite(b.p, 1, b.n, stdout);
			continue;
		}
		report_make_folders(o[i].path);
		rc = b.failed ? err_set(e, ERR_TOOBIG, "%s: over %zu MB", o[i].path,
		    ALL_BYTES / MB) : file_put(o[i].path, buf_str(&b), e);
	}
	buf_release(&b);
	return rc;
}

/* results/2026-11-30T220151-COMMIT-NAME.json */
static int
save(const struct campaign *c, const char *dir, struct str text, struct err *e)
{
	char date[CLOCK_ISO_SIZE], path[WB_PATH], name[64];
	size_t n = 0;
	int rc;

	clock_write_iso(date, c->started);
	for (const char *s = c->name; *s != '\0' && n + 1 < sizeof name; s++)
		if (*s != '-')
			name[n++] = *s == ' ' ? '-' : *s;
	name[n] = '\0';
	snprintf(path, sizeof path, "%s/%.13s%.2s%.2s-%s-%s.json", dir, date, date + 14, date + 17,
	    COHORT_COMMIT, name);
	report_make_folders(path);
	rc = file_put(path, text, e);
	if (rc == OK)
		fprintf(stderr, "%s: saved %s\n", c->name, path);
	return rc;
}

/* Told before minutes of measuring, not after. */
static int
check_results(const char *dir, struct err *e)
{
	char path[WB_PATH];

	snprintf(path, sizeof path, "%.1000s/", dir);
	report_make_folders(path);
	return access(dir, W_OK | X_OK) == 0 ? OK :
	    err_set(e, ERR_IO, "--results: %s: %s", dir, strerror(errno));
}

/* ---- suites ---------------------------------------------------------------------- */

static int
prepare(struct campaign *c, const struct suite_options *o, const bool on[SUITE_ROWS],
    struct err *e)
{
	if (o->quick && o->full)
		return err_set(e, ERR_INVALID, "--quick and --full: one of them");
	if (o->rules.save_baseline != NULL && !baseline_name(o->rules.save_baseline))
		return err_set(e, ERR_INVALID, "--save-baseline: \"%.60s\" is no name of "
		    "letters, digits, '.', '_' and '-'", o->rules.save_baseline);
	if (check_results(o->rules.results, e) != OK)
		return e->code;
	c->bout = arena_zero(&c->arena, suite_rows_n * sizeof *c->bout);
	for (size_t i = 0; i < suite_rows_n; i++)
		if (on[i])
			campaign_row(c, &c->bout[c->bouts_n++], &suite_rows[i], o->full);
	if (c->bouts_n == 0)
		return err_set(e, ERR_INVALID, "--only: no workload of `bench %s` is in it",
		    c->name);
	return o->rules.baseline == NULL ? OK :
	    baseline_use(o->rules.results, o->rules.baseline, c, e);
}

int
suite_run(struct campaign *c, const struct suite_options *o, const bool on[SUITE_ROWS],
    struct doc *d, struct err *e)
{
	struct buf text = BUF(ALL_BYTES);
	int rc = prepare(c, o, on, e);

	if (rc == OK)
		rc = campaign_run(c, e);
	if (rc == OK) {
		campaign_add_json(c, &text);
		rc = save(c, o->rules.results, buf_str(&text), e);
	}
	if (rc == OK)
		rc = doc_parse(d, buf_str(&text), c->name, e);
	if (rc == OK && o->rules.save_baseline != NULL)
		rc = baseline_save(o->rules.results, o->rules.save_baseline, c, e);
	buf_release(&text);
	return rc;
}

static void
print_result(const struct campaign *c, bool passed)
{
	size_t n[3] = { 0 };
	struct buf b = BUF(KB);

	for (size_t i = 0; i < c->bouts_n; i++)
		n[c->bout[i].state]++;
	json_add_fmt(&b, "RESULT {'workload':%s,'passed':%hhd,'measured':%zu,'failed':%zu,"
	    "'not_measured':%zu,'seconds':%.1f}\n", c->name, passed, n[BOUT_MEASURED],
	    n[BOUT_FAILED], n[BOUT_NOT_MEASURED],
	    (double)(c->ended - c->began) / (double)NS_PER_S);
	fwrite(b.p, 1, b.n, stdout);
	fflush(stdout);
	buf_release(&b);
}

/* show: what is printed, and written as Markdown. */
static int
suite_command(const char *name, const bool on[SUITE_ROWS],
    void (*print)(const struct doc *d, struct buf *out),
    void (*markdown)(const struct doc *d, struct buf *out),
    const struct suite_options *o, struct campaign *c, struct err *e)
{
	const struct output out[] = { { print, "-" }, { markdown, o->rules.markdown },
		{ doc_add_page, o->rules.html }, { doc_add_junit, o->junit },
		{ doc_add_prometheus, o->prometheus }, { doc_add_json, o->rules.json } };
	struct doc *d = mem_new(struct doc);
	char label[40];
	int rc;

	snprintf(label, sizeof label, "%s%s", name, o->full ? " --full" : " --quick");
	rc = campaign_init(c, label, &o->rules, e);
	if (rc == OK)
		rc = suite_run(c, o, on, d, e);
	if (rc == OK)
		rc = output_write(out, COUNT(out), d, e);
	if (rc == OK) {
		print_result(c, c->passed);
		rc = c->passed ? 0 : 1;
	}
	campaign_release(c);
	doc_release(d);
	free(d);
	return rc;
}

int
bench_suite(const char *name, enum suite_group group, const struct suite_options *o,
    int argc, char *const *argv, struct err *e)
{
	struct campaign c = { .argc = argc, .argv = argv };
	bool on[SUITE_ROWS];
	int rc = suite_only(str_of(o->only), on, e);

	for (size_t i = 0; i < suite_rows_n; i++)
		on[i] = on[i] && (group == SUITE_GROUPS || suite_rows[i].group == group);
	return rc != OK ? rc : suite_command(name, on, doc_add_text, doc_add_markdown, o, &c, e);
}

int
bench_caxton(const struct suite_options *o, int argc, char *const *argv, struct err *e)
{
	struct campaign c = { .argc = argc, .argv = argv };
	bool on[SUITE_ROWS];
	int rc = suite_only(str_of(o->only), on, e);

	for (size_t i = 0; i < suite_rows_n; i++)
		on[i] = on[i] && suite_page(&suite_rows[i]) > 0;
	return rc != OK ? rc : suite_command("caxton", on, caxton_add_report,
	    caxton_add_report, o, &c, e);
}

/* ---- a single workload ----------------------------------------------------------- */

/* The command line without the flags of the rules, and without those that write
 * files. */
static const char *const *
own_args(struct campaign *c, const char *words, const struct flag_line *l,
    const struct flag *own)
{
	const char **args = arena_zero(&c->arena, (l->given_n +
	    l->operands_n + 8) * sizeof *args);
	struct str rest = str_of(words), word;
	size_t n = 0;

	while (str_next(&rest, ' ', &word))
		args[n++] = arena_str(&c->arena, word).p;
	for (size_t i = 0; i < l->given_n && n + 1 < MEASURE_ARGS; i++) {
		const struct flag *f = l->given[i].flag;

		if (!flags_has(own, f) || strcmp(f->name, "json") == 0 ||
		    strcmp(f->name, "markdown") == 0)
			continue;
		args[n++] = arena_fmt(&c->arena, "--%s=%.*s", f->name, FMT(l->given[i].value)).p;
	}
	for (size_t i = 0; i < l->operands_n && n + 1 < MEASURE_ARGS; i++)
		args[n++] = arena_str(&c->arena, l->operand[i]).p;
	return args;
}

/* --json and --markdown are the workload's own rows. */
static const char *
own_file(const struct flag_line *l, const char *name)
{
	struct str s = line_text(l, name);

	return s.n > 0 ? s.p : NULL;
}

static int
write_single(const struct campaign *c, const struct rules *r, const struct flag_line *l,
    struct err *e)
{
	const struct output out[] = { { doc_add_text, "-" },
		{ doc_add_markdown, own_file(l, "markdown") },
		{ doc_add_page, r->html }, { doc_add_json, own_file(l, "json") } };
	struct doc *d = mem_new(struct doc);
	struct buf text = BUF(ALL_BYTES);
	int rc;

	bout_add_json(c, &c->bout[0], &text);
	rc = doc_parse(d, buf_str(&text), c->name, e);
	if (rc == OK)
		rc = output_write(out, COUNT(out), d, e);
	if (rc == OK) {
		buf_clear(&text);
		json_add_fmt(&text, "RESULT %p\n", (void *)json_get(d->element[0], S("result")));
		fwrite(text.p, 1, text.n, stdout);
	}
	doc_release(d);
	free(d);
	buf_release(&text);
	return rc;
}

static int
single_run(struct campaign *c, const struct rules *r, const struct flag_line *l, struct err *e)
{
	int rc = OK;

	if (r->save_baseline != NULL && !baseline_name(r->save_baseline))
		rc = err_set(e, ERR_INVALID, "--save-baseline: \"%.60s\" is no name of letters, "
		    "digits, '.', '_' and '-'", r->save_baseline);
	if (rc == OK && r->baseline != NULL)
		rc = baseline_use(r->results, r->baseline, c, e);
	if (rc == OK)
		rc = campaign_run(c, e);
	if (rc == OK && c->bout[0].state == BOUT_FAILED)
		rc = err_set(e, ERR_INVALID, "%s", c->bout[0].why);
	if (rc == OK && r->save_baseline != NULL)
		rc = baseline_save(r->results, r->save_baseline, c, e);
	if (rc == OK)
		rc = write_single(c, r, l, e);
	return rc != OK ? rc : c->passed ? 0 : 1;
}

int
bench_measure(const char *words, const struct flag_line *l, const struct flag *own,
    int argc, char *const *argv, struct err *e)
{
	const char *name = strchr(words, ' ') + 1;
	struct bout b = { .row = suite_find_command(str_of(name)), .timeout = TIMEOUT_MS };
	struct campaign c = { .argc = argc, .argv = argv };
	struct rules r = { 0 };
	int rc = flags_default(bench_rule_flags, &r, e);

	if (rc == OK)
		rc = flags_store(bench_rule_flags, l, &r, e);
	if (rc == OK)
		rc = campaign_init(&c, name, &r, e);
	if (rc != OK)
		return rc;
	snprintf(b.id, sizeof b.id, "%s", name);
	b.args[0] = own_args(&c, words, l, own);
	c.bout = &b;
	c.bouts_n = 1;
	rc = single_run(&c, &r, l, e);
	campaign_release(&c);
	return rc;
}

/* ---- compare --------------------------------------------------------------------- */

static int
executable(struct side *s, const char *name, const char *dir, struct err *e)
{
	char *real = realpath(name, NULL);
	int rc = OK;

	if (real == NULL || access(real, X_OK) != 0)
		rc = err_set(e, ERR_NOTFOUND, "\"%s\" is neither a baseline in %s nor an "
		    "executable: %s", name, dir, strerror(errno));
	else
		snprintf(s->path, sizeof s->path, "%s", real);
	snprintf(s->name, sizeof s->name, "%.*s", FMT(str_cut(str_of(name), sizeof s->name - 1)));
	free(real);
	return rc;
}

static int
current_side(struct campaign *c, const char *current, const char *dir, struct err *e)
{
	struct campaign other = { .arena = ARENA(MB) };
	int rc = OK;

	if (current == NULL)
		return OK;
	if (!baseline_is(dir, current))
		return executable(&c->side[0], current, dir, e);
	rc = baseline_bouts(dir, current, &other, STR_NONE, e);
	c->side[0] = other.side[1];
	arena_release(&other.arena);
	return rc;
}

static int
compare_sides(struct campaign *c, const char *base, const char *current,
    const struct compare_options *o, struct err *e)
{
	const char *dir = o->rules.results;
	bool on[SUITE_ROWS];
	int rc = current_side(c, current, dir, e);

	if (rc != OK)
		return rc;
	if (baseline_is(dir, base))
		return o->full ? err_set(e, ERR_INVALID, "--full: a baseline has its own command "
		    "lines") : baseline_bouts(dir, base, c, str_of(o->only), e);
	rc = executable(&c->side[1], base, dir, e);
	if (rc == OK)
		rc = suite_only(str_of(o->only), on, e);
	if (rc != OK)
		return rc;
	c->sides_n = 2;
	c->bout = arena_zero(&c->arena, suite_rows_n * sizeof *c->bout);
	for (size_t i = 0; i < suite_rows_n; i++) {
		struct bout *b = &c->bout[c->bouts_n];

		if (!on[i] || !campaign_row(c, b, &suite_rows[i], o->full))
			continue;
		b->args[1] = b->args[0];
		c->bouts_n++;
	}
	return OK;
}

int
bench_compare(const char *base, const char *current, const struct compare_options *o,
    int argc, char *const *argv, struct err *e)
{
	const struct output out[] = { { doc_add_text, "-" },
		{ doc_add_markdown, o->rules.markdown }, { doc_add_page, o->rules.html },
		{ doc_add_changes, o->rules.json } };
	struct campaign c = { .argc = argc, .argv = argv };
	struct doc *d = mem_new(struct doc);
	struct rules r = o->rules;
	struct buf text = BUF(ALL_BYTES);
	int rc;

	r.baseline = base;
	rc = campaign_init(&c, "compare", &r, e);
	if (rc == OK)
		rc = compare_sides(&c, base, current, o, e);
	if (rc == OK)
		rc = campaign_run(&c, e);
	if (rc == OK) {
		campaign_add_json(&c, &text);
		rc = doc_parse(d, buf_str(&text), "compare", e);
	}
	if (rc == OK)
		rc = output_write(out, COUNT(out), d, e);
	if (rc == OK) {
		print_result(&c, c.passed);
		rc = c.passed ? 0 : 1;
	}
	campaign_release(&c);
	doc_release(d);
	free(d);
	buf_release(&text);
	return rc;
}
