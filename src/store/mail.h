/*
 * mail.h - the store's durable messages between agents, and the agents that live on.
 *
 * A durable message is a *letter* for each receiver (struct store_mail, state.h).  A
 * letter waits until it is taken, dead or expired.  A dead one is kept until somebody
 * retries or drops it.  The others that are over stay as history for
 * LIMIT_MAIL_KEPT_MS, LIMIT_MAIL_KEPT letters of all owners at most; so long a
 * message_id is known.  A long content (LIMIT_MAIL_KEPT_BYTES) goes when the last
 * letter is over.
 *
 * Messages are written by MAIL_PUT, or with what a run saves (struct store_changes);
 * the same holds for what becomes of letters (MAIL_SET, mails_taken).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_MAIL_H
#define STORE_MAIL_H

#include "store/store.h"

/* ---- the records --------------------------------------------------------- */

enum store_mail_state {
	MAIL_WAITING, MAIL_DEAD, MAIL_DELIVERED, MAIL_EXPIRED, MAIL_DROPPED
};

struct store_letter {
	int64_t number;                      /* in the order in which they were sent */
	owner_t owner;
	struct uuid id;                      /* message_id */
	struct uuid sender, to;              /* sender zero: the owner's client */
	struct str conversation;             /* or empty */
	enum store_mail_state state;
	unsigned reason;                     /* of a dead one: the caller's number */
	unsigned tries;                      /* of a dead one */
	msec created, expires;
	msec since;                          /* in this state */
	struct str packed;                   /* empty: it is kept no more */
};

/* An agent that lives on in the store: what it takes to make it again. */
struct store_mailer {
	struct uuid id;
	owner_t owner;                       /* out; the command's */
	struct str name;                     /* or empty */
	struct str kind, graph_id;           /* graph_id: or empty */
	struct str spec_json;                /* the room's above */
	unsigned state;                      /* the room's above */
	struct str error;                    /* or empty */
	int64_t restarts;
	msec created, updated;
	int64_t node;                        /* out: whose it is (node.h) */
};

/* ---- at start: the shard's thread, inline ------------------------------------ */

/* Of all owners: each agent, and each letter that waits, in order.  Texts are good for the
 * call.  ERR_IO. */
int store_mailers_each(struct store_reader *r, void (*each)(void *ctx,
    const struct store_mailer *m), void *ctx);
int store_letters_each(struct store_reader *r, void (*each)(void *ctx,
    const struct store_letter *l), void *ctx);
/* No letter has a higher number; 0: there is none.  ERR_IO. */
int store_letters_last(struct store_reader *r, int64_t *out);

/* One by its id or name, inline; texts in a.  ERR_NOTFOUND. */
int store_mailer_get(struct store_reader *r, owner_t o, struct str id_or_name,
    struct arena *a, struct store_mailer *out);

/* ---- commands ------------------------------------------------------------ */

/* Messages are accepted: all or none. */
struct store_mail_put {
	struct store_cmd cmd;
	struct store_mail *mails;
	size_t mails_n;
};

/* What became of letters that wait, of any owners: numbers are only known from a
 * MAIL_PUT or a start.  Those that do not wait any more are left alone.  May be lazy:
 * after a crash the letter is delivered again. */
struct store_mail_set {
	struct store_cmd cmd;
	const struct store_mail_became {
		int64_t number;
		enum store_mail_state state;         /* not MAIL_WAITING */
		unsigned reason, tries;              /* of MAIL_DEAD */
	} *at;
	size_t n;
	msec now;
};

/* The dead letters of a message wait again (in `letters`, to be delivered), or
 * are dropped.  ERR_NOTFOUND: it has none. */
struct store_mail_dead {
	struct store_cmd cmd;
	struct uuid id;                      /* message_id */
	bool drop;
	msec now;
	struct store_letter *letters;        /* out */
	size_t letters_n;
};

/* ERR_CONFLICT: the id or the name is taken.  follow: it is where its thread is: another
 * node's becomes this one's as it is, and so do its letters. */
struct store_mailer_put {
	struct store_cmd cmd;
	struct store_mailer m;
	bool follow;
};

/* ERR_NOTFOUND. */
struct store_mailer_set {
	struct store_cmd cmd;
	struct uuid id;
	unsigned state;
	struct str error;                    /* or empty */
	int64_t restarts;
	msec now;
};

/* OK also when it is gone.  An agent that is a run goes with its thread. */
struct store_mailer_delete {
	struct store_cmd cmd;
	struct uuid id;
};

/* ---- several nodes (node.h) ------------------------------------------------ */

/* Agents of nodes that are gone become this one's. */
struct store_mailer_take {
	struct store_cmd cmd;
	int64_t limit;
	struct store_mailer *mailers;        /* out */
	size_t mailers_n;                    /* out: limit: there may be more */
};

/* Letters that wait for agents of nodes that are gone go to the node that has the agent
 * now.  Those for agents that nobody has become this node's, which settles them. */
struct store_mail_take {
	struct store_cmd cmd;
	int64_t limit;
	/* Moved as the caller knows better, first. */
	const struct store_mail_move { int64_t number, node; } *moves;
	size_t moves_n;
	size_t moved, orphans;               /* out: moved + orphans < limit: no more now */
};

/* What other nodes have sent here, in order, once. */
struct store_mail_come {
	struct store_cmd cmd;
	int64_t limit;
	struct store_letter *letters;        /* out */
	size_t letters_n;                    /* out: limit: there may be more */
};

/* A conversation's messages, oldest first, or (conversation empty) all of an owner's, or
 * those letters that are dead, newest first. */
struct store_mail_list {
	struct store_cmd cmd;
	struct str conversation;
	bool all;
	int64_t limit, offset;
	struct store_mail_found {
		struct store_letter letter;  /* of a message: to its first receiver */
		int64_t letters, waiting, dead;      /* of the message, in all */
	} *found;                            /* out */
	size_t found_n;
};

#endif
