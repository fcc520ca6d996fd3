/*
 * driver_priv.h - what db.c asks of a database library, and nothing more.
 *
 * A driver is a table of functions and the texts in which dialects differ.  Its
 * handles are the h of a struct db_conn, and struct db_stmt.  A function that
 * fails sets err and, unless the statement was to blame, fault of the connection.
 * What only one library has (a log, versions, file layers) is in its driver's
 * files, sqlite_*.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_DRIVER_PRIV_H
#define STORE_DRIVER_PRIV_H

#include "store/db.h"

enum { DB_TX_READ, DB_TX_WRITE, DB_TX_COMMIT, DB_TX_ROLLBACK, DB_TX_N };

struct db_driver {
	const char *tx[DB_TX_N];             /* statements, kept in db_conn.tx; */
	int  (*tx_run)(struct db_conn *c, int which);        /* or, not NULL, this */

	/* c->h is set even after an error, if there is something to close. */
	int  (*open)(struct db_conn *c, const char *path, const char *layer,
	    enum db_use use);
	void (*close)(struct db_conn *c);
	const char *(*path)(const struct db_conn *c);        /* for people */
	int  (*exec)(struct db_conn *c, const char *text);
	bool (*in_tx)(const struct db_conn *c);
	/* Of a server, else NULL: db_revive, db_in_doubt. */
	int  (*revive)(struct db_conn *c, nsec until);
	bool (*in_doubt)(const struct db_conn *c);
	int64_t (*last_id)(const struct db_conn *c);
	int64_t (*changes)(const struct db_conn *c, bool all);
	/* Has a row been written, as far as is known, since changes(all) gave mark?  NULL:
	 * if it gives another number now. */
	bool (*wrote)(const struct db_conn *c, int64_t mark);

	/* NULL: failed.  The other functions accept that, and step fails. */
	struct db_stmt *(*prepare)(struct db_conn *c, const char *text);
	void (*finalize)(struct db_stmt *s);
	void (*bind)(struct db_stmt *s, int at, const struct db_value *v); /* from 1 */
	/* Prepares it at once.  NULL: prepare has done so. */
	int  (*ready)(struct db_conn *c, struct db_stmt *s);
	/* Sends it and does not wait for its rows.  NULL: there is nobody to wait for. */
	int  (*start)(struct db_conn *c, struct db_stmt *s);
	int  (*step)(struct db_conn *c, struct db_stmt *s);  /* ERR_NOTFOUND: done */
	void (*reset)(struct db_stmt *s);
	/* A column of the row that step gave, from 0. */
	bool (*null)(struct db_stmt *s, int col);
	int64_t (*i64)(struct db_stmt *s, int col);
	struct str (*str)(struct db_stmt *s, int col);       /* p NULL: NULL */
};

extern const struct db_driver db_sqlite, db_pg;
bool pg_is_url(const char *path);            /* or a text `host=... dbname=...` */

/* Called by a driver now and then during a statement of a DB_SLOW; true: stop,
 * with ERR_TIMEOUT. */
bool db_interrupt(struct db_conn *c);

#endif
