/*
 * host.h - a workspace: the folder .cohort/ and what lies in it.
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
#ifndef WORK_HOST_HOST_H
#define WORK_HOST_HOST_H

#include "store/commit.h"
#include "work/work.h"

#define WORKSPACE_FOLDER ".cohort"

struct workspace {
	char dir[DB_PATH_MAX];               /* of the folder, absolute */
	char db[DB_PATH_MAX];                /* of the database */
	bool read_only;                      /* we may not write there */
};

/* Finds the workspace: `db` (--db, $COHORT_WORK_DB or $BEADS_DB; p NULL: not
 * given) names the database, which exists; else the nearest .cohort/ from `cwd`
 * upwards.  A linked git worktree has its main checkout's, unless it has a
 * database of its own.  The database may be missing, as in a fresh clone.
 * ERR_NOTFOUND says how to make one. */
int workspace_find(struct workspace *h, const char *cwd, struct str db, struct err *e);

/* Makes dir/.cohort with its database and .gitignore.  ERR_CONFLICT: there is
 * one.  prefix empty: of the ids in issues.jsonl, else from the folder's name. */
int workspace_make(struct workspace *h, const char *dir, struct str prefix, msec now,
    struct err *e);

/* A clone whose issues.jsonl has items and that never had a database. */
bool workspace_is_first(const struct workspace *h);
/* Makes its database beside its place, in `first`, to be filled there; then it
 * takes its place, or (keep false) goes.  ERR_DENIED: the folder is read-only. */
int workspace_first_begin(const struct workspace *h, struct workspace *first, msec now,
    struct err *e);
int workspace_first_end(const struct workspace *h, const struct workspace *first, bool keep,
    struct err *e);

/* Beside the database, named as it: "sock" gives work.sock of work.db. */
void workspace_path(const struct workspace *h, const char *ending,
    char out[DB_PATH_MAX + 8]);

/* ---- the tracker of a workspace, in this process ---------------------------- */

/* Stays where it is while it is open. */
struct workdb {
	struct db db;
	struct work *w;
	int64_t tracker;
	bool read_only;
	const struct workspace *workspace;             /* outlives it */
	bool gone;                           /* the file was deleted, replaced or
	                                        emptied while it was open: of no use */
	int64_t device;                      /* of the file that is open */
	uint64_t inode;
	bool fresh;                          /* the file was made just now */
	nsec busy_until;                     /* waits no longer for another process;
	                                        0: LIMIT_WORK_BUSY_MS each time */
	nsec busy_since;
	size_t round_bytes;                  /* of answers, and time, after which the */
	nsec round_time;                     /* rest of a run's calls is left out; 0:
	                                        no limit */
	struct commit commit;                /* commit.ran: calls past it did not run */
	msec wall;                           /* workdb_now's, and when it was so; 0: */
	nsec wall_mono;                      /* never asked */
};

/* Opens the database; migrates it as needed, and makes it where none ever was, as
 * in a fresh clone.  ERR_INVALID: not ours, or newer; ERR_IO, also where there
 * was one that is gone or was emptied; ERR_BUSY. */
int workdb_open(struct workdb *d, const struct workspace *h, struct err *e);
void workdb_close(struct workdb *d);             /* accepts half-opened */
/* For a process that stays: the log is moved by workdb_checkpoint, and removed at
 * the end.  ERR_IO: the database cannot be written. */
int workdb_settle(struct workdb *d, struct err *e);
void workdb_checkpoint(struct workdb *d, bool idle);     /* if commit_log_is_due */
/* The wall's time; where that is set back it goes on from what it was. */
msec workdb_now(struct workdb *d);
/* Do the names still lead to the file that is open, and is something in it?  If
 * not it is `gone`. */
bool workdb_in_place(struct workdb *d);
/* What is read from now on is of one moment, whatever others write, until
 * workdb_let_go; nothing can be written until then. */
int workdb_hold(struct workdb *d, struct err *e);
void workdb_let_go(struct workdb *d);
/* Gives back the memory that only makes the next call faster. */
void workdb_rest(struct workdb *d);

/* Runs calls (NULL: none in this place) as one group, LIMIT_WORK_ROUND at most.
 * Each gets its own code in rcs; when the medium fails all get ERR_IO.  Calls
 * that only read take no lock of a writer.  ERR_BUSY: another process held the
 * file too long (ERR_TIMEOUT: past busy_until).  A call's tick is also asked,
 * with 0 of 0, whether the call may begin.  ERR_DENIED: it writes, and the file
 * is read-only.  ERR_IO with nothing run: the file is gone.  Past round_bytes or
 * round_time the rest is left: see commit.ran.  Returns what failed for all. */
int workdb_run(struct workdb *d, struct work_call *const *calls, int *rcs, size_t n);

#endif
