/*
 * chunk.c - see chunk_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/chunk_priv.h"

#include <assert.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "run/partial_priv.h"
#include "run/run.h"

/* A tool call that is being spoken: raw spans, joined. */
struct chunk_call {
	int64_t index;
	struct buf id, name, args;
	struct buf extra;            /* JSON, or empty */
};

#define CONTENT "{\"content\":\""
#define KWARGS "\",\"tool_call_chunks\":[],\"additional_kwargs\":{"
#define USAGE_MAX INT64_C(9007199254740991)  /* 2^53 - 1 */

struct str
chunk_model_class(struct str provider)
{
	return str_eq(provider, S("openai")) ? S("ChatOpenAI") : provider;
}

static void
open_frame(struct buf *b, const char *name, struct str ns)
{
	buf_lit(b, "event: ");
	buf_add(b, str_of(name));
	buf_add(b, ns);
	buf_lit(b, "\ndata: ");
}

/* What of a message stands behind its content, then what closes the frame. */
static void
add_rest(struct chunk_form *f, const struct chunks *c)
{
	buf_lit(&f->rest, KWARGS);
	f->kwargs_at = f->rest.n;
	buf_add_fmt(&f->rest, "},"
	    "\"id\":\"%.*s\",\"response_metadata\":{\"model_provider\":\"%s\",\"usage\":{}},"
	    "\"tool_calls\":[],\"invalid_tool_calls\":[],\"type\":\"ai\"}",
	    FMT(c->id), c->provider);
	f->close_at = f->rest.n;
}

static bool
is_foreign(const struct chunks *c)
{
	return c->metadata.kind != VAL_UNDEFINED;
}

static void
init_tuple(struct chunks *c, const struct chunk_spec *s)
{
	struct chunk_form *f = &c->tuple;

	open_frame(&f->open, "messages", buf_str(&c->ns));
	if (is_foreign(c)) {
		buf_add_char(&f->open, '[');
		buf_add_char(&f->rest, ',');
		val_add_json(&f->rest, c->metadata);
		buf_add_char(&f->rest, ']');
		return;
	}
	buf_lit(&f->open, "[" CONTENT);
	add_rest(f, c);
	buf_add_char(&f->rest, ',');
	frame_add_model_metadata(&f->rest, &s->at, s->provider, s->model, true);
	buf_add_char(&f->rest, ']');
}

static void
init_events(struct chunks *c, const struct chunk_spec *s)
{
	struct chunk_form *f = &c->events;

	open_frame(&f->open, "events", STR_NONE);
	buf_lit(&f->open, "{\"event\":\"on_chat_model_stream\",\"data\":{\"chunk\":");
	if (!is_foreign(c)) {
		buf_lit(&f->open, CONTENT);
		add_rest(f, c);
	}
	json_add_fmt(&f->rest, "},'run_id':%.*s,'name':%.*s,'tags':[],'metadata':",
	    FMT(s->call), FMT(chunk_model_class(s->provider)));
	if (is_foreign(c))
		val_add_json(&f->rest, c->metadata);
	else
		frame_add_model_metadata(&f->rest, &s->at, s->provider, s->model, false);
	buf_add_char(&f->rest, '}');
}

void
chunks_init(struct chunks *c, const struct chunk_spec *s)
{
	*c = (struct chunks){ .id = s->id, .provider = mem_cstr(s->provider),
	    .metadata = val_ref(s->metadata) };
	c->ns = BUF(LIMIT_EVENT_NS_BYTES);
	c->tuple.open = c->tuple.rest = BUF(2 * RUN_METADATA_BYTES);
	c->events.open = c->events.rest = BUF(2 * RUN_METADATA_BYTES);
	c->text = BUF(LIMIT_LLM_BODY_BYTES);
	c->reasoning = BUF(LIMIT_LLM_BODY_BYTES);
	c->usage = BUF(LIMIT_LLM_BODY_BYTES);
	c->ending = BUF(RUN_METADATA_BYTES);
	if (s->ns.n > 0) {
		buf_add_char(&c->ns, '|');
		buf_add(&c->ns, s->ns);
	}
	if ((s->modes & MODE_MESSAGES_TUPLE) != 0)
		init_tuple(c, s);
	if ((s->modes & MODE_EVENTS) != 0)
		init_events(c, s);
	buf_fit(&c->tuple.rest);
	buf_fit(&c->events.rest);
}

static void
form_release(struct chunk_form *f)
{
	buf_release(&f->open);
	buf_release(&f->rest);
}

void
chunks_release(struct chunks *c)
{
	for (size_t i = 0; i < c->calls_n; i++) {
		buf_release(&c->calls[i].id);
		buf_release(&c->calls[i].name);
		buf_release(&c->calls[i].args);
		buf_release(&c->calls[i].extra);
	}
	free(c->calls);
	free(c->provider);
	val_drop(c->metadata);
	buf_release(&c->ns);
	form_release(&c->tuple);
	form_release(&c->events);
	buf_release(&c->text);
	buf_release(&c->reasoning);
	buf_release(&c->usage);
	buf_release(&c->ending);
	*c = (struct chunks){ 0 };
}

/* ---- parts of messages --------------------------------------------------- */

/* A call as OpenAI writes it; absent spans are left out. */
static void
add_openai_call(struct buf *b, int64_t index, struct str id, struct str name,
    struct str args, struct str extra)
{
	buf_add_fmt(b, "{\"index\":%lld", (long long)index);
	if (id.p != NULL) {
		json_add_raw(b, "id", id);
		buf_lit(b, ",\"type\":\"function\"");
	}
	buf_lit(b, ",\"function\":{");
	if (name.p != NULL)
		json_add_raw(b, "name", name);
	if (args.p != NULL)
		json_add_raw(b, "arguments", args);
	buf_add_char(b, '}');
	if (extra.n > 0) {
		buf_lit(b, ",\"extra_content\":");
		buf_add(b, extra);
	}
	buf_add_char(b, '}');
}

static void
add_call_chunk(struct buf *b, int64_t index, struct str id, struct str name,
    struct str args, struct str extra)
{
	(void)extra;
	buf_add_char(b, '{');
	if (name.p != NULL)
		json_add_raw(b, "name", name);
	json_add_raw(b, "args", args);
	if (id.p != NULL)
		json_add_raw(b, "id", id);
	buf_add_fmt(b, ",\"index\":%lld,\"type\":\"tool_call_chunk\"}",
	    (long long)index);
}

/* A call whose arguments can be read goes to `good`, another to `bad`; as in
 * the reference, a piece without an id cannot stand alone. */
static void
add_parsed_call(struct buf *good, struct buf *bad, struct str id, struct str name,
    struct str args)
{
	struct buf text = BUF(LIMIT_LLM_BODY_BYTES), parsed = BUF(LIMIT_LLM_BODY_BYTES);
	bool ok = id.n > 0 && json_unescape(args, &text) == OK &&
	    partial_object(buf_str(&text), &parsed);
	struct buf *b = ok ? good : bad;

	buf_add_char(b, b->n == 0 ? '{' : ',');
	if (b->n > 1)
		buf_add_char(b, '{');
	json_add_raw(b, "name", name);
	if (ok) {
		buf_lit(b, ",\"args\":");
		buf_add(b, buf_str(&parsed));
	} else {
		json_add_raw(b, "args", args);
	}
	if (id.n > 0)
		json_add_raw(b, "id", id);
	if (ok)
		buf_lit(b, ",\"type\":\"tool_call\"}");
	else
		buf_lit(b, ",\"error\":\"Malformed args.\",\"type\":\"invalid_tool_call\"}");
	buf_release(&text);
	buf_release(&parsed);
}

/* Counts are capped at 2^53, so sums do not overflow. */
static int64_t
count_of(jnode from, const char *name)
{
	jnode n = json_get(from, str_of(name));
	double count = json_is_number(n) && json_number(n) > 0 ? json_number(n) : 0;

	return count > USAGE_MAX ? USAGE_MAX : (int64_t)count;
}

static void
add_count(struct buf *b, const char *key, int64_t count)
{
	json_add_key(b, key);
	buf_add_i64(b, count);
}

static void
add_detail(struct buf *b, const char *key, jnode details, const char *member,
    const char *name)
{
	json_add_key(b, key);
	buf_add_char(b, '{');
	if (json_is_number(json_get(details, S("cache_creation_tokens"))))
		add_count(b, "cache_creation", count_of(details, "cache_creation_tokens"));
	if (json_is_number(json_get(details, str_of(name))))
		add_count(b, member, count_of(details, name));
	buf_add_char(b, '}');
}

/* OpenAI's usage as LangChain's usage_metadata. */
static void
add_usage_metadata(struct buf *b, struct str usage)
{
	struct json_doc d = { 0 };

	if (json_parse(&d, usage, NULL) == OK && json_is_object(d.root)) {
		int64_t in = count_of(d.root, "prompt_tokens");
		int64_t out = count_of(d.root, "completion_tokens");

		buf_add_char(b, '{');
		add_count(b, "input_tokens", in);
		add_count(b, "output_tokens", out);
		add_count(b, "total_tokens", json_get(d.root, S("total_tokens")) != NULL ?
		    count_of(d.root, "total_tokens") : in + out);
		add_detail(b, "input_token_details",
		    json_get(d.root, S("prompt_tokens_details")), "cache_read",
		    "cached_tokens");
		add_detail(b, "output_token_details",
		    json_get(d.root, S("completion_tokens_details")), "reasoning",
		    "reasoning_tokens");
		buf_add_char(b, '}');
	} else {
		buf_lit(b, "{\"input_tokens\":0,\"output_tokens\":0,\"total_tokens\":0}");
	}
	json_release(&d);
}

/* ---- a frame a delta ------------------------------------------------------ */

static struct sse_block *
frame_text(struct chunks *c, const struct chunk_form *f, const struct llm_delta *d,
    int64_t id)
{
	struct str parts[3] = { buf_str(&f->open), d->text_raw, buf_str(&f->rest) };

	(void)c;
	return frame_join(parts, COUNT(parts), id);
}

static struct sse_block *
frame_empty(struct chunks *c, const struct chunk_form *f, const struct llm_delta *d,
    int64_t id)
{
	struct str parts[2] = { buf_str(&f->open), buf_str(&f->rest) };

	(void)c;
	(void)d;
	return frame_join(parts, COUNT(parts), id);
}

/* message: what stands behind `{"content":"`; released. */
static struct sse_block *
frame_from(const struct chunk_form *f, struct buf *message, int64_t id)
{
	struct str rest = buf_str(&f->rest);
	struct str parts[3] = { buf_str(&f->open), buf_str(message),
	    str_sub(rest, f->close_at, rest.n) };
	struct sse_block *block = frame_join(parts, COUNT(parts), id);

	buf_release(message);
	return block;
}

static struct sse_block *
frame_tool(struct chunks *c, const struct chunk_form *f, const struct llm_delta *d,
    int64_t id)
{
	struct buf b = BUF(LIMIT_LLM_BODY_BYTES);
	struct buf good = BUF(LIMIT_LLM_BODY_BYTES), bad = BUF(LIMIT_LLM_BODY_BYTES);
	struct str args = d->args_raw.p != NULL ? d->args_raw : S("");

	add_parsed_call(&good, &bad, d->id_raw,
	    d->name_raw.p != NULL ? d->name_raw : S(""), args);
	buf_lit(&b, "\",\"tool_call_chunks\":[");
	add_call_chunk(&b, d->index, d->id_raw, d->name_raw, args, STR_NONE);
	buf_lit(&b, "],\"additional_kwargs\":{\"tool_calls\":[");
	add_openai_call(&b, d->index, d->id_raw, d->name_raw, args, d->extra);
	buf_add_fmt(&b, "]},\"id\":\"%.*s\",\"response_metadata\":{"
	    "\"model_provider\":\"%s\",\"usage\":{}},\"tool_calls\":[", FMT(c->id),
	    c->provider);
	buf_add(&b, buf_str(&good));
	buf_lit(&b, "],\"invalid_tool_calls\":[");
	buf_add(&b, buf_str(&bad));
	buf_lit(&b, "],\"type\":\"ai\"}");
	buf_release(&good);
	buf_release(&bad);
	return frame_from(f, &b, id);
}

/* As text, in another place. */
static struct sse_block *
frame_reasoning(struct chunks *c, const struct chunk_form *f,
    const struct llm_delta *d, int64_t id)
{
	struct str rest = buf_str(&f->rest);
	struct str parts[5] = { buf_str(&f->open), S(KWARGS "\"reasoning_content\":\""),
	    d->text_raw, S("\""), str_sub(rest, f->kwargs_at, rest.n) };

	(void)c;
	return frame_join(parts, COUNT(parts), id);
}

/* `,"finish_reason":..,"model_name":..`: sent once, because clients concatenate
 * strings of chunks. */
static void
add_ending(struct buf *b, const struct llm_delta *d)
{
	struct { const char *key; struct str raw; } members[] = {
		{ ",\"finish_reason\":\"", d->finish_raw },
		{ ",\"model_name\":\"", d->model_raw },
	};

	for (size_t i = 0; i < COUNT(members); i++) {
		if (members[i].raw.n == 0)
			continue;
		buf_add(b, str_of(members[i].key));
		buf_add(b, members[i].raw);
		buf_add_char(b, '"');
	}
}

static struct sse_block *
frame_finish(struct chunks *c, const struct chunk_form *f, const struct llm_delta *d,
    int64_t id)
{
	struct buf b = BUF(LIMIT_LLM_BODY_BYTES);

	buf_add_fmt(&b, KWARGS "},\"id\":\"%.*s\",\"response_metadata\":{"
	    "\"model_provider\":\"%s\",\"usage\":{}", FMT(c->id), c->provider);
	add_ending(&b, d);
	buf_lit(&b, "},\"tool_calls\":[],\"invalid_tool_calls\":[],\"type\":\"ai\"}");
	return frame_from(f, &b, id);
}

static struct sse_block *
frame_usage(struct chunks *c, const struct chunk_form *f, const struct llm_delta *d,
    int64_t id)
{
	struct buf b = BUF(LIMIT_LLM_BODY_BYTES);

	buf_lit(&b, "\",\"response_metadata\":{\"usage\":");
	buf_add(&b, d->usage_raw);
	buf_lit(&b, "},\"usage_metadata\":");
	add_usage_metadata(&b, d->usage_raw);
	buf_add_fmt(&b, ",\"tool_calls\":[],\"invalid_tool_calls\":[],"
	    "\"tool_call_chunks\":[],\"additional_kwargs\":{},\"id\":\"%.*s\","
	    "\"type\":\"ai\"}", FMT(c->id));
	return frame_from(f, &b, id);
}

static struct sse_block *
frame_piece(const struct chunk_form *f, const struct llm_delta *d, int64_t id)
{
	struct str parts[3] = { buf_str(&f->open), d->piece, buf_str(&f->rest) };

	return frame_join(parts, COUNT(parts), id);
}

struct sse_block *
chunk_frame(struct chunks *c, const struct chunk_form *f, const struct llm_delta *d,
    int64_t id)
{
	static struct sse_block *(*const by_kind[])(struct chunks *,
	    const struct chunk_form *, const struct llm_delta *, int64_t) = {
		[LLM_DELTA_START] = frame_empty, [LLM_DELTA_TEXT] = frame_text,
		[LLM_DELTA_REASONING] = frame_reasoning,
		[LLM_DELTA_TOOL] = frame_tool, [LLM_DELTA_FINISH] = frame_finish,
		[LLM_DELTA_USAGE] = frame_usage,
	};

	assert(d->kind < COUNT(by_kind));
	return is_foreign(c) ? frame_piece(f, d, id) : by_kind[d->kind](c, f, d, id);
}

/* ---- messages: the accumulated form -------------------------------------- */

static struct chunk_call *
call_at(struct chunks *c, int64_t index)
{
	struct chunk_call *call;

	for (size_t i = 0; i < c->calls_n; i++)
		if (c->calls[i].index == index)
			return &c->calls[i];
	if (c->calls_n == LIMIT_TOOL_CALLS)
		return NULL;
	mem_grow(c->calls, c->calls_n, c->calls_cap);
	call = &c->calls[c->calls_n++];
	*call = (struct chunk_call){ .index = index, .id = BUF(LIMIT_LLM_LINE_BYTES),
	    .name = BUF(LIMIT_LLM_LINE_BYTES), .args = BUF(LIMIT_LLM_BODY_BYTES),
	    .extra = BUF(LIMIT_LLM_LINE_BYTES) };
	return call;
}

void
chunk_collect(struct chunks *c, const struct llm_delta *d)
{
	struct chunk_call *call;

	if (d->kind == LLM_DELTA_TEXT) {
		buf_add(&c->text, d->text_raw);
	} else if (d->kind == LLM_DELTA_REASONING) {
		buf_add(&c->reasoning, d->text_raw);
	} else if (d->kind == LLM_DELTA_FINISH) {
		add_ending(&c->ending, d);
	} else if (d->kind == LLM_DELTA_USAGE) {
		buf_clear(&c->usage);
		buf_add(&c->usage, d->usage_raw);
	} else if (d->kind == LLM_DELTA_TOOL) {
		call = call_at(c, d->index);
		if (call == NULL)
			return;          /* the answer is refused as a whole later */
		buf_add(&call->id, d->id_raw);
		buf_add(&call->name, d->name_raw);
		buf_add(&call->args, d->args_raw);
		if (d->extra.n > 0) {
			buf_clear(&call->extra);
			buf_add(&call->extra, d->extra);
		}
	}
}

static void
add_calls(struct buf *b, const struct chunks *c,
    void (*add)(struct buf *b, int64_t index, struct str id, struct str name,
	struct str args, struct str extra))
{
	for (size_t i = 0; i < c->calls_n; i++) {
		const struct chunk_call *call = &c->calls[i];

		if (i > 0)
			buf_add_char(b, ',');
		add(b, call->index, buf_str(&call->id), buf_str(&call->name),
		    buf_str(&call->args), buf_str(&call->extra));
	}
}

/* data is released. */
static struct sse_block *
named(const struct chunks *c, const char *name, struct buf *data, int64_t id)
{
	struct str parts[5] = { S("event: "), str_of(name), buf_str(&c->ns),
	    S("\ndata: "), buf_str(data) };
	struct sse_block *block = frame_join(parts, COUNT(parts), id);

	buf_release(data);
	return block;
}

struct sse_block *
chunk_partial(const struct chunks *c, int64_t id)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct buf good = BUF(LIMIT_LLM_BODY_BYTES), bad = BUF(LIMIT_LLM_BODY_BYTES);
	struct sse_block *block;

	for (size_t i = 0; i < c->calls_n; i++)
		add_parsed_call(&good, &bad, buf_str(&c->calls[i].id),
		    buf_str(&c->calls[i].name), buf_str(&c->calls[i].args));
	buf_lit(&b, "[" CONTENT);
	buf_add(&b, buf_str(&c->text));
	buf_lit(&b, "\",\"additional_kwargs\":{");
	if (c->calls_n > 0) {
		buf_lit(&b, "\"tool_calls\":[");
		add_calls(&b, c, add_openai_call);
		buf_add_char(&b, ']');
	}
	if (c->reasoning.n > 0) {
		if (c->calls_n > 0)
			buf_add_char(&b, ',');
		buf_lit(&b, "\"reasoning_content\":\"");
		buf_add(&b, buf_str(&c->reasoning));
		buf_add_char(&b, '"');
	}
	buf_add_fmt(&b, "},\"response_metadata\":{\"model_provider\":\"%s\",\"usage\":",
	    c->provider);
	buf_add(&b, c->usage.n > 0 ? buf_str(&c->usage) : S("{}"));
	buf_add(&b, buf_str(&c->ending));
	buf_lit(&b, "},\"tool_call_chunks\":[");
	add_calls(&b, c, add_call_chunk);
	buf_lit(&b, "],\"tool_calls\":[");
	buf_add(&b, buf_str(&good));
	buf_add_fmt(&b, "],\"id\":\"%.*s\"", FMT(c->id));
	if (c->usage.n > 0) {
		buf_lit(&b, ",\"usage_metadata\":");
		add_usage_metadata(&b, buf_str(&c->usage));
	}
	buf_lit(&b, ",\"invalid_tool_calls\":[");
	buf_add(&b, buf_str(&bad));
	buf_lit(&b, "],\"type\":\"ai\"}]");
	block = named(c, "messages/partial", &b, id);
	buf_release(&good);
	buf_release(&bad);
	return block;
}

struct sse_block *
chunk_metadata(const struct chunks *c, const struct frame_place *at,
    struct str model, int64_t id)
{
	struct buf b = BUF(2 * RUN_METADATA_BYTES);

	buf_add_fmt(&b, "{\"%.*s\":{\"metadata\":", FMT(c->id));
	if (is_foreign(c))
		val_add_json(&b, c->metadata);
	else
		frame_add_model_metadata(&b, at, str_of(c->provider), model, false);
	buf_lit(&b, "}}");
	return named(c, "messages/metadata", &b, id);
}
