/*
 * listen_priv.h - what the runs of a shard tell those who listen to their threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_LISTEN_PRIV_H
#define RUN_LISTEN_PRIV_H

#include "run/listen.h"

struct run;

void listen_init(struct runs *rs);
void listen_release(struct runs *rs);        /* nobody listens any more */
/* A run begins to live, before it tells anything. */
void listen_begins(struct run *run);
/* The thread is gone. */
void listen_gone(struct runs *here, const struct uuid *thread_id);
/* The shard drains: everybody hears the end. */
void listen_end(struct runs *rs);

#endif
