/*
 * relay.h - requests go to the node that has what they are about.
 *
 * A node that gets a request about another node's thread sends it there; the other
 * node serves it by a port of its HTTP server (net/http_port.h), and its answer comes
 * back byte for byte (net/http_tunnel.h), streams and WebSockets too.
 *
 *   client --- socket --- node A ==== frames over the bus ==== node B (owner)
 *                         tunnel                               port
 *
 * Frames of two shards are numbered.  One that is missing, a bus that is down for
 * LIMIT_RELAY_DOWN_MS, a node that is gone or does not answer a ping in that time: all
 * streams between the two are cut.  A client that has nothing of an answer yet gets 503;
 * any other loses its connection and comes back, by Last-Event-ID.
 *
 * Each direction of a stream has credit, so that no side holds more than
 * LIMIT_RELAY_WINDOW_BYTES of a client that does not read.
 *
 * Threads: one struct relay a shard; its calls are made there.  The functions of struct
 * relay_bus are called from any shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_RELAY_H
#define CLUSTER_RELAY_H

#include "base/buf.h"
#include "base/id.h"
#include "net/shard.h"

struct http_req;
struct http_server;
struct relay;
struct relays;

/* What has no row that tells its node: found by asking. */
enum relay_kind {
	RELAY_RUN,
	RELAY_AGENT,                         /* "OWNER/ID" */
	RELAY_LISTEN                         /* 16 bytes: a thread that it keeps; see relay_listen */
};

/* What carries frames, and what is known of nodes. */
struct relay_bus {
	/* To a shard of a node: it calls relay_heard there, with the frames of each
	 * sender in order.  ERR_CLOSED, ERR_BUSY: it was not sent. */
	int (*send)(void *ctx, int64_t node, unsigned shard, const struct str *pieces,
	    size_t n);
	bool (*alive)(void *ctx, int64_t node);
	/* The other nodes that live, at most max. */
	size_t (*others)(void *ctx, int64_t *nodes, size_t max);
	/* Has this process such a thing? */
	bool (*has)(void *ctx, enum relay_kind kind, struct str key);
	void *ctx;
};

/* One a process.  bus is copied; hs and ctx outlive it. */
struct relays *relays_new(const struct relay_bus *bus, struct http_server *hs,
    unsigned shards);
void relays_free(struct relays *all);        /* after every struct relay */
/* Who this process is; 0: nobody yet, or no more.  Any thread; shards cut their streams
 * of the last one by themselves. */
void relays_set_node(struct relays *all, int64_t node);

struct relay *relay_new(struct relays *all, struct shard *s);
void relay_heard(struct relay *rl, struct str frame);
/* The bus is up at first. */
void relay_bus_changed(struct relay *rl, bool up);
/* Streams of our clients end, so that they come back elsewhere; what has no answer yet goes
 * on. */
void relay_drain(struct relay *rl);
/* Cuts what is left. */
void relay_stop(struct relay *rl);
void relay_free(struct relay *rl);           /* after it was stopped */

/* Sends r, whose body is this, to a node: true, and it is answered in time.  False:
 * it cannot be reached, or r came from another node and is not given on; nothing was
 * done.  path: of the request as the other node is to see it, with its query; lines:
 * header lines in place of those that `drops` names ("cookie,authorization"). */
struct relay_ask_for {
	int64_t node;
	struct str path;                     /* percent-encoded */
	struct str body;
	struct str lines, drops;             /* may be empty */
	struct str error_lines;              /* of a 503 */
	struct str error, error_type;        /* its body; they outlive the relay */
	struct relay_guard *guard;           /* or NULL */
};
/* Who may end a request that another node answers: over is called when it is over, once, if
 * relay_request took it. */
struct relay_guard {
	void (*over)(struct relay_guard *g);
	struct passage *passage;             /* private */
};
/* Before over: the client's connection is reset. */
void relay_cut(struct relay_guard *g);
bool relay_reaches(struct relay *rl, int64_t node);
bool relay_request(struct relay *rl, struct http_req *r, const struct relay_ask_for *q);
/* The same, but the answer (its head too) comes to `answered`, in a later turn: nothing, if it
 * did not come, or is longer than max. */
bool relay_ask(struct relay *rl, const struct http_req *r, const struct relay_ask_for *q,
    size_t max, void (*answered)(void *ctx, struct str answer), void *ctx);
size_t relay_others(struct relay *rl, int64_t *nodes, size_t max);
/* r came from another node and is about something of `node`: may its sender be told to ask
 * there?  No: it has asked as often as it may, or is that node, where the thing was a moment
 * ago. */
bool relay_moves(const struct http_req *r, int64_t node);
/* It is told so.  r is gone. */
void relay_moved(struct relay *rl, struct http_req *r, int64_t node);

/* Threads that somebody listens to in this process, without a run: requests about them come
 * here.  Counts; any thread. */
void relays_listen(struct relays *all, const struct uuid *thread_id, bool more);
/* The same, and done is called when all others know, or in LIMIT_RELAY_ASK_MS: for a client
 * that is going to start a run by another node once its stream is open.  node: one that
 * has the thread (runs_has_thread), whose run may not have a row yet; 0: none.  Ends with
 * relay_listens. */
void relay_listen(struct relay *rl, const struct uuid *thread_id,
    void (*done)(void *ctx, int64_t node), void *ctx);
/* As relays_listen. */
void relay_listens(struct relay *rl, const struct uuid *thread_id, bool more);
/* The other node where a thread is listened to; 0: none, or it is here too and this node is
 * the first of them: two may have begun at the same time.  Any thread. */
int64_t relay_listened(struct relay *rl, const struct uuid *thread_id);
int64_t relays_listened(struct relays *all, const struct uuid *thread_id);   /* the same */

/* Which other node has it; done is called in a later turn, within LIMIT_RELAY_ASK_MS, with
 * 0 if there is none or it is not known. */
void relay_find(struct relay *rl, enum relay_kind kind, struct str key,
    void (*done)(void *ctx, int64_t node), void *ctx);

struct relay_stats {
	uint64_t sent, served, lost;         /* requests to others, of others, cut */
	size_t streams;                      /* under way */
};
void relay_stats_add(struct relay_stats *sum, const struct relay *rl);   /* any thread */

#endif
