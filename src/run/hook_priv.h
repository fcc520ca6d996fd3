/*
 * hook_priv.h - messages to servers of others, inside: see hook.h.
 *
 *   hook_url.c    to whom they may go (pure)
 *   hook_body.c   what a webhook says, and what signs it
 *   hook.c        the sender: rows that are due, tries, what becomes of them
 *
 * The sender lives on the first shard.  It goes round the receivers (scheme, host and
 * port) and sends to each at most LIMIT_HOOKS_RECEIVER at once, so one that is slow
 * holds up only its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_HOOK_PRIV_H
#define RUN_HOOK_PRIV_H

#include "run/hook.h"
#include "run/run_priv.h"

/* ---- hook_url.c ------------------------------------------------------------------ */

unsigned hook_refused(const struct hook_rules *r);   /* for client_request.refuse */

/* ---- hook_body.c ------------------------------------------------------------------- */

extern const char *const hook_fields[];      /* of a webhook's body; NULL-ended */

/* A body: of the row; of a webhook it is made, with the state that the run left.
 * ERR_TOOBIG: it is longer than LIMIT_HOOK_BODY_BYTES even without values. */
int  hook_body_write(struct buf *b, struct runs *rs, const struct store_hook *h);
/* Lines of a request, "Name: value\r\n". */
void hook_headers_write(struct buf *b, const struct hook_rules *r,
    const struct store_hook *h, struct str body, msec now);
/* And the place in a trace, of a webhook of a run. */
void hook_add_trace(struct buf *b, const struct runs *rs, const struct store_hook *h);

/* ---- hook.c -------------------------------------------------------------------------- */

struct hooks;

void hooks_open(struct runs *rs);            /* on each shard; the first one sends */
void hooks_close(struct runs *rs);           /* what is under way is cut off; its rows stay */
void hooks_free(struct runs *rs);
/* A row may have been written; any shard. */
void hooks_look(struct runs *rs);
/* From now on ends of runs are followed by a look. */
void hooks_expect(struct runs_shared *sh);

#endif
