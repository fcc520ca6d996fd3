/*
 * agent_tools.c - see agent_tools.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/agent_tools.h"

#include <assert.h>
#include <pthread.h>

#include "main/work_tools.h"
#include "task/kinds.h"
#include "tools/tools.h"

#define NAMES_MAX 64

static const char *names[NAMES_MAX];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Names and groups are literals: they outlive the registry. */
static void
collect(void)
{
	struct tools *t = tools_new();
	size_t n = 0;

	work_tools_add(t);
	assert(2 * tools_count(t) < NAMES_MAX);
	for (size_t i = 0; i < tools_count(t); i++) {
		const struct tool *tool = tools_at(t, i);

		names[n++] = tool->name;
		if (tool->group != NULL)
			names[n++] = tool->group;
	}
	tools_free(t);
}

int
agent_load_checked(struct agent **out, struct str text, struct str file, struct err *e)
{
	int rc = agent_load(out, text, file, &task_kinds, e);

	pthread_once(&once, collect);
	if (rc == OK)
		rc = agent_check_tools(*out, names, e);
	if (rc != OK) {
		agent_free(*out);
		*out = NULL;
	}
	return rc;
}
