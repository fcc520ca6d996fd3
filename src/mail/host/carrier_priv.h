/*
 * carrier_priv.h - what the files of the office share about other nodes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_CARRIER_PRIV_H
#define MAIL_HOST_CARRIER_PRIV_H

#include "base/log.h"
#include "mail/host/carrier.h"
#include "mail/host/office_priv.h"

/* A shard of another node, as its announcements say. */
struct peer {
	int64_t node;
	unsigned shard;
	uint64_t number;                     /* of the last announcement */
	uint32_t round;                      /* of the last that told all */
	bool whole;                          /* nothing was missed since */
	bool lived;                          /* it was seen alive */
	unsigned silent;                     /* ticks in which it was not */
};

/* Who is to be told when what came until then is read. */
struct carrier_ack {
	int64_t node;
	unsigned shard;
	uint64_t token, look;
};

/* One a process; the first office's but for `o`, `away` and what is atomic. */
struct carrier {
	struct office_carrier o;
	struct away *away;
	struct office *first;                /* NULL: not yet */
	_Atomic bool unread;                 /* some are MAIL_UNREAD: over.c */
	_Atomic bool ask;                    /* entries were dropped: ask all nodes again */
	struct peer *peers;
	size_t peers_n, peers_cap;
	uint32_t rounds;
	_Atomic bool up;                     /* the bus */
	struct carrier_ack *acks;
	size_t acks_n, acks_cap;
	struct wheel_timer tick;
	unsigned ticks;
	/* carrier.c: one command at a time. */
	bool busy, agents, letters;          /* what is to be done */
	uint64_t look, looked;               /* for what has come: wanted, done */
	bool behind;                         /* agents are, until all that has come is read */
	unsigned left;                       /* commands until the next tick */
	struct log_spell failing;
	void (*joined)(void *ctx);           /* who waits for the first time; or NULL */
	void *joined_ctx;
	size_t making;                       /* agents under way to their shards */
	struct store_mail_move *moves;       /* letters that have come to the wrong node */
	size_t moves_n, moves_cap;
};

/* ---- carrier.c ----------------------------------------------------------------- */

void carrier_free(struct carrier *c);        /* accepts NULL */
/* Tells a node (0: all) at the end of the turn that letters wait for it. */
void carrier_wake(struct office *o, int64_t node);
/* Letters may wait for this node. */
void carrier_look(struct office *o);
/* A letter that waits here, as the store has it, is to be another node's. */
void carrier_move(struct office *o, int64_t number, int64_t node);
/* An agent has come here from another node: it is behind until what waits for it is read. */
void carrier_catch_up(struct office *o);
/* A letter with a row for an agent here that is behind: true, and it comes again, in its place. */
bool carrier_pass(struct office *o, struct mail_ref to, int64_t row);
/* It has come again. */
void carrier_paid(struct office_agent *a, int64_t row);
/* Takes agents and letters of nodes that are gone. */
void carrier_take(struct carrier *c);
void carrier_flush(struct office *o);
/* A letter without a row follows its agent. */
void carrier_send_after(struct office *o, owner_t owner, const struct uuid *to, int64_t node,
    struct str packed);
/* Of the office to a sender on another node; its packed text. */
void carrier_notice(struct office *o, struct mail_ref to, const struct acl *m,
    struct str packed);
/* Whose an agent is; this node's if it is not known any more. */
int64_t carrier_node(const struct office *o, struct mail_ref at);
/* An agent that the directory does not know, and the store does, enters it as another node's.
 * False: there is none. */
bool carrier_learn(struct office *o, owner_t owner, struct str id_or_name);
/* A letter is sent to its mailbox.  ERR_AGAIN: that is full, ERR_NOTFOUND: it takes none any
 * more, as far as is known. */
int  carrier_admits(const struct office *o, struct mail_ref at, struct err *e);

/* ---- carrier_wait.c -------------------------------------------------------------- */

/* done: when that node has read what waits for it, or after a short time; maybe at once. */
void carrier_await(struct office *o, int64_t node, void (*done)(void *ctx), void *ctx);
void carrier_looked(struct carrier *c, unsigned shard, uint64_t token);
void carrier_ack_later(struct carrier *c, int64_t node, unsigned shard, uint64_t token);
void carrier_acks(struct carrier *c);

/* ---- carrier_stop.c -------------------------------------------------------------- */

/* An agent of that node is to stop; see office_stop.  False: it cannot be asked. */
bool carrier_stop(struct office *o, int64_t node, owner_t owner, const struct uuid *id, bool drain,
    msec deadline, void (*done)(void *ctx, int rc, const struct err *e), void *ctx);
void carrier_stop_asked(struct carrier *c, int64_t node, unsigned shard, uint64_t token, jnode m);
void carrier_stopped(struct carrier *c, unsigned shard, uint64_t token, int64_t rc,
    struct str why);

/* ---- over.c ---------------------------------------------------------------------- */

/* First office: another node says so. */
void over_heard(struct carrier *c, owner_t owner, const struct uuid *id);
/* Any shard: ends may have been missed: each agent here looks, some a turn. */
void over_look(struct office *o);
void over_free(struct office *o);
/* Any shard: its row has gone.  Who asked for it just before has entered it as one that is being
 * made (carrier_learn). */
void over_deleted(struct office *o, owner_t owner, const struct uuid *id);
/* Once a second: of those, which have no row? */
void over_unread(struct carrier *c);

/* ---- announce.c ------------------------------------------------------------------ */

/* Of an agent that is at home here; nothing when alone. */
void announce_state(struct office_agent *a);
void announce_load(const struct office_agent *a, uint32_t waiting);
void announce_gone(const struct office_agent *a);
/* All that are at home on this shard, to a node (0: all). */
void announce_all(struct office *o, int64_t to);
/* An op was added to o->news. */
void announce_noted(struct office *o);
void announce_flush(struct office *o);
/* An agent of this id or name is about to be made here: what is said of another node's goes
 * from the directory.  False: nothing was. */
bool announce_evict(struct office *o, const struct office_spec *s);
/* An agent that is not here is not known any more. */
void announce_drop(struct carrier *c, owner_t owner, const struct uuid *id);
void announce_ask(struct carrier *c, int64_t node);      /* 0: all */
void announce_tick(struct carrier *c);
void announce_enter(struct carrier *c, const struct away_agent *x, const struct mail_entry *as,
    struct peer *from);

#endif
