/*
 * versions.c - see versions.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/versions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "workcli/git.h"
#include "workcli/replace.h"

#define DIGITS 6                             /* of a version's number */

/* ---- names ------------------------------------------------------------------------------ */

static char *
path_of(const char *format, const char *a, const char *b)
{
	size_t n = strlen(format) + strlen(a) + strlen(b);
	char *path = mem_zero(n + 1);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(path, n + 1, format, a, b);
#pragma GCC diagnostic pop
	return path;
}

const char *
version_commit(const char *name)
{
	return name + DIGITS + 1;
}

/* 0: it is no version's name. */
static uint64_t
number_of(const char *name)
{
	uint64_t n = 0;

	return strlen(name) > DIGITS + 1 && name[DIGITS] == '-' &&
	    str_to_u64((struct str){ name, DIGITS }, &n) ? n : 0;
}

/* The highest below that number; its name is the caller's to free.  0: none. */
static uint64_t
find_below(const struct versions *v, uint64_t below, char **name)
{
	DIR *dir = opendir(v->dir);
	const struct dirent *entry;
	uint64_t best = 0;

	*name = NULL;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		uint64_t n = number_of(entry->d_name);

		if (n <= best || n >= below)
			continue;
		best = n;
		free(*name);
		*name = mem_cstr(str_of(entry->d_name));
	}
	if (dir != NULL)
		closedir(dir);
	return best;
}

/* ---- opening ------------------------------------------------------------------------------ */

static int
lock_wait(struct versions *v, struct err *e)
{
	char *path = path_of("%s/%s", v->dir, "lock");
	nsec until = clock_mono() + LIMIT_AGENT_SYNC_WAIT_MS * NS_PER_MS;
	int rc = OK;

	v->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (v->lock < 0)
		rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	while (rc == OK && flock(v->lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
		else if (git_is_stopping())
			rc = err_set(e, ERR_CANCELLED, "stopped while it waited for another "
			    "sync");
		else if (clock_mono() >= until)
			rc = err_set(e, ERR_BUSY, "%s: another sync has had it for %d s", path,
			    LIMIT_AGENT_SYNC_WAIT_MS / 1000);
		else
			git_pause_ms(20);
	}
	free(path);
	return rc;
}

/* Reads where the link leads. */
static int
link_read(struct versions *v, struct err *e)
{
	const char *base = strrchr(v->dir, '/');
	char to[PATH_MAX];
	struct stat st;
	ssize_t n = readlink(v->link, to, sizeof to - 1);
	size_t in;

	base = base != NULL ? base + 1 : v->dir;
	in = strlen(base);
	if (n < 0 && errno == ENOENT)
		return OK;
	if (n < 0 && errno == EINVAL)
		return err_set(e, ERR_CONFLICT, "%s: it is there and was not made by `cohort "
		    "agent sync`, which replaces all of it; move it away first", v->link);
	if (n < 0)
		return err_set(e, ERR_IO, "%s: %s", v->link, strerror(errno));
	to[n] = '\0';
	if (strncmp(to, base, in) != 0 || to[in] != '/' || number_of(to + in + 1) == 0)
		return err_set(e, ERR_CONFLICT, "%s: a link to %.300s, which `cohort agent "
		    "sync` did not make; remove it first", v->link, to);
	if (stat(v->link, &st) != 0 && errno != ENOENT)
		return err_set(e, ERR_IO, "%s: %s", v->link, strerror(errno));
	v->now = mem_cstr(str_of(to + in + 1));
	return OK;
}

static int
name_all(struct versions *v, struct str folder, struct err *e)
{
	struct buf dir = BUF(PATH_MAX);
	size_t base;

	while (folder.n > 1 && folder.p[folder.n - 1] == '/')
		folder.n--;
	for (base = folder.n; base > 0 && folder.p[base - 1] != '/'; base--)
		continue;
	if (base == folder.n || folder.p[base] == '.')
		return err_set(e, ERR_INVALID, "'%.*s': expected the folder that the server has "
		    "as --agents, with a name that does not begin with '.'", FMT(folder));
	buf_add_fmt(&dir, "%.*s.%.*s.sync", (int)base, folder.p, (int)(folder.n - base),
	    folder.p + base);
	if (dir.failed)
		return err_set(e, ERR_TOOBIG, "the folder's path is too long");
	v->link = mem_cstr(folder);
	v->dir = mem_cstr(buf_str(&dir));
	v->next = path_of("%s/%s", v->dir, "next");
	v->cache = path_of("%s/%s", v->dir, "git");
	buf_release(&dir);
	return OK;
}

int
versions_open(struct versions *v, struct str folder, bool make, struct err *e)
{
	int rc;

	*v = (struct versions){ .lock = -1 };
	rc = name_all(v, folder, e);
	if (rc == OK)
		rc = link_read(v, e);        /* before anything is made */
	free(v->now);
	v->now = NULL;
	if (rc == OK && make && mkdir(v->dir, 0777) != 0 && errno != EEXIST)
		rc = err_set(e, ERR_IO, "%s: %s", v->dir, strerror(errno));
	if (rc == OK && !make && access(v->dir, F_OK) != 0)
		rc = err_set(e, ERR_NOTFOUND, "%s: no `cohort agent sync` has made it", v->link);
	if (rc == OK)
		rc = lock_wait(v, e);
	if (rc == OK)
		rc = link_read(v, e);
	if (rc == OK)
		folder_remove(v->next);
	return rc;
}

void
versions_close(struct versions *v)
{
	if (v->lock >= 0) {
		folder_remove(v->next);
		close(v->lock);
	}
	free(v->link);
	free(v->dir);
	free(v->next);
	free(v->cache);
	free(v->now);
}

/* ---- switching -------------------------------------------------------------------------- */

/* All that was written, as it is many files. */
static int
sync_all(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd >= 0 && syncfs(fd) == 0 ? OK :
	    err_set(e, ERR_IO, "%s: %s", path, strerror(errno));

	if (fd >= 0)
		close(fd);
	return rc;
}

/* The one step that others see. */
static int
link_put(struct versions *v, const char *name, struct err *e)
{
	const char *base = strrchr(v->dir, '/');
	char *to = path_of("%s/%s", base != NULL ? base + 1 : v->dir, name);
	char *made = path_of("%s/%s", v->dir, "link");
	int rc = OK;

	unlink(made);
	if (symlink(to, made) != 0)
		rc = err_set(e, ERR_IO, "%s: %s", made, strerror(errno));
	else if (rename(made, v->link) != 0)
		rc = err_set(e, ERR_IO, "%s: %s", v->link, strerror(errno));
	if (rc == OK) {
		free(v->now);
		v->now = mem_cstr(str_of(name));
		rc = file_sync_folder_of(v->link, e);
	}
	free(made);
	free(to);
	return rc;
}

/* Those above it were taken back, or were never in use. */
static void
prune(const struct versions *v)
{
	uint64_t now = number_of(v->now), at = UINT64_MAX, kept = 0;
	char *name;

	while ((at = find_below(v, at, &name)) != 0) {
		char *path = path_of("%s/%s", v->dir, name);

		if (at > now || ++kept > LIMIT_AGENT_SYNC_VERSIONS)
			folder_remove(path);
		free(path);
		free(name);
	}
	if (now % 100 == 0)                  /* git's objects of old commits */
		folder_remove(v->cache);
}

int
versions_switch(struct versions *v, const char *commit, struct err *e)
{
	char number[32], *last, *name, *path;
	uint64_t n = find_below(v, UINT64_MAX, &last) + 1;
	int rc = n < 1000000 ? sync_all(v->next, e) :
	    err_set(e, ERR_LIMIT, "%s: no number is left", v->dir);

	free(last);
	snprintf(number, sizeof number, "%0*llu", DIGITS, (unsigned long long)n);
	name = path_of("%s-%s", number, commit);
	path = path_of("%s/%s", v->dir, name);
	if (rc == OK && rename(v->next, path) != 0)
		rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	if (rc == OK)
		rc = file_sync_folder(v->dir, e);
	if (rc == OK)
		rc = link_put(v, name, e);
	if (rc == OK) {
		char *held = path_of("%s/%s", v->dir, "held");

		unlink(held);
		free(held);
		prune(v);
	}
	free(path);
	free(name);
	return rc;
}

/* ---- back ------------------------------------------------------------------------------- */

static int
held_put(const struct versions *v, struct err *e)
{
	char *held = path_of("%s/%s", v->dir, "held");
	struct package p;
	int rc = package_read(&p, AT_FDCWD, v->link, v->link, e);

	if (rc != OK) {                      /* changed by hand: there is nothing to hold */
		unlink(held);
		rc = OK;
	} else {
		rc = replace_file(held, (struct str){ p.hash, PACKAGE_HASH }, e);
		package_release(&p);
	}
	free(held);
	return rc;
}

int
versions_back(struct versions *v, struct err *e)
{
	char *name = NULL;
	int rc = OK;

	if (v->now == NULL || find_below(v, number_of(v->now), &name) == 0)
		rc = err_set(e, ERR_NOTFOUND, "%s: there is no version before %s", v->link,
		    v->now != NULL ? v->now : "it");
	if (rc == OK)
		rc = held_put(v, e);
	if (rc == OK)
		rc = link_put(v, name, e);
	free(name);
	return rc;
}

bool
versions_are_held(const struct versions *v, const char hash[PACKAGE_HASH])
{
	char *held = path_of("%s/%s", v->dir, "held");
	char text[PACKAGE_HASH + 2];
	struct str s = file_head(held, text, sizeof text);

	free(held);
	return str_eq(s, (struct str){ hash, PACKAGE_HASH });
}
