/*
 * cron.h - the store's crons: what begins runs at given times.
 *
 * What is due is read with all else that is (store_due_get).  RUN_CREATE takes a cron
 * to its next firing in the transaction that creates the run (struct store_firing), so
 * each firing has one run; CRON_MISS does it without one.
 *
 * A cron goes with its thread and with its assistant.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_CRON_H
#define STORE_CRON_H

#include "store/store.h"

struct store_cron {
	struct uuid id, assistant_id;
	struct uuid thread_id;               /* zero: each run has a new one */
	int64_t seq;
	owner_t owner;
	struct str user;                     /* the owner's subject; p NULL: none */
	struct str schedule;                 /* base/schedule.h */
	struct str zone;                     /* p NULL: UTC */
	int enabled;
	int keeps;                           /* the new thread, when its run has ended */
	msec ends;                           /* no firing from then on; 0: never */
	msec next;                           /* it fires then; 0: it does not */
	int64_t version;                     /* rises with each change by a client */
	msec created, updated;
	struct str payload_json, metadata_json;
	struct str error_json;               /* {"at","error","message"} of the last
	                                        firing if no run came of it; or empty */
};

/* Of the owner.  ERR_NOTFOUND. */
int store_cron_get(struct store_reader *r, owner_t o, const struct uuid *id,
    struct arena *a, struct store_cron *out);

/* ---- commands ------------------------------------------------------------ */

/* ERR_NOTFOUND: no such assistant or thread, or somebody else's.  ERR_LIMIT:
 * LIMIT_CRONS of one owner. */
struct store_cron_create {
	struct store_cmd cmd;
	struct store_cron c;                 /* in, and out */
};

/* c replaces what there is under its id; but metadata merges into what is there,
 * shallowly.  ERR_CONFLICT: its version is another by now. */
struct store_cron_update {
	struct store_cmd cmd;
	struct store_cron c;                 /* in, and out */
};

struct store_cron_delete {
	struct store_cmd cmd;
	struct uuid id;
};

/* A firing of which no run comes: the cron goes on to the next one and says why. */
struct store_cron_miss {
	struct store_cmd cmd;
	struct store_firing firing;
	struct str error_json;
};

/* assistant, thread zero: any.  enabled -1: either. */
struct store_cron_search {
	struct store_cmd cmd;
	struct uuid assistant, thread;
	int enabled;
	struct str metadata_json;
	struct store_page page;              /* by ID, ASSISTANT, THREAD, NEXT, ENDS, CREATED
	                                        or UPDATED */
	struct store_cron *found;            /* out */
	size_t found_n;
	int64_t total;
};

#endif
