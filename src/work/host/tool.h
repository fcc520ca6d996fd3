/*
 * tool.h - what a model may do with the tracker: one table of tools, for the
 * built-in agent's registry and for MCP alike.
 *
 * A tool is an operation whose arguments have names that a model guesses well;
 * work_tool_args turns them into the operation's own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_HOST_TOOL_H
#define WORK_HOST_TOOL_H

#include "base/json.h"

struct work_tool {
	const char *name, *description;
	const char *parameters_json;         /* JSON Schema, an object */
	bool reads;                          /* changes nothing but old leases */
	/* private */
	const char *operation;
	const char *renames;                 /* "id=from_id ..." or NULL */
	const char *otherwise;               /* without an id: this member instead */
	const char *instead;                 /* "remove=dep_remove": that operation
	                                        when the switch is on */
};

#define WORK_TOOLS 12

extern const struct work_tool work_tools[WORK_TOOLS];

const struct work_tool *work_tool_find(struct str name);     /* or NULL */

/* The operation that a call means, and its arguments, appended to out.  args:
 * an object, or NULL. */
const char *work_tool_args(const struct work_tool *t, jnode args, struct buf *out);

#endif
