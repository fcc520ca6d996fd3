/*
 * sandbox.h - guests of a server: modules that are deployed, and on each shard what runs them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_SANDBOX_H
#define MAIN_SANDBOX_H

#include "main/agents.h"
#include "main/config.h"
#include "run/run.h"
#include "wasm/agent/agents.h"
#include "main/wasm_folder.h"

struct sandbox {
	struct wasm_deploy *deploy;          /* NULL: wasm.enabled is false */
	char *cache;
	char host[4096];                     /* the program cohort-wasm-host */
	struct guest_files *files;           /* modules of the folder */
	void (*changed)(void *ctx);          /* as of wasm_deploy_options; set before it opens */
	void *ctx;
};

/* By the settings wasm.*; with the modules of that folder's agents. */
int  sandbox_open(struct sandbox *b, const struct config *c, struct store *store,
    unsigned shards, const struct folder *folder, struct err *e);
/* The modules of these agents' files, as they are now (wasm_folder.h).  b: a struct sandbox,
 * which may be all zero.  Any thread, one at a time. */
void sandbox_read(void *b, const struct agents *set);
void sandbox_close(struct sandbox *b);       /* also one that is all zero */

/* What runs guests on one shard; all zero: they are off. */
struct sandbox_shard { struct wasm_desk *desk; struct wasm_agents *agents; };
struct sandbox_needs {                       /* all outlive it */
	struct shard *shard;
	struct store *store;
	struct store_reader *reader;
	struct runs *runs;
	struct office *office;
	const struct tools *tools;
};
/* Before the office recovers its agents: some are guests. */
int  sandbox_shard_open(struct sandbox_shard *g, struct sandbox *b,
    const struct sandbox_needs *n, struct err *e);
/* After the office: what its agents still do is done, then the host processes end. */
void sandbox_shard_drain(struct sandbox_shard *g, void (*done)(void *ctx), void *ctx);
void sandbox_shard_free(struct sandbox_shard *g);        /* after the office and the runs */

#endif
