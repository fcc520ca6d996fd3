/*
 * run_classic.c - events in, frames out: each stream mode shows of the same
 * events what the reference server was recorded to send, ids and versions aside.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/json.h"
#include "harness/test.h"
#include "run/classic.h"
#include "run/frame_priv.h"
#include "run/pack.h"
#include "run/replay.h"

#define RUN    "01a1fb75-6459-731c-9dfb-edd793af9935"
#define THREAD "01a1fb75-643a-72e2-aac7-e6443cb0b98e"
#define TASK   "d88a00bc-657e-5d30-989d-0e2b90bf42b6"
#define START  "09660278-58cb-5dbb-b925-e1f1593099b4"
#define CALL   "01a1fb75-6a9b-760b-b0e2-4cbf8fb014c1"
#define CK0    "1f1e540a-d29e-6e31-ffff-13e8cdce135f"
#define CK1    "1f1e540a-d2ad-6890-8000-5dc859e94029"
#define CK2    "1f1e540a-d442-6cf0-8001-d4e7831b2a33"

#define TASK_MEMBERS "\"created_by\":\"system\",\"graph_id\":\"agent\",\"run_id\":\"" RUN "\""
#define MEMBERS "\"created_by\":\"system\",\"graph_id\":\"agent\",\"thread_id\":\"" THREAD \
	"\",\"run_id\":\"" RUN "\""
#define CONFIGURABLE "\"user-agent\":\"curl/7.88.1\",\"graph_id\":\"agent\""

#define HI "{\"content\":\"hi\",\"id\":\"h1\",\"additional_kwargs\":{}," \
	"\"response_metadata\":{},\"type\":\"human\"}"
#define HELLO "{\"content\":\"Hello from mock LLM .\",\"id\":\"m1\",\"type\":\"ai\"}"
#define ONE "{\"messages\":[" HI "]}"
#define WROTE "{\"messages\":[" HELLO "]}"
#define TWO "{\"messages\":[" HI "," HELLO "]}"

#define PLACE(step, node, task) "\"langgraph_step\":" step ",\"langgraph_node\":\"" node "\"," \
	"\"langgraph_triggers\":[\"branch:to:" node "\"]," \
	"\"langgraph_path\":[\"__pregel_pull\",\"" node "\"]," \
	"\"langgraph_checkpoint_ns\":\"" node ":" task "\",\"checkpoint_ns\":\"" node ":" task "\""
#define MODEL "\"ls_integration\":\"langchain_chat_model\"," MEMBERS "," \
	PLACE("1", "agent", TASK) ",\"ls_provider\":\"openai\",\"ls_model_name\":\"mock-gpt\"," \
	"\"ls_model_type\":\"chat\",\"versions\":{\"cohort\":\"" COHORT_VERSION "\"}}"
#define REST "\"id\":\"m1\",\"response_metadata\":{\"model_provider\":\"openai\"," \
	"\"usage\":{}},\"tool_calls\":[],\"invalid_tool_calls\":[],\"type\":\"ai\"}"
#define CHUNK(text) "{\"content\":\"" text "\",\"tool_call_chunks\":[]," \
	"\"additional_kwargs\":{}," REST
#define SO_FAR(text) "{\"content\":\"" text "\",\"additional_kwargs\":{}," \
	"\"response_metadata\":{\"model_provider\":\"openai\",\"usage\":{}}," \
	"\"tool_call_chunks\":[],\"tool_calls\":[],\"id\":\"m1\"," \
	"\"invalid_tool_calls\":[],\"type\":\"ai\"}"

/* ---- a run that somebody reads ------------------------------------------------ */

struct bench {
	struct stream stream;
	struct classic classic;
	struct run_watch watch;
	struct buf heard;                    /* whole frames */
	atomic_ullong told;
	bool packed;                         /* events go through their fields */
	struct event_log *log;               /* and are kept; or NULL */
	struct event_reader reader;
};

static struct uuid
id_of(const char *text)
{
	struct uuid id;

	CHECK(uuid_parse(str_of(text), &id));
	return id;
}

static struct val made[8192];
static size_t made_n;

/* At the end of a test's process. */
static void
made_drop(void)
{
	while (made_n > 0)
		val_drop(made[--made_n]);
}

static struct val
json(const char *text)
{
	struct err e;
	struct val v;

	CHECK_RC(json_text_to_val(str_of(text), &v, &e), OK);
	if (made_n == 0)
		atexit(made_drop);
	CHECK(made_n < COUNT(made));
	made[made_n++] = v;
	return v;
}

static void
hear(struct run_watch *w, struct sse_block *b)
{
	struct bench *t = (struct bench *)((char *)w - offsetof(struct bench, watch));

	buf_add(&t->heard, (struct str){ b->bytes, b->n });
}

static struct classic_run
the_run(bool subgraphs)
{
	return (struct classic_run){ .thread_id = id_of(THREAD), .run_id = id_of(RUN),
	    .members = S(MEMBERS), .task_members = S(TASK_MEMBERS),
	    .configurable = S(CONFIGURABLE), .recursion_limit = 25,
	    .subgraphs = subgraphs };
}

static void
bench_start(struct bench *t, unsigned modes, bool subgraphs)
{
	struct classic_run run = the_run(subgraphs);

	*t = (struct bench){ .heard = BUF(1 << 20) };
	stream_init(&t->stream, modes, true, false, 0);
	classic_init(&t->classic, &run, &t->stream, &t->told);
	t->watch = (struct run_watch){ .modes = modes, .after = -1, .wants_events = true,
	    .frames = hear };
	stream_attach(&t->stream, &t->watch);
}

static void
bench_stop(struct bench *t)
{
	stream_pop(&t->stream);
	classic_release(&t->classic);
	event_reader_release(&t->reader);
	stream_release(&t->stream);
	buf_release(&t->heard);
}

/* The frames heard, but for ids, which are dense: `event data` each. */
static void
check_heard(struct bench *t, const char *what, const char *const *expected)
{
	struct str rest = buf_str(&t->heard), frame, event;
	struct buf text = BUF(1 << 20);
	int64_t id, last = -1;
	size_t n = 0;

	for (; frame_next(&rest, &frame, &event, &id); n++) {
		struct str line;

		CHECK_INT(id, last + 1);
		last = id;
		if (expected[n] == NULL)
			test_fail(__FILE__, __LINE__, "%s: more than %zu frames: %.*s",
			    what, n, FMT(frame));
		buf_clear(&text);
		str_next(&frame, '\n', &line);
		buf_add(&text, event);
		buf_add_char(&text, ' ');
		str_next(&frame, '\n', &line);
		buf_add(&text, str_sub(line, 6, line.n));
		if (!str_eq(buf_str(&text), str_of(expected[n])))
			test_fail(__FILE__, __LINE__, "%s, frame %zu:\n%s\nnot\n%s", what,
			    n, text.p, expected[n]);
	}
	if (expected[n] != NULL)
		test_fail(__FILE__, __LINE__, "%s: no frame %s", what, expected[n]);
	buf_release(&text);
}

#define NOW INT64_C(1795220137109)           /* 2026-11-21T00:15:37.109Z */

/* As a log would keep it; once more, for what is read back must pack the same. */
static void
tell_packed(struct bench *t, const struct run_event *ev)
{
	struct buf fields = BUF(MB), again = BUF(MB);
	const struct run_event *read;
	struct run_event now;
	bool refers;

	event_pack(&fields, ev, false);
	CHECK(!fields.failed);
	CHECK_RC(event_unpack(&t->reader, buf_str(&fields), &read, &refers), OK);
	CHECK(!refers);
	event_pack(&again, read, false);
	CHECK(str_eq(buf_str(&fields), buf_str(&again)));
	now = *read;
	now.now = ev->now;
	classic_tell(&t->classic, &now);
	buf_release(&fields);
	buf_release(&again);
}

static void
tell(struct bench *t, struct run_event ev)
{
	if (ev.now == 0)
		ev.now = NOW;
	if (t->log != NULL)
		event_log_add(t->log, &ev, t->stream.next_id);
	if (t->packed)
		tell_packed(t, &ev);
	else
		classic_tell(&t->classic, &ev);
}

/* ---- one turn of the agent -------------------------------------------------- */

static void
say(struct bench *t, struct run_event at, int kind, const char *text)
{
	struct llm_delta d = { .kind = kind, .id = S("m1"), .text_raw = str_of(text) };

	at.kind = EVENT_DELTA;
	at.u.model.delta = &d;
	tell(t, at);
}

static void
answer(struct bench *t, const struct event_task *task)
{
	struct run_event at = { .kind = EVENT_MODEL_START, .step = 1, .task = task };

	at.u.model = (struct event_model){ .stream = 1, .call = id_of(CALL),
	    .provider = S("openai"), .model = S("mock-gpt"), .id = S("m1"),
	    .messages = json("[" HI "]") };
	tell(t, at);
	say(t, at, LLM_DELTA_START, "");
	say(t, at, LLM_DELTA_TEXT, "Hello");
	say(t, at, LLM_DELTA_TEXT, " from");
	at.kind = EVENT_MODEL_END;
	at.u.model.message = json(HELLO);
	tell(t, at);
}

static void
checkpoint(struct bench *t, int step, const char *id, const char *parent,
    const char *values, const struct event_task *next)
{
	struct run_event ev = { .kind = EVENT_CHECKPOINT, .step = step };

	ev.u.checkpoint = (struct event_checkpoint){ .id = id_of(id),
	    .source = step < 0 ? SOURCE_INPUT : SOURCE_LOOP, .values = json(values),
	    .tasks = next, .tasks_n = next != NULL };
	if (parent != NULL)
		ev.u.checkpoint.parent = id_of(parent);
	tell(t, ev);
}

static void
turn(struct bench *t)
{
	struct event_task first = { .id = id_of(START), .name = S("__start__"),
	    .ns = S("__start__:" START) };
	struct event_task task = { .id = id_of(TASK), .name = S("agent"),
	    .ns = S("agent:" TASK), .input = json(ONE) };
	struct run_event ev = { .kind = EVENT_METADATA };
	struct event_task next = { .id = task.id, .name = task.name, .ns = task.ns };

	ev.u.metadata.attempt = 1;
	ev.u.metadata.input = json("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
	ev.u.metadata.facts = classic_facts(&t->classic);
	tell(t, ev);
	val_drop(ev.u.metadata.facts);
	tell(t, (struct run_event){ .kind = EVENT_LIFECYCLE,
	    .u.lifecycle = { .what = EVENT_RUNNING } });
	checkpoint(t, -1, CK0, NULL, "{\"messages\":[]}", &first);
	tell(t, (struct run_event){ .kind = EVENT_INPUT, .u.state.values = json(ONE),
	    .u.state.id = id_of(CK1) });
	tell(t, (struct run_event){ .kind = EVENT_COMPLETE,
	    .u.complete.messages = json("[" HI "]") });
	checkpoint(t, 0, CK1, CK0, ONE, &next);
	tell(t, (struct run_event){ .kind = EVENT_TASK, .step = 1, .task = &task,
	    .checkpoint = id_of(CK1) });
	answer(t, &task);
	task.result = json(WROTE);
	tell(t, (struct run_event){ .kind = EVENT_TASK_RESULT, .step = 1, .task = &task,
	    .checkpoint = id_of(CK1) });
	tell(t, (struct run_event){ .kind = EVENT_VALUES, .step = 1,
	    .u.state.values = json(TWO), .u.state.id = id_of(CK2) });
	tell(t, (struct run_event){ .kind = EVENT_COMPLETE, .step = 1,
	    .u.complete.messages = json("[" HELLO "]") });
	checkpoint(t, 1, CK2, CK1, TWO, NULL);
	tell(t, (struct run_event){ .kind = EVENT_LIFECYCLE,
	    .u.lifecycle = { .what = EVENT_COMPLETED } });
}

#define METADATA "metadata {\"run_id\":\"" RUN "\",\"attempt\":1}"
#define TASK_BEGINS "{\"id\":\"" TASK "\",\"name\":\"agent\",\"input\":" ONE "," \
	"\"triggers\":[\"branch:to:agent\"],\"interrupts\":[],\"metadata\":{" \
	"\"ls_integration\":\"langgraph\"," TASK_MEMBERS "}}"
#define TASK_ENDS "{\"id\":\"" TASK "\",\"name\":\"agent\",\"result\":" WROTE ",\"interrupts\":[]}"
#define AT "\"timestamp\":\"2026-11-21T00:15:37.109Z\",\"payload\":"
#define META(source, step) "\"metadata\":{\"source\":\"" source "\",\"step\":" step ",\"parents\":{}}"
#define CONFIG(id) "{\"configurable\":{\"checkpoint_ns\":\"\"," CONFIGURABLE \
	",\"checkpoint_id\":\"" id "\"},\"metadata\":{\"ls_integration\":\"langgraph\"," MEMBERS \
	"},\"recursion_limit\":25,\"tags\":[]}"
#define CKPT(id) "{\"thread_id\":\"" THREAD "\",\"checkpoint_id\":\"" id \
	"\",\"checkpoint_ns\":\"\",\"checkpoint_map\":null}"
#define NEXT(id, node) "{\"id\":\"" id "\",\"name\":\"" node \
	"\",\"path\":[\"__pregel_pull\",\"" node "\"],\"interrupts\":[]}"
#define GRAPH_ENDS "},\"name\":\"LangGraph\",\"tags\":[],\"run_id\":\"" RUN "\",\"metadata\":{" \
	"\"ls_integration\":\"langgraph\"," MEMBERS "}}"
#define NODE_ENDS "},\"name\":\"agent\",\"tags\":[\"graph:step:1\"],\"run_id\":\"" TASK \
	"\",\"metadata\":{\"ls_integration\":\"langgraph\"," MEMBERS "," \
	PLACE("1", "agent", TASK) "}}"
#define STREAMED(text) "events {\"event\":\"on_chat_model_stream\",\"data\":{\"chunk\":" \
	CHUNK(text) "},\"run_id\":\"" CALL "\",\"name\":\"ChatOpenAI\",\"tags\":[]," \
	"\"metadata\":{" MODEL "}"

static const struct {
	unsigned mode;
	const char *frames[12];
} turns[] = {
	{ MODE_VALUES, { METADATA, "values " ONE, "values " TWO } },
	{ MODE_UPDATES, { METADATA, "updates {\"agent\":" WROTE "}" } },
	{ MODE_CUSTOM, { METADATA } },
	{ MODE_TASKS, { METADATA, "tasks " TASK_BEGINS, "tasks " TASK_ENDS } },
	{ MODE_CHECKPOINTS, { METADATA,
	    "checkpoints {\"values\":{\"messages\":[]}," META("input", "-1")
	    ",\"next\":[\"__start__\"]}",
	    "checkpoints {\"values\":" ONE "," META("loop", "0") ",\"next\":[\"agent\"]}",
	    "checkpoints {\"values\":" TWO "," META("loop", "1") ",\"next\":[]}" } },
	{ MODE_DEBUG, { METADATA,
	    "debug {\"step\":-1,\"type\":\"checkpoint\"," AT "{\"config\":" CONFIG(CK0)
	    ",\"values\":{\"messages\":[]}," META("input", "-1") ",\"next\":[\"__start__\"],"
	    "\"tasks\":[" NEXT(START, "__start__") "],\"checkpoint\":" CKPT(CK0)
	    ",\"parent_checkpoint\":null}}",
	    "debug {\"step\":0,\"type\":\"checkpoint\"," AT "{\"config\":" CONFIG(CK1)
	    ",\"values\":" ONE "," META("loop", "0") ",\"next\":[\"agent\"],"
	    "\"tasks\":[" NEXT(TASK, "agent") "],\"checkpoint\":" CKPT(CK1)
	    ",\"parent_checkpoint\":" CKPT(CK0) ",\"parent_config\":" CONFIG(CK0) "}}",
	    "debug {\"step\":1,\"type\":\"task\"," AT TASK_BEGINS "}",
	    "debug {\"step\":1,\"type\":\"task_result\"," AT TASK_ENDS "}",
	    "debug {\"step\":1,\"type\":\"checkpoint\"," AT "{\"config\":" CONFIG(CK2)
	    ",\"values\":" TWO "," META("loop", "1") ",\"next\":[],\"tasks\":[],"
	    "\"checkpoint\":" CKPT(CK2) ",\"parent_checkpoint\":" CKPT(CK1)
	    ",\"parent_config\":" CONFIG(CK1) "}}" } },
	{ MODE_MESSAGES_TUPLE, { METADATA,
	    "messages [" CHUNK("") ",{\"tags\":[]," MODEL "]",
	    "messages [" CHUNK("Hello") ",{\"tags\":[]," MODEL "]",
	    "messages [" CHUNK(" from") ",{\"tags\":[]," MODEL "]" } },
	{ MODE_MESSAGES, { METADATA, "messages/complete [" HI "]",
	    "messages/metadata {\"m1\":{\"metadata\":{" MODEL "}}",
	    "messages/partial [" SO_FAR("") "]", "messages/partial [" SO_FAR("Hello") "]",
	    "messages/partial [" SO_FAR("Hello from") "]",
	    "messages/complete [" HELLO "]" } },
	{ MODE_EVENTS, { METADATA,
	    "events {\"event\":\"on_chain_start\",\"data\":{\"input\":{\"messages\":["
	    "{\"role\":\"user\",\"content\":\"hi\"}]}" GRAPH_ENDS,
	    "events {\"event\":\"on_chain_start\",\"data\":{\"input\":" ONE NODE_ENDS,
	    "events {\"event\":\"on_chat_model_start\",\"data\":{\"input\":{\"messages\":[["
	    HI "]]}},\"name\":\"ChatOpenAI\",\"tags\":[],\"run_id\":\"" CALL
	    "\",\"metadata\":{" MODEL "}",
	    STREAMED(""), STREAMED("Hello"), STREAMED(" from"),
	    "events {\"event\":\"on_chat_model_end\",\"data\":{\"output\":" HELLO
	    ",\"input\":{\"messages\":[[" HI "]]}},\"name\":\"ChatOpenAI\",\"tags\":[],"
	    "\"run_id\":\"" CALL "\",\"metadata\":{" MODEL "}",
	    "events {\"event\":\"on_chain_end\",\"data\":{\"output\":" WROTE
	    ",\"input\":" ONE NODE_ENDS,
	    "events {\"event\":\"on_chain_end\",\"data\":{\"output\":" TWO GRAPH_ENDS } },
	{ MODE_LIFECYCLE, { METADATA } },
};

TEST(a_turn_is_told_as_recorded_in_every_mode)
{
	for (size_t i = 0; i < COUNT(turns); i++) {
		struct bench t;
		struct str name = S("?");

		for (unsigned bit = 0; stream_mode_names[bit] != NULL; bit++)
			if (turns[i].mode == 1u << bit)
				name = str_of(stream_mode_names[bit]);
		bench_start(&t, turns[i].mode, false);
		turn(&t);
		check_heard(&t, name.p, turns[i].frames);
		bench_stop(&t);
	}
}

/* Several modes together: each its own frames, in one order, ids counted once. */
TEST(modes_together_keep_their_frames_and_order)
{
	static const char *const order[] = { METADATA, "values " ONE,
	    "tasks " TASK_BEGINS, "updates {\"agent\":" WROTE "}", "tasks " TASK_ENDS,
	    "values " TWO, NULL };
	struct bench t;
	unsigned all = 0;
	size_t frames = 1;

	bench_start(&t, MODE_VALUES | MODE_UPDATES | MODE_TASKS, false);
	turn(&t);
	check_heard(&t, "together", order);
	bench_stop(&t);
	for (size_t i = 0; i < COUNT(turns); i++) {
		all |= turns[i].mode;
		for (size_t k = 1; turns[i].frames[k] != NULL; k++)
			frames++;
	}
	bench_start(&t, all, false);
	turn(&t);
	CHECK_INT(t.stream.next_id, frames);
	CHECK_INT(atomic_load(&t.told), frames);
	bench_stop(&t);
}

/* A log keeps fields: the frames made of them are the same, in every mode. */
TEST(a_turn_is_told_the_same_from_its_fields)
{
	for (size_t i = 0; i < COUNT(turns); i++) {
		struct bench t;

		bench_start(&t, turns[i].mode, false);
		t.packed = true;
		turn(&t);
		check_heard(&t, "packed", turns[i].frames);
		bench_stop(&t);
	}
}

/* What the store would say. */
static struct val
stored(void *ctx, struct str ns, const struct uuid *checkpoint)
{
	struct uuid zero = id_of(CK0), one = id_of(CK1);

	(void)ctx;
	CHECK_INT(ns.n, 0);
	return val_json_trusted(uuid_eq(checkpoint, &zero) ? S("{\"messages\":[]}") :
	    uuid_eq(checkpoint, &one) ? S(ONE) : S(TWO));
}

/* Frames of ids from k on, of all that were heard. */
static struct str
frames_from(struct str all, int64_t k)
{
	struct str frame, event, rest = all;
	int64_t id;

	while (frame_next(&rest, &frame, &event, &id) && id < k)
		all = rest;
	return all;
}

static void
check_replay(struct bench *t, int64_t after, bool settled)
{
	struct uuid thread_id = id_of(THREAD), run_id = id_of(RUN);
	struct run_watch reader = t->watch;
	struct event_cursor c = { .after = -1, .ready = NULL };
	struct replay p = { .values = stored };
	struct event_entry e;

	reader.after = after;
	replay_start(&p, &thread_id, &run_id, true, &reader);
	event_cursor_open(t->log, &c);
	while (event_cursor_read(&c, &e)) {
		CHECK(!settled || e.values.kind == VAL_UNDEFINED);
		CHECK_RC(replay_event(&p, &e), OK);
	}
	event_cursor_close(&c);
	CHECK(str_eq(replay_frames(&p), frames_from(buf_str(&t->heard), after + 1)));
	CHECK_INT(replay_next_id(&p), t->stream.next_id);
	replay_stop(&p);
}

/* Readers that come later hear what they have missed, byte for byte: in every
 * mode, from every id on, before and after the states are in the store, and from
 * a log that was read back. */
TEST(what_was_told_is_told_again_from_the_log)
{
	for (size_t i = 0; i < COUNT(turns); i++) {
		struct bench t;
		struct event_log *again = event_log_new(0);
		struct uuid run_id = id_of(RUN);
		struct buf batch = BUF(MB);
		int64_t first, last;

		bench_start(&t, turns[i].mode, false);
		t.log = event_log_new(0);
		event_log_begin(t.log, &run_id, true);
		turn(&t);
		check_heard(&t, "logged", turns[i].frames);
		event_log_end(t.log);
		for (int64_t after = -1; after < t.stream.next_id; after++)
			check_replay(&t, after, false);
		event_log_settle(t.log, event_log_last(t.log));
		check_replay(&t, -1, true);
		while (event_log_take(t.log, &batch, &first, &last)) {
			CHECK_RC(event_log_load(again, &run_id, buf_str(&batch)), OK);
			buf_clear(&batch);
		}
		event_log_free(t.log);
		t.log = again;
		check_replay(&t, -1, true);
		event_log_free(t.log);
		buf_release(&batch);
		bench_stop(&t);
	}
}

TEST(a_replay_may_begin_behind_a_checkpoint)
{
	static const char *const rest[] = { "values " TWO, NULL };
	struct event_cursor c = { .after = -1 };
	struct replay p = { .values = stored, .after_checkpoint = id_of(CK1) };
	struct event_entry e;
	struct uuid thread_id = id_of(THREAD), run_id = id_of(RUN);
	struct bench t;
	struct str frame, event, frames;
	int64_t id;

	bench_start(&t, MODE_VALUES, false);
	t.log = event_log_new(0);
	event_log_begin(t.log, &run_id, true);
	turn(&t);
	replay_start(&p, &thread_id, &run_id, true, &t.watch);
	event_cursor_open(t.log, &c);
	while (event_cursor_read(&c, &e))
		CHECK_RC(replay_event(&p, &e), OK);
	event_cursor_close(&c);
	frames = replay_frames(&p);
	CHECK(frame_next(&frames, &frame, &event, &id) && frames.n == 0);
	CHECK(str_contains(frame, str_of(rest[0] + 7)));
	replay_stop(&p);
	event_log_end(t.log);
	event_log_free(t.log);
	bench_stop(&t);
}

/* Nobody reads: everything is counted, nothing is made. */
TEST(what_nobody_reads_is_counted_and_not_made)
{
	struct bench t, read;

	bench_start(&read, MODE_MESSAGES_TUPLE | MODE_DEBUG | MODE_EVENTS, false);
	turn(&read);
	bench_start(&t, MODE_MESSAGES_TUPLE | MODE_DEBUG | MODE_EVENTS, false);
	stream_detach(&t.stream, &t.watch);
	turn(&t);
	CHECK_INT(t.heard.n, 0);
	CHECK_INT(t.stream.next_id, read.stream.next_id);
	CHECK_INT(atomic_load(&t.told), atomic_load(&read.told));
	CHECK(t.classic.answers == NULL);
	bench_stop(&t);
	bench_stop(&read);
}

/* ---- graphs in graphs --------------------------------------------------------- */

#define SUB "sub:e51e7f3b-8118-5a7e-a318-99c7c8dac9f9"
#define INNER SUB "|child:" TASK

static void
nested(struct bench *t)
{
	struct event_task inner = { .id = id_of(TASK), .name = S("child"), .ns = S(INNER),
	    .result = json("{\"x\":1}") };
	struct event_task outer = { .id = id_of(START), .name = S("sub"), .ns = S(SUB),
	    .result = json("{\"x\":2}") };
	struct run_event ev = { .kind = EVENT_METADATA, .u.metadata.attempt = 1 };
	struct str sub = S(SUB);

	tell(t, ev);
	tell(t, (struct run_event){ .kind = EVENT_LIFECYCLE, .ns = sub,
	    .u.lifecycle = { .what = EVENT_STARTED, .tool_call_id = S("call_1") } });
	tell(t, (struct run_event){ .kind = EVENT_INPUT, .ns = sub,
	    .u.state.values = json("{}") });
	tell(t, (struct run_event){ .kind = EVENT_MESSAGE, .ns = sub, .step = 1,
	    .task = &inner, .u.message.message = json(HELLO) });
	tell(t, (struct run_event){ .kind = EVENT_CUSTOM, .ns = sub, .step = 1,
	    .task = &inner, .u.custom.data = json("\"half\"") });
	tell(t, (struct run_event){ .kind = EVENT_TASK_RESULT, .ns = sub, .step = 1,
	    .task = &inner });
	tell(t, (struct run_event){ .kind = EVENT_LIFECYCLE, .ns = sub,
	    .u.lifecycle = { .what = EVENT_FAILED, .error = S("ToolError"),
	    .message = S("no") } });
	tell(t, (struct run_event){ .kind = EVENT_TASK_RESULT, .step = 2, .task = &outer });
}

#define NESTED_MODES (MODE_VALUES | MODE_UPDATES | MODE_MESSAGES_TUPLE | MODE_CUSTOM)
#define STARTED "lifecycle|" SUB " {\"event\":\"started\",\"namespace\":[\"" SUB \
	"\"],\"tool_call_id\":\"call_1\"}"
#define FAILED "lifecycle|" SUB " {\"event\":\"failed\",\"namespace\":[\"" SUB \
	"\"],\"error\":{\"error\":\"ToolError\",\"message\":\"no\"}}"

TEST(graphs_below_the_root_are_told_when_they_are_asked_for)
{
	static const char *const without[] = { METADATA, STARTED, FAILED,
	    "updates {\"sub\":{\"x\":2}}", NULL };
	static const char *const with[] = { METADATA, STARTED, "values|" SUB " {}",
	    "messages|" INNER " [" HELLO ",{\"tags\":[\"graph:step:1\"],\"name\":\"child\","
	    "\"ls_integration\":\"langgraph\"," MEMBERS ",\"langgraph_step\":1,"
	    "\"langgraph_node\":\"child\",\"langgraph_triggers\":[\"branch:to:child\"],"
	    "\"langgraph_path\":[\"__pregel_pull\",\"child\"],"
	    "\"langgraph_checkpoint_ns\":\"" INNER "\",\"checkpoint_ns\":\"" INNER "\"}]",
	    "custom|" SUB " \"half\"", "updates|" SUB " {\"child\":{\"x\":1}}", FAILED,
	    "updates {\"sub\":{\"x\":2}}", NULL };
	struct bench t;

	bench_start(&t, NESTED_MODES | MODE_LIFECYCLE, false);
	nested(&t);
	check_heard(&t, "without", without);
	bench_stop(&t);
	for (int packed = 0; packed < 2; packed++) {
		bench_start(&t, NESTED_MODES | MODE_LIFECYCLE, true);
		t.packed = packed;
		nested(&t);
		check_heard(&t, "with", with);
		bench_stop(&t);
	}
}

/* A reader may choose graphs: messages count for the graph of their node. */
TEST(a_reader_may_choose_graphs)
{
	static const struct {
		struct str graph;
		const char *letters;         /* first ones of the events heard */
	} rows[] = {
		{ S(""), "mu" }, { S(SUB), "mlvmcul" }, { S(INNER), "m" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bench t;
		struct str rest, frame, event;
		struct buf heard = BUF(64);
		int64_t id;

		bench_start(&t, NESTED_MODES | MODE_LIFECYCLE, true);
		t.watch.namespaces = &rows[i].graph;
		t.watch.namespaces_n = 1;
		nested(&t);
		rest = buf_str(&t.heard);
		while (frame_next(&rest, &frame, &event, &id))
			buf_add(&heard, str_sub(event, 0, 1));
		CHECK_STR(buf_str(&heard), rows[i].letters);
		buf_release(&heard);
		bench_stop(&t);
	}
}

/* ---- people, tools, failures, crashes ------------------------------------------- */

#define ASKED "[{\"id\":\"cf88c85cf8a4904be76ce4d66947a484\",\"value\":{\"question\":\"ok?\"}}]"

TEST(a_run_that_waits_shows_its_interrupts)
{
	static const char *const frames[] = {
	    "tasks {\"id\":\"" TASK "\",\"name\":\"ask\",\"result\":{},\"interrupts\":" ASKED "}",
	    "updates {\"__interrupt__\":" ASKED "}", "values {\"__interrupt__\":" ASKED "}",
	    "updates {\"__interrupt__\":[]}", "values {\"__interrupt__\":[]}", NULL };
	struct event_task ask = { .id = id_of(TASK), .name = S("ask"), .ns = S("ask:" TASK),
	    .interrupts = json(ASKED) };
	struct bench t;

	bench_start(&t, MODE_VALUES | MODE_UPDATES | MODE_TASKS, false);
	tell(&t, (struct run_event){ .kind = EVENT_TASK_RESULT, .step = 2, .task = &ask });
	tell(&t, (struct run_event){ .kind = EVENT_INTERRUPT,
	    .u.interrupts.list = json(ASKED) });
	tell(&t, (struct run_event){ .kind = EVENT_INTERRUPT });
	check_heard(&t, "interrupts", frames);
	bench_stop(&t);
}

#define TOOL_MESSAGE "{\"status\":\"success\",\"content\":\"Sunny\",\"tool_call_id\":\"call_1\"}"

static void
use_tool(struct bench *t, const struct event_task *task, enum event_tool_what what,
    const char *payload)
{
	struct run_event ev = { .kind = EVENT_TOOL, .step = 2, .task = task };

	ev.u.tool = (struct event_tool){ .what = what, .call = id_of(CALL),
	    .call_id = S("call_1"), .name = S("get_weather"), .payload = json(payload) };
	tell(t, ev);
}

TEST(tools_tell_their_input_as_text_and_their_output_as_it_is)
{
	static const char *const frames[] = {
	    "tools {\"event\":\"on_tool_start\",\"toolCallId\":\"call_1\","
	    "\"name\":\"get_weather\",\"input\":\"{\\\"city\\\":\\\"Paris\\\"}\"}",
	    "tools {\"event\":\"on_tool_event\",\"toolCallId\":\"call_1\","
	    "\"name\":\"get_weather\",\"data\":{\"half\":1}}",
	    "tools {\"event\":\"on_tool_end\",\"toolCallId\":\"call_1\","
	    "\"name\":\"get_weather\",\"output\":" TOOL_MESSAGE "}",
	    "tools {\"event\":\"on_tool_error\",\"toolCallId\":\"call_1\","
	    "\"name\":\"get_weather\",\"error\":\"no\"}", NULL };
	static const char *const traced[] = {
	    "events {\"event\":\"on_tool_start\",\"data\":{\"input\":\"{}\"},"
	    "\"name\":\"get_weather\",\"tags\":[],\"run_id\":\"" CALL "\",\"metadata\":{"
	    "\"ls_integration\":\"langgraph\"," MEMBERS "," PLACE("2", "tools", TASK) "}}", NULL };
	struct event_task task = { .id = id_of(TASK), .name = S("tools"),
	    .ns = S("tools:" TASK) };
	struct bench t;

	bench_start(&t, MODE_TOOLS, false);
	use_tool(&t, &task, EVENT_TOOL_START, "{\"city\":\"Paris\"}");
	use_tool(&t, &task, EVENT_TOOL_DELTA, "{\"half\":1}");
	use_tool(&t, &task, EVENT_TOOL_END, TOOL_MESSAGE);
	use_tool(&t, &task, EVENT_TOOL_ERROR, "\"no\"");
	check_heard(&t, "tools", frames);
	bench_stop(&t);
	bench_start(&t, MODE_EVENTS, false);
	use_tool(&t, &task, EVENT_TOOL_START, "{}");
	use_tool(&t, &task, EVENT_TOOL_DELTA, "1");
	check_heard(&t, "events of tools", traced);
	bench_stop(&t);
}

TEST(a_failure_is_told_of_the_task_and_of_the_run)
{
	static const char *const frames[] = {
	    "tasks {\"id\":\"" TASK "\",\"name\":\"explode\","
	    "\"error\":\"{\\\"message\\\":\\\"Boo!\\\",\\\"name\\\":\\\"CustomError\\\"}\","
	    "\"interrupts\":[]}",
	    "error {\"error\":\"CustomError\",\"message\":\"Boo!\"}", NULL };
	struct event_task task = { .id = id_of(TASK), .name = S("explode"),
	    .ns = S("explode:" TASK),
	    .error = json("{\"message\":\"Boo!\",\"name\":\"CustomError\"}") };
	struct bench t;

	bench_start(&t, MODE_UPDATES | MODE_TASKS, false);
	tell(&t, (struct run_event){ .kind = EVENT_TASK_RESULT, .step = 1, .task = &task });
	tell(&t, (struct run_event){ .kind = EVENT_ERROR,
	    .u.error = { S("CustomError"), S("Boo!") } });
	check_heard(&t, "failure", frames);
	bench_stop(&t);
}

/* Clients that collect chunks by id drop what a lost attempt had said. */
TEST(a_lost_answer_is_taken_back_before_it_is_said_again)
{
	static const char *const frames[] = {
	    "messages [{\"content\":\"\",\"additional_kwargs\":{},\"response_metadata\":{},"
	    "\"id\":\"m1\",\"type\":\"remove\"},{\"tags\":[]," MODEL "]",
	    "messages/partial [{\"content\":\"\",\"additional_kwargs\":{},"
	    "\"response_metadata\":{},\"id\":\"m1\",\"type\":\"remove\"}]", NULL };
	struct event_task task = { .id = id_of(TASK), .name = S("agent"),
	    .ns = S("agent:" TASK) };
	struct run_event ev = { .kind = EVENT_RETRACT, .step = 1, .task = &task };
	struct bench t;

	bench_start(&t, MODE_MESSAGES_TUPLE | MODE_MESSAGES, false);
	ev.u.model = (struct event_model){ .stream = 1, .provider = S("openai"),
	    .model = S("mock-gpt"), .id = S("m1") };
	tell(&t, ev);
	check_heard(&t, "taken back", frames);
	bench_stop(&t);
}

/* Two models at once: each delta has its own message and place. */
TEST(answers_that_stream_at_once_keep_their_places)
{
	struct event_task tasks[2] = {
		{ .id = id_of(TASK), .name = S("left"), .ns = S("left:" TASK) },
		{ .id = id_of(START), .name = S("right"), .ns = S("right:" START) },
	};
	struct str ids[2] = { S("m1"), S("m2") }, rest, frame, event;
	struct bench t;
	int64_t id;

	bench_start(&t, MODE_MESSAGES_TUPLE, false);
	for (uint32_t i = 0; i < 6; i++) {
		struct llm_delta d = { .kind = LLM_DELTA_TEXT, .text_raw = S("x") };
		struct run_event ev = { .kind = EVENT_DELTA, .step = 1, .task = &tasks[i % 2] };

		ev.u.model = (struct event_model){ .stream = i % 2, .id = ids[i % 2],
		    .provider = S("openai"), .model = S("mock-gpt"), .delta = &d };
		tell(&t, ev);
	}
	rest = buf_str(&t.heard);
	for (unsigned i = 0; i < 6; i++) {
		CHECK(frame_next(&rest, &frame, &event, &id));
		CHECK(str_contains(frame, i % 2 == 0 ? S("\"id\":\"m1\"") : S("\"id\":\"m2\"")));
		CHECK(str_contains(frame, i % 2 == 0 ? S("\"checkpoint_ns\":\"left:" TASK "\"") :
		    S("\"checkpoint_ns\":\"right:" START "\"")));
	}
	bench_stop(&t);
}
