/*
 * fuzz_openai.c - bodies of OpenAI's interface, as far as they are read without a
 * server; and frames of a run, as far as they are heard.
 *
 * A body that begins with `event:` is frames.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>

#include "api/hear.h"
#include "api/openai_response.h"

static size_t told;

static void
on_message(void *ctx, struct str id)
{
	(void)ctx;
	told += id.n;
}

static void
hear(struct str text)
{
	struct hearing h = { .message = on_message, .text = on_message };

	hearing_init(&h, NULL);
	hearing_take(&h, text);
	hearing_end(&h);
	hearing_release(&h);
}

static void
read_body(struct call *c, unsigned where)
{
	static const char *const tokens[] = { "max_tokens", "max_completion_tokens", NULL };
	struct buf b = BUF(64 * KB);
	struct uuid thread;

	openai_check(c, where);
	(void)openai_metadata(c, where == OPENAI_CHAT ? &thread : NULL);
	openai_add_config(c, &b, tokens, "instructions");
	if (where == OPENAI_CHAT)
		openai_check_messages(c, "messages", fields_any(c->in, "messages"));
	else
		openai_add_input(c, &b);
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n };
	struct json_doc doc = { 0 };
	struct buf b = BUF(64 * KB);
	struct err e;

	if (str_starts(text, S("event:"))) {
		hear(text);
		return 0;
	}
	for (unsigned where = OPENAI_CHAT; where <= OPENAI_RESPONSES; where++) {
		struct http_req r = { .arena = ARENA(256 * KB) };
		struct call c = { .r = &r };
		struct fields in;

		if (json_parse(&doc, text, &e) == OK) {
			fields_open(&in, doc.root, "body", &c.err);
			c.in = &in;
			read_body(&c, where);
			buf_clear(&b);
			openai_add_error(&b, 422, str_of(c.err.text));
		}
		json_release(&doc);
		arena_release(&r.arena);
	}
	door_add_questions(&b, text);
	buf_release(&b);
	return 0;
}
