/*
 * api_absent.c - what is refused, what is ignored, and the words for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api_fix.h"

#include <string.h>

#include "api/absent.h"

static int
check(const char *query, const char *body, unsigned places, struct err *e)
{
	struct asked a;

	absent_check(ask(&a, query, body), places);
	*e = a.c.err;
	return asked_end(&a);
}

TEST(fields_of_a_query_are_refused_when_they_carry_something)
{
	static const struct { const char *query; unsigned places; int rc; } rows[] = {
		{ "format=json", PLACE_METRICS, ERR_INVALID },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e;

		CHECK_RC(check(rows[i].query, NULL, rows[i].places, &e), rows[i].rc);
	}
}

/* SDKs send these whether or not anyone asked for them. */
TEST(fields_defaults_and_strangers_pass)
{
	struct err e;

	CHECK_RC(check("", "{\"command\":null,\"checkpoint\":null,\"webhook\":null,"
	    "\"interrupt_before\":[],\"interrupt_after\":null,"
	    "\"stream_subgraphs\":true,\"after_seconds\":0,"
	    "\"multitask_strategy\":\"enqueue\",\"feedback_keys\":[],"
	    "\"langsmith_tracer\":{\"project_name\":\"x\"},"
	    "\"checkpoint_during\":true,\"assistantId\":\"x\"}", PLACE_RUN, &e), OK);
	CHECK_RC(check("", "{\"select\":[\"context\",\"ttl\"]}", PLACE_THREAD_SEARCH, &e), OK);
	/* A field belongs to its place: a thread's ttl is no run's business. */
	CHECK_RC(check("", "{\"ttl\":5}", PLACE_RUN, &e), OK);
}

TEST(fields_words_are_looked_up_one_by_one)
{
	struct err e;

	CHECK_RC(check("format=prometheus", NULL, PLACE_METRICS, &e), OK);
	CHECK_RC(check("format=prometheus&format=json", NULL, PLACE_METRICS, &e),
	    ERR_INVALID);
	CHECK_RC(check("", "{\"sort_by\":\"created_at\"}", PLACE_THREAD_SEARCH, &e), OK);
}
