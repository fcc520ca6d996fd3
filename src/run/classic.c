/*
 * classic.c - see classic.h.
 *
 * One function a kind of event; within an event the order of modes is the
 * reference's: updates, values, tasks, checkpoints, debug, then the others.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/classic_priv.h"

#include <assert.h>
#include <stddef.h>

#include "base/limits.h"
#include "base/mem.h"

void
classic_init(struct classic *c, const struct classic_run *run, struct stream *s,
    atomic_ullong *told)
{
	*c = (struct classic){ .run = *run, .stream = s, .told = told };
}

void
classic_release(struct classic *c)
{
	classic_answers_release(c);
	classic_graphs_release(c);
	*c = (struct classic){ 0 };
}

/* ---- what frames say of the run -------------------------------------------- */

static const struct { const char *name; size_t at; } fact_texts[] = {
	{ "members", offsetof(struct classic_run, members) },
	{ "task_members", offsetof(struct classic_run, task_members) },
	{ "configurable", offsetof(struct classic_run, configurable) },
	{ "tags", offsetof(struct classic_run, tags) },
};

struct val
classic_facts(const struct classic *c)
{
	struct val facts = val_object_empty();

	for (size_t i = 0; i < COUNT(fact_texts); i++) {
		const struct str *text = (const void *)((const char *)&c->run +
		    fact_texts[i].at);

		if (text->n > 0)
			facts = val_set_take(facts, str_of(fact_texts[i].name),
			    val_string(*text));
	}
	facts = val_set_take(facts, S("recursion_limit"), val_int(c->run.recursion_limit));
	facts = val_set_take(facts, S("subgraphs"), val_bool(c->run.subgraphs));
	return val_set_take(facts, S("modes"), val_int(c->stream->modes));
}

bool
classic_facts_read(struct val facts, struct classic_run *run, unsigned *modes)
{
	struct val limit = val_get(facts, S("recursion_limit"));
	struct val mask = val_get(facts, S("modes"));

	if (limit.kind != VAL_INT || mask.kind != VAL_INT)
		return false;
	for (size_t i = 0; i < COUNT(fact_texts); i++) {
		struct val text = val_get(facts, str_of(fact_texts[i].name));

		if (text.kind == VAL_STRING)
			*(struct str *)(void *)((char *)run + fact_texts[i].at) =
			    val_str(text);
	}
	run->recursion_limit = limit.u.i;
	run->subgraphs = val_truthy(val_get(facts, S("subgraphs")));
	*modes = (unsigned)mask.u.i;
	return true;
}

/* ---- frames ------------------------------------------------------------------ */

bool
classic_wanted(struct classic *c, unsigned mode, const struct run_event *ev)
{
	if ((c->stream->modes & mode) == 0)
		return false;
	if (ev->ns.n > 0 && !c->run.subgraphs && (mode & CLASSIC_DEEP) == 0)
		return false;
	if (c->told != NULL)
		atomic_fetch_add_explicit(c->told, 1, memory_order_relaxed);
	if (stream_wants(c->stream, mode))
		return true;
	stream_skip(c->stream);
	return false;
}

void
classic_send(struct classic *c, unsigned mode, const char *name, struct str ns,
    struct buf *data)
{
	bool named = ns.n > 0 && (c->run.subgraphs || mode == MODE_LIFECYCLE);
	struct str parts[6] = { S("event: "), str_of(name), named ? S("|") : STR_NONE,
	    named ? ns : STR_NONE, S("\ndata: "), buf_str(data) };

	if (data->failed)
		stream_skip(c->stream);
	else
		stream_send(c->stream, mode, frame_join(parts, COUNT(parts),
		    stream_id(c->stream)));
	buf_release(data);
}

struct buf
classic_data(void)
{
	return BUF(2 * (size_t)LIMIT_STATE_BYTES);
}

void
classic_add_id(struct buf *b, const char *key, const struct uuid *id)
{
	char text[UUID_TEXT];

	uuid_format(id, text);
	json_add_key(b, key);
	json_add_str(b, (struct str){ text, UUID_TEXT });
}

/* `"key":value`; an undefined one is `[]`. */
static void
add_list(struct buf *b, const char *key, struct val v)
{
	json_add_key(b, key);
	if (v.kind == VAL_UNDEFINED)
		buf_lit(b, "[]");
	else
		val_add_json(b, v);
}

void
classic_add_val(struct buf *b, const char *key, struct val v)
{
	if (v.kind == VAL_UNDEFINED)
		return;
	json_add_key(b, key);
	val_add_json(b, v);
}

void
classic_place_open(struct classic_place *p, const struct classic *c,
    const struct run_event *ev)
{
	const struct event_task *t = ev->task;

	assert(t != NULL);
	*p = (struct classic_place){ .triggers = BUF(LIMIT_METADATA_BYTES),
	    .path = BUF(LIMIT_METADATA_BYTES) };
	if (t->triggers.kind != VAL_UNDEFINED)
		val_add_json(&p->triggers, t->triggers);
	if (t->path.kind != VAL_UNDEFINED)
		val_add_json(&p->path, t->path);
	p->at = (struct frame_place){ .run_members = c->run.members, .node = t->name,
	    .task_ns = t->ns, .step = ev->step,
	    .triggers = buf_str(&p->triggers), .path = buf_str(&p->path) };
}

void
classic_place_close(struct classic_place *p)
{
	buf_release(&p->triggers);
	buf_release(&p->path);
}

/* ---- the state ------------------------------------------------------------ */

static void
tell_metadata(struct classic *c, const struct run_event *ev)
{
	struct buf b;

	if (classic_wanted(c, MODE_META, ev)) {
		b = classic_data();
		buf_add_char(&b, '{');
		classic_add_id(&b, "run_id", &c->run.run_id);
		json_add_fmt(&b, ",'attempt':%lld}", (long long)ev->u.metadata.attempt);
		classic_send(c, MODE_META, "metadata", STR_NONE, &b);
	}
	classic_graph_start(c, ev, ev->u.metadata.input);
}

static void
tell_state(struct classic *c, const struct run_event *ev)
{
	struct buf b;

	if (ev->kind == EVENT_INPUT && ev->ns.n > 0)
		classic_graph_start(c, ev, ev->u.state.values);
	classic_graph_shows(c, ev);
	if (!classic_wanted(c, MODE_VALUES, ev))
		return;
	b = classic_data();
	val_add_json(&b, ev->u.state.values);
	classic_send(c, MODE_VALUES, "values", ev->ns, &b);
}

static void
tell_complete(struct classic *c, const struct run_event *ev)
{
	struct buf b;

	if (val_count(ev->u.complete.messages) == 0 ||
	    !classic_wanted(c, MODE_MESSAGES, ev))
		return;
	b = classic_data();
	val_add_json(&b, ev->u.complete.messages);
	classic_send(c, MODE_MESSAGES, "messages/complete", ev->ns, &b);
}

static void
tell_interrupt(struct classic *c, const struct run_event *ev)
{
	static const struct { unsigned mode; const char *name; } both[] = {
		{ MODE_UPDATES, "updates" }, { MODE_VALUES, "values" },
	};

	for (size_t i = 0; i < COUNT(both); i++) {
		struct buf b = classic_data();

		if (!classic_wanted(c, both[i].mode, ev))
			continue;
		buf_add_char(&b, '{');
		add_list(&b, "__interrupt__", ev->u.interrupts.list);
		buf_add_char(&b, '}');
		classic_send(c, both[i].mode, both[i].name, ev->ns, &b);
	}
}

/* ---- tasks and checkpoints ------------------------------------------------ */

static void
add_run_metadata(struct buf *b, struct str members)
{
	json_add_key(b, "metadata");
	json_add_fmt(b, "{'ls_integration':'langgraph'%-s%-.*s}", members.n > 0 ? "," : "",
	    FMT(members));
}

/* The debug form of what `type` says, around a payload. */
static void
add_debug_head(struct buf *b, const char *type, const struct run_event *ev)
{
	json_add_fmt(b, "{'step':%d,'type':%s,'timestamp':\"", ev->step, type);
	clock_add_iso(b, ev->now);
	buf_lit(b, "\",\"payload\":");
}

void
classic_add_task(struct buf *b, struct str members, const struct event_task *t,
    void (*add)(struct buf *b, struct val v))
{
	buf_add_char(b, '{');
	classic_add_id(b, "id", &t->id);
	json_add_fmt(b, ",'name':%.*s", FMT(t->name));
	if (t->input.kind != VAL_UNDEFINED) {
		json_add_key(b, "input");
		add(b, t->input);
	}
	if (t->triggers.kind != VAL_UNDEFINED) {
		classic_add_val(b, "triggers", t->triggers);
	} else {
		buf_lit(b, ",\"triggers\":[\"branch:to:");
		json_add_escaped(b, t->name);
		buf_lit(b, "\"]");
	}
	add_list(b, "interrupts", t->interrupts);
	add_run_metadata(b, members);
	buf_add_char(b, '}');
}

/* As the thread's state shows it: the error is a text. */
static void
add_error_text(struct buf *b, struct val error)
{
	struct buf text = BUF(LIMIT_METADATA_BYTES);

	val_add_json(&text, error);
	json_add_key(b, "error");
	json_add_str(b, buf_str(&text));
	buf_release(&text);
}

void
classic_add_task_result(struct buf *b, struct str members, const struct event_task *t,
    void (*add)(struct buf *b, struct val v))
{
	(void)members;
	buf_add_char(b, '{');
	classic_add_id(b, "id", &t->id);
	json_add_fmt(b, ",'name':%.*s", FMT(t->name));
	if (t->error.kind != VAL_UNDEFINED) {
		add_error_text(b, t->error);
	} else {
		json_add_key(b, "result");
		if (t->result.kind == VAL_UNDEFINED)
			buf_lit(b, "{}");
		else
			add(b, t->result);
	}
	add_list(b, "interrupts", t->interrupts);
	buf_add_char(b, '}');
}

static void
tell_task_as(struct classic *c, const struct run_event *ev, const char *type,
    void (*add)(struct buf *b, struct str members, const struct event_task *t,
	void (*add_val)(struct buf *b, struct val v)))
{
	struct buf b = classic_data();

	if (classic_wanted(c, MODE_TASKS, ev)) {
		add(&b, c->run.task_members, ev->task, val_add_json);
		classic_send(c, MODE_TASKS, "tasks", ev->ns, &b);
	}
	if (classic_wanted(c, MODE_DEBUG, ev)) {
		b = classic_data();
		add_debug_head(&b, type, ev);
		add(&b, c->run.task_members, ev->task, val_add_json);
		buf_add_char(&b, '}');
		classic_send(c, MODE_DEBUG, "debug", ev->ns, &b);
	}
}

static void
tell_task(struct classic *c, const struct run_event *ev)
{
	tell_task_as(c, ev, "task", classic_add_task);
	classic_node_start(c, ev);
}

static void
tell_task_result(struct classic *c, const struct run_event *ev)
{
	const struct event_task *t = ev->task;
	struct buf b;

	if (t->result.kind != VAL_UNDEFINED && t->error.kind == VAL_UNDEFINED &&
	    classic_wanted(c, MODE_UPDATES, ev)) {
		b = classic_data();
		json_add_fmt(&b, "{%.*s:", FMT(t->name));
		val_add_json(&b, t->result);
		buf_add_char(&b, '}');
		classic_send(c, MODE_UPDATES, "updates", ev->ns, &b);
	}
	classic_node_end(c, ev);
	tell_task_as(c, ev, "task_result", classic_add_task_result);
}

static void
add_checkpoint_metadata(struct buf *b, const struct run_event *ev)
{
	const struct event_checkpoint *k = &ev->u.checkpoint;

	json_add_fmt(b, ",'metadata':{'source':%s,'step':%d,'parents':",
	    checkpoint_source_names[k->source], ev->step);
	if (k->parents.kind == VAL_UNDEFINED)
		buf_lit(b, "{}");
	else
		val_add_json(b, k->parents);
	buf_add_char(b, '}');
}

static void
add_next(struct buf *b, const struct event_checkpoint *k)
{
	json_add_key(b, "next");
	buf_add_char(b, '[');
	for (size_t i = 0; i < k->tasks_n; i++)
		json_add_fmt(b, ",%.*s", FMT(k->tasks[i].name));
	buf_add_char(b, ']');
}

/* config or parent_config: how to name a checkpoint to the run's program. */
static void
add_config(struct buf *b, const char *key, const struct classic *c, struct str ns,
    const struct uuid *id)
{
	struct str tags = c->run.tags.n > 0 ? c->run.tags : S("[]");

	json_add_key(b, key);
	json_add_fmt(b, "{'configurable':{'checkpoint_ns':%.*s", FMT(ns));
	if (c->run.configurable.n > 0)
		json_add_fmt(b, ",%-.*s", FMT(c->run.configurable));
	classic_add_id(b, "checkpoint_id", id);
	buf_add_char(b, '}');
	add_run_metadata(b, c->run.members);
	json_add_fmt(b, ",'recursion_limit':%lld,'tags':%-.*s}",
	    (long long)c->run.recursion_limit, FMT(tags));
}

/* checkpoint or parent_checkpoint: the same for a client; zero: null. */
static void
add_checkpoint_of(struct buf *b, const char *key, const struct classic *c,
    struct str ns, const struct uuid *id)
{
	json_add_key(b, key);
	if (uuid_is_zero(id)) {
		buf_lit(b, "null");
		return;
	}
	buf_add_char(b, '{');
	classic_add_id(b, "thread_id", &c->run.thread_id);
	classic_add_id(b, "checkpoint_id", id);
	json_add_fmt(b, ",'checkpoint_ns':%.*s,'checkpoint_map':null}", FMT(ns));
}

static void
add_next_task(struct buf *b, const struct classic *c, const struct event_task *t)
{
	json_add_comma(b);
	buf_add_char(b, '{');
	classic_add_id(b, "id", &t->id);
	json_add_fmt(b, ",'name':%.*s,'path':", FMT(t->name));
	if (t->path.kind == VAL_UNDEFINED)
		json_add_fmt(b, "['__pregel_pull',%.*s]", FMT(t->name));
	else
		val_add_json(b, t->path);
	if (t->error.kind != VAL_UNDEFINED)
		add_error_text(b, t->error);
	add_list(b, "interrupts", t->interrupts);
	if (t->child_ns.n > 0) {
		buf_lit(b, ",\"checkpoint\":{");
		classic_add_id(b, "thread_id", &c->run.thread_id);
		json_add_fmt(b, ",'checkpoint_ns':%.*s}", FMT(t->child_ns));
	}
	classic_add_val(b, "result", t->result);
	buf_add_char(b, '}');
}

static void
tell_debug_checkpoint(struct classic *c, const struct run_event *ev)
{
	const struct event_checkpoint *k = &ev->u.checkpoint;
	struct buf b = classic_data();

	add_debug_head(&b, "checkpoint", ev);
	buf_add_char(&b, '{');
	add_config(&b, "config", c, ev->ns, &k->id);
	classic_add_val(&b, "values", k->values);
	add_checkpoint_metadata(&b, ev);
	add_next(&b, k);
	buf_lit(&b, ",\"tasks\":[");
	for (size_t i = 0; i < k->tasks_n; i++)
		add_next_task(&b, c, &k->tasks[i]);
	buf_add_char(&b, ']');
	add_checkpoint_of(&b, "checkpoint", c, ev->ns, &k->id);
	add_checkpoint_of(&b, "parent_checkpoint", c, ev->ns, &k->parent);
	if (!uuid_is_zero(&k->parent))
		add_config(&b, "parent_config", c, ev->ns, &k->parent);
	buf_lit(&b, "}}");
	classic_send(c, MODE_DEBUG, "debug", ev->ns, &b);
}

static void
tell_checkpoint(struct classic *c, const struct run_event *ev)
{
	const struct event_checkpoint *k = &ev->u.checkpoint;
	struct buf b;

	if (uuid_is_zero(&k->id))
		return;
	if (classic_wanted(c, MODE_CHECKPOINTS, ev)) {
		b = classic_data();
		buf_add_char(&b, '{');
		classic_add_val(&b, "values", k->values);
		add_checkpoint_metadata(&b, ev);
		add_next(&b, k);
		buf_add_char(&b, '}');
		classic_send(c, MODE_CHECKPOINTS, "checkpoints", ev->ns, &b);
	}
	if (classic_wanted(c, MODE_DEBUG, ev))
		tell_debug_checkpoint(c, ev);
}

/* ---- what nodes tell ------------------------------------------------------ */

static void
tell_message(struct classic *c, const struct run_event *ev)
{
	struct classic_place p;
	struct buf b;

	if (!classic_wanted(c, MODE_MESSAGES_TUPLE, ev))
		return;
	b = classic_data();
	classic_place_open(&p, c, ev);
	buf_add_char(&b, '[');
	val_add_json(&b, ev->u.message.message);
	buf_add_char(&b, ',');
	if (ev->u.message.metadata.kind != VAL_UNDEFINED)
		val_add_json(&b, ev->u.message.metadata);
	else
		frame_add_node_metadata(&b, &p.at);
	buf_add_char(&b, ']');
	classic_place_close(&p);
	classic_send(c, MODE_MESSAGES_TUPLE, "messages", ev->task->ns, &b);
}

static void
tell_custom(struct classic *c, const struct run_event *ev)
{
	struct buf b;

	if (!classic_wanted(c, MODE_CUSTOM, ev))
		return;
	b = classic_data();
	val_add_json(&b, ev->u.custom.data);
	classic_send(c, MODE_CUSTOM, "custom", ev->ns, &b);
}

static const struct { const char *event, *member; } tool_words[] = {
	[EVENT_TOOL_START] = { "on_tool_start", "input" },
	[EVENT_TOOL_DELTA] = { "on_tool_event", "data" },
	[EVENT_TOOL_END] = { "on_tool_end", "output" },
	[EVENT_TOOL_ERROR] = { "on_tool_error", "error" },
};

/* A tool's input is told as the text that the model wrote. */
void
classic_add_tool_payload(struct buf *b, const struct event_tool *t)
{
	struct buf text = BUF(LIMIT_STATE_BYTES);

	json_add_key(b, tool_words[t->what].member);
	if (t->what == EVENT_TOOL_END && val_has(t->payload, S("tool_call_id"))) {
		/* as a tool gives it: the message has no id yet */
		struct val output = val_unset_take(val_ref(t->payload), S("id"));

		val_add_json(b, output);
		val_drop(output);
	} else if (t->what == EVENT_TOOL_START && t->payload.kind != VAL_STRING) {
		val_add_json(&text, t->payload);
		json_add_str(b, buf_str(&text));
	} else {
		val_add_json(b, t->payload);
	}
	buf_release(&text);
}

static void
tell_tool(struct classic *c, const struct run_event *ev)
{
	const struct event_tool *t = &ev->u.tool;
	struct buf b;

	assert((size_t)t->what < COUNT(tool_words));
	classic_tool_event(c, ev, tool_words[t->what].event);
	if (!classic_wanted(c, MODE_TOOLS, ev))
		return;
	b = classic_data();
	json_add_fmt(&b, "{'event':%s,'toolCallId':%.*s,'name':%.*s",
	    tool_words[t->what].event, FMT(t->call_id), FMT(t->name));
	classic_add_tool_payload(&b, t);
	buf_add_char(&b, '}');
	classic_send(c, MODE_TOOLS, "tools", ev->ns, &b);
}

/* ---- the run --------------------------------------------------------------- */

static void
add_error(struct buf *b, struct str name, struct str message)
{
	json_add_fmt(b, "{'error':%.*s,'message':%.*s}", FMT(name), FMT(message));
}

static void
tell_lifecycle(struct classic *c, const struct run_event *ev)
{
	static const char *const words[] = {
		[EVENT_STARTED] = "started", [EVENT_COMPLETED] = "completed",
		[EVENT_FAILED] = "failed", [EVENT_INTERRUPTED] = "interrupted",
	};
	const struct event_lifecycle *l = &ev->u.lifecycle;
	struct str rest = ev->ns, part;
	struct buf b;

	if (l->what == EVENT_COMPLETED)
		classic_graph_end(c, ev);
	if (ev->ns.n == 0 || l->what == EVENT_RUNNING ||
	    !classic_wanted(c, MODE_LIFECYCLE, ev))
		return;
	b = classic_data();
	json_add_fmt(&b, "{'event':%s,'namespace':[", words[l->what]);
	while (str_next(&rest, '|', &part))
		json_add_fmt(&b, ",%.*s", FMT(part));
	buf_add_char(&b, ']');
	if (l->tool_call_id.n > 0)
		json_add_fmt(&b, ",'tool_call_id':%.*s", FMT(l->tool_call_id));
	if (l->what == EVENT_FAILED) {
		json_add_key(&b, "error");
		add_error(&b, l->error, l->message);
	}
	buf_add_char(&b, '}');
	classic_send(c, MODE_LIFECYCLE, "lifecycle", ev->ns, &b);
}

static void
tell_error(struct classic *c, const struct run_event *ev)
{
	struct buf b = classic_data();

	if (!classic_wanted(c, MODE_META, ev))
		return;
	add_error(&b, ev->u.error.name, ev->u.error.message);
	classic_send(c, MODE_META, "error", STR_NONE, &b);
}

void
classic_tell(struct classic *c, const struct run_event *ev)
{
	static void (*const by_kind[EVENT_KINDS])(struct classic *,
	    const struct run_event *) = {
		[EVENT_METADATA] = tell_metadata, [EVENT_INPUT] = tell_state,
		[EVENT_TASK] = tell_task, [EVENT_TASK_RESULT] = tell_task_result,
		[EVENT_VALUES] = tell_state, [EVENT_CHECKPOINT] = tell_checkpoint,
		[EVENT_MESSAGE] = tell_message, [EVENT_COMPLETE] = tell_complete,
		[EVENT_MODEL_START] = classic_model_start,
		[EVENT_DELTA] = classic_delta, [EVENT_MODEL_END] = classic_model_end,
		[EVENT_RETRACT] = classic_retract, [EVENT_CUSTOM] = tell_custom,
		[EVENT_TOOL] = tell_tool, [EVENT_INTERRUPT] = tell_interrupt,
		[EVENT_ANSWERED] = NULL, [EVENT_REFUSED] = NULL,
		[EVENT_LIFECYCLE] = tell_lifecycle, [EVENT_ERROR] = tell_error,
	};

	assert((size_t)ev->kind < COUNT(by_kind));
	if (by_kind[ev->kind] != NULL)
		by_kind[ev->kind](c, ev);
}
