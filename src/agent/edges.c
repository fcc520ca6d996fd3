/*
 * edges.c - `edges:` as the graph wants them: pairs [from, to], or maps
 * {from, to, when, all} and {from, send: {over, as, to, input}, when}.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"

#include <stdio.h>

#include "base/mem.h"
#include "graph/graph.h"

static const char *const edge_keys[] = { "from", "to", "when", "all", "send", NULL };
static const char *const send_keys[] = { "over", "as", "to", "input", NULL };

static void
check_keys(struct load *l, const struct tree_node *n, const char *const *known)
{
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next) {
		struct str_near near = { .word = c->key };

		if (str_near_row(&near, known, sizeof *known) == NULL)
			load_fail_key(l, c, near.best, "unknown key '%.*s'",
			    FMT(str_cut(c->key, 100)));
	}
}

/* A node, START or END; graph_new says where these may stand. */
static int
load_end_of(struct load *l, const struct tree_node *n)
{
	if (n->kind == TREE_STRING && str_eq(n->text, S("START")))
		return GRAPH_START;
	if (n->kind == TREE_STRING && str_eq(n->text, S("END")))
		return GRAPH_END;
	return load_node_ref(l, n, true);
}

/* A node, or a list of nodes that are all waited for. */
static void
load_from(struct load *l, const struct tree_node *n, struct graph_edge *g)
{
	size_t count = n->kind == TREE_LIST ? n->n : 1;
	const struct tree_node *c = n->kind == TREE_LIST ? n->first : n;
	int *from = load_alloc(l, count, sizeof *from);

	if (count == 0)
		load_fail(l, n, "expected at least one node");
	for (size_t i = 0; i < count && l->rc == OK; i++, c = c->next)
		from[i] = load_end_of(l, c);
	g->from = from;
	g->from_n = count;
}

static void
load_send(struct load *l, const struct tree_node *n, struct agent_edge *out,
    struct graph_edge *g)
{
	const struct tree_node *over, *as, *to, *input;

	if (!load_wants(l, n, TREE_MAP, "a map of over, as, to and input"))
		return;
	check_keys(l, n, send_keys);
	over = tree_get(l->t, n, S("over"));
	as = tree_get(l->t, n, S("as"));
	to = tree_get(l->t, n, S("to"));
	input = tree_get(l->t, n, S("input"));
	if (over == NULL)
		load_fail(l, n, "'over' is missing");
	else if (to == NULL)
		load_fail(l, n, "'to' is missing");
	if (l->rc != OK)
		return;
	g->send = true;
	load_kind(l, over, AGENT_EXPR, &out->over);
	if (as != NULL && l->rc == OK) {
		out->as = load_as(l, as);
		out->as_name = load_str(l, as->text);
	}
	if (input != NULL && l->rc == OK)
		load_kind(l, input, AGENT_DATA, &out->input);
	if (l->rc == OK)
		g->to = load_end_of(l, to);
}

static void
load_map(struct load *l, const struct tree_node *n, struct agent_edge *out,
    struct graph_edge *g)
{
	const struct tree_node *from = tree_get(l->t, n, S("from"));
	const struct tree_node *to = tree_get(l->t, n, S("to"));
	const struct tree_node *when = tree_get(l->t, n, S("when"));
	const struct tree_node *all = tree_get(l->t, n, S("all"));
	const struct tree_node *send = tree_get(l->t, n, S("send"));
	struct agent_value flag = { 0 };

	check_keys(l, n, edge_keys);
	if (from == NULL)
		load_fail(l, n, "'from' is missing");
	else if (to != NULL && send != NULL)
		load_fail_key(l, send, NULL, "either 'to' or 'send', not both");
	else if (to == NULL && send == NULL)
		load_fail(l, n, "'to' or 'send' is missing");
	if (l->rc != OK)
		return;
	load_from(l, from, g);
	if (when != NULL && l->rc == OK)
		load_kind(l, when, AGENT_EXPR, &out->when);
	g->when = when != NULL;
	if (all != NULL && l->rc == OK) {
		load_kind(l, all, AGENT_BOOL, &flag);
		g->all = agent_bool(&flag, false);
	}
	if (send != NULL && l->rc == OK)
		load_send(l, send, out, g);
	else if (l->rc == OK)
		g->to = load_end_of(l, to);
}

static void
load_edge(struct load *l, const struct tree_node *n, struct agent_edge *out,
    struct graph_edge *g)
{
	*out = (struct agent_edge){ .as = -1, .line = n->at.line, .column = n->at.column };
	l->as_n = 0;
	l->as_next = SLOT_CHANNEL + (int)l->a->channels_n;
	if (n->kind == TREE_LIST && n->n == 2) {
		load_from(l, n->first, g);
		if (l->rc == OK)
			g->to = load_end_of(l, n->last);
	} else if (n->kind == TREE_MAP) {
		load_map(l, n, out, g);
	} else {
		load_fail(l, n, "expected an edge, [from, to] or {from, to, when}, got %s",
		    n->kind == TREE_LIST ? "a list of another length" : tree_kind_name(n));
	}
}

/* ---- the graph ----------------------------------------------------------------------- */

static bool
is_template(const struct agent_node *n)
{
	return n->label.form != VALUE_CONST;
}

static const struct tree_node *
child_at(const struct tree_node *n, size_t i)
{
	const struct tree_node *c = n->first;

	while (i-- > 0)
		c = c->next;
	return c;
}

/* The same rules for templates, under names that stand for them; their own are
 * checked when they are known. */
static void
make_graph(struct load *l, const struct graph_spec *spec, const struct tree_node *edges)
{
	struct graph_node *nodes = load_alloc(l, spec->nodes_n, sizeof *nodes);
	struct graph_spec named = *spec;
	struct graph_place where = { GRAPH_WHOLE, 0 };
	bool templates = false;
	struct err why;

	named.nodes = nodes;
	for (size_t i = 0; i < spec->nodes_n; i++) {
		char name[32];

		nodes[i] = spec->nodes[i];
		if (!is_template(&l->a->nodes[i]))
			continue;
		templates = true;
		snprintf(name, sizeof name, "a template %zu", i);
		nodes[i].name = load_str(l, str_of(name));
	}
	if (graph_new(&l->a->graph, &named, &where, &why) != OK) {
		if (where.part == GRAPH_EDGE)
			load_fail(l, child_at(edges, where.index), "%s", why.text);
		else if (where.part == GRAPH_NODE)
			load_fail_key(l, child_at(l->nodes, where.index), NULL, "%s", why.text);
		else
			load_fail(l, edges, "%s", why.text);
		return;
	}
	if (templates) {
		graph_free(l->a->graph);
		l->a->graph = NULL;
	}
}

void
load_edges(struct load *l, const struct tree_node *n)
{
	struct graph_spec *spec = load_alloc(l, 1, sizeof *spec);
	struct graph_node *nodes = load_alloc(l, l->a->nodes_n, sizeof *nodes);
	struct graph_edge *g;
	struct agent_edge *edges;
	size_t i = 0;

	if (!load_wants(l, n, TREE_LIST, "a list of edges"))
		return;
	for (size_t k = 0; k < l->a->nodes_n; k++)
		nodes[k] = (struct graph_node){ l->a->nodes[k].name, l->a->nodes[k].defer };
	g = load_alloc(l, n->n, sizeof *g);
	edges = load_alloc(l, n->n, sizeof *edges);
	for (const struct tree_node *c = n->first; c != NULL && l->rc == OK; c = c->next, i++)
		load_edge(l, c, &edges[i], &g[i]);
	*spec = (struct graph_spec){ nodes, l->a->nodes_n, g, n->n };
	l->a->edges = edges;
	l->a->edges_n = n->n;
	l->a->spec = spec;
	if (l->rc == OK)
		make_graph(l, spec, n);
}

/* ---- in a run ------------------------------------------------------------------------- */

static int
resolve(const struct agent *a, const struct agent_scope *s, struct graph_node *nodes,
    struct val *names, struct err *e)
{
	struct err why;

	for (size_t i = 0; i < a->nodes_n; i++) {
		const struct agent_node *n = &a->nodes[i];

		nodes[i] = a->spec->nodes[i];
		if (!is_template(n))
			continue;
		if (agent_eval(&n->label, s, &names[i], &why) != OK)
			return err_set(e, why.code, "%.*s:%u:%u: the node's name: %s", FMT(a->file),
			    n->line, n->column, why.text);
		nodes[i].name = val_str(names[i]);
	}
	return OK;
}

int
agent_graph(const struct agent *a, const struct agent_scope *s, struct graph **out,
    bool *mine, struct err *e)
{
	struct graph_node *nodes;
	struct graph_spec named;
	struct graph_place where = { GRAPH_WHOLE, 0 };
	struct val *names;
	struct err why;
	int rc;

	*out = a->graph;
	*mine = a->graph == NULL && a->chart == NULL && a->hosted == NULL;
	if (a->hosted != NULL)
		return err_set(e, ERR_INVALID, "the agent \"%.*s\" is a graph that a worker runs",
		    FMT(a->id));
	if (a->chart != NULL)
		return err_set(e, ERR_INVALID, "%.*s: it is a chart, not a graph",
		    FMT(a->file));
	if (a->graph != NULL)
		return OK;
	nodes = mem_zero((a->nodes_n + 1) * sizeof *nodes);
	names = mem_zero((a->nodes_n + 1) * sizeof *names);
	named = *a->spec;
	named.nodes = nodes;
	rc = resolve(a, s, nodes, names, e);
	if (rc == OK && graph_new(out, &named, &where, &why) != OK)
		rc = where.part == GRAPH_NODE ? err_set(e, why.code, "%.*s:%u:%u: %s",
		    FMT(a->file), a->nodes[where.index].line, a->nodes[where.index].column,
		    why.text) : err_set(e, why.code, "%.*s: %s", FMT(a->file), why.text);
	for (size_t i = 0; i < a->nodes_n; i++)
		val_drop(names[i]);
	free(nodes);
	free(names);
	return rc;
}
