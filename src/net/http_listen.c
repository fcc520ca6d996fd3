/*
 * http_listen.c - the addresses of a server, and their sockets.
 *
 * Every shard has a socket of its own on each address (SO_REUSEPORT), so the
 * kernel spreads connections.  Such sockets would also share the port with a
 * second server of the same user without a word; a probe without the option
 * finds that out before.  The first socket listens from the start, so clients
 * that come early wait instead of being refused.
 *
 * A Unix socket has one queue; so has a socket that was inherited without
 * SO_REUSEPORT.  All shards accept from such a one by duplicates.
 *
 * Threads: the server's lock guards sockets; they are opened before the first
 * shard attaches, and taken by one shard after the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/log.h"
#include "net/host.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG    1024
#define UNACKED_MS 60000u                    /* then the other side is gone */
#define UNSENT_MAX (64 * KB)                 /* in the kernel, where no account is */

static bool
is_unix(const struct http_address *at)
{
	return at->name.any.sa_family == AF_UNIX;
}

/* ---- names ----------------------------------------------------------------- */

static int
read_path(struct http_address *at, struct str path, struct err *e)
{
	if (path.n >= sizeof at->name.un.sun_path)
		return err_set(e, ERR_INVALID, "unix:%.*s: expected at most %zu bytes of path, "
		    "got %zu", FMT(path), sizeof at->name.un.sun_path - 1, path.n);
	at->name.un.sun_family = AF_UNIX;
	memcpy(at->name.un.sun_path, path.p, path.n);
	at->size = sizeof at->name.un;
	at->shared = true;
	return OK;
}

static int
read_address(struct http_address *at, const struct http_listen *from, struct err *e)
{
	struct str host = from->host;
	uint8_t bytes[16];

	at->tls = from->tls;
	if (from->path.n > 0)
		return read_path(at, from->path, e);
	at->port = from->port;
	if (str_eq_nocase(host, S("localhost")))
		host = S("127.0.0.1");
	switch (host_bytes(host, bytes)) {
	case 4:
		at->name.v4.sin_family = AF_INET;
		at->name.v4.sin_port = htons(from->port);
		memcpy(&at->name.v4.sin_addr, bytes, 4);
		at->size = sizeof at->name.v4;
		return OK;
	case 16:
		at->name.v6.sin6_family = AF_INET6;
		at->name.v6.sin6_port = htons(from->port);
		memcpy(&at->name.v6.sin6_addr, bytes, 16);
		at->size = sizeof at->name.v6;
		return OK;
	default:
		return err_set(e, ERR_INVALID, "cannot listen on \"%.*s\": expected an IP "
		    "address or localhost", FMT(host));
	}
}

static uint16_t
port_of(const struct http_address *at)
{
	return is_unix(at) ? 0 : ntohs(at->name.any.sa_family == AF_INET6 ?
	    at->name.v6.sin6_port : at->name.v4.sin_port);
}

static void
set_port(struct http_address *at, uint16_t port)
{
	at->port = port;
	if (at->name.any.sa_family == AF_INET6)
		at->name.v6.sin6_port = htons(port);
	else
		at->name.v4.sin_port = htons(port);
}

/* "127.0.0.1:80", "[::1]:80", "unix:/path". */
static void
show(const struct http_address *at, char out[160])
{
	char host[INET6_ADDRSTRLEN] = "";

	if (is_unix(at)) {
		snprintf(out, 160, "unix:%s", at->name.un.sun_path);
		return;
	}
	uv_ip_name(&at->name.any, host, sizeof host);
	snprintf(out, 160, at->name.any.sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, at->port);
}

/* Port 0 is any. */
static bool
is_same(const struct http_address *at, const struct http_address *other)
{
	struct http_address x = *other;

	if (at->name.any.sa_family != x.name.any.sa_family)
		return false;
	if (is_unix(at))
		return strncmp(at->name.un.sun_path, x.name.un.sun_path,
		    sizeof x.name.un.sun_path) == 0;
	if (at->port == 0)
		set_port(&x, 0);
	if (port_of(&x) != at->port)
		return false;
	return at->name.any.sa_family == AF_INET6 ?
	    memcmp(&at->name.v6.sin6_addr, &x.name.v6.sin6_addr, 16) == 0 :
	    at->name.v4.sin_addr.s_addr == x.name.v4.sin_addr.s_addr;
}

/* ---- sockets --------------------------------------------------------------- */

static void
add_ready(struct http_address *at, int fd)
{
	mem_grow(at->ready, at->ready_n, at->ready_cap);
	at->ready[at->ready_n++] = fd;
}

/* Accepted connections inherit them. */
static bool
set_options(int fd)
{
	unsigned unacked_ms = UNACKED_MS, unsent = UNSENT_MAX;
	int on = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms) == 0;
}

static int
open_socket(const struct http_address *at, bool shared)
{
	int fd = socket(at->name.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, saved;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
	    set_options(fd) && bind(fd, &at->name.any, at->size) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int
bind_error(const struct http_address *at, const char *how, struct err *e)
{
	char host[INET6_ADDRSTRLEN] = "";

	uv_ip_name(&at->name.any, host, sizeof host);
	switch (errno) {
	case EADDRINUSE:
		return err_set(e, ERR_BUSY, "port %u on %s is already in use; "
		    "choose another with %s", at->port, host, how);
	case EACCES:
	case EPERM:
		return err_set(e, ERR_DENIED, "port %u on %s is not permitted; "
		    "choose one above 1023 with %s", at->port, host, how);
	case EADDRNOTAVAIL:
		return err_set(e, ERR_INVALID, "%s is not an address of this machine", host);
	default:
		return err_set(e, ERR_IO, "listen on %s:%u: %s", host, at->port,
		    strerror(errno));
	}
}

static int
open_first(struct http_address *at, const char *how, struct err *e)
{
	socklen_t size = sizeof at->name;
	int fd;

	if (at->port != 0) {
		fd = open_socket(at, false);
		if (fd < 0)
			return bind_error(at, how, e);
		close(fd);
	}
	fd = open_socket(at, true);
	if (fd < 0)
		return bind_error(at, how, e);
	add_ready(at, fd);
	if (listen(fd, BACKLOG) != 0 || getsockname(fd, &at->name.any, &size) != 0)
		return bind_error(at, how, e);
	at->port = port_of(at);
	return OK;
}

/* ---- Unix sockets ----------------------------------------------------------- */

/* A name that is left over from a server that is gone may be taken. */
static int
check_free(const struct http_address *at, struct err *e)
{
	const char *path = at->name.un.sun_path;
	struct stat st;
	int fd, rc = OK;

	if (lstat(path, &st) != 0)
		return OK;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_INVALID, "unix:%s: there is a file of this name, and it is no "
		    "socket; remove it, or choose another name", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, ERR_IO, "unix:%s: %s", path, strerror(errno));
	/* A queue that is full is a live one too. */
	if (connect(fd, &at->name.any, at->size) == 0 || errno == EAGAIN)
		rc = err_set(e, ERR_BUSY, "unix:%s: another server listens there", path);
	else if (errno != ECONNREFUSED)
		rc = err_set(e, ERR_DENIED, "unix:%s: is it in use? %s", path, strerror(errno));
	else
		unlink(path);
	close(fd);
	return rc;
}

/* Nobody can connect before it listens, and by then its mode is right: bind gives the
 * name the mode of the socket. */
static int
open_unix(struct http_address *at, struct err *e)
{
	struct stat st;
	int fd, rc = check_free(at, e);

	if (rc != OK)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || fchmod(fd, 0600) != 0 || bind(fd, &at->name.any, at->size) != 0 ||
	    lstat(at->name.un.sun_path, &st) != 0 || listen(fd, BACKLOG) != 0) {
		rc = err_set(e, ERR_IO, "unix:%s: %s", at->name.un.sun_path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	at->made_dev = st.st_dev;
	at->made_ino = st.st_ino;
	add_ready(at, fd);
	return OK;
}

/* Only the name of the socket that this server has. */
static void
remove_name(const struct http_address *at)
{
	struct stat st;

	if (at->made_ino != 0 && lstat(at->name.un.sun_path, &st) == 0 &&
	    st.st_ino == at->made_ino && st.st_dev == at->made_dev)
		unlink(at->name.un.sun_path);
}

/* ---- inherited sockets ------------------------------------------------------- */

static bool
listens(int fd)
{
	int on = 0;
	socklen_t size = sizeof on;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on != 0;
}

/* Name is fd's.  False: it is of no use. */
static bool
adopt(struct http_address *at, int fd, const struct http_address *name)
{
	struct stat st;
	int on = 0;
	socklen_t size = sizeof on;

	if (at->shared && at->ready_n > 0)
		return false;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return false;
	if (is_unix(at)) {
		if (lstat(at->name.un.sun_path, &st) == 0) {
			at->made_dev = st.st_dev;
			at->made_ino = st.st_ino;
		}
	} else if (!set_options(fd)) {
		return false;
	} else {
		getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, &size);
		at->shared = on == 0;
		if (at->port == 0)
			set_port(at, port_of(name));
	}
	add_ready(at, fd);
	return true;
}

static bool
is_connection(int fd)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof peer;

	return getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
}

static void
inherit(struct http_server *hs, int fd)
{
	struct http_address name = { .size = sizeof name.name };
	bool known = listens(fd) && getsockname(fd, &name.name.any, &name.size) == 0;
	char shown[160] = "";

	if (!known && is_connection(fd)) {
		mem_grow(hs->given, hs->given_n, hs->given_cap);
		hs->given[hs->given_n++] = fd;
		return;
	}
	name.port = known ? port_of(&name) : 0;
	for (size_t i = 0; known && i < hs->at_n; i++)
		if (is_same(&hs->at[i], &name) && adopt(&hs->at[i], fd, &name))
			return;
	if (known)
		show(&name, shown);
	log_info("net", "socket_not_wanted", "fd=%d address=%s", fd, shown);
	close(fd);
}

/* ---- the server -------------------------------------------------------------- */

int
http_listen_open(struct http_server *hs, const struct http_options *o, struct err *e)
{
	int rc = OK;

	assert(o->at_n > 0 && o->at_n <= LIMIT_LISTEN && o->shards > 0);
	hs->shards = o->shards;
	for (size_t i = 0; rc == OK && i < o->at_n; i++) {
		assert(!o->at[i].tls || o->tls != NULL);
		rc = read_address(&hs->at[i], &o->at[i], e);
		hs->at_n += rc == OK;
	}
	for (size_t i = 0; i < o->inherited_n; i++)
		inherit(hs, o->inherited[i]);
	hs->given_part = (hs->given_n + hs->shards - 1) / hs->shards;
	for (size_t i = 0; rc == OK && i < hs->at_n; i++) {
		struct http_address *at = &hs->at[i];

		if (at->ready_n == 0)
			rc = is_unix(at) ? open_unix(at, e) :
			    open_first(at, i == 0 ? "--port" : "--listen", e);
	}
	return rc;
}

static void
add_door(struct http_listener *l, const struct http_address *at, int fd)
{
	struct http_door *d = mem_new(struct http_door);

	d->l = l;
	d->at = at;
	d->fd = fd;
	mem_grow(l->doors, l->doors_n, l->doors_cap);
	l->doors[l->doors_n++] = d;
}

/* -1: none can be had, and errno says why. */
static int
next_socket(const struct http_address *at)
{
	int fd;

	if (at->shared)
		return fcntl(at->ready[0], F_DUPFD_CLOEXEC, 0);
	fd = open_socket(at, true);
	if (fd >= 0 && listen(fd, BACKLOG) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The nth of n shards has every nth one of those that are ready. */
static int
take_of(struct http_listener *l, struct http_address *at, unsigned nth)
{
	size_t before = l->doors_n;
	int fd;

	for (size_t i = nth; !at->shared && i < at->ready_n; i += l->hs->shards) {
		add_door(l, at, at->ready[i]);
		at->ready[i] = -1;
	}
	if (l->doors_n > before)
		return OK;
	fd = next_socket(at);
	if (fd < 0)
		return ERR_IO;
	add_door(l, at, fd);
	return OK;
}

int
http_listen_take(struct http_listener *l, struct err *e)
{
	struct http_server *hs = l->hs;
	char shown[160];
	int rc = OK;

	pthread_mutex_lock(&hs->lock);
	for (size_t i = 0; rc == OK && i < hs->at_n; i++) {
		rc = take_of(l, &hs->at[i], hs->attached);
		if (rc != OK) {
			show(&hs->at[i], shown);
			err_set(e, rc, "listen on %s: %s", shown, strerror(errno));
		}
	}
	hs->attached++;
	for (size_t i = 0; rc != OK && i < l->doors_n; i++)
		close(l->doors[i]->fd);
	pthread_mutex_unlock(&hs->lock);
	return rc;
}

static void
add_copy(int *fds, size_t *n, size_t max, int fd)
{
	int copy = fd < 0 || *n == max ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy >= 0)
		fds[(*n)++] = copy;
}

size_t
http_server_hand_over(struct http_server *hs, msec at_most, int *fds, size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&hs->lock);
	hs->hands_over = true;
	hs->limits.drain = at_most;
	for (size_t i = 0; i < hs->at_n; i++)
		for (size_t k = 0; k < hs->at[i].ready_n; k++)
			add_copy(fds, &n, max, hs->at[i].ready[k]);
	for (const struct http_listener *l = hs->listeners; l != NULL; l = l->next)
		for (size_t i = 0; i < l->doors_n; i++)
			if (!l->doors[i]->at->shared)
				add_copy(fds, &n, max, l->doors[i]->fd);
	pthread_mutex_unlock(&hs->lock);
	return n;
}

/* Clients that come from here on are refused, by the kernel. */
void
http_listen_close(struct http_server *hs)
{
	pthread_mutex_lock(&hs->lock);
	for (size_t i = 0; i < hs->at_n; i++) {
		struct http_address *at = &hs->at[i];

		if (!hs->hands_over)
			remove_name(at);
		at->made_ino = 0;
		for (size_t k = 0; k < at->ready_n; k++)
			if (at->ready[k] >= 0)
				close(at->ready[k]);
		free(at->ready);
		at->ready = NULL;
		at->ready_n = at->ready_cap = 0;
	}
	pthread_mutex_unlock(&hs->lock);
}
