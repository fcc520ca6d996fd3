/*
 * worker_use.c - one piece of work of an external worker.
 *
 *            find             taken          call               done, failed
 *   (new) --------> OFFERED ---------> TAKEN ------> BEGUN ---------------------> (told)
 *                    ^  | ^              |             |
 *                    |  | '--- lost -----'             | lost, and may be done twice
 *                    |  | out of time                  |
 *                    |  '---> (told: undone)           |
 *                    '---------------------------------'
 *
 * A tool that nobody takes is given up after LIMIT_WORKER_TOOL_WAIT_MS; a node waits.  One
 * that was begun has the time that its worker has registered.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/task_priv.h"

struct worker_use {
	struct task_worker w;
	struct piece *p;
	const struct worker_use_hooks *hooks;
	void *ctx;
	char *name, *members;
	struct task_timer timer;
	enum { USE_IDLE, USE_OFFERED, USE_TAKEN, USE_BEGUN } state;
	bool timed;
	bool known;                          /* found was told */
	bool again;                          /* it may be done twice */
	msec timeout;                        /* of the worker that has it; 0: none */
	unsigned holds;                      /* it is on the stack */
	bool freed;
};

static void
let_go(struct worker_use *u)
{
	if (u->holds > 0 || !u->freed)
		return;
	free(u->name);
	free(u->members);
	free(u);
}

static void
timer_stop(struct worker_use *u)
{
	struct task *t = u->p->task;

	if (u->timed)
		t->host->timer_stop(t->ctx, &u->timer);
	u->timed = false;
}

static void
timer_begin(struct worker_use *u, msec ms)
{
	struct task *t = u->p->task;

	timer_stop(u);
	u->timed = true;
	t->host->timer_set(t->ctx, &u->timer, ms);
}

/* The world is left. */
static void
leave(struct worker_use *u)
{
	struct task *t = u->p->task;

	timer_stop(u);
	if (u->state != USE_IDLE)
		t->host->worker_stop(t->ctx, &u->w);
	u->state = USE_IDLE;
}

void
worker_use_free(struct worker_use *u)
{
	if (u == NULL)
		return;
	leave(u);
	u->freed = true;
	let_go(u);
}

bool
worker_use_waits(const struct worker_use *u)
{
	return u->state == USE_OFFERED;
}

bool
worker_use_is_there(const struct worker_use *u)
{
	const struct task *t = u->p->task;

	return t->host->worker_there(t->ctx, &u->w);
}

/* ---- its end ---------------------------------------------------------------------- */

static void
told(struct worker_use *u, enum worker_how how, struct val output,
    const struct task_worker_error *e)
{
	u->state = USE_IDLE;
	timer_stop(u);
	u->hooks->called(u->ctx, how, output, e);
}

/* It was begun, and nobody will say how it ended. */
static void
is_gone(struct worker_use *u, struct str why)
{
	struct buf b = BUF(KB);

	buf_add_fmt(&b, "the worker of \"%s\" was lost: %.*s", u->name, FMT(why));
	told(u, WORKER_GONE, VAL_UNDEF, &(struct task_worker_error){ S("WorkerLost"),
	    buf_str(&b), false });
	buf_release(&b);
}

static void
is_late(struct worker_use *u)
{
	struct buf b = BUF(KB);
	bool begun = u->state == USE_BEGUN;

	leave(u);
	if (begun)
		buf_add_fmt(&b, "the worker of \"%s\" did not answer within the %lld ms that it "
		    "has registered (timeout_s)", u->name, (long long)u->timeout);
	else
		buf_add_fmt(&b, "no worker took \"%s\" within %d ms; start one that registers "
		    "it, or give the ones there are more slots", u->name,
		    LIMIT_WORKER_TOOL_WAIT_MS);
	told(u, begun ? WORKER_GONE : WORKER_UNDONE, VAL_UNDEF, &(struct task_worker_error){
	    S("TimeoutError"), buf_str(&b), false });
	buf_release(&b);
}

static void
on_timer(struct task_timer *timer)
{
	struct worker_use *u = CONTAINER_OF(timer, struct worker_use, timer);
	struct task *t = u->p->task;

	u->timed = false;
	if (!task_enter(t))
		return;
	u->holds++;
	is_late(u);
	u->holds--;
	let_go(u);
	task_leave(t);
}

/* ---- on its way ------------------------------------------------------------------- */

static void
offer(struct worker_use *u)
{
	struct task *t = u->p->task;

	u->state = USE_OFFERED;
	if (u->w.tool)
		timer_begin(u, LIMIT_WORKER_TOOL_WAIT_MS);
	t->host->worker(t->ctx, &u->w);
}

static void
begin(struct worker_use *u)
{
	struct task *t = u->p->task;

	u->state = USE_BEGUN;
	if (u->timeout > 0)
		timer_begin(u, u->timeout);
	t->host->worker_go(t->ctx, &u->w);
}

static void
on_taken(struct task_worker *w, const struct task_worker_facts *facts)
{
	struct worker_use *u = CONTAINER_OF(w, struct worker_use, w);
	struct task *t = u->p->task;

	if (!task_enter(t))
		return;
	u->holds++;
	timer_stop(u);
	u->timeout = facts->timeout;
	u->state = USE_TAKEN;
	if (u->known)
		begin(u);                    /* again */
	else
		u->hooks->found(u->ctx, facts->idempotent);
	u->holds--;
	let_go(u);
	task_leave(t);
}

static bool
on_event(struct task_worker *w, struct str mode, struct val data)
{
	struct worker_use *u = CONTAINER_OF(w, struct worker_use, w);
	struct task *t = u->p->task;
	bool known;

	if (u->hooks->event == NULL || !task_enter(t))
		return u->hooks->event != NULL;
	u->holds++;
	known = u->hooks->event(u->ctx, mode, data);
	u->holds--;
	let_go(u);
	task_leave(t);
	return known;
}

/* Not begun: it is offered as if nobody had taken it. */
static void
lost(struct worker_use *u, struct str why)
{
	bool begun = u->state == USE_BEGUN;

	timer_stop(u);
	if (!begun || (u->again && u->w.attempt < LIMIT_WORKER_TRIES)) {
		u->w.attempt += begun;
		offer(u);
		return;
	}
	is_gone(u, why);
}

static void
on_done(struct task_worker *w, enum task_worker_end how, struct val output,
    const struct task_worker_error *e)
{
	struct worker_use *u = CONTAINER_OF(w, struct worker_use, w);
	struct task *t = u->p->task;

	if (!task_enter(t))
		return;
	u->holds++;
	if (how == TASK_WORKER_LOST)
		lost(u, e->message);
	else
		told(u, how == TASK_WORKER_DONE ? WORKER_OK : how == TASK_WORKER_FAILED ?
		    WORKER_SAYS_NO : WORKER_UNDONE, output, e);
	u->holds--;
	let_go(u);
	task_leave(t);
}

void
worker_use_find(struct worker_use *u)
{
	u->holds++;
	offer(u);
	u->holds--;
	let_go(u);
}

void
worker_use_call(struct worker_use *u, bool again)
{
	assert(u->state == USE_TAKEN || u->state == USE_OFFERED || u->state == USE_IDLE);
	u->known = true;
	u->again = again;
	if (u->state == USE_TAKEN)           /* else it was lost meanwhile: the next one */
		begin(u);
}

/* ---- its task --------------------------------------------------------------------- */

void
worker_use_add_key(struct buf *b, const struct piece *p, struct str part)
{
	struct buf key = BUF(KEY_BYTES);

	uuid_add(b, &p->task->id);
	piece_add_key(&key, p, part);
	if (key.n > 0)
		buf_add_char(b, '/');
	json_add_escaped(b, buf_str(&key));
	buf_release(&key);
}

static void
add_member(struct buf *b, const char *name, struct val v)
{
	if (v.kind == VAL_UNDEFINED)
		return;
	json_add_fmt(b, ",%s:", name);
	val_add_json(b, v);
}

struct worker_use *
worker_use_new(struct piece *p, bool tool, struct str name, struct str members,
    const struct worker_use_hooks *hooks, void *ctx)
{
	struct worker_use *u = mem_new(struct worker_use);
	const struct task *t = p->task;
	struct buf b = BUF(SIZE_MAX / 2);
	struct val user = val_get(val_get(t->config, S("configurable")),
	    S("langgraph_auth_user"));

	buf_add(&b, members);
	add_member(&b, "config", t->config);
	add_member(&b, "context", t->context);
	if (user.kind == VAL_OBJECT)
		add_member(&b, "auth_user", user);
	u->p = p;
	u->hooks = hooks;
	u->ctx = ctx;
	u->name = mem_cstr(name);
	u->members = mem_cstr(buf_str(&b));
	u->timer.fire = on_timer;
	u->w = (struct task_worker){ .tool = tool, .name = str_of(u->name),
	    .members = { u->members, b.n }, .attempt = 1, .taken = on_taken,
	    .event = on_event, .done = on_done };
	buf_release(&b);
	return u;
}
