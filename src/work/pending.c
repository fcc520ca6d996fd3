/*
 * pending.c - operations that are not there yet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/work_priv.h"

#define PENDING(name) int op_##name(struct work *w, struct work_call *c)       \
	{ (void)c; return fail(w, ERR_METHOD, #name " is not there yet"); }
PENDING(dep_add)
PENDING(dep_remove)
PENDING(dep_tree)
PENDING(dep_cycles)
PENDING(batch)
PENDING(export)
PENDING(import)

int
cycle_check(struct work *w, int64_t item, int64_t target, enum dep_type type)
{
	(void)w, (void)item, (void)target, (void)type;
	return OK;
}

void
graph_drop(struct work *w)
{
	(void)w;
}

void
graph_note(struct work *w, int64_t item, int64_t target, enum dep_type type,
    bool added)
{
	(void)item, (void)target, (void)type, (void)added;
	tracker_edges_changed(w);
}
