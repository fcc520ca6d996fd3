/*
 * http_tunnel.h - an answer that somebody else gives byte for byte.
 *
 * The handler of a request begins a tunnel instead of answering.  What is written is
 * an HTTP/1.1 answer, head and all, and leaves as it is; its status is read for the
 * hook `done`.  After http_tunnel_open what the client sends comes too: the answer was
 * 101.
 *
 * Threads: the request's shard.  Nothing here calls out from inside a call of this
 * header.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_HTTP_TUNNEL_H
#define NET_HTTP_TUNNEL_H

#include "net/http.h"

struct http_tunnel;

struct http_tunnel_ops {
	/* From the client of an open one; borrowed until it returns. */
	void (*bytes)(void *ctx, struct str bytes);
	/* The client sends no more. */
	void (*eof)(void *ctx);
	/* All that was written has left; see http_tunnel_when_empty. */
	void (*empty)(void *ctx);
	/* The client has left: the last call, and the tunnel is gone. */
	void (*gone)(void *ctx);
};

/* The request's arena, body and user are gone, for an answer may last for days; its head
 * stays.  ops is not copied. */
struct http_tunnel *http_tunnel_begin(struct http_req *r, const struct http_tunnel_ops *ops,
    void *ctx);
void http_tunnel_open(struct http_tunnel *t);
void http_tunnel_hold(struct http_tunnel *t, bool held); /* of an open one: is not read */
void http_tunnel_write(struct http_tunnel *t, struct str bytes);
/* `empty` is called once, in a later turn, when nothing waits any more. */
void http_tunnel_when_empty(struct http_tunnel *t);
/* The answer is whole.  keeps: and the client may send another request. */
void http_tunnel_end(struct http_tunnel *t, bool keeps);
/* Of an answer of which nothing was written: an ordinary one, as http_reply. */
void http_tunnel_reply(struct http_tunnel *t, int status, struct str content_type,
    struct str extra, struct str body);
/* It will not be: the connection is reset. */
void http_tunnel_abort(struct http_tunnel *t);

#endif
