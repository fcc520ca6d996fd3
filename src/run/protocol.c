/*
 * protocol.c - what events of a run become in the thread protocol: see
 * protocol_priv.h.  One function a kind of event.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/protocol_priv.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "run/classic_priv.h"

void
protocol_init(struct protocol *p, const struct protocol_sink *sink)
{
	*p = (struct protocol){ .sink = sink };
	p->told = p->asked = BUF(LIMIT_STATE_BYTES);
	p->data = BUF(3 * (size_t)LIMIT_STATE_BYTES);
}

void
protocol_release(struct protocol *p)
{
	protocol_messages_release(p);
	val_drop(p->facts);
	val_drop(p->unknown);
	val_drop(p->pending);
	buf_release(&p->told);
	buf_release(&p->asked);
	buf_release(&p->data);
	free(p->reason);
	*p = (struct protocol){ 0 };
}

/* ---- an event --------------------------------------------------------------------- */

/* An event of the run has LIMIT_PROTOCOL_SEQS numbers; what is beyond them is dropped.
 * Only thousands of questions at once can need more. */
bool
protocol_open(struct protocol *p, struct protocol_event *e)
{
	if (p->place == LIMIT_PROTOCOL_SEQS)
		return false;
	e->seq = protocol_first(p->number) + p->place++;
	e->now = p->now;
	return p->sink->wants(p->sink->ctx, e);
}

struct protocol_event
protocol_event(enum protocol_channel channel, const char *method, const struct run_event *ev)
{
	return (struct protocol_event){ .channel = channel, .method = method, .ns = ev->ns,
	    .node = ev->task != NULL ? ev->task->name : STR_NONE };
}

struct buf *
protocol_data(struct protocol *p)
{
	buf_clear(&p->data);
	return &p->data;
}

#define DATA_KEPT (64 * KB)

void
protocol_send(struct protocol *p, struct protocol_event *e)
{
	e->data[0] = buf_str(&p->data);
	if (!p->data.failed)
		p->sink->event(p->sink->ctx, e);
	if (p->data.cap > DATA_KEPT)
		buf_release(&p->data);
}

static char *
find_note(const struct buf *list, struct str id)
{
	char *at = list->p;
	size_t left = list->n;

	while (left > id.n) {
		char *hit = memmem(at, left, id.p, id.n);

		if (hit == NULL)
			return NULL;
		if (hit > list->p && hit[-1] == '\n' && (hit + id.n == list->p + list->n ||
		    hit[id.n] == '\n'))
			return hit;
		left -= (size_t)(hit + 1 - at);
		at = hit + 1;
	}
	return NULL;
}

bool
protocol_note(struct buf *list, struct str id)
{
	if (id.n == 0 || find_note(list, id) != NULL)
		return false;
	buf_add_char(list, '\n');
	buf_add(list, id);
	return true;
}

void
protocol_forget(struct buf *list, struct str id)
{
	char *at = id.n == 0 ? NULL : find_note(list, id);

	if (at != NULL)
		memset(at, '\n', id.n);
}

/* ---- the run's life ---------------------------------------------------------------- */

static struct protocol_event
life_event(void)
{
	return (struct protocol_event){ .channel = CHANNEL_LIFECYCLE, .method = "lifecycle",
	    .life = true };
}

/* `{"event":word,"graph_name":graph` */
static struct buf *
life_data(struct protocol *p, const char *word, struct str graph)
{
	struct buf *b = protocol_data(p);

	json_add_fmt(b, "{'event':%s", word);
	if (graph.n > 0)
		json_add_fmt(b, ",'graph_name':%.*s", FMT(graph));
	return b;
}

static struct str
root_graph(const struct protocol *p)
{
	return protocol_text(val_get(p->facts, S("graph")));
}

/* Once per run: a new attempt continues what the previous one began. */
static void
tell_running(struct protocol *p, const struct run_event *ev)
{
	struct protocol_event e = life_event();

	val_drop(p->facts);
	p->facts = val_ref(ev->u.metadata.facts);
	protocol_messages_forget(p);
	free(p->reason);
	p->reason = NULL;
	if (p->begun)
		return;
	p->begun = true;
	if (!protocol_open(p, &e))
		return;
	buf_add_char(life_data(p, "running", root_graph(p)), '}');
	protocol_send(p, &e);
}

static void
add_ids(struct buf *b, const char *key, struct val ids)
{
	if (ids.kind == VAL_UNDEFINED)
		return;
	json_add_key(b, key);
	val_add_json(b, ids);
}

static void
add_failure(struct buf *b, const struct protocol *p, struct str error)
{
	struct str reason = p->reason != NULL ? str_of(p->reason) : error;

	json_add_fmt(b, ",'error':%.*s", FMT(reason));
	if (p->unknown.kind != VAL_UNDEFINED)
		json_add_fmt(b, ",'reason':%.*s", FMT(reason));
	add_ids(b, "interrupt_ids", p->unknown);
	add_ids(b, "pending_ids", p->pending);
}

void
protocol_end(struct protocol *p, enum run_status status, struct str error, int64_t number,
    msec now)
{
	static const char *const names[] = {
		[RUN_SUCCESS] = "completed", [RUN_ERROR] = "failed", [RUN_TIMEOUT] = "failed",
		[RUN_INTERRUPTED] = "interrupted",
	};
	struct protocol_event e = life_event();
	struct buf *b;

	assert((size_t)status < COUNT(names) && names[status] != NULL);
	p->number = number;
	p->place = 0;
	p->now = now;
	if (!protocol_open(p, &e))
		return;
	b = life_data(p, names[status], root_graph(p));
	if (status == RUN_ERROR || status == RUN_TIMEOUT)
		add_failure(b, p, error);
	buf_add_char(b, '}');
	protocol_send(p, &e);
}

/* Of graphs below the root; the root's is METADATA's and protocol_end's. */
static void
tell_lifecycle(struct protocol *p, const struct run_event *ev)
{
	static const char *const names[] = {
		[EVENT_STARTED] = "started", [EVENT_COMPLETED] = "completed",
		[EVENT_FAILED] = "failed", [EVENT_INTERRUPTED] = "interrupted",
	};
	struct protocol_event e = protocol_event(CHANNEL_LIFECYCLE, "lifecycle", ev);
	const struct event_lifecycle *l = &ev->u.lifecycle;
	struct buf *b;

	if (ev->ns.n == 0 || !protocol_open(p, &e))
		return;
	b = life_data(p, names[l->what], l->graph);
	if (l->tool_call_id.n > 0)
		json_add_fmt(b, ",'cause':{'type':'toolCall','tool_call_id':%.*s}",
		    FMT(l->tool_call_id));
	if (l->what == EVENT_FAILED)
		json_add_fmt(b, ",'error':%.*s", FMT(l->message));
	buf_add_char(b, '}');
	protocol_send(p, &e);
}

static void
note_error(struct protocol *p, const struct run_event *ev)
{
	free(p->reason);
	p->reason = mem_cstr(ev->u.error.message);
}

/* ---- questions --------------------------------------------------------------------- */

static void
tell_question(struct protocol *p, const struct run_event *ev, struct val asked)
{
	struct protocol_event e = protocol_event(CHANNEL_INPUT, "input.requested", ev);
	struct val value = val_get(asked, S("value"));
	struct buf *b;

	/* Told for the graph that asks, then for those above it. */
	if (!protocol_note(&p->asked, protocol_text(val_get(asked, S("id")))) ||
	    !protocol_open(p, &e))
		return;
	b = protocol_data(p);
	json_add_fmt(b, "{'interrupt_id':%.*s", FMT(protocol_text(val_get(asked, S("id")))));
	classic_add_val(b, "payload", value);
	classic_add_val(b, "value", value);
	classic_add_val(b, "response_schema", val_get(asked, S("response_schema")));
	buf_add_char(b, '}');
	protocol_send(p, &e);
}

static void
tell_interrupt(struct protocol *p, const struct run_event *ev)
{
	for (size_t i = 0; i < val_count(ev->u.interrupts.list); i++)
		tell_question(p, ev, val_at(ev->u.interrupts.list, i));
}

static void
tell_answered(struct protocol *p, const struct run_event *ev)
{
	struct protocol_event e = protocol_event(CHANNEL_INPUT, "input.answered", ev);
	struct buf *b;

	if (!protocol_open(p, &e))
		return;
	b = protocol_data(p);
	buf_lit(b, "{\"interrupt_ids\":");
	val_add_json(b, ev->u.answered.ids);
	buf_add_char(b, '}');
	protocol_send(p, &e);
}

static void
note_refused(struct protocol *p, const struct run_event *ev)
{
	val_drop(p->unknown);
	val_drop(p->pending);
	p->unknown = val_ref(ev->u.refused.unknown);
	p->pending = val_ref(ev->u.refused.pending);
}

/* ---- states and tasks ---------------------------------------------------------------- */

static void
tell_checkpoint_of(struct protocol *p, const struct run_event *ev, const struct uuid *id,
    const struct uuid *parent, enum checkpoint_source source)
{
	struct protocol_event e = protocol_event(CHANNEL_CHECKPOINTS, "checkpoints", ev);
	struct buf *b;

	if (uuid_is_zero(id))
		return;
	p->checkpoint = *id;
	if (!protocol_open(p, &e))
		return;
	b = protocol_data(p);
	buf_add_char(b, '{');
	classic_add_id(b, "id", id);
	if (!uuid_is_zero(parent))
		classic_add_id(b, "parent_id", parent);
	json_add_fmt(b, ",'step':%d,'source':%s}", ev->step, checkpoint_source_names[source]);
	protocol_send(p, &e);
}

static void
tell_state(struct protocol *p, const struct run_event *ev)
{
	struct protocol_event e = protocol_event(CHANNEL_VALUES, "values", ev);
	const struct event_state *s = &ev->u.state;

	tell_checkpoint_of(p, ev, &s->id, &s->parent, s->source);
	if (!protocol_open(p, &e))
		return;
	protocol_add_state(protocol_data(p), s->values);
	protocol_send(p, &e);
}

/* Only for a step that did not change the state: otherwise the state's event has told
 * it.  The first checkpoint of a run is told with the input. */
static void
tell_checkpoint(struct protocol *p, const struct run_event *ev)
{
	const struct event_checkpoint *k = &ev->u.checkpoint;

	if (!uuid_eq(&k->id, &p->checkpoint) && k->source != SOURCE_INPUT)
		tell_checkpoint_of(p, ev, &k->id, &k->parent, k->source);
}

static struct str
task_members(const struct protocol *p)
{
	return protocol_text(val_get(p->facts, S("task_members")));
}

static void
tell_task(struct protocol *p, const struct run_event *ev)
{
	struct protocol_event e = protocol_event(CHANNEL_TASKS, "tasks", ev);

	if (!protocol_open(p, &e))
		return;
	classic_add_task(protocol_data(p), task_members(p), ev->task, protocol_add_state);
	protocol_send(p, &e);
}

static void
tell_update(struct protocol *p, const struct run_event *ev)
{
	struct protocol_event e = protocol_event(CHANNEL_UPDATES, "updates", ev);
	struct buf *b;

	if (!protocol_open(p, &e))
		return;
	b = protocol_data(p);
	if (ev->task->result.kind == VAL_NULL)
		buf_lit(b, "{}");            /* it wrote nothing */
	else
		protocol_add_state(b, ev->task->result);
	protocol_send(p, &e);
}

static void
tell_task_result(struct protocol *p, const struct run_event *ev)
{
	struct protocol_event e = protocol_event(CHANNEL_TASKS, "tasks", ev);
	const struct event_task *t = ev->task;

	if (t->result.kind != VAL_UNDEFINED && t->error.kind == VAL_UNDEFINED)
		tell_update(p, ev);
	if (!protocol_open(p, &e))
		return;
	classic_add_task_result(protocol_data(p), STR_NONE, t, protocol_add_state);
	protocol_send(p, &e);
}

bool
protocol_needs_state(const struct protocol *p, const struct run_event *ev, int64_t number)
{
	static const enum protocol_channel channels[EVENT_KINDS] = {
		[EVENT_INPUT] = CHANNEL_VALUES, [EVENT_VALUES] = CHANNEL_VALUES,
		[EVENT_TASK] = CHANNEL_TASKS,
	};
	/* A state comes behind its checkpoint. */
	struct protocol_event e = { .channel = channels[ev->kind], .ns = ev->ns,
	    .seq = protocol_first(number) + (ev->kind != EVENT_TASK) };

	return e.channel != 0 && p->sink->wants(p->sink->ctx, &e);
}

/* ---- what nodes tell ------------------------------------------------------------------ */

static void
tell_custom(struct protocol *p, const struct run_event *ev)
{
	struct protocol_event e = protocol_event(CHANNEL_CUSTOM, "custom", ev);
	struct buf *b;

	e.custom = ev->u.custom.name;
	if (!protocol_open(p, &e))
		return;
	b = protocol_data(p);
	buf_add_char(b, '{');
	if (e.custom.n > 0)
		json_add_fmt(b, "'name':%.*s", FMT(e.custom));
	json_add_key(b, "payload");
	val_add_json(b, ev->u.custom.data);
	buf_add_char(b, '}');
	protocol_send(p, &e);
}

/* A text as it is, of an error its message, else JSON. */
static void
add_text(struct buf *b, const char *key, struct val v)
{
	struct buf json = BUF(LIMIT_STATE_BYTES);
	struct val message = v.kind == VAL_OBJECT ? val_get(v, S("message")) : v;

	if (message.kind != VAL_STRING)
		val_add_json(&json, v);
	json_add_key(b, key);
	json_add_str(b, message.kind == VAL_STRING ? val_str(message) : buf_str(&json));
	buf_release(&json);
}

static void
tell_tool(struct protocol *p, const struct run_event *ev)
{
	static const struct {
		const char *event, *member;
		void (*add)(struct buf *b, const char *key, struct val v);
	} by_what[] = {
		[EVENT_TOOL_START] = { "tool-started", "input", classic_add_val },
		[EVENT_TOOL_DELTA] = { "tool-output-delta", "delta", add_text },
		[EVENT_TOOL_END] = { "tool-finished", "output", classic_add_val },
		[EVENT_TOOL_ERROR] = { "tool-error", "message", add_text },
	};
	struct protocol_event e = protocol_event(CHANNEL_TOOLS, "tools", ev);
	const struct event_tool *t = &ev->u.tool;
	struct buf *b;

	assert((size_t)t->what < COUNT(by_what));
	if (!protocol_open(p, &e))
		return;
	b = protocol_data(p);
	json_add_fmt(b, "{'event':%s,'tool_call_id':%.*s", by_what[t->what].event,
	    FMT(t->call_id));
	if (t->what == EVENT_TOOL_START)
		json_add_fmt(b, ",'tool_name':%.*s", FMT(t->name));
	by_what[t->what].add(b, by_what[t->what].member, t->payload);
	buf_add_char(b, '}');
	protocol_send(p, &e);
}

/* ---- all ------------------------------------------------------------------------------- */

void
protocol_tell(struct protocol *p, const struct run_event *ev, int64_t number)
{
	static void (*const by_kind[EVENT_KINDS])(struct protocol *,
	    const struct run_event *) = {
		[EVENT_METADATA] = tell_running, [EVENT_INPUT] = tell_state,
		[EVENT_TASK] = tell_task, [EVENT_TASK_RESULT] = tell_task_result,
		[EVENT_VALUES] = tell_state, [EVENT_CHECKPOINT] = tell_checkpoint,
		[EVENT_MESSAGE] = protocol_whole, [EVENT_DELTA] = protocol_delta,
		[EVENT_MODEL_END] = protocol_model_end,
		[EVENT_RETRACT] = protocol_retract, [EVENT_CUSTOM] = tell_custom,
		[EVENT_TOOL] = tell_tool, [EVENT_INTERRUPT] = tell_interrupt,
		[EVENT_ANSWERED] = tell_answered, [EVENT_REFUSED] = note_refused,
		[EVENT_LIFECYCLE] = tell_lifecycle, [EVENT_ERROR] = note_error,
	};

	assert((size_t)ev->kind < COUNT(by_kind));
	p->number = number;
	p->place = 0;
	p->now = ev->now;
	if (by_kind[ev->kind] != NULL)
		by_kind[ev->kind](p, ev);
}
