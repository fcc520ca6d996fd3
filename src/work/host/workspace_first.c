/*
 * workspace_first.c - the first database of a clone, made under another name.
 *
 * It is renamed to work.db when it has all of issues.jsonl: no process sees a part
 * of it, and a kill leaves the clone as it was.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "work/host/workspace_priv.h"

#define FOLDER "first.tmp."

static void
folder_remove(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *x;

	while (dir != NULL && (x = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), x->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

/* Removes the files of processes that were killed while they made one. */
static void
leftovers_remove(const struct workspace *h)
{
	DIR *dir = opendir(h->dir);
	struct dirent *x;

	while (dir != NULL && (x = readdir(dir)) != NULL) {
		char path[DB_PATH_MAX + 300], *end;
		long pid;

		if (strncmp(x->d_name, FOLDER, sizeof FOLDER - 1) != 0)
			continue;
		pid = strtol(x->d_name + sizeof FOLDER - 1, &end, 10);
		snprintf(path, sizeof path, "%s/%s", h->dir, x->d_name);
		if (pid > 0 && *end == '\0' && (pid == (long)getpid() ||
		    (kill((pid_t)pid, 0) != 0 && errno == ESRCH)))
			folder_remove(path);
	}
	if (dir != NULL)
		closedir(dir);
}

bool
workspace_is_first(const struct workspace *h)
{
	char path[DB_PATH_MAX + 16];
	struct stat st;
	struct err e;

	snprintf(path, sizeof path, "%s/issues.jsonl", h->dir);
	return access(h->db, F_OK) != 0 && stat(path, &st) == 0 && st.st_size > 0 &&
	    workspace_check_lost(h, false, &e) == OK;
}

int
workspace_first_begin(const struct workspace *h, struct workspace *first, msec now,
    struct err *e)
{
	char prefix[LIMIT_WORK_PREFIX_BYTES + 1];
	struct workdb d;
	int rc;

	if (h->read_only)
		return err_set(e, ERR_DENIED, "the items of %s/issues.jsonl are not in "
		    "a tracker yet, and the folder may not be written to make one",
		    h->dir);
	leftovers_remove(h);
	*first = (struct workspace){ .read_only = false };
	if (snprintf(first->dir, sizeof first->dir, "%s/" FOLDER "%ld", h->dir,
	    (long)getpid()) >= (int)sizeof first->dir - 16)
		return err_set(e, ERR_TOOBIG, "%s: the path is too long", h->dir);
	snprintf(first->db, sizeof first->db, "%.*s/work.db", DB_PATH_MAX - 16,
	    first->dir);
	if (mkdir(first->dir, 0700) != 0)
		return err_set(e, ERR_IO, "%s: %s", first->dir, strerror(errno));
	workspace_prefix(h, prefix);
	rc = workdb_make(&d, first, str_of(prefix), now, e);
	workdb_close(&d);
	return rc;
}

/* First its log is moved into it. */
int
workspace_first_end(const struct workspace *h, const struct workspace *first, bool keep,
    struct err *e)
{
	struct workdb d;
	int rc = keep ? workdb_open(&d, first, e) : OK;

	if (keep && rc == OK)
		rc = workdb_settle(&d, e);
	if (keep)
		workdb_close(&d);
	/* Another process may have made the same database meanwhile. */
	if (keep && rc == OK && link(first->db, h->db) != 0 && errno != EEXIST)
		rc = err_set(e, ERR_IO, "%s: %s", h->db, strerror(errno));
	if (keep && rc == OK)
		rc = workspace_ignore(h, e);
	folder_remove(first->dir);
	return rc;
}
