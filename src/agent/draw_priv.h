/*
 * draw_priv.h - a picture of an agent: boxes in boxes, and arrows.
 *
 * draw.c says what is in it, draw_layout.c and draw_layers.c where it stands,
 * draw_svg.c and draw_json.c write it.  Lengths are pixels; y grows downwards.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AGENT_DRAW_PRIV_H
#define AGENT_DRAW_PRIV_H

#include "agent/agent.h"

enum draw_shape {
	DRAW_BOX,            /* a node, a state */
	DRAW_GROUP,          /* with boxes inside; box 0 is the picture */
	DRAW_REGIONS,        /* whose boxes stand side by side */
	DRAW_DOT,            /* where a group begins */
	DRAW_PILL,           /* START, END */
	DRAW_FINAL,
	DRAW_HISTORY
};

struct draw_point { double x, y; };

struct draw_box {
	int up;                              /* the group around it; -1: of box 0 */
	enum draw_shape shape;
	struct str id;                       /* of its node or state; empty: of none */
	struct str title, detail, note;      /* note: shown when it is pointed at */
	bool active;
	double x, y, w, h;                   /* top left; in its group, then in the picture */
	double margin;                       /* at its right, for arrows to itself */
};

struct draw_arrow {
	int from, to;
	struct str label, note;              /* label: cut to its lines */
	bool dashed;
	double label_w, label_h;             /* 0: no label */
	struct draw_point label_at;          /* its middle */
	struct draw_point *path;             /* from border to border; to itself: of a
	                                        Bezier curve */
	size_t path_n;
	/* of the layout */
	int group;                           /* in which it is laid out */
	bool reversed;                       /* it leads upwards there */
	size_t first, bends;                 /* its places between the layers */
};

struct draw {
	struct arena arena;
	struct draw_box *boxes;
	size_t boxes_n, boxes_cap;
	struct draw_arrow *arrows;
	size_t arrows_n, arrows_cap;
};

int  draw_layout(struct draw *d, struct err *e);     /* ERR_TOOBIG */
void draw_add_svg(struct buf *b, const struct draw *d, struct str title);
void draw_add_path(struct buf *b, const struct draw_arrow *x);       /* SVG's path data */
void draw_add_json(struct buf *b, const struct draw *d);             /* agent_add_picture */

/* ---- one group, in layers (draw_layers.c) --------------------------------- */

/* A thing in a layer: a box (box >= 0), or a bend of an arrow. */
struct layer_item {
	int box, arrow;
	double w, h, x, y;                   /* x, y: its middle */
	int layer;
	double key;                          /* of the order in its layer */
	size_t place;                        /* in that order */
};

struct layer_link { size_t from, to; };      /* items of neighbouring layers */

struct layers {
	struct layer_item *items;
	size_t items_n;
	struct layer_link *links;
	size_t links_n;
	int layers_n;
};

/* Orders the items of each layer so that few links cross, and gives all their
 * places. */
void layers_arrange(struct layers *l, struct arena *a);

/* ---- texts ------------------------------------------------------------------ */

#define DRAW_LINES 3             /* of a label */
/* A label in lines, broken at blanks where it can be; how many. */
size_t draw_lines(struct str label, struct str lines[DRAW_LINES]);

#define DRAW_TITLE_SIZE 13.0
#define DRAW_LABEL_SIZE 11.0
#define DRAW_LINE       14.0     /* from line to line of a label */
/* Of a text in a font of that size, about. */
double draw_text_width(struct str s, double size);

#endif
