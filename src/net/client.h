/*
 * client.h - HTTP client on libcurl's multi_socket interface: TLS, HTTP/2,
 * proxies.  One per shard.
 *
 * Host names are resolved through the loop's own resolver with a cache and
 * handed to libcurl (its own resolver makes a thread a transfer).  The CA
 * bundle is loaded once a client (CAINFO with CAPATH off).  Proxies come from
 * the environment, by libcurl's names; loopback never goes through one.
 * Redirects are not followed.  A compressed answer is decoded, asked for or
 * not; body_max counts what comes out.  A hook may start and cancel calls.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include "base/buf.h"
#include "net/shard.h"

struct client;
struct client_call;

struct client_request {
	struct str method;                   /* "POST" */
	struct str url;
	struct str headers;                  /* lines "Name: value\r\n"; copied */
	struct str body;                     /* copied */
	msec connect_ms, silence_ms;         /* 0: the limits' defaults */
	bool public_only;                    /* a name that has a private address (host.h) is
	                                        not asked: ERR_DENIED; an address, localhost
	                                        and what a proxy asks may be */
	unsigned refuse;                     /* HOST_BIT of kinds of addresses that are not
	                                        connected to, however they are named:
	                                        ERR_DENIED.  Then the connection is this
	                                        call's alone.  A proxy asks whom it will */
	size_t body_max;                     /* of the answer; past it ERR_TOOBIG;
	                                        0: LIMIT_LLM_BODY_BYTES */
};

struct client_answer {
	int status;                          /* 0 before the head arrived */
	struct str content_type, retry_after;    /* borrowed; empty if absent */
	struct str retry_after_ms, location;     /* the same */
	struct str mcp_session;              /* Mcp-Session-Id; the same */
	int64_t max_age;                     /* of Cache-Control, seconds; -1: none */
};

struct client_hooks {
	/* The head is here (once, the final one). May be NULL. */
	void (*head)(void *ctx, const struct client_answer *a);
	/* Bytes of the body, any status. */
	void (*data)(void *ctx, struct str bytes);
	/* The end; nothing is called after it and the call is gone.  rc: OK (any
	 * status), ERR_TIMEOUT, ERR_CLOSED (connect failed, reset, cut short,
	 * no HTTP),
	 * ERR_TOOBIG, ERR_INVALID (the URL), ERR_DENIED (public_only, refuse).  e says which. */
	void (*done)(void *ctx, int rc, const struct client_answer *a,
	    const struct err *e);
	void *ctx;
};

/* Connections to servers, of all clients: those that have answered once, those of them that
 * wait to be used again, and requests that found one of these.  Any thread. */
struct client_pool { uint64_t open, idle, reused; };
void client_pool(struct client_pool *out);

int  client_new(struct client **out, struct shard *s, struct err *e);
/* Cancels what is under way, silently.  Not from inside a hook. */
void client_free(struct client *c);

/* Never calls back before it returns.  NULL never. */
struct client_call *client_start(struct client *c,
    const struct client_request *req, const struct client_hooks *hooks);
void client_cancel(struct client_call *call);    /* no callback follows */

/* Once a process, before any thread. */
int client_global_init(struct err *e);

#endif
