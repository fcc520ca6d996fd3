/*
 * file.c - see file.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
file_add_fd(int fd, struct buf *out, int (*wait)(struct err *e), struct err *e)
{
	for (;;) {
		size_t left = out->max - out->n, want = left < 64 * KB ? left : 64 * KB;
		char more, *room = want > 0 ? buf_room(out, want) : &more;
		int rc = wait != NULL ? wait(e) : OK;
		ssize_t n = rc == OK ? read(fd, room, want > 0 ? want : 1) : 0;

		if (rc != OK)
			return rc;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, ERR_IO, "%s", strerror(errno));
		if (n == 0)
			return OK;
		if (want == 0)
			return err_set(e, ERR_TOOBIG, "more than %zu bytes", out->max);
		buf_added(out, (size_t)n);
	}
}

int
file_add(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	struct err why;

	if (fd < 0)
		return err_set(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", path,
		    strerror(errno));
	rc = file_add_fd(fd, out, NULL, &why);
	close(fd);
	return rc == OK ? OK : err_set(e, rc, "%s: %s", path, why.text);
}

int
file_write(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno != EINTR)
			return ERR_IO;
		if (n > 0)
			s = str_sub(s, (size_t)n, s.n);
	}
	return OK;
}

int
file_put(const char *path, struct str s, struct err *e)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666);
	int rc = fd >= 0 ? file_write(fd, s) : ERR_IO;

	if (fd >= 0 && close(fd) != 0)
		rc = ERR_IO;
	return rc == OK ? OK : err_set(e, rc, "%s: %s", path, strerror(errno));
}

int
file_sync_folder(const char *folder, struct err *e)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = OK;

	/* A file system that cannot sync folders says EINVAL. */
	if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
		rc = err_set(e, ERR_IO, "%s: %s", folder, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

int
file_sync_folder_of(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	snprintf(folder, sizeof folder, "%.*s", slash == NULL || slash == path ? 1 :
	    (int)(slash - path), slash == NULL ? "." : path);
	return file_sync_folder(folder, e);
}

int
file_beside(const char *name, const char *also, char *out, size_t size, struct err *e)
{
	const char *const folders[] = { "", also };
	char self[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n < 0)
		return err_set(e, ERR_IO, "/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash != NULL)
		slash[1] = '\0';
	for (size_t i = 0; i < COUNT(folders); i++)
		if ((size_t)snprintf(out, size, "%s%s%s", self, folders[i], name) < size &&
		    access(out, F_OK) == 0)
			return OK;
	return err_set(e, ERR_NOTFOUND, "%s is neither in %s nor in %s%s", name, self, self,
	    also);
}

struct str
file_head(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	size_t n = 0;
	ssize_t got = fd;

	assert(size > 0);
	while (got >= 0 && n + 1 < size) {
		got = read(fd, out + n, size - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	out[n] = '\0';
	return (struct str){ out, n };
}
