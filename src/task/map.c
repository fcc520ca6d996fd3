/*
 * map.c - the same work for every element of a list, side by side.
 *
 * An element sees the state as it was before the map, and its own writes.  The
 * results are in the order of the elements, and so are the writes, whoever is
 * done first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/task_priv.h"

struct element {
	struct view view;
	struct name name;
	struct val result;
};

struct map_piece {
	struct piece p;
	struct val over;
	struct element *at;
	size_t n, next, running, done, parallel;
};

static struct map_piece *
map_of(struct piece *p)
{
	return CONTAINER_OF(p, struct map_piece, p);
}

/* ---- a child agent as the element's work ------------------------------------------ */

/* Without `input` the element, under its name if it has one. */
static void
element_child_start(struct piece *p)
{
	struct child_piece *c = CONTAINER_OF(p, struct child_piece, p);
	const struct map_piece *m = map_of(p->up);
	const struct agent_work *w = p->spec;
	struct val element = val_ref(val_at(m->over, p->index));

	if (w->each >= 0)
		element = val_set_take(val_object_empty(), w->each_name, element);
	child_begin(c, w->child, w->child_name, piece_field(p, MAP_INPUT), element, false);
}

static const struct task_run element_child = {
	.size = sizeof(struct child_piece), .traits = TASK_EFFECT | TASK_WAITS,
	.start = element_child_start, .stop = child_leave, .release = child_release,
};

/* ---- elements ------------------------------------------------------------------------ */

static void
element_begin(struct map_piece *m, size_t i)
{
	struct element *e = &m->at[i];
	struct piece *p = &m->p;
	const struct name *names = p->names;

	e->view.up = p->view;
	if (p->spec->each >= 0) {
		e->name = (struct name){ p->names, p->spec->each, val_at(m->over, i) };
		names = &e->name;
	}
	if (p->spec->items_n > 0)
		sequence_add(p, (uint32_t)i, &e->view, names);
	else
		piece_add(p->task, p, &element_child, p->spec, (uint32_t)i, &e->view,
		    names)->inner = true;
}

static void
finish(struct map_piece *m)
{
	struct val results = val_array_empty();

	for (size_t i = 0; i < m->n; i++) {
		results = val_push_take(results, m->at[i].result);
		m->at[i].result = VAL_UNDEF;
		view_join(m->p.view, &m->at[i].view);
	}
	piece_done(&m->p, results);
}

static void
advance(struct map_piece *m)
{
	while (m->running < m->parallel && m->next < m->n) {
		element_begin(m, m->next++);
		m->running++;
	}
	if (m->done == m->n)
		finish(m);
}

static void
map_start(struct piece *p)
{
	struct map_piece *m = map_of(p);

	if (!piece_eval(p, MAP_OVER, &m->over))
		return;
	if (m->over.kind != VAL_ARRAY) {
		piece_fail(p, "error.execution", "ExpressionError", "line %u: map.over: "
		    "expected an array", piece_field(p, MAP_OVER)->line);
		return;
	}
	m->n = val_count(m->over);
	if (m->n > LIMIT_MAP_ELEMENTS) {
		piece_fail(p, "error.execution", "LimitError", "line %u: map.over: %zu "
		    "elements; the limit is %d", piece_field(p, MAP_OVER)->line, m->n,
		    LIMIT_MAP_ELEMENTS);
		return;
	}
	m->parallel = (size_t)agent_int(piece_field(p, MAP_CONCURRENCY), 0);
	if (m->parallel == 0 || m->parallel > LIMIT_MAP_PARALLEL)
		m->parallel = LIMIT_MAP_PARALLEL;
	m->at = mem_zero((m->n + 1) * sizeof *m->at);
	advance(m);
}

static void
map_child_done(struct piece *p, struct piece *child)
{
	struct map_piece *m = map_of(p);
	struct element *e = &m->at[child->index];

	e->result = val_ref(child->result);
	channels_free(e->view.state);
	e->view.state = NULL;
	m->running--;
	m->done++;
	advance(m);
}

static void
map_drop(struct piece *p)
{
	struct map_piece *m = map_of(p);

	for (size_t i = 0; m->at != NULL && i < m->n; i++) {
		view_release(&m->at[i].view);
		val_drop(m->at[i].result);
	}
	free(m->at);
	val_drop(m->over);
}

const struct task_run task_map = {
	.size = sizeof(struct map_piece), .traits = TASK_CONTAINER, .segment = "map",
	.start = map_start, .child_done = map_child_done, .release = map_drop,
};
