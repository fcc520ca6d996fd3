/*
 * openai_stream.c - the model's stream of chunks, decoded as it arrives.
 *
 * Bytes come cut anywhere.  A line that is whole within one read is decoded
 * where it lies; only the head of a cut line is kept.  A chunk is walked once
 * without building a document (scan_priv.h): chunk_read notes where the few
 * members we know are, whatever their order, then chunk_tell hands them out.
 *
 * What servers do differently, and what is made of it: CRLF; a byte order
 * mark; comments; fields other than data; `usage` in every chunk (the last
 * one counts); no id (we make one); tool fragments without an index; content
 * as an array of blocks; an error object in the middle; the end without
 * [DONE] (fine after a finish_reason, else the answer was cut short).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "llm/llm_priv.h"
#include "llm/scan_priv.h"

/* Where the members of one chunk are; p NULL when absent or null. */
struct chunk {
	struct str id, content, reasoning, refusal, finish;  /* insides */
	struct str blocks, tools, usage, error;              /* whole values */
	bool has_choice;
};

void
openai_stream_init(struct openai_stream *s, struct llm_result *r,
    bool (*emit)(void *ctx, const struct llm_delta *d), void *ctx)
{
	*s = (struct openai_stream){
		.result = r, .emit = emit, .ctx = ctx,
		.line = BUF(LIMIT_LLM_LINE_BYTES),
		.finish_raw = BUF(LIMIT_NAME_BYTES),
	};
}

void
openai_stream_release(struct openai_stream *s)
{
	buf_release(&s->line);
	buf_release(&s->finish_raw);
}

/* ---- reading one chunk ---------------------------------------------------- */

static void
read_content(struct scan *s, struct chunk *c)
{
	if (scan_peek(s) == '[')
		scan_value(s, &c->blocks);
	else
		c->content = scan_text(s);
}

static void
read_delta(struct scan *s, struct chunk *c)
{
	struct str key, skipped;
	bool first = true;

	for (scan_open(s, '{'); scan_member(s, &first, &key); ) {
		if (SCAN_IS(key, "content"))
			read_content(s, c);
		else if (SCAN_IS(key, "tool_calls") && scan_peek(s) == '[')
			scan_value(s, &c->tools);
		else if (SCAN_IS(key, "reasoning_content") ||
		    (SCAN_IS(key, "reasoning") && c->reasoning.n == 0))
			c->reasoning = scan_text(s);
		else if (SCAN_IS(key, "refusal"))
			c->refusal = scan_text(s);
		else
			scan_value(s, &skipped);
	}
}

static void
read_choice(struct scan *s, struct chunk *c)
{
	struct str key, skipped;
	bool first = true;

	c->has_choice = true;
	for (scan_open(s, '{'); scan_member(s, &first, &key); ) {
		if (SCAN_IS(key, "delta") && scan_peek(s) == '{')
			read_delta(s, c);
		else if (SCAN_IS(key, "finish_reason"))
			c->finish = scan_text(s);
		else
			scan_value(s, &skipped);
	}
}

/* Only the first choice is ours: we never ask for more. */
static void
read_choices(struct scan *s, struct chunk *c)
{
	struct str skipped;
	bool first = true, chosen = false;

	for (scan_open(s, '['); scan_element(s, &first); chosen = true) {
		if (!chosen && scan_peek(s) == '{')
			read_choice(s, c);
		else
			scan_value(s, &skipped);
	}
}

static bool
chunk_read(struct str text, struct chunk *c)
{
	struct scan s = scan_of(text);
	struct str key, value;
	bool first = true;

	*c = (struct chunk){ 0 };
	for (scan_open(&s, '{'); scan_member(&s, &first, &key); ) {
		if (SCAN_IS(key, "choices") && scan_peek(&s) == '[')
			read_choices(&s, c);
		else if (SCAN_IS(key, "id"))
			c->id = scan_text(&s);
		else if (SCAN_IS(key, "usage") && scan_peek(&s) == '{')
			scan_value(&s, &c->usage);
		else if (SCAN_IS(key, "error") && scan_peek(&s) != 'n')
			scan_value(&s, &c->error);
		else
			scan_value(&s, &value);
	}
	return scan_end(&s);
}

/* ---- telling what was in it ----------------------------------------------- */

static int
tell(struct openai_stream *s, struct llm_delta *d)
{
	d->id = buf_str(&s->result->id);
	if (s->emit(s->ctx, d))
		return OK;
	s->stopped = true;
	return ERR_CANCELLED;
}

static int
begin(struct openai_stream *s, struct str id_raw)
{
	struct llm_delta d = { .kind = LLM_DELTA_START };

	s->begun = true;
	if (json_unescape(id_raw, &s->result->id) != OK)
		buf_clear(&s->result->id);
	result_need_id(s->result);
	return tell(s, &d);
}

static int
tell_text(struct openai_stream *s, struct str raw)
{
	struct llm_delta d = { .kind = LLM_DELTA_TEXT, .text_raw = raw };

	if (raw.n == 0)
		return OK;
	buf_add(&s->result->content_raw, raw);
	return tell(s, &d);
}

/* Content as blocks: their texts. */
static int
tell_blocks(struct openai_stream *s, struct str blocks)
{
	struct scan in = scan_of(blocks);
	struct str block = STR_NONE;
	bool first = true;
	int rc = OK;

	for (scan_open(&in, '['); rc == OK && scan_element(&in, &first); ) {
		struct str type, text;

		scan_value(&in, &block);
		type = scan_find(block, S("type"));
		text = scan_find(block, S("text"));
		if (str_eq(type, S("\"text\"")) && text.n >= 2 && text.p[0] == '"')
			rc = tell_text(s, str_sub(text, 1, text.n - 2));
	}
	return rc;
}

static void
read_function(struct scan *in, struct str *name, struct str *args)
{
	struct str key, skipped;
	bool first = true;

	for (scan_open(in, '{'); scan_member(in, &first, &key); ) {
		if (SCAN_IS(key, "name"))
			*name = scan_text(in);
		else if (SCAN_IS(key, "arguments"))
			*args = scan_text(in);
		else
			scan_value(in, &skipped);
	}
}

/* Ids and names count once; readers would join what is told again. */
static void
first_time(struct buf *have, struct str *raw)
{
	if (have->n > 0)
		*raw = STR_NONE;
	else
		buf_add(have, *raw);
}

/* One element of delta.tool_calls. */
static int
tell_fragment(struct openai_stream *s, struct scan *in, struct failure *f)
{
	struct llm_delta d = { .kind = LLM_DELTA_TOOL };
	struct result_call *c;
	struct str key, skipped;
	bool first = true;
	int64_t wire = 0;

	for (scan_open(in, '{'); scan_member(in, &first, &key); ) {
		if (SCAN_IS(key, "index"))
			wire = scan_int(in, 0);
		else if (SCAN_IS(key, "id"))
			d.id_raw = scan_text(in);
		else if (SCAN_IS(key, "function") && scan_peek(in) == '{')
			read_function(in, &d.name_raw, &d.args_raw);
		else
			scan_value(in, &skipped);
	}
	if (wire < 0 || wire > INT32_MAX)
		wire = 0;
	c = result_call_for(s->result, wire, d.id_raw);
	if (c == NULL) {
		failure_set(f, FAULT_BACKEND, false,
		    "the model asked for more than %d tool calls at once",
		    LIMIT_TOOL_CALLS);
		return ERR_LIMIT;
	}
	first_time(&c->id_raw, &d.id_raw);
	first_time(&c->name_raw, &d.name_raw);
	buf_add(&c->args_raw, d.args_raw);
	d.index = c->index;
	return tell(s, &d);
}

static int
tell_tools(struct openai_stream *s, struct str tools, struct failure *f)
{
	struct scan in = scan_of(tools);
	struct str skipped;
	bool first = true;
	int rc = OK;

	for (scan_open(&in, '['); rc == OK && scan_element(&in, &first); ) {
		if (scan_peek(&in) == '{')
			rc = tell_fragment(s, &in, f);
		else
			scan_value(&in, &skipped);
	}
	return rc;
}

static int
tell_finish(struct openai_stream *s, struct str raw)
{
	struct llm_delta d = { .kind = LLM_DELTA_FINISH, .finish_raw = raw };

	if (s->finished)
		return OK;
	s->finished = true;
	buf_add(&s->finish_raw, raw);
	return tell(s, &d);
}

static int
tell_usage(struct openai_stream *s)
{
	struct llm_delta d = { .kind = LLM_DELTA_USAGE };

	if (s->usage_told || s->result->usage.n == 0)
		return OK;
	s->usage_told = true;
	d.usage_raw = buf_str(&s->result->usage);
	return tell(s, &d);
}

static int
chunk_tell(struct openai_stream *s, const struct chunk *c, struct failure *f)
{
	int rc = OK;

	if (c->error.n > 0) {
		failure_of_object(f, c->error);
		return ERR_IO;
	}
	buf_add(&s->result->reasoning_raw, c->reasoning);
	buf_add(&s->result->refusal_raw, c->refusal);
	if (c->usage.n > 0) {
		buf_clear(&s->result->usage);
		result_add_minified(&s->result->usage, c->usage);
	}
	if (!s->begun && (c->has_choice || c->usage.n > 0))
		rc = begin(s, c->id);
	if (rc == OK)
		rc = tell_text(s, c->content);
	if (rc == OK && c->blocks.n > 0)
		rc = tell_blocks(s, c->blocks);
	if (rc == OK && c->tools.n > 0)
		rc = tell_tools(s, c->tools, f);
	if (rc == OK && c->finish.n > 0)
		rc = tell_finish(s, c->finish);
	return rc;
}

/* ---- lines ---------------------------------------------------------------- */

static bool
is_ascii(struct str s)
{
	size_t i = 0;

	for (; s.n - i >= 8; i += 8) {
		uint64_t w;

		memcpy(&w, s.p + i, sizeof w);
		if ((w & UINT64_C(0x8080808080808080)) != 0)
			return false;
	}
	for (; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

static int
malformed(struct failure *f, struct str data)
{
	struct str head = words_cut(data, 80);

	failure_set(f, FAULT_BACKEND, false,
	    "the model's stream has a malformed chunk: %.*s", FMT(head));
	return ERR_SYNTAX;
}

static int
take_data(struct openai_stream *s, struct str data, struct failure *f)
{
	struct chunk c;

	if (str_eq(data, S("[DONE]"))) {
		s->done = true;
		return OK;
	}
	if (data.n == 0 || s->done)
		return OK;
	if (!chunk_read(data, &c) || (!is_ascii(data) && !str_is_utf8(data)))
		return malformed(f, data);
	return chunk_tell(s, &c, f);
}

static int
take_line(struct openai_stream *s, struct str line, struct failure *f)
{
	if (!s->bom_checked) {
		s->bom_checked = true;
		if (str_starts(line, S("\xef\xbb\xbf")))
			line = str_sub(line, 3, line.n);
	}
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (!str_starts(line, S("data:")))
		return OK;                   /* a comment, another field, a blank */
	return take_data(s, str_trim(str_sub(line, 5, line.n)), f);
}

/* The rest of a line that began in an earlier read. */
static int
take_joined(struct openai_stream *s, struct str rest, struct failure *f)
{
	int rc;

	buf_add(&s->line, rest);
	if (s->line.failed) {
		failure_set(f, FAULT_BACKEND, false,
		    "a line of the model's stream is longer than %d bytes",
		    LIMIT_LLM_LINE_BYTES);
		return ERR_TOOBIG;
	}
	rc = take_line(s, buf_str(&s->line), f);
	buf_clear(&s->line);
	return rc;
}

int
openai_stream_feed(struct openai_stream *s, struct str bytes, struct failure *f)
{
	int rc = OK;

	assert(!s->stopped);
	while (rc == OK && bytes.n > 0) {
		const char *nl = memchr(bytes.p, '\n', bytes.n);
		struct str line = { bytes.p, nl != NULL ? (size_t)(nl - bytes.p) : bytes.n };

		if (nl == NULL) {
			buf_add(&s->line, bytes);
			if (s->line.failed)
				return take_joined(s, STR_NONE, f);
			return OK;
		}
		rc = s->line.n > 0 ? take_joined(s, line, f) : take_line(s, line, f);
		bytes = str_sub(bytes, line.n + 1, bytes.n);
	}
	return rc;
}

int
openai_stream_end(struct openai_stream *s, struct failure *f)
{
	int rc = OK;

	assert(!s->stopped);
	if (s->line.n > 0)                   /* the last line has no newline */
		rc = take_joined(s, STR_NONE, f);
	if (rc == OK && !s->finished && !(s->done && s->begun)) {
		failure_set(f, FAULT_TRANSPORT, true, s->begun ?
		    "the model's stream was cut short" :
		    "the model's stream ended before it began");
		return ERR_CLOSED;
	}
	return rc == OK ? tell_usage(s) : rc;
}
