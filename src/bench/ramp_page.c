/*
 * ramp_page.c - the ramp as a page: curves drawn as SVG, a table, what it ran on.
 * Nothing is loaded from elsewhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "bench/machine.h"
#include "bench/ramp_priv.h"

#define WIDTH   640.0
#define HEIGHT  300.0
#define LEFT    64.0
#define RIGHT   20.0
#define TOP     28.0
#define BOTTOM  40.0

static const char style[] =
	"<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;"
	"max-width:76rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;"
	"margin:1rem 0}td,th{padding:.25rem .7rem;border-bottom:1px solid #8884;"
	"text-align:right}td:first-child,th:first-child{text-align:left}figure{margin:0;"
	"display:inline-block}svg text{font:12px system-ui,sans-serif;fill:currentColor}"
	".grid{stroke:#8885;stroke-width:1}.a{stroke:#2a78d6;fill:none;stroke-width:2}"
	".b{stroke:#d6692a;fill:none;stroke-width:2}.da{fill:#2a78d6}.db{fill:#d6692a}"
	".bar{stroke:#c33;stroke-dasharray:5 4}pre{white-space:pre-wrap}</style>";

static void
add_text(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		switch (s.p[i]) {
		case '<': buf_lit(b, "&lt;"); break;
		case '>': buf_lit(b, "&gt;"); break;
		case '&': buf_lit(b, "&amp;"); break;
		case '"': buf_lit(b, "&quot;"); break;
		default: buf_add_char(b, s.p[i]);
		}
}

/* ---- a curve --------------------------------------------------------------------- */

struct curve {
	const char *title;
	double (*of)(const struct ramp_step *s);
	double mark;                         /* a line across; 0: none */
	double x0, x1, y0, y1;               /* log10 of the axes' ends */
};

static double
x_at(const struct curve *c, double v)
{
	double part = c->x1 > c->x0 ? (log10(v) - c->x0) / (c->x1 - c->x0) : 0.5;

	return LEFT + part * (WIDTH - LEFT - RIGHT);
}

static double
y_at(const struct curve *c, double v)
{
	double part = c->y1 > c->y0 ? (log10(v) - c->y0) / (c->y1 - c->y0) : 0.5;

	return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM);
}

static bool
curve_fit(struct curve *c, const struct ramp *r)
{
	bool some = false;

	c->x0 = c->y0 = INFINITY;
	c->x1 = c->y1 = -INFINITY;
	for (size_t i = 0; i < r->sides_n; i++)
		for (size_t k = 0; k < r->side[i].steps_n; k++) {
			const struct ramp_step *s = &r->side[i].step[k];

			if (s->cause != COLLAPSE_NONE || c->of(s) <= 0)
				continue;
			some = true;
			c->x0 = fmin(c->x0, log10((double)s->c));
			c->x1 = fmax(c->x1, log10((double)s->c));
			c->y0 = fmin(c->y0, log10(c->of(s)));
			c->y1 = fmax(c->y1, log10(c->of(s)));
		}
	if (c->mark > 0) {
		c->y0 = fmin(c->y0, log10(c->mark));
		c->y1 = fmax(c->y1, log10(c->mark));
	}
	c->y0 -= 0.05;
	c->y1 += 0.1;
	return some;
}

static void
add_grid(const struct curve *c, const struct ramp *r, struct buf *b)
{
	static const double steps[] = { 1, 2, 5 };

	for (int power = (int)floor(c->y0); power <= (int)ceil(c->y1); power++)
		for (size_t i = 0; i < COUNT(steps); i++) {
			double v = steps[i] * pow(10, power), y;

			if (log10(v) < c->y0 || log10(v) > c->y1)
				continue;
			y = y_at(c, v);
			buf_add_fmt(b, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" "
			    "y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%.1f\" y=\"%.1f\" "
			    "text-anchor=\"end\">%g</text>", LEFT, WIDTH - RIGHT, y, y,
			    LEFT - 6, y + 4, v);
		}
	for (size_t i = 0; i < r->c_n; i++) {
		double lg = log10((double)r->c[i]);

		if (lg < c->x0 || lg > c->x1)
			continue;
		buf_add_fmt(b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%lld</text>",
		    x_at(c, (double)r->c[i]), HEIGHT - BOTTOM + 18, (long long)r->c[i]);
	}
}

static void
add_side(const struct curve *c, const struct ramp_side *side, char class, struct buf *b)
{
	bool first = true;

	buf_add_fmt(b, "<path class=\"%c\" d=\"", class);
	for (size_t k = 0; k < side->steps_n; k++) {
		const struct ramp_step *s = &side->step[k];

		if (s->cause != COLLAPSE_NONE || c->of(s) <= 0)
			continue;
		buf_add_fmt(b, "%c%.1f %.1f", first ? 'M' : 'L', x_at(c, (double)s->c),
		    y_at(c, c->of(s)));
		first = false;
	}
	buf_lit(b, "\"/>");
	for (size_t k = 0; k < side->steps_n; k++) {
		const struct ramp_step *s = &side->step[k];

		if (s->cause != COLLAPSE_NONE || c->of(s) <= 0)
			continue;
		buf_add_fmt(b, "<circle class=\"d%c\" r=\"4\" cx=\"%.1f\" cy=\"%.1f\"><title>"
		    "C=%lld: %.4g</title></circle>", class, x_at(c, (double)s->c),
		    y_at(c, c->of(s)), (long long)s->c, c->of(s));
	}
}

static void
add_curve(struct curve c, const struct ramp *r, struct buf *b)
{
	if (!curve_fit(&c, r))
		return;
	buf_add_fmt(b, "<figure><svg width=\"%.0f\" height=\"%.0f\" role=\"img\" "
	    "aria-label=\"%s\"><text x=\"%.0f\" y=\"16\" font-weight=\"bold\">%s</text>",
	    WIDTH, HEIGHT, c.title, LEFT, c.title);
	add_grid(&c, r, b);
	if (c.mark > 0)
		buf_add_fmt(b, "<line class=\"bar\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
		    "y2=\"%.1f\"/>", LEFT, WIDTH - RIGHT, y_at(&c, c.mark),
		    y_at(&c, c.mark));
	for (size_t i = 0; i < r->sides_n; i++)
		add_side(&c, &r->side[i], (char)('a' + i), b);
	buf_lit(b, "</svg></figure>\n");
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
				add_text(b, str_of(s->why));
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
		add_text(b, str_of(report->check[i].text));
		buf_lit(b, "</li>\n");
	}
	buf_lit(b, "</ul>\n");
}

void
ramp_page(const struct ramp *r, const struct report *report, struct buf *out)
{
	static const struct curve curves[] = {
		{ "latency inflation (p50 session / ideal)", infl_of, RAMP_KNEE, 0, 0, 0, 0 },
		{ "CPU milliseconds a turn", cpu_of, 0, 0, 0, 0, 0 },
		{ "peak resident memory, MB", rss_of, 0, 0, 0, 0, 0 },
		{ "KB a session", kb_of, 0, 0, 0, 0, 0 },
	};
	struct buf text = BUF(64 * KB);

	buf_lit(out, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>ramp of "
	    "sessions</title>");
	buf_add(out, (struct str){ style, sizeof style - 1 });
	buf_lit(out, "<h1>Ramp of sessions</h1>\n<p>");
	add_text(out, str_of(report->measures));
	buf_lit(out, "</p>\n");
	if (r->sides_n == 2)
		buf_lit(out, "<p>Blue: before. Orange: after.</p>\n");
	for (size_t i = 0; i < COUNT(curves); i++)
		add_curve(curves[i], r, out);
	add_table(r, out);
	add_checks(report, out);
	buf_lit(out, "<h2>How</h2><pre>");
	report_add_json(report, &text);
	add_text(out, buf_str(&text));
	buf_lit(out, "</pre></html>\n");
	buf_release(&text);
}
