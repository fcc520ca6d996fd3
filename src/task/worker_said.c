/*
 * worker_said.c - messages that a worker's node streams: each is told as a model's answer,
 * chunk by chunk, and ends with the first chunk of another, or with the node.
 *
 * A message of another type than ai is told when it is written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/worker_priv.h"

#define TEXT_BYTES ((size_t)LIMIT_LLM_BODY_BYTES)

static struct str
text_member(struct val v, const char *name)
{
	struct val m = v.kind == VAL_OBJECT ? val_get(v, str_of(name)) : VAL_UNDEF;

	return m.kind == VAL_STRING ? val_str(m) : STR_NONE;
}

/* ---- its begin and its end ----------------------------------------------------------- */

static void
begin(struct worker_said *s, struct piece *p, struct str id, struct val metadata)
{
	struct task *t = p->task;
	struct str model = text_member(metadata, "ls_model_name");
	struct str provider = text_member(metadata, "ls_provider");
	struct buf name = BUF(KB);

	buf_add_fmt(&name, "%.*s:%.*s", FMT(provider.n > 0 ? str_cut(provider, 100) : S("worker")),
	    FMT(model.n > 0 ? str_cut(model, 200) :
	    agent_name(piece_field(p, WORKER_FIELD_NAME))));
	s->id = mem_cstr(id);
	s->text = BUF(TEXT_BYTES);
	s->stream = t->host->stream_begin != NULL ?
	    t->host->stream_begin(t->ctx, buf_str(&name)) : NULL;
	s->given = mem_cstr(t->host->message_id == NULL ? id :
	    t->host->message_id(t->ctx, s->stream, id));
	s->deltas = t->host->wants_deltas != NULL && t->host->stream_delta != NULL &&
	    t->host->wants_deltas(t->ctx);
	buf_release(&name);
}

/* Of the messages that the node has written: the one of that id. */
static struct val
whole_of(const struct worker_said *s, struct val output)
{
	struct val list = output.kind == VAL_OBJECT ? val_get(output, S("messages")) : VAL_UNDEF;
	size_t n = list.kind == VAL_ARRAY ? val_count(list) : 0;

	for (size_t i = 0; i < n; i++)
		if (str_eq(text_member(val_at(list, i), "id"), str_of(s->id)))
			return val_ref(val_at(list, i));
	return VAL_UNDEF;
}

/* What was said, in the stored form; UNDEF: it has none. */
static struct val
message_make(const struct worker_said *s, struct val whole)
{
	struct val m, out = VAL_UNDEF;
	struct err e;

	m = whole.kind == VAL_OBJECT ? val_ref(whole) : val_set_take(val_set_take(
	    val_object_empty(), S("type"), val_string(S("ai"))), S("content"),
	    val_string(buf_str(&s->text)));
	m = val_set_take(m, S("id"), val_string(str_of(s->given)));
	if (message_from(m, "messages", &out, NULL, &e) != OK || message_type(out) != MSG_AI) {
		val_drop(out);
		out = VAL_UNDEF;
	}
	val_drop(m);
	return out;
}

void
said_release(struct worker_said *s)
{
	free(s->id);
	free(s->given);
	buf_release(&s->text);
	*s = (struct worker_said){ 0 };
}

static void
finish(struct worker_said *s, struct piece *p, struct val whole)
{
	struct task *t = p->task;
	struct val message = message_make(s, whole);
	struct llm_delta d = { .kind = LLM_DELTA_FINISH, .id = str_of(s->given),
	    .finish_raw = S("stop") };

	if (s->deltas && message.kind != VAL_UNDEFINED && !t->over)
		t->host->stream_delta(t->ctx, s->stream, &d);
	if (s->id != NULL && t->host->stream_end != NULL)
		t->host->stream_end(t->ctx, s->stream, message);
	val_drop(message);
	said_release(s);
}

void
said_end(struct worker_said *s, struct piece *p, struct val output)
{
	struct task *t = p->task;
	struct val whole;

	if (s->id == NULL)
		return;
	if (output.kind == VAL_UNDEFINED) {
		if (t->host->stream_end != NULL)
			t->host->stream_end(t->ctx, s->stream, VAL_UNDEF);
		said_release(s);
		return;
	}
	whole = whole_of(s, output);
	finish(s, p, whole);
	val_drop(whole);
}

/* ---- what it says ---------------------------------------------------------------------- */

static void
tell(struct worker_said *s, struct piece *p, struct llm_delta *d)
{
	struct task *t = p->task;

	if (s->id == NULL)                   /* a listener has stopped the task */
		return;
	d->id = str_of(s->given);
	if (s->deltas && !t->over)
		t->host->stream_delta(t->ctx, s->stream, d);
}

static void
say(struct worker_said *s, struct piece *p, struct str text, bool reasoning)
{
	struct buf raw = BUF(TEXT_BYTES * 6);
	struct llm_delta d = { .kind = reasoning ? LLM_DELTA_REASONING : LLM_DELTA_TEXT };

	if (text.n == 0 || s->id == NULL)
		return;
	if (!reasoning)
		buf_add(&s->text, text);
	json_add_escaped(&raw, text);
	d.text_raw = buf_str(&raw);
	tell(s, p, &d);
	buf_release(&raw);
}

/* A text, or blocks: {type: text, text}, {type: reasoning, reasoning}, ... */
static void
say_content(struct worker_said *s, struct piece *p, struct val content)
{
	size_t n = content.kind == VAL_ARRAY ? val_count(content) : 0;

	if (content.kind == VAL_STRING)
		say(s, p, val_str(content), false);
	for (size_t i = 0; i < n; i++) {
		struct val block = val_at(content, i);
		struct str type = text_member(block, "type");

		if (block.kind == VAL_STRING)
			say(s, p, val_str(block), false);
		else if (str_eq(type, S("text")))
			say(s, p, text_member(block, "text"), false);
		else if (str_eq(type, S("reasoning")) || str_eq(type, S("thinking")))
			say(s, p, text_member(block, type.p[0] == 'r' ? "reasoning" : "thinking"),
			    true);
	}
}

static void
say_call(struct worker_said *s, struct piece *p, struct val call, int64_t index)
{
	struct buf id = BUF(KB), name = BUF(KB), args = BUF(TEXT_BYTES * 6);
	struct val at = val_get(call, S("index")), given = val_get(call, S("args"));
	struct llm_delta d = { .kind = LLM_DELTA_TOOL,
	    .index = at.kind == VAL_INT ? at.u.i : index };
	struct buf text = BUF(TEXT_BYTES);

	json_add_escaped(&id, str_cut(text_member(call, "id"), 100));
	json_add_escaped(&name, str_cut(text_member(call, "name"), 100));
	if (given.kind == VAL_STRING)
		json_add_escaped(&args, val_str(given));
	else if (given.kind == VAL_OBJECT) {
		val_add_json(&text, given);
		json_add_escaped(&args, buf_str(&text));
	}
	d.id_raw = id.n > 0 ? buf_str(&id) : STR_NONE;
	d.name_raw = name.n > 0 ? buf_str(&name) : STR_NONE;
	d.args_raw = args.n > 0 ? buf_str(&args) : STR_NONE;
	tell(s, p, &d);
	buf_release(&id);
	buf_release(&name);
	buf_release(&args);
	buf_release(&text);
}

static void
say_message(struct worker_said *s, struct piece *p, struct val m, bool chunk)
{
	struct val calls = val_get(m, chunk ? S("tool_call_chunks") : S("tool_calls"));
	size_t n = calls.kind == VAL_ARRAY ? val_count(calls) : 0;

	say_content(s, p, val_get(m, S("content")));
	for (size_t i = 0; i < n; i++)
		if (val_at(calls, i).kind == VAL_OBJECT)
			say_call(s, p, val_at(calls, i), (int64_t)i);
}

bool
said_hear(struct worker_said *s, struct piece *p, struct val data)
{
	struct val m = data.kind == VAL_ARRAY && val_count(data) > 0 ? val_at(data, 0) : VAL_UNDEF;
	struct val metadata = m.kind != VAL_UNDEFINED && val_count(data) > 1 ? val_at(data, 1) :
	    VAL_UNDEF;
	struct str type = text_member(m, "type"), id = text_member(m, "id");
	bool chunk = str_eq(type, S("AIMessageChunk"));
	struct llm_delta start = { .kind = LLM_DELTA_START };

	if (m.kind != VAL_OBJECT)
		return false;
	if (!chunk && !str_eq(type, S("ai")))
		return true;                 /* it is told when it is written */
	if (s->id != NULL && !str_eq(id, str_of(s->id)) && !(chunk && id.n == 0))
		finish(s, p, VAL_UNDEF);
	/* The whole of what was streamed adds nothing. */
	if (s->id != NULL && !chunk) {
		finish(s, p, m);
		return true;
	}
	if (s->id == NULL) {
		begin(s, p, id, metadata);
		tell(s, p, &start);
	}
	say_message(s, p, m, chunk);
	if (!chunk && s->id != NULL)
		finish(s, p, m);
	return true;
}
