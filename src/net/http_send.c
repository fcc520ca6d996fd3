/*
 * http_send.c - a connection's bytes to its wire.
 *
 * The wire is tried first; what it does not take waits in `out` and is written
 * when it can be.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/log.h"

#include <assert.h>

#define WAITING_MAX 4                        /* pieces that libuv holds on to */

void
http_conn_written(struct http_conn *c, size_t n, int error)
{
	CHECK_MARK(c, CONN_MARK);
	assert(n <= c->writing);
	c->writing = 0;
	if (http_conn_is_closed(c))
		return;
	if (error < 0) {
		http_conn_lost(c);
		return;
	}
	http_out_sent(&c->out, n);
	c->taken += n;
	http_conn_flush(c);
	if (c->writing == 0)
		http_conn_limit(c);
	if (c->out.bytes == 0 && (c->held || (c->req != NULL && c->req->empty != NULL)))
		http_conn_schedule(c);
	http_conn_sent(c);
}

static void
write_error(struct http_conn *c, int rc)
{
	log_debug("net", "write_failed", "peer=%s error=%s", c->peer, uv_err_name(rc));
	http_conn_fail(c);
}

void
http_conn_flush(struct http_conn *c)
{
	uv_buf_t iov[PIECES_MAX];
	size_t bytes;
	unsigned n;
	int rc;

	while (c->out.bytes > 0 && c->writing == 0 && !c->failed) {
		n = http_out_iov(&c->out, iov, PIECES_MAX, &bytes);
		rc = c->wire->send(c, iov, n);
		if (rc < 0 && rc != UV_EAGAIN) {
			write_error(c, rc);
			return;
		}
		if (rc > 0) {
			http_out_sent(&c->out, (size_t)rc);
			c->taken += (size_t)rc;
		}
		if (rc > 0 && (size_t)rc == bytes)
			continue;
		n = http_out_iov(&c->out, iov, WAITING_MAX, &c->writing);
		rc = c->wire->wait(c, iov, n);
		if (rc < 0) {
			c->writing = 0;
			write_error(c, rc);
			return;
		}
		c->unsent = c->writing;
		http_conn_deadline(c, c->l->hs->limits.idle);
	}
	if (c->out.bytes > 0)
		http_room_for_output(c);
}

/* A client that took something since the last look is slow, not gone. */
void
http_conn_write_timeout(struct http_conn *c)
{
	size_t left = c->wire->waiting(c);

	assert(c->writing > 0);              /* or there was no deadline */
	if (left >= c->unsent) {
		http_conn_lost(c);
		return;
	}
	c->unsent = left;
	http_conn_deadline(c, c->l->hs->limits.idle);
}

void
http_conn_queue(struct http_conn *c, struct str bytes)
{
	CHECK_MARK(c, CONN_MARK);
	if (c->out.bytes > LIMIT_HTTP_OUT_BYTES)
		http_room_check_backlog(c);
	c->req->bytes_out += bytes.n;
	http_out_copy(&c->out, bytes.p, bytes.n);
	http_conn_schedule(c);
}

/* Tries the wire without copying; the bytes it took. */
static size_t
try_pieces(struct http_conn *c, const struct piece *pieces, size_t n)
{
	uv_buf_t iov[PIECES_MAX];
	int rc;

	for (size_t i = 0; i < n; i++)
		iov[i] = (uv_buf_t){ .base = (char *)(uintptr_t)pieces[i].p,
		    .len = pieces[i].n };
	rc = c->wire->send(c, iov, (unsigned)n);
	if (rc < 0 && rc != UV_EAGAIN)
		write_error(c, rc);
	return rc < 0 ? 0 : (size_t)rc;
}

void
http_conn_send(struct http_conn *c, const struct piece *pieces, size_t n)
{
	size_t sent = 0;

	CHECK_MARK(c, CONN_MARK);
	assert(n <= PIECES_MAX && c->req != NULL);
	if (c->out.bytes == 0 && !c->failed)
		sent = try_pieces(c, pieces, n);
	if (c->failed)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct piece *x = &pieces[i];
		size_t skip = sent < x->n ? sent : x->n;

		c->req->bytes_out += x->n;
		sent -= skip;
		if (skip == 0 && x->block != NULL)
			http_out_push(&c->out, sse_block_ref(x->block));
		else
			http_out_copy(&c->out, x->p + skip, x->n - skip);
	}
	http_conn_flush(c);
}
