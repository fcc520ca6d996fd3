/*
 * sqlite_log.c - the write-ahead log: when it is moved, and that its file is
 * long enough.
 *
 * A commit into blocks that the log's file already has costs less than one that
 * makes it longer, because the file system need not record the new length.
 * SQLite reuses the log from its beginning, so only a new one grows; it is
 * lengthened in steps, by zeros, which a recovery takes for the end of the log.
 * The first few commits do without, so that a start does not wait for it.
 * docs/architecture.md has the figures, also of SQLITE_FCNTL_PERSIST_WAL instead.
 *
 * SQLite's file layer takes every log that it opens for a new one, so it syncs the
 * folder too at the first commit of a connection: one more sync for each process
 * that only makes one commit.  Under DB_LOG_LAYER one with frames in
 * it is known to be old: before the first frame SQLite syncs the log's header,
 * and with it the folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/stat.h>

#include "store/sqlite_priv.h"

#define HEADER_BYTES 32
#define FRAME_BYTES  (24 + 4096)
#define STEP_BYTES   ((int64_t)(512 * KB))   /* about 30 commits */
#define YOUNG_BYTES  ((int64_t)(128 * KB))
#define KEEP_BYTES   ((int64_t)(16 * MB))    /* journal_size_limit */

/* Readers next to the writer need the log; a file system without shared memory
 * (some network ones) cannot have it, and SQLite only says so in passing. */
int
db_log_enable(struct db *db, struct err *e)
{
	sqlite3 *h = db_is_server(db) ? NULL : sqlite_of(db);
	sqlite3_stmt *s = NULL;
	const char *mode = NULL;
	int rc = OK;

	if (h == NULL)
		return OK;
	sqlite3_prepare_v2(h, "PRAGMA journal_mode = WAL", -1, &s, NULL);
	if (sqlite3_step(s) == SQLITE_ROW)
		mode = (const char *)sqlite3_column_text(s, 0);
	if (mode == NULL || strcmp(mode, "wal") != 0)
		rc = err_set(e, ERR_IO, "%s: no write-ahead log here: %s",
		    db_path(db), mode == NULL ? sqlite3_errmsg(h) : mode);
	sqlite3_finalize(s);
	return rc;
}

int
db_log_move(struct db *db, bool empty)
{
	sqlite3 *h = db_is_server(db) ? NULL : sqlite_of(db);
	int rc;

	if (h == NULL)
		return OK;
	rc = sqlite3_wal_checkpoint_v2(h, NULL, empty ? SQLITE_CHECKPOINT_TRUNCATE :
	    SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	db->on->log_frames = 0;
	return rc == SQLITE_OK ? OK :
	    err_set(&db->on->err, ERR_IO, "%s", sqlite3_errmsg(h));
}

void
db_log_keep(struct db *db, bool keep)
{
	if (!db_is_server(db))
		sqlite3_db_config(sqlite_of(db), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
		    (int)keep, NULL);
}

/* ---- its length --------------------------------------------------------------- */

/* NULL: there is none yet. */
static sqlite3_file *
log_of(const struct db *db, int64_t *size)
{
	sqlite3_file *log = NULL;
	sqlite3_int64 n = 0;

	if (db_is_server(db))
		return NULL;
	sqlite3_file_control(sqlite_of(db), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
	if (log == NULL || log->pMethods == NULL ||
	    log->pMethods->xFileSize(log, &n) != SQLITE_OK)
		return NULL;
	*size = n;
	return log;
}

/* A failure is ignored: a full disk is reported by the commit itself. */
static void
lengthen(sqlite3_file *log, int64_t at, int64_t to)
{
	static const char zeros[64 * KB];
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && at < to) {
		int64_t n = to - at < (int64_t)sizeof zeros ? to - at :
		    (int64_t)sizeof zeros;

		rc = log->pMethods->xWrite(log, zeros, (int)n, at);
		at += n;
	}
}

void
db_log_lengthen(struct db *db)
{
	int64_t used = (int64_t)db->on->log_frames * FRAME_BYTES, size = used;
	int64_t *bytes = &db->on->log_bytes;
	sqlite3_file *log;

	if (used < YOUNG_BYTES || used + YOUNG_BYTES <= *bytes ||
	    *bytes >= KEEP_BYTES)
		return;
	log = log_of(db, &size);
	*bytes = size + STEP_BYTES;
	if (log != NULL)
		lengthen(log, size, *bytes);
}

int64_t
db_log_size(const struct db *db)
{
	int64_t size = 0;

	return log_of(db, &size) != NULL ? size : 0;
}

void
db_log_reach(struct db *db, int64_t bytes)
{
	int64_t size = 0;
	sqlite3_file *log = log_of(db, &size);

	if (log != NULL && size > 0)
		lengthen(log, size, bytes);
}

/* ---- old logs ------------------------------------------------------------------- */

static sqlite3_vfs *real;
static sqlite3_vfs known;

static int
known_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct stat st;

	(void)vfs;
	if ((flags & SQLITE_OPEN_WAL) != 0 && name != NULL && stat(name, &st) == 0 &&
	    st.st_size > HEADER_BYTES)
		flags &= ~SQLITE_OPEN_CREATE;
	return real->xOpen(real, name, f, flags, out);
}

/* The other methods of the real layer deal in names, not in files. */
void
sqlite_log_register(void)
{
	real = sqlite3_vfs_find(NULL);
	known = *real;
	known.pNext = NULL;
	known.zName = DB_LOG_LAYER;
	known.xOpen = known_open;
	sqlite3_vfs_register(&known, 0);
}
