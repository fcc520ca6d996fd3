/*
 * plan.c - a call that may go to several targets: which is next, and a copy of the
 * request for them.  A call with one target has no plan.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "llm/llm_priv.h"

struct llm_plan {
	struct arena texts;
	struct llm_request rq;
	struct llm_target targets[LIMIT_MODEL_TARGETS];
	bool asked[LIMIT_MODEL_TARGETS];
	size_t n;
};

static const struct str *
copy_list(struct arena *a, const struct str *list, size_t n)
{
	struct str *copy = arena_alloc(a, (n + 1) * sizeof *copy);

	for (size_t i = 0; copy != NULL && i < n; i++)
		copy[i] = arena_str(a, list[i]);
	return copy;
}

static const struct llm_tool_spec *
copy_tools(struct arena *a, const struct llm_tool_spec *tools, size_t n)
{
	struct llm_tool_spec *copy = arena_alloc(a, (n + 1) * sizeof *copy);

	for (size_t i = 0; copy != NULL && i < n; i++)
		copy[i] = (struct llm_tool_spec){ arena_str(a, tools[i].name),
		    arena_str(a, tools[i].description),
		    arena_str(a, tools[i].parameters_json) };
	return copy;
}

static void
copy_request(struct llm_plan *p, const struct llm_request *rq)
{
	struct arena *a = &p->texts;

	p->rq = *rq;
	p->rq.model = p->rq.base_url = STR_NONE;     /* that is what targets are for */
	p->rq.fallbacks = NULL;
	p->rq.fallbacks_n = 0;
	p->rq.system_prompt = arena_str(a, rq->system_prompt);
	p->rq.messages = copy_list(a, rq->messages, rq->messages_n);
	p->rq.tools = copy_tools(a, rq->tools, rq->tools_n);
	p->rq.tool_choice = arena_str(a, rq->tool_choice);
	p->rq.output_schema_json = arena_str(a, rq->output_schema_json);
}

static void
add(struct llm_plan *p, const struct llm_target *targets, size_t n)
{
	for (size_t i = 0; i < n && p->n < LIMIT_MODEL_TARGETS; i++) {
		p->targets[p->n] = targets[i];
		p->targets[p->n++].name = arena_str(&p->texts, targets[i].name);
	}
}

/* A fallback that is wrong is told before the call, not when it is needed. */
struct llm_plan *
llm_plan_new(const struct llm *l, const struct llm_request *rq,
    const struct models_found *first, struct err *e)
{
	struct llm_plan *p = mem_new(struct llm_plan);
	int rc = OK;

	p->texts = ARENA(4 * (size_t)LIMIT_STATE_BYTES);
	add(p, first->targets != NULL ? first->targets : &first->one, first->n);
	for (size_t i = 0; rc == OK && i < rq->fallbacks_n; i++) {
		struct models_found found;

		rc = models_resolve(l->models, rq->fallbacks[i], buf_str(&l->default_model),
		    &found, e);
		if (rc == OK)
			add(p, found.targets != NULL ? found.targets : &found.one, found.n);
	}
	copy_request(p, rq);
	if (rc == OK && p->texts.failed)
		rc = err_set(e, ERR_LIMIT, "the conversation is too large to send");
	if (rc == OK)
		return p;
	llm_plan_free(p);
	return NULL;
}

void
llm_plan_free(struct llm_plan *p)
{
	if (p == NULL)
		return;
	arena_release(&p->texts);
	free(p);
}

bool
llm_plan_has_more(const struct llm_plan *p)
{
	return p != NULL && llm_plan_asked(p) < p->n;
}

unsigned
llm_plan_asked(const struct llm_plan *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->asked[i];
	return n;
}

int
llm_plan_next(struct llm_plan *p, nsec now, struct llm_target *out)
{
	size_t at = p->n;

	for (size_t i = p->n; i-- > 0; )
		if (!p->asked[i] && !circuit_is_open(&p->targets[i], now))
			at = i;
	for (size_t i = 0; at == p->n && i < p->n; i++)
		if (!p->asked[i])
			at = i;
	if (at == p->n)
		return -1;
	p->asked[at] = true;
	*out = p->targets[at];
	return (int)at;
}

const struct llm_request *
llm_plan_request(const struct llm_plan *p)
{
	return &p->rq;
}
