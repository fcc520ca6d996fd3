/*
 * net_ws.c - WebSockets over real sockets: handshake, messages, limits, ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "harness/test.h"
#include "base/mem.h"
#include "net/http_priv.h"

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
