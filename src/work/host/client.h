/*
 * client.h - how a command reaches its tracker: through the workspace's daemon,
 * directly, or through a server.  The answer is the same.
 *
 * A live daemon answers; else, unless that is forbidden (--no-daemon,
 * COHORT_NO_DAEMON, CI, a folder that is read-only), one is started in the
 * background while this command already runs directly; else directly.  With
 * --no-daemon or COHORT_NO_DAEMON a live one is not asked either.
 *
 * A daemon that goes away before it has read a request is no matter: the
 * request runs directly.  If it had read it, nobody knows what became of it; a
 * call that only reads, or that has a `once` key, is made again, and any other
 * fails with ERR_CLOSED.  (A key costs a row each, so it is the caller's to
 * give.)  One that is there and does not answer gives ERR_TIMEOUT.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_HOST_CLIENT_H
#define WORK_HOST_CLIENT_H

#include "work/host/host.h"

struct client;

/* Another way to reach a tracker, as over HTTP: takes one request line (without
 * its end) and appends one response line.  Implemented above, in main/. */
struct client_remote {
	int (*exchange)(void *ctx, struct str request, nsec timeout,
	    struct buf *response, struct err *e);
	void *ctx;
};

struct client_options {
	const struct workspace *workspace;             /* NULL with remote */
	const struct client_remote *remote;  /* NULL: the workspace */
	struct str actor;
	nsec timeout;                        /* of each call: connect, write, read;
	                                        NEVER: none */
	bool timeout_is_ours;                /* nobody asked for it: what runs here on
	                                        purpose may take longer */
	bool no_daemon;
	/* Told how far a long operation is that runs here.  May be NULL. */
	void (*progress)(void *ctx, size_t done, size_t total);
	void *progress_ctx;
	struct str once;                     /* key of the first call, and with a number
	                                        of each later one; empty: none */
};

struct reply {
	struct json_doc doc;                 /* the whole response */
	jnode data;                          /* NULL: absent */
	struct str data_text;                /* the same as compact JSON, borrowed */
	struct buf text;
	int rc;                              /* OK, or the operation's error */
	struct err err;
};

/* Opens nothing yet.  What o points to must live on. */
int client_open(struct client **out, const struct client_options *o, struct err *e);
void client_close(struct client *c);         /* accepts NULL; may start a daemon */
/* Acts as somebody else from the next call on; the text outlives it. */
void client_set_actor(struct client *c, struct str actor);

/* Runs one operation.  args_json: an object, or empty.  r: zeroed, or of a call
 * before.  Returns r->rc.  Release r in any case.
 * ERR_TIMEOUT: in time there was no answer, and nothing is half done. */
int client_call(struct client *c, const char *operation, struct str args_json,
    struct reply *r);
void reply_release(struct reply *r);

/* The same for an import of lines that need not be in memory, and would not fit
 * on one line of the protocol: always in this process.  ERR_INVALID for a
 * tracker of a server. */
int client_call_lines(struct client *c, const char *operation,
    struct str args_json, const struct work_lines *lines, struct reply *r);

/* From now on calls run in this process and read of one moment, for an answer of
 * several pages; nothing can be written.  Of a server each page is of its own
 * moment.  client_close lets go, too. */
int client_hold(struct client *c, struct err *e);
void client_let_go(struct client *c);
bool client_is_remote(const struct client *c);

/* Waits for what happens after event `after` (of the first call; the others go
 * on) and gives it as history does: r->data is an array.  ERR_AGAIN: there is no
 * daemon to tell; ask history instead, and try again. */
int client_next_event(struct client *c, int64_t after, struct reply *r);

#endif
