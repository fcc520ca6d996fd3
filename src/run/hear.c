/*
 * hear.c - messages of other agents, for the chart of a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

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
core_takes(const struct core *c)
{
	const struct scope *s = c->root;

	return s != NULL && !c->over && !s->over && s->chart != NULL && s->started;
}

bool
core_hears(const struct core *c)
{
	return core_takes(c) && session_hears(stepper_session(c->root->chart), EVENT);
}

void
core_hear(struct core *c, struct val message)
{
	struct scope *s = c->root;
	struct buf name = BUF(LIMIT_NAME_BYTES);
	int rc;

	assert(core_takes(c));
	buf_lit(&name, "message.");
	buf_add(&name, val_str(val_get(message, S("performative"))));
	rc = stepper_event(s->chart, buf_str(&name), message);
	assert(rc == OK);                    /* nothing else is queued */
	buf_release(&name);
	chart_hear(s);
}

struct run_event
core_root_event(const struct core *c, enum event_kind kind)
{
	return scope_event(c->root, kind);
}
