/*
 * repeat.c - a sequence several times, or once for each element of a list, one
 * turn after the other.  Its result is that of the last turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/task_priv.h"

struct repeat {
	struct piece p;
	struct val over;                     /* UNDEF: a count */
	struct name name;
	struct val last;
	int64_t n, next;
};

static struct repeat *
repeat_of(struct piece *p)
{
	return CONTAINER_OF(p, struct repeat, p);
}

static void
advance(struct repeat *r)
{
	struct piece *p = &r->p;
	const struct name *names = p->names;
	struct val last = r->last;

	if (r->next == r->n) {
		r->last = VAL_UNDEF;
		piece_done(p, last);
		return;
	}
	if (p->spec->each >= 0) {
		r->name = (struct name){ p->names, p->spec->each,
		    r->over.kind == VAL_ARRAY ? val_at(r->over, (size_t)r->next) :
		    val_int(r->next) };
		names = &r->name;
	}
	sequence_add(p, (uint32_t)r->next, p->view, names);
}

static void
repeat_start(struct piece *p)
{
	struct repeat *r = repeat_of(p);

	if (!piece_eval(p, REPEAT_OVER, &r->over) ||
	    !piece_eval_int(p, REPEAT_TIMES, 0, LIMIT_REPEAT_TURNS, &r->n))
		return;
	if (r->over.kind != VAL_UNDEFINED && r->over.kind != VAL_ARRAY) {
		piece_fail(p, "error.execution", "ExpressionError", "line %u: repeat.over: "
		    "expected an array", piece_field(p, REPEAT_OVER)->line);
		return;
	}
	if (r->over.kind == VAL_ARRAY)
		r->n = (int64_t)val_count(r->over);
	if (r->n > LIMIT_REPEAT_TURNS) {
		piece_fail(p, "error.execution", "LimitError", "line %u: repeat.over: %lld "
		    "elements; the limit is %d", piece_field(p, REPEAT_OVER)->line,
		    (long long)r->n, LIMIT_REPEAT_TURNS);
		return;
	}
	advance(r);
}

static void
repeat_child_done(struct piece *p, struct piece *child)
{
	struct repeat *r = repeat_of(p);

	val_drop(r->last);
	r->last = val_ref(child->result);
	r->next++;
	if (child->returns) {
		p->returns = true;
		r->next = r->n;
	}
	advance(r);
}

static void
repeat_release(struct piece *p)
{
	struct repeat *r = repeat_of(p);

	val_drop(r->over);
	val_drop(r->last);
}

const struct task_run task_repeat = {
	.size = sizeof(struct repeat), .traits = TASK_CONTAINER, .segment = "repeat",
	.start = repeat_start, .child_done = repeat_child_done,
	.release = repeat_release,
};
