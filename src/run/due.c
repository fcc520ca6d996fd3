/*
 * due.c - what falls due in a run: delayed events of its charts, and budgets of time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/scope_priv.h"

/* Its first delayed event, or the end of a budget of time. */
static msec
scope_due(const struct scope *s)
{
	msec due = s->chart != NULL ? chart_due(s) : CORE_NEVER;
	msec wall = budget_due(s);

	return wall < due ? wall : due;
}

/* The scope where something falls due first. */
static struct scope *
first_due(struct scope *s, struct scope *best)
{
	if (!s->over && scope_due(s) != CORE_NEVER &&
	    (best == NULL || scope_due(s) < scope_due(best)))
		best = s;
	for (size_t i = 0; i < s->tasks_n; i++)
		for (struct scope *x = s->tasks[i]->children; x != NULL; x = x->next)
			best = first_due(x, best);
	return best;
}

msec
core_due(const struct core *c)
{
	const struct scope *s = NULL;

	if (c->charts + c->walls > 0 && !c->over && c->root != NULL)
		s = first_due(c->root, NULL);
	return s != NULL ? scope_due(s) : CORE_NEVER;
}

void
core_fire(struct core *c)
{
	msec now = c->fx->now(c->ctx);

	while (core_due(c) <= now) {
		struct scope *s = first_due(c->root, NULL);

		if (budget_due(s) <= now)
			budget_fire(s);
		else
			chart_fire(s);
	}
}
