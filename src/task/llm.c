/*
 * llm.c - asks a model once.  Its result is {message, text, output, usage}, and
 * tool_calls where the model asks for tools: {id, name} of each, the invalid ones
 * too, because they are answered (with an error); heard: what clients had put in.
 *
 * It asks once more when its answer would be the last and a client has put in
 * something meanwhile.
 *
 * Deltas are asked for only when somebody reads them or will be able to.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/json.h"
#include "base/scan.h"
#include "task/llm_priv.h"
#include "task/mcp_priv.h"
#include "task/worker_priv.h"

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

/* False: it is not what `output` asks for. */
static bool
read_output(struct llm_piece *w, struct val text, struct val *out, struct err *e)
{
	const struct agent_value *output = piece_field(&w->p, LLM_OUTPUT);
	struct str json = without_fence(val_str(text));

	*out = VAL_NIL;
	if (!agent_has(output))
		return true;
	if (check_output(output, json, e) == OK && val_json(out, json, e) == OK)
		return true;
	*out = VAL_NIL;
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

static bool
has_calls(struct val message)
{
	return val_count(val_get(message, S("tool_calls"))) > 0 ||
	    val_count(val_get(message, S("invalid_tool_calls"))) > 0;
}

/* What clients have put in, for the loop around it. */
static struct val
heard(const struct llm_piece *w)
{
	struct val list = val_array_empty();

	for (size_t i = 0; i < val_count(w->said); i++)
		if (message_type(val_at(w->said, i)) != MSG_AI)
			list = val_push_take(list, val_ref(val_at(w->said, i)));
	return list;
}

static void begin(struct llm_piece *w);

static void
say(struct llm_piece *w, struct val message)
{
	if (w->said.kind == VAL_UNDEFINED)
		w->said = val_array_empty();
	w->said = val_push_take(w->said, val_ref(message));
}

/* In a loop, an answer that is not what was asked for: it is not written. */
static void
answer_wrong(struct llm_piece *w, struct val message, struct val text, const struct err *e)
{
	struct val result;

	if (!llm_is_turn(&w->p)) {
		val_drop(text);
		piece_fail(&w->p, "error.llm.tool_validation", "ToolValidationError",
		    "the answer is not what `output` asks for: %s", e->text);
		return;
	}
	if (w->heard > 0 && !piece_write_messages(&w->p, val_ref(w->said),
	    REDUCE_STORED | REDUCE_NEW_IDS)) {
		val_drop(text);
		return;
	}
	result = result_make(message, text, VAL_NIL);
	if (w->heard > 0)
		result = val_set_take(result, S("heard"), heard(w));
	piece_done(&w->p, val_set_take(result, S("problem"), val_string(str_of(e->text))));
}

static void
answer_right(struct llm_piece *w, struct val message, struct val text, struct val output)
{
	struct piece *p = &w->p;
	struct val result;

	say(w, message);
	if (!llm_is_turn(p) && inbox_waits(p->task) && !has_calls(message)) {
		val_drop(text);
		val_drop(output);
		begin(w);
		return;
	}
	if (!piece_write_messages(p, val_ref(w->said), REDUCE_STORED | REDUCE_NEW_IDS)) {
		val_drop(text);
		val_drop(output);
		return;
	}
	result = result_make(message, text, output);
	if (w->heard > 0)
		result = val_set_take(result, S("heard"), heard(w));
	piece_done(p, result);
}

void
llm_answered(struct llm_piece *w, struct val message)
{
	struct val text = message_text(message), output;
	struct err e;

	llm_stream_end(w, message);
	/* A call comes before the answer that is to have the form. */
	if (has_calls(message))
		answer_right(w, message, text, VAL_NIL);
	else if (read_output(w, text, &output, &e))
		answer_right(w, message, text, output);
	else
		answer_wrong(w, message, text, &e);
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
		llm_answered(w, llm_cite(w, message));
	}
}

/* It was more than the model takes: half of that, once. */
static void
ask_shorter(struct llm_piece *w)
{
	w->harder = true;
	spend_leave(&w->p);
	llm_stream_end(w, VAL_UNDEF);
	llm_prepare_begin(w);
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
	else if (!w->harder && llm_cuts(w) && error_event != NULL &&
	    str_eq(str_of(error_event), S("error.llm.context_length")))
		ask_shorter(w);
	else
		fail(w, error_event, e->text);
	task_leave(t);
}

/* ---- the question ------------------------------------------------------------------------ */

void
llm_hear(struct llm_piece *w)
{
	struct task *t = w->p.task;

	for (; t->heard < t->inbox_n; t->heard++, w->heard++)
		say(w, t->inbox[t->heard]);
}

/* What was there before is read once: what the piece writes itself is not in it. */
bool
llm_listen(struct llm_piece *w)
{
	if (w->base.kind == VAL_UNDEFINED && !llm_conversation(&w->p, &w->base))
		return false;
	llm_hear(w);
	val_drop(w->list);
	w->list = val_ref(w->base);
	for (size_t i = 0; i < val_count(w->said); i++)
		w->list = val_push_take(w->list, val_ref(val_at(w->said, i)));
	return true;
}

static void
add_message(struct arena *a, struct llm_request *q, struct str *at, struct val m)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct str text = val_json_text(m);

	if (text.p == NULL) {
		val_add_json(&b, m);
		text = arena_str(a, buf_str(&b));
		buf_release(&b);
	}
	at[q->messages_n++] = text;
}

/* Their texts, as they are stored, without what is cut off. */
static void
request_messages(struct llm_piece *w, struct arena *a, struct llm_request *q,
    struct val summary)
{
	size_t n = val_count(w->list);
	struct str *at = arena_alloc(a, (n + 2) * sizeof *at);

	q->messages = at;
	for (size_t i = 0; at != NULL && i < w->head; i++)
		add_message(a, q, at, val_at(w->list, i));
	if (at != NULL && summary.kind != VAL_UNDEFINED)
		add_message(a, q, at, summary);
	for (size_t i = w->tail; at != NULL && i < n; i++)
		add_message(a, q, at, val_at(w->list, i));
}

/* A provider's mode for JSON, and a tool, take objects alone. */
static bool
is_of_objects(struct val schema)
{
	struct val type = val_get(schema, S("type"));

	return type.kind == VAL_STRING ? str_eq(val_str(type), S("object")) :
	    type.kind == VAL_UNDEFINED &&
	    val_get(schema, S("properties")).kind == VAL_OBJECT;
}

/* The form that the answer is to have: the provider's affair, or told in words. */
static void
request_output(struct piece *p, struct arena *a, struct llm_request *q, struct buf *words)
{
	const struct agent_value *output = piece_field(p, LLM_OUTPUT);
	struct buf json = BUF(LIMIT_STATE_BYTES);
	struct val schema;

	if (!agent_has(output))
		return;
	schema = output_schema(output);
	val_add_json(&json, schema);
	if (is_of_objects(schema)) {
		q->output_schema_json = arena_str(a, buf_str(&json));
	} else {
		buf_add(words, words->n > 0 ? S("\n\n") : STR_NONE);
		buf_lit(words, "Answer with JSON alone, without other words, that agrees with "
		    "this JSON Schema: ");
		buf_add(words, buf_str(&json));
	}
	buf_release(&json);
}

/* The prompt of the file, or the run's; and the form of the answer. */
static bool
request_system(struct piece *p, struct arena *a, struct llm_request *q)
{
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
	request_output(p, a, q, &b);
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

/* Of the file; a run has none. */
static void
request_fallbacks(struct piece *p, struct arena *a, struct llm_request *q)
{
	const struct agent_value *field = piece_field(p, LLM_FALLBACKS);
	struct val list = field->constant;
	bool one = list.kind == VAL_STRING;
	struct str *names;

	if (!agent_has(field))
		return;
	q->fallbacks_n = one ? 1 : val_count(list);
	names = arena_zero(a, (q->fallbacks_n + 1) * sizeof *names);
	for (size_t i = 0; names != NULL && i < q->fallbacks_n; i++)
		names[i] = val_str(one ? list : val_at(list, i));
	q->fallbacks = names;
}

bool
llm_request_model(struct piece *p, struct arena *a, struct llm_request *q)
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
	size_t bytes = q->system_prompt.n + q->output_schema_json.n;
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
	struct val summary = llm_cut_summary(w);

	if (llm_request_model(p, &a, &q) && request_system(p, &a, &q) &&
	    request_numbers(p, &q)) {
		request_messages(w, &a, &q, summary);
		q.tools = offer_specs(p, &a, &q.tools_n);
		q.stream = llm_wants_deltas(w) && !llm_cites(w);
		q.key = request_key(p, &a);
		request_fallbacks(p, &a, &q);
		if (a.failed)
			fail(w, "error.llm.invalid_request", "the request is too large");
		else if (may_ask(w, &q))
			send(w, &q);
	}
	val_drop(summary);
	arena_release(&a);
}

static void
begin(struct llm_piece *w)
{
	struct piece *p = &w->p;

	if (agent_has(piece_field(p, LLM_REPLY)) || agent_has(piece_field(p, LLM_REPLIES)))
		llm_reply(w);
	else if (p->task->host->llm == NULL)
		fail(w, NULL, "there is no model here");
	else
		llm_prepare_begin(w);
}

static void
llm_start_piece(struct piece *p)
{
	begin(llm_of(p));
}

static void
llm_stop_piece(struct piece *p)
{
	struct llm_piece *w = llm_of(p);

	if (w->call != NULL)
		p->task->host->llm_stop(p->task->ctx, w->call);
	w->call = NULL;
	mcp_fetch_stop(w);
	worker_await_stop(w);
	llm_stream_end(w, VAL_UNDEF);
}

static void
llm_release_piece(struct piece *p)
{
	struct llm_piece *w = llm_of(p);

	val_drop(w->base);
	val_drop(w->said);
	val_drop(w->list);
	val_drop(w->summary);
	mcp_fetch_free(w);
	free(w->await);
}

static const struct task_run *
llm_choose(const struct agent_work *w)
{
	return agent_int(&w->fields[LLM_MAX_TURNS], 0) > 0 ||
	    agent_has(&w->fields[LLM_EVENTS]) || agent_has(&w->fields[LLM_OUTPUT]) ?
	    &llm_loop : &task_llm;
}

const struct task_run task_llm = {
	.size = sizeof(struct llm_piece), .traits = TASK_EFFECT | TASK_TALKS, .choose = llm_choose,
	.start = llm_start_piece, .stop = llm_stop_piece, .release = llm_release_piece,
};
