/*
 * sqlite_priv.h - SQLite's handle of a connection, for the driver's own files
 * (sqlite_*.c) and for tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQLITE_PRIV_H
#define STORE_SQLITE_PRIV_H

#include <assert.h>
#include <sqlite3.h>

#include "store/driver_priv.h"

static inline sqlite3 *
sqlite_of(const struct db *db)
{
	assert(db->on != NULL && db->on->driver == &db_sqlite);
	return db->on->h;
}

fts5_api *sqlite_fts5(sqlite3 *db);  /* NULL: it has none */

void sqlite_log_register(void);      /* DB_LOG_LAYER; once, before the first open */

#endif
