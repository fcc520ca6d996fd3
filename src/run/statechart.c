/*
 * statechart.c - a namespace whose agent is a chart: no barrier.  Each task that
 * ends is an event, run to completion; what the macrostep starts are new tasks,
 * what it exits is stopped, and a checkpoint follows.
 *
 * The chart's data are the channels: slot i is channel i, and a snapshot does not
 * repeat them.  A task's writes go through their reducers and then into the slots;
 * what the chart assigns comes back as the channels' values.
 *
 * A task keeps its id over checkpoints: the one it began in names it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "chart/stepper.h"
#include "run/scope_priv.h"

/* ---- what the chart asks for ------------------------------------------------------ */

static struct core_task *
find_task(const struct scope *s, uint64_t serial)
{
	for (size_t i = 0; i < s->tasks_n; i++)
		if (s->tasks[i]->serial == serial)
			return s->tasks[i];
	return NULL;
}

/* Its id follows with the checkpoint, or is the one that was saved. */
static void
on_begin(void *ctx, const struct stepper_task *x)
{
	struct scope *s = ctx;
	struct core_task *t = mem_new(struct core_task);
	int node = agent_node_find(s->agent, x->invokeid);

	assert(node >= 0);                   /* the file's own, checked at load */
	t->scope = s;
	t->node = node;
	t->serial = x->serial;
	t->name = (struct str){ mem_cstr(s->agent->nodes[node].name),
	    s->agent->nodes[node].name.n };
	t->trigger = s->agent->nodes[node].name;
	t->input = x->args.kind == VAL_UNDEFINED ? VAL_UNDEF : val_ref(x->args);
	for (size_t i = 0; x->again && i < s->saved->tasks_n; i++)
		if (s->saved->tasks[i].serial == x->serial)
			t->id = s->saved->tasks[i].id;
	s->tasks = mem_resize(s->tasks, (s->tasks_n + 1) * sizeof(struct core_task *));
	s->tasks[s->tasks_n++] = t;
}

static void
remove_task(struct scope *s, struct core_task *t)
{
	size_t i = 0;

	while (s->tasks[i] != t)
		i++;
	for (s->tasks_n--; i < s->tasks_n; i++)
		s->tasks[i] = s->tasks[i + 1];
}

static void
on_stop(void *ctx, uint64_t serial)
{
	struct scope *s = ctx;
	struct core *c = s->core;
	struct core_task *t = find_task(s, serial);

	if (t == NULL)
		return;
	if (t->state == TASK_RUNNING) {
		s->open--;
		c->fx->stop(c->ctx, t);
	}
	if (t->state == TASK_WAITS)
		c->fx->drop(c->ctx, t);      /* nobody waits for its answer */
	budget_task_ends(t);
	remove_task(s, t);
	core_task_free(t);
}

static void
on_path(void *ctx, const struct chart *c, struct str session, const struct effect *f)
{
	struct scope *s = ctx;

	if (!s->quiet || f->kind != EFFECT_UNTAKEN || !str_starts(f->name, S("answer.")))
		s->core->fx->path(s->core->ctx, session, c, f);
}

/* ---- messages to other agents ------------------------------------------------------- */

/* Receivers are looked up with the whole message, when it is sent. */
static int
on_reach(void *ctx, struct str target, struct str type, bool delayed)
{
	(void)ctx;
	(void)delayed;
	if (!str_eq(type, S(AGENT_SEND_TYPE)))
		return ERR_INVALID;
	return target.n > 0 ? OK : ERR_INVALID;
}

static void
tell_unsent(struct scope *s, const struct effect *f, int rc, const struct err *e)
{
	struct val data = val_object_empty();

	data = val_set_take(data, S("reason"), val_string(str_of(rc_name(rc))));
	data = val_set_take(data, S("message"), val_string(str_of(e->text)));
	data = val_set_take(data, S("to"), val_string(f->target));
	data = val_set_take(data, S("performative"), val_string(f->name));
	(void)stepper_event(s->chart, S("error.communication"), data);
	val_drop(data);
}

static void
on_send(void *ctx, const struct effect *f)
{
	struct scope *s = ctx;
	struct core *c = s->core;
	struct task_mail m = { .to = f->target, .act = f->name, .fields = f->data };
	struct run_event at = scope_event(s, EVENT_CUSTOM);
	struct err e;
	int rc;

	if (c->fx->mail == NULL)
		rc = err_set(&e, ERR_NOTFOUND, "messages need a server, and a run on a thread");
	else
		rc = c->fx->mail(c->ctx, &at, &m, &e);
	if (rc != OK)
		tell_unsent(s, f, rc, &e);
}

#define OPS .begin = on_begin, .stop = on_stop, .reach = on_reach, .send = on_send

static const struct stepper_ops ops = { OPS };
static const struct stepper_ops ops_path = { OPS, .told = on_path, .path = true };

static const struct stepper_ops *
ops_of(const struct scope *s)
{
	return s->core->fx->path != NULL ? &ops_path : &ops;
}

/* What names mean beside the data. */
static void
give_names(struct scope *s)
{
	const struct core_request *q = s->core->q;
	struct val names = val_object_empty();

	names = val_set_take(names, S("config"), val_ref(q->config));
	names = val_set_take(names, S("context"), val_ref(q->context));
	names = val_set_take(names, S("params"),
	    val_ref(val_get(q->config, S("configurable"))));
	stepper_give(s->chart, names);
	val_drop(names);
}

void
chart_open(struct scope *s)
{
	s->chart = stepper_new(s->agent->chart, str_of(s->ns), ops_of(s), s);
	give_names(s);
}

int
chart_restore(struct scope *s, const struct core_saved *saved, struct err *e)
{
	struct chart_stepper *st = NULL;
	int rc;

	if (saved->snapshot.n == 0) {
		chart_expect_input(s);
		return OK;
	}
	s->saved = saved;
	rc = stepper_restore(&st, s->agent->chart, str_of(s->ns), saved->snapshot,
	    ops_of(s), s, e);
	s->saved = NULL;
	if (rc != OK) {
		stepper_free(st);
		return rc;
	}
	stepper_free(s->chart);
	s->chart = st;
	s->started = true;
	give_names(s);
	chart_fill(s);
	return OK;
}

void
chart_save(const struct scope *s, struct buf *out)
{
	if (s->started)
		stepper_save_bare(s->chart, out);
}

/* Ids of the tasks that begin with this checkpoint. */
void
chart_prepare(struct scope *s)
{
	for (size_t i = 0; i < s->tasks_n; i++) {
		struct core_task *t = s->tasks[i];

		if (uuid_is_zero(&t->id))
			t->id = scope_task_id(s, t->name, t->serial != 0,
			    (unsigned)t->serial);
		if (t->ns.p == NULL)
			t->ns = scope_task_ns(s, t->name, &t->id);
	}
}

void
chart_fork(struct scope *s)
{
	static const struct uuid none;

	for (size_t i = 0; i < s->tasks_n; i++) {
		s->tasks[i]->id = none;
		free((char *)s->tasks[i]->ns.p);
		s->tasks[i]->ns = STR_NONE;
	}
}

/* ---- data ----------------------------------------------------------------------------- */

void
chart_fill(struct scope *s)
{
	struct session *x = stepper_session(s->chart);

	for (size_t i = 0; i < channels_count(s->state); i++)
		session_set_slot(x, (unsigned)i, val_ref(channels_get(s->state, i)));
	session_settle(x);
}

/* What the chart assigned takes the place of the channel's value. */
static int
take_slots(struct scope *s, bool *wrote, struct err *e)
{
	struct session *x = stepper_session(s->chart);
	struct val value, whole;
	int rc = OK;

	for (size_t i = 0; i < channels_count(s->state) && rc == OK; i++) {
		if (!session_slot_changed(x, (unsigned)i) ||
		    !session_slot(x, (unsigned)i, &value))
			continue;
		whole = val_set_take(val_object_empty(), S("__overwrite__"),
		    val_ref(value));
		rc = channels_put(s->state, i, whole, 0, e);
		val_drop(whole);
		*wrote = true;
	}
	session_settle(x);
	return rc;
}

/* The final's data, where there are channels for it. */
static int
take_output(struct scope *s, bool *wrote, struct err *e)
{
	struct val output = stepper_over(s->chart) ? stepper_output(s->chart) :
	    VAL_UNDEF;
	int rc = OK;

	for (size_t i = 0; output.kind == VAL_OBJECT && i < val_count(output) && rc == OK;
	    i++) {
		int at = channels_find(s->state, val_key(output, i));

		if (at == CHANNEL_NONE)
			continue;
		rc = channels_put(s->state, (size_t)at, val_member(output, i), 0, e);
		*wrote = true;
	}
	return rc;
}

static int
apply(struct scope *s, const struct core_task *t, bool *wrote, struct err *e)
{
	int rc = OK;

	for (size_t i = t->took; i < t->writes_n && rc == OK; i++) {
		int at = channels_find(s->state, t->writes[i].name);

		if (at == CHANNEL_NONE)
			continue;
		rc = channels_put(s->state, (size_t)at, t->writes[i].value,
		    REDUCE_STORED, e);
		*wrote = true;
	}
	return rc;
}

/* ---- macrosteps -------------------------------------------------------------------------- */

msec
chart_due(const struct scope *s)
{
	msec due = s->started ? stepper_due(s->chart) : STEPPER_NEVER;

	return due == STEPPER_NEVER ? CORE_NEVER : due;
}

static bool
is_idle(const struct scope *s)
{
	return s->tasks_n == 0 && !stepper_over(s->chart) && chart_due(s) == CORE_NEVER;
}

bool
chart_listens(const struct scope *s)
{
	return s->up == NULL && s->core->q->hears && s->started && is_idle(s) &&
	    session_hears(stepper_session(s->chart), S("message"));
}

static void
fail_waits(struct scope *s)
{
	struct buf b = BUF(16 * KB);

	buf_lit(&b, "the chart waits for an event that cannot come: ");
	session_add_waits(stepper_session(s->chart), &b);
	scope_fail(s, S("GraphError"), buf_str(&b), NULL);
	buf_release(&b);
}

static int
run_to_completion(struct scope *s, struct err *e)
{
	const struct core *c = s->core;
	int rc = OK;

	while (rc == OK && stepper_busy(s->chart))
		rc = stepper_step(s->chart, c->fx->now(c->ctx));
	if (rc == ERR_LIMIT)
		return err_set(e, rc, "the chart did not reach a stable configuration: "
		    "%.*s", FMT(session_why(stepper_session(s->chart))));
	return OK;
}

void
chart_go_on(struct scope *s)
{
	if (scope_out_of_steps(s))
		return;
	scope_tell_checkpoint(s);
	if (stepper_over(s->chart))
		scope_done(s);
	else if (chart_listens(s))
		return;
	else if (is_idle(s))
		fail_waits(s);
	else if (scope_stopped(s, s->tasks, s->tasks_n, true))
		scope_wait(s, true);
	else if (!scope_begin_tasks(s) && s->open == 0 && chart_due(s) == CORE_NEVER)
		scope_wait(s, false);
}

/* An event was given: what it does, and the checkpoint that says so.  done: the
 * task it is of, taken; NULL: a delayed event. */
static void
macrostep(struct scope *s, struct core_task *done, bool wrote)
{
	bool input = done != NULL && done->node == GRAPH_START, stop;
	size_t n = done != NULL ? 1 : 0;
	struct err e;
	int rc = run_to_completion(s, &e);

	if (rc == OK)
		rc = take_slots(s, &wrote, &e);
	if (rc == OK)
		rc = take_output(s, &wrote, &e);
	channels_end_step(s->state);
	budget_entries(s);
	if (rc != OK) {
		if (done != NULL)
			core_task_free(done);
		scope_fail(s, S("GraphError"), str_of(e.text), NULL);
		return;
	}
	s->changed = true;
	scope_checkpoint(s, SOURCE_LOOP, done);
	if (input && s->up != NULL) {
		val_drop(s->before);
		s->before = channels_values(s->state);
	}
	if (wrote || input)
		scope_tell_state(s, input ? EVENT_INPUT : EVENT_VALUES);
	scope_tell_complete(s, &done, n);
	stop = scope_stopped(s, &done, n, false);
	if (done != NULL)
		core_task_free(done);
	if (stop)
		scope_wait(s, true);
	else
		chart_go_on(s);
}

void
chart_fire(struct scope *s)
{
	const struct core *c = s->core;

	if (stepper_fire(s->chart, c->fx->now(c->ctx)))
		macrostep(s, NULL, false);
}

/* A conversation may go on for ever: the limit of steps is from message to message. */
void
chart_hear(struct scope *s)
{
	s->begun = s->step;
	s->stop = s->begun + s->core->q->recursion_limit + 2;
	macrostep(s, NULL, false);
}

/* The input is taken, and the chart starts. */
void
chart_start(struct scope *s, struct core_task *input)
{
	bool wrote = false;
	struct val data;
	struct err e;

	remove_task(s, input);
	if (apply(s, input, &wrote, &e) != OK) {
		core_task_free(input);
		scope_fail(s, S("InvalidUpdateError"), str_of(e.text), NULL);
		return;
	}
	data = channels_data(s->state);
	stepper_start(s->chart, data);
	val_drop(data);
	s->started = true;
	macrostep(s, input, wrote);
}

/* The pseudo task of the input, for the checkpoint before it. */
void
chart_expect_input(struct scope *s)
{
	struct core_task *t = mem_new(struct core_task);

	if (s->started) {                    /* what stood there is dropped */
		stepper_free(s->chart);
		chart_open(s);
		s->started = false;
	}
	tasks_drop(s, 1);
	t->scope = s;
	t->node = GRAPH_START;
	t->trigger = S("__start__");
	t->name = (struct str){ mem_cstr(S("__start__")), 9 };
	s->tasks[s->tasks_n++] = t;
}

/* The answer to a question comes before the end of its work, which is nobody's when
 * that has left the state.  Where nothing takes it, the end tells of it. */
static int
tell_answer(struct scope *s, const struct core_task *t, struct val result, struct err *e)
{
	int rc;

	if (!str_eq(str_of(s->agent->nodes[t->node].work.kind->name), S("ask")) ||
	    stepper_task_answer(s->chart, t->serial, result) != OK)
		return OK;
	s->quiet = true;
	rc = run_to_completion(s, e);
	s->quiet = false;
	return rc;
}

void
chart_task_done(struct core_task *t, struct val result)
{
	struct scope *s = t->scope;
	bool wrote = false;
	struct err e;

	budget_task_ends(t);
	remove_task(s, t);
	if (apply(s, t, &wrote, &e) != OK) {
		core_task_free(t);
		scope_fail(s, S("InvalidUpdateError"), str_of(e.text), NULL);
		return;
	}
	chart_fill(s);
	if (tell_answer(s, t, result, &e) != OK) {
		core_task_free(t);
		scope_fail(s, S("GraphError"), str_of(e.text), NULL);
		return;
	}
	(void)stepper_task_done(s->chart, t->serial, result);
	macrostep(s, t, wrote);
}

/* ---- events of a model ------------------------------------------------------------------- */

static int
take_writes(struct core_task *t, const struct task_write *w, size_t n, bool *wrote,
    struct err *e)
{
	int rc = OK;

	for (; t->took < n && rc == OK; t->took++) {
		rc = channels_put(t->scope->state, w[t->took].channel, w[t->took].value,
		    REDUCE_STORED, e);
		*wrote = true;
	}
	return rc;
}

static void
tell_dropped(struct scope *s, struct str event)
{
	const struct core *c = s->core;

	if (c->fx->path != NULL)
		c->fx->path(c->ctx, str_of(s->ns), s->agent->chart,
		    &(struct effect){ .kind = EFFECT_DROPPED, .name = event });
}

/* Each is worked through before the next: once the state of the task is left, its
 * events are nobody's. */
static int
post(struct scope *s, uint64_t serial, const struct task_event *ev, size_t n, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; i < n && rc == OK; i++)
		if (stepper_task_event(s->chart, serial, ev[i].name, ev[i].data) == OK)
			rc = run_to_completion(s, e);
		else
			tell_dropped(s, ev[i].name);
	return rc;
}

void
core_task_post(struct core_task *t, const struct task_write *w, size_t n,
    const struct task_event *ev, size_t ev_n, bool again)
{
	struct scope *s = t->scope;
	bool wrote = false;
	struct err e;

	assert(s->chart != NULL && t->state == TASK_RUNNING);
	if (again) {
		t->took = n;
		return;
	}
	if (take_writes(t, w, n, &wrote, &e) != OK) {
		scope_fail(s, S("InvalidUpdateError"), str_of(e.text), t);
		return;
	}
	chart_fill(s);
	if (post(s, t->serial, ev, ev_n, &e) != OK)
		scope_fail(s, S("GraphError"), str_of(e.text), NULL);
	else
		macrostep(s, NULL, wrote);
}

/* An error that the chart does nothing about ends the run. */
void
chart_task_failed(struct core_task *t, const struct task_error *why)
{
	struct scope *s = t->scope;
	struct val data = val_object_empty();
	struct err e;
	int rc;

	budget_task_ends(t);
	data = val_set_take(data, S("message"), val_string(why->message));
	data = val_set_take(data, S("name"), val_string(why->name));
	(void)stepper_task_failed(s->chart, t->serial, why->event, data);
	val_drop(data);
	rc = run_to_completion(s, &e);
	if (rc != OK || (!session_changed(stepper_session(s->chart)) &&
	    !stepper_over(s->chart))) {
		scope_fail(s, why->name, why->message, t);
		return;
	}
	remove_task(s, t);
	macrostep(s, t, false);
}

static bool
is_of_state(const struct core_task *t, unsigned state)
{
	const struct agent_node *node = &t->scope->agent->nodes[t->node];

	for (size_t i = 0; i < node->budgets_n; i++)
		if (node->budgets[i] == state)
			return true;
	return false;
}

/* Its work does not go on: the task fails with the event. */
static void
end_task(struct scope *s, struct core_task *t, struct str event, struct val data)
{
	struct core *c = s->core;
	uint64_t serial = t->serial;

	if (t->state == TASK_RUNNING) {
		s->open--;
		t->state = TASK_FAILED;
		c->fx->stop(c->ctx, t);
	} else if (t->state == TASK_WAITS) {
		c->fx->drop(c->ctx, t);
	}
	budget_task_ends(t);
	remove_task(s, t);
	core_task_free(t);
	(void)stepper_task_failed(s->chart, serial, event, data);
}

void
chart_wall(struct scope *s, unsigned state, bool all, struct str words)
{
	static const struct str event = { "error.budget.wall", 17 };
	struct val data = val_object_empty();
	size_t ended = 0;
	struct err e;
	int rc;

	data = val_set_take(data, S("message"), val_string(words));
	data = val_set_take(data, S("name"), val_string(S("BudgetError")));
	for (size_t i = s->tasks_n; i > 0; i--)
		if (all || is_of_state(s->tasks[i - 1], state)) {
			end_task(s, s->tasks[i - 1], event, data);
			ended++;
		}
	if (ended == 0)
		(void)stepper_event(s->chart, event, data);
	val_drop(data);
	rc = run_to_completion(s, &e);
	budget_note_event(s, event);
	if (rc != OK || (!session_changed(stepper_session(s->chart)) &&
	    !stepper_over(s->chart)))
		scope_fail(s, S("BudgetError"), words, NULL);
	else
		macrostep(s, NULL, false);
}
