/*
 * hear.c - messages of other agents, for the chart of a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "chart/stepper.h"
#include "run/scope_priv.h"

#define EVENT S("message")

bool
core_agent_hears(const struct agent *a)
{
	return a->chart != NULL && chart_hears(a->chart, EVENT);
}

bool
core_listens(const struct core *c)
{
	const struct scope *s = c->root;

	return s != NULL && !c->over && s->chart != NULL && chart_listens(s);
}

bool
core_hears(const struct core *c)
{
	const struct scope *s = c->root;

	return s != NULL && !c->over && s->chart != NULL && s->started &&
	    session_hears(stepper_session(s->chart), EVENT);
}

int
core_hear(struct core *c, struct val message)
{
	struct scope *s = c->root;
	struct buf name = BUF(LIMIT_NAME_BYTES);
	int rc = ERR_CONFLICT;

	buf_lit(&name, "message.");
	buf_add(&name, val_str(val_get(message, S("performative"))));
	if (s != NULL && !c->over && !s->over && s->chart != NULL && s->started)
		rc = stepper_event(s->chart, buf_str(&name), message);
	if (rc == OK)
		chart_hear(s);
	buf_release(&name);
	return rc;
}
