/*
 * http_tunnel.c - see http_tunnel.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"

#include <assert.h>

#define STATUS_AT 9                          /* "HTTP/1.1 200" */

static void
check_tunnel(const struct http_tunnel *t)
{
	assert(t->r != NULL && t == &request_of(t->r)->tunnel);
	assert(t->r->streaming && !request_of(t->r)->answered && t->ops != NULL);
}

static void
tunnel_gone(struct http_req *r)
{
	struct http_tunnel *t = &request_of(r)->tunnel;

	check_tunnel(t);
	t->ops->gone(t->ctx);
	http_stream_end(r);
}

static void
tunnel_empty(void *ctx)
{
	struct http_tunnel *t = ctx;

	check_tunnel(t);
	t->ops->empty(t->ctx);
}

struct http_tunnel *
http_tunnel_begin(struct http_req *r, const struct http_tunnel_ops *ops, void *ctx)
{
	struct request *q = request_of(r);
	struct http_tunnel *t = &q->tunnel;

	assert(!q->answered && !r->streaming);
	http_request_fit(q);
	*t = (struct http_tunnel){ .r = r, .ops = ops, .ctx = ctx };
	r->streaming = true;
	http_on_gone(r, tunnel_gone);
	if (r->conn != NULL)
		http_conn_tunnel(r->conn);
	return t;
}

void
http_tunnel_open(struct http_tunnel *t)
{
	struct http_conn *c = t->r->conn;

	check_tunnel(t);
	t->open = true;
	request_of(t->r)->close = true;
	if (c != NULL && c->kept.n > 0)
		http_conn_schedule(c);
}

void
http_tunnel_hold(struct http_tunnel *t, bool held)
{
	check_tunnel(t);
	if (t->r->conn != NULL && !t->r->conn->failed)
		http_conn_hold(t->r->conn, held);
}

void
http_tunnel_write(struct http_tunnel *t, struct str bytes)
{
	struct http_conn *c = t->r->conn;
	int64_t status;

	check_tunnel(t);
	if (t->r->status == 0 && bytes.n >= STATUS_AT + 3 && str_starts(bytes, S("HTTP/1.")) &&
	    str_to_i64(str_sub(bytes, STATUS_AT, 3), &status))
		t->r->status = (int)status;
	if (c != NULL && !c->failed && bytes.n > 0)
		http_conn_queue(c, bytes);
}

void
http_tunnel_when_empty(struct http_tunnel *t)
{
	check_tunnel(t);
	http_turn_when_empty(request_of(t->r), tunnel_empty, t);
}

void
http_tunnel_end(struct http_tunnel *t, bool keeps)
{
	struct request *q = request_of(t->r);

	check_tunnel(t);
	q->r.gone = NULL;
	q->empty = NULL;
	q->close = !keeps || t->open;
	http_stream_end(&q->r);
}

void
http_tunnel_reply(struct http_tunnel *t, int status, struct str content_type,
    struct str extra, struct str body)
{
	struct request *q = request_of(t->r);

	check_tunnel(t);
	assert(q->r.status == 0);
	q->r.gone = NULL;
	q->empty = NULL;
	q->r.streaming = false;
	http_reply(&q->r, status, content_type, extra, body);
}

void
http_tunnel_abort(struct http_tunnel *t)
{
	struct request *q = request_of(t->r);

	check_tunnel(t);
	q->r.gone = NULL;
	q->empty = NULL;
	/* As sse_abort: a client without the head would ask again. */
	if (q->r.conn != NULL && !q->r.conn->failed)
		http_conn_flush(q->r.conn);
	http_stream_abort(&q->r);
}

/* ---- from the client ------------------------------------------------------------------ */

size_t
http_tunnel_bytes(struct http_conn *c, const char *at, size_t n)
{
	struct http_tunnel *t = &c->req->tunnel;

	check_tunnel(t);
	if (!t->open || c->held)
		return 0;
	if (n > 0)
		t->ops->bytes(t->ctx, (struct str){ at, n });
	return n;
}

void
http_tunnel_eof(struct http_conn *c)
{
	struct http_tunnel *t = &c->req->tunnel;

	check_tunnel(t);
	if (t->ended)
		return;
	t->ended = true;
	t->ops->eof(t->ctx);
}
