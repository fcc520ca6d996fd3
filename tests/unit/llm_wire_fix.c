/*
 * llm_wire_fix.c - see llm_wire_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "llm_wire_fix.h"

static struct str
text(const char *s)
{
	return s != NULL ? str_of(s) : STR_NONE;
}

struct str
wire_built(const struct built_from *from, struct body *b)
{
	static char words[sizeof ((struct err *)0)->text];
	const struct llm_target t = { .provider = from->provider,
	    .name = str_of(from->model != NULL ? from->model : "m"),
	    .has = from->has != 0 ? from->has : LLM_HAS_USUAL };
	struct llm_tool_spec tool = { S("f"), S("d"), text(from->tool_schema) };
	struct str list[COUNT(from->messages)];
	struct llm_request rq = { .temperature = NAN, .messages = list,
	    .system_prompt = text(from->system), .tools = &tool,
	    .tools_n = from->tool_schema != NULL, .tool_choice = text(from->choice),
	    .output_schema_json = text(from->schema), .max_tokens = from->max_tokens,
	    .stream = from->stream };
	struct err e = { 0 };

	while (rq.messages_n < COUNT(list) && from->messages[rq.messages_n] != NULL) {
		list[rq.messages_n] = str_of(from->messages[rq.messages_n]);
		rq.messages_n++;
	}
	*b = (struct body){ .text = BUF(MB) };
	if (attempt_build(b, &rq, &t, &e) != OK) {
		snprintf(words, sizeof words, "%s", e.text);
		return str_of(words);
	}
	if (json_check(buf_str(&b->text), &e) != OK)
		test_fail(__FILE__, __LINE__, "%s: %.*s", e.text, FMT(buf_str(&b->text)));
	return buf_str(&b->text);
}

static bool
on_delta(void *ctx, const struct llm_delta *d)
{
	static const char *const names[] = { "start", "text", "think", "tool", "finish",
	    "usage" };
	struct buf *log = ctx;

	buf_add_fmt(log, "%s", names[d->kind]);
	if (d->kind == LLM_DELTA_START)
		buf_add_fmt(log, " %.*s", str_starts(d->id, S("run-")) ? 4 : (int)d->id.n,
		    d->id.p);
	if (d->kind == LLM_DELTA_TOOL)
		buf_add_fmt(log, " %d %.*s", (int)d->index,
		    FMT(str_starts(d->id_raw, S("call_")) ? S("ours") : d->id_raw));
	buf_add_fmt(log, " %.*s%.*s%.*s%.*s", FMT(d->text_raw), FMT(d->name_raw),
	    FMT(d->args_raw), FMT(d->finish_raw));
	if (d->extra.n > 0)
		buf_add_fmt(log, " %.*s", FMT(d->extra));
	buf_add_char(log, '\n');
	return true;
}

static int
decode(struct decoder *s, struct str bytes, size_t step, struct failure *f)
{
	int rc = OK;

	if (step == 0)
		return decoder_whole(s, bytes, f);
	for (size_t at = 0; rc == OK && at < bytes.n; at += step) {
		struct str piece = str_sub(bytes, at, step);
		char *copy = malloc(piece.n);

		memcpy(copy, piece.p, piece.n);
		rc = decoder_feed(s, (struct str){ copy, piece.n }, f);
		free(copy);
	}
	return rc == OK ? decoder_end(s, f) : rc;
}

struct told
wire_told(const struct provider *p, struct str bytes, size_t step, bool by_tool)
{
	struct told t = { .log = BUF(MB), .message = BUF(MB) };
	struct result_built built;
	struct llm_result r;
	struct decoder s;

	result_init(&r);
	decoder_init(&s, p->wire, &r, on_delta, &t.log);
	s.by_tool = by_tool;
	t.rc = decode(&s, bytes, step, &t.failure);
	if (t.rc == OK) {
		CHECK_RC(result_build(&r, p->name, &built, NULL), OK);
		CHECK_RC(json_check(built.answer.message_json, NULL), OK);
		buf_add(&t.message, built.answer.message_json);
		result_built_release(&built);
	} else {
		buf_add_fmt(&t.log, "%s %s\n", failure_event(t.failure.kind), t.failure.e.text);
	}
	decoder_release(&s);
	result_release(&r);
	return t;
}

void
told_release(struct told *t)
{
	buf_release(&t->log);
	buf_release(&t->message);
}

void
wire_check_alike(const struct provider *p, const char *stream)
{
	struct told whole = wire_told(p, str_of(stream), strlen(stream), false);

	for (size_t step = 1; step < 40; step++) {
		struct told cut = wire_told(p, str_of(stream), step, false);

		CHECK_INT(cut.rc, whole.rc);
		CHECK_STR(buf_str(&cut.log), whole.log.p);
		told_release(&cut);
	}
	told_release(&whole);
}
