/*
 * converse.h - the conversations of a process that follow a protocol of FIPA: a message is
 * checked before it is sent, and an initiator is told when a deadline has passed.
 *
 * Threads: any shard's; locked inside, for messages of a checked protocol alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_CONVERSE_H
#define MAIL_HOST_CONVERSE_H

#include "mail/host/office.h"
#include "mail/talks.h"

struct conversations;

struct conversations *conversations_new(msec now);
void conversations_free(struct conversations *c);
size_t conversations_count(struct conversations *c);

struct target { struct uuid id; struct mail_ref ref; };

/* May m go from `from` to each of these?  All or none.  *seen: for converse_undo, to be freed;
 * NULL: nothing was checked.  Errors as talks_see. */
int  converse(struct office *o, owner_t owner, const struct acl *m, const struct uuid *from,
    const struct target *to, size_t n, struct talks_seen **seen, int *answer, struct err *e);
void converse_undo(struct office *o, owner_t owner, const struct acl *m,
    struct talks_seen *seen, size_t n);
/* The first shard's: deadlines. */
void converse_begin(struct office *o);
void converse_end(struct office *o);

#endif
