/*
 * tools_calls.c - whole calls: what a model asked for and what it hears, with
 * the memory store behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "tools/tools_priv.h"

#define ANN 7
#define BOB 8

/* A store, and a shard's part: commands come back to this thread. */
struct bed {
	struct tool_env env;
	struct tools *tools;
	struct buf heard;
	bool ok;
	int answers;
};

static void
bed_open(struct bed *b)
{
	static const struct store_options options = { .driver = S("memory") };
	struct err e;

	*b = (struct bed){ .heard = BUF(4 * MB) };
	CHECK_RC(shard_new(&b->env.shard, 0, &e), OK);
	CHECK_RC(store_open(&b->env.store, &options, &e), OK);
	b->env.owner = ANN;
	b->env.now = INT64_C(1795220107580);
	b->tools = tools_new();
}

static void
bed_close(struct bed *b)
{
	tools_free(b->tools);
	store_close(b->env.store);
	shard_free(b->env.shard);
	buf_release(&b->heard);
}

static void
on_done(void *ctx, const struct tool_result *r)
{
	struct bed *b = ctx;

	b->answers++;
	b->ok = r->ok;
	buf_clear(&b->heard);
	buf_add(&b->heard, r->content);
}

static void
ask_as(struct bed *b, owner_t owner, const char *name, struct str args)
{
	int before = b->answers;

	b->env.owner = owner;
	tools_call(b->tools, str_of(name), args, &b->env, on_done, b);
	while (b->answers == before)
		shard_turn(b->env.shard);
	CHECK_INT(b->answers, before + 1);
}

static struct str
ask(struct bed *b, const char *name, const char *args)
{
	ask_as(b, ANN, name, str_of(args));
	return buf_str(&b->heard);
}

TEST(tools_built_in_are_found_and_described)
{
	struct tools *t = tools_new();

	CHECK_INT(tools_count(t), 7);
	CHECK(tools_at(t, 0) == tools_find(t, S("current_time")));
	CHECK(tools_find(t, S("store_search"))->idempotent);
	CHECK(tools_find(t, S("rm")) == NULL);
	for (size_t i = 0; i < tools_count(t); i++) {
		CHECK(json_check(str_of(tools_at(t, i)->parameters_json), NULL) == OK);
		CHECK(strlen(tools_at(t, i)->description) > 20);
	}
	tools_free(t);
}

TEST(tools_current_time)
{
	struct bed b;

	bed_open(&b);
	CHECK_STR(ask(&b, "current_time", "{}"), "2026-11-21T00:15:07.580Z");
	CHECK(b.ok);
	CHECK_STR(ask(&b, "current_time", " "), "2026-11-21T00:15:07.580Z");
	bed_close(&b);
}

TEST(tools_calculate)
{
	static const struct { const char *expression, *value; bool ok; } rows[] = {
		{ "(3 + 4) * 2", "14", true },
		{ "0.1 + 0.2", "0.30000000000000004", true },
		{ "round(sqrt(2) * pi, 3)", "4.443", true },
		{ "pow(2, 10) % 1000", "24", true },
		{ "[1, 2, 3].map(x => x * x)", "[1,4,9]", true },
		{ "3 > 2", "true", true },
		{ "1 / 0", "calculate: ", false },
		{ "pow(10, 400)", "calculate: ", false },
		{ "'a' + 'b'", "calculate: the value is not a number.", false },
		{ "secret", "calculate: ", false },
		{ "In('s')", "calculate: In() and visits() are not for arithmetic.", false },
		{ "2 +", "calculate: column 4: ", false },
		{ "sum(range(0, 100000).map(x => x * x))", "calculate: ", false },
	};
	struct bed b;

	bed_open(&b);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char args[256];

		snprintf(args, sizeof args, "{\"expression\":\"%s\"}", rows[i].expression);
		CHECK(str_starts(ask(&b, "calculate", args), str_of(rows[i].value)));
		CHECK_INT(b.ok, rows[i].ok);
	}
	bed_close(&b);
}

TEST(tools_that_need_a_task)
{
	struct bed b;

	bed_open(&b);
	CHECK_STR(ask(&b, "http_get", "{\"url\":\"http://a\"}"), "http_get: works only in a run of "
	    "an agent");
	CHECK(!b.ok);
	bed_close(&b);
}

TEST(tools_wrong_calls_are_answered_in_words)
{
	static const struct { const char *name, *args, *words; } rows[] = {
		{ "rm", "{}", "There is no tool named \"rm\". The tools are: current_time, "
		  "store_put, store_search, calculate, http_get, run_agent, knowledge_search." },
		{ "current_time", "{\"zone\":1}", "argument \"zone\": unknown; did you mean \"note\"?" },
		{ "current_time", "{", "The arguments are not valid JSON: line 1, column 2: "
		  "unexpected end of data" },
		{ "store_put", "{\"namespace\":[\"a\"],\"key\":\"k\",\"value\":\"v\"}",
		  "argument \"value\": expected an object, got a string" },
		{ "store_put", "{\"namespace\":[],\"key\":\"k\",\"value\":{}}",
		  "argument \"namespace\": empty" },
		{ "store_put", "{\"namespace\":\"\",\"key\":\"k\",\"value\":{}}",
		  "argument \"namespace\": empty" },
		{ "store_put", "{\"namespace\":[\"a.b\"],\"key\":\"k\",\"value\":{}}",
		  "argument \"namespace\": labels cannot be empty or contain periods" },
		{ "store_put", "{\"namespace\":\"a..b\",\"key\":\"k\",\"value\":{}}",
		  "argument \"namespace\": labels cannot be empty or contain periods" },
		{ "store_put", "{\"namespace\":[\"a\\u0000b\"],\"key\":\"k\",\"value\":{}}",
		  "argument \"namespace\": labels cannot contain U+0000" },
		{ "store_put", "{\"namespace\":\"a\",\"key\":\"k\\u0000\",\"value\":{}}",
		  "argument \"key\": expected no U+0000" },
		{ "store_put", "{\"namespace\":\"a\",\"key\":\"\",\"value\":{}}",
		  "argument \"key\": expected 1 to 512 bytes" },
		{ "store_put", "{\"namespace\":\"a\",\"keys\":\"k\",\"value\":{}}",
		  "argument \"key\": missing" },
		{ "store_put", "{\"namespace\":\"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
		  "a.a.a.a.a.a.a\",\"key\":\"k\",\"value\":{}}",
		  "argument \"namespace\": more than 32 labels" },
		{ "store_search", "{\"namespace\":\"a\",\"limit\":101}",
		  "argument \"limit\": expected 1 to 100, got 101" },
	};
	struct bed b;

	bed_open(&b);
	for (size_t i = 0; i < COUNT(rows); i++) {
		CHECK_STR(ask(&b, rows[i].name, rows[i].args), rows[i].words);
		CHECK(!b.ok);
	}
	bed_close(&b);
}

TEST(tools_store_remembers_and_finds)
{
	struct bed b;

	bed_open(&b);
	CHECK_STR(ask(&b, "store_put", "{\"namespace\":[\"users\",\"ann\"],\"key\":\"prefs\","
	    "\"value\":{ \"theme\": \"dark\" }}"), "Stored \"prefs\" in \"users.ann\".");
	CHECK(b.ok);
	ask(&b, "store_put", "{\"namespace\":\"users.bob\",\"key\":\"p\",\"value\":{\"n\":1}}");
	CHECK_STR(ask(&b, "store_search", "{\"namespace\":[\"users\",\"ann\"]}"),
	    "{\"items\":[{\"namespace\":[\"users\",\"ann\"],\"key\":\"prefs\",\"value\":"
	    "{\"theme\":\"dark\"},\"updated_at\":\"2026-11-21T00:15:07.580Z\"}]}");
	CHECK(b.ok);
	CHECK(str_contains(ask(&b, "store_search", "{\"namespace\":\"\",\"query\":\"DARK\","
	    "\"limit\":null}"), S("\"key\":\"prefs\"")));
	CHECK(!str_contains(buf_str(&b.heard), S("\"key\":\"p\"")));
	CHECK(str_contains(ask(&b, "store_search", "{\"namespace\":[]}"), S("\"key\":\"p\"")));
	CHECK_STR(ask(&b, "store_search", "{\"namespace\":\"other\"}"), "{\"items\":[]}");
	bed_close(&b);
}

TEST(tools_store_is_the_owners_own)
{
	struct bed b;

	bed_open(&b);
	ask_as(&b, ANN, "store_put", S("{\"namespace\":\"n\",\"key\":\"k\",\"value\":{\"of\":\"ann\"}}"));
	ask_as(&b, BOB, "store_search", S("{\"namespace\":[]}"));
	CHECK_STR(buf_str(&b.heard), "{\"items\":[]}");
	ask_as(&b, BOB, "store_put", S("{\"namespace\":\"n\",\"key\":\"k\",\"value\":{\"of\":\"bob\"}}"));
	ask_as(&b, ANN, "store_search", S("{\"namespace\":[]}"));
	CHECK(str_contains(buf_str(&b.heard), S("{\"of\":\"ann\"}")));
	CHECK(!str_contains(buf_str(&b.heard), S("bob")));
	bed_close(&b);
}

/* Goal: a result never passes its limit, and stays JSON. */
TEST(tools_store_search_leaves_out_what_does_not_fit)
{
	struct buf args = BUF(4 * MB);
	struct bed b;

	bed_open(&b);
	for (int i = 0; i < 5; i++) {
		buf_clear(&args);
		buf_add_fmt(&args, "{\"namespace\":\"n\",\"key\":\"k%d\",\"value\":{\"t\":\"", i);
		for (int k = 0; k < 300000; k++)
			buf_add_char(&args, 'x');
		buf_lit(&args, "\"}}");
		ask_as(&b, ANN, "store_put", buf_str(&args));
		CHECK(b.ok);
	}
	ask(&b, "store_search", "{\"namespace\":\"n\"}");
	CHECK(b.ok);
	CHECK(b.heard.n <= LIMIT_TOOL_RESULT_BYTES && b.heard.n > 800000);
	CHECK_RC(json_check(buf_str(&b.heard), NULL), OK);
	CHECK(str_ends(buf_str(&b.heard), S("],\"truncated\":true}")));
	buf_release(&args);
	bed_close(&b);
}

/* ---- a tool of somebody else's ---------------------------------------------- */

static int
long_start(struct tool_call *c)
{
	struct buf text = BUF(4 * MB);

	for (int i = 0; i < 700000; i++)
		buf_lit(&text, "\xc3\xbc");
	tool_reply(c, buf_str(&text));
	buf_release(&text);
	return OK;
}

static int
failing_start(struct tool_call *c)
{
	(void)c;
	return ERR_BUSY;
}

TEST(tools_long_results_are_cut_and_failures_told)
{
	static const struct tool cutter = { "long", "d", "{\"type\":\"object\"}", true, long_start };
	static const struct tool failing = { "failing", "d", "{}", true, failing_start };
	struct bed b;

	bed_open(&b);
	tools_add(b.tools, &cutter);
	tools_add(b.tools, &failing);
	ask(&b, "long", "{}");
	CHECK(b.ok);
	CHECK(b.heard.n <= LIMIT_TOOL_RESULT_BYTES && b.heard.n > LIMIT_TOOL_RESULT_BYTES - 200);
	CHECK(str_is_utf8(buf_str(&b.heard)));
	CHECK(str_ends(buf_str(&b.heard), S("\n[cut: 1400000 bytes, the limit is 1048576]")));
	CHECK_STR(ask(&b, "failing", "{}"), "failing: busy, try again");
	CHECK(!b.ok);
	bed_close(&b);
}
