/*
 * describe.c - an agent as clients of assistants see it: a drawing, schemas,
 * sub-agents; in the forms of LangGraph's getGraph, getSchemas, getSubgraphs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/hosted_priv.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "graph/graph.h"

#define DRAFT ",'$schema':'http://json-schema.org/draft-07/schema#'}"
#define NONE SIZE_MAX

/* Recursion is bounded by LIMIT_AGENT_DEPTH. */
const struct agent *
agent_work_child(const struct agent_work *w)
{
	const struct agent *child = w->child;

	for (size_t i = 0; child == NULL && i < w->items_n; i++)
		child = agent_work_child(&w->items[i]);
	return child;
}

/* ---- a drawing ----------------------------------------------------------------- */

struct drawn_node {
	char *id;
	const struct agent *agent;
	int node;                            /* GRAPH_START, GRAPH_END too */
	bool gone;
};

struct drawn_edge {
	size_t from, to;
	bool conditional, gone;
};

struct drawing {
	struct drawn_node *nodes;
	size_t nodes_n, nodes_cap;
	struct drawn_edge *edges;
	size_t edges_n, edges_cap;
	bool full;                           /* past LIMIT_DRAWING_NODES */
};

/* Where edges to a node of an agent lead, and where those from it begin. */
struct ends { size_t in, out; };

/* Where a sub-graph begins in a drawing; it goes on to the end. */
struct part { size_t node, edge; };

static size_t
node_add(struct drawing *d, const struct agent *a, int node, struct str prefix)
{
	struct str name = node == GRAPH_START ? S("__start__") : node == GRAPH_END ?
	    S("__end__") : a->nodes[node].name;
	struct buf id = BUF(LIMIT_AGENT_NESTING * LIMIT_AGENT_BYTES);

	if (d->nodes_n >= LIMIT_DRAWING_NODES) {
		d->full = true;
		return NONE;
	}
	buf_add(&id, prefix);
	buf_add(&id, name);
	mem_grow(d->nodes, d->nodes_n, d->nodes_cap);
	d->nodes[d->nodes_n] = (struct drawn_node){ mem_cstr(buf_str(&id)), a, node,
	    false };
	buf_release(&id);
	return d->nodes_n++;
}

static void
edge_add(struct drawing *d, size_t from, size_t to, bool conditional)
{
	if (from == NONE || to == NONE)
		return;
	if (d->edges_n >= LIMIT_DRAWING_EDGES) {
		d->full = true;
		return;
	}
	mem_grow(d->edges, d->edges_n, d->edges_cap);
	d->edges[d->edges_n++] = (struct drawn_edge){ from, to, conditional, false };
}

/* The part's only node that no edge leads to (last: comes from), when `without`
 * is left aside; NONE: there is not exactly one. */
static size_t
outermost(const struct drawing *d, struct part p, bool last, size_t without)
{
	bool *met = mem_zero(d->nodes_n - p.node + 1);
	size_t found = NONE, count = 0;

	for (size_t i = p.edge; i < d->edges_n; i++) {
		const struct drawn_edge *e = &d->edges[i];
		size_t near = last ? e->from : e->to, far = last ? e->to : e->from;

		if (!e->gone && far != without)
			met[near - p.node] = true;
	}
	for (size_t i = p.node; i < d->nodes_n; i++) {
		if (d->nodes[i].gone || i == without || met[i - p.node])
			continue;
		found = i;
		count++;
	}
	free(met);
	return count == 1 ? found : NONE;
}

/* LangGraph draws a sub-graph without its start and end where it stays clear
 * which node is the first and which the last. */
static void
trim(struct drawing *d, struct part p, bool last)
{
	size_t at = outermost(d, p, last, NONE);

	if (at == NONE || outermost(d, p, last, at) == NONE)
		return;
	d->nodes[at].gone = true;
	for (size_t i = p.edge; i < d->edges_n; i++)
		if (d->edges[i].from == at || d->edges[i].to == at)
			d->edges[i].gone = true;
}

static size_t
nodes_left(const struct drawing *d, struct part p)
{
	size_t n = 0;

	for (size_t i = p.node; i < d->nodes_n; i++)
		n += d->nodes[i].gone ? 0 : 1;
	return n;
}

static void draw(struct drawing *d, const struct agent *a, struct str prefix,
    unsigned depth);

/* A node that calls an agent, as that agent's nodes. */
static struct ends
draw_child(struct drawing *d, const struct agent *a, int node, struct str prefix,
    unsigned depth)
{
	const struct agent *child = agent_work_child(&a->nodes[node].work);
	struct part p = { d->nodes_n, d->edges_n };
	struct buf inner = BUF(LIMIT_AGENT_NESTING * LIMIT_AGENT_BYTES);
	struct ends ends;

	buf_add(&inner, prefix);
	buf_add(&inner, a->nodes[node].name);
	buf_add_char(&inner, ':');
	draw(d, child, buf_str(&inner), depth - 1);
	buf_release(&inner);
	trim(d, p, false);
	trim(d, p, true);
	if (nodes_left(d, p) > 1) {
		ends.in = outermost(d, p, false, NONE);
		ends.out = outermost(d, p, true, NONE);
		return ends;
	}
	while (d->nodes_n > p.node)
		free(d->nodes[--d->nodes_n].id);
	d->edges_n = p.edge;
	ends.in = ends.out = node_add(d, a, node, prefix);
	return ends;
}

/* What the edges of an agent's nodes are like, by node. */
struct leaving {
	bool *asks;                          /* some have a condition; the others are
	                                        its else, and so have one too */
	bool *always;                        /* some have none */
};

static struct leaving
leaving_of(const struct agent *a)
{
	struct leaving l = { mem_zero(a->nodes_n + 1), mem_zero(a->nodes_n + 1) };

	for (size_t i = 0; i < a->edges_n; i++) {
		const struct graph_edge *e = &a->spec->edges[i];

		for (size_t k = 0; k < e->from_n; k++)
			if (e->from[k] >= 0)
				(e->when ? l.asks : l.always)[e->from[k]] = true;
	}
	return l;
}

static bool
is_conditional(const struct graph_edge *e, int from, const struct leaving *l)
{
	return e->when || e->send || (e->from_n == 1 && from >= 0 && l->asks[from]);
}

/* Those that ask something come after those that do not. */
static void
draw_edges(struct drawing *d, const struct agent *a, const struct ends *ends,
    const struct leaving *l, size_t start, size_t *end, struct str prefix,
    bool conditional)
{
	for (size_t i = 0; i < a->edges_n; i++) {
		const struct graph_edge *e = &a->spec->edges[i];

		for (size_t k = 0; k < e->from_n; k++) {
			if (is_conditional(e, e->from[k], l) != conditional)
				continue;
			if (e->to == GRAPH_END && *end == NONE)
				*end = node_add(d, a, GRAPH_END, prefix);
			edge_add(d, e->from[k] == GRAPH_START ? start :
			    ends[e->from[k]].out, e->to == GRAPH_END ? *end :
			    ends[e->to].in, conditional);
		}
	}
}

/* A node whose edges may all be left aside, or that has none, ends the run.  What
 * a chart's transitions do is not drawn: any node may begin, and any may end. */
static void
draw_ends(struct drawing *d, const struct agent *a, const struct ends *ends,
    const struct leaving *l, size_t start, size_t *end, struct str prefix)
{
	for (size_t i = 0; a->chart != NULL && i < a->nodes_n; i++)
		edge_add(d, start, ends[i].in, true);
	for (size_t i = 0; i < a->nodes_n; i++) {
		if (l->always[i])
			continue;
		if (*end == NONE)
			*end = node_add(d, a, GRAPH_END, prefix);
		edge_add(d, ends[i].out, *end, l->asks[i] || a->chart != NULL);
	}
}

static void
draw(struct drawing *d, const struct agent *a, struct str prefix, unsigned depth)
{
	struct ends *ends = mem_alloc((a->nodes_n + 1) * sizeof *ends);
	size_t start = node_add(d, a, GRAPH_START, prefix), end = NONE;
	struct leaving l = leaving_of(a);

	for (size_t i = 0; i < a->nodes_n; i++) {
		if (depth > 0 && !d->full && agent_work_child(&a->nodes[i].work) != NULL)
			ends[i] = draw_child(d, a, (int)i, prefix, depth);
		else
			ends[i].in = ends[i].out = node_add(d, a, (int)i, prefix);
	}
	draw_edges(d, a, ends, &l, start, &end, prefix, false);
	draw_edges(d, a, ends, &l, start, &end, prefix, true);
	draw_ends(d, a, ends, &l, start, &end, prefix);
	free(l.asks);
	free(l.always);
	free(ends);
}

/* ---- a drawing as JSON ------------------------------------------------------------ */

static bool
stops_at(const struct agent_stops *s, int node)
{
	for (size_t i = 0; i < s->n; i++)
		if ((int)s->nodes[i] == node)
			return true;
	return s->all;
}

static void
add_breakpoints(struct buf *b, const struct agent *a, int node)
{
	bool before = stops_at(&a->before, node), after = stops_at(&a->after, node);

	if (before || after)
		json_add_fmt(b, ",'metadata':{'__interrupt':%s}", before && after ?
		    "before,after" : before ? "before" : "after");
}

static void
add_node(struct buf *b, const struct drawn_node *n)
{
	const struct agent_work *w = n->node < 0 ? NULL : &n->agent->nodes[n->node].work;
	const struct agent *child = w == NULL ? NULL : agent_work_child(w);

	if (w == NULL) {
		json_add_fmt(b, ",{'id':%s,'type':'schema','data':{'$schema':"
		    "'https://json-schema.org/draft/2020-12/schema'}}", n->id);
		return;
	}
	json_add_fmt(b, ",{'id':%s,'type':'runnable','data':{'id':['langgraph',", n->id);
	if (child != NULL)
		json_add_fmt(b, "'pregel','CompiledStateGraph'],'name':%.*s}",
		    FMT(child->name));
	else
		json_add_fmt(b, "%s],'name':%.*s}", str_eq(str_of(w->kind->name),
		    S("tools")) ? "ToolNode" : "RunnableCallable",
		    FMT(n->agent->nodes[n->node].name));
	add_breakpoints(b, n->agent, n->node);
	buf_add_char(b, '}');
}

static void
add_drawing(struct buf *b, const struct drawing *d)
{
	json_add_fmt(b, "{'nodes':[");
	for (size_t i = 0; i < d->nodes_n; i++)
		if (!d->nodes[i].gone)
			add_node(b, &d->nodes[i]);
	json_add_fmt(b, "],'edges':[");
	for (size_t i = 0; i < d->edges_n; i++)
		if (!d->edges[i].gone)
			json_add_fmt(b, ",{'source':%s,'target':%s,'conditional':%hhd}",
			    d->nodes[d->edges[i].from].id,
			    d->nodes[d->edges[i].to].id, d->edges[i].conditional);
	buf_lit(b, "]}");
}

int
agent_add_drawing(struct buf *b, const struct agent *a, unsigned depth, struct err *e)
{
	struct drawing d = { 0 };

	if (a->hosted != NULL) {
		hosted_add_drawing(b, a->hosted, depth > 0);
		return OK;
	}
	draw(&d, a, STR_NONE, depth);
	if (!d.full)
		add_drawing(b, &d);
	for (size_t i = 0; i < d.nodes_n; i++)
		free(d.nodes[i].id);
	free(d.nodes);
	free(d.edges);
	return !d.full ? OK : err_set(e, ERR_LIMIT, "the drawing has more than %d nodes "
	    "or %d edges; xray=1 draws one level of sub-agents", LIMIT_DRAWING_NODES,
	    LIMIT_DRAWING_EDGES);
}

/* ---- schemas ------------------------------------------------------------------------- */

enum side { SIDE_STATE, SIDE_INPUT, SIDE_OUTPUT };

/* Of a channel whose file has no schema. */
static const char *const reducer_schemas[] = {
	[REDUCE_LAST] = "{}",
	[REDUCE_MESSAGES] = "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}",
	[REDUCE_APPEND] = "{\"type\":\"array\"}",
	[REDUCE_MERGE] = "{\"type\":\"object\"}",
	[REDUCE_SUM] = "{\"type\":\"number\"}",
	[REDUCE_MIN] = "{\"type\":\"number\"}",
	[REDUCE_MAX] = "{\"type\":\"number\"}",
};

static void
add_properties(struct buf *b, const struct agent *a, enum side side)
{
	json_add_fmt(b, "'type':'object','properties':{");
	for (size_t i = 0; i < a->channels_n; i++) {
		struct val schema = a->channels[i].schema;

		if (a->channels[i].private ||
		    (side == SIDE_INPUT && !a->channels[i].input) ||
		    (side == SIDE_OUTPUT && !a->channels[i].output))
			continue;
		json_add_comma(b);
		json_add_str(b, a->channels[i].name);
		buf_add_char(b, ':');
		if (schema.kind == VAL_UNDEFINED)
			buf_add(b, str_of(reducer_schemas[a->channels[i].reducer]));
		else
			val_add_json(b, schema);
	}
}

static void
add_channels(struct buf *b, const char *key, const struct agent *a, enum side side)
{
	json_add_fmt(b, ",%s:{", key);
	add_properties(b, a, side);
	buf_add_char(b, '}');
	json_add_fmt(b, DRAFT);
}

/* A schema of the file, with a draft if it names none. */
static void
add_context(struct buf *b, const char *key, const struct agent *a)
{
	struct val schema = a->context_schema;

	json_add_fmt(b, ",%s:{", key);
	for (size_t i = 0; schema.kind == VAL_OBJECT && i < val_count(schema); i++) {
		if (str_eq(val_key(schema, i), S("$schema")))
			continue;
		json_add_comma(b);
		json_add_str(b, val_key(schema, i));
		buf_add_char(b, ':');
		val_add_json(b, val_member(schema, i));
	}
	if (!val_has(schema, S("type")))
		json_add_fmt(b, ",'type':'object'");
	json_add_fmt(b, DRAFT);
}

void
agent_add_tool_schema(struct buf *b, const struct agent *a)
{
	int context = agent_channel_find(a, S("context"));

	if (a->hosted != NULL) {
		hosted_add_tool_schema(b, a->hosted);
		return;
	}
	buf_add_char(b, '{');
	add_properties(b, a, SIDE_INPUT);
	if (context < 0)
		add_context(b, "context", a);
	buf_lit(b, "}}");
}

void
agent_add_schemas(struct buf *b, const struct agent *a)
{
	if (a->hosted != NULL) {
		hosted_add_schemas(b, a);
		return;
	}
	json_add_fmt(b, "{'graph_id':%.*s", FMT(a->id));
	add_channels(b, "input_schema", a, SIDE_INPUT);
	add_channels(b, "output_schema", a, SIDE_OUTPUT);
	add_channels(b, "state_schema", a, SIDE_STATE);
	add_context(b, "config_schema", a);
	add_context(b, "context_schema", a);
	buf_add_char(b, '}');
}

/* ---- sub-agents ------------------------------------------------------------------------ */

struct listing {
	struct buf *b;
	struct buf path;
	size_t n;                            /* listed so far */
	bool recurse;
};

static void
list_one(struct listing *l, const struct agent *child)
{
	l->n++;
	json_add_fmt(l->b, ",%.*s:{", FMT(buf_str(&l->path)));
	add_channels(l->b, "state", child, SIDE_STATE);
	add_channels(l->b, "input", child, SIDE_INPUT);
	add_channels(l->b, "output", child, SIDE_OUTPUT);
	add_context(l->b, "config", child);
	buf_add_char(l->b, '}');
}

/* The first name of a namespace, without a task's id; *ns: what follows. */
static struct str
first_name(struct str *ns)
{
	struct str name, rest = *ns;
	ptrdiff_t colon;

	(void)str_next(&rest, '|', &name);
	*ns = rest;
	colon = str_index(name, ':');
	return colon < 0 ? name : str_sub(name, 0, (size_t)colon);
}

/* ns: only what it names and, with recurse, what is below; empty: all. */
static void
list(struct listing *l, const struct agent *a, struct str ns)
{
	size_t before = l->path.n;
	bool chosen = ns.n > 0;
	struct str rest = ns, name = chosen ? first_name(&rest) : STR_NONE;

	for (size_t i = 0; i < a->nodes_n && l->n <= LIMIT_DRAWING_NODES; i++) {
		const struct agent *child = agent_work_child(&a->nodes[i].work);

		if (child == NULL || (chosen && !str_eq(a->nodes[i].name, name)))
			continue;
		if (before > 0)
			buf_add_char(&l->path, '|');
		buf_add(&l->path, a->nodes[i].name);
		if (rest.n == 0)
			list_one(l, child);
		if (rest.n > 0 || l->recurse)
			list(l, child, rest);
		buf_cut(&l->path, before);
	}
}

int
agent_add_subgraphs(struct buf *b, const struct agent *a, struct str ns, bool recurse,
    struct err *e)
{
	struct listing l = { b, BUF(LIMIT_AGENT_NESTING * LIMIT_AGENT_BYTES), 0, recurse };

	if (a->hosted != NULL) {
		hosted_add_subgraphs(b, a->hosted, ns, recurse);
		return OK;
	}
	buf_add_char(b, '{');
	list(&l, a, ns);
	buf_add_char(b, '}');
	buf_release(&l.path);
	return l.n <= LIMIT_DRAWING_NODES ? OK : err_set(e, ERR_LIMIT,
	    "more than %d sub-agents; name one, or leave recurse out",
	    LIMIT_DRAWING_NODES);
}
