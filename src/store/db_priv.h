/*
 * db_priv.h - one SQLite connection with its prepared statements, and the
 * few words the store's functions are written in.
 *
 *   struct query q = query_of(db, SQL_RUN_GET);
 *   bind_uuid(&q, id);
 *   bind_i64(&q, owner);
 *   rc = query_row(&q);             OK: a row; ERR_NOTFOUND: no more
 *   ... col_i64(&q, 3) ...
 *   query_end(&q);                  always; the statement is free again
 *
 * Bound texts must live until query_end.  A connection belongs to one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_DB_PRIV_H
#define STORE_DB_PRIV_H

#include <sqlite3.h>

#include "store/sql_priv.h"
#include "store/store.h"

#define DB_PATH_MAX 4096

enum db_use { DB_WRITE, DB_READ, DB_SLOW };

struct db {
	sqlite3 *h;
	sqlite3_stmt *stmt[SQL_COUNT];
	bool broken;                 /* a statement failed for want of the medium */
	nsec deadline;               /* DB_SLOW: statements stop past it */
	struct err err;              /* words of the last failure */
};

struct query {
	struct db *db;
	sqlite3_stmt *s;
	int at;                      /* parameters bound so far */
};

/* vfs NULL: the default.  Accepts half-opened for closing. */
int  db_open(struct db *db, const char *path, const char *vfs, enum db_use use,
    struct err *e);
void db_close(struct db *db);
int  db_exec(struct db *db, const char *text, struct err *e);
int  db_read_i64(struct db *db, const char *text, int64_t *out, struct err *e);
int  db_fail(struct db *db);         /* the last SQLite error as rc and words */

struct query query_of(struct db *db, enum sql id);
int  query_row(struct query *q);
void query_end(struct query *q);
int  query_run(struct query *q);     /* without rows; ends it */

void bind_i64(struct query *q, int64_t v);
void bind_str(struct query *q, struct str s);        /* p NULL: NULL */
void bind_text(struct query *q, struct str s);       /* p NULL: "" */
void bind_json(struct query *q, struct str s);       /* empty: "{}" */
void bind_blob(struct query *q, struct str s);
void bind_uuid(struct query *q, const struct uuid *u);       /* zero: NULL */

int64_t     col_i64(const struct query *q, int col);
struct uuid col_uuid(const struct query *q, int col);        /* NULL: zero */
struct str  col_str(const struct query *q, int col, struct arena *a);
struct str  col_borrow(const struct query *q, int col);      /* until the next row */

/* schema.c */
extern const char *const store_migrations[];
extern const int store_migrations_n;
int schema_check(struct db *db, const char *path, int newest, int *version,
    struct err *e);
int schema_migrate(struct db *db, const char *path, const char *const *steps,
    int steps_n, int version, struct err *e);

#endif
