/*
 * pg_proxy.h - between a client and a PostgreSQL server's socket: it can lose a COMMIT, or
 * the answer to one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_PG_PROXY_H
#define UNIT_PG_PROXY_H

#include <pthread.h>
#include <stdatomic.h>

#include "unit/pg_fix.h"

enum pg_cut {
	PG_CUT_NOT,
	PG_CUT_COMMIT,                       /* it does not reach the server; both ends are
	                                        closed */
	PG_CUT_ANSWER,                       /* it does; the client's end is closed then */
	PG_CUT_HOLD,                         /* the client's end is closed, the server's stays
	                                        open and has not got it */
	PG_CUT_ALL                           /* who connects is closed at once */
};

struct pg_proxy {
	char dir[64], url[PG_URL_MAX], to[108];
	int fd;
	pthread_t thread;
	_Atomic int cut;                     /* enum pg_cut; after one COMMIT it is `after` */
	_Atomic int after;
	_Atomic int cuts, connects;
	_Atomic bool ends;
};

/* In front of the shared server; url: as pg_fresh gave it. */
void pg_proxy_start(struct pg_proxy *p, const char *url);
void pg_proxy_end(struct pg_proxy *p);

#endif
