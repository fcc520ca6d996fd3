/*
 * daemon_priv.h - the daemon's inside: daemon.c is its life, serve.c what it
 * does with requests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_HOST_DAEMON_PRIV_H
#define WORK_HOST_DAEMON_PRIV_H

#include "rpc/rpc.h"
#include "work/host/daemon.h"
#include "work/host/workspace_priv.h"
#include "work/host/wire_priv.h"

/* A request from when it is read until it is answered. */
struct task {
	struct daemon *d;
	struct rpc_conn *conn;               /* held */
	struct request req;
	struct work_call call;
	struct buf data;
	nsec deadline;                       /* NEVER: none */
	nsec told;                           /* of its progress, last */
	int64_t bytes;                       /* of its line */
	bool cancelled;
	const struct control *control;       /* NULL: the engine's */
	int rc;                              /* not OK: refused already */
	struct task *next;
};

/* Requests, and their text. */
struct load {
	int64_t n, bytes;
};

/* Of a connection; its user. */
struct peer {
	char who[32];                        /* actor of requests that name none */
	struct rpc_conn *conn;
	struct task *first, **last;          /* waiting */
	struct load load;                    /* of them */
	bool parked;                         /* until it has read its answers */
	struct peer *next;                   /* of those that have turns, or are parked */
	bool subscribed;                     /* then the connection is held */
	int64_t after;                       /* events up to here were sent */
	struct peer *next_subscribed;
};

struct daemon {
	const struct workspace *workspace;
	struct daemon_options o;
	struct workdb workdb;
	struct rpc *rpc;
	int lock, signals, watch;            /* files; -1: none */
	bool signalled, stirred;             /* something is to be read there */
	bool stopping;
	const char *why;                     /* it stops */

	struct peer *turns, **turns_end;     /* that have requests */
	struct peer *parked;                 /* that have requests and unread answers */
	struct load queued, parks;           /* of those with turns; of the parked */
	struct task *round[LIMIT_WORK_ROUND];        /* those that run */
	size_t round_n;
	struct task *spare;
	size_t spares;
	nsec looked;                         /* at the sockets, in a long operation */

	struct peer *subscribed;
	bool lagging;                        /* one has more to come */
	int64_t event;                       /* the last that all know of */

	nsec started, active;
	bool rested;                         /* since the last request */
	uint64_t requests;
	int64_t child;                       /* works with git; 0: none */
	nsec sync_due, sync_pause;           /* pause: after failures */
	nsec child_until;                    /* to stop; 0: not asked to */
};

/* Reads the lines that came. */
void serve_intake(struct daemon *d);
/* Gives turns to parked connections that have read their answers. */
void serve_unpark(struct daemon *d);
/* Runs one group of waiting requests, and answers. */
void serve_round(struct daemon *d);
/* Answers all waiting requests with a failure. */
void serve_refuse(struct daemon *d, int rc, const char *words);
/* Sends subscribers the events since, also those of other processes. */
void serve_events(struct daemon *d);
void serve_conn_closed(void *ctx, struct rpc_conn *c);
void serve_release(struct daemon *d);

#endif
