/*
 * post.h - one shard's post office: mailboxes, delivery in order, books.  Pure: it is
 * told the time, and what leaves it are calls of struct post_ops.
 *
 * A *mailbox* is an agent's.  It is named by a struct mail_ref, eight bytes that stay
 * valid to ask when the agent is gone (ERR_NOTFOUND then).  A *letter* is a message
 * under way to one mailbox; letters of one message share its packed text.
 *
 *     post_send ---> mailbox (4 lanes by priority, each in order) ---> take()
 *         |              | full: ERR_AGAIN, or kept until there is room
 *         |              '-- ttl over: expired; tries used up, agent gone: dead
 *         '--> ops.carry: the mailbox is on another shard
 *
 * Order: letters of one priority reach a mailbox in the order in which they were sent,
 * whoever sent them.  A letter that failed stays first of its lane and the lane rests
 * until it is tried again, so nothing overtakes it; other lanes go on.  Of several
 * lanes the highest goes first, but one letter in eight comes from each of them in turn.
 *
 * Every letter is in exactly one place, and the books say which at any moment:
 *     sent + come == delivered + dead + expired + pending + gone
 * (come, gone: from and to other shards and nodes).  post_check walks everything and compares.
 *
 * A steady state allocates nothing: letters, with texts of up to LETTER_INLINE bytes, and
 * mailboxes come from slabs, which give empty chunks back to the system.  An idle mailbox
 * has no timer and is visited by nobody: no call but post_check and post_free takes longer
 * because there are more agents.
 *
 * From inside take() and the calls of post_ops everything may be called but post_run,
 * post_check and post_free.
 *
 * Threads: the shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_POST_H
#define MAIL_POST_H

#include "base/wheel.h"
#include "mail/acl.h"

struct post;

/* Where a mailbox is: its shard, its place there, and which of the mailboxes that the place
 * had (never 0). */
struct mail_ref { uint32_t uses; uint32_t place : 24, shard : 8; };
#define MAIL_NOBODY ((struct mail_ref){ 0 })

static inline bool
mail_ref_eq(struct mail_ref a, struct mail_ref b)
{
	return a.uses == b.uses && a.place == b.place && a.shard == b.shard;
}

/* An immutable packed message, shared by the letters of a broadcast and by readers on any
 * thread. */
struct mail_text { _Atomic uint32_t refs; uint32_t n; uint8_t bytes[]; };
struct mail_text *mail_text_new(const void *bytes, size_t n);
struct mail_text *mail_text_hold(struct mail_text *t);
void mail_text_drop(struct mail_text *t);    /* NULL is fine */

/* A request of a protocol with three ids and a short content has about 200 bytes, packed.
 * With it a letter has 320: five cache lines, of which it touches what it fills. */
#define LETTER_INLINE 207

struct letter {
	struct letter *next, *prev;          /* the post's */
	struct mail_ref from, to;
	uint64_t number;                     /* of the post; message_id is made from it
	                                        when the text has none */
	msec created;
	struct mail_text *text;              /* NULL: in `small` */
	uint32_t n;                          /* bytes of the packed text */
	uint8_t act, priority, flags, tries; /* tries: that have failed */
	msec expires;                        /* 0: never */
	int64_t row;                         /* of a durable one: its number in the store */
	struct wheel_timer timer;            /* the post's */
	uint8_t max_retries;
	uint8_t small[LETTER_INLINE];
};
enum {
	LETTER_DURABLE = 1, LETTER_RECEIPT = 2, LETTER_TALK = 4 /* has a protocol */,
	LETTER_CAME = 128,                   /* LETTER_DURABLE only because it came from another
	                                        node: it is delivered when it is taken */
	LETTER_OPEN_FLAGS = 135              /* the others are the post's own */
};
struct str letter_packed(const struct letter *l);

/* What an agent does with a letter. */
enum mail_taken {
	MAIL_TAKEN,                          /* done: it is delivered */
	MAIL_HELD,                           /* the agent keeps it until post_done,
	                                        post_return or post_failed; pending till then */
	MAIL_BUSY,                           /* not now: it stays first in its mailbox, which
	                                        sleeps until post_wake */
	MAIL_FAILED,                         /* another try later, or dead */
	MAIL_REFUSED                         /* never: dead at once */
};

/* A kind of agent: one row.  `a` is what post_open was given. */
struct mail_kind {
	const char *name;                    /* "native", "chart", "run", "external" */
	enum mail_taken (*take)(void *a, struct letter *l);
	void (*closed)(void *a);             /* the mailbox is gone, and no take() of it is
	                                        under way; may be NULL */
	/* Letters pending in it, when they have come to another power of two since it was last
	 * told (at first 0); at the end of a visit, not for each letter.  Calls nothing of the
	 * post.  May be NULL. */
	void (*load)(void *a, uint32_t pending);
};

enum mail_state {                            /* the lifecycle of messages.md */
	AGENT_UNLOADED, AGENT_LOADED, AGENT_READY, AGENT_RUNNING, AGENT_DRAINING,
	AGENT_STOPPED, AGENT_FAILED
};
extern const char *const mail_state_names[];

enum mail_dead_reason {
	DEAD_NO_AGENT,                       /* there is no such mailbox */
	DEAD_STOPPED,                        /* the mailbox was closed */
	DEAD_FAILED,                         /* its tries are used up */
	DEAD_FULL,                           /* there was no room in time */
	DEAD_REFUSED,                        /* the agent refused it */
	DEAD_REASONS
};
extern const char *const mail_dead_names[];

struct mail_books {
	uint64_t sent, come, delivered, dead, expired, pending, gone;
	/* Beside the balance: failed tries; sends that were not accepted; how often a letter died
	 * of what (again at each death, so the sum is at least `dead`). */
	uint64_t retried, refused, died[DEAD_REASONS];
	uint64_t arrived, left;              /* of come and gone: from and to other nodes */
};

struct post_ops {
	/* There is work, or post_due is earlier than it said last: call post_run in this turn
	 * of the loop or a later one. */
	void (*ready)(void *ctx);
	/* l is for another shard; copied by the host before it returns. */
	void (*carry)(void *ctx, const struct letter *l);
	/* It became dead or expired, or was delivered (only with LETTER_DURABLE or
	 * LETTER_RECEIPT).  Borrowed.  Any of the three may be NULL. */
	void (*dead)(void *ctx, const struct letter *l, enum mail_dead_reason why);
	void (*expired)(void *ctx, const struct letter *l);
	void (*delivered)(void *ctx, const struct letter *l);
	uint64_t (*random)(void *ctx);       /* for jitter */
};

/* mailbox_max: of a mailbox that says 0; tries_max: retries of a letter that says 0.  The first
 * retry comes retry_first after the failure, each further one after twice the time, at most
 * retry_max; up to half of it is left out at random. */
struct post_options { unsigned shard; uint32_t mailbox_max; uint8_t tries_max; msec retry_first, retry_max; };
struct post *post_new(const struct post_options *o, const struct post_ops *ops, void *ctx);
/* Closes all; nobody hears what becomes of letters.  NULL is fine. */
void post_free(struct post *p);

/* ---- mailboxes ----------------------------------------------------------------- */

/* cap: letters that may be pending in it; 0: the usual.  At most 16 million at a time. */
struct mail_ref post_open(struct post *p, const struct mail_kind *k, void *a, uint32_t cap);
/* Letters in it become dead (DEAD_STOPPED), now.  What the agent holds stays pending until it
 * says what became of it.  ERR_NOTFOUND. */
int  post_close(struct post *p, struct mail_ref at);
/* No more letters are taken in; drained(ctx) when the last one is settled, maybe before this
 * returns.  It may close the mailbox.  ERR_NOTFOUND; ERR_CONFLICT: it drains already. */
int  post_drain(struct post *p, struct mail_ref at, void (*drained)(void *ctx), void *ctx);
void post_pause(struct post *p, struct mail_ref at);     /* a stopped or slow consumer */
void post_wake(struct post *p, struct mail_ref at);      /* ends a pause and MAIL_BUSY */
size_t post_waiting(const struct post *p, struct mail_ref at);   /* pending letters; 0: gone */
void *post_agent(const struct post *p, struct mail_ref at);      /* NULL: gone */

/* ---- letters ------------------------------------------------------------------- */

struct post_letter {                         /* what is sent */
	struct mail_ref from, to;
	enum acl_act act;
	struct str packed;                   /* copied; not looked at when there is a text */
	struct mail_text *text;              /* held, or copied if it is small; or NULL */
	uint8_t priority, flags, max_retries;
	msec ttl;
	int64_t row;                         /* of a durable one */
};
/* ERR_AGAIN: the mailbox is full; ERR_NOTFOUND: there is no such mailbox, or it drains.  One
 * on another shard is not asked: there the letter waits as by post_send_later. */
int  post_send(struct post *p, const struct post_letter *l, msec now);
/* The same for a letter that waits for room if there is none: behind what waits already, at
 * most as many again as the mailbox takes, and as long as its retries would last; else dead
 * (DEAD_FULL).  Without a mailbox it is dead (DEAD_NO_AGENT). */
void post_send_later(struct post *p, const struct post_letter *l, msec now);
/* From another shard: what its ops.carry was given.  Texts are held or copied. */
void post_come(struct post *p, const struct letter *from_elsewhere, msec now);
/* From another node, whose books have it as gone; without a mailbox it is dead. */
void post_arrive(struct post *p, const struct post_letter *l, enum mail_dead_reason why, msec now);
/* One that came from another shard goes to another node. */
void post_passed(struct post *p);
/* n letters were accepted that are another node's from now on. */
void post_left(struct post *p, size_t n);
/* As post_close, but its letters are another node's from now on: gone, and no op is called.
 * What the agent holds is to be given back before. */
int  post_abandon(struct post *p, struct mail_ref at,
    void (*left)(void *ctx, const struct letter *l), void *ctx);     /* of each; may be NULL */
/* A dead letter once more, as by post_send_later; it leaves the dead. */
void post_revive(struct post *p, const struct post_letter *l, msec now);

/* What became of a letter that is MAIL_HELD. */
void post_done(struct post *p, struct letter *l);
/* It was not begun: back into its place in the lane, without a failed try.  Of many the one
 * that was taken last is best returned first: each is then the first of its lane. */
void post_return(struct post *p, struct letter *l);
void post_failed(struct post *p, struct letter *l, msec now);    /* as MAIL_FAILED */

/* Does what is due, then delivers up to `max` letters; true: more can be delivered. */
bool post_run(struct post *p, size_t max, msec now);
/* When something falls due (a retry, a ttl), or earlier; NEVER: nothing. */
msec post_due(struct post *p);

void post_books(const struct post *p, struct mail_books *out);
/* Of one agent: `sent` is what was accepted for it.  ERR_NOTFOUND. */
int  post_books_of(const struct post *p, struct mail_ref at, struct mail_books *out);
/* Walks every mailbox, list and slab; ends the process when the books do not balance. */
void post_check(const struct post *p);

#endif
