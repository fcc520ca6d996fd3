/*
 * node.h - this process as a node among others: its lease, and what it takes over.
 *
 *            join                      no beat in time, or marked by another
 *   (none) --------> node n ------------------------------------------> lost
 *                      |                                                  |
 *                      | leave                  all shards have abandoned  |
 *                      v                        their runs: join as n + x  |
 *                     left               node n+x <-----------------------'
 *
 * A thread of its own renews the lease each quarter of it.  If that does not succeed for
 * seven eighths of it the node counts itself as lost, before others may: it stops all
 * that it runs on threads, so that nothing is done twice at once, and goes on serving
 * under a new number.
 *
 * A join that took long is only one once a renewal has said so.
 *
 * Every node looks for others whose lease is over, and takes over from them what it can
 * get (store/node.h): each quarter of a lease, and when it is woken.
 *
 * Threads: those of shard 0, except where said.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_NODE_H
#define CLUSTER_NODE_H

#include "net/shard.h"
#include "run/run.h"
#include "store/node.h"

struct cluster;
struct bus;

struct cluster_options {
	struct str name, address;            /* for people, and for other nodes */
	struct str info;                     /* the same; a JSON object */
	msec lease;
	/* On shard 0: this process is that node from now on; NODE_NONE: none, its lease
	 * is lost.  May be NULL. */
	void (*changed)(void *ctx, int64_t node);
	/* On shard 0: the tables are of a newer version, which this one cannot join: it is to
	 * end.  May be NULL. */
	void (*outdated)(void *ctx);
	/* On shard 0: others are gone: what they had is to be taken.  May be NULL. */
	void (*gone)(void *ctx);
	void *ctx;
};

/* Joins, before any shard runs: takes turns of s, which is shard 0.  From then on the
 * lease is renewed. */
int  cluster_open(struct cluster **out, struct store *st, struct shard *s,
    const struct cluster_options *o, struct err *e);
/* When no shard runs, before store_close: nothing is renewed any more.  Then, when that has
 * ended the commands that were under way: frees it.  Both accept NULL. */
void cluster_stop(struct cluster *c);
void cluster_free(struct cluster *c);

/* On each shard, before it takes work: runs that are taken over go there too. */
void cluster_attach(struct cluster *c, struct runs *rs);
/* When all have: looks for what others have lost, from now on. */
void cluster_serve(struct cluster *c);
/* Any thread.  Is this process still the node that it was?  A lease that turns out to be over
 * is lost then, and the shards are told. */
bool cluster_holds(struct cluster *c);
/* Any thread.  What a run has to write cannot be: the lease is lost now, so that the run goes
 * on from what is stored as soon as the database is there, here or at another node. */
void cluster_give_up(struct cluster *c, const char *why);
/* It is going to leave: it takes nothing from others any more, which would move it twice. */
void cluster_drain(struct cluster *c);
/* After the last write of any run: others may take what is left at once.  done(ctx) on
 * shard 0. */
void cluster_leave(struct cluster *c, void (*done)(void *ctx), void *ctx);
/* Others are told of by it, and wake us; before cluster_serve.  May be left out. */
void cluster_set_bus(struct cluster *c, struct bus *b);

/* Something is written for another node: it looks soon.  Any thread. */
void cluster_wake_node(struct cluster *c, int64_t node);

/* ---- who is there; any thread ------------------------------------------------ */

int64_t cluster_node(const struct cluster *c);       /* NODE_NONE: it is joining again */
bool cluster_alive(struct cluster *c, int64_t node);
/* Numbers of the others that live, at most max. */
size_t cluster_others(struct cluster *c, int64_t *nodes, size_t max);

struct cluster_stats {
	int64_t node;
	msec lease, left;                    /* left: until it counts itself as lost */
	uint64_t beats, beats_failed, lost, joined;
	uint64_t took_threads, marked;       /* of other nodes */
	size_t others;
};
void cluster_stats(struct cluster *c, struct cluster_stats *out);

#endif
