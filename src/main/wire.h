/*
 * wire.h - one node: the rooms joined into a server.
 *
 * A node owns the store, the shards and everything that runs on them.  It goes
 * through phases; a phase runs on every shard, and the next one begins when all
 * have finished it:
 *
 *   boot -> listen -> (serving) -> drain api -> drain http -> drain runs
 *     -> settle -> close
 *
 * Shard 0 runs on the thread that calls node_run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WIRE_H
#define MAIN_WIRE_H

#include "base/rc.h"
#include "main/config.h"
#include "net/files.h"
#include "net/shard.h"

struct models;
struct node;

/* Opens the store, recovers, makes shards and assistants.  The config
 * outlives the node.  inherited: sockets that listen already (http.h); the node's.  ERR_*,
 * with a message for the user. */
int  node_new(struct node **out, const struct config *c, const struct models *m,
    const int *inherited, size_t inherited_n, struct err *e);
/* All of that which neither listens nor opens the store: settings, keys, policies, agents,
 * certificates. */
int  node_check(const struct config *c, const struct models *m, struct err *e);
void node_free(struct node *n);

/* Serves until node_drain has done its work.  listening runs once on this
 * thread when all shards accept.  ERR_*: a phase before it failed. */
int  node_run(struct node *n, void (*listening)(void *ctx), void *ctx,
    struct err *e);

/* This thread, from inside the loop: finishes requests and runs, then
 * node_run returns.  A second call does nothing. */
void node_drain(struct node *n);
/* The same within a fraction of a second: answers that last are cut, for their clients can go
 * on in the process after this one.  Gets it the sockets that listen, which stay open: duplicates;
 * how many. */
size_t node_hand_over(struct node *n, int *fds, size_t max);
/* When node_run has returned then: connections of clients that wait for nothing; the caller's. */
size_t node_connections(struct node *n, int *fds, size_t max);
/* Reads the keys file again; logs the result. */
void node_reload(struct node *n);

/* Where it listens beside host and port, each after `before`. */
void node_add_urls(const struct node *n, const char *before, struct buf *b);
struct shard *node_shard(struct node *n);    /* shard 0 */

struct node_status {
	unsigned shards;
	unsigned port;                       /* once it listens */
	struct files_plan files;
	struct str model;                    /* the default; borrowed */
	bool scripted;                       /* it is a scripted model */
	bool auth;
	size_t recovered;                    /* threads with pending runs */
};

struct node_status node_status(const struct node *n);

#endif
