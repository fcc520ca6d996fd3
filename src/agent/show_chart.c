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

/* ---- as the file has it -------------------------------------------------------------- */

static const struct agent_after *
after_of(const struct agent *a, struct str event)
{
	const struct agent_after *x = a->afters;

	while (x != NULL && !str_eq(x->event, event))
		x = x->next;
	return x;
}

/* The end and the answer of a state's own work are events of its invoke. */
struct str
show_event(const struct agent *a, struct str event, struct str state)
{
	const struct agent_after *after = after_of(a, event);

	if (after != NULL)
		return after->label;
	if (str_starts(event, S("done.invoke.")) && str_eq(str_sub(event, 12, event.n), state))
		return S("done");
	return str_starts(event, S("answer.")) && str_eq(str_sub(event, 7, event.n), state) ?
	    S("answer") : event;
}

struct str
show_guard(const struct agent *a, const struct chart_transition *t, struct arena *to)
{
	struct str state = chart_state_id(a->chart, t->source), guard = t->guard;
	bool after = t->events_n == 1 && after_of(a, t->events[0]) != NULL;
	struct str own = after ? arena_fmt(to, "event.data == visits('%.*s')", FMT(state)) :
	    arena_fmt(to, "event.invokeid == '%.*s'", FMT(state));

	if (own.n == 0 || !str_starts(guard, own))
		return guard;
	guard = str_sub(guard, own.n, guard.n);
	return str_starts(guard, S(" && (")) ? str_sub(guard, 5, guard.n - 6) : STR_NONE;
}

/* The last one of an `after` takes what is left of an earlier visit. */
bool
show_has(const struct agent *a, const struct chart_transition *t)
{
	return t->events_n != 1 || t->targets_n > 0 || t->guard.n > 0 ||
	    after_of(a, t->events[0]) == NULL;
}

/* `go, stop when n < 2` */
static void
add_label(struct buf *b, const struct agent *a, const struct chart_transition *t)
{
	struct arena own = ARENA(64 * KB);
	struct str whole = show_guard(a, t, &own), guard = str_cut(whole, LABEL_BYTES);
	struct str state = chart_state_id(a->chart, t->source);

	for (size_t i = 0; i < t->events_n; i++)
		buf_add_fmt(b, "%s%.*s", i > 0 ? ", " : "",
		    FMT(show_event(a, t->events[i], state)));
	if (t->any)
		buf_add_fmt(b, "%s*", t->events_n > 0 ? ", " : "");
	if (t->events_n == 0 && !t->any)
		buf_lit(b, "always");
	if (guard.n > 0)
		buf_add_fmt(b, " when %.*s%s", FMT(guard), guard.n < whole.n ? "..." : "");
	arena_release(&own);
}

/* ---- outline ----------------------------------------------------------------------- */

static void
add_transitions(struct buf *b, const struct agent *a, unsigned state, unsigned indent)
{
	const struct chart *c = a->chart;
	struct chart_transition t;

	for (size_t i = 0; i < chart_transitions(c); i++) {
		if (!chart_transition_at(c, i, &t) || t.source != state || !show_has(a, &t))
			continue;
		buf_add_fmt(b, "%*s", (int)indent, "");
		add_label(b, a, &t);
		for (size_t k = 0; k < t.targets_n; k++)
			buf_add_fmt(b, "%s%.*s", k > 0 ? ", " : " -> ",
			    FMT(chart_state_id(c, t.targets[k])));
		buf_add_char(b, '\n');
	}
}

static void
add_state_budget(struct buf *b, const struct agent *a, struct str state)
{
	for (size_t i = 0; i < a->state_budgets_n; i++)
		if (str_eq(a->state_budgets[i].state, state))
			show_budget(b, &a->state_budgets[i].budget);
}

void
show_chart_outline(struct buf *b, const struct agent *a)
{
	const struct chart *c = a->chart;

	buf_lit(b, "states\n");
	add_transitions(b, a, 0, 2);
	for (unsigned i = 1; i < chart_states(c); i++) {
		const struct agent_node *node = node_of(a, i);
		unsigned indent = 2 * depth_of(c, i) + 2;

		buf_add_fmt(b, "%*s%.*s", (int)indent, "", FMT(chart_state_id(c, i)));
		if (!is_kind(c, i, "atomic"))
			buf_add_fmt(b, ", %s", chart_state_kind(c, i));
		buf_add_fmt(b, "%s%s", node != NULL ? ": " : "",
		    node != NULL ? node->work.kind->name : "");
		if (node != NULL)
			show_terms(b, &node->work);
		add_state_budget(b, a, chart_state_id(c, i));
		buf_add_char(b, '\n');
		add_transitions(b, a, i, indent + 4);
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
add_dot_arrow(struct buf *b, const struct agent *a, const struct chart_transition *t)
{
	const struct chart *c = a->chart;
	struct buf label = BUF(4 * KB);

	if (!show_has(a, t))
		return;
	add_label(&label, a, t);
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
			add_dot_arrow(b, a, &t);
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
		if (!chart_transition_at(c, i, &t) || t.source == 0 || !show_has(a, &t))
			continue;
		buf_clear(&label);
		add_label(&label, a, &t);
		for (size_t k = 0; k < (t.targets_n > 0 ? t.targets_n : 1); k++) {
			buf_add_fmt(b, "  s%u --> s%u : ", t.source,
			    t.targets_n > 0 ? t.targets[k] : t.source);
			show_mermaid_text(b, buf_str(&label));
			buf_add_char(b, '\n');
		}
	}
	buf_release(&label);
}
