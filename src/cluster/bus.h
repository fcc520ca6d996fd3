/*
 * bus.h - messages between the nodes of a cluster, over NATS.
 *
 * At most once: a message may be lost, so it is a wake-up or a live event, never the
 * only copy of anything.  Loss is reported: watchers are notified that the bus
 * went down and came up again, after an outage and after messages were dropped here
 * because a shard did not keep up.
 *
 * Subjects are given and received without the cluster's prefix: two clusters that share a
 * NATS server do not receive each other's messages.
 *
 * Threads: one of ours moves the bytes; libnats has a few of its own.  None of them
 * calls a listener: every call below says on which thread it may be made, and listeners
 * are called on the shard that they named.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_BUS_H
#define CLUSTER_BUS_H

#include "base/rc.h"
#include "base/str.h"
#include "net/shard.h"

struct bus;
struct bus_ear;

struct bus_options {
	struct str urls;                     /* nats://user:password@host:4222,tls://... */
	struct str cluster;                  /* prefix of all subjects; letters, digits, - _ . */
	struct str name;                     /* of this node, shown by the NATS server */
	struct str creds;                    /* file of credentials (JWT and key), or none */
	struct str ca, cert, key;            /* files for TLS, or none */
};

/* Borrowed for the call. */
struct bus_message {
	struct str subject, reply, body;     /* reply: where an answer is wanted, or empty */
};

/* Connects in the background and again whenever the connection is lost.
 * ERR_NOTFOUND: the library is not installed; ERR_INVALID: an option is wrong. */
int  bus_open(struct bus **out, const struct bus_options *o, struct err *e);
/* When every shard that listens or watches has stopped, before it is freed; what waits
 * to be sent is sent if that can be done at once. */
void bus_close(struct bus *b);

/* Any thread. */
bool bus_is_up(const struct bus *b);

/* On shard s: changed(up) is called there for every change from now on, and first with
 * up = true in a later turn if the bus is up.  In order with what is received: after
 * changed(true) nothing is missed of what others send in answer to what is sent then.
 * Ends with the bus. */
void bus_watch(struct bus *b, struct shard *s, void (*changed)(void *ctx, bool up), void *ctx);

/* On shard s: heard() is called there with each message whose subject matches (* and >
 * as in NATS), in the order of their sender, unless its connection ended in between: what
 * the NATS server has not read yet of the old one may come later.  Answers to what this
 * shard sends after it are not missed.  Ears of the same subject share one subscription;
 * there should be few subjects (a node's own, all nodes'). */
struct bus_ear *bus_listen(struct bus *b, struct shard *s, struct str subject,
    void (*heard)(void *ctx, const struct bus_message *m), void *ctx);
/* On the same shard, in heard() too: no call follows. */
void bus_stop(struct bus_ear *ear);

/* Any thread; never blocks, copies.  The body is the pieces one after the other.
 * ERR_CLOSED: the bus is down; ERR_BUSY: too much waits to be sent; ERR_TOOBIG: more
 * than LIMIT_BUS_MESSAGE_BYTES.  OK does not mean that anybody received it. */
int  bus_send(struct bus *b, struct str subject, struct str reply,
    const struct str *pieces, size_t n);

/* Any thread: counts since bus_open, for metrics and `cluster status`. */
struct bus_stats {
	bool up;
	uint64_t sent, sent_bytes, heard, heard_bytes;
	uint64_t dropped;                    /* received, but a shard did not keep up */
	uint64_t refused;                    /* not sent: down, or too much waited */
	uint64_t connects;
	uint64_t waiting_bytes;              /* to be sent */
	char server[128];                    /* host and port; "" when down */
	char why[160];                       /* it is down; "" when up */
};
void bus_stats(struct bus *b, struct bus_stats *out);

#endif
