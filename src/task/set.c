/*
 * set.c - writes, and nothing else: they are the work's own `writes`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/task_priv.h"

static void
set_start(struct piece *p)
{
	piece_done(p, VAL_NIL);
}

const struct task_run task_set = { .traits = TASK_PURE, .start = set_start };
