/*
 * tell.c - what a namespace of a run tells: events, as somebody wants them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "run/scope_priv.h"

struct run_event
scope_event(const struct scope *s, enum event_kind kind)
{
	return (struct run_event){ .kind = kind, .ns = { s->ns, s->ns_n }, .step = s->step,
	    .checkpoint = s->head };
}

static bool
wants(const struct scope *s, enum event_kind kind)
{
	const struct core *c = s->core;

	return c->fx->wants(c->ctx, kind, s->up == NULL);
}

static void
tell(const struct scope *s, const struct run_event *ev)
{
	s->core->fx->told(s->core->ctx, ev);
}

void
scope_tell_state(struct scope *s, enum event_kind kind)
{
	struct run_event ev = scope_event(s, kind);

	if ((s->told && kind == EVENT_INPUT) || !wants(s, kind))
		return;
	ev.u.state = (struct event_state){ .values = channels_values(s->state),
	    .id = s->head, .parent = s->parent_id, .source = s->source };
	tell(s, &ev);
	val_drop(ev.u.state.values);
}

bool
core_stands(const struct core *c, struct run_event *ev)
{
	const struct scope *s = c->root;

	if (s == NULL || uuid_is_zero(&s->head))
		return false;
	*ev = scope_event(s, EVENT_VALUES);
	ev->u.state = (struct event_state){ .values = channels_values(s->state),
	    .id = s->head, .parent = s->parent_id, .source = s->source };
	return true;
}

/* Messages that the step brought, as they were written. */
void
scope_tell_complete(struct scope *s, struct core_task *const *done, size_t n)
{
	struct run_event ev = scope_event(s, EVENT_COMPLETE);
	struct val all = val_array_empty();

	if (!wants(s, EVENT_COMPLETE)) {
		val_drop(all);
		return;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < done[i]->writes_n; k++)
			all = core_add_messages(s, all, &done[i]->writes[k]);
	if (val_count(all) > 0) {
		ev.u.complete.messages = all;
		tell(s, &ev);
	}
	val_drop(all);
}

struct transcript_place
core_place(const struct core_task *t)
{
	return (struct transcript_place){ .ns = str_of(t->scope->ns), .node = t->name,
	    .task = t->id };
}

void
event_task_make(struct event_task *x, const struct core_task *t)
{
	*x = (struct event_task){ .id = t->id, .name = t->name, .ns = t->ns,
	    .child_ns = t->children != NULL ? str_of(t->children->ns) : STR_NONE };
	x->path = val_push_take(val_array_empty(), val_string(t->push ?
	    S("__pregel_push") : S("__pregel_pull")));
	x->path = val_push_take(x->path, t->push ? val_int(t->index) :
	    val_string(t->name));
	x->triggers = val_push_take(val_array_empty(), val_string(t->trigger));
}

void
event_task_release(struct event_task *x)
{
	val_drop(x->path);
	val_drop(x->triggers);
	val_drop(x->input);
}

static struct val
input_of(const struct core_task *t)
{
	return t->input.kind != VAL_UNDEFINED ? val_ref(t->input) :
	    channels_values(t->scope->state);
}

void
scope_tell_task(struct core_task *t)
{
	struct scope *s = t->scope;
	struct run_event ev = scope_event(s, EVENT_TASK);
	struct event_task x;

	t->told = t->again && s->told;
	if (t->told || !wants(s, EVENT_TASK))
		return;
	event_task_make(&x, t);
	x.own_input = t->input.kind != VAL_UNDEFINED;
	x.input = input_of(t);
	ev.step = s->step + 1;
	ev.task = &x;
	tell(s, &ev);
	event_task_release(&x);
}

void
scope_tell_result(struct core_task *t, struct val error)
{
	struct scope *s = t->scope;
	struct run_event ev = scope_event(s, EVENT_TASK_RESULT);
	struct event_task x;

	if (t->node == GRAPH_START || !wants(s, EVENT_TASK_RESULT))
		return;
	event_task_make(&x, t);
	if (wants(s, EVENT_MODEL_START))     /* a trace has the input again */
		x.input = input_of(t);
	x.result = t->state == TASK_DONE ? t->update : VAL_UNDEF;
	x.error = error;
	x.interrupts = t->shown;
	ev.step = s->step + 1;
	ev.task = &x;
	tell(s, &ev);
	event_task_release(&x);
}

void
scope_tell_lifecycle(const struct scope *s, enum event_life what, struct str error,
    struct str message)
{
	struct run_event ev = scope_event(s, EVENT_LIFECYCLE);

	if ((s->told && (what == EVENT_RUNNING || what == EVENT_STARTED)) ||
	    !wants(s, EVENT_LIFECYCLE))
		return;
	ev.u.lifecycle = (struct event_lifecycle){ .what = what, .graph = s->agent->id,
	    .error = error, .message = message };
	tell(s, &ev);
}

/* {"": root's checkpoint, "a:id": ...} of the scopes above. */
struct val
scope_parents(const struct scope *s)
{
	struct val parents = val_object_empty();
	char id[UUID_TEXT];

	for (const struct scope *up = s->up; up != NULL; up = up->up) {
		uuid_format(&up->head, id);
		parents = val_set_take(parents, str_of(up->ns),
		    val_string((struct str){ id, UUID_TEXT }));
	}
	return parents;
}

void
scope_tell_checkpoint(struct scope *s)
{
	struct run_event ev = scope_event(s, EVENT_CHECKPOINT);
	struct event_task *tasks;

	if (!wants(s, EVENT_CHECKPOINT))
		return;
	tasks = mem_alloc((s->tasks_n + 1) * sizeof *tasks);
	for (size_t i = 0; i < s->tasks_n; i++)
		event_task_make(&tasks[i], s->tasks[i]);
	ev.u.checkpoint = (struct event_checkpoint){ .id = s->head,
	    .parent = s->parent_id, .source = s->source,
	    .values = channels_values(s->state), .parents = scope_parents(s),
	    .tasks = tasks, .tasks_n = s->tasks_n };
	tell(s, &ev);
	val_drop(ev.u.checkpoint.values);
	val_drop(ev.u.checkpoint.parents);
	for (size_t i = 0; i < s->tasks_n; i++)
		event_task_release(&tasks[i]);
	free(tasks);
}

void
scope_tell_interrupt(struct scope *s, struct val shown)
{
	struct run_event ev = scope_event(s, EVENT_INTERRUPT);

	if (!wants(s, EVENT_INTERRUPT))
		return;
	ev.step = s->step + 1;
	ev.u.interrupts.list = shown.kind == VAL_UNDEFINED ? val_array_empty() :
	    val_ref(shown);
	tell(s, &ev);
	val_drop(ev.u.interrupts.list);
}

/* Other readers hide the questions: before the answers are looked at. */
void
core_tell_answered(struct core *c)
{
	struct run_event ev = { .kind = EVENT_ANSWERED };
	struct val ids = val_array_empty();

	for (size_t i = 0; i < val_count(c->q->resume); i++)
		ids = val_push_take(ids, val_string(val_key(c->q->resume, i)));
	ev.u.answered.ids = ids;
	c->fx->told(c->ctx, &ev);
	val_drop(ids);
}

void
core_tell_refused(struct core *c, struct val unknown, struct val pending)
{
	struct run_event ev = { .kind = EVENT_REFUSED };
	struct val ids = val_array_empty();

	for (size_t i = 0; i < val_count(pending); i++)
		ids = val_push_take(ids, val_ref(val_get(val_at(pending, i), S("id"))));
	ev.u.refused.unknown = unknown;
	ev.u.refused.pending = ids;
	c->fx->told(c->ctx, &ev);
	val_drop(ids);
}
