/*
 * workdb.c - the database of a workspace, open in this process: its file, its log,
 * and calls as groups (store/commit.h).
 *
 * The file is shared: a daemon has it open, and other processes may write to it.
 * All write under BEGIN IMMEDIATE, so a transaction that began can commit; a
 * process that finds the file locked tries again, soon and then less often.
 *
 * A process of one command leaves the log as it is when it closes: to empty it
 * takes two syncs, and the next process would make it anew.  Past
 * COMMIT_LOG_BYTES it is emptied, because a process that opens the file alone
 * reads the whole log.  While a daemon runs, the daemon moves the log.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "work/host/daemon.h"
#include "work/host/workspace_priv.h"
#include "work/operation.h"

#define BUSY_FIRST    (50 * 1000)            /* ns; doubled up to */
#define BUSY_LONGEST  (4 * NS_PER_MS)

static const struct db_sql no_sql = { NULL, 0 };

/* ---- waiting for others --------------------------------------------------------- */

static nsec
busy_end(const struct workdb *d)
{
	nsec end = d->busy_since + LIMIT_WORK_BUSY_MS * NS_PER_MS;

	return d->busy_until != 0 && d->busy_until < end ? d->busy_until : end;
}

static int
busy_wait(void *ctx, int tries)
{
	struct workdb *d = ctx;
	nsec pause = tries < 8 ? BUSY_FIRST << tries : BUSY_LONGEST, now = clock_mono();
	struct timespec ts = { 0 };

	if (tries == 0)
		d->busy_since = now;
	if (now >= busy_end(d))
		return 0;
	if (pause > BUSY_LONGEST)
		pause = BUSY_LONGEST;
	ts.tv_nsec = pause;
	nanosleep(&ts, NULL);
	return 1;
}

static int
busy_code(struct workdb *d, struct err *e)
{
	if (d->db.on->fault != DB_BUSY)
		return db_failed(&d->db, e);
	if (d->busy_until != 0 && clock_mono() >= d->busy_until)
		return err_set(e, ERR_TIMEOUT, "timed out: another process is "
		    "writing to the tracker");
	return err_set(e, ERR_BUSY, "another process has been writing to the "
	    "tracker for %d s", LIMIT_WORK_BUSY_MS / 1000);
}

/* ---- opening ---------------------------------------------------------------------- */

static int
tracker_make(struct workdb *d, struct str prefix, msec now, struct err *e)
{
	int rc = db_begin(&d->db, DB_WRITE);

	if (rc != OK)
		return db_failed(&d->db, e);
	rc = work_tracker_make(d->w, 0, S(""), prefix, now, &d->tracker, e);
	if (rc == OK && db_commit(&d->db) != OK)
		rc = db_failed(&d->db, e);
	if (rc != OK)
		db_rollback(&d->db);
	d->fresh = rc == OK;
	return rc;
}

static int
tracker_open(struct workdb *d, const struct workspace *h, struct str prefix, msec now,
    struct err *e)
{
	char made[LIMIT_WORK_PREFIX_BYTES + 1];
	int rc = work_tracker_find(d->w, 0, S(""), &d->tracker, e);

	if (rc != ERR_NOTFOUND)
		return rc;
	if (d->read_only)
		return err_set(e, ERR_NOTFOUND, "%s holds no tracker yet, and may "
		    "not be written", h->db);
	if (prefix.n == 0) {
		workspace_prefix(h, made);
		prefix = str_of(made);
	}
	return tracker_make(d, prefix, now, e);
}

/* SQLite would make it readable for all.  The log gets the mode of the file. */
static void
file_make(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}

/* A database without tables.  Another process may be making them. */
static int
lost_check(struct workdb *d, const struct workspace *h, int *version, struct err *e)
{
	struct err lost;
	int rc = workspace_check_lost(h, true, &lost), again;

	if (rc == OK)
		return OK;
	again = db_version(&d->db, &work_format, version, e);
	if (again == OK && *version == 0)
		*e = lost;
	return again == OK && *version == 0 ? rc : again;
}

static int
open_written(struct workdb *d, const struct workspace *h, bool making, struct err *e)
{
	int version = 0, rc;

	if (access(h->db, F_OK) != 0)
		file_make(h->db);
	rc = db_open(&d->db, h->db, DB_LOG_LAYER, &no_sql, DB_WRITE, e);
	/* SQLite reads a file that it could not open for writing. */
	if (rc == OK && db_is_read_only(&d->db))
		rc = err_set(e, ERR_IO, "%s could not be opened for writing", h->db);
	if (rc != OK)
		return rc;
	db_on_busy(&d->db, busy_wait, d);
	db_log_keep(&d->db, true);
	rc = db_exec(&d->db, "PRAGMA synchronous = FULL", e);
	if (rc != OK)
		return rc;
	rc = db_version(&d->db, &work_format, &version, e);
	if (rc == OK && version == 0 && !making)
		rc = lost_check(d, h, &version, e);
	if (rc == OK && version == 0)
		rc = db_log_enable(&d->db, e);
	if (rc == OK && version < work_format.sqlite.n)
		rc = db_migrate(&d->db, &work_format, e);
	if (rc == OK && version == 0)
		rc = workspace_ignore(h, e);
	return rc;
}

/* A file of version 1 that may not be written is read as it is: what it lacks is
 * empty. */
static int
open_old(struct workdb *d, int version, struct err *e)
{
	return version == 1 ? db_exec(&d->db, "PRAGMA query_only = OFF;"
	    "CREATE TEMP TABLE work_config(tracker, key, value);"
	    "PRAGMA query_only = ON", e) :
	    err_set(e, ERR_INVALID, "%s holds no tracker yet, and may not be "
	    "written", d->workspace->db);
}

/* Reading a log needs its -shm file.  Where that is missing and cannot be made, the
 * database is read without the log. */
static int
open_read(struct workdb *d, const struct workspace *h, struct err *e)
{
	int version = 0;
	int rc = db_open(&d->db, h->db, NULL, &no_sql, DB_READ, e);

	if (rc == OK) {
		db_on_busy(&d->db, busy_wait, d);
		db_log_keep(&d->db, true);
		rc = db_version(&d->db, &work_format, &version, e);
	}
	if (rc == ERR_IO) {
		db_close(&d->db);
		rc = db_open(&d->db, h->db, NULL, &no_sql, DB_FROZEN, e);
		if (rc == OK)
			rc = db_version(&d->db, &work_format, &version, e);
	}
	if (rc == OK && version < work_format.sqlite.n)
		rc = open_old(d, version, e);
	return rc;
}

/* Notes the device and inode of the open file.  The library only tells whether the
 * path leads to another file by now. */
static void
file_know(struct workdb *d)
{
	struct stat st;
	bool before = db_has_moved(&d->db);

	if (stat(d->workspace->db, &st) == 0) {
		d->device = (int64_t)st.st_dev;
		d->inode = (uint64_t)st.st_ino;
	}
	d->gone = before || db_has_moved(&d->db);
}

static int
open_it(struct workdb *d, const struct workspace *h, bool making, struct str prefix,
    msec now, struct err *e)
{
	int rc;

	memset(d, 0, sizeof *d);
	d->workspace = h;
	d->read_only = h->read_only;
	rc = making ? OK : workspace_check_lost(h, false, e);
	if (rc == OK)
		rc = h->read_only ? open_read(d, h, e) :
		    open_written(d, h, making, e);
	if (rc != OK) {
		db_close(&d->db);
		return rc;
	}
	file_know(d);
	d->w = work_new(&d->db);
	commit_init(&d->commit, &d->db, COMMIT_LOG_FIXED);
	rc = tracker_open(d, h, prefix, now, e);
	if (rc != OK)
		workdb_close(d);
	return rc;
}

int
workdb_open(struct workdb *d, const struct workspace *h, struct err *e)
{
	return open_it(d, h, false, STR_NONE, clock_wall_ms(), e);
}

int
workdb_make(struct workdb *d, const struct workspace *h, struct str prefix, msec now,
    struct err *e)
{
	return open_it(d, h, true, prefix, now, e);
}

bool
workdb_in_place(struct workdb *d)
{
	struct stat st;

	if (stat(d->workspace->db, &st) != 0 || st.st_size == 0 ||
	    (int64_t)st.st_dev != d->device || (uint64_t)st.st_ino != d->inode)
		d->gone = true;
	return !d->gone;
}

/* SQLite reads a log that it could not open for writing; a transaction that begins
 * to write finds out. */
int
workdb_settle(struct workdb *d, struct err *e)
{
	if (db_begin(&d->db, DB_WRITE) != OK && d->db.on->fault != DB_BUSY)
		return db_failed(&d->db, e);
	db_rollback(&d->db);
	d->commit.log = COMMIT_LOG_STEPS;
	db_log_keep(&d->db, false);
	return db_exec(&d->db, "PRAGMA journal_size_limit = 16777216", e);
}

void
workdb_checkpoint(struct workdb *d, bool idle)
{
	if (commit_log_is_due(&d->commit, idle) && workdb_in_place(d))
		commit_log_move(&d->commit);
}

msec
workdb_now(struct workdb *d)
{
	msec wall = clock_wall_ms();
	nsec mono = clock_mono();
	msec due = d->wall + (mono - d->wall_mono) / NS_PER_MS;

	if (d->wall != 0 && wall < due)
		return due;
	d->wall = wall;
	d->wall_mono = mono;
	return wall;
}

/* malloc keeps freed memory until it is trimmed. */
void
workdb_rest(struct workdb *d)
{
	work_rest(d->w);
	db_trim(&d->db);
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

/* Empties it: the next process cannot tell a moved log from one that is not. */
static void
log_empty(struct workdb *d)
{
	if (d->read_only || db_log_size(&d->db) <= COMMIT_LOG_BYTES ||
	    daemon_is_there(d->workspace) || !workdb_in_place(d))
		return;
	db_on_busy(&d->db, NULL, NULL);
	db_log_move(&d->db, true);
}

void
workdb_close(struct workdb *d)
{
	if (d->w != NULL) {
		workdb_let_go(d);
		if (d->commit.log == COMMIT_LOG_FIXED)
			log_empty(d);
		else if (!workdb_in_place(d))
			db_log_keep(&d->db, true);   /* its database is gone */
	}
	work_free(d->w);
	d->w = NULL;
	db_close(&d->db);
}

/* ---- transactions ------------------------------------------------------------------ */

int
workdb_hold(struct workdb *d, struct err *e)
{
	return commit_hold(&d->commit) == OK ? OK : busy_code(d, e);
}

void
workdb_let_go(struct workdb *d)
{
	commit_let_go(&d->commit);
}

/* A group of calls; NULL among them: nothing to run. */
struct run {
	struct workdb *d;
	struct work_call *const *calls;
	int *rcs;
	size_t n;
	size_t from[LIMIT_WORK_ROUND];       /* of each answer */
	size_t bytes;                        /* of answers, since */
	nsec began;
};
_Static_assert(LIMIT_WORK_ROUND <= COMMIT_MEMBERS, "a round is a group");

static void
answer_cut(struct run *r, size_t i)
{
	buf_cut(r->calls[i]->data, r->from[i]);
	r->calls[i]->data->failed = false;
}

static bool
any(const struct run *r, bool (*holds)(struct work *w, const struct work_call *c))
{
	for (size_t i = 0; i < r->n && !r->d->read_only; i++) {
		if (r->calls[i] != NULL && holds(r->d->w, r->calls[i]))
			return true;
	}
	return false;
}

/* The check of leases is a read in the transaction.  If it finds one that is due
 * a write transaction is begun instead: after a read, a write fails if another
 * process has written since. */
static int
run_begin(void *ctx)
{
	struct run *r = ctx;
	struct workdb *d = r->d;
	int rc;

	r->bytes = 0;
	r->began = clock_mono();
	if (!any(r, work_means_to_write)) {
		rc = db_begin(&d->db, DB_READ);
		if (rc != OK || !any(r, work_writes))
			return rc;
		db_rollback(&d->db);
	}
	rc = db_begin(&d->db, DB_WRITE);
	if (rc == OK)
		work_follow(d->w);
	return rc;
}

/* At time 0 no lease is due, so only operations that write are refused. */
static int
read_only_run(struct workdb *d, struct work_call *c)
{
	c->now = 0;
	if (work_writes(d->w, c))
		return err_set(&c->err, ERR_DENIED, "%.*s: the tracker may not be "
		    "written here", FMT(c->operation));
	return work_run(d->w, c);
}

/* A tick of 0 of 0 asks whether the call may begin. */
static bool
call_run(void *ctx, size_t i)
{
	struct run *r = ctx;
	struct workdb *d = r->d;
	struct work_call *c = r->calls[i];
	int rc;

	if (c == NULL)
		return true;
	answer_cut(r, i);
	rc = c->tick == NULL ? OK : c->tick(c->tick_ctx, 0, 0);
	if (rc == OK)
		rc = d->read_only || d->commit.held ? read_only_run(d, c) :
		    work_run(d->w, c);
	r->rcs[i] = rc;
	r->bytes += c->data->n;
	return rc == OK || work_call_undoes(c);
}

static bool
run_is_full(void *ctx)
{
	const struct run *r = ctx;
	const struct workdb *d = r->d;

	return (d->round_bytes != 0 && r->bytes >= d->round_bytes) ||
	    (d->round_time != 0 && clock_mono() - r->began >= d->round_time);
}

/* Those that wait for another run may have run in this one, before it began anew
 * without one that failed. */
static void
run_forget(struct run *r)
{
	for (size_t i = r->d->commit.ran; i < r->n; i++) {
		if (r->calls[i] != NULL)
			answer_cut(r, i);
	}
}

static void
run_fail(struct run *r, int rc, const struct err *e)
{
	r->d->commit.ran = r->n;
	for (size_t i = 0; i < r->n; i++) {
		if (r->calls[i] == NULL)
			continue;
		answer_cut(r, i);
		r->rcs[i] = err_set(&r->calls[i]->err, rc, "%s", e->text);
	}
}

int
workdb_run(struct workdb *d, struct work_call *const *calls, int *rcs, size_t n)
{
	struct run r = { .d = d, .calls = calls, .rcs = rcs, .n = n };
	const struct commit_group g = { .n = n, .ctx = &r, .begin = run_begin,
	    .run = call_run, .is_full = run_is_full };
	struct err e;
	int rc = OK;

	assert(n <= LIMIT_WORK_ROUND);
	for (size_t i = 0; i < n; i++)
		r.from[i] = calls[i] == NULL ? 0 : calls[i]->data->n;
	if (!workdb_in_place(d))
		rc = err_set(&e, ERR_IO, "%s was deleted, replaced or emptied while "
		    "it was in use; nothing was done", d->workspace->db);
	else if (commit_run(&d->commit, &g) != OK)
		rc = busy_code(d, &e);
	if (rc != OK)
		run_fail(&r, rc, &e);
	run_forget(&r);
	return rc;
}
