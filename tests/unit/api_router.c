/*
 * api_router.c - which row answers a request, and what 405 lists.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "api/absent.h"
#include "api/api_priv.h"

static const struct route *
find(const struct router *rt, const char *method, const char *path, int expected,
    struct str param[ROUTE_PARAMS])
{
	const struct route *route;

	CHECK_RC(router_find(rt, str_of(method), str_of(path), &route, param),
	    expected);
	return route;
}

TEST(router_prefers_literal_segments)
{
	struct router *rt = router_new(routes, routes_n);
	struct str p[ROUTE_PARAMS];

	CHECK(find(rt, "POST", "/runs/wait", OK, p)->arg == WATCH_WAIT);
	CHECK(find(rt, "POST", "/threads/x/runs/wait", OK, p)->handle ==
	    api_run_start);
	CHECK_STR(p[0], "x");
	CHECK(find(rt, "GET", "/threads/x/runs/y", OK, p)->handle ==
	    api_run_get);
	CHECK_STR(p[1], "y");
	/* A literal path with another method is 405, never the {param} row. */
	find(rt, "GET", "/threads/x/runs/wait", ERR_METHOD, p);
	router_free(rt);
}

/* Goal: what is built leaves the list of what is not; and a name in the place
 * of an id finds its row. */
TEST(router_has_no_row_that_is_called_absent)
{
	struct router *rt = router_new(routes, routes_n);
	struct str p[ROUTE_PARAMS];
	const struct route *route;

	for (size_t i = 0; i < absent_routes_n; i++) {
		struct str method = str_of(absent_routes[i].method);

		CHECK(router_find(rt, method, str_of(absent_routes[i].path), &route, p) != OK);
		CHECK(absent_route_name(method, str_of(absent_routes[i].path)) != NULL);
	}
	CHECK(strcmp(absent_route_name(S("POST"), S("/ui/x")), "ui") == 0);
	CHECK(absent_route_name(S("PUT"), S("/ui/x")) == NULL);
	CHECK(absent_route_name(S("POST"), S("/ui/x/y")) == NULL);
	CHECK(absent_route_name(S("POST"), S("/threads//copy")) == NULL);
	CHECK(absent_route_name(S("POST"), S("/runs")) == NULL);
	router_free(rt);
}

TEST(router_knows_every_row_of_the_table)
{
	struct router *rt = router_new(routes, routes_n);
	struct str p[ROUTE_PARAMS];

	for (size_t i = 0; i < routes_n; i++)
		CHECK(find(rt, routes[i].method, routes[i].path, OK, p) ==
		    &routes[i]);
	router_free(rt);
}

TEST(router_refuses_paths_that_only_look_like_one)
{
	static const char *const wrong[] = {
		"", "//", "ok", "/ok/", "/threads/", "/threads//state",
		"/threads/x/states/y", "/OK", "/threads/a/b/c/d/e/f/g", "*"
	};
	struct router *rt = router_new(routes, routes_n);
	struct str p[ROUTE_PARAMS];

	for (size_t i = 0; i < COUNT(wrong); i++)
		find(rt, "GET", wrong[i], ERR_NOTFOUND, p);
	router_free(rt);
}

TEST(router_head_is_get_and_405_lists_what_is_allowed)
{
	struct router *rt = router_new(routes, routes_n);
	struct buf allow = BUF(256);
	struct str p[ROUTE_PARAMS];

	CHECK(find(rt, "HEAD", "/ok", OK, p)->handle == api_system_ok);
	find(rt, "HEAD", "/threads", ERR_METHOD, p);
	find(rt, "BREW", "/ok", ERR_METHOD, p);
	router_allow(rt, S("/store/items"), &allow);
	CHECK_STR(buf_str(&allow), "GET, HEAD, PUT, DELETE, OPTIONS");
	buf_clear(&allow);
	router_allow(rt, S("/nope"), &allow);
	CHECK_INT(allow.n, 0);
	buf_release(&allow);
	router_free(rt);
}

/* Goal: a row that needs credentials cannot slip through without a flag. */
TEST(routes_only_these_are_open)
{
	static const char *const open[] = {
		"/", "/ok", "/info", "/health", "/metrics", "/openapi.json", "/docs",
		"/ui", "/ui/{file}"
	};

	for (size_t i = 0; i < routes_n; i++) {
		bool listed = false;

		for (size_t j = 0; j < COUNT(open); j++)
			listed = listed || strcmp(routes[i].path, open[j]) == 0;
		CHECK(listed == ((routes[i].flags & ROUTE_OPEN) != 0));
	}
}

/* Goal: a place whose fields are refused is the place of a route. */
TEST(routes_have_every_place)
{
	unsigned places = 0;

	for (size_t i = 0; i < routes_n; i++)
		places |= routes[i].places;
	CHECK_INT(places, 2 * PLACE_METRICS - 1);
}

TEST(openapi_is_valid_and_has_every_row)
{
	struct buf b = BUF(MB);
	struct json_doc doc;
	struct err e;
	jnode paths;

	api_add_openapi(&b, &(struct api_options){ .shards = 1 });
	CHECK_RC(json_parse(&doc, buf_str(&b), &e), OK);
	paths = json_get(doc.root, S("paths"));
	for (size_t i = 0; i < routes_n; i++) {
		jnode path = json_get(paths, str_of(routes[i].path));
		char method[8] = "";

		for (size_t j = 0; routes[i].method[j] != '\0'; j++)
			method[j] = (char)(routes[i].method[j] | 0x20);
		CHECK(json_is_object(json_get(path, str_of(method))));
	}
	json_release(&doc);
	buf_release(&b);
}

TEST(api_every_code_has_its_status)
{
	CHECK_INT(api_status(OK), 200);
	CHECK_INT(api_status(ERR_SYNTAX), 400);
	CHECK_INT(api_status(ERR_UNAUTH), 401);
	CHECK_INT(api_status(ERR_NOTFOUND), 404);
	CHECK_INT(api_status(ERR_CONFLICT), 409);
	CHECK_INT(api_status(ERR_TOOBIG), 413);
	CHECK_INT(api_status(ERR_INVALID), 422);
	CHECK_INT(api_status(ERR_BUSY), 503);
}

/* A new route must say what it is about. */
TEST(routes_each_has_an_access)
{
	for (size_t i = 0; i < routes_n; i++) {
		bool open = (routes[i].flags & (ROUTE_OPEN | ROUTE_COMMANDS)) != 0;

		if (open != (routes[i].access == ACCESS_NONE))
			test_fail(__FILE__, __LINE__, "%s %s: access %s",
			    routes[i].method, routes[i].path,
			    access_name(routes[i].access));
	}
}
