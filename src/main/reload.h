/*
 * reload.h - reads a folder of agents again whenever it changes, beside the loop:
 * compiling a large folder takes longer than a turn may.
 *
 * Threads: the shard's; the reading is done by a thread of libuv's pool.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_RELOAD_H
#define MAIN_RELOAD_H

#include "main/agents.h"

struct reload;
struct shard;

/* The folder is this one's alone until the shard is freed; changed is called with
 * each new set, and the one before.  beside: called after each reading, on the other thread,
 * for what lies beside the agents' files. */
struct reload *reload_new(struct shard *s, struct folder *f,
    void (*changed)(void *ctx, struct agents *set, struct agents *before), void *ctx,
    void (*beside)(void *beside_ctx, const struct agents *set), void *beside_ctx);
void reload_now(struct reload *r);           /* without a sign of a change */
void reload_free(struct reload *r);          /* no call follows; NULL: nothing */

#endif
