/*
 * net_port.c - connections without a socket, and answers that somebody else gives: a
 * request to /via/X is served as X by a port of the same server, and its answer comes
 * back through a tunnel.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "harness/test.h"
#include "base/mem.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes that the tunnel takes in one turn. */
#define WINDOW 1000

struct via {
	struct http_tunnel *tunnel;
	struct http_port *port;
	struct shard *shard;
	struct shard_job writable;
	size_t room;
	bool open;
};

static void
via_writable(struct shard_job *job)
{
	struct via *v = CONTAINER_OF(job, struct via, writable);

	v->room = WINDOW;
	http_port_writable(v->port);
}

static void
via_free(struct via *v)
{
	v->writable.run = (void (*)(struct shard_job *))free;
	if (v->writable.next == NULL)
		free(v);
}

/* ---- from the port ---------------------------------------------------------------- */

static size_t
via_write(void *ctx, const struct str *pieces, size_t n)
{
	struct via *v = ctx;
	size_t taken = 0;

	for (size_t i = 0; i < n && v->room > 0; i++) {
		struct str some = str_sub(pieces[i], 0, v->room);

		if (!v->open && str_starts(some, S("HTTP/1.1 101"))) {
			v->open = true;
			http_tunnel_open(v->tunnel);
		}
		http_tunnel_write(v->tunnel, some);
		v->room -= some.n;
		taken += some.n;
	}
	if (v->room == 0)
		shard_post(v->shard, &v->writable);
	return taken;
}

static void
via_paused(void *ctx, bool paused)
{
	(void)ctx, (void)paused;
}

static void
via_idle(void *ctx, struct str beat, msec every)
{
	CHECK(beat.n <= HTTP_PORT_BEAT && every > 0);
	http_tunnel_write(((struct via *)ctx)->tunnel, beat);
}

static void
via_closed(void *ctx, enum http_port_end how)
{
	struct via *v = ctx;

	if (how == HTTP_PORT_RESET)
		http_tunnel_abort(v->tunnel);
	else
		http_tunnel_end(v->tunnel, how == HTTP_PORT_KEEPS);
	via_free(v);
}

static const struct http_port_ops port_ops = {
	.write = via_write, .paused = via_paused, .idle = via_idle,
	.closed = via_closed,
};

/* ---- from the client --------------------------------------------------------------- */

static void
via_bytes(void *ctx, struct str bytes)
{
	http_port_bytes(((struct via *)ctx)->port, bytes);
}

static void
via_eof(void *ctx)
{
	http_port_eof(((struct via *)ctx)->port);
}

static void
via_empty(void *ctx)
{
	(void)ctx;
}

static void
via_gone(void *ctx)
{
	struct via *v = ctx;

	http_port_drop(v->port);
	via_free(v);
}

static const struct http_tunnel_ops tunnel_ops = {
	.bytes = via_bytes, .eof = via_eof, .empty = via_empty, .gone = via_gone,
};

/* What the handler sees of a client that a port was told of. */
static void
check_client(struct serve *s)
{
	static const struct { const char *told, *peer; bool secure, cert; } rows[] = {
		{ "127.0.0.1:9", "127.0.0.1:9", false, false },
		{ "127.0.0.1:9 tls", "127.0.0.1:9", true, false },
		{ "127.0.0.1:9 tls 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		  "127.0.0.1:9", true, true },
		/* By nobody's writing. */
		{ "127.0.0.1:9 tls 00010203", "127.0.0.1:9", true, false },
		{ "127.0.0.1:9 xyz 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		  "127.0.0.1:9", false, false },
		{ "", "", false, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_port *p = http_port_open(s->hs, s->shards[0], str_of(rows[i].told),
		    &port_ops, (void *)(uintptr_t)&rows[i]);
		struct http_conn *c = CONTAINER_OF(p, struct http_conn, port);
		char out[HTTP_PORT_CLIENT];
		struct http_req r = { .peer = str_of(c->peer), .secure = c->secure,
		    .cert = c->certified ? c->cert : NULL };

		CHECK_STR(str_of(c->peer), rows[i].peer);
		CHECK(c->secure == rows[i].secure && c->certified == rows[i].cert);
		if (rows[i].cert)
			CHECK_STR(((struct str){ out, http_port_client(&r, out) }), rows[i].told);
		http_port_drop(p);
	}
}

TEST(port_is_told_of_its_client)
{
	struct serve *s = serve_start(1);

	serve_on(s, 0, check_client);
	serve_stop(s);
}

static void
begin_via(struct serve *s, struct http_req *r)
{
	struct via *v = mem_new(struct via);
	struct buf b = BUF(2 * MB);

	buf_add_fmt(&b, "%.*s %.*s HTTP/1.1\r\n", FMT(r->method),
	    FMT(str_sub(r->path, 4, r->path.n)));
	for (size_t i = 0; i < r->headers_n; i++)
		buf_add_fmt(&b, "%.*s: %.*s\r\n", FMT(r->headers[i].name),
		    FMT(r->headers[i].value));
	buf_lit(&b, "\r\n");
	buf_add(&b, r->body);
	v->shard = r->shard;
	v->writable.run = via_writable;
	v->room = WINDOW;
	v->port = http_port_open(s->hs, r->shard, r->peer, &port_ops, v);
	CHECK(v->port != NULL);
	v->tunnel = http_tunnel_begin(r, &tunnel_ops, v);
	http_port_bytes(v->port, buf_str(&b));
	buf_release(&b);
}

/* ---- a WebSocket ------------------------------------------------------------------- */

static struct ws *socket_open;

static void
echo(void *ctx, struct str text)
{
	(void)ctx;
	ws_send_text(socket_open, text);
}

static void
socket_gone(void *ctx, unsigned code)
{
	CHECK_INT(code, WS_NORMAL);
	serve_tell(ctx, 'w');
}

static const struct ws_events socket_events = { .message = echo, .gone = socket_gone };

static void
handle(struct serve *s, struct http_req *r)
{
	if (str_starts(r->path, S("/via/"))) {
		begin_via(s, r);
	} else if (str_eq(r->path, S("/ws"))) {
		CHECK(r->through != NULL);
		CHECK_INT(ws_check(r, NULL), 0);
		socket_open = ws_begin(r, STR_NONE, STR_NONE, &socket_events, s);
	} else if (str_eq(r->path, S("/cut"))) {
		http_stream_begin(r, 200, S("text/plain"), STR_NONE);
		http_stream_write(r, S("half"));
		http_stream_abort(r);
	} else if (str_eq(r->path, S("/abort"))) {
		struct http_tunnel *t = http_tunnel_begin(r, &tunnel_ops, NULL);

		http_tunnel_write(t, S("HTTP/1.1 200 OK\r\n\r\nhalf"));
		http_tunnel_abort(t);
	} else {
		http_reply(r, 200, S("text/plain"), STR_NONE, r->body);
	}
}

static struct serve *
start(void)
{
	struct serve *s = serve_new(1);

	s->handle = handle;
	serve_run(s);
	return s;
}

/* ---- tests -------------------------------------------------------------------------- */

TEST(port_answers_as_a_socket_does)
{
	struct serve *s = start();
	char direct[4096], through[4096];
	int fd = dial(s);

	say(fd, S("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"));
	CHECK(hear(fd, direct, sizeof direct) > 0);
	say(fd, S("GET /via/stream HTTP/1.1\r\nHost: a\r\n\r\n"));
	CHECK(hear(fd, through, sizeof through) > 0);
	CHECK_STR(str_of(strstr(through, "\r\nContent-Type")), strstr(direct, "\r\nContent-Type"));
	/* The connection goes on, and so does one that has sent ahead. */
	say(fd, S("POST /via/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
	    "GET /via/missing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
	CHECK(hear(fd, through, sizeof through) > 0);
	CHECK(strstr(through, "\r\n\r\nhello") != NULL);
	CHECK_INT(hear_status(fd), 200);
	CHECK(hear_end(fd));
	CHECK_INT(atomic_load(&s->last_status), 200);
	serve_stop(s);
}

TEST(port_gives_a_large_answer_as_its_reader_takes_it)
{
	struct serve *s = start();
	size_t n = 300 * KB, size = 2 * n;
	char *out = mem_alloc(size);
	struct buf b = BUF(size);
	int fd = dial(s);

	buf_add_fmt(&b, "POST /via/echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", n);
	for (size_t i = 0; i < n; i++)
		buf_add_char(&b, (char)('a' + i % 23));
	say(fd, buf_str(&b));
	CHECK(hear(fd, out, size) > n);
	CHECK(memcmp(strstr(out, "\r\n\r\n") + 4, b.p + b.n - n, n) == 0);
	close(fd);
	free(out);
	buf_release(&b);
	serve_stop(s);
}

static void
begin_stream(struct serve *s)
{
	http_stream_begin(s->held, 200, S("text/plain"), STR_NONE);
	http_stream_write(s->held, S("first"));
}

static void
end_stream(struct serve *s)
{
	http_stream_end(s->held);
}

/* The handler at the other end hears of it as if the client were its own: the end of its
 * bytes is the end of a stream's client, and so is a reset. */
TEST(port_tells_that_the_client_left)
{
	const struct linger now = { .l_onoff = 1 };
	struct serve *s = start();

	for (int resets = 0; resets < 2; resets++) {
		int fd = dial(s);

		say(fd, S("GET /via/hold HTTP/1.1\r\nHost: a\r\n\r\n"));
		serve_wait(s, 'h');
		if (resets)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		else
			serve_on(s, 0, begin_stream);
		close(fd);
		serve_wait(s, 'g');
		if (resets)
			serve_on(s, 0, begin_stream);
		serve_on(s, 0, end_stream);
	}
	serve_stop(s);
}

/* A client must not take half an answer for the whole. */
TEST(port_that_is_cut_resets_the_client)
{
	struct serve *s = start();
	char out[4096];
	int fd = dial(s);

	say(fd, S("GET /via/cut HTTP/1.1\r\nHost: a\r\n\r\n"));
	hear_all(fd, out, sizeof out);
	CHECK(strstr(out, "0\r\n\r\n") == NULL);
	close(fd);
	serve_stop(s);
}

/* Without the head a client would ask again. */
TEST(tunnel_that_is_cut_sends_what_was_written)
{
	struct serve *s = start();
	char out[4096];
	int fd = dial(s);

	say(fd, S("GET /abort HTTP/1.1\r\nHost: a\r\n\r\n"));
	hear_until(fd, out, sizeof out, "half");
	close(fd);
	serve_stop(s);
}

TEST(port_carries_a_websocket)
{
	static const char hello[] = "\x81\x85\0\0\0\0hello", bye[] = "\x88\x82\0\0\0\0\x03\xe8";
	struct serve *s = start();
	char out[4096];
	int fd = dial(s);

	say(fd, S("GET /via/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
	hear_until(fd, out, sizeof out, "\r\n\r\n");
	CHECK(strncmp(out, "HTTP/1.1 101 ", 13) == 0);
	for (int i = 0; i < 3; i++) {
		say(fd, (struct str){ hello, sizeof hello - 1 });
		CHECK_INT(hear_until(fd, out, sizeof out, "hello"), 7);
	}
	say(fd, (struct str){ bye, sizeof bye - 1 });
	serve_wait(s, 'w');
	CHECK_INT(hear_until(fd, out, sizeof out, "\x03\xe8"), 4);
	CHECK(hear_end(fd));
	serve_stop(s);
}
