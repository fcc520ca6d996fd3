/*
 * task_agents.c - agents from files: what they become, and what their fields are
 * worth in a scope.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "graph/graph.h"
#include "task/kinds.h"

static struct agent *
load(const char *text)
{
	struct agent *a;
	struct err e = { 0 };

	if (agent_load(&a, str_of(text), S("dir/test.yaml"), &task_kinds, &e) != OK)
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
	if (agent_load(&a, buf_str(&text), str_of(name), &task_kinds, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	buf_release(&text);
	return a;
}

/* ---- whole agents ------------------------------------------------------------------ */

TEST(agent_builtin_is_react)
{
	struct agent *a = load(agent_builtin_text(S("agent")).p);

	CHECK_STR(a->id, "agent");
	CHECK_INT(a->nodes_n, 2);
	CHECK_INT(a->edges_n, 3);
	CHECK_INT(a->channels[0].reducer, REDUCE_MESSAGES);
	CHECK(a->graph != NULL && graph_nodes(a->graph) == 2);
	CHECK(!agent_has(&a->nodes[0].work.fields[LLM_MODEL]));
	agent_free(a);
}

/* Goal: the agents that other suites talk to can be written down. */
TEST(agent_files_of_the_suites_load)
{
	static const char *const names[] = { "agent.yaml", "agent_simple.yaml", "delay.yaml",
		"dynamic.yaml", "error.yaml", "helper.yaml", "nested.yaml",
		"simple_runtime.yaml", "weather.yaml", "worker.yaml", "sdk/tools_agent.yaml" };
	struct agents *set = agents_new();
	struct agent *sdk = load_file("sdk/agent.yaml");
	struct err e = { 0 };

	CHECK_INT(sdk->nodes_n, 4);
	agent_free(sdk);
	for (size_t i = 0; i < COUNT(names); i++)
		CHECK_RC(agents_add(set, load_file(names[i]), &e), OK);
	CHECK_RC(agents_link(set, &e), OK);
	CHECK(agents_find(set, S("helper"))->nodes[1].work.child ==
	    agents_find(set, S("worker")));
	agents_free(set);
}

TEST(agent_helper_is_compiled_whole)
{
	struct agent *a = load_file("helper.yaml");
	const struct agent_edge *send = &a->edges[4];

	CHECK_INT(a->channels_n, 3);
	CHECK_INT(a->channels[1].reducer, REDUCE_APPEND);
	CHECK_INT(a->channels[1].initial.kind, VAL_ARRAY);
	CHECK(a->channels[1].output && !a->channels[2].output && a->channels[2].input);
	CHECK_STR(str_of(a->nodes[0].work.kind->name), "llm");
	CHECK_STR(agent_name(&a->nodes[0].work.fields[LLM_MODEL]), "fast");
	CHECK(a->nodes[0].work.has_writes);
	CHECK_INT(a->nodes[0].work.writes[0].channel, 2);
	CHECK_STR(a->nodes[1].work.child_name, "worker");
	CHECK(agent_has(&a->nodes[1].work.fields[AGENT_KIND_INPUT]));
	CHECK(a->spec->edges[4].send && a->spec->edges[4].to == 3);
	CHECK_STR(send->as_name, "n");
	CHECK_INT(send->as, SLOT_CHANNEL + 3);
	CHECK_INT(a->slots_n, SLOT_CHANNEL + 4);
	CHECK_INT(a->spec->edges[6].from_n, 2);
	agent_free(a);
}

/* Goal: the hash is of the meaning: not of order, comments, spelling or format. */
TEST(agent_hash_is_of_the_canonical_json)
{
	struct agent *yaml = load("id: x\nstate: {b: {}, a: {default: 1.50}} # text\n"
	    "nodes: {n: {set: {}}}\nedges:\n  - [START, \"n\"]\n");
	struct agent *json, *other;
	struct err e = { 0 };

	CHECK_STR(yaml->json, "{\"edges\":[[\"START\",\"n\"]],\"id\":\"x\",\"nodes\":{\"n\":"
	    "{\"set\":{}}},\"state\":{\"a\":{\"default\":1.5},\"b\":{}}}");
	CHECK_RC(agent_load(&json, yaml->json, S("x"), &task_kinds, &e), OK);
	CHECK(memcmp(json->hash, yaml->hash, sizeof json->hash) == 0);
	other = load("id: x\nstate: {b: {}, a: {default: 1.5}, c: {}}\nnodes: {n: {set: {}}}\n"
	    "edges: [[START, n]]\n");
	CHECK(memcmp(json->hash, other->hash, sizeof json->hash) != 0);
	agent_free(yaml);
	agent_free(json);
	agent_free(other);
}

TEST(agent_without_an_id_is_called_like_its_file)
{
	struct agent *a = load("nodes: {n: {set: {}}}\nedges: [[START, n]]\n");

	CHECK_STR(a->id, "test");
	CHECK_STR(a->name, "test");
	agent_free(a);
}

TEST(agent_borders_of_channels)
{
	struct agent *a = load("state: {a: {}, b: {}, c: {ephemeral: true}}\ninput: [b]\n"
	    "private: [c]\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n"
	    "interrupt_before: '*'\ninterrupt_after: [n]\n");

	CHECK(!a->channels[0].input && a->channels[0].output && !a->channels[0].private);
	CHECK(a->channels[1].input && a->channels[1].output);
	CHECK(!a->channels[2].input && !a->channels[2].output && a->channels[2].private);
	CHECK(a->channels[2].ephemeral && !a->channels[0].ephemeral);
	CHECK(a->before.all && !a->after.all && a->after.n == 1);
	agent_free(a);
}

/* ---- work ------------------------------------------------------------------------------ */

/* Goal: names from `as` are seen by what comes after and by writes around. */
TEST(agent_names_reach_as_far_as_they_should)
{
	struct agent *a = load("state: {n: {}, m: {}}\nnodes:\n  a:\n    do:\n"
	    "      - {store: {get: {namespace: [x], key: k}}, as: item, writes: {n: item.value}}\n"
	    "      - when: item == null\n        map: {over: item.list, as: each, do: [{set: {n: each}}]}\n"
	    "        as: parts\n"
	    "      - {repeat: {times: 2, as: i, do: [{set: {n: i + len(parts)}}]}}\n"
	    "    writes: {m: \"[item, parts]\"}\nedges: [[START, a]]\n");
	const struct agent_work *w = &a->nodes[0].work;

	CHECK_INT(w->items_n, 3);
	CHECK_INT(w->items[0].as, SLOT_CHANNEL + 2);
	CHECK_INT(w->items[0].op, STORE_OP_GET);
	CHECK_INT(w->items[1].each, SLOT_CHANNEL + 3);
	CHECK_INT(w->items[1].as, SLOT_CHANNEL + 4);
	CHECK_STR(w->items[1].each_name, "each");
	CHECK_INT(w->items[2].each, SLOT_CHANNEL + 5);
	CHECK_INT(w->items[2].items_n, 1);
	CHECK_INT(w->writes_n, 1);
	CHECK_INT(a->slots_n, SLOT_CHANNEL + 6);
	agent_free(a);
}

/* Goal: an item needs no kind if it writes or returns; it is `set` then. */
TEST(agent_item_without_a_kind_is_set)
{
	struct agent *a = load("state: {n: {}}\nnodes:\n  a: {do: [{when: n, return: true},"
	    " {writes: {n: 1}}]}\nedges: [[START, a]]\n");
	const struct agent_work *w = &a->nodes[0].work;

	CHECK_STR(str_of(w->items[0].kind->name), "set");
	CHECK(w->items[0].returns && !w->items[0].has_writes);
	CHECK(!w->items[1].returns && w->items[1].has_writes);
	agent_free(a);
}

TEST(agent_short_forms)
{
	struct agent *a = load("state: {messages: {reducer: messages}}\nnodes:\n  a:\n    do:\n"
	    "      - {tool: search}\n      - {wait: 50}\n      - {fail: \"it is ${1 + 1}\"}\n"
	    "      - {emit: {name: \"'p'\", step: 1}}\n      - {emit: {name: p, data: 1}}\n"
	    "      - {emit: \"'text'\"}\n      - {chart: other}\n"
	    "edges: [[START, a]]\n");
	const struct agent_work *w = a->nodes[0].work.items;

	CHECK_STR(agent_name(&w[0].fields[TOOL_NAME]), "search");
	CHECK_INT(agent_int(&w[1].fields[WAIT_MS], 0), 50);
	CHECK_STR(agent_name(&w[2].fields[FAIL_MESSAGE]), "it is 2");
	CHECK(!agent_has(&w[3].fields[EMIT_NAME]));
	CHECK_INT(w[3].fields[EMIT_DATA].constant.kind, VAL_OBJECT);
	CHECK_STR(agent_name(&w[4].fields[EMIT_NAME]), "p");
	CHECK_STR(agent_name(&w[5].fields[EMIT_DATA]), "text");
	CHECK_STR(w[6].child_name, "other");
	CHECK_STR(str_of(w[6].kind->name), "agent");
	agent_free(a);
}

/* ---- values ------------------------------------------------------------------------------ */

/* The slots of a scope, from JSON; the channels are those of AGENT. */
struct world {
	struct agent *a;
	struct val slots[64];
	struct agent_scope scope;
};

#define CHANNELS "state: {messages: {reducer: messages}, n: {}, gone: {}, config: {}}\n"

static void
world_open(struct world *w, const char *work)
{
	static const struct { int slot; const char *json; } set[] = {
		{ SLOT_INPUT, "{\"x\":1}" }, { SLOT_RESULT, "{\"value\":\"r\"}" },
		{ SLOT_CONFIG, "{\"configurable\":{\"k\":\"v\"}}" },
		{ SLOT_PARAMS, "{\"k\":\"v\"}" }, { SLOT_CONTEXT, "{\"c\":2}" },
		{ SLOT_CHANNEL, "[{\"type\":\"human\",\"content\":\"hi\"}]" },
		{ SLOT_CHANNEL + 1, "3" }, { SLOT_CHANNEL + 3, "\"channel\"" },
	};
	struct buf text = BUF(64 * KB);
	struct err e;

	memset(w, 0, sizeof *w);
	buf_add_fmt(&text, CHANNELS "nodes: {a: %s}\nedges: [[START, a]]\n", work);
	w->a = load(text.p);
	buf_release(&text);
	for (size_t i = 0; i < COUNT(set); i++)
		CHECK_RC(json_text_to_val(str_of(set[i].json), &w->slots[set[i].slot], &e), OK);
	w->scope = (struct agent_scope){ .agent = w->a, .slots = w->slots };
	CHECK(w->a->slots_n <= COUNT(w->slots));
}

static void
world_close(struct world *w)
{
	for (size_t i = 0; i < COUNT(w->slots); i++)
		val_drop(w->slots[i]);
	agent_free(w->a);
}

/* The value of the field, as JSON, or ! and the error. */
static void
check_value(const struct world *w, const struct agent_value *v, const char *source,
    const char *want)
{
	struct buf out = BUF(64 * KB);
	struct err e = { 0 };
	struct val got;

	if (agent_eval(v, &w->scope, &got, &e) == OK)
		val_add_json(&out, got);
	else
		buf_add_fmt(&out, "!%s", e.text);
	if (!str_eq(buf_str(&out), str_of(want)))
		test_fail(__FILE__, __LINE__, "%s: got %.*s, not %s", source, FMT(buf_str(&out)),
		    want);
	val_drop(got);
	buf_release(&out);
}

/* Goal: what a string is, names, and what is missing; a row is data in YAML. */
TEST(agent_values_of_data)
{
	static const struct { const char *yaml, *want; } rows[] = {
		{ "1", "1" }, { "true", "true" }, { "null", "null" }, { "n", "3" },
		{ "n + 1", "4" }, { "\"'v3'\"", "\"v3\"" }, { "[n, \"'a'\"]", "[3,\"a\"]" },
		{ "{a: {b: n}, c: [], d: {}}", "{\"a\":{\"b\":3},\"c\":[],\"d\":{}}" },
		{ "data.n", "3" }, { "\"data['n']\"", "3" },
		{ "data", "{\"messages\":[{\"type\":\"human\",\"content\":\"hi\"}],\"n\":3,"
		    "\"config\":\"channel\"}" },
		{ "keys(data)", "[\"messages\",\"n\",\"config\"]" },
		{ "config.configurable.k", "\"v\"" }, { "data.config", "\"channel\"" },
		{ "params.k", "\"v\"" }, { "context.c", "2" }, { "input.x", "1" },
		{ "result.value", "\"r\"" }, { "event", "null" }, { "event.data.x", "null" },
		{ "gone", "null" }, { "gone.a.b", "null" }, { "\"gone[0]\"", "null" },
		{ "input.y", "null" }, { "\"messages[5].content\"", "null" },
		{ "last(messages).content", "\"hi\"" }, { "\"messages[0]['type']\"", "\"human\"" },
		{ "gone ?? 5", "5" }, { "gone == null", "true" }, { "typeof gone", "\"null\"" },
		{ "\"len(last(messages).tool_calls ?? [])\"", "0" }, { "\"last([])\"", "null" },
		{ "\"find(messages, m => m.type == 'ai')\"", "null" },
		{ "\"map(messages, m => m.id)\"", "[null]" }, { "undefined", "null" },
		{ "\"{a: gone, b: undefined}\"", "{\"a\":null,\"b\":null}" },
		{ "\"'n'.foo\"", "null" }, { "true.x", "null" },
		{ "gone + 1", "!column 6: arithmetic wants two numbers, got null and a number" },
		{ "len(gone)", "!column 1: len wants a string, array or object, got null" },
		{ "last(gone)", "!column 1: last wants an array, got null" },
		{ "gone < 1", "!column 6: cannot compare null with a number" },
		{ "\"`a${gone}b${n}`\"", "\"ab3\"" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf work = BUF(4 * KB);
		struct world w;

		buf_add_fmt(&work, "{set: {n: %s}}", rows[i].yaml);
		world_open(&w, work.p);
		check_value(&w, &w.a->nodes[0].work.writes[0].value, rows[i].yaml, rows[i].want);
		world_close(&w);
		buf_release(&work);
	}
}

TEST(agent_values_of_texts)
{
	static const struct { const char *yaml, *want; } rows[] = {
		{ "hello", "\"hello\"" }, { "\"\"", "\"\"" }, { "'n is ${n}'", "\"n is 3\"" },
		{ "'${gone}'", "\"\"" }, { "'${input}'", "\"{\\\"x\\\":1}\"" },
		{ "'price: \\${5}'", "\"price: ${5}\"" }, { "'${params.k}/${context.c}'", "\"v/2\"" },
		{ "'${1 +  1}'", "\"2\"" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf work = BUF(4 * KB);
		struct world w;

		buf_add_fmt(&work, "{llm: {prompt: %s}}", rows[i].yaml);
		world_open(&w, work.p);
		check_value(&w, &w.a->nodes[0].work.fields[LLM_PROMPT], rows[i].yaml,
		    rows[i].want);
		world_close(&w);
		buf_release(&work);
	}
}

TEST(agent_conditions)
{
	static const struct { const char *yaml; bool want; } rows[] = {
		{ "true", true }, { "0", false }, { "n", true }, { "gone", false },
		{ "n > 2 && !gone", true }, { "\"''\"", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf work = BUF(4 * KB);
		struct err e;
		struct world w;
		bool yes;

		buf_add_fmt(&work, "{do: [{when: %s, set: {}}]}", rows[i].yaml);
		world_open(&w, work.p);
		CHECK_RC(agent_eval_bool(&w.a->nodes[0].work.items[0].when, &w.scope, &yes, &e),
		    OK);
		CHECK_INT(yes, rows[i].want);
		CHECK_RC(agent_eval_bool(&w.a->nodes[0].work.when, &w.scope, &yes, &e), OK);
		CHECK(yes);                          /* there is none */
		world_close(&w);
		buf_release(&work);
	}
}

/* Goal: `data` is made once, and anew after a change. */
TEST(agent_scope_makes_data_when_it_is_read)
{
	struct world w;
	const struct agent_value *v;

	world_open(&w, "{set: {n: data.n, gone: len(keys(data))}}");
	v = &w.a->nodes[0].work.writes[0].value;
	check_value(&w, v, "data.n", "3");
	CHECK_INT(w.slots[SLOT_DATA].kind, VAL_UNDEFINED);
	v = &w.a->nodes[0].work.writes[1].value;
	check_value(&w, v, "len(keys(data))", "3");
	CHECK_INT(w.slots[SLOT_DATA].kind, VAL_OBJECT);
	w.slots[SLOT_CHANNEL + 2] = val_int(1);
	agent_scope_changed(&w.scope);
	check_value(&w, v, "len(keys(data))", "4");
	world_close(&w);
}

/* ---- names of nodes ------------------------------------------------------------------------ */

TEST(agent_node_names_from_the_run)
{
	struct agent *a = load_file("dynamic.yaml");
	struct val slots[16] = { 0 };
	struct agent_scope scope = { .agent = a, .slots = slots };
	struct graph *g;
	struct err e = { 0 };
	bool mine;

	CHECK(a->graph == NULL);
	CHECK_RC(agent_graph(a, &scope, &g, &mine, &e), OK);
	CHECK(mine);
	CHECK_STR(graph_node_name(g, 0), "default");
	graph_free(g);
	CHECK_RC(json_text_to_val(S("{\"nodeName\":\"mine\"}"), &slots[SLOT_PARAMS], &e), OK);
	CHECK_RC(agent_graph(a, &scope, &g, &mine, &e), OK);
	CHECK_STR(graph_node_name(g, 0), "mine");
	graph_free(g);
	val_drop(slots[SLOT_PARAMS]);
	CHECK_RC(json_text_to_val(S("{\"nodeName\":\"a|b\"}"), &slots[SLOT_PARAMS], &e), OK);
	CHECK_RC(agent_graph(a, &scope, &g, &mine, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "dynamic.yaml:7:3: node 'a|b': a name must not have '|' or "
	    "':' in it");
	val_drop(slots[SLOT_PARAMS]);
	agent_free(a);
}

/* ---- sets ------------------------------------------------------------------------------------- */

#define CALLS(name, other) "id: " name "\nnodes: {n: {agent: " other "}}\nedges: [[START, n]]\n"

static int
link_all(const char *const *texts, size_t n, struct err *e)
{
	struct agents *set = agents_new();
	int rc = OK;

	for (size_t i = 0; i < n && rc == OK; i++) {
		struct agent *a;

		rc = agent_load(&a, str_of(texts[i]), S("f.yaml"), &task_kinds, e);
		if (rc == OK)
			rc = agents_add(set, a, e);
	}
	if (rc == OK)
		rc = agents_link(set, e);
	agents_free(set);
	return rc;
}

TEST(agents_that_call_agents)
{
	static const char *const unknown[] = { CALLS("first", "secnd"), CALLS("second", "first") };
	static const char *const itself[] = { CALLS("a", "a") };
	static const char *const cycle[] = { CALLS("a", "b"), CALLS("b", "c"), CALLS("c", "b") };
	static const char *const twice[] = { CALLS("a", "b"), CALLS("a", "b") };
	static const char *const nested[] = { "id: a\nnodes: {n: {agent: {nodes: {m: {do: "
	    "[{map: {over: \"[1]\", agent: a}}]}}, edges: [[START, m]]}}}\nedges: [[START, n]]\n" };
	struct err e = { 0 };

	CHECK_RC(link_all(unknown, 2, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "f.yaml:2:20: nodes.n.agent: there is no agent 'secnd'; did you "
	    "mean 'second'?");
	CHECK_RC(link_all(itself, 1, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "f.yaml:2:20: nodes.n.agent: agents call each other in a cycle: "
	    "a > a");
	CHECK_RC(link_all(cycle, 3, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "f.yaml:2:20: nodes.n.agent: agents call each other in a cycle: "
	    "b > c > b");
	CHECK_RC(link_all(twice, 2, &e), ERR_CONFLICT);
	CHECK_STR(str_of(e.text), "f.yaml: there is an agent 'a' already, from f.yaml");
	CHECK_RC(link_all(nested, 1, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "f.yaml:2:65: nodes.n.agent.nodes.m.do[0].map.agent: agents "
	    "call each other in a cycle: a > a");
}

/* Goal: the depth of calls is bounded however the agents are named. */
TEST(agents_call_over_a_bounded_depth)
{
	for (int n = LIMIT_AGENT_NESTING; n <= LIMIT_AGENT_NESTING + 2; n++)
		for (int down = 0; down < 2; down++) {
			struct agents *set = agents_new();
			struct err e = { 0 };
			int rc;

			for (int i = 0; i < n; i++) {
				char text[200];
				struct agent *a;

				snprintf(text, sizeof text, i == n - 1 ? "id: a%02d\nnodes: {n: {set: {}}}\n"
				    "edges: [[START, n]]\n" : CALLS("a%02d", "a%02d"),
				    down ? 99 - i : i, down ? 99 - i - 1 : i + 1);
				CHECK_RC(agent_load(&a, str_of(text), S("f"), &task_kinds, &e), OK);
				CHECK_RC(agents_add(set, a, &e), OK);
			}
			rc = agents_link(set, &e);
			CHECK_RC(rc, n > LIMIT_AGENT_NESTING + 1 ? ERR_INVALID : OK);
			agents_free(set);
		}
}

/* ---- drawings and schema -------------------------------------------------------------------------- */

static void
check_drawn(void (*add)(struct buf *b, const struct agent *a), const struct agent *a,
    const char *want)
{
	struct buf out = BUF(64 * KB);

	add(&out, a);
	CHECK_STR(buf_str(&out), want);
	buf_release(&out);
}

TEST(agent_drawings)
{
	struct agent *a = load("id: d\nname: Draw \"me\"\nstate: {n: {reducer: append, default: []}}\n"
	    "tools: {t: {reply: 1}}\ninterrupt_before: [b]\nnodes:\n  a: {set: {n: n}}\n"
	    "  b: {do: [{when: n, wait: 1}, {return: true}], defer: true}\nedges:\n"
	    "  - [START, a]\n  - {from: a, to: b, when: \"len(n) < 3\"}\n"
	    "  - {from: a, send: {over: n, as: x, to: b}}\n");
	char hash[16] = { 0 }, outline[1024];

	memcpy(hash, a->hash, 12);
	snprintf(outline, sizeof outline, "agent d \"Draw \"me\"\"\nhash %s\nstate\n"
	    "  n: append, default []\ninterrupt before: b\ntool t\nnodes\n  a\n    set\n"
	    "      writes n\n  b, deferred\n    do\n      wait, when n\n      set, return\nedges\n"
	    "  START -> a\n  a -> b, when len(n) < 3\n  a -> b, each x of n\n", hash);
	check_drawn(agent_add_outline, a, outline);
	check_drawn(agent_add_dot, a, "digraph \"d\" {\n  node [shape=box, style=rounded];\n"
	    "  start [label=\"START\", shape=plaintext];\n"
	    "  end [label=\"END\", shape=plaintext];\n  n0 [label=\"a\\nset\"];\n"
	    "  n1 [label=\"b\\ndo\"];\n  start -> n0 [label=\"\"];\n"
	    "  n0 -> n1 [label=\"when len(n) < 3\", style=dashed];\n"
	    "  n0 -> n1 [label=\"each x of n\", style=dashed];\n}\n");
	check_drawn(agent_add_mermaid, a, "graph TD;\n  __start__([START])\n  __end__([END])\n"
	    "  n0(\"a\")\n  n1(\"b\")\n  __start__ --> n0\n"
	    "  n0 -.->|\"when len(n) #60; 3\"| n1\n  n0 -.->|\"each x of n\"| n1\n");
	agent_free(a);
}

/* Goal: the schema is JSON, and knows every key that the loader knows. */
TEST(agent_schema_has_all_kinds)
{
	struct buf out = BUF(1 * MB);
	struct val v, node;
	struct err e = { 0 };

	agent_add_schema(&out, &task_kinds);
	CHECK_RC(json_text_to_val(buf_str(&out), &v, &e), OK);
	node = val_get(val_get(val_get(v, S("$defs")), S("node")), S("properties"));
	for (size_t i = 0; i < task_kinds.n; i++)
		CHECK(val_has(node, str_of(task_kinds.at[i]->name)));
	CHECK(val_has(node, S("chart")) && val_has(node, S("defer")) && !val_has(node, S("when")));
	val_drop(v);
	buf_release(&out);
}

/* Goal: a list is empty before anybody wrote it, so that len() and last() work. */
TEST(agent_lists_begin_empty)
{
	struct agent *a = load("state: {messages: {reducer: messages}, n: {}, l: {reducer: append},"
	    " d: {reducer: append, default: [1]}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n");

	CHECK_INT(a->channels[0].initial.kind, VAL_ARRAY);
	CHECK_INT(a->channels[1].initial.kind, VAL_UNDEFINED);
	CHECK_INT(val_count(a->channels[2].initial), 0);
	CHECK_INT(val_count(a->channels[3].initial), 1);
	agent_free(a);
}

/* Goal: what is kept of an agent has all that it needs, and is the same when it is
 * read again; another version of what it calls makes it another. */
TEST(agents_as_text)
{
	static const char *const files[] = { "helper.yaml", "worker.yaml", "agent.yaml",
		"nested.yaml", "weather.yaml" };
	struct agents *set = agents_new(), *again;
	struct buf text = BUF(1 * MB), second = BUF(1 * MB);
	const struct agent *helper, *same;
	struct err e = { 0 };

	for (size_t i = 0; i < COUNT(files); i++)
		CHECK_RC(agents_add(set, load_file(files[i]), &e), OK);
	CHECK_RC(agents_link(set, &e), OK);
	helper = agents_find(set, S("helper"));
	agents_add_text(&text, set, helper);
	CHECK_RC(agents_read(&again, buf_str(&text), &task_kinds, &e), OK);
	CHECK_INT(agents_count(again), 2);
	same = agents_find(again, S("helper"));
	CHECK(str_eq(agents_hash(again, same), agents_hash(set, helper)));
	CHECK(str_eq(same->json, helper->json));
	agents_add_text(&second, again, same);
	CHECK(str_eq(buf_str(&text), buf_str(&second)));
	CHECK(!agents_kept(set, helper));
	agents_set_kept(set, helper);
	CHECK(agents_kept(set, helper) && !agents_kept(again, same));
	agents_free(again);
	CHECK_RC(agents_read(&again, S("[[\"a\",{}]]"), &task_kinds, &e), ERR_INVALID);
	CHECK_RC(agents_read(&again, S("[[\"a\"]"), &task_kinds, &e), ERR_INVALID);
	agents_free(set);
	buf_release(&text);
	buf_release(&second);
}
