/*
 * lean.c - the load driver's client; see lean.h.
 *
 *              lean_send             connected             answer complete
 *   IDLE/NONE -----------> CONNECTING ---------> WAITING ------------------> IDLE
 *                                                  |  closed before a byte,
 *                                                  |  on a kept connection: once
 *                                                  +--> CONNECTING
 *
 * The socket is an object of its own, because libuv closes it in a later turn,
 * while lean_conn may connect a new one.
 *
 * A request is written with one uv_try_write; the rest goes through uv_write
 * from the same buffer, which is not changed until the answer is complete.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/lean.h"

#include <assert.h>
#include <llhttp.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <uv.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/route.h"

#define READ_BYTES (64 * KB)

enum lean_state { LEAN_NONE, LEAN_IDLE, LEAN_CONNECTING, LEAN_WAITING, LEAN_FAILED };

struct lean_socket {
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	struct lean_conn *conn;              /* NULL: abandoned */
	char *unsent;                        /* of an abandoned socket: freed with it */
};

struct lean_conn {
	struct shard *shard;
	const struct lean_target *target;
	const struct lean_hooks *hooks;
	void *ctx;
	struct lean_socket *socket;          /* NULL when not connected */
	enum lean_state state;
	struct buf out;                      /* the whole request */
	llhttp_t parser;
	struct wheel_timer timer;
	size_t bytes_in;                     /* of this answer */
	int fault;                           /* LEAN_FAILED: the rc for done */
	bool kept;                           /* the socket has served before */
	uint64_t resent;
	bool head_only, complete;
	bool in_hook, freed;
};

static int on_message_complete(llhttp_t *p);
static int on_headers_complete(llhttp_t *p);
static int on_body(llhttp_t *p, const char *at, size_t n);

static const llhttp_settings_t *
settings(void)
{
	static _Thread_local llhttp_settings_t s;

	if (s.on_body == NULL) {
		llhttp_settings_init(&s);
		s.on_headers_complete = on_headers_complete;
		s.on_message_complete = on_message_complete;
		s.on_body = on_body;
	}
	return &s;
}

static void
socket_closed(uv_handle_t *h)
{
	struct lean_socket *sock = CONTAINER_OF(h, struct lean_socket, tcp);

	free(sock->unsent);
	free(sock);
}

/* Abandons the socket.  A pending uv_write may still read the request's bytes,
 * so these are freed with it. */
static void
socket_drop(struct lean_conn *c)
{
	struct lean_socket *sock = c->socket;

	if (sock == NULL)
		return;
	c->socket = NULL;
	sock->conn = NULL;
	if (uv_stream_get_write_queue_size((uv_stream_t *)&sock->tcp) > 0) {
		struct str copy = buf_str(&c->out);

		sock->unsent = c->out.p;
		c->out = BUF(c->out.max);
		buf_add(&c->out, copy);
	}
	uv_close((uv_handle_t *)&sock->tcp, socket_closed);
}

static void
conn_finish(struct lean_conn *c, int rc)
{
	int status = c->parser.status_code;

	shard_timer_cancel(c->shard, &c->timer);
	if (rc != OK)
		socket_drop(c);
	c->state = c->socket != NULL ? LEAN_IDLE : LEAN_NONE;
	c->kept = true;
	c->hooks->done(c->ctx, rc, rc == OK ? status : 0, c->bytes_in);
}

/* A failure inside lean_send is reported after it has returned. */
static void
conn_fail_later(struct lean_conn *c, int rc)
{
	socket_drop(c);
	c->state = LEAN_FAILED;
	c->fault = rc;
	shard_timer_set(c->shard, &c->timer, 0);
}

static void
timer_fired(struct wheel_timer *t)
{
	struct lean_conn *c = CONTAINER_OF(t, struct lean_conn, timer);

	assert(c->state != LEAN_IDLE && c->state != LEAN_NONE);
	conn_finish(c, c->state == LEAN_FAILED ? c->fault : ERR_TIMEOUT);
}

static int
on_headers_complete(llhttp_t *p)
{
	struct lean_conn *c = p->data;

	if (c->hooks->head != NULL && p->status_code >= 200)
		c->hooks->head(c->ctx, p->status_code);
	if (c->freed)
		return -1;
	return c->head_only ? 1 : 0;         /* 1: no body follows */
}

static int
on_body(llhttp_t *p, const char *at, size_t n)
{
	struct lean_conn *c = p->data;

	if (c->hooks->data != NULL)
		c->hooks->data(c->ctx, (struct str){ at, n });
	return c->freed ? -1 : 0;
}

static int
on_message_complete(llhttp_t *p)
{
	struct lean_conn *c = p->data;

	if (p->status_code < 200)
		return 0;                    /* 100 Continue and the like */
	c->complete = true;
	return HPE_PAUSED;                   /* nothing may follow */
}

static void conn_connect(struct lean_conn *c);

static void
conn_closed(struct lean_conn *c)
{
	bool again = c->kept && c->bytes_in == 0;

	/* RFC 9112, 9.3.1: a kept connection may be closed at any time. */
	socket_drop(c);
	if (c->state == LEAN_IDLE) {
		c->state = LEAN_NONE;
		return;
	}
	if (!again) {
		conn_finish(c, ERR_CLOSED);
		return;
	}
	c->kept = false;
	c->resent++;
	conn_connect(c);
}

static void
conn_read(struct lean_conn *c, const char *p, size_t n)
{
	llhttp_errno_t rc;
	size_t used;

	c->bytes_in += n;
	c->in_hook = true;
	rc = llhttp_execute(&c->parser, p, n);
	c->in_hook = false;
	if (c->freed) {
		buf_release(&c->out);
		free(c);
		return;
	}
	if (!c->complete && rc == HPE_OK)
		return;
	if (!c->complete) {
		conn_finish(c, ERR_CLOSED);
		return;
	}
	used = (size_t)(llhttp_get_error_pos(&c->parser) - p);
	if (used < n || !llhttp_should_keep_alive(&c->parser))
		socket_drop(c);
	conn_finish(c, OK);
}

/* End of input, which ends an answer without a length. */
static void
conn_eof(struct lean_conn *c)
{
	if (c->state == LEAN_WAITING && c->bytes_in > 0) {
		llhttp_finish(&c->parser);
		if (c->complete) {
			socket_drop(c);
			conn_finish(c, OK);
			return;
		}
	}
	conn_closed(c);
}

/* Until on_read.  Not of the thread: every thread of the server would have it. */
static void
on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
	(void)h, (void)suggested;
	*out = uv_buf_init(mem_alloc(READ_BYTES), READ_BYTES);
}

/* c NULL: the socket was abandoned. */
static void
conn_take(struct lean_conn *c, ssize_t n, const char *bytes)
{
	if (c == NULL || n == 0)
		return;
	if (n == UV_EOF)
		conn_eof(c);
	else if (n < 0 || c->state != LEAN_WAITING)
		conn_closed(c);
	else
		conn_read(c, bytes, (size_t)n);
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	conn_take(CONTAINER_OF(stream, struct lean_socket, tcp)->conn, n, b->base);
	free(b->base);
}

static void
on_written(uv_write_t *req, int status)
{
	struct lean_socket *sock = CONTAINER_OF(req, struct lean_socket, write);

	if (status < 0 && sock->conn != NULL)
		conn_closed(sock->conn);
}

/* Sends the request on the connected socket. */
static int
conn_write(struct lean_conn *c)
{
	uv_stream_t *stream = (uv_stream_t *)&c->socket->tcp;
	uv_buf_t b = uv_buf_init(c->out.p, (unsigned)c->out.n);
	int n = uv_try_write(stream, &b, 1);

	if (n < 0 && n != UV_EAGAIN)
		return ERR_CLOSED;
	n = n < 0 ? 0 : n;
	if ((size_t)n == c->out.n)
		return OK;
	b = uv_buf_init(c->out.p + n, (unsigned)(c->out.n - (size_t)n));
	return uv_write(&c->socket->write, stream, &b, 1, on_written) == 0 ? OK :
	    ERR_CLOSED;
}

static void
on_connect(uv_connect_t *req, int status)
{
	struct lean_socket *sock = CONTAINER_OF(req, struct lean_socket, connect);
	struct lean_conn *c = sock->conn;

	if (c == NULL)
		return;
	c->state = LEAN_WAITING;
	if (status < 0 || conn_write(c) != OK ||
	    uv_read_start((uv_stream_t *)&sock->tcp, on_alloc, on_read) != 0)
		conn_closed(c);
}

static void
conn_connect(struct lean_conn *c)
{
	struct lean_socket *sock = mem_new(struct lean_socket);
	const struct sockaddr *addr = (const void *)c->target->addr;

	assert(c->socket == NULL);
	sock->conn = c;
	uv_tcp_init(shard_loop(c->shard), &sock->tcp);
	c->socket = sock;
	c->state = LEAN_CONNECTING;
	if (uv_tcp_connect(&sock->connect, &sock->tcp, addr, on_connect) != 0) {
		conn_fail_later(c, ERR_CLOSED);
		return;
	}
	uv_tcp_nodelay(&sock->tcp, 1);
}

struct lean_conn *
lean_new(struct shard *s, const struct lean_target *t, const struct lean_hooks *hooks,
    void *ctx)
{
	struct lean_conn *c = mem_new(struct lean_conn);

	assert(hooks->done != NULL);
	c->shard = s;
	c->target = t;
	c->hooks = hooks;
	c->ctx = ctx;
	c->out = BUF(LIMIT_HTTP_BODY_BYTES + LIMIT_HTTP_HEADER_BYTES);
	c->timer.fire = timer_fired;
	return c;
}

void
lean_free(struct lean_conn *c)
{
	if (c == NULL)
		return;
	shard_timer_cancel(c->shard, &c->timer);
	socket_drop(c);
	c->freed = true;
	if (c->in_hook)
		return;                      /* the parser is on the stack */
	buf_release(&c->out);
	free(c);
}

void
lean_close(struct lean_conn *c)
{
	assert(c->state == LEAN_NONE || c->state == LEAN_IDLE);
	socket_drop(c);
	c->state = LEAN_NONE;
}

void
lean_leave(struct lean_conn *c)
{
	assert(!c->in_hook);
	shard_timer_cancel(c->shard, &c->timer);
	socket_drop(c);
	c->state = LEAN_NONE;
}

static void
request_write(struct lean_conn *c, struct str method, struct str path,
    struct str headers, struct str body)
{
	struct buf *b = &c->out;

	buf_clear(b);
	buf_add(b, method);
	buf_add_char(b, ' ');
	buf_add(b, str_of(c->target->base_path));
	buf_add(b, path);
	buf_lit(b, " HTTP/1.1\r\nHost: ");
	buf_add(b, str_of(c->target->host_header));
	buf_lit(b, "\r\n");
	buf_add(b, headers);
	if (body.n > 0) {
		buf_lit(b, "Content-Type: application/json\r\nContent-Length: ");
		buf_add_u64(b, body.n);
		buf_lit(b, "\r\n");
	}
	buf_lit(b, "\r\n");
	buf_add(b, body);
	assert(!b->failed);
}

void
lean_send(struct lean_conn *c, struct str method, struct str path,
    struct str headers, struct str body, msec timeout_ms)
{
	assert(c->state == LEAN_NONE || c->state == LEAN_IDLE);
	assert(!c->in_hook);                 /* from done, not from head or data */
	request_write(c, method, path, headers, body);
	llhttp_init(&c->parser, HTTP_RESPONSE, settings());
	c->parser.data = c;
	c->head_only = str_eq(method, S("HEAD"));
	c->complete = false;
	c->bytes_in = 0;
	shard_timer_set(c->shard, &c->timer, timeout_ms);
	if (c->state == LEAN_IDLE) {
		c->state = LEAN_WAITING;
		if (conn_write(c) == OK)
			return;
		socket_drop(c);              /* it was closed: connect again */
	}
	c->kept = false;
	conn_connect(c);
}

uint64_t
lean_resent(const struct lean_conn *c)
{
	return c->resent;
}

size_t
lean_bytes_out(const struct lean_conn *c)
{
	return c->out.n;
}

static bool
accepts(const struct addrinfo *ai)
{
	struct timeval patience = { .tv_sec = 1 };
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = fd >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
	    connect(fd, ai->ai_addr, ai->ai_addrlen) == 0;

	if (fd >= 0)
		close(fd);
	return yes;
}

static const struct addrinfo *
choose_address(const struct addrinfo *first)
{
	const struct addrinfo *ai = first;

	if (first->ai_next == NULL)
		return first;
	while (ai != NULL && !accepts(ai))
		ai = ai->ai_next;
	return ai != NULL ? ai : first;
}

int
lean_resolve(struct str url, struct lean_target *out, struct err *e)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char host[ROUTE_HOST_MAX + 1], port[8];
	struct addrinfo *all = NULL;
	const struct addrinfo *ai;
	struct route r;
	struct str path;
	int rc = route_parse(url, &r, e);

	if (rc != OK)
		return rc;
	path = r.path;
	while (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	if (r.tls)
		return err_set(e, ERR_INVALID, "%.*s: plain http only, https would "
		    "measure the TLS library", FMT(url));
	if (path.n >= sizeof out->base_path || (path.n > 0 && path.p[0] != '/'))
		return err_set(e, ERR_INVALID, "%.*s: bad or too long a path", FMT(url));
	*out = (struct lean_target){ 0 };
	snprintf(host, sizeof host, "%.*s", FMT(r.host));
	snprintf(port, sizeof port, "%u", r.port);
	rc = getaddrinfo(host, port, &hints, &all);
	if (rc != 0)
		return err_set(e, ERR_CLOSED, "%s: %s", host, gai_strerror(rc));
	ai = choose_address(all);
	assert(ai->ai_addrlen <= sizeof out->addr);
	memcpy(out->addr, ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(all);
	snprintf(out->host_header, sizeof out->host_header,
	    strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
	snprintf(out->base_path, sizeof out->base_path, "%.*s", FMT(path));
	return OK;
}
