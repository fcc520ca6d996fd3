/*
 * agents.h - agents that are guests in a sandbox: the kind "wasm" of mail/host/office.h.
 *
 * An agent's graph_id is the name of a module.  It has an instance of the module's current
 * release, handles one letter at a time, and what it sends and replies leaves when it has
 * handled the letter well (include/cohort_guest.h).
 *
 *   a failed call (a result that is not 0, a trap): the letter is tried again later, then dead
 *   a trap: the instance is thrown away.  An agent with a supervisor (restart) ends, and is
 *       started again by it; the next letter of one without finds a new instance
 *   its host process is lost: the same, but the letter has no failed try
 *
 * A durable agent is saved after each letter, in one transaction with that the letter was
 * taken and what was sent, and restarts from that; one in memory restarts empty.  After a
 * failed call a durable one is as it was before it; one in memory keeps what the call changed.
 *
 * A release that takes over has instances of its own: what a guest is to know after that is
 * in its store (namespace "wasm", the agent's address).
 *
 * Threads: one a shard, the shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_AGENT_AGENTS_H
#define WASM_AGENT_AGENTS_H

#include "mail/host/office.h"
#include "tools/tools.h"
#include "wasm/deploy/deploy.h"

struct wasm_agents;

struct wasm_agents_options {                 /* all outlive it */
	struct shard *shard;
	struct office *office;
	struct wasm_desk *desk;
	struct store *store;
	struct store_reader *reader;
	const struct tools *tools;           /* NULL: none */
	/* Takes commands about store items, as store_submit; NULL: that itself. */
	int (*submit)(void *ctx, struct store_cmd *c);
	void *submit_ctx;
};
/* Before the office recovers its agents. */
struct wasm_agents *wasm_agents_new(const struct wasm_agents_options *o);
/* Begins no letter any more; done when no command of it is under way, maybe at once. */
void wasm_agents_drain(struct wasm_agents *all, void (*done)(void *ctx), void *ctx);
void wasm_agents_free(struct wasm_agents *all);      /* after the office; NULL is fine */

struct wasm_agents_stats {
	uint64_t agents;
	uint64_t handled, failed;            /* letters */
	uint64_t trapped, lost;              /* instances */
	uint64_t saved, restored, reloaded;
};
void wasm_agents_stats(const struct wasm_agents *all, struct wasm_agents_stats *out);   /* any thread */

/* Those of all shards, with what is in their host processes. */
struct wasm_figures { struct wasm_agents_stats agents; struct wasm_pool_stats pool; };
void wasm_figures_add(struct wasm_figures *to, const struct wasm_agents *all);   /* any thread */

#endif
