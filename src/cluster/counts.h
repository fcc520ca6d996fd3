/*
 * counts.h - limits of callers (auth.h) count over all nodes: each tells the others what
 * its callers took, at once when it is much, and adds what it receives.
 *
 * A node that cannot reach NATS counts its own requests only.
 *
 * Threads: the talk's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_COUNTS_H
#define CLUSTER_COUNTS_H

#include "auth/auth.h"
#include "cluster/talk.h"

struct counts;

struct counts *counts_new(struct talk *t, struct shard *s, struct auth *a);
void counts_free(struct counts *c);          /* after the shards; NULL is fine */

#endif
