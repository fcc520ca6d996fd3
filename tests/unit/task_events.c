/*
 * task_events.c - events of models: what may be posted, what is told to the model
 * instead, and that each is posted once whatever crashes; what clients put into a
 * conversation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task_fix.h"

#include "base/json.h"

#define CHART(llm)                                                                 \
	"id: t\n"                                                                  \
	"state: {messages: {reducer: messages}}\n"                                 \
	"tools: {search: {description: finds, reply: \"'found'\"}}\n"              \
	"initial: n\n"                                                             \
	"states:\n"                                                                \
	"  n: {llm: " llm ", on: {paid: {}, quit: z, done: z}}\n"                  \
	"  z: {type: final}\n"
#define GRAPH(llm)                                                                 \
	"id: t\n"                                                                  \
	"state: {messages: {reducer: messages}}\n"                                 \
	"tools: {search: {description: finds, reply: \"'found'\"}}\n"              \
	"nodes: {n: {llm: " llm "}}\n"                                             \
	"edges: [[START, n]]\n"
#define EVENTS "{paid: {schema: {type: object, properties: {n: {type: integer}}, "  \
	"required: [n]}}, quit: {description: to end}}"

/* ---- a model that says what it is told to ---------------------------------------- */

static const char *const *lines;             /* by the answers in the conversation */

/* "text" or "calls": [name args], "!name" is an invalid call. */
static bool
says(struct bed *b, const struct llm_request *q, struct buf *out)
{
	struct buf calls = BUF(MB), invalid = BUF(MB);
	const char *what;
	struct str rest, word;
	size_t line = 0;

	(void)b;
	for (size_t i = 0; i < q->messages_n; i++)
		line += str_ends(q->messages[i], S("\"type\":\"ai\"}"));
	what = lines[line++];
	rest = str_of(what);
	while (rest.n > 0 && *what == '[') {
		ptrdiff_t end = str_index(rest, ']');
		struct buf *to;
		ptrdiff_t gap;

		word = str_sub(rest, 1, (size_t)end - 1);
		rest = str_sub(rest, (size_t)end + 1, SIZE_MAX);
		gap = str_index(word, ' ');
		to = word.p[0] == '!' ? &invalid : &calls;
		if (word.p[0] == '!') {
			json_add_fmt(to, "{'name':%.*s,'args':'{','id':'c%zu','error':'cut off',"
			    "'type':'invalid_tool_call'}", FMT(str_sub(word, 1, SIZE_MAX)), to->n + line * 1000);
			continue;
		}
		buf_add_fmt(to, "%s{\"name\":", to->n > 0 ? "," : "");
		json_add_str(to, str_sub(word, 0, (size_t)gap));
		buf_add_fmt(to, ",\"args\":%.*s,\"id\":\"c%zu\",\"type\":\"tool_call\"}",
		    FMT(str_sub(word, (size_t)gap + 1, SIZE_MAX)), to->n + line * 1000);
	}
	json_add_fmt(out, "{'content':%s,'additional_kwargs':{},'response_metadata':{},"
	    "'tool_calls':[", *what == '[' ? "" : what);
	buf_add(out, buf_str(&calls));
	json_add_fmt(out, "],'id':'m%zu','invalid_tool_calls':[", line);
	buf_add(out, buf_str(&invalid));
	json_add_fmt(out, "],'type':'ai'}");
	buf_release(&calls);
	buf_release(&invalid);
	return true;
}

/* As a chart does: what was written so far is in its state. */
static struct buf posted;
static size_t took;
static bool leaves;                          /* `quit` leaves the state */

static void
on_post(void *ctx, struct str key, struct str json, const struct task_event *ev, size_t n,
    bool again)
{
	struct bed *b = ctx;
	size_t writes;
	const struct task_write *w = task_writes(b->task, &writes);
	struct err e;

	if (again) {
		took = writes;
		return;
	}
	for (; took < writes; took++)
		CHECK_RC(channels_put(b->state, w[took].channel, w[took].value,
		    REDUCE_STORED, &e), OK);
	b->host.record_done(ctx, key, S("events"), json);
	for (size_t i = 0; i < n; i++) {
		buf_add_fmt(&posted, "%.*s", FMT(ev[i].name));
		val_add_json(&posted, ev[i].data);
		buf_add_char(&posted, ';');
		if (leaves && str_eq(ev[i].name, S("quit"))) {
			task_stop(b->task);
			b->end = BED_DONE;
			return;
		}
	}
}

static void
open_with(struct bed *b, const char *agent, const char *const *script)
{
	bed_open(b, agent);
	bed_set(b, "messages", "[{\"content\":\"hi\",\"additional_kwargs\":{},"
	    "\"response_metadata\":{},\"id\":\"h1\",\"type\":\"human\"}]");
	b->host.post = on_post;
	b->model = says;
	lines = script;
	took = 0;
	leaves = true;
	buf_release(&posted);
	posted = BUF(MB);
}

/* ---- what becomes of a call --------------------------------------------------------- */

TEST(events_are_what_the_file_declares_and_nothing_else)
{
	static const struct { const char *llm; const char *lines[6]; const char *posted, *end; }
	rows[] = {
		{ "{events: " EVENTS "}", { "[event__paid {\"n\":1}]" }, "paid{\"n\":1};",
		    "done" },
		{ "{events: " EVENTS "}", { "hello" }, "", "done" },
		{ "{events: " EVENTS "}", { "" }, "", "done" },
		{ "{events: " EVENTS ", max_turns: 4}", { "[event__paid {\"n\":1}][event__paid "
		    "{\"n\":2}]", "bye" }, "paid{\"n\":1};paid{\"n\":2};", "done" },
		{ "{events: " EVENTS ", max_turns: 4}", { "[event__paid {\"n\":1}][event__quit "
		    "{}][event__paid {\"n\":2}]" }, "paid{\"n\":1};quit{};", "" },
		/* after the tools of the same answer */
		{ "{events: " EVENTS ", max_turns: 4}", { "[event__quit {}][search {}]" },
		    "quit{};", "" },
		/* wrong data, then right */
		{ "{events: " EVENTS "}", { "[event__paid {}]", "[event__paid {\"n\":7}]" },
		    "paid{\"n\":7};", "done" },
		{ "{events: " EVENTS "}", { "[!event__paid]", "[event__paid {\"n\":7}]" },
		    "paid{\"n\":7};", "done" },
		{ "{events: " EVENTS "}", { "[event__paid {}]", "[event__paid {}]",
		    "[event__paid {}]" }, "", "failed ToolValidationError "
		    "error.llm.tool_validation the model was told 2 times, and still: Error: the "
		    "data of the event is not what it is declared to be: member \"n\": missing. "
		    "Call it again with data that is." },
		/* names that are none of them never arrive */
		{ "{events: " EVENTS "}", { "[event__done.invoke.n {}]", "[event__ {}]",
		    "[event__error.execution {}]" }, "", "failed ToolValidationError "
		    "error.llm.tool_validation the model was told 2 times, and still: Error: "
		    "there is no event \"error.execution\". There are: event__paid, "
		    "event__quit" },
		{ "{events: " EVENTS "}", { "[event__PAID {\"n\":1}]", "[event__paid\\u0000 "
		    "{\"n\":1}]", "[event__paid* {}]" }, "", "failed ToolValidationError "
		    "error.llm.tool_validation the model was told 2 times, and still: Error: "
		    "there is no event \"paid*\". There are: event__paid, event__quit" },
		/* for ever */
		{ "{events: " EVENTS ", max_turns: 2}", { "[event__paid {\"n\":1}]",
		    "[event__paid {\"n\":2}]" }, "paid{\"n\":1};paid{\"n\":2};",
		    "failed MaxTurnsError error.llm.max_turns the model still asks for tools "
		    "after 2 turns" },
		{ "{events: " EVENTS ", max_turns: 2}", { "[nothing {}]", "[ {}]" }, "",
		    "failed MaxTurnsError error.llm.max_turns the model still asks for tools "
		    "after 2 turns" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bed b;
		struct buf agent = BUF(MB);

		buf_add_fmt(&agent, "id: t\nstate: {messages: {reducer: messages}}\n"
		    "tools: {search: {description: finds, reply: \"'found'\"}}\ninitial: n\n"
		    "states:\n  n: {llm: %s, on: {paid: {}, quit: z, done: z}}\n"
		    "  z: {type: final}\n%c", rows[i].llm, '\0');
		open_with(&b, agent.p, rows[i].lines);
		bed_run(&b, "n");
		CHECK_STR(buf_str(&posted), rows[i].posted);
		if (!str_starts(bed_text(&b), str_of(rows[i].end)))
			CHECK_STR(bed_text(&b), rows[i].end);
		bed_close(&b);
		buf_release(&agent);
	}
	buf_release(&posted);
}

TEST(events_are_tools_of_the_request_and_their_calls_are_answered)
{
	static const char *const script[] = { "[event__paid {\"n\":1}][search {}]", "bye", NULL };
	struct bed b;

	open_with(&b, CHART("{events: " EVENTS ", max_turns: 3}"), script);
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.request), "test:model||human:hi;ai:;tool:found;tool:The event was "
	    "posted.;|search;event__paid;event__quit;");
	bed_close(&b);
	buf_release(&posted);
}

TEST(events_of_a_graph_are_in_the_result)
{
	static const char *const script[] = { "[event__paid {\"n\":1}]", NULL };
	struct bed b;

	open_with(&b, GRAPH("{events: " EVENTS ", max_turns: 3}, writes: {messages: "
	    "string(result.events)}"), script);
	bed_run(&b, "n");
	CHECK_INT(posted.n, 0);
	CHECK(bed_text(&b).n > 0 && strstr(b.text.p, "\\\"name\\\":\\\"paid\\\"") != NULL);
	bed_close(&b);
	buf_release(&posted);
}

/* A crash after each thing that happens: nothing is posted twice, and the next turn
 * is asked with the same conversation. */
TEST(events_are_posted_once_whatever_crashes)
{
	static const char *const script[] = { "[event__paid {\"n\":1}]", "[search {}]",
		"[event__paid {\"n\":2}][search {}]", "bye", NULL };
	static const char end[] = "human:hi;ai:;tool:The event was posted.;ai:;tool:found;ai:;"
	    "tool:found;tool:The event was posted.;|";
	struct bed b;

	for (size_t crash = 0; crash < 8; crash++) {
		bool crashed = false;

		open_with(&b, CHART("{events: " EVENTS ", max_turns: 9}"), script);
		bed_start(&b, "n");
		for (size_t i = 0; b.end == BED_RUNS; i++) {
			if (i == crash && !crashed) {
				crashed = true;
				bed_crash(&b, 0);
				took = 0;
				bed_start(&b, "n");
			}
			if (b.end == BED_RUNS)
				bed_step(&b);
		}
		CHECK_STR(buf_str(&posted), "paid{\"n\":1};paid{\"n\":2};");
		CHECK(strstr(b.request.p, end) != NULL);
		CHECK(b.end == BED_DONE);
		bed_close(&b);
	}
	buf_release(&posted);
}

/* ---- what clients put in ---------------------------------------------------------------- */

static void
inject(struct bed *b, const char *text, int rc)
{
	struct buf key = BUF(KB), json = BUF(KB);
	struct val m;

	json_add_fmt(&json, "{'content':%s,'additional_kwargs':{},'response_metadata':{},"
	    "'id':%s,'type':'human'}", text, text);
	m = val_json_trusted(buf_str(&json));
	CHECK_RC(task_event(b->task, S("inject"), m, &key), rc);
	if (rc == OK)
		b->host.record_done(b, buf_str(&key), S("inject"), buf_str(&json));
	val_drop(m);
	buf_release(&key);
	buf_release(&json);
}

TEST(next_turn_hears_what_a_client_puts_in)
{
	static const char *const script[] = { "[search {}]", "one", "two", NULL };
	static const char *const agents[] = { CHART("{max_turns: 5}"), CHART("{}") };
	static const char *const asked[] = {
		"test:model||human:hi;ai:;tool:found;human:wait;ai:one;human:and;|search;",
		"test:model||human:hi;human:wait;ai:one;human:and;|search;",
	};
	struct bed b;

	for (size_t i = 0; i < COUNT(agents); i++) {
		for (size_t crash = 0; crash < 4; crash++) {
			open_with(&b, agents[i], i == 0 ? script : script + 1);
			bed_start(&b, "n");
			if (i == 0)
				inject(&b, "wait", OK);
			else {               /* before it is asked for the first time */
				bed_crash(&b, 0);
				b.host.record_done(&b, S("inject/0"), S("inject"),
				    S("{\"content\":\"wait\",\"additional_kwargs\":{},"
				    "\"response_metadata\":{},\"id\":\"wait\",\"type\":\"human\"}"));
				bed_start(&b, "n");
			}
			if (crash == 1) {
				bed_crash(&b, 0);
				bed_start(&b, "n");
			}
			if (i == 0)
				bed_step(&b);
			if (crash == 2) {
				bed_crash(&b, 0);
				bed_start(&b, "n");
			}
			inject(&b, "and", OK);
			if (crash == 3) {
				bed_crash(&b, 0);
				bed_start(&b, "n");
			}
			while (b.end == BED_RUNS)
				bed_step(&b);
			CHECK(b.end == BED_DONE);
			inject(&b, "late", ERR_CONFLICT);
			if (crash == 0 && i == 1)
				CHECK_STR(buf_str(&b.request), asked[i]);
			bed_close(&b);
		}
	}
	buf_release(&posted);
}
