/*
 * wire.h - one node: the rooms joined into a server.
 *
 * A node owns the store, the shards and everything that lives on them.  Its
 * life is a sequence of phases; a phase runs on every shard, and the next
 * begins when all have finished it:
 *
 *   boot -> listen -> (serving) -> drain http -> drain runs -> settle -> close
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

struct node;

/* Opens the store, recovers, makes shards and assistants.  The config
 * outlives the node.  ERR_*, with words for the user. */
int  node_new(struct node **out, const struct config *c, struct err *e);
void node_free(struct node *n);

/* Serves until node_drain has done its work.  listening runs once on this
 * thread when all shards accept.  ERR_*: a phase before it failed. */
int  node_run(struct node *n, void (*listening)(void *ctx), void *ctx,
    struct err *e);

/* This thread, from inside the loop: finish what is under way, then return
 * from node_run.  A second call does nothing. */
void node_drain(struct node *n);
/* Reads the keys file again; says in the log how that went. */
void node_reload(struct node *n);

struct shard *node_shard(struct node *n);    /* shard 0 */
unsigned node_shards(const struct node *n);
const struct files_plan *node_files(const struct node *n);
unsigned node_port(const struct node *n);    /* once it listens */
struct str node_model(const struct node *n);
bool node_model_is_scripted(const struct node *n);
const char *node_store(const struct node *n);
bool node_auth(const struct node *n);
size_t node_recovered(const struct node *n); /* threads with pending runs */

#endif
