/*
 * eval_dataset.c - a case is added to a dataset.
 *
 * The file is replaced by a longer one, so that it never ends in half a line; writers
 * take turns by a lock of the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "main/eval_files.h"
#include "workcli/replace.h"

static int
failed(const char *path, struct err *e)
{
	return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
}

/* The file, locked, and still the one of that name; made when it is not there. */
static int
open_locked(const char *path, int *fd, struct stat *st, struct err *e)
{
	struct stat now;

	for (;;) {
		*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		if (*fd < 0)
			return failed(path, e);
		if (flock(*fd, LOCK_EX) != 0 || fstat(*fd, st) != 0)
			return failed(path, e);
		if (stat(path, &now) == 0 && now.st_ino == st->st_ino && now.st_dev == st->st_dev)
			return OK;
		close(*fd);
	}
}

/* As it was before, but for the text. */
static int
put(const char *path, struct str text, mode_t mode, struct err *e)
{
	struct replace p;
	int rc = replace_begin(&p, path, e);

	if (rc == OK && fchmod(p.fd, mode & 07777) != 0)
		rc = failed(path, e);
	if (rc == OK)
		rc = replace_add(&p, text, e);
	if (rc == OK)
		rc = replace_end(&p, e);
	replace_release(&p);
	return rc;
}

int
eval_dataset_append(const char *name, struct str line, struct err *e)
{
	struct buf text = BUF((size_t)LIMIT_EVAL_DATASET_BYTES);
	struct eval_cases c = { 0 };
	char path[PATH_MAX];
	struct stat st;
	int fd = -1, rc;

	rc = open_locked(name, &fd, &st, e);
	if (rc == OK && realpath(name, path) == NULL)        /* of a link the file */
		rc = failed(name, e);
	if (rc == OK && !S_ISREG(st.st_mode))
		rc = err_set(e, ERR_INVALID, "%s: it is no file", name);
	if (rc == OK)
		rc = file_add(path, &text, e);
	if (rc == OK && text.n > 0 && text.p[text.n - 1] != '\n')
		buf_add_char(&text, '\n');
	if (rc == OK) {
		buf_add(&text, line);
		rc = text.failed ? err_set(e, ERR_TOOBIG, "%s: a dataset has at most %d bytes",
		    name, LIMIT_EVAL_DATASET_BYTES) :
		    eval_cases_read(&c, buf_str(&text), str_of(name), e);
		eval_cases_release(&c);
	}
	if (rc == OK)
		rc = put(path, buf_str(&text), st.st_mode, e);
	if (fd >= 0)
		close(fd);
	buf_release(&text);
	return rc;
}
