/*
 * work.c - one operation of the work tracker; its result is the tracker's answer.
 *
 * Made again after a crash, it gets the answer of the first (`once`).
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/task_priv.h"

struct work_piece {
	struct piece p;
	struct task_call *call;
};

static struct work_piece *
work_of(struct piece *p)
{
	return CONTAINER_OF(p, struct work_piece, p);
}

static void
on_answer(struct piece *p, void *arg, const struct call_end *end)
{
	struct val answer;
	struct err e;

	((struct work_piece *)arg)->call = NULL;
	if (!end->ok)
		tool_fail(p, S("work"), end);
	else if (val_json(&answer, end->content, &e) == OK)
		piece_done(p, answer);
	else
		piece_done(p, val_string(end->content));
}

/* The fields that the file has, by their names. */
static bool
read_args(struct piece *p, struct buf *out)
{
	struct val v;

	buf_add_char(out, '{');
	for (unsigned i = 0; i < p->spec->kind->fields_n; i++) {
		if (!agent_has(piece_field(p, i)))
			continue;
		if (!piece_eval(p, i, &v))
			return false;
		json_add_fmt(out, ",%s:", p->spec->kind->fields[i].name);
		val_add_json(out, v);
		val_drop(v);
	}
	buf_add_char(out, '}');
	if (!out->failed)
		return true;
	piece_fail(p, "error.execution", "LimitError", "line %u: work: larger than %d "
	    "bytes", p->spec->line, LIMIT_LLM_BODY_BYTES);
	return false;
}

static void
work_start(struct piece *p)
{
	struct work_piece *w = work_of(p);
	struct buf args = BUF(LIMIT_LLM_BODY_BYTES);
	struct call_want want = { .done = on_answer, .arg = w, .tracker = true };

	assert(p->spec->op >= 0);
	if (read_args(p, &args)) {
		want.name = str_of(p->spec->kind->ops[p->spec->op]);
		want.args_json = buf_str(&args);
		w->call = call_start(p, &want);
	}
	buf_release(&args);
}

static void
work_stop(struct piece *p)
{
	struct work_piece *w = work_of(p);

	if (w->call != NULL)
		call_forget(w->call);
	w->call = NULL;
}

const struct task_run task_work = {
	.size = sizeof(struct work_piece), .traits = TASK_EFFECT,
	.start = work_start, .stop = work_stop,
};
