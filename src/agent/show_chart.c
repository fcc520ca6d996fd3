/*
 * show_chart.c - a chart as people see it: states in states, and what leads from
 * one to another.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/show_priv.h"

#include "base/json.h"
#include "chart/chart.h"

#define LABEL_BYTES 60               /* of a guard */

static bool
is_kind(const struct chart *c, unsigned state, const char *kind)
{
	return str_eq(str_of(chart_state_kind(c, state)), str_of(kind));
}

static bool
has_states(const struct chart *c, unsigned state)
{
	return is_kind(c, state, "compound") || is_kind(c, state, "parallel");
}

static const struct agent_node *
node_of(const struct agent *a, unsigned state)
{
	int i = agent_node_find(a, chart_state_id(a->chart, state));

	return i >= 0 ? &a->nodes[i] : NULL;
}

static unsigned
depth_of(const struct chart *c, unsigned state)
{
	unsigned depth = 0;

	while (chart_state_parent(c, state) != 0) {
		state = chart_state_parent(c, state);
		depth++;
	}
	return depth;
}

/* `go, stop when n < 2` */
static void
add_label(struct buf *b, const struct chart_transition *t)
{
	struct str guard = str_cut(t->guard, LABEL_BYTES);

	for (size_t i = 0; i < t->events_n; i++)
		buf_add_fmt(b, "%s%.*s", i > 0 ? ", " : "", FMT(t->events[i]));
	if (t->any)
		buf_add_fmt(b, "%s*", t->events_n > 0 ? ", " : "");
	if (t->events_n == 0 && !t->any)
		buf_lit(b, "always");
	if (t->guard.n > 0)
		buf_add_fmt(b, " when %.*s%s", FMT(guard), guard.n < t->guard.n ? "..." : "");
}

/* ---- outline ----------------------------------------------------------------------- */

static void
add_transitions(struct buf *b, const struct chart *c, unsigned state, unsigned indent)
{
	struct chart_transition t;

	for (size_t i = 0; i < chart_transitions(c); i++) {
		if (!chart_transition_at(c, i, &t) || t.source != state)
			continue;
		buf_add_fmt(b, "%*s", (int)indent, "");
		add_label(b, &t);
		for (size_t k = 0; k < t.targets_n; k++)
			buf_add_fmt(b, "%s%.*s", k > 0 ? ", " : " -> ",
			    FMT(chart_state_id(c, t.targets[k])));
		buf_add_char(b, '\n');
	}
}

void
show_chart_outline(struct buf *b, const struct agent *a)
{
	const struct chart *c = a->chart;

	buf_lit(b, "states\n");
	add_transitions(b, c, 0, 2);
	for (unsigned i = 1; i < chart_states(c); i++) {
		const struct agent_node *node = node_of(a, i);
		unsigned indent = 2 * depth_of(c, i) + 2;

		buf_add_fmt(b, "%*s%.*s", (int)indent, "", FMT(chart_state_id(c, i)));
		if (!is_kind(c, i, "atomic"))
			buf_add_fmt(b, ", %s", chart_state_kind(c, i));
		buf_add_fmt(b, "%s%s\n", node != NULL ? ": " : "",
		    node != NULL ? node->work.kind->name : "");
		add_transitions(b, c, i, indent + 4);
	}
}

/* ---- Graphviz ------------------------------------------------------------------------ */

/* An arrow to or from a state with states goes to its box: Graphviz wants a
 * point inside, which each box has. */
static void
add_dot_state(struct buf *b, const struct agent *a, unsigned state)
{
	const struct chart *c = a->chart;
	const struct agent_node *node = node_of(a, state);
	struct buf label = BUF(1 * KB);

	buf_add_fmt(&label, "%.*s", FMT(str_cut(chart_state_id(c, state), LABEL_BYTES)));
	if (node != NULL)
		buf_add_fmt(&label, "\n%s", node->work.kind->name);
	if (has_states(c, state))
		buf_add_fmt(b, "  subgraph cluster%u {\n  s%u [shape=point, style=invis];\n"
		    "  label=", state, state);
	else
		buf_add_fmt(b, "  s%u [%slabel=", state,
		    is_kind(c, state, "final") ? "peripheries=2, " :
		    is_kind(c, state, "history") ? "shape=circle, " : "");
	json_add_str(b, buf_str(&label));
	buf_add_fmt(b, "%s;\n", has_states(c, state) ? "" : "]");
	buf_release(&label);
}

static void
add_dot_arrow(struct buf *b, const struct chart *c, const struct chart_transition *t)
{
	struct buf label = BUF(4 * KB);

	add_label(&label, t);
	for (size_t k = 0; k < (t->targets_n > 0 ? t->targets_n : 1); k++) {
		unsigned to = t->targets_n > 0 ? t->targets[k] : t->source;

		if (t->source == 0 && t->targets_n == 0)
			continue;
		if (t->source == 0)
			buf_add_fmt(b, "  start -> s%u [label=", to);
		else
			buf_add_fmt(b, "  s%u -> s%u [label=", t->source, to);
		json_add_str(b, buf_str(&label));
		if (t->source != 0 && has_states(c, t->source))
			buf_add_fmt(b, ", ltail=cluster%u", t->source);
		if (has_states(c, to))
			buf_add_fmt(b, ", lhead=cluster%u", to);
		buf_lit(b, "];\n");
	}
	buf_release(&label);
}

void
show_chart_dot(struct buf *b, const struct agent *a)
{
	const struct chart *c = a->chart;
	struct chart_transition t;

	buf_lit(b, "digraph ");
	json_add_str(b, a->id);
	buf_lit(b, " {\n  compound=true;\n  node [shape=box, style=rounded];\n"
	    "  start [label=\"any\", shape=plaintext];\n");
	for (unsigned i = 1; i < chart_states(c); i++) {
		unsigned next = i + 1 < chart_states(c) ? depth_of(c, i + 1) : 0;
		unsigned closed = depth_of(c, i) + has_states(c, i);

		add_dot_state(b, a, i);
		for (; closed > next; closed--)
			buf_lit(b, "  }\n");
	}
	for (size_t i = 0; i < chart_transitions(c); i++)
		if (chart_transition_at(c, i, &t))
			add_dot_arrow(b, c, &t);
	buf_lit(b, "}\n");
}

/* ---- Mermaid ---------------------------------------------------------------------------- */

void
show_chart_mermaid(struct buf *b, const struct agent *a)
{
	const struct chart *c = a->chart;
	struct buf label = BUF(4 * KB);
	struct chart_transition t;

	buf_lit(b, "stateDiagram-v2\n");
	for (unsigned i = 1; i < chart_states(c); i++) {
		unsigned next = i + 1 < chart_states(c) ? depth_of(c, i + 1) : 0;
		unsigned closed = depth_of(c, i) + has_states(c, i);

		buf_lit(b, "  state \"");
		show_mermaid_text(b, str_cut(chart_state_id(c, i), LABEL_BYTES));
		buf_add_fmt(b, "\" as s%u%s\n", i, has_states(c, i) ? " {" : "");
		for (; closed > next; closed--)
			buf_lit(b, "  }\n");
	}
	for (size_t i = 0; i < chart_transitions(c); i++) {
		if (!chart_transition_at(c, i, &t) || t.source == 0)
			continue;
		buf_clear(&label);
		add_label(&label, &t);
		for (size_t k = 0; k < (t.targets_n > 0 ? t.targets_n : 1); k++) {
			buf_add_fmt(b, "  s%u --> s%u : ", t.source,
			    t.targets_n > 0 ? t.targets[k] : t.source);
			show_mermaid_text(b, buf_str(&label));
			buf_add_char(b, '\n');
		}
	}
	buf_release(&label);
}
