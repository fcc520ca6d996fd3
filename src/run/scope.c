/*
 * scope.c - see scope_priv.h.
 *
 * A child's end is the last thing its scope does: what it calls may end the
 * parent's task, and with it the run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "chart/stepper.h"
#include "run/scope_priv.h"

#define LIMIT_TEXT "Recursion limit of %lld reached without hitting a stop " \
	"condition. You can increase the limit by setting the " \
	"\"recursion_limit\" config key."

static void
check(const struct scope *s)
{
	assert(s->core != NULL && s->agent != NULL);
	assert(s->open <= s->tasks_n);
	assert((s->up == NULL) == (s->parent == NULL));
}

/* ---- scopes ------------------------------------------------------------------ */

/* The graph with the names its nodes have in this run. */
static int
resolve_graph(struct scope *s, struct err *e)
{
	const struct core_request *q = s->core->q;
	struct val *slots = mem_alloc(s->agent->slots_n * sizeof *slots);
	struct agent_scope x = { .agent = s->agent, .slots = slots };
	int rc;

	for (size_t i = 0; i < s->agent->slots_n; i++)
		slots[i] = VAL_UNDEF;
	slots[SLOT_CONFIG] = q->config;
	slots[SLOT_CONTEXT] = q->context;
	slots[SLOT_PARAMS] = val_get(q->config, S("configurable"));
	rc = agent_graph(s->agent, &x, &s->def, &s->def_mine, e);
	free(slots);
	return rc;
}

struct scope *
scope_new(struct core *c, const struct agent *a, struct str ns, struct err *e)
{
	struct scope *s = mem_new(struct scope);

	s->core = c;
	s->agent = a;
	s->ns = mem_cstr(ns);
	s->ns_n = ns.n;
	s->begun = s->step = -2;
	s->state = channels_new(a->channels, a->channels_n);
	s->limits.own = a->limits;
	budget_open(s);
	if (a->chart != NULL) {
		c->charts++;
		chart_open(s);
		return s;
	}
	if (resolve_graph(s, e) != OK) {
		scope_free(s);
		return NULL;
	}
	s->graph = graph_state_new(s->def);
	return s;
}

void
scope_free(struct scope *s)
{
	if (s == NULL)
		return;
	tasks_free(s);
	budget_close(s);
	if (s->chart != NULL)
		s->core->charts--;
	stepper_free(s->chart);
	graph_state_free(s->graph);
	if (s->def_mine)
		graph_free(s->def);
	channels_free(s->state);
	val_drop(s->before);
	free(s->ns);
	free(s);
}

/* Its position, of a file that an earlier program made or of an agent that has
 * changed: the nodes that were to come next, by name. */
static int
position_by_name(struct scope *s, const struct core_saved *saved, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; i < saved->tasks_n && rc == OK; i++) {
		struct buf channel = BUF(LIMIT_NAME_BYTES + 32);
		struct val value;

		rc = core_jump(s, saved->tasks[i].name, VAL_UNDEF, &channel, &value, e);
		if (rc != OK)
			err_set(e, rc, "the node \"%.*s\", which comes next here, is not in "
			    "the agent any more", FMT(str_sub(saved->tasks[i].name, 0, 64)));
		else
			rc = graph_step_write(s->graph, buf_str(&channel), value, e);
		buf_release(&channel);
	}
	graph_step_end(s->graph);
	return rc;
}

static int
restore_position(struct scope *s, const struct core_saved *saved, struct err *e)
{
	struct graph_state *g = NULL;
	int rc = ERR_CONFLICT;

	if (saved->snapshot.n > 0)
		rc = graph_state_restore(&g, s->def, saved->snapshot, e);
	if (rc == ERR_CONFLICT)
		return position_by_name(s, saved, e);
	if (rc == OK) {
		graph_state_free(s->graph);
		s->graph = g;
	}
	return rc;
}

int
scope_restore(struct scope *s, const struct core_saved *saved, struct err *e)
{
	int rc;

	s->head = s->stored = saved->id;
	s->parent_id = saved->parent;
	s->begun = s->step = saved->step;
	s->source = saved->source;
	for (size_t i = 0; i < saved->values_n; i++) {
		int at = agent_channel_find(s->agent, saved->values[i].name);

		if (at >= 0)
			channels_load(s->state, (size_t)at, val_ref(saved->values[i].value));
	}
	budget_restore(s, saved);
	if (s->chart != NULL)
		return chart_restore(s, saved, e);
	rc = restore_position(s, saved, e);
	return rc == OK && !s->core->afresh ? barrier_carried(s, saved, e) : rc;
}

/* ---- checkpoints ------------------------------------------------------------------ */

static void
put_checkpoint(struct scope *s, const struct core_task *wrote)
{
	struct core *c = s->core;
	struct buf snapshot = BUF(LIMIT_STATE_BYTES);
	struct core_checkpoint x = { .scope = s, .ns = str_of(s->ns), .id = s->head,
	    .parent = s->stored, .step = s->step, .source = s->source,
	    .tasks = s->tasks, .tasks_n = s->tasks_n, .state = s->state,
	    .wrote = wrote, .parents = scope_parents(s) };

	if (s->chart != NULL)
		chart_save(s, &snapshot);
	else
		graph_state_save(s->graph, &snapshot);
	budget_save(s, &snapshot);
	x.snapshot = buf_str(&snapshot);
	c->fx->checkpoint(c->ctx, &x);
	channels_settle(s->state);
	s->stored = s->head;
	s->unsaved = false;
	val_drop(x.parents);
	buf_release(&snapshot);
}

/* The position is saved before anything of the step that follows is taken. */
void
scope_checkpoint(struct scope *s, enum checkpoint_source source,
    const struct core_task *wrote)
{
	struct core *c = s->core;

	check(s);
	s->parent_id = s->head;
	s->step++;
	s->source = source;
	s->head = c->fx->new_id(c->ctx, str_of(s->ns), s->step);
	scope_prepare(s);
	s->unsaved = true;
	if (!c->q->exit)
		put_checkpoint(s, wrote);
}

/* With durability exit: the newest checkpoint, all that is kept of a run. */
void
scope_save(struct scope *s)
{
	if (s->unsaved)
		put_checkpoint(s, NULL);
}

/* ---- ends ---------------------------------------------------------------------------- */

static void
detach(struct scope *s)
{
	struct scope **at = &s->parent->children;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->next = NULL;
}

struct scope *
scope_kept(struct core *c, const struct task_child *call, struct str ns)
{
	struct scope **at = &c->kept, *s;

	if (!call->persist)
		return NULL;
	while (*at != NULL && ((*at)->agent != call->agent ||
	    !str_eq(str_of((*at)->ns), ns)))
		at = &(*at)->next;
	s = *at;
	if (s == NULL)
		return NULL;
	*at = s->next;
	s->over = s->changed = false;
	val_drop(s->before);
	s->before = VAL_UNDEF;
	return s;
}

/* The last thing a child's scope does. */
static void
child_end(struct scope *s, enum child_end end, struct val output, struct val added,
    const struct task_error *e)
{
	struct task_child *call = s->call;
	struct core *c = s->core;
	bool keep = end == CHILD_DONE && call->persist;

	s->over = true;
	if (end != CHILD_DONE || call->persist)
		scope_save(s);
	detach(s);
	call->host_data = NULL;
	if (keep) {
		s->up = NULL;
		s->parent = NULL;
		s->call = NULL;
		s->next = c->kept;
		c->kept = s;
	}
	call->done(call, end, output, added, e);
	if (!keep)
		scope_free(s);
}

void
scope_done(struct scope *s)
{
	struct val output, added;

	s->over = true;
	scope_tell_lifecycle(s, EVENT_COMPLETED, STR_NONE, STR_NONE);
	if (s->up == NULL) {
		core_end(s->core, CORE_SUCCESS, NULL);
		return;
	}
	if (s->before.kind == VAL_UNDEFINED)
		s->before = core_find_before(s);
	core_output(s, &output, &added);
	child_end(s, CHILD_DONE, output, added, NULL);
	val_drop(output);
	val_drop(added);
}

static void
stop_tasks(struct scope *s)
{
	struct core *c = s->core;

	for (size_t i = 0; i < s->tasks_n; i++) {
		struct core_task *t = s->tasks[i];

		if (t->state != TASK_RUNNING)
			continue;
		t->state = TASK_NEXT;
		s->open--;
		c->fx->stop(c->ctx, t);
	}
}

void
scope_stop(struct scope *s)
{
	s->over = true;
	stop_tasks(s);
}

void
scope_fail(struct scope *s, struct str name, struct str message,
    struct core_task *task)
{
	struct core *c = s->core;
	struct core_error error = { .name = name, .message = message, .task = task };
	struct task_error up = { .event = s->event[0] != '\0' ? str_of(s->event) :
	    S("error.execution"), .name = name, .message = message };
	struct val shown;

	stop_tasks(s);
	s->over = true;
	if (task != NULL) {
		task->state = TASK_FAILED;
		shown = val_set_take(val_object_empty(), S("message"), val_string(message));
		shown = val_set_take(shown, S("name"), val_string(name));
		c->fx->writes(c->ctx, task, shown);
		scope_tell_result(task, shown);
		val_drop(shown);
	}
	scope_tell_lifecycle(s, EVENT_FAILED, name, message);
	if (s->up == NULL)
		core_end(c, CORE_ERROR, &error);
	else
		child_end(s, CHILD_FAILED, VAL_UNDEF, VAL_UNDEF, &up);
}

/* ---- waiting for a person -------------------------------------------------------------- */

/* Nothing in it can go on.  breakpoint: because a list of nodes says so. */
void
scope_wait(struct scope *s, bool breakpoint)
{
	s->over = true;
	for (size_t i = 0; i < s->tasks_n; i++) {
		if (s->tasks[i]->state != TASK_WAITS)
			continue;
		scope_tell_interrupt(s, s->tasks[i]->shown);
		scope_tell_result(s->tasks[i], VAL_UNDEF);
	}
	if (breakpoint)
		scope_tell_interrupt(s, VAL_UNDEF);
	scope_tell_lifecycle(s, EVENT_INTERRUPTED, STR_NONE, STR_NONE);
	if (s->up == NULL) {
		core_end(s->core, CORE_INTERRUPTED, NULL);
		return;
	}
	for (size_t i = 0; i < s->tasks_n; i++)
		s->parent->shown = core_join(s->parent->shown, s->tasks[i]->shown);
	child_end(s, CHILD_WAITS, VAL_UNDEF, VAL_UNDEF, NULL);
}

/* ---- steps -------------------------------------------------------------------------------- */

static bool
stops_at(const struct scope *s, const struct core_task *t, bool before)
{
	const struct core_request *q = s->core->q;
	const struct core_stops *asked = before ? &q->before : &q->after;
	const struct agent_stops *own = before ? &s->agent->before : &s->agent->after;

	if (t->node == GRAPH_START)
		return false;
	if (s->up == NULL && asked->given) {
		for (size_t i = 0; i < asked->n; i++)
			if (str_eq(asked->at[i], t->name))
				return true;
		return asked->all;
	}
	for (size_t i = 0; i < own->n; i++)
		if ((int)own->nodes[i] == t->node)
			return true;
	return own->all;
}

/* After which nodes: any at all? */
static bool
stops_anywhere(const struct scope *s)
{
	const struct core_stops *asked = &s->core->q->after;

	return s->up == NULL && asked->given ? asked->all || asked->n > 0 :
	    s->agent->after.all || s->agent->after.n > 0;
}

/* A breakpoint holds only if a channel changed since the run was resumed. */
bool
scope_stopped(const struct scope *s, struct core_task *const *tasks, size_t n, bool before)
{
	for (size_t i = 0; s->changed && i < n; i++)
		if (stops_at(s, tasks[i], before))
			return true;
	return false;
}

bool
scope_begin_tasks(struct scope *s)
{
	struct core *c = s->core;
	size_t before = s->open;

	for (size_t i = 0; i < s->tasks_n; i++) {
		struct core_task *t = s->tasks[i];

		if (t->state != TASK_NEXT)
			continue;
		scope_tell_task(t);
		t->state = TASK_RUNNING;
		t->fresh = true;
		s->open++;
	}
	/* All are open before the work of the first begins. */
	for (size_t i = 0; i < s->tasks_n; i++) {
		if (!s->tasks[i]->fresh)
			continue;
		s->tasks[i]->fresh = false;
		c->fx->begin(c->ctx, s->tasks[i]);
	}
	return s->open > before;
}

static bool
all_done(const struct scope *s)
{
	for (size_t i = 0; i < s->tasks_n; i++)
		if (s->tasks[i]->state != TASK_DONE)
			return false;
	return s->tasks_n > 0;
}

bool
scope_out_of_steps(struct scope *s)
{
	char text[256];

	if (s->step + 1 <= s->stop)
		return false;
	snprintf(text, sizeof text, LIMIT_TEXT, (long long)s->core->q->recursion_limit);
	scope_fail(s, S("GraphRecursionError"), str_of(text), NULL);
	return true;
}

void
scope_go_on(struct scope *s)
{
	if (s->chart != NULL) {
		chart_go_on(s);
		return;
	}
	if (scope_out_of_steps(s))
		return;
	scope_tell_checkpoint(s);
	if (s->tasks_n == 0)
		scope_done(s);
	else if (all_done(s))
		scope_step_end(s);
	else if (scope_stopped(s, s->tasks, s->tasks_n, true))
		scope_wait(s, true);
	else
		(void)scope_begin_tasks(s);
}

/* The tasks of the step are done: their writes become the state. */
void
scope_step_end(struct scope *s)
{
	struct core_task **done, *refused = NULL;
	size_t n = s->tasks_n;
	bool wrote = false, input, stop;
	struct err e;

	check(s);
	assert(s->open == 0 && n > 0);
	if (barrier_apply(s, false, &wrote, &refused, &e) != OK) {
		s->unsaved = false;          /* it was, before the step */
		scope_fail(s, S("InvalidUpdateError"), str_of(e.text), refused);
		return;
	}
	s->changed = true;
	done = s->tasks;
	s->tasks = NULL;
	s->tasks_n = 0;
	input = done[0]->node == GRAPH_START;
	for (size_t i = 0; i < n; i++)
		budget_task_ends(done[i]);
	scope_checkpoint(s, SOURCE_LOOP, n == 1 ? done[0] : NULL);
	if (input && s->up != NULL) {
		val_drop(s->before);
		s->before = channels_values(s->state);
	}
	if (wrote || input)
		scope_tell_state(s, input ? EVENT_INPUT : EVENT_VALUES);
	scope_tell_complete(s, done, n);
	stop = scope_stopped(s, done, n, false);
	for (size_t i = 0; i < n; i++)
		core_task_free(done[i]);
	free(done);
	if (stop)
		scope_wait(s, true);
	else
		scope_go_on(s);
}

/* Every task of the step has ended or waits? */
static void
settle(struct scope *s)
{
	bool waits = false;

	if (s->open > 0)
		return;
	for (size_t i = 0; i < s->tasks_n; i++)
		waits = waits || s->tasks[i]->state == TASK_WAITS;
	if (waits)
		scope_wait(s, false);
	else if (s->chart == NULL)
		scope_step_end(s);
}

/* ---- beginning ------------------------------------------------------------------------------ */

/* The input's own task, if it comes next, ends at once.  False: the scope has
 * failed, and may be gone. */
static bool
take_input(struct scope *s, struct val input)
{
	struct err e;

	for (size_t i = 0; i < s->tasks_n; i++) {
		struct core_task *t = s->tasks[i];

		if (t->node != GRAPH_START || t->state == TASK_DONE)
			continue;
		t->update = val_ref(input);
		t->state = TASK_DONE;
		if (barrier_input(t, input, &e) != OK) {
			scope_fail(s, S("InvalidUpdateError"), str_of(e.text), t);
			return false;
		}
	}
	return true;
}

static bool
is_input(const struct scope *s)
{
	return s->tasks_n == 1 && s->tasks[0]->node == GRAPH_START;
}

static void
input_end(struct scope *s)
{
	if (s->chart != NULL)
		chart_start(s, s->tasks[0]);
	else
		scope_step_end(s);
}

static void
expect_input(struct scope *s)
{
	struct err e;
	int rc;

	if (s->chart != NULL) {
		chart_expect_input(s);
		return;
	}
	graph_step_begin(s->graph);
	rc = graph_step_write(s->graph, S("__start__"), VAL_NIL, &e);
	assert(rc == OK);
	(void)rc;
	graph_step_end(s->graph);
}

void
scope_begin(struct scope *s, struct val input)
{
	s->begun = s->step;
	s->stop = s->begun + s->core->q->recursion_limit + 2;
	channels_end_step(s->state);
	expect_input(s);
	budget_begin(s);
	scope_checkpoint(s, SOURCE_INPUT, NULL);
	scope_tell_lifecycle(s, s->up == NULL ? EVENT_RUNNING : EVENT_STARTED, STR_NONE,
	    STR_NONE);
	scope_tell_checkpoint(s);
	if (take_input(s, input))
		input_end(s);
}

static void
restore_task(struct core_task *t, const struct core_saved *saved)
{
	t->again = true;
	for (size_t i = 0; i < saved->tasks_n; i++) {
		const struct core_saved_task *x = &saved->tasks[i];

		if (!uuid_eq(&x->id, &t->id))
			continue;
		for (size_t k = 0; k < x->writes_n; k++)
			if (!budget_take_write(t, &x->writes[k]))
				core_add_write(t, x->writes[k].name,
				    val_ref(x->writes[k].value));
		if (x->done) {
			t->state = TASK_DONE;
			core_set_update(t);
		}
		core_copy_records(t, x);
	}
	for (size_t i = 0; i < saved->interrupts_n; i++)
		if (uuid_eq(&saved->interrupts[i].task, &t->id) &&
		    saved->interrupts[i].answer.kind != VAL_UNDEFINED)
			core_add_answer(t, saved->interrupts[i].key,
			    saved->interrupts[i].answer);
}

/* Answers of this run's command. */
static void
take_given(struct core_task *t)
{
	const struct core *c = t->scope->core;

	for (size_t i = 0; i < c->given_n; i++)
		if (uuid_eq(&c->given[i].task, &t->id))
			core_add_answer(t, str_of(c->given[i].key), c->given[i].value);
}

/* After a crash: where the run began here, for its limit of steps. */
static void
find_begin(struct scope *s, const struct core_saved *saved)
{
	const struct core *c = s->core;
	struct core_saved *at = NULL;
	bool more = s->up != NULL;

	s->told = c->q->woken;
	if (s->up == NULL && !(c->q->hears && core_agent_hears(s->agent)))
		s->begun = saved->step - c->q->steps_before;
	while (more) {
		struct core_saved *before = NULL;

		s->begun = saved->step - 1;
		more = saved->source != SOURCE_INPUT && !uuid_is_zero(&saved->parent) &&
		    c->fx->load(c->ctx, str_of(s->ns), &saved->parent, &before) == OK &&
		    before != NULL && uuid_eq(&before->run_id, &c->q->run_id);
		c->fx->release(c->ctx, at);
		saved = at = before;
	}
	c->fx->release(c->ctx, at);
}

/* A chart's task may outlast a checkpoint. */
static bool
is_in(const struct core_saved *saved, const struct uuid *task)
{
	for (size_t i = 0; i < saved->tasks_n; i++)
		if (uuid_eq(&saved->tasks[i].id, task))
			return true;
	return false;
}

/* After a crash: has a breakpoint been reached by the step that the run has saved? */
static bool
stopped_after(struct scope *s, const struct core_saved *saved)
{
	const struct core *c = s->core;
	struct core_saved *before = NULL;
	bool stops = false;

	if (uuid_is_zero(&saved->parent) || !stops_anywhere(s) ||
	    c->fx->load(c->ctx, str_of(s->ns), &saved->parent, &before) != OK)
		return false;
	for (size_t i = 0; before != NULL && i < before->tasks_n && !stops; i++) {
		struct core_task t = { .name = before->tasks[i].name };

		t.node = s->chart != NULL ? agent_node_find(s->agent, t.name) :
		    graph_find(s->def, t.name);
		stops = t.node >= 0 && !is_in(saved, &before->tasks[i].id) &&
		    stops_at(s, &t, false);
	}
	c->fx->release(c->ctx, before);
	return stops;
}

void
scope_resume(struct scope *s, const struct core_saved *saved, struct val input)
{
	const struct core *c = s->core;
	bool own = saved != NULL && uuid_eq(&saved->run_id, &c->q->run_id);

	if (own)
		find_begin(s, saved);
	s->stop = s->begun + c->q->recursion_limit + 2;
	s->changed = own && saved->source == SOURCE_LOOP;
	for (size_t i = 0; i < s->tasks_n; i++) {
		if (!c->afresh && saved != NULL)     /* else a command is the first */
			restore_task(s->tasks[i], saved);
		take_given(s->tasks[i]);
	}
	scope_tell_lifecycle(s, s->up == NULL ? EVENT_RUNNING : EVENT_STARTED, STR_NONE,
	    STR_NONE);
	if (!take_input(s, input))
		return;
	if (is_input(s)) {
		input_end(s);
		return;
	}
	scope_tell_state(s, EVENT_INPUT);
	if (s->changed && stopped_after(s, saved))
		scope_wait(s, true);
	else
		scope_go_on(s);
}

/* ---- tasks come back --------------------------------------------------------------------------- */

static void
task_closed(struct core_task *t, enum task_state state)
{
	struct scope *s = t->scope;

	assert(t->state == TASK_RUNNING && s->open > 0);
	t->state = state;
	s->open--;
}

void
core_task_done(struct core_task *t, const struct task_write *w, size_t n,
    struct val result)
{
	struct scope *s = t->scope;
	struct err e;

	if (barrier_route(t, w, n, result, &e) != OK) {
		task_closed(t, TASK_FAILED);
		scope_fail(s, S("InvalidUpdateError"), str_of(e.text), t);
		return;
	}
	task_closed(t, TASK_DONE);
	if (s->chart != NULL) {
		scope_tell_result(t, VAL_UNDEF);
		chart_task_done(t, result);
		return;
	}
	if (s->tasks_n > 1) {
		budget_add_write(t);
		s->core->fx->writes(s->core->ctx, t, VAL_UNDEF);
	}
	scope_tell_result(t, VAL_UNDEF);
	settle(s);
}

void
core_task_failed(struct core_task *t, const struct task_error *e)
{
	task_closed(t, TASK_FAILED);
	budget_note_event(t->scope, e->event);
	if (t->scope->chart != NULL)
		chart_task_failed(t, e);
	else
		scope_fail(t->scope, e->name, e->message, t);
}

void
core_task_waits(struct core_task *t, const struct task_interrupt *list, size_t n)
{
	struct core *c = t->scope->core;
	char text[80];

	task_closed(t, TASK_WAITS);
	c->waits += n;
	if (c->waits > LIMIT_INTERRUPTS) {
		snprintf(text, sizeof text, "more than %d questions wait on the thread",
		    LIMIT_INTERRUPTS);
		scope_fail(t->scope, S("LimitError"), str_of(text), t);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct core_interrupt x = { .id = core_interrupt_id(t, list[i].key),
		    .ns = str_of(t->scope->ns), .task = t->id,
		    .checkpoint = t->scope->head, .key = list[i].key,
		    .value = list[i].value, .schema = list[i].schema,
		    .due = list[i].due, .assignee = list[i].assignee };

		c->fx->interrupt(c->ctx, t, &x);
		t->shown = core_join_take(t->shown, core_show_interrupt(&x));
	}
	settle(t->scope);
}
