/*
 * llm.c - asks a model once.  Its result is {message, text, output, usage}, and
 * tool_calls where the model asks for tools: {id, name} of each, the invalid ones
 * too, because they are answered (with an error).
 *
 * Deltas are asked for only when somebody reads them or will be able to.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/json.h"
#include "base/scan.h"
#include "task/llm_priv.h"

#define REQUEST_BYTES (4 * (size_t)LIMIT_STATE_BYTES)

/* What a failed model's event is called towards clients. */
static const struct {
	const char *event, *name;
} classes[] = {
	{ "error.llm.rate_limited",    "RateLimitError" },
	{ "error.llm.overloaded",      "OverloadedError" },
	{ "error.llm.auth",            "AuthenticationError" },
	{ "error.llm.invalid_request", "BadRequestError" },
	{ "error.llm.context_length",  "ContextLengthError" },
	{ "error.llm.timeout",         "APITimeoutError" },
	{ "error.llm.transport",       "APIConnectionError" },
	{ "error.llm.tool_validation", "ToolValidationError" },
	{ "error.llm.max_turns",       "MaxTurnsError" },
	{ "error.llm.backend",         "InternalServerError" },
};

static void
fail(struct llm_piece *w, const char *event, const char *words)
{
	const char *name = "InternalServerError";

	if (event == NULL)
		event = "error.llm.backend";
	for (size_t i = 0; i < COUNT(classes); i++)
		if (str_eq(str_of(event), str_of(classes[i].event)))
			name = classes[i].name;
	llm_stream_end(w, VAL_UNDEF);
	piece_fail(&w->p, event, name, "%s", words);
}

/* ---- the stream --------------------------------------------------------------------- */

void
llm_stream_begin(struct llm_piece *w, struct str model)
{
	struct task *t = w->p.task;

	if (t->host->stream_begin != NULL)
		w->stream = t->host->stream_begin(t->ctx, model);
	w->streaming = true;
}

void
llm_stream_end(struct llm_piece *w, struct val message)
{
	struct task *t = w->p.task;

	if (w->streaming && t->host->stream_end != NULL)
		t->host->stream_end(t->ctx, w->stream, message);
	w->streaming = false;
}

bool
llm_wants_deltas(struct llm_piece *w)
{
	struct task *t = w->p.task;

	return agent_bool(piece_field(&w->p, LLM_STREAM), true) &&
	    t->host->wants_deltas != NULL && t->host->stream_delta != NULL &&
	    t->host->wants_deltas(t->ctx);
}

struct str
llm_message_id(struct llm_piece *w, struct str own)
{
	struct task *t = w->p.task;

	return t->host->message_id == NULL ? own :
	    t->host->message_id(t->ctx, w->stream, own);
}

static void
on_delta(void *ctx, const struct llm_delta *d)
{
	struct llm_piece *w = ctx;
	struct task *t = w->p.task;

	if (!task_enter(t))
		return;
	t->host->stream_delta(t->ctx, w->stream, d);
	task_leave(t);
}

/* ---- the answer ------------------------------------------------------------------------ */

struct val
llm_text(struct val message)
{
	struct val content = val_get(message, S("content")), out;
	struct buf b = BUF(LIMIT_STATE_BYTES);

	if (content.kind == VAL_STRING)
		return val_ref(content);
	for (size_t i = 0; i < val_count(content); i++) {
		struct val block = val_at(content, i);
		struct val text = block.kind != VAL_OBJECT ? block :
		    val_get(block, S("text"));

		if (text.kind == VAL_STRING)
			buf_add(&b, val_str(text));
	}
	out = val_string(buf_str(&b));
	buf_release(&b);
	return out;
}

static struct val
calls_add(struct val list, struct val calls)
{
	for (size_t i = 0; i < val_count(calls); i++) {
		struct val call = val_at(calls, i), one = val_object_empty();

		one = val_set_take(one, S("id"), val_ref(val_get(call, S("id"))));
		one = val_set_take(one, S("name"), val_ref(val_get(call, S("name"))));
		list = val_push_take(list, one);
	}
	return list;
}

/* The JSON in a text: models like to put it into a code fence. */
static struct str
without_fence(struct str text)
{
	ptrdiff_t line;

	text = str_trim(text);
	if (!str_starts(text, S("```")) || !str_ends(text, S("```")) || text.n < 7)
		return text;
	line = str_index(text, '\n');
	return line < 0 ? text :
	    str_trim(str_sub(text, (size_t)line, text.n - 3 - (size_t)line));
}

/* The schema of `output`: the field's `schema`, or all of it. */
static struct val
output_schema(const struct agent_value *output)
{
	struct val schema = val_get(output->constant, S("schema"));

	return schema.kind == VAL_OBJECT ? schema : output->constant;
}

static int
check_output(const struct agent_value *output, struct str json, struct err *e)
{
	struct buf text = BUF(LIMIT_STATE_BYTES);
	struct json_doc schema = { 0 }, value = { 0 };
	struct err why;
	int rc = json_parse(&value, json, &why);

	if (rc != OK)
		err_set(e, rc, "it is not JSON: %s", json_words(why.text));
	val_add_json(&text, output_schema(output));
	if (rc == OK)
		rc = json_parse(&schema, buf_str(&text), e);
	if (rc == OK)
		rc = tools_check_value(schema.root, value.root, e);
	json_release(&schema);
	json_release(&value);
	buf_release(&text);
	return rc;
}

/* False: the piece has failed. */
static bool
read_output(struct llm_piece *w, struct val text, struct val *out)
{
	const struct agent_value *output = piece_field(&w->p, LLM_OUTPUT);
	struct str json = without_fence(val_str(text));
	struct err e;

	*out = VAL_NIL;
	if (!agent_has(output))
		return true;
	if (check_output(output, json, &e) == OK && val_json(out, json, &e) == OK)
		return true;
	*out = VAL_NIL;
	piece_fail(&w->p, "error.llm.tool_validation", "ToolValidationError",
	    "the answer is not what `output` asks for: %s", e.text);
	return false;
}

static struct val
result_make(struct val message, struct val text, struct val output)
{
	struct val calls = val_array_empty(), result = val_object_empty();
	struct val usage = val_get(message, S("usage_metadata"));

	calls = calls_add(calls, val_get(message, S("tool_calls")));
	calls = calls_add(calls, val_get(message, S("invalid_tool_calls")));
	result = val_set_take(result, S("message"), val_ref(message));
	result = val_set_take(result, S("text"), text);
	result = val_set_take(result, S("output"), output);
	result = val_set_take(result, S("usage"), usage.kind == VAL_UNDEFINED ? VAL_NIL :
	    val_ref(usage));
	if (val_count(calls) > 0)
		result = val_set_take(result, S("tool_calls"), calls);
	else
		val_drop(calls);
	return result;
}

void
llm_answered(struct llm_piece *w, struct val message)
{
	struct piece *p = &w->p;
	struct val text = llm_text(message), output;
	struct val list = val_push_take(val_array_empty(), val_ref(message));

	llm_stream_end(w, message);
	if (!read_output(w, text, &output)) {
		val_drop(list);
		val_drop(text);
	} else if (!piece_write_messages(p, list, REDUCE_STORED | REDUCE_NEW_IDS)) {
		val_drop(text);
		val_drop(output);
	} else {
		piece_done(p, result_make(message, text, output));
	}
	val_drop(message);
}

static void
on_answer(struct llm_piece *w, const struct llm_answer *a)
{
	struct val message;
	struct err why;

	if (a->calls_n > LIMIT_TOOL_CALLS) {
		err_set(&why, ERR_LIMIT, "the model asks for %zu tool calls at once; the "
		    "limit is %d", a->calls_n, LIMIT_TOOL_CALLS);
		fail(w, NULL, why.text);
	} else if (message_of_answer(a->message_json, llm_message_id(w, a->id), &message,
	    &why) != OK) {
		fail(w, NULL, why.text);
	} else {
		piece_spent(&w->p, &a->usage, a->model);
		llm_answered(w, message);
	}
}

static void
on_done(void *ctx, int rc, const struct llm_answer *a, const char *error_event,
    const struct err *e)
{
	struct llm_piece *w = ctx;
	struct task *t = w->p.task;

	w->call = NULL;
	if (!task_enter(t))
		return;
	if (rc == OK)
		on_answer(w, a);
	else
		fail(w, error_event, e->text);
	task_leave(t);
}

/* ---- the question ------------------------------------------------------------------------ */

/* What is not from the channel: messages of the file, a prompt. */
static bool
conversation_base(struct piece *p, struct val *out)
{
	const struct agent_value *field = piece_field(p, LLM_MESSAGES);
	struct val given;
	struct err e;
	int rc;

	*out = VAL_UNDEF;
	if (!agent_has(field)) {
		given = piece_messages(p);
		*out = given.kind == VAL_ARRAY ? val_ref(given) : val_array_empty();
		return p->state == PIECE_RUNS;
	}
	if (!piece_eval(p, LLM_MESSAGES, &given))
		return false;
	rc = messages_from(given, "llm.messages", out, NULL, &e);
	val_drop(given);
	if (rc != OK)
		piece_fail(p, "error.llm.invalid_request", "BadRequestError", "line %u: %s",
		    field->line, e.text);
	return rc == OK;
}

static struct val
add_prompt(struct val list, struct val prompt)
{
	struct val m;
	int rc = message_from(prompt, "llm.prompt", &m, NULL, NULL);

	return rc == OK ? val_push_take(list, m) : list;
}

bool
llm_conversation(struct piece *p, struct val *out)
{
	struct val base, said, prompt;

	if (llm_loop_said(p, &base, &said)) {
		*out = val_ref(base);
		for (size_t i = 0; i < val_count(said); i++)
			*out = val_push_take(*out, val_ref(val_at(said, i)));
		return true;
	}
	if (!conversation_base(p, out))
		return false;
	if (!piece_eval_text(p, LLM_PROMPT, &prompt)) {
		val_drop(*out);
		return false;
	}
	if (prompt.kind == VAL_STRING)
		*out = add_prompt(*out, prompt);
	val_drop(prompt);
	return true;
}

bool
llm_listen(struct llm_piece *w)
{
	return llm_conversation(&w->p, &w->list);
}

/* Their texts, as they are stored. */
static void
request_messages(struct llm_piece *w, struct arena *a, struct llm_request *q)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct str *at;

	q->messages_n = val_count(w->list);
	at = arena_alloc(a, (q->messages_n + 1) * sizeof *at);
	for (size_t i = 0; at != NULL && i < q->messages_n; i++) {
		at[i] = val_json_text(val_at(w->list, i));
		if (at[i].p != NULL)
			continue;
		buf_clear(&b);
		val_add_json(&b, val_at(w->list, i));
		at[i] = arena_str(a, buf_str(&b));
	}
	q->messages = at;
	buf_release(&b);
}

/* The prompt of the file, or the run's; and the form the answer is to have. */
static bool
request_system(struct piece *p, struct arena *a, struct llm_request *q)
{
	const struct agent_value *output = piece_field(p, LLM_OUTPUT);
	const struct task_defaults *d = p->task->defaults;
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct val v;

	if (!piece_eval_text(p, LLM_SYSTEM, &v))
		return false;
	if (v.kind == VAL_STRING)
		buf_add(&b, val_str(v));
	else if (d != NULL)
		buf_add(&b, d->system_prompt);
	val_drop(v);
	if (agent_has(output)) {
		buf_add(&b, b.n > 0 ? S("\n\n") : STR_NONE);
		buf_lit(&b, "Answer with JSON alone, without other words, that agrees with "
		    "this JSON Schema: ");
		val_add_json(&b, output_schema(output));
	}
	q->system_prompt = arena_str(a, buf_str(&b));
	buf_release(&b);
	return true;
}

static bool
request_numbers(struct piece *p, struct llm_request *q)
{
	const struct task_defaults *d = p->task->defaults;
	struct val v;

	q->temperature = d != NULL ? d->temperature : NAN;
	q->max_tokens = d != NULL ? d->max_tokens : 0;
	if (!piece_eval(p, LLM_TEMPERATURE, &v))
		return false;
	if (val_is_number(v))
		q->temperature = val_number(v);
	val_drop(v);
	return piece_eval_int(p, LLM_MAX_TOKENS, 1, INT32_MAX, &q->max_tokens);
}

static bool
request_model(struct piece *p, struct arena *a, struct llm_request *q)
{
	const struct task_defaults *d = p->task->defaults;
	struct val v;

	if (!piece_eval_text(p, LLM_MODEL, &v))
		return false;
	if (v.kind == VAL_STRING && val_str(v).n > 0) {
		q->model = arena_str(a, val_str(v));
	} else if (d != NULL) {
		q->model = d->model;
		q->base_url = d->base_url;
	}
	val_drop(v);
	return true;
}

/* About as many bytes has a token; each model counts in its own way. */
#define BYTES_A_TOKEN 4

static bool
may_ask(struct llm_piece *w, struct llm_request *q)
{
	size_t bytes = q->system_prompt.n;
	int64_t left;

	if (!w->p.task->counts)
		return true;
	for (size_t i = 0; i < q->messages_n; i++)
		bytes += scan_find(q->messages[i], S("content")).n +
		    scan_find(q->messages[i], S("tool_calls")).n;
	for (size_t i = 0; i < q->tools_n; i++)
		bytes += q->tools[i].description.n + q->tools[i].parameters_json.n;
	if (!piece_may_spend(&w->p, &(struct task_cost){ .turns = 1,
	    .tokens = (int64_t)(bytes / BYTES_A_TOKEN) + 1 }))
		return false;
	left = piece_tokens_left(&w->p);
	if (left != INT64_MAX && (q->max_tokens == 0 || q->max_tokens > left))
		q->max_tokens = left;
	return true;
}

static void
send(struct llm_piece *w, const struct llm_request *q)
{
	static const struct { int rc; const char *event; } refusals[] = {
		{ ERR_INVALID, "error.llm.invalid_request" },
		{ ERR_LIMIT, "error.llm.overloaded" },
	};
	struct task *t = w->p.task;
	struct llm_hooks hooks = { on_delta, on_done, w };
	const char *event = NULL;
	struct err e = { 0 };

	llm_stream_begin(w, q->model);
	w->call = t->host->llm(t->ctx, q, &hooks, &e);
	if (w->call != NULL)
		return;
	for (size_t i = 0; i < COUNT(refusals); i++)
		if (e.code == refusals[i].rc)
			event = refusals[i].event;
	fail(w, event, e.text);
}

/* Names the question among those of its task. */
static struct str
request_key(struct piece *p, struct arena *a)
{
	struct buf key = BUF(KEY_BYTES);
	struct str kept = STR_NONE;

	if (p->up == NULL)
		return kept;
	piece_add_key(&key, p, STR_NONE);
	kept = arena_str(a, buf_str(&key));
	buf_release(&key);
	return kept;
}

void
llm_ask(struct llm_piece *w)
{
	struct piece *p = &w->p;
	struct arena a = ARENA(REQUEST_BYTES);
	struct llm_request q = { 0 };

	if (request_model(p, &a, &q) && request_system(p, &a, &q) &&
	    request_numbers(p, &q)) {
		request_messages(w, &a, &q);
		q.tools = offer_specs(p, &a, &q.tools_n);
		q.stream = llm_wants_deltas(w);
		q.key = request_key(p, &a);
		if (a.failed)
			fail(w, "error.llm.invalid_request", "the request is too large");
		else if (may_ask(w, &q))
			send(w, &q);
	}
	arena_release(&a);
}

static void
llm_start_piece(struct piece *p)
{
	struct llm_piece *w = llm_of(p);

	if (agent_has(piece_field(p, LLM_REPLY)) || agent_has(piece_field(p, LLM_REPLIES)))
		llm_reply(w);
	else if (p->task->host->llm == NULL)
		fail(w, NULL, "there is no model here");
	else
		llm_prepare_begin(w);
}

static void
llm_stop_piece(struct piece *p)
{
	struct llm_piece *w = llm_of(p);

	if (w->call != NULL)
		p->task->host->llm_stop(p->task->ctx, w->call);
	w->call = NULL;
	llm_stream_end(w, VAL_UNDEF);
}

static void
llm_release_piece(struct piece *p)
{
	val_drop(llm_of(p)->list);
}

static const struct task_run *
llm_choose(const struct agent_work *w)
{
	return agent_int(&w->fields[LLM_MAX_TURNS], 0) > 0 ? &llm_loop : &task_llm;
}

const struct task_run task_llm = {
	.size = sizeof(struct llm_piece), .traits = TASK_EFFECT, .choose = llm_choose,
	.start = llm_start_piece, .stop = llm_stop_piece, .release = llm_release_piece,
};
