/*
 * agent_hosted.c - graphs that workers run, as agents: what is taken, what is shown of it,
 * what is refused and where; sets that are joined.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "agent/agent.h"
#include "base/mem.h"
#include "task/kinds.h"

static struct agent *
load(const char *text)
{
	struct agent *a = NULL;
	struct err e = { 0 };
	int rc = agent_load(&a, str_of(text), S("t.json"), &task_kinds, &e);

	if (rc != OK)
		fprintf(stderr, "%s\n", e.text);
	CHECK_RC(rc, OK);
	return a;
}

static bool
is_text(struct buf *b, const char *want)
{
	bool same = str_eq(buf_str(b), str_of(want));

	if (!same)
		fprintf(stderr, "got  %.*s\nwant %s\n", FMT(buf_str(b)), want);
	buf_clear(b);
	return same;
}

static const char whole[] =
    "{\"hosted\":{\"id\":\"nest\",\"build\":\"b1\",\"description\":\"d\",\"schemas\":{"
    "\"input\":{\"type\":\"object\",\"properties\":{\"z\":{\"type\":\"string\"},\"a\":{}}},"
    "\"output\":{\"type\":\"object\"},\"state\":true,\"context\":{\"type\":\"object\"}},"
    "\"drawing\":{\"nodes\":[{\"id\":\"__start__\",\"type\":\"schema\",\"data\":{\"x\":1}},"
    "{\"id\":\"sub\",\"type\":\"runnable\",\"data\":{\"name\":\"sub\"}},{\"id\":\"__end__\"}],"
    "\"edges\":[{\"source\":\"__start__\",\"target\":\"sub\",\"conditional\":false}]},"
    "\"xray\":{\"nodes\":[{\"id\":\"sub:one\"}],\"edges\":[]},"
    "\"subgraphs\":{\"sub\":{\"input_schema\":{\"title\":\"I\"},\"state_schema\":null},"
    "\"sub|in\":{\"state\":{\"title\":\"S\"}},\"other\":{\"state\":{}}}}}";

/* Goal: clients see what the worker said, in its order, in LangGraph's forms. */
TEST(agent_hosted_is_shown_as_registered)
{
	struct agent *a = load(whole);
	struct buf b = BUF(MB);
	struct err e;

	CHECK(a->hosted != NULL && a->graph == NULL && a->chart == NULL && a->nodes_n == 0);
	CHECK(str_eq(a->id, S("nest")) && str_eq(a->hosted->build, S("b1")));
	CHECK(str_eq(a->name, S("nest")) && str_eq(a->description, S("d")));
	CHECK(a->hosted->nodes_n == 1 && agent_hosted_has_node(a->hosted, S("sub")));
	CHECK(!agent_hosted_has_node(a->hosted, S("sub:one")));
	CHECK(agent_hosted_takes(a->hosted, S("z")) && !agent_hosted_takes(a->hosted, S("y")));
	agent_add_schemas(&b, a);
	CHECK(is_text(&b, "{\"graph_id\":\"nest\",\"input_schema\":{\"type\":\"object\","
	    "\"properties\":{\"z\":{\"type\":\"string\"},\"a\":{}}},"
	    "\"output_schema\":{\"type\":\"object\"},\"state_schema\":true,"
	    "\"config_schema\":null,\"context_schema\":{\"type\":\"object\"}}"));
	CHECK_RC(agent_add_drawing(&b, a, 0, &e), OK);
	CHECK(is_text(&b, "{\"nodes\":[{\"id\":\"__start__\",\"type\":\"schema\","
	    "\"data\":{\"x\":1}},{\"id\":\"sub\",\"type\":\"runnable\",\"data\":{\"name\":"
	    "\"sub\"}},{\"id\":\"__end__\"}],\"edges\":[{\"source\":\"__start__\",\"target\":"
	    "\"sub\",\"conditional\":false}]}"));
	CHECK_RC(agent_add_drawing(&b, a, 1, &e), OK);
	CHECK(is_text(&b, "{\"nodes\":[{\"id\":\"sub:one\"}],\"edges\":[]}"));
	agent_add_tool_schema(&b, a);
	CHECK(is_text(&b, "{\"type\":\"object\",\"properties\":{\"z\":{\"type\":\"string\"},"
	    "\"a\":{},\"context\":{\"type\":\"object\"}}}"));
	agent_free(a);
	buf_release(&b);
}

/* Goal: sub-graphs by their names, those of tasks too, and those below with recurse. */
TEST(agent_hosted_subgraphs)
{
	struct agent *a = load(whole);
	struct buf b = BUF(MB);
	struct err e;

	CHECK_RC(agent_add_subgraphs(&b, a, STR_NONE, false, &e), OK);
	CHECK(is_text(&b, "{\"sub\":{\"state\":null,\"input\":{\"title\":\"I\"},"
	    "\"output\":null,\"config\":null},\"other\":{\"state\":{},\"input\":null,"
	    "\"output\":null,\"config\":null}}"));
	CHECK_RC(agent_add_subgraphs(&b, a, S("sub:e51e|in:77"), false, &e), OK);
	CHECK(is_text(&b, "{\"sub|in\":{\"state\":{\"title\":\"S\"},\"input\":null,"
	    "\"output\":null,\"config\":null}}"));
	CHECK_RC(agent_add_subgraphs(&b, a, S("sub"), true, &e), OK);
	CHECK(str_contains(buf_str(&b), S("\"sub|in\"")) &&
	    !str_contains(buf_str(&b), S("other")));
	buf_clear(&b);
	CHECK_RC(agent_add_subgraphs(&b, a, S("su"), true, &e), OK);
	CHECK(is_text(&b, "{}"));
	agent_free(a);
	buf_release(&b);
}

/* Goal: the text that is kept makes the same agent again, whatever its first form. */
TEST(agent_hosted_text_is_read_again)
{
	struct agent *a = load(whole), *again = load(whole), *yaml;
	struct err e;

	CHECK(str_eq(a->json, str_of(whole)));
	CHECK(memcmp(a->hash, again->hash, sizeof a->hash) == 0);
	CHECK_RC(agent_load(&yaml, S("hosted:\n  id: nest\n"), S("x.yaml"), &task_kinds, &e),
	    OK);
	CHECK(str_eq(yaml->json, S("{\"hosted\":{\"id\":\"nest\"}}")));
	CHECK(agent_hosted_has_node(yaml->hosted, S("any")));
	CHECK(agent_hosted_takes(yaml->hosted, S("any")));
	agent_free(a);
	agent_free(again);
	agent_free(yaml);
}

#define H(members) "{\"hosted\":{\"id\":\"g\"," members "}}"

/* Goal: a mistake of a registration is told with its path, and what would be right. */
TEST(agent_hosted_mistakes_have_places)
{
	static const struct { const char *text, *words; } bad[] = {
		{ "{\"hosted\":[]}", "hosted: expected a map, got a list" },
		{ "{\"hosted\":{}}", "hosted: 'id' is missing" },
		{ "{\"hosted\":{\"id\":7}}", "hosted.id: expected a string, got a number" },
		{ "{\"hosted\":{\"id\":\"a/b\"}}", "hosted.id: 'a/b' is not an id" },
		{ "{\"hosted\":{\"id\":\"\"}}", "hosted.id: '' is not an id" },
		{ "{\"hosted\":{\"id\":\"g\"},\"nodes\":{}}", "nodes" },
		{ H("\"buld\":\"x\""), "buld" },
		{ H("\"build\":1"), "hosted.build: expected a string" },
		{ H("\"description\":[]"), "hosted.description: expected a string" },
		{ H("\"schemas\":[]"), "hosted.schemas: expected a map" },
		{ H("\"schemas\":{\"inpt\":{}}"), "inpt" },
		{ H("\"schemas\":{\"input\":\"x\"}"), "hosted.schemas.input: expected a JSON Schema" },
		{ H("\"drawing\":{}"), "hosted.drawing: 'nodes' is missing" },
		{ H("\"drawing\":{\"nodes\":[]}"), "hosted.drawing: 'edges' is missing" },
		{ H("\"drawing\":{\"nodes\":{},\"edges\":[]}"), "hosted.drawing.nodes: expected a list" },
		{ H("\"drawing\":{\"nodes\":[1],\"edges\":[]}"), "hosted.drawing.nodes[0]: expected a map" },
		{ H("\"drawing\":{\"nodes\":[{}],\"edges\":[]}"), "hosted.drawing.nodes[0]: 'id' is missing" },
		{ H("\"drawing\":{\"nodes\":[{\"id\":1}],\"edges\":[]}"),
		    "hosted.drawing.nodes[0].id: expected a string" },
		{ H("\"drawing\":{\"nodes\":[{\"id\":\"a\",\"x\":1}],\"edges\":[]}"), "x" },
		{ H("\"drawing\":{\"nodes\":[],\"edges\":[{\"source\":\"a\"}]}"),
		    "hosted.drawing.edges[0]: 'target' is missing" },
		{ H("\"drawing\":{\"nodes\":[],\"edges\":[{\"source\":\"a\",\"target\":\"b\","
		    "\"conditional\":1}]}"),
		    "hosted.drawing.edges[0].conditional: expected true or false" },
		{ H("\"xray\":{\"nodes\":[],\"edges\":[7]}"), "hosted.xray.edges[0]: expected a map" },
		{ H("\"subgraphs\":[]"), "hosted.subgraphs: expected a map of sub-graphs" },
		{ H("\"subgraphs\":{\"a\":1}"), "hosted.subgraphs.a: expected a map of schemas" },
		{ H("\"subgraphs\":{\"a\":{\"stat\":{}}}"), "stat" },
		{ H("\"subgraphs\":{\"a\":{\"state\":3}}"), "hosted.subgraphs.a.state: expected a JSON Schema" },
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct agent *a = NULL;
		struct err e = { 0 };
		int rc = agent_load(&a, str_of(bad[i].text), S("t.json"), &task_kinds, &e);

		if (rc == OK || !str_contains(str_of(e.text), str_of(bad[i].words)))
			fprintf(stderr, "%s\n  got  %s\n  want %s\n", bad[i].text, e.text,
			    bad[i].words);
		CHECK_RC(rc, ERR_INVALID);
		CHECK(a == NULL);
		CHECK(str_contains(str_of(e.text), str_of(bad[i].words)));
	}
}

static struct agents *
set_of(const char *const *texts)
{
	struct agents *s = agents_new();
	struct err e;

	for (; *texts != NULL; texts++)
		CHECK_RC(agents_add(s, load(*texts), &e), OK);
	CHECK_RC(agents_link(s, &e), OK);
	return s;
}

/* Goal: sets in one: the later set's agent of an id; calls, hashes and what is kept stay;
 * the parts live as long as the whole. */
TEST(agent_sets_are_joined)
{
	struct agents *folder = set_of((const char *const[]){
	    "{\"id\":\"a\",\"nodes\":{\"n\":{\"agent\":\"b\"}},\"edges\":[[\"START\",\"n\"]]}",
	    "{\"id\":\"b\",\"state\":{\"x\":{}},\"nodes\":{\"n\":{\"set\":{\"x\":\"1\"}}},"
	    "\"edges\":[[\"START\",\"n\"]]}", NULL });
	struct agents *hosted = set_of((const char *const[]){ "{\"hosted\":{\"id\":\"b\"}}",
	    NULL });
	struct agents *last = set_of((const char *const[]){ "{\"hosted\":{\"id\":\"0\"}}",
	    NULL });
	struct agents *all;
	struct buf b = BUF(MB);

	agents_set_kept(folder, agents_find(folder, S("a")));
	all = agents_join((struct agents *const[]){ folder, hosted, last }, 3);
	CHECK(agents_count(all) == 3);
	CHECK(str_eq(agents_at(all, 0)->id, S("0")));
	CHECK(agents_find(all, S("b"))->hosted != NULL);
	CHECK(agents_find(all, S("a"))->nodes[0].work.child == agents_find(folder, S("b")));
	CHECK(str_eq(agents_hash(all, agents_find(all, S("a"))),
	    agents_hash(folder, agents_find(folder, S("a")))));
	CHECK(agents_kept(all, agents_find(all, S("a"))));
	CHECK(!agents_kept(all, agents_find(all, S("b"))));
	agents_free(folder);
	agents_free(hosted);
	agents_free(last);
	agents_add_text(&b, all, agents_find(all, S("b")));
	CHECK(is_text(&b, "[[\"b\",{\"hosted\":{\"id\":\"b\"}}]]"));
	agents_free(all);
	buf_release(&b);
}

/* Goal: another agent cannot call a graph that a worker runs, and is told so. */
TEST(agent_hosted_is_not_called)
{
	struct agents *s = agents_new();
	struct err e;

	CHECK_RC(agents_add(s, load("{\"hosted\":{\"id\":\"b\"}}"), &e), OK);
	CHECK_RC(agents_add(s, load("{\"id\":\"a\",\"nodes\":{\"n\":{\"agent\":\"b\"}},"
	    "\"edges\":[[\"START\",\"n\"]]}"), &e), OK);
	CHECK_RC(agents_link(s, &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("the agent 'b' is a graph that a worker runs")));
	agents_free(s);
}
