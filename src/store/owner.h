/*
 * owner.h - an owner goes, with all that the store has of him.
 *
 * The steps, each a command or several, in this order; what is under way of him is ended
 * between them by those who have it in memory (api/owner.c).
 *
 *   OWNER_LEAVES   his name is given up: who comes by it from now on is somebody new.  Done
 *                  again after a crash it finds the same owner, whose name is what is left
 *   OWNER_STILLS   what would begin something: crons, webhooks, keys of requests
 *   ...            his runs and agents end; then STORE_TRUNCATE, until there is no more
 *   OWNER_RESTS    all other rows, the guests' too, and what was buried
 *   OWNER_GONE     his name: a digest of it is left, by which the erasure is found again
 *   OWNER_SCRUB    the file is written anew, without what was deleted, and the log emptied;
 *                  the writer does it after this command is back
 *   OWNER_SCRUBBED comes back when that is done.  ERR_IO: it failed, with words
 *   OWNER_ENDS     the digest
 *
 * On PostgreSQL nothing is scrubbed: its own VACUUM and its archive decide (docs/operate.md).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_OWNER_H
#define STORE_OWNER_H

#include "store/store.h"

enum owner_step {
	OWNER_LEAVES, OWNER_STILLS, OWNER_RESTS, OWNER_GONE, OWNER_SCRUB, OWNER_SCRUBBED,
	OWNER_ENDS
};

struct store_owner_erase {
	struct store_cmd cmd;                /* owner: but for LEAVES */
	enum owner_step step;
	struct str subject;                  /* LEAVES: ERR_NOTFOUND: there is none; GONE */
	owner_t id;                          /* out: of LEAVES */
	bool more;                           /* out: the same step again; LEAVES: when he is gone */
};

/* One who has left and is not gone.  ERR_NOTFOUND. */
int store_owner_leaving(struct store_reader *r, struct str subject, owner_t *out);

#endif
