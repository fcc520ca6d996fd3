/*
 * show.c - results and comparisons as tables: for a terminal, or as Markdown.
 *
 * Texts of cases are anyone's: what would move a terminal's cursor or break a table is
 * shown as a blank.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>

#include "eval/result.h"

#define CELL_BYTES 256
#define COLUMNS    8
#define HASH_SHOWN 12

/* ---- tables -------------------------------------------------------------------------------- */

/* Rows are kept until the widths are known. */
struct table {
	enum eval_form form;
	size_t columns;
	bool left[COLUMNS];                  /* else numbers, to the right */
	struct buf cells;                    /* each ends with NUL */
	size_t n;
};

static void
cell(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
cell(struct table *t, const char *format, ...)
{
	struct buf b = BUF(64 * KB);
	struct str s;
	va_list ap;

	va_start(ap, format);
	buf_add_vfmt(&b, format, ap);
	va_end(ap);
	s = str_cut(buf_str(&b), CELL_BYTES);
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ||
		    (t->form == EVAL_MARKDOWN && (s.p[i] == '|' || s.p[i] == '<')))
			b.p[i] = ' ';
	buf_add(&t->cells, s);
	buf_add_char(&t->cells, '\0');
	buf_release(&b);
	t->n++;
}

static void
add_row(const struct table *t, struct buf *out, struct str *rest, const size_t *width)
{
	bool markdown = t->form == EVAL_MARKDOWN;
	struct str part;

	buf_add(out, markdown ? S("|") : S(" "));
	for (size_t k = 0; k < t->columns && str_next(rest, '\0', &part); k++) {
		size_t pad = width[k] - str_characters(part);

		buf_add_char(out, ' ');
		for (size_t i = 0; i < pad && !t->left[k] && !markdown; i++)
			buf_add_char(out, ' ');
		buf_add(out, part);
		for (size_t i = 0; i < pad && t->left[k] && !markdown && k + 1 < t->columns; i++)
			buf_add_char(out, ' ');
		buf_add(out, markdown ? S(" |") : k + 1 < t->columns ? S(" ") : S(""));
	}
	buf_add_char(out, '\n');
}

static void
table_end(struct table *t, struct buf *out)
{
	struct str rest = buf_str(&t->cells), part;
	size_t width[COLUMNS] = { 0 };

	for (size_t i = 0; i < t->n && str_next(&rest, '\0', &part); i++)
		if (str_characters(part) > width[i % t->columns])
			width[i % t->columns] = str_characters(part);
	rest = buf_str(&t->cells);
	for (size_t i = 0; i < t->n; i += t->columns) {
		add_row(t, out, &rest, width);
		if (i == 0 && t->form == EVAL_MARKDOWN) {
			buf_add_char(out, '|');
			for (size_t k = 0; k < t->columns; k++)
				buf_add(out, t->left[k] ? S(" --- |") : S(" ---: |"));
			buf_add_char(out, '\n');
		}
	}
	buf_release(&t->cells);
}

static struct table
table(enum eval_form form, size_t columns)
{
	return (struct table){ .form = form, .columns = columns, .left = { [0] = true },
		.cells = BUF((size_t)LIMIT_EVAL_RESULT_BYTES) };
}

/* ---- a result -------------------------------------------------------------------------------- */

static void
add_head(struct buf *b, const struct eval_result *r, enum eval_form form)
{
	if (form == EVAL_MARKDOWN)
		buf_lit(b, "## ");
	buf_add_fmt(b, "%.*s: agent %.*s", FMT(r->eval), FMT(r->agent));
	if (r->agent_hash.n > 0)
		buf_add_fmt(b, " (%.*s)", FMT(str_cut(r->agent_hash, HASH_SHOWN)));
	if (r->model.n > 0)
		buf_add_fmt(b, ", %.*s", FMT(r->model));
	if (r->url.n > 0)
		buf_add_fmt(b, ", %.*s", FMT(r->url));
	buf_add_fmt(b, ", %zu run%s of %lld case%s, %.*s\n\n", r->rows_n, r->rows_n == 1 ? "" : "s",
	    (long long)r->cases, r->cases == 1 ? "" : "s", FMT(r->started));
	if (r->partial)
		buf_add_fmt(b, "It is partial: it was stopped before all of %lld runs.\n\n",
		    (long long)(r->cases * r->repeat));
}

static void
add_scores(struct buf *b, const struct eval_result *r, const struct eval_summary *s,
    enum eval_form form)
{
	struct table t = table(form, 5);

	cell(&t, "scorer");
	cell(&t, "mean");
	cell(&t, "95 %% interval");
	cell(&t, "passed");
	cell(&t, "gate");
	for (size_t i = 0; i < r->scorers_n; i++) {
		cell(&t, "%.*s", FMT(r->scorer[i].name));
		cell(&t, "%.3f", s->scorer[i].mean);
		cell(&t, "%.3f..%.3f", s->scorer[i].low, s->scorer[i].high);
		cell(&t, "%zu/%zu", s->scorer[i].passed, r->rows_n);
		if (isnan(r->threshold))
			cell(&t, "-");
		else
			cell(&t, "%s %g", eval_below(r, s, i) ? "below" : "at least", r->threshold);
	}
	table_end(&t, b);
}

bool
eval_row_passed(const struct eval_result *r, const struct eval_row *row)
{
	bool ok = row->error.n == 0;

	for (size_t i = 0; i < r->scorers_n && ok; i++)
		ok = row->score[i].score >= r->scorer[i].pass;
	return ok;
}

static void
add_case(struct table *t, const struct eval_result *r, const struct eval_row *row, bool all)
{
	char again[24] = "";

	if (r->repeat > 1)
		snprintf(again, sizeof again, " #%lld", (long long)row->repeat);
	if (row->error.n > 0) {
		cell(t, "%.*s%s", FMT(row->id), again);
		cell(t, "error");
		cell(t, "0");
		cell(t, "%.*s", FMT(row->error));
		return;
	}
	for (size_t i = 0; i < r->scorers_n; i++) {
		if (!all && row->score[i].score >= r->scorer[i].pass)
			continue;
		cell(t, "%.*s%s", FMT(row->id), again);
		cell(t, "%.*s", FMT(r->scorer[i].name));
		cell(t, "%.3g", row->score[i].score);
		cell(t, "%.*s", FMT(row->score[i].why));
	}
}

static void
add_cases(struct buf *b, const struct eval_result *r, enum eval_form form, bool all)
{
	struct table t = table(form, 4);
	size_t n = 0;

	t.left[1] = t.left[3] = true;
	cell(&t, "case");
	cell(&t, "scorer");
	cell(&t, "score");
	cell(&t, "why");
	for (size_t i = 0; i < r->rows_n; i++)
		if (all || !eval_row_passed(r, &r->row[i])) {
			add_case(&t, r, &r->row[i], all);
			n++;
		}
	if (n > 0) {
		buf_add_fmt(b, "\n%s\n\n", all ? "All runs:" : "Not passed:");
		table_end(&t, b);
	}
	buf_release(&t.cells);
}

void
eval_add_report(struct buf *b, const struct eval_result *r, enum eval_form form, bool all)
{
	struct eval_summary s;

	eval_summarize(r, &s);
	add_head(b, r, form);
	add_scores(b, r, &s, form);
	buf_add_fmt(b, "\n%lld tokens in, %lld out", (long long)s.usage.input_tokens,
	    (long long)s.usage.output_tokens);
	if (s.usage.cost_nano > 0)
		buf_add_fmt(b, ", USD %.4f", (double)s.usage.cost_nano / 1e9);
	if (s.judge.input_tokens > 0)
		buf_add_fmt(b, "; judges %lld in, %lld out, USD %.4f",
		    (long long)s.judge.input_tokens, (long long)s.judge.output_tokens,
		    (double)s.judge.cost_nano / 1e9);
	buf_add_fmt(b, "; a run takes %.1f ms (p50), %.1f ms (p95)\n", s.ms_p50, s.ms_p95);
	if (s.errors > 0)
		buf_add_fmt(b, "%zu run%s failed and count%s as 0.\n", s.errors,
		    s.errors == 1 ? "" : "s", s.errors == 1 ? "s" : "");
	add_cases(b, r, form, all);
}

/* ---- a comparison ------------------------------------------------------------------------------ */

static void
add_compared(struct table *t, const struct eval_compared *c, int digits)
{
	cell(t, "%.*s", FMT(c->name));
	cell(t, "%.*f", digits, c->a);
	cell(t, "%.*f", digits, c->b);
	cell(t, "%+.*f", digits, c->d.mean);
	cell(t, "%+.*f..%+.*f", digits, c->d.low, digits, c->d.high);
	cell(t, "%s", eval_verdicts[c->verdict]);
}

static void
add_figures(struct buf *b, const struct eval_comparison *c, enum eval_form form)
{
	struct table t = table(form, 6);
	static const char *const heads[] = { "scorer", "A", "B", "difference", "interval",
		"verdict" };

	t.left[5] = true;
	for (size_t i = 0; i < COUNT(heads); i++)
		cell(&t, "%s", heads[i]);
	for (size_t i = 0; i < c->scorers_n; i++)
		add_compared(&t, &c->scorer[i], 3);
	if (c->tokens.a > 0 || c->tokens.b > 0)
		add_compared(&t, &c->tokens, 1);
	if (c->cost.a > 0 || c->cost.b > 0)
		add_compared(&t, &c->cost, 6);
	table_end(&t, b);
	buf_add_fmt(b, "\nA case takes %.1f ms in A, %.1f ms in B; the median ratio is %.2f "
	    "(%.2f..%.2f).\n", c->ms_a, c->ms_b, c->ms.median, c->ms.low, c->ms.high);
}

static void
add_turned(struct buf *b, const struct eval_comparison *c, bool worse, enum eval_form form)
{
	struct table t = table(form, 4);
	size_t n = 0;

	t.left[1] = t.left[3] = true;
	cell(&t, "case");
	cell(&t, "scorer");
	cell(&t, "A to B");
	cell(&t, "%s", worse ? "why" : "");
	for (size_t i = 0; i < c->turned_n; i++) {
		const struct eval_turned *x = &c->turned[i];

		if (x->worse != worse)
			continue;
		cell(&t, "%.*s", FMT(x->id));
		cell(&t, "%.*s", FMT(x->scorer));
		cell(&t, "%.3g to %.3g", x->a, x->b);
		cell(&t, "%.*s", FMT(x->why));
		n++;
	}
	if (n > 0) {
		buf_add_fmt(b, "\n%s\n\n", worse ? "Passed in A, not in B:" :
		    "Passed in B, not in A:");
		table_end(&t, b);
	}
	buf_release(&t.cells);
}

void
eval_add_comparison(struct buf *b, const struct eval_result *a, const struct eval_result *with,
    const struct eval_comparison *c, enum eval_form form)
{
	buf_lit(b, "A ");
	add_head(b, a, EVAL_TEXT);
	buf_cut(b, b->n - 1);
	buf_lit(b, "B ");
	add_head(b, with, EVAL_TEXT);
	if (!str_eq(a->dataset_hash, with->dataset_hash))
		buf_lit(b, "The datasets differ; cases are paired by id.\n");
	buf_add_fmt(b, "%zu case%s in both", c->pairs, c->pairs == 1 ? "" : "s");
	if (c->only_a + c->only_b > 0)
		buf_add_fmt(b, ", %zu only in A, %zu only in B", c->only_a, c->only_b);
	buf_add_fmt(b, "; intervals of %.4g %%; differences within %g are none\n\n",
	    100 * c->confidence, c->margin);
	add_figures(b, c, form);
	add_turned(b, c, true, form);
	add_turned(b, c, false, form);
}
