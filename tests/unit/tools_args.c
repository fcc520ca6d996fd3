/*
 * tools_args.c - arguments against a schema: what passes, and the words a
 * model reads when something does not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "tools/tools_priv.h"

static const char schema[] =
    "{\"type\":\"object\",\"required\":[\"value\"],\"additionalProperties\":false,"
    "\"properties\":{"
    "\"value\":{\"type\":\"object\",\"required\":[\"x\"],\"properties\":{"
    "\"x\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}}},"
    "\"unit\":{\"enum\":[\"c\",\"f\",1]},"
    "\"ns\":{\"type\":[\"array\",\"string\"]},"
    "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10},"
    "\"ratio\":{\"type\":\"number\",\"minimum\":0},"
    "\"flag\":{\"type\":\"boolean\"}}}";

#define V "\"value\":{\"x\":[]}"

TEST(schema_words_tell_what_was_expected)
{
	static const struct { const char *args, *words; } rows[] = {
		{ "{" V "}", NULL },
		{ "{\"value\":{\"x\":[1,2.0],\"more\":null}}", NULL },
		{ "{" V ",\"unit\":1,\"ns\":\"a\",\"limit\":10,\"ratio\":0.5,\"flag\":true}", NULL },
		{ "{" V ",\"ns\":[],\"limit\":null,\"flag\":null}", NULL },
		{ "[]", "arguments: expected an object, got an array" },
		{ "{}", "argument \"value\": missing" },
		{ "{\"value\":null}", "argument \"value\": expected an object, got null" },
		{ "{\"value\":\"{}\"}", "argument \"value\": expected an object, got a string" },
		{ "{\"value\":{}}", "argument \"value.x\": missing" },
		{ "{\"value\":{\"x\":[1,\"2\"]}}",
		  "argument \"value.x.1\": expected an integer, got a string" },
		{ "{\"value\":{\"x\":[1.5]}}",
		  "argument \"value.x.0\": expected an integer, got a fraction" },
		{ "{" V ",\"ns\":7}", "argument \"ns\": expected an array or a string, got a number" },
		{ "{" V ",\"unit\":\"k\"}", "argument \"unit\": expected one of \"c\" \"f\" 1, got \"k\"" },
		{ "{" V ",\"limit\":11}", "argument \"limit\": expected 1 to 10, got 11" },
		{ "{" V ",\"ratio\":-1}", "argument \"ratio\": expected at least 0, got -1" },
		{ "{" V ",\"flag\":1}", "argument \"flag\": expected a boolean, got a number" },
		{ "{" V ",\"limits\":1}", "argument \"limits\": unknown; did you mean \"limit\"?" },
		{ "{" V ",\"colour\":1}", "argument \"colour\": unknown; known: \"value\", \"unit\", "
		  "\"ns\", \"limit\", \"ratio\", \"flag\"" },
	};
	struct json_doc s;

	CHECK_RC(json_parse(&s, str_of(schema), NULL), OK);
	CHECK_RC(args_schema_valid(s.root, NULL), OK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_doc args;
		struct err e;

		CHECK_RC(json_parse(&args, str_of(rows[i].args), NULL), OK);
		if (rows[i].words == NULL) {
			CHECK_RC(args_check(s.root, args.root, &e), OK);
		} else {
			CHECK_RC(args_check(s.root, args.root, &e), ERR_INVALID);
			CHECK_STR(str_of(e.text), rows[i].words);
		}
		json_release(&args);
	}
	json_release(&s);
}

/* A keyword nobody checks would be a promise nobody keeps. */
TEST(schema_of_other_keywords_is_refused)
{
	static const char *const texts[] = {
		"[]", "{\"pattern\":\"x\"}", "{\"type\":\"text\"}", "{\"type\":[]}",
		"{\"type\":[\"string\",7]}", "{\"properties\":[]}",
		"{\"properties\":{\"a\":{\"oneOf\":[]}}}", "{\"items\":{\"format\":\"date\"}}",
		"{\"required\":\"a\"}", "{\"enum\":[]}", "{\"minimum\":\"1\"}",
		"{\"additionalProperties\":{}}",
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct json_doc s;

		CHECK_RC(json_parse(&s, str_of(texts[i]), NULL), OK);
		CHECK_RC(args_schema_valid(s.root, NULL), ERR_INVALID);
		json_release(&s);
	}
}

TEST(schema_long_paths_and_names_are_safe)
{
	struct buf args = BUF(MB), deep = BUF(MB);
	struct json_doc s, a;
	struct err e;

	for (int i = 0; i < 40; i++) {
		buf_lit(&deep, "{\"properties\":{\"a_rather_long_name_of_a_property\":");
		buf_lit(&args, "{\"a_rather_long_name_of_a_property\":");
	}
	buf_lit(&deep, "{\"type\":\"string\"}");
	buf_lit(&args, "1");
	for (int i = 0; i < 40; i++) {
		buf_lit(&deep, "}}");
		buf_lit(&args, "}");
	}
	CHECK_RC(json_parse(&s, buf_str(&deep), NULL), OK);
	CHECK_RC(json_parse(&a, buf_str(&args), NULL), OK);
	CHECK_RC(args_check(s.root, a.root, &e), ERR_INVALID);
	json_release(&s);
	json_release(&a);
	buf_release(&args);
	buf_release(&deep);
}

TEST(text_is_cut_between_characters)
{
	static const struct { const char *text; size_t max; const char *cut; } rows[] = {
		{ "abc", 5, "abc" }, { "abc", 2, "ab" }, { "", 3, "" }, { "abc", 0, "" },
		{ "a\xc3\xbc", 3, "a\xc3\xbc" }, { "a\xc3\xbc", 2, "a" },
		{ "\xf0\x9f\x98\x80x", 4, "\xf0\x9f\x98\x80" }, { "\xf0\x9f\x98\x80x", 3, "" },
		{ "x\xe2\x82\xac", 3, "x" }, { "x\xe2\x82\xac", 4, "x\xe2\x82\xac" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_STR(str_cut(str_of(rows[i].text), rows[i].max), rows[i].cut);
}

/* ---- what models are shown -------------------------------------------------- */

TEST(schema_is_shown_in_what_every_provider_takes)
{
	static const struct { const char *schema, *shown; } rows[] = {
		{ "{\"type\":\"object\",\"properties\":{\"ns\":{\"type\":[\"array\",\"string\"],\"items\":"
		  "{\"type\":[\"string\",\"null\"]}}},\"required\":[],\"additionalProperties\":false}",
		  "{\"type\":\"object\",\"properties\":{\"ns\":{\"type\":\"array\",\"items\":"
		  "{\"type\":\"string\"}}}}" },
		/* properties of these names are no keywords */
		{ "{\"type\":\"object\",\"properties\":{\"type\":{\"type\":\"string\",\"enum\":[\"a\"]},"
		  "\"required\":{\"type\":\"object\",\"properties\":{}}},\"required\":[\"type\"]}",
		  "{\"type\":\"object\",\"properties\":{\"type\":{\"type\":\"string\",\"enum\":[\"a\"]},"
		  "\"required\":{\"type\":\"object\"}},\"required\":[\"type\"]}" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = BUF(MB);
		struct json_doc s;

		CHECK_RC(json_parse(&s, str_of(rows[i].schema), NULL), OK);
		schema_add_common(&b, s.root);
		CHECK_STR(buf_str(&b), rows[i].shown);
		json_release(&s);
		buf_release(&b);
	}
}

TEST(schema_of_no_arguments_has_one_that_does_nothing)
{
	struct tools *t = tools_new();
	struct str shown = tools_schema(t, tools_find(t, S("current_time")));

	CHECK_STR(shown, "{\"type\":\"object\",\"properties\":{\"note\":{\"type\":\"string\","
	    "\"description\":\"Not used; leave it out.\"}}}");
	tools_free(t);
}
