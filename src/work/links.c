/*
 * links.c - see links.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/links.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rc.h"

#define SLOTS_MIN 256

void
links_init(struct links *g)
{
	*g = (struct links){ .spare = NIL };
}

void
links_release(struct links *g)
{
	free(g->nodes);
	free(g->links);
	free(g->slots);
	links_init(g);
}

/* ---- nodes ------------------------------------------------------------------- */

static size_t
slot_of(const struct links *g, int64_t seq)
{
	uint64_t h = (uint64_t)seq * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(h >> 32) & (g->slots_n - 1);

	while (g->slots[i] != 0 && g->nodes[g->slots[i] - 1].seq != seq)
		i = (i + 1) & (g->slots_n - 1);
	return i;
}

uint32_t
links_find(const struct links *g, int64_t seq)
{
	uint32_t slot = g->slots_n == 0 ? 0 : g->slots[slot_of(g, seq)];

	return slot == 0 ? NIL : slot - 1;
}

static void
slots_grow(struct links *g)
{
	free(g->slots);
	g->slots_n = g->slots_n == 0 ? SLOTS_MIN : 4 * g->slots_n;
	g->slots = mem_zero(g->slots_n * sizeof *g->slots);
	for (size_t i = 0; i < g->nodes_n; i++)
		g->slots[slot_of(g, g->nodes[i].seq)] = (uint32_t)i + 1;
}

uint32_t
links_node(struct links *g, int64_t seq)
{
	size_t slot;

	if (2 * (g->nodes_n + 1) > g->slots_n)
		slots_grow(g);
	slot = slot_of(g, seq);
	if (g->slots[slot] != 0)
		return g->slots[slot] - 1;
	assert(g->nodes_n < NIL - 1);
	mem_grow(g->nodes, g->nodes_n, g->nodes_cap);
	g->nodes[g->nodes_n] = (struct node){ .seq = seq, .first = { NIL, NIL },
		.via = NIL, .next = NIL };
	g->slots[slot] = (uint32_t)++g->nodes_n;
	return (uint32_t)g->nodes_n - 1;
}

/* ---- links ------------------------------------------------------------------- */

static uint32_t
link_new(struct links *g)
{
	uint32_t i = g->spare;

	if (i != NIL) {
		g->spare = g->links[i].next[AHEAD];
		return i;
	}
	assert(g->links_n < NIL);
	mem_grow(g->links, g->links_n, g->links_cap);
	return (uint32_t)g->links_n++;
}

void
links_add(struct links *g, uint32_t from, uint32_t to)
{
	uint32_t i = link_new(g);
	uint32_t *ahead = &g->nodes[from].first[AHEAD];
	uint32_t *back = &g->nodes[to].first[BACK];

	assert(from < g->nodes_n && to < g->nodes_n);
	g->links[i] = (struct link){ .end = { to, from },
		.next = { *ahead, *back }, .before_back = NIL };
	if (*back != NIL)
		g->links[*back].before_back = i;
	*ahead = *back = i;
	g->live++;
}

bool
links_take(struct links *g, uint32_t from, uint32_t to)
{
	uint32_t *at = &g->nodes[from].first[AHEAD], i;
	struct link *l;

	assert(from < g->nodes_n && to < g->nodes_n);
	while (*at != NIL && g->links[*at].end[AHEAD] != to)
		at = &g->links[*at].next[AHEAD];
	i = *at;
	if (i == NIL)
		return false;
	l = &g->links[i];
	*at = l->next[AHEAD];
	if (l->next[BACK] != NIL)
		g->links[l->next[BACK]].before_back = l->before_back;
	if (l->before_back != NIL)
		g->links[l->before_back].next[BACK] = l->next[BACK];
	else
		g->nodes[to].first[BACK] = l->next[BACK];
	l->next[AHEAD] = g->spare;
	g->spare = i;
	g->live--;
	return true;
}

/* ---- the search ---------------------------------------------------------------- */

static void
reach(struct search *s, int side, uint32_t node, uint32_t via)
{
	struct node *n = &s->g->nodes[node];

	n->seen = s->mark + (uint64_t)side;
	n->via = via;
	n->next = NIL;
	if (s->tail[side] == NIL)
		s->head[side] = node;
	else
		s->g->nodes[s->tail[side]].next = node;
	s->tail[side] = node;
}

/* The next node of one side; ERR_NOTFOUND: that side has seen all it can. */
static int
step_node(struct search *s, int side)
{
	uint32_t at = s->head[side];
	int rc = OK;

	if (at == NIL)
		return ERR_NOTFOUND;
	s->head[side] = s->g->nodes[at].next;
	if (s->head[side] == NIL)
		s->tail[side] = NIL;
	if (s->pull != NULL)
		rc = s->pull(s->ctx, at, side);
	s->at[side] = at;
	s->link[side] = s->g->nodes[at].first[side];
	return rc == OK ? ERR_AGAIN : rc;
}

/* One link of one side, or its next node.  ERR_AGAIN: go on. */
static int
step(struct search *s, int side)
{
	const struct link *l;
	uint64_t seen;
	uint32_t other;

	if (s->link[side] == NIL)
		return step_node(s, side);
	l = &s->g->links[s->link[side]];
	s->link[side] = l->next[side];
	other = l->end[side];
	seen = s->g->nodes[other].seen;
	if (seen == s->mark + (uint64_t)side)
		return ERR_AGAIN;
	if (seen == s->mark + (uint64_t)!side) {
		s->met[side] = s->at[side];
		s->met[!side] = other;
		return OK;
	}
	reach(s, side, other, s->at[side]);
	return ERR_AGAIN;
}

int
links_search(struct search *s, uint32_t from, uint32_t to)
{
	int side = AHEAD, rc = ERR_AGAIN;

	assert(from != to);
	s->mark = 2 * ++s->g->turn;
	for (int i = AHEAD; i <= BACK; i++)
		s->link[i] = s->head[i] = s->tail[i] = s->at[i] = NIL;
	reach(s, AHEAD, from, NIL);
	reach(s, BACK, to, NIL);
	for (; rc == ERR_AGAIN; side = !side)
		rc = step(s, side);
	return rc;
}

int64_t *
links_way(const struct search *s, size_t *n)
{
	const struct node *nodes = s->g->nodes;
	size_t ahead = 0, back = 0;
	int64_t *way;

	for (uint32_t i = s->met[AHEAD]; i != NIL; i = nodes[i].via)
		ahead++;
	for (uint32_t i = s->met[BACK]; i != NIL; i = nodes[i].via)
		back++;
	way = mem_alloc((ahead + back) * sizeof *way);
	*n = 0;
	for (uint32_t i = s->met[AHEAD]; i != NIL; i = nodes[i].via)
		way[ahead - ++*n] = nodes[i].seq;
	for (uint32_t i = s->met[BACK]; i != NIL; i = nodes[i].via)
		way[(*n)++] = nodes[i].seq;
	return way;
}
