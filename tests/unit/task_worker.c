/*
 * task_worker.c - work of external workers in a task: a node and a tool, and what becomes
 * of them when the worker fails, is lost, is slow, or is not there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task_fix.h"

#include <string.h>

#define HEAD "id: t\nstate: {messages: {reducer: messages}, a: {}, b: {}}\n"
#define NODE(more) HEAD "nodes: {n: {worker: {name: enrich, input: {k: \"1\"}" more "}}}\n" \
	"edges: [[START, n], [n, END]]\n"
#define TOOL(policy) HEAD "tools: {charge: {worker: true" policy "}}\n" \
	"nodes: {n: {tool: {name: charge, args: {cents: \"5\"}}, writes: {a: result.content}}}\n" \
	"edges: [[START, n], [n, END]]\n"

/* One worker; the test is its hands. */
static struct fake {
	struct task_worker *w;               /* offered, or taken */
	struct task_worker_facts facts;
	size_t offers, begun, stops;
	bool known, there;
	char *members;
} fake;

static void
on_offer(void *ctx, struct task_worker *w)
{
	(void)ctx;
	CHECK(fake.w == NULL);
	fake.w = w;
	fake.offers++;
	free(fake.members);
	fake.members = mem_cstr(w->members);
}

static void
on_go(void *ctx, struct task_worker *w)
{
	(void)ctx;
	CHECK(w == fake.w);
	fake.begun++;
}

static void
on_stop(void *ctx, struct task_worker *w)
{
	(void)ctx;
	CHECK(w == fake.w);
	fake.w = NULL;
	fake.stops++;
}

static bool
on_there(void *ctx, const struct task_worker *w)
{
	(void)ctx;
	(void)w;
	return fake.there;
}

static bool
on_tool(void *ctx, struct str name, struct arena *a, struct task_worker_facts *out)
{
	(void)ctx;
	(void)name;
	(void)a;
	*out = fake.facts;
	return fake.known;
}

static void
open_for(struct bed *b, const char *agent)
{
	bed_open(b, agent);
	free(fake.members);
	fake = (struct fake){ .there = true };
	b->host.worker = on_offer;
	b->host.worker_go = on_go;
	b->host.worker_stop = on_stop;
	b->host.worker_there = on_there;
	b->host.worker_tool = on_tool;
}

static void
close_for(struct bed *b)
{
	bed_close(b);
	CHECK(fake.w == NULL);
	free(fake.members);
	fake = (struct fake){ 0 };
}

/* A worker takes it; what that needs of the journal happens. */
static void
take(struct bed *b)
{
	CHECK(fake.w != NULL);
	fake.w->taken(fake.w, &fake.facts);
	while (b->events_n > 0 && fake.begun == 0 && b->end == BED_RUNS)
		bed_step_at(b, b->events_n - 1);
}

static void
answer(enum task_worker_end how, const char *json)
{
	struct task_worker *w = fake.w;
	struct val v = json == NULL ? VAL_UNDEF : val_json_trusted(str_of(json));
	const struct task_worker_error e = { S("ValueError"), S("no such customer"), false };

	fake.w = NULL;
	w->done(w, how, v, how == TASK_WORKER_DONE ? NULL : &e);
	val_drop(v);
}

static bool
say(const char *mode, const char *json)
{
	struct val v = val_json_trusted(str_of(json));
	bool known = fake.w->event(fake.w, str_of(mode), v);

	val_drop(v);
	return known;
}

/* ---- a node --------------------------------------------------------------------------- */

TEST(worker_node_gets_state_and_input_and_writes_what_it_answers)
{
	struct bed b;

	open_for(&b, NODE(""));
	bed_set(&b, "a", "7");
	bed_start(&b, "n");
	CHECK(str_contains(str_of(fake.members), S("\"state\":{\"messages\":[],\"a\":7}")) ||
	    str_contains(str_of(fake.members), S("\"state\":{\"a\":7}")));
	CHECK(str_contains(str_of(fake.members), S("\"input\":{\"k\":1},\"key\":\"01020300-")));
	CHECK(str_contains(str_of(fake.members), S("\"config\":{\"configurable\":{\"who\":")));
	take(&b);
	CHECK_INT(fake.begun, 1);
	CHECK_INT(b.journal_n, 1);           /* as begun, before the worker hears of it */
	CHECK(b.journal[0].json == NULL);
	answer(TASK_WORKER_DONE, "{\"b\":[1],\"other\":2}");
	while (bed_step(&b))
		;
	CHECK_STR(bed_text(&b), "done {\"b\":[1],\"other\":2} [[\"b\",[1]]]");
	close_for(&b);
}

TEST(worker_node_that_fails_is_an_error_of_its_name)
{
	struct bed b;

	open_for(&b, NODE(""));
	bed_start(&b, "n");
	take(&b);
	answer(TASK_WORKER_FAILED, NULL);
	while (bed_step(&b))
		;
	CHECK_STR(bed_text(&b), "failed ValueError error.worker.enrich no such customer");
	close_for(&b);
}

/* Goal: a failure is tried again where the file says so; what nobody knows of is not. */
TEST(worker_node_is_tried_again)
{
	struct bed b;

	for (int known = 0; known < 2; known++) {
		open_for(&b, HEAD "nodes: {n: {worker: enrich, retry: {max: 1, delay: 10ms}}}\n"
		    "edges: [[START, n], [n, END]]\n");
		bed_start(&b, "n");
		take(&b);
		answer(known ? TASK_WORKER_FAILED : TASK_WORKER_LOST, NULL);
		fake.begun = 0;
		while (fake.w == NULL && bed_step(&b))
			;
		CHECK_INT(fake.w != NULL, known);
		if (fake.w != NULL) {
			take(&b);
			answer(TASK_WORKER_DONE, "{\"a\":1}");
		}
		while (bed_step(&b))
			;
		CHECK_INT(b.end, known ? BED_DONE : BED_FAILED);
		close_for(&b);
	}
}

/* Goal: begun and not ended, it is repeated only if it may be; what only waits, always. */
TEST(worker_node_that_is_lost)
{
	static const struct { const char *agent; bool facts, taken; size_t offers;
		const char *end; } rows[] = {
		{ NODE(""), false, true, 1, "failed WorkerLost error.tool.unknown_outcome " },
		{ NODE(", idempotent: true"), false, true, 3, "failed WorkerLost "
		    "error.worker.enrich " },
		{ NODE(""), true, true, 3, "failed WorkerLost error.worker.enrich " },
		{ NODE(", idempotent: false"), true, true, 1, "failed WorkerLost "
		    "error.tool.unknown_outcome " },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bed b;

		open_for(&b, rows[i].agent);
		fake.facts.idempotent = rows[i].facts;
		bed_start(&b, "n");
		answer(TASK_WORKER_LOST, NULL);      /* nobody had begun it: no attempt */
		fake.offers = 0;
		for (size_t k = 0; fake.w != NULL; k++) {
			CHECK(k < 9);
			fake.offers++;
			fake.begun = 0;
			take(&b);
			CHECK_INT(fake.begun, 1);
			answer(TASK_WORKER_LOST, NULL);
			fake.offers -= fake.w != NULL;
		}
		while (bed_step(&b))
			;
		CHECK(str_starts(bed_text(&b), str_of(rows[i].end)));
		CHECK_INT(b.journal_n, 1);
		close_for(&b);
	}
}

TEST(worker_node_under_way_at_a_crash)
{
	static const struct { const char *agent; const char *end; size_t begun; } rows[] = {
		{ NODE(""), "failed WorkerLost error.tool.unknown_outcome ", 0 },
		{ NODE(", idempotent: true"), "done {\"a\":1}", 1 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bed b;

		open_for(&b, rows[i].agent);
		bed_start(&b, "n");
		take(&b);
		bed_crash(&b, 0);
		fake.begun = 0;
		bed_start(&b, "n");
		CHECK(fake.w != NULL);
		take(&b);
		CHECK_INT(fake.begun, rows[i].begun);
		if (fake.w != NULL)
			answer(TASK_WORKER_DONE, "{\"a\":1}");
		while (bed_step(&b))
			;
		CHECK(str_starts(bed_text(&b), str_of(rows[i].end)));
		close_for(&b);
	}
}

/* Goal: what waits at a crash was not begun, and is done after it. */
TEST(worker_node_that_waits_at_a_crash_is_done_after_it)
{
	struct bed b;

	open_for(&b, NODE(""));
	bed_start(&b, "n");
	bed_crash(&b, 0);
	CHECK_INT(b.journal_n, 0);
	bed_start(&b, "n");
	take(&b);
	answer(TASK_WORKER_DONE, "null");
	while (bed_step(&b))
		;
	CHECK_STR(bed_text(&b), "done null []");
	close_for(&b);
}

TEST(worker_node_that_nobody_serves_sleeps)
{
	struct bed b;
	msec until = 0;

	open_for(&b, NODE(""));
	fake.there = false;
	bed_start(&b, "n");
	CHECK(!task_sleeps(b.task, &until));
	CHECK(bed_step(&b));                 /* it has looked */
	CHECK(task_sleeps(b.task, &until));
	CHECK_INT(until - b.now, LIMIT_WORKER_LOOK_MS);
	fake.there = true;                   /* awake, it may be taken at any time */
	take(&b);
	CHECK(!task_sleeps(b.task, &until));
	answer(TASK_WORKER_DONE, "{}");
	while (bed_step(&b))
		;
	CHECK_STR(bed_text(&b), "done {} []");
	close_for(&b);
}

TEST(worker_node_has_the_time_of_its_file_and_of_its_registration)
{
	struct bed b;

	open_for(&b, HEAD "nodes: {n: {worker: enrich, timeout: 2s}}\n"
	    "edges: [[START, n], [n, END]]\n");
	bed_start(&b, "n");
	while (bed_step(&b))
		;
	CHECK(str_starts(bed_text(&b), S("failed TimeoutError error.timeout ")));
	CHECK_INT(fake.stops, 1);
	close_for(&b);

	open_for(&b, NODE(""));
	fake.facts.timeout = 3000;
	bed_start(&b, "n");
	take(&b);
	while (bed_step(&b))
		;
	CHECK(str_starts(bed_text(&b), S("failed WorkerLost error.tool.unknown_outcome ")));
	CHECK(str_contains(bed_text(&b), S("within the 3000 ms")));
	close_for(&b);
}

TEST(worker_node_streams_what_it_says)
{
	struct bed b;

	open_for(&b, NODE(""));
	b.deltas = true;
	bed_start(&b, "n");
	take(&b);
	CHECK(say("custom", "{\"name\":\"progress\",\"pct\":5}"));
	CHECK(say("messages", "[{\"type\":\"AIMessageChunk\",\"id\":\"m1\",\"content\":\"He\"},"
	    "{\"ls_provider\":\"openai\",\"ls_model_name\":\"x\"}]"));
	CHECK(say("messages", "[{\"type\":\"AIMessageChunk\",\"id\":\"m1\",\"content\":\"llo\\n\"}]"));
	CHECK(say("messages", "[{\"type\":\"ai\",\"id\":\"m2\",\"content\":\"whole\"}]"));
	CHECK(say("messages", "[{\"type\":\"tool\",\"id\":\"m3\",\"content\":\"later\"}]"));
	CHECK(!say("messages", "\"no message\""));
	CHECK(!say("values", "{}"));
	answer(TASK_WORKER_DONE, "{\"messages\":[{\"type\":\"ai\",\"id\":\"m1\",\"content\":"
	    "\"Hello\\n\"}]}");
	while (bed_step(&b))
		;
	CHECK_INT(b.end, BED_DONE);
	CHECK_STR(buf_str(&b.told),
	    "emit progress {\"name\":\"progress\",\"pct\":5}\n"
	    "stream begin openai:x\ndelta m1|He\ndelta m1|llo\\n\nstream end\n"
	    "stream begin worker:enrich\ndelta m2|whole\nstream end\n");
	close_for(&b);
}

TEST(worker_node_stopped_in_mid_stream_leaves_nothing)
{
	struct bed b;

	open_for(&b, NODE(""));
	b.deltas = true;
	bed_start(&b, "n");
	take(&b);
	CHECK(say("messages", "[{\"type\":\"AIMessageChunk\",\"id\":\"m1\",\"content\":\"He\"}]"));
	task_stop(b.task);
	CHECK(fake.w == NULL);
	CHECK(bed_told(&b, "stream failed"));
	close_for(&b);
}

/* ---- a tool ---------------------------------------------------------------------------- */

TEST(worker_tool_gives_its_answer_once)
{
	struct bed b;

	open_for(&b, TOOL(""));
	bed_start(&b, "n");
	CHECK(str_contains(str_of(fake.members), S("\"args\":{\"cents\":5},\"call_id\":\"call_")));
	CHECK(str_contains(str_of(fake.members), S(",\"key\":\"01020300-")));
	CHECK(fake.w->tool);
	take(&b);
	CHECK_INT(fake.begun, 1);
	answer(TASK_WORKER_DONE, "\"paid\"");
	while (bed_step(&b))
		;
	CHECK(str_ends(bed_text(&b), S("[[\"a\",\"paid\"]]")));
	CHECK_INT(b.journal_n, 1);
	CHECK(b.journal[0].json != NULL);
	close_for(&b);
}

TEST(worker_tool_under_way_at_a_crash)
{
	static const struct { const char *agent; bool facts; const char *end; } rows[] = {
		{ TOOL(""), false, "failed ToolError error.tool.unknown_outcome " },
		{ TOOL(""), true, "done " },
		{ TOOL(", idempotent: true"), false, "done " },
		{ TOOL(", idempotent: false"), true, "failed ToolError "
		    "error.tool.unknown_outcome " },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bed b;
		char *key;

		open_for(&b, rows[i].agent);
		fake.facts.idempotent = rows[i].facts;
		bed_start(&b, "n");
		take(&b);
		CHECK_INT(fake.begun, 1);
		key = mem_cstr(str_of(strstr(fake.members, "\"key\"")));
		bed_crash(&b, 0);
		fake.begun = 0;
		bed_start(&b, "n");
		CHECK(strstr(fake.members, key) != NULL);    /* it knows it again */
		free(key);
		take(&b);
		if (fake.w != NULL)
			answer(TASK_WORKER_DONE, "\"paid\"");
		while (bed_step(&b))
			;
		CHECK(str_starts(bed_text(&b), str_of(rows[i].end)));
		close_for(&b);
	}
}

TEST(worker_tool_that_is_lost_says_that_its_outcome_is_unknown)
{
	struct bed b;

	open_for(&b, TOOL(""));
	bed_start(&b, "n");
	take(&b);
	answer(TASK_WORKER_LOST, NULL);
	while (bed_step(&b))
		;
	CHECK(str_starts(bed_text(&b), S("failed ToolError error.tool.unknown_outcome ")));
	close_for(&b);
}

TEST(worker_tool_that_nobody_takes_is_given_up)
{
	struct bed b;
	msec from;

	open_for(&b, TOOL(""));
	from = b.now;
	bed_start(&b, "n");
	while (bed_step(&b))
		;
	CHECK(str_starts(bed_text(&b), S("failed ToolError error.tool.charge ")));
	CHECK_INT(b.now - from, LIMIT_WORKER_TOOL_WAIT_MS);
	CHECK_INT(fake.stops, 1);
	close_for(&b);
}

/* ---- what a model is offered ------------------------------------------------------------- */

#define LLM(tool) HEAD "tools: {charge: {" tool "}}\nnodes: {n: {llm: {tools: [charge]}}}\n" \
	"edges: [[START, n], [n, END]]\n"

TEST(worker_tool_is_offered_as_it_is_registered)
{
	struct bed b;

	open_for(&b, LLM("worker: true"));
	fake.known = true;
	fake.facts = (struct task_worker_facts){ .description = S("Charges."),
	    .schema_json = S("{\"type\":\"object\"}") };
	bed_set(&b, "messages", "[{\"type\":\"human\",\"content\":\"hi\",\"id\":\"h\"}]");
	bed_run(&b, "n");
	CHECK_INT(b.end, BED_DONE);
	CHECK(str_ends(buf_str(&b.request), S("|charge;")));
	close_for(&b);
}

/* Goal: a model is not asked before the tool is known; it is when the worker comes. */
TEST(worker_tool_that_nobody_has_registered)
{
	for (int comes = 0; comes < 2; comes++) {
		struct bed b;

		open_for(&b, LLM("worker: true"));
		bed_set(&b, "messages", "[{\"type\":\"human\",\"content\":\"hi\",\"id\":\"h\"}]");
		bed_start(&b, "n");
		for (int i = 0; i < 3; i++)
			CHECK(bed_step(&b));
		CHECK_INT(b.asked, 0);
		fake.known = comes == 1;
		while (bed_step(&b))
			;
		CHECK_INT(b.asked, comes);
		CHECK(comes == 1 || str_starts(bed_text(&b), S("failed ToolError error.tool.charge "
		    "no worker has registered")));
		close_for(&b);
	}
}

TEST(worker_tool_that_the_file_describes_is_offered_at_once)
{
	struct bed b;

	open_for(&b, LLM("worker: true, description: Charges., schema: {type: object}"));
	bed_set(&b, "messages", "[{\"type\":\"human\",\"content\":\"hi\",\"id\":\"h\"}]");
	bed_run(&b, "n");
	CHECK_INT(b.asked, 1);
	close_for(&b);
}
