/*
 * a2a_send.c - messages to an agent, and following a task.
 *
 * A message begins a task on its context, which may be new; with the id of a task that
 * waits it is the answer.  A client that leaves does not cancel its task: it may come
 * back to it.
 *
 * The events of a stream:
 *
 *   task           as it begins
 *   artifact       pieces of the answer as they are said; the last one says so, and so
 *                  each piece waits for the next
 *   status         the last
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/a2a.h"

#include "agent/agent.h"
#include "base/mem.h"

struct sending {
	bool stream, held_any, sent_any;
	struct a2a_shown shown;
	struct buf id;                       /* of the request, JSON */
	struct buf held;                     /* the newest piece, not sent yet; raw */
};

static void
sending_free(void *ctx)
{
	struct sending *x = ctx;

	buf_release(&x->id);
	buf_release(&x->held);
	free(x);
}

static struct sending *
sending_new(struct call *c)
{
	const struct a2a_call *a = c->a2a;
	struct sending *x = mem_new(struct sending);

	x->id = BUF(2 * KB);
	x->held = BUF(LIMIT_STATE_BYTES);
	x->stream = a->method->stream;
	x->shown = (struct a2a_shown){ .old = a->old, .first = a->first,
	    .history = a->history };
	buf_add(&x->id, c->request_id);
	return x;
}

/* ---- events --------------------------------------------------------------------------- */

/* 1.0 wraps an event in a member that names it; in 0.3 its `kind` does. */
static void
open_result(struct buf *b, const struct sending *x, const char *member)
{
	jsonrpc_add_head(b, buf_str(&x->id));
	json_add_key(b, "result");
	if (x->shown.old)
		return;
	buf_add_char(b, '{');
	json_add_key(b, member);
}

static void
close_result(struct buf *b, const struct sending *x)
{
	buf_add(b, x->shown.old ? S("}") : S("}}"));
}

/* Begins an event; event_send ends it. */
static struct buf
event_open(const struct sending *x, const char *member)
{
	struct buf b = BUF(4 * (size_t)LIMIT_STATE_BYTES);

	buf_lit(&b, "data: ");
	open_result(&b, x, member);
	return b;
}

static void
event_send(struct door *d, const struct sending *x, struct buf *b)
{
	close_result(b, x);
	buf_lit(b, "\n\n");
	door_send_buf(d, b);
}

static void
send_task(struct door *d, struct sending *x)
{
	struct buf b = event_open(x, "task");

	a2a_add_task(&b, &x->shown);
	event_send(d, x, &b);
}

/* What is held, and more parts. */
static void
send_held(struct door *d, struct sending *x, struct str more, bool last)
{
	struct buf parts = BUF(4 * (size_t)LIMIT_STATE_BYTES);
	struct buf b = event_open(x, "artifactUpdate");

	if (x->held_any)
		a2a_add_text(&parts, x->shown.old, buf_str(&x->held));
	if (more.n > 0) {
		if (x->held_any)
			buf_add_char(&parts, ',');
		buf_add(&parts, more);
	}
	a2a_add_chunk(&b, &x->shown, buf_str(&parts), x->sent_any, last);
	b.failed |= parts.failed;
	buf_release(&parts);
	event_send(d, x, &b);
	x->sent_any = true;
	x->held_any = false;
	buf_clear(&x->held);
}

static void
send_status(struct door *d, struct sending *x)
{
	struct buf b = event_open(x, "statusUpdate");

	a2a_add_status(&b, &x->shown, true);
	event_send(d, x, &b);
}

/* ---- what the run tells ------------------------------------------------------------------ */

static void
sending_started(struct door *d, void *ctx)
{
	struct sending *x = ctx;

	x->shown.thread = *door_thread(d);
	x->shown.run = *door_run(d);
	if (uuid_is_zero(&x->shown.first))
		x->shown.first = x->shown.run;
	x->shown.state = A2A_WORKING;
	x->shown.at = shard_wall(door_shard(d));
	if (!x->stream)
		return;
	door_stream(d, STR_NONE);
	send_task(d, x);
}

static void
sending_text(struct door *d, void *ctx, struct str raw)
{
	struct sending *x = ctx;

	if (!x->stream)
		return;
	if (x->held_any)
		send_held(d, x, STR_NONE, false);
	buf_add(&x->held, door_joint(d));
	buf_add(&x->held, raw);
	x->held_any = true;
}

/* The last piece of the artifact: what was held, and the files or values at the end. */
static void
send_last(struct door *d, struct sending *x, jnode values)
{
	struct buf more = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	struct buf json = BUF(2 * (size_t)LIMIT_STATE_BYTES);

	if (json_is_array(json_get(values, S("messages")))) {
		a2a_add_files(&more, x->shown.old, values);
	} else if (x->shown.state == A2A_COMPLETED && json_is_object(values)) {
		json_add_node(&json, values);
		a2a_add_data(&more, x->shown.old, buf_str(&json));
	}
	if (x->held_any || more.n > 0)
		send_held(d, x, buf_str(&more), true);
	buf_release(&more);
	buf_release(&json);
}

static void
answer(struct call *c, struct sending *x)
{
	struct buf *b = call_out(c);

	open_result(b, x, "task");
	a2a_add_task(b, &x->shown);
	close_result(b, x);
	call_finish(c, call_json(c, STR_NONE));
}

static void
settle(struct sending *x, struct arena *a, const struct run_end *end)
{
	struct door_failure f;

	x->shown.state = a2a_state_of_end(end);
	if (x->shown.state == A2A_INPUT) {
		x->shown.interrupts = end->interrupts_json;
		x->shown.words = a2a_questions(a, end->interrupts_json);
	} else if (end->error_json.n > 0) {
		f = door_failure(a, end->error_json);
		x->shown.words = arena_fmt(a, "%.*s: %.*s", FMT(f.name), FMT(f.message));
	}
}

static void
send_failure(struct door *d, struct sending *x, int rc, const struct err *e)
{
	int code = a2a_code(rc);
	struct buf b = BUF(4 * KB);

	buf_lit(&b, "data: ");
	jsonrpc_add_error(&b, buf_str(&x->id), code != 0 ? code : JSONRPC_INTERNAL,
	    str_of(e->text[0] != '\0' ? e->text : rc_text(rc)));
	buf_lit(&b, "\n\n");
	door_send_buf(d, &b);
	door_end_stream(d);
}

static void
sending_end(struct door *d, void *ctx, int rc, const struct run_end *end,
    const struct err *e)
{
	struct arena a = ARENA(LIMIT_STATE_BYTES);
	struct call *c = door_call(d);
	struct sending *x = ctx;
	struct json_doc values = { 0 };

	if (rc < 0 && c != NULL) {
		c->err = *e;
		call_finish(c, a2a_fail(c, rc));
		return;
	}
	if (rc < 0) {
		send_failure(d, x, rc, e);
		return;
	}
	x->shown.at = shard_wall(door_shard(d));
	settle(x, &a, end);
	if (json_parse(&values, end->values_json, NULL) == OK)
		x->shown.values = values.root;
	if (c != NULL) {
		answer(c, x);
	} else {
		send_last(d, x, x->shown.values);
		send_status(d, x);
		door_end_stream(d);
	}
	json_release(&values);
	arena_release(&a);
}

static const struct door_events events = { .started = sending_started,
    .text = sending_text, .end = sending_end, .release = sending_free };

/* At once, with the task as it begins. */
static void
created(void *ctx, int rc, const struct store_run *run, const struct err *e)
{
	struct call *c = ctx;
	struct a2a_call *a = c->a2a;
	struct sending *x;

	if (rc < 0) {
		c->err = *e;
		call_finish(c, a2a_fail(c, rc));
		return;
	}
	x = sending_new(c);
	x->shown.thread = run->thread_id;
	x->shown.run = run->id;
	x->shown.first = uuid_is_zero(&a->first) ? run->id : a->first;
	x->shown.state = A2A_SUBMITTED;
	x->shown.at = run->created;
	answer(c, x);
	sending_free(x);
}

/* ---- what is asked ------------------------------------------------------------------------- */

struct asked {
	jnode message, config;
	bool at_once;
	struct str url, push;                /* of push notifications; or empty */
	struct a2a_said said;
	struct json_doc input, command, metadata;
};

static void
asked_release(struct asked *x)
{
	a2a_said_release(&x->said);
	json_release(&x->input);
	json_release(&x->command);
	json_release(&x->metadata);
}

static int
check_modes(jnode modes)
{
	static const char *const ours[] = { "text/plain", "application/json", "text/*", "*/*",
	    "text", NULL };
	struct json_iter it = json_each(modes);

	if (!json_is_array(modes) || json_count(modes) == 0)
		return OK;
	while (json_next(&it))
		for (size_t i = 0; ours[i] != NULL; i++)
			if (str_eq(json_str(it.value), str_of(ours[i])))
				return OK;
	return A2A_CONTENT_TYPE;
}

static int
read_config(struct call *c, struct asked *x)
{
	static const char *const keys[] = { "acceptedOutputModes", "historyLength",
	    "returnImmediately", "taskPushNotificationConfig", NULL };
	static const char *const old_keys[] = { "acceptedOutputModes", "historyLength",
	    "blocking", "pushNotificationConfig", NULL };
	struct a2a_call *a = c->a2a;
	bool blocks = true;
	jnode push;
	int rc;

	if (x->config != NULL && !json_is_object(x->config) && !json_is_null(x->config))
		return err_set(&c->err, ERR_INVALID, "configuration: expected an object, got %s",
		    json_kind(x->config));
	push = json_get(x->config, a->old ? S("pushNotificationConfig") :
	    S("taskPushNotificationConfig"));
	rc = a2a_check_keys(c, "configuration.", x->config, a->old ? old_keys : keys);
	if (rc == OK)
		rc = json_get_int(x->config, "historyLength", "configuration.historyLength", -1,
		    0, LIMIT_PAGE_ROWS, &a->history, &c->err);
	if (rc == OK && a->old)
		rc = json_get_bool(x->config, "blocking", "configuration.blocking", true,
		    &blocks, &c->err);
	if (rc == OK && !a->old)
		rc = json_get_bool(x->config, "returnImmediately",
		    "configuration.returnImmediately", false, &x->at_once, &c->err);
	x->at_once = !a->method->stream && (x->at_once || !blocks);
	if (rc == OK && !json_is_null(push))
		rc = a2a_read_push(c, push, &x->url, &x->push);
	return rc == OK ? check_modes(json_get(x->config, S("acceptedOutputModes"))) : rc;
}

static int
read_asked(struct call *c, const struct jsonrpc *q, struct asked *x)
{
	static const char *const keys[] = { "message", "configuration", "metadata", "tenant",
	    NULL };
	static const char *const message_keys[] = { "messageId", "contextId", "taskId", "role",
	    "parts", "metadata", "extensions", "referenceTaskIds", "kind", NULL };
	int rc = a2a_check_keys(c, "", q->params, keys);

	*x = (struct asked){ .message = json_get(q->params, S("message")),
	    .config = json_get(q->params, S("configuration")) };
	if (rc == OK && json_is_object(x->message))
		rc = a2a_check_keys(c, "message.", x->message, message_keys);
	if (rc == OK)
		rc = a2a_read(x->message, c->a2a->old, &x->said, &c->err);
	if (rc == OK)
		rc = read_config(c, x);
	return rc;
}

/* {...data, "messages": [what the person says]} */
static int
make_input(struct call *c, struct asked *x)
{
	struct buf b = BUF(4 * (size_t)LIMIT_HTTP_BODY_BYTES);
	int rc = OK;

	if (x->said.content.n > 0)
		rc = door_takes_messages(c, "message.parts", &c->a2a->assistant);
	buf_add(&b, x->said.data.n > 0 ? str_sub(buf_str(&x->said.data), 0,
	    x->said.data.n - 1) : S("{"));
	if (x->said.content.n > 0)
		json_add_fmt(&b, ",'messages':[{'role':'user','id':%p,'content':%-.*s}]",
		    (void *)json_get(x->message, S("messageId")), FMT(buf_str(&x->said.content)));
	buf_add_char(&b, '}');
	if (rc == OK)
		rc = b.failed ? ERR_TOOBIG : json_parse(&x->input, buf_str(&b), &c->err);
	buf_release(&b);
	return rc;
}

/* The answer to a question: the data, or the text, parsed if it is an object or array. */
static void
add_answer(struct buf *b, const struct a2a_said *s)
{
	struct json_doc d = { 0 };

	if (s->data.n > 0)
		buf_add(b, buf_str(&s->data));
	else if (json_parse(&d, buf_str(&s->text), NULL) == OK &&
	    (json_is_object(d.root) || json_is_array(d.root)))
		json_add_node(b, d.root);
	else
		json_add_str(b, buf_str(&s->text));
	json_release(&d);
}

static int
make_command(struct call *c, struct asked *x)
{
	struct buf b = BUF(4 * (size_t)LIMIT_HTTP_BODY_BYTES);
	size_t waits = 0;
	int rc = door_waits(c, &c->a2a->thread.id, &waits);

	if (rc == OK && x->said.files)
		rc = err_set(&c->err, ERR_INVALID, "message.parts: an answer is text or data, "
		    "not a file");
	if (rc == OK && waits > 1 && x->said.resume.n == 0)
		rc = err_set(&c->err, ERR_INVALID, "message.parts: %zu questions wait; answer "
		    "them by id, with a data part {\"resume\": [{\"id\", \"value\"}]}", waits);
	buf_lit(&b, "{\"resume\":");
	if (x->said.resume.n > 0)
		buf_add(&b, buf_str(&x->said.resume));
	else
		add_answer(&b, &x->said);
	buf_add_char(&b, '}');
	if (rc == OK)
		rc = b.failed ? ERR_TOOBIG : json_parse(&x->command, buf_str(&b), &c->err);
	buf_release(&b);
	return rc;
}

static int
make_metadata(struct call *c, struct asked *x)
{
	char id[UUID_TEXT];

	uuid_format(&c->a2a->first, id);
	return json_parse(&x->metadata, arena_fmt(&c->r->arena, "{\"" A2A_TASK "\":\"%.*s\"}",
	    UUID_TEXT, id), &c->err);
}

/* A task keeps its push notification config when it goes on, unless the message brings
 * another. */
static int
keep_push(struct call *c, struct asked *x)
{
	struct json_doc d = { 0 };
	int rc = OK;

	if (x->push.n == 0)
		rc = store_run_push_get(c->api->reader, c->owner, &c->a2a->run.id,
		    &c->r->arena, &x->push);
	if (rc == OK && x->url.n == 0 && x->push.n > 0 && json_parse(&d, x->push, NULL) == OK)
		x->url = arena_str(&c->r->arena, json_str(json_get(d.root, S("url"))));
	json_release(&d);
	return rc;
}

/* A context is a thread: the named one, created if it is not there, or a new one. */
static int
read_context(struct call *c, struct asked *x, struct door_ask *ask)
{
	jnode n = json_get(x->message, S("contextId"));
	struct str id = json_str(n);

	ask->create_thread = true;
	ask->thread_id = uuid_v7();
	if (x->said.resume.n > 0)
		return err_set(&c->err, ERR_INVALID, "resume: expected the message's taskId, of "
		    "the task that waits");
	if (json_is_null(n) || (json_is_string(n) && id.n == 0))
		return OK;
	return uuid_parse(id, &ask->thread_id) ? OK : err_set(&c->err, ERR_INVALID,
	    "message.contextId: expected a UUID");
}

static int
start(struct call *c, struct asked *x, struct door_ask *ask)
{
	struct sending *sending;
	int rc;

	c->thread_id = ask->thread_id;
	if (x->at_once)
		return door_start_background(c, ask, created, c);
	sending = sending_new(c);
	rc = door_start(c, ask, &events, sending);
	if (rc != OK)
		sending_free(sending);
	return rc;
}

static int
send_message(struct call *c, const struct jsonrpc *q, bool resumes)
{
	struct door_ask ask = { .assistant = c->a2a->assistant, .wants_values = true,
	    .keeps_on = true, .passing = true };
	struct asked x;
	int rc = read_asked(c, q, &x);

	if (rc == OK && resumes) {
		ask.thread_id = c->a2a->thread.id;
		rc = make_command(c, &x);
		if (rc == OK)
			rc = make_metadata(c, &x);
		if (rc == OK)
			rc = keep_push(c, &x);
	} else if (rc == OK) {
		rc = read_context(c, &x, &ask);
		if (rc == OK)
			rc = make_input(c, &x);
	}
	ask.input = x.input.root;
	ask.command = x.command.root;
	ask.metadata = x.metadata.root;
	ask.webhook = x.url;
	ask.push_json = x.push;
	if (rc == OK)
		rc = start(c, &x, &ask);
	asked_release(&x);
	if (rc == A2A_CONTENT_TYPE)
		return jsonrpc_refuse(c, rc, "acceptedOutputModes: expected some of "
		    "text/plain and application/json");
	return rc;
}

/* The task was found; the body is read again. */
static int
answer_task(struct call *c)
{
	const struct a2a_call *a = c->a2a;
	struct a2a_shown t = a2a_shown_of(c);
	struct jsonrpc q;
	struct str context;
	struct uuid id;
	int rc = jsonrpc_read(c, &q);

	context = json_str(json_get(json_get(q.params, S("message")), S("contextId")));
	if (rc != OK)
		rc = jsonrpc_refuse(c, rc, "%s", c->err.text);
	else if (context.n > 0 && (!uuid_parse(context, &id) || !uuid_eq(&id, &a->thread.id)))
		rc = jsonrpc_refuse(c, JSONRPC_PARAMS, "message.contextId: the task is of "
		    "another context");
	else if (t.state != A2A_INPUT)
		rc = jsonrpc_refuse(c, A2A_UNSUPPORTED, a2a_under_way(&a->run) ?
		    "the task is under way; wait until it asks" :
		    "the task has ended; leave taskId out to begin another of its context");
	else
		rc = a2a_fail(c, send_message(c, &q, true));
	jsonrpc_release(&q);
	return rc;
}

int
a2a_send(struct call *c, const struct jsonrpc *q)
{
	jnode task = json_get(json_get(q->params, S("message")), S("taskId"));

	if (json_is_null(task) || (json_is_string(task) && json_str(task).n == 0))
		return send_message(c, q, false);
	return a2a_find_task(c, json_str(task), THREADS_CREATE_RUN, answer_task);
}

/* ---- following a task ------------------------------------------------------------------------ */

static int
follow(struct call *c)
{
	const struct a2a_call *a = c->a2a;
	struct sending *x;

	if (!a2a_under_way(&a->run))
		return jsonrpc_refuse(c, A2A_UNSUPPORTED, "nothing of the task is under way; "
		    "get it instead");
	x = sending_new(c);
	door_join(c, &a->thread, &a->run, &events, x);
	return OK;
}

int
a2a_subscribe(struct call *c, const struct jsonrpc *q)
{
	return a2a_find_task(c, json_str(json_get(q->params, S("id"))), THREADS_READ, follow);
}
