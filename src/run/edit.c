/*
 * edit.c - see edit_priv.h.
 *
 * An update is a step whose tasks are the nodes that it speaks for: their writes
 * are reduced, their edges followed; what was to come next is dropped, but for
 * the writes of tasks that had ended already.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/edit_priv.h"

#include <assert.h>

#include "base/mem.h"
#include "run/scope_priv.h"

struct edit {
	struct core core;
	struct scope *scope;
	const struct core_saved *saved;      /* before the first step; then NULL */
	struct str *last;                    /* nodes of the newest step */
	size_t last_n;
	bool any;                            /* there is a checkpoint */
};

static void
last_free(struct edit *x)
{
	for (size_t i = 0; i < x->last_n; i++)
		free((char *)x->last[i].p);
	free(x->last);
	x->last = NULL;
	x->last_n = 0;
}

int
edit_new(struct edit **out, const struct agent *a, const struct core_request *q,
    struct str ns, const struct core_saved *saved, const struct core_effects *fx,
    void *ctx, struct err *e)
{
	struct edit *x;
	int rc = OK;

	*out = NULL;
	if (a->chart != NULL)
		return err_set(e, ERR_INVALID, "the agent is a chart: what its state holds "
		    "changes by events, answers and input, not from outside");
	x = mem_new(struct edit);
	x->core = (struct core){ .agent = a, .q = q, .fx = fx, .ctx = ctx };
	x->scope = scope_new(&x->core, a, ns, e);
	x->saved = saved;
	x->any = saved != NULL;
	if (x->scope == NULL)
		rc = ERR_INVALID;
	if (rc == OK && saved != NULL) {
		rc = scope_restore(x->scope, saved, e);
		x->last = mem_alloc((saved->last_n + 1) * sizeof *x->last);
		for (; x->last_n < saved->last_n; x->last_n++)
			x->last[x->last_n] = (struct str){
			    mem_cstr(saved->last[x->last_n]), saved->last[x->last_n].n };
		scope_prepare(x->scope);
	}
	if (rc != OK) {
		edit_free(x);
		x = NULL;
	}
	*out = x;
	return rc;
}

void
edit_free(struct edit *x)
{
	if (x == NULL)
		return;
	scope_free(x->scope);
	last_free(x);
	free(x);
}

struct uuid
edit_checkpoint(const struct edit *x)
{
	return x->scope->head;
}

/* ---- whose update it is --------------------------------------------------------- */

static int
node_find(const struct graph *g, struct str name)
{
	return str_eq(name, S("__start__")) ? GRAPH_START : graph_find(g, name);
}

static int
node_of(const struct edit *x, const struct edit_update *u, size_t n, int *node,
    struct err *e)
{
	const struct scope *s = x->scope;

	if (u->as_node.p != NULL) {
		*node = node_find(s->def, u->as_node);
		return *node != GRAPH_NONE ? OK : err_set(e, ERR_INVALID,
		    "Node \"%.*s\" does not exist", FMT(str_sub(u->as_node, 0, 64)));
	}
	if (n > 1)
		return err_set(e, ERR_INVALID,
		    "\"as_node\" is required when applying multiple updates");
	if (s->agent->nodes_n == 1)
		*node = 0;
	else if (x->last_n == 0)
		*node = GRAPH_START;
	else if (x->last_n == 1)
		*node = node_find(s->def, x->last[0]);
	else
		*node = GRAPH_NONE;
	return *node != GRAPH_NONE ? OK :
	    err_set(e, ERR_INVALID, "Ambiguous update, specify as_node");
}

/* ---- writes ------------------------------------------------------------------------ */

static struct core_task *
task_of(struct scope *s, int node)
{
	struct core_task *t = mem_new(struct core_task);
	struct str name = graph_node_name(s->def, node);

	t->scope = s;
	t->node = node;
	t->name = (struct str){ mem_cstr(name), name.n };
	t->ns = (struct str){ mem_cstr(STR_NONE), 0 };
	t->id = uuid_v5(&s->head, name);
	t->state = TASK_DONE;
	return t;
}

/* values: an object, or several. */
static int
route(struct core_task *t, struct val values, struct err *e)
{
	struct val one = values;
	int rc = OK;

	if (values.kind == VAL_NULL || values.kind == VAL_UNDEFINED)
		one = VAL_UNDEF;
	if (values.kind != VAL_ARRAY)
		return barrier_values(t, one, true, e);
	for (size_t i = 0; i < val_count(values) && rc == OK; i++)
		rc = barrier_values(t, val_at(values, i), i + 1 == val_count(values), e);
	return rc;
}

/* Writes of tasks that had ended before count; where they lead does not. */
static int
apply_ended(struct edit *x, bool control, struct err *e)
{
	struct scope *s = x->scope;
	const struct core_saved *saved = x->saved;
	int rc = OK;

	for (size_t i = 0; saved != NULL && saved->head && i < saved->tasks_n; i++) {
		const struct core_saved_task *t = &saved->tasks[i];

		for (size_t k = 0; t->done && k < t->writes_n && rc == OK; k++) {
			int at = channels_find(s->state, t->writes[k].name);

			if (at != CHANNEL_NONE)
				rc = channels_put(s->state, (size_t)at,
				    t->writes[k].value, REDUCE_STORED, e);
			else if (control && !str_eq(t->writes[k].name, SPENT_WRITE))
				rc = graph_step_write(s->graph, t->writes[k].name,
				    t->writes[k].value, e);
		}
	}
	return rc;
}

/* Of the tasks in place; they go. */
static void
checkpoint(struct scope *s)
{
	struct core_task **done = s->tasks;
	size_t n = s->tasks_n;

	s->tasks = NULL;
	s->tasks_n = 0;
	scope_checkpoint(s, SOURCE_UPDATE, n == 1 ? done[0] : NULL);
	for (size_t i = 0; i < n; i++)
		core_task_free(done[i]);
	free(done);
}

static int
apply(struct edit *x, const struct edit_update *u, size_t n, struct err *e)
{
	struct scope *s = x->scope;
	struct core_task *refused = NULL;
	struct str *names = mem_alloc(n * sizeof *names);
	size_t made = 0;
	bool wrote;
	int rc, node = GRAPH_NONE;

	rc = apply_ended(x, false, e);
	channels_end_writes(s->state);
	tasks_drop(s, n);
	for (size_t i = 0; i < n && rc == OK; i++) {
		rc = node_of(x, &u[i], n, &node, e);
		if (rc != OK)
			break;
		s->tasks[s->tasks_n++] = task_of(s, node);
		rc = route(s->tasks[i], u[i].values, e);
		names[made] = s->tasks[i]->name;
		names[made] = (struct str){ mem_cstr(names[made]), names[made].n };
		made++;
	}
	if (rc == OK)
		rc = barrier_apply(s, true, &wrote, &refused, e);
	last_free(x);
	x->last = names;
	x->last_n = made;
	if (rc == OK)
		checkpoint(s);
	return rc;
}

/* ---- the special ones ------------------------------------------------------------------ */

static int
end_here(struct edit *x, struct err *e)
{
	int rc;

	graph_step_begin(x->scope->graph);
	rc = apply_ended(x, true, e);
	graph_step_end(x->scope->graph);
	channels_end_step(x->scope->state);
	if (rc == OK)
		scope_checkpoint(x->scope, SOURCE_UPDATE, NULL);
	return rc;
}

/* The same state beside the checkpoint, under its parent. */
static int
copy(struct edit *x, const struct edit_update *u, struct err *e)
{
	struct scope *s = x->scope;
	struct edit_update *list;
	struct val pairs = u->values;
	size_t n = val_count(pairs);
	int rc = OK;

	if (!x->any)
		return err_set(e, ERR_INVALID, "Cannot copy a non-existent checkpoint");
	s->head = s->stored = s->parent_id;
	channels_touch(s->state);            /* the parent has other values */
	scope_checkpoint(s, SOURCE_FORK, NULL);
	x->saved = NULL;
	if (pairs.kind != VAL_ARRAY || n == 0)
		return OK;
	list = mem_alloc(n * sizeof *list);
	for (size_t i = 0; i < n && rc == OK; i++) {
		struct val node = val_at(val_at(pairs, i), 1);

		if (val_count(val_at(pairs, i)) != 2 || node.kind != VAL_STRING)
			rc = err_set(e, ERR_INVALID, "values[%zu]: expected "
			    "[values, as_node]", i);
		else
			list[i] = (struct edit_update){ val_at(val_at(pairs, i), 0),
			    val_str(node) };
	}
	if (rc == OK)
		rc = apply(x, list, n, e);
	free(list);
	return rc;
}

/* As a new run's input, which then only has to go on. */
static int
input(struct edit *x, const struct edit_update *u, struct err *e)
{
	struct scope *s = x->scope;
	struct core *c = &x->core;
	int rc;

	if (u->values.kind != VAL_OBJECT)
		return err_set(e, ERR_INVALID,
		    "Received no input writes for \"__start__\"");
	graph_step_begin(s->graph);
	rc = graph_step_write(s->graph, S("__start__"), VAL_NIL, e);
	graph_step_end(s->graph);
	assert(rc == OK);
	channels_end_step(s->state);
	scope_checkpoint(s, SOURCE_INPUT, NULL);
	s->tasks[0]->update = val_ref(u->values);
	s->tasks[0]->state = TASK_DONE;
	rc = barrier_input(s->tasks[0], u->values, e);
	if (rc == OK)
		c->fx->writes(c->ctx, s->tasks[0], VAL_UNDEF);
	return rc;
}

static const struct {
	const char *node, *several;
	int (*edit)(struct edit *x, const struct edit_update *u, struct err *e);
} specials[] = {
	{ "__copy__", "Cannot copy checkpoint with multiple updates", copy },
	{ "__input__", "Cannot apply multiple updates when updating as input", input },
};

int
edit_step(struct edit *x, const struct edit_update *u, size_t n, struct err *e)
{
	struct core *c = &x->core;
	bool null = u[0].values.kind == VAL_NULL || u[0].values.kind == VAL_UNDEFINED;
	int rc = ERR_CANCELLED;

	assert(n > 0);
	/* Only an input is a step before the first. */
	if (!x->any && !str_eq(u[0].as_node, S("__input__")))
		x->scope->step = -1;
	if (null && u[0].as_node.p == NULL) {
		rc = n > 1 ? err_set(e, ERR_INVALID, "Cannot create empty checkpoint "
		    "with multiple updates") : OK;
		if (rc == OK)
			scope_checkpoint(x->scope, SOURCE_UPDATE, NULL);
	} else if (null && str_eq(u[0].as_node, S("__end__"))) {
		rc = n > 1 ? err_set(e, ERR_INVALID, "Cannot apply multiple updates "
		    "when clearing state") : end_here(x, e);
	}
	for (size_t i = 0; i < COUNT(specials) && rc == ERR_CANCELLED; i++)
		if (str_eq(u[0].as_node, str_of(specials[i].node)))
			rc = n > 1 ? err_set(e, ERR_INVALID, "%s",
			    specials[i].several) : specials[i].edit(x, &u[0], e);
	if (rc == ERR_CANCELLED)
		rc = apply(x, u, n, e);
	if (rc == OK) {
		c->fx->void_all(c->ctx);
		x->saved = NULL;
		x->any = true;
	}
	return rc;
}
