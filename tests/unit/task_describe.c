/*
 * task_describe.c - agents as clients of assistants see them: drawings, schemas,
 * sub-agents.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "task/kinds.h"

static struct agent *
load(const char *text)
{
	struct agent *a;
	struct err e = { 0 };

	if (agent_load(&a, str_of(text), S("test.yaml"), &task_kinds, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s\n%s", text, e.text);
	return a;
}

static struct agent *
load_file(const char *name)
{
	struct buf text = BUF(LIMIT_AGENT_BYTES);
	char path[512];
	struct agent *a;
	struct err e = { 0 };

	snprintf(path, sizeof path, "%s/agents/%s", TESTS, name);
	CHECK_RC(file_add(path, &text, &e), OK);
	CHECK_RC(agent_load(&a, buf_str(&text), str_of(name), &task_kinds, &e), OK);
	buf_release(&text);
	return a;
}

/* "a,b,c; a>b, b?c" : nodes, then edges, with ? for those that ask something. */
static void
check_drawing(const struct agent *a, unsigned depth, const char *expected)
{
	struct buf b = BUF(64 * KB), line = BUF(64 * KB);
	struct json_doc d;
	struct json_iter it;
	struct err e;

	CHECK_RC(agent_add_drawing(&b, a, depth, &e), OK);
	CHECK_RC(json_parse(&d, buf_str(&b), &e), OK);
	it = json_each(json_get(d.root, S("nodes")));
	while (json_next(&it))
		buf_add_fmt(&line, "%s%.*s", line.n > 0 ? "," : "",
		    FMT(json_str(json_get(it.value, S("id")))));
	buf_add_char(&line, ';');
	it = json_each(json_get(d.root, S("edges")));
	while (json_next(&it))
		buf_add_fmt(&line, " %.*s%s%.*s",
		    FMT(json_str(json_get(it.value, S("source")))),
		    json_bool(json_get(it.value, S("conditional"))) ? "?" : ">",
		    FMT(json_str(json_get(it.value, S("target")))));
	CHECK_STR(buf_str(&line), expected);
	json_release(&d);
	buf_release(&b);
	buf_release(&line);
}

TEST(describe_draws_react_as_langgraph)
{
	struct agent *a = load(agent_builtin_text(S("agent")).p);
	struct buf b = BUF(64 * KB);
	struct err e;

	CHECK_RC(agent_add_drawing(&b, a, 0, &e), OK);
	CHECK_STR(buf_str(&b), "{\"nodes\":[{\"id\":\"__start__\",\"type\":\"schema\",\"data\":"
	    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"}},"
	    "{\"id\":\"agent\",\"type\":\"runnable\",\"data\":{\"id\":[\"langgraph\","
	    "\"RunnableCallable\"],\"name\":\"agent\"}},{\"id\":\"tools\",\"type\":"
	    "\"runnable\",\"data\":{\"id\":[\"langgraph\",\"ToolNode\"],\"name\":\"tools\"}},"
	    "{\"id\":\"__end__\",\"type\":\"schema\",\"data\":{\"$schema\":"
	    "\"https://json-schema.org/draft/2020-12/schema\"}}],\"edges\":["
	    "{\"source\":\"__start__\",\"target\":\"agent\",\"conditional\":false},"
	    "{\"source\":\"tools\",\"target\":\"agent\",\"conditional\":false},"
	    "{\"source\":\"agent\",\"target\":\"tools\",\"conditional\":true},"
	    "{\"source\":\"agent\",\"target\":\"__end__\",\"conditional\":true}]}");
	buf_release(&b);
	agent_free(a);
}

/* Goal: sub-agents are drawn in place, as deep as asked. */
TEST(describe_draws_sub_agents)
{
	struct agent *a = load_file("nested.yaml");

	check_drawing(a, 0, "__start__,gp_one,gp_two,__end__; __start__>gp_one "
	    "gp_one>gp_two gp_two>__end__");
	check_drawing(a, 1, "__start__,gp_one,gp_two:p_one,gp_two:p_two,__end__; "
	    "gp_two:p_one>gp_two:p_two __start__>gp_one gp_one>gp_two:p_one "
	    "gp_two:p_two>__end__");
	check_drawing(a, 99, "__start__,gp_one,gp_two:p_one,gp_two:p_two:c_one,"
	    "gp_two:p_two:c_two,__end__; gp_two:p_two:c_one>gp_two:p_two:c_two "
	    "gp_two:p_one>gp_two:p_two:c_one __start__>gp_one gp_one>gp_two:p_one "
	    "gp_two:p_two:c_two>__end__");
	agent_free(a);
}

/* A sub-agent with a loop at its start keeps its start; one of a single node is
 * that node; one with two ends keeps its end. */
TEST(describe_keeps_what_makes_a_sub_agent_clear)
{
	struct agent *a = load("id: t\nstate: {x: {}}\nnodes:\n"
	    "  loop:\n    agent:\n      state: {x: {}}\n"
	    "      nodes: {a: {set: {x: '1'}}, b: {set: {x: '2'}}}\n"
	    "      edges: [[START, a], {from: a, to: b, when: 'x == 1'}, [b, a]]\n"
	    "  single:\n    agent:\n      state: {x: {}}\n"
	    "      nodes: {a: {set: {x: '1'}}}\n      edges: [[START, a]]\n"
	    "edges: [[START, loop], [loop, single]]\n");

	check_drawing(a, 1, "__start__,loop:__start__,loop:a,loop:b,loop:__end__,single,"
	    "__end__; loop:__start__>loop:a loop:b>loop:a loop:a?loop:b "
	    "loop:a?loop:__end__ __start__>loop:__start__ loop:__end__>single "
	    "single>__end__");
	agent_free(a);
}

/* An edge without a condition is the else of those that have one. */
TEST(describe_draws_an_else_as_a_condition)
{
	struct agent *a = load("id: t\nstate: {x: {}}\n"
	    "nodes: {a: {set: {x: '1'}}, b: {set: {x: '2'}}}\n"
	    "edges: [[START, a], {from: a, to: END, when: 'x == 1'}, [a, b], [b, END]]\n");

	check_drawing(a, 0, "__start__,a,b,__end__; __start__>a b>__end__ a?__end__ a?b");
	agent_free(a);
}

TEST(describe_schemas_show_what_a_client_may_see)
{
	struct agent *a = load("id: t\nstate:\n  q: {schema: {type: string}}\n"
	    "  log: {reducer: append}\n  out: {}\n  hidden: {}\n"
	    "input: [q]\noutput: [out]\nprivate: [hidden]\n"
	    "nodes: {a: {set: {out: '1'}}}\nedges: [[START, a]]\n");
	struct buf b = BUF(64 * KB);

#define DRAFT "\"$schema\":\"http://json-schema.org/draft-07/schema#\"}"
	agent_add_schemas(&b, a);
	CHECK_STR(buf_str(&b), "{\"graph_id\":\"t\",\"input_schema\":{\"type\":\"object\","
	    "\"properties\":{\"q\":{\"type\":\"string\"}}," DRAFT
	    ",\"output_schema\":{\"type\":\"object\",\"properties\":{\"out\":{}}," DRAFT
	    ",\"state_schema\":{\"type\":\"object\",\"properties\":{\"q\":{\"type\":"
	    "\"string\"},\"log\":{\"type\":\"array\"},\"out\":{}}," DRAFT
	    ",\"config_schema\":{\"type\":\"object\"," DRAFT
	    ",\"context_schema\":{\"type\":\"object\"," DRAFT "}");
	buf_release(&b);
	agent_free(a);
}

/* The keys, in order. */
static void
check_subgraphs(const struct agent *a, const char *ns, bool recurse,
    const char *expected)
{
	struct buf b = BUF(64 * KB), line = BUF(KB);
	struct json_iter it;
	struct json_doc d;
	struct err e;

	CHECK_RC(agent_add_subgraphs(&b, a, str_of(ns), recurse, &e), OK);
	CHECK_RC(json_parse(&d, buf_str(&b), &e), OK);
	it = json_each(d.root);
	while (json_next(&it)) {
		buf_add_fmt(&line, "%s%.*s", line.n > 0 ? "," : "", FMT(json_str(it.key)));
		CHECK(json_is_object(json_get(it.value, S("state"))) &&
		    json_is_object(json_get(it.value, S("config"))));
	}
	CHECK_STR(buf_str(&line), expected);
	json_release(&d);
	buf_release(&b);
	buf_release(&line);
}

TEST(describe_lists_sub_agents)
{
	struct agent *a = load_file("nested.yaml");

	check_subgraphs(a, "", false, "gp_two");
	check_subgraphs(a, "", true, "gp_two,gp_two|p_two");
	check_subgraphs(a, "gp_two", false, "gp_two");
	check_subgraphs(a, "gp_two", true, "gp_two,gp_two|p_two");
	check_subgraphs(a, "gp_two|p_two", false, "gp_two|p_two");
	check_subgraphs(a, "gp_two:0b1c|p_two:77", false, "gp_two|p_two");
	check_subgraphs(a, "gp_one", true, "");
	check_subgraphs(a, "gp_two|nope", true, "");
	agent_free(a);
}
