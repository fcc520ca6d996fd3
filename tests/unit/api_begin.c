/*
 * api_begin.c - what clients get wrong about commands, checkpoints, breakpoints,
 * states and seeds: each mistake is told with its place and what would be right.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api_fix.h"

#include <string.h>

#include "agent/agent.h"
#include "task/kinds.h"

#define U "01a1fb74-f13c-7602-b977-7e2dba96d18e"
#define V "1f1e5409-bccb-6d70-8001-bb78e0bbaa82"

/* A call that can be handled as far as a mistake goes. */
struct handled {
	struct asked a;
	struct api api;
	struct api_shared shared;
	struct route route;
};

static struct call *
handle(struct handled *h, const char *query, const char *body)
{
	struct call *c = ask(&h->a, query, body);

	h->api = (struct api){ .shared = &h->shared, .scratch = BUF(KB), .out = BUF(KB) };
	h->shared = (struct api_shared){ 0 };
	h->route = (struct route){ .path = "/threads/{thread_id}/runs" };
	h->a.r.user = c;
	c->api = &h->api;
	c->route = &h->route;
	CHECK(uuid_parse(S(U), &c->thread_id));
	return c;
}

static int
handled_end(struct handled *h)
{
	buf_release(&h->api.scratch);
	buf_release(&h->api.out);
	return asked_end(&h->a);
}

struct row { const char *body, *words; };

/* The handler refuses each row with words that begin so. */
static void
check_refused(handler *asked, bool query, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct handled h;
		struct call *c = handle(&h, query ? rows[i].body : "",
		    query ? NULL : rows[i].body);
		int rc = asked(c);

		if (rc >= 0 || strncmp(c->err.text, rows[i].words, strlen(rows[i].words)) != 0)
			test_fail(__FILE__, __LINE__, "%s\n  got %d \"%s\"\n  not \"%s\"",
			    rows[i].body, rc, c->err.text, rows[i].words);
		CHECK_RC(handled_end(&h), rc);
	}
}

/* ---- commands and breakpoints ------------------------------------------------------ */

static struct agent *agent;

static int
read_begin(struct call *c)
{
	struct run_request q = { .input = json_get(c->in->node, S("input")),
	    .config = json_get(c->in->node, S("config")), .stateless = uuid_is_zero(&c->thread_id) };

	call_read_begin(c, agent, &q);
	return c->in->rc;
}

static void
load_agent(void)
{
	struct err e;

	CHECK_RC(agent_load(&agent, S("id: t\nstate: {messages: {reducer: messages}, n: {}}\n"
	    "nodes: {write: {set: {n: '1'}}, review: {set: {n: '2'}}}\n"
	    "edges: [[START, write], [write, review]]\n"), S("t.yaml"), &task_kinds, &e), OK);
}

TEST(begin_refuses_wrong_commands)
{
	static const struct row rows[] = {
		{ "{\"command\":5}", "command: expected an object, got a number" },
		{ "{\"command\":[]}", "command: expected an object, got an array" },
		{ "{\"command\":{}}", "command: expected some of resume, update and goto, got none" },
		{ "{\"command\":{\"resume\":null,\"goto\":null}}", "command: expected some of" },
		{ "{\"command\":{\"resum\":1}}", "command.resum: not known here; did you mean resume" },
		{ "{\"command\":{\"resume\":1,\"xyz\":2}}", "command.xyz: not known here" },
		{ "{\"command\":{\"resume\":1},\"input\":{}}", "command: not together with input" },
		{ "{\"command\":{\"goto\":5}}", "command.goto: expected a node's name or {\"node\"" },
		{ "{\"command\":{\"goto\":true}}", "command.goto: expected a node's name" },
		{ "{\"command\":{\"goto\":\"\"}}", "command.goto: no node is called \"\"; there are write, review" },
		{ "{\"command\":{\"goto\":\"nope\"}}", "command.goto: no node is called \"nope\"; there are write, review" },
		{ "{\"command\":{\"goto\":[\"write\",\"nope\"]}}", "command.goto[1]: no node is called \"nope\"" },
		{ "{\"command\":{\"goto\":[5]}}", "command.goto[0]: expected a node's name" },
		{ "{\"command\":{\"goto\":[[\"write\"]]}}", "command.goto[0]: expected a node's name" },
		{ "{\"command\":{\"goto\":{}}}", "command.goto: expected {\"node\", \"input\"}, got an object without node" },
		{ "{\"command\":{\"goto\":{\"node\":5}}}", "command.goto.node: expected a string, got a number" },
		{ "{\"command\":{\"goto\":{\"node\":\"write\",\"inputs\":1}}}", "command.goto.inputs: not known here; did you mean input" },
		{ "{\"command\":{\"goto\":[{\"nod\":\"write\"}]}}", "command.goto[0].nod: not known here; did you mean node" },
		{ "{\"command\":{\"goto\":{\"node\":\"nope\"}}}", "command.goto.node: no node is called \"nope\"" },
		{ "{\"command\":{\"update\":5}}", "command.update: expected an object or [channel, value] pairs, got a number" },
		{ "{\"command\":{\"update\":\"x\"}}", "command.update: expected an object or" },
		{ "{\"command\":{\"update\":[1]}}", "command.update[0]: expected [channel, value], got a number" },
		{ "{\"command\":{\"update\":[[\"n\"]]}}", "command.update[0]: expected [channel, value], got another array" },
		{ "{\"command\":{\"update\":[[\"n\",1],[5,1]]}}", "command.update[1]: expected [channel, value], got another array" },
		{ "{\"command\":{\"update\":[[\"n\",1,2]]}}", "command.update[0]: expected [channel, value]" },
		{ "{\"command\":{\"update\":{\"messages\":[{\"role\":\"weird\",\"content\":\"x\"}]}}}", "command.update.messages[0]" },
		{ "{\"command\":{\"update\":[[\"messages\",5]]}}", "command.update[0].messages" },
		{ "{\"command\":{\"resume\":1},\"strict_resume\":\"yes\"}", "strict_resume: expected true or false, got a string" },
		{ "{\"strict_resume\":1}", "strict_resume: expected true or false, got a number" },
#define ON(what) "{\"config\":{\"configurable\":{\"interrupt_on\":" what "}}}"
		{ ON("5"), "config.configurable.interrupt_on: expected an object by the names of tools, got a number" },
		{ ON("[]"), "config.configurable.interrupt_on: expected an object" },
		{ ON("{\"put\":5}"), "config.configurable.interrupt_on.put: expected true, false or {\"allowed" },
		{ ON("{\"put\":{}}"), "config.configurable.interrupt_on.put.allowed_decisions: expected some of approve, edit, reject and respond, got nothing" },
		{ ON("{\"put\":{\"allowed\":[]}}"), "config.configurable.interrupt_on.put.allowed: not known here" },
		{ ON("{\"put\":{\"allowed_decisions\":[]}}"), "config.configurable.interrupt_on.put.allowed_decisions: expected some of approve, edit, reject and respond, got none" },
		{ ON("{\"put\":{\"allowed_decisions\":[\"maybe\"]}}"), "config.configurable.interrupt_on.put.allowed_decisions[0]: expected one of approve" },
		{ ON("{\"a\":true,\"put\":{\"allowed_decisions\":[\"edit\",5]}}"), "config.configurable.interrupt_on.put.allowed_decisions[1]: expected a string" },
		{ "{\"interrupt_before\":5}", "interrupt_before: expected \"*\" or an array of nodes, got a number" },
		{ "{\"interrupt_before\":\"write\"}", "interrupt_before: expected \"*\" or an array of nodes, got another string" },
		{ "{\"interrupt_before\":{}}", "interrupt_before: expected \"*\" or an array" },
		{ "{\"interrupt_before\":[5]}", "interrupt_before[0]: expected a node's name, got a number" },
		{ "{\"interrupt_after\":true}", "interrupt_after: expected \"*\" or an array" },
		{ "{\"interrupt_after\":[\"write\",null]}", "interrupt_after[1]: expected a node's name, got null" },
	};

	load_agent();
	check_refused(read_begin, false, rows, COUNT(rows));
	agent_free(agent);
}

TEST(begin_refuses_too_many)
{
	static const struct { const char *field, *words; } rows[] = {
		{ "{\"command\":{\"goto\":[%s]}}", "command.goto: expected at most 1000, got 1001" },
		{ "{\"interrupt_before\":[%s]}", "interrupt_before: expected at most 1000, got 1001" },
		{ "{\"interrupt_after\":[%s]}", "interrupt_after: expected at most 1000, got 1001" },
	};
	struct buf many = BUF(64 * KB), body = BUF(64 * KB);

	load_agent();
	for (int i = 0; i <= LIMIT_GOTOS; i++)
		buf_add_fmt(&many, "%s\"write\"", i > 0 ? "," : "");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str before = str_sub(str_of(rows[i].field), 0,
		    (size_t)str_index(str_of(rows[i].field), '%'));

		buf_clear(&body);
		buf_add(&body, before);
		buf_add(&body, buf_str(&many));
		buf_add(&body, str_sub(str_of(rows[i].field), before.n + 2, 10));
		check_refused(read_begin, false, &(struct row){ body.p, rows[i].words }, 1);
	}
	buf_release(&many);
	buf_release(&body);
	agent_free(agent);
}

/* Goal: false, 0, "" and null inside are answers; what an SDK sends empty is none. */
TEST(begin_takes_commands)
{
	static const char *const rows[] = {
		"{\"command\":{\"resume\":false}}", "{\"command\":{\"resume\":0},\"input\":null}",
		"{\"command\":{\"resume\":\"\"}}", "{\"command\":{\"resume\":[null]}}",
		"{\"command\":{\"goto\":\"__end__\",\"update\":null,\"resume\":null}}",
		"{\"command\":{\"goto\":[\"write\",{\"node\":\"review\",\"input\":null}]}}",
		"{\"command\":{\"update\":[[\"n\",1],[\"n\",2]]}}",
		"{\"command\":{\"update\":{\"n\":1,\"messages\":\"hi\"}}}",
		"{\"command\":null,\"strict_resume\":null,\"interrupt_before\":null}",
		"{\"interrupt_before\":\"*\",\"interrupt_after\":[\"anywhere\"]}",
		"{\"interrupt_before\":[]}",
	};

	load_agent();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct run_request q = { 0 };
		struct handled h;
		struct call *c = handle(&h, "", rows[i]);

		call_read_begin(c, agent, &q);
		CHECK((q.command != NULL) == (strstr(rows[i], "command\":{") != NULL));
		CHECK((q.interrupt_before != NULL) == (strstr(rows[i], "*") != NULL));
		CHECK_RC(handled_end(&h), OK);
	}
	agent_free(agent);
}

/* ---- checkpoints ---------------------------------------------------------------------- */

static int
read_checkpoint(struct call *c)
{
	struct checkpoint_ref ref;

	call_read_run_checkpoint(c, &ref);
	return c->in->rc;
}

TEST(checkpoint_refuses_what_is_none)
{
	static const struct row rows[] = {
		{ "{\"checkpoint\":\"x\"}", "checkpoint: expected an object, got a string" },
		{ "{\"checkpoint\":[]}", "checkpoint: expected an object, got an array" },
		{ "{\"checkpoint\":{\"checkpoint_id\":5}}", "checkpoint.checkpoint_id: expected a checkpoint's id, a UUID, got a number" },
		{ "{\"checkpoint\":{\"checkpoint_id\":\"abc\"}}", "checkpoint.checkpoint_id: expected a checkpoint's id, a UUID, got \"abc\"" },
		{ "{\"checkpoint\":{\"checkpoint_ns\":5}}", "checkpoint.checkpoint_ns: expected a string, got a number" },
		{ "{\"checkpoint\":{\"checkpoint_map\":\"x\"}}", "checkpoint.checkpoint_map: expected an object, got a string" },
		{ "{\"checkpoint\":{\"thread_id\":7}}", "checkpoint.thread_id: expected a string" },
		{ "{\"checkpoint\":{\"thread_id\":\"" V "\"}}", "checkpoint.thread_id: expected the thread of the path, got \"" V "\"" },
		{ "{\"checkpoint_id\":\"abc\"}", "checkpoint_id: expected a checkpoint's id, a UUID, got \"abc\"" },
		{ "{\"checkpoint_id\":{}}", "checkpoint_id: expected a checkpoint's id, a UUID, got an object" },
		{ "{\"checkpoint_id\":\"" V "\",\"checkpoint\":{\"checkpoint_id\":\"" U "\"}}", "checkpoint_id: another than the one of checkpoint" },
		{ "{\"config\":{\"configurable\":{\"checkpoint_id\":\"abc\"}}}", "config.configurable.checkpoint_id: expected a checkpoint's id" },
		{ "{\"config\":{\"configurable\":{\"checkpoint_ns\":[]}}}", "config.configurable.checkpoint_ns: expected a string" },
		{ "{\"config\":{\"configurable\":5}}", "config.configurable: expected an object" },
	};

	check_refused(read_checkpoint, false, rows, COUNT(rows));
}

/* As states show them, and as SDKs send them back. */
TEST(checkpoint_takes_what_a_state_shows)
{
	static const struct { const char *body, *ns; bool named; } rows[] = {
		{ "{\"checkpoint\":{\"thread_id\":\"" U "\",\"checkpoint_id\":\"" V "\",\"checkpoint_ns\":\"\",\"checkpoint_map\":null}}", "", true },
		{ "{\"checkpoint\":{\"thread_id\":\"" U "\",\"checkpoint_ns\":\"a:1|b:2\"}}", "a:1|b:2", false },
		{ "{\"checkpoint\":{\"checkpoint_id\":null},\"checkpoint_id\":null}", "", false },
		{ "{\"checkpoint_id\":\"\"}", "", false },
		{ "{\"checkpoint_id\":\"" V "\",\"checkpoint\":{\"checkpoint_id\":\"" V "\"}}", "", true },
		{ "{\"config\":{\"configurable\":{\"checkpoint_id\":\"" V "\",\"checkpoint_ns\":\"x\"}}}", "x", true },
		{ "{}", "", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct checkpoint_ref ref;
		struct handled h;

		call_read_run_checkpoint(handle(&h, "", rows[i].body), &ref);
		CHECK_STR(ref.ns, rows[i].ns);
		CHECK(uuid_is_zero(&ref.id) != rows[i].named);
		CHECK_RC(handled_end(&h), OK);
	}
}

static int
join_stream(struct call *c)
{
	static const struct route route = { .path = "/threads/{thread_id}/runs/{run_id}"
	    "/stream", .arg = WATCH_JOIN_STREAM };

	c->route = &route;
	return api_run_join(c);
}

/* ---- states ------------------------------------------------------------------------------ */

TEST(state_refuses_wrong_queries)
{
	static const struct row rows[] = {
		{ "subgraphs=perhaps", "subgraphs: expected true or false, got \"perhaps\"" },
		{ "select=bogus", "select: expected one of values, next, tasks" },
		{ "select=values&select=bogus", "select: expected one of values, next, tasks" },
		{ "select=[5]", "select[0]: expected a string, got a number" },
		{ "select=values.", "select: expected one of values" },
	};

	check_refused(api_state_get, true, rows, COUNT(rows));
}

TEST(state_refuses_wrong_bodies)
{
	static const struct row at[] = {
		{ "{}", "checkpoint: expected an object with checkpoint_id and checkpoint_ns, got nothing" },
		{ "{\"checkpoint\":null}", "checkpoint: expected an object with" },
		{ "{\"checkpoint\":5}", "checkpoint: expected an object, got a number" },
		{ "{\"checkpoint\":{\"checkpoint_id\":5}}", "checkpoint.checkpoint_id: expected" },
		{ "{\"checkpoint\":{},\"subgraphs\":\"maybe\"}", "subgraphs: expected \"false\" or \"true\", got \"maybe\"" },
		{ "{\"checkpoint\":{},\"subgraphs\":1}", "subgraphs: expected true or false" },
	};
	static const struct row update[] = {
		{ "{}", "values: expected an object, an array of objects or null, got nothing" },
		{ "{\"value\":{}}", "values: expected an object" },
		{ "{\"values\":5}", "values: expected an object, an array of objects or null, got a number" },
		{ "{\"values\":\"x\"}", "values: expected an object" },
		{ "{\"values\":[5]}", "values[0]: expected an object, got a number" },
		{ "{\"values\":[{},[]]}", "values[1]: expected an object, got an array" },
		{ "{\"values\":{},\"as_node\":5}", "as_node: expected a string, got a number" },
		{ "{\"values\":{},\"checkpoint_id\":\"abc\"}", "checkpoint_id: expected a checkpoint's id" },
		{ "{\"values\":{},\"checkpoint\":5}", "checkpoint: expected an object" },
		{ "{\"values\":{},\"checkpoint\":{\"thread_id\":\"" V "\"}}", "checkpoint.thread_id: expected the thread" },
	};

	check_refused(api_state_at, false, at, COUNT(at));
	check_refused(api_state_update, false, update, COUNT(update));
}

TEST(history_refuses_wrong_bodies)
{
	static const struct row rows[] = {
		{ "{\"limit\":0}", "limit: expected" },
		{ "{\"limit\":1001}", "limit: expected" },
		{ "{\"limit\":\"x\"}", "limit: expected" },
		{ "{\"before\":5}", "before: expected a checkpoint's id, a UUID, got a number" },
		{ "{\"before\":\"abc\"}", "before: expected a checkpoint's id, a UUID, got \"abc\"" },
		{ "{\"before\":{}}", "before.checkpoint_id: expected a checkpoint's id, a UUID, got nothing" },
		{ "{\"before\":{\"configurable\":{}}}", "before.configurable.checkpoint_id: expected" },
		{ "{\"before\":{\"configurable\":{\"checkpoint_id\":5}}}", "before.configurable.checkpoint_id: expected" },
		{ "{\"before\":{\"checkpoint_id\":\"abc\"}}", "before.checkpoint_id: expected" },
		{ "{\"metadata\":[]}", "metadata: expected an object, got an array" },
		{ "{\"checkpoint\":\"x\"}", "checkpoint: expected an object" },
		{ "{\"checkpoint\":{\"thread_id\":\"" V "\"}}", "checkpoint.thread_id: expected the thread" },
		{ "{\"select\":5}", "select: expected an array of strings, got a number" },
		{ "{\"select\":[\"bogus\"]}", "select: expected one of values" },
		{ "{\"select\":\"bogus\"}", "select: expected one of values" },
	};
	static const struct row queries[] = {
		{ "limit=x", "limit: expected a whole number" },
		{ "before=abc", "before: expected a checkpoint's id" },
		{ "before={\"checkpoint_id\":5}", "before.checkpoint_id: expected" },
		{ "select=bogus", "select: expected one of values" },
	};

	check_refused(api_history, false, rows, COUNT(rows));
	check_refused(api_history_get, true, queries, COUNT(queries));
}

TEST(interrupts_and_drawings_refuse_wrong_queries)
{
	static const struct row interrupts[] = {
		{ "status=bogus", "status: expected one of waiting, got \"bogus\"" },
		{ "limit=0", "limit: expected a whole number from 1 to 1000" },
		{ "offset=-1", "offset: expected a whole number from 0" },
	};
	static const struct row drawings[] = {
		{ "xray=perhaps", "xray: expected true, false or a number of levels, got \"perhaps\"" },
		{ "xray=-1", "xray: expected true, false or a number" },
		{ "xray=1.5", "xray: expected true, false or a number" },
	};
	static const struct row lists[] = {
		{ "recurse=perhaps", "recurse: expected true or false" },
	};

	check_refused(api_interrupt_list, true, interrupts, COUNT(interrupts));
	check_refused(api_assistant_graph, true, drawings, COUNT(drawings));
	check_refused(api_assistant_subgraphs, true, lists, COUNT(lists));
}

/* Of a join: where its replay begins. */
TEST(joins_refuse_wrong_queries)
{
	static const struct row rows[] = {
		{ "checkpoint_id=x", "checkpoint_id: expected a checkpoint's id, a UUID, got \"x\"" },
		{ "stream_mode=values&stream_mode=bogus", "stream_mode[1]: expected one of values" },
		{ "namespace=[5]", "namespace[0]: expected a string" },
		{ "cancel_on_disconnect=perhaps", "cancel_on_disconnect: expected true or false" },
	};

	check_refused(join_stream, true, rows, COUNT(rows));
}

/* ---- seeds --------------------------------------------------------------------------------- */

static int
read_seed(struct call *c)
{
	return call_read_seed(c, S("{\"graph_id\":\"t\"}"));
}

TEST(seed_refuses_wrong_supersteps)
{
#define ONE(update) "{\"supersteps\":[{\"updates\":[" update "]}]}"
	static const struct row rows[] = {
		{ "{\"supersteps\":5}", "supersteps: expected an array, got a number" },
		{ "{\"supersteps\":{}}", "supersteps: expected an array, got an object" },
		{ "{\"supersteps\":[5]}", "supersteps[0]: expected an object with updates, got a number" },
		{ "{\"supersteps\":[{}]}", "supersteps[0].updates: expected an array of updates, got nothing" },
		{ "{\"supersteps\":[{\"updates\":5}]}", "supersteps[0].updates: expected an array of updates, got a number" },
		{ "{\"supersteps\":[{\"updates\":[]}]}", "supersteps[0].updates: expected an array of updates, got an empty one" },
		{ ONE("5"), "supersteps[0].updates[0]: expected an object, got a number" },
		{ ONE("{\"values\":{}}"), "supersteps[0].updates[0].as_node: expected a node's name, got nothing" },
		{ ONE("{\"values\":{},\"as_node\":5}"), "supersteps[0].updates[0].as_node: expected a node's name, got a number" },
		{ ONE("{\"values\":{},\"as_node\":\"\"}"), "supersteps[0].updates[0].as_node: expected a node's name, got an empty" },
		{ ONE("{\"values\":5,\"as_node\":\"a\"}"), "supersteps[0].updates[0].values: expected an object" },
		{ ONE("{\"values\":[1],\"as_node\":\"a\"}"), "supersteps[0].updates[0].values[0]: expected an object" },
		{ ONE("{\"command\":5,\"as_node\":\"a\"}"), "supersteps[0].updates[0].command: expected an object" },
		{ ONE("{\"command\":{\"goto\":\"a\"},\"as_node\":\"a\"}"), "supersteps[0].updates[0].command: only update can be given" },
		{ ONE("{\"command\":{\"resume\":1},\"as_node\":\"a\"}"), "supersteps[0].updates[0].command: only update can be given" },
		{ ONE("{\"values\":{},\"as_node\":\"a\"},{}"), "supersteps[0].updates[1].as_node: expected" },
		{ "{\"supersteps\":[{\"updates\":[{\"values\":{},\"as_node\":\"a\"}]},{}]}", "supersteps[1].updates: expected an array" },
	};

	check_refused(read_seed, false, rows, COUNT(rows));
}
