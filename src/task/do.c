/*
 * do.c - a sequence: one item after the other, those whose `when` holds.
 *
 * Its result is that of the last item that ran.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/task_priv.h"

struct sequence {
	struct piece p;
	const struct name *outer;            /* names that were there before it */
	struct val last;
	uint32_t next;
};

/* A name with memory of its own. */
struct own_name {
	struct name name;
	struct val value;
};

static struct sequence *
sequence_of(struct piece *p)
{
	return CONTAINER_OF(p, struct sequence, p);
}

static void
finish(struct sequence *s)
{
	struct val last = s->last;

	s->last = VAL_UNDEF;
	piece_done(&s->p, last);
}

static void
advance(struct sequence *s)
{
	struct piece *p = &s->p;

	for (; s->next < p->spec->items_n; s->next++) {
		const struct agent_work *item = &p->spec->items[s->next];
		bool holds;

		if (!piece_eval_bool(p, &item->when, "when", &holds))
			return;
		if (holds) {
			piece_add(p->task, p, run_around(item), item, s->next, p->view,
			    p->names);
			return;
		}
	}
	finish(s);
}

static void
sequence_start(struct piece *p)
{
	struct sequence *s = sequence_of(p);

	s->outer = p->names;
	advance(s);
}

static void
name_add(struct piece *p, int slot, struct val value)
{
	struct own_name *n = mem_new(struct own_name);

	n->value = val_ref(value);
	n->name = (struct name){ p->names, slot, n->value };
	p->names = &n->name;
	p->task->filled = NULL;
}

static void
sequence_child_done(struct piece *p, struct piece *child)
{
	struct sequence *s = sequence_of(p);

	val_drop(s->last);
	s->last = val_ref(child->result);
	if (child->spec->as >= 0)
		name_add(p, child->spec->as, child->result);
	if (child->returns) {
		p->returns = true;
		finish(s);
		return;
	}
	s->next++;
	advance(s);
}

static void
sequence_release(struct piece *p)
{
	struct sequence *s = sequence_of(p);

	if (p->state == PIECE_READY)
		return;                      /* never started: it has no names */
	while (p->names != s->outer) {
		struct own_name *n = CONTAINER_OF(p->names, struct own_name, name);

		p->names = n->name.up;
		val_drop(n->value);
		free(n);
	}
	val_drop(s->last);
}

const struct task_run task_do = {
	.size = sizeof(struct sequence), .traits = TASK_CONTAINER,
	.start = sequence_start, .child_done = sequence_child_done,
	.release = sequence_release,
};

struct piece *
sequence_add(struct piece *up, uint32_t index, struct view *view,
    const struct name *names)
{
	struct piece *p = piece_add(up->task, up, &task_do, up->spec, index, view, names);

	p->inner = true;
	return p;
}
