/*
 * task_use.c - tool calls with a policy: how long they may take, how often they are
 * made; agents as tools, http_get for models; and names of tools in agent files.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "task_fix.h"

#define AGENT(tools)                                                        \
	"id: t\nstate: {messages: {reducer: messages}}\ntools:\n" tools     \
	"nodes: {n: {tools: {}}, m: {llm: {tools: [note, broken, echo, http_get, run_agent]}}}\n" \
	"edges: [[START, n], [n, m], [m, END]]\n"

#define ASKS(id, name, args)                                                \
	"[{\"content\":\"\",\"id\":\"m1\",\"tool_calls\":[{\"id\":\"" id    \
	"\",\"name\":\"" name "\",\"args\":" args "}],\"type\":\"ai\"}]"

static void
open_with(struct bed *b, const char *agent, const char *messages)
{
	bed_open(b, agent);
	bed_set(b, "messages", messages);
}

static bool
answers(struct bed *b, const char *words)
{
	return str_contains(bed_text(b), str_of(words));
}

static size_t
told(struct bed *b, const char *line)
{
	struct str rest = buf_str(&b->told), needle = str_of(line);
	size_t n = 0;

	for (size_t i = 0; i + needle.n <= rest.n; i++)
		n += memcmp(rest.p + i, needle.p, needle.n) == 0;
	return n;
}

static bool
recorded(const struct bed *b, const char *key)
{
	for (size_t i = 0; i < b->journal_n; i++)
		if (strcmp(b->journal[i].key, key) == 0 && b->journal[i].json != NULL)
			return true;
	return false;
}

/* ---- time -------------------------------------------------------------------------- */

TEST(use_a_call_that_takes_too_long_has_an_unknown_outcome)
{
	struct bed b;

	open_with(&b, AGENT("  note: {timeout: 10s}\n"), ASKS("c1", "note", "{}"));
	bed_start(&b, "n");
	CHECK_INT(b.events_n, 2);            /* the time, and the start to be committed */
	CHECK(bed_step_at(&b, 1));
	CHECK_INT(b.events_n, 2);
	CHECK(bed_step_at(&b, 0));           /* it is too late */
	CHECK_INT(b.end, BED_DONE);
	CHECK(answers(&b, "the tool \\\"note\\\" did not answer within 10000 ms; unknown_outcome"));
	CHECK(recorded(&b, "c1"));
	bed_step(&b);                        /* what it answers is heard by nobody */
	CHECK_INT(b.end, BED_DONE);
	bed_close(&b);
}

TEST(use_a_call_in_time_is_as_any_other)
{
	struct bed b;

	open_with(&b, AGENT("  note: {timeout: 10s}\n"), ASKS("c1", "note", "{}"));
	bed_start(&b, "n");
	CHECK(bed_step_at(&b, 1));
	CHECK(bed_step_at(&b, 1));
	CHECK_INT(b.end, BED_DONE);
	CHECK_INT(b.events_n, 0);            /* the timer is gone */
	CHECK(answers(&b, "noted"));
	bed_close(&b);
}

TEST(use_a_stopped_task_leaves_calls_and_timers)
{
	struct bed b;

	open_with(&b, AGENT("  note: {timeout: 10s}\n"), ASKS("c1", "note", "{}"));
	bed_start(&b, "n");
	CHECK(bed_step_at(&b, 1));
	task_stop(b.task);
	CHECK_INT(b.events_n, 1);            /* the call alone comes back */
	bed_step(&b);
	bed_close(&b);
}

/* ---- again -------------------------------------------------------------------------- */

TEST(use_what_may_be_repeated_is_called_again)
{
	struct bed b;

	open_with(&b, AGENT("  broken: {retries: 2, idempotent: true}\n"),
	    ASKS("c1", "broken", "{}"));
	bed_run(&b, "n");
	CHECK_INT(b.end, BED_DONE);
	CHECK(answers(&b, "it is broken"));
	CHECK_INT(told(&b, "tool start c1 broken"), 3);
	CHECK_INT(told(&b, "tool error c1 broken"), 3);
	CHECK(recorded(&b, "c1/retry/1") && recorded(&b, "c1/retry/2"));
	CHECK(!recorded(&b, "c1/retry/3"));
	bed_close(&b);
}

/* Goal: a call whose id has a signature of the model in it is recorded under a key that an index
 * can hold. */
TEST(use_a_long_id_has_a_short_key)
{
	struct buf messages = BUF(64 * KB);
	struct bed b;
	size_t i;

	buf_lit(&messages, "[{\"content\":\"\",\"id\":\"m1\",\"tool_calls\":[{\"id\":\"");
	for (i = 0; i < 4000; i++)
		buf_add_char(&messages, (char)('a' + i % 26));
	buf_lit(&messages, "\",\"name\":\"note\",\"args\":{}}],\"type\":\"ai\"}]");
	buf_add_char(&messages, '\0');
	open_with(&b, AGENT("  note: {timeout: 10s}\n"), messages.p);
	bed_start(&b, "n");
	for (i = 0; b.journal_n == 0 && i < 10; i++)
		bed_step(&b);
	CHECK(b.journal_n > 0);
	for (i = 0; i < b.journal_n; i++)
		CHECK(strlen(b.journal[i].key) <= LIMIT_NAME_BYTES);
	bed_close(&b);
	buf_release(&messages);
}

TEST(use_what_may_not_be_repeated_is_called_once)
{
	struct bed b;

	open_with(&b, AGENT("  broken: {retries: 2, idempotent: false}\n"),
	    ASKS("c1", "broken", "{}"));
	bed_run(&b, "n");
	CHECK_INT(told(&b, "tool start c1 broken"), 1);
	CHECK(recorded(&b, "c1") && !recorded(&b, "c1/retry/1"));
	bed_close(&b);
}

TEST(use_a_crash_gives_no_more_retries)
{
	struct bed b;

	open_with(&b, AGENT("  broken: {retries: 2, idempotent: true}\n"),
	    ASKS("c1", "broken", "{}"));
	bed_start(&b, "n");
	while (!recorded(&b, "c1/retry/2"))
		CHECK(bed_step(&b));
	bed_crash(&b, 0);
	buf_clear(&b.told);
	bed_run(&b, "n");
	CHECK_INT(told(&b, "tool start c1 broken"), 1);
	CHECK(answers(&b, "it is broken"));
	bed_close(&b);
}

TEST(use_the_file_says_what_is_idempotent)
{
	struct bed b;

	open_with(&b, AGENT("  note: {idempotent: true}\n"), ASKS("c1", "note", "{}"));
	bed_run(&b, "n");
	CHECK_INT(b.notes, 1);
	CHECK_INT(b.journal_n, 0);           /* its start is not committed */
	bed_close(&b);
}

TEST(use_wrong_arguments_are_not_tried_twice)
{
	struct bed b;

	open_with(&b, AGENT("  http_get: {retries: 2}\n"), ASKS("c1", "http_get", "{\"uri\":1}"));
	bed_run(&b, "n");
	CHECK_INT(told(&b, "get http:"), 0);
	CHECK(answers(&b, "url"));
	CHECK(!recorded(&b, "c1/retry/1"));
	bed_close(&b);
}

/* ---- pages --------------------------------------------------------------------------- */

TEST(use_http_get_reads_what_is_allowed)
{
	struct bed b;

	open_with(&b, AGENT(" {}\n"), ASKS("c1", "http_get", "{\"url\":\"http://a.example/x\"}"));
	b.http_hosts = "a.example";
	b.page = "<p>hello</p>";
	b.page_type = "text/html";
	bed_run(&b, "n");
	CHECK(bed_told(&b, "get http://a.example/x"));
	CHECK(answers(&b, "<p>hello</p>"));
	bed_close(&b);
	open_with(&b, AGENT(" {}\n"), ASKS("c1", "http_get", "{\"url\":\"http://b.example/x\"}"));
	b.http_hosts = "a.example";
	bed_run(&b, "n");
	CHECK_INT(told(&b, "get http:"), 0);
	CHECK(answers(&b, "the server may not ask b.example"));
	bed_close(&b);
	open_with(&b, AGENT(" {}\n"), ASKS("c1", "http_get", "{\"url\":\"http://a.example/x\"}"));
	b.http_hosts = "a.example";
	b.page = "GIF89a";
	b.page_type = "image/gif";
	bed_run(&b, "n");
	CHECK(answers(&b, "the page is image/gif; only text can be read"));
	bed_close(&b);
}

TEST(use_http_get_is_tried_again_when_nobody_answers)
{
	struct bed b;

	open_with(&b, AGENT("  http_get: {retries: 1}\n"),
	    ASKS("c1", "http_get", "{\"url\":\"http://a.example/x\"}"));
	b.http_hosts = "a.example";
	bed_run(&b, "n");
	CHECK_INT(told(&b, "get http:"), 2);
	CHECK(answers(&b, "nobody listens"));
	bed_close(&b);
}

/* ---- agents ----------------------------------------------------------------------------- */

#define HELPER                                                              \
	"  helper: {description: helps, agent: {id: helper, state: {n: {}}, "  \
	"nodes: {x: {set: {n: 1}}}, edges: [[START, x]]}}\n"

TEST(use_an_agent_is_a_tool)
{
	struct bed b;

	open_with(&b, AGENT(HELPER), ASKS("c1", "helper", "{\"n\":5}"));
	bed_run(&b, "n");
	CHECK_INT(b.end, BED_DONE);
	CHECK_INT(told(&b, "child tool/"), 1);
	CHECK_INT(told(&b, "/helper helper\n"), 1);
	CHECK(recorded(&b, "c1"));
	bed_close(&b);
}

TEST(use_an_agent_that_fails_is_an_error_for_the_model)
{
	struct bed b;

	open_with(&b, AGENT(HELPER), ASKS("c1", "helper", "{\"n\":5}"));
	b.child_end = CHILD_FAILED;
	bed_run(&b, "n");
	CHECK_INT(b.end, BED_DONE);
	CHECK(answers(&b, "the agent \\\"helper\\\" has failed"));
	bed_close(&b);
}

TEST(use_an_agent_that_waits_makes_the_task_wait)
{
	struct bed b;

	open_with(&b, AGENT(HELPER "  plain: {description: p, reply: \"'here'\"}\n"),
	    "[{\"content\":\"\",\"id\":\"m1\",\"tool_calls\":[{\"id\":\"c1\",\"name\":\"helper\","
	    "\"args\":{\"n\":5}},{\"id\":\"c2\",\"name\":\"plain\",\"args\":{}}],\"type\":\"ai\"}]");
	b.child_end = CHILD_WAITS;
	bed_run(&b, "n");
	CHECK_INT(b.end, BED_WAITS);
	CHECK(recorded(&b, "c2") && !recorded(&b, "c1"));
	b.child_end = CHILD_DONE;
	bed_run(&b, "n");
	CHECK_INT(b.end, BED_DONE);
	CHECK_INT(told(&b, "child tool/"), 2);
	CHECK(answers(&b, "here"));
	bed_close(&b);
}

TEST(use_an_agent_that_takes_too_long_is_stopped)
{
	struct bed b;

	open_with(&b, AGENT("  helper: {timeout: 1s, agent: {id: helper, state: {n: {}}, "
	    "nodes: {x: {set: {n: 1}}}, edges: [[START, x]]}}\n"),
	    ASKS("c1", "helper", "{\"n\":5}"));
	bed_start(&b, "n");
	CHECK_INT(b.events_n, 2);            /* the time, and the child */
	CHECK(bed_step_at(&b, 0));
	CHECK_INT(b.end, BED_DONE);
	CHECK_INT(b.events_n, 0);            /* the child is gone */
	CHECK(answers(&b, "did not answer within 1000 ms; unknown_outcome"));
	CHECK(recorded(&b, "c1"));
	bed_close(&b);
}

TEST(use_an_agent_may_be_run_again_where_the_file_says_so)
{
	struct bed b;

	open_with(&b, AGENT("  helper: {retries: 1, idempotent: true, agent: {id: helper, "
	    "state: {n: {}}, nodes: {x: {set: {n: 1}}}, edges: [[START, x]]}}\n"),
	    ASKS("c1", "helper", "{\"n\":5}"));
	b.child_end = CHILD_FAILED;
	bed_run(&b, "n");
	CHECK_INT(told(&b, "child tool/"), 2);
	CHECK_INT(b.end, BED_DONE);
	bed_close(&b);
}

TEST(use_a_pause_ends_with_its_task)
{
	struct bed b;

	open_with(&b, AGENT("  broken: {retries: 2, idempotent: true}\n"),
	    ASKS("c1", "broken", "{}"));
	bed_start(&b, "n");
	while (!recorded(&b, "c1/retry/1"))
		CHECK(bed_step(&b));
	CHECK_INT(b.events_n, 1);
	task_stop(b.task);
	CHECK_INT(b.events_n, 0);
	bed_close(&b);
}

TEST(use_a_tool_of_the_file_may_have_a_policy_too)
{
	struct bed b;

	bed_open(&b, "id: t\nstate: {m: {}}\ntools: {note: {timeout: 1s}, broken: "
	    "{retries: 1, idempotent: true}}\nnodes: {n: {tool: note, writes: {m: result.content}}, "
	    "b: {tool: broken}}\nedges: [[START, n], [n, b]]\n");
	bed_start(&b, "n");
	CHECK(bed_step_at(&b, 1));
	CHECK(bed_step_at(&b, 0));
	CHECK_INT(b.end, BED_FAILED);
	CHECK(answers(&b, "error.tool.unknown_outcome"));
	bed_step(&b);
	bed_close(&b);
	bed_open(&b, "id: t\nstate: {m: {}}\ntools: {broken: {retries: 1, idempotent: true}}\n"
	    "nodes: {n: {tool: broken}}\nedges: [[START, n]]\n");
	bed_run(&b, "n");
	CHECK_INT(b.end, BED_FAILED);
	CHECK(answers(&b, "error.tool.broken"));
	CHECK_INT(told(&b, " broken {}"), 2);
	bed_close(&b);
}

TEST(use_an_agent_says_what_it_does_not_take)
{
	struct bed b;

	open_with(&b, AGENT(HELPER), ASKS("c1", "helper", "{\"m\":5}"));
	bed_run(&b, "n");
	CHECK_INT(told(&b, "child tool/"), 0);
	CHECK(answers(&b, "argument \\\"m\\\": the agent \\\"helper\\\" does not take it"));
	bed_close(&b);
	open_with(&b, AGENT(" {}\n"), ASKS("c1", "run_agent", "{\"agent\":\"x\",\"input\":\"go\"}"));
	bed_run(&b, "n");
	CHECK(answers(&b, "there is no agent \\\"x\\\" here"));
	bed_close(&b);
}

/* ---- people ------------------------------------------------------------------------------ */

TEST(use_the_file_asks_for_approval)
{
	struct bed b;

	open_with(&b, AGENT("  echo: {approval: {allowed_decisions: [approve, reject]}}\n"),
	    ASKS("c1", "echo", "{}"));
	bed_config(&b, "{\"configurable\":{\"interrupt_on\":{\"echo\":false}}}");
	bed_run(&b, "n");
	CHECK_INT(b.end, BED_WAITS);         /* a run cannot take it away */
	CHECK(answers(&b, "\"allowed_decisions\":[\"approve\",\"reject\"]"));
	bed_answer(&b, "", "{\"decisions\":[{\"type\":\"approve\"}]}");
	bed_run(&b, "n");
	CHECK_INT(b.end, BED_DONE);
	CHECK_INT(told(&b, "tool start c1 echo"), 1);
	bed_close(&b);
}

/* ---- how much ------------------------------------------------------------------------------ */

TEST(use_a_message_may_have_so_many_calls)
{
	struct bed b;
	struct buf m = BUF(MB);

	buf_lit(&m, "[{\"content\":\"\",\"id\":\"m1\",\"tool_calls\":[");
	for (int i = 0; i < LIMIT_TOOL_CALLS + 1; i++)
		buf_add_fmt(&m, "%s{\"id\":\"c%d\",\"name\":\"echo\",\"args\":{}}", i > 0 ? "," : "",
		    i);
	buf_lit(&m, "],\"type\":\"ai\"}]");
	buf_add_char(&m, '\0');
	open_with(&b, AGENT(" {}\n"), m.p);
	bed_run(&b, "n");
	CHECK_INT(told(&b, "tool start "), LIMIT_TOOL_CALLS);
	CHECK(answers(&b, "the call was not made: a message may have 64 calls"));
	bed_close(&b);
	buf_release(&m);
}

TEST(use_results_of_one_message_have_a_size_together)
{
	struct bed b;
	struct buf m = BUF(MB);

	buf_lit(&m, "[{\"content\":\"\",\"id\":\"m1\",\"tool_calls\":[");
	for (int i = 0; i < LIMIT_TOOL_CALLS; i++)
		buf_add_fmt(&m, "%s{\"id\":\"c%d\",\"name\":\"big\",\"args\":{}}", i > 0 ? "," : "", i);
	buf_lit(&m, "],\"type\":\"ai\"}]");
	buf_add_char(&m, '\0');
	open_with(&b, AGENT("  big: {description: b, reply: \"repeat('x', 90000)\"}\n"), m.p);
	bed_run(&b, "n");
	CHECK(answers(&b, "[cut: 90000 bytes; the results of one message may have 4194304 "
	    "together]"));
	bed_close(&b);
	buf_release(&m);
}

/* ---- names ------------------------------------------------------------------------------------ */

TEST(use_names_of_tools_are_checked)
{
	static const char *const names[] = { "current_time", "calculate", "work", NULL };
	static const struct { const char *tools, *error; } rows[] = {
		{ "[calculate, work, mine, files__read, files]", NULL },
		{ "[calculte]", "nodes.n: there is no tool 'calculte'; did you mean "
		  "'calculate'?" },
		{ "[mne]", "nodes.n: there is no tool 'mne'; did you mean 'mine'?" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf text = BUF(64 * KB);
		struct agent *a = NULL;
		struct err e = { 0 };

		buf_add_fmt(&text, "id: t\nstate: {messages: {reducer: messages}}\n"
		    "mcp: {files: {command: [x]}}\ntools: {mine: {reply: '1'}}\nnodes: {n: {llm: {tools: %s}}}\n"
		    "edges: [[START, n]]\n", rows[i].tools);
		CHECK_RC(agent_load(&a, buf_str(&text), S("t.yaml"), &task_kinds, &e), OK);
		if (rows[i].error == NULL) {
			CHECK_RC(agent_check_tools(a, names, &e), OK);
		} else {
			CHECK_RC(agent_check_tools(a, names, &e), ERR_INVALID);
			CHECK(strstr(e.text, rows[i].error) != NULL);
		}
		agent_free(a);
		buf_release(&text);
	}
}

/* Each is a tool of the one before. */
TEST(use_agents_that_are_tools_may_be_so_many)
{
	for (size_t n = LIMIT_AGENT_CALLED; n <= LIMIT_AGENT_CALLED + 1; n++) {
		struct agents *set = agents_new();
		struct err e = { 0 };

		for (size_t i = 0; i < n; i++) {
			struct buf text = BUF(4 * KB);
			struct agent *a = NULL;

			buf_add_fmt(&text, "id: a%zu\nstate: {a: {}}\ntools: {next: {agent: a%zu}}\n"
			    "nodes: {n: {set: {a: 1}}}\nedges: [[START, n]]\n", i, (i + 1) % n);
			CHECK_RC(agent_load(&a, buf_str(&text), S("ring.yaml"), &task_kinds, &e),
			    OK);
			CHECK_RC(agents_add(set, a, &e), OK);
			buf_release(&text);
		}
		CHECK_RC(agents_link(set, &e), n > LIMIT_AGENT_CALLED ? ERR_INVALID : OK);
		agents_free(set);
	}
}
