/*
 * rpc_priv.h - the state of the server's end, and what both ends of a Unix socket
 * need.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RPC_RPC_PRIV_H
#define RPC_RPC_PRIV_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/check.h"
#include "base/list.h"
#include "rpc/rpc.h"

#define WATCHES   4
#define RPC_MARK  0x72706320u
#define CONN_MARK 0x7270636eu

struct rpc_conn {
	unsigned mark;
	struct rpc *r;
	int fd;                              /* -1: gone */
	uint32_t armed;
	struct buf in, out;
	size_t at, line_end, scanned;        /* of in: the next line; its end, or 0;
	                                        without an end so far */
	size_t sent;                         /* of out */
	size_t skipped;                      /* of a line too long */
	size_t held;                         /* memory, as counted in r->held */
	bool eof, hangup, too_long, told;
	bool ready, dirty;
	int refs;
	void *user;
	struct list all;                     /* or the dead */
	struct rpc_conn *next_ready, *next_dirty;
};

struct rpc {
	unsigned mark;
	struct rpc_options o;
	int epoll, listener, spare;
	bool accepting;
	nsec paused;                         /* it accepts again from then on; NEVER */
	struct { int fd; bool *fired; } watch[WATCHES];
	size_t watches, conns;
	size_t held;                         /* memory of all buffers */
	struct list all, dead;
	struct rpc_conn *ready, **ready_end;
	struct rpc_conn *dirty;
	struct rpc_conn *hot;                /* the last to give a line */
	unsigned hot_rounds;
	unsigned spin_skip, spin_miss;
	bool busy;                           /* a line since the last sleep */
	bool reading;
};

static inline struct rpc_conn *
rpc_conn_of(struct list *all)
{
	return CONTAINER_OF(all, struct rpc_conn, all);
}

static inline void
rpc_check(const struct rpc *r)
{
	CHECK_MARK(r, RPC_MARK);
	assert(r->ready_end != NULL && *r->ready_end == NULL);
	assert((r->ready == NULL) == (r->ready_end == &r->ready));
	assert((r->conns == 0) == list_empty(&r->all) && r->watches <= WATCHES);
}

static inline void
rpc_check_conn(const struct rpc_conn *c)
{
	CHECK_MARK(c, CONN_MARK);
	CHECK_MARK(c->r, RPC_MARK);
	assert(c->at <= c->in.n && c->scanned <= c->in.n && c->line_end < c->in.n + 1);
	assert(c->sent <= c->out.n && c->refs >= 0 && c->fd >= -1);
}

/* rpc.c: takes fd. */
void rpc_conn_new(struct rpc *r, int fd);

/* rpc_accept.c */
int  rpc_listen(struct rpc *r, struct err *e);
void rpc_accept_all(struct rpc *r);
void rpc_accept_stop(struct rpc *r);
void rpc_accept_again(struct rpc *r);

/* A name for the kernel, whose own are at most 107 bytes: a longer path goes
 * through its folder, which stays open meanwhile. */
struct rpc_name {
	struct sockaddr_un sa;
	socklen_t size;
	int folder;                          /* -1: none */
};

int  rpc_name_make(struct rpc_name *n, const char *path, struct err *e);
void rpc_name_release(struct rpc_name *n);

/* The user at the other end of fd; -1: unknown. */
int64_t rpc_uid(int fd);

static inline void
rpc_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

#endif
