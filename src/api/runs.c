/*
 * runs.c - reading what a client asks of a run, and the runs that exist.
 *
 * Three ways to start one (background, wait, stream) on a thread or without;
 * all read the same body.  Waiting and streaming are watch.c's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <string.h>

#include "api/fields.h"
#include "api/params.h"

#define LIST_DEFAULT 10
#define ALL_MODES                                                             \
	(MODE_VALUES | MODE_UPDATES | MODE_MESSAGES_TUPLE | MODE_MESSAGES)

static const char *const if_not_exists_words[] = { "reject", "create", NULL };
static const char *const on_disconnect_words[] = { "continue", "cancel", NULL };
static const char *const durability_words[] = { "async", "sync", "exit", NULL };
static const char *const action_words[] = { "interrupt", NULL };

/* ---- reading a run's body ------------------------------------------------ */

struct run_ask {
	struct run_request q;
	bool cancel_on_gone;
};

static int
read_assistant_id(struct call *c, jnode body, struct store_assistant *out)
{
	struct str id;
	int rc;

	rc = json_get_str(body, "assistant_id", "assistant_id", STR_NONE,
	    LIMIT_NAME_BYTES, &id, &c->err);
	if (rc < 0)
		return rc;
	if (id.n == 0)
		return err_set(&c->err, ERR_INVALID,
		    "assistant_id: expected an assistant's or a graph's id, "
		    "got nothing");
	rc = assistant_find(c, id, out);
	if (rc == ERR_NOTFOUND)
		return err_set(&c->err, rc, "No assistant found for \"%.*s\". "
		    "Make sure the assistant ID is for a valid assistant or a "
		    "valid graph ID.", FMT(id));
	if (rc < 0)
		err_set(&c->err, rc, "assistant: %s", rc_text(rc));
	return rc;
}

/* Objects that end up in rows.  A body that is small has no large ones. */
static int
read_objects(struct call *c, jnode body, struct run_request *q)
{
	struct { const char *name; jnode *to; } objects[] = {
		{ "config", &q->config }, { "context", &q->context },
		{ "metadata", &q->metadata }, { "input", &q->input },
	};
	struct str text;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < COUNT(objects); i++) {
		rc = json_get_object(body, objects[i].name, objects[i].name,
		    objects[i].to, &c->err);
		if (rc == OK && objects[i].to != &q->input &&
		    c->r->body.n > LIMIT_METADATA_BYTES)
			rc = call_text(c, *objects[i].to, objects[i].name,
			    STR_NONE, LIMIT_METADATA_BYTES, &text);
	}
	return rc;
}

static int
read_modes(struct call *c, jnode body, struct run_request *q)
{
	struct buf json = BUF(KB);
	int rc;

	rc = modes_parse_json(json_get(body, S("stream_mode")), &q->modes, &json,
	    &c->err);
	if (rc == OK)
		q->modes_json = arena_str(&c->r->arena, buf_str(&json));
	buf_release(&json);
	return rc;
}

/* The fields that choose among words. */
static int
read_choices(struct call *c, jnode body, struct run_ask *ask)
{
	int multitask = 0, if_not_exists = 0, on_disconnect = 0, durability = 0;
	const struct {
		const char *name;
		const char *const *words;
		int *to;
	} choices[] = {
		{ "multitask_strategy", multitask_names, &multitask },
		{ "if_not_exists", if_not_exists_words, &if_not_exists },
		{ "on_disconnect", on_disconnect_words, &on_disconnect },
		{ "durability", durability_words, &durability },
	};
	int rc = OK;

	for (size_t i = 0; rc == OK && i < COUNT(choices); i++)
		rc = json_get_enum(body, choices[i].name, choices[i].name,
		    choices[i].words, 0, choices[i].to, &c->err);
	ask->q.multitask = (enum multitask)multitask;
	ask->q.create_thread = if_not_exists == 1;
	ask->q.durability = (enum durability)durability;
	ask->cancel_on_gone = on_disconnect == 1;
	return rc;
}

static void
read_headers(struct call *c, struct run_request *q)
{
	struct buf *b = &c->api->scratch;

	buf_clear(b);
	headers_add_json(b, c->r);
	q->headers_json = arena_str(&c->r->arena, buf_str(b));
}

void
call_note_settings(struct call *c, jnode config, jnode context)
{
	const struct { const char *path; jnode object; } places[] = {
		{ "config.configurable", json_get(config, S("configurable")) },
		{ "context", context },
	};
	struct buf lines = BUF(KB);

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
		c->warning = arena_str(&c->r->arena, buf_str(&lines));
	buf_release(&lines);
}

/* Is id the state the thread would go on from?  The thread must be idle, or
 * that state could be another by the time the run begins. */
static bool
is_latest(struct call *c, const struct uuid *id)
{
	struct store_checkpoint latest;
	struct store_thread t;

	return store_thread_get(c->api->reader, c->owner, &c->thread_id,
	    &c->r->arena, &t) == OK && t.status != THREAD_BUSY &&
	    store_checkpoint_get(c->api->reader, c->owner, t.seq, 0,
	    &c->r->arena, &latest) == OK && uuid_eq(&latest.id, id);
}

/* A checkpoint's id at key of n; absent or null is none. */
static int
check_checkpoint_id(struct call *c, jnode n, const char *path)
{
	jnode text = json_get(n, S("checkpoint_id"));
	struct uuid id;

	if (json_is_null(text) ||
	    (json_is_string(text) && json_str(text).n == 0))
		return OK;
	if (!json_is_string(text) || !uuid_parse(json_str(text), &id))
		return err_set(&c->err, ERR_INVALID,
		    "%scheckpoint_id: expected a checkpoint's id, got %s", path,
		    json_is_string(text) ? "a string that is none" :
		    json_kind(text));
	if (!is_latest(c, &id))
		return err_set(&c->err, ERR_INVALID, "%scheckpoint_id: a run can "
		    "start from the latest state of an idle thread only; leave "
		    "it out", path);
	return OK;
}

/* useStream names the state it shows with every message it sends. */
static int
check_checkpoint(struct call *c, jnode body)
{
	jnode checkpoint, configurable = json_get(json_get(body, S("config")),
	    S("configurable"));
	struct str ns;
	int rc;

	rc = json_get_object(body, "checkpoint", "checkpoint", &checkpoint,
	    &c->err);
	if (rc == OK)
		rc = json_get_str(checkpoint, "checkpoint_ns",
		    "checkpoint.checkpoint_ns", STR_NONE, LIMIT_NAME_BYTES, &ns,
		    &c->err);
	if (rc == OK && ns.n > 0)
		rc = err_set(&c->err, ERR_INVALID, "checkpoint.checkpoint_ns: "
		    "expected \"\"; there are no subgraphs");
	if (rc == OK)
		rc = check_checkpoint_id(c, checkpoint, "checkpoint.");
	if (rc == OK)
		rc = check_checkpoint_id(c, body, "");
	if (rc == OK)
		rc = check_checkpoint_id(c, configurable, "config.configurable.");
	return rc;
}

/* Can a run without input continue this thread?  A busy thread counts as
 * no; a missing thread is reported when the run is created. */
static bool
thread_goes_on(struct call *c, const struct run_request *q)
{
	struct store_checkpoint latest;
	struct store_thread t;
	int rc;

	rc = store_thread_get(c->api->reader, c->owner, &c->thread_id,
	    &c->r->arena, &t);
	if (rc != OK)
		return !q->create_thread;
	return t.status != THREAD_BUSY &&
	    store_checkpoint_get(c->api->reader, c->owner, t.seq, 0,
	    &c->r->arena, &latest) == OK && latest.next.n > 0;
}

/* Python's SDK omits None, so a request to continue a thread has no `input`;
 * elsewhere a missing `input` is a mistake. */
static int
check_input(struct call *c, jnode body, const struct run_request *q)
{
	if (!json_is_null(json_get(body, S("inputs"))))
		return err_set(&c->err, ERR_INVALID,
		    "inputs: not known here; did you mean \"input\"?");
	if (json_get(body, S("input")) != NULL ||
	    (!q->stateless && thread_goes_on(c, q)))
		return OK;
	return err_set(&c->err, ERR_INVALID, "input: expected an object, got "
	    "nothing; a run begins with {\"messages\": [...]}%s", q->stateless ? "" :
	    ", and null goes on from where its thread stopped");
}

static int
read_run(struct call *c, bool stateless, struct run_ask *ask)
{
	struct run_request *q = &ask->q;
	jnode body = c->in->node;
	jnode completion = json_get(body, S("on_completion"));
	bool subgraphs;                      /* there are none, asked for or not */
	int rc;

	*ask = (struct run_ask){ .q = { .owner = c->owner,
	    .subject = c->who.subject, .stateless = stateless,
	    .thread_id = c->thread_id } };
	q->keep = stateless && json_is_string(completion) &&
	    str_eq(json_str(completion), S("keep"));
	rc = field_check(body, FIELD_RUN, &c->err);
	if (rc == OK)
		rc = read_objects(c, body, q);
	if (rc == OK)
		rc = check_checkpoint(c, body);
	if (rc == OK)
		rc = read_modes(c, body, q);
	if (rc == OK)
		rc = read_choices(c, body, ask);
	if (rc == OK)
		rc = json_get_bool(body, "stream_resumable", "stream_resumable",
		    false, &q->resumable, &c->err);
	if (rc == OK)
		rc = json_get_bool(body, "stream_subgraphs", "stream_subgraphs",
		    false, &subgraphs, &c->err);
	if (rc == OK)
		rc = read_assistant_id(c, body, &q->assistant);
	if (rc == OK)
		rc = check_input(c, body, q);
	if (rc == OK)
		read_headers(c, q);
	if (rc == OK)
		call_note_settings(c, q->config, q->context);
	return rc;
}

/* ---- starting ------------------------------------------------------------ */

void
call_run_failed(struct call *c, int rc, const struct err *e)
{
	struct err none = { 0 };

	if (rc == ERR_NOTFOUND)
		call_fail(c, rc, &none);
	else if (rc == ERR_CONFLICT)
		call_error(c, rc, "Thread is already running a task. Wait for it "
		    "to finish or choose a different multitask strategy.");
	else
		call_fail(c, rc, e);
}

static void
run_created(void *ctx, int rc, const struct store_run *run, const struct err *e)
{
	struct call *c = ctx;

	if (rc < 0) {
		call_run_failed(c, rc, e);
		return;
	}
	run_add_json(call_out(c), run);
	call_finish(c, call_json(c, call_location(c, &run->thread_id, &run->id, NULL)));
}

static int
start_background(struct call *c, bool stateless)
{
	struct run_ask ask;
	int rc = read_run(c, stateless, &ask);

	return rc < 0 ? rc :
	    run_start(c->api->runs, &ask.q, NULL, run_created, c, &c->err);
}

static int
start_watched(struct call *c, bool stateless, enum watch_kind kind)
{
	struct run_ask ask;
	int rc = OK;

	if (kind == WATCH_STREAM)
		rc = field_check_query(c->r, FIELD_STREAM, &c->err);
	if (rc == OK)
		rc = read_run(c, stateless, &ask);
	return rc < 0 ? rc : watch_start(c, kind, &ask.q, ask.cancel_on_gone);
}

int
run_create_handler(struct call *c)
{
	return start_background(c, false);
}

int
run_wait_handler(struct call *c)
{
	return start_watched(c, false, WATCH_WAIT);
}

int
run_stream_handler(struct call *c)
{
	return start_watched(c, false, WATCH_STREAM);
}

int
stateless_create(struct call *c)
{
	return start_background(c, true);
}

int
stateless_wait(struct call *c)
{
	return start_watched(c, true, WATCH_WAIT);
}

int
stateless_stream(struct call *c)
{
	return start_watched(c, true, WATCH_STREAM);
}

/* ---- runs that exist ----------------------------------------------------- */

/* The run of the path, on the thread of the path. */
static int
run_look(struct call *c, struct store_run *out)
{
	int rc = store_run_get(c->api->reader, c->owner, &c->run_id, &c->r->arena,
	    out);

	return rc == OK && !uuid_eq(&out->thread_id, &c->thread_id) ?
	    ERR_NOTFOUND : rc;
}

int
run_get_handler(struct call *c)
{
	struct store_run run;
	int rc = run_look(c, &run);

	if (rc < 0)
		return rc;
	run_add_json(call_out(c), &run);
	return call_json(c, STR_NONE);
}

int
run_delete_handler(struct call *c)
{
	c->op.run_delete = (struct store_run_delete){ .thread_id = c->thread_id,
	    .run_id = c->run_id };
	return call_submit(c, STORE_RUN_DELETE, NULL);
}

/* Cuts the objects of the array in `out` down to the selected members. */
static int
select_members(struct call *c, const struct str *select, size_t n)
{
	struct buf *from = &c->api->scratch, *to = &c->api->out, swap;
	struct json_doc doc;
	struct json_iter rows;
	size_t row = 0;
	int rc;

	swap = *from;
	*from = *to;
	*to = swap;
	buf_clear(to);
	rc = json_parse(&doc, buf_str(from), &c->err);
	rows = json_each(doc.root);
	buf_lit(to, "[");
	while (rc == OK && json_next(&rows)) {
		struct json_iter it = json_each(rows.value);
		size_t members = 0;

		buf_add(to, row++ > 0 ? S(",{") : S("{"));
		while (json_next(&it)) {
			struct str key = json_str(it.key);
			size_t i = 0;

			while (i < n && !str_eq(select[i], key))
				i++;
			if (i == n)
				continue;
			buf_add(to, members++ > 0 ? S(",") : STR_NONE);
			json_add_str(to, key);
			buf_lit(to, ":");
			json_add_node(to, it.value);
		}
		buf_lit(to, "}");
	}
	buf_lit(to, "]");
	json_release(&doc);
	return rc;
}

static int
runs_found(struct call *c)
{
	const struct store_run_list *op = &c->op.run_list;
	struct str *select;
	struct buf *b;
	size_t n;
	int rc;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	buf_lit(b, "[");
	for (size_t i = 0; i < op->runs_n; i++) {
		if (i > 0)
			buf_lit(b, ",");
		run_add_json(b, &op->runs[i]);
	}
	buf_lit(b, "]");
	rc = param_list(c->r, "select", &select, &n, &c->err);
	if (rc == OK && n > 0 && !b->failed)
		rc = select_members(c, select, n);
	return rc < 0 ? rc : call_json(c, STR_NONE);
}

/* The last two are known, and in no run of ours. */
static const char *const run_members[] = {
	"run_id", "thread_id", "assistant_id", "metadata", "status", "kwargs",
	"multitask_strategy", "created_at", "updated_at", "cancel_reason",
	"langsmith_session_name", NULL
};

static int
check_select(struct call *c)
{
	struct str *select;
	size_t n;
	int rc = param_list(c->r, "select", &select, &n, &c->err);

	for (size_t i = 0; rc == OK && i < n; i++)
		if (word_index(run_members, select[i]) < 0)
			rc = word_error(&c->err, "select", run_members, select[i]);
	return rc;
}

int
run_list_handler(struct call *c)
{
	struct store_run_list *op = &c->op.run_list;
	struct str status = param_str(c->r, "status");
	struct store_thread t;
	int rc;

	*op = (struct store_run_list){ .status = -1 };
	rc = param_int(c->r, "limit", LIST_DEFAULT, 1, LIMIT_PAGE_ROWS,
	    &op->limit, &c->err);
	if (rc == OK)
		rc = param_int(c->r, "offset", 0, 0, INT32_MAX, &op->offset,
		    &c->err);
	if (rc == OK && status.n > 0) {
		op->status = word_index(run_status_names, status);
		if (op->status < 0)
			rc = word_error(&c->err, "status", run_status_names, status);
	}
	if (rc == OK)
		rc = check_select(c);
	if (rc < 0)
		return rc;
	rc = thread_find(c, &t);
	if (rc < 0)
		return rc;
	op->thread_seq = t.seq;
	return call_submit(c, STORE_RUN_LIST, runs_found);
}

/* ---- joining ------------------------------------------------------------- */

static int
read_cancel_on_gone(struct call *c, bool *out)
{
	return param_bool(c->r, "cancel_on_disconnect", false, out, &c->err);
}

int
run_join_handler(struct call *c)
{
	struct store_run run;
	bool cancel;
	int rc = read_cancel_on_gone(c, &cancel);

	if (rc == OK)
		rc = run_look(c, &run);
	if (rc == OK)
		watch_join(c, WATCH_JOIN, true, 0, INT64_MAX, cancel);
	return rc;
}

int
stateless_join(struct call *c)
{
	bool cancel;
	int rc = read_cancel_on_gone(c, &cancel);

	if (rc == OK)
		watch_join(c, WATCH_JOIN, false, 0, INT64_MAX, cancel);
	return rc;
}

/* What a join of a stream asks for.  Modes: those of the query, or all modes
 * of the run. */
struct join_ask {
	unsigned modes;
	int64_t after;
	bool cancel;
};

static int
read_join(struct call *c, struct join_ask *ask)
{
	struct buf json = BUF(KB);
	struct str *words;
	size_t n;
	int rc;

	*ask = (struct join_ask){ .modes = ALL_MODES };
	rc = param_bool(c->r, "cancel_on_disconnect", false, &ask->cancel, &c->err);
	if (rc == OK)
		rc = field_check_query(c->r, FIELD_JOIN, &c->err);
	if (rc == OK)
		rc = last_event_id(c->r, INT64_MAX, &ask->after, &c->err);
	if (rc == OK)
		rc = param_list(c->r, "stream_mode", &words, &n, &c->err);
	if (rc == OK && n > 0)
		rc = modes_parse(words, n, &ask->modes, &json, &c->err);
	buf_release(&json);
	return rc;
}

/* A stateless run has no row; if there is no such run either, the stream says
 * so. */
int
run_join_stream_handler(struct call *c)
{
	struct join_ask ask;
	struct store_run run;
	int rc = read_join(c, &ask);

	if (rc == OK)
		watch_join(c, WATCH_JOIN_STREAM, run_look(c, &run) == OK, ask.modes,
		    ask.after, ask.cancel);
	return rc;
}

int
stateless_join_stream(struct call *c)
{
	struct join_ask ask;
	int rc = read_join(c, &ask);

	if (rc == OK)
		watch_join(c, WATCH_JOIN_STREAM, false, ask.modes, ask.after,
		    ask.cancel);
	return rc;
}

/* ---- cancelling ---------------------------------------------------------- */

static void
run_cancelled(void *ctx, int rc)
{
	struct call *c = ctx;
	bool wait = false;
	struct err ignored;

	if (rc == ERR_NOTFOUND)
		call_error(c, rc, "Run not found");
	else if (rc < 0)
		call_error(c, rc, "cancel: %s", rc_text(rc));
	else if (param_bool(c->r, "wait", false, &wait, &ignored) == OK && wait)
		call_empty(c, 204);
	else
		call_empty(c, 202);
}

int
run_cancel_handler(struct call *c)
{
	struct str action = param_str(c->r, "action");
	struct store_run run;
	bool wait;
	int rc;

	rc = param_bool(c->r, "wait", false, &wait, &c->err);
	if (rc == OK && action.n > 0)
		rc = field_check_word("action", FIELD_CANCEL, action, &c->err);
	if (rc == OK && action.n > 0 && word_index(action_words, action) < 0)
		rc = word_error(&c->err, "action", action_words, action);
	if (rc < 0)
		return rc;
	rc = run_look(c, &run);
	if (rc == OK)
		run_cancel(c->api->runs, c->owner, &c->thread_id, &c->run_id, wait,
		    run_cancelled, c);
	return rc;
}
