/*
 * hosted_graph.c - the namespaces of a worker's graph that are open, and the tasks of their
 * steps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/mem.h"
#include "run/hosted_priv.h"

struct hosted_graph *
hosted_graph_find(const struct hosted *h, struct str ns)
{
	struct hosted_graph *g = h->graphs;

	while (g != NULL && !str_eq(str_of(g->ns), ns))
		g = g->next;
	return g;
}

struct hosted_graph *
hosted_graph(struct hosted *h, struct str ns)
{
	struct hosted_graph *g = hosted_graph_find(h, ns);

	if (g != NULL || h->graphs_n >= LIMIT_HOSTED_NAMESPACES)
		return g;
	g = mem_new(struct hosted_graph);
	g->hosted = h;
	g->tasks_end = &g->tasks;
	g->ns = mem_cstr(ns);
	g->step = -2;
	g->next = h->graphs;
	h->graphs = g;
	h->graphs_n++;
	return g;
}

void
hosted_task_drop(struct hosted_task *t)
{
	if (--t->refs > 0)
		return;
	t->hosted->tasks_n--;
	event_task_release(&t->shown);
	val_drop(t->shown.result);
	val_drop(t->shown.error);
	val_drop(t->shown.interrupts);
	free(t->name);
	free(t->ns);
	free(t);
}

void
hosted_step_over(struct hosted_graph *g)
{
	while (g->tasks != NULL) {
		struct hosted_task *t = g->tasks;

		g->tasks = t->next;
		t->graph = NULL;
		hosted_task_drop(t);
	}
	g->tasks_end = &g->tasks;
	g->tasks_n = g->sends = 0;
	g->dirty = false;
}

void
hosted_graph_free(struct hosted *h, struct hosted_graph *g)
{
	struct hosted_graph **at = &h->graphs;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	h->graphs_n--;
	hosted_step_over(g);
	free(g->update_node);
	val_drop(g->update);
	val_drop(g->complete);
	val_drop(g->values);
	free(g->ns);
	free(g);
}

void
hosted_graphs_free(struct hosted *h)
{
	while (h->graphs != NULL)
		hosted_graph_free(h, h->graphs);
	while (h->late != NULL) {
		struct hosted_late *l = h->late;

		h->late = l->next;
		free(l->tasks);
		free(l);
	}
	h->late_n = 0;
}

/* "graph|name:id" */
static char *
task_ns(const struct hosted_graph *g, struct str name, const struct uuid *id)
{
	struct buf b = BUF(LIMIT_EVENT_NS_BYTES + LIMIT_JSON_STRING_BYTES);
	char *text;

	buf_add(&b, str_of(g->ns));
	if (b.n > 0)
		buf_add_char(&b, '|');
	buf_add(&b, name);
	buf_add_char(&b, ':');
	uuid_add(&b, id);
	text = mem_cstr(buf_str(&b));
	buf_release(&b);
	return text;
}

struct hosted_task *
hosted_task_new(struct hosted_graph *g, struct str name, const struct uuid *id)
{
	struct hosted_task *t;

	if (g->hosted->tasks_n >= LIMIT_HOSTED_TASKS)
		return NULL;
	g->hosted->tasks_n++;
	t = mem_new(struct hosted_task);
	t->hosted = g->hosted;
	t->refs = 1;
	t->graph = g;
	t->name = mem_cstr(name);
	t->ns = task_ns(g, name, id);
	t->shown = (struct event_task){ .id = *id, .name = str_of(t->name),
	    .ns = str_of(t->ns), .own_input = true };
	*g->tasks_end = t;
	g->tasks_end = &t->next;
	g->tasks_n++;
	return t;
}

void
hosted_task_remove(struct hosted_graph *g, struct hosted_task *t)
{
	struct hosted_task **at = &g->tasks;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (t->next == NULL)
		g->tasks_end = at;
	g->tasks_n--;
	t->graph = NULL;
	hosted_task_drop(t);
}

struct hosted_task *
hosted_task_find(const struct hosted_graph *g, const struct uuid *id)
{
	struct hosted_task *t = g->tasks;

	while (t != NULL && !uuid_eq(&t->shown.id, id))
		t = t->next;
	return t;
}

static void
add_task_text(const struct hosted_task *t, struct buf *b)
{
	json_add_fmt(b, ",{'id':'");
	uuid_add(b, &t->shown.id);
	json_add_fmt(b, "','name':%.*s", FMT(t->shown.name));
	if (val_count(t->shown.path) > 0 &&
	    str_eq(hosted_text(val_at(t->shown.path, 0)), S("__pregel_push"))) {
		buf_lit(b, ",\"path\":");
		val_add_json(b, t->shown.path);
	}
	buf_add_char(b, '}');
}

/* `[{"id","name","path"}]` */
static void
add_tasks(const struct hosted_graph *g, struct buf *b)
{
	buf_add_char(b, '[');
	for (const struct hosted_task *t = g->tasks; t != NULL; t = t->next)
		add_task_text(t, b);
	buf_add_char(b, ']');
}

static bool
was_put(const struct hosted *h, const struct uuid *id)
{
	for (size_t i = 0; i < COUNT(h->puts) && i < h->puts_n; i++)
		if (uuid_eq(&h->puts[i], id))
			return true;
	return false;
}

static void
tasks_change(struct hosted_graph *g, struct changes *x)
{
	struct store_checkpoint_tasks t = { .checkpoint = g->head };
	struct buf b = BUF(LIMIT_STATE_BYTES);

	g->dirty = false;
	add_tasks(g, &b);
	t.ns = arena_str(&x->arena, str_of(g->ns));
	t.tasks_json = b.failed ? STR_NONE : arena_str(&x->arena, buf_str(&b));
	buf_release(&b);
	changes_tasks(x, &t);
}

void
hosted_add_tasks(struct hosted *h, struct changes *x)
{
	for (struct hosted_graph *g = h->graphs; g != NULL; g = g->next)
		if (g->dirty && was_put(h, &g->head))
			tasks_change(g, x);
}

static void
late_drop_last(struct hosted *h)
{
	struct hosted_late **at = &h->late;

	while ((*at)->next != NULL)
		at = &(*at)->next;
	free((*at)->tasks);
	free(*at);
	*at = NULL;
	h->late_n--;
}

void
hosted_keep_tasks(struct hosted *h, struct hosted_graph *g)
{
	struct hosted_late *l;
	struct buf b = BUF(LIMIT_STATE_BYTES);

	if (!g->dirty || uuid_is_zero(&g->head))
		return;
	if (was_put(h, &g->head)) {
		tasks_change(g, &h->job->changes);
		return;
	}
	add_tasks(g, &b);
	l = mem_new(struct hosted_late);
	l->checkpoint = g->head;
	l->tasks = mem_cstr(buf_str(&b));
	if (h->late_n++ >= COUNT(h->puts))
		late_drop_last(h);           /* it will not come any more */
	l->next = h->late;
	h->late = l;
	buf_release(&b);
}

static struct str
take_late(struct hosted *h, const struct uuid *checkpoint, struct arena *a)
{
	struct hosted_late **at = &h->late, *l;
	struct str text;

	while (*at != NULL && !uuid_eq(&(*at)->checkpoint, checkpoint))
		at = &(*at)->next;
	l = *at;
	if (l == NULL)
		return STR_NONE;
	*at = l->next;
	text = arena_str(a, str_of(l->tasks));
	h->late_n--;
	free(l->tasks);
	free(l);
	return text;
}

struct str
hosted_tasks_of(struct hosted *h, struct str ns, const struct uuid *checkpoint,
    struct arena *a)
{
	struct hosted_graph *g = hosted_graph_find(h, ns);
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct str text;

	if (g == NULL || !g->dirty || !uuid_eq(&g->head, checkpoint))
		return take_late(h, checkpoint, a);
	g->dirty = false;
	add_tasks(g, &b);
	text = b.failed ? STR_NONE : arena_str(a, buf_str(&b));
	buf_release(&b);
	return text;
}
