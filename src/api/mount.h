/*
 * mount.h - where the routes are, and which of them: a prefix that all paths have, and
 * groups of routes that an operator turned off.
 *
 * Location and Content-Location are without the prefix: clients append them to the URL of
 * the API, which has it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_MOUNT_H
#define API_MOUNT_H

#include "base/rc.h"
#include "base/str.h"

/* name: of the setting http.disable-NAME. */
#define ROUTE_GROUP_MAP(X)                                                    \
	X(ASSISTANTS, "assistants") X(THREADS, "threads") X(RUNS, "runs")     \
	X(STORE, "store") X(META, "meta") X(MCP, "mcp") X(A2A, "a2a")         \
	X(UI, "ui")

enum route_group {
#define X(id, name) GROUP_##id,
	ROUTE_GROUP_MAP(X)
#undef X
	ROUTE_GROUPS                         /* none of them */
};

extern const char *const route_group_names[ROUTE_GROUPS];

/* The group of a route's path, as "/threads/{thread_id}/runs". */
enum route_group route_group(struct str path);

/* "/a" or "/a/b"; empty: none.  ERR_INVALID. */
int  mount_check(struct str prefix, struct err *e);
/* Takes the prefix off a path; false: it does not have it. */
bool mount_strip(struct str prefix, struct str *path);

#endif
