/*
 * carrier.h - agents and messages over several nodes: what the offices of a process ask
 * of whoever carries bytes to the others, and what they are told.
 *
 *   directory   every office tells the others who is at home there (announce.c): each
 *               change, and all of it when a node comes or the bus is back.  An agent
 *               of another node has a mail_ref of the shard MAIL_AWAY.
 *   letters     one to an agent of another node is a row with that node's number, durable
 *               or not; the bus only says that there are some.  Its node takes what is new
 *               for it, in order: when it is told, and by itself each few seconds (each
 *               second while the bus is down).
 *   agents      those of the store that a dead node had are taken by others, and with
 *               them the letters that wait; letters for agents in memory are dead.
 *   names       are decided by the store: agents in memory that have one have a row, too.
 *   runs        an agent that is a run is where its thread is: whoever runs it next has
 *               the agent, and the node that had it gives it up (the row decides).
 *
 * Alone (no carrier) none of this is there and nothing of it costs anything.
 *
 * Threads: of the first shard's office, but where said.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_CARRIER_H
#define MAIL_HOST_CARRIER_H

#include "mail/host/office.h"

struct office_carrier {
	/* Any shard: to the first office of another node, or of all others (0).  It may be
	 * lost.  Every message is at most LIMIT_CARRIER_BYTES. */
	void (*tell)(void *ctx, int64_t node, struct str bytes);
	bool (*alive)(void *ctx, int64_t node);      /* any shard */
	void *ctx;
};

/* Before the shards run.  Copied. */
void offices_set_carrier(struct offices *os, const struct office_carrier *c);

/* In place of office_recover and office_resume, when all shards have their offices: takes what
 * the store has of nodes that are gone, from now on.  done: the first time that was tried. */
void office_join(struct office *o, void (*done)(void *ctx), void *ctx);
/* What another node's `tell` said. */
void office_heard(struct office *o, struct str bytes);
/* The bus is up (again), or down: at first it is down. */
void office_bus(struct office *o, bool up);
/* The lease is lost: on every shard all agents at home there are another node's from now on,
 * or gone; nothing of theirs is written or told any more. */
void office_lost(struct office *o);
/* After that, when this process is a node again (store_node). */
void office_rejoin(struct office *o);
/* Other nodes are gone, it turns out: what they had is taken, and not only in its time. */
void office_gone(struct office *o);

/* Any shard: what an agent stands for has ended here, and another node has the agent, or had it
 * until now. */
void office_over(struct office *o, owner_t owner, const struct uuid *id);

/* Any shard: does it live on another node? */
bool office_elsewhere(struct office *o, owner_t owner, struct str id_or_name, int64_t *node);
/* The same, for somebody who asks for it: one that the directory does not know is looked up in
 * the store.  ERR_NOTFOUND: only one without a row may be another node's still.  *node 0: here. */
int  office_locate(struct office *o, owner_t owner, struct str id_or_name, int64_t *node);
/* Any thread: is it at home in this process? */
bool offices_have(struct offices *os, owner_t owner, const struct uuid *id);

#endif
