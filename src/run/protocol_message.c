/*
 * protocol_message.c - messages in the thread protocol.
 *
 *   message-start, per block: content-block-start, -delta ..., -finish,
 *   message-finish; or error, which makes all before void
 *
 * One block of a message is open at a time.  A piece of the model's answer goes
 * between texts that are prepared once a block, and is added to what the block's
 * end says.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/protocol_priv.h"

#include <assert.h>

#include "base/json.h"
#include "base/mem.h"
#include "state/message.h"

enum block_kind { BLOCK_NONE, BLOCK_TEXT, BLOCK_REASONING, BLOCK_CALL };

/* A block's content as it starts; what stands in front of the text in a delta, and in the
 * finished content; both end with `"}`. */
static const struct block_words {
	const char *start, *delta, *finish;
} words[] = {
	[BLOCK_TEXT] = { "{\"type\":\"text\",\"text\":\"\"}",
	    "{\"type\":\"text-delta\",\"text\":\"", "{\"type\":\"text\",\"text\":\"" },
	[BLOCK_REASONING] = { "{\"type\":\"reasoning\",\"reasoning\":\"\"}",
	    "{\"type\":\"reasoning-delta\",\"reasoning\":\"",
	    "{\"type\":\"reasoning\",\"reasoning\":\"" },
};

struct protocol_message {
	struct protocol_message *next;
	uint32_t stream;                     /* 0: of an attempt that is over */
	char *id, *ns, *node;
	unsigned blocks;                     /* begun */
	enum block_kind open;
	uint64_t serial;                     /* of the open block, in the run */
	struct buf prefix;                   /* of its deltas */
	struct buf text;                     /* of it: inside of a JSON string */
	int64_t call;                        /* a call: its index at the model; */
	struct buf call_id, call_name;       /* insides of JSON strings */
	int64_t calls;                       /* calls below this index were told */
};

/* ---- events of a message -------------------------------------------------------------- */

static struct protocol_event
event_of(const struct protocol_message *m)
{
	return (struct protocol_event){ .channel = CHANNEL_MESSAGES, .method = "messages",
	    .ns = str_of(m->ns), .node = str_of(m->node) };
}

/* `{"event":word,"message_id":id` */
static void
add_begin(struct buf *b, const char *word, struct str id)
{
	json_add_fmt(b, "{'event':%s,'message_id':%.*s", word, FMT(id));
}

/* The same of a block, up to its content; the index is the last one that was begun. */
static void
add_block(struct buf *b, const struct protocol_message *m, const char *word,
    const char *member)
{
	add_begin(b, word, str_of(m->id));
	json_add_fmt(b, ",'index':%u,%s:", m->blocks - 1, member);
}

/* {"type":"tool_call_chunk", id, name, args */
static void
add_chunk(struct buf *b, const struct protocol_message *m, struct str args)
{
	buf_lit(b, "{\"type\":\"tool_call_chunk\"");
	json_add_raw(b, "id", buf_str(&m->call_id));
	json_add_raw(b, "name", buf_str(&m->call_name));
	json_add_raw(b, "args", args);
}

/* What the model wrote as arguments; false: no object. */
static bool
read_args(struct str raw, struct buf *args)
{
	struct json_doc d = { 0 };
	bool ok;

	if (raw.n == 0) {
		buf_lit(args, "{}");
		return true;
	}
	ok = json_unescape(raw, args) == OK && json_parse(&d, buf_str(args), NULL) == OK &&
	    json_is_object(d.root);
	if (ok) {
		buf_clear(args);
		json_add_node(args, d.root); /* one line */
	}
	json_release(&d);
	return ok;
}

static void
add_call(struct buf *b, const struct protocol_message *m)
{
	struct buf args = BUF(LIMIT_LLM_BODY_BYTES);
	bool ok = read_args(buf_str(&m->text), &args);

	buf_add(b, ok ? S("{\"type\":\"tool_call\"") : S("{\"type\":\"invalid_tool_call\""));
	json_add_raw(b, "id", buf_str(&m->call_id));
	json_add_raw(b, "name", buf_str(&m->call_name));
	if (ok) {
		json_add_key(b, "args");
		buf_add(b, buf_str(&args));
	} else {
		json_add_raw(b, "args", buf_str(&m->text));
		buf_lit(b, ",\"error\":\"Malformed args.\"");
	}
	buf_add_char(b, '}');
	buf_release(&args);
}

/* ---- blocks -------------------------------------------------------------------------- */

static void
block_finish(struct protocol *p, struct protocol_message *m)
{
	struct protocol_event e = event_of(m);
	struct buf *b;

	if (m->open == BLOCK_NONE)
		return;
	if (protocol_open(p, &e)) {
		b = protocol_data(p);
		add_block(b, m, "content-block-finish", "content");
		if (m->open == BLOCK_CALL) {
			add_call(b, m);
		} else {
			buf_add(b, str_of(words[m->open].finish));
			buf_add(b, buf_str(&m->text));
			buf_lit(b, "\"}");
		}
		buf_add_char(b, '}');
		protocol_send(p, &e);
	}
	if (m->open == BLOCK_CALL)
		m->calls = m->call + 1;
	m->open = BLOCK_NONE;
	buf_clear(&m->text);
}

static void
block_start(struct protocol *p, struct protocol_message *m, enum block_kind kind)
{
	struct protocol_event e = event_of(m);
	struct buf *b;

	block_finish(p, m);
	m->open = kind;
	m->blocks++;
	m->serial = ++p->blocks;
	buf_clear(&m->prefix);
	if (kind != BLOCK_CALL) {
		add_block(&m->prefix, m, "content-block-delta", "delta");
		buf_add(&m->prefix, str_of(words[kind].delta));
	}
	if (!protocol_open(p, &e))
		return;
	b = protocol_data(p);
	add_block(b, m, "content-block-start", "content");
	if (kind == BLOCK_CALL) {
		add_chunk(b, m, S(""));
		json_add_fmt(b, ",'index':%lld}", (long long)m->call);
	} else {
		buf_add(b, str_of(words[kind].start));
	}
	buf_add_char(b, '}');
	protocol_send(p, &e);
}

static void
say(struct protocol *p, struct protocol_message *m, enum block_kind kind, struct str raw)
{
	struct protocol_event e = event_of(m);

	if (m->open != kind)
		block_start(p, m, kind);
	buf_add(&m->text, raw);
	e.join = JOIN_APPEND;
	e.block = m->serial;
	if (!protocol_open(p, &e))
		return;
	e.data[0] = buf_str(&m->prefix);
	e.data[1] = raw;
	e.data[2] = S("\"}}");
	p->sink->event(p->sink->ctx, &e);
}

/* Each event repeats all arguments received so far. */
static void
say_call(struct protocol *p, struct protocol_message *m, const struct llm_delta *d)
{
	struct protocol_event e = event_of(m);
	struct buf *b;

	if (d->index < m->calls)
		return;                      /* late: that call has ended */
	if (m->open != BLOCK_CALL || m->call != d->index) {
		block_finish(p, m);
		buf_clear(&m->call_id);
		buf_clear(&m->call_name);
		buf_add(&m->call_id, d->id_raw);
		buf_add(&m->call_name, d->name_raw);
		m->call = d->index;
		block_start(p, m, BLOCK_CALL);
	} else {
		buf_add(&m->call_name, d->name_raw);
	}
	buf_add(&m->text, d->args_raw);
	e.join = JOIN_LATEST;
	e.block = m->serial;
	if (!protocol_open(p, &e))
		return;
	b = protocol_data(p);
	add_block(b, m, "content-block-delta", "delta");
	buf_lit(b, "{\"type\":\"block-delta\",\"fields\":");
	add_chunk(b, m, buf_str(&m->text));
	buf_lit(b, "}}}");
	protocol_send(p, &e);
}

/* ---- messages ------------------------------------------------------------------------ */

static struct protocol_message *
message_new(struct protocol *p, const struct run_event *ev, struct str id)
{
	struct protocol_message *m = mem_new(struct protocol_message);

	m->id = mem_cstr(id);
	m->ns = mem_cstr(ev->ns);
	m->node = mem_cstr(ev->task->name);
	m->prefix = BUF(LIMIT_LLM_LINE_BYTES);
	m->text = BUF(LIMIT_LLM_BODY_BYTES);
	m->call_id = m->call_name = BUF(LIMIT_LLM_BODY_BYTES);
	m->next = p->messages;
	p->messages = m;
	return m;
}

static void
message_free(struct protocol *p, struct protocol_message *m)
{
	struct protocol_message **at = &p->messages;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	buf_release(&m->prefix);
	buf_release(&m->text);
	buf_release(&m->call_id);
	buf_release(&m->call_name);
	free(m->id);
	free(m->ns);
	free(m->node);
	free(m);
}

static struct protocol_message *
find(const struct protocol *p, uint32_t stream)
{
	struct protocol_message *m = p->messages;

	while (m != NULL && m->stream != stream)
		m = m->next;
	return m;
}

void
protocol_messages_forget(struct protocol *p)
{
	for (struct protocol_message *m = p->messages; m != NULL; m = m->next)
		m->stream = 0;
}

void
protocol_messages_release(struct protocol *p)
{
	while (p->messages != NULL)
		message_free(p, p->messages);
}

/* model: whose answer it is; NULL: a node or the client wrote it. */
static void
tell_start(struct protocol *p, const struct protocol_message *m, const char *role,
    const struct event_model *model)
{
	struct protocol_event e = event_of(m);
	struct buf *b;

	if (!protocol_open(p, &e))
		return;
	b = protocol_data(p);
	add_begin(b, "message-start", str_of(m->id));
	json_add_fmt(b, ",'id':%.*s,'role':%s", FMT(str_of(m->id)), role);
	if (model != NULL)
		json_add_fmt(b, ",'metadata':{'provider':%.*s,'model':%.*s}",
		    FMT(model->provider), FMT(model->model));
	buf_add_char(b, '}');
	protocol_send(p, &e);
}

/* ---- the end of one ------------------------------------------------------------------ */

/* Why it ended, in the protocol's words; what is not here is as "stop". */
static const struct { const char *told, *reason; } reasons[] = {
	{ "tool_calls", "tool_use" }, { "tool_use", "tool_use" },
	{ "function_call", "tool_use" }, { "length", "length" },
	{ "max_tokens", "length" }, { "MAX_TOKENS", "length" },
	{ "content_filter", "content_filter" }, { "SAFETY", "content_filter" },
};

static const char *
reason_of(struct val message)
{
	struct str told = protocol_text(val_get(val_get(message, S("response_metadata")),
	    S("finish_reason")));

	for (size_t i = 0; i < COUNT(reasons); i++)
		if (str_eq(told, str_of(reasons[i].told)))
			return reasons[i].reason;
	return val_count(val_get(message, S("tool_calls"))) > 0 ? "tool_use" : "stop";
}

/* The members that are scalars. */
static void
add_metadata(struct buf *b, const char *key, struct val metadata)
{
	json_add_key(b, key);
	buf_add_char(b, '{');
	for (size_t i = 0; i < val_count(metadata); i++) {
		struct val v = val_member(metadata, i);

		if (v.kind == VAL_OBJECT || v.kind == VAL_ARRAY)
			continue;
		json_add_comma(b);
		json_add_str(b, val_key(metadata, i));
		buf_add_char(b, ':');
		val_add_json(b, v);
	}
	buf_add_char(b, '}');
}

static void
tell_finish(struct protocol *p, const struct protocol_message *m, struct val message)
{
	struct protocol_event e = event_of(m);
	struct val usage = val_get(message, S("usage_metadata"));
	struct val metadata = val_get(message, S("response_metadata"));
	struct buf *b;

	if (!protocol_open(p, &e))
		return;
	b = protocol_data(p);
	add_begin(b, "message-finish", str_of(m->id));
	json_add_fmt(b, ",'reason':%s", reason_of(message));
	if (usage.kind == VAL_OBJECT) {
		json_add_key(b, "usage");
		val_add_json(b, usage);
	}
	if (val_count(metadata) > 0) {
		add_metadata(b, "metadata", metadata);
		add_metadata(b, "responseMetadata", metadata);
	}
	buf_add_char(b, '}');
	protocol_send(p, &e);
}

static void
tell_error(struct protocol *p, const struct protocol_message *m, const char *text,
    const char *code)
{
	struct protocol_event e = event_of(m);
	struct buf *b;

	if (!protocol_open(p, &e))
		return;
	b = protocol_data(p);
	add_begin(b, "error", str_of(m->id));
	json_add_fmt(b, ",'message':%s,'code':%s}", text, code);
	protocol_send(p, &e);
}

/* ---- whole ones ------------------------------------------------------------------------ */

/* A part that arrives whole: start and finish carry the same content. */
static void
tell_part(struct protocol *p, struct protocol_message *m, struct val block)
{
	static const char *const events[] = { "content-block-start", "content-block-finish" };

	m->blocks++;
	for (size_t i = 0; i < COUNT(events); i++) {
		struct protocol_event e = event_of(m);
		struct buf *b;

		if (!protocol_open(p, &e))
			continue;
		b = protocol_data(p);
		add_block(b, m, events[i], "content");
		val_add_json(b, block);
		buf_add_char(b, '}');
		protocol_send(p, &e);
	}
}

static void
tell_text(struct protocol *p, struct protocol_message *m, enum block_kind kind,
    struct str text)
{
	struct buf raw = BUF(LIMIT_STATE_BYTES);

	json_add_escaped(&raw, text);
	say(p, m, kind, buf_str(&raw));
	block_finish(p, m);
	buf_release(&raw);
}

/* Its arguments as a model would have written them. */
static void
tell_call(struct protocol *p, struct protocol_message *m, struct val block, int64_t index)
{
	struct buf id = BUF(LIMIT_STATE_BYTES), name = BUF(LIMIT_STATE_BYTES);
	struct buf json = BUF(LIMIT_STATE_BYTES), args = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	struct llm_delta d = { .kind = LLM_DELTA_TOOL, .index = index };

	json_add_escaped(&id, protocol_text(val_get(block, S("id"))));
	json_add_escaped(&name, protocol_text(val_get(block, S("name"))));
	val_add_json(&json, val_get(block, S("args")));
	json_add_escaped(&args, buf_str(&json));
	d.id_raw = buf_str(&id);
	d.name_raw = buf_str(&name);
	d.args_raw = buf_str(&args);
	say_call(p, m, &d);
	block_finish(p, m);
	buf_release(&id);
	buf_release(&name);
	buf_release(&json);
	buf_release(&args);
}

static void
tell_block(struct protocol *p, struct protocol_message *m, struct val block, int64_t index)
{
	struct str type = protocol_text(val_get(block, S("type")));

	if (str_eq(type, S("text")))
		tell_text(p, m, BLOCK_TEXT, protocol_text(val_get(block, S("text"))));
	else if (str_eq(type, S("reasoning")))
		tell_text(p, m, BLOCK_REASONING, protocol_text(val_get(block, S("reasoning"))));
	else if (str_eq(type, S("tool_call")))
		tell_call(p, m, block, index);
	else
		tell_part(p, m, block);
}

/* A block takes three numbers at most; eight are left for the message itself. */
#define BLOCKS_MAX ((LIMIT_PROTOCOL_SEQS - 8) / 3)

static void
tell_blocks(struct protocol *p, struct protocol_message *m, struct val message)
{
	struct val blocks = protocol_blocks(message);

	for (size_t i = 0; val_count(blocks) <= BLOCKS_MAX && i < val_count(blocks); i++)
		tell_block(p, m, val_at(blocks, i), (int64_t)i);
	val_drop(blocks);
}

void
protocol_whole(struct protocol *p, const struct run_event *ev)
{
	struct val message = ev->u.message.message;
	enum message_type type = message_type(message);
	struct protocol_message *m;

	if ((type != MSG_AI && type != MSG_HUMAN && type != MSG_SYSTEM) ||
	    !protocol_note(&p->told, message_id(message)))
		return;
	m = message_new(p, ev, message_id(message));
	tell_start(p, m, message_type_name(type), NULL);
	tell_blocks(p, m, message);
	tell_finish(p, m, message);
	message_free(p, m);
}

/* ---- what models say ------------------------------------------------------------------- */

void
protocol_delta(struct protocol *p, const struct run_event *ev)
{
	const struct event_model *x = &ev->u.model;
	const struct llm_delta *d = x->delta;
	struct protocol_message *m = find(p, x->stream);

	if (m == NULL) {
		m = message_new(p, ev, x->id);
		m->stream = x->stream;
		(void)protocol_note(&p->told, x->id);
		tell_start(p, m, "ai", x);
	}
	if (d->kind == LLM_DELTA_TEXT && d->text_raw.n > 0)
		say(p, m, BLOCK_TEXT, d->text_raw);
	else if (d->kind == LLM_DELTA_REASONING && d->text_raw.n > 0)
		say(p, m, BLOCK_REASONING, d->text_raw);
	else if (d->kind == LLM_DELTA_TOOL)
		say_call(p, m, d);
}

void
protocol_model_end(struct protocol *p, const struct run_event *ev)
{
	const struct event_model *x = &ev->u.model;
	struct protocol_message *m = find(p, x->stream);

	if (m == NULL)
		return;                      /* it comes whole later, or began before
		                                the part of the log that is kept */
	block_finish(p, m);
	if (x->message.kind == VAL_UNDEFINED) {
		tell_error(p, m, "the model did not finish its answer", "incomplete");
	} else {
		if (m->blocks == 0)
			tell_blocks(p, m, x->message);
		tell_finish(p, m, x->message);
	}
	message_free(p, m);
}

static struct protocol_message *
find_id(const struct protocol *p, struct str id)
{
	struct protocol_message *m = p->messages;

	while (m != NULL && !str_eq(str_of(m->id), id))
		m = m->next;
	return m;
}

void
protocol_retract(struct protocol *p, const struct run_event *ev)
{
	struct protocol_message *m = find_id(p, ev->u.model.id);

	if (m == NULL)                       /* it was finished before */
		m = message_new(p, ev, ev->u.model.id);
	tell_error(p, m, "the attempt that said this was cut off; it is said again",
	    "retracted");
	protocol_forget(&p->told, ev->u.model.id);
	message_free(p, m);
}
