/*
 * process.h - a child process whose input and output are pipes of a shard's loop.
 *
 * The child has a process group of its own, so that what it starts is stopped with
 * it.  Its output is read a piece a turn; its input waits in a queue.
 *
 * Threads: the shard's.  Hooks may stop the process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_PROCESS_H
#define NET_PROCESS_H

#include "base/rc.h"
#include "net/shard.h"

struct process;

struct process_options {
	const char *const *argv;             /* NULL-ended; argv[0] is looked for in PATH */
	const char *const *env;              /* NULL-ended, all of it: "NAME=value" */
	const char *cwd;                     /* NULL: ours */
	const int *fds;                      /* that it gets as 3, 4, ..., at most PROCESS_FDS */
	size_t fds_n;
	/* It stays in this session, and makes itself a process group: where the kernel groups
	 * by session, its priority counts only within one. */
	bool same_session;
	/* How long it may live without its stdout before it counts as gone; 0: a fifth of a
	 * second. */
	msec exit_ms;
};
#define PROCESS_FDS 4

struct process_hooks {
	void (*out)(void *ctx, struct str bytes);    /* of its stdout */
	void (*err)(void *ctx, struct str bytes);    /* of its stderr */
	/* It has exited, or closed its stdout; nothing follows, and it is gone.  e
	 * says how. */
	void (*gone)(void *ctx, const struct err *e);
	void *ctx;
};

/* Never calls back before it returns.  ERR_NOTFOUND, ERR_DENIED, ERR_IO: it could
 * not be started; ERR_LIMIT: no descriptors. */
int  process_start(struct process **out, struct shard *s, const struct process_options *o,
    const struct process_hooks *hooks, struct err *e);
/* To its stdin, in order; copied.  ERR_LIMIT: LIMIT_PROCESS_QUEUE_BYTES wait. */
int  process_write(struct process *p, struct str bytes);
/* Its stdin ends behind what was written. */
void process_close_input(struct process *p);
/* A signal to the process alone, not to what it has started. */
void process_signal(struct process *p, int number);
/* Its number; 0 when it has exited. */
int  process_id(const struct process *p);
/* For `gone`: its exit status; -1: it lives on, or was ended by a signal. */
int  process_status(const struct process *p);
/* Closes its stdin; it is killed if it does not end within `grace`, 0: at once.  No
 * hook is called any more.  NULL: nothing. */
void process_stop(struct process *p, msec grace);

#endif
