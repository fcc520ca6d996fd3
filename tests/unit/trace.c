/*
 * trace.c - places in traces, and batches on their way to a collector.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "trace/trace_priv.h"
#include "unit/net_peer.h"

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "00-" TRACE "-b7ad6b7169203331-01"

/* Goal: what is not a traceparent begins a new trace instead of a wrong one. */
TEST(trace_parent_is_read_strictly)
{
	static const char *const bad[] = {
		"", "00", "00-" TRACE "-b7ad6b7169203331", "00-" TRACE "-b7ad6b7169203331-0",
		"ff-" TRACE "-b7ad6b7169203331-01", PARENT "-more", PARENT "x",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-" TRACE "-0000000000000000-01", "00-0AF7651916CD43DD8448EB211C80319C-"
		"b7ad6b7169203331-01", "00_" TRACE "-b7ad6b7169203331-01",
		"00-" TRACE "-b7ad6b716920333g-01", "0x-" TRACE "-b7ad6b7169203331-01",
		"01-" TRACE "-b7ad6b7169203331-01.future",
	};
	char text[TRACE_PARENT_SIZE + 1];
	struct trace_at at;

	for (size_t i = 0; i < COUNT(bad); i++) {
		CHECK(!trace_at_parse(str_of(bad[i]), &at));
		CHECK(uuid_is_zero(&at.trace) && at.span == 0 && !at.sampled);
	}
	CHECK(trace_at_parse(S(" " PARENT " "), &at));
	CHECK(at.span == UINT64_C(0xb7ad6b7169203331) && at.sampled);
	trace_at_write(text, &at);
	CHECK_STR(str_of(text), PARENT);
	CHECK(trace_at_parse(S("01-" TRACE "-b7ad6b7169203331-02-future"), &at));
	CHECK(!at.sampled);
	trace_at_write(text, &(struct trace_at){ .span = 1 });
	CHECK(text[0] == '\0');
}

/* Goal: attempts and nodes name a span alike, and no two things have one name. */
TEST(trace_span_ids_are_of_what_they_name)
{
	struct uuid id = uuid_v7(), other = uuid_v7();

	CHECK(trace_span_of(&id, S("task"), 0) == trace_span_of(&id, S("task"), 0));
	CHECK(trace_span_of(&id, S("task"), 0) != trace_span_of(&other, S("task"), 0));
	CHECK(trace_span_of(&id, S("task"), 0) != trace_span_of(&id, S("task"), 1));
	CHECK(trace_span_of(&id, S("a"), 0) != trace_span_of(&id, S("b"), 0));
	CHECK(trace_in_ratio(&id, 1) && !trace_in_ratio(&id, 0));
}

/* Goal: a tenth is a tenth, and the same traces are within a fifth. */
TEST(trace_ratio_is_of_ids)
{
	size_t tenth = 0;

	for (int i = 0; i < 20000; i++) {
		struct uuid id = uuid_v7();
		bool in = trace_in_ratio(&id, 0.1);

		tenth += in;
		CHECK(!in || trace_in_ratio(&id, 0.2));
	}
	CHECK(tenth > 1700 && tenth < 2300);
}

TEST(trace_settings_say_what_is_wrong)
{
	static const char *const urls[] = { "", "x", "ftp://h/", "http://", "http:///p",
		"https://:4318", "http://h/ v", "http://h/\"", "http://h\r\nX: y" };
	static const char *const lists[] = { "a", "=b", "a=b,c", "a b=c", "a:b=c", "a=%0d%0aX: y",
		",", "a=b,," };
	struct err e;

	for (size_t i = 0; i < COUNT(urls); i++)
		CHECK_RC(tracing_check_url(str_of(urls[i]), &e), ERR_INVALID);
	for (size_t i = 0; i < COUNT(lists); i++)
		CHECK_RC(tracing_check_headers(str_of(lists[i]), &e), ERR_INVALID);
	/* It may be a secret that is not a pair. */
	CHECK_RC(tracing_check_headers(S("=hidden"), &e), ERR_INVALID);
	CHECK(strstr(e.text, "hidden") == NULL);
	CHECK_RC(tracing_check_headers(S("authorization=Basic%20eA==, x=1"), &e), OK);
	CHECK_RC(tracing_check_headers(S(""), &e), OK);
	CHECK_RC(tracing_check_url(S("https://h.example/api/public/otel"), &e), OK);
}

TEST(trace_partial_success_is_counted)
{
	static const struct { const char *text; uint64_t n; } at[] = {
		{ "", 0 }, { "{}", 0 }, { "no", 0 }, { "[]", 0 }, { "{\"partialSuccess\":{}}", 0 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":\"3\"}}", 3 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":4,\"errorMessage\":\"old\"}}", 4 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":-4}}", 0 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":\"x\",\"errorMessage\":7}}", 0 },
	};

	for (size_t i = 0; i < COUNT(at); i++) {
		struct buf why = BUF(KB);

		CHECK(otlp_rejected(str_of(at[i].text), &why) == at[i].n);
		buf_release(&why);
	}
}

/* ---- a shard, and a collector that answers as it is told -------------------------------- */

struct bed {
	struct shard *shard;
	struct client *client;
	struct tracing *tracing;
	struct tracer *tracer;
	struct shard_job begin;
	size_t spans;
	bool content;
};

static void
on_drained(void *ctx)
{
	struct bed *b = ctx;

	shard_stop(b->shard);
}

/* More than the ring holds, then the end. */
static void
on_begin(struct shard_job *job)
{
	struct bed *b = CONTAINER_OF(job, struct bed, begin);
	struct trace_at at;

	CHECK(trace_at_parse(S(PARENT), &at));
	for (size_t i = 0; i < b->spans; i++) {
		struct trace_span *s = trace_add(b->tracer, &at, i + 1, TRACE_INTERNAL,
		    S("n\xff"), 5, 3);

		trace_text(s, "k", S("v\"\n"));
		for (int k = 0; k < 2 * SPAN_ATTRS; k++)
			trace_int(s, "i", -7);
		trace_content(s, "c", S("content"));
		trace_failed(s, S("type"), S("\xc3"));
	}
	tracer_drain(b->tracer, LIMIT_TRACE_DRAIN_MS, on_drained, b);
}

static void
bed_run(struct bed *b, void (*serve)(struct peer *, int, int), struct trace_stats *out)
{
	struct peer *p = peer_start(serve, NULL);
	struct tracing_options o = { .service = S("s"), .instance = S("i"), .sample = 1,
	    .content = b->content };
	char url[64];
	struct err e;

	snprintf(url, sizeof url, "http://127.0.0.1:%u/v1/traces", p->port);
	o.url = str_of(url);
	CHECK_RC(client_global_init(&e), OK);
	CHECK_RC(shard_new(&b->shard, 0, &e), OK);
	CHECK_RC(client_new(&b->client, b->shard, &e), OK);
	CHECK_RC(tracing_new(&b->tracing, &o, &e), OK);
	b->tracer = tracer_new(b->tracing, b->shard, b->client);
	b->begin.run = on_begin;
	shard_post(b->shard, &b->begin);
	CHECK_RC(shard_run(b->shard), OK);
	trace_stats(out);
	tracer_free(b->tracer);
	client_free(b->client);
	shard_free(b->shard);
	tracing_free(b->tracing);
}

static void
reply(int fd, const char *status, const char *more)
{
	char text[256];

	snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%sContent-Length: 2\r\n\r\n{}", status, more);
	peer_write(fd, text);
}

/* Are the spans of a batch the next ones?  They are numbered from 1. */
static bool
next_spans(const char *body)
{
	static const char key[] = ",\"spanId\":\"";
	static unsigned long long last;

	for (const char *at = body; (at = strstr(at, key)) != NULL; at += sizeof key)
		if (strtoull(at + sizeof key - 1, NULL, 16) != ++last)
			return false;
	return true;
}

/* The second request is a 503. */
static void
serve_once_busy(struct peer *p, int fd, int nth)
{
	static char body[2 << 20];
	static int requests;

	(void)nth;
	while (peer_request(p, fd, body, sizeof body)) {
		if (++requests == 2)
			reply(fd, "503 Busy", "Retry-After: 0\r\n");
		else
			reply(fd, next_spans(body) ? "200 OK" : "400 Bad", "");
	}
}

/* Goal: the ring is a bound: what is over it is dropped and counted, and the rest arrives,
 * each once and in order, also when the collector is busy in between. */
TEST(trace_more_than_fits)
{
	struct bed b = { .spans = LIMIT_TRACE_SPANS + 10, .content = true };
	struct trace_stats s;

	bed_run(&b, serve_once_busy, &s);
	CHECK(s.dropped == 10 && s.exported == LIMIT_TRACE_SPANS && s.failed == 0);
	CHECK(s.waiting == 0);
}

static void
serve_refusal(struct peer *p, int fd, int nth)
{
	static char body[2 << 20];

	(void)nth;
	while (peer_request(p, fd, body, sizeof body))
		reply(fd, "400 Bad", "");
}

/* Goal: what the collector refuses is not sent again. */
TEST(trace_refused_batches_are_given_up)
{
	struct bed b = { .spans = 300 };
	struct trace_stats s;

	bed_run(&b, serve_refusal, &s);
	CHECK(s.failed == 300 && s.exported == 0 && s.waiting == 0);
}

/* Goal: a span whose trace is not recorded costs no room. */
TEST(trace_unsampled_spans_are_none)
{
	struct trace_at at;

	CHECK(trace_at_parse(S("00-" TRACE "-b7ad6b7169203331-00"), &at));
	CHECK(trace_add(NULL, &at, 1, TRACE_INTERNAL, S("x"), 1, 2) == NULL);
	trace_text(NULL, "k", S("v"));
	trace_failed(NULL, S("t"), S("m"));
}
