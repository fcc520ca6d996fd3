/*
 * schema.c - the tables, and how an older file becomes a newer one.
 *
 * Each entry of store_migrations takes the file from version i to i + 1, in
 * one transaction that also sets user_version.  Forward only: an entry is
 * never edited once released.  A file that holds data is copied beside itself
 * before its version rises.  docs/storage.md explains every table.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/db_priv.h"

#define APPLICATION_ID 0x436f6872            /* "Cohr" */

static const char version_1[] =
"CREATE TABLE owner ("
"	seq INTEGER PRIMARY KEY,"
"	subject TEXT NOT NULL UNIQUE) STRICT;"

"CREATE TABLE assistant ("
"	seq INTEGER PRIMARY KEY,"
"	uuid BLOB UNIQUE,"                       /* NULL: buried */
"	owner INTEGER NOT NULL,"                 /* -1: buried */
"	system INTEGER NOT NULL,"
"	version INTEGER NOT NULL,"
"	latest INTEGER NOT NULL,"
"	created INTEGER NOT NULL,"
"	updated INTEGER NOT NULL) STRICT;"
"CREATE INDEX assistant_dead ON assistant(owner) WHERE owner < 0;"

"CREATE TABLE assistant_version ("
"	assistant INTEGER NOT NULL REFERENCES assistant(seq),"
"	version INTEGER NOT NULL,"
"	graph TEXT NOT NULL,"
"	name TEXT NOT NULL,"
"	description TEXT,"
"	config TEXT NOT NULL,"
"	context TEXT NOT NULL,"
"	metadata TEXT NOT NULL,"
"	created INTEGER NOT NULL,"
"	PRIMARY KEY (assistant, version)) STRICT, WITHOUT ROWID;"

"CREATE TABLE thread ("
"	seq INTEGER PRIMARY KEY,"
"	uuid BLOB UNIQUE,"                       /* NULL: buried */
"	owner INTEGER NOT NULL,"                 /* -1: buried */
"	status INTEGER NOT NULL,"
"	checkpoint INTEGER NOT NULL,"            /* the latest; 0: none */
"	created INTEGER NOT NULL,"
"	updated INTEGER NOT NULL,"
"	assistant BLOB,"                         /* metadata.assistant_id */
"	metadata TEXT NOT NULL,"
"	config TEXT NOT NULL,"
"	error TEXT) STRICT;"
"CREATE INDEX thread_dead ON thread(owner) WHERE owner < 0;"
"CREATE INDEX thread_assistant ON thread(assistant)"
"	WHERE assistant IS NOT NULL;"

"CREATE TABLE run ("
"	seq INTEGER PRIMARY KEY,"
"	uuid BLOB NOT NULL UNIQUE,"
"	thread INTEGER NOT NULL REFERENCES thread(seq),"
"	status INTEGER NOT NULL,"
"	multitask INTEGER NOT NULL,"
"	attempt INTEGER NOT NULL,"
"	created INTEGER NOT NULL,"
"	updated INTEGER NOT NULL,"
"	assistant BLOB NOT NULL,"
"	graph TEXT NOT NULL,"
"	kwargs TEXT NOT NULL,"
"	metadata TEXT NOT NULL,"
"	base TEXT NOT NULL,"
"	error TEXT) STRICT;"
"CREATE INDEX run_thread ON run(thread);"
"CREATE INDEX run_active ON run(thread, status) WHERE status < 2;"

"CREATE TABLE checkpoint ("
"	seq INTEGER PRIMARY KEY,"
"	uuid BLOB NOT NULL,"
"	thread INTEGER NOT NULL REFERENCES thread(seq),"
"	parent INTEGER NOT NULL,"                /* seq; 0: none */
"	run INTEGER NOT NULL,"
"	step INTEGER NOT NULL,"
"	source INTEGER NOT NULL,"
"	list INTEGER NOT NULL,"                  /* seq of the one that began it */
"	keep INTEGER NOT NULL,"                  /* entries from before this step */
"	len INTEGER NOT NULL,"
"	created INTEGER NOT NULL,"
"	next TEXT,"
"	task BLOB,"
"	task_error TEXT,"
"	chart TEXT) STRICT;"
"CREATE UNIQUE INDEX checkpoint_thread ON checkpoint(thread, uuid);"

"CREATE TABLE message ("
"	key INTEGER PRIMARY KEY,"                /* list * 2^20 + first */
"	n INTEGER NOT NULL,"
"	body BLOB NOT NULL) STRICT;"

"CREATE TABLE item ("
"	owner INTEGER NOT NULL,"
"	ns TEXT NOT NULL,"
"	key TEXT NOT NULL,"
"	created INTEGER NOT NULL,"
"	updated INTEGER NOT NULL,"
"	value TEXT NOT NULL,"
"	PRIMARY KEY (owner, ns, key)) STRICT, WITHOUT ROWID;"

"CREATE TABLE stream ("
"	run INTEGER NOT NULL REFERENCES run(seq),"
"	last INTEGER NOT NULL,"
"	first INTEGER NOT NULL,"
"	body BLOB NOT NULL,"
"	PRIMARY KEY (run, last)) STRICT, WITHOUT ROWID;"

"CREATE TABLE journal ("
"	run INTEGER NOT NULL REFERENCES run(seq),"
"	step INTEGER NOT NULL,"
"	call TEXT NOT NULL,"
"	name TEXT,"
"	result TEXT,"                            /* NULL: started, not done */
"	PRIMARY KEY (run, step, call)) STRICT, WITHOUT ROWID;";

const char *const store_migrations[] = { version_1 };
const int store_migrations_n = COUNT(store_migrations);

/* Reads nothing but the header and the schema, changes nothing. */
int
schema_check(struct db *db, const char *path, int newest, int *version,
    struct err *e)
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
	if (app != APPLICATION_ID)
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
migrate_one(struct db *db, const char *text, int to, struct err *e)
{
	char marks[96];
	int rc;

	snprintf(marks, sizeof marks,
	    "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
	    APPLICATION_ID, to);
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
schema_migrate(struct db *db, const char *path, const char *const *steps,
    int steps_n, int version, struct err *e)
{
	int rc = OK;

	if (version > 0 && version < steps_n)
		rc = backup(db, path, version, e);
	for (int v = version; rc == OK && v < steps_n; v++)
		rc = migrate_one(db, steps[v], v + 1, e);
	return rc;
}
