/*
 * audit.c - see audit.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

struct audit {
	char *file;
	pthread_mutex_t lock;                /* of fd: a line is written whole */
	int fd;
};

static int
file_open(const char *file, int *fd, struct err *e)
{
	struct stat st;

	*fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0 || fstat(*fd, &st) < 0)
		return err_set(e, ERR_IO, "%s: %s", file, strerror(errno));
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return OK;
	close(*fd);
	return err_set(e, ERR_DENIED, "%s: writable by others, who could change what "
	    "happened; chmod 600 it", file);
}

int
audit_open(struct audit **out, struct str file, struct err *e)
{
	struct audit *a = mem_new(struct audit);
	int rc;

	a->file = mem_cstr(file);
	pthread_mutex_init(&a->lock, NULL);
	rc = file_open(a->file, &a->fd, e);
	*out = a;
	if (rc < 0) {
		a->fd = -1;
		audit_close(a);
		*out = NULL;
	}
	return rc;
}

int
audit_reopen(struct audit *a, struct err *e)
{
	int fd, old, rc = file_open(a->file, &fd, e);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&a->lock);
	old = a->fd;
	a->fd = fd;
	pthread_mutex_unlock(&a->lock);
	close(old);
	return OK;
}

void
audit_close(struct audit *a)
{
	if (a == NULL)
		return;
	if (a->fd >= 0)
		close(a->fd);
	pthread_mutex_destroy(&a->lock);
	free(a->file);
	free(a);
}

static void
text_add(struct buf *b, const char *key, struct str s)
{
	if (s.n > 0)
		json_add_fmt(b, ",%s:%.*s", key, FMT(s));
}

static void
line_add(struct buf *b, const struct audit_line *x)
{
	char id[UUID_TEXT], at[CLOCK_ISO_SIZE];

	uuid_format(&x->id, id);
	clock_write_iso(at, x->at);
	json_add_fmt(b, "{'time':%.*s,'id':%.*s,'phase':%s,'action':%s", CLOCK_ISO_SIZE, at,
	    UUID_TEXT, id, x->phase, x->action);
	if (x->who != NULL) {
		text_add(b, "subject", x->who->subject);
		text_add(b, "user", x->who->user);
		text_add(b, "credentials", x->who->scheme);
	}
	text_add(b, "method", x->method);
	text_add(b, "object", x->object);
	text_add(b, "remote", x->remote);
	if (x->status != 0)
		json_add_fmt(b, ",'status':%d", x->status);
	text_add(b, "error", x->error);
	buf_lit(b, "}\n");
}

int
audit_write(struct audit *a, const struct audit_line *x)
{
	struct buf b = BUF(4 * (size_t)LIMIT_HTTP_HEADER_BYTES);
	int rc = ERR_IO;

	errno = ENOBUFS;
	line_add(&b, x);
	if (!b.failed) {
		pthread_mutex_lock(&a->lock);
		rc = file_write(a->fd, buf_str(&b));
		pthread_mutex_unlock(&a->lock);
	}
	if (rc < 0)
		log_error("auth", "audit_failed", "file=%s action=%s error=%s", a->file,
		    x->action, strerror(errno));
	buf_release(&b);
	return rc;
}
