/*
 * cmd_eval.c - `cohort eval run|compare|report`: an agent over a dataset, scored; two
 * results compared.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "main/cmd.h"
#include "main/eval_files.h"
#include "main/eval_page.h"
#include "main/eval_run.h"
#include "workcli/replace.h"

#define SHOWN_BYTES (256 * MB)
#define SAVE_EVERY  NS_PER_S                 /* a partial result: what a kill leaves */
#define SAVE_PART   20                       /* and no more than a 20th of the time for it */
#define EXIT_SIGNAL 130

const struct flag cmd_eval_run_flags[] = {
	{ "agent", .kind = FLAG_TEXT, .value = "AGENT", .help = "instead of the eval's: a built-in "
	    "one's id, a file, or with --url an assistant" },
	{ "model", .kind = FLAG_TEXT, .value = "NAME", .help = "provider:name, where the agent's "
	    "file names none; default: the scripted one if the eval has a script, else as agent run" },
	{ "script", .kind = FLAG_TEXT, .value = "FILE", .help = "answers of the scripted model, "
	    "instead of the eval's" },
	{ "results", .kind = FLAG_TEXT, .value = "DIR", .fallback = "eval-results",
	    .help = "where the result is written: DIR/EVAL/TIME.json" },
	{ "tag", .kind = FLAG_TEXT, .value = "TAG", .help = "only cases with this tag" },
	{ "max-cases", .kind = FLAG_INT, .value = "N", .min = 1, .max = LIMIT_EVAL_CASES,
	    .help = "only the first N of them" },
	{ "repeat", .kind = FLAG_INT, .value = "N", .min = 1, .max = LIMIT_EVAL_REPEAT,
	    .help = "run each case N times, instead of what the eval says" },
	{ "jobs", .letter = 'j', .kind = FLAG_INT, .value = "N", .fallback = "1", .min = 1,
	    .max = LIMIT_EVAL_JOBS, .help = "so many cases at once" },
	{ "all", .help = "show cases that passed too" },
	{ "quiet", .help = "print only where the result is" },
	{ "url", .kind = FLAG_TEXT, .value = "URL", .help = "run an assistant of this server" },
	{ "token", .kind = FLAG_TEXT, .value = "TOKEN", .help = "authenticates there; better "
	    "COHORT_TOKEN or COHORT_API_KEY in the environment" },
	{ NULL }
};

const struct flag cmd_eval_compare_flags[] = {
	{ "margin", .kind = FLAG_TEXT, .value = "SCORE", .fallback = EVAL_MARGIN_TEXT,
	    .help = "differences of a mean within it do not matter" },
	{ "markdown", .help = "as Markdown" },
	{ NULL }
};

const struct flag cmd_eval_report_flags[] = {
	{ "all", .help = "show cases that passed too" },
	{ "markdown", .help = "as Markdown" },
	{ "html", .kind = FLAG_TEXT, .value = "FILE", .help = "as a page that needs nothing else, "
	    "with outputs, and of several results compared with the first; - is stdout" },
	{ NULL }
};

static int
failed(const char *command, const struct err *e)
{
	fprintf(stderr, "cohort %s: %s\n", command, e->text);
	return 1;
}

static void
print(struct buf *b)
{
	fwrite(b->p, 1, b->n, stdout);
	fflush(stdout);
	buf_release(b);
}

/* ---- run --------------------------------------------------------------------------------- */

struct run {
	struct eval_files files;
	struct eval_plan plan;
	struct eval_result result;
	struct buf path;                     /* of the result */
	size_t *chosen;
	nsec saved, rest;                    /* until the next time */
	bool tty;
};

/* Saves a partial result now and then: a large one takes longer to sum up and write. */
static void
save_partial(struct run *x)
{
	nsec began = clock_mono();
	struct err e;

	if (began - x->saved < x->rest)
		return;
	x->result.partial = true;
	(void)eval_result_put(&x->result, x->path.p, &e);    /* the last one counts */
	x->result.partial = false;
	x->saved = clock_mono();
	x->rest = SAVE_EVERY + SAVE_PART * (x->saved - began);
}

static void
progress(void *ctx, const struct eval_result *r, size_t all)
{
	struct run *x = ctx;
	const struct eval_row *last = &r->row[r->rows_n - 1];

	if (x->tty)
		fprintf(stderr, "\r\033[K%zu/%zu %.*s%s", r->rows_n, all,
		    FMT(str_cut(last->id, 40)), last->error.n > 0 ? " failed" : "");
	if (r->rows_n < all)
		save_partial(x);
}

static int
choose(struct run *x, const struct flag_line *line, struct err *e)
{
	struct str tag = line_text(line, "tag");
	int64_t max = LIMIT_EVAL_CASES;

	(void)str_to_i64(line_text(line, "max-cases"), &max);
	x->chosen = mem_alloc((x->files.cases.n + 1) * sizeof *x->chosen);
	for (size_t i = 0; i < x->files.cases.n; i++)
		if (x->plan.chosen_n < (size_t)max &&
		    (tag.n == 0 || eval_case_has_tag(&x->files.cases.at[i], tag)))
			x->chosen[x->plan.chosen_n++] = i;
	x->plan.chosen = x->chosen;
	return x->plan.chosen_n > 0 ? OK : err_set(e, ERR_NOTFOUND, "no case has the tag '%.*s'",
	    FMT(str_cut(tag, 100)));
}

static void
set_plan(struct run *x, const struct flag_line *line)
{
	struct eval_plan *p = &x->plan;
	const struct eval_files *f = &x->files;
	bool has_url = line_has(line, "url");
	struct str own = eval_is_file(f->v.agent) && !has_url ? buf_str(&f->agent_path) :
	    f->v.agent;

	p->v = &f->v;
	p->cases = &f->cases;
	p->agent = line_has(line, "agent") ? line_text(line, "agent") : own;
	p->script = line_has(line, "script") ? line_text(line, "script") :
	    buf_str(&f->script_path);
	p->model = line_text(line, "model");
	if (p->model.n == 0 && p->script.n > 0)
		p->model = S("scripted:default");
	p->folder = f->folder.p;
	p->url = line_text(line, "url");
	p->token = line_text(line, "token");
	p->jobs = 1;
	(void)str_to_i64(line_text(line, "jobs"), &p->jobs);
	p->progress = progress;
	p->ctx = x;
}

static int
prepare(struct run *x, const struct flag_line *line, struct err *e)
{
	char started[CLOCK_ISO_SIZE];
	int rc = eval_files_read(&x->files, line->operand[0].p, e);

	if (rc != OK)
		return rc;
	(void)str_to_i64(line_text(line, "repeat"), &x->files.v.repeat);
	set_plan(x, line);
	eval_result_init(&x->result, &x->files.v);
	clock_write_iso(started, clock_wall_ms());
	x->result.started = eval_result_text(&x->result, (struct str){ started, sizeof started });
	x->result.agent = eval_result_text(&x->result, x->plan.agent);
	x->result.url = eval_result_text(&x->result, x->plan.url);
	x->result.dataset_hash = str_of(x->files.hash);
	rc = choose(x, line, e);
	x->result.cases = (int64_t)x->plan.chosen_n;
	if (rc == OK && x->plan.url.n > 0)
		rc = eval_cases_check_remote(&x->files.cases, buf_str(&x->files.dataset_path), e);
	if (rc == OK)
		rc = eval_plan_check(&x->plan, &x->result, e);
	if (rc == OK)
		rc = eval_result_path(&x->path, line_has(line, "results") ?
		    line_text(line, "results").p : "eval-results", &x->result, e);
	return rc;
}

/* Below the threshold, or nothing could be run. */
static int
exit_code(const struct eval_result *r)
{
	struct eval_summary s;
	bool below = false;

	eval_summarize(r, &s);
	for (size_t i = 0; i < r->scorers_n; i++)
		below = below || eval_below(r, &s, i);
	return below || s.errors == r->rows_n ? 1 : 0;
}

static int
run(const char *command, const struct flag_line *line)
{
	struct run x = { .path = BUF(4096), .tty = isatty(STDERR_FILENO), .saved = clock_mono(),
		.rest = SAVE_EVERY };
	struct buf out = BUF(SHOWN_BYTES);
	struct err e = { 0 };
	int rc = prepare(&x, line, &e), code = 1, ran = OK;

	if (rc == OK) {
		ran = rc = eval_run(&x.plan, &x.result, &e);
		if (x.tty)
			fputs("\r\033[K", stderr);
		if (rc == ERR_CANCELLED)
			rc = OK;
	}
	if (rc == OK)
		rc = eval_result_put(&x.result, x.path.p, &e);
	if (rc == OK) {
		if (!line_has(line, "quiet")) {
			eval_add_report(&out, &x.result, EVAL_TEXT, line_has(line, "all"));
			buf_add_char(&out, '\n');
		}
		buf_add_fmt(&out, "%s\n", x.path.p);
		code = exit_code(&x.result);
	} else {
		failed(command, &e);
	}
	print(&out);
	if (ran != OK)
		_exit(ran == ERR_CANCELLED ? EXIT_SIGNAL : 1);   /* threads are at work */
	eval_result_release(&x.result);
	eval_files_release(&x.files);
	buf_release(&x.path);
	free(x.chosen);
	return code;
}

/* ---- compare, report ----------------------------------------------------------------------- */

static int
compare(const char *command, const struct flag_line *line)
{
	struct str margin = line_has(line, "margin") ? line_text(line, "margin") : S(EVAL_MARGIN_TEXT);
	struct eval_result a = { 0 }, b = { 0 };
	struct eval_comparison c = { 0 };
	struct buf newest = BUF(4096), out = BUF(SHOWN_BYTES);
	struct err e = { 0 };
	double width = 0;
	int rc = OK, code = 0;

	if (!str_to_double(margin, &width) || !(width >= 0 && width <= 1))
		rc = err_set(&e, ERR_INVALID, "--margin: expected a number from 0 to 1");
	if (rc == OK && line->operands_n == 1)
		rc = eval_result_newest(&newest, line->operand[0].p, &e);
	if (rc == OK)
		rc = eval_result_get(&a, line->operand[0].p, &e);
	if (rc == OK)
		rc = eval_result_get(&b, newest.n > 0 ? newest.p : line->operand[1].p, &e);
	if (rc == OK)
		rc = eval_compare(&a, &b, width, &c, &e);
	if (rc == OK) {
		eval_add_comparison(&out, &a, &b, &c, line_has(line, "markdown") ?
		    EVAL_MARKDOWN : EVAL_TEXT);
		code = eval_is_worse(&c);
	} else {
		code = failed(command, &e);
	}
	print(&out);
	eval_comparison_release(&c);
	eval_result_release(&a);
	eval_result_release(&b);
	buf_release(&newest);
	return code;
}

static int
put_page(const struct flag_line *line, const struct eval_result *r, size_t n, struct err *e)
{
	struct str file = line_text(line, "html");
	struct buf out = BUF(SHOWN_BYTES);
	int rc = eval_page_add(&out, r, n, e);

	if (rc == OK && out.failed)
		rc = err_set(e, ERR_TOOBIG, "the page is too large");
	if (rc == OK && !str_eq(file, S("-")))
		rc = replace_file(file.p, buf_str(&out), e);
	else if (rc == OK)
		fwrite(out.p, 1, out.n, stdout);
	buf_release(&out);
	return rc;
}

static int
report(const char *command, const struct flag_line *line)
{
	struct eval_result r[LIMIT_EVAL_PAGE_RESULTS] = { 0 };
	struct buf out = BUF(SHOWN_BYTES);
	struct err e = { 0 };
	bool html = line_text(line, "html").n > 0;
	size_t n = line->operands_n;
	int rc = OK;

	if (html && (line_has(line, "all") || line_has(line, "markdown"))) {
		n = 0;
		rc = err_set(&e, ERR_INVALID, "--html: a page shows all cases; --all and --markdown "
		    "are for the terminal");
	} else if (n > (html ? COUNT(r) : 1)) {
		n = 0;
		rc = err_set(&e, ERR_INVALID, html ? "%d results are the most on one page" :
		    "several results: only with --html", LIMIT_EVAL_PAGE_RESULTS);
	}
	for (size_t i = 0; i < n && rc == OK; i++)
		rc = eval_result_get(&r[i], line->operand[i].p, &e);
	if (rc == OK && html)
		rc = put_page(line, r, n, &e);
	else if (rc == OK)
		eval_add_report(&out, r, line_has(line, "markdown") ? EVAL_MARKDOWN : EVAL_TEXT,
		    line_has(line, "all"));
	print(&out);
	for (size_t i = 0; i < n; i++)
		eval_result_release(&r[i]);
	return rc == OK ? 0 : failed(command, &e);
}

/* ---- the commands ----------------------------------------------------------------------------- */

static int
with_line(const struct flag_command *cmd, int argc, char **argv,
    int (*act)(const char *command, const struct flag_line *line))
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line line;
	struct err e = { 0 };
	int code = line_parse(&line, cmd, argc, argv, &a, &e) < 0 ||
	    line_check_values(&line, &e) != OK ? command_usage_error(cmd->name, &e) :
	    act(cmd->name, &line);

	arena_release(&a);
	return code;
}

int
cmd_eval_run(const struct flag_command *cmd, int argc, char **argv)
{
	return with_line(cmd, argc, argv, run);
}

int
cmd_eval_compare(const struct flag_command *cmd, int argc, char **argv)
{
	return with_line(cmd, argc, argv, compare);
}

int
cmd_eval_report(const struct flag_command *cmd, int argc, char **argv)
{
	return with_line(cmd, argc, argv, report);
}
