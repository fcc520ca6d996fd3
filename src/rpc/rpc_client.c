/*
 * rpc_client.c - the client's end of rpc.h.
 *
 * The deadline is the kernel's: SO_SNDTIMEO and SO_RCVTIMEO, set when the time
 * that is left differs from what was set, so that a call is one send and one
 * receive.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "rpc/rpc_priv.h"

#define READ_BYTES  (64 * KB)
#define SPIN        (60 * NS_PER_MS / 1000)  /* a daemon's answer without a commit */
#define SLACK       (20 * NS_PER_MS)         /* a limit this near needs no setting */

int
rpc_name_make(struct rpc_name *n, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char folder[4096];
	int used;

	*n = (struct rpc_name){ .sa = { .sun_family = AF_UNIX }, .folder = -1 };
	n->size = sizeof n->sa;
	if (strlen(path) < sizeof n->sa.sun_path) {
		memcpy(n->sa.sun_path, path, strlen(path) + 1);
		return OK;
	}
	if (slash == NULL || (size_t)(slash - path) >= sizeof folder)
		return err_set(e, ERR_INVALID, "%s: the path is too long", path);
	snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
	n->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (n->folder < 0)
		return err_set(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
		    "%s: %s", folder, strerror(errno));
	used = snprintf(n->sa.sun_path, sizeof n->sa.sun_path,
	    "/proc/self/fd/%d%s", n->folder, slash);
	if (used < (int)sizeof n->sa.sun_path)
		return OK;
	rpc_name_release(n);
	return err_set(e, ERR_INVALID, "%s: the file's name is too long", path);
}

void
rpc_name_release(struct rpc_name *n)
{
	if (n->folder >= 0)
		close(n->folder);
	n->folder = -1;
}

int64_t
rpc_uid(int fd)
{
	struct ucred who;
	socklen_t n = sizeof who;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
		return -1;
	return who.uid;
}

static void
check_client(const struct rpc_client *c)
{
	assert(c->fd >= -1 && c->at <= c->in.n && c->in.max > READ_BYTES);
}

int64_t
rpc_client_uid(const struct rpc_client *c)
{
	return rpc_uid(c->fd);
}

/* The time that is left becomes the kernel's limit.  ERR_TIMEOUT: none is. */
static int
arm(struct rpc_client *c, nsec deadline, struct err *e)
{
	nsec left = deadline == NEVER ? NEVER : deadline - clock_mono();
	struct timeval tv = { 0 };

	if (left <= 0)
		return err_set(e, ERR_TIMEOUT, "timed out");
	if (left == c->armed || (c->armed != NEVER && left != NEVER &&
	    left > SLACK && llabs(c->armed - left) < SLACK))
		return OK;                   /* early: it comes here again */
	if (left != NEVER) {
		tv.tv_sec = left / NS_PER_S;
		tv.tv_usec = left % NS_PER_S / 1000;
		if (tv.tv_sec == 0 && tv.tv_usec == 0)
			tv.tv_usec = 1;
	}
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	c->armed = left;
	return OK;
}

static int
connect_fault(const char *path, struct err *e)
{
	switch (errno) {
	case ENOENT: case ECONNREFUSED: case ENOTDIR:
		return err_set(e, ERR_NOTFOUND, "%s: nothing listens there", path);
	case EAGAIN: case EINPROGRESS: case ETIMEDOUT:
		return err_set(e, ERR_TIMEOUT, "%s: timed out", path);
	default:
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	}
}

int
rpc_connect(struct rpc_client *c, const char *path, size_t line_max,
    nsec deadline, struct err *e)
{
	struct rpc_name name;
	int rc;

	*c = (struct rpc_client){ .fd = -1, .armed = NEVER };
	c->in = BUF(line_max + READ_BYTES);
	rc = rpc_name_make(&name, path, e);
	if (rc != OK)
		return rc;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		rc = err_set(e, ERR_IO, "socket: %s", strerror(errno));
	else
		rc = arm(c, deadline, e);
	if (rc == OK && connect(c->fd, (struct sockaddr *)&name.sa, name.size) != 0)
		rc = connect_fault(path, e);
	rpc_name_release(&name);
	if (rc != OK)
		rpc_close(c);
	return rc;
}

void
rpc_close(struct rpc_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_release(&c->in);
	c->at = 0;
}

int
rpc_send(struct rpc_client *c, struct str text, nsec deadline, struct err *e)
{
	check_client(c);
	while (text.n > 0) {
		int rc = arm(c, deadline, e);
		ssize_t n;

		if (rc != OK)
			return rc;
		n = send(c->fd, text.p, text.n, MSG_NOSIGNAL);
		if (n >= 0)
			text = str_sub(text, (size_t)n, text.n);
		else if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return err_set(e, ERR_CLOSED, "closed by the other side");
		else if (errno != EINTR && errno != EAGAIN)
			return err_set(e, ERR_IO, "send: %s", strerror(errno));
	}
	return OK;
}

/* Looks a while before it sleeps. */
static ssize_t
receive_spinning(struct rpc_client *c, char *to)
{
	nsec until = 0;

	for (;;) {
		ssize_t n = recv(c->fd, to, READ_BYTES, MSG_DONTWAIT);

		if (n >= 0 || errno != EAGAIN)
			return n;
		if (until == 0)
			until = clock_mono() + SPIN;
		else if (clock_mono() >= until)
			return n;
		rpc_pause();
	}
}

static int
receive_more(struct rpc_client *c, nsec deadline, struct err *e)
{
	char *to;
	ssize_t n;
	int rc;

	if (c->at > 0) {
		buf_drop_front(&c->in, c->at);
		c->at = 0;
	}
	to = buf_room(&c->in, READ_BYTES);
	if (to == NULL)
		return err_set(e, ERR_TOOBIG, "an answer over %zu bytes", c->in.max);
	n = receive_spinning(c, to);
	if (n < 0 && errno == EAGAIN) {
		rc = arm(c, deadline, e);
		if (rc != OK)
			return rc;
		n = recv(c->fd, to, READ_BYTES, 0);
	}
	if (n > 0) {
		buf_added(&c->in, (size_t)n);
		return OK;
	}
	if (n == 0)
		return err_set(e, ERR_CLOSED, "closed by the other side");
	if (errno == ECONNRESET)
		return err_set(e, ERR_AGAIN, "closed by the other side before it read the request");
	return errno == EINTR || errno == EAGAIN ? OK :
	    err_set(e, ERR_IO, "receive: %s", strerror(errno));
}

int
rpc_receive(struct rpc_client *c, struct str *line, nsec deadline, struct err *e)
{
	size_t seen = c->at;
	int rc;

	check_client(c);
	for (;;) {
		const char *end = c->in.n > seen ?
		    memchr(c->in.p + seen, '\n', c->in.n - seen) : NULL;

		if (end != NULL) {
			line->p = c->in.p + c->at;
			line->n = (size_t)(end - line->p);
			c->at += line->n + 1;
			return OK;
		}
		seen = c->in.n - c->at;
		rc = receive_more(c, deadline, e);
		if (rc != OK)
			return rc;
	}
}
