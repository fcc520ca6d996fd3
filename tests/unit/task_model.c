/*
 * task_model.c - models: what they are asked with, what becomes of the answer,
 * scripted answers, and loops with tools.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task_fix.h"

#include "base/json.h"

#define AGENT(work)                                                         \
	"id: t\n"                                                           \
	"state: {messages: {reducer: messages}, a: {}, b: {default: 2}}\n"  \
	"tools: {search: {description: finds, schema: {type: object}, "     \
	"reply: \"`found ${input.q}`\"}}\n"                                   \
	"nodes: {n: {" work "}}\n"                                          \
	"edges: [[START, n], [n, END]]\n"

#define SAID(text) "{\"content\":\"" text "\",\"additional_kwargs\":{},"    \
	"\"response_metadata\":{},\"tool_calls\":[],\"id\":\"m1\",\"usage_metadata\":" \
	"{\"total_tokens\":3},\"invalid_tool_calls\":[],\"type\":\"ai\"}"

static const char hello[] =
    "[{\"content\":\"hi\",\"additional_kwargs\":{},\"response_metadata\":{},"
    "\"id\":\"h1\",\"type\":\"human\"}]";

/* ---- a model -------------------------------------------------------------------- */

TEST(model_gets_the_conversation_and_writes_its_answer)
{
	struct bed b;

	bed_open(&b, AGENT("llm: {}"));
	bed_set(&b, "messages", hello);
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.request), "test:model||human:hi;|search;");
	CHECK_STR(bed_text(&b), "done {\"message\":" SAID("re hi") ",\"text\":\"re hi\","
	    "\"output\":null,\"usage\":{\"total_tokens\":3}} "
	    "[[\"messages\",[" SAID("re hi") "]]]");
	CHECK_STR(buf_str(&b.told), "stream begin test:model\nstream end\n");
	bed_close(&b);
}

TEST(model_gets_what_the_file_says)
{
	struct bed b;

	bed_open(&b, AGENT("llm: {model: \"test:${b}\", system: \"Be ${a ?? 'kind'}\", "
	    "prompt: \"Say ${b}\", tools: [echo, secret], temperature: b / 4, max_tokens: b}, "
	    "writes: {a: result.text}"));
	bed_set(&b, "messages", hello);
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.request), "test:2|Be kind|human:hi;human:Say 2;|echo;hidden;|0.5|2");
	CHECK(str_ends(bed_text(&b), S(" [[\"a\",\"re Say 2\"]]")));
	bed_close(&b);
	bed_open(&b, AGENT("llm: {messages: \"['one', {role: 'system', content: 'two'}]\"}"));
	bed_set(&b, "messages", hello);
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.request), "test:model||human:one;system:two;|search;");
	bed_close(&b);
}

TEST(model_is_offered_what_the_run_asks_for)
{
	static const struct tool *some[1];
	struct bed b;

	bed_open(&b, AGENT("llm: {}"));
	b.defaults.all_tools = true;
	b.defaults.system_prompt = S("Be short");
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.request), "test:model|Be short||search;current_time;store_put;"
	    "store_search;echo;note;broken;");
	b.defaults.all_tools = false;
	some[0] = tools_find(b.tools, S("hidden"));
	b.defaults.tools = some;
	b.defaults.tools_n = 1;
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.request), "test:model|Be short||search;hidden;");
	bed_close(&b);
}

TEST(model_streams_when_somebody_reads)
{
	struct bed b;

	bed_open(&b, AGENT("llm: {}"));
	b.deltas = true;
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.told), "stream begin test:model\ndelta m1|...\nstream end\n");
	bed_close(&b);
	bed_open(&b, AGENT("llm: {stream: false}"));
	b.deltas = true;
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.told), "stream begin test:model\nstream end\n");
	bed_close(&b);
}

static bool
refuses(struct bed *b, const struct llm_request *q, struct buf *out)
{
	(void)b;
	(void)q;
	(void)out;
	return false;
}

TEST(model_failures_have_the_names_that_clients_know)
{
	struct bed b;

	bed_open(&b, AGENT("llm: {}"));
	b.model = refuses;
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "failed RateLimitError error.llm.rate_limited too many "
	    "requests");
	CHECK_STR(buf_str(&b.told), "stream begin test:model\nstream failed\n");
	bed_close(&b);
	check_work(AGENT("llm: {model: \"nobody:x\"}"),
	    "failed BadRequestError error.llm.invalid_request unknown provider");
}

TEST(model_under_way_is_left_when_the_task_stops)
{
	struct bed b;

	bed_open(&b, AGENT("llm: {}"));
	bed_start(&b, "n");
	CHECK_INT(b.events_n, 1);
	task_stop(b.task);
	CHECK_INT(b.events_n, 0);
	CHECK(bed_told(&b, "stream failed"));
	CHECK_INT(b.end, BED_RUNS);
	bed_close(&b);
}

/* ---- output as JSON ---------------------------------------------------------------- */

static const char *said;

static bool
says(struct bed *b, const struct llm_request *q, struct buf *out)
{
	(void)b;
	(void)q;
	json_add_fmt(out, "{'content':%s,'additional_kwargs':{},'response_metadata':{},"
	    "'tool_calls':[],'id':'m1','invalid_tool_calls':[],'type':'ai'}", said);
	return true;
}

TEST(model_answers_with_json_where_the_file_asks_for_it)
{
	struct bed b;

	bed_open(&b, AGENT("llm: {output: {schema: {type: object, properties: "
	    "{k: {type: number}}}}}, writes: {a: result.output.k}"));
	b.model = says;
	said = "```json\n{\"k\": 7}\n```";
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.request), "test:model||||output {\"type\":\"object\","
	    "\"properties\":{\"k\":{\"type\":\"number\"}}}");
	CHECK(str_ends(bed_text(&b), S(" [[\"a\",7]]")));
	bed_crash(&b, b.journal_n);          /* each attempt asks anew */
	said = "Sure!";
	bed_run(&b, "n");
	CHECK(str_starts(bed_text(&b), S("failed ToolValidationError "
	    "error.llm.tool_validation the model was told 2 times, and still: it is not "
	    "JSON: ")));
	CHECK_INT(b.asked, 4);               /* once before it */
	bed_crash(&b, b.journal_n);
	said = "{\"k\": \"seven\"}";
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "failed ToolValidationError error.llm.tool_validation the "
	    "model was told 2 times, and still: member \"k\": expected a number, got a "
	    "string");
	bed_close(&b);
	bed_open(&b, AGENT("llm: {output: {schema: {pattern: x}}}, "
	    "writes: {a: result.output}"));
	b.model = says;                      /* a keyword that nobody checks */
	said = "7";
	bed_run(&b, "n");
	CHECK(str_ends(bed_text(&b), S(" [[\"a\",7]]")));
	CHECK_STR(buf_str(&b.request), "test:model|Answer with JSON alone, without other "
	    "words, that agrees with this JSON Schema: {\"pattern\":\"x\"}||");
	bed_close(&b);
}

/* ---- answers of the file ------------------------------------------------------------- */

TEST(scripted_answers_go_by_the_turns_of_the_thread)
{
	struct bed b;

	bed_open(&b, AGENT("do: [{llm: {replies: [begin, \"end ${b}\"], chunk: 1, "
	    "id: \"ai-${len(messages ?? [])}\"}}, {llm: {replies: [begin, \"end ${b}\"], "
	    "chunk: word}}, {llm: {replies: [begin, \"end ${b}\"]}, writes: "
	    "{a: result.text}}]"));
	b.deltas = true;
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.told), "stream begin scripted:reply\ndelta ai-0|b\ndelta ai-0|e\n"
	    "delta ai-0|g\ndelta ai-0|i\ndelta ai-0|n\nstream end\n"
	    "stream begin scripted:reply\ndelta new-id|end\ndelta new-id| 2\nstream end\n"
	    "stream begin scripted:reply\ndelta new-id|begin\nstream end\n");
	CHECK(str_ends(bed_text(&b), S("[\"a\",\"begin\"]]")));
	CHECK_INT(b.asked, 0);
	bed_close(&b);
}

TEST(scripted_answer_may_be_a_message_with_calls)
{
	struct bed b;

	bed_open(&b, AGENT("llm: {reply: \"{content: 'x', tool_calls: [{id: 'c1', "
	    "name: 'search', args: {q: b}}]}\"}, writes: {a: result.tool_calls}"));
	b.deltas = true;
	bed_run(&b, "n");
	CHECK(bed_told(&b, "delta call c1 search {\\\"q\\\":2}\n"));
	CHECK(str_ends(bed_text(&b),
	    S(" [[\"a\",[{\"id\":\"c1\",\"name\":\"search\"}]]]")));
	bed_close(&b);
	check_work(AGENT("llm: {reply: \"{type: 'human', content: 'x'}\"}"),
	    "failed InternalServerError error.llm.backend line 4: llm.reply: expected an ai "
	    "message");
}

/* ---- loops ------------------------------------------------------------------------------ */

/* Asks for a tool until it sees an answer of one. */
static bool
uses_tools(struct bed *b, const struct llm_request *q, struct buf *out)
{
	struct val m = val_json_trusted(q->messages[q->messages_n - 1]);
	struct val type = val_get(m, S("type"));
	bool told = str_eq(val_str(type), S("tool"));

	json_add_fmt(out, "{'content':%s,'additional_kwargs':{},'response_metadata':{},"
	    "'tool_calls':[%-s],'id':'m%zu','invalid_tool_calls':[],'type':'ai'}",
	    told ? "seen" : "", told ? "" :
	    "{\"id\":\"c1\",\"name\":\"search\",\"args\":{\"q\":\"v3\"}}", b->asked);
	val_drop(m);
	return true;
}

TEST(loop_runs_tools_and_asks_again)
{
	struct bed b;

	bed_open(&b, AGENT("llm: {tools: [search], prompt: go, max_turns: 3}, "
	    "writes: {a: result.text}"));
	b.model = uses_tools;
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.request), "test:model||human:go;ai:;tool:found v3;|search;");
	CHECK(str_ends(bed_text(&b), S(" [[\"a\",\"seen\"]]")));
	CHECK_INT(b.asked, 2);
	bed_crash(&b, 1);                    /* the last turn is lost */
	bed_run(&b, "n");
	CHECK_INT(b.asked, 3);
	CHECK(str_ends(bed_text(&b), S(" [[\"a\",\"seen\"]]")));
	CHECK_STR(buf_str(&b.request), "test:model||human:go;ai:;tool:found v3;|search;");
	bed_close(&b);
}

TEST(loop_writes_the_whole_conversation_by_default)
{
	struct bed b;

	bed_open(&b, AGENT("llm: {tools: [search], max_turns: 3}"));
	bed_set(&b, "messages", hello);
	b.model = uses_tools;
	bed_run(&b, "n");
	CHECK_STR(buf_str(&b.request), "test:model||human:hi;ai:;tool:found v3;|search;");
	CHECK(str_contains(bed_text(&b), S("[[\"messages\",[{\"content\":\"\"")));
	CHECK(str_contains(bed_text(&b), S("],[\"messages\",[{\"status\":\"success\"")));
	CHECK(str_contains(bed_text(&b), S("],[\"messages\",[{\"content\":\"seen\"")) ||
	    str_contains(bed_text(&b), S("]],[\"messages\",[{\"content\":\"seen\"")));
	bed_close(&b);
}

TEST(loop_ends_after_its_turns)
{
	struct bed b;

	bed_open(&b, AGENT("llm: {tools: [search], prompt: go, max_turns: 1}"));
	b.model = uses_tools;
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "failed MaxTurnsError error.llm.max_turns the model still "
	    "asks for tools after 1 turns");
	bed_close(&b);
}
