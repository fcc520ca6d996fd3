/*
 * work_tools.c - see work_tools.h.
 *
 * A call that changes something has a `once` key: made again after a crash, it
 * gets the answer of the first.  So all tools are idempotent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/work_tools.h"

#include <assert.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "work/host/guest.h"
#include "work/host/tool.h"

struct using {
	struct work_cmd cmd;
	struct tool_call *call;
};

static void
refuse_for(struct tool_call *call, const struct store_cmd *cmd)
{
	const char *words = work_tool_words(cmd->rc, &cmd->err);

	if (words != NULL) {
		tool_refuse(call, "%s", words);
		return;
	}
	log_warn("tools", "work_failed", "rc=%s error=%s", rc_name(cmd->rc),
	    cmd->err.text);
	tool_refuse(call, "The tracker failed.");
}

static void
work_done(struct store_cmd *cmd)
{
	struct using *u = CONTAINER_OF(cmd, struct using, cmd.cmd);

	if (cmd->rc == OK)
		tool_reply(u->call, u->cmd.data);
	else
		refuse_for(u->call, cmd);
}

static int
start(struct tool_call *call)
{
	const struct work_tool *t = work_tool_find(str_of(tool_of(call)->name));
	const struct tool_env *env = tool_env(call);
	struct using *u = arena_new(tool_arena(call), struct using);
	struct buf args = BUF(LIMIT_WORK_MEMORY_BYTES);

	if (u == NULL)
		return ERR_TOOBIG;
	assert(t != NULL && env->actor.n > 0);
	u->call = call;
	u->cmd = (struct work_cmd){
		.cmd = { .owner = env->owner, .arena = tool_arena(call),
		    .done = work_done },
		.project = env->project.n > 0 ? env->project : S(WORK_PROJECT),
		.actor = env->actor, .now = env->now,
		.once = t->reads ? STR_NONE : env->once,
	};
	u->cmd.operation = str_of(work_tool_args(t, tool_args(call), &args));
	u->cmd.args_json = arena_str(tool_arena(call), buf_str(&args));
	buf_release(&args);
	if (u->cmd.args_json.p == NULL)
		return ERR_TOOBIG;
	return work_submit(env->store, env->shard, &u->cmd);
}

void
work_tools_add(struct tools *t)
{
	static struct tool tools[WORK_TOOLS];
	static struct buf schemas[WORK_TOOLS];      /* the registry keeps pointers */

	for (size_t i = 0; i < WORK_TOOLS; i++) {
		if (schemas[i].n == 0) {
			schemas[i] = BUF(64 * KB);
			work_tool_add_schema(&schemas[i], &work_tools[i]);
		}
		tools[i] = (struct tool){ .name = work_tools[i].name,
		    .description = work_tools[i].description,
		    .parameters_json = schemas[i].p,
		    .idempotent = true, .group = "work", .start = start };
		tools_add(t, &tools[i]);
	}
}
