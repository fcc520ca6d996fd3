/*
 * relay_net.h - the relays of a process on its bus, as a node of its cluster.
 *
 * Threads: any for relay_net_set_node; the others as said.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_RELAY_NET_H
#define CLUSTER_RELAY_NET_H

#include "cluster/bus.h"
#include "cluster/node.h"
#include "cluster/relay.h"
#include "mail/host/office.h"

struct relay_net;

struct relay_net_options {
	struct bus *bus;
	struct cluster *cluster;
	struct http_server *http;
	struct runs_shared *runs;
	struct offices *offices;
	struct shard **shards;               /* by id */
	unsigned shards_n;
};

/* What is named in o outlives it.  Before the shards run. */
struct relay_net *relay_net_new(const struct relay_net_options *o);
/* This process is that node from now on; <= 0: none. */
void relay_net_set_node(struct relay_net *n, int64_t node);
/* On each shard: listens from now on. */
struct relay *relay_net_open(struct relay_net *n, struct shard *s);
/* On the shard: relay_stop, and listens no more. */
void relay_net_stop(struct relay_net *n, struct shard *s);
void relay_net_free(struct relay_net *n);    /* when no shard runs; accepts NULL */

#endif
