/*
 * http_socket.c - the wire of a connection that is a socket.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/log.h"

#include <sys/socket.h>
#include <unistd.h>

static uv_stream_t *
stream_of(struct http_conn *c)
{
	return (uv_stream_t *)&c->tcp;
}

static int
socket_send(struct http_conn *c, const uv_buf_t *iov, unsigned n)
{
	return uv_try_write(stream_of(c), iov, n);
}

static void
on_written(uv_write_t *w, int status)
{
	struct http_conn *c = CONTAINER_OF(w, struct http_conn, write);

	CHECK_MARK(c, CONN_MARK);
	http_conn_written(c, c->writing, status);
}

static int
socket_wait(struct http_conn *c, const uv_buf_t *iov, unsigned n)
{
	return uv_write(&c->write, stream_of(c), iov, n, on_written);
}

static size_t
socket_waiting(const struct http_conn *c)
{
	return uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp);
}

static void
on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct http_conn *c = h->data;

	(void)suggested;
	*buf = uv_buf_init(c->l->read, sizeof c->l->read);
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct http_conn *c = s->data;

	CHECK_MARK(c, CONN_MARK);
	if (n > 0)
		http_conn_bytes(c, buf->base, (size_t)n);
	else if (n == UV_EOF)
		http_conn_eof(c);
	else if (n < 0 && !http_conn_is_closed(c))
		http_conn_lost(c);
}

static void
socket_read(struct http_conn *c, bool on)
{
	if (on)
		uv_read_start(stream_of(c), on_alloc, on_read);
	else
		uv_read_stop(stream_of(c));
}

static bool
socket_shut(struct http_conn *c)
{
	uv_os_fd_t fd;

	return uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0 && shutdown(fd, SHUT_WR) == 0;
}

static bool
socket_silent(const struct http_conn *c)
{
	uv_os_fd_t fd;
	char byte;

	return uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0 &&
	    recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

static void
on_closed(uv_handle_t *h)
{
	http_conn_closed(h->data);
}

/* A reset gives the kernel's copy of the bytes back at once. */
static void
socket_close(struct http_conn *c, bool reset)
{
	if (!reset || uv_tcp_close_reset(&c->tcp, on_closed) != 0)
		uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static const struct wire socket_wire = {
	.send = socket_send, .wait = socket_wait, .waiting = socket_waiting,
	.read = socket_read, .shut = socket_shut, .silent = socket_silent,
	.close = socket_close, .descriptor = true, .passes = true,
};

int
http_conn_socket(const struct http_conn *c)
{
	uv_os_fd_t fd;

	return uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0 ? fd : -1;
}

void
http_conn_accept(struct http_door *d, int fd, const struct sockaddr_storage *peer)
{
	struct http_conn *c = http_conn_new(d->l, &socket_wire);

	http_conn_name_peer(c, peer);
	http_socket_begin(c, fd);
}

void
http_socket_begin(struct http_conn *c, int fd)
{
	int rc;

	c->wire = &socket_wire;
	uv_tcp_init(shard_loop(c->l->shard), &c->tcp);
	c->tcp.data = c;
	rc = uv_tcp_open(&c->tcp, fd);
	if (rc != 0)
		close(fd);
	else
		rc = uv_read_start(stream_of(c), on_alloc, on_read);
	if (rc != 0) {
		log_warn("net", "accept_failed", "error=%s", uv_err_name(rc));
		http_conn_drop(c);
	}
}
