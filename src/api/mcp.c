/*
 * mcp.c - POST /mcp: the tracker's tools for MCP clients over streamable HTTP.
 *
 * Without sessions: every message stands for itself and is answered as JSON, so
 * there is nothing to GET or DELETE.  Project, actor and Idempotency-Key are as
 * on the other routes of the tracker.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include "work/host/mcp.h"

static void
answer(struct call *c)
{
	const struct work_cmd *w = &c->op.work;

	if (api_status(w->cmd.rc) == 500) {
		call_fail(c, w->cmd.rc, &w->cmd.err);
		return;
	}
	mcp_answer(c->request_id, w->cmd.rc, w->data, str_of(w->cmd.err.text),
	    call_out(c));
	call_json(c, STR_NONE);
}

/* q does not outlive this turn. */
static void
run_tool(struct call *c, const struct mcp_call *q)
{
	int rc = work_prepare(c, NULL);

	c->request_id = arena_str(&c->r->arena, buf_str(&q->id));
	c->op.work.args_json = arena_str(&c->r->arena, buf_str(&q->args));
	if (rc == OK && c->r->arena.failed)
		rc = err_set(&c->err, ERR_TOOBIG, "the message is too large");
	if (rc == OK)
		work_send(c, str_of(q->operation), answer);
	else
		call_fail(c, rc, &c->err);
}

void
work_mcp_handler(struct call *c, jnode body)
{
	struct str version = http_header(c->r, S("mcp-protocol-version"));
	struct mcp m = { .stateless = true };
	struct mcp_call q;

	(void)body;
	if (version.n > 0 && !mcp_version_known(version)) {
		call_error(c, ERR_SYNTAX, "MCP-Protocol-Version: \"%.*s\" is not known "
		    "here", FMT(str_sub(version, 0, 64)));
		return;
	}
	mcp_call_init(&q);
	switch (mcp_read(&m, c->r->body, &q, call_out(c))) {
	case MCP_SILENT:
		call_empty(c, 202);
		break;
	case MCP_ANSWERED:
		call_json(c, STR_NONE);
		break;
	case MCP_CALL:
		run_tool(c, &q);
		break;
	}
	mcp_call_release(&q);
}
