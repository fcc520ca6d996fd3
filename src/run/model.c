/*
 * model.c - a node that asks the model.
 *
 * Deltas are asked for only when somebody reads them at this moment, or will
 * be able to.  The message keeps the model's id, unless the thread has that
 * one already (a model with constant ids must not overwrite its history).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/run_priv.h"

#define DELTA_MODES (MODE_MESSAGES_TUPLE | MODE_MESSAGES)

/* What a chart event of a failed model is called towards clients. */
static const struct {
	const char *event, *name;
} names[] = {
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
failed(struct job *j, const char *event, const char *words)
{
	const char *name = "InternalServerError";

	for (size_t i = 0; i < COUNT(names); i++)
		if (str_eq(str_of(event), str_of(names[i].event)))
			name = names[i].name;
	job_node_failed(j, event, str_of(name), str_of(words));
}

/* Ids stand inside frames and messages as they are. */
static bool
id_is_plain(struct str id)
{
	if (id.n == 0 || id.n > LIMIT_NAME_BYTES)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if ((unsigned char)id.p[i] < 0x20 || id.p[i] == '"' || id.p[i] == '\\')
			return false;
	return true;
}

static void
name_answer(struct job *j, struct str id)
{
	struct buf b = BUF(64);
	struct uuid fresh;

	if (j->answer_id != NULL)
		return;
	if (id_is_plain(id) && !live_has_id(&j->core, id)) {
		j->answer_id = mem_cstr(id);
		return;
	}
	fresh = uuid_v7();
	buf_lit(&b, "run-");
	uuid_add(&b, &fresh);
	j->answer_id = mem_cstr(buf_str(&b));
	buf_release(&b);
}

/* ---- deltas -------------------------------------------------------------- */

static void
send_tuple(struct job *j, const struct llm_delta *d)
{
	struct stream *s = &j->run->stream;

	if (stream_wants(s, MODE_MESSAGES_TUPLE))
		stream_send(s, MODE_MESSAGES_TUPLE,
		    chunk_frame(j->chunks, &j->chunks->tuple, d, stream_id(s)));
	else
		stream_skip(s);
}

static void
send_partial(struct job *j, const struct llm_delta *d)
{
	struct stream *s = &j->run->stream;
	struct str provider, model;

	chunk_collect(j->chunks, d);
	if (!stream_wants(s, MODE_MESSAGES)) {
		stream_skip(s);
		if (d->kind == LLM_DELTA_START)
			stream_skip(s);
		return;
	}
	if (d->kind == LLM_DELTA_START) {
		llm_model_split(j->run->rs->llm, j->plan->model, &provider, &model);
		stream_send(s, MODE_MESSAGES,
		    chunk_metadata(j->chunks, &j->place, model, stream_id(s)));
	}
	stream_send(s, MODE_MESSAGES, chunk_partial(j->chunks, stream_id(s)));
}

static void
begin_chunks(struct job *j, struct str id)
{
	struct chunk_spec s = { .at = j->place, .modes = j->plan->modes };

	name_answer(j, id);
	s.id = str_of(j->answer_id);
	llm_model_split(j->run->rs->llm, j->plan->model, &s.provider, &s.model);
	j->chunks = mem_new(struct chunks);
	chunks_init(j->chunks, &s);
	j->streamed = true;
}

static void
on_delta(void *ctx, const struct llm_delta *d)
{
	struct job *j = ctx;

	if (j->chunks == NULL)
		begin_chunks(j, d->id);
	atomic_fetch_add_explicit(&j->run->rs->stats.events, 1, memory_order_relaxed);
	if ((j->plan->modes & MODE_MESSAGES_TUPLE) != 0)
		send_tuple(j, d);
	if ((j->plan->modes & MODE_MESSAGES) != 0)
		send_partial(j, d);
	record_stream_later(j->run);
}

/* ---- the answer ---------------------------------------------------------- */

/* done.invoke's data: `tool_calls` holds the invalid calls too, because they
 * are answered (with an error). */
static struct val
answer_data(const struct llm_answer *a)
{
	struct val data = val_object_empty(), calls = val_array_empty();

	for (size_t i = 0; i < a->calls_n + a->invalid_n; i++) {
		struct val call = val_object_empty();

		call = val_set_take(call, S("id"), val_string(a->calls[i].id));
		call = val_set_take(call, S("name"), val_string(a->calls[i].name));
		calls = val_push_take(calls, call);
	}
	if (a->calls_n + a->invalid_n > 0)
		return val_set_take(data, S("tool_calls"), calls);
	val_drop(calls);
	return data;
}

static void
end_answer(struct job *j)
{
	if (j->chunks != NULL)
		chunks_release(j->chunks);
	free(j->chunks);
	free(j->answer_id);
	j->chunks = NULL;
	j->answer_id = NULL;
}

static void
on_done(void *ctx, int rc, const struct llm_answer *a, const char *error_event,
    const struct err *e)
{
	struct job *j = ctx;
	struct message_list writes = { 0 };
	struct message *m;
	struct err why;

	j->call = NULL;
	if (rc != OK) {
		end_answer(j);
		failed(j, error_event != NULL ? error_event : "error.llm.backend", e->text);
		return;
	}
	name_answer(j, a->id);
	rc = message_from_answer(&m, a->message_json, str_of(j->answer_id), &why);
	end_answer(j);
	if (rc == OK && a->calls_n > LIMIT_TOOL_CALLS) {
		message_drop(m);
		rc = err_set(&why, ERR_LIMIT, "the model asks for %zu tool calls at once; "
		    "the limit is %d", a->calls_n, LIMIT_TOOL_CALLS);
	}
	if (rc != OK) {
		failed(j, "error.llm.backend", why.text);
		return;
	}
	message_list_add(&writes, m);
	job_node_done(j, &writes, answer_data(a));
}

/* ---- the question -------------------------------------------------------- */

static struct llm_tool_spec *
own_specs(const struct plan *p, const struct tools *t)
{
	struct llm_tool_spec *specs = mem_alloc((p->tools_n + 1) * sizeof *specs);

	for (size_t i = 0; i < p->tools_n; i++)
		specs[i] = (struct llm_tool_spec){ str_of(p->tools[i]->name),
		    str_of(p->tools[i]->description),
		    tools_schema(t, p->tools[i]) };
	return specs;
}

void
model_start(struct job *j)
{
	static const struct { int rc; const char *event; } refusals[] = {
		{ ERR_INVALID, "error.llm.invalid_request" },
		{ ERR_LIMIT, "error.llm.overloaded" },
	};
	const struct runs_shared *sh = j->run->rs->sh;
	const struct plan *p = j->plan;
	const struct message_list *l = &j->core.list;
	struct str *messages = mem_alloc((l->n + 1) * sizeof *messages);
	struct llm_tool_spec *own = p->all_tools ? NULL : own_specs(p, sh->tools);
	struct llm_hooks hooks = { on_delta, on_done, j };
	struct llm_request q = { .model = p->model, .base_url = p->base_url,
	    .system_prompt = p->system_prompt, .temperature = p->temperature,
	    .max_tokens = p->max_tokens, .messages = messages, .messages_n = l->n,
	    .tools = own != NULL ? own : sh->specs,
	    .tools_n = own != NULL ? p->tools_n : sh->specs_n };
	const char *event = "error.llm.backend";
	struct err e = { 0 };

	assert(j->call == NULL);
	for (size_t i = 0; i < l->n; i++)
		messages[i] = l->at[i]->json;
	q.stream = (p->modes & DELTA_MODES) != 0 &&
	    ((j->run->stream.reading & p->modes & DELTA_MODES) != 0 || p->resumable);
	j->call = llm_start(j->run->rs->llm, &q, &hooks, &e);
	free(messages);
	free(own);
	if (j->call != NULL)
		return;
	for (size_t i = 0; i < COUNT(refusals); i++)
		if (e.code == refusals[i].rc)
			event = refusals[i].event;
	failed(j, event, e.text);
}

void
model_stop(struct job *j)
{
	if (j->call != NULL)
		llm_cancel(j->call);
	j->call = NULL;
	end_answer(j);
}
