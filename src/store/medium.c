/*
 * medium.c - where the database lies, and that nobody else has it.
 *
 * A descriptor of the database itself is held by flock(2) as long as the store
 * is open, so the lock goes with the file by whatever name it is reached: a
 * symbolic or a hard link finds it taken.  It is opened before SQLite opens the
 * file and closed after: closing any descriptor of a file drops the locks of
 * fcntl(2) that SQLite holds on it.  The kernel lets go when the process ends,
 * however it ends, so the lock is never stale.  FILE-lock holds the number of
 * the process, for the error's text.
 *
 * A file that is deleted or replaced under a running server lives on for this
 * process only: medium_look compares device and inode.
 *
 * The memory driver keeps its tables in a folder of its own on a file system
 * in memory.  The folder gets its lasting name only once it is locked; a
 * folder of that name that nobody locks was left by a killed process and is
 * removed by the next store that opens.
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

#include "base/file.h"
#include "base/log.h"
#include "store/crypt.h"
#include "store/store_priv.h"

#define FOLDER "cohort-memory-"

static int
lock_take(int *fd, const char *path, int flags)
{
	int rc;

	*fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);
	if (*fd < 0)
		return ERR_IO;
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return OK;
	rc = errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO;
	close(*fd);
	*fd = -1;
	return rc;
}

/* The number of the server that has the file, for the error's text. */
static void
lock_sign(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%d\n", (int)getpid());

	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
		log_warn("store", "lock_unsigned", "error=%s", strerror(errno));
}

static int
lock_holder(const char *path)
{
	char text[32];

	file_head(path, text, sizeof text);
	return (int)strtol(text, NULL, 10);
}

/* Conversations are nobody else's business; -wal and -shm take the mode of the
 * database. */
static int
file_claim(struct medium *m, const char *path, struct err *e)
{
	char real[DB_PATH_MAX];
	const char *slash = strrchr(path, '/');
	int rc = lock_take(&m->file_fd, path, O_CREAT);

	if (rc == ERR_IO && errno == ENOENT)
		return err_set(e, rc, "%s: there is no folder '%.*s'", path,
		    slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path),
		    slash == NULL ? "." : path);
	if (rc == ERR_IO)
		return err_set(e, rc, "%s: %s", path, strerror(errno));
	if (realpath(path, real) == NULL)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	snprintf(m->path, sizeof m->path, "%s", real);
	return rc;
}

static int
lock_busy(const struct medium *m, struct err *e)
{
	int pid = lock_holder(m->lock);

	if (pid <= 0)
		return err_set(e, ERR_BUSY, "%s is in use by another server",
		    m->path);
	return err_set(e, ERR_BUSY,
	    "%s is in use by another server (process %d)", m->path, pid);
}

static void
log_path(const struct medium *m, char *out, size_t cap)
{
	snprintf(out, cap, "%s-wal", m->path);
}

/* SQLite drops the log of an empty file, and it is all that is left of one that was removed.
 * No crash leaves one so: a file has its first page before it has a log. */
static int
check_log(const struct medium *m, const struct stat *file, struct err *e)
{
	char path[DB_PATH_MAX + 8];
	struct stat s;

	log_path(m, path, sizeof path);
	if (file->st_size > 0 || stat(path, &s) != 0 || s.st_size == 0)
		return OK;
	return err_set(e, ERR_INVALID, "%s was removed or is empty, and its log %s has %lld "
	    "bytes: put the file back beside it, or remove the log to begin anew", m->path,
	    path, (long long)s.st_size);
}

/* Lock the lock file too: older servers check only that. */
static int
file_open(struct medium *m, struct str path, struct err *e)
{
	char given[DB_PATH_MAX];
	struct stat s;
	int rc;

	if (path.n == 0 || path.n >= sizeof given)
		return err_set(e, ERR_INVALID, "store path: %s",
		    path.n == 0 ? "is empty" : "is too long");
	snprintf(given, sizeof given, "%.*s", FMT(path));
	rc = file_claim(m, given, e);
	if (rc != OK && rc != ERR_BUSY)
		return rc;
	snprintf(m->lock, sizeof m->lock, "%s-lock", m->path);
	if (rc == OK)
		rc = lock_take(&m->lock_fd, m->lock, O_CREAT);
	if (rc == ERR_BUSY)
		return lock_busy(m, e);
	if (rc != OK || fstat(m->file_fd, &s) != 0)
		return err_set(e, ERR_IO, "%s: %s", m->lock, strerror(errno));
	lock_sign(m->lock_fd);
	m->file = (struct identity){ s.st_dev, s.st_ino };
	if (s.st_nlink > 1)
		log_warn("store", "hard_links", "file=%s links=%d reason=the log "
		    "of a server that was killed lies beside the name it used",
		    m->path, (int)s.st_nlink);
	return check_log(m, &s, e);
}

/* ---- is it still there ---------------------------------------------------- */

static int
file_look(const char *path, const struct identity *was, const char *what,
    struct err *e)
{
	struct stat s;

	if (stat(path, &s) != 0)
		return err_set(e, ERR_BUSY, "%s was deleted or moved under the "
		    "running server; nothing is written any more", what);
	if (s.st_dev != was->dev || s.st_ino != was->ino)
		return err_set(e, ERR_BUSY, "%s was replaced under the running "
		    "server; nothing is written any more", what);
	return OK;
}

void
medium_remember(struct medium *m)
{
	char path[DB_PATH_MAX + 8];
	struct stat s;

	log_path(m, path, sizeof path);
	m->has_log = m->file_fd >= 0 && stat(path, &s) == 0;
	if (m->has_log)
		m->log = (struct identity){ s.st_dev, s.st_ino };
}

int
medium_look(const struct medium *m, struct err *e)
{
	char path[DB_PATH_MAX + 8];
	int rc;

	if (m->file_fd < 0)
		return OK;
	rc = file_look(m->path, &m->file, "the database file", e);
	if (rc != OK || !m->has_log)
		return rc;
	log_path(m, path, sizeof path);
	return file_look(path, &m->log, "the database's log (-wal)", e);
}

/* ---- memory ---------------------------------------------------------------- */

static void
folder_remove(const char *dir)
{
	static const char *const names[] = {
		"db", "db-wal", "db-shm", "db-journal", "db-lock"
	};
	char path[DB_PATH_MAX + 16];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

/* Removes what killed processes left in base. */
static void
folders_sweep(const char *base)
{
	DIR *d = opendir(base);
	const struct dirent *entry = d == NULL ? NULL : readdir(d);

	for (; entry != NULL; entry = readdir(d)) {
		char dir[DB_PATH_MAX], lock[DB_PATH_MAX + 16];
		int fd;

		if (!str_starts(str_of(entry->d_name), S(FOLDER)))
			continue;
		if (snprintf(dir, sizeof dir, "%s/%s", base, entry->d_name) >=
		    (int)sizeof dir)
			continue;
		snprintf(lock, sizeof lock, "%s/db-lock", dir);
		if (lock_take(&fd, lock, 0) != OK)
			continue;
		folder_remove(dir);
		close(fd);
	}
	if (d != NULL)
		closedir(d);
}

static const char *
folder_base(void)
{
	const char *tmp = getenv("TMPDIR");

	if (access("/dev/shm", W_OK | X_OK) == 0)
		return "/dev/shm";
	return tmp != NULL ? tmp : "/tmp";
}

static int
folder_open(struct medium *m, struct err *e)
{
	char fresh[DB_PATH_MAX], lock[DB_PATH_MAX + 16];
	const char *base = folder_base();
	int n = snprintf(fresh, sizeof fresh, "%s/cohort-new-XXXXXX", base);

	folders_sweep(base);
	if (n >= (int)sizeof fresh - 32 || mkdtemp(fresh) == NULL)
		return err_set(e, ERR_IO, "%s: %s", fresh, strerror(errno));
	snprintf(lock, sizeof lock, "%s/db-lock", fresh);
	snprintf(m->dir, sizeof m->dir, "%s/" FOLDER "%s", base,
	    fresh + n - 6);
	if (lock_take(&m->lock_fd, lock, O_CREAT) != OK ||
	    rename(fresh, m->dir) != 0) {
		err_set(e, ERR_IO, "%s: %s", m->dir, strerror(errno));
		folder_remove(fresh);
		m->dir[0] = '\0';
		return ERR_IO;
	}
	if (snprintf(m->path, sizeof m->path, "%s/db", m->dir) >=
	    (int)sizeof m->path)
		return err_set(e, ERR_IO, "%s: too long", m->dir);
	return OK;
}

/* A wrong key is told before anything of the file is touched. */
static int
sqlite_file_open(struct medium *m, const struct store_options *o, struct err *e)
{
	int rc = file_open(m, o->path, e);

	return rc == OK ? crypt_check_fd(m->file_fd, m->path, o->layer, e) : rc;
}

int
medium_open(struct medium *m, const struct store_options *o, struct err *e)
{
	*m = (struct medium){ .lock_fd = -1, .file_fd = -1 };
	if (str_eq(o->driver, S("sqlite")))
		return sqlite_file_open(m, o, e);
	if (str_eq(o->driver, S("memory")))
		return folder_open(m, e);
	if (!str_eq(o->driver, S("postgres")))
		return err_set(e, ERR_INVALID, "store driver: expected sqlite, memory or "
		    "postgres, got '%.*s'", FMT(o->driver));
	if (o->path.n >= sizeof m->path)
		return err_set(e, ERR_INVALID, "store: the URL has over %zu bytes",
		    sizeof m->path - 1);
	memcpy(m->path, o->path.p, o->path.n);       /* the rest is zero */
	return OK;
}

void
medium_close(struct medium *m)
{
	if (m->dir[0] != '\0')
		folder_remove(m->dir);
	if (m->lock_fd >= 0)
		close(m->lock_fd);
	if (m->file_fd >= 0)
		close(m->file_fd);
	m->lock_fd = m->file_fd = -1;
	m->dir[0] = '\0';
}
