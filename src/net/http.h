/*
 * http.h - HTTP/1.1 server (RFC 9110, 9112) on llhttp and libuv.
 *
 * One http_server per process, one http_listener per shard, which accepts from all
 * addresses (SO_REUSEPORT; a Unix socket is shared).
 * Requests of one connection are answered in order; while one is open the
 * next stays unparsed.  The hook `head` sees a request when its head is there
 * and may answer at once; else the whole body is read, within the account of
 * all bodies (base/account.h), before the handler is called.
 *
 * A handler gets a request that stays valid until it has been answered, even
 * when the client is gone: it must call exactly one of http_reply or
 * http_stream_begin..http_stream_end.  Answers to a client that has left are
 * thrown away; http_on_gone tells early.
 *
 * Refused before any handler (RFC 9112 sections 6.1, 11.2): Transfer-Encoding
 * with Content-Length, several Content-Length, an encoding that does not end
 * in chunked, obs-fold, a bare CR, a blank before the colon, no or several
 * Host in HTTP/1.1, an absolute target of another scheme; several of a header
 * that says who asks (Authorization, X-Api-Key, Origin); %2F in the path; a
 * Content-Encoding (415).
 *
 * Threads: a request belongs to its listener's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/shard.h"

struct http_server;
struct http_conn;
struct http_req;
struct tls;
struct proxy_trust;

struct http_header { struct str name, value; };

/* The peer of a Unix socket. */
#define HTTP_PEER_UNIX "unix"

struct http_req {
	struct str method;                   /* "GET" */
	struct str path;                     /* percent-decoded, no query */
	struct str query;                    /* raw, without '?' */
	struct http_header *headers;
	size_t headers_n;
	struct str body;
	struct str peer;                     /* "127.0.0.1:4242"; HTTP_PEER_UNIX; the client that
	                                        a trusted proxy names, with port 0 if not told */
	struct arena arena;                  /* of this request */
	struct shard *shard;
	nsec started;
	bool keep_alive, head_only;          /* head_only: HEAD, body is not sent */
	bool http10;
	bool secure;                         /* it came by TLS */
	const uint8_t *cert;                 /* SHA-256 of the client's certificate, which was
	                                        verified; NULL: it showed none */
	void *user;                          /* the handler's own */
	const void *tag;                     /* the same, for the hook `done`: it
	                                        outlives the request's arena */
	uint64_t note[8];                    /* the handler's own, which outlives the arena too */
	void *held;                          /* the same: what `ends` or `done` gives back */
	void *through;                       /* the port it came by (http_port.h), which may
	                                        be gone; NULL: a socket */
	/* private */
	struct http_conn *conn;              /* NULL when the client is gone */
	void (*gone)(struct http_req *r);
	int status;
	bool streaming;
};

struct http_hooks {
	/* The head is complete and nothing of a body was kept: the place to
	 * refuse, with http_reply and before it returns; the request is gone
	 * then.  Else how large a body may be.  0: any is refused with 413.
	 * Never over LIMIT_HTTP_BODY_BYTES. */
	size_t (*head)(void *ctx, struct http_req *r);
	/* The request is complete, and was not answered. */
	void (*handle)(void *ctx, struct http_req *r);
	/* The server itself answers (400, 408, 413, 431, ...): the body to send. */
	void (*error_body)(void *ctx, int status, struct str message,
	    struct buf *out, struct str *content_type);
	/* Just before the last bytes of an answer are handed to the kernel: a client that has
	 * them may send its next request, by any connection.  Not when it left; may be NULL. */
	void (*ends)(void *ctx, struct http_req *r);
	/* After the last byte of an answer was handed to the kernel; for metrics
	 * and the access log.  Once for every request that was handled and every
	 * refusal; status 499 when the client left before an answer began.  May
	 * be NULL. */
	void (*done)(void *ctx, struct http_req *r, int status,
	    size_t bytes_out);
	void *ctx;
	struct str error_lines;              /* header lines with error_body's; may
	                                        be STR_NONE; outlives the server */
	/* Little has happened for a second, and the process has grown by some MB:
	 * what is kept for speed on this shard can go.  May be NULL. */
	void (*quiet)(void *ctx, struct shard *s);
};

/* An address to listen on. */
struct http_listen {
	struct str host;                     /* an IP address or localhost */
	uint16_t port;                       /* 0: any */
	struct str path;                     /* of a Unix socket (mode 0600), instead */
	bool tls;
};

struct http_options {
	const struct http_listen *at;        /* 1 to LIMIT_LISTEN; copied */
	size_t at_n;
	/* Sockets that listen already: those of the process before this one, or of systemd.
	 * The server owns them from the call on.  Each is matched to an address by its own name, a
	 * port 0 to any port, and those of one address are dealt to the shards in turn; a
	 * shard without one opens its own.  One of no address is closed.  A connection is served
	 * as if it had been accepted. */
	const int *inherited;
	size_t inherited_n;
	unsigned shards;                     /* that will attach */
	struct tls *tls;                     /* for addresses with TLS; outlives the server */
	const struct proxy_trust *trust;     /* proxies (proxy.h); NULL: none; outlives it too */
	bool proxy_protocol;                 /* their connections begin with its header */
	const struct http_hooks *hooks;      /* or NULL; see http_server_hook */
};

/* ERR_BUSY with a clear text when an address is taken, ERR_DENIED when not permitted.  The
 * name of a Unix socket that a dead server left is taken over. */
int  http_server_open(struct http_server **out, const struct http_options *o, struct err *e);
/* Of one address and no inherited sockets. */
int  http_server_new(struct http_server **out, struct str host, uint16_t port,
    const struct http_hooks *hooks, struct err *e);
/* Another process goes on: duplicates of all sockets that listen (close-on-exec), the caller's;
 * how many.  Any thread, before the first shard drains.  A drain takes at_most then, and leaves
 * open the connections that are idle by its end, if they are sockets without TLS.  The names of
 * Unix sockets stay when the server is freed. */
size_t http_server_hand_over(struct http_server *hs, msec at_most, int *fds, size_t max);
/* For a server made without hooks (NULL); before the first attach. */
void http_server_hook(struct http_server *hs, const struct http_hooks *hooks);
uint16_t http_server_port(const struct http_server *hs);       /* of the first address */
/* Of the nth; 0: a Unix socket. */
uint16_t http_server_port_at(const struct http_server *hs, size_t nth);
/* On the shard's thread (post it). */
int  http_server_attach(struct http_server *hs, struct shard *s, struct err *e);
/* Stops accepting, closes idle connections, lets open answers end for up to
 * LIMIT_HTTP_DRAIN_MS, then closes.  done runs on each shard when it is empty. */
void http_server_drain(struct http_server *hs, struct shard *s,
    void (*done)(void *ctx), void *ctx);
/* After all drained: the connections that were left open (close-on-exec), the caller's; how
 * many.  More than max are closed. */
size_t http_server_connections(struct http_server *hs, int *fds, size_t max);
void http_server_free(struct http_server *hs);           /* after all drained */
size_t http_server_conns(const struct http_server *hs);

/* Hands the body's buffer over, so that a request that waits for long holds it
 * no longer; r->body borrows from it.  buf_release it. */
struct buf http_take_body(struct http_req *r);

/* Case-insensitive; the first of that name, STR_NONE if absent. */
struct str http_header(const struct http_req *r, struct str name);
/* The nth (0..) value of a query parameter, percent- and plus-decoded into
 * the request's arena; false when there is no nth. */
bool http_query(struct http_req *r, struct str name, size_t nth, struct str *out);

/* content_type may be STR_NONE with an empty body.  extra: whole header lines
 * ("Name: value\r\n..."), may be STR_NONE.  The bytes are copied or sent
 * before it returns; r, its arena and its body are gone then. */
void http_reply(struct http_req *r, int status, struct str content_type,
    struct str extra, struct str body);

/* An answer waits for room in account_output: clients that have taken nothing
 * for LIMIT_HTTP_OUT_STILL_MS are cut, on all shards, until there is some. */
void http_want_room(struct http_req *r);

/* Chunked (or until close for HTTP/1.0).  After begin: any number of writes,
 * then end.  A write after the client has left does nothing. */
void http_stream_begin(struct http_req *r, int status, struct str content_type,
    struct str extra);
void http_stream_write(struct http_req *r, struct str bytes);
size_t http_stream_queued(const struct http_req *r);     /* not yet in the kernel */
void http_stream_end(struct http_req *r);    /* r is gone after this */
/* Resets the connection, so that nobody takes what has come for the whole
 * answer; what waits for the end of the turn is not sent.  r is gone. */
void http_stream_abort(struct http_req *r);

/* fn runs once when the client goes away before the answer has ended; r stays
 * valid and must still be answered (it is a no-op then).  Never from inside a
 * call of this header: at the end of the turn, also when it has left already.
 * A client that only ends its sending side is still there for http_reply; for
 * a streamed answer it has left. */
void http_on_gone(struct http_req *r, void (*fn)(struct http_req *r));
/* For an answer that is waited for: as with a streamed one, a client that ends its sending
 * side has left. */
void http_left_by_eof(struct http_req *r);

const char *http_status_text(int status);

#endif
