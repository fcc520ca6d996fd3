/*
 * route.c - the edges of a node, once its task has ended; see graph.h for the
 * rules.
 *
 * SPDX-License-Identifier: MIT
 */
#include "graph/graph_priv.h"

#include "base/limits.h"

struct route {
	const struct graph *g;
	const struct node *from;
	const struct graph_router *r;
	struct err *e;
};

static int
send_one(const struct route *w, const struct edge *ed, struct val element)
{
	struct val input = VAL_UNDEF, value = val_object_empty();
	int rc = w->r->input(w->r->ctx, ed->number, element, &input, w->e);

	if (rc == OK) {
		value = val_set_take(value, S("node"), val_string(w->g->nodes[ed->to].name));
		value = val_set_take(value, S("input"),
		    input.kind == VAL_UNDEFINED ? VAL_NIL : val_ref(input));
		rc = w->r->write(w->r->ctx, SENDS_CHANNEL, value);
	}
	val_drop(input);
	val_drop(value);
	return rc;
}

static int
send_each(const struct route *w, const struct edge *ed)
{
	struct str from = w->from->name, to = w->g->nodes[ed->to].name;
	struct val list = VAL_UNDEF;
	int rc = w->r->over(w->r->ctx, ed->number, &list, w->e);

	if (rc == OK && list.kind != VAL_ARRAY)
		rc = err_set(w->e, ERR_INVALID, "send from '%.*s' to '%.*s': `over` must be "
		    "a list", FMT(from), FMT(to));
	if (rc == OK && val_count(list) > LIMIT_GRAPH_SENDS)
		rc = err_set(w->e, ERR_LIMIT, "send from '%.*s' to '%.*s': `over` has %zu "
		    "elements, at most %d", FMT(from), FMT(to), val_count(list),
		    LIMIT_GRAPH_SENDS);
	for (size_t i = 0; rc == OK && i < val_count(list); i++)
		rc = send_one(w, ed, val_at(list, i));
	val_drop(list);
	return rc;
}

static int
follow(const struct route *w, const struct edge *ed)
{
	struct val name;
	int rc;

	if (ed->send)
		return send_each(w, ed);
	if (ed->to == NOWHERE)
		return OK;
	if (ed->join == NOWHERE)
		return w->r->write(w->r->ctx, w->g->nodes[ed->to].channel, VAL_NIL);
	name = val_string(w->from->name);
	rc = w->r->write(w->r->ctx, w->g->joins[ed->join].channel, name);
	val_drop(name);
	return rc;
}

/* The edges with `when`; was one followed? */
static int
follow_conditional(const struct route *w, const struct edge *edges, bool *followed)
{
	for (uint32_t i = 0; i < w->from->conditional; i++) {
		bool holds = false;
		int rc = w->r->when(w->r->ctx, edges[i].number, &holds, w->e);

		if (rc == OK && holds)
			rc = follow(w, &edges[i]);
		if (rc != OK)
			return rc;
		*followed = *followed || holds;
		if (holds && !edges[i].all)
			break;
	}
	return OK;
}

int
graph_route(const struct graph *g, int node, const struct graph_router *r, struct err *e)
{
	const struct node *n = &g->nodes[rank_of_number(g, node)];
	const struct route w = { .g = g, .from = n, .r = r, .e = e };
	const struct edge *edges = g->edges + n->edges;
	bool followed = false;
	int rc = follow_conditional(&w, edges, &followed);

	for (uint32_t i = n->conditional; rc == OK && !followed && i < n->edges_n; i++)
		rc = follow(&w, &edges[i]);
	return rc;
}
