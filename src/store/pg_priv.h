/*
 * pg_priv.h - the driver for PostgreSQL, inside.
 *
 *   pg_lib.c    the library: libpq, loaded when the first connection needs it
 *   pg_text.c   SQL of SQLite's dialect into PostgreSQL's; pure
 *   pg_value.c  values to parameters, columns to values
 *   pg_start.c  how a connection begins
 *   pg_conn.c   a connection: made, lost, made again; what is sent and awaited
 *   pg_rows.c   cursors, for rows of which there may be many
 *   pg.c        statements and transactions, and the table of the driver
 *
 * All connections are in libpq's pipeline mode.  What is sent has a number; its
 * result comes in the same order.  A statement without rows inside a transaction
 * is sent and not awaited: its failure is that of the transaction.
 *
 *   DOWN --connect--> CONNECTING --answer--> UP --lost--> DOWN
 *
 * Each UP is a new `life` of the connection: statements are prepared again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_PG_PRIV_H
#define STORE_PG_PRIV_H

#include <assert.h>
#include <libpq-fe.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/driver_priv.h"

/* ---- the library ----------------------------------------------------------- */

#define PG_LIB_MAP(X)                                                          \
	X(cancel) X(clear) X(cmdStatus) X(cmdTuples) X(connectPoll)            \
	X(connectStartParams) X(consumeInput) X(enterPipelineMode)             \
	X(errorMessage) X(exitPipelineMode) X(finish) X(flush) X(freeCancel)   \
	X(ftype) X(getCancel) X(getResult) X(getisnull) X(getlength)           \
	X(getvalue) X(isBusy) X(nfields) X(nparams) X(ntuples) X(options)      \
	X(paramtype) X(pipelineSync) X(resultErrorField) X(resultStatus)       \
	X(conninfoFree) X(conninfoParse) X(sendDescribePrepared) X(sendPrepare)  \
	X(sendQuery) X(sendQueryParams) X(sendQueryPrepared)                   \
	X(setErrorVerbosity) X(setNoticeProcessor) X(setnonblocking) X(socket) X(status)            \
	X(transactionStatus) X(resultMemorySize)

struct pg_lib {
#define X(name) __typeof__(PQ##name) *name;
	PG_LIB_MAP(X)
#undef X
};
extern struct pg_lib pq;
/* ERR_NOTFOUND: it is not installed; e names the package. */
int pg_lib_load(struct err *e);

/* ---- texts ------------------------------------------------------------------ */

/* *params: how many it has. */
void pg_translate(struct str sqlite, struct buf *out, int *params);

/* ---- connections ------------------------------------------------------------ */

enum pg_state { PG_DOWN, PG_CONNECTING, PG_UP };

struct pg {
	struct db_conn *on;
	char *url;
	enum db_use use;
	enum pg_state state;
	PGconn *c;                           /* NULL: DOWN, or it has only begun: */
	struct pg_start *begun;
	nsec since;                          /* it has been CONNECTING */
	unsigned turn;                       /* of its hosts */
	nsec retry_at;                       /* DOWN: not before */
	uint64_t life;
	int pid;                             /* of the last life's backend */
	char started[48];                    /* and since when it ran */

	uint64_t sent, got, asked;           /* statements, in this life */
	struct pg_stmt *keeps;               /* whose rows are still to come */
	int syncs;                           /* sent, and not come back */
	bool in_tx, aborted;
	bool torn;                           /* the connection went with a transaction open;
	                                        what was to be in it must not run alone */
	int cursors;                         /* open */
	bool own_tx;                         /* in_tx for them only */
	bool refused;                        /* and waiting does not mend why: the user, the
	                                        database, TLS, a pooler between */
	bool committing;                     /* COMMIT was sent, and nothing came back:
	                                        nobody knows */
	size_t unasked;                      /* bytes sent since the last Sync, about */
	uint64_t named;                      /* statements that got a name */
	int64_t changes;                     /* rows, by the last that writes */
	uint64_t wrote, may_write;           /* the last statement that did; that may, when
	                                        its result comes */
	uint64_t waits;                      /* for the server, ever */
	struct log_spell not_made;           /* it was lost, and cannot be made again */
};

struct pg_stmt {
	struct pg *p;
	char *text;
	char name[24];
	uint64_t life;                       /* it is prepared in; 0: nowhere */
	int params, columns;                 /* columns 0: it has no rows */
	bool writes, many;                   /* many: by a cursor, where nobody writes */
	uint64_t cursor;                     /* its number, while it is open; or 0 */
	int wanted;                          /* rows of the last FETCH */
	struct db_value *value;              /* params */
	Oid *type;
	struct pg_stmt *next;                /* in keeps */
	uint64_t no;                         /* as sent; 0: not */
	PGresult *res;
	int row, rows;
};

int  pg_open(struct pg **out, struct db_conn *on, const char *url, enum db_use use);
void pg_close(struct pg *p);
/* A connection begins, by a thread, unless that of before is still at it: with the host
 * that is `turn` behind the first of the URL.  NULL: there is no thread. */
struct pg_start *pg_start_begin(struct pg_start *before, const char *url, unsigned turn,
    int64_t wait_ms);
unsigned pg_start_hosts(const char *url);    /* that it names; 1 at least */
/* libpq's, once; NULL: it is not there until then. */
PGconn *pg_start_take(struct pg_start *s, nsec until);
void pg_start_drop(struct pg_start *s);      /* accepts NULL; does not wait */
/* What libpq says of a connection that failed: does waiting not mend it?  Pure. */
bool pg_is_refusal(const char *words);
/* UP, or ERR_BUSY: it is tried again each LIMIT_PG_RETRY_MS.  Waits until then at
 * most; 0: takes one look. */
int  pg_up(struct pg *p, nsec until);
/* The connection is of no use any more. */
int  pg_lose(struct pg *p, const char *why);
/* Sets err and fault by a result.  Drains the pipeline: other statements work. */
int  pg_failed(struct pg *p, const PGresult *res);
/* For all that was sent.  *out: the last one's result, unless it is kept for it; NULL
 * after a failure. */
int  pg_wait(struct pg *p, PGresult **out);
/* For all that was sent, whatever comes of it. */
int  pg_settle(struct pg *p);
/* Sends what is queued, and does not wait. */
void pg_push(struct pg *p);
/* A text without values, awaited. */
int  pg_exec(struct pg *p, const char *text);
/* The same, with one value and one column of the first row, as texts; out may be NULL. */
int  pg_ask(struct pg *p, const char *text, const char *value, char *out, size_t size);

/* Of the last life's backend nothing comes any more.  ERR_BUSY: try again. */
int  pg_end_backend(struct pg *p);
int  pg_send_text(struct pg *p, const char *text);
int  pg_begin(struct pg *p, const char *text);
int  pg_rollback(struct pg *p);
/* How long the server may say nothing, in ns. */
nsec pg_patience(const struct pg *p);

struct pg_params;

/* ---- rows in pieces ----------------------------------------------------------- */

bool pg_rows_are_many(const char *text);
/* Begins to read the rows of a described statement. */
int  pg_rows_open(struct pg *p, struct pg_stmt *s, const struct pg_params *x);
/* OK: s->row is one of them; ERR_NOTFOUND: that was all. */
int  pg_rows_next(struct pg *p, struct pg_stmt *s);
void pg_rows_close(struct pg *p, struct pg_stmt *s);

/* ---- values ------------------------------------------------------------------- */

/* The parameters of one statement, as libpq wants them. */
#define PG_PARAMS 64
struct pg_params {
	const char *at[PG_PARAMS];
	int n[PG_PARAMS], binary[PG_PARAMS];
	char room[PG_PARAMS][24];
	char *copy[PG_PARAMS];
};
/* ERR_INVALID: a text with a NUL byte, or a number that the type cannot hold. */
int  pg_params_make(struct pg_params *x, const struct pg_stmt *s, struct err *e);
void pg_params_free(struct pg_params *x, int n);
int64_t pg_number(const PGresult *res, int row, int col);

static inline struct pg *
pg_of(const struct db *db)
{
	assert(db->on != NULL && db->on->driver == &db_pg);
	return db->on->h;
}

#endif
