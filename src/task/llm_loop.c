/*
 * llm_loop.c - an llm with max_turns: asks, runs the tools it asks for, asks
 * again.
 *
 * The conversation of the loop is kept here: `writes` of the file may put the
 * answer somewhere else, or the agent may have no channel of messages at all.
 * Turns and calls are pieces of their own, so each is in the journal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/llm_priv.h"

struct loop {
	struct piece p;
	struct val base, said;               /* arrays of messages */
	struct val last;                     /* result of the last turn */
	uint32_t next;                       /* even: ask; odd: tools */
};

static struct loop *
loop_of(struct piece *p)
{
	return CONTAINER_OF(p, struct loop, p);
}

/* One turn.  What it says is part of the loop. */
static void
turn(struct loop *l)
{
	struct piece *p = &l->p;
	const struct task_run *run = l->next % 2 == 0 ? &task_llm : &task_tools;

	piece_add(p->task, p, run, p->spec, l->next, p->view, p->names)->inner = true;
	l->next++;
}

static void
loop_start(struct piece *p)
{
	struct loop *l = loop_of(p);

	if (!llm_conversation(p, &l->base))
		return;
	l->said = val_array_empty();
	turn(l);
}

static void
finish(struct loop *l)
{
	struct val last = l->last;

	l->last = VAL_UNDEF;
	piece_done(&l->p, last);
}

static void
answered(struct loop *l, struct piece *child)
{
	int64_t max = agent_int(piece_field(&l->p, LLM_MAX_TURNS), 1);

	val_drop(l->last);
	l->last = val_ref(child->result);
	l->said = val_push_take(l->said, val_ref(val_get(l->last, S("message"))));
	if (!val_has(l->last, S("tool_calls")))
		finish(l);
	else if ((l->next + 1) / 2 >= max)
		piece_fail(&l->p, "error.llm.max_turns", "MaxTurnsError", "the model still "
		    "asks for tools after %lld turns", (long long)max);
	else
		turn(l);
}

static void
loop_child_done(struct piece *p, struct piece *child)
{
	struct loop *l = loop_of(p);

	if (child->run == &task_llm) {
		answered(l, child);
		return;
	}
	for (size_t i = 0; i < val_count(child->result); i++)
		l->said = val_push_take(l->said, val_ref(val_at(child->result, i)));
	turn(l);
}

bool
llm_loop_said(const struct piece *p, struct val *base, struct val *said)
{
	const struct loop *l;

	if (p->up == NULL || p->up->run != &llm_loop)
		return false;
	l = loop_of(p->up);
	*base = l->base;
	*said = l->said;
	return true;
}

static void
loop_release(struct piece *p)
{
	struct loop *l = loop_of(p);

	val_drop(l->base);
	val_drop(l->said);
	val_drop(l->last);
}

const struct task_run llm_loop = {
	.size = sizeof(struct loop), .traits = TASK_CONTAINER | TASK_WAITS,
	.segment = "turn", .start = loop_start, .child_done = loop_child_done,
	.release = loop_release,
};
