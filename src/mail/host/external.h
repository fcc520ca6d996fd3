/*
 * external.h - agents that are clients: what comes to one waits in its mailbox until a
 * reader (a stream, a long poll, a connection of the socket) has room for it.
 *
 * An agent has one reader at a time; a new one ends the one before, so that a client
 * whose connection broke unnoticed comes back at once.
 *
 *   external_open ---> opened(OK) ---> come(letters) ... ---> ended(rc)
 *                         | opened(rc): that was all
 *
 * Letters are handed over in batches (mail/batch.h): how many, and how long one waits for
 * others, is the reader's to say.  A reader that leaves gives back what still waits so.
 *
 * A letter that is not durable is delivered once `come` returned.  A durable one stays
 * pending until it is acked; what a reader was given and did not ack is given to the next
 * one again, first and in order.
 *
 * Threads: a reader belongs to the shard of its office, wherever its agent is at home;
 * it is called there, and never from inside a call of this header.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_EXTERNAL_H
#define MAIL_HOST_EXTERNAL_H

#include "mail/host/office.h"

/* Who that is, of any kind.  ERR_NOTFOUND. */
int  external_id(struct office *o, owner_t owner, struct str id_or_name, struct uuid *id,
    struct err *e);

struct external_letter {
	struct uuid message_id;
	struct str packed;                   /* acl.h; good for the call */
	bool durable;                        /* waits for an ack */
};

#define BATCH_SET (-1)

struct external_reader {
	owner_t owner;
	struct str agent;                    /* id or name; good until opened */
	int64_t room;                        /* bytes that it takes, packed; the last letter
	                                        may be larger than what is left */
	uint32_t letters_max;                /* in all; 0: any number */
	uint32_t batch_size;                 /* letters of one `come`, at most, up to
	                                        LIMIT_MAIL_BATCH; 0: as the server is set */
	msec batch_timeout;                  /* a letter waits so long for others; 0: until the
	                                        end of the turn; BATCH_SET: as the server is */
	/* ERR_NOTFOUND, ERR_INVALID (its kind is not external), ERR_BUSY (the server
	 * stops).  id: the agent's. */
	void (*opened)(struct external_reader *r, int rc, const struct uuid *id,
	    const struct err *e);
	/* In the order of the mailbox: batch_size letters, or those that there are when the
	 * oldest is batch_timeout old, the room is used up, letters_max have come, or the
	 * ttl of one would end before. */
	void (*come)(struct external_reader *r, const struct external_letter *at, size_t n);
	/* The last call.  OK: external_close.  ERR_CONFLICT: another reader came.
	 * ERR_CLOSED: the agent has stopped.  ERR_BUSY: the server stops. */
	void (*ended)(struct external_reader *r, int rc);
	void *office_data;                   /* the office's */
};

/* Of readers that say nothing; before the shards run.  Without it 100 letters and 0 ms. */
void external_set_batch(struct offices *os, uint32_t size, msec timeout);

void external_open(struct office *o, struct external_reader *r);
/* There is room for so many bytes more. */
void external_room(struct external_reader *r, int64_t bytes);
/* Letters that wait for others come at the end of this turn.  false: there are none. */
bool external_flush(struct external_reader *r);
/* No more letters; only `ended` follows, even before `opened`.  What is on its way goes back to the mailbox. */
void external_close(struct external_reader *r);

/* Of these messages, the durable ones that were given to a reader are delivered.  up_to:
 * ids[0] alone, and all that were given before it.  n: how many it was; those that were
 * acked before, or never were, do not count.  ERR_NOTFOUND: no such agent. */
void external_ack(struct office *o, owner_t owner, struct str agent,
    const struct uuid *ids, size_t ids_n, bool up_to,
    void (*done)(void *ctx, int rc, size_t n, const struct err *e), void *ctx);

#endif
