/*
 * show.c - an agent as people see it: an outline, Graphviz, Mermaid.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/show_priv.h"

#include "base/json.h"
#include "graph/graph.h"

#define LABEL_BYTES 60               /* of a condition beside an edge */

static struct str
end_name(const struct agent *a, int node)
{
	return node == GRAPH_START ? S("START") : node == GRAPH_END ? S("END") :
	    a->nodes[node].name;
}

/* `when route == 'work'`, `for each n of notes`; nothing for a plain edge. */
void
show_edge_label(struct buf *b, const struct agent *a, size_t i)
{
	const struct agent_edge *edge = &a->edges[i];
	struct str when = str_cut(edge->when.source, LABEL_BYTES);
	struct str over = str_cut(edge->over.source, LABEL_BYTES);

	if (a->spec->edges[i].send)
		buf_add_fmt(b, "each %.*s%s%.*s", FMT(edge->as_name),
		    edge->as_name.n > 0 ? " of " : "of ", FMT(over));
	if (a->spec->edges[i].send && a->spec->edges[i].when)
		buf_add_char(b, ' ');
	if (a->spec->edges[i].when)
		buf_add_fmt(b, "when %.*s%s", FMT(when),
		    when.n < edge->when.source.n ? "..." : "");
}

/* ---- outline ----------------------------------------------------------------------- */

void
show_budget(struct buf *b, const struct agent_budget *of)
{
	buf_add(b, b->n > 0 && b->p[b->n - 1] == '\n' ? S("budget") : S(", budget"));
	for (size_t i = 0; i < BUDGET_KINDS; i++) {
		if (of->most[i] == BUDGET_NONE)
			continue;
		buf_add_fmt(b, " %s ", agent_budget_names[i]);
		if (i == BUDGET_COST)
			buf_add_fmt(b, "%.9g", (double)of->most[i] / 1e9);
		else
			buf_add_fmt(b, "%lld%s", (long long)of->most[i],
			    i == BUDGET_WALL ? "ms" : "");
	}
}

static void
add_guard(struct buf *b, const struct agent_guard *g)
{
	if (g->timeout_ms > 0)
		buf_add_fmt(b, ", timeout %lldms", (long long)g->timeout_ms);
	if (!g->retries)
		return;
	buf_add_fmt(b, ", retry %u", g->max);
	for (size_t i = 0; i < g->on_n; i++)
		buf_add_fmt(b, "%s%.*s", i > 0 ? ", " : " on ", FMT(g->on[i]));
	if (g->delay_ms > 0)
		buf_add_fmt(b, " after %lldms", (long long)g->delay_ms);
}

/* Those of the kind's own fields that say how it goes on. */
static void
add_fields(struct buf *b, const struct agent_work *w)
{
	static const char *const names[] = { "keep", "truncate", "events", "timeout" };

	for (size_t i = 0; i < w->kind->fields_n; i++)
		for (size_t k = 0; k < COUNT(names); k++) {
			const struct agent_value *v = &w->fields[i];

			if (!str_eq(str_of(w->kind->fields[i].name), str_of(names[k])) ||
			    !agent_has(v))
				continue;
			buf_add_fmt(b, ", %s ", names[k]);
			if (str_eq(str_of(names[k]), S("events")))
				for (size_t m = 0; m < val_count(v->constant); m++)
					buf_add_fmt(b, "%s%.*s", m > 0 ? " " : "",
					    FMT(val_key(v->constant, m)));
			else if (v->form != VALUE_CONST)
				buf_add(b, str_cut(v->source, LABEL_BYTES));
			else if (v->constant.kind == VAL_STRING)
				buf_add(b, val_str(v->constant));
			else
				val_add_json(b, v->constant);
		}
}

void
show_terms(struct buf *b, const struct agent_work *w)
{
	if (w->kind->fields != NULL && w->fields != NULL)
		add_fields(b, w);
	if (w->guard != NULL)
		add_guard(b, w->guard);
	if (w->budget != NULL)
		show_budget(b, w->budget);
}

static void
add_work(struct buf *b, const struct agent_work *w, unsigned depth)
{
	buf_add_fmt(b, "%*s%s", (int)(2 * depth), "", w->kind->name);
	if (w->op >= 0)
		buf_add_fmt(b, ".%s", w->kind->ops[w->op]);
	if (w->child_name.n > 0)
		buf_add_fmt(b, " %.*s", FMT(w->child_name));
	if (w->each_name.n > 0)
		buf_add_fmt(b, " as %.*s", FMT(w->each_name));
	if (w->when.source.n > 0)
		buf_add_fmt(b, ", when %.*s", FMT(str_cut(w->when.source, LABEL_BYTES)));
	if (w->returns)
		buf_lit(b, ", return");
	show_terms(b, w);
	buf_add_char(b, '\n');
}

/* Recursion is bounded by LIMIT_AGENT_DEPTH. */
static void
add_tree(struct buf *b, const struct agent *a, const struct agent_work *w, unsigned depth)
{
	add_work(b, w, depth);
	for (size_t i = 0; i < w->writes_n; i++)
		buf_add_fmt(b, "%*swrites %.*s\n", (int)(2 * depth + 2), "",
		    FMT(a->channels[w->writes[i].channel].name));
	for (size_t i = 0; i < w->items_n; i++)
		add_tree(b, a, &w->items[i], depth + 1);
}

static void
add_channel(struct buf *b, const struct channel *c)
{
	buf_add_fmt(b, "  %.*s: %s", FMT(c->name), reducer_names[c->reducer]);
	if (c->initial.kind != VAL_UNDEFINED) {
		buf_lit(b, ", default ");
		val_add_json(b, c->initial);
	}
	buf_add_fmt(b, "%s%s%s%s\n", c->ephemeral ? ", ephemeral" : "",
	    c->private ? ", private" : "", c->input || c->private ? "" : ", no input",
	    c->output || c->private ? "" : ", no output");
}

static void
add_stops(struct buf *b, const struct agent *a, const char *title,
    const struct agent_stops *s)
{
	if (!s->all && s->n == 0)
		return;
	buf_add_fmt(b, "%s:", title);
	if (s->all)
		buf_lit(b, " all nodes");
	for (size_t i = 0; i < s->n; i++)
		buf_add_fmt(b, " %.*s", FMT(a->nodes[s->nodes[i]].name));
	buf_add_char(b, '\n');
}

static void
add_edge(struct buf *b, const struct agent *a, size_t i)
{
	const struct graph_edge *g = &a->spec->edges[i];

	buf_lit(b, "  ");
	for (size_t k = 0; k < g->from_n; k++)
		buf_add_fmt(b, "%s%.*s", k > 0 ? " + " : "", FMT(end_name(a, g->from[k])));
	buf_add_fmt(b, " -> %.*s", FMT(end_name(a, g->to)));
	if (g->send || g->when)
		buf_lit(b, ", ");
	show_edge_label(b, a, i);
	buf_add_char(b, '\n');
}

void
agent_add_outline(struct buf *b, const struct agent *a)
{
	buf_add_fmt(b, "agent %.*s", FMT(a->id));
	if (!str_eq(a->name, a->id))
		buf_add_fmt(b, " \"%.*s\"", FMT(a->name));
	buf_add_fmt(b, "\nhash %.*s\n", 12, a->hash);
	if (a->hosted != NULL) {
		buf_lit(b, "a graph that a worker runs\n");
		return;
	}
	buf_lit(b, "state\n");
	for (size_t i = 0; i < a->channels_n; i++)
		add_channel(b, &a->channels[i]);
	if (a->budget != NULL) {
		show_budget(b, a->budget);
		buf_add_char(b, '\n');
	}
	add_stops(b, a, "interrupt before", &a->before);
	add_stops(b, a, "interrupt after", &a->after);
	for (size_t i = 0; i < a->tools_n; i++)
		buf_add_fmt(b, "tool %.*s\n", FMT(a->tools[i].name));
	if (a->chart != NULL) {
		show_chart_outline(b, a);
		return;
	}
	buf_lit(b, "nodes\n");
	for (size_t i = 0; i < a->nodes_n; i++) {
		buf_add_fmt(b, "  %.*s%s\n", FMT(a->nodes[i].name),
		    a->nodes[i].defer ? ", deferred" : "");
		add_tree(b, a, &a->nodes[i].work, 2);
	}
	buf_lit(b, "edges\n");
	for (size_t i = 0; i < a->edges_n; i++)
		add_edge(b, a, i);
}

/* ---- Graphviz ------------------------------------------------------------------------ */

static void
add_dot_end(struct buf *b, int node)
{
	if (node < 0)
		buf_add_fmt(b, "%s", node == GRAPH_START ? "start" : "end");
	else
		buf_add_fmt(b, "n%d", node);
}

/* Graphviz reads a JSON string as its own, for all characters that names and
 * expressions can have. */
void
agent_add_dot(struct buf *b, const struct agent *a)
{
	struct buf label = BUF(1 * KB);

	if (a->chart != NULL) {
		show_chart_dot(b, a);
		return;
	}
	buf_lit(b, "digraph ");
	json_add_str(b, a->id);
	buf_lit(b, " {\n  node [shape=box, style=rounded];\n"
	    "  start [label=\"START\", shape=plaintext];\n"
	    "  end [label=\"END\", shape=plaintext];\n");
	for (size_t i = 0; i < a->nodes_n; i++) {
		buf_add_fmt(b, "  n%zu [label=", i);
		buf_clear(&label);
		buf_add_fmt(&label, "%.*s\n%s", FMT(str_cut(a->nodes[i].name, LABEL_BYTES)),
		    a->nodes[i].work.kind->name);
		json_add_str(b, buf_str(&label));
		buf_lit(b, "];\n");
	}
	for (size_t i = 0; i < a->edges_n; i++) {
		const struct graph_edge *g = &a->spec->edges[i];

		for (size_t k = 0; k < g->from_n; k++) {
			buf_lit(b, "  ");
			add_dot_end(b, g->from[k]);
			buf_lit(b, " -> ");
			add_dot_end(b, g->to);
			buf_clear(&label);
			show_edge_label(&label, a, i);
			buf_lit(b, " [label=");
			json_add_str(b, buf_str(&label));
			buf_add_fmt(b, "%s];\n", g->send || g->when ? ", style=dashed" : "");
		}
	}
	buf_lit(b, "}\n");
	buf_release(&label);
}

/* ---- Mermaid ---------------------------------------------------------------------------- */

void
show_mermaid_text(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"' || c == '#' || c == ';' || c == '<' || c == '>' || c == '&' || c == '|')
			buf_add_fmt(b, "#%d;", c);
		else
			buf_add_char(b, c == '\n' ? ' ' : c);
	}
}

static void
add_mermaid_text(struct buf *b, struct str s)
{
	buf_add_char(b, '"');
	show_mermaid_text(b, s);
	buf_add_char(b, '"');
}

static void
add_mermaid_end(struct buf *b, int node)
{
	if (node < 0)
		buf_add_fmt(b, "%s", node == GRAPH_START ? "__start__" : "__end__");
	else
		buf_add_fmt(b, "n%d", node);
}

void
agent_add_mermaid(struct buf *b, const struct agent *a)
{
	struct buf label = BUF(1 * KB);

	if (a->chart != NULL) {
		show_chart_mermaid(b, a);
		return;
	}
	buf_lit(b, "graph TD;\n  __start__([START])\n  __end__([END])\n");
	for (size_t i = 0; i < a->nodes_n; i++) {
		buf_add_fmt(b, "  n%zu(", i);
		add_mermaid_text(b, str_cut(a->nodes[i].name, LABEL_BYTES));
		buf_lit(b, ")\n");
	}
	for (size_t i = 0; i < a->edges_n; i++) {
		const struct graph_edge *g = &a->spec->edges[i];

		buf_clear(&label);
		show_edge_label(&label, a, i);
		for (size_t k = 0; k < g->from_n; k++) {
			buf_lit(b, "  ");
			add_mermaid_end(b, g->from[k]);
			buf_add(b, label.n > 0 ? S(" -.") : S(" --"));
			if (label.n > 0) {
				buf_lit(b, "->|");
				add_mermaid_text(b, buf_str(&label));
				buf_lit(b, "| ");
			} else {
				buf_lit(b, "> ");
			}
			add_mermaid_end(b, g->to);
			buf_lit(b, "\n");
		}
	}
	buf_release(&label);
}
