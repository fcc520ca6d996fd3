/*
 * backup_dir.c - a folder of backups: what is in it, who works there, what may go.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/backup_priv.h"

#define PART_OLD_MS 60000

/* ---- what is in it --------------------------------------------------------------- */

static int
item_read(struct backup_item *x, const char *dir, const char *name, struct err *e)
{
	struct backup_reader r;
	struct err why;
	int rc;

	if (strlen(name) >= sizeof x->name)
		return err_set(e, ERR_INVALID, "%s/%s: no name of a backup", dir, name);
	rc = backup_reader_open(&r, dir, name, e);
	x->head = r.head;
	x->bytes = r.size;
	memcpy(x->name, r.name, sizeof x->name);
	memcpy(x->path, r.path, sizeof x->path);
	backup_reader_close(&r);
	why = *e;
	return rc != ERR_INVALID ? rc : err_set(e, rc, "%s; move it out of %s to go on without it",
	    why.text, dir);
}

/* By time; parents before their children, for these have higher numbers. */
static int
by_time(const void *a, const void *b)
{
	const struct backup_head *x = &((const struct backup_item *)a)->head;
	const struct backup_head *y = &((const struct backup_item *)b)->head;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

int
backup_set_read(struct backup_set *s, const char *dir, struct err *e)
{
	const struct dirent *entry;
	DIR *d = opendir(dir);
	int rc = OK;

	*s = (struct backup_set){ 0 };
	if (d == NULL)
		return err_set(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", dir,
		    strerror(errno));
	while (rc == OK && (entry = readdir(d)) != NULL) {
		if (!str_ends(str_of(entry->d_name), S(BACKUP_ENDING)))
			continue;
		if (s->n >= LIMIT_BACKUP_FILES) {
			rc = err_set(e, ERR_LIMIT, "%s has over %d backups", dir,
			    LIMIT_BACKUP_FILES);
			break;
		}
		mem_grow(s->at, s->n, s->cap);
		rc = item_read(&s->at[s->n++], dir, entry->d_name, e);
	}
	closedir(d);
	if (s->n > 0)
		qsort(s->at, s->n, sizeof *s->at, by_time);
	return rc;
}

void
backup_set_release(struct backup_set *s)
{
	free(s->at);
	*s = (struct backup_set){ 0 };
}

const struct backup_item *
backup_set_find(const struct backup_set *s, const struct uuid *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (uuid_eq(&s->at[i].head.id, id))
			return &s->at[i];
	return NULL;
}

static bool
has_parents(const struct backup_set *s, const struct backup_item *x)
{
	for (size_t steps = 0; x != NULL && steps <= s->n; steps++) {
		if (x->head.kind == BACKUP_FULL)
			return true;
		x = backup_set_find(s, &x->head.parent);
	}
	return false;
}

const struct backup_item *
backup_set_newest(const struct backup_set *s, msec at)
{
	for (size_t i = s->n; i > 0; i--) {
		const struct backup_item *x = &s->at[i - 1];

		if (x->head.kind != BACKUP_LOG && x->head.time <= at && has_parents(s, x))
			return x;
	}
	return NULL;
}

/* ---- who works there ---------------------------------------------------------------- */

int
backup_dir_lock(const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", dir,
		    strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return fd;                   /* some network file systems have no locks */
	close(fd);
	return err_set(e, ERR_BUSY, "%s: another backup is being made there; try again when it "
	    "is done", dir);
}

/* ---- what may go ----------------------------------------------------------------------- */

/* Those who make a backup hold the lock; a log is begun without it, in less than a second. */
static bool
is_left(int dir, const char *name)
{
	struct stat st;

	if (!str_ends(str_of(name), S(BACKUP_ENDING ".part")))
		return false;
	return !str_contains(str_of(name), S("-log-")) || (fstatat(dir, name, &st, 0) == 0 &&
	    clock_wall_ms() - (msec)st.st_mtime * 1000 > PART_OLD_MS);
}

/* What a process that was killed left. */
static void
parts_sweep(const char *dir)
{
	const struct dirent *entry;
	DIR *d = opendir(dir);

	while (d != NULL && (entry = readdir(d)) != NULL)
		if (is_left(dirfd(d), entry->d_name))
			unlinkat(dirfd(d), entry->d_name, 0);
	if (d != NULL)
		closedir(d);
}

/* The chain of the newest full backup that is not younger than `since` stays, and what came
 * after it.  Children go before their parents, so that what a kill leaves can be restored. */
int
backup_dir_prune(const char *dir, msec since, size_t *removed, struct err *e)
{
	char path[BACKUP_PATH_MAX + BACKUP_NAME_MAX + 8];
	const struct backup_item *oldest = NULL;
	struct backup_set s;
	int rc = backup_set_read(&s, dir, e);

	*removed = 0;
	for (size_t i = 0; i < s.n; i++)
		if (s.at[i].head.kind == BACKUP_FULL && s.at[i].head.time <= since)
			oldest = &s.at[i];
	for (size_t i = s.n; rc == OK && oldest != NULL && i > 0; i--) {
		const struct backup_item *x = &s.at[i - 1];
		const struct backup_item *full = backup_set_find(&s, &x->head.chain);

		if (x->head.time >= oldest->head.time || (full != NULL &&
		    full->head.time >= oldest->head.time))
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, x->name);
		if (unlink(path) != 0)
			rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
		*removed += rc == OK;
	}
	backup_set_release(&s);
	if (rc == OK)
		parts_sweep(dir);
	return rc;
}
