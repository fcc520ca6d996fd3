/*
 * post_wait.c - letters that wait: for another try, for room, or for their end.
 *
 * A letter has one timer, set to the first of what can happen to it: its ttl is over, it
 * is tried again, it has waited for room too long.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/backoff.h"
#include "mail/post_priv.h"

/* ---- lanes ------------------------------------------------------------------- */

void
lane_unlink(struct lane *lane, struct letter *l)
{
	if (l->prev != NULL)
		l->prev->next = l->next;
	else
		lane->first = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	else
		lane->last = l->prev;
}

/* It was taken from the front, so its place is there or behind others that were. */
void
lane_put_back(struct mailbox *b, struct letter *l)
{
	struct lane *lane = &b->lane[l->priority];
	struct letter *before = NULL, *behind = lane->first;

	while (behind != NULL && behind->number < l->number) {
		before = behind;
		behind = behind->next;
	}
	l->prev = before;
	l->next = behind;
	*(before != NULL ? &before->next : &lane->first) = l;
	*(behind != NULL ? &behind->prev : &lane->last) = l;
	lane_mark(b, l->priority);
}

/* ---- timers -------------------------------------------------------------------- */

static msec
pause_after(struct post *p, unsigned tries)
{
	return backoff_pause(p->options.retry_first, p->options.retry_max, tries,
	    p->ops.random(p->ctx));
}

/* The letter behind one that rests may be taken. */
static void
take_out(struct post *p, struct mailbox *b, struct letter *l)
{
	if ((l->flags & LETTER_OUTSIDE) != 0) {
		lane_unlink(&b->queue, l);
		return;
	}
	lane_unlink(&b->lane[l->priority], l);
	lane_mark(b, l->priority);
	box_ready(p, b);
}

static void
wait_over(struct wheel_timer *t)
{
	struct letter *l = CONTAINER_OF(t, struct letter, timer);
	struct post *p = CONTAINER_OF(slab_chunk_of(l)->owner, struct post, letters);
	struct mailbox *b = box_find(p, l->to);

	assert(b != NULL && (l->flags & (LETTER_TIMED | LETTER_HELD)) == LETTER_TIMED);
	l->flags &= (uint8_t)~LETTER_TIMED;
	if (l->expires > 0 && l->expires <= p->wheel.now) {
		take_out(p, b, l);
		letter_expired(p, b, l);
	} else if ((l->flags & LETTER_OUTSIDE) != 0) {
		take_out(p, b, l);
		letter_dead(p, b, l, DEAD_FULL);
	} else {
		assert((l->flags & LETTER_RESTS) != 0);
		l->flags &= (uint8_t)~LETTER_RESTS;
		lane_mark(b, l->priority);
		if (l->expires > 0)
			letter_time(p, l, l->expires);
		box_ready(p, b);
	}
}

void
letter_time(struct post *p, struct letter *l, msec due)
{
	if (l->expires > 0 && l->expires < due)
		due = l->expires;
	if (p->wheel.count == 0)
		wheel_advance(&p->wheel, p->now);
	l->flags |= LETTER_TIMED;
	l->timer.fire = wait_over;
	wheel_set(&p->wheel, &l->timer, due);
	if (due < p->told && !p->running) {
		p->told = due;
		p->ops.ready(p->ctx);
	}
}

void
letter_untime(struct post *p, struct letter *l)
{
	if ((l->flags & LETTER_TIMED) == 0)
		return;
	l->flags &= (uint8_t)~LETTER_TIMED;
	wheel_cancel(&p->wheel, &l->timer);
}

msec
post_due(struct post *p)
{
	p->told = wheel_next(&p->wheel);
	return p->told;
}

/* ---- another try ------------------------------------------------------------------ */

void
wait_try(struct post *p, struct mailbox *b, struct letter *l)
{
	l->flags |= LETTER_RESTS;
	lane_put_back(b, l);
	letter_time(p, l, p->now + pause_after(p, l->tries++));
}

/* ---- room ------------------------------------------------------------------------- */

/* It waits as long as its retries would take; when there is room it is in at once. */
void
wait_outside(struct post *p, struct mailbox *b, struct letter *l)
{
	msec patience = 0;

	for (unsigned i = 0; i < l->max_retries; i++)
		patience += pause_after(p, i);
	lane_append(&b->queue, l);
	letter_time(p, l, p->now + patience);
	if (is_to_weigh(b))
		box_weigh(b);
}

void
wait_admit(struct post *p, struct mailbox *b)
{
	while (b->outside > 0 && b->waiting < b->cap) {
		struct letter *l = b->queue.first;

		lane_unlink(&b->queue, l);
		letter_untime(p, l);
		l->flags &= (uint8_t)~LETTER_OUTSIDE;
		b->outside--;
		b->waiting++;
		lane_append(&b->lane[l->priority], l);
		lane_mark(b, l->priority);
		if (l->expires > 0)
			letter_time(p, l, l->expires);
	}
	box_ready(p, b);
}
