/*
 * pages_priv.h - the pages of a database as they are at one moment, and the commits in its
 * write-ahead log, read beside whoever writes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_PAGES_PRIV_H
#define STORE_PAGES_PRIV_H

#include "store/db.h"

/* Up to where a log was read.  A log that was moved begins anew, with other salts. */
struct log_place {
	uint32_t salt[2], sum[2];
	uint32_t frames;
	bool big;                            /* checksums of big-endian words */
	bool known;
};

/* Reads the frames of a log whose bytes `read` gives: fewer than n at its end; < 0: it
 * failed. */
struct log_reader {
	int64_t (*read)(void *ctx, void *to, size_t n, int64_t at);
	void *ctx;
	uint32_t page_size;
	struct log_place at;
	uint8_t *frame;                      /* its head and page */
};

void log_reader_init(struct log_reader *r, uint32_t page_size);
void log_reader_release(struct log_reader *r);
/* Takes up at `from`, or where from is not known, or is of a log that has begun anew since,
 * at the beginning.  ERR_NOTFOUND: there is no log; ERR_IO. */
int  log_reader_begin(struct log_reader *r, const struct log_place *from);
/* The next frame that is whole.  commit: pages of the database after it; 0: more follow.
 * ERR_NOTFOUND: there is none; ERR_IO. */
int  log_reader_next(struct log_reader *r, uint32_t *number, uint32_t *commit);
const void *log_reader_page(const struct log_reader *r);

/* ---- a moment ------------------------------------------------------------------- */

struct pages {
	struct db db;                        /* in a transaction that reads */
	const char *layer;                   /* that it was opened with */
	struct uuid id;                      /* of the database; zero: it has none */
	uint32_t page_size, n;
	uint32_t *frame;                     /* by number - 1: where it is in the log, or 0 */
	uint32_t frames_n;
	struct log_place end;                /* of the log, as far as it is part of this */
};

/* Changes nothing, and holds up only the moving of the log, until it is closed.  ERR_IO,
 * ERR_INVALID, ERR_NOTFOUND. */
int  pages_open(struct pages *p, const char *path, const char *layer, struct err *e);
/* From 1. */
int  pages_read(struct pages *p, uint32_t number, void *to, struct err *e);
void pages_close(struct pages *p);           /* accepts one that is half open */

/* The log of an open connection, for a log_reader; ctx: the struct db. */
int64_t pages_log_read(void *db, void *to, size_t n, int64_t at);

#endif
