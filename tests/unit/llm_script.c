/*
 * llm_script.c - scripts: which rule answers, and what a wrong file is told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "llm/script.h"

TEST(script_sentence_has_42_words_and_tokens_join_again)
{
	struct str rest = str_of(script_sentence), token;
	struct buf joined = BUF(KB);
	int n = 0;

	for (; script_next_token(&rest, &token); n++)
		buf_add(&joined, token);
	CHECK_INT(n, 42);
	CHECK_STR(buf_str(&joined), script_sentence);
	buf_release(&joined);
}

TEST(script_tokens_lose_nothing)
{
	static const char *const texts[] = { "", " ", "a", " a  b\n", "\n\n", "a\tb " };

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct str rest = str_of(texts[i]), token;
		struct buf joined = BUF(KB);

		while (script_next_token(&rest, &token)) {
			CHECK(token.n > 0);
			buf_add(&joined, token);
		}
		CHECK_STR(buf_str(&joined), texts[i]);
		buf_release(&joined);
	}
}

TEST(script_built_in_says_the_sentence)
{
	struct llm_script *s;
	struct script_turn t;
	struct arena a = ARENA(MB);

	CHECK_RC(script_new(&s, STR_NONE, NULL), OK);
	script_answer(s, S("user"), S("anything"), &a, &t);
	CHECK_STR(t.reply, script_sentence);
	CHECK(t.calls_n == 0 && t.status == 0 && t.ttft_ms == -1 && t.token_ms == -1);
	script_free(s);
	arena_release(&a);
}

TEST(script_fits_the_smallest_value_of_a_schema)
{
	static const struct { const char *schema, *value; } cases[] = {
		{ "{}", "\"why?\"" },
		{ "true", "\"why?\"" },
		{ "{'type':'object','properties':{'a':{'type':'integer'},'b':{}},"
		    "'required':['a']}", "{\"a\":0}" },
		{ "{'type':'array','items':{'type':'string'},'minItems':2}",
		    "[\"why?\",\"why?\"]" },
		{ "{'type':'array','items':{}}", "[]" },
		{ "{'prefixItems':[{'type':'null'},{'const':3}],'minItems':2}", "[null,3]" },
		{ "{'type':['boolean','null']}", "false" },
		{ "{'enum':['low','high']}", "\"low\"" },
		{ "{'type':'string','maxLength':2}", "\"wh\"" },
		{ "{'type':'string','minLength':6}", "\"why?..\"" },
		{ "{'type':'string','format':'date'}", "\"2000-01-01\"" },
		{ "{'type':'integer','minimum':5,'multipleOf':4}", "8" },
		{ "{'type':'integer','maximum':-3}", "-3" },
		{ "{'type':'integer','exclusiveMinimum':0}", "1" },
		{ "{'type':'number','exclusiveMinimum':0,'exclusiveMaximum':1}", "0.5" },
		{ "{'anyOf':[{'type':'null'},{'type':'string'}]}", "null" },
		{ "{'$defs':{'q':{'properties':{'t':{'type':'string'}},'required':['t']}},"
		    "'type':'array','items':{'$ref':'#/$defs/q'},'minItems':1}",
		    "[{\"t\":\"why?\"}]" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf schema = BUF(KB), out = BUF(KB);

		json_add_fmt(&schema, cases[i].schema, NULL);
		CHECK_RC(script_fit(buf_str(&schema), S(" why?\n"), &out, NULL), OK);
		CHECK_STR(buf_str(&out), cases[i].value);
		buf_release(&schema);
		buf_release(&out);
	}
}

TEST(script_fits_no_schema_without_end)
{
	static const char *const endless[] = {
		"{\"type\":\"array\",\"minItems\":2,\"items\":{\"$ref\":\"#\"}}",
		"{\"type\":\"string\",\"minLength\":1e300}", "{\"$ref\":\"#\"}",
	};

	for (size_t i = 0; i < COUNT(endless); i++) {
		struct buf out = BUF(64 * KB);
		struct err e = { 0 };
		int rc = script_fit(str_of(endless[i]), S("x"), &out, &e);

		CHECK(rc == ERR_TOOBIG || rc == OK);
		CHECK(out.n <= 64 * KB);
		buf_release(&out);
	}
	CHECK_RC(script_fit(S("{"), S("x"), &(struct buf){ .max = 9 }, NULL), ERR_SYNTAX);
}

TEST(script_of_a_server_without_a_model_calls_the_clock)
{
	struct llm_script *s;
	struct script_turn t;
	struct arena a = ARENA(MB);

	CHECK_RC(script_new(&s, str_of(script_first_steps), NULL), OK);
	script_answer(s, S("user"), S("What time is it?"), &a, &t);
	CHECK(t.calls_n == 1 && t.reply.n == 0);
	CHECK_STR(t.calls[0].name, "current_time");
	script_answer(s, S("tool"), S("2026-11-29T12:00:00.000Z"), &a, &t);
	CHECK(t.calls_n == 0 && t.reply.n > 0);
	script_answer(s, S("user"), S("hello"), &a, &t);
	CHECK_STR(t.reply, script_sentence);
	script_free(s);
	arena_release(&a);
}

static const char rules[] =
    "{\"rules\":["
    "{\"match\":\"weather\",\"tool_calls\":[{\"name\":\"get_weather\",\"args\":{\"city\": \"Paris\"}},"
    "{\"name\":\"now\"}],\"ttft_ms\":50},"
    "{\"match\":{\"role\":\"tool\",\"last\":\"Sunny\"},\"reply\":\"It is sunny.\"},"
    "{\"match\":{\"role\":\"tool\"},\"reply\":\"Something else.\",\"token_ms\":3},"
    "{\"match\":\"boom\",\"status\":500,\"reply\":\"mock boom\"}],"
    "\"default\":{\"reply\":\"What?\"}}";

TEST(script_first_rule_of_the_role_answers)
{
	struct llm_script *s;
	struct script_turn t;
	struct arena a = ARENA(MB);
	struct err e;

	CHECK_RC(script_new(&s, str_of(rules), &e), OK);
	script_answer(s, S("user"), S("the weather, please"), &a, &t);
	CHECK_INT(t.calls_n, 2);
	CHECK_STR(t.calls[0].name, "get_weather");
	CHECK_STR(t.calls[0].args_json, "{\"city\":\"Paris\"}");
	CHECK_STR(t.calls[1].args_json, "{}");
	CHECK(t.reply.n == 0 && t.ttft_ms == 50 && t.token_ms == -1);
	/* a tool that speaks of weather does not ask for the tool again */
	script_answer(s, S("tool"), S("Sunny weather"), &a, &t);
	CHECK_STR(t.reply, "It is sunny.");
	script_answer(s, S("tool"), S("rain"), &a, &t);
	CHECK_STR(t.reply, "Something else.");
	CHECK_INT(t.token_ms, 3);
	script_answer(s, S("user"), S("go boom"), &a, &t);
	CHECK_INT(t.status, 500);
	CHECK_STR(t.reply, "mock boom");
	script_answer(s, S("assistant"), S("weather"), &a, &t);
	CHECK_STR(t.reply, "What?");
	script_free(s);
	arena_release(&a);
}

TEST(script_mistakes_are_told_with_their_path)
{
	static const struct { const char *text, *words; } rows[] = {
		{ "[]", "the script: expected an object, got an array" },
		{ "{\"rule\":[]}", "rule: unknown key; did you mean \"rules\"?" },
		{ "{\"rules\":{}}", "rules: expected an array, got an object" },
		{ "{\"rules\":[{\"match\":\"a\",\"reply\":\"b\"},7]}",
		  "rules.1: expected an object, got a number" },
		{ "{\"rules\":[{\"reply\":\"b\"}]}",
		  "rules.0.match: expected a string or an object, got nothing" },
		{ "{\"rules\":[{\"match\":\"a\"}]}",
		  "rules.0: needs a reply, tool_calls or a status" },
		{ "{\"rules\":[{\"match\":\"a\",\"reply\":\"b\",\"colour\":1}]}",
		  "rules.0.colour: unknown key" },
		{ "{\"rules\":[{\"match\":{\"lst\":\"a\"},\"reply\":\"b\"}]}",
		  "rules.0.match.lst: unknown key; did you mean \"last\"?" },
		{ "{\"rules\":[{\"match\":\"a\",\"tool_calls\":[{\"args\":{}}]}]}",
		  "rules.0.tool_calls.0.name: missing" },
		{ "{\"rules\":[{\"match\":\"a\",\"tool_calls\":[{\"name\":\"f\",\"args\":"
		  "{\"id\":\"{{result.id}}\"}}]}]}", "rules.0.tool_calls.0.args: "
		  "{{result.id}} needs a rule for \"role\":\"tool\"" },
		{ "{\"rules\":[{\"match\":{\"role\":\"tool\"},\"tool_calls\":[{\"name\":\"f\","
		  "\"args\":{\"a\":[{\"b\":\"x {{reslt}}\"}]}}]}]}", "rules.0.tool_calls.0.args: "
		  "expected {{result}} or {{result.MEMBER}}, got \"x {{reslt}}\"" },
		{ "{\"rules\":[{\"match\":{\"role\":\"tool\"},\"tool_calls\":[{\"name\":\"f\","
		  "\"args\":{\"a\":\"{{result.id\"}}]}]}", "rules.0.tool_calls.0.args: "
		  "expected {{result}} or {{result.MEMBER}}, got \"{{result.id\"" },
		{ "{\"rules\":[{\"match\":\"a\",\"tool_calls\":[{\"name\":\"f\",\"args\":[]}]}]}",
		  "rules.0.tool_calls.0.args: expected an object, got an array" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct llm_script *s;
		struct err e;

		CHECK(script_new(&s, str_of(rows[i].text), &e) != OK);
		CHECK(s == NULL);
		CHECK_STR(str_of(e.text), rows[i].words);
	}
}

TEST(script_wrong_numbers_and_syntax_are_refused)
{
	static const char *const texts[] = {
		"{\"rules\":[", "{\"default\":{\"status\":200}}", "{\"default\":{\"status\":600}}",
		"{\"default\":{\"reply\":\"a\",\"ttft_ms\":-1}}", "{\"default\":{}}",
		"{\"default\":{\"reply\":7}}", "{\"default\":[]}",
		"{\"default\":{\"reply\":\"a\",\"match\":\"b\"}}",
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct llm_script *s;
		struct err e;

		CHECK(script_new(&s, str_of(texts[i]), &e) != OK);
	}
}

/* Goal: a call's arguments take values of the last tool result, of any kind. */
TEST(script_arguments_come_from_the_last_result)
{
	static const char text[] =
	    "{\"rules\":[{\"match\":{\"role\":\"tool\",\"last\":\"item\"},\"tool_calls\":["
	    "{\"name\":\"f\",\"args\":{\"id\":\"{{result.item.id}}\","
	    "\"all\":[\"{{result.list.1}}\",{\"n\":\"{{result.n}}\"},7],"
	    "\"text\":\"<{{result.item.id}}> and {{result.n}}\"}},"
	    "{\"name\":\"g\",\"args\":{\"whole\":\"{{result}}\"}}]}]}";
	struct llm_script *s;
	struct script_turn t;
	struct arena a = ARENA(MB);
	struct err e;

	CHECK_RC(script_new(&s, str_of(text), &e), OK);
	script_answer(s, S("tool"), S("{\"item\":{\"id\":\"a\\\"b\"},\"n\":4,"
	    "\"list\":[1,{\"x\":null}]}"), &a, &t);
	CHECK_INT(t.status, 0);
	CHECK_INT(t.calls_n, 2);
	CHECK_STR(t.calls[0].args_json, "{\"id\":\"a\\\"b\",\"all\":[{\"x\":null},{\"n\":4},7],"
	    "\"text\":\"<a\\\"b> and 4\"}");
	CHECK_STR(t.calls[1].args_json, "{\"whole\":{\"item\":{\"id\":\"a\\\"b\"},\"n\":4,"
	    "\"list\":[1,{\"x\":null}]}}");
	script_answer(s, S("tool"), S("{\"item\":{}}"), &a, &t);
	CHECK_INT(t.status, 400);
	CHECK_INT(t.calls_n, 0);
	CHECK(str_contains(t.reply, S("{{result.item.id}}")));
	script_answer(s, S("tool"), S("Error: no item"), &a, &t);
	CHECK_INT(t.status, 400);
	CHECK(str_contains(t.reply, S("not JSON")));
	script_free(s);
	arena_release(&a);
}
