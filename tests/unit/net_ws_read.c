/*
 * net_ws_read.c - frames put together, however they are cut into reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "net_ws_cases.h"
#include "net/http_priv.h"

static const struct ws_limits small = {
	.message = WS_CASE_MESSAGE, .frames = WS_CASE_FRAMES,
};

static void
say_got(struct buf *out, const struct ws_read *w, enum ws_got got)
{
	switch (got) {
	case WS_GOT_TEXT:
		ws_case_say(out, "text", buf_str(w->message));
		break;
	case WS_GOT_PING:
		ws_case_say(out, "ping", ws_read_payload(w));
		break;
	case WS_GOT_PONG:
		ws_case_say(out, "pong", ws_read_payload(w));
		break;
	case WS_GOT_CLOSE:
		buf_add_fmt(out, "close(%u,%.*s)", w->code, FMT(ws_read_payload(w)));
		break;
	default:
		CHECK(got == WS_GOT_BAD && w->why != NULL);
		buf_add_fmt(out, "bad(%u)", w->code);
		break;
	}
}

/* What the bytes are, `step` of them a read. */
static void
read_all(struct str bytes, size_t step, struct buf *out)
{
	struct buf message = BUF(WS_CASE_MESSAGE);
	struct ws_read w;
	enum ws_got got;

	ws_read_init(&w, &small, &message);
	for (size_t at = 0; at < bytes.n && !w.ended; at += step) {
		struct str part = str_sub(bytes, at, step);

		ws_read_give(&w, part.p, part.n);
		while ((got = ws_read_next(&w)) != WS_GOT_NOTHING) {
			say_got(out, &w, got);
			if (got == WS_GOT_TEXT)
				buf_clear(&message);
		}
		CHECK(w.ended || w.at == w.end);
	}
	ws_read_release(&w);
	buf_release(&message);
}

/* Goal: each case is what it is, read whole, byte by byte, and in between. */
TEST(ws_reads_the_cases)
{
	static const size_t steps[] = { SIZE_MAX, 1, 2, 7, 4096, 65536 };

	for (size_t i = 0; i < ws_cases_n; i++) {
		const struct ws_case *x = &ws_cases[i];
		struct buf bytes = BUF(1 * MB);

		ws_case_add(&bytes, x->frames);
		for (size_t k = 0; k < COUNT(steps); k++) {
			struct buf out = BUF(1 * MB);

			read_all(buf_str(&bytes), steps[k], &out);
			if (!str_eq(buf_str(&out), x->wanted))
				test_fail(__FILE__, __LINE__, "case %s, %zu a read: %.*s, not %.*s",
				    x->name, steps[k], FMT(buf_str(&out)), FMT(x->wanted));
			buf_release(&out);
		}
		buf_release(&bytes);
	}
}

/* Goal: an idle socket holds nothing of wslay. */
TEST(ws_keeps_no_context_between_frames)
{
	struct buf bytes = BUF(1000), message = BUF(WS_CASE_MESSAGE);
	struct ws_read w;

	ws_case_add(&bytes, S("i:ping|-t:one|c:two"));
	ws_read_init(&w, &small, &message);
	for (size_t i = 0; i < bytes.n; i++) {
		size_t first = 10, second = 19;      /* bytes up to a frame's end */
		enum ws_got got;

		ws_read_give(&w, bytes.p + i, 1);
		got = ws_read_next(&w);
		if (got != WS_GOT_NOTHING)
			CHECK(ws_read_next(&w) == WS_GOT_NOTHING);
		CHECK((w.frame == NULL) == (i + 1 == first || i + 1 == second ||
		    i + 1 == bytes.n));
	}
	CHECK_STR(buf_str(&message), "onetwo");
	ws_read_release(&w);
	buf_release(&message);
	buf_release(&bytes);
}
