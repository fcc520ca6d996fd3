/*
 * map.c - the same work for every element of a list, side by side.
 *
 * An element sees the state as it was before the map, and its own writes.  The
 * results are in the order of the elements, and so are the writes, whoever is
 * done first.
 *
 * With `on_error: collect` a failed element has an error as its result, and no
 * writes; the journal knows of it, so that it is not done again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/json.h"
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
	size_t n, next, running, done, parallel, failed;
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
	.sleeps = child_sleeps,
};

/* ---- failures that are results -------------------------------------------------------- */

static bool
collects(const struct map_piece *m)
{
	return agent_int(piece_field(&m->p, MAP_ON_ERROR), ON_ERROR_FAIL) == ON_ERROR_COLLECT;
}

static struct str
failure_part(char buf[48], size_t i)
{
	int n = snprintf(buf, 48, "map/%zu/failed", i);

	return (struct str){ buf, (size_t)n };
}

/* Has it failed in an earlier attempt? */
static bool
known_failure(struct map_piece *m, size_t i)
{
	char buf[48];
	const struct known *k;

	if (m->p.task->known.n == 0 || !collects(m))
		return false;
	k = record_find(&m->p, failure_part(buf, i));
	if (k == NULL || k->result_json.p == NULL)
		return false;
	m->at[i].result = val_json_trusted(k->result_json);
	m->failed++;
	m->done++;
	return true;
}

static void advance(struct map_piece *m);

static bool
map_child_failed(struct piece *p, struct piece *child, const struct task_error *e)
{
	struct map_piece *m = map_of(p);
	struct element *at = &m->at[child->index];
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES + 16 * KB);
	size_t i = child->index;
	char buf[48];

	if (!collects(m))
		return false;
	json_add_fmt(&b, "{'error':{'event':%.*s,'name':%.*s,'message':%.*s}}", FMT(e->event),
	    FMT(e->name), FMT(str_cut(e->message, LIMIT_TOOL_RESULT_BYTES / 8)));
	record_part(p, failure_part(buf, i), S("failed"), buf_str(&b));
	at->result = val_json_trusted(buf_str(&b));
	buf_release(&b);
	piece_stop(child);
	view_release(&at->view);
	m->running--;
	m->failed++;
	m->done++;
	advance(m);
	return true;
}

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

/* False: it has failed. */
static bool
is_enough(struct map_piece *m)
{
	int64_t least = agent_int(piece_field(&m->p, MAP_MIN_OK), 0);
	size_t ok = m->n - m->failed;

	if ((int64_t)ok >= least)
		return true;
	for (size_t i = 0; i < m->n; i++) {
		struct val error = m->at[i].result.kind != VAL_OBJECT ? VAL_UNDEF :
		    val_get(m->at[i].result, S("error"));
		struct val words = error.kind != VAL_OBJECT ? VAL_UNDEF :
		    val_get(error, S("message"));

		if (words.kind != VAL_STRING)
			continue;
		piece_fail(&m->p, "error.execution", "MapError", "line %u: map: %zu of %zu "
		    "elements have succeeded, min_ok is %lld; the first failure: %.*s",
		    m->p.spec->line, ok, m->n, (long long)least, FMT(val_str(words)));
		return false;
	}
	piece_fail(&m->p, "error.execution", "MapError", "line %u: map: %zu elements, min_ok is "
	    "%lld", m->p.spec->line, m->n, (long long)least);
	return false;
}

static void
finish(struct map_piece *m)
{
	const struct agent_value *collect = piece_field(&m->p, MAP_COLLECT);
	struct val results = val_array_empty();

	for (size_t i = 0; i < m->n; i++) {
		results = val_push_take(results, m->at[i].result);
		m->at[i].result = VAL_UNDEF;
		view_join(m->p.view, &m->at[i].view);
	}
	if (agent_has(collect) && !piece_write(&m->p, (unsigned)agent_int(collect, 0),
	    val_ref(results), 0)) {
		val_drop(results);
		return;
	}
	piece_done(&m->p, results);
}

static void
advance(struct map_piece *m)
{
	while (m->running < m->parallel && m->next < m->n) {
		size_t i = m->next++;

		if (known_failure(m, i))
			continue;
		element_begin(m, i);
		m->running++;
	}
	if (m->done == m->n && is_enough(m))
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
	.start = map_start, .child_done = map_child_done,
	.child_failed = map_child_failed, .release = map_drop,
};
