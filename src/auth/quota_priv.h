/*
 * quota_priv.h - how much each caller takes at the moment.
 *
 * One entry for each caller with limits who has a request under way, or had one within
 * the last second.  Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_QUOTA_PRIV_H
#define AUTH_QUOTA_PRIV_H

#include "auth/auth.h"

struct quotas;

struct quotas *quotas_new(void);
void quotas_free(struct quotas *qs);
/* As auth_enter, for a payer with limits. */
int  quotas_enter(struct quotas *qs, const struct uuid *payer, const struct auth_limits *l,
    nsec now, struct quota **place, int64_t *retry_s, struct err *e);
void quotas_enter_ask(struct quotas *qs, const struct uuid *payer, struct auth_entry *w);
void quotas_leave(struct quotas *qs, struct quota *q);
size_t quotas_count(struct quotas *qs);      /* for tests */

/* As auth_limits_*. */
void quotas_on_change(struct quotas *qs, void (*changed)(void *ctx, bool much), void *ctx);
bool quotas_tell(struct quotas *qs, bool all, struct buf *out);
void quotas_hear(struct quotas *qs, uint64_t node, struct str told, nsec now);
void quotas_ask(struct quotas *qs, struct buf *out);
void quotas_answer(struct quotas *qs, struct str asked, struct buf *out);
void quotas_answered(struct quotas *qs, uint64_t node, struct str answer, nsec now);
void quotas_forget(struct quotas *qs, nsec now);

#endif
