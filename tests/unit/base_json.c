/*
 * base_json.c - what is read, what is refused and how, what is written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/json.h"
#include "base/limits.h"

#include <math.h>
#include <string.h>

static struct json_doc doc;

/* Parses into the one document of the test. */
static jnode
of(const char *text)
{
	struct err e = { 0 };

	json_release(&doc);
	if (json_parse(&doc, str_of(text), &e) != OK)
		test_fail(__FILE__, __LINE__, "%s: %s", text, e.text);
	return doc.root;
}

TEST(json_errors_say_where)
{
	static const struct { const char *text, *words; } cases[] = {
		{ "", "line 1, column 1: empty, expected a value" },
		{ "{\"a\": 1,\n \"b\": x}", "line 2, column 7: unexpected character" },
		{ "{\n\"\xc3\xa9\xc3\xa9\": !}", "line 2, column 7: " },
		{ "[1,]", "line 1, column 3: trailing comma" },
		{ "{} {}", "line 1, column 4: " },
		{ "[1 2]", "line 1, column 4: " },
		{ "nul", "line 1, column " },
	};
	struct err e;

	for (size_t i = 0; i < COUNT(cases); i++) {
		CHECK_RC(json_check(str_of(cases[i].text), &e), ERR_SYNTAX);
		if (!str_starts(str_of(e.text), str_of(cases[i].words)))
			test_fail(__FILE__, __LINE__, "%s: %s", cases[i].text, e.text);
	}
}

TEST(json_is_strict)
{
	static const char *const bad[] = { "{'a':1}", "{a:1}", "[1,]", "{\"a\":1,}",
		"// x\n1", "/* */1", "01", "+1", ".5", "1.", "1e", "-", "NaN", "Infinity",
		"\"\t\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"", "[", "{\"a\"}",
		"\"\x80\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
		"\xef\xbb\xbf{}", "true false", "\"a\"b" };

	for (size_t i = 0; i < COUNT(bad); i++)
		if (json_check(str_of(bad[i]), NULL) != ERR_SYNTAX)
			test_fail(__FILE__, __LINE__, "accepted %s", bad[i]);
	CHECK_RC(json_check(S("[1,\0 2]"), NULL), ERR_SYNTAX);
	CHECK_RC(json_check(S("\"a\0b\""), NULL), ERR_SYNTAX);
	CHECK_RC(json_check(S("1\0"), NULL), ERR_SYNTAX);
	CHECK_RC(json_check(S(" \t\r\n\"\\u0000\" "), NULL), OK);
}

static void
nest(struct buf *b, int depth, struct str filler)
{
	buf_clear(b);
	for (int i = 0; i < depth; i++)
		buf_add_char(b, '[');
	buf_add(b, filler);
	for (int i = 0; i < depth; i++)
		buf_add_char(b, ']');
}

/* Small texts are measured after parsing, large ones before. */
TEST(json_depth_is_limited)
{
	static char blanks[70000];
	struct str fillers[] = { S(""), { blanks, sizeof blanks } };
	struct buf b = BUF(32 * MB);
	struct err e;

	memset(blanks, ' ', sizeof blanks);
	for (size_t i = 0; i < COUNT(fillers); i++) {
		nest(&b, LIMIT_JSON_DEPTH, fillers[i]);
		CHECK_RC(json_check(buf_str(&b), &e), OK);
		nest(&b, LIMIT_JSON_DEPTH + 1, fillers[i]);
		CHECK_RC(json_check(buf_str(&b), &e), ERR_TOOBIG);
		CHECK_STR(str_of(e.text), "nested deeper than 128 levels");
	}
	nest(&b, 5000000, S(""));
	CHECK_RC(json_check(buf_str(&b), &e), ERR_TOOBIG);
	buf_release(&b);
}

TEST(json_length_of_a_string_is_limited)
{
	struct buf b = BUF(64 * MB);
	struct err e;

	for (int over = 0; over < 2; over++) {
		buf_clear(&b);
		buf_lit(&b, "{\"a\":[1,\n\"");
		/* As decoded: an escape counts as what it stands for. */
		for (int i = 0; i < LIMIT_JSON_STRING_BYTES - 1 + over; i++)
			buf_lit(&b, "x");
		buf_lit(&b, "\\n\"],\"b\":2}");
		CHECK_RC(json_check(buf_str(&b), &e), over ? ERR_TOOBIG : OK);
	}
	CHECK_STR(str_of(e.text), "line 2, column 2: a string of 8388609 bytes; "
	    "expected at most 8388608");
	buf_release(&b);
}

TEST(json_count_of_values_is_limited)
{
	struct buf b = BUF(32 * MB);

	buf_lit(&b, "[\"},,,\\\"[[[\\\\\"");        /* none of these count */
	for (int i = 0; i < LIMIT_JSON_VALUES - 2; i++)
		buf_lit(&b, ",1");
	buf_lit(&b, "]");
	CHECK_RC(json_check(buf_str(&b), NULL), OK);
	buf_cut(&b, b.n - 1);
	buf_lit(&b, ",1,1]");
	CHECK_RC(json_check(buf_str(&b), NULL), ERR_TOOBIG);
	buf_release(&b);
}

TEST(json_last_of_equal_keys_wins)
{
	jnode n = of("{\"a\":1,\"b\":2,\"\\u0061\":3}");
	struct buf b = BUF(100);
	struct val v;

	CHECK_INT(json_int(json_get(n, S("a"))), 3);
	CHECK_RC(json_to_val(n, &v, NULL), OK);
	val_add_json(&b, v);
	CHECK_STR(buf_str(&b), "{\"a\":3,\"b\":2}");
	val_drop(v);
	buf_release(&b);
}

TEST(json_absent_is_harmless)
{
	struct json_iter it = json_each(NULL);

	CHECK(!json_next(&it));
	CHECK(json_is_null(NULL) && !json_is_object(NULL) && !json_is_int(NULL));
	CHECK(!json_is_string(NULL) && !json_is_bool(NULL) && !json_is_array(NULL));
	CHECK(json_get(NULL, S("a")) == NULL && json_at(NULL, 0) == NULL);
	CHECK(json_count(NULL) == 0 && json_int(NULL) == 0 && !json_bool(NULL));
	CHECK(json_number(NULL) == 0 && json_str(NULL).n == 0);
	CHECK_STR(str_of(json_kind(NULL)), "nothing");
	CHECK_STR(json_str(of("[1]")), "");
	CHECK(json_get(of("[1]"), S("a")) == NULL);
	CHECK(json_at(of("{\"a\":1}"), 0) == NULL);
	json_release(&doc);
	json_release(&doc);
}

TEST(json_iterates_containers)
{
	struct json_iter it;
	int64_t sum = 0;

	it = json_each(of("{\"a\":1,\"b\":[5,6],\"c\":{\"d\":7},\"e\":2}"));
	while (json_next(&it))
		sum = sum * 10 + json_int(it.value) + json_str(it.key).p[0] - 'a';
	CHECK_INT(sum, 1 * 1000 + 1 * 100 + 2 * 10 + 6);
	it = json_each(of("[[1],[2],3]"));
	CHECK(json_next(&it) && json_next(&it) && json_next(&it));
	CHECK_INT(json_int(it.value), 3);
	CHECK(!json_next(&it));
	CHECK_INT(json_int(json_at(json_at(doc.root, 1), 0)), 2);
	json_release(&doc);
}

TEST(json_integers_and_numbers)
{
	CHECK(json_is_int(of("9223372036854775807")));
	CHECK(!json_is_int(of("9223372036854775808")) && json_is_number(doc.root));
	CHECK(json_number(doc.root) == 0x1p63);
	CHECK(json_is_int(of("-9223372036854775808")));
	CHECK_INT(json_int(doc.root), INT64_MIN);
	CHECK(!json_is_int(of("1.0")) && json_is_number(doc.root));
	CHECK(json_number(of("-2")) == -2.0);
	json_release(&doc);
}

/* ---- fields ---------------------------------------------------------------- */

TEST(json_fields_fall_back)
{
	static const char *const words[] = { "asc", "desc", NULL };
	jnode o = of("{\"n\":null}"), got = o;
	struct str s;
	int64_t i;
	double d;
	bool b;
	int word;

	CHECK_RC(json_get_str(o, "n", "n", S("x"), 5, &s, NULL), OK);
	CHECK_STR(s, "x");
	CHECK_RC(json_get_int(o, "z", "z", 7, 0, 5, &i, NULL), OK);
	CHECK_INT(i, 7);
	CHECK_RC(json_get_number(o, "n", "n", 0.5, 0, 1, &d, NULL), OK);
	CHECK(d == 0.5);
	CHECK_RC(json_get_bool(NULL, "n", "n", true, &b, NULL), OK);
	CHECK(b);
	CHECK_RC(json_get_enum(o, "n", "n", words, -1, &word, NULL), OK);
	CHECK_INT(word, -1);
	CHECK_RC(json_get_object(o, "n", "n", &got, NULL), OK);
	CHECK(got == NULL);
	got = o;
	CHECK_RC(json_get_array(o, "n", "n", &got, NULL), OK);
	CHECK(got == NULL);
	json_release(&doc);
}

TEST(json_fields_read)
{
	static const char *const words[] = { "asc", "desc", NULL };
	jnode o = of("{\"s\":\"abc\",\"i\":5,\"f\":5.0,\"d\":1.5,\"b\":false,\"w\":\"desc\"}");
	struct str s;
	int64_t i;
	double d;
	bool b = true;
	int word;

	CHECK_RC(json_get_str(o, "s", "s", STR_NONE, 3, &s, NULL), OK);
	CHECK_STR(s, "abc");
	CHECK_RC(json_get_int(o, "i", "i", 0, 5, 5, &i, NULL), OK);
	CHECK_INT(i, 5);
	CHECK_RC(json_get_int(o, "f", "f", 0, 5, 5, &i, NULL), OK);
	CHECK_INT(i, 5);
	CHECK_RC(json_get_number(o, "i", "i", 0, 0, 9, &d, NULL), OK);
	CHECK(d == 5);
	CHECK_RC(json_get_bool(o, "b", "b", true, &b, NULL), OK);
	CHECK(!b);
	CHECK_RC(json_get_enum(o, "w", "w", words, 0, &word, NULL), OK);
	CHECK_INT(word, 1);
	json_release(&doc);
}

TEST(json_field_errors_read_alike)
{
	static const char *const words[] = { "asc", "desc", "none", NULL };
	jnode o = of("{\"s\":\"abc\",\"i\":-5,\"d\":1.5,\"o\":{}}"), node;
	struct err e;
	struct str s;
	int64_t i;
	double d;
	bool b;
	int word;

	CHECK_RC(json_get_number(o, "s", "config.configurable.temperature", 0, 0, 2, &d,
	    &e), ERR_INVALID);
	CHECK_STR(str_of(e.text),
	    "config.configurable.temperature: expected a number, got a string");
	CHECK_RC(json_get_str(o, "i", "name", STR_NONE, 9, &s, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "name: expected a string, got a number");
	CHECK_RC(json_get_str(o, "s", "name", STR_NONE, 2, &s, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "name: expected at most 2 bytes, got 3");
	CHECK_RC(json_get_int(o, "i", "limit", 0, 1, 1000, &i, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "limit: expected an integer from 1 to 1000, got -5");
	CHECK_RC(json_get_int(o, "i", "at", 0, 0, INT64_MAX, &i, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "at: expected an integer of at least 0, got -5");
	CHECK_RC(json_get_int(o, "d", "limit", 0, 1, 9, &i, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "limit: expected an integer, got 1.5");
	CHECK_RC(json_get_number(o, "i", "t", 0, 0, 2, &d, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "t: expected a number from 0 to 2, got -5");
	CHECK_RC(json_get_bool(o, "o", "flag", false, &b, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "flag: expected true or false, got an object");
	CHECK_RC(json_get_object(o, "s", "meta", &node, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "meta: expected an object, got a string");
	CHECK_RC(json_get_array(o, "o", "ids", &node, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "ids: expected an array, got an object");
	CHECK_RC(json_get_enum(o, "s", "sort", words, 0, &word, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text),
	    "sort: expected \"asc\", \"desc\" or \"none\", got \"abc\"");
	CHECK_RC(json_get_enum(o, "i", "sort", words, 0, &word, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text),
	    "sort: expected \"asc\", \"desc\" or \"none\", got a number");
	json_release(&doc);
}

/* ---- writing --------------------------------------------------------------- */

TEST(json_nodes_are_written_compact)
{
	static const char *const texts[] = {
		"{\"a\":[1,-2,1.5,true,false,null],\"b\":{},\"c\":[],\"d\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\"}",
		"18446744073709551615", "-9223372036854775808", "\"\xe2\x82\xac\xe2\x80\xa8\"",
		"1e-7", "0.1" };
	struct buf b = BUF(KB);

	for (size_t i = 0; i < COUNT(texts); i++) {
		buf_clear(&b);
		json_add_node(&b, of(texts[i]));
		CHECK_STR(buf_str(&b), texts[i]);
	}
	buf_clear(&b);
	json_add_node(&b, of(" { \"a\" : [ 1 , \"\\u20ac\\/\" ] } "));
	CHECK_STR(buf_str(&b), "{\"a\":[1,\"\xe2\x82\xac/\"]}");
	buf_clear(&b);
	json_add_node(&b, NULL);
	CHECK_STR(buf_str(&b), "null");
	json_release(&doc);
	buf_release(&b);
}

TEST(json_escapes_at_every_position)
{
	char text[24];

	/* The fast path looks at eight bytes at a time. */
	for (size_t at = 0; at < sizeof text; at++) {
		static const char odd[] = { '"', '\\', '\n', '\x1f', '\x7f', '\0' };

		for (size_t k = 0; k < sizeof odd; k++) {
			struct buf b = BUF(200), back = BUF(200);

			memset(text, 'a', sizeof text);
			text[at] = odd[k];
			json_add_escaped(&b, (struct str){ text, sizeof text });
			CHECK(b.n > sizeof text || odd[k] == '\x7f');
			CHECK_RC(json_unescape(buf_str(&b), &back), OK);
			CHECK(str_eq(buf_str(&back), (struct str){ text, sizeof text }));
			buf_release(&b);
			buf_release(&back);
		}
	}
}

TEST(json_output_is_utf8_whatever_goes_in)
{
	struct buf b = BUF(200);

	json_add_str(&b, S("ok\xff\xe2\x82-\xed\xa0\x80\xe2\x82\xac"));
	CHECK_STR(buf_str(&b), "\"ok\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd-"
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xe2\x82\xac\"");
	CHECK_RC(json_check(buf_str(&b), NULL), OK);
	buf_release(&b);
}

TEST(json_unescape_decodes_spans)
{
	static const char *const good[][2] = {
		{ "plain", "plain" }, { "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t" },
		{ "\\u20AC", "\xe2\x82\xac" }, { "\\ud83d\\ude00", "\xf0\x9f\x98\x80" },
		{ "\\ud83d", "\xef\xbf\xbd" }, { "\\ude00x", "\xef\xbf\xbdx" },
		{ "\\ud83d\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\\ud83d\\n", "\xef\xbf\xbd\n" }, { "\\ud83d\\u0041", "\xef\xbf\xbd" "A" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" }, { "", "" },
		{ "\\u007f\\u0080\\u07ff\\u0800\\uffff",
		  "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf" },
	};
	static const char *const bad[] = { "\\", "\\x", "\\u12", "\\u12g4", "a\"b",
		"a\nb", "ok\\", "\\ud83d\\u12" };
	struct buf b = BUF(100), tight = BUF(2);

	for (size_t i = 0; i < COUNT(good); i++) {
		buf_clear(&b);
		CHECK_RC(json_unescape(str_of(good[i][0]), &b), OK);
		CHECK_STR(buf_str(&b), good[i][1]);
	}
	buf_clear(&b);
	buf_lit(&b, "kept");
	for (size_t i = 0; i < COUNT(bad); i++) {
		CHECK_RC(json_unescape(str_of(bad[i]), &b), ERR_SYNTAX);
		CHECK_STR(buf_str(&b), "kept");
	}
	CHECK_RC(json_unescape(S("abc"), &tight), ERR_TOOBIG);
	buf_release(&b);
	buf_release(&tight);
}

TEST(json_doubles_are_the_shortest)
{
	static const struct { double d; const char *text; } cases[] = {
		{ 0.1, "0.1" }, { 1.0 / 3, "0.3333333333333333" }, { 5e-324, "5e-324" },
		{ 1.7976931348623157e308, "1.7976931348623157e308" }, { 2.0, "2.0" },
		{ -0.7, "-0.7" }, { (double)INFINITY, "null" }, { (double)NAN, "null" } };
	struct buf b = BUF(100);

	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_clear(&b);
		json_add_double(&b, cases[i].d);
		CHECK_STR(buf_str(&b), cases[i].text);
	}
	buf_release(&b);
}

TEST(json_keys_bring_their_commas)
{
	struct buf b = BUF(100);

	buf_add_char(&b, '{');
	json_add_key(&b, "a");
	buf_add_char(&b, '{');
	json_add_key(&b, "x\"y");
	buf_lit(&b, "1}");
	json_add_key(&b, "b");
	buf_lit(&b, "2}");
	CHECK_STR(buf_str(&b), "{\"a\":{\"x\\\"y\":1},\"b\":2}");
	buf_release(&b);
}

TEST(json_writers_stop_at_the_maximum)
{
	struct buf b = BUF(10);

	json_add_node(&b, of("[\"a long string that does not fit\",[1,2,3]]"));
	CHECK(b.failed && b.n <= 10);
	buf_release(&b);
	json_release(&doc);
}

/* ---- containment and merging ------------------------------------------------ */

/* Each line was asked of PostgreSQL 15's jsonb @>. */
/* Goal: an object of many members is looked into like a small one, also when a
 * key stands there twice. */
TEST(json_contains_in_large_objects)
{
	struct buf b = BUF(64 * KB);
	struct json_doc have, yes, no;
	struct err e;

	buf_lit(&b, "{\"k3\":\"old\"");
	for (int i = 0; i < 500; i++)
		buf_add_fmt(&b, ",\"k%d\":%d", i, i);
	buf_lit(&b, "}");
	CHECK_RC(json_parse(&have, buf_str(&b), &e), OK);
	CHECK_RC(json_parse(&yes, S("{\"k3\":3,\"k499\":499}"), &e), OK);
	CHECK_RC(json_parse(&no, S("{\"k3\":\"old\"}"), &e), OK);
	CHECK(json_contains(have.root, yes.root, NULL));
	CHECK(!json_contains(have.root, no.root, NULL));
	CHECK(json_contains(have.root, have.root, NULL));
	CHECK(!json_contains(yes.root, have.root, NULL));
	json_release(&have);
	json_release(&yes);
	json_release(&no);
	buf_release(&b);
}

TEST(json_contains_as_postgres)
{
	static const struct { const char *have, *want; bool yes; } cases[] = {
		{ "{\"a\":1,\"b\":2}", "{\"b\":2}", true },
		{ "{\"a\":1}", "{}", true },
		{ "{}", "{\"a\":1}", false },
		{ "{\"a\":1}", "{\"a\":1.0}", true },
		{ "{\"a\":1}", "{\"a\":\"1\"}", false },
		{ "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"c\":2}}", true },
		{ "{\"a\":[1,2,3]}", "{\"a\":[3,1]}", true },
		{ "{\"a\":[1,2,3]}", "{\"a\":[1,1,1]}", true },
		{ "{\"a\":[1,2]}", "{\"a\":1}", false },
		{ "[1,2]", "1", true },
		{ "[1,2]", "3", false },
		{ "1", "[1]", false },
		{ "\"a\"", "\"a\"", true },
		{ "[[1,2],3]", "[[1]]", true },
		{ "[[1,2],3]", "[1]", false },
		{ "[{\"a\":1,\"b\":2}]", "[{\"a\":1}]", true },
		{ "[{\"a\":1},{\"b\":2}]", "[{\"a\":1,\"b\":2}]", false },
		{ "{\"a\":null}", "{\"a\":null}", true },
		{ "{}", "{\"a\":null}", false },
		{ "{\"a\":true}", "{\"a\":false}", false },
		{ "{\"a\":[]}", "{\"a\":{}}", false },
		{ "[]", "[]", true },
		{ "[]", "{}", false },
		{ "{\"a\":1,\"a\":2}", "{\"a\":1}", false },
		{ "{\"a\":2}", "{\"a\":1,\"a\":2}", true },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json_doc want;
		jnode have = of(cases[i].have);

		CHECK_RC(json_parse(&want, str_of(cases[i].want), NULL), OK);
		if (json_contains(have, want.root, NULL) != cases[i].yes)
			test_fail(__FILE__, __LINE__, "%s @> %s", cases[i].have,
			    cases[i].want);
		json_release(&want);
	}
	json_release(&doc);
}

TEST(json_merge_is_shallow_and_later_wins)
{
	struct buf b = BUF(KB);
	struct json_doc other;

	CHECK_RC(json_parse(&other, S("{\"b\":{\"y\":1},\"c\":3}"), NULL), OK);
	json_add_merged(&b, of("{\"a\":1,\"b\":{\"x\":1},\"a\":2}"), other.root);
	CHECK_STR(buf_str(&b), "{\"a\":2,\"b\":{\"y\":1},\"c\":3}");
	buf_clear(&b);
	json_add_merged(&b, NULL, other.root);
	CHECK_STR(buf_str(&b), "{\"b\":{\"y\":1},\"c\":3}");
	buf_clear(&b);
	json_add_merged(&b, NULL, NULL);
	CHECK_STR(buf_str(&b), "{}");
	json_release(&other);
	json_release(&doc);
	buf_release(&b);
}

TEST(template_quotes_escapes_and_numbers)
{
	struct buf b = BUF(4 * KB);
	struct json_doc d;
	bool yes = true, no = false;

	CHECK_RC(json_parse(&d, S("{\"n\":[1]}"), NULL), OK);
	json_add_fmt(&b, "{'a':%s,'b':%.*s,'raw':%-s,'part':%-.*s,'none':%-s,'node':%p,"
	    "'no':%p}\n", "x\"y\n", 2, "abc", "[2]", 3, "{}0", "1", (void *)d.root, NULL);
	json_add_fmt(&b, "[%d,%ld,%lld,%u,%lu,%llu,%zu,%.3f,%.0f,%hhd,%hhd]", -1, -2L,
	    -3000000000LL, 4U, 5UL, UINT64_MAX + 0ULL, (size_t)7, 1.25, 8.9, yes, no);
	CHECK_STR(buf_str(&b), "{\"a\":\"x\\\"y\\n\",\"b\":\"ab\",\"raw\":[2],\"part\":{}0,"
	    "\"none\":1,\"node\":{\"n\":[1]},\"no\":null}\n[-1,-2,-3000000000,4,5,"
	    "18446744073709551615,7,1.250,9,true,false]");
	json_release(&d);
	buf_release(&b);
}

TEST(template_leaves_out_a_comma_after_an_open_bracket)
{
	struct buf b = BUF(4 * KB), small = BUF(16);

	json_add_fmt(&b, ",'a':[");
	for (int i = 0; i < 2; i++)
		json_add_fmt(&b, ",{'i':%d,'s':%s", i, "}"), buf_lit(&b, "}");
	json_add_fmt(&b, "],'o':{");
	json_add_fmt(&b, ",'x':%s", "[");
	json_add_fmt(&b, ",'y':1}");
	CHECK_STR(buf_str(&b), "\"a\":[{\"i\":0,\"s\":\"}\"},{\"i\":1,\"s\":\"}\"}],"
	    "\"o\":{\"x\":\"[\",\"y\":1}");
	json_add_fmt(&small, "{'a':%d}", 1);
	CHECK(!small.failed);
	json_add_fmt(&small, "{'a':%s}", "longer than that");
	CHECK(small.failed);
	buf_release(&b);
	buf_release(&small);
}
