/*
 * daemon.h - the one process that keeps a workspace's database open.
 *
 * It reads what is there on all connections, runs it in one transaction,
 * commits once, and then answers: the dearer the commit, the more requests
 * share it.  One JSON object a line, in order, pipelining allowed; see
 * docs/work.md for the protocol.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_HOST_DAEMON_H
#define WORK_HOST_DAEMON_H

#include "work/host/host.h"

struct daemon_options {
	nsec idle;                           /* exits after so long without a client;
	                                        NEVER: stays */
	bool foreground;                     /* logs to stderr, not to work.log */
	/* Work with git, on behalf of `daemon --interval`.  Called in a process
	 * forked for it, which must become another program (exec) or end: it has
	 * the parent's database open, and may not use it.  NULL: none. */
	nsec interval;
	int (*sync)(void *ctx);
	void *sync_ctx;
};

/* $COHORT_WORK_IDLE ("90s", "10m", a number of seconds, "never"), else 10 min. */
nsec daemon_idle(void);

/* Becomes the daemon of the workspace and returns when it has stopped.
 * ERR_BUSY: there is a live one. */
int daemon_run(const struct workspace *h, const struct daemon_options *o, struct err *e);

/* Starts one in the background, detached, and does not wait for it: this same
 * executable as `work daemon --background --db DATABASE`. */
void daemon_spawn(const struct workspace *h);

/* One runs, or is about to; it may hang. */
bool daemon_is_there(const struct workspace *h);

/* Is who listens as good as the database is?  One's own, root's, and that of
 * the database's owner are; anybody else got into the folder. */
struct rpc_client;
bool daemon_is_trusted(const struct workspace *h, const struct rpc_client *c);

struct daemon_status {
	bool running;
	int64_t pid;
	char version[32];
};
/* OK: out tells.  ERR_TIMEOUT: it is there and does not answer. */
int daemon_status(const struct workspace *h, struct daemon_status *out, struct err *e);
/* Asks it to stop and waits until socket and pid file are gone.  ERR_NOTFOUND:
 * there is none. */
int daemon_stop(const struct workspace *h, nsec timeout, struct err *e);

#endif
