/*
 * hosted_task.c - the tasks of a worker's graph: they begin, give something, fail, or ask; and
 * the questions that a run stops with.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/mem.h"
#include "run/hosted_priv.h"

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
add_complete(struct hosted_graph *g, struct val result)
{
	for (size_t i = 0; i < val_count(result); i++) {
		struct val list = val_member(result, i);

		for (size_t k = 0; list.kind == VAL_ARRAY && k < val_count(list); k++)
			hosted_add_message(g, val_at(list, k));
	}
}

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
	t->shown.input = hosted_wants(h, g, EVENT_TASK) ? hosted_val(json_get(data, S("input"))) :
	    VAL_UNDEF;
	t->ended = t->waits = t->told = false;
	/* Of durability exit only the last is stored: see fail() in hosted.c. */
	g->dirty = h->job->plan->durability != DURABILITY_EXIT;
	if (g->dirty && uuid_is_zero(&g->head))      /* nobody has named it */
		(void)hosted_lists_at(&h->lists, str_of(g->ns), &g->head);
	if (h->held.graph != g)
		hosted_tell_task(h, t);
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

/* ---- what tasks gave ------------------------------------------------------------------ */

static void
gave_free(struct hosted_gave *g)
{
	val_drop(g->result);
	val_drop(g->error);
	free(g->name);
	free(g->ns);
	free(g);
}

void
hosted_gave_free(struct hosted *h)
{
	while (h->gave != NULL) {
		struct hosted_gave *g = h->gave;

		h->gave = g->next;
		gave_free(g);
	}
	h->gave_n = 0;
}

/* What past states show of the task. */
static void
show(struct hosted *h, const struct hosted_gave *g)
{
	struct changes *x = &h->job->changes;
	struct val result = g->result;

	if (g->error.kind != VAL_UNDEFINED) {
		changes_result(x, &g->task, WRITE_ERROR, S("__error__"), g->error);
		return;
	}
	for (size_t i = 0; result.kind == VAL_OBJECT && i < val_count(result); i++)
		changes_result(x, &g->task, (int)i, val_key(result, i), val_member(result, i));
	if (result.kind != VAL_OBJECT || val_count(result) == 0)
		changes_result(x, &g->task, 0, S("__no_writes__"), VAL_NIL);
}

static bool
is_saved(const struct hosted *h, const struct uuid *task)
{
	for (size_t i = 0; i < COUNT(h->saved) && i < h->saved_n; i++)
		if (uuid_eq(&h->saved[i], task))
			return true;
	return false;
}

static void
keep_result(struct hosted *h, const struct hosted_graph *graph, const struct hosted_task *t)
{
	struct hosted_gave *g = mem_new(struct hosted_gave), **end = &h->gave;

	g->name = mem_cstr(t->shown.name);
	g->ns = mem_cstr(str_of(graph->ns));
	g->task = (struct event_task){ .id = t->shown.id, .name = str_of(g->name) };
	g->result = val_ref(t->shown.result);
	g->error = val_ref(t->shown.error);
	if (is_saved(h, &g->task.id)) {
		show(h, g);
		gave_free(g);
		return;
	}
	while (*end != NULL)
		end = &(*end)->next;
	*end = g;
	if (++h->gave_n >= LIMIT_HOSTED_TASKS)
		hosted_gave_all(h);
}

/* A checkpoint that is put ends the step before it. */
static bool
is_in(const struct hosted_gave *g, const struct changes *x)
{
	struct uuid id;

	for (size_t i = 0; i < x->saver_writes_n; i++)
		if (uuid_parse(x->saver_writes[i].task, &id) && uuid_eq(&id, &g->task.id))
			return true;
	for (size_t i = 0; i < x->saver_puts_n; i++)
		if (str_eq(x->saver_puts[i].ns, str_of(g->ns)))
			return true;
	return false;
}

void
hosted_gave_saved(struct hosted *h, const struct changes *x)
{
	struct hosted_gave **at = &h->gave;
	struct uuid id;

	for (size_t i = 0; i < x->saver_writes_n; i++)
		if (uuid_parse(x->saver_writes[i].task, &id) && !is_saved(h, &id))
			h->saved[h->saved_n++ % COUNT(h->saved)] = id;
	while (*at != NULL) {
		struct hosted_gave *g = *at;

		if (!is_in(g, x)) {
			at = &g->next;
			continue;
		}
		*at = g->next;
		h->gave_n--;
		show(h, g);
		gave_free(g);
	}
}

void
hosted_gave_all(struct hosted *h)
{
	while (h->gave != NULL) {
		struct hosted_gave *g = h->gave;

		h->gave = g->next;
		show(h, g);
		gave_free(g);
	}
	h->gave_n = 0;
}

/* ---- their end ------------------------------------------------------------------------ */

static void
tell_result(struct hosted *h, struct hosted_graph *g, struct hosted_task *t)
{
	struct run_event ev = hosted_event(h, g, EVENT_TASK_RESULT);

	if (!hosted_wants(h, g, EVENT_TASK_RESULT))
		return;
	ev.step = g->step + 1;
	ev.task = &t->shown;
	job_tell_event(h->job, &ev);
}

static void
note_ended(struct hosted *h, const struct hosted_task *t)
{
	struct note n = hosted_note(h, t);
	struct val error = t->shown.error;

	if (error.kind != VAL_UNDEFINED)
		note_error(&n, S("error.execution"), hosted_text(val_get(error, S("name"))),
		    hosted_text(val_get(error, S("message"))));
	else
		note_node(&n, TRANSCRIPT_EXITED);
}

static void
task_gave(struct hosted *h, struct hosted_graph *g, struct hosted_task *t)
{
	struct event_task *s = &t->shown;

	t->ended = true;
	note_ended(h, t);
	end_lives(h, t, s->error.kind != VAL_UNDEFINED ? EVENT_FAILED : EVENT_COMPLETED,
	    s->error);
	hosted_said_end(h, t, s->result);
	if (s->result.kind == VAL_OBJECT && hosted_wants(h, g, EVENT_COMPLETE))
		add_complete(g, s->result);
	keep_result(h, g, t);
	tell_result(h, g, t);
	val_drop(s->result);
	val_drop(s->error);
	s->result = s->error = VAL_UNDEF;
}

/* An update whose task does not end: what a cache knew. */
void
hosted_settle_update(struct hosted *h, struct hosted_graph *g)
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
		hosted_task_remove(g, t);
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

int
hosted_on_task(struct hosted *h, struct hosted_graph *g, jnode data, struct err *e)
{
	struct uuid id;

	if (!uuid_parse(json_str(json_get(data, S("id"))), &id) ||
	    !json_is_string(json_get(data, S("name"))))
		return err_set(e, ERR_INVALID, "data: expected a task {id: a UUID, name, ...}");
	return json_get(data, S("triggers")) != NULL ? task_begins(h, g, data, &id, e) :
	    task_ends(h, g, data, &id, e);
}

int
hosted_on_update(struct hosted *h, struct hosted_graph *g, jnode data, struct err *e)
{
	struct json_iter it = json_each(data);

	if (!json_is_object(data))
		return err_set(e, ERR_INVALID, "data: expected {node: update}, got %s",
		    json_kind(data));
	while (json_next(&it)) {
		struct str node = json_str(it.key);

		if (str_eq(node, HOSTED_INTERRUPT)) {
			g->stops = g->stops || json_count(it.value) == 0;
			continue;
		}
		if (str_eq(node, S("__metadata__")))
			continue;
		hosted_settle_update(h, g);
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
			for (struct hosted_task *t = g->tasks; t != NULL; t = t->next)
				tell_task_waits(h, g, t);
			if (g->stops)
				tell_asked(h, g, none);
			val_drop(none);
			hosted_tell_life(h, g, EVENT_INTERRUPTED, STR_NONE, STR_NONE);
		}
}
