/*
 * serve.h - a server in this process, from its settings to its end, and what another
 * command does beside it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_SERVE_H
#define MAIN_SERVE_H

#include "base/flags.h"
#include "main/config.h"
#include "main/wire.h"

/* All on the thread and in the loop of shard 0; each may be NULL. */
struct serve_with {
	void (*listening)(void *ctx, struct node *n);
	/* A signal ends it.  True: node_drain is called later by who says so. */
	bool (*stopping)(void *ctx);
	void (*cut)(void *ctx);              /* a second one: the process exits now */
	bool upgrades;                       /* SIGUSR2 makes it the version on disk */
	void *ctx;
};

/* Serves until a signal; the exit code.  The config outlives it. */
int  serve_run(const struct flag_command *cmd, struct config *c, const struct serve_with *with);

/* Where this machine reaches it, once it listens. */
void serve_add_url(struct buf *b, const struct config *c, const struct node *node);

#endif
