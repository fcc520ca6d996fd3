/*
 * eval_read.c - files of evals, datasets: what is taken, and what is refused where.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <math.h>

#include "eval/eval.h"

#define HEAD "eval: e\nagent: agent\ndataset: d.jsonl\n"
#define RIGHT "scorers:\n  - {name: right, exact: true}\n"

TEST(eval_read_takes_every_key)
{
	struct eval v;
	struct err e = { 0 };

	CHECK_RC(eval_read(&v, S(HEAD "script: s.json\noutput: state.answer\nrepeat: 3\nthreshold: 0.5\n"
	    "scorers:\n"
	    "  - {name: right, exact: {ignore_case: true, trim: true, contains: true}}\n"
	    "  - {name: shape, schema: {type: object, required: [a]}, pass: 0.5}\n"
	    "  - {name: sum, expression: \"output.total == expected.total\"}\n"
	    "  - name: kind\n    judge: {model: \"openai:x\", prompt: \"is ${output} kind?\", "
	    "choices: {good: 1, bad: 0}}\n"
	    "  - {name: own, script: [./score.py, -x, 3]}\n"), S("e.yaml"), &e), OK);
	CHECK_STR(v.name, "e");
	CHECK_STR(v.agent, "agent");
	CHECK_STR(v.dataset, "d.jsonl");
	CHECK_STR(v.script, "s.json");
	CHECK(v.output != NULL && v.repeat == 3 && v.threshold == 0.5);
	CHECK_INT(v.scorers_n, 5);
	CHECK(v.scorer[0].exact.ignore_case && v.scorer[0].exact.trim && v.scorer[0].exact.contains);
	CHECK(v.scorer[0].pass == 1 && v.scorer[1].pass == 0.5);
	CHECK_INT(v.scorer[3].judge.choices_n, 2);
	CHECK_STR(v.scorer[3].judge.choice[1].name, "bad");
	CHECK_STR(str_of(v.scorer[4].script.argv[2]), "3");
	CHECK(v.scorer[4].script.argv[3] == NULL);
	eval_release(&v);
}

TEST(eval_read_takes_json)
{
	struct eval v;
	struct err e = { 0 };

	CHECK_RC(eval_read(&v, S("{\"eval\":\"e\",\"agent\":\"a.yaml\",\"dataset\":\"d\","
	    "\"scorers\":[{\"name\":\"r\",\"exact\":true}]}"), S("e.json"), &e), OK);
	CHECK(isnan(v.threshold) && v.repeat == 1 && eval_is_file(v.agent));
	eval_release(&v);
}

TEST(eval_read_refuses_with_the_place_and_the_path)
{
	static const struct { const char *text, *words; } bad[] = {
		{ "- a\n", "e.yaml:1:1: expected a map, got a list" },
		{ HEAD, "e.yaml:1:1: 'scorers' is missing: expected a list of scorers" },
		{ HEAD "scorer: 1\n" RIGHT, "e.yaml:4:1: unknown key 'scorer'; did you mean 'scorers'?" },
		{ HEAD "repeat: 0\n" RIGHT, "e.yaml:4:9: repeat: expected a whole number from 1 to 100, got 0" },
		{ HEAD "threshold: 2\n" RIGHT, "e.yaml:4:12: threshold: expected a number from 0 to 1, got 2" },
		{ HEAD "output: expected\n" RIGHT, "e.yaml:4:9: output: the output is made of state, input and usage" },
		{ "eval: a/b\nagent: agent\ndataset: d\n" RIGHT, "e.yaml:1:7: eval: expected up to 64 letters, digits, '.', '_' and '-', and no '.' first" },
		{ HEAD "scorers: []\n", "e.yaml:4:10: scorers: expected 1 to 16 scorers, got 0" },
		{ HEAD "scorers: [{name: a}]\n", "e.yaml:4:11: scorers[0]: expected one of exact, schema, expression, judge and script, got none" },
		{ HEAD "scorers: [{name: a, exact: true, expression: 'true'}]\n", "e.yaml:4:11: scorers[0]: expected one of exact, schema, expression, judge and script, got several" },
		{ HEAD "scorers: [{name: a, exact: false}]\n", "e.yaml:4:28: scorers[0].exact: expected true or a map of options, got false" },
		{ HEAD "scorers: [{name: a, exact: {ignorecase: true}}]\n", "e.yaml:4:29: scorers[0].exact: unknown key 'ignorecase'; did you mean 'ignore_case'?" },
		{ HEAD "scorers: [{name: a, schema: {pattern: x}}]\n", "e.yaml:4:29: scorers[0].schema: pattern: a keyword that is not checked; leave it out" },
		{ HEAD "scorers: [{name: a, expression: otput.x}]\n", "e.yaml:4:33: scorers[0].expression: 'otput' is not known here; expected input, output, expected, state or usage, or a text in quotes" },
		{ HEAD "scorers: [{name: a, exact: true}, {name: a, exact: true}]\n", "e.yaml:4:42: scorers[1].name: there is a scorer 'a' already" },
		{ HEAD "scorers: [{name: a, judge: {model: m, prompt: p, choices: {one: 1}}}]\n", "e.yaml:4:59: scorers[0].judge.choices: expected 2 to 16 choices with their scores, got 1" },
		{ HEAD "scorers: [{name: a, judge: {model: m, prompt: p, choices: {one: 1, two: 2}}}]\n", "e.yaml:4:73: scorers[0].judge.choices.two: expected a number from 0 to 1, got 2" },
		{ HEAD "scorers: [{name: a, script: []}]\n", "e.yaml:4:29: scorers[0].script: expected a program and its arguments, got an empty list" },
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct eval v;
		struct err e = { 0 };

		CHECK(eval_read(&v, str_of(bad[i].text), S("e.yaml"), &e) != OK);
		CHECK_STR(str_of(e.text), bad[i].words);
		eval_release(&v);
	}
}

TEST(eval_cases_are_lines)
{
	struct eval_cases c;
	struct eval_given g;
	struct err e = { 0 };
	struct val input;

	CHECK_RC(eval_cases_read(&c, S("{\"id\":\"a\",\"input\":\"hi\",\"expected\":1,\"tags\":[\"x\"]}\r\n\n"
	    "{\"id\":\"b\",\"input\":{\"n\":1},\"replies\":[\"r\"],\"answers\":[true]}\n"), S("d.jsonl"), &e), OK);
	CHECK_INT(c.n, 2);
	CHECK_INT(c.at[1].line, 3);
	CHECK(c.at[0].has_expected && !c.at[0].has_replies && !c.at[1].has_expected && c.at[1].has_replies);
	CHECK(eval_case_has_tag(&c.at[0], S("x")) && !eval_case_has_tag(&c.at[0], S("y")));
	CHECK_RC(eval_given_read(&g, &c.at[0], &e), OK);
	input = eval_input(g.input);         /* a text is a user's message */
	CHECK_STR(val_str(val_get(val_at(val_get(input, S("messages")), 0), S("content"))), "hi");
	val_drop(input);
	eval_given_release(&g);
	CHECK_INT(eval_cases_check_remote(&c, S("d.jsonl"), &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "d.jsonl:3: replies: a server's model answers; run it without --url");
	eval_cases_release(&c);
}

TEST(eval_cases_refuse_with_the_line)
{
	static const struct { const char *text, *words; } bad[] = {
		{ "", "d.jsonl: it has no cases" },
		{ "\n{", "d.jsonl:2: " },
		{ "[]", "d.jsonl:1: the case: expected an object, got an array" },
		{ "{\"id\":\"a\",\"input\":\"\",\"expcted\":1}", "d.jsonl:1: expcted: " },
		{ "{\"input\":\"x\"}", "d.jsonl:1: id: expected a text that no other case has, got nothing" },
		{ "{\"id\":\"a\"}", "d.jsonl:1: input: expected a user's text, or an object of channels" },
		{ "{\"id\":\"a\",\"input\":[1]}", "d.jsonl:1: input: expected a user's text, or an object of channels, got an array" },
		{ "{\"id\":\"a\",\"input\":\"\",\"tags\":[1]}", "d.jsonl:1: tags: expected a list of strings, got an array" },
		{ "{\"id\":\"a\",\"input\":\"\"}\n{\"id\":\"a\",\"input\":\"\"}", "d.jsonl:2: id: 'a' is the id of line 1" },
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct eval_cases c;
		struct err e = { 0 };

		CHECK(eval_cases_read(&c, str_of(bad[i].text), S("d.jsonl"), &e) != OK);
		if (!str_starts(str_of(e.text), str_of(bad[i].words)))
			CHECK_STR(str_of(e.text), bad[i].words);
		eval_cases_release(&c);
	}
}

TEST(eval_cases_have_what_scorers_need)
{
	struct eval v;
	struct eval_cases c;
	struct err e = { 0 };

	CHECK_RC(eval_read(&v, S(HEAD RIGHT), S("e.yaml"), &e), OK);
	CHECK_RC(eval_cases_read(&c, S("{\"id\":\"a\",\"input\":\"\"}"), S("d.jsonl"), &e), OK);
	CHECK_RC(eval_cases_check(&c, &v, S("d.jsonl"), &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "d.jsonl:1: expected: missing, and the scorer 'right' compares with it");
	eval_cases_release(&c);
	eval_release(&v);
}
