/*
 * solo_mcp.c - MCP servers, for a run by itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/mcp_priv.h"
#include "run/solo_priv.h"

static void
over(void *owner, bool later)
{
	struct solo *s = owner;

	(void)later;
	s->asked--;
}

/* While it waits the clock does not jump. */
static void
ask(struct solo_task *t, struct task_mcp *m, bool call)
{
	t->solo->asked++;
	mcp_ask(&(struct mcp_asker){ .mcp = t->solo->o->mcp, .over = over,
	    .owner = t->solo }, m, call);
}

void
solo_mcp_list(void *ctx, struct task_mcp *m)
{
	ask(ctx, m, false);
}

void
solo_mcp_call(void *ctx, struct task_mcp *m)
{
	ask(ctx, m, true);
}

void
solo_mcp_stop(void *ctx, struct task_mcp *m)
{
	(void)ctx;
	mcp_ask_stop(m);
}
