/*
 * sqlite.c - the driver for SQLite, and what db.h offers of its files.
 *
 * The library's own memory statistics are switched off before the first
 * connection: they cost a process-wide lock on every allocation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "store/crypt.h"
#include "store/sqlite_priv.h"

#define BUSY_MS        5000
#define INTERRUPT_OPS  2000                  /* instructions between two looks */

static const char *const setup[] = {
	[DB_WRITE] = "PRAGMA foreign_keys = ON; PRAGMA secure_delete = OFF;"
	    "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000",
	[DB_READ] = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;"
	    "PRAGMA cache_size = -2000",
	[DB_FROZEN] = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;"
	    "PRAGMA cache_size = -2000",
	[DB_SLOW] = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;"
	    "PRAGMA cache_size = -4000",
};

static sqlite3_stmt *
stmt_of(struct db_stmt *s)
{
	return (sqlite3_stmt *)s;
}

/* ---- failures --------------------------------------------------------------- */

static enum db_fault
fault_of(sqlite3 *h, int code)
{
	int reason = code == SQLITE_IOERR ? sqlite3_system_errno(h) : 0;

	if (code == SQLITE_FULL || reason == ENOSPC || reason == EDQUOT)
		return DB_FULL;
	if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
		return DB_DAMAGED;
	return code == SQLITE_BUSY ? DB_BUSY : DB_BROKEN;
}

static int
failed(struct db_conn *c)
{
	int code = sqlite3_extended_errcode(c->h) & 0xff;
	int rc = ERR_IO;

	switch (code) {
	case SQLITE_CONSTRAINT: rc = ERR_CONFLICT; break;
	case SQLITE_TOOBIG:     rc = ERR_TOOBIG; break;
	case SQLITE_INTERRUPT:  rc = ERR_TIMEOUT; break;
	default:                c->fault = fault_of(c->h, code); break;
	}
	return err_set(&c->err, rc, "%s", sqlite3_errmsg(c->h));
}

/* ---- connections ------------------------------------------------------------- */

static void
library_setup(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_initialize();
	sqlite_log_register();
}

/* A file may come from somebody else, with a schema of theirs. */
static void
trust_nothing(sqlite3 *h)
{
	sqlite3_db_config(h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(h, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(h, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
}

static int
on_progress(void *conn)
{
	return db_interrupt(conn);
}

/* In place of SQLite's own hook, which moves the log past 1000 frames. */
static int
on_commit(void *conn, sqlite3 *h, const char *name, int frames)
{
	struct db_conn *c = conn;

	(void)h, (void)name;
	c->log_frames = frames;
	if (c->committed != NULL)
		c->committed(c->committed_ctx, frames);
	return SQLITE_OK;
}

/* `file:` and the path with what is special in such a name escaped. */
static void
frozen_name(const char *path, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "file:");

	for (; *path != '\0' && n + 32 < size; path++) {
		if (strchr("?#%", *path) != NULL)
			n += (size_t)snprintf(out + n, size - n, "%%%02x",
			    (unsigned char)*path);
		else
			out[n++] = *path;
	}
	snprintf(out + n, size - n, "?immutable=1");
}

static int
conn_open(struct db_conn *c, const char *path, const char *layer, enum db_use use)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	char name[3 * DB_PATH_MAX];
	int spare = CRYPT_SPARE;
	sqlite3 *h;
	int rc;

	pthread_once(&once, library_setup);
	if (use == DB_WRITE)
		flags |= SQLITE_OPEN_CREATE;
	if (use == DB_FROZEN) {
		flags |= SQLITE_OPEN_URI;
		frozen_name(path, name, sizeof name);
	}
	rc = sqlite3_open_v2(use == DB_FROZEN ? name : path, &h, flags, layer);
	c->h = h;
	if (rc != SQLITE_OK)
		return err_set(&c->err, ERR_IO, "open %s: %s", path, h == NULL ?
		    sqlite3_errstr(rc) : sqlite3_errmsg(h));
	/* Of a new file.  By name: who opens files without a key needs no OpenSSL. */
	if (layer != NULL && strncmp(layer, CRYPT_NAME, sizeof CRYPT_NAME - 1) == 0)
		sqlite3_file_control(h, "main", SQLITE_FCNTL_RESERVE_BYTES, &spare);
	sqlite3_extended_result_codes(h, 1);
	sqlite3_busy_timeout(h, BUSY_MS);
	trust_nothing(h);
	if (use == DB_WRITE)
		sqlite3_wal_hook(h, on_commit, c);
	if (use == DB_SLOW)
		sqlite3_progress_handler(h, INTERRUPT_OPS, on_progress, c);
	if (sqlite3_exec(h, setup[use], NULL, NULL, NULL) == SQLITE_OK)
		return OK;
	failed(c);
	return err_set(&c->err, c->fault == DB_DAMAGED ? ERR_INVALID : ERR_IO,
	    "%s: %s", path, sqlite3_errmsg(h));
}

static void
conn_close(struct db_conn *c)
{
	sqlite3_close(c->h);
}

static const char *
conn_path(const struct db_conn *c)
{
	const char *path = sqlite3_db_filename(c->h, "main");

	return path == NULL ? "" : path;
}

static int
conn_exec(struct db_conn *c, const char *text)
{
	return sqlite3_exec(c->h, text, NULL, NULL, NULL) == SQLITE_OK ? OK :
	    failed(c);
}

static bool
conn_in_tx(const struct db_conn *c)
{
	return !sqlite3_get_autocommit(c->h);
}

static int64_t
conn_last_id(const struct db_conn *c)
{
	return sqlite3_last_insert_rowid(c->h);
}

static int64_t
conn_changes(const struct db_conn *c, bool all)
{
	return all ? sqlite3_total_changes64(c->h) : sqlite3_changes64(c->h);
}

/* ---- statements --------------------------------------------------------------- */

static struct db_stmt *
stmt_prepare(struct db_conn *c, const char *text)
{
	sqlite3_stmt *s = NULL;

	sqlite3_prepare_v3(c->h, text, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL);
	return (struct db_stmt *)s;
}

static void
stmt_finalize(struct db_stmt *s)
{
	sqlite3_finalize(stmt_of(s));
}

static int
value_bind(sqlite3_stmt *s, int at, const struct db_value *v)
{
	switch (v->kind) {
	case DB_I64:
		return sqlite3_bind_int64(s, at, v->i64);
	case DB_STR:
		return sqlite3_bind_text64(s, at, v->str.p, v->str.n,
		    SQLITE_STATIC, SQLITE_UTF8);
	case DB_BLOB:
		return sqlite3_bind_blob64(s, at, v->str.p, v->str.n,
		    SQLITE_STATIC);
	default:
		return sqlite3_bind_null(s, at);
	}
}

/* RANGE: it has fewer parameters.  MISUSE: nobody ended its last use. */
static void
stmt_bind(struct db_stmt *s, int at, const struct db_value *v)
{
	int rc = s == NULL ? SQLITE_OK : value_bind(stmt_of(s), at, v);

	assert(rc != SQLITE_RANGE && rc != SQLITE_MISUSE);
}

static int
stmt_step(struct db_conn *c, struct db_stmt *s)
{
	switch (s == NULL ? SQLITE_ERROR : sqlite3_step(stmt_of(s))) {
	case SQLITE_ROW:
		return OK;
	case SQLITE_DONE:
		return ERR_NOTFOUND;
	default:
		return failed(c);
	}
}

static void
stmt_reset(struct db_stmt *s)
{
	sqlite3_reset(stmt_of(s));
}

static bool
stmt_null(struct db_stmt *s, int col)
{
	assert(col >= 0 && col < sqlite3_data_count(stmt_of(s)));
	return sqlite3_column_type(stmt_of(s), col) == SQLITE_NULL;
}

static int64_t
stmt_i64(struct db_stmt *s, int col)
{
	assert(col >= 0 && col < sqlite3_data_count(stmt_of(s)));
	return sqlite3_column_int64(stmt_of(s), col);
}

/* column_blob gives the bytes as they are: TEXT is stored in UTF-8. */
static struct str
stmt_str(struct db_stmt *s, int col)
{
	struct str out;

	if (stmt_null(s, col))
		return STR_NONE;
	out.p = sqlite3_column_blob(stmt_of(s), col);
	out.n = (size_t)sqlite3_column_bytes(stmt_of(s), col);
	return out.p == NULL ? S("") : out;
}

const struct db_driver db_sqlite = {
	.tx = { [DB_TX_READ] = "BEGIN", [DB_TX_WRITE] = "BEGIN IMMEDIATE",
	    [DB_TX_COMMIT] = "COMMIT", [DB_TX_ROLLBACK] = "ROLLBACK" },
	.open = conn_open, .close = conn_close, .path = conn_path,
	.exec = conn_exec, .in_tx = conn_in_tx, .changes = conn_changes,
	.last_id = conn_last_id,
	.prepare = stmt_prepare, .finalize = stmt_finalize, .bind = stmt_bind,
	.step = stmt_step, .reset = stmt_reset,
	.null = stmt_null, .i64 = stmt_i64, .str = stmt_str,
};

/* ---- its file ------------------------------------------------------------------ */

bool
db_is_read_only(const struct db *db)
{
	return !db_is_server(db) && sqlite3_db_readonly(sqlite_of(db), "main") != 0;
}

bool
db_has_moved(const struct db *db)
{
	int moved = 0;

	if (db_is_server(db))
		return false;
	sqlite3_file_control(sqlite_of(db), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	return moved != 0;
}

void
db_trim(struct db *db)
{
	if (!db_is_server(db))
		sqlite3_db_release_memory(sqlite_of(db));
}

void
db_on_busy(struct db *db, int (*wait)(void *ctx, int n), void *ctx)
{
	if (!db_is_server(db))
		sqlite3_busy_handler(sqlite_of(db), wait, ctx);
}
