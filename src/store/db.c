/*
 * db.c - see db.h.
 *
 * The library's own memory statistics are switched off before the first
 * connection: they cost a process-wide lock on every allocation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "store/db.h"

#define BUSY_MS        5000
#define DEADLINE_OPS   2000                  /* instructions between two looks */

static const char *const setup[] = {
	[DB_WRITE] = "PRAGMA foreign_keys = ON; PRAGMA secure_delete = OFF;"
	    "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000",
	[DB_READ] = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;"
	    "PRAGMA cache_size = -2000",
	[DB_SLOW] = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;"
	    "PRAGMA cache_size = -4000",
};

static void
library_setup(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_initialize();
	db_log_register();
}

static void
meanwhile(const struct db *db)
{
	if (db->meanwhile != NULL)
		db->meanwhile(db->meanwhile_ctx);
}

bool
db_go_on(void *ctx)
{
	const struct db *db = ctx;

	meanwhile(db);
	return clock_mono() < db->pace_until;
}

static int
on_progress(void *ctx)
{
	const struct db *db = ctx;

	meanwhile(db);
	return db->deadline != 0 && clock_mono() >= db->deadline;
}

int
db_open(struct db *db, const char *path, const char *vfs,
    const struct db_sql *sql, enum db_use use, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	int rc;

	pthread_once(&once, library_setup);
	memset(db, 0, sizeof *db);
	db->sql = sql;
	db->stmt = mem_zero((size_t)sql->n * sizeof *db->stmt);
	if (use == DB_WRITE)
		flags |= SQLITE_OPEN_CREATE;
	if (strncmp(path, "file:", 5) == 0)
		flags |= SQLITE_OPEN_URI;
	rc = sqlite3_open_v2(path, &db->h, flags, vfs);
	if (rc != SQLITE_OK) {
		err_set(e, ERR_IO, "open %s: %s", path, db->h == NULL ?
		    sqlite3_errstr(rc) : sqlite3_errmsg(db->h));
		db_close(db);
		return ERR_IO;
	}
	sqlite3_extended_result_codes(db->h, 1);
	sqlite3_busy_timeout(db->h, BUSY_MS);
	if (use == DB_SLOW)
		sqlite3_progress_handler(db->h, DEADLINE_OPS, on_progress, db);
	rc = db_exec(db, setup[use], e);
	if (rc != OK)
		db_close(db);
	return rc;
}

void
db_share(struct db *db, const struct db *of, const struct db_sql *sql)
{
	memset(db, 0, sizeof *db);
	db->h = of->h;
	db->shared = true;
	db->sql = sql;
	db->stmt = mem_zero((size_t)sql->n * sizeof *db->stmt);
}

void
db_close(struct db *db)
{
	for (int i = 0; db->stmt != NULL && i < db->sql->n; i++)
		sqlite3_finalize(db->stmt[i]);
	free(db->stmt);
	if (!db->shared)
		sqlite3_close(db->h);
	memset(db, 0, sizeof *db);
}

bool
db_is_full(const struct db *db)
{
	int code = db->h == NULL ? 0 : sqlite3_errcode(db->h) & 0xff;
	int reason = code == SQLITE_IOERR ? sqlite3_system_errno(db->h) : 0;

	return code == SQLITE_FULL || reason == ENOSPC || reason == EDQUOT;
}

int
db_fail(struct db *db)
{
	int code = db->h == NULL ? SQLITE_MISUSE : sqlite3_extended_errcode(db->h);
	int rc = ERR_IO;

	switch (code & 0xff) {
	case SQLITE_CONSTRAINT: rc = ERR_CONFLICT; break;
	case SQLITE_TOOBIG:     rc = ERR_TOOBIG; break;
	case SQLITE_INTERRUPT:  rc = ERR_TIMEOUT; break;
	default:                db->broken = true; break;
	}
	db->full |= db->broken && db_is_full(db);
	return err_set(&db->err, rc, "%s", db->h == NULL ? "not open" :
	    sqlite3_errmsg(db->h));
}

int
db_exec(struct db *db, const char *text, struct err *e)
{
	int rc;

	if (sqlite3_exec(db->h, text, NULL, NULL, NULL) == SQLITE_OK)
		return OK;
	rc = sqlite3_errcode(db->h);
	if (rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT)
		return err_set(e, ERR_INVALID, "%s: %s",
		    sqlite3_db_filename(db->h, "main"), sqlite3_errmsg(db->h));
	return err_set(e, ERR_IO, "%s: %s", sqlite3_db_filename(db->h, "main"),
	    sqlite3_errmsg(db->h));
}

int
db_read_i64(struct db *db, const char *text, int64_t *out, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db->h, text, -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	if (rc == SQLITE_ROW)
		return OK;
	rc &= 0xff;
	return err_set(e, rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT ?
	    ERR_INVALID : ERR_IO, "%s: %s",
	    sqlite3_db_filename(db->h, "main"), sqlite3_errmsg(db->h));
}

/* Readers next to the writer need the log; a file system without shared memory
 * (some network ones) cannot have it, and SQLite only says so in passing. */
int
db_enable_wal(struct db *db, const char *path, struct err *e)
{
	sqlite3_stmt *s = NULL;
	const char *mode = NULL;
	int rc = OK;

	sqlite3_prepare_v2(db->h, "PRAGMA journal_mode = WAL", -1, &s, NULL);
	if (sqlite3_step(s) == SQLITE_ROW)
		mode = (const char *)sqlite3_column_text(s, 0);
	if (mode == NULL || strcmp(mode, "wal") != 0)
		rc = err_set(e, ERR_IO, "%s: no write-ahead log here: %s", path,
		    mode == NULL ? sqlite3_errmsg(db->h) : mode);
	sqlite3_finalize(s);
	return rc;
}

/* A statement that cannot be prepared shows at query_row: binding to NULL is
 * refused by the library and harmless. */
struct query
query_of(struct db *db, int sql)
{
	assert(sql >= 0 && sql < db->sql->n);
	if (db->stmt[sql] == NULL &&
	    sqlite3_prepare_v3(db->h, db->sql->text[sql], -1,
	    SQLITE_PREPARE_PERSISTENT, &db->stmt[sql], NULL) != SQLITE_OK)
		return (struct query){ .db = db };
	return (struct query){ .db = db, .s = db->stmt[sql] };
}

int
query_row(struct query *q)
{
	if (q->s == NULL)
		return db_fail(q->db);
	switch (sqlite3_step(q->s)) {
	case SQLITE_ROW:
		return OK;
	case SQLITE_DONE:
		return ERR_NOTFOUND;
	default:
		return db_fail(q->db);
	}
}

void
query_end(struct query *q)
{
	sqlite3_reset(q->s);
	q->at = 0;
}

int
query_run(struct query *q)
{
	int rc = query_row(q);

	assert(rc != OK);                    /* a row: use query_row */
	query_end(q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

void
bind_i64(struct query *q, int64_t v)
{
	sqlite3_bind_int64(q->s, ++q->at, v);
}

void
bind_str(struct query *q, struct str s)
{
	sqlite3_bind_text64(q->s, ++q->at, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
}

void
bind_text(struct query *q, struct str s)
{
	bind_str(q, s.p == NULL ? S("") : s);
}

void
bind_json(struct query *q, struct str s)
{
	bind_str(q, s.n == 0 ? S("{}") : s);
}

void
bind_blob(struct query *q, struct str s)
{
	sqlite3_bind_blob64(q->s, ++q->at, s.p == NULL ? "" : s.p, s.n,
	    SQLITE_STATIC);
}

void
bind_null(struct query *q)
{
	sqlite3_bind_null(q->s, ++q->at);
}

void
bind_uuid(struct query *q, const struct uuid *u)
{
	if (uuid_is_zero(u))
		sqlite3_bind_null(q->s, ++q->at);
	else
		sqlite3_bind_blob(q->s, ++q->at, u->b, sizeof u->b, SQLITE_STATIC);
}

bool
col_null(const struct query *q, int col)
{
	return sqlite3_column_type(q->s, col) == SQLITE_NULL;
}

int64_t
col_i64(const struct query *q, int col)
{
	return sqlite3_column_int64(q->s, col);
}

struct uuid
col_uuid(const struct query *q, int col)
{
	struct uuid u = { { 0 } };
	const void *p = sqlite3_column_blob(q->s, col);

	if (p != NULL && sqlite3_column_bytes(q->s, col) == sizeof u.b)
		memcpy(u.b, p, sizeof u.b);
	return u;
}

struct str
col_borrow(const struct query *q, int col)
{
	struct str s;

	if (sqlite3_column_type(q->s, col) == SQLITE_NULL)
		return STR_NONE;
	/* column_blob gives the bytes as they are: TEXT is stored in UTF-8. */
	s.p = sqlite3_column_blob(q->s, col);
	s.n = (size_t)sqlite3_column_bytes(q->s, col);
	return s.p == NULL ? S("") : s;
}

struct str
col_str(const struct query *q, int col, struct arena *a)
{
	struct str s = col_borrow(q, col);

	return s.p == NULL ? s : arena_str(a, s);
}
