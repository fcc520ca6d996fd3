/*
 * sqlite_pages.c - see pages_priv.h.
 *
 * A transaction that reads pins the log: what it needs of it is neither moved past nor
 * written over.  Frames that were committed since are taken too, up to the log's end as it
 * is then: a page is what its last frame there says, and only pages without one are read
 * from the database file, which a checkpoint meanwhile changes only where there are frames.
 * If the log was moved as a whole before, the pin keeps it from being moved once more, but
 * it may begin anew at any time: its head is looked at again behind the last frame, and a
 * frame that has other salts when its page was read is gone, and its page is in the file.
 *
 * The log's format is that of SQLite's documentation, "WAL-Mode File Format".
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/pages_priv.h"
#include "store/sqlite_priv.h"

#define LOG_HEAD   32
#define FRAME_HEAD 24
#define MAGIC      0x377f0682u               /* | 1: checksums of big-endian words */
#define PAGE_MIN   512u
#define TRIES      100

/* ---- the log --------------------------------------------------------------------- */

static uint32_t
get_be(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t
get_le(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* n is a multiple of 8. */
static void
sum_add(uint32_t sum[2], const uint8_t *p, size_t n, bool big)
{
	for (; n > 0; n -= 8, p += 8) {
		sum[0] += (big ? get_be(p) : get_le(p)) + sum[1];
		sum[1] += (big ? get_be(p + 4) : get_le(p + 4)) + sum[0];
	}
}

void
log_reader_init(struct log_reader *r, uint32_t page_size)
{
	assert(page_size >= PAGE_MIN && page_size % 8 == 0);
	*r = (struct log_reader){ .page_size = page_size,
	    .frame = mem_alloc(FRAME_HEAD + page_size) };
}

void
log_reader_release(struct log_reader *r)
{
	free(r->frame);
	r->frame = NULL;
}

static int
head_read(struct log_reader *r, struct log_place *out)
{
	uint8_t head[LOG_HEAD];
	int64_t n = r->read(r->ctx, head, sizeof head, 0);
	uint32_t sum[2] = { 0, 0 }, size;

	*out = (struct log_place){ 0 };
	if (n < 0)
		return ERR_IO;
	if (n < LOG_HEAD || (get_be(head) & ~1u) != MAGIC)
		return ERR_NOTFOUND;
	size = get_be(head + 8);
	out->big = (get_be(head) & 1) != 0;
	sum_add(sum, head, FRAME_HEAD, out->big);
	if (size != r->page_size || sum[0] != get_be(head + 24) || sum[1] != get_be(head + 28))
		return ERR_NOTFOUND;
	memcpy(out->sum, sum, sizeof sum);
	out->salt[0] = get_be(head + 16);
	out->salt[1] = get_be(head + 20);
	out->known = true;
	return OK;
}

static bool
same_log(const struct log_place *a, const struct log_place *b)
{
	return a->known && b->known && memcmp(a->salt, b->salt, sizeof a->salt) == 0;
}

int
log_reader_begin(struct log_reader *r, const struct log_place *from)
{
	struct log_place head;
	int rc = head_read(r, &head);

	if (rc == OK)
		r->at = from != NULL && same_log(from, &head) ? *from : head;
	return rc;
}

int
log_reader_next(struct log_reader *r, uint32_t *number, uint32_t *commit)
{
	size_t size = FRAME_HEAD + r->page_size;
	int64_t n = r->read(r->ctx, r->frame, size,
	    LOG_HEAD + (int64_t)r->at.frames * (int64_t)size);
	uint32_t sum[2] = { r->at.sum[0], r->at.sum[1] };
	const uint8_t *f = r->frame;

	if (n < 0)
		return ERR_IO;
	if (n < (int64_t)size || get_be(f) == 0 || get_be(f + 8) != r->at.salt[0] ||
	    get_be(f + 12) != r->at.salt[1])
		return ERR_NOTFOUND;
	sum_add(sum, f, 8, r->at.big);
	sum_add(sum, f + FRAME_HEAD, r->page_size, r->at.big);
	if (sum[0] != get_be(f + 16) || sum[1] != get_be(f + 20))
		return ERR_NOTFOUND;
	memcpy(r->at.sum, sum, sizeof sum);
	r->at.frames++;
	*number = get_be(f);
	*commit = get_be(f + 4);
	return OK;
}

const void *
log_reader_page(const struct log_reader *r)
{
	return r->frame + FRAME_HEAD;
}

static sqlite3_file *
file_of(const struct db *db, int which)
{
	sqlite3_file *f = NULL;

	sqlite3_file_control(sqlite_of(db), "main", which, &f);
	return f == NULL || f->pMethods == NULL ? NULL : f;
}

int64_t
pages_log_read(void *db, void *to, size_t n, int64_t at)
{
	sqlite3_file *f = file_of(db, SQLITE_FCNTL_JOURNAL_POINTER);
	sqlite3_int64 size = 0;

	if (f == NULL)
		return 0;
	if (f->pMethods->xFileSize(f, &size) != SQLITE_OK)
		return -1;
	if (at + (int64_t)n > size)
		return at >= size ? 0 : size - at;
	return f->pMethods->xRead(f, to, (int)n, at) == SQLITE_OK ? (int64_t)n : -1;
}

/* ---- a moment --------------------------------------------------------------------- */

static void
frame_note(struct pages *p, uint32_t number, uint32_t frame)
{
	if (number > p->frames_n) {
		uint32_t n = number > 2 * p->frames_n ? number : 2 * p->frames_n;

		p->frame = mem_resize(p->frame, (size_t)n * sizeof *p->frame);
		memset(p->frame + p->frames_n, 0, (size_t)(n - p->frames_n) * sizeof *p->frame);
		p->frames_n = n;
	}
	p->frame[number - 1] = frame;
}

/* The frames of a commit count when its last one is there. */
struct group { uint32_t *number; size_t n, cap; };

static int
map_read(struct pages *p, struct log_reader *r)
{
	struct group g = { 0 };
	struct log_place head;
	uint32_t number, commit;
	int rc = log_reader_begin(r, NULL);

	if (p->frames_n > 0)
		memset(p->frame, 0, (size_t)p->frames_n * sizeof *p->frame);
	p->end = rc == OK ? r->at : (struct log_place){ 0 };
	while (rc == OK && (rc = log_reader_next(r, &number, &commit)) == OK) {
		mem_grow(g.number, g.n, g.cap);
		g.number[g.n++] = number;
		if (commit == 0)
			continue;
		for (size_t i = 0; i < g.n; i++)
			frame_note(p, g.number[i], r->at.frames - (uint32_t)(g.n - 1 - i));
		g.n = 0;
		p->n = commit;
		p->end = r->at;
	}
	free(g.number);
	if (rc != ERR_NOTFOUND)
		return rc;
	rc = head_read(r, &head);
	if (rc == ERR_NOTFOUND)
		return p->end.known ? ERR_AGAIN : OK;
	return rc != OK ? rc : same_log(&head, &p->end) ? OK : ERR_AGAIN;
}

static int
map_make(struct pages *p, struct err *e)
{
	struct log_reader r;
	uint32_t pages = p->n;
	int rc = ERR_AGAIN;

	log_reader_init(&r, p->page_size);
	r.read = pages_log_read;
	r.ctx = &p->db;
	for (int i = 0; rc == ERR_AGAIN && i < TRIES; i++) {
		p->n = pages;
		rc = map_read(p, &r);
	}
	log_reader_release(&r);
	return rc == OK ? OK : err_set(e, rc == ERR_AGAIN ? ERR_BUSY : rc, "%s: the log cannot "
	    "be read", db_path(&p->db));
}

static const struct db_sql no_sql = { .text = NULL, .n = 0 };

/* Where there is a table with it; sqlite_schema.c. */
static void
identity_read(struct pages *p)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(sqlite_of(&p->db), "SELECT id FROM identity", -1, &s, NULL) ==
	    SQLITE_OK && sqlite3_step(s) == SQLITE_ROW && sqlite3_column_bytes(s, 0) == 16)
		memcpy(p->id.b, sqlite3_column_blob(s, 0), 16);
	sqlite3_finalize(s);
}

int
pages_open(struct pages *p, const char *path, const char *layer, struct err *e)
{
	int64_t size = 0, n = 0;
	int rc;

	*p = (struct pages){ .layer = layer };
	if (access(path, F_OK) != 0)
		return err_set(e, ERR_NOTFOUND, "%s: there is no such file", path);
	rc = db_open(&p->db, path, layer, &no_sql, DB_READ, e);
	if (rc != OK)
		return rc;
	db_log_keep(&p->db, true);
	rc = db_begin(&p->db, DB_READ) == OK ? OK : db_failed(&p->db, e);
	if (rc == OK)                        /* this takes the lock */
		rc = db_read_i64(&p->db, "SELECT count(*) FROM sqlite_schema", &n, e);
	if (rc == OK)
		rc = db_read_i64(&p->db, "PRAGMA page_size", &size, e);
	if (rc == OK)
		rc = db_read_i64(&p->db, "PRAGMA page_count", &n, e);
	if (rc != OK)
		return rc;
	if (n == 0)
		return err_set(e, ERR_INVALID, "%s is empty: no database", path);
	p->page_size = (uint32_t)size;
	p->n = (uint32_t)n;
	identity_read(p);
	return map_make(p, e);
}

/* SQLite writes a frame's head before its page: if the head is old behind the page, so is
 * the page. */
static int
frame_read(struct pages *p, uint32_t frame, void *to, bool *gone)
{
	sqlite3_file *f = file_of(&p->db, SQLITE_FCNTL_JOURNAL_POINTER);
	int64_t at = LOG_HEAD + (int64_t)(frame - 1) * (FRAME_HEAD + p->page_size);
	uint8_t head[FRAME_HEAD];
	int rc = f == NULL ? SQLITE_IOERR :
	    f->pMethods->xRead(f, to, (int)p->page_size, at + FRAME_HEAD);

	if (rc == SQLITE_OK)
		rc = f->pMethods->xRead(f, head, FRAME_HEAD, at);
	*gone = rc == SQLITE_IOERR_SHORT_READ || (rc == SQLITE_OK &&
	    (get_be(head + 8) != p->end.salt[0] || get_be(head + 12) != p->end.salt[1]));
	return *gone ? SQLITE_OK : rc;
}

int
pages_read(struct pages *p, uint32_t number, void *to, struct err *e)
{
	uint32_t frame = number <= p->frames_n ? p->frame[number - 1] : 0;
	sqlite3_file *f = file_of(&p->db, SQLITE_FCNTL_FILE_POINTER);
	bool gone = frame == 0;
	int rc = gone ? SQLITE_OK : frame_read(p, frame, to, &gone);

	assert(number > 0 && number <= p->n);
	if (gone)
		rc = f == NULL ? SQLITE_IOERR : f->pMethods->xRead(f, to, (int)p->page_size,
		    (int64_t)(number - 1) * p->page_size);
	/* A page that was never written: free since it was made. */
	if (rc == SQLITE_IOERR_SHORT_READ && gone)
		rc = SQLITE_OK;
	return rc == SQLITE_OK ? OK : err_set(e, ERR_IO, "%s: page %u cannot be read: %s",
	    db_path(&p->db), number, sqlite3_errstr(rc));
}

void
pages_close(struct pages *p)
{
	if (p->db.on != NULL) {
		db_rollback(&p->db);
		db_close(&p->db);
	}
	free(p->frame);
	p->frame = NULL;
}
