/*
 * mount.c - see mount.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/mount.h"

#include <string.h>

const char *const route_group_names[ROUTE_GROUPS] = {
#define X(id, name) [GROUP_##id] = name,
	ROUTE_GROUP_MAP(X)
#undef X
};

/* The first segment of a path, and its third; of two rows the first that fits. */
static const struct { const char *first, *third; enum route_group group; } groups[] = {
	{ "assistants", NULL, GROUP_ASSISTANTS },
	{ "threads", "runs", GROUP_RUNS },
	{ "threads", "stream", GROUP_RUNS },         /* the events of its runs */
	{ "threads", "commands", GROUP_RUNS },       /* and what starts them */
	{ "threads", NULL, GROUP_THREADS },
	{ "runs", NULL, GROUP_RUNS },
	{ "store", NULL, GROUP_STORE },
	{ "info", NULL, GROUP_META },                /* /ok stays, for health checks */
	{ "metrics", NULL, GROUP_META },
	{ "openapi.json", NULL, GROUP_META },
	{ "docs", NULL, GROUP_META },
	{ "mcp", NULL, GROUP_MCP },
	{ "a2a", NULL, GROUP_A2A },
	{ ".well-known", NULL, GROUP_A2A },
	{ "ui", NULL, GROUP_UI },
};

enum route_group
route_group(struct str path)
{
	struct str rest = str_sub(path, 1, path.n), part[3] = { { 0 } };

	for (size_t i = 0; i < COUNT(part) && rest.n > 0; i++)
		(void)str_next(&rest, '/', &part[i]);
	for (size_t i = 0; i < COUNT(groups); i++)
		if (str_eq(part[0], str_of(groups[i].first)) && (groups[i].third == NULL ||
		    str_eq(part[2], str_of(groups[i].third))))
			return groups[i].group;
	return ROUTE_GROUPS;
}

int
mount_check(struct str prefix, struct err *e)
{
	bool good = prefix.n == 0 || (prefix.p[0] == '/' && prefix.n > 1 &&
	    prefix.p[prefix.n - 1] != '/' && !str_contains(prefix, S("//")));

	for (size_t i = 0; i < prefix.n; i++) {
		char c = prefix.p[i];

		good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || str_char_in(c, "/-._~"));
	}
	return good ? OK : err_set(e, ERR_INVALID, "http.mount-prefix: expected a path that "
	    "begins and does not end with /, of letters, digits and -._~, as in /api, got "
	    "\"%.*s\"", FMT(str_cut(prefix, 100)));
}

bool
mount_strip(struct str prefix, struct str *path)
{
	struct str rest;

	if (prefix.n == 0)
		return true;
	if (!str_starts(*path, prefix))
		return false;
	rest = str_sub(*path, prefix.n, path->n);
	if (rest.n > 0 && rest.p[0] != '/')
		return false;
	*path = rest.n > 0 ? rest : S("/");
	return true;
}
