/*
 * gemini_stream.c - what a chunk of generateContent says; an answer in one piece is
 * one such chunk, or a list of them.
 *
 * A chunk is walked once without building a document.  Its parts are told in order:
 * thoughts, texts, calls, which are whole.  A signature belongs to the part that it
 * came with: of a call it goes with the call, of a text it ends the block of text;
 * the last one of a stream often comes with an empty text.
 *
 * What servers do differently: a call told again without its signature (it is
 * dropped); a reason to finish in every chunk; an error in a list; the end of an
 * answer that was blocked, or whose call was malformed, with nothing in it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "base/limits.h"
#include "llm/gemini_priv.h"

/* ---- a part ---------------------------------------------------------------------- */

/* Spans of one part: whole values; n 0 when absent. */
struct part {
	struct str text, call, signature;
	bool thought;
};

static void
part_read(struct scan *in, struct part *p)
{
	struct str key, value = STR_NONE;
	bool first = true;

	*p = (struct part){ 0 };
	for (scan_open(in, '{'); scan_member(in, &first, &key) && scan_value(in, &value); ) {
		if (SCAN_IS(key, "text"))
			p->text = inside_of(value);
		else if (SCAN_IS(key, "functionCall") && value.p[0] == '{')
			p->call = value;
		else if (SCAN_IS(key, "thoughtSignature") || SCAN_IS(key, "thought_signature"))
			p->signature = inside_of(value);
		else if (SCAN_IS(key, "thought"))
			p->thought = value.p[0] == 't';
	}
}

/* The same call was told before. */
static bool
is_known(const struct llm_result *r, struct str id_raw)
{
	for (size_t i = 0; id_raw.n > 0 && i < r->calls_n; i++)
		if (str_eq(buf_str(&r->calls[i].id_raw), id_raw))
			return true;
	return false;
}

static int
tell_call(struct decoder *s, const struct part *p, struct failure *f)
{
	const struct result_fragment part = { .wire = -1, .chunk = s->chunk, .alone = true,
	    .id_raw = inside_of(scan_find(p->call, S("id"))),
	    .name_raw = inside_of(scan_find(p->call, S("name"))) };
	struct str args = scan_find(p->call, S("args"));
	struct buf line = BUF(LIMIT_LLM_LINE_BYTES), raw = BUF(LIMIT_LLM_BODY_BYTES);
	struct buf extra = BUF(LIMIT_LLM_LINE_BYTES);
	int rc = OK;

	if (!is_known(s->result, part.id_raw)) {
		result_add_minified(&line, args.n > 0 && args.p[0] == '{' ? args : S("{}"));
		json_add_escaped(&raw, buf_str(&line));
		if (p->signature.n > 0)
			json_add_fmt(&extra, "{'google':{'thought_signature':'%-.*s'}}",
			    FMT(p->signature));
		rc = decoder_call(s, &part, buf_str(&raw), buf_str(&extra), f);
	}
	buf_release(&line);
	buf_release(&raw);
	buf_release(&extra);
	return rc;
}

/* A block of text ends where it is signed. */
static int
tell_text(struct decoder *s, const struct part *p, struct failure *f)
{
	struct llm_result *r = s->result;
	struct result_block *b = r->blocks_n > 0 ? &r->blocks[r->blocks_n - 1] : NULL;

	if (p->text.n == 0 && p->signature.n == 0)
		return OK;
	if (b == NULL || b->kind != BLOCK_TEXT || b->seal_raw.n > 0)
		b = result_block_add(r, BLOCK_TEXT);
	if (b == NULL) {
		failure_set(f, FAULT_BACKEND, false, "the model's answer has more than %d "
		    "signed parts", LIMIT_LLM_BLOCKS);
		return ERR_LIMIT;
	}
	buf_add(&b->seal_raw, p->signature);
	return decoder_text(s, p->text);
}

static int
tell_part(struct decoder *s, const struct part *p, struct failure *f)
{
	if (p->call.n > 0)
		return tell_call(s, p, f);
	return p->thought ? decoder_thought(s, p->text) : tell_text(s, p, f);
}

static int
tell_parts(struct decoder *s, struct str parts, struct failure *f)
{
	struct scan in = scan_of(parts);
	struct str skipped;
	struct part p;
	bool first = true;
	int rc = OK;

	if (scan_peek(&in) != '[')
		return decoder_wrong(f, "candidates[0].content.parts");
	for (scan_open(&in, '['); rc == OK && scan_element(&in, &first); ) {
		if (scan_peek(&in) != '{') {
			scan_value(&in, &skipped);
			continue;
		}
		part_read(&in, &p);
		rc = tell_part(s, &p, f);
	}
	return rc;
}

/* ---- why it ended ------------------------------------------------------------------ */

/* Endings that are no answer, if there was none before. */
static const struct {
	struct str reason;
	enum llm_fault kind;
	bool transient;
	const char *words;
} endings[] = {
	{ S("MALFORMED_FUNCTION_CALL"), FAULT_BACKEND, true, "a call of a tool was malformed" },
	{ S("UNEXPECTED_TOOL_CALL"), FAULT_BACKEND, true, "it called a tool that there is not" },
	{ S("TOO_MANY_TOOL_CALLS"), FAULT_BACKEND, false, "it called too many tools" },
	{ S("MISSING_THOUGHT_SIGNATURE"), FAULT_INVALID_REQUEST, false,
	    "a call was sent back without its signature" },
	{ S("OTHER"), FAULT_BACKEND, true, "the model's server does not say why" },
	{ S("SAFETY"), FAULT_INVALID_REQUEST, false, "it was blocked" },
	{ S("RECITATION"), FAULT_INVALID_REQUEST, false, "it was blocked" },
	{ S("LANGUAGE"), FAULT_INVALID_REQUEST, false, "it was blocked" },
	{ S("BLOCKLIST"), FAULT_INVALID_REQUEST, false, "it was blocked" },
	{ S("PROHIBITED_CONTENT"), FAULT_INVALID_REQUEST, false, "it was blocked" },
	{ S("SPII"), FAULT_INVALID_REQUEST, false, "it was blocked" },
	{ S("IMAGE_SAFETY"), FAULT_INVALID_REQUEST, false, "it was blocked" },
};

static int
blocked(struct str feedback, struct failure *f)
{
	struct str reason = inside_of(scan_find(feedback, S("blockReason")));
	struct str words = inside_of(scan_find(feedback, S("blockReasonMessage")));

	failure_set(f, FAULT_INVALID_REQUEST, false, "the prompt was blocked: %.*s%s%.*s",
	    FMT(reason), words.n > 0 ? ": " : "", FMT(words));
	return ERR_INVALID;
}

/* ---- a chunk ----------------------------------------------------------------------- */

/* Spans of a chunk: whole values; n 0 when absent. */
struct chunk {
	struct str parts, finish, usage, feedback, error, id, model;
};

static void
read_content(struct scan *in, struct chunk *c)
{
	struct str key, value = STR_NONE;
	bool first = true;

	if (scan_peek(in) != '{') {
		scan_value(in, &value);
		return;
	}
	for (scan_open(in, '{'); scan_member(in, &first, &key) && scan_value(in, &value); )
		if (SCAN_IS(key, "parts"))
			c->parts = value;
}

static void
read_candidate(struct scan *in, struct chunk *c)
{
	struct str key, value = STR_NONE;
	bool first = true;

	for (scan_open(in, '{'); scan_member(in, &first, &key); ) {
		if (SCAN_IS(key, "content"))
			read_content(in, c);
		else if (scan_value(in, &value) && SCAN_IS(key, "finishReason"))
			c->finish = inside_of(value);
	}
	if (str_eq(c->finish, S("FINISH_REASON_UNSPECIFIED")))
		c->finish = STR_NONE;
}

/* Only the first is ours: we never ask for more. */
static void
read_candidates(struct scan *in, struct chunk *c)
{
	struct str value = STR_NONE;
	bool first = true, chosen = false;

	if (scan_peek(in) != '[') {
		scan_value(in, &value);
		return;
	}
	for (scan_open(in, '['); scan_element(in, &first); chosen = true) {
		if (!chosen && scan_peek(in) == '{')
			read_candidate(in, c);
		else
			scan_value(in, &value);
	}
}

static bool
chunk_read(struct str data, struct chunk *c)
{
	struct scan in = scan_of(data);
	struct str key, value = STR_NONE;
	bool first = true;

	*c = (struct chunk){ 0 };
	if (scan_peek(&in) == '[') {         /* an error may come in a list */
		scan_value(&in, &c->error);
		return scan_end(&in);
	}
	for (scan_open(&in, '{'); scan_member(&in, &first, &key); ) {
		if (SCAN_IS(key, "candidates")) {
			read_candidates(&in, c);
			continue;
		}
		if (!scan_value(&in, &value) || value.p[0] == 'n')
			continue;
		if (SCAN_IS(key, "usageMetadata"))
			c->usage = value;
		else if (SCAN_IS(key, "promptFeedback"))
			c->feedback = value;
		else if (SCAN_IS(key, "error"))
			c->error = value;
		else if (SCAN_IS(key, "responseId"))
			c->id = inside_of(value);
		else if (SCAN_IS(key, "modelVersion"))
			c->model = inside_of(value);
	}
	return scan_end(&in);
}

/* What was said before the end is kept, with the reason.  An ending that is asked
 * again has not begun. */
static int
tell_finish(struct decoder *s, const struct chunk *c, struct failure *f)
{
	struct str reason = c->finish;
	bool empty = s->result->content_raw.n == 0 && s->result->calls_n == 0;

	for (size_t i = 0; empty && i < COUNT(endings); i++) {
		if (!str_eq(reason, endings[i].reason))
			continue;
		failure_set(f, endings[i].kind, endings[i].transient,
		    "the model ended its answer with %.*s: %s", FMT(reason), endings[i].words);
		return failure_rc(f->kind);
	}
	if (!s->begun && decoder_begin(s, c->id) != OK)
		return ERR_CANCELLED;
	return decoder_finish(s, reason);
}

static int
tell_chunk(struct decoder *s, const struct chunk *c, struct failure *f)
{
	int rc = OK;

	if (c->error.n > 0) {
		failure_of_object(f, c->error);
		return ERR_IO;
	}
	if (c->feedback.n > 0 && scan_find(c->feedback, S("blockReason")).n > 0)
		return blocked(c->feedback, f);
	if (s->result->model_raw.n == 0)
		buf_add(&s->result->model_raw, c->model);
	if (c->usage.n > 0 && c->usage.p[0] == '{') {
		buf_clear(&s->input);        /* the last one counts; see gemini_settle */
		buf_add(&s->input, c->usage);
	}
	if (!s->begun && c->parts.n > 0)
		rc = decoder_begin(s, c->id);
	if (rc == OK && c->parts.n > 0)
		rc = tell_parts(s, c->parts, f);
	return rc == OK && c->finish.n > 0 ? tell_finish(s, c, f) : rc;
}

int
gemini_take(struct decoder *s, struct str data, struct failure *f)
{
	struct chunk c;

	return chunk_read(data, &c) ? tell_chunk(s, &c, f) : ERR_AGAIN;
}

/* A server that does not know of events answers with a list of chunks. */
static int
take_list(struct decoder *s, struct str list, struct failure *f)
{
	struct scan in = scan_of(list);
	struct str value = STR_NONE;
	bool first = true;
	int rc = OK;

	for (scan_open(&in, '['); rc == OK && scan_element(&in, &first) &&
	    scan_value(&in, &value); )
		rc = gemini_take(s, value, f);
	return rc;
}

int
gemini_take_whole(struct decoder *s, struct str body, struct failure *f)
{
	struct chunk c;
	int rc;

	if (!chunk_read(body, &c))
		return ERR_AGAIN;
	rc = str_starts(body, S("[")) ? take_list(s, body, f) : tell_chunk(s, &c, f);
	if (rc == OK && !s->begun) {
		failure_set(f, FAULT_BACKEND, false, "the model's answer has no candidates");
		return ERR_SYNTAX;
	}
	return rc;
}

/* ---- tokens ------------------------------------------------------------------------ */

static long long
count(struct str usage, const char *key)
{
	struct str raw = scan_find(usage, str_of(key));
	double v;

	if (raw.n == 0 || !str_to_double(raw, &v) || !(v >= 0))
		return 0;
	return v > LLM_COUNT_MAX ? LLM_COUNT_MAX : (long long)v;
}

/* The API's words, and those that the rest of the program reads.  Its tokens of the
 * answer are without those of thoughts. */
void
gemini_settle(struct decoder *s)
{
	struct str usage = buf_str(&s->input);
	struct buf *b = &s->result->usage;
	long long in = count(usage, "promptTokenCount") + count(usage, "toolUsePromptTokenCount");
	long long thoughts = count(usage, "thoughtsTokenCount");
	long long out = count(usage, "candidatesTokenCount") + thoughts;

	if (usage.n == 0)
		return;
	buf_clear(b);
	result_add_minified(b, usage);
	if (b->n == 0 || b->failed)
		return;
	buf_cut(b, b->n - 1);
	json_add_fmt(b, ",'prompt_tokens':%lld,'completion_tokens':%lld,'total_tokens':%lld,"
	    "'prompt_tokens_details':{'cached_tokens':%lld},'completion_tokens_details':"
	    "{'reasoning_tokens':%lld}}", in, out, in + out,
	    count(usage, "cachedContentTokenCount"), thoughts);
}
