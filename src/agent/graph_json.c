/*
 * graph_json.c - the drawing of a graph as LangGraph's clients know it, and the
 * schemas of its state.
 *
 * An agent that is drawn inline loses its START if one edge without a condition
 * leaves it, and its END if one leads to it; the edges around it are tied to the
 * nodes behind them.  Else they stay, as `node:__start__` and `node:__end__`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/agent.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "graph/graph.h"

#define ID_BYTES  ((LIMIT_NAME_BYTES + 1) * (LIMIT_AGENT_NESTING + 2))
#define SCHEMA_2020 "https://json-schema.org/draft/2020-12/schema"
#define SCHEMA_07   "http://json-schema.org/draft-07/schema#"

/* One agent in the drawing. */
struct level {
	const struct agent *a;
	const struct graph *names;           /* NULL: as in the file */
	const struct level *up;              /* around it; NULL: the root */
	struct str prefix;                   /* of ids, "node:" */
	unsigned left;                       /* levels below that are drawn inline */
};

static struct str
node_name(const struct level *l, int node)
{
	return node == GRAPH_START ? S("__start__") : node == GRAPH_END ? S("__end__") :
	    l->names != NULL ? graph_node_name(l->names, node) : l->a->nodes[node].name;
}

/* ---- edges -------------------------------------------------------------------------- */

static bool
leaves(const struct graph_edge *g, int node)
{
	for (size_t i = 0; i < g->from_n; i++)
		if (g->from[i] == node)
			return true;
	return false;
}

/* Has the node an edge with a condition, so that those without are the else? */
static bool
branches(const struct agent *a, int node)
{
	for (size_t i = 0; i < a->edges_n; i++)
		if (a->spec->edges[i].when && leaves(&a->spec->edges[i], node))
			return true;
	return false;
}

static bool
is_conditional(const struct agent *a, const struct graph_edge *g, int node)
{
	return g->send || g->when || (g->from_n == 1 && branches(a, node));
}

/* Does it end the graph without an edge that says so: none is left, or none holds? */
static bool
falls_to_end(const struct agent *a, int node)
{
	bool to_end = false, always = false;

	for (size_t i = 0; i < a->edges_n; i++) {
		const struct graph_edge *g = &a->spec->edges[i];

		if (!leaves(g, node))
			continue;
		to_end = to_end || g->to == GRAPH_END;
		always = always || !g->when;
	}
	return !to_end && !always;
}

/* The only node after START, or before END, by an edge without a condition; else
 * START or END itself. */
static int
only_first(const struct agent *a)
{
	int found = GRAPH_START;

	for (size_t i = 0; i < a->edges_n; i++) {
		const struct graph_edge *g = &a->spec->edges[i];

		if (!leaves(g, GRAPH_START))
			continue;
		if (found != GRAPH_START || g->send || g->when || g->to < 0)
			return GRAPH_START;
		found = g->to;
	}
	return found;
}

static int
only_last(const struct agent *a)
{
	int found = GRAPH_END;

	for (int node = 0; node < (int)a->nodes_n; node++) {
		bool ends = falls_to_end(a, node), conditional = ends && branches(a, node);

		for (size_t i = 0; i < a->edges_n; i++) {
			const struct graph_edge *g = &a->spec->edges[i];

			if (g->to != GRAPH_END || !leaves(g, node))
				continue;
			ends = true;
			conditional = conditional || is_conditional(a, g, node);
		}
		if (ends && (found != GRAPH_END || conditional))
			return GRAPH_END;
		if (ends)
			found = node;
	}
	return found;
}

/* ---- levels --------------------------------------------------------------------------- */

/* The agent of a node that is drawn inline; false: it is a plain node. */
static bool
descend(const struct level *l, int node, struct buf *prefix, struct level *in)
{
	const struct agent_work *w = node >= 0 ? &l->a->nodes[node].work : NULL;

	if (w == NULL || l->left == 0 || w->child == NULL || w->items_n > 0 || w->each >= 0 ||
	    w->kind->writes != WRITES_OUTPUT)
		return false;
	buf_clear(prefix);
	buf_add(prefix, l->prefix);
	buf_add(prefix, node_name(l, node));
	buf_add_char(prefix, ':');
	*in = (struct level){ .a = w->child, .up = l, .prefix = buf_str(prefix),
		.left = l->left - 1 };
	return true;
}

/* The id of an edge's end: of a node that is drawn inline, its first or last. */
static void
add_id(struct buf *b, const struct level *l, int node, bool as_target)
{
	struct buf prefix = BUF(ID_BYTES), id = BUF(ID_BYTES);
	struct level in;

	if (descend(l, node, &prefix, &in)) {
		add_id(b, &in, as_target ? only_first(in.a) : only_last(in.a), as_target);
	} else {
		buf_add_fmt(&id, "%.*s%.*s", FMT(l->prefix), FMT(node_name(l, node)));
		json_add_str(b, buf_str(&id));
	}
	buf_release(&prefix);
	buf_release(&id);
}

static bool
is_trimmed(const struct level *l, int end)
{
	return l->up != NULL && (end == GRAPH_START ? only_first(l->a) : only_last(l->a)) != end;
}

/* ---- nodes ------------------------------------------------------------------------------ */

static void
add_end_node(struct buf *b, const struct level *l, int end)
{
	if (is_trimmed(l, end))
		return;
	json_add_comma(b);
	buf_lit(b, "{\"id\":");
	add_id(b, l, end, true);
	buf_lit(b, ",\"type\":\"schema\",\"data\":{\"$schema\":\"" SCHEMA_2020 "\"}}");
}

/* Recursion is bounded by `left`. */
static void
add_nodes(struct buf *b, const struct level *l)
{
	struct buf prefix = BUF(ID_BYTES);
	struct level in;

	add_end_node(b, l, GRAPH_START);
	for (int i = 0; i < (int)l->a->nodes_n; i++) {
		if (descend(l, i, &prefix, &in)) {
			add_nodes(b, &in);
			continue;
		}
		json_add_comma(b);
		buf_lit(b, "{\"id\":");
		add_id(b, l, i, true);
		json_add_fmt(b, ",'type':'runnable','data':{'id':['langgraph',%s],'name':%.*s}}",
		    l->a->nodes[i].work.kind->writes == WRITES_OUTPUT ? "CompiledStateGraph" :
		    "RunnableCallable", FMT(node_name(l, i)));
	}
	add_end_node(b, l, GRAPH_END);
	buf_release(&prefix);
}

static void
add_edge(struct buf *b, const struct level *l, int from, int to, bool conditional)
{
	if ((from == GRAPH_START && is_trimmed(l, from)) || (to == GRAPH_END && is_trimmed(l, to)))
		return;
	json_add_comma(b);
	buf_lit(b, "{\"source\":");
	add_id(b, l, from, false);
	buf_lit(b, ",\"target\":");
	add_id(b, l, to, true);
	json_add_fmt(b, ",'conditional':%hhd}", conditional);
}

/* Recursion is bounded by `left`. */
static void
add_edges(struct buf *b, const struct level *l)
{
	const struct agent *a = l->a;
	struct buf prefix = BUF(ID_BYTES);
	struct level in;

	for (int i = 0; i < (int)a->nodes_n; i++)
		if (descend(l, i, &prefix, &in))
			add_edges(b, &in);
	for (size_t i = 0; i < a->edges_n; i++) {
		const struct graph_edge *g = &a->spec->edges[i];

		for (size_t k = 0; k < g->from_n; k++)
			add_edge(b, l, g->from[k], g->to, is_conditional(a, g, g->from[k]));
	}
	for (int i = 0; i < (int)a->nodes_n; i++)
		if (falls_to_end(a, i))
			add_edge(b, l, i, GRAPH_END, branches(a, i));
	buf_release(&prefix);
}

void
agent_add_graph(struct buf *b, const struct agent *a, const struct graph *g,
    unsigned levels)
{
	struct level l = { .a = a, .names = g, .left = levels < LIMIT_AGENT_NESTING ? levels :
		LIMIT_AGENT_NESTING };

	buf_lit(b, "{\"nodes\":[");
	add_nodes(b, &l);
	buf_lit(b, "],\"edges\":[");
	add_edges(b, &l);
	buf_lit(b, "]}");
}

/* ---- schemas of the state ----------------------------------------------------------------- */

/* What a reducer says of a channel without a schema. */
static const char *const reducer_schemas[] = {
	[REDUCE_LAST] = "{}", [REDUCE_MESSAGES] = "{\"type\":\"array\",\"items\":"
	    "{\"type\":\"object\"}}",
	[REDUCE_APPEND] = "{\"type\":\"array\"}", [REDUCE_MERGE] = "{\"type\":\"object\"}",
	[REDUCE_SUM] = "{\"type\":\"number\"}", [REDUCE_MIN] = "{\"type\":\"number\"}",
	[REDUCE_MAX] = "{\"type\":\"number\"}",
};

static bool
is_on_side(const struct channel *c, enum agent_side side)
{
	return side == AGENT_INPUT ? c->input : side == AGENT_OUTPUT ? c->output : !c->private;
}

void
agent_add_state_schema(struct buf *b, const struct agent *a, enum agent_side side)
{
	buf_lit(b, "{\"type\":\"object\",\"properties\":{");
	for (size_t i = 0; i < a->channels_n; i++) {
		const struct channel *c = &a->channels[i];

		if (!is_on_side(c, side))
			continue;
		json_add_fmt(b, ",%.*s:", FMT(c->name));
		if (c->schema.kind == VAL_UNDEFINED)
			buf_add(b, str_of(reducer_schemas[c->reducer]));
		else
			val_add_json(b, c->schema);
	}
	buf_lit(b, "},\"$schema\":\"" SCHEMA_07 "\"}");
}
