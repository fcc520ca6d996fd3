/*
 * draw_svg.c - a drawing as SVG 1.1: no script, no font of its own, colours for
 * light and dark.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/draw_priv.h"
#include "agent/show_priv.h"

static const char style[] =
"<style>"
"text{font-family:system-ui,sans-serif;fill:#1f2328}"
".t{font-size:13px;font-weight:600;text-anchor:middle}"
".g{font-size:13px;font-weight:600}"
".d{font-size:11px;text-anchor:middle;fill:#59636e}"
".l{font-size:11px;text-anchor:middle;fill:#59636e;paint-order:stroke;stroke:#fff;"
"stroke-width:3px}"
".b{fill:#f6f8fa;stroke:#818b98}"
".group{fill:#818b981a;stroke:#818b98}"
".regions{stroke-dasharray:6 3}"
".active{fill:#dafbe1;stroke:#1a7f37;stroke-width:2.5}"
".dot,.tip{fill:#59636e}"
".a{fill:none;stroke:#59636e;stroke-width:1.2}"
".dashed{stroke-dasharray:4 3}"
"@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.d,.l{fill:#9198a1}"
".l{stroke:#0d1117}.b{fill:#151b23;stroke:#656c76}.group{fill:#656c761a;stroke:#656c76}"
".active{fill:#12361f;stroke:#3fb950}.dot,.tip{fill:#9198a1}.a{stroke:#9198a1}}"
"</style>\n";

/* Control characters are not XML, whatever stands for them. */
void
show_xml_text(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '<' || c == '>' || c == '&' || c == '"')
			buf_add_fmt(b, "&#%d;", c);
		else if (c >= 0x20 || c == '\n' || c == '\t')
			buf_add_char(b, (char)c);
		else
			buf_lit(b, "\xef\xbf\xbd");
	}
}

static void
add_text(struct buf *b, const char *class, double x, double y, struct str s)
{
	if (s.n == 0)
		return;
	buf_add_fmt(b, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
	show_xml_text(b, s);
	buf_lit(b, "</text>");
}

static void
add_rect(struct buf *b, const struct draw_box *at, double inset, double radius,
    const char *class)
{
	buf_add_fmt(b, "<rect class=\"%s%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
	    "height=\"%.1f\" rx=\"%.0f\"/>", class, at->active ? " active" : "",
	    at->x + inset, at->y + inset, at->w - 2 * inset, at->h - 2 * inset, radius);
}

static void
add_box(struct buf *b, const struct draw_box *at, bool picture)
{
	double x = at->x + at->w / 2, y = at->y + at->h / 2;
	bool group = at->shape == DRAW_GROUP || at->shape == DRAW_REGIONS;

	buf_lit(b, "<g><title>");
	show_xml_text(b, at->note);
	buf_lit(b, "</title>");
	if (at->shape == DRAW_DOT || at->shape == DRAW_HISTORY)
		buf_add_fmt(b, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>",
		    at->shape == DRAW_DOT ? "dot" : "b", x, y, at->w / 2);
	else if (group && !picture)
		add_rect(b, at, 0, 10, at->shape == DRAW_GROUP ? "group" : "group regions");
	else if (!group)
		add_rect(b, at, 0, at->shape == DRAW_PILL ? at->h / 2 : 8, "b");
	if (at->shape == DRAW_FINAL)
		add_rect(b, at, 3, 6, "b");
	if (group) {
		add_text(b, "g", at->x + 14, at->y + 20, at->title);
		add_text(b, "d", at->x + 22 + draw_text_width(at->title, DRAW_TITLE_SIZE) +
		    draw_text_width(at->detail, DRAW_LABEL_SIZE) / 2, at->y + 20, at->detail);
	} else {
		add_text(b, "t", x, at->detail.n > 0 ? y - 3 : y + 4, at->title);
		add_text(b, "d", x, y + 13, at->detail);
	}
	buf_lit(b, "</g>\n");
}

/* Straight down at every bend: curves join without a corner. */
void
draw_add_path(struct buf *b, const struct draw_arrow *x)
{
	bool smooth = x->bends > 0;

	buf_add_fmt(b, "M%.1f %.1f", x->path[0].x, x->path[0].y);
	for (size_t i = 1; i < x->path_n; i++) {
		bool straight = x->path[i - 1].x == x->path[i].x;
		double y = (x->path[i - 1].y + x->path[i].y) / 2;

		if (x->from == x->to)
			buf_add_char(b, i == 1 ? 'C' : ' ');
		else if (smooth && !straight)
			buf_add_fmt(b, "C%.1f %.1f %.1f %.1f", x->path[i - 1].x, y,
			    x->path[i].x, y);
		else
			buf_add_char(b, 'L');
		buf_add_fmt(b, " %.1f %.1f", x->path[i].x, x->path[i].y);
	}
}

static void
add_arrow(struct buf *b, const struct draw_arrow *x)
{
	if (x->path == NULL)
		return;
	buf_add_fmt(b, "<path class=\"a%s\" marker-end=\"url(#tip)\" d=\"",
	    x->dashed ? " dashed" : "");
	draw_add_path(b, x);
	buf_lit(b, "\"><title>");
	show_xml_text(b, x->note);
	buf_lit(b, "</title></path>\n");
}

static void
add_label(struct buf *b, const struct draw_arrow *x)
{
	struct str lines[DRAW_LINES];
	size_t n = draw_lines(x->label, lines);

	for (size_t i = 0; i < n; i++)
		add_text(b, "l", x->label_at.x, x->label_at.y + 4 +
		    DRAW_LINE * ((double)i - ((double)n - 1) / 2), lines[i]);
}

void
draw_add_svg(struct buf *b, const struct draw *d, struct str title)
{
	double w = d->boxes[0].w, h = d->boxes[0].h;

	buf_add_fmt(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
	    "viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\">\n<title>", w, h, w, h);
	show_xml_text(b, title);
	buf_lit(b, "</title>\n");
	buf_add(b, str_of(style));
	buf_lit(b, "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" "
	    "markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">"
	    "<path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n");
	for (size_t i = 0; i < d->boxes_n; i++)
		add_box(b, &d->boxes[i], i == 0);
	for (size_t i = 0; i < d->arrows_n; i++)
		add_arrow(b, &d->arrows[i]);
	for (size_t i = 0; i < d->arrows_n; i++)
		add_label(b, &d->arrows[i]);
	buf_lit(b, "</svg>\n");
}
