/*
 * agui_tell.c - see agui_tell.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/agui_tell.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/json_patch.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/scan.h"

/* A call that is being spoken: raw spans. */
struct call_told {
	int64_t index;
	struct buf id, name;
	bool begun;
};

struct message_told {
	struct list in;
	struct str node;                     /* whose it is, with its task: "a:id|b:id" */
	struct str ns;                       /* of its graph: the node's without its last */
	struct str id;                       /* raw; owned, as node is */
	bool text, reasoning;                /* open */
	struct call_told *calls;
	size_t calls_n, calls_cap;
};

/* A step, or a subagent. */
struct open_told {
	struct list in;
	struct str ns, name;
	size_t n;                            /* tasks of the step */
};

static struct str
keep(struct str s)
{
	return (struct str){ mem_cstr(s), s.n };
}

static void
drop(struct str s)
{
	free((char *)(uintptr_t)s.p);
}

/* The graph that a node, or an agent, is in. */
static struct str
above(struct str ns)
{
	while (ns.n > 0 && ns.p[ns.n - 1] != '|')
		ns.n--;
	return ns.n > 0 ? str_sub(ns, 0, ns.n - 1) : ns;
}

/* ---- writing ------------------------------------------------------------------------ */

void
agui_event(struct buf *b, const char *type)
{
	buf_add_fmt(b, "data: {\"type\":\"%s\"", type);
}

void
agui_event_end(struct buf *b)
{
	buf_lit(b, "}\n\n");
}

/* An event of what happens in a graph; the root's is nobody's. */
static void
event_in(struct agui_tell *t, const char *type, struct str ns)
{
	agui_event(&t->out, type);
	if (ns.n > 0 && t->agents_told)
		json_add_fmt(&t->out, ",'subagentRunId':%.*s", FMT(ns));
}

/* Of a message; before: of its id. */
static void
message_event(struct agui_tell *t, const char *type, const struct message_told *m,
    const char *before)
{
	event_in(t, type, m->ns);
	buf_add_fmt(&t->out, ",\"messageId\":\"%s", before);
	buf_add(&t->out, m->id);
	buf_add_char(&t->out, '"');
}

static void
bare_event(struct agui_tell *t, const char *type, const struct message_told *m,
    const char *before)
{
	message_event(t, type, m, before);
	agui_event_end(&t->out);
}

/* ---- messages ----------------------------------------------------------------------- */

static struct message_told *
message_find(const struct agui_tell *t, struct str id)
{
	for (struct list *l = t->messages.next; l != &t->messages; l = l->next) {
		struct message_told *m = CONTAINER_OF(l, struct message_told, in);

		if (str_eq(m->id, id))
			return m;
	}
	return NULL;
}

static void
text_end(struct agui_tell *t, struct message_told *m)
{
	if (m->text)
		bare_event(t, "TEXT_MESSAGE_END", m, "");
	m->text = false;
}

static void
reasoning_end(struct agui_tell *t, struct message_told *m)
{
	if (!m->reasoning)
		return;
	m->reasoning = false;
	bare_event(t, "REASONING_MESSAGE_END", m, AGUI_REASONING);
	bare_event(t, "REASONING_END", m, AGUI_REASONING);
}

static void
call_event(struct agui_tell *t, const char *type, const struct message_told *m,
    const struct call_told *call)
{
	event_in(t, type, m->ns);
	json_add_raw(&t->out, "toolCallId", buf_str(&call->id));
}

static void
call_begin(struct agui_tell *t, struct message_told *m, struct call_told *call)
{
	if (call->begun)
		return;
	text_end(t, m);
	reasoning_end(t, m);
	call->begun = true;
	call_event(t, "TOOL_CALL_START", m, call);
	json_add_raw(&t->out, "toolCallName", buf_str(&call->name));
	json_add_raw(&t->out, "parentMessageId", m->id);
	agui_event_end(&t->out);
}

static void
call_args(struct agui_tell *t, struct message_told *m, struct call_told *call,
    struct str raw)
{
	if (raw.n == 0)
		return;
	call_begin(t, m, call);
	call_event(t, "TOOL_CALL_ARGS", m, call);
	json_add_raw(&t->out, "delta", raw);
	agui_event_end(&t->out);
}

/* Ends what is open of it. */
static void
message_end(struct agui_tell *t, struct message_told *m)
{
	text_end(t, m);
	reasoning_end(t, m);
	for (size_t i = 0; i < m->calls_n; i++) {
		struct call_told *call = &m->calls[i];

		if (call->id.n > 0) {
			call_begin(t, m, call);
			call_event(t, "TOOL_CALL_END", m, call);
			agui_event_end(&t->out);
		}
		buf_release(&call->id);
		buf_release(&call->name);
	}
	m->calls_n = 0;
}

static void
message_drop(struct agui_tell *t, struct message_told *m)
{
	message_end(t, m);
	list_remove(&m->in);
	t->messages_n--;
	drop(m->node);
	drop(m->id);
	free(m->calls);
	free(m);
}

static struct message_told *
message_of(struct agui_tell *t, struct str node, struct str id)
{
	struct message_told *m = message_find(t, id);

	if (m != NULL)
		return m;
	if (t->messages_n == LIMIT_DOOR_VOICES)
		message_drop(t, CONTAINER_OF(t->messages.next, struct message_told, in));
	m = mem_new(struct message_told);
	m->node = keep(node);
	m->ns = above(m->node);
	m->id = keep(id);
	list_append(&t->messages, &m->in);
	t->messages_n++;
	return m;
}

static void
say(struct agui_tell *t, struct message_told *m, struct str raw)
{
	if (raw.n == 0)
		return;
	reasoning_end(t, m);
	if (!m->text) {
		m->text = true;
		message_event(t, "TEXT_MESSAGE_START", m, "");
		buf_lit(&t->out, ",\"role\":\"assistant\"");
		agui_event_end(&t->out);
	}
	message_event(t, "TEXT_MESSAGE_CONTENT", m, "");
	json_add_raw(&t->out, "delta", raw);
	agui_event_end(&t->out);
}

static void
reason(struct agui_tell *t, struct message_told *m, struct str raw)
{
	if (raw.n == 0)
		return;
	text_end(t, m);
	if (!m->reasoning) {
		m->reasoning = true;
		bare_event(t, "REASONING_START", m, AGUI_REASONING);
		message_event(t, "REASONING_MESSAGE_START", m, AGUI_REASONING);
		buf_lit(&t->out, ",\"role\":\"reasoning\"");
		agui_event_end(&t->out);
	}
	message_event(t, "REASONING_MESSAGE_CONTENT", m, AGUI_REASONING);
	json_add_raw(&t->out, "delta", raw);
	agui_event_end(&t->out);
}

static void
say_content(struct agui_tell *t, struct message_told *m, struct str content)
{
	struct scan s = scan_of(content);
	bool first = true;
	struct str raw;

	if (scan_peek(&s) != '[') {
		say(t, m, said_block(content));
		return;
	}
	for (scan_open(&s, '['); scan_element(&s, &first) && scan_value(&s, &raw); )
		say(t, m, said_block(raw));
}

static struct call_told *
call_at(struct message_told *m, int64_t index)
{
	struct call_told *call;

	for (size_t i = 0; i < m->calls_n; i++)
		if (m->calls[i].index == index)
			return &m->calls[i];
	if (m->calls_n == LIMIT_TOOL_CALLS)
		return NULL;                 /* the answer is refused as a whole later */
	mem_grow(m->calls, m->calls_n, m->calls_cap);
	call = &m->calls[m->calls_n++];
	*call = (struct call_told){ .index = index, .id = BUF(LIMIT_LLM_LINE_BYTES),
	    .name = BUF(LIMIT_LLM_LINE_BYTES) };
	return call;
}

/* A piece of a call. */
static void
call_piece(struct agui_tell *t, struct message_told *m, struct str piece)
{
	struct call_told *call;
	int64_t index = 0;

	if (!str_to_i64(scan_find(piece, S("index")), &index))
		return;
	call = call_at(m, index);
	if (call == NULL)
		return;
	buf_add(&call->id, said_inside(scan_find(piece, S("id"))));
	buf_add(&call->name, said_inside(scan_find(piece, S("name"))));
	call_args(t, m, call, said_inside(scan_find(piece, S("args"))));
}

/* A call that comes whole: its arguments are an object. */
static void
call_whole(struct agui_tell *t, struct message_told *m, struct str whole)
{
	struct call_told *call = call_at(m, (int64_t)m->calls_n);
	struct buf raw = BUF(LIMIT_LLM_BODY_BYTES);

	if (call == NULL)
		return;
	buf_add(&call->id, said_inside(scan_find(whole, S("id"))));
	buf_add(&call->name, said_inside(scan_find(whole, S("name"))));
	json_add_escaped(&raw, scan_find(whole, S("args")));
	call_args(t, m, call, buf_str(&raw));
	buf_release(&raw);
}

static bool
has_elements(struct str array)
{
	return array.n > 2;
}

static void
take_calls(struct agui_tell *t, struct message_told *m, const struct said *p)
{
	bool pieces = has_elements(p->chunks), first = true;
	struct scan s = scan_of(pieces ? p->chunks : p->calls);
	struct str raw;

	if (!pieces && (!has_elements(p->calls) || m->calls_n > 0))
		return;                      /* whole calls repeat what streamed */
	for (scan_open(&s, '['); scan_element(&s, &first) && scan_value(&s, &raw); )
		if (pieces)
			call_piece(t, m, raw);
		else
			call_whole(t, m, raw);
}

/* Frames of usage alone come after the end of a message. */
static bool
says_something(const struct said *p)
{
	return p->content.n > 2 || p->reasoning.n > 2 || has_elements(p->chunks) ||
	    has_elements(p->calls);
}

static void
take_answer(struct agui_tell *t, struct str node, const struct said *p)
{
	struct message_told *m = message_find(t, p->id);

	if (p->id.n == 0 || (m == NULL && !says_something(p)))
		return;
	if (m == NULL)
		m = message_of(t, node, p->id);
	reason(t, m, said_inside(p->reasoning));
	say_content(t, m, p->content);
	take_calls(t, m, p);
	if (p->whole || p->finish.n > 0)
		message_drop(t, m);
}

/* The text of a message's content, raw. */
static void
add_content(struct buf *b, struct str content)
{
	struct scan s = scan_of(content);
	bool first = true;
	struct str raw;

	if (scan_peek(&s) != '[') {
		buf_add(b, said_block(content));
		return;
	}
	for (scan_open(&s, '['); scan_element(&s, &first) && scan_value(&s, &raw); )
		buf_add(b, said_block(raw));
}

static void
take_result(struct agui_tell *t, struct str ns, const struct said *p)
{
	if (p->id.n == 0 || p->call_id.n == 0)
		return;
	event_in(t, "TOOL_CALL_RESULT", ns);
	json_add_raw(&t->out, "messageId", p->id);
	json_add_raw(&t->out, "toolCallId", p->call_id);
	buf_lit(&t->out, ",\"role\":\"tool\",\"content\":\"");
	add_content(&t->out, p->content);
	buf_add_char(&t->out, '"');
	agui_event_end(&t->out);
}

static void
take_message(struct agui_tell *t, struct str node, struct str data)
{
	struct said p;
	struct str id, text;

	if (said_delta(data, &id, &text))
		say(t, message_of(t, node, id), text);
	else if (!said_read(data, &p))
		return;
	else if (str_eq(p.type, S("ai")))
		take_answer(t, node, &p);
	else if (str_eq(p.type, S("tool")))
		take_result(t, above(node), &p);
}

/* ---- steps and subagents ---------------------------------------------------------------- */

static struct open_told *
open_find(struct list *in, struct str ns, struct str name)
{
	for (struct list *l = in->next; l != in; l = l->next) {
		struct open_told *o = CONTAINER_OF(l, struct open_told, in);

		if (str_eq(o->ns, ns) && str_eq(o->name, name))
			return o;
	}
	return NULL;
}

static struct open_told *
open_add(struct list *in, struct str ns, struct str name)
{
	struct open_told *o = mem_new(struct open_told);

	o->ns = keep(ns);
	o->name = keep(name);
	list_append(in, &o->in);
	return o;
}

static void
open_drop(struct open_told *o)
{
	list_remove(&o->in);
	drop(o->ns);
	drop(o->name);
	free(o);
}

static void
step_end(struct agui_tell *t, struct open_told *o)
{
	event_in(t, "STEP_FINISHED", o->ns);
	json_add_raw(&t->out, "stepName", o->name);
	agui_event_end(&t->out);
	open_drop(o);
}

/* Of a task that has ended one of these is told. */
static bool
task_ended(struct str data)
{
	return scan_find(data, S("result")).n > 0 || scan_find(data, S("error")).n > 0;
}

/* Not every model says when its answer is over; its task does. */
static void
messages_end(struct agui_tell *t, struct str ns, struct str name, struct str task)
{
	struct buf node = BUF(LIMIT_EVENT_NS_BYTES);
	struct list *l = t->messages.next;

	buf_add_fmt(&node, "%.*s%s%.*s:%.*s", FMT(ns), ns.n > 0 ? "|" : "", FMT(name),
	    FMT(task));
	while (l != &t->messages) {
		struct message_told *m = CONTAINER_OF(l, struct message_told, in);

		l = l->next;
		if (str_eq(m->node, buf_str(&node)))
			message_drop(t, m);
	}
	buf_release(&node);
}

static void
take_task(struct agui_tell *t, struct str ns, struct str data)
{
	struct str name = said_inside(scan_find(data, S("name")));
	struct str owner = t->agents_told ? ns : STR_NONE;
	struct open_told *o = open_find(&t->steps, owner, name);

	if (task_ended(data)) {
		messages_end(t, ns, name, said_inside(scan_find(data, S("id"))));
		if (o != NULL && --o->n == 0)
			step_end(t, o);
		return;
	}
	if (o == NULL) {
		o = open_add(&t->steps, owner, name);
		event_in(t, "STEP_STARTED", owner);
		json_add_raw(&t->out, "stepName", name);
		agui_event_end(&t->out);
	}
	o->n++;
}

/* The node that an agent is called by, "name:task", or the tool, "tool.id.name". */
static struct str
agent_name(struct str ns)
{
	struct str last = str_sub(ns, above(ns).n, ns.n), tool;
	size_t end;

	if (last.n > 0 && last.p[0] == '|')
		last = str_sub(last, 1, last.n);
	tool = last;
	for (end = last.n; end > 0 && last.p[end - 1] != ':'; )
		end--;
	if (end > 0)
		return str_sub(last, 0, end - 1);
	for (int i = 0; i < 2 && str_index(tool, '.') >= 0; i++)
		tool = str_sub(tool, (size_t)str_index(tool, '.') + 1, tool.n);
	return tool;
}

static void
agent_begin(struct agui_tell *t, struct str ns)
{
	if (open_find(&t->agents, ns, STR_NONE) != NULL)
		return;
	open_add(&t->agents, ns, STR_NONE);
	event_in(t, "SUBAGENT_STARTED", ns);
	json_add_fmt(&t->out, ",'name':%.*s", FMT(agent_name(ns)));
	if (open_find(&t->agents, above(ns), STR_NONE) != NULL)
		json_add_fmt(&t->out, ",'parentSubagentRunId':%.*s", FMT(above(ns)));
	agui_event_end(&t->out);
}

#define SUSPENDED S("\"outcome\":{\"type\":\"suspended\"}")

/* more: JSON members, or empty. */
static void
agent_end(struct agui_tell *t, struct open_told *o, const char *type, struct str more)
{
	struct list *l = t->steps.next;

	while (l != &t->steps) {
		struct open_told *step = CONTAINER_OF(l, struct open_told, in);

		l = l->next;
		if (str_eq(step->ns, o->ns))
			step_end(t, step);
	}
	event_in(t, type, o->ns);
	if (more.n > 0)
		json_add_comma(&t->out);
	buf_add(&t->out, more);
	agui_event_end(&t->out);
	open_drop(o);
}

static void
take_life(struct agui_tell *t, struct str ns, struct str data)
{
	struct str what = said_inside(scan_find(data, S("event"))), error;
	struct open_told *o = open_find(&t->agents, ns, STR_NONE);
	struct buf more = BUF(LIMIT_METADATA_BYTES);

	if (str_eq(what, S("started"))) {
		agent_begin(t, ns);
	} else if (o != NULL && str_eq(what, S("completed"))) {
		agent_end(t, o, "SUBAGENT_FINISHED", STR_NONE);
	} else if (o != NULL && str_eq(what, S("interrupted"))) {
		agent_end(t, o, "SUBAGENT_FINISHED", SUSPENDED);
	} else if (o != NULL) {
		error = scan_find(data, S("error"));
		json_add_raw(&more, "message", said_inside(scan_find(error, S("message"))));
		json_add_raw(&more, "code", said_inside(scan_find(error, S("error"))));
		agent_end(t, o, "SUBAGENT_ERROR", buf_str(&more));
	}
	buf_release(&more);
}

/* ---- the state ------------------------------------------------------------------------------ */

/* The channels but the conversation; false: these are no values. */
static bool
read_state(struct str values, struct buf *state, struct str *interrupts)
{
	struct scan s = scan_of(values);
	bool first = true;
	struct str key, raw;

	buf_add_char(state, '{');
	for (scan_open(&s, '{'); scan_member(&s, &first, &key) && scan_value(&s, &raw); ) {
		if (SCAN_IS(key, "__interrupt__"))
			*interrupts = raw;
		else if (!SCAN_IS(key, "messages")) {
			json_add_comma(state);
			buf_add_char(state, '"');
			buf_add(state, key);
			buf_lit(state, "\":");
			buf_add(state, raw);
		}
	}
	buf_add_char(state, '}');
	return !s.bad && interrupts->p == NULL;
}

static void
add_snapshot(struct agui_tell *t, struct str state)
{
	agui_event(&t->out, "STATE_SNAPSHOT");
	buf_lit(&t->out, ",\"snapshot\":");
	buf_add(&t->out, state);
	agui_event_end(&t->out);
}

static void
add_delta(struct agui_tell *t, struct str state)
{
	struct json_doc before = { 0 }, after = { 0 };
	struct buf patch = BUF(2 * (size_t)LIMIT_STATE_BYTES);

	if (json_parse(&before, buf_str(&t->state), NULL) == OK &&
	    json_parse(&after, state, NULL) == OK)
		json_add_patch(&patch, before.root, after.root);
	if (patch.n > 0 && (patch.failed || patch.n > state.n)) {
		add_snapshot(t, state);
	} else if (patch.n > 0) {
		agui_event(&t->out, "STATE_DELTA");
		buf_lit(&t->out, ",\"delta\":[");
		buf_add(&t->out, buf_str(&patch));
		buf_add_char(&t->out, ']');
		agui_event_end(&t->out);
	}
	json_release(&before);
	json_release(&after);
	buf_release(&patch);
}

static void
take_values(struct agui_tell *t, struct str values)
{
	struct buf state = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	struct str interrupts = STR_NONE;

	if (!read_state(values, &state, &interrupts)) {
		t->breakpoint = str_eq(interrupts, S("[]"));
		buf_release(&state);
		return;
	}
	if (t->state.n == 0)
		add_snapshot(t, buf_str(&state));
	else if (!str_eq(buf_str(&state), buf_str(&t->state)))
		add_delta(t, buf_str(&state));
	buf_release(&t->state);
	t->state = state;
}

static void
take_custom(struct agui_tell *t, struct str ns, struct str data)
{
	event_in(t, "CUSTOM", ns);
	buf_lit(&t->out, ",\"name\":\"custom\",\"value\":");
	buf_add(&t->out, data);
	agui_event_end(&t->out);
}

/* ---- all of it -------------------------------------------------------------------------------- */

void
agui_tell_init(struct agui_tell *t, const struct agent *a, bool agents)
{
	*t = (struct agui_tell){ .out = BUF(4 * (size_t)LIMIT_STATE_BYTES),
	    .agents_told = agents };
	voices_init(&t->voices, a);
	list_init(&t->messages);
	list_init(&t->steps);
	list_init(&t->agents);
}

static void
end_open(struct agui_tell *t)
{
	while (!list_empty(&t->messages))
		message_drop(t, CONTAINER_OF(t->messages.next, struct message_told, in));
	while (!list_empty(&t->agents))
		agent_end(t, CONTAINER_OF(t->agents.prev, struct open_told, in),
		    "SUBAGENT_FINISHED", SUSPENDED);
	while (!list_empty(&t->steps))
		step_end(t, CONTAINER_OF(t->steps.prev, struct open_told, in));
}

void
agui_tell_release(struct agui_tell *t)
{
	end_open(t);
	voices_release(&t->voices);
	buf_release(&t->out);
	buf_release(&t->state);
}

void
agui_tell_take(struct agui_tell *t, struct str frames)
{
	struct said_frame f;

	while (said_frame(&frames, &f)) {
		if (str_eq(f.name, S("messages"))) {
			if (voices_hear(&t->voices, f.ns))
				take_message(t, f.ns, f.data);
		} else if (str_eq(f.name, S("values"))) {
			if (f.ns.n == 0)
				take_values(t, f.data);
		} else if (str_eq(f.name, S("tasks"))) {
			take_task(t, f.ns, f.data);
		} else if (str_eq(f.name, S("lifecycle"))) {
			if (t->agents_told)
				take_life(t, f.ns, f.data);
		} else if (str_eq(f.name, S("custom"))) {
			take_custom(t, f.ns, f.data);
		}
	}
}

void
agui_tell_end(struct agui_tell *t, struct str values_json)
{
	struct json_doc d = { 0 };
	jnode messages;

	end_open(t);
	if (values_json.n == 0)
		return;
	take_values(t, values_json);
	if (json_parse(&d, values_json, NULL) == OK) {
		messages = json_get(d.root, S("messages"));
		if (json_is_array(messages)) {
			agui_event(&t->out, "MESSAGES_SNAPSHOT");
			buf_lit(&t->out, ",\"messages\":[");
			agui_add_messages(&t->out, messages);
			buf_add_char(&t->out, ']');
			agui_event_end(&t->out);
		}
	}
	json_release(&d);
}
