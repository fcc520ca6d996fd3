/*
 * builtin.c - the agents that every server has; the build puts the files of
 * agents/builtin here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/agent.h"

static const struct agent_builtin rows[] = {
#include "agent/builtin_rows.h"
	{ NULL, NULL, NULL }
};

const struct agent_builtin *
agent_builtin_at(size_t i)
{
	return i + 1 < COUNT(rows) ? &rows[i] : NULL;
}

struct str
agent_builtin_text(struct str id)
{
	for (size_t i = 0; i + 1 < COUNT(rows); i++)
		if (str_eq(str_of(rows[i].id), id))
			return str_of(rows[i].text);
	return STR_NONE;
}
