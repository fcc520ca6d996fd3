/*
 * http_priv.h - what the files of the HTTP server share.
 *
 *   http_parse.c   bytes -> request; no sockets, no clock
 *   http_out.c     bytes that wait for the kernel
 *   http_turn.c    shared blocks that are sent in one turn, and slow readers
 *   http_conn.c    one connection: its states, deadlines, order of requests
 *   http_send.c    its bytes to its wire
 *   http_socket.c  a wire that is a socket
 *   http_tls.c     a wire that is a socket with TLS
 *   http_proxied.c clients that come through proxies
 *   http_port.c    a wire that is functions
 *   http_tunnel.c  an answer that somebody else gives byte for byte
 *   http_room.c    what connections hold of the process's accounts, and who goes
 *   http_reply.c   answers: head, body, stream
 *   http_listen.c  addresses and their sockets
 *   http_server.c  listeners, accepting, draining
 *   sse.c          events on top of a streamed answer
 *   ws.c           a WebSocket instead of an answer; ws_read.c: from bytes to
 *                  messages, no sockets, no clock
 *
 * Nothing here calls out (gone, handle) from inside a call that a handler
 * made: a failed write is noted, and told at the end of the turn.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_HTTP_PRIV_H
#define NET_HTTP_PRIV_H

#include <netinet/in.h>
#include <pthread.h>
#include <sys/un.h>
#include <uv.h>
#include "base/check.h"
#include "base/hmac.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"
#include "net/files_priv.h"
#include "net/http.h"
#include "net/http_port.h"
#include "net/http_tunnel.h"
#include "net/sse.h"
#include "net/ws.h"
#include "net/ws_priv.h"

#define PEER_MAX    64                       /* "[v6 address]:65535" fits */
#define READ_SIZE   (64 * KB)                /* one buffer a shard */
#define RECORD_SIZE (16 * KB)                /* of TLS, at most */
#define KEPT_MAX    (64 * KB)                /* read ahead of an open answer */
#define PIECES_MAX  64                       /* of one write */
#define CONN_MARK     0x636f6e6eu
#define REQUEST_MARK  0x72657175u
#define LISTENER_MARK 0x6c697374u
#define SERVER_MARK   0x73657276u
#define HEAD_FREE   (4 * KB)                 /* of a head, or read ahead: not charged */

/* The limits a server runs with: those of limits.h, smaller in tests. */
struct http_limits {
	msec header, body, body_slow, body_still, out_still, idle, idle_min, drain, linger;
	msec handshake;
	size_t body_rate;                    /* bytes a second */
	size_t conns, sse_queue;
	msec heartbeat, ws_ping;
	struct ws_limits ws;
	size_t ws_unread;
};

/* Blocks in the order they go on the wire.  `skip` bytes of the first are
 * sent; `room` bytes behind the last are free, when it is a private copy. */
struct out {
	struct sse_block **ring;
	uint32_t first, n, cap;
	size_t skip, bytes, room;
	bool waits;                          /* its blocks are charged */
};

/* Bytes to send; with a block they are queued by reference, else copied. */
struct piece {
	const char *p;
	size_t n;
	struct sse_block *block;
};

/* What is sent in a turn, to leave at its end.  See http_turn.c. */
struct turn {
	struct out out;
	size_t allowed;                      /* may wait in the connection */
	size_t taken;                        /* http_conn_taken at the last turn */
	bool started;                        /* the first blocks are out */
};

struct sse {
	struct http_req *r;
	void (*gone)(void *ctx);
	void *ctx;
	struct turn turn;
	struct wheel_timer beat;
	nsec beat_at;
	bool bare;                           /* heartbeats without a blank line */
	bool away;                           /* whoever has the client makes them */
};

struct ws {
	struct http_req *r;
	const struct ws_events *on;
	void *ctx;
	struct turn turn;
	struct ws_read read;
	struct wheel_timer beat;
	nsec second;                         /* when `controls` began to count */
	unsigned controls;                   /* control frames of the client */
	bool asked;                          /* pinged, and nothing came since */
	bool full;                           /* its client reads less than it asks for */
	bool held;                           /* see ws_hold */
};

struct http_tunnel {
	struct http_req *r;
	const struct http_tunnel_ops *ops;
	void *ctx;
	bool open;                           /* the client's bytes come too */
	bool ended;                          /* their end was told */
};

struct http_listener;
struct http_door;

/* One request and its answer.  Lives in the listener's pool. */
struct request {
	struct http_req r;                   /* first: they convert */
	unsigned mark;
	struct http_listener *l;             /* NULL in parser tests */
	struct request *next;                /* in the pool */
	struct buf head, body;
	size_t charged;                      /* of account_bodies for the two */
	size_t headers_cap;
	uint64_t length;                     /* Content-Length */
	bool has_length, chunked, expects, wants_keep;
	/* The answer. */
	bool framed;                         /* chunks, not until close */
	bool answered;                       /* the handler is through with it */
	bool refused;                        /* answered by the server itself */
	bool close;                          /* the connection ends after it */
	bool left_by_eof;                    /* see http_left_by_eof */
	bool gone_told, dead;
	size_t bytes_out;
	void (*flush)(struct http_conn *c);  /* at the end of the turn */
	struct shard_job late;               /* tells gone after the fact */
	void (*empty)(void *ctx);            /* see sse_when_empty; NULL: not asked for */
	void *empty_ctx;
	union {
		struct sse sse;
		struct ws ws;                /* of an upgraded one */
		struct http_tunnel tunnel;
	};
	uint8_t cert[SHA256_SIZE];           /* r.cert, if it has one */
	char peer[PEER_MAX];
};

/* What one request holds of account_bodies: heads of the usual size are free,
 * twenty thousand of them are 80 MB. */
static inline size_t
request_holds(const struct request *q)
{
	return (q->head.cap > HEAD_FREE ? q->head.cap : 0) + q->body.cap;
}

/* Gives the account what the buffers no longer hold. */
void http_request_give_back(struct request *q);
/* It is answered and waits for its client: what its handler had goes. */
void http_request_drop_parts(struct request *q);
/* It lasts (a socket, an event stream): so does what is not of its head. */
void http_request_fit(struct request *q);

/* Of a request with a listener. */
static inline struct request *
request_of(struct http_req *r)
{
	struct request *q = (struct request *)(void *)r;

	CHECK_MARK(q, REQUEST_MARK);
	assert(!q->dead);
	return q;
}

/* http_parse.c */

enum parse_result {
	PARSE_MORE,                          /* needs more bytes */
	PARSE_HEAD,                          /* a body follows: http_parse_allow */
	PARSE_DONE,
	PARSE_REFUSED                        /* status and why are set */
};

enum parse_state {
	IN_BREAKS,                           /* empty lines before a request */
	IN_HEAD, AT_BODY, IN_LENGTH,
	/* Chunks, in the order they come. */
	IN_SIZE_FIRST, IN_SIZE, IN_EXTENSION, AT_SIZE_LF, IN_DATA,
	AT_DATA_CR, AT_DATA_LF,
	IN_TRAILER_FIRST, IN_TRAILER, AT_TRAILER_LF, AT_END_LF,
	IN_NOTHING
};

struct http_parse {
	struct request *req;
	enum parse_state state;
	bool cr, first_line;
	size_t line, first_n;                /* bytes of this line; of the first */
	uint64_t left;                       /* of the body or the chunk */
	size_t body_max, framing;
	int status;
	const char *why;
};

void http_parse_begin(struct http_parse *p, struct request *q);
/* Takes bytes from *at on; what is left belongs to the next request. */
enum parse_result http_parse_feed(struct http_parse *p, const char **at, const char *end);
/* After PARSE_HEAD.  false: refused, a body so large is not wanted. */
bool http_parse_allow(struct http_parse *p, size_t body_max);
/* After PARSE_HEAD, and an answer.  Is the body small enough to be read over? */
bool http_parse_can_skip(const struct http_parse *p);
void http_parse_skip(struct http_parse *p);       /* the request may be gone */
/* Decodes %XX, and + of a form, into `to`, which may be s itself; the length, or -1
 * for a bad escape or %00. */
ptrdiff_t http_decode(struct str s, char *to, bool form);
void http_request_init(struct request *q);
void http_request_clear(struct request *q);       /* for the next request */
void http_request_release(struct request *q);

/* http_out.c */

void http_out_release(struct out *o);
void http_out_push(struct out *o, struct sse_block *b);       /* takes a reference */
void http_out_copy(struct out *o, const char *p, size_t n);
unsigned http_out_iov(const struct out *o, uv_buf_t *iov, unsigned max, size_t *bytes);
void http_out_sent(struct out *o, size_t n);

/* http_turn.c */

/* The one way to send a block.  Its connection is there, and has not failed. */
void http_turn_push(struct http_conn *c, struct turn *t, struct sse_block *b);
/* Sends them, in one chunk if the answer is chunked.  A reader too far behind
 * fails. */
void http_turn_flush(struct http_conn *c, struct turn *t, bool chunked);
/* A chunk's size line; its length. */
size_t http_turn_size(char out[20], size_t bytes);
/* Bytes that have not left. */
size_t http_turn_queued(const struct http_conn *c, const struct turn *t);
/* empty(ctx) runs once, at the end of a turn, when none are left. */
void http_turn_when_empty(struct request *q, void (*empty)(void *ctx), void *ctx);

/* http_conn.c */

struct conn_state;

/* What bytes go through.  Nothing of it calls back from inside, but for what is given
 * by http_port_* in a call of the port's user. */
struct wire {
	/* Bytes that were taken at once; or an error of libuv's, UV_EAGAIN too. */
	int (*send)(struct http_conn *c, const uv_buf_t *iov, unsigned n);
	/* Calls http_conn_written when they, or some, were taken. */
	int (*wait)(struct http_conn *c, const uv_buf_t *iov, unsigned n);
	size_t (*waiting)(const struct http_conn *c);        /* of them, not taken yet */
	void (*read)(struct http_conn *c, bool on);
	bool (*shut)(struct http_conn *c);   /* ends our sending side; false: it cannot */
	bool (*silent)(const struct http_conn *c);   /* nothing of the client waits */
	void (*close)(struct http_conn *c, bool reset);      /* http_conn_closed follows */
	bool descriptor;                     /* it is an open file */
	bool passes;                         /* and another process can go on with it */
	bool opens;                          /* http_conn_opened follows, after a handshake */
};

/* Of a client whose proxy says first who it is; see http_proxied.c. */
struct http_proxied {
	uv_poll_t poll;
	char *head;
	size_t n;
	int fd;
	bool tls, ends;                      /* the next wire; the poll is closing */
};

struct http_tls {
	uv_poll_t poll;
	struct ssl_st *ssl;                  /* NULL until the client has said something */
	int fd, armed;
	bool open;                           /* the handshake is done */
	bool reads;                          /* bytes are wanted */
	bool writes;                         /* some wait for the socket */
	bool read_writes;                    /* OpenSSL has to write before it reads on */
	bool eof, broken, gone;              /* broken: no word of TLS may be sent */
	size_t charged;                      /* of account_tls */
	struct shard_job more;               /* OpenSSL has read more than was taken */
};

struct http_port {
	const struct http_port_ops *ops;     /* NULL: nobody is told any more */
	void *ctx;
	struct shard_job closing;
	enum http_port_end how;
};

struct http_conn {
	unsigned mark;
	const struct wire *wire;
	union {
		struct { uv_tcp_t tcp; uv_write_t write; };
		struct http_tls tls;
		struct http_proxied proxied;
		struct http_port port;
	};
	struct http_listener *l;
	struct list all;                     /* of the listener's */
	struct list idle;                    /* while it is idle, or opens */
	const struct conn_state *state;
	struct request *req;                 /* being read or answered */
	struct http_parse parse;
	struct wheel_timer timer;
	nsec deadline, armed_at;
	struct shard_job turn;
	struct buf kept;                     /* read, not yet parsed */
	size_t kept_charged;                 /* of account_bodies for it */
	/* The body under way: the last read, the time it has taken, and when it
	 * last was moved_n long. */
	nsec read_at, spent, moved_at;
	size_t moved_n;
	struct out out;
	size_t writing, unsent;              /* bytes of `write` under way; of
	                                        them, at the last look */
	size_t taken;                        /* by the kernel, out of the queue */
	size_t taken_seen;                   /* at the last look */
	size_t backlog_taken;                /* with LIMIT_HTTP_OUT_BYTES waiting */
	nsec backlog_turn;                   /* when that was; 0: never */
	nsec taken_at;                       /* of the look that saw it grow */
	bool feeding, eof, failed, closed, stopped;
	bool skips;                          /* answered before its body came */
	bool held;                           /* upgraded, and nothing is to be read */
	bool trusted;                        /* the peer is a proxy that is believed */
	bool secure, certified;              /* r.secure; it has a certificate: */
	uint8_t cert[SHA256_SIZE];
	char peer[PEER_MAX];
};

static inline struct http_conn *
conn_of(struct list *all)
{
	return CONTAINER_OF(all, struct http_conn, all);
}

/* Idle, and not read yet. */
struct http_conn *http_conn_new(struct http_listener *l, const struct wire *wire);
/* From the wire. */
void http_conn_bytes(struct http_conn *c, const char *at, size_t n);
void http_conn_eof(struct http_conn *c);
void http_conn_closed(struct http_conn *c);
/* n bytes of those under way were taken; error < 0: no more will be. */
void http_conn_written(struct http_conn *c, size_t n, int error);
/* Takes fd, also when it fails. */
void http_conn_accept(struct http_door *d, int fd, const struct sockaddr_storage *peer);
/* The same, with TLS. */
void http_tls_accept(struct http_door *d, int fd, const struct sockaddr_storage *peer);
/* The same, of a proxy with a header of the PROXY protocol; false: it is none, fd is the
 * caller's. */
bool http_proxied_accept(struct http_door *d, int fd, const struct sockaddr_storage *peer);
/* The parts of them that come after it. */
void http_socket_begin(struct http_conn *c, int fd);
void http_tls_begin(struct http_conn *c, int fd);
/* Of c->req, whose headers are there: its client as proxies tell. */
void http_forwarded(struct http_conn *c);
bool http_tls_shakes(const struct http_conn *c);  /* its handshake holds memory */
void http_tls_slow(struct http_conn *c);          /* its handshake took too long */
void http_conn_opened(struct http_conn *c);       /* its handshake is done */
void http_conn_schedule(struct http_conn *c);     /* conn_turn at the end of the turn */
void http_conn_fail(struct http_conn *c);         /* lost, told at the end of the turn */
void http_conn_lost(struct http_conn *c);         /* lost, told now */
void http_conn_drop(struct http_conn *c);         /* closes; nobody is told */
void http_conn_reset(struct http_conn *c);        /* as http_conn_drop; not in good order */
/* Closes when nothing is under way; a request that is half sent has to move. */
void http_conn_drain(struct http_conn *c);
bool http_conn_is_idle(const struct http_conn *c);       /* nothing of a request is read */
int  http_conn_socket(const struct http_conn *c);        /* of one that passes */
void http_conn_answering(struct http_conn *c);    /* the answer is queued whole */
void http_conn_upgrade(struct http_conn *c);      /* from here on bytes are ws.c's */
void http_conn_tunnel(struct http_conn *c);       /* http_tunnel.c's */
/* Stops reading, or goes on at the end of the turn.  Of an upgraded one or a tunnel. */
void http_conn_hold(struct http_conn *c, bool held);
/* Refuses a body or a message that has not moved since, unless it is being fed: its feeder
 * refuses it.  False: there is none. */
bool http_conn_shed_body(struct http_conn *c, nsec since);

bool http_conn_is_closed(const struct http_conn *c);
/* Of its state: in so long, or the state's own limit. */
void http_conn_deadline(struct http_conn *c, msec ms);
void http_conn_limit(struct http_conn *c);
void http_conn_sent(struct http_conn *c);         /* has everything left? */

/* http_send.c */

void http_conn_send(struct http_conn *c, const struct piece *pieces, size_t n);
void http_conn_queue(struct http_conn *c, struct str bytes);  /* leaves at turn end */
/* Gives the kernel what waits; what it does not take is written later. */
void http_conn_flush(struct http_conn *c);
void http_conn_write_timeout(struct http_conn *c);

/* Bytes that the client took out of the queue since it connected. */
size_t http_conn_taken(const struct http_conn *c);
/* Lost, at once, with what waits for it.  Not from a handler's call. */
void http_conn_cut(struct http_conn *c, const char *why);

/* http_room.c */

/* Takes for what c->req holds, from others if need be.  False: there is none
 * left. */
bool http_room_for_request(struct http_conn *c);
void http_room_for_kept(struct http_conn *c);     /* fails c when there is none */
void http_room_give_kept(struct http_conn *c);    /* frees it */
/* Called before more waits: fails a client with LIMIT_HTTP_OUT_BYTES waiting that
 * has read nothing of it since the last call. */
void http_room_check_backlog(struct http_conn *c);
void http_room_for_output(struct http_conn *c);   /* something waits in c */
void http_room_listener_init(struct http_listener *l);
void http_room_listener_ended(struct http_listener *l);   /* something is over */
void http_room_listener_stop(struct http_listener *l);
void http_listener_free_pool(struct http_listener *l);

/* http_reply.c */

void http_refuse(struct http_conn *c, int status, struct str why);
void http_stream_open(struct http_req *r, int status, struct str content_type,
    struct str fixed, struct str extra);
void http_request_end(struct request *q);         /* done hook, back to the pool */
/* 101 with these header lines; the connection ends with it. */
void http_upgrade(struct http_req *r, struct str lines);

/* ws.c */

/* Its message, which does not move, goes: others need the room. */
void ws_conn_shed(struct http_conn *c);
/* Bytes of an upgraded connection that is not held; how many it took.  Fewer: it
 * was held or has ended. */
size_t ws_conn_bytes(struct http_conn *c, const char *at, size_t n);

/* http_port.c */

bool http_conn_is_port(const struct http_conn *c);
/* Nothing waits: it asks for `beat` each `every`, until something is sent. */
void http_port_idle(struct http_conn *c, struct str beat, msec every);

/* http_tunnel.c */

/* Of a tunnel; how many it took.  Fewer: it was held or has ended. */
size_t http_tunnel_bytes(struct http_conn *c, const char *at, size_t n);
void http_tunnel_eof(struct http_conn *c);

/* http_server.c */

/* Its listener on this shard; NULL: it has none. */
struct http_listener *http_listener_find(struct http_server *hs, const struct shard *s);

/* Where clients come from: an address, and its sockets no shard has yet. */
struct http_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
		struct sockaddr_storage room;
	} name;
	socklen_t size;
	uint16_t port;
	/* All shards accept from one socket, the first of `ready`, by duplicates. */
	bool shared;
	bool tls;
	int *ready;
	size_t ready_n, ready_cap;
	dev_t made_dev;                      /* of a Unix socket's name; ino 0: none */
	ino_t made_ino;
};

/* A listening socket of a shard. */
struct http_door {
	uv_poll_t poll;
	struct http_listener *l;
	const struct http_address *at;
	int fd;                              /* guarded by the server's lock */
};

/* http_listen.c */

int  http_listen_open(struct http_server *hs, const struct http_options *o, struct err *e);
/* The sockets for the next shard that attaches, appended to its doors. */
int  http_listen_take(struct http_listener *l, struct err *e);
void http_listen_close(struct http_server *hs);  /* those that no shard has */

struct http_listener {
	unsigned mark;
	struct http_server *hs;
	struct shard *shard;
	struct http_listener *next;
	struct http_door **doors;
	size_t doors_n, doors_cap;
	size_t listening;                    /* doors that are polled */
	bool paused;                         /* it does not accept, `retry` is set */
	bool draining, told;
	struct wheel_timer retry, drain_end;
	struct wheel_timer trim;             /* runs while there is traffic */
	unsigned ended;                      /* since it was set */
	struct mem_level level;              /* of the last one */
	struct shard_job shed_job;           /* there is too little room */
	atomic_bool shed_posted;
	nsec shed_at;
	atomic_size_t largest;               /* queue, at most; exact after a look */
	atomic_bool wanted;                  /* an answer waits for room */
	struct list conns;
	struct list idle;                    /* the longest idle first */
	struct list opening;                 /* their handshakes; the oldest first */
	size_t idle_n, opening_n;
	struct files_lender *lender;         /* of the idle ones */
	struct request *pool;
	size_t pool_n, requests;             /* requests in use */
	struct buf scratch;                  /* the head being written */
	struct buf errors;                   /* an error body */
	msec date_at;                        /* second of `date` */
	char date[32];
	void (*done)(void *ctx);
	void *done_ctx;
	struct shard_job told_job;
	char read[READ_SIZE];
	char record[RECORD_SIZE];            /* small pieces, for TLS */
};

struct http_server {
	unsigned mark;
	struct http_hooks hooks;
	struct tls *tls;                     /* or NULL */
	const struct proxy_trust *trust;     /* or NULL */
	bool proxy_protocol;
	struct http_limits limits;
	struct http_address at[LIMIT_LISTEN];
	size_t at_n;
	unsigned shards;                     /* that will attach */
	unsigned attached;
	bool hands_over;                     /* to another process */
	int *given;                          /* connections: of the process before, until */
	size_t given_n, given_cap;           /* shards attach; at the end, for the next one */
	size_t given_part;                   /* of them, that one shard takes */
	pthread_mutex_t lock;                /* of sockets and listeners */
	struct http_listener *listeners;
	atomic_size_t conns;
};

/* For tests, before the first attach. */
struct http_limits *http_server_limits(struct http_server *hs);

void http_conn_name_peer(struct http_conn *c, const struct sockaddr_storage *a);
struct request *http_listener_request(struct http_listener *l);
void http_listener_return(struct http_listener *l, struct request *q);
void http_listener_conn_closed(struct http_listener *l, struct http_conn *c);
/* It may be idle while l drains: another process goes on with it. */
bool http_listener_hands_over(const struct http_listener *l, const struct http_conn *c);
void http_listener_idle(struct http_listener *l, struct http_conn *c);
void http_listener_busy(struct http_listener *l, struct http_conn *c);
/* The same for those whose handshake is under way. */
void http_listener_opening(struct http_listener *l, struct http_conn *c);
void http_listener_opened(struct http_listener *l, struct http_conn *c);
/* The oldest but c goes. */
void http_listener_shed_opening(struct http_listener *l, const struct http_conn *c);

#endif
