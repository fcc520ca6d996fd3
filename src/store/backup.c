/*
 * backup.c - a full backup or an increment of a database, beside whoever writes to it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "store/backup_priv.h"
#include "store/driver_priv.h"
#include "store/pages_priv.h"

#define WATCH_PAGES 4096                     /* between two looks */

struct making {
	struct pages *pages;
	struct backup_writer w;
	struct backup_sum *old, *sums;       /* of the parent's pages; of these */
	uint32_t old_n;
	const struct backup_watch *watch;
};

/* Are they of the same database?  One without an identity goes by its path. */
static int
check_identity(const struct backup_item *x, const struct backup_head *h, const char *dir,
    struct err *e)
{
	bool same = uuid_is_zero(&h->db) || uuid_is_zero(&x->head.db) ?
	    str_eq(str_of(x->path), h->path) : uuid_eq(&x->head.db, &h->db);

	if (!same)
		return err_set(e, ERR_INVALID, "%s has backups of another database (%s, in %s): "
		    "give %.*s a folder of its own", dir, x->path, x->name, FMT(h->path));
	return OK;
}

/* What it goes on from; after an error, and where there is nothing, it is a full one. */
static int
choose_parent(struct making *m, const char *dir, struct backup_head *h, struct err *e)
{
	const struct backup_item *parent;
	struct backup_set s;
	struct err why;
	int rc = backup_set_read(&s, dir, e);

	for (size_t i = 0; rc == OK && i < s.n; i++)
		rc = check_identity(&s.at[i], h, dir, e);
	parent = rc == OK ? backup_set_newest(&s, NEVER) : NULL;
	if (parent != NULL && h->kind == BACKUP_INCREMENT &&
	    parent->head.page_size == h->page_size &&
	    backup_sums_read(dir, parent->name, &m->old, &m->old_n, &h->parent_sum, &why) == OK) {
		h->parent = parent->head.id;
		h->chain = parent->head.chain;
		h->number = parent->head.number + 1;
	} else {
		h->kind = BACKUP_FULL;
		h->chain = h->id;
	}
	/* Clocks go back; times of one folder do not. */
	if (parent != NULL && h->time <= parent->head.time)
		h->time = parent->head.time + 1;
	backup_set_release(&s);
	return rc;
}

static int
look(const struct making *m, uint32_t done, struct err *e)
{
	const struct backup_watch *w = m->watch;

	if (w == NULL || done % WATCH_PAGES != 0)
		return OK;
	if (w->progress != NULL)
		w->progress(w->ctx, done, m->pages->n);
	return w->stop != NULL && w->stop(w->ctx) ? err_set(e, ERR_CANCELLED, "the backup was "
	    "given up") : OK;
}

static int
copy(struct making *m, struct err *e)
{
	struct pages *p = m->pages;
	const struct crypt_keys *keys = crypt_keys_of(p->layer);
	char *page = mem_alloc(p->page_size);
	uint8_t full[SHA256_SIZE];
	int rc = OK;

	m->sums = mem_alloc((size_t)p->n * sizeof *m->sums);
	for (uint32_t i = 0; rc == OK && i < p->n; i++) {
		rc = pages_read(p, i + 1, page, e);
		if (rc != OK)
			break;
		if (keys != NULL)
			crypt_sum(keys, (struct str){ page, p->page_size }, full);
		else
			sha256((struct str){ page, p->page_size }, full);
		memcpy(m->sums[i].b, full, sizeof m->sums[i].b);
		if (i >= m->old_n || memcmp(&m->sums[i], &m->old[i], sizeof *m->sums) != 0)
			rc = backup_put_page(&m->w, i + 1, page, e);
		if (rc == OK)
			rc = look(m, i + 1, e);
	}
	free(page);
	return rc;
}

static int
make(struct making *m, const char *dir, const struct backup_head *h, struct err *e)
{
	struct pages *p = m->pages;
	int rc = backup_writer_open(&m->w, dir, h, e);

	m->w.keys = crypt_keys_of(p->layer);
	if (rc == OK)
		rc = copy(m, e);
	if (rc == OK)
		rc = backup_put_commit(&m->w, h->time, p->n, e);
	if (rc == OK)
		rc = backup_put_sums(&m->w, 1, m->sums, p->n, e);
	if (rc == OK)
		rc = backup_put_end(&m->w, e);
	return rc == OK ? backup_writer_show(&m->w, e) : rc;
}

int
backup_of_pages(struct pages *p, const char *dir, bool full, const struct backup_watch *watch,
    struct backup_made *out, struct backup_item *item, struct backup_sum *sum, struct err *e)
{
	struct making m = { .pages = p, .watch = watch, .w.fd = -1 };
	struct backup_head h = { .kind = full ? BACKUP_FULL : BACKUP_INCREMENT,
	    .page_size = p->page_size, .sealed = crypt_is_layer(p->layer), .db = p->id, .id = uuid_v4(),
	    .time = clock_wall_ms(), .path = str_of(db_path(&p->db)) };
	int fd = backup_dir_lock(dir, e), rc = fd < 0 ? fd : OK;
	size_t none;

	if (rc == OK)                        /* only what was left half done goes */
		rc = backup_dir_prune(dir, -1, &none, e);
	if (rc == OK)
		rc = choose_parent(&m, dir, &h, e);
	if (rc == OK)
		rc = make(&m, dir, &h, e);
	if (rc == OK) {
		*out = (struct backup_made){ .kind = h.kind, .time = h.time, .pages = p->n,
		    .copied = (uint32_t)m.w.copied, .page_size = p->page_size,
		    .bytes = m.w.bytes };
		memcpy(out->name, m.w.name, sizeof out->name);
		item->head = h;
		item->head.path = STR_NONE;
		memcpy(item->name, m.w.name, sizeof item->name);
		*sum = m.w.sum;
	}
	backup_writer_close(&m.w);
	free(m.old);
	free(m.sums);
	if (fd >= 0)
		close(fd);
	return rc;
}

int
backup_make(const char *db, const char *layer, const char *dir, bool full, const struct backup_watch *watch,
    struct backup_made *out, struct err *e)
{
	struct backup_item item;
	struct backup_sum sum;
	struct pages p;
	int rc;

	if (pg_is_url(db))
		return err_set(e, ERR_INVALID, "a PostgreSQL is backed up with its own tools: "
		    "pg_basebackup and WAL archiving; --db takes the tracker's file (work.path)");
	p = (struct pages){ .n = 0 };
	rc = crypt_check(db, layer, e);
	if (rc == OK)
		rc = pages_open(&p, db, layer, e);
	if (rc == OK)
		rc = backup_of_pages(&p, dir, full, watch, out, &item, &sum, e);
	pages_close(&p);
	return rc;
}
