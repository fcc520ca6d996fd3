/*
 * mcp_ask.c - a task asks an MCP server: one request under way, for a run of the
 * server and for one by itself alike.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/mem.h"
#include "run/mcp_priv.h"

struct asking {
	struct task_mcp *m;                  /* NULL: it was answered while it started */
	struct mcp_asker by;
	struct mcp_wait *wait;
	bool starting, stopped;              /* stopped: while it was starting:
	                                        nobody is told */
};

/* The task is told after this, its host after that. */
static struct mcp_asker
end(struct asking *a)
{
	struct mcp_asker by = a->by;

	by.later = !a->starting;
	a->m->host_data = NULL;
	if (!a->starting)
		free(a);
	else
		a->m = NULL;
	return by;
}

static void
on_listed(void *ctx, int rc, const struct mcp_list *list, const struct err *e)
{
	struct asking *a = ctx;
	struct task_mcp *m = a->m;
	struct mcp_asker by;

	if (a->stopped)
		return;
	by = end(a);
	m->listed(m, rc, list, e);
	by.over(by.owner, by.later);
}

static void
on_called(void *ctx, int rc, const struct mcp_result *r, const struct err *e)
{
	struct asking *a = ctx;
	struct task_mcp *m = a->m;
	struct mcp_asker by;

	if (a->stopped)
		return;
	by = end(a);
	m->called(m, rc, r, e);
	by.over(by.owner, by.later);
}

void
mcp_ask(const struct mcp_asker *by, struct task_mcp *m, bool call)
{
	static const struct mcp_result none;
	struct asking *a = mem_new(struct asking);
	struct arena texts = ARENA(MCP_SPEC_BYTES);
	struct mcp_wait *wait = NULL;
	struct mcp_spec spec;
	struct err e;
	int rc;

	a->m = m;
	a->by = *by;
	a->starting = true;
	m->host_data = a;
	rc = mcp_spec_make(&spec, m, by->hosts, by->private, &texts, &e);
	if (rc == OK && by->mcp == NULL)
		rc = err_set(&e, ERR_INVALID, "there are no MCP servers here");
	if (rc != OK && call)
		on_called(a, rc, &none, &e);
	else if (rc != OK)
		on_listed(a, rc, NULL, &e);
	else if (call)
		wait = mcp_call(by->mcp, &spec, m->tool, m->args_json, m->timeout,
		    by->traceparent, on_called, a);
	else
		wait = mcp_list(by->mcp, &spec, on_listed, a);
	arena_release(&texts);
	a->starting = false;
	a->wait = wait;
	if (a->stopped && wait != NULL)
		mcp_forget(wait);
	if (a->m == NULL || a->stopped)
		free(a);
}

void
mcp_ask_stop(struct task_mcp *m)
{
	struct asking *a = m->host_data;
	struct mcp_asker by;

	if (a == NULL)
		return;
	by = a->by;
	m->host_data = NULL;
	a->stopped = true;
	if (!a->starting) {
		mcp_forget(a->wait);
		free(a);
	}
	by.over(by.owner, false);
}
