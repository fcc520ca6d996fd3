/*
 * tools_priv.h - what the files of this room share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TOOLS_TOOLS_PRIV_H
#define TOOLS_TOOLS_PRIV_H

#include "tools/tools.h"

/* args.c.  Is it a schema of the subset we know?  e names what is not. */
int args_schema_valid(jnode schema, struct err *e);
/* ERR_INVALID with words that help a model to do better. */
int args_check(jnode schema, jnode args, struct err *e);

/* schema.c: appends the schema as models are shown it. */
void schema_add_common(struct buf *b, jnode schema);
/* A schema of an object without a single member. */
bool schema_is_bare(jnode schema);
/* Stands for a bare one: what is checked is what is shown. */
extern const char schema_no_arguments[];

/* calculate.c, task_tools.c: of agents that name them */
extern const struct tool tool_calculate, tool_http_get, tool_run_agent;

/* knowledge_tools.c */
extern const struct tool tool_knowledge_search;

/* store_tools.c */
extern const struct tool tool_store_put, tool_store_search;
/* A command for the store as the run's owner; done is called if it returns OK. */
int store_tool_submit(struct tool_call *c, struct store_cmd *cmd, enum store_op op,
    void (*done)(struct store_cmd *cmd));
/* The call's answer is why the command failed. */
void store_tool_refuse(struct tool_call *c, const struct store_cmd *cmd);
/* "a.b" or ["a","b"] becomes "a.b".  OK, or e has the words. */
int namespace_read(struct arena *a, jnode n, bool may_be_empty, struct str *out,
    struct err *e);

#endif
