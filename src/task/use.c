/*
 * use.c - a tool call as the file wants it (`tools` of an agent): with a time that it
 * may take, called again when it fails, or done by another agent; and the built-in
 * tools that need a task: http_get and run_agent.
 *
 *           use_start         failed, and may be called again
 *   IDLE ------------> CALLED ---------------> PAUSES
 *                       |   ^------------------'
 *                       | ends, is too late, waits for a person
 *                       v
 *                     ENDED
 *
 * A failed call that is made again is in the journal, KEY/retry/N, so that a crash
 * gives it no more retries.  A call that takes too long is left: nobody knows whether
 * it takes effect, and what it answers is heard by nobody.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/json.h"
#include "task/use_priv.h"

#define FIRST_PAUSE_MS  500
#define LONGEST_PAUSE_MS 30000

bool
use_is_wanted(const struct piece *p, struct str name)
{
	const struct agent_tool *own = offer_declared(p, name);
	const struct agent_policy *policy = agent_policy_of(p->task->agent, name);

	if (own != NULL && !own->worker)
		return own->call != NULL;
	return (policy != NULL && (policy->timeout_ms > 0 || policy->retries > 0 ||
	    policy->idempotent != AGENT_UNSAID)) || (own == NULL &&
	    (str_eq(name, S("http_get")) || str_eq(name, S("run_agent"))));
}

bool
use_may_wait(const struct piece *p, struct str name)
{
	const struct agent_tool *own = offer_declared(p, name);

	return own != NULL ? own->call != NULL : str_eq(name, S("run_agent"));
}

bool
use_may_repeat(const struct task_use *u)
{
	return u->form == USE_HTTP ||
	    (u->policy != NULL && u->policy->idempotent == AGENT_YES);
}

/* ---- its end --------------------------------------------------------------------- */

static void
timer_stop(struct task_use *u)
{
	if (u->timed)
		u->task->host->timer_stop(u->task->ctx, &u->timer);
	u->timed = false;
}

static void
use_free(struct task_use *u)
{
	val_drop(u->input);
	free(u->child_key);
	free(u->url);
	free(u->id);
	free(u->name);
	free(u->args);
	free(u);
}

/* What is under way is left. */
static void
leave(struct task_use *u)
{
	struct task *t = u->task;

	timer_stop(u);
	if (u->call != NULL)
		call_forget(u->call);
	if (u->child_open)
		t->host->child_stop(t->ctx, &u->child);
	if (u->http_open)
		t->host->http_stop(t->ctx, &u->http);
	u->call = NULL;
	u->child_open = u->http_open = false;
}

void
use_stop(struct task_use *u)
{
	leave(u);
	u->ended = true;
	if (!u->inside)
		use_free(u);
}

bool
use_is_open(const struct task_use *u)
{
	return u != NULL && u->call != NULL && call_is_open(u->call);
}

static void
use_ends(struct task_use *u, const struct call_end *end)
{
	leave(u);
	u->ended = true;
	u->done(u->p, u->arg, end);
	if (!u->inside)
		use_free(u);
}

/* ---- again ------------------------------------------------------------------------ */

static struct str
retry_part(const struct task_use *u, unsigned n, struct buf *b)
{
	buf_add_fmt(b, "%s/retry/%u", u->id, n);
	return buf_str(b);
}

/* How often an earlier attempt has called it. */
static unsigned
retries_known(const struct task_use *u)
{
	unsigned n = 0;
	bool more = true;

	while (more && n < LIMIT_TOOL_RETRIES) {
		struct buf b = BUF(KEY_BYTES);

		more = record_find(u->p, retry_part(u, n + 1, &b)) != NULL;
		n += more;
		buf_release(&b);
	}
	return n;
}

static void use_try(struct task_use *u);
static void on_timer(struct task_timer *timer);

static void
timer_begin(struct task_use *u, int64_t ms)
{
	u->timer = (struct task_timer){ .fire = on_timer };
	u->timed = true;
	u->task->host->timer_set(u->task->ctx, &u->timer, ms);
}

static bool
may_retry(const struct task_use *u, const struct call_end *end)
{
	return u->policy != NULL && u->tried < u->policy->retries && !end->ok && !end->waits &&
	    !end->refused && (end->undone || end->again);
}

static void
use_pause(struct task_use *u, const struct call_end *end)
{
	struct task *t = u->task;
	struct buf part = BUF(KEY_BYTES), json = BUF(LIMIT_TOOL_RESULT_BYTES);
	int64_t ms = FIRST_PAUSE_MS;
	struct val why;

	leave(u);
	for (unsigned i = 0; i < u->tried && ms < LONGEST_PAUSE_MS; i++)
		ms *= 2;
	ms = ms < LONGEST_PAUSE_MS ? ms : LONGEST_PAUSE_MS;
	u->tried++;
	json_add_fmt(&json, "{'error':%.*s}", FMT(str_cut(end->content, 1000)));
	record_part(u->p, retry_part(u, u->tried, &part), str_of(u->name), buf_str(&json));
	if (end->ran && t->host->tool != NULL) {
		why = val_string(end->content);
		t->host->tool(t->ctx, TOOL_ERROR, str_of(u->id), str_of(u->name), why);
		val_drop(why);
	}
	buf_release(&part);
	buf_release(&json);
	if (u->ended)
		return;
	u->pauses = true;
	timer_begin(u, ms);
}

void
use_heard(struct task_use *u, const struct call_end *end)
{
	if (may_retry(u, end))
		use_pause(u, end);
	else
		use_ends(u, end);
}

/* ---- time ------------------------------------------------------------------------- */

static void
use_is_late(struct task_use *u)
{
	bool again = u->form == USE_TOOL ? call_may_repeat(u->call) : use_may_repeat(u);
	struct buf b = BUF(KB);
	struct call_end end = { .ran = true, .journal = true, .again = again,
	    .unknown = !again };

	buf_add_fmt(&b, "Error: the tool \"%s\" did not answer within %lld ms%s.", u->name,
	    (long long)u->policy->timeout_ms, again ? "" : "; unknown_outcome: the call may or "
	    "may not have taken effect, and was not repeated");
	end.content = buf_str(&b);
	use_heard(u, &end);
	buf_release(&b);
}

static void
on_timer(struct task_timer *timer)
{
	struct task_use *u = CONTAINER_OF(timer, struct task_use, timer);
	struct task *t = u->task;

	u->timed = false;
	if (u->ended || !task_enter(t))
		return;
	if (u->pauses)
		use_try(u);
	else
		use_is_late(u);
	task_leave(t);
}

/* ---- a call ------------------------------------------------------------------------- */

static void
on_call(struct piece *p, void *arg, const struct call_end *end)
{
	struct task_use *u = arg;

	(void)p;
	u->call = NULL;
	use_heard(u, end);
}

/* Wrong arguments are as wrong the second time. */
static bool
args_fit(struct task_use *u)
{
	const struct tools *all = u->task->host->tools;
	const struct tool *tool = all != NULL && offer_declared(u->p, str_of(u->name)) == NULL ?
	    tools_find(all, str_of(u->name)) : NULL;
	struct json_doc doc = { 0 };
	struct err e = { 0 };
	int rc = OK;

	if (tool != NULL)
		rc = tools_read_args(all, tool, str_of(u->args), &doc, &e);
	json_release(&doc);
	if (rc != OK)
		use_ends(u, &(struct call_end){ .content = str_of(e.text), .refused = true });
	return rc == OK;
}

static void
try_tool(struct task_use *u)
{
	struct call_want want = { .id = str_of(u->id), .name = str_of(u->name),
	    .args_json = str_of(u->args), .done = on_call, .arg = u,
	    .idempotent = u->policy->idempotent };

	if (u->policy->retries == 0 || args_fit(u))
		u->call = call_start(u->p, &want);
}

void
use_tell_start(struct task_use *u)
{
	struct task *t = u->task;
	struct val args = val_json_trusted(str_of(u->args));

	if (t->host->tool != NULL)
		t->host->tool(t->ctx, TOOL_START, str_of(u->id), str_of(u->name), args);
	val_drop(args);
}

/* Another call is one more; false: the budgets do not have it. */
static bool
may_pay(struct task_use *u)
{
	struct task_refusal why;

	if (u->tried == 0 || !u->task->counts || spend_allowed(u->p,
	    &(struct task_cost){ .tool_calls = 1 }, &why))
		return true;
	use_ends(u, &(struct call_end){ .ran = true, .journal = true, .content =
	    S("Error: the call has failed, and no budget is left to make it again.") });
	return false;
}

/* May end at once. */
static void
use_try(struct task_use *u)
{
	bool inside = u->inside;

	u->inside = true;
	u->pauses = false;
	if (!may_pay(u))
		goto out;
	if (u->policy != NULL && u->policy->timeout_ms > 0)
		timer_begin(u, u->policy->timeout_ms);
	if (u->form == USE_TOOL)
		try_tool(u);
	else if (args_fit(u) && call_is_paid(u->p, str_of(u->id))) {
		use_tell_start(u);
		if (u->ended)
			;                    /* a listener has stopped it */
		else if (u->form == USE_HTTP)
			use_page(u);
		else
			use_agent(u);
	}
out:
	u->inside = inside;
	if (u->p->state == PIECE_FAILED && !u->ended) {      /* a budget is used up */
		leave(u);
		u->ended = true;
	}
	if (u->ended && !inside)
		use_free(u);
}

static enum use_form
form_of(const struct piece *p, struct str name)
{
	if (use_may_wait(p, name))
		return USE_AGENT;
	return offer_declared(p, name) == NULL && str_eq(name, S("http_get")) ? USE_HTTP :
	    USE_TOOL;
}

struct task_use *
use_start(struct piece *p, const struct call_want *w)
{
	struct task_use *u = mem_new(struct task_use);

	u->p = p;
	u->task = p->task;
	u->done = w->done;
	u->arg = w->arg;
	u->id = mem_cstr(w->id);
	u->name = mem_cstr(w->name);
	u->args = call_bound_args(p, w->name, w->args_json);
	u->policy = agent_policy_of(p->task->agent, w->name);
	u->form = form_of(p, w->name);
	u->tried = u->policy != NULL && u->policy->retries > 0 ? retries_known(u) : 0;
	u->inside = true;
	use_try(u);
	u->inside = false;
	if (!u->ended)
		return u;
	use_free(u);
	return NULL;
}
