/*
 * mcp_call.c - one call of a tool of an MCP server: looked up in the server's list
 * first, so that a tool that is gone, or arguments that it does not take, are
 * answered here, and what it says of repeating is known.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/mcp_priv.h"

struct mcp_use {
	struct task_mcp m;
	struct piece *p;
	const struct mcp_use_hooks *hooks;
	void *ctx;
	char *name, *args, *tool;            /* tool: by the server's own name */
	const struct agent_mcp *server;
	bool of_client, under_way;
	unsigned holds;                      /* it is on the stack */
	bool freed;
};

static void
let_go(struct mcp_use *u)
{
	if (u->holds > 0 || !u->freed)
		return;
	free(u->name);
	free(u->args);
	free(u->tool);
	free(u);
}

void
mcp_use_free(struct mcp_use *u)
{
	if (u == NULL)
		return;
	if (u->under_way)
		u->p->task->host->mcp_stop(u->p->task->ctx, &u->m);
	u->under_way = false;
	u->freed = true;
	let_go(u);
}

struct mcp_use *
mcp_use_new(struct piece *p, struct str name, struct str args_json,
    const struct mcp_use_hooks *hooks, void *ctx)
{
	struct mcp_use *u = mem_new(struct mcp_use);

	u->p = p;
	u->hooks = hooks;
	u->ctx = ctx;
	u->name = mem_cstr(name);
	u->args = mem_cstr(args_json);
	u->server = mcp_server_of(p, name, &u->of_client);
	return u;
}

/* A new request; words: why there is none. */
static bool
request_init(struct mcp_use *u, struct arena *a, struct buf *words)
{
	struct err e;

	if (mcp_ask_init(&u->m, u->p, u->server, u->of_client, a, &e))
		return true;
	buf_lit(words, "Error: ");
	mcp_add_words(words, u->server->name, str_of(e.text));
	return false;
}

/* ---- looking it up ---------------------------------------------------------------- */

static const struct mcp_tool *
tool_find(const struct mcp_use *u, const struct mcp_list *list, struct buf *offered)
{
	for (size_t i = 0; i < list->n; i++) {
		buf_clear(offered);
		agent_mcp_name(offered, u->server->name, list->at[i].name);
		if (agent_mcp_is(str_of(u->name), u->server->name, buf_str(offered)))
			return &list->at[i];
	}
	return NULL;
}

static void
say_gone(struct buf *words, const struct mcp_use *u, const struct mcp_list *list)
{
	struct buf name = BUF(256);
	size_t n = 0;

	buf_add_fmt(words, "Error: the MCP server %.*s has no tool \"%.*s\".",
	    FMT(u->server->name), FMT(str_cut(str_of(u->name), 64)));
	for (size_t i = 0; i < list->n && words->n < 4000; i++) {
		buf_clear(&name);
		agent_mcp_name(&name, u->server->name, list->at[i].name);
		if (!agent_mcp_offers(u->server, buf_str(&name)))
			continue;
		buf_add(words, n++ == 0 ? S(" It has: ") : S(", "));
		buf_add(words, buf_str(&name));
	}
	buf_release(&name);
}

static bool
args_fit(const struct mcp_use *u, const struct mcp_tool *tool, struct buf *words)
{
	struct arena a = ARENA(LIMIT_MCP_MESSAGE_BYTES);
	struct json_doc schema = { 0 }, args = { 0 };
	struct err e;
	int rc = json_parse(&schema, mcp_schema(tool->schema_json, &a), &e);

	if (rc == OK)
		rc = json_parse(&args, str_of(u->args), &e);
	if (rc == OK)
		rc = tools_check_value(schema.root, args.root, &e);
	if (rc != OK)
		buf_add_fmt(words, "Error: the call was not made: %s. Arguments of %.*s: %.*s",
		    e.text, FMT(str_cut(str_of(u->name), 64)),
		    FMT(str_cut(tool->schema_json, 2000)));
	json_release(&schema);
	json_release(&args);
	arena_release(&a);
	return rc == OK;
}

static void
on_listed(struct task_mcp *m, int rc, const struct mcp_list *list, const struct err *e)
{
	struct mcp_use *u = CONTAINER_OF(m, struct mcp_use, m);
	struct buf words = BUF(LIMIT_TOOL_RESULT_BYTES), offered = BUF(256);
	const struct mcp_tool *tool = NULL;
	bool again = false;

	u->under_way = false;
	u->holds++;
	if (rc != OK) {
		buf_lit(&words, "Error: ");
		mcp_add_words(&words, u->server->name, str_of(e->text));
	} else if ((tool = tool_find(u, list, &offered)) == NULL ||
	    !agent_mcp_offers(u->server, buf_str(&offered))) {
		say_gone(&words, u, list);
	} else if (args_fit(u, tool, &words)) {
		u->tool = mem_cstr(tool->name);
		again = tool->idempotent || tool->read_only;
	}
	if (u->tool != NULL)
		u->hooks->found(u->ctx, again);
	else
		u->hooks->refused(u->ctx, rc != OK, buf_str(&words));
	buf_release(&words);
	buf_release(&offered);
	u->holds--;
	let_go(u);
}

void
mcp_use_find(struct mcp_use *u)
{
	struct task *t = u->p->task;
	struct arena a = ARENA(MB);
	struct buf words = BUF(LIMIT_TOOL_RESULT_BYTES);

	u->holds++;
	if (!request_init(u, &a, &words)) {
		u->hooks->refused(u->ctx, true, buf_str(&words));
	} else {
		u->m.listed = on_listed;
		u->under_way = true;
		t->host->mcp_list(t->ctx, &u->m);
	}
	arena_release(&a);
	buf_release(&words);
	u->holds--;
	let_go(u);
}

/* ---- calling it --------------------------------------------------------------------- */

static void
on_called(struct task_mcp *m, int rc, const struct mcp_result *r, const struct err *e)
{
	struct mcp_use *u = CONTAINER_OF(m, struct mcp_use, m);
	struct buf words = BUF(LIMIT_TOOL_RESULT_BYTES);

	u->under_way = false;
	u->holds++;
	if (rc != OK)
		mcp_add_words(&words, u->server->name, str_of(e->text));
	u->hooks->called(u->ctx, rc == OK ? (r->failed ? MCP_SAYS_NO : MCP_OK) :
	    r->sent ? MCP_LOST : MCP_UNDONE, rc == OK ? r->text : buf_str(&words));
	buf_release(&words);
	u->holds--;
	let_go(u);
}

void
mcp_use_call(struct mcp_use *u)
{
	struct task *t = u->p->task;
	struct arena a = ARENA(MB);
	struct buf words = BUF(LIMIT_TOOL_RESULT_BYTES);
	const struct agent_policy *policy = agent_policy_of(t->agent, str_of(u->name));

	u->holds++;
	if (!request_init(u, &a, &words)) {
		u->hooks->called(u->ctx, MCP_UNDONE, buf_str(&words));
	} else {
		u->m.called = on_called;
		u->m.tool = str_of(u->tool);
		u->m.args_json = str_of(u->args);
		u->m.timeout = policy != NULL ? policy->timeout_ms : 0;
		u->under_way = true;
		t->host->mcp_call(t->ctx, &u->m);
	}
	arena_release(&a);
	buf_release(&words);
	u->holds--;
	let_go(u);
}
