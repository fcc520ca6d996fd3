/*
 * host_mcp.c - MCP servers, for tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/mem.h"
#include "run/job_priv.h"
#include "run/mcp_priv.h"

/* A request under way; it holds its run. */
struct asking {
	struct task_mcp *m;
	struct run *run;
	struct mcp_wait *wait;
	bool starting, stopped;              /* stopped: while it was starting:
	                                        nobody is told */
};

static struct run *
asking_end(struct asking *a)
{
	struct run *run = a->run;

	a->m->host_data = NULL;
	if (!a->starting)
		free(a);
	else
		a->m = NULL;
	return run;
}

/* What called from inside goes on by itself. */
static void
asking_ended(struct run *run, bool starting)
{
	if (!starting && run->job != NULL)
		job_pump(run->job);
	run_drop(run);
}

static void
on_listed(void *ctx, int rc, const struct mcp_list *list, const struct err *e)
{
	struct asking *a = ctx;
	struct task_mcp *m = a->m;
	bool starting = a->starting;
	struct run *run;

	if (a->stopped)
		return;
	run = asking_end(a);
	m->listed(m, rc, list, e);
	asking_ended(run, starting);
}

static void
on_called(void *ctx, int rc, const struct mcp_result *r, const struct err *e)
{
	struct asking *a = ctx;
	struct task_mcp *m = a->m;
	bool starting = a->starting;
	struct run *run;

	if (a->stopped)
		return;
	run = asking_end(a);
	m->called(m, rc, r, e);
	asking_ended(run, starting);
}

static void
ask(struct job_task *t, struct task_mcp *m, bool call)
{
	static const struct mcp_result none;
	struct run *run = t->job->run;
	struct asking *a = mem_new(struct asking);
	struct arena texts = ARENA(MCP_SPEC_BYTES);
	struct mcp_wait *wait = NULL;
	struct mcp_spec spec;
	struct err e;
	int rc;

	a->m = m;
	a->run = run_hold(run);
	a->starting = true;
	m->host_data = a;
	rc = mcp_spec_make(&spec, m, run->rs->mcp_hosts, run->rs->http_private,
	    &texts, &e);
	if (rc == OK && run->rs->mcp == NULL)
		rc = err_set(&e, ERR_INVALID, "there are no MCP servers here");
	if (rc != OK && call)
		on_called(a, rc, &none, &e);
	else if (rc != OK)
		on_listed(a, rc, NULL, &e);
	else if (call)
		wait = mcp_call(run->rs->mcp, &spec, m->tool, m->args_json, m->timeout,
		    on_called, a);
	else
		wait = mcp_list(run->rs->mcp, &spec, on_listed, a);
	arena_release(&texts);
	a->starting = false;
	a->wait = wait;
	if (a->stopped && wait != NULL)
		mcp_forget(wait);
	if (a->m == NULL || a->stopped)
		free(a);
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
	struct asking *a = m->host_data;

	(void)ctx;
	if (a == NULL)
		return;
	m->host_data = NULL;
	a->stopped = true;
	run_drop(a->run);
	if (a->starting)
		return;
	mcp_forget(a->wait);
	free(a);
}
