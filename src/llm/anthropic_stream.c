/*
 * anthropic_stream.c - what an event of Anthropic's Messages API says.
 *
 *   message_start        id, model, tokens of the prompt
 *   content_block_start  a text, a thought, a sealed thought, a call of a tool
 *   content_block_delta  a piece of it: text, thinking, its signature, arguments
 *   content_block_stop
 *   message_delta        why it ended, tokens of the answer
 *   message_stop
 *
 * An event is walked once without building a document.  Blocks that are signed are
 * kept apart in the result, for they are sent back as they were.  Whatever we do not
 * know is skipped: ping, events and blocks to come, tools that the server runs.
 *
 * What servers do differently: arguments whole in content_block_start and no delta;
 * no content_block_start before a delta, no content_block_stop; message_delta with
 * all counts or without; an answer in one piece.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "base/limits.h"
#include "llm/anthropic_priv.h"

/* Spans of an event's text: whole values; n 0 when absent. */
struct event {
	struct str type, delta, block, message, usage, error, content, id, model,
	    stop_reason;
	int64_t index;
};

static bool
event_read(struct str data, struct event *ev)
{
	static const struct { struct str key; size_t at; } members[] = {
		{ S("type"), offsetof(struct event, type) },
		{ S("delta"), offsetof(struct event, delta) },
		{ S("content_block"), offsetof(struct event, block) },
		{ S("message"), offsetof(struct event, message) },
		{ S("usage"), offsetof(struct event, usage) },
		{ S("error"), offsetof(struct event, error) },
		{ S("content"), offsetof(struct event, content) },
		{ S("id"), offsetof(struct event, id) },
		{ S("model"), offsetof(struct event, model) },
		{ S("stop_reason"), offsetof(struct event, stop_reason) },
	};
	struct scan in = scan_of(data);
	struct str key, value = STR_NONE;
	bool first = true;
	double index;

	*ev = (struct event){ .index = -1 };
	for (scan_open(&in, '{'); scan_member(&in, &first, &key); ) {
		if (!scan_value(&in, &value))
			break;
		if (SCAN_IS(key, "index") && str_to_double(value, &index) && index >= 0 &&
		    index <= INT32_MAX)
			ev->index = (int64_t)index;
		for (size_t i = 0; i < COUNT(members); i++)
			if (str_eq(key, members[i].key) && value.p[0] != 'n')
				*(struct str *)((char *)ev + members[i].at) = value;
	}
	return scan_end(&in);
}

static bool
type_is(struct str object, const char *quoted)
{
	return str_eq(scan_find(object, S("type")), str_of(quoted));
}

static struct str
member(struct str object, const char *key)
{
	return inside_of(scan_find(object, str_of(key)));
}

/* ---- tokens ------------------------------------------------------------------- */

static void
count(struct str usage, const char *key, int64_t *n)
{
	struct str raw = scan_find(usage, str_of(key));
	double v;

	if (raw.n > 0 && str_to_double(raw, &v) && v >= 0)
		*n = v > LLM_COUNT_MAX ? LLM_COUNT_MAX : (int64_t)v;
}

/* The API's words, and those that the rest of the program reads.  What was read
 * from and written to the cache is part of the prompt. */
static void
take_usage(struct decoder *s, struct str usage)
{
	struct decoder_tokens *n = &s->tokens;
	struct buf *b = &s->result->usage;
	long long in, out;

	if (usage.n == 0 || usage.p[0] != '{')
		return;
	count(usage, "input_tokens", &n->input);
	count(usage, "cache_creation_input_tokens", &n->cache_written);
	count(usage, "cache_read_input_tokens", &n->cache_read);
	count(usage, "output_tokens", &n->output);
	in = (long long)(n->input + n->cache_written + n->cache_read);
	out = (long long)n->output;
	buf_clear(b);
	json_add_fmt(b, "{'input_tokens':%lld,'cache_creation_input_tokens':%lld,"
	    "'cache_read_input_tokens':%lld,'output_tokens':%lld,'prompt_tokens':%lld,"
	    "'completion_tokens':%lld,'total_tokens':%lld,'prompt_tokens_details':"
	    "{'cached_tokens':%lld,'cache_creation_tokens':%lld}}", (long long)n->input,
	    (long long)n->cache_written, (long long)n->cache_read, out, in, out, in + out,
	    (long long)n->cache_read, (long long)n->cache_written);
}

/* ---- blocks -------------------------------------------------------------------- */

static int
need_begin(struct decoder *s)
{
	return s->begun ? OK : decoder_begin(s, STR_NONE);
}

/* The call of a block; NULL: the block is none of ours. */
static struct result_call *
call_of(struct decoder *s, int64_t index)
{
	struct llm_result *r = s->result;

	for (size_t i = r->calls_n; i-- > 0; )
		if (r->calls[i].wire == index)
			return &r->calls[i];
	return NULL;
}

static int
tell_args(struct decoder *s, int64_t index, struct str args_raw, struct failure *f)
{
	const struct result_fragment part = { .wire = index, .chunk = s->chunk };

	if (args_raw.n == 0 || call_of(s, index) == NULL)
		return OK;                   /* of a tool that the server runs */
	return decoder_call(s, &part, args_raw, STR_NONE, f);
}

/* Arguments that came with the start of a block, and nothing after it. */
static int
flush_input(struct decoder *s, struct failure *f)
{
	struct buf args = s->input;
	const struct result_call *c = call_of(s, s->input_of);
	int rc = OK;

	if (args.n == 0)
		return OK;
	s->input = BUF(LIMIT_LLM_LINE_BYTES);
	if (c != NULL && c->args_raw.n == 0)
		rc = tell_args(s, s->input_of, buf_str(&args), f);
	buf_release(&args);
	return rc;
}

static void
keep_input(struct decoder *s, int64_t index, struct str input)
{
	struct buf line = BUF(LIMIT_LLM_LINE_BYTES);

	if (input.n < 3 || input.p[0] != '{')
		return;
	result_add_minified(&line, input);
	if (line.n > 2)
		json_add_escaped(&s->input, buf_str(&line));
	s->input_of = index;
	buf_release(&line);
}

static int
start_call(struct decoder *s, int64_t index, struct str block, struct failure *f)
{
	const struct result_fragment part = { .wire = index, .chunk = s->chunk,
	    .id_raw = member(block, "id"), .name_raw = member(block, "name"),
	    .alone = true };
	int rc = decoder_call(s, &part, S(""), STR_NONE, f);

	if (rc == OK)
		keep_input(s, index, scan_find(block, S("input")));
	return rc;
}

static int
too_many(struct failure *f)
{
	failure_set(f, FAULT_BACKEND, false, "the model's answer has more than %d blocks",
	    LIMIT_LLM_BLOCKS);
	return ERR_LIMIT;
}

static int
start_thought(struct decoder *s, struct str block, struct failure *f)
{
	struct result_block *b = result_block_add(s->result, BLOCK_THOUGHT);

	if (b == NULL)
		return too_many(f);
	buf_add(&b->seal_raw, member(block, "signature"));
	return decoder_thought(s, member(block, "thinking"));
}

static int
start_sealed(struct decoder *s, struct str block, struct failure *f)
{
	struct result_block *b = result_block_add(s->result, BLOCK_REDACTED);

	if (b == NULL)
		return too_many(f);
	buf_add(&b->seal_raw, member(block, "data"));
	return OK;
}

/* A citation belongs to the text it stands with. */
static int
cite(struct decoder *s, struct str citation, struct failure *f)
{
	struct result_block *b = result_block_at(s->result, BLOCK_TEXT);

	if (citation.n == 0 || citation.p[0] != '{')
		return OK;
	if (b == NULL)
		return too_many(f);
	if (b->notes.n > 0)
		buf_add_char(&b->notes, ',');
	result_add_minified(&b->notes, citation);
	return OK;
}

static int
start_text(struct decoder *s, struct str block, struct failure *f)
{
	struct scan in = scan_of(scan_find(block, S("citations")));
	struct str citation = STR_NONE;
	bool first = true;
	int rc;

	if (result_block_add(s->result, BLOCK_TEXT) == NULL)
		return too_many(f);
	rc = decoder_text(s, member(block, "text"));
	if (scan_peek(&in) != '[')
		return rc;
	for (scan_open(&in, '['); rc == OK && scan_element(&in, &first) &&
	    scan_value(&in, &citation); )
		rc = cite(s, citation, f);
	return rc;
}

static int
start_block(struct decoder *s, int64_t index, struct str block, struct failure *f)
{
	int rc = need_begin(s);

	if (rc == OK)
		rc = flush_input(s, f);
	if (rc != OK)
		return rc;
	if (type_is(block, "\"text\""))
		return start_text(s, block, f);
	if (type_is(block, "\"thinking\""))
		return start_thought(s, block, f);
	if (type_is(block, "\"redacted_thinking\""))
		return start_sealed(s, block, f);
	if (type_is(block, "\"tool_use\""))
		return start_call(s, index, block, f);
	return OK;
}

/* ---- pieces of blocks ------------------------------------------------------------ */

static int
text_delta(struct decoder *s, struct str delta, struct failure *f)
{
	struct str text = member(delta, "text");
	int rc;

	if (text.n > 0 && result_block_at(s->result, BLOCK_TEXT) == NULL)
		return too_many(f);
	rc = decoder_text(s, text);
	decoder_alone(s, text, false);
	return rc;
}

static int
thinking_delta(struct decoder *s, struct str delta, struct failure *f)
{
	struct str text = member(delta, "thinking");
	int rc;

	if (text.n > 0 && result_block_at(s->result, BLOCK_THOUGHT) == NULL)
		return too_many(f);
	rc = decoder_thought(s, text);
	decoder_alone(s, text, true);
	return rc;
}

static int
take_delta(struct decoder *s, const struct event *ev, struct failure *f)
{
	struct str delta = ev->delta;
	struct result_block *b;
	int rc = need_begin(s);

	if (rc != OK)
		return rc;
	if (type_is(delta, "\"text_delta\""))
		return text_delta(s, delta, f);
	if (type_is(delta, "\"thinking_delta\""))
		return thinking_delta(s, delta, f);
	if (type_is(delta, "\"input_json_delta\""))
		return tell_args(s, ev->index, member(delta, "partial_json"), f);
	if (type_is(delta, "\"citations_delta\""))
		return cite(s, scan_find(delta, S("citation")), f);
	if (!type_is(delta, "\"signature_delta\""))
		return OK;
	b = result_block_at(s->result, BLOCK_THOUGHT);
	if (b == NULL)
		return too_many(f);
	buf_add(&b->seal_raw, member(delta, "signature"));
	return OK;
}

/* ---- the message ------------------------------------------------------------------ */

static int
finish(struct decoder *s, struct str reason, struct failure *f)
{
	int rc = flush_input(s, f);

	if (rc != OK || reason.n == 0)
		return rc;
	if (str_eq(reason, S("model_context_window_exceeded")) &&
	    s->result->content_raw.n == 0 && s->result->calls_n == 0) {
		failure_set(f, FAULT_CONTEXT_LENGTH, false,
		    "the prompt leaves no room in the model's context window");
		return ERR_TOOBIG;
	}
	return decoder_finish(s, reason);
}

static int
take_message(struct decoder *s, struct str message)
{
	buf_clear(&s->result->model_raw);
	buf_add(&s->result->model_raw, member(message, "model"));
	take_usage(s, scan_find(message, S("usage")));
	return s->begun ? OK : decoder_begin(s, member(message, "id"));
}

static int
take_error(struct str error, struct failure *f)
{
	failure_of_object(f, error);
	return ERR_IO;
}

int
anthropic_take(struct decoder *s, struct str data, struct failure *f)
{
	struct event ev;
	int rc = OK;

	if (!event_read(data, &ev))
		return ERR_AGAIN;
	if (str_eq(ev.type, S("\"content_block_delta\"")))
		return take_delta(s, &ev, f);
	if (str_eq(ev.type, S("\"content_block_start\"")))
		return start_block(s, ev.index, ev.block, f);
	if (str_eq(ev.type, S("\"content_block_stop\"")))
		return flush_input(s, f);
	if (str_eq(ev.type, S("\"message_start\"")))
		return take_message(s, ev.message);
	if (str_eq(ev.type, S("\"message_delta\""))) {
		take_usage(s, ev.usage);
		rc = need_begin(s);
		return rc == OK ? finish(s, member(ev.delta, "stop_reason"), f) : rc;
	}
	if (str_eq(ev.type, S("\"message_stop\""))) {
		s->done = true;
		return flush_input(s, f);
	}
	if (str_eq(ev.type, S("\"error\"")) || ev.error.n > 0)
		return take_error(ev.error.n > 0 ? ev.error : data, f);
	return OK;
}

/* ---- in one piece ------------------------------------------------------------------- */

static int
take_content(struct decoder *s, struct str content, struct failure *f)
{
	struct scan in = scan_of(content);
	struct str block = STR_NONE;
	bool first = true;
	int64_t index = 0;
	int rc = OK;

	for (scan_open(&in, '['); rc == OK && scan_element(&in, &first) &&
	    scan_value(&in, &block); index++) {
		rc = start_block(s, index, block, f);
		if (rc == OK)
			rc = flush_input(s, f);
	}
	return rc;
}

int
anthropic_take_whole(struct decoder *s, struct str body, struct failure *f)
{
	struct event ev;
	int rc;

	if (!event_read(body, &ev))
		return ERR_AGAIN;
	if (str_eq(ev.type, S("\"error\"")) || ev.error.n > 0)
		return take_error(ev.error.n > 0 ? ev.error : body, f);
	if (ev.content.n == 0 || ev.content.p[0] != '[') {
		failure_set(f, FAULT_BACKEND, false,
		    "the model's answer is no message: it has no list of content");
		return ERR_SYNTAX;
	}
	rc = take_message(s, body);
	if (rc == OK)
		rc = take_content(s, ev.content, f);
	return rc == OK ? finish(s, inside_of(ev.stop_reason), f) : rc;
}
