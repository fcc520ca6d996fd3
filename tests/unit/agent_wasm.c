/*
 * agent_wasm.c - files of agents that are WebAssembly modules: what is taken of them, and what
 * is refused where.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "agent/wasm.h"
#include "task/kinds.h"

static int
load(const char *text, struct agent **a, struct err *e)
{
	return agent_load(a, str_of(text), S("dir/counter.yaml"), &task_kinds, e);
}

/* Goal: the file's words are the module's policy; as an assistant it is a graph of one node
 * that asks the module of the agent's id; it is the same when it is made of what is kept. */
TEST(agent_wasm_is_read)
{
	static const char text[] =
	    "name: Counter\n"
	    "description: counts\n"
	    "wasm:\n"
	    "  module: bin/counter.wat\n"
	    "  allow: [log, send, tool_call]\n"
	    "  tools: [calculate, current_time]\n"
	    "  limits: {memory: 1MB, fuel: 5000, cpu: 2ms, depth: 10, message: 64KB, rate: 7}\n";
	const struct agent_wasm *w;
	struct agent *a, *again;
	struct err e;

	CHECK_RC(load(text, &a, &e), OK);
	w = a->wasm;
	CHECK(str_eq(a->id, S("counter")) && str_eq(a->name, S("Counter")));
	CHECK_STR(a->description, "counts");
	CHECK_STR(w->module, "bin/counter.wat");
	CHECK_INT(w->allow, 1u << WASM_LOG | 1u << WASM_SEND | 1u << WASM_TOOL_CALL);
	CHECK(w->tools_n == 2 && str_eq(w->tools[1], S("current_time")));
	CHECK(w->limits.pages == 16 && w->limits.fuel == 5000 && w->limits.cpu_us == 2000);
	CHECK(w->limits.depth == 10 && w->limits.message_bytes == 65536 && w->rate == 7);
	CHECK_INT(w->line, 4);
	CHECK_INT(a->nodes_n, 1);
	CHECK(a->graph != NULL && a->nodes[0].line == 3 && agent_channel_find(a,
	    S("messages")) == 0);
	CHECK_STR(str_of(a->nodes[0].work.kind->name), "wasm");
	CHECK_STR(agent_name(&a->nodes[0].work.fields[WASM_FIELD_NAME]), "counter");
	agent_free(a);

	CHECK_RC(load("id: c2\nwasm: {module: a.wasm}\n", &a, &e), OK);
	CHECK_INT(a->wasm->allow, WASM_ALLOW_USUAL);
	CHECK_RC(agent_load(&again, a->json, S("kept.json"), &task_kinds, &e), OK);
	CHECK(str_eq(again->id, S("c2")) && memcmp(again->hash, a->hash, sizeof a->hash) == 0);
	agent_free(again);
	agent_free(a);
}

/* Goal: each mistake is told with its line and column, and what would be right. */
TEST(agent_wasm_refuses)
{
	static const struct { const char *text, *words; } bad[] = {
		{ "wasm: x.wasm\n", ":1:7: wasm: expected a map, as {module: counter.wasm}" },
		{ "wasm: {}\n", ":1:7: wasm: 'module' is missing" },
		{ "wasm: {module: ../x.wasm}\n", ":1:16: wasm.module: '../x.wasm': expected a path" },
		{ "wasm: {module: /x.wasm}\n", "without '..' and not from the root" },
		{ "wasm: {module: x.so}\n", "expected a file that ends with .wasm or .wat" },
		{ "wasm:\n  module: a.wasm\n  alow: [log]\n", ":3:3: wasm: unknown key 'alow'; did "
		    "you mean 'allow'" },
		{ "wasm:\n  module: a.wasm\n  allow: [log, snd]\n", ":3:16: wasm.allow[1]: expected "
		    "log, now_ms" },
		{ "wasm:\n  module: a.wasm\n  allow: log\n", ":3:10: wasm.allow: expected a list" },
		{ "wasm:\n  module: a.wasm\n  tools: [x]\n", "tools need 'tool_call' in allow" },
		{ "wasm:\n  module: a.wasm\n  limits: {memory: 2000MB}\n", ":3:20: "
		    "wasm.limits.memory: expected 64KB to 1000MB, got \"2000MB\"" },
		{ "wasm:\n  module: a.wasm\n  limits: {ful: 1}\n", "unknown key 'ful'; did you mean "
		    "'fuel'" },
		{ "wasm:\n  module: a.wasm\n  limits: {cpu: [1]}\n", "got a list" },
		{ "wasm: {module: a.wasm}\nnodes: {}\n", ":2:1: unknown key 'nodes'" },
		{ "id: a b\nwasm: {module: a.wasm}\n", ":1:5: id: 'a b' is not an id" },
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct agent *a = NULL;
		struct err e = { 0 };

		CHECK_RC(load(bad[i].text, &a, &e), ERR_INVALID);
		if (!str_contains(str_of(e.text), str_of(bad[i].words)))
			test_fail(__FILE__, __LINE__, "%s: lacks %s", e.text, bad[i].words);
	}
}

/* Goal: a tool that nobody has is told where it is named. */
TEST(agent_wasm_tools)
{
	static const char *const names[] = { "calculate", NULL };
	struct agent *a;
	struct err e;

	CHECK_RC(load("wasm:\n  module: a.wasm\n  allow: [tool_call]\n  tools: [calculat]\n", &a,
	    &e), OK);
	CHECK_RC(agent_check_tools(a, names, &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("counter.yaml:4:11: ")));
	CHECK(str_contains(str_of(e.text), S("calculate")));
	agent_free(a);
}
