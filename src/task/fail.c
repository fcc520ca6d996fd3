/*
 * fail.c - fails on purpose, with the author's words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/task_priv.h"

static void
fail_start(struct piece *p)
{
	struct val name, message;
	struct task_error e = { S("error.execution"), S("Error"), STR_NONE };

	if (!piece_eval_text(p, FAIL_NAME, &name))
		return;
	if (!piece_eval_text(p, FAIL_MESSAGE, &message)) {
		val_drop(name);
		return;
	}
	if (name.kind == VAL_STRING && val_str(name).n > 0)
		e.name = val_str(name);
	if (message.kind == VAL_STRING)
		e.message = val_str(message);
	piece_fail_with(p, &e);
	val_drop(name);
	val_drop(message);
}

const struct task_run task_fail = { .traits = TASK_PURE, .start = fail_start };
