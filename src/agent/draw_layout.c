/*
 * draw_layout.c - where the boxes of a drawing stand: each group is laid out by
 * itself, the innermost first; an arrow belongs to the group that has both its
 * ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "agent/draw_priv.h"
#include "base/limits.h"

#define PAD       16.0           /* inside of a group */
#define HEAD      24.0           /* for its title */
#define ITEMS_MAX 4000          /* of one group, with the bends of its arrows */

double
draw_text_width(struct str s, double size)
{
	double w = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c & 0xc0) == 0x80)
			continue;                    /* inside of a character */
		w += c >= 0xe1 ? 1.0 : c >= 'A' && c <= 'Z' ? 0.68 :
		    strchr("ijltf.,:;'|()[]! ", c) != NULL && c != 0 ? 0.36 :
		    c == 'm' || c == 'w' ? 0.82 : 0.57;
	}
	return w * size;
}

#define LINE_CHARS 24

size_t
draw_lines(struct str label, struct str lines[DRAW_LINES])
{
	size_t n = 0;

	while (label.n > 0 && n < DRAW_LINES) {
		struct str line = n + 1 < DRAW_LINES ? str_cut(label, LINE_CHARS) : label;

		for (size_t at = line.n; line.n < label.n && at > LINE_CHARS / 3; at--)
			if (strchr(" .(", line.p[at - 1]) != NULL) {
				line.n = at;
				break;
			}
		lines[n++] = str_trim(line);
		label = str_trim(str_sub(label, line.n, label.n));
	}
	return n;
}

/* The child of the group that the box is, or is in; -1: it is not in the group. */
static int
child_of(const struct draw *d, int group, int box)
{
	while (box >= 0 && d->boxes[box].up != group)
		box = d->boxes[box].up;
	return box;
}

static int
group_of(const struct draw *d, const struct draw_arrow *x)
{
	int g = d->boxes[x->from].up;

	if (x->from == x->to)
		return g;
	for (g = x->from; g >= 0; g = d->boxes[g].up)
		if (g == x->to || child_of(d, g, x->to) >= 0)
			return g;
	return 0;
}

/* ---- one group ------------------------------------------------------------------- */

struct plan {
	struct draw *d;
	struct arena a;
	int group;
	struct layers l;
	int *item;                           /* of a box; -1: not a child of the group */
	struct flat { size_t from, to, arrow; } *flats;  /* arrows between children */
	size_t flats_n;
};

static size_t
add_item(struct plan *p, struct layer_item item)
{
	p->l.items[p->l.items_n] = item;
	return p->l.items_n++;
}

/* Depth first, in the order of the file: an arrow to what is under way leads
 * upwards. */
static void
visit(struct plan *p, size_t item, char *seen)
{
	seen[item] = 1;
	for (size_t i = 0; i < p->flats_n; i++) {
		struct flat *f = &p->flats[i];
		struct draw_arrow *x = &p->d->arrows[f->arrow];

		if (f->from != item)
			continue;
		if (seen[f->to] == 1)
			x->reversed = true;
		else if (seen[f->to] == 0)
			visit(p, f->to, seen);
	}
	seen[item] = 2;
}

static void
turn_cycles(struct plan *p)
{
	char *seen = arena_zero(&p->a, p->l.items_n + 1);

	for (size_t i = 0; seen != NULL && i < p->l.items_n; i++)
		if (seen[i] == 0)
			visit(p, i, seen);
	for (size_t i = 0; i < p->flats_n; i++) {
		struct flat *f = &p->flats[i];

		if (p->d->arrows[f->arrow].reversed) {
			size_t from = f->from;

			f->from = f->to;
			f->to = from;
		}
	}
}

/* Two layers a step: labels stand in those between. */
static void
set_layers(struct plan *p)
{
	bool moved = p->d->boxes[p->group].shape != DRAW_REGIONS;

	for (size_t turn = 0; moved && turn <= p->l.items_n; turn++) {
		moved = false;
		for (size_t i = 0; i < p->flats_n; i++) {
			struct layer_item *from = &p->l.items[p->flats[i].from];
			struct layer_item *to = &p->l.items[p->flats[i].to];

			if (to->layer < from->layer + 2) {
				to->layer = from->layer + 2;
				moved = true;
			}
		}
	}
	/* What nothing leads to stands above what it leads to. */
	for (size_t k = 0; k < p->l.items_n; k++) {
		int least = 0;

		for (size_t i = 0; i < p->flats_n; i++) {
			if (p->flats[i].to == k)
				least = -1;
			if (least >= 0 && p->flats[i].from == k &&
			    (least == 0 || p->l.items[p->flats[i].to].layer < least))
				least = p->l.items[p->flats[i].to].layer;
		}
		if (least > 2)
			p->l.items[k].layer = least - 2;
	}
	p->l.layers_n = 1;
	for (size_t i = 0; i < p->l.items_n; i++)
		if (p->l.items[i].layer >= p->l.layers_n)
			p->l.layers_n = p->l.items[i].layer + 1;
}

static void
add_link(struct plan *p, size_t from, size_t to)
{
	p->l.links[p->l.links_n++] = (struct layer_link){ from, to };
}

/* The label stands beside the arrow's beginning. */
static void
add_bends(struct plan *p, const struct flat *f)
{
	struct draw_arrow *x = &p->d->arrows[f->arrow];
	int from = p->l.items[f->from].layer, to = p->l.items[f->to].layer;
	int labelled = x->reversed ? to - 1 : from + 1;
	size_t last = f->from;

	x->first = p->l.items_n;
	x->bends = 0;
	if (from == to)
		return;                              /* of regions */
	for (int layer = from + 1; layer < to; layer++) {
		struct layer_item bend = { .box = -1, .arrow = (int)f->arrow,
		    .layer = layer };
		size_t at;

		if (layer == labelled && x->label_w > 0) {
			bend.w = x->label_w + 12;
			bend.h = x->label_h + 4;
		}
		at = add_item(p, bend);
		add_link(p, last, at);
		last = at;
		x->bends++;
	}
	add_link(p, last, f->to);
}

static size_t
count_bends(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->flats_n; i++)
		n += (size_t)(p->l.items[p->flats[i].to].layer -
		    p->l.items[p->flats[i].from].layer);
	return n;
}

/* Children as items, arrows between two of them as flats. */
static bool
plan_fill(struct plan *p)
{
	struct draw *d = p->d;
	size_t n = 0;

	p->item = arena_zero(&p->a, (d->boxes_n + 1) * sizeof *p->item);
	p->l.items = arena_zero(&p->a, ITEMS_MAX * sizeof *p->l.items);
	p->flats = arena_zero(&p->a, (d->arrows_n + 1) * sizeof *p->flats);
	if (p->a.failed)
		return false;
	for (size_t i = 0; i < d->boxes_n; i++) {
		p->item[i] = -1;
		if (d->boxes[i].up != p->group)
			continue;
		if (n++ >= ITEMS_MAX)
			return false;
		p->item[i] = (int)add_item(p, (struct layer_item){ .box = (int)i, .arrow = -1,
		    .w = d->boxes[i].w + d->boxes[i].margin, .h = d->boxes[i].h });
	}
	for (size_t i = 0; i < d->arrows_n; i++) {
		struct draw_arrow *x = &d->arrows[i];
		int from = child_of(d, p->group, x->from), to = child_of(d, p->group, x->to);

		if (x->group == p->group && from >= 0 && to >= 0 && from != to)
			p->flats[p->flats_n++] = (struct flat){ (size_t)p->item[from],
			    (size_t)p->item[to], i };
	}
	return true;
}

/* From middles around zero to places in the group, and the group's own size. */
static void
take_places(struct plan *p)
{
	struct draw *d = p->d;
	struct draw_box *g = &d->boxes[p->group];
	double left = 0, right = 0, bottom = 0, least;

	for (size_t i = 0; i < p->l.items_n; i++) {
		const struct layer_item *at = &p->l.items[i];

		left = at->x - at->w / 2 < left || i == 0 ? at->x - at->w / 2 : left;
		right = at->x + at->w / 2 > right || i == 0 ? at->x + at->w / 2 : right;
		bottom = at->y + at->h / 2 > bottom ? at->y + at->h / 2 : bottom;
	}
	for (size_t i = 0; i < p->l.items_n; i++) {
		const struct layer_item *at = &p->l.items[i];

		if (at->box >= 0) {
			d->boxes[at->box].x = at->x - at->w / 2 - left + PAD;
			d->boxes[at->box].y = at->y - d->boxes[at->box].h / 2 + HEAD + PAD;
		}
	}
	for (size_t i = 0; i < p->flats_n; i++) {
		struct draw_arrow *x = &d->arrows[p->flats[i].arrow];

		x->path_n = 2 * x->bends + 2;
		x->path = arena_zero(&d->arena, x->path_n * sizeof *x->path);
		for (size_t k = 0; x->path != NULL && k < x->bends; k++) {
			const struct layer_item *at = &p->l.items[x->first + k];
			size_t to = 2 * (x->reversed ? x->bends - 1 - k : k) + 1;
			struct draw_point m = { at->x - left + PAD, at->y + HEAD + PAD };
			double half = x->reversed ? -at->h / 2 : at->h / 2;

			x->path[to] = (struct draw_point){ m.x, m.y - half };
			x->path[to + 1] = (struct draw_point){ m.x, m.y + half };
			if (at->w > 0)
				x->label_at = m;
		}
	}
	least = draw_text_width(g->title, DRAW_TITLE_SIZE) +
	    draw_text_width(g->detail, DRAW_LABEL_SIZE) + 2 * PAD;
	g->w = right - left + 2 * PAD > least ? right - left + 2 * PAD : least;
	g->h = bottom + HEAD + 2 * PAD;
}

static bool
lay_out(struct draw *d, int group)
{
	struct plan p = { .d = d, .group = group, .a = ARENA(64 * MB) };
	bool done = plan_fill(&p);

	if (done) {
		turn_cycles(&p);
		set_layers(&p);
		done = p.l.items_n + count_bends(&p) < ITEMS_MAX;
	}
	if (done) {
		p.l.links = arena_zero(&p.a, (count_bends(&p) + p.flats_n + 1) *
		    sizeof *p.l.links);
		for (size_t i = 0; p.l.links != NULL && i < p.flats_n; i++)
			add_bends(&p, &p.flats[i]);
		layers_arrange(&p.l, &p.a);
		done = !p.a.failed;
	}
	if (done)
		take_places(&p);
	arena_release(&p.a);
	return done;
}

/* ---- arrows ---------------------------------------------------------------------- */

static struct draw_point
middle(const struct draw_box *b)
{
	return (struct draw_point){ b->x + b->w / 2, b->y + b->h / 2 };
}

/* Where the line from the middle of the box towards a point leaves the box. */
static struct draw_point
border(const struct draw_box *b, struct draw_point to)
{
	struct draw_point m = middle(b);
	double dx = to.x - m.x, dy = to.y - m.y, sx, sy, s;

	if (dx == 0 && dy == 0)
		return m;
	sx = dx == 0 ? 1e9 : b->w / 2 / (dx < 0 ? -dx : dx);
	sy = dy == 0 ? 1e9 : b->h / 2 / (dy < 0 ? -dy : dy);
	s = sx < sy ? sx : sy;
	return (struct draw_point){ m.x + dx * s, m.y + dy * s };
}

static bool
path_of(struct draw *d, struct draw_arrow *x, size_t n)
{
	x->path_n = n;
	x->path = arena_zero(&d->arena, n * sizeof *x->path);
	return x->path != NULL;
}

static void
loop(struct draw *d, struct draw_arrow *x)
{
	const struct draw_box *b = &d->boxes[x->from];
	double right = b->x + b->w, y = b->y + b->h / 2;

	if (!path_of(d, x, 4))
		return;
	x->path[0] = (struct draw_point){ right, y - 6 };
	x->path[1] = (struct draw_point){ right + 26, y - 16 };
	x->path[2] = (struct draw_point){ right + 26, y + 16 };
	x->path[3] = (struct draw_point){ right, y + 6 };
	x->label_at = (struct draw_point){ right + 26 + x->label_w / 2, y };
}

/* Between a group and what is inside of it: along the line of the inner one. */
static void
inwards(struct draw *d, struct draw_arrow *x, bool out)
{
	const struct draw_box *group = &d->boxes[out ? x->to : x->from];
	const struct draw_box *inner = &d->boxes[out ? x->from : x->to];
	double y = middle(inner).y;

	if (!path_of(d, x, 2))
		return;
	x->path[0] = (struct draw_point){ out ? inner->x + inner->w : group->x, y };
	x->path[1] = (struct draw_point){ out ? group->x + group->w : inner->x, y };
	x->label_at = (struct draw_point){ (x->path[0].x + x->path[1].x) / 2, y - 9 };
}

/* Ends of arrows at the same side of a box stand beside each other. */
static double
port(const struct draw *d, const struct draw_arrow *x, bool start)
{
	int box = start ? x->from : x->to;
	bool low = start != x->reversed;             /* at its lower side */
	double mine = x->path[start ? 1 : x->path_n - 2].x;
	size_t before = 0, n = 0;

	for (size_t i = 0; i < d->arrows_n; i++) {
		const struct draw_arrow *y = &d->arrows[i];

		for (int s = 0; s < 2; s++) {
			double at;

			if (y->bends == 0 || (s ? y->from : y->to) != box ||
			    ((s == 1) != y->reversed) != low)
				continue;
			at = y->path[s ? 1 : y->path_n - 2].x;
			n++;
			before += at < mine || (at == mine && (y < x || (y == x && s < start)));
		}
	}
	return d->boxes[box].x + d->boxes[box].w * ((double)before + 1) / ((double)n + 1);
}

static void
join(struct draw *d, struct draw_arrow *x)
{
	const struct draw_box *from = &d->boxes[x->from], *to = &d->boxes[x->to];

	if (x->bends == 0) {                         /* between regions */
		x->path[0] = border(from, middle(to));
		x->path[1] = border(to, middle(from));
		x->label_at = (struct draw_point){ (x->path[0].x + x->path[1].x) / 2,
			(x->path[0].y + x->path[1].y) / 2 - 9 };
		return;
	}
	x->path[0] = (struct draw_point){ port(d, x, true),
		x->reversed ? from->y : from->y + from->h };
	x->path[x->path_n - 1] = (struct draw_point){ port(d, x, false),
		x->reversed ? to->y + to->h : to->y };
}

/* From places in groups to places in the picture. */
static void
move_all(struct draw *d)
{
	for (size_t i = 1; i < d->boxes_n; i++) {
		d->boxes[i].x += d->boxes[d->boxes[i].up].x;
		d->boxes[i].y += d->boxes[d->boxes[i].up].y;
	}
	for (size_t i = 0; i < d->arrows_n; i++) {
		struct draw_arrow *x = &d->arrows[i];
		const struct draw_box *g = &d->boxes[x->group];

		for (size_t k = 1; k + 1 < x->path_n; k++) {
			x->path[k].x += g->x;
			x->path[k].y += g->y;
		}
		x->label_at.x += g->x;
		x->label_at.y += g->y;
	}
}

static void
measure(struct draw *d)
{
	for (size_t i = 0; i < d->boxes_n; i++) {
		struct draw_box *b = &d->boxes[i];
		double title = draw_text_width(b->title, DRAW_TITLE_SIZE);
		double detail = draw_text_width(b->detail, DRAW_LABEL_SIZE);

		b->w = (title > detail ? title : detail) + 26;
		b->h = b->detail.n > 0 ? 42 : 30;
		if (b->shape == DRAW_DOT)
			b->w = b->h = 10;
		if (b->shape == DRAW_HISTORY)
			b->w = b->h = 26;
	}
	for (size_t i = 0; i < d->arrows_n; i++) {
		struct draw_arrow *x = &d->arrows[i];

		struct str lines[DRAW_LINES];
		size_t n = draw_lines(x->label, lines);

		x->group = group_of(d, x);
		x->label_h = (double)n * DRAW_LINE;
		while (n-- > 0)
			if (draw_text_width(lines[n], DRAW_LABEL_SIZE) > x->label_w)
				x->label_w = draw_text_width(lines[n], DRAW_LABEL_SIZE);
		if (x->from == x->to && d->boxes[x->from].margin < x->label_w + 34)
			d->boxes[x->from].margin = x->label_w + 34;
	}
}

int
draw_layout(struct draw *d, struct err *e)
{
	bool done = !d->arena.failed;

	if (done)
		measure(d);
	for (size_t i = d->boxes_n; done && i-- > 0;)
		if (d->boxes[i].shape == DRAW_GROUP || d->boxes[i].shape == DRAW_REGIONS)
			done = lay_out(d, (int)i);
	if (!done || d->arena.failed)
		return err_set(e, ERR_TOOBIG, "too large for a drawing; `--dot` has no limit");
	move_all(d);
	for (size_t i = 0; i < d->arrows_n; i++) {
		struct draw_arrow *x = &d->arrows[i];

		if (x->from == x->to)
			loop(d, x);
		else if (x->group == x->from || x->group == x->to)
			inwards(d, x, x->group == x->to);
		else if (x->path != NULL)
			join(d, x);
	}
	return d->arena.failed ? err_set(e, ERR_TOOBIG, "too large for a drawing") : OK;
}
