/*
 * backup_file.c - records of a backup's file: parsing, writing, reading; see backup_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hmac.h"
#include "base/limits.h"
#include "base/mem.h"
#include "store/backup_priv.h"

#define HEAD_BYTES  104                      /* of the head's body, before the path */
#define MAGIC       "CohBkup1"
#define BATCH_BYTES ((size_t)(256 * KB))     /* of pages in a record, about */
#define READ_BYTES  ((size_t)(256 * KB))

const char *const backup_kinds[] = { "none", "full", "increment", "log" };

/* ---- numbers ------------------------------------------------------------------ */

static uint64_t
get_le(const char *p, int n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | (uint8_t)p[n];
	return v;
}

static void
add_le(struct buf *b, uint64_t v, int n)
{
	char at[8];

	for (int i = 0; i < n; i++)
		at[i] = (char)(v >> 8 * i);
	buf_add(b, (struct str){ at, (size_t)n });
}

static struct backup_sum
sum_of(struct str text)
{
	uint8_t full[SHA256_SIZE];
	struct backup_sum s;

	sha256(text, full);
	memcpy(s.b, full, sizeof s.b);
	return s;
}

/* ---- parsing ------------------------------------------------------------------- */

/* Is the body as long as its kind and n say? */
static bool
body_fits(const struct backup_record *r, uint32_t bytes, uint32_t page_size)
{
	switch (r->kind) {
	case RECORD_HEAD:
		return page_size == 0 && bytes >= HEAD_BYTES &&
		    bytes < HEAD_BYTES + BACKUP_PATH_MAX;
	case RECORD_PAGES:
		return page_size > 0 && r->n > 0 && r->n <= LIMIT_BACKUP_RECORD_BYTES / 512 &&
		    bytes == (uint64_t)r->n * (4 + page_size);
	case RECORD_SUMS:
		return page_size > 0 && r->n > 0 && r->value >= 1 && r->value <= UINT32_MAX &&
		    bytes == (uint64_t)r->n * BACKUP_SUM;
	case RECORD_COMMIT:
		return page_size > 0 && bytes == 0 && r->pages > 0 && r->value >= 0;
	case RECORD_END:
		return page_size > 0 && bytes == 0 && r->value >= 0;
	default:
		return false;
	}
}

int
backup_record_parse(struct str text, uint32_t page_size, struct backup_record *out,
    size_t *used, struct err *e)
{
	uint32_t bytes;
	struct backup_sum sum;

	*used = 0;
	if (text.n < BACKUP_RECORD)
		return err_set(e, ERR_AGAIN, "cut off within a record");
	*out = (struct backup_record){ .kind = (uint32_t)get_le(text.p, 4),
	    .n = (uint32_t)get_le(text.p + 4, 4), .value = (int64_t)get_le(text.p + 8, 8),
	    .pages = (uint32_t)get_le(text.p + 16, 4) };
	bytes = (uint32_t)get_le(text.p + 20, 4);
	memcpy(out->before.b, text.p + 24, BACKUP_SUM);
	if (bytes > LIMIT_BACKUP_RECORD_BYTES || !body_fits(out, bytes, page_size))
		return err_set(e, ERR_INVALID, "no record of a backup");
	if (text.n < BACKUP_RECORD + bytes + BACKUP_SUM)
		return err_set(e, ERR_AGAIN, "cut off within a record");
	out->body = (struct str){ text.p + BACKUP_RECORD, bytes };
	memcpy(out->sum.b, text.p + BACKUP_RECORD + bytes, BACKUP_SUM);
	sum = sum_of((struct str){ text.p, BACKUP_RECORD + bytes });
	if (memcmp(sum.b, out->sum.b, BACKUP_SUM) != 0)
		return err_set(e, ERR_INVALID, "the checksum is wrong");
	*used = BACKUP_RECORD + bytes + BACKUP_SUM;
	return OK;
}

int
backup_head_parse(const struct backup_record *r, struct backup_head *out, struct err *e)
{
	const char *p = r->body.p;

	if (r->kind != RECORD_HEAD || memcmp(p, MAGIC, 8) != 0)
		return err_set(e, ERR_INVALID, "no backup of this program's");
	*out = (struct backup_head){ .kind = (enum backup_kind)get_le(p + 8, 4),
	    .page_size = (uint32_t)get_le(p + 12, 4), .number = (uint32_t)get_le(p + 16, 4),
	    .sealed = get_le(p + 20, 4) != 0, .time = r->value, .path = { p + HEAD_BYTES, r->body.n - HEAD_BYTES } };
	memcpy(out->db.b, p + 24, 16);
	memcpy(out->id.b, p + 40, 16);
	memcpy(out->chain.b, p + 56, 16);
	memcpy(out->parent.b, p + 72, 16);
	memcpy(out->parent_sum.b, p + 88, 16);
	if (out->kind < BACKUP_FULL || out->kind > BACKUP_LOG || out->time < 0 ||
	    out->page_size < BACKUP_PAGE_MIN || out->page_size > BACKUP_PAGE_MAX ||
	    (out->page_size & (out->page_size - 1)) != 0 || memchr(out->path.p, 0, out->path.n))
		return err_set(e, ERR_INVALID, "the head makes no sense");
	if ((out->kind == BACKUP_FULL) != uuid_is_zero(&out->parent))
		return err_set(e, ERR_INVALID, "the head says both %s and that it has %s parent",
		    backup_kinds[out->kind], out->kind == BACKUP_FULL ? "a" : "no");
	return OK;
}

uint32_t
backup_page_number(const struct backup_record *r, uint32_t i)
{
	assert(r->kind == RECORD_PAGES && i < r->n);
	return (uint32_t)get_le(r->body.p + 4 * (size_t)i, 4);
}

const void *
backup_page(const struct backup_record *r, uint32_t page_size, uint32_t i)
{
	assert(r->kind == RECORD_PAGES && i < r->n);
	return r->body.p + 4 * (size_t)r->n + (size_t)i * page_size;
}

/* ---- writing --------------------------------------------------------------------- */

static int
failed(const struct backup_writer *w, struct err *e)
{
	int rc = errno == ENOSPC || errno == EDQUOT ? ERR_LIMIT : ERR_IO;

	return err_set(e, rc, "%s/%s: %s", w->dir, w->name, strerror(errno));
}

/* Appends the record that is in w->record, without its digest. */
static int
record_write(struct backup_writer *w, struct err *e)
{
	w->sum = sum_of(buf_str(&w->record));
	buf_add(&w->record, (struct str){ (const char *)w->sum.b, BACKUP_SUM });
	assert(!w->record.failed);
	if (file_write(w->fd, buf_str(&w->record)) != OK)
		return failed(w, e);
	w->bytes += (int64_t)w->record.n;
	return OK;
}

static void
record_begin(struct backup_writer *w, uint32_t kind, uint32_t n, int64_t value,
    uint32_t pages, size_t body)
{
	buf_clear(&w->record);
	add_le(&w->record, kind, 4);
	add_le(&w->record, n, 4);
	add_le(&w->record, (uint64_t)value, 8);
	add_le(&w->record, pages, 4);
	add_le(&w->record, body, 4);
	buf_add(&w->record, (struct str){ (const char *)w->sum.b, BACKUP_SUM });
}

static void
add_uuid(struct buf *b, const struct uuid *u)
{
	buf_add(b, (struct str){ (const char *)u->b, sizeof u->b });
}

static int
head_write(struct backup_writer *w, struct err *e)
{
	const struct backup_head *h = &w->head;
	struct buf *b = &w->record;

	record_begin(w, RECORD_HEAD, 0, h->time, 0, HEAD_BYTES + h->path.n);
	buf_lit(b, MAGIC);
	add_le(b, h->kind, 4);
	add_le(b, h->page_size, 4);
	add_le(b, h->number, 4);
	add_le(b, h->sealed, 4);
	add_uuid(b, &h->db);
	add_uuid(b, &h->id);
	add_uuid(b, &h->chain);
	add_uuid(b, &h->parent);
	buf_add(b, (struct str){ (const char *)h->parent_sum.b, BACKUP_SUM });
	buf_add(b, h->path);
	return record_write(w, e);
}

/* "20261202T100000123Z-full-1a2b3c4d.backup": in the order of their times. */
static void
name_make(char out[BACKUP_NAME_MAX], const struct backup_head *h)
{
	char iso[CLOCK_ISO_SIZE], when[CLOCK_ISO_SIZE + 1];
	int n = 0;

	clock_write_iso(iso, h->time);
	for (int i = 0; i < CLOCK_ISO_SIZE; i++)
		if (strchr("-:.", iso[i]) == NULL)
			when[n++] = iso[i];
	when[n] = '\0';
	snprintf(out, BACKUP_NAME_MAX, "%s-%s-%02x%02x%02x%02x" BACKUP_ENDING, when,
	    backup_kinds[h->kind], h->id.b[0], h->id.b[1], h->id.b[2], h->id.b[3]);
}

static void
part_path(const struct backup_writer *w, char out[BACKUP_PATH_MAX + BACKUP_NAME_MAX + 8])
{
	snprintf(out, BACKUP_PATH_MAX + BACKUP_NAME_MAX + 8, "%s/%s.part", w->dir, w->name);
}

int
backup_writer_open(struct backup_writer *w, const char *dir, const struct backup_head *h,
    struct err *e)
{
	char path[BACKUP_PATH_MAX + BACKUP_NAME_MAX + 8];

	*w = (struct backup_writer){ .fd = -1, .head = *h,
	    .numbers = BUF((size_t)LIMIT_BACKUP_RECORD_BYTES),
	    .pages = BUF((size_t)LIMIT_BACKUP_RECORD_BYTES),
	    .record = BUF((size_t)LIMIT_BACKUP_RECORD_BYTES + BACKUP_RECORD + BACKUP_SUM) };
	if (strlen(dir) >= sizeof w->dir)
		return err_set(e, ERR_INVALID, "%s: the path is too long", dir);
	memcpy(w->dir, dir, strlen(dir) + 1);
	name_make(w->name, h);
	part_path(w, path);
	w->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return w->fd < 0 ? failed(w, e) : head_write(w, e);
}

static int
pages_flush(struct backup_writer *w, struct err *e)
{
	uint32_t n = (uint32_t)(w->numbers.n / 4);

	if (n == 0)
		return OK;
	record_begin(w, RECORD_PAGES, n, 0, 0, w->numbers.n + w->pages.n);
	buf_add(&w->record, buf_str(&w->numbers));
	buf_add(&w->record, buf_str(&w->pages));
	buf_clear(&w->numbers);
	buf_clear(&w->pages);
	return record_write(w, e);
}

int
backup_put_page(struct backup_writer *w, uint32_t number, const void *page, struct err *e)
{
	uint8_t sealed[CRYPT_PAGE];

	assert(number > 0 && w->head.sealed == (w->keys != NULL));
	if (w->keys != NULL) {
		crypt_seal_page(w->keys, number, page, sealed);
		page = sealed;
	}
	add_le(&w->numbers, number, 4);
	buf_add(&w->pages, (struct str){ page, w->head.page_size });
	w->copied++;
	return w->pages.n >= BATCH_BYTES ? pages_flush(w, e) : OK;
}

int
backup_put_commit(struct backup_writer *w, msec time, uint32_t pages, struct err *e)
{
	int rc = pages_flush(w, e);

	if (rc != OK)
		return rc;
	w->transactions++;
	record_begin(w, RECORD_COMMIT, 0, time, pages, 0);
	return record_write(w, e);
}

int
backup_put_sums(struct backup_writer *w, uint32_t first, const struct backup_sum *sums,
    uint32_t n, struct err *e)
{
	const uint32_t most = (uint32_t)(BATCH_BYTES / BACKUP_SUM);
	int rc = OK;

	w->sums_at = w->bytes;
	for (uint32_t i = 0; rc == OK && i < n; i += most) {
		uint32_t some = n - i < most ? n - i : most;

		record_begin(w, RECORD_SUMS, some, first + (int64_t)i, 0,
		    (size_t)some * BACKUP_SUM);
		buf_add(&w->record, (struct str){ (const char *)&sums[i],
		    (size_t)some * BACKUP_SUM });
		rc = record_write(w, e);
	}
	return rc;
}

int
backup_put_end(struct backup_writer *w, struct err *e)
{
	record_begin(w, RECORD_END, 0, w->sums_at, 0, 0);
	return record_write(w, e);
}

int
backup_writer_sync(struct backup_writer *w, struct err *e)
{
	return fdatasync(w->fd) == 0 ? OK : failed(w, e);
}

int
backup_writer_show(struct backup_writer *w, struct err *e)
{
	char path[BACKUP_PATH_MAX + BACKUP_NAME_MAX + 8], to[sizeof path];
	int rc = backup_writer_sync(w, e);

	part_path(w, path);
	snprintf(to, sizeof to, "%s/%s", w->dir, w->name);
	if (rc == OK && rename(path, to) != 0)
		rc = failed(w, e);
	return rc == OK ? file_sync_folder(w->dir, e) : rc;
}

void
backup_writer_close(struct backup_writer *w)
{
	char path[BACKUP_PATH_MAX + BACKUP_NAME_MAX + 8];

	if (w->fd >= 0) {
		close(w->fd);
		part_path(w, path);
		unlink(path);                /* there is none once it is shown */
	}
	buf_release(&w->numbers);
	buf_release(&w->pages);
	buf_release(&w->record);
	w->fd = -1;
}

/* ---- reading ----------------------------------------------------------------------- */

static int
reader_wrong(const struct backup_reader *r, const struct err *why, struct err *e)
{
	return err_set(e, ERR_INVALID, "%s, at byte %lld: %s", r->name,
	    (long long)(r->at - (int64_t)r->text.n), why->text);
}

/* More of the file; ERR_NOTFOUND: that is all. */
static int
reader_fill(struct backup_reader *r, struct err *e)
{
	char *to = buf_room(&r->text, READ_BYTES);
	ssize_t n;

	assert(to != NULL);
	do
		n = pread(r->fd, to, READ_BYTES, r->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, ERR_IO, "%s: %s", r->name, strerror(errno));
	buf_added(&r->text, (size_t)n);
	r->at += n;
	return n == 0 ? ERR_NOTFOUND : OK;
}

int
backup_read(struct backup_reader *r, struct backup_record *out, struct err *e)
{
	struct err why;
	size_t used;
	int rc;

	buf_drop_front(&r->text, r->used);
	r->used = 0;
	if (r->ended)
		return ERR_NOTFOUND;
	do {
		rc = backup_record_parse(buf_str(&r->text), r->head.page_size, out, &used, &why);
		if (rc == ERR_AGAIN) {
			rc = reader_fill(r, e);
			if (rc == ERR_NOTFOUND) {
				r->cut = r->text.n > 0;
				if (r->head.kind == BACKUP_LOG)
					return rc;
				err_set(&why, ERR_INVALID, "the file ends there");
				return reader_wrong(r, &why, e);
			}
			rc = rc == OK ? ERR_AGAIN : rc;
		}
	} while (rc == ERR_AGAIN);
	if (rc == ERR_INVALID)
		return reader_wrong(r, &why, e);
	if (rc == OK && memcmp(out->before.b, r->sum.b, BACKUP_SUM) != 0) {
		err_set(&why, ERR_INVALID, "the record before it is missing");
		return reader_wrong(r, &why, e);
	}
	if (rc != OK)
		return rc;
	r->sum = out->sum;
	r->used = used;
	r->ended = out->kind == RECORD_END;
	return OK;
}

int
backup_reader_open(struct backup_reader *r, const char *dir, const char *name, struct err *e)
{
	char path[BACKUP_PATH_MAX + BACKUP_NAME_MAX + 8];
	struct backup_record head;
	struct err why;
	struct stat st;
	int rc;

	*r = (struct backup_reader){ .text = BUF((size_t)LIMIT_BACKUP_RECORD_BYTES +
	    2 * READ_BYTES) };
	snprintf(r->name, sizeof r->name, "%s", name);
	snprintf(path, sizeof path, "%s/%s", dir, name);
	r->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0 || fstat(r->fd, &st) != 0)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	r->size = st.st_size;
	rc = backup_read(r, &head, e);
	if (rc == OK && backup_head_parse(&head, &r->head, &why) != OK)
		rc = err_set(e, ERR_INVALID, "%s: %s", name, why.text);
	if (rc != OK)
		return rc;
	snprintf(r->path, sizeof r->path, "%.*s", FMT(r->head.path));
	r->head.path = str_of(r->path);
	return OK;
}

void
backup_reader_close(struct backup_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	buf_release(&r->text);
	r->fd = -1;
}

/* ---- sums ---------------------------------------------------------------------------- */

static int
sums_add(struct backup_sum **out, uint32_t *n, const struct backup_record *r)
{
	if (r->value != (int64_t)*n + 1 || *n > UINT32_MAX - r->n)
		return ERR_INVALID;
	*out = mem_resize(*out, ((size_t)*n + r->n) * sizeof **out);
	memcpy(*out + *n, r->body.p, r->body.n);
	*n += r->n;
	return OK;
}

/* Where the sums begin: the last record says so. */
static int
sums_seek(struct backup_reader *r, struct err *e)
{
	char text[BACKUP_RECORD + BACKUP_SUM];
	struct backup_record end;
	struct err why;
	size_t used;

	if (pread(r->fd, text, sizeof text, r->size - (int64_t)sizeof text) !=
	    (ssize_t)sizeof text || backup_record_parse((struct str){ text, sizeof text },
	    r->head.page_size, &end, &used, &why) != OK || end.kind != RECORD_END ||
	    end.value <= 0 || end.value >= r->size)
		return err_set(e, ERR_INVALID, "%s: it has no end", r->name);
	buf_clear(&r->text);
	r->used = 0;
	r->at = end.value;
	return OK;
}

int
backup_sums_read(const char *dir, const char *name, struct backup_sum **out, uint32_t *n,
    struct backup_sum *end, struct err *e)
{
	struct backup_reader r;
	struct backup_record x;
	bool first = true;
	int rc = backup_reader_open(&r, dir, name, e);

	*out = NULL;
	*n = 0;
	if (rc == OK)
		rc = sums_seek(&r, e);
	while (rc == OK) {
		if (first && r.text.n < BACKUP_RECORD)
			rc = reader_fill(&r, e);
		if (rc == OK && first)       /* the chain of digests begins here */
			memcpy(r.sum.b, r.text.p + 24, BACKUP_SUM);
		first = false;
		if (rc == OK)
			rc = backup_read(&r, &x, e);
		if (rc == OK && x.kind == RECORD_SUMS && sums_add(out, n, &x) != OK)
			rc = err_set(e, ERR_INVALID, "%s: the sums are in disorder", name);
	}
	*end = r.sum;
	backup_reader_close(&r);
	if (rc == ERR_NOTFOUND && r.ended)
		return OK;
	free(*out);
	*out = NULL;
	return rc == ERR_NOTFOUND ? err_set(e, ERR_INVALID, "%s: it has no end", name) : rc;
}
