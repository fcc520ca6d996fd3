/*
 * openai_chat.c - POST /v1/chat/completions.
 *
 * Without a thread (metadata.thread_id) the messages are the whole conversation and
 * nothing is kept.  With one, those after the last assistant's message are new; they go
 * to the thread, or answer the question that it waits with.
 *
 * The chunks of a stream differ in their text alone: what comes before and after it is
 * prepared once, and a piece of the model's answer is sent between the two unchanged.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/openai.h"

#include "base/mem.h"

struct chat {
	bool stream, usage;
	char *model;
	struct buf head;                     /* of every chunk, up to its choices */
	struct buf open, close;              /* around the text of a chunk */
	struct buf text;                     /* raw, of an answer that does not stream */
};

static void
chat_free(void *ctx)
{
	struct chat *x = ctx;

	if (x == NULL)
		return;
	free(x->model);
	buf_release(&x->head);
	buf_release(&x->open);
	buf_release(&x->close);
	buf_release(&x->text);
	free(x);
}

/* ---- chunks ------------------------------------------------------------------------ */

/* `"id":..,"object":..,"created":..,"model":..` */
static void
add_head(struct buf *b, const struct chat *x, struct door *d, const char *object)
{
	json_add_fmt(b, "{'id':'chatcmpl-");
	uuid_add(b, door_run(d));
	json_add_fmt(b, "','object':%s,'created':%lld,'model':%s,'system_fingerprint':null",
	    object, (long long)(shard_wall(door_shard(d)) / 1000), x->model);
}

/* The usage is null in all chunks but the last, if it was asked for. */
static void
send_chunk(struct door *d, struct chat *x, const char *delta, const char *finish)
{
	struct buf b = BUF(KB);
	struct str parts[2];

	json_add_fmt(&b, "'choices':[{'index':0,'delta':%-s,'logprobs':null,"
	    "'finish_reason':", delta);
	if (finish == NULL)
		buf_lit(&b, "null");
	else
		json_add_str(&b, str_of(finish));
	buf_add(&b, x->usage ? S("}],\"usage\":null}\n\n") : S("}]}\n\n"));
	parts[0] = buf_str(&x->head);
	parts[1] = buf_str(&b);
	door_send_parts(d, parts, COUNT(parts));
	buf_release(&b);
}

static void
chat_started(struct door *d, void *ctx)
{
	struct chat *x = ctx;
	struct call *c = door_call(d);

	if (!x->stream)
		return;
	buf_lit(&x->head, "data: ");
	add_head(&x->head, x, d, "chat.completion.chunk");
	buf_add_char(&x->head, ',');
	buf_add(&x->open, buf_str(&x->head));
	json_add_fmt(&x->open, "'choices':[{'index':0,'delta':{'content':\"");
	json_add_fmt(&x->close, "\"},'logprobs':null,'finish_reason':null}]%-s}",
	    x->usage ? ",\"usage\":null" : "");
	buf_lit(&x->close, "\n\n");
	door_stream(d, openai_lines(c, door_thread(d), door_run(d)));
	send_chunk(d, x, "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}", NULL);
}

static void
chat_text(struct door *d, void *ctx, struct str raw)
{
	struct chat *x = ctx;
	struct str parts[4] = { buf_str(&x->open), door_joint(d), raw, buf_str(&x->close) };

	if (x->stream) {
		door_send_parts(d, parts, COUNT(parts));
	} else {
		buf_add(&x->text, parts[1]);
		buf_add(&x->text, raw);
	}
}

/* ---- the end ---------------------------------------------------------------------- */

static void
add_usage(struct buf *b, const struct llm_usage *u)
{
	json_add_fmt(b, "'usage':{'prompt_tokens':%lld,'completion_tokens':%lld,"
	    "'total_tokens':%lld,'prompt_tokens_details':{'cached_tokens':%lld},"
	    "'completion_tokens_details':{'reasoning_tokens':%lld}}",
	    (long long)u->input_tokens, (long long)u->output_tokens,
	    (long long)(u->input_tokens + u->output_tokens), (long long)u->cached_tokens,
	    (long long)u->reasoning_tokens);
}

static void
send_failure(struct door *d, const struct door_failure *f)
{
	struct buf b = BUF(2 * (size_t)LIMIT_METADATA_BYTES);

	buf_lit(&b, "data: {\"error\":");
	openai_add_failure(&b, f);
	buf_lit(&b, "}\n\n");
	door_send_buf(d, &b);
	door_end_stream(d);
}

static void
end_stream(struct door *d, struct chat *x, const struct run_end *end)
{
	struct buf b = BUF(KB);
	struct str parts[2];

	send_chunk(d, x, "{}", openai_finish(door_finish_reason(d)));
	if (x->usage) {
		buf_lit(&b, "\"choices\":[],");
		add_usage(&b, &end->usage);
		buf_lit(&b, "}\n\n");
		parts[0] = buf_str(&x->head);
		parts[1] = buf_str(&b);
		door_send_parts(d, parts, COUNT(parts));
		buf_release(&b);
	}
	door_send(d, S("data: [DONE]\n\n"));
	door_end_stream(d);
}

static void
answer(struct door *d, struct chat *x, const struct run_end *end)
{
	struct call *c = door_call(d);
	struct buf *b = call_out(c);

	add_head(b, x, d, "chat.completion");
	json_add_fmt(b, ",'choices':[{'index':0,'message':{'role':'assistant',"
	    "'content':\"");
	buf_add(b, buf_str(&x->text));
	json_add_fmt(b, "\",'refusal':null,'annotations':[]},'logprobs':null,"
	    "'finish_reason':%s}],", openai_finish(door_finish_reason(d)));
	add_usage(b, &end->usage);
	buf_add_char(b, '}');
	b->failed = b->failed || x->text.failed;
	call_finish(c, call_json(c, openai_lines(c, door_thread(d), door_run(d))));
}

static void
chat_end(struct door *d, void *ctx, int rc, const struct run_end *end, const struct err *e)
{
	struct arena a = ARENA(LIMIT_STATE_BYTES);
	struct call *c = door_call(d);
	struct chat *x = ctx;
	struct door_failure f;

	if (rc < 0) {
		f = (struct door_failure){ str_of(rc_name(rc)), str_of(e->text) };
		if (c != NULL)
			call_fail(c, rc, e);
		else
			send_failure(d, &f);
	} else if (openai_failed(end, &a, &f)) {
		if (c != NULL)
			openai_reply_failure(c, &f, openai_lines(c, door_thread(d),
			    door_run(d)));
		else
			send_failure(d, &f);
	} else {
		if (end->status == RUN_INTERRUPTED)
			door_tell_questions(d, end->interrupts_json);
		if (c != NULL)
			answer(d, x, end);
		else
			end_stream(d, x, end);
	}
	arena_release(&a);
}

/* ---- what is asked ------------------------------------------------------------------- */

static void
read_stream(struct call *c, struct chat *x)
{
	struct fields options;
	bool ignored = false;

	fields_bool(c->in, "stream", &x->stream);
	if (fields_object(c->in, "stream_options", &options)) {
		fields_bool(&options, "include_usage", &x->usage);
		fields_bool(&options, "include_obfuscation", &ignored);
		(void)fields_end(&options);
		if (!x->stream)
			fields_fail(c->in, "stream_options", ERR_INVALID,
			    "only with stream: true");
	}
	x->usage = x->usage && x->stream;
}

/* The messages that the thread does not have: those after the last answer. */
static void
add_new_messages(struct call *c, struct buf *b, jnode list, bool all)
{
	size_t from = 0, n = json_count(list);

	for (size_t i = 0; i < n && !all; i++)
		if (openai_is_role(json_at(list, i), S("assistant")))
			from = i + 1;
	if (from == n)
		fields_fail(c->in, "messages", ERR_INVALID, "expected a message after "
		    "the last assistant's: those before it are on the thread already");
	buf_add_char(b, '[');
	for (size_t i = from; i < n; i++) {
		json_add_comma(b);
		json_add_node(b, json_at(list, i));
	}
	buf_add_char(b, ']');
}

/* Reads the body; ask's documents are in *said and *config. */
static int
read_chat(struct call *c, struct chat *x, struct door_ask *ask, struct openai_said *said,
    struct json_doc *config)
{
	static const char *const tokens[] = { "max_tokens", "max_completion_tokens", NULL };
	struct buf b = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES), settings = BUF(KB);
	jnode list = fields_any(c->in, "messages");
	struct str model = STR_NONE;
	int rc;

	openai_read_model(c, &model);
	read_stream(c, x);
	(void)openai_metadata(c, &ask->thread_id);
	openai_check_messages(c, "messages", list);
	openai_add_config(c, &settings, tokens, NULL);
	if (c->in->rc == OK)
		add_new_messages(c, &b, list, uuid_is_zero(&ask->thread_id));
	rc = c->in->rc;
	if (rc == OK)
		rc = door_find(c, "model", model, api_openai_chat, &ask->assistant);
	if (rc == OK)
		rc = door_takes_messages(c, "model", &ask->assistant);
	if (rc == OK)
		rc = openai_say(c, &ask->thread_id, false, buf_str(&b), said);
	if (rc == OK)
		rc = json_parse(config, buf_str(&settings), &c->err);
	x->model = mem_cstr(model);
	ask->input = said->input.root;
	ask->command = said->command.root;
	ask->config = config->root;
	c->thread_id = ask->thread_id;
	buf_release(&b);
	buf_release(&settings);
	return rc;
}

int
api_openai_chat(struct call *c)
{
	static const struct door_events events = { .started = chat_started,
	    .text = chat_text, .end = chat_end, .release = chat_free };
	struct chat *x = mem_new(struct chat);
	struct door_ask ask = { .passing = true };
	struct openai_said said = { 0 };
	struct json_doc config = { 0 };
	int rc;

	x->head = x->open = x->close = BUF(4 * KB);
	x->text = BUF(LIMIT_STATE_BYTES);
	openai_check(c, OPENAI_CHAT);
	rc = read_chat(c, x, &ask, &said, &config);
	if (rc == OK)
		rc = door_start(c, &ask, &events, x);
	if (rc != OK)
		chat_free(x);
	openai_said_release(&said);
	json_release(&config);
	return rc == ERR_AGAIN ? OK : rc;
}
