/*
 * base_json_patch.c - what changed between two values, as RFC 6902 has it.  That the
 * operations make the one of the other is tested with another's library
 * (tests/e2e/agui.mjs).
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/json_patch.h"

static void
check(const char *before, const char *after, const char *patch)
{
	struct json_doc a = { 0 }, b = { 0 };
	struct buf out = BUF(64 * KB);

	CHECK_RC(json_parse(&a, str_of(before), NULL), OK);
	CHECK_RC(json_parse(&b, str_of(after), NULL), OK);
	json_add_patch(&out, a.root, b.root);
	CHECK_STR(buf_str(&out), patch);
	CHECK(!out.failed);
	json_release(&a);
	json_release(&b);
	buf_release(&out);
}

TEST(json_patch_table)
{
	static const struct { const char *before, *after, *patch; } rows[] = {
		{ "{}", "{}", "" },
		{ "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "" },
		{ "1", "2", "{\"op\":\"replace\",\"path\":\"\",\"value\":2}" },
		{ "{\"a\":1}", "{\"a\":2}", "{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}" },
		{ "{\"a\":1}", "{}", "{\"op\":\"remove\",\"path\":\"/a\"}" },
		{ "{}", "{\"a\":null}", "{\"op\":\"add\",\"path\":\"/a\",\"value\":null}" },
		{ "{\"a\":null}", "{\"a\":0}", "{\"op\":\"replace\",\"path\":\"/a\",\"value\":0}" },
		{ "{\"a\":[]}", "{\"a\":{}}", "{\"op\":\"replace\",\"path\":\"/a\",\"value\":{}}" },
		{ "{\"a\":{\"b\":{\"c\":1}}}", "{\"a\":{\"b\":{\"c\":2,\"d\":3}}}",
		  "{\"op\":\"replace\",\"path\":\"/a/b/c\",\"value\":2},"
		  "{\"op\":\"add\",\"path\":\"/a/b/d\",\"value\":3}" },
		{ "[1,2]", "[1,2,3,4]", "{\"op\":\"add\",\"path\":\"/2\",\"value\":3},"
		  "{\"op\":\"add\",\"path\":\"/3\",\"value\":4}" },
		{ "[1,2,3]", "[1]", "{\"op\":\"remove\",\"path\":\"/2\"},"
		  "{\"op\":\"remove\",\"path\":\"/1\"}" },
		{ "[1,{\"x\":1}]", "[1,{\"x\":2}]",
		  "{\"op\":\"replace\",\"path\":\"/1/x\",\"value\":2}" },
		{ "[1,2,3]", "[2,3]", "{\"op\":\"replace\",\"path\":\"\",\"value\":[2,3]}" },
		{ "[]", "[[]]", "{\"op\":\"add\",\"path\":\"/0\",\"value\":[]}" },
		/* names that need escapes, of a pointer and of JSON */
		{ "{}", "{\"a/b~c\":1}", "{\"op\":\"add\",\"path\":\"/a~1b~0c\",\"value\":1}" },
		{ "{\"\":1}", "{\"\":2}", "{\"op\":\"replace\",\"path\":\"/\",\"value\":2}" },
		{ "{}", "{\"q\\\"\\n\":1}", "{\"op\":\"add\",\"path\":\"/q\\\"\\n\",\"value\":1}" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		check(rows[i].before, rows[i].after, rows[i].patch);
}

/* Goal: what is wide is replaced, not compared part by part. */
TEST(json_patch_replaces_what_is_wide)
{
	struct buf a = BUF(MB), b = BUF(MB), want = BUF(MB);

	buf_add_char(&a, '[');
	for (int i = 0; i <= JSON_PATCH_WIDE; i++)
		json_add_fmt(&a, ",%d", i);
	buf_add(&b, buf_str(&a));
	buf_lit(&a, "]");
	buf_lit(&b, ",0]");
	buf_add_fmt(&want, "{\"op\":\"replace\",\"path\":\"\",\"value\":%.*s}", FMT(buf_str(&b)));
	buf_add_char(&want, '\0');
	buf_add_char(&a, '\0');
	buf_add_char(&b, '\0');
	check(a.p, b.p, want.p);
	buf_release(&a);
	buf_release(&b);
	buf_release(&want);
}
