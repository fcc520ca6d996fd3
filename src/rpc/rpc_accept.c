/*
 * rpc_accept.c - the listener of rpc.h's server.
 *
 * Without files for a connection it closes a spare one, to tell the next client
 * that the server is busy.  When even that fails it stops listening until a
 * connection ends, or for PAUSE: files come back from elsewhere, too.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "rpc/rpc_priv.h"

#define BACKLOG 1024
#define PAUSE   (50 * NS_PER_MS)

void
rpc_accept_again(struct rpc *r)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = r };

	r->paused = NEVER;
	if (r->accepting || !r->reading)
		return;
	r->accepting = true;
	epoll_ctl(r->epoll, EPOLL_CTL_MOD, r->listener, &ev);
}

void
rpc_accept_stop(struct rpc *r)
{
	struct epoll_event ev = { .data.ptr = r };

	r->accepting = false;
	epoll_ctl(r->epoll, EPOLL_CTL_MOD, r->listener, &ev);
}

/* Where the folder's file system knows no modes, anybody may connect. */
static bool
is_welcome(int fd)
{
	int64_t uid = rpc_uid(fd);

	return uid == geteuid() || uid == 0;
}

static void
refuse(struct rpc *r, int fd)
{
	if (send(fd, r->o.full.p, r->o.full.n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_warn("rpc", "refused", "error=%s", strerror(errno));
	close(fd);
}

static int
accept_one(struct rpc *r, bool *no_files)
{
	int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	*no_files = fd < 0 && errno == EMFILE && r->spare >= 0;
	if (*no_files) {
		close(r->spare);
		fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	return fd;
}

void
rpc_accept_all(struct rpc *r)
{
	bool no_files;

	for (;;) {
		int fd = accept_one(r, &no_files);

		if (fd >= 0 && !is_welcome(fd)) {
			close(fd);
		} else if (fd >= 0 && r->conns < r->o.conns_max && !no_files) {
			rpc_conn_new(r, fd);
		} else if (fd >= 0) {
			refuse(r, fd);
		} else if (errno != ECONNABORTED && errno != EINTR && errno != EAGAIN) {
			rpc_accept_stop(r);
			r->paused = clock_mono() + PAUSE;
		}
		if (no_files)
			r->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
	}
}

/* Nobody can connect before it listens, and by then its mode is right: bind
 * gives the name the mode of the socket. */
int
rpc_listen(struct rpc *r, struct err *e)
{
	struct rpc_name name;
	int rc = rpc_name_make(&name, r->o.path, e);

	if (rc != OK)
		return rc;
	if (unlink(name.sa.sun_path) != 0 && errno != ENOENT)
		rc = ERR_IO;
	if (rc == OK)
		r->listener = socket(AF_UNIX,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->listener < 0 || fchmod(r->listener, 0600) != 0 ||
	    bind(r->listener, (struct sockaddr *)&name.sa, name.size) != 0 ||
	    listen(r->listener, BACKLOG) != 0)
		rc = ERR_IO;
	if (rc != OK)
		err_set(e, rc, "%s: %s", r->o.path, strerror(errno));
	rpc_name_release(&name);
	return rc;
}
