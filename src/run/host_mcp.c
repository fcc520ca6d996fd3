/*
 * host_mcp.c - MCP servers, for tasks of the server's runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/job_priv.h"
#include "run/mcp_priv.h"

static void
over(void *owner, bool later)
{
	struct run *run = owner;

	if (later)
		job_pump_of(run);
	run_drop(run);
}

/* A request holds its run. */
static void
ask(struct job_task *t, struct task_mcp *m, bool call)
{
	struct run *run = t->job->run;
	struct runs *rs = run->rs;
	char trace[TRACE_PARENT_SIZE + 1];

	mcp_ask(&(struct mcp_asker){ .mcp = rs->mcp, .hosts = rs->mcp_hosts,
	    .private = rs->http_private, .traceparent = call ? task_trace_parent(t, m->tool,
	    trace) : STR_NONE, .over = over, .owner = run_hold(run) }, m, call);
}

void
host_mcp_list(void *ctx, struct task_mcp *m)
{
	ask(ctx, m, false);
}

void
host_mcp_call(void *ctx, struct task_mcp *m)
{
	ask(ctx, m, true);
}

void
host_mcp_stop(void *ctx, struct task_mcp *m)
{
	(void)ctx;
	mcp_ask_stop(m);
}
