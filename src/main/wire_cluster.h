/*
 * wire_cluster.h - what a node has of other nodes: messages over NATS.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WIRE_CLUSTER_H
#define MAIN_WIRE_CLUSTER_H

#include "base/limits.h"
#include "cluster/bus.h"
#include "main/config.h"
#include "store/store.h"

/* cluster.name, or HOST-PID. */
void cluster_name_of(const struct config *c, char out[LIMIT_CLUSTER_NAME_BYTES + 1]);
/* Where it listens, for people: the machine's name where that is on all addresses. */
void cluster_address_of(const struct config *c, uint16_t port, struct buf *b);
/* What other nodes and people are told of this one: a JSON object. */
void cluster_info_of(const struct config *c, struct buf *b);
/* *out is NULL without cluster.nats. */
int  cluster_bus_open(struct bus **out, const struct config *c, struct err *e);
/* The store, on PostgreSQL: while that cannot be reached it is tried again, cluster.wait at
 * most; waits(ctx) is called before, once.  What waiting does not mend fails at once. */
int  cluster_store_open(struct store **out, const struct store_options *o,
    const struct config *c, void (*waits)(void *ctx), void *ctx, struct err *e);

#endif
