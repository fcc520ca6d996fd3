/*
 * api_params.c - queries, modes and headers as clients send them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api_fix.h"

#include <string.h>

#include "api/absent.h"

/* The words of a list, with commas; or the error's code. */
static void
check_list(const char *query, const char *expected)
{
	struct buf b = BUF(KB);
	struct words list;
	struct asked a;

	list = param_list(ask(&a, query, NULL), "a");
	for (size_t i = 0; i < list.n; i++)
		buf_add_fmt(&b, "%s%.*s", i > 0 ? "," : "", FMT(list.at[i]));
	CHECK_STR(buf_str(&b), expected);
	CHECK_RC(asked_end(&a), OK);
	buf_release(&b);
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
	struct asked a;
	struct call *c = ask(&a, "a=&b=&b=x&c", NULL);
	int64_t i = 7;
	bool b = true;

	check_list("a=", "");
	check_list("a=&a=x&a=&a=y", "x,y");
	CHECK(param_str(c, "a").p == NULL && param_str(c, "c").p == NULL);
	CHECK_STR(param_str(c, "b"), "x");
	param_bool(c, "a", &b);
	param_int(c, "c", 1, 100, &i);
	CHECK(b && i == 7);
	CHECK_RC(asked_end(&a), OK);
}

TEST(params_arrays_of_other_things_are_refused)
{
	struct asked a;

	param_list(ask(&a, "a=[1]", NULL), "a");
	CHECK(strncmp(a.c.err.text, "a[0]: ", 6) == 0);
	CHECK_RC(asked_end(&a), ERR_INVALID);
	param_list(ask(&a, "b=[\"x\"", NULL), "b");
	CHECK_RC(asked_end(&a), ERR_INVALID);
}

static int
read_int(const char *query, int64_t min, int64_t max, int64_t *out)
{
	struct asked a;

	param_int(ask(&a, query, NULL), "n", min, max, out);
	return asked_end(&a);
}

static int
read_bool(const char *query, bool *out)
{
	struct asked a;

	param_bool(ask(&a, query, NULL), "b", out);
	return asked_end(&a);
}

TEST(params_booleans_and_numbers)
{
	static const struct { const char *query; bool before, after; } rows[] = {
		{ "b=TRUE", false, true }, { "b=Yes", false, true }, { "b=1", false, true },
		{ "b=0", true, false }, { "", true, true },
	};
	int64_t i = 7;
	bool b;

	for (size_t n = 0; n < COUNT(rows); n++) {
		b = rows[n].before;
		CHECK_RC(read_bool(rows[n].query, &b), OK);
		CHECK(b == rows[n].after);
	}
	CHECK_RC(read_bool("b=perhaps", &b), ERR_INVALID);
	CHECK(read_int("", 1, 100, &i) == OK && i == 7);
	CHECK(read_int("n=12", 1, 100, &i) == OK && i == 12);
	CHECK_RC(read_int("n=12", 1, 11, &i), ERR_INVALID);
	CHECK_RC(read_int("n=-1", 0, 11, &i), ERR_INVALID);
	CHECK_RC(read_int("n=1e3", 0, 9999, &i), ERR_INVALID);
}

/* Goal: the first failure stays, and nothing is read after it. */
TEST(params_the_first_failure_stays)
{
	struct asked a;
	struct call *c = ask(&a, "n=x&m=5&s=b", "{\"id\":7,\"k\":\"v\"}");
	static const char *const words[] = { "a", NULL };
	struct str s = STR_NONE;
	struct uuid id;
	int word = 3;

	param_int(c, "n", 0, 9, &(int64_t){ 0 });
	param_word(c, "s", words, &word);
	call_read_str(c, "k", 9, &s);
	call_read_id(c, "id", &id);
	CHECK(strncmp(c->err.text, "n: expected a whole number", 26) == 0);
	CHECK(s.p == NULL);
	CHECK_RC(asked_end(&a), ERR_INVALID);
}

static int
modes(const char *body, unsigned *set, struct buf *json, struct err *e)
{
	struct asked a;
	struct call *c = ask(&a, "", body);

	buf_clear(json);
	absent_check(c, PLACE_RUN);
	call_read_modes(c, set, json);
	*e = c->err;
	return asked_end(&a);
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
	CHECK_RC(modes("{\"stream_mode\":[\"custom\",\"values\"]}", &set, &json,
	    &e), OK);
	CHECK_INT(set, MODE_VALUES | MODE_CUSTOM);
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
	    "updates, messages-tuple, messages, custom, tasks, checkpoints, debug, tools, "
	    "events or lifecycle, got \"bogus\"");
	CHECK_RC(modes("{\"stream_mode\":\"\"}", &set, &json, &e), ERR_INVALID);
	CHECK_RC(modes("{\"stream_mode\":5}", &set, &json, &e), ERR_INVALID);
	CHECK_RC(modes("{\"stream_mode\":[5]}", &set, &json, &e), ERR_INVALID);
	buf_release(&json);
}

/* The order of bits here must be the run room's. */
TEST(modes_are_the_run_rooms_words)
{
	struct buf json = BUF(KB);
	unsigned set;

	for (int i = 0; i < 4; i++) {
		struct str word = str_of(stream_mode_names[i]);
		struct asked a;

		buf_clear(&json);
		call_modes(ask(&a, "", NULL), (struct words){ &word, 1 }, false, &set, &json);
		CHECK_RC(asked_end(&a), OK);
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
		int64_t id = 99;
		struct asked a;

		ask(&a, "", NULL);
		a.r.headers = &h;
		a.r.headers_n = 1;
		header_event_id(&a.c, &id);
		CHECK(rows[i].rc == OK ? id == rows[i].id :
		    strncmp(a.c.err.text, "Last-Event-ID: ", 15) == 0);
		CHECK_RC(asked_end(&a), rows[i].rc);
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

	header_add_json(&b, &r, &(struct header_rules){ 0 });
	CHECK_STR(buf_str(&b), "{\"x-user\":\"a\\\"b\",\"user-agent\":\"curl/8\","
	    "\"x-latin\":\"caf\xc3\xa9\"}");
	buf_release(&b);
}

/* Goal: patterns choose headers; a `*` never reaches a credential. */
TEST(headers_by_pattern)
{
	static const struct { const char *includes, *excludes, *seen, *logged; } rows[] = {
		{ "", "x-*", "{\"user-agent\":\"c\"}", "{}" },
		{ "", "*", "{}", "{}" },
		{ "*", "", "{\"x-user-id\":\"u\",\"user-agent\":\"c\",\"accept\":\"a\"}", NULL },
		{ "*", "*agent, accept", "{\"x-user-id\":\"u\"}", NULL },
		{ "X-*-ID", "", "{\"x-user-id\":\"u\"}", NULL },
		{ "authorization", "", "{\"authorization\":\"z\"}", NULL },
		{ "auth*, x-api-key", "", "{\"x-api-key\":\"k\"}", NULL },
		{ "x-user-id", "x-*", "{}", NULL },
	};
	struct http_header h[] = {
		{ S("Authorization"), S("z") }, { S("X-Api-Key"), S("k") }, { S("Cookie"), S("c") },
		{ S("X-User-Id"), S("u") }, { S("User-Agent"), S("c") }, { S("Accept"), S("a") },
	};
	struct http_req r = { .headers = h, .headers_n = COUNT(h) };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct header_rules rules = { str_of(rows[i].includes), str_of(rows[i].excludes) };
		struct buf b = BUF(4 * KB);

		header_add_json(&b, &r, &rules);
		CHECK_STR(buf_str(&b), rows[i].seen);
		buf_clear(&b);
		header_add_logged(&b, &r, &rules);
		CHECK_STR(buf_str(&b), rows[i].logged != NULL ? rows[i].logged : rows[i].seen);
		buf_release(&b);
	}
}

TEST(header_patterns_that_match_nothing_are_refused)
{
	static const char *const bad[] = { "a b", "a,,b", "a:", "\x01" };
	struct err e = { 0 };

	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK_RC(header_rules_check(&(struct header_rules){ .excludes = str_of(bad[i]) },
		    "http.logging-headers", &e), ERR_INVALID);
	CHECK(str_starts(str_of(e.text), S("http.logging-headers.excludes: ")));
}
