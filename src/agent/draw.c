/*
 * draw.c - what is in the picture of an agent: its nodes or states as boxes, its
 * edges or transitions as arrows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "agent/draw_priv.h"
#include "agent/show_priv.h"
#include "base/limits.h"
#include "chart/chart.h"
#include "graph/graph.h"

#define TITLE_CHARS 40
#define LABEL_CHARS 66

/* Cut by bytes, at a character, with a mark. */
static struct str
shortened(struct draw *d, struct str s, size_t n)
{
	struct str cut = str_cut(s, n);

	return cut.n == s.n ? s : arena_fmt(&d->arena, "%.*s...", FMT(cut));
}

static int
add_box(struct draw *d, struct draw_box box)
{
	if (!arena_grow(&d->arena, d->boxes, d->boxes_n, d->boxes_cap))
		return 0;
	if (box.note.n == 0)
		box.note = box.title;
	box.title = shortened(d, box.title, TITLE_CHARS);
	d->boxes[d->boxes_n] = box;
	return (int)d->boxes_n++;
}

static void
add_arrow(struct draw *d, int from, int to, struct str label, bool dashed)
{
	if (!arena_grow(&d->arena, d->arrows, d->arrows_n, d->arrows_cap))
		return;
	d->arrows[d->arrows_n++] = (struct draw_arrow){ .from = from, .to = to,
		.label = shortened(d, label, LABEL_CHARS), .note = label, .dashed = dashed };
}

/* "llm", "store.get", "agent worker". */
static struct str
work_words(struct draw *d, const struct agent_work *w)
{
	bool named = w->child_name.n > 0;

	return arena_fmt(&d->arena, "%s%s%s%s%.*s", w->kind->name, w->op >= 0 ? "." : "",
	    w->op >= 0 ? w->kind->ops[w->op] : "", named ? " " : "",
	    FMT(str_cut(w->child_name, TITLE_CHARS)));
}

static bool
is_active(struct str name, const struct str *active, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(active[i], name))
			return true;
	return false;
}

static struct str
kept(struct draw *d, const struct buf *b)
{
	return arena_str(&d->arena, buf_str(b));
}

/* ---- graphs ------------------------------------------------------------------------ */

static void
fill_graph(struct draw *d, const struct agent *a, const struct str *active, size_t active_n)
{
	struct buf label = BUF(64 * KB);
	int start = add_box(d, (struct draw_box){ .shape = DRAW_PILL,
	    .id = S("__start__"), .title = S("START") });
	int first = start + 1, end;

	for (size_t i = 0; i < a->nodes_n; i++)
		(void)add_box(d, (struct draw_box){ .id = a->nodes[i].name,
		    .title = a->nodes[i].name,
		    .detail = work_words(d, &a->nodes[i].work),
		    .note = a->nodes[i].description,
		    .active = is_active(a->nodes[i].name, active, active_n) });
	end = add_box(d, (struct draw_box){ .shape = DRAW_PILL, .id = S("__end__"),
	    .title = S("END") });
	for (size_t i = 0; i < a->edges_n; i++) {
		const struct graph_edge *g = &a->spec->edges[i];

		buf_clear(&label);
		show_edge_label(&label, a, i);
		for (size_t k = 0; k < g->from_n; k++)
			add_arrow(d, g->from[k] < 0 ? start : first + g->from[k],
			    g->to < 0 ? end : first + g->to, kept(d, &label),
			    g->send || g->when);
	}
	buf_release(&label);
}

/* ---- charts ------------------------------------------------------------------------ */

static enum draw_shape
shape_of(struct str kind)
{
	return str_eq(kind, S("compound")) ? DRAW_GROUP :
	    str_eq(kind, S("parallel")) ? DRAW_REGIONS :
	    str_eq(kind, S("final")) ? DRAW_FINAL :
	    str_eq(kind, S("history")) ? DRAW_HISTORY : DRAW_BOX;
}

/* A dot with an arrow to where the group begins. */
static void
add_initial(struct draw *d, const struct chart *c, unsigned state, const int *box)
{
	const uint32_t *to;
	size_t n = chart_state_initial(c, state, &to);
	int dot;

	if (n == 0 || str_eq(str_of(chart_state_kind(c, state)), S("parallel")))
		return;
	if (str_eq(str_of(chart_state_kind(c, state)), S("history")))
		dot = box[state];
	else
		dot = add_box(d, (struct draw_box){ .up = box[state], .shape = DRAW_DOT });
	for (size_t i = 0; i < n; i++)
		add_arrow(d, dot, box[to[i]], STR_NONE, false);
}

static void
add_label(struct draw *d, struct buf *b, const struct agent *a,
    const struct chart_transition *t)
{
	struct str state = chart_state_id(a->chart, t->source);
	struct str guard = show_guard(a, t, &d->arena);

	for (size_t i = 0; i < t->events_n; i++)
		buf_add_fmt(b, "%s%.*s", i > 0 ? ", " : "", FMT(show_event(a, t->events[i], state)));
	if (t->any)
		buf_add_fmt(b, "%s*", t->events_n > 0 ? ", " : "");
	if (guard.n > 0)
		buf_add_fmt(b, "%swhen %.*s", b->n > 0 ? " " : "", FMT(guard));
}

static void
add_transition(struct draw *d, const struct agent *a, size_t i, const int *box)
{
	struct buf label = BUF(64 * KB);
	struct chart_transition t;

	if (!chart_transition_at(a->chart, i, &t) || !show_has(a, &t))
		return;
	add_label(d, &label, a, &t);
	for (size_t k = 0; k < t.targets_n; k++)
		add_arrow(d, box[t.source], box[t.targets[k]], kept(d, &label), t.guard.n > 0);
	if (t.targets_n == 0 && t.source != 0)
		add_arrow(d, box[t.source], box[t.source], kept(d, &label), true);
	buf_release(&label);
}

static void
fill_chart(struct draw *d, const struct agent *a, const struct str *active, size_t active_n)
{
	const struct chart *c = a->chart;
	size_t n = chart_states(c);
	int *box = arena_zero(&d->arena, n * sizeof *box);

	if (box == NULL)
		return;
	for (unsigned i = 1; i < n; i++) {
		struct str id = chart_state_id(c, i), kind = str_of(chart_state_kind(c, i));
		int node = agent_node_find(a, id);

		box[i] = add_box(d, (struct draw_box){ .up = box[chart_state_parent(c, i)],
		    .id = id, .shape = shape_of(kind),
		    .title = str_eq(kind, S("history")) ? S("H") : id, .note = id,
		    .detail = node < 0 ? STR_NONE : work_words(d, &a->nodes[node].work),
		    .active = is_active(id, active, active_n) });
	}
	for (unsigned i = 0; i < n; i++)
		add_initial(d, c, i, box);
	for (size_t i = 0; i < chart_transitions(c); i++)
		add_transition(d, a, i, box);
}

/* ---- graphs of workers ------------------------------------------------------------- */

static int
box_of(struct draw *d, struct str id)
{
	for (size_t i = 1; i < d->boxes_n; i++)
		if (str_eq(d->boxes[i].id, id))
			return (int)i;
	return 0;
}

/* Sub-graphs are not drawn. */
static void
fill_hosted(struct draw *d, const struct agent_hosted *h)
{
	struct val nodes = val_get(h->drawing, S("nodes")), edges = val_get(h->drawing, S("edges"));

	for (size_t i = 0; i < val_count(nodes); i++) {
		struct str id = val_str(val_get(val_at(nodes, i), S("id")));
		bool start = str_eq(id, S("__start__")), end = str_eq(id, S("__end__"));

		(void)add_box(d, (struct draw_box){ .id = id,
		    .shape = start || end ? DRAW_PILL : DRAW_BOX,
		    .title = start ? S("START") : end ? S("END") : id });
	}
	for (size_t i = 0; i < val_count(edges); i++) {
		struct val e = val_at(edges, i), label = val_get(e, S("data"));
		int from = box_of(d, val_str(val_get(e, S("source"))));
		int to = box_of(d, val_str(val_get(e, S("target"))));

		if (from > 0 && to > 0)
			add_arrow(d, from, to, label.kind == VAL_STRING ? val_str(label) : STR_NONE,
			    val_truthy(val_get(e, S("conditional"))));
	}
}

/* ---- the door ---------------------------------------------------------------------- */

/* An active name that is not there is a mistake. */
static int
check_active(struct draw *d, const struct agent *a, const struct str *active, size_t n,
    struct err *e)
{
	for (size_t k = 0; k < n; k++) {
		struct str_near near = { .word = active[k] };
		bool found = false;

		if (d->arena.failed)
			return err_set(e, ERR_TOOBIG, "too large for a drawing");
		for (unsigned i = 1; a->chart != NULL && i < chart_states(a->chart); i++) {
			struct str id = arena_str(&d->arena, chart_state_id(a->chart, i));

			found = found || str_eq(id, active[k]);
			str_near_try(&near, id.p);
		}
		for (size_t i = 0; a->chart == NULL && i < a->nodes_n; i++) {
			struct str id = arena_str(&d->arena, a->nodes[i].name);

			found = found || str_eq(id, active[k]);
			str_near_try(&near, id.p);
		}
		if (!found)
			return err_near(e, ERR_INVALID, near.best, "\"",
			    "the agent has no %s \"%.*s\"",
			    a->chart != NULL ? "state" : "node", FMT(active[k]));
	}
	return OK;
}

static void
fill(struct draw *d, const struct agent *a, const struct str *active, size_t active_n)
{
	(void)add_box(d, (struct draw_box){ .up = -1, .shape = DRAW_GROUP,
	    .title = a->name, .note = a->description });
	if (a->hosted != NULL)
		fill_hosted(d, a->hosted);
	else if (a->chart != NULL)
		fill_chart(d, a, active, active_n);
	else
		fill_graph(d, a, active, active_n);
}

int
agent_add_svg(struct buf *b, const struct agent *a, const struct str *active,
    size_t active_n, struct err *e)
{
	struct draw d = { .arena = ARENA(64 * MB) };
	int rc = check_active(&d, a, active, active_n, e);

	if (rc == OK)
		fill(&d, a, active, active_n);
	if (rc == OK)
		rc = draw_layout(&d, e);
	if (rc == OK)
		draw_add_svg(b, &d, a->name);
	arena_release(&d.arena);
	return rc == OK && b->failed ? err_set(e, ERR_TOOBIG, "too large for a drawing") : rc;
}

int
agent_add_picture(struct buf *b, const struct agent *a, struct err *e)
{
	struct draw d = { .arena = ARENA(64 * MB) };
	int rc;

	fill(&d, a, NULL, 0);
	if (d.boxes_n > LIMIT_PICTURE_NODES || d.arrows_n > LIMIT_PICTURE_EDGES)
		rc = err_set(e, ERR_TOOBIG, "the drawing has more than %d nodes or %d edges",
		    LIMIT_PICTURE_NODES, LIMIT_PICTURE_EDGES);
	else
		rc = draw_layout(&d, e);
	if (rc == OK)
		draw_add_json(b, &d);
	arena_release(&d.arena);
	return rc == OK && b->failed ? err_set(e, ERR_TOOBIG, "too large for a drawing") : rc;
}

int
agent_add_html(struct buf *b, const struct agent *a, const struct str *active,
    size_t active_n, struct err *e)
{
	struct buf outline = BUF(16 * MB);
	int rc;

	buf_lit(b, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
	show_xml_text(b, a->name);
	buf_lit(b, "</title>\n<style>body{font:14px system-ui,sans-serif;margin:1.5rem;"
	    "color-scheme:light dark}svg{max-width:100%;height:auto}"
	    "pre{overflow:auto;padding:1rem;border:1px solid #8884}</style>\n<h1>");
	show_xml_text(b, a->name);
	buf_lit(b, "</h1>\n<p>");
	show_xml_text(b, a->description);
	buf_lit(b, "</p>\n");
	rc = agent_add_svg(b, a, active, active_n, e);
	agent_add_outline(&outline, a);
	buf_lit(b, "<details><summary>Outline</summary><pre>");
	show_xml_text(b, buf_str(&outline));
	buf_lit(b, "</pre></details>\n<details><summary>Source</summary><pre>");
	show_xml_text(b, a->text);
	buf_lit(b, "</pre></details>\n</html>\n");
	buf_release(&outline);
	return rc == OK && b->failed ? err_set(e, ERR_TOOBIG, "too large for a page") : rc;
}
