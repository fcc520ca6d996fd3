/*
 * task_fix.c - see task_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task_fix.h"

#include <math.h>

#include "base/json.h"

struct event {
	struct bed *b;
	void (*happen)(struct event *e);
	void *subject;                       /* who may stop it */
	msec due;                            /* of a timer; else 0 */
	bool must;                           /* happens after the task is gone, too */
	/* of each kind */
	struct llm_hooks hooks;
	struct buf text;
	char *key, *name, *args;
	void (*then)(void *arg, int rc);
	tool_done *done;
	void *arg;
	bool failed;
};

/* ---- events ------------------------------------------------------------------------ */

static struct event *
event_new(struct bed *b, void (*happen)(struct event *e), void *subject)
{
	struct event *e = mem_new(struct event);

	e->b = b;
	e->happen = happen;
	e->subject = subject;
	e->text = BUF(MB);
	mem_grow(b->events, b->events_n, b->events_cap);
	b->events[b->events_n++] = e;
	return e;
}

static void
event_free(struct event *e)
{
	buf_release(&e->text);
	free(e->key);
	free(e->name);
	free(e->args);
	free(e);
}

static struct event *
event_take(struct bed *b, size_t i)
{
	struct event *e = b->events[i];

	memmove(&b->events[i], &b->events[i + 1], (--b->events_n - i) * sizeof e);
	return e;
}

static void
event_drop(struct bed *b, const void *subject)
{
	for (size_t i = b->events_n; i-- > 0; )
		if (b->events[i]->subject == subject)
			event_free(event_take(b, i));
}

/* Timers fire in the order of their time, when nothing is left before. */
bool
bed_step_at(struct bed *b, size_t i)
{
	struct event *e;

	if (b->events_n == 0)
		return false;
	e = event_take(b, i);
	if (e->due > b->now)
		b->now = e->due;
	b->happened++;
	e->happen(e);
	event_free(e);
	return true;
}

bool
bed_step(struct bed *b)
{
	size_t first = 0;

	for (size_t i = 1; i < b->events_n; i++)
		if (b->events[i]->due < b->events[first]->due)
			first = i;
	return bed_step_at(b, first);
}

/* ---- the end ------------------------------------------------------------------------- */

static void
on_done(void *ctx, struct val result)
{
	struct bed *b = ctx;
	size_t n;
	const struct task_write *w = task_writes(b->task, &n);

	CHECK_INT(b->end, BED_RUNS);
	b->end = BED_DONE;
	buf_clear(&b->text);
	buf_lit(&b->text, "done ");
	val_add_json(&b->text, result);
	buf_lit(&b->text, " [");
	for (size_t i = 0; i < n; i++) {
		json_add_fmt(&b->text, ",[%.*s,", FMT(channels_def(b->state,
		    w[i].channel)->name));
		val_add_json(&b->text, w[i].value);
		buf_add_char(&b->text, ']');
	}
	buf_add_char(&b->text, ']');
}

static void
on_failed(void *ctx, const struct task_error *e)
{
	struct bed *b = ctx;

	CHECK_INT(b->end, BED_RUNS);
	b->end = BED_FAILED;
	buf_clear(&b->text);
	buf_add_fmt(&b->text, "failed %.*s %.*s %.*s", FMT(e->name), FMT(e->event),
	    FMT(e->message));
}

static void
journal_add(struct bed *b, struct str key, struct str name, struct str json)
{
	struct bed_record *r = NULL;

	for (size_t i = 0; i < b->journal_n && r == NULL; i++)
		if (str_eq(str_of(b->journal[i].key), key))
			r = &b->journal[i];
	if (r == NULL) {
		mem_grow(b->journal, b->journal_n, b->journal_cap);
		r = &b->journal[b->journal_n++];
		*r = (struct bed_record){ mem_cstr(key), mem_cstr(name), NULL };
	}
	CHECK(r->json == NULL);              /* nothing is recorded twice */
	if (json.p != NULL)
		r->json = mem_cstr(json);
}

static void
on_waits(void *ctx)
{
	struct bed *b = ctx;
	size_t n;
	const struct task_interrupt *in = task_interrupts(b->task, &n);
	const struct task_record *kept;

	CHECK_INT(b->end, BED_RUNS);
	b->end = BED_WAITS;
	buf_clear(&b->text);
	buf_lit(&b->text, "waits");
	for (size_t i = 0; i < n; i++) {
		buf_add_fmt(&b->text, " %.*s ", FMT(in[i].key));
		val_add_json(&b->text, in[i].value);
		if (in[i].schema.kind != VAL_UNDEFINED) {
			buf_lit(&b->text, " schema ");
			val_add_json(&b->text, in[i].schema);
		}
	}
	kept = task_records(b->task, &n);
	for (size_t i = 0; i < n; i++)
		journal_add(b, kept[i].key, kept[i].name, kept[i].result_json);
}

/* ---- what is told --------------------------------------------------------------------- */

static void
on_emit(void *ctx, struct str name, struct val data)
{
	struct bed *b = ctx;

	buf_add_fmt(&b->told, "emit %.*s ", FMT(name));
	val_add_json(&b->told, data);
	buf_add_char(&b->told, '\n');
}

static void
on_tool_event(void *ctx, enum task_tool_event ev, struct str id, struct str name,
    struct val payload)
{
	static const char *const words[] = { "start", "end", "error" };
	struct bed *b = ctx;

	buf_add_fmt(&b->told, "tool %s %.*s %.*s ", words[ev], FMT(id), FMT(name));
	val_add_json(&b->told, payload);
	buf_add_char(&b->told, '\n');
}

static bool
wants_deltas(void *ctx)
{
	return ((struct bed *)ctx)->deltas;
}

static void *
stream_begin(void *ctx, struct str model)
{
	struct bed *b = ctx;

	buf_add_fmt(&b->told, "stream begin %.*s\n", FMT(model));
	return b;
}

static void
stream_delta(void *ctx, void *stream, const struct llm_delta *d)
{
	struct bed *b = ctx;

	CHECK(stream == b);
	if (d->kind == LLM_DELTA_TEXT)
		buf_add_fmt(&b->told, "delta %.*s|%.*s\n", FMT(d->id), FMT(d->text_raw));
	if (d->kind == LLM_DELTA_TOOL)
		buf_add_fmt(&b->told, "delta call %.*s %.*s %.*s\n", FMT(d->id_raw),
		    FMT(d->name_raw), FMT(d->args_raw));
}

static struct str
bed_message_id(void *ctx, void *stream, struct str own)
{
	CHECK(ctx == stream);
	return own.n > 0 ? own : S("new-id");
}

static void
stream_end(void *ctx, void *stream, struct val message)
{
	struct bed *b = ctx;

	CHECK(stream == b);
	buf_add(&b->told, message.kind == VAL_UNDEFINED ? S("stream failed\n") :
	    S("stream end\n"));
}

/* ---- the model ------------------------------------------------------------------------- */

static void
llm_happens(struct event *e)
{
	struct llm_answer a = { .id = S("m1"), .message_json = buf_str(&e->text) };
	struct llm_delta d = { .kind = LLM_DELTA_TEXT, .id = a.id, .text_raw = S("...") };
	struct err err;

	if (e->failed) {
		err_set(&err, ERR_LIMIT, "too many requests");
		e->hooks.done(e->hooks.ctx, ERR_LIMIT, NULL, "error.llm.rate_limited", &err);
		return;
	}
	if (e->arg != NULL)
		e->hooks.delta(e->hooks.ctx, &d);
	e->hooks.done(e->hooks.ctx, OK, &a, NULL, NULL);
}

static void
remember_request(struct bed *b, const struct llm_request *q)
{
	buf_clear(&b->request);
	buf_add_fmt(&b->request, "%.*s|%.*s|", FMT(q->model), FMT(q->system_prompt));
	for (size_t i = 0; i < q->messages_n; i++) {
		struct val m = val_json_trusted(q->messages[i]);
		struct val type = val_get(m, S("type")), content = val_get(m, S("content"));

		buf_add_fmt(&b->request, "%.*s:", FMT(val_str(type)));
		call_add_content(&b->request, content);
		buf_add_char(&b->request, ';');
		val_drop(m);
	}
	buf_add_char(&b->request, '|');
	for (size_t i = 0; i < q->tools_n; i++)
		buf_add_fmt(&b->request, "%.*s;", FMT(q->tools[i].name));
	if (!isnan(q->temperature))
		buf_add_fmt(&b->request, "|%.1f", q->temperature);
	if (q->max_tokens > 0)
		buf_add_fmt(&b->request, "|%lld", (long long)q->max_tokens);
	if (q->output_schema_json.n > 0)
		buf_add_fmt(&b->request, "|output %.*s", FMT(q->output_schema_json));
}

static struct llm_call *
on_llm(void *ctx, const struct llm_request *q, const struct llm_hooks *h, struct err *err)
{
	struct bed *b = ctx;
	struct event *e;

	b->asked++;
	remember_request(b, q);
	if (str_eq(q->model, S("nobody:x"))) {
		err_set(err, ERR_INVALID, "unknown provider");
		return NULL;
	}
	e = event_new(b, llm_happens, NULL);
	e->subject = e;
	e->hooks = *h;
	e->arg = q->stream ? e : NULL;
	e->failed = !b->model(b, q, &e->text);
	return (struct llm_call *)(void *)e;
}

static void
on_llm_stop(void *ctx, struct llm_call *c)
{
	event_drop(ctx, c);
}

/* ---- tools ---------------------------------------------------------------------------------- */

static void
tool_happens(struct event *e)
{
	static const struct tool_env env;

	tools_call(e->b->tools, str_of(e->name), str_of(e->args), &env, e->done, e->arg);
}

static void
on_tools_call(void *ctx, struct str name, struct str args, struct str once,
    tool_done *done, void *arg)
{
	struct event *e = event_new(ctx, tool_happens, NULL);

	CHECK(once.n > UUID_TEXT);
	e->must = true;
	e->name = mem_cstr(name);
	e->args = mem_cstr(args);
	e->done = done;
	e->arg = arg;
}

static void
work_happens(struct event *e)
{
	struct buf b = BUF(MB);

	json_add_fmt(&b, "{'op':%s,'args':%-s}", e->name, e->args);
	e->done(e->arg, &(struct tool_result){ !str_eq(str_of(e->name), S("close")),
	    buf_str(&b) });
	buf_release(&b);
}

static void
on_work(void *ctx, struct str operation, struct str args, struct str once,
    tool_done *done, void *arg)
{
	struct event *e = event_new(ctx, work_happens, NULL);

	CHECK_INT(once.n > 0, !str_eq(operation, S("ready")));
	e->must = true;
	e->name = mem_cstr(operation);
	e->args = mem_cstr(args);
	e->done = done;
	e->arg = arg;
}

/* ---- store, timers, children ------------------------------------------------------------------ */

static struct bed_item *
item_find(struct bed *b, const char *key)
{
	for (size_t i = 0; i < b->items_n; i++)
		if (str_eq(str_of(b->items[i].key), str_of(key)))
			return &b->items[i];
	return NULL;
}

static void
store_happens(struct event *e)
{
	struct task_store *s = e->arg;
	struct bed *b = e->b;
	struct bed_item *it = item_find(b, e->key);
	struct buf text = BUF(MB);
	struct val result = VAL_NIL;

	if (s->op == TASK_STORE_PUT) {
		if (it == NULL) {
			mem_grow(b->items, b->items_n, b->items_cap);
			it = &b->items[b->items_n++];
			*it = (struct bed_item){ mem_cstr(str_of(e->key)), NULL };
		}
		val_add_json(&text, s->value);
		free(it->json);
		it->json = mem_cstr(buf_str(&text));
	} else if (s->op == TASK_STORE_DELETE && it != NULL) {
		free(it->json);
		it->json = NULL;
	} else if (s->op == TASK_STORE_GET && it != NULL && it->json != NULL) {
		json_add_fmt(&text, "{'key':%.*s,'value':%-s}", FMT(s->key), it->json);
		result = val_json_trusted(buf_str(&text));
	} else if (s->op == TASK_STORE_SEARCH) {
		json_add_fmt(&text, "[{'ns':%.*s,'query':%.*s,'limit':%lld}]", FMT(s->ns),
		    FMT(s->query), (long long)s->limit);
		result = val_json_trusted(buf_str(&text));
	}
	s->done(s, OK, result, NULL);
	val_drop(result);
	buf_release(&text);
}

static void
on_store(void *ctx, struct task_store *s)
{
	struct event *e = event_new(ctx, store_happens, s);
	struct buf key = BUF(MB);

	buf_add_fmt(&key, "%.*s/%.*s", FMT(s->ns), FMT(s->key));
	e->key = mem_cstr(buf_str(&key));
	e->arg = s;
	buf_release(&key);
}

static void
on_store_stop(void *ctx, struct task_store *s)
{
	event_drop(ctx, s);
}

static void
timer_happens(struct event *e)
{
	struct task_timer *t = e->arg;

	t->fire(t);
}

static void
on_timer_set(void *ctx, struct task_timer *t, int64_t ms)
{
	struct bed *b = ctx;
	struct event *e = event_new(b, timer_happens, t);

	CHECK(ms > 0);
	e->due = b->now + ms;
	e->arg = t;
}

static void
on_timer_stop(void *ctx, struct task_timer *t)
{
	event_drop(ctx, t);
}

static msec
on_now(void *ctx)
{
	return ((struct bed *)ctx)->now;
}

static void
child_happens(struct event *e)
{
	struct task_child *c = e->arg;
	struct buf text = BUF(MB);
	struct val output;

	json_add_fmt(&text, "{'answer':");
	val_add_json(&text, c->input);
	buf_lit(&text, ",\"other\":1}");
	output = val_json_trusted(buf_str(&text));
	if (e->b->child_end == CHILD_FAILED)
		c->done(c, CHILD_FAILED, VAL_UNDEF, VAL_UNDEF, &(struct task_error){
		    S("error.execution"), S("ChildError"), S("it failed") });
	else
		c->done(c, e->b->child_end, output, output, NULL);
	val_drop(output);
	buf_release(&text);
}

static void
on_child(void *ctx, struct task_child *c)
{
	struct bed *b = ctx;
	struct event *e = event_new(b, child_happens, c);

	e->arg = c;
	buf_add_fmt(&b->told, "child %.*s %.*s%s\n", FMT(c->key), FMT(c->agent->id),
	    c->persist ? " persists" : "");
}

static void
on_child_stop(void *ctx, struct task_child *c)
{
	event_drop(ctx, c);
}

/* ---- the web ------------------------------------------------------------------------- */

static void
page_happens(struct event *e)
{
	struct bed *b = e->b;
	struct task_http *h = e->arg;
	struct task_http_answer a = { 200, str_of(b->page_type), str_of(b->page) };
	struct err err;

	if (b->page != NULL) {
		h->done(h, OK, &a, NULL);
		return;
	}
	err_set(&err, ERR_CLOSED, "nobody listens");
	h->done(h, ERR_CLOSED, NULL, &err);
}

static void
on_http(void *ctx, struct task_http *h)
{
	struct bed *b = ctx;

	buf_add_fmt(&b->told, "get %.*s\n", FMT(h->url));
	event_new(b, page_happens, h)->arg = h;
}

static void
on_http_stop(void *ctx, struct task_http *h)
{
	event_drop(ctx, h);
}

static struct str
on_http_hosts(void *ctx)
{
	return str_of(((struct bed *)ctx)->http_hosts);
}

/* ---- the journal --------------------------------------------------------------------------------- */

static void
start_happens(struct event *e)
{
	if (e->b->task != NULL)
		journal_add(e->b, str_of(e->key), str_of(e->name), STR_NONE);
	e->then(e->arg, e->b->no_journal ? ERR_IO : OK);
}

static void
on_record_start(void *ctx, struct str key, struct str name,
    void (*then)(void *arg, int rc), void *arg)
{
	struct event *e = event_new(ctx, start_happens, NULL);

	e->must = true;
	e->key = mem_cstr(key);
	e->name = mem_cstr(name);
	e->then = then;
	e->arg = arg;
}

static void
on_record_done(void *ctx, struct str key, struct str name, struct str json)
{
	journal_add(ctx, key, name, json);
}

/* ---- attempts ------------------------------------------------------------------------------------- */

static const struct task_host bed_host = {
	.done = on_done, .failed = on_failed, .waits = on_waits, .emit = on_emit,
	.tool = on_tool_event, .wants_deltas = wants_deltas, .stream_begin = stream_begin,
	.stream_delta = stream_delta, .message_id = bed_message_id, .stream_end = stream_end,
	.llm = on_llm, .llm_stop = on_llm_stop, .tools_call = on_tools_call, .work = on_work,
	.store = on_store, .store_stop = on_store_stop, .timer_set = on_timer_set,
	.timer_stop = on_timer_stop, .now = on_now, .child = on_child,
	.child_stop = on_child_stop, .record_start = on_record_start,
	.record_done = on_record_done, .http = on_http, .http_stop = on_http_stop,
	.http_hosts = on_http_hosts,
};

void
bed_open(struct bed *b, const char *agent)
{
	struct err e = { 0 };
	int rc;

	*b = (struct bed){ .host = bed_host, .now = INT64_C(1795220107580), .seed = 7,
	    .model = bed_parrot, .text = BUF(16 * MB), .told = BUF(16 * MB),
	    .request = BUF(MB) };
	rc = agent_load(&b->agent, str_of(agent), S("test.yaml"), &task_kinds, &e);
	if (rc != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	b->state = channels_new(b->agent->channels, b->agent->channels_n);
	b->tools = tools_new();
	for (size_t i = 0; i < BED_TOOLS; i++)
		tools_add(b->tools, &bed_tools[i]);
	b->host.tools = b->tools;
	b->defaults = (struct task_defaults){ .model = S("test:model"), .temperature = NAN };
	b->id = (struct uuid){ { 1, 2, 3 } };
	b->config = val_json_trusted(S("{\"configurable\":{\"who\":\"ann\"}}"));
	bed_noted = b;
}

static void
attempt_free(struct bed *b)
{
	struct task *t = b->task;

	b->task = NULL;
	task_free(t);
	for (size_t i = b->events_n; i-- > 0; ) {
		struct event *e = event_take(b, i);

		CHECK(e->must);              /* else the task has not stopped it */
		if (e->happen == start_happens)
			e->then(e->arg, OK);
		else
			e->done(e->arg, &(struct tool_result){ true, S("late") });
		event_free(e);
	}
}

void
bed_close(struct bed *b)
{
	attempt_free(b);
	free(b->events);
	for (size_t i = 0; i < b->journal_n; i++) {
		free(b->journal[i].key);
		free(b->journal[i].name);
		free(b->journal[i].json);
	}
	for (size_t i = 0; i < b->items_n; i++) {
		free(b->items[i].key);
		free(b->items[i].json);
	}
	for (size_t i = 0; i < b->answers_n; i++) {
		free(b->answers[i].key);
		val_drop(b->answers[i].value);
	}
	free(b->journal);
	free(b->items);
	free(b->answers);
	buf_release(&b->text);
	buf_release(&b->told);
	buf_release(&b->request);
	val_drop(b->config);
	val_drop(b->input);
	channels_free(b->state);
	tools_free(b->tools);
	agent_free(b->agent);
}

void
bed_set(struct bed *b, const char *channel, const char *json)
{
	int i = channels_find(b->state, str_of(channel));
	struct val v = val_json_trusted(str_of(json));
	struct err e = { 0 };

	CHECK(i != CHANNEL_NONE);
	CHECK_RC(channels_put(b->state, (size_t)i, v, 0, &e), OK);
	val_drop(v);
}

void
bed_config(struct bed *b, const char *json)
{
	val_drop(b->config);
	b->config = val_json_trusted(str_of(json));
}

void
bed_start(struct bed *b, const char *node)
{
	int i = agent_node_find(b->agent, str_of(node));
	struct task_record *records = mem_alloc((b->journal_n + 1) * sizeof *records);
	struct task_answer *answers = mem_alloc((b->answers_n + 1) * sizeof *answers);
	struct task_spec spec = { .agent = b->agent, .state = b->state, .input = b->input,
	    .config = b->config, .id = b->id, .records = records,
	    .records_n = b->journal_n, .answers = answers, .answers_n = b->answers_n,
	    .defaults = &b->defaults, .limits = b->limits, .counts = b->counts };

	CHECK(i >= 0);
	spec.work = &b->agent->nodes[i].work;
	for (size_t k = 0; k < b->journal_n; k++)
		records[k] = (struct task_record){ str_of(b->journal[k].key),
		    str_of(b->journal[k].name), str_of(b->journal[k].json) };
	for (size_t k = 0; k < b->answers_n; k++)
		answers[k] = (struct task_answer){ str_of(b->answers[k].key),
		    b->answers[k].value };
	attempt_free(b);
	b->end = BED_RUNS;
	b->task = task_new(&spec, &b->host, b);
	task_start(b->task);
	free(records);
	free(answers);
}

void
bed_run(struct bed *b, const char *node)
{
	bed_start(b, node);
	while (b->end == BED_RUNS)
		if (!bed_step(b))
			test_fail(__FILE__, __LINE__, "the task neither runs nor ends");
}

void
bed_crash(struct bed *b, size_t lost)
{
	attempt_free(b);
	while (lost-- > 0 && b->journal_n > 0) {
		struct bed_record *r = &b->journal[b->journal_n - 1];

		free(r->json);
		r->json = NULL;
		free(r->key);
		free(r->name);
		b->journal_n--;
	}
}

void
bed_answer(struct bed *b, const char *key, const char *json)
{
	mem_grow(b->answers, b->answers_n, b->answers_cap);
	b->answers[b->answers_n++] = (struct bed_answer){ mem_cstr(str_of(key)),
	    val_json_trusted(str_of(json)) };
}

/* ---- looking ----------------------------------------------------------------------------------------- */

/* UUIDs become '*', in place. */
static void
hide_ids(struct buf *b)
{
	struct uuid u;
	size_t to = 0;

	for (size_t i = 0; i < b->n; ) {
		if (i + UUID_TEXT <= b->n &&
		    uuid_parse((struct str){ b->p + i, UUID_TEXT }, &u)) {
			b->p[to++] = '*';
			i += UUID_TEXT;
		} else {
			b->p[to++] = b->p[i++];
		}
	}
	buf_cut(b, to);
}

struct str
bed_text(struct bed *b)
{
	hide_ids(&b->text);
	return buf_str(&b->text);
}

bool
bed_told(struct bed *b, const char *needle)
{
	return str_contains(buf_str(&b->told), str_of(needle));
}

void
check_work(const char *agent, const char *text)
{
	struct bed b;

	bed_open(&b, agent);
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), text);
	bed_close(&b);
}

uint32_t
bed_random(struct bed *b, uint32_t below)
{
	b->seed = b->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return below == 0 ? 0 : (uint32_t)(b->seed >> 33) % below;
}
