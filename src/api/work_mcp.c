/*
 * work_mcp.c - POST /work/mcp: the tracker's tools for MCP clients over streamable HTTP.
 *
 * Without sessions: messages are independent and answered as JSON, so there is
 * nothing to GET or DELETE.  Project, actor and Idempotency-Key are as
 * on the other routes of the tracker.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include "work/host/mcp.h"

static int
answer(struct call *c)
{
	const struct work_cmd *w = &c->op.work;

	if (api_status(w->cmd.rc) == 500) {
		c->err = w->cmd.err;
		return w->cmd.rc;
	}
	mcp_answer(c->request_id, w->cmd.rc, w->data, str_of(w->cmd.err.text),
	    call_out(c));
	return call_json(c, c->lines);
}

/* q does not outlive this turn. */
static int
run_tool(struct call *c, const struct mcp_call *q)
{
	api_work_prepare(c);
	c->request_id = arena_str(&c->r->arena, buf_str(&q->id));
	c->op.work.args_json = arena_str(&c->r->arena, buf_str(&q->args));
	if (c->r->arena.failed)
		fields_fail(c->in, NULL, ERR_TOOBIG, "too large");
	return api_work_send(c, str_of(q->operation), answer);
}

int
api_mcp_version(struct call *c)
{
	struct str version = http_header(c->r, S("mcp-protocol-version"));

	return version.n == 0 || mcp_version_known(version) ? OK : err_set(&c->err,
	    ERR_SYNTAX, "MCP-Protocol-Version: \"%.*s\" is not known here",
	    FMT(param_shown(version)));
}

int
api_work_mcp(struct call *c)
{
	struct mcp m = { .stateless = true };
	struct mcp_call q;
	int rc = api_mcp_version(c);

	if (rc < 0)
		return rc;
	mcp_call_init(&q);
	switch (mcp_read(&m, c->r->body, &q, call_out(c))) {
	case MCP_SILENT:
		call_reply(c, 202, STR_NONE, c->lines, STR_NONE);
		break;
	case MCP_ANSWERED:
		rc = call_json(c, c->lines);
		break;
	case MCP_CALL:
		rc = run_tool(c, &q);
		break;
	}
	mcp_call_release(&q);
	return rc;
}
