/*
 * bench_lean.c - the load driver's client against a peer of plain sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/lean.h"
#include "net/client.h"
#include "unit/net_peer.h"

/* Sends `left` requests one after the other, then stops the loop. */
struct driver {
	struct shard *shard;
	struct lean_conn *conn;
	struct lean_target target;
	int left, ok, failed, last_rc, last_status;
	msec timeout_ms;
	struct str method, body;
	char text[512];
	size_t text_n, bytes_in;
};

static void
send_next(struct driver *d)
{
	d->left--;
	lean_send(d->conn, d->method, S("/x?y"), S("X-A: b\r\n"), d->body, d->timeout_ms);
}

static void
on_data(void *ctx, struct str bytes)
{
	struct driver *d = ctx;

	CHECK(d->text_n + bytes.n < sizeof d->text);
	memcpy(d->text + d->text_n, bytes.p, bytes.n);
	d->text_n += bytes.n;
}

static void
on_done(void *ctx, int rc, int status, size_t bytes_in)
{
	struct driver *d = ctx;

	d->last_rc = rc;
	d->last_status = status;
	d->bytes_in = bytes_in;
	d->ok += rc == OK;
	d->failed += rc != OK;
	if (d->left > 0)
		send_next(d);
	else
		shard_stop(d->shard);
}

static const struct lean_hooks hooks = { .data = on_data, .done = on_done };

static void
drive(struct driver *d, const struct peer *p, int n)
{
	char url[64];
	struct err e;

	snprintf(url, sizeof url, "http://127.0.0.1:%u/base/", p->port);
	d->left = n;
	if (d->timeout_ms == 0)
		d->timeout_ms = 5000;
	if (d->method.n == 0)
		d->method = S("GET");
	CHECK_RC(lean_resolve(str_of(url), &d->target, &e), OK);
	CHECK_RC(shard_new(&d->shard, 0, &e), OK);
	d->conn = lean_new(d->shard, &d->target, &hooks, d);
	send_next(d);
	CHECK_INT(d->ok + d->failed, 0);     /* never from inside lean_send */
	shard_run(d->shard);
	lean_free(d->conn);
	shard_free(d->shard);
}

TEST(lean_keeps_its_connection)
{
	struct driver d = { 0 };
	struct peer *p;

	p = peer_start(peer_serve_count, NULL);
	drive(&d, p, 12);
	CHECK_INT(d.ok, 12);
	CHECK_INT(d.last_status, 200);
	CHECK_INT(p->conns, 1);
	CHECK_STR(((struct str){ d.text, d.text_n }), "123456789101112");
	CHECK(d.bytes_in > 2);
}

static void
serve_three_then_close(struct peer *p, int fd, int nth)
{
	char request[8192];

	(void)nth;
	for (int i = 0; i < 3; i++)
		if (peer_request(p, fd, request, sizeof request))
			peer_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
}

TEST(lean_connects_again_when_a_kept_connection_was_closed)
{
	struct driver d = { .method = S("POST"), .body = S("{}") };
	struct peer *p;

	p = peer_start(serve_three_then_close, NULL);
	drive(&d, p, 10);
	CHECK_INT(d.ok, 10);
	CHECK_INT(p->conns, 4);
	CHECK_INT(p->requests, 10);
}

static void
serve_nothing(struct peer *p, int fd, int nth)
{
	char request[8192];

	(void)nth;
	peer_request(p, fd, request, sizeof request);
}

/* On a fresh connection an early close is an answer, not a reason to retry. */
TEST(lean_tries_a_new_connection_once_only)
{
	struct driver d = { 0 };
	struct peer *p;

	p = peer_start(serve_nothing, NULL);
	drive(&d, p, 1);
	CHECK_RC(d.last_rc, ERR_CLOSED);
	CHECK_INT(p->requests, 1);
}

static void
serve_slow(struct peer *p, int fd, int nth)
{
	char request[8192];

	(void)nth;
	peer_request(p, fd, request, sizeof request);
	peer_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
	peer_wait_closed(fd);
}

TEST(lean_times_out)
{
	struct driver d = { .timeout_ms = 20 };
	struct peer *p;

	p = peer_start(serve_slow, NULL);
	drive(&d, p, 2);
	CHECK_INT(d.failed, 2);
	CHECK_RC(d.last_rc, ERR_TIMEOUT);
	while (p->conns < 2)                 /* its thread may be late */
		poll(NULL, 0, 1);
	CHECK_INT(p->conns, 2);
}

TEST(lean_reports_a_refused_connection)
{
	struct driver d = { 0 };
	struct peer *p;

	p = peer_start(serve_nothing, NULL);
	peer_refuse(p);
	drive(&d, p, 3);
	CHECK_INT(d.failed, 3);
	CHECK_RC(d.last_rc, ERR_CLOSED);
}

static void
serve_forms(struct peer *p, int fd, int nth)
{
	static const char *const answers[] = {
		("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nf",
		"HTTP/1.0 200 OK\r\n\r\nuntil the end",
	};
	char request[8192];
	int i = nth * 3;

	for (; i < (int)COUNT(answers) && peer_request(p, fd, request, sizeof request); i++) {
		CHECK(strncmp(request, "GET /base/x?y HTTP/1.1\r\nHost: 127.0.0.1:", 39) == 0);
		CHECK(strstr(request, "\r\nX-A: b\r\n") != NULL);
		peer_write(fd, answers[i]);
		if (i == 2)
			return;
	}
}

TEST(lean_reads_every_form_of_answer)
{
	struct driver d = { 0 };
	struct peer *p;

	p = peer_start(serve_forms, NULL);
	drive(&d, p, 4);
	CHECK_INT(d.ok, 4);
	CHECK_INT(p->conns, 2);
	CHECK_STR(((struct str){ d.text, d.text_n }), "abcdefuntil the end");
}

static void
serve_garbage(struct peer *p, int fd, int nth)
{
	char request[8192];

	(void)nth;
	peer_request(p, fd, request, sizeof request);
	peer_write(fd, "SSH-2.0-OpenSSH\r\n\r\n");
	peer_wait_closed(fd);
}

TEST(lean_refuses_what_is_not_http)
{
	struct driver d = { 0 };
	struct peer *p;

	p = peer_start(serve_garbage, NULL);
	drive(&d, p, 1);
	CHECK_RC(d.last_rc, ERR_CLOSED);
}

/* Larger than the socket's buffers, so part of it waits in the loop. */
static void
serve_big(struct peer *p, int fd, int nth)
{
	static char request[9 << 20];

	(void)nth;
	while (peer_request(p, fd, request, sizeof request))
		peer_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
}

TEST(lean_sends_a_large_body)
{
	static char body[8 << 20];
	struct driver d = { .method = S("POST"), .body = { body, sizeof body } };
	struct peer *p;

	memset(body, 'a', sizeof body);
	p = peer_start(serve_big, NULL);
	drive(&d, p, 2);
	CHECK_INT(d.ok, 2);
	CHECK_INT(p->requests, 2);
}

/* A large body is still leaving when the connection times out: its bytes must
 * outlive us. */
static void
serve_unread(struct peer *p, int fd, int nth)
{
	struct pollfd wait = { .fd = fd, .events = POLLRDHUP };

	(void)p, (void)nth;
	poll(&wait, 1, -1);
}

TEST(lean_lets_go_of_a_body_that_is_still_leaving)
{
	static char body[8 << 20];
	struct driver d = { .method = S("POST"), .body = { body, sizeof body },
	    .timeout_ms = 20 };
	struct peer *p;

	memset(body, 'a', sizeof body);
	p = peer_start(serve_unread, NULL);
	drive(&d, p, 2);
	CHECK_INT(d.failed, 2);
}

TEST(lean_takes_plain_http_only)
{
	struct lean_target t;
	struct err e;

	CHECK_RC(lean_resolve(S("https://127.0.0.1/"), &t, &e), ERR_INVALID);
	CHECK_RC(lean_resolve(S("127.0.0.1:80"), &t, &e), ERR_INVALID);
	CHECK_RC(lean_resolve(S("http://127.0.0.1:8123/a/b/"), &t, &e), OK);
	CHECK_STR(str_of(t.base_path), "/a/b");
	CHECK_STR(str_of(t.host_header), "127.0.0.1:8123");
}

/* The product's client and the driver's on one loop. */

struct both {
	struct client *client;
	struct lean_conn *lean;
	struct shard *shard;
	char url[64];
	int answers;
};

static void
serve_close(struct peer *p, int fd, int nth)
{
	char request[8192];

	(void)nth;
	if (peer_request(p, fd, request, sizeof request))
		peer_write(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1"
		    "\r\n\r\nx");
}

static void
both_send(struct both *b)
{
	lean_send(b->lean, S("GET"), S("/"), STR_NONE, STR_NONE, 5000);
}

static void
client_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	(void)a, (void)e;
	CHECK_RC(rc, OK);
	both_send(ctx);
}

/* The first time libuv opens a file of its own, so only the second counts. */
static void
lean_done(void *ctx, int rc, int status, size_t bytes_in)
{
	struct both *b = ctx;
	struct client_hooks then = { .done = client_done, .ctx = b };
	struct client_request req = { .method = S("GET"), .url = str_of(b->url) };

	(void)status, (void)bytes_in;
	CHECK_RC(rc, OK);
	if (++b->answers == 2)
		shard_stop(b->shard);
	else
		client_start(b->client, &req, &then);
}

/* A descriptor libcurl has closed is the next connection's, of whatever kind. */
TEST(client_leaves_no_watch_on_a_closed_descriptor)
{
	static const struct lean_hooks then = { .done = lean_done };
	struct peer *p = peer_start(serve_close, NULL);
	struct lean_target target;
	struct both b = { .answers = 0 };
	struct err e;

	snprintf(b.url, sizeof b.url, "http://127.0.0.1:%u", p->port);
	CHECK_RC(client_global_init(&e), OK);
	CHECK_RC(shard_new(&b.shard, 0, &e), OK);
	CHECK_RC(client_new(&b.client, b.shard, &e), OK);
	CHECK_RC(lean_resolve(str_of(b.url), &target, NULL), OK);
	b.lean = lean_new(b.shard, &target, &then, &b);
	both_send(&b);
	shard_run(b.shard);
	CHECK_INT(p->requests, 3);
	lean_free(b.lean);
	client_free(b.client);
	shard_free(b.shard);
}
