/*
 * post.h - one shard's post office: mailboxes, delivery in order, books.  Pure: it is
 * told the time, and what leaves it are calls of struct post_ops.
 *
 * A *mailbox* is an agent's.  It is named by a struct mail_ref, eight bytes that stay
 * valid to ask when the agent is gone (ERR_NOTFOUND then).  A *letter* is a message
 * under way to one mailbox; letters of one message share its packed text.
 *
 *     post_send ---> mailbox (4 lanes by priority, each in order) ---> take()
 *         |              | full: ERR_AGAIN, or kept for another try
 *         |              '-- ttl over: expired; tries used up, agent gone: dead
 *         '--> ops.carry: the mailbox is on another shard
 *
 * Every letter is in exactly one place, and the books say which at any moment:
 *     sent + come == delivered + dead + expired + pending + gone
 * (come, gone: from and to other shards).  post_check walks everything and compares.
 *
 * Steady state allocates nothing: letters and texts of up to LETTER_INLINE bytes come from
 * slabs, which give whole free pages back.
 *
 * Threads: the shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_POST_H
#define MAIL_POST_H

#include "mail/acl.h"

struct post;

/* Where a mailbox is: shard, place, and how often the place was used before. */
struct mail_ref { uint32_t place; uint16_t uses; uint16_t shard; };
#define MAIL_NOBODY ((struct mail_ref){ 0, 0, 0 })

/* An immutable packed message, shared by the letters of a broadcast and by readers on any
 * thread. */
struct mail_text { _Atomic uint32_t refs; uint32_t n; uint8_t bytes[]; };
struct mail_text *mail_text_new(const void *bytes, size_t n);
struct mail_text *mail_text_hold(struct mail_text *t);
void mail_text_drop(struct mail_text *t);

#define LETTER_INLINE 64

struct letter {
	struct letter *next;                 /* the owner's, of whatever list it is in */
	struct mail_ref from, to;
	uint8_t act, priority, flags, tries;
	uint32_t n;                          /* bytes of the packed text */
	uint64_t number;                     /* of the post; message_id is made from it
	                                        when the text has none */
	msec created, expires;               /* expires 0: never */
	struct mail_text *text;              /* NULL: in `small` */
	uint8_t small[LETTER_INLINE];
};
enum { LETTER_DURABLE = 1, LETTER_RECEIPT = 2, LETTER_TALK = 4 /* has a protocol */ };
struct str letter_packed(const struct letter *l);

/* What an agent does with a letter. */
enum mail_taken {
	MAIL_TAKEN,                          /* done: it is delivered */
	MAIL_HELD,                           /* the agent keeps it and says post_done or
	                                        post_return later; it is pending till then */
	MAIL_BUSY,                           /* not now: it stays first in its mailbox until
	                                        post_wake */
	MAIL_FAILED                          /* another try later, or dead */
};

/* A kind of agent: one row.  `a` is what post_open was given. */
struct mail_kind {
	const char *name;                    /* "native", "chart", "run", "external" */
	enum mail_taken (*take)(void *a, struct letter *l);
	void (*closed)(void *a);             /* the mailbox is gone; may be NULL */
};

enum mail_state {                            /* the lifecycle of messages.md */
	AGENT_UNLOADED, AGENT_LOADED, AGENT_READY, AGENT_RUNNING, AGENT_DRAINING,
	AGENT_STOPPED, AGENT_FAILED
};
extern const char *const mail_state_names[];

struct mail_books {
	uint64_t sent, come, delivered, dead, expired, pending, gone;
	uint64_t retried, refused;           /* beside the balance: not accepted at all */
};

enum mail_dead_reason { DEAD_NO_AGENT, DEAD_STOPPED, DEAD_FAILED, DEAD_FULL, DEAD_REFUSED };

struct post_ops {
	/* There is work: call post_run in this turn of the loop or a later one. */
	void (*ready)(void *ctx);
	/* l is for another shard; copied by the host before it returns. */
	void (*carry)(void *ctx, const struct letter *l);
	/* It became dead or expired, or was delivered (only with LETTER_DURABLE or
	 * LETTER_RECEIPT).  Borrowed. */
	void (*dead)(void *ctx, const struct letter *l, enum mail_dead_reason why);
	void (*expired)(void *ctx, const struct letter *l);
	void (*delivered)(void *ctx, const struct letter *l);
	uint64_t (*random)(void *ctx);       /* for jitter */
};

struct post_options { unsigned shard; uint32_t mailbox_max, tries_max; msec retry_first, retry_max; };
struct post *post_new(const struct post_options *o, const struct post_ops *ops, void *ctx);
void post_free(struct post *p);

/* ---- mailboxes ----------------------------------------------------------------- */

struct mail_ref post_open(struct post *p, const struct mail_kind *k, void *a, uint32_t cap);
/* Letters in it become dead (DEAD_STOPPED). */
int  post_close(struct post *p, struct mail_ref at);
/* No more letters are taken in; drained(ctx) when the last one is delivered. */
int  post_drain(struct post *p, struct mail_ref at, void (*drained)(void *ctx), void *ctx);
void post_pause(struct post *p, struct mail_ref at);     /* a stopped or slow consumer */
void post_wake(struct post *p, struct mail_ref at);
size_t post_waiting(const struct post *p, struct mail_ref at);
void *post_agent(const struct post *p, struct mail_ref at);      /* NULL: gone */

/* ---- letters ------------------------------------------------------------------- */

struct post_letter {                         /* what is sent */
	struct mail_ref from, to;
	enum acl_act act;
	struct str packed;                   /* copied if it is small, else text is held */
	struct mail_text *text;
	uint8_t priority, flags, max_retries;
	msec ttl;
};
/* ERR_AGAIN: the mailbox is full (post_waiting and LIMIT tell how full); ERR_NOTFOUND: there is
 * no such mailbox, or it drains.  From inside take() too. */
int  post_send(struct post *p, const struct post_letter *l, msec now);
/* The same for a letter that may wait for room: it is accepted and tried again. */
int  post_send_later(struct post *p, const struct post_letter *l, msec now);
int  post_come(struct post *p, const struct letter *from_elsewhere, msec now);
void post_done(struct post *p, struct letter *l);        /* of MAIL_HELD */
void post_return(struct post *p, struct letter *l);      /* it was not done: another try */

/* Delivers up to `max` letters; true: more are waiting.  The next moment at which something
 * falls due (a retry, a ttl): post_due; INT64_MAX: nothing. */
bool post_run(struct post *p, size_t max, msec now);
msec post_due(const struct post *p);

void post_books(const struct post *p, struct mail_books *out);
int  post_books_of(const struct post *p, struct mail_ref at, struct mail_books *out);
/* Walks every mailbox, list and slab; ends the process when the books do not balance. */
void post_check(const struct post *p);

#endif
