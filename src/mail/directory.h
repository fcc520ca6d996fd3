/*
 * directory.h - who is who, and who can do what: agents by id, by name (unique per owner)
 * and by capability.  One a process.
 *
 * Owners never meet: a look-up, its fallbacks and the near matches in its words are of one
 * owner's agents.
 *
 * Threads: any; locked inside.  Nothing is called back while a lock is held.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_DIRECTORY_H
#define MAIL_DIRECTORY_H

#include "mail/post.h"

struct mail_directory;
typedef int64_t mail_owner;                  /* store's owner_t; 0 without auth */

struct mail_entry {
	mail_owner owner;
	struct uuid id;
	struct mail_ref ref;
	struct str name;                     /* or empty */
	/* "NAME" or "NAME:VERSION", of versions of one name each; only agents whose state is
	 * before AGENT_DRAINING are found by them. */
	const struct str *capabilities;
	size_t capabilities_n;
	enum mail_state state;
};

struct mail_directory *mail_directory_new(void);
void mail_directory_free(struct mail_directory *d);      /* NULL is fine */
/* Copies.  ERR_CONFLICT: the id or the name is taken.  ERR_INVALID: a name that is an id or
 * begins as an address does (cap:, all:), or a capability that is ill-formed or said twice.
 * ERR_LIMIT: more capabilities than LIMIT_MAIL_CAPABILITIES. */
int  mail_directory_put(struct mail_directory *d, const struct mail_entry *x, struct err *e);
/* Of an id that is not there: nothing. */
void mail_directory_set_state(struct mail_directory *d, const struct uuid *id, enum mail_state s);
/* Letters that wait for it: what `cap:` goes by. */
void mail_directory_load(struct mail_directory *d, const struct uuid *id, uint32_t waiting);
void mail_directory_remove(struct mail_directory *d, mail_owner o, const struct uuid *id);
/* The same, of one whose ref only() approves: it may have come to be another's meanwhile. */
void mail_directory_remove_if(struct mail_directory *d, mail_owner o, const struct uuid *id,
    bool (*only)(struct mail_ref at));

/* By id, O(1), or by name.  ERR_NOTFOUND. */
int  mail_directory_find(struct mail_directory *d, mail_owner o, struct str id_or_name,
    struct uuid *id, struct mail_ref *out);
/* Appends its name; nothing if it has none, or is not there. */
void mail_directory_name(struct mail_directory *d, mail_owner o, const struct uuid *id,
    struct buf *out);
int  mail_directory_id(struct mail_directory *d, mail_owner o, const struct uuid *id,
    struct mail_ref *out);

/* An address of acl.h into receivers: each(ctx, id, ref) for every one of them.
 *   cap:NAME[:VERSION]  one agent: of those with the fewest letters waiting (counted in powers
 *                       of two), each in turn
 *   all:NAME[:VERSION]  every agent that can do it
 * Without a VERSION all versions are meant.  A version that nobody has: the next older one,
 * else the next newer one, else agents that say no version.
 * ERR_NOTFOUND with words that name near matches. */
int  mail_directory_resolve(struct mail_directory *d, mail_owner o, struct str address,
    void (*each)(void *ctx, const struct uuid *id, struct mail_ref ref), void *ctx, struct err *e);

#endif
