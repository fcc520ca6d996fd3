/*
 * http_port.c - the wire of a connection that is a pair of functions; see http_port.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"

#include <assert.h>
#include <string.h>

_Static_assert(HTTP_PORT_AHEAD <= READ_SIZE, "what a port is given fits into what is kept");

static const struct wire port_wire;

static struct http_conn *
conn_of_port(struct http_port *p)
{
	struct http_conn *c = CONTAINER_OF(p, struct http_conn, port);

	CHECK_MARK(c, CONN_MARK);
	assert(c->wire == &port_wire && p->ops != NULL);
	return c;
}

static int
port_send(struct http_conn *c, const uv_buf_t *iov, unsigned n)
{
	struct str pieces[PIECES_MAX];
	size_t taken;

	assert(n <= PIECES_MAX);
	if (c->port.ops == NULL)
		return UV_EPIPE;
	for (unsigned i = 0; i < n; i++)
		pieces[i] = (struct str){ iov[i].base, iov[i].len };
	taken = c->port.ops->write(c->port.ctx, pieces, n);
	return taken == 0 ? UV_EAGAIN : (int)taken;
}

/* http_port_writable goes on. */
static int
port_wait(struct http_conn *c, const uv_buf_t *iov, unsigned n)
{
	(void)c, (void)iov, (void)n;
	return 0;
}

static size_t
port_waiting(const struct http_conn *c)
{
	return c->writing;
}

static void
port_read(struct http_conn *c, bool on)
{
	if (c->port.ops != NULL)
		c->port.ops->paused(c->port.ctx, !on);
}

static bool
port_shut(struct http_conn *c)
{
	(void)c;
	return false;
}

static bool
port_silent(const struct http_conn *c)
{
	(void)c;
	return false;
}

static void
tell_closed(struct shard_job *job)
{
	struct http_conn *c = CONTAINER_OF(job, struct http_conn, port.closing);

	if (c->port.ops != NULL)
		c->port.ops->closed(c->port.ctx, c->port.how);
	c->port.ops = NULL;
	http_conn_closed(c);
}

static void
port_close(struct http_conn *c, bool reset)
{
	if (reset)
		c->port.how = HTTP_PORT_RESET;
	c->port.closing.run = tell_closed;
	shard_at_turn_end(c->l->shard, &c->port.closing);
}

static const struct wire port_wire = {
	.send = port_send, .wait = port_wait, .waiting = port_waiting, .read = port_read,
	.shut = port_shut, .silent = port_silent, .close = port_close,
};

bool
http_conn_is_port(const struct http_conn *c)
{
	return c->wire == &port_wire;
}

void
http_port_idle(struct http_conn *c, struct str beat, msec every)
{
	assert(c->wire == &port_wire && c->out.bytes == 0 && beat.n <= HTTP_PORT_BEAT);
	if (c->port.ops != NULL)
		c->port.ops->idle(c->port.ctx, beat, every);
}

/* "PEER", "PEER tls", "PEER tls 64-HEX-DIGITS". */
size_t
http_port_client(const struct http_req *r, char out[HTTP_PORT_CLIENT])
{
	struct buf b = BUF(HTTP_PORT_CLIENT);
	size_t n;

	buf_add_fmt(&b, "%.*s%s", FMT(str_sub(r->peer, 0, PEER_MAX - 1)), r->secure ? " tls" : "");
	if (r->secure && r->cert != NULL) {
		buf_add_char(&b, ' ');
		hex_add(&b, r->cert, SHA256_SIZE);
	}
	n = b.n;
	assert(!b.failed && n < HTTP_PORT_CLIENT);
	if (n > 0)
		memcpy(out, b.p, n);
	buf_release(&b);
	return n;
}

static void
read_client(struct http_conn *c, struct str rest)
{
	struct str peer = STR_NONE, word;

	str_next(&rest, ' ', &peer);
	memcpy(c->peer, peer.p, peer.n < PEER_MAX ? peer.n : PEER_MAX - 1);
	c->secure = str_next(&rest, ' ', &word) && str_eq(word, S("tls"));
	c->certified = c->secure && hex_decode(rest, c->cert, sizeof c->cert);
}

struct http_port *
http_port_open(struct http_server *hs, struct shard *s, struct str client,
    const struct http_port_ops *ops, void *ctx)
{
	struct http_listener *l = http_listener_find(hs, s);
	struct http_conn *c;

	assert(ctx != NULL && shard_is_current(s));
	if (l == NULL || l->draining)
		return NULL;
	c = http_conn_new(l, &port_wire);
	read_client(c, client);
	c->port = (struct http_port){ .ops = ops, .ctx = ctx, .how = HTTP_PORT_RESET };
	return &c->port;
}

void
http_port_bytes(struct http_port *p, struct str bytes)
{
	http_conn_bytes(conn_of_port(p), bytes.p, bytes.n);
}

void
http_port_eof(struct http_port *p)
{
	http_conn_eof(conn_of_port(p));
}

void
http_port_writable(struct http_port *p)
{
	struct http_conn *c = conn_of_port(p);

	if (c->writing > 0)
		http_conn_written(c, 0, 0);
}

bool
http_port_ends(const struct http_port *p)
{
	return p->closing.run != NULL;
}

void
http_port_drop(struct http_port *p)
{
	struct http_conn *c = conn_of_port(p);

	p->ops = NULL;
	if (!http_conn_is_closed(c))
		http_conn_lost(c);
}
