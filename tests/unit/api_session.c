/*
 * api_session.c - which pages a cookie is good for, and where tickets are found.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "api/session.h"

/* Goal: the whole table of who asks; NULL: the header is not there. */
TEST(session_cookie_is_for_own_pages)
{
	static const struct { const char *host, *origin, *site; int safe, unsafe; } rows[] = {
		{ "h.example", "", "", OK, ERR_DENIED },
		{ "h.example", "", "same-origin", OK, OK },
		{ "h.example", "", "none", OK, ERR_DENIED },
		{ "h.example", "", "same-site", ERR_DENIED, ERR_DENIED },
		{ "h.example", "", "cross-site", ERR_DENIED, ERR_DENIED },
		{ "h.example", "", "Same-Origin", ERR_DENIED, ERR_DENIED },
		{ "h.example", "https://h.example", "", OK, OK },
		{ "h.example", "http://h.example", "", OK, OK },
		{ "h.example:443", "https://h.example", "", OK, OK },
		{ "h.example", "https://h.example:443", "", OK, OK },
		{ "h.example:80", "http://h.example", "", OK, OK },
		{ "H.Example", "https://h.example", "", OK, OK },
		{ "localhost:2024", "http://localhost:2024", "", OK, OK },
		{ "[::1]:2024", "http://[::1]:2024", "", OK, OK },
		{ "localhost:2024", "http://localhost:3000", "", ERR_DENIED, ERR_DENIED },
		{ "localhost:2024", "http://localhost", "", ERR_DENIED, ERR_DENIED },
		{ "localhost:2024", "http://127.0.0.1:2024", "", ERR_DENIED, ERR_DENIED },
		{ "h.example", "https://evil.example", "", ERR_DENIED, ERR_DENIED },
		{ "h.example", "https://h.example.evil.example", "", ERR_DENIED, ERR_DENIED },
		{ "h.example", "https://x@h.example", "", ERR_DENIED, ERR_DENIED },
		{ "h.example", "https://h.example/", "", ERR_DENIED, ERR_DENIED },
		{ "h.example", "https://h.example:444", "", ERR_DENIED, ERR_DENIED },
		{ "h.example:80", "https://h.example", "", ERR_DENIED, ERR_DENIED },
		{ "h.example", "null", "", ERR_DENIED, ERR_DENIED },
		{ "h.example", "h.example", "", ERR_DENIED, ERR_DENIED },
		{ "", "null", "", ERR_DENIED, ERR_DENIED },
		{ "", "https://", "", ERR_DENIED, ERR_DENIED },
		{ "h.example", "https://h.example", "cross-site", ERR_DENIED, ERR_DENIED },
		/* a proxy put another Host there; the browser says it all the same */
		{ "backend:2024", "https://h.example", "same-origin", OK, OK },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str host = str_of(rows[i].host), origin = str_of(rows[i].origin);
		struct str site = str_of(rows[i].site);
		struct err e;

		CHECK_RC(origin_own_check(host, origin, site, true, &e), rows[i].safe);
		CHECK_RC(origin_own_check(host, origin, site, false, &e), rows[i].unsafe);
	}
}

TEST(session_ticket_leaves_the_path)
{
	static const struct { const char *path, *rest, *ticket; } rows[] = {
		{ "/threads/t/stream/events/abc", "/threads/t/stream/events", "abc" },
		{ "/api/threads/t/stream/events/abc", "/api/threads/t/stream/events", "abc" },
		{ "/anything/stream/events/abc", "/anything/stream/events", "abc" },
		{ "/threads/t/stream/events/", "/threads/t/stream/events/", "" },
		{ "/threads/t/stream/events", "/threads/t/stream/events", "" },
		{ "/threads/t/stream/events/a/b", "/threads/t/stream/events", "a/b" },
		{ "/stream/events/x", "/stream/events", "x" },
		{ "stream/events/x", "stream/events/x", "" },
		{ "/", "/", "" }, { "", "", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_req r = { .path = str_of(rows[i].path) };

		CHECK_STR(ticket_cut(&r), rows[i].ticket);
		CHECK_STR(r.path, rows[i].rest);
	}
}

/* Goal: a browser hears of a subprotocol that it offered; of its ticket only if there is
 * no other. */
TEST(session_answers_with_a_subprotocol)
{
	static const struct { const char *first, *second, *answer; } rows[] = {
		{ "a, cohort.ticket.x", NULL, "a" }, { "cohort.ticket.x, a", NULL, "a" },
		{ "cohort.ticket.x", "b, c", "b" }, { "cohort.ticket.x", NULL, "cohort.ticket.x" },
		{ " a ,b", NULL, "a" }, { NULL, NULL, "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_header h[] = { { S("Host"), S("h") },
		    { S("Sec-WebSocket-Protocol"), str_of(rows[i].first) },
		    { S("sec-websocket-protocol"), str_of(rows[i].second) } };
		struct http_req r = { .headers = h, .headers_n = rows[i].first == NULL ? 1 :
		    rows[i].second == NULL ? 2 : 3 };

		CHECK_STR(session_protocol(&r), rows[i].answer);
	}
}

TEST(session_headers_are_not_shown)
{
	static const struct { const char *name, *value; bool is; } rows[] = {
		{ "Cookie", "a=b; cohort-session=x", true },
		{ "cookie", "__Host-cohort-session=x", true }, { "cookie", "a=b", false },
		{ "Sec-WebSocket-Protocol", "a, cohort.ticket.x", true },
		{ "sec-websocket-protocol", "a", false }, { "x-a", "cohort-session=x", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_header h = { str_of(rows[i].name), str_of(rows[i].value) };

		CHECK(session_is_in(&h) == rows[i].is);
	}
}
