/*
 * tool.h - what a model may do with the tracker: one table of tools, for the
 * built-in agent's registry and for MCP alike.
 *
 * A tool is an operation with some of its arguments, under names that a model
 * guesses well; its schema is made from the operation's row.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_HOST_TOOL_H
#define WORK_HOST_TOOL_H

#include "base/json.h"

struct work_tool {
	const char *name, *description;
	bool reads;                          /* changes nothing but old leases */
	/* private */
	const char *operation;
	const char *args;                    /* "id=from_id text": its arguments,
	                                        or as what it knows them */
	const char *otherwise;               /* without an id: this member instead */
	const char *instead;                 /* "remove=dep_remove": that operation
	                                        when the switch is on */
};

#define WORK_TOOLS 12

extern const struct work_tool work_tools[WORK_TOOLS];

const struct work_tool *work_tool_find(struct str name);     /* or NULL */

/* Appends the JSON Schema of its arguments, an object. */
void work_tool_add_schema(struct buf *b, const struct work_tool *t);
/* The operation that a call means, and its arguments, appended to out.  args:
 * an object, or NULL. */
const char *work_tool_args(const struct work_tool *t, jnode args, struct buf *out);
/* What a model or an author is told of a failed operation; NULL: nothing that helps
 * them, it is for the log. */
const char *work_tool_words(int rc, const struct err *e);

#endif
