/*
 * plot.h - pages that load nothing from elsewhere: escaped text, a style, and plots
 * drawn as SVG.
 *
 * Pure; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include "base/buf.h"

#define PLOT_CURVES 8

struct plot_curve {
	const char *name;                    /* in the legend; NULL: none */
	const double *x, *y;
	const char *const *labels;           /* of the points, for pointing; or NULL */
	size_t n;
	bool bars;                           /* from the axis up, not a line */
};

struct plot {
	const char *title, *x_name, *y_name;
	bool log_x, log_y;                   /* points that are not above 0 are left out */
	double mark;                         /* a dashed line across; 0: none */
	struct plot_curve curve[PLOT_CURVES];
	size_t curves_n;
};

/* A <figure>; nothing if no curve has a point. */
void plot_add(const struct plot *p, struct buf *out);
/* The same as a file of its own. */
void plot_add_file(const struct plot *p, struct buf *out);

/* Of HTML and XML. */
void page_add_text(struct buf *out, struct str s);
/* before and after as they are. */
void page_add_between(struct buf *out, const char *before, struct str s, const char *after);
/* From <!doctype> to <h1>; the page ends with </html>.  Classes: bad, good, dim; wide, around
 * a table. */
void page_add_head(struct buf *out, const char *title);

#endif
