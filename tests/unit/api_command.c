/*
 * api_command.c - the table of the thread protocol's commands.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "api/command_priv.h"

static const struct route *
find(const struct route *of)
{
	for (size_t i = 0; i < routes_n; i++)
		if (strcmp(routes[i].method, of->method) == 0 &&
		    strcmp(routes[i].path, of->path) == 0)
			return &routes[i];
	return NULL;
}

/* Goal: a command needs what its route needs. */
TEST(commands_need_what_their_routes_need)
{
	for (size_t i = 0; i < command_methods_n; i++) {
		const struct command_method *m = &command_methods[i];
		const struct route *r = find(&m->route);

		if (r == NULL || r->access != m->route.access)
			test_fail(__FILE__, __LINE__, "%s: %s %s %s", m->name,
			    m->route.method, m->route.path, r == NULL ? "is no route" :
			    access_name(r->access));
	}
}

TEST(commands_have_one_name_each)
{
	for (size_t i = 0; i < command_methods_n; i++)
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(command_methods[i].name, command_methods[j].name) != 0);
}
