/*
 * plot.c - see plot.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/plot.h"

#include <math.h>

#define WIDTH   640.0
#define HEIGHT  300.0
#define LEFT    72.0
#define RIGHT   20.0
#define TOP     28.0
#define BOTTOM  44.0
#define TICKS   5

static const char colors[PLOT_CURVES][8] = { "#2a78d6", "#d6692a", "#2f9e44", "#9c36b5",
	"#c92a2a", "#0b7285", "#e8a400", "#666666" };

static const char style[] =
	"<style>:root{color-scheme:light dark;--bad:#b3261e;--good:#1f7a33}"
	"@media(prefers-color-scheme:dark){:root{--bad:#ff8a80;--good:#7ddc8f}}"
	"html{background:Canvas;color:CanvasText}body{font:15px/1.5 system-ui,sans-serif;"
	"max-width:80rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;"
	"margin:1rem 0}td,th{padding:.25rem .7rem;border-bottom:1px solid #8884;"
	"text-align:right}td:first-child,th:first-child{text-align:left}figure{margin:0;"
	"display:inline-block;max-width:100%;overflow:auto}"
	"svg text{font:12px system-ui,sans-serif;fill:currentColor}"
	"pre{white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:plaintext}"
	".wide{overflow-x:auto}h1,h2,h3,p,li,summary,td{overflow-wrap:anywhere}"
	".bad{color:var(--bad);font-weight:bold}.good{color:var(--good)}"
	".dim{opacity:.7}</style>";

/* Nothing of a page runs, and nothing is fetched, whatever its texts say. */
static const char policy[] =
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	"style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">";

void
page_add_text(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		switch (s.p[i]) {
		case '<': buf_lit(b, "&lt;"); break;
		case '>': buf_lit(b, "&gt;"); break;
		case '&': buf_lit(b, "&amp;"); break;
		case '"': buf_lit(b, "&quot;"); break;
		case '\t': case '\n': case '\r': buf_add_char(b, s.p[i]); break;
		default:                     /* XML has no other control characters */
			buf_add_char(b, (unsigned char)s.p[i] < 0x20 ? '?' : s.p[i]);
		}
}

void
page_add_between(struct buf *b, const char *before, struct str s, const char *after)
{
	buf_add(b, str_of(before));
	page_add_text(b, s);
	buf_add(b, str_of(after));
}

void
page_add_head(struct buf *b, const char *title)
{
	buf_lit(b, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">");
	buf_add(b, (struct str){ policy, sizeof policy - 1 });
	buf_lit(b, "<meta name=\"viewport\" content=\"width=device-width\"><title>");
	page_add_text(b, str_of(title));
	buf_lit(b, "</title>");
	buf_add(b, (struct str){ style, sizeof style - 1 });
	buf_lit(b, "<h1>");
	page_add_text(b, str_of(title));
	buf_lit(b, "</h1>\n");
}

/* ---- axes ------------------------------------------------------------------------ */

struct axis {
	bool log;
	double from, to;                     /* values, or their log10 */
	double at, span;                     /* pixels; span < 0: upwards */
};

static double
scaled(const struct axis *a, double v)
{
	return a->log ? log10(v) : v;
}

static double
pixel(const struct axis *a, double v)
{
	double part = a->to > a->from ? (scaled(a, v) - a->from) / (a->to - a->from) : 0.5;

	return a->at + part * a->span;
}

static bool
shown(const struct plot *p, const struct plot_curve *c, size_t i)
{
	return isfinite(c->x[i]) && isfinite(c->y[i]) && (!p->log_x || c->x[i] > 0) &&
	    (!p->log_y || c->y[i] > 0);
}

static void
take(struct axis *a, double v)
{
	a->from = fmin(a->from, scaled(a, v));
	a->to = fmax(a->to, scaled(a, v));
}

/* False: there is nothing to see. */
static bool
fit(const struct plot *p, struct axis *x, struct axis *y)
{
	bool some = false;

	*x = (struct axis){ p->log_x, INFINITY, -INFINITY, LEFT, WIDTH - LEFT - RIGHT };
	*y = (struct axis){ p->log_y, INFINITY, -INFINITY, HEIGHT - BOTTOM,
	    -(HEIGHT - TOP - BOTTOM) };
	for (size_t k = 0; k < p->curves_n; k++)
		for (size_t i = 0; i < p->curve[k].n; i++) {
			if (!shown(p, &p->curve[k], i))
				continue;
			some = true;
			take(x, p->curve[k].x[i]);
			take(y, p->curve[k].y[i]);
		}
	if (!some)
		return false;
	if (p->mark > 0)
		take(y, p->mark);
	if (!p->log_y && y->from > 0)
		y->from = 0;
	y->to += (y->to - y->from) * 0.05 + (y->to > y->from ? 0 : 0.1);
	if (p->log_y)
		y->from -= 0.05;
	return true;
}

static void
add_tick(struct buf *b, bool is_y, double at, double v)
{
	if (is_y)
		buf_add_fmt(b, "<line stroke=\"#8885\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
		    "y2=\"%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%g</text>",
		    LEFT, WIDTH - RIGHT, at, at, LEFT - 6, at + 4, v);
	else
		buf_add_fmt(b, "<line stroke=\"#8885\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
		    "y2=\"%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>",
		    at, at, HEIGHT - BOTTOM, HEIGHT - BOTTOM + 4, at, HEIGHT - BOTTOM + 18, v);
}

static void
add_log_ticks(const struct axis *a, bool is_y, struct buf *b)
{
	static const double steps[] = { 1, 2, 5 };
	bool wide = a->to - a->from > 3;     /* then powers alone */

	for (int power = (int)floor(a->from); power <= (int)ceil(a->to); power++)
		for (size_t i = 0; i < (wide ? 1 : COUNT(steps)); i++) {
			double v = steps[i] * pow(10, power);

			if (log10(v) >= a->from - 1e-9 && log10(v) <= a->to + 1e-9)
				add_tick(b, is_y, pixel(a, v), v);
		}
}

static void
add_ticks(const struct axis *a, bool is_y, struct buf *b)
{
	double raw = (a->to - a->from) / TICKS, unit, step;

	if (a->log) {
		add_log_ticks(a, is_y, b);
		return;
	}
	if (raw <= 0) {
		add_tick(b, is_y, pixel(a, a->from), a->from);
		return;
	}
	unit = pow(10, floor(log10(raw)));
	step = raw / unit < 1.5 ? unit : raw / unit < 3.5 ? 2 * unit : raw / unit < 7.5 ?
	    5 * unit : 10 * unit;
	for (double n = ceil(a->from / step); n * step <= a->to; n++)
		add_tick(b, is_y, pixel(a, n * step), n * step);
}

/* ---- curves ---------------------------------------------------------------------- */

static void
add_line(const struct plot *p, const struct plot_curve *c, const struct axis *x,
    const struct axis *y, const char *color, struct buf *b)
{
	char op = 'M';

	buf_add_fmt(b, "<path fill=\"none\" stroke-width=\"2\" stroke=\"%s\" d=\"", color);
	for (size_t i = 0; i < c->n; i++) {
		if (!shown(p, c, i))
			continue;
		buf_add_fmt(b, "%c%.1f %.1f", op, pixel(x, c->x[i]), pixel(y, c->y[i]));
		op = 'L';
	}
	buf_lit(b, "\"/>");
}

static void
add_points(const struct plot *p, const struct plot_curve *c, const struct axis *x,
    const struct axis *y, const char *color, struct buf *b)
{
	for (size_t i = 0; i < c->n; i++) {
		double at = pixel(x, c->x[i]), top = pixel(y, c->y[i]);

		if (!shown(p, c, i))
			continue;
		if (c->bars)
			buf_add_fmt(b, "<rect fill=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"3\" "
			    "height=\"%.1f\">", color, at - 1.5, top, HEIGHT - BOTTOM - top);
		else
			buf_add_fmt(b, "<circle fill=\"%s\" r=\"3\" cx=\"%.1f\" cy=\"%.1f\">",
			    color, at, top);
		buf_lit(b, "<title>");
		if (c->labels != NULL) {
			page_add_text(b, str_of(c->labels[i]));
			buf_lit(b, ": ");
		}
		buf_add_fmt(b, "%.6g, %.6g</title></%s>", c->x[i], c->y[i],
		    c->bars ? "rect" : "circle");
	}
}

static void
add_legend(const struct plot *p, struct buf *b)
{
	double at = WIDTH - RIGHT;

	for (size_t k = p->curves_n; k-- > 0;) {
		if (p->curve[k].name == NULL)
			continue;
		buf_add_fmt(b, "<text x=\"%.1f\" y=\"16\" text-anchor=\"end\" "
		    "style=\"fill:%s\">", at, colors[k]);
		page_add_text(b, str_of(p->curve[k].name));
		buf_lit(b, "</text>");
		at -= 14 + 7 * (double)strlen(p->curve[k].name);
	}
}

static void
add_svg(const struct plot *p, const char *namespace, struct buf *b)
{
	struct axis x, y;

	if (!fit(p, &x, &y))
		return;
	buf_add_fmt(b, "<svg%s width=\"%.0f\" height=\"%.0f\" role=\"img\"><title>", namespace,
	    WIDTH, HEIGHT);
	page_add_text(b, str_of(p->title));
	buf_add_fmt(b, "</title><text x=\"%.0f\" y=\"16\" font-weight=\"bold\">", LEFT);
	page_add_text(b, str_of(p->title));
	buf_lit(b, "</text>");
	add_ticks(&y, true, b);
	add_ticks(&x, false, b);
	buf_add_fmt(b, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">", WIDTH - RIGHT,
	    HEIGHT - 8);
	page_add_text(b, str_of(p->x_name));
	buf_add_fmt(b, "</text><text x=\"4\" y=\"%.0f\">", HEIGHT - 8);
	page_add_text(b, str_of(p->y_name));
	buf_lit(b, "</text>");
	if (p->mark > 0)
		buf_add_fmt(b, "<line stroke=\"#c33\" stroke-dasharray=\"5 4\" x1=\"%.1f\" "
		    "x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, WIDTH - RIGHT,
		    pixel(&y, p->mark), pixel(&y, p->mark));
	for (size_t k = 0; k < p->curves_n; k++) {
		if (!p->curve[k].bars)
			add_line(p, &p->curve[k], &x, &y, colors[k], b);
		add_points(p, &p->curve[k], &x, &y, colors[k], b);
	}
	add_legend(p, b);
	buf_lit(b, "</svg>");
}

void
plot_add(const struct plot *p, struct buf *out)
{
	size_t before = out->n;

	buf_lit(out, "<figure>");
	add_svg(p, "", out);
	if (out->n == before + 8)            /* "<figure>" alone */
		buf_cut(out, before);
	else
		buf_lit(out, "</figure>\n");
}

void
plot_add_file(const struct plot *p, struct buf *out)
{
	add_svg(p, " xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" "
	    "font-size=\"12\"", out);
	buf_add_char(out, '\n');
}
