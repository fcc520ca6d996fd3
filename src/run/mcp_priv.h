/*
 * mcp_priv.h - MCP servers of runs: those of agent files, and those that clients
 * name (config.configurable.mcp_config).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_MCP_PRIV_H
#define RUN_MCP_PRIV_H

#include "base/arena.h"
#include "task/task.h"
#include "tools/mcp.h"

#define MCP_SPEC_BYTES (256 * KB)

/* As the MCP client takes it; what it points to is the agent's, or in a.  hosts: whom
 * clients may name; private: names with private addresses too.  ERR_NOTFOUND, ERR_INVALID with words. */
int mcp_spec_make(struct mcp_spec *s, const struct task_mcp *m, struct str hosts,
    bool private, struct arena *a, struct err *e);

/* Who hosts a task that asks (mcp_ask.c). */
struct mcp_asker {
	struct mcp *mcp;                     /* NULL: there are no servers here */
	struct str hosts;                    /* as mcp_spec_make */
	bool private;
	struct str traceparent;              /* of a call; or empty */
	/* The request is over, answered or stopped; after the task was told.  later: not
	 * from inside of mcp_ask or mcp_ask_stop. */
	void (*over)(void *owner, bool later);
	void *owner;
	bool later;                          /* mcp_ask.c's */
};
/* Does what m says: the list of its server's tools, or a call. */
void mcp_ask(const struct mcp_asker *by, struct task_mcp *m, bool call);
void mcp_ask_stop(struct task_mcp *m);       /* the task is not told */

/* The servers of configurable.mcp_config (v); texts are copied to a.  ERR_INVALID with
 * the path. */
int mcp_config_read(const struct agent_mcp **out, size_t *n, struct val v,
    struct arena *a, struct err *e);
/* May a client name them?  ERR_INVALID: which one it may not. */
int mcp_config_check(const struct agent_mcp *at, size_t n, struct str hosts,
    struct err *e);

#endif
