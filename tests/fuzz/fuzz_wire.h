/*
 * fuzz_wire.h - what comes from a model, for the provider FUZZED: as a stream, any
 * bytes, whole and cut (the first byte says how), must be told alike, and what is
 * accepted must become a well-formed message; as an answer in one piece, and as the
 * body of an error, they must be survived; as a stored message or a tool's schema
 * they must become a well-formed request, or be refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "llm/wire_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool
on_delta(void *ctx, const struct llm_delta *d)
{
	struct buf *log = ctx;

	buf_add_fmt(log, "%d %d", (int)d->kind, (int)d->index);
	buf_add(log, d->text_raw);
	if (!str_starts(d->id_raw, S("call_")))      /* ours differ each time */
		buf_add(log, d->id_raw);
	buf_add(log, d->name_raw);
	buf_add(log, d->args_raw);
	buf_add(log, d->finish_raw);
	buf_add(log, d->usage_raw);
	buf_add_char(log, '\n');
	return true;
}

/* Stored, it can be sent back. */
static void
check_request(struct str stored, struct str schema)
{
	const struct llm_target t = { .provider = &FUZZED, .name = S("m"),
	    .has = LLM_HAS_USUAL | LLM_HAS_REASONING };
	const struct llm_tool_spec tool = { S("f"), S("d"), schema };
	const struct llm_request rq = { .temperature = NAN, .messages = &stored,
	    .messages_n = 1, .tools = &tool, .tools_n = 1 };
	struct body b = { .text = BUF(64 * MB) };

	if (attempt_build(&b, &rq, &t, NULL) == OK) {
		assert(json_check(buf_str(&b.text), NULL) == OK);
		body_without(&b, 2 * QUIRK_TOOLS - 1);
		assert(json_check(buf_str(&b.text), NULL) == OK);
	}
	body_release(&b);
}

static void
check_message(const struct llm_result *r)
{
	struct result_built built;
	struct str json;

	if (result_build(r, FUZZED.name, &built, NULL) == OK) {
		json = built.answer.message_json;
		assert(json_check(json, NULL) == OK);
		assert(memchr(json.p, '\n', json.n) == NULL);
		assert(memchr(json.p, '\r', json.n) == NULL);
		for (size_t i = 0; i < built.answer.calls_n; i++)
			assert(json_check(built.answer.calls[i].args_json, NULL) == OK);
		check_request(json, S("{}"));
	}
	result_built_release(&built);
}

static void
read_whole(struct str bytes)
{
	struct buf log = BUF(64 * MB);
	struct decoder s;
	struct llm_result r;
	struct failure f;

	result_init(&r);
	decoder_init(&s, FUZZED.wire, &r, on_delta, &log);
	if (decoder_whole(&s, bytes, &f) == OK)
		check_message(&r);
	decoder_release(&s);
	buf_release(&log);
	failure_of_status(&f, 400, bytes);
	assert(f.kind < FAULTS);
	failure_redact(&f, S("data"));
	assert(strstr(f.e.text, "data") == NULL);
	result_release(&r);
	assert(quirks_said(400, bytes) < 2 * QUIRK_TOOLS);
	if (json_check(bytes, NULL) == OK)
		check_request(bytes, bytes);
}

static int
decode(struct str bytes, size_t step, struct buf *log)
{
	struct llm_result r;
	struct decoder s;
	struct failure f;
	int rc = OK;

	result_init(&r);
	decoder_init(&s, FUZZED.wire, &r, on_delta, log);
	for (size_t at = 0; at < bytes.n && rc == OK; at += step) {
		struct str piece = str_sub(bytes, at, step);
		char *copy = malloc(piece.n);

		memcpy(copy, piece.p, piece.n);
		rc = decoder_feed(&s, (struct str){ copy, piece.n }, &f);
		free(copy);
	}
	if (rc == OK)
		rc = decoder_end(&s, &f);
	if (rc == OK)
		check_message(&r);
	else
		buf_add(log, str_of(f.e.text));
	decoder_release(&s);
	result_release(&r);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf whole = BUF(64 * MB), cut = BUF(64 * MB);
	struct str bytes;
	int rc;

	if (n < 2)
		return 0;
	bytes = (struct str){ (const char *)data + 1, n - 1 };
	rc = decode(bytes, bytes.n, &whole);
	assert(decode(bytes, 1 + data[0] % 64, &cut) == rc);
	/* A generated id is the one thing that differs; it is not in the log. */
	assert(str_eq(buf_str(&whole), buf_str(&cut)));
	read_whole(bytes);
	buf_release(&whole);
	buf_release(&cut);
	return 0;
}
