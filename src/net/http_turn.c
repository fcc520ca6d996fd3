/*
 * http_turn.c - shared blocks to one client: events of a stream, frames of a
 * WebSocket.
 *
 * What is sent in a turn is collected by reference and leaves at its end as
 * one chunk, if the answer has chunks, and as a rule in one write.
 *
 * The cap: a client that was up to date when a turn's events came, or that has
 * read a queue's worth since the turn before, may have all of them and
 * LIMIT_SSE_QUEUE_BYTES more waiting.  So large values, a replay, or one turn
 * after the other never cut a client that reads, however large; falling behind
 * by more than the limit does, and so does LIMIT_HTTP_OUT_BYTES of older ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/log.h"

#include <assert.h>

size_t
http_turn_size(char out[20], size_t bytes)
{
	char digits[16];
	size_t n = 0, at = 0;

	do {
		digits[n++] = "0123456789abcdef"[bytes & 15];
		bytes >>= 4;
	} while (bytes > 0);
	while (n > 0)
		out[at++] = digits[--n];
	out[at++] = '\r';
	out[at++] = '\n';
	return at;
}

/* Sends up to PIECES_MAX - 2 blocks of this turn. */
static void
send_some(struct http_conn *c, struct turn *t, bool chunked)
{
	struct piece pieces[PIECES_MAX];
	uv_buf_t iov[PIECES_MAX];
	char size[20];
	size_t bytes;
	unsigned n = http_out_iov(&t->out, iov, PIECES_MAX - 2, &bytes), at = 0;

	if (chunked)
		pieces[at++] = (struct piece){ size, http_turn_size(size, bytes), NULL };
	for (unsigned i = 0; i < n; i++) {
		struct sse_block *b = CONTAINER_OF(iov[i].base, struct sse_block, bytes);

		pieces[at++] = (struct piece){ b->bytes, b->n, b };
	}
	if (chunked)
		pieces[at++] = (struct piece){ "\r\n", 2, NULL };
	http_conn_send(c, pieces, at);
	http_out_sent(&t->out, bytes);
}

void
http_turn_flush(struct http_conn *c, struct turn *t, bool chunked)
{
	size_t limit = c->l->hs->limits.sse_queue;

	if (t->out.bytes == 0)
		return;
	if (c->out.bytes == 0 || !t->started || (c->out.bytes < LIMIT_HTTP_OUT_BYTES &&
	    http_conn_taken(c) - t->taken >= limit))
		t->allowed = limit + t->out.bytes + c->out.bytes;
	t->started = true;
	t->taken = http_conn_taken(c);
	if (c->out.bytes + t->out.bytes > t->allowed) {
		log_info("net", "slow_reader_cut", "peer=%s queued=%zu", c->peer,
		    c->out.bytes);
		http_conn_fail(c);
		return;
	}
	while (t->out.bytes > 0 && !c->failed)
		send_some(c, t, chunked);
}

void
http_turn_push(struct http_conn *c, struct turn *t, struct sse_block *b)
{
	assert(c != NULL && !c->failed);
	http_out_push(&t->out, sse_block_ref(b));
	http_conn_schedule(c);
}

size_t
http_turn_queued(const struct http_conn *c, const struct turn *t)
{
	return c->out.bytes + t->out.bytes;
}

void
http_turn_when_empty(struct request *q, void (*empty)(void *ctx), void *ctx)
{
	q->empty = empty;
	q->empty_ctx = ctx;
	if (q->r.conn != NULL)
		http_conn_schedule(q->r.conn);
}
