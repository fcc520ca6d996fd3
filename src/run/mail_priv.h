/*
 * mail_priv.h - messages between agents, in the room of runs.
 *
 *   mail_make.c  what a file says, as a message (mail/acl.h)
 *   hear.c       what comes, for the chart of a run (core_priv.h)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_MAIL_PRIV_H
#define RUN_MAIL_PRIV_H

#include "base/arena.h"
#include "base/json.h"
#include "mail/acl.h"
#include "task/task.h"

/* A message and what it borrows; to be released whatever mail_make returns. */
struct mail_made {
	struct acl acl;
	struct acl_room room;
	struct buf text;
	struct json_doc doc;
	struct arena arena;
};

/* now: what `reply_by: 30s` counts from.  ERR_INVALID with words, ERR_TOOBIG. */
int  mail_make(struct mail_made *x, const struct task_mail *m, msec now, struct err *e);
void mail_made_release(struct mail_made *x);
/* {type: "message", direction, message}: what clients see of one; direction: "sent",
 * "received". */
struct val mail_event(const char *direction, struct val message);

#endif
