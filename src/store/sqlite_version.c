/*
 * sqlite_version.c - migration of a file to the newest version.
 *
 * Steps are a list of texts: step i takes the tables from version i to i + 1.
 * Those that are needed run in one transaction, which also notes the version.
 * Forward only.  A file that holds data is copied beside itself before its version
 * rises.  Of processes that find the same old file one migrates it, and the others
 * wait and find it new.
 *
 * A file has one owner, which notes its version in user_version.  Other rooms
 * may keep tables in it; their versions are rows of the table `room`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/sqlite_priv.h"

static int
too_new(const struct db *db, const char *what, int64_t version, int newest,
    struct err *e)
{
	return err_set(e, ERR_INVALID, "%s was written by a newer Cohort "
	    "(%s %lld; this one knows up to %d)", db_path(db), what,
	    (long long)version, newest);
}

/* Reads nothing but the header and the schema, changes nothing. */
int
db_version(struct db *db, const struct db_format *f, int *version, struct err *e)
{
	int64_t app, user, tables;
	int rc;

	rc = db_read_i64(db, "SELECT count(*) FROM sqlite_schema", &tables, e);
	if (rc == OK)
		rc = db_read_i64(db, "PRAGMA application_id", &app, e);
	if (rc == OK)
		rc = db_read_i64(db, "PRAGMA user_version", &user, e);
	if (rc != OK)
		return rc;
	if (tables == 0 && user == 0 && app == 0) {
		*version = 0;
		return OK;
	}
	if (app != f->app)
		return err_set(e, ERR_INVALID,
		    "%s is a database of another program", db_path(db));
	if (user > f->sqlite.n)
		return too_new(db, "format", user, f->sqlite.n, e);
	*version = (int)user;
	return OK;
}

/* Its file layer: the copy is written through the same. */
static const char *
layer_of(const struct db *db)
{
	sqlite3_vfs *vfs = NULL;

	sqlite3_file_control(sqlite_of(db), "main", SQLITE_FCNTL_VFS_POINTER, &vfs);
	return vfs == NULL ? NULL : vfs->zName;
}

/* By a connection of its own, for SQLite copies nothing out of one that writes. */
static int
copy_to(struct db *db, const char *to, struct err *e)
{
	const char *layer = layer_of(db);
	sqlite3 *from = NULL, *copy = NULL;
	sqlite3_backup *b = NULL;
	int rc = OK, fd;

	/* SQLite would make it readable for all; the original is not. */
	unlink(to);
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, ERR_IO, "backup %s: %s", to, strerror(errno));
	close(fd);
	if (sqlite3_open_v2(db_path(db), &from, SQLITE_OPEN_READWRITE, layer) == SQLITE_OK &&
	    sqlite3_open_v2(to, &copy, SQLITE_OPEN_READWRITE, layer) == SQLITE_OK)
		b = sqlite3_backup_init(copy, "main", from, "main");
	if (b == NULL || sqlite3_backup_step(b, -1) != SQLITE_DONE)
		rc = err_set(e, ERR_IO, "backup %s: %s", to, sqlite3_errmsg(copy));
	if (b != NULL && sqlite3_backup_finish(b) != SQLITE_OK && rc == OK)
		rc = err_set(e, ERR_IO, "backup %s: %s", to, sqlite3_errmsg(copy));
	sqlite3_close(copy);
	sqlite3_close(from);
	return rc;
}

/* `file.bak-v1` appears whole or not at all. */
static int
backup(struct db *db, int version, struct err *e)
{
	char to[DB_PATH_MAX + 32], part[DB_PATH_MAX + 40];
	int rc;

	snprintf(to, sizeof to, "%s.bak-v%d", db_path(db), version);
	snprintf(part, sizeof part, "%s.part", to);
	rc = copy_to(db, part, e);
	if (rc == OK && rename(part, to) != 0)
		rc = err_set(e, ERR_IO, "backup %s: %s", to, strerror(errno));
	if (rc != OK)
		unlink(part);
	else
		log_info("store", "backup", "file=%s version=%d", to, version);
	return rc;
}

/* In the transaction that is open: the steps from `version` on, after a backup if
 * the file held data.  mark: notes the version. */
static int
steps_run(struct db *db, const struct db_steps *steps, int version, const char *mark,
    struct err *e)
{
	int rc = OK;

	if (version > 0 && version < steps->n) {
		log_info("store", "migrate", "file=%s from=%d to=%d", db_path(db),
		    version, steps->n);
		rc = backup(db, version, e);
	}
	for (int v = version; rc == OK && v < steps->n; v++)
		rc = db_exec(db, steps->text[v], e);
	return rc == OK && version < steps->n ? db_exec(db, mark, e) : rc;
}

static int
steps_end(struct db *db, int rc, struct err *e)
{
	if (rc == OK)
		rc = db_exec(db, "COMMIT", e);
	if (rc != OK)
		db_rollback(db);
	return rc;
}

int
db_migrate(struct db *db, const struct db_format *f, struct err *e)
{
	char mark[96];
	int version, rc = db_begin(db, DB_WRITE);

	if (rc != OK)
		return db_failed(db, e);
	snprintf(mark, sizeof mark, "PRAGMA application_id = %d;"
	    "PRAGMA user_version = %d", f->app, f->sqlite.n);
	rc = db_version(db, f, &version, e);
	if (rc == OK)
		rc = steps_run(db, &f->sqlite, version, mark, e);
	return steps_end(db, rc, e);
}

int
db_migrate_room(struct db *db, const char *room, const struct db_format *f,
    struct err *e)
{
	char text[160], mark[160];
	int64_t version = 0;
	int rc = db_begin(db, DB_WRITE);

	if (rc != OK)
		return db_failed(db, e);
	snprintf(text, sizeof text, "SELECT coalesce((SELECT version FROM room"
	    " WHERE name = '%s'), 0)", room);
	snprintf(mark, sizeof mark, "INSERT OR REPLACE INTO room(name,"
	    " version) VALUES ('%s', %d)", room, f->sqlite.n);
	rc = db_exec(db, "CREATE TABLE IF NOT EXISTS room("
	    "name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT", e);
	if (rc == OK)
		rc = db_read_i64(db, text, &version, e);
	if (rc == OK && version > f->sqlite.n)
		rc = too_new(db, room, version, f->sqlite.n, e);
	if (rc == OK)
		rc = steps_run(db, &f->sqlite, (int)version, mark, e);
	return steps_end(db, rc, e);
}
