/*
 * catalog.h - the graphs that workers run, among the agents of the server.
 *
 * A graph that a worker registers becomes an agent: checked, kept in the store, joined
 * with the agents of the folder, given its assistant, published; then the worker is
 * answered.  It stays when its worker goes, and after a restart, until it is removed.
 * A file of the folder has precedence over a graph of its id; a built-in agent has not.
 *
 * Registrations, removals and new sets of the folder are taken one after another, so two
 * workers that register the same graphs do it once; one that has not changed costs its
 * hash.
 *
 * Threads: shard 0, but for what says otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_CATALOG_H
#define MAIN_CATALOG_H

#include "agent/agent.h"
#include "net/shard.h"
#include "store/store.h"
#include "tools/tools.h"
#include "worker/worker.h"

struct api_shared;
struct catalog;
struct offices;
struct runs_shared;

struct catalog_options {
	struct store *store;
	struct workers *workers;
	const struct tools *tools;           /* names that no worker's tool may have */
	struct shard *const *shards;         /* the first does the work */
	unsigned shards_n;
	void (*kept)(void *ctx);             /* a row was written or removed: other nodes
	                                        are to look; NULL: there are none */
	void *ctx;
};

/* Before the shards run: reads what is kept, claims it for the keys that registered it, and
 * answers registrations from then on.  A row that cannot be read any more is logged and left
 * out.  folder: held. */
int  catalog_open(struct catalog **out, const struct catalog_options *o, struct agents *folder,
    struct err *e);
/* Refuses what comes; done when nothing is under way any more. */
void catalog_drain(struct catalog *c, void (*done)(void *ctx), void *ctx);
/* Whom new sets are given to, from now on. */
void catalog_serve(struct catalog *c, struct api_shared *api, struct runs_shared *runs,
    struct offices *offices);
void catalog_free(struct catalog *c);          /* after the shards; NULL: nothing */
/* The folder's agents with those of workers; borrowed. */
struct agents *catalog_agents(const struct catalog *c);
/* Other nodes may have changed the rows: reads and publishes them.  reader: of this shard,
 * until the drain. */
void catalog_look(struct catalog *c, struct store_reader *reader);
/* Any shard: another node has changed the rows; done comes on that shard when they are
 * published. */
void catalog_see(struct catalog *c, void (*done)(void *ctx, int rc, const struct err *e),
    void *ctx);
/* The folder has other agents. */
void catalog_set_folder(struct catalog *c, struct agents *folder);

/* Any shard: a graph that no worker serves is removed.  done comes on that shard, in a later
 * turn: ERR_NOTFOUND, ERR_CONFLICT: a worker serves it. */
void catalog_forget(struct catalog *c, struct str id,
    void (*done)(void *ctx, int rc, const struct err *e), void *ctx);

#endif
