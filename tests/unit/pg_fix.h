/*
 * pg_fix.h - a PostgreSQL server for a test program.  Linked into one, it runs the program
 * by `tests/pg/server run`, so that all its tests share a server without fsync.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_PG_FIX_H
#define UNIT_PG_FIX_H

#include "harness/test.h"

/* The URL of an empty schema on the shared server. */
#define PG_URL_MAX 512
void pg_fresh(char url[PG_URL_MAX]);
/* The same server and schema for another connection's statements, as a superuser. */
void pg_do(const char *url, const char *sql);
int64_t pg_number_of(const char *url, const char *sql);

/* A server of this test's own. */
struct pg_own {
	char dir[64], url[PG_URL_MAX];
};
void pg_own_start(struct pg_own *o);
void pg_own_again(struct pg_own *o);         /* after a stop or a kill */
void pg_own_stop(struct pg_own *o);
void pg_own_kill(struct pg_own *o);          /* -9 */
void pg_own_signal(struct pg_own *o, int sig);       /* to all its processes */
void pg_own_end(struct pg_own *o);           /* and its folder */

#endif
