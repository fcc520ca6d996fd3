/*
 * net_http.c - the HTTP server over real sockets: what is served, what is
 * refused, and what happens to a client that is slow, early or gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "harness/test.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_LINE "Host: test\r\n"
#define CHUNKED   "Transfer-Encoding: chunked\r\n"

static char heard[16 * MB];

/* More than the kernel holds between two sockets (tcp_wmem: 4 MB). */
#define LARGE (12 * MB)

static const char *
body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	CHECK(end != NULL);
	return end + 4;
}

/* Says it on a connection of its own; the answer is in `heard`. */
static int
exchange(struct serve *s, struct str raw)
{
	int fd = dial(s);

	say(fd, raw);
	CHECK(hear(fd, heard, sizeof heard) > 0);
	close(fd);
	return (int)strtol(heard + 9, NULL, 10);
}

TEST(http_answers_and_keeps_the_connection)
{
	struct serve *s = serve_start(1);
	int fd = dial(s);

	for (int i = 0; i < 3; i++) {
		say(fd, S("GET /hello HTTP/1.1\r\n" HOST_LINE "\r\n"));
		CHECK(hear(fd, heard, sizeof heard) > 0);
		CHECK(strncmp(heard, "HTTP/1.1 200 OK\r\nDate: ", 23) == 0);
		CHECK(strstr(heard, " GMT\r\nContent-Type: text/plain\r\n") != NULL);
		CHECK(strstr(heard, "Connection:") == NULL);
		CHECK_STR(str_of(body_of(heard)), "hello");
		serve_wait(s, 'd');
		CHECK_INT(s->last_bytes, strlen(heard));
	}
	CHECK_INT(http_server_conns(s->hs), 1);
	close(fd);
	serve_stop(s);
}

TEST(http_ends_the_connection_when_asked)
{
	struct serve *s = serve_start(1);
	int fd = dial(s);

	say(fd, S("GET /hello HTTP/1.1\r\n" HOST_LINE "Connection: close\r\n\r\n"));
	CHECK(hear(fd, heard, sizeof heard) > 0);
	CHECK(strstr(heard, "\r\nConnection: close\r\n") != NULL);
	CHECK(hear_end(fd));
	fd = dial(s);
	say(fd, S("GET /hello HTTP/1.0\r\n\r\n"));
	CHECK_INT(hear_status(fd), 200);
	CHECK(hear_end(fd));
	fd = dial(s);
	say(fd, S("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
	    "GET /hello HTTP/1.0\r\n\r\n"));
	CHECK(hear(fd, heard, sizeof heard) > 0);
	CHECK(strstr(heard, "\r\nConnection: keep-alive\r\n") != NULL);
	CHECK_INT(hear_status(fd), 200);
	CHECK(hear_end(fd));
	serve_stop(s);
}

/* Answered in order, also when the first one takes its time. */
static void
release_held(struct serve *s)
{
	http_reply(s->held, 201, S("text/plain"), STR_NONE, S("held"));
}

TEST(http_pipelined_requests_are_answered_in_order)
{
	struct serve *s = serve_start(1);
	int fd = dial(s);

	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"
	    "POST /echo HTTP/1.1\r\n" HOST_LINE "Content-Length: 3\r\n\r\nabc"
	    "GET /hello HTTP/1.1\r\n" HOST_LINE "\r\nGET /query"));
	serve_wait(s, 'h');
	CHECK_INT(s->handled[0], 1);
	serve_on(s, 0, release_held);
	CHECK_INT(hear_status(fd), 201);
	CHECK(hear(fd, heard, sizeof heard) > 0);
	CHECK_STR(str_of(body_of(heard)), "POST  abc");
	CHECK(hear(fd, heard, sizeof heard) > 0);
	CHECK_STR(str_of(body_of(heard)), "hello");
	say(fd, S(" HTTP/1.1\r\n" HOST_LINE "\r\n"));
	CHECK_INT(hear_status(fd), 200);
	close(fd);
	serve_stop(s);
}

/* More read ahead than the bound: the server stops reading, loses nothing. */
TEST(http_reads_ahead_within_a_bound)
{
	static const char one[] = "GET /hello HTTP/1.1\r\n" HOST_LINE "X-Pad: "
	    "0123456789012345678901234567890123456789\r\n\r\n";
	struct serve *s = serve_start(1);
	int fd = dial(s), many = 2500;
	pid_t writer;

	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'h');
	writer = fork();
	if (writer == 0) {
		for (int i = 0; i < many; i++)
			say(fd, (struct str){ one, sizeof one - 1 });
		_exit(0);
	}
	serve_on(s, 0, release_held);
	CHECK_INT(hear_status(fd), 201);
	for (int i = 0; i < many; i++)
		CHECK_INT(hear_status(fd), 200);
	close(fd);
	serve_stop(s);
}

TEST(http_reads_byte_by_byte)
{
	static const char raw[] = "\r\nPOST /echo?x=1 HTTP/1.1\r\n" HOST_LINE
	    "X-Tag:  some value \r\n" CHUNKED "\r\n"
	    "4;ext=\"q\"\r\nWiki\r\n5\r\npedia\r\n0\r\nTrailer: t\r\n\r\n";
	struct serve *s = serve_start(1);
	int fd = dial(s);

	for (size_t i = 0; i < sizeof raw - 1; i++)
		say(fd, (struct str){ raw + i, 1 });
	CHECK(hear(fd, heard, sizeof heard) > 0);
	CHECK_STR(str_of(body_of(heard)), "POST some value Wikipedia");
	close(fd);
	serve_stop(s);
}

TEST(http_streams_in_chunks)
{
	struct serve *s = serve_start(1);
	int fd = dial(s);

	say(fd, S("GET /stream HTTP/1.1\r\n" HOST_LINE "\r\n"
	    "GET /hello HTTP/1.1\r\n" HOST_LINE "\r\n"));
	CHECK(hear(fd, heard, sizeof heard) > 0);
	CHECK(strstr(heard, "\r\nX-Extra: yes\r\n") != NULL);
	CHECK(strstr(heard, "Content-Length") == NULL);
	CHECK_STR(str_of(body_of(heard)),
	    "4\r\none,\r\n4\r\ntwo,\r\n5\r\nthree\r\n0\r\n\r\n");
	CHECK_INT(hear_status(fd), 200);     /* the connection is still good */
	close(fd);
	fd = dial(s);
	say(fd, S("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
	hear_all(fd, heard, sizeof heard);
	CHECK(strstr(heard, "chunked") == NULL);
	CHECK_STR(str_of(body_of(heard)), "one,two,three");
	close(fd);
	serve_stop(s);
}

TEST(http_an_answer_has_ended_before_its_client_has_it)
{
	static const struct str paths[] = { { "/hello", 6 }, { "/stream", 7 }, { "/denied", 7 } };
	struct serve *s = serve_start(1);
	char head[80];

	for (size_t i = 0; i < COUNT(paths); i++) {
		int fd = dial(s);

		atomic_store(&s->client, fd);
		snprintf(head, sizeof head, "GET %s HTTP/1.1\r\n" HOST_LINE "\r\n", paths[i].p);
		say(fd, str_of(head));
		CHECK(hear(fd, heard, sizeof heard) > 0);
		CHECK_INT(s->ends, i + 1);
		atomic_store(&s->client, 0);
		close(fd);
	}
	serve_stop(s);
}

TEST(http_head_has_the_length_and_no_body)
{
	struct serve *s = serve_start(1);
	int fd = dial(s);

	say(fd, S("HEAD /hello HTTP/1.1\r\n" HOST_LINE "\r\n"
	    "HEAD /stream HTTP/1.1\r\n" HOST_LINE "Connection: close\r\n\r\n"));
	hear_all(fd, heard, sizeof heard);
	CHECK(strstr(heard, "\r\nContent-Length: 5\r\n") != NULL);
	CHECK(strncmp(body_of(heard), "HTTP/1.1 200", 12) == 0);
	CHECK_STR(str_of(body_of(body_of(heard))), "");
	close(fd);
	serve_stop(s);
}

TEST(http_expect_is_answered_when_the_body_is_wanted)
{
	struct serve *s = serve_start(1);
	int fd = dial(s);

	say(fd, S("POST /small HTTP/1.1\r\n" HOST_LINE
	    "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
	CHECK_INT(hear_status(fd), 100);
	say(fd, S("body"));
	CHECK(hear(fd, heard, sizeof heard) > 0);
	CHECK_STR(str_of(body_of(heard)), "POST  body");
	close(fd);
	CHECK_INT(ask(s, S("POST /small HTTP/1.1\r\n" HOST_LINE
	    "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n")), 413);
	CHECK_INT(ask(s, S("POST /small HTTP/1.1\r\n" HOST_LINE
	    "Expect: tea\r\nContent-Length: 4\r\n\r\n")), 417);
	serve_stop(s);
}

TEST(http_query_decodes_the_nth_value)
{
	struct serve *s = serve_start(1);

	CHECK_INT(exchange(s, S("GET /query%2dp%20q?a+b=1&flag&a%20b=x%26y+%c3%a9 HTTP/1.1\r\n"
	    HOST_LINE "\r\n")), 200);
	CHECK_STR(str_of(body_of(heard)), "/query-p q|x&y \xc3\xa9|");
	CHECK_INT(exchange(s, S("GET http://test/query?a+b=1 HTTP/1.1\r\n"
	    HOST_LINE "\r\n")), 200);
	CHECK_STR(str_of(body_of(heard)), "/query|absent|absent");
	serve_stop(s);
}

TEST(http_ignores_an_upgrade_it_does_not_know)
{
	struct serve *s = serve_start(1);

	CHECK_INT(exchange(s, S("POST /echo HTTP/1.1\r\n" HOST_LINE "Upgrade: h2c\r\n"
	    "Connection: Upgrade\r\nContent-Length: 2\r\n\r\nok")), 200);
	CHECK_STR(str_of(body_of(heard)), "POST  ok");
	serve_stop(s);
}

/* Deadlines, shortened. */

TEST(http_slow_clients_are_told_408)
{
	struct serve *s = serve_new(1);
	int fd;

	http_server_limits(s->hs)->header = 20;
	http_server_limits(s->hs)->body = 20;
	serve_run(s);
	fd = dial(s);
	say(fd, S("GET / HTTP/1.1\r\nHos"));
	CHECK_INT(hear_status(fd), 408);
	CHECK(hear_end(fd));
	fd = dial(s);
	say(fd, S("POST /echo HTTP/1.1\r\n" HOST_LINE "Content-Length: 5\r\n\r\nabcd"));
	CHECK_INT(hear_status(fd), 408);
	CHECK(hear_end(fd));
	serve_stop(s);
}

TEST(http_idle_connections_end_without_a_word)
{
	struct serve *s = serve_new(1);
	int fd;

	http_server_limits(s->hs)->idle = 20;
	serve_run(s);
	fd = dial(s);
	CHECK(hear_end(fd));
	fd = dial(s);
	say(fd, S("GET /hello HTTP/1.1\r\n" HOST_LINE "\r\n"));
	CHECK_INT(hear_status(fd), 200);
	CHECK(hear_end(fd));
	serve_stop(s);
}

/* A held answer has no deadline: the idle limit is not its own. */
TEST(http_a_slow_handler_is_waited_for)
{
	struct serve *s = serve_new(1);
	int fd;

	http_server_limits(s->hs)->idle = 10;
	http_server_limits(s->hs)->header = 10;
	serve_run(s);
	fd = dial(s);
	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'h');
	CHECK(hear_end(dial(s)));            /* 10 ms have passed, idle */
	CHECK(hear_end(dial(s)));
	serve_on(s, 0, release_held);
	CHECK_INT(hear_status(fd), 201);
	close(fd);
	serve_stop(s);
}

/* Clients that leave. */

TEST(http_a_half_closed_client_gets_its_answer)
{
	struct serve *s = serve_start(1);
	int fd = dial(s);

	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"
	    "GET /hello HTTP/1.1\r\n" HOST_LINE "\r\n"));
	shutdown(fd, SHUT_WR);
	serve_wait(s, 'h');
	serve_on(s, 0, release_held);
	CHECK_INT(hear_status(fd), 201);
	CHECK_INT(hear_status(fd), 200);
	CHECK(hear_end(fd));
	serve_stop(s);
}

static void
reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
}

TEST(http_a_gone_client_is_told_once_and_answered_to_nobody)
{
	struct serve *s = serve_start(1);
	int fd = dial(s);

	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'h');
	reset(fd);
	serve_wait(s, 'g');
	CHECK_INT(s->done, 0);
	serve_on(s, 0, release_held);
	serve_wait(s, 'd');
	CHECK_INT(s->last_status, 499);
	CHECK_INT(s->last_bytes, 0);
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
	http_stream_write(s->held, S("never seen"));
	http_stream_end(s->held);
}

TEST(http_a_client_that_leaves_a_stream_is_told)
{
	struct serve *s = serve_start(1);
	int fd = dial(s);

	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'h');
	serve_on(s, 0, begin_stream);
	CHECK(recv(fd, heard, sizeof heard, 0) > 0);
	close(fd);
	serve_wait(s, 'g');
	serve_on(s, 0, end_stream);
	serve_wait(s, 'd');
	CHECK_INT(s->last_status, 200);
	serve_stop(s);
}

TEST(http_a_stream_begun_after_the_client_left_is_told)
{
	struct serve *s = serve_start(1);
	int fd = dial(s);

	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'h');
	close(fd);
	serve_on(s, 0, begin_stream);
	serve_wait(s, 'g');
	serve_on(s, 0, end_stream);
	serve_stop(s);
}

static void
abort_stream(struct serve *s)
{
	http_stream_write(s->held, S("second"));
	http_stream_abort(s->held);
}

TEST(http_an_aborted_stream_is_cut_short)
{
	struct serve *s = serve_start(1);
	int fd = dial(s);

	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'h');
	serve_on(s, 0, begin_stream);
	hear_until(fd, heard, sizeof heard, "first\r\n");
	serve_on(s, 0, abort_stream);
	hear_all(fd, heard, sizeof heard);
	CHECK(strstr(heard, "0\r\n\r\n") == NULL);
	close(fd);
	serve_wait(s, 'd');
	serve_stop(s);
}

/* What waits for the kernel, taken in every size of bite. */
TEST(http_out_keeps_order_and_count)
{
	for (size_t bite = 1; bite < 40; bite++) {
		struct out o = { 0 };
		struct buf got = BUF(1000);
		uv_buf_t iov[3];
		size_t bytes;

		for (int i = 0; i < 12; i++) {
			http_out_push(&o, sse_block_new(S("block,")));
			http_out_copy(&o, "co", 2);
			http_out_copy(&o, "py,", 3);
		}
		CHECK_INT(o.bytes, 132);
		while (o.bytes > 0) {
			size_t n = http_out_iov(&o, iov, 3, &bytes), left = bite;

			for (size_t i = 0; i < n && left > 0; i++) {
				size_t take = iov[i].len < left ? iov[i].len : left;

				buf_add(&got, (struct str){ iov[i].base, take });
				left -= take;
			}
			http_out_sent(&o, bite < bytes ? bite : bytes);
		}
		for (size_t i = 0; i < 12; i++)
			CHECK_STR(str_sub(buf_str(&got), i * 11, 11), "block,copy,");
		CHECK_INT(got.n, 132);
		http_out_release(&o);
		buf_release(&got);
	}
}

/* An answer larger than the socket takes, byte for byte. */

static void
reply_large(struct serve *s, struct http_req *r)
{
	char *lots = mem_alloc(LARGE);

	(void)s;
	for (size_t i = 0; i < LARGE; i++)
		lots[i] = (char)('a' + i % 23);
	http_reply(r, 200, S("text/plain"), STR_NONE, (struct str){ lots, LARGE });
	free(lots);
}

TEST(http_a_large_answer_arrives_whole)
{
	struct serve *s = serve_new(1);
	const char *body;
	int fd, small = 65536;

	s->handle = reply_large;
	serve_run(s);
	fd = dial(s);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	say(fd, S("GET /large HTTP/1.1\r\n" HOST_LINE "\r\n"
	    "HEAD /large HTTP/1.1\r\n" HOST_LINE "\r\n"));
	CHECK_INT(s->done, 0);
	CHECK(hear(fd, heard, sizeof heard) > LARGE);
	body = body_of(heard);
	for (size_t i = 0; i < LARGE; i++)
		CHECK(body[i] == (char)('a' + i % 23));
	serve_wait(s, 'd');
	close(fd);
	serve_stop(s);
}

TEST(http_a_client_that_takes_nothing_is_cut)
{
	struct serve *s = serve_new(1);
	int fd, small = 4096;

	s->handle = reply_large;
	http_server_limits(s->hs)->idle = 50;
	serve_run(s);
	fd = dial(s);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	say(fd, S("GET /large HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'd');
	CHECK_INT(s->last_status, 200);
	close(fd);
	serve_stop(s);
}

/* The server's ends. */

static void
drained(void *ctx)
{
	serve_tell(ctx, 'e');
}

static void
drain_told(struct serve *s)
{
	http_server_drain(s->hs, s->shards[0], drained, s);
}

static void
stop_drained(struct serve *s)
{
	serve_wait(s, 'e');
	CHECK_INT(http_server_conns(s->hs), 0);
	shard_stop(s->shards[0]);
	shard_join(s->shards[0]);
	http_server_free(s->hs);
	shard_free(s->shards[0]);
}

TEST(http_drain_lets_an_open_answer_end)
{
	struct serve *s = serve_start(1);
	int fd = dial(s), idle = dial(s);

	say(idle, S("GET /hello HTTP/1.1\r\n" HOST_LINE "\r\n"));
	CHECK_INT(hear_status(idle), 200);
	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'h');
	serve_on(s, 0, drain_told);
	CHECK(hear_end(idle));
	serve_on(s, 0, release_held);
	CHECK(hear(fd, heard, sizeof heard) > 0);
	CHECK(strstr(heard, "\r\nConnection: close\r\n") != NULL);
	CHECK_STR(str_of(body_of(heard)), "held");
	CHECK(hear_end(fd));
	stop_drained(s);
	free(s);
}

static void
reply_gone(struct http_req *r)
{
	serve_tell(r->user, 'g');
	http_reply(r, 200, STR_NONE, STR_NONE, STR_NONE);
}

static void
answer_when_gone(struct serve *s)
{
	http_on_gone(s->held, reply_gone);
}

TEST(http_drain_ends_answers_that_do_not_end)
{
	struct serve *s = serve_new(1);
	int fd;

	http_server_limits(s->hs)->drain = 30;
	serve_run(s);
	fd = dial(s);
	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'h');
	serve_on(s, 0, answer_when_gone);
	serve_on(s, 0, drain_told);
	serve_wait(s, 'g');
	CHECK(hear_end(fd));
	stop_drained(s);
	free(s);
}

static void
never(void *ctx, struct http_req *r)
{
	(void)ctx, (void)r;
}

static size_t
no_body(void *ctx, struct http_req *r)
{
	(void)ctx, (void)r;
	return 0;
}

static void
no_words(void *ctx, int status, struct str message, struct buf *out,
    struct str *content_type)
{
	(void)ctx, (void)status, (void)message, (void)out, (void)content_type;
}

TEST(http_a_taken_port_is_told_clearly)
{
	const struct http_hooks hooks = {
		.handle = never, .head = no_body, .error_body = no_words,
	};
	struct http_server *first, *second;
	char expected[128];
	struct err e;

	CHECK_RC(http_server_new(&first, S("localhost"), 0, &hooks, &e), OK);
	CHECK_RC(http_server_new(&second, S("127.0.0.1"), http_server_port(first),
	    &hooks, &e), ERR_BUSY);
	CHECK(second == NULL);
	snprintf(expected, sizeof expected, "port %u on 127.0.0.1 is already in use; "
	    "choose another with --port", http_server_port(first));
	CHECK_STR(str_of(e.text), expected);
	http_server_free(first);
	CHECK_RC(http_server_new(&first, S("example.com"), 0, &hooks, &e), ERR_INVALID);
	CHECK_RC(http_server_new(&first, S("192.0.2.1"), 0, &hooks, &e), ERR_INVALID);
	CHECK_RC(http_server_new(&first, S("::1"), 0, &hooks, &e), OK);
	http_server_free(first);
}

/* Half a request that does not move is no work under way. */
TEST(http_drain_does_not_wait_for_half_a_request)
{
	struct serve *s = serve_new(1);
	char text[256];
	int fds[2];

	http_server_limits(s->hs)->drain = 3600 * 1000;
	http_server_limits(s->hs)->linger = 50;
	serve_run(s);
	for (int i = 0; i < 2; i++) {
		fds[i] = dial(s);
		say(fds[i], S("POST /echo HTTP/1.1\r\n" HOST_LINE "Content-Length: 9\r\n"
		    "Expect: 100-continue\r\n\r\n"));
		hear_until(fds[i], text, sizeof text, "100 Continue\r\n\r\n");
	}
	say(fds[0], S("half"));
	say(fds[1], S("123456789GET /hello HTTP/1.1\r\n"));
	CHECK_INT(hear_status(fds[1]), 200);
	serve_stop(s);
	CHECK_INT(hear_status(fds[0]), 408);
	CHECK(hear_end(fds[0]));
	close(fds[1]);
}

TEST(http_two_shards_share_a_port)
{
	struct serve *s = serve_start(2);

	for (int i = 0; i < 200 && (s->handled[0] == 0 || s->handled[1] == 0); i++)
		CHECK_INT(ask(s, S("GET /hello HTTP/1.1\r\n" HOST_LINE "\r\n")), 200);
	CHECK(s->handled[0] > 0 && s->handled[1] > 0);
	serve_stop(s);
}

/* Past the cap a client waits; nobody is refused and nothing spins. */
TEST(http_past_the_cap_connections_wait_their_turn)
{
	struct serve *s = serve_new(1);
	int fds[3];

	http_server_limits(s->hs)->conns = 2;
	serve_run(s);
	for (int i = 0; i < 3; i++) {
		fds[i] = dial(s);
		say(fds[i], S("GET /hello HTTP/1.1\r\n" HOST_LINE "\r\n"));
	}
	CHECK_INT(hear_status(fds[0]), 200);
	CHECK_INT(hear_status(fds[1]), 200);
	CHECK_INT(http_server_conns(s->hs), 2);
	CHECK_INT(recv(fds[2], heard, 1, MSG_DONTWAIT), -1);
	close(fds[0]);
	CHECK_INT(hear_status(fds[2]), 200);
	close(fds[1]);
	close(fds[2]);
	serve_stop(s);
}
