/*
 * api_fields.c - what is refused, what is ignored, and the words for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "api/fields.h"

static int
check(const char *body, unsigned where, struct err *e)
{
	struct json_doc doc;
	struct err ignored;
	int rc;

	CHECK_RC(json_parse(&doc, str_of(body), &ignored), OK);
	rc = field_check(doc.root, where, e);
	json_release(&doc);
	return rc;
}

TEST(fields_refused_ones_are_named)
{
	static const struct { const char *body, *name; unsigned where; } rows[] = {
		{ "{\"command\":{\"resume\":1}}", "command", FIELD_RUN },
		{ "{\"interrupt_before\":[\"a\"]}", "interrupt_before", FIELD_RUN },
		{ "{\"interrupt_after\":\"*\"}", "interrupt_after", FIELD_RUN },
		{ "{\"webhook\":\"http://x\"}", "webhook", FIELD_RUN },
		{ "{\"after_seconds\":5}", "after_seconds", FIELD_RUN },
		{ "{\"strict_resume\":true}", "strict_resume", FIELD_RUN },
		{ "{\"select\":[\"values\"]}", "select", FIELD_HISTORY },
		{ "{\"multitask_strategy\":\"rollback\"}", "multitask_strategy",
		  FIELD_RUN },
		{ "{\"ttl\":{\"ttl\":1}}", "ttl", FIELD_THREAD },
		{ "{\"supersteps\":[{}]}", "supersteps", FIELD_THREAD },
		{ "{\"index\":[\"x\"]}", "index", FIELD_ITEM },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e;

		CHECK_RC(check(rows[i].body, rows[i].where, &e), ERR_INVALID);
		CHECK(strncmp(e.text, rows[i].name, strlen(rows[i].name)) == 0);
	}
}

TEST(fields_of_a_query_are_refused_when_they_carry_something)
{
	static const struct { const char *query; unsigned where; int rc; } rows[] = {
		{ "namespace=a", FIELD_STREAM, ERR_INVALID },
		{ "namespace=&namespace=a%7Cb", FIELD_JOIN, ERR_INVALID },
		{ "checkpoint_id=x", FIELD_JOIN, ERR_INVALID },
		{ "select=values&select=next", FIELD_STATE, ERR_INVALID },
		{ "stream_mode=&namespace=&checkpoint_id=", FIELD_JOIN, OK },
		{ "namespace=[]", FIELD_JOIN, OK },
		{ "select=", FIELD_STATE, OK },
		{ "reason=taken&action=interrupt", FIELD_CANCEL, OK },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_req r = { .query = str_of(rows[i].query),
		    .arena = ARENA(64 * KB) };
		struct err e = { 0 };

		CHECK_RC(field_check_query(&r, rows[i].where, &e), rows[i].rc);
		arena_release(&r.arena);
	}
}

/* SDKs send these whether or not anyone asked for them. */
TEST(fields_defaults_and_strangers_pass)
{
	struct err e;

	CHECK_RC(check("{\"command\":null,\"checkpoint\":null,\"webhook\":null,"
	    "\"interrupt_before\":[],\"interrupt_after\":null,"
	    "\"stream_subgraphs\":true,\"after_seconds\":0,"
	    "\"multitask_strategy\":\"enqueue\",\"feedback_keys\":[\"a\"],"
	    "\"langsmith_tracer\":{\"project_name\":\"x\"},"
	    "\"checkpoint_during\":true,\"assistantId\":\"x\"}", FIELD_RUN, &e), OK);
	CHECK_RC(check("{\"ttl\":null,\"supersteps\":[]}", FIELD_THREAD, &e), OK);
	CHECK_RC(check("{\"index\":false}", FIELD_ITEM, &e), OK);
	/* A field belongs to its place: a thread's ttl is no run's business. */
	CHECK_RC(check("{\"ttl\":5}", FIELD_RUN, &e), OK);
}

TEST(fields_words_are_looked_up_one_by_one)
{
	struct err e;

	CHECK_RC(field_check_word("action", FIELD_CANCEL, S("interrupt"), &e), OK);
	CHECK_RC(field_check_word("action", FIELD_CANCEL, S("rollback"), &e),
	    ERR_INVALID);
	CHECK_RC(field_check_word("stream_mode", FIELD_RUN, S("debug"), &e),
	    ERR_INVALID);
}
