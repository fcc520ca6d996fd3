/*
 * solo_mcp.c - MCP servers, for a run by itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/mem.h"
#include "run/mcp_priv.h"
#include "run/solo_priv.h"

struct asking {
	struct task_mcp *m;
	struct solo *solo;
	struct mcp_wait *wait;
	bool starting, stopped;              /* stopped: while it was starting:
	                                        nobody is told */
};

/* While it waits the clock does not jump. */
static struct task_mcp *
asking_end(struct asking *a)
{
	struct task_mcp *m = a->m;

	m->host_data = NULL;
	a->solo->asked--;
	if (!a->starting)
		free(a);
	else
		a->m = NULL;
	return m;
}

static void
on_listed(void *ctx, int rc, const struct mcp_list *list, const struct err *e)
{
	struct asking *a = ctx;
	struct task_mcp *m;

	if (a->stopped)
		return;
	m = asking_end(a);
	m->listed(m, rc, list, e);
}

static void
on_called(void *ctx, int rc, const struct mcp_result *r, const struct err *e)
{
	struct asking *a = ctx;
	struct task_mcp *m;

	if (a->stopped)
		return;
	m = asking_end(a);
	m->called(m, rc, r, e);
}

static void
ask(struct solo *s, struct task_mcp *m, bool call)
{
	static const struct mcp_result none;
	struct asking *a = mem_new(struct asking);
	struct arena texts = ARENA(MCP_SPEC_BYTES);
	struct mcp_wait *wait = NULL;
	struct mcp_spec spec;
	struct err e;
	int rc;

	a->m = m;
	a->solo = s;
	a->starting = true;
	m->host_data = a;
	s->asked++;
	rc = mcp_spec_make(&spec, m, STR_NONE, false, &texts, &e);
	if (rc == OK && s->o->mcp == NULL)
		rc = err_set(&e, ERR_INVALID, "there are no MCP servers here");
	if (rc != OK && call)
		on_called(a, rc, &none, &e);
	else if (rc != OK)
		on_listed(a, rc, NULL, &e);
	else if (call)
		wait = mcp_call(s->o->mcp, &spec, m->tool, m->args_json, m->timeout,
		    on_called, a);
	else
		wait = mcp_list(s->o->mcp, &spec, on_listed, a);
	arena_release(&texts);
	a->starting = false;
	a->wait = wait;
	if (a->stopped && wait != NULL)
		mcp_forget(wait);
	if (a->m == NULL || a->stopped)
		free(a);
}

void
solo_mcp_list(void *ctx, struct task_mcp *m)
{
	ask(((struct solo_task *)ctx)->solo, m, false);
}

void
solo_mcp_call(void *ctx, struct task_mcp *m)
{
	ask(((struct solo_task *)ctx)->solo, m, true);
}

void
solo_mcp_stop(void *ctx, struct task_mcp *m)
{
	struct asking *a = m->host_data;

	(void)ctx;
	if (a == NULL)
		return;
	m->host_data = NULL;
	a->solo->asked--;
	a->stopped = true;
	if (a->starting)
		return;
	mcp_forget(a->wait);
	free(a);
}
