/*
 * draw_json.c - a drawing as data, for pages that draw it themselves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/draw_priv.h"
#include "base/json.h"

static const char *const shapes[] = {
	[DRAW_BOX] = "node", [DRAW_GROUP] = "compound", [DRAW_REGIONS] = "parallel",
	[DRAW_DOT] = "initial", [DRAW_FINAL] = "final", [DRAW_HISTORY] = "history",
};

static void
add_node(struct buf *b, const struct draw_box *at)
{
	const char *type = at->shape != DRAW_PILL ? shapes[at->shape] :
	    str_eq(at->id, S("__start__")) ? "start" : "end";

	json_add_fmt(b, ",{'id':%.*s,'type':%s,'parent':", FMT(at->id), type);
	if (at->up > 0)
		json_add_fmt(b, "%d", at->up - 1);
	else
		buf_lit(b, "null");
	json_add_fmt(b, ",'label':%.*s,'detail':%.*s,'description':%.*s,'x':%.1f,'y':%.1f,"
	    "'width':%.1f,'height':%.1f}", FMT(at->title), FMT(at->detail), FMT(at->note),
	    at->x, at->y, at->w, at->h);
}

static void
add_edge(struct buf *b, const struct draw_arrow *x)
{
	struct str lines[DRAW_LINES];
	size_t n = draw_lines(x->label, lines);

	json_add_fmt(b, ",{'source':%d,'target':%d,'label':%.*s,'conditional':%hhd,'path':\"",
	    x->from - 1, x->to - 1, FMT(x->note), x->dashed);
	if (x->path != NULL)
		draw_add_path(b, x);
	json_add_fmt(b, "','lines':[");
	for (size_t i = 0; i < n; i++)
		json_add_fmt(b, ",%.*s", FMT(lines[i]));
	json_add_fmt(b, "],'x':%.1f,'y':%.1f}", x->label_at.x, x->label_at.y);
}

void
draw_add_json(struct buf *b, const struct draw *d)
{
	json_add_fmt(b, "{'width':%.1f,'height':%.1f,'nodes':[", d->boxes[0].w, d->boxes[0].h);
	for (size_t i = 1; i < d->boxes_n; i++)
		add_node(b, &d->boxes[i]);
	json_add_fmt(b, "],'edges':[");
	for (size_t i = 0; i < d->arrows_n; i++)
		add_edge(b, &d->arrows[i]);
	buf_lit(b, "]}");
}
