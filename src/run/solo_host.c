/*
 * solo_host.c - what a task may reach in a run by itself: the clock, a model, the
 * tools that need no server, a store in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/shard.h"
#include "run/solo_priv.h"
#include "state/message.h"

/* ---- the end of an attempt --------------------------------------------------------- */

static struct core_task *
leave(struct solo_task *t)
{
	struct core_task *core = t->core;

	core->host = NULL;
	solo_task_close(t);
	return core;
}

static void
on_done(void *ctx, struct val result)
{
	struct solo_task *t = ctx;
	size_t n;
	const struct task_write *w = task_writes(t->task, &n);
	struct note note = solo_task_note(t);

	if (t->core->serial == 0)
		note_node(&note, TRANSCRIPT_EXITED);
	core_task_done(leave(t), w, n, result);
}

static void
on_failed(void *ctx, const struct task_error *e)
{
	struct note note = solo_task_note(ctx);

	note_error(&note, e->event, e->name, e->message);
	core_task_failed(leave(ctx), e);
}

static void
on_waits(void *ctx)
{
	struct solo_task *t = ctx;
	const struct task_interrupt *i;
	const struct task_record *r;
	size_t n;

	r = task_records(t->task, &n);
	keep_records(&t->solo->keep, t->core, r, n);
	i = task_interrupts(t->task, &n);
	core_task_waits(leave(t), i, n);
}

/* ---- events of a task ------------------------------------------------------------------ */

static void
on_emit(void *ctx, struct str name, struct val data)
{
	struct run_event ev = solo_event(ctx, EVENT_CUSTOM);

	ev.u.custom.name = name;
	ev.u.custom.data = data;
	solo_tell(ctx, &ev);
}

static void
on_tool_event(void *ctx, enum task_tool_event what, struct str call_id,
    struct str name, struct val payload)
{
	static const enum event_tool_what kinds[] = {
		[TOOL_START] = EVENT_TOOL_START, [TOOL_END] = EVENT_TOOL_END,
		[TOOL_ERROR] = EVENT_TOOL_ERROR,
	};
	struct solo_task *t = ctx;
	struct run_event ev = solo_event(ctx, EVENT_TOOL);
	struct note note = solo_task_note(t);

	note_tool(&note, what, call_id, name, payload);
	free(t->call_id);
	t->call_id = mem_cstr(call_id);
	ev.u.tool = (struct event_tool){ .what = kinds[what], .call_id = call_id,
	    .name = name, .payload = payload };
	solo_tell(ctx, &ev);
}

/* ---- a model's answer ------------------------------------------------------------------- */

struct answer { struct event_model shown; char *id; };

static bool
on_wants_deltas(void *ctx)
{
	return ((struct solo_task *)ctx)->solo->o->told != NULL;
}

static void *
on_stream_begin(void *ctx, struct str model)
{
	struct solo_task *t = ctx;
	struct answer *a = mem_new(struct answer);
	struct run_event ev = solo_event(t, EVENT_MODEL_START);

	t->solo->asked++;
	a->shown.stream = ++t->solo->streams;
	ev.u.model = a->shown;
	ev.u.model.model = model;
	solo_tell(t, &ev);
	return a;
}

static struct str
on_message_id(void *ctx, void *stream, struct str own)
{
	struct answer *a = stream;

	(void)ctx;
	if (a->id == NULL && own.n > 0)
		a->id = mem_cstr(own);
	if (a->id == NULL)
		a->id = message_new_id();
	return str_of(a->id);
}

static void
on_stream_delta(void *ctx, void *stream, const struct llm_delta *d)
{
	struct answer *a = stream;
	struct run_event ev = solo_event(ctx, EVENT_DELTA);

	a->shown.id = on_message_id(ctx, stream, d->id);
	ev.u.model = a->shown;
	ev.u.model.delta = d;
	solo_tell(ctx, &ev);
}

static void
on_stream_end(void *ctx, void *stream, struct val message)
{
	struct solo_task *t = ctx;
	struct answer *a = stream;
	struct run_event ev;

	t->solo->asked--;
	if (t->core != NULL) {
		ev = solo_event(t, EVENT_MODEL_END);
		ev.u.model = a->shown;
		ev.u.model.message = message;
		solo_tell(t, &ev);
	}
	free(a->id);
	free(a);
}

/* ---- a model --------------------------------------------------------------------------------- */

static struct llm_call *
on_llm(void *ctx, const struct llm_request *q, const struct llm_hooks *h, struct err *e)
{
	struct solo_task *t = ctx;
	struct solo *s = t->solo;
	struct solo_call **at = &s->calls, *c;

	if (s->o->reply == NULL && s->o->llm != NULL)
		return llm_start(s->o->llm, q, h, e);
	if (s->o->reply == NULL) {
		err_set(e, ERR_INVALID, "there is no model here; name one by --model, or "
		    "write `reply` in the file");
		return NULL;
	}
	c = mem_new(struct solo_call);
	c->hooks = *h;
	c->reply = s->o->reply(s->o->ctx, q);
	while (*at != NULL)
		at = &(*at)->next;
	*at = c;
	return (struct llm_call *)(void *)c;
}

static void
on_llm_stop(void *ctx, struct llm_call *call)
{
	struct solo *s = ((struct solo_task *)ctx)->solo;
	struct solo_call *c = (struct solo_call *)(void *)call, **at = &s->calls;

	if (s->o->reply == NULL) {
		llm_cancel(call);
		return;
	}
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	solo_call_free(c);
}

/* ---- tools and the store ------------------------------------------------------------------------ */

/* The store's tools write to a database. */
static void
on_tools_call(void *ctx, struct str name, struct str args_json, struct str once,
    tool_done *done, void *arg)
{
	struct solo_task *t = ctx;
	struct tool_env env = { .shard = t->solo->o->shard, .now = solo_now(t->solo),
	    .actor = S("agent/solo"), .once = once };
	struct tool_result refused = { .content = S("this tool needs a server; it is not "
	    "available in a run by itself") };

	if (str_starts(name, S("store_")) || str_eq(name, S("knowledge_search")))
		done(arg, &refused);
	else
		tools_call(t->solo->o->tools, name, args_json, &env, done, arg);
}

static void
on_store(void *ctx, struct task_store *x)
{
	struct solo *s = ((struct solo_task *)ctx)->solo;

	keep_store(&s->keep, x, solo_now(s));
}

static void
on_store_stop(void *ctx, struct task_store *x)
{
	(void)ctx;
	(void)x;
}

/* ---- budgets -------------------------------------------------------------------------------------- */

static bool
on_may_spend(void *ctx, const struct task_cost *about, struct task_refusal *why)
{
	struct solo_task *t = ctx;

	return t->core == NULL || core_may_spend(t->core, about, why);
}

static void
on_spent(void *ctx, const struct task_cost *c)
{
	struct solo_task *t = ctx;

	if (t->core != NULL)
		core_spent(t->core, c);
}

static void
on_billed(void *ctx, const struct llm_usage *u, struct str model)
{
	const struct solo_options *o = ((struct solo_task *)ctx)->solo->o;

	(void)model;
	if (o->billed != NULL)
		o->billed(o->ctx, u);
}

static int64_t
on_tokens_left(void *ctx)
{
	struct solo_task *t = ctx;

	return t->core != NULL ? core_tokens_left(t->core) : INT64_MAX;
}

/* ---- time ------------------------------------------------------------------------------------------ */

static void
on_fire(struct wheel_timer *w)
{
	struct solo_timer *x = CONTAINER_OF(w, struct solo_timer, wheel);
	struct task_timer *t = x->t;

	t->host_data = NULL;
	free(x);
	t->fire(t);
}

static void
on_timer_set(void *ctx, struct task_timer *t, int64_t ms)
{
	struct solo *s = ((struct solo_task *)ctx)->solo;
	struct solo_timer *x = mem_new(struct solo_timer), **at = &s->timers;

	x->solo = s;
	x->t = t;
	x->wheel.fire = on_fire;
	t->host_data = x;
	if (!s->o->instant) {
		shard_timer_set(s->o->shard, &x->wheel, ms);
		return;
	}
	x->due = s->now + ms;
	while (*at != NULL && (*at)->due <= x->due)
		at = &(*at)->next;
	x->next = *at;
	*at = x;
}

static void
on_timer_stop(void *ctx, struct task_timer *t)
{
	struct solo *s = ((struct solo_task *)ctx)->solo;
	struct solo_timer *x = t->host_data, **at = &s->timers;

	if (x == NULL)
		return;
	if (!s->o->instant) {
		shard_timer_cancel(s->o->shard, &x->wheel);
	} else {
		while (*at != x)
			at = &(*at)->next;
		*at = x->next;
	}
	t->host_data = NULL;
	free(x);
}

static msec
on_now(void *ctx)
{
	return solo_now(((struct solo_task *)ctx)->solo);
}

/* ---- children ----------------------------------------------------------------------------------------- */

static void
on_child(void *ctx, struct task_child *c)
{
	core_child(((struct solo_task *)ctx)->core, c);
}

static void
on_child_stop(void *ctx, struct task_child *c)
{
	struct solo_task *t = ctx;

	if (t->core != NULL)
		core_child_stop(t->core, c);
}

static const struct agent *
on_agent(void *ctx, struct str name)
{
	return agents_find(((struct solo_task *)ctx)->solo->o->agents, name);
}

static void
on_post(void *ctx, struct str key, struct str json, const struct task_event *ev, size_t n,
    bool again)
{
	struct solo_task *t = ctx;
	size_t writes;
	const struct task_write *w = task_writes(t->task, &writes);

	(void)key;
	(void)json;
	core_task_post(t->core, w, writes, ev, n, again);
}

const struct task_host solo_host = {
	.done = on_done, .failed = on_failed, .waits = on_waits, .emit = on_emit,
	.tool = on_tool_event, .wants_deltas = on_wants_deltas,
	.stream_begin = on_stream_begin, .stream_delta = on_stream_delta,
	.message_id = on_message_id, .stream_end = on_stream_end, .llm = on_llm,
	.llm_stop = on_llm_stop, .tools_call = on_tools_call, .store = on_store,
	.store_stop = on_store_stop, .timer_set = on_timer_set,
	.timer_stop = on_timer_stop, .now = on_now, .child = on_child,
	.may_spend = on_may_spend, .spent = on_spent,
	.billed = on_billed,
	.tokens_left = on_tokens_left,
	.child_stop = on_child_stop, .agent = on_agent, .post = on_post,
	.mail_send = solo_mail_send,
	.peer = solo_peer, .peer_forget = solo_peer_forget,
	.mcp_list = solo_mcp_list, .mcp_call = solo_mcp_call, .mcp_stop = solo_mcp_stop,
};
