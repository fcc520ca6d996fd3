/*
 * pace.h - when a node does what, and what it concludes: its lease, its looks at others,
 * taking over, coming back.
 *
 * Pure: functions of state and time.  node.c and node_take.c do what they say with a
 * store, a bus and timers; `cohort bench cluster` does the same with a model of the store
 * and a virtual clock, for more nodes than a machine holds.
 *
 * `any` is a random number that the caller drew.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_PACE_H
#define CLUSTER_PACE_H

#include "base/clock.h"
#include "store/node.h"

/* ---- the lease: whose times are this node's ------------------------------------ */

/*
 *   sent      1/4       1/2       3/4   7/8   1
 *    |---------|---------|---------|-----|-----|
 *    beat    next beat                 until  others may mark the row
 */
struct pace {
	msec lease;
	nsec until;                          /* counts itself as lost then */
	nsec next;                           /* beat; NEVER: none */
};

/* The node has its lease, by what was sent then. */
void pace_begin(struct pace *p, nsec sent);
/* Is what was sent then, and took until now, too old to begin with?  A beat has to say first
 * that nobody has marked the row since. */
bool pace_is_stale(const struct pace *p, nsec sent, nsec now);
/* How long a beat may take; <= 0: it would be too late. */
nsec pace_patience(const struct pace *p, nsec now);

enum pace_beat { PACE_HELD, PACE_RETRY, PACE_LOST };
/* A beat that was sent then has ended so; when the next is due. */
enum pace_beat pace_beaten(struct pace *p, int rc, nsec sent, nsec now);

/* ---- after a lost lease ---------------------------------------------------------- */

/* Until joining is tried again, after it failed. */
msec pace_rejoin(void);
/* Until then one that has come back marks nobody: after an outage of the database others
 * come back as it does. */
nsec pace_spares(msec lease, nsec now);

/* ---- looks ------------------------------------------------------------------------- */

/* Until the next look at what is written for this node. */
msec pace_look(msec lease, uint32_t any);
/* How old the list of nodes may be at a look that does not read it anew.  It grows with
 * their number, for all read all; and is so short that a node whose lease is renewed is
 * never taken for dead. */
msec pace_list(msec lease, size_t nodes);
/* All nodes are told at once that one came or left: until this one reads the list. */
msec pace_told(msec lease, size_t nodes, uint32_t any);
/* So many runs were compared with the store: until they are again.  up: others can say
 * what they write for this node. */
msec pace_compare(size_t runs, bool up, uint32_t any);
/* Is there something to take over from another node?  left: of its lease. */
bool pace_is_over(enum node_state state, msec left, bool spare);

/* ---- taking ---------------------------------------------------------------------------- */

/* A transaction has taken `some` threads, and there may be `more` nodes to take from: until
 * the next; < 0: none. */
msec pace_take_again(bool more, size_t some, size_t nodes, uint32_t any);

#endif
