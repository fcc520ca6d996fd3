/*
 * net_sse.c - event streams over real sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "harness/test.h"
#include "base/mem.h"
#include "net/http_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char heard[8 * MB];
static struct sse *_Atomic sse;             /* NULL: gone; read by the test */
static struct sse_block *block;

static void
on_gone(void *ctx)
{
	sse = NULL;
	serve_tell(ctx, 'g');
}

static void
send_text(const char *text)
{
	struct sse_block *b = sse_block_new(str_of(text));

	sse_send(sse, b);
	sse_block_drop(b);
}

static void
begin(struct serve *s, struct http_req *r)
{
	sse = sse_begin(r, S("Content-Location: /x\r\n"), on_gone, s);
	send_text("data: hello\n\n");
	send_text("data: world\n\n");
	serve_tell(s, 'b');
}

static void
send_more(struct serve *s)
{
	(void)s;
	send_text("data: more\n\n");
}

static void
end(struct serve *s)
{
	(void)s;
	send_text("data: last\n\n");
	sse_end(sse);
}

static struct serve *
start(msec heartbeat, size_t queue)
{
	struct serve *s = serve_new(1);

	s->handle = begin;
	http_server_limits(s->hs)->heartbeat = heartbeat;
	http_server_limits(s->hs)->sse_queue = queue;
	serve_run(s);
	return s;
}

static int
follow(struct serve *s)
{
	int fd = dial(s);

	say(fd, S("GET /events HTTP/1.1\r\nHost: test\r\n\r\n"));
	serve_wait(s, 'b');
	return fd;
}

/* One turn, one chunk; the connection is good for another request. */
TEST(sse_sends_of_a_turn_leave_together)
{
	struct serve *s = start(60000, 1000);
	int fd = follow(s);
	size_t n = hear_until(fd, heard, sizeof heard, "\r\n\r\n");

	CHECK(strstr(heard, "\r\nContent-Type: text/event-stream\r\n") != NULL);
	CHECK(strstr(heard, "\r\nCache-Control: no-cache\r\n") != NULL);
	CHECK(strstr(heard, "\r\nX-Accel-Buffering: no\r\n") != NULL);
	CHECK(strstr(heard, "\r\nContent-Location: /x\r\n") != NULL);
	n += hear_until(fd, heard, sizeof heard, "world\n\n\r\n");
	CHECK_STR(str_of(heard), "1a\r\ndata: hello\n\ndata: world\n\n\r\n");
	serve_on(s, 0, send_more);
	n += hear_until(fd, heard, sizeof heard, "more\n\n\r\n");
	CHECK_STR(str_of(heard), "c\r\ndata: more\n\n\r\n");
	serve_on(s, 0, end);
	n += hear_until(fd, heard, sizeof heard, "0\r\n\r\n");
	CHECK_STR(str_of(heard), "c\r\ndata: last\n\n\r\n0\r\n\r\n");
	serve_wait(s, 'd');
	CHECK_INT(s->last_bytes, n);
	say(fd, S("GET /stream HTTP/1.1\r\nHost: test\r\n\r\n"));
	CHECK_INT(hear_status(fd), 200);
	close(fd);
	serve_stop(s);
}

TEST(sse_to_an_old_client_ends_with_the_connection)
{
	struct serve *s = start(60000, 1000);
	int fd = dial(s);

	say(fd, S("GET /events HTTP/1.0\r\n\r\n"));
	serve_wait(s, 'b');
	serve_on(s, 0, end);
	hear_all(fd, heard, sizeof heard);
	CHECK_STR(str_of(strstr(heard, "\r\n\r\n") + 4),
	    "data: hello\n\ndata: world\n\ndata: last\n\n");
	close(fd);
	serve_stop(s);
}

static void
cut(struct serve *s)
{
	(void)s;
	send_text("data: last\n\n");
	sse_abort(sse);
}

/* All that was sent is there, and no client can take it for the whole. */
TEST(sse_that_is_aborted_is_reset)
{
	static const char *const versions[] = { "1.1", "1.0" };

	for (size_t i = 0; i < COUNT(versions); i++) {
		struct serve *s = start(60000, 1000);
		int fd = dial(s);
		char line[64];
		ssize_t n;

		snprintf(line, sizeof line, "GET /events HTTP/%s\r\nHost: test\r\n\r\n",
		    versions[i]);
		say(fd, str_of(line));
		serve_wait(s, 'b');
		serve_on(s, 0, cut);
		hear_until(fd, heard, sizeof heard, "last\n\n");
		do
			n = recv(fd, heard, sizeof heard - 1, 0);
		while (n > 0);
		CHECK(n < 0 && errno == ECONNRESET);
		serve_wait(s, 'd');
		close(fd);
		serve_stop(s);
	}
}

TEST(sse_beats_while_nothing_happens)
{
	struct serve *s = start(10, 1000);
	int fd = follow(s);
	unsigned beats = 0;
	size_t n = 0;
	const char *at;

	while (beats < 3) {
		ssize_t got = recv(fd, heard + n, sizeof heard - n - 1, 0);

		CHECK(got > 0);
		n += (size_t)got;
		heard[n] = '\0';
		beats = 0;
		for (at = strstr(heard, "d\r\n: heartbeat\n\n\r\n"); at != NULL;
		    at = strstr(at + 1, "d\r\n: heartbeat\n\n\r\n"))
			beats++;
	}
	close(fd);
	serve_wait(s, 'g');
	serve_stop(s);
}

static void
bare(struct serve *s)
{
	(void)s;
	sse_beat_bare(sse);
}

/* Goal: a client that makes an event of each blank line hears none in a heartbeat. */
TEST(sse_beats_without_a_blank_line)
{
	struct serve *s = start(10, 1000);
	int fd = follow(s);

	serve_on(s, 0, bare);
	hear_until(fd, heard, sizeof heard, "c\r\n: heartbeat\n\r\nc\r\n: heartbeat\n\r\n");
	close(fd);
	serve_wait(s, 'g');
	serve_stop(s);
}

TEST(sse_a_client_that_leaves_is_told_once)
{
	struct serve *s = start(60000, 1000);
	int fd = follow(s);

	CHECK(recv(fd, heard, sizeof heard, 0) > 0);
	close(fd);
	serve_wait(s, 'g');
	serve_wait(s, 'd');
	CHECK(sse == NULL);
	serve_stop(s);
}

/* Left before the stream began: still told, and after sse_begin returned. */
static void
begin_held(struct serve *s)
{
	sse = sse_begin(s->held, STR_NONE, on_gone, s);
	CHECK(sse != NULL);
	send_text("data: unheard\n\n");
	CHECK(sse != NULL);
}

static struct http_req *held_gone;

static void
note_gone(struct http_req *r)
{
	held_gone = r;
	serve_tell(r->user, 'x');
}

static void
watch_held(struct serve *s)
{
	http_on_gone(s->held, note_gone);
}

TEST(sse_begun_for_nobody_is_told_gone)
{
	struct serve *s = start(60000, 1000);
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	int fd = dial(s);

	say(fd, S("GET /hold HTTP/1.1\r\nHost: test\r\n\r\n"));
	serve_wait(s, 'h');
	serve_on(s, 0, watch_held);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
	serve_wait(s, 'x');
	serve_on(s, 0, begin_held);
	serve_wait(s, 'g');
	serve_stop(s);
}

/* The cap. */

static void
send_block(struct serve *s)
{
	if (sse != NULL)
		sse_send(sse, block);
	(void)s;
}

static void
make_block(size_t n)
{
	char *x = mem_alloc(n);

	memset(x, 'x', n);
	block = sse_block_new((struct str){ x, n });
	free(x);
}

static void
end_quietly(struct serve *s)
{
	(void)s;
	CHECK(sse != NULL);
	sse_end(sse);
}

/* One event larger than the cap does not cut a client that reads. */
TEST(sse_a_large_event_reaches_a_reader)
{
	struct serve *s = start(60000, 1000);
	int fd = follow(s);
	size_t n;

	make_block(5 * MB);
	serve_on(s, 0, send_block);
	serve_on(s, 0, end_quietly);
	n = hear(fd, heard, sizeof heard);
	CHECK(n > 5 * MB);
	CHECK(memcmp(heard + n - 5, "0\r\n\r\n", 5) == 0);
	serve_wait(s, 'd');
	CHECK_INT(atomic_load(&block->refs), 1);
	close(fd);
	sse_block_drop(block);
	serve_stop(s);
}

static void
send_twice(struct serve *s)
{
	send_block(s);
	send_block(s);
}

static size_t
drink(int fd, size_t n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t got = recv(fd, heard, sizeof heard, 0);

		CHECK(got > 0);
		at += (size_t)got;
	}
	return at;
}

/* Nor do the events of one turn, however many they are. */
TEST(sse_a_turn_over_every_cap_reaches_a_reader)
{
	struct serve *s = start(60000, 1000);
	int fd = follow(s);

	make_block(LIMIT_HTTP_OUT_BYTES - 1 * MB);
	serve_on(s, 0, send_twice);
	drink(fd, 2 * (LIMIT_HTTP_OUT_BYTES - 1 * MB));
	serve_on(s, 0, end_quietly);
	serve_wait(s, 'd');
	close(fd);
	serve_stop(s);
	CHECK_INT(atomic_load(&block->refs), 1);
	sse_block_drop(block);
}

static size_t taken_since;                   /* the turn that sent last */

static void
look_taken(struct serve *s)
{
	(void)s;
	CHECK(sse != NULL);
	taken_since = http_conn_taken(((struct sse *)sse)->r->conn) - ((struct sse *)sse)->turn.taken;
}

/* It is behind all the time, and reads all the time: a queue's worth is seen to
 * leave between two turns. */
TEST(sse_one_turn_after_the_other_reaches_a_reader)
{
	struct serve *s = start(60000, 256 * KB);
	int fd = follow(s), small = 64 * KB;
	size_t n = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	make_block(5 * MB);
	for (int i = 0; i < 10; i++) {
		serve_on(s, 0, send_block);
		n += drink(fd, 2 * MB);
		serve_on(s, 0, look_taken);
		while (taken_since < 256 * KB) {
			n += drink(fd, 64 * KB);
			serve_on(s, 0, look_taken);
		}
	}
	drink(fd, 50 * MB - n);
	serve_on(s, 0, end_quietly);
	serve_wait(s, 'd');
	close(fd);
	serve_stop(s);
	sse_block_drop(block);
}

/* One that does not read is cut at the cap, and holds no memory after it. */
TEST(sse_a_slow_reader_is_cut)
{
	struct serve *s = start(60000, 256 * KB);
	int fd, small = 4096, sent = 0;

	fd = follow(s);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	make_block(64 * KB);
	while (sse != NULL && sent++ < 1000)
		serve_on(s, 0, send_block);
	CHECK(sent > 4 && sent < 250);       /* sockets take some MB themselves */
	serve_wait(s, 'g');
	serve_wait(s, 'd');
	hear_all(fd, heard, sizeof heard);
	CHECK(strstr(heard, "\r\n0\r\n\r\n") == NULL);
	close(fd);
	serve_stop(s);
	CHECK_INT(atomic_load(&block->refs), 1);
	sse_block_drop(block);
}

/* Tells when nothing is queued: at once, or when a reader has taken it all. */

static void
told_empty(void *ctx)
{
	CHECK_INT(sse_queued(sse), 0);
	serve_tell(ctx, 'e');
}

static void
ask_empty(struct serve *s)
{
	(void)s;
	sse_when_empty(sse, told_empty);
}

static void
send_and_ask(struct serve *s)
{
	sse_send(sse, block);
	CHECK(sse_queued(sse) >= block->n);
	ask_empty(s);
}

TEST(sse_tells_when_its_queue_is_empty)
{
	struct serve *s = start(60000, 256 * KB);
	int fd = follow(s);

	serve_on(s, 0, ask_empty);
	serve_wait(s, 'e');
	make_block(8 * MB);
	serve_on(s, 0, send_and_ask);
	drink(fd, 8 * MB);
	serve_wait(s, 'e');
	serve_on(s, 0, end_quietly);
	serve_wait(s, 'd');
	close(fd);
	serve_stop(s);
	sse_block_drop(block);
}

TEST(sse_frames_have_one_form)
{
	struct buf b = BUF(1000);

	sse_add_frame(&b, S("values"), S("{\"a\":1}"), 7);
	sse_add_frame(&b, S("end"), S(""), -1);
	CHECK_STR(buf_str(&b), "event: values\ndata: {\"a\":1}\nid: 7\n\n"
	    "event: end\ndata: \n\n");
	buf_release(&b);
}
