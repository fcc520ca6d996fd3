/*
 * api_params.c - queries, modes and headers as clients send them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "api/params.h"
#include "run/run.h"

static struct http_req
request(const char *query)
{
	return (struct http_req){ .query = str_of(query), .arena = ARENA(64 * KB) };
}

/* The words of a list, with commas; or the error's code. */
static void
check_list(const char *query, const char *expected)
{
	struct http_req r = request(query);
	struct buf b = BUF(KB);
	struct str *words;
	struct err e;
	size_t n;

	CHECK_RC(param_list(&r, "a", &words, &n, &e), OK);
	for (size_t i = 0; i < n; i++)
		buf_add_fmt(&b, "%s%.*s", i > 0 ? "," : "", FMT(words[i]));
	CHECK_STR(buf_str(&b), expected);
	buf_release(&b);
	arena_release(&r.arena);
}

TEST(params_arrays_come_in_three_shapes)
{
	check_list("", "");
	check_list("a=x", "x");
	check_list("a=x&b=1&a=y", "x,y");
	check_list("a=%5B%22x%22%2C%22y%22%5D", "x,y");
	check_list("a=[]", "");
}

TEST(params_empty_values_are_absent)
{
	struct http_req r = request("a=&b=&b=x&c");
	struct err e;
	int64_t i;
	bool b;

	check_list("a=", "");
	check_list("a=&a=x&a=&a=y", "x,y");
	CHECK(param_str(&r, "a").p == NULL && param_str(&r, "c").p == NULL);
	CHECK_STR(param_str(&r, "b"), "x");
	CHECK(param_bool(&r, "a", true, &b, &e) == OK && b);
	CHECK(param_int(&r, "c", 7, 1, 100, &i, &e) == OK && i == 7);
	arena_release(&r.arena);
}

TEST(params_arrays_of_other_things_are_refused)
{
	struct http_req r = request("a=[1]&b=[\"x\"");
	struct str *words;
	struct err e;
	size_t n;

	CHECK_RC(param_list(&r, "a", &words, &n, &e), ERR_INVALID);
	CHECK(strncmp(e.text, "a: ", 3) == 0);
	CHECK_RC(param_list(&r, "b", &words, &n, &e), ERR_INVALID);
	arena_release(&r.arena);
}

TEST(params_booleans_and_numbers)
{
	struct http_req r = request("t=TRUE&y=Yes&one=1&f=0&bad=perhaps&n=12&m=-1&x=1e3");
	struct err e;
	int64_t i;
	bool b;

	CHECK(param_bool(&r, "t", false, &b, &e) == OK && b);
	CHECK(param_bool(&r, "y", false, &b, &e) == OK && b);
	CHECK(param_bool(&r, "one", false, &b, &e) == OK && b);
	CHECK(param_bool(&r, "f", true, &b, &e) == OK && !b);
	CHECK(param_bool(&r, "absent", true, &b, &e) == OK && b);
	CHECK_RC(param_bool(&r, "bad", true, &b, &e), ERR_INVALID);
	CHECK(param_int(&r, "n", 1, 1, 100, &i, &e) == OK && i == 12);
	CHECK(param_int(&r, "absent", 7, 1, 100, &i, &e) == OK && i == 7);
	CHECK_RC(param_int(&r, "n", 1, 1, 11, &i, &e), ERR_INVALID);
	CHECK_RC(param_int(&r, "m", 1, 0, 11, &i, &e), ERR_INVALID);
	CHECK_RC(param_int(&r, "x", 1, 0, 9999, &i, &e), ERR_INVALID);
	arena_release(&r.arena);
}

static int
modes(const char *body, unsigned *set, struct buf *json, struct err *e)
{
	struct json_doc doc;
	int rc;

	buf_clear(json);
	CHECK_RC(json_parse(&doc, str_of(body), e), OK);
	rc = modes_parse_json(json_get(doc.root, S("stream_mode")), set, json, e);
	json_release(&doc);
	return rc;
}

TEST(modes_one_word_or_several)
{
	struct buf json = BUF(KB);
	struct err e;
	unsigned set;

	CHECK_RC(modes("{}", &set, &json, &e), OK);
	CHECK_INT(set, MODE_VALUES);
	CHECK_STR(buf_str(&json), "[\"values\"]");
	CHECK_RC(modes("{\"stream_mode\":\"messages\"}", &set, &json, &e), OK);
	CHECK_INT(set, MODE_MESSAGES);
	CHECK_RC(modes("{\"stream_mode\":[\"messages-tuple\",\"updates\","
	    "\"updates\"]}", &set, &json, &e), OK);
	CHECK_INT(set, MODE_MESSAGES_TUPLE | MODE_UPDATES);
	CHECK_STR(buf_str(&json), "[\"messages-tuple\",\"updates\"]");
	/* UIs ask for it whether or not there will be any. */
	CHECK_RC(modes("{\"stream_mode\":[\"custom\",\"values\"]}", &set, &json,
	    &e), OK);
	CHECK_INT(set, MODE_VALUES);
	CHECK_STR(buf_str(&json), "[\"custom\",\"values\"]");
	buf_release(&json);
}

TEST(modes_wrong_ones_are_named_with_their_place)
{
	struct buf json = BUF(KB);
	struct err e;
	unsigned set;

	CHECK_RC(modes("{\"stream_mode\":[\"values\",\"bogus\"]}", &set, &json, &e),
	    ERR_INVALID);
	CHECK_STR(str_of(e.text), "stream_mode[1]: expected one of values, "
	    "updates, messages-tuple or messages, got \"bogus\"");
	CHECK_RC(modes("{\"stream_mode\":\"debug\"}", &set, &json, &e), ERR_INVALID);
	CHECK(strstr(e.text, "not supported") != NULL);
	CHECK_RC(modes("{\"stream_mode\":5}", &set, &json, &e), ERR_INVALID);
	CHECK_RC(modes("{\"stream_mode\":[5]}", &set, &json, &e), ERR_INVALID);
	buf_release(&json);
}

/* The order of bits here must be the run room's. */
TEST(modes_are_the_run_rooms_words)
{
	struct buf json = BUF(KB);
	struct err e;
	unsigned set;

	for (int i = 0; i < 4; i++) {
		struct str word = str_of(stream_mode_names[i]);

		buf_clear(&json);
		CHECK_RC(modes_parse(&word, 1, &set, &json, &e), OK);
		CHECK_INT(set, 1 << i);
	}
	buf_release(&json);
}

TEST(last_event_id_is_a_number_or_all)
{
	static const struct { const char *text; int64_t id; int rc; } rows[] = {
		{ "-1", -1, OK }, { "-", -1, OK }, { "0", 0, OK }, { "17", 17, OK },
		{ "", 99, OK }, { "1710-0", 0, ERR_SYNTAX }, { "-5", 0, ERR_SYNTAX },
		{ "abc", 0, ERR_SYNTAX }, { "1e3", 0, ERR_SYNTAX },
		{ "99999999999999999999", 0, ERR_SYNTAX },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_header h = { S("Last-Event-ID"), str_of(rows[i].text) };
		struct http_req r = { .headers = &h, .headers_n = 1 };
		struct err e;
		int64_t id;

		CHECK_RC(last_event_id(&r, 99, &id, &e), rows[i].rc);
		CHECK(rows[i].rc == OK ? id == rows[i].id :
		    strncmp(e.text, "Last-Event-ID: ", 15) == 0);
	}
}

TEST(header_text_cannot_leave_its_quotes)
{
	struct buf b = BUF(KB);

	header_add_text(&b, S("a\"b\r\nx: y\\caf\xc3\xa9"));
	CHECK_STR(buf_str(&b), "a?b??x:?y?caf??");
	buf_release(&b);
}

/* Goal: a run sees what the contract says and never a credential. */
TEST(headers_a_run_may_see)
{
	struct http_header h[] = {
		{ S("Host"), S("a") }, { S("X-Api-Key"), S("secret") },
		{ S("X-Tenant-Id"), S("t") }, { S("x-service-key"), S("s") },
		{ S("Authorization"), S("Bearer z") }, { S("Cookie"), S("c") },
		{ S("X-User"), S("first") }, { S("x-user"), S("a\"b") },
		{ S("User-Agent"), S("curl/8") }, { S("X-Latin"), S("caf\xe9") },
	};
	struct http_req r = { .headers = h, .headers_n = COUNT(h) };
	struct buf b = BUF(4 * KB);

	headers_add_json(&b, &r);
	CHECK_STR(buf_str(&b), "{\"x-user\":\"a\\\"b\",\"user-agent\":\"curl/8\","
	    "\"x-latin\":\"caf\xc3\xa9\"}");
	buf_release(&b);
}
