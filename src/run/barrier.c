/*
 * barrier.c - a graph's step: what a task wrote and where its edges lead, when
 * it ends; all of it applied together, after the last one.
 *
 * Edges are evaluated on the step's starting state and the task's own writes;
 * that view is made only for nodes whose edges ask something.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/scope_priv.h"
#include "state/message.h"

/* ---- writes ------------------------------------------------------------------ */

/* Messages as they are stored, with ids; an overwrite's value likewise. */
static int
stored_form(struct val in, const char *path, struct val *out, struct err *e)
{
	bool stored = in.kind == VAL_ARRAY;

	for (size_t i = 0; stored && i < val_count(in); i++)
		stored = message_type(val_at(in, i)) != MSG_NONE &&
		    message_id(val_at(in, i)).n > 0;
	if (!stored)
		return messages_from(in, path, out, NULL, e);
	*out = val_ref(in);
	return OK;
}

static int
write_form(const struct channel *def, struct val in, struct val *out, struct err *e)
{
	struct buf path = BUF(LIMIT_NAME_BYTES);
	struct val inner;
	int rc;

	if (def->reducer != REDUCE_MESSAGES || in.kind == VAL_NULL ||
	    in.kind == VAL_UNDEFINED) {
		*out = val_ref(in);
		return OK;
	}
	buf_add(&path, def->name);
	if (!reduce_is_overwrite(in, &inner)) {
		rc = stored_form(in, path.p, out, e);
	} else {
		rc = stored_form(inner, path.p, &inner, e);
		if (rc == OK)
			*out = val_set_take(val_object_empty(), S("__overwrite__"),
			    inner);
	}
	buf_release(&path);
	return rc;
}

/* A channel that keeps the last value gets one write of a task. */
static bool
replace_write(struct core_task *t, const struct channel *def, struct val value)
{
	if (def->reducer != REDUCE_LAST)
		return false;
	for (size_t i = 0; i < t->writes_n; i++) {
		if (!str_eq(t->writes[i].name, def->name))
			continue;
		val_drop(t->writes[i].value);
		t->writes[i].value = value;
		return true;
	}
	return false;
}

static int
add_write(struct core_task *t, size_t channel, struct val in, struct err *e)
{
	const struct channel *def = channels_def(t->scope->state, channel);
	struct val value;
	int rc = write_form(def, in, &value, e);

	if (rc == OK && !replace_write(t, def, value))
		core_add_write(t, def->name, value);
	return rc;
}

/* ---- edges -------------------------------------------------------------------- */

struct routing {
	struct core_task *t;
	struct val result;
	struct channels *view;               /* NULL before something is asked */
	struct val *slots;
};

static int
view_make(struct routing *r, struct err *e)
{
	const struct scope *s = r->t->scope;
	const struct core_request *q = s->core->q;
	int rc = OK;

	if (r->view != NULL)
		return OK;
	r->view = channels_clone(s->state);
	for (size_t i = 0; i < r->t->writes_n && rc == OK; i++) {
		int at = channels_find(r->view, r->t->writes[i].name);

		if (at != CHANNEL_NONE)
			rc = channels_put(r->view, (size_t)at, r->t->writes[i].value,
			    REDUCE_STORED, e);
	}
	if (rc != OK)
		return rc;
	r->slots = mem_alloc(s->agent->slots_n * sizeof *r->slots);
	for (size_t i = 0; i < s->agent->slots_n; i++)
		r->slots[i] = VAL_UNDEF;
	r->slots[SLOT_INPUT] = r->t->input;
	r->slots[SLOT_RESULT] = r->result;
	r->slots[SLOT_CONFIG] = q->config;
	r->slots[SLOT_CONTEXT] = q->context;
	r->slots[SLOT_PARAMS] = val_get(q->config, S("configurable"));
	for (size_t i = 0; i < channels_count(r->view); i++)
		r->slots[SLOT_CHANNEL + i] = channels_get(r->view, i);
	return OK;
}

static void
view_release(struct routing *r)
{
	channels_free(r->view);
	if (r->slots != NULL)
		val_drop(r->slots[SLOT_DATA]);
	free(r->slots);
}

static const struct agent_edge *
edge_of(const struct routing *r, size_t edge)
{
	return &r->t->scope->agent->edges[edge];
}

/* With the place in the file. */
static int
at_edge(const struct routing *r, size_t edge, const char *what, int rc, struct err *e)
{
	const struct agent_edge *x = edge_of(r, edge);
	struct err why = *e;

	return rc == OK ? OK : err_set(e, rc, "%.*s:%u:%u: edges[%zu].%s: %s",
	    FMT(r->t->scope->agent->file), x->line, x->column, edge, what, why.text);
}

static int
on_when(void *ctx, size_t edge, bool *holds, struct err *e)
{
	struct routing *r = ctx;
	struct agent_scope x;
	int rc = view_make(r, e);

	if (rc != OK)
		return rc;
	x = (struct agent_scope){ .agent = r->t->scope->agent, .slots = r->slots };
	rc = agent_eval_bool(&edge_of(r, edge)->when, &x, holds, e);
	return at_edge(r, edge, "when", rc, e);
}

static int
on_over(void *ctx, size_t edge, struct val *list, struct err *e)
{
	struct routing *r = ctx;
	struct agent_scope x;
	int rc = view_make(r, e);

	if (rc != OK)
		return rc;
	x = (struct agent_scope){ .agent = r->t->scope->agent, .slots = r->slots };
	rc = agent_eval(&edge_of(r, edge)->over, &x, list, e);
	return at_edge(r, edge, "send.over", rc, e);
}

static int
on_input(void *ctx, size_t edge, struct val element, struct val *input, struct err *e)
{
	struct routing *r = ctx;
	const struct agent_edge *x = edge_of(r, edge);
	struct agent_scope scope;
	int rc = view_make(r, e);

	if (rc != OK)
		return rc;
	if (!agent_has(&x->input)) {
		*input = x->as < 0 ? val_ref(element) : val_set_take(val_object_empty(),
		    x->as_name, val_ref(element));
		return OK;
	}
	scope = (struct agent_scope){ .agent = r->t->scope->agent, .slots = r->slots };
	if (x->as >= 0)
		r->slots[x->as] = element;
	rc = agent_eval(&x->input, &scope, input, e);
	if (x->as >= 0)
		r->slots[x->as] = VAL_UNDEF;
	return at_edge(r, edge, "send.input", rc, e);
}

static int
on_control(void *ctx, struct str channel, struct val value)
{
	struct routing *r = ctx;

	core_add_write(r->t, channel, val_ref(value));
	return OK;
}

static int
follow_edges(struct core_task *t, struct val result, struct err *e)
{
	struct routing r = { .t = t, .result = result };
	struct graph_router router = { on_when, on_over, on_input, on_control, &r };
	int rc = graph_route(t->scope->def, t->node, &router, e);

	view_release(&r);
	return rc;
}

/* What a child gives is shown whole. */
static void
show_whole(struct core_task *t, const struct task_write *w)
{
	struct str name = channels_def(t->scope->state, w->channel)->name;

	if (w->shown.kind != VAL_UNDEFINED && t->update.kind == VAL_OBJECT &&
	    val_has(t->update, name))
		t->update = val_set_take(t->update, name, val_ref(w->shown));
}

int
barrier_route(struct core_task *t, const struct task_write *w, size_t n,
    struct val result, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; i < n && rc == OK; i++)
		rc = add_write(t, w[i].channel, w[i].value, e);
	core_set_update(t);
	for (size_t i = 0; i < n && rc == OK; i++)
		show_whole(t, &w[i]);
	if (rc != OK || t->scope->chart != NULL)
		return rc;
	return follow_edges(t, result, e);
}

/* Of a client's object: channels that are not declared are dropped. */
static int
add_values(struct core_task *t, struct val values, bool as_input, struct err *e)
{
	const struct agent *a = t->scope->agent;
	int rc = OK;

	for (size_t i = 0; i < val_count(values) && rc == OK; i++) {
		int at = agent_channel_find(a, val_key(values, i));

		if (at >= 0 && (!as_input || a->channels[at].input))
			rc = add_write(t, (size_t)at, val_member(values, i), e);
	}
	return rc;
}

int
barrier_input(struct core_task *t, struct val input, struct err *e)
{
	int rc = add_values(t, input, true, e);

	if (rc != OK || t->scope->chart != NULL)
		return rc;
	return follow_edges(t, VAL_UNDEF, e);
}

int
barrier_values(struct core_task *t, struct val values, bool last, struct err *e)
{
	int rc = add_values(t, values, false, e);

	if (rc != OK || !last)
		return rc;
	core_set_update(t);
	return follow_edges(t, VAL_UNDEF, e);
}

/* ---- the end of a step ----------------------------------------------------------- */

static int
apply_task(struct scope *s, const struct core_task *t, bool *wrote, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; i < t->writes_n && rc == OK; i++) {
		const struct core_name_value *w = &t->writes[i];
		int at;

		if (graph_channel_is_control(w->name)) {
			rc = graph_step_write(s->graph, w->name, w->value, e);
			continue;
		}
		at = channels_find(s->state, w->name);
		if (at == CHANNEL_NONE)
			continue;            /* the file has changed since */
		rc = channels_apply(s->state, (size_t)at, w->value, REDUCE_STORED, e);
		*wrote = true;
	}
	return rc;
}

int
barrier_apply(struct scope *s, bool instead, bool *wrote, struct core_task **task,
    struct err *e)
{
	int rc = OK;

	*wrote = false;
	if (instead)
		graph_step_drop(s->graph);
	else
		graph_step_begin(s->graph);
	for (size_t i = 0; i < s->tasks_n && rc == OK; i++) {
		rc = apply_task(s, s->tasks[i], wrote, e);
		if (rc != OK)
			*task = s->tasks[i];
	}
	graph_step_end(s->graph);
	channels_end_step(s->state);
	return rc;
}

/* One write of a client, beside what comes next. */
static int
apply_write(struct scope *s, struct str name, struct val value, struct err *e)
{
	int at = channels_find(s->state, name);

	if (graph_channel_is_control(name))
		return graph_step_write(s->graph, name, value, e);
	return at == CHANNEL_NONE ? OK :
	    channels_put(s->state, (size_t)at, value, REDUCE_STORED, e);
}

/* They are no step: what comes next comes as well. */
static void
writes_end(struct scope *s)
{
	if (s->chart != NULL)
		chart_fill(s);
	else
		graph_step_end(s->graph);
	channels_end_writes(s->state);
}

/* What the command's parts are as writes. */
static int
command_writes(struct scope *s, const struct core_request *q,
    struct core_name_value *all, size_t *n, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; i < q->update_n && rc == OK; i++) {
		int at = channels_find(s->state, q->update[i].name);
		struct val value;

		if (at == CHANNEL_NONE)
			continue;
		rc = write_form(channels_def(s->state, (size_t)at), q->update[i].value,
		    &value, e);
		if (rc == OK)
			all[(*n)++] = (struct core_name_value){
			    { mem_cstr(q->update[i].name), q->update[i].name.n }, value };
	}
	if (q->gotos_n > 0 && s->chart != NULL)
		return err_set(e, ERR_INVALID, "goto: the agent is a chart; its events "
		    "decide what comes next");
	for (size_t i = 0; i < q->gotos_n && rc == OK; i++) {
		struct buf channel = BUF(LIMIT_NAME_BYTES + 32);
		struct val value;

		if (str_eq(q->gotos[i].node, S("__end__")) ||
		    str_eq(q->gotos[i].node, S("__start__")))
			continue;            /* no nodes, as in LangGraph */
		rc = core_jump(s, q->gotos[i].node, q->gotos[i].input, &channel, &value,
		    e);
		if (rc == OK)
			all[(*n)++] = (struct core_name_value){
			    { mem_cstr(buf_str(&channel)), channel.n }, value };
		buf_release(&channel);
	}
	return rc;
}

int
barrier_command(struct scope *s, const struct core_request *q,
    struct core_name_value **all, size_t *n, struct err *e)
{
	int rc;

	*all = mem_alloc((q->update_n + q->gotos_n + 1) * sizeof **all);
	*n = 0;
	rc = command_writes(s, q, *all, n, e);
	for (size_t i = 0; i < *n && rc == OK; i++)
		rc = apply_write(s, (*all)[i].name, (*all)[i].value, e);
	writes_end(s);
	return rc;
}

int
barrier_carried(struct scope *s, const struct core_saved *saved, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; i < saved->carried_n && rc == OK; i++)
		rc = apply_write(s, saved->carried[i].name, saved->carried[i].value, e);
	writes_end(s);
	return rc;
}
