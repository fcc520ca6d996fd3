/*
 * commit.h - group commit: members run in one transaction and share its commit;
 * each keeps its own result.  The dearer a commit, the more members share it.
 *
 * There are no savepoints, which would cost every member for the sake of a few:
 *
 *   - a member that is refused before its first write costs nothing;
 *   - one that fails after a write is left out: the transaction is rolled back,
 *     and the group runs again without it;
 *   - when the medium fails, nothing of any member is kept.
 *
 * To run a member twice is safe: nobody has seen the first time, and members
 * before the one left out find what they found.
 *
 * With a database server (db.h) members run without a wait for what they write, so:
 *
 *   - a failed statement is the whole group's.  After a deadlock, or when there is
 *     no order of the transactions (DB_AGAIN), the group runs again, some times with
 *     a growing pause; then, and after other failures (DB_ABORTED), its members run
 *     again one by one, each in a transaction of its own;
 *   - when the connection is lost (DB_LOST) the owner of the group says what became of
 *     it, and it runs again if it is not committed.
 *
 * The engine also decides when the log (WAL) is made longer ahead of a commit,
 * and when it is moved into the database.
 *
 * Threads: the connection's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_COMMIT_H
#define STORE_COMMIT_H

#include "store/db.h"

#define COMMIT_MEMBERS   512
#define COMMIT_LOG_BYTES (512 * (int64_t)KB)

/* What is done to the log's file before a commit. */
enum commit_log {
	COMMIT_LOG_PLAIN,                    /* nothing */
	COMMIT_LOG_STEPS,                    /* made longer in steps, by a process that
	                                        stays */
	COMMIT_LOG_FIXED                     /* COMMIT_LOG_BYTES long at once, by a
	                                        process of one command */
};

struct commit {
	struct db *db;
	enum commit_log log;
	uint64_t commits;
	nsec commit_ns;                      /* spent in them */
	nsec last;                           /* when the last one ended */
	size_t ran;                          /* members of the last group that had
	                                        their turn, also if all failed */
	bool held;                           /* see commit_hold */
	uint64_t again, single;              /* groups run again; members run alone */
	/* private */
	int log_limit;                       /* frames; longer, it is moved at once */
	bool left_out[COMMIT_MEMBERS];
};

struct commit_group {
	size_t n;                            /* members, COMMIT_MEMBERS at most */
	void *ctx;
	/* Begins the transaction, each time the group runs.  OK or the failure.
	 * NULL: one that writes is begun. */
	int (*begin)(void *ctx);
	/* Runs a member.  False: it failed and has not taken its writes back. */
	bool (*run)(void *ctx, size_t i);
	/* Asked before each member but the first: does the rest have to wait for
	 * another group?  NULL: no. */
	bool (*is_full)(void *ctx);
	/* After the members, before the commit; may write.  wrote: a member has.
	 * OK or the failure.  NULL: nothing. */
	int (*finish)(void *ctx, bool wrote);
	/* Of a database server; may be NULL for a group without members.
	 * The connection was lost.  OK: the group is committed; ERR_AGAIN: it is not, and
	 * there is a connection; ERR_BUSY: there is none. */
	int (*settle)(void *ctx);
	/* The member ran alone, and nothing of it is kept. */
	void (*failed)(void *ctx, size_t i, int rc);
};

/* db is open and stays so.  Its log is left alone until the first commit. */
void commit_init(struct commit *c, struct db *db, enum commit_log log);

/* Commits if something was written.  Not OK: nothing is kept; the connection's
 * fault and err say why. */
int  commit_run(struct commit *c, const struct commit_group *g);

/* Until commit_let_go all groups read the database as it is at the first read,
 * and none may write.  ERR_IO: see the connection. */
int  commit_hold(struct commit *c);
void commit_let_go(struct commit *c);        /* nothing if it is not held */

/* When the log is to be moved if nothing is committed before; NEVER: not. */
nsec commit_log_due(const struct commit *c);
/* Is it time to move the log?  Always past its limit; if `idle`, then also some
 * time after the last commit. */
bool commit_log_is_due(const struct commit *c, bool idle);
/* Waits for nobody.  What a reader still needs is moved next time; until then the
 * log grows, and is not due again at every commit. */
int  commit_log_move(struct commit *c);

#endif
