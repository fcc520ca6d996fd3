/*
 * http_proxied.c - clients that come through proxies: the header of the PROXY protocol before a
 * connection's first byte, and what headers of a request say.
 *
 * The header is read by itself, and no byte more: what follows is the next wire's, and that may
 * be OpenSSL's.  The connection is one that opens, for as long as a handshake may take.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/proxy.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
hop_of(const struct sockaddr_storage *a, struct proxy_hop *out)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;

	*out = (struct proxy_hop){ .n = 0 };
	if (a->ss_family == AF_INET) {
		out->n = 4;
		memcpy(out->address, &v4->sin_addr, 4);
		out->port = ntohs(v4->sin_port);
	} else if (a->ss_family == AF_INET6) {
		out->n = 16;
		memcpy(out->address, &v6->sin6_addr, 16);
		out->port = ntohs(v6->sin6_port);
	}
	proxy_hop_unmap(out);
}

static void
set_peer(struct http_conn *c, const struct proxy_hop *hop)
{
	_Static_assert(PROXY_HOP_TEXT <= PEER_MAX, "an address fits");

	proxy_hop_text(hop, c->peer);
	c->trusted = proxy_trusts(c->l->hs->trust, hop);
}

void
http_conn_name_peer(struct http_conn *c, const struct sockaddr_storage *a)
{
	struct proxy_hop hop;

	hop_of(a, &hop);
	set_peer(c, &hop);
}

void
http_forwarded(struct http_conn *c)
{
	struct request *q = c->req;
	struct proxy_told told;

	if (!c->trusted)
		return;
	proxy_forwarded(c->l->hs->trust, q->r.headers, q->r.headers_n, &told);
	if (told.has_scheme)
		q->r.secure = told.secure;
	if (!told.has_client)
		return;
	proxy_hop_text(&told.client, q->peer);
	q->r.peer = str_of(q->peer);
}

/* ---- the PROXY protocol --------------------------------------------------------------- */

static const struct wire proxied_wire;

static int
proxied_send(struct http_conn *c, const uv_buf_t *iov, unsigned n)
{
	(void)c, (void)iov, (void)n;
	return UV_EPIPE;                     /* nothing has been asked */
}

static size_t
proxied_waiting(const struct http_conn *c)
{
	(void)c;
	return 0;
}

static void
proxied_read(struct http_conn *c, bool on)
{
	(void)c, (void)on;
}

static bool
proxied_shut(struct http_conn *c)
{
	(void)c;
	return false;
}

static bool
proxied_silent(const struct http_conn *c)
{
	(void)c;
	return true;
}

/* The poll is closed: the connection is over, or goes on with its own wire. */
static void
on_closed(uv_handle_t *h)
{
	struct http_conn *c = CONTAINER_OF((uv_poll_t *)h, struct http_conn, proxied.poll);
	bool tls = c->proxied.tls;
	int fd = c->proxied.fd;

	free(c->proxied.head);
	c->proxied.head = NULL;
	if (http_conn_is_closed(c)) {
		close(fd);
		http_conn_closed(c);
	} else if (tls) {
		http_tls_begin(c, fd);
	} else {
		http_conn_opened(c);
		http_socket_begin(c, fd);
	}
}

static void
proxied_close(struct http_conn *c, bool reset)
{
	(void)reset;
	if (!c->proxied.ends)
		uv_close((uv_handle_t *)&c->proxied.poll, on_closed);
	c->proxied.ends = true;
}

static const struct wire proxied_wire = {
	.send = proxied_send, .wait = proxied_send, .waiting = proxied_waiting,
	.read = proxied_read, .shut = proxied_shut, .silent = proxied_silent,
	.close = proxied_close, .descriptor = true, .opens = true,
};

/* Reads `need` bytes more of the header; how many came, or -1: the client is gone. */
static ssize_t
read_head(struct http_proxied *p, size_t need)
{
	ssize_t n;

	assert(need > 0 && p->n + need <= LIMIT_PROXY_BYTES);
	n = recv(p->fd, p->head + p->n, need, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	p->n += (size_t)n;
	return n;
}

static void
refuse_head(struct http_conn *c, const char *why)
{
	log_warn("net", "proxy_header", "peer=%s reason=%s", c->peer, why);
	http_conn_reset(c);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct http_conn *c = CONTAINER_OF(poll, struct http_conn, proxied.poll);
	struct http_proxied *p = &c->proxied;
	enum proxy_got got;
	struct proxy_hop client;
	const char *why;
	size_t need;
	ssize_t n = 0;

	(void)events;
	CHECK_MARK(c, CONN_MARK);
	while ((got = proxy_read((struct str){ p->head, p->n }, &need, &client, &why)) ==
	    PROXY_MORE) {
		n = status < 0 ? -1 : read_head(p, need);
		if (n < 0)
			http_conn_drop(c);
		if (n <= 0)
			return;
	}
	if (got == PROXY_BAD) {
		refuse_head(c, why);
		return;
	}
	if (got == PROXY_CLIENT)
		set_peer(c, &client);
	p->ends = true;
	uv_close((uv_handle_t *)&p->poll, on_closed);
}

bool
http_proxied_accept(struct http_door *d, int fd, const struct sockaddr_storage *peer)
{
	const struct http_server *hs = d->l->hs;
	struct http_conn *c;
	struct proxy_hop hop;
	int rc;

	hop_of(peer, &hop);
	if (!hs->proxy_protocol || !proxy_trusts(hs->trust, &hop))
		return false;
	c = http_conn_new(d->l, &proxied_wire);
	set_peer(c, &hop);
	c->proxied.fd = fd;
	c->proxied.tls = d->at->tls;
	c->proxied.head = mem_alloc(LIMIT_PROXY_BYTES);
	rc = uv_poll_init(shard_loop(d->l->shard), &c->proxied.poll, fd);
	assert(rc == 0);                     /* a new socket can be polled */
	(void)rc;
	uv_poll_start(&c->proxied.poll, UV_READABLE, on_readable);
	return true;
}
