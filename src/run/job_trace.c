/*
 * job_trace.c - see trace_priv.h.
 *
 * Names and attributes are those of OpenTelemetry's conventions for generative AI; what
 * Cohort adds begins with `cohort.`.  Tokens stand in the spans of models alone: tools
 * that add up a trace would count those of a run twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/scan.h"
#include "run/job_priv.h"
#include "run/scope_priv.h"

static struct tracer *
tracer_of(const struct job *j)
{
	return j->trace.on ? j->run->rs->tracer : NULL;
}

static struct str
id_text(const struct uuid *id, char out[UUID_TEXT])
{
	uuid_format(id, out);
	return (struct str){ out, UUID_TEXT };
}

/* "chat gpt-4o" */
static struct str
named(char out[160], const char *what, struct str of)
{
	int n = snprintf(out, 160, "%s %.*s", what, FMT(str_cut(of, 120)));

	return (struct str){ out, n < 0 ? 0 : (size_t)n };
}

/* A text that needs no escapes. */
static struct str
text_of(struct str object, struct str key)
{
	struct str s = scan_find(object, key);

	return s.n > 2 && s.p[0] == '"' ? str_sub(s, 1, s.n - 2) : STR_NONE;
}

/* A place below the run, around which is `span`. */
static struct trace_at
below(const struct job *j, uint64_t span)
{
	struct trace_at at = j->trace.at;

	at.span = span;
	return at;
}

void
runs_trace(struct runs *rs, struct tracer *t)
{
	rs->tracer = t;
}

struct tracer *
runs_tracer(const struct runs *rs)
{
	return rs->tracer;
}

/* ---- the run ----------------------------------------------------------------------- */

void
job_trace_begin(struct job *j, struct str kwargs_json)
{
	const struct runs *rs = j->run->rs;

	if (rs->tracer == NULL)
		return;
	tracer_begin(rs->tracer, &j->trace.at, text_of(kwargs_json, S("traceparent")),
	    &j->run->place.run_id);
	j->trace.on = true;
	j->trace.parent = j->trace.at.span;
	j->trace.at.span = trace_span_of(&j->run->place.run_id, S("run"), 0);
}

static void
step_end(struct job *j, struct trace_step **at, nsec now)
{
	struct trace_step *s = *at;
	struct trace_at up = below(j, s->parent);
	struct trace_span *x;
	char name[160];
	int n = snprintf(name, sizeof name, "step %d", s->number);

	*at = s->next;
	x = trace_add(tracer_of(j), &up, s->span, TRACE_INTERNAL, (struct str){ name,
	    (size_t)n }, s->began, now);
	trace_int(x, "cohort.step", s->number);
	trace_text(x, "cohort.namespace", str_of(s->ns));
	free(s);
}

void
job_trace_checkpoint(struct job *j, const struct core_checkpoint *c)
{
	struct trace_step **at = &j->trace.steps;

	while (*at != NULL) {
		if (str_eq(str_of((*at)->ns), c->ns))
			step_end(j, at, trace_now());
		else
			at = &(*at)->next;
	}
}

void
job_trace_end(struct run *run, enum run_status status, struct str error_json)
{
	struct job *j = run->job;
	char name[160], thread[UUID_TEXT], assistant[UUID_TEXT], id[UUID_TEXT];
	struct str agent;
	struct trace_at up;
	struct trace_span *s;

	if (j == NULL || !j->trace.on)
		return;
	while (j->trace.steps != NULL)
		step_end(j, &j->trace.steps, trace_now());
	agent = j->definition.agent != NULL ? j->definition.agent->id : STR_NONE;
	up = below(j, j->trace.parent);
	s = trace_add(tracer_of(j), &up, j->trace.at.span, TRACE_INTERNAL,
	    named(name, "invoke_agent", agent), uuid_v7_time(&run->place.run_id) * NS_PER_MS,
	    trace_now());
	trace_text(s, "gen_ai.operation.name", S("invoke_agent"));
	trace_text(s, "gen_ai.agent.name", agent);
	trace_text(s, "gen_ai.agent.id", id_text(&j->assistant_id, assistant));
	if (!run->stateless) {
		trace_text(s, "gen_ai.conversation.id", id_text(&run->place.thread_id, thread));
		trace_text(s, "session.id", id_text(&run->place.thread_id, thread));
	}
	trace_text(s, "cohort.run.id", id_text(&run->place.run_id, id));
	trace_text(s, "cohort.run.status", str_of(run_status_names[status]));
	trace_int(s, "cohort.run.attempt", run->attempt);
	trace_int(s, "cohort.run.input_tokens", j->usage.input_tokens);
	trace_int(s, "cohort.run.output_tokens", j->usage.output_tokens);
	if (status == RUN_ERROR || status == RUN_TIMEOUT)
		trace_failed(s, text_of(error_json, S("error")), text_of(error_json,
		    S("message")));
}

void
job_trace_release(struct job *j)
{
	while (j->trace.steps != NULL) {
		struct trace_step *s = j->trace.steps;

		j->trace.steps = s->next;
		free(s);
	}
}

struct str
job_trace_parent(const struct job *j, char out[TRACE_PARENT_SIZE + 1])
{
	if (!j->trace.on)
		return STR_NONE;
	trace_at_write(out, &j->trace.at);
	return str_of(out);
}

/* ---- steps and tasks ------------------------------------------------------------------ */

/* The step that a task is of; it begins with the first of them. */
static uint64_t
step_of(struct job *j, const struct core_task *t)
{
	const struct scope *scope = t->scope;
	struct str ns = { scope->ns, scope->ns_n };
	int number = core_event(t, EVENT_TASK).step;
	uint64_t span = trace_span_of(&j->run->place.run_id, ns, number);
	struct trace_step *s;

	for (s = j->trace.steps; s != NULL; s = s->next)
		if (s->span == span)
			return span;
	s = mem_zero(sizeof *s + ns.n + 1);
	memcpy(s->ns, ns.p, ns.n);
	s->span = span;
	s->parent = scope->parent != NULL ? trace_span_of(&scope->parent->id, S("task"), 0) :
	    j->trace.at.span;
	s->number = number;
	s->began = trace_now();
	s->next = j->trace.steps;
	j->trace.steps = s;
	return span;
}

void
task_trace_begin(struct job_task *t)
{
	struct job *j = t->job;

	if (!j->trace.on)
		return;
	t->step = step_of(j, t->core);
	t->span = trace_span_of(&t->core->id, S("task"), 0);
	t->began = trace_now();
}

static void
tool_free(struct trace_tool *x)
{
	free(x->id);
	free(x->name);
	free(x->input);
	free(x);
}

static void
tool_end(struct job_task *t, struct trace_tool **at, struct str type, struct val output)
{
	struct trace_tool *x = *at;
	struct trace_at up = below(t->job, t->span);
	struct buf text = BUF(2 * (size_t)LIMIT_TRACE_CONTENT_BYTES);
	struct trace_span *s;
	char name[160];

	*at = x->next;
	s = trace_add(tracer_of(t->job), &up, x->span, TRACE_INTERNAL, named(name, "execute_tool",
	    str_of(x->name)), x->began, trace_now());
	trace_text(s, "gen_ai.operation.name", S("execute_tool"));
	trace_text(s, "gen_ai.tool.name", str_of(x->name));
	trace_text(s, "gen_ai.tool.call.id", str_of(x->id));
	trace_text(s, "gen_ai.tool.type", S("function"));
	if (s != NULL && x->input != NULL)
		trace_content(s, "gen_ai.tool.call.arguments", str_of(x->input));
	if (s != NULL && output.kind != VAL_UNDEFINED &&
	    tracer_keeps_content(t->job->run->rs->tracer)) {
		val_add_json(&text, output);
		trace_content(s, "gen_ai.tool.call.result", buf_str(&text));
	}
	if (type.n > 0)
		trace_failed(s, type, STR_NONE);
	buf_release(&text);
	tool_free(x);
}

void
task_trace_end(struct job_task *t, struct str type, struct str message)
{
	struct job *j = t->job;
	struct trace_at up = below(j, t->step);
	struct trace_span *s;
	char name[160], id[UUID_TEXT];

	if (!j->trace.on || t->span == 0 || j->trace.leaves)
		return;
	while (t->tools != NULL)
		tool_end(t, &t->tools, S("cancelled"), VAL_UNDEF);
	s = trace_add(tracer_of(j), &up, t->span, TRACE_INTERNAL, named(name, "task",
	    t->shown.name), t->began, trace_now());
	trace_text(s, "cohort.task.id", id_text(&t->shown.id, id));
	trace_text(s, "cohort.node", t->shown.name);
	trace_text(s, "cohort.namespace", t->shown.ns);
	if (type.n > 0)
		trace_failed(s, type, message);
	t->span = 0;
}

void
task_trace_release(struct job_task *t)
{
	while (t->tools != NULL) {
		struct trace_tool *x = t->tools;

		t->tools = x->next;
		tool_free(x);
	}
}

struct str
task_trace_parent(struct job_task *t, struct str tool, char out[TRACE_PARENT_SIZE + 1])
{
	struct trace_at at;

	if (!t->job->trace.on || t->span == 0)
		return STR_NONE;
	at = below(t->job, t->span);
	for (struct trace_tool *x = t->tools; tool.n > 0 && x != NULL; x = x->next) {
		if (x->claimed || !str_ends(str_of(x->name), tool))
			continue;
		x->claimed = true;
		at.span = x->span;
		break;
	}
	trace_at_write(out, &at);
	return str_of(out);
}

/* ---- tools ------------------------------------------------------------------------------ */

static char *
json_text(struct val v)
{
	struct buf b = BUF(2 * (size_t)LIMIT_TRACE_CONTENT_BYTES);
	char *s;

	val_add_json(&b, v);
	s = mem_cstr(buf_str(&b));
	buf_release(&b);
	return s;
}

void
tool_trace(struct job_task *t, enum task_tool_event what, struct str call_id, struct str name,
    struct val payload)
{
	struct trace_tool **at = &t->tools, *x;

	if (!t->job->trace.on || t->span == 0)
		return;
	while (*at != NULL && !str_eq(str_of((*at)->id), call_id))
		at = &(*at)->next;
	/* A call that is refused ends without a beginning. */
	if (*at == NULL && what != TOOL_END) {
		*at = x = mem_new(struct trace_tool);
		x->span = trace_span_random();
		x->began = trace_now();
		x->id = mem_cstr(call_id);
		x->name = mem_cstr(name);
		if (what == TOOL_START && tracer_keeps_content(t->job->run->rs->tracer))
			x->input = json_text(payload);
	}
	if (*at != NULL && what != TOOL_START)
		tool_end(t, at, what == TOOL_ERROR ? S("tool_error") : STR_NONE, payload);
}

/* ---- models ----------------------------------------------------------------------------- */

void
model_trace_begin(struct job_task *t, struct model_trace *m, struct llm_request *q)
{
	struct job *j = t->job;
	struct trace_at at;

	if (!j->trace.on || t->span == 0)
		return;
	*m = (struct model_trace){ .span = trace_span_random(), .began = trace_now(),
	    .temperature = q->temperature, .max_tokens = q->max_tokens,
	    .asked = mem_cstr(q->model) };
	if (j->trace.at.sampled && tracer_keeps_content(j->run->rs->tracer))
		m->input = trace_messages_in(q);
	at = below(j, m->span);
	trace_at_write(m->parent, &at);
	q->traceparent = str_of(m->parent);
}

void
model_trace_first(struct model_trace *m)
{
	if (m->span != 0 && m->first == 0)
		m->first = trace_now();
}

static void
add_answer(struct trace_span *s, const struct llm_answer *a, struct str model)
{
	struct str finish = text_of(scan_find(a->message_json, S("response_metadata")),
	    S("finish_reason"));
	struct buf text = BUF(2 * (size_t)LIMIT_TRACE_CONTENT_BYTES);

	trace_text(s, "gen_ai.response.model", model);
	trace_text(s, "gen_ai.response.id", a->id);
	trace_texts(s, "gen_ai.response.finish_reasons", finish);
	trace_int(s, "gen_ai.usage.input_tokens", a->usage.input_tokens);
	trace_int(s, "gen_ai.usage.output_tokens", a->usage.output_tokens);
	if (a->usage.cached_tokens > 0)
		trace_int(s, "gen_ai.usage.cache_read.input_tokens", a->usage.cached_tokens);
	if (a->usage.cost_nano > 0)
		trace_real(s, "gen_ai.usage.cost", (double)a->usage.cost_nano / 1e9);
	trace_message_out(&text, a->message_json);
	trace_content(s, "gen_ai.output.messages", buf_str(&text));
	buf_release(&text);
}

static struct trace_span *
model_span(struct job_task *t, struct model_trace *m, const struct llm_answer *a)
{
	struct trace_at up = below(t->job, t->span);
	struct str provider, model, asked = str_of(m->asked);
	struct trace_span *s;
	char name[160];

	llm_model_split(t->job->run->rs->llm, asked, &provider, &model);
	s = trace_add(tracer_of(t->job), &up, m->span, TRACE_CLIENT, named(name, "chat", model),
	    m->began, trace_now());
	if (s == NULL)
		return NULL;
	trace_text(s, "gen_ai.operation.name", S("chat"));
	trace_text(s, "gen_ai.request.model", model);
	if (!isnan(m->temperature))
		trace_real(s, "gen_ai.request.temperature", m->temperature);
	if (m->max_tokens > 0)
		trace_int(s, "gen_ai.request.max_tokens", m->max_tokens);
	if (m->first > 0)
		trace_real(s, "cohort.time_to_first_token_ms", (double)(m->first - m->began) /
		    NS_PER_MS);
	if (m->input != NULL)
		trace_content(s, "gen_ai.input.messages", str_of(m->input));
	if (a != NULL) {
		llm_model_split(t->job->run->rs->llm, a->model, &provider, &model);
		add_answer(s, a, model);
	}
	trace_text(s, "gen_ai.provider.name", provider);
	trace_text(s, "gen_ai.system", provider);
	return s;
}

static void
model_release(struct model_trace *m)
{
	free(m->asked);
	free(m->input);
	*m = (struct model_trace){ 0 };
}

void
model_trace_end(struct job_task *t, struct model_trace *m, int rc, const struct llm_answer *a,
    const char *event, const struct err *e)
{
	struct trace_span *s;

	if (m->span == 0)
		return;
	s = model_span(t, m, rc == OK ? a : NULL);
	if (rc != OK)
		trace_failed(s, event != NULL ? str_of(event) : S("error.llm.backend"),
		    str_of(e->text));
	model_release(m);
}

void
model_trace_cut(struct job_task *t, struct model_trace *m)
{
	if (m->span == 0)
		return;
	if (!t->job->trace.leaves)
		trace_failed(model_span(t, m, NULL), S("cancelled"), STR_NONE);
	model_release(m);
}

/* ---- calls of models whose answers nobody reads ------------------------------------------ */

struct trace_alone {
	struct trace_alone *next;
	struct job_task *task;
	struct llm_hooks hooks;
	struct llm_call *call;
	struct model_trace m;
};

static struct trace_alone *
alone_take(struct job_task *t, const struct llm_call *c, const struct trace_alone *one)
{
	for (struct trace_alone **at = &t->alone; *at != NULL; at = &(*at)->next) {
		struct trace_alone *x = *at;

		if (x != one && x->call != c)
			continue;
		*at = x->next;
		return x;
	}
	return NULL;
}

static void
on_alone_delta(void *ctx, const struct llm_delta *d)
{
	struct trace_alone *x = ctx;

	model_trace_first(&x->m);
	x->hooks.delta(x->hooks.ctx, d);
}

static void
on_alone_done(void *ctx, int rc, const struct llm_answer *a, const char *event,
    const struct err *e)
{
	struct trace_alone *x = ctx;
	struct llm_hooks hooks = x->hooks;

	alone_take(x->task, NULL, x);
	model_trace_end(x->task, &x->m, rc, a, event, e);
	free(x);
	hooks.done(hooks.ctx, rc, a, event, e);
}

struct llm_call *
model_trace_alone(struct job_task *t, const struct llm_request *q, const struct llm_hooks *h,
    struct err *e)
{
	struct trace_alone *x;
	struct llm_request own = *q;
	struct llm_call *c;

	if (!t->job->trace.on || t->span == 0)
		return llm_start(t->job->run->rs->llm, q, h, e);
	x = mem_new(struct trace_alone);
	x->task = t;
	x->hooks = *h;
	model_trace_begin(t, &x->m, &own);
	c = x->call = llm_start(t->job->run->rs->llm, &own, &(struct llm_hooks){ h->delta != NULL ?
	    on_alone_delta : NULL, on_alone_done, x }, e);
	if (c == NULL) {
		model_trace_end(t, &x->m, e->code, NULL, NULL, e);
		free(x);
		return NULL;
	}
	x->next = t->alone;
	t->alone = x;
	return c;
}

void
model_trace_stop(struct job_task *t, const struct llm_call *c)
{
	struct trace_alone *x = t->alone != NULL ? alone_take(t, c, NULL) : NULL;

	if (x == NULL)
		return;
	model_trace_cut(t, &x->m);
	free(x);
}
