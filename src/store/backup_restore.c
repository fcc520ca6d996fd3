/*
 * backup_restore.c - a database made again of its backups; and whether they are good for
 * that.
 *
 * The state at a time is that of the newest full backup or increment until then, with its
 * parents, and of the logs that follow it the commits until then.  All is written to a file
 * beside the one that is to be, which gets its name when everything is on disk.  The file
 * that was there, and its log, keep a name of their own: at each moment each database file
 * has its own log or none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/backup_priv.h"
#include "store/driver_priv.h"
#include "store/sqlite_priv.h"

#define PATH_SIZE (BACKUP_PATH_MAX + 64)

struct restoring {
	const char *dir;
	struct backup_set set;
	const struct backup_item **files;    /* in the order in which they are written */
	size_t n;
	msec at;
	int fd;                              /* of the new file */
	char part[PATH_SIZE];
	struct backup_restored *out;
};

/* ---- which files ------------------------------------------------------------------- */

static int
missing(const struct restoring *r, const struct backup_item *child, struct err *e)
{
	char id[UUID_TEXT];

	uuid_format(&child->head.parent, id);
	return err_set(e, ERR_INVALID, "%s/%s goes on from the backup %.*s, which is not there",
	    r->dir, child->name, UUID_TEXT, id);
}

/* That with its parents, the oldest first. */
static int
choose_chain(struct restoring *r, const struct backup_item *x, struct err *e)
{
	size_t n = x->head.number + (size_t)1;

	if (n > r->set.n)
		return missing(r, x, e);
	r->n = n;
	while (n-- > 0) {
		r->files[n] = x;
		if (x->head.kind == BACKUP_FULL)
			return n == 0 ? OK : err_set(e, ERR_INVALID, "%s/%s is out of order", r->dir,
			    x->name);
		if (backup_set_find(&r->set, &x->head.parent) == NULL)
			return missing(r, x, e);
		x = backup_set_find(&r->set, &x->head.parent);
	}
	return err_set(e, ERR_INVALID, "%s/%s is out of order", r->dir, x->name);
}

/* The log that goes on from x; of several the first. */
static const struct backup_item *
log_after(const struct restoring *r, const struct backup_item *x)
{
	for (size_t i = 0; i < r->set.n; i++)
		if (r->set.at[i].head.kind == BACKUP_LOG &&
		    uuid_eq(&r->set.at[i].head.parent, &x->head.id))
			return &r->set.at[i];
	return NULL;
}

/* A log whose own parent, another log, is gone is a gap that nobody would notice. */
static int
check_gap(const struct restoring *r, const struct backup_item *base, struct err *e)
{
	for (size_t i = 0; i < r->set.n; i++) {
		const struct backup_item *x = &r->set.at[i];

		if (x->head.kind == BACKUP_LOG && uuid_eq(&x->head.chain, &base->head.chain) &&
		    x->head.time >= base->head.time && x->head.time <= r->at &&
		    backup_set_find(&r->set, &x->head.parent) == NULL)
			return missing(r, x, e);
	}
	return OK;
}

/* The time of the last commit in a log that is not past the one that is wanted; 0: none. */
static int
log_reaches(const struct restoring *r, const struct backup_item *x, msec *out, struct err *e)
{
	struct backup_record record;
	struct backup_reader in;
	int rc = backup_reader_open(&in, r->dir, x->name, e);

	*out = 0;
	while (rc == OK && (rc = backup_read(&in, &record, e)) == OK)
		if (record.kind == RECORD_COMMIT && record.value <= r->at)
			*out = record.value;
	backup_reader_close(&in);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* A backup may be made by hand while a server ships the log behind an older one, which
 * then knows more than the younger backup: *x becomes that one. */
static int
prefer_log(const struct restoring *r, const struct backup_item **x, struct err *e)
{
	const struct backup_item *log = NULL;
	msec until;
	int rc;

	for (size_t i = r->set.n; i > 0 && log == NULL; i--)
		if (r->set.at[i - 1].head.kind == BACKUP_LOG && r->set.at[i - 1].head.time <= r->at)
			log = &r->set.at[i - 1];
	if (log == NULL)
		return OK;
	rc = log_reaches(r, log, &until, e);
	if (rc != OK || until <= (*x)->head.time)
		return rc;
	for (size_t steps = 0; log->head.kind == BACKUP_LOG; steps++) {
		const struct backup_item *parent = backup_set_find(&r->set, &log->head.parent);

		if (parent == NULL || steps > r->set.n)
			return missing(r, log, e);
		log = parent;
	}
	*x = log;
	return OK;
}

static int
choose_from(struct restoring *r, const struct backup_item *x, struct err *e)
{
	int rc = prefer_log(r, &x, e);

	if (rc == OK)
		rc = choose_chain(r, x, e);
	if (rc == OK)
		rc = check_gap(r, x, e);
	for (x = log_after(r, x); rc == OK && x != NULL && r->n <= r->set.n &&
	    x->head.time <= r->at; x = log_after(r, x))
		r->files[r->n++] = x;
	return rc;
}

static int
choose(struct restoring *r, struct err *e)
{
	char iso[CLOCK_ISO_SIZE];
	int rc = backup_set_read(&r->set, r->dir, e);

	if (rc != OK)
		return rc;
	if (r->set.n == 0)
		return err_set(e, ERR_NOTFOUND, "%s has no backups", r->dir);
	r->files = mem_zero((r->set.n + 1) * sizeof *r->files);
	for (size_t i = r->set.n; i > 0; i--) {      /* not _newest: a gap is to be told */
		const struct backup_item *x = &r->set.at[i - 1];

		if (x->head.kind != BACKUP_LOG && x->head.time <= r->at)
			return choose_from(r, x, e);
	}
	clock_write_iso(iso, r->set.at[0].head.time);
	return err_set(e, ERR_NOTFOUND, "%s: the oldest backup is of %.*s; nothing is there of "
	    "before", r->dir, CLOCK_ISO_SIZE, iso);
}

/* ---- writing them -------------------------------------------------------------------- */

static int
pages_put(struct restoring *r, const struct backup_record *x, uint32_t size, struct err *e)
{
	for (uint32_t i = 0; i < x->n; i++) {
		uint32_t number = backup_page_number(x, i);

		if (number == 0)
			return err_set(e, ERR_INVALID, "%s: a page without a number", r->part);
		if (pwrite(r->fd, backup_page(x, size, i), size, (int64_t)(number - 1) * size) !=
		    (ssize_t)size)
			return err_set(e, ERR_IO, "%s: %s", r->part, strerror(errno));
	}
	return OK;
}

/* Is it a child of what was read last? */
static int
check_child(const struct backup_reader *x, const struct backup_sum *before, struct err *e)
{
	if (x->head.kind != BACKUP_FULL &&
	    memcmp(before, &x->head.parent_sum, sizeof *before) != 0)
		return err_set(e, ERR_INVALID, "%s goes on from other bytes than its parent has: "
		    "one of the two was changed", x->name);
	return OK;
}

/* The bytes of the transactions until the time; *sum: the digest of all that is there. */
static int
file_measure(struct restoring *r, const struct backup_item *item, int64_t *until,
    struct backup_sum *sum, bool *more, struct err *e)
{
	struct backup_record x;
	struct backup_reader in;
	bool past = false;
	int rc = backup_reader_open(&in, r->dir, item->name, e);

	*until = 0;
	if (rc == OK)
		rc = check_child(&in, sum, e);
	while (rc == OK && (rc = backup_read(&in, &x, e)) == OK) {
		if (x.kind != RECORD_COMMIT || past)
			continue;
		past = in.head.kind == BACKUP_LOG && x.value > r->at;
		if (past)
			continue;
		*until = in.at - (int64_t)in.text.n + (int64_t)in.used;
		r->out->time = x.value;
		r->out->pages = x.pages;
		r->out->transactions++;
	}
	*sum = in.sum;
	*more = !past;
	r->out->cut |= in.cut;
	r->out->page_size = in.head.page_size;
	backup_reader_close(&in);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
file_write_to(struct restoring *r, const struct backup_item *item, int64_t until,
    struct err *e)
{
	struct backup_record x;
	struct backup_reader in;
	int rc = backup_reader_open(&in, r->dir, item->name, e);

	while (rc == OK && (rc = backup_read(&in, &x, e)) == OK) {
		if (in.at - (int64_t)in.text.n + (int64_t)in.used > until)
			break;
		if (x.kind == RECORD_PAGES)
			rc = pages_put(r, &x, in.head.page_size, e);
	}
	backup_reader_close(&in);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
files_write(struct restoring *r, struct err *e)
{
	struct backup_sum sum = { { 0 } };
	bool more = true;
	int rc = OK;

	for (size_t i = 0; rc == OK && more && i < r->n; i++) {
		int64_t until = 0;

		rc = file_measure(r, r->files[i], &until, &sum, &more, e);
		if (rc == OK)
			rc = file_write_to(r, r->files[i], until, e);
	}
	if (rc == OK && (ftruncate(r->fd, (int64_t)r->out->pages * r->out->page_size) != 0 ||
	    fsync(r->fd) != 0))
		rc = err_set(e, ERR_IO, "%s: %s", r->part, strerror(errno));
	return rc;
}

/* ---- in its place --------------------------------------------------------------------- */

/* *fd: holds it against a server that would start; -1: there is none. */
static int
old_claim(const char *path, bool force, int *fd, struct err *e)
{
	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return errno == ENOENT ? OK : err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	if (!force)
		return err_set(e, ERR_CONFLICT, "%s is there already: --force puts it aside",
		    path);
	if (flock(*fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return err_set(e, ERR_BUSY, "%s is in use by a server: stop it first", path);
	return OK;
}

/* Its log first: alone in its old place it would be taken for the new file's. */
static int
old_aside(const char *path, struct err *e)
{
	static const char *const ends[] = { "-wal", "" };
	char from[PATH_SIZE], to[PATH_SIZE];

	snprintf(to, sizeof to, "%s.replaced-wal", path);
	unlink(to);
	snprintf(from, sizeof from, "%s-shm", path);
	unlink(from);
	for (size_t i = 0; i < COUNT(ends); i++) {
		snprintf(from, sizeof from, "%s%s", path, ends[i]);
		snprintf(to, sizeof to, "%s.replaced%s", path, ends[i]);
		if (rename(from, to) != 0 && errno != ENOENT)
			return err_set(e, ERR_IO, "%s: %s", from, strerror(errno));
	}
	return OK;
}

static int
put_in_place(struct restoring *r, const char *path, bool force, struct err *e)
{
	int fd, rc = old_claim(path, force, &fd, e);

	/* Also the log that a file left which is gone. */
	if (rc == OK)
		rc = old_aside(path, e);
	if (rc == OK && rename(r->part, path) != 0)
		rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	r->out->kept = fd >= 0;
	if (fd >= 0)
		close(fd);
	return rc == OK ? file_sync_folder_of(path, e) : rc;
}

static int
restore(struct restoring *r, const char *path, bool force, struct err *e)
{
	int fd, rc = old_claim(path, force, &fd, e);

	if (fd >= 0)
		close(fd);
	if (rc == OK)
		rc = choose(r, e);
	if (rc != OK)
		return rc;
	snprintf(r->part, sizeof r->part, "%s.restoring", path);
	r->fd = open(r->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (r->fd < 0)
		return err_set(e, ERR_IO, "%s: %s", r->part, strerror(errno));
	rc = files_write(r, e);
	close(r->fd);
	if (rc == OK)
		rc = put_in_place(r, path, force, e);
	if (rc != OK)
		unlink(r->part);
	return rc;
}

int
backup_restore(const char *dir, const char *db, msec at, bool force,
    struct backup_restored *out, struct err *e)
{
	struct restoring r = { .dir = dir, .at = at, .fd = -1, .out = out };
	int rc;

	*out = (struct backup_restored){ 0 };
	if (pg_is_url(db))
		return err_set(e, ERR_INVALID, "a PostgreSQL is restored with its own tools");
	if (strlen(db) >= BACKUP_PATH_MAX)
		return err_set(e, ERR_INVALID, "%s: the path is too long", db);
	rc = restore(&r, db, force, e);
	free(r.files);
	backup_set_release(&r.set);
	return rc;
}

/* ---- what is there ---------------------------------------------------------------------- */

struct listing {
	const char *dir;
	struct backup_set set;
	struct backup_sum *ends;             /* by item: the digest of its last record */
	bool *known;
	size_t wrong;
};

static void
child_check(struct listing *l, const struct backup_item *x, struct err *why)
{
	const struct backup_item *parent = backup_set_find(&l->set, &x->head.parent);
	size_t at = parent == NULL ? 0 : (size_t)(parent - l->set.at);

	if (x->head.kind == BACKUP_FULL)
		return;
	if (parent == NULL)
		err_set(why, ERR_INVALID, "the backup it goes on from is not there");
	else if (l->known[at] && memcmp(&l->ends[at], &x->head.parent_sum,
	    sizeof l->ends[at]) != 0)
		err_set(why, ERR_INVALID, "it goes on from other bytes than %s has", parent->name);
}

static void
item_look(struct listing *l, size_t i, void (*each)(void *ctx, const struct backup_listed *b),
    void *ctx)
{
	const struct backup_item *x = &l->set.at[i];
	struct backup_listed b = { .name = x->name, .path = x->path, .kind = x->head.kind,
	    .time = x->head.time, .until = x->head.time, .bytes = x->bytes,
	    .chain = x->head.chain };
	struct backup_record record;
	struct backup_reader in;
	struct err why = { 0 };
	int rc = backup_reader_open(&in, l->dir, x->name, &why);

	while (rc == OK && (rc = backup_read(&in, &record, &why)) == OK)
		if (record.kind == RECORD_COMMIT) {
			b.until = record.value;
			b.transactions++;
		}
	l->ends[i] = in.sum;
	l->known[i] = rc == ERR_NOTFOUND;
	b.open = !in.ended;
	backup_reader_close(&in);
	if (rc == ERR_NOTFOUND)
		child_check(l, x, &why);
	b.wrong = why.text[0] == '\0' ? NULL : why.text;
	l->wrong += b.wrong != NULL;
	if (each != NULL)
		each(ctx, &b);
}

static int
look(struct listing *l, void (*each)(void *ctx, const struct backup_listed *b), void *ctx,
    struct err *e)
{
	int rc = backup_set_read(&l->set, l->dir, e);

	l->ends = mem_zero((l->set.n + 1) * sizeof *l->ends);
	l->known = mem_zero((l->set.n + 1) * sizeof *l->known);
	for (size_t i = 0; rc == OK && i < l->set.n; i++)
		item_look(l, i, each, ctx);
	if (rc == OK && l->set.n == 0)
		rc = err_set(e, ERR_NOTFOUND, "%s has no backups", l->dir);
	return rc;
}

static void
listing_release(struct listing *l)
{
	free(l->ends);
	free(l->known);
	backup_set_release(&l->set);
}

int
backup_list(const char *dir, void (*each)(void *ctx, const struct backup_listed *b),
    void *ctx, struct err *e)
{
	struct listing l = { .dir = dir };
	int rc = look(&l, each, ctx, e);

	listing_release(&l);
	return rc;
}

/* ---- are they good ------------------------------------------------------------------------ */

static int
integrity(const char *path, const char *layer, struct err *e)
{
	static const struct db_sql none = { .n = 0 };
	sqlite3_stmt *s = NULL;
	struct db db;
	const char *words = "no answer";
	int rc = crypt_check(path, layer, e);

	if (rc == OK)
		rc = db_open(&db, path, layer, &none, DB_WRITE, e);
	if (rc != OK)
		return rc;
	sqlite3_prepare_v2(sqlite_of(&db), "PRAGMA integrity_check(1)", -1, &s, NULL);
	if (sqlite3_step(s) == SQLITE_ROW)
		words = (const char *)sqlite3_column_text(s, 0);
	else
		words = sqlite3_errmsg(sqlite_of(&db));
	if (words == NULL || strcmp(words, "ok") != 0)
		rc = err_set(e, ERR_INVALID, "the restored database is damaged: %s", words);
	sqlite3_finalize(s);
	db_close(&db);
	return rc;
}

static void
scratch_remove(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
	char name[PATH_SIZE];

	for (size_t i = 0; i < COUNT(ends); i++) {
		snprintf(name, sizeof name, "%s%s", path, ends[i]);
		unlink(name);
	}
}

int
backup_verify(const char *dir, const char *scratch, const char *layer,
    void (*each)(void *ctx, const struct backup_listed *b), void *ctx, struct err *e)
{
	struct backup_restored made;
	struct listing l = { .dir = dir };
	int rc = look(&l, each, ctx, e);

	if (rc == OK && l.wrong > 0)
		rc = err_set(e, ERR_INVALID, "%zu of %zu files of %s are not good", l.wrong, l.set.n,
		    dir);
	listing_release(&l);
	if (rc == OK)
		rc = backup_restore(dir, scratch, NEVER, false, &made, e);
	if (rc == OK) {
		rc = integrity(scratch, layer, e);
		scratch_remove(scratch);
	}
	return rc;
}
