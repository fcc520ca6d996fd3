/*
 * net_ws.c - WebSockets over real sockets: handshake, messages, limits, ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "net_ws_cases.h"
#include "harness/test.h"
#include "base/account.h"
#include "base/mem.h"
#include "net/http_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="           /* RFC 6455 section 1.3 */
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define SHAKE "GET /ws HTTP/1.1\r\nHost: test\r\n" UPGRADE \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"

static char heard[8 * MB];
static struct ws *_Atomic ws;               /* NULL: gone; read by the test */
static atomic_uint gone_code;

static void
on_message(void *ctx, struct str text)
{
	(void)ctx;
	ws_send_text(ws, text);
}

static void
on_gone(void *ctx, unsigned code)
{
	ws = NULL;
	gone_code = code;
	serve_tell(ctx, 'g');
}

static const struct ws_events echo = { on_message, on_gone };

static void
begin(struct serve *s, struct http_req *r)
{
	struct str protocol = STR_NONE;
	struct err e;
	int status = ws_check(r, &e);

	if (status != 0) {
		http_reply(r, status, S("text/plain"), status == 426 ? WS_UPGRADE_LINES :
		    STR_NONE, str_of(e.text));
		return;
	}
	for (size_t i = 0; ws_offered(r, i, &protocol); i++)
		if (str_eq(protocol, S("two")))
			break;
	ws = ws_begin(r, protocol, S("X-Extra: 1\r\n"), &echo, s);
	serve_tell(s, 'b');
}

static struct serve *
start(void)
{
	struct serve *s = serve_new(1);

	s->handle = begin;
	http_server_limits(s->hs)->ws_ping = 60000;
	serve_run(s);
	return s;
}

static int
connect_ws(struct serve *s)
{
	int fd = dial(s);

	say(fd, S(SHAKE "\r\n"));
	hear_until(fd, heard, sizeof heard, "\r\n\r\n");
	serve_wait(s, 'b');
	return fd;
}

/* A frame of a client, its mask 1, 2, 3, 4. */
static void
say_frame(int fd, int first, struct str payload)
{
	char out[256] = { (char)first, (char)(0x80 | payload.n), 1, 2, 3, 4 };

	CHECK(payload.n <= 125);
	for (size_t i = 0; i < payload.n; i++)
		out[6 + i] = (char)(payload.p[i] ^ (char)(1 + i % 4));
	say(fd, (struct str){ out, 6 + payload.n });
}

static void
check_heard(int fd, struct str want)
{
	size_t n = 0;

	while (n < want.n) {
		ssize_t got = recv(fd, heard + n, want.n - n, 0);

		CHECK(got > 0);
		n += (size_t)got;
	}
	CHECK(memcmp(heard, want.p, want.n) == 0);
}

TEST(ws_begins_with_the_answer_of_the_rfc)
{
	struct serve *s = start();
	int fd = dial(s);

	say(fd, S(SHAKE "Sec-WebSocket-Protocol: one, two\r\n"
	    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"));
	hear_until(fd, heard, sizeof heard, "\r\n\r\n");
	CHECK(strstr(heard, "HTTP/1.1 101 Switching Protocols\r\n") == heard);
	CHECK(strstr(heard, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n") != NULL);
	CHECK(strstr(heard, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
	    != NULL);
	CHECK(strstr(heard, "\r\nSec-WebSocket-Protocol: two\r\n") != NULL);
	CHECK(strstr(heard, "\r\nX-Extra: 1\r\n") != NULL);
	CHECK(strstr(heard, "Extensions") == NULL);
	say_frame(fd, 0x81, S("Hello"));
	check_heard(fd, S("\x81\x05" "Hello"));
	close(fd);
	serve_wait(s, 'g');
	CHECK_INT(gone_code, WS_LOST);
	serve_wait(s, 'd');
	CHECK_INT(s->last_status, 101);
	serve_stop(s);
}

/* Goal: the client's close is answered with the same code, and the connection ends. */
TEST(ws_ends_when_its_client_wants_to)
{
	struct serve *s = start();
	int fd = connect_ws(s);

	say_frame(fd, 0x88, S("\x0f\xa1" "bye"));
	check_heard(fd, S("\x88\x02\x0f\xa1"));
	serve_wait(s, 'g');
	CHECK_INT(gone_code, 4001);
	CHECK(hear_end(fd));
	close(fd);
	serve_wait(s, 'd');
	serve_stop(s);
}

/* ---- the cases, over a socket -------------------------------------------------- */

/* Frames of the server, as ws_case_say has them: text, pong, close(CODE). */
static void
say_frames(struct buf *out, const char *at, size_t n)
{
	const char *end = at + n;

	while (at < end) {
		const uint8_t *head = (const uint8_t *)at;
		size_t wide = head[1] < 126 ? 0 : head[1] == 126 ? 2 : 8, size = head[1];
		struct str payload;

		if (wide > 0)
			size = 0;
		for (size_t i = 0; i < wide; i++)
			size = size << 8 | head[2 + i];
		payload = (struct str){ at + 2 + wide, size };
		at = payload.p + size;
		CHECK(at <= end);
		if (head[0] == 0x88)
			buf_add_fmt(out, "close(%d)", (uint8_t)payload.p[0] << 8 |
			    (uint8_t)payload.p[1]);
		else
			ws_case_say(out, head[0] == 0x81 ? "text" : "pong", payload);
		CHECK(head[0] == 0x88 || head[0] == 0x81 || head[0] == 0x8a);
	}
}

/* What an echo answers: texts, a pong to each ping, the code of the close. */
static void
say_wanted(struct buf *out, struct str wanted)
{
	struct str part;
	bool closed = false;

	while (str_next(&wanted, ')', &part)) {
		bool bad = str_starts(part, S("bad(")), close = str_starts(part, S("close("));
		struct str payload = part, code;

		str_next(&payload, '(', &code);
		if (str_starts(part, S("ping(")))
			ws_case_say(out, "pong", payload);
		if (str_starts(part, S("text(")))
			ws_case_say(out, "text", payload);
		if ((bad || close) && str_next(&payload, ',', &code))
			ws_case_say(out, "close", code);
		closed |= bad || close;
	}
	if (!closed)
		buf_lit(out, "close(1000)");
}

static void
check_case(struct serve *s, const struct ws_case *x)
{
	struct buf bytes = BUF(1 * MB), got = BUF(1 * MB), wanted = BUF(1 * MB);
	int fd = connect_ws(s);
	size_t n;

	ws_case_add(&bytes, x->frames);
	ws_case_add(&bytes, S("x:\x03\xe8"));
	say(fd, buf_str(&bytes));
	n = hear_all(fd, heard, sizeof heard);
	if (n == 2)
		buf_lit(&got, "close(1005)");        /* no code */
	else
		say_frames(&got, heard, n);
	say_wanted(&wanted, x->wanted);
	if (!str_eq(buf_str(&got), buf_str(&wanted)))
		test_fail(__FILE__, __LINE__, "case %s: %.*s, not %.*s", x->name,
		    FMT(buf_str(&got)), FMT(buf_str(&wanted)));
	close(fd);
	buf_release(&bytes);
	buf_release(&got);
	buf_release(&wanted);
}

TEST(ws_answers_the_cases)
{
	struct serve *s = serve_new(1);
	struct ws_limits *l = &http_server_limits(s->hs)->ws;

	s->handle = begin;
	*l = (struct ws_limits){ WS_CASE_MESSAGE, WS_CASE_FRAMES, 1000 };
	serve_run(s);
	for (size_t i = 0; i < ws_cases_n; i++)
		check_case(s, &ws_cases[i]);
	serve_stop(s);
}

/* ---- the handshake -------------------------------------------------------------- */

#define HOST "Host: test\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define WITH_KEY "Sec-WebSocket-Key: " KEY "\r\n"

static const struct {
	const char *head;
	int status;
	const char *says;
} shakes[] = {
	{ "GET /ws HTTP/1.1\r\n" HOST UPGRADE VERSION WITH_KEY, 101, "Upgrade: websocket\r\n" },
	{ "GET /ws HTTP/1.1\r\n" HOST "upgrade: h2c, WebSocket\r\nconnection: keep-alive, UPGRADE\r\n"
	  VERSION WITH_KEY, 101, "Upgrade: websocket\r\n" },
	{ "GET /ws HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: keep-alive\r\n"
	  "Connection: Upgrade\r\n" VERSION WITH_KEY, 101, "Upgrade: websocket\r\n" },
	{ "GET /ws HTTP/1.1\r\n" HOST, 426, "expected the header Upgrade: websocket" },
	{ "GET /ws HTTP/1.1\r\n" HOST, 426, "\r\nUpgrade: websocket\r\n" },
	{ "GET /ws HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n" VERSION WITH_KEY,
	  426, "expected the header Upgrade: websocket" },
	{ "GET /ws HTTP/1.1\r\n" HOST "Upgrade: websockets\r\nConnection: Upgrade\r\n" VERSION
	  WITH_KEY, 426, "expected the header Upgrade: websocket" },
	{ "GET /ws HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n" VERSION WITH_KEY, 400,
	  "expected Connection: Upgrade" },
	{ "GET /ws HTTP/1.1\r\n" HOST UPGRADE WITH_KEY, 426, "Sec-WebSocket-Version: expected 13" },
	{ "GET /ws HTTP/1.1\r\n" HOST UPGRADE WITH_KEY "Sec-WebSocket-Version: 8\r\n", 426,
	  "\r\nSec-WebSocket-Version: 13\r\n" },
	{ "GET /ws HTTP/1.1\r\n" HOST UPGRADE WITH_KEY VERSION VERSION, 426,
	  "Sec-WebSocket-Version: expected 13, once" },
	{ "GET /ws HTTP/1.1\r\n" HOST UPGRADE VERSION, 400, "Sec-WebSocket-Key: expected" },
	{ "GET /ws HTTP/1.1\r\n" HOST UPGRADE VERSION WITH_KEY WITH_KEY, 400,
	  "Sec-WebSocket-Key: expected 16 bytes in base64, once" },
	{ "GET /ws HTTP/1.1\r\n" HOST UPGRADE VERSION "Sec-WebSocket-Key: AAAA\r\n", 400,
	  "Sec-WebSocket-Key: expected" },
	{ "GET /ws HTTP/1.1\r\n" HOST UPGRADE VERSION
	  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ-==\r\n", 400, "Sec-WebSocket-Key: expected" },
	{ "GET /ws HTTP/1.0\r\n" HOST UPGRADE VERSION WITH_KEY, 400, "HTTP/1.1" },
	{ "POST /ws HTTP/1.1\r\n" HOST UPGRADE VERSION WITH_KEY, 400, "GET" },
};

TEST(ws_refuses_a_bad_handshake_and_says_why)
{
	struct serve *s = start();

	for (size_t i = 0; i < COUNT(shakes); i++) {
		int fd = dial(s), status = 0;

		say(fd, str_of(shakes[i].head));
		say(fd, S("\r\n"));
		if (shakes[i].status == 101)
			hear_until(fd, heard, sizeof heard, "\r\n\r\n");
		else
			hear(fd, heard, sizeof heard);
		CHECK(sscanf(heard, "HTTP/1.1 %d ", &status) == 1);
		if (status != shakes[i].status || strstr(heard, shakes[i].says) == NULL)
			test_fail(__FILE__, __LINE__, "%s: %s", shakes[i].head, heard);
		close(fd);
	}
	serve_stop(s);
}

/* Goal: frames that come with the request, before its answer, are heard. */
TEST(ws_hears_what_comes_with_the_request)
{
	struct serve *s = start();
	struct buf b = BUF(1000);
	int fd = dial(s);

	buf_lit(&b, SHAKE "\r\n");
	ws_case_add(&b, S("t:early|i:too"));
	say(fd, buf_str(&b));
	hear_until(fd, heard, sizeof heard, "\r\n\r\n");
	check_heard(fd, S("\x81\x05" "early" "\x8a\x03" "too"));
	buf_release(&b);
	close(fd);
	serve_stop(s);
}

/* ---- the end -------------------------------------------------------------------- */

static void
close_ws(struct serve *s)
{
	char reason[300];

	(void)s;
	memset(reason, 'r', sizeof reason);
	memcpy(reason + 122, "\u00e9", 2);          /* does not fit whole */
	ws_send_text(ws, S("last"));
	ws_close(ws, 4401, (struct str){ reason, sizeof reason });
}

/* Goal: what was sent comes, then the close with as much of its reason as fits, then
 * the end; also while the client sends on. */
TEST(ws_is_closed_by_the_server)
{
	struct serve *s = start();
	int fd = connect_ws(s);
	size_t n;

	serve_on(s, 0, close_ws);
	say_frame(fd, 0x81, S("unheard"));
	n = hear_all(fd, heard, sizeof heard);
	CHECK_INT(n, 6 + 4 + 122);
	CHECK(memcmp(heard, "\x81\x04" "last" "\x88\x7c\x11\x31r", 11) == 0);
	say_frame(fd, 0x88, S("\x11\x31"));
	close(fd);
	serve_wait(s, 'd');
	serve_stop(s);
}

static void
abort_ws(struct serve *s)
{
	(void)s;
	ws_send_text(ws, S("last"));
	ws_abort(ws);
}

TEST(ws_that_is_aborted_is_reset)
{
	struct serve *s = start();
	int fd = connect_ws(s);
	ssize_t n;

	serve_on(s, 0, abort_ws);
	check_heard(fd, S("\x81\x04" "last"));
	n = recv(fd, heard, sizeof heard, 0);
	CHECK(n < 0 && errno == ECONNRESET);
	serve_wait(s, 'd');
	close(fd);
	serve_stop(s);
}

static void
beat(struct serve *s)
{
	(void)s;
	((struct ws *)ws)->beat.fire(&((struct ws *)ws)->beat);
}

/* Goal: a client that answers pings stays, one that does not is gone at the next one. */
TEST(ws_pings_and_misses_a_pong)
{
	struct serve *s = start();
	int fd = connect_ws(s);

	for (int i = 0; i < 3; i++) {
		serve_on(s, 0, beat);
		check_heard(fd, S("\x89\x00"));
		say_frame(fd, 0x8a, S(""));
		say_frame(fd, 0x89, S("read"));
		check_heard(fd, S("\x8a\x04" "read"));
	}
	serve_on(s, 0, beat);
	check_heard(fd, S("\x89\x00"));
	serve_on(s, 0, beat);
	serve_wait(s, 'g');
	CHECK_INT(gone_code, WS_LOST);
	CHECK(hear_all(fd, heard, sizeof heard) == 0);
	close(fd);
	serve_stop(s);
}

TEST(ws_pings_by_itself)
{
	struct serve *s = serve_new(1);
	int fd;

	s->handle = begin;
	http_server_limits(s->hs)->ws_ping = 20;
	serve_run(s);
	fd = connect_ws(s);
	check_heard(fd, S("\x89\x00"));
	serve_wait(s, 'g');
	close(fd);
	serve_stop(s);
}

static void
begin_held(struct serve *s)
{
	ws = ws_begin(s->held, STR_NONE, STR_NONE, &echo, s);
	ws_send_text(ws, S("unheard"));
	CHECK(ws != NULL);
}

static void
note_gone(struct http_req *r)
{
	serve_tell(r->user, 'x');
}

static void
watch_held(struct serve *s)
{
	http_on_gone(s->held, note_gone);
}

/* Goal: one that is begun when its client has left already is told so, later. */
TEST(ws_begun_for_nobody_is_told_gone)
{
	struct serve *s = start();
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	int fd = dial(s);

	say(fd, S("GET /hold HTTP/1.1\r\nHost: test\r\n" UPGRADE "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: " KEY "\r\n\r\n"));
	serve_wait(s, 'h');
	serve_on(s, 0, watch_held);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
	serve_wait(s, 'x');
	serve_on(s, 0, begin_held);
	serve_wait(s, 'g');
	CHECK_INT(gone_code, WS_LOST);
	serve_stop(s);
}

/* ---- limits --------------------------------------------------------------------- */

TEST(ws_a_flood_of_pings_ends_it)
{
	struct serve *s = start();
	int fd = connect_ws(s);
	struct buf b = BUF(64 * KB);
	size_t n;

	for (int i = 0; i < LIMIT_WS_CONTROLS + 1; i++)
		ws_case_add(&b, i % 2 == 0 ? S("i:") : S("o:"));
	say(fd, buf_str(&b));
	n = hear_all(fd, heard, sizeof heard);
	CHECK(n > LIMIT_WS_CONTROLS);
	CHECK_STR(str_of(heard + n - 24), "too many pings and pongs");
	serve_wait(s, 'g');
	CHECK_INT(gone_code, WS_POLICY);
	buf_release(&b);
	close(fd);
	serve_stop(s);
}

static void
let_go(struct serve *s)
{
	(void)s;
	ws_hold(ws, false);
}

static atomic_uint heard_n;

static void
hold_each(void *ctx, struct str text)
{
	heard_n++;
	ws_hold(ws, true);
	ws_send_text(ws, text);
	serve_tell(ctx, 'm');
}

static const struct ws_events holding = { hold_each, on_gone };

static void
begin_holding(struct serve *s, struct http_req *r)
{
	ws = ws_begin(r, STR_NONE, STR_NONE, &holding, s);
	serve_tell(s, 'b');
}

/* Goal: one message at a time, in order, none lost, whatever comes with it. */
TEST(ws_that_is_held_gives_no_message)
{
	struct serve *s = serve_new(1);
	struct buf b = BUF(1000);
	int fd;

	s->handle = begin_holding;
	serve_run(s);
	fd = connect_ws(s);
	ws_case_add(&b, S("t:one|-t:t|i:ping|c:wo|t:three"));
	say(fd, buf_str(&b));
	serve_wait(s, 'm');
	check_heard(fd, S("\x81\x03" "one"));
	CHECK_INT(heard_n, 1);
	serve_on(s, 0, let_go);
	serve_wait(s, 'm');
	check_heard(fd, S("\x8a\x04" "ping" "\x81\x03" "two"));
	CHECK_INT(heard_n, 2);
	serve_on(s, 0, let_go);
	serve_wait(s, 'm');
	check_heard(fd, S("\x81\x05" "three"));
	serve_on(s, 0, let_go);
	close(fd);
	serve_wait(s, 'g');
	buf_release(&b);
	serve_stop(s);
}

/* Goal: a client that asks and does not read is read no further: its messages wait in
 * its own socket, and all of them are answered once it reads. */
TEST(ws_reads_no_more_than_is_read_from_it)
{
	struct serve *s = start();
	int fd = connect_ws(s), small = 64 * KB;
	struct buf b = BUF(200000);
	size_t sent = 0, got = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	ws_case_add(&b, S("t:*100000"));
	for (size_t at = 0;;) {
		ssize_t n = send(fd, b.p + at, b.n - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && poll(&(struct pollfd){ fd, POLLOUT, 0 }, 1, 200) == 0) {
			CHECK(at > 0 || sent > 0);
			sent = sent * b.n + at;
			break;
		}
		at += n < 0 ? 0 : (size_t)n;
		sent += at == b.n;
		at %= b.n;
		CHECK(sent < 1000);          /* 100 MB in flight: it reads on */
	}
	CHECK(ws != NULL);
	while (got < sent / b.n * 100010) {
		ssize_t n = recv(fd, heard, sizeof heard, 0);

		CHECK(n > 0);
		got += (size_t)n;
	}
	CHECK(ws != NULL);
	close(fd);
	serve_wait(s, 'g');
	buf_release(&b);
	serve_stop(s);
}

static struct sse_block *block;

static void
send_block(struct serve *s)
{
	(void)s;
	if (ws != NULL)
		ws_send_block(ws, block);
}

static void
make_block(size_t n)
{
	char *x = mem_zero(n);

	memset(x, 'x', n);
	block = ws_frame_block((struct str){ x, n });
	free(x);
}

/* Goal: one that does not read what it did not ask for is cut, and holds no memory. */
TEST(ws_a_slow_reader_is_cut)
{
	struct serve *s = start();
	int fd = connect_ws(s), small = 4096, sent = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	make_block(64 * KB);
	while (ws != NULL && sent++ < 1000)
		serve_on(s, 0, send_block);
	CHECK(sent > 4 && sent < 250);       /* sockets take some MB themselves */
	serve_wait(s, 'g');
	CHECK_INT(gone_code, WS_LOST);
	close(fd);
	serve_stop(s);
	CHECK_INT(atomic_load(&block->refs), 1);
	sse_block_drop(block);
}

static void
told_empty(void *ctx)
{
	CHECK_INT(ws_queued(ws), 0);
	serve_tell(ctx, 'e');
}

static void
send_and_ask(struct serve *s)
{
	(void)s;
	ws_send_block(ws, block);
	CHECK(ws_queued(ws) >= block->n);
	ws_when_empty(ws, told_empty);
}

TEST(ws_tells_when_its_queue_is_empty)
{
	struct serve *s = start();
	int fd = connect_ws(s);
	size_t n = 0;

	make_block(8 * MB);
	serve_on(s, 0, send_and_ask);
	while (n < block->n) {
		ssize_t got = recv(fd, heard, sizeof heard, 0);

		CHECK(got > 0);
		n += (size_t)got;
	}
	serve_wait(s, 'e');
	say_frame(fd, 0x81, S("Hello"));
	check_heard(fd, S("\x81\x05" "Hello"));
	close(fd);
	serve_stop(s);
	sse_block_drop(block);
}

/* Goal: text that comes is in the account of bodies; without room it is refused. */
TEST(ws_without_room_is_told_to_try_again)
{
	struct serve *s = start();
	int fd = connect_ws(s);
	struct buf b = BUF(200000);
	size_t n, before;

	before = account_used(&account_bodies);
	account_bodies.capacity = before + 50000;
	ws_case_add(&b, S("t:*100000"));
	say(fd, buf_str(&b));
	n = hear_all(fd, heard, sizeof heard);
	CHECK(n > 4 && memcmp(heard + 2, "\x03\xf5", 2) == 0);
	serve_wait(s, 'g');
	CHECK_INT(gone_code, WS_AGAIN);
	CHECK_INT(account_used(&account_bodies), before);
	buf_release(&b);
	close(fd);
	serve_stop(s);
}

static void
look(struct serve *s)
{
	(void)s;
}

static void
on_other_gone(void *ctx, unsigned code)
{
	gone_code = code;
	serve_tell(ctx, 'g');
}

static const struct ws_events latest = { on_message, on_other_gone };

static void
begin_latest(struct serve *s, struct http_req *r)
{
	ws = ws_begin(r, STR_NONE, STR_NONE, &latest, s);
	serve_tell(s, 'b');
}

/* Goal: a message that is not finished goes when another needs its room. */
TEST(ws_a_message_that_does_not_move_makes_room)
{
	struct serve *s = serve_new(1);
	struct buf b = BUF(200000);
	int still, fd;

	s->handle = begin_latest;
	http_server_limits(s->hs)->body_still = 0;
	serve_run(s);
	ws_case_add(&b, S("t:*100000"));
	still = connect_ws(s);
	say(still, str_sub(buf_str(&b), 0, 90000));
	while (account_used(&account_bodies) < 90000)
		serve_on(s, 0, look);
	account_bodies.capacity = account_used(&account_bodies) + 80000;
	fd = connect_ws(s);
	say(fd, buf_str(&b));
	serve_wait(s, 'g');
	CHECK_INT(gone_code, WS_AGAIN);
	CHECK(recv(still, heard, 4, MSG_WAITALL) == 4);
	CHECK(memcmp(heard + 2, "\x03\xf5", 2) == 0);
	CHECK(recv(fd, heard, 4, MSG_WAITALL) == 4);
	CHECK(memcmp(heard, "\x81\x7f\x00\x00", 4) == 0);
	buf_release(&b);
	close(still);
	close(fd);
	serve_stop(s);
}
