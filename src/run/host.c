/*
 * host.c - what a task may reach, given by the run it is part of.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/job_priv.h"
#include "run/mail_priv.h"
#include "state/message.h"

/* ---- the end of an attempt ------------------------------------------------------- */

static bool
was_streamed(const struct job_task *t, struct str id)
{
	for (size_t i = 0; i < t->streamed_n; i++)
		if (str_eq(str_of(t->streamed[i]), id))
			return true;
	return false;
}

static bool id_is_taken(const struct channels *state, struct str id);

static void
tell_message(struct job_task *t, struct val message)
{
	struct str id = message_id(message);
	struct run_event ev;

	if (message_type(message) == MSG_NONE || message_type(message) == MSG_REMOVE ||
	    was_streamed(t, id) || job_was_told(t->job, id) ||
	    (id.n > 0 && id_is_taken(core_task_state(t->core), id)))
		return;
	ev = job_event(t, EVENT_MESSAGE);
	job_note_told(t->job, &ev, id);
	ev.u.message.message = message;
	job_tell(t, &ev);
}

/* Messages that were not streamed: each whole, once. */
void
host_tell_messages(struct job_task *t, const struct task_write *w, size_t n)
{
	const struct channels *state = core_task_state(t->core);

	if (!job_tells(t->job, MODE_MESSAGES_TUPLE | MODE_EVENTS))
		return;
	/* A sub-agent's own tasks have told them to who sees its events. */
	if (t->job->plan->subgraphs && core_task_is_agent(t->core))
		return;
	for (size_t i = 0; i < n; i++) {
		struct val list = core_messages_of(channels_def(state, w[i].channel),
		    w[i].value);

		for (size_t k = 0; k < val_count(list); k++)
			tell_message(t, val_at(list, k));
	}
}

/* Takes the task out of the core's hands; NULL: the run cannot go on. */
static struct core_task *
leave(struct job_task *t)
{
	struct core_task *core = t->core;

	if (!t->job->broken)
		return core;
	job_fail_broken(t->job);
	return NULL;
}

static void
on_done(void *ctx, struct val result)
{
	struct job_task *t = ctx;
	struct job *j = t->job;
	struct core_task *core = leave(t);
	const struct task_write *w;
	size_t n;

	if (core != NULL) {
		w = task_writes(t->task, &n);
		host_tell_messages(t, w, n);
		inject_leave(t);
		job_note_node(t, TRANSCRIPT_EXITED);
		task_trace_end(t, STR_NONE, STR_NONE);
		core->host = NULL;
		job_task_close(t);
		core_task_done(core, w, n, result);
	}
	job_pump(j);
}

static void
on_failed(void *ctx, const struct task_error *e)
{
	struct job_task *t = ctx;
	struct job *j = t->job;
	struct core_task *core = leave(t);

	struct val partial = core != NULL && core_keeps(core) ? job_partial(t) :
	    VAL_UNDEF;

	if (core != NULL) {
		struct note note = job_task_note(t);

		note_error(&note, e->event, e->name, e->message);
		inject_leave(t);
		task_trace_end(t, e->event, e->message);
		core->host = NULL;
		job_task_close(t);
		if (partial.kind != VAL_UNDEFINED)
			core = core_keep_failed(core, partial);
		if (core != NULL)
			core_task_failed(core, e);
		else
			job_fail_broken(j);
	}
	val_drop(partial);
	job_pump(j);
}

/* What was done in it is kept with its questions. */
static void
on_waits(void *ctx)
{
	struct job_task *t = ctx;
	struct job *j = t->job;
	struct core_task *core = leave(t);
	const struct task_interrupt *i;
	const struct task_record *r;
	size_t n;

	if (core != NULL) {
		r = task_records(t->task, &n);
		for (size_t k = 0; k < n && !j->run->stateless; k++)
			changes_record(&j->changes, &core->id, r[k].key, r[k].name,
			    r[k].result_json);
		i = task_interrupts(t->task, &n);
		task_trace_end(t, STR_NONE, STR_NONE);
		core->host = NULL;
		job_task_close(t);
		core_task_waits(core, i, n);
	}
	job_pump(j);
}

/* ---- events of a task ------------------------------------------------------------------ */

static void
on_emit(void *ctx, struct str name, struct val data)
{
	struct job_task *t = ctx;
	struct run_event ev = job_event(t, EVENT_CUSTOM);

	ev.u.custom.name = name;
	ev.u.custom.data = data;
	job_tell(t, &ev);
}

static void
on_tool_event(void *ctx, enum task_tool_event what, struct str call_id,
    struct str name, struct val payload)
{
	static const enum event_tool_what kinds[] = {
		[TOOL_START] = EVENT_TOOL_START, [TOOL_END] = EVENT_TOOL_END,
		[TOOL_ERROR] = EVENT_TOOL_ERROR,
	};
	struct job_task *t = ctx;
	struct note note = job_task_note(t);
	struct run_event ev;

	note_tool(&note, what, call_id, name, payload);
	tool_trace(t, what, call_id, name, payload);
	(what == TOOL_START ? busy_enter : busy_leave)(t->job, &t->job->tools);
	if (!job_tells(t->job, MODE_TOOLS | MODE_EVENTS))
		return;
	ev = job_event(t, EVENT_TOOL);
	ev.u.tool = (struct event_tool){ .what = kinds[what], .call_id = call_id,
	    .name = name, .payload = payload };
	ev.u.tool.call = uuid_v5(&t->shown.id, call_id);
	job_tell(t, &ev);
}

/* ---- a model's answer ------------------------------------------------------------------ */

struct answer {
	struct event_model shown;
	struct job_task *task;
	struct llm_hooks hooks;              /* of who asked */
	char *id;                            /* of its message; NULL: not named yet */
	char *model;                         /* its texts */
	char *answered;                      /* who did; NULL: not known yet */
	struct buf text;                     /* said so far: inside of a JSON string */
	struct model_trace trace;
	bool busy;                           /* it is asked now */
	bool begun;
	bool asked;                          /* MODEL_START was told */
};

static void
answered(struct answer *a)
{
	if (a->busy)
		busy_leave(a->task->job, &a->task->job->models);
	a->busy = false;
}

static void
answer_free(struct answer *a)
{
	model_trace_cut(a->task, &a->trace);
	answered(a);
	buf_release(&a->text);
	val_drop(a->shown.messages);
	free(a->id);
	free(a->model);
	free(a->answered);
	free(a);
}

struct val
job_partial(const struct job_task *t)
{
	const struct answer *a = t->answer;
	struct buf b = BUF(LIMIT_LLM_BODY_BYTES + KB);
	struct val message = VAL_UNDEF;

	if (a == NULL || a->text.n == 0 || a->id == NULL)
		return message;
	buf_lit(&b, "{\"content\":\"");
	buf_add(&b, buf_str(&a->text));
	buf_lit(&b, "\",\"additional_kwargs\":{},\"response_metadata\":"
	    "{\"finish_reason\":\"interrupted\"},\"tool_calls\":[],"
	    "\"invalid_tool_calls\":[],\"id\":\"");
	buf_add(&b, str_of(a->id));
	buf_lit(&b, "\",\"type\":\"ai\"}");
	if (!b.failed)
		message = val_json_trusted(buf_str(&b));
	buf_release(&b);
	return message;
}

static bool
on_wants_deltas(void *ctx)
{
	const struct job_task *t = ctx;

	return t->job->run->stream.full || classic_wants_deltas(&t->job->wire);
}

static void *
on_stream_begin(void *ctx, struct str model)
{
	struct job_task *t = ctx;
	struct job *j = t->job;
	struct answer *a = mem_new(struct answer);

	a->model = mem_cstr(model);
	llm_model_split(j->run->rs->llm, (struct str){ a->model, model.n },
	    &a->shown.provider, &a->shown.model);
	a->task = t;
	a->shown.stream = ++j->streams;
	a->text = BUF(LIMIT_LLM_BODY_BYTES);
	if (t->answer != NULL)
		answer_free(t->answer);      /* of a turn before, cut off */
	t->answer = NULL;
	if ((j->plan->modes & MODE_EVENTS) != 0)
		a->shown.call = uuid_v7();
	t->asks = a;
	return a;
}

/* Once, and before its deltas. */
static void
tell_asked(struct job_task *t, struct answer *a)
{
	struct run_event ev;

	if (a->asked)
		return;
	a->asked = true;
	t->asks = NULL;
	job_retract(t);
	ev = job_event(t, EVENT_MODEL_START);
	ev.u.model = a->shown;
	job_tell(t, &ev);
}

/* What the model is asked, for those who trace. */
static struct val
asked(const struct llm_request *q)
{
	struct val list = val_array_empty();

	for (size_t i = 0; i < q->messages_n; i++)
		list = val_push_take(list, val_json_trusted(q->messages[i]));
	return list;
}

bool
job_id_is_plain(struct str id)
{
	if (id.n == 0 || id.n > LIMIT_NAME_BYTES)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if ((unsigned char)id.p[i] < 0x20 || id.p[i] == '"' || id.p[i] == '\\')
			return false;
	return true;
}

/* Most messages are told apart by a search of their text. */
static bool
has_id(struct val message, struct str id)
{
	struct str text = val_json_text(message);

	if (text.n > 0 && memmem(text.p, text.n, id.p, id.n) == NULL)
		return false;
	return str_eq(message_id(message), id);
}

static bool
id_is_taken(const struct channels *state, struct str id)
{
	for (size_t i = 0; i < channels_count(state); i++) {
		struct val list = channels_get(state, i);

		if (channels_def(state, i)->reducer != REDUCE_MESSAGES)
			continue;
		for (size_t k = val_count(list); k > 0; k--)
			if (has_id(val_at(list, k - 1), id))
				return true;
	}
	return false;
}

/* A model with constant ids must not overwrite the thread's history. */
static struct str
on_message_id(void *ctx, void *stream, struct str own)
{
	struct job_task *t = ctx;
	struct answer *a = stream;
	struct str again;

	if (a->id != NULL)
		return str_of(a->id);
	again = job_id_again(t);
	if (again.n > 0 && !id_is_taken(core_task_state(t->core), again)) {
		a->id = mem_cstr(again);
		return str_of(a->id);
	}
	if (job_id_is_plain(own) && !id_is_taken(core_task_state(t->core), own)) {
		a->id = mem_cstr(own);
		return str_of(a->id);
	}
	a->id = message_new_id();
	return str_of(a->id);
}

static void
note_streamed(struct job_task *t, const char *id)
{
	t->streamed = mem_resize(t->streamed, (t->streamed_n + 1) *
	    sizeof *t->streamed);
	t->streamed[t->streamed_n++] = mem_cstr(str_of(id));
}

static void
on_stream_delta(void *ctx, void *stream, const struct llm_delta *d)
{
	struct job_task *t = ctx;
	struct answer *a = stream;
	struct run_event ev = job_event(t, EVENT_DELTA);

	tell_asked(t, a);
	if (!a->begun) {
		a->begun = true;
		(void)on_message_id(ctx, stream, d->id);
		note_streamed(t, a->id);
		job_note_told(t->job, &ev, str_of(a->id));
		a->shown.id = str_of(a->id);
	}
	if (d->kind == LLM_DELTA_TEXT && t->job->run->rs->sh->keep_partial)
		buf_add(&a->text, d->text_raw);
	ev.u.model = a->shown;
	ev.u.model.delta = d;
	job_tell(t, &ev);
}

static void
on_stream_end(void *ctx, void *stream, struct val message)
{
	struct job_task *t = ctx;
	struct answer *a = stream;
	struct run_event ev;

	if (t->core != NULL && message.kind != VAL_UNDEFINED) {
		struct note note = job_task_note(t);

		note_answer(&note, a->shown.stream, str_of(a->answered != NULL ?
		    a->answered : a->model), message);
	}
	if (t->core != NULL) {
		tell_asked(t, a);
		ev = job_event(t, EVENT_MODEL_END);
		ev.u.model = a->shown;
		ev.u.model.message = message;
		job_tell(t, &ev);
	}
	if (t->asks == a)
		t->asks = NULL;
	if (message.kind == VAL_UNDEFINED && t->answer == NULL)
		t->answer = a;               /* what it said may be kept */
	else
		answer_free(a);
}

static void
on_answer_delta(void *ctx, const struct llm_delta *d)
{
	struct answer *a = ctx;

	model_trace_first(&a->trace);
	a->hooks.delta(a->hooks.ctx, d);
}

/* The answer is freed on the way. */
static void
on_answer_done(void *ctx, int rc, const struct llm_answer *x, const char *error_event,
    const struct err *e)
{
	struct answer *a = ctx;
	struct llm_hooks hooks = a->hooks;
	struct note note;

	if (rc != OK && a->task->core != NULL) {
		note = job_task_note(a->task);
		note_no_answer(&note, a->shown.stream, error_event != NULL ?
		    str_of(error_event) : S("error.llm.backend"), str_of(e->text));
	}
	model_trace_end(a->task, &a->trace, rc, x, error_event, e);
	answered(a);
	if (rc == OK && a->task->job->transcript.on)
		a->answered = mem_cstr(x->model);
	hooks.done(hooks.ctx, rc, x, error_event, e);
}

static void
note_asked(struct job_task *t, const struct llm_request *q, const struct answer *a)
{
	struct note note = job_task_note(t);
	struct run_event ev = core_event(t->core, EVENT_MODEL_START);

	note_request(&note, q, a->shown.stream, core_task_state(t->core), &ev.checkpoint);
}

static struct llm_call *
on_llm(void *ctx, const struct llm_request *q, const struct llm_hooks *h, struct err *e)
{
	struct job_task *t = ctx;
	struct answer *a = t->asks;
	const struct llm_hooks hooks = { on_answer_delta, on_answer_done, a };
	struct llm_request own = *q;

	if (a == NULL)
		return model_trace_alone(t, q, h, e);
	a->hooks = *h;
	if (t->job->transcript.on)
		note_asked(t, q, a);
	if ((t->job->plan->modes & MODE_EVENTS) != 0)
		a->shown.messages = asked(q);
	tell_asked(t, a);
	model_trace_begin(t, &a->trace, &own);
	if (!a->busy)
		busy_enter(t->job, &t->job->models);
	a->busy = true;
	return llm_start(t->job->run->rs->llm, &own, &hooks, e);
}

static void
on_llm_stop(void *ctx, struct llm_call *c)
{
	model_trace_stop(ctx, c);
	llm_cancel(c);
}

void
job_answer_free(struct job_task *t)
{
	if (t->answer != NULL)
		answer_free(t->answer);
	t->answer = NULL;
}

/* ---- tools -------------------------------------------------------------------------------- */

/* A call keeps its run until it comes back, whatever became of the task. */
struct call {
	struct run *run;
	char *actor, *project, *once, *name, *args;
	tool_done *done;
	void *arg;
};

static void
call_done(void *ctx, const struct tool_result *r)
{
	struct call *c = ctx;
	struct run *run = c->run;

	c->done(c->arg, r);
	free(c->actor);
	free(c->project);
	free(c->once);
	free(c->name);
	free(c->args);
	free(c);
	run_returned(run);
}

static int
on_item(void *runs, struct store_cmd *c)
{
	return items_submit(runs, c);
}

static void
on_tools_call(void *ctx, struct str name, struct str args_json, struct str once,
    tool_done *done, void *arg)
{
	struct job_task *t = ctx;
	struct job *j = t->job;
	struct runs *rs = j->run->rs;
	struct call *c = mem_new(struct call);
	struct tool_env env = { .store = rs->sh->store, .reader = rs->reader,
	    .shard = rs->shard, .owner = j->run->place.owner,
	    .now = shard_wall(rs->shard), .submit = on_item, .submit_ctx = rs,
	    .refresh = rs->sh->items.refresh };

	c->run = run_hold(j->run);
	runs_busy(rs, 1);
	c->done = done;
	c->arg = arg;
	c->name = mem_cstr(name);
	c->args = mem_cstr(args_json);
	env.actor = str_of(c->actor = mem_cstr(str_of(j->actor)));
	env.project = str_of(c->project = mem_cstr(j->plan->work_project));
	env.once = str_of(c->once = mem_cstr(once));
	tools_call(rs->sh->tools, str_of(c->name), str_of(c->args), &env, call_done, c);
}

/* ---- time ----------------------------------------------------------------------------------------- */

struct timer {
	struct wheel_timer wheel;
	struct task_timer *t;
	struct job_task *task;
};

static void
on_fire(struct wheel_timer *w)
{
	struct timer *x = CONTAINER_OF(w, struct timer, wheel);
	struct task_timer *t = x->t;
	struct job *j = x->task->job;
	struct note note = job_task_note(x->task);

	note_timer(&note);
	t->host_data = NULL;
	free(x);
	t->fire(t);
	job_pump(j);
}

static void
on_timer_set(void *ctx, struct task_timer *t, int64_t ms)
{
	struct job_task *x = ctx;
	struct timer *timer = mem_new(struct timer);

	*timer = (struct timer){ .wheel.fire = on_fire, .t = t, .task = x };
	t->host_data = timer;
	shard_timer_set(x->job->run->rs->shard, &timer->wheel, (msec)ms);
	if (ms > LIMIT_RUN_SLEEP_MS)
		job_sleeps(x->job);
}

static void
on_timer_stop(void *ctx, struct task_timer *t)
{
	struct job_task *x = ctx;
	struct timer *timer = t->host_data;

	if (timer == NULL)
		return;
	shard_timer_cancel(x->job->run->rs->shard, &timer->wheel);
	t->host_data = NULL;
	free(timer);
}

static msec
on_now(void *ctx)
{
	const struct job_task *t = ctx;

	return shard_wall(t->job->run->rs->shard);
}

/* ---- children ---------------------------------------------------------------------------------------- */

static void
on_child(void *ctx, struct task_child *c)
{
	struct job_task *t = ctx;
	struct job *j = t->job;

	core_child(t->core, c);
	job_pump(j);
}

static void
on_child_stop(void *ctx, struct task_child *c)
{
	struct job_task *t = ctx;

	if (t->core != NULL)
		core_child_stop(t->core, c);
}

static const struct agent *
on_agent(void *ctx, struct str name)
{
	const struct job_task *t = ctx;

	return agents_find(t->job->definition.set, name);
}

/* ---- the journal ---------------------------------------------------------------------------------------- */

struct started {
	struct store_run_save c;
	struct changes changes;
	void (*then)(void *arg, int rc);
	void *arg;
	struct job *job;
	struct run *run;
};

static void
on_started(struct store_cmd *cmd)
{
	struct started *s = CONTAINER_OF(cmd, struct started, c.cmd);
	struct run *run = s->run;
	struct job *j = run->job;

	s->then(s->arg, cmd->rc);
	if (j != NULL)
		job_pump(j);
	changes_release(&s->changes);
	free(s);
	run_returned(run);
}

static void
on_record_start(void *ctx, struct str key, struct str name,
    void (*then)(void *arg, int rc), void *arg)
{
	struct job_task *t = ctx;
	struct job *j = t->job;
	struct started *s = mem_new(struct started);
	struct err e;
	int rc;

	changes_init(&s->changes);
	changes_record(&s->changes, &t->core->id, key, name, STR_NONE);
	if (changes_empty(&j->changes) && j->plan->durability != DURABILITY_EXIT)
		changes_transcript(&s->changes, &j->transcript);
	rc = changes_fill(&s->changes, &s->c.changes, &e);
	assert(rc == OK);
	s->then = then;
	s->arg = arg;
	s->run = j->run;
	s->c.cmd.op = STORE_RUN_SAVE;
	s->c.cmd.done = on_started;
	s->c.run_seq = j->run->seq;
	s->c.thread_seq = j->run->thread_seq;
	rc = run_submit(j->run, &s->c.cmd);
	assert(rc == OK);
}

/* Lazily: it is committed no later than the checkpoint that follows. */
static void
on_record_done(void *ctx, struct str key, struct str name, struct str result_json)
{
	struct job_task *t = ctx;

	changes_record(&t->job->changes, &t->core->id, key, name, result_json);
	if (t->job->plan->durability != DURABILITY_EXIT)
		record_changes(t->job->run, NULL);
}

#define HOST_COMMON                                                              \
	.done = on_done, .failed = on_failed, .waits = on_waits, .emit = on_emit, \
	.tool = on_tool_event, .wants_deltas = on_wants_deltas,                   \
	.stream_begin = on_stream_begin, .stream_delta = on_stream_delta,         \
	.message_id = on_message_id, .stream_end = on_stream_end, .llm = on_llm,  \
	.llm_stop = on_llm_stop, .tools_call = on_tools_call, .store = host_store,  \
	.store_stop = host_store_stop, .timer_set = on_timer_set,                   \
	.timer_stop = on_timer_stop, .now = on_now, .child = on_child,            \
	.may_spend = host_may_spend, .spent = host_spent, .billed = host_billed,  \
	.tokens_left = host_tokens_left,                                          \
	.child_stop = on_child_stop, .agent = on_agent, .work = host_work,      \
	.post = host_post,                                                        \
	.mail_send = host_mail_send,                                              \
	.peer = host_peer, .peer_forget = host_peer_forget,                       \
	.mcp_list = host_mcp_list, .mcp_call = host_mcp_call,                     \
	.mcp_stop = host_mcp_stop,                                                \
	.worker = host_worker, .worker_go = host_worker_go,                       \
	.worker_stop = host_worker_stop, .worker_there = host_worker_there,       \
	.worker_tool = host_worker_tool,                                          \
	.wasm = host_wasm, .wasm_answer = host_wasm_answer, .wasm_stop = host_wasm_stop, \
	.http = host_http, .http_stop = host_http_stop, .http_hosts = host_http_hosts

/* tools is set when the process begins (run.c): it belongs to it. */
const struct task_host job_host = { HOST_COMMON,
	.record_start = on_record_start, .record_done = on_record_done };
const struct task_host job_host_stateless = { HOST_COMMON };
