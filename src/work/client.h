/*
 * client.h - how a command reaches its tracker: through the workspace's daemon,
 * directly, or through a server.  The answer is the same.
 *
 * A live daemon answers; else, unless that is forbidden (--no-daemon,
 * COHORT_NO_DAEMON, CI, a folder that is read-only), one is started in the
 * background while this command already runs directly; else directly.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_CLIENT_H
#define WORK_CLIENT_H

#include "work/home.h"

struct client;

/* Another way to reach a tracker, as over HTTP: takes one request line (without
 * its end) and appends one response line.  Implemented above, in main/. */
struct client_remote {
	int (*exchange)(void *ctx, struct str request, nsec timeout,
	    struct buf *response, struct err *e);
	void *ctx;
};

struct client_options {
	const struct home *home;             /* NULL with remote */
	const struct client_remote *remote;  /* NULL: the workspace */
	struct str actor;
	nsec timeout;                        /* of each call: connect, write, read */
	bool no_daemon;
	struct str once;                     /* sent with each call; empty: none */
};

struct reply {
	struct json_doc doc;                 /* the whole response */
	jnode data;                          /* NULL: absent */
	struct str data_text;                /* the same as compact JSON, borrowed */
	struct buf text;
	int rc;                              /* OK, or the operation's error */
	struct err err;
};

int client_open(struct client **out, const struct client_options *o, struct err *e);
void client_close(struct client *c);         /* accepts NULL */

/* Runs one operation.  args_json: an object, or empty.  Returns r->rc.  Release
 * r in any case; it may be used again for the next call.
 * ERR_TIMEOUT: in time there was no answer, and nothing is half done. */
int client_call(struct client *c, const char *operation, struct str args_json,
    struct reply *r);
void reply_release(struct reply *r);

/* For long operations: a line of progress, done of total. */
void client_on_progress(struct client *c, void (*fn)(void *ctx, size_t done,
    size_t total), void *ctx);

#endif
