/*
 * run_protocol.c - the thread protocol: filters, and events of a run as its events.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/json.h"
#include "harness/test.h"
#include "run/pack.h"
#include "run/protocol_priv.h"

/* ---- filters ------------------------------------------------------------------- */

#define DEPTH 3

/* Segments of events, and of prefixes. */
static const char *const segments[] = { "a", "b", "a:1", "b:1", "ab:1", "a:1:2" };
static const char *const wanted[] = { "a", "b", "a:1", "b:2", "a:1:2" };

/* All paths up to DEPTH, one after the other; false: there are no more. */
static bool
next_path(size_t path[DEPTH], size_t *n, size_t kinds)
{
	for (size_t i = 0; i < *n; i++) {
		if (++path[i] < kinds)
			return true;
		path[i] = 0;
	}
	return ++*n <= DEPTH;
}

/* The naive one: texts and copies. */
static bool
plain_segment(const char *want, const char *segment)
{
	char cut[16];
	char *colon;

	snprintf(cut, sizeof cut, "%s", segment);
	colon = strchr(cut, ':');
	if (colon != NULL)
		*colon = '\0';
	return strcmp(want, segment) == 0 ||
	    (strchr(want, ':') == NULL && strcmp(want, cut) == 0);
}

static bool
plain_matches(const size_t *prefix, size_t prefix_n, const size_t *ns, size_t ns_n, int depth)
{
	if (ns_n < prefix_n)
		return false;
	for (size_t i = 0; i < prefix_n; i++)
		if (!plain_segment(wanted[prefix[i]], segments[ns[i]]))
			return false;
	return depth < 0 || ns_n <= prefix_n + (size_t)depth;
}

static struct str
join_path(char out[64], const size_t *ns, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, 64 - at, "%s%s", i > 0 ? "|" : "",
		    segments[ns[i]]);
	return (struct str){ out, at };
}

/* Goal: prefixes, ids and depth as the contract says, for all namespaces and prefixes up
 * to three segments.  Method: beside a naive function. */
TEST(protocol_filters_match_as_the_naive_one)
{
	size_t ns[DEPTH] = { 0 }, ns_n = 0, compared = 0;
	char text[64];

	do {
		struct str path = join_path(text, ns, ns_n);
		size_t prefix[DEPTH] = { 0 }, n = 0;

		do {
			struct str at[DEPTH];
			struct protocol_prefix p = { at, n };
			struct protocol_filter f = { .channels = CHANNEL_TOOLS,
			    .namespaces = &p, .namespaces_n = 1 };

			for (size_t i = 0; i < n; i++)
				at[i] = str_of(wanted[prefix[i]]);
			for (f.depth = -1; f.depth <= DEPTH; f.depth++, compared++)
				CHECK(protocol_matches(&f, CHANNEL_TOOLS, STR_NONE, path) ==
				    plain_matches(prefix, n, ns, ns_n, (int)f.depth));
		} while (next_path(prefix, &n, COUNT(wanted)));
	} while (next_path(ns, &ns_n, COUNT(segments)));
	CHECK_INT(compared, 259 * 156 * 5);
}

TEST(protocol_filters_choose_channels)
{
	const struct str customs[] = { S("mine"), S("other") };
	struct protocol_filter f = { .channels = CHANNEL_VALUES | CHANNEL_INPUT, .depth = -1,
	    .customs = customs, .customs_n = 2 };

	for (unsigned bit = 1; bit <= CHANNEL_CUSTOM; bit <<= 1)
		CHECK(protocol_matches(&f, bit, STR_NONE, S("a:1")) ==
		    (bit == CHANNEL_VALUES || bit == CHANNEL_INPUT));
	CHECK(protocol_matches(&f, CHANNEL_CUSTOM, S("mine"), STR_NONE));
	CHECK(!protocol_matches(&f, CHANNEL_CUSTOM, S("min"), STR_NONE));
	CHECK(!protocol_matches(&f, CHANNEL_TOOLS, S("mine"), STR_NONE));
	f.channels |= CHANNEL_CUSTOM;
	CHECK(protocol_matches(&f, CHANNEL_CUSTOM, S("any"), STR_NONE));
	CHECK(protocol_matches(&f, CHANNEL_CUSTOM, STR_NONE, STR_NONE));
	/* any of several prefixes; none: all */
	f.namespaces = (const struct protocol_prefix[]){ { &customs[0], 1 }, { &customs[1], 1 } };
	f.namespaces_n = 2;
	f.depth = 0;
	CHECK(protocol_matches(&f, CHANNEL_VALUES, STR_NONE, S("other:9")));
	CHECK(!protocol_matches(&f, CHANNEL_VALUES, STR_NONE, S("")));
	f.namespaces_n = 0;
	CHECK(protocol_matches(&f, CHANNEL_VALUES, STR_NONE, S("")));
	CHECK(!protocol_matches(&f, CHANNEL_VALUES, STR_NONE, S("other:9")));
}

TEST(protocol_ids_tell_their_numbers)
{
	static const struct { const char *id; int64_t seq; } rows[] = {
		{ "1795220421035-4096", 4096 },
		{ "synth:01a1fb79-b9aa-752c-ac56-802105db05f4:8192", 8192 },
		{ "17", -1 }, { "", -1 }, { "a-", -1 }, { "a-b", -1 }, { "a--1", 1 },
		{ "-9223372036854775808", -1 },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_INT(protocol_seq(str_of(rows[i].id)), rows[i].seq);
}

/* ---- an encoder that is read ------------------------------------------------------ */

#define RUN "01a1fb79-b9aa-752c-ac56-802105db05f4"
#define NOW 1795220421035

struct bench {
	struct protocol p;
	struct protocol_sink sink;
	unsigned channels;                   /* that are wanted */
	int64_t since;
	struct buf heard;                    /* a line an event: namespace node data */
	struct buf wire;                     /* frames */
	int64_t numbers[4096];               /* of the lines */
	size_t n;
	int64_t number;                      /* of the next event */
};

static struct val made[8192];
static size_t made_n;

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

static struct uuid
id_of(const char *text)
{
	struct uuid id;

	CHECK(uuid_parse(str_of(text), &id));
	return id;
}

static bool
bench_wants(void *ctx, const struct protocol_event *e)
{
	const struct bench *t = ctx;

	return (t->channels & e->channel) != 0 && e->seq > t->since;
}

static void
bench_event(void *ctx, const struct protocol_event *e)
{
	struct bench *t = ctx;
	struct uuid run = id_of(RUN);
	struct buf scratch = BUF(MB);
	struct sse_block *b = protocol_block(PROTOCOL_SSE, e, &run, &scratch);

	buf_add_fmt(&t->heard, "%s [%.*s] %.*s ", e->method, FMT(e->ns), FMT(e->node));
	for (size_t i = 0; i < COUNT(e->data); i++)
		buf_add(&t->heard, e->data[i]);
	buf_add_char(&t->heard, '\n');
	buf_add(&t->wire, (struct str){ b->bytes, b->n });
	sse_block_drop(b);
	buf_release(&scratch);
	CHECK(t->n == 0 || e->seq > t->numbers[t->n - 1]);
	t->numbers[t->n++] = e->seq;
}

static void
bench_start(struct bench *t, unsigned channels)
{
	*t = (struct bench){ .channels = channels, .since = -1, .heard = BUF(16 * MB),
	    .wire = BUF(16 * MB) };
	t->sink = (struct protocol_sink){ bench_wants, bench_event, t };
	protocol_init(&t->p, &t->sink);
}

static void
bench_stop(struct bench *t)
{
	protocol_release(&t->p);
	buf_release(&t->heard);
	buf_release(&t->wire);
}

static void
tell(struct bench *t, struct run_event ev)
{
	ev.now = NOW + t->number;
	protocol_tell(&t->p, &ev, t->number++);
}

/* What was heard since the last look. */
static void
check_heard(struct bench *t, const char *expected)
{
	if (!str_eq(buf_str(&t->heard), str_of(expected)))
		fprintf(stderr, "heard:\n%.*s\nnot:\n%s\n", FMT(buf_str(&t->heard)), expected);
	CHECK(str_eq(buf_str(&t->heard), str_of(expected)));
	buf_clear(&t->heard);
}

static struct event_task
a_task(const char *node)
{
	return (struct event_task){ .id = id_of("f9d552cf-457d-570f-b0e4-5d9827da79b1"),
	    .name = str_of(node), .ns = str_of(node) };
}

static void
begin(struct bench *t)
{
	struct run_event ev = { .kind = EVENT_METADATA };

	ev.u.metadata.attempt = 1;
	ev.u.metadata.facts = json("{\"graph\":\"agent\",\"task_members\":\"\\\"a\\\":1\"}");
	tell(t, ev);
}

static struct run_event
of_model(enum event_kind kind, const struct event_task *task, uint32_t stream)
{
	struct run_event ev = { .kind = kind, .task = task };

	ev.u.model = (struct event_model){ .stream = stream, .provider = S("openai"),
	    .model = S("gpt"), .id = kind == EVENT_MODEL_START ? STR_NONE : S("m1") };
	return ev;
}

static void
say(struct bench *t, const struct event_task *task, struct llm_delta d)
{
	struct run_event ev = of_model(EVENT_DELTA, task, 1);

	ev.u.model.delta = &d;
	tell(t, ev);
}

#define EVENT(name) "messages [] agent {\"event\":\"" name "\",\"message_id\":\"m1\""
#define START EVENT("message-start") ",\"id\":\"m1\",\"role\":\"ai\"," \
	"\"metadata\":{\"provider\":\"openai\",\"model\":\"gpt\"}}\n"

/* Goal: a model's answer is one message, one block after the other, each with what its
 * pieces said; arguments come as all there is so far. */
TEST(protocol_streams_a_models_answer)
{
	struct event_task task = a_task("agent");
	struct bench t;
	struct run_event ev;

	bench_start(&t, CHANNEL_MESSAGES);
	begin(&t);
	tell(&t, of_model(EVENT_MODEL_START, &task, 1));
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_START });
	check_heard(&t, START);
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_REASONING, .text_raw = S("hm\\n") });
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_TEXT, .text_raw = S("It \\\"") });
	check_heard(&t,
	    EVENT("content-block-start") ",\"index\":0,\"content\":{\"type\":\"reasoning\",\"reasoning\":\"\"}}\n"
	    EVENT("content-block-delta") ",\"index\":0,\"delta\":{\"type\":\"reasoning-delta\",\"reasoning\":\"hm\\n\"}}\n"
	    EVENT("content-block-finish") ",\"index\":0,\"content\":{\"type\":\"reasoning\",\"reasoning\":\"hm\\n\"}}\n"
	    EVENT("content-block-start") ",\"index\":1,\"content\":{\"type\":\"text\",\"text\":\"\"}}\n"
	    EVENT("content-block-delta") ",\"index\":1,\"delta\":{\"type\":\"text-delta\",\"text\":\"It \\\"\"}}\n");
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_TEXT, .text_raw = S("is") });
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_TOOL, .index = 0,
	    .id_raw = S("c1"), .name_raw = S("weather"), .args_raw = S("") });
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_TOOL, .index = 0,
	    .args_raw = S("{\\\"at\\\": ") });
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_TOOL, .index = 0,
	    .args_raw = S("1}") });
	check_heard(&t,
	    EVENT("content-block-delta") ",\"index\":1,\"delta\":{\"type\":\"text-delta\",\"text\":\"is\"}}\n"
	    EVENT("content-block-finish") ",\"index\":1,\"content\":{\"type\":\"text\",\"text\":\"It \\\"is\"}}\n"
	    EVENT("content-block-start") ",\"index\":2,\"content\":{\"type\":\"tool_call_chunk\",\"id\":\"c1\",\"name\":\"weather\",\"args\":\"\",\"index\":0}}\n"
	    EVENT("content-block-delta") ",\"index\":2,\"delta\":{\"type\":\"block-delta\",\"fields\":{\"type\":\"tool_call_chunk\",\"id\":\"c1\",\"name\":\"weather\",\"args\":\"\"}}}\n"
	    EVENT("content-block-delta") ",\"index\":2,\"delta\":{\"type\":\"block-delta\",\"fields\":{\"type\":\"tool_call_chunk\",\"id\":\"c1\",\"name\":\"weather\",\"args\":\"{\\\"at\\\": \"}}}\n"
	    EVENT("content-block-delta") ",\"index\":2,\"delta\":{\"type\":\"block-delta\",\"fields\":{\"type\":\"tool_call_chunk\",\"id\":\"c1\",\"name\":\"weather\",\"args\":\"{\\\"at\\\": 1}\"}}}\n");
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_TOOL, .index = 1,
	    .id_raw = S("c2"), .name_raw = S("bad"), .args_raw = S("{") });
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_TEXT, .text_raw = S("!") });
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_TOOL, .index = 1,
	    .args_raw = S("late") });        /* it was told to its end */
	ev = of_model(EVENT_MODEL_END, &task, 1);
	ev.u.model.message = json("{\"id\":\"m1\",\"type\":\"ai\",\"content\":\"It \\\"is\","
	    "\"response_metadata\":{\"model_provider\":\"openai\",\"usage\":{},"
	    "\"finish_reason\":\"tool_calls\"},\"usage_metadata\":{\"input_tokens\":1}}");
	tell(&t, ev);
	check_heard(&t,
	    EVENT("content-block-finish") ",\"index\":2,\"content\":{\"type\":\"tool_call\",\"id\":\"c1\",\"name\":\"weather\",\"args\":{\"at\":1}}}\n"
	    EVENT("content-block-start") ",\"index\":3,\"content\":{\"type\":\"tool_call_chunk\",\"id\":\"c2\",\"name\":\"bad\",\"args\":\"\",\"index\":1}}\n"
	    EVENT("content-block-delta") ",\"index\":3,\"delta\":{\"type\":\"block-delta\",\"fields\":{\"type\":\"tool_call_chunk\",\"id\":\"c2\",\"name\":\"bad\",\"args\":\"{\"}}}\n"
	    EVENT("content-block-finish") ",\"index\":3,\"content\":{\"type\":\"invalid_tool_call\",\"id\":\"c2\",\"name\":\"bad\",\"args\":\"{\",\"error\":\"Malformed args.\"}}\n"
	    EVENT("content-block-start") ",\"index\":4,\"content\":{\"type\":\"text\",\"text\":\"\"}}\n"
	    EVENT("content-block-delta") ",\"index\":4,\"delta\":{\"type\":\"text-delta\",\"text\":\"!\"}}\n"
	    EVENT("content-block-finish") ",\"index\":4,\"content\":{\"type\":\"text\",\"text\":\"!\"}}\n"
	    EVENT("message-finish") ",\"reason\":\"tool_use\",\"usage\":{\"input_tokens\":1},"
	    "\"metadata\":{\"model_provider\":\"openai\",\"finish_reason\":\"tool_calls\"},"
	    "\"responseMetadata\":{\"model_provider\":\"openai\",\"finish_reason\":\"tool_calls\"}}\n");
	CHECK(t.p.messages == NULL);
	bench_stop(&t);
}

/* Goal: what an attempt said that is gone is void, and said again as a new message. */
TEST(protocol_takes_back_what_a_crash_cut_off)
{
	struct event_task task = a_task("agent");
	struct bench t;
	struct run_event ev;

	bench_start(&t, CHANNEL_MESSAGES | CHANNEL_LIFECYCLE);
	begin(&t);
	tell(&t, of_model(EVENT_MODEL_START, &task, 1));
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_START });
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_TEXT, .text_raw = S("It") });
	buf_clear(&t.heard);
	begin(&t);
	check_heard(&t, "");
	tell(&t, of_model(EVENT_RETRACT, &task, 1));
	check_heard(&t, EVENT("error") ",\"message\":\"the attempt that said this was cut off; "
	    "it is said again\",\"code\":\"retracted\"}\n");
	tell(&t, of_model(EVENT_MODEL_START, &task, 1));
	say(&t, &task, (struct llm_delta){ .kind = LLM_DELTA_START });
	check_heard(&t, START);
	ev = of_model(EVENT_MODEL_END, &task, 1);
	tell(&t, ev);
	check_heard(&t, EVENT("error") ",\"message\":\"the model did not finish its answer\","
	    "\"code\":\"incomplete\"}\n");
	bench_stop(&t);
}

static void
whole(struct bench *t, const struct event_task *task, const char *message)
{
	struct run_event ev = { .kind = EVENT_MESSAGE, .task = task };

	ev.u.message.message = json(message);
	tell(t, ev);
}

TEST(protocol_tells_whole_messages_once)
{
	struct event_task task = a_task("agent");
	struct bench t;

	bench_start(&t, CHANNEL_MESSAGES);
	whole(&t, &task, "{\"id\":\"m1\",\"type\":\"human\",\"content\":["
	    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://i\"}},"
	    "{\"type\":\"audio\",\"mimeType\":\"audio/wav\",\"base64\":\"AA==\"},"
	    "{\"type\":\"file\",\"mime_type\":\"text/plain\",\"url\":\"http://f\"},\"s\"]}");
	check_heard(&t,
	    EVENT("message-start") ",\"id\":\"m1\",\"role\":\"human\"}\n"
	    EVENT("content-block-start") ",\"index\":0,\"content\":{\"type\":\"image\",\"url\":\"http://i\"}}\n"
	    EVENT("content-block-finish") ",\"index\":0,\"content\":{\"type\":\"image\",\"url\":\"http://i\"}}\n"
	    EVENT("content-block-start") ",\"index\":1,\"content\":{\"type\":\"audio\",\"mime_type\":\"audio/wav\",\"data\":\"AA==\"}}\n"
	    EVENT("content-block-finish") ",\"index\":1,\"content\":{\"type\":\"audio\",\"mime_type\":\"audio/wav\",\"data\":\"AA==\"}}\n"
	    EVENT("content-block-start") ",\"index\":2,\"content\":{\"type\":\"file\",\"mime_type\":\"text/plain\",\"url\":\"http://f\"}}\n"
	    EVENT("content-block-finish") ",\"index\":2,\"content\":{\"type\":\"file\",\"mime_type\":\"text/plain\",\"url\":\"http://f\"}}\n"
	    EVENT("content-block-start") ",\"index\":3,\"content\":{\"type\":\"text\",\"text\":\"\"}}\n"
	    EVENT("content-block-delta") ",\"index\":3,\"delta\":{\"type\":\"text-delta\",\"text\":\"s\"}}\n"
	    EVENT("content-block-finish") ",\"index\":3,\"content\":{\"type\":\"text\",\"text\":\"s\"}}\n"
	    EVENT("message-finish") ",\"reason\":\"stop\"}\n");
	whole(&t, &task, "{\"id\":\"m1\",\"type\":\"human\",\"content\":\"again\"}");
	whole(&t, &task, "{\"id\":\"t1\",\"type\":\"tool\",\"content\":\"x\",\"tool_call_id\":\"c\"}");
	check_heard(&t, "");
	bench_stop(&t);
}

/* Goal: one event cannot take the numbers of the next. */
TEST(protocol_tells_a_message_of_too_many_blocks_without_them)
{
	struct event_task task = a_task("agent");
	struct buf text = BUF(MB);
	struct bench t;

	buf_lit(&text, "{\"id\":\"m1\",\"type\":\"ai\",\"content\":[\"a\"");
	for (unsigned i = 0; i < LIMIT_PROTOCOL_SEQS; i++)
		buf_lit(&text, ",\"a\"");
	buf_lit(&text, "]}");
	bench_start(&t, CHANNEL_MESSAGES);
	whole(&t, &task, text.p);
	check_heard(&t, EVENT("message-start") ",\"id\":\"m1\",\"role\":\"ai\"}\n"
	    EVENT("message-finish") ",\"reason\":\"stop\"}\n");
	CHECK(t.numbers[t.n - 1] < protocol_first(t.number));
	buf_release(&text);
	bench_stop(&t);
}

/* ---- states, tasks, questions, the end ---------------------------------------------- */

#define CK "1f1e5415-6724-63c0-8000-079162e974f5"
#define PARENT "1f1e5415-6715-6960-bfff-c4d5e794ee5b"

static struct run_event
state_event(enum event_kind kind, const char *values)
{
	struct run_event ev = { .kind = kind, .step = 1 };

	ev.u.state = (struct event_state){ .values = json(values), .id = id_of(CK),
	    .parent = id_of(PARENT), .source = SOURCE_LOOP };
	return ev;
}

#define STATE "{\"messages\":[{\"content\":\"hi\",\"id\":\"h1\",\"additional_kwargs\":{}," \
	"\"response_metadata\":{},\"type\":\"human\"},{\"content\":\"It is\"," \
	"\"additional_kwargs\":{\"reasoning_content\":\"hm\"},\"response_metadata\":" \
	"{\"model_provider\":\"openai\"},\"tool_call_chunks\":[],\"tool_calls\":[{\"name\":\"w\"," \
	"\"args\":{},\"id\":\"c1\",\"type\":\"tool_call\"}],\"id\":\"m1\"," \
	"\"invalid_tool_calls\":[],\"type\":\"ai\"},{\"type\":\"ai\",\"content\":\"plain\"," \
	"\"id\":\"m2\"}],\"n\":[1,{\"type\":\"tool\"}],\"__interrupt__\":[]}"
#define SHOWN "{\"messages\":[{\"type\":\"human\",\"content\":\"hi\",\"id\":\"h1\"}," \
	"{\"type\":\"ai\",\"content\":[{\"type\":\"reasoning\",\"reasoning\":\"hm\"}," \
	"{\"type\":\"text\",\"text\":\"It is\"},{\"type\":\"tool_call\",\"id\":\"c1\"," \
	"\"name\":\"w\",\"args\":{}}],\"id\":\"m1\",\"response_metadata\":" \
	"{\"output_version\":\"v1\",\"model_provider\":\"openai\"},\"tool_calls\":" \
	"[{\"name\":\"w\",\"args\":{},\"id\":\"c1\",\"type\":\"tool_call\"}]}," \
	"{\"type\":\"ai\",\"content\":\"plain\",\"id\":\"m2\"}],\"n\":[1,{\"type\":\"tool\"}]}"
#define CHECKPOINT "checkpoints []  {\"id\":\"" CK "\",\"parent_id\":\"" PARENT \
	"\",\"step\":1,\"source\":\"loop\"}\n"

TEST(protocol_shows_states_behind_their_checkpoints)
{
	struct run_event ev = { .kind = EVENT_CHECKPOINT, .step = 1 };
	struct bench t;

	bench_start(&t, CHANNEL_VALUES | CHANNEL_CHECKPOINTS);
	tell(&t, state_event(EVENT_VALUES, STATE));
	check_heard(&t, CHECKPOINT "values []  " SHOWN "\n");
	ev.u.checkpoint.id = id_of(CK);
	ev.u.checkpoint.source = SOURCE_LOOP;
	tell(&t, ev);                        /* it was told with the state */
	check_heard(&t, "");
	ev.u.checkpoint.id = id_of(PARENT);
	tell(&t, ev);
	check_heard(&t, "checkpoints []  {\"id\":\"" PARENT "\",\"step\":1,\"source\":\"loop\"}\n");
	bench_stop(&t);
}

TEST(protocol_tells_tasks_updates_tools_and_customs)
{
	struct event_task task = a_task("agent");
	struct run_event ev = { .kind = EVENT_TASK, .task = &task };
	struct bench t;

	bench_start(&t, ~0u);
	begin(&t);
	buf_clear(&t.heard);
	task.input = json("{\"n\":1}");
	tell(&t, ev);
	check_heard(&t, "tasks [] agent {\"id\":\"f9d552cf-457d-570f-b0e4-5d9827da79b1\","
	    "\"name\":\"agent\",\"input\":{\"n\":1},\"triggers\":[\"branch:to:agent\"],"
	    "\"interrupts\":[],\"metadata\":{\"ls_integration\":\"langgraph\",\"a\":1}}\n");
	ev.kind = EVENT_TASK_RESULT;
	task.result = json("{\"messages\":[{\"id\":\"a\",\"type\":\"ai\",\"content\":\"x\","
	    "\"tool_calls\":[]}]}");
	tell(&t, ev);
	check_heard(&t, "updates [] agent {\"messages\":[{\"type\":\"ai\",\"content\":\"x\","
	    "\"id\":\"a\"}]}\n"
	    "tasks [] agent {\"id\":\"f9d552cf-457d-570f-b0e4-5d9827da79b1\",\"name\":\"agent\","
	    "\"result\":{\"messages\":[{\"type\":\"ai\",\"content\":\"x\",\"id\":\"a\"}]},"
	    "\"interrupts\":[]}\n");
	ev.kind = EVENT_TOOL;
	ev.u.tool = (struct event_tool){ .what = EVENT_TOOL_START, .call_id = S("c1"),
	    .name = S("w"), .payload = json("{\"at\":1}") };
	tell(&t, ev);
	ev.u.tool.what = EVENT_TOOL_DELTA;
	tell(&t, ev);
	ev.u.tool.what = EVENT_TOOL_END;
	tell(&t, ev);
	ev.u.tool.what = EVENT_TOOL_ERROR;
	ev.u.tool.payload = json("{\"message\":\"no\"}");
	tell(&t, ev);
	check_heard(&t, "tools [] agent {\"event\":\"tool-started\",\"tool_call_id\":\"c1\","
	    "\"tool_name\":\"w\",\"input\":{\"at\":1}}\n"
	    "tools [] agent {\"event\":\"tool-output-delta\",\"tool_call_id\":\"c1\","
	    "\"delta\":\"{\\\"at\\\":1}\"}\n"
	    "tools [] agent {\"event\":\"tool-finished\",\"tool_call_id\":\"c1\","
	    "\"output\":{\"at\":1}}\n"
	    "tools [] agent {\"event\":\"tool-error\",\"tool_call_id\":\"c1\","
	    "\"message\":\"no\"}\n");
	ev = (struct run_event){ .kind = EVENT_CUSTOM, .ns = S("sub:1"), .task = &task };
	ev.u.custom.name = S("mine");
	ev.u.custom.data = json("[1]");
	tell(&t, ev);
	ev.u.custom.name = STR_NONE;
	tell(&t, ev);
	check_heard(&t, "custom [sub:1] agent {\"name\":\"mine\",\"payload\":[1]}\n"
	    "custom [sub:1] agent {\"payload\":[1]}\n");
	bench_stop(&t);
}

/* Goal: a question is told for the graph that asks, once; a run that answers what does
 * not wait fails and says which. */
TEST(protocol_tells_questions_and_the_end)
{
	struct run_event ev = { .kind = EVENT_INTERRUPT, .ns = S("sub:1") };
	struct bench t;

	bench_start(&t, CHANNEL_INPUT | CHANNEL_LIFECYCLE);
	begin(&t);
	ev.u.interrupts.list = json("[{\"id\":\"i1\",\"value\":{\"q\":1},"
	    "\"response_schema\":{\"type\":\"string\"}}]");
	tell(&t, ev);
	ev.ns = S("");
	tell(&t, ev);
	ev = (struct run_event){ .kind = EVENT_ANSWERED };
	ev.u.answered.ids = json("[\"i1\",\"i2\"]");
	tell(&t, ev);
	ev = (struct run_event){ .kind = EVENT_LIFECYCLE, .ns = S("sub:1") };
	ev.u.lifecycle = (struct event_lifecycle){ .what = EVENT_FAILED, .graph = S("s"),
	    .tool_call_id = S("c1"), .error = S("E"), .message = S("no") };
	tell(&t, ev);
	ev.ns = S("");
	tell(&t, ev);                        /* the root's is the run's end */
	check_heard(&t, "lifecycle []  {\"event\":\"running\",\"graph_name\":\"agent\"}\n"
	    "input.requested [sub:1]  {\"interrupt_id\":\"i1\",\"payload\":{\"q\":1},"
	    "\"value\":{\"q\":1},\"response_schema\":{\"type\":\"string\"}}\n"
	    "input.answered []  {\"interrupt_ids\":[\"i1\",\"i2\"]}\n"
	    "lifecycle [sub:1]  {\"event\":\"failed\",\"graph_name\":\"s\",\"cause\":"
	    "{\"type\":\"toolCall\",\"tool_call_id\":\"c1\"},\"error\":\"no\"}\n");
	ev = (struct run_event){ .kind = EVENT_REFUSED };
	ev.u.refused.unknown = json("[\"i2\"]");
	ev.u.refused.pending = json("[\"i1\"]");
	tell(&t, ev);
	ev = (struct run_event){ .kind = EVENT_ERROR };
	ev.u.error.name = S("UnknownInterruptError");
	ev.u.error.message = S("Unknown: i2");
	tell(&t, ev);
	protocol_end(&t.p, RUN_ERROR, S("other"), t.number++, NOW);
	check_heard(&t, "lifecycle []  {\"event\":\"failed\",\"graph_name\":\"agent\","
	    "\"error\":\"Unknown: i2\",\"reason\":\"Unknown: i2\",\"interrupt_ids\":[\"i2\"],"
	    "\"pending_ids\":[\"i1\"]}\n");
	bench_stop(&t);
}

/* ---- bytes ---------------------------------------------------------------------------- */

TEST(protocol_events_have_their_frames)
{
	static const size_t sizes[] = { 0, 10, 125, 126, 65535, 65536, 70000 };
	struct uuid run = id_of(RUN);
	struct buf scratch = BUF(MB), filling = BUF(MB);
	struct protocol_event e = { .channel = CHANNEL_MESSAGES, .method = "messages",
	    .ns = S("a:1|b\"2"), .node = S("n"), .seq = 4097, .now = NOW,
	    .data = { S("{\"t\":\""), S("x"), S("\"}") } };
	struct sse_block *b = protocol_block(PROTOCOL_SSE, &e, &run, &scratch);

	CHECK_STR(((struct str){ b->bytes, b->n }), "event: messages\n"
	    "data: {\"type\":\"event\",\"event_id\":\"1795220421035-4097\",\"seq\":4097,"
	    "\"method\":\"messages\",\"params\":{\"namespace\":[\"a:1\",\"b\\\"2\"],"
	    "\"timestamp\":1795220421035,\"node\":\"n\",\"data\":{\"t\":\"x\"}}}\n"
	    "id: 1795220421035-4097\n\n");
	sse_block_drop(b);
	e = (struct protocol_event){ .channel = CHANNEL_LIFECYCLE, .method = "lifecycle",
	    .life = true, .seq = 4096, .now = NOW, .data = { S("{}") } };
	b = protocol_block(PROTOCOL_SSE, &e, &run, &scratch);
	CHECK(str_ends((struct str){ b->bytes, b->n }, S("\nid: synth:" RUN ":4096\n\n")));
	sse_block_drop(b);
	/* WebSocket: the length that the header says is that of the text behind it */
	for (size_t i = 0; i < COUNT(sizes); i++) {
		const unsigned char *h;
		size_t n, head;

		for (buf_clear(&filling); filling.n < sizes[i]; )
			buf_add_char(&filling, 'x');
		e.data[0] = buf_str(&filling);
		b = protocol_block(PROTOCOL_SOCKET, &e, &run, &scratch);
		h = (const unsigned char *)b->bytes;
		CHECK_INT(h[0], 0x81);
		head = h[1] < 126 ? 2 : h[1] == 126 ? 4 : 10;
		n = h[1] < 126 ? h[1] : 0;
		for (size_t k = 2; k < head; k++)
			n = n << 8 | h[k];
		CHECK_INT(n, b->n - head);
		CHECK(head == (n < 126 ? 2 : n < 65536 ? 4 : 10));
		CHECK(b->bytes[head] == '{' && b->bytes[b->n - 1] == '}');
		sse_block_drop(b);
	}
	buf_release(&scratch);
	buf_release(&filling);
}

/* ---- any since ---------------------------------------------------------------------------- */

static unsigned seed;

static unsigned
rnd(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* One of some thousand events, of two models that talk at once and whatever else. */
static void
random_event(struct bench *t)
{
	static struct event_task task;
	static const char *const texts[] = { "a", "\\n", "\\u00e4", "" };
	uint32_t stream = 1 + rnd(2);
	struct llm_delta d = { .kind = (int)rnd(LLM_DELTA_USAGE + 1), .index = rnd(3),
	    .text_raw = str_of(texts[rnd(4)]), .id_raw = S("c"), .name_raw = S("n"),
	    .args_raw = str_of(texts[rnd(4)]) };
	struct run_event ev;

	task = a_task(stream == 1 ? "agent" : "other");
	switch (rnd(12)) {
	case 0:
		begin(t);
		return;
	case 1:
		ev = of_model(EVENT_RETRACT, &task, stream);
		break;
	case 2:
		ev = of_model(EVENT_MODEL_END, &task, stream);
		if (rnd(2) == 0)
			ev.u.model.message = json("{\"id\":\"m1\",\"type\":\"ai\","
			    "\"content\":\"done\"}");
		break;
	case 3:
		ev = state_event(rnd(2) ? EVENT_VALUES : EVENT_INPUT, "{\"n\":1}");
		break;
	case 4:
		ev = (struct run_event){ .kind = EVENT_INTERRUPT };
		ev.u.interrupts.list = json(rnd(2) ? "[{\"id\":\"i1\",\"value\":1}]" :
		    "[{\"id\":\"i2\",\"value\":1},{\"id\":\"i3\",\"value\":1}]");
		break;
	case 5:
		whole(t, &task, rnd(2) ? "{\"id\":\"w1\",\"type\":\"ai\",\"content\":\"x\"}" :
		    "{\"id\":\"w2\",\"type\":\"ai\",\"content\":[\"x\",\"y\"]}");
		return;
	default:
		ev = of_model(EVENT_DELTA, &task, stream);
		ev.u.model.id = stream == 1 ? S("m1") : S("m2");
		ev.u.model.delta = &d;
	}
	tell(t, ev);
}

/* Goal: whoever reads from any point gets the bytes that were told behind it, whatever
 * was wanted before. */
TEST(protocol_events_are_the_same_from_any_point)
{
	static struct bench all, some;

	for (unsigned round = 0; round < 8; round++) {
		size_t events = 60;

		seed = round;
		bench_start(&all, ~0u);
		for (size_t i = 0; i < events; i++)
			random_event(&all);
		for (size_t k = 0; k < all.n; k += 1 + k / 16) {
			size_t at = 0;

			seed = round;
			bench_start(&some, ~0u);
			some.since = all.numbers[k];
			for (size_t i = 0; i < events; i++)
				random_event(&some);
			CHECK_INT(some.n, all.n - k - 1);
			at = all.wire.n - some.wire.n;
			CHECK(some.wire.n <= all.wire.n && (some.wire.n == 0 ||
			    memcmp(all.wire.p + at, some.wire.p, some.wire.n) == 0));
			bench_stop(&some);
		}
		bench_stop(&all);
		made_drop();
	}
}
