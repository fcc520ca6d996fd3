/*
 * ask.c - asks a person.  Its result is {value: the answer}.
 *
 * With `value` the question is exactly that value; else an object of `prompt`,
 * `options` and `schema`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/task_priv.h"

static bool
question_add(struct piece *p, struct val *question, unsigned field, const char *name)
{
	struct val v;

	if (!piece_eval(p, field, &v))
		return false;
	if (v.kind != VAL_UNDEFINED)
		*question = val_set_take(*question, str_of(name), v);
	return true;
}

static bool
question_make(struct piece *p, struct val *out)
{
	if (agent_has(piece_field(p, ASK_VALUE)))
		return piece_eval(p, ASK_VALUE, out);
	*out = val_object_empty();
	if (question_add(p, out, ASK_PROMPT, "prompt") &&
	    question_add(p, out, ASK_OPTIONS, "options") &&
	    question_add(p, out, ASK_SCHEMA, "schema"))
		return true;
	val_drop(*out);
	return false;
}

static void
ask_start(struct piece *p)
{
	struct val answer, question, schema;

	if (piece_answer(p, &answer)) {
		piece_done(p, val_set_take(val_object_empty(), S("value"),
		    val_ref(answer)));
		return;
	}
	if (!question_make(p, &question))
		return;
	if (!piece_eval(p, ASK_SCHEMA, &schema)) {
		val_drop(question);
		return;
	}
	piece_interrupt(p, question, schema);
}

const struct task_run task_ask = { .traits = TASK_WAITS | TASK_PURE, .start = ask_start };
