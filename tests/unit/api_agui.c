/*
 * api_agui.c - frames of a run as AG-UI's events: all that begins is ended, once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "api/agui_tell.h"
#include "base/json.h"
#include "base/limits.h"

#define PLACE "{\"tags\":[],\"langgraph_node\":\"n\"}"
#define AI(node, id, content, chunks, kwargs, meta) "event: messages|" node                 \
	"\ndata: [{\"content\":" content ",\"tool_call_chunks\":" chunks                    \
	",\"additional_kwargs\":{" kwargs "},\"id\":\"" id "\",\"response_metadata\":{" meta \
	"},\"tool_calls\":[],\"type\":\"ai\"}," PLACE "]\n\n"
#define TEXT(node, id, text) AI(node, id, "\"" text "\"", "[]", "", "")
#define THOUGHT(node, id, text) AI(node, id, "\"\"", "[]", "\"reasoning_content\":\"" text "\"", "")
#define CALL(node, id, piece) AI(node, id, "\"\"", "[{" piece ",\"type\":\"tool_call_chunk\"}]", "", "")
#define FINISH(node, id) AI(node, id, "\"\"", "[]", "", "\"finish_reason\":\"stop\"")
#define TASK(ns, name, rest) "event: tasks" ns "\ndata: {\"id\":\"1\",\"name\":\"" name "\"," rest "}\n\n"
#define BEGINS "\"input\":{},\"triggers\":[],\"interrupts\":[]"
#define ENDS "\"result\":{},\"interrupts\":[]"
#define LIFE(ns, rest) "event: lifecycle|" ns "\ndata: {" rest "}\n\n"
#define VALUES(ns, json) "event: values" ns "\ndata: " json "\n\n"

/* The events, a line each, without what all have: "TYPE member:value ...". */
static void
check_as(bool agents, const char *frames, const char *values, const char *told)
{
	struct agui_tell t;
	struct buf got = BUF(64 * KB);
	struct str rest, line;

	agui_tell_init(&t, NULL, agents);
	agui_tell_take(&t, str_of(frames));
	agui_tell_end(&t, str_of(values));
	rest = buf_str(&t.out);
	while (str_next(&rest, '\n', &line)) {
		struct json_doc d = { 0 };

		if (line.n == 0)
			continue;
		CHECK(str_starts(line, S("data: {\"type\":\"")));
		CHECK_RC(json_parse(&d, str_sub(line, 6, line.n), NULL), OK);
		buf_add(&got, json_str(json_get(d.root, S("type"))));
		for (struct json_iter it = json_each(d.root); json_next(&it); ) {
			if (str_eq(json_str(it.key), S("type")))
				continue;
			buf_add_fmt(&got, " %.*s=", FMT(json_str(it.key)));
			if (json_is_string(it.value))
				buf_add(&got, json_str(it.value));
			else
				json_add_node(&got, it.value);
		}
		buf_add_char(&got, '\n');
		json_release(&d);
	}
	CHECK_STR(buf_str(&got), told);
	agui_tell_release(&t);
	buf_release(&got);
}

static void
check(const char *frames, const char *values, const char *told)
{
	check_as(true, frames, values, told);
}

TEST(agui_text_begins_and_ends_once)
{
	check(TEXT("n:1", "m", "a") TEXT("n:1", "m", "\\\"b\\n") FINISH("n:1", "m")
	    AI("n:1", "m", "\"\"", "[]", "", "\"usage\":{}"), "",
	    "TEXT_MESSAGE_START messageId=m role=assistant\n"
	    "TEXT_MESSAGE_CONTENT messageId=m delta=a\n"
	    "TEXT_MESSAGE_CONTENT messageId=m delta=\"b\n\n"
	    "TEXT_MESSAGE_END messageId=m\n");
	/* no finish: the task's end, and else the run's */
	check(TASK("", "n", BEGINS) TEXT("n:1", "m", "a") TASK("", "n", ENDS), "",
	    "STEP_STARTED stepName=n\nTEXT_MESSAGE_START messageId=m role=assistant\n"
	    "TEXT_MESSAGE_CONTENT messageId=m delta=a\nTEXT_MESSAGE_END messageId=m\n"
	    "STEP_FINISHED stepName=n\n");
	check(TEXT("n:1", "m", "a"), "", "TEXT_MESSAGE_START messageId=m role=assistant\n"
	    "TEXT_MESSAGE_CONTENT messageId=m delta=a\nTEXT_MESSAGE_END messageId=m\n");
	/* blocks; an empty message is none */
	check(AI("n:1", "m", "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"x\"},\"b\"]", "[]",
	    "", "") AI("n:1", "e", "\"\"", "[]", "", "") FINISH("n:1", "e"), "",
	    "TEXT_MESSAGE_START messageId=m role=assistant\n"
	    "TEXT_MESSAGE_CONTENT messageId=m delta=a\nTEXT_MESSAGE_CONTENT messageId=m delta=b\n"
	    "TEXT_MESSAGE_END messageId=m\n");
}

TEST(agui_reasoning_has_an_id_of_its_own)
{
	check(THOUGHT("n:1", "m", "hm") TEXT("n:1", "m", "a") THOUGHT("n:1", "m", "so")
	    FINISH("n:1", "m"), "",
	    "REASONING_START messageId=reasoning-m\n"
	    "REASONING_MESSAGE_START messageId=reasoning-m role=reasoning\n"
	    "REASONING_MESSAGE_CONTENT messageId=reasoning-m delta=hm\n"
	    "REASONING_MESSAGE_END messageId=reasoning-m\nREASONING_END messageId=reasoning-m\n"
	    "TEXT_MESSAGE_START messageId=m role=assistant\n"
	    "TEXT_MESSAGE_CONTENT messageId=m delta=a\nTEXT_MESSAGE_END messageId=m\n"
	    "REASONING_START messageId=reasoning-m\n"
	    "REASONING_MESSAGE_START messageId=reasoning-m role=reasoning\n"
	    "REASONING_MESSAGE_CONTENT messageId=reasoning-m delta=so\n"
	    "REASONING_MESSAGE_END messageId=reasoning-m\nREASONING_END messageId=reasoning-m\n");
}

/* Goal: pieces of two calls, an id and a name that come in pieces, and a call without
 * arguments. */
TEST(agui_calls_are_told_in_pieces)
{
	check(TEXT("n:1", "m", "a")
	    CALL("n:1", "m", "\"name\":\"f\",\"args\":\"\",\"id\":\"c1\",\"index\":0")
	    CALL("n:1", "m", "\"args\":\"{\\\"x\\\":\",\"index\":0")
	    CALL("n:1", "m", "\"name\":\"g\",\"args\":\"\",\"id\":\"c\",\"index\":1")
	    CALL("n:1", "m", "\"name\":\"h\",\"args\":\"\",\"id\":\"2\",\"index\":1")
	    CALL("n:1", "m", "\"args\":\"1}\",\"index\":0") FINISH("n:1", "m"), "",
	    "TEXT_MESSAGE_START messageId=m role=assistant\n"
	    "TEXT_MESSAGE_CONTENT messageId=m delta=a\nTEXT_MESSAGE_END messageId=m\n"
	    "TOOL_CALL_START toolCallId=c1 toolCallName=f parentMessageId=m\n"
	    "TOOL_CALL_ARGS toolCallId=c1 delta={\"x\":\n"
	    "TOOL_CALL_ARGS toolCallId=c1 delta=1}\n"
	    "TOOL_CALL_END toolCallId=c1\n"
	    "TOOL_CALL_START toolCallId=c2 toolCallName=gh parentMessageId=m\n"
	    "TOOL_CALL_END toolCallId=c2\n");
	/* whole, of a node's message; and its result, an error */
	check("event: messages|n:1\ndata: [{\"content\":\"\",\"id\":\"m\",\"tool_calls\":[{\"name\":"
	    "\"f\",\"args\":{\"x\":\"\\\"\"},\"id\":\"c\"}],\"type\":\"ai\"},{\"tags\":[\"graph:step:1\"]}]"
	    "\n\nevent: messages|t:1\ndata: [{\"content\":[{\"type\":\"text\",\"text\":\"r\"}],\"id\":\"r1\","
	    "\"tool_call_id\":\"c\",\"status\":\"error\",\"type\":\"tool\"}," PLACE "]\n\n", "",
	    "TOOL_CALL_START toolCallId=c toolCallName=f parentMessageId=m\n"
	    "TOOL_CALL_ARGS toolCallId=c delta={\"x\":\"\\\"\"}\nTOOL_CALL_END toolCallId=c\n"
	    "TOOL_CALL_RESULT messageId=r1 toolCallId=c role=tool content=r\n");
}

TEST(agui_steps_are_one_a_node)
{
	check(TASK("", "n", BEGINS) TASK("", "n", BEGINS) TASK("|s:1", "n", BEGINS)
	    TASK("", "n", ENDS) TASK("", "n", "\"error\":\"x\",\"interrupts\":[]")
	    TASK("", "n", ENDS) TASK("", "z", BEGINS), "",
	    "STEP_STARTED stepName=n\nSTEP_STARTED subagentRunId=s:1 stepName=n\n"
	    "STEP_FINISHED stepName=n\nSTEP_STARTED stepName=z\nSTEP_FINISHED stepName=z\n"
	    "STEP_FINISHED subagentRunId=s:1 stepName=n\n");
}

TEST(agui_subagents_begin_and_end)
{
	check(LIFE("a:1", "\"event\":\"started\",\"namespace\":[\"a:1\"]")
	    LIFE("a:1|b:2", "\"event\":\"started\"") TASK("|a:1|b:2", "x", BEGINS)
	    TEXT("a:1|b:2|x:1", "m", "t")
	    LIFE("a:1|b:2", "\"event\":\"failed\",\"error\":{\"error\":\"E\",\"message\":\"why\"}")
	    LIFE("a:1", "\"event\":\"interrupted\"") LIFE("d:4", "\"event\":\"completed\"")
	    LIFE("c:3", "\"event\":\"started\"")
	    LIFE("c:3|tool.0-1.f", "\"event\":\"started\""), "",
	    "SUBAGENT_STARTED subagentRunId=a:1 name=a\n"
	    "SUBAGENT_STARTED subagentRunId=a:1|b:2 name=b parentSubagentRunId=a:1\n"
	    "STEP_STARTED subagentRunId=a:1|b:2 stepName=x\n"
	    "TEXT_MESSAGE_START subagentRunId=a:1|b:2 messageId=m role=assistant\n"
	    "TEXT_MESSAGE_CONTENT subagentRunId=a:1|b:2 messageId=m delta=t\n"
	    "STEP_FINISHED subagentRunId=a:1|b:2 stepName=x\n"
	    "SUBAGENT_ERROR subagentRunId=a:1|b:2 message=why code=E\n"
	    "SUBAGENT_FINISHED subagentRunId=a:1 outcome={\"type\":\"suspended\"}\n"
	    "SUBAGENT_STARTED subagentRunId=c:3 name=c\n"
	    "SUBAGENT_STARTED subagentRunId=c:3|tool.0-1.f name=f parentSubagentRunId=c:3\n"
	    "TEXT_MESSAGE_END subagentRunId=a:1|b:2 messageId=m\n"
	    "SUBAGENT_FINISHED subagentRunId=c:3|tool.0-1.f outcome={\"type\":\"suspended\"}\n"
	    "SUBAGENT_FINISHED subagentRunId=c:3 outcome={\"type\":\"suspended\"}\n");
}

/* Goal: a client before 1.0 hears nothing of subagents, and each step once. */
TEST(agui_subagents_are_not_told_to_older_clients)
{
	check_as(false, TASK("", "n", BEGINS) LIFE("n:1", "\"event\":\"started\"")
	    TASK("|n:1", "n", BEGINS) TEXT("n:1|n:1", "m", "t") TASK("|n:1", "n", ENDS)
	    LIFE("n:1", "\"event\":\"completed\"") TASK("", "n", ENDS), "",
	    "STEP_STARTED stepName=n\nTEXT_MESSAGE_START messageId=m role=assistant\n"
	    "TEXT_MESSAGE_CONTENT messageId=m delta=t\nTEXT_MESSAGE_END messageId=m\n"
	    "STEP_FINISHED stepName=n\n");
}

TEST(agui_state_is_told_by_what_changed)
{
	check(VALUES("", "{\"messages\":[],\"a\":\"a long text that is not told again and again\","
	    "\"n\":1}") VALUES("|s:1", "{\"x\":1}")
	    VALUES("", "{\"messages\":[1],\"a\":\"a long text that is not told again and again\","
	    "\"n\":1}")
	    VALUES("", "{\"a\":\"a long text that is not told again and again\",\"n\":2}")
	    VALUES("", "{\"a\":\"a\",\"n\":2}") VALUES("", "{\"__interrupt__\":[{\"id\":\"i\"}]}"),
	    "{\"a\":\"a\",\"n\":2}",
	    "STATE_SNAPSHOT snapshot={\"a\":\"a long text that is not told again and again\",\"n\":1}\n"
	    "STATE_DELTA delta=[{\"op\":\"replace\",\"path\":\"/n\",\"value\":2}]\n"
	    "STATE_SNAPSHOT snapshot={\"a\":\"a\",\"n\":2}\n");
}

TEST(agui_custom_events)
{
	check("event: custom\ndata: {\"p\":1}\n\nevent: custom|a:1\ndata: 5\n\n", "",
	    "CUSTOM name=custom value={\"p\":1}\nCUSTOM subagentRunId=a:1 name=custom value=5\n");
}

/* Goal: a run that says more at once than is kept tells each message to its end. */
TEST(agui_open_messages_are_bounded)
{
	struct buf frames = BUF(MB);
	struct agui_tell t;
	size_t starts = 0, ends = 0;
	struct str rest, line;

	for (int i = 0; i < LIMIT_DOOR_VOICES * 3; i++)
		buf_add_fmt(&frames, "event: messages|n:1\ndata: [{\"content\":\"x\",\"tool_call_chunks\":"
		    "[],\"additional_kwargs\":{},\"id\":\"m%d\",\"type\":\"ai\"},{}]\n\n", i);
	agui_tell_init(&t, NULL, true);
	agui_tell_take(&t, buf_str(&frames));
	CHECK(t.messages_n == LIMIT_DOOR_VOICES);
	agui_tell_end(&t, STR_NONE);
	rest = buf_str(&t.out);
	while (str_next(&rest, '\n', &line)) {
		starts += str_contains(line, S("TEXT_MESSAGE_START"));
		ends += str_contains(line, S("TEXT_MESSAGE_END"));
	}
	CHECK(starts == LIMIT_DOOR_VOICES * 3 && ends == starts);
	agui_tell_release(&t);
	buf_release(&frames);
}

/* Goal: frames that are cut or broken are passed over. */
TEST(agui_broken_frames)
{
	check("event: messages\ndata: [\n\nevent: messages\ndata: [{\"content\":1}]\n\nevent: values\n"
	    "data: [1]\n\nevent: tasks\ndata: {}\n\ndata: {}\n\nevent: lifecycle\n\n:\n", "{\"messages\":3}",
	    "STEP_STARTED stepName=\nSTEP_FINISHED stepName=\nSTATE_SNAPSHOT snapshot={}\n");
}

TEST(agui_messages_of_a_thread)
{
	static const struct { const char *stored, *shown; } rows[] = {
		{ "{\"type\":\"human\",\"id\":\"1\",\"content\":\"a\",\"name\":\"n\"}",
		  "{\"id\":\"1\",\"role\":\"user\",\"name\":\"n\",\"content\":\"a\"}" },
		{ "{\"type\":\"human\",\"id\":\"1\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
		  "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y\"}},{\"type\":\"image_url\","
		  "\"image_url\":{\"url\":\"data:image/png;base64,QQ==\"}},{\"type\":\"other\"}]}",
		  "{\"id\":\"1\",\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
		  "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"value\":\"https://x/y\"}},"
		  "{\"type\":\"image\",\"source\":{\"type\":\"data\",\"value\":\"QQ==\",\"mimeType\":\"image/png\"}},"
		  "{\"type\":\"text\",\"text\":\"{\\\"type\\\":\\\"other\\\"}\"}]}" },
		{ "{\"type\":\"ai\",\"id\":\"2\",\"content\":[{\"type\":\"text\",\"text\":\"b\"}],\"tool_calls\":"
		  "[{\"id\":\"c\",\"name\":\"f\",\"args\":{\"x\":1}}],\"additional_kwargs\":{\"reasoning_content\":\"r\"}}",
		  "{\"id\":\"reasoning-2\",\"role\":\"reasoning\",\"content\":\"r\"},{\"id\":\"2\",\"role\":"
		  "\"assistant\",\"content\":\"b\",\"toolCalls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":"
		  "{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}}]}" },
		{ "{\"type\":\"tool\",\"id\":\"3\",\"content\":\"d\",\"tool_call_id\":\"c\",\"status\":\"error\",\"name\":\"f\"}",
		  "{\"id\":\"3\",\"role\":\"tool\",\"content\":\"d\",\"toolCallId\":\"c\",\"error\":\"d\"}" },
		{ "{\"type\":\"system\",\"id\":\"4\",\"content\":\"e\",\"additional_kwargs\":{\"__openai_role__\":\"developer\"}}",
		  "{\"id\":\"4\",\"role\":\"developer\",\"content\":\"e\"}" },
		{ "{\"type\":\"system\",\"id\":\"agui-context\",\"content\":\"e\"}", "" },
		{ "{\"type\":\"function\",\"id\":\"5\",\"content\":\"e\"}", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf list = BUF(4 * KB), shown = BUF(4 * KB);
		struct json_doc d = { 0 };

		buf_add_fmt(&list, "[%s]", rows[i].stored);
		CHECK_RC(json_parse(&d, buf_str(&list), NULL), OK);
		agui_add_messages(&shown, d.root);
		CHECK_STR(buf_str(&shown), rows[i].shown);
		json_release(&d);
		buf_release(&list);
		buf_release(&shown);
	}
}
