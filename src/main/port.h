/*
 * port.h - how finished store commands come home to their shard.
 *
 * The store's threads push onto a stack; the push that finds it empty posts
 * one job, which takes the whole stack and turns it around.  So a group
 * commit of many commands costs a shard one wake-up, and order is kept.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_PORT_H
#define MAIN_PORT_H

#include <stdatomic.h>
#include "net/shard.h"
#include "store/store.h"

struct shard_port {
	struct store_port port;
	struct shard *shard;
	struct shard_job job;
	_Atomic(struct store_cmd *) back;    /* newest first */
};

void shard_port_init(struct shard_port *p, struct shard *s);

#endif
