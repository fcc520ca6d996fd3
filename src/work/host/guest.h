/*
 * guest.h - the tracker inside a server: a guest of the server's store.
 *
 * A *board* is made before the store and is its guest (store_options.guests), or that of
 * its guest house: the store that is given below may be either.
 * Operations are store commands: what writes shares the writer's group
 * transactions, what reads runs on the reader thread.  Each owner has its own
 * trackers, one a project, made when it is first asked for.
 *
 * Whoever waits for news of a project has a *listener* on the board; its job is
 * posted after each commit that changed it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_HOST_GUEST_H
#define WORK_HOST_GUEST_H

#include "store/store.h"
#include "work/work.h"

#define WORK_PROJECT "default"

struct work_board;

struct work_board *work_board_new(void);
void work_board_free(struct work_board *b);  /* after the store; accepts NULL */
const struct store_guest *work_board_guest(const struct work_board *b);

/* Of an actor, a key, ...  ERR_INVALID: longer than max bytes, with control
 * characters, or not UTF-8. */
int work_name_check(const char *what, struct str s, size_t max, struct err *e);
/* The same, and that it is not empty. */
int work_project_check(struct str project, struct err *e);

/* ---- operations ------------------------------------------------------------- */

/* All texts stay valid until the command is back. */
struct work_cmd {
	struct store_cmd cmd;                /* in: owner, arena, done */
	struct str project;
	struct str operation;                /* or empty: its events, see below */
	struct str args_json;                /* an object, or empty */
	struct str actor;                    /* never empty */
	struct str once;
	msec now;
	nsec deadline;                       /* monotonic; past it nothing is done
	                                        and the answer is ERR_TIMEOUT.  0: none */
	/* Instead of an operation: the audit's rows after this one, at most
	 * LIMIT_WORK_EVENTS, one a line.  -1: none, only the last one's number. */
	int64_t after;

	/* out; data is in cmd.arena */
	struct str data;                     /* one JSON value; may also come with
	                                        an error, from batch */
	int64_t last;                        /* events: the last one's number */

	/* private */
	struct work_board *board;
	struct store *store;
	void (*done)(struct store_cmd *c);
};

/* cmd.rc and cmd.err are as work_run's.  ERR_BUSY: it will not come back. */
int work_submit(struct store *st, struct shard *s, struct work_cmd *c);

/* ---- news -------------------------------------------------------------------- */

struct work_listener {
	/* There is news.  Not posted again before work_listen_again. */
	struct shard *shard;
	struct shard_job job;
	owner_t owner;
	struct str project;                  /* lives as long as the listener */
	/* private */
	struct work_listener *next, *prev;
	bool told;
};

void work_listen(struct store *st, struct work_listener *l);
/* From now on it is posted again. */
void work_listen_again(struct store *st, struct work_listener *l);
/* After this the job is not posted any more.  True: it was, and work_listen_again
 * was not called since. */
bool work_unlisten(struct store *st, struct work_listener *l);

#endif
