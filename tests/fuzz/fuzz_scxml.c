/*
 * fuzz_scxml.c - any bytes as a chart: read, started, driven by a few events,
 * saved and restored on the way.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/buf.h"
#include "chart/chart.h"

/* ctx: the serial number of the last invoke; they only rise. */
static void
on_effect(void *ctx, const struct effect *f)
{
	uint32_t *last = ctx;

	if (f->kind == EFFECT_INVOKE) {
		assert(f->serial > *last);
		*last = f->serial;
	}
}

/* The answer goes with the target, so that sends of both kinds are tried. */
static int
on_reach(void *ctx, struct str target, struct str type, bool delayed)
{
	(void)ctx, (void)type, (void)delayed;
	return target.n % 3 == 2 ? ERR_CLOSED : OK;
}

/* What a session saves it can be restored from, and is then the same. */
static void
round_trip(const struct session *s, const struct chart *c)
{
	const struct effect_sink out = { 0 };
	struct buf saved = BUF(64 * MB), again = BUF(64 * MB);
	struct session *copy;
	struct err e;

	session_save(s, &saved);
	if (!saved.failed && !session_over(s)) {
		int rc = session_restore(&copy, c, S("id"), buf_str(&saved), &out, &e);

		assert(rc == OK);
		session_save(copy, &again);
		assert(again.failed || str_eq(buf_str(&saved), buf_str(&again)));
		session_free(copy);
	}
	session_add_waits(s, &again);
	buf_release(&saved);
	buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const char *const events[] = { "go", "e", "done.invoke.a", "t1", "back", "t2" };
	uint32_t last = 0;
	const struct effect_sink out = { .effect = on_effect, .ctx = &last, .reach = on_reach,
		.path = true };
	struct session *s;
	struct chart *c;
	struct err e;

	if (chart_from_scxml(&c, (struct str){ (const char *)bytes, n }, NULL, &e) != OK)
		return 0;
	s = session_new(c, S("id"), VAL_UNDEF, STR_NONE);
	(void)session_start(s, &out);
	round_trip(s, c);
	for (size_t i = 0; i < COUNT(events); i++) {
		struct chart_event ev = { .name = str_of(events[i]), .data = VAL_NIL,
			.invokeid = S("a"), .serial = (uint32_t)i / 2 + last / 2,
			.tie = (enum chart_tie)(i % 4) };

		(void)session_event(s, &ev, &out);
	}
	round_trip(s, c);
	session_cancel(s, &out);
	session_free(s);
	chart_free(c);
	return 0;
}
