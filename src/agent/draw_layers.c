/*
 * draw_layers.c - places in one group of a drawing: layers from top to bottom,
 * an order in each that lets few arrows cross (barycentres, as Sugiyama, Tagawa
 * and Toda have them), and coordinates near the neighbours.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "agent/draw_priv.h"

#define SWEEPS    12
#define SHIFTS    24
#define GAP_X     24.0           /* between boxes */
#define GAP_BEND  14.0           /* beside a bend */
#define GAP_Y     18.0           /* between layers; an arrow crosses two */

/* Items by layer and place; begin has where each layer begins. */
struct order { size_t *at, *begin; struct layers *l; };

static int
by_key(const void *a, const void *b, void *items)
{
	const struct layer_item *at = items;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;

	if (at[i].key != at[k].key)
		return at[i].key < at[k].key ? -1 : 1;
	return at[i].place < at[k].place ? -1 : at[i].place > at[k].place;
}

static void
sort(struct order *o, int layer)
{
	size_t from = o->begin[layer], n = o->begin[layer + 1] - from;

	qsort_r(o->at + from, n, sizeof *o->at, by_key, o->l->items);
	for (size_t i = 0; i < n; i++)
		o->l->items[o->at[from + i]].place = i;
}

/* Crossings of the links that end in each layer, weighed in pairs. */
static size_t
crossings(const struct layers *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->links_n; i++) {
		const struct layer_item *a = &l->items[l->links[i].from];
		const struct layer_item *b = &l->items[l->links[i].to];

		for (size_t k = i + 1; k < l->links_n; k++) {
			const struct layer_item *c = &l->items[l->links[k].from];
			const struct layer_item *d = &l->items[l->links[k].to];

			if (a->layer == c->layer && ((a->place < c->place && b->place > d->place) ||
			    (a->place > c->place && b->place < d->place)))
				n++;
		}
	}
	return n;
}

/* A layer by the mean place of what its items are linked to, above (down) or below. */
static void
sweep(struct order *o, int layer, bool down, double *sum, size_t *count)
{
	struct layers *l = o->l;

	for (size_t i = o->begin[layer]; i < o->begin[layer + 1]; i++) {
		sum[o->at[i]] = 0;
		count[o->at[i]] = 0;
	}
	for (size_t i = 0; i < l->links_n; i++) {
		size_t me = down ? l->links[i].to : l->links[i].from;
		size_t other = down ? l->links[i].from : l->links[i].to;

		if (l->items[me].layer != layer)
			continue;
		sum[me] += (double)l->items[other].place;
		count[me]++;
	}
	for (size_t i = o->begin[layer]; i < o->begin[layer + 1]; i++) {
		struct layer_item *item = &l->items[o->at[i]];

		item->key = count[o->at[i]] > 0 ?
		    sum[o->at[i]] / (double)count[o->at[i]] : (double)item->place;
	}
	sort(o, layer);
}

/* Pairs of links are compared with each other: of large drawings only the first
 * sweeps are taken as they come. */
#define LINKS_COMPARED 600

static void
order(struct order *o, struct arena *a)
{
	struct layers *l = o->l;
	double *sum = arena_zero(a, (l->items_n + 1) * sizeof *sum);
	size_t *count = arena_zero(a, (l->items_n + 1) * sizeof *count);
	size_t *best = arena_zero(a, (l->items_n + 1) * sizeof *best);
	size_t least;

	if (sum == NULL || count == NULL || best == NULL)
		return;
	least = l->links_n > LINKS_COMPARED ? 0 : crossings(l);
	for (size_t i = 0; i < l->items_n; i++)
		best[i] = l->items[i].place;
	for (int s = 0; s < SWEEPS && (least > 0 || l->links_n > LINKS_COMPARED); s++) {
		size_t now;

		for (int i = 0; i < l->layers_n; i++)
			sweep(o, s % 2 == 0 ? i : l->layers_n - 1 - i, s % 2 == 0, sum, count);
		now = l->links_n > LINKS_COMPARED ? 0 : crossings(l);
		if (now > least)
			continue;
		least = now;
		for (size_t i = 0; i < l->items_n; i++)
			best[i] = l->items[i].place;
	}
	for (size_t i = 0; i < l->items_n; i++)
		l->items[i].key = (double)best[i];
	for (int i = 0; i < l->layers_n; i++)
		sort(o, i);
}

/* The items by layer, as they come. */
static void
begin(struct order *o)
{
	struct layers *l = o->l;
	size_t n = 0;

	for (int layer = 0; layer < l->layers_n; layer++) {
		o->begin[layer] = n;
		for (size_t i = 0; i < l->items_n; i++)
			if (l->items[i].layer == layer) {
				l->items[i].place = n - o->begin[layer];
				o->at[n++] = i;
			}
	}
	o->begin[l->layers_n] = n;
}

static double
apart(const struct layer_item *a, const struct layer_item *b)
{
	return (a->w + b->w) / 2 + (a->box < 0 || b->box < 0 ? GAP_BEND : GAP_X);
}

/* The places that a layer wants, made apart: pushed to the right, pushed to the
 * left, and the mean of both, which is apart too. */
static void
settle(const struct order *o, size_t from, size_t to, const double *want, double *left,
    double *right)
{
	struct layer_item *at = o->l->items;

	for (size_t i = from; i < to; i++) {
		left[i] = want[o->at[i]];
		if (i > from && left[i] < left[i - 1] + apart(&at[o->at[i - 1]], &at[o->at[i]]))
			left[i] = left[i - 1] + apart(&at[o->at[i - 1]], &at[o->at[i]]);
	}
	for (size_t i = to; i-- > from;) {
		right[i] = want[o->at[i]];
		if (i + 1 < to &&
		    right[i] > right[i + 1] - apart(&at[o->at[i]], &at[o->at[i + 1]]))
			right[i] = right[i + 1] - apart(&at[o->at[i]], &at[o->at[i + 1]]);
	}
	for (size_t i = from; i < to; i++)
		at[o->at[i]].x = (left[i] + right[i]) / 2;
}

/* Towards the middle of the neighbours: above, below, and of both.  Parts of one
 * arrow pull harder: long arrows are straight. */
static void
shift(const struct order *o, struct arena *a)
{
	struct layers *l = o->l;
	double *want = arena_zero(a, (l->items_n + 1) * sizeof *want);
	double *left = arena_zero(a, (l->items_n + 1) * sizeof *left);
	double *right = arena_zero(a, (l->items_n + 1) * sizeof *right);
	double *count = arena_zero(a, (l->items_n + 1) * sizeof *count);

	if (want == NULL || left == NULL || right == NULL || count == NULL)
		return;
	for (int layer = 0; layer < l->layers_n; layer++)
		settle(o, o->begin[layer], o->begin[layer + 1], want, left, right);
	for (int s = 0; s < SHIFTS; s++) {
		memset(want, 0, l->items_n * sizeof *want);
		memset(count, 0, l->items_n * sizeof *count);
		for (size_t i = 0; i < l->links_n; i++) {
			size_t u = l->links[i].from, v = l->links[i].to;

			double pull = l->items[u].box < 0 && l->items[v].box < 0 ? 4 : 1;

			if (s % 3 != 1) {
				want[v] += pull * l->items[u].x;
				count[v] += pull;
			}
			if (s % 3 != 0) {
				want[u] += pull * l->items[v].x;
				count[u] += pull;
			}
		}
		for (size_t i = 0; i < l->items_n; i++)
			want[i] = count[i] > 0 ? want[i] / count[i] : l->items[i].x;
		for (int layer = 0; layer < l->layers_n; layer++)
			settle(o, o->begin[layer], o->begin[layer + 1], want, left, right);
	}
}

static void
stack(struct layers *l, const struct order *o)
{
	double y = 0;

	for (int layer = 0; layer < l->layers_n; layer++) {
		double h = 0;

		for (size_t i = o->begin[layer]; i < o->begin[layer + 1]; i++)
			if (l->items[o->at[i]].h > h)
				h = l->items[o->at[i]].h;
		for (size_t i = o->begin[layer]; i < o->begin[layer + 1]; i++)
			l->items[o->at[i]].y = y + h / 2;
		for (size_t i = o->begin[layer]; i < o->begin[layer + 1]; i++)
			if (l->items[o->at[i]].box < 0)
				l->items[o->at[i]].h = h;    /* it leads through the layer */
		y += h + GAP_Y;
	}
}

void
layers_arrange(struct layers *l, struct arena *a)
{
	struct order o = { .l = l };

	o.at = arena_zero(a, (l->items_n + 1) * sizeof *o.at);
	o.begin = arena_zero(a, ((size_t)l->layers_n + 1) * sizeof *o.begin);
	if (o.at == NULL || o.begin == NULL)
		return;
	begin(&o);
	order(&o, a);
	shift(&o, a);
	stack(l, &o);
}
