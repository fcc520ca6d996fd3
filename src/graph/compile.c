/*
 * compile.c - a graph from its spec: checked, then laid out for steps.
 *
 * What it points to lies in the graph's arena.  The limits of nodes, edges and
 * names bound it, so allocations do not fail.
 *
 * SPDX-License-Identifier: MIT
 */
#include "graph/graph_priv.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define GRAPH_BYTES (64 * MB)            /* above what the limits allow */

struct build {
	struct graph *g;
	const struct graph_spec *s;
	struct graph_place *where;           /* may be NULL */
	struct err *e;
};

/* Notes what an error is about; where its words go. */
static struct err *
at(const struct build *b, enum graph_part part, size_t index)
{
	if (b->where != NULL)
		*b->where = (struct graph_place){ part, index };
	return b->e;
}

static struct str
name_of(const struct graph_spec *s, int node)
{
	return node == GRAPH_START ? S("START") : node == GRAPH_END ? S("END") :
	    s->nodes[node].name;
}

static void *
array(struct build *b, size_t n, size_t size)
{
	return arena_zero(&b->g->arena, n > 0 ? n * size : 1);
}

/* ---- checks -------------------------------------------------------------- */

static int
check_size(const struct build *b)
{
	size_t edges = 0;

	if (b->s->nodes_n == 0)
		return err_set(at(b, GRAPH_WHOLE, 0), ERR_INVALID,
		    "the graph has no nodes");
	if (b->s->nodes_n > LIMIT_GRAPH_NODES)
		return err_set(at(b, GRAPH_NODE, LIMIT_GRAPH_NODES), ERR_LIMIT,
		    "%zu nodes, at most %d", b->s->nodes_n, LIMIT_GRAPH_NODES);
	for (size_t i = 0; i < b->s->edges_n; i++) {
		size_t n = b->s->edges[i].from_n;

		if (n > LIMIT_GRAPH_EDGES || edges + n > LIMIT_GRAPH_EDGES)
			return err_set(at(b, GRAPH_EDGE, i), ERR_LIMIT, "more than %d edges; "
			    "one that waits for several nodes counts as many",
			    LIMIT_GRAPH_EDGES);
		edges += n;
	}
	return OK;
}

static int
check_node(const struct build *b, size_t i)
{
	struct str name = b->s->nodes[i].name;

	if (name.n == 0)
		return err_set(at(b, GRAPH_NODE, i), ERR_INVALID, "a node needs a name");
	if (name.n > LIMIT_NAME_BYTES)
		return err_set(at(b, GRAPH_NODE, i), ERR_LIMIT, "a node's name of %zu bytes, "
		    "at most %d", name.n, LIMIT_NAME_BYTES);
	if (!str_is_utf8(name) || memchr(name.p, '\0', name.n) != NULL)
		return err_set(at(b, GRAPH_NODE, i), ERR_INVALID, "a node's name must be UTF-8 "
		    "text");
	if (str_index(name, '|') >= 0 || str_index(name, ':') >= 0)
		return err_set(at(b, GRAPH_NODE, i), ERR_INVALID, "node '%.*s': a name must not "
		    "have '|' or ':' in it", FMT(name));
	if (str_starts(name, S("__")))
		return err_set(at(b, GRAPH_NODE, i), ERR_INVALID, "node '%.*s': names that begin "
		    "with '__' are reserved", FMT(name));
	return OK;
}

/* From and to are there. */
static int
check_ends(const struct build *b, size_t i)
{
	const struct graph_edge *ed = &b->s->edges[i];
	int nodes = (int)b->s->nodes_n;

	if (ed->from_n == 0)
		return err_set(at(b, GRAPH_EDGE, i), ERR_INVALID, "an edge needs a node in "
		    "`from`");
	for (size_t k = 0; k < ed->from_n; k++) {
		if (ed->from[k] == GRAPH_END)
			return err_set(at(b, GRAPH_EDGE, i), ERR_INVALID, "no edge can leave "
			    "END");
		if (ed->from[k] != GRAPH_START && (ed->from[k] < 0 || ed->from[k] >= nodes))
			return err_set(at(b, GRAPH_EDGE, i), ERR_INVALID, "from: the graph has "
			    "no node %d", ed->from[k]);
	}
	if (ed->to == GRAPH_START)
		return err_set(at(b, GRAPH_EDGE, i), ERR_INVALID, "no edge can lead to START");
	if (ed->to != GRAPH_END && (ed->to < 0 || ed->to >= nodes))
		return err_set(at(b, GRAPH_EDGE, i), ERR_INVALID, "to: the graph has no node "
		    "%d", ed->to);
	return OK;
}

static int
check_join(const struct build *b, size_t i)
{
	const struct graph_edge *ed = &b->s->edges[i];
	struct str to = name_of(b->s, ed->to);

	if (ed->when || ed->all || ed->send)
		return err_set(at(b, GRAPH_EDGE, i), ERR_INVALID, "an edge that waits for several "
		    "nodes cannot have `%s` (to '%.*s')",
		    ed->when ? "when" : ed->all ? "all" : "send", FMT(to));
	for (size_t k = 0; k < ed->from_n; k++)
		if (ed->from[k] == GRAPH_START)
			return err_set(at(b, GRAPH_EDGE, i), ERR_INVALID, "an edge cannot wait "
			    "for START and other nodes (to '%.*s')", FMT(to));
	return OK;
}

static int
check_edge(const struct build *b, size_t i)
{
	const struct graph_edge *ed = &b->s->edges[i];
	int rc = check_ends(b, i);
	struct str from, to;

	if (rc != OK)
		return rc;
	if (ed->from_n > 1)
		return check_join(b, i);
	from = name_of(b->s, ed->from[0]), to = name_of(b->s, ed->to);
	if (ed->all && !ed->when)
		return err_set(at(b, GRAPH_EDGE, i), ERR_INVALID, "edge from '%.*s' to '%.*s': "
		    "`all` needs a `when`", FMT(from), FMT(to));
	if (ed->send && ed->to == GRAPH_END)
		return err_set(at(b, GRAPH_EDGE, i), ERR_INVALID, "send from '%.*s': it needs a "
		    "node, END is none", FMT(from));
	return OK;
}

static int
check_spec(const struct build *b)
{
	int rc = check_size(b);

	for (size_t i = 0; rc == OK && i < b->s->nodes_n; i++)
		rc = check_node(b, i);
	for (size_t i = 0; rc == OK && i < b->s->edges_n; i++)
		rc = check_edge(b, i);
	return rc;
}

/* ---- nodes --------------------------------------------------------------- */

/* By name, then by number. */
static int
node_order(const void *left, const void *right)
{
	const struct node *a = left, *b = right;
	int order = str_cmp(a->name, b->name);

	return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

static int
build_nodes(struct build *b)
{
	struct graph *g = b->g;

	g->nodes_n = (uint32_t)b->s->nodes_n + 1;
	g->nodes = array(b, g->nodes_n, sizeof g->nodes[0]);
	g->ranks = array(b, g->nodes_n, sizeof g->ranks[0]);
	g->deferred = array(b, bit_words(g->nodes_n), sizeof g->deferred[0]);
	for (size_t i = 0; i < b->s->nodes_n; i++) {
		const struct graph_node *from = &b->s->nodes[i];

		g->nodes[i] = (struct node){ .number = (int)i, .defer = from->defer,
			.channel = arena_join(&g->arena, BRANCH_PREFIX, from->name, STR_NONE),
			.name = arena_str(&g->arena, from->name), .join = NOWHERE };
	}
	g->nodes[b->s->nodes_n] = (struct node){ .number = GRAPH_START, .name = START_NAME,
		.channel = START_NAME, .join = NOWHERE };
	qsort(g->nodes, g->nodes_n, sizeof g->nodes[0], node_order);
	for (uint32_t i = 0; i < g->nodes_n; i++) {
		const struct node *n = &g->nodes[i];

		if (i > 0 && str_eq(n->name, n[-1].name))
			return err_set(at(b, GRAPH_NODE, (size_t)n->number), ERR_INVALID,
			    "two nodes are called '%.*s'", FMT(n->name));
		if (n->defer)
			bit_set(g->deferred, i);
		if (n->number == GRAPH_START)
			g->start = i;
		else
			g->ranks[n->number] = i;
	}
	return OK;
}

/* ---- joins --------------------------------------------------------------- */

static int
channel_order(const void *left, const void *right)
{
	const struct join *const *a = left, *const *b = right;

	return str_cmp((*a)->channel, (*b)->channel);
}

static int
rank_order(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* "join:A+B:C", the nodes in the spec's order, as LangGraph names it. */
static struct str
join_channel(struct build *b, const struct graph_edge *ed)
{
	struct buf name = BUF(GRAPH_BYTES);
	struct str channel;

	buf_add(&name, JOIN_PREFIX);
	for (size_t k = 0; k < ed->from_n; k++) {
		buf_add(&name, k > 0 ? S("+") : STR_NONE);
		buf_add(&name, b->s->nodes[ed->from[k]].name);
	}
	buf_add_fmt(&name, ":%.*s", FMT(b->s->nodes[ed->to].name));
	channel = arena_str(&b->g->arena, buf_str(&name));
	buf_release(&name);
	return channel;
}

static int
build_join(struct build *b, size_t index)
{
	const struct graph_edge *ed = &b->s->edges[index];
	struct graph *g = b->g;
	struct join *j = &g->joins[g->joins_n];
	uint32_t *sources = g->sources + g->sources_n;

	*j = (struct join){ .channel = join_channel(b, ed), .to = g->ranks[ed->to],
		.first = g->sources_n, .n = (uint32_t)ed->from_n, .next = NOWHERE };
	for (uint32_t k = 0; k < j->n; k++)
		sources[k] = g->ranks[ed->from[k]];
	qsort(sources, j->n, sizeof sources[0], rank_order);
	for (uint32_t k = 1; k < j->n; k++)
		if (sources[k] == sources[k - 1])
			return err_set(at(b, GRAPH_EDGE, index), ERR_INVALID, "an edge waits for "
			    "'%.*s' twice (to '%.*s')", FMT(g->nodes[sources[k]].name),
			    FMT(g->nodes[j->to].name));
	g->by_channel[g->joins_n++] = j;
	g->sources_n += j->n;
	return OK;
}

/* The joins of each node, in the spec's order. */
static void
chain_joins(struct graph *g)
{
	for (uint32_t i = g->joins_n; i-- > 0; ) {
		struct node *to = &g->nodes[g->joins[i].to];

		g->joins[i].next = to->join;
		to->join = i;
	}
}

/* numbers: the join of each edge of the spec. */
static int
build_joins(struct build *b, uint32_t *numbers)
{
	struct graph *g = b->g;
	size_t joins = 0, sources = 0;

	for (size_t i = 0; i < b->s->edges_n; i++) {
		const struct graph_edge *ed = &b->s->edges[i];
		bool join = ed->from_n > 1 && ed->to != GRAPH_END;

		numbers[i] = join ? (uint32_t)joins : NOWHERE;
		joins += join;
		sources += join ? ed->from_n : 0;
	}
	g->joins = array(b, joins, sizeof g->joins[0]);
	g->by_channel = array(b, joins, sizeof(void *));
	g->sources = array(b, sources, sizeof g->sources[0]);
	for (size_t i = 0; i < b->s->edges_n; i++) {
		int rc = numbers[i] != NOWHERE ? build_join(b, i) : OK;

		if (rc != OK)
			return rc;
	}
	qsort(g->by_channel, joins, sizeof(void *), channel_order);
	for (size_t i = 0, k; i + 1 < joins; i++) {
		if (!str_eq(g->by_channel[i]->channel, g->by_channel[i + 1]->channel))
			continue;
		for (k = b->s->edges_n; numbers[--k] != g->by_channel[i + 1] - g->joins; )
			;
		return err_set(at(b, GRAPH_EDGE, k), ERR_INVALID, "two edges wait for the same "
		    "nodes, or for nodes of the same names joined by '+' (to '%.*s')",
		    FMT(g->nodes[g->by_channel[i]->to].name));
	}
	chain_joins(g);
	return OK;
}

/* ---- edges --------------------------------------------------------------- */

static void
add_edges(struct build *b, size_t index, uint32_t join)
{
	const struct graph_edge *ed = &b->s->edges[index];
	struct graph *g = b->g;

	for (size_t k = 0; k < ed->from_n; k++) {
		struct node *n = &g->nodes[rank_of_number(g, ed->from[k])];

		g->edges[n->edges + n->edges_n++] = (struct edge){
			.number = (uint32_t)index, .join = join,
			.to = ed->to == GRAPH_END ? NOWHERE : g->ranks[ed->to],
			.when = ed->when, .all = ed->all, .send = ed->send };
		n->conditional += ed->when;
	}
}

/* Gives each node its part of g->edges. */
static void
divide_edges(struct build *b)
{
	struct graph *g = b->g;

	for (size_t i = 0; i < b->s->edges_n; i++)
		for (size_t k = 0; k < b->s->edges[i].from_n; k++)
			g->nodes[rank_of_number(g, b->s->edges[i].from[k])].edges_n++;
	for (uint32_t i = 0; i < g->nodes_n; i++) {
		g->nodes[i].edges = g->edges_n;
		g->edges_n += g->nodes[i].edges_n;
		g->nodes[i].edges_n = 0;
	}
	g->edges = array(b, g->edges_n, sizeof g->edges[0]);
}

static int
build_edges(struct build *b, const uint32_t *joins)
{
	struct graph *g = b->g;

	divide_edges(b);
	for (int when = 1; when >= 0; when--)
		for (size_t i = 0; i < b->s->edges_n; i++)
			if (b->s->edges[i].when == (when != 0))
				add_edges(b, i, joins[i]);
	for (uint32_t i = 0; i < g->nodes_n; i++) {
		const struct edge *edges = g->edges + g->nodes[i].edges;

		for (uint32_t k = 1; k < g->nodes[i].conditional; k++)
			if (edges[k].all != edges[0].all)
				return err_set(at(b, GRAPH_EDGE, edges[k].number), ERR_INVALID,
				    "edges from '%.*s': `all: true` must be on every edge with "
				    "`when` or on none",
				    FMT(name_of(b->s, g->nodes[i].number)));
	}
	return OK;
}

/* ---- reach --------------------------------------------------------------- */

struct reach {
	uint64_t *seen;                      /* ranks */
	uint32_t *queue, queue_n;
	uint32_t *missing;                   /* of each join's nodes; counts down */
};

static void
reach_node(struct reach *r, uint32_t rank)
{
	if (bit_get(r->seen, rank))
		return;
	bit_set(r->seen, rank);
	r->queue[r->queue_n++] = rank;
}

static void
reach_all(const struct graph *g, struct reach *r)
{
	for (uint32_t i = 0; i < g->joins_n; i++)
		r->missing[i] = g->joins[i].n;
	reach_node(r, g->start);
	for (uint32_t at = 0; at < r->queue_n; at++) {
		const struct node *n = &g->nodes[r->queue[at]];

		for (uint32_t k = 0; k < n->edges_n; k++) {
			const struct edge *ed = &g->edges[n->edges + k];

			if (ed->to == NOWHERE)
				continue;
			if (ed->join == NOWHERE || --r->missing[ed->join] == 0)
				reach_node(r, ed->to);
		}
	}
}

static int
check_reach(struct build *b)
{
	const struct graph *g = b->g;
	struct reach r = { .seen = array(b, bit_words(g->nodes_n), sizeof(uint64_t)),
		.queue = array(b, g->nodes_n, sizeof(uint32_t)),
		.missing = array(b, g->joins_n, sizeof(uint32_t)) };

	reach_all(g, &r);
	if (r.queue_n == 1)
		return err_set(at(b, GRAPH_WHOLE, 0), ERR_INVALID, "no edge leads from START to "
		    "a node");
	for (size_t i = 0; i < b->s->nodes_n; i++)
		if (!bit_get(r.seen, g->ranks[i]))
			return err_set(at(b, GRAPH_NODE, i), ERR_INVALID, "node '%.*s': no way "
			    "leads to it from START", FMT(b->s->nodes[i].name));
	return OK;
}

static int
build_all(struct build *b)
{
	uint32_t *joins = array(b, b->s->edges_n, sizeof joins[0]);
	int rc = build_nodes(b);

	if (rc == OK)
		rc = build_joins(b, joins);
	if (rc == OK)
		rc = build_edges(b, joins);
	if (rc == OK)
		rc = check_reach(b);
	if (rc == OK)
		b->g->shape = graph_shape(b->g);
	return rc;
}

int
graph_new(struct graph **out, const struct graph_spec *s, struct graph_place *where,
    struct err *e)
{
	struct build b = { .s = s, .where = where, .e = e };
	int rc = check_spec(&b);

	*out = NULL;
	if (rc != OK)
		return rc;
	b.g = mem_new(struct graph);
	b.g->mark = GRAPH_MARK;
	b.g->arena = ARENA(GRAPH_BYTES);
	rc = build_all(&b);
	if (rc != OK) {
		graph_free(b.g);
		return rc;
	}
	*out = b.g;
	return OK;
}
