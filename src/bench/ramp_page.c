/*
 * ramp_page.c - the ramp as a page: curves, a table, what it ran on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/plot.h"
#include "bench/ramp_priv.h"

/* ---- a curve --------------------------------------------------------------------- */

struct curve {
	const char *title;
	double (*of)(const struct ramp_step *s);
	double mark;                         /* a line across; 0: none */
};

static void
add_curve(const struct curve *c, const struct ramp *r, struct buf *b)
{
	double x[2][RAMP_STEPS], y[2][RAMP_STEPS];
	struct plot p = { .title = c->title, .x_name = "sessions", .y_name = "", .log_x = true,
		.log_y = true, .mark = c->mark, .curves_n = r->sides_n };

	for (size_t i = 0; i < r->sides_n; i++) {
		struct plot_curve *curve = &p.curve[i];

		*curve = (struct plot_curve){ .name = r->side[i].name, .x = x[i], .y = y[i] };
		for (size_t k = 0; k < r->side[i].steps_n; k++) {
			const struct ramp_step *s = &r->side[i].step[k];

			if (s->cause != COLLAPSE_NONE)
				continue;
			x[i][curve->n] = (double)s->c;
			y[i][curve->n++] = c->of(s);
		}
	}
	plot_add(&p, b);
}

/* ---- the page -------------------------------------------------------------------- */

static double infl_of(const struct ramp_step *s) { return s->infl; }
static double cpu_of(const struct ramp_step *s) { return s->cpu_ms_turn; }
static double rss_of(const struct ramp_step *s) { return s->rss_mb; }
static double kb_of(const struct ramp_step *s) { return s->marginal_kb; }

static void
add_table(const struct ramp *r, struct buf *b)
{
	buf_lit(b, "<table><tr><th>step</th><th>inflation p50</th><th>p99</th><th>p50 ms</th>"
	    "<th>cpu-ms a turn</th><th>peak MB</th><th>KB a session</th><th>threads</th>"
	    "<th>errors</th></tr>\n");
	for (size_t i = 0; i < r->sides_n; i++)
		for (size_t k = 0; k < r->side[i].steps_n; k++) {
			const struct ramp_step *s = &r->side[i].step[k];

			buf_add_fmt(b, "<tr><td>%s C=%lld</td>", r->side[i].name != NULL ?
			    r->side[i].name : "", (long long)s->c);
			if (s->cause != COLLAPSE_NONE) {
				buf_add_fmt(b, "<td colspan=\"8\">%s: ",
				    collapse_names[s->cause]);
				page_add_text(b, str_of(s->why));
				buf_lit(b, "</td></tr>\n");
				continue;
			}
			buf_add_fmt(b, "<td>%.2f</td><td>%.2f</td><td>%.0f</td><td>%.4f</td>"
			    "<td>%.0f</td><td>%.1f</td><td>%lld</td><td>%lld</td></tr>\n",
			    s->infl, s->infl_p99, s->p50_ms, s->cpu_ms_turn, s->rss_mb,
			    s->marginal_kb, (long long)s->threads, (long long)s->errors);
		}
	buf_lit(b, "</table>\n");
}

static void
add_checks(const struct report *report, struct buf *b)
{
	buf_lit(b, "<ul>\n");
	for (size_t i = 0; i < report->checks_n; i++) {
		buf_add_fmt(b, "<li>%s ", report->check[i].passed ? "met:" :
		    "<b>missed:</b>");
		page_add_text(b, str_of(report->check[i].text));
		buf_lit(b, "</li>\n");
	}
	buf_lit(b, "</ul>\n");
}

void
ramp_page(const struct ramp *r, const struct report *report, struct buf *out)
{
	static const struct curve curves[] = {
		{ "latency inflation (p50 session / ideal)", infl_of, RAMP_KNEE },
		{ "CPU milliseconds a turn", cpu_of, 0 },
		{ "peak resident memory, MB", rss_of, 0 },
		{ "KB a session", kb_of, 0 },
	};
	struct buf text = BUF(64 * KB);

	page_add_head(out, "Ramp of sessions");
	buf_lit(out, "<p>");
	page_add_text(out, str_of(report->measures));
	buf_lit(out, "</p>\n");
	for (size_t i = 0; i < COUNT(curves); i++)
		add_curve(&curves[i], r, out);
	add_table(r, out);
	add_checks(report, out);
	buf_lit(out, "<h2>How</h2><pre>");
	report_add_json(report, &text);
	page_add_text(out, buf_str(&text));
	buf_lit(out, "</pre></html>\n");
	buf_release(&text);
}
