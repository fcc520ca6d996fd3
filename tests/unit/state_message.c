/*
 * state_message.c - what becomes of a message that a client sends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "state/message.h"

static struct val
json_of(const char *text)
{
	struct val v;
	struct err e = { 0 };

	if (val_json(&v, str_of(text), &e) != OK)
		test_fail(__FILE__, __LINE__, "%s: %s", text, e.text);
	return v;
}

/* Coerces `text`, lazy and eager; the id in the result is replaced by ID when it
 * was made up. */
static void
check_coerced_val(struct val in, const char *text, const char *expected)
{
	struct buf got = BUF(4096);
	struct val m;
	struct err e = { 0 };
	struct str json, id;
	bool minted;

	if (message_from(in, "messages[0]", &m, &minted, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s: %s", text, e.text);
	json = val_json_text(m);
	id = message_id(m);
	CHECK(id.p > json.p && id.p + id.n < json.p + json.n);
	CHECK(message_type(m) != MSG_NONE);
	CHECK(minted == (strstr(expected, "\"ID\"") != NULL));
	if (minted) {
		CHECK_INT(id.n, 36);
		buf_add(&got, str_sub(json, 0, (size_t)(id.p - json.p)));
		buf_lit(&got, "ID");
		json = str_sub(json, (size_t)(id.p - json.p) + 36, json.n);
	}
	buf_add(&got, json);
	CHECK_STR(buf_str(&got), expected);
	buf_release(&got);
	val_drop(m);
}

static void
check_coerced(const char *text, const char *expected)
{
	struct val lazy = json_of(text), eager;

	check_coerced_val(lazy, text, expected);
	CHECK_RC(json_text_to_val(str_of(text), &eager, NULL), OK);
	CHECK(val_equal(lazy, eager));
	val_drop(lazy), val_drop(eager);
}

TEST(message_forms_become_the_stored_one)
{
	static const char *const rows[][2] = {
		{ "{\"role\":\"user\",\"content\":\"u\"}",
		  "{\"content\":\"u\",\"additional_kwargs\":{},\"response_metadata\":{},"
		  "\"id\":\"ID\",\"type\":\"human\"}" },
		{ "{\"type\":\"user\",\"content\":\"u2\"}",
		  "{\"content\":\"u2\",\"additional_kwargs\":{},\"response_metadata\":{},"
		  "\"id\":\"ID\",\"type\":\"human\"}" },
		{ "{\"role\":\"developer\",\"content\":\"d\"}",
		  "{\"content\":\"d\",\"additional_kwargs\":{\"__openai_role__\":\"developer\"},"
		  "\"response_metadata\":{},\"id\":\"ID\",\"type\":\"system\"}" },
		{ "{\"role\":\"system\",\"content\":\"s\"}",
		  "{\"content\":\"s\",\"additional_kwargs\":{},\"response_metadata\":{},"
		  "\"id\":\"ID\",\"type\":\"system\"}" },
		{ "{\"role\":\"tool\",\"content\":\"t\",\"tool_call_id\":\"c1\"}",
		  "{\"content\":\"t\",\"tool_call_id\":\"c1\",\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"id\":\"ID\",\"type\":\"tool\"}" },
		{ "\"plain string\"",
		  "{\"content\":\"plain string\",\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"id\":\"ID\",\"type\":\"human\"}" },
		{ "[\"human\",\"tuple\"]",
		  "{\"content\":\"tuple\",\"additional_kwargs\":{},\"response_metadata\":{},"
		  "\"id\":\"ID\",\"type\":\"human\"}" },
		{ "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"blk\"}]}",
		  "{\"content\":[{\"type\":\"text\",\"text\":\"blk\"}],\"tool_calls\":[],"
		  "\"invalid_tool_calls\":[],\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"id\":\"ID\",\"type\":\"ai\"}" },
		{ "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\","
		  "\"name\":\"f\",\"args\":{\"a\":1},\"type\":\"tool_call\"}]}",
		  "{\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\",\"name\":\"f\","
		  "\"args\":{\"a\":1},\"type\":\"tool_call\"}],\"invalid_tool_calls\":[],"
		  "\"additional_kwargs\":{},\"response_metadata\":{},\"id\":\"ID\","
		  "\"type\":\"ai\"}" },
		{ "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\","
		  "\"type\":\"function\",\"function\":{\"name\":\"f\","
		  "\"arguments\":\"{\\\"a\\\":1}\"}}]}",
		  "{\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\",\"args\":{\"a\":1},"
		  "\"name\":\"f\",\"type\":\"tool_call\"}],\"invalid_tool_calls\":[],"
		  "\"additional_kwargs\":{},\"response_metadata\":{},\"id\":\"ID\","
		  "\"type\":\"ai\"}" },
		/* a given id stays where it was */
		{ "{\"role\":\"user\",\"content\":\"hi\",\"id\":\"h1\"}",
		  "{\"content\":\"hi\",\"id\":\"h1\",\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"type\":\"human\"}" },
		/* null members of the Python client are absent ones */
		{ "{\"type\":\"ai\",\"content\":null,\"id\":null,\"name\":null,"
		  "\"tool_calls\":null,\"example\":false}",
		  "{\"content\":\"\",\"example\":false,\"tool_calls\":[],"
		  "\"invalid_tool_calls\":[],\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"id\":\"ID\",\"type\":\"ai\"}" },
		/* LangChain's constructor form */
		{ "{\"lc\":1,\"type\":\"constructor\",\"id\":[\"langchain_core\",\"messages\","
		  "\"HumanMessage\"],\"kwargs\":{\"content\":\"lc\",\"id\":\"x\"}}",
		  "{\"content\":\"lc\",\"id\":\"x\",\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"type\":\"human\"}" },
		{ "{\"type\":\"remove\",\"id\":\"h1\"}", "{\"id\":\"h1\",\"type\":\"remove\"}" },
		/* parts are kept as they are written, but for blanks */
		{ "{ \"role\" : \"user\", \"content\" : [ {\"n\": 1.50 } ], \"x\": \"\\u00e4\" }",
		  "{\"content\":[{\"n\":1.50}],\"x\":\"\xc3\xa4\",\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"id\":\"ID\",\"type\":\"human\"}" },
		/* of a member that stands twice the last one counts */
		{ "{\"role\":\"user\",\"id\":\"a\",\"content\":\"1\",\"id\":\"b\"}",
		  "{\"id\":\"b\",\"content\":\"1\",\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"type\":\"human\"}" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		check_coerced(rows[i][0], rows[i][1]);
}

TEST(message_errors_name_the_place)
{
	static const char *const rows[][2] = {
		{ "{\"role\":\"weird\",\"content\":\"x\"}", "messages[0]: unknown role \"weird\"" },
		{ "{\"content\":\"norole\"}", "messages[0]: expected a role or type" },
		{ "{\"role\":\"user\"}", "messages[0].content: expected" },
		{ "{\"role\":\"user\",\"content\":7}", "messages[0].content: expected" },
		{ "{\"role\":\"tool\",\"content\":\"x\"}", "messages[0].tool_call_id: expected" },
		{ "{\"role\":\"user\",\"content\":\"x\",\"id\":1}", "messages[0].id: expected" },
		{ "{\"role\":\"user\",\"content\":\"x\",\"id\":\"a\\\"b\"}",
		  "messages[0].id: expected no quotes" },
		{ "{\"type\":\"remove\"}", "messages[0].id: expected" },
		{ "[\"human\"]", "messages[0]: expected [role, content]" },
		{ "12", "messages[0]: expected a message, got a number" },
		{ "{\"role\":\"ai\",\"tool_calls\":{}}", "messages[0].tool_calls: expected an array" },
		{ "{\"lc\":1,\"type\":\"constructor\",\"id\":[],\"kwargs\":{}}",
		  "messages[0]: expected a role" },
		{ "{\"lc\":1,\"type\":\"constructor\",\"id\":[\"HumanMessage\"]}",
		  "messages[0].content: expected" },
		{ "{\"role\":\"ai\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
		  "\"arguments\":\"{\"}}]}", "messages[0].tool_calls[0].function.arguments" },
		{ "{\"role\":\"ai\",\"tool_calls\":[{\"id\":\"c\"}]}",
		  "messages[0].tool_calls[0].name" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct val in = json_of(rows[i][0]), m;
		struct err e = { 0 };

		CHECK_RC(message_from(in, "messages[0]", &m, NULL, &e), ERR_INVALID);
		CHECK_INT(m.kind, VAL_UNDEFINED);
		if (!str_starts(str_of(e.text), str_of(rows[i][1])) ||
		    !str_contains(str_of(e.text), S("MESSAGE_COERCION_FAILURE")))
			test_fail(__FILE__, __LINE__, "%s: %s", rows[i][0], e.text);
		val_drop(in);
	}
}

TEST(message_type_and_id_are_those_of_the_top)
{
	static const char text[] = "{\"content\":\"say \\\"id\\\":\\\"no\\\" \\\\\","
	    "\"response_metadata\":{\"id\":\"inner\",\"type\":\"x\"},\"id\":\"outer\","
	    "\"tool_calls\":[{\"id\":\"c\",\"type\":\"tool_call\"}],\"type\":\"ai\"}";
	struct val m = val_json_trusted(str_of(text)), renamed;
	struct err e;

	CHECK_STR(message_id(m), "outer");
	CHECK_INT(message_type(m), MSG_AI);
	CHECK_STR(val_json_text(m), text);
	CHECK_RC(message_of_answer(str_of(text), S("fresh"), &renamed, &e), OK);
	CHECK_STR(message_id(renamed), "fresh");
	CHECK_INT(val_json_text(renamed).n, sizeof text - 1);
	CHECK(val_equal(val_get(renamed, S("tool_calls")), val_get(m, S("tool_calls"))));
	CHECK_STR(message_id(renamed), "fresh");     /* and after it was decoded */
	val_drop(renamed), val_drop(m);
	CHECK_RC(message_of_answer(S("{\"content\":\"x\",\"type\":\"ai\"}"), S("i"), &m, &e),
	    ERR_INVALID);
	CHECK_RC(message_of_answer(S("{\"content\":\"x\",\"id\":\"a\"}"), S("i"), &m, &e),
	    ERR_INVALID);
	CHECK_RC(message_of_answer(S("{\"id\":\"a\""), S("i"), &m, &e), ERR_INVALID);
	CHECK_INT(message_type(VAL_NIL), MSG_NONE);
	CHECK_INT(message_id(VAL_UNDEF).n, 0);
}

TEST(message_lists_are_coerced_as_a_whole)
{
	struct val in = json_of("[\"a\",[\"ai\",\"b\"],{\"role\":\"tool\"}]"), out;
	struct err e;
	bool minted;

	CHECK_RC(messages_from(in, "input.messages", &out, &minted, &e), ERR_INVALID);
	CHECK(str_starts(str_of(e.text), S("input.messages[2].content: expected")));
	CHECK_INT(out.kind, VAL_UNDEFINED);
	in = val_set_at_take(in, 2, json_of("{\"role\":\"user\",\"content\":\"c\",\"id\":\"1\"}"));
	CHECK_RC(messages_from(in, "input.messages", &out, &minted, &e), OK);
	CHECK_INT(val_count(out), 3);
	CHECK(!minted);
	CHECK_STR(message_id(val_at(out, 2)), "1");
	val_drop(out), val_drop(in);
	in = json_of("{\"role\":\"user\",\"content\":\"c\"}");
	CHECK_RC(messages_from(in, "m", &out, &minted, &e), OK);
	CHECK(minted && out.kind == VAL_ARRAY && val_count(out) == 1);
	val_drop(out), val_drop(in);
}

/* Goal: arguments come as text, so they can be deeper than the document that
 * they are in; what is stored must be readable again. */
TEST(message_deeper_than_json_may_be_is_refused)
{
	struct buf b = BUF(4 * KB);
	struct val in, m;
	struct err e;

	buf_lit(&b, "{\"role\":\"ai\",\"tool_calls\":[{\"id\":\"c\",\"function\":"
	    "{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":");
	for (int i = 0; i < LIMIT_JSON_DEPTH - 1; i++)
		buf_add_char(&b, '[');
	for (int i = 0; i < LIMIT_JSON_DEPTH - 1; i++)
		buf_add_char(&b, ']');
	buf_lit(&b, "}\"}}]}");
	in = json_of(b.p);
	CHECK_RC(message_from(in, "m", &m, NULL, &e), ERR_TOOBIG);
	CHECK(str_contains(str_of(e.text), S("nested deeper")));
	val_drop(in);
	buf_release(&b);
}
