/*
 * task.c - the door, and the queue that drives an attempt.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/task_priv.h"

/* ---- may it be left and made again? ------------------------------------------ */

/* While somebody is asked, or it waits for a time. */
static bool
work_may_wait(const struct agent_work *w)
{
	if ((run_of(w)->traits & TASK_WAITS) != 0 || run_of(w)->sleeps != NULL ||
	    w->child != NULL || w->child_name.n > 0)
		return true;
	for (size_t i = 0; i < w->items_n; i++)
		if (work_may_wait(&w->items[i]))
			return true;
	return false;
}

/* ---- a task's life ------------------------------------------------------------ */

struct task *
task_new(const struct task_spec *s, const struct task_host *h, void *ctx)
{
	struct task *t = mem_new(struct task);

	t->mark = TASK_MARK;
	t->agent = s->agent;
	t->work = s->work;
	t->host = h;
	t->ctx = ctx;
	t->defaults = s->defaults;
	t->id = s->id;
	t->input = val_ref(s->input);
	t->config = val_ref(s->config);
	t->context = val_ref(s->context);
	t->event = val_ref(s->event);
	t->view.state = channels_clone(s->state);
	t->messages = channels_find(s->state, S("messages"));
	t->slots = mem_zero(s->agent->slots_n * sizeof *t->slots);
	t->may_wait = work_may_wait(s->work);
	t->counts = s->counts;
	t->limits = s->limits;
	list_init(&t->all);
	list_init(&t->queue);
	records_init(t, s);
	return t;
}

static void
pieces_leave(struct task *t)
{
	for (struct list *l = t->all.next; l != &t->all; l = l->next) {
		struct piece *p = CONTAINER_OF(l, struct piece, all);

		if (p->state == PIECE_RUNS && p->run->stop != NULL)
			p->run->stop(p);
		spend_leave(p);
		if (p->state == PIECE_RUNS)
			p->state = PIECE_FAILED;
	}
}

static void
pause_leave(struct task *t)
{
	if (t->paused)
		t->host->timer_stop(t->ctx, &t->pause);
	t->paused = false;
}

static void
task_release(struct task *t)
{
	while (!list_empty(&t->all))         /* a container after what is in it */
		piece_free(CONTAINER_OF(t->all.prev, struct piece, all));
	agent_scope_changed(&(struct agent_scope){ t->agent, t->slots, NULL });
	free(t->slots);
	view_release(&t->view);
	records_release(t);
	val_drop(t->input);
	val_drop(t->config);
	val_drop(t->context);
	val_drop(t->event);
	CHECK_END(t);
	free(t);
}

void
task_stop(struct task *t)
{
	CHECK_MARK(t, TASK_MARK);
	if (t->over)
		return;
	t->over = true;
	t->depth++;
	pieces_leave(t);
	pause_leave(t);
	t->depth--;
}

void
task_free(struct task *t)
{
	if (t == NULL)
		return;
	task_stop(t);
	if (t->depth > 0)
		t->gone = true;
	else
		task_release(t);
}

/* ---- the end of a piece --------------------------------------------------------- */

static void
end_done(struct task *t, struct piece *root)
{
	t->over = true;
	t->host->done(t->ctx, root->result);
}

/* What is around it may take the failure.  Else the first one counts, and the rest
 * is stopped. */
static void
end_failed(struct task *t, struct piece *p)
{
	struct fault *f = p->fault;
	struct task_error e = { str_of(f->event), str_of(f->name), str_of(f->message) };

	p->fault = NULL;                     /* it outlives the piece */
	for (struct piece *c = p, *up = p->up; up != NULL; c = up, up = up->up)
		if (up->run->child_failed != NULL && up->run->child_failed(up, c, &e)) {
			fault_free(f);
			return;
		}
	t->over = true;
	pieces_leave(t);
	pause_leave(t);
	t->host->failed(t->ctx, &e);
	fault_free(f);
}

static void
piece_begin(struct piece *p)
{
	struct task *t = p->task;
	bool leaf = (p->run->traits & TASK_CONTAINER) == 0;

	p->state = PIECE_RUNS;
	t->begun++;
	p->wrote = (uint32_t)p->view->n;
	if (leaf)
		t->running++;
	if (t->begun > LIMIT_TASK_PIECES)
		piece_fail(p, "error.execution", "LimitError", "the task has more than %d "
		    "pieces of work", LIMIT_TASK_PIECES);
	else if (!leaf || !record_repeat(p))
		p->run->start(p);
}

static void
piece_tell(struct piece *p)
{
	struct piece *up = p->up;

	if (up == NULL) {
		end_done(p->task, p);
		return;
	}
	assert(up->state == PIECE_RUNS);
	up->run->child_done(up, p);
	piece_free(p);
}

/* ---- pauses ---------------------------------------------------------------------- */

#define PAUSE_MS     1
#define PAUSE_PIECES 5000                    /* some milliseconds of them */
#define PAUSE_STEPS  200000                  /* of expressions; the same */

static void
on_pause(struct task_timer *timer)
{
	struct task *t = CONTAINER_OF(timer, struct task, pause);

	t->paused = false;
	if (task_enter(t))
		task_leave(t);
}

/* Has the task had its share?  Then it goes on when the timer fires. */
static bool
pause_is_due(struct task *t, size_t begun, size_t steps)
{
	if (t->begun - begun < PAUSE_PIECES && t->steps - steps < PAUSE_STEPS)
		return false;
	if (t->host->timer_set == NULL)
		return false;
	t->pause.fire = on_pause;
	t->paused = true;
	t->host->timer_set(t->ctx, &t->pause, PAUSE_MS);
	return true;
}

/* ---- the queue ------------------------------------------------------------------ */

static void
queue_run(struct task *t)
{
	size_t begun = t->begun, steps = t->steps;

	while (!t->over && !t->paused && !list_empty(&t->queue)) {
		struct piece *p = CONTAINER_OF(t->queue.next, struct piece, queue);

		if (pause_is_due(t, begun, steps))
			return;
		check_piece(p);
		list_remove(&p->queue);
		if (p->state == PIECE_READY)
			piece_begin(p);
		else if (p->state == PIECE_FAILED)
			end_failed(t, p);
		else
			piece_tell(p);
	}
	if (t->over || t->paused || t->running > 0)
		return;
	t->over = true;
	pieces_leave(t);                     /* timers of guards */
	t->host->waits(t->ctx);
}

bool
task_enter(struct task *t)
{
	CHECK_MARK(t, TASK_MARK);
	if (t->over)
		return false;
	t->depth++;
	return true;
}

void
task_leave(struct task *t)
{
	assert(t->depth > 0);
	if (t->depth == 1)
		queue_run(t);
	if (--t->depth == 0 && t->gone)
		task_release(t);
}

void
task_start(struct task *t)
{
	CHECK_MARK(t, TASK_MARK);
	assert(!t->started);
	t->started = true;
	if (!task_enter(t))
		return;
	t->root = piece_add(t, NULL, run_around(t->work), t->work, 0, &t->view, NULL);
	task_leave(t);
}

/* ---- sleep ------------------------------------------------------------------------ */

bool
task_sleeps(const struct task *t, msec *until)
{
	*until = TASK_NEVER;
	if (t->over || t->paused || t->depth > 0 || t->running == 0 ||
	    !list_empty(&t->queue))
		return false;
	for (struct list *l = t->all.next; l != &t->all; l = l->next) {
		const struct piece *p = CONTAINER_OF(l, struct piece, all);
		bool leaf = (p->run->traits & TASK_CONTAINER) == 0;
		msec due = TASK_NEVER;

		if (p->state != PIECE_RUNS)
			continue;
		if (p->run->sleeps == NULL ? leaf : !p->run->sleeps(p, &due))
			return false;
		*until = due < *until ? due : *until;
	}
	return true;
}

/* ---- what is left ------------------------------------------------------------------ */

const struct task_write *
task_writes(const struct task *t, size_t *n)
{
	*n = t->view.n;
	return t->view.writes;
}

const struct task_interrupt *
task_interrupts(const struct task *t, size_t *n)
{
	*n = t->interrupts_n;
	return t->interrupts;
}

const struct task_record *
task_records(const struct task *t, size_t *n)
{
	*n = t->kept_n;
	return t->kept;
}
