/*
 * runs.c - reading what a client asks of a run, and the runs that exist.
 *
 * Three ways to start one (background, wait, stream) on a thread or without;
 * all read the same body.  Waiting and streaming are watch.c's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"
#include "api/trace.h"

#include <stdio.h>

#include "agent/agent.h"

#define LIST_DEFAULT 10
#define MODES_MAX    64
#define REASON_MAX   32                      /* bytes of a client's word */
#define ALL_MODES    (MODE_META - 1u)

/* A run without a thread: its route names none. */
static bool
is_stateless(const struct call *c)
{
	return str_starts(str_of(c->route->path), S("/runs"));
}

/* ---- reading a run's body ------------------------------------------------ */

void
call_modes(struct call *c, struct words list, bool array, unsigned *modes,
    struct buf *json)
{
	static const struct str fallback = { "values", 6 };

	if (list.n == 0)
		list = (struct words){ &fallback, 1 };
	*modes = 0;
	buf_add_char(json, '[');
	for (size_t n = 0; n < list.n && c->in->rc == OK; n++) {
		struct str word = list.at[n];
		char place[64] = "stream_mode";
		int i;

		if (array)
			snprintf(place, sizeof place, "stream_mode[%zu]", n);
		i = words_index(c, place, stream_mode_names, word);
		if (i >= 0 && (*modes & 1u << i))
			continue;
		json_add_fmt(json, ",%.*s", FMT(word));
		*modes |= i >= 0 ? 1u << i : 0;
	}
	buf_add_char(json, ']');
}

void
call_read_modes(struct call *c, unsigned *modes, struct buf *json)
{
	jnode n = fields_any(c->in, "stream_mode");
	struct str word = json_str(n);
	struct words list = { &word, 1 };

	if (!json_is_string(n))
		list = words_read(c, "stream_mode", n, MODES_MAX);
	call_modes(c, list, json_is_array(n), modes, json);
}

static void
read_modes(struct call *c, struct run_request *q)
{
	struct buf json = BUF(KB);

	call_read_modes(c, &q->modes, &json);
	q->modes_json = arena_str(&c->r->arena, buf_str(&json));
	buf_release(&json);
}

/* Of a stream: the graphs whose events are sent; of both spellings an empty one
 * is none. */
static struct words
read_namespaces(struct call *c)
{
	struct words list = param_list(c, "namespace");

	for (size_t i = 0; i < list.n; i++)
		if (list.at[i].n > LIMIT_CHECKPOINT_NS_BYTES)
			words_fail(c, "namespace", i, "longer than %d bytes",
			    LIMIT_CHECKPOINT_NS_BYTES);
	return list;
}

static void
read_assistant(struct call *c, struct store_assistant *out)
{
	struct str id = STR_NONE;
	int rc;

	fields_need_str(c->in, "assistant_id", LIMIT_NAME_BYTES,
	    "an assistant's or a graph's id", &id);
	if (c->in->rc != OK)
		return;
	rc = api_assistant_find(c, id, out);
	if (rc == ERR_NOTFOUND)
		c->in->rc = err_set(&c->err, rc, "No assistant found for \"%.*s\". "
		    "Make sure the assistant ID is for a valid assistant or a "
		    "valid graph ID.", FMT(id));
	else if (rc == ERR_DENIED)
		c->in->rc = rc;
	else if (rc < 0)
		fields_fail(c->in, "assistant_id", rc, "%s", rc_text(rc));
}

/* Objects that end up in rows.  A body that is small has no large ones. */
static void
read_objects(struct call *c, struct run_request *q)
{
	struct { const char *name; jnode *to; } objects[] = {
		{ "config", &q->config }, { "context", &q->context },
		{ "metadata", &q->metadata },
	};

	for (size_t i = 0; i < COUNT(objects); i++) {
		struct fields object;
		struct str text;

		fields_object(c->in, objects[i].name, &object);
		*objects[i].to = object.node;
		if (c->r->body.n > LIMIT_METADATA_BYTES)
			call_read_json(c, objects[i].name, object.node,
			    LIMIT_METADATA_BYTES, &text);
	}
	q->input = fields_any(c->in, "input");
	/* agent-chat-ui sends {} beside its command: that is no input */
	if (json_is_object(q->input) && json_count(q->input) == 0 &&
	    json_is_object(json_get(c->in->node, S("command"))))
		q->input = NULL;
}

/* The fields that choose among words. */
static void
read_choices(struct call *c, struct run_ask *ask)
{
	static const char *const creates[] = { "reject", "create", NULL };
	static const char *const disconnects[] = { "continue", "cancel", NULL };
	static const char *const durabilities[] = { "async", "sync", "exit", NULL };
	int multitask = 0, if_not_exists = 0, on_disconnect = 0, durability = -1;
	bool during = true;

	fields_enum(c->in, "multitask_strategy", multitask_names, &multitask);
	fields_enum(c->in, "if_not_exists", creates, &if_not_exists);
	fields_enum(c->in, "on_disconnect", disconnects, &on_disconnect);
	fields_enum(c->in, "durability", durabilities, &durability);
	fields_bool(c->in, "checkpoint_during", &during);        /* its old name */
	if (durability < 0)
		durability = during ? DURABILITY_ASYNC : DURABILITY_EXIT;
	ask->q.multitask = (enum multitask)multitask;
	ask->q.create_thread = if_not_exists == 1;
	if (ask->q.create_thread && c->in->rc == OK)
		c->in->rc = call_may(c, THREADS_CREATE, STR_NONE);
	ask->q.durability = (enum durability)durability;
	ask->cancel_on_gone = on_disconnect == 1;
}

/* after_seconds: a number, of which milliseconds count. */
static void
read_after(struct call *c, struct run_request *q)
{
	jnode n = fields_any(c->in, "after_seconds");
	double s = json_is_number(n) ? json_number(n) : 0;

	if (!json_is_null(n) && !json_is_number(n))
		fields_fail(c->in, "after_seconds", ERR_INVALID,
		    "expected a number, got %s", json_kind(n));
	else if (!(s >= 0 && s <= LIMIT_AFTER_SECONDS))
		fields_fail(c->in, "after_seconds", ERR_INVALID,
		    "expected a number from 0 to %d, got %g", LIMIT_AFTER_SECONDS, s);
	else
		q->after = (msec)(s * 1000);
}

/* It is kept with the run and shown; nothing is sent to anybody. */
static void
read_tracer(struct call *c, struct run_request *q)
{
	struct fields tracer;

	if (!fields_object(c->in, "langsmith_tracer", &tracer))
		return;
	fields_str(&tracer, "project_name", LIMIT_NAME_BYTES, &q->tracer_project);
	fields_str(&tracer, "example_id", LIMIT_NAME_BYTES, &q->tracer_example);
}

static void
read_headers(struct call *c, struct run_request *q)
{
	struct buf *b = &c->api->scratch;

	buf_clear(b);
	header_add_json(b, c->r, &c->api->shared->o.configurable);
	q->headers_json = arena_str(&c->r->arena, buf_str(b));
	q->trace = call_trace(c);
}

void
call_note_settings(struct call *c, const struct agent *a, jnode config, jnode context)
{
	const struct { const char *path; jnode object; } places[] = {
		{ "config.configurable", json_get(config, S("configurable")) },
		{ "context", context },
	};
	struct buf lines = BUF(KB);

	if (a != NULL && !str_eq(a->text, agent_builtin_text(S("agent"))))
		return;
	for (size_t i = 0; i < COUNT(places); i++) {
		struct json_iter it = json_each(places[i].object);

		while (json_next(&it)) {
			const char *like = setting_like(json_str(it.key));

			if (like == NULL)
				continue;
			buf_add_fmt(&lines, "warning: 299 - \"%s.", places[i].path);
			header_add_text(&lines, json_str(it.key));
			buf_add_fmt(&lines, " is not known; did you mean %s?\"\r\n", like);
		}
	}
	if (!lines.failed)
		c->lines = arena_str(&c->r->arena, buf_str(&lines));
	buf_release(&lines);
}

/* Can a run without input continue this thread?  A busy thread counts as
 * no; a missing thread is reported when the run is created. */
static bool
thread_goes_on(struct call *c, const struct run_request *q)
{
	static const struct uuid newest;
	struct store_state latest;
	struct store_thread t;

	if (api_thread_find(c, &t) != OK)
		return !q->create_thread;
	return t.status != THREAD_BUSY && store_state_get(c->api->reader, c->owner,
	    t.seq, STR_NONE, &newest, 0, &c->r->arena, &latest) == OK &&
	    latest.c.next.n > 0;
}

/* Python's SDK omits None, so a request to continue a thread has no `input`;
 * elsewhere a missing `input` is a mistake. */
static void
check_input(struct call *c, const struct run_request *q)
{
	jnode body = c->in->node;

	if (!json_is_null(json_get(body, S("inputs"))))
		fields_fail(c->in, "inputs", ERR_INVALID,
		    "not known here; did you mean \"input\"?");
	if (c->in->rc == OK && json_get(body, S("input")) == NULL && q->command == NULL &&
	    uuid_is_zero(&q->checkpoint) && (q->stateless || !thread_goes_on(c, q)))
		fields_fail(c->in, "input", ERR_INVALID, "expected an object, got "
		    "nothing; a run begins with {\"messages\": [...]}%s",
		    q->stateless ? "" :
		    ", and null goes on from where its thread stopped");
}

/* Where it begins.  That the checkpoint is there is seen before the run is made. */
static void
read_checkpoint(struct call *c, struct run_request *q)
{
	struct checkpoint_ref ref;
	int rc;

	call_read_run_checkpoint(c, &ref);
	if (c->in->rc != OK)
		return;
	rc = call_find_checkpoint(c, &ref, &q->checkpoint);
	if (rc < 0)
		c->in->rc = rc;
}

static void
read_streams(struct call *c, struct run_request *q)
{
	read_modes(c, q);
	fields_bool(c->in, "stream_resumable", &q->resumable);
	fields_bool(c->in, "stream_subgraphs", &q->subgraphs);
	fields_str(c->in, "webhook", LIMIT_HOOK_URL_BYTES, &q->webhook);
	c->namespaces = read_namespaces(c);
}

/* Whose nodes and channels a command names: of what waits, if that goes on. */
static const struct agent *
agent_of(struct call *c, const struct run_request *q)
{
	struct store_thread t;

	if (q->stateless || !json_is_null(q->input) || store_thread_get(c->api->reader,
	    c->owner, &q->thread_id, &c->r->arena, &t) != OK)
		return runs_agent(c->api->runs, q->assistant.graph_id);
	return runs_thread_agent(c->api->runs, c->owner, &t, q->assistant.graph_id);
}

void
call_read_asked(struct call *c, struct run_ask *ask)
{
	struct run_request *q = &ask->q;
	const struct agent *a;
	struct fields input;

	*ask = (struct run_ask){ .q = { .owner = c->owner,
	    .once = c->with_key ? &c->once : NULL,
	    .subject = c->who.subject, .stamp_json = call_stamp(c),
	    .payer = c->who.payer, .quota = c->who.limits.stored,
	    .stateless = is_stateless(c),
	    .thread_id = c->thread_id } };
	q->keep = q->stateless && str_eq(S("keep"),
	    json_str(json_get(c->in->node, S("on_completion"))));
	read_objects(c, q);
	read_checkpoint(c, q);
	read_streams(c, q);
	read_choices(c, ask);
	read_after(c, q);
	read_tracer(c, q);
	read_assistant(c, &q->assistant);
	if (c->in->rc == OK) {
		a = agent_of(c, q);
		/* What a graph of a worker takes is its own: a text, a list. */
		if (a == NULL || a->hosted == NULL)
			fields_object(c->in, "input", &input);
		call_read_begin(c, a, q);
		graphs_check_served(c, a);
		call_note_settings(c, a, q->config, q->context);
	}
}

int
call_read_run(struct call *c, struct run_ask *ask)
{
	call_read_asked(c, ask);
	check_input(c, &ask->q);
	read_headers(c, &ask->q);
	return c->in->rc;
}

/* ---- starting ------------------------------------------------------------ */

static void
run_created(void *ctx, int rc, const struct store_run *run, const struct err *e)
{
	struct call *c = ctx;

	if (rc < 0) {
		call_fail(c, rc, e);
		return;
	}
	members_add(call_out(c), run_members, MEMBERS_ALL, run);
	call_finish(c, call_json(c, call_location(c, &run->thread_id, &run->id, NULL)));
}

int
api_run_start(struct call *c)
{
	enum watch_kind kind = (enum watch_kind)c->route->arg;
	struct run_ask ask;
	int rc = call_read_run(c, &ask);

	if (rc < 0)
		return rc;
	if (kind != WATCH_NONE)
		return watch_start(c, kind, &ask.q, ask.cancel_on_gone);
	return run_start(c->api->runs, &ask.q, NULL, run_created, c, &c->err);
}

/* ---- runs that exist ----------------------------------------------------- */

/* The run of the path, on the thread of the path. */
static int
run_find(struct call *c, struct store_run *out)
{
	int rc = store_run_get(c->api->reader, c->owner, &c->run_id, &c->r->arena,
	    out);

	return rc == OK && !uuid_eq(&out->thread_id, &c->thread_id) ?
	    ERR_NOTFOUND : rc;
}

int
api_run_get(struct call *c)
{
	struct store_run run;
	int rc = run_find(c, &run);

	if (rc < 0)
		return rc;
	run_shown(c->api->runs, c->owner, &run);
	return call_object(c, run_members, &run);
}

int
api_run_delete(struct call *c)
{
	c->op.run_delete = (struct store_run_delete){ .thread_id = c->thread_id,
	    .run_id = c->run_id };
	return call_submit(c, STORE_RUN_DELETE, NULL);
}

static int
runs_found(struct call *c)
{
	const struct store_run_list *op = &c->op.run_list;
	int64_t next = op->offset + (int64_t)op->runs_n;

	for (size_t i = 0; i < op->runs_n; i++)
		run_shown(c->api->runs, c->owner, &op->runs[i]);
	return call_list(c, run_members, op->runs, sizeof *op->runs, op->runs_n,
	    op->more ? call_next_line(c, next) : STR_NONE);
}

int
api_run_list(struct call *c)
{
	struct store_run_list *op = &c->op.run_list;
	struct store_thread t;
	int rc;

	*op = (struct store_run_list){ .status = -1, .limit = LIST_DEFAULT };
	param_int(c, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	param_int(c, "offset", 0, INT32_MAX, &op->offset);
	param_word(c, "status", run_status_names, &op->status);
	c->select = members_select(c, run_members, param_list(c, "select"));
	rc = c->in->rc;
	if (rc == OK)
		rc = api_thread_find(c, &t);
	if (rc < 0)
		return rc;
	op->thread_seq = t.seq;
	op->waits = run_shown_pending(c->api->runs, c->owner, &t.id);
	return call_submit(c, STORE_RUN_LIST, runs_found);
}

/* The run that the request made before. */
int
api_run_again(struct call *c)
{
	enum watch_kind kind = (enum watch_kind)c->route->arg;
	struct run_ask ask = { .q = { .stateless = false } };
	struct store_run run;
	int rc;

	c->run_id = c->once.id;
	rc = run_find(c, &run);
	if (rc < 0)
		return rc;
	if (kind == WATCH_NONE) {
		run_created(c, OK, &run, NULL);
		return OK;
	}
	read_streams(c, &ask.q);
	read_choices(c, &ask);
	if (c->in->rc == OK)
		watch_join(c, kind, true, ask.q.modes, -1, ask.cancel_on_gone);
	return c->in->rc;
}

/* ---- joining ------------------------------------------------------------- */

/* Of a stream: the modes of the query, or all modes of the run. */
static void
read_join(struct call *c, unsigned *modes, int64_t *after)
{
	struct words list = param_list(c, "stream_mode");
	struct str id = param_str(c, "checkpoint_id");
	struct buf json = BUF(KB);

	header_event_id(c, after);
	c->namespaces = read_namespaces(c);
	if (id.n > 0 && !uuid_parse(id, &c->after_checkpoint))
		fields_fail(c->in, "checkpoint_id", ERR_INVALID, "expected a checkpoint's "
		    "id, a UUID, got \"%.*s\"", FMT(param_shown(id)));
	*modes = ALL_MODES;
	if (list.n > 0)
		call_modes(c, list, list.n > 1, modes, &json);
	buf_release(&json);
}

/* A stateless run has no row; if there is no such run either, a stream says
 * so. */
int
api_run_join(struct call *c)
{
	enum watch_kind kind = (enum watch_kind)c->route->arg;
	int64_t after = INT64_MAX;
	bool cancel = false;
	struct store_run run;
	unsigned modes = 0;
	int rc;

	param_bool(c, "cancel_on_disconnect", &cancel);
	if (kind == WATCH_JOIN_STREAM)
		read_join(c, &modes, &after);
	if (c->in->rc < 0)
		return c->in->rc;
	rc = is_stateless(c) ? ERR_NOTFOUND : run_find(c, &run);
	if (rc < 0 && kind == WATCH_JOIN && !is_stateless(c))
		return rc;
	watch_join(c, kind, rc == OK, modes, after, cancel);
	return OK;
}

/* ---- cancelling ---------------------------------------------------------- */

static void
run_cancelled(void *ctx, int rc)
{
	struct call *c = ctx;

	if (rc < 0)
		call_finish(c, rc);
	else
		call_empty(c, c->status);
}

int
api_run_cancel(struct call *c)
{
	static const char *const actions[] = { "interrupt", "rollback", NULL };
	struct str reason;
	struct store_run run;
	bool wait = false;
	int action = 0, rc;

	param_bool(c, "wait", &wait);
	param_word(c, "action", actions, &action);
	reason = str_cut(param_str(c, "reason"), REASON_MAX);
	if (reason.n == 0)
		reason = S("api");
	rc = c->in->rc;
	if (rc == OK)
		rc = run_find(c, &run);
	if (rc < 0)
		return rc;
	c->status = wait ? 204 : 202;
	run_cancel(c->api->runs, c->owner, &c->thread_id, &c->run_id,
	    (action == 1 ? RUN_ROLLBACK : 0) | (wait ? 0 : RUN_SOON),
	    arena_fmt(&c->r->arena, "%.*s: cancelled by request",
	    FMT(reason)), run_cancelled, c);
	return OK;
}
