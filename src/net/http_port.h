/*
 * http_port.h - a connection of the HTTP server without a socket.
 *
 * Its bytes are given and taken by functions, so that a request which another
 * process has received is served here as if it had come by a socket, streams and
 * WebSockets too: the same states, deadlines, queues and rules for slow readers.
 * A port carries one request.
 *
 * The user may be called from inside each function of this header but for `closed`,
 * which comes at the end of the turn.
 *
 * Threads: the shard of its listener.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_HTTP_PORT_H
#define NET_HTTP_PORT_H

#include "net/http.h"

struct http_port;

enum http_port_end {
	HTTP_PORT_RESET,                     /* the answer is not whole, or there is none */
	HTTP_PORT_KEEPS,                     /* it is, and the client's connection goes on */
	HTTP_PORT_ENDS                       /* it is, and the connection ends with it */
};

struct http_port_ops {
	/* Bytes of the answer; how many were taken.  Fewer than all: the rest comes
	 * again after http_port_writable. */
	size_t (*write)(void *ctx, const struct str *pieces, size_t n);
	/* Nothing more is read for now; false: go on. */
	void (*paused)(void *ctx, bool paused);
	/* All that there is was taken: until more is written, whoever has the client gives
	 * it these bytes now and each `every`.  At most HTTP_PORT_BEAT of them. */
	void (*idle)(void *ctx, struct str beat, msec every);
	/* The last call, unless http_port_drop was called. */
	void (*closed)(void *ctx, enum http_port_end how);
};

/* Bytes that may be given beyond what was read when `paused` was called. */
#define HTTP_PORT_AHEAD (64 * KB)
#define HTTP_PORT_BEAT  32

/* What a port is told of r's client: its peer, and by which certificate and means it
 * came.  The length. */
#define HTTP_PORT_CLIENT 192
size_t http_port_client(const struct http_req *r, char out[HTTP_PORT_CLIENT]);

/* client: as http_port_client wrote it.  r->through of its request is ctx, so that is
 * not NULL.  NULL: the server is draining, or does not listen on this shard. */
struct http_port *http_port_open(struct http_server *hs, struct shard *s, struct str client,
    const struct http_port_ops *ops, void *ctx);
void http_port_bytes(struct http_port *p, struct str bytes);     /* from the client */
void http_port_eof(struct http_port *p);     /* it sends no more */
void http_port_writable(struct http_port *p);
bool http_port_ends(const struct http_port *p);  /* `closed` is called at the turn's end */
/* The client is gone. */
void http_port_drop(struct http_port *p);

#endif
