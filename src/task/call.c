/*
 * call.c - one tool call: journalled where it must not happen twice, and run.
 *
 * What cannot be run twice is recorded as started, committed, before it runs.
 * After a crash a call that was started and has no result is an unknown outcome,
 * never repeated.
 *
 * A call outlives its piece when the task is stopped while a tool works.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/mcp_priv.h"

struct task_call {
	struct piece *p;                     /* NULL: nobody waits any more */
	void (*done)(struct piece *p, void *arg, const struct call_end *end);
	void *arg;
	char *id, *name, *args, *once, *key;
	struct mcp_use *mcp;                 /* of an MCP server's tool; or NULL */
	struct worker_use *worker;           /* of an external worker's; or NULL */
	bool away;                           /* somebody else than the host makes it */
	bool again;                          /* it may be made twice */
	enum agent_said idempotent;          /* as the file says */
	bool tracker, journal, starting, ended;
	bool held;                           /* it is needed, though nobody waits */
};

static void
call_free(struct task_call *c)
{
	mcp_use_free(c->mcp);
	worker_use_free(c->worker);
	free(c->id);
	free(c->name);
	free(c->args);
	free(c->once);
	free(c->key);
	free(c);
}

/* The start of a call comes back from the journal even so; an MCP server or a worker does
 * not. */
void
call_forget(struct task_call *c)
{
	bool asked = c->away && !c->held;

	worker_use_free(c->worker);
	c->worker = NULL;
	c->p = NULL;
	if (asked)
		call_free(c);
}

bool
call_is_open(const struct task_call *c)
{
	return c != NULL && c->journal && !c->again && !c->ended;
}

bool
call_may_repeat(const struct task_call *c)
{
	return c == NULL || c->again;
}

/* ---- its end ------------------------------------------------------------------------ */

static void
call_ends(struct task_call *c, struct call_end *end)
{
	struct piece *p = c->p;

	c->ended = true;
	if (p != NULL && p->state == PIECE_RUNS && task_enter(p->task)) {
		struct task *t = p->task;

		end->journal = c->journal;
		end->again = c->again;
		c->done(p, c->arg, end);
		task_leave(t);
	}
	if (!c->starting)
		call_free(c);
}

static void
on_tool(void *ctx, const struct tool_result *r)
{
	call_ends(ctx, &(struct call_end){ .ok = r->ok, .ran = true,
	    .content = r->content });
}

/* That it begins.  False: a listener has stopped it, and it has ended. */
static bool
call_told(struct task_call *c)
{
	struct task *t = c->p->task;
	struct val args = val_json_trusted(str_of(c->args));

	c->held = true;
	if (t->host->tool != NULL)
		t->host->tool(t->ctx, TOOL_START, str_of(c->id), str_of(c->name), args);
	c->held = false;
	val_drop(args);
	if (!c->away || (c->p != NULL && !t->over))
		return true;
	call_ends(c, &(struct call_end){ .ok = false });
	return false;
}

static void
call_run(struct task_call *c)
{
	struct task *t = c->p->task;

	if (!call_told(c))
		return;
	if (c->mcp != NULL)
		mcp_use_call(c->mcp);
	else if (c->worker != NULL)
		worker_use_call(c->worker, c->again);
	else
		t->host->tools_call(t->ctx, str_of(c->name), str_of(c->args),
		    str_of(c->once), on_tool, c);
}

static void
on_started(void *arg, int rc)
{
	struct task_call *c = arg;

	c->held = false;
	if (c->p == NULL || c->p->task->over) {
		call_ends(c, &(struct call_end){ .ok = false });
	} else if (rc != OK) {
		c->journal = false;
		call_ends(c, &(struct call_end){ .undone = true, .content =
		    S("The call was not made: it could not be recorded.") });
	} else {
		call_run(c);
	}
}

/* ---- its start ------------------------------------------------------------------------ */

char *
call_bound_args(const struct piece *p, struct str name, struct str args_json)
{
	const struct agent_policy *policy = agent_policy_of(p->task->agent, name);
	struct buf b = BUF(LIMIT_LLM_BODY_BYTES);
	struct val args, bound;
	char *out;

	if (policy == NULL || policy->args.kind == VAL_UNDEFINED ||
	    val_json(&args, str_trim(args_json).n == 0 ? S("{}") : args_json, NULL) != OK)
		return mem_cstr(args_json);
	bound = policy->args;
	for (size_t i = 0; args.kind == VAL_OBJECT && i < val_count(bound); i++)
		args = val_set_take(args, val_key(bound, i), val_copy(val_member(bound, i)));
	val_add_json(&b, args);
	out = mem_cstr(b.failed ? args_json : buf_str(&b));
	val_drop(args);
	buf_release(&b);
	return out;
}

/* A tool of the file: its answer is an expression of the arguments. */
static void
call_declared(struct task_call *c, const struct agent_tool *tool)
{
	struct task *t = c->p->task;
	struct val args = val_json_trusted(str_of(c->args)), reply;
	struct buf content = BUF(LIMIT_TOOL_RESULT_BYTES);
	struct err e = { 0 };
	bool ok;

	if (t->host->tool != NULL)
		t->host->tool(t->ctx, TOOL_START, str_of(c->id), str_of(c->name), args);
	ok = piece_eval_input(c->p, &tool->reply, args, &reply, &e) == OK;
	if (ok)
		call_add_content(&content, reply);
	else
		buf_add_fmt(&content, "Error: %s", e.text);
	ok = ok && !content.failed;
	call_ends(c, &(struct call_end){ .ok = ok, .ran = true,
	    .content = content.failed ? S("Error: the result is too large.") :
	    buf_str(&content) });
	buf_release(&content);
	val_drop(reply);
	val_drop(args);
}

/* Made again after a crash, it gets the answer that the tracker has kept. */
static void
call_tracker(struct task_call *c)
{
	static const char *const reads[] = { "ready", "list", "show" };
	struct task *t = c->p->task;
	struct str once = str_of(c->once);

	if (t->host->work == NULL) {
		call_ends(c, &(struct call_end){
		    .content = S("there is no work tracker here") });
		return;
	}
	for (size_t i = 0; i < COUNT(reads); i++)
		if (str_eq(str_of(c->name), str_of(reads[i])))
			once = STR_NONE;
	t->host->work(t->ctx, str_of(c->name), str_of(c->args), once, on_tool, c);
}

/* May it be made twice?  The file's word goes before the tool's own. */
static bool
call_again(const struct task_call *c, bool own)
{
	return c->idempotent == AGENT_YES || (c->idempotent == AGENT_UNSAID && own);
}

#define UNKNOWN "Error: unknown_outcome. "

/* It may run: at once, or after its start is in the journal.  A worker knows a call that is
 * made again by its key, which is of the task: with the start, the task is committed. */
static void
call_admit(struct task_call *c)
{
	struct task *t = c->p->task;
	const struct known *k = record_find(c->p, str_of(c->id));
	bool kept = c->again && (k != NULL || c->worker == NULL);

	if (k != NULL && !c->again) {
		call_ends(c, &(struct call_end){ .unknown = true,
		    .content = S(UNKNOWN "The server stopped while this "
		    "call was under way; it may or may not have taken effect. It was not "
		    "repeated.") });
	} else if (kept || t->host->record_start == NULL) {
		call_run(c);
	} else {
		c->journal = c->held = true;
		t->host->record_start(t->ctx, str_of(c->key), str_of(c->name),
		    on_started, c);
	}
}

/* ---- of MCP servers ----------------------------------------------------------------- */

static void
on_mcp_found(void *ctx, bool again)
{
	struct task_call *c = ctx;

	c->again = call_again(c, again);
	call_admit(c);
}

/* lost: a call of an earlier attempt may have been made. */
static void
on_mcp_refused(void *ctx, bool lost, struct str words)
{
	struct task_call *c = ctx;
	bool unknown = lost && record_find(c->p, str_of(c->id)) != NULL;
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES + KB);

	if (!unknown && !call_told(c))
		return;
	if (unknown)
		buf_lit(&b, UNKNOWN "The call was under way when the server stopped, and "
		    "was not repeated. ");
	buf_add(&b, words);
	call_ends(c, &(struct call_end){ .unknown = unknown, .ran = !unknown,
	    .undone = lost && !unknown, .content = buf_str(&b) });
	buf_release(&b);
}

static void
on_mcp_called(void *ctx, enum mcp_end how, struct str text)
{
	struct task_call *c = ctx;
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES + KB);
	bool unknown = how == MCP_LOST && !c->again;

	if (unknown)
		buf_lit(&b, UNKNOWN "The call may or may not have taken effect. It was not "
		    "repeated. The reason: ");
	buf_add(&b, text);
	call_ends(c, &(struct call_end){ .ok = how == MCP_OK, .ran = true,
	    .unknown = unknown, .undone = how == MCP_UNDONE, .content = buf_str(&b) });
	buf_release(&b);
}

static const struct mcp_use_hooks mcp_hooks = {
	.found = on_mcp_found, .refused = on_mcp_refused, .called = on_mcp_called,
};

/* ---- of external workers ------------------------------------------------------------ */

static void
on_worker_found(void *ctx, bool again)
{
	struct task_call *c = ctx;

	c->again = call_again(c, again);
	call_admit(c);
}

static void
on_worker_called(void *ctx, enum worker_how how, struct val output,
    const struct task_worker_error *e)
{
	struct task_call *c = ctx;
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES + KB);
	bool unknown = how == WORKER_GONE && !c->again;

	if (unknown)
		buf_lit(&b, UNKNOWN "The call may or may not have taken effect. It was not "
		    "repeated. The reason: ");
	else if (how != WORKER_OK)
		buf_lit(&b, "Error: ");
	if (how == WORKER_OK)
		call_add_content(&b, output);
	else
		buf_add(&b, e->message);
	if (how == WORKER_OK && b.failed) {
		buf_clear(&b);
		buf_lit(&b, "Error: the result is too large.");
		how = WORKER_SAYS_NO;
	}
	call_ends(c, &(struct call_end){ .ok = how == WORKER_OK, .ran = true,
	    .unknown = unknown, .undone = how == WORKER_UNDONE,
	    .refused = how == WORKER_SAYS_NO && e != NULL && e->final,
	    .content = buf_str(&b) });
	buf_release(&b);
}

static const struct worker_use_hooks worker_hooks = {
	.found = on_worker_found, .called = on_worker_called,
};

static void
call_worker(struct task_call *c)
{
	struct buf b = BUF(LIMIT_WORKER_INPUT_BYTES + KEY_BYTES);

	if (c->p->task->host->worker == NULL) {
		call_ends(c, &(struct call_end){
		    .content = S("There are no external workers here.") });
		return;
	}
	json_add_fmt(&b, "'args':%-s,'call_id':%s,'key':%s", c->args, c->id, c->once);
	c->worker = worker_use_new(c->p, true, str_of(c->name), buf_str(&b), &worker_hooks, c);
	c->away = true;
	worker_use_find(c->worker);
	buf_release(&b);
}

static void
call_begin(struct task_call *c)
{
	struct task *t = c->p->task;
	struct str name = str_of(c->name);
	const struct agent_tool *declared = offer_declared(c->p, name);
	const struct tool *tool = t->host->tools == NULL ? NULL :
	    tools_find(t->host->tools, name);

	c->again = call_again(c, tool != NULL && tool->idempotent);
	if (c->tracker) {
		call_tracker(c);
	} else if (declared != NULL && declared->worker && t->host->mcp_taped) {
		call_run(c);
	} else if (declared != NULL && declared->worker) {
		call_worker(c);
	} else if (declared != NULL) {
		call_declared(c, declared);
	} else if (mcp_server_of(c->p, name, NULL) != NULL && t->host->mcp_taped) {
		call_run(c);
	} else if (mcp_server_of(c->p, name, NULL) != NULL) {
		c->mcp = mcp_use_new(c->p, name, str_of(c->args), &mcp_hooks, c);
		c->away = true;
		mcp_use_find(c->mcp);
	} else if (tool == NULL || t->host->tools_call == NULL) {
		call_ends(c, &(struct call_end){ .content = S("There is no such tool.") });
	} else {
		call_admit(c);
	}
}

/* The same when the call is made again after a crash, and of no other call. */
static char *
once_of(const struct task *t, const char *key)
{
	struct buf b = BUF(LIMIT_LLM_BODY_BYTES);
	char *once;

	uuid_add(&b, &t->id);
	buf_add_char(&b, '/');
	buf_add(&b, str_of(key));
	once = mem_cstr(buf_str(&b));
	buf_release(&b);
	return once;
}

/* Counted when it is made; one of an earlier attempt counted then. */
bool
call_is_paid(struct piece *p, struct str id)
{
	static const struct task_cost one = { .tool_calls = 1 };

	if (!p->task->counts)
		return true;
	if (record_find(p, id) == NULL)
		return piece_may_spend(p, &one);
	piece_spent_before(p, &one);
	return true;
}

struct task_call *
call_start(struct piece *p, const struct call_want *w)
{
	struct task_call *c;
	struct buf key = BUF(KEY_BYTES);

	if (!w->tracker && !call_is_paid(p, w->id))
		return NULL;
	c = mem_new(struct task_call);
	piece_add_key(&key, p, w->id);
	c->p = p;
	c->done = w->done;
	c->arg = w->arg;
	c->tracker = w->tracker;
	c->idempotent = w->idempotent;
	c->id = mem_cstr(w->id);
	c->name = mem_cstr(w->name);
	c->args = call_bound_args(p, w->name, w->args_json);
	c->key = mem_cstr(buf_str(&key));
	c->once = once_of(p->task, c->key);
	buf_release(&key);
	c->starting = true;
	call_begin(c);
	c->starting = false;
	if (!c->ended)
		return c;
	call_free(c);
	return NULL;
}

/* ---- answers as messages ------------------------------------------------------------------ */

void
call_add_content(struct buf *b, struct val v)
{
	if (v.kind == VAL_STRING)
		buf_add(b, val_str(v));
	else
		val_add_json(b, v);
}

struct val
call_message(struct str id, struct str name, bool ok, struct str content)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct uuid fresh = uuid_v7();
	struct val m;

	json_add_fmt(&b, "{'status':%s,'content':%.*s,'tool_call_id':%.*s,'name':%.*s,"
	    "'metadata':{'versions':{'cohort':%s}},'additional_kwargs':{},"
	    "'response_metadata':{},'id':'run-", ok ? "success" : "error", FMT(content),
	    FMT(id), FMT(name), COHORT_VERSION);
	uuid_add(&b, &fresh);
	buf_lit(&b, "-tool-");
	json_add_escaped(&b, id);
	json_add_fmt(&b, "','type':'tool'}");
	assert(!b.failed);
	m = val_json_trusted(buf_str(&b));
	buf_release(&b);
	return m;
}
