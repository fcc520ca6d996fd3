/*
 * pack.c - see pack.h.
 *
 * Format of the fields:
 *
 *   kind      1 byte
 *   flags     1 byte: HAS_TASK, REFERS, HAS_ADDED; a delta has none
 *   step      number
 *   ns        text
 *   checkpoint  16 bytes, or one zero byte (see put_id)
 *   task      if HAS_TASK: task_fields
 *   the kind's own fields
 *
 *   number    zigzag, seven bits a byte, low ones first
 *   text      length + 1 as a number, the bytes; 0: no text (p NULL)
 *   value     a text of JSON; 0: undefined
 *   id        1 and 16 bytes, or 0 for zero
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/pack.h"

#include <assert.h>
#include <stddef.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#define HAS_TASK 1
#define REFERS   2
#define HAS_ADDED 4

enum field_type {
	FIELD_END, FIELD_ENUM /* an int, 0..max */, FIELD_NUMBER /* int64_t */,
	FIELD_INT, FIELD_STREAM /* uint32_t */, FIELD_ID, FIELD_TEXT, FIELD_VALUE,
	FIELD_STATE,         /* a value that may be left out */
	FIELD_ADDED          /* a value that is there if the flag says so: older events have
	                        none */
};

struct field {
	enum field_type type;
	size_t at;
	int max;
};

#define AT(member) offsetof(struct run_event, u.member)
#define TASK_AT(member) offsetof(struct event_task, member)

/* By kind; those of CHECKPOINT end with its tasks, those of DELTA are apart. */
static const struct field fields[EVENT_KINDS][10] = {
	[EVENT_METADATA] = { { FIELD_NUMBER, AT(metadata.attempt), 0 },
	    { FIELD_VALUE, AT(metadata.input), 0 },
	    { FIELD_VALUE, AT(metadata.facts), 0 } },
	[EVENT_INPUT] = { { FIELD_ID, AT(state.id), 0 }, { FIELD_ID, AT(state.parent), 0 },
	    { FIELD_ENUM, AT(state.source), SOURCE_FORK }, { FIELD_STATE, AT(state.values), 0 } },
	[EVENT_VALUES] = { { FIELD_ID, AT(state.id), 0 }, { FIELD_ID, AT(state.parent), 0 },
	    { FIELD_ENUM, AT(state.source), SOURCE_FORK }, { FIELD_STATE, AT(state.values), 0 } },
	[EVENT_CHECKPOINT] = { { FIELD_ID, AT(checkpoint.id), 0 },
	    { FIELD_ID, AT(checkpoint.parent), 0 },
	    { FIELD_ENUM, AT(checkpoint.source), SOURCE_FORK },
	    { FIELD_STATE, AT(checkpoint.values), 0 },
	    { FIELD_VALUE, AT(checkpoint.parents), 0 } },
	[EVENT_MESSAGE] = { { FIELD_VALUE, AT(message.message), 0 },
	    { FIELD_ADDED, AT(message.metadata), 0 } },
	[EVENT_COMPLETE] = { { FIELD_VALUE, AT(complete.messages), 0 } },
	[EVENT_MODEL_START] = { { FIELD_STREAM, AT(model.stream), 0 },
	    { FIELD_ID, AT(model.call), 0 }, { FIELD_TEXT, AT(model.provider), 0 },
	    { FIELD_TEXT, AT(model.model), 0 }, { FIELD_VALUE, AT(model.messages), 0 },
	    { FIELD_ADDED, AT(model.metadata), 0 } },
	[EVENT_MODEL_END] = { { FIELD_STREAM, AT(model.stream), 0 },
	    { FIELD_ID, AT(model.call), 0 }, { FIELD_TEXT, AT(model.provider), 0 },
	    { FIELD_TEXT, AT(model.model), 0 }, { FIELD_TEXT, AT(model.id), 0 },
	    { FIELD_VALUE, AT(model.messages), 0 }, { FIELD_VALUE, AT(model.message), 0 },
	    { FIELD_ADDED, AT(model.metadata), 0 } },
	[EVENT_RETRACT] = { { FIELD_STREAM, AT(model.stream), 0 },
	    { FIELD_TEXT, AT(model.provider), 0 }, { FIELD_TEXT, AT(model.model), 0 },
	    { FIELD_TEXT, AT(model.id), 0 } },
	[EVENT_CUSTOM] = { { FIELD_TEXT, AT(custom.name), 0 }, { FIELD_VALUE, AT(custom.data), 0 } },
	[EVENT_TOOL] = { { FIELD_ENUM, AT(tool.what), EVENT_TOOL_ERROR },
	    { FIELD_ID, AT(tool.call), 0 }, { FIELD_TEXT, AT(tool.call_id), 0 },
	    { FIELD_TEXT, AT(tool.name), 0 }, { FIELD_VALUE, AT(tool.payload), 0 } },
	[EVENT_INTERRUPT] = { { FIELD_VALUE, AT(interrupts.list), 0 } },
	[EVENT_ANSWERED] = { { FIELD_VALUE, AT(answered.ids), 0 } },
	[EVENT_REFUSED] = { { FIELD_VALUE, AT(refused.unknown), 0 },
	    { FIELD_VALUE, AT(refused.pending), 0 } },
	[EVENT_LIFECYCLE] = { { FIELD_ENUM, AT(lifecycle.what), EVENT_INTERRUPTED },
	    { FIELD_TEXT, AT(lifecycle.graph), 0 },
	    { FIELD_TEXT, AT(lifecycle.tool_call_id), 0 },
	    { FIELD_TEXT, AT(lifecycle.error), 0 }, { FIELD_TEXT, AT(lifecycle.message), 0 } },
	[EVENT_ERROR] = { { FIELD_TEXT, AT(error.name), 0 }, { FIELD_TEXT, AT(error.message), 0 } },
};

static const struct field head_fields[] = {
	{ FIELD_INT, offsetof(struct run_event, step), 0 },
	{ FIELD_TEXT, offsetof(struct run_event, ns), 0 },
	{ FIELD_ID, offsetof(struct run_event, checkpoint), 0 },
	{ FIELD_END, 0, 0 }
};

static const struct field task_fields[] = {
	{ FIELD_ID, TASK_AT(id), 0 }, { FIELD_TEXT, TASK_AT(name), 0 },
	{ FIELD_TEXT, TASK_AT(ns), 0 }, { FIELD_VALUE, TASK_AT(path), 0 },
	{ FIELD_VALUE, TASK_AT(triggers), 0 }, { FIELD_VALUE, TASK_AT(result), 0 },
	{ FIELD_VALUE, TASK_AT(error), 0 }, { FIELD_VALUE, TASK_AT(interrupts), 0 },
	{ FIELD_TEXT, TASK_AT(child_ns), 0 }, { FIELD_STATE, TASK_AT(input), 0 },
	{ FIELD_END, 0, 0 }
};

#define DELTA_AT(member) offsetof(struct llm_delta, member)

/* Which of them a delta has is a number in front: one byte for a text. */
static const struct field delta_fields[] = {
	{ FIELD_TEXT, DELTA_AT(text_raw), 0 }, { FIELD_TEXT, DELTA_AT(args_raw), 0 },
	{ FIELD_NUMBER, DELTA_AT(index), 0 }, { FIELD_TEXT, DELTA_AT(id_raw), 0 },
	{ FIELD_TEXT, DELTA_AT(name_raw), 0 }, { FIELD_TEXT, DELTA_AT(extra), 0 },
	{ FIELD_TEXT, DELTA_AT(finish_raw), 0 }, { FIELD_TEXT, DELTA_AT(model_raw), 0 },
	{ FIELD_TEXT, DELTA_AT(usage_raw), 0 }, { FIELD_TEXT, DELTA_AT(piece), 0 },
};

/* ---- writing ---------------------------------------------------------------- */

void
event_put_number(struct buf *b, int64_t value)
{
	uint64_t v = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);

	for (; v >= 0x80; v >>= 7)
		buf_add_char(b, (char)(v | 0x80));
	buf_add_char(b, (char)v);
}

static void
put_text(struct buf *b, struct str s)
{
	event_put_number(b, s.p == NULL ? 0 : (int64_t)s.n + 1);
	buf_add(b, s);
}

static void
put_id(struct buf *b, const struct uuid *id)
{
	bool there = !uuid_is_zero(id);

	buf_add_char(b, there ? 1 : 0);
	if (there)
		buf_add(b, (struct str){ (const char *)id->b, sizeof id->b });
}

static void
put_value(struct buf *b, struct val v)
{
	struct buf text = BUF(2 * (size_t)LIMIT_STATE_BYTES);

	if (v.kind != VAL_UNDEFINED)
		val_add_json(&text, v);
	put_text(b, buf_str(&text));
	b->failed |= text.failed;
	buf_release(&text);
}

static void
put_fields(struct buf *b, const struct field *f, const void *from, bool refer)
{
	for (; f->type != FIELD_END; f++) {
		const void *p = (const char *)from + f->at;

		switch (f->type) {
		case FIELD_ENUM: case FIELD_INT:
			event_put_number(b, *(const int *)p);
			break;
		case FIELD_STREAM:
			event_put_number(b, *(const uint32_t *)p);
			break;
		case FIELD_NUMBER:
			event_put_number(b, *(const int64_t *)p);
			break;
		case FIELD_ID:
			put_id(b, p);
			break;
		case FIELD_TEXT:
			put_text(b, *(const struct str *)p);
			break;
		case FIELD_VALUE:
			put_value(b, *(const struct val *)p);
			break;
		case FIELD_ADDED:
			if (((const struct val *)p)->kind != VAL_UNDEFINED)
				put_value(b, *(const struct val *)p);
			break;
		default:                     /* FIELD_STATE */
			put_value(b, refer ? VAL_UNDEF : *(const struct val *)p);
		}
	}
}

static bool
has(const struct field *f, const struct llm_delta *d)
{
	const void *p = (const char *)d + f->at;

	return f->type == FIELD_NUMBER ? *(const int64_t *)p != 0 :
	    ((const struct str *)p)->p != NULL;
}

static void
pack_delta(struct buf *b, const struct event_model *m)
{
	const struct llm_delta *d = m->delta;
	int64_t mask = 0;

	event_put_number(b, m->stream);
	event_put_number(b, d->kind);
	for (size_t i = 0; i < COUNT(delta_fields); i++)
		if (has(&delta_fields[i], d))
			mask |= INT64_C(1) << i;
	event_put_number(b, mask);
	for (size_t i = 0; i < COUNT(delta_fields); i++) {
		const struct field one[] = { delta_fields[i], { FIELD_END, 0, 0 } };

		if ((mask >> i & 1) != 0)
			put_fields(b, one, d, false);
	}
	if (d->kind == LLM_DELTA_START)
		put_text(b, m->id);
}

static bool
has_added(const struct run_event *ev)
{
	for (const struct field *f = fields[ev->kind]; f->type != FIELD_END; f++)
		if (f->type == FIELD_ADDED &&
		    ((const struct val *)(const void *)((const char *)ev + f->at))->kind !=
		    VAL_UNDEFINED)
			return true;
	return false;
}

/* Can what is left out be found again? */
static bool
may_refer(const struct run_event *ev)
{
	const struct uuid *id = &ev->checkpoint;

	if (ev->ns.n > 0)
		return false;                /* only the root's are shown to clients as
		                                they are stored */
	if (ev->kind == EVENT_INPUT || ev->kind == EVENT_VALUES)
		id = &ev->u.state.id;
	else if (ev->kind == EVENT_CHECKPOINT)
		id = &ev->u.checkpoint.id;
	else if (ev->task == NULL)
		return false;
	return !uuid_is_zero(id);
}

void
event_pack(struct buf *b, const struct run_event *ev, bool refer)
{
	bool refers = refer && may_refer(ev);

	assert((size_t)ev->kind < EVENT_KINDS);
	buf_add_char(b, (char)ev->kind);
	if (ev->kind == EVENT_DELTA) {
		pack_delta(b, &ev->u.model);
		return;
	}
	buf_add_char(b, (char)((ev->task != NULL ? HAS_TASK : 0) | (refers ? REFERS : 0) |
	    (has_added(ev) ? HAS_ADDED : 0)));
	put_fields(b, head_fields, ev, false);
	if (ev->task != NULL)
		put_fields(b, task_fields, ev->task, refers && !ev->task->own_input);
	put_fields(b, fields[ev->kind], ev, refers);
	if (ev->kind != EVENT_CHECKPOINT)
		return;
	event_put_number(b, (int64_t)ev->u.checkpoint.tasks_n);
	for (size_t i = 0; i < ev->u.checkpoint.tasks_n; i++)
		put_fields(b, task_fields, &ev->u.checkpoint.tasks[i], true);
}

/* ---- reading ------------------------------------------------------------------ */

struct in {
	struct str rest;
	bool bad, added;
};

bool
event_get_number(struct str *rest, int64_t *value)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && rest->n > 0; shift += 7) {
		uint64_t byte = (unsigned char)rest->p[0];

		*rest = str_sub(*rest, 1, rest->n);
		v |= (byte & 0x7f) << shift;
		if (byte < 0x80) {
			*value = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
			return true;
		}
	}
	return false;
}

static int64_t
get_number(struct in *in)
{
	int64_t v = 0;

	in->bad |= !event_get_number(&in->rest, &v);
	return in->bad ? 0 : v;
}

static struct str
get_bytes(struct in *in, size_t n)
{
	struct str s = str_sub(in->rest, 0, n);

	in->bad |= s.n != n;
	in->rest = str_sub(in->rest, n, in->rest.n);
	return s;
}

static struct str
get_text(struct in *in)
{
	int64_t n = get_number(in);

	in->bad |= n < 0;
	if (n <= 0)
		return STR_NONE;
	return n == 1 ? S("") : get_bytes(in, (size_t)n - 1);
}

static void
get_id(struct in *in, struct uuid *id)
{
	struct str flag = get_bytes(in, 1), bytes;

	in->bad |= flag.n == 1 && (unsigned char)flag.p[0] > 1;
	if (in->bad || flag.p[0] == 0)
		return;
	bytes = get_bytes(in, sizeof id->b);
	if (!in->bad)
		memcpy(id->b, bytes.p, sizeof id->b);
}

static struct val
get_value(struct in *in)
{
	struct str text = get_text(in);
	struct val v = VAL_UNDEF;
	struct err e;

	if (text.p != NULL && !in->bad && val_json(&v, text, &e) != OK)
		in->bad = true;
	return in->bad ? VAL_UNDEF : v;
}

static int64_t
get_between(struct in *in, int64_t min, int64_t max)
{
	int64_t v = get_number(in);

	in->bad |= v < min || v > max;
	return in->bad ? min : v;
}

/* `to` is zeroed. */
static void
get_fields(struct in *in, const struct field *f, void *to)
{
	for (; f->type != FIELD_END && !in->bad; f++) {
		void *p = (char *)to + f->at;

		switch (f->type) {
		case FIELD_ENUM:
			*(int *)p = (int)get_between(in, 0, f->max);
			break;
		case FIELD_INT:
			*(int *)p = (int)get_between(in, INT32_MIN, INT32_MAX);
			break;
		case FIELD_STREAM:
			*(uint32_t *)p = (uint32_t)get_between(in, 0, UINT32_MAX);
			break;
		case FIELD_NUMBER:
			*(int64_t *)p = get_number(in);
			break;
		case FIELD_ID:
			get_id(in, p);
			break;
		case FIELD_TEXT:
			*(struct str *)p = get_text(in);
			break;
		case FIELD_ADDED:
			if (in->added)
				*(struct val *)p = get_value(in);
			break;
		default:
			*(struct val *)p = get_value(in);
		}
	}
}

/* Drops the values of what get_fields has filled in. */
static void
drop_fields(const struct field *f, void *of)
{
	for (; f->type != FIELD_END; f++)
		if (f->type == FIELD_VALUE || f->type == FIELD_STATE || f->type == FIELD_ADDED)
			val_drop(*(struct val *)((char *)of + f->at));
}

/* ---- streams of models --------------------------------------------------------- */

/* What a delta does not say itself. */
struct event_stream {
	uint32_t stream;
	char *texts;                         /* of all below */
	struct run_event ev;
	struct event_task task;
};

static struct event_stream *
find(const struct event_reader *r, uint32_t stream)
{
	for (size_t i = 0; i < r->streams_n; i++)
		if (r->streams[i].stream == stream)
			return &r->streams[i];
	return NULL;
}

static void
forget(struct event_reader *r, struct event_stream *s)
{
	free(s->texts);
	free((char *)s->ev.u.model.id.p);
	val_drop(s->task.path);
	val_drop(s->task.triggers);
	val_drop(s->ev.u.model.metadata);
	*s = r->streams[--r->streams_n];
}

static void
begin(struct event_reader *r, const struct run_event *ev)
{
	const struct event_model *m = &ev->u.model;
	struct event_stream *s = find(r, m->stream);
	char *to;

	if (s != NULL)
		forget(r, s);
	mem_grow(r->streams, r->streams_n, r->streams_cap);
	s = &r->streams[r->streams_n++];
	*s = (struct event_stream){ .stream = m->stream, .ev = *ev };
	s->texts = to = mem_alloc(ev->ns.n + m->provider.n + m->model.n +
	    ev->task->name.n + ev->task->ns.n + 1);
	s->ev.kind = EVENT_DELTA;
	s->ev.ns = str_put(&to, ev->ns);
	s->ev.u.model = (struct event_model){ .stream = m->stream, .call = m->call,
	    .provider = str_put(&to, m->provider), .model = str_put(&to, m->model),
	    .metadata = val_ref(m->metadata) };
	s->task = (struct event_task){ .id = ev->task->id,
	    .name = str_put(&to, ev->task->name), .ns = str_put(&to, ev->task->ns),
	    .path = val_ref(ev->task->path), .triggers = val_ref(ev->task->triggers) };
}

static void
name(struct event_stream *s, struct str id)
{
	free((char *)s->ev.u.model.id.p);
	s->ev.u.model.id = (struct str){ mem_cstr(id), id.n };
}

static int
unpack_delta(struct event_reader *r, struct in *in)
{
	uint32_t stream = (uint32_t)get_between(in, 0, UINT32_MAX);
	struct event_stream *s = find(r, stream);
	int64_t mask;
	struct str id = STR_NONE;

	r->delta = (struct llm_delta){ .kind = (int)get_between(in, 0, LLM_DELTA_USAGE) };
	mask = get_between(in, 0, (1 << COUNT(delta_fields)) - 1);
	for (size_t i = 0; i < COUNT(delta_fields); i++) {
		const struct field one[] = { delta_fields[i], { FIELD_END, 0, 0 } };

		if ((mask >> i & 1) != 0)
			get_fields(in, one, &r->delta);
	}
	if (r->delta.kind == LLM_DELTA_START)
		id = get_text(in);
	if (in->bad || in->rest.n > 0)
		return ERR_SYNTAX;
	if (s == NULL)
		return ERR_NOTFOUND;
	if (id.n > 0)
		name(s, id);
	r->ev = s->ev;
	r->ev.task = &s->task;
	r->ev.u.model.delta = &r->delta;
	r->delta.id = s->ev.u.model.id;
	return OK;
}

/* ---- events ----------------------------------------------------------------------- */

static void
drop(struct event_reader *r)
{
	for (size_t i = 0; i < r->next_n; i++)
		drop_fields(task_fields, &r->next[i]);
	free(r->next);
	r->next = NULL;
	r->next_n = 0;
	if (r->ev.kind == EVENT_DELTA)
		return;                      /* its values are the stream's */
	drop_fields(fields[r->ev.kind], &r->ev);
	drop_fields(task_fields, &r->task);
}

static void
unpack_tasks(struct event_reader *r, struct in *in)
{
	/* A task takes a byte a field at least. */
	size_t most = in->rest.n / (COUNT(task_fields) - 1);
	size_t n = (size_t)get_between(in, 0, (int64_t)most);

	if (in->bad || n == 0)
		return;
	r->next = mem_alloc(n * sizeof *r->next);
	memset(r->next, 0, n * sizeof *r->next);
	r->next_n = n;
	for (size_t i = 0; i < n && !in->bad; i++)
		get_fields(in, task_fields, &r->next[i]);
	r->ev.u.checkpoint.tasks = r->next;
	r->ev.u.checkpoint.tasks_n = n;
}

static int
unpack_event(struct event_reader *r, struct in *in, bool *refers)
{
	struct str flags = get_bytes(in, 1);
	enum event_kind kind = r->ev.kind;
	bool has_task = flags.n == 1 && (flags.p[0] & HAS_TASK) != 0;

	in->bad |= flags.n == 1 && (flags.p[0] & ~(HAS_TASK | REFERS | HAS_ADDED)) != 0;
	*refers = flags.n == 1 && (flags.p[0] & REFERS) != 0;
	in->added = flags.n == 1 && (flags.p[0] & HAS_ADDED) != 0;
	get_fields(in, head_fields, &r->ev);
	if (has_task) {
		get_fields(in, task_fields, &r->task);
		r->ev.task = &r->task;
	}
	get_fields(in, fields[kind], &r->ev);
	if (kind == EVENT_CHECKPOINT)
		unpack_tasks(r, in);
	if (in->bad || in->rest.n > 0)
		return ERR_SYNTAX;
	if (kind == EVENT_MODEL_START && has_task)
		begin(r, &r->ev);
	return OK;
}

/* Kinds that are of a task have one. */
static bool
needs_task(enum event_kind kind)
{
	static const bool needs[EVENT_KINDS] = {
		[EVENT_TASK] = true, [EVENT_TASK_RESULT] = true, [EVENT_MESSAGE] = true,
		[EVENT_MODEL_START] = true, [EVENT_MODEL_END] = true,
		[EVENT_RETRACT] = true, [EVENT_TOOL] = true,
	};

	return needs[kind];
}

int
event_unpack(struct event_reader *r, struct str text, const struct run_event **ev,
    bool *refers)
{
	struct in in = { .rest = text };
	struct str kind = get_bytes(&in, 1);
	struct event_stream *ended;
	int rc;

	drop(r);
	r->ev = (struct run_event){ .kind = EVENT_METADATA };
	r->task = (struct event_task){ 0 };
	*refers = false;
	if (in.bad || (unsigned char)kind.p[0] >= EVENT_KINDS)
		return ERR_SYNTAX;
	r->ev.kind = kind.p[0];
	rc = r->ev.kind == EVENT_DELTA ? unpack_delta(r, &in) :
	    unpack_event(r, &in, refers);
	if (rc == OK && needs_task(r->ev.kind) && r->ev.task == NULL)
		rc = ERR_SYNTAX;
	if (rc == OK && (r->ev.kind == EVENT_MODEL_END || r->ev.kind == EVENT_RETRACT)) {
		ended = find(r, r->ev.u.model.stream);
		if (ended != NULL)
			forget(r, ended);
	}
	*ev = &r->ev;
	return rc;
}

void
event_reader_release(struct event_reader *r)
{
	drop(r);
	while (r->streams_n > 0)
		forget(r, &r->streams[r->streams_n - 1]);
	free(r->streams);
	*r = (struct event_reader){ 0 };
}
