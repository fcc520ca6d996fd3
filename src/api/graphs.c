/*
 * graphs.c - the graphs of workers, as the API sees them: which there are, who serves
 * them, and their end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include "agent/agent.h"
#include "api/peer.h"
#include "worker/worker.h"

/* {"id": how many workers serve it} of each. */
void
graphs_add(struct buf *b, const struct api *api)
{
	const struct agents *set = runs_agents(api->runs);

	buf_add_char(b, '{');
	for (size_t i = 0; i < agents_count(set); i++) {
		const struct agent *a = agents_at(set, i);

		if (a->of_worker)
			json_add_fmt(b, ",%.*s:%u", FMT(a->id), workers_serving(
			    api->shared->o.workers, WORKER_RUN, a->id));
	}
	buf_add_char(b, '}');
}

/* A run waits for a worker, unless the client asks for fail_fast. */
void
graphs_check_served(struct call *c, const struct agent *a)
{
	bool fast = false;

	param_bool(c, "fail_fast", &fast);
	/* a may be an earlier definition, of a run that waits. */
	a = a == NULL ? NULL : runs_agent(c->api->runs, a->id);
	if (fast && a != NULL && a->of_worker && c->in->rc == OK &&
	    workers_serving(c->api->shared->o.workers, WORKER_RUN, a->id) == 0)
		c->in->rc = err_set(&c->err, ERR_BUSY, "no worker serves the graph \"%.*s\" "
		    "now; without fail_fast the run waits for one", FMT(a->id));
}

/* ---- what another node has changed ----------------------------------------------- */

static void
answer_ok(void *ctx)
{
	struct call *c = ctx;

	json_add_fmt(call_out(c), "{'ok':true}");
	call_finish(c, call_json(c, STR_NONE));
}

static void
seen(void *ctx, int rc, const struct err *e)
{
	if (rc < 0)
		call_fail(ctx, rc, e);
	else
		answer_ok(ctx);
}

int
graphs_see(struct call *c)
{
	const struct api_options *o = &c->api->shared->o;

	o->see_graphs(o->graphs, seen, c);
	return OK;
}

/* ---- the end of one -------------------------------------------------------------- */

/* It is gone at all nodes when that is answered. */
static void
forgotten(void *ctx, int rc, const struct err *e)
{
	if (rc < 0)
		call_fail(ctx, rc, e);
	else
		peer_wait_all(ctx, STR_NONE, answer_ok, ctx);
}

int
api_graph_forget(struct call *c)
{
	const struct api_options *o = &c->api->shared->o;

	c->in = NULL;
	if (peer_asks(c))
		return graphs_see(c);
	o->forget_graph(o->graphs, c->param[0], forgotten, c);
	return OK;
}
