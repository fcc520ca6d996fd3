/*
 * worker_offer.c - tools of external workers, for a model: what they are.
 *
 * A file that gives a tool's schema or description says it all.  Else it is as a worker has
 * last registered it; one that nobody has registered yet is waited for, since workers come
 * back a moment after the server does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/llm_priv.h"
#include "task/mcp_priv.h"
#include "task/worker_priv.h"

#define LOOK_MS 250

struct worker_await {
	struct task_timer timer;
	struct llm_piece *w;
	bool timed;
	msec until;
};

/* The first that the model is to be offered and nobody knows; NULL: none. */
static const struct agent_tool *
unknown_tool(const struct piece *p)
{
	const struct task *t = p->task;

	for (size_t i = 0; i < t->agent->tools_n; i++) {
		const struct agent_tool *tool = &t->agent->tools[i];
		struct arena a = ARENA(LIMIT_WORKER_INPUT_BYTES);
		struct task_worker_facts facts;
		bool known = !tool->worker || tool->schema.kind == VAL_OBJECT ||
		    tool->description.n > 0 || !offer_names(p, tool->name) ||
		    t->host->worker_tool == NULL ||
		    t->host->worker_tool(t->ctx, tool->name, &a, &facts);

		arena_release(&a);
		if (!known)
			return tool;
	}
	return NULL;
}

static void
fail(struct llm_piece *w, const struct agent_tool *tool)
{
	struct buf event = BUF(LIMIT_NAME_BYTES + 64);

	buf_lit(&event, "error.tool.");
	buf_add(&event, tool->name);
	buf_add_char(&event, '\0');
	piece_fail(&w->p, event.p, "ToolError", "no worker has registered the tool \"%.*s\" within "
	    "%d ms; start one that has it, or give its schema in the file: tools: {%.*s: "
	    "{worker: true, description, schema}}", FMT(tool->name), LIMIT_WORKER_KNOWN_MS,
	    FMT(tool->name));
	buf_release(&event);
}

static void on_timer(struct task_timer *timer);

static void
look_later(struct llm_piece *w)
{
	struct task *t = w->p.task;

	w->await->timed = true;
	t->host->timer_set(t->ctx, &w->await->timer, LOOK_MS);
}

/* True: all are known. */
static bool
look(struct llm_piece *w)
{
	struct task *t = w->p.task;
	const struct agent_tool *tool = unknown_tool(&w->p);

	if (tool == NULL)
		return true;
	if (w->await == NULL) {
		w->await = mem_new(struct worker_await);
		*w->await = (struct worker_await){ .timer.fire = on_timer, .w = w,
		    .until = t->host->now(t->ctx) + LIMIT_WORKER_KNOWN_MS };
	}
	if (t->host->now(t->ctx) >= w->await->until)
		fail(w, tool);
	else
		look_later(w);
	return false;
}

static void
on_timer(struct task_timer *timer)
{
	struct worker_await *x = CONTAINER_OF(timer, struct worker_await, timer);
	struct llm_piece *w = x->w;
	struct task *t = w->p.task;

	x->timed = false;
	if (!task_enter(t))
		return;
	if (look(w))
		llm_prepare_next(w);
	task_leave(t);
}

bool
worker_prepare(struct llm_piece *w)
{
	return look(w);
}

void
worker_await_stop(struct llm_piece *w)
{
	struct task *t = w->p.task;

	if (w->await != NULL && w->await->timed)
		t->host->timer_stop(t->ctx, &w->await->timer);
	free(w->await);
	w->await = NULL;
}

void
worker_spec_fill(const struct piece *p, struct llm_tool_spec *spec, struct arena *a)
{
	const struct task *t = p->task;
	struct task_worker_facts facts;

	if (t->host->worker_tool == NULL ||
	    !t->host->worker_tool(t->ctx, spec->name, a, &facts))
		return;
	if (spec->description.n == 0)
		spec->description = facts.description;
	if (facts.schema_json.n > 0)
		spec->parameters_json = mcp_schema(facts.schema_json, a);
}
