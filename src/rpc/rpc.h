/*
 * rpc.h - lines over a Unix socket: the server's end, which hands out all that
 * is there in rounds, and the client's.
 *
 * Plain epoll and sockets, no libuv: the thin executable uses both ends.
 *
 * The server's loop:
 *
 *   rpc_wait(r, until);
 *   while (rpc_next(r, &conn, &line))     one of each connection in turn
 *           ...
 *   buf_add(rpc_out(conn), answer);       sent at the next rpc_wait, in one
 *                                         write a connection
 *
 * Sending on two processors costs a wake-up, which is four times as dear as
 * all the rest; so both ends look for the answer a short while before they
 * sleep, as long as that finds something.  An idle server sleeps without a
 * timer.
 *
 * One thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RPC_RPC_H
#define RPC_RPC_H

#include "base/clock.h"
#include "base/rc.h"

/* ---- the server's end ------------------------------------------------------ */

struct rpc;
struct rpc_conn;

struct rpc_options {
	const char *path;            /* of any length; what is there is replaced:
	                                the caller owns the name.  Mode 0600;
	                                other users but root are hung up on. */
	size_t conns_max;
	struct str full;             /* told to a connection over that; a line */
	size_t line_max;
	size_t out_max;              /* unsent; a slower reader is closed */
	size_t held_max;             /* memory of all buffers; past it the largest
	                                connection is closed.  0: no limit */
	/* c is about to be freed.  May be NULL. */
	void (*closed)(void *ctx, struct rpc_conn *c);
	void *ctx;
};

int  rpc_new(struct rpc **out, const struct rpc_options *o, struct err *e);
void rpc_free(struct rpc *r);                /* accepts NULL; removes nothing */

/* Also wakes when fd is readable, and then sets *fired. */
int  rpc_watch(struct rpc *r, int fd, bool *fired);

/* Sends what is unsent, and sleeps until there is a line, a watched file, or
 * `until` (monotonic; 0: does not sleep). */
void rpc_wait(struct rpc *r, nsec until);
/* The next whole line, without its end; valid until the next rpc_wait.  False:
 * none.  line->p NULL: it was over line_max, and the connection is closed once
 * it was told so. */
bool rpc_next(struct rpc *r, struct rpc_conn **c, struct str *line);
/* No more connections, and nothing more is read. */
void rpc_stop_reading(struct rpc *r);
/* Sends the rest, but not longer than until. */
void rpc_finish(struct rpc *r, nsec until);
size_t rpc_conns(const struct rpc *r);

/* What is appended is sent; nothing while the connection is gone. */
struct buf *rpc_out(struct rpc_conn *c);
size_t rpc_unsent(const struct rpc_conn *c);
/* It has so much to read that its lines are not handed out. */
bool rpc_is_behind(const struct rpc_conn *c);
void rpc_hang_up(struct rpc_conn *c);
bool rpc_gone(const struct rpc_conn *c);     /* the other side went away */
/* Keeps c from being freed. */
void rpc_hold(struct rpc_conn *c);
void rpc_drop(struct rpc_conn *c);
void rpc_set_user(struct rpc_conn *c, void *user);
void *rpc_user(const struct rpc_conn *c);    /* NULL at first */
int64_t rpc_peer_uid(const struct rpc_conn *c);          /* -1: unknown */

/* ---- the client's end -------------------------------------------------------- */

struct rpc_client {
	int fd;                      /* -1: none */
	nsec armed;                  /* the kernel's time limit, as set last */
	struct buf in;
	size_t at;                   /* of `in` that was handed out */
};

/* Who listens there: the user it had then.  -1: unknown. */
int64_t rpc_client_uid(const struct rpc_client *c);
/* ERR_NOTFOUND: nothing listens there.  ERR_TIMEOUT.  ERR_IO. */
int  rpc_connect(struct rpc_client *c, const char *path, size_t line_max,
    nsec deadline, struct err *e);
void rpc_close(struct rpc_client *c);        /* may be called twice */
/* ERR_CLOSED: the other side went away before it had all. */
int  rpc_send(struct rpc_client *c, struct str text, nsec deadline, struct err *e);
/* line: without its end, valid until the next call.
 * ERR_CLOSED: the other side went away, having read all that was sent.
 * ERR_AGAIN: it went away before it had read all: the last line sent was never
 * heard.  ERR_TIMEOUT, ERR_TOOBIG, ERR_IO. */
int  rpc_receive(struct rpc_client *c, struct str *line, nsec deadline,
    struct err *e);

#endif
