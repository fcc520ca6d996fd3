/*
 * decoder.c - a model's answer, decoded as it arrives: lines, events, and telling
 * what a wire found in them.
 *
 * Bytes come cut anywhere.  A line that is whole within one read is decoded
 * where it lies; only the head of a cut line is kept.  An answer in one piece is
 * a stream of one event.
 *
 * What servers do differently, and what is made of it: CRLF, or CR alone; a
 * byte order mark; comments; fields other than data; an event in several data
 * lines; bytes that are not UTF-8 (U+FFFD); an event called error; the end without
 * its mark (fine after a reason to finish, else the answer was cut short).  All of
 * it is found out where the common way fails, so that way stays as it is.
 *
 * Events of an answer mostly differ in one text alone.  The last one is remembered
 * around that text, and one that is alike is told after two comparisons.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "llm/wire_priv.h"

#define LIKE_MAX ((size_t)2 * KB)            /* of an event that is remembered */

void
decoder_init(struct decoder *s, const struct wire *wire, struct llm_result *r,
    bool (*emit)(void *ctx, const struct llm_delta *d), void *ctx)
{
	*s = (struct decoder){
		.wire = wire, .result = r, .emit = emit, .ctx = ctx,
		.text = { .kind = LLM_DELTA_TEXT },
		.input_of = -1, .input = BUF(LIMIT_LLM_LINE_BYTES),
		.line = BUF(LIMIT_LLM_LINE_BYTES),
		.event = BUF(LIMIT_LLM_LINE_BYTES),
		.mended = BUF(3 * (size_t)LIMIT_LLM_BODY_BYTES),
		.like = BUF(LIMIT_LLM_LINE_BYTES),
	};
}

static void
check_decoder(const struct decoder *s)
{
	assert(s->wire != NULL && s->result != NULL && s->emit != NULL && !s->stopped);
	assert(s->eol == '\0' || s->eol == '\n' || s->eol == '\r');
	assert(s->begun || !s->finished);
}

void
decoder_release(struct decoder *s)
{
	buf_release(&s->line);
	buf_release(&s->event);
	buf_release(&s->mended);
	buf_release(&s->like);
	buf_release(&s->input);
}

/* ---- telling ---------------------------------------------------------------- */

int
decoder_tell(struct decoder *s, struct llm_delta *d)
{
	d->id = buf_str(&s->result->id);
	if (s->emit(s->ctx, d))
		return OK;
	s->stopped = true;
	return ERR_CANCELLED;
}

int
decoder_begin(struct decoder *s, struct str id_raw)
{
	struct llm_delta d = { .kind = LLM_DELTA_START };

	s->begun = true;
	if (json_unescape(id_raw, &s->result->id) != OK)
		buf_clear(&s->result->id);
	result_need_id(s->result);
	return decoder_tell(s, &d);
}

int
decoder_text(struct decoder *s, struct str raw)
{
	if (raw.n == 0)
		return OK;
	buf_add(&s->result->content_raw, raw);
	s->text.text_raw = raw;
	return decoder_tell(s, &s->text);
}

int
decoder_thought(struct decoder *s, struct str raw)
{
	struct llm_delta d = { .kind = LLM_DELTA_REASONING, .text_raw = raw };

	if (raw.n == 0)
		return OK;
	buf_add(&s->result->reasoning_raw, raw);
	return decoder_tell(s, &d);
}

int
decoder_finish(struct decoder *s, struct str raw)
{
	struct llm_delta d = { .kind = LLM_DELTA_FINISH, .finish_raw = raw,
	    .model_raw = buf_str(&s->result->model_raw) };

	if (s->finished)
		return OK;
	s->finished = true;
	buf_add(&s->result->finish_raw, raw);
	return decoder_tell(s, &d);
}

int
decoder_call(struct decoder *s, const struct result_fragment *part, struct str args_raw,
    struct str extra, struct failure *f)
{
	struct llm_delta d = { .kind = LLM_DELTA_TOOL, .id_raw = part->id_raw,
	    .name_raw = part->name_raw, .args_raw = args_raw };
	struct result_call *c = result_call_for(s->result, part);

	if (c == NULL) {
		failure_set(f, FAULT_BACKEND, false,
		    "the model asked for more than %d tool calls at once",
		    LIMIT_TOOL_CALLS);
		return ERR_LIMIT;
	}
	result_call_add(s->result, c, &d.id_raw, &d.name_raw, args_raw);
	if (s->by_tool && str_eq(buf_str(&c->name_raw), S(OUTPUT_TOOL))) {
		c->output = true;            /* a text as JSON is that text in a string */
		return decoder_text(s, args_raw);
	}
	if (extra.n > 0) {
		buf_clear(&c->extra);
		result_add_minified(&c->extra, extra);
		d.extra = buf_str(&c->extra);
	}
	d.index = c->index;
	return decoder_tell(s, &d);
}

static int
tell_usage(struct decoder *s)
{
	struct llm_delta d = { .kind = LLM_DELTA_USAGE };

	if (s->wire->settle != NULL)
		s->wire->settle(s);
	if (s->usage_told || s->result->usage.n == 0)
		return OK;
	s->usage_told = true;
	d.usage_raw = buf_str(&s->result->usage);
	return decoder_tell(s, &d);
}

int
decoder_wrong(struct failure *f, const char *what)
{
	failure_set(f, FAULT_BACKEND, false,
	    "the model's answer is malformed: %s is of the wrong type", what);
	return ERR_SYNTAX;
}

/* ---- events ----------------------------------------------------------------- */

static struct str
mended(struct decoder *s, struct str text)
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
event_end(struct decoder *s, struct failure *f)
{
	int rc;

	s->error = false;
	if (s->event.n == 0)
		return OK;
	s->chunk++;
	rc = s->wire->take(s, mended(s, buf_str(&s->event)), f);
	if (rc == ERR_AGAIN)
		rc = malformed(f, mended(s, buf_str(&s->event)));
	buf_clear(&s->event);
	buf_clear(&s->like);                 /* it was another event that set it */
	return rc;
}

void
decoder_alone(struct decoder *s, struct str raw, bool thought)
{
	s->alone = raw;
	s->alone_thought = thought;
}

static void
learn(struct decoder *s, struct str data)
{
	struct str text = s->alone;

	buf_clear(&s->like);
	if (text.n == 0 || data.n > LIKE_MAX || text.p < data.p ||
	    text.p > data.p + data.n)
		return;                      /* the last: it was mended */
	s->like_thought = s->alone_thought;
	s->like_at = (size_t)(text.p - data.p);
	buf_add(&s->like, str_sub(data, 0, s->like_at));
	buf_add(&s->like, str_sub(data, s->like_at + text.n, data.n));
}

/* Is data an event as the last one, but for its text? */
static bool
is_like(const struct decoder *s, struct str data, struct str *text)
{
	struct str like = buf_str(&s->like);
	size_t tail = like.n - s->like_at;
	struct scan in;

	if (like.n == 0 || data.n < like.n ||
	    memcmp(data.p, like.p, s->like_at) != 0 ||
	    memcmp(data.p + data.n - tail, like.p + s->like_at, tail) != 0)
		return false;
	in = scan_of(str_sub(data, s->like_at - 1, data.n));
	return scan_string(&in, text) && text->n == data.n - like.n &&
	    str_is_utf8(*text);
}

/* Data that is a whole event is told at once; else it waits for the other
 * lines of its event. */
static int
take_data(struct decoder *s, struct str data, struct failure *f)
{
	struct str text;
	int rc;

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
	if (s->event.n == 0 && is_like(s, data, &text)) {
		s->chunk++;
		return s->like_thought ? decoder_thought(s, text) : decoder_text(s, text);
	}
	if (s->event.n == 0) {
		s->chunk++;
		s->alone = STR_NONE;
		rc = s->wire->take(s, mended(s, data), f);
		if (rc != ERR_AGAIN) {
			if (rc == OK)
				learn(s, data);
			return rc;
		}
	}
	if (s->event.n > 0)
		buf_add_char(&s->event, '\n');
	buf_add(&s->event, data);
	return s->event.failed ? malformed(f, data) : OK;
}

static int
take_line(struct decoder *s, struct str line, struct failure *f)
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
take_joined(struct decoder *s, struct str rest, struct failure *f)
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
take_lines(struct decoder *s, struct str bytes, struct failure *f)
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
find_eol(struct decoder *s, struct str bytes, struct failure *f)
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
decoder_feed(struct decoder *s, struct str bytes, struct failure *f)
{
	check_decoder(s);
	assert(!s->whole);
	if (bytes.n == 0)
		return OK;
	return s->eol != '\0' ? take_lines(s, bytes, f) : find_eol(s, bytes, f);
}

int
decoder_end(struct decoder *s, struct failure *f)
{
	int rc = OK;

	check_decoder(s);
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
decoder_whole(struct decoder *s, struct str body, struct failure *f)
{
	struct str text = mended(s, str_trim(body));
	int rc;

	check_decoder(s);
	assert(!s->begun && s->line.n == 0);
	s->whole = true;
	if (str_starts(text, S("\xef\xbb\xbf")))
		text = str_sub(text, 3, text.n);
	if (str_starts(text, S("<"))) {
		failure_set(f, FAULT_BACKEND, false, "the model's server answers with a "
		    "web page, not with JSON; is the base URL right?");
		return ERR_SYNTAX;
	}
	rc = s->wire->take_whole(s, text, f);
	if (rc == ERR_AGAIN) {
		struct str head = str_cut(text, 80);
		struct err e;

		failure_set(f, FAULT_BACKEND, false, "the model's answer is not JSON: %s: "
		    "%.*s", json_check(text, &e) != OK ? e.text : "not one object",
		    FMT(head));
		return ERR_SYNTAX;
	}
	return rc == OK ? tell_usage(s) : rc;
}
