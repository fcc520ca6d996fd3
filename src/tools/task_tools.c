/*
 * task_tools.c - tools whose calls a task makes itself (task/use.c): here is what a
 * model is shown of them, and how their arguments are checked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tools/tools_priv.h"

static int
start(struct tool_call *c)
{
	tool_refuse(c, "%s: works only in a run of an agent", tool_of(c)->name);
	return OK;
}

const struct tool tool_http_get = {
	.name = "http_get",
	.description = "Reads a page of the web (GET) and returns its text. Only hosts that the "
	    "operator allows can be read; redirects are not followed.",
	.parameters_json = "{\"type\":\"object\",\"properties\":{\"url\":{\"type\":\"string\","
	    "\"description\":\"http[s]://name[:port][/path][?query]\"}},"
	    "\"required\":[\"url\"],\"additionalProperties\":false}",
	.idempotent = true, .start = start, .group = "http_get",
};

const struct tool tool_run_agent = {
	.name = "run_agent",
	.description = "Runs another agent of this server and returns what it says at its end, or "
	    "its output as JSON.",
	.parameters_json = "{\"type\":\"object\",\"properties\":{\"agent\":{\"type\":\"string\","
	    "\"description\":\"its id\"},\"input\":{\"type\":[\"string\",\"object\"],"
	    "\"description\":\"a message to it, or an object with its input channels\"}},"
	    "\"required\":[\"agent\",\"input\"],\"additionalProperties\":false}",
	.start = start, .group = "run_agent",
};
