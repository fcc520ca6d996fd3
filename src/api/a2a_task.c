/*
 * a2a_task.c - tasks that are kept: find, get, cancel, list.
 *
 * A task is stored as its runs alone.  Its artifact is what the agent said after the last
 * message of a person, in the state that its newest run left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/a2a.h"

#include "run/view.h"

/* ---- finding -------------------------------------------------------------------------- */

static int
no_task(struct call *c)
{
	return jsonrpc_refuse(c, A2A_NO_TASK, "Task not found");
}

static bool
id_read(struct str id, struct uuid *thread, struct uuid *run)
{
	return id.n == 2 * UUID_TEXT + 1 && id.p[UUID_TEXT] == ':' &&
	    uuid_parse(str_sub(id, 0, UUID_TEXT), thread) &&
	    uuid_parse(str_sub(id, UUID_TEXT + 1, id.n), run);
}

/* The task that a run goes on with; its own id: it is the first. */
struct uuid
a2a_first_of(const struct store_run *run)
{
	struct uuid first = run->id, named;
	struct json_doc d = { 0 };

	if (json_parse(&d, run->metadata_json, NULL) == OK &&
	    uuid_parse(json_str(json_get(d.root, S(A2A_TASK))), &named))
		first = named;
	json_release(&d);
	return first;
}

static int
runs_found(struct call *c)
{
	const struct store_run_list *op = &c->op.run_list;
	struct a2a_call *a = c->a2a;

	for (size_t i = 0; i < op->runs_n; i++) {
		struct uuid first = a2a_first_of(&op->runs[i]);

		if (!uuid_eq(&first, &a->first))
			continue;
		a->run = op->runs[i];        /* the newest stands first */
		break;
	}
	return a->next(c);
}

int
a2a_find_task(struct call *c, struct str id, enum access access,
    int (*then)(struct call *c))
{
	struct a2a_call *a = c->a2a;
	struct uuid thread, first;
	int rc = id_read(id, &thread, &a->first) ? OK : ERR_NOTFOUND;

	if (rc == OK)
		rc = door_find_run(c, &a->first, access, &a->run, &a->thread);
	if (rc == OK)
		first = a2a_first_of(&a->run);
	if (rc == OK && (!uuid_eq(&a->thread.id, &thread) || !uuid_eq(&first, &a->first) ||
	    !uuid_eq(&a->run.assistant_id, &a->assistant.id)))
		rc = ERR_NOTFOUND;
	if (rc < 0)
		return rc == ERR_NOTFOUND ? no_task(c) : rc;
	c->thread_id = thread;
	a->next = then;
	if (!a2a_waits(&a->run))
		return then(c);              /* nothing went on with it */
	c->op.run_list = (struct store_run_list){ .thread_seq = a->thread.seq, .status = -1,
	    .limit = LIMIT_PAGE_ROWS };
	return call_submit(c, STORE_RUN_LIST, runs_found);
}

/* ---- showing ---------------------------------------------------------------------------- */

/* What the run still asks, as [{id, value}]. */
static struct str
questions_of(struct call *c)
{
	const struct a2a_call *a = c->a2a;
	struct store_interrupt *list;
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct str out = STR_NONE;
	size_t n = 0, some = 0;

	if (store_interrupts_get(c->api->reader, c->owner, a->thread.seq, &c->r->arena, &list,
	    &n) != OK)
		n = 0;
	buf_add_char(&b, '[');
	for (size_t i = 0; i < n; i++) {
		if (list[i].state != INTERRUPT_WAITING || !uuid_eq(&list[i].run_id, &a->run.id))
			continue;
		json_add_comma(&b);
		buf_add_char(&b, '{');
		view_add_interrupt(&b, &list[i]);
		buf_add_char(&b, '}');
		some++;
	}
	buf_add_char(&b, ']');
	if (some > 0 && !b.failed)
		out = arena_str(&c->r->arena, buf_str(&b));
	buf_release(&b);
	return out;
}

struct str
a2a_questions(struct arena *a, struct str interrupts)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct str out;

	door_add_questions(&b, interrupts);
	out = arena_str(a, buf_str(&b));
	buf_release(&b);
	return out;
}

struct a2a_shown
a2a_shown_of(struct call *c)
{
	const struct a2a_call *a = c->a2a;
	struct a2a_shown t = { .old = a->old, .thread = a->thread.id, .first = a->first,
	    .run = a->run.id, .state = a2a_state_of_run(&a->run), .at = a->run.updated,
	    .history = a->history };
	struct door_failure f;

	if (a->run.error_json.n > 0) {
		f = door_failure(&c->r->arena, a->run.error_json);
		t.words = arena_fmt(&c->r->arena, "%.*s: %.*s", FMT(f.name), FMT(f.message));
	}
	if (t.state == A2A_INPUT) {
		t.interrupts = questions_of(c);
		/* The thread went on without an answer. */
		if (t.interrupts.n == 0)
			t.state = A2A_CANCELED;
		else
			t.words = a2a_questions(&c->r->arena, t.interrupts);
	}
	return t;
}

static int
state_found(struct call *c)
{
	const struct store_history *op = &c->op.history;
	const struct a2a_call *a = c->a2a;
	struct a2a_shown t = a2a_shown_of(c);
	struct json_doc d = { 0 };
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	if (op->states_n > 0)
		t.values = door_values(c, &a->thread, &op->states[0], NULL, &d);
	b = call_out(c);
	jsonrpc_add_head(b, c->request_id);
	json_add_key(b, "result");
	a2a_add_task(b, &t);
	buf_add_char(b, '}');
	json_release(&d);
	return call_json(c, STR_NONE);
}

static int
show(struct call *c)
{
	return door_ask_state(c, c->a2a->thread.seq, &c->a2a->run.id, state_found);
}

/* ---- methods ------------------------------------------------------------------------------ */

int
a2a_get(struct call *c, const struct jsonrpc *q)
{
	if (json_get_int(q->params, "historyLength", "historyLength", -1, 0, LIMIT_PAGE_ROWS,
	    &c->a2a->history, &c->err) != OK)
		return ERR_INVALID;
	return a2a_find_task(c, json_str(json_get(q->params, S("id"))), THREADS_READ, show);
}

static void
cancelled(void *ctx, int rc)
{
	struct call *c = ctx;
	struct a2a_call *a = c->a2a;

	if (rc == OK)
		rc = store_run_get(c->api->reader, c->owner, &a->run.id, &c->r->arena,
		    &a->run);
	/* The run ended before it could be cancelled. */
	if (rc == ERR_NOTFOUND || rc == ERR_CONFLICT)
		rc = jsonrpc_refuse(c, A2A_NOT_CANCELABLE, "the task has ended");
	else if (rc == OK)
		rc = show(c);
	call_finish(c, rc);
}

static int
cancel(struct call *c)
{
	struct a2a_call *a = c->a2a;
	static const char *const why[] = { [A2A_INPUT] = "it waits for an answer, and nothing "
	    "is under way", [A2A_COMPLETED] = "it has completed", [A2A_FAILED] = "it has failed",
	    [A2A_CANCELED] = "it was canceled" };

	if (!a2a_under_way(&a->run))
		return jsonrpc_refuse(c, A2A_NOT_CANCELABLE, "the task cannot be canceled: %s",
		    why[a2a_state_of_run(&a->run)]);
	c->in = NULL;
	run_cancel(c->api->runs, c->owner, &c->thread_id, &a->run.id, 0,
	    S("a2a: cancelled by request"), cancelled, c);
	return OK;
}

int
a2a_cancel(struct call *c, const struct jsonrpc *q)
{
	return a2a_find_task(c, json_str(json_get(q->params, S("id"))), THREADS_UPDATE, cancel);
}

/* ---- lists ---------------------------------------------------------------------------------- */

static bool
is_among(const struct uuid *ids, size_t n, const struct uuid *id)
{
	for (size_t i = 0; i < n; i++)
		if (uuid_eq(&ids[i], id))
			return true;
	return false;
}

static int
listed(struct call *c)
{
	const struct store_run_list *op = &c->op.run_list;
	struct uuid *firsts = arena_zero(&c->r->arena, (op->runs_n + 1) * sizeof *firsts);
	struct a2a_call *a = c->a2a;
	int64_t total = 0, shown = 0;
	struct buf *b = call_out(c);

	if (firsts == NULL)
		return ERR_TOOBIG;
	jsonrpc_add_head(b, c->request_id);
	json_add_fmt(b, ",'result':{'tasks':[");
	for (size_t i = 0; i < op->runs_n; i++) {
		struct a2a_shown t;

		a->run = op->runs[i];
		a->first = firsts[i] = a2a_first_of(&a->run);
		/* A task's newest run comes before its others. */
		if (!uuid_eq(&a->run.assistant_id, &a->assistant.id) ||
		    is_among(firsts, i, &a->first))
			continue;
		t = a2a_shown_of(c);
		if ((a->status >= 0 && (int)t.state != a->status) || total++ < a->offset ||
		    shown == a->limit)
			continue;
		shown++;
		json_add_comma(b);
		a2a_add_task(b, &t);
	}
	json_add_fmt(b, "],'totalSize':%lld,'pageSize':%lld,'nextPageToken':\"",
	    (long long)total, (long long)a->limit);
	if (a->offset + shown < total)
		buf_add_fmt(b, "%lld", (long long)(a->offset + shown));
	buf_lit(b, "\"}}");
	return call_json(c, STR_NONE);
}

/* Refuses what would have no effect. */
static int
check_list(struct call *c, const struct jsonrpc *q)
{
	static const char *const known[] = { "tenant", "contextId", "status", "pageSize",
	    "pageToken", "historyLength", "includeArtifacts", NULL };
	int rc = a2a_check_keys(c, "", q->params, known);

	if (rc == OK && json_bool(json_get(q->params, S("includeArtifacts"))))
		rc = err_set(&c->err, ERR_INVALID, "includeArtifacts: not supported; GetTask "
		    "has a task's artifacts");
	return rc;
}

int
a2a_list(struct call *c, const struct jsonrpc *q)
{
	struct str context = json_str(json_get(q->params, S("contextId")));
	struct str status = json_str(json_get(q->params, S("status")));
	struct str token = json_str(json_get(q->params, S("pageToken")));
	struct a2a_call *a = c->a2a;
	int rc = check_list(c, q);

	a->status = a2a_state_of(status);
	if (rc == OK && status.n > 0 && !str_eq(status, S("TASK_STATE_UNSPECIFIED")) &&
	    a->status < 0)
		return jsonrpc_refuse(c, JSONRPC_PARAMS, "status: there is no state \"%.*s\"",
		    FMT(param_shown(status)));
	if (rc == OK)
		rc = json_get_int(q->params, "pageSize", "pageSize",
		    LIMIT_A2A_TASKS_PAGE / 2, 1, LIMIT_A2A_TASKS_PAGE, &a->limit,
		    &c->err);
	if (rc == OK && token.n > 0 && (!str_to_i64(token, &a->offset) || a->offset < 0))
		rc = err_set(&c->err, ERR_INVALID, "pageToken: expected a nextPageToken");
	if (rc == OK && !uuid_parse(context, &c->thread_id))
		rc = err_set(&c->err, ERR_INVALID, "contextId: expected the id of a context; "
		    "tasks are listed by context");
	if (rc != OK)
		return rc;
	rc = door_find_thread(c, &c->thread_id, THREADS_READ, &a->thread);
	if (rc != OK && rc != ERR_NOTFOUND)
		return rc;
	/* A context that is not there, or another owner's, has no tasks. */
	c->op.run_list = (struct store_run_list){ .thread_seq = rc == OK ? a->thread.seq : 0,
	    .status = -1, .limit = LIMIT_PAGE_ROWS };
	return call_submit(c, STORE_RUN_LIST, listed);
}
