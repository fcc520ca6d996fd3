/*
 * register.h - durable agents as rows of the store: written before they are there, read
 * when the server is started again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_REGISTER_H
#define MAIL_HOST_REGISTER_H

#include "mail/host/office.h"
#include "store/mail.h"

/* done: on this shard, after the commit.  The spec is copied.  NULL: nobody waits.  follow: an
 * agent that is a run, which another node may have had. */
void register_put(struct office *o, const struct office_spec *s, bool follow, msec now,
    void (*done)(struct office *o, void *ctx, int rc, const struct err *e), void *ctx);
/* Nobody waits for it. */
void register_set(struct office *o, const struct office_agent *a);
/* done as of register_put. */
void register_delete(struct office *o, const struct office_spec *s,
    void (*done)(struct office *o, void *ctx, int rc, const struct err *e), void *ctx);

/* All agents of the store; each is good for its call.  ERR_IO. */
struct register_row { struct office_spec spec; enum mail_state state; struct str error; uint32_t restarts; msec created; };
void register_read(const struct store_mailer *m, void (*each)(void *ctx,
    const struct register_row *row), void *ctx);
int  register_each(struct office *o, void (*each)(void *ctx, const struct register_row *row),
    void *ctx, struct err *e);

#endif
