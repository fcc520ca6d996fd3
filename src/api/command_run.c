/*
 * command_run.c - commands that start a run: run.start, input.respond, state.fork.
 *
 * Each becomes the body of a POST /threads/{thread_id}/runs, which is read and checked
 * as if a client had sent it: nothing can be asked for here that cannot be asked for
 * there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/command_priv.h"

/* What every run of the protocol is. */
#define RUN_BODY "'if_not_exists':'create','stream_subgraphs':true," \
	"'stream_resumable':true,'stream_mode':['values','updates','messages','tools'," \
	"'custom','tasks','checkpoints']"

static void
run_created(void *ctx, int rc, const struct store_run *run, const struct err *e)
{
	struct command *x = ctx;
	char id[UUID_TEXT];

	if (rc < 0) {
		call_fail(&x->c, rc, e);
		return;
	}
	uuid_format(&run->id, id);
	json_add_fmt(command_result(x), "{'run_id':%.*s}", UUID_TEXT, id);
	command_answer(x);
}

/* x->body is the request's. */
static int
run_begin(struct command *x)
{
	struct json_doc doc = { 0 };
	struct call *c = &x->c;
	struct fields in;
	struct run_ask ask;
	int rc;

	x->r.body = buf_str(&x->body);
	rc = json_parse(&doc, x->r.body, &c->err);
	fields_open(&in, doc.root, "params", &c->err);
	c->in = &in;
	if (rc == OK)
		rc = call_read_run(c, &ask);
	if (rc == OK)
		rc = run_start(c->api->runs, &ask.q, NULL, run_created, x, &c->err);
	c->in = NULL;
	json_release(&doc);
	return rc;
}

/* ---- run.start -------------------------------------------------------------------- */

/* Clients send the strategy under both names; older ones under the second. */
static jnode
strategy_of(jnode params)
{
	jnode n = json_get(params, S("multitask_strategy"));

	return json_is_null(n) ? json_get(params, S("multitaskStrategy")) : n;
}

int
command_run_start(struct command *x)
{
	jnode params = x->params.node;
	jnode strategy = strategy_of(params);

	x->body = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	json_add_fmt(&x->body, "{" RUN_BODY ",'assistant_id':%p,'input':%p,'config':%p,"
	    "'metadata':%p,'langsmith_tracer':%p,'multitask_strategy':",
	    (void *)json_get(params, S("assistant_id")), (void *)json_get(params, S("input")),
	    (void *)json_get(params, S("config")), (void *)json_get(params, S("metadata")),
	    (void *)json_get(params, S("langsmith_tracer")));
	if (json_is_null(strategy))
		buf_lit(&x->body, "\"enqueue\"}");
	else
		json_add_fmt(&x->body, "%p}", (void *)strategy);
	return run_begin(x);
}
