/*
 * find.h - what operators and owners look for in all that is stored.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_FIND_H
#define STORE_FIND_H

#include "store/store.h"

/* An owner's runs, newest first.  Those that have ended are looked for in all runs that are
 * stored, unless a thread is given; ERR_TIMEOUT then, if that takes too long. */
struct store_run_found {
	int64_t seq;
	struct uuid thread_id, run_id, assistant_id;
	enum run_status status;
	msec created, updated;
	struct str graph_id;
};
struct store_run_search {
	struct store_cmd cmd;
	unsigned statuses;                   /* 1 << enum run_status */
	int64_t thread_seq;                  /* 0: of all threads */
	struct uuid assistant;               /* zero: of all */
	msec before;                         /* made before then; 0: at any time */
	int64_t behind;                      /* a seq: only older ones; 0: from the newest */
	int64_t limit;
	struct store_run_found *found;       /* out */
	size_t found_n;
	bool more;                           /* out: there are others behind them */
};

#endif
