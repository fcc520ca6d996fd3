/*
 * api_fix.h - a call that is being read, without a server.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_API_FIX_H
#define TESTS_UNIT_API_FIX_H

#include "api/api_priv.h"
#include "harness/test.h"

struct asked {
	struct http_req r;
	struct json_doc doc;
	struct fields in;
	struct call c;
};

/* body: JSON, or NULL. */
static inline struct call *
ask(struct asked *a, const char *query, const char *body)
{
	struct err e;

	*a = (struct asked){ .r = { .query = str_of(query), .arena = ARENA(64 * KB) } };
	if (body != NULL)
		CHECK_RC(json_parse(&a->doc, str_of(body), &e), OK);
	a->c = (struct call){ .r = &a->r, .in = &a->in };
	fields_open(&a->in, a->doc.root, "body", &a->c.err);
	return &a->c;
}

/* What reading came to. */
static inline int
asked_end(struct asked *a)
{
	json_release(&a->doc);
	arena_release(&a->r.arena);
	return a->in.rc;
}

#endif
