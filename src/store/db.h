/*
 * db.h - one SQLite connection with its prepared statements, and the few words
 * that the store, and rooms with tables of their own, are written in.
 *
 * A room's statements are a table of texts, and their places in it are an enum:
 *
 *   struct query q = query_of(db, SQL_RUN_GET);
 *   bind_uuid(&q, id);
 *   bind_i64(&q, owner);
 *   rc = query_row(&q);             OK: a row; ERR_NOTFOUND: no more
 *   ... col_i64(&q, 3) ...
 *   query_end(&q);                  always; the statement is free again
 *
 * Bound texts must live until query_end.  A connection belongs to one thread.
 * A statement is prepared when it is first needed, and kept.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <sqlite3.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/rc.h"

#define DB_PATH_MAX 4096

enum db_use {
	DB_WRITE,                            /* made if it is missing */
	DB_READ,
	DB_SLOW                              /* DB_READ, with a deadline */
};

/* A room's statements, by number. */
struct db_sql {
	const char *const *text;
	int n;
};

struct db {
	sqlite3 *h;
	const struct db_sql *sql;
	sqlite3_stmt **stmt;                 /* sql->n */
	bool broken;                 /* a statement failed for want of the medium */
	bool full;                   /* and the medium for want of room */
	bool shared;                 /* h is somebody else's */
	nsec deadline;               /* DB_SLOW: statements stop past it */
	nsec pace_until;             /* and what compares rows, with pace_rc */
	int pace_rc;
	void (*meanwhile)(void *ctx);        /* DB_SLOW: now and then, in between */
	void *meanwhile_ctx;
	struct err err;              /* words of the last failure */
};

struct query {
	struct db *db;
	sqlite3_stmt *s;
	int at;                      /* parameters bound so far */
};

/* path: or a name of SQLite's that begins with `file:`.  vfs NULL: the default.
 * ERR_IO.  Accepts half-opened for closing. */
int  db_open(struct db *db, const char *path, const char *vfs,
    const struct db_sql *sql, enum db_use use, struct err *e);
/* Another room's statements on a connection that is open; closed before it. */
void db_share(struct db *db, const struct db *of, const struct db_sql *sql);
void db_close(struct db *db);
int  db_exec(struct db *db, const char *text, struct err *e);
int  db_read_i64(struct db *db, const char *text, int64_t *out, struct err *e);
int  db_fail(struct db *db);         /* the last SQLite error as rc and words */
bool db_is_full(const struct db *db);        /* it was for want of room */
/* The go_on of a json_pace for a DB_SLOW: long work between two steps of a
 * statement calls it.  Runs `meanwhile`; returns false past pace_until. */
bool db_go_on(void *db);
/* The write-ahead log, or ERR_IO where the file system cannot have one. */
int  db_enable_wal(struct db *db, const char *path, struct err *e);

/* Makes the log's file longer if it is nearly full (log.c).  Inside a
 * transaction that writes, for then nobody else may write to the log.  frames:
 * of the log, after the last commit; *bytes: kept for this, 0 at first. */
void db_log_lengthen(struct db *db, int frames, int64_t *bytes);
/* The same at once, to `bytes`; but not one that is empty. */
void db_log_reach(struct db *db, int64_t bytes);
int64_t db_log_size(struct db *db);

/* A file layer that saves the first commit of a connection one sync (log.c);
 * for who opens a file only to write to it once. */
#define DB_LOG_VFS "cohort-log"
void db_log_register(void);          /* once; db_open does */

/* ---- versions (schema.c) -------------------------------------------------- */

/* Whose file is it, and of which version?  Changes nothing.  ERR_INVALID:
 * another program's, or newer than `newest`. */
int db_version(struct db *db, const char *path, int app, int newest,
    int *version, struct err *e);
/* Takes the file from `version` to steps_n, each step in a transaction that
 * sets app and user_version; after a backup beside the file if it held data. */
int db_migrate(struct db *db, const char *path, int app, const char *const *steps,
    int steps_n, int version, struct err *e);
/* The same for the tables of one room in a file that several share. */
int db_migrate_room(struct db *db, const char *path, const char *room,
    const char *const *steps, int steps_n, struct err *e);

/* ---- statements ----------------------------------------------------------- */

struct query query_of(struct db *db, int sql);
int  query_row(struct query *q);
void query_end(struct query *q);
int  query_run(struct query *q);     /* without rows; ends it */

void bind_i64(struct query *q, int64_t v);
void bind_str(struct query *q, struct str s);        /* p NULL: NULL */
void bind_text(struct query *q, struct str s);       /* p NULL: "" */
void bind_json(struct query *q, struct str s);       /* empty: "{}" */
void bind_blob(struct query *q, struct str s);
void bind_null(struct query *q);
void bind_uuid(struct query *q, const struct uuid *u);       /* zero: NULL */

bool        col_null(const struct query *q, int col);
int64_t     col_i64(const struct query *q, int col);
struct uuid col_uuid(const struct query *q, int col);        /* NULL: zero */
struct str  col_str(const struct query *q, int col, struct arena *a);
struct str  col_borrow(const struct query *q, int col);      /* until the next row */

#endif
