/*
 * child.h - which agent a checkpoint's namespace belongs to.
 *
 * "" is the root's; "a:ID" belongs to the agent that node a calls first, "a:ID|1" to
 * a further one of its work, by the key of the call with '.' for '/'; "a" to one
 * that keeps its state between runs.  Parts below are joined by '|'.  All namespaces of
 * a hosted graph are its own: one definition describes them.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_CHILD_H
#define RUN_CHILD_H

#include "agent/agent.h"
#include "base/id.h"

/* NULL: no node of that name, or it calls no agent there. */
const struct agent *child_find(const struct agent *a, struct str ns);

/* The namespace of the first agent that the node's task calls, whose graph has
 * the namespace `up`.  False: it calls none. */
bool child_add_namespace(struct buf *b, const struct agent *a, struct str up,
    struct str node, const struct uuid *task);

#endif
