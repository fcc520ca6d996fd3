/*
 * net_proxy.c - who is believed of what proxies say; and the PROXY protocol before HTTP.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "harness/test.h"
#include "base/mem.h"
#include "net/proxy.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct proxy_trust *
trust(const char *list)
{
	struct proxy_trust *t;
	struct err e;

	CHECK_RC(proxy_trust_new(&t, str_of(list), &e), OK);
	return t;
}

/* What `told` says: "CLIENT SCHEME", with - for what is not told. */
static const char *
told_of(const char *list, const struct http_header *headers, size_t n)
{
	static char out[100];
	struct proxy_trust *t = trust(list);
	struct proxy_told told;
	char client[PROXY_HOP_TEXT] = "-";

	proxy_forwarded(t, headers, n, &told);
	if (told.has_client)
		proxy_hop_text(&told.client, client);
	snprintf(out, sizeof out, "%s %s", client, !told.has_scheme ? "-" :
	    told.secure ? "https" : "http");
	proxy_trust_free(t);
	return out;
}

#define XFF   S("X-Forwarded-For")
#define PROTO S("x-forwarded-proto")
#define FWD   S("Forwarded")

TEST(proxy_headers_count_as_far_as_they_are_trusted)
{
	static const struct { struct http_header h[3]; const char *told; } rows[] = {
		{ { { XFF, S("203.0.113.9") } }, "203.0.113.9:0 -" },
		{ { { XFF, S("203.0.113.9:4711") } }, "203.0.113.9:4711 -" },
		{ { { XFF, S("[2001:db8::1]:80") } }, "[2001:db8::1]:80 -" },
		{ { { XFF, S("2001:db8::1") } }, "[2001:db8::1]:0 -" },
		{ { { XFF, S("::ffff:203.0.113.9") } }, "203.0.113.9:0 -" },
		/* What the client wrote itself stands left of what the proxy saw. */
		{ { { XFF, S("127.0.0.1, 203.0.113.9") } }, "203.0.113.9:0 -" },
		{ { { XFF, S("127.0.0.1") }, { XFF, S("203.0.113.9") } }, "203.0.113.9:0 -" },
		{ { { XFF, S("198.51.100.1, 203.0.113.9, 10.0.0.2") } }, "203.0.113.9:0 -" },
		{ { { XFF, S("10.0.0.3, 10.0.0.2") } }, "10.0.0.3:0 -" },
		/* Nobody knows who is left of it. */
		{ { { XFF, S("198.51.100.1, unknown, 10.0.0.2") } }, "10.0.0.2:0 -" },
		{ { { XFF, S("unknown") } }, "- -" },
		{ { { XFF, S("") } }, "- -" },
		{ { { XFF, S(",,,") } }, "- -" },
		{ { { XFF, S("203.0.113.9, ") } }, "- -" },
		{ { { XFF, S("203.0.113.9:99999") } }, "- -" },
		{ { { XFF, S("203.0.113.9") }, { PROTO, S("https") } }, "203.0.113.9:0 https" },
		{ { { XFF, S("203.0.113.9, 10.0.0.2") }, { PROTO, S("https, http") } },
		  "203.0.113.9:0 https" },
		{ { { XFF, S("203.0.113.9") }, { PROTO, S("https, http") } }, "203.0.113.9:0 http" },
		{ { { PROTO, S("HTTPS") } }, "- https" },
		{ { { PROTO, S("gopher") } }, "- -" },
		{ { { FWD, S("for=203.0.113.9;proto=https") } }, "203.0.113.9:0 https" },
		{ { { FWD, S("For=\"[2001:db8::1]:4711\"; by=x ;PROTO=http") } },
		  "[2001:db8::1]:4711 http" },
		{ { { FWD, S("for=127.0.0.1, for=203.0.113.9;proto=https, for=10.0.0.2;proto=http") } },
		  "203.0.113.9:0 https" },
		{ { { FWD, S("for=\"203.0.113.1, for=127.0.0.1\", for=203.0.113.9") } },
		  "203.0.113.9:0 -" },
		{ { { FWD, S("for=_hidden") } }, "- -" },
		{ { { FWD, S("for") } }, "- -" },
		{ { { FWD, S("\"") } }, "- -" },
		/* A proxy that writes the one hands the other on as it came. */
		{ { { FWD, S("for=127.0.0.1;proto=https") }, { XFF, S("203.0.113.9") } },
		  "203.0.113.9:0 -" },
		{ { { S("host"), S("x") } }, "- -" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_STR(str_of(told_of("10.0.0.0/8", rows[i].h, 3)), rows[i].told);
}

/* A list of any length is looked at from its end. */
TEST(proxy_headers_may_be_long)
{
	struct buf b = BUF(64 * KB);
	struct http_header h = { .name = XFF };

	for (int i = 0; i < 1000; i++)
		buf_lit(&b, "10.0.0.9,");
	buf_lit(&b, "203.0.113.9");
	for (int i = 0; i < 10; i++)
		buf_lit(&b, ",10.0.0.2");
	h.value = buf_str(&b);
	CHECK_STR(str_of(told_of("10.0.0.0/8", &h, 1)), "203.0.113.9:0 -");
	buf_release(&b);
}

TEST(proxy_trust_is_of_addresses_networks_and_unix)
{
	static const struct { const char *list, *address; bool trusted; } rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", true }, { "10.0.0.0/8", "11.0.0.1", false },
		{ "192.0.2.1", "192.0.2.1", true }, { "192.0.2.1", "192.0.2.2", false },
		{ "fd00::/8, ::1", "fd12::1", true }, { "fd00::/8, ::1", "::1", true },
		{ "fd00::/8", "fe80::1", false }, { "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false }, { "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "::ffff:192.0.2.1", "192.0.2.1", true }, { "10.0.0.128/25", "10.0.0.127", false },
	};
	static const char *const bad[] = { "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
		"10.0.0", "::/129", "a,b", "10.0.0.1,,10.0.0.2", "Unix" };
	struct proxy_hop unix_hop = { .n = 0 };
	struct proxy_trust *t;
	struct err e;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_header h = { XFF, str_of(rows[i].address) };
		struct proxy_told told;

		t = trust(rows[i].list);
		proxy_forwarded(t, &h, 1, &told);
		CHECK(told.has_client && proxy_trusts(t, &told.client) == rows[i].trusted);
		CHECK(!proxy_trusts(t, &unix_hop));
		proxy_trust_free(t);
	}
	t = trust("unix");
	CHECK(proxy_trusts(t, &unix_hop));
	proxy_trust_free(t);
	CHECK(trust("") == NULL && !proxy_trusts(NULL, &unix_hop));
	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK_RC(proxy_trust_new(&t, str_of(bad[i]), &e), ERR_INVALID);
}

/* ---- the protocol ------------------------------------------------------------------- */

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(s) { s, sizeof s - 1 }

static const struct { struct str header; enum proxy_got got; const char *client; } headers[] = {
	{ BYTES("PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n"), PROXY_CLIENT, "203.0.113.9:4711" },
	{ BYTES("PROXY TCP6 2001:db8::1 ::1 4711 80\r\n"), PROXY_CLIENT, "[2001:db8::1]:4711" },
	{ BYTES("PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n"), PROXY_CLIENT, "1.2.3.4:1" },
	{ BYTES("PROXY UNKNOWN\r\n"), PROXY_ITSELF, NULL },
	{ BYTES("PROXY UNKNOWN ffff:f::ff ffff:f::ff 65535 65535\r\n"), PROXY_ITSELF, NULL },
	{ BYTES("PROXY TCP4 203.0.113.9 192.0.2.1 4711\r\n"), PROXY_BAD, NULL },
	{ BYTES("PROXY TCP4 203.0.113.9 192.0.2.1 4711 80 1\r\n"), PROXY_BAD, NULL },
	{ BYTES("PROXY TCP4 203.0.113.9 192.0.2.1 4711 99999\r\n"), PROXY_BAD, NULL },
	{ BYTES("PROXY TCP4 2001:db8::1 192.0.2.1 4711 80\r\n"), PROXY_BAD, NULL },
	{ BYTES("PROXY TCP6 203.0.113.9 192.0.2.1 4711 80\r\n"), PROXY_BAD, NULL },
	{ BYTES("PROXY TCP4  203.0.113.9 192.0.2.1 4711 80\r\n"), PROXY_BAD, NULL },
	{ BYTES("PROXY UDP4 203.0.113.9 192.0.2.1 4711 80\r\n"), PROXY_BAD, NULL },
	{ BYTES("PROXY TCP4 203.0.113.9 192.0.2.1 4711 80 ...................................................."
	    "....................................."), PROXY_BAD, NULL },
	{ BYTES("PROXYTCP4 "), PROXY_BAD, NULL },
	{ BYTES("GET / HTTP/1.1\r\n"), PROXY_BAD, NULL },
	{ BYTES("\x16\x03\x01"), PROXY_BAD, NULL },
	{ BYTES(V2 "\x21\x11\0\x0c" "\xcb\0\x71\x09" "\xc0\0\2\1" "\x12\x67" "\0\x50"), PROXY_CLIENT,
	  "203.0.113.9:4711" },
	{ BYTES(V2 "\x21\x21\0\x24" "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" "\x12\x67" "\0\x50"), PROXY_CLIENT,
	  "[2001:db8::1]:4711" },
	/* With more than the addresses. */
	{ BYTES(V2 "\x21\x11\0\x10" "\xcb\0\x71\x09" "\xc0\0\2\1" "\x12\x67" "\0\x50" "\4\0\1x"),
	  PROXY_CLIENT, "203.0.113.9:4711" },
	{ BYTES(V2 "\x20\0\0\0"), PROXY_ITSELF, NULL },
	{ BYTES(V2 "\x20\x11\0\x0c" "\xcb\0\x71\x09" "\xc0\0\2\1" "\x12\x67" "\0\x50"), PROXY_ITSELF, NULL },
	{ BYTES(V2 "\x21\0\0\0"), PROXY_ITSELF, NULL },
	{ BYTES(V2 "\x21\x11\0\x0b" "\xcb\0\x71\x09" "\xc0\0\2\1" "\x12\x67" "\0"), PROXY_BAD, NULL },
	{ BYTES(V2 "\x21\x12\0\x0c" "\xcb\0\x71\x09" "\xc0\0\2\1" "\x12\x67" "\0\x50"), PROXY_BAD, NULL },
	{ BYTES(V2 "\x22\x11\0\x0c"), PROXY_BAD, NULL },
	{ BYTES(V2 "\x11\x11\0\x0c"), PROXY_BAD, NULL },
	{ BYTES(V2 "\x21\x11\xff\xff"), PROXY_BAD, NULL },
};

/* Byte by byte: nothing is decided early, and nothing behind the header is asked for. */
TEST(proxy_protocol_headers)
{
	for (size_t i = 0; i < COUNT(headers); i++) {
		struct str h = headers[i].header;
		struct proxy_hop client;
		char text[PROXY_HOP_TEXT];
		enum proxy_got got = PROXY_MORE;
		const char *why = NULL;
		size_t need, n = 0;

		while (got == PROXY_MORE && n <= h.n) {
			got = proxy_read(str_sub(h, 0, n), &need, &client, &why);
			if (got != PROXY_MORE)
				break;
			CHECK(headers[i].got == PROXY_BAD || n + need <= h.n);
			n++;
		}
		CHECK_INT(got, headers[i].got);
		if (got == PROXY_BAD) {
			CHECK(why != NULL);
			continue;
		}
		CHECK_INT(n, h.n);
		if (got == PROXY_CLIENT) {
			proxy_hop_text(&client, text);
			CHECK_STR(str_of(text), headers[i].client);
		}
	}
}

static void
tell_peer(struct serve *s, struct http_req *r)
{
	(void)s;
	http_reply(r, 200, S("text/plain"), STR_NONE, r->peer);
}

/* The peer that the handler sees; "" when the connection was closed. */
static const char *
peer_after(struct serve *s, struct str header, const char *more)
{
	static char text[4 * KB];
	int fd = dial(s);
	char *body;

	/* In two pieces, the second with the request. */
	say(fd, str_sub(header, 0, header.n / 2));
	say(fd, str_sub(header, header.n / 2, header.n));
	say(fd, S("GET /peer HTTP/1.1\r\nhost: x\r\n"));
	say(fd, str_of(more));
	say(fd, S("connection: close\r\n\r\n"));
	hear_all(fd, text, sizeof text);
	close(fd);
	body = strstr(text, "\r\n\r\n");
	return body == NULL ? "" : body + 4;
}

TEST(proxy_protocol_before_http)
{
	const struct http_listen at = { .host = S("127.0.0.1") };
	struct proxy_trust *t = trust("127.0.0.1,10.0.0.1");
	struct serve *s = serve_with(1, &(struct http_options){ .at = &at, .at_n = 1, .shards = 1,
	    .trust = t, .proxy_protocol = true });

	s->any_peer = true;
	s->handle = tell_peer;
	serve_run(s);
	for (size_t i = 0; i < COUNT(headers); i++) {
		const char *peer = peer_after(s, headers[i].header, "");

		if (headers[i].got == PROXY_CLIENT)
			CHECK_STR(str_of(peer), headers[i].client);
		else if (headers[i].got == PROXY_ITSELF)
			CHECK(str_starts(str_of(peer), S("127.0.0.1:")));
		else
			CHECK_STR(str_of(peer), "");
	}
	/* A client that is no proxy is not believed, and another proxy is. */
	CHECK_STR(str_of(peer_after(s, S("PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n"),
	    "x-forwarded-for: 127.0.0.1\r\n")), "203.0.113.9:4711");
	CHECK_STR(str_of(peer_after(s, S("PROXY TCP4 10.0.0.1 192.0.2.1 4711 80\r\n"),
	    "x-forwarded-for: 203.0.113.9\r\n")), "203.0.113.9:0");
	serve_stop(s);
	proxy_trust_free(t);
}

/* Headers that do not come, or come slowly, are no work under way. */
TEST(proxy_protocol_headers_have_a_deadline)
{
	const struct http_listen at = { .host = S("127.0.0.1") };
	struct proxy_trust *t = trust("127.0.0.1");
	const struct http_options o = { .at = &at, .at_n = 1, .shards = 1, .trust = t,
	    .proxy_protocol = true };
	struct serve *s = serve_with(1, &o);
	int silent, half;

	http_server_limits(s->hs)->handshake = 20;
	serve_run(s);
	silent = dial(s);
	half = dial(s);
	say(half, S("PROXY TCP4 "));
	CHECK(hear_end(silent));
	CHECK(hear_end(half));
	close(silent);
	close(half);
	serve_stop(s);

	s = serve_with(1, &o);
	serve_run(s);
	silent = dial(s);
	half = dial(s);
	say(half, S("PROXY TCP4 "));
	serve_stop(s);                       /* waits for neither */
	close(silent);
	close(half);
	proxy_trust_free(t);
}

/* Without trust, and from others than the trusted, headers are nobody's word. */
TEST(proxy_headers_of_others_are_not_believed)
{
	const struct http_listen at = { .host = S("127.0.0.1") };
	struct proxy_trust *t = trust("192.0.2.1,unix");
	struct serve *s = serve_with(1, &(struct http_options){ .at = &at, .at_n = 1, .shards = 1,
	    .trust = t });

	s->handle = tell_peer;
	serve_run(s);
	CHECK(str_starts(str_of(peer_after(s, STR_NONE, "x-forwarded-for: 203.0.113.9\r\n"
	    "forwarded: for=203.0.113.9\r\n")), S("127.0.0.1:")));
	serve_stop(s);
	proxy_trust_free(t);
}
