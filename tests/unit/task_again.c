/*
 * task_again.c - attempts: after a question, after a crash at any event, in any
 * order of events, a task comes to the same end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task_fix.h"

#include "base/json.h"

#define AGENT(work)                                                         \
	"id: t\n"                                                           \
	"state: {messages: {reducer: messages}, log: {reducer: append, default: []}, " \
	"sum: {reducer: sum, default: 0}, a: {}, b: {default: 2}}\n"        \
	"nodes: {n: {" work "}}\n"                                          \
	"edges: [[START, n], [n, END]]\n"

/* ---- questions -------------------------------------------------------------------- */

TEST(ask_is_exactly_its_value_or_an_object)
{
	struct bed b;

	check_work(AGENT("ask: {value: \"'sure?'\"}"), "waits  \"sure?\"");
	check_work(AGENT("ask: {prompt: \"Publish ${b}?\", options: [yes, no], "
	    "schema: {type: string}}"), "waits  {\"prompt\":\"Publish 2?\",\"options\":"
	    "[\"yes\",\"no\"],\"schema\":{\"type\":\"string\"}} schema {\"type\":\"string\"}");
	bed_open(&b, AGENT("ask: {prompt: p}, writes: {a: result.value.x}"));
	bed_answer(&b, "", "{\"x\":false}");
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "done {\"value\":{\"x\":false}} [[\"a\",false]]");
	bed_close(&b);
}

TEST(ask_again_has_the_same_key_and_what_was_done_is_kept)
{
	struct bed b;

	bed_open(&b, AGENT("do: [{emit: {data: 1}}, {llm: {prompt: one}}, "
	    "{ask: {value: \"'q1'\"}, writes: {a: result.value}}, {emit: {data: a}}, "
	    "{ask: {value: \"[a, 'q2']\"}, writes: {b: result.value}}]"));
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "waits 2 \"q1\"");
	bed_run(&b, "n");                    /* no answer: asked again */
	CHECK_STR(bed_text(&b), "waits 2 \"q1\"");
	bed_answer(&b, "2", "\"one\"");
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "waits 4 [\"one\",\"q2\"]");
	bed_answer(&b, "4", "\"two\"");
	bed_run(&b, "n");
	CHECK(str_starts(bed_text(&b), S("done {\"value\":\"two\"} [[\"messages\",[")));
	CHECK(str_ends(bed_text(&b), S(",[\"a\",\"one\"],[\"b\",\"two\"]]")));
	CHECK_INT(b.asked, 1);
	CHECK_STR(buf_str(&b.told), "emit  1\nstream begin test:model\nstream end\n"
	    "emit  \"one\"\n");
	bed_close(&b);
}

#define QUESTIONS AGENT("map: {over: range(3), as: i, do: [{wait: {ms: 10 * i + 10}}, "  \
	"{ask: {value: i}, writes: {log: \"[result.value]\"}}, {emit: {data: i}}]}")

TEST(questions_of_a_map_are_answered_in_any_order)
{
	static const char *const keys[] = { "map/0/1", "map/1/1", "map/2/1" };
	static const int orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 }
	};

	for (size_t i = 0; i < COUNT(orders); i++) {
		struct bed b;
		msec began;

		bed_open(&b, QUESTIONS);
		began = b.now;
		bed_run(&b, "n");
		CHECK_STR(bed_text(&b), "waits map/0/1 0 map/1/1 1 map/2/1 2");
		for (int k = 0; k < 3; k++) {
			char answer[16];

			snprintf(answer, sizeof answer, "\"a%d\"", orders[i][k]);
			bed_answer(&b, keys[orders[i][k]], answer);
			bed_run(&b, "n");
			CHECK_INT(b.end, k < 2 ? BED_WAITS : BED_DONE);
		}
		CHECK_STR(bed_text(&b), "done [null,null,null] [[\"log\",[\"a0\"]],"
		    "[\"log\",[\"a1\"]],[\"log\",[\"a2\"]]]");
		CHECK_INT(b.now - began, 30);        /* waited once */
		CHECK_INT(str_contains(buf_str(&b.told), S("emit  1\n")), 1);
		bed_close(&b);
	}
}

TEST(question_does_not_stop_the_others)
{
	struct bed b;

	bed_open(&b, AGENT("map: {over: range(3), as: i, do: [{ask: {value: i}, "
	    "when: i == 1}, {wait: {ms: 50}}, {set: {log: \"[i]\"}}]}"));
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), "waits map/1/0 1");
	CHECK_INT(b.journal_n, 2);           /* the others have waited */
	bed_answer(&b, "map/1/0", "1");
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b),
	    "done [null,null,null] [[\"log\",[0]],[\"log\",[1]],[\"log\",[2]]]");
	bed_close(&b);
}

TEST(failure_wins_over_a_question)
{
	check_work(AGENT("map: {over: range(2), as: i, do: [{ask: {value: i}, when: i == 0}, "
	    "{wait: {ms: 50}}, {fail: boo}]}"), "failed Error error.execution boo");
}

/* ---- stopping from inside ------------------------------------------------------------ */

static void
stop_at_once(void *ctx, struct str name, struct val data)
{
	struct bed *b = ctx;
	struct task *t = b->task;

	(void)name;
	(void)data;
	b->end = BED_DONE;
	if (t != NULL)
		task_stop(t);
}

TEST(task_may_be_stopped_from_a_callback)
{
	struct bed b;

	bed_open(&b, AGENT("do: [{wait: {ms: 1}}, {emit: {data: 1}}, {set: {a: 1}}]"));
	b.host.emit = stop_at_once;
	bed_start(&b, "n");
	bed_step(&b);
	CHECK_INT(b.text.n, 0);
	bed_close(&b);
}

static void
free_at_once(void *ctx, struct val result)
{
	struct bed *b = ctx;
	struct task *t = b->task;

	CHECK(result.kind == VAL_NULL);
	b->end = BED_DONE;
	b->task = NULL;
	task_free(t);
}

TEST(task_may_be_freed_from_its_end)
{
	struct bed b;

	bed_open(&b, AGENT("do: [{wait: {ms: 1}}, {set: {a: 1}}]"));
	b.host.done = free_at_once;
	bed_start(&b, "n");
	bed_step(&b);
	CHECK_INT(b.end, BED_DONE);
	bed_close(&b);
}

/* ---- any tree, any crash, any order ----------------------------------------------------- */

/* Writes a random work tree as JSON.  Names are unique, so that parallel parts do
 * not meet in the store. */
struct grower {
	struct bed *b;                       /* its random numbers */
	struct buf out;
	unsigned serial, budget;
};

static void
grow_works(struct grower *g, unsigned depth);

static void
grow_leaf(struct grower *g)
{
	unsigned n = g->serial++;

	switch (bed_random(g->b, 12)) {
	case 0:
		json_add_fmt(&g->out, "{'set':{'log':'[%u, sum]','sum':'len(log)'}}", n);
		break;
	case 1:
		json_add_fmt(&g->out, "{'emit':{'data':%u}}", n);
		break;
	case 2:
		json_add_fmt(&g->out, "{'llm':{'reply':'`r%u ${sum}`'},"
		    "'writes':{'log':'[result.text]'}}", n);
		break;
	case 3:
		json_add_fmt(&g->out, "{'llm':{'prompt':'p%u ${len(log)}'},"
		    "'writes':{'log':'[result.text]','sum':1}}", n);
		break;
	case 4:
		json_add_fmt(&g->out, "{'wait':{'ms':%u}}", 1 + bed_random(g->b, 50));
		break;
	case 5:
		json_add_fmt(&g->out, "{'store':{'put':{'namespace':['u'],'key':'k%u',"
		    "'value':{'x':'sum'}}}}", n);
		break;
	case 6:
		json_add_fmt(&g->out, "{'store':{'get':{'namespace':['u'],'key':'k%u'}},"
		    "'writes':{'log':'[result.value.x]'}}", n - 1);
		break;
	case 7:
		json_add_fmt(&g->out, "{'ask':{'value':'[%u, sum]'},"
		    "'writes':{'log':'[result.value]','sum':1}}", n);
		break;
	case 8:
		json_add_fmt(&g->out, "{'llm':{'prompt':'use tools %u','max_turns':3,"
		    "'tools':['search','echo']},'writes':{'log':'[result.text]'}}", n);
		break;
	case 9:
		json_add_fmt(&g->out, "{'agent':{'id':'kid','state':{'log':{'reducer':"
		    "'append'}},'nodes':{'k':{'set':{'log':'[1]'}}},'edges':[['START','k']]},"
		    "'input':{'log':'[sum, %u]'},'writes':{'log':'[result.answer.log]'}}", n);
		break;
	case 10:
		json_add_fmt(&g->out, "{'store':{'search':{'namespace':['u%u']}},"
		    "'writes':{'log':'[result[0].ns]'}}", n);
		break;
	default:
		json_add_fmt(&g->out, "{'tool':{'name':'echo','args':{'x':'sum'}},"
		    "'writes':{'log':'[result.content]'}}");
	}
}

static void
grow(struct grower *g, unsigned depth)
{
	uint32_t kind = bed_random(g->b, 10);

	if (depth == 0 || g->budget == 0 || kind < 5) {
		grow_leaf(g);
		return;
	}
	g->budget--;
	if (kind < 7) {
		json_add_fmt(&g->out, "{'do':");
		grow_works(g, depth - 1);
	} else if (kind < 9) {
		json_add_fmt(&g->out, "{'map':{'over':'range(%u)','as':'e%u',"
		    "'concurrency':%u,'do':", bed_random(g->b, 4), g->serial++,
		    1 + bed_random(g->b, 3));
		grow_works(g, depth - 1);
		buf_add_char(&g->out, '}');
	} else {
		json_add_fmt(&g->out, "{'repeat':{'times':%u,'as':'e%u','do':",
		    bed_random(g->b, 3), g->serial++);
		grow_works(g, depth - 1);
		buf_add_char(&g->out, '}');
	}
	buf_add_char(&g->out, '}');
}

static void
grow_works(struct grower *g, unsigned depth)
{
	unsigned n = 1 + bed_random(g->b, 4);

	buf_add_char(&g->out, '[');
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(&g->out, ',');
		grow(g, depth);
	}
	buf_add_char(&g->out, ']');
}

static char *
grow_agent(uint64_t seed)
{
	struct bed b = { .seed = seed };
	struct grower g = { .b = &b, .out = BUF(MB), .budget = 12 };
	char *text;

	json_add_fmt(&g.out, "{'id':'t','state':{'messages':{'reducer':'messages'},"
	    "'log':{'reducer':'append','default':[]},'sum':{'reducer':'sum','default':0}},"
	    "'tools':{'search':{'description':'finds','schema':{'type':'object'},"
	    "'reply':'[input.q, sum]'}},"
	    "'edges':[['START','n'],['n','END']],'nodes':{'n':{'do':");
	grow_works(&g, 3);
	buf_lit(&g.out, "}}}");
	text = mem_cstr(buf_str(&g.out));
	buf_release(&g.out);
	return text;
}

/* Answers one of the open questions by its key; or the first of them. */
static void
answer_some(struct bed *b, bool any)
{
	size_t n;
	const struct task_interrupt *in = task_interrupts(b->task, &n);
	struct buf answer = BUF(MB);
	size_t i;
	char *key;

	CHECK(n > 0);
	i = any ? bed_random(b, (uint32_t)n) : 0;
	key = mem_cstr(in[i].key);
	if (in[i].value.kind == VAL_OBJECT)
		json_add_fmt(&answer, "{'decisions':[{'type':'approve'}]}");
	else
		json_add_fmt(&answer, "%s", key);
	bed_answer(b, key, answer.p);
	buf_release(&answer);
	free(key);
}

/* Asks for both tools where it is told to use them. */
static bool
uses_tools(struct bed *b, const struct llm_request *q, struct buf *out)
{
	struct val m = val_json_trusted(q->messages[q->messages_n - 1]);
	struct buf said = BUF(MB);
	bool wants;

	(void)b;
	call_add_content(&said, val_get(m, S("content")));
	wants = str_starts(buf_str(&said), S("use"));
	json_add_fmt(out, "{'content':%.*s,'additional_kwargs':{},'response_metadata':{},"
	    "'tool_calls':[%-s],'id':'m%zu','invalid_tool_calls':[],'type':'ai'}",
	    FMT(buf_str(&said)), wants ?
	    "{\"id\":\"c1\",\"name\":\"search\",\"args\":{\"q\":1}},"
	    "{\"id\":\"c2\",\"name\":\"echo\",\"args\":{\"x\":2}}" : "", q->messages_n);
	buf_release(&said);
	val_drop(m);
	return true;
}

/* One way through.  crash_at: after so many events; SIZE_MAX: never. */
static void
live_through(struct bed *b, const char *agent, uint64_t seed, size_t crash_at, bool shuffle,
    bool review)
{
	bed_open(b, agent);
	b->seed = seed;
	b->model = uses_tools;
	bed_config(b, review ? "{\"configurable\":{\"interrupt_on\":{\"echo\":true}}}" :
	    "{}");
	bed_start(b, "n");
	for (;;) {
		if (b->end == BED_DONE || b->end == BED_FAILED)
			return;
		if (b->end == BED_WAITS) {
			answer_some(b, shuffle);
			bed_start(b, "n");
			continue;
		}
		if (b->happened == crash_at) {
			b->happened++;
			bed_crash(b, bed_random(b, 3));
			bed_start(b, "n");
			continue;
		}
		CHECK(shuffle ? bed_step_at(b, bed_random(b, (uint32_t)b->events_n)) :
		    bed_step(b));
	}
}

static void
check_tree(uint64_t seed)
{
	char *agent = grow_agent(seed);
	struct bed calm, wild;
	bool review = seed % 3 == 0;
	size_t events;

	live_through(&calm, agent, seed, SIZE_MAX, false, review);
	events = calm.happened;
	for (size_t i = 0; i <= events && i < 60; i++) {
		live_through(&wild, agent, seed * 31 + i, i, i % 2 == 1, review);
		if (!str_eq(bed_text(&calm), bed_text(&wild)))
			test_fail(__FILE__, __LINE__, "seed %llu, crash %zu of %zu\n%s\n%.*s\n%.*s",
			    (unsigned long long)seed, i, events, agent,
			    FMT(bed_text(&calm)), FMT(bed_text(&wild)));
		bed_close(&wild);
	}
	bed_close(&calm);
	free(agent);
}

TEST(any_tree_ends_the_same_after_a_crash_at_any_event)
{
	for (uint64_t seed = 1; seed <= test_rounds(120); seed++)
		check_tree(seed);
}
