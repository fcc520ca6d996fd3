/*
 * net_refuse.c - what the HTTP server does not read, and how it says so.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "harness/test.h"
#include "base/mem.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_LINE "Host: test\r\n"
#define CHUNKED   "Transfer-Encoding: chunked\r\n"

static char heard[64 * KB];

/* A client that is refused reads why, although it is still sending. */
TEST(http_too_large_a_body_is_refused_unread)
{
	struct serve *s = serve_start(1);
	char *lots = mem_zero(4 * MB);
	int fd = dial(s);

	say(fd, S("POST /echo HTTP/1.1\r\n" HOST_LINE "Content-Length: 4194304\r\n\r\n"));
	say(fd, (struct str){ lots, 256 * KB });
	CHECK(hear(fd, heard, sizeof heard) > 0);
	CHECK(strncmp(heard, "HTTP/1.1 413 ", 13) == 0);
	CHECK(strstr(heard, "\r\n\r\n413: the body is too large") != NULL);
	CHECK(strstr(heard, "\r\nx-refused: yes\r\n") != NULL);
	CHECK_INT(recv(fd, heard, 1, 0), 0); /* an end, not a reset */
	close(fd);
	CHECK_INT(ask(s, S("POST /small HTTP/1.1\r\n" HOST_LINE CHUNKED
	    "\r\n6\r\nabcdef\r\n6\r\n")), 413);
	CHECK_INT(ask(s, S("POST /small HTTP/1.1\r\n" HOST_LINE
	    "Content-Length: 11\r\n\r\n")), 413);
	CHECK_INT(ask(s, S("POST /none HTTP/1.1\r\n" HOST_LINE
	    "Content-Length: 1\r\n\r\n")), 413);
	CHECK_INT(s->handled[0], 0);
	free(lots);
	serve_stop(s);
}

static void
ask_padded(struct serve *s, const char *before, size_t n, const char *after, int status)
{
	struct buf b = BUF(1 * MB);

	buf_add(&b, str_of(before));
	for (size_t i = 0; i < n; i++)
		buf_add_char(&b, 'a');
	buf_add(&b, str_of(after));
	CHECK_INT(ask(s, buf_str(&b)), status);
	buf_release(&b);
}

/* The largest body that is allowed is, however it comes. */
TEST(http_the_largest_body_is_taken)
{
	static const char *const bodies[] = { "a\r\n0123456789\r\n0\r\n\r\n",
		"5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n" };
	struct serve *s = serve_start(1);
	char raw[256];

	for (size_t i = 0; i < COUNT(bodies); i++) {
		snprintf(raw, sizeof raw, "POST /small HTTP/1.1\r\n" HOST_LINE CHUNKED
		    "\r\n%s", bodies[i]);
		CHECK_INT(ask(s, str_of(raw)), 200);
	}
	CHECK_INT(ask(s, S("POST /small HTTP/1.1\r\n" HOST_LINE
	    "Content-Length: 10\r\n\r\n0123456789")), 200);
	serve_stop(s);
}

/* What stands between the chunks is not held, and still has an end. */
TEST(http_chunk_framing_has_a_limit)
{
	struct serve *s = serve_start(1);

	ask_padded(s, "POST / HTTP/1.1\r\n" HOST_LINE CHUNKED "\r\n1;",
	    LIMIT_HTTP_HEADER_BYTES - 100, "\r\nx\r\n0\r\n\r\n", 200);
	ask_padded(s, "POST / HTTP/1.1\r\n" HOST_LINE CHUNKED "\r\n1;",
	    LIMIT_HTTP_HEADER_BYTES + 100, "\r\nx\r\n0\r\n\r\n", 413);
	serve_stop(s);
}

TEST(http_heads_have_limits)
{
	struct serve *s = serve_start(1);
	struct buf b = BUF(1 * MB);
	size_t room = LIMIT_HTTP_URL_BYTES - strlen("GET / HTTP/1.1");

	ask_padded(s, "GET /", room, " HTTP/1.1\r\n" HOST_LINE "\r\n", 200);
	ask_padded(s, "GET /", room + 1, " HTTP/1.1\r\n" HOST_LINE "\r\n", 414);
	ask_padded(s, "GET /", 100000, "", 414);
	ask_padded(s, "GET / HTTP/1.1\r\n" HOST_LINE "A: ", 30000, "\r\n\r\n", 200);
	ask_padded(s, "GET / HTTP/1.1\r\n" HOST_LINE "A: ", 33000, "\r\n\r\n", 431);
	ask_padded(s, "GET / HTTP/1.1\r\n" HOST_LINE "A: ", 200000, "", 431);
	for (int over = 0; over < 2; over++) {
		buf_clear(&b);
		buf_lit(&b, "GET / HTTP/1.1\r\n" HOST_LINE);
		for (int i = 1; i < LIMIT_HTTP_HEADER_COUNT + over; i++)
			buf_lit(&b, "A: b\r\n");
		buf_lit(&b, "\r\n");
		CHECK_INT(ask(s, buf_str(&b)), over ? 431 : 200);
	}
	buf_release(&b);
	serve_stop(s);
}

/* Whatever two servers could read in two ways. */
static const struct {
	const char *raw;
	size_t n;
	int status;
} refused[] = {
#define RAW(text, status) { text, sizeof(text) - 1, status }
#define GET_ "GET / HTTP/1.1\r\n"
#define POST_ "POST / HTTP/1.1\r\n" HOST_LINE
	RAW(POST_ "Content-Length: 4\r\n" CHUNKED "\r\n0\r\n\r\n", 400),
	RAW(POST_ CHUNKED "Content-Length: 4\r\n\r\n0\r\n\r\n", 400),
	RAW(POST_ "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400),
	RAW(POST_ "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", 400),
	RAW(POST_ "Content-Length: 4, 4\r\n\r\nabcd", 400),
	RAW(POST_ "Content-Length: +4\r\n\r\nabcd", 400),
	RAW(POST_ "Content-Length: 0x4\r\n\r\nabcd", 400),
	RAW(POST_ "Content-Length: -1\r\n\r\n", 400),
	RAW(POST_ "Content-Length:\r\n\r\n", 400),
	RAW(POST_ "Content-Length: 99999999999999999999\r\n\r\n", 400),
	RAW(POST_ "Content-Length: 18446744073709551615\r\n\r\n", 413),
	RAW(POST_ "Transfer-Encoding: gzip\r\n\r\n", 400),
	RAW(POST_ "Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
	RAW(POST_ "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
	RAW(POST_ "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
	RAW(POST_ "Transfer-Encoding: identity\r\n\r\n", 400),
	RAW(POST_ "Transfer-Encoding: xchunked\r\n\r\n", 400),
	RAW(POST_ "Transfer-Encoding:\r\n\r\n", 400),
	RAW(POST_ "Transfer-Encoding: chunked\r\n" CHUNKED "\r\n0\r\n\r\n", 400),
	RAW("POST / HTTP/1.0\r\n" HOST_LINE CHUNKED "\r\n0\r\n\r\n", 400),
	RAW(GET_ "\r\n", 400),                              /* no Host */
	RAW(GET_ HOST_LINE HOST_LINE "\r\n", 400),
	RAW(GET_ "Host: a/b\r\n\r\n", 400),
	RAW(GET_ "Host: a, b\r\n\r\n", 400),
	RAW(GET_ "Host: user@a\r\n\r\n", 400),
	RAW(GET_ HOST_LINE "A: b\r\n c\r\n\r\n", 400),      /* folded */
	RAW(GET_ " " HOST_LINE "\r\n", 400),
	RAW(GET_ HOST_LINE "A: b\rC: d\r\n\r\n", 400),      /* bare CR */
	RAW(GET_ HOST_LINE "A: b\nC: d\r\n\r\n", 400),      /* bare LF */
	RAW("GET / HTTP/1.1\n" HOST_LINE "\r\n", 400),
	RAW(GET_ "Host : test\r\n\r\n", 400),
	RAW(GET_ HOST_LINE "A B: c\r\n\r\n", 400),
	RAW(GET_ HOST_LINE ": c\r\n\r\n", 400),
	RAW(GET_ HOST_LINE "no colon\r\n\r\n", 400),
	RAW(GET_ HOST_LINE "A: b\x01\r\n\r\n", 400),
	RAW(GET_ HOST_LINE "A: b\0\r\n\r\n", 400),
	RAW(GET_ HOST_LINE "A\x7f: b\r\n\r\n", 400),
	RAW("GET /a\0b HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET /a%00b HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET /a%0 HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET /a%zz HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET /a%ff HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET /a%2fb HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET /a%2Fb HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET http://test/a%2F HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW(GET_ HOST_LINE "Authorization: Bearer a\r\nauthorization: Bearer a\r\n\r\n", 400),
	RAW(GET_ HOST_LINE "X-Api-Key: a\r\nA: b\r\nX-API-KEY: b\r\n\r\n", 400),
	RAW(GET_ HOST_LINE "Origin: http://a\r\nOrigin: http://b\r\n\r\n", 400),
	RAW(POST_ "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd", 415),
	RAW(POST_ "Content-Encoding: identity, gzip\r\nContent-Length: 4\r\n\r\nabcd", 415),
	RAW(POST_ "Content-Encoding: identity\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\nabcd", 415),
	RAW("GET /?q=%g1 HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET /?q=% HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET /a#b HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET ftp://test/ HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET http://other/ HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET http:/// HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET * HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET  / HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET /  HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET\t/ HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("GET / HTTP/1.1 \r\n" HOST_LINE "\r\n", 505),
	RAW("GET / http/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("FETCH / HTTP/1.1\r\n" HOST_LINE "\r\n", 400),
	RAW("CONNECT test:80 HTTP/1.1\r\n" HOST_LINE "\r\n", 405),
	RAW("GET / HTTP/0.9\r\n" HOST_LINE "\r\n", 505),
	RAW("GET / HTTP/2.0\r\n" HOST_LINE "\r\n", 505),
	RAW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
	RAW("GET /\r\n\r\n", 505),
	RAW("\x16\x03\x01\x02\x00\x01\x00", 400),           /* TLS */
	RAW(POST_ CHUNKED "\r\n4 \r\nabcd\r\n0\r\n\r\n", 400),
	RAW(POST_ CHUNKED "\r\n4\nabcd\r\n0\r\n\r\n", 400),
	RAW(POST_ CHUNKED "\r\n4\rXabcd\r\n0\r\n\r\n", 400),
	RAW(POST_ CHUNKED "\r\n4\r\nabcdXX0\r\n\r\n", 400),
	RAW(POST_ CHUNKED "\r\n4\r\nabcd\rX0\r\n\r\n", 400),
	RAW(POST_ CHUNKED "\r\n4;a\nb\r\nabcd\r\n0\r\n\r\n", 400),
	RAW(POST_ CHUNKED "\r\n-4\r\nabcd\r\n0\r\n\r\n", 400),
	RAW(POST_ CHUNKED "\r\n0x4\r\nabcd\r\n0\r\n\r\n", 400),
	RAW(POST_ CHUNKED "\r\n\r\n", 400),
	RAW(POST_ CHUNKED "\r\n10000000000000004\r\nabcd\r\n0\r\n\r\n", 413),
	RAW(POST_ CHUNKED "\r\n0\r\n folded\r\n\r\n", 400),
	RAW(POST_ CHUNKED "\r\n0\r\nA: b\rc\r\n\r\n", 400),
};

TEST(http_refuses_what_could_be_read_in_two_ways)
{
	struct serve *s = serve_start(1);

	for (size_t i = 0; i < COUNT(refused); i++) {
		int fd = dial(s), status;

		say(fd, (struct str){ refused[i].raw, refused[i].n });
		status = hear_status(fd);
		if (status != refused[i].status)
			test_fail(__FILE__, __LINE__, "%s: got %d, not %d",
			    refused[i].raw, status, refused[i].status);
		CHECK(hear_end(fd));
	}
	CHECK_INT(s->handled[0], 0);
	serve_stop(s);
}
