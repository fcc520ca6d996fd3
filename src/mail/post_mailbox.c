/*
 * post_mailbox.c - mailboxes: opened, drained, paused, closed.
 *
 * A mailbox is closed at once: no mail_ref finds it any more.  Its place is free when no
 * visit is under way and the round has left it; its agent hears `closed` after a visit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/post_priv.h"

#define ROUND_FIRST 1024

const char *const mail_state_names[] = {
	"unloaded", "loaded", "ready", "running", "draining", "stopped", "failed", NULL
};

/* ---- the round's size ---------------------------------------------------------- */

/* Every mailbox has room in the round, so that sending cannot fail there. */
static void
round_resize(struct post *p, uint32_t size)
{
	struct mailbox **ring = mem_alloc(size * sizeof *ring);

	for (uint32_t i = 0; i < p->round_n; i++)
		ring[i] = p->round[(p->round_first + i) & (p->round_size - 1)];
	free(p->round);
	p->round = ring;
	p->round_first = 0;
	p->round_size = size;
}

static void
round_fit(struct post *p)
{
	if (p->boxes.used > p->round_size)
		round_resize(p, p->round_size == 0 ? ROUND_FIRST : 2 * p->round_size);
	else if (p->round_size > ROUND_FIRST && p->boxes.used < p->round_size / 8)
		round_resize(p, p->round_size / 4);
}

/* ---- open and close -------------------------------------------------------------- */

struct mail_ref
post_open(struct post *p, const struct mail_kind *k, void *a, uint32_t cap)
{
	struct mailbox *b = slab_take(&p->boxes);
	const struct slab_chunk *c = slab_chunk_of(b);
	uint32_t i = (uint32_t)(((char *)b - (const char *)c - SLAB_FIRST) / sizeof *b);

	round_fit(p);
	if (++p->opened == 0)
		p->opened = 1;
	*b = (struct mailbox){ .uses = p->opened, .kind = k, .agent = a,
		.flags = k->load != NULL ? BOX_WEIGHED : 0,
		.cap = cap > 0 ? cap : p->options.mailbox_max,
		.place = c->number * BOXES_PER_CHUNK + i };
	assert(b->place < PLACES_MAX);
	return (struct mail_ref){ .uses = b->uses, .place = b->place & (PLACES_MAX - 1),
		.shard = p->options.shard & 255 };
}

void
box_end(struct post *p, struct mailbox *b)
{
	p->gone.accepted += b->accepted;
	p->gone.dead += b->dead;
	p->gone.expired += b->expired;
	p->gone.retried += b->retried;
	/* What is still waiting is held: counted when the agent has settled it. */
	p->gone.delivered += b->accepted - b->dead - b->expired - b->waiting;
	if (b->kind->closed != NULL)
		b->kind->closed(b->agent);
}

void
box_free(struct post *p, struct mailbox *b)
{
	b->flags = 0;
	slab_give(&p->boxes, b);
	round_fit(p);
}

static void
lane_clear(struct post *p, struct mailbox *b, struct lane *lane)
{
	while (lane->first != NULL) {
		struct letter *l = lane->first;

		lane_unlink(lane, l);
		letter_dead(p, b, l, DEAD_STOPPED);
	}
}

static void
lane_leave(struct post *p, struct mailbox *b, struct lane *lane)
{
	while (lane->first != NULL) {
		struct letter *l = lane->first;

		lane_unlink(lane, l);
		letter_left(p, b, l);
	}
}

static int
box_close(struct post *p, struct mail_ref at, void (*clear)(struct post *p, struct mailbox *b,
    struct lane *lane))
{
	struct mailbox *b = box_find(p, at);

	if (b == NULL)
		return ERR_NOTFOUND;
	b->uses = 0;
	b->flags &= BOX_QUEUED;
	b->full = b->rests = 0;
	for (size_t i = 0; i < LANES; i++)
		clear(p, b, &b->lane[i]);
	clear(p, b, &b->queue);
	if (b == p->visited) {
		p->visited_closed = true;
		return OK;
	}
	box_end(p, b);
	if ((b->flags & BOX_QUEUED) == 0)
		box_free(p, b);
	return OK;
}

int
post_close(struct post *p, struct mail_ref at)
{
	return box_close(p, at, lane_clear);
}

int
post_abandon(struct post *p, struct mail_ref at, void (*left)(void *ctx, const struct letter *l),
    void *ctx)
{
	struct mailbox *b = box_find(p, at);

	for (size_t i = 0; b != NULL && left != NULL && i <= LANES; i++)
		for (struct letter *l = (i < LANES ? &b->lane[i] : &b->queue)->first; l != NULL;
		    l = l->next)
			left(ctx, l);
	return box_close(p, at, lane_leave);
}

/* ---- load ------------------------------------------------------------------------- */

unsigned
box_bits(const struct mailbox *b)
{
	uint32_t pending = b->waiting + b->outside;

	return pending == 0 ? 0 : 32 - (unsigned)__builtin_clz(pending);
}

void
box_weigh(struct mailbox *b)
{
	unsigned bits = box_bits(b);

	if (bits == b->load)
		return;
	b->load = bits;
	b->kind->load(b->agent, b->waiting + b->outside);
}

/* ---- drain ----------------------------------------------------------------------- */

static void
drain_check(struct mailbox *b)
{
	void (*drained)(void *ctx) = b->drained;

	if ((b->flags & BOX_DRAINS) == 0 || b->waiting + b->outside > 0 || drained == NULL)
		return;
	b->drained = NULL;
	drained(b->drained_ctx);
}

void
box_eased(struct post *p, struct mailbox *b)
{
	if (b->uses == 0)
		return;
	if (b->outside > 0)
		wait_admit(p, b);
	if (is_to_weigh(b))
		box_weigh(b);
	drain_check(b);
}

int
post_drain(struct post *p, struct mail_ref at, void (*drained)(void *ctx), void *ctx)
{
	struct mailbox *b = box_find(p, at);

	if (b == NULL)
		return ERR_NOTFOUND;
	if ((b->flags & BOX_DRAINS) != 0)
		return ERR_CONFLICT;
	b->flags |= BOX_DRAINS;
	b->drained = drained;
	b->drained_ctx = ctx;
	drain_check(b);
	return OK;
}

/* ---- pause, questions ---------------------------------------------------------------- */

void
post_pause(struct post *p, struct mail_ref at)
{
	struct mailbox *b = box_find(p, at);

	if (b != NULL)
		b->flags = (uint8_t)((b->flags & ~BOX_WOKEN) | BOX_ASLEEP);
}

void
post_wake(struct post *p, struct mail_ref at)
{
	struct mailbox *b = box_find(p, at);

	if (b == NULL)
		return;
	b->flags &= (uint8_t)~BOX_ASLEEP;
	if (b == p->visited)
		b->flags |= BOX_WOKEN;
	box_ready(p, b);
}

size_t
post_waiting(const struct post *p, struct mail_ref at)
{
	const struct mailbox *b = box_find(p, at);

	return b == NULL ? 0 : (size_t)b->waiting + b->outside;
}

void *
post_agent(const struct post *p, struct mail_ref at)
{
	const struct mailbox *b = box_find(p, at);

	return b == NULL ? NULL : b->agent;
}
