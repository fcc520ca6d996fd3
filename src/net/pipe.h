/*
 * pipe.h - a server of byte streams on a Unix socket, on the loops of the shards.
 *
 * One shard accepts and hands the connections out in turn; from then on a connection
 * is its shard's.  The name has mode 0600, and another user but root is hung up on: a
 * file system without modes would let him in.
 *
 * What comes in is handed over until it was taken, and not read past in_max; what goes
 * out leaves at the end of the turn in one write, and waits up to out_max: a reader
 * slower than that is cut.  Waiting bytes are in account_bodies and account_output, the
 * descriptors in account_files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_PIPE_H
#define NET_PIPE_H

#include "base/str.h"
#include "net/shard.h"

struct pipe_server;
struct pipe_conn;

/* On the connection's shard, never from inside a call of this header. */
struct pipe_hooks {
	/* Returns the connection's user, which `closed` gives back. */
	void *(*opened)(void *ctx, struct pipe_conn *c);
	/* How much of the front of what has come was taken; it is called again for the
	 * rest while that is not 0, and when more has come. */
	size_t (*bytes)(void *user, struct str in);
	/* All was sent, after pipe_unsent was over PIPE_LOW.  May be NULL. */
	void (*sent)(void *user);
	/* The last call: the other side is gone, has ended its side of the connection, was
	 * cut, or pipe_close. */
	void (*closed)(void *user);
};

#define PIPE_LOW (64 * KB)                   /* unsent; past it a sender should wait */

struct pipe_options {
	const char *path;                    /* at most 107 bytes; a socket that nobody
	                                        listens on is replaced */
	unsigned shards;
	size_t conns_max;                    /* more wait until one is closed */
	size_t in_max, out_max;              /* bytes, of one connection */
};

/* Takes the name; nobody is accepted before all shards are attached.  ERR_BUSY: a
 * server listens there.  ERR_INVALID: the path is too long, or no socket. */
int  pipe_server_new(struct pipe_server **out, const struct pipe_options *o,
    const struct pipe_hooks *hooks, void *ctx, struct err *e);
/* On each shard, 0 to o.shards - 1. */
void pipe_server_attach(struct pipe_server *ps, struct shard *s);
/* Accepts no more and closes what there is on this shard; done: all of it is closed.  After
 * every shard has attached. */
void pipe_server_drain(struct pipe_server *ps, struct shard *s, void (*done)(void *ctx),
    void *ctx);
void pipe_server_free(struct pipe_server *ps);       /* NULL: nothing; removes the name */

struct shard *pipe_shard(const struct pipe_conn *c);
void pipe_write(struct pipe_conn *c, struct str bytes);
size_t pipe_unsent(const struct pipe_conn *c);
/* While it is held nothing is read; what has come already is kept. */
void pipe_hold(struct pipe_conn *c, bool on);
/* Sends what there is, then closes. */
void pipe_close(struct pipe_conn *c);

#endif
