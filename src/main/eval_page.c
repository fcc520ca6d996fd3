/*
 * eval_page.c - see eval_page.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/eval_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "bench/plot.h"

#define OPENED 20                            /* cases that are unfolded at first */

static const char style[] =
	"<style>.sides{display:grid;grid-template-columns:1fr 1fr;gap:0 1.5rem}"
	".sides>*{min-width:0}@media(max-width:45rem){.sides{display:block}}"
	"details{border-bottom:1px solid #8884}summary{padding:.3rem 0;cursor:pointer}"
	"summary span{margin-left:.8rem}details pre{background:#8881;padding:.6rem;margin:.4rem 0}"
	"td.why,th.why{text-align:left}bdi{unicode-bidi:isolate}</style>\n";

static void
add_cell(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
add_cell(struct buf *b, const char *format, ...)
{
	struct buf text = BUF(64 * KB);
	va_list ap;

	va_start(ap, format);
	buf_add_vfmt(&text, format, ap);
	va_end(ap);
	page_add_between(b, "<td>", buf_str(&text), "</td>");
	buf_release(&text);
}

static void
add_table(struct buf *b, const char *label, const char *heads)
{
	buf_add_fmt(b, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">"
	    "<table><tr>%s</tr>\n", label, heads);
}

/* ---- a result ------------------------------------------------------------------------------ */

static void
add_head(struct buf *b, const char *side, const struct eval_result *r)
{
	buf_add_fmt(b, "<p><b>%s</b>%s", side, side[0] != '\0' ? " " : "");
	page_add_between(b, "agent <bdi>", r->agent, "</bdi>");
	if (r->agent_hash.n > 0)
		page_add_between(b, " (", str_cut(r->agent_hash, 12), ")");
	if (r->model.n > 0)
		page_add_between(b, ", <bdi>", r->model, "</bdi>");
	if (r->url.n > 0)
		page_add_between(b, ", <bdi>", r->url, "</bdi>");
	buf_add_fmt(b, ", %zu run%s of %lld case%s", r->rows_n, r->rows_n == 1 ? "" : "s",
	    (long long)r->cases, r->cases == 1 ? "" : "s");
	page_add_between(b, " of <bdi>", r->dataset, "</bdi>");
	if (r->dataset_hash.n > 0)
		page_add_between(b, " (", str_cut(r->dataset_hash, 12), ")");
	page_add_between(b, ", ", r->started, ", cohort ");
	page_add_between(b, "", r->version, "</p>\n");
	if (r->partial)
		buf_add_fmt(b, "<p class=\"bad\">It is partial: it was stopped before all of %lld "
		    "runs.</p>\n", (long long)(r->cases * r->repeat));
}

static void
add_tokens(struct buf *b, const struct eval_usage *u)
{
	buf_add_fmt(b, "%lld tokens in, %lld out", (long long)u->input_tokens,
	    (long long)u->output_tokens);
	if (u->cost_nano > 0)
		buf_add_fmt(b, ", USD %.4f", (double)u->cost_nano / 1e9);
}

static void
add_costs(struct buf *b, const char *side, const struct eval_summary *s)
{
	buf_add_fmt(b, "<p>%s", side);
	add_tokens(b, &s->usage);
	if (s->judge.input_tokens > 0) {
		buf_lit(b, "; judges ");
		add_tokens(b, &s->judge);
	}
	buf_add_fmt(b, "; a run takes %.1f ms (p50), %.1f ms (p95)", s->ms_p50, s->ms_p95);
	if (s->errors > 0)
		buf_add_fmt(b, "; <span class=\"bad\">%zu run%s failed and count%s as 0</span>",
		    s->errors, s->errors == 1 ? "" : "s", s->errors == 1 ? "s" : "");
	buf_lit(b, "</p>\n");
}

static void
add_scores(struct buf *b, const struct eval_result *r, const struct eval_summary *s)
{
	add_table(b, "Scores", "<th>scorer</th><th>kind</th><th>mean</th><th>95 % interval</th>"
	    "<th>passed</th><th>gate</th>");
	for (size_t i = 0; i < r->scorers_n; i++) {
		bool below = eval_below(r, s, i);

		buf_lit(b, "<tr>");
		add_cell(b, "%.*s", FMT(r->scorer[i].name));
		add_cell(b, "%.*s", FMT(r->scorer[i].kind));
		add_cell(b, "%.3f", s->scorer[i].mean);
		add_cell(b, "%.3f..%.3f", s->scorer[i].low, s->scorer[i].high);
		add_cell(b, "%zu/%zu", s->scorer[i].passed, r->rows_n);
		if (isnan(r->threshold))
			buf_lit(b, "<td>-</td></tr>\n");
		else
			buf_add_fmt(b, "<td class=\"%s\">%s %g</td></tr>\n", below ? "bad" : "good",
			    below ? "below" : "at least", r->threshold);
	}
	buf_lit(b, "</table></div>\n");
}

/* ---- a run of a case ------------------------------------------------------------------------- */

static void
add_output(struct buf *b, struct str json)
{
	struct val v;
	struct err e;
	struct str text = json, shown;

	if (val_json(&v, json, &e) != OK)
		v = VAL_UNDEF;
	if (v.kind == VAL_STRING)
		text = val_str(v);
	shown = str_cut(text, LIMIT_EVAL_PAGE_OUTPUT);
	page_add_between(b, "<pre>", shown, "</pre>\n");
	if (shown.n < text.n)
		buf_add_fmt(b, "<p class=\"dim\">%zu bytes more</p>\n", text.n - shown.n);
	val_drop(v);
}

static void
add_run(struct buf *b, const struct eval_result *r, const struct eval_row *row)
{
	buf_lit(b, "<table><tr><th>scorer</th><th>score</th><th class=\"why\">why</th></tr>\n");
	for (size_t i = 0; i < r->scorers_n; i++) {
		bool ok = row->error.n == 0 && row->score[i].score >= r->scorer[i].pass;

		page_add_between(b, "<tr><td>", r->scorer[i].name, "</td>");
		buf_add_fmt(b, "<td class=\"%s\">%.3g</td>", ok ? "good" : "bad",
		    row->score[i].score);
		page_add_between(b, "<td class=\"why\"><bdi>", row->score[i].why, "</bdi></td></tr>\n");
	}
	buf_lit(b, "</table>\n");
	if (row->error.n > 0)
		page_add_between(b, "<p class=\"bad\"><bdi>", row->error, "</bdi></p>\n");
	else
		add_output(b, row->output_json);
	buf_lit(b, "<p class=\"dim\">");
	add_tokens(b, &row->usage);
	buf_add_fmt(b, ", %.1f ms</p>\n", row->ms);
}

static void
add_summary(struct buf *b, const struct eval_row *row, int64_t repeats, bool open)
{
	buf_add_fmt(b, "<details%s><summary>", open ? " open" : "");
	page_add_between(b, "<b><bdi>", row->id, "</bdi></b>");
	if (repeats > 1)
		buf_add_fmt(b, " #%lld", (long long)row->repeat);
}

/* How many cases the page has room for. */
struct room { size_t shown, left; };

static bool
take_room(struct room *x)
{
	if (x->shown < LIMIT_EVAL_PAGE_CASES) {
		x->shown++;
		return true;
	}
	x->left++;
	return false;
}

static void
add_left(struct buf *b, const struct room *x)
{
	if (x->left > 0)
		buf_add_fmt(b, "<p>%zu more are not shown.</p>\n", x->left);
}

static void
add_rows(struct buf *b, const struct eval_result *r, bool passed, struct room *room)
{
	size_t n = 0;

	for (size_t i = 0; i < r->rows_n; i++)
		n += eval_row_passed(r, &r->row[i]) == passed;
	if (n == 0)
		return;
	buf_add_fmt(b, "<h2>%s (%zu)</h2>\n", passed ? "Passed" : "Not passed", n);
	for (size_t i = 0, k = 0; i < r->rows_n; i++) {
		const struct eval_row *row = &r->row[i];

		if (eval_row_passed(r, row) != passed || !take_room(room))
			continue;
		add_summary(b, row, r->repeat, !passed && k++ < OPENED);
		if (row->error.n > 0)
			buf_lit(b, "<span class=\"bad\">error</span>");
		for (size_t s = 0; s < r->scorers_n && row->error.n == 0; s++) {
			bool ok = row->score[s].score >= r->scorer[s].pass;

			page_add_between(b, ok ? "<span class=\"good\"><bdi>" : "<span class=\"bad\"><bdi>",
			    r->scorer[s].name, "</bdi>");
			buf_add_fmt(b, " %.3g</span>", row->score[s].score);
		}
		buf_lit(b, "</summary>\n");
		add_run(b, r, row);
		buf_lit(b, "</details>\n");
	}
}

/* ---- two results ------------------------------------------------------------------------------- */

enum change { CHANGE_WORSE, CHANGE_BETTER, CHANGE_OUTPUT, CHANGE_NONE, CHANGE_ONE_SIDE, CHANGES };
static const char *const change_names[] = { "Worse in B", "Better in B",
	"Same scores, another output", "Same", "In one of them only" };

/* The same run of a case in both; NULL: it is not there. */
struct pair { const struct eval_row *a, *b; enum change change; size_t order; };
struct paired { struct pair *at; size_t n; size_t scorers_n;
	struct { size_t a, b; struct str name; } scorer[LIMIT_EVAL_SCORERS]; };

static void
pair_scorers(struct paired *p, const struct eval_result *a, const struct eval_result *b)
{
	for (size_t i = 0; i < a->scorers_n; i++)
		for (size_t k = 0; k < b->scorers_n; k++)
			if (str_eq(a->scorer[i].name, b->scorer[k].name)) {
				p->scorer[p->scorers_n].a = i;
				p->scorer[p->scorers_n].b = k;
				p->scorer[p->scorers_n++].name = a->scorer[i].name;
			}
}

static enum change
change_of(const struct paired *p, const struct pair *x)
{
	bool up = false;

	if (x->a == NULL || x->b == NULL)
		return CHANGE_ONE_SIDE;
	for (size_t i = 0; i < p->scorers_n; i++) {
		double d = x->b->score[p->scorer[i].b].score - x->a->score[p->scorer[i].a].score;

		if (d < 0)
			return CHANGE_WORSE;
		up = up || d > 0;
	}
	return up ? CHANGE_BETTER : str_eq(x->a->output_json, x->b->output_json) &&
	    str_eq(x->a->error, x->b->error) ? CHANGE_NONE : CHANGE_OUTPUT;
}

static int
by_case(const void *x, const void *y)
{
	const struct eval_row *a = *(const struct eval_row *const *)x;
	const struct eval_row *b = *(const struct eval_row *const *)y;
	int d = str_cmp(a->id, b->id);

	return d != 0 ? d : (a->repeat > b->repeat) - (a->repeat < b->repeat);
}

static int
by_change(const void *x, const void *y)
{
	const struct pair *a = x, *b = y;

	return a->change != b->change ? (int)a->change - (int)b->change :
	    (a->order > b->order) - (a->order < b->order);
}

static const struct eval_row **
sorted(const struct eval_result *r)
{
	const struct eval_row **rows = mem_alloc((r->rows_n + 1) * sizeof *rows);

	for (size_t i = 0; i < r->rows_n; i++)
		rows[i] = &r->row[i];
	if (r->rows_n > 0)
		qsort(rows, r->rows_n, sizeof *rows, by_case);
	return rows;
}

static void
pair_rows(struct paired *p, const struct eval_result *a, const struct eval_result *b)
{
	const struct eval_row **x = sorted(a), **y = sorted(b);

	p->at = mem_zero((a->rows_n + b->rows_n + 1) * sizeof *p->at);
	for (size_t i = 0, k = 0; i < a->rows_n || k < b->rows_n; p->n++) {
		int d = i == a->rows_n ? 1 : k == b->rows_n ? -1 : by_case(&x[i], &y[k]);
		struct pair *to = &p->at[p->n];

		if (d <= 0)
			to->a = x[i++];
		if (d >= 0)
			to->b = y[k++];
		to->order = to->a != NULL ? (size_t)(to->a - a->row) :
		    a->rows_n + (size_t)(to->b - b->row);
		to->change = change_of(p, to);
	}
	qsort(p->at, p->n, sizeof *p->at, by_change);
	free(x);
	free(y);
}

static void
add_side(struct buf *b, const char *side, const struct eval_result *r,
    const struct eval_row *row)
{
	buf_add_fmt(b, "<div><p><b>%s</b></p>\n", side);
	if (row != NULL)
		add_run(b, r, row);
	else
		buf_lit(b, "<p class=\"dim\">It is not there.</p>\n");
	buf_lit(b, "</div>\n");
}

static void
add_pair(struct buf *b, const struct paired *p, const struct pair *x,
    const struct eval_result *ra, const struct eval_result *rb, bool open)
{
	int64_t repeats = ra->repeat > rb->repeat ? ra->repeat : rb->repeat;

	add_summary(b, x->a != NULL ? x->a : x->b, repeats, open);
	for (size_t i = 0; i < p->scorers_n && x->a != NULL && x->b != NULL; i++) {
		double was = x->a->score[p->scorer[i].a].score;
		double now = x->b->score[p->scorer[i].b].score;

		buf_add_fmt(b, "<span class=\"%s\">", now < was ? "bad" : now > was ? "good" : "dim");
		page_add_between(b, "<bdi>", p->scorer[i].name, "</bdi>");
		if (now < was || now > was)
			buf_add_fmt(b, " %.3g to %.3g</span>", was, now);
		else
			buf_add_fmt(b, " %.3g</span>", was);
	}
	buf_lit(b, "</summary>\n<div class=\"sides\">\n");
	add_side(b, "A", ra, x->a);
	add_side(b, "B", rb, x->b);
	buf_lit(b, "</div></details>\n");
}

static void
add_pairs(struct buf *b, const struct eval_result *ra, const struct eval_result *rb,
    struct room *room)
{
	struct paired p = { 0 };
	size_t count[CHANGES] = { 0 };

	pair_scorers(&p, ra, rb);
	pair_rows(&p, ra, rb);
	for (size_t i = 0; i < p.n; i++)
		count[p.at[i].change]++;
	for (size_t i = 0; i < p.n; i++) {
		enum change c = p.at[i].change;

		if (i == 0 || p.at[i - 1].change != c)
			buf_add_fmt(b, "<h3>%s (%zu)</h3>\n", change_names[c], count[c]);
		if (take_room(room))
			add_pair(b, &p, &p.at[i], ra, rb, c <= CHANGE_BETTER && i < OPENED);
	}
	free(p.at);
}

static void
add_compared(struct buf *b, const struct eval_compared *c, int digits)
{
	static const char *const classes[] = { [EVAL_SAME] = "dim", [EVAL_BETTER] = "good",
		[EVAL_WORSE] = "bad", [EVAL_UNCLEAR] = "dim" };

	buf_lit(b, "<tr>");
	add_cell(b, "%.*s", FMT(c->name));
	add_cell(b, "%.*f", digits, c->a);
	add_cell(b, "%.*f", digits, c->b);
	add_cell(b, "%+.*f", digits, c->d.mean);
	add_cell(b, "%+.*f..%+.*f", digits, c->d.low, digits, c->d.high);
	buf_add_fmt(b, "<td class=\"%s\">%s</td></tr>\n", classes[c->verdict],
	    eval_verdicts[c->verdict]);
}

static void
add_comparison(struct buf *b, const struct eval_comparison *c)
{
	buf_add_fmt(b, "<p>%zu case%s in both, %zu only in A, %zu only in B; intervals of %.4g %%; "
	    "differences within %g are none</p>\n", c->pairs, c->pairs == 1 ? "" : "s", c->only_a,
	    c->only_b, 100 * c->confidence, c->margin);
	add_table(b, "Comparison", "<th>scorer</th><th>A</th><th>B</th><th>difference</th>"
	    "<th>interval</th><th>verdict</th>");
	for (size_t i = 0; i < c->scorers_n; i++)
		add_compared(b, &c->scorer[i], 3);
	if (c->tokens.a > 0 || c->tokens.b > 0)
		add_compared(b, &c->tokens, 1);
	if (c->cost.a > 0 || c->cost.b > 0)
		add_compared(b, &c->cost, 6);
	buf_add_fmt(b, "</table></div>\n<p>A case takes %.1f ms in A, %.1f ms in B; the median "
	    "ratio is %.2f (%.2f..%.2f).</p>\n", c->ms_a, c->ms_b, c->ms.median, c->ms.low,
	    c->ms.high);
}

static int
add_two(struct buf *b, const struct eval_result *ra, const struct eval_result *rb, bool many,
    struct room *room, struct err *e)
{
	struct eval_comparison c = { 0 };
	struct eval_summary s;
	int rc = eval_compare(ra, rb, EVAL_MARGIN, &c, e);

	if (rc == OK) {
		if (many)
			page_add_between(b, "<h2>B: ", rb->started, "</h2>\n");
		add_head(b, "A", ra);
		add_head(b, "B", rb);
		if (!str_eq(ra->dataset_hash, rb->dataset_hash))
			buf_lit(b, "<p class=\"bad\">The datasets differ; cases are paired by id."
			    "</p>\n");
		add_comparison(b, &c);
		eval_summarize(ra, &s);
		add_costs(b, "A: ", &s);
		eval_summarize(rb, &s);
		add_costs(b, "B: ", &s);
		add_pairs(b, ra, rb, room);
	}
	eval_comparison_release(&c);
	return rc;
}

int
eval_page_add(struct buf *out, const struct eval_result *r, size_t n, struct err *e)
{
	struct room room = { 0 };
	struct eval_summary s;
	char title[LIMIT_EVAL_NAME_BYTES + 32];
	int rc = OK;

	snprintf(title, sizeof title, "Eval %.*s", FMT(str_cut(r[0].eval, LIMIT_EVAL_NAME_BYTES)));
	page_add_head(out, title);
	buf_add(out, (struct str){ style, sizeof style - 1 });
	if (n == 1) {
		eval_summarize(r, &s);
		add_head(out, "", r);
		add_scores(out, r, &s);
		add_costs(out, "", &s);
		add_rows(out, r, false, &room);
		add_rows(out, r, true, &room);
	}
	for (size_t i = 1; i < n && rc == OK; i++)
		rc = add_two(out, &r[0], &r[i], n > 2, &room, e);
	add_left(out, &room);
	buf_lit(out, "</html>\n");
	return rc;
}
