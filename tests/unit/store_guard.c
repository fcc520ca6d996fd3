/*
 * store_guard.c - on which metadata a condition holds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "store/guard.h"

TEST(guard_holds_as_the_conditions_say)
{
	static const struct { bool holds; const char *condition, *metadata; } rows[] = {
		{ true, "", "{}" },
		{ true, "{}", "{}" },
		{ true, "{\"a\":1}", "{\"a\":1,\"b\":2}" },
		{ true, "{\"a\":1}", "{\"a\":1.0}" },
		{ false, "{\"a\":1}", "{\"a\":\"1\"}" },
		{ false, "{\"a\":\"1\"}", "{\"a\":1}" },
		{ false, "{\"a\":null}", "{}" },
		{ true, "{\"a\":null}", "{\"a\":null}" },
		{ false, "{\"a\":true}", "{\"a\":1}" },
		{ false, "{\"a\":\"x\"}", "{\"a\":[\"x\"]}" },
		{ false, "{\"a\":\"x\"}", "{\"a\":\"xy\"}" },
		{ true, "{\"a\":{\"$eq\":\"x\"}}", "{\"a\":\"x\"}" },
		{ false, "{\"a\":{\"$eq\":\"x\"}}", "{\"b\":\"x\"}" },
		{ true, "{\"a\":{\"$contains\":\"x\"}}", "{\"a\":[\"w\",\"x\"]}" },
		{ false, "{\"a\":{\"$contains\":\"x\"}}", "{\"a\":\"x\"}" },
		{ true, "{\"a\":{\"$contains\":[\"x\",\"y\"]}}", "{\"a\":[\"y\",\"x\",\"z\"]}" },
		{ false, "{\"a\":{\"$contains\":[\"x\",\"y\"]}}", "{\"a\":[\"x\"]}" },
		{ false, "{\"a\":{\"$contains\":[]}}", "{\"a\":[\"x\"]}" },
		{ false, "{\"a\":{\"$ne\":\"x\"}}", "{\"a\":\"y\"}" },
		{ false, "{\"a\":{}}", "{\"a\":{}}" },
		{ true, "{\"$or\":[{\"a\":1},{\"b\":2}]}", "{\"b\":2}" },
		{ false, "{\"$or\":[{\"a\":1},{\"b\":2}]}", "{\"c\":3}" },
		{ false, "{\"$or\":[]}", "{\"c\":3}" },
		{ false, "{\"$or\":[1]}", "{\"c\":3}" },
		{ true, "{\"$and\":[{\"a\":1},{\"$or\":[{\"b\":1},{\"b\":2}]}]}",
		    "{\"a\":1,\"b\":2}" },
		{ false, "{\"$and\":[{\"a\":1},{\"b\":1}]}", "{\"a\":1,\"b\":2}" },
		{ false, "{\"$and\":1}", "{}" },
		{ false, "[]", "{}" },
		{ false, "{\"a\":1}", "not json" },
		{ false, "not json", "{}" },
		/* Of equal keys the last counts, as everywhere. */
		{ false, "{\"a\":1}", "{\"a\":1,\"a\":2}" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (guard_test(str_of(rows[i].condition), str_of(rows[i].metadata)) !=
		    rows[i].holds)
			test_fail(__FILE__, __LINE__, "%s on %s", rows[i].condition,
			    rows[i].metadata);
}

/* A value cannot say that it lies elsewhere. */
TEST(guard_of_an_item_sees_its_own_namespace)
{
	struct str condition = S("{\"namespace\":{\"$contains\":\"ann\"}}");

	CHECK(guard_item(condition, S("users.ann"), S("k"), S("{\"v\":1}")));
	CHECK(!guard_item(condition, S("users.bob"), S("k"),
	    S("{\"namespace\":[\"ann\"]}")));
	CHECK(guard_item(S("{\"key\":\"k\",\"v\":1}"), S("x"), S("k"), S("{\"v\":1}")));
	CHECK(!guard_item(S("{\"key\":\"k\"}"), S("x"), S("j"), S("{\"key\":\"k\"}")));
	CHECK(guard_item(S("{\"key\":\"k\"}"), S("x"), S("k"), S("{}")));
}

TEST(guard_tells_the_keys_that_an_index_can_find)
{
	struct json_doc d;
	struct buf b = BUF(1 * KB);

	CHECK_RC(json_parse(&d, S("{\"a\":1,\"b\":{\"$eq\":\"x\"},\"c\":{\"$contains\":1},"
	    "\"$or\":[{\"d\":1}]}"), NULL), OK);
	guard_add_needed(&b, d.root);
	CHECK_STR(buf_str(&b), "{\"a\":1,\"b\":\"x\"}");
	json_release(&d);
	buf_release(&b);
}
