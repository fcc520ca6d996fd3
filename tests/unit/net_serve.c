/*
 * net_serve.c - see net_serve.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "harness/test.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The server. */

void
serve_tell(struct serve *s, char event)
{
	CHECK(write(s->events[1], &event, 1) == 1);
}

void
serve_wait(struct serve *s, char event)
{
	char got;

	do
		CHECK(read(s->events[0], &got, 1) == 1);
	while (got != event);
}

static size_t
head(void *ctx, struct http_req *r)
{
	(void)ctx;
	if (str_eq(r->path, S("/denied"))) {
		http_reply(r, 401, S("text/plain"), STR_NONE, S("who are you?"));
		return 0;
	}
	if (str_eq(r->path, S("/none")))
		return 0;
	return str_eq(r->path, S("/small")) ? 10 : 1 * MB;
}

static void
error_body(void *ctx, int status, struct str message, struct buf *out,
    struct str *content_type)
{
	(void)ctx;
	*content_type = S("text/plain");
	buf_add_fmt(out, "%d: %.*s", status, FMT(message));
}

/* Nothing of the answer is with the client yet. */
static void
on_ends(void *ctx, struct http_req *r)
{
	struct serve *s = ctx;
	int fd = atomic_load(&s->client);
	char any;

	CHECK(r->conn != NULL);
	atomic_fetch_add(&s->ends, 1);
	if (fd > 0)
		CHECK(recv(fd, &any, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

static void
on_done(void *ctx, struct http_req *r, int status, size_t bytes_out)
{
	struct serve *s = ctx;

	CHECK(r->arena.max > 0);             /* still a request */
	atomic_store(&s->last_status, status);
	atomic_store(&s->last_bytes, bytes_out);
	atomic_fetch_add(&s->done, 1);
	serve_tell(s, 'd');
}

static void
on_gone(struct http_req *r)
{
	CHECK(r->conn == NULL);
	serve_tell(r->user, 'g');
}

static void
stream_three(struct http_req *r)
{
	http_stream_begin(r, 200, S("text/plain"), S("X-Extra: yes\r\n"));
	http_stream_write(r, S("one,"));
	http_stream_write(r, STR_NONE);
	http_stream_write(r, S("two,"));
	http_stream_write(r, S("three"));
	http_stream_end(r);
}

static void
reply_query(struct http_req *r)
{
	struct str v, w;

	if (!http_query(r, S("a b"), 1, &v))
		v = S("absent");
	if (!http_query(r, S("flag"), 0, &w))
		w = S("absent");
	http_reply(r, 200, S("text/plain"), STR_NONE,
	    arena_fmt(&r->arena, "%.*s|%.*s|%.*s", FMT(r->path), FMT(v), FMT(w)));
}

static void
reply_echo(struct http_req *r)
{
	struct buf b = BUF(2 * MB);

	buf_add_fmt(&b, "%.*s %.*s ", FMT(r->method), FMT(http_header(r, S("x-tag"))));
	buf_add(&b, r->body);
	http_reply(r, 200, S("text/plain"), STR_NONE, buf_str(&b));
	buf_release(&b);
}

static void
handle(void *ctx, struct http_req *r)
{
	struct serve *s = ctx;

	CHECK(s->any_peer || str_starts(r->peer, S("127.0.0.1:")) || str_eq(r->peer, S(HTTP_PEER_UNIX)));
	atomic_fetch_add(&s->handled[shard_id(r->shard)], 1);
	r->user = s;
	if (str_starts(r->path, S("/query"))) {
		reply_query(r);
	} else if (str_eq(r->path, S("/stream"))) {
		stream_three(r);
	} else if (str_eq(r->path, S("/hold"))) {
		s->held = r;
		http_on_gone(r, on_gone);
		serve_tell(s, 'h');
	} else if (s->handle != NULL) {
		s->handle(s, r);
	} else if (str_eq(r->path, S("/hello"))) {
		http_reply(r, 200, S("text/plain"), STR_NONE, S("hello"));
	} else {
		reply_echo(r);
	}
}

struct serve *
serve_new(unsigned shards)
{
	const struct http_listen at = { .host = S("127.0.0.1") };

	return serve_with(shards, &(struct http_options){ .at = &at, .at_n = 1, .shards = shards });
}

struct serve *
serve_with(unsigned shards, const struct http_options *options)
{
	struct serve *s = mem_new(struct serve);
	struct http_options o = *options;
	const struct http_hooks hooks = {
		.head = head, .handle = handle, .error_body = error_body,
		.error_lines = S("x-refused: yes\r\n"),
		.ends = on_ends, .done = on_done, .ctx = s,
	};
	struct err e;

	CHECK(pipe(s->events) == 0);
	s->n = shards;
	o.hooks = &hooks;
	CHECK_RC(http_server_open(&s->hs, &o, &e), OK);
	for (unsigned i = 0; i < shards; i++)
		CHECK_RC(shard_new(&s->shards[i], i, &e), OK);
	return s;
}

struct call {
	struct shard_job job;
	struct serve *s;
	struct shard *shard;
	void (*fn)(struct serve *s);
	int ended[2];
};

static void
call_end(struct call *c)
{
	CHECK(write(c->ended[1], "", 1) == 1);
}

static void
call_run(struct shard_job *job)
{
	struct call *c = CONTAINER_OF(job, struct call, job);

	c->fn(c->s);
	call_end(c);
}

static void
call_attach(struct shard_job *job)
{
	struct call *c = CONTAINER_OF(job, struct call, job);

	CHECK_RC(http_server_attach(c->s->hs, c->shard, NULL), OK);
	call_end(c);
}

static void
call_ended(void *ctx)
{
	call_end(ctx);
}

static void
call_drain(struct shard_job *job)
{
	struct call *c = CONTAINER_OF(job, struct call, job);

	http_server_drain(c->s->hs, c->shard, call_ended, c);
}

static void
call(struct serve *s, unsigned shard, void (*run)(struct shard_job *),
    void (*fn)(struct serve *))
{
	struct call c = { .job.run = run, .s = s, .shard = s->shards[shard], .fn = fn };
	char end;

	CHECK(pipe(c.ended) == 0);
	shard_post(c.shard, &c.job);
	CHECK(read(c.ended[0], &end, 1) == 1);
	close(c.ended[0]);
	close(c.ended[1]);
}

void
serve_on(struct serve *s, unsigned shard, void (*fn)(struct serve *s))
{
	call(s, shard, call_run, fn);
}

void
serve_run(struct serve *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		CHECK_RC(shard_start(s->shards[i], NULL), OK);
		call(s, i, call_attach, NULL);
	}
}

struct serve *
serve_start(unsigned shards)
{
	struct serve *s = serve_new(shards);

	serve_run(s);
	return s;
}

void
serve_drain(struct serve *s)
{
	for (unsigned i = 0; i < s->n; i++)
		call(s, i, call_drain, NULL);
	CHECK_INT(http_server_conns(s->hs), 0);
}

void
serve_stop(struct serve *s)
{
	serve_drain(s);
	serve_free(s);
}

void
serve_free(struct serve *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		shard_stop(s->shards[i]);
		shard_join(s->shards[i]);
	}
	http_server_free(s->hs);
	for (unsigned i = 0; i < s->n; i++)
		shard_free(s->shards[i]);
	close(s->events[0]);
	close(s->events[1]);
	free(s);
}

/* The client. */

int
dial(struct serve *s)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(http_server_port(s->hs)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct timeval patience = { .tv_sec = 10 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	CHECK(fd >= 0);
	CHECK(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
	return fd;
}

void
say(int fd, struct str bytes)
{
	while (bytes.n > 0) {
		ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n < 0)
			return;              /* the answer will tell */
		bytes = str_sub(bytes, (size_t)n, bytes.n);
	}
}

/* One byte, or -1 at the end. */
static int
hear_byte(int fd)
{
	unsigned char ch;
	ssize_t n = recv(fd, &ch, 1, 0);

	if (n < 0 && errno != ECONNRESET)
		test_fail(__FILE__, __LINE__, "waiting for an answer: %s", strerror(errno));
	return n == 1 ? ch : -1;
}

/* Reads until what was read since `from` ends in `mark`. */
static bool
read_until(int fd, char *out, size_t size, size_t *n, const char *mark)
{
	size_t from = *n, length = strlen(mark);

	while (*n - from < length || memcmp(out + *n - length, mark, length) != 0) {
		int ch = hear_byte(fd);

		if (ch < 0)
			return false;
		CHECK(*n + 1 < size);
		out[(*n)++] = (char)ch;
		out[*n] = '\0';
	}
	return true;
}

static bool
read_exact(int fd, char *out, size_t size, size_t *n, size_t more)
{
	CHECK(*n + more < size);
	while (more > 0) {
		ssize_t got = recv(fd, out + *n, more, 0);

		if (got <= 0)
			return false;
		*n += (size_t)got;
		more -= (size_t)got;
	}
	out[*n] = '\0';
	return true;
}

size_t
hear_until(int fd, char *out, size_t size, const char *mark)
{
	size_t n = 0;

	CHECK(read_until(fd, out, size, &n, mark));
	return n;
}

size_t
hear(int fd, char *out, size_t size)
{
	const char *length;
	size_t n = 0, chunk, from;

	out[0] = '\0';
	if (!read_until(fd, out, size, &n, "\r\n\r\n"))
		return 0;
	length = strcasestr(out, "Content-Length: ");
	if (length != NULL)
		CHECK(read_exact(fd, out, size, &n, strtoul(length + 16, NULL, 10)));
	if (strcasestr(out, "Transfer-Encoding: chunked") == NULL)
		return n;
	do {
		from = n;
		CHECK(read_until(fd, out, size, &n, "\r\n"));
		chunk = strtoul(out + from, NULL, 16);
		CHECK(read_exact(fd, out, size, &n, chunk + 2));
	} while (chunk > 0);
	return n;
}

int
hear_status(int fd)
{
	size_t size = 2 * MB;
	char *out = mem_alloc(size);
	int status = 0;

	if (hear(fd, out, size) > 0) {
		CHECK(strncmp(out, "HTTP/1.1 ", 9) == 0);
		status = (int)strtol(out + 9, NULL, 10);
	}
	free(out);
	return status;
}

size_t
hear_all(int fd, char *out, size_t size)
{
	size_t n = 0;
	int ch;

	for (ch = hear_byte(fd); ch >= 0; ch = hear_byte(fd)) {
		CHECK(n + 1 < size);
		out[n++] = (char)ch;
	}
	out[n] = '\0';
	return n;
}

bool
hear_end(int fd)
{
	bool ended = hear_byte(fd) < 0;

	close(fd);
	return ended;
}

int
ask(struct serve *s, struct str raw)
{
	int fd = dial(s), status;

	say(fd, raw);
	status = hear_status(fd);
	close(fd);
	return status;
}
