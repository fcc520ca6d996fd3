/*
 * edit_priv.h - a thread's state changed by a client, without a run: updateState
 * and the supersteps that seed a history.  Pure: what is to be stored comes by
 * the effects checkpoint, writes, void_all and new_id of core_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_EDIT_PRIV_H
#define RUN_EDIT_PRIV_H

#include "run/core_priv.h"

struct edit;

/* One update of a step; as if node as_node had returned the values. */
struct edit_update {
	struct val values;                   /* object, array of objects, null */
	struct str as_node;                  /* p NULL: the last writer.  Also
	                                        "__start__", "__input__", "__copy__",
	                                        "__end__" (with null values) */
};

/* Of namespace ns as `saved` has it (NULL: nothing yet).  ERR_INVALID: its
 * position does not fit the agent any more. */
int  edit_new(struct edit **out, const struct agent *a, const struct core_request *q,
    struct str ns, const struct core_saved *saved, const struct core_effects *fx,
    void *ctx, struct err *e);
void edit_free(struct edit *x);

/* One step: a checkpoint.  ERR_INVALID with LangGraph's words. */
int  edit_step(struct edit *x, const struct edit_update *u, size_t n, struct err *e);
/* Of the newest step. */
struct uuid edit_checkpoint(const struct edit *x);

#endif
