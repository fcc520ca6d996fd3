/*
 * run_pack.c - events as fields: what comes back is what went in, nothing that is
 * cut, longer or unknown is taken, and what a state costs is not paid twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/json.h"
#include "harness/test.h"
#include "run/pack.h"

static struct uuid
id_of(uint8_t n)
{
	return (struct uuid){ .b = { n, 2, 3 } };
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

	CHECK_RC(val_json(&v, str_of(text), &e), OK);
	if (made_n == 0)
		atexit(made_drop);
	CHECK(made_n < COUNT(made));
	made[made_n++] = v;
	return v;
}

static struct event_task
a_task(void)
{
	return (struct event_task){ .id = id_of(1), .name = S("agent"),
	    .ns = S("sub:1|agent:2"), .path = json("[\"__pregel_push\",0]"),
	    .triggers = json("[\"__pregel_push\"]"), .input = json("{\"a\":1}"),
	    .result = json("null"), .error = json("{\"message\":\"m\"}"),
	    .interrupts = json("[]"), .child_ns = S("x") };
}

/* One of each kind, with all its fields. */
static struct run_event
an_event(int kind, const struct event_task *t, const struct llm_delta *d)
{
	struct run_event ev = { .kind = kind, .step = -1, .ns = S("sub:1"), .task = t,
	    .checkpoint = id_of(9) };

	switch (kind) {
	case EVENT_METADATA:
		ev.u.metadata.attempt = 3;
		ev.u.metadata.input = json("[1]");
		ev.u.metadata.facts = json("{\"modes\":1}");
		break;
	case EVENT_INPUT: case EVENT_VALUES:
		ev.u.state = (struct event_state){ json("{\"v\":1}"), id_of(2), id_of(3),
		    SOURCE_UPDATE };
		break;
	case EVENT_CHECKPOINT:
		ev.u.checkpoint = (struct event_checkpoint){ id_of(2), id_of(3), SOURCE_FORK,
		    json("{}"), json("{\"\":\"x\"}"), t, 1 };
		break;
	case EVENT_MESSAGE:
		ev.u.message.message = json("{\"id\":\"m\"}");
		ev.u.message.metadata = json("{\"tags\":[]}");
		break;
	case EVENT_COMPLETE:
		ev.u.complete.messages = json("[{}]");
		break;
	case EVENT_MODEL_START: case EVENT_DELTA: case EVENT_MODEL_END: case EVENT_RETRACT:
		ev.u.model = (struct event_model){ 7, id_of(4), S("openai"), S("m-1"),
		    json("[]"), S("id"), d, json("{}"), json("{\"k\":1}") };
		break;
	case EVENT_CUSTOM:
		ev.u.custom.name = S("n");
		ev.u.custom.data = json("\"d\"");
		break;
	case EVENT_TOOL:
		ev.u.tool = (struct event_tool){ EVENT_TOOL_END, id_of(5), S("c"), S("t"),
		    json("1.5") };
		break;
	case EVENT_INTERRUPT:
		ev.u.interrupts.list = json("[{\"id\":\"i\"}]");
		break;
	case EVENT_ANSWERED:
		ev.u.answered.ids = json("[\"i\"]");
		break;
	case EVENT_LIFECYCLE:
		ev.u.lifecycle = (struct event_lifecycle){ EVENT_FAILED, S("g"), S("c"),
		    S("e"), S("m") };
		break;
	case EVENT_ERROR:
		ev.u.error.name = S("E");
		ev.u.error.message = S("");
	}
	return ev;
}

static const struct llm_delta deltas[] = {
	{ .kind = LLM_DELTA_START },
	{ .kind = LLM_DELTA_TEXT, .text_raw = S("a \\\" b") },
	{ .kind = LLM_DELTA_TEXT, .text_raw = S("b"), .piece = S("{\"content\":\"b\"}") },
	{ .kind = LLM_DELTA_TOOL, .index = 2, .id_raw = S("c"), .name_raw = S("n"),
	  .args_raw = S(""), .extra = S("{}") },
	{ .kind = LLM_DELTA_FINISH, .finish_raw = S("stop"), .model_raw = S("m") },
	{ .kind = LLM_DELTA_USAGE, .usage_raw = S("{}") },
};

TEST(events_of_every_kind_come_back_as_they_were)
{
	struct event_task task = a_task();
	struct event_reader r = { 0 };

	for (int kind = 0; kind < EVENT_KINDS; kind++) {
		for (size_t i = 0; i < (kind == EVENT_DELTA ? COUNT(deltas) : 1); i++) {
			struct run_event ev = an_event(kind, &task, &deltas[i]);
			struct buf fields = BUF(MB), again = BUF(MB);
			const struct run_event *read;
			bool refers;

			event_pack(&fields, &ev, false);
			CHECK_RC(event_unpack(&r, buf_str(&fields), &read, &refers), OK);
			CHECK_INT(read->kind, kind);
			CHECK_STR(read->ns, "sub:1");
			CHECK_STR(read->task->name, "agent");
			if (kind == EVENT_DELTA) {
				CHECK_STR(read->u.model.id, "id");
				CHECK_STR(read->u.model.model, "m-1");
				CHECK((read->u.model.delta->text_raw.p == NULL) ==
				    (deltas[i].text_raw.p == NULL));
			}
			event_pack(&again, read, false);
			CHECK(str_eq(buf_str(&fields), buf_str(&again)));
			for (size_t n = 0; n < fields.n; n++) {      /* cut anywhere */
				struct event_reader cut = { 0 };

				CHECK_RC(event_unpack(&cut, str_sub(buf_str(&fields), 0, n),
				    &read, &refers), ERR_SYNTAX);
				event_reader_release(&cut);
			}
			buf_add_char(&fields, 0);
			CHECK_RC(event_unpack(&r, buf_str(&fields), &read, &refers), ERR_SYNTAX);
			if (kind == EVENT_MODEL_START) {             /* the stream goes on */
				buf_cut(&fields, fields.n - 1);
				CHECK_RC(event_unpack(&r, buf_str(&fields), &read, &refers), OK);
			}
			buf_release(&fields);
			buf_release(&again);
		}
	}
	event_reader_release(&r);
}

TEST(a_delta_is_little_more_than_its_text_and_needs_its_stream)
{
	struct event_task task = a_task();
	struct run_event ev = an_event(EVENT_DELTA, &task, &deltas[1]);
	struct event_reader r = { 0 };
	struct buf fields = BUF(MB);
	const struct run_event *read;
	bool refers;

	event_pack(&fields, &ev, true);
	CHECK(fields.n <= deltas[1].text_raw.n + 5);
	CHECK_RC(event_unpack(&r, buf_str(&fields), &read, &refers), ERR_NOTFOUND);
	CHECK_RC(event_unpack(&r, S("\xff"), &read, &refers), ERR_SYNTAX);
	CHECK_RC(event_unpack(&r, S(""), &read, &refers), ERR_SYNTAX);
	event_reader_release(&r);
	buf_release(&fields);
}

/* A thread of 3,000 messages does not write them once a step. */
TEST(a_state_that_a_checkpoint_holds_is_left_out)
{
	static const enum event_kind kinds[] = { EVENT_INPUT, EVENT_VALUES, EVENT_CHECKPOINT,
	    EVENT_TASK };
	struct event_task task = a_task(), own = a_task();
	struct event_reader r = { 0 };

	own.own_input = true;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct run_event ev = an_event(kinds[i], &task, NULL);
		struct buf whole = BUF(MB), fields = BUF(MB);
		const struct run_event *read;
		bool refers;

		ev.ns = STR_NONE;
		event_pack(&whole, &ev, false);
		event_pack(&fields, &ev, true);
		CHECK(fields.n < whole.n);
		CHECK_RC(event_unpack(&r, buf_str(&fields), &read, &refers), OK);
		CHECK(refers);
		CHECK_INT(read->task->input.kind, VAL_UNDEFINED);
		ev.task = &own;
		buf_clear(&fields);
		event_pack(&fields, &ev, true);
		CHECK_RC(event_unpack(&r, buf_str(&fields), &read, &refers), OK);
		CHECK_INT(read->task->input.kind, VAL_OBJECT);
		ev.checkpoint = ev.u.state.id = (struct uuid){ 0 };  /* nothing holds it */
		if (kinds[i] == EVENT_CHECKPOINT)
			ev.u.checkpoint.id = (struct uuid){ 0 };
		if (kinds[i] == EVENT_TASK)
			ev.task = &task;
		buf_clear(&fields);
		event_pack(&fields, &ev, true);
		CHECK_RC(event_unpack(&r, buf_str(&fields), &read, &refers), OK);
		CHECK(!refers);
		CHECK(kinds[i] == EVENT_TASK ? read->task->input.kind == VAL_OBJECT :
		    kinds[i] == EVENT_CHECKPOINT ? val_count(read->u.checkpoint.parents) == 1 :
		    val_count(read->u.state.values) == 1);
		buf_release(&whole);
		buf_release(&fields);
	}
	event_reader_release(&r);
}
