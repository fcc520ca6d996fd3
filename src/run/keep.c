/*
 * keep.c - what a model had said when its run was cancelled or failed is kept:
 * an ai message whose finish_reason is `interrupted`.
 *
 * Only of the root graph and of a task that is alone in its step: of several the
 * state would not say which was first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "run/scope_priv.h"

bool
core_keeps(const struct core_task *t)
{
	const struct scope *s = t->scope;

	return s->up == NULL && s->chart == NULL && s->tasks_n == 1 && t->node >= 0 &&
	    channels_find(s->state, S("messages")) != CHANNEL_NONE;
}

static struct val
as_write(struct val message)
{
	return val_set_take(val_object_empty(), S("messages"),
	    val_push_take(val_array_empty(), val_ref(message)));
}

/* As if the node had answered so: where its edges lead comes next. */
void
core_keep_stopped(struct core_task *t, struct val message)
{
	struct scope *s = t->scope;
	struct val write = as_write(message);
	struct core_task *refused;
	struct err e;
	bool wrote;
	int rc;

	assert(core_keeps(t) && s->open == 0);
	rc = barrier_values(t, write, true, &e);
	if (rc == OK)
		rc = barrier_apply(s, true, &wrote, &refused, &e);
	val_drop(write);
	if (rc != OK)
		return;
	s->tasks[0] = NULL;
	s->tasks_n = 0;
	scope_checkpoint(s, SOURCE_UPDATE, t);
	scope_save(s);
	core_task_free(t);
}

/* The node stays next, and has failed there: it may be tried again. */
struct core_task *
core_keep_failed(struct core_task *t, struct val message)
{
	struct scope *s = t->scope;
	struct val list = val_push_take(val_array_empty(), val_ref(message));
	size_t at = (size_t)channels_find(s->state, S("messages"));
	struct err e;
	int rc;

	assert(core_keeps(t) && t->state == TASK_RUNNING);
	rc = channels_put(s->state, at, list, REDUCE_STORED, &e);
	val_drop(list);
	if (rc != OK)
		return t;
	s->open = 0;
	scope_checkpoint(s, SOURCE_UPDATE, NULL);
	if (s->tasks_n != 1)
		return NULL;
	s->tasks[0]->state = TASK_RUNNING;
	s->open = 1;
	return s->tasks[0];
}
