/*
 * task_work.c - each kind of work once, and how it fails; sequences, loops, maps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task_fix.h"

#define AGENT(work)                                                         \
	"id: t\n"                                                           \
	"state: {messages: {reducer: messages}, log: {reducer: append, default: []}, " \
	"sum: {reducer: sum, default: 0}, a: {}, b: {default: 2}}\n"        \
	"tools: {search: {description: finds, schema: {type: object}, "     \
	"reply: \"`found ${input.q}`\"}}\n"                                   \
	"nodes: {n: {" work "}}\n"                                          \
	"edges: [[START, n], [n, END]]\n"

/* ---- leaves ---------------------------------------------------------------------- */

TEST(task_set_writes_what_the_file_says)
{
	check_work(AGENT("set: {a: b + 1, log: \"[b, 'x']\"}"),
	    "done null [[\"a\",3],[\"log\",[2,\"x\"]]]");
}

TEST(task_expression_that_fails_is_an_error_of_its_line)
{
	check_work(AGENT("set: {a: 1 / (b - 2)}"),
	    "failed ExpressionError error.execution line 4: set.writes: column 3: "
	    "division by zero");
}

TEST(task_emit_takes_its_name_from_its_key_or_the_data)
{
	struct bed b;

	bed_open(&b, AGENT("do: [{emit: {name: progress, data: {k: b}}}, "
	    "{emit: {name: \"'inside'\", k: 1}}, {emit: b}]"));
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.told), "emit progress {\"k\":2}\n"
	    "emit inside {\"name\":\"inside\",\"k\":1}\nemit  2\n");
	CHECK_STR(bed_text(&b), "done null []");
	bed_close(&b);
}

TEST(task_fail_has_the_authors_words)
{
	check_work(AGENT("fail: {name: CustomError, message: \"Boo ${b}!\"}"),
	    "failed CustomError error.execution Boo 2!");
	check_work(AGENT("fail: Boo"), "failed Error error.execution Boo");
}

TEST(task_wait_ends_by_the_clock)
{
	struct bed b;
	msec began;

	bed_open(&b, AGENT("wait: {ms: b * 150}"));
	began = b.now;
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "done null []");
	CHECK_INT(b.now - began, 300);
	bed_close(&b);
	bed_open(&b, AGENT("wait: {until: \"'2026-11-21T00:15:09Z'\"}"));
	bed_run(&b, "n");
	CHECK_INT(b.now, INT64_C(1795220109000));
	bed_close(&b);
}

TEST(task_wait_refuses_what_is_no_time)
{
	check_work(AGENT("wait: {ms: -1}"), "failed ExpressionError error.execution line 4: "
	    "wait.ms: expected milliseconds, a number from 0 to a year");
	check_work(AGENT("wait: {until: \"'soon'\"}"), "failed ExpressionError "
	    "error.execution line 4: wait.until: expected a time of the year to come: "
	    "2026-11-21T00:15:07Z, or milliseconds since 1970");
}

TEST(task_long_wait_does_not_begin_anew_after_a_crash)
{
	struct bed b;
	msec began;

	bed_open(&b, AGENT("wait: {ms: 60000}"));
	began = b.now;
	bed_start(&b, "n");
	bed_crash(&b, 0);
	b.now += 50000;
	bed_run(&b, "n");
	CHECK_INT(b.now - began, 60000);
	bed_close(&b);
	bed_open(&b, AGENT("wait: {ms: 60000}"));
	bed_start(&b, "n");
	bed_crash(&b, 0);
	b.now += 90000;                      /* due while nobody was there */
	bed_start(&b, "n");
	CHECK_INT(b.end, BED_DONE);
	bed_close(&b);
}

TEST(task_store_puts_gets_searches_deletes)
{
	check_work(AGENT("do: ["
	    "{store: {put: {namespace: [u, \"${params.who}\"], key: k, value: {x: b}}}},"
	    "{store: {get: {namespace: [u, ann], key: k}}, writes: {a: result.value.x}},"
	    "{store: {delete: {namespace: [u, ann], key: k}}},"
	    "{store: {get: {namespace: [u, ann], key: k}}, writes: {log: \"[result]\"}},"
	    "{store: {search: {namespace: [u], query: q, limit: 3}}}]"),
	    "done [{\"ns\":\"u\",\"query\":\"q\",\"limit\":3}] [[\"a\",2],[\"log\",[null]]]");
}

TEST(task_store_refuses_bad_names)
{
	check_work(AGENT("store: {get: {namespace: [\"${a}\"], key: k}}"),
	    "failed InvalidNamespaceError error.execution line 4: store.namespace: labels "
	    "cannot be empty or contain periods");
	check_work(AGENT("store: {put: {namespace: [u], key: k, value: b}}"),
	    "failed ValueError error.execution line 4: store.value: expected an object of "
	    "at most 4194304 bytes");
}

TEST(task_tool_gives_its_message_and_writes_nothing)
{
	struct bed b;

	bed_open(&b, AGENT("tool: {name: echo, args: {x: b}}, writes: {a: result.content}"));
	bed_run(&b, "n");
	CHECK(str_ends(bed_text(&b), S(" [[\"a\",\"{\\\"x\\\":2}\"]]")));
	CHECK(str_contains(bed_text(&b), S("\"name\":\"echo\"")));
	CHECK(bed_told(&b, " echo {\"x\":2}\n"));
	bed_close(&b);
	check_work(AGENT("tool: {name: broken}"),
	    "failed ToolError error.tool.broken it is broken");
	check_work(AGENT("tool: {name: search, args: {q: b}}, "
	    "writes: {a: result.content, b: result.status}"),
	    "done {\"status\":\"success\",\"content\":\"found 2\",\"tool_call_id\":"
	    "\"call_*\",\"name\":\"search\",\"metadata\":{\"versions\":{\"cohort\":"
	    "\"" COHORT_VERSION "\"}},\"additional_kwargs\":{},\"response_metadata\":{},"
	    "\"id\":\"run-*-tool-call_*\",\"type\":\"tool\"} "
	    "[[\"a\",\"found 2\"],[\"b\",\"success\"]]");
}

TEST(task_tool_that_must_not_run_twice_is_unknown_after_a_crash)
{
	struct bed b;

	bed_open(&b, AGENT("tool: {name: note}"));
	bed_start(&b, "n");
	bed_step(&b);                        /* started, committed */
	bed_step(&b);
	CHECK_INT(b.end, BED_DONE);
	bed_crash(&b, 0);
	bed_run(&b, "n");                    /* recorded: not again */
	CHECK_INT(b.end, BED_DONE);
	CHECK_INT(b.notes, 1);
	bed_close(&b);
	bed_open(&b, AGENT("tool: {name: note}"));
	bed_start(&b, "n");
	bed_step(&b);
	bed_crash(&b, 0);
	bed_run(&b, "n");
	CHECK(str_starts(bed_text(&b), S("failed ToolError error.tool.unknown_outcome ")));
	CHECK_INT(b.notes, 0);
	bed_close(&b);
}

TEST(task_work_asks_the_tracker)
{
	check_work(AGENT("work: {create: {title: \"T ${b}\", priority: b}}, "
	    "writes: {a: result.op}"), "done {\"op\":\"create\",\"args\":{\"title\":\"T 2\","
	    "\"priority\":2}} [[\"a\",\"create\"]]");
	check_work(AGENT("work: {ready: {limit: 1}}"),
	    "done {\"op\":\"ready\",\"args\":{\"limit\":1}} []");
	check_work(AGENT("work: {close: {id: x}}"), "failed ToolError error.tool.work "
	    "{\"op\":\"close\",\"args\":{\"id\":\"x\"}}");
}

#define CHILD "{id: kid, state: {answer: {}, log: {reducer: append}, b: {}}, output: [log], " \
	"nodes: {k: {set: {answer: 1}}}, edges: [[START, k], [k, END]]}"

TEST(task_agent_gets_channels_of_equal_name_and_adds_its_output)
{
	struct bed b;

	bed_open(&b, AGENT("agent: " CHILD));
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "done {\"answer\":{\"log\":[],\"b\":2},\"other\":1} []");
	CHECK_STR(buf_str(&b.told), "child  kid\n");
	bed_close(&b);
	check_work(AGENT("agent: " CHILD ", input: {b: b + 1}, "
	    "writes: {a: result.answer.b}"),
	    "done {\"answer\":{\"b\":3},\"other\":1} [[\"a\",3]]");
}

TEST(task_agent_shows_its_whole_output)
{
	struct bed b;
	const struct task_write *w;
	size_t n;

	bed_open(&b, "id: t\nstate: {other: {reducer: sum, default: 0}, b: {}}\n"
	    "nodes: {n: {agent: {id: kid, state: {other: {}, b: {}}, output: [other], "
	    "nodes: {k: {set: {b: 1}}}, edges: [[START, k]]}}, "
	    "m: {do: [{agent: {id: kid2, state: {other: {}}, nodes: {k: {set: {other: 1}}}, "
	    "edges: [[START, k]]}}]}}\nedges: [[START, n], [n, m]]\n");
	bed_run(&b, "n");
	CHECK(str_ends(bed_text(&b), S(" [[\"other\",1]]")));
	w = task_writes(b.task, &n);
	CHECK(n == 1 && w[0].shown.kind == VAL_INT);
	bed_run(&b, "m");
	w = task_writes(b.task, &n);
	CHECK(n == 1 && w[0].shown.kind == VAL_UNDEFINED);
	bed_close(&b);
}

TEST(task_agent_that_fails_or_waits)
{
	struct bed b;

	bed_open(&b, AGENT("agent: " CHILD));
	b.child_end = CHILD_FAILED;
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "failed ChildError error.execution it failed");
	b.child_end = CHILD_WAITS;
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "waits");
	bed_close(&b);
}

/* ---- sequences ------------------------------------------------------------------------ */

TEST(task_items_see_earlier_writes_and_names)
{
	check_work(AGENT("do: [{set: {a: 5}}, {set: {b: a + 1}}, "
	    "{ask: {value: b}, when: a == 6}, "
	    "{tool: {name: echo, args: {x: a + b}}, as: t}, "
	    "{set: {log: \"[t.content]\"}}], writes: {sum: b}"),
	    "done null [[\"a\",5],[\"b\",6],[\"log\",[\"{\\\"x\\\":11}\"]],[\"sum\",6]]");
}

TEST(task_return_ends_the_node)
{
	check_work(AGENT("do: [{repeat: {times: 9, as: i, do: [{set: {log: \"[i]\"}}, "
	    "{when: i == 2, set: {a: i}, return: true}]}}, {set: {b: 1}}]"),
	    "done null [[\"log\",[0]],[\"log\",[1]],[\"log\",[2]],[\"a\",2]]");
}

TEST(task_messages_written_have_one_id_everywhere)
{
	struct bed b;
	struct str text;

	bed_open(&b, AGENT("do: [{set: {messages: \"'hi'\"}}, "
	    "{set: {a: last(messages).id, b: last(messages).content}}]"));
	bed_run(&b, "n");
	text = buf_str(&b.text);
	CHECK(str_contains(text, S("[\"b\",\"hi\"]")));
	for (size_t i = 0; i + UUID_TEXT < text.n; i++) {
		struct uuid u, v;

		if (!uuid_parse(str_sub(text, i, UUID_TEXT), &u))
			continue;
		for (size_t k = i + 1; k + UUID_TEXT < text.n; k++)
			if (uuid_parse(str_sub(text, k, UUID_TEXT), &v)) {
				CHECK(uuid_eq(&u, &v));
				bed_close(&b);
				return;
			}
	}
	test_fail(__FILE__, __LINE__, "two ids expected in %.*s", FMT(text));
}

TEST(task_write_that_does_not_fit_fails)
{
	check_work(AGENT("do: [{set: {sum: \"'x'\"}}, {set: {a: sum}}]"),
	    "failed InvalidUpdateError error.execution sum: expected a number, got a string");
	check_work(AGENT("set: {messages: 7}"), "failed InvalidUpdateError error.execution "
	    "messages: expected a message, got a number (MESSAGE_COERCION_FAILURE)");
}

TEST(task_repeat_over_a_list_and_not_at_all)
{
	check_work(AGENT("repeat: {over: \"[3, 4]\", as: x, do: [{set: {sum: x}}]}"),
	    "done null [[\"sum\",3],[\"sum\",4]]");
	check_work(AGENT("repeat: {times: 0, do: [{set: {sum: 1}}]}"), "done null []");
	check_work(AGENT("repeat: {times: a, do: [{set: {sum: 1}}]}"), "done null []");
}

/* ---- maps -------------------------------------------------------------------------------- */

#define MAP(rest) AGENT("map: {over: \"[30, 10, 20]\", as: x" rest)

TEST(task_map_keeps_the_order_of_its_elements)
{
	check_work(MAP(", do: [{wait: {ms: x}}, {set: {log: \"[x]\", sum: x + sum}}, "
	    "{tool: {name: echo, args: {x: sum}}, writes: {a: result.content}}]}, "
	    "writes: {b: len(result)}"), "done ["
	    "{\"status\":\"success\",\"content\":\"{\\\"x\\\":30}\",\"tool_call_id\":"
	    "\"call_*\",\"name\":\"echo\",\"metadata\":{\"versions\":{\"cohort\":\""
	    COHORT_VERSION "\"}},\"additional_kwargs\":{},\"response_metadata\":{},\"id\":"
	    "\"run-*-tool-call_*\",\"type\":\"tool\"},"
	    "{\"status\":\"success\",\"content\":\"{\\\"x\\\":10}\",\"tool_call_id\":"
	    "\"call_*\",\"name\":\"echo\",\"metadata\":{\"versions\":{\"cohort\":\""
	    COHORT_VERSION "\"}},\"additional_kwargs\":{},\"response_metadata\":{},\"id\":"
	    "\"run-*-tool-call_*\",\"type\":\"tool\"},"
	    "{\"status\":\"success\",\"content\":\"{\\\"x\\\":20}\",\"tool_call_id\":"
	    "\"call_*\",\"name\":\"echo\",\"metadata\":{\"versions\":{\"cohort\":\""
	    COHORT_VERSION "\"}},\"additional_kwargs\":{},\"response_metadata\":{},\"id\":"
	    "\"run-*-tool-call_*\",\"type\":\"tool\"}] "
	    "[[\"log\",[30]],[\"sum\",30],[\"a\",\"{\\\"x\\\":30}\"],"
	    "[\"log\",[10]],[\"sum\",10],[\"a\",\"{\\\"x\\\":10}\"],"
	    "[\"log\",[20]],[\"sum\",20],[\"a\",\"{\\\"x\\\":20}\"],[\"b\",3]]");
}

TEST(task_map_works_on_so_many_at_once)
{
	struct bed b;
	msec began;

	bed_open(&b, MAP(", concurrency: 2, do: [{wait: {ms: 100}}]}"));
	began = b.now;
	bed_start(&b, "n");
	CHECK_INT(b.events_n, 2);
	while (bed_step(&b))
		;
	CHECK_INT(b.now - began, 200);
	CHECK_STR(bed_text(&b), "done [null,null,null] []");
	bed_close(&b);
}

TEST(task_map_over_an_agent)
{
	struct bed b;

	bed_open(&b, MAP(", agent: " CHILD ", input: {b: x}}, writes: {a: \"result[1].answer\"}"));
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "done [{\"answer\":{\"b\":30},\"other\":1},"
	    "{\"answer\":{\"b\":10},\"other\":1},{\"answer\":{\"b\":20},\"other\":1}] "
	    "[[\"a\",{\"b\":10}]]");
	CHECK_STR(buf_str(&b.told), "child map/0 kid\nchild map/1 kid\nchild map/2 kid\n");
	bed_close(&b);
	check_work(MAP(", agent: " CHILD "}"), "done [{\"answer\":{\"x\":30},\"other\":1},"
	    "{\"answer\":{\"x\":10},\"other\":1},{\"answer\":{\"x\":20},\"other\":1}] []");
}

TEST(task_map_wants_a_list)
{
	check_work(AGENT("map: {over: b, do: [{set: {a: 1}}]}"),
	    "failed ExpressionError error.execution line 4: map.over: expected an array");
	check_work(AGENT("map: {over: \"[]\", do: [{set: {a: 1}}]}"), "done [] []");
}

TEST(task_failure_stops_the_rest_and_is_told_once)
{
	struct bed b;

	bed_open(&b, MAP(", do: [{wait: {ms: x}}, {fail: \"no ${x}\"}]}"));
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "failed Error error.execution no 10");
	CHECK_INT(b.events_n, 0);            /* the others' timers are gone */
	bed_close(&b);
}

TEST(task_that_never_waits_lets_others_have_their_turn)
{
	struct bed b;
	size_t turns = 0;

	bed_open(&b, AGENT("repeat: {times: 9000, do: [{set: {a: 1}}]}"));
	bed_start(&b, "n");
	for (; b.end == BED_RUNS; turns++)
		CHECK(bed_step(&b));
	CHECK_INT(b.end, BED_DONE);
	CHECK(turns >= 3 && turns < 10);
	bed_start(&b, "n");
	bed_crash(&b, 0);                    /* in a pause */
	bed_close(&b);
}

TEST(task_has_a_limit_of_pieces)
{
	check_work(AGENT("repeat: {times: 10000, do: [{repeat: {times: 10000, do: "
	    "[{set: {a: 1}, when: false}]}}]}"), "failed LimitError error.execution the task "
	    "has more than 1000000 pieces of work");
}

/* Gate: 1,000 elements of 100 ms, all at once, within 130 ms.  What the task itself
 * costs of it is measured by instructions elsewhere; here: no work per pair. */
TEST(task_map_of_thousand_waits_is_one_wait)
{
	struct bed b;
	msec began;

	bed_open(&b, AGENT("map: {over: range(1000), as: x, concurrency: 1000, "
	    "do: [{wait: {ms: 100}}]}"));
	began = b.now;
	bed_start(&b, "n");
	CHECK_INT(b.events_n, 1000);
	while (b.end == BED_RUNS)
		CHECK(bed_step(&b));
	CHECK_INT(b.now - began, 100);
	CHECK_INT(b.journal_n, 0);           /* a second is done again after a crash */
	bed_close(&b);
}
