/*
 * eval_score.c - outputs and their scores.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "eval/eval.h"

static struct val
json(const char *text)
{
	struct val v;

	CHECK_RC(json_text_to_val(str_of(text), &v, NULL), OK);
	return v;
}

/* An eval with one scorer: what it gives for the state, as JSON, and what is expected. */
static struct eval_score
scored(const char *scorer, const char *state, const char *expected)
{
	struct buf text = BUF(64 * KB);
	struct eval_scope scope = { 0 };
	struct eval_score out = { 0 };
	struct eval v;
	struct err e = { 0 };

	buf_add_fmt(&text, "eval: e\nagent: agent\ndataset: d\nscorers: [{name: s, %s}]\n", scorer);
	if (eval_read(&v, buf_str(&text), S("e.yaml"), &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	scope.v[EVAL_INPUT] = json("{\"q\":1}");
	scope.v[EVAL_EXPECTED] = json(expected);
	scope.v[EVAL_STATE] = json(state);
	CHECK_RC(eval_output(&v, &scope, scope.v[EVAL_STATE], &e), OK);
	eval_score(&v.scorer[0], &scope, &out);
	for (int i = 0; i < EVAL_NAMES; i++)
		val_drop(scope.v[i]);
	val_drop(scope.text);
	eval_release(&v);
	buf_release(&text);
	return out;
}

#define SAID(text) "{\"messages\":[{\"type\":\"human\",\"content\":\"hi\"}," \
	"{\"type\":\"ai\",\"content\":" text "},{\"type\":\"tool\",\"content\":\"t\"}]}"

TEST(eval_exact_compares_the_last_answer)
{
	CHECK(scored("exact: true", SAID("\"Paris\""), "\"Paris\"").score == 1);
	CHECK(scored("exact: true", SAID("[{\"type\":\"text\",\"text\":\"Par\"},{\"type\":\"text\",\"text\":\"is\"}]"), "\"Paris\"").score == 1);
	CHECK(scored("exact: true", SAID("\"paris \""), "\"Paris\"").score == 0);
	CHECK(scored("exact: {ignore_case: true, trim: true}", SAID("\"paris \""), "\"Paris\"").score == 1);
	CHECK(scored("exact: {contains: true}", SAID("\"it is Paris.\""), "\"Paris\"").score == 1);
	CHECK(scored("exact: {contains: true}", SAID("\"it is Paris.\""), "[\"it\",\"Paris\"]").score == 1);
	CHECK(scored("exact: {contains: true}", SAID("\"it is Paris.\""), "[\"it\",\"Rome\"]").score == 0);
	CHECK_STR(str_of(scored("exact: true", SAID("\"Rome\""), "\"Paris\"").why), "expected \"Paris\", got \"Rome\"");
}

TEST(eval_exact_compares_values)
{
	CHECK(scored("exact: true", SAID("\"{\\\"b\\\": 2, \\\"a\\\": 1}\""), "{\"a\":1,\"b\":2}").score == 1);
	CHECK(scored("exact: true", SAID("\"[1]\""), "\"[1]\"").score == 1);
	CHECK(scored("exact: true", SAID("\"[1]\""), "[2]").score == 0);
	CHECK(scored("exact: true", "{\"total\":3}", "{\"total\":3}").score == 1);      /* output channels */
	CHECK(scored("exact: true", "{\"total\":3}", "{\"total\":4}").score == 0);
}

TEST(eval_schema_says_where_it_does_not_fit)
{
	static const char schema[] = "schema: {type: object, required: [total], properties: {total: {type: integer}}}";

	CHECK(scored(schema, SAID("\"{\\\"total\\\":3}\""), "null").score == 1);
	CHECK(scored(schema, SAID("\"{\\\"total\\\":\\\"3\\\"}\""), "null").score == 0);
	CHECK(str_contains(str_of(scored(schema, SAID("\"{\\\"total\\\":\\\"3\\\"}\""), "null").why), S("total")));
	CHECK(scored(schema, SAID("\"three\""), "null").score == 0);
}

TEST(eval_expression_is_true_or_a_number)
{
	CHECK(scored("expression: \"output.total == expected.total\"", SAID("\"{\\\"total\\\":3}\""), "{\"total\":3}").score == 1);
	CHECK(scored("expression: \"output.total == expected.total\"", SAID("\"no\""), "{\"total\":3}").score == 0);
	CHECK(scored("expression: \"len(state.messages) / 4\"", SAID("\"no\""), "null").score == 0.75);
	CHECK(scored("expression: \"input.q == 1 && output == 'no'\"", SAID("\"no\""), "null").score == 1);
	CHECK_STR(str_of(scored("expression: \"7\"", SAID("\"no\""), "null").why), "expected true, false or a number from 0 to 1, got 7");
	CHECK_STR(str_of(scored("expression: \"output\"", SAID("\"no\""), "null").why), "expected true, false or a number from 0 to 1, got \"no\"");
	CHECK(str_contains(str_of(scored("expression: \"1 / 0\"", SAID("\"no\""), "null").why), S("zero")));
}

TEST(eval_output_may_be_an_expression)
{
	struct eval_scope scope = { 0 };
	struct eval v;
	struct err e = { 0 };

	CHECK_RC(eval_read(&v, S("eval: e\nagent: agent\ndataset: d\noutput: state.a.b\n"
	    "scorers: [{name: s, exact: true}]\n"), S("e.yaml"), &e), OK);
	scope.v[EVAL_STATE] = json("{\"a\":{\"b\":\"{}\"}}");
	CHECK_RC(eval_output(&v, &scope, VAL_UNDEF, &e), OK);
	CHECK_STR(val_str(scope.text), "{}");
	CHECK_INT(scope.v[EVAL_OUTPUT].kind, VAL_OBJECT);
	val_drop(scope.v[EVAL_STATE]);
	val_drop(scope.v[EVAL_OUTPUT]);
	val_drop(scope.text);
	eval_release(&v);
}

TEST(eval_judge_answers_with_a_choice)
{
	static const char *const texts[] = { "{\"choice\":\"good\",\"why\":\"it is\"}", " Good\n", "{\"choice\":\"bad\"}", "better", "{\"choice\":3}", "" };
	static const double scores[] = { 1, 1, 0.25, 0, 0, 0 };
	struct eval v;
	struct eval_score out;
	struct buf b = BUF(KB);
	struct err e = { 0 };

	CHECK_RC(eval_read(&v, S("eval: e\nagent: agent\ndataset: d\nscorers: [{name: s, judge: {model: m, "
	    "prompt: 'Is ${output} kind?', choices: {good: 1, bad: 0.25}}}]\n"), S("e.yaml"), &e), OK);
	for (size_t i = 0; i < COUNT(texts); i++) {
		eval_judge_read(&v.scorer[0], str_of(texts[i]), &out);
		CHECK(out.score == scores[i]);
	}
	CHECK_STR(str_of(out.why), "the judge chose none of the choices: ");
	eval_judge_read(&v.scorer[0], str_of(texts[0]), &out);
	CHECK_STR(str_of(out.why), "good: it is");
	eval_judge_add_schema(&v.scorer[0], &b);
	CHECK_RC(json_check(buf_str(&b), &e), OK);
	CHECK(str_contains(buf_str(&b), S("[\"good\",\"bad\"]")));
	buf_release(&b);
	eval_release(&v);
}

TEST(eval_script_answers_with_a_score)
{
	static const struct { const char *text; double score; const char *why; } rows[] = {
		{ "{\"score\": 0.5, \"why\": \"half\"}\n", 0.5, "half" },
		{ "{\"score\": 1}", 1, "" },
		{ "{\"score\": 2}", 0, "the script: score: expected a number from 0 to 1" },
		{ "{\"scor\": 1}", 0, "the script: scor: " },
		{ "{}", 0, "the script: score: expected a number from 0 to 1" },
		{ "1", 0, "the script: its answer: expected an object, got a number" },
		{ "", 0, "the script: " },
	};
	struct eval_score out;

	for (size_t i = 0; i < COUNT(rows); i++) {
		eval_script_read(str_of(rows[i].text), &out);
		CHECK(out.score == rows[i].score);
		if (!str_starts(str_of(out.why), str_of(rows[i].why)))
			CHECK_STR(str_of(out.why), rows[i].why);
	}
}

TEST(eval_script_reads_json)
{
	struct eval_scope scope = { 0 };
	struct buf b = BUF(KB);

	scope.v[EVAL_INPUT] = json("{\"q\":1}");
	eval_script_add_input(&scope, &b);
	CHECK_STR(buf_str(&b), "{\"input\":{\"q\":1},\"output\":null,\"expected\":null,\"state\":null}\n");
	val_drop(scope.v[EVAL_INPUT]);
	buf_release(&b);
}
