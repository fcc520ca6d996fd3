/*
 * passes.h - sessions and tickets that another node made (auth.h, struct auth_peers), asked
 * for over a talk.
 *
 * Threads: the talk's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_PASSES_H
#define CLUSTER_PASSES_H

#include "auth/auth.h"
#include "cluster/talk.h"

struct shared_passes;

/* Before the first request. */
struct shared_passes *shared_passes_new(struct talk *t, struct shard *s, struct auth *a);
void shared_passes_free(struct shared_passes *p);    /* after the shards; NULL is fine */

#endif
