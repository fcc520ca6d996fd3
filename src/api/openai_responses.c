/*
 * openai_responses.c - POST /v1/responses.
 *
 * A response is a run on a thread: a new one, that of the conversation, or the one of
 * the previous response, after its last step.  With store: false it is a run
 * without a thread.
 *
 * The events of a stream, each with its number:
 *
 *   created, in_progress
 *   of each message: output_item.added, content_part.added, output_text.delta ...,
 *                    output_text.done, content_part.done, output_item.done
 *   completed | incomplete | failed
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/openai_response.h"

#include <stdio.h>

#include "base/mem.h"

struct item { char *id; struct buf raw; bool done; };

struct reply {
	struct response r;                   /* its texts are `texts` */
	bool stream;
	char *texts[4];
	struct item *items;
	size_t n, cap;
	int64_t sequence;                    /* of the next event */
	struct buf open;                     /* of a delta, up to its text */
};

static void
reply_free(void *ctx)
{
	struct reply *x = ctx;

	for (size_t i = 0; i < x->n; i++) {
		free(x->items[i].id);
		buf_release(&x->items[i].raw);
	}
	for (size_t i = 0; i < COUNT(x->texts); i++)
		free(x->texts[i]);
	free(x->items);
	buf_release(&x->open);
	free(x);
}

/* The response outlives the request. */
static void
keep_texts(struct reply *x)
{
	struct str *texts[] = { &x->r.model, &x->r.instructions, &x->r.previous,
	    &x->r.metadata_json };

	for (size_t i = 0; i < COUNT(texts); i++) {
		x->texts[i] = mem_cstr(*texts[i]);
		*texts[i] = (struct str){ x->texts[i], texts[i]->n };
	}
}

static struct response_item
shown(const struct item *i)
{
	return (struct response_item){ .id = str_of(i->id), .raw = buf_str(&i->raw),
	    .done = i->done };
}

/* ---- events -------------------------------------------------------------------------- */

/* Opens an event; its members follow, then event_send. */
static struct buf
event_open(const char *type)
{
	struct buf b = BUF(4 * (size_t)LIMIT_STATE_BYTES);

	buf_add_fmt(&b, "event: response.%s\ndata: ", type);
	json_add_fmt(&b, "{'type':'response.%-s'", type);
	return b;
}

static void
event_send(struct door *d, struct reply *x, struct buf *b)
{
	json_add_fmt(b, ",'sequence_number':%lld}", (long long)x->sequence++);
	buf_lit(b, "\n\n");
	door_send_buf(d, b);
}

static void
add_response(struct buf *b, struct reply *x, const char *status)
{
	struct response_item *items = mem_alloc((x->n + 1) * sizeof *items);

	for (size_t i = 0; i < x->n; i++)
		items[i] = shown(&x->items[i]);
	x->r.items = items;
	x->r.items_n = x->n;
	x->r.status = status;
	response_add(b, &x->r);
	free(items);
}

static void
send_response(struct door *d, struct reply *x, const char *type, const char *status)
{
	struct buf b = event_open(type);

	json_add_key(&b, "response");
	add_response(&b, x, status);
	event_send(d, x, &b);
}

static void
add_place(struct buf *b, const struct reply *x, bool of_item)
{
	const char *id = x->items[x->n - 1].id;

	if (!of_item)
		json_add_fmt(b, ",'item_id':\"%-s%-s\"", str_starts(str_of(id), S("msg_")) ?
		    "" : "msg_", id);
	json_add_fmt(b, ",'output_index':%zu", x->n - 1);
	if (!of_item)
		json_add_fmt(b, ",'content_index':0");
}

static void
send_item(struct door *d, struct reply *x, const char *type)
{
	struct response_item item = shown(&x->items[x->n - 1]);
	struct buf b = event_open(type);

	add_place(&b, x, true);
	json_add_key(&b, "item");
	response_add_item(&b, &item);
	event_send(d, x, &b);
}

static void
send_part(struct door *d, struct reply *x, const char *type, struct str raw)
{
	struct buf b = event_open(type);

	add_place(&b, x, false);
	json_add_fmt(&b, ",'part':{'type':'output_text','text':\"%-.*s\",'annotations':[],"
	    "'logprobs':[]}", FMT(raw));
	event_send(d, x, &b);
}

static void
send_text_done(struct door *d, struct reply *x, struct str raw)
{
	struct buf b = event_open("output_text.done");

	add_place(&b, x, false);
	json_add_fmt(&b, ",'text':\"%-.*s\",'logprobs':[]", FMT(raw));
	event_send(d, x, &b);
}

/* The message that is being told is over. */
static void
end_item(struct door *d, struct reply *x)
{
	struct item *i = x->n > 0 ? &x->items[x->n - 1] : NULL;

	if (i == NULL || i->done)
		return;
	i->done = true;
	if (!x->stream)
		return;
	send_text_done(d, x, buf_str(&i->raw));
	send_part(d, x, "content_part.done", buf_str(&i->raw));
	send_item(d, x, "output_item.done");
}

/* ---- what the run tells ---------------------------------------------------------------- */

static void
reply_started(struct door *d, void *ctx)
{
	struct reply *x = ctx;

	x->r.run_id = *door_run(d);
	x->r.thread_id = *door_thread(d);
	if (!x->stream)
		return;
	door_stream(d, openai_lines(door_call(d), door_thread(d), door_run(d)));
	send_response(d, x, "created", "in_progress");
	send_response(d, x, "in_progress", "in_progress");
}

static void
reply_message(struct door *d, void *ctx, struct str id)
{
	struct reply *x = ctx;

	end_item(d, x);
	mem_grow(x->items, x->n, x->cap);
	x->items[x->n++] = (struct item){ .id = mem_cstr(id), .raw = BUF(LIMIT_STATE_BYTES) };
	if (!x->stream)
		return;
	send_item(d, x, "output_item.added");
	send_part(d, x, "content_part.added", S(""));
	buf_release(&x->open);
	x->open = event_open("output_text.delta");
	add_place(&x->open, x, false);
	json_add_fmt(&x->open, ",'delta':\"");
}

static void
reply_text(struct door *d, void *ctx, struct str raw)
{
	struct reply *x = ctx;
	char end[64];
	int n;

	buf_add(&x->items[x->n - 1].raw, raw);
	if (!x->stream)
		return;
	n = snprintf(end, sizeof end, "\",\"logprobs\":[],\"sequence_number\":%lld}\n\n",
	    (long long)x->sequence++);
	const struct str parts[3] = { buf_str(&x->open), raw, { end, (size_t)n } };
	door_send_parts(d, parts, COUNT(parts));
}

static void
answer(struct call *c, struct reply *x, const char *status)
{
	add_response(call_out(c), x, status);
	call_finish(c, call_json(c, openai_lines(c, &x->r.thread_id, &x->r.run_id)));
}

/* Which event and status tell how the run ended. */
static void
settle(struct door *d, struct reply *x, const struct run_end *end, const char **type,
    const char **status)
{
	bool waits = end->status == RUN_INTERRUPTED && end->interrupts_json.n > 0;

	x->r.usage = &end->usage;
	if (x->r.failure != NULL) {
		*type = "failed";
		*status = end->status == RUN_INTERRUPTED ? "cancelled" : "failed";
		return;
	}
	if (waits)
		door_tell_questions(d, end->interrupts_json);
	end_item(d, x);
	x->r.incomplete = waits ? S("input_required") :
	    response_incomplete(door_finish_reason(d));
	*type = *status = x->r.incomplete.n > 0 ? "incomplete" : "completed";
}

static void
reply_end(struct door *d, void *ctx, int rc, const struct run_end *end, const struct err *e)
{
	static const struct run_end none = { .status = RUN_ERROR };
	struct arena a = ARENA(LIMIT_STATE_BYTES);
	const char *type = "failed", *status = "failed";
	struct reply *x = ctx;
	struct call *c = door_call(d);
	struct door_failure f = { str_of(rc_name(rc)), str_of(e->text) };

	if (rc < 0 && c != NULL) {
		call_fail(c, rc, e);
		return;
	}
	if (rc < 0 || openai_failed(end, &a, &f))
		x->r.failure = &f;
	settle(d, x, rc < 0 ? &none : end, &type, &status);
	if (c != NULL) {
		answer(c, x, status);
	} else {
		send_response(d, x, type, status);
		door_end_stream(d);
	}
	arena_release(&a);
}

/* ---- where it goes on ----------------------------------------------------------------------- */

/* The newest step of the previous response was looked for. */
static int
previous_found(struct call *c)
{
	const struct store_history *op = &c->op.history;

	if (op->states_n == 0) {
		door_forget(c);
		return err_set(&c->err, ERR_INVALID, "previous_response_id: that response "
		    "left nothing to go on from");
	}
	c->made.id = op->states[0].c.id;
	return door_read_again(c);
}

static int
previous_look_up(struct call *c, const struct store_run *run, int64_t thread_seq)
{
	int rc;

	door_keep(c, api_openai_respond);
	rc = door_ask_state(c, thread_seq, &run->id, previous_found);
	if (rc != OK)
		door_forget(c);
	return rc == OK ? ERR_AGAIN : rc;
}

/* After the previous response: at the thread's head if that is its last step. */
static int
continue_after(struct call *c, struct str previous, struct door_ask *ask)
{
	static const struct uuid newest;
	struct store_state head;
	struct store_thread t;
	struct store_run run;
	struct uuid id;
	int rc = ERR_NOTFOUND;

	if (response_id_parse(previous, "resp_", &id))
		rc = door_find_run(c, &id, THREADS_CREATE_RUN, &run, &t);
	if (rc < 0)
		return rc != ERR_NOTFOUND ? rc : err_set(&c->err, rc, "previous_response_id: "
		    "there is no response \"%.*s\"", FMT(param_shown(previous)));
	if (run.status == RUN_PENDING || run.status == RUN_RUNNING)
		return err_set(&c->err, ERR_CONFLICT, "previous_response_id: that response is "
		    "still in progress");
	if (uuid_is_zero(&c->made.id))
		return previous_look_up(c, &run, t.seq);
	ask->thread_id = run.thread_id;
	rc = store_state_get(c->api->reader, c->owner, t.seq, STR_NONE, &newest, 0,
	    &c->r->arena, &head);
	if (rc == OK && !uuid_eq(&head.c.id, &c->made.id))
		ask->checkpoint = c->made.id;
	return rc;
}

/* A thread's id, or an object that has it. */
static int
conversation_read(struct call *c, struct reply *x, struct door_ask *ask)
{
	jnode n = fields_any(c->in, "conversation");
	struct store_thread t;
	int rc = ERR_NOTFOUND;

	if (json_is_null(n))
		return OK;
	if (json_is_object(n))
		n = json_get(n, S("id"));
	if (response_id_parse(json_str(n), "conv_", &ask->thread_id))
		rc = door_find_thread(c, &ask->thread_id, THREADS_CREATE_RUN, &t);
	x->r.conversation = true;
	return rc != ERR_NOTFOUND ? rc : err_set(&c->err, rc, "conversation: there is no "
	    "conversation \"%.*s\"", FMT(param_shown(json_str(n))));
}

static int
place_read(struct call *c, struct reply *x, struct door_ask *ask)
{
	int rc = conversation_read(c, x, ask);

	if (rc == OK && x->r.previous.n > 0)
		rc = continue_after(c, x->r.previous, ask);
	if (rc != OK || !x->r.store || !uuid_is_zero(&ask->thread_id))
		return rc;
	ask->thread_id = uuid_v7();
	ask->create_thread = true;
	return OK;
}

/* ---- what is asked --------------------------------------------------------------------------- */

static void
read_options(struct call *c, struct reply *x)
{
	struct fields options;
	bool ignored = false, conversation = !json_is_null(fields_any(c->in, "conversation"));

	fields_bool(c->in, "stream", &x->stream);
	fields_bool(c->in, "store", &x->r.store);
	fields_bool(c->in, "background", &x->r.background);
	openai_read_model(c, &x->r.model);
	fields_str(c->in, "previous_response_id", LIMIT_NAME_BYTES, &x->r.previous);
	fields_str(c->in, "instructions", LIMIT_METADATA_BYTES, &x->r.instructions);
	x->r.metadata_json = openai_metadata(c, NULL);
	if (fields_object(c->in, "stream_options", &options)) {
		fields_bool(&options, "include_obfuscation", &ignored);
		(void)fields_end(&options);
	}
	if (conversation && x->r.previous.n > 0)
		fields_fail(c->in, "conversation", ERR_INVALID, "not together with "
		    "previous_response_id");
	if (!x->r.store && (conversation || x->r.previous.n > 0 || x->r.background))
		fields_fail(c->in, "store", ERR_INVALID, "false: not together with %s, which "
		    "needs what is stored", conversation ? "conversation" :
		    x->r.background ? "background" : "previous_response_id");
	if (x->stream && x->r.background)
		fields_fail(c->in, "stream", ERR_INVALID, "not together with background; "
		    "GET /v1/responses/{id} tells how far it is");
}

struct documents { struct openai_said said; struct json_doc config, metadata; };

static int
read_all(struct call *c, struct reply *x, struct door_ask *ask, struct documents *d)
{
	static const char *const tokens[] = { "max_output_tokens", NULL };
	struct buf input = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	struct buf config = BUF(2 * (size_t)LIMIT_METADATA_BYTES);
	struct buf metadata = BUF(4 * (size_t)LIMIT_METADATA_BYTES);
	bool fresh;
	int rc;

	read_options(c, x);
	openai_add_config(c, &config, tokens, "instructions");
	openai_add_input(c, &input);
	response_add_metadata(&metadata, &x->r);
	rc = c->in->rc;
	if (rc == OK)
		rc = door_find(c, "model", x->r.model, api_openai_respond, &ask->assistant);
	if (rc == OK)
		rc = door_takes_messages(c, "model", &ask->assistant);
	if (rc == OK)
		rc = place_read(c, x, ask);
	fresh = ask->create_thread || !uuid_is_zero(&ask->checkpoint);
	if (rc == OK)
		rc = openai_say(c, &ask->thread_id, fresh, buf_str(&input), &d->said);
	if (rc == OK)
		rc = json_parse(&d->config, buf_str(&config), &c->err);
	if (rc == OK)
		rc = json_parse(&d->metadata, buf_str(&metadata), &c->err);
	buf_release(&input);
	buf_release(&config);
	buf_release(&metadata);
	return rc;
}

/* ---- in the background ------------------------------------------------------------------------ */

static void
background_created(void *ctx, int rc, const struct store_run *run, const struct err *e)
{
	struct call *c = ctx;
	struct response r;

	if (rc < 0) {
		call_fail(c, rc, e);
		return;
	}
	response_read(&r, run, &c->r->arena);
	r.status = "queued";
	response_add(call_out(c), &r);
	call_finish(c, call_json(c, openai_lines(c, &run->thread_id, &run->id)));
}

int
api_openai_respond(struct call *c)
{
	static const struct door_events events = { .started = reply_started,
	    .message = reply_message, .text = reply_text, .end = reply_end,
	    .release = reply_free };
	struct reply *x = mem_new(struct reply);
	struct door_ask ask = { .passing = true };
	struct documents d = { 0 };
	bool kept = false;
	int rc;

	x->r.store = true;
	x->r.created = shard_wall(c->api->shard);
	openai_check(c, OPENAI_RESPONSES);
	rc = read_all(c, x, &ask, &d);
	keep_texts(x);
	ask.input = d.said.input.root;
	ask.command = d.said.command.root;
	ask.config = d.config.root;
	ask.metadata = d.metadata.root;
	c->thread_id = ask.thread_id;
	if (rc == OK && x->r.background) {
		rc = door_start_background(c, &ask, background_created, c);
	} else if (rc == OK) {
		rc = door_start(c, &ask, &events, x);
		kept = rc == OK;
	}
	if (!kept)
		reply_free(x);
	openai_said_release(&d.said);
	json_release(&d.config);
	json_release(&d.metadata);
	return rc == ERR_AGAIN ? OK : rc;
}
