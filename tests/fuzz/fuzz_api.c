/*
 * fuzz_api.c - the first line is a path, the rest a body: what dispatch does
 * with them before any handler.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>

#include "api/api_priv.h"
#include "api/fields.h"
#include "api/params.h"

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
		field_check(doc.root, ~0u, &e);
		modes_parse_json(json_get(doc.root, S("stream_mode")), &modes, &b,
		    &e);
	}
	json_release(&doc);
	buf_release(&b);
	return 0;
}
