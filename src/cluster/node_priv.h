/*
 * node_priv.h - the inside of node.h: one struct, and its three parts.
 *
 *   node.c        the lease: the beating thread, losing it, joining again
 *   node_take.c   what others have lost or have written for us
 *   missed.c      what is ours and nobody has
 *   node_peers.c  who is there
 *   node_self.c   which process a node is
 *   pace.c        when, and what follows
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_NODE_PRIV_H
#define CLUSTER_NODE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "cluster/bus.h"
#include "cluster/missed.h"
#include "cluster/node.h"
#include "cluster/pace.h"

#define NODE_SUBJECT "all.node"              /* of the bus */

struct cluster;

/* A shard of ours, and the job that goes there: one at a time. */
struct cluster_shard {
	struct cluster *c;
	struct runs *runs;
	/* Two: a shard that stands still, for the database maybe, has one of them in its
	 * mailbox when the other is posted. */
	struct shard_job abandon, resume;
};

struct peer {
	int64_t node;
	nsec until;                          /* its lease, by our clock */
};

struct cluster {
	struct store *st;
	struct shard *home;                  /* shard 0 */
	struct cluster_options o;
	char *name, *address, *info;
	_Atomic int64_t node;                /* NODE_NONE: lost, or left */
	struct bus *bus;                     /* NULL: none */
	struct bus_ear *ear;

	/* The beating thread's, under `lock` where others look. */
	pthread_t thread;
	bool runs;
	struct store_pulse *pulse;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	struct pace pace;
	int64_t confirm;                     /* a join took long: is it the node still? */
	int confirm_rc;
	nsec confirm_sent;
	struct shard_job confirm_job;
	_Atomic nsec until;                  /* pace.until; 0: no lease */
	struct peer *peers;                  /* node_peers.c */
	size_t peers_n, peers_cap;
	int64_t newest;                      /* number seen */

	/* Shard 0's. */
	struct cluster_shard shard[LIMIT_SHARDS];    /* by shard_id; under `lock` until it
	                                        serves */
	unsigned shards;
	_Atomic unsigned left;               /* shards that have not abandoned, and one */
	struct shard_job lost_job;
	_Atomic bool losing;
	int64_t before;                      /* the number that was lost */
	bool serves, drains, leaves, over;
	struct store_node_join join;
	nsec joining;                        /* since then */
	struct log_spell not_joined, not_taken;
	struct wheel_timer again;            /* to join */
	struct store_node_leave leave;
	void (*left_done)(void *ctx);
	void *left_ctx;
	struct wheel_timer look;
	nsec look_at;                        /* the next one */
	nsec list_next, compare_next;        /* a look does it from then on */
	bool told;                           /* the next look was brought forward */
	bool compare_asked;                  /* since the comparison that is under way began */
	unsigned turn;
	int64_t after;                       /* a look at our runs goes on behind that thread */
	struct missed missed;                /* they may come yet */
	struct store_lost *lost;             /* runs that nobody has, to be taken anew: */
	size_t lost_n, lost_at;              /* those before lost_at were */
	bool asked;                          /* to look again at once */
	nsec spares;                         /* marks none until then: after an outage of
	                                        the database others come back as we do */
	struct store_node_list list;
	struct store_node_wanted wanted;
	struct store_node_take take;
	struct arena list_arena, wanted_arena, take_arena;
	bool tidy;

	struct {
		_Atomic uint64_t beats, failed, lost, joined, took, marked;
	} counts;
};

/* node_peers.c */
/* True: one that lived does not any more. */
bool peers_set(struct cluster *c, const struct store_node_row *rows, size_t n);
void peers_forget(struct cluster *c);
/* Tells all other nodes: to look, or node n to look at what is written for it. */
void peers_tell(struct cluster *c, int64_t n);
void peers_listen(struct cluster *c);

/* node_self.c: a mark of this process, or nothing; is that of a mark known to be dead? */
void self_add_mark(struct buf *b);
bool self_is_dead(struct str mark);

/* node_take.c: on shard 0.  Looks at all now; at what is written for us now; at who is there
 * when it is our turn, for all nodes were told. */
void take_look_soon(struct cluster *c);
void take_look_ours(struct cluster *c);
void take_look_told(struct cluster *c);
void take_stop(struct cluster *c);

#endif
