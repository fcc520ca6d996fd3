/*
 * replace.c - see replace.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "workcli/replace.h"

#define MARK ".tmp."
#define YOUNG 60                             /* seconds to lock it in */

static int
failed(const char *path, struct err *e)
{
	return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
}

/* The folder of a path; free() it. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return mem_cstr(slash == NULL ? S(".") : slash == path ? S("/") :
	    (struct str){ path, (size_t)(slash - path) });
}

/* ---- what others left ------------------------------------------------------ */

static bool
is_over(int dir, const char *name, long pid)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	bool over;

	if (fd < 0)
		return false;
	over = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0 && pid != (long)getpid() &&
	    ((kill((pid_t)pid, 0) != 0 && errno == ESRCH) ||
	    time(NULL) - st.st_mtime > YOUNG);
	close(fd);
	return over;
}

void
replace_sweep(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;
	char *folder = folder_of(path);
	DIR *dir = opendir(folder);
	struct dirent *x;

	while (dir != NULL && (x = readdir(dir)) != NULL) {
		const char *mark = strstr(x->d_name, MARK);
		char *end;
		long pid;

		if (mark == NULL || strncmp(x->d_name, base, strlen(base)) != 0 ||
		    x->d_name + strlen(base) > mark)
			continue;
		pid = strtol(mark + sizeof MARK - 1, &end, 10);
		if (pid > 0 && *end == '\0' && is_over(dirfd(dir), x->d_name, pid))
			unlinkat(dirfd(dir), x->d_name, 0);
	}
	if (dir != NULL)
		closedir(dir);
	free(folder);
}

/* ---- one ------------------------------------------------------------------- */

int
replace_begin(struct replace *p, const char *path, struct err *e)
{
	struct buf temp = BUF(2 * 4096);
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
	struct stat st;

	*p = (struct replace){ .fd = -1 };
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, ERR_IO, "%s: it is no regular file, and would be replaced by one",
		    path);
	buf_add_fmt(&temp, "%s" MARK "%ld", path, (long)getpid());
	if (temp.failed) {
		buf_release(&temp);
		return err_set(e, ERR_TOOBIG, "the path is too long");
	}
	replace_sweep(path);
	p->path = mem_cstr(str_of(path));
	p->temp = mem_cstr(buf_str(&temp));
	buf_release(&temp);
	p->fd = open(p->temp, flags, 0644);
	/* Left by a killed process with our pid; never write to it, it may be a link. */
	if (p->fd < 0 && errno == EEXIST && unlink(p->temp) == 0)
		p->fd = open(p->temp, flags, 0644);
	if (p->fd < 0)
		return failed(path, e);
	flock(p->fd, LOCK_EX | LOCK_NB);
	return OK;
}

int
replace_add(struct replace *p, struct str text, struct err *e)
{
	assert(p->fd >= 0);                  /* begun, and not ended */
	p->bytes += text.n;
	return file_write(p->fd, text) == OK ? OK : failed(p->path, e);
}

int
replace_end(struct replace *p, struct err *e)
{
	int fd = p->fd;

	assert(fd >= 0);
	if (fsync(fd) != 0 || rename(p->temp, p->path) != 0)
		return failed(p->path, e);
	p->fd = -1;
	return close(fd) != 0 ? failed(p->path, e) : file_sync_folder_of(p->path, e);
}

void
replace_release(struct replace *p)
{
	if (p->fd >= 0) {
		unlink(p->temp);
		close(p->fd);
	}
	free(p->path);
	free(p->temp);
	*p = (struct replace){ .fd = -1 };
}

int
replace_file(const char *path, struct str text, struct err *e)
{
	struct replace p;
	int rc = replace_begin(&p, path, e);

	if (rc == OK)
		rc = replace_add(&p, text, e);
	if (rc == OK)
		rc = replace_end(&p, e);
	replace_release(&p);
	return rc;
}
