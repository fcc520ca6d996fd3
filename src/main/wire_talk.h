/*
 * wire_talk.h - what this node tells others of rows that they keep in memory, and hears of
 * theirs: graphs of workers, modules, sessions, limits, threads that are deleted; and offers
 * for their workers.
 *
 * Threads: shard 0, but for what says otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WIRE_TALK_H
#define MAIN_WIRE_TALK_H

#include <stdatomic.h>

#include "cluster/counts.h"
#include "cluster/passes.h"
#include "cluster/talk.h"
#include "main/catalog.h"
#include "run/run.h"
#include "wasm/deploy/deploy.h"
#include "worker/away.h"

/* All zero: a node alone, which tells nothing. */
struct wire_talk {
	struct talk *talk;
	struct counts *counts;
	struct shared_passes *passes;
	struct worker_away *away;
	struct shard *shard;
	struct catalog *catalog;
	struct wasm_desk *modules;           /* shard 0's; NULL: they are off */
	struct store_reader *reader;
	struct runs *runs;                   /* shard 0's */
	bool serving;                        /* rows are looked at */
	struct shard_job look;               /* at modules */
	atomic_bool posted;
};

struct wire_talk_needs {
	struct bus *bus;                     /* NULL: no NATS: rows are looked at each second */
	struct shard *shard;
	struct auth *auth;
	struct catalog *catalog;
	struct wasm_desk *modules;
	struct worker_desk *desk;            /* of workers; the shard's */
	struct store_reader *reader;
	struct runs *runs;                   /* the shard's */
};
/* Before the first request. */
void wire_talk_open(struct wire_talk *w, const struct wire_talk_needs *n);
void wire_talk_serve(struct wire_talk *w);   /* what was opened can be looked at */
/* Before the desk of workers and the catalog drain: no more looks and offers. */
void wire_talk_drain(struct wire_talk *w);
/* When the shards have stopped and the bus was closed. */
void wire_talk_close(struct wire_talk *w);

/* Rows were written here; w: a struct wire_talk.  All but the first: any shard. */
void wire_talk_graphs(void *w);
void wire_talk_modules(void *w);
void wire_talk_deleted(void *w, const struct uuid *thread_id);

#endif
