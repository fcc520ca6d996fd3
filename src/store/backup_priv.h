/*
 * backup_priv.h - the file that backups are made of.
 *
 * A file is a chain of records.  Numbers are little-endian:
 *
 *    0  u32  kind, a letter
 *    4  u32  n: pages of P, sums of S
 *    8  i64  value: time of H and C in ms, first page of S, place of the first S in E
 *   16  u32  pages: of the database after C
 *   20  u32  bytes of the body
 *   24  16   digest of the record before; zero: the first
 *   40       the body
 *            16 bytes, the digest: the first half of the SHA-256 of all before it
 *
 *   H  the head (struct backup_head), first
 *   P  n page numbers of 32 bits each, then n pages
 *   C  a transaction: all P since the last C are one commit, made at `value`
 *   S  16 bytes of SHA-256 of each page, from page `value` on, or of HMAC-SHA256 with a key
 *      (crypt.h); full and increment only
 *   E  the end; a log that a server still writes to, or that it left when it was killed,
 *      has none
 *
 * A full backup is one transaction of all pages, an increment one of those that differ from
 * its parent's, a log many: what was committed after its parent, a full backup or an
 * increment, or after the log before it.  So each digest covers all that came before it in
 * the file, and a child names its parent's last one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_BACKUP_PRIV_H
#define STORE_BACKUP_PRIV_H

#include "base/buf.h"
#include "store/backup.h"
#include "store/crypt.h"

#define BACKUP_SUM        16
#define BACKUP_RECORD     40                 /* bytes before the body */
#define BACKUP_ENDING     ".backup"
#define BACKUP_PAGE_MIN   512
#define BACKUP_PAGE_MAX   65536

struct backup_sum { uint8_t b[BACKUP_SUM]; };

struct backup_head {
	enum backup_kind kind;
	uint32_t page_size, number;          /* number: in its chain; a full one is 0 */
	bool sealed;                         /* pages are encrypted, as in the file (crypt.h) */
	struct uuid db, id, chain, parent;   /* chain: the id of its full one */
	struct backup_sum parent_sum;
	msec time;
	struct str path;                     /* of the database */
};

enum { RECORD_HEAD = 'H', RECORD_PAGES = 'P', RECORD_COMMIT = 'C', RECORD_SUMS = 'S',
	RECORD_END = 'E' };

struct backup_record {
	uint32_t kind, n, pages;
	int64_t value;
	struct str body;
	struct backup_sum before, sum;
};

/* The record that text begins with; *used: its bytes.  page_size 0: not known yet, a head.
 * ERR_AGAIN: it is cut off there; ERR_INVALID. */
int  backup_record_parse(struct str text, uint32_t page_size, struct backup_record *out,
    size_t *used, struct err *e);
/* Borrows the record's path.  ERR_INVALID: it is no head. */
int  backup_head_parse(const struct backup_record *r, struct backup_head *out, struct err *e);
/* Page i of a P. */
uint32_t backup_page_number(const struct backup_record *r, uint32_t i);
const void *backup_page(const struct backup_record *r, uint32_t page_size, uint32_t i);

/* ---- writing ------------------------------------------------------------------ */

struct backup_writer {
	int fd;                              /* -1: closed */
	char dir[BACKUP_PATH_MAX], name[BACKUP_NAME_MAX];
	struct backup_head head;
	const struct crypt_keys *keys;       /* pages are sealed with them; or NULL */
	struct backup_sum sum;               /* of the last record */
	struct buf numbers, pages;           /* of the P that is not written yet */
	struct buf record;
	int64_t bytes, sums_at;
	uint64_t transactions, copied;       /* copied: pages */
};

/* A file in dir that has another name until backup_writer_show.  ERR_IO. */
int  backup_writer_open(struct backup_writer *w, const char *dir,
    const struct backup_head *h, struct err *e);
int  backup_put_page(struct backup_writer *w, uint32_t number, const void *page,
    struct err *e);
int  backup_put_commit(struct backup_writer *w, msec time, uint32_t pages, struct err *e);
int  backup_put_sums(struct backup_writer *w, uint32_t first, const struct backup_sum *sums,
    uint32_t n, struct err *e);
int  backup_put_end(struct backup_writer *w, struct err *e);
int  backup_writer_sync(struct backup_writer *w, struct err *e);
/* On disk, then under its name. */
int  backup_writer_show(struct backup_writer *w, struct err *e);
/* What was not shown goes. */
void backup_writer_close(struct backup_writer *w);

/* ---- reading ------------------------------------------------------------------ */

struct backup_reader {
	int fd;
	char name[BACKUP_NAME_MAX];
	struct backup_head head;             /* its path is in `path` */
	char path[BACKUP_PATH_MAX];
	struct backup_sum sum;               /* of the last record that was read */
	struct buf text;
	size_t used;                         /* of text: the record that is out */
	int64_t at, size;                    /* of the file */
	bool ended, cut;                     /* E was read; the rest is not whole */
};

/* Reads the head.  ERR_IO, ERR_INVALID. */
int  backup_reader_open(struct backup_reader *r, const char *dir, const char *name,
    struct err *e);
/* Good until the next call.  ERR_NOTFOUND: there is none: r->ended, or a log that stops, of
 * which r->cut says whether it does so within a record.  ERR_INVALID, with the place. */
int  backup_read(struct backup_reader *r, struct backup_record *out, struct err *e);
void backup_reader_close(struct backup_reader *r);
/* The sums of a full backup or an increment, without what is before them: n of them, one a
 * page; and the digest of its last record.  free() *out. */
int  backup_sums_read(const char *dir, const char *name, struct backup_sum **out, uint32_t *n,
    struct backup_sum *end, struct err *e);

/* ---- folders (backup_dir.c) ------------------------------------------------------ */

struct backup_item {
	struct backup_head head;             /* without path */
	char name[BACKUP_NAME_MAX], path[BACKUP_PATH_MAX];
	int64_t bytes;
};
struct backup_set { struct backup_item *at; size_t n, cap; };

/* All files of a folder, in the order of their times.  ERR_INVALID: one of them is none. */
int  backup_set_read(struct backup_set *s, const char *dir, struct err *e);
void backup_set_release(struct backup_set *s);
const struct backup_item *backup_set_find(const struct backup_set *s, const struct uuid *id);
/* The newest full backup or increment whose time is not past `at` and whose parents are
 * there; NULL. */
const struct backup_item *backup_set_newest(const struct backup_set *s, msec at);
/* One process makes and removes backups there at a time: a descriptor, or < 0: ERR_BUSY,
 * ERR_IO. */
int  backup_dir_lock(const char *dir, struct err *e);
/* Removes chains of which nothing is needed for the time from `since` on. */
int  backup_dir_prune(const char *dir, msec since, size_t *removed, struct err *e);

/* ---- making (backup.c) ------------------------------------------------------------ */

struct pages;
/* Of what `p` shows, into the folder; kind of h: BACKUP_FULL, or an increment, which becomes
 * a full one where there is nothing to go on from. */
int  backup_of_pages(struct pages *p, const char *dir, bool full, const struct backup_watch *watch,
    struct backup_made *out, struct backup_item *item, struct backup_sum *sum, struct err *e);

#endif
