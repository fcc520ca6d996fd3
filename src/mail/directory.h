/*
 * directory.h - who is who, and who can do what: agents by id, by name (unique per
 * owner) and by capability.  One a process; locked inside, safe from any thread; a look-up
 * takes the lock once.
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
	const struct str *capabilities;      /* "NAME" or "NAME:VERSION" */
	size_t capabilities_n;
	enum mail_state state;
};

struct mail_directory *mail_directory_new(void);
void mail_directory_free(struct mail_directory *d);
/* ERR_CONFLICT: the id or the name is taken.  Copies. */
int  mail_directory_put(struct mail_directory *d, const struct mail_entry *x, struct err *e);
void mail_directory_set_state(struct mail_directory *d, const struct uuid *id, enum mail_state s);
void mail_directory_remove(struct mail_directory *d, mail_owner o, const struct uuid *id);

/* By id, O(1), or by name. */
int  mail_directory_find(struct mail_directory *d, mail_owner o, struct str id_or_name,
    struct uuid *id, struct mail_ref *out);
int  mail_directory_id(struct mail_directory *d, mail_owner o, const struct uuid *id,
    struct mail_ref *out);
/* An address of acl.h into receivers: each(ctx, id, ref) for every one of them.  `one` of a
 * capability: the least loaded by the loads that shards tell (mail_directory_load), round robin
 * among equals.  A version that nobody has: the next best one of the name.  ERR_NOTFOUND with words that
 * name near matches of the same owner. */
int  mail_directory_resolve(struct mail_directory *d, mail_owner o, struct str address,
    void (*each)(void *ctx, const struct uuid *id, struct mail_ref ref), void *ctx, struct err *e);
void mail_directory_load(struct mail_directory *d, const struct uuid *id, uint32_t waiting);

#endif
