/*
 * api_hear.c - what an agent says, out of the frames of its run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "agent/agent.h"
#include "api/hear.h"
#include "base/limits.h"
#include "task/kinds.h"

#define PLACE "{\"tags\":[],\"langgraph_node\":\"n\"}"
#define DELTA(ns, id, text) "event: messages|" ns "\ndata: [{\"content\":\"" text          \
	"\",\"tool_call_chunks\":[],\"additional_kwargs\":{},\"id\":\"" id "\","           \
	"\"response_metadata\":{\"usage\":{}},\"tool_calls\":[],\"type\":\"ai\"}," PLACE "]\nid: 1\n\n"
#define FINISH(ns, id, why) "event: messages|" ns "\ndata: [{\"content\":\"\","            \
	"\"tool_call_chunks\":[],\"additional_kwargs\":{},\"id\":\"" id "\","              \
	"\"response_metadata\":{\"finish_reason\":\"" why "\"},\"type\":\"ai\"}," PLACE "]\n\n"
#define WHOLE(ns, id, content, type) "event: messages|" ns "\ndata: [{\"content\":" content  \
	",\"id\":\"" id "\",\"type\":\"" type "\"},{\"tags\":[\"graph:step:1\"],\"name\":\"n\"}]\n\n"

/* What was told: "<id>text<id>text". */
struct ear { struct hearing h; struct buf told; struct agent *agent; };

static void
on_message(void *ctx, struct str id)
{
	struct ear *e = ctx;

	buf_add_fmt(&e->told, "<%.*s>", FMT(id));
}

static void
on_text(void *ctx, struct str raw)
{
	struct ear *e = ctx;

	buf_add(&e->told, raw);
}

static void
ear_open(struct ear *e, const char *definition)
{
	struct err why = { 0 };

	*e = (struct ear){ .h = { .message = on_message, .text = on_text, .ctx = e },
	    .told = BUF(64 * KB) };
	if (definition != NULL)
		CHECK_RC(agent_load(&e->agent, str_of(definition), S("t.yaml"), &task_kinds,
		    &why), OK);
	CHECK_STR(str_of(why.text), "");
	hearing_init(&e->h, e->agent);
}

static void
ear_close(struct ear *e, const char *told)
{
	hearing_end(&e->h);
	CHECK_STR(buf_str(&e->told), told);
	hearing_release(&e->h);
	agent_free(e->agent);
	buf_release(&e->told);
}

#define ONE "id: one\nstate: {messages: {reducer: messages}, route: {}}\nnodes:\n"          \
	"  router: {llm: {}, writes: {route: result.text}}\n"                               \
	"  chat: {llm: {}}\n"                                                               \
	"  both: {do: [{set: {route: \"'x'\"}}, {llm: {}, writes: {messages: result.message}}]}\n"    \
	"  sub: {agent: {id: in, state: {messages: {reducer: messages}, x: {}}, nodes: {\n"  \
	"    think: {llm: {}, writes: {x: result.text}}, talk: {llm: {}}},\n"                \
	"    edges: [[START, think], [think, talk]]}}\n"                                    \
	"edges: [[START, router], [router, chat], [chat, both], [both, sub]]\n"

/* Goal: pieces come as the model's own spans, escapes and all. */
TEST(pieces_are_spans)
{
	struct ear e;

	ear_open(&e, ONE);
	hearing_take(&e.h, S(DELTA("chat:1-2", "m1", "") DELTA("chat:1-2", "m1", "a\\n\\\"")
	    DELTA("chat:1-2", "m1", "\\u00e9 \\\\") FINISH("chat:1-2", "m1", "length")));
	CHECK_STR(buf_str(&e.h.finish), "length");
	ear_close(&e, "<m1>a\\n\\\"\\u00e9 \\\\");
}

/* Goal: who writes another channel, or was called as a tool, is not heard. */
TEST(only_who_writes_messages_is_heard)
{
	struct ear e;

	ear_open(&e, ONE);
	hearing_take(&e.h, S(DELTA("router:1", "r", "no") DELTA("chat:1", "m", "yes")
	    FINISH("chat:1", "m", "stop") DELTA("chat:1|other:2", "t", "no")
	    DELTA("both:1", "b", "yes") FINISH("both:1", "b", "stop")
	    DELTA("sub:1|think:2", "s", "no") DELTA("sub:1|talk:2", "s2", "yes")
	    "event: updates|chat:1\ndata: {\"content\":\"no\"}\n\nevent: metadata\ndata: {}\n\n"));
	ear_close(&e, "<m>yes<b>yes<s2>yes");
}

/* Goal: of two that speak at once the second waits, and loses nothing. */
TEST(one_after_the_other)
{
	struct ear e;

	ear_open(&e, NULL);
	hearing_take(&e.h, S(DELTA("a:1", "m1", "a") DELTA("b:1", "m2", "x")
	    DELTA("a:1", "m1", "b") DELTA("b:1", "m2", "y") FINISH("b:1", "m2", "stop")
	    DELTA("a:1", "m1", "c")));
	CHECK_STR(buf_str(&e.told), "<m1>abc");
	hearing_take(&e.h, S(FINISH("a:1", "m1", "stop") DELTA("a:1", "m3", "z")));
	ear_close(&e, "<m1>abc<m2>xy<m3>z");
}

/* Goal: what a node writes is told whole, as text; what is not an answer is not. */
TEST(whole_messages)
{
	struct ear e;

	ear_open(&e, NULL);
	hearing_take(&e.h, S(WHOLE("a:1", "m1", "\"hi\"", "ai") WHOLE("a:1", "q", "\"no\"", "human")
	    WHOLE("a:1", "t", "\"no\"", "tool") WHOLE("a:1", "m2",
	    "[{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"image_url\",\"image_url\":\"u\"},\"c\"]",
	    "ai") WHOLE("a:1", "m3", "null", "ai") WHOLE("a:1", "m4", "7", "ai")));
	ear_close(&e, "<m1>hi<m2>bc");
}

/* Goal: more voices than are held apart end the oldest, and memory with it. */
TEST(many_voices)
{
	struct ear e;
	struct buf b = BUF(KB);

	ear_open(&e, NULL);
	for (int i = 0; i < 3 * LIMIT_DOOR_VOICES; i++) {
		buf_clear(&b);
		buf_add_fmt(&b, DELTA("a:1", "m%d", "x"), i);
		hearing_take(&e.h, buf_str(&b));
		CHECK(e.h.n <= LIMIT_DOOR_VOICES);
	}
	buf_release(&b);
	hearing_end(&e.h);
	CHECK(e.h.n == 0 && str_starts(buf_str(&e.told), S("<m0>x<m1>x")));
	hearing_release(&e.h);
	buf_release(&e.told);
}

/* Goal: broken frames are passed over. */
TEST(broken_frames)
{
	struct ear e;

	ear_open(&e, NULL);
	hearing_take(&e.h, S("event: messages|a:1\ndata: [{\"content\":\"x\ndata: \ndata: [\n"
	    "data: [{\"content\":\"x\",\"tool_call_chunks\":[],\"additional_kwargs\":{},\"id\":\"m\n\n"
	    "event: messages\ndata: [{}]\n\n\n\nevent: \nid"));
	ear_close(&e, "");
}
