/*
 * lean.h - the load driver's own HTTP/1.1 client: llhttp on libuv, plain TCP,
 * keep-alive, one request at a time a connection, no allocation a request
 * once warm.  Knows nothing of agents; includes base and net only, so that
 * the benchmark measures what any client would see.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_LEAN_H
#define BENCH_LEAN_H

#include "base/buf.h"
#include "net/shard.h"

struct lean_conn;

struct lean_hooks {
	/* First byte of the answer's head is parsed: the status. */
	void (*head)(void *ctx, int status);
	/* Body bytes as they arrive; may be NULL (they are counted anyway). */
	void (*data)(void *ctx, struct str bytes);
	/* The answer is complete (rc OK) or the connection failed (ERR_CLOSED,
	 * ERR_TIMEOUT); the next request may be sent from inside. */
	void (*done)(void *ctx, int rc, int status, size_t bytes_in);
};

/* host: a literal address or name, resolved once by lean_resolve. */
struct lean_target {
	_Alignas(16) uint8_t addr[128];      /* struct sockaddr_storage */
	char host_header[256];
	char base_path[256];                 /* path of the URL, no trailing '/' */
};

/* Of a name's addresses the first that accepts a connection now, else the first:
 * "localhost" may be two, and the server listen on one. */
int lean_resolve(struct str url, struct lean_target *out, struct err *e);

/* Borrows t and hooks.  lean_free is allowed inside a hook. */
struct lean_conn *lean_new(struct shard *s, const struct lean_target *t,
    const struct lean_hooks *hooks, void *ctx);
void lean_free(struct lean_conn *c);

/* headers: extra lines.  Connects when it is not connected; reconnects once
 * when a kept connection was closed before the first byte of an answer.  Not
 * while a request is under way; never calls back before it returns. */
void lean_send(struct lean_conn *c, struct str method, struct str path,
    struct str headers, struct str body, msec timeout_ms);

/* Between requests: the next one connects anew. */
void lean_close(struct lean_conn *c);

/* Requests that were sent twice: a kept connection was closed as they went out. */
uint64_t lean_resent(const struct lean_conn *c);

/* Leaves an answer before its end; done is not called.  Not from inside a hook. */
void lean_leave(struct lean_conn *c);

/* Bytes of the last request, head and body. */
size_t lean_bytes_out(const struct lean_conn *c);

#endif
