/*
 * openai_stream.c - what a chunk of a chat completion says.
 *
 * A chunk is walked once without building a document (base/scan.h):
 * openai_chunk_read notes where the few members we know are, whatever their
 * order, then chunk_tell hands them out.
 *
 * What servers do differently, and what is made of it: `usage` in every chunk
 * (the last one counts); no id (we make one); tool fragments without index, id or
 * name (result.c says whose they are); arguments as an object; content as an array
 * of blocks; an error in the middle, however it is said.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "llm/openai_chunk_priv.h"
#include "llm/wire_priv.h"

/* ---- content as blocks ------------------------------------------------------ */

static int tell_blocks(struct decoder *s, struct str blocks,
    int (*tell_part)(struct decoder *s, struct str raw));

/* A thought: {"thinking":"..."} or {"thinking":[{"type":"text","text"}]}. */
static int
tell_thought(struct decoder *s, struct str block)
{
	struct str thinking = scan_find(block, S("thinking"));

	if (thinking.n > 0 && thinking.p[0] == '[')
		return tell_blocks(s, thinking, decoder_thought);
	return decoder_thought(s, inside_of(thinking));
}

/* Content as blocks: their texts, and what was thought.  Thoughts do not nest. */
static int
tell_blocks(struct decoder *s, struct str blocks,
    int (*tell_part)(struct decoder *s, struct str raw))
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
			rc = tell_part(s, inside_of(block));
		else if (str_eq(type, S("\"text\"")))
			rc = tell_part(s, inside_of(scan_find(block, S("text"))));
		else if (str_eq(type, S("\"thinking\"")) && tell_part == decoder_text)
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
		value = inside_of(value);
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
				f->of.id_raw = c == '"' ? inside_of(value) : value;
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
tell_fragment(struct decoder *s, struct scan *in, struct failure *f)
{
	struct fragment part = { .of = { .wire = -1, .chunk = s->chunk,
	    .alone = s->whole }, .args_made = BUF(LIMIT_LLM_BODY_BYTES) };
	const char *wrong = read_fragment(in, &part);
	int rc = wrong != NULL ? decoder_wrong(f, wrong) :
	    decoder_call(s, &part.of, part.args_raw, part.extra, f);

	buf_release(&part.args_made);
	return rc;
}

static int
tell_tools(struct decoder *s, struct str tools, struct failure *f)
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
			rc = decoder_wrong(f, "tool_calls[]");
	}
	return rc;
}

/* ---- the rest of a chunk -------------------------------------------------- */

static int
tell_finish(struct decoder *s, struct str raw, struct failure *f)
{
	if (str_eq(raw, S("error")) || str_eq(raw, S("network_error"))) {
		failure_set(f, FAULT_BACKEND, true,
		    "the model ended its answer with finish_reason \"%.*s\"", FMT(raw));
		return ERR_IO;
	}
	return decoder_finish(s, raw);
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
tell_more(struct decoder *s, const struct chunk *c, struct failure *f)
{
	const struct chunk_more *m = &c->more;
	int rc = OK;

	keep(s->result, m);
	if (!s->begun && (c->has_choice || m->usage.n > 0))
		rc = decoder_begin(s, c->id);
	if (rc == OK)
		rc = decoder_thought(s, m->reasoning);
	if (rc == OK)
		rc = decoder_text(s, c->content);
	if (rc == OK && m->blocks.n > 0)
		rc = tell_blocks(s, m->blocks, decoder_text);
	if (rc == OK && m->tools.n > 0)
		rc = tell_tools(s, m->tools, f);
	return rc;
}

static int
chunk_tell(struct decoder *s, const struct chunk *c, struct failure *f)
{
	int rc = OK;

	if (c->has_more && c->more.error.n > 0) {
		failure_of_object(f, c->more.error);
		return ERR_IO;
	}
	if (c->wrong != NULL)
		return decoder_wrong(f, c->wrong);
	if (s->result->model_raw.n == 0)
		buf_add(&s->result->model_raw, c->model);
	if (c->has_more)
		rc = tell_more(s, c, f);
	else if (!s->begun && c->has_choice)
		rc = decoder_begin(s, c->id);
	if (rc == OK && !c->has_more)
		rc = decoder_text(s, c->content);
	if (rc == OK && c->finish.n > 0)
		rc = tell_finish(s, c->finish, f);
	else if (!c->has_more)
		decoder_alone(s, c->content, false);
	return rc;
}

int
openai_take(struct decoder *s, struct str data, struct failure *f)
{
	struct chunk c;

	return openai_chunk_read(data, &c) ? chunk_tell(s, &c, f) : ERR_AGAIN;
}

int
openai_take_whole(struct decoder *s, struct str body, struct failure *f)
{
	struct chunk c;

	if (!openai_chunk_read(body, &c))
		return ERR_AGAIN;
	if ((!c.has_more || c.more.error.n == 0) && c.wrong == NULL && !c.has_message) {
		failure_set(f, FAULT_BACKEND, false,
		    "the model's answer has no choices[0].message");
		return ERR_SYNTAX;
	}
	return chunk_tell(s, &c, f);
}
