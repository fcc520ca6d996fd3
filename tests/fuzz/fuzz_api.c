/*
 * fuzz_api.c - the first line is a path, the rest a body: what dispatch does
 * with them before any handler.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>

#include "api/absent.h"
#include "api/api_priv.h"

static struct router *router;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = { (const char *)data, n }, path = STR_NONE;
	struct buf b = BUF(64 * KB);
	const struct route *route;
	struct str param[ROUTE_PARAMS];
	struct json_doc doc;
	unsigned modes;
	struct err e;

	if (router == NULL)
		router = router_new(routes, routes_n);
	str_next(&rest, '\n', &path);
	router_find(router, S("GET"), path, &route, param);
	router_allow(router, path, &b);
	buf_clear(&b);
	if (json_parse(&doc, rest, &e) == OK) {
		struct http_req r = { .arena = ARENA(64 * KB) };
		struct call c = { .r = &r };
		struct fields in;

		fields_open(&in, doc.root, "body", &c.err);
		c.in = &in;
		absent_check(&c, ~0u);
		call_read_modes(&c, &modes, &b);
		arena_release(&r.arena);
	}
	json_release(&doc);
	buf_release(&b);
	return 0;
}
