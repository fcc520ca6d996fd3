/*
 * post_priv.h - the inside of a post, for its own files:
 *
 *     post.c          making one; sending, coming
 *     post_mailbox.c  mailboxes: open, close, drain, pause
 *     post_deliver.c  the round: taking, failing, what was held
 *     post_wait.c     lanes, letters that wait for a moment or for room
 *     post_books.c    books and their check
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_POST_PRIV_H
#define MAIL_POST_PRIV_H

#include "mail/post.h"
#include "mail/slab.h"

#define LANES 4

/* A letter's own flags, beside those of post.h. */
enum {
	LETTER_HELD = 8,                     /* the agent has it */
	LETTER_RESTS = 16,                   /* it failed: not before its timer */
	LETTER_OUTSIDE = 32,                 /* of the mailbox: it waits for room */
	LETTER_TIMED = 64                    /* its timer is set */
};

struct lane { struct letter *first, *last; };

enum {
	BOX_QUEUED = 1,                      /* it is in the round, or visited */
	BOX_ASLEEP = 2,
	BOX_WOKEN = 4,                       /* while it was visited */
	BOX_DRAINS = 8,
	BOX_WEIGHED = 16                     /* its kind has `load` */
};

/* Three cache lines; a letter that is sent and taken needs the first one. */
struct mailbox {
	_Alignas(64) uint32_t uses;          /* 0: no mailbox */
	uint8_t flags;
	uint8_t full;                        /* a bit for each lane that is not empty, */
	uint8_t rests;                       /* and whose first letter rests */
	uint8_t turn;                        /* of choices between lanes */
	const struct mail_kind *kind;        /* this word is the slab's when it is free */
	void *agent;
	uint32_t waiting, cap;               /* letters in lanes, in hand and held */
	uint64_t accepted;
	uint32_t outside;                    /* letters in `queue` */
	uint32_t place;
	struct lane lane[LANES];

	struct lane queue;                   /* outside: they wait for room */
	uint64_t dead, expired, retried, refused;
	void (*drained)(void *ctx);
	void *drained_ctx;
	unsigned load;                       /* bits of what `load` was told */
};
_Static_assert(offsetof(struct mailbox, lane) == 48 && sizeof(struct mailbox) == 192,
    "the lane of usual letters lies in the first line");

_Static_assert(sizeof(struct letter) == 320 && offsetof(struct letter, expires) == 64,
    "letters are whole lines, and what lists look at is in the first");

#define BOXES_PER_CHUNK ((uint32_t)((SLAB_CHUNK - SLAB_FIRST) / sizeof(struct mailbox)))
#define PLACES_MAX (1u << 24)

struct post {
	struct post_options options;
	struct post_ops ops;
	void *ctx;
	struct slab boxes, letters;

	/* Mailboxes with letters to take, first come first served; each once. */
	struct mailbox **round;              /* a ring of round_size, a power of two */
	uint32_t round_first, round_n, round_size;

	bool running;
	bool visited_closed;                 /* while it was visited */
	struct mailbox *visited;
	struct letter *hand;                 /* being taken */

	struct wheel wheel;
	msec told;                           /* by post_due */
	msec now;                            /* of the last call that was told it */
	struct lane held;                    /* by agents, also of closed mailboxes */

	uint32_t opened;                     /* the last mail_ref.uses */
	uint64_t numbered;                   /* the last letter.number */
	struct mail_books books;
	uint64_t revived;                    /* dead letters that were sent again */
	/* The sums of mailboxes that are closed, and of letters without one. */
	struct { uint64_t accepted, delivered, dead, expired, retried; } gone;
};

/* ---- post.c: letters ---- */
void letter_free(struct post *p, struct letter *l);

/* ---- post_mailbox.c ---- */
/* Its agent may go; the place is free when the round has left it. */
void box_end(struct post *p, struct mailbox *b);
void box_free(struct post *p, struct mailbox *b);
/* Fewer letters are pending in it: room for those outside, or it is drained. */
void box_eased(struct post *p, struct mailbox *b);
void box_weigh(struct mailbox *b);           /* of BOX_WEIGHED */
unsigned box_bits(const struct mailbox *b);  /* of the number of letters pending */

/* ---- post_wait.c ---- */
void letter_time(struct post *p, struct letter *l, msec due);    /* or its expiry */
void letter_untime(struct post *p, struct letter *l);
/* Into its place in the lane, by number. */
void lane_put_back(struct mailbox *b, struct letter *l);
void lane_unlink(struct lane *lane, struct letter *l);       /* lane_mark may follow */
void wait_outside(struct post *p, struct mailbox *b, struct letter *l);
void wait_try(struct post *p, struct mailbox *b, struct letter *l);  /* again, after a failure */
void wait_admit(struct post *p, struct mailbox *b);

/* ---- post_deliver.c: the ends of letters that are in no list; b NULL: the mailbox is gone ---- */
void letter_dead(struct post *p, struct mailbox *b, struct letter *l, enum mail_dead_reason why);
void letter_expired(struct post *p, struct mailbox *b, struct letter *l);
void letter_left(struct post *p, struct mailbox *b, struct letter *l);       /* of a closed box */

static inline struct mailbox *
box_at(const struct post *p, uint32_t place)
{
	return slab_at(&p->boxes, p->boxes.chunk[place / BOXES_PER_CHUNK],
	    place % BOXES_PER_CHUNK);
}

/* The mailbox, or NULL. */
static inline struct mailbox *
box_find(const struct post *p, struct mail_ref at)
{
	struct mailbox *b;
	uint32_t chunk = at.place / BOXES_PER_CHUNK;

	if (at.uses == 0 || at.shard != p->options.shard || chunk >= p->boxes.table ||
	    p->boxes.chunk[chunk] == NULL)
		return NULL;
	b = box_at(p, at.place);
	return b->uses == at.uses ? b : NULL;
}

static inline void
lane_append(struct lane *lane, struct letter *l)
{
	l->next = NULL;
	l->prev = lane->last;
	if (lane->last != NULL)
		lane->last->next = l;
	else
		lane->first = l;
	lane->last = l;
}

/* After the first letter of a lane has changed. */
static inline void
lane_mark(struct mailbox *b, unsigned i)
{
	const struct letter *l = b->lane[i].first;
	unsigned bit = 1u << i, rests = l != NULL && (l->flags & LETTER_RESTS) != 0;

	b->full = (uint8_t)((b->full & ~bit) | (l != NULL ? bit : 0));
	b->rests = (uint8_t)((b->rests & ~bit) | (rests ? bit : 0));
}

/* One in the round is weighed when it is visited. */
static inline bool
is_to_weigh(const struct mailbox *b)
{
	return (b->flags & (BOX_WEIGHED | BOX_QUEUED)) == BOX_WEIGHED;
}

/* If there is something to take, it is in the round from now on. */
static inline void
box_ready(struct post *p, struct mailbox *b)
{
	if ((b->full & ~b->rests) == 0 || (b->flags & (BOX_QUEUED | BOX_ASLEEP)) != 0)
		return;
	b->flags |= BOX_QUEUED;
	assert(p->round_n < p->round_size);
	p->round[(p->round_first + p->round_n++) & (p->round_size - 1)] = b;
	if (p->round_n == 1 && !p->running)
		p->ops.ready(p->ctx);
}

#endif
