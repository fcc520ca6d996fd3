/*
 * host_wasm.c - guests in a sandbox, for tasks: a message is given to a new instance of the
 * module's current release, in a host process of the shard (wasm/pool.h).
 *
 * While the release is being built, as after a start, it waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/job_priv.h"
#include "wasm/deploy/deploy.h"
#include "wasm/guest.h"

#define LOOK_MS 20                           /* between looks for a release that is built */

struct visit {
	struct task_wasm *w;
	struct job_task *task;
	struct run *run;
	struct wasm_release *release;        /* held; NULL: none yet */
	struct wasm_instance *instance;
	struct wheel_timer look;
	msec due;                            /* it is given up then */
	nsec began;
};

static void
visit_free(struct visit *x)
{
	struct runs *rs = x->run->rs;

	shard_timer_cancel(rs->shard, &x->look);
	wasm_instance_free(x->instance);
	if (x->release != NULL)
		wasm_release_drop(x->release);
	x->w->host_data = NULL;
	run_drop(x->run);
	free(x);
}

/* ---- its end ---------------------------------------------------------------------- */

static void
note_visit(const struct visit *x, enum task_wasm_end how, struct str words)
{
	struct note note = job_task_note(x->task);

	note_result(&note, &(struct note_result){ .of = S("wasm"), .what = x->w->module,
	    .rc = how == TASK_WASM_DONE ? OK : ERR_CLOSED, .value = VAL_NIL, .words = words });
}

/* The task may begin another one from inside. */
static void
visit_ends(struct visit *x, enum task_wasm_end how, int32_t code, struct str words)
{
	struct runs *rs = x->run->rs;
	struct task_wasm *w = x->w;
	struct run *run = run_hold(x->run);

	if (x->release != NULL && how != TASK_WASM_REFUSED)
		wasm_desk_report(rs->wasm, x->release, how == TASK_WASM_DONE && code == 0,
		    shard_now(rs->shard) - x->began);
	note_visit(x, how, words);
	visit_free(x);
	w->done(w, how, code, words);
	job_pump_drop(run);
}

/* ---- what it says --------------------------------------------------------------------- */

/* The message is given to the instance, which has started. */
static void
give(struct visit *x)
{
	int rc = wasm_instance_call(x->instance, x->w->message);

	if (rc == ERR_BUSY)
		shard_timer_set(x->run->rs->shard, &x->look, LOOK_MS);
	else if (rc == ERR_TOOBIG)
		visit_ends(x, TASK_WASM_REFUSED, 0, S("the input is larger than the module's "
		    "limit `message`"));
	else if (rc != OK)
		visit_ends(x, TASK_WASM_LOST, 0, S("its host process ended"));
}

static void
on_started(void *arg, int rc, const struct err *e)
{
	struct visit *x = arg;

	if (rc == OK)
		give(x);
	else
		visit_ends(x, rc == ERR_CLOSED ? TASK_WASM_LOST : TASK_WASM_REFUSED, 0,
		    str_of(e->text));
}

static void
on_log(void *arg, int level, struct str text)
{
	struct visit *x = arg;

	wasm_log(level, x->w->module, text);
}

static void
on_send(void *arg, struct str json)
{
	struct visit *x = arg;

	x->w->send(x->w, json);
}

static void
on_reply(void *arg, struct str json)
{
	struct visit *x = arg;

	x->w->reply(x->w, json);
}

static void
on_ask(void *arg, const struct wasm_ask *q)
{
	struct visit *x = arg;
	struct run *run = run_hold(x->run);

	if (q->what == WASM_TOOL_CALL && !wasm_policy_has_tool(&x->release->policy, q->name))
		wasm_instance_answer(x->instance, WASM_EDENIED, S("the tool is not among those "
		    "that the module may call"));
	else
		x->w->ask(x->w, q->what, q->name, q->body);
	job_pump_drop(run);
}

static void
on_done(void *arg, int32_t result, const struct wasm_cost *cost)
{
	(void)cost;
	visit_ends(arg, TASK_WASM_DONE, result, STR_NONE);
}

static void
on_trapped(void *arg, enum wasm_trap why, struct str text, const struct wasm_cost *cost)
{
	(void)cost;
	visit_ends(arg, why == WASM_TRAP_OTHER ? TASK_WASM_LOST : TASK_WASM_TRAP, (int32_t)why,
	    text);
}

static const struct wasm_hooks hooks = {
	.started = on_started, .log = on_log, .send = on_send, .reply = on_reply, .ask = on_ask,
	.done = on_done, .trapped = on_trapped,
};

/* ---- how it begins ---------------------------------------------------------------------- */

static int
find(struct visit *x, struct err *e)
{
	struct runs *rs = x->run->rs;
	struct wasm_release *to;
	int rc = rs->wasm == NULL ? err_set(e, ERR_NOTFOUND, "there is no sandbox here (setting "
	    "wasm.enabled)") : wasm_desk_find(rs->wasm, x->run->place.owner, x->w->module,
	    &x->release, e);

	if (rc == OK && wasm_desk_split(rs->wasm, x->release, &to)) {
		wasm_release_drop(x->release);
		x->release = to;
	}
	return rc;
}

static int
make(struct visit *x, struct err *e)
{
	const struct wasm_policy *p = &x->release->policy;
	struct wasm_code *code = wasm_release_code(x->release);
	const struct wasm_instance_options o = { .owner = x->run->place.owner, .code = code,
		.limits = p->limits, .allow = p->allow };
	int rc = wasm_instance_new(&x->instance, wasm_desk_pool(x->run->rs->wasm), &o, &hooks, x,
	    e);

	wasm_code_drop(code);
	return rc;
}

/* Is over when it gives false: nothing is called yet. */
static bool
begin(struct visit *x, struct err *e)
{
	struct shard *s = x->run->rs->shard;
	int rc = find(x, e);

	if (rc == ERR_BUSY && shard_wall(s) < x->due) {
		shard_timer_set(s, &x->look, LOOK_MS);
		return true;
	}
	if (rc == OK)
		rc = make(x, e);
	return rc == OK;
}

static void
on_look(struct wheel_timer *t)
{
	struct visit *x = CONTAINER_OF(t, struct visit, look);
	struct err e = { 0 };

	if (x->instance != NULL)
		give(x);
	else if (!begin(x, &e))
		visit_ends(x, TASK_WASM_REFUSED, 0, str_of(e.text));
}

void
host_wasm(void *ctx, struct task_wasm *w)
{
	struct job_task *t = ctx;
	struct run *run = t->job->run;
	struct visit *x = mem_new(struct visit);

	*x = (struct visit){ .w = w, .task = t, .run = run_hold(run), .look.fire = on_look,
		.due = shard_wall(run->rs->shard) + LIMIT_WASM_BUILD_MS, .began = shard_now(run->rs->shard) };
	w->host_data = x;
	/* `done` is called in a later turn, never from inside. */
	shard_timer_set(run->rs->shard, &x->look, 0);
}

void
host_wasm_answer(void *ctx, struct task_wasm *w, int32_t rc, struct str body)
{
	struct visit *x = w->host_data;

	(void)ctx;
	wasm_instance_answer(x->instance, rc, body);
}

void
host_wasm_stop(void *ctx, struct task_wasm *w)
{
	struct visit *x = w->host_data;

	(void)ctx;
	if (x != NULL)
		visit_free(x);
}
