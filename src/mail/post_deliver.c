/*
 * post_deliver.c - the round: mailboxes are visited in turn, a few letters each, so that
 * no mailbox waits for another that is never empty.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/post_priv.h"

#define VISIT_MAX 64                         /* letters of one mailbox at a time */

const char *const mail_dead_names[] = {
	"no-agent", "stopped", "failed", "full", "refused", NULL
};

/* ---- ends of letters -------------------------------------------------------------- */

/* The part of all ends: l is in no list, and no longer pending. */
static void
settle(struct post *p, struct mailbox *b, struct letter *l)
{
	letter_untime(p, l);
	p->books.pending--;
	if (b == NULL)
		return;
	if ((l->flags & LETTER_OUTSIDE) != 0)
		b->outside--;
	else
		b->waiting--;
}

/* The host has heard of it, and may have closed the mailbox. */
static void
part(struct post *p, struct letter *l)
{
	struct mail_ref at = l->to;
	struct mailbox *b;

	letter_free(p, l);
	b = box_find(p, at);
	if (b != NULL)
		box_eased(p, b);
}

void
letter_dead(struct post *p, struct mailbox *b, struct letter *l, enum mail_dead_reason why)
{
	settle(p, b, l);
	*(b != NULL ? &b->dead : &p->gone.dead) += 1;
	p->books.dead++;
	p->books.died[why]++;
	if (p->ops.dead != NULL)
		p->ops.dead(p->ctx, l, why);
	part(p, l);
}

void
letter_expired(struct post *p, struct mailbox *b, struct letter *l)
{
	settle(p, b, l);
	b->expired++;
	p->books.expired++;
	if (p->ops.expired != NULL)
		p->ops.expired(p->ctx, l);
	part(p, l);
}

void
letter_left(struct post *p, struct mailbox *b, struct letter *l)
{
	settle(p, b, l);
	b->accepted--;
	p->books.gone++;
	p->books.left++;
	letter_free(p, l);
}

static inline bool
is_told(const struct post *p, const struct letter *l)
{
	return (l->flags & (LETTER_DURABLE | LETTER_RECEIPT)) != 0 && p->ops.delivered != NULL;
}

/* Of a letter in hand or held. */
static inline void
letter_delivered(struct post *p, struct mailbox *b, struct letter *l)
{
	p->books.pending--;
	p->books.delivered++;
	if (b != NULL)
		b->waiting--;                /* which makes it delivered in its books */
	else
		p->gone.delivered++;
	if (is_told(p, l)) {
		p->ops.delivered(p->ctx, l);
		part(p, l);
		return;
	}
	letter_free(p, l);
	if (b != NULL && (b->outside > 0 || (b->flags & (BOX_DRAINS | BOX_WEIGHED)) != 0))
		box_eased(p, b);
}

/* ---- what the agent did with it ---------------------------------------------------- */

static void
held(struct post *p, struct mailbox *b, struct letter *l)
{
	(void)b;
	l->flags |= LETTER_HELD;
	lane_append(&p->held, l);
}

static void
busy(struct post *p, struct mailbox *b, struct letter *l)
{
	if (b == NULL) {
		letter_dead(p, NULL, l, DEAD_STOPPED);
		return;
	}
	lane_put_back(b, l);
	if (l->expires > 0)
		letter_time(p, l, l->expires);
	b->flags |= BOX_ASLEEP;
}

static void
failed(struct post *p, struct mailbox *b, struct letter *l)
{
	if (b == NULL) {
		letter_dead(p, NULL, l, DEAD_STOPPED);
		return;
	}
	if (l->tries >= l->max_retries) {
		letter_dead(p, b, l, DEAD_FAILED);
		return;
	}
	p->books.retried++;
	b->retried++;
	wait_try(p, b, l);
}

static void
refused(struct post *p, struct mailbox *b, struct letter *l)
{
	letter_dead(p, b, l, DEAD_REFUSED);
}

/* b NULL: the mailbox was closed meanwhile. */
static void (*const outcomes[])(struct post *p, struct mailbox *b, struct letter *l) = {
	[MAIL_TAKEN] = letter_delivered, [MAIL_HELD] = held, [MAIL_BUSY] = busy,
	[MAIL_FAILED] = failed, [MAIL_REFUSED] = refused,
};

/* ---- held letters ------------------------------------------------------------------- */

/* Out of the agent's hands; its mailbox, or NULL. */
static struct mailbox *
unhold(struct post *p, struct letter *l)
{
	assert((l->flags & LETTER_HELD) != 0);
	l->flags &= (uint8_t)~LETTER_HELD;
	lane_unlink(&p->held, l);
	return box_find(p, l->to);
}

void
post_done(struct post *p, struct letter *l)
{
	letter_delivered(p, unhold(p, l), l);
}

void
post_return(struct post *p, struct letter *l)
{
	struct mailbox *b = unhold(p, l);

	if (b == NULL) {
		letter_dead(p, NULL, l, DEAD_STOPPED);
		return;
	}
	if (l->expires > 0 && l->expires <= p->now) {
		letter_expired(p, b, l);
		return;
	}
	lane_put_back(b, l);
	if (l->expires > 0)
		letter_time(p, l, l->expires);
	box_ready(p, b);
}

void
post_failed(struct post *p, struct letter *l, msec now)
{
	p->now = now;
	failed(p, unhold(p, l), l);
}

/* ---- the round -------------------------------------------------------------------------- */

/* The highest lane, but every eighth time each lane in turn.  ready: not 0. */
static unsigned
lane_choose(struct mailbox *b, unsigned ready)
{
	unsigned turn, lane;

	if ((ready & (ready - 1)) == 0)
		return (unsigned)__builtin_ctz(ready);
	turn = b->turn++;
	lane = turn >> 3 & (LANES - 1);
	if ((turn & 7) == 7 && (ready >> lane & 1) != 0)
		return lane;
	return 31 - (unsigned)__builtin_clz(ready);
}

static inline struct letter *
lane_pop(struct mailbox *b, unsigned i)
{
	struct lane *lane = &b->lane[i];
	struct letter *l = lane->first;

	lane->first = l->next;
	if (lane->first != NULL) {
		lane->first->prev = NULL;
		if ((lane->first->flags & LETTER_RESTS) != 0)
			b->rests |= (uint8_t)(1u << i);
	} else {
		lane->last = NULL;
		b->full &= (uint8_t)~(1u << i);
	}
	return l;
}

static inline void
hand_over(struct post *p, struct mailbox *b, unsigned lane)
{
	struct letter *l = lane_pop(b, lane);
	enum mail_taken done;

	letter_untime(p, l);
	p->hand = l;
	done = b->kind->take(b->agent, l);
	p->hand = NULL;
	assert(done <= MAIL_REFUSED);
	if (done == MAIL_TAKEN)
		letter_delivered(p, p->visited_closed ? NULL : b, l);
	else
		outcomes[done](p, p->visited_closed ? NULL : b, l);
}

static size_t
visit(struct post *p, struct mailbox *b, size_t max)
{
	size_t n = 0;
	unsigned ready;

	p->visited = b;
	p->visited_closed = false;
	b->flags &= (uint8_t)~BOX_WOKEN;
	while (n < max && (b->flags & BOX_ASLEEP) == 0) {
		ready = b->full & ~(unsigned)b->rests;
		if (ready == 0)
			break;
		hand_over(p, b, lane_choose(b, ready));
		n++;
	}
	if ((b->flags & BOX_WOKEN) != 0)     /* and then said that it is busy */
		b->flags &= (uint8_t)~BOX_ASLEEP;
	b->flags &= (uint8_t)~BOX_QUEUED;
	p->visited = NULL;
	if (p->visited_closed) {
		box_end(p, b);
		box_free(p, b);
	} else {
		box_ready(p, b);
		if ((b->flags & BOX_WEIGHED) != 0)
			box_weigh(b);
	}
	return n;
}

/* The first of the round.  Those behind it are fetched meanwhile. */
static struct mailbox *
round_next(struct post *p)
{
	uint32_t mask = p->round_size - 1;
	struct mailbox *b = p->round[p->round_first];

	if (p->round_n > 4)
		__builtin_prefetch(p->round[(p->round_first + 4) & mask], 1);
	if (p->round_n > 2) {
		const struct mailbox *soon = p->round[(p->round_first + 2) & mask];

		__builtin_prefetch(soon->lane[0].first, 1);
		__builtin_prefetch(soon->agent, 1);
	}
	p->round_first = (p->round_first + 1) & mask;
	p->round_n--;
	return b;
}

bool
post_run(struct post *p, size_t max, msec now)
{
	assert(!p->running);
	p->running = true;
	p->now = now;
	wheel_advance(&p->wheel, now);
	while (p->round_n > 0 && max > 0) {
		struct mailbox *b = round_next(p);

		if (b->uses == 0) {          /* closed since */
			box_free(p, b);
			continue;
		}
		max -= visit(p, b, max < VISIT_MAX ? max : VISIT_MAX);
	}
	p->running = false;
	return p->round_n > 0;
}
