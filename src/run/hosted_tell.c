/*
 * hosted_tell.c - what a worker's graph streams, as events of the run.
 *
 * langgraph tells of a step, in one namespace and in this order:
 *
 *   checkpoints   {id, parent_id, step, source}: whose state comes next
 *   values        the state
 *   tasks         one a task that begins: has triggers
 *   messages, custom, tools
 *   updates       {node: what it gave}, then
 *   tasks         the end of that task
 *
 * A question is `updates` with __interrupt__ and the end of its task with interrupts; it
 * is told when the run has stopped for it, after the commit.  A checkpoint is told with the
 * tasks that come next, so it waits for them a moment, if somebody wants to hear it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/hosted_priv.h"
#include "state/message.h"

#define INTERRUPT S("__interrupt__")

struct val
hosted_val(jnode n)
{
	struct val v = VAL_UNDEF;
	struct buf b = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	struct err e;

	if (n == NULL)
		return v;
	if (json_is_object(n) || json_is_array(n)) {
		json_add_node(&b, n);
		if (!b.failed)
			v = val_json_trusted(buf_str(&b));
		buf_release(&b);
	} else if (json_to_val(n, &v, &e) != OK) {
		v = VAL_NIL;
	}
	return v;
}

/* ---- events ------------------------------------------------------------------------------ */

static bool
is_kept(const struct hosted *h)
{
	return h->job->plan->durability != DURABILITY_EXIT;
}

struct run_event
hosted_event(const struct hosted *h, const struct hosted_graph *g, enum event_kind kind)
{
	static const struct uuid none;

	return (struct run_event){ .kind = kind, .ns = str_of(g->ns), .step = g->step,
	    .checkpoint = is_kept(h) ? g->head : none };
}

static bool
wants(const struct hosted *h, const struct hosted_graph *g, enum event_kind kind)
{
	return job_wants(h->job, kind, g->ns[0] == '\0');
}

void
hosted_tell_life(struct hosted *h, const struct hosted_graph *g, enum event_life what,
    struct str error, struct str message)
{
	struct run_event ev = hosted_event(h, g, EVENT_LIFECYCLE);
	struct str name = h->job->definition.agent->id, rest = str_of(g->ns), part;

	if (!wants(h, g, EVENT_LIFECYCLE))
		return;
	while (str_next(&rest, '|', &part))
		if (str_index(part, ':') > 0)
			name = str_sub(part, 0, (size_t)str_index(part, ':'));
	ev.u.lifecycle = (struct event_lifecycle){ .what = what, .graph = name,
	    .error = error, .message = message };
	job_tell_event(h->job, &ev);
}

static void
begin_life(struct hosted *h, struct hosted_graph *g)
{
	if (g->lives)
		return;
	g->lives = true;
	hosted_tell_life(h, g, g->ns[0] == '\0' ? EVENT_RUNNING : EVENT_STARTED, STR_NONE,
	    STR_NONE);
}

/* Graphs of the task, and those below them. */
static void
end_lives(struct hosted *h, const struct hosted_task *t, enum event_life what, struct val error)
{
	struct hosted_graph *g = h->graphs, *next;

	for (; g != NULL; g = next) {
		struct str ns = str_of(g->ns), own = str_of(t->ns);

		next = g->next;
		if (!str_starts(ns, own) || (ns.n > own.n && ns.p[own.n] != '|'))
			continue;
		hosted_tell_life(h, g, what, hosted_text(val_get(error, S("name"))),
		    hosted_text(val_get(error, S("message"))));
		hosted_keep_tasks(h, g);
		hosted_graph_free(h, g);
	}
}

static void
tell_task(struct hosted *h, struct hosted_task *t)
{
	struct run_event ev = hosted_event(h, t->graph, EVENT_TASK);

	t->told = true;
	if (!wants(h, t->graph, EVENT_TASK))
		return;
	ev.step = t->graph->step + 1;
	ev.task = &t->shown;
	job_tell_event(h->job, &ev);
}

static void
tell_tasks(struct hosted *h, struct hosted_task *t)
{
	if (t == NULL)
		return;
	tell_tasks(h, t->next);
	if (!t->told)
		tell_task(h, t);
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

/* {"": id, "a:id": ...} of the graphs above. */
static struct val
parents_of(const struct hosted *h, const struct hosted_graph *of)
{
	struct val all = val_object_empty();

	for (const struct hosted_graph *g = h->graphs; g != NULL; g = g->next) {
		struct str ns = str_of(g->ns), own = str_of(of->ns);
		char id[UUID_TEXT];

		if (own.n <= ns.n || !str_starts(own, ns) || (ns.n > 0 && own.p[ns.n] != '|'))
			continue;
		uuid_format(&g->head, id);
		all = val_set_take(all, ns, val_string((struct str){ id, UUID_TEXT }));
	}
	return all;
}

static void
add_shown(const struct hosted_task *t, struct event_task *all, size_t *n)
{
	if (t == NULL)
		return;
	add_shown(t->next, all, n);
	all[*n] = t->shown;
	all[(*n)++].input = VAL_UNDEF;
}

static void
tell_checkpoint(struct hosted *h, struct hosted_graph *g, struct val values)
{
	struct run_event ev = hosted_event(h, g, EVENT_CHECKPOINT);
	struct event_task *tasks = mem_alloc((g->tasks_n + 1) * sizeof *tasks);
	struct event_checkpoint *c = &ev.u.checkpoint;

	*c = (struct event_checkpoint){ .id = ev.checkpoint, .parent = g->parent,
	    .source = g->source, .values = values, .parents = parents_of(h, g),
	    .tasks = tasks };
	add_shown(g->tasks, tasks, &c->tasks_n);
	job_tell_event(h->job, &ev);
	val_drop(c->parents);
	free(tasks);
}

void
hosted_release_held(struct hosted *h)
{
	struct hosted_graph *g = h->held.graph;
	struct val values = h->held.values;

	if (g == NULL)
		return;
	h->held.graph = NULL;
	h->held.values = VAL_UNDEF;
	shard_timer_cancel(h->job->run->rs->shard, &h->held.timer);
	tell_checkpoint(h, g, values);
	tell_tasks(h, g->tasks);
	val_drop(values);
}

static void
on_held(struct wheel_timer *t)
{
	hosted_release_held(CONTAINER_OF(t, struct hosted, held.timer));
}

/* Of a step that shows nothing new the state is the one before. */
static void
hold(struct hosted *h, struct hosted_graph *g)
{
	h->held.graph = g;
	val_drop(h->held.values);
	h->held.values = g->values.kind == VAL_UNDEFINED ? val_object_empty() :
	    val_ref(g->values);
	h->held.timer.fire = on_held;
	shard_timer_set(h->job->run->rs->shard, &h->held.timer, LIMIT_HOSTED_HOLD_MS);
}

static int
on_checkpoint(struct hosted *h, struct hosted_graph *g, jnode data, struct err *e)
{
	struct str source = json_str(json_get(data, S("source")));
	jnode step = json_get(data, S("step"));
	struct uuid id, parent = { 0 };
	bool again;

	if (!uuid_parse(json_str(json_get(data, S("id"))), &id) || !json_is_int(step))
		return err_set(e, ERR_INVALID, "data: expected {id: a UUID, step, source}");
	(void)uuid_parse(json_str(json_get(data, S("parent_id"))), &parent);
	again = uuid_eq(&g->head, &id);
	if (!again) {
		hosted_keep_tasks(h, g);
		hosted_step_over(g);
	}
	g->head = id;
	g->parent = parent;
	g->step = (int)json_int(step);
	g->source = SOURCE_LOOP;
	for (int i = 0; checkpoint_source_names[i] != NULL; i++)
		if (str_eq(source, str_of(checkpoint_source_names[i])))
			g->source = (enum checkpoint_source)i;
	if (!again && wants(h, g, EVENT_CHECKPOINT))
		hold(h, g);
	return OK;
}

/* ---- states ------------------------------------------------------------------------------------ */

static void
tell_state(struct hosted *h, struct hosted_graph *g, struct val values)
{
	enum event_kind kind = g->shown ? EVENT_VALUES : EVENT_INPUT;
	struct run_event ev = hosted_event(h, g, kind);

	g->shown = true;
	if (!wants(h, g, kind))
		return;
	ev.u.state = (struct event_state){ .values = values, .id = ev.checkpoint,
	    .parent = g->parent, .source = g->source };
	job_tell_event(h->job, &ev);
}

static void
add_message(struct hosted_graph *g, struct val one)
{
	enum message_type type = message_type(one);

	if (type == MSG_NONE || type == MSG_REMOVE || message_id(one).n == 0)
		return;
	if (g->complete.kind == VAL_UNDEFINED)
		g->complete = val_array_empty();
	g->complete = val_push_take(g->complete, val_ref(one));
}

static void
add_complete(struct hosted_graph *g, struct val result)
{
	for (size_t i = 0; i < val_count(result); i++) {
		struct val list = val_member(result, i);

		for (size_t k = 0; list.kind == VAL_ARRAY && k < val_count(list); k++)
			add_message(g, val_at(list, k));
	}
}

static void
tell_complete(struct hosted *h, struct hosted_graph *g)
{
	struct run_event ev = hosted_event(h, g, EVENT_COMPLETE);

	if (val_count(g->complete) == 0)
		return;
	ev.u.complete.messages = g->complete;
	job_tell_event(h->job, &ev);
	val_drop(g->complete);
	g->complete = VAL_UNDEF;
}

/* Messages that the input brought: the last ones of its lists. */
static void
add_given(struct hosted *h, struct hosted_graph *g, struct val values)
{
	for (size_t i = 0; i < val_count(h->given); i++) {
		struct val in = val_member(h->given, i);
		struct val list = val_get(values, val_key(h->given, i));
		size_t n = in.kind == VAL_ARRAY ? val_count(in) : 1, all = val_count(list);

		for (size_t k = all > n ? all - n : 0; list.kind == VAL_ARRAY && k < all; k++)
			add_message(g, val_at(list, k));
	}
	val_drop(h->given);
	h->given = VAL_UNDEF;
}

static int
on_values(struct hosted *h, struct hosted_graph *g, jnode data, struct err *e)
{
	bool root = g->ns[0] == '\0';
	bool told = wants(h, g, g->shown ? EVENT_VALUES : EVENT_INPUT);
	bool held = wants(h, g, EVENT_CHECKPOINT);
	struct val values;

	(void)e;
	if (json_get(data, INTERRUPT) != NULL && json_count(data) == 1)
		return OK;                   /* told with the end */
	if (!root && !told && !held) {
		g->shown = true;
		return OK;
	}
	values = hosted_val(data);
	if (values.kind == VAL_OBJECT)
		values = val_unset_take(values, INTERRUPT);
	tell_state(h, g, values);
	if (root)
		add_given(h, g, values);
	tell_complete(h, g);
	if (held) {
		val_drop(g->values);
		g->values = val_ref(values);
		hold(h, g);
	}
	if (root) {
		val_drop(h->values);
		h->values = val_ref(values);
	}
	val_drop(values);
	return OK;
}

/* ---- tasks --------------------------------------------------------------------------------------- */

/* A send's place among those of the step. */
static struct val
path_of(struct hosted_graph *g, struct val triggers, struct str name)
{
	bool push = str_eq(hosted_text(val_at(triggers, 0)), S("__pregel_push"));
	struct val path = val_push_take(val_array_empty(), val_string(push ?
	    S("__pregel_push") : S("__pregel_pull")));

	return val_push_take(path, push ? val_int((int64_t)g->sends++) : val_string(name));
}

static int
task_begins(struct hosted *h, struct hosted_graph *g, jnode data, const struct uuid *id,
    struct err *e)
{
	struct str name = json_str(json_get(data, S("name")));
	struct hosted_task *t = hosted_task_find(g, id);

	if (t == NULL)
		t = hosted_task_new(g, name, id);
	if (t == NULL)
		return err_set(e, ERR_LIMIT, "data: a step of more than %d tasks",
		    LIMIT_HOSTED_TASKS);
	event_task_release(&t->shown);
	t->shown.triggers = hosted_val(json_get(data, S("triggers")));
	t->shown.path = path_of(g, t->shown.triggers, name);
	t->shown.input = wants(h, g, EVENT_TASK) ? hosted_val(json_get(data, S("input"))) :
	    VAL_UNDEF;
	t->ended = t->waits = t->told = false;
	g->dirty = true;
	if (uuid_is_zero(&g->head))          /* nobody has named it */
		(void)hosted_lists_at(&h->lists, str_of(g->ns), &g->head);
	if (h->held.graph != g)
		tell_task(h, t);
	if (!job_wants(h->job, EVENT_MODEL_START, true)) {
		val_drop(t->shown.input);    /* only who traces hears it again */
		t->shown.input = VAL_UNDEF;
	}
	return OK;
}

/* {message, name}, whatever language it comes from. */
static struct val
error_of(jnode n)
{
	struct val error = VAL_UNDEF;

	if (json_is_null(n))
		return error;
	if (json_is_object(n) && json_is_string(json_get(n, S("message"))))
		return hosted_val(n);
	error = val_set_take(val_object_empty(), S("message"), json_is_string(n) ?
	    val_string(json_str(n)) : hosted_val(n));
	return val_set_take(error, S("name"), val_string(S("Error")));
}

/* What past states show of the task. */
static void
keep_result(struct hosted *h, const struct hosted_task *t)
{
	struct changes *x = &h->job->changes;
	struct val result = t->shown.result;

	if (t->shown.error.kind != VAL_UNDEFINED) {
		changes_result(x, &t->shown, WRITE_ERROR, S("__error__"), t->shown.error);
		return;
	}
	for (size_t i = 0; result.kind == VAL_OBJECT && i < val_count(result); i++)
		changes_result(x, &t->shown, (int)i, val_key(result, i), val_member(result, i));
	if (result.kind != VAL_OBJECT || val_count(result) == 0)
		changes_result(x, &t->shown, 0, S("__no_writes__"), VAL_NIL);
}

static void
tell_result(struct hosted *h, struct hosted_graph *g, struct hosted_task *t)
{
	struct run_event ev = hosted_event(h, g, EVENT_TASK_RESULT);

	if (!wants(h, g, EVENT_TASK_RESULT))
		return;
	ev.step = g->step + 1;
	ev.task = &t->shown;
	job_tell_event(h->job, &ev);
}

static void
task_gave(struct hosted *h, struct hosted_graph *g, struct hosted_task *t)
{
	struct event_task *s = &t->shown;

	t->ended = true;
	end_lives(h, t, s->error.kind != VAL_UNDEFINED ? EVENT_FAILED : EVENT_COMPLETED,
	    s->error);
	hosted_said_end(h, t, s->result);
	if (s->result.kind == VAL_OBJECT && wants(h, g, EVENT_COMPLETE))
		add_complete(g, s->result);
	keep_result(h, t);
	tell_result(h, g, t);
	val_drop(s->result);
	val_drop(s->error);
	s->result = s->error = VAL_UNDEF;
}

/* An update whose task does not end: what a cache knew. */
static void
settle_update(struct hosted *h, struct hosted_graph *g)
{
	static const struct uuid none;
	struct hosted_task *t;

	if (g->update_node == NULL)
		return;
	t = hosted_task_new(g, str_of(g->update_node), &none);
	free(g->update_node);
	g->update_node = NULL;
	if (t != NULL) {
		t->shown.result = g->update;
		g->update = VAL_UNDEF;
		tell_result(h, g, t);
		val_drop(t->shown.result);
		t->shown.result = VAL_UNDEF;
		g->tasks = t->next;
		g->tasks_n--;
		hosted_task_drop(t);
	}
	val_drop(g->update);
	g->update = VAL_UNDEF;
}

static struct val
take_update(struct hosted_graph *g, struct str node, jnode result)
{
	struct val update;

	if (g->update_node == NULL || !str_eq(str_of(g->update_node), node))
		return hosted_val(result);
	update = g->update;
	g->update = VAL_UNDEF;
	free(g->update_node);
	g->update_node = NULL;
	return update;
}

static int
task_ends(struct hosted *h, struct hosted_graph *g, jnode data, const struct uuid *id,
    struct err *e)
{
	struct str name = json_str(json_get(data, S("name")));
	jnode asks = json_get(data, S("interrupts"));
	struct hosted_task *t = hosted_task_find(g, id);

	if (t == NULL)
		t = hosted_task_new(g, name, id);
	if (t == NULL)
		return err_set(e, ERR_LIMIT, "data: a step of more than %d tasks",
		    LIMIT_HOSTED_TASKS);
	t->shown.error = error_of(json_get(data, S("error")));
	if (t->shown.error.kind == VAL_UNDEFINED && json_count(asks) > 0) {
		t->ended = t->waits = true;
		val_drop(t->shown.interrupts);
		t->shown.interrupts = hosted_val(asks);
		hosted_said_end(h, t, VAL_UNDEF);
		return OK;
	}
	if (t->shown.error.kind == VAL_UNDEFINED)
		t->shown.result = take_update(g, name, json_get(data, S("result")));
	task_gave(h, g, t);
	return OK;
}

static int
on_tasks(struct hosted *h, struct hosted_graph *g, jnode data, struct err *e)
{
	struct uuid id;

	if (!uuid_parse(json_str(json_get(data, S("id"))), &id) ||
	    !json_is_string(json_get(data, S("name"))))
		return err_set(e, ERR_INVALID, "data: expected a task {id: a UUID, name, ...}");
	return json_get(data, S("triggers")) != NULL ? task_begins(h, g, data, &id, e) :
	    task_ends(h, g, data, &id, e);
}

static int
on_updates(struct hosted *h, struct hosted_graph *g, jnode data, struct err *e)
{
	struct json_iter it = json_each(data);

	if (!json_is_object(data))
		return err_set(e, ERR_INVALID, "data: expected {node: update}, got %s",
		    json_kind(data));
	while (json_next(&it)) {
		struct str node = json_str(it.key);

		if (str_eq(node, INTERRUPT)) {
			g->stops = g->stops || json_count(it.value) == 0;
			continue;
		}
		if (str_eq(node, S("__metadata__")))
			continue;
		settle_update(h, g);
		g->update_node = mem_cstr(node);
		g->update = hosted_val(it.value);
	}
	return OK;
}

/* ---- questions -------------------------------------------------------------------------------------- */

static void
tell_asked(struct hosted *h, const struct hosted_graph *g, struct val list)
{
	struct run_event ev = hosted_event(h, g, EVENT_INTERRUPT);

	ev.step = g->step + 1;
	ev.u.interrupts.list = list;
	job_tell_event(h->job, &ev);
}

static void
tell_task_waits(struct hosted *h, struct hosted_graph *g, struct hosted_task *t)
{
	if (t == NULL)
		return;
	tell_task_waits(h, g, t->next);
	if (!t->waits)
		return;
	tell_asked(h, g, t->shown.interrupts);
	tell_result(h, g, t);
	for (size_t i = 0; g->ns[0] == '\0' && i < val_count(t->shown.interrupts); i++) {
		if (h->asked.kind == VAL_UNDEFINED)
			h->asked = val_array_empty();
		h->asked = val_push_take(h->asked, val_ref(val_at(t->shown.interrupts, i)));
	}
}

static size_t
levels(const struct hosted_graph *g)
{
	size_t n = g->ns[0] != '\0';

	for (const char *at = g->ns; *at != '\0'; at++)
		n += *at == '|';
	return n;
}

/* Told when they are committed, the deepest graph's first. */
void
hosted_tell_waits(struct hosted *h)
{
	size_t deepest = 0;

	stream_close(&h->job->run->stream);
	for (const struct hosted_graph *g = h->graphs; g != NULL; g = g->next)
		deepest = levels(g) > deepest ? levels(g) : deepest;
	for (size_t level = deepest + 1; level-- > 0;)
		for (struct hosted_graph *g = h->graphs; g != NULL; g = g->next) {
			struct val none = val_array_empty();

			if (levels(g) != level) {
				val_drop(none);
				continue;
			}
			tell_task_waits(h, g, g->tasks);
			if (g->stops)
				tell_asked(h, g, none);
			val_drop(none);
			hosted_tell_life(h, g, EVENT_INTERRUPTED, STR_NONE, STR_NONE);
		}
}

/* ---- the rest --------------------------------------------------------------------------------------- */

static int
on_custom(struct hosted *h, struct hosted_graph *g, jnode data, struct err *e)
{
	struct run_event ev = hosted_event(h, g, EVENT_CUSTOM);

	(void)e;
	ev.u.custom.data = hosted_val(data);
	job_tell_event(h->job, &ev);
	val_drop(ev.u.custom.data);
	return OK;
}

/* The task that calls it, as far as it is known: the graph is the task's own. */
static void
place_tool(struct hosted *h, const struct hosted_graph *g, struct event_task *t)
{
	struct str ns = str_of(g->ns), up = ns;
	const struct hosted_graph *graph;

	while (up.n > 0 && up.p[up.n - 1] != '|')
		up.n--;
	*t = (struct event_task){ .name = str_sub(ns, up.n, ns.n), .ns = ns };
	up.n -= up.n > 0;
	graph = hosted_graph_find(h, up);
	for (const struct hosted_task *x = graph != NULL ? graph->tasks : NULL; x != NULL;
	    x = x->next)
		if (str_eq(str_of(x->ns), ns))
			*t = x->shown;
	if (str_index(t->name, ':') > 0)
		t->name.n = (size_t)str_index(t->name, ':');
	t->input = VAL_UNDEF;
}

static int
on_tools(struct hosted *h, struct hosted_graph *g, jnode data, struct err *e)
{
	static const struct { const char *event, *member; enum event_tool_what what; } kinds[] = {
		{ "on_tool_start", "input", EVENT_TOOL_START },
		{ "on_tool_event", "data", EVENT_TOOL_DELTA },
		{ "on_tool_end", "output", EVENT_TOOL_END },
		{ "on_tool_error", "error", EVENT_TOOL_ERROR },
	};
	struct run_event ev = hosted_event(h, g, EVENT_TOOL);
	struct str word = json_str(json_get(data, S("event")));
	struct str call = json_str(json_get(data, S("toolCallId")));
	struct event_task task;
	size_t i = 0;

	while (i < COUNT(kinds) && !str_eq(word, str_of(kinds[i].event)))
		i++;
	if (i == COUNT(kinds))
		return err_set(e, ERR_INVALID, "data.event: \"%.*s\" is no event of a tool",
		    FMT(str_sub(word, 0, 64)));
	if (call.n == 0)
		call = json_str(json_get(data, S("tool_call_id")));
	if (!job_tells(h->job, MODE_TOOLS | MODE_EVENTS))
		return OK;
	place_tool(h, g, &task);
	ev.task = &task;
	ev.u.tool = (struct event_tool){ .what = kinds[i].what, .call_id = call,
	    .name = json_str(json_get(data, S("name"))),
	    .payload = hosted_val(json_get(data, str_of(kinds[i].member))) };
	ev.u.tool.call = uuid_v5(&h->job->run->place.run_id, call);
	job_tell_event(h->job, &ev);
	val_drop(ev.u.tool.payload);
	return OK;
}

/* ---- a batch ------------------------------------------------------------------------------------------ */

static const struct {
	const char *mode;
	int (*take)(struct hosted *h, struct hosted_graph *g, jnode data, struct err *e);
} modes[] = {
	{ "values", on_values }, { "updates", on_updates }, { "tasks", on_tasks },
	{ "checkpoints", on_checkpoint }, { "custom", on_custom }, { "tools", on_tools },
};

static int
join_ns(jnode list, struct buf *ns, struct err *e)
{
	struct json_iter it = json_each(list);
	bool first = true;

	buf_clear(ns);
	if (!json_is_array(list))
		return err_set(e, ERR_INVALID, "ns: expected an array of strings, got %s",
		    json_kind(list));
	while (json_next(&it)) {
		if (!first)
			buf_add_char(ns, '|');
		first = false;
		if (!json_is_string(it.value))
			return err_set(e, ERR_INVALID, "ns: expected an array of strings");
		buf_add(ns, json_str(it.value));
	}
	return ns->failed ? err_set(e, ERR_INVALID, "ns: longer than %d bytes",
	    LIMIT_EVENT_NS_BYTES) : OK;
}

/* What of its graph was held back is told before anything else but its state and the tasks
 * that come next. */
static void
settle(struct hosted *h, const struct hosted_graph *g, struct str mode, jnode data)
{
	bool begins = (str_eq(mode, S("tasks")) && json_get(data, S("triggers")) != NULL) ||
	    (str_eq(mode, S("values")) && g->tasks == NULL);

	if (h->held.graph != NULL && !(h->held.graph == g && begins))
		hosted_release_held(h);
}

static int
take_graph_event(struct hosted *h, struct str ns, struct str mode, jnode data, struct err *e)
{
	struct hosted_graph *g = hosted_graph(h, ns);
	size_t i = 0;

	if (g == NULL)
		return err_set(e, ERR_LIMIT, "ns: more than %d namespaces are open",
		    LIMIT_HOSTED_NAMESPACES);
	while (i < COUNT(modes) && !str_eq(mode, str_of(modes[i].mode)))
		i++;
	if (i == COUNT(modes))
		return err_set(e, ERR_INVALID, "mode: \"%.*s\" is no mode of a worker's events",
		    FMT(str_sub(mode, 0, 64)));
	settle(h, g, mode, data);
	if (modes[i].take != on_tasks)
		settle_update(h, g);
	begin_life(h, g);
	return modes[i].take(h, g, data, e);
}

static int
take_event(struct hosted *h, jnode n, struct buf *ns, struct err *e)
{
	struct str mode = json_str(json_get(n, S("mode")));
	jnode number = json_get(n, S("n")), data = json_get(n, S("data"));
	int rc;

	if (!json_is_int(number))
		return err_set(e, ERR_INVALID, "n: expected an integer, got %s",
		    json_kind(number));
	if (json_int(number) <= h->last)
		return OK;                   /* it was here already */
	rc = join_ns(json_get(n, S("ns")), ns, e);
	if (rc == OK && str_eq(mode, S("messages"))) {
		if (h->held.graph != NULL)
			hosted_release_held(h);
		rc = hosted_message(h, buf_str(ns), data, e);
	} else if (rc == OK) {
		rc = take_graph_event(h, buf_str(ns), mode, data, e);
	}
	if (rc == OK)
		h->last = json_int(number);
	return rc;
}

void
hosted_events(struct hosted *h, struct worker_call *c)
{
	struct buf ns = BUF(LIMIT_EVENT_NS_BYTES);
	struct json_iter it;
	struct err e, why;
	jnode list;
	size_t i = 0;
	int rc = json_get_array(c->body, "events", "events", &list, &e);

	for (it = json_each(rc == OK ? list : NULL); rc == OK && json_next(&it); i++)
		rc = take_event(h, it.value, &ns, &why);
	if (rc != OK && i > 0)
		err_set(&e, rc, "events[%zu].%s", i - 1, why.text);
	worker_call_answer(c, rc, STR_NONE, &e);
	buf_release(&ns);
}
