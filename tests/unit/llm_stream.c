/*
 * llm_stream.c - the decoder of a model's stream: real streams cut at every
 * byte, the ways in which servers differ, and what becomes of the message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "llm/wire_priv.h"
#include "base/scan.h"

#define HEAD "\"created\":1700000000,\"model\":\"mock-gpt\",\"system_fingerprint\":" \
    "\"fp_mock\",\"object\":\"chat.completion.chunk\""
#define CHUNK(id, delta, finish)                                            \
	"data: {\"id\":\"" id "\"," HEAD ",\"choices\":[{\"index\":0,\"delta\":" \
	delta ",\"logprobs\":null,\"finish_reason\":" finish "}]}\n\n"
#define USAGE_JSON "{\"prompt_tokens\":11,\"completion_tokens\":5,\"total_tokens\":16," \
    "\"prompt_tokens_details\":{\"cached_tokens\":0}," \
    "\"completion_tokens_details\":{\"reasoning_tokens\":0}}"
#define USAGE(id) "data: {\"id\":\"" id "\"," HEAD ",\"choices\":[],\"usage\":" \
    USAGE_JSON "}\n\n"
#define DONE "data: [DONE]\n\n"

static const char text_stream[] =
    CHUNK("chatcmpl-mock851449", "{\"role\":\"assistant\",\"content\":\"\"}", "null")
    CHUNK("chatcmpl-mock851449", "{\"content\":\"Hello\"}", "null")
    CHUNK("chatcmpl-mock851449", "{\"content\":\" from\"}", "null")
    CHUNK("chatcmpl-mock851449", "{\"content\":\" mock\"}", "null")
    CHUNK("chatcmpl-mock851449", "{\"content\":\" LLM\"}", "null")
    CHUNK("chatcmpl-mock851449", "{\"content\":\" .\"}", "null")
    CHUNK("chatcmpl-mock851449", "{}", "\"stop\"")
    USAGE("chatcmpl-mock851449") DONE;

static const char tool_stream[] =
    CHUNK("chatcmpl-mock287038", "{\"role\":\"assistant\",\"content\":null}", "null")
    CHUNK("chatcmpl-mock287038", "{\"tool_calls\":[{\"index\":0,\"id\":\"call_mock1\","
	"\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"arguments\":\"\"}}]}",
	"null")
    CHUNK("chatcmpl-mock287038", "{\"tool_calls\":[{\"index\":0,\"function\":"
	"{\"arguments\":\"{\\\"ci\"}}]}", "null")
    CHUNK("chatcmpl-mock287038", "{\"tool_calls\":[{\"index\":0,\"function\":"
	"{\"arguments\":\"ty\\\":\\\"\"}}]}", "null")
    CHUNK("chatcmpl-mock287038", "{\"tool_calls\":[{\"index\":0,\"function\":"
	"{\"arguments\":\"Paris\\\"}\"}}]}", "null")
    CHUNK("chatcmpl-mock287038", "{}", "\"tool_calls\"")
    USAGE("chatcmpl-mock287038") DONE;

/* Escapes, other alphabets, a pair of surrogates cut between two chunks. */
static const char odd_text_stream[] =
    "\xef\xbb\xbf: keep-alive\r\n\r\n"
    "event: message\r\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"Gr\xc3\xbc\xc3\x9f\\n\\\"x\\\" \\ud83d\"}}],"
    "\"id\":\"c-1\"}\r\n\r\n"
    "data:{\"id\":\"c-1\",\"choices\":[{\"finish_reason\":\"length\",\"delta\":"
    "{\"content\":\"\\ude00 {[\\\\\"}}],\"usage\":{ \"prompt_tokens\" : 1,\r\t"
    "\"completion_tokens\":2}}\r\n\r\n";

struct record {
	struct buf log;
	size_t stop_after, n;
};

static void
add_span(struct buf *b, const char *name, struct str s)
{
	if (s.p != NULL)
		buf_add_fmt(b, " %s=<%.*s>", name, FMT(s));
}

static bool
on_delta(void *ctx, const struct llm_delta *d)
{
	static const char *const names[] = { "start", "text", "think", "tool", "finish",
	    "usage" };
	struct record *r = ctx;

	buf_add_fmt(&r->log, "%s %.*s", names[d->kind], FMT(d->id));
	if (d->kind == LLM_DELTA_TOOL)
		buf_add_fmt(&r->log, " %d", (int)d->index);
	add_span(&r->log, "text", d->text_raw);
	add_span(&r->log, "id", d->id_raw);
	add_span(&r->log, "name", d->name_raw);
	add_span(&r->log, "args", d->args_raw);
	add_span(&r->log, "why", d->finish_raw);
	add_span(&r->log, "usage", d->usage_raw);
	buf_add_char(&r->log, '\n');
	return ++r->n != r->stop_after;
}

/* Everything there is to see of one decoding. */
struct seen {
	int rc;
	struct failure failure;
	struct record record;
	struct buf message;
	char calls[256];
};

static void
build(const struct llm_result *r, struct seen *out)
{
	struct result_built b;
	size_t n = 0;

	CHECK_RC(result_build(r, S("openai"), &b, NULL), OK);
	CHECK_RC(json_check(b.answer.message_json, NULL), OK);
	CHECK(str_index(b.answer.message_json, '\n') < 0);
	buf_add(&out->message, b.answer.message_json);
	for (size_t i = 0; i < b.answer.calls_n; i++)
		n += (size_t)snprintf(out->calls + n, sizeof out->calls - n,
		    "%.*s %.*s %.*s;", FMT(b.answer.calls[i].id),
		    FMT(b.answer.calls[i].name), FMT(b.answer.calls[i].args_json));
	result_built_release(&b);
}

/* Feeds it in pieces of `first`, then `step` bytes at a time. */
static struct seen
decode_cut(struct str bytes, size_t first, size_t step)
{
	struct seen out = { .record.log = BUF(MB), .message = BUF(MB) };
	struct llm_result r;
	struct decoder s;
	size_t n = first;

	result_init(&r);
	decoder_init(&s, &openai_wire, &r, on_delta, &out.record);
	for (; bytes.n > 0 && out.rc == OK; n = step) {
		struct str piece = str_sub(bytes, 0, n);
		char *copy = malloc(piece.n);        /* so that overreads are seen */

		memcpy(copy, piece.p, piece.n);
		out.rc = decoder_feed(&s, (struct str){ copy, piece.n }, &out.failure);
		free(copy);
		bytes = str_sub(bytes, piece.n, bytes.n);
	}
	if (out.rc == OK)
		out.rc = decoder_end(&s, &out.failure);
	if (out.rc == OK)
		build(&r, &out);
	decoder_release(&s);
	result_release(&r);
	return out;
}

static struct seen
decode(const char *text)
{
	return decode_cut(str_of(text), strlen(text), 1);
}

static void
seen_release(struct seen *s)
{
	buf_release(&s->record.log);
	buf_release(&s->message);
}

static struct str
log_of(const struct seen *s)
{
	return buf_str(&s->record.log);
}

/* Goal: where the network cuts a stream makes no difference at all. */
TEST(stream_is_the_same_wherever_it_is_cut)
{
	const char *streams[] = { text_stream, tool_stream, odd_text_stream };

	for (size_t i = 0; i < COUNT(streams); i++) {
		struct str bytes = str_of(streams[i]);
		struct seen whole = decode(streams[i]);

		CHECK_RC(whole.rc, OK);
		for (size_t cut = 1; cut < bytes.n; cut++) {
			struct seen other = decode_cut(bytes, cut, bytes.n);

			CHECK(str_eq(log_of(&other), log_of(&whole)));
			CHECK(str_eq(buf_str(&other.message), buf_str(&whole.message)));
			seen_release(&other);
		}
		for (size_t step = 1; step < 9; step++) {
			struct seen other = decode_cut(bytes, step, step);

			CHECK(str_eq(log_of(&other), log_of(&whole)));
			seen_release(&other);
		}
		seen_release(&whole);
	}
}

/* Goal: a chunk that differs from the one before in its content alone is read
 * in a shorter way, which must say the same of whatever stands there. */
TEST(stream_chunks_like_the_last_one_are_read_as_any)
{
	static const char *const contents[] = {
		" from", "", "a\\\"b", "\\", "\\q", "\"", "\",\"content\":\"x", "\"},\"x\":{\"y\":\"",
		"\"}}],\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"z", "gr\xc3\xbcn", "\xff", "\xc3",
		"\\ud83d", "\\ude00", "tab\there", "\\u00e", "null", "\\\\", "\",\"refusal\":\"no",
		"\"}}],\"error\":{\"message\":\"m\"},\"x\":[{\"y\":{\"z\":\"",
	};

	for (size_t i = 0; i < COUNT(contents); i++) {
		char like[1024], unlike[1024];
		struct seen a, b;

		for (int same = 0; same < 2; same++)
			snprintf(same ? like : unlike, sizeof like,
			    "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"Hello\"}}],"
			    "\"n\":1}\n\ndata: {\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"%s\"}}],"
			    "\"n\":%d}\n\ndata: {\"id\":\"c\",\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n",
			    contents[i], same ? 1 : 2);
		a = decode(like);
		b = decode(unlike);
		CHECK_INT(a.rc, b.rc);
		CHECK(str_eq(log_of(&a), log_of(&b)));
		CHECK(str_eq(buf_str(&a.message), buf_str(&b.message)));
		seen_release(&a);
		seen_release(&b);
	}
}

TEST(stream_text_becomes_deltas_and_the_stored_message)
{
	struct seen s = decode(text_stream);

	CHECK_RC(s.rc, OK);
	CHECK_STR(log_of(&s),
	    "start chatcmpl-mock851449\n"
	    "text chatcmpl-mock851449 text=<Hello>\n"
	    "text chatcmpl-mock851449 text=< from>\n"
	    "text chatcmpl-mock851449 text=< mock>\n"
	    "text chatcmpl-mock851449 text=< LLM>\n"
	    "text chatcmpl-mock851449 text=< .>\n"
	    "finish chatcmpl-mock851449 why=<stop>\n"
	    "usage chatcmpl-mock851449 usage=<" USAGE_JSON ">\n");
	CHECK_STR(buf_str(&s.message),
	    "{\"content\":\"Hello from mock LLM .\",\"additional_kwargs\":{},"
	    "\"response_metadata\":{\"model_provider\":\"openai\",\"usage\":" USAGE_JSON
	    ",\"finish_reason\":\"stop\",\"model_name\":\"mock-gpt\"},"
	    "\"tool_call_chunks\":[],\"tool_calls\":[],\"id\":\"chatcmpl-mock851449\","
	    "\"usage_metadata\":{\"input_tokens\":11,\"output_tokens\":5,\"total_tokens\":16,"
	    "\"input_token_details\":{\"cache_read\":0},\"output_token_details\":{\"reasoning\":0}},"
	    "\"invalid_tool_calls\":[],\"type\":\"ai\"}");
	seen_release(&s);
}

TEST(stream_tool_call_becomes_deltas_and_the_stored_message)
{
	struct seen s = decode(tool_stream);

	CHECK_RC(s.rc, OK);
	CHECK_STR(log_of(&s),
	    "start chatcmpl-mock287038\n"
	    "tool chatcmpl-mock287038 0 id=<call_mock1> name=<get_weather> args=<>\n"
	    "tool chatcmpl-mock287038 0 args=<{\\\"ci>\n"
	    "tool chatcmpl-mock287038 0 args=<ty\\\":\\\">\n"
	    "tool chatcmpl-mock287038 0 args=<Paris\\\"}>\n"
	    "finish chatcmpl-mock287038 why=<tool_calls>\n"
	    "usage chatcmpl-mock287038 usage=<" USAGE_JSON ">\n");
	CHECK_STR(buf_str(&s.message),
	    "{\"content\":\"\",\"additional_kwargs\":{\"tool_calls\":[{\"index\":0,"
	    "\"id\":\"call_mock1\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\","
	    "\"arguments\":\"{\\\"city\\\":\\\"Paris\\\"}\"}}]},\"response_metadata\":"
	    "{\"model_provider\":\"openai\",\"usage\":" USAGE_JSON
	    ",\"finish_reason\":\"tool_calls\",\"model_name\":\"mock-gpt\"},"
	    "\"tool_call_chunks\":[{\"name\":\"get_weather\",\"args\":\"{\\\"city\\\":\\\"Paris\\\"}\","
	    "\"id\":\"call_mock1\",\"index\":0,\"type\":\"tool_call_chunk\"}],"
	    "\"tool_calls\":[{\"name\":\"get_weather\",\"args\":{\"city\":\"Paris\"},"
	    "\"id\":\"call_mock1\",\"type\":\"tool_call\"}],\"id\":\"chatcmpl-mock287038\","
	    "\"usage_metadata\":{\"input_tokens\":11,\"output_tokens\":5,\"total_tokens\":16,"
	    "\"input_token_details\":{\"cache_read\":0},\"output_token_details\":{\"reasoning\":0}},"
	    "\"invalid_tool_calls\":[],\"type\":\"ai\"}");
	CHECK_STR(str_of(s.calls), "call_mock1 get_weather {\"city\":\"Paris\"};");
	seen_release(&s);
}

TEST(stream_keeps_escapes_and_joins_cut_surrogates)
{
	struct seen s = decode(odd_text_stream);

	CHECK_RC(s.rc, OK);
	CHECK(str_contains(buf_str(&s.message),
	    S("\"content\":\"Gr\xc3\xbc\xc3\x9f\\n\\\"x\\\" \\ud83d\\ude00 {[\\\\\"")));
	CHECK(str_contains(log_of(&s), S("why=<length>\nusage c-1 "
	    "usage=<{\"prompt_tokens\":1,\"completion_tokens\":2}>")));
	CHECK(str_contains(buf_str(&s.message), S("\"total_tokens\":3,"
	    "\"input_token_details\":{},\"output_token_details\":{}")));
	seen_release(&s);
}

TEST(stream_half_a_surrogate_pair_is_not_stored)
{
	struct seen s = decode(CHUNK("c-1", "{\"content\":\"a\\ud83d b\"}", "\"stop\"") DONE);

	CHECK_RC(s.rc, OK);                  /* build() has checked the JSON */
	CHECK(str_contains(log_of(&s), S("text=<a\\ud83d b>")));
	CHECK(str_contains(buf_str(&s.message), S("\"content\":\"a\xef\xbf\xbd b\"")));
	seen_release(&s);
}

TEST(stream_makes_an_id_when_the_model_has_none)
{
	struct seen s = decode("data: {\"id\":\"\",\"choices\":[]}\n\n"
	    "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n");

	CHECK_RC(s.rc, OK);
	CHECK(str_starts(log_of(&s), S("start run-")));
	CHECK(str_contains(buf_str(&s.message), S("\"id\":\"run-")));
	CHECK(!str_contains(buf_str(&s.message), S("usage_metadata")));
	CHECK(str_contains(buf_str(&s.message), S("\"usage\":{},\"finish_reason\":\"stop\"}")));
	seen_release(&s);
}

static const char *
fragment(const char *member)
{
	static char text[512];

	snprintf(text, sizeof text, "data: {\"id\":\"c\",\"choices\":[{\"delta\":"
	    "{\"tool_calls\":[{%s}]}}]}\n\n", member);
	return text;
}

/* "call_<uuid>" is "call_". */
static const char *
without_uuids(char *s)
{
	for (char *at = strstr(s, "call_"); at != NULL; at = strstr(at + 5, "call_"))
		memmove(at + 5, at + 5 + UUID_TEXT, strlen(at + 5 + UUID_TEXT) + 1);
	return s;
}

/* Each row: fragments (members of one tool_calls element) and the calls. */
static const struct { const char *fragments[5], *calls; } sorted[] = {
	{ { "\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\"}",
	    "\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\"}",
	    "\"index\":1,\"function\":{\"arguments\":\"{\\\"y\\\":2}\"}",
	    "\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\":1}\"}" },
	  "a f {\"x\":1};b g {\"y\":2};" },
	/* no index; the id in every fragment */
	{ { "\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}",
	    "\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"}\"}" },
	  "a f {};" },
	/* index 0 for every parallel call */
	{ { "\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}",
	    "\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{\"}",
	    "\"index\":0,\"function\":{\"arguments\":\"}\"}" },
	  "a f {};b g {};" },
	/* no arguments at all; blanks are dropped, big numbers stay */
	{ { "\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\"}",
	    "\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":"
	    "\"{ \\\"n\\\" :\\n 12345678901234567890123 , \\\"s\\\":\\\" \\\\\\\" \\\" }\"}" },
	  "a f {};b g {\"n\":12345678901234567890123,\"s\":\" \\\" \"};" },
	/* the same call again, index and id and all: a name after complete
	 * arguments starts another; ids are ours where they are not one's own */
	{ { "\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}",
	    "\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}",
	    "\"index\":0,\"id\":\"a\",\"function\":{\"arguments\":\"\\\"n\\\":1}\"}" },
	  "a f {};call_ f {\"n\":1};" },
	/* an id that changes with each fragment, a name that is repeated */
	{ { "\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}",
	    "\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}",
	    "\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"}\"}" },
	  "a f {};" },
	/* nothing but names */
	{ { "\"function\":{\"name\":\"f\"}},{\"function\":{\"name\":\"f\"}",
	    "\"function\":{\"name\":\"g\"}", "\"function\":{\"arguments\":\"{}\"}" },
	  "call_ f {};call_ f {};call_ g {};" },
	/* an index that comes late; one that is new and says nothing else */
	{ { "\"id\":\"a\",\"function\":{\"name\":\"f\"}",
	    "\"index\":0,\"function\":{\"arguments\":\"{\"}",
	    "\"index\":3,\"function\":{\"arguments\":\"}\"}" },
	  "a f {};" },
	/* an index that is a text, or has a fraction */
	{ { "\"index\":\"0\",\"id\":\"a\",\"function\":{\"name\":\"f\"}",
	    "\"index\":1.0,\"id\":\"b\",\"function\":{\"name\":\"g\"}",
	    "\"index\":\"0\",\"function\":{\"arguments\":\"{\\\"x\\\":1}\"}",
	    "\"index\":1.0,\"function\":{\"arguments\":\"{}\"}" },
	  "a f {\"x\":1};b g {};" },
	/* a name in pieces */
	{ { "\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"get_\"}",
	    "\"index\":0,\"function\":{\"name\":\"time\",\"arguments\":\"{}\"}" },
	  "a get_time {};" },
	/* arguments that are no text; an id that is a number */
	{ { "\"id\":7,\"function\":{\"name\":\"f\",\"arguments\":{ \"s\" : \"\\\"}\" }}",
	    "\"id\":8,\"function\":{\"name\":\"f\",\"arguments\":\"null\"}" },
	  "7 f {\"s\":\"\\\"}\"};8 f {};" },
	/* an object's end within a text is none */
	{ { "\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"k\\\":\\\"}\"}",
	    "\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"f\",\"arguments\":\"\\\\\\\"\\\"}\"}" },
	  "a f {\"k\":\"}\\\"\"};" },
	{ { "\"index\":null,\"id\":null,\"function\":null", "\"index\":-5,\"id\":\"a\","
	    "\"function\":{\"name\":\"f\",\"arguments\":null}" },
	  "a f {};" },
};

TEST(stream_sorts_tool_fragments_the_way_servers_send_them)
{
	for (size_t i = 0; i < COUNT(sorted); i++) {
		struct buf text = BUF(MB);
		struct seen s;

		for (size_t k = 0; sorted[i].fragments[k] != NULL; k++)
			buf_add(&text, str_of(fragment(sorted[i].fragments[k])));
		buf_lit(&text, DONE);
		s = decode(text.p);
		CHECK_RC(s.rc, OK);
		CHECK_STR(str_of(without_uuids(s.calls)), sorted[i].calls);
		seen_release(&s);
		buf_release(&text);
	}
}

TEST(stream_wrong_arguments_become_invalid_calls)
{
	static const struct { const char *args, *error; } rows[] = {
		{ "{\\\"a\\\":", "\"error\":\"Malformed args: line 1" },
		{ "[1]", "\"error\":\"Malformed args: not an object.\"" },
		{ "{} x", "\"error\":\"Malformed args: line 1" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char member[256];
		struct seen s;
		struct buf text = BUF(MB);

		snprintf(member, sizeof member, "\"index\":0,\"id\":\"a\",\"function\":"
		    "{\"name\":\"f\",\"arguments\":\"%s\"}", rows[i].args);
		buf_add_fmt(&text, "%s%s", fragment(member), DONE);
		s = decode(text.p);
		CHECK_RC(s.rc, OK);
		CHECK_STR(str_of(s.calls), "");
		CHECK(str_contains(buf_str(&s.message), S("\"tool_calls\":[],\"id\"")));
		CHECK(str_contains(buf_str(&s.message), str_of(rows[i].error)));
		CHECK(str_contains(buf_str(&s.message), S("\"type\":\"invalid_tool_call\"}]")));
		seen_release(&s);
		buf_release(&text);
	}
}

TEST(stream_too_many_tool_calls_are_refused)
{
	struct buf text = BUF(MB);
	struct seen s;

	for (int i = 0; i <= LIMIT_TOOL_CALLS; i++) {
		char member[64];

		snprintf(member, sizeof member, "\"index\":%d,\"function\":"
		    "{\"name\":\"f\"}", i);
		buf_add(&text, str_of(fragment(member)));
	}
	s = decode(text.p);
	CHECK_RC(s.rc, ERR_LIMIT);
	CHECK_STR(str_of(s.failure.e.text),
	    "the model asked for more than 64 tool calls at once");
	seen_release(&s);
	buf_release(&text);
}

TEST(stream_keeps_reasoning_and_refusals_beside_the_text)
{
	struct seen s = decode(
	    CHUNK("c", "{\"reasoning_content\":\"think \"}", "null")
	    CHUNK("c", "{\"reasoning_content\":\"hard\",\"content\":null}", "null")
	    CHUNK("c", "{\"content\":\"yes\",\"refusal\":\"no\"}", "null")
	    CHUNK("c", "{}", "\"stop\"") DONE);

	CHECK_RC(s.rc, OK);
	CHECK(str_contains(buf_str(&s.message), S("\"content\":\"yes\",\"additional_kwargs\":"
	    "{\"reasoning_content\":\"think hard\",\"refusal\":\"no\"}")));
	seen_release(&s);
}

TEST(stream_reads_content_blocks_and_ignores_other_choices)
{
	struct seen s = decode(
	    "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\","
	    "\"text\":\"no\"},{\"text\":\"a\",\"type\":\"text\"},7]}},{\"index\":1,\"delta\":"
	    "{\"content\":\"other\"}}]}\n"
	    "data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n");

	CHECK_RC(s.rc, OK);
	CHECK(str_contains(buf_str(&s.message), S("{\"content\":\"ab\",")));
	seen_release(&s);
}

TEST(stream_last_usage_counts_and_is_told_once)
{
	struct seen s = decode(
	    "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":1}}\n"
	    "data: {\"id\":\"c\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n"
	    "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":7}}\n" DONE);

	CHECK_RC(s.rc, OK);
	CHECK_STR(log_of(&s), "start c\ntext c text=<a>\nfinish c why=<stop>\n"
	    "usage c usage=<{\"prompt_tokens\":7}>\n");
	seen_release(&s);
}

/* Each row: a stream and how it ends. */
#define WRONG(what) "the model's answer is malformed: " what " is of the wrong type"

TEST(stream_ends_are_told_apart)
{
	static const struct { const char *text; int rc; const char *words; bool transient; } rows[] = {
		{ CHUNK("c", "{\"content\":\"a\"}", "\"stop\""), OK, "", false },
		{ CHUNK("c", "{\"content\":\"a\"}", "null") DONE, OK, "", false },
		{ CHUNK("c", "{\"content\":\"a\"}", "null"), ERR_CLOSED,
		  "the model's stream was cut short", true },
		{ "", ERR_CLOSED, "the model's stream ended before it began", true },
		{ DONE, ERR_CLOSED, "the model's stream ended before it began", true },
		{ CHUNK("c", "{\"content\":\"a\"}", "null") "data: {\"error\":{\"message\":"
		  "\"mock boom\",\"type\":\"server_error\"}}\n\n" DONE, ERR_IO, "mock boom", true },
		{ "data: {\"error\":\"out of memory\"}\n", ERR_IO, "out of memory", true },
		{ "data: {\"error\":{\"message\":\"too many\",\"code\":429}}\n", ERR_IO,
		  "too many", true },
		{ "data: {\"error\":{\"message\":\"bad\",\"type\":\"invalid_request_error\"}}\n",
		  ERR_IO, "bad", false },
		{ "data: {\"id\":\n", ERR_SYNTAX,
		  "the model's stream has a malformed chunk: {\"id\":", false },
		{ "data: {\"choices\":[{\"delta\":{\"content\":\"a\tb\"}}]}\n", ERR_SYNTAX, NULL, false },
		{ "data: {\"choices\":[{\"delta\":{\"content\":\"\\q\"}}]}\n", ERR_SYNTAX, NULL, false },
		/* what is not UTF-8 is no mistake of the whole */
		{ "data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n" DONE, OK, "", false },
		/* an event in two lines, and one that stays torn */
		{ "data: {\"choices\":\ndata: [{\"delta\":{}}]}\n\n" DONE, OK, "", false },
		{ "data: {\"choices\":\n\ndata: [{\"delta\":{}}]}\n\n" DONE, ERR_SYNTAX, NULL, false },
		/* other ways to say an error */
		{ "event: error\ndata: {\"message\":\"died\",\"code\":500}\n\n", ERR_IO, "died", true },
		{ "event: error\ndata: went away\n\n", ERR_IO, "went away", true },
		{ "data: {\"detail\":\"no\"}\n\n", ERR_IO, "no", true },
		{ "data: {\"choices\":[{\"delta\":{},\"error\":{\"message\":\"up\"}}]}\n\n", ERR_IO, "up", true },
		{ CHUNK("c", "{\"content\":\"a\"}", "\"error\""), ERR_IO,
		  "the model ended its answer with finish_reason \"error\"", true },
		/* what is of the wrong type is a mistake of the model's server */
		{ "data: {\"choices\":{}}\n\n", ERR_SYNTAX, WRONG("choices"), false },
		{ "data: {\"choices\":[1]}\n\n", ERR_SYNTAX, WRONG("choices[0]"), false },
		{ "data: {\"choices\":[{\"delta\":\"a\"}]}\n\n", ERR_SYNTAX,
		  WRONG("choices[0].delta"), false },
		{ CHUNK("c", "{\"content\":5}", "null"), ERR_SYNTAX, WRONG("content"), false },
		{ CHUNK("c", "{\"content\":{}}", "null"), ERR_SYNTAX, WRONG("content"), false },
		{ CHUNK("c", "{\"tool_calls\":{}}", "null"), ERR_SYNTAX, WRONG("tool_calls"), false },
		{ CHUNK("c", "{\"tool_calls\":[\"f\"]}", "null"), ERR_SYNTAX,
		  WRONG("tool_calls[]"), false },
		{ CHUNK("c", "{\"tool_calls\":[{\"function\":\"f\"}]}", "null"), ERR_SYNTAX,
		  WRONG("tool_calls[].function"), false },
		{ CHUNK("c", "{\"tool_calls\":[{\"function\":{\"name\":1}}]}", "null"), ERR_SYNTAX,
		  WRONG("tool_calls[].function.name"), false },
		{ CHUNK("c", "{}", "1"), ERR_SYNTAX, WRONG("choices[0].finish_reason"), false },
		{ "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}},]}\n", ERR_SYNTAX, NULL, false },
		{ "data: {\"a\":01}\n", ERR_SYNTAX, NULL, false },
		{ "data: {\"a\":1}{}\n", ERR_SYNTAX, NULL, false },
		{ "data: hello\n", ERR_SYNTAX, NULL, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct seen s = decode(rows[i].text);

		CHECK_RC(s.rc, rows[i].rc);
		if (rows[i].rc != OK) {
			CHECK(s.failure.transient == rows[i].transient);
			if (rows[i].words != NULL)
				CHECK_STR(str_of(s.failure.e.text), rows[i].words);
		}
		seen_release(&s);
	}
}

TEST(stream_line_without_end_is_refused)
{
	struct buf text = BUF(2 * (size_t)LIMIT_LLM_LINE_BYTES);
	struct seen s;

	buf_lit(&text, "data: {\"x\":\"");
	while (text.n <= LIMIT_LLM_LINE_BYTES)
		buf_lit(&text, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
	s = decode_cut(buf_str(&text), 65536, 65536);
	CHECK_RC(s.rc, ERR_TOOBIG);
	seen_release(&s);
	buf_release(&text);
}

TEST(stream_stops_at_once_when_told)
{
	for (size_t stop = 1; stop <= 8; stop++) {
		struct record r = { .log = BUF(MB), .stop_after = stop };
		struct llm_result result;
		struct decoder s;
		struct failure f;
		int rc;

		result_init(&result);
		decoder_init(&s, &openai_wire, &result, on_delta, &r);
		rc = decoder_feed(&s, str_of(text_stream), &f);
		if (rc == OK)
			rc = decoder_end(&s, &f);
		CHECK_RC(rc, ERR_CANCELLED);
		CHECK_INT(r.n, stop);
		decoder_release(&s);
		result_release(&result);
		buf_release(&r.log);
	}
}

TEST(scan_depth_is_bounded)
{
	struct buf text = BUF(MB);
	struct str raw;
	struct scan s;

	for (int i = 0; i < 100000; i++)
		buf_add_char(&text, '[');
	s = scan_of(buf_str(&text));
	CHECK(!scan_value(&s, &raw));
	CHECK(!scan_end(&s));
	buf_release(&text);
}

/* Goal: the scanner accepts what the full parser accepts, and nothing else. */
TEST(scan_agrees_with_the_parser)
{
	static const char *const texts[] = {
		"0", "-0", "-", "1.", "1.5e+3", "1e", ".5", "+1", "00", "1 ", " 1", "1 1",
		"\"\"", "\"\\u00e9\"", "\"\\u00g9\"", "\"\\u12\"", "\"\\/\"", "\"\\x\"", "\"",
		"\"a\x01\"", "tru", "true", "falsey", "null", "nul", "[]", "[ ]", "[,]", "[1,]",
		"[1 2]", "[1,2]", "{}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1}",
		"{\"a\":1 \"b\":2}", "{a:1}", "{\"a\":[{\"b\":[null,true]}]}", "]", "}", "",
		"[1}", "{\"a\":1]", "\"aaaaaaaa\\\"bbbbbbbb\"", "\"aaaaaaaaaaaaaaaaaaaaaaa",
		"\"1234567\\", "\"1234567\x1f\"",
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct str text = str_of(texts[i]), raw;
		struct scan s = scan_of(text);
		bool ok = scan_value(&s, &raw) && scan_end(&s);

		if (ok != (json_check(text, NULL) == OK))
			test_fail(__FILE__, __LINE__, "%s: scan says %d", texts[i], ok);
	}
}
