/*
 * post_books.c - the books, and a walk that compares them with what is there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/post_priv.h"

void
post_books(const struct post *p, struct mail_books *out)
{
	*out = p->books;
}

int
post_books_of(const struct post *p, struct mail_ref at, struct mail_books *out)
{
	const struct mailbox *b = box_find(p, at);

	if (b == NULL)
		return ERR_NOTFOUND;
	*out = (struct mail_books){ .sent = b->accepted, .dead = b->dead, .expired = b->expired,
		.pending = (uint64_t)b->waiting + b->outside, .retried = b->retried,
		.refused = b->refused };
	out->delivered = out->sent - out->dead - out->expired - out->pending;
	return OK;
}

/* ---- the check ------------------------------------------------------------------ */

/* What was found. */
struct found { uint64_t letters, timed, boxes, queued; struct mail_books books; };

static size_t
check_lane(const struct lane *lane, struct found *f, const struct mailbox *b, unsigned with,
    unsigned without)
{
	const struct letter *before = NULL;
	size_t n = 0;

	for (const struct letter *l = lane->first; l != NULL; before = l, l = l->next, n++) {
		assert(l->prev == before);
		assert((l->flags & with) == with && (l->flags & without) == 0);
		assert(((l->flags & LETTER_TIMED) != 0) == wheel_armed(&l->timer));
		assert((l->text == NULL) == (l->n <= LETTER_INLINE));
		assert(l->text == NULL || (l->text->refs > 0 && l->text->n == l->n));
		assert(b == NULL || (l->to.uses == b->uses && l->to.place == b->place));
		assert(b == NULL || before == NULL || before->number < l->number);
		assert((l->flags & LETTER_RESTS) == 0 || (l->flags & LETTER_TIMED) != 0);
		assert(l->expires == 0 || (l->flags & (LETTER_TIMED | LETTER_HELD)) != 0);
		f->timed += (l->flags & LETTER_TIMED) != 0;
	}
	assert(lane->last == before);
	f->letters += n;
	return n;
}

static void
check_box(const struct mailbox *b, struct found *f)
{
	size_t inside = 0, outside;

	for (unsigned i = 0; i < LANES; i++) {
		const struct letter *first = b->lane[i].first;
		bool rests = first != NULL && (first->flags & LETTER_RESTS) != 0;

		assert((b->full >> i & 1) == (first != NULL) && (b->rests >> i & 1) == rests);
		inside += check_lane(&b->lane[i], f, b, 0, LETTER_OUTSIDE | LETTER_HELD);
	}
	outside = check_lane(&b->queue, f, b, LETTER_OUTSIDE | LETTER_TIMED, LETTER_HELD | LETTER_RESTS);
	assert(inside <= b->waiting && outside == b->outside);
	assert(b->waiting <= b->cap && (outside == 0 || b->waiting == b->cap));
	assert((b->full & ~b->rests) == 0 || (b->flags & (BOX_QUEUED | BOX_ASLEEP)) != 0);
	assert(!is_to_weigh(b) || b->load == box_bits(b));
	f->books.sent += b->accepted;
	f->books.dead += b->dead;
	f->books.expired += b->expired;
	f->books.retried += b->retried;
	f->books.pending += inside + outside;
	f->books.delivered += b->accepted - b->dead - b->expired - b->waiting - b->outside;
}

static void
check_boxes(const struct post *p, struct found *f)
{
	for (size_t i = 0; i < p->boxes.table; i++) {
		const struct slab_chunk *c = p->boxes.chunk[i];

		for (uint32_t k = 0; c != NULL && k < c->fresh; k++) {
			const struct mailbox *b = slab_at(&p->boxes, c, k);

			f->queued += (b->flags & BOX_QUEUED) != 0;
			f->boxes += b->uses != 0 || (b->flags & BOX_QUEUED) != 0;
			if (b->uses != 0)
				check_box(b, f);
		}
	}
	for (uint32_t i = 0; i < p->round_n; i++)
		assert((p->round[(p->round_first + i) & (p->round_size - 1)]->flags &
		    BOX_QUEUED) != 0);
}

/* The letters that are held belong to mailboxes: their `waiting` counts them. */
static void
check_held(const struct post *p, struct found *f)
{
	for (const struct letter *l = p->held.first; l != NULL; l = l->next)
		f->books.pending++;
	check_lane(&p->held, f, NULL, LETTER_HELD, LETTER_OUTSIDE | LETTER_RESTS | LETTER_TIMED);
}

void
post_check(const struct post *p)
{
	const struct mail_books *k = &p->books;
	struct found f = { 0 };
	uint64_t died = 0;

	assert(!p->running && p->visited == NULL && p->hand == NULL);
	check_boxes(p, &f);
	check_held(p, &f);
	for (size_t i = 0; i < DEAD_REASONS; i++)
		died += k->died[i];
	assert(k->sent + k->come == k->delivered + k->dead + k->expired + k->pending + k->gone);
	assert(f.letters == p->letters.used && f.letters == k->pending);
	assert(f.books.pending == k->pending);
	assert(f.timed == p->wheel.count);
	assert(f.boxes == p->boxes.used && f.queued == p->round_n);
	assert(f.books.delivered + p->gone.delivered == k->delivered);
	assert(f.books.dead + p->gone.dead == died && died == k->dead + p->revived);
	assert(f.books.expired + p->gone.expired == k->expired);
	assert(f.books.retried + p->gone.retried == k->retried);
}
