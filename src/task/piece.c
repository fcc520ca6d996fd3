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
	if (up != NULL)
		up->inside++;
	list_append(&t->all, &p->all);
	list_append(&t->queue, &p->queue);
	return p;
}

void
fault_free(struct fault *f)
{
	if (f == NULL)
		return;
	free(f->event);
	free(f->name);
	free(f->message);
	free(f);
}

void
piece_free(struct piece *p)
{
	check_piece(p);
	if (p->task->filled == p)
		p->task->filled = NULL;
	if (p->up != NULL)
		p->up->inside--;
	list_remove(&p->all);
	list_remove(&p->queue);
	if (p->run->release != NULL)
		p->run->release(p);
	spend_leave(p);
	free(p->spending);
	val_drop(p->result);
	fault_free(p->fault);
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

static struct fault *
fault_new(const struct task_error *e)
{
	struct fault *f = mem_new(struct fault);

	f->event = mem_cstr(e->event);
	f->name = mem_cstr(e->name);
	f->message = mem_cstr(e->message);
	return f;
}

void
piece_fail_with(struct piece *p, const struct task_error *e)
{
	if (p->task->over)
		return;
	ends(p, PIECE_FAILED);
	p->fault = fault_new(e);
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

struct task_interrupt *
piece_interrupt(struct piece *p, struct val value, struct val schema)
{
	struct task *t = p->task;
	struct buf key = BUF(KEY_BYTES);

	if (t->over) {
		val_drop(value);
		val_drop(schema);
		return NULL;
	}
	piece_add_key(&key, p, STR_NONE);
	mem_grow(t->interrupts, t->interrupts_n, t->interrupts_cap);
	t->interrupts[t->interrupts_n++] = (struct task_interrupt){
	    arena_str(&t->arena, buf_str(&key)), value, schema, 0, STR_NONE };
	buf_release(&key);
	ends(p, PIECE_WAITS);
	return &t->interrupts[t->interrupts_n - 1];
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

/* ---- stopping a part of the task ------------------------------------------------ */

bool
piece_is_whole(const struct piece *p)
{
	return p->up == NULL || (p->up->run == &task_guard && p->up->up == NULL);
}

static bool
is_within(const struct piece *p, const struct piece *of)
{
	while (p != NULL && p != of)
		p = p->up;
	return p != NULL;
}

struct piece *
piece_inside(const struct piece *p)
{
	const struct list *all = &p->task->all;

	for (const struct list *l = p->all.next; l != all; l = l->next) {
		struct piece *c = CONTAINER_OF((struct list *)l, struct piece, all);

		if (c->up == p)
			return c;
	}
	return NULL;
}

/* Children stand behind their containers in the list; *last: the last one within. */
static size_t
find_last(struct piece *p, struct piece **last)
{
	size_t open = p->inside, n = 1;

	*last = p;
	for (struct list *l = p->all.next; open > 0 && l != &p->task->all; l = l->next) {
		struct piece *c = CONTAINER_OF(l, struct piece, all);

		if (!is_within(c, p))
			continue;
		open += c->inside;
		open--;
		n++;
		*last = c;
	}
	return n;
}

bool
piece_calls_open(const struct piece *p)
{
	struct list *end = &p->task->all;

	if (p->run->is_open != NULL && p->state == PIECE_RUNS && p->run->is_open(p))
		return true;
	for (struct list *l = p->all.next; p->inside > 0 && l != end; l = l->next) {
		const struct piece *c = CONTAINER_OF(l, struct piece, all);

		if (c->state == PIECE_RUNS && c->run->is_open != NULL &&
		    is_within(c, p) && c->run->is_open(c))
			return true;
	}
	return false;
}

/* Nobody is to answer it any more. */
static void
question_drop(struct piece *p)
{
	struct task *t = p->task;
	struct buf key = BUF(KEY_BYTES);
	size_t n = 0;

	piece_add_key(&key, p, STR_NONE);
	for (size_t i = 0; i < t->interrupts_n; i++) {
		struct task_interrupt *x = &t->interrupts[i];

		if (!str_eq(x->key, buf_str(&key))) {
			t->interrupts[n++] = *x;
			continue;
		}
		val_drop(x->value);
		val_drop(x->schema);
	}
	t->interrupts_n = n;
	buf_release(&key);
}

static void
stop_one(struct piece *p)
{
	bool leaf = (p->run->traits & TASK_CONTAINER) == 0;

	if (p->state == PIECE_RUNS && p->run->stop != NULL)
		p->run->stop(p);
	if (p->state == PIECE_RUNS && leaf)
		p->task->running--;
	if (p->state == PIECE_WAITS)
		question_drop(p);
	piece_free(p);
}

/* From the last to the first: a container goes after what is inside of it. */
void
piece_stop(struct piece *p)
{
	struct list *l, *before;
	struct piece *c;
	size_t n = find_last(p, &c);

	for (l = &c->all; n > 0; l = before) {
		c = CONTAINER_OF(l, struct piece, all);
		before = l->prev;
		if (!is_within(c, p))
			continue;
		stop_one(c);
		n--;
	}
}
