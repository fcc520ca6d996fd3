/*
 * upgrade.h - a server becomes the program that is on disk now, and keeps listening.
 *
 * One process cannot give its database to another while it has it, so none is started beside
 * it: the process parks its runs, closes its files and executes the new program under its own
 * number, which a service manager and the first process of a container both need.  The
 * sockets it listens on stay open and are passed as sd_listen_fds(3) says: LISTEN_PID,
 * LISTEN_FDS, LISTEN_FDNAMES, descriptors from 3 on.  Clients that come meanwhile wait in their
 * queues.  What systemd passes at its own start comes the same way.
 *
 * Beside the sockets goes, named `program`, the file of the program that was: if the new one
 * does not get to serving, it executes that, with the same sockets.
 *
 * Threads: the first one, and shard 0, which runs on it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_UPGRADE_H
#define MAIN_UPGRADE_H

#include "net/shard.h"

/* First of all in a program that may become another one: its words and its environment
 * as they are.  They are borrowed. */
void upgrade_note(char **argv, char **environment);

/* Descriptors that were passed to this process; those of sockets are the caller's.  Once: its
 * variables go from the environment.  ERR_INVALID: LISTEN_FDS is no number of some. */
int  upgrade_take(int *fds, size_t max, size_t *n, struct err *e);

/* Asks the program on disk whether it would start: `serve --check` with our words.  done
 * runs once on the shard; e is NULL when it would, else says why not.  ERR_BUSY: it is being
 * asked.  Other errors: it cannot be run. */
int  upgrade_ask(struct shard *s, void (*done)(void *ctx, const struct err *e), void *ctx,
    struct err *e);

/* The shard ends: nobody is asked any more, and done is not called. */
void upgrade_forget(void);

/* Executes it, with these sockets; returns only if that fails. */
int  upgrade_go(const int *fds, size_t n, struct err *e);
/* This process serves: the program before it is not needed any more. */
void upgrade_arrived(void);
/* Executes the program that was before, with the sockets that were taken; returns if there is
 * none, or that fails. */
void upgrade_back(const struct err *why);

#endif
