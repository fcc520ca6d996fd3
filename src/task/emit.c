/*
 * emit.c - tells whoever listens to the run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/task_priv.h"

static void
emit_start(struct piece *p)
{
	struct task *t = p->task;
	struct val name, data, inside;

	if (!piece_eval_text(p, EMIT_NAME, &name))
		return;
	if (!piece_eval(p, EMIT_DATA, &data)) {
		val_drop(name);
		return;
	}
	inside = data.kind == VAL_OBJECT ? val_get(data, S("name")) : VAL_UNDEF;
	if (name.kind == VAL_UNDEFINED && inside.kind == VAL_STRING)
		name = val_ref(inside);
	if (t->host->emit != NULL)
		t->host->emit(t->ctx, name.kind == VAL_STRING ? val_str(name) : STR_NONE,
		    data);
	val_drop(name);
	val_drop(data);
	piece_done(p, VAL_NIL);
}

const struct task_run task_emit = { .start = emit_start };
