/*
 * main_compare.c - a record and its replay: values that differ only in ids that a server
 * makes up, entries, attempts that were cut off; and two answers side by side.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "harness/test.h"
#include "main/compare.h"
#include "main/words.h"

#define A "00000000-0000-4000-8000-00000000000a"
#define B "00000000-0000-4000-8000-00000000000b"
#define C "00000000-0000-4000-8000-00000000000c"

static struct val
json(const char *text)
{
	return val_json_trusted(str_of(text));
}

/* Goal: a UUID may stand for another one, always the same, and nothing else may. */
TEST(compare_ids_stand_for_each_other)
{
	static const struct { const char *a, *b; bool same; } cases[] = {
		{ "{\"x\":[1,\"a\"]}", "{\"x\":[1,\"a\"]}", true },
		{ "{\"x\":1}", "{\"x\":1,\"y\":2}", false },
		{ "[1.0]", "[1]", true },
		{ "[null]", "[false]", false },
		{ "[\"" A "\",\"" A "\"]", "[\"" B "\",\"" B "\"]", true },
		{ "[\"" A "\",\"" A "\"]", "[\"" B "\",\"" C "\"]", false },
		{ "[\"" A "\",\"" B "\"]", "[\"" C "\",\"" C "\"]", false },
		{ "[\"run-" A "-tool-1\"]", "[\"run-" C "-tool-1\"]", true },
		{ "[\"run-" A "-tool-1\"]", "[\"run-" C "-tool-2\"]", false },
		{ "[\"" A "\"]", "[\"00000000-0000-4000-8000-00000000000\"]", false },
		{ "[\"plain a\"]", "[\"plain b\"]", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct compare c = { 0 };
		struct val a = json(cases[i].a), b = json(cases[i].b);

		if (compare_values(&c, a, b) != cases[i].same)
			test_fail(__FILE__, __LINE__, "%s and %s", cases[i].a, cases[i].b);
		compare_release(&c);
		val_drop(a);
		val_drop(b);
	}
}

/* Goal: messages of a request may be named or there; their number counts, and those
 * that both have. */
TEST(compare_requests_by_what_they_say)
{
	static const char named[] = "{\"kind\":\"request\",\"messages\":[{\"channel\":\"m\","
	    "\"from\":0,\"to\":2},{\"content\":\"x\"}]}";
	static const struct { const char *b; bool same; } cases[] = {
		{ "{\"kind\":\"request\",\"messages\":[{\"content\":\"1\"},{\"content\":\"2\"},"
		  "{\"content\":\"x\"}]}", true },
		{ "{\"kind\":\"request\",\"messages\":[{\"content\":\"1\"},{\"content\":\"2\"},"
		  "{\"content\":\"y\"}]}", false },
		{ "{\"kind\":\"request\",\"messages\":[{\"content\":\"2\"},"
		  "{\"content\":\"x\"}]}", false },
		{ "{\"kind\":\"answer\"}", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct compare c = { 0 };
		struct val a = json(named), b = json(cases[i].b);

		CHECK(compare_entries(&c, a, b) == cases[i].same);
		compare_release(&c);
		val_drop(a);
		val_drop(b);
	}
}

/* Goal: what an attempt began and did not end is the next one's. */
TEST(compare_settles_attempts)
{
	static const char *const texts[] = {
		"{\"kind\":\"run_start\",\"attempt\":1}",
		"{\"kind\":\"entered\",\"state\":\"a\",\"task\":\"1\"}",
		"{\"kind\":\"exited\",\"state\":\"a\",\"task\":\"1\"}",
		"{\"kind\":\"entered\",\"state\":\"b\",\"task\":\"2\"}",
		"{\"kind\":\"request\",\"call\":1,\"task\":\"2\"}",
		"{\"kind\":\"run_start\",\"attempt\":2}",
		"{\"kind\":\"entered\",\"state\":\"b\",\"task\":\"2\"}",
		"{\"kind\":\"request\",\"call\":1,\"task\":\"2\"}",
		"{\"kind\":\"answer\",\"call\":1,\"task\":\"2\"}",
		"{\"kind\":\"exited\",\"state\":\"b\",\"task\":\"2\"}",
	};
	struct val all[COUNT(texts)];

	for (size_t i = 0; i < COUNT(texts); i++)
		all[i] = json(texts[i]);
	CHECK_INT(compare_settle(all, COUNT(texts)), 8);
	CHECK_STR(val_str(val_get(all[3], S("kind"))), "run_start");
	CHECK_STR(val_str(val_get(all[8], S("kind"))), "entered");
	CHECK_STR(val_str(val_get(all[9], S("kind"))), "request");
	for (size_t i = 0; i < COUNT(texts); i++)
		val_drop(all[i]);
}

TEST(words_that_differ_are_marked)
{
	static const struct { const char *left, *right, *shown; } cases[] = {
		{ "a b", "a b", "a b        | a b\n" },
		{ "a b c", "a x c", "a [-b-] c  | a {+x+} c\n" },
		{ "", "new", "           | {+new+}\n" },
		{ "one two\nthree", "one two\nfour",
		  "one two    | one two\n[-three-]  | {+four+}\n" },
		{ "aaaa bbbb cccc", "aaaa bbbb cccc", "aaaa bbbb  | aaaa bbbb\n"
		  "cccc       | cccc\n" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = BUF(KB);

		words_add_beside(&b, str_of(cases[i].left), str_of(cases[i].right), 10, false);
		CHECK_STR(buf_str(&b), cases[i].shown);
		buf_release(&b);
	}
}
