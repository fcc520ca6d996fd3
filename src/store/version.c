/*
 * version.c - how an older file becomes a newer one.
 *
 * Steps are a list of texts: step i takes the tables from version i to i + 1,
 * in one transaction that also notes the version.  Forward only.  A file that
 * holds data is copied beside itself before its version rises.
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
#include "store/db.h"

/* Reads nothing but the header and the schema, changes nothing. */
int
db_version(struct db *db, const char *path, int wanted, int newest,
    int *version, struct err *e)
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
	if (app != wanted)
		return err_set(e, ERR_INVALID,
		    "%s is a database of another program", path);
	if (user > newest)
		return err_set(e, ERR_INVALID, "%s was written by a newer Cohort "
		    "(format %lld; this one knows up to %d)", path,
		    (long long)user, newest);
	*version = (int)user;
	return OK;
}

static int
copy_to(struct db *db, const char *to, struct err *e)
{
	sqlite3 *copy = NULL;
	sqlite3_backup *b = NULL;
	int rc = OK, fd;

	/* SQLite would make it readable for all, which the original is not. */
	unlink(to);
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, ERR_IO, "backup %s: %s", to, strerror(errno));
	close(fd);
	if (sqlite3_open(to, &copy) == SQLITE_OK)
		b = sqlite3_backup_init(copy, "main", db->h, "main");
	if (b == NULL || sqlite3_backup_step(b, -1) != SQLITE_DONE)
		rc = err_set(e, ERR_IO, "backup %s: %s", to, sqlite3_errmsg(copy));
	if (b != NULL && sqlite3_backup_finish(b) != SQLITE_OK && rc == OK)
		rc = err_set(e, ERR_IO, "backup %s: %s", to, sqlite3_errmsg(copy));
	sqlite3_close(copy);
	return rc;
}

/* `file.bak-v1` appears whole or not at all. */
static int
backup(struct db *db, const char *path, int version, struct err *e)
{
	char to[DB_PATH_MAX + 32], part[DB_PATH_MAX + 40];
	int rc;

	snprintf(to, sizeof to, "%s.bak-v%d", path, version);
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

static int
migrate_one(struct db *db, int app, const char *text, int to, struct err *e)
{
	char marks[96];
	int rc;

	snprintf(marks, sizeof marks,
	    "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
	    app, to);
	rc = db_exec(db, "BEGIN IMMEDIATE", e);
	if (rc == OK)
		rc = db_exec(db, text, e);
	if (rc == OK)
		rc = db_exec(db, marks, e);
	if (rc != OK && !sqlite3_get_autocommit(db->h))
		db_exec(db, "ROLLBACK", NULL);
	return rc;
}

int
db_migrate(struct db *db, const char *path, int app, const char *const *steps,
    int steps_n, int version, struct err *e)
{
	bool old = version > 0 && version < steps_n;
	int rc = OK;

	if (old)
		rc = backup(db, path, version, e);
	if (old && rc == OK)
		log_info("store", "migrate", "file=%s from=%d to=%d", path, version,
		    steps_n);
	for (int v = version; rc == OK && v < steps_n; v++)
		rc = migrate_one(db, app, steps[v], v + 1, e);
	return rc;
}

/* ---- rooms ---------------------------------------------------------------- */

static int
room_version(struct db *db, const char *room, int64_t *version, struct err *e)
{
	char text[160];

	snprintf(text, sizeof text, "SELECT coalesce((SELECT version FROM room"
	    " WHERE name = '%s'), 0)", room);
	return db_read_i64(db, text, version, e);
}

static int
room_step(struct db *db, const char *room, const char *text, int to, struct err *e)
{
	char mark[160];
	int rc;

	snprintf(mark, sizeof mark, "INSERT OR REPLACE INTO room(name, version)"
	    " VALUES ('%s', %d); COMMIT", room, to);
	rc = db_exec(db, "BEGIN IMMEDIATE", e);
	if (rc == OK)
		rc = db_exec(db, text, e);
	if (rc == OK)
		rc = db_exec(db, mark, e);
	if (rc != OK && !sqlite3_get_autocommit(db->h))
		db_exec(db, "ROLLBACK", NULL);
	return rc;
}

int
db_migrate_room(struct db *db, const char *path, const char *room,
    const char *const *steps, int steps_n, struct err *e)
{
	int64_t version = 0;
	int rc;

	rc = db_exec(db, "CREATE TABLE IF NOT EXISTS room("
	    "name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT", e);
	if (rc == OK)
		rc = room_version(db, room, &version, e);
	if (rc == OK && version > steps_n)
		return err_set(e, ERR_INVALID, "%s was written by a newer Cohort "
		    "(%s %lld; this one knows up to %d)", path, room,
		    (long long)version, steps_n);
	if (rc == OK && version > 0 && version < steps_n)
		rc = backup(db, path, (int)version, e);
	for (int64_t v = version; rc == OK && v < steps_n; v++)
		rc = room_step(db, room, steps[v], (int)v + 1, e);
	return rc;
}
