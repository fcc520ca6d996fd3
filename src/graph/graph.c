/*
 * graph.c - a compiled graph: look-up of names, and its shape.
 *
 * SPDX-License-Identifier: MIT
 */
#include "graph/graph_priv.h"

#include "base/mem.h"

void
graph_free(struct graph *g)
{
	if (g == NULL)
		return;
	check_graph(g);
	CHECK_END(g);
	arena_release(&g->arena);
	free(g);
}

size_t
graph_nodes(const struct graph *g)
{
	check_graph(g);
	return g->nodes_n - 1;
}

struct str
graph_node_name(const struct graph *g, int node)
{
	return g->nodes[rank_of_number(g, node)].name;
}

int
graph_find(const struct graph *g, struct str name)
{
	uint32_t rank = rank_of_name(g, name);

	return rank == NOWHERE || rank == g->start ? GRAPH_NONE : g->nodes[rank].number;
}

bool
graph_channel_is_control(struct str channel)
{
	return str_starts(channel, BRANCH_PREFIX) || str_starts(channel, JOIN_PREFIX) ||
	    str_eq(channel, SENDS_CHANNEL) || str_eq(channel, START_NAME);
}

uint32_t
rank_of_number(const struct graph *g, int node)
{
	check_graph(g);
	if (node == GRAPH_START)
		return g->start;
	assert(node >= 0 && (uint32_t)node < g->nodes_n - 1);
	return g->ranks[node];
}

uint32_t
rank_of_name(const struct graph *g, struct str name)
{
	uint32_t low = 0, high = g->nodes_n;

	check_graph(g);
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int order = str_cmp(name, g->nodes[middle].name);

		if (order == 0)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NOWHERE;
}

uint32_t
join_of_channel(const struct graph *g, struct str channel)
{
	uint32_t low = 0, high = g->joins_n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int order = str_cmp(channel, g->by_channel[middle]->channel);

		if (order == 0)
			return (uint32_t)(g->by_channel[middle] - g->joins);
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NOWHERE;
}

uint32_t
join_source(const struct graph *g, const struct join *j, uint32_t rank)
{
	uint32_t low = 0, high = j->n;

	while (low < high) {
		uint32_t middle = (low + high) / 2, at = g->sources[j->first + middle];

		if (at == rank)
			return middle;
		if (rank < at)
			high = middle;
		else
			low = middle + 1;
	}
	return NOWHERE;
}

/* ---- shape --------------------------------------------------------------- */

static uint64_t
mix(uint64_t h, struct str s, unsigned char end)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
	return (h ^ end) * UINT64_C(0x100000001b3);
}

/* FNV-1a over names, `defer` and joins, each with an end that is not in UTF-8;
 * the same in every process. */
uint64_t
graph_shape(const struct graph *g)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (uint32_t i = 0; i < g->nodes_n; i++)
		h = mix(h, g->nodes[i].name, g->nodes[i].defer ? 0xfe : 0xff);
	for (uint32_t i = 0; i < g->joins_n; i++) {
		const struct join *j = g->by_channel[i];

		for (uint32_t k = 0; k < j->n; k++)
			h = mix(h, g->nodes[g->sources[j->first + k]].name, 0xff);
		h = mix(h, j->channel, 0xfd);
	}
	return h;
}
