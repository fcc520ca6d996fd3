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
 * tasks that come next, so it is held back a moment for them, if a reader wants it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/hosted_priv.h"
#include "state/message.h"

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

struct note
hosted_note(const struct hosted *h, const struct hosted_task *t)
{
	struct note n = job_note(h->job);
	struct str ns = t->shown.ns;

	while (ns.n > 0 && ns.p[ns.n - 1] != '|')
		ns.n--;
	n.at = (struct transcript_place){ .ns = str_sub(ns, 0, ns.n > 0 ? ns.n - 1 : 0),
	    .node = t->shown.name, .task = t->shown.id };
	return n;
}

bool
hosted_wants(const struct hosted *h, const struct hosted_graph *g, enum event_kind kind)
{
	return job_wants(h->job, kind, g->ns[0] == '\0');
}

void
hosted_tell_life(struct hosted *h, const struct hosted_graph *g, enum event_life what,
    struct str error, struct str message)
{
	struct run_event ev = hosted_event(h, g, EVENT_LIFECYCLE);
	struct str name = h->job->definition.agent->id, rest = str_of(g->ns), part;

	if (!hosted_wants(h, g, EVENT_LIFECYCLE))
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

void
hosted_tell_task(struct hosted *h, struct hosted_task *t)
{
	struct run_event ev = hosted_event(h, t->graph, EVENT_TASK);

	t->told = true;
	if (h->job->transcript.on) {
		struct note n = hosted_note(h, t);

		note_node(&n, TRANSCRIPT_ENTERED);
	}
	if (!hosted_wants(h, t->graph, EVENT_TASK))
		return;
	ev.step = t->graph->step + 1;
	ev.task = &t->shown;
	job_tell_event(h->job, &ev);
	if (job_wants(h->job, EVENT_MODEL_START, true))
		return;                      /* traces repeat its input at its end */
	val_drop(t->shown.input);
	t->shown.input = VAL_UNDEF;
}

static void
tell_tasks(struct hosted *h, struct hosted_graph *g)
{
	for (struct hosted_task *t = g->tasks; t != NULL; t = t->next)
		if (!t->told)
			hosted_tell_task(h, t);
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
add_shown(const struct hosted_graph *g, struct event_task *all, size_t *n)
{
	for (const struct hosted_task *t = g->tasks; t != NULL; t = t->next) {
		all[*n] = t->shown;
		all[(*n)++].input = VAL_UNDEF;
	}
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
	add_shown(g, tasks, &c->tasks_n);
	if (c->tasks_n == 0 && g->source == SOURCE_INPUT)    /* no reader is told of it */
		tasks[c->tasks_n++] = (struct event_task){ .name = S("__start__"),
		    .id = uuid_v5(&g->head, S("__start__")) };
	g->pointed = true;
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
	tell_tasks(h, g);
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
	struct uuid id = { 0 }, parent = { 0 };
	bool again;

	/* With durability exit it has none: it is not put. */
	if ((!json_is_null(json_get(data, S("id"))) &&
	    !uuid_parse(json_str(json_get(data, S("id"))), &id)) || !json_is_int(step))
		return err_set(e, ERR_INVALID, "data: expected {id: a UUID, step, source}");
	(void)uuid_parse(json_str(json_get(data, S("parent_id"))), &parent);
	again = uuid_eq(&g->head, &id) && !uuid_is_zero(&id);
	if (!again) {
		hosted_keep_tasks(h, g);
		hosted_step_over(g);
		g->pointed = false;
	}
	g->head = id;
	g->parent = parent;
	g->step = (int)json_int(step);
	g->source = SOURCE_LOOP;
	for (int i = 0; checkpoint_source_names[i] != NULL; i++)
		if (str_eq(source, str_of(checkpoint_source_names[i])))
			g->source = (enum checkpoint_source)i;
	if (!again && hosted_wants(h, g, EVENT_CHECKPOINT)) {
		if (json_is_object(json_get(data, S("values")))) {
			val_drop(g->values);
			g->values = hosted_val(json_get(data, S("values")));
		}
		hold(h, g);
	}
	return OK;
}

/* ---- states ------------------------------------------------------------------------------------ */

static void
tell_state(struct hosted *h, struct hosted_graph *g, struct val values)
{
	enum event_kind kind = g->shown ? EVENT_VALUES : EVENT_INPUT;
	struct run_event ev = hosted_event(h, g, kind);

	g->shown = true;
	if (!hosted_wants(h, g, kind))
		return;
	ev.u.state = (struct event_state){ .values = values, .id = ev.checkpoint,
	    .parent = g->parent, .source = g->source };
	job_tell_event(h->job, &ev);
}

void
hosted_add_message(struct hosted_graph *g, struct val one)
{
	enum message_type type = message_type(one);

	if (type == MSG_NONE || type == MSG_REMOVE || message_id(one).n == 0)
		return;
	if (g->complete.kind == VAL_UNDEFINED)
		g->complete = val_array_empty();
	g->complete = val_push_take(g->complete, val_ref(one));
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
			hosted_add_message(g, val_at(list, k));
	}
	val_drop(h->given);
	h->given = VAL_UNDEF;
}

static int
on_values(struct hosted *h, struct hosted_graph *g, jnode data, struct err *e)
{
	bool root = g->ns[0] == '\0';
	bool told = hosted_wants(h, g, g->shown ? EVENT_VALUES : EVENT_INPUT);
	bool held = hosted_wants(h, g, EVENT_CHECKPOINT);
	struct val values;

	(void)e;
	if (json_get(data, HOSTED_INTERRUPT) != NULL && json_count(data) == 1)
		return OK;                   /* told with the end */
	if (!root && !told && !held) {
		g->shown = true;
		return OK;
	}
	values = hosted_val(data);
	if (values.kind == VAL_OBJECT)
		values = val_unset_take(values, HOSTED_INTERRUPT);
	tell_state(h, g, values);
	if (root)
		add_given(h, g, values);
	tell_complete(h, g);
	if (held) {
		val_drop(g->values);
		g->values = val_ref(values);
		if (!g->pointed)
			hold(h, g);
	}
	if (root) {
		val_drop(h->values);
		h->values = val_ref(values);
	}
	val_drop(values);
	return OK;
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
	{ "values", on_values }, { "updates", hosted_on_update }, { "tasks", hosted_on_task },
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
	if (modes[i].take != hosted_on_task)
		hosted_settle_update(h, g);
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

/* The store takes events slower than they come: the worker may wait. */
static struct str
wait_member(const struct hosted *h)
{
	return h->job->run->appends > LIMIT_HOSTED_APPENDS ? S("\"wait_ms\":100") : STR_NONE;
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
	hosted_show_later(h);
	worker_call_answer(c, rc, wait_member(h), &e);
	buf_release(&ns);
}
