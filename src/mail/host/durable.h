/*
 * durable.h - an office's side of the store: messages that are written before they are
 * accepted, what became of their letters, and what comes back after a start.
 *
 *   durable_put ---- MAIL_PUT, commit ---> done: post the letters, flag LETTER_DURABLE,
 *                                          row = mail->first + i
 *   post's dead, expired, delivered -----> durable_became: written at the turn's end
 *
 * A letter that a run takes is not told here: its row goes with the run's checkpoint
 * (store_changes.mails_taken), and the run then says office_agent_done.
 *
 * At start the office reads what waits by store_letters_each: they are posted with their row, too.
 * After a crash a letter comes back whose end was not written yet: a receiver sees it again,
 * with the same message_id.
 *
 * Threads: the office's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_DURABLE_H
#define MAIL_HOST_DURABLE_H

#include "mail/post.h"
#include "store/mail.h"

struct durable;                              /* one an office */

/* The store must outlive it. */
struct durable *durable_new(struct store *st, struct shard *s);
/* No command is under way.  NULL: nothing. */
void durable_free(struct durable *d);
/* Nothing is under way, nothing waits to be written. */
bool durable_is_idle(const struct durable *d);
/* Called once, as soon as it is idle; maybe before this returns. */
void durable_drain(struct durable *d, void (*done)(void *ctx), void *ctx);

/* Writes a message for an owner; m and what it names are copied.  done: on this shard, after
 * the commit: m has `first` and `known` (then nothing is to be posted).  ERR_BUSY: the store
 * takes no more now, or the disk is full; ERR_IO. */
typedef void durable_done(void *ctx, int rc, const struct store_mail *m, const struct err *e);
void durable_put(struct durable *d, owner_t owner, const struct store_mail *m,
    durable_done *done, void *ctx);

/* What became of a durable letter; others are let pass.  state: MAIL_DELIVERED, MAIL_EXPIRED
 * or MAIL_DEAD.  While the disk is full it is tried again each second. */
void durable_became(struct durable *d, const struct letter *l, enum store_mail_state state,
    enum mail_dead_reason why);

/* Dead letters of a message are dropped, or wait again: `letters` are to be posted (post_revive)
 * by their `to`, row = number.  ERR_NOTFOUND, ERR_BUSY, ERR_IO. */
typedef void durable_revived(void *ctx, int rc, const struct store_letter *letters, size_t n,
    const struct err *e);
void durable_dead(struct durable *d, owner_t owner, const struct uuid *message_id, bool drop,
    durable_revived *done, void *ctx);

#endif
