/*
 * openai_stream.c - the model's stream of chunks, decoded as it arrives.
 *
 * Bytes come cut anywhere.  A line that is whole within one read is decoded
 * where it lies; only the head of a cut line is kept.  A chunk is walked once
 * without building a document (base/scan.h): openai_chunk_read notes where
 * the few members we know are, whatever their order, then chunk_tell hands
 * them out.  An answer in one piece is a stream of one chunk.
 *
 * What servers do differently, and what is made of it: CRLF, or CR alone; a
 * byte order mark; comments; fields other than data; an event in several data
 * lines; bytes that are not UTF-8 (U+FFFD); `usage` in every chunk (the last
 * one counts); no id (we make one); tool fragments without index, id or name
 * (result.c says whose they are); arguments as an object; content as an array
 * of blocks; an error in the middle, however it is said; the end without
 * [DONE] (fine after a finish_reason, else the answer was cut short).  All of
 * it is found out where the common way fails, so that way stays as it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "llm/llm_priv.h"
#include "llm/openai_chunk_priv.h"

#define LIKE_MAX ((size_t)2 * KB)            /* of a chunk that is remembered */

void
openai_stream_init(struct openai_stream *s, struct llm_result *r,
    bool (*emit)(void *ctx, const struct llm_delta *d), void *ctx)
{
	*s = (struct openai_stream){
		.result = r, .emit = emit, .ctx = ctx,
		.text = { .kind = LLM_DELTA_TEXT },
		.line = BUF(LIMIT_LLM_LINE_BYTES),
		.event = BUF(LIMIT_LLM_LINE_BYTES),
		.mended = BUF(3 * (size_t)LIMIT_LLM_BODY_BYTES),
		.like = BUF(LIMIT_LLM_LINE_BYTES),
	};
}

static void
check_stream(const struct openai_stream *s)
{
	assert(s->result != NULL && s->emit != NULL && !s->stopped);
	assert(s->eol == '\0' || s->eol == '\n' || s->eol == '\r');
	assert(s->begun || !s->finished);
}

void
openai_stream_release(struct openai_stream *s)
{
	buf_release(&s->line);
	buf_release(&s->event);
	buf_release(&s->mended);
	buf_release(&s->like);
}

/* ---- telling what was in a chunk ------------------------------------------ */

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
	if (raw.n == 0)
		return OK;
	buf_add(&s->result->content_raw, raw);
	s->text.text_raw = raw;
	return tell(s, &s->text);
}

static int
tell_reasoning(struct openai_stream *s, struct str raw)
{
	struct llm_delta d = { .kind = LLM_DELTA_REASONING, .text_raw = raw };

	if (raw.n == 0)
		return OK;
	buf_add(&s->result->reasoning_raw, raw);
	return tell(s, &d);
}

/* The inside of a text that is given as a whole value; STR_NONE if it is none. */
static struct str
inside(struct str value)
{
	return value.n >= 2 && value.p[0] == '"' ? str_sub(value, 1, value.n - 2) :
	    STR_NONE;
}

static int tell_blocks(struct openai_stream *s, struct str blocks,
    int (*tell_part)(struct openai_stream *s, struct str raw));

/* A thought: {"thinking":"..."} or {"thinking":[{"type":"text","text"}]}. */
static int
tell_thought(struct openai_stream *s, struct str block)
{
	struct str thinking = scan_find(block, S("thinking"));

	if (thinking.n > 0 && thinking.p[0] == '[')
		return tell_blocks(s, thinking, tell_reasoning);
	return tell_reasoning(s, inside(thinking));
}

/* Content as blocks: their texts, and what was thought.  Thoughts do not nest. */
static int
tell_blocks(struct openai_stream *s, struct str blocks,
    int (*tell_part)(struct openai_stream *s, struct str raw))
{
	struct scan in = scan_of(blocks);
	struct str block = STR_NONE;
	bool first = true;
	int rc = OK;

	for (scan_open(&in, '['); rc == OK && scan_element(&in, &first); ) {
		struct str type;

		scan_value(&in, &block);
		type = scan_find(block, S("type"));
		if (block.n > 0 && block.p[0] == '"')
			rc = tell_part(s, inside(block));
		else if (str_eq(type, S("\"text\"")))
			rc = tell_part(s, inside(scan_find(block, S("text"))));
		else if (str_eq(type, S("\"thinking\"")) && tell_part == tell_text)
			rc = tell_thought(s, block);
	}
	return rc;
}

/* ---- tool calls ----------------------------------------------------------- */

/* One element of tool_calls. */
struct fragment {
	struct result_fragment of;
	struct str args_raw;
	struct buf args_made;                /* when they were no text */
	struct str extra;
};

/* Arguments are a text of JSON; some servers send the JSON itself. */
static void
read_arguments(struct scan *in, struct fragment *f)
{
	struct str value = STR_NONE;
	struct buf line = BUF(LIMIT_LLM_LINE_BYTES);
	char c = scan_peek(in);

	if (c == '"' || c == 'n') {
		f->args_raw = scan_text(in);
		return;
	}
	if (!scan_value(in, &value))
		return;
	result_add_minified(&line, value);
	json_add_escaped(&f->args_made, buf_str(&line));
	f->args_raw = buf_str(&f->args_made);
	buf_release(&line);
}

static const char *
read_function(struct scan *in, struct fragment *f)
{
	struct str key, skipped;
	const char *wrong = NULL;
	bool first = true;

	for (scan_open(in, '{'); scan_member(in, &first, &key); ) {
		char c = scan_peek(in);

		if (SCAN_IS(key, "arguments"))
			read_arguments(in, f);
		else if (!SCAN_IS(key, "name"))
			scan_value(in, &skipped);
		else if (c == '"' || c == 'n')
			f->of.name_raw = scan_text(in);
		else if (scan_value(in, &skipped))
			wrong = "tool_calls[].function.name";
	}
	return wrong;
}

/* 0, and as some servers write it: "0", 0.0. */
static int64_t
read_index(struct scan *in)
{
	struct str value = STR_NONE;
	double v;

	if (!scan_value(in, &value))
		return -1;
	if (value.p[0] == '"')
		value = inside(value);
	return str_to_double(value, &v) && v >= 0 && v <= INT32_MAX ? (int64_t)v : -1;
}

/* What is of the wrong kind, or NULL. */
static const char *
read_fragment(struct scan *in, struct fragment *f)
{
	struct str key, value = STR_NONE;
	const char *wrong = NULL;
	bool first = true;

	for (scan_open(in, '{'); scan_member(in, &first, &key); ) {
		char c = scan_peek(in);

		if (SCAN_IS(key, "index")) {
			f->of.wire = read_index(in);
		} else if (SCAN_IS(key, "id")) {
			if (scan_value(in, &value) && c != 'n')
				f->of.id_raw = c == '"' ? inside(value) : value;
		} else if (SCAN_IS(key, "function") && c == '{') {
			wrong = read_function(in, f);
		} else {
			scan_value(in, &value);
			if (SCAN_IS(key, "extra_content") && c == '{')
				f->extra = value;
			else if (SCAN_IS(key, "function") && c != 'n')
				wrong = "tool_calls[].function";
		}
	}
	return wrong;
}

static int
wrong_kind(struct failure *f, const char *what)
{
	failure_set(f, FAULT_BACKEND, false,
	    "the model's answer is malformed: %s is of the wrong type", what);
	return ERR_SYNTAX;
}

static int
tell_fragment(struct openai_stream *s, struct scan *in, struct failure *f)
{
	struct fragment part = { .of = { .wire = -1, .chunk = s->chunk,
	    .alone = s->whole }, .args_made = BUF(LIMIT_LLM_BODY_BYTES) };
	struct llm_delta d = { .kind = LLM_DELTA_TOOL };
	struct result_call *c;
	const char *wrong = read_fragment(in, &part);
	int rc;

	c = wrong == NULL ? result_call_for(s->result, &part.of) : NULL;
	if (c == NULL) {
		buf_release(&part.args_made);
		if (wrong != NULL)
			return wrong_kind(f, wrong);
		failure_set(f, FAULT_BACKEND, false,
		    "the model asked for more than %d tool calls at once",
		    LIMIT_TOOL_CALLS);
		return ERR_LIMIT;
	}
	d.id_raw = part.of.id_raw;
	d.name_raw = part.of.name_raw;
	d.args_raw = part.args_raw;
	result_call_add(s->result, c, &d.id_raw, &d.name_raw, d.args_raw);
	if (part.extra.n > 0) {
		buf_clear(&c->extra);
		result_add_minified(&c->extra, part.extra);
		d.extra = buf_str(&c->extra);
	}
	d.index = c->index;
	rc = tell(s, &d);
	buf_release(&part.args_made);
	return rc;
}

static int
tell_tools(struct openai_stream *s, struct str tools, struct failure *f)
{
	struct scan in = scan_of(tools);
	struct str skipped;
	bool first = true;
	int rc = OK;

	for (scan_open(&in, '['); rc == OK && scan_element(&in, &first); ) {
		char c = scan_peek(&in);

		if (c == '{')
			rc = tell_fragment(s, &in, f);
		else if (scan_value(&in, &skipped) && c != 'n')
			rc = wrong_kind(f, "tool_calls[]");
	}
	return rc;
}

/* ---- the rest of a chunk -------------------------------------------------- */

static int
tell_finish(struct openai_stream *s, struct str raw, struct failure *f)
{
	struct llm_delta d = { .kind = LLM_DELTA_FINISH, .finish_raw = raw,
	    .model_raw = buf_str(&s->result->model_raw) };

	if (str_eq(raw, S("error")) || str_eq(raw, S("network_error"))) {
		failure_set(f, FAULT_BACKEND, true,
		    "the model ended its answer with finish_reason \"%.*s\"", FMT(raw));
		return ERR_IO;
	}
	if (s->finished)
		return OK;
	s->finished = true;
	buf_add(&s->result->finish_raw, raw);
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

static void
add_details(struct llm_result *r, struct str details)
{
	struct scan in = scan_of(details);
	struct str detail = STR_NONE;
	bool first = true;

	for (scan_open(&in, '['); scan_element(&in, &first) && scan_value(&in, &detail); ) {
		if (r->details.n > 0)
			buf_add_char(&r->details, ',');
		result_add_minified(&r->details, detail);
	}
}

/* What is kept and not told. */
static void
keep(struct llm_result *r, const struct chunk_more *m)
{
	if (m->refusal.n > 0)
		buf_add(&r->refusal_raw, m->refusal);
	if (m->usage.n > 0) {
		buf_clear(&r->usage);
		result_add_minified(&r->usage, m->usage);
	}
	if (m->extra.n > 0) {
		buf_clear(&r->extra);
		result_add_minified(&r->extra, m->extra);
	}
	if (m->details.n > 0)
		add_details(r, m->details);
	r->named_reasoning |= m->named_reasoning;
}

/* A chunk that has more than a content. */
static int
tell_more(struct openai_stream *s, const struct chunk *c, struct failure *f)
{
	const struct chunk_more *m = &c->more;
	int rc = OK;

	keep(s->result, m);
	if (!s->begun && (c->has_choice || m->usage.n > 0))
		rc = begin(s, c->id);
	if (rc == OK)
		rc = tell_reasoning(s, m->reasoning);
	if (rc == OK)
		rc = tell_text(s, c->content);
	if (rc == OK && m->blocks.n > 0)
		rc = tell_blocks(s, m->blocks, tell_text);
	if (rc == OK && m->tools.n > 0)
		rc = tell_tools(s, m->tools, f);
	return rc;
}

static int
chunk_tell(struct openai_stream *s, const struct chunk *c, struct failure *f)
{
	int rc = OK;

	if (c->has_more && c->more.error.n > 0) {
		failure_of_object(f, c->more.error);
		return ERR_IO;
	}
	if (c->wrong != NULL)
		return wrong_kind(f, c->wrong);
	s->chunk++;
	if (s->result->model_raw.n == 0)
		buf_add(&s->result->model_raw, c->model);
	if (c->has_more)
		rc = tell_more(s, c, f);
	else if (!s->begun && c->has_choice)
		rc = begin(s, c->id);
	if (rc == OK && !c->has_more)
		rc = tell_text(s, c->content);
	if (rc == OK && c->finish.n > 0)
		rc = tell_finish(s, c->finish, f);
	return rc;
}

/* ---- events --------------------------------------------------------------- */

static struct str
mended(struct openai_stream *s, struct str text)
{
	if (str_is_utf8(text))
		return text;
	buf_clear(&s->mended);
	buf_add_mended(&s->mended, text);
	return buf_str(&s->mended);
}

static int
malformed(struct failure *f, struct str data)
{
	struct str head = str_cut(data, 80);

	failure_set(f, FAULT_BACKEND, false,
	    "the model's stream has a malformed chunk: %.*s", FMT(head));
	return ERR_SYNTAX;
}

/* The event is at its end: what its data lines were together. */
static int
event_end(struct openai_stream *s, struct failure *f)
{
	struct chunk c;
	int rc;

	s->error = false;
	if (s->event.n == 0)
		return OK;
	rc = openai_chunk_read(mended(s, buf_str(&s->event)), &c) ?
	    chunk_tell(s, &c, f) : malformed(f, mended(s, buf_str(&s->event)));
	buf_clear(&s->event);
	return rc;
}

/* Chunks of an answer mostly differ in their content alone. */
static void
learn(struct openai_stream *s, struct str data, const struct chunk *c)
{
	buf_clear(&s->like);
	if (c->content.n == 0 || c->has_more || c->finish.n > 0 || c->wrong != NULL ||
	    data.n > LIKE_MAX || c->content.p < data.p || c->content.p > data.p + data.n)
		return;                      /* the last: it was mended */
	s->like_at = (size_t)(c->content.p - data.p);
	buf_add(&s->like, str_sub(data, 0, s->like_at));
	buf_add(&s->like, str_sub(data, s->like_at + c->content.n, data.n));
}

/* Is data a chunk as the last one, but for its content? */
static bool
is_like(const struct openai_stream *s, struct str data, struct str *content)
{
	struct str like = buf_str(&s->like);
	size_t tail = like.n - s->like_at;
	struct scan in;

	if (like.n == 0 || data.n < like.n ||
	    memcmp(data.p, like.p, s->like_at) != 0 ||
	    memcmp(data.p + data.n - tail, like.p + s->like_at, tail) != 0)
		return false;
	in = scan_of(str_sub(data, s->like_at - 1, data.n));
	return scan_string(&in, content) && content->n == data.n - like.n &&
	    str_is_utf8(*content);
}

/* Data that is a whole chunk is told at once; else it waits for the other
 * lines of its event. */
static int
take_data(struct openai_stream *s, struct str data, struct failure *f)
{
	struct str content;
	struct chunk c;

	if (str_eq(data, S("[DONE]"))) {
		s->done = true;
		return event_end(s, f);
	}
	if (data.n == 0 || s->done)
		return OK;
	if (s->error) {
		failure_of_object(f, mended(s, data));
		return ERR_IO;
	}
	if (s->event.n == 0 && is_like(s, data, &content)) {
		s->chunk++;
		return tell_text(s, content);
	}
	if (s->event.n == 0 && openai_chunk_read(mended(s, data), &c)) {
		learn(s, data, &c);
		return chunk_tell(s, &c, f);
	}
	if (s->event.n > 0)
		buf_add_char(&s->event, '\n');
	buf_add(&s->event, data);
	return s->event.failed ? malformed(f, data) : OK;
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
	if (s->eol == '\r' && str_starts(line, S("\n")))
		line = str_sub(line, 1, line.n);
	if (str_starts(line, S("data:")))
		return take_data(s, str_trim(str_sub(line, 5, line.n)), f);
	if (line.n == 0)
		return event_end(s, f);
	if (str_starts(line, S("event:")))
		s->error = str_eq(str_trim(str_sub(line, 6, line.n)), S("error"));
	return OK;                           /* else a comment, another field */
}

/* ---- lines ---------------------------------------------------------------- */

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

static int
take_lines(struct openai_stream *s, struct str bytes, struct failure *f)
{
	int rc = OK;

	while (rc == OK && bytes.n > 0) {
		const char *nl = memchr(bytes.p, s->eol, bytes.n);
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

/* What ends lines here?  Told by the first end there is; a CR that is the last
 * byte so far may be half of one. */
static char
eol_of(struct str bytes)
{
	const char *cr = memchr(bytes.p, '\r', bytes.n);
	const char *lf = memchr(bytes.p, '\n', bytes.n);

	if (cr != NULL && cr + 1 < bytes.p + bytes.n && cr[1] != '\n' &&
	    (lf == NULL || cr < lf))
		return '\r';
	return lf != NULL ? '\n' : '\0';
}

static int
find_eol(struct openai_stream *s, struct str bytes, struct failure *f)
{
	struct buf head = s->line;
	int rc;

	if (head.n == 0) {
		s->eol = eol_of(bytes);
		if (s->eol != '\0')
			return take_lines(s, bytes, f);
	}
	buf_add(&head, bytes);
	s->line = head;
	if (s->line.failed)
		return take_joined(s, STR_NONE, f);
	/* A line's end is looked for in what is new and the byte before. */
	s->eol = eol_of(str_sub(buf_str(&head), head.n - bytes.n -
	    (head.n > bytes.n ? 1 : 0), head.n));
	if (s->eol == '\0')
		return OK;
	s->line = BUF(LIMIT_LLM_LINE_BYTES);
	rc = take_lines(s, buf_str(&head), f);
	buf_release(&head);
	return rc;
}

int
openai_stream_feed(struct openai_stream *s, struct str bytes, struct failure *f)
{
	check_stream(s);
	assert(!s->whole);
	if (bytes.n == 0)
		return OK;
	return s->eol != '\0' ? take_lines(s, bytes, f) : find_eol(s, bytes, f);
}

int
openai_stream_end(struct openai_stream *s, struct failure *f)
{
	int rc = OK;

	check_stream(s);
	if (s->line.n > 0)                   /* the last line has no newline */
		rc = take_joined(s, STR_NONE, f);
	if (rc == OK)
		rc = event_end(s, f);
	if (rc == OK && !s->finished && !(s->done && s->begun)) {
		failure_set(f, FAULT_TRANSPORT, true, s->begun ?
		    "the model's stream was cut short" :
		    "the model's stream ended before it began");
		return ERR_CLOSED;
	}
	return rc == OK ? tell_usage(s) : rc;
}

int
openai_stream_whole(struct openai_stream *s, struct str body, struct failure *f)
{
	struct str text = mended(s, str_trim(body));
	struct str head = str_cut(text, 80);
	struct chunk c;
	struct err e;
	int rc;

	check_stream(s);
	assert(!s->begun && s->line.n == 0);
	s->whole = true;
	if (str_starts(text, S("\xef\xbb\xbf")))
		text = str_sub(text, 3, text.n);
	if (str_starts(text, S("<"))) {
		failure_set(f, FAULT_BACKEND, false, "the model's server answers with a "
		    "web page, not with JSON; is the base URL right?");
		return ERR_SYNTAX;
	}
	if (!openai_chunk_read(text, &c)) {
		failure_set(f, FAULT_BACKEND, false, "the model's answer is not JSON: %s: "
		    "%.*s", json_check(text, &e) != OK ? e.text : "not one object",
		    FMT(head));
		return ERR_SYNTAX;
	}
	if ((!c.has_more || c.more.error.n == 0) && c.wrong == NULL && !c.has_message) {
		failure_set(f, FAULT_BACKEND, false,
		    "the model's answer has no choices[0].message");
		return ERR_SYNTAX;
	}
	rc = chunk_tell(s, &c, f);
	return rc == OK ? tell_usage(s) : rc;
}
