/*
 * db.h - a database connection with its prepared statements, whatever library
 * is behind it (driver_priv.h; today SQLite).
 *
 * A room's statements are a table of texts; an enum gives their places in it:
 *
 *   struct query q = query_of(db, SQL_RUN_GET, db_uuid(id), db_i64(owner));
 *
 *   rc = query_row(&q);             OK: a row; ERR_NOTFOUND: no more
 *   ... query_i64(&q, 3) ...
 *   query_end(&q);                  always; the statement is free again
 *
 * Bound texts must live until query_end.  A connection belongs to one thread.
 * A statement is prepared when it is first needed, and kept.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/rc.h"

#define DB_PATH_MAX 4096

struct db_driver;
struct db_stmt;

enum db_use {
	DB_WRITE,                            /* made if it is missing */
	DB_READ,
	DB_FROZEN,                           /* DB_READ of a file in a place where
	                                        nothing can be written; no log */
	DB_SLOW                              /* DB_READ, with a deadline */
};

/* A room's statements, by number, as SQLite knows them.  pg: those that PostgreSQL needs in
 * other words; no table, or none there: they are translated (pg_text.c). */
struct db_sql {
	const char *const *text;
	int n;
	const char *const *pg;
};

/* How the medium failed. */
enum db_fault {
	DB_SOUND, DB_BROKEN, DB_BUSY, DB_FULL, DB_DAMAGED,
	/* of a database server: */
	DB_AGAIN,                            /* run the transaction again */
	DB_ABORTED,                          /* one of its statements was to blame */
	DB_LOST                              /* there is no connection */
};

struct db_conn {
	const struct db_driver *driver;
	void *h;                     /* the driver's */
	struct db_stmt *tx[4];       /* driver_priv.h */
	enum db_fault fault;         /* set by the failure, cleared by the caller */
	struct err err;              /* words of the last failure */
	struct err cause;            /* why there is no connection to a server: for the log */
	int log_frames;              /* in the log, after the last commit */
	void (*committed)(void *ctx, int log_frames);        /* behind each commit; or NULL */
	void *committed_ctx;
	int64_t log_bytes;           /* its file is at least that long */
	msec patience;               /* with a server that says nothing; 0: LIMIT_PG_WAIT_MS */
	/* DB_SLOW: */
	bool by_cpu;                 /* the two are times of the thread's CPU */
	nsec deadline;               /* statements stop past it; 0: never */
	nsec pace_until;             /* and what compares rows, with pace_rc */
	int pace_rc;
	void (*meanwhile)(void *ctx);        /* called now and then */
	void *meanwhile_ctx;
};

struct db {
	struct db_conn *on;          /* NULL: closed */
	const struct db_sql *sql;
	struct db_stmt **stmt;       /* sql->n */
	bool shared;                 /* `on` is closed by somebody else */
};

/* path: of a file, or the URL of a PostgreSQL server.  layer NULL: the default file
 * layer, or the name of another.  ERR_IO; ERR_BUSY: the server cannot be reached;
 * ERR_NOTFOUND: its library is not installed. */
int  db_open(struct db *db, const char *path, const char *layer,
    const struct db_sql *sql, enum db_use use, struct err *e);
/* Another room's statements on an open connection; closed before it. */
void db_share(struct db *db, const struct db *of, const struct db_sql *sql);
void db_close(struct db *db);                /* accepts a closed one */
const char *db_path(const struct db *db);    /* absolute */
/* Is its data in a database server?  Then there is no file, no log, and no version in the
 * sense of sqlite_version.c: the functions about them do nothing. */
bool db_is_server(const struct db *db);
/* Before connections are opened: how long a node may say nothing and is still taken for
 * alive.  No wait for the server takes longer than half of it. */
void db_server_lease(msec lease);
/* How long a start tries for each connection after the first; PG_OPEN_MS at least. */
void db_server_wait(msec ms);
/* A lost connection is made again: waits until then at most (0: takes a look), and for
 * the end of the old one at the server.  ERR_BUSY. */
int  db_revive(struct db *db, nsec until);
/* Was the connection lost behind a COMMIT, so that nobody knows?  Until the next begin. */
bool db_in_doubt(const struct db *db);
bool db_is_read_only(const struct db *db);
/* Is another file, or none, under the path by now? */
bool db_has_moved(const struct db *db);
void db_trim(struct db *db);                 /* gives its cache back */
/* Another process writes: wait(ctx, n) is called before the nth try, from 0; when
 * it returns 0 the statement fails with DB_BUSY.  NULL: do not wait. */
void db_on_busy(struct db *db, int (*wait)(void *ctx, int n), void *ctx);

/* Did the medium fail?  Then the transaction must be rolled back. */
static inline bool
db_broken(const struct db *db)
{
	return db->on->fault != DB_SOUND;
}

/* ---- transactions --------------------------------------------------------- */

int  db_begin(struct db *db, enum db_use use);       /* DB_WRITE or DB_READ */
int  db_commit(struct db *db);
void db_rollback(struct db *db);             /* nothing if none is open */
int64_t db_changes(const struct db *db);     /* rows of the last statement */
/* Has a statement since the mark changed a row?  Also true of one whose result is not
 * there yet. */
int64_t db_mark(const struct db *db);
bool db_wrote(const struct db *db, int64_t mark);

/* Words of the last failure, with the path.  ERR_INVALID: the file is damaged or
 * no database; else ERR_IO. */
int  db_failed(const struct db *db, struct err *e);
/* Several statements, without arguments or rows.  db_failed's codes. */
int  db_exec(struct db *db, const char *text, struct err *e);
int  db_read_i64(struct db *db, const char *text, int64_t *out, struct err *e);

/* The go_on of a json_pace for a DB_SLOW (ctx: its db_conn): long work between
 * two steps of a statement calls it.  Runs `meanwhile`; false past pace_until. */
bool db_go_on(void *conn);
nsec db_clock(const struct db_conn *c);      /* what the deadlines are compared with */

/* ---- the write-ahead log --------------------------------------------------- */

/* ERR_IO where the file system cannot have one. */
int  db_log_enable(struct db *db, struct err *e);
/* Moves the log into the database.  Waits for nobody: what a reader still needs
 * is moved next time.  empty: waits for readers and truncates the log. */
int  db_log_move(struct db *db, bool empty);
/* Keeps the log when the last connection closes, unmoved. */
void db_log_keep(struct db *db, bool keep);
/* Makes the log's file longer if it is nearly full.  Only inside a transaction
 * that writes, for then nobody else may write to the log. */
void db_log_lengthen(struct db *db);
/* The same at once, to `bytes`; but not one that is empty. */
void db_log_reach(struct db *db, int64_t bytes);
int64_t db_log_size(const struct db *db);

/* A file layer that saves the first commit of a connection one sync; for a
 * process that opens a file only to write to it once (sqlite_log.c). */
#define DB_LOG_LAYER "cohort-log"

/* ---- versions (sqlite_version.c) ------------------------------------------- */

/* What made a file's tables: steps, in a driver's dialect.  Step i takes them
 * from version i to i + 1. */
struct db_steps {
	const char *const *text;
	int n;
};
struct db_format {
	int app;                             /* application id; of a room: 0 */
	struct db_steps sqlite;
};

/* Whose file is it, and of which version?  Changes nothing.  ERR_INVALID:
 * another program's, or newer than the last step. */
int db_version(struct db *db, const struct db_format *f, int *version,
    struct err *e);
/* Takes the file to the last step's version, in one transaction that sets app and
 * version; after a backup beside the file if it held data.  Nothing if another
 * process has done so. */
int db_migrate(struct db *db, const struct db_format *f, struct err *e);
/* The same for the tables of one room in a file that several share. */
int db_migrate_room(struct db *db, const char *room, const struct db_format *f,
    struct err *e);

/* ---- values ---------------------------------------------------------------- */

/* What is bound to a statement.  Its bytes are borrowed. */
struct db_value {
	enum { DB_END, DB_NULL, DB_I64, DB_STR, DB_BLOB } kind;
	int64_t i64;
	struct str str;
};

static inline struct db_value
db_null(void)
{
	return (struct db_value){ .kind = DB_NULL };
}

static inline struct db_value
db_i64(int64_t v)
{
	return (struct db_value){ .kind = DB_I64, .i64 = v };
}

static inline struct db_value
db_str(struct str s)                         /* p NULL: NULL */
{
	return (struct db_value){ .kind = s.p == NULL ? DB_NULL : DB_STR, .str = s };
}

static inline struct db_value
db_text(struct str s)                        /* p NULL: "" */
{
	return db_str(s.p == NULL ? S("") : s);
}

static inline struct db_value
db_json(struct str s)                        /* empty: "{}" */
{
	return db_str(s.n == 0 ? S("{}") : s);
}

static inline struct db_value
db_blob(struct str s)
{
	return (struct db_value){ .kind = DB_BLOB, .str = s.p == NULL ? S("") : s };
}

static inline struct db_value
db_uuid(const struct uuid *u)                /* zero: NULL */
{
	return uuid_is_zero(u) ? db_null() :
	    db_blob((struct str){ (const char *)u->b, sizeof u->b });
}

#define DB_VALUES(...)                                                         \
	(const struct db_value[]){ __VA_ARGS__ __VA_OPT__(,) { .kind = DB_END } }

/* ---- statements ------------------------------------------------------------ */

struct query {
	struct db *db;
	struct db_stmt *s;
};

/* query_of(db, sql, values...): in the order of its parameters. */
#define query_of(db, sql, ...) query_open((db), (sql), DB_VALUES(__VA_ARGS__))
struct query query_open(struct db *db, int sql, const struct db_value *values);
int  db_ready(struct db *db, int sql);       /* prepares it now; the connection's err */
int  query_row(struct query *q);
/* Sends the statement and does not wait: those that follow are sent along, and the first
 * query_row waits for all.  A failure shows there.  Nothing with a file. */
void query_start(struct query *q);
void query_end(struct query *q);
int  query_run(struct query q);      /* without rows, to its end */
#define db_run(db, sql, ...) query_run(query_of(db, sql, __VA_ARGS__))
/* An INSERT of one row into a table whose key is a number: *id is its key.  (By
 * RETURNING it would cost SQLite a table in memory, 20,000 instructions.) */
int  query_insert(struct query q, int64_t *id);

bool        query_null(const struct query *q, int col);
int64_t     query_i64(const struct query *q, int col);
struct uuid query_uuid(const struct query *q, int col);      /* NULL: zero */
struct str  query_str(const struct query *q, int col, struct arena *a);
struct str  query_borrow(const struct query *q, int col);    /* until the next row */

/* ---- rows as structs -------------------------------------------------------- */

/* Which member takes a column; in the order of the columns. */
struct db_column {
	size_t offset;
	enum { DB_TO_I64, DB_TO_I32, DB_TO_STR, DB_TO_UUID } kind;
};
#define DB_COLUMN(type, member) { offsetof(type, member),                      \
	_Generic(((type *)0)->member, int64_t: DB_TO_I64, int: DB_TO_I32,      \
	    unsigned: DB_TO_I32, struct str: DB_TO_STR, struct uuid: DB_TO_UUID) }

struct db_record {
	const struct db_column *column;
	int n;
};
#define DB_RECORD(columns) { (columns), COUNT(columns) }

/* The row's first columns; texts are copied to the arena.  ERR_TOOBIG when it is
 * full.  Members without a column stay. */
int query_read(const struct query *q, const struct db_record *r, void *out,
    struct arena *a);
/* All rows, to the statement's end, as a list of structs of `size` in the arena. */
void *query_all(struct query *q, const struct db_record *r, size_t size,
    struct arena *a, size_t *n, int *rc);
/* One row, to the statement's end.  ERR_NOTFOUND: there is none, *out stays. */
int query_one(struct query q, const struct db_record *r, void *out,
    struct arena *a);
int query_one_i64(struct query q, int64_t *out);
int query_any(struct query q);       /* is there a row? */

#endif
