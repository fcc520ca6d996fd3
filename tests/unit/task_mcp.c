/*
 * task_mcp.c - tools of MCP servers in a task: what a model is offered, and what
 * becomes of a call when the server answers late, fails, dies, or the task ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task_fix.h"

#include <string.h>

#include "tools/mcp.h"

#define HEAD                                                                \
	"id: t\nstate: {messages: {reducer: messages}, a: {}}\n"            \
	"mcp: {s: {command: [x]}}\n"
#define TOOL HEAD "nodes: {n: {tool: {name: s__once, args: {k: \"1\"}}, " \
	"writes: {a: result.content}}}\nedges: [[START, n], [n, END]]\n"
#define TOOL_AGAIN HEAD "nodes: {n: {tool: {name: s__twice, args: {k: \"1\"}}, " \
	"writes: {a: result.content}}}\nedges: [[START, n], [n, END]]\n"

/* The server: it answers at once, or when the test says so. */
static struct fake {
	bool late;                           /* answers wait */
	struct task_mcp *list, *call;        /* that wait */
	int list_rc, call_rc;
	bool sent, failed;
	size_t lists, calls, stops, tools_n;
	struct bed *bed;
} fake;

static const struct mcp_tool tools[] = {
	{ S("once"), S("Once."), S("{\"$schema\":\"x\",\"type\":\"object\",\"properties\":"
	    "{\"k\":{\"type\":\"integer\"}},\"required\":[\"k\"]}"), false, false },
	{ S("twice"), S("Again."), S("{\"type\":\"object\"}"), false, true },
	{ S("a b"), S("Odd."), S("{\"type\":\"object\"}"), true, false },
	{ S("a_b"), S("Even."), S("nonsense"), true, false },
};

static void
answer_list(struct task_mcp *m)
{
	const struct mcp_list list = { tools, fake.tools_n };
	struct err e;

	err_set(&e, ERR_CLOSED, "it is away");
	m->listed(m, fake.list_rc, fake.list_rc == OK ? &list : NULL, &e);
}

static void
answer_call(struct task_mcp *m)
{
	const struct mcp_result r = { fake.failed, fake.sent, S("the answer") };
	struct err e;

	err_set(&e, ERR_CLOSED, "it died");
	m->called(m, fake.call_rc, &r, &e);
}

static void
on_list(void *ctx, struct task_mcp *m)
{
	(void)ctx;
	fake.lists++;
	if (fake.late)
		fake.list = m;
	else
		answer_list(m);
}

static void
on_call(void *ctx, struct task_mcp *m)
{
	(void)ctx;
	fake.calls++;
	CHECK(m->tool.n > 0 && m->args_json.n > 0);
	if (fake.late)
		fake.call = m;
	else
		answer_call(m);
}

static void
on_stop(void *ctx, struct task_mcp *m)
{
	(void)ctx;
	CHECK(m == fake.list || m == fake.call);
	fake.list = fake.call = NULL;
	fake.stops++;
}

static void
open_for(struct bed *b, const char *agent)
{
	bed_open(b, agent);
	fake = (struct fake){ .bed = b, .tools_n = COUNT(tools) };
	b->host.mcp_list = on_list;
	b->host.mcp_call = on_call;
	b->host.mcp_stop = on_stop;
}

/* ---- calls -------------------------------------------------------------------------- */

TEST(mcp_call_gives_its_answer_once)
{
	struct bed b;

	open_for(&b, TOOL);
	bed_run(&b, "n");
	CHECK(str_ends(bed_text(&b), S("[[\"a\",\"the answer\"]]")));
	CHECK_INT(fake.calls, 1);
	CHECK_INT(b.journal_n, 1);           /* begun before, its answer after */
	CHECK(b.journal[0].json != NULL);
	bed_close(&b);
}

TEST(mcp_call_that_was_under_way_is_not_made_again)
{
	static const struct { const char *agent; size_t calls; const char *end; } rows[] = {
		{ TOOL, 1, "failed ToolError error.tool.unknown_outcome " },
		{ TOOL_AGAIN, 2, "done " },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bed b;

		open_for(&b, rows[i].agent);
		fake.late = true;
		bed_start(&b, "n");
		while (fake.call == NULL && (fake.list != NULL || bed_step(&b))) {
			struct task_mcp *m = fake.list;

			fake.list = NULL;
			if (m != NULL)
				answer_list(m);
		}
		CHECK(fake.call != NULL);
		bed_crash(&b, 0);
		fake.late = false;
		bed_run(&b, "n");
		CHECK_INT(fake.calls, rows[i].calls);
		CHECK(str_starts(bed_text(&b), str_of(rows[i].end)));
		bed_close(&b);
	}
}

TEST(mcp_call_fails_as_the_server_does)
{
	static const struct { int list_rc, call_rc; bool sent, failed; const char *end; } rows[] = {
		{ ERR_CLOSED, OK, false, false, "failed ToolError error.tool.s__once Error: the MCP "
		    "server s: it is away" },
		{ OK, ERR_CLOSED, false, false, "failed ToolError error.tool.s__once the MCP server s: "
		    "it died" },
		{ OK, ERR_CLOSED, true, false, "failed ToolError error.tool.unknown_outcome Error: "
		    "unknown_outcome. The call may or may not have taken effect. It was not "
		    "repeated. The reason: the MCP server s: it died" },
		{ OK, OK, false, true, "failed ToolError error.tool.s__once the answer" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bed b;

		open_for(&b, TOOL);
		fake.list_rc = rows[i].list_rc;
		fake.call_rc = rows[i].call_rc;
		fake.sent = rows[i].sent;
		fake.failed = rows[i].failed;
		bed_run(&b, "n");
		CHECK_STR(bed_text(&b), rows[i].end);
		bed_close(&b);
	}
}

TEST(mcp_call_is_checked_before_it_is_made)
{
	struct bed b;

	open_for(&b, HEAD "nodes: {n: {tool: {name: s__once, args: {k: \"'x'\"}}}}\n"
	    "edges: [[START, n], [n, END]]\n");
	bed_run(&b, "n");
	CHECK(str_starts(bed_text(&b), S("failed ToolError error.tool.s__once Error: the call was "
	    "not made: member \"k\": expected an integer, got a string")));
	CHECK_INT(fake.calls, 0);
	CHECK_INT(b.journal_n, 0);
	bed_close(&b);
	open_for(&b, TOOL);
	fake.tools_n = 0;
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "failed ToolError error.tool.s__once Error: the MCP server s has no "
	    "tool \"s__once\".");
	bed_close(&b);
}

/* In the list, in the journal, in the call. */
TEST(mcp_call_is_left_wherever_it_is)
{
	for (size_t steps = 0; steps < 3; steps++) {
		struct bed b;

		open_for(&b, TOOL);
		fake.late = true;
		bed_start(&b, "n");
		for (size_t i = 0; i < steps; i++) {
			struct task_mcp *m = fake.list;

			fake.list = NULL;
			if (m != NULL)
				answer_list(m);
			else
				CHECK(bed_step(&b));
		}
		CHECK_INT(fake.calls, steps == 2);
		bed_crash(&b, 0);
		CHECK_INT(fake.stops, steps != 1);
		bed_close(&b);
	}
}

/* ---- what a model is offered ------------------------------------------------------------ */

#define LLM(tools) HEAD "nodes: {n: {llm: {model: m, tools: " tools "}}}\n" \
	"edges: [[START, n], [n, END]]\n"

TEST(mcp_tools_are_offered_by_plain_names)
{
	struct bed b;

	open_for(&b, LLM("[s]"));
	b.model = bed_parrot;
	bed_set(&b, "messages", "[{\"type\":\"human\",\"content\":\"x\",\"id\":\"1\"}]");
	bed_run(&b, "n");
	CHECK(str_contains(buf_str(&b.request), S("s__once")));
	CHECK(str_contains(buf_str(&b.request), S("s__a_b_")));
	CHECK(!str_contains(buf_str(&b.request), S("a b")));
	CHECK(b.end == BED_DONE);
	bed_close(&b);
	open_for(&b, LLM("[s__twice]"));
	b.model = bed_parrot;
	bed_set(&b, "messages", "[{\"type\":\"human\",\"content\":\"x\",\"id\":\"1\"}]");
	bed_run(&b, "n");
	CHECK(str_contains(buf_str(&b.request), S("s__twice")));
	CHECK(!str_contains(buf_str(&b.request), S("s__once")));
	bed_close(&b);
}

TEST(mcp_server_that_is_away_fails_the_llm_before_it_asks)
{
	struct bed b;

	open_for(&b, LLM("[s]"));
	b.model = bed_parrot;
	fake.list_rc = ERR_CLOSED;
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "failed ToolError error.tool.s the MCP server s: it is away");
	CHECK_INT(b.asked, 0);
	bed_close(&b);
	open_for(&b, LLM("[s__onec]"));
	b.model = bed_parrot;
	bed_run(&b, "n");
	CHECK(str_starts(bed_text(&b), S("failed ToolError error.tool.s the MCP server s: it has no "
	    "tool 's__onec'; it has: once, twice, a b, a_b")));
	bed_close(&b);
}

TEST(mcp_list_is_left_when_the_task_ends)
{
	struct bed b;

	open_for(&b, LLM("[s]"));
	b.model = bed_parrot;
	fake.late = true;
	bed_start(&b, "n");
	CHECK(fake.list != NULL);
	bed_crash(&b, 0);
	CHECK_INT(fake.stops, 1);
	bed_close(&b);
}

/* ---- names ---------------------------------------------------------------------------------- */

TEST(mcp_names_are_plain_and_different)
{
	static const struct { const char *tool; const char *name; } rows[] = {
		{ "read", "s__read" }, { "read-file_2", "s__read-file_2" },
		{ "a.b", "s__a_b_" }, { "", "s___" },
		{ "0123456789012345678901234567890123456789012345678901234567890", "s__" },
		{ "01234567890123456789012345678901234567890123456789012345678901", "s__" },
		{ "0123456789012345678901234567890123456789012345678901234567890x", "s__" },
	};
	char *seen[COUNT(rows)];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = BUF(256);

		agent_mcp_name(&b, S("s"), str_of(rows[i].tool));
		CHECK(str_starts(buf_str(&b), str_of(rows[i].name)));
		CHECK(b.n <= 64);
		seen[i] = mem_cstr(buf_str(&b));
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(seen[k], seen[i]) != 0);
		buf_release(&b);
	}
	for (size_t i = 0; i < COUNT(rows); i++)
		free(seen[i]);
}
