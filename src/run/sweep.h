/*
 * sweep.h - what ends by itself is removed, some at a time.
 *
 * A sweep is a row of the table in sweep.c: a name for the log, a store operation
 * whose command is a struct store_sweep, and how often.  The operation removes a
 * bounded number of rows in its transaction and says whether more are due; then it
 * is submitted again after a short pause, until `limit` are gone or none is due.
 * What was not reached waits for the next round.  A crash loses nothing: each pass is
 * one transaction, and what is due is due again after a restart.
 *
 * To add one: a row here and in sweep.c, and an operation in STORE_OP_MAP.
 *
 * Threads: the first shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_SWEEP_H
#define RUN_SWEEP_H

#include "run/run.h"

#define SWEEP_MAP(X)                                                           \
	X(THREADS)                           /* whose ttl is over */           \
	X(ITEMS)                             /* likewise */                    \
	X(ONCE)                              /* keys of requests, past their time */

enum sweep_id {
#define X(name) SWEEP_##name,
	SWEEP_MAP(X)
#undef X
	SWEEPS
};

/* In place of the row's: the time between two rounds (> 0), and how many objects
 * one round removes at most (> 0).  Before the shards run. */
void sweep_set(struct runs_shared *sh, enum sweep_id id, msec every, int64_t limit);

/* From now on what is due is removed.  On each shard; the first does it for all. */
void runs_sweep(struct runs *rs);

#endif
