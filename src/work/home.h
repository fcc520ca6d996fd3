/*
 * home.h - a workspace: the folder .cohort/ and what lies in it.
 *
 *   .cohort/work.db (-wal, -shm)   the tracker
 *   .cohort/work.sock              its daemon's socket, 0600
 *   .cohort/work.pid               its daemon's pid and version; locked by it
 *   .cohort/work.log               its daemon's log
 *   .cohort/sync.lock              held while one command works with git
 *   .cohort/issues.jsonl           the export that goes into git
 *   .cohort/.gitignore             everything but issues.jsonl
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_HOME_H
#define WORK_HOME_H

#include "work/work.h"

#define HOME_FOLDER ".cohort"

struct home {
	char dir[DB_PATH_MAX];               /* of the folder, absolute */
	char db[DB_PATH_MAX];                /* of the database */
	bool read_only;                      /* we may not write there */
};

/* Finds the workspace: `db` (--db, $COHORT_WORK_DB or $BEADS_DB; p NULL: not
 * given) names the database; else the nearest .cohort/ from `cwd` upwards; else,
 * in a linked git worktree, the one of its main checkout.  ERR_NOTFOUND says
 * how to make one. */
int home_find(struct home *h, const char *cwd, struct str db, struct err *e);

/* Makes dir/.cohort with its database and .gitignore.  ERR_CONFLICT: there is
 * one.  prefix empty: made from the folder's name. */
int home_make(struct home *h, const char *dir, struct str prefix, msec now,
    struct err *e);

/* ---- the tracker of a workspace, in this process ---------------------------- */

struct desk {
	struct db db;
	struct work *w;
	int64_t tracker;
	bool read_only;
};

/* Opens (and migrates) the database.  ERR_INVALID: not ours, or newer; ERR_IO. */
int desk_open(struct desk *d, const struct home *h, struct err *e);
void desk_close(struct desk *d);             /* accepts half-opened */

/* Runs calls in one transaction, in order, and commits.  Each gets its own
 * code in rcs; when the commit fails all get ERR_IO.  A call that only reads
 * takes no lock of a writer.  ERR_BUSY: another process held the file too long. */
int desk_run(struct desk *d, struct work_call *const *calls, int *rcs, size_t n);

#endif
