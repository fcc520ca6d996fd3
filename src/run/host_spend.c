/*
 * host_spend.c - budgets and bills of a task's calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/job_priv.h"

bool
host_may_spend(void *ctx, const struct task_cost *about, struct task_refusal *why)
{
	struct job_task *t = ctx;

	return t->core == NULL || core_may_spend(t->core, about, why);
}

void
host_spent(void *ctx, const struct task_cost *c)
{
	struct job_task *t = ctx;

	if (t->core != NULL)
		core_spent(t->core, c);
}

void
host_billed(void *ctx, const struct llm_usage *u, struct str model)
{
	struct job_task *t = ctx;

	job_billed(t->job, u, model);
}

void
job_billed(struct job *j, const struct llm_usage *u, struct str model)
{
	changes_usage(&j->changes, shard_wall(j->run->rs->shard), u, model);
	runs_count_usage(j->run->rs, u);
	j->usage.input_tokens += u->input_tokens;
	j->usage.cached_tokens += u->cached_tokens;
	j->usage.output_tokens += u->output_tokens;
	j->usage.reasoning_tokens += u->reasoning_tokens;
	j->usage.cost_nano += u->cost_nano;
}

int64_t
host_tokens_left(void *ctx)
{
	struct job_task *t = ctx;

	return t->core != NULL ? core_tokens_left(t->core) : INT64_MAX;
}
