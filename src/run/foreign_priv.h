/*
 * foreign_priv.h - what readers here need of what other nodes do, when no bus brings it.
 *
 * One desk a shard.  It asks the store, for all its readers at once and for many runs or
 * threads in one query; all desks together ask LIMIT_FOREIGN_QUERIES times a second at
 * most, each an equal share.  Who waits for that has its turn in the order of waiting.
 *
 *   foreign.c        the desk; runs of other nodes and who watches them
 *   foreign_group.c  their readers, by the frames that they read
 *   foreign_gone.c   threads that are read here, and that another node has deleted
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_FOREIGN_PRIV_H
#define RUN_FOREIGN_PRIV_H

#include "run/run_priv.h"
#include "run/tape_priv.h"
#include "store/node.h"

/* How often a desk may ask: its share, evenly, but for a small burst.  Pure. */
struct foreign_rate { nsec paid; };          /* queries until now are paid up to here */
void foreign_rate_pay(struct foreign_rate *r, unsigned queries, unsigned shards, nsec now);
nsec foreign_rate_wait(const struct foreign_rate *r, nsec now);  /* <= 0: one is allowed */

struct foreign_desk {
	struct runs *rs;
	struct map runs;                     /* struct foreign, by run */
	struct list due;                     /* those to be asked about, the first first */
	struct list news;                    /* those of which there is something to read */
	struct wheel_timer turn;             /* when the next query is allowed */
	struct foreign_rate rate;
	uint64_t queries;                    /* since the start */

	/* foreign_gone.c */
	struct wheel_timer look;             /* at the threads that are read */
	bool looks;                          /* it is set, or the look under way */
	unsigned outages;                    /* that the last whole look was behind */
	unsigned seen;                       /* that the look under way is behind */
	struct store_thread_there *threads;  /* to be asked about, from `at` on */
	struct uuid *ids;
	size_t at, n;
};

/* Queries that were asked, or are about to be. */
void foreign_pay(struct foreign_desk *d, unsigned queries);
/* Whatever waits has its turn now, or as soon as a query is allowed. */
void foreign_turn(struct foreign_desk *d);

/* ---- readers of one run ------------------------------------------------------------ */

struct foreign_group;

struct foreign_readers {
	struct tape_source source;
	struct foreign_group *first;
};
/* r has read what is stored. */
void foreign_add(struct foreign_readers *l, struct bridge *r);
/* Frees those that have left.  False: nobody is left. */
bool foreign_tidy(struct foreign_readers *l);
/* What is stored and they have not read; returns how many queries it took. */
unsigned foreign_read(struct foreign_readers *l);
/* Do some get the end alone? */
bool foreign_wait_for_end(const struct foreign_readers *l);
/* Each is ended, or asks again where its run is; then there are none. */
void foreign_end(struct foreign_readers *l, int rc, const struct run_end *end,
    const struct err *e);
void foreign_route(struct foreign_readers *l);

/* ---- threads that are deleted ------------------------------------------------------- */

bool foreign_gone_waits(const struct foreign_desk *d);
void foreign_gone_look(struct foreign_desk *d);      /* one query */
void foreign_gone_close(struct foreign_desk *d);

#endif
