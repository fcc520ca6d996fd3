/*
 * piece.c - a piece's life: how it comes to be, and how it ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>

#include "task/task_priv.h"

struct piece *
piece_add(struct task *t, struct piece *up, const struct task_run *run,
    const struct agent_work *spec, uint32_t index, struct view *view,
    const struct name *names)
{
	struct piece *p = mem_zero(run->size > 0 ? run->size : sizeof *p);

	assert(run->start != NULL);
	p->mark = PIECE_MARK;
	p->run = run;
	p->spec = spec;
	p->task = t;
	p->up = up;
	p->index = index;
	p->view = view;
	p->names = names;
	list_append(&t->all, &p->all);
	list_append(&t->queue, &p->queue);
	return p;
}

void
piece_free(struct piece *p)
{
	check_piece(p);
	if (p->task->filled == p)
		p->task->filled = NULL;
	list_remove(&p->all);
	list_remove(&p->queue);
	if (p->run->release != NULL)
		p->run->release(p);
	spend_leave(p);
	free(p->spending);
	val_drop(p->result);
	CHECK_END(p);
	free(p);
}

/* ---- how it ends ------------------------------------------------------------- */

/* A leaf does not run any more. */
static void
ends(struct piece *p, enum piece_state state)
{
	check_piece(p);
	assert(p->state == PIECE_RUNS);
	spend_leave(p);
	p->state = (uint8_t)state;
	if ((p->run->traits & TASK_CONTAINER) == 0) {
		assert(p->task->running > 0);
		p->task->running--;
	}
}

void
piece_done(struct piece *p, struct val result)
{
	if (p->task->over) {                 /* stopped from a callback */
		val_drop(result);
		return;
	}
	assert(p->state == PIECE_RUNS);
	if (result.kind == VAL_UNDEFINED)
		result = VAL_NIL;
	if (p->spec->has_writes && !p->inner && !p->recorded &&
	    !piece_write_file(p, result)) {
		val_drop(result);
		return;
	}
	p->result = result;
	p->returns |= p->spec->returns && !p->inner;
	record_piece(p);
	ends(p, PIECE_DONE);
	list_append(&p->task->queue, &p->queue);
}

/* The first failure is the task's. */
static void
fault_keep(struct fault *f, const struct task_error *e)
{
	if (f->event != NULL)
		return;
	f->event = mem_cstr(e->event);
	f->name = mem_cstr(e->name);
	f->message = mem_cstr(e->message);
}

void
piece_fail_with(struct piece *p, const struct task_error *e)
{
	if (p->task->over)
		return;
	ends(p, PIECE_FAILED);
	fault_keep(&p->task->fault, e);
	list_append(&p->task->queue, &p->queue);
}

void
piece_fail(struct piece *p, const char *event, const char *name,
    const char *format, ...)
{
	struct buf text = BUF(LIMIT_TOOL_RESULT_BYTES + KB);
	va_list ap;

	va_start(ap, format);
	buf_add_vfmt(&text, format, ap);
	va_end(ap);
	piece_fail_with(p, &(struct task_error){ str_of(event), str_of(name),
	    buf_str(&text) });
	buf_release(&text);
}

void
piece_interrupt(struct piece *p, struct val value, struct val schema)
{
	struct task *t = p->task;
	struct buf key = BUF(KEY_BYTES);

	if (t->over) {
		val_drop(value);
		val_drop(schema);
		return;
	}
	piece_add_key(&key, p, STR_NONE);
	mem_grow(t->interrupts, t->interrupts_n, t->interrupts_cap);
	t->interrupts[t->interrupts_n++] = (struct task_interrupt){
	    arena_str(&t->arena, buf_str(&key)), value, schema };
	buf_release(&key);
	ends(p, PIECE_WAITS);
}

void
piece_waits(struct piece *p)
{
	if (!p->task->over)
		ends(p, PIECE_WAITS);
}

bool
piece_answer(const struct piece *p, struct val *out)
{
	struct buf key = BUF(KEY_BYTES);
	bool found = false;

	if (p->task->answers_n > 0)
		piece_add_key(&key, p, STR_NONE);
	for (size_t i = 0; i < p->task->answers_n && !found; i++) {
		found = str_eq(p->task->answers[i].key, buf_str(&key));
		if (found)
			*out = p->task->answers[i].value;
	}
	buf_release(&key);
	return found;
}
