/*
 * away.h - agents of other nodes, each with a mail_ref that stands for it here.  One a
 * process; beside the directory, whose entries have these refs.
 *
 * Such a ref has the shard MAIL_AWAY: no post has that mailbox.  It stays the agent's when
 * the agent moves to another node, and leads nowhere when it was dropped.
 *
 * Threads: any; locked inside.  Nothing is called back while the lock is held.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_AWAY_H
#define MAIL_AWAY_H

#include "mail/directory.h"

#define MAIL_AWAY 255

struct away;

struct away_agent {
	mail_owner owner;
	struct uuid id;
	int64_t node;
	unsigned shard;                      /* of that node */
	uint32_t round;                      /* of the announcement that named it last */
	uint32_t room;                       /* letters that its mailbox takes; 0: not known */
	uint32_t waiting;                    /* that wait there, about */
	enum mail_state state;
};

struct away *away_new(void);
void away_free(struct away *t);              /* NULL is fine */
static inline bool
mail_is_away(struct mail_ref at)
{
	return at.shard == MAIL_AWAY && at.uses != 0;
}

/* There from now on, or as x says from now on. */
struct mail_ref away_put(struct away *t, const struct away_agent *x);
void away_load(struct away *t, const struct uuid *id, uint32_t waiting);
void away_set_state(struct away *t, const struct uuid *id, enum mail_state state);
/* A letter is sent there.  ERR_NOTFOUND: it takes none any more.  ERR_AGAIN: its mailbox is full,
 * or as many letters as it takes are under way: since its node has told its load, or since the
 * last away_tick. */
int  away_send(struct away *t, struct mail_ref at);
void away_tick(struct away *t);
bool away_find(struct away *t, struct mail_ref at, struct away_agent *out);
bool away_by_id(struct away *t, const struct uuid *id, struct away_agent *out);
void away_drop(struct away *t, const struct uuid *id);   /* of one that is not there: nothing */
size_t away_count(struct away *t);
/* Those of a node, of one shard of it (or < 0: all), that another round named last: copied,
 * to be freed; NULL: none. */
struct away_agent *away_stale(struct away *t, int64_t node, int shard, uint32_t round,
    size_t *n);

#endif
