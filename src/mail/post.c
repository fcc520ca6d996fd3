/*
 * post.c - a post, and how letters get into it; see post_priv.h for the other parts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/account.h"
#include "mail/post_priv.h"

#include <string.h>

struct post *
post_new(const struct post_options *o, const struct post_ops *ops, void *ctx)
{
	struct post *p = mem_new(struct post);

	assert(o->shard < 256 && o->mailbox_max > 0 && o->retry_first > 0);
	assert(o->retry_max >= o->retry_first && ops->ready != NULL && ops->random != NULL);
	p->options = *o;
	p->ops = *ops;
	p->ctx = ctx;
	slab_init(&p->boxes, sizeof(struct mailbox));
	slab_init(&p->letters, sizeof(struct letter));
	p->letters.account = &account_mail;
	wheel_init(&p->wheel, 0);
	p->told = NEVER;
	return p;
}

static void
lane_drop_texts(const struct lane *lane)
{
	for (const struct letter *l = lane->first; l != NULL; l = l->next)
		mail_text_drop(l->text);
}

void
post_free(struct post *p)
{
	if (p == NULL)
		return;
	assert(!p->running);
	/* Agents may give back what they hold; nobody is told. */
	p->ops.dead = NULL;
	p->ops.expired = p->ops.delivered = NULL;
	for (size_t i = 0; i < p->boxes.table; i++) {
		const struct slab_chunk *c = p->boxes.chunk[i];

		for (uint32_t k = 0; c != NULL && k < c->fresh; k++) {
			struct mailbox *b = slab_at(&p->boxes, c, k);

			if (b->uses == 0)
				continue;
			for (size_t lane = 0; lane < LANES; lane++)
				lane_drop_texts(&b->lane[lane]);
			lane_drop_texts(&b->queue);
			b->uses = 0;
			if (b->kind->closed != NULL)
				b->kind->closed(b->agent);
		}
	}
	lane_drop_texts(&p->held);
	slab_release(&p->boxes);
	slab_release(&p->letters);
	free(p->round);
	free(p);
}

/* ---- letters ---------------------------------------------------------------- */

/* Without a place in a list and a timer. */
static inline void
letter_fill(struct post *p, struct letter *l, const struct post_letter *from, msec now)
{
	assert(from->priority < LANES);
	l->from = from->from;
	l->to = from->to;
	l->number = ++p->numbered;
	l->created = now;
	l->act = (uint8_t)from->act;
	l->priority = from->priority;
	l->flags = from->flags & LETTER_OPEN_FLAGS;
	l->tries = 0;
	l->expires = from->ttl > 0 ? now + from->ttl : 0;
	l->max_retries = from->max_retries > 0 ? from->max_retries : p->options.tries_max;
	l->timer.in = (struct list){ NULL, NULL };
	if ((l->flags & LETTER_DURABLE) != 0)
		l->row = from->row;
}

/* A text that is small lies in the letter. */
static inline void
letter_write(struct letter *l, const void *bytes, size_t n, struct mail_text *text)
{
	l->n = (uint32_t)n;
	l->text = NULL;
	if (n > LETTER_INLINE)
		l->text = text != NULL ? mail_text_hold(text) : mail_text_new(bytes, n);
	else if (n > 0)
		memcpy(l->small, bytes, n);
}

static inline struct letter *
letter_new(struct post *p, const struct post_letter *from, msec now)
{
	struct letter *l = slab_take(&p->letters);

	letter_fill(p, l, from, now);
	if (from->text != NULL)
		letter_write(l, from->text->bytes, from->text->n, from->text);
	else
		letter_write(l, from->packed.p, from->packed.n, NULL);
	return l;
}

void
letter_free(struct post *p, struct letter *l)
{
	mail_text_drop(l->text);
	slab_give(&p->letters, l);
}

/* ---- in --------------------------------------------------------------------- */

static inline void
accept(struct post *p, struct mailbox *b, struct letter *l)
{
	b->accepted++;
	b->waiting++;
	p->books.pending++;
	lane_append(&b->lane[l->priority], l);
	b->full |= (uint8_t)(1u << l->priority);
	if (l->expires > 0)
		letter_time(p, l, l->expires);
	box_ready(p, b);
	if (is_to_weigh(b))
		box_weigh(b);
}

/* It, or the process. */
static bool
is_full(const struct mailbox *b)
{
	return b->waiting >= b->cap || b->outside > 0 || account_room(&account_mail) == 0;
}

/* l is here for good: into its mailbox, beside it, or dead; without a mailbox of this. */
static void
arrive(struct post *p, struct letter *l, enum mail_dead_reason why)
{
	struct mailbox *b = box_find(p, l->to);

	if (b != NULL && (b->flags & BOX_DRAINS) == 0 && !is_full(b)) {
		accept(p, b, l);
		return;
	}
	p->books.pending++;
	if (b == NULL) {
		p->gone.accepted++;
		letter_dead(p, NULL, l, why);
		return;
	}
	b->accepted++;
	b->outside++;
	l->flags |= LETTER_OUTSIDE;
	if ((b->flags & BOX_DRAINS) != 0)
		letter_dead(p, b, l, DEAD_STOPPED);
	else if (b->outside > b->cap)
		letter_dead(p, b, l, DEAD_FULL);
	else
		wait_outside(p, b, l);
}

/* For another shard. */
static void
send_away(struct post *p, const struct post_letter *from, msec now)
{
	struct letter l = { 0 };

	letter_fill(p, &l, from, now);
	if (from->text != NULL)
		letter_write(&l, from->text->bytes, from->text->n, from->text);
	else
		letter_write(&l, from->packed.p, from->packed.n, NULL);
	p->books.gone++;
	p->ops.carry(p->ctx, &l);
	mail_text_drop(l.text);
}

static int
refuse(struct post *p, struct mailbox *b, int rc)
{
	p->books.refused++;
	if (b != NULL)
		b->refused++;
	return rc;
}

int
post_send(struct post *p, const struct post_letter *from, msec now)
{
	struct mailbox *b;

	p->now = now;
	if (from->to.shard != p->options.shard && from->to.uses > 0) {
		p->books.sent++;
		send_away(p, from, now);
		return OK;
	}
	b = box_find(p, from->to);
	if (b == NULL || (b->flags & BOX_DRAINS) != 0)
		return refuse(p, b, ERR_NOTFOUND);
	if (is_full(b))
		return refuse(p, b, ERR_AGAIN);
	p->books.sent++;
	accept(p, b, letter_new(p, from, now));
	return OK;
}

static void
go(struct post *p, const struct post_letter *from, msec now)
{
	p->now = now;
	if (from->to.shard != p->options.shard && from->to.uses > 0)
		send_away(p, from, now);
	else
		arrive(p, letter_new(p, from, now), DEAD_NO_AGENT);
}

void
post_send_later(struct post *p, const struct post_letter *from, msec now)
{
	p->books.sent++;
	go(p, from, now);
}

void
post_revive(struct post *p, const struct post_letter *from, msec now)
{
	assert(p->books.dead > 0);
	p->books.dead--;
	p->revived++;
	go(p, from, now);
}

void
post_come(struct post *p, const struct letter *from, msec now)
{
	struct post_letter as = { .from = from->from, .to = from->to, .act = from->act,
		.packed = letter_packed(from), .text = from->text, .priority = from->priority,
		.flags = from->flags, .max_retries = from->max_retries,
		.row = (from->flags & LETTER_DURABLE) != 0 ? from->row : 0 };
	struct letter *l;

	assert(from->to.shard == p->options.shard);
	p->now = now;
	p->books.come++;
	l = letter_new(p, &as, now);
	l->created = from->created;
	l->expires = from->expires;
	arrive(p, l, DEAD_NO_AGENT);
}

void
post_arrive(struct post *p, const struct post_letter *from, enum mail_dead_reason why, msec now)
{
	assert(from->to.uses == 0 || from->to.shard == p->options.shard);
	p->now = now;
	p->books.come++;
	p->books.arrived++;
	arrive(p, letter_new(p, from, now), why);
}

void
post_passed(struct post *p)
{
	p->books.come++;
	p->books.gone++;
	p->books.left++;
}

void
post_left(struct post *p, size_t n)
{
	p->books.sent += n;
	p->books.gone += n;
	p->books.left += n;
}
