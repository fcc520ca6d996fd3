/*
 * task_http_get.c - pages of the web: who may be asked, and what comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task_fix.h"

#define AGENT                                                               \
	"id: t\n"                                                           \
	"state: {a: {}, url: {default: \"'https://a.example/x?y=1'\"}}\n"    \
	"nodes: {n: {http_get: {url: \"${url}\"}, writes: {a: result.json}}}\n" \
	"edges: [[START, n], [n, END]]\n"

static void
open_for(struct bed *b, const char *hosts)
{
	bed_open(b, AGENT);
	b->http_hosts = hosts;
	b->page = "{\"k\":[1]}";
	b->page_type = "application/json; charset=utf-8";
}

TEST(http_get_gives_the_page)
{
	struct bed b;

	open_for(&b, "b.example, a.example");
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.told), "get https://a.example/x?y=1\n");
	CHECK_STR(bed_text(&b), "done {\"status\":200,\"content_type\":\"application/json; "
	    "charset=utf-8\",\"body\":\"{\\\"k\\\":[1]}\",\"json\":{\"k\":[1]}} "
	    "[[\"a\",{\"k\":[1]}]]");
	b.page = "k\xff";                    /* not JSON, and not UTF-8 */
	bed_run(&b, "n");
	CHECK(str_ends(bed_text(&b), S("\"body\":\"k\xef\xbf\xbd\",\"json\":null} "
	    "[[\"a\",null]]")));
	bed_close(&b);
}

TEST(http_get_fails_when_nobody_answers_and_is_left_when_stopped)
{
	struct bed b;

	open_for(&b, "a.example");
	b.page = NULL;
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "failed HttpError error.communication "
	    "https://a.example/x?y=1: nobody listens");
	bed_start(&b, "n");
	CHECK_INT(b.events_n, 1);
	bed_crash(&b, 0);
	CHECK_INT(b.events_n, 0);
	bed_close(&b);
}

static const char *
asked(struct bed *b, const char *hosts, const char *url)
{
	struct buf json = BUF(KB);

	b->http_hosts = hosts;
	buf_clear(&b->told);
	buf_add_fmt(&json, "\"%s\"", url);
	bed_set(b, "url", json.p);
	buf_release(&json);
	bed_run(b, "n");
	if (b->end == BED_DONE)
		return "yes";
	CHECK_INT(b->told.n, 0);
	return str_starts(buf_str(&b->text), S("failed NotAllowedError")) ? "no" : "bad";
}

TEST(http_get_asks_whom_the_server_allows)
{
	static const struct { const char *hosts, *url, *is; } cases[] = {
		{ "", "http://a.example/", "no" },
		{ "a.example", "http://a.example", "yes" },
		{ "a.example", "https://A.example:443/x", "yes" },
		{ "a.example", "http://a.example:443/x", "no" },
		{ "a.example:8080", "http://a.example:8080?q", "yes" },
		{ "a.example:8080", "http://a.example/", "no" },
		{ "a.example", "http://b.a.example/", "no" },
		{ "*.a.example", "http://b.a.example/", "yes" },
		{ "*.a.example", "http://a.example/", "no" },
		{ "*.a.example", "http://xa.example/", "no" },
		{ "*.", "http://a.example/", "no" },
		{ "*", "http://a.example/", "no" },
		{ "127.0.0.1:80", "http://127.0.0.1/", "no" },
		{ "127.0.0.1", "http://127.0.0.1/", "yes" },
		{ "a.example", "http://a.example@b.example/", "bad" },
		{ "a.example", "http://b.example/@a.example/", "no" },
		{ "a.example", "http://b.example\\\\@a.example/", "bad" },
		{ "a.example", "http://a.example#@b.example/", "bad" },
		{ "a.example", "http://a.example%2eb.example/", "bad" },
		{ "a.example", "http://a.example:/", "bad" },
		{ "a.example", "http://:80/", "bad" },
		{ "a.example", "http://a.example:080/", "bad" },
		{ "a.example", "file:///etc/passwd", "bad" },
		{ "a.example", "http://a.example/ x", "bad" },
		{ "a.example", "", "bad" },
	};
	struct bed b;

	open_for(&b, "");
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *is = asked(&b, cases[i].hosts, cases[i].url);

		if (!str_eq(str_of(is), str_of(cases[i].is)))
			test_fail(__FILE__, __LINE__, "%s %s: %s, not %s", cases[i].hosts,
			    cases[i].url, is, cases[i].is);
	}
	bed_close(&b);
}
